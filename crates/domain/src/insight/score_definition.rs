//! Score definitions: by which rules leads get points.

mod rules;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use self::rules::{
    EngagementGroup, EngagementRule, FitGroup, FitRule, HalfLifeDecay, LinearDecay, NoDecay, ScoreCounting, ScoreDecay,
    ScoreGroup,
};
use crate::{
    filter::Entity,
    id::ScoreDefinitionId,
    problem::{Fields, Invalid},
    record::Stamp,
    text,
};

/// The most score definitions of a workspace.
pub const MOST_DEFINITIONS: i64 = 50;

/// The most rules of a definition.
const MOST_RULES: usize = 100;

/// Rules by which leads get points. They are changed as a draft, and count since they were published.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScoreDefinition {
    /// Identifies the definition for ever.
    #[schema(value_type = Uuid)]
    pub id: ScoreDefinitionId,
    /// Counts the changes; also the ETag. What was published counts in `published_version`.
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
    /// Its name for people.
    #[schema(example = "Promising leads")]
    pub name: String,
    /// The records that get points by it.
    pub entity: ScoredEntity,
    /// Whether it counts.
    pub state: ScoreDefinitionState,
    /// Its rules in groups, as they count once they are published.
    pub groups: Vec<ScoreGroup>,
    /// Number of the version that was published last, whose rules never change; null before the first.
    #[schema(minimum = 1, example = 1)]
    pub published_version: Option<i64>,
    /// When that version was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Whether `groups` differ from the version that was published last.
    #[schema(example = false)]
    pub has_changes: bool,
    /// How many records were scored since it was published; null unless it is.
    #[schema(minimum = 0, example = 1500)]
    pub scored: Option<i64>,
    /// How many records there were to be scored when it was published; null unless it is.
    #[schema(minimum = 0, example = 1500)]
    pub to_score: Option<i64>,
}

/// The records that a definition scores. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoredEntity {
    Lead,
}

impl ScoredEntity {
    /// The entity that filters know it by.
    pub fn entity(self) -> Entity {
        match self {
            Self::Lead => Entity::Lead,
        }
    }
}

/// Whether a definition counts. More values will follow: treat an unknown one as `draft`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreDefinitionState {
    /// It was never published.
    Draft,
    /// Records are scored by the version that was published last.
    Published,
    /// It counted once. Another took its place, or nothing did.
    Archived,
}

/// A score definition to be created, as a draft.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Promising leads", "entity": "lead", "groups": [
        {"kind": "fit", "key": "company", "max": 40, "rules": [
            {"key": "trade_show", "points": 15, "when": {"version": 1, "entity": "lead", "where":
                {"type": "choice", "field": "lead_source", "op": "in", "values": ["trade_show", "referral"]}}},
            {"key": "no_mail", "points": -10, "when": {"version": 1, "entity": "lead", "where":
                {"type": "present", "field": "email", "value": false}}}
        ]}
    ]
}))]
pub struct NewScoreDefinition {
    /// Its name for people, which no other definition has.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The records that get points by it.
    #[schema(inline = false)]
    pub entity: ScoredEntity,
    /// Its rules in groups, 100 rules at most in all.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub groups: Vec<ScoreGroup>,
}

/// Changes to a score definition, as JSON Merge Patch: absent fields stay, the list of groups is replaced. Rules count once
/// they are published.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Leads for the Vienna office"}))]
pub struct ScoreDefinitionPatch {
    /// Its name for people, which no other definition has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Its rules in groups, 100 rules at most in all.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub groups: Option<Option<Vec<ScoreGroup>>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScoreDefinitionQuery {
    /// Only definitions of this state. Repeat for several.
    #[param(max_items = 10)]
    pub state: Vec<ScoreDefinitionState>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// A version that was published. Its rules never change.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScoreVersion {
    /// Its number: the first is 1.
    #[schema(minimum = 1, example = 1)]
    pub number: i64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// User or API key that published it; null when Rapport did.
    pub published_by: Option<Uuid>,
    /// When another took its place, or nothing did; null while it counts.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its rules in groups.
    pub groups: Vec<ScoreGroup>,
}

impl ScoreDefinition {
    /// A new definition, which does not count yet.
    pub fn create(new: NewScoreDefinition, id: ScoreDefinitionId, stamp: Stamp) -> Result<Self, Invalid> {
        let definition = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            entity: new.entity,
            state: ScoreDefinitionState::Draft,
            groups: new.groups,
            published_version: None,
            published_at: None,
            has_changes: true,
            scored: None,
            to_score: None,
        };
        definition.checked()
    }

    /// The definition as it would be after a patch. `published` are the rules of the version that was published last.
    pub fn patch(&self, patch: ScoreDefinitionPatch, published: Option<&[ScoreGroup]>) -> Result<Self, Invalid> {
        let definition = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            groups: patch.groups.map_or_else(|| self.groups.clone(), Option::unwrap_or_default),
            ..*self
        };
        let mut definition = definition.checked()?;
        definition.has_changes = published != Some(definition.groups.as_slice());
        Ok(definition)
    }

    /// The same with its rules counting from now on; as it is where they do already.
    pub fn publish(&self, at: DateTime<Utc>) -> Result<Self, Invalid> {
        if self.state == ScoreDefinitionState::Published && !self.has_changes {
            return Ok(self.clone());
        }
        if self.rules() == 0 {
            let mut fields = Fields::default();
            fields.refuse("/groups", "required", "A definition without rules gives no points. Add rules first.");
            fields.verdict()?;
        }
        Ok(Self {
            state: ScoreDefinitionState::Published,
            published_version: Some(self.published_version.unwrap_or_default() + 1),
            published_at: Some(at),
            has_changes: false,
            ..self.clone()
        })
    }

    /// The same without counting any more; a draft never did.
    #[must_use]
    pub fn archive(&self) -> Self {
        let state = match self.state {
            ScoreDefinitionState::Published => ScoreDefinitionState::Archived,
            other => other,
        };
        Self { state, scored: None, to_score: None, ..self.clone() }
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// Whether records are still being scored by what was published.
    pub fn is_being_scored(&self) -> bool {
        self.scored < self.to_score
    }

    fn rules(&self) -> usize {
        self.groups.iter().map(ScoreGroup::rules).sum()
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A score definition needs a name.");
        }
        if self.rules() > MOST_RULES {
            let detail = format!("A definition has at most {MOST_RULES} rules. Put conditions together with any.");
            fields.refuse("/groups", "too_many_rules", detail);
        }
        rules::check(&mut self.groups, self.entity.entity(), &mut fields);
        fields.verdict()?;
        Ok(self)
    }
}
