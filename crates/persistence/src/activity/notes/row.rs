//! A note as its table holds it: a column for each field, and those that are derived.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    activity::{note::Note, parent::Parent},
    id::{NoteId, TeamId, UserId},
    record::ExternalId,
    workspace::custom_field::CustomValues,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::notes};

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
    "parent_kind",
    "parent_id",
    "body",
    "pinned",
    "internal",
    "mentions",
    "search",
    "folded",
];

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = notes, primary_key(workspace_id, id), check_for_backend(diesel::pg::Pg))]
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
    parent_kind: String,
    parent_id: Uuid,
    body: String,
    pub(super) pinned: bool,
    internal: bool,
    mentions: Vec<Uuid>,
    search: String,
    folded: Json<BTreeMap<String, String>>,
}

impl Row {
    /// The row of a note.
    pub(crate) fn of(workspace: Uuid, note: &Note) -> Self {
        Self {
            workspace_id: workspace,
            id: note.id.uuid(),
            version: note.version,
            created_at: note.created_at,
            updated_at: note.updated_at,
            created_by: note.created_by,
            updated_by: note.updated_by,
            deleted_at: note.deleted_at,
            owner_id: note.owner_id.map(UserId::uuid),
            team_id: note.team_id.map(TeamId::uuid),
            source: codes::word(&note.source),
            tags: note.tags.clone(),
            external_ids: Json(note.external_ids.clone()),
            custom: Json(note.custom.clone()),
            parent_kind: codes::word(&note.parent.kind),
            parent_id: note.parent.id,
            body: note.body.clone(),
            pinned: note.pinned,
            internal: note.internal,
            mentions: note.mentions.iter().map(|user| user.uuid()).collect(),
            search: note.search_text(),
            folded: Json(note.folded()),
        }
    }

    /// The note of a row.
    pub(crate) fn into_note(self) -> Result<Note, StoreError> {
        Ok(Note {
            id: NoteId::from_uuid(self.id),
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
            parent: Parent { kind: codes::value(&self.parent_kind)?, id: self.parent_id },
            body: self.body,
            pinned: self.pinned,
            internal: self.internal,
            mentions: self.mentions.into_iter().map(UserId::from_uuid).collect(),
            expanded: None,
        })
    }
}
