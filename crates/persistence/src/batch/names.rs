//! What outside systems call records: asked for once for all operations of a batch.

use std::collections::HashMap;

use diesel::{prelude::*, sql_query, sql_types};
use rapport_domain::{commerce::connection::IMPORT, record::ExternalId};
use uuid::Uuid;

use crate::{
    Reader, StoreError, Writer,
    bulk::Bulk,
    prepared::Prepared,
    schema::{connections, external_ids},
};

/// What is known of an external id.
pub(super) struct Named {
    /// None for the connection of imported files.
    pub(super) connection: Option<Uuid>,
    /// Why nothing may come by the connection.
    pub(super) refusal: Option<Refusal>,
    pub(super) record: Option<Uuid>,
    pub(super) source_version: Option<i64>,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = sql_types::Text)]
    connection: String,
    #[diesel(sql_type = sql_types::Text)]
    external_id: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    connection_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    direction: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    status: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    record_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    source_version: Option<i64>,
}

/// Connections and records behind external ids, in one statement. An id whose connection is not there is left out.
pub(super) fn ask<R: Bulk>(
    reader: &mut Reader<'_>,
    asked: Vec<&ExternalId>,
) -> Result<HashMap<ExternalId, Named>, StoreError> {
    let statement = "SELECT asked.connection, asked.external_id, connections.id AS connection_id, \
                            connections.direction, connections.status, known.record_id, known.source_version \
                     FROM (SELECT DISTINCT * FROM unnest($3, $4) AS asked (connection, external_id)) AS asked \
                     LEFT JOIN connections ON connections.workspace_id = $1 AND connections.key = asked.connection \
                     LEFT JOIN external_ids AS known ON known.workspace_id = $1 AND known.record_kind = $2 \
                           AND known.connection = asked.connection AND known.external_id = asked.external_id";
    let (connections, ids): (Vec<&str>, Vec<&str>) =
        asked.into_iter().map(|id| (id.connection.as_str(), id.external_id.as_str())).unzip();
    let workspace = reader.workspace();
    let select = sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Text, _>(R::kind().as_str())
        .bind::<sql_types::Array<sql_types::Text>, _>(connections)
        .bind::<sql_types::Array<sql_types::Text>, _>(ids);
    let rows: Vec<NameRow> = Prepared(select).load(reader.pg())?;
    let there = rows.into_iter().filter(|row| row.connection_id.is_some() || row.connection == IMPORT);
    let named = there.map(|row| {
        let refusal = Refusal::of(row.status.as_deref(), row.direction.as_deref());
        let named =
            Named { connection: row.connection_id, refusal, record: row.record_id, source_version: row.source_version };
        (ExternalId { connection: row.connection, external_id: row.external_id }, named)
    });
    Ok(named.collect())
}

/// The record behind an external id of a connection.
pub(super) struct OfRecord {
    pub(super) connection: Uuid,
    pub(super) record: Uuid,
    pub(super) source_version: Option<i64>,
}

/// The record behind one external id. None where there is no such record, or nothing may come by the connection.
pub(super) fn of_record<R: Bulk>(
    reader: &mut Reader<'_>,
    external: &ExternalId,
) -> Result<Option<OfRecord>, StoreError> {
    let of_connection =
        connections::workspace_id.eq(external_ids::workspace_id).and(connections::key.eq(external_ids::connection));
    let found: Option<(Uuid, String, String, Uuid, Option<i64>)> = external_ids::table
        .inner_join(connections::table.on(of_connection))
        .filter(external_ids::workspace_id.eq(reader.workspace()))
        .filter(external_ids::record_kind.eq(R::kind().as_str()))
        .filter(external_ids::connection.eq(&external.connection))
        .filter(external_ids::external_id.eq(&external.external_id))
        .select((
            connections::id,
            connections::status,
            connections::direction,
            external_ids::record_id,
            external_ids::source_version,
        ))
        .get_result(reader.pg())
        .optional()?;
    let open = found.filter(|(_, status, direction, ..)| Refusal::of(Some(status), Some(direction)).is_none());
    Ok(open.map(|(connection, .., record, source_version)| OfRecord { connection, record, source_version }))
}

/// Why nothing may come by a connection.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    Paused,
    TakesAlone,
}

impl Refusal {
    fn of(status: Option<&str>, direction: Option<&str>) -> Option<Self> {
        match (status, direction) {
            (Some("paused"), _) => Some(Self::Paused),
            (_, Some("write")) => Some(Self::TakesAlone),
            _ => None,
        }
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = match refusal {
            Refusal::Paused => ("connection_paused", "The connection is paused. Set its status to active first."),
            Refusal::TakesAlone => {
                ("connection_direction", "The connection only takes records from Rapport. Set its direction to both.")
            }
        };
        Self::Conflict { code, detail: detail.to_owned() }
    }
}

/// Notes which versions of their records outside systems have told by now. None is older than what
/// was told before; if that is not so any more, somebody was faster.
pub(super) fn keep_versions<R: Bulk>(writer: &mut Writer<'_>, told: Vec<(ExternalId, i64)>) -> Result<(), StoreError> {
    if told.is_empty() {
        return Ok(());
    }
    // Of one id only the last counts.
    let last: HashMap<ExternalId, i64> = told.into_iter().collect();
    let (ids, versions): (Vec<ExternalId>, Vec<i64>) = last.into_iter().unzip();
    let (connections, ids): (Vec<String>, Vec<String>) =
        ids.into_iter().map(|id| (id.connection, id.external_id)).unzip();
    let count = versions.len();
    let statement = "UPDATE external_ids AS old SET source_version = new.version \
                     FROM unnest($3, $4, $5) AS new (connection, external_id, version) \
                     WHERE old.workspace_id = $1 AND old.record_kind = $2 AND old.connection = new.connection \
                       AND old.external_id = new.external_id \
                       AND (old.source_version IS NULL OR old.source_version <= new.version)";
    let update = sql_query(statement)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Text, _>(R::kind().as_str())
        .bind::<sql_types::Array<sql_types::Text>, _>(connections)
        .bind::<sql_types::Array<sql_types::Text>, _>(ids)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(versions);
    if Prepared(update).execute(writer.pg())? < count { Err(StoreError::Contention) } else { Ok(()) }
}
