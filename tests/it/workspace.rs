//! The business itself and those who work with Rapport.

mod api_keys;
mod custom_fields;
mod limits;
mod oauth;
mod outside;
mod passwords;
mod quotas;
mod refresh;
mod sessions;
mod tokens;
mod users;
mod views;
