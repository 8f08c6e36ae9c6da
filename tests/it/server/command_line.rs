//! The command line: what it says, and with which status it ends.

use std::process::Output;

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use serde_json::json;

use crate::harness::{Caller, Rapport, anonymous, base, database_url, rapport};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_names_every_command() {
    let help = rapport(&["--help"]);
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    for command in ["serve", "worker", "migrate", "openapi", "import", "admin"] {
        assert!(help.contains(command), "{help}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_a_failure_with_1() {
    for wrong in [&["fly"][..], &["serve", "--listen", "nowhere"], &["admin", "create-user", "--workspace", "x"], &[]] {
        assert_eq!(rapport(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let url = database_url();
    let missing =
        rapport(&["admin", "create-api-key", "--workspace", "nowhere-at-all", "--name", "x", "--database-url", &url]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("there is no workspace nowhere-at-all"), "{}", said(&missing));
    let unreachable = rapport(&["migrate", "--database-url", "postgresql://nobody@127.0.0.1:1/none"]);
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(said(&unreachable).contains("can't be reached"), "{}", said(&unreachable));
}

#[test]
fn a_workspace_a_user_and_a_key_are_made_on_the_command_line() {
    let url = database_url();
    let name = format!("made-{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
    let run = |arguments: &[&str]| {
        let output = rapport(&[&["admin"], arguments, &["--database-url", &url]].concat());
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let id = run(&["create-workspace", &name, "--country", "AT"]);
    let password = run(&["create-user", "--workspace", &name, "--email", "mara@example.com", "--role", "agent"]);
    let key = run(&["create-api-key", "--workspace", &name, "--name", "sync", "--scope", "contacts:read"]);

    let login = json!({"workspace": name, "email": "mara@example.com", "password": password});
    anonymous().post("/v1/auth/login", &login).expect(200);
    let me = Caller::new(&base(), Some(key)).get("/v1/me").body;
    assert_eq!(me["workspace"]["id"], json!(id));
    assert_eq!(me["scopes"], json!(["contacts:read"]));

    let again = rapport(&["admin", "create-workspace", &name, "--database-url", &url]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("exists already"), "{}", said(&again));
    let wrong = rapport(&["admin", "create-workspace", "Not A Name", "--database-url", &url]);
    assert!(said(&wrong).contains("small letters"), "{}", said(&wrong));
}

#[test]
fn a_database_that_is_behind_is_refused_with_the_command_to_run() {
    let mut pg = PgConnection::establish(&database_url()).unwrap();
    sql_query("DROP DATABASE IF EXISTS test_behind WITH (FORCE)").execute(&mut pg).unwrap();
    sql_query("CREATE DATABASE test_behind").execute(&mut pg).unwrap();
    let url = database_url();
    let (server, options) =
        url.split_once('?').map_or((url.as_str(), String::new()), |(url, options)| (url, format!("?{options}")));
    let url = format!("{}/test_behind{options}", server.rsplit_once('/').unwrap().0);

    let refused = Rapport::try_serve(&["--database-url", &url]).err().unwrap();
    assert!(refused.contains("rapport migrate"), "{refused}");
    let status = rapport(&["migrate", "--status", "--database-url", &url]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.lines().count() >= 5 && status.lines().all(|line| line.starts_with("pending")), "{status}");
    assert!(rapport(&["migrate", "--database-url", &url]).status.success());
    assert!(said(&rapport(&["migrate", "--database-url", &url])).contains("up to date"));
    Rapport::serve(&["--database-url", &url]).stop();
}

#[test]
fn a_taken_port_is_said_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = rapport(&["serve", "--listen", &address, "--database-url", &database_url()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("is in use by another program"), "{}", said(&refused));
}

#[test]
fn the_sample_workspace_comes_with_a_call_that_works_as_printed() {
    let server = Rapport::serve(&["--ephemeral", "--demo"]);
    let line = server.welcome.lines().find(|line| line.trim().starts_with("curl ")).unwrap();
    let quoted: Vec<&str> = line.split('\'').collect();
    let (credential, url) = (quoted[1].strip_prefix("Authorization: Bearer ").unwrap(), quoted[3]);
    let caller = Caller::new(&server.base, Some(credential.to_owned()));
    let answer = caller.get(url.strip_prefix(&server.base).unwrap());
    answer.expect(200);
    assert!(answer.names()[0].contains("Lindt"), "{}", answer.text);
    let login = json!({"workspace": "demo", "email": "mara@demo.example", "password": "rapport-demo-password"});
    Caller::new(&server.base, None).post("/v1/auth/login", &login).expect(200);
    server.stop();
}
