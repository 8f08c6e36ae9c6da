//! Lists of notes in which those that are pinned stand together. Few are, so each part of the list is a range of an index by
//! the time of creation: one of all notes, of which few are passed over, and one of those that are pinned.

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{activity::note::Note, page::Direction};
use uuid::Uuid;

use super::row::Row;
use crate::{
    Page, Reader, StoreError,
    page::{PageRequest, order, seek},
    schema::notes,
    visibility::Merged,
};

/// Where a note stands in a list: whether among those that are pinned, and when it was created.
type Key = (bool, DateTime<Utc>);

/// The order of the whole list.
pub(super) fn order(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "notes.pinned, notes.created_at, notes.id",
        Direction::Descending => "notes.pinned DESC, notes.created_at DESC, notes.id DESC",
    }
}

/// Reads a page, in the lanes of what the caller may see.
pub(super) fn page<L: Clone>(
    reader: &mut Reader<'_>,
    request: &PageRequest,
    direction: Direction,
    lanes: &[L],
    lane: impl Fn(&Reader<'_>, L) -> Result<notes::BoxedQuery<'static, Pg>, StoreError>,
) -> Result<Page<Note>, StoreError> {
    let after: Option<(Key, Uuid)> = request.after()?;
    let first = direction == Direction::Descending;
    let mut rows: Vec<Row> = Vec::new();
    for is_pinned in [first, !first] {
        let left = request.fetch() - rows.len() as i64;
        let is_past = after.is_some_and(|((pinned, _), _)| pinned != first && is_pinned == first);
        if left == 0 || is_past {
            continue;
        }
        let after = after.filter(|((pinned, _), _)| *pinned == is_pinned).map(|((_, created), id)| (created, id));
        let queries = lanes.iter().map(|within| {
            // As the indexes of those that are pinned say it.
            let pinned = sql::<sql_types::Bool>(if is_pinned { "notes.pinned" } else { "NOT notes.pinned" });
            let query = lane(reader, within.clone())?.filter(pinned);
            let query = seek!(query, "notes.created_at", sql_types::Timestamptz, "notes.id", direction, after);
            Ok(query.select(Row::as_select()))
        });
        let lanes = queries.collect::<Result<Vec<_>, StoreError>>()?;
        let order = order!("notes.created_at", "notes.id", direction);
        rows.extend(Merged::of(reader, request, lanes, "notes", order, left)?.load::<Row>(reader.pg())?);
    }
    request.page(reader, rows, |row| ((row.pinned, row.created_at), row.id), Row::into_note)
}
