//! Where records are kept: rows, queries, transactions, journal, migrations. The only crate that knows diesel.
//!
//! Nobody gets at a connection without a [`Scope`]: [`Db::read`] and [`Db::write`] lend a [`Reader`] or [`Writer`] that
//! carries it, and every function here takes one of the two. Functions are called through their module and have bare
//! verbs: `contacts::get`, `contacts::create`.

pub mod audit;
pub mod batch;
mod bulk;
mod clock;
mod codes;
mod cursor;
mod db;
mod error;
pub mod export;
mod expression;
pub mod feed;
pub mod filter;
mod forgetting;
pub mod idempotency;
pub mod import;
mod insert;
pub mod journal;
mod json;
mod memory;
pub mod migrations;
mod one;
mod page;
mod prepared;
mod quota;
mod schema;
mod scope;
mod seal;
mod search;
pub mod sequencer;
mod together;
mod turns;
mod visibility;

pub mod activity;
pub mod commerce;
pub mod insight;
pub mod people;
pub mod sales;
pub mod workspace;

pub use clock::Clock;
pub use db::{Beside, Db, DbOptions, Reader, Writer};
pub(crate) use error::require_version;
pub use error::{StoreError, known_constraints};
pub use page::Page;
pub use scope::Scope;

/// How often a change is tried that others got ahead of.
const TRIES: u32 = 5;
