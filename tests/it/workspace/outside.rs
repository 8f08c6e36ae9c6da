//! Tokens of an outside identity provider, which here is a thread of the test.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{
    Caller, Rapport, Workspace, database_url,
    forge::{Forged, now},
};

const ISSUER: &str = "https://login.example.com";
const EMAIL: &str = "mara@example.com";

/// An identity provider on this machine.
struct Provider {
    url: String,
    /// What it answers: status line and body.
    answer: Arc<Mutex<(String, String)>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(("200 OK".to_owned(), json!({"keys": []}).to_string())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (answers, count) = (Arc::clone(&answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let _hung_up = Self::reply(stream, &answers.lock().unwrap());
            }
        });
        Self { url, answer, asked }
    }

    fn reply(mut stream: TcpStream, (status, body): &(String, String)) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    fn publish(&self, keys: &[Value]) {
        *self.answer.lock().unwrap() = ("200 OK".to_owned(), json!({"keys": keys}).to_string());
    }

    fn fail(&self, status: &str, body: &str) {
        *self.answer.lock().unwrap() = (status.to_owned(), body.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A server beside the shared one that takes the tokens of this provider.
    fn server(&self, more: &[&str]) -> Rapport {
        let url = database_url();
        let arguments = [
            &["--no-worker", "--database-url", &url, "--oidc-issuer", ISSUER, "--oidc-audience", "rapport"][..],
            &["--oidc-jwks-url", &self.url, "--oidc-insecure-loopback"],
            more,
        ];
        Rapport::serve(&arguments.concat())
    }
}

/// A token of the provider, signed with the key that begins with this byte.
fn token(workspace: &Workspace, key: u8) -> Forged {
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": format!("key-{key}")});
    let claims = json!({
        "iss": ISSUER, "aud": ["rapport", "other"], "sub": "4711", "iat": now(), "exp": now() + 300,
        "email": EMAIL, "email_verified": true, "workspace": workspace.name,
    });
    Forged::with_key(&[key; 32], header, claims)
}

fn status(server: &Rapport, token: &str) -> u16 {
    Caller::new(&server.base, Some(token.to_owned())).get("/v1/me").status
}

fn somebody() -> Workspace {
    let workspace = Workspace::new();
    workspace.user(EMAIL, StandardRole::Agent, "a long enough password");
    workspace
}

#[test]
fn a_user_is_known_by_the_verified_address() {
    let (provider, workspace) = (Provider::start(), somebody());
    let right = token(&workspace, 1);
    provider.publish(&[right.jwk("key-1")]);
    let server = provider.server(&[]);
    let caller = Caller::new(&server.base, Some(right.sign()));
    let me = caller.get("/v1/me");
    me.expect(200);
    assert_eq!((&me.body["email"], &me.body["kind"]), (&json!(EMAIL), &json!("user")));
    caller.get("/v1/contacts").expect(200);
    caller.send("POST", "/v1/auth/logout", &[], None).expect_problem(409, "conflict");

    // Our own tokens and keys are taken as ever.
    let own = Caller::new(&server.base, Some(workspace.admin().credential().to_owned()));
    own.get("/v1/me").expect(200);
    let login = json!({"workspace": workspace.name, "email": EMAIL, "password": "a long enough password"});
    let own = own.post("/v1/auth/login", &login).body;
    assert_eq!(status(&server, own["access_token"].as_str().unwrap()), 200);
}

#[test]
fn tokens_that_are_not_valid_are_refused() {
    let (provider, workspace) = (Provider::start(), somebody());
    let right = token(&workspace, 1);
    let weak = json!({"kty": "oct", "kid": "secret", "k": "AAAA"});
    provider.publish(&[right.jwk("key-1"), weak]);
    let server = provider.server(&[]);
    assert_eq!(status(&server, &right.sign()), 200);
    assert_eq!(status(&server, &right.head("typ", json!(null)).sign()), 200);
    assert_eq!(status(&server, &right.head("typ", json!("at+jwt")).sign()), 200);

    let (signed, other) = (right.sign(), Workspace::new());
    let (message, signature) = signed.rsplit_once('.').unwrap();
    let unsigned = format!("{}.", right.head("alg", json!("none")).message());
    let confused = right.head("alg", json!("HS256")).message();
    let wrong = [
        ("alg none", unsigned),
        ("HS256", format!("{confused}.{signature}")),
        ("RS256 with a key for ES256", format!("{}.{signature}", right.head("alg", json!("RS256")).message())),
        ("no signature", format!("{message}.")),
        ("somebody else's key", Forged::with_key(&[9; 32], right.header.clone(), right.claims.clone()).sign()),
        ("another kid", right.head("kid", json!("secret")).sign()),
        ("no kid", right.head("kid", json!(null)).sign()),
        ("its own key", right.head("jwk", right.jwk("key-1")).sign()),
        ("jku", right.head("jku", json!(provider.url)).sign()),
        ("crit", right.head("crit", json!(["b64"])).sign()),
        ("a logout token", right.head("typ", json!("logout+jwt")).sign()),
        ("another audience", right.claim("aud", json!("other")).sign()),
        ("no audience", right.claim("aud", json!(null)).sign()),
        ("another issuer", right.claim("iss", json!("https://example.com")).sign()),
        ("issuers", right.claim("iss", json!([ISSUER])).sign()),
        ("no exp", right.claim("exp", json!(null)).sign()),
        ("exp as text", right.claim("exp", json!("9999999999")).sign()),
        ("expired", right.claim("exp", json!(now() - 40)).sign()),
        ("not yet valid", right.claim("nbf", json!(now() + 60)).sign()),
        ("nbf as text", right.claim("nbf", json!("0")).sign()),
        ("no sub", right.claim("sub", json!(null)).sign()),
        ("no address", right.claim("email", json!(null)).sign()),
        ("another address", right.claim("email", json!("nobody@example.com")).sign()),
        ("an address that is not verified", right.claim("email_verified", json!(false)).sign()),
        ("an address that says nothing of it", right.claim("email_verified", json!(null)).sign()),
        ("verified as text", right.claim("email_verified", json!("true")).sign()),
        ("no workspace", right.claim("workspace", json!(null)).sign()),
        ("another workspace", right.claim("workspace", json!(other.name)).sign()),
    ];
    let refused = Caller::new(&server.base, Some("nonsense".to_owned())).get("/v1/me").body;
    for (what, token) in wrong {
        let answer = Caller::new(&server.base, Some(token)).get("/v1/me");
        answer.expect(401);
        assert_eq!(answer.body["detail"], refused["detail"], "{what}");
    }
    assert_eq!(status(&server, &right.claim("jti", json!(1)).sign()), 200);
}

#[test]
fn a_deactivated_user_is_refused_and_nobody_is_created() {
    let (provider, workspace) = (Provider::start(), Workspace::new());
    let right = token(&workspace, 1);
    provider.publish(&[right.jwk("key-1")]);
    let server = provider.server(&[]);
    assert_eq!(status(&server, &right.sign()), 401);
    let id = workspace.user(EMAIL, StandardRole::Agent, "a long enough password");
    assert_eq!(status(&server, &right.claim("jti", json!(1)).sign()), 200);
    workspace.set_state(&id, "deactivated");
    assert_eq!(status(&server, &right.claim("jti", json!(2)).sign()), 401);
}

#[test]
fn keys_are_kept_and_unknown_ones_do_not_ask_each_time() {
    let (provider, workspace) = (Provider::start(), somebody());
    let right = token(&workspace, 1);
    provider.publish(&[right.jwk("key-1")]);
    let server = provider.server(&[]);
    assert_eq!(provider.asked(), 0, "nobody asks before there is a token");
    for number in 0..5 {
        assert_eq!(status(&server, &right.claim("jti", json!(number)).sign()), 200);
    }
    for number in 0..50 {
        assert_eq!(status(&server, &right.head("kid", json!(format!("unknown-{number}"))).sign()), 401);
    }
    assert_eq!(provider.asked(), 1);
}

#[test]
fn a_new_key_of_the_provider_is_found() {
    let (provider, workspace) = (Provider::start(), somebody());
    let (old, new) = (token(&workspace, 1), token(&workspace, 2));
    provider.publish(&[old.jwk("key-1")]);
    let server = provider.server(&["--oidc-refetch-after", "1"]);
    assert_eq!(status(&server, &old.sign()), 200);
    provider.publish(&[new.jwk("key-2")]);
    let mut tries = 0;
    while status(&server, &new.sign()) != 200 {
        tries += 1;
        assert!(tries < 200, "the new key was never found");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(status(&server, &old.claim("jti", json!(1)).sign()), 401, "the old key is gone");
}

#[test]
fn a_provider_that_fails_is_survived() {
    let (provider, workspace) = (Provider::start(), somebody());
    let (right, later) = (token(&workspace, 1), token(&workspace, 2));
    provider.publish(&[right.jwk("key-1")]);
    let server = provider.server(&["--oidc-refetch-after", "1"]);
    assert_eq!(status(&server, &right.sign()), 200);
    let large = json!({"keys": [later.jwk("key-2")], "filler": "x".repeat(300 * 1024)}).to_string();
    let elsewhere = format!("302 Found\r\nLocation: {}", provider.url);
    for (answer, body) in [("500 Oops", "{}"), ("200 OK", "nonsense"), ("200 OK", &large), (&elsewhere, "")] {
        provider.fail(answer, body);
        let before = provider.asked();
        let mut tries = 0;
        while provider.asked() == before {
            assert_eq!(status(&server, &later.sign()), 401);
            tries += 1;
            assert!(tries < 200, "it was never asked");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(provider.asked(), before + 1, "nobody follows");
        assert_eq!(status(&server, &right.claim("jti", json!(before)).sign()), 200, "known keys are used further");
    }
}

/// Only this test's server has the option that lets it call this machine.
#[test]
fn keys_are_not_fetched_from_inside() {
    let (provider, workspace) = (Provider::start(), somebody());
    let right = token(&workspace, 1);
    provider.publish(&[right.jwk("key-1")]);
    let url = database_url();
    let port = provider.url.split(':').next_back().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let inside = format!("https://{host}:{port}");
        let server = Rapport::serve(&[
            "--no-worker",
            "--database-url",
            &url,
            "--oidc-issuer",
            ISSUER,
            "--oidc-audience",
            "rapport",
            "--oidc-jwks-url",
            &inside,
        ]);
        assert_eq!(status(&server, &right.sign()), 401);
        assert_eq!(provider.asked(), 0, "{host}");
    }
    let plain = ["--database-url", &url, "--oidc-issuer", ISSUER, "--oidc-audience", "rapport"];
    let refused = Rapport::try_serve(&[&plain[..], &["--oidc-jwks-url", &provider.url]].concat());
    assert!(refused.err().unwrap().contains("https://"));
    let incomplete = Rapport::try_serve(&["--oidc-issuer", ISSUER]);
    assert!(incomplete.err().unwrap().contains("--oidc-audience"));
}
