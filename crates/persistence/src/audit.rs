//! The audit of access: who signed in, who may do what, who looked. Its entries are those of the journal that are marked
//! as such; changes of users, teams, roles and keys are written with [`crate::journal::Entry::audited`], whatever else
//! happens is noted here.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::{prelude::*, sql_types};
use rapport_domain::{
    access::{Actor, ActorKind},
    id::{JournalEntryId, WorkspaceId},
    journal::{ActorReference, AuditEntry, AuditQuery, Changes, RecordReference},
    record::RecordKind,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    Db, Page, Reader, StoreError, Writer, codes,
    json::Json,
    page::{PageRequest, seek},
    schema::journal,
};

/// Something that happened and changed no record.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    pub workspace: WorkspaceId,
    pub actor: Actor,
    /// What happened: record and verb, such as `session.started`.
    pub event: &'static str,
    /// The record it is about.
    pub record: RecordReference,
    /// What is to be known beyond that, as fields that were not there before.
    pub changes: Changes,
    /// Network address from which it came.
    pub address: Option<String>,
    pub request_id: Option<String>,
}

/// Notes an event.
pub async fn note(db: &Db, event: AuditEvent) -> Result<(), StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| insert(pg, &event, now)).await
}

/// Notes an event in the transaction that it belongs to.
pub(crate) fn insert(pg: &mut PgConnection, event: &AuditEvent, at: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::insert_into(journal::table)
        .values((
            journal::workspace_id.eq(event.workspace.uuid()),
            journal::id.eq(JournalEntryId::mint().uuid()),
            journal::event.eq(event.event),
            journal::record_kind.eq(event.record.kind.as_str()),
            journal::record_id.eq(event.record.id),
            journal::version.eq(0), // nothing changed: such entries are in the audit and in no history
            journal::changes.eq(Json(&event.changes)),
            journal::actor_kind.eq(event.actor.kind.as_str()),
            journal::actor_id.eq(event.actor.id),
            journal::request_id.eq(&event.request_id),
            journal::at.eq(at.trunc_subsecs(6)),
            journal::is_audit.eq(true),
            journal::address.eq(&event.address),
        ))
        .execute(pg)?;
    Ok(())
}

/// Notes an event that whoever the writer writes for has caused.
pub(crate) fn insert_for(
    writer: &mut Writer<'_>,
    event: &'static str,
    kind: RecordKind,
    record: Uuid,
    changes: Changes,
) -> Result<(), StoreError> {
    writer.changes_settings();
    let scope = writer.scope();
    let event = AuditEvent {
        workspace: scope.workspace(),
        actor: scope.actor(),
        event,
        record: RecordReference { kind, id: record },
        changes,
        address: scope.address().map(ToOwned::to_owned),
        request_id: scope.request_id().map(ToOwned::to_owned),
    };
    let now = writer.now();
    insert(writer.pg(), &event, now)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = journal, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    event: String,
    record_kind: String,
    record_id: Uuid,
    changes: Json<Box<RawValue>>,
    actor_kind: String,
    actor_id: Option<Uuid>,
    request_id: Option<String>,
    at: DateTime<Utc>,
    address: Option<String>,
}

impl Row {
    fn into_entry(self) -> Result<AuditEntry, StoreError> {
        Ok(AuditEntry {
            id: JournalEntryId::from_uuid(self.id),
            event: self.event,
            record: RecordReference { kind: codes::value::<RecordKind>(&self.record_kind)?, id: self.record_id },
            changes: Changes::read(&self.changes.0)
                .map_err(|error| StoreError::Internal(format!("journal entry {}: {error}", self.id)))?,
            actor: ActorReference { kind: codes::value::<ActorKind>(&self.actor_kind)?, id: self.actor_id },
            address: self.address,
            request_id: self.request_id,
            at: self.at,
        })
    }
}

/// A page of the audit, the newest first.
pub fn list(reader: &mut Reader<'_>, query: &AuditQuery) -> Result<Page<AuditEntry>, StoreError> {
    let request = PageRequest::read(reader, "list_audit_entries", query, query.limit, query.cursor.as_deref())?;
    let mut select = journal::table
        .select(Row::as_select())
        .filter(journal::workspace_id.eq(reader.workspace()))
        .filter(journal::is_audit)
        .into_boxed();
    if !query.event.is_empty() {
        select = select.filter(journal::event.eq_any(query.event.clone()));
    }
    if let Some(actor) = query.actor_id {
        select = select.filter(journal::actor_id.eq(actor));
    }
    if let Some(record) = query.record_id {
        select = select.filter(journal::record_id.eq(record));
    }
    if let Some(from) = query.after {
        select = select.filter(journal::at.ge(from));
    }
    if let Some(until) = query.before {
        select = select.filter(journal::at.lt(until));
    }
    let after = request.after::<DateTime<Utc>>()?;
    let select = seek!(select, "journal.at", sql_types::Timestamptz, "journal.id", Direction::Descending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.at, row.id), Row::into_entry)
}
