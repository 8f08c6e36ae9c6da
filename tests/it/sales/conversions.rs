//! Converting leads, and taking that back.

use std::{collections::BTreeMap, thread};

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Answer, Caller, Chance, JSON, workspace},
};

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

fn convert(caller: &Caller, lead: &Value, body: &Value) -> Answer {
    caller.post(&format!("/v1/leads/{}/convert", id(lead)), body)
}

fn converted(caller: &Caller, lead: &Value, body: &Value) -> Value {
    let answer = convert(caller, lead, body);
    answer.expect(200);
    answer.body
}

fn unconvert(caller: &Caller, lead: &Value) -> Answer {
    caller.send("POST", &format!("/v1/leads/{}/unconvert", id(lead)), &[], None)
}

fn read(caller: &Caller, resource: &str, id: &Value) -> Value {
    let answer = caller.get(&format!("/v1/{resource}/{}", id.as_str().unwrap()));
    answer.expect(200);
    answer.body
}

fn anna(admin: &Caller) -> Value {
    admin.create(
        "/v1/leads?on_duplicate=allow",
        &json!({
            "salutation": "Dr.", "first_name": "Anna", "last_name": "Lindt", "job_title": "Buyer",
            "company_name": "Lindt & Daughters", "website": "https://www.lindt.example/about",
            "emails": [{"address": "anna.lindt@example.com", "type": "work"}], "phones": [{"number": "+49 30 901820"}],
            "addresses": [{"city": "Berlin", "country": "DE"}], "tags": ["fair"], "lead_source": "trade_show",
            "rating": "warm", "industry": "Confectionery", "employee_range": "11_50",
            "expected_amount": "12500.506", "currency": "EUR", "utm": {"source": "letter"},
        }),
    )
}

fn not_carried(conversion: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let left = conversion["not_carried"].as_array().unwrap().iter();
    left.map(|left| (text(&left["field"]), text(&left["reason"]))).collect()
}

fn results(conversion: &Value) -> Vec<(&str, &str)> {
    let records = conversion["records"].as_array().unwrap().iter();
    records.map(|record| (record["kind"].as_str().unwrap(), record["result"].as_str().unwrap())).collect()
}

/// Codes and details of what is wrong.
fn errors(answer: &Answer) -> Vec<(&str, &str)> {
    let errors = answer.body["errors"].as_array().unwrap().iter();
    errors.map(|error| (error["code"].as_str().unwrap(), error["detail"].as_str().unwrap())).collect()
}

#[test]
fn a_lead_becomes_a_contact_a_company_and_an_opportunity() {
    let (_, admin) = workspace();
    let lead = anna(&admin);
    let conversion = converted(&admin, &lead, &json!({"opportunity": {}}));
    assert_eq!(results(&conversion), [("company", "created"), ("contact", "created"), ("opportunity", "created")]);

    let contact = read(&admin, "contacts", &conversion["contact_id"]);
    for field in ["salutation", "first_name", "last_name", "job_title", "emails", "phones", "addresses", "tags"] {
        assert_eq!(contact[field], lead[field], "{field}");
    }
    assert_eq!((&contact["company_id"], &contact["source"]), (&conversion["company_id"], &json!("conversion")));
    let company = read(&admin, "companies", &conversion["company_id"]);
    assert_eq!((&company["name"], &company["domain"]), (&json!("Lindt & Daughters"), &json!("lindt.example")));
    for field in ["website", "industry", "employee_range", "addresses"] {
        assert_eq!(company[field], lead[field], "{field}");
    }
    let opportunity = read(&admin, "opportunities", &conversion["opportunity_id"]);
    assert_eq!((&opportunity["name"], &opportunity["amount"]), (&json!("Lindt & Daughters"), &json!("12500.51")));
    assert_eq!((&opportunity["company_id"], &opportunity["originating_lead_id"]), (&company["id"], &lead["id"]));
    assert_eq!(opportunity["contacts"], json!([{"contact_id": contact["id"], "role": null, "primary": true}]));
    assert_eq!((&opportunity["lead_source"], &opportunity["tags"]), (&lead["lead_source"], &lead["tags"]));
    assert_eq!(opportunity["pipeline_id"], default_pipeline(&admin)["id"]);

    let after = &conversion["lead"];
    assert_eq!((&after["status"], &after["status_class"]), (&json!("converted"), &json!("won")));
    assert_eq!(after["converted_contact_id"], contact["id"]);
    assert_eq!(after["converted_company_id"], company["id"]);
    assert_eq!(after["converted_opportunity_id"], opportunity["id"]);
    assert_eq!(after["converted_at"], after["status_entered_at"]);
    assert_eq!(read(&admin, "leads", &lead["id"]), *after);
    let left = not_carried(&conversion);
    assert_eq!(left.keys().collect::<Vec<_>>(), ["rating", "utm"]);
    let events = |path: &str| -> Vec<Value> {
        admin.all(&format!("{path}/history")).iter().map(|entry| entry["event"].clone()).collect()
    };
    assert_eq!(events(&format!("/v1/leads/{}", id(&lead))), ["lead.converted", "lead.created"]);
    let found = json!({"filter": {"version": 1, "entity": "lead", "where":
        {"type": "choice", "field": "converted_contact_id", "op": "in", "values": [contact["id"]]}}});
    assert_eq!(admin.post("/v1/leads/search", &found).body["data"][0]["id"], lead["id"]);
}

#[test]
fn what_is_asked_for_comes_before_what_the_lead_says() {
    let (workspace, admin) = workspace();
    let owner = workspace.user("owner@example.com", StandardRole::Agent, "a long enough password");
    let won = json!({"key": "customer", "name": "Customer", "class": "won"});
    admin.create("/v1/lead_statuses", &won);
    let lead = anna(&admin);
    let stage = &default_pipeline(&admin)["stages"][1]["id"];
    let body = json!({
        "status": "customer",
        "contact": {"values": {"job_title": "Director", "salutation": null, "owner_id": owner}},
        "company": {"mode": "none"},
        "opportunity": {"stage_id": stage, "values": {"name": "Line", "currency": "USD", "close_date": "2027-01-31"}},
    });
    let conversion = converted(&admin, &lead, &body);
    let contact = read(&admin, "contacts", &conversion["contact_id"]);
    assert_eq!((&contact["job_title"], &contact["salutation"]), (&json!("Director"), &Value::Null));
    assert_eq!((&contact["owner_id"], &contact["company_id"]), (&json!(owner), &Value::Null));
    let opportunity = read(&admin, "opportunities", &conversion["opportunity_id"]);
    assert_eq!((&opportunity["name"], &opportunity["stage_id"]), (&json!("Line"), stage));
    // The amount was in another currency.
    assert_eq!((&opportunity["amount"], &opportunity["currency"]), (&Value::Null, &json!("USD")));
    assert_eq!((&conversion["company_id"], &conversion["lead"]["status"]), (&Value::Null, &json!("customer")));
    let left = not_carried(&conversion);
    for field in ["company_name", "website", "industry", "employee_range", "expected_amount"] {
        assert!(left.contains_key(field), "{field}: {left:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let (_, admin) = workspace();
    let lead = anna(&admin);
    let nobody = crate::conformance::samples::NOBODY;
    for (body, pointer, code) in [
        (json!({"contact": {"id": nobody, "mode": "new"}}), "/contact/mode", "contradiction"),
        (json!({"contact": {"id": nobody, "values": {}}}), "/contact/values", "contradiction"),
        (json!({"company": {"id": nobody, "mode": "none"}}), "/company/mode", "contradiction"),
        (json!({"company": {"mode": "none", "values": {}}}), "/company/values", "contradiction"),
        (json!({"contact": {"values": {"company_id": nobody}}}), "/contact/values/company_id", "contradiction"),
        (json!({"contact": {"id": nobody}}), "/contact/id", "unknown_reference"),
        (json!({"company": {"id": nobody}}), "/company/id", "unknown_reference"),
        (json!({"status": "contacted"}), "/status", "unknown_status"),
        (json!({"opportunity": {"stage_id": nobody}}), "/opportunity/stage_id", "unknown_reference"),
        (json!({"opportunity": {"values": {"probability": 10, "owner_id": nobody}}}), "/owner_id", "unknown_reference"),
        (json!({"contact": {"values": {"birthday": "2999-01-01"}}}), "/contact/values/birthday", "in_the_future"),
        (json!({"field_map": [{"from": "a", "kind": "contact", "to": "b"}]}), "/field_map/0/from", "unknown_field"),
    ] {
        let answer = convert(&admin, &lead, &body);
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        let problems = answer.body["errors"].as_array().unwrap();
        let is_it = |problem: &&Value| {
            problem["pointer"].as_str().unwrap_or_default().ends_with(pointer) && problem["code"] == code
        };
        assert!(problems.iter().any(|problem| is_it(&problem)), "{body}: {}", answer.text);
    }
    assert_eq!(read(&admin, "leads", &lead["id"]), lead);
}

#[test]
fn who_is_known_is_recognised_and_given_what_they_lack() {
    let (_, admin) = workspace();
    let contact = admin.create(
        "/v1/contacts",
        &json!({"last_name": "LINDT", "job_title": "Director", "emails": [{"address": "Anna.Lindt@example.com"}]}),
    );
    let company =
        admin.create("/v1/companies", &json!({"name": "Lindt AG", "domain": "lindt.example", "industry": "Food"}));
    let lead = anna(&admin);
    let conversion = converted(&admin, &lead, &json!({}));
    assert_eq!(results(&conversion), [("company", "matched"), ("contact", "matched")]);
    assert_eq!((&conversion["contact_id"], &conversion["company_id"]), (&contact["id"], &company["id"]));
    assert_eq!(conversion["opportunity_id"], Value::Null);
    assert_eq!(conversion["records"][0]["filled"], json!(["website", "employee_range", "addresses"]));
    assert_eq!(
        conversion["records"][1]["filled"],
        json!(["salutation", "first_name", "company_id", "tags", "phones", "addresses"])
    );
    let after = read(&admin, "contacts", &contact["id"]);
    assert_eq!((&after["last_name"], &after["first_name"]), (&json!("LINDT"), &json!("Anna")));
    assert_eq!((&after["job_title"], &after["emails"]), (&contact["job_title"], &contact["emails"]));
    assert_eq!((&after["phones"], &after["company_id"]), (&lead["phones"], &company["id"]));
    let left = not_carried(&conversion);
    assert_eq!((left["job_title"].as_str(), left["industry"].as_str()), ("has_value", "has_value"));
    assert_eq!(left["expected_amount"], "no_place");

    unconvert(&admin, &lead).expect(200);
    for (resource, before) in [("contacts", &contact), ("companies", &company)] {
        let now = read(&admin, resource, &before["id"]);
        assert_eq!(without_version(&now), without_version(before));
    }
}

#[test]
fn where_several_may_be_meant_the_caller_decides() {
    let (_, admin) = workspace();
    let shared = json!({"last_name": "Office", "emails": [{"address": "anna.lindt@example.com"}]});
    let first = admin.create("/v1/contacts", &shared);
    let second = admin.create("/v1/contacts?on_duplicate=allow", &shared);
    let lead = anna(&admin);
    let refused = convert(&admin, &lead, &json!({}));
    refused.expect_problem(409, "ambiguous_match");
    let mut candidates: Vec<&str> = refused.body["candidates"].as_array().unwrap().iter().map(id).collect();
    candidates.sort_unstable();
    assert_eq!(candidates, [id(&first), id(&second)]);

    let named = converted(&admin, &lead, &json!({"contact": {"id": second["id"]}}));
    assert_eq!(results(&named), [("company", "created"), ("contact", "named")]);
    unconvert(&admin, &lead).expect(200);
    let new = converted(&admin, &lead, &json!({"contact": {"mode": "new"}}));
    assert_ne!((&new["contact_id"], &new["contact_id"]), (&first["id"], &second["id"]));

    // Values are for a new contact: for one that is known they would be lost.
    let (_, admin) = workspace();
    admin.create("/v1/contacts", &shared);
    let lead = anna(&admin);
    convert(&admin, &lead, &json!({"contact": {"values": {"job_title": "x"}}})).expect_problem(409, "ambiguous_match");
}

#[test]
fn a_number_alone_makes_nobody_the_same() {
    let (_, admin) = workspace();
    let phones = json!([{"number": "+49 30 901820"}]);
    let other = admin.create("/v1/contacts", &json!({"last_name": "Sprüngli", "phones": phones}));
    let lead = |name: Value| {
        let new = json!({"last_name": name, "company_name": "Lindt", "phones": phones});
        admin.create("/v1/leads?on_duplicate=allow", &new)
    };
    let stranger = lead(json!("Lindt"));
    convert(&admin, &stranger, &json!({})).expect_problem(409, "ambiguous_match");
    for name in [json!("sprungli"), Value::Null] {
        let conversion = converted(&admin, &lead(name), &json!({}));
        assert_eq!(conversion["contact_id"], other["id"]);
    }
}

#[test]
fn companies_are_recognised_by_domain_before_name() {
    let (_, admin) = workspace();
    let elsewhere = admin.create("/v1/companies", &json!({"name": "Lindt & Daughters", "domain": "other.example"}));
    let lead = anna(&admin);
    let conversion = converted(&admin, &lead, &json!({}));
    assert_eq!(conversion["records"][0]["result"], "created", "another domain is another company");
    assert_ne!(conversion["company_id"], elsewhere["id"]);
    let plain = admin.create("/v1/leads", &json!({"last_name": "Muster", "company_name": "LINDT & daughters"}));
    let refused = convert(&admin, &plain, &json!({}));
    refused.expect_problem(409, "ambiguous_match");
    assert!(refused.body["candidates"].as_array().unwrap().iter().all(|one| one["reasons"] == json!(["same_name"])));
    let alone = admin.create("/v1/leads", &json!({"last_name": "Meier"}));
    assert_eq!(converted(&admin, &alone, &json!({}))["company_id"], Value::Null);
}

#[test]
fn custom_fields_go_to_those_of_their_key_or_where_the_map_says() {
    let (_, admin) = workspace();
    let field = |resource: &str, key: &str, kind: &str| {
        let mut new = json!({"resource": resource, "key": key, "label": key, "type": kind});
        if kind == "choice" {
            new["options"] = json!([{"key": "gold", "label": "Gold"}]);
        }
        admin.create("/v1/custom_fields", &new);
    };
    for (resource, key, kind) in [
        ("leads", "tier", "text"),
        ("leads", "size", "number"),
        ("leads", "topic", "text"),
        ("leads", "hobby", "text"),
        ("leads", "odd", "text"),
        ("contacts", "tier", "choice"),
        ("companies", "size", "number"),
        ("opportunities", "product_line", "text"),
        ("opportunities", "odd", "number"),
    ] {
        field(resource, key, kind);
    }
    let custom = json!({"tier": "gold", "size": "12", "topic": "boxes", "hobby": "chess", "odd": "no number"});
    let lead = admin.create("/v1/leads", &json!({"last_name": "Lindt", "company_name": "Lindt", "custom": custom}));
    let body = json!({
        "opportunity": {}, "field_map": [{"from": "topic", "kind": "opportunity", "to": "product_line"}]
    });
    let conversion = converted(&admin, &lead, &body);
    assert_eq!(read(&admin, "contacts", &conversion["contact_id"])["custom"], json!({"tier": "gold"}));
    assert_eq!(read(&admin, "companies", &conversion["company_id"])["custom"], json!({"size": "12"}));
    let opportunity = read(&admin, "opportunities", &conversion["opportunity_id"]);
    assert_eq!(opportunity["custom"], json!({"product_line": "boxes"}));
    let left = not_carried(&conversion);
    assert_eq!((left["custom.hobby"].as_str(), left["custom.odd"].as_str()), ("no_place", "unsuitable"));
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_converted_lead_stays_as_it_is() {
    let (workspace, admin) = workspace();
    let lead = anna(&admin);
    let first = converted(&admin, &lead, &json!({}));
    let path = format!("/v1/leads/{}", id(&lead));
    let before = workspace.everything();
    let again = converted(&admin, &lead, &json!({"contact": {"mode": "new"}, "opportunity": {}}));
    assert_eq!(again, first);
    let update = json!({"operations": [{"op": "update", "id": lead["id"], "data": {"tags": []}}, {"op": "delete", "id": lead["id"]}]});
    for refused in [
        admin.patch(&path, &json!({"tags": []})),
        admin.post(&format!("{path}/move"), &json!({"status": "contacted"})),
        admin.send("POST", &format!("{path}/recycle"), &[], None),
        admin.delete(&path),
    ] {
        refused.expect_problem(409, "conflict");
        assert_eq!(errors(&refused)[0].0, "converted");
        assert!(refused.body["detail"].as_str().unwrap().contains("unconvert"), "{}", refused.text);
    }
    let batch = admin.post("/v1/leads/batch", &update);
    for result in batch.body["results"].as_array().unwrap() {
        assert_eq!((&result["status"], &result["error"]["errors"][0]["code"]), (&json!(409), &json!("converted")));
    }
    assert_eq!(workspace.everything(), before);
    let stale = admin.send("POST", &format!("{path}/convert"), &[JSON, ("If-Match", "\"1\"")], Some(b"{}".to_vec()));
    stale.expect_problem(412, "precondition_failed");
}

#[test]
fn a_lost_lead_is_not_converted() {
    let (_, admin) = workspace();
    let lead = admin.create("/v1/leads", &json!({"last_name": "Lindt", "status": "junk"}));
    convert(&admin, &lead, &json!({})).expect_problem(409, "invalid_transition");
    let refused = unconvert(&admin, &lead);
    refused.expect_problem(409, "conflict");
    assert_eq!(errors(&refused)[0].0, "not_converted");
}

#[test]
fn a_rehearsal_leaves_nothing_behind() {
    let (workspace, admin) = workspace();
    let lead = anna(&admin);
    let before = workspace.everything();
    let rehearsed = admin.post(&format!("/v1/leads/{}/convert?dry_run=true", id(&lead)), &json!({"opportunity": {}}));
    rehearsed.expect(200);
    let nobody = json!("00000000-0000-0000-0000-000000000000");
    for field in ["contact_id", "company_id", "opportunity_id"] {
        assert_eq!(rehearsed.body[field], nobody, "{field}");
    }
    assert_eq!(workspace.everything(), before);
}

#[test]
fn each_record_needs_the_right_to_it() {
    let (workspace, admin) = workspace();
    let lead = anna(&admin);
    let mut scopes = vec!["leads:read", "leads:write"];
    for missing in ["companies:create", "contacts:create", "opportunities:create"] {
        let refused = convert(&workspace.scoped(&scopes), &lead, &json!({"opportunity": {}}));
        refused.expect_problem(403, "forbidden");
        assert!(refused.body["detail"].as_str().unwrap().contains(missing), "{}", refused.text);
        scopes.push(missing);
    }
    convert(&workspace.scoped(&scopes), &lead, &json!({"opportunity": {}})).expect(200);
    for missing in ["opportunities:delete", "contacts:delete", "companies:delete"] {
        let refused = unconvert(&workspace.scoped(&scopes), &lead);
        refused.expect_problem(403, "forbidden");
        assert!(refused.body["detail"].as_str().unwrap().contains(missing), "{}", refused.text);
        scopes.push(missing);
    }
    unconvert(&workspace.scoped(&scopes), &lead).expect(200);

    let known = json!({"last_name": "Lindt", "emails": [{"address": "anna.lindt@example.com"}]});
    admin.create("/v1/contacts?on_duplicate=allow", &known);
    scopes.push("contacts:read");
    let refused = convert(&workspace.scoped(&scopes), &lead, &json!({}));
    refused.expect_problem(403, "forbidden");
    assert!(refused.body["detail"].as_str().unwrap().contains("contacts:write"), "{}", refused.text);
    scopes.push("contacts:write");
    convert(&workspace.scoped(&scopes), &lead, &json!({})).expect(200);
}

#[test]
fn nobody_carries_over_what_they_may_not_read_or_write() {
    let (workspace, admin) = workspace();
    let all = json!({"mode": "all_but", "fields": []});
    let rule = |resource: &str, readable: &[&str], writable: &[&str]| {
        json!({"resource": resource, "read": "all", "write": "all", "create": true, "delete": true,
            "readable_fields": {"mode": "all_but", "fields": readable},
            "writable_fields": {"mode": "all_but", "fields": writable}})
    };
    let rules = json!([
        rule("leads", &["phones", "expected_amount"], &[]), rule("contacts", &[], &["job_title"]),
        rule("companies", &[], &[]), {"resource": "opportunities", "read": "all", "write": "all", "create": true,
            "delete": true, "readable_fields": all, "writable_fields": all}
    ]);
    let role = admin.create("/v1/roles", &json!({"name": "Careful", "rules": rules}));
    let user = workspace.user("careful@example.com", StandardRole::ReadOnly, "a long enough password");
    admin.patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role["id"]]})).expect(200);
    let caller = workspace.sign_in("careful@example.com", "a long enough password");
    let lead = anna(&admin);
    let refused = convert(&caller, &lead, &json!({"contact": {"values": {"job_title": "Boss"}}}));
    refused.expect_problem(403, "forbidden");
    refused.expect_errors(&[("/contact/values/job_title", "closed_field")]);
    let conversion = converted(&caller, &lead, &json!({"opportunity": {}}));
    assert!(conversion["lead"].get("phones").is_none());
    let contact = read(&admin, "contacts", &conversion["contact_id"]);
    assert_eq!((&contact["phones"], &contact["job_title"]), (&json!([]), &Value::Null));
    assert_eq!(read(&admin, "opportunities", &conversion["opportunity_id"])["amount"], Value::Null);
    let left = not_carried(&conversion);
    assert_eq!(left["job_title"], "closed");
    assert!(!left.contains_key("phones") && !left.contains_key("expected_amount"), "{left:?}");
}

#[test]
fn a_contact_goes_on_with_the_history_of_its_leads() {
    let (workspace, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"last_name": "Lindt"}));
    let path = format!("/v1/contacts/{}", id(&contact));
    let leads: Vec<Value> = (0..3)
        .map(|number| {
            let lead =
                admin.create("/v1/leads", &json!({"last_name": "Lindt", "job_title": format!("Buyer {number}")}));
            admin.patch(&format!("/v1/leads/{}", id(&lead)), &json!({"tags": ["x"]})).expect(200);
            admin.patch(&path, &json!({"tags": [number.to_string()]})).expect(200);
            converted(&admin, &lead, &json!({"contact": {"id": contact["id"]}}));
            lead
        })
        .collect();
    let mut history = admin.all(&format!("{path}/history"));
    // The sequencer gives an entry its position whenever it comes by.
    history.iter_mut().for_each(|entry| drop(entry["position"].take()));
    let events: Vec<&str> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let of_one = ["lead.converted", "contact.updated", "lead.updated", "lead.created"];
    let mut expected = [of_one, of_one, of_one].concat();
    expected.insert(expected.len() - 3, "contact.updated"); // the first lead gave its title
    expected.push("contact.created");
    assert_eq!(events, expected);
    let times: Vec<&str> = history.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next));
    for limit in [1, 2, 3, 5] {
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("{path}/history?limit={limit}{cursor}"));
            page.expect(200);
            paged.extend(page.body["data"].as_array().unwrap().clone());
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        paged.iter_mut().for_each(|entry| drop(entry["position"].take()));
        assert_eq!(paged, history, "in pages of {limit}");
    }
    let of_contacts_alone = workspace.scoped(&["contacts:read"]).all(&format!("{path}/history"));
    assert!(of_contacts_alone.iter().all(|entry| entry["record"]["kind"] == "contact"));
    assert_eq!(of_contacts_alone.len(), 5);
    unconvert(&admin, &leads[2]).expect(200);
    let rest = admin.all(&format!("{path}/history"));
    assert!(rest.iter().all(|entry| entry["record"]["id"] != leads[2]["id"]));
    assert_eq!(rest.len(), 11);
}

#[test]
fn what_was_built_on_a_conversion_keeps_it() {
    let (_, admin) = workspace();
    let lead = anna(&admin);
    let expect = |codes: &[&str]| {
        let refused = unconvert(&admin, &lead);
        refused.expect_problem(409, "conflict");
        assert_eq!(errors(&refused).iter().map(|(code, _)| *code).collect::<Vec<_>>(), codes, "{}", refused.text);
        refused
    };
    let conversion = converted(&admin, &lead, &json!({"opportunity": {}}));
    let path = |resource: &str, field: &str| format!("/v1/{resource}/{}", conversion[field].as_str().unwrap());

    let parties = json!({"name": "Second", "company_id": conversion["company_id"],
        "contacts": [{"contact_id": conversion["contact_id"]}]});
    let second = admin.create("/v1/opportunities", &parties);
    let task = admin
        .create("/v1/tasks", &json!({"name": "Call", "parent": {"kind": "contact", "id": conversion["contact_id"]}}));
    let colleague =
        admin.create("/v1/contacts", &json!({"last_name": "Meier", "company_id": conversion["company_id"]}));
    let twin = admin.create("/v1/leads", &json!({"last_name": "Lindt"}));
    converted(&admin, &twin, &json!({"contact": {"id": conversion["contact_id"]}}));
    let refused = expect(&["referred_to"; 5]);
    for known in [&second, &task, &colleague, &twin] {
        assert!(refused.text.contains(id(known)), "{}", refused.text);
    }
    unconvert(&admin, &twin).expect(200);
    for gone in [("opportunities", &second), ("tasks", &task), ("contacts", &colleague)] {
        admin.delete(&format!("/v1/{}/{}", gone.0, id(gone.1))).expect(204);
    }
    admin.delete(&path("opportunities", "opportunity_id")).expect(204);
    expect(&["deleted_since"]);
    admin.send("POST", &format!("{}/restore", path("opportunities", "opportunity_id")), &[], None).expect(200);
    admin.patch(&path("companies", "company_id"), &json!({"industry": "Food"})).expect(200);
    expect(&["changed_since", "changed_since"]);
    assert_eq!(read(&admin, "leads", &lead["id"]), conversion["lead"]);
}

/// A record but for what every write moves.
fn without_version(record: &Value) -> Value {
    let mut record = record.clone();
    for field in ["version", "updated_at", "updated_by"] {
        record.as_object_mut().unwrap().remove(field);
    }
    record
}

/// All that a caller can read but for the journal. Of these records, what every write moves is left out.
fn readable(admin: &Caller, touched: &[&Value]) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut add = |path: String, value: Value| all.push((path, value));
    let neutral = |record: Value| match touched.contains(&&record["id"]) {
        true => without_version(&record),
        false => record,
    };
    for resource in ["contacts", "companies", "opportunities", "tasks", "leads", "products"] {
        let records = admin.all(&format!("/v1/{resource}?sort=created_at"));
        for record in &records {
            let path = format!("/v1/{resource}/{}", id(record));
            add(path.clone(), neutral(admin.get(&path).body));
        }
        add(resource.to_owned(), records.into_iter().map(neutral).collect());
        for query in [
            "sort=name&count=exact",
            "q=lindt&sort=name&count=exact",
            "q=anna&sort=name",
            "count=exact&sort=name&limit=1",
        ] {
            let mut page = admin.get(&format!("/v1/{resource}?{query}")).body;
            page.as_object_mut().unwrap().remove("next_cursor");
            page["data"] = page["data"].as_array().unwrap().iter().cloned().map(neutral).collect();
            add(format!("{resource}?{query}"), page);
        }
        let search = json!({"filter": {"version": 1, "entity": resource_entity(resource), "where":
            {"type": "text", "field": "name", "op": "contains", "value": "lindt"}}, "sort": "name"});
        let found = admin.post(&format!("/v1/{resource}/search"), &search).body;
        add(format!("{resource} found"), found["data"].as_array().unwrap().iter().cloned().map(neutral).collect());
    }
    for lead in admin.all("/v1/leads") {
        let path = format!("/v1/leads/{}/duplicates", id(&lead));
        add(path.clone(), admin.get(&path).body);
    }
    for group in ["stage", "owner", "source", "close_month"] {
        let report = admin.post("/v1/reports/pipeline", &json!({"group_by": group, "currency": "EUR"})).body;
        add(format!("report by {group}"), json!([report["groups"], report["total"], report["unconverted"]]));
    }
    for list in ["lead_statuses", "pipelines", "lost_reasons", "custom_fields"] {
        add(list.to_owned(), admin.all(&format!("/v1/{list}")).into());
    }
    all
}

fn resource_entity(resource: &str) -> &str {
    match resource {
        "companies" => "company",
        "opportunities" => "opportunity",
        other => other.trim_end_matches('s'),
    }
}

fn assert_same(before: &[(String, Value)], after: &[(String, Value)], about: &Value) {
    assert_eq!(
        before.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        after.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        "{about}"
    );
    for ((path, before), (_, after)) in before.iter().zip(after) {
        assert_eq!(before, after, "{path} with {about}");
    }
}

#[test]
fn unconverting_leaves_the_workspace_as_it_was() {
    let (_, admin) = workspace();
    for resource in ["leads", "contacts", "companies", "opportunities"] {
        let tier = json!({"resource": resource, "key": "tier", "label": "Tier", "type": "text", "sorted": true});
        admin.create("/v1/custom_fields", &tier);
    }
    let company = admin.create("/v1/companies", &json!({"name": "Lindt AG", "domain": "known.example"}));
    let contact = admin.create(
        "/v1/contacts",
        &json!({"last_name": "Lindt", "emails": [{"address": "known@example.com"}, {"address": "other@example.com"}]}),
    );
    admin.create("/v1/opportunities", &json!({"name": "Lindt before", "amount": "10", "currency": "EUR"}));
    let about = |kind: &str, record: &Value| {
        admin.create("/v1/tasks", &json!({"name": "Call", "parent": {"kind": kind, "id": record["id"]}}));
    };
    about("contact", &contact);
    about("company", &company);

    let mut chance = Chance::new(7);
    for round in 0..12 {
        let lead = random_lead(&mut chance, round);
        let lead = admin.create("/v1/leads?on_duplicate=allow", &lead);
        if chance.one_in(2) {
            let to = json!({"status": chance.of(&["contacted", "nurturing", "qualified"])});
            admin.post(&format!("/v1/leads/{}/move", id(&lead)), &to).expect(200);
        }
        let mut body = json!({});
        if chance.one_in(2) {
            body["opportunity"] = json!({"values": {"close_date": "2027-02-01"}});
        }
        if chance.one_in(3) {
            body["company"] = json!({"mode": chance.of(&["new", "none"])});
            if body["company"]["mode"] == "new" {
                body["company"]["values"] = json!({"name": "Fresh"});
            }
        }
        if chance.one_in(3) {
            body["contact"] = json!({"id": contact["id"]});
        }
        let task = json!({"name": "Call", "parent": {"kind": "lead", "id": lead["id"]}});
        let task = admin.create("/v1/tasks", &task);
        let touched = [&lead["id"], &contact["id"], &company["id"], &task["id"]];
        let before = readable(&admin, &touched);
        let conversion = converted(&admin, &lead, &body);
        assert_ne!(readable(&admin, &touched), before, "{lead} {body}");
        unconvert(&admin, &lead).expect(200);
        let about = json!([lead, body, conversion["records"]]);
        assert_same(&before, &readable(&admin, &touched), &about);
    }
}

fn random_lead(chance: &mut Chance, round: usize) -> Value {
    let mut lead = json!({"last_name": chance.of(&["Lindt", "Lindtner"]), "first_name": "Anna"});
    let address = if chance.one_in(2) { "known@example.com".to_owned() } else { format!("anna{round}@example.com") };
    lead["emails"] = json!([{"address": address}, {"address": format!("second{round}@example.com"), "type": "work"}]);
    for (field, value) in [
        ("company_name", json!(format!("Lindt {round}"))),
        ("website", json!("https://known.example/")),
        ("salutation", json!("Dr.")),
        ("job_title", json!("Buyer")),
        ("phones", json!([{"number": "+49 30 901820"}])),
        ("addresses", json!([{"city": "Berlin", "country": "DE", "latitude": 52.5, "longitude": 13.4}])),
        ("tags", json!(["fair", "lindt"])),
        ("industry", json!("Confectionery")),
        ("employee_range", json!("51_200")),
        ("lead_source", json!("referral")),
        ("source_channel", json!("web")),
        ("custom", json!({"tier": "gold"})),
    ] {
        if chance.one_in(2) {
            lead[field] = value;
        }
    }
    if chance.one_in(2) {
        (lead["expected_amount"], lead["currency"]) = (json!("1234.5678"), json!(chance.of(&["EUR", "JPY"])));
    }
    lead
}

#[test]
fn reports_still_tell_of_an_opportunity_that_was_taken_back() {
    let (_, admin) = workspace();
    let lead = anna(&admin);
    let conversion = converted(&admin, &lead, &json!({"opportunity": {}}));
    let then = conversion["lead"]["converted_at"].clone();
    unconvert(&admin, &lead).expect(200);
    let count = |more: Value| {
        let mut query = json!({"group_by": "stage", "currency": "EUR"});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/v1/reports/pipeline", &query).body["total"]["count"].clone()
    };
    assert_eq!((count(json!({})), count(json!({"as_of": then}))), (json!(0), json!(1)));
}

#[test]
fn the_status_that_a_lead_had_comes_back() {
    let (_, admin) = workspace();
    let lead = anna(&admin);
    let path = format!("/v1/leads/{}", id(&lead));
    admin.post(&format!("{path}/move"), &json!({"status": "qualified"})).expect(200);
    let before = admin.get(&path).body;
    converted(&admin, &lead, &json!({}));
    let after = unconvert(&admin, &lead);
    after.expect(200);
    assert_eq!(without_version(&after.body), without_version(&before));
    let history = admin.all(&format!("{path}/status_history"));
    let statuses: Vec<&Value> = history.iter().map(|line| &line["to_status"]).collect();
    assert_eq!(statuses, ["new", "qualified", "converted", "qualified"]);
    assert_eq!(history[2]["left_at"], history[3]["entered_at"]);
    assert_eq!(admin.all(&format!("{path}/history"))[0]["event"], "lead.unconverted");
    // And it can be converted again.
    let again = converted(&admin, &lead, &json!({}));
    assert_eq!(results(&again), [("company", "created"), ("contact", "created")]);
}

#[test]
fn tasks_about_the_lead_go_over_to_the_contact_and_back() {
    let (workspace, admin) = workspace();
    let lead = anna(&admin);
    let about = |kind: &str, id: &Value| {
        admin.create("/v1/tasks", &json!({"name": "Call", "parent": {"kind": kind, "id": id}}))["id"].clone()
    };
    let (kept, gone, other) = (about("lead", &lead["id"]), about("lead", &lead["id"]), about("lead", &lead["id"]));
    // Whoever converts need not see the tasks.
    let caller = workspace.scoped(&[
        "leads:read",
        "leads:write",
        "contacts:create",
        "contacts:delete",
        "companies:create",
        "companies:delete",
    ]);
    let conversion = converted(&caller, &lead, &json!({}));
    let parent = |task: &Value| read(&admin, "tasks", task)["parent"].clone();
    let to_contact = json!({"kind": "contact", "id": conversion["contact_id"]});
    assert_eq!((parent(&kept), parent(&gone)), (to_contact.clone(), to_contact));
    admin.delete(&format!("/v1/tasks/{}", gone.as_str().unwrap())).expect(204);
    let to_nothing = json!({"parent": null, "name": "Something else"});
    admin.patch(&format!("/v1/tasks/{}", other.as_str().unwrap()), &to_nothing).expect(200);
    let made_since = about("contact", &conversion["contact_id"]);
    let refused = unconvert(&caller, &lead);
    refused.expect_problem(409, "conflict");
    assert_eq!(errors(&refused).len(), 1);
    admin.delete(&format!("/v1/tasks/{}", made_since.as_str().unwrap())).expect(204);
    unconvert(&caller, &lead).expect(200);
    let to_lead = json!({"kind": "lead", "id": lead["id"]});
    assert_eq!((parent(&kept), parent(&other)), (to_lead.clone(), Value::Null));
    let restored = format!("/v1/tasks/{}/restore", gone.as_str().unwrap());
    admin.send("POST", &restored, &[], None).expect(200);
    assert_eq!(parent(&gone), to_lead);
}

#[test]
fn notes_about_the_lead_go_over_to_the_contact_and_back() {
    let (_, admin) = workspace();
    let lead = anna(&admin);
    let write = |kind: &str, id: &Value| {
        admin.create("/v1/notes", &json!({"body": "Likes tea.", "parent": {"kind": kind, "id": id}}))
    };
    let note = write("lead", &lead["id"])["id"].clone();
    let conversion = converted(&admin, &lead, &json!({}));
    let parent = || read(&admin, "notes", &note)["parent"].clone();
    assert_eq!(parent(), json!({"kind": "contact", "id": conversion["contact_id"]}));
    let made_since = write("contact", &conversion["contact_id"]);
    let refused = unconvert(&admin, &lead);
    refused.expect_problem(409, "conflict");
    assert_eq!(errors(&refused).len(), 1);
    admin.delete(&format!("/v1/notes/{}", id(&made_since))).expect(204);
    unconvert(&admin, &lead).expect(200);
    assert_eq!(parent(), json!({"kind": "lead", "id": lead["id"]}));
}

#[test]
fn those_who_convert_one_lead_at_once_take_turns() {
    let (_, admin) = workspace();
    for _ in 0..5 {
        let address = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        // Two leads of one person: whoever comes second recognises the contact that the first has made.
        let leads: Vec<Value> = (0..2)
            .map(|_| {
                let new = json!({"last_name": "Lindt", "emails": [{"address": address}], "company_name": address});
                admin.create("/v1/leads?on_duplicate=allow", &new)
            })
            .collect();
        let answers: Vec<Answer> = thread::scope(|scope| {
            let calls: Vec<_> = (0..8)
                .map(|number| {
                    let (admin, lead) = (&admin, &leads[number % 2]);
                    scope.spawn(move || convert(admin, lead, &json!({"opportunity": {}})))
                })
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        for (number, answer) in answers.iter().enumerate() {
            answer.expect(200);
            assert_eq!(answer.body, answers[number % 2].body);
        }
        assert_eq!(answers[0].body["contact_id"], answers[1].body["contact_id"]);
        assert_eq!(answers[0].body["company_id"], answers[1].body["company_id"]);
        assert_ne!(answers[0].body["opportunity_id"], answers[1].body["opportunity_id"]);
    }
}

#[test]
fn converting_unconverting_and_changing_at_once_end_in_one_state() {
    let (_, admin) = workspace();
    for round in 0..6 {
        let address = format!("round{round}@example.com");
        let contact = admin.create("/v1/contacts", &json!({"last_name": "Lindt", "emails": [{"address": address}]}));
        let new = json!({"last_name": "Lindt", "job_title": "Buyer", "emails": [{"address": address}]});
        let lead = admin.create("/v1/leads?on_duplicate=allow", &new);
        let path = format!("/v1/contacts/{}", id(&contact));
        thread::scope(|scope| {
            for number in 0..3 {
                let (admin, lead, path) = (&admin, &lead, &path);
                scope.spawn(move || convert(admin, lead, &json!({})).expect(200));
                scope.spawn(move || {
                    let answer = unconvert(admin, lead);
                    assert!([200, 409].contains(&answer.status), "{}", answer.text);
                });
                scope.spawn(move || {
                    // Whoever was outrun too often is told to try again.
                    while admin.patch(path, &json!({"tags": [number.to_string()]})).status == 503 {}
                });
            }
        });
        let (lead, contact) = (read(&admin, "leads", &lead["id"]), read(&admin, "contacts", &contact["id"]));
        assert_eq!(contact["tags"].as_array().unwrap().len(), 1, "no change is lost");
        match lead["status"].as_str().unwrap() {
            "converted" => {
                assert_eq!(contact["job_title"], "Buyer");
                assert_eq!(lead["converted_contact_id"], contact["id"]);
            }
            status => {
                assert_eq!((status, &contact["job_title"]), ("new", &Value::Null));
                assert_eq!(lead["converted_at"], Value::Null);
            }
        }
    }
}
