//! Tasks, as callers use them. What all resources share is in the conformance tests.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Workspace, workspace};

const SECRET: &str = "a long enough password";

fn task(admin: &Caller, new: Value) -> Value {
    admin.create("/v1/tasks", &new)
}

fn path(task: &Value) -> String {
    format!("/v1/tasks/{}", task["id"].as_str().unwrap())
}

fn act(caller: &Caller, task: &Value, action: &str) -> Answer {
    caller.send("POST", &format!("{}/{action}", path(task)), &[], None)
}

fn names(tasks: &[Value]) -> Vec<&str> {
    tasks.iter().map(|task| task["name"].as_str().unwrap()).collect()
}

/// Somebody with a role that reaches as far as this, with their id.
fn user(workspace: &Workspace, admin: &Caller, name: &str, reach: &str) -> (Caller, String) {
    let rule = json!({"resource": "tasks", "read": reach, "write": reach, "create": true});
    let role = admin.create("/v1/roles", &json!({"name": format!("Role of {name}"), "rules": [rule]}));
    let email = format!("{name}@example.com");
    let id = workspace.user(&email, StandardRole::ReadOnly, SECRET);
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role["id"]]})).expect(200);
    (workspace.sign_in(&email, SECRET), id)
}

#[test]
fn a_task_keeps_everything_it_was_given() {
    let (workspace, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let (_, helper) = user(&workspace, &admin, "helper", "own");
    let given = json!({
        "name": "Call back", "description": "About the renewal", "type": "call", "status": "in_progress", "priority": "urgent",
        "parent": {"kind": "contact", "id": contact["id"]}, "assignee_id": helper, "collaborator_ids": [helper],
        "start_at": "2026-12-01T08:00:00Z", "due_at": "2026-12-01T09:00:00.123456Z",
        "reminders": [{"minutes_before_due": 60}, {"minutes_before_due": 0}], "recurrence": "FREQ=WEEKLY;BYDAY=TU",
        "time_zone": "Europe/Berlin", "tags": ["renewal"],
    });
    let created = admin.post("/v1/tasks", &given);
    created.expect(201);
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(created.body[field], *value, "{field}");
    }
    assert_eq!(created.body["status_class"], "open");
    assert_eq!((&created.body["series_id"], &created.body["series_position"]), (&created.body["id"], &json!(1)));
    let read = admin.get(&format!("{}?expand=contact&expand=assignee&expand=company", path(&created.body))).body;
    assert_eq!(read["expanded"]["contact"]["id"], contact["id"]);
    assert_eq!(read["expanded"]["assignee"]["id"], json!(helper));
    assert!(read["expanded"]["company"].is_null() && read["expanded"]["owner"].is_null());
}

#[test]
fn a_patch_moves_among_what_is_not_finished_and_actions_do_the_rest() {
    let (_, admin) = workspace();
    let created = task(&admin, json!({"name": "x"}));
    for status in ["in_progress", "deferred", "not_started"] {
        admin.patch(&path(&created), &json!({"status": status})).expect(200);
    }
    let refused = admin.patch(&path(&created), &json!({"status": "completed"}));
    refused.expect_problem(409, "invalid_transition");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("/complete") && detail.contains("in_progress, deferred, completed, cancelled"), "{detail}");
    assert_eq!(refused.body["errors"][0]["pointer"], "/status");

    let done = act(&admin, &created, "complete");
    done.expect(200);
    assert_eq!((&done.body["status"], &done.body["status_class"]), (&json!("completed"), &json!("done")));
    assert!(done.body["completed_at"].is_string());
    let again = act(&admin, &created, "complete");
    assert_eq!(again.body, done.body, "what is done stays as it is");
    let refused = act(&admin, &created, "cancel");
    refused.expect_problem(409, "invalid_transition");
    assert!(refused.body["detail"].as_str().unwrap().contains("goes to: not_started."));
    admin.patch(&path(&created), &json!({"status": "in_progress"})).expect_problem(409, "invalid_transition");

    let open = act(&admin, &created, "reopen");
    assert_eq!((&open.body["status"], &open.body["completed_at"]), (&json!("not_started"), &Value::Null));
    act(&admin, &created, "cancel").expect(200);
    let history = admin.all(&format!("{}/history", path(&created)));
    let events: Vec<&str> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events[..3], ["task.cancelled", "task.reopened", "task.completed"]);
    admin.post("/v1/tasks", &json!({"name": "x", "status": "cancelled"})).expect_errors(&[("/status", "not_allowed")]);
}

#[test]
fn whoever_may_not_write_the_status_neither_completes_nor_cancels_nor_reopens() {
    let (workspace, admin) = workspace();
    let (anna, id) = user(&workspace, &admin, "anna", "all");
    let rule = json!({"resource": "tasks", "read": "all", "write": "all",
        "writable_fields": {"mode": "all_but", "fields": ["status"]}});
    let role = admin.create("/v1/roles", &json!({"name": "All but the status", "rules": [rule]}));
    let (open, done) = (task(&admin, json!({"name": "x"})), task(&admin, json!({"name": "y"})));
    act(&admin, &done, "complete").expect(200);
    act(&anna, &done, "reopen").expect(200);
    act(&anna, &done, "complete").expect(200);

    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role["id"]]})).expect(200);
    let before = [&open, &done].map(|task| admin.get(&path(task)).body);
    let refused = anna.patch(&path(&open), &json!({"status": "in_progress"}));
    refused.expect_problem(403, "forbidden");
    refused.expect_errors(&[("/status", "closed_field")]);
    for (task, action) in [(&open, "complete"), (&open, "cancel"), (&done, "reopen"), (&done, "complete")] {
        let refused = act(&anna, task, action);
        refused.expect_problem(403, "forbidden");
        refused.expect_errors(&[("", "closed_field")]);
    }
    assert_eq!([&open, &done].map(|task| admin.get(&path(task)).body), before);
    anna.patch(&path(&open), &json!({"priority": "high"})).expect(200);
}

#[test]
fn an_action_on_an_old_version_is_refused() {
    let (_, admin) = workspace();
    let created = task(&admin, json!({"name": "x"}));
    admin.patch(&path(&created), &json!({"priority": "high"})).expect(200);
    let address = format!("{}/complete", path(&created));
    admin.send("POST", &address, &[("If-Match", "\"1\"")], None).expect_problem(412, "precondition_failed");
    admin.send("POST", &address, &[("If-Match", "\"2\"")], None).expect(200);
}

#[test]
fn a_batch_tells_of_a_transition_that_is_none() {
    let (_, admin) = workspace();
    let created = task(&admin, json!({"name": "x"}));
    let operations = json!({"operations": [
        {"op": "update", "id": created["id"], "data": {"status": "completed"}},
        {"op": "update", "id": created["id"], "data": {"status": "deferred"}},
        {"op": "create", "data": {"name": "y", "parent": {"kind": "contact", "id": created["id"]}}},
    ]});
    let results = admin.post("/v1/tasks/batch", &operations).body["results"].clone();
    assert_eq!((&results[0]["status"], &results[0]["error"]["code"]), (&json!(409), &json!("invalid_transition")));
    assert_eq!(results[1]["status"], 200);
    assert_eq!(results[2]["error"]["errors"][0]["pointer"], "/data/parent/id");
}

#[test]
fn a_recurring_task_comes_back_when_it_is_done_and_only_once() {
    let (_, admin) = workspace();
    admin.create("/v1/custom_fields", &json!({"resource": "tasks", "key": "room", "label": "Room", "type": "text"}));
    let unique = json!({"resource": "tasks", "key": "ticket", "label": "Ticket", "type": "text", "unique": true});
    admin.create("/v1/custom_fields", &unique);
    let first = task(
        &admin,
        json!({
            "name": "Water the plants", "start_at": "2026-10-23T07:00:00Z", "due_at": "2026-10-24T07:00:00Z",
            "recurrence": "FREQ=DAILY;COUNT=2", "time_zone": "Europe/Berlin", "tags": ["office"],
            "reminders": [{"minutes_before_due": 15}], "custom": {"room": "12", "ticket": "T-1"},
        }),
    );
    let done = act(&admin, &first, "complete").body;
    let second = admin.get(&format!("/v1/tasks/{}", done["successor_id"].as_str().unwrap())).body;
    // Clocks go back on the 25th: nine in the morning is an hour later in UTC.
    assert_eq!(second["due_at"], "2026-10-25T08:00:00Z");
    assert_eq!(second["start_at"], "2026-10-24T08:00:00Z");
    assert_eq!((&second["status"], &second["version"]), (&json!("not_started"), &json!(1)));
    assert_eq!((&second["series_id"], &second["series_position"]), (&first["id"], &json!(2)));
    assert_eq!((&second["tags"], &second["reminders"]), (&first["tags"], &first["reminders"]));
    assert_eq!(second["custom"], json!({"room": "12"}), "what is unique stays with the first");

    act(&admin, &first, "reopen").expect(200);
    assert_eq!(act(&admin, &first, "complete").body["successor_id"], second["id"]);
    let last = act(&admin, &second, "complete").body;
    assert!(last["successor_id"].is_null(), "two are all");
    assert_eq!(admin.all("/v1/tasks").len(), 2);
}

#[test]
fn a_rehearsal_of_completing_leaves_no_successor_and_names_none() {
    let (_, admin) = workspace();
    let first = task(&admin, json!({"name": "x", "due_at": "2026-10-24T07:00:00Z", "recurrence": "FREQ=DAILY"}));
    let rehearsed = admin.send("POST", &format!("{}/complete?dry_run=true", path(&first)), &[], None);
    rehearsed.expect(200);
    assert_eq!((&rehearsed.body["status"], &rehearsed.body["successor_id"]), (&json!("completed"), &Value::Null));
    assert_eq!(admin.all("/v1/tasks").len(), 1);
    assert_eq!(admin.get(&path(&first)).body["status"], "not_started");
}

#[test]
fn a_cancelled_task_does_not_come_back() {
    let (_, admin) = workspace();
    let first = task(&admin, json!({"name": "x", "due_at": "2026-10-24T07:00:00Z", "recurrence": "FREQ=DAILY"}));
    assert!(act(&admin, &first, "cancel").body["successor_id"].is_null());
    assert_eq!(admin.all("/v1/tasks").len(), 1);
}

#[test]
fn rules_that_are_none_are_refused_with_what_to_do() {
    let (_, admin) = workspace();
    let refused = admin.post("/v1/tasks", &json!({"name": "x", "recurrence": "FREQ=MINUTELY"}));
    refused.expect_errors(&[("/recurrence", "invalid_recurrence"), ("/recurrence", "needs_due_at")]);
    let long = format!("FREQ=MONTHLY;BYMONTHDAY={}1", "1,".repeat(300));
    let refused = admin.post("/v1/tasks", &json!({"name": "x", "due_at": "2026-10-24T07:00:00Z", "recurrence": long}));
    refused.expect_problem(422, "validation_failed");
    let created = task(&admin, json!({"name": "x", "due_at": "2026-10-24T07:00:00Z"}));
    for (patch, expected) in [
        (json!({"due_at": null, "reminders": [{"minutes_before_due": 5}]}), ("/reminders", "needs_due_at")),
        (json!({"start_at": "2026-10-24T07:00:01Z"}), ("/start_at", "out_of_range")),
        (json!({"time_zone": "Mars/Base"}), ("/time_zone", "invalid_time_zone")),
        (json!({"name": " "}), ("/name", "required")),
    ] {
        admin.patch(&path(&created), &patch).expect_errors(&[expected]);
    }
}

#[test]
fn a_parent_has_to_be_there_and_may_be_deleted_later() {
    let (_, admin) = workspace();
    let company = admin.create("/v1/companies", &json!({"name": "Engines"}));
    let about = json!({"kind": "company", "id": company["id"]});
    let wrong_kind = json!({"name": "x", "parent": {"kind": "contact", "id": company["id"]}});
    admin.post("/v1/tasks", &wrong_kind).expect_errors(&[("/parent/id", "unknown_reference")]);
    let created = task(&admin, json!({"name": "x", "parent": about}));
    admin.delete(&format!("/v1/companies/{}", company["id"].as_str().unwrap())).expect(204);
    admin.patch(&path(&created), &json!({"priority": "low"})).expect(200);
    assert_eq!(admin.get(&path(&created)).body["parent"], about);
    admin
        .post("/v1/tasks", &json!({"name": "y", "parent": about}))
        .expect_errors(&[("/parent/id", "unknown_reference")]);
}

#[test]
fn a_task_is_about_a_record_of_whatever_kind() {
    let (_, admin) = workspace();
    let at_least_one = json!({"op": "at_least", "n": 1});
    for (kind, collection, new) in [
        ("contact", "/v1/contacts", json!({"first_name": "Ada"})),
        ("company", "/v1/companies", json!({"name": "Engines"})),
        ("lead", "/v1/leads", json!({"last_name": "Babbage"})),
        ("opportunity", "/v1/opportunities", json!({"name": "Difference engine"})),
        ("product", "/v1/products", json!({"code": "DE-1", "name": "Difference engine"})),
    ] {
        let record = admin.create(collection, &new);
        let about = json!({"kind": kind, "id": record["id"]});
        let created = task(&admin, json!({"name": format!("About the {kind}"), "parent": about}));
        let read = admin.get(&format!("{}?expand={kind}", path(&created))).body;
        assert_eq!(read["expanded"][kind]["id"], record["id"], "{kind}");

        let id = record["id"].as_str().unwrap();
        let listed = admin.all(&format!("/v1/tasks?parent_kind={kind}&parent_id={id}"));
        assert_eq!(names(&listed), [format!("About the {kind}")]);
        let by_id = json!({"type": "choice", "field": "id", "op": "in", "values": [id]});
        let by_record = json!({"type": "related", "relation": kind, "count": at_least_one, "where": by_id});
        let found =
            admin.post("/v1/tasks/search", &json!({"filter": {"version": 1, "entity": "task", "where": by_record}}));
        found.expect(200);
        assert_eq!(found.body["data"].as_array().unwrap().len(), 1, "{kind}");
        let by_name = json!({"type": "text", "field": "name", "op": "contains", "value": format!("the {kind}")});
        let by_tasks = json!({"type": "related", "relation": "tasks", "count": at_least_one, "where": by_name});
        let filter = json!({"filter": {"version": 1, "entity": kind, "where": by_tasks}});
        let found = admin.post(&format!("{collection}/search"), &filter);
        found.expect(200);
        assert_eq!(found.body["data"][0]["id"], record["id"], "{kind}");

        admin.delete(&format!("{collection}/{id}")).expect(204);
        assert_eq!(admin.get(&path(&created)).body["parent"], about, "it stays");
        admin
            .post("/v1/tasks", &json!({"name": "x", "parent": about}))
            .expect_errors(&[("/parent/id", "unknown_reference")]);
    }
}

#[test]
fn lists_are_filtered_by_each_parameter() {
    let (workspace, admin) = workspace();
    let (_, anna) = user(&workspace, &admin, "anna", "own");
    let company = admin.create("/v1/companies", &json!({"name": "Engines"}));
    let about = json!({"kind": "company", "id": company["id"]});
    task(
        &admin,
        json!({"name": "A", "type": "call", "priority": "high", "due_at": "2020-01-01T00:00:00Z", "assignee_id": anna}),
    );
    task(&admin, json!({"name": "B", "status": "deferred", "parent": about, "tags": ["x"], "owner_id": anna}));
    let done = task(&admin, json!({"name": "C", "due_at": "2020-02-01T00:00:00Z"}));
    act(&admin, &done, "complete").expect(200);
    let (company, anna) = (company["id"].as_str().unwrap(), anna.as_str());
    for (query, expected) in [
        (format!("assignee_id={anna}&sort=name"), vec!["A", "B"]),
        (format!("owner_id={anna}"), vec!["B"]),
        ("status=completed&status=deferred&sort=name".to_owned(), vec!["B", "C"]),
        ("status_class=open".to_owned(), vec!["A"]),
        ("status_class=on_hold&status_class=done&sort=name".to_owned(), vec!["B", "C"]),
        ("priority=high".to_owned(), vec!["A"]),
        ("type=call".to_owned(), vec!["A"]),
        (format!("parent_kind=company&parent_id={company}"), vec!["B"]),
        (format!("parent_kind=contact&parent_id={company}"), vec![]),
        ("tag=x".to_owned(), vec!["B"]),
        ("overdue=true".to_owned(), vec!["A"]),
        ("overdue=false&sort=name".to_owned(), vec!["B", "C"]),
        ("due_after=2020-01-15T00:00:00Z".to_owned(), vec!["C"]),
        ("due_before=2020-02-01T00:00:00Z".to_owned(), vec!["A"]),
    ] {
        assert_eq!(names(&admin.all(&format!("/v1/tasks?{query}"))), expected, "{query}");
    }
    let alone = admin.get("/v1/tasks?parent_kind=company");
    alone.expect_problem(400, "invalid_query");
    assert_eq!(alone.body["errors"][0]["parameter"], "parent_id");
}

#[test]
fn lists_by_due_date_put_what_is_not_due_last_whichever_way_they_go() {
    let (_, admin) = workspace();
    for (name, due) in [
        ("none 1", None),
        ("second", Some("2026-02-01T00:00:00Z")),
        ("none 2", None),
        ("first", Some("2026-01-01T00:00:00Z")),
        ("third", Some("2026-03-01T00:00:00Z")),
    ] {
        task(&admin, json!({"name": name, "due_at": due}));
    }
    let paged = |sort: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("/v1/tasks?sort={sort}&limit=2{cursor}")).body;
            found.extend(page["data"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    assert_eq!(paged("due_at"), ["first", "second", "third", "none 1", "none 2"]);
    assert_eq!(paged("-due_at"), ["third", "second", "first", "none 2", "none 1"]);
    let found = admin.post("/v1/tasks/search", &json!({"sort": "due_at", "limit": 1}));
    assert_eq!(found.body["data"][0]["name"], "first");
    for path in ["/v1/contacts", "/v1/companies"] {
        let refused = admin.get(&format!("{path}?sort=due_at"));
        refused.expect_problem(400, "invalid_query");
        assert_eq!(refused.body["errors"][0]["code"], "unknown_sort");
    }
    let view = json!({"resource": "contacts", "name": "x", "visibility": "everyone", "sort": "due_at"});
    admin.post("/v1/views", &view).expect_errors(&[("/sort", "unknown_sort")]);
}

#[test]
fn my_tasks_are_those_that_i_am_to_do_what_is_left_first() {
    let (workspace, admin) = workspace();
    let (anna, id) = user(&workspace, &admin, "anna", "own");
    let mine = |name: &str, due: Option<&str>| task(&admin, json!({"name": name, "assignee_id": id, "due_at": due}));
    let done = mine("done", Some("2019-01-01T00:00:00Z"));
    act(&admin, &done, "complete").expect(200);
    mine("some day", None);
    mine("later", Some("2999-01-01T00:00:00Z"));
    mine("overdue", Some("2020-01-01T00:00:00Z"));
    task(&admin, json!({"name": "helping", "collaborator_ids": [id], "due_at": "2021-01-01T00:00:00Z"}));
    task(&admin, json!({"name": "of others"}));

    let all = |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = anna.get(&format!("/v1/tasks/mine?limit=2{query}{cursor}")).body;
            found.extend(page["data"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    assert_eq!(all(""), ["overdue", "later", "some day", "done"]);
    assert_eq!(all("&status_class=open"), ["overdue", "later", "some day"]);
    assert_eq!(all("&overdue=true"), ["overdue"]);
    assert_eq!(all("&due_after=2020-06-01T00:00:00Z"), ["later"]);
    assert_eq!(all("&involved_as=collaborator"), ["helping"]);
    let both = "&involved_as=assignee&involved_as=collaborator";
    assert_eq!(all(both), ["overdue", "helping", "later", "some day", "done"]);
    assert_eq!(anna.get(&format!("/v1/tasks/mine?count=exact{both}")).body["total"]["value"], 5);
    assert!(admin.all("/v1/tasks/mine").is_empty(), "a program has none");
}

#[test]
fn whoever_is_to_do_a_task_may_change_it_and_whoever_helps_may_see_it() {
    let (workspace, admin) = workspace();
    let (anna, anna_id) = user(&workspace, &admin, "anna", "own");
    let (ben, ben_id) = user(&workspace, &admin, "ben", "own");
    let (eve, _) = user(&workspace, &admin, "eve", "own");
    let created = task(&admin, json!({"name": "x", "assignee_id": anna_id, "collaborator_ids": [ben_id]}));
    anna.patch(&path(&created), &json!({"status": "in_progress"})).expect(200);
    ben.get(&path(&created)).expect(200);
    ben.patch(&path(&created), &json!({"status": "deferred"})).expect_problem(403, "forbidden");
    act(&ben, &created, "complete").expect_problem(403, "forbidden");
    eve.get(&path(&created)).expect_problem(404, "not_found");
    for sort in ["created_at", "-updated_at", "name", "due_at", "-due_at"] {
        for caller in [&anna, &ben] {
            assert_eq!(names(&caller.all(&format!("/v1/tasks?sort={sort}"))), ["x"], "{sort}");
        }
        assert!(eve.all(&format!("/v1/tasks?sort={sort}")).is_empty());
    }
    // What was lent to them, nobody passes on.
    let share = json!({"resource": "tasks", "record_id": created["id"], "user_id": ben_id});
    assert!(anna.post("/v1/shares", &share).status == 403);

    // Given to somebody else, it is out of sight.
    anna.patch(&path(&created), &json!({"assignee_id": ben_id})).expect(200);
    anna.get(&path(&created)).expect_problem(404, "not_found");
    act(&ben, &created, "complete").expect(200);
}

#[test]
fn who_gives_a_task_away_in_a_batch_may_not_change_it_any_more() {
    let (workspace, admin) = workspace();
    let (anna, anna_id) = user(&workspace, &admin, "anna", "own");
    let created = task(&admin, json!({"name": "x", "assignee_id": anna_id}));
    let operations = json!({"operations": [
        {"op": "update", "id": created["id"], "data": {"assignee_id": null}},
        {"op": "update", "id": created["id"], "data": {"name": "y"}},
    ]});
    let answer = anna.post("/v1/tasks/batch", &operations);
    assert_eq!(
        (&answer.body["results"][0]["status"], &answer.body["results"][1]["status"]),
        (&json!(200), &json!(404))
    );
}

#[test]
fn tasks_are_found_by_words_and_through_what_they_are_about() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "last_name": "Lovelace"}));
    let about = json!({"kind": "contact", "id": contact["id"]});
    task(&admin, json!({"name": "Call back", "description": "Wegen der Verlängerung", "parent": about}));
    task(&admin, json!({"name": "Write a letter"}));
    assert_eq!(names(&admin.all("/v1/tasks?q=verlangerung")), ["Call back"]);
    assert_eq!(names(&admin.all("/v1/tasks?q=leter")), ["Write a letter"]);
    let related = |entity: &str, relation: &str, condition: Value| {
        let node =
            json!({"type": "related", "relation": relation, "count": {"op": "at_least", "n": 1}, "where": condition});
        json!({"filter": {"version": 1, "entity": entity, "where": node}})
    };
    let lovelace = json!({"type": "text", "field": "last_name", "op": "eq", "value": "lovelace"});
    let found = admin.post("/v1/tasks/search", &related("task", "contact", lovelace));
    assert_eq!(names(found.body["data"].as_array().unwrap()), ["Call back"]);
    let calls = json!({"type": "choice", "field": "status_class", "op": "in", "values": ["open"]});
    let found = admin.post("/v1/contacts/search", &related("contact", "tasks", calls));
    assert_eq!(found.body["data"][0]["id"], contact["id"]);
    let nowhere = json!({"type": "geo_within", "countries": ["DE"]});
    admin
        .post("/v1/tasks/search", &json!({"filter": {"version": 1, "entity": "task", "where": nowhere}}))
        .expect_errors(&[("/filter/where", "not_applicable")]);
}

#[test]
fn a_deleted_task_comes_back_as_it_was() {
    let (_, admin) = workspace();
    let created = task(&admin, json!({"name": "x", "due_at": "2026-10-24T07:00:00Z", "recurrence": "FREQ=DAILY"}));
    admin.delete(&path(&created)).expect(204);
    act(&admin, &created, "complete").expect_problem(404, "not_found");
    assert_eq!(names(&admin.all("/v1/tasks?deleted=only&sort=due_at")), ["x"]);
    let restored = act(&admin, &created, "restore");
    assert_eq!((&restored.body["recurrence"], &restored.body["version"]), (&created["recurrence"], &json!(3)));
}
