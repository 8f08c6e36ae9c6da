//! The journal: what happened to which record, when, and by whom.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{access::ActorKind, id::JournalEntryId, record::RecordKind};

/// Fields that every write moves: to list them as changes would say nothing.
const BOOKKEEPING: &[&str] = &["version", "created_at", "created_by", "updated_at", "updated_by", "expanded"];

/// One change of one record. A record's history and the change feed list the same entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalEntry {
    /// Identifies the entry.
    #[schema(value_type = Uuid)]
    pub id: JournalEntryId,
    /// Place in the workspace's change feed, given shortly after the write; null until then.
    #[schema(required, example = 4711)]
    pub position: Option<i64>,
    /// What happened: record and verb.
    #[schema(example = "contact.updated")]
    pub event: String,
    /// The record it happened to.
    pub record: RecordReference,
    /// Version of the record since this change.
    #[schema(minimum = 1, example = 3)]
    pub version: i64,
    /// The fields that changed, in the order of the record.
    pub changes: Vec<FieldChange>,
    /// Who did it.
    pub actor: ActorReference,
    /// Id of the connection through which the change came; null when it came from nowhere else.
    #[schema(required)]
    pub origin: Option<Uuid>,
    /// The request that did it; null for work that Rapport does on its own.
    #[schema(required, example = "7f3d0c6e1b2a4d58")]
    pub request_id: Option<String>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Names a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordReference {
    pub kind: RecordKind,
    /// Its id.
    pub id: Uuid,
}

/// Names who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActorReference {
    pub kind: ActorKind,
    /// Id of the user or API key; null for the system.
    #[schema(required)]
    pub id: Option<Uuid>,
}

/// A field before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// Name of the field.
    #[schema(example = "job_title")]
    pub field: String,
    /// The value before; null when there was none.
    #[schema(required, example = json!("Buyer"))]
    pub from: Value,
    /// The value after; null when it was cleared.
    #[schema(required, example = json!("Head of purchasing"))]
    pub to: Value,
}

/// What distinguishes two versions of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes(Vec<FieldChange>);

impl Changes {
    /// Compares two versions of a record in the words of the API.
    pub fn between<T: Serialize>(before: &T, after: &T) -> Self {
        let (before, after) = (fields(before), fields(after));
        Self(
            after
                .into_iter()
                .filter_map(|(field, to)| {
                    let from = before.get(&field).cloned().unwrap_or_default();
                    (from != to).then_some(FieldChange { field, from, to })
                })
                .collect(),
        )
    }

    /// All fields of a new record that have a value.
    pub fn of_new<T: Serialize>(after: &T) -> Self {
        let says_nothing = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        Self(
            fields(after)
                .into_iter()
                .filter(|(field, to)| field != "id" && !says_nothing(to))
                .map(|(field, to)| FieldChange { field, from: Value::Null, to })
                .collect(),
        )
    }

    /// All fields of a record that is gone for good.
    pub fn of_deleted<T: Serialize>(before: &T) -> Self {
        let turned = |change: FieldChange| FieldChange { field: change.field, from: change.to, to: Value::Null };
        Self(Self::of_new(before).0.into_iter().map(turned).collect())
    }

    /// One field that was not there before.
    pub fn of_field(field: &str, to: impl Into<Value>) -> Self {
        Self(vec![FieldChange { field: field.to_owned(), from: Value::Null, to: to.into() }])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the journal keeps them.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

fn fields<T: Serialize>(record: &T) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|field, _| !BOOKKEEPING.contains(&field.as_str()));
            fields
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_a_change() {
        let before = json!({"version": 1, "name": "Ada", "tags": ["a"], "title": null});
        let after = json!({"version": 2, "name": "Ada", "tags": ["a", "b"], "title": "Dr"});
        let changes = Changes::between(&before, &after);
        assert_eq!(
            changes.to_json(),
            json!([
                {"field": "tags", "from": ["a"], "to": ["a", "b"]},
                {"field": "title", "from": null, "to": "Dr"},
            ])
        );
        assert!(Changes::between(&after, &after).is_empty());
    }

    #[test]
    fn a_new_record_lists_what_it_has() {
        let changes = Changes::of_new(&json!({"id": 1, "name": "Ada", "tags": [], "title": null, "call": false}));
        assert_eq!(
            changes.to_json(),
            json!([{"field": "name", "from": null, "to": "Ada"}, {"field": "call", "from": null, "to": false}])
        );
    }
}
