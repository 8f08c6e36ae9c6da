//! People and organisations.

mod companies;
mod contacts;
mod search;
