//! The published document at work: which operations there are, what they take, and who may call them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use actix_web::{http::Method, web::Bytes};
use matchit::Router;
use percent_encoding::percent_decode_str;
use rapport_domain::{access::Permission, problem::FieldProblem};
use serde_json::{Value, json};

use crate::{
    fields::DocumentedFields,
    openapi::{
        Published,
        outline::{Described, Outline},
    },
    problem::ApiError,
    problems,
    schemas::{Components, Schema, Schemas},
    terms::DRY_RUN_PARAMETER,
};

/// What the document promises, compiled.
pub(crate) struct Contract {
    /// Schemas of request bodies.
    pub(crate) schemas: Schemas,
    /// The document as it is served.
    pub(crate) text: Bytes,
    /// The same in OpenAPI 3.0, for generators that do not read 3.1.
    pub(crate) compatible_text: Bytes,
    fields: OnceLock<DocumentedFields>,
    paths: Router<Path>,
}

/// The operations at one address.
struct Path {
    operations: BTreeMap<String, Operation>,
    allow: String,
}

/// One operation.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) access: Access,
    /// Whether it writes for a caller, who may give it an idempotency key or only rehearse it.
    pub(crate) has_terms: bool,
    query: Vec<Parameter>,
    path: Vec<Parameter>,
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever has this permission.
    Permitted(Permission),
}

struct Parameter {
    name: String,
    is_required: bool,
    is_list: bool,
    kind: String,
    schema: Arc<Schema>,
}

/// The schemas of parameters. Many parameters have the same one, which is compiled once.
struct Parameters {
    components: Arc<Components>,
    known: HashMap<String, Arc<Schema>>,
}

/// What is found at an address.
pub(crate) enum Found<'c> {
    Operation(&'c Operation),
    /// Another method would do: those of the `Allow` header.
    OtherMethods(&'c str),
    Nothing,
}

impl Contract {
    /// Compiles a document. Fails when an operation does not say who may call it: such a server does not start.
    pub(crate) fn new(published: &Published) -> Result<Self, String> {
        let outline = Outline::of(published)?;
        Ok(Self {
            schemas: Schemas::of_bodies(&outline),
            paths: paths(&outline, &mut Parameters::new(&outline))?,
            text: Bytes::from_static(published.text.as_bytes()),
            compatible_text: Bytes::from_static(published.compatible_text.as_bytes()),
            fields: OnceLock::new(),
        })
    }

    /// The fields that records have in every workspace. Few ask for them, and they take a value of the whole document, which was
    /// found to be JSON at the start.
    pub(crate) fn fields(&self) -> &DocumentedFields {
        self.fields.get_or_init(|| DocumentedFields::of(&serde_json::from_slice(&self.text).unwrap_or_default()))
    }

    /// What is at this address, and whether the ids in it can be ids at all.
    pub(crate) fn find(&self, method: &Method, address: &str) -> Found<'_> {
        let Ok(found) = self.paths.at(address) else { return Found::Nothing };
        let Some(operation) = found.value.operations.get(method.as_str()) else {
            return Found::OtherMethods(&found.value.allow);
        };
        let fits = operation.path.iter().all(|parameter| {
            let value = found.params.get(&parameter.name).map(|value| percent_decode_str(value).decode_utf8());
            matches!(value, Some(Ok(value)) if parameter.problems(&[value.to_string()]).is_empty())
        });
        if fits { Found::Operation(operation) } else { Found::Nothing }
    }
}

fn paths(outline: &Outline, parameters: &mut Parameters) -> Result<Router<Path>, String> {
    let mut paths = Router::new();
    for (template, described) in &outline.operations {
        let mut operations = BTreeMap::new();
        for (method, described) in described {
            operations.insert(method.to_uppercase(), Operation::new(described, parameters)?);
        }
        let mut allow: Vec<&str> = operations.keys().map(String::as_str).collect();
        if allow.contains(&"GET") {
            allow.push("HEAD");
        }
        allow.push("OPTIONS");
        let allow = allow.join(", ");
        paths.insert(template, Path { operations, allow }).map_err(|error| format!("{template}: {error}"))?;
    }
    Ok(paths)
}

impl Operation {
    fn new(described: &Described, parameters: &mut Parameters) -> Result<Self, String> {
        let id = described.operation_id.clone().ok_or("an operation has no id")?;
        let (mut query, mut path) = (Vec::new(), Vec::new());
        for parameter in &described.parameters {
            match parameter["in"].as_str() {
                Some("query") => query.push(Parameter::new(parameter, parameters)?),
                Some("path") => path.push(Parameter::new(parameter, parameters)?),
                _ => {}
            }
        }
        let access = access(described).ok_or_else(|| format!("{id} does not say who may call it"))?;
        let has_terms = query.iter().any(|parameter| parameter.name == DRY_RUN_PARAMETER);
        Ok(Self { id, access, has_terms, query, path })
    }

    /// Checks a query string: unknown and missing parameters, those given too often, and values that are not allowed.
    pub(crate) fn check_query(&self, query: &str) -> Result<(), ApiError> {
        if query.is_empty() && !self.query.iter().any(|parameter| parameter.is_required) {
            return Ok(());
        }
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
            .map_err(|error| ApiError::new("malformed_request", format!("The query string can't be read: {error}.")))?;
        let mut given: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in &pairs {
            given.entry(name).or_default().push(value.clone());
        }
        let mut problems = Vec::new();
        for (name, values) in &given {
            match self.query.iter().find(|parameter| parameter.name == *name) {
                Some(parameter) => problems.extend(parameter.problems(values)),
                None => {
                    let known: Vec<&str> = self.query.iter().map(|parameter| parameter.name.as_str()).collect();
                    problems.push(problems::unknown_parameter(name, &known));
                }
            }
        }
        let is_missing = |parameter: &&Parameter| parameter.is_required && !given.contains_key(parameter.name.as_str());
        problems.extend(self.query.iter().filter(is_missing).map(|parameter| {
            FieldProblem::parameter(&parameter.name, "missing_required", "This parameter is needed. Add it.")
        }));
        if problems.is_empty() { Ok(()) } else { Err(ApiError::parameters(problems)) }
    }
}

fn access(described: &Described) -> Option<Access> {
    let alternatives = described.security.as_ref()?;
    let Some(first) = alternatives.first() else { return Some(Access::Public) };
    let scopes = first.get("bearer")?.as_array()?;
    match scopes.as_slice() {
        [] => Some(Access::SignedIn),
        [scope] => Permission::from_scope(scope.as_str()?).map(Access::Permitted),
        _ => None,
    }
}

impl Parameters {
    fn new(outline: &Outline) -> Self {
        Self { components: Arc::clone(&outline.components), known: HashMap::new() }
    }

    fn schema(&mut self, schema: &Value) -> Arc<Schema> {
        let new = |text: &String| Arc::new(Schema::new(text.clone(), &self.components));
        Arc::clone(self.known.entry(schema.to_string()).or_insert_with_key(new))
    }
}

impl Parameter {
    fn new(parameter: &Value, parameters: &mut Parameters) -> Result<Self, String> {
        let name = parameter["name"].as_str().ok_or("a parameter has no name")?.to_owned();
        let schema = &parameter["schema"];
        let is_list = schema["type"] == "array";
        let value = if is_list { &schema["items"] } else { schema };
        let kind = match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => parameters.components.kind(reference),
            None => value["type"].as_str().map(ToOwned::to_owned),
        };
        let kind = kind.unwrap_or_else(|| "string".to_owned());
        let is_required = parameter["required"] == true;
        Ok(Self { is_required, is_list, kind, schema: parameters.schema(schema), name })
    }

    /// What is wrong with the values given.
    fn problems(&self, values: &[String]) -> Vec<FieldProblem> {
        if values.iter().any(|value| value.contains('\0')) {
            let detail = "The character U+0000 is not allowed. Leave it out.";
            return vec![FieldProblem::parameter(&self.name, "invalid_characters", detail)];
        }
        let mut typed: Vec<Value> = values.iter().map(|value| self.typed(value)).collect();
        if !self.is_list && typed.len() > 1 {
            let detail = "This parameter can be given once only.";
            return vec![FieldProblem::parameter(&self.name, "repeated", detail)];
        }
        let value = if self.is_list { Value::Array(typed) } else { typed.pop().unwrap_or_default() };
        let problems = self.schema.violations(&value);
        problems.into_iter().map(|problem| FieldProblem::parameter(&self.name, &problem.code, problem.detail)).collect()
    }

    /// A value of a query string in the type that the document names; text where it is not of that type.
    fn typed(&self, text: &str) -> Value {
        match self.kind.as_str() {
            "integer" => text.parse::<i64>().map_or_else(|_| json!(text), Value::from),
            "number" => text.parse::<f64>().map_or_else(|_| json!(text), Value::from),
            "boolean" => text.parse::<bool>().map_or_else(|_| json!(text), Value::from),
            _ => json!(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi;

    /// As those of bodies, they are compiled when they are needed.
    #[test]
    fn each_schema_of_a_parameter_can_be_compiled() {
        let published = openapi::published().unwrap_or_else(|why| panic!("{why}"));
        let outline = Outline::of(&published).unwrap_or_else(|why| panic!("{why}"));
        let mut parameters = Parameters::new(&outline);
        paths(&outline, &mut parameters).unwrap_or_else(|why| panic!("{why}"));
        assert!(parameters.known.len() > 50, "only {} schemas", parameters.known.len());
        for (text, schema) in &parameters.known {
            if let Err(why) = schema.compiled() {
                panic!("{text}: {why}");
            }
        }
    }
}
