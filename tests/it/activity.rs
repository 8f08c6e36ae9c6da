//! What people do, and what is left to be done.

mod tasks;
