//! Score definitions and their versions as their tables hold them.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*};
use rapport_domain::{
    id::ScoreDefinitionId,
    insight::score_definition::{ScoreDefinition, ScoreGroup, ScoreVersion},
};
use uuid::Uuid;

use crate::{
    StoreError, codes,
    json::Json,
    schema::{score_definitions, score_versions, scorings},
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = score_definitions, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct Row {
    workspace_id: Uuid,
    pub(super) id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    pub(super) name: String,
    entity: String,
    state: String,
    groups: Json<Vec<ScoreGroup>>,
    has_changes: bool,
    published_version: Option<i64>,
    published_at: Option<DateTime<Utc>>,
}

impl Row {
    pub(super) fn of(workspace: Uuid, definition: &ScoreDefinition) -> Self {
        Self {
            workspace_id: workspace,
            id: definition.id.uuid(),
            version: definition.version,
            created_at: definition.created_at,
            updated_at: definition.updated_at,
            created_by: definition.created_by,
            updated_by: definition.updated_by,
            name: definition.name.clone(),
            entity: codes::word(&definition.entity),
            state: codes::word(&definition.state),
            groups: Json(definition.groups.clone()),
            has_changes: definition.has_changes,
            published_version: definition.published_version,
            published_at: definition.published_at,
        }
    }

    pub(super) fn into_definition(self) -> Result<ScoreDefinition, StoreError> {
        Ok(ScoreDefinition {
            id: ScoreDefinitionId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            entity: codes::value(&self.entity)?,
            state: codes::value(&self.state)?,
            groups: self.groups.0,
            published_version: self.published_version,
            published_at: self.published_at,
            has_changes: self.has_changes,
            scored: None,
            to_score: None,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = score_versions, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(super) struct VersionRow {
    workspace_id: Uuid,
    pub(super) definition_id: Uuid,
    pub(super) number: i64,
    entity: String,
    pub(super) groups: Json<Vec<ScoreGroup>>,
    published_at: DateTime<Utc>,
    published_by: Option<Uuid>,
    pub(super) ended_at: Option<DateTime<Utc>>,
}

impl VersionRow {
    /// The version of a definition that was just published.
    pub(super) fn of(workspace: Uuid, definition: &ScoreDefinition, by: Option<Uuid>) -> Self {
        Self {
            workspace_id: workspace,
            definition_id: definition.id.uuid(),
            number: definition.published_version.unwrap_or_default(),
            entity: codes::word(&definition.entity),
            groups: Json(definition.groups.clone()),
            published_at: definition.published_at.unwrap_or(definition.updated_at),
            published_by: by,
            ended_at: None,
        }
    }

    pub(super) fn into_version(self) -> ScoreVersion {
        ScoreVersion {
            number: self.number,
            published_at: self.published_at,
            published_by: self.published_by,
            ended_at: self.ended_at,
            groups: self.groups.0,
        }
    }
}

/// How far records are scored.
#[derive(Queryable, Selectable)]
#[diesel(table_name = scorings, check_for_backend(Pg))]
pub(super) struct ScoringRow {
    pub(super) definition_id: Option<Uuid>,
    is_walking: bool,
    scored: i64,
    to_score: i64,
}

impl ScoringRow {
    /// How many records were scored, and of how many. Those that were deleted meanwhile need not be scored any more.
    pub(super) fn progress(&self) -> (i64, i64) {
        match self.is_walking {
            true => (self.scored.min(self.to_score.saturating_sub(1)).max(0), self.to_score.max(1)),
            false => (self.scored, self.scored),
        }
    }
}
