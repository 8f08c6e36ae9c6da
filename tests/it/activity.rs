//! What people do, and what is left to be done.

mod calendar_feeds;
mod notes;
mod tasks;
