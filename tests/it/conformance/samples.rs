//! One valid body for each schema that creates something, so that every operation can be called.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, Workspace};

/// A body in the shape of this schema. `unique` makes it differ from others.
pub fn body(schema: &str, unique: &str) -> Value {
    match schema {
        "NewContact" => {
            json!({"first_name": "Ada", "last_name": unique, "emails": [{"address": format!("{unique}@example.com")}]})
        }
        "NewCompany" => json!({"name": unique}),
        "ContactPatch" => json!({"job_title": unique}),
        "CompanyPatch" => json!({"territory": unique}),
        "Login" => json!({"workspace": unique, "email": "nobody@example.com", "password": "wrong"}),
        "Refresh" => json!({"refresh_token": format!("rt_{unique}")}),
        other => panic!("{other} has no sample: add one here"),
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
    let (collection, schema) = collections()
        .into_iter()
        .find(|(collection, _)| path.starts_with(&format!("{collection}/")))
        .unwrap_or_else(|| panic!("{path} belongs to no collection"));
    let unique = uuid::Uuid::now_v7().simple().to_string();
    caller.create(&collection, &body(schema, &unique))["id"].as_str().unwrap().to_owned()
}

/// A session of a new user in the workspace of a caller, who has to see users' sessions; gives its id.
fn session_beside(caller: &Caller) -> String {
    let me = caller.get("/v1/me").body;
    let workspace = Workspace::of(&me["workspace"]);
    let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
    let user = workspace.user(&email, StandardRole::Agent, "a long enough password");
    workspace.sign_in(&email, "a long enough password").expect(200);
    let sessions = workspace.admin().all(&format!("/v1/sessions?user_id={user}"));
    sessions[0]["id"].as_str().unwrap().to_owned()
}
