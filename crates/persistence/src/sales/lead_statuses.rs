//! Lead statuses: how far a lead can have come.

use chrono::{DateTime, Utc};
use diesel::{dsl::max, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    id::{LeadStatusId, WorkspaceId},
    journal::{Changes, JournalEntry},
    record::{ArchivedInList, RecordKind, Source, Stamp},
    sales::lead_status::{LeadStatus, LeadStatusPatch, LeadStatusQuery, LeadStatuses, NewLeadStatus},
};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, Writer, codes,
    error::in_use,
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    require_version,
    sales::leads,
    schema::lead_statuses,
    turns,
};

const KIND: RecordKind = RecordKind::LeadStatus;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = lead_statuses, primary_key(workspace_id, id), check_for_backend(Pg))]
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
    position: i64,
    class: String,
    archived: bool,
}

impl Row {
    fn of(workspace: Uuid, status: &LeadStatus) -> Self {
        Self {
            workspace_id: workspace,
            id: status.id.uuid(),
            version: status.version,
            created_at: status.created_at,
            updated_at: status.updated_at,
            created_by: status.created_by,
            updated_by: status.updated_by,
            key: status.key.clone(),
            name: status.name.clone(),
            position: status.position,
            class: codes::word(&status.class),
            archived: status.archived,
        }
    }

    fn into_status(self) -> Result<LeadStatus, StoreError> {
        Ok(LeadStatus {
            id: LeadStatusId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            key: self.key,
            name: self.name,
            position: self.position,
            class: codes::value(&self.class)?,
            archived: self.archived,
        })
    }
}

/// Lead statuses of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> lead_statuses::BoxedQuery<'static, Pg> {
    lead_statuses::table.filter(lead_statuses::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One lead status.
pub fn get(reader: &mut Reader<'_>, id: LeadStatusId) -> Result<LeadStatus, StoreError> {
    let row: Option<Row> = visible(reader)
        .filter(lead_statuses::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_status()
}

/// All lead statuses, archived ones included.
pub fn of(reader: &mut Reader<'_>) -> Result<LeadStatuses, StoreError> {
    let rows: Vec<Row> = visible(reader).select(Row::as_select()).load(reader.pg())?;
    Ok(LeadStatuses::new(rows.into_iter().map(Row::into_status).collect::<Result<_, _>>()?))
}

/// A page of the lead statuses, by position.
pub fn list(reader: &mut Reader<'_>, query: &LeadStatusQuery) -> Result<Page<LeadStatus>, StoreError> {
    let request = PageRequest::read(reader, "list_lead_statuses", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if query.archived == ArchivedInList::Exclude {
        select = select.filter(lead_statuses::archived.eq(false));
    }
    let after = request.after::<i64>()?;
    let select =
        seek!(select, "lead_statuses.position", sql_types::BigInt, "lead_statuses.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.position, row.id), Row::into_status)
}

/// Creates a lead status.
pub fn create(writer: &mut Writer<'_>, new: NewLeadStatus) -> Result<LeadStatus, StoreError> {
    let taken: Option<i64> = lead_statuses::table
        .filter(lead_statuses::workspace_id.eq(writer.workspace()))
        .select(max(lead_statuses::position))
        .first(writer.pg())?;
    let last = taken.unwrap_or_default() + 1;
    let status = LeadStatus::create(new, LeadStatusId::mint(), writer.stamp(), last)?;
    let entry = Entry::new(writer, KIND, "created", status.id.uuid(), Changes::of_new(&status), status.created_at);
    let row = Row::of(writer.workspace(), &status);
    let write = diesel::insert_into(lead_statuses::table).values(row).returning(Row::as_returning());
    Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_status()
}

/// Changes a lead status. Of each class that is needed, one has to be left.
pub fn update(
    writer: &mut Writer<'_>,
    id: LeadStatusId,
    expected: Option<i64>,
    patch: &LeadStatusPatch,
) -> Result<LeadStatus, StoreError> {
    in_turn(writer, |writer| {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = before.patch(patch.clone())?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        keep_classes(writer, id, Some(after.clone()))?;
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, "updated", id.uuid(), changes, after.updated_at);
        let write = diesel::update(lead_statuses::table)
            .filter(lead_statuses::workspace_id.eq(writer.workspace()))
            .filter(lead_statuses::id.eq(id.uuid()))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        let changed = (Journalled { write, entry }).get_result::<Row>(writer.pg());
        let refused = |error| {
            in_use(error, "Leads have this status, so it keeps its class. Add a status of the other class instead.")
        };
        changed.map_err(refused)?.into_status()
    })
}

/// Deletes a lead status for good. Leads that have it, also deleted ones, get the status of the key `move_to`; without it there
/// may be none. Of each class that is needed one has to be left.
pub fn delete(
    writer: &mut Writer<'_>,
    id: LeadStatusId,
    expected: Option<i64>,
    move_to: Option<&str>,
) -> Result<(), StoreError> {
    in_turn(writer, |writer| {
        let status = get(writer, id)?;
        require_version(expected, status.version)?;
        keep_classes(writer, id, None)?;
        match move_to {
            Some(key) => {
                let other = successor(writer, &status, key)?;
                leads::replace_status(writer, &status, &other)?;
            }
            None => require_unused(writer, &status)?,
        }
        let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&status), writer.now());
        let write = diesel::delete(lead_statuses::table)
            .filter(lead_statuses::workspace_id.eq(writer.workspace()))
            .filter(lead_statuses::id.eq(id.uuid()))
            .returning(Row::as_returning());
        let deleted = (Journalled { write, entry }).get_result::<Row>(writer.pg());
        // Somebody may have given it to a lead a moment ago.
        deleted.map_err(|error| in_use(error, "Leads have this status. Name another for them in move_to."))?;
        Ok(())
    })
}

/// The status that leads get instead: another of the same class that can be chosen.
fn successor(writer: &mut Writer<'_>, status: &LeadStatus, key: &str) -> Result<LeadStatus, StoreError> {
    let statuses = of(writer)?;
    let others: Vec<&LeadStatus> =
        statuses.living().filter(|other| other.class == status.class && other.id != status.id).collect();
    if let Some(other) = others.iter().find(|other| other.key == key) {
        return Ok((*other).clone());
    }
    let keys = others.iter().map(|other| other.key.as_str()).collect::<Vec<_>>().join(", ");
    let detail = format!("Name another status of the class {} that can be chosen: {keys}.", status.class.as_str());
    Err(StoreError::parameter("move_to", "unknown_status", detail))
}

/// As many leads are counted; of more it is enough to know that there are.
const MOST_COUNTED: i64 = 1_000;

fn require_unused(writer: &mut Writer<'_>, status: &LeadStatus) -> Result<(), StoreError> {
    let how_many = match leads::having(writer, status, MOST_COUNTED + 1)? {
        0 => return Ok(()),
        1 => "One lead has".to_owned(),
        count if count > MOST_COUNTED => format!("More than {MOST_COUNTED} leads have"),
        count => format!("{count} leads have"),
    };
    let detail = format!(
        "{how_many} this status. Name another of its class for them in move_to, or archive it instead: nobody can choose it \
         then."
    );
    Err(StoreError::Conflict { code: "in_use", detail })
}

/// Changes the list while nobody else does, so that two can't take the last two statuses of a class away together.
fn in_turn<T>(
    writer: &mut Writer<'_>,
    change: impl Fn(&mut Writer<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let workspace = writer.workspace();
    writer.transaction(|writer| {
        turns::take(writer, &format!("lead statuses of {workspace}"))?;
        change(writer)
    })
}

/// Refuses a change after which a class that is needed would have no status to choose.
fn keep_classes(writer: &mut Writer<'_>, id: LeadStatusId, after: Option<LeadStatus>) -> Result<(), StoreError> {
    let statuses = of(writer)?;
    match statuses.replaced(id, after).lacks() {
        Some(class) if statuses.lacks() != Some(class) => {
            let detail = format!(
                "This is the last status of the class {} that can be chosen, and leads need one. Add another first.",
                class.as_str()
            );
            Err(StoreError::Conflict { code: "last_of_class", detail })
        }
        _ => Ok(()),
    }
}

/// What happened to a lead status, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: LeadStatusId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// The lead statuses with which a workspace begins.
pub(crate) fn seed(pg: &mut PgConnection, workspace: WorkspaceId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let stamp = Stamp::new(at, None, Source::Api);
    let rows: Vec<Row> = LeadStatus::seeds(stamp).map(|status| Row::of(workspace.uuid(), &status)).collect();
    diesel::insert_into(lead_statuses::table).values(rows).execute(pg)?;
    Ok(())
}
