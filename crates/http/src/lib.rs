//! How Rapport is spoken: routes, extractors, problems, OpenAPI. The only crate that knows actix-web.
//!
//! A request passes the [`envelope`] (its id, its measure, the shape of its errors), then the [`gate`] (does the
//! operation exist, who calls, may they, are the parameters right), then a handler, which parses, calls one persistence
//! function inside one `Db` closure, and renders.

mod activity;
mod address;
mod answer;
pub mod auth;
mod batch;
mod body;
mod conditional;
mod contract;
mod envelope;
mod feed;
mod fields;
mod filters;
mod gate;
mod health;
mod limits;
pub mod mail;
mod metrics;
pub mod openapi;
mod origins;
mod problem;
mod problems;
mod query;
mod render;
mod routes;
pub mod schemas;
mod server;
mod terms;

mod commerce;
mod insight;
mod people;
mod sales;
mod workspace;

pub use limits::RateLimits;
pub use server::{HttpOptions, Running, start};
