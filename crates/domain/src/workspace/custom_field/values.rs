//! Values of custom fields: how they are read, kept and compared.
//!
//! A value has one form in which it is kept. Two values are the same when their forms are, here and in the database, and
//! their ranks, compared as bytes, are in the order of the values.

mod canonical;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::{
    RefOr, Schema, Type,
    schema::{AdditionalProperties, ObjectBuilder, SchemaType},
};

use super::{CustomField, CustomFieldType, MOST_FIELDS};
use crate::{
    problem::{FieldProblem, Invalid},
    text,
};

pub use self::canonical::sort_key_of_number;
pub(super) use self::canonical::{bound, rank_of_bound};

/// The values of a record, by the keys of their fields.
pub type CustomValues = BTreeMap<String, Value>;

/// The texts among values as filters compare them, by the names of their fields.
pub(crate) fn folded_values(values: &CustomValues) -> impl Iterator<Item = (String, String)> {
    let text = |(key, value): (&String, &Value)| Some((format!("custom.{key}"), text::fold(value.as_str()?)));
    values.iter().filter_map(text)
}

/// The most characters of a text.
pub const MOST_TEXT: i64 = 10_000;

/// The most characters of a text that an index holds.
pub const MOST_INDEXED: i64 = 255;

/// The most bytes of all values of a record, as JSON.
const MOST_BYTES: usize = 64 * 1024;

/// Refuses more values than a record can hold.
pub fn within_size(values: &CustomValues) -> Result<(), Invalid> {
    let size: usize = values.iter().map(|(key, value)| key.len() + value.to_string().len() + 4).sum();
    if size <= MOST_BYTES {
        return Ok(());
    }
    let detail = "All values of the workspace's own fields together have at most 64 KiB. Shorten some.";
    Err(Invalid::at("/custom", "too_long", detail))
}

/// The fields that a workspace has added to a resource, archived ones included, in their order.
#[derive(Clone, Debug, Default)]
pub struct CustomFields(Vec<CustomField>);

impl CustomFields {
    pub fn new(mut fields: Vec<CustomField>) -> Self {
        fields.sort_by_key(|field| (field.position, field.id));
        Self(fields)
    }

    /// Those in use.
    pub fn live(&self) -> impl Iterator<Item = &CustomField> {
        self.0.iter().filter(|field| !field.is_archived())
    }

    /// The one of this key, archived or not.
    pub fn find(&self, key: &str) -> Option<&CustomField> {
        self.0.iter().find(|field| field.key == key)
    }

    /// The values of a new record in the form in which they are kept.
    pub fn judge_new(&self, given: &CustomValues) -> Result<CustomValues, Invalid> {
        let (mut values, mut problems) = self.judge_each(given, &CustomValues::new());
        let is_missing = |key: &str| values.get(key).map_or(!given.contains_key(key), Value::is_null);
        let missing = self.live().filter(|field| field.required && is_missing(&field.key));
        problems.extend(missing.map(|field| {
            let detail = format!("{} is required. Give it a value.", field.label);
            FieldProblem::at(pointer(&field.key), "required", detail)
        }));
        values.retain(|_, value| !value.is_null());
        verdict(values, problems)
    }

    /// Changes to the values of a record in the form in which they are kept. What a record has already is not judged anew.
    pub fn judge_changes(&self, given: &CustomValues, current: &CustomValues) -> Result<CustomValues, Invalid> {
        let (values, mut problems) = self.judge_each(given, current);
        let cleared = values.iter().filter(|(key, value)| value.is_null() && current.contains_key(*key));
        problems.extend(cleared.filter_map(|(key, _)| self.find(key)).filter(|field| field.required).map(|field| {
            let detail = format!("{} is required and can't be cleared. Give it another value.", field.label);
            FieldProblem::at(pointer(&field.key), "required", detail)
        }));
        verdict(values, problems)
    }

    fn judge_each(&self, given: &CustomValues, current: &CustomValues) -> (CustomValues, Vec<FieldProblem>) {
        let (mut values, mut problems) = (CustomValues::new(), Vec::new());
        for (key, value) in given {
            let problem = |code: &str, detail: String| FieldProblem::at(pointer(key), code, detail);
            match self.find(key) {
                None => {
                    problems.push(problem("unknown_field", format!("There is no custom field {key}. Leave it out.")));
                }
                Some(field) if field.is_archived() => {
                    problems.push(problem("archived_field", format!("{} is archived. Leave it out.", field.label)));
                }
                Some(_) if value.is_null() || current.get(key) == Some(value) => {
                    values.insert(key.clone(), value.clone());
                }
                Some(field) => match field.canonical(value) {
                    Ok(value) => drop(values.insert(key.clone(), value)),
                    Err((place, code, detail)) => {
                        problems.push(FieldProblem::at(pointer(key) + place, code, detail));
                    }
                },
            }
        }
        (values, problems)
    }
}

fn pointer(key: &str) -> String {
    format!("/custom/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn verdict(values: CustomValues, problems: Vec<FieldProblem>) -> Result<CustomValues, Invalid> {
    if problems.is_empty() { Ok(values) } else { Err(Invalid::of(problems)) }
}

/// The values after a change, key by key: null takes one away.
pub fn merged(current: &CustomValues, changes: CustomValues) -> CustomValues {
    let mut values = current.clone();
    values.extend(changes);
    values.retain(|_, value| !value.is_null());
    values
}

/// The values as records show and take them.
pub(crate) fn values_schema() -> RefOr<Schema> {
    schema("Values of the workspace's own fields, by key. `GET /v1/schema/{thing}` lists the fields.")
}

/// The values as a patch takes them.
pub(crate) fn values_schema_of_patch() -> RefOr<Schema> {
    schema("Values of the workspace's own fields, by key. Keys that are absent keep their value, null clears it.")
}

fn schema(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .max_properties(Some(MOST_FIELDS))
        .description(Some(description))
        .examples([json!({"tier": "gold", "budget": {"amount": "12.5", "currency": "EUR"}})])
        .into()
}

impl CustomField {
    /// By which two records are told apart, where the field is unique.
    pub fn unique_value(&self, value: &Value) -> Option<String> {
        value.as_str().filter(|_| self.unique && !self.is_archived()).map(ToOwned::to_owned)
    }

    /// By what a value is sorted and compared as bytes, where the field is sorted.
    pub fn sort_key(&self, value: &Value) -> Option<String> {
        if self.sorted && !self.is_archived() { self.rank(value) } else { None }
    }

    fn most_characters(&self) -> i64 {
        let most = if self.unique || self.sorted { MOST_INDEXED } else { MOST_TEXT };
        self.max_length.map_or(most, |length| length.min(most))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#[path = "values/tests.rs"]
mod tests;
