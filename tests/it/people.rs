//! People and organisations.

mod companies;
mod contacts;
mod filters;
mod search;
