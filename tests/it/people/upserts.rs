//! Upserts by external id.

use std::sync::{Barrier, Mutex};

use serde_json::{Value, json};

use crate::harness::{Caller, workspace};

fn connect(admin: &Caller) -> Value {
    admin.create("/v1/connections", &json!({"key": "shop", "name": "Shop"}))
}

#[test]
fn an_upsert_says_what_it_did() {
    let (_, admin) = workspace();
    let connection = connect(&admin);
    let path = "/v1/contacts/by-external-id/shop/K%2F1";
    let ada = json!({"first_name": "Ada", "last_name": "Lovelace", "tags": ["vip"]});
    let created = admin.put(path, &ada);
    created.expect(201);
    assert_eq!((&created.body["result"], &created.body["is_late"]), (&json!("created"), &json!(false)));
    let record = &created.body["record"];
    assert_eq!(record["external_ids"], json!([{"connection": "shop", "external_id": "K/1"}]));
    assert_eq!(created.header("etag"), "\"1\"");

    let same = admin.put(path, &ada);
    assert_eq!((&same.body["result"], &same.body["record"]), (&json!("unchanged"), record));
    let changed = admin.put(path, &json!({"tags": null}));
    assert_eq!((&changed.body["result"], &changed.body["record"]["tags"]), (&json!("updated"), &json!([])));
    assert_eq!(changed.body["record"]["last_name"], "Lovelace", "a field that was left out is kept");

    let id = record["id"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/v1/contacts/{id}")).body, changed.body["record"]);
    let history = admin.all(&format!("/v1/contacts/{id}/history"));
    assert_eq!(history.len(), 2, "what changed nothing left no trace");
    assert!(history.iter().all(|entry| entry["origin"] == connection["id"]));
}

#[test]
fn an_id_stands_for_one_record_of_each_kind_and_connection() {
    let (_, admin) = workspace();
    connect(&admin);
    admin.create("/v1/connections", &json!({"key": "till", "name": "Till"}));
    let mut ids = Vec::new();
    for (resource, connection) in
        [("contacts", "shop"), ("contacts", "till"), ("contacts", "import"), ("companies", "shop")]
    {
        let body = if resource == "contacts" { json!({"first_name": "Ada"}) } else { json!({"name": "Ada Ltd"}) };
        let answer = admin.put(&format!("/v1/{resource}/by-external-id/{connection}/7"), &body);
        assert_eq!(answer.body["result"], "created", "{}", answer.text);
        ids.push(answer.body["record"]["id"].to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn what_comes_late_changes_nothing() {
    let (_, admin) = workspace();
    connect(&admin);
    let send = |version: i64, title: &str| {
        let path = format!("/v1/contacts/by-external-id/shop/1?source_version={version}");
        let answer = admin.put(&path, &json!({"first_name": "Ada", "job_title": title}));
        answer.expect(if answer.body["result"] == "created" { 201 } else { 200 });
        (answer.body["result"].as_str().unwrap().to_owned(), answer.body["is_late"] == true)
    };
    assert_eq!(send(5, "Engineer"), ("created".to_owned(), false));
    assert_eq!(send(4, "Trainee"), ("unchanged".to_owned(), true));
    assert_eq!(send(5, "Engineer"), ("unchanged".to_owned(), false));
    assert_eq!(send(9, "Engineer"), ("unchanged".to_owned(), false));
    assert_eq!(send(8, "Director"), ("unchanged".to_owned(), true), "a version counts though it brought nothing new");
    assert_eq!(send(10, "Director"), ("updated".to_owned(), false));
    assert_eq!(admin.all("/v1/contacts")[0]["job_title"], "Director");
}

#[test]
fn the_newest_version_stays_whoever_comes_last() {
    let (_, admin) = workspace();
    connect(&admin);
    const VERSIONS: i64 = 160;
    let send = |version: i64| {
        // Every other version changes nothing but itself.
        let path = format!("/v1/contacts/by-external-id/shop/1?source_version={version}");
        admin.put(&path, &json!({"first_name": "Ada", "job_title": format!("Title {}", version / 2)}))
    };
    let send_batch = |version: i64| {
        let data = json!({"first_name": "Ada", "job_title": format!("Title {}", version / 2)});
        let operation = json!({
            "op": "upsert", "connection": "shop", "external_id": "1", "source_version": version, "data": data,
        });
        admin.post("/v1/contacts/batch", &json!({"operations": [operation]}))
    };
    send(0).expect(201);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (send, send_batch) = (&send, &send_batch);
            scope.spawn(move || {
                for version in (client + 1..=VERSIONS).step_by(8) {
                    if client % 4 == 0 {
                        let answer = send_batch(version);
                        assert_eq!(answer.body["results"][0]["status"], 200, "{}", answer.text);
                    } else {
                        send(version).expect(200);
                    }
                }
            });
        }
    });
    let record = &admin.all("/v1/contacts")[0];
    assert_eq!(record["job_title"], format!("Title {}", VERSIONS / 2));
    assert_eq!(send(VERSIONS - 1).body["is_late"], true);
    // What was written came in the order of its versions: no title comes back.
    let history = admin.all(&format!("/v1/contacts/{}/history", record["id"].as_str().unwrap()));
    let titles: Vec<i64> = history
        .iter()
        .flat_map(|entry| entry["changes"].as_array().unwrap().clone())
        .filter(|change| change["field"] == "job_title")
        .map(|change| change["to"].as_str().unwrap().trim_start_matches("Title ").parse().unwrap())
        .collect();
    assert!(titles.is_sorted_by(|newer, older| newer > older), "{titles:?}");
}

/// Values come back, and messages are sent twice: neither hides that something newer was told.
#[test]
fn what_was_told_last_stays_though_values_come_back_and_messages_come_twice() {
    let (_, admin) = workspace();
    connect(&admin);
    let send = |id: usize, (version, title): (i64, &str), by_batch: bool| {
        let data = json!({"first_name": "Ada", "job_title": title});
        if by_batch {
            let operation = json!({
                "op": "upsert", "connection": "shop", "external_id": id.to_string(), "source_version": version, "data": data,
            });
            let answer = admin.post("/v1/contacts/batch", &json!({"operations": [operation]}));
            assert!(answer.body["results"][0]["status"].as_i64().unwrap() < 300, "{}", answer.text);
        } else {
            let path = format!("/v1/contacts/by-external-id/shop/{id}?source_version={version}");
            let answer = admin.put(&path, &data);
            assert!(answer.status < 300, "{}", answer.text);
        }
    };
    // By client; the record begins with the first version and A.
    let messages = [(1, "A"), (2, "B"), (2, "B"), (3, "A"), (1, "A"), (2, "B")];
    let ends_with_b = [(1, "A"), (1, "A"), (2, "B"), (2, "B"), (1, "A"), (1, "A")];
    for (round, messages) in [messages, ends_with_b].into_iter().enumerate() {
        let ids = round * 100..round * 100 + 60;
        ids.clone().for_each(|id| send(id, (1, "A"), false));
        let start = Barrier::new(messages.len());
        std::thread::scope(|scope| {
            for (client, message) in messages.into_iter().enumerate() {
                let (send, start, ids) = (&send, &start, ids.clone());
                scope.spawn(move || {
                    for id in ids {
                        start.wait();
                        send(id, message, client >= 4);
                    }
                });
            }
        });
    }
    for record in admin.all("/v1/contacts") {
        let id: usize = record["external_ids"][0]["external_id"].as_str().unwrap().parse().unwrap();
        assert_eq!(record["job_title"], if id < 100 { "A" } else { "B" }, "{id}");
    }
}

#[test]
fn many_clients_who_upsert_the_same_ids_make_one_record_each() {
    let (_, admin) = workspace();
    connect(&admin);
    let results: Mutex<Vec<(usize, String)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (admin, results) = (&admin, &results);
            scope.spawn(move || {
                for step in 0..20 {
                    // Each in an order of its own.
                    let id = (step * 7 + client * 3) % 20;
                    let path = format!("/v1/contacts/by-external-id/shop/{id}");
                    let answer = admin.put(&path, &json!({"first_name": format!("Ada {id}")}));
                    assert!(answer.status < 300, "{}", answer.text);
                    results.lock().unwrap().push((id, answer.body["result"].as_str().unwrap().to_owned()));
                }
            });
        }
    });
    assert_eq!(admin.all("/v1/contacts").len(), 20);
    let results = results.into_inner().unwrap();
    for id in 0..20 {
        let of_id: Vec<&str> = results.iter().filter(|(of, _)| *of == id).map(|(_, result)| result.as_str()).collect();
        assert_eq!(of_id.iter().filter(|result| **result == "created").count(), 1, "{id}: {of_id:?}");
        assert_eq!(of_id.iter().filter(|result| **result == "unchanged").count(), 7, "{id}: {of_id:?}");
    }
}

#[test]
fn what_can_not_be_upserted_is_said() {
    let (_, admin) = workspace();
    let connection = connect(&admin);
    admin.put("/v1/contacts/by-external-id/nowhere/1", &json!({"first_name": "Ada"})).expect_problem(404, "not_found");
    let nameless = admin.put("/v1/contacts/by-external-id/shop/1", &json!({"job_title": "Engineer"}));
    nameless.expect_problem(422, "validation_failed");
    let unknown = json!({"first_name": "Ada", "company_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"});
    admin.put("/v1/contacts/by-external-id/shop/1", &unknown).expect_errors(&[("/company_id", "unknown_reference")]);
    assert!(admin.all("/v1/contacts").is_empty());

    let ada = json!({"first_name": "Ada", "emails": [{"address": "ada@example.com"}]});
    let created = admin.put("/v1/contacts/by-external-id/shop/1", &ada);
    let twin = admin.put("/v1/contacts/by-external-id/shop/2", &ada);
    twin.expect_problem(409, "duplicate");
    assert_eq!(twin.body["candidates"][0]["id"], created.body["record"]["id"]);
    admin.put("/v1/contacts/by-external-id/shop/2?on_duplicate=allow", &ada).expect(201);

    admin.delete(&format!("/v1/contacts/{}", created.body["record"]["id"].as_str().unwrap())).expect(204);
    let deleted = admin.put("/v1/contacts/by-external-id/shop/1", &ada);
    deleted.expect_problem(409, "conflict");
    assert_eq!(deleted.body["errors"][0]["code"], "record_deleted");

    let path = format!("/v1/connections/{}", connection["id"].as_str().unwrap());
    for (patch, code) in [
        (json!({"status": "paused"}), "connection_paused"),
        (json!({"status": "active", "direction": "write"}), "connection_direction"),
    ] {
        admin.patch(&path, &patch).expect(200);
        let refused = admin.put("/v1/contacts/by-external-id/shop/3", &json!({"first_name": "Grace"}));
        refused.expect_problem(409, "conflict");
        assert_eq!(refused.body["errors"][0]["code"], code);
    }
}

#[test]
fn what_another_record_has_is_refused_alike_on_all_terms() {
    let (_, admin) = workspace();
    connect(&admin);
    let number = json!({"resource": "contacts", "key": "number", "label": "Number", "type": "text", "unique": true});
    admin.create("/v1/custom_fields", &number);
    admin.create("/v1/contacts", &json!({"first_name": "Ada", "custom": {"number": "7"}}));
    admin.create("/v1/products", &json!({"code": "A", "name": "Anchor"}));
    for (resource, mine, taken, (status, code)) in [
        ("contacts", json!({"first_name": "Grace"}), json!({"custom": {"number": "7"}}), (422, "validation_failed")),
        ("products", json!({"code": "B", "name": "Bolt"}), json!({"code": "A"}), (409, "conflict")),
    ] {
        let path = format!("/v1/{resource}/by-external-id/shop/1");
        admin.put(&format!("{path}?source_version=1"), &mine).expect(201);
        let plain = admin.put(&path, &taken);
        plain.expect_problem(status, code);
        for terms in ["", "?dry_run=true", "?source_version=2", "?source_version=2&dry_run=true"] {
            for key in [None, Some("once")] {
                let headers: Vec<(&str, &str)> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
                let headers = [headers.as_slice(), &[("Content-Type", "application/json")]].concat();
                let body = Some(taken.to_string().into_bytes());
                let refused = admin.send("PUT", &format!("{path}{terms}"), &headers, body);
                refused.expect_problem(status, code);
                assert_eq!(refused.body["errors"], plain.body["errors"], "{resource} {terms} {key:?}");
            }
        }
        let late = admin.put(&format!("{path}?source_version=1"), &json!({}));
        assert_eq!(
            (&late.body["result"], &late.body["is_late"]),
            (&json!("unchanged"), &json!(false)),
            "2 was not kept"
        );
    }
}

#[test]
fn a_new_record_by_upsert_belongs_to_its_sender() {
    let (workspace, admin) = workspace();
    connect(&admin);
    let agent = workspace.signed_in(rapport_domain::access::StandardRole::Agent);
    let me = agent.get("/v1/me").body["id"].clone();
    let mine = agent.put("/v1/contacts/by-external-id/shop/1", &json!({"first_name": "Ada"}));
    assert_eq!(mine.body["record"]["owner_id"], me);
    let nobodys = agent.put("/v1/contacts/by-external-id/shop/2", &json!({"first_name": "Grace", "owner_id": null}));
    assert_eq!(nobodys.body["record"]["owner_id"], Value::Null);
}

fn external_ids(record: &Value) -> Vec<(&str, &str)> {
    let ids = record["external_ids"].as_array().unwrap().iter();
    ids.map(|id| (id["connection"].as_str().unwrap(), id["external_id"].as_str().unwrap())).collect()
}

#[test]
fn a_record_is_found_by_its_external_id() {
    let (_, admin) = workspace();
    connect(&admin);
    let path = "/v1/contacts/by-external-id/shop/K%2F1";
    admin.get(path).expect_problem(404, "not_found");
    let created = admin.put(path, &json!({"last_name": "Lovelace"})).body["record"].clone();
    let found = admin.get(path);
    found.expect(200);
    assert_eq!(found.body, created);
    let unchanged = admin.get_with(path, ("If-None-Match", found.header("etag")));
    unchanged.expect(304);
    assert_eq!(admin.get(&format!("{path}?fields=name")).body["name"], "Lovelace");
    // The id is one of contacts, and of this connection.
    admin.get("/v1/companies/by-external-id/shop/K%2F1").expect_problem(404, "not_found");
    admin.get("/v1/contacts/by-external-id/import/K%2F1").expect_problem(404, "not_found");

    admin.delete(&format!("/v1/contacts/{}", created["id"].as_str().unwrap())).expect(204);
    admin.get(path).expect_problem(404, "not_found");
    admin.get(&format!("{path}?deleted=include")).expect(200);
}

#[test]
fn a_record_that_is_there_gets_an_external_id() {
    let (_, admin) = workspace();
    let connection = connect(&admin);
    let ada = admin.create("/v1/contacts", &json!({"first_name": "Ada", "last_name": "Lovelace"}));
    let id = ada["id"].as_str().unwrap();
    let path = |external: &str| format!("/v1/contacts/by-external-id/shop/{external}?record_id={id}");

    let rehearsed = admin.put(&format!("{}&dry_run=true", path("1")), &json!({}));
    rehearsed.expect(200);
    assert_eq!(rehearsed.body["result"], "updated");
    let linked = admin.put(&format!("{}&source_version=4", path("1")), &json!({"job_title": "Countess"}));
    linked.expect(200);
    assert_eq!(linked.body["result"], "updated");
    let record = &linked.body["record"];
    assert_eq!((&record["id"], &record["version"], &record["job_title"]), (&ada["id"], &json!(2), &json!("Countess")));
    assert_eq!(external_ids(record), [("shop", "1")]);
    assert_eq!(admin.get("/v1/contacts/by-external-id/shop/1").body, *record);

    let entry = &admin.all(&format!("/v1/contacts/{id}/history"))[0];
    assert_eq!((&entry["event"], &entry["origin"]), (&json!("contact.updated"), &connection["id"]));
    let fields: Vec<&str> =
        entry["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"external_ids"), "{fields:?}");

    // To say it again changes nothing, what comes late neither, and the address alone is enough from now on.
    assert_eq!(admin.put(&path("1"), &json!({})).body["result"], "unchanged");
    let late = admin.put(&format!("{}&source_version=3", path("1")), &json!({"job_title": "Trainee"}));
    assert_eq!((&late.body["result"], &late.body["is_late"]), (&json!("unchanged"), &json!(true)));
    let changed = admin.put("/v1/contacts/by-external-id/shop/1", &json!({"job_title": "Analyst"}));
    assert_eq!(changed.body["record"]["id"], ada["id"]);

    // A second id of the same connection: there they may be twice. One id is never that of two.
    assert_eq!(external_ids(&admin.put(&path("2"), &json!({})).body["record"]), [("shop", "1"), ("shop", "2")]);
    let other = admin.create("/v1/contacts", &json!({"last_name": "Byron"}));
    let taken = admin
        .put(&format!("/v1/contacts/by-external-id/shop/1?record_id={}", other["id"].as_str().unwrap()), &json!({}));
    taken.expect_problem(409, "conflict");
    assert_eq!(taken.body["errors"][0]["code"], "external_id_taken");
}

#[test]
fn only_a_record_that_one_may_change_gets_an_external_id() {
    let (workspace, admin) = workspace();
    connect(&admin);
    let ada = admin.create("/v1/contacts", &json!({"last_name": "Lovelace"}));
    let id = ada["id"].as_str().unwrap();
    let path = format!("/v1/contacts/by-external-id/shop/1?record_id={id}");
    let stale =
        admin.send("PUT", &path, &[("Content-Type", "application/json"), ("If-Match", "\"7\"")], Some(b"{}".to_vec()));
    stale.expect_problem(412, "precondition_failed");
    let unknown = format!("/v1/contacts/by-external-id/shop/1?record_id={}", uuid::Uuid::now_v7());
    admin.put(&unknown, &json!({"last_name": "Nobody"})).expect_problem(404, "not_found");
    admin.put(&path, &json!({"emails": [{"address": "no address"}]})).expect(422);
    workspace.scoped(&["contacts:read", "contacts:create"]).put(&path, &json!({})).expect_problem(403, "forbidden");
    let paused = admin.create("/v1/connections", &json!({"key": "old", "name": "Old", "status": "paused"}));
    assert_eq!(paused["status"], "paused");
    let by_paused = admin.put(&format!("/v1/contacts/by-external-id/old/1?record_id={id}"), &json!({}));
    by_paused.expect_problem(409, "conflict");
    assert_eq!(by_paused.body["errors"][0]["code"], "connection_paused");
    for number in 0..50 {
        admin.put(&format!("/v1/contacts/by-external-id/shop/K{number}?record_id={id}"), &json!({})).expect(200);
    }
    let further = admin.put(&path, &json!({}));
    further.expect_problem(409, "conflict");
    assert_eq!(further.body["errors"][0]["code"], "too_many");
    // In one batch, too, what was deleted or changed before is as it is then.
    let ben = admin.create("/v1/contacts", &json!({"last_name": "Babbage"}))["id"].clone();
    let link = |external: &str, id: &Value| json!({"op": "upsert", "connection": "shop", "external_id": external, "record_id": id, "data": {}});
    let operations = json!([
        {"op": "update", "id": ben, "data": {"job_title": "Engineer"}},
        link("B1", &ben),
        {"op": "delete", "id": ben},
        link("B2", &ben),
    ]);
    let answer = admin.post("/v1/contacts/batch", &json!({"operations": operations}));
    let told: Vec<&Value> = answer.body["results"].as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(told, [200, 200, 204, 404], "{}", answer.text);
    let of_ben = admin.get("/v1/contacts/by-external-id/shop/B1?deleted=include").body;
    assert_eq!((&of_ben["job_title"], &of_ben["id"]), (&json!("Engineer"), &ben));
    admin.delete(&format!("/v1/contacts/{id}")).expect(204);
    admin.put(&path, &json!({})).expect_problem(404, "not_found");
    admin.get("/v1/contacts/by-external-id/shop/1?deleted=include").expect_problem(404, "not_found");
}

#[test]
fn a_batch_gives_external_ids_to_records_that_are_there() {
    let (_, admin) = workspace();
    connect(&admin);
    let known: Vec<Value> =
        (0..3).map(|number| admin.create("/v1/companies", &json!({"name": format!("Company {number}")}))).collect();
    let upsert = |external: &str, record: &Value| json!({"op": "upsert", "connection": "shop", "external_id": external, "record_id": record["id"], "data": {}});
    let operations = json!([
        upsert("A", &known[0]),
        upsert("B", &known[1]),
        // In one batch, too, an id is that of the first.
        upsert("A", &known[2]),
        upsert("A", &known[0]),
        {"op": "upsert", "connection": "shop", "external_id": "B", "source_version": 2, "data": {"name": "Renamed"}},
    ]);
    let answer = admin.post("/v1/companies/batch", &json!({"operations": operations}));
    answer.expect(207);
    let results = answer.body["results"].as_array().unwrap();
    let told: Vec<(i64, &str)> = results
        .iter()
        .map(|result| (result["status"].as_i64().unwrap(), result["result"].as_str().unwrap_or("none")))
        .collect();
    assert_eq!(told, [(200, "updated"), (200, "updated"), (409, "none"), (200, "unchanged"), (200, "updated")]);
    assert_eq!(admin.get("/v1/companies/by-external-id/shop/B").body["name"], "Renamed");
    assert_eq!(admin.get("/v1/companies/by-external-id/shop/A").body["id"], known[0]["id"]);
    let late = admin.put("/v1/companies/by-external-id/shop/B?source_version=1", &json!({"name": "Old"}));
    assert_eq!(late.body["is_late"], true);
}

#[test]
fn of_many_who_link_one_id_to_different_records_at_once_one_does() {
    let (_, admin) = workspace();
    connect(&admin);
    let records: Vec<Value> =
        (0..6).map(|number| admin.create("/v1/contacts", &json!({"last_name": format!("L{number}")}))).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let link = |record: &Value| {
            let path = format!("/v1/contacts/by-external-id/shop/1?record_id={}", record["id"].as_str().unwrap());
            let admin = &admin;
            scope.spawn(move || admin.put(&path, &json!({})).status)
        };
        let threads: Vec<_> = records.iter().map(link).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    let named = records.iter().filter(|record| {
        let path = format!("/v1/contacts/{}", record["id"].as_str().unwrap());
        !external_ids(&admin.get(&path).body).is_empty()
    });
    assert_eq!(named.count(), 1);
}
