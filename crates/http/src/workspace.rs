//! The business itself and those who work with Rapport.

pub(crate) mod sessions;
pub(crate) mod tokens;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this room.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(sessions::login)
        .service(sessions::refresh_session)
        .service(sessions::logout)
        .service(sessions::logout_everywhere)
        .service(sessions::list_sessions)
        .service(sessions::get_session)
        .service(sessions::delete_session)
        .service(sessions::get_me);
}
