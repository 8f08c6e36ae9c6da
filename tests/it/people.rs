//! People and organisations.

mod batches;
mod companies;
mod contacts;
mod filters;
mod search;
mod upserts;
