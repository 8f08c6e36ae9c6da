//! API keys: with what programs sign in.

use diesel::{prelude::*, sql_types};
use rapport_domain::{
    access::Permissions,
    id::{ApiKeyId, WorkspaceId},
};
use uuid::Uuid;

use super::workspaces::Workspace;
use crate::{Db, StoreError, schema::api_keys};

/// A key that is valid now.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_hash: Vec<u8>,
    /// What the key may do; none for everything.
    pub scopes: Option<Vec<String>>,
    pub workspace: Workspace,
}

/// Keeps a new key. Its secret is never stored, only the hash of it.
pub async fn create(
    db: &Db,
    workspace: WorkspaceId,
    id: ApiKeyId,
    name: &str,
    secret_hash: Vec<u8>,
    permissions: Option<Permissions>,
) -> Result<(), StoreError> {
    let (name, now) = (name.to_owned(), db.clock().now());
    db.directory(move |pg| {
        diesel::insert_into(api_keys::table)
            .values((
                api_keys::id.eq(id.uuid()),
                api_keys::workspace_id.eq(workspace.uuid()),
                api_keys::name.eq(name),
                api_keys::secret_hash.eq(secret_hash),
                api_keys::scopes.eq(permissions.map(Permissions::scopes)),
                api_keys::created_at.eq(now),
            ))
            .execute(pg)?;
        Ok(())
    })
    .await
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::Binary)]
    secret_hash: Vec<u8>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Array<sql_types::Text>>)]
    scopes: Option<Vec<String>>,
    #[diesel(sql_type = sql_types::Uuid)]
    workspace_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    workspace_name: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    country: Option<String>,
}

const FIND: &str = "
SELECT api_keys.name, api_keys.secret_hash, api_keys.scopes, workspaces.id AS workspace_id,
       workspaces.name AS workspace_name, workspaces.country
  FROM api_keys JOIN workspaces ON workspaces.id = api_keys.workspace_id
 WHERE api_keys.id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";

/// The valid key of this id.
pub async fn find(db: &Db, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        let row: Option<Row> = diesel::sql_query(FIND)
            .bind::<sql_types::Uuid, _>(id.uuid())
            .bind::<sql_types::Timestamptz, _>(now)
            .get_result(pg)
            .optional()?;
        Ok(row.map(|row| ApiKey {
            id,
            name: row.name,
            secret_hash: row.secret_hash,
            scopes: row.scopes,
            workspace: Workspace {
                id: WorkspaceId::from_uuid(row.workspace_id),
                name: row.workspace_name,
                country: row.country,
            },
        }))
    })
    .await
}

/// Notes that a key was used, at most once a minute, so that a busy key does not write all the time.
pub async fn note_use(db: &Db, id: ApiKeyId) -> Result<(), StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        let recently = now - chrono::Duration::minutes(1);
        diesel::update(api_keys::table.find(id.uuid()))
            .filter(api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(recently)))
            .set(api_keys::last_used_at.eq(now))
            .execute(pg)?;
        Ok(())
    })
    .await
}
