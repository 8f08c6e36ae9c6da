//! One valid body for each schema that creates something, so that every operation can be called.

use serde_json::{Value, json};

use crate::harness::Caller;

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
    let (collection, schema) = collections()
        .into_iter()
        .find(|(collection, _)| path.starts_with(&format!("{collection}/")))
        .unwrap_or_else(|| panic!("{path} belongs to no collection"));
    let unique = uuid::Uuid::now_v7().simple().to_string();
    caller.create(&collection, &body(schema, &unique))["id"].as_str().unwrap().to_owned()
}
