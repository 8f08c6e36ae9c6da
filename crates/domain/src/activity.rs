//! What people do, and what is left to be done.

pub mod calendar;
pub mod calendar_feed;
pub mod note;
pub mod parent;
pub mod recurrence;
pub mod task;
