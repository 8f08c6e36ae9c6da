//! What people do, and what is left to be done.

pub mod calendar_feeds;
pub mod notes;
pub(crate) mod parents;
pub mod tasks;
