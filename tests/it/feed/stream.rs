//! The feed as server-sent events.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{changes, head, id};
use crate::harness::{Caller, Listener, Rapport, anonymous, base, database_url, events, workspace};

#[test]
fn a_stream_tells_what_a_list_tells_and_ends_at_the_head_if_asked() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    admin.patch(&format!("/v1/contacts/{}", id(&contact)), &json!({"job_title": "Programmer"})).expect(200);
    let listed = changes(&admin, "");

    let answer = admin.get("/v1/changes/stream?until=head");
    answer.expect(200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let told = events(&answer.text);
    let heard: Vec<Value> =
        told.iter().filter(|event| event.name == "change").map(|event| event.data.clone()).collect();
    assert_eq!(heard, listed);
    let last = told.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data), ("head", &json!({"head": listed[1]["position"]})));

    // Behind the first event comes the second, in a stream as in a page.
    let after_first = &told[0].id;
    let resumed = admin.get_with("/v1/changes/stream?from=head&cursor=nonsense", ("Last-Event-ID", after_first));
    assert_eq!(events(&resumed.text)[0].data, listed[1]);
    assert_eq!(admin.all(&format!("/v1/changes?cursor={after_first}")), listed[1..]);
    let at_head = admin.get_with("/v1/changes/stream", ("Last-Event-ID", &last.id));
    assert_eq!(events(&at_head.text).iter().filter(|event| event.name == "change").count(), 0);
}

#[test]
fn what_happens_is_heard_at_once_even_by_clients_that_take_compressed_answers() {
    let (_, admin) = workspace();
    let listener = admin.listen("?from=head", &[("Accept-Encoding", "gzip, br, zstd")]);
    assert_eq!((listener.status, listener.encoding.as_str()), (200, ""));
    assert_eq!(listener.next().unwrap().name, "head");
    for number in 0..3 {
        let contact = admin.create("/v1/contacts", &json!({"first_name": format!("Ada {number}")}));
        let heard = listener.change();
        assert_eq!(heard.data["record"]["id"], contact["id"]);
        assert!(!heard.id.is_empty());
    }
}

#[test]
fn what_other_servers_write_is_heard() {
    let (_, admin) = workspace();
    let other = Rapport::serve(&["--database-url", &database_url(), "--no-worker"]);
    let there = Caller::new(&other.base, Some(admin.credential().to_owned()));
    let (here_heard, there_heard) = (admin.listen("?from=head", &[]), there.listen("?from=head", &[]));
    for writer in [&admin, &there] {
        let company = writer.create("/v1/companies", &json!({"name": "Engines"}));
        for listener in [&here_heard, &there_heard] {
            assert_eq!(listener.change().data["record"]["id"], company["id"]);
        }
    }
    other.stop();
}

#[test]
fn a_stream_ends_with_its_credential() {
    let (workspace, admin) = workspace();
    let issued = admin.create("/v1/api_keys", &json!({"name": "listener", "scopes": ["contacts:read"]}));
    let listener = admin.with(issued["key"].as_str().unwrap()).listen("", &[]);
    assert_eq!(listener.next().unwrap().name, "head");
    admin.delete(&format!("/v1/api_keys/{}", id(&issued))).expect(204);
    listener.end();

    let user = workspace.signed_in(rapport_domain::access::StandardRole::Agent);
    let listener = user.listen("", &[]);
    assert_eq!(listener.next().unwrap().name, "head");
    user.post("/v1/auth/logout", &json!(null)).expect(204);
    listener.end();
}

#[test]
fn rights_that_change_count_for_a_stream_that_is_open() {
    let (workspace, admin) = workspace();
    let user = workspace.user("eva@example.com", rapport_domain::access::StandardRole::Agent, "a long enough password");
    let caller = workspace.sign_in("eva@example.com", "a long enough password");
    let listener = caller.listen("?from=head", &[]);
    assert_eq!(listener.next().unwrap().name, "head");
    let rule = json!({"resource": "companies", "read": "all"});
    let role = admin.create("/v1/roles", &json!({"name": "Companies", "rules": [rule]}));
    admin.patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role["id"]]})).expect(200);
    // Rights are asked for anew after a second at the latest.
    thread::sleep(Duration::from_millis(1_600));
    admin.create("/v1/contacts", &json!({"first_name": "Unheard"}));
    let company = admin.create("/v1/companies", &json!({"name": "Heard"}));
    assert_eq!(listener.change().data["record"]["id"], company["id"]);
}

#[test]
fn who_reads_on_behalf_of_a_user_hears_what_they_hear() {
    let (workspace, admin) = workspace();
    let user = workspace.user("eva@example.com", rapport_domain::access::StandardRole::Agent, "a long enough password");
    let rule = json!({"resource": "companies", "read": "all"});
    let role = admin.create("/v1/roles", &json!({"name": "Companies", "rules": [rule]}));
    admin.patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role["id"]]})).expect(200);
    let listener = admin.listen("?from=head", &[("On-Behalf-Of", &user)]);
    assert_eq!(listener.next().unwrap().name, "head");
    for _ in 0..2 {
        admin.create("/v1/contacts", &json!({"first_name": "Unheard"}));
        let company = admin.create("/v1/companies", &json!({"name": "Heard"}));
        assert_eq!(listener.change().data["record"]["id"], company["id"]);
        thread::sleep(Duration::from_millis(1_100)); // so that rights are asked for in between
    }
    let noted = workspace.audit().iter().filter(|entry| entry["event"] == "user.read_on_behalf").count();
    assert_eq!(noted, 1, "a stream is noted once");
}

#[test]
fn a_stream_ends_when_the_server_stops() {
    let (_, admin) = workspace();
    let server = Rapport::serve(&["--database-url", &database_url(), "--no-worker"]);
    let listener = Caller::new(&server.base, Some(admin.credential().to_owned())).listen("", &[]);
    assert_eq!(listener.next().unwrap().name, "head");
    let asked = Instant::now();
    server.stop();
    assert!(asked.elapsed() < Duration::from_secs(15), "the server waited for a stream: {:?}", asked.elapsed());
    listener.end();
}

#[test]
fn nobody_has_more_streams_than_there_are_places_for() {
    let (workspace, admin) = workspace();
    let listeners: Vec<Listener> = (0..10).map(|_| admin.listen("?from=head", &[])).collect();
    assert!(listeners.iter().all(|listener| listener.next().unwrap().name == "head"));
    let refused = admin.get("/v1/changes/stream");
    refused.expect_problem(429, "too_many_streams");
    assert_eq!(refused.header("retry-after"), "10");
    workspace.admin().get("/v1/changes/stream").expect(200);

    drop(listeners);
    // Who has gone is noticed when something is said to them.
    let deadline = Instant::now() + Duration::from_secs(60);
    while admin.get("/v1/changes/stream").status != 200 {
        assert!(Instant::now() < deadline, "places do not come free");
        admin.create("/v1/companies", &json!({"name": "Engines"}));
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_is_wrong_with_a_stream_is_a_problem() {
    let (_, admin) = workspace();
    admin.get_with("/v1/changes/stream", ("Last-Event-ID", "nonsense")).expect_errors(&[("cursor", "invalid_cursor")]);
    admin.get("/v1/changes/stream?until=noon").expect_errors(&[("until", "unknown_value")]);
    let of_another = head(&admin, "&kind=contact");
    admin.get(&format!("/v1/changes/stream?cursor={of_another}")).expect_problem(400, "cursor_mismatch");
    Caller::new(&base(), None).get("/v1/changes/stream").expect_problem(401, "unauthorized");
    anonymous().get("/v1/changes").expect_problem(401, "unauthorized");
}

/// By hand: whoever calls for tests reads a stream to the head, which would end by itself.
#[test]
fn head_asks_for_a_stream_and_gets_an_answer_that_ends() {
    let (_, admin) = workspace();
    let mut connection = TcpStream::connect(base().trim_start_matches("http://")).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let key = admin.credential();
    let request = format!(
        "HEAD /v1/changes/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
}
