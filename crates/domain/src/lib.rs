//! What a CRM is: its records, their rules and calculations, and the words in which the API speaks of them.
//!
//! No I/O, no database, no web framework. The rooms (`people`, `workspace`, …) carry the same names on every floor
//! of the house; what they share stands here at the root, one word each.

pub mod access;
pub mod feed;
pub mod filter;
pub mod id;
pub mod journal;
pub mod money;
pub mod page;
pub mod problem;
pub mod record;
pub mod standards;
pub mod text;

pub mod activity;
pub mod commerce;
pub mod insight;
pub mod people;
pub mod sales;
pub mod workspace;
