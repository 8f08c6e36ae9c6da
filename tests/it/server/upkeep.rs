//! What a server does by itself, without being asked.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{JSON, Rapport, change_database, database_url, is_in_database, workspace};

#[test]
fn a_server_that_starts_forgets_old_keys() {
    let (_, admin) = workspace();
    let create = |key: &str| {
        let body = json!({"name": "Nordlicht"}).to_string().into_bytes();
        admin.send("POST", "/v1/companies", &[JSON, ("Idempotency-Key", key)], Some(body)).expect(201);
    };
    let [old, young] = ["old", "young"].map(|age| format!("{age}-{}", uuid::Uuid::now_v7()));
    create(&old);
    create(&young);
    change_database(&format!("UPDATE idempotency_keys SET created_at = now() - interval '8 days' WHERE key = '{old}'"));
    let is_kept = |key: &str| is_in_database(&format!("SELECT FROM idempotency_keys WHERE key = '{key}'"));
    assert!(is_kept(&old), "the server that runs looks once an hour");

    let server = Rapport::serve(&["--database-url", &database_url()]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_kept(&old) {
        assert!(Instant::now() < deadline, "nothing was forgotten");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(is_kept(&young));
    server.stop();
}
