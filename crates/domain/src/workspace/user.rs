//! Users: the people who work with Rapport.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    id::{RoleId, TeamId, UserId},
    problem::{Fields, Invalid},
    record::Stamp,
    standards, text,
};

/// A person who works with Rapport. Users are never deleted, for records and their history name them; who leaves is
/// deactivated.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct User {
    /// Identifies the user for ever.
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// E-mail address with which the user signs in. No other user of the workspace has it.
    #[schema(example = "mara@example.com")]
    pub email: String,
    /// Name to show.
    #[schema(example = "Mara Weiss")]
    pub name: String,
    /// Whether the user can sign in.
    pub state: UserState,
    /// The user's roles. What they may do is what these allow together.
    #[schema(value_type = Vec<Uuid>)]
    pub role_ids: Vec<RoleId>,
    /// The teams that the user is in. The first is the main one: records of the user belong to it.
    #[schema(value_type = Vec<Uuid>)]
    pub team_ids: Vec<TeamId>,
}

/// Whether a user can sign in. More states may follow: treat an unknown one as `deactivated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// Has yet to accept the invitation.
    Invited,
    /// Can sign in.
    Active,
    /// Can't sign in any more.
    Deactivated,
}

/// A user to be invited.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"email": "mara@example.com", "name": "Mara Weiss"}))]
pub struct NewUser {
    /// E-mail address with which the user signs in.
    #[schema(required, format = "email", min_length = 3, max_length = 254)]
    pub email: String,
    /// Name to show.
    #[schema(required, min_length = 1, max_length = 200)]
    pub name: String,
    /// The user's roles; without one they can sign in and do nothing.
    #[schema(value_type = Vec<Uuid>, max_items = 20)]
    pub role_ids: Vec<RoleId>,
    /// The teams that the user is in, the main one first.
    #[schema(value_type = Vec<Uuid>, max_items = 50)]
    pub team_ids: Vec<TeamId>,
}

/// Changes to a user, as JSON Merge Patch: absent fields stay, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Mara Weiss-Lindt"}))]
pub struct UserPatch {
    /// E-mail address with which the user signs in.
    #[schema(nullable = false, format = "email", min_length = 3, max_length = 254)]
    pub email: Option<String>,
    /// Name to show.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The user's roles. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 20)]
    pub role_ids: Option<Option<Vec<RoleId>>>,
    /// The teams that the user is in, the main one first. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 50)]
    pub team_ids: Option<Option<Vec<TeamId>>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// Only users in these states. Repeat for several.
    #[param(max_items = 3)]
    pub state: Vec<UserState>,
    /// Only users in these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only users with these roles. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub role_id: Vec<RoleId>,
    /// Only the user with this e-mail address.
    #[param(max_length = 254, example = "mara@demo.example")]
    pub email: Option<String>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// A user, as other records show one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserSummary {
    /// Identifies the user.
    #[schema(value_type = uuid::Uuid)]
    pub id: UserId,
    /// Name to show.
    #[schema(example = "Mara Weiss")]
    pub name: String,
    /// E-mail address with which the user signs in.
    #[schema(example = "mara@example.com")]
    pub email: String,
}

/// To whom everything that a user owns is handed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"to": ["0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"]}))]
pub struct Transfer {
    /// The users who get it. Several take turns, record by record.
    #[schema(required, value_type = Vec<Uuid>, min_items = 1, max_items = 100)]
    pub to: Vec<UserId>,
}

/// What was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Transferred {
    /// How many records of each resource, also deleted ones.
    pub records: Vec<TransferredRecords>,
}

/// How many records of a resource were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TransferredRecords {
    /// The resource.
    pub resource: crate::access::Resource,
    /// The records.
    #[schema(minimum = 0, example = 128)]
    pub count: i64,
}

impl User {
    /// A new user, who has yet to accept the invitation.
    pub fn create(new: NewUser, id: UserId, stamp: Stamp) -> Result<Self, Invalid> {
        let user = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            email: new.email,
            name: new.name,
            state: UserState::Invited,
            role_ids: new.role_ids,
            team_ids: new.team_ids,
        };
        user.checked()
    }

    /// The user as they would be after a patch.
    pub fn patch(&self, patch: UserPatch) -> Result<Self, Invalid> {
        let user = Self {
            email: patch.email.unwrap_or_else(|| self.email.clone()),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            role_ids: patch.role_ids.map_or_else(|| self.role_ids.clone(), Option::unwrap_or_default),
            team_ids: patch.team_ids.map_or_else(|| self.team_ids.clone(), Option::unwrap_or_default),
            ..*self
        };
        user.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        self.email = self.email.trim().to_lowercase();
        if !standards::is_email(&self.email) {
            fields.refuse("/email", "invalid_email", "This is not an e-mail address. Write it like anna@example.com.");
        }
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A user needs a name.");
        }
        self.role_ids.sort();
        self.role_ids.dedup();
        for index in 1..self.team_ids.len() {
            if self.team_ids[..index].contains(&self.team_ids[index]) {
                fields.refuse(format!("/team_ids/{index}"), "repeated", "This team is listed already. Name it once.");
            }
        }
        fields.verdict().map(|()| self)
    }
}
