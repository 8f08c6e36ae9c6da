//! Pipelines and stages as their tables hold them.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*};
use rapport_domain::{
    id::{PipelineId, StageId},
    sales::pipeline::{Pipeline, Stage},
};
use uuid::Uuid;

use crate::{
    StoreError, codes,
    schema::{pipelines, stages},
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = pipelines, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct Row {
    pub(super) workspace_id: Uuid,
    pub(super) id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    pub(super) name: String,
    is_default: bool,
    archived: bool,
    allow_backward: bool,
    allow_skip: bool,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = stages, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct StageRow {
    workspace_id: Uuid,
    pub(super) id: Uuid,
    pub(super) pipeline_id: Uuid,
    position: i32,
    archived: bool,
    key: String,
    name: String,
    class: String,
    probability: i16,
    forecast_category: String,
    expected_days: Option<i32>,
    warning_days: Option<i32>,
    can_begin: bool,
    required_fields: Vec<String>,
}

impl Row {
    pub(super) fn of(workspace: Uuid, pipeline: &Pipeline) -> Self {
        Self {
            workspace_id: workspace,
            id: pipeline.id.uuid(),
            version: pipeline.version,
            created_at: pipeline.created_at,
            updated_at: pipeline.updated_at,
            created_by: pipeline.created_by,
            updated_by: pipeline.updated_by,
            name: pipeline.name.clone(),
            is_default: pipeline.is_default,
            archived: pipeline.archived,
            allow_backward: pipeline.allow_backward,
            allow_skip: pipeline.allow_skip,
        }
    }

    /// The pipeline of a row, with those of these stages that are its own, which come in their order.
    pub(super) fn into_pipeline(self, stages: &[StageRow]) -> Result<Pipeline, StoreError> {
        let own = || stages.iter().filter(|stage| stage.pipeline_id == self.id);
        let all = |archived: bool| -> Result<Vec<Stage>, StoreError> {
            own().filter(|stage| stage.archived == archived).map(StageRow::to_stage).collect()
        };
        Ok(Pipeline {
            id: PipelineId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name.clone(),
            is_default: self.is_default,
            archived: self.archived,
            allow_backward: self.allow_backward,
            allow_skip: self.allow_skip,
            stages: all(false)?,
            archived_stages: all(true)?,
        })
    }
}

impl StageRow {
    /// The rows of all stages of a pipeline: first the living, then those that were taken away.
    pub(super) fn all(workspace: Uuid, pipeline: &Pipeline) -> Vec<Self> {
        let living = pipeline.stages.iter().map(|stage| (stage, false));
        let archived = pipeline.archived_stages.iter().map(|stage| (stage, true));
        let row = |((stage, archived), position): ((&Stage, bool), i32)| Self {
            workspace_id: workspace,
            id: stage.id.uuid(),
            pipeline_id: pipeline.id.uuid(),
            position,
            archived,
            key: stage.key.clone(),
            name: stage.name.clone(),
            class: codes::word(&stage.class),
            probability: stage.probability,
            forecast_category: codes::word(&stage.forecast_category),
            expected_days: stage.expected_days,
            warning_days: stage.warning_days,
            can_begin: stage.can_begin,
            required_fields: stage.required_fields.clone(),
        };
        living.chain(archived).zip(0..).map(row).collect()
    }

    fn to_stage(&self) -> Result<Stage, StoreError> {
        Ok(Stage {
            id: StageId::from_uuid(self.id),
            key: self.key.clone(),
            name: self.name.clone(),
            class: codes::value(&self.class)?,
            probability: self.probability,
            forecast_category: codes::value(&self.forecast_category)?,
            expected_days: self.expected_days,
            warning_days: self.warning_days,
            can_begin: self.can_begin,
            required_fields: self.required_fields.clone(),
        })
    }
}
