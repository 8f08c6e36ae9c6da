//! Connections to the database, and what they are set to.

use std::time::{Duration, Instant};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types,
};
use serde_json::json;

use crate::harness::{Caller, Rapport, rapport};

/// Lets the database write down with which settings contacts are written.
const WITNESS: &str = "
    CREATE TABLE witnessed (settings text NOT NULL);
    CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO witnessed
            SELECT string_agg(name || '=' || coalesce(current_setting(name, true), usual), ' ' ORDER BY name)
              FROM (VALUES ('statement_timeout', ''), ('plan_cache_mode', ''), ('work_mem', ''),
                           ('max_parallel_workers_per_gather', ''), ('parallel_setup_cost', ''), ('parallel_tuple_cost', ''),
                           ('pg_trgm.word_similarity_threshold', '0.6')) AS settings (name, usual);
            RETURN NEW;
        END $$;
    CREATE TRIGGER witness BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION witness();";

#[derive(QueryableByName)]
struct Witnessed {
    #[diesel(sql_type = sql_types::Text)]
    settings: String,
    #[diesel(sql_type = sql_types::BigInt)]
    times: i64,
}

/// A server with so many connections, a caller who may do everything, and a connection beside it.
fn server(connections: &str) -> (Rapport, Caller, PgConnection) {
    let server = Rapport::serve(&["--ephemeral", "--connections", connections]);
    let url = server.database_url();
    let made = rapport(&["admin", "create-workspace", "set", "--database-url", &url]);
    assert!(made.status.success(), "{made:?}");
    let made = rapport(&["admin", "create-api-key", "--workspace", "set", "--name", "test", "--database-url", &url]);
    assert!(made.status.success(), "{made:?}");
    let caller = Caller::new(&server.base, Some(String::from_utf8(made.stdout).unwrap().trim().to_owned()));
    (server, caller, PgConnection::establish(&url).unwrap())
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

#[test]
fn batches_leave_connections_to_others_however_many_there_are() {
    let (server, caller, mut pg) = server("4");
    let path = format!(
        "/v1/contacts/{}",
        caller.create("/v1/contacts", &json!({"first_name": "Ada"}))["id"].as_str().unwrap()
    );
    let id = path.rsplit('/').next().unwrap();
    pg.batch_execute("BEGIN; SELECT FROM contacts FOR UPDATE").unwrap();
    std::thread::scope(|scope| {
        let batches: Vec<_> = (0..8)
            .map(|number| {
                let operation = json!({"op": "update", "id": id, "data": {"job_title": format!("Title {number}")}});
                let caller = &caller;
                scope.spawn(move || caller.post("/v1/contacts/batch", &json!({"operations": [operation]})))
            })
            .collect();
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rapport' AND wait_event_type = 'Lock'";
        let deadline = Instant::now() + Duration::from_secs(10);
        while sql_query(waiting).get_result::<Waiting>(&mut pg).unwrap().count == 0 {
            assert!(Instant::now() < deadline, "no batch waits for the record");
            std::thread::yield_now();
        }
        for _ in 0..20 {
            caller.get(&path).expect(200);
            caller.get("/v1/contacts").expect(200);
        }
        pg.batch_execute("COMMIT").unwrap();
        for batch in batches {
            let done = batch.join().unwrap();
            assert_eq!(done.body["results"][0]["status"], 200, "{}", done.text);
        }
    });
    server.stop();
}

#[test]
fn what_is_set_for_a_search_or_a_report_holds_for_no_other_statement() {
    let (server, caller, mut pg) = server("2");
    pg.batch_execute(WITNESS).unwrap();

    let ada = json!({"first_name": "Ada", "last_name": "Lovelace"});
    let create = || caller.post("/v1/contacts", &ada).expect(201);
    let search = || {
        let filter = json!({"version": 1, "entity": "contact", "where": {"type": "all", "nodes": []}});
        caller.post("/v1/contacts/search", &json!({"filter": filter})).expect(200);
    };
    let words = || caller.get("/v1/contacts?q=ada").expect(200);
    let misspelt = || caller.get("/v1/contacts?q=lovlase").expect(200);
    let report = || {
        let question = json!({"group_by": "stage", "currency": "EUR"});
        caller.post("/v1/reports/pipeline", &question).expect(200);
    };
    let rehearse = || caller.post("/v1/contacts?dry_run=true", &ada).expect(201);
    let settings: [&(dyn Fn() + Sync); 5] = [&search, &words, &misspelt, &report, &rehearse];

    create();
    std::thread::scope(|scope| {
        for start in 0..2 {
            scope.spawn(move || {
                for first in 0..settings.len() {
                    for second in 0..settings.len() {
                        settings[(first + start) % settings.len()]();
                        settings[second]();
                        create();
                    }
                }
            });
        }
    });

    let witnessed = "SELECT settings, count(*) AS times FROM witnessed GROUP BY settings";
    let witnessed: Vec<Witnessed> = sql_query(witnessed).load(&mut pg).unwrap();
    let [usual] = witnessed.as_slice() else {
        panic!("{:?}", witnessed.iter().map(|witnessed| &witnessed.settings).collect::<Vec<_>>())
    };
    assert_eq!(usual.times, 51);
    assert!(usual.settings.contains("statement_timeout=15s"), "{}", usual.settings);
    server.stop();
}
