//! Who gets in where, on every operation.

use rapport_domain::{
    access::{Permission, StandardRole},
    id::RoleId,
    record::{Source, Stamp},
    workspace::role::Role,
};
use serde_json::json;

use super::samples::{self, NOBODY};
use crate::harness::{
    Answer, Caller, anonymous,
    contract::{Operation, operations},
    workspace,
};

/// Calls an operation. Whatever it needs beside the id belongs to `owner`.
fn call(operation: &Operation, caller: &Caller, id: &str, owner: Option<&Caller>) -> Answer {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let query = owner.map(|owner| samples::query_with_records(operation.id(), owner)).unwrap_or_default();
    let path = operation.path_with(id) + &query;
    let body = operation.body().map(|schema| match owner {
        Some(owner) => samples::body_with_records(schema, &unique, owner),
        None => samples::body(schema, &unique),
    });
    match body {
        Some(body) => {
            let headers = [("Content-Type", "application/json")];
            caller.send(&operation.method, &path, &headers, Some(body.to_string().into_bytes()))
        }
        None => caller.send(&operation.method, &path, &[], None),
    }
}

#[test]
fn nothing_but_what_is_public_answers_without_credentials() {
    let mut public: Vec<_> = operations()
        .into_iter()
        .filter(|operation| operation.scope().is_none())
        .map(|operation| operation.id())
        .collect();
    public.sort_unstable();
    assert_eq!(
        public,
        [
            "accept_invite",
            "confirm_password_reset",
            "get_calendar",
            "get_liveness",
            "get_problem",
            "get_public_capture_form",
            "get_readiness",
            "issue_token",
            "list_token_keys",
            "login",
            "refresh_session",
            "request_password_reset",
            "submit_capture_form"
        ],
        "a public operation is a decision"
    );

    let (workspace, admin) = workspace();
    let mistyped = admin.credential().replace("rk_", "rk_0");
    for operation in operations().iter().filter(|operation| operation.scope().is_some()) {
        let answer = call(operation, &anonymous(), NOBODY, None);
        answer.expect_problem(401, "unauthorized");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{}", operation.id());
        for wrong in ["nonsense", "a.b.c", &mistyped, &workspace.name] {
            call(operation, &Caller::new(&crate::harness::base(), Some(wrong.to_owned())), NOBODY, None)
                .expect_problem(401, "unauthorized");
        }
    }
}

#[test]
fn without_its_permission_every_operation_is_forbidden() {
    let (workspace, admin) = workspace();
    for operation in operations() {
        let Some(scope) = operation.scope().filter(|scope| !scope.is_empty()) else { continue };
        let others: Vec<&str> =
            Permission::ALL.iter().map(|permission| permission.scope()).filter(|other| *other != scope).collect();
        let id = if operation.has_id() { samples::record_for(&operation.path, &admin) } else { NOBODY.to_owned() };

        let answer = call(&operation, &workspace.scoped(&others), &id, Some(&admin));
        answer.expect_problem(403, "forbidden");
        assert!(answer.body["detail"].as_str().unwrap().contains(scope), "{}", answer.text);

        // To explain the access to a record, one has to see it.
        // To hand records over, one may give them to oneself.
        let scopes = match operation.id() {
            "explain_access" => vec![scope, "contacts:read"],
            // What is not there is created.
            "upsert_contact" => vec![scope, "contacts:create"],
            "upsert_company" => vec![scope, "companies:create"],
            "upsert_opportunity" => vec![scope, "opportunities:create"],
            "upsert_product" => vec![scope, "products:create"],
            "upsert_task" => vec![scope, "tasks:create"],
            // A note is about a record, which one has to see.
            "create_note" | "update_note" => vec![scope, "companies:read"],
            "upsert_note" => vec![scope, "notes:create", "companies:read"],
            "upsert_lead" => vec![scope, "leads:create"],
            // And what becomes of it is created, or deleted again.
            "convert_lead" => vec![scope, "leads:read", "contacts:create", "opportunities:create"],
            "unconvert_lead" => vec![scope, "contacts:delete"],
            // It is told of all that there is.
            "create_webhook" | "update_webhook" | "rotate_webhook" | "replay_webhook" => vec![
                scope,
                "contacts:read",
                "companies:read",
                "leads:read",
                "opportunities:read",
                "products:read",
                "tasks:read",
                "notes:read",
            ],
            // Rules name fields, which one has to be able to read.
            "create_score_definition" | "publish_score_definition" => vec![scope, "leads:read"],
            "transfer_user" => vec![
                scope,
                "contacts:write",
                "companies:write",
                "leads:write",
                "opportunities:write",
                "products:write",
                "tasks:write",
                "notes:write",
            ],
            _ => vec![scope],
        };
        let answer = call(&operation, &workspace.scoped(&scopes), &id, Some(&admin));
        assert!(answer.status < 300, "{} with its scope alone: {}", operation.id(), answer.text);
    }
}

#[test]
fn roles_may_what_their_table_says() {
    for role in StandardRole::ALL {
        let (workspace, admin) = workspace();
        let caller = workspace.signed_in(*role);
        for operation in operations() {
            let Some(scope) = operation.scope().filter(|scope| !scope.is_empty()) else { continue };
            let id = if operation.has_id() { samples::record_for(&operation.path, &admin) } else { NOBODY.to_owned() };
            let stamp = Stamp::new(rapport_persistence::Clock::system().now(), None, Source::Api);
            let grants = Role::standard(*role, RoleId::mint(), stamp).grants();
            // What a lead becomes is created, or deleted again.
            let also: &[Permission] = match operation.id() {
                "convert_lead" => &[Permission::ContactsCreate, Permission::OpportunitiesCreate],
                "unconvert_lead" => &[Permission::ContactsDelete],
                _ => &[],
            };
            let own = Permission::from_scope(scope).unwrap();
            let allowed = also.iter().chain([&own]).all(|permission| grants.allow(*permission));
            let answer = call(&operation, &caller, &id, Some(&admin));
            assert_eq!(answer.status != 403, allowed, "{} as {}: {}", operation.id(), role.as_str(), answer.text);
        }
    }
}

#[test]
fn a_record_of_another_workspace_is_not_there() {
    let (_, here) = workspace();
    let (_, there) = workspace();
    // What is public is there for everybody.
    for operation in operations().iter().filter(|operation| operation.has_id() && operation.scope().is_some()) {
        let id = samples::record_for(&operation.path, &there);
        call(operation, &here, &id, None).expect_problem(404, "not_found");
        call(operation, &here, NOBODY, None).expect_problem(404, "not_found");
        let collection = operation.path.split("/{").next().unwrap().trim_end_matches("/by-external-id");
        there.get(&format!("{collection}/{id}")).expect(200);
    }
}

#[test]
fn a_reference_to_a_record_of_another_workspace_is_unknown() {
    let (_, here) = workspace();
    let (other, there) = workspace();
    let company = there.create("/v1/companies", &json!({"name": "Theirs"}))["id"].clone();
    let user = other.user("owner@example.com", StandardRole::Agent, "a long enough password");
    let reason = there.get("/v1/lost_reasons?limit=1").body["data"][0]["id"].clone();
    let pipeline = samples::default_pipeline(&there)["id"].clone();
    let references = [
        ("/v1/contacts", "NewContact", "company_id", &company),
        ("/v1/companies", "NewCompany", "parent_id", &company),
        ("/v1/contacts", "NewContact", "owner_id", &json!(user)),
        ("/v1/companies", "NewCompany", "owner_id", &json!(user)),
        ("/v1/products", "NewProduct", "owner_id", &json!(user)),
        ("/v1/tasks", "NewTask", "owner_id", &json!(user)),
        ("/v1/tasks", "NewTask", "assignee_id", &json!(user)),
        ("/v1/notes", "NewNote", "owner_id", &json!(user)),
        ("/v1/opportunities", "NewOpportunity", "company_id", &company),
        ("/v1/opportunities", "NewOpportunity", "owner_id", &json!(user)),
        ("/v1/leads", "NewLead", "owner_id", &json!(user)),
        ("/v1/leads", "NewLead", "lost_reason_id", &reason),
        ("/v1/reports/funnel", "FunnelQuery", "pipeline_id", &pipeline),
    ];
    for (collection, schema, field, id) in references {
        let mut new = samples::body_with_records(schema, "x", &here);
        new[field] = id.clone();
        if field == "lost_reason_id" {
            new["status"] = json!("unqualified"); // only what is lost has a reason
        }
        here.post(collection, &new).expect_errors(&[(&format!("/{field}"), "unknown_reference")]);
    }
    let parent = json!({"name": "x", "parent": {"kind": "company", "id": company}});
    here.post("/v1/tasks", &parent).expect_errors(&[("/parent/id", "unknown_reference")]);
    let rule = json!({"name": "x", "strategy": "direct", "user_ids": [user]});
    here.post("/v1/assignment_rules", &rule).expect_errors(&[("/user_ids/0", "unknown_reference")]);
    let mut form = samples::body("NewCaptureForm", "x");
    form["defaults"] = json!({"owner_id": user});
    here.post("/v1/capture_forms", &form).expect_errors(&[("/defaults/owner_id", "unknown_reference")]);
    let about = json!({"body": "x", "parent": {"kind": "company", "id": company}});
    here.post("/v1/notes", &about).expect_errors(&[("/parent/id", "unknown_reference")]);
    let mut mentioning = samples::body_with_records("NewNote", "x", &here);
    mentioning["mentions"] = json!([user]);
    here.post("/v1/notes", &mentioning).expect_errors(&[("/mentions/0", "unknown_reference")]);
    let helper = json!({"name": "x", "collaborator_ids": [user]});
    here.post("/v1/tasks", &helper).expect_errors(&[("/collaborator_ids/0", "unknown_reference")]);
}

#[test]
fn lists_show_nothing_of_other_workspaces() {
    let (_, here) = workspace();
    let (_, there) = workspace();
    let lists = operations().into_iter().filter(|operation| operation.method == "GET" && !operation.has_id());
    for list in lists.filter(|operation| operation.parameters("query").iter().any(|query| query["name"] == "cursor")) {
        if list.value["responses"]["200"]["content"].get("application/json").is_none() {
            continue; // a stream tells what its list tells
        }
        let takes = |name: &str| list.parameters("query").iter().any(|query| query["name"] == name);
        if takes("record_id") && list.parameters("query").iter().any(|query| query["required"] == true) {
            continue; // shares of a record: a test of their own
        }
        let before = here.all(&list.path);
        if let Some((collection, schema)) = samples::collections().into_iter().find(|(path, _)| *path == list.path) {
            there.create(&collection, &samples::body_with_records(schema, "somebody", &there));
        }
        assert_eq!(here.all(&list.path), before, "{}", list.path);
        if takes("q") {
            assert!(here.all(&format!("{}?q=somebody", list.path)).is_empty(), "{}", list.path);
        }
        if takes("count") {
            let counted = here.get(&format!("{}?count=exact", list.path));
            assert_eq!(counted.body["total"], json!({"value": 0, "relation": "exact"}));
        }
    }
}

#[test]
fn another_method_is_refused_with_those_allowed() {
    let (_, admin) = workspace();
    let mut paths: Vec<String> = operations().into_iter().map(|operation| operation.path).collect();
    paths.dedup();
    for path in paths {
        let here: Vec<Operation> = operations().into_iter().filter(|operation| operation.path == path).collect();
        let mut allowed: Vec<&str> = here.iter().map(|operation| operation.method.as_str()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.push("OPTIONS");
        allowed.sort_unstable();
        let address = here[0].path_with(NOBODY);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if !allowed.contains(&method) {
                let answer = admin.send(method, &address, &[], None);
                answer.expect_problem(405, "method_not_allowed");
                let mut named: Vec<&str> = answer.header("allow").split(", ").collect();
                named.sort_unstable();
                assert_eq!(named, allowed, "{method} {path}");
            }
        }
        let options = admin.send("OPTIONS", &address, &[], None);
        options.expect(204);
        assert!(options.header("allow").contains("OPTIONS"));
    }
}
