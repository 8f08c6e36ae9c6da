//! Webhooks: what is sent to them, in which order, and what happens when it does not arrive.

use std::{
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rapport_domain::access::StandardRole;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{
    Caller, Workspace, change_database,
    contract::expect_schema,
    receiver::{Message, Receiver},
    workspace,
};

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// A webhook that leads to this receiver.
fn webhook(admin: &Caller, receiver: &Receiver, more: Value) -> Value {
    let mut new = json!({"name": "Accounting", "url": receiver.url});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin.create("/v1/webhooks", &new)
}

fn company(admin: &Caller, name: &str) -> Value {
    admin.create("/v1/companies", &json!({"name": name}))
}

fn events(message: &Message) -> Vec<&str> {
    message.body["data"].as_array().unwrap().iter().map(|change| change["event"].as_str().unwrap()).collect()
}

/// Asks until the answer is as expected.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

fn signed(secret: &str, message: &Message) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(
        format!("{}.{}.{}", message.header("webhook-id"), message.header("webhook-timestamp"), message.text).as_bytes(),
    );
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn what_happens_is_sent_signed_and_once() {
    let (_, admin) = workspace();
    company(&admin, "Before");
    crate::harness::wait_for_positions(&admin);
    let receiver = Receiver::start();
    let webhook = webhook(&admin, &receiver, json!({}));
    let made = company(&admin, "Nordwind");

    let message = receiver.next();
    assert_eq!(message.header("webhook-signature"), signed(webhook["secret"].as_str().unwrap(), &message));
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!(message.body["id"].as_str(), Some(message.header("webhook-id")));
    expect_schema("WebhookMessage", &message.body);
    assert_eq!((&message.body["type"], &message.body["webhook_id"]), (&json!("changes"), &webhook["id"]));
    assert_eq!(events(&message), ["company.created"]);
    assert_eq!(message.body["data"][0]["record"]["id"], made["id"]);
    let listed = admin.get("/v1/changes?kind=company&limit=200").body;
    assert_eq!(message.body["data"][0], *listed["data"].as_array().unwrap().last().unwrap());

    wait_until("the attempt is noted", || {
        admin.get(&format!("{}/deliveries", path(&webhook))).body["data"] != json!([])
    });
    let deliveries = admin.get(&format!("{}/deliveries", path(&webhook))).body;
    assert_eq!(deliveries["data"].as_array().unwrap().len(), 1);
    let delivery = &deliveries["data"][0];
    assert_eq!(delivery["message_id"], message.body["id"]);
    assert_eq!(
        (&delivery["succeeded"], &delivery["status"], &delivery["changes"]),
        (&json!(true), &json!(200), &json!(1))
    );
    assert_eq!((&delivery["response"], &delivery["error"]), (&Value::Null, &Value::Null));
    let status = admin.get(&format!("{}/status", path(&webhook))).body;
    assert_eq!((&status["waiting"], &status["failures"]), (&json!(0), &json!(0)));
    assert_eq!(status["position"], delivery["position"]);

    // Who has lost something goes on by the feed.
    company(&admin, "After");
    crate::harness::wait_for_positions(&admin);
    let rest = admin.get(&format!("/v1/changes?cursor={}", message.body["next_cursor"].as_str().unwrap()));
    assert_eq!(rest.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(receiver.next().body["data"], rest.body["data"]);
}

#[test]
fn what_fails_is_sent_again_as_it_was_before_anything_else() {
    let (_, admin) = workspace();
    let receiver = Receiver::start();
    // Nobody is led on to another address either.
    [500, 302].into_iter().for_each(|status| receiver.answer(status));
    let webhook = webhook(&admin, &receiver, json!({}));
    let made = company(&admin, "Nordwind");
    let first = receiver.next();
    wait_until("the failure is noted", || {
        admin.get(&format!("{}/status", path(&webhook))).body["failures"] != json!(0)
    });
    let status = admin.get(&format!("{}/status", path(&webhook))).body;
    assert!(status["failing_since"].is_string() && status["next_attempt_at"].is_string(), "{status}");
    let address = format!("/v1/companies/{}", made["id"].as_str().unwrap());
    admin.patch(&address, &json!({"name": "Südwind"})).expect(200);

    for _ in 0..2 {
        let again = receiver.next();
        assert_eq!((&again.body["data"], &again.body["id"]), (&first.body["data"], &first.body["id"]));
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    }
    assert_eq!(events(&receiver.next()), ["company.updated"]);
    wait_until("it is well again", || admin.get(&format!("{}/status", path(&webhook))).body["failures"] == json!(0));
    let status = admin.get(&format!("{}/status", path(&webhook))).body;
    assert_eq!((&status["failing_since"], &status["next_attempt_at"]), (&Value::Null, &Value::Null));
    let deliveries = admin.all(&format!("{}/deliveries", path(&webhook)));
    let succeeded: Vec<&Value> = deliveries.iter().map(|delivery| &delivery["succeeded"]).collect();
    assert_eq!(succeeded, [&json!(true), &json!(true), &json!(false), &json!(false)], "the newest first");
}

#[test]
fn only_what_is_asked_for_is_sent() {
    let (_, admin) = workspace();
    let shop = admin.create("/v1/connections", &json!({"key": "shop", "name": "Shop"}));
    let receiver = Receiver::start();
    let filters = json!({
        "kinds": ["contact", "company"], "events": ["contact.created", "contact.updated"], "exclude_origins": [shop["id"]]
    });
    let webhook = webhook(&admin, &receiver, filters);
    company(&admin, "Nordwind");
    admin.put("/v1/contacts/by-external-id/shop/1", &json!({"first_name": "Ada"})).expect(201);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Mara"}));
    let message = receiver.next();
    assert_eq!(events(&message), ["contact.created"]);
    assert_eq!(message.body["data"][0]["record"]["id"], contact["id"]);

    let wider = admin.patch(&path(&webhook), &json!({"kinds": null, "events": null, "exclude_origins": null})).body;
    assert_eq!((&wider["kinds"], &wider["events"], &wider["exclude_origins"]), (&json!([]), &json!([]), &json!([])));
    admin.post(&format!("{}/replay", path(&webhook)), &json!({})).expect(200);
    assert_eq!(events(&receiver.next()), ["company.created", "contact.created", "contact.created"]);
}

#[test]
fn one_that_is_switched_off_goes_on_where_it_ended() {
    let (workspace, admin) = workspace();
    let receiver = Receiver::start();
    receiver.answer(410);
    let webhook = webhook(&admin, &receiver, json!({}));
    company(&admin, "Nordwind");
    let refused = receiver.next();
    wait_until("it is switched off", || admin.get(&path(&webhook)).body["enabled"] == json!(false));
    let history = admin.get(&format!("{}/history", path(&webhook))).body;
    assert_eq!(history["data"][0]["event"], "webhook.disabled");
    assert_eq!(history["data"][0]["actor"], json!({"kind": "system", "id": null}));
    assert!(workspace.audit().iter().any(|entry| entry["event"] == "webhook.disabled"));

    // A test arrives all the same.
    let asked = admin.post(&format!("{}/test", path(&webhook)), &json!({}));
    asked.expect(202);
    assert_eq!(asked.body["test_waiting"], json!(true));
    let test = receiver.next();
    assert_eq!((&test.body["type"], &test.body["data"]), (&json!("test"), &json!([])));
    wait_until("the test is noted", || {
        admin.get(&format!("{}/status", path(&webhook))).body["test_waiting"] == json!(false)
    });

    let south = company(&admin, "Südwind");
    admin.patch(&path(&webhook), &json!({"enabled": true})).expect(200);
    assert_eq!(receiver.next().body["data"], refused.body["data"], "what was refused comes first");
    assert_eq!(receiver.next().body["data"][0]["record"]["id"], south["id"]);
}

#[test]
fn nobody_is_sent_anything_for_ever_who_never_answers() {
    let (_, admin) = workspace();
    let receiver = Receiver::start();
    (0..3).for_each(|_| receiver.answer(500));
    let webhook = webhook(&admin, &receiver, json!({}));
    company(&admin, "Nordwind");
    receiver.next();
    wait_until("the failure is noted", || {
        admin.get(&format!("{}/status", path(&webhook))).body["failures"] != json!(0)
    });
    assert_eq!(admin.get(&path(&webhook)).body["enabled"], json!(true));
    change_database(&format!(
        "UPDATE webhook_states SET failing_since = failing_since - interval '3 days', due_at = now() WHERE webhook_id = '{}'",
        webhook["id"].as_str().unwrap()
    ));
    wait_until("it is switched off", || admin.get(&path(&webhook)).body["enabled"] == json!(false));
}

#[test]
fn changes_are_sent_again_or_left_out_as_asked() {
    let (_, admin) = workspace();
    let receiver = Receiver::start();
    let webhook = webhook(&admin, &receiver, json!({"enabled": false}));
    let (path, replay) = (path(&webhook), format!("{}/replay", path(&webhook)));
    company(&admin, "One");
    crate::harness::wait_for_positions(&admin);
    assert_ne!(admin.get(&format!("{path}/status")).body["waiting"], json!(0));
    assert_eq!(admin.post(&replay, &json!({"from": "head"})).body["waiting"], json!(0));
    company(&admin, "Two");
    admin.patch(&path, &json!({"enabled": true})).expect(200);
    let two = receiver.next();
    assert_eq!(two.body["data"].as_array().unwrap().len(), 1);

    admin.post(&replay, &json!({"from": "oldest"})).expect(200);
    let both = receiver.next();
    assert_eq!(both.body["data"].as_array().unwrap().len(), 2);
    assert_ne!(both.body["id"], two.body["id"]);
    company(&admin, "Three");
    let three = receiver.next();
    wait_until("it is noted", || {
        admin.get(&format!("{path}/deliveries")).body["data"][0]["message_id"] == three.body["id"]
    });
    admin.post(&replay, &json!({"cursor": two.body["next_cursor"]})).expect(200);
    assert_eq!(receiver.next().body["data"], three.body["data"]);

    let refused = admin.post(&replay, &json!({"cursor": "nonsense"}));
    refused.expect_problem(422, "validation_failed");
    refused.expect_errors(&[("/cursor", "invalid_cursor")]);
}

#[test]
fn two_secrets_count_after_a_rotation() {
    let (_, admin) = workspace();
    let receiver = Receiver::start();
    let webhook = webhook(&admin, &receiver, json!({}));
    let rotated = admin.post(&format!("{}/rotate", path(&webhook)), &json!({}));
    rotated.expect(200);
    let (old, new) = (webhook["secret"].as_str().unwrap(), rotated.body["secret"].as_str().unwrap());
    assert_ne!(old, new);
    company(&admin, "Nordwind");
    let message = receiver.next();
    assert_eq!(message.header("webhook-signature"), format!("{} {}", signed(new, &message), signed(old, &message)));
    assert_eq!(admin.get(&path(&webhook)).body.get("secret"), None);

    change_database(&format!(
        "UPDATE webhook_states SET old_secret_until = now() - interval '1 second' WHERE webhook_id = '{}'",
        webhook["id"].as_str().unwrap()
    ));
    company(&admin, "Südwind");
    let message = receiver.next();
    assert_eq!(message.header("webhook-signature"), signed(new, &message));
}

#[test]
fn what_left_the_feed_is_told_of() {
    let (workspace, admin) = workspace();
    let receiver = Receiver::start();
    let webhook = webhook(&admin, &receiver, json!({"enabled": false}));
    for name in ["One", "Two", "Three"] {
        company(&admin, name);
    }
    crate::harness::wait_for_positions(&admin);
    change_database(&format!("UPDATE feed_heads SET tail = position WHERE workspace_id = '{}'", workspace.id.uuid()));
    admin.patch(&path(&webhook), &json!({"enabled": true})).expect(200);
    let message = receiver.next();
    assert_eq!((&message.body["resync_required"], events(&message).len()), (&json!(true), 1));
    company(&admin, "Four");
    assert_eq!(receiver.next().body["resync_required"], json!(false));
}

#[test]
fn what_is_on_its_way_keeps_its_id_when_the_webhook_changes() {
    let (_, admin) = workspace();
    let receiver = Receiver::start();
    receiver.hold();
    let webhook = webhook(&admin, &receiver, json!({}));
    company(&admin, "Nordwind");
    let held = receiver.next();
    // While it waits for an answer, nothing else is sent.
    admin.patch(&path(&webhook), &json!({"name": "Renamed"})).expect(200);
    receiver.release(500);
    let again = receiver.next();
    assert_eq!((&again.body["id"], &again.body["data"]), (&held.body["id"], &held.body["data"]));

    receiver.hold();
    company(&admin, "Südwind");
    let held = receiver.next();
    admin.post(&format!("{}/replay", path(&webhook)), &json!({})).expect(200);
    receiver.release(200);
    let anew = receiver.next();
    assert_eq!(anew.body["data"].as_array().unwrap().len(), 2, "what was sent meanwhile does not undo the replay");
    assert_ne!(anew.body["id"], held.body["id"]);
    wait_until("all of it is noted", || admin.all(&format!("{}/deliveries", path(&webhook))).len() == 4);
}

#[test]
fn long_changes_come_in_several_messages() {
    let (_, admin) = workspace();
    let receiver = Receiver::start();
    let webhook = webhook(&admin, &receiver, json!({"kinds": ["note"], "enabled": false}));
    let about = company(&admin, "Nordwind");
    let ids: Vec<Value> = (0..9)
        .map(|index| {
            let body = index.to_string().repeat(60_000);
            admin.create("/v1/notes", &json!({"parent": {"kind": "company", "id": about["id"]}, "body": body}))["id"]
                .clone()
        })
        .collect();
    crate::harness::wait_for_positions(&admin);
    admin.patch(&path(&webhook), &json!({"enabled": true})).expect(200);
    let mut sent = Vec::new();
    while sent.len() < ids.len() {
        let message = receiver.next();
        assert!(message.text.len() < 300_000, "{}", message.text.len());
        sent.extend(message.body["data"].as_array().unwrap().iter().map(|change| change["record"]["id"].clone()));
    }
    assert_eq!(sent, ids);
}

#[test]
fn nobody_is_told_more_than_whoever_makes_the_webhook_may_read() {
    let (workspace, _) = workspace();
    let new =
        |kinds: Value| json!({"name": "Mine", "url": "https://example.com/hook", "kinds": kinds, "enabled": false});
    let some = workspace.scoped(&["webhooks:write", "webhooks:read", "contacts:read"]);
    for kinds in [json!([]), json!(["contact", "lead"])] {
        some.post("/v1/webhooks", &new(kinds)).expect_problem(403, "forbidden");
    }
    let made = some.create("/v1/webhooks", &new(json!(["contact"])));
    some.patch(&path(&made), &json!({"kinds": null})).expect_problem(403, "forbidden");
    some.patch(&path(&made), &json!({"name": "Ours"})).expect(200);
    let all = workspace.admin().create("/v1/webhooks", &json!({"name": "All", "url": "https://example.com/"}));
    some.patch(&path(&all), &json!({"enabled": false})).expect(200);
    some.patch(&path(&all), &json!({"enabled": true})).expect_problem(403, "forbidden");
    // Not all of the records, and not all of the fields.
    let closed = json!({"mode": "all_but", "fields": ["birthday"]});
    for (name, rule) in [
        ("own", json!({"resource": "contacts", "read": "own"})),
        ("closed", json!({"resource": "contacts", "read": "all", "readable_fields": closed})),
    ] {
        let role = json!({"name": name, "rules": [rule], "permissions": ["webhooks:write"]});
        let role = workspace.admin().create("/v1/roles", &role);
        let email = format!("{name}@example.com");
        let user = workspace.user(&email, StandardRole::ReadOnly, "a long enough password");
        workspace.admin().patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role["id"]]})).expect(200);
        let caller = workspace.sign_in(&email, "a long enough password");
        caller.post("/v1/webhooks", &new(json!(["contact"]))).expect_problem(403, "forbidden");
    }
    let other = workspace.scoped(&["webhooks:write", "webhooks:read"]);
    for action in ["rotate", "replay"] {
        other.post(&format!("{}/{action}", path(&made)), &json!({})).expect_problem(403, "forbidden");
    }
}

#[test]
fn an_address_that_is_none_is_refused() {
    let (_, admin) = workspace();
    for url in ["http://example.com/", "https://user:pass@example.com/", "https://example.com/#x"] {
        let refused = admin.post("/v1/webhooks", &json!({"name": "x", "url": url}));
        refused.expect_problem(422, "validation_failed");
        refused.expect_errors(&[("/url", "invalid_url")]);
    }
    let inside = admin.create("/v1/webhooks", &json!({"name": "Inside", "url": "https://127.0.0.1:1/hook"}));
    admin.post(&format!("{}/test", path(&inside)), &json!({})).expect(202);
    let deliveries = format!("{}/deliveries", path(&inside));
    wait_until("the attempt is noted", || admin.get(&deliveries).body["data"] != json!([]));
    let error = admin.get(&deliveries).body["data"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("does not lead outside"), "{error}");
}

#[test]
fn a_workspace_has_twenty_at_most() {
    let workspace = Workspace::new();
    let admin = workspace.admin();
    let new = json!({"name": "x", "url": "https://example.com/", "enabled": false});
    for _ in 0..20 {
        admin.create("/v1/webhooks", &new);
    }
    let refused = admin.post("/v1/webhooks", &new);
    refused.expect_problem(409, "conflict");
    assert_eq!(refused.body["errors"][0]["code"], "too_many");
    let rehearsed = admin.delete(&path(&admin.all("/v1/webhooks")[0]));
    rehearsed.expect(204);
    let rehearsed = admin.post("/v1/webhooks?dry_run=true", &new);
    rehearsed.expect(201);
    assert_eq!(rehearsed.body["secret"], "whsec_", "a secret that counts for nothing is not shown");
}
