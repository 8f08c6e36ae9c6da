//! Imports on the command line, beside a running server.

use std::{collections::HashSet, fs, io::Write, path::Path, process::Output};

use rapport_domain::access::StandardRole;
use serde_json::json;

use crate::harness::{Caller, Workspace, database_url, rapport, start, workspace};

fn arguments<'a>(workspace: &'a Workspace, file: &'a Path, more: &[&'a str], url: &'a str) -> Vec<&'a str> {
    let base = ["import", "contacts", file.to_str().unwrap(), "--workspace", &workspace.name, "--database-url", url];
    [&base[..], more].concat()
}

fn import(workspace: &Workspace, file: &Path, more: &[&str]) -> Output {
    rapport(&arguments(workspace, file, more, &database_url()))
}

fn result(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.split(" (").next().unwrap().to_owned()
}

#[test]
fn a_file_goes_in_and_its_people_are_found() {
    let (workspace, admin) = workspace();
    let folder = tempfile::tempdir().unwrap();
    let (file, errors) = (folder.path().join("people.csv"), folder.path().join("errors.csv"));
    // Latin-1 with semicolons, as spreadsheets write it.
    let text = "Vorname;Nachname;E-Mail;Telefon;PLZ;Ort;Geburtstag;Bemerkung\n\
                Jürgen;Groß;juergen@example.com;030 901820;10119;Köln;31.12.1980;x\n\
                Anna;Lindt;not an address;;;;;\n\
                Bea;Bär;bea@example.com;call me;;;;\n\
                Jörg;Zweit;JUERGEN@example.com;;;;;\n";
    fs::write(&file, text.chars().map(|character| character as u8).collect::<Vec<u8>>()).unwrap();

    let dry = import(&workspace, &file, &["--dry-run", "--errors", errors.to_str().unwrap()]);
    assert_eq!(result(&dry), "4 rows: would be 1 created, 0 updated, 0 unchanged, 3 failed");
    assert!(admin.all("/v1/contacts").is_empty());

    let done = import(&workspace, &file, &["--errors", errors.to_str().unwrap()]);
    assert_eq!(result(&done), "4 rows: 1 created, 0 updated, 0 unchanged, 3 failed");
    assert!(String::from_utf8_lossy(&done.stderr).contains("Bemerkung"), "what is not imported is said");
    let found = admin.get("/v1/contacts?q=jurgen%20gross").body["data"][0].clone();
    assert_eq!(found["phones"][0]["e164"], "+4930901820");
    assert_eq!(found["birthday"], "1980-12-31");
    assert_eq!(found["addresses"][0]["city"], "Köln");
    assert_eq!(found["source"], "import");

    let said = fs::read_to_string(&errors).unwrap();
    let places: Vec<&str> = said.lines().skip(1).map(|line| line.split(",\"").next().unwrap()).collect();
    assert!(places[0].starts_with("3,E-Mail,invalid_email"), "{said}");
    assert!(places[1].starts_with("4,Telefon,"), "{said}");
    assert!(places[2].starts_with("5,"), "{said}");
    assert_eq!(places.len(), 3, "{said}");

    let again = import(&workspace, &file, &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("imported on"), "{again:?}");
    let path = format!("/v1/contacts/{}/history", found["id"].as_str().unwrap());
    assert_eq!(
        result(&import(&workspace, &file, &["--match", "email"])),
        "4 rows: 0 created, 1 updated, 1 unchanged, 2 failed"
    );
    let events = admin.all(&path);
    assert!(events.iter().all(|entry| entry["actor"]["kind"] == "system"), "{events:?}");
}

#[test]
fn an_import_that_was_killed_goes_on_and_neither_loses_nor_doubles() {
    const ROWS: usize = 30_000;
    let (workspace, admin) = workspace();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    let mut out = std::io::BufWriter::new(fs::File::create(&file).unwrap());
    writeln!(out, "id,first name,last name").unwrap();
    for number in 0..ROWS {
        // Every thousandth row is wrong, so that the errors have to go on where they stopped, too.
        let last = if number % 1_000 == 7 { "\u{0}".to_owned() } else { format!("Person {number}") };
        writeln!(out, "K{number},Some,{last}").unwrap();
    }
    drop(out);
    let errors = folder.path().join("errors.csv");
    let url = database_url();
    let more = ["--errors", errors.to_str().unwrap()];

    let mut kills = 0;
    for _ in 0..2 {
        let before = count(&admin);
        let mut child = start(&arguments(&workspace, &file, &more, &url));
        while count(&admin) < before + 1_000 && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 0, "the import was done before it could be killed");
    let done = result(&rapport(&arguments(&workspace, &file, &more, &url)));
    assert_eq!(done, format!("{ROWS} rows: {} created, 0 updated, 0 unchanged, 30 failed", ROWS - 30));

    let contacts = admin.all("/v1/contacts?limit=200&fields=external_ids&sort=created_at");
    let ids: HashSet<&str> =
        contacts.iter().map(|contact| contact["external_ids"][0]["external_id"].as_str().unwrap()).collect();
    assert_eq!((contacts.len(), ids.len()), (ROWS - 30, ROWS - 30));
    assert_eq!(fs::read_to_string(&errors).unwrap().lines().count(), 31);
    let sample = contacts[contacts.len() / 2]["id"].as_str().unwrap();
    assert_eq!(admin.all(&format!("/v1/contacts/{sample}/history")).len(), 1);
}

fn count(admin: &Caller) -> i64 {
    admin.get("/v1/contacts?limit=1&fields=name&count=exact").body["total"]["value"].as_i64().unwrap()
}

#[test]
fn what_is_wrong_with_the_command_is_said_in_a_sentence() {
    let (workspace, _) = workspace();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    fs::write(&file, "first name,Firma\nAnna,Engines\n").unwrap();
    let said = |output: &Output| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr.clone()).unwrap()
    };
    let wrong = said(&import(&workspace, &file, &["--map", "Firma=shoe_size"]));
    assert!(wrong.contains("job_title"), "{wrong}");
    let missing = said(&import(&workspace, &folder.path().join("none.csv"), &[]));
    assert!(missing.contains("none.csv"), "{missing}");
    fs::write(&file, "").unwrap();
    assert!(!said(&import(&workspace, &file, &[])).is_empty());
    fs::write(&file, "colour,size\nred,1\n").unwrap();
    assert!(said(&import(&workspace, &file, &[])).contains("--map"));
}

#[test]
fn a_record_belongs_to_the_main_team_of_its_owner() {
    let (workspace, admin) = workspace();
    let team = |name: &str| admin.create("/v1/teams", &json!({"name": name}))["id"].clone();
    let (north, south) = (team("North"), team("South"));
    let [mara, tom] = [("mara@example.com", &north), ("tom@example.com", &south)].map(|(email, team)| {
        let id = workspace.user(email, StandardRole::Agent, "a long enough password");
        admin.patch(&format!("/v1/users/{id}"), &json!({"team_ids": [team]})).expect(200);
        id
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    let of = |owner: &str| format!("first_name,email,owner_id\nAda,ada@example.com,{owner}\nBen,ben@example.com,\n");
    fs::write(&file, of(&mara)).unwrap();
    result(&import(&workspace, &file, &[]));
    let teams = || {
        let contacts = admin.all("/v1/contacts?sort=name");
        contacts.iter().map(|contact| contact["team_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(teams(), [north, json!(null)]);
    fs::write(&file, of(&tom)).unwrap();
    assert_eq!(
        result(&import(&workspace, &file, &["--match", "email"])),
        "2 rows: 0 created, 1 updated, 1 unchanged, 0 failed"
    );
    assert_eq!(teams(), [south, json!(null)]);
}

#[test]
fn columns_go_to_custom_fields_and_keep_their_rules() {
    let (workspace, admin) = workspace();
    let field = |new: serde_json::Value| {
        admin.create("/v1/custom_fields", &new);
    };
    field(json!({"resource": "contacts", "key": "number", "label": "Customer number", "type": "text", "unique": true}));
    field(
        json!({"resource": "contacts", "key": "size", "label": "Size", "type": "number", "max": "5", "required": true}),
    );
    field(json!({"resource": "contacts", "key": "tier", "label": "Tier", "type": "choice",
        "options": [{"key": "gold", "label": "Very good"}]}));
    let known = json!({"last_name": "Known", "custom": {"number": "K-9", "size": "1"}});
    admin.create("/v1/contacts", &known);
    let folder = tempfile::tempdir().unwrap();
    let (file, errors) = (folder.path().join("people.csv"), folder.path().join("errors.csv"));
    let head = "last name,email,Customer number,size,x\n";
    let rows = "Anna,a@example.com,K-1,4.50,very good\n\
                Bea,b@example.com,K-1,1,\n\
                Cora,c@example.com,K-9,1,\n\
                Dora,d@example.com,K-4,9,\n\
                Edda,e@example.com,K-5,,\n\
                Fina,f@example.com,K-6,many,\n\
                Gina,g@example.com,K-7,1,bronze\n";
    fs::write(&file, head.to_owned() + rows).unwrap();
    let more = ["--map", "x=custom.tier", "--errors", errors.to_str().unwrap()];
    let dry = import(&workspace, &file, &[&more[..], &["--dry-run"]].concat());
    assert_eq!(result(&dry), "7 rows: would be 1 created, 0 updated, 0 unchanged, 6 failed");
    assert_eq!(result(&import(&workspace, &file, &more)), "7 rows: 1 created, 0 updated, 0 unchanged, 6 failed");
    let said = fs::read_to_string(&errors).unwrap();
    let expected = [
        "3,Customer number,duplicate_unique_value",
        "4,Customer number,duplicate_unique_value",
        "5,size,out_of_range",
        "6,size,missing_required",
        "7,size,unparsable_number",
        "8,x,invalid_choice",
    ];
    let places: Vec<String> =
        said.lines().skip(1).map(|line| line.splitn(4, ',').take(3).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(places, expected, "{said}");
    let anna = &admin.get("/v1/contacts?q=anna").body["data"][0];
    assert_eq!(anna["custom"], json!({"number": "K-1", "size": "4.5", "tier": "gold"}));

    // Rows of known people change what they name, and a value that one gives up can go to the next.
    fs::write(&file, "email,Customer number\na@example.com,K-2\nh@example.com,K-1\na@example.com,K-2\n").unwrap();
    let matched = import(&workspace, &file, &["--match", "email", "--errors", errors.to_str().unwrap()]);
    assert_eq!(result(&matched), "3 rows: 0 created, 1 updated, 1 unchanged, 1 failed");
    assert!(fs::read_to_string(&errors).unwrap().contains("missing_required"), "a new contact needs its size");
    let path = format!("/v1/contacts/{}", anna["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).body["custom"], json!({"number": "K-2", "size": "4.5", "tier": "gold"}));
    assert_eq!(admin.all(&format!("{path}/history"))[0]["changes"][0]["field"], "custom.number");
    let taken = json!({"last_name": "Late", "custom": {"number": "K-2", "size": "1"}});
    admin.post("/v1/contacts", &taken).expect_problem(409, "conflict");
    let free = json!({"last_name": "Late", "custom": {"number": "K-1", "size": "1"}});
    admin.create("/v1/contacts", &free);
}
