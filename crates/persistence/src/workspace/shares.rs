//! Shares: single records that somebody else may see or change, too.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::{Reach, Resource, Standing},
    id::{ShareId, TeamId, UserId},
    journal::Changes,
    record::RecordKind,
    workspace::share::{NewShare, Share, ShareQuery},
};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, Writer, codes,
    error::unknown_reference,
    journal::{Entry, Journalled},
    page::{PageRequest, seek},
    schema::record_shares,
    visibility::{self, Seen},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = record_shares, check_for_backend(Pg), treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    record_kind: String,
    record_id: Uuid,
    user_id: Option<Uuid>,
    team_id: Option<Uuid>,
    access: String,
    expires_at: Option<DateTime<Utc>>,
}

impl Row {
    fn of(workspace: Uuid, share: &Share) -> Self {
        Self {
            workspace_id: workspace,
            id: share.id.uuid(),
            created_at: share.created_at,
            created_by: share.created_by,
            record_kind: share.resource.kind().as_str().to_owned(),
            record_id: share.record_id,
            user_id: share.user_id.map(UserId::uuid),
            team_id: share.team_id.map(TeamId::uuid),
            access: codes::word(&share.access),
            expires_at: share.expires_at,
        }
    }

    fn into_share(self) -> Result<Share, StoreError> {
        let kind = codes::value::<RecordKind>(&self.record_kind)?;
        let unknown = || StoreError::Internal(format!("a share of {}", self.record_kind));
        Ok(Share {
            id: ShareId::from_uuid(self.id),
            created_at: self.created_at,
            created_by: self.created_by,
            resource: Resource::of(kind).ok_or_else(unknown)?,
            record_id: self.record_id,
            user_id: self.user_id.map(UserId::from_uuid),
            team_id: self.team_id.map(TeamId::from_uuid),
            access: codes::value(&self.access)?,
            expires_at: self.expires_at,
        })
    }
}

/// Shares of the workspace: every read in this file starts here.
fn all(reader: &Reader<'_>) -> record_shares::BoxedQuery<'static, Pg> {
    record_shares::table.filter(record_shares::workspace_id.eq(reader.workspace())).into_boxed()
}

/// A page of the shares of a record that the caller may see, the newest first.
pub fn list(reader: &mut Reader<'_>, query: &ShareQuery) -> Result<Page<Share>, StoreError> {
    let request = PageRequest::read(reader, "list_shares", query, query.limit, query.cursor.as_deref())?;
    visibility::require_seen(reader, query.resource, query.record_id)?;
    let select = all(reader)
        .filter(record_shares::record_kind.eq(query.resource.kind().as_str()))
        .filter(record_shares::record_id.eq(query.record_id))
        .select(Row::as_select());
    let after = request.after::<DateTime<Utc>>()?;
    let select = seek!(
        select,
        "record_shares.created_at",
        sql_types::Timestamptz,
        "record_shares.id",
        Direction::Descending,
        after
    );
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.created_at, row.id), Row::into_share)
}

/// The shares of a record with a user or their teams that have not ended.
pub(super) fn that_count(
    reader: &mut Reader<'_>,
    resource: Resource,
    record: Uuid,
    standing: &Standing,
) -> Result<Vec<Share>, StoreError> {
    let now = reader.now();
    let grants = standing.grants();
    let rows: Vec<Row> = all(reader)
        .filter(record_shares::record_kind.eq(resource.kind().as_str()))
        .filter(record_shares::record_id.eq(record))
        .select(Row::as_select())
        .load(reader.pg())?;
    let shares = rows.into_iter().map(Row::into_share).collect::<Result<Vec<_>, _>>()?;
    let is_with = |share: &Share| {
        let reaches_below = grants.on(resource).read == Reach::TeamTree;
        let teams = if reaches_below { &standing.team_tree } else { &standing.teams };
        share.user_id == Some(standing.user) || share.team_id.is_some_and(|team| teams.contains(&team.uuid()))
    };
    let lasts = |share: &Share| share.expires_at.is_none_or(|end| end > now);
    Ok(shares.into_iter().filter(|share| is_with(share) && lasts(share)).collect())
}

/// Shares a record that the caller may change without a share.
pub fn create(writer: &mut Writer<'_>, new: NewShare) -> Result<Share, StoreError> {
    let share = Share::create(new, ShareId::mint(), writer.stamp())?;
    let kind = share.resource.kind();
    match visibility::seen(writer, share.resource, share.record_id)? {
        Seen::Not => return Err(unknown_reference("/record_id", kind.as_str())),
        Seen::ToRead => return Err(refused(kind)),
        Seen::ToShare => {}
    }
    writer.transaction(|writer| {
        // One that has ended makes room. There is one at most.
        let ended: Option<Row> = all(writer)
            .filter(record_shares::record_kind.eq(kind.as_str()))
            .filter(record_shares::record_id.eq(share.record_id))
            .filter(record_shares::user_id.is_not_distinct_from(share.user_id.map(UserId::uuid)))
            .filter(record_shares::team_id.is_not_distinct_from(share.team_id.map(TeamId::uuid)))
            .filter(record_shares::expires_at.le(share.created_at))
            .select(Row::as_select())
            .first(writer.pg())
            .optional()?;
        if let Some(ended) = ended {
            end(writer, &ended.into_share()?, share.created_at)?;
        }
        let changes = Changes::of_new(&share);
        let entry = Entry::new(writer, RecordKind::Share, "created", share.id.uuid(), changes, share.created_at);
        let entry = entry.audited(writer);
        let write = diesel::insert_into(record_shares::table)
            .values(Row::of(writer.workspace(), &share))
            .returning((record_shares::all_columns, diesel::dsl::sql::<sql_types::BigInt>("1::bigint AS version")));
        Journalled { write, entry }.get_result::<(Row, i64)>(writer.pg())?.0.into_share()
    })
}

/// One share of a record that the caller may see.
pub fn get(reader: &mut Reader<'_>, id: ShareId) -> Result<Share, StoreError> {
    let share = find(reader, id)?;
    match visibility::require_seen(reader, share.resource, share.record_id) {
        Err(StoreError::Missing(_)) => Err(StoreError::Missing(RecordKind::Share)),
        done => done.map(|()| share),
    }
}

/// Ends a share of a record that the caller may change without a share.
pub fn delete(writer: &mut Writer<'_>, id: ShareId) -> Result<(), StoreError> {
    let share = find(writer, id)?;
    match visibility::seen(writer, share.resource, share.record_id)? {
        Seen::Not => return Err(StoreError::Missing(RecordKind::Share)),
        Seen::ToRead => return Err(refused(share.resource.kind())),
        Seen::ToShare => {}
    }
    let now = writer.now();
    if end(writer, &share, now)? { Ok(()) } else { Err(StoreError::Missing(RecordKind::Share)) }
}

/// Deletes a share, of which the audit tells. Says whether it was still there.
fn end(writer: &mut Writer<'_>, share: &Share, at: DateTime<Utc>) -> Result<bool, StoreError> {
    let changes = Changes::of_deleted(share);
    let entry = Entry::new(writer, RecordKind::Share, "deleted", share.id.uuid(), changes, at).audited(writer);
    let write = diesel::delete(record_shares::table)
        .filter(record_shares::workspace_id.eq(writer.workspace()))
        .filter(record_shares::id.eq(share.id.uuid()))
        .returning((record_shares::all_columns, diesel::dsl::sql::<sql_types::BigInt>("1::bigint AS version")));
    let ended: Option<(Row, i64)> = Journalled { write, entry }.get_result(writer.pg()).optional()?;
    Ok(ended.is_some())
}

/// A share, whoever may see it.
fn find(reader: &mut Reader<'_>, id: ShareId) -> Result<Share, StoreError> {
    let found: Option<Row> =
        all(reader).filter(record_shares::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    found.map_or(Err(StoreError::Missing(RecordKind::Share)), Row::into_share)
}

fn refused(kind: RecordKind) -> StoreError {
    StoreError::Forbidden(format!("You may see this {}, but not change or share it.", kind.as_str()))
}
