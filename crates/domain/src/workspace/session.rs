//! Signing in, and who one is then.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{access::ActorKind, id::WorkspaceId, workspace::role::RoleSummary};

/// Who wants to sign in, and where.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"workspace": "demo", "email": "mara@example.com", "password": "correct horse battery staple"}))]
pub struct Login {
    /// Name of the workspace.
    #[schema(min_length = 1, max_length = 63)]
    pub workspace: String,
    /// E-mail address of the user.
    #[schema(min_length = 1, max_length = 254)]
    pub email: String,
    /// Password of the user.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    pub password: String,
}

/// The proof of having signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccessToken {
    /// To be sent with every request: `Authorization: Bearer <access_token>`.
    #[schema(example = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwMTk3In0.c2lnbmF0dXJl")]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Seconds until the token ends.
    #[schema(minimum = 1, example = 900)]
    pub expires_in: i64,
}

/// The caller, as Rapport sees them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Me {
    /// Whether a user or an API key calls.
    pub kind: ActorKind,
    /// Id of the user or API key.
    pub id: Uuid,
    /// Name of the user or API key.
    #[schema(example = "Mara Weiss")]
    pub name: String,
    /// E-mail address of the user; null for API keys.
    #[schema(required, example = "mara@example.com")]
    pub email: Option<String>,
    /// The roles of the user; none for API keys.
    pub roles: Vec<RoleSummary>,
    /// What the caller may do.
    #[schema(example = json!(["contacts:read", "contacts:write"]))]
    pub scopes: Vec<String>,
    /// The workspace the caller works in.
    pub workspace: WorkspaceSummary,
}

/// A workspace, as its members see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WorkspaceSummary {
    /// Identifies the workspace.
    #[schema(value_type = Uuid)]
    pub id: WorkspaceId,
    /// Its name.
    #[schema(example = "demo")]
    pub name: String,
}
