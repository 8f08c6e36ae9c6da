//! The change feed: the journal entries of records with an owner, in the order of their positions, as far as the caller
//! may see the records now.
//!
//! A page looks at a bounded part of the feed, however little of it is for the caller: first at which entries fit the
//! filters, then, with one query for each kind, at which of their records the caller may see, and only then at the entries
//! themselves.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    access::{Resource, Right},
    feed::{ChangePage, ChangeQuery, FeedStart},
    journal::JournalEntry,
};
use uuid::Uuid;

use crate::{
    Reader, StoreError, journal as entries,
    page::PageRequest,
    schema::{feed_heads, feed_positions, feed_waiting, journal},
    visibility::{self, Policy},
};

/// A page looks at this many positions at most.
const EXAMINED: i64 = 10_000;

/// And asks of this many entries at most whether the caller may see their records, unless they may see all: then the page is
/// read at once.
const ASKED: i64 = 1_000;

/// Changes with the cursors that lead on from each of them.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Each with its cursor.
    pub changes: Vec<(String, JournalEntry)>,
    /// Leads on from the end of the stretch, which may be behind its last change.
    pub next_cursor: String,
    /// The position at its end.
    pub through: i64,
    /// Whether there is more to read at once.
    pub has_more: bool,
    /// The last position given in the workspace.
    pub head: i64,
}

/// A page of the feed. All of it goes by one plan, so that a connection that reads page after page stays set as it is.
pub fn list(reader: &mut Reader<'_>, query: &ChangeQuery) -> Result<ChangePage, StoreError> {
    reader.with_one_plan(|reader| {
        let request = page_request(reader, query)?;
        let (ends, waiting_since) = Ends::with_waiting(reader)?;
        let Part { entries, through } = Part::read(reader, query, &request, &ends)?;
        let next_cursor = cursor(reader, &request, through)?;
        let (head, lag_ms) = (ends.head, lag(waiting_since, reader.now()));
        Ok(ChangePage { has_more: through < head, data: entries, next_cursor, head, lag_ms })
    })
}

/// A page of the feed for a reader who may stop after each change.
pub fn follow(reader: &mut Reader<'_>, query: &ChangeQuery) -> Result<Stretch, StoreError> {
    reader.with_one_plan(|reader| {
        let request = page_request(reader, query)?;
        let ends = Ends::read(reader)?;
        let Part { entries, through } = Part::read(reader, query, &request, &ends)?;
        let next_cursor = cursor(reader, &request, through)?;
        let with_cursor = |entry: JournalEntry| {
            let position = entry.position.unwrap_or(through);
            Ok((cursor(reader, &request, position)?, entry))
        };
        let changes = entries.into_iter().map(with_cursor).collect::<Result<_, StoreError>>()?;
        Ok(Stretch { changes, next_cursor, through, has_more: through < ends.head, head: ends.head })
    })
}

/// The position behind which a reader with this query begins.
pub(crate) fn position(reader: &mut Reader<'_>, query: &ChangeQuery) -> Result<i64, StoreError> {
    let request = page_request(reader, query)?;
    let ends = Ends::read(reader)?;
    beginning(query, &request, &ends)
}

/// What is sent of the feed instead of being fetched.
pub(crate) struct Parcel {
    pub(crate) entries: Vec<JournalEntry>,
    /// The position up to which was looked.
    pub(crate) through: i64,
}

/// The first changes behind a position, up to another where one is given.
pub(crate) fn parcel(
    reader: &mut Reader<'_>,
    query: &ChangeQuery,
    position: i64,
    until: Option<i64>,
    most: i64,
) -> Result<Parcel, StoreError> {
    reader.with_one_plan(|reader| {
        let until = match until {
            Some(until) => until,
            None => Ends::read(reader)?.head,
        };
        let Part { entries, through } = Part::between(reader, query, (position, until), most)?;
        Ok(Parcel { entries, through })
    })
}

/// The first position that is still served.
pub(crate) fn tail(reader: &mut Reader<'_>) -> Result<i64, StoreError> {
    Ok(Ends::read(reader)?.tail)
}

/// The cursor that leads on from a position.
pub(crate) fn cursor_at(reader: &mut Reader<'_>, query: &ChangeQuery, position: i64) -> Result<String, StoreError> {
    let request = page_request(reader, query)?;
    cursor(reader, &request, position)
}

/// Where a reader begins: behind the cursor, or where the query says.
fn beginning(query: &ChangeQuery, request: &PageRequest, ends: &Ends) -> Result<i64, StoreError> {
    match request.after::<i64>()? {
        Some((after, _)) => still_there(after, ends),
        None if query.from == FeedStart::Head => Ok(ends.head),
        None => Ok(ends.tail - 1),
    }
}

/// Pages and streams go on with each other's cursors.
fn page_request(reader: &Reader<'_>, query: &ChangeQuery) -> Result<PageRequest, StoreError> {
    let filter = (&query.kind, &query.event, &query.exclude_origin);
    PageRequest::read(reader, "list_changes", &filter, query.limit, query.cursor.as_deref())
}

fn cursor(reader: &Reader<'_>, request: &PageRequest, position: i64) -> Result<String, StoreError> {
    request.cursor_after(reader, (position, Uuid::nil()))
}

/// What was found between two positions.
struct Part {
    entries: Vec<JournalEntry>,
    /// The position up to which was looked.
    through: i64,
}

impl Part {
    fn read(
        reader: &mut Reader<'_>,
        query: &ChangeQuery,
        request: &PageRequest,
        ends: &Ends,
    ) -> Result<Self, StoreError> {
        let after = beginning(query, request, ends)?;
        Self::between(reader, query, (after, ends.head), request.limit())
    }

    /// What a page has behind a position, up to a head.
    fn between(
        reader: &mut Reader<'_>,
        query: &ChangeQuery,
        (after, head): (i64, i64),
        limit: i64,
    ) -> Result<Self, StoreError> {
        let resources = resources(reader, query);
        if after == head || resources.is_empty() {
            return Ok(Self { entries: Vec::new(), through: head });
        }
        let until = head.min(after + EXAMINED);
        let fitting = fitting(reader, query, &resources, (after, until));
        let sees_all = |resource: &Resource| Policy::reading(reader, *resource).whole().is_everything();
        if resources.iter().all(sees_all) {
            let mut entries = entries::read(reader, fitting.limit(limit + 1))?;
            let is_full = entries.len() as i64 > limit;
            entries.truncate(limit as usize);
            let last = entries.last().and_then(|entry| entry.position);
            return Ok(Self { through: last.filter(|_| is_full).unwrap_or(until), entries });
        }
        let found = fitting.select((feed_positions::position, journal::record_kind, journal::record_id)).limit(ASKED);
        let found: Vec<Found> = found.load(reader.pg())?;
        let examined = match found.last() {
            Some(last) if found.len() as i64 == ASKED => last.position,
            _ => until,
        };
        let mut positions = visible(reader, &resources, &found)?;
        let is_full = positions.len() as i64 > limit;
        positions.truncate(limit as usize);
        let through = positions.last().copied().filter(|_| is_full).unwrap_or(examined);
        Ok(Self { entries: entries::at(reader, &positions)?, through })
    }
}

/// From where to where the feed of the workspace reaches.
struct Ends {
    /// The last position that was given.
    head: i64,
    /// The first one that is still served.
    tail: i64,
}

impl Ends {
    fn read(reader: &mut Reader<'_>) -> Result<Self, StoreError> {
        let ends = feed_heads::table
            .filter(feed_heads::workspace_id.eq(reader.workspace()))
            .select((feed_heads::position, feed_heads::tail))
            .first(reader.pg())
            .optional()?;
        let (head, tail) = ends.unwrap_or((0, 1));
        Ok(Self { head, tail })
    }

    /// The same, and since when the oldest entry without a position has been waiting for one. Only for who tells of it: where
    /// much was numbered a moment ago, the look for what waits goes over what that has left.
    fn with_waiting(reader: &mut Reader<'_>) -> Result<(Self, Option<DateTime<Utc>>), StoreError> {
        let of_feed = feed_heads::table.filter(feed_heads::workspace_id.eq(reader.workspace()));
        let oldest = feed_waiting::table
            .select(feed_waiting::at)
            .filter(feed_waiting::workspace_id.eq(reader.workspace()))
            .order(feed_waiting::entry_id) // ids grow with time
            .limit(1);
        let (head, tail, waiting_since): (Option<i64>, Option<i64>, _) = diesel::select((
            of_feed.select(feed_heads::position).single_value(),
            of_feed.select(feed_heads::tail).single_value(),
            oldest.single_value(),
        ))
        .get_result(reader.pg())?;
        Ok((Self { head: head.unwrap_or(0), tail: tail.unwrap_or(1) }, waiting_since))
    }
}

/// How long the oldest entry without a position has been waiting for one, in milliseconds.
fn lag(waiting_since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i64 {
    waiting_since.map_or(0, |since| (now - since).num_milliseconds().max(1))
}

/// Refuses a cursor behind which entries have left the feed, or that comes from a future that a backup has taken back.
fn still_there(after: i64, ends: &Ends) -> Result<i64, StoreError> {
    match after {
        _ if after + 1 < ends.tail => Err(StoreError::ResyncRequired("changes after it have left the feed")),
        _ if after > ends.head => {
            Err(StoreError::ResyncRequired("it is ahead of the feed, which was restored from a backup"))
        }
        after => Ok(after),
    }
}

/// The resources whose changes are asked for, of those that the caller may read at all.
fn resources(reader: &Reader<'_>, query: &ChangeQuery) -> Vec<Resource> {
    let grants = reader.scope().grants();
    let is_wanted = |resource: &Resource| query.kind.is_empty() || query.kind.contains(&resource.kind());
    let may_read = |resource: &Resource| grants.allow(resource.permission(Right::Read));
    Resource::ALL.iter().copied().filter(is_wanted).filter(may_read).collect()
}

/// An entry of the feed before it is known whether the caller may see it.
#[derive(Queryable)]
struct Found {
    position: i64,
    record_kind: String,
    record_id: Uuid,
}

/// The entries behind a position and up to another that fit the filters. Users, teams, roles, keys and shares have no place
/// in the feed, and what was only noted for the audit has none either.
fn fitting(
    reader: &Reader<'_>,
    query: &ChangeQuery,
    resources: &[Resource],
    (after, until): (i64, i64),
) -> entries::InFeed {
    let kinds: Vec<&str> = resources.iter().map(|resource| resource.kind().as_str()).collect();
    let mut select = entries::in_feed()
        .filter(feed_positions::workspace_id.eq(reader.workspace()))
        .filter(feed_positions::position.gt(after))
        .filter(feed_positions::position.le(until))
        .filter(journal::record_kind.eq_any(kinds))
        .filter(journal::version.gt(0))
        .into_boxed();
    if !query.event.is_empty() {
        select = select.filter(journal::event.eq_any(query.event.clone()));
    }
    if !query.exclude_origin.is_empty() {
        let is_other = journal::origin.ne_all(query.exclude_origin.clone());
        select = select.filter(journal::origin.is_null().or(is_other.assume_not_null()));
    }
    select.order(feed_positions::position)
}

/// The positions of those whose records the caller may see now.
fn visible(reader: &mut Reader<'_>, resources: &[Resource], found: &[Found]) -> Result<Vec<i64>, StoreError> {
    let mut seen: HashMap<&str, HashSet<Uuid>> = HashMap::new();
    for resource in resources {
        let kind = resource.kind().as_str();
        let ids: HashSet<Uuid> =
            found.iter().filter(|entry| entry.record_kind == kind).map(|entry| entry.record_id).collect();
        seen.insert(kind, visibility::readable(reader, *resource, ids.into_iter().collect())?);
    }
    let is_seen =
        |entry: &&Found| seen.get(entry.record_kind.as_str()).is_some_and(|ids| ids.contains(&entry.record_id));
    Ok(found.iter().filter(is_seen).map(|entry| entry.position).collect())
}
