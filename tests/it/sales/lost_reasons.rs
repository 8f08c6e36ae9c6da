//! Lost reasons.

use rapport_domain::access::StandardRole;
use serde_json::json;

use crate::harness::{Caller, workspace};

fn keys(caller: &Caller, query: &str) -> Vec<String> {
    let reasons = caller.all(&format!("/v1/lost_reasons{query}"));
    reasons.iter().map(|reason| reason["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_workspace_begins_with_the_usual_reasons_in_their_order() {
    let (_, admin) = workspace();
    let seeds = [
        "price",
        "competition",
        "budget",
        "missing_feature",
        "long_sales_cycle",
        "no_decision_maker",
        "unresponsive",
        "poor_fit",
        "other",
    ];
    assert_eq!(keys(&admin, ""), seeds);
    assert_eq!(keys(&admin, "?limit=4"), seeds, "page by page");
}

#[test]
fn a_new_reason_comes_last_and_can_be_moved() {
    let (_, admin) = workspace();
    let late = admin.create("/v1/lost_reasons", &json!({"key": "late", "name": " We deliver too late "}));
    assert_eq!((&late["name"], &late["position"]), (&json!("We deliver too late"), &json!(10)));
    assert_eq!(keys(&admin, "").last().unwrap(), "late");
    let path = format!("/v1/lost_reasons/{}", late["id"].as_str().unwrap());
    admin.patch(&path, &json!({"position": 0})).expect(200);
    assert_eq!(keys(&admin, "")[0], "late");
    admin.patch(&path, &json!({"key": "later"})).expect_problem(422, "validation_failed");
}

#[test]
fn an_archived_reason_is_listed_only_when_asked_for() {
    let (_, admin) = workspace();
    let reason = admin.get("/v1/lost_reasons?limit=1").body["data"][0].clone();
    let path = format!("/v1/lost_reasons/{}", reason["id"].as_str().unwrap());
    admin.patch(&path, &json!({"archived": true})).expect(200);
    assert!(!keys(&admin, "").contains(&"price".to_owned()));
    assert_eq!(keys(&admin, "?archived=include")[0], "price");
    admin.patch(&path, &json!({"archived": false})).expect(200);
    assert_eq!(keys(&admin, "")[0], "price");
}

#[test]
fn a_key_is_unique_and_a_name_for_programs() {
    let (_, admin) = workspace();
    let again = admin.post("/v1/lost_reasons", &json!({"key": "price", "name": "Once more"}));
    again.expect_problem(409, "conflict");
    assert_eq!(again.body["errors"][0]["code"], "key_taken");
    for key in ["Price", "1st", "too-late", ""] {
        admin.post("/v1/lost_reasons", &json!({"key": key, "name": "x"})).expect_problem(422, "validation_failed");
    }
}

#[test]
fn everybody_reads_them_and_managers_change_them() {
    let (workspace, admin) = workspace();
    let reason = admin.get("/v1/lost_reasons?limit=1").body["data"][0].clone();
    let path = format!("/v1/lost_reasons/{}", reason["id"].as_str().unwrap());
    for role in [StandardRole::ReadOnly, StandardRole::Agent] {
        let caller = workspace.signed_in(role);
        assert_eq!(keys(&caller, "").len(), 9);
        caller.get(&path).expect(200);
        caller.patch(&path, &json!({"name": "x"})).expect_problem(403, "forbidden");
    }
    let manager = workspace.signed_in(StandardRole::Manager);
    manager.patch(&path, &json!({"name": "Too expensive"})).expect(200);
    manager.delete(&path).expect(204);
    manager.get(&path).expect_problem(404, "not_found");
    assert_eq!(keys(&admin, "").len(), 8);
}
