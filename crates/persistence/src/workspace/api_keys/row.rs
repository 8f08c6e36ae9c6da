//! An API key as its tables hold it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{ApiKeyId, UserId},
    workspace::api_key::{ApiKey, ApiKeySecret},
};
use uuid::Uuid;

use crate::schema::{api_key_secrets, api_keys};

/// Without `known_addresses`, which only signing in looks at.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg), treat_none_as_default_value = false)]
pub(super) struct Row {
    pub(super) id: Uuid,
    workspace_id: Uuid,
    name: String,
    scopes: Option<Vec<String>>,
    pub(super) created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    version: i64,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    user_id: Option<Uuid>,
    allowed_addresses: Vec<String>,
    last_used_address: Option<String>,
}

/// What a change may change: being used is noted beside it.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = api_keys, treat_none_as_null = true)]
pub(super) struct Changed {
    name: String,
    scopes: Option<Vec<String>>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    version: i64,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    user_id: Option<Uuid>,
    allowed_addresses: Vec<String>,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = api_key_secrets, check_for_backend(diesel::pg::Pg))]
pub(super) struct SecretRow {
    pub(super) api_key_id: Uuid,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl Row {
    pub(super) fn of(workspace: Uuid, key: &ApiKey) -> Self {
        Self {
            id: key.id.uuid(),
            workspace_id: workspace,
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            version: key.version,
            updated_at: key.updated_at,
            created_by: key.created_by,
            updated_by: key.updated_by,
            user_id: key.user_id.map(UserId::uuid),
            allowed_addresses: key.allowed_addresses.clone(),
            last_used_address: key.last_used_address.clone(),
        }
    }

    pub(super) fn into_key(self, secrets: Vec<ApiKeySecret>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            scopes: self.scopes,
            user_id: self.user_id.map(UserId::from_uuid),
            expires_at: self.expires_at,
            allowed_addresses: self.allowed_addresses,
            last_used_at: self.last_used_at,
            last_used_address: self.last_used_address,
            revoked_at: self.revoked_at,
            secrets,
        }
    }
}

impl Changed {
    pub(super) fn of(key: &ApiKey) -> Self {
        Self {
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            version: key.version,
            updated_at: key.updated_at,
            updated_by: key.updated_by,
            user_id: key.user_id.map(UserId::uuid),
            allowed_addresses: key.allowed_addresses.clone(),
        }
    }
}

impl SecretRow {
    pub(super) fn into_secret(self) -> ApiKeySecret {
        ApiKeySecret { created_at: self.created_at, expires_at: self.expires_at }
    }
}
