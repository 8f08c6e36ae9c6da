//! People and organisations.

mod batches;
mod companies;
mod contacts;
mod search;
mod upserts;
