//! What people do, and what is left to be done.

pub mod parent;
pub mod recurrence;
pub mod task;
