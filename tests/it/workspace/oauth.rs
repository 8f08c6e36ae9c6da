//! Client credentials: programs that get access tokens for their API key.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Workspace, anonymous, base, change_database, forge::Forged};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn ask(headers: &[(&str, &str)], form: &str) -> Answer {
    let headers = [&[FORM], headers].concat();
    anonymous().send("POST", "/oauth/token", &headers, Some(form.as_bytes().to_vec()))
}

/// Id and secret of a client.
fn client(key: &Caller) -> (String, String) {
    let secret = key.credential().to_owned();
    (secret.split('_').nth(1).unwrap().to_owned(), secret)
}

fn form(key: &Caller, more: &str) -> String {
    let (id, secret) = client(key);
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}{more}")
}

fn bearer(answer: &Answer) -> Caller {
    answer.expect(200);
    Caller::new(&base(), Some(answer.body["access_token"].as_str().unwrap().to_owned()))
}

#[track_caller]
fn expect_oauth(answer: &Answer, status: u16, code: &str) {
    answer.expect_problem(status, code);
    assert_eq!(answer.body["error"], json!(code), "{}", answer.text);
    assert_eq!(answer.body["error_description"], answer.body["detail"]);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[test]
fn a_key_is_exchanged_for_a_token_of_its_scopes() {
    let workspace = Workspace::new();
    let key = workspace.scoped(&["contacts:read", "companies:read"]);
    let answer = ask(&[], &form(&key, ""));
    let program = bearer(&answer);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(answer.body["scope"], "contacts:read companies:read");

    let me = program.get("/v1/me").body;
    assert_eq!((&me["kind"], &me["id"]), (&json!("api_key"), &key.get("/v1/me").body["id"]));
    assert_eq!(me["scopes"], json!(["contacts:read", "companies:read"]));
    program.get("/v1/contacts").expect(200);
    program.post("/v1/contacts", &json!({"first_name": "Ada"})).expect_problem(403, "forbidden");
    program.send("POST", "/v1/auth/logout", &[], None).expect_problem(409, "conflict");
}

#[test]
fn a_scope_narrows_the_token() {
    let key = Workspace::new().admin();
    let answer = ask(&[], &form(&key, "&scope=contacts%3Aread+companies%3Aread"));
    assert_eq!(answer.body["scope"], "contacts:read companies:read");
    let program = bearer(&answer);
    program.get("/v1/companies").expect(200);
    program.post("/v1/companies", &json!({"name": "Lindt"})).expect_problem(403, "forbidden");
    // The key itself may do more.
    key.post("/v1/companies", &json!({"name": "Lindt"})).expect(201);
}

#[test]
fn a_client_may_use_http_basic() {
    let key = Workspace::new().admin();
    let (id, secret) = client(&key);
    let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let with_hyphens = uuid::Uuid::try_parse(&id).unwrap().to_string();
    for id in [&id, &with_hyphens] {
        bearer(&ask(&[("Authorization", &basic(id, &secret))], "grant_type=client_credentials"))
            .get("/v1/me")
            .expect(200);
    }
    let right = basic(&id, &secret);
    let twice = ask(&[("Authorization", &right)], &form(&key, ""));
    expect_oauth(&twice, 400, "invalid_request");
    for wrong in [basic(&id, "wrong"), basic("wrong", &secret), "Basic !".to_owned(), format!("Bearer {secret}")] {
        let refused = ask(&[("Authorization", &wrong)], "grant_type=client_credentials");
        expect_oauth(&refused, 401, "invalid_client");
        assert_eq!(refused.header("www-authenticate"), "Basic realm=\"rapport\"");
    }
}

#[test]
fn revoking_the_key_ends_its_tokens() {
    let key = Workspace::new().admin();
    let token = bearer(&ask(&[], &form(&key, "")));
    let twin = Forged::twin(token.credential()).claim("jti", json!(uuid::Uuid::now_v7()));
    change_database(&format!("UPDATE api_keys SET revoked_at = now() WHERE id = '{}'", client(&key).0));
    // Not the token that was asked with a moment ago, but one that is asked for first.
    let late = Caller::new(&base(), Some(twin.sign()));
    late.get("/v1/me").expect_problem(401, "unauthorized");
    expect_oauth(&ask(&[], &form(&key, "")), 401, "invalid_client");
}

#[test]
fn a_token_of_a_program_is_good_for_its_own_workspace_and_key() {
    let (workspace, other) = (Workspace::new(), Workspace::new());
    let right = Forged::twin(bearer(&ask(&[], &form(&workspace.admin(), ""))).credential());
    let status = |forged: &Forged| Caller::new(&base(), Some(forged.sign())).get("/v1/me").status;
    assert_eq!(status(&right), 200);
    assert_eq!(status(&right.claim("workspace", json!(other.id.to_string()))), 401);
    assert_eq!(status(&right.claim("sub", json!(uuid::Uuid::now_v7()))), 401);
    // More in the token than the key has is worth nothing.
    let narrow = workspace.scoped(&["contacts:read"]);
    let more = Forged::twin(bearer(&ask(&[], &form(&narrow, ""))).credential());
    let more = more.claim("scope", json!("contacts:read companies:read"));
    let me = Caller::new(&base(), Some(more.sign())).get("/v1/me").body;
    assert_eq!(me["scopes"], json!(["contacts:read"]));
}

#[test]
fn each_error_is_told_in_the_words_of_oauth() {
    let workspace = Workspace::new();
    let key = workspace.scoped(&["contacts:read"]);
    let (id, secret) = client(&key);
    let other_id = client(&workspace.admin()).0;
    let grant = "grant_type=client_credentials";
    let cases = [
        (String::new(), 400, "invalid_request"),
        (format!("client_id={id}&client_secret={secret}"), 400, "invalid_request"),
        (form(&key, "&grant_type=client_credentials"), 400, "invalid_request"),
        (form(&key, &format!("&scope={}", "a".repeat(3000))), 400, "invalid_request"),
        (form(&key, "&scope=%00"), 400, "invalid_request"),
        (format!("grant_type=password&client_id={id}&client_secret={secret}"), 400, "unsupported_grant_type"),
        (format!("grant_type=refresh_token&client_id={id}&client_secret={secret}"), 400, "unsupported_grant_type"),
        (grant.to_owned(), 401, "invalid_client"),
        (format!("{grant}&client_id={id}"), 401, "invalid_client"),
        (format!("{grant}&client_id={other_id}&client_secret={secret}"), 401, "invalid_client"),
        (format!("{grant}&client_id={id}&client_secret=rk_nonsense"), 401, "invalid_client"),
        (form(&key, "&scope=contacts%3Awrite"), 400, "invalid_scope"),
        (form(&key, "&scope=nonsense"), 400, "invalid_scope"),
    ];
    for (form, status, code) in cases {
        expect_oauth(&ask(&[], &form), status, code);
    }
    // Parameters that are not known are ignored, and empty ones count as left out.
    ask(&[], &form(&key, "&audience=rapport&scope=")).expect(200);
}

#[test]
fn what_is_no_form_is_refused() {
    let key = Workspace::new().admin();
    let send = |kind: &str, body: &[u8]| -> Answer {
        anonymous().send("POST", "/oauth/token", &[("Content-Type", kind)], Some(body.to_vec()))
    };
    let body = form(&key, "");
    send("application/json", body.as_bytes()).expect_problem(415, "unsupported_media_type");
    send("application/x-www-form-urlencoded; charset=latin1", body.as_bytes())
        .expect_problem(415, "unsupported_media_type");
    send(FORM.1, "a".repeat(3 * 1024 * 1024).as_bytes()).expect_problem(413, "payload_too_large");
    send("application/x-www-form-urlencoded; charset=UTF-8", body.as_bytes()).expect(200);
    let many: String = (0..500).map(|_| "&scope=a").collect();
    let repeated = send(FORM.1, form(&key, &many).as_bytes());
    expect_oauth(&repeated, 400, "invalid_request");
    let errors: &Vec<Value> = repeated.body["errors"].as_array().unwrap();
    assert!(errors.len() <= 100);
}
