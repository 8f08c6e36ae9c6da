//! One valid body for each schema that creates something, so that every operation can be called.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, Workspace};

/// An id that no record has.
pub const NOBODY: &str = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b";

/// A body in the shape of this schema. `unique` makes it differ from others.
pub fn body(schema: &str, unique: &str) -> Value {
    match schema {
        "NewContact" => {
            json!({"first_name": "Ada", "last_name": unique, "emails": [{"address": format!("{unique}@example.com")}]})
        }
        "NewCompany" => json!({"name": unique}),
        // Whoever acts for no user names one: see body_with_records.
        "NewCalendarFeed" => json!({"name": unique, "user_id": NOBODY}),
        // About nothing that is there: see body_with_records. Not internal, so that a patch with true changes something.
        "NewNote" => json!({"parent": {"kind": "company", "id": NOBODY}, "body": unique, "internal": false}),
        "NotePatch" => json!({"parent": {"kind": "company", "id": NOBODY}, "body": unique}),
        "NoteSearch" => json!({"filter": filter_by("note", "body", unique), "limit": 1}),
        "NoteBatch" => json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewNote", unique)}]}),
        "NewTask" => json!({"name": unique, "due_at": "2099-12-01T09:00:00Z"}),
        "TaskPatch" => json!({"name": unique}),
        "TaskSearch" => json!({"filter": filter("task", unique), "limit": 1}),
        "TaskBatch" => json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewTask", unique)}]}),
        // Not active, so that a patch with true changes something.
        "NewProduct" => json!({"code": unique, "name": unique, "active": false}),
        // With what a new one needs, for upserts.
        "ContactPatch" => json!({"last_name": unique}),
        "CompanyPatch" => json!({"name": unique}),
        "ProductPatch" => json!({"code": unique, "name": unique}),
        "ContactSearch" => json!({"filter": filter("contact", unique), "limit": 1}),
        "CompanySearch" => json!({"filter": filter("company", unique), "limit": 1}),
        "PipelineReportQuery" => json!({"group_by": "stage", "currency": "EUR"}),
        "WinRateQuery" => {
            json!({"from": "2026-01-01", "to": "2027-01-01", "group_by": "owner", "currency": "EUR"})
        }
        // Of a pipeline that is there: see body_with_records.
        "FunnelQuery" => {
            json!({"pipeline_id": NOBODY, "from": "2026-01-01", "to": "2027-01-01", "currency": "EUR"})
        }
        "ActivityQuery" => json!({"from": "2026-01-01", "to": "2027-01-01", "currency": "EUR"}),
        "ForecastQuery" => json!({"currency": "EUR"}),
        "NewOpportunity" => json!({"name": unique}),
        "OpportunityPatch" => json!({"name": unique}),
        "OpportunitySearch" => json!({"filter": filter("opportunity", unique), "limit": 1}),
        "OpportunityBatch" => {
            json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewOpportunity", unique)}]})
        }
        "MoveOpportunity" => json!({"stage_id": NOBODY}),
        "WinOpportunity" | "ReopenOpportunity" => json!({}),
        "LoseOpportunity" => json!({"lost_reason_id": NOBODY}),
        "NewPipeline" => json!({"name": unique, "allow_backward": false, "allow_skip": false}),
        "PipelinePatch" => json!({"name": unique}),
        "NewScoreDefinition" => json!({"name": unique, "entity": "lead", "groups": [score_group("fit")]}),
        "ScoreDefinitionPatch" => json!({"name": unique}),
        "StageTransfer" => json!({"from_stage_id": NOBODY, "to_stage_id": NOBODY}),
        "ProductSearch" => json!({"filter": filter("product", unique), "limit": 1}),
        "FilterInquiry" => json!({"filter": filter("contact", unique)}),
        "NewUser" => json!({"email": format!("{unique}@example.com"), "name": unique}),
        "UserPatch" => json!({"name": unique}),
        "Transfer" => json!({"to": [NOBODY]}),
        "ContactBatch" => json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewContact", unique)}]}),
        "CompanyBatch" => json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewCompany", unique)}]}),
        "ProductBatch" => json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewProduct", unique)}]}),
        "NewView" => json!({"resource": "contacts", "name": unique, "visibility": "everyone"}),
        "ViewPatch" => json!({"name": unique}),
        "NewConnection" => json!({"key": format!("k{unique}"), "name": "Shop", "kind": "shop", "direction": "read"}),
        "ConnectionPatch" => json!({"name": unique}),
        // Switched off, so that a patch with true changes something and nothing is sent.
        "NewWebhook" => json!({"name": unique, "url": format!("https://{unique}.example.com/"), "enabled": false}),
        "WebhookPatch" => json!({"name": unique}),
        "WebhookReplay" => json!({}),
        // At another address than the contact of the same name, who would be a duplicate.
        "NewLead" => {
            json!({"first_name": "Ada", "last_name": unique, "emails": [{"address": format!("{unique}@example.org")}]})
        }
        "LeadPatch" => json!({"last_name": unique}),
        "ConvertLead" => json!({"opportunity": {}}),
        "LeadMove" => json!({"status": "contacted"}),
        "LeadSearch" => json!({"filter": filter("lead", unique), "limit": 1}),
        "LeadBatch" => json!({"operations": [{"op": "create", "ref": "a1", "data": body("NewLead", unique)}]}),
        "NewLeadStatus" => json!({"key": key(unique), "name": unique, "class": "ongoing"}),
        "LeadStatusPatch" => json!({"name": unique}),
        "NewAssignmentRule" => {
            json!({"name": unique, "strategy": "round_robin", "user_ids": [NOBODY], "active": false})
        }
        "AssignmentRulePatch" => json!({"name": unique}),
        // Not active, so that a patch with true changes something.
        "NewCaptureForm" => json!({
            "name": unique, "active": false,
            "fields": [{"name": "name", "field": "last_name", "required": true}, {"name": "email", "field": "email"}]
        }),
        "CaptureFormPatch" => json!({"name": unique}),
        "CaptureSubmission" => json!({"fields": {"name": unique, "email": format!("{unique}@example.net")}}),
        "NewLostReason" => json!({"key": key(unique), "name": unique}),
        "LostReasonPatch" => json!({"description": unique}),
        "NewExchangeRate" => rate(),
        "ExchangeRateList" => json!({"rates": [rate()]}),
        "NewTeam" => json!({"name": unique}),
        "TeamPatch" => json!({"description": unique}),
        "NewCustomField" => {
            json!({"resource": "contacts", "key": key(unique), "label": unique, "type": "text"})
        }
        "CustomFieldPatch" => json!({"description": unique}),
        "NewRole" => json!({"name": unique}),
        "RolePatch" => json!({"description": unique}),
        "NewShare" => json!({"resource": "contacts", "record_id": NOBODY, "user_id": NOBODY}),
        "Login" => json!({"workspace": unique, "email": "nobody@example.com", "password": "wrong"}),
        "Refresh" => json!({"refresh_token": format!("rt_{unique}")}),
        // With as little as whoever creates it has at least.
        "NewApiKey" => json!({"name": unique, "scopes": ["api_keys:write"]}),
        "ApiKeyPatch" => json!({"name": unique}),
        "ApiKeyRotation" => json!({"overlap_hours": 1}),
        "PasswordReset" => json!({"workspace": unique, "email": "nobody@example.com"}),
        "PasswordResetConfirmation" => json!({"token": unique, "password": "correct horse battery staple"}),
        "InviteAcceptance" => json!({"token": unique, "password": "correct horse battery staple"}),
        "PasswordChange" => {
            json!({"current_password": "a long enough password", "new_password": "another password, long enough"})
        }
        other => panic!("{other} has no sample: add one here"),
    }
}

fn rate() -> Value {
    json!({"from_currency": "EUR", "to_currency": "USD", "rate": "1.0842", "valid_from": "2026-11-20"})
}

/// A group of a score definition with a rule.
pub fn score_group(key: &str) -> Value {
    let rule = json!({"key": "named", "points": 5, "when": filter("lead", "something")});
    json!({"kind": "fit", "key": key, "name": "What it is", "max": 40, "rules": [rule]})
}

/// A name for programs.
fn key(unique: &str) -> String {
    format!("k_{}", unique.to_lowercase().replace('-', "_"))
}

pub fn filter(entity: &str, unique: &str) -> Value {
    filter_by(entity, "name", unique)
}

fn filter_by(entity: &str, field: &str, unique: &str) -> Value {
    json!({"version": 1, "entity": entity, "where": {"type": "text", "field": field, "op": "contains", "value": unique}})
}

/// A body for an operation, with records of this caller where it names some.
pub fn body_with_records(schema: &str, unique: &str, caller: &Caller) -> Value {
    match schema {
        "Transfer" => {
            let user = caller.create("/v1/users", &body("NewUser", unique))["id"].clone();
            caller.post(&format!("/v1/users/{}/activate", user.as_str().unwrap()), &json!({})).expect(200);
            json!({"to": [user]})
        }
        "StageTransfer" => {
            let stages = &default_pipeline(caller)["stages"];
            json!({"from_stage_id": stages[0]["id"], "to_stage_id": stages[1]["id"]})
        }
        "FunnelQuery" => {
            let mut query = body(schema, unique);
            query["pipeline_id"] = default_pipeline(caller)["id"].clone();
            query
        }
        "MoveOpportunity" => json!({"stage_id": default_pipeline(caller)["stages"][1]["id"]}),
        "LoseOpportunity" => json!({"lost_reason_id": caller.get("/v1/lost_reasons?limit=1").body["data"][0]["id"]}),
        "NewShare" => {
            let contact = caller.create("/v1/contacts", &body("NewContact", unique));
            let team = caller.create("/v1/teams", &body("NewTeam", unique));
            json!({"resource": "contacts", "record_id": contact["id"], "team_id": team["id"]})
        }
        "NewAssignmentRule" => {
            let user = body("NewUser", &uuid::Uuid::now_v7().simple().to_string());
            let mut rule = body(schema, unique);
            rule["user_ids"] = json!([caller.create("/v1/users", &user)["id"]]);
            rule
        }
        "NewNote" | "NotePatch" => {
            let mut note = body(schema, unique);
            note["parent"]["id"] = caller.create("/v1/companies", &body("NewCompany", unique))["id"].clone();
            note
        }
        "NoteBatch" => {
            json!({"operations": [{"op": "create", "ref": "a1", "data": body_with_records("NewNote", unique, caller)}]})
        }
        "NewCalendarFeed" => {
            let user = body("NewUser", &uuid::Uuid::now_v7().simple().to_string());
            json!({"name": unique, "user_id": caller.create("/v1/users", &user)["id"]})
        }
        _ => body(schema, unique),
    }
}

/// The pipeline in which opportunities begin.
pub fn default_pipeline(caller: &Caller) -> Value {
    let pipelines = caller.all("/v1/pipelines");
    pipelines.into_iter().find(|pipeline| pipeline["is_default"] == true).unwrap()
}

/// The query that an operation can't do without, with records of this caller.
pub fn query_with_records(operation_id: &str, caller: &Caller) -> String {
    match operation_id {
        "explain_access" => {
            let contact = record_for("/v1/contacts/", caller);
            format!("?resource=contacts&record={contact}&user={}", record_for("/v1/users/", caller))
        }
        "list_shares" => format!("?resource=contacts&record_id={}", record_for("/v1/contacts/", caller)),
        _ => String::new(),
    }
}

/// The collections of the document: where a POST creates a record, with the schema it takes.
pub fn collections() -> Vec<(String, &'static str)> {
    crate::harness::contract::operations()
        .into_iter()
        .filter(|operation| operation.method == "POST" && operation.value["responses"].get("201").is_some())
        .map(|operation| (operation.path.clone(), operation.body().unwrap()))
        .collect()
}

/// A record in the collection to which a path belongs; gives its id.
pub fn record_for(path: &str, caller: &Caller) -> String {
    if path.starts_with("/v1/sessions/") {
        return session_beside(caller);
    }
    if path == "/v1/pipelines/{pipeline_id}/transfer" {
        return default_pipeline(caller)["id"].as_str().unwrap().to_owned(); // whose stages the body names
    }
    if path == "/v1/capture/{form_key}" {
        return open_form(caller); // a key and no id: the address is public
    }
    if path.starts_with("/v1/leads/") && path.ends_with("/recycle") {
        return lost_lead(caller);
    }
    if path.starts_with("/v1/leads/") && path.ends_with("/unconvert") {
        let lead = record_for("/v1/leads/{lead_id}", caller);
        caller.post(&format!("/v1/leads/{lead}/convert"), &json!({})).expect(200);
        return lead;
    }
    if let Some((collection, _)) = path.split_once("/by-external-id/") {
        let id = record_for(&format!("{collection}/"), caller);
        give_external_id(collection, &id, caller);
        return id;
    }
    let (collection, schema) = collections()
        .into_iter()
        .find(|(collection, _)| path.starts_with(&format!("{collection}/")))
        .unwrap_or_else(|| panic!("{path} belongs to no collection"));
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let body = body_with_records(schema, &unique, caller);
    caller.create(&collection, &body)["id"].as_str().unwrap().to_owned()
}

/// Gives a record its own id as that of imported files, too.
pub fn give_external_id(collection: &str, id: &str, caller: &Caller) {
    caller.put(&format!("{collection}/by-external-id/import/{id}?record_id={id}"), &json!({})).expect(200);
}

/// A record in the collection to which a path belongs that has this field at all; gives its id.
pub fn record_with(field: &str, path: &str, caller: &Caller) -> String {
    let kind = match field {
        "lost_reason_id" | "lost_note" if path.starts_with("/v1/leads/") => return lost_lead(caller),
        _ if !path.starts_with("/v1/custom_fields/") => return record_for(path, caller),
        "min" | "max" => json!({"type": "number"}),
        "options" => json!({"type": "choice", "options": [{"key": "one", "label": "One"}]}),
        _ => return record_for(path, caller),
    };
    let mut new = body("NewCustomField", &uuid::Uuid::now_v7().simple().to_string());
    new.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
    caller.create("/v1/custom_fields", &new)["id"].as_str().unwrap().to_owned()
}

/// A capture form that takes submissions; gives its key.
fn open_form(caller: &Caller) -> String {
    let mut new = body("NewCaptureForm", &uuid::Uuid::now_v7().simple().to_string());
    new["active"] = json!(true);
    caller.create("/v1/capture_forms", &new)["key"].as_str().unwrap().to_owned()
}

/// A lead that is lost and needs no reason for it; gives its id.
fn lost_lead(caller: &Caller) -> String {
    let mut new = body("NewLead", &uuid::Uuid::now_v7().simple().to_string());
    new["status"] = json!("junk");
    caller.create("/v1/leads", &new)["id"].as_str().unwrap().to_owned()
}

/// A session of a new user in the workspace of a caller, who has to see users' sessions; gives its id.
fn session_beside(caller: &Caller) -> String {
    let me = caller.get("/v1/me").body;
    let workspace = Workspace::of(&me["workspace"]);
    let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
    let user = workspace.user(&email, StandardRole::Agent, "a long enough password");
    workspace.sign_in(&email, "a long enough password");
    let sessions = workspace.admin().all(&format!("/v1/sessions?user_id={user}"));
    sessions[0]["id"].as_str().unwrap().to_owned()
}
