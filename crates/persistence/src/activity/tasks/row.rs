//! A task as its table holds it: columns for what is searched, sorted or joined, one document for the rest.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    activity::{
        parent::Parent,
        task::{Reminder, Task},
    },
    id::{TaskId, TeamId, UserId},
    record::ExternalId,
    workspace::custom_field::CustomValues,
};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::tasks};

/// The columns, in their order.
pub(super) const COLUMNS: &[&str] = &[
    "workspace_id",
    "id",
    "version",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "deleted_at",
    "owner_id",
    "team_id",
    "source",
    "tags",
    "external_ids",
    "custom",
    "name",
    "kind",
    "status",
    "status_class",
    "priority",
    "parent_kind",
    "parent_id",
    "assignee_id",
    "collaborator_ids",
    "start_at",
    "due_at",
    "completed_at",
    "series_id",
    "details",
    "search",
    "sort_name",
    "folded",
];

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = tasks, primary_key(workspace_id, id), check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Row {
    pub(crate) workspace_id: Uuid,
    pub(super) id: Uuid,
    pub(super) version: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    deleted_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    team_id: Option<Uuid>,
    source: String,
    tags: Vec<String>,
    external_ids: Json<Vec<ExternalId>>,
    custom: Json<CustomValues>,
    name: String,
    kind: String,
    status: String,
    status_class: String,
    priority: String,
    parent_kind: Option<String>,
    parent_id: Option<Uuid>,
    assignee_id: Option<Uuid>,
    collaborator_ids: Vec<Uuid>,
    start_at: Option<DateTime<Utc>>,
    pub(super) due_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    series_id: Option<Uuid>,
    details: Json<Details>,
    search: String,
    pub(super) sort_name: String,
    folded: Json<BTreeMap<String, String>>,
}

/// What is only shown. What is missing or empty is left out: less for the database to read and to keep.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Details {
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reminders: Vec<Reminder>,
    recurrence: Option<String>,
    time_zone: Option<String>,
    #[serde(default = "first")]
    series_position: i64,
    successor_id: Option<Uuid>,
    due_on_wall: Option<NaiveDateTime>,
}

fn first() -> i64 {
    1
}

impl Row {
    /// The row of a task.
    pub(crate) fn of(workspace: Uuid, task: &Task) -> Self {
        Self {
            workspace_id: workspace,
            id: task.id.uuid(),
            version: task.version,
            created_at: task.created_at,
            updated_at: task.updated_at,
            created_by: task.created_by,
            updated_by: task.updated_by,
            deleted_at: task.deleted_at,
            owner_id: task.owner_id.map(UserId::uuid),
            team_id: task.team_id.map(TeamId::uuid),
            source: codes::word(&task.source),
            tags: task.tags.clone(),
            external_ids: Json(task.external_ids.clone()),
            custom: Json(task.custom.clone()),
            name: task.name.clone(),
            kind: codes::word(&task.kind),
            status: codes::word(&task.status),
            status_class: codes::word(&task.status_class),
            priority: codes::word(&task.priority),
            parent_kind: task.parent.map(|parent| codes::word(&parent.kind)),
            parent_id: task.parent.map(|parent| parent.id),
            assignee_id: task.assignee_id.map(UserId::uuid),
            collaborator_ids: task.collaborator_ids.iter().map(|id| id.uuid()).collect(),
            start_at: task.start_at,
            due_at: task.due_at,
            completed_at: task.completed_at,
            series_id: task.series_id.map(TaskId::uuid),
            details: Json(Details {
                description: task.description.clone(),
                reminders: task.reminders.clone(),
                recurrence: task.recurrence.clone(),
                time_zone: task.time_zone.clone(),
                series_position: task.series_position,
                successor_id: task.successor_id.map(TaskId::uuid),
                due_on_wall: task.due_on_wall,
            }),
            search: task.search_text(),
            sort_name: task.sort_name(),
            folded: Json(task.folded()),
        }
    }

    /// The task of a row.
    pub(crate) fn into_task(self) -> Result<Task, StoreError> {
        let Json(details) = self.details;
        let parent = match (self.parent_kind, self.parent_id) {
            (Some(kind), Some(id)) => Some(Parent { kind: codes::value(&kind)?, id }),
            _ => None,
        };
        Ok(Task {
            id: TaskId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            deleted_at: self.deleted_at,
            owner_id: self.owner_id.map(UserId::from_uuid),
            team_id: self.team_id.map(TeamId::from_uuid),
            source: codes::value(&self.source)?,
            tags: self.tags,
            custom: self.custom.0,
            external_ids: self.external_ids.0,
            name: self.name,
            description: details.description,
            kind: codes::value(&self.kind)?,
            status: codes::value(&self.status)?,
            status_class: codes::value(&self.status_class)?,
            priority: codes::value(&self.priority)?,
            parent,
            assignee_id: self.assignee_id.map(UserId::from_uuid),
            collaborator_ids: self.collaborator_ids.into_iter().map(UserId::from_uuid).collect(),
            start_at: self.start_at,
            due_at: self.due_at,
            completed_at: self.completed_at,
            reminders: details.reminders,
            recurrence: details.recurrence,
            time_zone: details.time_zone,
            series_id: self.series_id.map(TaskId::from_uuid),
            series_position: details.series_position,
            successor_id: details.successor_id.map(TaskId::from_uuid),
            due_on_wall: details.due_on_wall,
            expanded: None,
        })
    }
}
