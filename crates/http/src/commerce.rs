//! Purchases, and the outside systems that Rapport keeps in step with.

mod connections;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this room.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(connections::list_connections)
        .service(connections::create_connection)
        .service(connections::get_connection)
        .service(connections::update_connection)
        .service(connections::delete_connection)
        .service(connections::list_connection_history);
}
