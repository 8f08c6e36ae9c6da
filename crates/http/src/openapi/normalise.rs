//! Puts the document into the form that every client generator takes, and adds what all operations share.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use rapport_domain::access::ALWAYS;

use super::METHODS;
use crate::{limits, terms};

/// The document as it is published.
pub(crate) fn normalise(mut document: Value) -> Value {
    walk(&mut document, &mut tidy_schema);
    name_variants(&mut document);
    add_request_id(&mut document);
    for_each_operation(&mut document, &mut add_ways_of_programs);
    add_on_behalf_of(&mut document);
    add_terms(&mut document);
    for_each_operation(&mut document, &mut add_standard_responses);
    for_each_operation(&mut document, &mut add_request_id_header);
    add_rate_limits(&mut document);
    require_only_what_is_always_there(&mut document);
    name_fields(&mut document);
    prune(&mut document);
    walk(&mut document["components"]["schemas"], &mut say_default);
    let told = reached(&document, what_is_told(&document));
    close_what_only_requests_reach(&mut document, &told);
    open_what_grows(&mut document, &told);
    document
}

fn walk(value: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(fields);
            fields.values_mut().for_each(|field| walk(field, visit));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

fn for_each_operation(document: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) {
                visit(operation);
            }
        }
    }
}

/// Leaves out what no generator uses, and moves the description of a nullable reference to where generators read it.
fn tidy_schema(schema: &mut Map<String, Value>) {
    schema.shift_remove("propertyNames");
    let Some(Value::Array(forms)) = schema.get_mut("oneOf") else { return };
    if forms.len() != 2 || !forms.iter().any(|form| form["type"] == "null") {
        return;
    }
    let reference = forms.iter_mut().filter_map(Value::as_object_mut).find(|form| form.contains_key("$ref"));
    if let Some(description) = reference.and_then(|form| form.shift_remove("description")) {
        schema.entry("description").or_insert(description);
    }
}

/// Says in words what a field is that is left out. The keyword would mislead: some generators make the field a required
/// one, others send the value along, and a null that is sent along clears a field.
fn say_default(schema: &mut Map<String, Value>) {
    let is_schema = ["type", "$ref", "oneOf"].iter().any(|keyword| schema.contains_key(*keyword));
    let Some(default) = schema.get("default").filter(|_| is_schema).cloned() else { return };
    schema.shift_remove("default");
    let says_nothing = matches!(&default, Value::Null | Value::Bool(false))
        || default.as_str().is_some_and(str::is_empty)
        || default.as_array().is_some_and(Vec::is_empty);
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    if says_nothing || description.contains("unless said otherwise") {
        return;
    }
    let word = default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned);
    schema.insert("description".to_owned(), json!(format!("{description} `{word}` unless said otherwise.").trim()));
}

/// Gives the forms of a tagged union their tag, and the union a discriminator: generators make types of it then.
fn name_variants(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let unions: Vec<(String, Vec<Variant>)> =
        schemas.iter().filter_map(|(name, schema)| Some((name.clone(), variants(schema)?))).collect();
    for (union, variants) in unions {
        let mut mapping = Map::new();
        for Variant { reference, tag, word } in &variants {
            mapping.insert(word.clone(), json!(reference));
            let Some(schema) = reference.rsplit('/').next().and_then(|name| schemas.get_mut(name)) else { continue };
            let mut properties = Map::new();
            properties
                .insert(tag.clone(), json!({"type": "string", "description": "Which kind this is.", "enum": [word]}));
            properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
            schema["properties"] = Value::Object(properties);
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            schema["required"] = std::iter::once(json!(tag)).chain(required).collect();
        }
        let references: Vec<Value> = variants.iter().map(|variant| json!({"$ref": variant.reference})).collect();
        schemas[&union]["oneOf"] = Value::Array(references);
        schemas[&union]["discriminator"] = json!({"propertyName": variants[0].tag, "mapping": mapping});
    }
}

/// A form of a tagged union: the schema of its fields, and the tag with the word that stands for it.
struct Variant {
    reference: String,
    tag: String,
    word: String,
}

/// The forms of a union whose forms are each a schema of its own and a tag.
fn variants(schema: &Value) -> Option<Vec<Variant>> {
    let variant = |form: &Value| {
        let reference = form.pointer("/allOf/0/$ref")?.as_str()?.to_owned();
        let (tag, values) = form.pointer("/allOf/1/properties")?.as_object()?.iter().next()?;
        Some(Variant { reference, tag: tag.clone(), word: values.pointer("/enum/0")?.as_str()?.to_owned() })
    };
    schema.get("oneOf")?.as_array()?.iter().map(variant).collect::<Option<Vec<_>>>().filter(|forms| !forms.is_empty())
}

fn add_request_id(document: &mut Value) {
    document["components"]["headers"]["RequestId"] = json!({
        "description": "Names this request in the logs. Taken from the request where it has one of 8 to 64 letters, digits, dots, hyphens and underscores.",
        "required": true,
        "schema": {"type": "string", "minLength": 8, "maxLength": 64}
    });
    document["components"]["headers"]["RetryAfter"] = json!({
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "format": "int32", "minimum": 1}
    });
    for (name, response) in document["components"]["responses"].as_object_mut().into_iter().flatten() {
        response["headers"]["X-Request-Id"] = json!({"$ref": "#/components/headers/RequestId"});
        if ["Conflict", "TooManyRequests", "Unavailable"].contains(&name.as_str()) {
            response["headers"]["Retry-After"] = json!({"$ref": "#/components/headers/RetryAfter"});
        }
    }
}

fn add_request_id_header(operation: &mut Value) {
    for response in operation["responses"].as_object_mut().into_iter().flat_map(|responses| responses.values_mut()) {
        if response.get("$ref").is_none() {
            response["headers"]["X-Request-Id"] = json!({"$ref": "#/components/headers/RequestId"});
        }
    }
}

/// Whatever reads for a caller reads on somebody's behalf, too, if an administrator says so.
fn add_on_behalf_of(document: &mut Value) {
    for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        let Some(operation) = item.get_mut("get") else { continue };
        if operation["security"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let parameter = json!({
            "name": "On-Behalf-Of", "in": "header", "required": false,
            "description": "Id of a user, to read with their rights what they would see. For administrators; noted in the audit.",
            "schema": {"type": "string", "format": "uuid"}
        });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(parameter),
            None => operation["parameters"] = json!([parameter]),
        }
        if operation["responses"].get("403").is_none() {
            operation["responses"]["403"] = json!({"$ref": "#/components/responses/Forbidden"});
        }
    }
}

/// Whatever writes for a caller does it once for a key, if the caller gives one, and can be rehearsed. Not so what ends the
/// means to call again, as signing out does: whoever repeats it is a stranger by then.
fn add_terms(document: &mut Value) {
    document["components"]["headers"]["IdempotentReplayed"] = json!({
        "description": "`true` where the request came before with the same `Idempotency-Key`, and this is the answer of then.",
        "schema": {"type": "boolean"}
    });
    document["components"]["headers"]["DryRun"] = json!({
        "description": "`true` where nothing was written, because `dry_run=true` was asked for. Such an answer has neither `Location` nor `ETag`, and a record that would be created has the id 00000000-0000-0000-0000-000000000000.",
        "schema": {"type": "boolean"}
    });
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        if path.starts_with("/v1/auth/") {
            continue;
        }
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let only_reads = |id: &str| ["search_", "explain_", "report_"].into_iter().any(|verb| id.starts_with(verb));
            let is_public = operation["security"].as_array().is_none_or(Vec::is_empty);
            if method != "get" && !is_public && !operation["operationId"].as_str().is_some_and(only_reads) {
                take_terms(operation);
            }
        }
    }
}

fn take_terms(operation: &mut Value) {
    let key = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A key of your choice for this request, such as a UUID. However often it is sent, the request is done once, and answered the same each time, for 7 days.",
        "schema": {"type": "string", "minLength": 1, "maxLength": terms::LONGEST_KEY, "pattern": "^[\\t -~]+$"}
    });
    let rehearsal = json!({
        "name": terms::DRY_RUN_PARAMETER, "in": "query", "required": false,
        "description": "`true` checks everything and answers what would happen, and writes nothing. Such a request takes no `Idempotency-Key`.",
        "schema": {"type": "boolean", "default": false}
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.extend([rehearsal, key]),
        None => operation["parameters"] = json!([rehearsal, key]),
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    responses.entry("409").or_insert(json!({"$ref": "#/components/responses/Conflict"}));
    responses.entry("422").or_insert(json!({"$ref": "#/components/responses/ValidationFailed"}));
    responses.sort_keys();
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        response["headers"]["Idempotent-Replayed"] = json!({"$ref": "#/components/headers/IdempotentReplayed"});
        response["headers"]["Dry-Run"] = json!({"$ref": "#/components/headers/DryRun"});
    }
}

/// Every answer tells how many requests are left, but for those of the probes, which are not counted.
fn add_rate_limits(document: &mut Value) {
    let text = |description: &str, example: &str| {
        json!({
            "description": description, "example": example, "schema": {"type": "string", "minLength": 1, "maxLength": 300}
        })
    };
    document["components"]["headers"]["RateLimitPolicy"] = text(
        "The limits that this request counts against, as draft-ietf-httpapi-ratelimit-headers has them: `q` requests in `w` seconds. `key` is of one API key or user, `workspace` of all callers of a workspace, `address` of calls without valid credentials, `form` of all calls for one capture form. Absent where there is no limit.",
        "\"key\";q=6000;w=60, \"workspace\";q=30000;w=60",
    );
    document["components"]["headers"]["RateLimit"] = text(
        "Of each limit, the requests that are left (`r`), and the seconds until all are there again (`t`).",
        "\"key\";r=5999;t=1, \"workspace\";r=29999;t=1",
    );
    for_each_operation(document, &mut |operation| {
        let is_counted = operation["operationId"].as_str().is_none_or(|id| !limits::UNCOUNTED.contains(&id));
        if let Some(responses) = operation["responses"].as_object_mut().filter(|_| is_counted) {
            responses.insert("429".to_owned(), json!({"$ref": "#/components/responses/TooManyRequests"}));
            responses.sort_keys();
            responses.values_mut().filter(|response| response.get("$ref").is_none()).for_each(name_limits);
        }
    });
    let shared = document["components"]["responses"].as_object_mut();
    shared.into_iter().flat_map(|responses| responses.values_mut()).for_each(name_limits);
}

fn name_limits(response: &mut Value) {
    response["headers"]["RateLimit-Policy"] = json!({"$ref": "#/components/headers/RateLimitPolicy"});
    response["headers"]["RateLimit"] = json!({"$ref": "#/components/headers/RateLimit"});
}

/// Whatever takes a bearer token takes a key in a header of its own, too, and a token that a client got for a key.
fn add_ways_of_programs(operation: &mut Value) {
    if let Some(alternatives) = operation["security"].as_array_mut()
        && let Some(scopes) = alternatives.first().and_then(|first| first.get("bearer")).cloned()
    {
        alternatives.push(json!({"api_key": scopes}));
        alternatives.push(json!({"oauth2": scopes}));
    }
}

fn add_standard_responses(operation: &mut Value) {
    let in_path = |parameter: &Value| parameter["in"] == "path";
    let has_path = operation["parameters"].as_array().is_some_and(|parameters| parameters.iter().any(in_path));
    let has_body = operation.get("requestBody").is_some();
    let alternatives = operation["security"].as_array().cloned().unwrap_or_default();
    let needs_permission =
        alternatives.first().and_then(|first| first["bearer"].as_array()).is_some_and(|scopes| !scopes.is_empty());

    let mut standard = vec![("400", "BadRequest"), ("500", "InternalError"), ("503", "Unavailable")];
    if !alternatives.is_empty() {
        standard.push(("401", "Unauthorized"));
    }
    if needs_permission {
        standard.push(("403", "Forbidden"));
    }
    if has_path {
        standard.push(("404", "NotFound"));
    }
    if has_body {
        standard.extend([
            ("408", "RequestTimeout"),
            ("413", "PayloadTooLarge"),
            ("415", "UnsupportedMediaType"),
            ("422", "ValidationFailed"),
        ]);
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, name) in standard {
        responses.entry(status).or_insert(json!({"$ref": format!("#/components/responses/{name}")}));
    }
    responses.sort_keys();
}

/// A record lacks the fields that were not asked for, so only what identifies it is always there.
fn require_only_what_is_always_there(document: &mut Value) {
    for schema in document["components"]["schemas"].as_object_mut().into_iter().flat_map(|schemas| schemas.values_mut())
    {
        if is_record(schema) {
            let required: Vec<_> = ALWAYS
                .iter()
                .filter(|field| **field != "expanded" && schema["properties"].get(field).is_some())
                .collect();
            schema["required"] = json!(required);
        }
    }
}

fn is_record(schema: &Value) -> bool {
    ["id", "version", "created_at", "updated_at"].iter().all(|field| schema["properties"].get(field).is_some())
}

/// `fields`, in a query or a body, takes the names of the record's fields: a schema `ContactField` for `Contact`.
fn name_fields(document: &mut Value) {
    let mut named = Map::new();
    let mut bodies = Vec::new();
    let records: Vec<(String, Vec<String>)> = document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, schema)| is_record(schema))
        .map(|(name, schema)| {
            let fields = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys());
            (name.clone(), fields.filter(|field| !ALWAYS.contains(&field.as_str())).cloned().collect())
        })
        .collect();
    for_each_operation(document, &mut |operation| {
        let content = "/responses/200/content/application~1json/schema/$ref";
        let Some(answer) =
            operation.pointer(content).and_then(Value::as_str).and_then(|answer| answer.rsplit('/').next())
        else {
            return;
        };
        let answer = answer.strip_suffix("Page").unwrap_or(answer).to_owned();
        let Some((name, fields)) = records.iter().find(|(name, _)| *name == answer) else { return };
        let body = operation.pointer("/requestBody/content/application~1json/schema/$ref").and_then(Value::as_str);
        let body = body.filter(|_| operation["operationId"].as_str().is_some_and(|id| id.starts_with("search_")));
        bodies.extend(body.map(|body| (format!("{}/properties/fields/items", &body[1..]), format!("{name}Field"))));
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            if parameter["name"] == "fields" {
                let field = format!("{name}Field");
                parameter["schema"]["items"] = json!({"$ref": format!("#/components/schemas/{field}")});
                named.insert(field, json!({
                    "type": "string", "description": format!("A field of a {name} that can be asked for."), "enum": fields
                }));
            }
        }
    });
    for (place, field) in bodies {
        if let Some(items) = document.pointer_mut(&place) {
            *items = json!({"$ref": format!("#/components/schemas/{field}")});
        }
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(named);
    }
}

/// Leaves out components that nothing refers to.
pub(super) fn prune(document: &mut Value) {
    loop {
        let text = document.to_string();
        let mut pruned = false;
        for kind in ["schemas", "responses"] {
            if let Some(components) = document["components"][kind].as_object_mut() {
                let before = components.len();
                components.retain(|name, _| text.contains(&format!("\"#/components/{kind}/{name}\"")));
                pruned |= components.len() < before;
            }
        }
        if !pruned {
            return;
        }
    }
}

/// The schemas of what the server says: of its answers and of messages to webhooks.
fn what_is_told(document: &Value) -> Vec<String> {
    let mut told = Vec::new();
    references(&document["components"]["responses"], &mut told);
    for operation in operations(&document["paths"]) {
        references(&operation["responses"], &mut told);
    }
    for message in operations(&document["webhooks"]) {
        references(&message["requestBody"], &mut told);
    }
    told
}

/// The schemas of what the server is sent.
fn what_is_asked(document: &Value) -> Vec<String> {
    let mut asked = Vec::new();
    for operation in operations(&document["paths"]) {
        references(&operation["parameters"], &mut asked);
        references(&operation["requestBody"], &mut asked);
    }
    asked
}

fn operations(paths: &Value) -> impl Iterator<Item = &Value> {
    let items = paths.as_object().into_iter().flat_map(|paths| paths.values());
    items.flat_map(|item| item.as_object().into_iter().flat_map(|item| item.values()))
}

/// These schemas, and those that they lead to.
fn reached(document: &Value, mut waiting: Vec<String>) -> HashSet<String> {
    let mut reached = HashSet::new();
    while let Some(name) = waiting.pop() {
        if reached.insert(name.clone()) {
            references(&document["components"]["schemas"][&name], &mut waiting);
        }
    }
    reached
}

/// Objects that only requests contain refuse unknown fields; what clients read stays open for fields to come, and so do
/// forms, because RFC 6749 demands that parameters which are not known are ignored.
fn close_what_only_requests_reach(document: &mut Value, told: &HashSet<String>) {
    let mut forms = Vec::new();
    for operation in operations(&document["paths"]) {
        references(&operation["requestBody"]["content"]["application/x-www-form-urlencoded"], &mut forms);
    }
    let forms = reached(document, forms);
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        if !told.contains(name)
            && !forms.contains(name)
            && schema.get("properties").is_some()
            && let Some(schema) = schema.as_object_mut()
        {
            schema.entry("additionalProperties").or_insert(json!(false));
        }
    }
}

/// Words that only the server says, and of which more will follow, are texts whose values stand in the description: clients
/// that are generated from an enumeration refuse an answer with a value that they do not know.
fn open_what_grows(document: &mut Value, told: &HashSet<String>) {
    let asked = reached(document, what_is_asked(document));
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        let description = schema["description"].as_str().unwrap_or_default().to_owned();
        if !told.contains(name) || asked.contains(name) || !description.contains("will follow") {
            continue;
        }
        let Some(Value::Array(values)) = schema.as_object_mut().and_then(|schema| schema.shift_remove("enum")) else {
            continue;
        };
        let words: Vec<String> = values.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        schema["description"] = json!(format!("{description} So far there are {}.", words.join(", ")));
        schema["example"] = values.first().cloned().unwrap_or_default();
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str().and_then(|text| text.strip_prefix("#/components/schemas/")) {
                    Some(schema) if name == "$ref" => found.push(schema.to_owned()),
                    _ => references(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
