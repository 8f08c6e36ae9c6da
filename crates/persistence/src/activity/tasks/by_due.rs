//! Lists of tasks by the time at which they are due. What has no such time comes last, whichever way the list goes, so a
//! list is read in sections, one after the other: each is a range of an index.

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{activity::task::Task, page::Direction};
use uuid::Uuid;

use super::row::Row;
use crate::{
    Page, Reader, StoreError,
    page::{PageRequest, order, part},
    schema::tasks,
    visibility::Merged,
};

/// A part of a list.
#[derive(Clone, Copy)]
pub(super) struct Section {
    /// Whether tasks are finished; none where that is no matter.
    is_finished: Option<bool>,
    is_due: bool,
}

/// All tasks by their time.
pub(super) const SECTIONS: &[Section] =
    &[Section { is_finished: None, is_due: true }, Section { is_finished: None, is_due: false }];

/// First those that are left to be done.
pub(super) const UNFINISHED_FIRST: &[Section] = &[
    Section { is_finished: Some(false), is_due: true },
    Section { is_finished: Some(false), is_due: false },
    Section { is_finished: Some(true), is_due: true },
    Section { is_finished: Some(true), is_due: false },
];

/// Where a task stands in a list: in which section, and there by which time.
type Key = (usize, Option<DateTime<Utc>>);

/// Reads a page, in the lanes of what the caller may see.
pub(super) fn page<L: Clone>(
    reader: &mut Reader<'_>,
    request: &PageRequest,
    sections: &[Section],
    direction: Direction,
    lanes: &[L],
    lane: impl Fn(&Reader<'_>, L) -> Result<tasks::BoxedQuery<'static, Pg>, StoreError>,
) -> Result<Page<Task>, StoreError> {
    let after: Option<(Key, Uuid)> = request.after()?;
    let start = after.map_or(0, |((section, _), _)| section);
    let mut found: Vec<(usize, Row)> = Vec::new();
    for (index, section) in sections.iter().enumerate().skip(start) {
        let left = request.fetch() - found.len() as i64;
        if left == 0 {
            break;
        }
        let after = after.filter(|((of, _), _)| *of == index).map(|((_, due), id)| (due, id));
        let queries = lanes.iter().map(|within| {
            let query = section.of(lane(reader, within.clone())?, direction, after);
            Ok(query.select(Row::as_select()))
        });
        let queries = queries.collect::<Result<Vec<_>, StoreError>>()?;
        let order = order!("tasks.due_at", "tasks.id", direction);
        let merged = Merged::of(reader, request, queries, "tasks", order, left)?;
        let rows: Vec<Row> = merged.load(reader.pg())?;
        found.extend(rows.into_iter().map(|row| (index, row)));
    }
    request.page(reader, found, |(section, row)| ((*section, row.due_at), row.id), |(_, row)| row.into_task())
}

impl Section {
    /// The tasks of this section behind a place in it.
    fn of(
        self,
        mut query: tasks::BoxedQuery<'static, Pg>,
        direction: Direction,
        after: Option<(Option<DateTime<Utc>>, Uuid)>,
    ) -> tasks::BoxedQuery<'static, Pg> {
        // As the index of what is left to be done says it.
        query = match self.is_finished {
            Some(false) => query.filter(sql::<sql_types::Bool>("tasks.status_class IN ('open', 'on_hold')")),
            Some(true) => query.filter(sql::<sql_types::Bool>("tasks.status_class IN ('done', 'cancelled')")),
            None => query,
        };
        part!(query, tasks, due_at, sql_types::Timestamptz, self.is_due, direction, after)
    }
}
