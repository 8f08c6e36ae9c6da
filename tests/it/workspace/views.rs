//! Views.

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, workspace};

fn austrians() -> Value {
    json!({"version": 1, "entity": "contact", "where":
        {"type": "choice", "field": "country", "op": "in", "values": ["AT"]}})
}

fn path(view: &Value) -> String {
    format!("/v1/views/{}", view["id"].as_str().unwrap())
}

fn names(caller: &Caller, query: &str) -> Vec<String> {
    caller.all(&format!("/v1/views{query}")).iter().map(|view| view["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_view_gives_back_what_a_search_takes() {
    let (workspace, admin) = workspace();
    let agent = workspace.signed_in(StandardRole::Agent);
    for (name, country) in [("Ada", "AT"), ("Grace", "US"), ("Berta", "AT")] {
        admin.create("/v1/contacts", &json!({"first_name": name, "addresses": [{"country": country}]}));
    }
    let new =
        json!({"resource": "contacts", "name": "Austrians", "filter": austrians(), "sort": "name", "fields": ["name"]});
    let view = agent.create("/v1/views", &new);
    assert_eq!(view["owner_id"], agent.get("/v1/me").body["id"]);
    let read = agent.get(&path(&view)).body;
    assert_eq!(read, view);
    let search = json!({"filter": read["filter"], "sort": read["sort"], "fields": read["fields"]});
    assert_eq!(agent.post("/v1/contacts/search", &search).names(), ["Ada", "Berta"]);
}

#[test]
fn a_view_is_its_owners_own_unless_it_is_for_everyone() {
    let (workspace, admin) = workspace();
    let (agent, manager) = (workspace.signed_in(StandardRole::Agent), workspace.signed_in(StandardRole::Manager));
    let create = |name: &str, visibility: &str| {
        agent.create("/v1/views", &json!({"resource": "contacts", "name": name, "visibility": visibility}))
    };
    let (own, shared) = (create("Own", "private"), create("Shared", "everyone"));
    assert_eq!(names(&agent, ""), ["Own", "Shared"]);
    assert_eq!(names(&manager, ""), ["Shared"]);
    manager.get(&path(&own)).expect_problem(404, "not_found");
    manager.patch(&path(&own), &json!({"name": "Mine"})).expect_problem(404, "not_found");
    manager.patch(&path(&shared), &json!({"name": "Mine"})).expect_problem(403, "forbidden");
    manager.delete(&path(&shared)).expect_problem(403, "forbidden");
    agent.patch(&path(&own), &json!({"visibility": "everyone"})).expect(200);
    assert_eq!(names(&manager, ""), ["Own", "Shared"]);
    agent.patch(&path(&own), &json!({"visibility": "private"})).expect(200);
    admin.patch(&path(&shared), &json!({"name": "Ours"})).expect(200);
    agent.delete(&path(&shared)).expect(204);
    assert_eq!(names(&agent, ""), ["Own"]);
}

#[test]
fn a_view_of_what_one_may_not_see_is_not_there() {
    let (workspace, admin) = workspace();
    for resource in ["contacts", "companies"] {
        admin.create("/v1/views", &json!({"resource": resource, "name": resource, "visibility": "everyone"}));
    }
    assert_eq!(names(&admin, "?resource=companies"), ["companies"]);
    let program = workspace.scoped(&["contacts:read"]);
    assert_eq!(names(&program, ""), ["contacts"]);
    let new = |resource: &str| json!({"resource": resource, "name": "New", "visibility": "everyone"});
    program.post("/v1/views", &new("companies")).expect_problem(403, "forbidden");
    program.post("/v1/views", &new("contacts")).expect_problem(403, "forbidden");
    workspace.scoped(&["contacts:read", "views:write"]).post("/v1/views", &new("contacts")).expect(201);
}

#[test]
fn a_program_that_may_only_read_leaves_the_views_of_its_user_alone() {
    let (workspace, admin) = workspace();
    let id = workspace.user("anna@example.com", StandardRole::Agent, "a long enough password");
    let anna = workspace.sign_in("anna@example.com", "a long enough password");
    let new = |visibility: &str| json!({"resource": "contacts", "name": "New", "visibility": visibility});
    let own = anna.create("/v1/views", &new("private"));
    let key = |scopes: Value| {
        let issued = admin.create("/v1/api_keys", &json!({"name": "x", "user_id": id, "scopes": scopes}));
        admin.with(issued["key"].as_str().unwrap())
    };
    for scopes in [json!(["contacts:read"]), json!(["contacts:read", "companies:read", "companies:write"])] {
        let reader = key(scopes);
        reader.get(&path(&own)).expect(200);
        for visibility in ["private", "everyone"] {
            reader.post("/v1/views", &new(visibility)).expect_problem(403, "forbidden");
        }
        reader.patch(&path(&own), &json!({"visibility": "everyone"})).expect_problem(403, "forbidden");
        reader.delete(&path(&own)).expect_problem(403, "forbidden");
    }
    assert_eq!(anna.all("/v1/views"), [own]);
    let writing = ["contacts:create", "contacts:write"].map(|scope| json!(["contacts:read", scope]));
    for scopes in writing.into_iter().chain([Value::Null]) {
        let writer = key(scopes);
        let made = writer.create("/v1/views", &new("private"));
        assert_eq!(made["owner_id"], json!(id));
        writer.delete(&path(&made)).expect(204);
    }
    // Whoever has signed in keeps views of what they may only read.
    let reader = workspace.signed_in(StandardRole::ReadOnly);
    let made = reader.create("/v1/views", &new("private"));
    reader.delete(&path(&made)).expect(204);
}

#[test]
fn what_does_not_fit_is_named() {
    let (_, admin) = workspace();
    let refused = |new: Value, errors: &[(&str, &str)]| {
        let answer = admin.post("/v1/views", &new);
        answer.expect(422);
        answer.expect_errors(errors);
    };
    let mut wrong = austrians();
    wrong["where"]["field"] = json!("land");
    refused(
        json!({"resource": "contacts", "name": "x", "visibility": "everyone", "filter": wrong}),
        &[("/filter/where/field", "unknown_field")],
    );
    refused(
        json!({"resource": "companies", "name": "x", "visibility": "everyone", "filter": austrians()}),
        &[("/filter/entity", "wrong_entity")],
    );
    refused(
        json!({"resource": "companies", "name": "x", "visibility": "everyone", "fields": ["name", "birthday"]}),
        &[("/fields/1", "unknown_field")],
    );
    refused(json!({"resource": "contacts", "name": "x"}), &[("/visibility", "not_allowed")]);
}
