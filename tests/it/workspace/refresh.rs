//! Sessions: how they go on, and how they end.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Workspace, anonymous, base, change_database};

const EMAIL: &str = "mara@example.com";
const SECRET: &str = "correct horse battery staple";

/// Somebody who signs in.
struct Somebody {
    workspace: Workspace,
    id: String,
}

impl Somebody {
    fn new() -> Self {
        let workspace = Workspace::new();
        let id = workspace.user(EMAIL, StandardRole::Agent, SECRET);
        Self { workspace, id }
    }

    fn sign_in(&self) -> Value {
        let answer = self.workspace.login(EMAIL, SECRET);
        answer.expect(200);
        answer.body
    }
}

fn caller(tokens: &Value) -> Caller {
    Caller::new(&base(), Some(tokens["access_token"].as_str().unwrap().to_owned()))
}

fn refresh(tokens: &Value) -> Answer {
    anonymous().post("/v1/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]}))
}

/// Lets time pass for the refresh tokens of a session: those that were used have been so this much longer.
fn used_longer_ago(tokens: &Value, by: &str) {
    let session = crate::harness::forge::read(tokens["access_token"].as_str().unwrap()).1["sid"].clone();
    change_database(&format!(
        "UPDATE refresh_tokens SET used_at = used_at - interval '{by}' WHERE session_id = '{}'",
        session.as_str().unwrap()
    ));
}

#[test]
fn a_session_goes_on_with_the_next_refresh_token() {
    let somebody = Somebody::new();
    let first = somebody.sign_in();
    assert!(first["refresh_token"].as_str().unwrap().starts_with("rt_"));
    assert!((2_591_990..=2_592_000).contains(&first["refresh_expires_in"].as_i64().unwrap()));

    let second = refresh(&first);
    second.expect(200);
    assert_eq!(second.header("cache-control"), "no-store");
    assert_ne!(second.body["refresh_token"], first["refresh_token"]);
    let third = refresh(&second.body).body;
    for tokens in [&first, &second.body, &third] {
        assert_eq!(caller(tokens).get("/v1/me").body["id"], json!(somebody.id));
    }
    let sessions = caller(&third).all("/v1/sessions");
    assert_eq!(sessions.len(), 1);
    assert_eq!((&sessions[0]["version"], &sessions[0]["current"]), (&json!(3), &json!(true)));
}

#[test]
fn two_tabs_that_share_a_refresh_token_both_go_on() {
    let somebody = Somebody::new();
    let first = somebody.sign_in();
    let (one, other) = (refresh(&first), refresh(&first));
    one.expect(200);
    other.expect(200);
    assert_ne!(one.body["refresh_token"], other.body["refresh_token"]);
    refresh(&one.body).expect(200);
    refresh(&other.body).expect(200);
    assert_eq!(caller(&first).all("/v1/sessions").len(), 1);
}

#[test]
fn a_refresh_token_that_is_used_again_later_ends_the_session_for_everybody() {
    let somebody = Somebody::new();
    let untouched = somebody.sign_in();
    let first = somebody.sign_in();
    let second = refresh(&first).body;
    caller(&second).get("/v1/me").expect(200);
    used_longer_ago(&first, "11 seconds");

    let stolen = refresh(&first);
    stolen.expect_problem(401, "invalid_refresh_token");
    refresh(&second).expect_problem(401, "invalid_refresh_token");
    // At once in this process, although the token was found valid a moment ago.
    caller(&second).get("/v1/me").expect_problem(401, "unauthorized");
    caller(&untouched).get("/v1/me").expect(200);

    let events = somebody.workspace.audit();
    let reused: Vec<&Value> = events.iter().filter(|event| event["event"] == "session.refresh_reused").collect();
    assert_eq!(reused.len(), 1);
    assert_eq!(reused[0]["actor_kind"], "system");
    assert!(is_address(&reused[0]["address"]), "{}", reused[0]);
    assert_eq!(reused[0]["request_id"], stolen.body["request_id"]);
}

#[test]
fn of_many_who_refresh_at_once_nobody_is_signed_out() {
    let somebody = Somebody::new();
    let first = somebody.sign_in();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..32).map(|_| scope.spawn(|| refresh(&first))).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    for answer in &answers {
        answer.expect(200);
        caller(&answer.body).get("/v1/me").expect(200);
    }
    let mut tokens: Vec<_> = answers.iter().map(|answer| answer.body["refresh_token"].as_str().unwrap()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 32);
    assert_eq!(caller(&first).all("/v1/sessions").len(), 1);
}

#[test]
fn what_is_no_refresh_token_is_refused_in_one_way() {
    let somebody = Somebody::new();
    let tokens = somebody.sign_in();
    let right = tokens["refresh_token"].as_str().unwrap();
    let ended = somebody.sign_in();
    caller(&ended).send("POST", "/v1/auth/logout", &[], None).expect(204);
    let flipped = format!("{}{}", &right[..60], if &right[60..61] == "A" { "B" } else { "A" }) + &right[61..];
    let access = tokens["access_token"].as_str().unwrap();
    let wrong = ["nonsense", "rt_", &right[..80], &flipped, ended["refresh_token"].as_str().unwrap(), &access[..200]];
    for token in wrong {
        let mut answer = anonymous().post("/v1/auth/refresh", &json!({"refresh_token": token}));
        answer.expect_problem(401, "invalid_refresh_token");
        answer.body["request_id"].take();
        let detail = "The refresh token is not valid, or not any more. Sign in again.";
        assert_eq!(answer.body["detail"], detail);
    }
    refresh(&tokens).expect(200);
}

#[test]
fn a_session_that_rested_for_too_long_or_is_too_old_has_ended() {
    let somebody = Somebody::new();
    let age = |tokens: &Value, change: &str| {
        let id = caller(tokens).all("/v1/sessions").into_iter().find(|session| session["current"] == true).unwrap();
        change_database(&format!("UPDATE sessions SET {change} WHERE id = '{}'", id["id"].as_str().unwrap()));
    };
    let rested = somebody.sign_in();
    age(&rested, "expires_at = now() - interval '1 second'");
    refresh(&rested).expect_problem(401, "invalid_refresh_token");

    let old = somebody.sign_in();
    age(&old, "created_at = now() - interval '80 days'");
    let prolonged = refresh(&old).body;
    let ten_days = 10 * 24 * 3600;
    assert!((ten_days - 60..=ten_days).contains(&prolonged["refresh_expires_in"].as_i64().unwrap()), "{prolonged}");
    assert_eq!(caller(&prolonged).all("/v1/sessions").len(), 1, "what has ended is not listed");
}

#[test]
fn a_deactivated_user_can_not_go_on() {
    let somebody = Somebody::new();
    let tokens = somebody.sign_in();
    somebody.workspace.set_state(&somebody.id, "deactivated");
    refresh(&tokens).expect_problem(401, "invalid_refresh_token");
    somebody.workspace.login(EMAIL, SECRET).expect_problem(401, "invalid_login");
    somebody.workspace.set_state(&somebody.id, "active");
    refresh(&tokens).expect(200);
}

#[test]
fn signing_out_ends_this_session_at_once_and_no_other() {
    let somebody = Somebody::new();
    let (here, there) = (somebody.sign_in(), somebody.sign_in());
    caller(&here).get("/v1/me").expect(200);
    caller(&here).send("POST", "/v1/auth/logout", &[], None).expect(204);
    caller(&here).get("/v1/me").expect_problem(401, "unauthorized");
    refresh(&here).expect_problem(401, "invalid_refresh_token");
    caller(&there).get("/v1/me").expect(200);
}

#[test]
fn signing_out_everywhere_ends_all_sessions_at_once() {
    let somebody = Somebody::new();
    let other = somebody.workspace.signed_in(StandardRole::Manager);
    let sessions: Vec<Value> = (0..3).map(|_| somebody.sign_in()).collect();
    for tokens in &sessions {
        caller(tokens).get("/v1/me").expect(200);
    }
    caller(&sessions[0]).send("POST", "/v1/auth/logout-everywhere", &[], None).expect(204);
    for tokens in &sessions {
        caller(tokens).get("/v1/me").expect_problem(401, "unauthorized");
        refresh(tokens).expect_problem(401, "invalid_refresh_token");
    }
    other.get("/v1/me").expect(200);
    let ended = somebody.workspace.audit().into_iter().filter(|event| event["event"] == "session.ended").count();
    assert_eq!(ended, 3);
}

#[test]
fn an_api_key_has_no_session_to_end() {
    let admin = Workspace::new().admin();
    admin.send("POST", "/v1/auth/logout", &[], None).expect_problem(409, "conflict");
    admin.send("POST", "/v1/auth/logout-everywhere", &[], None).expect_problem(409, "conflict");
    assert!(admin.all("/v1/sessions").is_empty());
}

#[test]
fn a_user_sees_and_ends_their_own_sessions_alone() {
    let somebody = Somebody::new();
    let neighbour = somebody.workspace.signed_in(StandardRole::Agent);
    let (old, new) = (somebody.sign_in(), somebody.sign_in());
    let mine = caller(&new).all("/v1/sessions");
    assert_eq!(mine.iter().map(|session| &session["current"]).collect::<Vec<_>>(), [true, false]);
    assert_eq!(mine[0]["user_id"], json!(somebody.id));
    assert!(is_address(&mine[0]["address"]), "{}", mine[0]);
    assert!(mine[0]["user_agent"].as_str().unwrap().starts_with("ureq"));
    assert_eq!(caller(&new).all("/v1/sessions?limit=1"), mine, "page by page");

    let path = format!("/v1/sessions/{}", mine[1]["id"].as_str().unwrap());
    neighbour.get(&path).expect_problem(404, "not_found");
    neighbour.delete(&path).expect_problem(404, "not_found");
    neighbour.get(&format!("/v1/sessions?user_id={}", somebody.id)).expect_problem(403, "forbidden");

    let mut seen = caller(&old).get(&path);
    assert_eq!(seen.header("etag"), "\"1\"");
    assert_eq!(seen.body["current"].take(), json!(true));
    refresh(&old).expect(200);
    caller(&new).send("DELETE", &path, &[("If-Match", "\"1\"")], None).expect_problem(412, "precondition_failed");
    caller(&new).send("DELETE", &path, &[("If-Match", "\"2\"")], None).expect(204);
    caller(&old).get("/v1/me").expect_problem(401, "unauthorized");
    caller(&new).get(&path).expect_problem(404, "not_found");
}

#[test]
fn whoever_manages_users_sees_and_ends_their_sessions() {
    let somebody = Somebody::new();
    let tokens = somebody.sign_in();
    let admin = somebody.workspace.signed_in(StandardRole::Admin);
    let sessions = admin.all(&format!("/v1/sessions?user_id={}", somebody.id));
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["current"], false);
    caller(&tokens).get("/v1/me").expect(200);
    admin.delete(&format!("/v1/sessions/{}", sessions[0]["id"].as_str().unwrap())).expect(204);
    caller(&tokens).get("/v1/me").expect_problem(401, "unauthorized");
    assert!(admin.all(&format!("/v1/sessions?user_id={}", somebody.id)).is_empty());
}

#[test]
fn signing_in_and_failing_to_is_noted() {
    let somebody = Somebody::new();
    somebody.sign_in();
    somebody.workspace.login(EMAIL, "wrong").expect(401);
    somebody.workspace.login("nobody@example.com", "wrong").expect(401);
    let failed = || -> Vec<Value> {
        let all = somebody.workspace.audit();
        all.into_iter().filter(|event| event["event"] == "session.failed").collect()
    };
    // Failures are noted after they were answered.
    let mut tries = 0;
    while failed().len() < 2 {
        tries += 1;
        assert!(tries < 500, "the failures were never noted");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let events = somebody.workspace.audit();
    let started = events.iter().find(|event| event["event"] == "session.started").unwrap();
    assert_eq!((&started["actor_kind"], &started["actor_id"]), (&json!("user"), &json!(somebody.id)));
    let of_whom: Vec<Value> = failed().iter().map(|event| event["record_id"].clone()).collect();
    assert!(of_whom.contains(&json!(somebody.id)) && of_whom.contains(&json!(uuid::Uuid::nil())), "{of_whom:?}");
    assert!(failed().iter().all(|event| event["actor_kind"] == "system" && is_address(&event["address"])));
    assert!(!format!("{events:?}").contains("wrong"), "nothing that was typed is kept");
}

#[test]
fn a_user_has_a_hundred_sessions_at_most() {
    let somebody = Somebody::new();
    let first = somebody.sign_in();
    let session = caller(&first).all("/v1/sessions")[0]["id"].as_str().unwrap().to_owned();
    change_database(&format!(
        "INSERT INTO sessions (workspace_id, id, user_id, version, created_at, last_used_at, expires_at) \
         SELECT workspace_id, gen_random_uuid(), user_id, 1, created_at, last_used_at + interval '1 second', expires_at \
           FROM sessions, generate_series(1, 99) WHERE id = '{session}'"
    ));
    let newest = somebody.sign_in();
    assert_eq!(caller(&newest).all("/v1/sessions").len(), 100);
    refresh(&first).expect_problem(401, "invalid_refresh_token");
}

/// The harness gives each caller an address of their own.
fn is_address(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}
