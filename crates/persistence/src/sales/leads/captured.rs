//! Leads that hear from somebody again by a capture form.

use diesel::prelude::*;
use rapport_domain::{
    id::{CaptureSubmissionId, LeadId},
    journal::Changes,
};
use uuid::Uuid;

use super::{KIND, Row, visible};
use crate::{
    Reader, StoreError, Writer,
    journal::{Entry, Journalled},
    people::{Deleted, with_match_keys},
    schema::leads,
};

/// The newest lead with one of these match keys that is neither won nor lost.
pub(crate) fn newest_open_with(reader: &mut Reader<'_>, keys: &[String]) -> Result<Option<LeadId>, StoreError> {
    let found: Option<Uuid> = visible(reader, Deleted::Exclude)
        .filter(with_match_keys("leads", reader.workspace(), keys.to_vec()))
        .filter(leads::status_class.ne_all(["won", "lost"]))
        .order((leads::created_at.desc(), leads::id.desc()))
        .select(leads::id)
        .first(reader.pg())
        .optional()?;
    Ok(found.map(LeadId::from_uuid))
}

/// Lets the history of a lead say that something was sent again. The lead itself stays as it is.
pub(crate) fn note_submission(
    writer: &mut Writer<'_>,
    id: LeadId,
    submission: CaptureSubmissionId,
) -> Result<(), StoreError> {
    let stamp = writer.stamp();
    let changes = Changes::of_field("submission_id", submission);
    let entry = Entry::new(writer, KIND, "submitted", id.uuid(), changes, stamp.at);
    let write = diesel::update(leads::table)
        .filter(leads::workspace_id.eq(writer.workspace()))
        .filter(leads::id.eq(id.uuid()))
        .set((
            leads::version.eq(leads::version + 1),
            leads::updated_at.eq(diesel::dsl::sql::<diesel::sql_types::Timestamptz>("greatest(updated_at, ")
                .bind::<diesel::sql_types::Timestamptz, _>(stamp.at)
                .sql(")")),
            leads::updated_by.eq(stamp.by),
        ))
        .returning(Row::as_returning());
    Journalled { write, entry }.get_result::<Row>(writer.pg())?;
    Ok(())
}
