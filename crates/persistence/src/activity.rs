//! What people do, and what is left to be done.

pub(crate) mod parents;
pub mod tasks;
