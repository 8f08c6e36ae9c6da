//! Connections: the outside systems whose ids records have.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::exists, pg::Pg, prelude::*, select, sql_types};
use rapport_domain::{
    access::Resource,
    commerce::connection::{Connection, ConnectionPatch, ConnectionQuery, NewConnection},
    id::ConnectionId,
    journal::{Changes, JournalEntry},
    record::{ExternalId, RecordKind},
};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, TRIES, Writer, codes,
    journal::{self, Entry, Journalled},
    json::Json,
    page::{PageRequest, seek},
    require_version,
    schema::{connections, external_ids},
};

const KIND: RecordKind = RecordKind::Connection;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = connections, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    key: String,
    name: String,
    kind: String,
    direction: String,
    status: String,
    settings: Json<BTreeMap<String, String>>,
}

impl Row {
    fn of(workspace: Uuid, connection: &Connection) -> Self {
        Self {
            workspace_id: workspace,
            id: connection.id.uuid(),
            version: connection.version,
            created_at: connection.created_at,
            updated_at: connection.updated_at,
            created_by: connection.created_by,
            updated_by: connection.updated_by,
            key: connection.key.clone(),
            name: connection.name.clone(),
            kind: codes::word(&connection.kind),
            direction: codes::word(&connection.direction),
            status: codes::word(&connection.status),
            settings: Json(connection.settings.clone()),
        }
    }

    fn into_connection(self) -> Result<Connection, StoreError> {
        Ok(Connection {
            id: ConnectionId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            key: self.key,
            name: self.name,
            kind: codes::value(&self.kind)?,
            direction: codes::value(&self.direction)?,
            status: codes::value(&self.status)?,
            settings: self.settings.0,
        })
    }
}

/// Connections of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> connections::BoxedQuery<'static, Pg> {
    connections::table.filter(connections::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One connection.
pub fn get(reader: &mut Reader<'_>, id: ConnectionId) -> Result<Connection, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(connections::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_connection()
}

/// A page of the connections, by key.
pub fn list(reader: &mut Reader<'_>, query: &ConnectionQuery) -> Result<Page<Connection>, StoreError> {
    let request = PageRequest::read(reader, "list_connections", query, query.limit, query.cursor.as_deref())?;
    let select = visible(reader).select(Row::as_select());
    let after = request.after::<String>()?;
    let select = seek!(select, "connections.key", sql_types::Text, "connections.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.key.clone(), row.id), Row::into_connection)
}

/// The record of a resource that an outside system knows under an id; whether the caller may see it is not asked yet.
pub(crate) fn record_of(
    reader: &mut Reader<'_>,
    resource: Resource,
    external: &ExternalId,
) -> Result<Uuid, StoreError> {
    if !reader.grants().may_read(resource, "external_ids") {
        let detail =
            format!("Your role does not let you read external_ids, so read {} by their own ids.", resource.as_str());
        return Err(StoreError::Forbidden(detail));
    }
    let kind = resource.kind();
    let found: Option<Uuid> = external_ids::table
        .filter(external_ids::workspace_id.eq(reader.workspace()))
        .filter(external_ids::connection.eq(&external.connection))
        .filter(external_ids::record_kind.eq(kind.as_str()))
        .filter(external_ids::external_id.eq(&external.external_id))
        .select(external_ids::record_id)
        .first(reader.pg())
        .optional()?;
    found.ok_or(StoreError::Missing(kind))
}

/// Creates a connection.
pub fn create(writer: &mut Writer<'_>, new: NewConnection) -> Result<Connection, StoreError> {
    let connection = Connection::create(new, ConnectionId::mint(), writer.stamp())?;
    let changes = Changes::of_new(&connection);
    let entry = Entry::new(writer, KIND, "created", connection.id.uuid(), changes, connection.created_at);
    let row = Row::of(writer.workspace(), &connection);
    let write = diesel::insert_into(connections::table).values(row).returning(Row::as_returning());
    Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_connection()
}

/// Changes a connection.
pub fn update(
    writer: &mut Writer<'_>,
    id: ConnectionId,
    expected: Option<i64>,
    patch: &ConnectionPatch,
) -> Result<Connection, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = before.patch(patch.clone())?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, "updated", id.uuid(), changes, after.updated_at);
        let write = diesel::update(connections::table)
            .filter(connections::workspace_id.eq(writer.workspace()))
            .filter(connections::id.eq(id.uuid()))
            .filter(connections::version.eq(before.version))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        if let Some(row) = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
            return row.into_connection();
        }
    }
    Err(StoreError::Contention)
}

/// Deletes a connection for good. No record may have an id of it.
pub fn delete(writer: &mut Writer<'_>, id: ConnectionId, expected: Option<i64>) -> Result<(), StoreError> {
    writer.transaction(|writer| delete_unused(writer, id, expected))
}

fn delete_unused(writer: &mut Writer<'_>, id: ConnectionId, expected: Option<i64>) -> Result<(), StoreError> {
    let lock = connections::table.filter(connections::workspace_id.eq(writer.workspace()));
    lock.filter(connections::id.eq(id.uuid())).select(connections::id).for_update().load::<Uuid>(writer.pg())?;
    let connection = get(writer, id)?;
    require_version(expected, connection.version)?;
    let used = external_ids::table
        .filter(external_ids::workspace_id.eq(writer.workspace()))
        .filter(external_ids::connection.eq(&connection.key));
    if select(exists(used)).get_result(writer.pg())? {
        let detail = "Records have ids of this connection. Pause it instead: what comes by it is refused then.";
        return Err(StoreError::Conflict { code: "in_use", detail: detail.to_owned() });
    }
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&connection), writer.now());
    let write = diesel::delete(connections::table)
        .filter(connections::workspace_id.eq(writer.workspace()))
        .filter(connections::id.eq(id.uuid()))
        .filter(connections::version.eq(connection.version))
        .returning(Row::as_returning());
    match (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// Keeps connections from being deleted until the end of the transaction, and says how many there are.
pub(crate) fn keep(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<usize, StoreError> {
    let there: Vec<Uuid> = connections::table
        .filter(connections::workspace_id.eq(writer.workspace()))
        .filter(connections::id.eq_any(ids))
        .select(connections::id)
        .for_key_share()
        .load(writer.pg())?;
    Ok(there.len())
}

/// What happened to a connection, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: ConnectionId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}
