//! The change feed, as programs follow it.

mod pages;
mod recipe;
mod retention;
mod soak;
mod stream;

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{Caller, wait_for_positions};

/// Everything in the feed so far, when everything has its place there.
fn changes(caller: &Caller, filter: &str) -> Vec<Value> {
    wait_for_positions(caller);
    caller.all(&format!("/v1/changes?limit=200{filter}"))
}

/// A cursor at the head of the feed.
fn head(caller: &Caller, filter: &str) -> String {
    wait_for_positions(caller);
    let page = caller.get(&format!("/v1/changes?from=head{filter}"));
    page.expect(200);
    assert_eq!((&page.body["data"], &page.body["has_more"]), (&serde_json::json!([]), &serde_json::json!(false)));
    page.body["next_cursor"].as_str().unwrap().to_owned()
}

fn events(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|change| change["event"].as_str().unwrap()).collect()
}

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}
