//! Pages of the feed: what is in it, in which order, and for whom.

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use rapport_domain::access::StandardRole;
use rapport_persistence::migrations;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{changes, events, head, id, wait_for};
use crate::harness::{
    Caller, Rapport, Workspace, change_database, fresh_database, is_in_database, wait_for_positions, workspace,
};

#[test]
fn every_change_comes_once_and_in_order() {
    let (_, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let path = format!("/v1/contacts/{}", id(&contact));
    admin.patch(&path, &json!({"job_title": "Programmer"})).expect(200);
    admin.create("/v1/companies", &json!({"name": "Engines"}));
    admin.delete(&path).expect(204);
    admin.post(&format!("{path}/restore"), &json!(null)).expect(200);
    wait_for_positions(&admin);

    let all = admin.all("/v1/changes?limit=2");
    let mut told = events(&all);
    told.sort_unstable();
    let expected = ["company.created", "contact.created", "contact.deleted", "contact.restored", "contact.updated"];
    assert_eq!(told, expected, "what was made beside records, such as keys, is not in the feed");
    let positions: Vec<i64> = all.iter().map(|change| change["position"].as_i64().unwrap()).collect();
    assert!(positions.is_sorted_by(|one, other| one < other), "{positions:?}");
    let of_contact: Vec<Value> = all.into_iter().filter(|change| change["record"]["id"] == contact["id"]).collect();
    let mut history = admin.all(&format!("{path}/history"));
    history.reverse();
    assert_eq!(of_contact, history);
}

#[test]
fn the_end_leads_on() {
    let (_, admin) = workspace();
    admin.create("/v1/contacts", &json!({"first_name": "Before"}));
    let cursor = head(&admin, "");
    let company = admin.create("/v1/companies", &json!({"name": "After"}));
    wait_for_positions(&admin);

    let page = admin.get(&format!("/v1/changes?cursor={cursor}"));
    page.expect(200);
    assert_eq!(page.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(page.body["data"][0]["record"]["id"], company["id"]);
    assert_eq!(page.body["head"], page.body["data"][0]["position"]);
    assert_eq!((&page.body["has_more"], &page.body["lag_ms"]), (&json!(false), &json!(0)));

    let next = page.body["next_cursor"].as_str().unwrap();
    let after = admin.get(&format!("/v1/changes?cursor={next}&from=oldest"));
    assert_eq!(after.body["data"], json!([]), "a cursor goes before the start");
    assert!(after.body["next_cursor"].is_string());
}

#[test]
fn filters_choose_kinds_events_and_leave_an_origin_out() {
    let (workspace, admin) = workspace();
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    admin.patch(&format!("/v1/contacts/{}", id(&contact)), &json!({"job_title": "Programmer"})).expect(200);
    admin.create("/v1/companies", &json!({"name": "Engines"}));
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    for (event, origin) in [("contact.created", one), ("company.created", other)] {
        let of = workspace.id;
        change_database(&format!(
            "UPDATE journal SET origin = '{origin}' WHERE workspace_id = '{of}' AND event = '{event}'"
        ));
    }
    let of = |filter: &str| {
        let changes = changes(&admin, filter);
        let mut told: Vec<String> = events(&changes).into_iter().map(ToOwned::to_owned).collect();
        told.sort_unstable();
        told
    };
    assert_eq!(of("&kind=company"), ["company.created"]);
    assert_eq!(of("&kind=company&kind=contact").len(), 3);
    assert_eq!(of("&event=contact.updated&event=company.created"), ["company.created", "contact.updated"]);
    assert_eq!(of("&kind=contact&event=company.created"), Vec::<String>::new());
    assert_eq!(of(&format!("&exclude_origin={one}")), ["company.created", "contact.updated"]);
    assert_eq!(of(&format!("&exclude_origin={one}&exclude_origin={other}")), ["contact.updated"]);
    admin.get("/v1/changes?kind=user").expect_errors(&[("kind", "unknown_value")]);
    admin
        .get("/v1/changes?limit=201&from=middle")
        .expect_errors(&[("from", "unknown_value"), ("limit", "out_of_range")]);
}

#[test]
fn a_cursor_goes_on_with_its_own_filter_alone() {
    let (_, admin) = workspace();
    let (_, other) = workspace();
    let cursor = head(&admin, "&kind=contact");
    admin.get(&format!("/v1/changes?kind=contact&limit=7&cursor={cursor}")).expect(200);
    admin.get(&format!("/v1/changes/stream?kind=contact&cursor={cursor}")).expect(200);
    for filter in ["kind=company", "kind=contact&event=x", "limit=1"] {
        admin.get(&format!("/v1/changes?{filter}&cursor={cursor}")).expect_problem(400, "cursor_mismatch");
    }
    let stolen = other.get(&format!("/v1/changes?kind=contact&cursor={cursor}"));
    stolen.expect_errors(&[("cursor", "invalid_cursor")]);
}

#[test]
fn scopes_say_of_which_kinds_one_hears() {
    let (workspace, admin) = workspace();
    admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    admin.create("/v1/companies", &json!({"name": "Engines"}));
    wait_for_positions(&admin);
    assert_eq!(events(&workspace.scoped(&["companies:read"]).all("/v1/changes")), ["company.created"]);
    assert_eq!(events(&workspace.scoped(&["contacts:write", "teams:read"]).all("/v1/changes")), Vec::<&str>::new());
    let asked_for = workspace.scoped(&["companies:read"]).all("/v1/changes?kind=contact");
    assert_eq!(asked_for, Vec::<Value>::new());
}

/// Somebody who sees their own contacts, without their birthdays, and nothing else.
fn own_alone(workspace: &Workspace, admin: &Caller) -> (String, Caller) {
    let readable = json!({"mode": "all_but", "fields": ["birthday"]});
    let rule = json!({"resource": "contacts", "read": "own", "write": "own", "readable_fields": readable});
    let role = admin.create("/v1/roles", &json!({"name": "Own", "rules": [rule]}));
    let user = workspace.user("own@example.com", StandardRole::ReadOnly, "a long enough password");
    admin.patch(&format!("/v1/users/{user}"), &json!({"role_ids": [role["id"]]})).expect(200);
    (user, workspace.sign_in("own@example.com", "a long enough password"))
}

#[test]
fn what_one_may_not_see_now_is_not_heard_of() {
    let (workspace, admin) = workspace();
    let (user, caller) = own_alone(&workspace, &admin);
    let new = json!({"first_name": "Ada", "birthday": "1990-12-10", "owner_id": user});
    let contact = admin.create("/v1/contacts", &new);
    admin.create("/v1/contacts", &json!({"first_name": "Somebody else's"}));
    let path = format!("/v1/contacts/{}", id(&contact));
    assert_eq!(events(&changes(&caller, "")), ["contact.created"]);

    admin.patch(&path, &json!({"birthday": "1991-12-10"})).expect(200);
    let heard = changes(&caller, "");
    assert_eq!(events(&heard), ["contact.created", "contact.updated"]);
    assert_eq!(heard[1]["changes"], json!([]), "that there is a new version is told, what is closed is not");
    assert!(!heard[0].to_string().contains("birthday"));

    admin.patch(&path, &json!({"owner_id": null})).expect(200);
    assert_eq!(changes(&caller, ""), Vec::<Value>::new(), "who lost sight of a record hears nothing of it any more");

    admin.patch(&path, &json!({"owner_id": user})).expect(200);
    admin.delete(&path).expect(204);
    let heard = changes(&caller, "");
    let updated = "contact.updated";
    assert_eq!(events(&heard), ["contact.created", updated, updated, updated, "contact.deleted"]);
}

/// Writes entries past the server, see [`entries`].
fn write_entries(query: &str) {
    change_database(&entries(query));
}

/// The statement that writes entries: those of a query of workspace, id, event, kind and id of a record, its version, changes,
/// kind of actor, time and whether they are of the audit.
fn entries(query: &str) -> String {
    format!(
        "WITH entry AS (INSERT INTO journal (workspace_id, id, event, record_kind, record_id, version, changes, actor_kind, at, \
         is_audit) {query} RETURNING workspace_id, id, record_kind, record_id, version, at) \
         INSERT INTO feed_waiting (workspace_id, entry_id, record_kind, record_id, version, at) SELECT * FROM entry"
    )
}

#[test]
fn a_page_looks_at_a_bounded_part_and_moves_on() {
    let (workspace, admin) = workspace();
    let (user, caller) = own_alone(&workspace, &admin);
    let others = admin.create("/v1/contacts", &json!({"first_name": "Somebody else's"}));
    write_entries(&format!(
        "SELECT '{}'::uuid, gen_random_uuid(), 'contact.updated', 'contact', '{}'::uuid, version, '[]'::jsonb, 'system', now(), false \
           FROM generate_series(2, 2500) AS version",
        workspace.id,
        id(&others)
    ));
    wait_for_positions(&admin);
    let own = admin.create("/v1/contacts", &json!({"first_name": "Own", "owner_id": user}));
    wait_for_positions(&admin);

    let first = caller.get("/v1/changes");
    assert_eq!((&first.body["data"], &first.body["has_more"]), (&json!([]), &json!(true)));
    let heard = caller.all("/v1/changes");
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["record"]["id"], own["id"]);
    assert_eq!(admin.all("/v1/changes?limit=200").len(), 2501);
}

/// Servers whose clocks are apart mint ids that are, too, and the ids of later versions may come first. A batch of the
/// sequencer is 2,000 entries in the order of ids, so here no batch holds both versions of a record by itself.
#[test]
fn positions_never_contradict_versions_whatever_the_ids() {
    let (workspace, admin) = workspace();
    let records = 2_500;
    write_entries(&versions_against_ids(&workspace.id.to_string(), records));
    let all = changes(&admin, "");
    assert_eq!(all.len(), 4 * records);
    let mut versions = std::collections::HashMap::new();
    for change in &all {
        let before = versions.insert(change["record"]["id"].as_str().unwrap(), change["version"].as_i64().unwrap());
        assert_eq!(change["version"], before.unwrap_or(0) + 1, "{change}");
    }
}

/// Four versions of each record, the later ones with lower ids.
fn versions_against_ids(workspace: &str, records: usize) -> String {
    let version = |version: i64, id: &str| {
        format!(
            "SELECT '{workspace}'::uuid, ('{id}-0000-7000-8000-' || lpad(to_hex(record), 12, '0'))::uuid, 'contact.updated', \
             'contact', ('00000000-0000-7000-9000-' || lpad(to_hex(record), 12, '0'))::uuid, {version}, '[]'::jsonb, \
             'system', now(), false FROM generate_series(1, {records}) AS record"
        )
    };
    [version(1, "7ffffffe"), version(2, "7fffffff"), version(3, "00000001"), version(4, "00000000")].join(" UNION ALL ")
}

/// A database that knows nothing of what waits takes it for little, and would rather read all of it each time than look for one.
/// This database is fresh, and nobody else numbers in it.
#[test]
fn earlier_versions_are_looked_for_one_by_one() {
    let url = fresh_database("test_numbering");
    migrations::run(&url).unwrap();
    let mut pg = PgConnection::establish(&url).unwrap();
    let mut finds = |query: &str| sql_query(query).execute(&mut pg).unwrap() > 0;
    finds(&entries(&versions_against_ids(&Uuid::now_v7().to_string(), 2_500)));
    let server = Rapport::serve(&["--database-url", &url]);
    wait_for("no positions were given", || !finds("SELECT FROM feed_waiting LIMIT 1"));
    server.stop();

    // What a connection has read is told for certain once it is closed.
    let others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    wait_for("the connections stay", || !finds(others));
    let read_too_much = "SELECT FROM pg_stat_user_tables WHERE relname = 'feed_waiting' AND seq_tup_read + (SELECT \
                         sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'feed_waiting') > 50 * 10000";
    assert!(!finds(read_too_much));
}

/// Otherwise each look for what waits would go over all that ever waited since the database came by.
#[test]
fn what_numbered_entries_leave_where_they_waited_is_cleared_away() {
    let (workspace, admin) = workspace();
    let many = format!(
        "SELECT '{}'::uuid, gen_random_uuid(), 'contact.created', 'contact', gen_random_uuid(), 1, '[]'::jsonb, 'system', now(), \
         false FROM generate_series(1, 20000)",
        workspace.id
    );
    // What the database clears away by itself is noted apart.
    let cleared = format!(
        "SELECT FROM pg_stat_user_tables WHERE relname = 'feed_waiting' \
         AND last_vacuum > (SELECT min(at) FROM journal WHERE workspace_id = '{}')",
        workspace.id
    );
    // Workers of other tests may number a part, each of which counts for itself.
    wait_for("nothing is cleared away", || {
        write_entries(&many);
        wait_for_positions(&admin);
        is_in_database(&cleared)
    });
}
