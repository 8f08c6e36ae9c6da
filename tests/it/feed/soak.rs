//! Writers, half of them through the API and half through transactions of their own that they hold open, and readers who must
//! miss nothing. For a few seconds; with `RAPPORT_FEED_SECONDS=60` for a minute, which also holds the delay to one second:
//!
//! ```sh
//! RAPPORT_FEED_SECONDS=60 cargo test -p rapport-tests --test it feed::soak -- --nocapture --test-threads 1
//! ```

use std::{
    collections::{HashMap, HashSet},
    env,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::RecvTimeoutError,
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Uuid as SqlUuid},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::id;
use crate::harness::{Answer, Caller, JSON, Rapport, rapport, start};

/// Writers of each sort.
const WRITERS: usize = 16;

/// One in so many transactions of those that are not through the API is held open, so one in twenty of all or more.
const HELD: usize = 10;

/// Between two writes of one writer. Without it, two cores are busy with writing alone, and what is measured is how long the
/// queue for them is.
const PAUSE: Duration = Duration::from_millis(100);

/// So long nobody has to wait for the next event, however busy the machine is.
const SILENCE: Duration = Duration::from_secs(40);

/// When each version of each record was answered or committed.
type Written = Mutex<HashMap<(String, i64), Instant>>;

fn duration() -> Duration {
    Duration::from_secs(env::var("RAPPORT_FEED_SECONDS").map_or(3, |seconds| seconds.parse().unwrap()))
}

fn is_by_hand() -> bool {
    duration() >= Duration::from_secs(30)
}

#[test]
fn readers_miss_nothing_while_writers_hold_transactions_open() {
    let server = Rapport::serve(&["--ephemeral"]);
    Soak::new(server).run("the worker beside the server", |_| {});
}

#[test]
fn readers_miss_nothing_while_the_sequencer_is_killed() {
    let server = Rapport::serve(&["--ephemeral", "--no-worker"]);
    Soak::new(server).run("a worker that is killed", |soak| {
        let url = soak.server.database_url();
        let mut kills = 0;
        while !soak.is_over.load(Ordering::Relaxed) {
            let mut worker = start(&["worker", "--database-url", &url]);
            let lives = 300 + u64::from(Uuid::new_v4().as_bytes()[0]) * 5;
            thread::sleep(Duration::from_millis(lives));
            worker.kill().unwrap();
            worker.wait().unwrap();
            kills += 1;
        }
        println!("killed {kills} times");
        let mut last = start(&["worker", "--database-url", &url]);
        soak.wait_for_all();
        last.kill().unwrap();
        last.wait().unwrap();
    });
}

/// Lets all threads come to their end, also when one of them has panicked.
struct Ending<'s>(&'s Soak);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        self.0.is_settled.store(true, Ordering::Release);
    }
}

struct Soak {
    server: Rapport,
    caller: Caller,
    workspace: Uuid,
    contacts: Vec<String>,
    written: Written,
    /// Whether the writers have ended.
    is_over: AtomicBool,
    /// Whether all that they wrote has its place.
    is_settled: AtomicBool,
}

impl Soak {
    fn new(server: Rapport) -> Self {
        let url = server.database_url();
        let make = |arguments: &[&str]| {
            let made = rapport(&[&["admin"], arguments, &["--database-url", &url]].concat());
            assert!(made.status.success(), "{made:?}");
            String::from_utf8(made.stdout).unwrap().trim().to_owned()
        };
        let workspace = make(&["create-workspace", "soak"]).parse().unwrap();
        let key = make(&["create-api-key", "--workspace", "soak", "--name", "soak"]);
        let caller = Caller::new(&server.base, Some(key));
        // One for each writer of either sort, and one for the writer who holds a transaction open all the time.
        let contacts = (0..2 * WRITERS + 1)
            .map(|number| caller.create("/v1/contacts", &json!({"first_name": format!("Ada {number}")})))
            .map(|contact| id(&contact).to_owned())
            .collect();
        let (is_over, is_settled) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { server, caller, workspace, contacts, written: Mutex::default(), is_over, is_settled }
    }

    fn run(self, what: &str, beside: impl Fn(&Self) + Sync) {
        let end = Instant::now() + duration();
        let (paged, streamed) = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .flat_map(|number| {
                    let soak = &self;
                    [scope.spawn(move || soak.call(number, end)), scope.spawn(move || soak.transact(number, end))]
                })
                .chain([scope.spawn(|| self.hold_open(end))])
                .collect();
            let readers = [scope.spawn(|| self.page()), scope.spawn(|| self.listen())];
            let beside = scope.spawn(|| beside(&self));
            let _ending = Ending(&self);
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            self.is_over.store(true, Ordering::Relaxed);
            beside.join().unwrap();
            self.wait_for_all();
            self.is_settled.store(true, Ordering::Release);
            let [paged, streamed] = readers.map(|reader| reader.join().unwrap());
            (paged, streamed)
        });
        let heard = [("pages", paged), ("stream", streamed)];
        heard.iter().for_each(|(how, heard)| self.check(&format!("{what}, {how}"), heard));
        heard.iter().for_each(|(how, heard)| self.check_delay(&format!("{what}, {how}"), heard));
        self.server.stop();
    }

    fn note(&self, contact: &str, version: i64) {
        self.written.lock().unwrap().insert((contact.to_owned(), version), Instant::now());
    }

    /// Through the API: changes of one's own contact, of one that others change, too, and new ones.
    fn call(&self, number: usize, end: Instant) {
        let mut round = 0;
        while Instant::now() < end {
            let own = &self.contacts[number + if round % 5 == 0 { WRITERS } else { 0 }];
            let answer = match round % 10 {
                9 => self.send("POST", "/v1/contacts", &json!({"first_name": format!("Ada {number} {round}")})),
                _ => self.send("PATCH", &format!("/v1/contacts/{own}"), &json!({"job_title": round.to_string()})),
            };
            // A change of a contact that somebody holds may be refused after some tries.
            if answer.status < 300 {
                self.note(id(&answer.body), answer.body["version"].as_i64().unwrap());
            }
            thread::sleep(PAUSE);
            round += 1;
        }
    }

    /// In transactions of its own, some of which are held open.
    fn transact(&self, number: usize, end: Instant) {
        let mut pg = PgConnection::establish(&self.server.database_url()).unwrap();
        let contact = &self.contacts[number + WRITERS];
        let mut round = number;
        while Instant::now() < end {
            let version = pg.transaction(|pg| {
                let version = self.change(pg, contact)?;
                if round.is_multiple_of(HELD) {
                    thread::sleep(Duration::from_millis(200));
                }
                diesel::QueryResult::Ok(version)
            });
            self.note(contact, version.unwrap());
            thread::sleep(PAUSE);
            round += 1;
        }
    }

    /// In one transaction from the beginning to the end.
    fn hold_open(&self, end: Instant) {
        let mut pg = PgConnection::establish(&self.server.database_url()).unwrap();
        let contact = self.contacts.last().unwrap();
        pg.batch_execute("BEGIN").unwrap();
        let version = self.change(&mut pg, contact).unwrap();
        thread::sleep(end.saturating_duration_since(Instant::now()));
        pg.batch_execute("COMMIT").unwrap();
        self.note(contact, version);
    }

    /// A change of a contact and its entry, as the server writes them.
    fn change(&self, pg: &mut PgConnection, contact: &str) -> diesel::QueryResult<i64> {
        #[derive(QueryableByName)]
        struct Changed {
            #[diesel(sql_type = BigInt)]
            version: i64,
        }
        let statement = "WITH changed AS (UPDATE contacts SET version = version + 1 WHERE workspace_id = $1 AND id = $2 \
             RETURNING version), entry AS (INSERT INTO journal (workspace_id, id, event, record_kind, record_id, version, \
             changes, actor_kind, at, is_audit) SELECT $1, $3, 'contact.updated', 'contact', $2, version, '[]', 'system', \
             clock_timestamp(), false FROM changed RETURNING workspace_id, id, record_kind, record_id, version, at), \
             waiting AS (INSERT INTO feed_waiting (workspace_id, entry_id, record_kind, record_id, version, at) \
             SELECT * FROM entry) SELECT version FROM changed";
        let query = sql_query(statement)
            .bind::<SqlUuid, _>(self.workspace)
            .bind::<SqlUuid, _>(contact.parse::<Uuid>().unwrap())
            .bind::<SqlUuid, _>(Uuid::now_v7());
        Ok(query.get_result::<Changed>(pg)?.version)
    }

    /// Without comparing the answer with the document: on two cores that takes longer than to answer.
    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.caller.send_unchecked(method, path, &[JSON], Some(body.to_string().into_bytes()))
    }

    fn wait_for_all(&self) {
        crate::harness::wait_for_positions(&self.caller);
    }

    /// Reads page by page, as fast as there is something to read.
    fn page(&self) -> Vec<(Value, Instant)> {
        let (mut heard, mut query) = (Vec::new(), String::new());
        loop {
            let is_last = self.is_settled.load(Ordering::Acquire);
            let page = self.caller.send_unchecked("GET", &format!("/v1/changes?limit=200{query}"), &[], None);
            page.expect(200);
            let now = Instant::now();
            heard.extend(page.body["data"].as_array().unwrap().iter().map(|change| (change.clone(), now)));
            query = format!("&cursor={}", page.body["next_cursor"].as_str().unwrap());
            if page.body["has_more"] == false {
                if is_last {
                    return heard;
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Listens, and goes on with a new stream now and then.
    fn listen(&self) -> Vec<(Value, Instant)> {
        let (mut heard, mut last) = (Vec::new(), String::new());
        loop {
            let is_last = self.is_settled.load(Ordering::Acquire);
            let until = if is_last { "?until=head" } else { "" };
            let headers = [("Last-Event-ID", last.as_str())];
            let listener = self.caller.listen(until, &headers[..usize::from(!last.is_empty())]);
            if listener.status == 429 {
                // The places of the streams before come free when the server notices that nobody listens.
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            assert_eq!(listener.status, 200);
            let change_over = heard.len() + 500;
            let mut silent_since = Instant::now();
            loop {
                let event = match listener.next_within(Duration::from_secs(1)) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) if is_last || !self.is_settled.load(Ordering::Acquire) => {
                        assert!(silent_since.elapsed() < SILENCE, "nothing was heard for {SILENCE:?}");
                        continue;
                    }
                    Err(_) => break,
                };
                silent_since = Instant::now();
                let is_head = event.name == "head";
                last = event.id;
                if !is_head {
                    heard.push((event.data, Instant::now()));
                }
                if !is_last && (heard.len() > change_over || (is_head && self.is_settled.load(Ordering::Acquire))) {
                    break;
                }
            }
            if is_last {
                return heard;
            }
        }
    }

    /// Everything once, nothing backwards, and what is heard is what is in the database.
    fn check(&self, what: &str, heard: &[(Value, Instant)]) {
        let (mut position, mut versions, mut entries) = (0, HashMap::new(), HashSet::new());
        for (change, _) in heard {
            let next = change["position"].as_i64().unwrap();
            assert!(next > position, "{what}: {next} after {position}");
            position = next;
            assert!(entries.insert(id(change).to_owned()), "{what}: {change} comes twice");
            let (record, version) = (change["record"]["id"].as_str().unwrap(), change["version"].as_i64().unwrap());
            let before = versions.insert(record, version);
            assert_eq!(version, before.unwrap_or(0) + 1, "{what}: {change}");
        }
        let expected = self.in_database();
        let missed: Vec<_> = expected.difference(&entries).collect();
        let made_up: Vec<_> = entries.difference(&expected).collect();
        assert!(missed.is_empty() && made_up.is_empty(), "{what}: missed {missed:?}, made up {made_up:?}");
    }

    fn in_database(&self) -> HashSet<String> {
        #[derive(QueryableByName)]
        struct Entry {
            #[diesel(sql_type = SqlUuid)]
            id: Uuid,
        }
        let mut pg = PgConnection::establish(&self.server.database_url()).unwrap();
        let query = "SELECT id FROM journal WHERE workspace_id = $1 AND record_kind = 'contact' AND version > 0";
        let entries: Vec<Entry> = sql_query(query).bind::<SqlUuid, _>(self.workspace).load(&mut pg).unwrap();
        entries.into_iter().map(|entry| entry.id.to_string()).collect()
    }

    /// How long after it was written each change was heard of.
    fn check_delay(&self, what: &str, heard: &[(Value, Instant)]) {
        let written = self.written.lock().unwrap();
        let delay = |(change, at): &(Value, Instant)| {
            let key = (change["record"]["id"].as_str().unwrap().to_owned(), change["version"].as_i64().unwrap());
            written.get(&key).map(|written| at.saturating_duration_since(*written))
        };
        let mut delays: Vec<Duration> = heard.iter().filter_map(delay).collect();
        delays.sort_unstable();
        assert!(delays.len() > 50, "{what}: only {} changes", delays.len());
        let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
        println!("{what}: {} changes, p50 {:?}, p99 {:?}, most {:?}", delays.len(), at(0.5), at(0.99), at(1.0));
        assert!(!is_by_hand() || at(0.99) < Duration::from_secs(1), "{what}: p99 {:?}", at(0.99));
    }
}
