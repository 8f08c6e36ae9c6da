//! The terms of writes, on every operation that takes them: once for a key, and rehearsed.

use serde_json::json;

use super::samples;
use crate::harness::{
    Answer, Caller,
    caller::JSON,
    contract::{Operation, operations},
    workspace,
};

fn with_terms() -> Vec<Operation> {
    let takes_key = |operation: &Operation| {
        operation.parameters("header").iter().any(|parameter| parameter["name"] == "Idempotency-Key")
    };
    operations().into_iter().filter(takes_key).collect()
}

/// A request that succeeds, ready to be sent several times.
struct Request {
    operation: Operation,
    path: String,
    body: Option<String>,
}

impl Request {
    fn new(operation: Operation, admin: &Caller) -> Self {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let body = operation.body().map(|schema| samples::body_with_records(schema, &unique, admin).to_string());
        let id = if operation.has_id() { samples::record_for(&operation.path, admin) } else { String::new() };
        let path = operation.path_with(&id) + &samples::query_with_records(operation.id(), admin);
        Self { operation, path, body }
    }

    fn send(&self, caller: &Caller, key: Option<&str>, query: &str) -> Answer {
        let mut headers: Vec<_> = self.body.iter().map(|_| JSON).collect();
        headers.extend(key.map(|key| ("Idempotency-Key", key)));
        let body = self.body.as_ref().map(|body| body.clone().into_bytes());
        caller.send(&self.operation.method, &format!("{}{query}", self.path), &headers, body)
    }
}

#[test]
fn whatever_writes_takes_a_key_and_can_be_rehearsed() {
    for operation in operations() {
        let only_reads = operation.method == "GET"
            || ["search_", "explain_", "report_"].into_iter().any(|verb| operation.id().starts_with(verb));
        let ends_the_means = operation.path.starts_with("/v1/auth/");
        let expected = !only_reads && !ends_the_means && operation.scope().is_some();
        let names = |place| operation.parameters(place).into_iter().map(|parameter| &parameter["name"]);
        assert_eq!(names("header").any(|name| name == "Idempotency-Key"), expected, "{}", operation.id());
        assert_eq!(names("query").any(|name| name == "dry_run"), expected, "{}", operation.id());
    }
}

#[test]
fn a_request_that_is_sent_again_with_its_key_is_answered_alike_and_done_once() {
    for operation in with_terms() {
        let (workspace, admin) = workspace();
        let request = Request::new(operation, &admin);
        let id = request.operation.id();
        let first = request.send(&admin, Some("the key"), "");
        assert!(first.status < 300, "{id}: {}", first.text);
        assert_eq!(first.header("idempotent-replayed"), "", "{id}");

        let before = workspace.everything();
        let second = request.send(&admin, Some("the key"), "");
        assert_eq!((second.status, &second.text), (first.status, &first.text), "{id}");
        for header in ["etag", "location", "content-type", "invitation"] {
            assert_eq!(second.header(header), first.header(header), "{id}: {header}");
        }
        assert_eq!(second.header("idempotent-replayed"), "true", "{id}");
        assert_eq!(workspace.everything(), before, "{id} did something when it was sent again");

        request.send(&admin, Some("the key"), "?dry_run=false").expect_problem(422, "idempotency_key_reused");
        // A key is its caller's own.
        let other = request.send(&workspace.admin(), Some("the key"), "");
        assert_eq!(other.header("idempotent-replayed"), "", "{id}");
    }
}

#[test]
fn a_rehearsal_leaves_no_trace() {
    for operation in with_terms() {
        let (workspace, admin) = workspace();
        let request = Request::new(operation, &admin);
        let id = request.operation.id();
        admin.get("/v1/me").expect(200); // the first use of a key from an address is noted
        let before = workspace.everything();
        let rehearsed = request.send(&admin, Some("the key"), "?dry_run=true");
        assert!(rehearsed.status < 300, "{id}: {}", rehearsed.text);
        assert_eq!(rehearsed.header("dry-run"), "true", "{id}");
        assert_eq!((rehearsed.header("etag"), rehearsed.header("location")), ("", ""), "{id}");
        assert_eq!(workspace.everything(), before, "{id} left a trace");

        let done = request.send(&admin, Some("the key"), "");
        assert_eq!(done.status, rehearsed.status, "{id}");
        assert_eq!(done.header("idempotent-replayed"), "", "{id}: a rehearsal took the key");
        assert_eq!(done.header("dry-run"), "", "{id}");
        if rehearsed.status == 201 && rehearsed.body["id"].is_string() {
            assert_eq!(rehearsed.body["id"], "00000000-0000-0000-0000-000000000000", "{id}");
        }
    }
}

#[test]
fn a_rehearsal_finds_what_is_wrong() {
    let (_, admin) = workspace();
    let nameless = admin.post("/v1/contacts?dry_run=true", &json!({"job_title": "Engineer"}));
    nameless.expect_problem(422, "validation_failed");
    assert_eq!(nameless.header("dry-run"), "");
    let ada = json!({"first_name": "Ada", "emails": [{"address": "ada@example.com"}]});
    admin.create("/v1/contacts", &ada);
    admin.post("/v1/contacts?dry_run=true", &ada).expect_problem(409, "duplicate");
    // However the parameter is written.
    let before = admin.all("/v1/contacts").len();
    admin.post("/v1/contacts?dry%5Frun=tru%65", &json!({"first_name": "Grace"})).expect(201);
    assert_eq!(admin.all("/v1/contacts").len(), before);
}

#[test]
fn of_many_who_send_the_same_request_at_once_all_get_one_answer() {
    let (_, admin) = workspace();
    let body = json!({"first_name": "Ada"}).to_string();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let send =
            || admin.send("POST", "/v1/contacts", &[JSON, ("Idempotency-Key", "once")], Some(body.clone().into()));
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in &answers {
        answer.expect(201);
        assert_eq!((&answer.text, answer.header("etag")), (&answers[0].text, answers[0].header("etag")));
    }
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count(), 49);
    assert_eq!(admin.all("/v1/contacts").len(), 1);
}

#[test]
fn what_failed_may_be_tried_again_with_its_key() {
    let (_, admin) = workspace();
    let send = |body: &str| {
        admin.send("POST", "/v1/contacts", &[JSON, ("Idempotency-Key", "again")], Some(body.as_bytes().to_vec()))
    };
    send(r#"{"job_title": "Engineer"}"#).expect_problem(422, "validation_failed");
    send(r#"{"first_name": "Ada"}"#).expect(201);
    send(r#"{"first_name": "Grace"}"#).expect_problem(422, "idempotency_key_reused");
    assert_eq!(admin.all("/v1/contacts").len(), 1);
}

#[test]
fn a_key_that_is_none_is_refused() {
    let (_, admin) = workspace();
    for key in ["", "\u{e9}", &"x".repeat(256)] {
        let body = Some(br#"{"first_name": "Ada"}"#.to_vec());
        let answer = admin.send("POST", "/v1/contacts", &[JSON, ("Idempotency-Key", key)], body);
        answer.expect_problem(400, "invalid_header");
        assert_eq!(answer.body["errors"][0]["header"], "Idempotency-Key");
    }
}
