//! Accounts: who signs in, and what they may do then.

use std::sync::Arc;

use diesel::{prelude::*, sql_types};
use rapport_domain::{
    access::{Grants, Standing},
    id::{SessionId, UserId, WorkspaceId},
    record::RecordKind,
    workspace::{
        role::{self, Role, RoleSummary},
        user::{UserState, UserSummary},
    },
};
use uuid::Uuid;

use super::workspaces::Workspace;
use crate::{Db, Reader, StoreError, codes, json::Json};

/// A user who may sign in, with what is needed to tell whether it is they and what they may do.
#[derive(Clone, Debug)]
pub struct Account {
    pub workspace: Workspace,
    pub user: UserSummary,
    pub roles: Vec<RoleSummary>,
    pub grants: Arc<Grants>,
    /// None until a password was chosen: nobody can sign in then.
    pub password_hash: Option<String>,
}

/// Who can sign in, with all that their rights follow from: one query for a whole sign-in.
const ACCOUNTS: &str = "
SELECT users.id, users.name, users.email, users.password_hash, users.state,
       workspaces.id AS workspace_id, workspaces.name AS workspace_name, workspaces.country,
       coalesce((SELECT jsonb_agg(to_jsonb(roles) - 'workspace_id' ORDER BY roles.name)
                   FROM user_roles JOIN roles ON roles.workspace_id = user_roles.workspace_id AND roles.id = user_roles.role_id
                  WHERE user_roles.workspace_id = users.workspace_id AND user_roles.user_id = users.id), '[]') AS roles,
       ARRAY(SELECT team_id FROM team_members
              WHERE team_members.workspace_id = users.workspace_id AND team_members.user_id = users.id
              ORDER BY place) AS teams,
       ARRAY(WITH RECURSIVE tree AS (
                 SELECT team_id AS id FROM team_members
                  WHERE team_members.workspace_id = users.workspace_id AND team_members.user_id = users.id
                 UNION
                 SELECT teams.id FROM teams JOIN tree ON teams.parent_id = tree.id
                  WHERE teams.workspace_id = users.workspace_id)
             SELECT id FROM tree) AS team_tree
  FROM users JOIN workspaces ON workspaces.id = users.workspace_id";

const ACTIVE: &str = "users.state = 'active'";

/// The active user with this e-mail address in the workspace of this name.
pub async fn find(db: &Db, workspace: &str, email: &str) -> Result<Option<Account>, StoreError> {
    let (workspace, email) = (workspace.to_owned(), email.trim().to_lowercase());
    db.directory(move |pg| {
        let row: Option<Row> =
            diesel::sql_query(format!("{ACCOUNTS} WHERE {ACTIVE} AND workspaces.name = $1 AND users.email = $2"))
                .bind::<sql_types::Text, _>(workspace)
                .bind::<sql_types::Text, _>(email)
                .get_result(pg)
                .optional()?;
        Ok(row.map(Row::into_account))
    })
    .await
}

/// The active user of this id.
pub async fn get(db: &Db, workspace: WorkspaceId, user: UserId) -> Result<Option<Account>, StoreError> {
    db.directory(move |pg| {
        let row: Option<Row> =
            diesel::sql_query(format!("{ACCOUNTS} WHERE {ACTIVE} AND users.workspace_id = $1 AND users.id = $2"))
                .bind::<sql_types::Uuid, _>(workspace.uuid())
                .bind::<sql_types::Uuid, _>(user.uuid())
                .get_result(pg)
                .optional()?;
        Ok(row.map(Row::into_account))
    })
    .await
}

/// The active user of this id, while this session of theirs lasts.
pub async fn in_session(
    db: &Db,
    workspace: WorkspaceId,
    user: UserId,
    session: SessionId,
) -> Result<Option<Account>, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        let lasts = "EXISTS (SELECT FROM sessions WHERE sessions.workspace_id = $1 AND sessions.id = $3 \
                     AND sessions.user_id = $2 AND sessions.expires_at > $4)";
        let query = format!("{ACCOUNTS} WHERE {ACTIVE} AND users.workspace_id = $1 AND users.id = $2 AND {lasts}");
        let row: Option<Row> = diesel::sql_query(query)
            .bind::<sql_types::Uuid, _>(workspace.uuid())
            .bind::<sql_types::Uuid, _>(user.uuid())
            .bind::<sql_types::Uuid, _>(session.uuid())
            .bind::<sql_types::Timestamptz, _>(now)
            .get_result(pg)
            .optional()?;
        Ok(row.map(Row::into_account))
    })
    .await
}

/// A user as far as rights go, also one who can't sign in.
pub(crate) fn standing(reader: &mut Reader<'_>, user: UserId) -> Result<Standing, StoreError> {
    let workspace = reader.workspace();
    let row: Option<Row> = diesel::sql_query(format!("{ACCOUNTS} WHERE users.workspace_id = $1 AND users.id = $2"))
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(user.uuid())
        .get_result(reader.pg())
        .optional()?;
    let row = row.ok_or(StoreError::Missing(RecordKind::User))?;
    Ok(Standing {
        user,
        is_active: codes::value::<UserState>(&row.state)? == UserState::Active,
        roles: row.roles.0,
        teams: row.teams,
        team_tree: row.team_tree,
    })
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::Text)]
    email: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    password_hash: Option<String>,
    #[diesel(sql_type = sql_types::Text)]
    state: String,
    #[diesel(sql_type = sql_types::Uuid)]
    workspace_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    workspace_name: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    country: Option<String>,
    #[diesel(sql_type = sql_types::Jsonb)]
    roles: Json<Vec<Role>>,
    #[diesel(sql_type = sql_types::Array<sql_types::Uuid>)]
    teams: Vec<Uuid>,
    #[diesel(sql_type = sql_types::Array<sql_types::Uuid>)]
    team_tree: Vec<Uuid>,
}

impl Row {
    fn into_account(self) -> Account {
        let Json(roles) = self.roles;
        let grants = role::merged(&roles).of_user(self.id, self.teams, self.team_tree);
        Account {
            workspace: Workspace {
                id: WorkspaceId::from_uuid(self.workspace_id),
                name: self.workspace_name,
                country: self.country,
            },
            user: UserSummary { id: UserId::from_uuid(self.id), name: self.name, email: self.email },
            roles: roles.into_iter().map(|role| RoleSummary { id: role.id, name: role.name }).collect(),
            grants: Arc::new(grants),
            password_hash: self.password_hash,
        }
    }
}
