//! Lead statuses.

use serde_json::{Value, json};

use crate::harness::{Caller, workspace};

fn keys(caller: &Caller, query: &str) -> Vec<String> {
    let statuses = caller.all(&format!("/v1/lead_statuses{query}"));
    statuses.iter().map(|status| status["key"].as_str().unwrap().to_owned()).collect()
}

fn path(caller: &Caller, key: &str) -> String {
    let statuses = caller.all("/v1/lead_statuses?archived=include");
    let status = statuses.iter().find(|status| status["key"] == key).unwrap();
    format!("/v1/lead_statuses/{}", status["id"].as_str().unwrap())
}

fn new(key: &str, name: &str, class: &str) -> Value {
    json!({"key": key, "name": name, "class": class})
}

#[test]
fn a_workspace_begins_with_statuses_of_every_class() {
    let (_, admin) = workspace();
    let seeds = ["new", "contacted", "nurturing", "qualified", "unqualified", "junk", "converted"];
    assert_eq!(keys(&admin, ""), seeds);
    assert_eq!(keys(&admin, "?limit=3"), seeds, "page by page");
    let classes: Vec<Value> = admin.all("/v1/lead_statuses").iter().map(|status| status["class"].clone()).collect();
    assert_eq!(json!(classes), json!(["open", "ongoing", "on_hold", "ongoing", "lost", "lost", "won"]));
}

#[test]
fn a_status_is_added_renamed_and_moved() {
    let (_, admin) = workspace();
    admin.create("/v1/lead_statuses", &new("meeting", "Meeting arranged", "ongoing"));
    assert_eq!(keys(&admin, "").last().unwrap(), "meeting");
    let meeting = path(&admin, "meeting");
    admin.patch(&meeting, &json!({"position": 2, "name": " Meeting "})).expect(200);
    assert!(["contacted", "meeting"].contains(&keys(&admin, "")[1].as_str()));
    assert_eq!(admin.get(&meeting).body["name"], "Meeting");
    admin.patch(&meeting, &json!({"key": "other"})).expect_problem(422, "validation_failed");
    admin.patch(&meeting, &json!({"class": "on_hold"})).expect(200);
}

#[test]
fn keys_and_names_are_unique() {
    let (_, admin) = workspace();
    for (key, name, code) in [("contacted", "Other", "key_taken"), ("other", "Contacted", "name_taken")] {
        let taken = admin.post("/v1/lead_statuses", &new(key, name, "ongoing"));
        taken.expect_problem(409, "conflict");
        assert_eq!(taken.body["errors"][0]["code"], code);
    }
    let nameless = admin.post("/v1/lead_statuses", &new("other", " ", "ongoing"));
    nameless.expect_errors(&[("/name", "required")]);
}

#[test]
fn the_last_status_of_a_class_that_leads_need_stays() {
    let (_, admin) = workspace();
    let refused = |answer: crate::harness::Answer| {
        answer.expect_problem(409, "conflict");
        assert_eq!(answer.body["errors"][0]["code"], "last_of_class", "{}", answer.text);
    };
    for key in ["new", "converted"] {
        let path = path(&admin, key);
        refused(admin.delete(&path));
        refused(admin.patch(&path, &json!({"archived": true})));
        refused(admin.patch(&path, &json!({"class": "on_hold"})));
    }
    // Nobody needs to wait.
    admin.delete(&path(&admin, "nurturing")).expect(204);
    admin.patch(&path(&admin, "junk"), &json!({"archived": true})).expect(200);
    refused(admin.delete(&path(&admin, "unqualified")));
    admin.patch(&path(&admin, "junk"), &json!({"archived": false})).expect(200);
    admin.delete(&path(&admin, "unqualified")).expect(204);
    assert_eq!(keys(&admin, ""), ["new", "contacted", "qualified", "junk", "converted"]);
}

#[test]
fn two_who_take_away_the_last_two_of_a_class_do_not_both_succeed() {
    let (_, admin) = workspace();
    let paths = [path(&admin, "unqualified"), path(&admin, "junk")];
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = paths.iter().map(|path| scope.spawn(|| admin.delete(path).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
}
