//! The business itself and those who work with Rapport.

mod api_keys;
mod limits;
mod passwords;
mod sessions;
mod users;
