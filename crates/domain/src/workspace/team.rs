//! Teams: users who work together, as a tree.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    id::TeamId,
    problem::{Fields, Invalid},
    record::Stamp,
    text,
};

/// Users who work together. Who is in a team stands with the user.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Team {
    /// Identifies the team for ever.
    #[schema(value_type = Uuid)]
    pub id: TeamId,
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
    /// Its name, which no other team has.
    #[schema(example = "Sales north")]
    pub name: String,
    /// What the team does.
    #[schema(example = "Customers between Hamburg and Kiel")]
    pub description: Option<String>,
    /// The team above this one; null at the top.
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<TeamId>,
}

/// A team to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Sales north", "description": "Customers between Hamburg and Kiel"}))]
pub struct NewTeam {
    /// Its name, which no other team has.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// What the team does.
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
    /// The team above this one.
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<TeamId>,
}

/// Changes to a team, as JSON Merge Patch: absent fields stay, null clears.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Sales far north", "description": null}))]
pub struct TeamPatch {
    /// Its name, which no other team has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What the team does.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<Option<String>>,
    /// The team above this one. A team can't be below itself.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<Option<TeamId>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TeamQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl Team {
    /// A new team.
    pub fn create(new: NewTeam, id: TeamId, stamp: Stamp) -> Result<Self, Invalid> {
        let team = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            description: new.description,
            parent_id: new.parent_id,
        };
        team.checked()
    }

    /// The team as it would be after a patch.
    pub fn patch(&self, patch: TeamPatch) -> Result<Self, Invalid> {
        let team = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            parent_id: patch.parent_id.unwrap_or(self.parent_id),
            ..*self
        };
        team.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A team needs a name.");
        }
        fields.verdict().map(|()| self)
    }
}
