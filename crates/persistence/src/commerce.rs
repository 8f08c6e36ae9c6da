//! Purchases, and the outside systems that Rapport keeps in step with.

pub mod connections;
pub mod webhooks;
