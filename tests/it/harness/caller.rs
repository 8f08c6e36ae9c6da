//! Callers: whoever speaks to the server. Every answer they get is checked against the published document.

use std::{sync::LazyLock, time::Duration};

use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{Request, Response, header::HeaderMap, request::Builder},
};

use super::{contract, listener::Listener};

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .max_idle_connections_per_host(64)
        .max_idle_age(Duration::from_secs(3)) // the server closes what is idle for five
        .input_buffer_size(16 * 1024)
        .build()
        .into()
});

/// Where changes are streamed.
const STREAM: &str = "/v1/changes/stream";

/// Somebody who calls the API.
#[derive(Clone)]
pub struct Caller {
    base: String,
    credential: Option<String>,
    /// What a proxy that is trusted says of the address.
    address: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body; null when there is none or it is not JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Caller {
    pub fn new(base: &str, credential: Option<String>) -> Self {
        Self { base: base.to_owned(), credential, address: None }
    }

    /// The same at another address: the test servers believe what they are told about it.
    pub fn at(&self, address: &str) -> Self {
        Self { address: Some(address.to_owned()), ..self.clone() }
    }

    /// The same with another credential.
    pub fn with(&self, credential: &str) -> Self {
        Self { credential: Some(credential.to_owned()), ..self.clone() }
    }

    /// What proves who calls.
    pub fn credential(&self) -> &str {
        self.credential.as_deref().unwrap_or_default()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        self.send("GET", path, &[header], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[JSON], Some(body.to_string().into_bytes()))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[JSON], Some(body.to_string().into_bytes()))
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[JSON], Some(body.to_string().into_bytes()))
    }

    pub fn patch_if(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[JSON, ("If-Match", etag)], Some(body.to_string().into_bytes()))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// Creates a record and gives it.
    pub fn create(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body);
        answer.expect(201);
        answer.body
    }

    /// Sends any request at all.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        let answer = self.send_unchecked(method, path, headers, body);
        contract::check(method, path, &answer);
        answer
    }

    /// Sends a request whose answer the document need not know. A stream is read up to the head of the feed: it has no other
    /// end, and whoever wants to hear more of it is a [`Listener`].
    pub fn send_unchecked(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        let path = &match path.split_once('?') {
            None if path == STREAM => format!("{path}?until=head"),
            Some((STREAM, query)) if !query.contains("until=") => format!("{path}&until=head"),
            _ => path.to_owned(),
        };
        let request = self.request(method, path, headers);
        let answered = match body {
            Some(body) => AGENT.run(request.body(body).unwrap()),
            None => AGENT.run(request.body(()).unwrap()),
        };
        Answer::read(answered.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }

    /// Listens to the stream of changes, from the answer on. Fails when the answer is none.
    pub fn listen(&self, query: &str, headers: &[(&str, &str)]) -> Listener {
        let request = self.request("GET", &format!("{STREAM}{query}"), headers);
        Listener::new(AGENT.run(request.body(()).unwrap()).unwrap())
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Builder {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(credential) = &self.credential {
            request = request.header("Authorization", format!("Bearer {credential}"));
        }
        if let Some(address) = &self.address {
            request = request.header("X-Forwarded-For", address);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    }

    /// Sends a request and gives nothing when the server is gone.
    pub fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.try_send("POST", path, &[JSON], body)
    }

    /// Sends a request with a body and gives nothing when the server is gone.
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {}", self.credential()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answered = AGENT.run(request.body(body.to_string()).unwrap()).ok()?;
        let status = answered.status().as_u16();
        let text = answered.body_mut().read_to_string().ok()?;
        let body = serde_json::from_str(&text).ok()?;
        Some(Answer { status, headers: answered.headers().clone(), body, text })
    }

    /// Everything in a list, page by page; of the change feed, everything so far.
    pub fn all(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        let separator = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = match &cursor {
                None => self.get(path),
                Some(cursor) => self.get(&format!("{path}{separator}cursor={cursor}")),
            };
            page.expect(200);
            all.extend(page.body["data"].as_array().unwrap().iter().cloned());
            match page.body["next_cursor"].as_str() {
                Some(_) if page.body["has_more"] == false => return all,
                Some(next) => cursor = Some(next.to_owned()),
                None => return all,
            }
        }
    }
}

pub const JSON: (&str, &str) = ("Content-Type", "application/json");

impl Answer {
    fn read(mut response: Response<Body>) -> Self {
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status: response.status().as_u16(), headers: response.headers().clone(), body, text }
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text);
    }

    /// Fails unless this is a problem of this status and code.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) {
        self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["code"], code, "{}", self.text);
    }

    /// Fails unless exactly these places are named, as (pointer or parameter, code).
    #[track_caller]
    pub fn expect_errors(&self, expected: &[(&str, &str)]) {
        let place =
            |error: &Value| error["pointer"].as_str().or(error["parameter"].as_str()).unwrap_or_default().to_owned();
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("{}", self.text));
        let mut named: Vec<_> =
            errors.iter().map(|error| (place(error), error["code"].as_str().unwrap().to_owned())).collect();
        named.sort();
        let mut expected: Vec<_> =
            expected.iter().map(|(place, code)| ((*place).to_owned(), (*code).to_owned())).collect();
        expected.sort();
        assert_eq!(named, expected, "{}", self.text);
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The names of the records of a list.
    pub fn names(&self) -> Vec<&str> {
        self.body["data"].as_array().unwrap().iter().map(|record| record["name"].as_str().unwrap()).collect()
    }
}
