//! Custom fields: their definitions, and the values that records have in them.

use std::thread;

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, workspace};

fn field(admin: &Caller, resource: &str, key: &str, kind: &str, more: Value) -> String {
    let mut new = json!({"resource": resource, "key": key, "label": format!("The {key}"), "type": kind});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let field = admin.create("/v1/custom_fields", &new);
    format!("/v1/custom_fields/{}", field["id"].as_str().unwrap())
}

fn contact(admin: &Caller, custom: Value) -> Value {
    admin.create("/v1/contacts", &json!({"last_name": "Lindt", "custom": custom}))
}

fn path(record: &Value) -> String {
    format!("/v1/contacts/{}", record["id"].as_str().unwrap())
}

#[test]
fn values_of_every_type_are_kept_in_one_form() {
    let (_, admin) = workspace();
    let options = json!({"options": [{"key": "gold", "label": "Gold"}, {"key": "tin", "label": "Tin"}]});
    field(&admin, "contacts", "nick", "text", json!({}));
    field(&admin, "contacts", "size", "number", json!({"sorted": true}));
    field(&admin, "contacts", "budget", "money", json!({"sorted": true}));
    field(&admin, "contacts", "agreed", "bool", json!({"sorted": true}));
    field(&admin, "contacts", "since", "date", json!({"sorted": true}));
    field(&admin, "contacts", "called", "instant", json!({"sorted": true}));
    field(&admin, "contacts", "tier", "choice", options.clone());
    field(&admin, "contacts", "interests", "multi_choice", options);
    field(&admin, "contacts", "page", "url", json!({"unique": true}));
    field(&admin, "contacts", "boss", "reference", json!({"referenced_resource": "contacts"}));
    let boss = contact(&admin, json!({}));
    assert_eq!(boss["custom"], json!({}));
    let record = contact(
        &admin,
        json!({
            "nick": " Annie ", "size": "0042.50", "budget": {"currency": "EUR", "amount": "12.50"}, "agreed": true,
            "since": "2024-02-29", "called": "2026-01-31T10:30:00.5+02:00", "tier": "gold",
            "interests": ["tin", "gold", "tin"], "page": "HTTPS://Example.com", "boss": boss["id"],
        }),
    );
    let kept = json!({
        "nick": "Annie", "size": "42.5", "budget": {"amount": "12.5", "currency": "EUR"}, "agreed": true,
        "since": "2024-02-29", "called": "2026-01-31T08:30:00.500000Z", "tier": "gold",
        "interests": ["gold", "tin"], "page": "https://example.com/", "boss": boss["id"],
    });
    assert_eq!(record["custom"], kept);
    assert_eq!(admin.get(&path(&record)).body["custom"], kept);
    // What is kept is taken as it is: nothing changes.
    let again = admin.patch(&path(&record), &json!({"custom": kept}));
    assert_eq!((again.status, &again.body["version"]), (200, &json!(1)));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let (_, admin) = workspace();
    field(&admin, "contacts", "size", "number", json!({"max": "5"}));
    field(
        &admin,
        "contacts",
        "tier",
        "choice",
        json!({"required": true, "options": [{"key": "gold", "label": "Gold"}]}),
    );
    field(&admin, "contacts", "boss", "reference", json!({"referenced_resource": "users"}));
    let wrong = json!({"size": "6", "shoe": 1});
    let answer = admin.post("/v1/contacts", &json!({"birthday": "2999-01-01", "last_name": "Lindt", "custom": wrong}));
    answer.expect_problem(422, "validation_failed");
    answer.expect_errors(&[
        ("/birthday", "in_the_future"),
        ("/custom/shoe", "unknown_field"),
        ("/custom/size", "out_of_range"),
        ("/custom/tier", "required"),
    ]);
    // A record without any custom value lacks a required one as well.
    let answer = admin.post("/v1/contacts", &json!({"last_name": "Lindt"}));
    answer.expect_errors(&[("/custom/tier", "required")]);
    let nobody = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b";
    let answer = admin.post("/v1/contacts", &json!({"last_name": "Lindt", "custom": {"tier": "gold", "boss": nobody}}));
    answer.expect_errors(&[("/custom/boss", "unknown_reference")]);
    let record = contact(&admin, json!({"tier": "gold"}));
    let answer = admin.patch(&path(&record), &json!({"custom": {"tier": null, "size": 3}}));
    answer.expect_errors(&[("/custom/size", "wrong_type"), ("/custom/tier", "required")]);
    admin.patch(&path(&record), &json!({"custom": {"tier": null}})).expect_errors(&[("/custom/tier", "required")]);
    admin.patch(&path(&record), &json!({"custom": null})).expect_errors(&[("/custom", "wrong_type")]);
    // The company has no such fields, and lacks none.
    admin
        .post("/v1/companies", &json!({"name": "Lindt", "custom": {"tier": "gold"}}))
        .expect_errors(&[("/custom/tier", "unknown_field")]);
    admin.create("/v1/companies", &json!({"name": "Lindt"}));
}

#[test]
fn a_patch_merges_key_by_key_and_the_history_shows_each_alone() {
    let (_, admin) = workspace();
    field(&admin, "contacts", "size", "number", json!({}));
    field(&admin, "contacts", "nick", "text", json!({}));
    field(&admin, "contacts", "agreed", "bool", json!({}));
    let record = contact(&admin, json!({"size": "1", "nick": "Annie"}));
    let patched = admin.patch(&path(&record), &json!({"custom": {"size": "2", "nick": null, "agreed": false}}));
    patched.expect(200);
    assert_eq!(patched.body["custom"], json!({"size": "2", "agreed": false}));
    assert_eq!(admin.patch(&path(&record), &json!({"job_title": "Buyer"})).body["custom"], patched.body["custom"]);
    let history = admin.all(&format!("{}/history", path(&record)));
    let mut changes = history[1]["changes"].as_array().unwrap().clone();
    changes.sort_by_key(|change| change["field"].as_str().unwrap().to_owned());
    assert_eq!(
        json!(changes),
        json!([
            {"field": "custom.agreed", "from": null, "to": false},
            {"field": "custom.nick", "from": "Annie", "to": null},
            {"field": "custom.size", "from": "1", "to": "2"},
        ])
    );
    let first: Vec<&Value> = history[2]["changes"].as_array().unwrap().iter().map(|change| &change["field"]).collect();
    assert!(first.contains(&&json!("custom.nick")) && !first.contains(&&json!("custom")), "{first:?}");
}

#[test]
fn a_unique_value_goes_to_one_of_many_who_want_it_at_once() {
    let (_, admin) = workspace();
    field(&admin, "contacts", "number", "text", json!({"unique": true}));
    let statuses: Vec<u16> = thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                let new = json!({"last_name": "Lindt", "custom": {"number": "K-1"}});
                let admin = &admin;
                scope.spawn(move || admin.post("/v1/contacts", &new).status)
            })
            .collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    let holder = admin.all("/v1/contacts")[0].clone();
    let other = contact(&admin, json!({"number": "K-2"}));
    let taken = admin.patch(&path(&other), &json!({"custom": {"number": "K-1"}}));
    taken.expect_problem(409, "conflict");
    assert!(taken.body["detail"].as_str().unwrap().contains("The number"), "{}", taken.text);
    assert_eq!(admin.get(&path(&other)).body["version"], 1);
    // What is deleted gives its value free, and does not get it back while another has it.
    admin.delete(&path(&holder)).expect(204);
    admin.patch(&path(&other), &json!({"custom": {"number": "K-1"}})).expect(200);
    let restore = |record: &Value| admin.send("POST", &format!("{}/restore", path(record)), &[], None);
    restore(&holder).expect_problem(409, "conflict");
    admin.patch(&path(&other), &json!({"custom": {"number": null}})).expect(200);
    restore(&holder).expect(200);
    admin.patch(&path(&other), &json!({"custom": {"number": "K-1"}})).expect_problem(409, "conflict");
}

#[test]
fn a_field_becomes_unique_when_no_two_records_have_the_same() {
    let (_, admin) = workspace();
    let number = field(&admin, "contacts", "number", "text", json!({}));
    let [one, other] = [contact(&admin, json!({"number": "K-1"})), contact(&admin, json!({"number": "K-1"}))];
    let refused = admin.patch(&number, &json!({"unique": true}));
    refused.expect_problem(409, "conflict");
    assert!(refused.body["detail"].as_str().unwrap().contains("K-1"), "{}", refused.text);
    assert_eq!(admin.get(&number).body["unique"], false);
    admin.patch(&path(&other), &json!({"custom": {"number": "K-2"}})).expect(200);
    admin.patch(&number, &json!({"unique": true, "sorted": true})).expect(200);
    admin.patch(&path(&other), &json!({"custom": {"number": "K-1"}})).expect_problem(409, "conflict");
    admin.patch(&number, &json!({"unique": false})).expect(200);
    admin.patch(&path(&one), &json!({"custom": {"number": "K-2"}})).expect(200);
}

/// Whoever writes while a field becomes unique is seen by it, or sees it.
#[test]
fn no_value_slips_past_a_field_that_becomes_unique() {
    for _ in 0..5 {
        let (_, admin) = workspace();
        let number = field(&admin, "contacts", "number", "text", json!({}));
        let made = thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    let admin = &admin;
                    scope.spawn(move || {
                        let new = json!({"last_name": "Lindt", "custom": {"number": "K-1"}});
                        admin.post("/v1/contacts", &new).status == 201
                    })
                })
                .collect();
            let unique = admin.patch(&number, &json!({"unique": true})).status == 200;
            let made = writers.into_iter().map(|writer| writer.join().unwrap()).filter(|made| *made);
            (unique, made.count())
        });
        assert!(!made.0 || made.1 == 1, "{} records share a value in a unique field", made.1);
    }
}

#[test]
fn an_archived_field_is_neither_shown_nor_written_and_comes_back() {
    let (_, admin) = workspace();
    let size = field(&admin, "contacts", "size", "number", json!({"unique": true}));
    field(&admin, "contacts", "nick", "text", json!({}));
    let record = contact(&admin, json!({"size": "1", "nick": "Annie"}));
    admin.send("POST", &format!("{size}/archive"), &[], None).expect(200);
    assert_eq!(admin.get(&path(&record)).body["custom"], json!({"nick": "Annie"}));
    assert_eq!(admin.get("/v1/contacts").body["data"][0]["custom"], json!({"nick": "Annie"}));
    assert_eq!(admin.get("/v1/custom_fields").body["data"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get("/v1/custom_fields?archived=include").body["data"].as_array().unwrap().len(), 2);
    admin.patch(&path(&record), &json!({"custom": {"size": "2"}})).expect_errors(&[("/custom/size", "archived_field")]);
    // Its key stays taken, and other changes leave its values alone.
    let again = json!({"resource": "contacts", "key": "size", "label": "Size", "type": "number"});
    admin.post("/v1/custom_fields", &again).expect_problem(409, "conflict");
    let patched = admin.patch(&path(&record), &json!({"custom": {"nick": "Ann"}}));
    assert_eq!(patched.body["custom"], json!({"nick": "Ann"}));
    let history = admin.all(&format!("{}/history", path(&record)));
    assert!(history.last().unwrap()["changes"].to_string().contains("custom.size"));
    admin.send("POST", &format!("{size}/restore"), &[], None).expect(200);
    assert_eq!(admin.get(&path(&record)).body["custom"], json!({"nick": "Ann", "size": "1"}));
    let taken = json!({"last_name": "Lindt", "custom": {"size": "1"}});
    admin.post("/v1/contacts", &taken).expect_problem(409, "conflict");
    let events = admin.all(&format!("{size}/history"));
    let events: Vec<&str> = events.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["custom_field.restored", "custom_field.archived", "custom_field.created"]);
}

#[test]
fn an_option_that_is_chosen_is_archived_and_not_left_out() {
    let (_, admin) = workspace();
    let options = |archived: bool| json!([{"key": "gold", "label": "Gold", "archived": archived}, {"key": "tin", "label": "Tin"}]);
    for (key, kind, value) in [("tier", "choice", json!("gold")), ("tiers", "multi_choice", json!(["gold"]))] {
        let field = field(&admin, "contacts", key, kind, json!({"options": options(false)}));
        let record = contact(&admin, json!({key: value}));
        let without = json!({"options": [{"key": "tin", "label": "Tin"}]});
        let refused = admin.patch(&field, &without);
        refused.expect_problem(409, "conflict");
        assert!(refused.body["detail"].as_str().unwrap().contains("gold"), "{}", refused.text);
        admin.patch(&field, &json!({"options": options(true)})).expect(200);
        assert_eq!(admin.get(&path(&record)).body["custom"][key], value);
        // It stays where it was chosen.
        admin.patch(&path(&record), &json!({"custom": {key: value}})).expect(200);
        let pointer = format!("/custom/{key}");
        let chosen = admin.post("/v1/contacts", &json!({"last_name": "Lindt", "custom": {key: value}}));
        chosen.expect_errors(&[(&pointer, "archived_option")]);
        admin.patch(&path(&record), &json!({"custom": {key: null}})).expect(200);
        admin.patch(&field, &without).expect(200);
    }
}

#[test]
fn rules_apply_from_then_on() {
    let (_, admin) = workspace();
    let nick = field(&admin, "contacts", "nick", "text", json!({}));
    let record = contact(&admin, json!({}));
    let named = contact(&admin, json!({"nick": "Annie"}));
    admin.patch(&nick, &json!({"required": true, "max_length": 3})).expect(200);
    admin.patch(&path(&record), &json!({"job_title": "Buyer"})).expect(200);
    admin.patch(&path(&record), &json!({"custom": {}})).expect(200);
    admin.patch(&path(&named), &json!({"custom": {"nick": "Annie"}, "job_title": "Buyer"})).expect(200);
    admin.patch(&path(&named), &json!({"custom": {"nick": "Annika"}})).expect_errors(&[("/custom/nick", "too_long")]);
    admin.post("/v1/contacts", &json!({"last_name": "Lindt"})).expect_errors(&[("/custom/nick", "required")]);
}

#[test]
fn a_field_has_a_name_of_its_own_and_never_another_type() {
    let (_, admin) = workspace();
    let new = json!({"resource": "contacts", "key": "birthday", "label": "Birthday", "type": "date"});
    admin.post("/v1/custom_fields", &new).expect_errors(&[("/key", "reserved")]);
    let size = field(&admin, "contacts", "size", "number", json!({}));
    field(&admin, "companies", "size", "number", json!({}));
    let refused = admin.patch(&size, &json!({"key": "shoe", "type": "text"}));
    refused.expect_errors(&[("/key", "unknown_field"), ("/type", "unknown_field")]);
    let listed = admin.get("/v1/custom_fields?resource=companies").body;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_role_closes_custom_fields_as_a_whole() {
    let (workspace, admin) = workspace();
    field(&admin, "contacts", "nick", "text", json!({"unique": true}));
    let record = contact(&admin, json!({"nick": "Annie"}));
    let rule = json!({"mode": "all_but", "fields": ["custom"]});
    let role = json!({"name": "Blind", "rules": [
        {"resource": "contacts", "read": "all", "write": "all", "create": true, "readable_fields": rule},
    ]});
    let role = admin.create("/v1/roles", &role)["id"].clone();
    let user = workspace.user("blind@example.com", StandardRole::ReadOnly, "a long enough password");
    admin.patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role]})).expect(200);
    let blind = workspace.sign_in("blind@example.com", "a long enough password");
    assert!(blind.get(&path(&record)).body.get("custom").is_none());
    for text in [blind.get("/v1/contacts").text, blind.get(&format!("{}/history", path(&record))).text] {
        assert!(!text.contains("Annie") && !text.contains("custom"), "{text}");
    }
    let refused = blind.patch(&path(&record), &json!({"custom": {"nick": "Ann"}}));
    refused.expect_problem(403, "forbidden");
    refused.expect_errors(&[("/custom", "closed_field")]);
    let schema = blind.get("/v1/schema/contacts").body;
    let nick = schema["fields"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&nick["name"], &nick["readable"], &nick["writable"]),
        (&json!("custom.nick"), &json!(false), &json!(false))
    );
}

#[test]
fn the_schema_lists_all_fields_with_their_rules() {
    let (workspace, admin) = workspace();
    let options = json!({"options": [{"key": "gold", "label": "Gold"}], "position": 7});
    field(&admin, "companies", "tier", "choice", options);
    field(&admin, "companies", "number", "text", json!({"position": 3, "required": true, "max_length": 20}));
    let old = field(&admin, "companies", "old", "text", json!({}));
    admin.send("POST", &format!("{old}/archive"), &[], None).expect(200);
    let reader = workspace.signed_in(StandardRole::ReadOnly);
    let fields = reader.get("/v1/schema/companies").body["fields"].clone();
    let fields = fields.as_array().unwrap();
    let named = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!((&named("name")["required"], &named("name")["sortable"]), (&json!(true), &json!(true)));
    assert_eq!((&named("name")["max_length"], &named("name")["writable"]), (&json!(255), &json!(false)));
    assert_eq!((&named("id")["type"], &named("version")["type"]), (&json!("reference"), &json!("number")));
    assert_eq!((&named("website")["type"], &named("website")["nullable"]), (&json!("url"), &json!(true)));
    assert_eq!(named("type")["options"][0], json!({"value": "prospect", "label": null, "archived": false}));
    assert_eq!(named("tags")["type"], "list");
    let asked = |field: &str| {
        let filters = named(field)["filters"].as_array().unwrap().clone();
        let of_filter =
            |filter: &Value| format!("{} {}", filter["field"].as_str().unwrap(), filter["type"].as_str().unwrap());
        filters.iter().map(of_filter).collect::<Vec<_>>()
    };
    assert_eq!(asked("tags"), ["tags present", "tags tags"]);
    assert_eq!(asked("emails"), ["email present", "email text"]);
    assert!(asked("addresses").contains(&"city text".to_owned()));
    assert!(asked("social_profiles").is_empty());
    assert_eq!(
        named("created_at")["filters"][3]["operators"],
        json!(["in_last", "not_in_last", "in_next", "more_than_ago"])
    );
    assert_eq!(named("annual_revenue_amount")["type"], "number");
    let custom: Vec<&str> =
        fields.iter().map(|field| field["name"].as_str().unwrap()).filter(|name| name.starts_with("custom")).collect();
    assert_eq!(custom, ["custom.number", "custom.tier"]);
    assert_eq!(named("custom.tier")["options"][0]["label"], "Gold");
    assert_eq!(
        (&named("custom.number")["required"], &named("custom.number")["max_length"]),
        (&json!(true), &json!(20))
    );
    let writable = |caller: &Caller| {
        let fields = caller.get("/v1/schema/companies").body["fields"].clone();
        fields.as_array().unwrap().iter().filter(|field| field["writable"] == true).count()
    };
    assert!(writable(&admin) > 20);
    admin.send_unchecked("GET", "/v1/schema/users", &[], None).expect_problem(404, "not_found");
}

#[test]
fn all_values_of_a_record_together_have_a_limit() {
    let (_, admin) = workspace();
    for number in 0..8 {
        field(&admin, "contacts", &format!("t{number}"), "text", json!({}));
    }
    let values = |count: usize| -> Value {
        (0..count)
            .map(|number| (format!("t{number}"), json!("x".repeat(9_000))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "custom": values(7)}));
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    let refused = admin.patch(&path, &json!({"custom": values(8)}));
    refused.expect_problem(422, "validation_failed");
    refused.expect_errors(&[("/custom", "too_long")]);
}

#[test]
fn a_long_text_keeps_its_field_from_becoming_unique() {
    let (_, admin) = workspace();
    let path = field(&admin, "contacts", "note", "text", json!({}));
    admin.create("/v1/contacts", &json!({"first_name": "Ada", "custom": {"note": "x".repeat(5_000)}}));
    let refused = admin.patch(&path, &json!({"unique": true, "max_length": 255}));
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "value_too_long");
}

/// The ids of a list, page by page.
fn ids(caller: &Caller, address: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = caller.get(&format!("{address}{cursor}")).body;
        ids.extend(page["data"].as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[test]
fn lists_are_sorted_by_a_sorted_field_page_by_page() {
    let (_workspace, admin) = workspace();
    let money = |amount: &str| json!({"amount": amount, "currency": "EUR"});
    for (kind, values) in [
        ("text", vec![json!("Ärmel"), json!("axt"), json!("Bär"), json!("Zoo")]),
        ("number", vec![json!("-12.5"), json!("-2"), json!("0"), json!("3.5"), json!("12")]),
        ("money", vec![money("-1"), money("2"), money("10.5")]),
        ("date", vec![json!("0999-12-31"), json!("2026-01-01"), json!("2026-01-02")]),
        ("bool", vec![json!(false), json!(true)]),
    ] {
        // Half of the values come before the field is sorted, and half after it.
        let by = field(&admin, "companies", kind, kind, json!({}));
        let mut made = Vec::new();
        for (index, value) in values.iter().enumerate().rev() {
            if index == values.len() / 2 {
                admin.patch(&by, &json!({"sorted": true})).expect(200);
            }
            let new = json!({"name": format!("{kind} {index}"), "custom": {kind: value}});
            made.insert(0, admin.create("/v1/companies", &new)["id"].as_str().unwrap().to_owned());
        }
        for order in ["", "-"] {
            let expected: Vec<_> = if order.is_empty() { made.clone() } else { made.iter().rev().cloned().collect() };
            let found = ids(&admin, &format!("/v1/companies?limit=2&sort={order}custom.{kind}"));
            assert_eq!(found[..made.len()], expected, "{order}{kind}");
            // Then those without a value, by id.
            let is_blank = |id: &String| !made.contains(id);
            let mut blank: Vec<_> = ids(&admin, "/v1/companies?limit=200").into_iter().filter(is_blank).collect();
            blank.sort();
            if order == "-" {
                blank.reverse();
            }
            assert_eq!(found[made.len()..], blank, "{order}{kind}");
        }
    }
    // Together with a search by words, a filter, and a body.
    let found = admin.get("/v1/companies?sort=-custom.number&q=number&created_after=2020-01-01T00:00:00Z").body;
    let names: Vec<_> = found["data"].as_array().unwrap().iter().map(|company| company["name"].clone()).collect();
    assert_eq!(names, ["number 4", "number 3", "number 2", "number 1", "number 0"]);
    let search = json!({"sort": "custom.number", "limit": 1, "count": "exact", "filter": {"version": 1, "entity": "company",
        "where": {"type": "number", "field": "custom.number", "op": "between", "low": -5, "high": 5}}});
    let found = admin.post("/v1/companies/search", &search).body;
    assert_eq!((&found["data"][0]["name"], &found["total"]["value"]), (&json!("number 1"), &json!(3)));
    // Addresses may be long, and values the same.
    field(&admin, "companies", "link", "url", json!({"sorted": true}));
    for number in 0..3 {
        let link = format!("https://example.com/{}", "x".repeat(2_000));
        admin.create("/v1/companies", &json!({"name": format!("long {number}"), "custom": {"link": link}}));
    }
    let all: std::collections::BTreeSet<_> =
        ids(&admin, "/v1/companies?limit=1&sort=custom.link").into_iter().collect();
    assert_eq!(all.len(), ids(&admin, "/v1/companies?limit=200").len());
    // What is deleted leaves the list, and what is restored returns.
    let id = found["data"][0]["id"].as_str().unwrap();
    admin.send("DELETE", &format!("/v1/companies/{id}"), &[], None).expect(204);
    assert_ne!(admin.post("/v1/companies/search", &search).body["data"][0]["id"], id);
    let deleted = admin.post("/v1/companies/search", &json!({"deleted": "only", "filter": search["filter"]})).body;
    assert_eq!(deleted["data"][0]["id"], id);
    admin.send("POST", &format!("/v1/companies/{id}/restore"), &[], None).expect(200);
    assert_eq!(admin.post("/v1/companies/search", &search).body["data"][0]["id"], id);
}

#[test]
fn an_order_that_is_not_kept_is_refused_with_what_to_do() {
    let (workspace, admin) = workspace();
    let plain = field(&admin, "contacts", "plain", "text", json!({}));
    field(&admin, "contacts", "number", "number", json!({"sorted": true}));
    field(&admin, "companies", "other", "text", json!({"sorted": true}));
    let record = contact(&admin, json!({"plain": "x", "number": "1"}));
    for (sort, code) in
        [("custom.plain", "unknown_sort"), ("custom.other", "unknown_sort"), ("custom.X", "invalid_sort_order")]
    {
        let refused = admin.get(&format!("/v1/contacts?sort={sort}"));
        refused.expect(400);
        assert_eq!(
            (&refused.body["errors"][0]["parameter"], &refused.body["errors"][0]["code"]),
            (&json!("sort"), &json!(code))
        );
        admin.post("/v1/contacts/search", &json!({"sort": sort})).expect_errors(&[("/sort", code)]);
        let view = json!({"resource": "contacts", "name": "By it", "visibility": "everyone", "sort": sort});
        admin.post("/v1/views", &view).expect_errors(&[("/sort", code)]);
    }
    admin.get("/v1/contacts?sort=custom.number&deleted=only").expect(400);
    let view = admin.create(
        "/v1/views",
        &json!({"resource": "contacts", "name": "By it", "visibility": "everyone", "sort": "-custom.number"}),
    );
    assert_eq!(view["sort"], "-custom.number");
    admin.patch(&plain, &json!({"sorted": true})).expect(200);
    assert_eq!(admin.get("/v1/contacts?sort=custom.plain").body["data"][0]["id"], record["id"]);
    let schema = admin.get("/v1/schema/contacts").body;
    let sortable = schema["fields"].as_array().unwrap().iter().filter(|field| field["sortable"] == true);
    let names: Vec<_> = sortable.map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["created_at", "updated_at", "name", "custom.plain", "custom.number"]);
    // An order by a field tells of it.
    let rule = json!({"mode": "all_but", "fields": ["custom"]});
    let role = json!({"name": "Blind", "rules": [{"resource": "contacts", "read": "all", "readable_fields": rule}]});
    let role = admin.create("/v1/roles", &role)["id"].clone();
    let user = workspace.user("blind@example.com", StandardRole::ReadOnly, "a long enough password");
    admin.patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role]})).expect(200);
    let blind = workspace.sign_in("blind@example.com", "a long enough password");
    blind.get("/v1/contacts?sort=custom.number").expect_problem(403, "forbidden");
}

#[test]
fn a_list_by_a_custom_field_shows_what_the_caller_may_see() {
    let (workspace, admin) = workspace();
    field(&admin, "contacts", "number", "number", json!({"sorted": true}));
    let agent = workspace.user("agent@example.com", StandardRole::Agent, "a long enough password");
    let role = json!({"name": "Own", "rules": [{"resource": "contacts", "read": "own"}]});
    let role = admin.create("/v1/roles", &role)["id"].clone();
    admin.patch(&format!("/v1/users/{agent}"), &json!({"role_ids": [role]})).expect(200);
    for number in 0..4 {
        let owner = (number % 2 == 0).then_some(agent.as_str());
        let new = json!({"last_name": "Lindt", "owner_id": owner, "custom": {"number": number.to_string()}});
        admin.create("/v1/contacts", &new);
    }
    let own = workspace.sign_in("agent@example.com", "a long enough password");
    let found = own.get("/v1/contacts?sort=-custom.number").body;
    let numbers: Vec<_> = found["data"].as_array().unwrap().iter().map(|one| one["custom"]["number"].clone()).collect();
    assert_eq!(numbers, ["2", "0"]);
}

#[test]
fn filters_find_values_of_a_sorted_field_by_its_index() {
    let (_workspace, admin) = workspace();
    field(&admin, "contacts", "number", "text", json!({"sorted": true, "unique": true}));
    field(&admin, "contacts", "plain", "text", json!({}));
    let explained = |field: &str, op: &str| {
        let filter = json!({"version": 1, "entity": "contact", "where":
            {"type": "text", "field": field, "op": op, "value": "k-1"}});
        admin.post("/v1/filters/explain", &json!({"filter": filter})).body
    };
    let by_index = explained("custom.number", "eq");
    assert_eq!(by_index["leaves"][0]["index"], "btree");
    assert!(by_index["plan"]["indexes"].to_string().contains("custom_field_values"), "{by_index}");
    assert_eq!(explained("custom.number", "starts_with")["leaves"][0]["index"], "btree");
    // Below any, every record may be wanted.
    let either = |field: &str| json!({"type": "text", "field": field, "op": "eq", "value": "k-1"});
    let any = json!({"type": "any", "nodes": [either("custom.number"), either("custom.plain")]});
    let filter = json!({"version": 1, "entity": "contact", "where": any});
    assert_eq!(admin.post("/v1/filters/explain", &json!({"filter": filter})).body["leaves"][0]["index"], "none");
    let unsorted = admin.post("/v1/filters/explain", &json!({"filter": filter, "sort": "custom.plain"})).body;
    assert_eq!((&unsorted["valid"], &unsorted["errors"][0]["pointer"]), (&json!(false), &json!("/sort")));
    for (field, op) in [("custom.number", "contains"), ("custom.number", "ne"), ("custom.plain", "eq")] {
        assert_eq!(explained(field, op)["leaves"][0]["index"], "none", "{field} {op}");
    }
}
