//! Passwords: how they are guessed in vain, and how they are chosen.

use std::{fs, path::Path, sync::Barrier, time::Duration};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, Rapport, Workspace, anonymous, database_url, workspace};

const SECRET: &str = "correct horse battery staple";
const OTHER: &str = "another horse, another battery";

fn login(caller: &Caller, workspace: &Workspace, email: &str, password: &str) -> u16 {
    let login = json!({"workspace": workspace.name, "email": email, "password": password});
    caller.post("/v1/auth/login", &login).status
}

/// A server with an outbox, and what is in it.
struct Office {
    server: Rapport,
    outbox: tempfile::TempDir,
}

impl Office {
    fn open(more: &[&str]) -> Self {
        let outbox = tempfile::tempdir().unwrap();
        let folder = outbox.path().join("mails").display().to_string();
        let url = database_url();
        let arguments = [&["--database-url", &url, "--outbox", &folder], more].concat();
        Self { server: Rapport::serve(&arguments), outbox }
    }

    fn caller(&self) -> Caller {
        Caller::new(&self.server.base, None).at("203.0.113.1")
    }

    fn as_(&self, caller: &Caller) -> Caller {
        self.caller().with(caller.credential())
    }

    /// All mails to somebody, once there are so many.
    fn mails(&self, to: &str, count: usize) -> Vec<String> {
        let folder = self.outbox.path().join("mails");
        for _ in 0..500 {
            let mails = mails_in(&folder, to);
            if mails.len() >= count {
                return mails;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{to} did not get {count} mails");
    }

    fn token(&self, to: &str, count: usize) -> String {
        token_in(&self.mails(to, count)[count - 1])
    }
}

fn mails_in(folder: &Path, to: &str) -> Vec<String> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let whole = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    whole.map(|file| fs::read_to_string(file).unwrap()).filter(|mail| mail.contains(&format!("To: <{to}>"))).collect()
}

fn token_in(mail: &str) -> String {
    let line = mail.lines().find(|line| line.starts_with("  ")).unwrap().trim();
    line.rsplit("#token=").next().unwrap().to_owned()
}

fn invited(workspace: &Workspace, email: &str) -> String {
    let id = workspace.user(email, StandardRole::Agent, SECRET);
    execute(&format!("UPDATE users SET state = 'invited', password_hash = NULL WHERE id = '{id}'"));
    id
}

fn execute(statement: &str) {
    sql_query(statement).execute(&mut PgConnection::establish(&database_url()).unwrap()).unwrap();
}

#[test]
fn an_invited_user_chooses_a_password_once() {
    let (workspace, admin) = workspace();
    let office = Office::open(&["--public-url", "https://crm.example.com/"]);
    let id = invited(&workspace, "mara@example.com");
    assert_eq!(login(&office.caller(), &workspace, "mara@example.com", SECRET), 401);

    let sent = office.as_(&admin).post(&format!("/v1/users/{id}/invite"), &json!(null));
    sent.expect(200);
    assert_eq!((&sent.body["delivered"], &sent.body["user_id"]), (&json!(true), &json!(id)));
    let mail = office.mails("mara@example.com", 1).remove(0);
    assert!(mail.contains("https://crm.example.com/accept-invite#token="), "{mail}");
    assert!(mail.contains("From: Rapport <rapport@crm.example.com>\r\n") && mail.contains(&workspace.name), "{mail}");
    let token = token_in(&mail);
    assert!(!sent.text.contains(&token));

    let accept = |token: &str, password: &str| {
        let body = json!({"token": token, "name": "Mara Weiß", "password": password});
        office.caller().post("/v1/auth/accept-invite", &body)
    };
    accept(&token, "short").expect_errors(&[("/password", "too_short")]);
    accept(&token, "Mara@example.com").expect_errors(&[("/password", "guessable")]);
    accept(&token, SECRET).expect(204);
    assert_eq!(login(&office.caller(), &workspace, "mara@example.com", SECRET), 200);
    accept(&token, OTHER).expect_errors(&[("/token", "invalid_token")]);
    office.as_(&admin).post(&format!("/v1/users/{id}/invite"), &json!(null)).expect_problem(409, "conflict");
}

#[test]
fn who_is_created_is_mailed_and_a_new_address_voids_the_mail_to_the_old_one() {
    let (workspace, admin) = workspace();
    let office = Office::open(&[]);
    let created = office.as_(&admin).post("/v1/users", &json!({"email": "mara@example.com", "name": "Mara"}));
    created.expect(201);
    assert_eq!(created.header("invitation"), "sent");
    let token = office.token("mara@example.com", 1);
    assert!(!created.text.contains(&token));
    let path = format!("/v1/users/{}", created.body["id"].as_str().unwrap());
    office.as_(&admin).patch(&path, &json!({"email": "mara@example.org"})).expect(200);
    let accept =
        |token: &str| office.caller().post("/v1/auth/accept-invite", &json!({"token": token, "password": SECRET}));
    accept(&token).expect_errors(&[("/token", "invalid_token")]);
    office.as_(&admin).post(&format!("{path}/invite"), &json!(null)).expect(200);
    accept(&office.token("mara@example.org", 1)).expect(204);
    assert_eq!(login(&office.caller(), &workspace, "mara@example.org", SECRET), 200);
}

#[test]
fn a_second_invitation_makes_the_first_one_void() {
    let (workspace, admin) = workspace();
    let office = Office::open(&[]);
    let id = invited(&workspace, "mara@example.com");
    (0..2).for_each(|_| office.as_(&admin).post(&format!("/v1/users/{id}/invite"), &json!(null)).expect(200));
    let tokens: Vec<String> = office.mails("mara@example.com", 2).iter().map(|mail| token_in(mail)).collect();
    let accept =
        |token: &str| office.caller().post("/v1/auth/accept-invite", &json!({"token": token, "password": SECRET}));
    accept(&tokens[0]).expect_errors(&[("/token", "invalid_token")]);
    accept(&tokens[1]).expect(204);
}

#[test]
fn of_many_who_use_a_token_at_once_one_succeeds() {
    let (workspace, admin) = workspace();
    let office = Office::open(&[]);
    let id = invited(&workspace, "mara@example.com");
    office.as_(&admin).post(&format!("/v1/users/{id}/invite"), &json!(null)).expect(200);
    let token = office.token("mara@example.com", 1);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let body = json!({"token": token, "password": format!("{SECRET} {number}")});
                let caller = office.caller();
                scope.spawn(move || caller.post("/v1/auth/accept-invite", &body).status)
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [204, 422].contains(status)), "{statuses:?}");
}

#[test]
fn a_forgotten_password_is_replaced_and_every_other_token_ends() {
    let workspace = Workspace::new();
    let office = Office::open(&[]);
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let body = json!({"workspace": workspace.name, "email": "Mara@Example.com"});
    (0..2).for_each(|_| office.caller().post("/v1/auth/password-reset", &body).expect(202));
    let tokens: Vec<String> = office.mails("mara@example.com", 2).iter().map(|mail| token_in(mail)).collect();
    assert_eq!(login(&office.caller(), &workspace, "mara@example.com", SECRET), 200, "asking changes nothing");

    let confirm = |token: &str, password: &str| {
        let body = json!({"token": token, "password": password});
        office.caller().post("/v1/auth/password-reset/confirm", &body)
    };
    confirm(&tokens[0], "password1234").expect_errors(&[("/password", "guessable")]);
    confirm(&tokens[0], OTHER).expect(204);
    confirm(&tokens[0], OTHER).expect_errors(&[("/token", "invalid_token")]);
    confirm(&tokens[1], OTHER).expect_errors(&[("/token", "invalid_token")]);
    assert_eq!(login(&office.caller(), &workspace, "mara@example.com", SECRET), 401);
    assert_eq!(login(&office.caller(), &workspace, "mara@example.com", OTHER), 200);
}

#[test]
fn a_token_is_for_one_thing_and_for_its_time() {
    let (workspace, admin) = workspace();
    let office = Office::open(&[]);
    let id = invited(&workspace, "new@example.com");
    office.as_(&admin).post(&format!("/v1/users/{id}/invite"), &json!(null)).expect(200);
    workspace.user("old@example.com", StandardRole::Agent, SECRET);
    let reset = json!({"workspace": workspace.name, "email": "old@example.com"});
    office.caller().post("/v1/auth/password-reset", &reset).expect(202);
    let (invite, reset) = (office.token("new@example.com", 1), office.token("old@example.com", 1));

    let use_at =
        |address: &str, token: &str| office.caller().post(address, &json!({"token": token, "password": OTHER}));
    use_at("/v1/auth/password-reset/confirm", &invite).expect_errors(&[("/token", "invalid_token")]);
    use_at("/v1/auth/accept-invite", &reset).expect_errors(&[("/token", "invalid_token")]);
    execute(&format!("UPDATE user_tokens SET expires_at = now() WHERE workspace_id = '{}'", workspace.id));
    use_at("/v1/auth/accept-invite", &invite).expect_errors(&[("/token", "invalid_token")]);
    use_at("/v1/auth/password-reset/confirm", &reset).expect_errors(&[("/token", "invalid_token")]);
    for nonsense in ["x", "%", &"A".repeat(64), &"A".repeat(100)] {
        use_at("/v1/auth/accept-invite", nonsense).expect_errors(&[("/token", "invalid_token")]);
    }
}

#[test]
fn who_asks_for_a_password_learns_nothing_about_who_is_there() {
    let workspace = Workspace::new();
    let office = Office::open(&[]);
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    invited(&workspace, "invited@example.com");
    let ask = |workspace: &str, email: &str| {
        let answer = office.caller().post("/v1/auth/password-reset", &json!({"workspace": workspace, "email": email}));
        answer.expect(202);
        answer.body
    };
    let known = ask(&workspace.name, "mara@example.com");
    assert_eq!(ask(&workspace.name, "nobody@example.com"), known);
    assert_eq!(ask(&workspace.name, "invited@example.com"), known);
    assert_eq!(ask("no-such-workspace", "mara@example.com"), known);
    office.mails("mara@example.com", 1);
    let folder = office.outbox.path().join("mails");
    assert!(mails_in(&folder, "invited@example.com").is_empty() && mails_in(&folder, "nobody@example.com").is_empty());

    let statuses = |email: &str| -> Vec<u16> {
        let body = json!({"workspace": workspace.name, "email": email});
        let caller = office.caller().at("198.51.100.7");
        (0..7).map(|_| caller.post("/v1/auth/password-reset", &body).status).collect()
    };
    let known = statuses("mara@example.com");
    assert_eq!(known, [202, 202, 202, 202, 202, 429, 429]);
    assert_eq!(statuses("nobody@example.com"), known);
}

#[test]
fn a_user_changes_the_password_with_the_old_one() {
    let workspace = Workspace::new();
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let caller = anonymous();
    let body = json!({"workspace": workspace.name, "email": "mara@example.com", "password": SECRET});
    let token = caller.post("/v1/auth/login", &body).body["access_token"].as_str().unwrap().to_owned();
    let mara = caller.with(&token);
    let change = |current: &str, new: &str| {
        mara.post("/v1/auth/password", &json!({"current_password": current, "new_password": new}))
    };
    change("wrong", OTHER).expect_errors(&[("/current_password", "wrong_password")]);
    change(SECRET, "qwertyuiop12").expect_errors(&[("/new_password", "guessable")]);
    change(SECRET, OTHER).expect(204);
    assert_eq!(login(&anonymous(), &workspace, "mara@example.com", SECRET), 401);
    assert_eq!(login(&anonymous(), &workspace, "mara@example.com", OTHER), 200);
    let program = workspace.admin();
    program
        .post("/v1/auth/password", &json!({"current_password": SECRET, "new_password": OTHER}))
        .expect_problem(403, "forbidden");
}

#[test]
fn a_mail_that_can_not_be_written_is_said_to_the_administrator_alone() {
    let (workspace, admin) = workspace();
    let id = invited(&workspace, "mara@example.com");
    let without = admin.post(&format!("/v1/users/{id}/invite"), &json!(null));
    without.expect(200);
    assert_eq!(without.body["delivered"], false);
    assert!(without.body["detail"].as_str().unwrap().contains("--outbox"), "{}", without.text);

    let file = tempfile::NamedTempFile::new().unwrap();
    let broken = file.path().join("outbox").display().to_string();
    let server = Rapport::serve(&["--database-url", &database_url(), "--outbox", &broken]);
    let sent = Caller::new(&server.base, Some(admin.credential().to_owned()))
        .post(&format!("/v1/users/{id}/invite"), &json!(null));
    assert_eq!((sent.status, &sent.body["delivered"]), (200, &json!(false)));
    workspace.user("other@example.com", StandardRole::Agent, SECRET);
    let reset = json!({"workspace": workspace.name, "email": "other@example.com"});
    Caller::new(&server.base, None).post("/v1/auth/password-reset", &reset).expect(202);
    server.stop();
}

#[test]
fn guessing_is_slowed_down_alike_for_known_and_unknown_accounts() {
    let workspace = Workspace::new();
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let statuses = |email: &str| -> Vec<u16> {
        let stranger = anonymous();
        (0..7).map(|_| login(&stranger, &workspace, email, "wrong")).collect()
    };
    let known = statuses("mara@example.com");
    assert_eq!(known, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(statuses("nobody@example.com"), known);

    let stranger = anonymous();
    (0..5).for_each(|_| {
        login(&stranger, &workspace, "mara@example.com", "wrong");
    });
    let body = json!({"workspace": workspace.name, "email": "mara@example.com", "password": SECRET});
    let refused = stranger.post("/v1/auth/login", &body);
    refused.expect_problem(429, "too_many_attempts");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
}

#[test]
fn a_stranger_locks_nobody_out_from_another_address() {
    let workspace = Workspace::new();
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let home = anonymous();
    assert_eq!(login(&home, &workspace, "mara@example.com", SECRET), 200);
    // More failures than an account may have from anywhere, side by side as an attacker would.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let stranger = anonymous();
                    (0..4).for_each(|_| {
                        login(&stranger, &workspace, "mara@example.com", "wrong");
                    });
                }
            });
        }
    });
    assert_eq!(login(&anonymous(), &workspace, "mara@example.com", "wrong"), 429, "the account is closed to strangers");
    assert_eq!(login(&home, &workspace, "mara@example.com", SECRET), 200);
}

#[test]
fn a_success_makes_failures_forgotten() {
    let workspace = Workspace::new();
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let home = anonymous();
    for _ in 0..3 {
        (0..4).for_each(|_| assert_eq!(login(&home, &workspace, "mara@example.com", "wrong"), 401));
        assert_eq!(login(&home, &workspace, "mara@example.com", SECRET), 200);
    }
}

#[test]
fn whoever_can_not_sign_in_gets_the_answer_of_a_wrong_password() {
    let workspace = Workspace::new();
    workspace.user("active@example.com", StandardRole::Agent, SECRET);
    let gone = workspace.user("gone@example.com", StandardRole::Agent, SECRET);
    execute(&format!("UPDATE users SET state = 'deactivated' WHERE id = '{gone}'"));
    invited(&workspace, "invited@example.com");
    let attempt = |workspace: &str, email: &str| {
        let body = json!({"workspace": workspace, "email": email, "password": "wrong password"});
        let mut answer = anonymous().post("/v1/auth/login", &body);
        answer.expect_problem(401, "invalid_login");
        answer.body["request_id"] = Value::Null;
        answer.body
    };
    let wrong = attempt(&workspace.name, "active@example.com");
    for email in ["gone@example.com", "invited@example.com", "nobody@example.com"] {
        assert_eq!(attempt(&workspace.name, email), wrong, "{email}");
    }
    assert_eq!(attempt("no-such-workspace", "active@example.com"), wrong);
}

#[test]
fn a_flood_of_sign_ins_is_turned_away_and_others_are_answered() {
    let (workspace, admin) = workspace();
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let server = Rapport::serve(&["--database-url", &database_url()]);
    let flood = 200;
    let start = Barrier::new(flood + 1);
    let statuses = std::thread::scope(|scope| {
        let (start, workspace, base) = (&start, &workspace, &server.base);
        let tasks: Vec<_> = (0..flood)
            .map(|number| {
                scope.spawn(move || {
                    let caller = Caller::new(base, None).at(&format!("198.51.100.{number}"));
                    start.wait();
                    let body = json!({"workspace": workspace.name, "email": format!("{number}@example.com"), "password": "wrong"});
                    let answer = caller.post("/v1/auth/login", &body);
                    assert!(answer.status != 503 || answer.body["code"] == "busy", "{}", answer.text);
                    assert!(answer.status == 401 || !answer.header("retry-after").is_empty(), "{}", answer.text);
                    answer.status
                })
            })
            .collect();
        start.wait();
        let caller = Caller::new(base, Some(admin.credential().to_owned()));
        (0..50).for_each(|_| caller.get("/v1/contacts").expect(200));
        tasks.into_iter().map(|task| task.join().unwrap()).collect::<Vec<u16>>()
    });
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(401) + count(429) + count(503), flood, "{statuses:?}");
    assert!(count(401) > 0, "{statuses:?}");
    // The line is empty again, and whoever comes now is served.
    assert_eq!(login(&Caller::new(&server.base, None), &workspace, "mara@example.com", SECRET), 200);
    server.stop();
}
