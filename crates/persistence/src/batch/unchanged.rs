//! Upserts that change nothing, as most do when an outside system sends again what it has. Two reads tell, without a
//! transaction and without keeping anybody waiting.

use rapport_domain::{access::Right, record::WriteResult};

use super::{Operation, Outcome, Upsert, names};
use crate::{StoreError, Writer, bulk::Bulk, visibility};

/// What comes of an upsert that changes nothing; none of one that has to be looked at closely.
pub(super) fn find<R: Bulk>(
    writer: &mut Writer<'_>,
    upsert: &Upsert<R::Patch>,
) -> Result<Option<Outcome<R>>, StoreError> {
    let gives_custom_values = R::given(&upsert.patch).is_some_and(|given| !given.is_empty());
    if gives_custom_values || visibility::require_right(writer, R::RESOURCE, Right::Write).is_err() {
        return Ok(None);
    }
    let Some((id, known)) = names::of_record::<R>(writer, &upsert.connection, &upsert.external_id)? else {
        return Ok(None);
    };
    let is_late = upsert.is_late(known);
    if !is_late && upsert.source_version.is_some() && upsert.source_version != known {
        return Ok(None); // the version is to be kept
    }
    let record = match R::get_to_change(writer, id) {
        Ok(record) => record,
        Err(StoreError::Missing(_) | StoreError::Forbidden(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_late {
        // As an update: what a new record needs is not asked, let alone held.
        let update = Operation::Update { id, version: None, patch: upsert.patch.clone() };
        let context = R::context(writer, &[update])?;
        match record.patched(upsert.patch.clone(), writer.stamp(), &context) {
            Ok(after) if after == record => {}
            _ => return Ok(None),
        }
    }
    Ok(Some(Outcome { result: WriteResult::Unchanged, is_late, record }))
}
