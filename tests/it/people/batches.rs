//! Batches.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, workspace};

fn statuses(answer: &Answer) -> Vec<u64> {
    answer.body["results"].as_array().unwrap().iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

fn create(caller: &Caller, name: &str) -> String {
    caller.create("/v1/contacts", &json!({"first_name": name}))["id"].as_str().unwrap().to_owned()
}

#[test]
fn each_operation_is_done_or_refused_by_itself() {
    let (_, admin) = workspace();
    let (changed, gone) = (create(&admin, "Changed"), create(&admin, "Gone"));
    let batch = json!({"operations": [
        {"op": "create", "ref": "a1", "data": {"first_name": "Ada"}},
        {"op": "create", "ref": "a2", "data": {"job_title": "Nameless"}},
        {"op": "update", "id": changed, "version": 1, "data": {"tags": ["vip"]}},
        {"op": "update", "id": changed, "version": 1, "data": {"tags": []}},
        {"op": "update", "id": changed, "data": {"tags": ["vip"]}},
        {"op": "delete", "id": gone},
        {"op": "delete", "id": gone},
        {"op": "upsert", "connection": "import", "external_id": "7", "data": {"first_name": "Seven"}},
        {"op": "upsert", "connection": "import", "external_id": "7", "data": {"last_name": "Of nine"}},
        {"op": "upsert", "connection": "nowhere", "external_id": "7", "data": {}},
        {"op": "create", "data": {"first_name": 7}},
        {"op": "fly"},
        {"op": "update", "id": "no id", "data": {}},
    ]});
    let answer = admin.post("/v1/contacts/batch", &batch);
    answer.expect(207);
    assert_eq!(statuses(&answer), [201, 422, 200, 412, 200, 204, 404, 201, 200, 404, 422, 422, 422], "{}", answer.text);
    let results = answer.body["results"].as_array().unwrap();
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
        assert_eq!(result["error"].is_null(), result["status"].as_u64().unwrap() < 300);
    }
    assert_eq!((&results[0]["ref"], &results[0]["version"]), (&json!("a1"), &json!(1)));
    assert_eq!(results[1]["error"]["errors"][0]["pointer"], "/data");
    assert_eq!(results[3]["error"]["current_version"], 2);
    let verdicts: Vec<&Value> = results.iter().map(|result| &result["result"]).collect();
    assert_eq!((verdicts[2], verdicts[4], verdicts[5]), (&json!("updated"), &json!("unchanged"), &json!("deleted")));
    assert_eq!((verdicts[7], verdicts[8]), (&json!("created"), &json!("updated")));
    assert_eq!(results[7]["id"], results[8]["id"]);
    assert_eq!(results[10]["error"]["errors"][0]["pointer"], "/data/first_name");
    assert_eq!(results[11]["error"]["errors"][0]["pointer"], "/op");
    assert_eq!(results[12]["error"]["errors"][0]["pointer"], "/id");

    let mut names: Vec<String> =
        admin.all("/v1/contacts").iter().map(|contact| contact["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["Ada", "Changed", "Seven Of nine"]);
    let seven = admin.get(&format!("/v1/contacts/{}", results[7]["id"].as_str().unwrap()));
    assert_eq!(seven.body["version"], 2);
    assert_eq!(admin.all(&format!("/v1/contacts/{changed}/history")).len(), 2);
}

#[test]
fn an_atomic_batch_is_done_as_a_whole_or_not_at_all() {
    let (_, admin) = workspace();
    let known = create(&admin, "Known");
    let good = json!({"op": "create", "data": {"first_name": "Ada"}});
    let batch = |bad: Value| json!({"atomic": true, "operations": [good, bad, {"op": "delete", "id": known}]});
    for (bad, place, code) in [
        (json!({"op": "create", "data": {"job_title": "Nameless"}}), "/operations/1/data", "nothing_to_know_by"),
        (json!({"op": "create", "data": {"first_name": 7}}), "/operations/1/data/first_name", "wrong_type"),
        (json!({"op": "update", "id": known, "version": 9, "data": {}}), "/operations/1", "precondition_failed"),
        (json!({"op": "delete", "id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"}), "/operations/1", "not_found"),
    ] {
        let refused = admin.post("/v1/contacts/batch", &batch(bad));
        refused.expect_problem(422, "batch_refused");
        assert_eq!(
            (&refused.body["errors"][0]["pointer"], &refused.body["errors"][0]["code"]),
            (&json!(place), &json!(code))
        );
        assert_eq!(admin.get("/v1/contacts").names(), ["Known"], "something was written");
    }
    let done = admin.post("/v1/contacts/batch", &batch(json!({"op": "create", "data": {"first_name": "Grace"}})));
    done.expect(200);
    assert_eq!(statuses(&done), [201, 201, 204]);
    assert_eq!(admin.all("/v1/contacts").len(), 2);
}

#[test]
fn somebody_known_is_a_duplicate_in_a_batch_too() {
    let (_, admin) = workspace();
    let somebody = |address: &str, extra: Value| {
        let mut operation = json!({"op": "create", "data": {"emails": [{"address": address}]}});
        operation.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        operation
    };
    admin.create("/v1/contacts", &json!({"emails": [{"address": "known@example.com"}]}));
    let batch = json!({"operations": [
        somebody("known@example.com", json!({})),
        somebody("new@example.com", json!({})),
        somebody("new@example.com", json!({})),
        somebody("new@example.com", json!({"on_duplicate": "allow"})),
    ]});
    let answer = admin.post("/v1/contacts/batch", &batch);
    assert_eq!(statuses(&answer), [409, 201, 409, 201], "{}", answer.text);
    let results = answer.body["results"].as_array().unwrap();
    assert_eq!(results[2]["error"]["candidates"][0]["id"], results[1]["id"]);
}

#[test]
fn mailboxes_that_a_batch_gives_and_takes_count_for_what_comes_after() {
    let (_, admin) = workspace();
    let mailbox = |address: &str| json!({"emails": [{"address": address}]});
    let ada = admin.create("/v1/contacts", &mailbox("ada@example.com"))["id"].clone();
    let bob = admin.create("/v1/contacts", &json!({"first_name": "Bob"}))["id"].clone();
    let batch = json!({"operations": [
        {"op": "update", "id": ada, "data": mailbox("countess@example.com")},
        {"op": "create", "data": mailbox("ada@example.com")},
        {"op": "update", "id": bob, "data": mailbox("bob@example.com")},
        {"op": "create", "data": mailbox("bob@example.com")},
        {"op": "delete", "id": bob},
        {"op": "create", "data": mailbox("bob@example.com")},
    ]});
    let answer = admin.post("/v1/contacts/batch", &batch);
    assert_eq!(statuses(&answer), [200, 201, 200, 409, 204, 201], "{}", answer.text);
    assert_eq!(answer.body["results"][3]["error"]["candidates"][0]["id"], bob);
}

/// The year 0 is none that the database reads in every way in which values come to it.
#[test]
fn dates_are_days_of_the_years_1_to_9999() {
    let (_, admin) = workspace();
    for wrong in ["0000-05-01", "10000-01-01", "2026-02-30", "2026-1-1"] {
        let answer = admin.post("/v1/contacts", &json!({"first_name": "Ada", "birthday": wrong}));
        answer.expect_problem(422, "validation_failed");
        assert_eq!(answer.body["errors"][0]["code"], "invalid_date", "{}", answer.text);
    }
    let ada = admin.create("/v1/contacts", &json!({"first_name": "Ada", "birthday": "0001-01-01"}));
    let batch = json!({"operations": [{"op": "update", "id": ada["id"], "data": {"tags": ["vip"]}}]});
    assert_eq!(statuses(&admin.post("/v1/contacts/batch", &batch)), [200]);
}

#[test]
fn companies_never_own_themselves_by_batch() {
    let (_, admin) = workspace();
    let company = |name: &str| admin.create("/v1/companies", &json!({"name": name}))["id"].clone();
    let (one, two) = (company("One"), company("Two"));
    let batch = json!({"operations": [
        {"op": "update", "id": one, "data": {"parent_id": two}},
        {"op": "update", "id": two, "data": {"parent_id": one}},
        {"op": "update", "id": two, "data": {"territory": "North"}},
    ]});
    let answer = admin.post("/v1/companies/batch", &batch);
    assert_eq!(statuses(&answer), [200, 422, 200], "{}", answer.text);
    assert_eq!(answer.body["results"][1]["error"]["errors"][0]["pointer"], "/data/parent_id");
}

#[test]
fn what_is_no_batch_is_refused_as_a_whole() {
    let (_, admin) = workspace();
    let good = json!({"op": "create", "data": {"first_name": "Ada"}});
    for (body, place, code) in [
        (json!({}), "/operations", "required"),
        (json!({"operations": []}), "/operations", "too_few"),
        (json!({"operations": vec![good.clone(); 1001]}), "/operations", "too_many"),
        (json!({"operations": {}}), "/operations", "wrong_type"),
        (json!({"operations": [good], "atomic": "yes"}), "/atomic", "wrong_type"),
        (json!({"operations": [good], "atomik": true}), "/atomik", "unknown_field"),
    ] {
        let refused = admin.post("/v1/contacts/batch", &body);
        refused.expect_problem(422, "validation_failed");
        refused.expect_errors(&[(place, code)]);
    }
    // What is no JSON further inside is told before anything is done, too.
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for wrong in [r#""\ud800""#, "1e999999", &deep, "tru"] {
        let good = r#"{"op": "create", "data": {"first_name": "Ada"}}"#;
        let body = format!(r#"{{"operations": [{good}, {{"op": "create", "data": {{"first_name": {wrong}}}}}]}}"#);
        let json = ("Content-Type", "application/json");
        let refused = admin.send("POST", "/v1/contacts/batch", &[json], Some(body.into_bytes()));
        refused.expect_problem(400, "malformed_request");
    }
    assert!(admin.all("/v1/contacts").is_empty());
}

#[test]
fn batches_over_the_same_records_in_any_order_all_get_through() {
    let (_, admin) = workspace();
    let ids: Vec<String> = (0..40).map(|number| create(&admin, &format!("N{number}"))).collect();
    std::thread::scope(|scope| {
        for writer in 0..6_usize {
            let (admin, ids) = (&admin, &ids);
            scope.spawn(move || {
                for round in 0..5_usize {
                    let operations: Vec<Value> = (0..ids.len())
                        .map(|step| (step * (2 * writer + 1) + round) % ids.len())
                        .map(|index| json!({"op": "update", "id": ids[index], "data": {"job_title": format!("{writer} {round}")}}))
                        .collect();
                    let answer = admin.post("/v1/contacts/batch", &json!({"operations": operations}));
                    answer.expect(207);
                    assert!(statuses(&answer).iter().all(|status| *status == 200), "{}", answer.text);
                }
            });
        }
    });
    for id in ids {
        let contact = admin.get(&format!("/v1/contacts/{id}")).body;
        let history = admin.all(&format!("/v1/contacts/{id}/history"));
        assert_eq!(contact["version"], history.len(), "no change was lost");
    }
}

#[test]
fn a_thousand_are_created_in_one_call() {
    let (_, admin) = workspace();
    let operations: Vec<Value> = (0..1000)
        .map(|number| json!({"op": "create", "ref": format!("r{number}"), "data": {
            "first_name": "Ada", "last_name": format!("N{number}"), "emails": [{"address": format!("n{number}@example.com")}]}}))
        .collect();
    let answer = admin.post("/v1/contacts/batch", &json!({"operations": operations}));
    answer.expect(207);
    assert!(statuses(&answer).iter().all(|status| *status == 201));
    assert_eq!(admin.get("/v1/contacts?count=exact&limit=1").body["total"]["value"], 1000);
    let rehearsed = admin.post("/v1/contacts/batch?dry_run=true", &json!({"operations": [operations[0]]}));
    assert_eq!(statuses(&rehearsed), [409]);
}

#[test]
fn an_operation_that_names_what_is_not_there_fails_alone() {
    let (_, admin) = workspace();
    let nobody = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b";
    let create = |field: &str| json!({"op": "create", "data": {"first_name": "Ada", field: nobody}});
    let batch = json!({"operations": [
        {"op": "create", "data": {"first_name": "Ada"}}, create("team_id"), create("owner_id"), create("company_id")]});
    let answer = admin.post("/v1/contacts/batch", &batch);
    assert_eq!(statuses(&answer), [201, 422, 422, 422], "{}", answer.text);
    assert_eq!(answer.body["results"][1]["error"]["errors"][0]["pointer"], "/data/team_id");
}

#[test]
fn what_was_given_away_is_not_changed_any_more() {
    let (workspace, admin) = workspace();
    let own = json!([{"resource": "contacts", "read": "all", "write": "own", "create": true, "delete": true}]);
    let role = admin.create("/v1/roles", &json!({"name": "Own", "rules": own}))["id"].clone();
    let agent = workspace.user("agent@example.com", StandardRole::Agent, "a long enough password");
    let other = workspace.user("other@example.com", StandardRole::Agent, "a long enough password");
    admin.patch(&format!("/v1/users/{agent}"), &json!({"role_ids": [role]})).expect(200);
    let agent = workspace.sign_in("agent@example.com", "a long enough password");
    let id = create(&agent, "Given away");
    let batch = json!({"operations": [
        {"op": "update", "id": id, "data": {"owner_id": other}}, {"op": "delete", "id": id}]});
    assert_eq!(statuses(&agent.post("/v1/contacts/batch", &batch)), [200, 403]);
    admin.get(&format!("/v1/contacts/{id}")).expect(200);
}

#[test]
fn what_is_deleted_gives_its_place_free_within_a_batch() {
    let (_, admin) = workspace();
    let ada = json!({"emails": [{"address": "ada@example.com"}]});
    let id = admin.create("/v1/contacts", &ada)["id"].clone();
    let batch = json!({"operations": [{"op": "delete", "id": id}, {"op": "create", "data": ada}]});
    assert_eq!(statuses(&admin.post("/v1/contacts/batch", &batch)), [204, 201]);
    let company = admin.create("/v1/companies", &json!({"name": "Gone"}))["id"].clone();
    let batch = json!({"operations": [
        {"op": "delete", "id": company}, {"op": "create", "data": {"name": "Child", "parent_id": company}}]});
    assert_eq!(statuses(&admin.post("/v1/companies/batch", &batch)), [204, 422]);
}

#[test]
fn values_that_a_rule_forbids_by_now_do_not_hold_up_others() {
    let (_, admin) = workspace();
    let field =
        |new: Value| format!("/v1/custom_fields/{}", admin.create("/v1/custom_fields", &new)["id"].as_str().unwrap());
    let options = |archived: bool| json!([{"key": "old", "label": "Old", "archived": archived}]);
    let tier = field(
        json!({"resource": "contacts", "key": "tier", "label": "Tier", "type": "choice", "options": options(false)}),
    );
    field(json!({"resource": "contacts", "key": "number", "label": "Number", "type": "text", "unique": true}));
    field(
        json!({"resource": "contacts", "key": "agent", "label": "Agent", "type": "reference", "referenced_resource": "companies"}),
    );
    let company = admin.create("/v1/companies", &json!({"name": "Agency"}))["id"].clone();
    let upsert = |id: &str, custom: Value| json!({"op": "upsert", "connection": "import", "external_id": id, "data": {"first_name": id, "custom": custom}});
    let send = |operations: Value| statuses(&admin.post("/v1/contacts/batch", &json!({"operations": operations})));
    assert_eq!(
        send(json!([upsert("1", json!({"tier": "old", "number": "A"})), upsert("2", json!({"number": "B"}))])),
        [201, 201]
    );
    admin.patch(&tier, &json!({"options": options(true)})).expect(200);
    let again = json!([
        upsert("1", json!({"tier": "old", "agent": company})),
        upsert("1", json!({"tier": "old", "number": "B"}))
    ]);
    assert_eq!(send(again), [200, 422]);
}

#[test]
fn a_batch_with_too_many_keys_is_refused() {
    let (_, admin) = workspace();
    let emails = |number: usize| -> Vec<Value> {
        (0..20).map(|index| json!({"address": format!("a{number}-{index}@b.example")})).collect()
    };
    let operations: Vec<Value> =
        (0..300).map(|number| json!({"op": "create", "data": {"emails": emails(number)}})).collect();
    let refused = admin.post("/v1/contacts/batch", &json!({"operations": operations}));
    refused.expect_problem(422, "validation_failed");
    refused.expect_errors(&[("/operations", "too_many_keys")]);
}
