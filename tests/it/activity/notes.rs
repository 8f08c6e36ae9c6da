//! Notes, as callers use them. What all resources share is in the conformance tests.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, Workspace, workspace};

const SECRET: &str = "a long enough password";

fn path(note: &Value) -> String {
    format!("/v1/notes/{}", note["id"].as_str().unwrap())
}

/// A company to write notes about, as a parent.
fn company(admin: &Caller, name: &str) -> Value {
    json!({"kind": "company", "id": admin.create("/v1/companies", &json!({"name": name}))["id"]})
}

fn note(admin: &Caller, parent: &Value, body: &str) -> Value {
    admin.create("/v1/notes", &json!({"parent": parent, "body": body}))
}

fn bodies(notes: &[Value]) -> Vec<&str> {
    notes.iter().map(|note| note["body"].as_str().unwrap()).collect()
}

/// Somebody who sees and changes their own notes alone, with their id.
fn colleague(workspace: &Workspace, admin: &Caller, name: &str) -> (Caller, String) {
    let rule = json!({"resource": "notes", "read": "own", "write": "own", "create": true});
    let role = admin.create("/v1/roles", &json!({"name": format!("Role of {name}"), "rules": [rule]}));
    let email = format!("{name}@example.com");
    let id = workspace.user(&email, StandardRole::ReadOnly, SECRET);
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role["id"]]})).expect(200);
    (workspace.sign_in(&email, SECRET), id)
}

/// All notes of a list, page by page.
fn paged(caller: &Caller, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = caller.get(&format!("/v1/notes?limit=2&{query}{cursor}")).body;
        found.extend(page["data"].as_array().unwrap().iter().map(|note| note["body"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn a_note_keeps_everything_it_was_given() {
    let (workspace, admin) = workspace();
    let (_, anna) = colleague(&workspace, &admin, "anna");
    let given = json!({
        "parent": company(&admin, "Engines"), "body": "Prefers to be called before nine.\n\n\tThe budget is decided in March.",
        "pinned": true, "internal": false, "mentions": [anna], "tags": ["negotiation"],
    });
    let created = admin.post("/v1/notes", &given);
    created.expect(201);
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(created.body[field], *value, "{field}");
    }
    let plain = note(&admin, &given["parent"], "x");
    assert_eq!((&plain["pinned"], &plain["internal"], &plain["mentions"]), (&json!(false), &json!(true), &json!([])));
}

#[test]
fn a_note_is_about_a_record_of_whatever_kind() {
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
        let (id, about) = (record["id"].as_str().unwrap(), json!({"kind": kind, "id": record["id"]}));
        let created = note(&admin, &about, &format!("About the {kind}"));
        let read = admin.get(&format!("{}?expand={kind}&expand=owner", path(&created))).body;
        assert_eq!(read["expanded"][kind]["id"], record["id"], "{kind}");
        let listed = admin.all(&format!("/v1/notes?parent_kind={kind}&parent_id={id}"));
        assert_eq!(bodies(&listed), [format!("About the {kind}")]);

        let text = json!({"type": "text", "field": "body", "op": "contains", "value": format!("the {kind}")});
        let by_notes = json!({"type": "related", "relation": "notes", "count": at_least_one, "where": text});
        let filter = json!({"filter": {"version": 1, "entity": kind, "where": by_notes}});
        let found = admin.post(&format!("{collection}/search"), &filter);
        assert_eq!(found.body["data"][0]["id"], record["id"], "{kind}: {}", found.text);
        let by_id = json!({"type": "choice", "field": "id", "op": "in", "values": [id]});
        let by_record = json!({"type": "related", "relation": kind, "count": at_least_one, "where": by_id});
        let filter = json!({"filter": {"version": 1, "entity": "note", "where": by_record}});
        assert_eq!(admin.post("/v1/notes/search", &filter).body["data"][0]["id"], created["id"], "{kind}");

        admin.delete(&format!("{collection}/{id}")).expect(204);
        admin.patch(&path(&created), &json!({"pinned": true})).expect(200);
        let again = json!({"parent": about, "body": "x"});
        admin.post("/v1/notes", &again).expect_errors(&[("/parent/id", "unknown_reference")]);
    }
}

#[test]
fn what_is_missing_or_too_long_is_refused_with_its_place() {
    let (_, admin) = workspace();
    let about = company(&admin, "Engines");
    admin.post("/v1/notes", &json!({})).expect_errors(&[("/body", "required"), ("/parent", "required")]);
    let refused = admin.post("/v1/notes", &json!({"parent": about, "body": " \n "}));
    refused.expect_errors(&[("/body", "required")]);
    let created = note(&admin, &about, &"ä".repeat(65_536));
    let longer = json!({"body": "a".repeat(65_537)});
    admin.patch(&path(&created), &longer).expect_problem(422, "validation_failed");
    for patch in [json!({"parent": null}), json!({"body": null}), json!({"pinned": null})] {
        admin.patch(&path(&created), &patch).expect_problem(422, "validation_failed");
    }
    let nobody = json!({"mentions": ["0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"]});
    admin.patch(&path(&created), &nobody).expect_errors(&[("/mentions/0", "unknown_reference")]);
    let alone = admin.get("/v1/notes?parent_kind=company");
    alone.expect_problem(400, "invalid_query");
    assert_eq!(alone.body["errors"][0]["parameter"], "parent_id");
}

#[test]
fn whoever_is_mentioned_sees_the_note_and_does_not_change_it() {
    let (workspace, admin) = workspace();
    let (anna, id) = colleague(&workspace, &admin, "anna");
    let about = company(&admin, "Engines");
    let told = note(&admin, &about, "For Anna");
    anna.get(&path(&told)).expect_problem(404, "not_found");
    admin.patch(&path(&told), &json!({"mentions": [id]})).expect(200);
    note(&admin, &about, "For nobody");

    anna.get(&path(&told)).expect(200);
    assert_eq!(bodies(&anna.all("/v1/notes")), ["For Anna"]);
    assert_eq!(bodies(&anna.all("/v1/notes?sort=-pinned")), ["For Anna"]);
    assert_eq!(bodies(&anna.all(&format!("/v1/notes?mention={id}"))), ["For Anna"]);
    anna.patch(&path(&told), &json!({"body": "Mine"})).expect_problem(403, "forbidden");
    let explained =
        admin.get(&format!("/v1/access/explain?resource=notes&record={}&user={id}", told["id"].as_str().unwrap()));
    let reasons = explained.body["rights"][0]["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["detail"] == "The note mentions them."), "{}", explained.text);

    admin.patch(&path(&told), &json!({"mentions": null})).expect(200);
    anna.get(&path(&told)).expect_problem(404, "not_found");
}

#[test]
fn pinned_notes_come_first_whatever_their_age_and_page_by_page() {
    let (workspace, admin) = workspace();
    let about = company(&admin, "Engines");
    for (body, pinned) in
        [("1", true), ("2", false), ("3", false), ("4", true), ("5", true), ("6", false), ("7", false)]
    {
        admin.create("/v1/notes", &json!({"parent": about, "body": body, "pinned": pinned}));
    }
    note(&admin, &company(&admin, "Looms"), "of others");
    let id = about["id"].as_str().unwrap();
    let of_record = format!("parent_kind=company&parent_id={id}");
    assert_eq!(paged(&admin, &format!("{of_record}&sort=-pinned")), ["5", "4", "1", "7", "6", "3", "2"]);
    assert_eq!(paged(&admin, &format!("{of_record}&sort=pinned")), ["2", "3", "6", "7", "1", "4", "5"]);
    assert_eq!(paged(&admin, &format!("{of_record}&pinned=true")), ["5", "4", "1"]);
    let found = admin.post("/v1/notes/search", &json!({"sort": "-pinned", "limit": 1}));
    assert_eq!(found.body["data"][0]["body"], "5");

    // Who sees only some reads the same order, from several lists.
    let (anna, own) = colleague(&workspace, &admin, "anna");
    for (body, pinned, patch) in [
        ("a", false, json!({"owner_id": own})),
        ("b", true, json!({"mentions": [own]})),
        ("c", true, json!({"owner_id": own})),
        ("d", false, json!({"mentions": [own]})),
    ] {
        let created = admin.create("/v1/notes", &json!({"parent": about, "body": body, "pinned": pinned}));
        admin.patch(&path(&created), &patch).expect(200);
    }
    assert_eq!(paged(&anna, "sort=-pinned"), ["c", "b", "d", "a"]);
    assert_eq!(paged(&anna, "sort=pinned"), ["a", "d", "b", "c"]);

    for refused in ["/v1/notes?sort=name", "/v1/tasks?sort=pinned", "/v1/contacts?sort=pinned"] {
        let refused = admin.get(refused);
        refused.expect_problem(400, "invalid_query");
        assert_eq!(refused.body["errors"][0]["code"], "unknown_sort");
    }
}

#[test]
fn lists_are_filtered_by_each_parameter() {
    let (workspace, admin) = workspace();
    let (_, anna) = colleague(&workspace, &admin, "anna");
    let (engines, looms) = (company(&admin, "Engines"), company(&admin, "Looms"));
    admin.create("/v1/notes", &json!({"parent": engines, "body": "A", "pinned": true, "mentions": [anna]}));
    admin.create("/v1/notes", &json!({"parent": looms, "body": "B", "internal": false, "tags": ["x"]}));
    let third = admin.create("/v1/notes", &json!({"parent": looms, "body": "C", "owner_id": anna}));
    let created = third["created_at"].as_str().unwrap();
    let engines = engines["id"].as_str().unwrap();
    for (query, expected) in [
        ("pinned=true".to_owned(), vec!["A"]),
        ("pinned=false&sort=created_at".to_owned(), vec!["B", "C"]),
        ("internal=false".to_owned(), vec!["B"]),
        (format!("mention={anna}"), vec!["A"]),
        (format!("owner_id={anna}"), vec!["C"]),
        ("tag=x".to_owned(), vec!["B"]),
        (format!("parent_kind=company&parent_id={engines}"), vec!["A"]),
        (format!("parent_kind=contact&parent_id={engines}"), vec![]),
        (format!("created_after={created}"), vec!["C"]),
        (format!("updated_before={created}&sort=updated_at"), vec!["A", "B"]),
    ] {
        assert_eq!(bodies(&admin.all(&format!("/v1/notes?{query}"))), expected, "{query}");
    }
}

#[test]
fn words_of_the_text_are_found_whole_words_first() {
    let (_, admin) = workspace();
    let about = company(&admin, "Engines");
    note(&admin, &about, "The budgeting round starts in Göteborg");
    note(&admin, &about, "No budget before March");
    note(&admin, &about, "Something else");
    assert_eq!(
        bodies(&admin.all("/v1/notes?q=budget")),
        ["No budget before March", "The budgeting round starts in Göteborg"]
    );
    assert_eq!(bodies(&admin.all("/v1/notes?q=goteborg")), ["The budgeting round starts in Göteborg"]);
    assert_eq!(bodies(&admin.all("/v1/notes?q=budjet%20march")), ["No budget before March"], "a typing error");
}

#[test]
fn a_text_of_any_length_is_kept_and_found() {
    let (_, admin) = workspace();
    let about = company(&admin, "Engines");
    // Each sign becomes six letters when it is folded: 1.1 MB of words, and one of 3,000 bytes.
    let words: Vec<_> = (0..560).map(|number| format!("{}w{number}", "㌖".repeat(112))).collect();
    note(&admin, &about, &format!("first {} last", words.join(" ")));
    note(&admin, &about, &format!("{} behind", "long".repeat(750)));
    let found = |query: &str| admin.all(&format!("/v1/notes?q={query}&fields=pinned")).len();
    assert_eq!((found("first"), found("last"), found("behind"), found("longlong")), (1, 1, 1, 1));
}

#[test]
fn a_batch_and_an_upsert_judge_parents_and_mentions_each_by_itself() {
    let (_, admin) = workspace();
    let about = company(&admin, "Engines");
    let nobody = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b";
    let operations = json!({"operations": [
        {"op": "create", "data": {"parent": about, "body": "x"}},
        {"op": "create", "data": {"parent": {"kind": "lead", "id": about["id"]}, "body": "y"}},
        {"op": "create", "data": {"parent": about, "body": "z", "mentions": [nobody]}},
        {"op": "create", "data": {"body": "z"}},
    ]});
    let answer = admin.post("/v1/notes/batch", &operations);
    let results = answer.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 422], "{}", answer.text);
    let pointer = |index: usize| &results[index]["error"]["errors"][0]["pointer"];
    assert_eq!([pointer(1), pointer(2)], ["/data/parent/id", "/data/mentions/0"]);

    let address = "/v1/notes/by-external-id/import/N-1";
    admin.put(address, &json!({"body": "x"})).expect_errors(&[("/parent", "required")]);
    let created = admin.put(address, &json!({"parent": about, "body": "x"}));
    created.expect(201);
    let changed = admin.put(address, &json!({"body": "y"}));
    assert_eq!((&changed.body["result"], &changed.body["record"]["parent"]), (&json!("updated"), &about));
    assert_eq!(admin.put(address, &json!({"body": "y"})).body["result"], "unchanged");
}

#[test]
fn a_lost_update_is_refused_and_a_deleted_note_comes_back() {
    let (_, admin) = workspace();
    let created = note(&admin, &company(&admin, "Engines"), "First");
    let stale = json!({"body": "Second"}).to_string().into_bytes();
    let headers = [("Content-Type", "application/json"), ("If-Match", "\"1\"")];
    admin.send("PATCH", &path(&created), &headers, Some(stale.clone())).expect(200);
    admin.send("PATCH", &path(&created), &headers, Some(stale)).expect_problem(412, "precondition_failed");
    admin.delete(&path(&created)).expect(204);
    admin.get(&path(&created)).expect_problem(404, "not_found");
    assert_eq!(bodies(&admin.all("/v1/notes?deleted=only")), ["Second"]);
    admin.send("POST", &format!("{}/restore", path(&created)), &[], None).expect(200);
    let history = admin.all(&format!("{}/history", path(&created)));
    let events: Vec<&str> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["note.restored", "note.deleted", "note.updated", "note.created"]);
}
