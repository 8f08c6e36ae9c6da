//! The business itself and those who work with Rapport.

pub(crate) mod sessions;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this room.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config.service(sessions::login).service(sessions::get_me);
}
