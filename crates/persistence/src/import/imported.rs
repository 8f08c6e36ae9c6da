//! What a kind of record has to tell so that rows can become records of it.

use rapport_domain::{problem::Invalid, record::Stamp};

use super::MatchBy;
use crate::bulk::Bulk;

/// Records that a file can bring.
pub(crate) trait Imported: Bulk {
    /// As a row of a file changes it: what the row does not say of an entry of a list is kept.
    fn imported(
        &self,
        patch: &Self::Patch,
        stamp: Stamp,
        country: Option<&str>,
        match_by: Option<MatchBy>,
    ) -> Result<Self, Invalid>;
}
