//! Assignment rules.

use std::{collections::HashMap, thread};

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Workspace, workspace};

const PASSWORD: &str = "a long enough password";

fn users(workspace: &Workspace, count: usize) -> Vec<String> {
    let user = |number| workspace.user(&format!("user{number}@example.com"), StandardRole::Agent, PASSWORD);
    (0..count).map(user).collect()
}

fn rule(admin: &Caller, name: &str, strategy: &str, users: &[String], more: Value) -> Value {
    let mut new = json!({"name": name, "strategy": strategy, "user_ids": users});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin.create("/v1/assignment_rules", &new)
}

fn path(rule: &Value) -> String {
    format!("/v1/assignment_rules/{}", rule["id"].as_str().unwrap())
}

fn lead(admin: &Caller, last_name: &str) -> Value {
    admin.create("/v1/leads", &json!({"last_name": last_name}))
}

fn owners(admin: &Caller, count: usize) -> Vec<String> {
    (0..count).map(|number| lead(admin, &format!("Lead {number}"))["owner_id"].as_str().unwrap().to_owned()).collect()
}

fn assign(caller: &Caller, lead: &Value, query: &str) -> Answer {
    caller.send("POST", &format!("/v1/leads/{}/assign{query}", lead["id"].as_str().unwrap()), &[], None)
}

fn verdicts(answer: &Answer) -> Vec<(&str, &str)> {
    answer.expect(200);
    let rules = answer.body["rules"].as_array().unwrap();
    rules.iter().map(|finding| (finding["name"].as_str().unwrap(), finding["verdict"].as_str().unwrap())).collect()
}

fn country(code: &str) -> Value {
    json!({"version": 1, "entity": "lead", "where": {"type": "choice", "field": "country", "op": "in", "values": [code]}})
}

#[test]
fn rules_stand_in_their_order_and_are_moved() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 1);
    for name in ["A", "B", "C"] {
        rule(&admin, name, "direct", &users, json!({}));
    }
    let names = || -> Vec<String> {
        let rules = admin.all("/v1/assignment_rules?limit=2");
        rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(), ["A", "B", "C"]);
    let last = admin.all("/v1/assignment_rules").pop().unwrap();
    admin.patch(&path(&last), &json!({"position": 0})).expect(200);
    assert_eq!(names(), ["C", "A", "B"]);
    let taken = admin.patch(&path(&last), &json!({"name": "A"}));
    taken.expect_problem(409, "conflict");
    assert_eq!(taken.body["errors"][0]["code"], "name_taken");
    admin.delete(&path(&last)).expect(204);
    assert_eq!(names(), ["A", "B"]);
}

#[test]
fn a_rule_that_can_not_work_is_refused() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 2);
    let refused = |more: Value, errors: &[(&str, &str)]| {
        let mut new = json!({"name": "Rule", "strategy": "round_robin", "user_ids": users});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/v1/assignment_rules", &new).expect_errors(errors);
    };
    refused(json!({"user_ids": []}), &[("/user_ids", "too_few")]);
    refused(json!({"strategy": "direct"}), &[("/user_ids", "more_than_one")]);
    refused(json!({"user_ids": [users[0], users[0]]}), &[("/user_ids/1", "repeated")]);
    let nobody = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b";
    refused(
        json!({"user_ids": [users[0], nobody], "team_id": nobody}),
        &[("/user_ids/1", "unknown_reference"), ("/team_id", "unknown_reference")],
    );
    let contacts = json!({"version": 1, "entity": "contact", "where": {"type": "all", "nodes": []}});
    refused(json!({"filter": contacts}), &[("/filter/entity", "wrong_entity")]);
    let mut unknown = country("DE");
    unknown["where"]["field"] = json!("nonsense");
    refused(json!({"filter": unknown}), &[("/filter/where/field", "unknown_field")]);
}

#[test]
fn the_first_rule_that_fits_decides() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 3);
    rule(&admin, "Swiss", "direct", &users[..1], json!({"filter": country("CH")}));
    let resting = rule(&admin, "Resting", "direct", &users[2..], json!({"active": false}));
    rule(&admin, "All others", "direct", &users[1..2], json!({}));
    let swiss = admin.create("/v1/leads", &json!({"last_name": "Rüegg", "addresses": [{"country": "CH"}]}));
    assert_eq!(swiss["owner_id"], users[0]);
    let other = lead(&admin, "Lindt");
    assert_eq!((&other["owner_id"], &other["version"]), (&json!(users[1]), &json!(2)));
    let history = admin.all(&format!("/v1/leads/{}/history", other["id"].as_str().unwrap()));
    assert_eq!(history[0]["event"], "lead.assigned");
    assert_eq!(history[0]["changes"], json!([{"field": "owner_id", "from": null, "to": users[1]}]));

    admin.patch(&path(&resting), &json!({"active": true})).expect(200);
    let rehearsed = assign(&admin, &other, "?dry_run=true");
    assert_eq!(
        verdicts(&rehearsed),
        [("Swiss", "does_not_match"), ("Resting", "assigned"), ("All others", "not_reached")]
    );
    assert_eq!(
        (&rehearsed.body["decided_by"], &rehearsed.body["lead"]["owner_id"]),
        (&resting["id"], &json!(users[2]))
    );
    assert_eq!(admin.get(&format!("/v1/leads/{}", other["id"].as_str().unwrap())).body, other);
    let assigned = assign(&admin, &other, "");
    assert_eq!(assigned.body["lead"]["owner_id"], users[2]);
    assert_eq!(assigned.header("etag"), "\"3\"");
}

#[test]
fn what_somebody_is_named_for_or_creates_is_no_matter_of_rules() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 2);
    rule(&admin, "All", "direct", &users[..1], json!({}));
    let named = admin.create("/v1/leads", &json!({"last_name": "A", "owner_id": users[1]}));
    assert_eq!(named["owner_id"], users[1]);
    let nobodys = admin.create("/v1/leads", &json!({"last_name": "B", "owner_id": null}));
    assert_eq!((&nobodys["owner_id"], &nobodys["version"]), (&Value::Null, &json!(1)));
    let own = workspace.sign_in("user1@example.com", PASSWORD).create("/v1/leads", &json!({"last_name": "C"}));
    assert_eq!(own["owner_id"], users[1]);
    let lost = admin.create("/v1/leads", &json!({"last_name": "D", "status": "junk"}));
    assert_eq!(lost["owner_id"], Value::Null);
}

#[test]
fn batches_and_upserts_are_assigned_too() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 2);
    rule(&admin, "In turn", "round_robin", &users, json!({}));
    let create = |name: &str| json!({"op": "create", "data": {"last_name": name}});
    let named = json!({"op": "create", "data": {"last_name": "Named", "owner_id": null}});
    let batch = json!({"operations": [create("A"), named, create("B"), {"op": "create", "data": {}}]});
    let answer = admin.post("/v1/leads/batch", &batch);
    answer.expect(207);
    let results = answer.body["results"].as_array().unwrap();
    let versions: Vec<&Value> = results.iter().map(|result| &result["version"]).collect();
    assert_eq!(json!(versions), json!([2, 1, 2, null]));
    let owner =
        |result: &Value| admin.get(&format!("/v1/leads/{}", result["id"].as_str().unwrap())).body["owner_id"].clone();
    assert_eq!(
        (owner(&results[0]), owner(&results[1]), owner(&results[2])),
        (json!(users[0]), Value::Null, json!(users[1]))
    );
    let upsert =
        |name: &str| json!({"op": "upsert", "connection": "import", "external_id": "K-2", "data": {"last_name": name}});
    let twice = admin.post("/v1/leads/batch", &json!({"operations": [upsert("D"), upsert("E")]}));
    assert_eq!(owner(&twice.body["results"][0]), json!(users[0]), "{}", twice.text);
    let upserted = admin.put("/v1/leads/by-external-id/import/K-1", &json!({"last_name": "C"}));
    upserted.expect(201);
    assert_eq!((&upserted.body["record"]["owner_id"], upserted.header("etag")), (&json!(users[1]), "\"2\""));
    let again = admin.put("/v1/leads/by-external-id/import/K-1", &json!({"last_name": "C"}));
    assert_eq!(again.body["result"], "unchanged");
}

#[test]
fn in_turn_however_many_come_at_once() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 3);
    rule(&admin, "In turn", "round_robin", &users, json!({}));
    let given: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| owners(&admin, 5))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts: HashMap<&str, usize> = HashMap::new();
    given.iter().for_each(|owner| *counts.entry(owner).or_default() += 1);
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|count| *count == 10), "{counts:?}");
    let next = owners(&admin, 4);
    assert!(next.windows(2).all(|pair| pair[0] != pair[1]) && next[0] == next[3], "{next:?}");
}

#[test]
fn the_least_busy_gets_the_next_however_many_come_at_once() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 2);
    for number in 0..4 {
        admin.create("/v1/leads", &json!({"last_name": format!("Old {number}"), "owner_id": users[0]}));
        // What came to nothing keeps nobody busy.
        let lost = json!({"last_name": format!("Lost {number}"), "owner_id": users[1], "status": "junk"});
        admin.create("/v1/leads", &lost);
    }
    rule(&admin, "Least busy", "least_busy", &users, json!({}));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| owners(&admin, 2));
        }
    });
    for user in &users {
        let open = admin.all(&format!("/v1/leads?owner_id={user}&status_class=open"));
        assert_eq!(open.len(), 6);
    }
}

#[test]
fn who_is_full_or_gone_is_passed_over() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 3);
    rule(&admin, "Few", "round_robin", &users[..2], json!({"max_open_leads": 2}));
    admin.post(&format!("/v1/users/{}/deactivate", users[1]), &json!({})).expect(200);
    assert_eq!(owners(&admin, 2), [users[0].clone(), users[0].clone()]);
    let third = lead(&admin, "Third");
    assert_eq!(third["owner_id"], Value::Null, "all are full or gone, and there is no other rule");
    rule(&admin, "Others", "direct", &users[2..], json!({}));
    let assigned = assign(&admin, &third, "");
    assert_eq!(verdicts(&assigned), [("Few", "nobody_free"), ("Others", "assigned")]);
    let passed = json!([{"user_id": users[0], "reason": "full"}, {"user_id": users[1], "reason": "not_active"}]);
    assert_eq!(assigned.body["rules"][0]["passed_over"], passed);
    assert_eq!(assigned.body["lead"]["owner_id"], users[2]);
}

#[test]
fn the_team_is_that_of_the_rule_or_of_the_user() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 1);
    let team = |name: &str| admin.create("/v1/teams", &json!({"name": name}))["id"].clone();
    let (main, special, named) = (team("Main"), team("Special"), team("Named"));
    admin.patch(&format!("/v1/users/{}", users[0]), &json!({"team_ids": [main]})).expect(200);
    let all = rule(&admin, "All", "direct", &users, json!({}));
    assert_eq!(lead(&admin, "A")["team_id"], main);
    let new = json!({"last_name": "B", "team_id": named});
    assert_eq!(admin.create("/v1/leads", &new)["team_id"], named);
    admin.patch(&path(&all), &json!({"team_id": special})).expect(200);
    assert_eq!(lead(&admin, "C")["team_id"], special);
    let refused = admin.delete(&format!("/v1/teams/{}", special.as_str().unwrap()));
    refused.expect_problem(409, "conflict");
    assert!(refused.text.contains("assignment rules"), "{}", refused.text);
}

#[test]
fn a_filter_that_does_not_fit_any_more_is_told_and_passed_over() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 1);
    let field = json!({"resource": "leads", "key": "tier", "label": "Tier", "type": "text"});
    let field = admin.create("/v1/custom_fields", &field);
    let gold = json!({"version": 1, "entity": "lead",
        "where": {"type": "text", "field": "custom.tier", "op": "eq", "value": "gold"}});
    rule(&admin, "Gold", "direct", &users, json!({"filter": gold}));
    let golden = admin.create("/v1/leads", &json!({"last_name": "A", "custom": {"tier": "gold"}}));
    assert_eq!(golden["owner_id"], users[0]);
    admin.post(&format!("/v1/custom_fields/{}/archive", field["id"].as_str().unwrap()), &json!({})).expect(200);
    let other = lead(&admin, "B");
    assert_eq!(other["owner_id"], Value::Null);
    assert_eq!(verdicts(&assign(&admin, &other, "")), [("Gold", "filter_not_valid")]);
}

#[test]
fn rules_look_at_what_their_caller_does_not_see() {
    let (workspace, admin) = workspace();
    let users = users(&workspace, 1);
    let task = json!({"version": 1, "entity": "lead", "where": {"type": "present", "field": "rating", "value": true}});
    rule(&admin, "Rated", "direct", &users, json!({"filter": task}));
    let program = workspace.scoped(&["leads:create", "leads:write"]);
    let rated = program.create("/v1/leads", &json!({"last_name": "A", "rating": "hot"}));
    let shown = admin.get(&format!("/v1/leads/{}", rated["id"].as_str().unwrap())).body;
    assert_eq!((&shown["owner_id"], &shown["created_by"]), (&json!(users[0]), &shown["updated_by"]));
    assert_eq!(verdicts(&assign(&program, &rated, "")), [("Rated", "assigned")]);
}
