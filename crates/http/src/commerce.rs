//! Purchases, and the outside systems that Rapport keeps in step with.

mod connections;
pub(crate) mod webhooks;

use crate::routes::Routes;

/// The routes of this room.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(connections::list_connections)
        .service(connections::create_connection)
        .service(connections::get_connection)
        .service(connections::update_connection)
        .service(connections::delete_connection)
        .service(connections::list_connection_history)
        .service(webhooks::list_webhooks)
        .service(webhooks::create_webhook)
        .service(webhooks::get_webhook)
        .service(webhooks::update_webhook)
        .service(webhooks::delete_webhook)
        .service(webhooks::rotate_webhook)
        .service(webhooks::test_webhook)
        .service(webhooks::replay_webhook)
        .service(webhooks::get_webhook_status)
        .service(webhooks::list_webhook_deliveries)
        .service(webhooks::list_webhook_history);
}
