//! Custom fields: what a workspace adds to the fields of contacts and companies.

mod rules;
mod values;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use self::values::{CustomFields, CustomValues, MOST_INDEXED, MOST_TEXT, merged, sort_key_of_number, within_size};
pub(crate) use self::values::{folded_values, values_schema, values_schema_of_patch};
use crate::{
    access::Resource,
    id::CustomFieldId,
    problem::{Fields, Invalid},
    record::{ArchivedInList, Stamp},
    text,
};

/// The most fields of a resource that are not archived.
pub const MOST_FIELDS: usize = 200;

/// A field that a workspace has added to a resource.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CustomField {
    /// Identifies the field for ever.
    #[schema(value_type = Uuid)]
    pub id: CustomFieldId,
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
    /// When it was archived; null while it is in use. An archived field is neither shown nor written.
    pub archived_at: Option<DateTime<Utc>>,
    /// The resource that has the field.
    pub resource: Resource,
    /// Its name in `custom`, which never changes.
    #[schema(example = "customer_number")]
    pub key: String,
    /// Its name for people.
    #[schema(example = "Customer number")]
    pub label: String,
    /// What it is for.
    #[schema(example = "As it stands on our invoices.")]
    pub description: Option<String>,
    /// What its values are; never changes.
    #[serde(rename = "type")]
    pub kind: CustomFieldType,
    /// New records need a value, and none that has one loses it.
    #[schema(example = false)]
    pub required: bool,
    /// No two living records have the same value.
    #[schema(example = true)]
    pub unique: bool,
    /// Its values are kept in an index of their own.
    #[schema(example = false)]
    pub sorted: bool,
    /// Fewest characters of a text.
    #[schema(example = 4)]
    pub min_length: Option<i64>,
    /// Most characters of a text.
    #[schema(example = 20)]
    pub max_length: Option<i64>,
    /// Least value, in the form of the values; of money, the least amount.
    #[schema(example = "0")]
    pub min: Option<String>,
    /// Greatest value, in the form of the values; of money, the greatest amount.
    #[schema(example = "100")]
    pub max: Option<String>,
    /// What can be chosen, in its order.
    pub options: Vec<CustomFieldOption>,
    /// The records that a reference names.
    pub referenced_resource: Option<ReferencedResource>,
    /// Its place among the fields of the resource.
    #[schema(example = 1)]
    pub position: i64,
}

/// What the values of a custom field are. More values will follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomFieldType {
    /// A text without space at its ends.
    #[default]
    Text,
    /// A decimal number as text, such as `"12.5"`: up to 18 digits before the point and 10 after it.
    Number,
    /// An amount with its currency, such as `{"amount": "12.5", "currency": "EUR"}`.
    Money,
    /// True or false.
    Bool,
    /// A calendar date, such as `"2026-01-31"`.
    Date,
    /// A moment, such as `"2026-01-31T08:30:00Z"`; kept in UTC and microseconds.
    Instant,
    /// The key of an option.
    Choice,
    /// Keys of options.
    MultiChoice,
    /// A web address in full.
    Url,
    /// The id of another record.
    Reference,
}

/// The records that a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferencedResource {
    Contacts,
    Companies,
    Users,
}

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomFieldOption {
    /// What values say.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "gold")]
    pub key: String,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100, example = "Gold")]
    pub label: String,
    /// It stays where it was chosen and can't be chosen anew.
    #[serde(default)]
    #[schema(default = false)]
    pub archived: bool,
}

/// A custom field to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "resource": "contacts", "key": "tier", "label": "Tier", "type": "choice",
    "options": [{"key": "gold", "label": "Gold"}, {"key": "silver", "label": "Silver"}]
}))]
pub struct NewCustomField {
    /// The resource that gets the field.
    pub resource: Resource,
    /// Its name in `custom`, which no other field of the resource has, archived ones included.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "tier")]
    pub key: String,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100)]
    pub label: String,
    /// What it is for.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: CustomFieldType,
    /// New records need a value. Records that are there already may lack it.
    #[serde(default)]
    #[schema(default = false)]
    pub required: bool,
    /// No two living records may have the same value. For text, number, date, url and reference.
    #[serde(default)]
    #[schema(default = false)]
    pub unique: bool,
    /// Lists can be sorted by it, and filters find values of it by an index. Not for multi_choice.
    #[serde(default)]
    #[schema(default = false)]
    pub sorted: bool,
    /// Fewest characters of a text.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000)]
    pub min_length: Option<i64>,
    /// Most characters of a text; at most 255 where it is unique or sorted.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000)]
    pub max_length: Option<i64>,
    /// Least value of a number, date or instant, in the form of the values; of money, the least amount.
    #[serde(default)]
    #[schema(pattern = "^[0-9TZ:.+-]{1,40}$", example = "0")]
    pub min: Option<String>,
    /// Greatest value of a number, date or instant, in the form of the values; of money, the greatest amount.
    #[serde(default)]
    #[schema(pattern = "^[0-9TZ:.+-]{1,40}$", example = "100")]
    pub max: Option<String>,
    /// What can be chosen, in its order.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub options: Vec<CustomFieldOption>,
    /// The records that a reference names.
    #[serde(default)]
    pub referenced_resource: Option<ReferencedResource>,
    /// Its place among the fields of the resource: the last, unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
}

/// Changes to a custom field, as JSON Merge Patch: absent fields stay, null clears, lists are replaced. Resource, key, type
/// and referenced resource never change.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"label": "Customer tier", "required": true}))]
pub struct CustomFieldPatch {
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub label: Option<String>,
    /// What it is for.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<Option<String>>,
    /// New records need a value. Records that are there already may lack it.
    #[schema(nullable = false)]
    pub required: Option<bool>,
    /// No two living records may have the same value: refused with 409 while some have.
    #[schema(nullable = false)]
    pub unique: Option<bool>,
    /// Lists can be sorted by it, and filters find values of it by an index.
    #[schema(nullable = false)]
    pub sorted: Option<bool>,
    /// Fewest characters of a text.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub min_length: Option<Option<i64>>,
    /// Most characters of a text.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub max_length: Option<Option<i64>>,
    /// Least value, in the form of the values; of money, the least amount.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(pattern = "^[0-9TZ:.+-]{1,40}$")]
    pub min: Option<Option<String>>,
    /// Greatest value, in the form of the values; of money, the greatest amount.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(pattern = "^[0-9TZ:.+-]{1,40}$")]
    pub max: Option<Option<String>>,
    /// What can be chosen, in its order. An option that a record has can be archived, but not left out.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 200)]
    pub options: Option<Option<Vec<CustomFieldOption>>>,
    /// Its place among the fields of the resource.
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CustomFieldQuery {
    /// Only fields of this resource.
    pub resource: Option<Resource>,
    /// `include` lists archived fields, too.
    #[param(inline = false)]
    pub archived: ArchivedInList,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl CustomField {
    /// A new field; `last` is its place unless it is given one.
    pub fn create(new: NewCustomField, id: CustomFieldId, stamp: Stamp, last: i64) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        rules::check_key(&new, &mut fields);
        let field = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            archived_at: None,
            resource: new.resource,
            key: new.key,
            label: new.label,
            description: new.description,
            kind: new.kind,
            required: new.required,
            unique: new.unique,
            sorted: new.sorted,
            min_length: new.min_length,
            max_length: new.max_length,
            min: new.min,
            max: new.max,
            options: new.options,
            referenced_resource: new.referenced_resource,
            position: new.position.unwrap_or(last),
        };
        field.checked(fields)
    }

    /// The field as it would be after a patch.
    pub fn patch(&self, patch: CustomFieldPatch) -> Result<Self, Invalid> {
        let field = Self {
            key: self.key.clone(),
            label: patch.label.unwrap_or_else(|| self.label.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            required: patch.required.unwrap_or(self.required),
            unique: patch.unique.unwrap_or(self.unique),
            sorted: patch.sorted.unwrap_or(self.sorted),
            min_length: patch.min_length.unwrap_or(self.min_length),
            max_length: patch.max_length.unwrap_or(self.max_length),
            min: patch.min.unwrap_or_else(|| self.min.clone()),
            max: patch.max.unwrap_or_else(|| self.max.clone()),
            options: patch.options.map_or_else(|| self.options.clone(), Option::unwrap_or_default),
            position: patch.position.unwrap_or(self.position),
            ..*self
        };
        field.checked(Fields::default())
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// Whether it is neither shown nor written.
    pub fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    /// Whether its values are kept beside the records, too.
    pub fn is_promoted(&self) -> bool {
        (self.unique || self.sorted) && !self.is_archived()
    }

    /// Tidies up and judges the whole field, whatever was given.
    fn checked(mut self, mut fields: Fields) -> Result<Self, Invalid> {
        text::tidy(&mut self.label);
        if self.label.is_empty() {
            fields.refuse("/label", "required", "A field needs a label.");
        }
        rules::check(&mut self, &mut fields);
        fields.verdict().map(|()| self)
    }
}
