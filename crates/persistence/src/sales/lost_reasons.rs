//! Lost reasons: why something was not sold.

use chrono::{DateTime, Utc};
use diesel::{dsl::max, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    id::{LostReasonId, WorkspaceId},
    journal::{Changes, JournalEntry},
    record::{ArchivedInList, RecordKind, Source, Stamp},
    sales::lost_reason::{LostReason, LostReasonPatch, LostReasonQuery, NewLostReason},
};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    error::{in_use, unknown_reference},
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    require_version,
    schema::lost_reasons,
};

const KIND: RecordKind = RecordKind::LostReason;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = lost_reasons, primary_key(workspace_id, id), check_for_backend(Pg))]
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
    description: Option<String>,
    position: i64,
    archived: bool,
}

impl Row {
    fn of(workspace: Uuid, reason: &LostReason) -> Self {
        Self {
            workspace_id: workspace,
            id: reason.id.uuid(),
            version: reason.version,
            created_at: reason.created_at,
            updated_at: reason.updated_at,
            created_by: reason.created_by,
            updated_by: reason.updated_by,
            key: reason.key.clone(),
            name: reason.name.clone(),
            description: reason.description.clone(),
            position: reason.position,
            archived: reason.archived,
        }
    }

    fn into_reason(self) -> LostReason {
        LostReason {
            id: LostReasonId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            key: self.key,
            name: self.name,
            description: self.description,
            position: self.position,
            archived: self.archived,
        }
    }
}

/// Lost reasons of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> lost_reasons::BoxedQuery<'static, Pg> {
    lost_reasons::table.filter(lost_reasons::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One lost reason.
pub fn get(reader: &mut Reader<'_>, id: LostReasonId) -> Result<LostReason, StoreError> {
    find(reader, id)?.ok_or(StoreError::Missing(KIND))
}

fn find(reader: &mut Reader<'_>, id: LostReasonId) -> Result<Option<LostReason>, StoreError> {
    let row: Option<Row> = visible(reader)
        .filter(lost_reasons::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    Ok(row.map(Row::into_reason))
}

/// Refuses a reference to a lost reason that can't be chosen: one that is not there, or archived.
pub fn require(reader: &mut Reader<'_>, id: LostReasonId, pointer: &str) -> Result<(), StoreError> {
    let reason = find(reader, id)?.ok_or_else(|| unknown_reference(pointer, "lost reason"))?;
    if reason.archived {
        let detail = format!("The lost reason {} is archived. Choose another.", reason.key);
        return Err(StoreError::field(pointer, "archived", detail));
    }
    Ok(())
}

/// Those of these lost reasons that can be chosen.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let found = visible(reader).filter(lost_reasons::id.eq_any(ids)).filter(lost_reasons::archived.eq(false));
    Ok(found.select(lost_reasons::id).load(reader.pg())?)
}

/// The names of these lost reasons, also of archived ones.
pub(crate) fn names(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<(Uuid, String)>, StoreError> {
    let found = visible(reader).filter(lost_reasons::id.eq_any(ids));
    Ok(found.select((lost_reasons::id, lost_reasons::name)).load(reader.pg())?)
}

/// A page of the lost reasons, by position.
pub fn list(reader: &mut Reader<'_>, query: &LostReasonQuery) -> Result<Page<LostReason>, StoreError> {
    let request = PageRequest::read(reader, "list_lost_reasons", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if query.archived == ArchivedInList::Exclude {
        select = select.filter(lost_reasons::archived.eq(false));
    }
    let after = request.after::<i64>()?;
    let select =
        seek!(select, "lost_reasons.position", sql_types::BigInt, "lost_reasons.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.position, row.id), |row| Ok(row.into_reason()))
}

/// Creates a lost reason.
pub fn create(writer: &mut Writer<'_>, new: NewLostReason) -> Result<LostReason, StoreError> {
    let taken: Option<i64> = lost_reasons::table
        .filter(lost_reasons::workspace_id.eq(writer.workspace()))
        .select(max(lost_reasons::position))
        .first(writer.pg())?;
    let last = taken.unwrap_or_default() + 1;
    let reason = LostReason::create(new, LostReasonId::mint(), writer.stamp(), last)?;
    let entry = Entry::new(writer, KIND, "created", reason.id.uuid(), Changes::of_new(&reason), reason.created_at);
    let row = Row::of(writer.workspace(), &reason);
    let write = diesel::insert_into(lost_reasons::table).values(row).returning(Row::as_returning());
    Ok(Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_reason())
}

/// Changes a lost reason.
pub fn update(
    writer: &mut Writer<'_>,
    id: LostReasonId,
    expected: Option<i64>,
    patch: &LostReasonPatch,
) -> Result<LostReason, StoreError> {
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
        let write = diesel::update(lost_reasons::table)
            .filter(lost_reasons::workspace_id.eq(writer.workspace()))
            .filter(lost_reasons::id.eq(id.uuid()))
            .filter(lost_reasons::version.eq(before.version))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        if let Some(row) = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
            return Ok(row.into_reason());
        }
    }
    Err(StoreError::Contention)
}

/// Deletes a lost reason for good. No record may have it, not even a deleted one.
pub fn delete(writer: &mut Writer<'_>, id: LostReasonId, expected: Option<i64>) -> Result<(), StoreError> {
    let reason = get(writer, id)?;
    require_version(expected, reason.version)?;
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&reason), writer.now());
    let write = diesel::delete(lost_reasons::table)
        .filter(lost_reasons::workspace_id.eq(writer.workspace()))
        .filter(lost_reasons::id.eq(id.uuid()))
        .filter(lost_reasons::version.eq(reason.version))
        .returning(Row::as_returning());
    let deleted = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional();
    let refused =
        |error| in_use(error, "Records have this lost reason. Archive it instead: nobody can choose it then.");
    match deleted.map_err(refused)? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// What happened to a lost reason, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: LostReasonId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// The lost reasons with which a workspace begins.
pub(crate) fn seed(pg: &mut PgConnection, workspace: WorkspaceId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let stamp = Stamp::new(at, None, Source::Api);
    let rows: Vec<Row> = LostReason::seeds(stamp).map(|reason| Row::of(workspace.uuid(), &reason)).collect();
    diesel::insert_into(lost_reasons::table).values(rows).execute(pg)?;
    Ok(())
}
