//! How a program signs in with a key.

use chrono::{DateTime, Duration, Utc};
use diesel::{Connection, prelude::*, sql_types};
use rapport_domain::{
    access::{Actor, ActorKind},
    id::{ApiKeyId, UserId, WorkspaceId},
    journal::{Changes, RecordReference},
    record::RecordKind,
};
use uuid::Uuid;

use crate::{
    Db, StoreError,
    audit::{self, AuditEvent},
    schema::api_keys,
    workspace::workspaces::Workspace,
};

/// How many addresses of a key are remembered.
const KNOWN: i32 = 50;

/// A key that is presented, and from where.
#[derive(Clone, Debug)]
pub struct Presented {
    pub id: ApiKeyId,
    /// Network address.
    pub address: String,
    /// What of the address is remembered: all of it in v4, the network of one customer in v6.
    pub neighbourhood: String,
    pub request_id: String,
}

/// A key that is valid now, if the secret that is presented is one of its own.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub name: String,
    pub workspace: Workspace,
    /// SHA-256 of each secret that is valid now, and when it ends.
    pub secrets: Vec<(Vec<u8>, Option<DateTime<Utc>>)>,
    /// What the key may do; none for everything.
    pub scopes: Option<Vec<String>>,
    /// For whom it acts, who has to be able to sign in.
    pub user: Option<UserId>,
    /// Networks from which it may be used; empty for all.
    pub allowed_addresses: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    is_known_address: bool,
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Array<sql_types::Text>>)]
    scopes: Option<Vec<String>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    user_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Array<sql_types::Text>)]
    allowed_addresses: Vec<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    last_used_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Bool)]
    is_known_address: bool,
    #[diesel(sql_type = sql_types::Array<sql_types::Binary>)]
    secret_hashes: Vec<Vec<u8>>,
    #[diesel(sql_type = sql_types::Array<sql_types::Nullable<sql_types::Timestamptz>>)]
    secret_ends: Vec<Option<DateTime<Utc>>>,
    #[diesel(sql_type = sql_types::Uuid)]
    workspace_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    workspace_name: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    country: Option<String>,
}

const FIND: &str = "
SELECT api_keys.name, api_keys.scopes, api_keys.user_id, api_keys.allowed_addresses, api_keys.expires_at,
       api_keys.last_used_at, $3 = ANY (api_keys.known_addresses) AS is_known_address,
       secrets.hashes AS secret_hashes, secrets.ends AS secret_ends,
       workspaces.id AS workspace_id, workspaces.name AS workspace_name, workspaces.country
  FROM api_keys
  JOIN workspaces ON workspaces.id = api_keys.workspace_id
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(secret_hash), '{}') AS hashes, coalesce(array_agg(expires_at), '{}') AS ends
         FROM api_key_secrets
        WHERE api_key_secrets.workspace_id = api_keys.workspace_id AND api_key_secrets.api_key_id = api_keys.id
          AND (api_key_secrets.expires_at IS NULL OR api_key_secrets.expires_at > $2)) AS secrets
 WHERE api_keys.id = $1 AND revoked_at IS NULL AND (api_keys.expires_at IS NULL OR api_keys.expires_at > $2)";

/// The valid key of this id.
pub async fn find(db: &Db, presented: &Presented) -> Result<Option<SignIn>, StoreError> {
    let (presented, now) = (presented.clone(), db.clock().now());
    db.directory(move |pg| {
        let row: Option<Row> = diesel::sql_query(FIND)
            .bind::<sql_types::Uuid, _>(presented.id.uuid())
            .bind::<sql_types::Timestamptz, _>(now)
            .bind::<sql_types::Text, _>(&presented.neighbourhood)
            .get_result(pg)
            .optional()?;
        Ok(row.map(Row::into_sign_in))
    })
    .await
}

/// The workspace of a key, for the command line; also of one that was revoked.
pub async fn workspace_of(db: &Db, id: ApiKeyId) -> Result<Option<WorkspaceId>, StoreError> {
    db.directory(move |pg| {
        let found = api_keys::table.find(id.uuid()).select(api_keys::workspace_id).first::<Uuid>(pg).optional()?;
        Ok(found.map(WorkspaceId::from_uuid))
    })
    .await
}

impl Row {
    fn into_sign_in(self) -> SignIn {
        SignIn {
            name: self.name,
            workspace: Workspace {
                id: WorkspaceId::from_uuid(self.workspace_id),
                name: self.workspace_name,
                country: self.country,
            },
            secrets: self.secret_hashes.into_iter().zip(self.secret_ends).collect(),
            scopes: self.scopes,
            user: self.user_id.map(UserId::from_uuid),
            allowed_addresses: self.allowed_addresses,
            expires_at: self.expires_at,
            is_known_address: self.is_known_address,
            last_used_at: self.last_used_at,
        }
    }
}

#[derive(QueryableByName)]
struct Noted {
    #[diesel(sql_type = sql_types::Bool)]
    is_new_address: bool,
}

/// The row is locked before it is looked at, so that of two servers one alone sees the address for the first time.
const NOTE: &str = "
UPDATE api_keys
   SET last_used_at = greatest(last_used_at, $2), last_used_address = $3,
       known_addresses = CASE WHEN before.is_known THEN known_addresses
                              ELSE (ARRAY[$4] || known_addresses)[1:$5] END
  FROM (SELECT id, $4 = ANY (known_addresses) AS is_known FROM api_keys WHERE id = $1 FOR UPDATE) AS before
 WHERE api_keys.id = before.id
RETURNING NOT before.is_known AS is_new_address";

/// Notes that a key was used: at most once a minute from where it was used before, so that a busy key does not write all
/// the time. An address from which it never was is noted in the audit.
pub async fn note_use(db: &Db, presented: &Presented, key: &SignIn) -> Result<(), StoreError> {
    let now = db.clock().now();
    let is_recent = key.last_used_at.is_some_and(|last| now < last + Duration::minutes(1));
    if key.is_known_address && is_recent {
        return Ok(());
    }
    let (presented, workspace) = (presented.clone(), key.workspace.id);
    db.directory(move |pg| {
        pg.transaction(|pg| {
            let noted: Option<Noted> = diesel::sql_query(NOTE)
                .bind::<sql_types::Uuid, _>(presented.id.uuid())
                .bind::<sql_types::Timestamptz, _>(now)
                .bind::<sql_types::Text, _>(&presented.address)
                .bind::<sql_types::Text, _>(&presented.neighbourhood)
                .bind::<sql_types::Integer, _>(KNOWN)
                .get_result(pg)
                .optional()?;
            match noted {
                Some(noted) if noted.is_new_address => audit::insert(pg, &new_address(workspace, &presented), now),
                _ => Ok(()),
            }
        })
    })
    .await
}

fn new_address(workspace: WorkspaceId, presented: &Presented) -> AuditEvent {
    AuditEvent {
        workspace,
        actor: Actor { kind: ActorKind::ApiKey, id: Some(presented.id.uuid()) },
        event: "api_key.used_from_new_address",
        record: RecordReference { kind: RecordKind::ApiKey, id: presented.id.uuid() },
        changes: Changes::of_field("address", &presented.address),
        address: Some(presented.address.clone()),
        request_id: Some(presented.request_id.clone()),
    }
}
