//! The records that tasks and notes are about: the one place that finds them by their kind.

use rapport_domain::activity::parent::{Parent, ParentKind};

use crate::bulk::{Referenced, References};

/// What a reference to a record of this kind leads to.
fn referenced(kind: ParentKind) -> Referenced {
    match kind {
        ParentKind::Contact => Referenced::Contact,
        ParentKind::Company => Referenced::Company,
    }
}

/// These references, and the one to a parent.
pub(crate) fn with_parent(references: References, parent: Option<Parent>) -> References {
    match parent {
        Some(Parent { kind, id }) => references.with("/parent/id", referenced(kind), Some(id)),
        None => references,
    }
}
