//! The journal: what happened to which record, when, and by whom.

mod fields;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::fields::Fields;
use crate::{access::ActorKind, id::JournalEntryId, record::RecordKind};

/// Fields that every write moves: to list them as changes would say nothing.
const BOOKKEEPING: &[&str] = &["version", "created_at", "created_by", "updated_at", "updated_by", "expanded"];

/// Room for the text of most records, which would grow several times otherwise.
const ROOM: usize = 1024;

/// What the names of custom fields begin with.
const CUSTOM: &str = "custom.";

/// The name of the field that names the record itself, as JSON.
const ID: &str = r#""id""#;

/// One change of one record. A record's history and the change feed list the same entries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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

/// Something that happened to who may do what: a sign-in, a refusal, a changed right.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Identifies the entry.
    #[schema(value_type = Uuid)]
    pub id: JournalEntryId,
    /// What happened: record and verb.
    #[schema(example = "session.started")]
    pub event: String,
    /// What it happened to.
    pub record: RecordReference,
    /// What changed, or what else is known.
    pub changes: Vec<FieldChange>,
    /// Who did it.
    pub actor: ActorReference,
    /// Network address from which it came; null for work that Rapport does on its own.
    #[schema(required, example = "203.0.113.7")]
    pub address: Option<String>,
    /// The request that did it.
    #[schema(required, example = "7f3d0c6e1b2a4d58")]
    pub request_id: Option<String>,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Which part of the audit is wanted.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only these events. Repeat for several.
    #[param(value_type = Vec<EventName>, max_items = 50, example = json!(["session.started"]))]
    pub event: Vec<String>,
    /// Only what this user or API key did.
    pub actor_id: Option<Uuid>,
    /// Only what happened to this record.
    pub record_id: Option<Uuid>,
    /// Only what happened at this time or later.
    pub after: Option<DateTime<Utc>>,
    /// Only what happened before this time.
    pub before: Option<DateTime<Utc>>,
    /// Most entries of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// The name of an event, as a filter takes it: the schema alone.
pub struct EventName;

impl utoipa::PartialSchema for EventName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let text = utoipa::openapi::schema::ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
        text.description(Some("Name of an event.")).min_length(Some(1)).max_length(Some(100)).into()
    }
}

impl ToSchema for EventName {}

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
    /// Id of the user, API key or capture form; null for the system.
    #[schema(required)]
    pub id: Option<Uuid>,
}

/// A field before and after.
// The values stay texts: nobody looks into them on the way from the database to an answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// Name of the field.
    #[schema(example = "job_title")]
    pub field: String,
    /// The value before; null when there was none.
    #[serde(default)]
    #[schema(value_type = Value, required, example = json!("Buyer"))]
    pub from: Box<RawValue>,
    /// The value after; null when it was cleared.
    #[schema(value_type = Value, required, example = json!("Head of purchasing"))]
    pub to: Box<RawValue>,
}

/// What distinguishes two versions of a record, as the journal keeps it: a list of [`FieldChange`]s, in which a field that
/// was not there before is only its name and then its value. Of a new record that is two thirds of the space.
///
/// It is written as text at once, out of the text of the record: a file that is imported makes millions of them, and trees
/// of values would cost more than all that a row is judged by.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Changes(Box<RawValue>);

impl Changes {
    /// Compares two versions of a record in the words of the API.
    pub fn between<T: Serialize>(before: &T, after: &T) -> Self {
        let (before, after) = (Fields::of(before), Fields::of(after));
        // Every version has all fields but the custom ones, which come and go.
        let gone = before.iter().filter(|(name, _)| is_custom(name) && after.get(name).is_none());
        let changes = after.iter().filter_map(|(name, to)| {
            let from = before.get(name).unwrap_or("null");
            (from != to).then_some(change(name, from, to))
        });
        Self::of(changes.chain(gone.map(|(name, from)| change(name, from, "null"))))
    }

    /// All fields of a new record that have a value.
    pub fn of_new<T: Serialize>(after: &T) -> Self {
        let after = Fields::of(after);
        let said = after.iter().filter(|(name, to)| *name != ID && !matches!(*to, "null" | "[]"));
        Self::of(said.map(|(name, to)| [name, ",", to]))
    }

    /// What was kept.
    pub fn read(kept: &RawValue) -> Result<Vec<FieldChange>, serde_json::Error> {
        let mut kept = serde_json::from_str::<Vec<&RawValue>>(kept.get())?.into_iter();
        let mut changes = Vec::new();
        while let Some(part) = kept.next() {
            changes.push(match part.get().starts_with('"') {
                true => FieldChange {
                    field: serde_json::from_str(part.get())?,
                    from: RawValue::NULL.to_owned(),
                    to: kept.next().unwrap_or(RawValue::NULL).to_owned(),
                },
                false => serde_json::from_str(part.get())?,
            });
        }
        Ok(changes)
    }

    /// All fields of a record that is gone for good.
    pub fn of_deleted<T: Serialize>(before: &T) -> Self {
        let before = Fields::of(before);
        let said = before.iter().filter(|(name, from)| *name != ID && *from != "null");
        Self::of(said.map(|(name, from)| change(name, from, "null")))
    }

    /// One field that was not there before.
    pub fn of_field(field: &str, to: impl Serialize) -> Self {
        Self(to_raw_value(&(field, to)).unwrap_or_default())
    }

    pub fn is_empty(&self) -> bool {
        self.0.get() == "[]"
    }

    /// Of the parts of the text of each change.
    fn of<'t, const PARTS: usize>(changes: impl Iterator<Item = [&'t str; PARTS]>) -> Self {
        let mut text = String::with_capacity(ROOM);
        text.push('[');
        for change in changes {
            if text.len() > 1 {
                text.push(',');
            }
            text.extend(change);
        }
        text.push(']');
        Self(RawValue::from_string(text).unwrap_or_default())
    }
}

/// A [`FieldChange`] as JSON, of a name and values as JSON.
fn change<'t>(name: &'t str, from: &'t str, to: &'t str) -> [&'t str; 7] {
    [r#"{"field":"#, name, r#","from":"#, from, r#","to":"#, to, "}"]
}

/// Whether a name as JSON is that of a custom field.
fn is_custom(name: &str) -> bool {
    name.strip_prefix('"').is_some_and(|name| name.starts_with(CUSTOM))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn only_what_differs_is_a_change() {
        let before = json!({"version": 1, "name": "Ada", "tags": ["a"], "title": null});
        let after = json!({"version": 2, "name": "Ada", "tags": ["a", "b"], "title": "Dr"});
        let changes = Changes::between(&before, &after);
        assert_eq!(
            serde_json::to_value(changes).unwrap(),
            json!([
                {"field": "tags", "from": ["a"], "to": ["a", "b"]},
                {"field": "title", "from": null, "to": "Dr"},
            ])
        );
        assert!(Changes::between(&after, &after).is_empty());
    }

    #[test]
    fn each_custom_field_changes_by_itself() {
        let before = json!({"tags": [], "custom": {"a": 1, "b": "x", "c": true}});
        let after = json!({"tags": [], "custom": {"a": 1, "b": "y", "d": {"e": 1}}});
        assert_eq!(
            serde_json::to_value(Changes::between(&before, &after)).unwrap(),
            json!([
                {"field": "custom.b", "from": "x", "to": "y"},
                {"field": "custom.d", "from": null, "to": {"e": 1}},
                {"field": "custom.c", "from": true, "to": null},
            ])
        );
    }

    #[test]
    fn a_new_record_lists_what_it_has() {
        let changes = Changes::of_new(&json!({"id": 1, "name": "Ada", "tags": [], "title": null, "call": false}));
        assert_eq!(serde_json::to_value(changes).unwrap(), json!(["name", "Ada", "call", false]));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!([])),
            any::<bool>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            let name = prop_oneof!["id", "custom", "name", ".*"];
            let object = prop::collection::vec((name, inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                object.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn of_a_new_record_everything_that_says_something_is_kept(
            fields in prop::collection::vec((prop_oneof!["id", "version", "name", "tags", ".*"], value()), 0..6),
            custom in prop::collection::vec((prop_oneof!["id", "custom", ".*"], value()), 0..4),
        ) {
            let mut record: serde_json::Map<String, Value> = fields.into_iter().collect();
            record.insert("custom".to_owned(), Value::Object(custom.into_iter().collect()));
            let kept = Changes::of_new(&record);

            let says_something = |value: &&Value| !matches!(value, Value::Null) && **value != json!([]);
            let mut expected = Vec::new();
            for (name, value) in &record {
                if name == "custom" {
                    let custom = value.as_object().unwrap().iter().filter(|(_, value)| says_something(value));
                    expected.extend(custom.map(|(key, value)| (format!("custom.{key}"), value.clone())));
                } else if name != "id" && !BOOKKEEPING.contains(&name.as_str()) && says_something(&value) {
                    expected.push((name.clone(), value.clone()));
                }
            }
            let read = Changes::read(&kept.0).unwrap().into_iter();
            let read: Vec<(String, Value)> =
                read.map(|change| (change.field, serde_json::from_str(change.to.get()).unwrap())).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn what_was_not_there_before_reads_as_null() {
        let read = |kept: Value| serde_json::to_value(Changes::read(&to_raw_value(&kept).unwrap()).unwrap()).unwrap();
        let record = json!({"name": "A \"B\", [c]", "tags": ["name"], "custom": {"a": {"b": 1}}});
        let kept = serde_json::to_value(Changes::of_new(&record)).unwrap();
        let expected = json!([
            {"field": "name", "from": null, "to": "A \"B\", [c]"},
            {"field": "tags", "from": null, "to": ["name"]},
            {"field": "custom.a", "from": null, "to": {"b": 1}},
        ]);
        assert_eq!(read(kept), expected);
        // As it was kept before.
        let kept = json!([{"field": "name", "to": "Ada"}, {"field": "call", "from": true, "to": null}]);
        let expected = json!([
            {"field": "name", "from": null, "to": "Ada"},
            {"field": "call", "from": true, "to": null},
        ]);
        assert_eq!(read(kept), expected);
    }
}
