//! Lists of leads by their score. Leads without one come last, whichever way the list goes, so a list is read in two sections,
//! one after the other: each is a range of an index.

use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{page::Direction, sales::lead::Lead};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::row::Row;
use crate::{
    Page, Reader, StoreError,
    page::{PageRequest, order, seek},
    schema::leads,
    visibility::Merged,
};

/// Reads a page, in the lanes of what the caller may see.
pub(super) fn page<L: Clone>(
    reader: &mut Reader<'_>,
    request: &PageRequest,
    direction: Direction,
    lanes: &[L],
    lane: impl Fn(&Reader<'_>, L) -> Result<leads::BoxedQuery<'static, Pg>, StoreError>,
) -> Result<Page<Lead>, StoreError> {
    let after: Option<(Option<Decimal>, Uuid)> = request.after()?;
    let is_in_last = after.is_some_and(|(score, _)| score.is_none());
    let mut found: Vec<Row> = Vec::new();
    for has_score in [true, false] {
        let left = request.fetch() - found.len() as i64;
        if left == 0 || (has_score && is_in_last) {
            continue;
        }
        let queries = lanes.iter().map(|within| {
            let query = section(lane(reader, within.clone())?, has_score, direction, after);
            Ok(query.select(Row::as_select()))
        });
        let queries = queries.collect::<Result<Vec<_>, StoreError>>()?;
        let order = order!("leads.score", "leads.id", direction);
        let merged = Merged::of(reader, request, queries, "leads", order, left)?;
        found.extend(merged.load::<Row>(reader.pg())?);
    }
    request.page(reader, found, |row| (row.score, row.id), Row::into_lead)
}

/// The leads of one section behind a place in the list.
fn section(
    query: leads::BoxedQuery<'static, Pg>,
    has_score: bool,
    direction: Direction,
    after: Option<(Option<Decimal>, Uuid)>,
) -> leads::BoxedQuery<'static, Pg> {
    if has_score {
        let after = after.and_then(|(score, id)| score.map(|score| (score, id)));
        let query = query.filter(leads::score.is_not_null());
        return seek!(query, "leads.score", sql_types::Numeric, "leads.id", direction, after);
    }
    let query = query.filter(leads::score.is_null());
    let query = match (after.filter(|(score, _)| score.is_none()), direction) {
        (Some((_, id)), Direction::Ascending) => query.filter(leads::id.gt(id)),
        (Some((_, id)), Direction::Descending) => query.filter(leads::id.lt(id)),
        (None, _) => query,
    };
    query.order(sql::<sql_types::Text>(order!("leads.score", "leads.id", direction)))
}
