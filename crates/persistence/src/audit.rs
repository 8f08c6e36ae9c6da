//! The audit of access: who signed in, who may do what, who looked. Its entries are those of the journal that are marked
//! as such; changes of users, teams, roles and keys are written with [`crate::journal::Entry::audited`], whatever else
//! happens is noted here.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::prelude::*;
use rapport_domain::{
    access::Actor,
    id::{JournalEntryId, WorkspaceId},
    journal::{Changes, RecordReference},
};

use crate::{Db, StoreError, schema::journal};

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
            journal::version.eq(1),
            journal::changes.eq(event.changes.to_json()),
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
