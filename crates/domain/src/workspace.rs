//! The business itself and those who work with Rapport.

pub mod api_key;
pub mod custom_field;
pub mod invite;
pub mod password;
pub mod role;
pub mod session;
pub mod share;
pub mod signing_key;
pub mod team;
pub mod token;
pub mod user;
pub mod view;
