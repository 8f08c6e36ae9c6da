//! The journal: every write and its entry are one statement, so that both happen or neither does. An entry is written once and
//! never again; its place in the feed is given elsewhere, for which it waits in a table beside it.

pub(crate) mod of_contact;

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{
    access::{ActorKind, Resource},
    id::JournalEntryId,
    journal::{ActorReference, Changes, JournalEntry, RecordReference},
    record::RecordKind,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, codes,
    insert::insert_all,
    json::Json,
    page::{PageRequest, seek},
    prepared::Prepared,
    schema::{feed_positions, feed_waiting, journal},
};

/// What a write of one record leaves in the journal.
#[derive(Clone)]
pub(crate) struct Entry {
    workspace: Uuid,
    id: Uuid,
    event: String,
    kind: &'static str,
    record: Uuid,
    changes: Json<Changes>,
    actor_kind: &'static str,
    actor: Option<Uuid>,
    origin: Option<Uuid>,
    request_id: Option<String>,
    at: DateTime<Utc>,
    is_audit: bool,
    address: Option<String>,
    /// What is written along with the record, see [`Entry::along_with`].
    along: &'static str,
}

impl Entry {
    /// An entry on behalf of whoever the reader reads for: `contact` and `updated` make `contact.updated`. Its time is
    /// that of the change.
    pub(crate) fn new(
        reader: &Reader<'_>,
        kind: RecordKind,
        verb: &str,
        record: Uuid,
        changes: Changes,
        at: DateTime<Utc>,
    ) -> Self {
        let scope = reader.scope();
        Self {
            workspace: reader.workspace(),
            id: JournalEntryId::mint().uuid(),
            event: format!("{}.{verb}", kind.as_str()),
            kind: kind.as_str(),
            record,
            changes: Json(changes),
            actor_kind: scope.actor().kind.as_str(),
            actor: scope.actor().id,
            origin: scope.origin(),
            request_id: scope.request_id().map(ToOwned::to_owned),
            at,
            is_audit: false,
            address: None,
            along: "",
        }
    }

    /// As an entry of what came by a connection; none where somebody calls for themselves.
    pub(crate) fn brought_by(self, origin: Option<Uuid>) -> Self {
        Self { origin, ..self }
    }

    /// With further statements of the same `WITH`, which find the row that was written in `changed`. All writes of a table
    /// have the same ones.
    pub(crate) fn along_with(self, statements: &'static str) -> Self {
        Self { along: statements, ..self }
    }

    /// As an entry of the audit, too: about who may do what.
    pub(crate) fn audited(self, reader: &Reader<'_>) -> Self {
        reader.changes_settings();
        Self { is_audit: true, address: reader.scope().address().map(ToOwned::to_owned), ..self }
    }
}

/// A write of one record together with its entry. The write has to be an `INSERT` or `UPDATE … RETURNING` whose columns
/// include `version`; a write that touches no row leaves no entry.
pub(crate) struct Journalled<S> {
    pub(crate) write: S,
    pub(crate) entry: Entry,
}

impl<S: Query> Query for Journalled<S> {
    type SqlType = S::SqlType;
}

impl<S: QueryId> QueryId for Journalled<S> {
    type QueryId = Journalled<S::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = S::HAS_STATIC_QUERY_ID;
}

impl<S> RunQueryDsl<PgConnection> for Journalled<S> {}

impl<S: QueryFragment<Pg> + QueryId> QueryFragment<Pg> for Journalled<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let entry = &self.entry;
        out.push_sql("WITH changed AS (");
        self.write.walk_ast(out.reborrow())?;
        out.push_sql(
            "), entry AS (INSERT INTO journal (workspace_id, id, event, record_kind, record_id, changes, actor_kind, \
             actor_id, origin, request_id, at, is_audit, address, version) SELECT ",
        );
        out.push_bind_param::<sql_types::Uuid, _>(&entry.workspace)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Uuid, _>(&entry.id)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Text, _>(&entry.event)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Text, _>(&entry.kind)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Uuid, _>(&entry.record)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Jsonb, _>(&entry.changes)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Text, _>(&entry.actor_kind)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Nullable<sql_types::Uuid>, _>(&entry.actor)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Nullable<sql_types::Uuid>, _>(&entry.origin)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Nullable<sql_types::Text>, _>(&entry.request_id)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Timestamptz, _>(&entry.at)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Bool, _>(&entry.is_audit)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Nullable<sql_types::Text>, _>(&entry.address)?;
        out.push_sql(", changed.version FROM changed");
        out.push_sql(RETURNING);
        out.push_sql("), waiting AS (");
        out.push_sql(WAIT);
        out.push_sql(")");
        out.push_sql(entry.along);
        out.push_sql(" SELECT * FROM changed");
        Ok(())
    }

    /// diesel prepares each `UPDATE` anew, since it can't know how many texts there will be. Here each table has one for each
    /// way in which roles reach its records: kept by their texts, they save half of what a change costs the database.
    fn is_safe_to_cache_prepared(&self, backend: &Pg) -> QueryResult<bool> {
        Ok(!S::HAS_STATIC_QUERY_ID || self.write.is_safe_to_cache_prepared(backend)?)
    }
}

/// Entries of many records, for set-based writes: one row each, in the words of the table.
#[derive(Clone, Insertable)]
#[diesel(table_name = journal, treat_none_as_default_value = false)]
pub(crate) struct BulkEntry {
    workspace_id: Uuid,
    id: Uuid,
    event: String,
    record_kind: &'static str,
    record_id: Uuid,
    version: i64,
    changes: Json<Changes>,
    actor_kind: &'static str,
    actor_id: Option<Uuid>,
    origin: Option<Uuid>,
    request_id: Option<String>,
    at: DateTime<Utc>,
    is_audit: bool,
    address: Option<String>,
}

impl BulkEntry {
    pub(crate) fn new(entry: Entry, version: i64) -> Self {
        Self {
            workspace_id: entry.workspace,
            id: entry.id,
            event: entry.event,
            record_kind: entry.kind,
            record_id: entry.record,
            version,
            changes: entry.changes,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor,
            origin: entry.origin,
            request_id: entry.request_id,
            at: entry.at,
            is_audit: entry.is_audit,
            address: entry.address,
        }
    }
}

/// An entry that has no place in the feed yet.
#[derive(Insertable)]
#[diesel(table_name = feed_waiting, treat_none_as_default_value = false)]
struct Waiting {
    workspace_id: Uuid,
    entry_id: Uuid,
    record_kind: &'static str,
    record_id: Uuid,
    version: i64,
    at: DateTime<Utc>,
}

impl Waiting {
    fn of(entry: &BulkEntry) -> Self {
        Self {
            workspace_id: entry.workspace_id,
            entry_id: entry.id,
            record_kind: entry.record_kind,
            record_id: entry.record_id,
            version: entry.version,
            at: entry.at,
        }
    }
}

/// Writes entries, which are those of the rows written in the same transaction.
pub(crate) fn insert(pg: &mut PgConnection, mut entries: Vec<BulkEntry>) -> Result<(), StoreError> {
    if entries.len() == 1 {
        Alone(diesel::insert_into(journal::table).values(entries.swap_remove(0))).execute(pg)?;
        return Ok(());
    }
    let waiting: Vec<Waiting> = entries.iter().map(Waiting::of).collect();
    insert_all!(journal::table, pg, entries)?;
    insert_all!(feed_waiting::table, pg, waiting)?;
    Ok(())
}

/// Inserts rows and their entries, which then wait, in one statement: all of it or nothing.
pub(crate) fn insert_with<S: QueryFragment<Pg>>(
    pg: &mut PgConnection,
    rows: S,
    entries: Vec<BulkEntry>,
) -> QueryResult<()> {
    let entries = diesel::insert_into(journal::table).values(entries);
    Prepared(With { rows, entries }).load::<i32>(pg).map(drop)
}

/// The insertion of rows together with that of their entries.
struct With<S, E> {
    rows: S,
    entries: E,
}

impl<S, E> Query for With<S, E> {
    type SqlType = sql_types::Integer;
}

impl<S: QueryFragment<Pg>, E: QueryFragment<Pg>> QueryFragment<Pg> for With<S, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH written AS (");
        self.rows.walk_ast(out.reborrow())?;
        out.push_sql("), entry AS (");
        self.entries.walk_ast(out.reborrow())?;
        out.push_sql(RETURNING);
        out.push_sql("), waiting AS (");
        out.push_sql(WAIT);
        out.push_sql(") SELECT 1");
        Ok(())
    }
}

/// The insertion of one entry, which then waits.
struct Alone<S>(S);

impl<S: QueryId> QueryId for Alone<S> {
    type QueryId = Alone<S::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = S::HAS_STATIC_QUERY_ID;
}

impl<S> RunQueryDsl<PgConnection> for Alone<S> {}

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Alone<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH entry AS (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(RETURNING);
        out.push_sql(") ");
        out.push_sql(WAIT);
        Ok(())
    }
}

/// What the insertion of an entry returns, of which [`WAIT`] makes what waits.
const RETURNING: &str = " RETURNING workspace_id, id, record_kind, record_id, version, at";

/// Lets an entry that was written wait for its place.
const WAIT: &str =
    "INSERT INTO feed_waiting (workspace_id, entry_id, record_kind, record_id, version, at) SELECT * FROM entry";

/// The entries that have a place in the feed, each with it.
#[diesel::dsl::auto_type]
pub(crate) fn in_feed() -> _ {
    feed_positions::table.inner_join(journal::table.on(is_its_place()))
}

/// Whether a place is that of an entry.
#[diesel::dsl::auto_type]
fn is_its_place() -> _ {
    feed_positions::workspace_id.eq(journal::workspace_id).and(feed_positions::entry_id.eq(journal::id))
}

/// Those of [`in_feed`] that are asked for.
pub(crate) type InFeed = diesel::dsl::IntoBoxed<'static, in_feed, Pg>;

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = journal, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    #[diesel(select_expression = feed_positions::position.nullable())]
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    position: Option<i64>,
    event: String,
    record_kind: String,
    record_id: Uuid,
    version: i64,
    changes: Json<Box<RawValue>>,
    actor_kind: String,
    actor_id: Option<Uuid>,
    origin: Option<Uuid>,
    request_id: Option<String>,
    at: DateTime<Utc>,
}

impl Row {
    fn into_entry(self) -> Result<JournalEntry, StoreError> {
        let changes = Changes::read(&self.changes.0)
            .map_err(|error| StoreError::Internal(format!("journal entry {}: {error}", self.id)))?;
        Ok(JournalEntry {
            id: JournalEntryId::from_uuid(self.id),
            position: self.position,
            event: self.event,
            record: RecordReference { kind: codes::value::<RecordKind>(&self.record_kind)?, id: self.record_id },
            version: self.version,
            changes,
            actor: ActorReference { kind: codes::value::<ActorKind>(&self.actor_kind)?, id: self.actor_id },
            origin: self.origin,
            request_id: self.request_id,
            at: self.at,
        })
    }
}

/// The entries of one record, newest first. Whether the caller may see the record is for its own module to ask.
pub(crate) fn list(
    reader: &mut Reader<'_>,
    kind: RecordKind,
    record: Uuid,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    let request = PageRequest::read(reader, "history", &(kind, record), limit, cursor)?;
    let query = journal::table
        .left_join(feed_positions::table.on(is_its_place()))
        .select(Row::as_select())
        .filter(journal::workspace_id.eq(reader.workspace()))
        .filter(journal::record_kind.eq(kind.as_str()))
        .filter(journal::record_id.eq(record))
        .filter(journal::version.gt(0)) // what was only noted is for the audit
        .into_boxed();
    let after = request.after::<i64>()?;
    let query = seek!(query, "journal.version", sql_types::BigInt, "journal.id", Direction::Descending, after);
    let rows = query.limit(request.fetch()).load::<Row>(reader.pg())?;
    let mut page = request.page(reader, rows, |row| (row.version, row.id), Row::into_entry)?;
    page.data.iter_mut().for_each(|entry| close(reader, entry));
    Ok(page)
}

/// The entries at these positions of the feed, in their order. Whether the caller may see their records has been asked.
pub(crate) fn at(reader: &mut Reader<'_>, positions: &[i64]) -> Result<Vec<JournalEntry>, StoreError> {
    let select = in_feed()
        .filter(feed_positions::workspace_id.eq(reader.workspace()))
        .filter(feed_positions::position.eq_any(positions.to_vec()))
        .order(feed_positions::position);
    read(reader, select.into_boxed())
}

/// The entries that a query selects. Whether the caller may see their records has been asked.
pub(crate) fn read(reader: &mut Reader<'_>, select: InFeed) -> Result<Vec<JournalEntry>, StoreError> {
    let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
    let mut entries = rows.into_iter().map(Row::into_entry).collect::<Result<Vec<_>, _>>()?;
    entries.iter_mut().for_each(|entry| close(reader, entry));
    Ok(entries)
}

/// Takes out the changes of fields that the caller may not read.
fn close(reader: &Reader<'_>, entry: &mut JournalEntry) {
    if let Some(resource) = Resource::of(entry.record.kind) {
        let grants = reader.scope().grants();
        entry.changes.retain(|change| grants.may_read(resource, &change.field));
    }
}
