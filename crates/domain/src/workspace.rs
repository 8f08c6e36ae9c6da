//! The business itself and those who work with Rapport.

pub mod api_key;
pub mod invite;
pub mod password;
pub mod role;
pub mod session;
pub mod share;
pub mod team;
pub mod user;
