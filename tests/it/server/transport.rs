//! What the transport promises: methods, compression, origins, health.

use serde_json::json;

use crate::harness::{Rapport, anonymous, base, workspace};

#[test]
fn the_server_says_how_it_is() {
    for path in ["/livez", "/readyz"] {
        let answer = anonymous().get(path);
        answer.expect(200);
        assert_eq!(answer.body["status"], "ok");
    }
}

#[test]
fn head_is_get_without_a_body() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    let head = admin.send_unchecked("HEAD", &path, &[], None);
    head.expect(200);
    assert_eq!(head.header("etag"), "\"1\"");
    assert!(head.text.is_empty());
}

#[test]
fn large_answers_are_compressed_and_small_ones_are_not() {
    let (_, admin) = workspace();
    for number in 0..5 {
        admin.create("/v1/contacts", &json!({"first_name": format!("Ada {number}")}));
    }
    for encoding in ["gzip", "br", "zstd"] {
        let large = admin.send_unchecked("GET", "/v1/contacts", &[("Accept-Encoding", encoding)], None);
        assert_eq!(large.header("content-encoding"), encoding);
        let small =
            admin.send_unchecked("GET", "/v1/contacts?limit=1&fields=name", &[("Accept-Encoding", encoding)], None);
        assert_eq!(small.header("content-encoding"), "");
        assert_eq!(small.body["data"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn every_answer_is_private_and_taken_for_what_it_is() {
    let (_, admin) = workspace();
    let answer = admin.get("/v1/contacts");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("x-request-id").len() >= 8);
}

#[test]
fn only_origins_that_were_named_may_call_from_browsers() {
    let server =
        Rapport::serve(&["--database-url", &crate::harness::database_url(), "--cors-origin", "https://app.example"]);
    let preflight = |origin: &str| {
        let caller = crate::harness::Caller::new(&server.base, None);
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "authorization,if-match,content-type"),
        ];
        caller.send_unchecked("OPTIONS", "/v1/contacts", &headers, None)
    };
    let allowed = preflight("https://app.example");
    allowed.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(preflight("https://evil.example").header("access-control-allow-origin"), "");
    assert_eq!(preflight("https://app.example.evil").header("access-control-allow-origin"), "");
    server.stop();
}

#[test]
fn measurements_are_read_where_they_are_listened_for() {
    let server =
        Rapport::serve(&["--database-url", &crate::harness::database_url(), "--metrics-listen", "127.0.0.1:0"]);
    let metrics =
        server.welcome.lines().find_map(|line| line.trim().strip_prefix("Metrics")).unwrap().trim().to_owned();
    let caller = crate::harness::Caller::new(&server.base, None);
    caller.get("/livez").expect(200);
    let measured = crate::harness::Caller::new(metrics.trim_end_matches("/metrics"), None);
    let answer = measured.send_unchecked("GET", "/metrics", &[], None);
    assert!(
        answer.text.contains("rapport_http_requests_total{operation=\"get_liveness\",status=\"200\"} 1"),
        "{}",
        answer.text
    );
    caller.send_unchecked("GET", "/metrics", &[], None).expect_problem(404, "not_found");
    server.stop();
}

#[test]
fn a_request_head_that_is_no_http_is_refused() {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(base().trim_start_matches("http://")).unwrap();
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
