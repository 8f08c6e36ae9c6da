//! Leads.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, workspace};

const SECRET: &str = "correct horse battery staple";

fn path(lead: &Value) -> String {
    format!("/v1/leads/{}", lead["id"].as_str().unwrap())
}

fn create(admin: &Caller, last_name: &str) -> Value {
    admin.create("/v1/leads", &json!({"last_name": last_name}))
}

fn move_to(admin: &Caller, lead: &Value, status: &str) -> Answer {
    admin.post(&format!("{}/move", path(lead)), &json!({"status": status}))
}

fn recycle(admin: &Caller, lead: &Value) -> Answer {
    admin.send("POST", &format!("{}/recycle", path(lead)), &[], None)
}

fn reason(admin: &Caller, key: &str) -> Value {
    let reasons = admin.all("/v1/lost_reasons?archived=include");
    reasons.iter().find(|reason| reason["key"] == key).unwrap().clone()
}

fn status(admin: &Caller, key: &str) -> String {
    let statuses = admin.all("/v1/lead_statuses?archived=include");
    let status = statuses.iter().find(|status| status["key"] == key).unwrap();
    format!("/v1/lead_statuses/{}", status["id"].as_str().unwrap())
}

fn code(answer: &Answer) -> &str {
    answer.body["errors"][0]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_lead_is_known_by_a_name_a_company_an_address_or_a_number() {
    let (_, admin) = workspace();
    for (new, name) in [
        (json!({"first_name": "Anna", "last_name": "Lindt", "company_name": "Lindt"}), "Anna Lindt"),
        (json!({"company_name": " Lindt ", "emails": [{"address": "office@example.com"}]}), "Lindt"),
        (json!({"emails": [{"address": "anna@example.com"}]}), "anna@example.com"),
        (json!({"phones": [{"number": "030 901820"}]}), "030 901820"),
    ] {
        let lead = admin.create("/v1/leads", &new);
        assert_eq!(lead["name"], name);
        assert_eq!((&lead["status"], &lead["status_class"]), (&json!("new"), &json!("open")));
        assert_eq!(lead["status_entered_at"], lead["created_at"]);
        assert_eq!(admin.get(&path(&lead)).body, lead);
    }
    let nobody = admin.post("/v1/leads", &json!({"job_title": "Buyer"}));
    nobody.expect_errors(&[("", "nothing_to_know_by")]);
}

#[test]
fn a_lead_keeps_what_it_was_given() {
    let (_, admin) = workspace();
    let new = json!({
        "last_name": "Lindt", "lead_source": "trade_show", "rating": "hot", "industry": "Confectionery",
        "employee_range": "11_50", "expected_amount": "12500.50", "currency": "EUR", "website": "https://lindt.example/",
        "utm": {"source": "newsletter", "campaign": "spring"},
    });
    let lead = admin.create("/v1/leads", &new);
    for field in ["lead_source", "rating", "industry", "employee_range", "currency", "website"] {
        assert_eq!(lead[field], new[field]);
    }
    assert_eq!(lead["expected_amount"], "12500.5");
    assert_eq!(lead["utm"]["campaign"], "spring");
    let changed =
        admin.patch(&path(&lead), &json!({"utm": {"source": "letter"}, "expected_amount": null, "currency": null}));
    assert_eq!((&changed.body["utm"]["campaign"], &changed.body["expected_amount"]), (&Value::Null, &Value::Null));
    admin.patch(&path(&lead), &json!({"currency": "USD"})).expect_problem(422, "validation_failed");
    admin.patch(&path(&lead), &json!({"status": "contacted"})).expect_problem(422, "validation_failed");
}

#[test]
fn a_lead_moves_as_its_class_allows() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    for status in ["contacted", "nurturing", "qualified"] {
        let moved = move_to(&admin, &lead, status);
        moved.expect(200);
        assert_eq!(moved.body["status"], status);
        assert_eq!(moved.body["status_entered_at"], moved.body["updated_at"]);
    }
    for status in ["qualified", "new", "junk", "converted"] {
        let refused = move_to(&admin, &lead, status);
        refused.expect_problem(409, "invalid_transition");
        refused.expect_errors(&[("/status", "invalid_transition")]);
        assert!(
            refused.body["detail"].as_str().unwrap().contains("contacted, nurturing, unqualified"),
            "{}",
            refused.text
        );
    }
    move_to(&admin, &lead, "nonsense").expect_errors(&[("/status", "unknown_status")]);
    let history = admin.all(&format!("{}/history", path(&lead)));
    let events: Vec<&str> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["lead.status_changed", "lead.status_changed", "lead.status_changed", "lead.created"]);
}

#[test]
fn an_added_status_inherits_the_moves_of_its_class() {
    let (_, admin) = workspace();
    let meeting = json!({"key": "meeting", "name": "Meeting", "class": "ongoing"});
    admin.create("/v1/lead_statuses", &meeting);
    let lead = create(&admin, "Lindt");
    move_to(&admin, &lead, "meeting").expect(200);
    move_to(&admin, &lead, "contacted").expect(200);
    move_to(&admin, &lead, "meeting").expect(200);
    move_to(&admin, &lead, "junk").expect(200);
    admin.patch(&status(&admin, "meeting"), &json!({"archived": true})).expect(200);
    let other = create(&admin, "Sprüngli");
    move_to(&admin, &other, "meeting").expect_errors(&[("/status", "unknown_status")]);
}

#[test]
fn a_lead_is_lost_for_a_reason_that_can_be_chosen() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    move_to(&admin, &lead, "unqualified").expect_errors(&[("/lost_reason_id", "required")]);
    let (price, budget) = (reason(&admin, "price"), reason(&admin, "budget"));
    let budget_path = format!("/v1/lost_reasons/{}", budget["id"].as_str().unwrap());
    admin.patch(&budget_path, &json!({"archived": true})).expect(200);
    let lose = |reason: &Value| {
        let to = json!({"status": "unqualified", "lost_reason_id": reason["id"], "lost_note": "A cousin sells it."});
        admin.post(&format!("{}/move", path(&lead)), &to)
    };
    lose(&budget).expect_errors(&[("/lost_reason_id", "archived")]);
    lose(&json!({"id": price["id"].as_str().unwrap().replace('0', "1")})).expect_problem(422, "validation_failed");
    let lost = lose(&price);
    lost.expect(200);
    assert_eq!((&lost.body["lost_reason_id"], &lost.body["status_class"]), (&price["id"], &json!("lost")));
    // What records have, also deleted ones, is archived and not deleted.
    let price_path = format!("/v1/lost_reasons/{}", price["id"].as_str().unwrap());
    admin.delete(&path(&lead)).expect(204);
    let refused = admin.delete(&price_path);
    refused.expect_problem(409, "conflict");
    assert_eq!(code(&refused), "in_use");
    admin.send("POST", &format!("{}/restore", path(&lead)), &[], None).expect(200);
    admin.patch(&price_path, &json!({"archived": true})).expect(200);
    admin.patch(&path(&lead), &json!({"lost_note": "Their cousin."})).expect(200);
    admin.patch(&path(&lead), &json!({"lost_reason_id": null})).expect_errors(&[("/lost_reason_id", "required")]);
}

#[test]
fn a_lost_lead_begins_anew_when_it_is_recycled() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    assert_eq!(code(&recycle(&admin, &lead)), "invalid_transition");
    let to = json!({"status": "unqualified", "lost_reason_id": reason(&admin, "other")["id"], "lost_note": "No time."});
    admin.post(&format!("{}/move", path(&lead)), &to).expect(200);
    let refused = move_to(&admin, &lead, "contacted");
    assert_eq!((refused.status, code(&refused)), (409, "invalid_transition"));
    let again = recycle(&admin, &lead);
    again.expect(200);
    assert_eq!((&again.body["status"], &again.body["recycled_count"]), (&json!("new"), &json!(1)));
    assert_eq!((&again.body["lost_reason_id"], &again.body["lost_note"]), (&Value::Null, &Value::Null));
    let history = admin.all(&format!("{}/history", path(&lead)));
    assert_eq!(history[0]["event"], "lead.recycled");
}

#[test]
fn moves_respect_if_match() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    let send = |etag: &str| {
        let headers = [("Content-Type", "application/json"), ("If-Match", etag)];
        admin.send("POST", &format!("{}/move", path(&lead)), &headers, Some(br#"{"status":"contacted"}"#.to_vec()))
    };
    send("\"2\"").expect_problem(412, "precondition_failed");
    assert_eq!(send("\"1\"").header("etag"), "\"2\"");
}

#[test]
fn the_times_in_each_status_make_up_the_age_of_a_lead() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    for status in ["contacted", "qualified", "nurturing", "junk"] {
        move_to(&admin, &lead, status).expect(200);
    }
    recycle(&admin, &lead).expect(200);
    admin.patch(&path(&lead), &json!({"rating": "warm"})).expect(200);
    let path = format!("{}/status_history", path(&lead));
    let lines = admin.all(&path);
    let of = |field: &str| -> Vec<Value> { lines.iter().map(|line| line[field].clone()).collect() };
    assert_eq!(json!(of("to_status")), json!(["new", "contacted", "qualified", "nurturing", "junk", "new"]));
    assert_eq!(json!(of("from_status")), json!([null, "new", "contacted", "qualified", "nurturing", "junk"]));
    assert_eq!(lines[0]["entered_at"], lead["created_at"]);
    assert_eq!(of("left_at")[..5], of("entered_at")[1..]);
    assert_eq!(lines[5]["left_at"], Value::Null);
    assert_eq!(lines[0]["actor"]["kind"], "api_key");
    let instant = |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let closed: f64 = lines[..5].iter().map(|line| line["duration_seconds"].as_f64().unwrap()).sum();
    let until = (instant(&lines[5]["entered_at"]) - instant(&lead["created_at"])).as_seconds_f64();
    assert!((closed - until).abs() < 0.001, "{closed} {until}");
    assert!(lines[5]["duration_seconds"].as_f64().unwrap() >= 0.0);
    // Page by page, the end of a time is known where the next one begins on another page.
    let paged: Vec<Value> = admin.all(&format!("{path}?limit=2")).iter().map(|line| line["left_at"].clone()).collect();
    assert_eq!(paged, of("left_at"));
}

#[test]
fn leads_of_a_batch_have_a_status_history_too() {
    let (_, admin) = workspace();
    let operations = json!({"operations": [
        {"op": "create", "data": {"last_name": "One"}},
        {"op": "create", "data": {"last_name": "Two", "status": "contacted"}},
        {"op": "create", "data": {"last_name": "Three", "status": "unqualified"}},
        {"op": "create", "data": {"last_name": "Four", "status": "converted"}},
        {"op": "upsert", "connection": "import", "external_id": "5", "data": {"last_name": "Five"}},
        {"op": "upsert", "connection": "import", "external_id": "5", "data": {"rating": "hot"}},
    ]});
    let results = admin.post("/v1/leads/batch", &operations).body["results"].clone();
    let statuses: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(json!(statuses), json!([201, 201, 422, 422, 201, 200]), "{results}");
    for (index, status) in [(0, "new"), (1, "contacted"), (4, "new")] {
        let lines = admin.all(&format!("/v1/leads/{}/status_history", results[index]["id"].as_str().unwrap()));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["to_status"], status);
    }
}

#[test]
fn a_converted_lead_is_read_only() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    let id = lead["id"].as_str().unwrap();
    admin.post(&format!("{}/convert", path(&lead)), &json!({})).expect(200);
    let changes = [
        admin.patch(&path(&lead), &json!({"rating": "hot"})),
        move_to(&admin, &lead, "contacted"),
        recycle(&admin, &lead),
    ];
    for refused in changes {
        refused.expect_problem(409, "conflict");
        assert_eq!(code(&refused), "converted");
    }
    let operations = json!({"operations": [{"op": "update", "id": id, "data": {"rating": "hot"}}]});
    assert_eq!(admin.post("/v1/leads/batch", &operations).body["results"][0]["status"], 409);
}

#[test]
fn a_status_that_leads_have_is_deleted_only_with_another_for_them() {
    let (_, admin) = workspace();
    let leads: Vec<Value> = ["One", "Two", "Three"].map(|name| create(&admin, name)).into();
    for lead in &leads {
        move_to(&admin, lead, "contacted").expect(200);
    }
    admin.delete(&path(&leads[2])).expect(204);
    let contacted = status(&admin, "contacted");
    let refused = admin.delete(&contacted);
    refused.expect_problem(409, "conflict");
    assert!(refused.body["detail"].as_str().unwrap().starts_with("3 leads have"), "{}", refused.text);
    let fixed = admin.patch(&contacted, &json!({"class": "on_hold"}));
    assert_eq!((fixed.status, code(&fixed)), (409, "in_use"));
    for wrong in ["nurturing", "contacted", "nonsense"] {
        admin.delete(&format!("{contacted}?move_to={wrong}")).expect_problem(400, "invalid_query");
    }
    admin.delete(&format!("{contacted}?move_to=qualified")).expect(204);
    for lead in &leads {
        let moved = admin.get(&format!("{}?deleted=include", path(lead))).body;
        assert_eq!((&moved["status"], &moved["status_class"]), (&json!("qualified"), &json!("ongoing")));
        let entry = admin.all(&format!("{}/history", path(lead)))[0].clone();
        assert_eq!((&entry["event"], &entry["version"]), (&json!("lead.status_changed"), &moved["version"]));
        let lines = admin.all(&format!("{}/status_history", path(lead)));
        assert_eq!(lines.last().unwrap()["from_status"], "contacted");
    }
}

/// Otherwise whoever may not see mailboxes of contacts would learn who has one, by trying.
#[test]
fn no_contact_is_found_by_what_is_closed_of_it() {
    let (workspace, admin) = workspace();
    admin.create("/v1/contacts", &json!({"last_name": "Lindt", "emails": [{"address": "ceo@example.com"}]}));
    let closed = json!({"mode": "all_but", "fields": ["emails"]});
    let rules = json!([
        {"resource": "contacts", "read": "all", "write": "none", "readable_fields": closed},
        {"resource": "leads", "read": "all", "write": "all", "create": true},
    ]);
    let role = admin.create("/v1/roles", &json!({"name": "No mailboxes", "rules": rules}))["id"].clone();
    let mara = workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    admin.patch(&format!("/v1/users/{mara}"), &json!({"role_ids": [role]})).expect(200);
    let mara = workspace.sign_in("mara@example.com", SECRET);
    let lead = json!({"last_name": "X", "emails": [{"address": "ceo@example.com"}]});
    mara.post("/v1/leads?dry_run=true", &lead).expect(201);
    let batch = json!({"operations": [{"op": "create", "data": lead}]});
    let answer = mara.post("/v1/leads/batch?dry_run=true", &batch);
    assert_eq!(answer.body["results"][0]["status"], 201, "{}", answer.text);
    admin.post("/v1/leads?dry_run=true", &lead).expect_problem(409, "duplicate");
}

#[test]
fn who_is_known_as_a_lead_or_a_contact_is_a_duplicate() {
    let (_, admin) = workspace();
    let anna = json!({"first_name": "Anna", "last_name": "Lindt", "emails": [{"address": "Anna@example.com"}],
                      "phones": [{"number": "030 901820"}]});
    let contact = admin.create("/v1/contacts", &anna);
    let refused = admin.post("/v1/leads", &json!({"emails": [{"address": "anna@EXAMPLE.com"}]}));
    refused.expect_problem(409, "duplicate");
    let candidate = &refused.body["candidates"][0];
    assert_eq!((&candidate["kind"], &candidate["id"]), (&json!("contact"), &contact["id"]));
    assert_eq!(candidate["reasons"], json!(["same_email"]));

    let lead = admin.post("/v1/leads?on_duplicate=allow", &anna).body;
    let again = admin.post("/v1/leads", &json!({"phones": [{"number": "+49 30 901820"}]}));
    let mut kinds: Vec<&str> =
        again.body["candidates"].as_array().unwrap().iter().map(|found| found["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["contact", "lead"]);
    let batch = json!({"operations": [{"op": "create", "data": anna}]});
    assert_eq!(admin.post("/v1/leads/batch", &batch).body["results"][0]["status"], 409);

    let resembling = admin.create("/v1/leads", &json!({"first_name": "Ana", "last_name": "Lindt"}));
    let found = admin.get(&format!("{}/duplicates", path(&lead))).body["data"].clone();
    let found: Vec<(&str, &str)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["kind"].as_str().unwrap(), found["id"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("contact", contact["id"].as_str().unwrap()), ("lead", resembling["id"].as_str().unwrap())]);
    // Contacts are compared with contacts alone.
    let of_contact = admin.get(&format!("/v1/contacts/{}/duplicates", contact["id"].as_str().unwrap()));
    assert_eq!(of_contact.body["data"], json!([]));
}

#[test]
fn duplicates_show_no_contacts_to_who_may_not_see_them() {
    let (workspace, admin) = workspace();
    let anna = json!({"last_name": "Lindt", "emails": [{"address": "anna@example.com"}]});
    admin.create("/v1/contacts", &anna);
    let blind = workspace.scoped(&["leads:read", "leads:create"]);
    let lead = blind.create("/v1/leads", &anna);
    assert_eq!(blind.get(&format!("{}/duplicates", path(&lead))).body["data"], json!([]));
    assert_eq!(admin.get(&format!("{}/duplicates", path(&lead))).body["data"].as_array().unwrap().len(), 1);
}

#[test]
fn each_filter_finds_what_it_names() {
    let (_, admin) = workspace();
    let team = admin.create("/v1/teams", &json!({"name": "North"}));
    admin.create(
        "/v1/leads",
        &json!({"last_name": "Found", "status": "contacted", "lead_source": "referral", "rating": "hot", "tags": ["vip"],
                "emails": [{"address": "found@example.com"}], "addresses": [{"country": "AT"}], "team_id": team["id"]}),
    );
    create(&admin, "Other");
    let team = format!("team_id={}", team["id"].as_str().unwrap());
    for query in [
        "status=contacted",
        "status_class=ongoing",
        "status_class=ongoing&status_class=won",
        "lead_source=referral",
        "rating=hot",
        "tag=vip",
        "email=FOUND@example.com",
        "country=AT",
        "q=foun",
        &team,
    ] {
        assert_eq!(admin.get(&format!("/v1/leads?{query}")).names(), ["Found"], "{query}");
    }
    assert!(admin.get("/v1/leads?status=nonsense").names().is_empty());
    let tree = |condition: Value| json!({"filter": {"version": 1, "entity": "lead", "where": condition}});
    let contacted = json!({"type": "choice", "field": "status", "op": "in", "values": ["contacted"]});
    assert_eq!(admin.post("/v1/leads/search", &tree(contacted)).names(), ["Found"]);
}

#[test]
fn leads_are_listed_in_each_order_across_pages() {
    let (_, admin) = workspace();
    for name in ["Ärmel", "Zander", "amber", "Bertram", "Ćosić"] {
        create(&admin, name);
    }
    for (sort, expected) in [
        ("name", ["amber", "Ärmel", "Bertram", "Ćosić", "Zander"]),
        ("created_at", ["Ärmel", "Zander", "amber", "Bertram", "Ćosić"]),
        ("updated_at", ["Ärmel", "Zander", "amber", "Bertram", "Ćosić"]),
    ] {
        let names = |sort: &str| -> Vec<String> {
            let leads = admin.all(&format!("/v1/leads?sort={sort}&limit=2"));
            leads.iter().map(|lead| lead["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(sort), expected);
        assert_eq!(names(&format!("-{sort}")), expected.iter().rev().copied().collect::<Vec<_>>());
    }
}

#[test]
fn two_who_move_a_lead_at_once_take_turns() {
    let (_, admin) = workspace();
    let lead = create(&admin, "Lindt");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| move_to(&admin, &lead, "contacted").status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(admin.all(&format!("{}/status_history", path(&lead))).len(), 2);
}
