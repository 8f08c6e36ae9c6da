//! The business itself and those who work with Rapport.

mod sessions;
mod users;
