//! The business itself and those who work with Rapport.

pub mod role;
pub mod session;
pub mod share;
pub mod signing_key;
pub mod team;
pub mod token;
pub mod user;
