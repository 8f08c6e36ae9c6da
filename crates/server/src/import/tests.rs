use std::{
    fs,
    path::Path,
    sync::{Mutex, Weak},
};

use rapport_domain::{
    journal::JournalEntry,
    people::{
        company::{Company, CompanyQuery},
        contact::{Contact, ContactPatch, ContactQuery},
    },
};
use rapport_persistence::{
    Clock, DbOptions, Reader, migrations,
    people::{companies, contacts},
    workspace::workspaces,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::embedded::Embedded;

/// One cluster for all tests that run at the same time; the last one stops it.
static CLUSTER: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

struct Cluster {
    embedded: Embedded,
}

impl Cluster {
    fn get() -> Arc<Self> {
        let mut shared = CLUSTER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self { embedded: Embedded::ephemeral().unwrap() });
        migrations::run(cluster.embedded.url()).unwrap();
        *shared = Arc::downgrade(&cluster);
        cluster
    }
}

/// A workspace of its own for each test.
struct Bench {
    runtime: Runtime,
    db: Db,
    workspace: Workspace,
    folder: TempDir,
    cluster: Arc<Cluster>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let cluster = Cluster::get();
        let runtime = Runtime::new().unwrap();
        let options = DbOptions { connections: 3, patience: Duration::from_secs(5) };
        let (db, workspace) = runtime.block_on(async {
            let db = Db::open(cluster.embedded.url(), &options, Clock::system()).unlock().await.unwrap();
            let workspace = workspaces::create(&db, name, Some("DE")).await.unwrap();
            (db, workspace)
        });
        Self { runtime, db, workspace, folder: tempfile::tempdir().unwrap(), cluster }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn contacts_of(&self, content: impl AsRef<[u8]>) -> Options {
        Options::new(PeopleResource::Contacts, self.file("contacts.csv", content))
    }

    fn import(&self, options: &Options) -> (Result<Report, ImportError>, Arc<Listener>) {
        self.import_until(options, usize::MAX)
    }

    fn import_until(&self, options: &Options, chunks: usize) -> (Result<Report, ImportError>, Arc<Listener>) {
        let listener = Arc::new(Listener { chunks: Mutex::new(chunks), ..Listener::default() });
        let done = import(&self.db, &self.workspace, options.clone(), Arc::new(|_| Vec::new()), listener.clone());
        (self.runtime.block_on(done), listener)
    }

    /// Imports a file that is expected to go through, and says (created, updated, unchanged, failed).
    fn counts(&self, options: &Options) -> (u64, u64, u64, u64) {
        let tally = self.import(options).0.unwrap().tally;
        assert_eq!(tally.rows, tally.created + tally.updated + tally.unchanged + tally.failed);
        (tally.created, tally.updated, tally.unchanged, tally.failed)
    }

    fn scope(&self) -> Scope {
        Scope::of_system(self.workspace.id, Origin::Api, None)
    }

    fn read<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: Fn(&mut Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let scope = self.scope();
        self.runtime.block_on(self.db.read(&scope, work)).unwrap()
    }

    /// All contacts, by name.
    fn contacts(&self) -> Vec<Contact> {
        let mut query = ContactQuery { sort: "name".parse().ok(), limit: Some(200), ..ContactQuery::default() };
        let mut all = Vec::new();
        loop {
            let asked = query.clone();
            let page = self.read(move |reader| contacts::list(reader, &asked));
            all.extend(page.data);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return all;
            }
        }
    }

    fn companies(&self) -> Vec<Company> {
        let query = CompanyQuery { limit: Some(200), ..CompanyQuery::default() };
        self.read(move |reader| companies::list(reader, &query)).data
    }

    fn history(&self, contact: &Contact) -> Vec<JournalEntry> {
        let id = contact.id;
        self.read(move |reader| contacts::history(reader, id, Some(200), None)).data
    }

    fn patch(&self, contact: &Contact, patch: Value) {
        let (id, patch): (_, ContactPatch) = (contact.id, serde_json::from_value(patch).unwrap());
        let scope = self.scope();
        let write = self.db.write(&scope, move |writer| contacts::update(writer, id, None, &patch));
        self.runtime.block_on(write).unwrap();
    }
}

/// Remembers what it heard, and stops an import after some chunks.
#[derive(Default)]
struct Listener {
    notes: Mutex<Vec<String>>,
    problems: Mutex<Vec<Problem>>,
    chunks: Mutex<usize>,
}

impl Listener {
    fn problems(&self) -> Vec<(u64, String, String)> {
        let problems = self.problems.lock().unwrap();
        problems.iter().map(|one| (one.line, one.column.clone(), one.code.clone())).collect()
    }

    fn heard(&self, text: &str) -> bool {
        self.notes.lock().unwrap().iter().any(|note| note.contains(text))
    }
}

impl Progress for Listener {
    fn start(&self, _bytes: u64) {}

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }

    fn problem(&self, problem: &Problem) {
        self.problems.lock().unwrap().push(problem.clone());
    }

    fn advance(&self, _step: &Step) -> bool {
        let mut chunks = self.chunks.lock().unwrap();
        *chunks -= 1;
        *chunks > 0
    }

    fn end(&self) {}
}

fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// People with their own address each, and one in ten without a readable birthday.
fn people(count: usize) -> String {
    let row = |number: usize| {
        let birthday = if number % 10 == 3 { "19450931" } else { "19450930" };
        format!("r-{number},Anna {number},Lindt,anna{number}@example.com,{birthday}\n")
    };
    "rec_id,given_name,surname,email,date_of_birth\n"
        .chars()
        .chain((0..count).map(row).collect::<String>().chars())
        .collect()
}

#[test]
fn columns_with_usual_headings_go_to_their_fields() {
    let bench = Bench::new("headings");
    let file = "\u{feff}First Name\tSurname\tE-Mail\tE-Mail 2\tMobile\tStreet\tPLZ\tOrt\tCountry\tdob\ttags\tShoe size\r\n\
                Anna\tLindt\tanna@example.com\ta@example.com\t030 901820\tTorstr. 1\t10119\tBerlin\tGermany\t17.05.1984\tvip; new\t42\r\n";
    let (report, listener) = bench.import(&bench.contacts_of(file));
    assert_eq!(report.unwrap().unmapped, ["Shoe size"]);
    assert!(listener.heard("Shoe size"));
    let [anna] = bench.contacts().try_into().unwrap();
    assert_eq!((anna.name.as_str(), anna.source), ("Anna Lindt", Origin::Import));
    assert_eq!(
        anna.emails.iter().map(|email| email.address.as_str()).collect::<Vec<_>>(),
        ["anna@example.com", "a@example.com"]
    );
    assert_eq!(anna.phones[0].e164.as_deref(), Some("+4930901820"));
    assert_eq!(anna.addresses[0].country.as_deref(), Some("DE"));
    assert_eq!(anna.birthday.unwrap().to_string(), "1984-05-17");
    assert_eq!(anna.tags, ["vip", "new"]);
    assert_eq!(bench.history(&anna)[0].event, "contact.created");
}

#[test]
fn latin_1_and_semicolons_are_found_out() {
    let bench = Bench::new("latin");
    let file = b"Vorname;Nachname;Stra\xdfe\nJ\xf6rg;M\xfcller;\"Am Ring 1; Hof\"\n";
    let (report, listener) = bench.import(&bench.contacts_of(file));
    report.unwrap();
    assert!(listener.heard("windows-1252"));
    let [contact] = bench.contacts().try_into().unwrap();
    assert_eq!(contact.name, "Jörg Müller");
    assert_eq!(contact.addresses[0].street.as_deref(), Some("Am Ring 1; Hof"));
}

#[test]
fn utf_16_is_read_as_its_mark_says() {
    let bench = Bench::new("utf16");
    let text = "\u{feff}Vorname;Nachname\r\nJörg;Müller\r\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(bench.counts(&bench.contacts_of(bytes)), (1, 0, 0, 0));
    assert_eq!(bench.contacts()[0].name, "Jörg Müller");
}

#[test]
fn bad_rows_are_told_by_line_and_column_and_good_rows_go_in() {
    let bench = Bench::new("bad-rows");
    let file = "first name,last name,email,phone,birthday,country\r\n\
                Anna,Lindt,anna@example.com,,,\r\n\
                \r\n\
                ,,,,,\r\n\
                \"Multi\r\nline\",Name,nobody,123,1990-02-30,Atlantis\r\n\
                Too,Few\r\n\
                Nul,\0,,,,\r\n\
                Again,Lindt,ANNA@example.com,,,\r\n\
                ,,,,1990-01-01,\r\n\
                Bad,Phone,,12,,\r\n\
                Last,Row,last@example.com,,,";
    let mut options = bench.contacts_of(file);
    options.errors = Some(bench.folder.path().join("errors.csv"));
    let (report, listener) = bench.import(&options);
    let tally = report.unwrap().tally;
    assert_eq!((tally.rows, tally.created, tally.failed), (8, 2, 6));
    let expected = [
        (5, "birthday", "unparsable_date"),
        (5, "country", "invalid_choice"),
        (7, "", "wrong_column_count"),
        (8, "last name", "unparsable_row"),
        (9, "email", "duplicate_row"),
        (10, "", "missing_required"),
        (11, "phone", "invalid_phone"),
    ];
    let expected = expected.map(|(line, column, code)| (line, column.to_owned(), code.to_owned()));
    assert_eq!(listener.problems(), expected);
    let lines = lines_of(options.errors.as_deref().unwrap());
    assert_eq!(lines[0], "line,column,code,reason,value");
    assert_eq!(lines.len(), 8);
    assert!(lines[1].starts_with("5,birthday,unparsable_date,") && lines[1].ends_with(",1990-02-30"), "{}", lines[1]);
    assert_eq!(tally.errors_length, fs::metadata(options.errors.unwrap()).unwrap().len());
}

#[test]
fn a_second_run_that_matches_changes_nothing() {
    for (match_by, name) in [(MatchBy::Email, "match-email"), (MatchBy::ExternalId, "match-id")] {
        let bench = Bench::new(name);
        let mut options = bench.contacts_of(people(25));
        (options.match_by, options.chunk_rows) = (Some(match_by), 7);
        assert_eq!(bench.counts(&options), (22, 0, 0, 3));
        assert_eq!(bench.counts(&options), (0, 0, 22, 3));
        for contact in bench.contacts() {
            assert_eq!((contact.version, bench.history(&contact).len()), (1, 1));
            assert_eq!(contact.external_ids.len(), 1);
        }
    }
}

#[test]
fn a_row_of_a_known_contact_changes_what_it_names_and_nothing_else() {
    let bench = Bench::new("match-changes");
    let mut options = bench.contacts_of("first name,email,job title\nAnna,anna@example.com,Buyer\n");
    bench.counts(&options);
    bench.patch(
        &bench.contacts()[0],
        serde_json::json!({"emails": [{"address": "Anna@example.com", "type": "work", "opted_out": true}], "tags": ["vip"]}),
    );
    options = bench.contacts_of("first name,email,job title\n,anna@example.com,Director\nBert,anna@example.com,\n");
    options.match_by = Some(MatchBy::Email);
    assert_eq!(bench.counts(&options), (0, 2, 0, 0));
    let [contact] = bench.contacts().try_into().unwrap();
    assert_eq!((contact.first_name.as_deref(), contact.job_title.as_deref()), (Some("Bert"), Some("Director")));
    assert_eq!((contact.version, contact.tags), (4, vec!["vip".to_owned()]));
    assert!(contact.emails[0].opted_out);
    let versions: Vec<i64> = bench.history(&bench.contacts()[0]).iter().map(|entry| entry.version).collect();
    assert_eq!(versions, [4, 3, 2, 1]);
}

#[test]
fn an_address_that_tells_who_is_meant_takes_no_other_away() {
    let bench = Bench::new("match-keeps");
    let mut options = bench.contacts_of("first name,email\nAnna,home@example.com\n");
    bench.counts(&options);
    let emails = serde_json::json!([
        {"address": "work@example.com", "type": "work", "opted_out": true}, {"address": "home@example.com", "type": "home"}
    ]);
    bench.patch(&bench.contacts()[0], serde_json::json!({"emails": emails}));
    let addresses = || {
        let [contact] = bench.contacts().try_into().unwrap();
        contact.emails.into_iter().map(|email| (email.address, email.opted_out)).collect::<Vec<_>>()
    };
    let (work, home) = (("work@example.com".to_owned(), true), ("home@example.com".to_owned(), false));
    options = bench.contacts_of("email,job title\nhome@example.com,Director\n");
    options.match_by = Some(MatchBy::Email);
    assert_eq!(bench.counts(&options), (0, 1, 0, 0));
    assert_eq!(addresses(), [work.clone(), home.clone()]);

    // A list takes the place of what was known, but for what is marked.
    options = bench.contacts_of("email,email 2\nhome@example.com,new@example.com\n");
    options.match_by = Some(MatchBy::Email);
    assert_eq!(bench.counts(&options), (0, 1, 0, 0));
    assert_eq!(addresses(), [home, ("new@example.com".to_owned(), false), work]);
}

#[test]
fn rows_that_cannot_be_matched_are_refused() {
    let bench = Bench::new("match-refused");
    let mut options = bench.contacts_of("id,first name,email\n1,Anna,a@example.com\n2,Bert,a@example.com\n");
    options.on_duplicate = OnDuplicate::Allow;
    assert_eq!(bench.counts(&options), (2, 0, 0, 0));
    options = bench.contacts_of("id,first name,email\n3,Carla,A@example.com\n4,Dora,\n1,Emil,new@example.com\n");
    options.match_by = Some(MatchBy::Email);
    let (_, listener) = bench.import(&options);
    let codes: Vec<_> =
        listener.problems().into_iter().map(|(line, column, code)| format!("{line} {column} {code}")).collect();
    assert_eq!(codes, ["2 email ambiguous_reference", "3 email missing_required", "4 id duplicate_unique_value"]);
}

#[test]
fn an_interrupted_import_goes_on_where_it_stopped() {
    for (match_by, name) in [(None, "resume"), (Some(MatchBy::Email), "resume-match")] {
        let bench = Bench::new(name);
        let errors = bench.folder.path().join("errors.csv");
        let mut options = bench.contacts_of(people(100));
        (options.chunk_rows, options.errors, options.match_by) = (8, Some(errors.clone()), match_by);
        let stopped = bench.import_until(&options, 5).0.unwrap();
        assert!(stopped.stopped);
        assert_eq!((stopped.tally.rows, bench.contacts().len()), (40, 36));
        // As if the process had been killed after it wrote the problems of a chunk and before the commit.
        fs::write(&errors, fs::read_to_string(&errors).unwrap() + "44,date_of_birth,unpar").unwrap();
        let (report, listener) = bench.import(&options);
        let report = report.unwrap();
        assert_eq!(
            (report.resumed_at, report.tally.rows, report.tally.created, report.tally.failed),
            (40, 100, 90, 10)
        );
        assert!(listener.heard("after 40 rows"));
        assert_eq!(bench.contacts().len(), 90);
        let lines: Vec<String> =
            lines_of(&errors).iter().map(|line| line.split(',').next().unwrap().to_owned()).collect();
        assert_eq!(lines, ["line", "5", "15", "25", "35", "45", "55", "65", "75", "85", "95"]);
    }
}

#[test]
fn rows_that_are_written_side_by_side_know_of_each_other() {
    let bench = Bench::new("side-by-side");
    let row = |number: usize| match number % 5 {
        3 => format!("r-{number},Anna {number},ANNA{}@example.com\n", number - 1), // the mailbox of the row before
        4 => format!("r-{},Anna {number},anna{number}@example.com\n", number - 2), // the id of the row before that
        _ => format!("r-{number},Anna {number},anna{number}@example.com\n"),
    };
    let file = "rec_id,given_name,email\n".to_owned() + &(0..100).map(row).collect::<String>();
    let mut options = bench.contacts_of(file);
    options.chunk_rows = 1;
    let (report, listener) = bench.import(&options);
    let tally = report.unwrap().tally;
    assert_eq!((tally.created, tally.failed), (60, 40));
    let problems = listener.problems().into_iter();
    let found: Vec<_> = problems.map(|(line, column, code)| (line as usize - 2, column, code)).collect();
    let expected: Vec<_> = (0..100)
        .filter_map(|number| match number % 5 {
            3 => Some((number, "email".to_owned(), "duplicate_row".to_owned())),
            4 => Some((number, "rec_id".to_owned(), "duplicate_unique_value".to_owned())),
            _ => None,
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_import_makes_do_with_one_connection() {
    let mut bench = Bench::new("one-connection");
    let options = DbOptions { connections: 1, patience: Duration::from_secs(5) };
    let db = Db::open(bench.cluster.embedded.url(), &options, Clock::system()).unlock();
    bench.db = bench.runtime.block_on(db).unwrap();
    let mut options = bench.contacts_of(people(40));
    options.chunk_rows = 3;
    assert_eq!(bench.counts(&options), (36, 0, 0, 4));
}

#[test]
fn a_file_is_not_imported_twice_unless_asked_for() {
    let bench = Bench::new("again");
    let mut options = bench.contacts_of("first name,last name\nAnna,Lindt\n");
    assert_eq!(bench.counts(&options), (1, 0, 0, 0));
    let refused = bench.import(&options).0.unwrap_err();
    assert!(matches!(refused, ImportError::DoneBefore(_)));
    assert!(refused.to_string().contains("--again"), "{refused}");
    options.again = true;
    assert_eq!(bench.counts(&options), (1, 0, 0, 0));
    assert_eq!(bench.contacts().len(), 2);
}

#[test]
fn a_dry_run_says_what_would_happen_and_leaves_nothing() {
    let bench = Bench::new("dry");
    for match_by in [None, Some(MatchBy::Email)] {
        let mut options = bench.contacts_of(people(30) + "x,Anna,Changed,anna1@example.com,\n");
        (options.chunk_rows, options.match_by, options.dry_run) = (4, match_by, true);
        let before = bench.contacts();
        let would = bench.counts(&options);
        assert_eq!(bench.contacts(), before);
        options.dry_run = false;
        let report = bench.import(&options).0.unwrap();
        assert_eq!(report.resumed_at, 0);
        let Tally { created, updated, unchanged, failed, .. } = report.tally;
        assert_eq!((created, updated, unchanged, failed), would);
    }
    assert_eq!(bench.contacts().len(), 27);
}

#[test]
fn of_two_imports_of_one_file_at_the_same_time_the_second_is_refused() {
    struct Second<'b>(&'b Bench, Options, Mutex<Option<ImportError>>);
    let bench = Bench::new("at-once");
    let mut options = bench.contacts_of(people(20));
    options.chunk_rows = 5;
    let second = Second(&bench, options.clone(), Mutex::new(None));
    let listener = Arc::new(Listener { chunks: Mutex::new(usize::MAX), ..Listener::default() });
    let first = import(&bench.db, &bench.workspace, options, Arc::new(|_| Vec::new()), listener.clone());
    let held = listener.chunks.lock().unwrap(); // the first import waits after its first chunk
    bench.runtime.block_on(async {
        let other = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let listener = Arc::new(Listener { chunks: Mutex::new(usize::MAX), ..Listener::default() });
            let done = import(&bench.db, &bench.workspace, second.1.clone(), Arc::new(|_| Vec::new()), listener).await;
            *second.2.lock().unwrap() = done.err();
            drop(held);
        };
        let (first, ()) = tokio::join!(first, other);
        assert_eq!(first.unwrap().tally.created, 18);
    });
    assert!(matches!(second.2.into_inner().unwrap(), Some(ImportError::Running)));
    assert_eq!(second.0.contacts().len(), 18);
}

#[test]
fn a_row_that_the_database_refuses_does_not_hold_up_the_others() {
    let bench = Bench::new("poison");
    let tag: String = (0..9_000_u32).map(|number| char::from_u32(0x4e00 + number * 7919 % 20_000).unwrap()).collect();
    let file = format!("first name,tags\nAnna,a\nBert,{tag}\nCarla,c\nDora,d\nEmil,{tag}\nFranz,f\n");
    for chunk_rows in [1, 2, 100] {
        let mut options = bench.contacts_of(&file);
        (options.chunk_rows, options.again) = (chunk_rows, true);
        let (report, listener) = bench.import(&options);
        assert_eq!(report.unwrap().tally.created, 4);
        let refused = |line| (line, String::new(), "unparsable_row".to_owned());
        assert_eq!(listener.problems(), [refused(3), refused(6)]);
    }
}

#[test]
fn what_is_no_table_of_people_is_refused_in_a_sentence() {
    let bench = Bench::new("no-table");
    let refusal = |content: &[u8]| bench.import(&bench.contacts_of(content)).0.unwrap_err().to_string();
    assert!(refusal(b"").contains("empty"));
    assert!(refusal(b"4711;Lindt\n").contains("--map"));
    let endless = format!("first name,last name\nAnna,\"{}", "x\n".repeat(3 << 20));
    assert!(refusal(endless.as_bytes()).contains("line 2"));
    let mut unmatched = bench.contacts_of("first name\nAnna\n");
    unmatched.match_by = Some(MatchBy::Email);
    assert!(bench.import(&unmatched).0.unwrap_err().to_string().contains("emails.address"));
    let missing = bench.import(&Options::new(PeopleResource::Contacts, "no/such/file.csv")).0.unwrap_err();
    assert!(missing.to_string().contains("no/such/file.csv"));
}

#[test]
fn companies_are_imported_and_updated_alike() {
    let bench = Bench::new("companies");
    let company = |content: &str| Options::new(PeopleResource::Companies, bench.file("companies.csv", content));
    let mut options = company(
        "id,Company,Website,Employees,Revenue,Currency\n1,Lindt,https://lindt.example,75,1000,eur\n2,Bär,,,,EUR\n",
    );
    options.match_by = Some(MatchBy::ExternalId);
    assert_eq!(bench.counts(&options), (2, 0, 0, 0));
    assert_eq!(bench.counts(&options), (0, 0, 2, 0));
    let all = bench.companies();
    let id = |name: &str| all.iter().find(|company| company.name == name).unwrap().id;
    let (lindt, bear) = (id("Lindt"), id("Bär"));
    let mut options = company(&format!(
        "id,parent_id\n1,{bear}\n2,{lindt}\n2,{}\n3,\n",
        lindt.uuid().simple().to_string().replace('7', "8")
    ));
    options.match_by = Some(MatchBy::ExternalId);
    let (report, listener) = bench.import(&options);
    assert_eq!(report.unwrap().tally.updated, 1);
    let codes: Vec<_> =
        listener.problems().into_iter().map(|(line, column, code)| format!("{line} {column} {code}")).collect();
    assert_eq!(codes, ["3 parent_id circular", "4 parent_id reference_not_found", "5  missing_required"]);
}
