//! People and organisations.

pub mod companies;
pub mod contacts;
pub mod duplicates;

/// Which records a read may return, as far as deletion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The living alone.
    Exclude,
    /// The living and the deleted.
    Include,
    /// The deleted alone.
    Only,
}

/// How often a change is tried that others got ahead of.
const TRIES: u32 = 5;
