//! Which statuses leads have had. Lines are only ever added: a time in a status ends where the next one begins.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_query, sql_types};
use rapport_domain::{access::ActorKind, id::LeadId, journal::ActorReference, sales::lead::LeadStatusChange};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, Writer, codes,
    page::{PageRequest, seek},
    prepared::Prepared,
    schema::lead_status_history,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = lead_status_history, check_for_backend(Pg))]
struct Row {
    version: i64,
    from_status: Option<String>,
    to_status: String,
    to_status_class: String,
    entered_at: DateTime<Utc>,
    actor_kind: String,
    actor_id: Option<Uuid>,
}

impl Row {
    fn into_change(self, left_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<LeadStatusChange, StoreError> {
        let duration = left_at.unwrap_or(now).max(self.entered_at) - self.entered_at;
        Ok(LeadStatusChange {
            from_status: self.from_status,
            to_status: self.to_status,
            to_status_class: codes::value(&self.to_status_class)?,
            entered_at: self.entered_at,
            left_at,
            duration_seconds: duration.as_seconds_f64(),
            actor: ActorReference { kind: codes::value::<ActorKind>(&self.actor_kind)?, id: self.actor_id },
        })
    }
}

/// The statuses of a lead, the first one first. Whether the caller may see the lead has been asked.
pub(super) fn list(
    reader: &mut Reader<'_>,
    id: LeadId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<LeadStatusChange>, StoreError> {
    let request = PageRequest::read(reader, "list_lead_status_history", &id, limit, cursor)?;
    let select = lead_status_history::table
        .select(Row::as_select())
        .filter(lead_status_history::workspace_id.eq(reader.workspace()))
        .filter(lead_status_history::lead_id.eq(id.uuid()))
        .into_boxed();
    let after = request.after::<i64>()?;
    let select = seek!(
        select,
        "lead_status_history.version",
        sql_types::BigInt,
        "lead_status_history.lead_id",
        Direction::Ascending,
        after
    );
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    let now = reader.now();
    // The line behind the last of the page is among those that were fetched, if there is one.
    let ends: Vec<Option<DateTime<Utc>>> =
        rows.iter().skip(1).map(|next| Some(next.entered_at)).chain([None]).collect();
    let lines: Vec<(Row, Option<DateTime<Utc>>)> = rows.into_iter().zip(ends).collect();
    request.page(reader, lines, |(row, _)| (row.version, id.uuid()), |(row, left_at)| row.into_change(left_at, now))
}

/// Notes the first status of those of these leads that are new.
pub(super) fn begin(writer: &mut Writer<'_>, leads: &[Uuid]) -> Result<(), StoreError> {
    note(writer, leads, None)
}

/// Notes that these leads have another status since their last version.
pub(super) fn go_on(writer: &mut Writer<'_>, leads: &[Uuid], from: &str) -> Result<(), StoreError> {
    note(writer, leads, Some(from))
}

/// Out of the leads as they were written a moment ago: whoever gets a status back, such as when a conversion is undone, has
/// it anew since then, whatever the lead says.
const NOTE: &str = "INSERT INTO lead_status_history (workspace_id, lead_id, version, from_status, to_status, \
                                                     to_status_class, entered_at, actor_kind, actor_id) \
                    SELECT workspace_id, id, version, $3, status, status_class, updated_at, $4, $5 \
                      FROM leads WHERE workspace_id = $1 AND id = ANY($2) AND ($3 IS NOT NULL OR version = 1)";

fn note(writer: &mut Writer<'_>, leads: &[Uuid], from: Option<&str>) -> Result<(), StoreError> {
    let (workspace, actor) = (writer.workspace(), writer.scope().actor());
    let note = sql_query(NOTE)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(leads)
        .bind::<sql_types::Nullable<sql_types::Text>, _>(from)
        .bind::<sql_types::Text, _>(actor.kind.as_str())
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(actor.id);
    Prepared(note).execute(writer.pg())?;
    Ok(())
}
