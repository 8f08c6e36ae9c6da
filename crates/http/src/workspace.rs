//! The business itself and those who work with Rapport.

mod access;
pub(crate) mod api_keys;
mod custom_fields;
pub(crate) mod invites;
pub(crate) mod passwords;
mod roles;
mod schema;
pub(crate) mod sessions;
mod shares;
mod teams;
pub(crate) mod tokens;
mod users;
mod views;

use crate::routes::Routes;

/// The routes of this room.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(sessions::login)
        .service(sessions::refresh_session)
        .service(sessions::logout)
        .service(sessions::logout_everywhere)
        .service(sessions::list_sessions)
        .service(sessions::get_session)
        .service(sessions::delete_session)
        .service(sessions::get_me);
    routes
        .service(passwords::request_password_reset)
        .service(passwords::confirm_password_reset)
        .service(passwords::change_password)
        .service(invites::accept_invite)
        .service(invites::invite_user);
    routes
        .service(api_keys::list_api_keys)
        .service(api_keys::create_api_key)
        .service(api_keys::get_api_key)
        .service(api_keys::update_api_key)
        .service(api_keys::delete_api_key)
        .service(api_keys::rotate_api_key)
        .service(api_keys::list_api_key_history);
    routes
        .service(users::list_users)
        .service(users::create_user)
        .service(users::get_user)
        .service(users::update_user)
        .service(users::activate_user)
        .service(users::deactivate_user)
        .service(users::transfer_user)
        .service(users::list_user_history);
    routes
        .service(teams::list_teams)
        .service(teams::create_team)
        .service(teams::get_team)
        .service(teams::update_team)
        .service(teams::delete_team)
        .service(teams::list_team_history);
    routes
        .service(roles::list_roles)
        .service(roles::create_role)
        .service(roles::get_role)
        .service(roles::update_role)
        .service(roles::delete_role)
        .service(roles::list_role_history);
    routes
        .service(shares::list_shares)
        .service(shares::create_share)
        .service(shares::get_share)
        .service(shares::delete_share);
    routes
        .service(views::list_views)
        .service(views::create_view)
        .service(views::get_view)
        .service(views::update_view)
        .service(views::delete_view)
        .service(views::list_view_history);
    routes
        .service(custom_fields::list_custom_fields)
        .service(custom_fields::create_custom_field)
        .service(custom_fields::list_custom_field_history)
        .service(custom_fields::archive_custom_field)
        .service(custom_fields::restore_custom_field)
        .service(custom_fields::get_custom_field)
        .service(custom_fields::update_custom_field)
        .service(schema::get_schema);
    routes.service(access::explain_access).service(access::list_audit_entries);
}
