//! Connections.

use serde_json::json;

use crate::harness::workspace;

#[test]
fn a_connection_keeps_what_it_was_given_and_its_key() {
    let (_, admin) = workspace();
    let new = json!({"key": "shop", "name": " Web shop ", "kind": "shop", "direction": "read",
                     "settings": {"shop_id": "4711"}});
    let connection = admin.create("/v1/connections", &new);
    assert_eq!(connection["name"], "Web shop");
    assert_eq!((&connection["status"], &connection["settings"]), (&json!("active"), &json!({"shop_id": "4711"})));

    let path = format!("/v1/connections/{}", connection["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).body, connection);
    admin.patch(&path, &json!({"key": "other"})).expect_problem(422, "validation_failed");
    let changed = admin.patch(&path, &json!({"settings": {}, "status": "paused"})).body;
    assert_eq!((&changed["settings"], &changed["status"]), (&json!({}), &json!("paused")));
}

#[test]
fn a_key_is_unique_and_not_that_of_imports() {
    let (_, admin) = workspace();
    admin.create("/v1/connections", &json!({"key": "shop", "name": "One"}));
    let again = admin.post("/v1/connections", &json!({"key": "shop", "name": "Two"}));
    again.expect_problem(409, "conflict");
    assert_eq!(again.body["errors"][0]["code"], "key_taken");
    let reserved = admin.post("/v1/connections", &json!({"key": "import", "name": "Files"}));
    reserved.expect_problem(422, "validation_failed");
    reserved.expect_errors(&[("/key", "reserved")]);
    for key in ["Shop", "1shop", "s hop", ""] {
        admin.post("/v1/connections", &json!({"key": key, "name": "x"})).expect_problem(422, "validation_failed");
    }
}

#[test]
fn a_connection_that_records_have_ids_of_stays() {
    let (_, admin) = workspace();
    let connection = admin.create("/v1/connections", &json!({"key": "shop", "name": "Shop"}));
    let path = format!("/v1/connections/{}", connection["id"].as_str().unwrap());
    admin.put("/v1/contacts/by-external-id/shop/1", &json!({"first_name": "Ada"})).expect(201);
    let refused = admin.delete(&path);
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "in_use");

    let unused = admin.create("/v1/connections", &json!({"key": "till", "name": "Till"}));
    let path = format!("/v1/connections/{}", unused["id"].as_str().unwrap());
    admin.delete(&path).expect(204);
    admin.get(&path).expect_problem(404, "not_found");
    assert_eq!(admin.all("/v1/connections").len(), 1);
}
