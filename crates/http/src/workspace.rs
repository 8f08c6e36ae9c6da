//! The business itself and those who work with Rapport.

pub(crate) mod api_keys;
pub(crate) mod invites;
pub(crate) mod passwords;
pub(crate) mod sessions;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this room.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config.service(sessions::login).service(sessions::get_me);
    config
        .service(passwords::request_password_reset)
        .service(passwords::confirm_password_reset)
        .service(passwords::change_password)
        .service(invites::accept_invite)
        .service(invites::invite_user);
    config
        .service(api_keys::list_api_keys)
        .service(api_keys::create_api_key)
        .service(api_keys::get_api_key)
        .service(api_keys::update_api_key)
        .service(api_keys::delete_api_key)
        .service(api_keys::rotate_api_key)
        .service(api_keys::list_api_key_history);
}
