//! The recipe of docs/api.md: whoever follows it has what the database has, however much is written meanwhile.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Map, Value, json};

use super::{head, id};
use crate::harness::{Caller, wait_for_positions, workspace};

/// A copy of the contacts, as an integrator keeps it: also of what was deleted, because it may come back.
#[derive(Default)]
struct Copy {
    contacts: HashMap<String, Map<String, Value>>,
    /// How often a record had to be read because its changes alone were not enough.
    reads: usize,
}

/// What no change lists, because every write moves it.
const BOOKKEEPING: &[&str] = &["created_at", "created_by", "updated_at", "updated_by"];

impl Copy {
    /// Puts a record in, unless a later version is there.
    fn upsert(&mut self, record: &Value) {
        let known = self.contacts.get(id(record)).map_or(&json!(0), |known| &known["version"]).as_i64();
        if record["version"].as_i64() > known {
            let mut record = record.as_object().unwrap().clone();
            record.retain(|field, _| !BOOKKEEPING.contains(&field.as_str()));
            self.contacts.insert(record["id"].as_str().unwrap().to_owned(), record);
        }
    }

    fn apply(&mut self, caller: &Caller, change: &Value) {
        let (record, version) = (change["record"]["id"].as_str().unwrap(), change["version"].as_i64().unwrap());
        match self.contacts.get_mut(record) {
            Some(known) if known["version"].as_i64() >= Some(version) => {}
            Some(known) if known["version"].as_i64() == Some(version - 1) => {
                known.insert("version".to_owned(), json!(version));
                for change in change["changes"].as_array().unwrap() {
                    known.insert(change["field"].as_str().unwrap().to_owned(), change["to"].clone());
                }
            }
            _ => {
                let read = caller.get(&format!("/v1/contacts/{record}?deleted=include"));
                read.expect(200);
                self.upsert(&read.body);
                self.reads += 1;
            }
        }
    }
}

#[test]
fn who_follows_the_recipe_ends_with_what_is_in_the_database() {
    let (_, admin) = workspace();
    let contacts: Vec<String> = (0..40)
        .map(|number| admin.create("/v1/contacts", &json!({"first_name": format!("Before {number}")})))
        .map(|contact| id(&contact).to_owned())
        .collect();
    let has_written = AtomicBool::new(false);
    let copy = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                scope.spawn({
                    let (admin, contacts) = (&admin, &contacts);
                    move || write(admin, contacts, writer)
                })
            })
            .collect();
        let copy = scope.spawn(|| follow(&admin, &has_written));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        wait_for_positions(&admin);
        has_written.store(true, Ordering::Release);
        copy.join().unwrap()
    });

    let mut expected = Copy::default();
    for deleted in ["exclude", "only"] {
        admin
            .all(&format!("/v1/contacts?limit=200&deleted={deleted}"))
            .iter()
            .for_each(|contact| expected.upsert(contact));
    }
    assert!(expected.contacts.len() > 100);
    assert_eq!(copy.contacts.len(), expected.contacts.len());
    for (id, contact) in &expected.contacts {
        assert_eq!(copy.contacts[id], *contact);
    }
    assert!(copy.reads < expected.contacts.len(), "changes have to be enough for most records");
}

/// Creates, changes, deletes and brings back, in each of several threads.
fn write(admin: &Caller, contacts: &[String], writer: usize) {
    for round in 0..40 {
        let path = format!("/v1/contacts/{}", contacts[(writer * 7 + round) % contacts.len()]);
        match round % 4 {
            0 => drop(admin.post("/v1/contacts", &json!({"first_name": format!("Meanwhile {writer} {round}")}))),
            1 => drop(admin.delete(&path)),
            2 => drop(admin.post(&format!("{path}/restore"), &json!(null))),
            _ => drop(
                admin.patch(&path, &json!({"job_title": format!("{writer} {round}"), "tags": [round.to_string()]})),
            ),
        }
    }
}

/// Reads the head, lists everything, and follows from there until everything is written and heard of.
fn follow(caller: &Caller, has_written: &AtomicBool) -> Copy {
    let mut copy = Copy::default();
    let page = caller.get("/v1/changes?from=head&kind=contact");
    let mut cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
    for contact in caller.all("/v1/contacts?limit=7&sort=created_at") {
        copy.upsert(&contact);
    }
    loop {
        let is_last = has_written.load(Ordering::Acquire);
        let page = caller.get(&format!("/v1/changes?kind=contact&limit=9&cursor={cursor}"));
        page.expect(200);
        for change in page.body["data"].as_array().unwrap() {
            copy.apply(caller, change);
        }
        cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
        if is_last && page.body["has_more"] == false {
            // A second reader from the head on finds nothing that the first did not hear.
            assert_eq!(caller.all(&format!("/v1/changes?cursor={}", head(caller, ""))), Vec::<Value>::new());
            return copy;
        }
    }
}
