//! How many of each setting a workspace has at most, also when many are created at once.

use std::thread;

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, workspace};

const AT_ONCE: usize = 8;

/// Creates all but three of those that there may be, then more at once than there is room for.
fn fill(caller: &Caller, path: &str, most: usize, new: impl Fn(usize) -> Value + Sync) {
    let room = most - 3 - caller.all(path).len();
    for number in 0..room {
        caller.create(path, &new(number));
    }
    let answers: Vec<_> = thread::scope(|scope| {
        let create = |number| {
            let new = &new;
            scope.spawn(move || caller.post(path, &new(room + number)))
        };
        let threads: Vec<_> = (0..AT_ONCE).map(create).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (created, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(created.len(), 3, "{path}");
    for answer in refused {
        answer.expect_problem(409, "conflict");
        assert_eq!(answer.body["errors"][0]["code"], "too_many", "{path}");
    }
    assert_eq!(caller.all(path).len(), most, "{path}");
}

#[test]
fn a_workspace_has_no_more_pipelines_than_it_may() {
    let (_, admin) = workspace();
    fill(&admin, "/v1/pipelines", 100, |number| json!({"name": format!("Pipeline {number}")}));
}

#[test]
fn a_workspace_has_no_more_capture_forms_than_it_may() {
    let (_, admin) = workspace();
    let field = json!({"name": "name", "field": "last_name", "required": true});
    fill(&admin, "/v1/capture_forms", 200, |number| json!({"name": format!("Form {number}"), "fields": [field]}));
}

#[test]
fn a_workspace_has_no_more_assignment_rules_than_it_may() {
    let (workspace, admin) = workspace();
    let user = workspace.user("anna@example.com", StandardRole::Agent, "a long enough password");
    let new = |number| json!({"name": format!("Rule {number}"), "strategy": "direct", "user_ids": [user]});
    fill(&admin, "/v1/assignment_rules", 100, new);
}

#[test]
fn a_workspace_has_no_more_score_definitions_than_it_may() {
    let (_, admin) = workspace();
    let new = |number| json!({"name": format!("Definition {number}"), "entity": "lead", "groups": []});
    fill(&admin, "/v1/score_definitions", 50, new);
}

#[test]
fn a_workspace_has_no_more_webhooks_than_it_may() {
    let (_, admin) = workspace();
    let new = |number| json!({"name": format!("W{number}"), "url": "https://example.com/", "enabled": false});
    fill(&admin, "/v1/webhooks", 20, new);
}

#[test]
fn a_user_has_no_more_calendar_feeds_than_they_may() {
    let (workspace, _) = workspace();
    let anna = workspace.signed_in(StandardRole::Agent);
    fill(&anna, "/v1/calendar_feeds", 10, |number| json!({"name": format!("Telephone {number}")}));
}
