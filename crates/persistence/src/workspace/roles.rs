//! Roles: what users may do.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*};
use rapport_domain::{
    access::StandardRole,
    id::{RoleId, WorkspaceId},
    journal::{Changes, JournalEntry},
    record::{RecordKind, Source, Stamp},
    workspace::role::{AccessRule, NewRole, Role, RolePatch, RoleQuery},
};
use uuid::Uuid;

use super::administrators;
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    error::in_use,
    journal::{self, Entry, Journalled},
    json::Json,
    page::{PageRequest, seek},
    require_version,
    schema::{roles, user_roles},
};

const KIND: RecordKind = RecordKind::Role;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = roles, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    name: String,
    description: Option<String>,
    is_admin: bool,
    rules: Json<Vec<AccessRule>>,
    permissions: Vec<String>,
}

impl Row {
    fn of(workspace: Uuid, role: &Role) -> Self {
        Self {
            workspace_id: workspace,
            id: role.id.uuid(),
            version: role.version,
            created_at: role.created_at,
            updated_at: role.updated_at,
            created_by: role.created_by,
            updated_by: role.updated_by,
            name: role.name.clone(),
            description: role.description.clone(),
            is_admin: role.is_admin,
            rules: Json(role.rules.clone()),
            permissions: role.permissions.clone(),
        }
    }

    fn into_role(self) -> Role {
        Role {
            id: RoleId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            description: self.description,
            is_admin: self.is_admin,
            rules: self.rules.0,
            permissions: self.permissions,
        }
    }
}

/// Roles of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> roles::BoxedQuery<'static, Pg> {
    roles::table.filter(roles::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One role.
pub fn get(reader: &mut Reader<'_>, id: RoleId) -> Result<Role, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(roles::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    row.map(Row::into_role).ok_or(StoreError::Missing(KIND))
}

/// The roles of these ids; those that are not there are left out.
pub(crate) fn by_ids(reader: &mut Reader<'_>, ids: &[RoleId]) -> Result<Vec<Role>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = visible(reader).filter(roles::id.eq_any(ids)).select(Row::as_select()).load(reader.pg())?;
    Ok(rows.into_iter().map(Row::into_role).collect())
}

/// All roles.
pub(super) fn all(reader: &mut Reader<'_>) -> Result<Vec<Role>, StoreError> {
    let rows: Vec<Row> = visible(reader).select(Row::as_select()).load(reader.pg())?;
    Ok(rows.into_iter().map(Row::into_role).collect())
}

/// The role of this name.
pub fn find(reader: &mut Reader<'_>, name: &str) -> Result<Option<Role>, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(roles::name.eq(name)).select(Row::as_select()).first(reader.pg()).optional()?;
    Ok(row.map(Row::into_role))
}

/// The names of all roles, for messages on the command line.
pub fn names(reader: &mut Reader<'_>) -> Result<Vec<String>, StoreError> {
    Ok(visible(reader).select(roles::name).order(roles::name).load(reader.pg())?)
}

/// A page of the roles, by name.
pub fn list(reader: &mut Reader<'_>, query: &RoleQuery) -> Result<Page<Role>, StoreError> {
    let request = PageRequest::read(reader, "list_roles", query, query.limit, query.cursor.as_deref())?;
    let select = visible(reader).select(Row::as_select());
    let after = request.after::<String>()?;
    let select = seek!(select, "roles.name", diesel::sql_types::Text, "roles.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.name.clone(), row.id), |row| Ok(row.into_role()))
}

/// Creates a role, with no more than the caller may do.
pub fn create(writer: &mut Writer<'_>, new: NewRole) -> Result<Role, StoreError> {
    let role = Role::create(new, RoleId::mint(), writer.stamp())?;
    require_cover(writer, &role)?;
    let changes = Changes::of_new(&role);
    let entry = Entry::new(writer, KIND, "created", role.id.uuid(), changes, role.created_at).audited(writer);
    let write =
        diesel::insert_into(roles::table).values(Row::of(writer.workspace(), &role)).returning(Row::as_returning());
    Ok(Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_role())
}

/// Changes a role. Nobody can give it more, or change one that has more, than they may do themselves.
pub fn update(
    writer: &mut Writer<'_>,
    id: RoleId,
    expected: Option<i64>,
    patch: &RolePatch,
) -> Result<Role, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = before.patch(patch.clone())?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        require_cover(writer, &before)?;
        require_cover(writer, &after)?;
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, "updated", id.uuid(), changes, after.updated_at).audited(writer);
        let written = writer.transaction(|writer| {
            administrators::keep_one(writer, |writer| {
                let write = diesel::update(roles::table)
                    .filter(roles::workspace_id.eq(writer.workspace()))
                    .filter(roles::id.eq(id.uuid()))
                    .filter(roles::version.eq(before.version))
                    .set(Row::of(writer.workspace(), &after))
                    .returning(Row::as_returning());
                let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
                Ok(row.map(Row::into_role))
            })
        })?;
        if let Some(role) = written {
            return Ok(role);
        }
    }
    Err(StoreError::Contention)
}

/// Deletes a role for good. It must be nobody's.
pub fn delete(writer: &mut Writer<'_>, id: RoleId, expected: Option<i64>) -> Result<(), StoreError> {
    let role = get(writer, id)?;
    require_version(expected, role.version)?;
    require_cover(writer, &role)?;
    let holders: i64 = user_roles::table
        .filter(user_roles::workspace_id.eq(writer.workspace()))
        .filter(user_roles::role_id.eq(id.uuid()))
        .count()
        .get_result(writer.pg())?;
    if holders > 0 {
        let detail = format!("{holders} users have this role. Take it from them first.");
        return Err(StoreError::Conflict { code: "in_use", detail });
    }
    let entry =
        Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&role), writer.now()).audited(writer);
    let write = diesel::delete(roles::table)
        .filter(roles::workspace_id.eq(writer.workspace()))
        .filter(roles::id.eq(id.uuid()))
        .filter(roles::version.eq(role.version))
        .returning(Row::as_returning());
    let deleted = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional();
    // Who has got it since they were counted is known to the foreign key alone.
    let detail = "A user got this role a moment ago. Take it from them first.";
    match deleted.map_err(|error| in_use(error, detail))? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// What happened to a role, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: RoleId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// The roles with which a workspace begins.
pub(super) fn seed(pg: &mut PgConnection, workspace: WorkspaceId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let stamp = Stamp::new(at, None, Source::Api);
    let rows: Vec<Row> = StandardRole::ALL
        .iter()
        .map(|role| Row::of(workspace.uuid(), &Role::standard(*role, RoleId::mint(), stamp)))
        .collect();
    diesel::insert_into(roles::table).values(rows).execute(pg)?;
    Ok(())
}

/// Nobody gives, or takes, more than they have.
pub(super) fn require_cover(reader: &Reader<'_>, role: &Role) -> Result<(), StoreError> {
    if reader.scope().grants().cover(&role.grants()) {
        return Ok(());
    }
    let detail =
        format!("The role {} allows more than you may do yourself. Ask somebody who may do all of it.", role.name);
    Err(StoreError::Forbidden(detail))
}
