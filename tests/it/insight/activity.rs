//! What users have done.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Caller, workspace},
};

fn ask(caller: &Caller, to: &str) -> Value {
    let answer = caller.post("/v1/reports/activity", &json!({"from": "2020-01-01", "to": to, "currency": "EUR"}));
    answer.expect(200);
    answer.body
}

#[test]
fn everybody_is_told_what_they_have_done() {
    let (workspace, admin) = workspace();
    let ada = workspace.signed_in(StandardRole::Manager);
    let pipeline = default_pipeline(&admin);
    let reason = admin.get("/v1/lost_reasons").body["data"][0]["id"].clone();
    let begin = || {
        let new = json!({"name": "x", "amount": "250.00", "currency": "EUR"});
        ada.create("/v1/opportunities", &new)["id"].as_str().unwrap().to_owned()
    };
    let act = |id: &str, deed: &str, how: Value| ada.post(&format!("/v1/opportunities/{id}/{deed}"), &how).expect(200);
    let (won, lost) = (begin(), begin());
    act(&won, "move", json!({"stage_id": pipeline["stages"][1]["id"]}));
    // Changes that are no move count for nothing.
    ada.patch(&format!("/v1/opportunities/{won}"), &json!({"amount": "300.00"})).expect(200);
    act(&won, "win", json!({}));
    act(&lost, "lose", json!({"lost_reason_id": reason}));
    act(&lost, "reopen", json!({}));
    let lead = ada.create("/v1/leads", &json!({"last_name": "Byron", "status": "contacted"}));
    let lead = lead["id"].as_str().unwrap();
    ada.post(&format!("/v1/leads/{lead}/move"), &json!({"status": "qualified"})).expect(200);
    let task = ada.create("/v1/tasks", &json!({"name": "Call", "due_at": "2099-12-01T09:00:00Z"}));
    ada.send("POST", &format!("/v1/tasks/{}/complete", task["id"].as_str().unwrap()), &[], None).expect(200);
    // What a program does is not what a user does.
    admin.create("/v1/opportunities", &json!({"name": "y"}));

    let report = ask(&admin, "2029-01-01");
    assert_eq!(report["users"].as_array().unwrap().len(), 1, "{report}");
    let figures = &report["users"][0]["figures"];
    assert_eq!(
        *figures,
        json!({
            "opportunities_created": 2, "opportunities_moved": 2, "opportunities_won": 1, "won_amount": "300.00",
            "opportunities_lost": 1, "leads_created": 1, "leads_moved": 1, "leads_converted": 0, "tasks_completed": 1,
        })
    );
    assert_eq!(report["total"], *figures);
    assert!(report["users"][0]["name"].is_string());
    assert_eq!(ask(&admin, "2021-01-01")["users"], json!([]));
    let blind = workspace.scoped(&["opportunities:read"]);
    let seen = ask(&blind, "2029-01-01");
    assert_eq!((&seen["total"]["leads_created"], &seen["total"]["tasks_completed"]), (&Value::Null, &Value::Null));
    assert_eq!(seen["total"]["opportunities_won"], 1);

    let query = json!({"from": "2020-01-01", "to": "2029-01-01", "currency": "EUR"});
    let table = admin.post("/v1/reports/activity.csv", &query);
    table.expect(200);
    assert_eq!(table.text.trim_end().lines().last().unwrap(), ",Total,2,2,1,300.00,EUR,1,1,1,0,1");
}

#[test]
fn what_is_closed_and_transferred_was_closed_once() {
    let (workspace, admin) = workspace();
    let (ada, chief) = (workspace.signed_in(StandardRole::Manager), workspace.signed_in(StandardRole::Admin));
    let own = default_pipeline(&admin);
    let other = admin.create("/v1/pipelines", &json!({"name": "Renewals"}));
    let reason = admin.get("/v1/lost_reasons").body["data"][0]["id"].clone();
    for (deed, how) in [("win", json!({})), ("lose", json!({"lost_reason_id": reason}))] {
        let new = json!({"name": "x", "amount": "300.00", "currency": "EUR"});
        let id = ada.create("/v1/opportunities", &new)["id"].as_str().unwrap().to_owned();
        ada.post(&format!("/v1/opportunities/{id}/{deed}"), &how).expect(200);
    }
    let before = ask(&admin, "2029-01-01");
    let (won, lost) = (&before["total"]["opportunities_won"], &before["total"]["opportunities_lost"]);
    assert_eq!((won, lost, &before["total"]["won_amount"]), (&json!(1), &json!(1), &json!("300.00")));

    // There and back again, by somebody else: what they were in first has ended then, and what came after it, too.
    for (from, to) in [(&own, &other), (&other, &own)] {
        for class in ["won", "lost"] {
            let stage = |pipeline: &Value| {
                let mut stages = pipeline["stages"].as_array().unwrap().iter();
                stages.find(|stage| stage["class"] == class).unwrap()["id"].clone()
            };
            let transfer = json!({"from_stage_id": stage(from), "to_stage_id": stage(to)});
            let path = format!("/v1/pipelines/{}/transfer", from["id"].as_str().unwrap());
            let moved = chief.post(&path, &transfer);
            moved.expect(200);
            assert_eq!(moved.body["moved"], 1);
        }
        let after = ask(&admin, "2029-01-01");
        assert_eq!((&after["users"], &after["total"]), (&before["users"], &before["total"]));
    }
}
