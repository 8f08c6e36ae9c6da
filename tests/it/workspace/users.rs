//! Users, their teams and roles, and handing over what they own.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Caller, Workspace, database_url, is_in_database, workspace};

const SECRET: &str = "correct horse battery staple";

fn role(admin: &Caller, name: &str) -> Value {
    let roles = admin.all("/v1/roles");
    roles.iter().find(|role| role["name"] == name).unwrap_or_else(|| panic!("no role {name}"))["id"].clone()
}

fn team(admin: &Caller, name: &str, parent: Option<&Value>) -> Value {
    admin.create("/v1/teams", &json!({"name": name, "parent_id": parent.map(|parent| &parent["id"])}))
}

#[test]
fn a_workspace_begins_with_four_roles() {
    let (_, admin) = workspace();
    let roles = admin.get("/v1/roles");
    assert_eq!(roles.names(), ["admin", "agent", "manager", "read_only"]);
    let kept: Vec<_> = roles.body["data"].as_array().unwrap().iter().filter(|role| role["is_admin"] == true).collect();
    assert_eq!(kept.len(), 1);
}

#[test]
fn a_user_is_invited_changed_and_deactivated() {
    let (_, admin) = workspace();
    let north = team(&admin, "North", None);
    let new = json!({"email": "Mara@Example.com", "name": "Mara", "role_ids": [role(&admin, "agent")],
        "team_ids": [north["id"]]});
    let user = admin.create("/v1/users", &new);
    assert_eq!((&user["email"], &user["state"]), (&json!("mara@example.com"), &json!("invited")));
    assert_eq!(user["team_ids"], json!([north["id"]]));

    let path = format!("/v1/users/{}", user["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).body, user);
    let active = admin.send("POST", &format!("{path}/activate"), &[], None);
    assert_eq!(active.body["state"], "active");
    admin.patch_if(&path, "\"1\"", &json!({"name": "M"})).expect_problem(412, "precondition_failed");
    let gone = admin.send("POST", &format!("{path}/deactivate"), &[], None);
    assert_eq!((&gone.body["state"], &gone.body["version"]), (&json!("deactivated"), &json!(3)));
    let events: Vec<Value> = admin.all(&format!("{path}/history")).iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(events, ["user.deactivated", "user.activated", "user.created"]);

    let again = admin.post("/v1/users", &json!({"email": "mara@example.com", "name": "Another"}));
    again.expect_problem(409, "conflict");
    again.expect_errors(&[("", "email_taken")]);
    let unknown = json!({"email": "x@", "name": " ", "role_ids": [user["id"]], "team_ids": [north["id"], north["id"]]});
    admin.post("/v1/users", &unknown).expect_problem(422, "validation_failed");
    let unknown = json!({"email": "tom@example.com", "name": "Tom", "role_ids": [user["id"]]});
    admin.post("/v1/users", &unknown).expect_errors(&[("/role_ids/0", "unknown_reference")]);
    let unknown = json!({"email": "tom@example.com", "name": "Tom", "team_ids": [user["id"]]});
    admin.post("/v1/users", &unknown).expect_errors(&[("/team_ids", "unknown_reference")]);
    assert_eq!(admin.all("/v1/users").len(), 1, "what was refused is not half written");
    assert_eq!(admin.all(&format!("/v1/users?team_id={}", north["id"].as_str().unwrap())).len(), 1);
    assert_eq!(admin.all("/v1/users?state=active&state=invited").len(), 0);
}

#[test]
fn what_changes_rights_holds_from_the_next_request_on() {
    let (workspace, admin) = workspace();
    let id = workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let mara = workspace.sign_in("mara@example.com", SECRET);
    let path = format!("/v1/users/{id}");
    mara.post("/v1/contacts", &json!({"first_name": "Ada"})).expect(201);

    admin.patch(&path, &json!({"role_ids": [role(&admin, "read_only")]})).expect(200);
    mara.post("/v1/contacts", &json!({"first_name": "Ben"})).expect_problem(403, "forbidden");
    mara.get("/v1/contacts").expect(200);
    admin.patch(&path, &json!({"role_ids": null})).expect(200);
    mara.get("/v1/contacts").expect_problem(403, "forbidden");
    assert_eq!(mara.get("/v1/me").body["roles"], json!([]));
    admin.send("POST", &format!("{path}/deactivate"), &[], None).expect(200);
    mara.get("/v1/me").expect_problem(401, "unauthorized");
}

#[test]
fn nobody_gives_more_than_they_have() {
    let (workspace, admin) = workspace();
    let keeper = json!({"name": "Keeper", "permissions": ["users:read", "users:write", "roles:read", "roles:write"],
        "rules": [{"resource": "contacts", "read": "team", "write": "own",
                   "readable_fields": {"mode": "all_but", "fields": ["birthday"]}}]});
    let keeper = admin.create("/v1/roles", &keeper)["id"].clone();
    let id = workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [keeper]})).expect(200);
    let mara = workspace.sign_in("mara@example.com", SECRET);

    let allows = |rule: Value| mara.post("/v1/roles", &json!({"name": uuid::Uuid::new_v4(), "rules": [rule]})).status;
    let birthday = json!({"mode": "all_but", "fields": ["birthday"]});
    let contacts = |read: &str| json!({"resource": "contacts", "read": read, "readable_fields": birthday});
    assert_eq!(allows(contacts("own")), 201);
    assert_eq!(allows(contacts("team_tree")), 403);
    assert_eq!(allows(json!({"resource": "contacts", "read": "own"})), 403, "a field more than they may read");
    assert_eq!(allows(json!({"resource": "companies", "read": "own"})), 403);
    mara.post("/v1/roles", &json!({"name": "all", "is_admin": true})).expect_problem(403, "forbidden");
    mara.post("/v1/roles", &json!({"name": "audit", "permissions": ["audit:read"]})).expect_problem(403, "forbidden");

    let administrator = role(&admin, "admin");
    let new = json!({"email": "x@example.com", "name": "X", "role_ids": [administrator]});
    mara.post("/v1/users", &new).expect_problem(403, "forbidden");
    mara.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [administrator]})).expect_problem(403, "forbidden");
    let chief = workspace.user("chief@example.com", StandardRole::Admin, SECRET);
    let path = format!("/v1/users/{chief}");
    mara.patch(&path, &json!({"email": "mine@example.com"})).expect_problem(403, "forbidden");
    mara.patch(&format!("/v1/roles/{}", administrator.as_str().unwrap()), &json!({"name": "x"})).expect(403);
}

#[test]
fn the_last_administrator_stays() {
    let (workspace, admin) = workspace();
    let one = workspace.user("one@example.com", StandardRole::Admin, SECRET);
    let two = workspace.user("two@example.com", StandardRole::Admin, SECRET);
    admin.send("POST", &format!("/v1/users/{two}/deactivate"), &[], None).expect(200);
    let refused = admin.send("POST", &format!("/v1/users/{one}/deactivate"), &[], None);
    refused.expect_errors(&[("", "last_administrator")]);
    admin.patch(&format!("/v1/users/{one}"), &json!({"role_ids": []})).expect(409);
    let path = format!("/v1/roles/{}", role(&admin, "admin").as_str().unwrap());
    admin.patch(&path, &json!({"is_admin": false})).expect_errors(&[("", "last_administrator")]);
    assert_eq!(admin.get(&path).body["version"], 1);
}

/// Of two administrators who take the role from each other, one is refused.
#[test]
fn two_administrators_cannot_end_each_other() {
    for _ in 0..5 {
        let (workspace, admin) = workspace();
        let ids =
            ["one@example.com", "two@example.com"].map(|email| workspace.user(email, StandardRole::Admin, SECRET));
        std::thread::scope(|scope| {
            for id in &ids {
                let admin = admin.clone();
                scope.spawn(move || admin.send("POST", &format!("/v1/users/{id}/deactivate"), &[], None));
            }
        });
        assert_eq!(admin.all("/v1/users?state=active").len(), 1);
    }
}

#[test]
fn everything_a_user_owns_is_handed_over() {
    let (workspace, admin) = workspace();
    let [from, one, two] = ["from", "one", "two"].map(|name| owner(&workspace, name));
    let south = team(&admin, "South", None);
    admin.patch(&format!("/v1/users/{two}"), &json!({"team_ids": [south["id"]]})).expect(200);
    for index in 0..5 {
        admin.create("/v1/contacts", &json!({"first_name": format!("Ada {index}"), "owner_id": from}));
    }
    let company = admin.create("/v1/companies", &json!({"name": "Engines", "owner_id": from}));
    let deleted = admin.create("/v1/contacts", &json!({"first_name": "Gone", "owner_id": from}));
    admin.delete(&format!("/v1/contacts/{}", deleted["id"].as_str().unwrap())).expect(204);
    let other = admin.create("/v1/contacts", &json!({"first_name": "Not theirs", "owner_id": one}));

    let path = format!("/v1/users/{from}/transfer");
    let wrong = json!({"to": [from, other["id"], one]});
    admin.post(&path, &wrong).expect_errors(&[("/to/0", "same_user"), ("/to/1", "unknown_reference")]);
    let answer = admin.post(&path, &json!({"to": [one, two]}));
    answer.expect(200);
    let counts = answer.body["records"].as_array().unwrap();
    let handed_over: Vec<&Value> = counts.iter().filter(|records| records["count"] != 0).collect();
    assert_eq!(
        json!(handed_over),
        json!([{"resource": "contacts", "count": 6}, {"resource": "companies", "count": 1}])
    );
    assert!(admin.all(&format!("/v1/contacts?owner_id={from}")).is_empty());
    let of_two = admin.all(&format!("/v1/contacts?owner_id={two}"));
    assert!((2..=3).contains(&of_two.len()), "they take turns");
    assert!(of_two.iter().all(|contact| contact["team_id"] == south["id"] && contact["version"] == 2));
    let history = admin.all(&format!("/v1/companies/{}/history", company["id"].as_str().unwrap()));
    assert_eq!(history[0]["changes"][0], json!({"field": "owner_id", "from": from, "to": one}));
    assert_eq!(admin.post(&path, &json!({"to": [one]})).body["records"][0]["count"], 0, "nothing is left");
}

fn owner(workspace: &Workspace, name: &str) -> String {
    workspace.user(&format!("{name}@example.com"), StandardRole::Agent, SECRET)
}

#[test]
fn records_are_of_who_creates_them_and_of_their_main_team() {
    let (workspace, admin) = workspace();
    let (north, south) = (team(&admin, "North", None), team(&admin, "South", None));
    let (mara, tom) = (owner(&workspace, "mara"), owner(&workspace, "tom"));
    admin.patch(&format!("/v1/users/{mara}"), &json!({"team_ids": [south["id"], north["id"]]})).expect(200);
    admin.patch(&format!("/v1/users/{tom}"), &json!({"team_ids": [north["id"]]})).expect(200);
    let signed_in = workspace.sign_in("mara@example.com", SECRET);

    let own = signed_in.create("/v1/contacts", &json!({"first_name": "Ada"}));
    assert_eq!((&own["owner_id"], &own["team_id"]), (&json!(mara), &south["id"]));
    let nobodys = signed_in.create("/v1/contacts", &json!({"first_name": "Ben", "owner_id": null}));
    assert_eq!((&nobodys["owner_id"], &nobodys["team_id"]), (&Value::Null, &Value::Null));
    let of_tom = admin.create("/v1/companies", &json!({"name": "Engines", "owner_id": tom}));
    assert_eq!(of_tom["team_id"], north["id"]);
    let of_program = admin.create("/v1/companies", &json!({"name": "Machines"}));
    assert_eq!(of_program["owner_id"], Value::Null, "programs own nothing");

    let path = format!("/v1/contacts/{}", own["id"].as_str().unwrap());
    let moved = admin.patch(&path, &json!({"owner_id": tom})).body;
    assert_eq!(moved["team_id"], north["id"], "a new owner brings their team along");
    let kept = admin.patch(&path, &json!({"owner_id": mara, "team_id": north["id"]})).body;
    assert_eq!(kept["team_id"], north["id"]);
    let left = admin.patch(&path, &json!({"owner_id": null})).body;
    assert_eq!(left["team_id"], north["id"], "a record that loses its owner stays with the team");
    assert_eq!(admin.all(&format!("/v1/contacts?team_id={}", north["id"].as_str().unwrap())).len(), 1);
}

#[test]
fn teams_form_a_tree_without_circles() {
    let (_, admin) = workspace();
    let top = team(&admin, "Top", None);
    let middle = team(&admin, "Middle", Some(&top));
    let bottom = team(&admin, "Bottom", Some(&middle));
    let path = |team: &Value| format!("/v1/teams/{}", team["id"].as_str().unwrap());
    let closes = admin.patch(&path(&top), &json!({"parent_id": bottom["id"]}));
    closes.expect_errors(&[("/parent_id", "circle")]);
    admin.patch(&path(&top), &json!({"parent_id": top["id"]})).expect_errors(&[("/parent_id", "circle")]);
    admin.delete(&path(&middle)).expect_problem(409, "conflict");
    admin.patch(&path(&bottom), &json!({"parent_id": top["id"]})).expect(200);
    admin.delete(&path(&middle)).expect(204);
    admin.get(&path(&middle)).expect_problem(404, "not_found");

    let mut deep = bottom;
    for index in 0..8 {
        deep = team(&admin, &format!("Deep {index}"), Some(&deep));
    }
    let new = json!({"name": "Too deep", "parent_id": deep["id"]});
    admin.post("/v1/teams", &new).expect_errors(&[("/parent_id", "too_deep")]);
    admin.post("/v1/teams", &json!({"name": "Top"})).expect_errors(&[("", "name_taken")]);
}

/// Two moves that would close a circle together take turns.
#[test]
fn teams_moved_at_once_close_no_circle() {
    for _ in 0..5 {
        let (_, admin) = workspace();
        let (one, other) = (team(&admin, "One", None), team(&admin, "Other", None));
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let moves = [(&one, &other), (&other, &one)].map(|(below, above)| {
                let admin = admin.clone();
                scope.spawn(move || {
                    let path = format!("/v1/teams/{}", below["id"].as_str().unwrap());
                    admin.patch(&path, &json!({"parent_id": above["id"]})).status
                })
            });
            moves.into_iter().map(|task| task.join().unwrap()).collect()
        });
        assert!(statuses.contains(&200) && statuses.contains(&422), "{statuses:?}");
    }
}

#[test]
fn a_role_in_use_stays_and_one_that_is_not_goes() {
    let (workspace, admin) = workspace();
    workspace.user("mara@example.com", StandardRole::Agent, SECRET);
    let path = |name: &str| format!("/v1/roles/{}", role(&admin, name).as_str().unwrap());
    admin.delete(&path("agent")).expect_errors(&[("", "in_use")]);
    admin.delete(&path("read_only")).expect(204);
    let new = json!({"name": "Odd", "permissions": ["contacts:read"], "rules": [
        {"resource": "contacts", "read": "own", "write": "all", "readable_fields": {"mode": "only", "fields": ["shoe_size"]}}]});
    admin.post("/v1/roles", &new).expect_errors(&[
        ("/rules/0/write", "beyond_read"),
        ("/rules/0/readable_fields/fields/0", "unknown_field"),
        ("/permissions/0", "unknown_permission"),
    ]);
}

/// Between the look whether anybody has it and its end, somebody gets it.
#[test]
fn what_somebody_gets_at_the_last_moment_is_in_use() {
    let (workspace, admin) = workspace();
    let user = owner(&workspace, "mara");
    let (team, role) = (team(&admin, "North", None), admin.create("/v1/roles", &json!({"name": "Guest"})));
    let values = |record: &Value| format!("'{}', '{user}', '{}'", workspace.id, record["id"].as_str().unwrap());
    let joins = format!("team_members (workspace_id, user_id, team_id, place) VALUES ({}, 0)", values(&team));
    let gets = format!("user_roles (workspace_id, user_id, role_id) VALUES ({})", values(&role));
    for (collection, record, insertion) in [("teams", &team, joins), ("roles", &role, gets)] {
        let path = format!("/v1/{collection}/{}", record["id"].as_str().unwrap());
        let name = format!("{collection} of {}", workspace.name);
        let mut pg = PgConnection::establish(&database_url()).unwrap();
        pg.batch_execute(&format!("SET application_name = '{name}'; BEGIN; INSERT INTO {insertion}")).unwrap();
        let waits = format!(
            "SELECT FROM pg_stat_activity AS holder JOIN pg_stat_activity AS waiting \
             ON holder.pid = ANY(pg_blocking_pids(waiting.pid)) WHERE holder.application_name = '{name}'"
        );
        let (has_waited, refused) = thread::scope(|scope| {
            let deletion = scope.spawn(|| admin.delete(&path));
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut has_waited = false;
            while !has_waited && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(20));
                has_waited = is_in_database(&waits);
            }
            pg.batch_execute("COMMIT").unwrap(); // before anything fails: the deletion waits for it
            (has_waited, deletion.join().unwrap())
        });
        assert!(has_waited, "{path} was deleted before: {}", refused.text);
        refused.expect_problem(409, "conflict");
        refused.expect_errors(&[("", "in_use")]);
        admin.get(&path).expect(200);
    }
}

#[test]
fn several_roles_add_up() {
    let (workspace, admin) = workspace();
    let id = owner(&workspace, "mara");
    let reader = json!({"name": "Reader", "rules": [{"resource": "contacts", "read": "all",
        "readable_fields": {"mode": "only", "fields": ["first_name", "last_name", "name"]}}]});
    let keeper = json!({"name": "Own", "rules": [{"resource": "contacts", "read": "own", "write": "own",
        "readable_fields": {"mode": "all_but", "fields": ["birthday"]}}]});
    let roles: Vec<Value> = [reader, keeper].iter().map(|role| admin.create("/v1/roles", role)["id"].clone()).collect();
    let contact =
        admin.create("/v1/contacts", &json!({"first_name": "Ada", "birthday": "1815-12-10", "job_title": "Countess"}));
    let mara = workspace.sign_in("mara@example.com", SECRET);
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    let fields = |roles: &[Value]| {
        admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": roles})).expect(200);
        let answer = mara.get(&path);
        (answer.status, answer.body.get("job_title").is_some(), answer.body.get("birthday").is_some())
    };
    assert_eq!(fields(&roles[..1]), (200, false, false));
    assert_eq!(fields(&roles[1..]), (404, false, false));
    assert_eq!(fields(&roles), (200, true, false));
}

#[test]
fn a_share_is_made_once_and_ends() {
    let (workspace, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let own = json!({"name": "Own", "rules": [{"resource": "contacts", "read": "own", "write": "own"}]});
    let own = admin.create("/v1/roles", &own)["id"].clone();
    let id = owner(&workspace, "mara");
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [own]})).expect(200);
    let mara = workspace.sign_in("mara@example.com", SECRET);
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    mara.get(&path).expect(404);

    let mut share = json!({"resource": "contacts", "record_id": contact["id"], "user_id": id});
    let made = admin.create("/v1/shares", &share);
    mara.get(&path).expect(200);
    mara.patch(&path, &json!({"job_title": "Countess"})).expect_problem(403, "forbidden");
    admin.post("/v1/shares", &share).expect_errors(&[("", "shared_already")]);
    admin.delete(&format!("/v1/shares/{}", made["id"].as_str().unwrap())).expect(204);
    mara.get(&path).expect(404);
    share["access"] = json!("write");
    admin.create("/v1/shares", &share);
    mara.patch(&path, &json!({"job_title": "Countess"})).expect(200);

    share["expires_at"] = json!("2020-01-01T00:00:00Z");
    admin.post("/v1/shares", &share).expect_errors(&[("/expires_at", "in_the_past")]);
    share["team_id"] = share["user_id"].clone();
    share["expires_at"] = Value::Null;
    admin.post("/v1/shares", &share).expect_errors(&[("", "user_or_team")]);
}

#[test]
fn the_audit_tells_who_changed_whose_rights() {
    let (workspace, admin) = workspace();
    let id = owner(&workspace, "mara");
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role(&admin, "read_only")]})).expect(200);
    admin.create("/v1/roles", &json!({"name": "New"}));
    let entries = admin.all(&format!("/v1/audit?record_id={id}"));
    let events: Vec<&str> = entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["user.updated", "user.created"]);
    assert_eq!(entries[0]["changes"][0]["field"], "role_ids");
    assert_eq!(entries[0]["address"], "127.0.0.1");
    assert_eq!(admin.all("/v1/audit?event=role.created").len(), 1);
    assert!(admin.all("/v1/audit").iter().all(|entry| entry["event"] != "contact.created"));
}

#[test]
fn an_administrator_reads_on_behalf_of_a_user_and_it_is_noted() {
    let (workspace, admin) = workspace();
    let own = json!({"name": "Own", "rules": [{"resource": "contacts", "read": "own", "write": "own"}]});
    let own = admin.create("/v1/roles", &own)["id"].clone();
    let id = owner(&workspace, "mara");
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [own]})).expect(200);
    let of_mara = admin.create("/v1/contacts", &json!({"first_name": "Ada", "owner_id": id}));
    admin.create("/v1/contacts", &json!({"first_name": "Ben"}));

    let seen = admin.get_with("/v1/contacts", ("On-Behalf-Of", &id));
    assert_eq!(seen.body["data"], json!([of_mara]));
    admin.get_with("/v1/companies", ("On-Behalf-Of", &id)).expect_problem(403, "forbidden");
    let noted = admin.all(&format!("/v1/audit?event=user.read_on_behalf&record_id={id}"));
    let operations: Vec<&Value> = noted.iter().map(|entry| &entry["changes"][0]["to"]).collect();
    assert_eq!(operations, ["list_companies", "list_contacts"]);

    let mara = workspace.sign_in("mara@example.com", SECRET);
    mara.get_with("/v1/contacts", ("On-Behalf-Of", &id)).expect_problem(403, "forbidden");
    for wrong in ["nobody", "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"] {
        admin.get_with("/v1/contacts", ("On-Behalf-Of", wrong)).expect_problem(400, "invalid_header");
    }
    let write = admin.send(
        "DELETE",
        &format!("/v1/contacts/{}", of_mara["id"].as_str().unwrap()),
        &[("On-Behalf-Of", &id)],
        None,
    );
    write.expect_problem(400, "invalid_header");
}

/// Who manages users does not become them, and does not see by them what they may not see.
#[test]
fn whoever_manages_users_gets_no_records_by_it() {
    let (workspace, admin) = workspace();
    let keeper = json!({"name": "Keeper", "permissions": ["users:read", "users:write", "teams:write"],
        "rules": [{"resource": "contacts", "read": "team_tree", "write": "own"}]});
    let keeper = admin.create("/v1/roles", &keeper)["id"].clone();
    let (id, peer) = (owner(&workspace, "mara"), owner(&workspace, "peer"));
    let (north, south) = (team(&admin, "North", None), team(&admin, "South", None));
    for (user, team) in [(&id, &north), (&peer, &south)] {
        let patch = json!({"role_ids": [keeper], "team_ids": [team["id"]]});
        admin.patch(&format!("/v1/users/{user}"), &patch).expect(200);
    }
    admin.create("/v1/contacts", &json!({"first_name": "Ada", "owner_id": peer}));
    let mara = workspace.sign_in("mara@example.com", SECRET);

    mara.post(&format!("/v1/users/{peer}/transfer"), &json!({"to": [id]})).expect_problem(403, "forbidden");
    mara.patch(&format!("/v1/users/{peer}"), &json!({"email": "mine@example.com"})).expect_problem(403, "forbidden");
    let both = json!({"team_ids": [north["id"], south["id"]]});
    mara.patch(&format!("/v1/users/{id}"), &both).expect_problem(403, "forbidden");
    let below = json!({"parent_id": north["id"]});
    let path = format!("/v1/teams/{}", south["id"].as_str().unwrap());
    mara.patch(&path, &below).expect_problem(403, "forbidden");
    assert!(mara.all("/v1/contacts").is_empty());
    mara.patch(&format!("/v1/users/{peer}"), &json!({"name": "Another"})).expect(200);
}

/// Who sees all and changes what their team has would change what another team has by joining it.
#[test]
fn whoever_manages_users_and_teams_gets_nothing_to_change_by_it() {
    let (workspace, admin) = workspace();
    let keeper = json!({"name": "Keeper", "permissions": ["users:read", "users:write", "teams:write"],
        "rules": [{"resource": "contacts", "read": "all", "write": "team_tree"}]});
    let keeper = admin.create("/v1/roles", &keeper)["id"].clone();
    let (mara, tom) = (owner(&workspace, "mara"), owner(&workspace, "tom"));
    let (north, south) = (team(&admin, "North", None), team(&admin, "South", None));
    admin.patch(&format!("/v1/users/{mara}"), &json!({"role_ids": [keeper], "team_ids": [north["id"]]})).expect(200);
    admin.patch(&format!("/v1/users/{tom}"), &json!({"role_ids": [], "team_ids": []})).expect(200);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "team_id": south["id"]}));
    let signed_in = workspace.sign_in("mara@example.com", SECRET);

    let both = json!({"team_ids": [north["id"], south["id"]]});
    signed_in.patch(&format!("/v1/users/{mara}"), &both).expect_problem(403, "forbidden");
    let below = json!({"parent_id": north["id"]});
    let path = format!("/v1/teams/{}", south["id"].as_str().unwrap());
    signed_in.patch(&path, &below).expect_problem(403, "forbidden");
    // Whoever has no role gets nothing by a team, and nothing by a role where they are in one that is out of reach.
    let tom = format!("/v1/users/{tom}");
    signed_in.patch(&tom, &json!({"team_ids": [south["id"]]})).expect(200);
    signed_in.patch(&tom, &json!({"role_ids": [keeper]})).expect_problem(403, "forbidden");
    signed_in.patch(&tom, &json!({"team_ids": [north["id"]], "role_ids": [keeper]})).expect(200);
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    signed_in.patch(&path, &json!({"job_title": "Countess"})).expect_problem(403, "forbidden");
}

/// What may be changed only because it was lent or assigned is not taken away from its owner, nor shown to others.
#[test]
fn what_was_lent_keeps_its_owner() {
    let (workspace, admin) = workspace();
    let rules: Vec<Value> = ["contacts", "tasks", "notes"]
        .iter()
        .map(|resource| json!({"resource": resource, "read": "own", "write": "own", "create": true}))
        .collect();
    let own = admin.create("/v1/roles", &json!({"name": "Own", "rules": rules}))["id"].clone();
    let (mara, tom) = (owner(&workspace, "mara"), owner(&workspace, "tom"));
    let team = team(&admin, "North", None)["id"].clone();
    admin.patch(&format!("/v1/users/{mara}"), &json!({"role_ids": [own], "team_ids": [team]})).expect(200);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "owner_id": tom}));
    let task = json!({"name": "Call", "due_at": "2099-12-01T09:00:00Z", "owner_id": tom, "assignee_id": mara});
    let task = admin.create("/v1/tasks", &task);
    let parent = json!({"kind": "contact", "id": contact["id"]});
    let note = admin.create("/v1/notes", &json!({"body": "Calls at noon", "parent": parent, "owner_id": tom}));
    for (resource, record) in [("contacts", &contact), ("notes", &note)] {
        let share = json!({"resource": resource, "record_id": record["id"], "user_id": mara, "access": "write"});
        admin.create("/v1/shares", &share);
    }
    let signed_in = workspace.sign_in("mara@example.com", SECRET);
    let path = |resource: &str, record: &Value| format!("/v1/{resource}/{}", record["id"].as_str().unwrap());
    let (of_contact, of_task, of_note) = (path("contacts", &contact), path("tasks", &task), path("notes", &note));
    for path in [&of_contact, &of_task, &of_note] {
        for taking in [json!({"owner_id": mara}), json!({"team_id": team})] {
            signed_in.patch(path, &taking).expect_problem(403, "forbidden");
        }
    }
    let operations = json!({"operations": [{"op": "update", "id": contact["id"], "data": {"owner_id": mara}}]});
    let answer = signed_in.post("/v1/contacts/batch", &operations);
    assert_eq!(answer.body["results"][0]["status"], 403, "{}", answer.text);
    signed_in.patch(&of_note, &json!({"mentions": [tom]})).expect_problem(403, "forbidden");

    signed_in.patch(&of_contact, &json!({"job_title": "Countess", "owner_id": tom})).expect(200);
    signed_in.patch(&of_note, &json!({"body": "Calls at one"})).expect(200);
    // Who is to do something may get help with it.
    signed_in.patch(&of_task, &json!({"collaborator_ids": [tom]})).expect(200);
    let mine = signed_in.create("/v1/contacts", &json!({"first_name": "Bob"}));
    signed_in.patch(&path("contacts", &mine), &json!({"team_id": team, "owner_id": tom})).expect(200);
}

#[test]
fn what_was_lent_is_not_passed_on_and_what_ended_is_lent_again() {
    let (workspace, admin) = workspace();
    let own = json!({"name": "Own", "rules": [{"resource": "contacts", "read": "own", "write": "own"}]});
    let own = admin.create("/v1/roles", &own)["id"].clone();
    let (mara, tom) = (owner(&workspace, "mara"), owner(&workspace, "tom"));
    admin.patch(&format!("/v1/users/{mara}"), &json!({"role_ids": [own]})).expect(200);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let share =
        |user: &str| json!({"resource": "contacts", "record_id": contact["id"], "user_id": user, "access": "write"});
    let lent = admin.create("/v1/shares", &share(&mara));
    let signed_in = workspace.sign_in("mara@example.com", SECRET);
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    signed_in.patch(&path, &json!({"job_title": "Countess"})).expect(200);
    signed_in.post("/v1/shares", &share(&tom)).expect_problem(403, "forbidden");
    let id = lent["id"].as_str().unwrap();
    signed_in.delete(&format!("/v1/shares/{id}")).expect_problem(403, "forbidden");
    crate::harness::end_share(id);
    signed_in.get(&path).expect(404);
    let again = admin.create("/v1/shares", &share(&mara));
    signed_in.get(&path).expect(200);
    // What made room for it is told of like one that somebody took away.
    let ended = admin.all(&format!("/v1/audit?record_id={id}"));
    let events: Vec<&str> = ended.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["share.deleted", "share.created"]);
    assert_eq!(admin.all("/v1/audit?event=share.created")[0]["record"]["id"], again["id"]);
    admin.get(&format!("/v1/shares/{id}")).expect_problem(404, "not_found");
}

#[test]
fn a_program_that_may_only_write_is_not_shown_what_it_writes_to() {
    let (workspace, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "job_title": "Countess"}));
    let path = format!("/v1/contacts/{}", contact["id"].as_str().unwrap());
    let answer = workspace.scoped(&["contacts:write"]).patch(&path, &json!({}));
    answer.expect(200);
    assert!(!answer.text.contains("Ada") && !answer.text.contains("Countess"), "{}", answer.text);
}

#[test]
fn what_only_the_audit_is_told_is_in_no_history() {
    let (workspace, admin) = workspace();
    let id = owner(&workspace, "mara");
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let record = contact["id"].as_str().unwrap();
    admin.get(&format!("/v1/access/explain?resource=contacts&record={record}&user={id}")).expect(200);
    let events = |path: String| admin.all(&path).iter().map(|entry| entry["event"].clone()).collect::<Vec<_>>();
    assert_eq!(events(format!("/v1/users/{id}/history")), ["user.created"]);
    assert_eq!(events(format!("/v1/audit?record_id={id}")), ["user.access_explained", "user.created"]);
}
