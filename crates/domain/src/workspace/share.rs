//! Shares: single records that somebody else may see or change, too.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::Resource,
    id::{ShareId, TeamId, UserId},
    problem::{Fields, Invalid},
    record::Stamp,
};

/// A record that a user or a team may see or change, whoever owns it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Share {
    /// Identifies the share.
    #[schema(value_type = Uuid)]
    pub id: ShareId,
    /// When the record was shared.
    pub created_at: DateTime<Utc>,
    /// User or API key that shared it.
    #[schema(required)]
    pub created_by: Option<Uuid>,
    /// The resource that the record belongs to.
    pub resource: Resource,
    /// The record.
    pub record_id: Uuid,
    /// The user it is shared with; null when it is a team.
    #[schema(required, value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// The team it is shared with; null when it is a user.
    #[schema(required, value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// What they may do with it, as far as their roles let them do it with records at all.
    pub access: ShareAccess,
    /// When it ends; null for never.
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// What may be done with a shared record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShareAccess {
    /// See it.
    #[default]
    Read,
    /// See and change it.
    Write,
}

/// A record to be shared, with a user or a team.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "resource": "contacts", "record_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b",
    "user_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5c", "access": "write"
}))]
pub struct NewShare {
    /// The resource that the record belongs to.
    pub resource: Resource,
    /// The record.
    pub record_id: Uuid,
    /// The user to share it with. Either this or `team_id`.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub user_id: Option<UserId>,
    /// The team to share it with. Either this or `user_id`.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// What they may do with it; `read` unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub access: ShareAccess,
    /// When it ends; never unless said otherwise.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShareQuery {
    /// The resource that the record belongs to.
    #[param(inline = false)]
    pub resource: Resource,
    /// The record whose shares to list.
    pub record_id: Uuid,
    /// Most entries of a page.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl Share {
    /// A new share.
    pub fn create(new: NewShare, id: ShareId, stamp: Stamp) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        if new.user_id.is_some() == new.team_id.is_some() {
            fields.refuse("", "user_or_team", "A record is shared with a user or with a team. Name one of both.");
        }
        if new.expires_at.is_some_and(|end| end <= stamp.at) {
            fields.refuse("/expires_at", "in_the_past", "This is over already. Choose a time to come, or none.");
        }
        fields.verdict()?;
        Ok(Self {
            id,
            created_at: stamp.at,
            created_by: stamp.by,
            resource: new.resource,
            record_id: new.record_id,
            user_id: new.user_id,
            team_id: new.team_id,
            access: new.access,
            expires_at: new.expires_at,
        })
    }
}
