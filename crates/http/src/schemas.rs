//! Checks values against the schemas of the published document, so that what is written there is what holds.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use rapport_domain::{problem::FieldProblem, standards};
use serde_json::{Map, Value, json, value::RawValue};

use crate::openapi::{Published, outline::Outline};

/// The code of what does not match a pattern.
const WRONG_FORM: &str = "wrong_form";

/// The most problems that one answer lists.
const MOST_PROBLEMS: usize = 100;

/// Schemas of request bodies, by name.
#[derive(Clone)]
pub struct Schemas(Arc<HashMap<String, Schema>>);

impl Schemas {
    /// The schemas that request bodies of a document name.
    pub fn of(published: &Published) -> Result<Self, String> {
        Outline::of(published).map(|outline| Self::of_bodies(&outline))
    }

    pub(crate) fn of_bodies(outline: &Outline) -> Self {
        let components = &outline.components;
        let mut names: HashSet<&str> = outline.bodies().collect();
        // Each operation of a batch is checked by itself.
        names.extend(components.0.keys().filter(|name| name.ends_with("Operation")));
        let schema = |name: &str| Schema::new(json!({"$ref": format!("{COMPONENTS}{name}")}).to_string(), components);
        Self(Arc::new(names.into_iter().map(|name| (name.to_owned(), schema(name))).collect()))
    }

    /// Everything that is wrong with a value, by JSON Pointer. Numbers such as `2.0` become integers on the way, as the
    /// schema language means them.
    pub fn check(&self, name: &str, value: &mut Value) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        tidy(value, &mut String::new(), &mut problems);
        match self.0.get(name) {
            Some(schema) => problems.extend(schema.violations(value)),
            None => problems.push(no_schema(format!("The document has no schema {name}."))),
        }
        problems
    }
}

/// A schema that is compiled when a value is first checked against it: all of them together take long, and more memory than
/// everything else.
pub(crate) struct Schema {
    text: String,
    components: Arc<Components>,
    compiled: OnceLock<Result<Validator, String>>,
}

impl Schema {
    pub(crate) fn new(text: String, components: &Arc<Components>) -> Self {
        Self { text, components: Arc::clone(components), compiled: OnceLock::new() }
    }

    /// Everything that is wrong with a value.
    pub(crate) fn violations(&self, value: &Value) -> Vec<FieldProblem> {
        match self.compiled() {
            Ok(schema) => violations(schema, value),
            Err(why) => vec![no_schema(why.clone())],
        }
    }

    pub(crate) fn compiled(&self) -> &Result<Validator, String> {
        self.compiled.get_or_init(|| {
            let schema = serde_json::from_str(&self.text).map_err(|error| error.to_string());
            let compiled = schema.and_then(|schema| self.components.compile(&schema));
            compiled.inspect_err(
                |error| tracing::error!(%error, schema = self.text, "the document has a schema that is none"),
            )
        })
    }
}

fn no_schema(why: String) -> FieldProblem {
    FieldProblem::at("", "no_schema", why)
}

/// Where schemas are that have a name.
const COMPONENTS: &str = "#/components/schemas/";

/// The named schemas of a document, as parts of its text: as values they would take ten times the memory.
pub(crate) struct Components(pub(crate) HashMap<&'static str, &'static RawValue>);

impl Components {
    /// The type of the values of a named schema.
    pub(crate) fn kind(&self, reference: &str) -> Option<String> {
        let text = self.0.get(reference.strip_prefix(COMPONENTS)?)?;
        let schema: Value = serde_json::from_str(text.get()).ok()?;
        schema["type"].as_str().map(ToOwned::to_owned)
    }

    /// Compiles one schema with those that it names, and they name in turn: all of them would cost each schema of the
    /// document the time that one takes.
    fn compile(&self, schema: &Value) -> Result<Validator, String> {
        let (mut named, mut waiting) = (Map::new(), Vec::new());
        references(schema, &mut waiting);
        while let Some(name) = waiting.pop() {
            if named.contains_key(&name) {
                continue;
            }
            let text = self.0.get(name.as_str()).ok_or_else(|| format!("The document has no schema {name}."))?;
            let mut schema = serde_json::from_str(text.get()).map_err(|error| error.to_string())?;
            decide_by_discriminator(&mut schema);
            references(&schema, &mut waiting);
            named.insert(name, schema);
        }
        let mut schema = schema.clone();
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["components"] = json!({"schemas": named});
        let mut options = jsonschema::options().should_validate_formats(true);
        for (name, is_valid) in standards::FORMATS {
            options = options.with_format(*name, is_valid);
        }
        options.build(&schema).map_err(|error| error.to_string())
    }
}

/// Lets the discriminator of a union choose the one form that a value is checked against. Trying every form would take time
/// that grows with a power of the depth of a tree, and tell of forms that nobody meant.
fn decide_by_discriminator(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(decide_by_discriminator);
            let Some((name, mapping)) = fields.get("discriminator").and_then(|discriminator| {
                Some((
                    discriminator["propertyName"].as_str()?.to_owned(),
                    discriminator["mapping"].as_object()?.clone(),
                ))
            }) else {
                return;
            };
            let words: Vec<&String> = mapping.keys().collect();
            let choices: Vec<Value> = mapping
                .iter()
                .map(|(word, reference)| {
                    let is_this = json!({"required": [name], "properties": {&name: {"const": word}}});
                    json!({"if": is_this, "then": {"$ref": reference}})
                })
                .collect();
            let tagged = json!({
                "type": "object", "required": [name], "properties": {&name: {"enum": words}}, "allOf": choices
            });
            *schema = tagged;
        }
        Value::Array(items) => items.iter_mut().for_each(decide_by_discriminator),
        _ => {}
    }
}

/// The names of the components that a schema refers to.
fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix(COMPONENTS));
            found.extend(name.map(ToOwned::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn violations(schema: &Validator, value: &Value) -> Vec<FieldProblem> {
    if schema.is_valid(value) {
        return Vec::new(); // found out in less time than what is wrong
    }
    let mut problems = Vec::new();
    for error in schema.iter_errors(value).take(MOST_PROBLEMS) {
        explain(&error, &mut problems);
    }
    // Where a format says what is wrong, its pattern need not say so, too.
    let told: HashSet<_> =
        problems.iter().filter(|problem| problem.code != WRONG_FORM).map(|problem| problem.pointer.clone()).collect();
    problems.retain(|problem| problem.code != WRONG_FORM || !told.contains(&problem.pointer));
    problems
}

/// Refuses what Postgres can't keep, and writes whole numbers as integers.
fn tidy(value: &mut Value, place: &mut String, problems: &mut Vec<FieldProblem>) {
    let refuse = |place: &str| {
        FieldProblem::at(place, "invalid_characters", "The character U+0000 is not allowed. Leave it out.")
    };
    match value {
        Value::Number(number) => {
            if let (None, None, Some(float)) = (number.as_i64(), number.as_u64(), number.as_f64())
                && float.fract() == 0.0
                && float.abs() < 9_007_199_254_740_992.0
            {
                *value = Value::from(float as i64);
            }
        }
        Value::String(text) if text.contains('\0') => problems.push(refuse(place)),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let length = place.len();
                place.push_str(&format!("/{index}"));
                tidy(item, place, problems);
                place.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let length = place.len();
                place.push('/');
                name.chars().for_each(|character| match character {
                    '~' => place.push_str("~0"),
                    '/' => place.push_str("~1"),
                    other => place.push(other),
                });
                if name.contains('\0') {
                    problems.push(refuse(place));
                }
                tidy(field, place, problems);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

/// Says in words what a violated keyword means and what to do.
fn explain(error: &ValidationError<'_>, problems: &mut Vec<FieldProblem>) {
    let place = error.instance_path().to_string();
    let (code, detail) = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            problems.push(FieldProblem::at(format!("{place}/{name}"), "required", "This field is required."));
            return;
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                let pointer = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                problems.push(FieldProblem::at(pointer, "unknown_field", "There is no such field. Leave it out."));
            }
            return;
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            return explain_best(context, &place, problems);
        }
        ValidationErrorKind::Format { format } => {
            (standards::code(format), standards::remedy(format).unwrap_or("The form is wrong.").to_owned())
        }
        ValidationErrorKind::Type { kind } => ("wrong_type".to_owned(), wrong_type(kind)),
        ValidationErrorKind::Enum { options } => ("unknown_value".to_owned(), one_of(options)),
        ValidationErrorKind::MaxLength { limit } => {
            ("too_long".to_owned(), format!("At most {limit} characters are allowed."))
        }
        ValidationErrorKind::MinLength { limit: 1 } => {
            ("empty".to_owned(), "This can't be empty. Leave it out, or send null where that is allowed.".to_owned())
        }
        ValidationErrorKind::MinLength { limit } => {
            ("too_short".to_owned(), format!("At least {limit} characters are needed."))
        }
        ValidationErrorKind::MaxItems { limit } => ("too_many".to_owned(), format!("At most {limit} are allowed.")),
        ValidationErrorKind::MinItems { limit } => ("too_few".to_owned(), format!("At least {limit} are needed.")),
        ValidationErrorKind::Minimum { limit } => {
            ("out_of_range".to_owned(), format!("{limit} is the least that is allowed."))
        }
        ValidationErrorKind::Maximum { limit } => {
            ("out_of_range".to_owned(), format!("{limit} is the most that is allowed."))
        }
        ValidationErrorKind::Pattern { pattern } => (WRONG_FORM.to_owned(), format!("This has to match {pattern}.")),
        other => (format!("invalid_{}", other.keyword().to_lowercase()), "This value is not allowed here.".to_owned()),
    };
    problems.push(FieldProblem::at(place, &code, detail));
}

/// Of several forms, explains the one that comes closest: of those that are not simply null, the one with the fewest
/// problems.
fn explain_best(forms: &[Vec<ValidationError<'static>>], place: &str, problems: &mut Vec<FieldProblem>) {
    let is_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), ValidationErrorKind::Type { .. }) && error.instance_path().to_string() == place
    };
    let close = forms.iter().filter(|errors| !errors.iter().any(is_type)).min_by_key(|errors| errors.len());
    match close.or_else(|| forms.first()) {
        Some(errors) => errors.iter().for_each(|error| explain(error, problems)),
        None => problems.push(FieldProblem::at(place, "invalid", "This value is not allowed here.")),
    }
}

fn wrong_type(kind: &TypeKind) -> String {
    let names: Vec<String> = match kind {
        TypeKind::Single(kind) => vec![kind.to_string()],
        TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.to_string()).collect(),
    };
    format!("This has to be of type {}.", names.join(" or "))
}

fn one_of(options: &Value) -> String {
    let words: Vec<String> = options.as_array().into_iter().flatten().map(|option| option.to_string()).collect();
    format!("This has to be one of {}.", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi;

    /// A server compiles them one by one when they are needed, and would start with one that can't be.
    #[test]
    fn each_schema_of_a_body_can_be_compiled() {
        let published = openapi::published().unwrap_or_else(|why| panic!("{why}"));
        let schemas = Schemas::of(&published).unwrap_or_else(|why| panic!("{why}"));
        for (name, schema) in &*schemas.0 {
            if let Err(why) = schema.compiled() {
                panic!("{name}: {why}");
            }
        }
    }
}
