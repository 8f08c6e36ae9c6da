//! API keys: what they may do, from where, how long, and with which secret.

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types};
use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, anonymous, base, database_url, rapport, workspace};

const SECRET: &str = "a long enough password";

fn issue(admin: &Caller, body: &Value) -> (String, Caller) {
    let issued = admin.create("/v1/api_keys", body);
    let id = issued["id"].as_str().unwrap().to_owned();
    (id, Caller::new(&base(), Some(issued["key"].as_str().unwrap().to_owned())))
}

fn path(id: &str) -> String {
    format!("/v1/api_keys/{id}")
}

#[test]
fn a_key_is_shown_once_and_works() {
    let (_, admin) = workspace();
    let answer = admin.post("/v1/api_keys", &json!({"name": "Web shop", "scopes": ["contacts:read"]}));
    answer.expect(201);
    assert_eq!(answer.header("cache-control"), "no-store");
    let (id, key) = (answer.body["id"].as_str().unwrap(), answer.body["key"].as_str().unwrap());
    assert_eq!(answer.header("location"), path(id));

    let caller = anonymous().with(key);
    assert_eq!(caller.get("/v1/me").body["scopes"], json!(["contacts:read"]));
    caller.get("/v1/contacts").expect(200);
    caller.post("/v1/contacts", &json!({"first_name": "x"})).expect_problem(403, "forbidden");

    let shown = admin.get(&path(id));
    assert_eq!(shown.body.get("key"), None);
    assert!(!shown.text.contains(key) && !admin.get("/v1/api_keys").text.contains(key));
    assert!(!admin.get(&format!("{}/history", path(id))).text.contains(key));
    assert_eq!(shown.body["secrets"].as_array().unwrap().len(), 1);
    assert!(shown.body["last_used_at"].is_string() && shown.body["last_used_address"].is_string());
    assert_eq!(shown.body["version"], 1, "being used is no change");
}

#[test]
fn scopes_that_are_unknown_are_named() {
    let (_, admin) = workspace();
    let answer = admin.post("/v1/api_keys", &json!({"name": "x", "scopes": ["contacts:read", "contacts:fly"]}));
    answer.expect_problem(422, "validation_failed");
    answer.expect_errors(&[("/scopes/1", "unknown_scope")]);
    assert!(answer.text.contains("contacts:fly"));
}

#[test]
fn nobody_makes_or_changes_a_key_that_may_do_more_than_they_do() {
    let (workspace, admin) = workspace();
    let keeper = workspace.scoped(&["api_keys:read", "api_keys:write", "contacts:read"]);
    for more in [json!(null), json!(["contacts:read", "contacts:write"]), json!(["audit:read"])] {
        keeper.post("/v1/api_keys", &json!({"name": "x", "scopes": more})).expect_problem(403, "forbidden");
    }
    let (own, _) = issue(&keeper, &json!({"name": "x", "scopes": ["contacts:read"]}));
    keeper.patch(&path(&own), &json!({"name": "y"})).expect(200);
    keeper.patch(&path(&own), &json!({"scopes": null})).expect_problem(403, "forbidden");
    keeper.patch(&path(&own), &json!({"scopes": ["companies:read"]})).expect_problem(403, "forbidden");

    let (stronger, _) = issue(&admin, &json!({"name": "everything"}));
    keeper.patch(&path(&stronger), &json!({"name": "mine"})).expect_problem(403, "forbidden");
    keeper.post(&format!("{}/rotate", path(&stronger)), &json!({})).expect_problem(403, "forbidden");
    keeper.delete(&path(&stronger)).expect(204);
}

#[test]
fn a_key_for_a_user_has_their_rights_and_ends_with_them() {
    let (workspace, admin) = workspace();
    let agent = workspace.user("agent@example.com", StandardRole::Agent, SECRET);
    let (_, key) = issue(&admin, &json!({"name": "x", "user_id": agent}));
    key.post("/v1/contacts", &json!({"first_name": "x"})).expect(201);
    let scopes = key.get("/v1/me").body["scopes"].clone();
    assert!(scopes.as_array().unwrap().contains(&json!("contacts:write")));
    assert!(!scopes.as_array().unwrap().contains(&json!("contacts:delete")), "{scopes}");

    let (_, narrow) =
        issue(&admin, &json!({"name": "x", "user_id": agent, "scopes": ["contacts:read", "contacts:delete"]}));
    assert_eq!(narrow.get("/v1/me").body["scopes"], json!(["contacts:read"]));

    execute(&format!("UPDATE users SET state = 'deactivated' WHERE id = '{agent}'"));
    admin.create("/v1/api_keys", &json!({"name": "another"}));
    admin.patch(&path(&issue(&admin, &json!({"name": "y"})).0), &json!({"name": "z"})).expect(200);
    key.get("/v1/me").expect_problem(401, "unauthorized");
    admin
        .post("/v1/api_keys", &json!({"name": "x", "user_id": agent}))
        .expect_errors(&[("/user_id", "unknown_reference")]);
}

#[test]
fn the_key_of_somebody_else_is_theirs() {
    let (workspace, admin) = workspace();
    let eve = workspace.user("eve@example.com", StandardRole::ReadOnly, SECRET);
    let (of_eve, _) = issue(&admin, &json!({"name": "x", "user_id": eve, "scopes": ["contacts:read"]}));
    let keeper = workspace.scoped(&["api_keys:read", "api_keys:write", "contacts:read", "companies:read"]);
    keeper.post(&format!("{}/rotate", path(&of_eve)), &json!({})).expect_problem(403, "forbidden");
    keeper.patch(&path(&of_eve), &json!({"name": "mine"})).expect_problem(403, "forbidden");
    execute(&format!("UPDATE users SET state = 'deactivated' WHERE id = '{eve}'"));
    keeper.post(&format!("{}/rotate", path(&of_eve)), &json!({})).expect_problem(403, "forbidden");
    admin.post(&format!("{}/rotate", path(&of_eve)), &json!({})).expect(200);
}

#[test]
fn only_an_administrator_makes_keys_for_others() {
    let (workspace, admin) = workspace();
    let other = workspace.user("other@example.com", StandardRole::ReadOnly, SECRET);
    let manager = workspace.scoped(&["api_keys:write", "contacts:read", "companies:read", "users:read", "teams:read"]);
    manager.post("/v1/api_keys", &json!({"name": "x", "user_id": other})).expect_problem(403, "forbidden");
    admin.post("/v1/api_keys", &json!({"name": "x", "user_id": other})).expect(201);
}

#[test]
fn a_rotated_key_has_two_secrets_and_never_three() {
    let (_, admin) = workspace();
    let (id, first) = issue(&admin, &json!({"name": "x"}));
    let rotate = |body: Value| {
        let answer = admin.post(&format!("{}/rotate", path(&id)), &body);
        answer.expect(200);
        (first.with(answer.body["key"].as_str().unwrap()), answer)
    };
    let (second, answer) = rotate(json!({}));
    let secrets = answer.body["secrets"].as_array().unwrap();
    assert_eq!((secrets.len(), &secrets[0]["expires_at"]), (2, &json!(null)));
    assert!(secrets[1]["expires_at"].is_string());
    assert_eq!(answer.body["version"], 2);
    first.get("/v1/me").expect(200);
    second.get("/v1/me").expect(200);

    let (third, _) = rotate(json!({"overlap_hours": 1}));
    first.get("/v1/me").expect_problem(401, "unauthorized");
    second.get("/v1/me").expect(200);
    third.get("/v1/me").expect(200);

    let (fourth, answer) = rotate(json!({"overlap_hours": 0}));
    assert_eq!(answer.body["secrets"].as_array().unwrap().len(), 1);
    third.get("/v1/me").expect_problem(401, "unauthorized");
    fourth.get("/v1/me").expect(200);
    let history = admin.all(&format!("{}/history", path(&id)));
    let events = history.iter().map(|entry| entry["event"].as_str().unwrap());
    let changes: Vec<&str> = events.filter(|event| *event != "api_key.used_from_new_address").collect();
    assert_eq!(changes, ["api_key.rotated", "api_key.rotated", "api_key.rotated", "api_key.created"]);
}

#[test]
fn the_old_secret_ends_when_the_overlap_does() {
    let (_, admin) = workspace();
    let (id, first) = issue(&admin, &json!({"name": "x"}));
    admin.post(&format!("{}/rotate", path(&id)), &json!({"overlap_hours": 1})).expect(200);
    first.get("/v1/me").expect(200);
    execute(&format!(
        "UPDATE api_key_secrets SET expires_at = now() WHERE api_key_id = '{id}' AND expires_at IS NOT NULL"
    ));
    admin.patch(&path(&id), &json!({"name": "y"})).expect(200);
    first.get("/v1/me").expect_problem(401, "unauthorized");
    assert_eq!(admin.get(&path(&id)).body["secrets"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_ends_at_its_time() {
    let (_, admin) = workspace();
    admin
        .post("/v1/api_keys", &json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}))
        .expect_errors(&[("/expires_at", "in_the_past")]);
    let (id, key) = issue(&admin, &json!({"name": "x", "expires_at": "2099-01-01T00:00:00Z"}));
    key.get("/v1/me").expect(200);
    admin.patch(&path(&id), &json!({"expires_at": "2020-01-01T00:00:00Z"})).expect(200);
    key.get("/v1/me").expect_problem(401, "unauthorized");
}

#[test]
fn a_revoked_key_ends_at_once_and_for_good() {
    let (_, admin) = workspace();
    let (id, key) = issue(&admin, &json!({"name": "x"}));
    key.get("/v1/me").expect(200);
    admin.delete(&path(&id)).expect(204);
    key.get("/v1/me").expect_problem(401, "unauthorized");
    admin.delete(&path(&id)).expect(204);
    admin.patch(&path(&id), &json!({"name": "y"})).expect_problem(409, "conflict");
    admin.post(&format!("{}/rotate", path(&id)), &json!({})).expect_problem(409, "conflict");

    let listed = |query: &str| {
        let page = admin.all(&format!("/v1/api_keys?{query}"));
        page.iter().any(|key| key["id"] == json!(id))
    };
    assert!(!listed("") && listed("revoked=include") && listed("revoked=only"));
    assert!(admin.get(&path(&id)).body["revoked_at"].is_string());
    assert_eq!(admin.get(&path(&id)).body["secrets"], json!([]));
}

#[test]
fn a_key_is_good_at_its_addresses_alone_and_elsewhere_like_any_wrong_one() {
    let (_, admin) = workspace();
    let networks = json!(["203.0.113.0/24", "2001:db8::/32"]);
    let (id, key) = issue(&admin, &json!({"name": "x", "allowed_addresses": networks}));
    key.at("203.0.113.9").get("/v1/me").expect(200);
    key.at("2001:db8::7").get("/v1/me").expect(200);
    for elsewhere in ["198.51.100.1", "2001:db9::7", "::1"] {
        let refused = key.at(elsewhere).get("/v1/me");
        refused.expect_problem(401, "unauthorized");
        let wrong = key.at(elsewhere).with("rk_nonsense").get("/v1/me");
        assert_eq!(refused.body["detail"], wrong.body["detail"]);
    }
    // What was found good at one address is not trusted at another.
    key.at("203.0.113.9").get("/v1/me").expect(200);
    key.at("198.51.100.1").get("/v1/me").expect_problem(401, "unauthorized");
    // Only what the last trusted proxy says counts; the rest is what anybody may have made up.
    key.at("203.0.113.9, 198.51.100.1").get("/v1/me").expect_problem(401, "unauthorized");
    key.at("198.51.100.1, 203.0.113.9").get("/v1/me").expect(200);

    admin.patch(&path(&id), &json!({"allowed_addresses": null})).expect(200);
    key.at("198.51.100.1").get("/v1/me").expect(200);
    admin
        .post("/v1/api_keys", &json!({"name": "x", "allowed_addresses": ["10.0.0.0/8", "10.0.0.0/33"]}))
        .expect_errors(&[("/allowed_addresses/1", "invalid_network")]);
}

#[test]
fn the_first_use_from_an_address_is_in_the_audit_and_later_ones_are_not() {
    let (_, admin) = workspace();
    let (id, key) = issue(&admin, &json!({"name": "x"}));
    for address in ["203.0.113.9", "203.0.113.9", "198.51.100.1", "203.0.113.9", "2001:db8::1", "2001:db8::2"] {
        key.at(address).get("/v1/me").expect(200);
    }
    let noted = lines(&format!(
        "SELECT address AS line FROM journal WHERE event = 'api_key.used_from_new_address' AND is_audit \
         AND record_id = '{id}' ORDER BY at"
    ));
    assert_eq!(noted, ["203.0.113.9", "198.51.100.1", "2001:db8::1"]);
}

#[test]
fn many_addresses_fill_no_row() {
    let (_, admin) = workspace();
    let (id, key) = issue(&admin, &json!({"name": "x"}));
    (0..60).for_each(|number| key.at(&format!("203.0.113.{number}")).get("/v1/me").expect(200));
    let known = lines(&format!("SELECT cardinality(known_addresses)::text AS line FROM api_keys WHERE id = '{id}'"));
    assert_eq!(known, ["50"]);
}

#[test]
fn a_key_is_revoked_on_the_command_line_by_its_id_or_as_a_whole() {
    let (_, admin) = workspace();
    let url = database_url();
    for whole in [true, false] {
        let (id, key) = issue(&admin, &json!({"name": "leaked"}));
        let argument = if whole { key.credential().to_owned() } else { id.replace('-', "") };
        let output = rapport(&["admin", "revoke-api-key", &argument, "--database-url", &url]);
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        // Never used before, so this server has not heard of it.
        key.get("/v1/me").expect_problem(401, "unauthorized");
        assert!(admin.get(&path(&id)).body["revoked_at"].is_string());
    }
    for wrong in ["nonsense", "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"] {
        assert_eq!(rapport(&["admin", "revoke-api-key", wrong, "--database-url", &url]).status.code(), Some(1));
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = sql_types::Text)]
    line: String,
}

fn lines(query: &str) -> Vec<String> {
    let mut pg = PgConnection::establish(&database_url()).unwrap();
    let lines: Vec<Line> = sql_query(query).load(&mut pg).unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

fn execute(statement: &str) {
    sql_query(statement).execute(&mut PgConnection::establish(&database_url()).unwrap()).unwrap();
}
