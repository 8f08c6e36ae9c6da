//! The business itself and those who work with Rapport.

pub mod session;
pub mod user;
