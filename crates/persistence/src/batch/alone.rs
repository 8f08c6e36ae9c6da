//! Upserts of records that are there, as most are: an outside system sends again what it has. One that tells nothing new is two
//! reads, without a transaction and without keeping anybody waiting; one that changes something is written as an update is.

use rapport_domain::{access::Right, record::WriteResult};

use super::{
    Operation, Outcome, Upsert, may_link,
    names::{self, OfRecord},
};
use crate::{StoreError, Writer, bulk::Bulk, require_version, visibility};

/// What comes of an upsert of a record that is there; none of one that has to be looked at closely.
pub(super) fn upsert<R: Bulk>(
    writer: &mut Writer<'_>,
    upsert: &Upsert<R::Patch>,
) -> Result<Option<Outcome<R>>, StoreError> {
    if visibility::require_right(writer, R::RESOURCE, Right::Write).is_err() {
        return Ok(None);
    }
    let Some(named) = names::of_record::<R>(writer, &upsert.external)? else {
        return Ok(None);
    };
    if upsert.record.is_some_and(|meant| meant != named.record || !may_link::<R>(writer)) {
        return Ok(None);
    }
    let found = R::get_to_change(writer, named.record);
    if let Ok(record) = &found {
        require_version(upsert.version, record.version())?;
    }
    let done = match found {
        Ok(record) if upsert.is_late(named.source_version) => {
            return Ok(Some(Outcome { result: WriteResult::Unchanged, is_late: true, record }));
        }
        Ok(record) if changes_nothing(writer, upsert, &named, &record)? => Ok((WriteResult::Unchanged, record)),
        Ok(record) => written(writer, upsert, &named, &record),
        Err(error) => Err(error),
    };
    match done {
        Ok((result, record)) => Ok(Some(Outcome { result, is_late: false, record })),
        // Nothing was written, and the batch tells what is wrong, or finds the record as others have left it.
        Err(
            StoreError::Missing(_)
            | StoreError::Stale { .. }
            | StoreError::Contention
            | StoreError::Forbidden(_)
            | StoreError::Invalid(_)
            | StoreError::Conflict { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

fn changes_nothing<R: Bulk>(
    writer: &mut Writer<'_>,
    upsert: &Upsert<R::Patch>,
    named: &OfRecord,
    record: &R,
) -> Result<bool, StoreError> {
    // Values of custom fields have to be judged before they can be compared.
    if upsert.tells_version(named.source_version) || R::given(&upsert.patch).is_some_and(|given| !given.is_empty()) {
        return Ok(false);
    }
    // As an update: what a new record needs is not asked, let alone held.
    let update = Operation::Update { id: named.record, version: None, patch: upsert.patch.clone() };
    let context = R::context(writer, &[update])?;
    let after = record.patched(upsert.patch.clone(), writer.stamp(), &context);
    Ok(after.is_ok_and(|after| after == *record))
}

fn written<R: Bulk>(
    writer: &mut Writer<'_>,
    upsert: &Upsert<R::Patch>,
    named: &OfRecord,
    before: &R,
) -> Result<(WriteResult, R), StoreError> {
    let after = writer.brought_by(named.connection, |writer| {
        let Some(version) = upsert.source_version else {
            return writer.attempt(|writer| R::update(writer, before, &upsert.patch));
        };
        writer.single_transaction(|writer| {
            // The record first and then its external id, as batches do: nobody waits in a circle.
            let after = R::update(writer, before, &upsert.patch)?;
            if after.version() == before.version() {
                stays::<R>(writer, before)?;
            }
            names::keep_versions::<R>(writer, vec![(upsert.external.clone(), version)])?;
            Ok(after)
        })
    })?;
    let is_changed = after.version() != before.version();
    Ok((if is_changed { WriteResult::Updated } else { WriteResult::Unchanged }, after))
}

/// Keeps a record as it was read until the end of the transaction: what was told of it last is to be what it holds.
fn stays<R: Bulk>(writer: &mut Writer<'_>, before: &R) -> Result<(), StoreError> {
    match R::to_change(writer, &[before.id()])?.first() {
        Some((record, _)) if record.version() == before.version() => Ok(()),
        _ => Err(StoreError::Contention),
    }
}
