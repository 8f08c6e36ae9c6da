//! The document itself.

use std::{collections::HashSet, env, fs, path::Path};

use rapport_domain::access::Resource;
use serde_json::Value;

use crate::harness::{
    anonymous,
    contract::{COMPATIBLE, DOCUMENT, operations, resolve},
    rapport,
};

#[test]
fn the_checked_in_documents_are_current() {
    check_current("openapi.json", &DOCUMENT);
    check_current("openapi-3.0.json", &COMPATIBLE);
}

fn check_current(name: &str, document: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi").join(name);
    let current = serde_json::to_string_pretty(document).unwrap() + "\n";
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&file, &current).unwrap();
    }
    let checked_in = fs::read_to_string(&file).unwrap_or_default();
    assert!(checked_in == current, "openapi/{name} is not current: run `make openapi`");
}

#[test]
fn the_server_and_the_program_give_the_same_document() {
    for (address, version, document) in
        [("/openapi.json", "3.1", &*DOCUMENT), ("/openapi-3.0.json", "3.0", &*COMPATIBLE)]
    {
        assert_eq!(anonymous().get(address).body, *document);
        let printed = rapport(&["openapi", "--version", version]);
        assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap(), *document);
    }
    assert_eq!(serde_json::from_slice::<Value>(&rapport(&["openapi"]).stdout).unwrap(), *DOCUMENT);
}

/// Both have the same operations, and the same fields in the same schemas.
#[test]
fn the_older_document_says_the_same() {
    fn shape(document: &Value) -> Vec<String> {
        let mut shape = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let answers =
                    operation["responses"].as_object().into_iter().flatten().map(|(status, _)| status.as_str());
                let parameters =
                    operation["parameters"].as_array().into_iter().flatten().map(|parameter| &parameter["name"]);
                shape.push(format!(
                    "{method} {path}: {:?} {:?}",
                    parameters.collect::<Vec<_>>(),
                    answers.collect::<Vec<_>>()
                ));
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let fields = schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field.as_str());
            shape.push(format!("{name}: {:?} {:?}", fields.collect::<Vec<_>>(), schema["required"]));
        }
        shape
    }
    // 3.0 has no words for what is sent to webhooks.
    let mut newer = shape(&DOCUMENT);
    newer.retain(|line| !line.starts_with("WebhookMessage:"));
    assert_eq!(shape(&COMPATIBLE), newer);
    let mut references = Vec::new();
    collect(&COMPATIBLE, &mut references);
    for reference in references {
        assert!(COMPATIBLE.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_operation_is_complete() {
    let mut ids = HashSet::new();
    let tags: HashSet<_> = DOCUMENT["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for operation in operations() {
        let (id, value) = (operation.id(), operation.value);
        assert!(ids.insert(id), "{id} is there twice");
        assert!(id.chars().all(|character| character.is_ascii_lowercase() || character == '_'), "{id}");
        let own = value["tags"].as_array().unwrap();
        assert!(own.len() == 1 && tags.contains(&own[0]), "{id} needs one tag of those described: {own:?}");
        let summary = value["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{id} needs a summary without full stop");
        assert!(value["description"].as_str().is_some_and(|text| text.len() > 20), "{id} needs a description");
        assert!(value["security"].is_array(), "{id} does not say who may call it");
        assert!(value.get("parameters").is_none_or(Value::is_array), "{id} has no list of parameters");
        for parameter in value["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{id}: {} needs a description", parameter["name"]);
        }
        check_responses(id, &value["responses"]);
    }
}

#[test]
fn no_schema_has_a_default_that_a_client_would_send_along() {
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let with_default = |schema: &Value| schema.get("default").is_some();
        let fields = schema["properties"].as_object().into_iter().flatten();
        let found: Vec<_> = fields.filter(|(_, field)| with_default(field)).map(|(field, _)| field).collect();
        assert!(found.is_empty() && !with_default(schema), "{name}: {found:?}");
    }
}

/// Generators name the type of a field that has one of its own after the schema and the field.
#[test]
fn no_field_takes_the_name_of_a_schema() {
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let words = field.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
            let taken = format!("{name}{}", words.collect::<String>());
            let own = property.get("pattern").or(property.get("enum")).or(property.get("properties")).is_some();
            assert!(!own || !schemas.contains_key(&taken), "the type of {name}.{field} would be called {taken}");
        }
    }
}

/// Some clients send an empty list, or an empty object, for each that their user left out.
#[test]
fn an_empty_list_for_one_that_was_left_out_does_no_harm() {
    // Custom fields are merged: none is named, none is changed. Of the others there has to be one, so none means no change.
    const HARMLESS: &[(&str, &str)] =
        &[("PipelinePatch", "stages"), ("AssignmentRulePatch", "user_ids"), ("CaptureFormPatch", "fields")];
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&Value::from(field.as_str())) {
                continue;
            }
            assert!(
                property.get("minItems").is_none(),
                "{name}.{field} can't be sent empty: make it required, or take none"
            );
            let wipes = name.ends_with("Patch") && ["array", "object"].iter().any(|kind| property["type"] == *kind);
            assert!(
                !wipes || field == "custom" || HARMLESS.contains(&(name.as_str(), field.as_str())),
                "{name}.{field} is emptied by it: let null be for that"
            );
        }
    }
}

/// Operations whose answer is a stream of events. The schema is that of their data.
const STREAMS: &[&str] = &["stream_changes"];

fn check_responses(id: &str, responses: &'static Value) {
    let all = responses.as_object().unwrap();
    let successes: Vec<_> = all.keys().filter(|status| status.starts_with('2')).collect();
    let bodies: HashSet<_> = successes.iter().map(|status| all[*status]["content"].to_string()).collect();
    assert_eq!(bodies.len(), 1, "{id} needs one kind of success: {successes:?}");
    for (status, response) in all {
        let response = resolve(response);
        assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{id} {status}");
        let expected = match status.as_str() {
            "204" | "304" => None,
            status if status.starts_with('2') && id == "get_calendar" => Some("text/calendar"),
            status if status.starts_with('2') && id.ends_with("_as_csv") => Some("text/csv"),
            status if status.starts_with('2') && STREAMS.contains(&id) => Some("text/event-stream"),
            status if status.starts_with('2') => Some("application/json"),
            _ => Some("application/problem+json"),
        };
        let kinds: Vec<_> = response["content"].as_object().into_iter().flat_map(|content| content.keys()).collect();
        assert_eq!(kinds, expected.into_iter().collect::<Vec<_>>(), "{id} {status}");
        if let Some(kind) = expected {
            assert!(response["content"][kind]["schema"]["$ref"].is_string(), "{id} {status} has no named type");
        }
        assert!(response["headers"]["X-Request-Id"].is_object(), "{id} {status} does not name X-Request-Id");
    }
    for status in ["400", "500", "503"] {
        assert!(all.contains_key(status), "{id} does not know {status}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_described() {
    let mut references = Vec::new();
    collect(&DOCUMENT, &mut references);
    for reference in references {
        assert!(DOCUMENT.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        assert!(name.chars().all(char::is_alphanumeric), "{name}");
        assert!(schema["description"].is_string(), "{name} needs a description");
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let described = property["description"].is_string() || property["$ref"].is_string();
            assert!(described || property["oneOf"].is_array(), "{name}.{field} needs a description");
        }
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(reference) if name == "$ref" => references.push(reference.to_owned()),
                    _ => collect(field, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

/// Fields that values depend on, so that they stay as they were created.
const NEVER_CHANGED: &[(&str, &str)] = &[
    ("CustomField", "resource"),
    ("CustomField", "key"),
    ("CustomField", "type"),
    ("CustomField", "referenced_resource"),
    ("Connection", "key"),
    ("Lead", "status"),
    ("LeadStatus", "key"),
    ("LostReason", "key"),
    ("Opportunity", "pipeline_id"),
    ("Opportunity", "stage_id"),
    ("ScoreDefinition", "entity"),
    ("View", "resource"),
];

#[test]
fn what_can_be_given_can_be_changed() {
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    let fields = |schema: &Value| {
        let mut fields: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        fields.sort();
        fields
    };
    for (name, patch) in schemas {
        let Some(record) = name.strip_suffix("Patch") else { continue };
        let mut given = fields(&schemas[&format!("New{record}")]);
        given.retain(|field| !NEVER_CHANGED.contains(&(record, field)));
        assert_eq!(given, fields(patch), "New{record} and {name}");
    }
}

/// A field that a role can't name is open to everybody who sees the record.
#[test]
fn every_field_can_be_closed() {
    let records = [
        (Resource::Contacts, "Contact"),
        (Resource::Companies, "Company"),
        (Resource::Opportunities, "Opportunity"),
        (Resource::Products, "Product"),
        (Resource::Tasks, "Task"),
        (Resource::Notes, "Note"),
        (Resource::Leads, "Lead"),
    ];
    for (resource, record) in records {
        let always = ["id", "version", "created_at", "updated_at", "deleted_at", "expanded"];
        let fields = DOCUMENT["components"]["schemas"][record]["properties"].as_object().unwrap().keys();
        let fields: Vec<&str> = fields.map(String::as_str).filter(|field| !always.contains(field)).collect();
        assert_eq!(resource.fields(), fields, "{record}::FIELDS");
    }
    assert_eq!(Resource::ALL.len(), records.len(), "a new resource is compared here, too");
}

#[test]
fn every_write_of_a_record_takes_if_match() {
    for operation in operations() {
        let writes =
            ["PATCH", "DELETE", "PUT"].contains(&operation.method.as_str()) || operation.path.ends_with("/restore");
        let takes = operation.parameters("header").iter().any(|parameter| parameter["name"] == "If-Match");
        // Shares and calendar feeds are made and ended, never changed: they have no version.
        let never_changes = ["/v1/shares/", "/v1/calendar_feeds/"];
        let has_version = !never_changes.iter().any(|start| operation.path.starts_with(start));
        let is_of_record = operation.has_id() || operation.path.contains("/by-external-id/");
        assert!(takes || !(writes && is_of_record && has_version), "{}", operation.id());
        let knows = operation.value["responses"].get("412").is_some();
        assert_eq!(takes, knows, "{} takes If-Match and does not know 412, or the reverse", operation.id());
    }
}

/// What has no bounds fills memory, or an index beyond what it can hold.
#[test]
fn every_text_and_list_of_a_request_has_bounds() {
    let mut seen = HashSet::new();
    for operation in operations() {
        for parameter in operation.parameters("query") {
            bounded(&format!("{} {}", operation.id(), parameter["name"]), &parameter["schema"], &mut seen);
        }
        let schema = operation.value.pointer("/requestBody/content/application~1json/schema");
        schema.into_iter().for_each(|schema| bounded(operation.id(), schema, &mut seen));
    }
}

fn bounded(place: &str, schema: &'static Value, seen: &mut HashSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        if seen.insert(reference.to_owned()) {
            bounded(reference, resolve(schema), seen);
        }
        return;
    }
    let is = |kind: &str| {
        schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&kind.into()))
    };
    if is("string") {
        let bounds = ["maxLength", "enum", "format", "pattern"];
        assert!(bounds.iter().any(|bound| schema.get(bound).is_some()), "{place}: a text without bounds");
    }
    if is("array") {
        assert!(schema.get("maxItems").is_some(), "{place}: a list without a most");
        bounded(place, &schema["items"], seen);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        bounded(&format!("{place}/{name}"), property, seen);
    }
    for form in schema["oneOf"].as_array().into_iter().flatten() {
        bounded(place, form, seen);
    }
}

#[test]
fn operations_of_a_resource_are_named_alike() {
    for operation in operations() {
        let parts: Vec<&str> = operation.path.split('/').skip(2).collect();
        let verb = operation.id().split('_').next().unwrap();
        let expected = match (operation.method.as_str(), parts.as_slice()) {
            _ if !operation.path.starts_with("/v1/") => continue,
            ("GET", [_, id]) if id.starts_with('{') => "get",
            ("PATCH", _) => "update",
            ("DELETE", _) => "delete",
            // There is one of each record.
            ("GET", [_, _, "score" | "quality" | "status"]) => "get",
            ("GET", [_, _, _]) => "list",
            ("POST", [_, _, action]) => action,
            ("POST", [_]) => "create",
            ("GET", [_]) if operation.id() != "get_me" => "list",
            _ => continue,
        };
        assert_eq!(verb, expected, "{} {}", operation.method, operation.path);
    }
}

#[test]
fn every_problem_of_the_catalogue_is_explained() {
    let answer = anonymous().get("/problems/precondition_failed");
    answer.expect(200);
    assert_eq!(answer.body["status"], 412);
    let missing = anonymous().get("/problems/nonsense");
    missing.expect_problem(404, "not_found");
    let detail = missing.body["detail"].as_str().unwrap().to_owned();
    let codes = detail.trim_end_matches('.').rsplit(": ").next().unwrap().split(", ");
    for code in codes {
        let explained = anonymous().get(&format!("/problems/{code}"));
        explained.expect(200);
        assert!(explained.body["explanation"].as_str().unwrap().len() > 30, "{code}");
    }
}

#[test]
fn the_reference_page_needs_nothing_from_outside() {
    let page = anonymous().send_unchecked("GET", "/docs/", &[], None);
    page.expect(200);
    assert!(!page.text.contains("https://") && !page.text.contains("//cdn"), "{}", page.text);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; "));
    for asset in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        anonymous().send_unchecked("GET", &format!("/docs/{asset}"), &[], None).expect(200);
    }
    let settings = anonymous().send_unchecked("GET", "/docs/swagger-initializer.js", &[], None);
    assert!(settings.text.contains(r#""validatorUrl": "none""#), "{}", settings.text);
    for other in ["/docs", "/docs/index.html"] {
        assert_eq!(anonymous().send_unchecked("GET", other, &[], None).header("location"), "/docs/");
    }
}
