//! Scores of leads, and the rules that make them.

use std::{
    thread,
    time::{Duration, Instant},
};

use rapport_persistence::insight::scoring;
use serde_json::{Value, json};

use crate::harness::{Caller, change_database, in_database, is_in_database, wait_for_positions, workspace};

fn filter(entity: &str, condition: Value) -> Value {
    json!({"version": 1, "entity": entity, "where": condition})
}

fn came_by(source: &str) -> Value {
    filter("lead", json!({"type": "choice", "field": "lead_source", "op": "in", "values": [source]}))
}

fn fit(key: &str, points: i64, when: Value) -> Value {
    json!({"kind": "fit", "key": "fit", "rules": [{"key": key, "points": points, "when": when}]})
}

/// Points for tasks that were completed.
fn visits(points: i64, decay: Value) -> Value {
    let rule = json!({
        "key": "visit", "points": points, "relation": "tasks", "at": "completed_at", "decay": decay,
        "where": filter("task", json!({"type": "choice", "field": "type", "op": "in", "values": ["visit"]}))
    });
    json!({"kind": "engagement", "key": "talks", "rules": [rule]})
}

fn path(record: &Value, collection: &str) -> String {
    format!("/v1/{collection}/{}", record["id"].as_str().unwrap())
}

fn score_of(caller: &Caller, lead: &Value) -> Value {
    let score = caller.get(&format!("{}/score", path(lead, "leads")));
    score.expect(200);
    let points = score.body["contributions"].as_array().unwrap().iter().map(|part| hundredths(&part["points"]));
    if score.body["total"].is_number() {
        assert_eq!(points.sum::<i64>(), hundredths(&score.body["total"]), "{}", score.text);
    }
    score.body
}

fn hundredths(points: &Value) -> i64 {
    (points.as_f64().unwrap() * 100.0).round() as i64
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a lead shows a score.
#[track_caller]
fn wait_for(caller: &Caller, lead: &Value, score: Value) {
    wait_until(&format!("no score {score}"), || caller.get(&path(lead, "leads")).body["score"] == score);
}

/// Waits until the scores of the lead's workspace know all that has happened.
#[track_caller]
fn wait_for_scoring(caller: &Caller, lead: &Value) {
    wait_for_positions(caller);
    let settled = format!(
        "SELECT FROM scorings JOIN feed_heads AS head USING (workspace_id) \
         WHERE scorings.workspace_id = (SELECT workspace_id FROM leads WHERE id = '{}') AND NOT scorings.is_walking \
           AND head.position <= scorings.position \
           AND NOT EXISTS (SELECT FROM lead_scores AS due \
                            WHERE due.workspace_id = scorings.workspace_id AND due.due_at <= now())",
        lead["id"].as_str().unwrap()
    );
    wait_until("scores are behind", || is_in_database(&settled));
}

fn history(caller: &Caller, lead: &Value) -> Vec<Value> {
    caller.all(&format!("{}/score_history", path(lead, "leads")))
}

fn define(admin: &Caller, groups: &Value) -> Value {
    let name = uuid::Uuid::now_v7().simple().to_string();
    admin.create("/v1/score_definitions", &json!({"name": name, "entity": "lead", "groups": groups}))
}

fn publish(admin: &Caller, definition: &Value) -> Value {
    let published = admin.send("POST", &format!("{}/publish", path(definition, "score_definitions")), &[], None);
    published.expect(200);
    published.body
}

fn lead(admin: &Caller, more: &Value) -> Value {
    let mut new = json!({"last_name": "Lindt"});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin.create("/v1/leads", &new)
}

fn visit(admin: &Caller, lead: &Value) -> Value {
    let about = json!({"kind": "lead", "id": lead["id"]});
    let task = admin.create("/v1/tasks", &json!({"name": "Visit", "type": "visit", "parent": about}));
    let done = admin.post(&format!("{}/complete", path(&task, "tasks")), &json!({}));
    done.expect(200);
    task
}

#[test]
fn rules_give_points_once_they_are_published() {
    let (_, admin) = workspace();
    let (early, other) = (lead(&admin, &json!({"lead_source": "trade_show"})), lead(&admin, &json!({})));
    let definition = define(&admin, &json!([fit("fair", 15, came_by("trade_show"))]));
    assert_eq!(
        (&definition["state"], &definition["has_changes"], &definition["scored"]),
        (&json!("draft"), &json!(true), &Value::Null)
    );
    let unscored = score_of(&admin, &early);
    assert_eq!((&unscored["total"], &unscored["definition_id"]), (&Value::Null, &Value::Null));

    let published = publish(&admin, &definition);
    assert_eq!((&published["state"], &published["published_version"]), (&json!("published"), &json!(1)));
    wait_for(&admin, &early, json!(15));
    wait_for(&admin, &other, json!(0));
    wait_until("the walk does not end", || {
        let now = admin.get(&path(&definition, "score_definitions")).body;
        now["scored"] == 2 && now["to_score"] == 2
    });
    let score = score_of(&admin, &early);
    assert_eq!((&score["score"], &score["total"]), (&json!(15), &json!(15.0)));
    assert_eq!((&score["definition_id"], &score["definition_version"]), (&definition["id"], &json!(1)));
    let part = &score["contributions"][0];
    assert_eq!((&part["group"], &part["rule"], &part["kind"]), (&json!("fit"), &json!("fair"), &json!("fit")));

    let late = lead(&admin, &json!({"lead_source": "trade_show"}));
    wait_for(&admin, &late, json!(15));
    admin.patch(&path(&late, "leads"), &json!({"lead_source": "website"})).expect(200);
    wait_for(&admin, &late, json!(0));
    let changes = history(&admin, &late);
    assert_eq!((&changes[0]["from"], &changes[0]["to"], &changes[0]["number"]), (&json!(15.0), &json!(0.0), &json!(2)));
    assert_eq!(changes[0]["cause"], "record_changed");
    assert_eq!(
        changes[0]["differences"],
        json!([{"kind": "fit", "group": "fit", "rule": "fair", "from": 15.0, "to": 0.0}])
    );
    assert_eq!(history(&admin, &early)[0]["cause"], "definition_published");
}

#[test]
fn what_happened_gives_points_as_long_as_it_is_so() {
    let (workspace, admin) = workspace();
    let definition = define(&admin, &json!([visits(10, json!({"kind": "none"}))]));
    publish(&admin, &definition);
    let (one, other) = (lead(&admin, &json!({})), lead(&admin, &json!({})));
    wait_for(&admin, &one, json!(0));
    // The lead may have got its score before anybody looked at the entry of its creation, which is another cause.
    wait_for_scoring(&admin, &one);
    let (first, second) = (visit(&admin, &one), visit(&admin, &one));
    wait_for(&admin, &one, json!(20));
    assert_eq!(history(&admin, &one)[0]["cause"], "event");
    let part = score_of(&admin, &one)["contributions"][0].clone();
    assert_eq!((&part["events"], &part["raw"]), (&json!(2), &json!(20.0)));
    let mut evidence = vec![first["id"].clone(), second["id"].clone()];
    evidence.reverse(); // the latest first
    assert_eq!(part["evidence_ids"], json!(evidence));
    // Whoever may not see tasks is not told which they are.
    let blind = workspace.scoped(&["leads:read"]);
    let unseen = score_of(&blind, &one)["contributions"][0].clone();
    assert_eq!((&unseen["evidence_ids"], &unseen["points"]), (&json!([]), &json!(20.0)));

    let completed_at = admin.get(&path(&second, "tasks")).body["completed_at"].as_str().unwrap().to_owned();
    let about = json!({"parent": {"kind": "lead", "id": other["id"]}});
    admin.patch(&path(&second, "tasks"), &about).expect(200);
    wait_for(&admin, &one, json!(10));
    wait_for(&admin, &other, json!(10));
    admin.delete(&path(&first, "tasks")).expect(204);
    wait_for(&admin, &one, json!(0));
    // Events have their own time.
    let before: chrono::DateTime<chrono::Utc> = completed_at.parse().unwrap();
    let as_of = |at: chrono::DateTime<chrono::Utc>| {
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        admin.get(&format!("{}/score?as_of={at}", path(&other, "leads"))).body["total"].clone()
    };
    assert_eq!(as_of(before), json!(10.0));
    assert_eq!(as_of(before - chrono::Duration::microseconds(1)), json!(0.0));
    assert_eq!(as_of("2020-01-01T00:00:00Z".parse().unwrap()), Value::Null);
    let future = admin.get(&format!("{}/score?as_of=2999-01-01T00:00:00Z", path(&other, "leads")));
    future.expect_errors(&[("as_of", "in_the_future")]);
}

#[test]
fn points_fade_and_a_whole_one_that_is_gone_is_told() {
    let (_, admin) = workspace();
    publish(&admin, &define(&admin, &json!([visits(10, json!({"kind": "half_life", "days": 10}))])));
    let lead = lead(&admin, &json!({}));
    wait_for(&admin, &lead, json!(0));
    let task = visit(&admin, &lead);
    wait_for(&admin, &lead, json!(10));
    // The task was done before anybody looked at its first entry; the second may be on its way.
    wait_for_scoring(&admin, &lead);
    let (lead_id, task_id) = (lead["id"].as_str().unwrap(), task["id"].as_str().unwrap());
    let grow_old = |pause: &str| {
        change_database(&format!(
            "UPDATE tasks SET completed_at = completed_at - interval '{pause}' WHERE id = '{task_id}'"
        ));
        change_database(&format!(
            "UPDATE lead_scores SET due_at = '2026-01-01', due_cause = 'time' WHERE lead_id = '{lead_id}'"
        ));
        // Looked at, it is due in some hours again.
        wait_until("nobody has looked", || {
            in_database(async |db| {
                scoring::advance(db).await.unwrap();
            });
            !is_in_database(&format!("SELECT FROM lead_scores WHERE lead_id = '{lead_id}' AND due_at <= now()"))
        });
    };
    grow_old("10 days");
    wait_for(&admin, &lead, json!(5));
    let changes = history(&admin, &lead);
    assert_eq!((&changes[0]["cause"], changes.len()), (&json!("time"), 3));
    assert!((4.99..=5.0).contains(&changes[0]["to"].as_f64().unwrap()), "{changes:?}");
    // Half a point is gone, and the nearest whole number is still the same.
    grow_old("1 day");
    assert_eq!(history(&admin, &lead), changes);
    let fresh = score_of(&admin, &lead);
    assert!((4.6..4.7).contains(&fresh["total"].as_f64().unwrap()), "{fresh}");
    assert_eq!(admin.get(&path(&lead, "leads")).body["score"], 5);
}

#[test]
fn a_score_makes_neither_a_version_nor_a_change() {
    let (_, admin) = workspace();
    let lead = lead(&admin, &json!({"lead_source": "trade_show"}));
    wait_for_positions(&admin);
    publish(&admin, &define(&admin, &json!([fit("fair", 15, came_by("trade_show"))])));
    wait_for(&admin, &lead, json!(15));
    let mut now = admin.get(&path(&lead, "leads")).body;
    now["score"] = Value::Null;
    assert_eq!(now, lead);
    let entries = admin.all("/v1/changes");
    assert_eq!(entries.iter().filter(|entry| entry["record"]["id"] == lead["id"]).count(), 1);
    // A write of somebody who has read an old score does not bring it back.
    let changed = admin.patch(&path(&lead, "leads"), &json!({"job_title": "Buyer"}));
    assert_eq!((&changed.body["score"], &changed.body["version"]), (&json!(15), &json!(2)));
}

#[test]
fn another_definition_takes_the_place_and_an_archived_one_takes_scores_back() {
    let (_, admin) = workspace();
    let lead = lead(&admin, &json!({"lead_source": "trade_show"}));
    let (first, second) = (
        define(&admin, &json!([fit("fair", 15, came_by("trade_show"))])),
        define(&admin, &json!([fit("fair", 30, came_by("trade_show"))])),
    );
    publish(&admin, &first);
    wait_for(&admin, &lead, json!(15));
    let then = score_of(&admin, &lead)["as_of"].as_str().unwrap().to_owned();
    publish(&admin, &second);
    wait_for(&admin, &lead, json!(30));
    let replaced = admin.get(&path(&first, "score_definitions")).body;
    assert_eq!((&replaced["state"], &replaced["scored"]), (&json!("archived"), &Value::Null));
    let past = admin.get(&format!("{}/score?as_of={then}", path(&lead, "leads")));
    assert_eq!((&past.body["total"], &past.body["definition_id"]), (&json!(15.0), &first["id"]));

    // What was published stays as it is, until the change is published.
    let groups = json!({"groups": [fit("fair", 7, came_by("trade_show"))]});
    let changed = admin.patch(&path(&second, "score_definitions"), &groups);
    assert_eq!((&changed.body["has_changes"], &changed.body["published_version"]), (&json!(true), &json!(1)));
    assert_eq!(score_of(&admin, &lead)["total"], 30.0);
    assert_eq!(publish(&admin, &second)["published_version"], 2);
    wait_for(&admin, &lead, json!(7));
    let versions = admin.all(&format!("{}/versions", path(&second, "score_definitions")));
    let points = |version: &Value| version["groups"][0]["rules"][0]["points"].clone();
    assert_eq!((points(&versions[0]), points(&versions[1])), (json!(7), json!(30)));
    assert_eq!((&versions[0]["ended_at"], versions[1]["ended_at"].is_string()), (&Value::Null, true));
    let again = publish(&admin, &second);
    assert_eq!(again["version"], admin.get(&path(&second, "score_definitions")).body["version"]);

    let refused = admin.delete(&path(&second, "score_definitions"));
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "in_use");
    let archived = admin.send("POST", &format!("{}/archive", path(&second, "score_definitions")), &[], None);
    assert_eq!(archived.body["state"], "archived");
    wait_for(&admin, &lead, Value::Null);
    let last = &history(&admin, &lead)[0];
    assert_eq!(
        (&last["cause"], &last["from"], &last["to"]),
        (&json!("definition_archived"), &json!(7.0), &Value::Null)
    );
    assert_eq!(score_of(&admin, &lead)["total"], Value::Null);
}

#[test]
fn leads_are_found_and_sorted_by_their_score() {
    let (_, admin) = workspace();
    let groups = json!([{"kind": "fit", "key": "fit", "max": 25, "rules": [
        {"key": "fair", "points": 10, "when": came_by("trade_show")},
        {"key": "hot", "points": 20, "when":
            filter("lead", json!({"type": "choice", "field": "rating", "op": "in", "values": ["hot"]}))}
    ]}]);
    publish(&admin, &define(&admin, &groups));
    let new = [
        (json!({"lead_source": "trade_show", "rating": "hot"}), 25),
        (json!({"lead_source": "trade_show"}), 10),
        (json!({}), 0),
        (json!({"rating": "hot"}), 20),
    ];
    let leads: Vec<Value> = new.iter().map(|(new, _)| lead(&admin, new)).collect();
    for (lead, (_, score)) in leads.iter().zip(&new) {
        wait_for(&admin, lead, json!(score));
    }
    let bound = score_of(&admin, &leads[0])["contributions"][2].clone();
    assert_eq!((&bound["kind"], &bound["rule"], &bound["points"]), (&json!("group_max"), &Value::Null, &json!(-5.0)));
    // One that nobody has scored comes last, either way.
    let unscored = leads[2]["id"].as_str().unwrap();
    change_database(&format!("UPDATE leads SET score = NULL WHERE id = '{unscored}'"));
    let sorted = |sort: &str| {
        let all = admin.all(&format!("/v1/leads?sort={sort}&limit=1"));
        all.iter().map(|lead| lead["score"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(sorted("-score"), [json!(25), json!(20), json!(10), Value::Null]);
    assert_eq!(sorted("score"), [json!(10), json!(20), json!(25), Value::Null]);
    let search = json!({
        "filter": filter("lead", json!({"type": "number", "field": "score", "op": "gte", "value": 20})), "sort": "-score"
    });
    let found = admin.post("/v1/leads/search", &search);
    found.expect(200);
    let scores: Vec<&Value> = found.body["data"].as_array().unwrap().iter().map(|lead| &lead["score"]).collect();
    assert_eq!(scores, [&json!(25), &json!(20)]);
    admin.get("/v1/contacts?sort=score").expect_errors(&[("sort", "unknown_sort")]);
}

#[test]
fn rules_that_do_not_fit_are_refused_with_their_places() {
    let (_, admin) = workspace();
    let groups = json!([
        fit("nobody", 1, filter("lead", json!({"type": "present", "field": "shoe_size", "value": true}))),
        {"kind": "engagement", "key": "talks", "rules": [{
            "key": "r", "points": 1, "relation": "tasks", "at": "completed_at",
            "where": filter("task", json!({"type": "choice", "field": "type", "op": "in", "values": ["dance"]}))
        }]}
    ]);
    let new = json!({"name": "x", "entity": "lead", "groups": groups});
    admin.post("/v1/score_definitions", &new).expect_errors(&[
        ("/groups/0/rules/0/when/where/field", "unknown_field"),
        ("/groups/1/rules/0/where/where/values/0", "unknown_value"),
    ]);
    let name = |name: &str| json!({"name": name, "entity": "lead", "groups": []});
    admin.create("/v1/score_definitions", &name("Taken"));
    let taken = admin.post("/v1/score_definitions", &name("Taken"));
    assert_eq!((taken.status, &taken.body["errors"][0]["code"]), (409, &json!("name_taken")));
    let wrong = json!({"kind": "engagement", "key": "g", "rules": [
        {"key": "r", "points": 1, "relation": "tasks", "at": "name"}
    ]});
    let wrong = admin.post("/v1/score_definitions", &json!({"name": "y", "entity": "lead", "groups": [wrong]}));
    wrong.expect_errors(&[("/groups/0/rules/0/at", "unknown_field")]);
    let empty = admin.create("/v1/score_definitions", &name("Empty"));
    let refused = admin.send("POST", &format!("{}/publish", path(&empty, "score_definitions")), &[], None);
    refused.expect_errors(&[("/groups", "required")]);
    admin.delete(&path(&empty, "score_definitions")).expect(204);
}

#[test]
fn a_rule_whose_field_was_archived_gives_nothing_and_holds_nobody_up() {
    let (_, admin) = workspace();
    let field = json!({"resource": "leads", "key": "size", "label": "Size", "type": "number"});
    let field = admin.create("/v1/custom_fields", &field);
    let large = filter("lead", json!({"type": "number", "field": "custom.size", "op": "gte", "value": 5}));
    let groups = json!([{"kind": "fit", "key": "fit", "rules": [
        {"key": "large", "points": 5, "when": large}, {"key": "fair", "points": 3, "when": came_by("trade_show")}
    ]}]);
    publish(&admin, &define(&admin, &groups));
    let first = lead(&admin, &json!({"custom": {"size": "7"}, "lead_source": "trade_show"}));
    wait_for(&admin, &first, json!(8));
    admin.send("POST", &format!("{}/archive", path(&field, "custom_fields")), &[], None).expect(200);
    let second = lead(&admin, &json!({"lead_source": "trade_show"}));
    wait_for(&admin, &second, json!(3));
    let score = score_of(&admin, &first);
    assert_eq!((&score["total"], &score["skipped_rules"]), (&json!(3.0), &json!(["fit.large"])));
}

#[test]
fn a_lead_that_comes_back_is_scored_again() {
    let (_, admin) = workspace();
    let definition = define(&admin, &json!([visits(10, json!({"kind": "none"}))]));
    publish(&admin, &definition);
    let lead = lead(&admin, &json!({}));
    wait_for(&admin, &lead, json!(0));
    admin.delete(&path(&lead, "leads")).expect(204);
    admin.get(&format!("{}/score", path(&lead, "leads"))).expect(404);
    assert_eq!(history(&admin, &lead).len(), 1);
    admin.send("POST", &format!("{}/restore", path(&lead, "leads")), &[], None).expect(200);
    visit(&admin, &lead);
    wait_for(&admin, &lead, json!(10));

    // When it comes back after nothing counts any more, nobody would take its score.
    admin.delete(&path(&lead, "leads")).expect(204);
    admin.send("POST", &format!("{}/archive", path(&definition, "score_definitions")), &[], None).expect(200);
    wait_until("it keeps its score", || history(&admin, &lead)[0]["cause"] == "definition_archived");
    let last = &history(&admin, &lead)[0];
    assert_eq!((&last["from"], &last["to"]), (&json!(10.0), &Value::Null));
    let restored = admin.send("POST", &format!("{}/restore", path(&lead, "leads")), &[], None);
    restored.expect(200);
    assert_eq!((&restored.body["id"], &restored.body["score"]), (&lead["id"], &Value::Null));
    assert_eq!(admin.get(&path(&lead, "leads")).body["score"], Value::Null);
}

#[test]
fn it_is_told_whether_more_points_meant_more_conversions() {
    let (workspace, admin) = workspace();
    let definition = define(&admin, &json!([fit("fair", 15, came_by("trade_show"))]));
    let address = format!("{}/quality", path(&definition, "score_definitions"));
    let nothing = admin.get(&address);
    assert_eq!((&nothing.body["definition_version"], &nothing.body["count"]), (&Value::Null, &json!(0)));
    let sources: Vec<&str> = (0..12).map(|index| if index < 6 { "trade_show" } else { "website" }).collect();
    let leads: Vec<Value> = sources.iter().map(|source| lead(&admin, &json!({"lead_source": source}))).collect();
    publish(&admin, &definition);
    for (lead, source) in leads.iter().zip(&sources) {
        wait_for(&admin, lead, json!(if *source == "trade_show" { 15 } else { 0 }));
    }
    // All of it was a hundred days ago, but that five were converted since: four who came from a fair, and one other.
    let own = format!("workspace_id = '{}'", workspace.id);
    change_database(&format!("UPDATE leads SET created_at = created_at - interval '100 days' WHERE {own}"));
    change_database(&format!("UPDATE lead_score_changes SET at = at - interval '100 days' WHERE {own}"));
    change_database(&format!(
        "UPDATE score_versions SET published_at = published_at - interval '100 days' WHERE {own}"
    ));
    for converted in leads.iter().take(4).chain([&leads[11]]) {
        let id = converted["id"].as_str().unwrap();
        let at = "details || jsonb_build_object('converted_at', now() - interval '1 day')";
        change_database(&format!("UPDATE leads SET details = {at} WHERE id = '{id}'"));
    }
    let quality = admin.get(&address);
    quality.expect(200);
    assert_eq!((&quality.body["count"], &quality.body["converted"]), (&json!(12), &json!(5)));
    let deciles = quality.body["deciles"].as_array().unwrap();
    let counts: Vec<(&Value, &Value)> = deciles.iter().map(|of| (&of["count"], &of["converted"])).collect();
    assert_eq!(counts, [(&json!(6), &json!(4)), (&json!(6), &json!(1))]);
    // Of 35 pairs the converted one has more points in 20, and as many in 4 times 2 and 1 times 5.
    let auc = quality.body["auc"].as_f64().unwrap();
    assert!((auc - 26.5 / 35.0).abs() < 1e-9, "{auc}");
    admin.get(&format!("{address}?days=120")).expect(200);
    assert_eq!(admin.get(&format!("{address}?days=120")).body["count"], 0);
    admin.get(&format!("{address}?version=2")).expect_errors(&[("version", "unknown_version")]);
}

#[test]
fn leads_whose_points_stayed_count_for_the_version_that_left_them() {
    let (workspace, admin) = workspace();
    let definition = define(&admin, &json!([fit("fair", 15, came_by("trade_show"))]));
    let mut leads: Vec<Value> = ["trade_show", "trade_show", "website", "website", "website"]
        .iter()
        .map(|source| lead(&admin, &json!({"lead_source": source})))
        .collect();
    let hot = lead(&admin, &json!({"rating": "hot"}));
    leads.push(hot.clone());
    publish(&admin, &definition);
    for (lead, score) in leads.iter().zip([15, 15, 0, 0, 0, 0]) {
        wait_for(&admin, lead, json!(score));
    }
    let is_hot = filter("lead", json!({"type": "choice", "field": "rating", "op": "in", "values": ["hot"]}));
    let groups = json!([{"kind": "fit", "key": "fit", "rules": [
        {"key": "fair", "points": 15, "when": came_by("trade_show")}, {"key": "hot", "points": 5, "when": is_hot}
    ]}]);
    admin.patch(&path(&definition, "score_definitions"), &json!({"groups": groups})).expect(200);
    assert_eq!(publish(&admin, &definition)["published_version"], 2);
    wait_for(&admin, &hot, json!(5));
    wait_for_scoring(&admin, &hot);
    let changes: Vec<usize> = leads.iter().map(|lead| history(&admin, lead).len()).collect();
    assert_eq!(changes, [1, 1, 1, 1, 1, 2]);

    // The first version was published 200 days ago, and the second a hundred.
    let own = format!("workspace_id = '{}'", workspace.id);
    change_database(&format!("UPDATE leads SET created_at = created_at - interval '200 days' WHERE {own}"));
    let age = "CASE number WHEN 1 THEN interval '200 days' ELSE interval '100 days' END";
    change_database(&format!("UPDATE lead_score_changes SET at = at - {age} WHERE {own}"));
    let ended_at = "ended_at = ended_at - interval '100 days'";
    change_database(&format!("UPDATE score_versions SET published_at = published_at - {age}, {ended_at} WHERE {own}"));
    let counted = |query: &str| {
        let quality = admin.get(&format!("{}/quality{query}", path(&definition, "score_definitions")));
        quality.expect(200);
        quality.body["count"].as_i64().unwrap()
    };
    assert_eq!((counted(""), counted("?version=1&days=150")), (6, 6));
    // One version counts at a time.
    assert_eq!((counted("?version=1"), counted("?days=150")), (0, 0));

    // Eighty days ago the walk came to the one to whom the second version gave other points.
    let hot = hot["id"].as_str().unwrap();
    change_database(&format!(
        "UPDATE lead_score_changes SET at = at + interval '20 days' WHERE {own} AND lead_id = '{hot}' AND number = 2"
    ));
    assert_eq!((counted(""), counted("?days=70")), (5, 6));
}

/// However many write, and however many score, leads show in the end what is reckoned afresh.
#[test]
fn leads_show_in_the_end_what_their_score_is() {
    let (_, admin) = workspace();
    let groups = json!([fit("fair", 15, came_by("trade_show")), visits(4, json!({"kind": "none"}))]);
    let definition = define(&admin, &groups);
    let leads: Vec<Value> = (0..12).map(|_| lead(&admin, &json!({}))).collect();
    thread::scope(|scope| {
        for writer in 0..3 {
            let (admin, leads) = (&admin, &leads);
            scope.spawn(move || {
                for (index, lead) in leads.iter().enumerate() {
                    let source = if (index + writer) % 2 == 0 { "trade_show" } else { "website" };
                    admin.patch(&path(lead, "leads"), &json!({"lead_source": source})).expect(200);
                    if index % 3 == writer {
                        visit(admin, lead);
                    }
                }
            });
        }
        scope.spawn(|| publish(&admin, &definition));
        scope.spawn(|| {
            for _ in 0..20 {
                in_database(async |db| scoring::advance(db).await.unwrap());
            }
        });
    });
    for lead in &leads {
        let score = score_of(&admin, lead);
        wait_for(&admin, lead, score["score"].clone());
        let changes = history(&admin, lead);
        assert_eq!(changes[0]["to"], score["total"]);
        // Each change begins where the one before it ended, and its differences are what it is about.
        for pair in changes.windows(2) {
            assert_eq!(pair[0]["from"], pair[1]["to"]);
        }
        for change in &changes {
            let moved = |part: &Value| hundredths(&part["to"]) - hundredths(&part["from"]);
            let moved: i64 = change["differences"].as_array().unwrap().iter().map(moved).sum();
            let from = if change["from"].is_null() { 0 } else { hundredths(&change["from"]) };
            assert_eq!(from + moved, hundredths(&change["to"]), "{change}");
        }
    }
}
