//! What survives: crashes, restarts, lost connections.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use serde_json::{Value, json};

use crate::harness::{Caller, Rapport, caller::JSON, rapport};

fn api_key(data_dir: &str) -> String {
    let made = rapport(&["admin", "create-workspace", "lasting", "--data-dir", data_dir]);
    assert!(made.status.success(), "{made:?}");
    let made =
        rapport(&["admin", "create-api-key", "--workspace", "lasting", "--name", "test", "--data-dir", data_dir]);
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).unwrap();
    assert_eq!(key.lines().count(), 1, "stdout holds the key and nothing else: {key}");
    key.trim().to_owned()
}

#[test]
fn an_acknowledged_contact_survives_kill_9_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data").to_str().unwrap().to_owned();
    let server = Rapport::serve(&["--data-dir", &data_dir]);
    let key = api_key(&data_dir);
    let caller = Caller::new(&server.base, Some(key.clone()));

    let acknowledged: Mutex<HashMap<String, String>> = Mutex::new(HashMap::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= 1_000 {
                        return;
                    }
                    let body = json!({"first_name": "Ada", "last_name": format!("N{number}"),
                                      "emails": [{"address": format!("n{number}@example.com")}]});
                    let Some(answer) = caller.try_post("/v1/contacts", &body) else { return };
                    if answer.status == 201 {
                        let id = answer.body["id"].as_str().unwrap().to_owned();
                        acknowledged.lock().unwrap().insert(id, format!("Ada N{number}"));
                    }
                }
            });
        }
        // In the middle of it, whenever that is: some hundred creates have been acknowledged, and more are under way.
        while acknowledged.lock().unwrap().len() < 300 {
            std::thread::yield_now();
        }
        server.kill();
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!((300..1_000).contains(&acknowledged.len()), "{} were acknowledged", acknowledged.len());

    let server = Rapport::serve(&["--data-dir", &data_dir]);
    let caller = Caller::new(&server.base, Some(key));
    let contacts = caller.all("/v1/contacts?limit=200");
    let mut names: HashMap<&str, usize> = HashMap::new();
    for contact in &contacts {
        *names.entry(contact["name"].as_str().unwrap()).or_default() += 1;
    }
    assert!(names.values().all(|count| *count == 1), "somebody is there twice");
    let by_id: HashMap<&str, &Value> =
        contacts.iter().map(|contact| (contact["id"].as_str().unwrap(), contact)).collect();
    for (id, name) in &acknowledged {
        assert_eq!(by_id.get(id.as_str()).map(|contact| contact["name"].as_str().unwrap()), Some(name.as_str()));
    }
    for id in by_id.keys() {
        let history = caller.all(&format!("/v1/contacts/{id}/history"));
        assert_eq!(history.len(), 1, "{id} has no journal entry");
        assert_eq!(history[0]["event"], "contact.created");
    }
    server.stop();
}

#[test]
fn a_request_that_is_sent_again_after_a_crash_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data").to_str().unwrap().to_owned();
    let server = Rapport::serve(&["--data-dir", &data_dir]);
    let key = api_key(&data_dir);
    let caller = Caller::new(&server.base, Some(key.clone()));
    let create = |caller: &Caller, number: usize| {
        let body = json!({"first_name": "Ada", "last_name": format!("N{number}")});
        caller.try_send("POST", "/v1/contacts", &[JSON, ("Idempotency-Key", &format!("key {number}"))], &body)
    };

    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answered: Mutex<HashMap<usize, String>> = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let Some(answer) = create(&caller, next.fetch_add(1, Ordering::Relaxed)) {
                    let number = answer.body["name"].as_str().unwrap()["Ada N".len()..].parse().unwrap();
                    answered.lock().unwrap().insert(number, answer.text);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while done.load(Ordering::Relaxed) < 200 {
            std::thread::yield_now();
        }
        server.kill();
    });

    let server = Rapport::serve(&["--data-dir", &data_dir]);
    let caller = Caller::new(&server.base, Some(key));
    let sent = next.load(Ordering::Relaxed);
    for number in 0..sent {
        let answer = create(&caller, number).unwrap();
        answer.expect(201);
        if let Some(first) = answered.lock().unwrap().get(&number) {
            assert_eq!(&answer.text, first, "{number} is answered otherwise than before the crash");
        }
    }
    assert_eq!(caller.all("/v1/contacts?limit=200").len(), sent);
    server.stop();
}

#[test]
fn data_survive_a_restart_and_a_second_server_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data").to_str().unwrap().to_owned();
    let server = Rapport::serve(&["--data-dir", &data_dir]);
    let caller = Caller::new(&server.base, Some(api_key(&data_dir)));
    let contact = caller.create("/v1/contacts", &json!({"first_name": "Ada"}));

    let said = Rapport::try_serve(&["--data-dir", &data_dir]).err().unwrap();
    assert!(said.contains("already") && said.contains(&server.base), "{said}");
    server.stop();

    let server = Rapport::serve(&["--data-dir", &data_dir]);
    let caller = Caller::new(&server.base, Some(caller.credential().to_owned()));
    assert_eq!(caller.get(&format!("/v1/contacts/{}", contact["id"].as_str().unwrap())).body, contact);
    server.stop();
}

#[test]
fn a_lost_connection_is_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data").to_str().unwrap().to_owned();
    let server = Rapport::serve(&["--data-dir", &data_dir, "--connections", "2"]);
    let caller = Caller::new(&server.base, Some(api_key(&data_dir)));
    let contact = caller.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    let mut pg = PgConnection::establish(&server.database_url()).unwrap();
    for round in 0..5 {
        sql_query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rapport'")
            .execute(&mut pg)
            .unwrap();
        // A read is tried again by itself; a write may be refused once for each connection that dies, with a clear answer.
        // They die when they get to it, so on a busy machine that may be more than one round of them.
        caller.get(&path).expect(200);
        let patch = json!({"job_title": format!("Title {round}")});
        let mut statuses = Vec::new();
        while statuses.last() != Some(&200) {
            statuses.push(caller.patch(&path, &patch).status);
            assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
            assert!(statuses.len() <= 10, "{statuses:?}");
        }
    }
    server.stop();
}
