//! Whatever is sent, the answer is a problem that names the place: never a 500, never a stack, never SQL.

use serde_json::{Value, json};

use super::samples;
use crate::harness::{
    Answer, anonymous,
    contract::{Operation, operations, resolve, schema},
    workspace,
};

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn harmless(context: &str, answer: &Answer) {
    assert!((200..500).contains(&answer.status), "{context}: {} {}", answer.status, answer.text);
    for leak in ["panicked", "SELECT ", "INSERT ", "diesel", "postgres", "src/"] {
        assert!(!answer.text.contains(leak), "{context} tells {leak}: {}", answer.text);
    }
}

fn with_bodies() -> Vec<Operation> {
    operations().into_iter().filter(|operation| operation.body().is_some()).collect()
}

#[test]
fn unreadable_bodies_are_refused() {
    let (_, admin) = workspace();
    for operation in with_bodies() {
        let id = if operation.has_id() { samples::record_for(&operation.path, &admin) } else { String::new() };
        let path = operation.path_with(&id);
        let send =
            |headers: &[(&str, &str)], body: &[u8]| admin.send(&operation.method, &path, headers, Some(body.to_vec()));
        for malformed in [&b"{"[..], b"", b"{\"a\":}", b"\xff\xfe", b"{} {}", b"{\"a\":1e999999}", b"\"\\ud800\""] {
            send(&[JSON], malformed).expect_problem(400, "malformed_request");
        }
        let deep = "[".repeat(30_000); // small enough for every operation
        send(&[JSON], deep.as_bytes()).expect_problem(400, "malformed_request");
        for kind in ["text/plain", "application/xml", "multipart/form-data", "application/json;charset=utf-16"] {
            send(&[("Content-Type", kind)], b"{}").expect_problem(415, "unsupported_media_type");
        }
        send(&[], b"{}").expect_problem(415, "unsupported_media_type");
        send(&[JSON, ("Content-Encoding", "gzip")], b"{}").expect_problem(415, "unsupported_media_type");
        for wrong in ["[]", "null", "1", "\"text\"", "true"] {
            send(&[JSON], wrong.as_bytes()).expect_problem(422, "validation_failed");
        }
        send(&[JSON], b"{\"no_such_field\":1}").expect_problem(422, "validation_failed");
    }
}

#[test]
fn oversize_bodies_are_refused() {
    let (_, admin) = workspace();
    for operation in with_bodies() {
        let path = operation.path_with("0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b");
        let large = json!({"first_name": "x".repeat(3 * 1024 * 1024)}).to_string().into_bytes();
        admin.send(&operation.method, &path, &[JSON], Some(large)).expect_problem(413, "payload_too_large");
    }
}

/// Every field of every body takes every hostile value in turn.
#[test]
fn hostile_values_never_break_anything() {
    let hostile = [
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("x".repeat(100_000)),
        json!("'; DROP TABLE contacts; --"),
        json!("\u{202e}\u{feff}\u{1F4A9}"),
        json!(99999999999999999999999999999_f64),
        json!(i64::MIN),
        json!(-0.0),
        json!("9999-99-99"),
        json!("0000-00-00"),
        json!("0000-05-01"),
        json!("-4713-01-01"),
        json!("NaN"),
        json!(true),
        json!({}),
        json!([]),
        json!([[[[]]]]),
        json!([null]),
        json!({"$ref": "#"}),
        json!([{"address": "a@b"}, {"number": "\u{0}"}]),
    ];
    let (_, admin) = workspace();
    for operation in with_bodies() {
        let name = operation.body().unwrap();
        let id = if operation.has_id() { samples::record_for(&operation.path, &admin) } else { String::new() };
        let path = operation.path_with(&id);
        for field in schema(name)["properties"].as_object().unwrap().keys() {
            for value in &hostile {
                let mut body = samples::body(name, "hostile");
                body[field] = value.clone();
                let context =
                    format!("{} {field}={}", operation.id(), &value.to_string().chars().take(40).collect::<String>());
                harmless(&context, &admin.send(&operation.method, &path, &[JSON], Some(body.to_string().into_bytes())));
            }
        }
    }
}

#[test]
fn hostile_parameters_never_break_anything() {
    let hostile = [
        "",
        "%00",
        "%FF",
        "%ED%A0%80",
        "-1",
        "0",
        "99999999999999999999",
        "1e9",
        "null",
        "%27%3B--",
        "%25%5F%5C",
        "[]",
        "{}",
    ];
    let (_, admin) = workspace();
    for operation in operations() {
        let id = if operation.has_id() { samples::record_for(&operation.path, &admin) } else { "not_found".to_owned() };
        for parameter in operation.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            for value in hostile {
                let path = format!("{}?{name}={value}", operation.path_with(&id));
                let body = operation.body().map(|name| samples::body(name, "hostile").to_string().into_bytes());
                harmless(&path, &admin.send(&operation.method, &path, &[JSON], body));
            }
        }
        let query = match samples::query_with_records(operation.id(), &admin) {
            query if query.is_empty() => "?no_such_parameter=1".to_owned(),
            query => format!("{query}&no_such_parameter=1"),
        };
        let path = operation.path_with(&id) + &query;
        let body = operation.body().map(|name| samples::body(name, "hostile").to_string().into_bytes());
        let answer = admin.send(&operation.method, &path, &[JSON], body);
        answer.expect_problem(400, "invalid_query");
        answer.expect_errors(&[("no_such_parameter", "unknown_parameter")]);
    }
}

#[test]
fn hostile_ids_are_ids_of_nothing() {
    let (_, admin) = workspace();
    for operation in operations().iter().filter(|operation| operation.has_id()) {
        for id in ["1", "nonsense", "%00", "%2e%2e", "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5", "%F0%9F%92%A9", "null"] {
            admin.send(&operation.method, &operation.path_with(id), &[], None).expect_problem(404, "not_found");
        }
    }
}

#[test]
fn hostile_headers_are_refused_or_ignored() {
    let (_, admin) = workspace();
    let id = samples::record_for("/v1/contacts/{contact_id}", &admin);
    let path = format!("/v1/contacts/{id}");
    for etag in ["3", "\"a\"", "W/\"1\"", "\"1\", \"2\"", "\"\"", "\"99999999999999999999\"", "-"] {
        let answer = admin.patch_if(&path, etag, &json!({"job_title": "x"}));
        answer.expect_problem(400, "invalid_header");
        assert_eq!(answer.body["errors"][0]["header"], "If-Match");
    }
    for known in ["nonsense", "\"99999999999999999999\"", "W/"] {
        admin.get_with(&path, ("If-None-Match", known)).expect(200);
    }
    admin.get_with(&path, ("If-None-Match", "\u{84}")).expect_problem(400, "invalid_header");
    for request_id in ["short", "with space", &"x".repeat(65)] {
        let answer = admin.get_with(&path, ("X-Request-Id", request_id));
        assert_ne!(answer.header("x-request-id"), request_id);
    }
    assert_eq!(admin.get_with(&path, ("X-Request-Id", "my-request.1")).header("x-request-id"), "my-request.1");
}

#[test]
fn unknown_addresses_are_problems() {
    for path in
        ["/", "/v1", "/v1/", "/v1/nonsense", "/v2/contacts", "/v1/contacts/", "//v1/contacts", "/v1/contacts/1/2/3"]
    {
        anonymous().send_unchecked("GET", path, &[], None).expect_problem(404, "not_found");
    }
}

/// Limits of the schemas hold at their edges: what is just allowed goes in, one more does not.
#[test]
fn limits_hold_at_their_edges() {
    let (_, admin) = workspace();
    for (collection, name) in samples::collections() {
        for (field, property) in schema(name)["properties"].as_object().unwrap() {
            let Some(most) = resolve(property)["maxLength"].as_u64() else { continue };
            if property["format"].is_string() || property["pattern"].is_string() || field == "domain" {
                continue;
            }
            let attempt = |length: u64| {
                let unique = uuid::Uuid::now_v7().simple().to_string();
                let mut body = samples::body_with_records(name, &unique, &admin);
                if field == "lost_note" {
                    body["status"] = json!("junk"); // only what is lost has one
                }
                body[field] = Value::String("ä".repeat(length as usize));
                admin.post(&collection, &body)
            };
            attempt(most).expect(201);
            attempt(most + 1).expect_errors(&[(&format!("/{field}"), "too_long")]);
            attempt(0).expect_errors(&[(&format!("/{field}"), "empty")]);
        }
    }
}
