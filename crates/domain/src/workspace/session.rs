//! Signing in, and who one is then.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::ActorKind,
    id::{SessionId, UserId, WorkspaceId},
    workspace::role::RoleSummary,
};

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

/// The proof of having signed in, and what prolongs it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionTokens {
    /// To be sent with every request: `Authorization: Bearer <access_token>`.
    #[schema(example = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ik4xIn0.eyJzdWIiOiIwMTk3In0.c2lnbmF0dXJl")]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Seconds until the access token ends.
    #[schema(minimum = 1, example = 900)]
    pub expires_in: i64,
    /// To be given to `POST /v1/auth/refresh`, once: its answer holds the next one. Keep it as carefully as a password.
    #[schema(example = "rt_AZefGyw9fl-KmwwdLj9KWwGXnxssPX5fipsMHS4_SlvUoE8s0n4bqS3y")]
    pub refresh_token: String,
    /// Seconds until the refresh token ends, if it is not used.
    #[schema(minimum = 1, example = 2_592_000)]
    pub refresh_expires_in: i64,
}

/// A refresh token to go on with.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "rt_AZefGyw9fl-KmwwdLj9KWwGXnxssPX5fipsMHS4_SlvUoE8s0n4bqS3y"}))]
pub struct Refresh {
    /// The refresh token of the answer before.
    #[schema(min_length = 1, max_length = 256)]
    pub refresh_token: String,
}

/// A sign-in that has not ended: all access tokens and refresh tokens that came of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Session {
    /// Identifies the session.
    #[schema(value_type = Uuid)]
    pub id: SessionId,
    /// Grows by one each time the session is prolonged; also its ETag.
    #[schema(minimum = 1, example = 3)]
    pub version: i64,
    /// Id of the user who signed in.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// When the user signed in.
    pub created_at: DateTime<Utc>,
    /// When the session was prolonged last, by `POST /v1/auth/refresh`.
    pub last_used_at: DateTime<Utc>,
    /// When the session ends unless it is prolonged before.
    pub expires_at: DateTime<Utc>,
    /// The network address it was used from last.
    #[schema(required, example = "203.0.113.7")]
    pub address: Option<String>,
    /// The program it was used with last, in its own words.
    #[schema(required, example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    pub user_agent: Option<String>,
    /// Whether this is the session that asks.
    pub current: bool,
}

/// Whose sessions are listed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Those of this user, which for others than yourself needs the permission `users:write`. Your own unless given.
    #[param(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// Most sessions of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// How long a session lasts without being prolonged.
const IDLE: Duration = Duration::days(30);

/// How long a session lasts at most.
const LONGEST: Duration = Duration::days(90);

/// For how long after it was used a refresh token may be used again: two tabs that share one do so at the same moment.
const GRACE: Duration = Duration::seconds(10);

/// When a session ends that began and was used last at these times.
pub fn ends(began: DateTime<Utc>, used: DateTime<Utc>) -> DateTime<Utc> {
    (used + IDLE).min(began + LONGEST)
}

/// Whether a refresh token that was used at this time is one that two tabs share, and none that somebody has stolen.
pub fn is_shared(used: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - used <= GRACE
}

/// Refresh tokens older than this are known no more: they have ended anyway.
pub fn forgotten_before(now: DateTime<Utc>) -> DateTime<Utc> {
    now - IDLE
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_rests_and_when_it_is_old() {
        let day = |days| DateTime::UNIX_EPOCH + Duration::days(days);
        assert_eq!(ends(day(0), day(0)), day(30));
        assert_eq!(ends(day(0), day(59)), day(89));
        assert_eq!(ends(day(0), day(85)), day(90));
    }

    #[test]
    fn two_tabs_have_ten_seconds() {
        let second = |seconds| DateTime::UNIX_EPOCH + Duration::seconds(seconds);
        assert!(is_shared(second(0), second(10)));
        assert!(!is_shared(second(0), second(11)));
    }
}
