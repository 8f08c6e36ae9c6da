//! The business itself and those who work with Rapport.

pub mod accounts;
mod administrators;
pub mod api_keys;
pub mod custom_fields;
pub(crate) mod custom_order;
pub(crate) mod custom_values;
pub mod explanations;
pub mod invites;
pub mod passwords;
pub mod roles;
pub(crate) mod secrets;
pub mod sessions;
pub mod shares;
pub mod signing_keys;
pub mod teams;
pub mod transfer;
pub mod users;
pub mod views;
pub mod workspaces;
