//! Capture forms.

use std::thread;

use rapport_domain::{access::StandardRole, sales::capture_form::proof::is_solved};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Caller, JSON, Rapport, anonymous, database_url, workspace};

const PASSWORD: &str = "a long enough password";

fn form(admin: &Caller, more: Value) -> Value {
    let mut new = json!({"name": Uuid::now_v7().simple().to_string(), "fields": [
        {"name": "name", "field": "last_name"}, {"name": "mail", "field": "email", "required": true},
        {"name": "phone", "field": "phone"}, {"name": "town", "field": "city"}, {"name": "message"}
    ]});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin.create("/v1/capture_forms", &new)
}

fn path(form: &Value) -> String {
    format!("/v1/capture_forms/{}", form["id"].as_str().unwrap())
}

fn public(form: &Value) -> String {
    format!("/v1/capture/{}", form["key"].as_str().unwrap())
}

fn submit(form: &Value, fields: Value) -> Answer {
    anonymous().post(&public(form), &json!({"fields": fields}))
}

fn submissions(admin: &Caller, form: &Value) -> Vec<Value> {
    admin.all(&format!("{}/submissions", path(form)))
}

fn only_lead(admin: &Caller) -> Value {
    let mut leads = admin.all("/v1/leads");
    assert_eq!(leads.len(), 1);
    leads.pop().unwrap()
}

#[test]
fn what_is_sent_becomes_a_lead_and_stays_as_it_was() {
    let (workspace, admin) = workspace();
    let team = admin.create("/v1/teams", &json!({"name": "Web"}))["id"].clone();
    let owner = workspace.user("owner@example.com", StandardRole::Agent, PASSWORD);
    let consent = json!({"field": "news", "text": "Write to me.", "purpose": "newsletter", "channel": "email"});
    let defaults = json!({
        "lead_source": "website", "tags": ["web"], "owner_id": owner, "team_id": team, "status": "contacted"
    });
    let form = form(&admin, json!({"consent": consent, "defaults": defaults}));
    let body = json!({
        "fields": {"name": " Lindt ", "mail": "anna@example.com", "town": "Wien", "message": "Hello", "news": "on", "phone": ""},
        "utm": {"source": "newsletter"}, "page_url": "https://www.example.com/contact?a=b"
    });
    let visitor = anonymous().at("203.0.113.9");
    let headers = [JSON, ("User-Agent", "Browser/1.0")];
    let taken = visitor.send("POST", &public(&form), &headers, Some(body.to_string().into_bytes()));
    taken.expect(202);
    assert_eq!(taken.body, json!({"accepted": true, "redirect_url": null}));

    let lead = only_lead(&admin);
    assert_eq!((&lead["last_name"], &lead["emails"][0]["address"]), (&json!("Lindt"), &json!("anna@example.com")));
    assert_eq!((&lead["source"], &lead["source_channel"]), (&json!("form"), &json!("web")));
    assert_eq!(
        (&lead["lead_source"], &lead["tags"], &lead["status"]),
        (&json!("website"), &json!(["web"]), &json!("contacted"))
    );
    assert_eq!((&lead["owner_id"], &lead["team_id"], &lead["created_by"]), (&json!(owner), &team, &form["id"]));
    assert_eq!((&lead["utm"]["source"], &lead["addresses"][0]["city"]), (&json!("newsletter"), &json!("Wien")));
    let lead_path = format!("/v1/leads/{}", lead["id"].as_str().unwrap());
    let history = admin.all(&format!("{lead_path}/history"));
    assert_eq!(history[0]["actor"], json!({"kind": "capture_form", "id": form["id"]}));

    let kept = submissions(&admin, &form);
    assert_eq!(admin.all(&format!("{lead_path}/submissions")), kept);
    let kept = &kept[0];
    assert_eq!(
        (&kept["lead_id"], &kept["form_version"], &kept["result"]),
        (&lead["id"], &json!(1), &json!("lead_created"))
    );
    assert_eq!((&kept["address"], &kept["user_agent"]), (&json!("203.0.113.9"), &json!("Browser/1.0")));
    assert_eq!(kept["page_url"], "https://www.example.com/contact?a=b");
    let names: Vec<&str> =
        kept["values"].as_array().unwrap().iter().map(|value| value["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["name", "mail", "town", "message"]);
    assert_eq!(kept["values"][0], json!({"name": "name", "field": "last_name", "value": " Lindt "}));
    assert_eq!((&kept["consent"]["given"], &kept["consent"]["text"]), (&json!(true), &json!("Write to me.")));

    // Evidence stays, and what it was given to, whatever becomes of the form.
    let new_text = json!({"field": "news", "text": "Another text.", "purpose": "newsletter", "channel": "email"});
    admin.patch(&path(&form), &json!({"consent": new_text})).expect(200);
    assert_eq!(submissions(&admin, &form)[0], *kept);
    let refused = admin.delete(&path(&form));
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "in_use");
}

#[test]
fn the_assignment_rules_say_who_gets_what_is_sent() {
    let (workspace, admin) = workspace();
    let user = workspace.user("seller@example.com", StandardRole::Agent, PASSWORD);
    let gone = workspace.user("gone@example.com", StandardRole::Agent, PASSWORD);
    let rule = json!({"name": "All", "strategy": "round_robin", "user_ids": [user]});
    admin.create("/v1/assignment_rules", &rule);
    let form = form(&admin, json!({"defaults": {"owner_id": gone}}));
    admin.post(&format!("/v1/users/{gone}/deactivate"), &json!({})).expect(200);
    submit(&form, json!({"mail": "anna@example.com"})).expect(202);
    let lead = only_lead(&admin);
    assert_eq!((&lead["owner_id"], &lead["updated_by"]), (&json!(user), &form["id"]));
}

#[test]
fn strangers_learn_nothing_of_who_is_known() {
    let (_, admin) = workspace();
    for on_duplicate in ["create_lead", "add_to_lead"] {
        let more = json!({
            "on_duplicate": on_duplicate, "honeypot_field": "trap", "redirect_url": "https://www.example.com/thanks"
        });
        let form = form(&admin, more);
        let known = format!("{on_duplicate}@example.com");
        let first = submit(&form, json!({"mail": known, "name": "Anna"}));
        let again = submit(&form, json!({"mail": known.to_uppercase(), "name": "Anna"}));
        let trapped = submit(&form, json!({"mail": "robot@example.com", "trap": "http://spam.example"}));
        let twice = json!({"fields": {"mail": "twice@example.com"}, "submission_id": Uuid::now_v7()});
        let twice = [anonymous().post(&public(&form), &twice), anonymous().post(&public(&form), &twice)];
        let headers = |answer: &Answer| -> Vec<(String, String)> {
            let named =
                answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
            // The last one names the same in any order.
            let differs = ["x-request-id", "date", "ratelimit", "ratelimit-policy", "access-control-expose-headers"];
            let mut same: Vec<_> = named.filter(|(name, _)| !differs.contains(&name.as_str())).collect();
            same.sort();
            same
        };
        for other in [&again, &trapped, &twice[0], &twice[1]] {
            other.expect(202);
            assert_eq!((&other.text, headers(other)), (&first.text, headers(&first)));
        }
        // What is wrong is wrong for everybody.
        let wrong = |mail: &str| submit(&form, json!({"mail": mail, "phone": "12"}));
        let mut problems = [wrong(&known), wrong("nobody@example.com")];
        for problem in &mut problems {
            problem.expect_errors(&[("/fields/phone", "too_short")]);
            problem.body["request_id"].take();
        }
        assert_eq!(problems[0].body, problems[1].body);
        let kept = submissions(&admin, &form);
        assert_eq!(kept.len(), 3, "what is trapped or came before is not kept");
        let same = kept[2]["lead_id"] == kept[1]["lead_id"];
        assert_eq!(
            (same, kept[1]["result"] == "added_to_lead"),
            if on_duplicate == "add_to_lead" { (true, true) } else { (false, false) }
        );
    }
}

#[test]
fn what_is_sent_again_is_told_by_the_history_of_the_lead() {
    let (_, admin) = workspace();
    let form = form(&admin, json!({"on_duplicate": "add_to_lead"}));
    submit(&form, json!({"mail": "anna@example.com", "name": "Lindt"})).expect(202);
    submit(&form, json!({"mail": "anna@example.com", "name": "Other"})).expect(202);
    let lead = only_lead(&admin);
    assert_eq!((&lead["last_name"], &lead["version"]), (&json!("Lindt"), &json!(2)));
    let lead_path = format!("/v1/leads/{}", lead["id"].as_str().unwrap());
    let history = admin.all(&format!("{lead_path}/history"));
    let newest = submissions(&admin, &form)[0]["id"].clone();
    assert_eq!(history[0]["event"], "lead.submitted");
    assert_eq!(history[0]["changes"], json!([{"field": "submission_id", "from": null, "to": newest}]));
    // What is lost is not open: who comes again then is a new lead.
    let junk = admin.post(&format!("{lead_path}/move"), &json!({"status": "junk"}));
    junk.expect(200);
    submit(&form, json!({"mail": "anna@example.com"})).expect(202);
    assert_eq!(admin.all("/v1/leads").len(), 2);
}

#[test]
fn of_many_who_send_the_same_at_once_there_is_one_lead() {
    let (_, admin) = workspace();
    let form = form(&admin, json!({"on_duplicate": "add_to_lead"}));
    let once = json!({"fields": {"mail": "once@example.com"}, "submission_id": Uuid::now_v7()});
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| submit(&form, json!({"mail": "anna@example.com"})).expect(202));
            scope.spawn(|| anonymous().post(&public(&form), &once).expect(202));
        }
    });
    assert_eq!(admin.all("/v1/leads").len(), 2);
    assert_eq!(submissions(&admin, &form).len(), 6);
}

#[test]
fn what_is_wrong_is_named_by_the_fields_of_the_form() {
    let (_, admin) = workspace();
    let field = json!({"resource": "leads", "key": "size", "label": "Size", "type": "number", "max": "10"});
    admin.create("/v1/custom_fields", &field);
    let form = form(
        &admin,
        json!({"fields": [
            {"name": "mail", "field": "email", "required": true}, {"name": "land", "field": "country"},
            {"name": "size", "field": "custom.size"}, {"name": "web", "field": "website"}, {"name": "tel", "field": "phone"}
        ]}),
    );
    submit(&form, json!({"mail": ""})).expect_errors(&[("/fields/mail", "required")]);
    submit(&form, json!({"mail": "nobody"})).expect_errors(&[("/fields/mail", "invalid_email")]);
    submit(&form, json!({"mail": "a@example.com", "other": "x"})).expect_errors(&[("/fields/other", "unknown_field")]);
    let wrong = json!({"mail": "a@example.com", "land": "XX", "web": "javascript:alert(1)"});
    submit(&form, wrong).expect_errors(&[("/fields/land", "invalid_country_code"), ("/fields/web", "invalid_uri")]);
    submit(&form, json!({"mail": "a@example.com", "tel": "+49 1"})).expect_errors(&[("/fields/tel", "invalid_phone")]);
    let size = submit(&form, json!({"mail": "a@example.com", "size": "11"}));
    size.expect_problem(422, "validation_failed");
    assert_eq!(size.body["errors"][0]["pointer"], "/fields/size");
    submit(&form, json!({"mail": true})).expect_errors(&[("/fields/mail", "wrong_type")]);
    submit(&form, json!({"mail": {"a": 1}})).expect_errors(&[("/fields/mail", "wrong_type")]);
    submit(&form, json!({"mail": "a\u{0}@example.com"})).expect_problem(422, "validation_failed");
    assert!(admin.all("/v1/leads").is_empty());
    submit(&form, json!({"mail": "a@example.com", "size": "9", "land": "CH"})).expect(202);
    assert_eq!(only_lead(&admin)["custom"]["size"], json!("9"));
}

#[test]
fn a_form_that_is_not_there_or_not_active_is_not_found() {
    let (_, admin) = workspace();
    let form = form(&admin, json!({}));
    anonymous().get(&public(&form)).expect(200);
    let rotated = admin.send("POST", &format!("{}/rotate", path(&form)), &[], None);
    rotated.expect(200);
    assert_eq!(rotated.header("etag"), "\"2\"");
    let nothing = submit(&form, json!({"mail": "a@example.com"}));
    nothing.expect_problem(404, "not_found");
    submit(&rotated.body, json!({"mail": "a@example.com"})).expect(202);
    admin.patch(&path(&form), &json!({"active": false})).expect(200);
    let inactive = submit(&rotated.body, json!({"mail": "a@example.com"}));
    assert_eq!(inactive.body["detail"], nothing.body["detail"]);
    inactive.expect_problem(404, "not_found");
    anonymous().get(&public(&rotated.body)).expect_problem(404, "not_found");
    // The key is made by the server, and is no id.
    let given = json!({"name": "x", "key": "lf_mine", "fields": [{"name": "mail", "field": "email"}]});
    admin.post("/v1/capture_forms", &given).expect_errors(&[("/key", "unknown_field")]);
    let unused =
        admin.create("/v1/capture_forms", &json!({"name": "x", "fields": [{"name": "mail", "field": "email"}]}));
    admin.delete(&path(&unused)).expect(204);
}

#[test]
fn pages_of_allowed_origins_alone_may_send_it() {
    let (_, admin) = workspace();
    let form = form(&admin, json!({"allowed_origins": ["https://www.example.com"]}));
    let preflight = |origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ];
        anonymous().send_unchecked("OPTIONS", &public(&form), &headers, None)
    };
    let allowed = preflight("https://www.example.com");
    allowed.expect(204);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://www.example.com");
    assert_eq!(allowed.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(allowed.header("access-control-allow-headers"), "content-type, x-request-id");
    assert_eq!(preflight("https://evil.example").header("access-control-allow-origin"), "");

    let body = json!({"fields": {"mail": "a@example.com"}}).to_string().into_bytes();
    let send = |origin: &str, body: &[u8]| {
        anonymous().send("POST", &public(&form), &[JSON, ("Origin", origin)], Some(body.to_vec()))
    };
    let refused = send("https://evil.example", &body);
    refused.expect_problem(403, "forbidden");
    assert_eq!(refused.header("access-control-allow-origin"), "");
    for (body, status) in [(&body[..], 202), (&b"{}"[..], 422)] {
        let answer = send("https://www.example.com", body);
        answer.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), "https://www.example.com");
        assert!(answer.header("vary").contains("rigin"), "{:?}", answer.headers);
    }
    submit(&form, json!({"mail": "b@example.com"})).expect(202); // a program sends no origin
    // Other addresses know nothing of the form's origins.
    let other = anonymous().send_unchecked("GET", "/livez", &[("Origin", "https://www.example.com")], None);
    assert_eq!(other.header("access-control-allow-origin"), "");
}

#[test]
fn work_is_proved_once_for_each_submission() {
    let (_, admin) = workspace();
    let asking = form(&admin, json!({"proof_of_work_bits": 8}));
    let other = form(&admin, json!({"proof_of_work_bits": 8}));
    let described = anonymous().get(&public(&asking));
    described.expect(200);
    let field = json!({"name": "mail", "required": true});
    assert_eq!(described.body["fields"][1], field);
    let challenge = |form: &Value| anonymous().get(&public(form)).body["challenge"].clone();
    let solve = |challenge: &Value| {
        let text = challenge["challenge"].as_str().unwrap();
        let bits = challenge["bits"].as_i64().unwrap();
        (0_u32..).map(|number| number.to_string()).find(|solution| is_solved(text, solution, bits)).unwrap()
    };
    let send = |proof: Value| {
        let mut body = json!({"fields": {"mail": "a@example.com"}});
        if !proof.is_null() {
            body["proof"] = proof;
        }
        anonymous().post(&public(&asking), &body)
    };
    send(Value::Null).expect_errors(&[("/proof", "required")]);
    let first = challenge(&asking);
    let solution = solve(&first);
    let wrong = (0_u32..).map(|number| format!("no{number}"));
    let wrong = wrong.into_iter().find(|text| !is_solved(first["challenge"].as_str().unwrap(), text, 8)).unwrap();
    send(json!({"challenge": first["challenge"], "solution": wrong}))
        .expect_errors(&[("/proof/solution", "wrong_solution")]);
    send(json!({"challenge": "made up", "solution": "1"})).expect_errors(&[("/proof/challenge", "invalid_challenge")]);
    let foreign = challenge(&other);
    let proof = json!({"challenge": foreign["challenge"], "solution": solve(&foreign)});
    send(proof).expect_errors(&[("/proof/challenge", "invalid_challenge")]);
    let proof = json!({"challenge": first["challenge"], "solution": solution});
    send(proof.clone()).expect(202);
    send(proof).expect_errors(&[("/proof/challenge", "spent")]);
    // Work for less is not enough any more.
    let cheap = challenge(&asking);
    admin.patch(&path(&asking), &json!({"proof_of_work_bits": 9})).expect(200);
    let proof = json!({"challenge": cheap["challenge"], "solution": solve(&cheap)});
    send(proof).expect_errors(&[("/proof/challenge", "invalid_challenge")]);
    assert_eq!(admin.all("/v1/leads").len(), 1);
}

#[test]
fn more_than_fits_is_refused_before_it_is_read() {
    let (_, admin) = workspace();
    let form = form(&admin, json!({}));
    let large = json!({"fields": {"mail": "a@example.com", "message": "x".repeat(40_000)}}).to_string().into_bytes();
    let refused = anonymous().send("POST", &public(&form), &[JSON], Some(large));
    refused.expect_problem(413, "payload_too_large");
    let long = submit(&form, json!({"mail": "a@example.com", "message": "x".repeat(5_001)}));
    long.expect_errors(&[("/fields/message", "too_long")]);
    submit(&form, json!({"mail": "a@example.com", "message": "x".repeat(5_000)})).expect(202);
}

#[test]
fn one_form_can_be_flooded_without_the_others() {
    let (_, admin) = workspace();
    let (one, other) = (form(&admin, json!({})), form(&admin, json!({})));
    let server = Rapport::serve(&["--database-url", &database_url(), "--rate-limit-form", "3"]);
    let at = |number: u8| Caller::new(&server.base, None).at(&format!("203.0.113.{number}"));
    (1..=3).for_each(|number| at(number).get(&public(&one)).expect(200));
    let refused = at(4).get(&public(&one));
    refused.expect_problem(429, "rate_limited");
    assert!(refused.header("ratelimit-policy").contains("\"form\";q=3;w=60"), "{:?}", refused.headers);
    at(4).get(&public(&other)).expect(200);
    server.stop();
}

#[test]
fn a_form_that_names_what_is_not_there_is_refused() {
    let (_, admin) = workspace();
    let unique = json!({"resource": "leads", "key": "number", "label": "Number", "type": "text", "unique": true});
    admin.create("/v1/custom_fields", &unique);
    for (field, code) in [("custom.nothing", "unknown_field"), ("custom.number", "not_allowed")] {
        let new = json!({"name": "x", "fields": [{"name": "mail", "field": "email"}, {"name": "x", "field": field}]});
        admin.post("/v1/capture_forms", &new).expect_errors(&[("/fields/1/field", code)]);
    }
    for status in ["nonsense", "junk", "converted"] {
        let new = json!({"name": "x", "fields": [{"name": "mail", "field": "email"}], "defaults": {"status": status}});
        admin.post("/v1/capture_forms", &new).expect_errors(&[("/defaults/status", "unknown_status")]);
    }
}

#[test]
fn a_form_goes_on_when_what_it_names_has_become_unfit() {
    let (_, admin) = workspace();
    let field = json!({"resource": "leads", "key": "tier", "label": "Tier", "type": "text"});
    let field = admin.create("/v1/custom_fields", &field);
    let form = form(
        &admin,
        json!({
            "fields": [{"name": "mail", "field": "email"}, {"name": "tier", "field": "custom.tier"}],
            "defaults": {"status": "nurturing"}
        }),
    );
    admin.post(&format!("/v1/custom_fields/{}/archive", field["id"].as_str().unwrap()), &json!({})).expect(200);
    let statuses = admin.all("/v1/lead_statuses");
    let nurturing = statuses.iter().find(|status| status["key"] == "nurturing").unwrap();
    let nurturing = format!("/v1/lead_statuses/{}", nurturing["id"].as_str().unwrap());
    admin.patch(&nurturing, &json!({"archived": true})).expect(200);
    submit(&form, json!({"mail": "a@example.com", "tier": "gold"})).expect(202);
    assert_eq!(only_lead(&admin)["status"], "new");
    assert_eq!(submissions(&admin, &form)[0]["values"][1]["value"], "gold", "it is kept all the same");
}

#[test]
fn what_was_sent_is_seen_by_who_sees_the_lead_as_far_as_their_role_goes() {
    let (workspace, admin) = workspace();
    let agent = workspace.user("agent@example.com", StandardRole::ReadOnly, PASSWORD);
    let open = json!({"mode": "all_but", "fields": ["emails", "utm"]});
    let role = json!({"name": "Own", "rules": [{"resource": "leads", "read": "own", "readable_fields": open}]});
    let role = admin.create("/v1/roles", &role)["id"].clone();
    admin.patch(&format!("/v1/users/{agent}"), &json!({"role_ids": [role]})).expect(200);
    let own = form(&admin, json!({"defaults": {"owner_id": agent}}));
    let other = form(&admin, json!({}));
    for form in [&own, &other] {
        let body = json!({"fields": {"mail": "secret@example.com", "name": "Lindt"}, "utm": {"source": "secret"}});
        anonymous().post(&public(form), &body).expect(202);
    }
    let agent = workspace.sign_in("agent@example.com", PASSWORD);
    let seen = agent.get(&format!("{}/submissions", path(&own)));
    assert_eq!(seen.body["data"].as_array().unwrap().len(), 1);
    assert!(!seen.text.contains("secret") && seen.text.contains("Lindt"), "{}", seen.text);
    assert_eq!(agent.all(&format!("{}/submissions", path(&other))), Vec::<Value>::new());
    let hidden = submissions(&admin, &other)[0]["lead_id"].clone();
    let hidden = agent.get(&format!("/v1/leads/{}/submissions", hidden.as_str().unwrap()));
    hidden.expect_problem(404, "not_found");
}

#[test]
fn challenges_that_have_expired_are_worth_nothing() {
    let (workspace, admin) = workspace();
    let form = form(&admin, json!({"proof_of_work_bits": 1}));
    let early = rapport_persistence::Clock::of(|| chrono::DateTime::UNIX_EPOCH);
    let id = form["id"].as_str().unwrap().parse().unwrap();
    let scope = workspace.scope();
    let challenge = crate::harness::in_database_at(early, async |db| {
        use rapport_persistence::sales::capture_forms::{get, issue};
        let id = rapport_domain::id::CaptureFormId::from_uuid(id);
        let issued = db.read(&scope, move |reader| {
            let form = get(reader, id)?;
            issue(reader, &form)
        });
        issued.await.unwrap().unwrap()
    });
    let text = challenge.challenge.as_str();
    let solution = (0_u32..).map(|number| number.to_string()).find(|one| is_solved(text, one, 1)).unwrap();
    let proof = json!({"challenge": text, "solution": solution});
    let late = anonymous().post(&public(&form), &json!({"fields": {"mail": "a@example.com"}, "proof": proof}));
    late.expect_errors(&[("/proof/challenge", "expired")]);
}
