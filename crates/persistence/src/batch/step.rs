//! Operations on their way through a batch.

use rapport_domain::{
    id::UserId, people::duplicate::OnDuplicate, record::Stamp, workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{Operation, Upsert};
use crate::{
    StoreError, Writer,
    bulk::{Bulk, References},
};

/// An operation on its way: what it would create is worked out, because its keys have to be locked before anything is
/// looked at.
pub(super) enum Step<'o, R: Bulk> {
    Create(Fresh<R>),
    Update { id: Uuid, version: Option<i64>, patch: &'o R::Patch },
    Upsert { upsert: &'o Upsert<R::Patch>, fresh: Fresh<R> },
    Delete { id: Uuid, version: Option<i64> },
}

/// A record that would be created.
pub(super) struct Fresh<R> {
    pub(super) record: Result<R, StoreError>,
    pub(super) names_team: bool,
    pub(super) on_duplicate: OnDuplicate,
}

impl<'o, R: Bulk> Step<'o, R> {
    pub(super) fn of(
        writer: &Writer<'_>,
        operation: &'o Operation<R::New, R::Patch>,
        stamp: Stamp,
        context: &R::Context,
    ) -> Self {
        match operation {
            Operation::Create { new, on_duplicate } => {
                Self::Create(Fresh::of(writer, new.clone(), *on_duplicate, stamp, context))
            }
            Operation::Update { id, version, patch } => Self::Update { id: *id, version: *version, patch },
            Operation::Upsert(upsert) => {
                let new = R::new_of(upsert.patch.clone());
                let fresh = Fresh::of(writer, new, upsert.on_duplicate, stamp, context);
                Self::Upsert { upsert, fresh }
            }
            Operation::Delete { id, version } => Self::Delete { id: *id, version: *version },
        }
    }

    pub(super) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Update { id, .. } | Self::Delete { id, .. } => Some(*id),
            Self::Upsert { upsert, .. } => upsert.record,
            Self::Create(_) => None,
        }
    }

    pub(super) fn fresh(&self) -> Option<&Fresh<R>> {
        match self {
            Self::Create(fresh) | Self::Upsert { fresh, .. } => Some(fresh),
            Self::Update { .. } | Self::Delete { .. } => None,
        }
    }

    /// The code that it gives.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Create(fresh) => fresh.record.as_ref().ok().and_then(R::code),
            Self::Update { patch, .. } => R::code_given(patch),
            Self::Upsert { upsert, .. } => R::code_given(&upsert.patch),
            Self::Delete { .. } => None,
        }
    }

    /// The values of custom fields that it gives.
    pub(super) fn given(&self) -> Vec<&CustomValues> {
        match self {
            Self::Create(fresh) => fresh.record.as_ref().ok().map(R::custom).into_iter().collect(),
            Self::Update { patch, .. } => R::given(patch).into_iter().collect(),
            Self::Upsert { upsert, .. } => R::given(&upsert.patch).into_iter().collect(),
            Self::Delete { .. } => Vec::new(),
        }
    }

    pub(super) fn references(&self) -> References {
        match self {
            Self::Create(fresh) => fresh.record.as_ref().map(R::references).unwrap_or_default(),
            Self::Update { patch, .. } => R::named(patch),
            Self::Upsert { upsert, fresh } => {
                fresh.record.as_ref().map_or_else(|_| R::named(&upsert.patch), R::references)
            }
            Self::Delete { .. } => References::default(),
        }
    }
}

impl<R: Bulk> Fresh<R> {
    /// Whoever creates a record owns it, unless somebody else is named.
    fn of(writer: &Writer<'_>, mut new: R::New, on_duplicate: OnDuplicate, stamp: Stamp, context: &R::Context) -> Self {
        let (owner, team) = R::place_of_new(&mut new);
        owner.get_or_insert(writer.grants().user.map(UserId::from_uuid));
        let names_team = team.is_some();
        Self { record: R::create(new, stamp, context), names_team, on_duplicate }
    }
}
