//! Every documented field of every PATCH: set, kept when absent, cleared by null.

use serde_json::{Value, json};

use super::samples;
use crate::harness::{
    Caller,
    contract::{Operation, operations, resolve, schema},
    workspace,
};

fn patches() -> Vec<Operation> {
    operations().into_iter().filter(|operation| operation.method == "PATCH").collect()
}

/// A value for a field, made from its schema; references name a record that is there.
fn sample(field: &str, property: &'static Value, caller: &Caller) -> Value {
    let property = non_null(property);
    if field == "status" && COLLECTION.with(|path| path.borrow().starts_with("/v1/tasks")) {
        return json!("deferred"); // the last ones are reached by operations of their own
    }
    if COLLECTION.with(|path| path.borrow().starts_with("/v1/capture_forms")) {
        match field {
            "fields" => return json!([{"name": "mail", "field": "email", "required": true}]),
            "allowed_origins" => return json!(["https://www.example.com"]),
            "honeypot_field" => return json!("trap"),
            "defaults" => {
                return json!({
                    "lead_source": "website", "tags": ["web"], "owner_id": reference("owner_id", caller), "status": "contacted"
                });
            }
            "consent" => {
                return json!({"field": "news", "text": "Write to me.", "purpose": "news", "channel": "email"});
            }
            _ => {}
        }
    }
    match field {
        "forecast_category" => return json!("commit"), // the last one is for what is won
        "groups" => return json!([samples::score_group("other")]),
        "stages" => {
            return json!([
                {"key": "talk", "name": "Talk", "class": "open", "probability": 30},
                {"key": "won", "name": "Won", "class": "won"}, {"key": "lost", "name": "Lost", "class": "lost"}
            ]);
        }
        "amount" | "monthly" | "annual" | "annual_contract_value" => return json!("12.50"),
        _ => {}
    }
    if let Some(options) = property["enum"].as_array() {
        return options.last().unwrap().clone();
    }
    let kind = property["type"].as_str().or_else(|| property["type"][0].as_str()).unwrap_or_default();
    match (kind, property["format"].as_str()) {
        ("string", Some("uuid")) => reference(field, caller),
        ("string", Some("date")) => json!("1984-05-17"),
        ("string", Some("language-tag")) => json!("pt-BR"),
        ("string", Some("time-zone")) => json!("Europe/Berlin"),
        ("string", Some("uri")) => json!("https://example.com/x"),
        ("string", Some("email")) => json!("somebody@example.com"),
        ("string", Some("currency-code")) => json!("CHF"),
        ("string", Some("country-code")) => json!("CH"),
        ("string", Some("sort-order")) => json!("-name"),
        ("string", Some("date-time")) => json!("2099-01-01T00:00:00Z"),
        ("string", None) if field == "recurrence" => json!("FREQ=WEEKLY;BYDAY=MO"),
        ("string", None) if field == "scopes" => json!("contacts:read"),
        ("string", None) if field == "allowed_addresses" => json!("0.0.0.0/0"),
        ("string", None) if field == "key" => json!("another"),
        ("string", None) if property["pattern"].is_string() => json!("12.5"),
        ("string", None) if field == "domain" => json!("example.com"),
        ("string", None) if field == "number" => json!("+49 30 901820"),
        ("string", None) if field == "network" => json!("linkedin"),
        ("string", None) if field == "fields" => json!("name"),
        ("string", None) if field == "permissions" => json!("users:read"),
        ("string", None) => json!("Something else"),
        ("boolean", _) => json!(true),
        ("number", _) => json!(12.5),
        ("integer", _) => json!(7),
        ("object", _) if field == "custom" => {
            let resource = COLLECTION.with(|path| path.borrow().split('/').nth(2).unwrap().to_owned());
            let mut new = samples::body("NewCustomField", &unique());
            new["resource"] = json!(resource);
            json!({caller.create("/v1/custom_fields", &new)["key"].as_str().unwrap(): "Something else"})
        }
        ("array", _) => json!([sample(field, &property["items"], caller)]),
        ("object", _) if field == "filter" => {
            let is_rule = COLLECTION.with(|path| path.borrow().starts_with("/v1/assignment_rules"));
            samples::filter(if is_rule { "lead" } else { "contact" }, "something")
        }
        ("object", _) if property["properties"].is_null() => json!({"some": "text"}),
        ("object", _) => {
            let fields = property["properties"].as_object().unwrap().iter();
            // What is derived is not sent.
            let fields = fields.filter(|(name, _)| !["e164", "net_amount"].contains(&name.as_str()));
            Value::Object(fields.map(|(name, inner)| (name.clone(), sample(name, inner, caller))).collect())
        }
        other => panic!("{field}: no sample for {other:?}"),
    }
}

fn non_null(property: &'static Value) -> &'static Value {
    match property["oneOf"].as_array() {
        Some(forms) => resolve(forms.iter().find(|form| form["type"] != "null").unwrap()),
        None => resolve(property),
    }
}

fn reference(field: &str, caller: &Caller) -> Value {
    match field {
        "parent_id" if COLLECTION.with(|path| path.borrow().starts_with("/v1/teams")) => {
            caller.create("/v1/teams", &json!({"name": unique()}))["id"].clone()
        }
        // The parent of a task: its kind is the last there is.
        "id" => caller.create("/v1/products", &json!({"code": unique(), "name": "About"}))["id"].clone(),
        "product_id" => caller.create("/v1/products", &json!({"code": unique(), "name": "Sold"}))["id"].clone(),
        "contact_id" => caller.create("/v1/contacts", &json!({"first_name": "Referred to"}))["id"].clone(),
        "lost_reason_id" => json!(caller.get("/v1/lost_reasons").body["data"][0]["id"]),
        "company_id" | "parent_id" => caller.create("/v1/companies", &json!({"name": "Referred to"}))["id"].clone(),
        "team_id" => caller.create("/v1/teams", &json!({"name": unique()}))["id"].clone(),
        "role_ids" => json!(caller.get("/v1/roles").body["data"][0]["id"]),
        "team_ids" => caller.create("/v1/teams", &json!({"name": unique()}))["id"].clone(),
        "owner_id" | "user_id" | "user_ids" | "assignee_id" | "collaborator_ids" | "mentions" => {
            json!(OWNER.with(|owner| owner.borrow().clone()))
        }
        // Nothing has come through it yet, so it need not be there.
        "exclude_origins" => json!(uuid::Uuid::now_v7()),
        other => panic!("{other}: a new reference needs a record here"),
    }
}

fn unique() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

thread_local! {
    static OWNER: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
    static COLLECTION: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// Fields that only go together.
fn companions(field: &str) -> &'static [&'static str] {
    match field {
        "annual_revenue_amount" | "annual_revenue_currency" => &["annual_revenue_amount", "annual_revenue_currency"],
        "amount" => &["amount", "currency"],
        "lines" => &["lines", "currency"],
        "recurring" => &["recurring", "currency"],
        "reminders" => &["reminders", "due_at"],
        "recurrence" => &["recurrence", "due_at"],
        "expected_amount" | "currency" => &["expected_amount", "currency"],
        _ => &[],
    }
}

/// Fields that are made of another.
fn derived(field: &str) -> &'static [&'static str] {
    match field {
        "amount" => &["expected_amount"],
        "lines" => &["amount", "amount_source", "expected_amount"],
        "stages" => &["archived_stages"],
        "status" => &["status_class"],
        "recurrence" => &["series_id"],
        _ => &[],
    }
}

/// Whether what was read is what was sent, apart from what is derived.
fn holds(read: &Value, sent: &Value) -> bool {
    match (read, sent) {
        (Value::Object(read), Value::Object(sent)) => sent.iter().all(|(name, sent)| holds(&read[name], sent)),
        (Value::Array(read), Value::Array(sent)) => {
            read.len() == sent.len() && read.iter().zip(sent).all(|(read, sent)| holds(read, sent))
        }
        _ => read == sent,
    }
}

#[test]
fn every_field_is_set_kept_and_cleared() {
    for operation in patches() {
        let (workspace, admin) = workspace();
        COLLECTION.with(|path| path.borrow_mut().clone_from(&operation.path));
        OWNER.with(|owner| {
            *owner.borrow_mut() = workspace.user(
                "owner@example.com",
                rapport_domain::access::StandardRole::Agent,
                "a long enough password",
            );
        });
        let fields = schema(operation.body().unwrap())["properties"].as_object().unwrap();
        // A view of a program, as here, is for everyone; tests/it/workspace/views.rs changes that of a user.
        for (field, property) in fields.iter().filter(|(field, _)| *field != "visibility") {
            let path = operation.path_with(&samples::record_with(field, &operation.path, &admin));
            let mut patch = json!({field: sample(field, property, &admin)});
            for other in companions(field).iter().filter(|other| fields.contains_key(**other)) {
                patch[other] = sample(other, &fields[*other], &admin);
            }
            let before = admin.get(&path).body;
            let set = admin.patch(&path, &patch);
            set.expect(200);
            for (name, sent) in patch.as_object().unwrap() {
                assert!(holds(&set.body[name], sent), "{field}: sent {sent}, got {}", set.body[name]);
            }
            assert_eq!(set.body["version"], 2, "{field}");
            assert_eq!(admin.get(&path).body, set.body, "{field} is not what is kept");
            for (name, value) in before.as_object().unwrap() {
                let moves = ["version", "updated_at", "updated_by", "name"].contains(&name.as_str())
                    || derived(field).contains(&name.as_str());
                assert!(patch.get(name).is_some() || moves || set.body[name] == *value, "{field} changed {name}");
            }
            clears(field, fields, &path, &before, &admin);
        }
    }
}

fn clears(field: &str, fields: &'static serde_json::Map<String, Value>, path: &str, before: &Value, admin: &Caller) {
    let property = &fields[field];
    let nullable =
        property["oneOf"].is_array() || property["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
    let mut patch = json!({field: null});
    for other in companions(field).iter().filter(|other| fields.contains_key(**other)) {
        patch[other] = Value::Null;
    }
    let cleared = admin.patch(path, &patch);
    if !nullable {
        let answer = cleared;
        answer.expect_problem(422, "validation_failed");
        return;
    }
    cleared.expect(200);
    // A key without scopes may do everything, one with an empty list nothing: there null is not an empty list.
    let empty = match &before[field] {
        // Null gives them back to the stage.
        of_stage if ["probability", "forecast_category"].contains(&field) => of_stage.clone(),
        Value::Array(_) if field != "scopes" => json!([]),
        Value::Object(_) if field == "settings" => json!({}),
        _ => Value::Null,
    };
    assert_eq!(cleared.body[field], empty, "{field}");
}

#[test]
fn a_patch_that_changes_nothing_leaves_no_trace() {
    for operation in patches() {
        let (_, admin) = workspace();
        let path = operation.path_with(&samples::record_for(&operation.path, &admin));
        let before = admin.get(&path);
        let history = history_of(&admin, &path);
        let sent: Value = before
            .body
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| schema(operation.body().unwrap())["properties"].get(name).is_some())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        for patch in [json!({}), sent] {
            let after = admin.patch(&path, &patch);
            after.expect(200);
            assert_eq!(after.body, before.body);
        }
        assert_eq!(history_of(&admin, &path), history);
    }
}

/// The history without feed positions, which the sequencer gives whenever it comes by.
fn history_of(admin: &Caller, path: &str) -> Vec<Value> {
    let mut history = admin.all(&format!("{path}/history"));
    for entry in &mut history {
        entry["position"].take();
    }
    history
}

#[test]
fn a_stale_write_changes_nothing_and_names_the_version() {
    let (_, admin) = workspace();
    for operation in operations() {
        if operation.parameters("header").iter().any(|parameter| parameter["name"] == "If-Match") {
            let (collection, path, id) = match operation.path.split_once("/by-external-id/") {
                Some((collection, _)) => {
                    let (path, id) = upserted(&operation, &admin);
                    (collection, path, id)
                }
                None => {
                    let id = samples::record_for(&operation.path, &admin);
                    (operation.path.split("/{").next().unwrap(), operation.path_with(&id), id)
                }
            };
            let record = format!("{collection}/{id}");
            let unique = uuid::Uuid::now_v7().simple().to_string();
            let body =
                operation.body().map(|name| samples::body_with_records(name, &unique, &admin).to_string().into_bytes());
            let before = admin.get(&record).body;
            let headers = [("Content-Type", "application/json"), ("If-Match", "\"7\"")];
            let answer = admin.send(&operation.method, &path, &headers, body.clone());
            answer.expect_problem(412, "precondition_failed");
            let version = before["version"].as_i64().unwrap();
            assert_eq!(answer.body["current_version"], version, "{}", operation.id());
            assert_eq!(admin.get(&record).body, before);

            let etag = format!("\"{version}\"");
            let headers = [("Content-Type", "application/json"), ("If-Match", etag.as_str())];
            let answer = admin.send(&operation.method, &path, &headers, body);
            assert!(answer.status < 300, "{}: {}", operation.id(), answer.text);
        }
    }
}

/// A record that an outside system knows by an id: its address under that, and its own id. Nobody who names a version creates one.
fn upserted(operation: &Operation, admin: &Caller) -> (String, String) {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let path = operation.path_with(&unique);
    let body = samples::body_with_records(operation.body().unwrap(), &unique, admin);
    for expected in ["\"1\"", "*"] {
        let headers = [("Content-Type", "application/json"), ("If-Match", expected)];
        let answer = admin.send("PUT", &path, &headers, Some(body.to_string().into_bytes()));
        answer.expect_problem(412, "precondition_failed");
    }
    let created = admin.put(&path, &body);
    created.expect(201);
    (path, created.body["record"]["id"].as_str().unwrap().to_owned())
}
