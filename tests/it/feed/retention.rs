//! What is old leaves the feed, and who still wants it is told.

use std::process::Child;

use serde_json::{Value, json};

use super::{changes, events, head, id, wait_for};
use crate::harness::{Caller, Workspace, change_database, database_url, start, wait_for_positions, workspace};

/// Makes a contact with three changes, and the first two of them this old.
fn with_old_changes(workspace: &Workspace, admin: &Caller, days: u32) -> Value {
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    for title in ["Programmer", "Countess"] {
        admin.patch(&format!("/v1/contacts/{}", id(&contact)), &json!({"job_title": title})).expect(200);
    }
    wait_for_positions(admin);
    change_database(&format!(
        "UPDATE journal SET at = at - interval '{days} days' WHERE workspace_id = '{}' AND \
         NOT (record_kind = 'contact' AND version = 3)",
        workspace.id
    ));
    contact
}

/// A worker whose changes leave the feed after this many days, and which looks for them when it starts.
fn worker(days: u32) -> Worker {
    Worker(start(&["worker", "--database-url", &database_url(), "--feed-retention-days", &days.to_string()]))
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn old_changes_leave_the_feed_and_an_old_cursor_is_told_to_begin_anew() {
    let (workspace, admin) = workspace();
    let (start_of_all, at_head) = (head(&admin, ""), "/v1/changes?limit=200");
    let contact = with_old_changes(&workspace, &admin, 400);
    let page = admin.get("/v1/changes?limit=1");
    let after_first = page.body["next_cursor"].as_str().unwrap().to_owned();
    let newest = head(&admin, "");
    assert_eq!(changes(&admin, "").len(), 3);

    let _worker = worker(365);
    wait_for("old changes stay in the feed", || admin.all(at_head).len() == 1);

    assert_eq!(events(&admin.all(at_head)), ["contact.updated"]);
    for cursor in [&start_of_all, &after_first] {
        for path in ["/v1/changes", "/v1/changes/stream"] {
            let refused = admin.get(&format!("{path}?cursor={cursor}"));
            refused.expect_problem(410, "resync_required");
            assert!(refused.body["detail"].as_str().unwrap().contains("from=head"), "{}", refused.text);
        }
    }
    admin.get(&format!("/v1/changes?cursor={newest}")).expect(200);
    let history = admin.all(&format!("/v1/contacts/{}/history", id(&contact)));
    assert_eq!(history.len(), 3, "a history is kept for good");
}

#[test]
fn a_feed_of_old_changes_alone_goes_on_with_new_ones() {
    let (workspace, admin) = workspace();
    let contact = with_old_changes(&workspace, &admin, 0);
    change_database(&format!(
        "UPDATE journal SET at = at - interval '4000 days' WHERE workspace_id = '{}'",
        workspace.id
    ));
    let newest = head(&admin, "");
    let _worker = worker(3650);
    wait_for("old changes stay in the feed", || admin.all("/v1/changes").is_empty());

    admin.delete(&format!("/v1/contacts/{}", id(&contact))).expect(204);
    wait_for_positions(&admin);
    for path in ["/v1/changes".to_owned(), format!("/v1/changes?cursor={newest}")] {
        assert_eq!(events(&admin.all(&path)), ["contact.deleted"]);
    }
}

#[test]
fn a_cursor_from_before_a_backup_was_restored_is_told_to_begin_anew() {
    let (workspace, admin) = workspace();
    admin.create("/v1/contacts", &json!({"first_name": "Ada"}));
    let cursor = head(&admin, "");
    for table in ["journal", "feed_positions"] {
        change_database(&format!("DELETE FROM {table} WHERE workspace_id = '{}'", workspace.id));
    }
    change_database(&format!("UPDATE feed_heads SET position = 1 WHERE workspace_id = '{}'", workspace.id));
    admin.get(&format!("/v1/changes?cursor={cursor}")).expect_problem(410, "resync_required");
}
