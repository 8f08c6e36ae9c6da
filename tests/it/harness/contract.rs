//! The published document, as tests use it: to walk its operations, and to check every answer against it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use jsonschema::Validator;
use matchit::Router;
use serde_json::{Value, json};

use super::{
    Answer,
    listener::{Event, events},
};

/// The document of this build.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(rapport_http::openapi::document);

/// The same in OpenAPI 3.0.
pub static COMPATIBLE: LazyLock<Value> = LazyLock::new(rapport_http::openapi::compatible_document);

static PATHS: LazyLock<Router<String>> = LazyLock::new(|| {
    let mut paths = Router::new();
    for template in DOCUMENT["paths"].as_object().unwrap().keys() {
        paths.insert(template, template.clone()).unwrap();
    }
    paths
});

/// Schemas of bodies, by operation, status and media type.
static BODIES: LazyLock<HashMap<(String, String, String), Arc<Validator>>> = LazyLock::new(|| {
    let (mut bodies, mut compiled) = (HashMap::new(), HashMap::new());
    for operation in operations() {
        for (status, response) in operation.value["responses"].as_object().unwrap() {
            for (kind, content) in resolve(response)["content"].as_object().into_iter().flatten() {
                // Problems have one schema everywhere: each is compiled once.
                let validator = compiled
                    .entry(content["schema"].to_string())
                    .or_insert_with(|| Arc::new(validator(content["schema"].clone())));
                let key = (operation.id().to_owned(), status.clone(), kind.clone());
                bodies.insert(key, Arc::clone(validator));
            }
        }
    }
    bodies
});

/// What an event `change` of the stream has as its data, which is a text to the schema of events.
static CHANGE: LazyLock<Validator> = LazyLock::new(|| validator(json!({"$ref": "#/components/schemas/JournalEntry"})));

fn validator(mut schema: Value) -> Validator {
    schema["components"] = json!({"schemas": DOCUMENT["components"]["schemas"]});
    jsonschema::validator_for(&schema).unwrap()
}

/// Fails unless a value is as the schema of this name says.
#[track_caller]
pub fn expect_schema(name: &str, value: &Value) {
    let validator = validator(json!({"$ref": format!("#/components/schemas/{name}")}));
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {value}");
}

/// One operation of the document.
#[derive(Clone)]
pub struct Operation {
    pub method: String,
    pub path: String,
    pub value: &'static Value,
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.value["operationId"].as_str().unwrap()
    }

    /// The name of the schema of its body.
    pub fn body(&self) -> Option<&'static str> {
        let reference = self.value.pointer("/requestBody/content/application~1json/schema/$ref")?;
        reference.as_str().unwrap().rsplit('/').next()
    }

    /// The scope it needs; empty when it is enough to be signed in; none when it is public.
    pub fn scope(&self) -> Option<&'static str> {
        let first = self.value["security"].as_array().unwrap().first()?;
        Some(first["bearer"][0].as_str().unwrap_or_default())
    }

    pub fn parameters(&self, place: &str) -> Vec<&'static Value> {
        let all = self.value["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == place).collect()
    }

    /// Its path with this id in place of each parameter, or one of the words that the parameter takes. Ids of outside systems
    /// are those of the connection that is always there.
    pub fn path_with(&self, id: &str) -> String {
        let word = |name: &str| {
            let parameter = self.parameters("path").into_iter().find(|parameter| parameter["name"] == name)?;
            resolve(&parameter["schema"])["enum"][0].as_str()
        };
        let parts = self.path.split('/').map(|part| match part.strip_prefix('{') {
            Some("connection}") => "import",
            Some("external_id}") if id.is_empty() => "K-10442",
            Some(name) => word(name.trim_end_matches('}')).unwrap_or(id),
            None => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Whether its path names a record that has to be there: by an id, by the key of a form, or by what an outside system calls it.
    pub fn has_id(&self) -> bool {
        let names_one = |parameter: &&Value| {
            let reads_by = |name: &str| parameter["name"] == name && self.method == "GET";
            parameter["schema"]["format"] == "uuid" || parameter["name"] == "form_key" || reads_by("external_id")
        };
        self.parameters("path").iter().any(names_one)
    }
}

/// All operations of the document.
pub fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            operations.push(Operation { method: method.to_uppercase(), path: path.clone(), value });
        }
    }
    operations
}

/// The schema of this name.
pub fn schema(name: &str) -> &'static Value {
    &DOCUMENT["components"]["schemas"][name]
}

/// What a value of the document stands for: itself, or what it refers to.
pub fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => value,
    }
}

/// Fails unless the document knows an answer like this one.
#[track_caller]
pub fn check(method: &str, path: &str, answer: &Answer) {
    let bare = path.split('?').next().unwrap();
    let Ok(found) = PATHS.at(bare) else { return };
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let Some(operation) = DOCUMENT["paths"][found.value].get(&method) else { return };
    let id = operation["operationId"].as_str().unwrap();
    let status = answer.status.to_string();
    assert!(
        operation["responses"].get(&status).is_some(),
        "{id} answered {status}, which the document does not know: {}",
        answer.text
    );
    assert!(!answer.header("x-request-id").is_empty(), "{id} answered without a request id");
    let kind = answer.header("content-type").split(';').next().unwrap().to_owned();
    if let Some(schema) = BODIES.get(&(id.to_owned(), status.clone(), kind.clone())) {
        // The schema of a stream is that of its events.
        let bodies = match kind.as_str() {
            "text/event-stream" => {
                let events = events(&answer.text);
                for event in events.iter().filter(|event| event.name == "change") {
                    if let Err(error) = CHANGE.validate(&event.data) {
                        panic!("{id} {status}: {error} at {}: {}", error.instance_path(), answer.text);
                    }
                }
                let body = |event: Event| json!({"id": event.id, "event": event.name, "data": event.data.to_string()});
                events.into_iter().map(body).collect()
            }
            "text/calendar" | "text/csv" => vec![Value::String(answer.text.clone())],
            _ => vec![answer.body.clone()],
        };
        for body in &bodies {
            if let Err(error) = schema.validate(body) {
                panic!("{id} {status}: {error} at {}: {}", error.instance_path(), answer.text);
            }
        }
    } else {
        assert!(answer.text.is_empty(), "{id} answered {status} as {kind:?}, which the document does not know");
    }
}
