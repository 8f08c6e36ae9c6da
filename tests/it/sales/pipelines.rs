//! Pipelines and their stages.

use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Caller, workspace},
};

fn path(pipeline: &Value) -> String {
    format!("/v1/pipelines/{}", pipeline["id"].as_str().unwrap())
}

fn keys(pipeline: &Value) -> Vec<&str> {
    pipeline["stages"].as_array().unwrap().iter().map(|stage| stage["key"].as_str().unwrap()).collect()
}

fn in_stage(stage: &Value, admin: &Caller) -> Value {
    admin.create("/v1/opportunities", &json!({"name": "Packing line", "stage_id": stage["id"]}))
}

#[test]
fn a_workspace_begins_with_a_default_pipeline() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    assert_eq!(keys(&pipeline), ["prospecting", "qualification", "proposal", "negotiation", "won", "lost"]);
    let probabilities: Vec<i64> =
        pipeline["stages"].as_array().unwrap().iter().map(|stage| stage["probability"].as_i64().unwrap()).collect();
    assert_eq!(probabilities, [10, 20, 50, 80, 100, 0]);
    let opportunity = admin.create("/v1/opportunities", &json!({"name": "Packing line"}));
    assert_eq!(opportunity["stage_id"], pipeline["stages"][0]["id"]);
}

#[test]
fn there_is_one_default_and_another_takes_its_place() {
    let (_, admin) = workspace();
    let first = default_pipeline(&admin);
    let second = admin.create("/v1/pipelines", &json!({"name": "Renewals", "is_default": true}));
    assert_eq!(admin.get(&path(&first)).body["is_default"], false);
    admin.patch(&path(&second), &json!({"is_default": false})).expect_errors(&[("/is_default", "required")]);
    admin.patch(&path(&second), &json!({"archived": true})).expect_errors(&[("/archived", "not_allowed")]);
    let refused = admin.delete(&path(&second));
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "in_use");
    admin.patch(&path(&first), &json!({"is_default": true})).expect(200);
    assert_eq!(default_pipeline(&admin)["id"], first["id"]);
    admin.delete(&path(&second)).expect(204);
}

#[test]
fn of_many_who_make_their_pipeline_the_default_at_once_one_is() {
    let (_, admin) = workspace();
    let all: Vec<Value> =
        (0..6).map(|number| admin.create("/v1/pipelines", &json!({"name": format!("P{number}")}))).collect();
    std::thread::scope(|scope| {
        for pipeline in &all {
            scope.spawn(|| {
                let status = admin.patch(&path(pipeline), &json!({"is_default": true})).status;
                assert!([200, 409, 503].contains(&status), "{status}");
            });
        }
    });
    let defaults = admin.all("/v1/pipelines").iter().filter(|pipeline| pipeline["is_default"] == true).count();
    assert_eq!(defaults, 1);
}

#[test]
fn stages_are_added_moved_and_taken_away() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    let mut stages = pipeline["stages"].as_array().unwrap().clone();
    stages.remove(1);
    stages.swap(0, 1);
    stages.insert(2, json!({"key": "trial", "name": "Trial", "class": "open", "probability": 60}));
    let changed = admin.patch(&path(&pipeline), &json!({"stages": stages}));
    changed.expect(200);
    assert_eq!(keys(&changed.body), ["proposal", "prospecting", "trial", "negotiation", "won", "lost"]);
    assert_eq!(changed.body["archived_stages"][0]["key"], "qualification");
    assert_eq!(changed.body["version"], 2);
    assert_eq!(admin.get(&path(&pipeline)).body, changed.body);
    let history = admin.all(&format!("{}/history", path(&pipeline)));
    assert_eq!(history[0]["changes"][0]["field"], "stages");
    // One of another pipeline is none of its own, and neither is one that was taken away.
    let gone = json!({"stages": [pipeline["stages"][1], stages[4], stages[5]]});
    admin.patch(&path(&pipeline), &gone).expect_errors(&[("/stages/0/id", "unknown_reference")]);
    let archived = json!({"name": "x", "stage_id": pipeline["stages"][1]["id"]});
    admin.post("/v1/opportunities", &archived).expect_errors(&[("/stage_id", "unknown_reference")]);
}

#[test]
fn a_stage_in_use_stays_until_its_opportunities_have_gone_elsewhere() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    let [from, to] = [&pipeline["stages"][1], &pipeline["stages"][2]];
    let inside: Vec<Value> = (0..3).map(|_| in_stage(from, &admin)).collect();
    let mut left = pipeline["stages"].as_array().unwrap().clone();
    left.remove(1);
    let refused = admin.patch(&path(&pipeline), &json!({"stages": left}));
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "in_use");
    assert!(refused.body["detail"].as_str().unwrap().contains("3 opportunities"), "{}", refused.text);
    assert_eq!(admin.get(&path(&pipeline)).body, pipeline);

    let move_all = format!("{}/transfer", path(&pipeline));
    let won = json!({"from_stage_id": from["id"], "to_stage_id": pipeline["stages"][4]["id"]});
    admin.post(&move_all, &won).expect_errors(&[("/to_stage_id", "not_allowed")]);
    let moved = admin.post(&move_all, &json!({"from_stage_id": from["id"], "to_stage_id": to["id"]}));
    moved.expect(200);
    assert_eq!(moved.body, json!({"moved": 3, "remaining": 0}));
    admin.patch(&path(&pipeline), &json!({"stages": left})).expect(200);
    for opportunity in &inside {
        let address = format!("/v1/opportunities/{}", opportunity["id"].as_str().unwrap());
        let now = admin.get(&address).body;
        assert_eq!((&now["stage_id"], &now["version"]), (&to["id"], &json!(2)));
        let spells = admin.all(&format!("{address}/stage_history"));
        assert_eq!((spells.len(), &spells[1]["from_stage_id"]), (2, &from["id"]));
    }
    let refused = admin.delete(&path(&pipeline));
    refused.expect_problem(409, "conflict");
}

/// Whoever brings an opportunity to a stage and whoever takes the stage away take turns.
#[test]
fn no_opportunity_comes_to_a_stage_that_is_taken_away() {
    let (_, admin) = workspace();
    for round in 0..8 {
        let pipeline = admin.create("/v1/pipelines", &json!({"name": format!("Round {round}")}));
        let stage = &pipeline["stages"][1];
        let mut left = pipeline["stages"].as_array().unwrap().clone();
        left.remove(1);
        let (created, taken) = std::thread::scope(|scope| {
            let create = || admin.post("/v1/opportunities", &json!({"name": "x", "stage_id": stage["id"]})).status;
            let creates = scope.spawn(create);
            let takes = scope.spawn(|| admin.patch(&path(&pipeline), &json!({"stages": left})).status);
            (creates.join().unwrap(), takes.join().unwrap())
        });
        assert!([(201, 409), (422, 200)].contains(&(created, taken)), "{created} {taken}");
    }
}

#[test]
fn an_archived_pipeline_takes_no_more_and_lets_go_what_it_has() {
    let (_, admin) = workspace();
    let pipeline = admin.create("/v1/pipelines", &json!({"name": "Old"}));
    let opportunity = in_stage(&pipeline["stages"][0], &admin);
    admin.patch(&path(&pipeline), &json!({"archived": true})).expect(200);
    let new = json!({"name": "x", "pipeline_id": pipeline["id"]});
    admin.post("/v1/opportunities", &new).expect_errors(&[("/pipeline_id", "archived")]);
    assert!(admin.all("/v1/pipelines").iter().all(|other| other["id"] != pipeline["id"]));
    assert_eq!(admin.all("/v1/pipelines?archived=include").len(), 2);
    let win = format!("/v1/opportunities/{}/win", opportunity["id"].as_str().unwrap());
    admin.post(&win, &json!({})).expect(200);
}

#[test]
fn nothing_comes_to_an_archived_pipeline_by_reopening_or_by_a_transfer() {
    let (_, admin) = workspace();
    let sales = default_pipeline(&admin);
    let old = admin.create("/v1/pipelines", &json!({"name": "Old"}));
    let act = |opportunity: &Value, action: &str, body: Value| {
        admin.post(&format!("/v1/opportunities/{}/{action}", opportunity["id"].as_str().unwrap()), &body)
    };
    let [gone, own, waiting] = [1_usize, 1, 2].map(|number| in_stage(&old["stages"][number], &admin));
    act(&gone, "move", json!({"stage_id": sales["stages"][4]["id"]})).expect(200);
    act(&own, "win", json!({})).expect(200);
    admin.patch(&path(&old), &json!({"archived": true})).expect(200);

    let named = act(&gone, "reopen", json!({"stage_id": old["stages"][1]["id"]}));
    named.expect_problem(422, "validation_failed");
    named.expect_errors(&[("/stage_id", "archived")]);
    let reopened = act(&gone, "reopen", json!({}));
    reopened.expect(200);
    assert_eq!(reopened.body["stage_id"], sales["stages"][0]["id"], "where it was last takes no more");
    let reopened = act(&own, "reopen", json!({}));
    reopened.expect(200);
    assert_eq!(reopened.body["stage_id"], old["stages"][1]["id"], "it never left its pipeline");

    let to_old = json!({"from_stage_id": sales["stages"][0]["id"], "to_stage_id": old["stages"][1]["id"]});
    let transferred = admin.post(&format!("{}/transfer", path(&sales)), &to_old);
    transferred.expect_errors(&[("/to_stage_id", "archived")]);
    let within = json!({"from_stage_id": waiting["stage_id"], "to_stage_id": old["stages"][3]["id"]});
    let transferred = admin.post(&format!("{}/transfer", path(&old)), &within);
    assert_eq!(transferred.body, json!({"moved": 1, "remaining": 0}));
}
