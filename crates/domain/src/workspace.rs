//! The business itself and those who work with Rapport.

pub mod session;
pub mod signing_key;
pub mod token;
pub mod user;
