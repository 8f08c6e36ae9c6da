//! Signing in.

use rapport_domain::access::StandardRole;
use serde_json::json;

use crate::harness::{Caller, Workspace, anonymous, base, workspace};

const SECRET: &str = "correct horse battery staple";

#[test]
fn a_user_signs_in_and_is_known() {
    let workspace = Workspace::new();
    let id = workspace.user("Mara@Example.com", StandardRole::Manager, SECRET);
    let login = json!({"workspace": workspace.name, "email": "mara@example.COM", "password": SECRET});
    let answer = anonymous().post("/v1/auth/login", &login);
    answer.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["expires_in"], 900);

    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let me = Caller::new(&base(), Some(token)).get("/v1/me").body;
    assert_eq!(me["id"], json!(id));
    assert_eq!(me["kind"], "user");
    assert_eq!(me["roles"][0]["name"], "manager");
    assert_eq!(me["email"], "mara@example.com");
    assert_eq!(me["workspace"]["name"], json!(workspace.name));
}

#[test]
fn whatever_is_wrong_the_answer_is_the_same() {
    let workspace = Workspace::new();
    let other = Workspace::new();
    workspace.user("mara@example.com", StandardRole::Admin, SECRET);
    let attempt = |workspace: &str, email: &str, password: &str| {
        let login = json!({"workspace": workspace, "email": email, "password": password});
        let answer = anonymous().post("/v1/auth/login", &login);
        answer.expect_problem(401, "invalid_login");
        let mut body = answer.body;
        body["request_id"].take();
        body
    };
    let wrong_password = attempt(&workspace.name, "mara@example.com", "wrong");
    assert_eq!(attempt(&workspace.name, "nobody@example.com", SECRET), wrong_password);
    assert_eq!(attempt(&other.name, "mara@example.com", SECRET), wrong_password);
    assert_eq!(attempt("no-such-workspace", "mara@example.com", SECRET), wrong_password);
}

#[test]
fn an_api_key_is_taken_in_either_header_and_a_bearer_counts_first() {
    let (workspace, admin) = workspace();
    let me = admin.get("/v1/me").body;
    assert_eq!(me["kind"], "api_key");
    assert_eq!(me["email"], json!(null));
    assert_eq!(me["workspace"]["id"], json!(workspace.id.to_string()));

    let key = admin.credential();
    assert_eq!(anonymous().get_with("/v1/me", ("X-Api-Key", key)).body["id"], me["id"]);
    assert_eq!(admin.get_with("/v1/me", ("X-Api-Key", "nonsense")).body["id"], me["id"]);
}

#[test]
fn a_scoped_key_says_what_it_may_do() {
    let workspace = Workspace::new();
    let me = workspace.scoped(&["contacts:read", "companies:write"]).get("/v1/me").body;
    assert_eq!(me["scopes"], json!(["contacts:read", "companies:write"]));
}

#[test]
fn a_record_tells_who_wrote_it() {
    let (workspace, admin) = workspace();
    let agent = workspace.signed_in(StandardRole::Agent);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    let changed = agent.patch(&path, &json!({"last_name": "Lovelace"})).body;
    assert_eq!(changed["created_by"], admin.get("/v1/me").body["id"]);
    assert_eq!(changed["updated_by"], agent.get("/v1/me").body["id"]);

    let history = admin.all(&format!("{path}/history"));
    assert_eq!(history[0]["actor"], json!({"kind": "user", "id": changed["updated_by"]}));
    assert_eq!(history[1]["actor"]["kind"], "api_key");
}
