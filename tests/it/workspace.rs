//! The business itself and those who work with Rapport.

mod oauth;
mod outside;
mod refresh;
mod sessions;
mod users;
mod tokens;
