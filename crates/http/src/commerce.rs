//! Purchases, and the outside systems that Rapport keeps in step with.

mod connections;

use crate::routes::Routes;

/// The routes of this room.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(connections::list_connections)
        .service(connections::create_connection)
        .service(connections::get_connection)
        .service(connections::update_connection)
        .service(connections::delete_connection)
        .service(connections::list_connection_history);
}
