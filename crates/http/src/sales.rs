//! From the first sign of interest to the deal.

mod lost_reasons;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this room.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(lost_reasons::list_lost_reasons)
        .service(lost_reasons::create_lost_reason)
        .service(lost_reasons::get_lost_reason)
        .service(lost_reasons::update_lost_reason)
        .service(lost_reasons::delete_lost_reason)
        .service(lost_reasons::list_lost_reason_history);
}
