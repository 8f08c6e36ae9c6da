//! Calendar feeds: what a program sees at a secret address, and until when.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, Workspace, anonymous, workspace};

const SECRET: &str = "a long enough password";

fn anna(workspace: &Workspace) -> (Caller, String) {
    let id = workspace.user("anna@example.com", StandardRole::Agent, SECRET);
    (workspace.sign_in("anna@example.com", SECRET), id)
}

fn feed(caller: &Caller) -> Value {
    caller.create("/v1/calendar_feeds", &json!({"name": "Phone"}))
}

fn address(feed: &Value) -> &str {
    feed["address"].as_str().unwrap()
}

#[test]
fn a_calendar_holds_what_is_due_and_what_was_done_lately() {
    let (workspace, admin) = workspace();
    let (anna, id) = anna(&workspace);
    let task = |new: Value| {
        let mut new = new;
        new["assignee_id"] = json!(id);
        admin.create("/v1/tasks", &new)
    };
    let due = task(json!({"name": "Anrufen; später", "description": "zwei\nZeilen", "priority": "urgent",
        "due_at": "2026-12-01T09:00:00Z", "reminders": [{"minutes_before_due": 15}]}));
    task(json!({"name": "some day"}));
    let done = task(json!({"name": "was done", "due_at": "2026-11-01T09:00:00Z"}));
    admin.send("POST", &format!("/v1/tasks/{}/complete", done["id"].as_str().unwrap()), &[], None).expect(200);
    let given_up = task(json!({"name": "given up", "due_at": "2026-11-01T09:00:00Z"}));
    admin.send("POST", &format!("/v1/tasks/{}/cancel", given_up["id"].as_str().unwrap()), &[], None).expect(200);
    task(json!({"name": "weekly", "due_at": "2026-12-07T08:00:00Z", "recurrence": "FREQ=WEEKLY;BYDAY=MO",
        "time_zone": "Europe/Berlin"}));
    admin.create("/v1/tasks", &json!({"name": "of others", "due_at": "2026-12-01T09:00:00Z"}));

    let created = feed(&anna);
    let answer = anonymous().get(address(&created));
    answer.expect(200);
    assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
    let text = answer.text.replace("\r\n ", "");
    for expected in [
        "BEGIN:VCALENDAR\r\n",
        &format!("UID:{}@rapport\r\n", due["id"].as_str().unwrap()),
        "SUMMARY:Anrufen\\; später\r\n",
        "DESCRIPTION:zwei\\nZeilen\r\n",
        "PRIORITY:1\r\n",
        "DUE:20261201T090000Z\r\n",
        "TRIGGER;RELATED=END:-PT15M\r\n",
        "SUMMARY:was done\r\n",
        "STATUS:COMPLETED\r\n",
        "RRULE:FREQ=WEEKLY;BYDAY=MO\r\n",
        "DUE;TZID=Europe/Berlin:20261207T090000\r\n",
        "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n",
        "END:VCALENDAR\r\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for hidden in ["some day", "given up", "of others"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    anonymous().get(&format!("{}.ics", address(&created))).expect(200);

    let tag = answer.header("etag").to_owned();
    anonymous().get_with(address(&created), ("If-None-Match", &tag)).expect(304);
    admin.patch(&format!("/v1/tasks/{}", due["id"].as_str().unwrap()), &json!({"priority": "low"})).expect(200);
    let changed = anonymous().get_with(address(&created), ("If-None-Match", &tag));
    changed.expect(200);
    assert_ne!(changed.header("etag"), tag);
}

#[test]
fn an_address_that_is_wrong_or_revoked_or_of_nobody_is_not_there() {
    let (workspace, _) = workspace();
    let (anna, id) = anna(&workspace);
    let (one, other) = (feed(&anna), feed(&anna));
    let refusal = |address: &str| {
        let answer = anonymous().get(address);
        answer.expect_problem(404, "not_found");
        answer.body["detail"].clone()
    };
    let wrong = refusal("/v1/calendars/nonsense");
    let mistyped = format!("{}AAAA", &address(&one)[..address(&one).len() - 4]);
    assert_eq!(refusal(&mistyped), wrong);

    anna.delete(&format!("/v1/calendar_feeds/{}", one["id"].as_str().unwrap())).expect(204);
    assert_eq!(refusal(address(&one)), wrong);
    anonymous().get(address(&other)).expect(200);
    workspace.set_state(&id, "deactivated");
    assert_eq!(refusal(address(&other)), wrong);
}

#[test]
fn a_calendar_shows_what_its_user_may_see_at_that_moment() {
    let (workspace, admin) = workspace();
    let (anna, id) = anna(&workspace);
    let new = json!({"name": "Secret plan", "description": "the details", "assignee_id": id, "due_at": "2026-12-01T09:00:00Z"});
    admin.create("/v1/tasks", &new);
    let created = feed(&anna);
    assert!(anonymous().get(address(&created)).text.contains("the details"));
    let give = |name: &str, rule: Value| {
        let role = admin.create("/v1/roles", &json!({"name": name, "rules": [rule]}));
        admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role["id"]]})).expect(200);
        anonymous().get(address(&created)).text
    };
    let closed = json!({"mode": "all_but", "fields": ["description"]});
    let text = give("No details", json!({"resource": "tasks", "read": "own", "readable_fields": closed}));
    assert!(text.contains("Secret plan") && !text.contains("the details"), "{text}");
    let text = give("No tasks", json!({"resource": "contacts", "read": "all"}));
    assert!(text.contains("BEGIN:VCALENDAR") && !text.contains("Secret plan"), "{text}");
}

/// A feed is read from everywhere, without scopes, and stays when the key has gone.
#[test]
fn no_program_gets_more_by_a_feed_than_it_has() {
    let (workspace, admin) = workspace();
    let (anna, id) = anna(&workspace);
    let new = json!({"name": "Phone"});
    let key = |scopes: Value| {
        let issued = admin.create("/v1/api_keys", &json!({"name": "x", "user_id": id, "scopes": scopes}));
        admin.with(issued["key"].as_str().unwrap())
    };
    let needs_tasks = |caller: &Caller| {
        let refused = caller.post("/v1/calendar_feeds", &new);
        refused.expect_problem(403, "forbidden");
        assert!(refused.body["detail"].as_str().unwrap().contains("tasks:read"), "{}", refused.text);
    };
    needs_tasks(&key(json!(["contacts:read"])));
    for scopes in [json!(["tasks:read"]), json!(["tasks:read", "tasks:write"]), Value::Null] {
        key(scopes).post("/v1/calendar_feeds", &new).expect_problem(403, "forbidden");
    }
    let for_anna = json!({"name": "Phone", "user_id": id});
    workspace.scoped(&["tasks:read"]).post("/v1/calendar_feeds", &for_anna).expect_problem(403, "forbidden");
    narrowed(&admin, "tasks%3Aread").post("/v1/calendar_feeds", &for_anna).expect_problem(403, "forbidden");
    assert!(anna.all("/v1/calendar_feeds").is_empty());

    // Who may do everything could as well make such a key.
    admin.create("/v1/calendar_feeds", &for_anna);
    feed(&anna);
    let blind = json!({"name": "No tasks", "rules": [{"resource": "contacts", "read": "all"}]});
    let role = admin.create("/v1/roles", &blind);
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role["id"]]})).expect(200);
    needs_tasks(&anna);
}

/// A program with a token for its key that is good for this scope alone.
fn narrowed(key: &Caller, scope: &str) -> Caller {
    let secret = key.credential();
    let id = secret.split('_').nth(1).unwrap();
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope={scope}");
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let answer = anonymous().send("POST", "/oauth/token", &[kind], Some(form.into_bytes()));
    answer.expect(200);
    key.with(answer.body["access_token"].as_str().unwrap())
}

#[test]
fn feeds_are_ones_own_and_few() {
    let (workspace, admin) = workspace();
    let (anna, id) = anna(&workspace);
    let first = feed(&anna);
    assert_eq!(first["user_id"], json!(id));
    for _ in 1..10 {
        feed(&anna);
    }
    let refused = anna.post("/v1/calendar_feeds", &json!({"name": "One more"}));
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "too_many");
    let listed = anna.all("/v1/calendar_feeds");
    assert_eq!(listed.len(), 10);
    assert!(listed.iter().all(|feed| feed.get("address").is_none()));

    let ben_id = workspace.user("ben@example.com", StandardRole::Agent, SECRET);
    let ben = workspace.sign_in("ben@example.com", SECRET);
    let path = format!("/v1/calendar_feeds/{}", first["id"].as_str().unwrap());
    ben.get(&path).expect_problem(404, "not_found");
    ben.delete(&path).expect_problem(404, "not_found");
    ben.get(&format!("/v1/calendar_feeds?user_id={id}")).expect_problem(403, "forbidden");
    anna.post("/v1/calendar_feeds", &json!({"name": "x", "user_id": ben_id})).expect_problem(403, "forbidden");
    admin.post("/v1/calendar_feeds", &json!({"name": "x"})).expect_errors(&[("/user_id", "required")]);
    assert_eq!(admin.all(&format!("/v1/calendar_feeds?user_id={id}")).len(), 10);
    admin.delete(&path).expect(204);
    anonymous().get(address(&first)).expect_problem(404, "not_found");
}
