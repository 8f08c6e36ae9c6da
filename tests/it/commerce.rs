//! Purchases, and the outside systems that Rapport keeps in step with.

mod connections;
mod webhooks;
