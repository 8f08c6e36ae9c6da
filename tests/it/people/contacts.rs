//! Contacts, as callers use them. What all resources share is in the conformance tests.

use std::collections::HashSet;

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, JSON, wait_for_positions, workspace};

fn path(contact: &Value) -> String {
    format!("/v1/contacts/{}", contact["id"].as_str().unwrap())
}

#[test]
fn a_contact_keeps_everything_it_was_given() {
    let (_, admin) = workspace();
    let company = admin.create("/v1/companies", &json!({"name": "Analytical Engines"}));
    let given = json!({
        "salutation": "Countess", "first_name": "Ada", "middle_name": "King", "last_name": "Lovelace",
        "job_title": "Programmer", "company_id": company["id"], "birthday": "1815-12-10", "locale": "en-GB",
        "time_zone": "Europe/London", "preferred_channel": "postal", "do_not_call": true,
        "lifecycle_stage": "prospect", "source_channel": "in_person", "tags": ["poet's daughter", "vip"],
        "emails": [{"address": "Ada@Example.com", "type": "work", "invalid": false, "opted_out": true},
                   {"address": "ada@home.example", "type": "home", "invalid": true, "opted_out": false}],
        "addresses": [{"type": "home", "street": "12 St James's Square", "city": "London", "region": null,
                       "postal_code": "SW1Y 4JH", "country": "GB", "latitude": 51.507, "longitude": -0.135}],
        "social_profiles": [{"network": "mastodon", "profile": "@ada@example.com", "label": "private"}],
    });
    let created = admin.post("/v1/contacts", &given);
    created.expect(201);
    assert_eq!(created.header("location"), path(&created.body));
    assert_eq!(created.header("etag"), "\"1\"");
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(created.body[field], *value, "{field}");
    }
    assert_eq!(created.body["name"], "Ada King Lovelace");
    assert_eq!(created.body["source"], "api");
    let read = admin.get(&path(&created.body));
    assert_eq!(read.body, created.body);
    assert_eq!(read.header("etag"), "\"1\"");
}

#[test]
fn telephone_numbers_become_international_or_are_refused() {
    let (_, admin) = workspace();
    let contact = admin.create(
        "/v1/contacts",
        &json!({"phones": [{"number": "030 901820"}, {"number": "+1 (212) 555-2368", "type": "mobile", "e164": "made up"}]}),
    );
    assert_eq!(contact["phones"][0]["e164"], "+4930901820");
    assert_eq!(contact["phones"][1]["e164"], "+12125552368");
    assert_eq!(contact["name"], "030 901820");

    let british = json!({"phones": [{"number": "020 7946 0018"}], "addresses": [{"country": "GB"}]});
    assert_eq!(admin.create("/v1/contacts", &british)["phones"][0]["e164"], "+442079460018");

    let refused = admin.post("/v1/contacts", &json!({"phones": [{"number": "12345"}, {"number": "ring me"}]}));
    refused.expect_errors(&[("/phones/0/number", "invalid_phone"), ("/phones/1/number", "invalid_phone")]);
}

#[test]
fn every_problem_is_named_at_once() {
    let (_, admin) = workspace();
    let refused = admin.post(
        "/v1/contacts",
        &json!({"first_name": "", "birthday": "1990-02-30", "locale": "klingon!", "emails": [{"address": "nowhere"}],
                "addresses": [{"country": "DEU"}], "lifecycle_stage": "friend", "nickname": "x", "time_zone": "Mars/Base"}),
    );
    refused.expect_problem(422, "validation_failed");
    refused.expect_errors(&[
        ("/addresses/0/country", "invalid_country_code"),
        ("/birthday", "invalid_date"),
        ("/emails/0/address", "invalid_email"),
        ("/first_name", "empty"),
        ("/lifecycle_stage", "unknown_value"),
        ("/locale", "invalid_language_tag"),
        ("/nickname", "unknown_field"),
        ("/time_zone", "invalid_time_zone"),
    ]);
    let meaning = json!({"birthday": "2999-01-01", "addresses": [{"latitude": 1.5}],
                         "emails": [{"address": "a@example.com"}, {"address": "A@example.com"}]});
    admin.post("/v1/contacts", &meaning).expect_errors(&[
        ("/addresses/0/__all__", "incomplete_position"),
        ("/birthday", "in_the_future"),
        ("/emails/1/address", "repeated"),
    ]);
    admin.post("/v1/contacts", &json!({"job_title": "Nobody"})).expect_errors(&[("", "nothing_to_know_by")]);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    admin.patch(&path(&contact), &json!({"first_name": null})).expect_errors(&[("", "nothing_to_know_by")]);
    assert!(admin.all("/v1/contacts").len() == 1, "something was written by halves");
}

#[test]
fn a_known_mailbox_or_line_is_a_duplicate_unless_allowed() {
    let (_, admin) = workspace();
    let first = json!({"first_name": "Ada", "emails": [{"address": "ada@example.com"}], "phones": [{"number": "+49 30 901820"}]});
    let first = admin.create("/v1/contacts", &first);
    let by_mail =
        json!({"first_name": "A.", "emails": [{"address": "other@example.com"}, {"address": "ADA@example.com"}]});
    let refused = admin.post("/v1/contacts", &by_mail);
    refused.expect_problem(409, "duplicate");
    assert_eq!(
        refused.body["candidates"],
        json!([{"kind": "contact", "id": first["id"], "name": "Ada", "reasons": ["same_email"], "score": 1.0}])
    );
    let by_phone = json!({"first_name": "A.", "phones": [{"number": "030 901820"}]});
    assert_eq!(admin.post("/v1/contacts", &by_phone).body["candidates"][0]["reasons"], json!(["same_phone"]));

    admin.post("/v1/contacts?on_duplicate=allow", &by_mail).expect(201);
    assert_eq!(admin.post("/v1/contacts", &by_mail).body["candidates"].as_array().unwrap().len(), 2);
    admin.delete(&path(&first)).expect(204);
    assert_eq!(admin.post("/v1/contacts", &by_mail).body["candidates"].as_array().unwrap().len(), 1);
}

#[test]
fn of_many_creates_with_one_mailbox_one_gets_through() {
    let (_, admin) = workspace();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let create = |number: usize| {
            let admin = admin.clone();
            let body = json!({"first_name": format!("Ada {number}"),
                              "emails": [{"address": "ada@example.com"}, {"address": format!("{number}@example.com")}]});
            scope.spawn(move || admin.post("/v1/contacts", &body).status)
        };
        let tasks: Vec<_> = (0..16).map(create).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(admin.all("/v1/contacts").len(), 1);
}

#[test]
fn of_two_who_change_the_same_version_one_is_told() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = path(&contact);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let change = |number: usize| {
            let (admin, path) = (admin.clone(), path.clone());
            scope.spawn(move || admin.patch_if(&path, "\"1\"", &json!({"job_title": format!("Title {number}")})).status)
        };
        let tasks: Vec<_> = (0..12).map(change).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 11, "{statuses:?}");
    assert_eq!(admin.get(&path).body["version"], 2);
}

#[test]
fn changes_of_different_fields_at_once_are_all_kept() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = path(&contact);
    let fields = ["last_name", "job_title", "salutation", "middle_name"];
    std::thread::scope(|scope| {
        for field in fields {
            let (admin, path) = (admin.clone(), path.clone());
            scope.spawn(move || admin.patch(&path, &json!({field: "set"})).expect(200));
        }
    });
    let after = admin.get(&path).body;
    assert!(fields.iter().all(|field| after[*field] == "set"), "{after}");
    assert_eq!(after["version"], 5);
    assert_eq!(admin.all(&format!("{path}/history")).len(), 5);
}

#[test]
fn history_tells_what_changed() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "tags": ["a"]}));
    let path = path(&contact);
    let headers = [("Content-Type", "application/json"), ("X-Request-Id", "request-4711")];
    let patch = json!({"first_name": "Augusta", "tags": ["a", "b"], "job_title": "Programmer"});
    admin.send("PATCH", &path, &headers, Some(patch.to_string().into_bytes())).expect(200);
    admin.delete(&path).expect(204);
    admin.post(&format!("{path}/restore"), &json!(null)).expect(200);

    let history = admin.all(&format!("{path}/history?limit=2"));
    let events: Vec<_> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["contact.restored", "contact.deleted", "contact.updated", "contact.created"]);
    let versions: Vec<_> = history.iter().map(|entry| entry["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, [4, 3, 2, 1]);
    let updated = &history[2];
    assert_eq!(history[3]["at"], contact["created_at"]);
    assert_eq!(updated["request_id"], "request-4711");
    assert_eq!(updated["record"], json!({"kind": "contact", "id": contact["id"]}));
    assert_eq!(
        updated["changes"],
        json!([
            {"field": "tags", "from": ["a"], "to": ["a", "b"]},
            {"field": "name", "from": "Ada", "to": "Augusta"},
            {"field": "first_name", "from": "Ada", "to": "Augusta"},
            {"field": "job_title", "from": null, "to": "Programmer"},
        ])
    );
}

#[test]
fn the_feed_position_of_every_entry_comes_shortly() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    for number in 0..4 {
        admin.patch(&path(&contact), &json!({"job_title": format!("Title {number}")})).expect(200);
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let positions = loop {
        let history = admin.all(&format!("{}/history", path(&contact)));
        let positions: Vec<_> = history.iter().map(|entry| entry["position"].as_i64()).collect();
        if positions.iter().all(Option::is_some) {
            break positions;
        }
        assert!(std::time::Instant::now() < deadline, "no positions were given: {positions:?}");
        std::thread::yield_now();
    };
    // What the test did before, such as making its key, has the positions below.
    let last = positions[4].unwrap();
    assert_eq!(positions, [4, 3, 2, 1, 0].map(|above| Some(last + above)));
}

#[test]
fn a_deleted_contact_is_gone_until_it_is_restored() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = path(&contact);
    admin.delete(&path).expect(204);
    for gone in [admin.get(&path), admin.patch(&path, &json!({"first_name": "x"})), admin.delete(&path)] {
        gone.expect_problem(404, "not_found");
    }
    assert!(admin.all("/v1/contacts").is_empty());
    assert!(admin.all("/v1/contacts?q=ada").is_empty());
    let deleted = admin.get(&format!("{path}?deleted=include"));
    deleted.expect(200);
    assert_eq!(deleted.body["deleted_at"], deleted.body["updated_at"], "one change has one time");
    let trash = admin.all("/v1/contacts?deleted=only");
    assert_eq!(trash, [deleted.body]);

    let restored = admin.post(&format!("{path}/restore"), &json!(null));
    restored.expect(200);
    assert_eq!(restored.body["deleted_at"], json!(null));
    assert_eq!(restored.body["version"], 3);
    let again = admin.post(&format!("{path}/restore"), &json!(null));
    assert_eq!(again.body["version"], 3, "restoring what lives changes nothing");
    assert_eq!(admin.all("/v1/contacts").len(), 1);
}

#[test]
fn a_read_is_spared_while_nothing_changed() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = path(&contact);
    let spared = admin.get_with(&path, ("If-None-Match", "\"1\""));
    spared.expect(304);
    assert!(spared.text.is_empty());
    assert_eq!(spared.header("etag"), "\"1\"");
    admin.get_with(&path, ("If-None-Match", "W/\"7\", W/\"1\"")).expect(304);
    admin.patch(&path, &json!({"last_name": "Lovelace"})).expect(200);
    admin.get_with(&path, ("If-None-Match", "\"1\"")).expect(200);
}

fn people(admin: &Caller, count: usize) {
    for number in 0..count {
        let stage = if number % 3 == 0 { "customer" } else { "lead" };
        let country = if number % 2 == 0 { "DE" } else { "FR" };
        admin.create(
            "/v1/contacts",
            &json!({"first_name": format!("{}", number % 4), "last_name": "Same", "lifecycle_stage": stage,
                    "tags": [format!("tag {}", number % 5), "all"], "addresses": [{"country": country}]}),
        );
    }
}

#[test]
fn pages_hold_everything_once_in_every_order() {
    let (_, admin) = workspace();
    people(&admin, 23);
    let all: HashSet<String> = admin.all("/v1/contacts").iter().map(|contact| contact["id"].to_string()).collect();
    assert_eq!(all.len(), 23);
    for sort in ["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"] {
        for limit in [1, 7, 22, 23, 24] {
            let listed = admin.all(&format!("/v1/contacts?sort={sort}&limit={limit}"));
            let ids: HashSet<String> = listed.iter().map(|contact| contact["id"].to_string()).collect();
            assert_eq!((ids.len(), listed.len()), (23, 23), "{sort} {limit}");
            let column = sort.trim_start_matches('-');
            let mut keys: Vec<_> = listed.iter().map(|contact| contact[column].as_str().unwrap()).collect();
            if sort.starts_with('-') {
                keys.reverse();
            }
            assert!(keys.is_sorted(), "{sort}: {keys:?}");
        }
    }
}

#[test]
fn a_cursor_goes_on_with_its_own_list_alone() {
    let (_, admin) = workspace();
    let (_, other) = workspace();
    people(&admin, 3);
    let page = admin.get("/v1/contacts?limit=1&sort=name&lifecycle_stage=lead");
    let cursor = page.body["next_cursor"].as_str().unwrap();
    admin.get(&format!("/v1/contacts?limit=2&sort=name&lifecycle_stage=lead&cursor={cursor}")).expect(200);
    for changed in ["sort=-name&lifecycle_stage=lead", "sort=name", "sort=name&lifecycle_stage=lead&tag=x"] {
        let answer = admin.get(&format!("/v1/contacts?limit=1&{changed}&cursor={cursor}"));
        answer.expect_problem(400, "cursor_mismatch");
    }
    for (caller, cursor) in [(&other, cursor), (&admin, "nonsense"), (&admin, &cursor[1..])] {
        let answer = caller.get(&format!("/v1/contacts?limit=1&sort=name&lifecycle_stage=lead&cursor={cursor}"));
        answer.expect_problem(400, "invalid_query");
        answer.expect_errors(&[("cursor", "invalid_cursor")]);
    }
}

#[test]
fn filters_narrow_the_list() {
    let (workspace, admin) = workspace();
    people(&admin, 12);
    let owner = workspace.user("owner@example.com", StandardRole::Agent, "a long enough password");
    let company = admin.create("/v1/companies", &json!({"name": "Engines"}));
    let special = admin.create(
        "/v1/contacts",
        &json!({"first_name": "Ada", "owner_id": owner, "company_id": company["id"],
                "emails": [{"address": "Ada@example.com"}], "phones": [{"number": "+49 30 901820"}]}),
    );
    let count = |filter: &str| admin.all(&format!("/v1/contacts?{filter}")).len();
    assert_eq!(count("lifecycle_stage=customer"), 4);
    assert_eq!(count("lifecycle_stage=customer&lifecycle_stage=lead"), 13);
    assert_eq!(count("tag=tag%201"), 3);
    assert_eq!(count("tag=tag%201&tag=tag%202"), 5);
    assert_eq!(count("country=FR&lifecycle_stage=customer"), 2);
    assert_eq!(count(&format!("owner_id={owner}")), 1);
    assert_eq!(count(&format!("company_id={}", company["id"].as_str().unwrap())), 1);
    assert_eq!(count("email=ADA@EXAMPLE.COM"), 1);
    assert_eq!(count("phone=030%20901820"), 1);
    assert_eq!(count("phone=%2B4930901820&email=nobody@example.com"), 0);
    let at = special["created_at"].as_str().unwrap();
    assert_eq!(count(&format!("created_after={at}")), 1);
    assert_eq!(count(&format!("created_before={at}")), 12);
    assert_eq!(count(&format!("updated_after={at}&updated_before={at}")), 0);
    admin.get("/v1/contacts?phone=nonsense").expect_errors(&[("phone", "invalid_phone")]);
    admin.get("/v1/contacts?limit=0&sort=age&owner_id=me&created_after=today").expect_errors(&[
        ("created_after", "invalid_date_time"),
        ("limit", "out_of_range"),
        ("owner_id", "invalid_uuid"),
        ("sort", "invalid_sort_order"),
    ]);
    admin.get("/v1/contacts?limit=1&limit=2").expect_errors(&[("limit", "repeated")]);
}

#[test]
fn totals_are_given_when_asked_for() {
    let (_, admin) = workspace();
    people(&admin, 5);
    assert_eq!(admin.get("/v1/contacts").body.get("total"), None);
    let exact = admin.get("/v1/contacts?count=exact&limit=2&country=DE").body;
    assert_eq!(exact["total"], json!({"value": 3, "relation": "exact"}));
    assert_eq!(admin.get("/v1/contacts?count=estimate").body["total"]["relation"], "estimate");
}

#[test]
fn fields_and_related_records_are_given_when_asked_for() {
    let (workspace, admin) = workspace();
    let owner = workspace.user("mara@example.com", StandardRole::Agent, "a long enough password");
    let company = admin.create("/v1/companies", &json!({"name": "Engines"}));
    let contact =
        admin.create("/v1/contacts", &json!({"first_name": "Ada", "company_id": company["id"], "owner_id": owner}));
    admin.create("/v1/contacts", &json!({"first_name": "Bob"}));

    let narrow = admin.get("/v1/contacts?fields=name&fields=tags&limit=1&sort=name").body["data"][0].clone();
    let mut names: Vec<_> = narrow.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["created_at", "id", "name", "tags", "updated_at", "version"]);
    admin.get("/v1/contacts?fields=shoe_size").expect_errors(&[("fields", "unknown_value")]);

    let wide = admin.get("/v1/contacts?expand=company&expand=owner&sort=name").body["data"].clone();
    assert_eq!(wide[0]["expanded"]["company"], company);
    assert_eq!(
        wide[0]["expanded"]["owner"],
        json!({"id": owner, "name": "mara@example.com", "email": "mara@example.com"})
    );
    assert_eq!(wide[1]["expanded"], json!({"company": null, "owner": null}));
    let one = admin.get(&format!("{}?expand=company&fields=name", path(&contact)));
    assert_eq!(one.body["expanded"]["company"]["name"], "Engines");
    assert_eq!(one.header("etag"), "", "a record with others embedded has no version of its own");
}

#[test]
fn likely_duplicates_are_listed_the_likeliest_first() {
    let (_, admin) = workspace();
    let ada = json!({"first_name": "Ada", "last_name": "Lovelace", "birthday": "1815-12-10",
                     "emails": [{"address": "ada@example.com"}], "addresses": [{"postal_code": "SW1Y"}]});
    let ada = admin.create("/v1/contacts", &ada);
    let create = |body: Value| admin.post("/v1/contacts?on_duplicate=allow", &body).body;
    let misspelt = create(json!({"first_name": "Adda", "last_name": "Lovelase", "birthday": "1815-12-10"}));
    let namesake = create(json!({"first_name": "Ada", "last_name": "Lovelace"}));
    let same_mail = create(json!({"first_name": "A.", "emails": [{"address": "ada@example.com"}]}));
    create(json!({"first_name": "Charles", "last_name": "Babbage"}));

    let found = admin.get(&format!("{}/duplicates", path(&ada))).body["data"].clone();
    let ids: Vec<_> = found.as_array().unwrap().iter().map(|candidate| &candidate["id"]).collect();
    assert_eq!(ids, [&same_mail["id"], &misspelt["id"], &namesake["id"]], "{found}");
    assert_eq!(found[0]["reasons"], json!(["same_email"]));
    assert_eq!(found[1]["reasons"], json!(["similar_name", "same_birthday"]));
}

/// Those that come at the same time are written together, and yet each is its caller's own.
#[test]
fn of_many_who_create_at_once_each_gets_their_own() {
    const CLIENTS: usize = 16;
    const EACH: usize = 12;
    let (_, elsewhere) = workspace();
    let (workspace, admin) = workspace();
    let users = [StandardRole::Manager, StandardRole::Agent].map(|role| workspace.signed_in(role));
    let create = |client: usize, number: usize| {
        let caller = [&admin, &elsewhere, &users[0], &users[1]][client % 4];
        let collection = if client % 8 < 6 { "/v1/contacts" } else { "/v1/companies" };
        let name = format!("Client {client} number {number}");
        let body = match collection {
            "/v1/contacts" => {
                json!({"last_name": name, "emails": [{"address": format!("c{client}n{number}@x.example")}]})
            }
            _ => json!({"name": name}),
        };
        let request_id = format!("create-{client}-{number}");
        let allows = collection == "/v1/contacts" && number.is_multiple_of(2);
        let path = format!("{collection}{}", if allows { "?on_duplicate=allow" } else { "" });
        let headers = [JSON, ("X-Request-Id", request_id.as_str())];
        let created = caller.send("POST", &path, &headers, Some(body.to_string().into_bytes()));
        created.expect(201);
        assert_eq!((&created.body["name"], &created.body["version"]), (&json!(name), &json!(1)));
        let record = format!("{collection}/{}", created.body["id"].as_str().unwrap());
        let read = caller.get(&record);
        read.expect(200);
        assert_eq!(read.body, created.body);
        let history = caller.all(&format!("{record}/history"));
        assert_eq!(history.len(), 1);
        assert_eq!((&history[0]["request_id"], &history[0]["version"]), (&json!(request_id), &json!(1)));
        assert_eq!(history[0]["actor"]["id"], created.body["created_by"]);
    };
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let create = &create;
            scope.spawn(move || (0..EACH).for_each(|number| create(client, number)));
        }
    });
    // Of eight clients contacts and of four companies are here, and contacts of four elsewhere.
    wait_for_positions(&admin);
    let total = |caller: &Caller, collection: &str| {
        caller.get(&format!("{collection}?count=exact&limit=1")).body["total"]["value"].clone()
    };
    assert_eq!(total(&admin, "/v1/contacts"), json!(8 * EACH));
    assert_eq!(total(&admin, "/v1/companies"), json!(4 * EACH));
    assert_eq!(total(&elsewhere, "/v1/contacts"), json!(4 * EACH));
    assert_eq!(admin.all("/v1/changes?kind=contact&kind=company&limit=200").len(), 12 * EACH);
}
