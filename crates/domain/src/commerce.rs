//! Purchases, and the outside systems that Rapport keeps in step with.

pub mod connection;
pub mod webhook;
