//! Access tokens: those that are valid, those that are not, and the keys that they are signed with.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use p256::{
    EncodedPoint,
    ecdsa::{Signature, VerifyingKey, signature::Verifier},
};
use rapport_domain::access::StandardRole;
use rapport_http::auth::signing;
use rapport_persistence::{
    Clock, Db, DbOptions,
    workspace::signing_keys::{self, Old},
};
use serde_json::{Value, json};

use crate::harness::{
    Answer, Caller, Rapport, Workspace, anonymous, base,
    forge::{Forged, now, read},
    in_database, rapport, workspace,
};

fn bearer(token: &str) -> Caller {
    Caller::new(&base(), Some(token.to_owned()))
}

/// What tells one refusal from another: the whole answer except the request's id, and the time.
fn appearance(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    body["request_id"].take();
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| {
            // Some lists have their entries in any order.
            let mut entries: Vec<&str> = value.to_str().unwrap().split(", ").collect();
            entries.sort_unstable();
            (name.to_string(), entries.join(", "))
        })
        .collect();
    headers.sort();
    (answer.status, body, headers)
}

/// Tokens that differ from a valid one in one thing each.
fn hostile(right: &Forged) -> Vec<(&'static str, String)> {
    let token = right.sign();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let stranger = Forged::with_key(&[7; 32], right.header.clone(), right.claims.clone());
    let time = now();
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[10] ^= 1;
    let mut tokens = vec![
        ("alg none", format!("{}.", right.head("alg", json!("none")).message())),
        ("alg none with the signature", format!("{}.{signature}", right.head("alg", json!("none")).message())),
        ("no signature", format!("{message}.")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{token}.{signature}")),
        ("a flipped bit", format!("{message}.{}", URL_SAFE_NO_PAD.encode(flipped))),
        ("claims of another token", {
            let other = right.claim("sub", json!(uuid::Uuid::now_v7())).message();
            format!("{other}.{signature}")
        }),
        ("somebody else's key", stranger.sign()),
        ("its own key", stranger.head("jwk", stranger.jwk("own")).sign()),
        ("its own key's address", stranger.head("jku", json!("https://example.com/jwks.json")).sign()),
        ("jku, else right", right.head("jku", json!("https://example.com/jwks.json")).sign()),
        ("jwk, else right", right.head("jwk", right.jwk("own")).sign()),
        ("x5u, else right", right.head("x5u", json!("https://example.com/key.pem")).sign()),
        ("x5c, else right", right.head("x5c", json!(["AAAA"])).sign()),
        ("crit, else right", right.head("crit", json!(["exp"])).sign()),
        ("no kid", right.head("kid", json!(null)).sign()),
        ("unknown kid", right.head("kid", json!(uuid::Uuid::now_v7())).sign()),
        ("kid that is a path", right.head("kid", json!("../../etc/passwd")).sign()),
        ("kid that is a query", right.head("kid", json!("' OR 1=1 --\u{0}")).sign()),
        ("kid that is a number", right.head("kid", json!(1)).sign()),
        ("typ JWT", right.head("typ", json!("JWT")).sign()),
        ("no typ", right.head("typ", json!(null)).sign()),
        ("alg ES384", right.head("alg", json!("ES384")).sign()),
        ("expired by a second over the leeway", right.claim("exp", json!(time - 31)).sign()),
        ("valid from a minute on", right.claim("nbf", json!(time + 60)).sign()),
        ("exp as a fraction far ago", right.claim("exp", json!(0.5)).sign()),
        ("exp as large as can be", right.claim("exp", json!(u64::MAX)).sign()),
        ("wrong iss", right.claim("iss", json!("https://example.com")).sign()),
        ("wrong aud", right.claim("aud", json!("somebody-else")).sign()),
        ("iss as a list", right.claim("iss", json!(["rapport"])).sign()),
        ("a user that is not there", right.claim("sub", json!(uuid::Uuid::now_v7())).sign()),
        ("a session that is not there", right.claim("sid", json!(uuid::Uuid::now_v7())).sign()),
        ("no session", right.claim("sid", json!(null)).sign()),
        ("a program without a session", right.claim("sid", json!(null)).claim("scope", json!("contacts:read")).sign()),
        ("100 KB", format!("{message}{}.{signature}", "A".repeat(100_000))),
        ("nothing but dots", "..".to_owned()),
        ("claims that are a list", format!("{}.{}.{signature}", message.split('.').next().unwrap(), "W10")),
    ];
    for claim in ["iss", "aud", "exp", "nbf", "sub", "jti", "iat", "workspace"] {
        tokens.push(("a claim left out", right.claim(claim, json!(null)).sign()));
    }
    for claim in ["exp", "nbf", "iat"] {
        let text = right.claims[claim].to_string();
        tokens.push(("a time as text", right.claim(claim, json!(text)).sign()));
        tokens.push(("a time as a list", right.claim(claim, json!([right.claims[claim]])).sign()));
    }
    for secret in [right.public_key.clone(), right.jwk("x").to_string().into_bytes(), Vec::new()] {
        let confused = right.head("alg", json!("HS256")).message();
        let key = EncodingKey::from_secret(&secret);
        let mac = jsonwebtoken::crypto::sign(confused.as_bytes(), &key, Algorithm::HS256).unwrap();
        tokens.push(("HS256 with the public key", format!("{confused}.{mac}")));
    }
    tokens
}

#[test]
fn every_token_that_is_not_valid_is_refused_in_one_way() {
    let (workspace, admin) = workspace();
    let other = Workspace::new();
    let user = workspace.signed_in(StandardRole::Admin);
    let right = Forged::twin(user.credential());
    // The forge is good: what it signs is taken, up to the edges of the leeway.
    bearer(&right.sign()).get("/v1/me").expect(200);
    bearer(&right.claim("exp", json!(now() - 20)).sign()).get("/v1/me").expect(200);
    bearer(&right.claim("nbf", json!(now() + 20)).sign()).get("/v1/me").expect(200);

    let mut tokens = hostile(&right);
    tokens.push(("an id of another workspace", right.claim("workspace", json!(other.id.to_string())).sign()));

    let ended = workspace.login("admin@example.com", "a long enough password").body;
    let revoked = ended["access_token"].as_str().unwrap();
    bearer(revoked).get("/v1/me").expect(200);
    bearer(revoked).send("POST", "/v1/auth/logout", &[], None).expect(204);
    tokens.push(("a session that was ended", revoked.to_owned()));
    tokens.push(("a refresh token", ended["refresh_token"].as_str().unwrap().to_owned()));

    let mut flipped = admin.credential().to_owned();
    let last = flipped.pop().unwrap();
    flipped.push(if last == '0' { '1' } else { '0' });
    tokens.push(("a key with a flipped checksum", flipped));
    tokens.push(("a key that nobody has", rapport_http::auth::api_key::mint().unwrap().key));

    let refused = appearance(&bearer("nonsense").get("/v1/me"));
    assert_eq!(refused.0, 401);
    for (what, token) in tokens {
        assert_eq!(appearance(&bearer(&token).get("/v1/me")), refused, "{what}: {}", &token[..token.len().min(2000)]);
        assert_eq!(appearance(&bearer(&token).get("/v1/contacts")), refused, "{what}");
    }
    user.get("/v1/me").expect(200);
}

#[test]
fn the_token_of_a_deactivated_user_is_refused() {
    let workspace = Workspace::new();
    let user = workspace.signed_in(StandardRole::Agent);
    let id = user.get("/v1/me").body["id"].as_str().unwrap().to_owned();
    workspace.set_state(&id, "deactivated");
    // Another token of the same session, because the first one was just found valid.
    let refused = bearer(&Forged::twin(user.credential()).claim("jti", json!(uuid::Uuid::now_v7())).sign());
    assert_eq!(appearance(&refused.get("/v1/me")), appearance(&bearer("nonsense").get("/v1/me")));
    workspace.set_state(&id, "active");
    refused.get("/v1/me").expect(200);
}

/// The server reads no more than 128 KiB of the head of a request, so such a token never arrives.
#[test]
fn a_megabyte_is_refused_before_it_is_read() {
    let address = base().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let _refused_early = write!(stream, "GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ");
    let _refused_early = stream.write_all("A".repeat(1024 * 1024).as_bytes());
    let _refused_early = stream.write_all(b"\r\n\r\n");
    let mut answer = Vec::new();
    let _cut_off = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    anonymous().get("/livez").expect(200);
}

#[test]
fn anybody_can_check_a_token_with_the_published_keys() {
    let token = Workspace::new().signed_in(StandardRole::ReadOnly).credential().to_owned();
    let published = anonymous().get("/.well-known/jwks.json");
    published.expect(200);
    assert_eq!(published.header("cache-control"), "public, max-age=300");

    let (header, claims) = read(&token);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("rapport"), &json!("rapport-api")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);

    let keys = published.body["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!(key.as_object().unwrap().keys().collect::<Vec<_>>(), ["kty", "use", "alg", "kid", "crv", "x", "y"]);
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let checking = VerifyingKey::from_encoded_point(&EncodedPoint::from_bytes(point).unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    checking.verify(message.as_bytes(), &signature).unwrap();
}

/// A server with a database of its own, because its keys change.
struct Own {
    server: Rapport,
    db: Db,
    login: Value,
}

impl Own {
    fn start() -> Self {
        let server = Rapport::serve(&["--ephemeral", "--demo"]);
        let db = Db::open(&server.database_url(), &DbOptions::default(), Clock::system());
        let login = json!({"workspace": "demo", "email": "mara@demo.example", "password": "rapport-demo-password"});
        Self { server, db, login }
    }

    fn sign_in(&self) -> Value {
        let answer = Caller::new(&self.server.base, None).post("/v1/auth/login", &self.login);
        answer.expect(200);
        answer.body
    }

    fn status(&self, token: &str) -> u16 {
        Caller::new(&self.server.base, Some(token.to_owned())).get("/v1/me").status
    }

    fn published(&self) -> Vec<Value> {
        let keys = Caller::new(&self.server.base, None).get("/.well-known/jwks.json").body["keys"].take();
        keys.as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    }
}

fn token_of(tokens: &Value) -> String {
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_key_signs_and_old_tokens_live_on() {
    let own = Own::start();
    let old = token_of(&own.sign_in());
    let old_key = read(&old).0["kid"].as_str().unwrap().to_owned();
    assert_eq!(own.published(), [json!(old_key)]);

    // As another server process does it.
    let now = Clock::system().now();
    let new_key = in_database(async |_| signing_keys::rotate(&own.db, signing::make, now, Old::Keep).await.unwrap());
    // A token that names a key which this server has not read yet makes it look.
    let (mut header, claims) = read(&old);
    header["kid"] = json!(new_key.to_string());
    let unknown = Forged::with_key(&[7; 32], header, claims).sign();
    let mut tries = 0;
    while !own.published().contains(&json!(new_key.to_string())) {
        assert_eq!(own.status(&unknown), 401);
        tries += 1;
        assert!(tries < 200, "the new key was never read");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let new = token_of(&own.sign_in());
    assert_eq!(read(&new).0["kid"], json!(new_key.to_string()));
    assert_eq!((own.status(&new), own.status(&old)), (200, 200));
    assert_eq!(own.published().len(), 2);
}

#[test]
fn keys_that_somebody_else_may_have_are_forgotten_on_command() {
    let own = Own::start();
    let tokens = own.sign_in();
    let url = own.server.database_url();
    let kept = rapport(&["admin", "rotate-signing-key", "--database-url", &url]);
    assert!(kept.status.success(), "{kept:?}");
    let forgotten = rapport(&["admin", "rotate-signing-key", "--forget-old", "--database-url", &url]);
    let name = String::from_utf8(forgotten.stdout).unwrap().trim().to_owned();

    // A server that starts now knows the new key alone; clients go on with their refresh tokens.
    let other = Rapport::serve(&["--database-url", &url]);
    let caller = Caller::new(&other.base, Some(token_of(&tokens)));
    caller.get("/v1/me").expect_problem(401, "unauthorized");
    let keys = caller.get("/.well-known/jwks.json").body["keys"].take();
    assert_eq!(keys.as_array().unwrap().len(), 1);
    assert_eq!(keys[0]["kid"], json!(name));
    let fresh = caller.post("/v1/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]}));
    fresh.expect(200);
    assert_eq!(read(&token_of(&fresh.body)).0["kid"], json!(name));
}

/// Made up names of keys must not become queries.
#[test]
fn a_flood_of_unknown_keys_does_not_ask_the_database_each_time() {
    use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
    let own = Own::start();
    let (header, claims) = read(&token_of(&own.sign_in()));
    let forged = Forged::with_key(&[7; 32], header, claims);
    let mut pg = PgConnection::establish(&own.server.database_url()).unwrap();
    let waited = pg.transaction::<_, diesel::result::Error, _>(|pg| {
        // Whoever reads the keys now, waits for seconds.
        sql_query("LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE").execute(pg)?;
        let waits = (0..100).filter(|_| {
            let asked = std::time::Instant::now();
            assert_eq!(own.status(&forged.head("kid", json!(uuid::Uuid::now_v7())).sign()), 401);
            asked.elapsed().as_secs() >= 3
        });
        Ok(waits.count())
    });
    assert!(waited.unwrap() <= 2);
}
