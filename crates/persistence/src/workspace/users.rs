//! Users: who signs in with a password.

use diesel::{PgConnection, dsl::exists, prelude::*, select};
use rapport_domain::{
    access::Role,
    id::{SessionId, UserId, WorkspaceId},
    workspace::user::UserSummary,
};
use uuid::Uuid;

use super::{sessions, workspaces::Workspace};
use crate::{
    Db, Reader, StoreError, codes,
    schema::{users, workspaces},
};

diesel::joinable!(users -> workspaces (workspace_id));

/// A user who may sign in, with what is needed to tell whether it is they.
#[derive(Clone, Debug)]
pub struct Account {
    pub workspace: Workspace,
    pub user: UserSummary,
    pub role: Role,
    /// None until a password was chosen: nobody can sign in then.
    pub password_hash: Option<String>,
}

/// A user to be created.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: String,
    pub name: String,
    pub role: Role,
    pub password_hash: Option<String>,
}

/// Creates a user of a workspace. The e-mail address has to be new there.
pub async fn create(db: &Db, workspace: WorkspaceId, new: NewUser) -> Result<UserId, StoreError> {
    let (id, now) = (UserId::mint(), db.clock().now());
    db.directory(move |pg| {
        diesel::insert_into(users::table)
            .values((
                users::workspace_id.eq(workspace.uuid()),
                users::id.eq(id.uuid()),
                users::email.eq(new.email.trim().to_lowercase()),
                users::name.eq(new.name),
                users::role.eq(new.role.as_str()),
                users::password_hash.eq(new.password_hash),
                users::active.eq(true),
                users::created_at.eq(now),
            ))
            .execute(pg)?;
        Ok(())
    })
    .await?;
    Ok(id)
}

/// The active user with this e-mail address in the workspace of this name.
pub async fn find_account(db: &Db, workspace: &str, email: &str) -> Result<Option<Account>, StoreError> {
    let (workspace, email) = (workspace.to_owned(), email.trim().to_lowercase());
    db.directory(move |pg| {
        let row = accounts()
            .filter(workspaces::name.eq(workspace))
            .filter(users::email.eq(email))
            .select(AccountRow::as_select())
            .first(pg)
            .optional()?;
        row.map(AccountRow::into_account).transpose()
    })
    .await
}

/// The active user of this id, while this session of theirs lasts.
pub async fn get_account(
    db: &Db,
    workspace: WorkspaceId,
    user: UserId,
    session: SessionId,
) -> Result<Option<Account>, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        let row = accounts()
            .filter(users::workspace_id.eq(workspace.uuid()))
            .filter(users::id.eq(user.uuid()))
            .filter(sessions::lasts(workspace, session, user, now))
            .select(AccountRow::as_select())
            .first(pg)
            .optional()?;
        row.map(AccountRow::into_account).transpose()
    })
    .await
}

/// Whether a user may sign in.
pub(super) fn is_active(pg: &mut PgConnection, workspace: WorkspaceId, user: UserId) -> Result<bool, StoreError> {
    let active = accounts().filter(users::workspace_id.eq(workspace.uuid())).filter(users::id.eq(user.uuid()));
    Ok(select(exists(active)).get_result(pg)?)
}

/// The users of these ids, for records that name them.
pub(crate) fn summaries(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<UserSummary>, StoreError> {
    let rows = users::table
        .filter(users::workspace_id.eq(reader.workspace()))
        .filter(users::id.eq_any(ids))
        .select((users::id, users::name, users::email))
        .load::<(Uuid, String, String)>(reader.pg())?;
    Ok(rows.into_iter().map(|(id, name, email)| UserSummary { id: UserId::from_uuid(id), name, email }).collect())
}

/// Who can sign in: every question about accounts starts here.
#[diesel::dsl::auto_type(no_type_alias)]
fn accounts() -> _ {
    users::table.inner_join(workspaces::table).filter(users::active)
}

#[derive(Queryable, Selectable)]
#[diesel(check_for_backend(diesel::pg::Pg), table_name = users)]
struct AccountRow {
    #[diesel(select_expression = workspaces::id)]
    workspace_id: Uuid,
    #[diesel(select_expression = workspaces::name)]
    workspace_name: String,
    #[diesel(select_expression = workspaces::country)]
    country: Option<String>,
    id: Uuid,
    name: String,
    email: String,
    role: String,
    password_hash: Option<String>,
}

impl AccountRow {
    fn into_account(self) -> Result<Account, StoreError> {
        Ok(Account {
            workspace: Workspace {
                id: WorkspaceId::from_uuid(self.workspace_id),
                name: self.workspace_name,
                country: self.country,
            },
            user: UserSummary { id: UserId::from_uuid(self.id), name: self.name, email: self.email },
            role: codes::value(&self.role)?,
            password_hash: self.password_hash,
        })
    }
}
