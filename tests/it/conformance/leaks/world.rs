//! A workspace with a record of each resource in each place, whose every field holds a word of its own.

use std::collections::HashMap;

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::samples,
    oracle::{Mask, Place, Rule},
};
use crate::harness::{Answer, Caller, Workspace, contract::Operation, wait_for_positions, workspace};

/// The resources whose records have owners. Each refers only to those before it.
pub const RESOURCES: &[&str] = &["companies", "contacts", "opportunities", "products", "tasks", "leads", "notes"];

pub struct World {
    here: Workspace,
    pub admin: Caller,
    pub caller: Caller,
    pub caller_id: String,
    /// Somebody in the caller's team.
    pub colleague: String,
    /// An id that no record has.
    pub nobody: String,
    pub records: Vec<Record>,
    pub words: Vec<Word>,
    /// Where each word is, by its text.
    by_text: HashMap<String, usize>,
    shares: Vec<(Place, String)>,
    role: String,
}

pub struct Record {
    pub resource: &'static str,
    pub place: Place,
    pub id: String,
}

/// As many hexadecimal digits are a word.
const WORD: usize = 12;

/// A word that stands in one field of one record.
pub struct Word {
    pub resource: &'static str,
    pub place: Place,
    pub field: &'static str,
    pub text: String,
}

impl Word {
    /// Whether `q` looks at the field: where it may not look at all of them, it looks at names alone.
    pub fn is_searched(&self, mask: Mask) -> bool {
        let is_name = ["first_name", "last_name", "name"].contains(&self.field);
        let searched = ["emails", "legal_name", "next_step", "description", "company_name", "code", "category", "body"];
        is_name || (mask.searches_all(self.resource) && searched.contains(&self.field))
    }
}

/// The place of the company of the contact in a place: another one, so that one does not stand in for the other.
pub fn company_of(place: Place) -> Place {
    let here: Vec<Place> = Place::ALL.iter().copied().filter(|place| place.is_here()).collect();
    let index = here.iter().position(|other| *other == place).unwrap_or(0);
    here[(index + 3) % here.len()]
}

struct Owners {
    team: String,
    below: String,
    other: String,
    caller: String,
    colleague: String,
    of_below: String,
    of_other: String,
}

const CALLER: &str = "caller@example.com";
const SECRET: &str = "a long enough password";

impl World {
    pub fn new() -> Self {
        let (here, admin) = workspace();
        let (_, elsewhere) = workspace();
        let owners = Owners::new(&here, &admin);
        let role = admin.create("/v1/roles", &json!({"name": "Under test"}))["id"].as_str().unwrap().to_owned();
        admin.patch(&format!("/v1/users/{}", owners.caller), &json!({"role_ids": [role]})).expect(200);
        let mut world = Self {
            caller: here.sign_in(CALLER, SECRET),
            here,
            admin,
            caller_id: owners.caller.clone(),
            colleague: owners.colleague.clone(),
            nobody: samples::NOBODY.to_owned(),
            records: Vec::new(),
            words: Vec::new(),
            by_text: HashMap::new(),
            shares: Vec::new(),
            role,
        };
        for resource in RESOURCES {
            let note = json!({"resource": resource, "key": "note", "label": "Note", "type": "text", "unique": true});
            world.admin.create("/v1/custom_fields", &note);
            elsewhere.create("/v1/custom_fields", &note);
        }
        for resource in RESOURCES {
            for place in Place::ALL {
                let whose = if place.is_here() { &world.admin.clone() } else { &elsewhere };
                world.add(resource, *place, &owners, whose);
            }
        }
        for place in Place::ALL {
            world.share(*place, &owners);
        }
        world
    }

    fn add(&mut self, resource: &'static str, place: Place, owners: &Owners, whose: &Caller) {
        let mut word = |field: &'static str| {
            let text = Uuid::new_v4().simple().to_string()[..WORD].to_owned();
            self.by_text.insert(text.clone(), self.words.len());
            self.words.push(Word { resource, place, field, text: text.clone() });
            text
        };
        let mut new = match resource {
            "contacts" => json!({
                "first_name": word("first_name"), "last_name": word("last_name"), "job_title": word("job_title"),
                "emails": [{"address": format!("{}@example.com", word("emails"))}], "tags": [word("tags")],
                "addresses": [{"city": word("addresses")}], "custom": {"note": word("custom")},
            }),
            "opportunities" => json!({
                "name": word("name"), "next_step": word("next_step"), "tags": [word("tags")],
                "custom": {"note": word("custom")}, "amount": "100.00", "currency": "EUR", "close_date": "2026-12-01",
            }),
            "notes" => json!({
                "body": word("body"), "tags": [word("tags")], "custom": {"note": word("custom")},
                "parent": {"kind": "company", "id": ""},
            }),
            "tasks" => json!({
                "name": word("name"), "description": word("description"), "tags": [word("tags")],
                "custom": {"note": word("custom")}, "due_at": "2026-12-01T09:00:00Z",
            }),
            "leads" => json!({
                "first_name": word("first_name"), "last_name": word("last_name"), "job_title": word("job_title"),
                "company_name": word("company_name"), "emails": [{"address": format!("{}@example.com", word("emails"))}],
                "tags": [word("tags")], "addresses": [{"city": word("addresses")}], "custom": {"note": word("custom")},
                "status": "contacted",
            }),
            "products" => json!({
                "code": word("code"), "name": word("name"), "category": word("category"),
                "tax_category": word("tax_category"), "tags": [word("tags")], "custom": {"note": word("custom")},
            }),
            _ => json!({
                "name": word("name"), "legal_name": word("legal_name"), "industry": word("industry"),
                "tax_id": word("tax_id"), "emails": [{"address": format!("{}@example.com", word("emails"))}],
                "tags": [word("tags")], "custom": {"note": word("custom")},
            }),
        };
        if resource == "notes" {
            let about = if place.is_here() { company_of(place) } else { place };
            new["parent"]["id"] = json!(self.id("companies", about));
        }
        if place.is_here() {
            let (owner, team) = match place {
                Place::Own => (json!(owners.caller), Value::Null),
                Place::Team => (json!(owners.colleague), json!(owners.team)),
                Place::Below => (json!(owners.of_below), json!(owners.below)),
                Place::Nobodys | Place::SharedToRead => (Value::Null, Value::Null),
                _ => (json!(owners.of_other), json!(owners.other)),
            };
            new["owner_id"] = owner;
            new["team_id"] = team;
            if ["contacts", "opportunities"].contains(&resource) {
                new["company_id"] = json!(self.id("companies", company_of(place)));
            }
            if resource == "notes" && place == Place::Collaborating {
                new["mentions"] = json!([owners.caller]);
            }
            if resource == "tasks" {
                new["parent"] = json!({"kind": "company", "id": self.id("companies", company_of(place))});
                match place {
                    Place::Assigned => new["assignee_id"] = json!(owners.caller),
                    Place::Collaborating => new["collaborator_ids"] = json!([owners.caller]),
                    _ => {}
                }
            }
        }
        let record = whose.create(&format!("/v1/{resource}"), &new);
        if place.is_here() {
            samples::give_external_id(&format!("/v1/{resource}"), record["id"].as_str().unwrap(), whose);
        }
        self.records.push(Record { resource, place, id: record["id"].as_str().unwrap().to_owned() });
    }

    fn share(&mut self, place: Place, owners: &Owners) {
        let (with, access) = match place {
            Place::SharedToRead => (json!({"user_id": owners.caller}), "read"),
            Place::SharedToWrite => (json!({"user_id": owners.caller}), "write"),
            Place::SharedWithTeam => (json!({"team_id": owners.team}), "read"),
            Place::ShareEnded => (json!({"user_id": owners.caller}), "write"),
            _ => return,
        };
        for resource in RESOURCES {
            let mut share = with.clone();
            share["resource"] = json!(resource);
            share["record_id"] = json!(self.id(resource, place));
            share["access"] = json!(access);
            let share = self.admin.create("/v1/shares", &share)["id"].as_str().unwrap().to_owned();
            if place == Place::ShareEnded {
                crate::harness::end_share(&share);
            }
            if *resource == "contacts" {
                self.shares.push((place, share));
            }
        }
    }

    /// Gives the caller this role instead of the one they had.
    pub fn give_role(&self, rules: &[(&str, Rule)], mask: Mask) {
        let rules: Vec<Value> = rules.iter().map(|(resource, rule)| rule.json(resource, mask)).collect();
        self.admin.patch(&format!("/v1/roles/{}", self.role), &json!({"rules": rules})).expect(200);
    }

    /// All cases together may outlast an access token.
    pub fn sign_in(&mut self) {
        self.caller = self.here.sign_in(CALLER, SECRET);
    }

    pub fn id(&self, resource: &str, place: Place) -> String {
        let found = self.records.iter().find(|record| record.resource == resource && record.place == place);
        found.unwrap_or_else(|| panic!("{resource} {place:?}")).id.clone()
    }

    pub fn word(&self, resource: &str, place: Place, field: &str) -> &str {
        let is_it = |word: &&Word| word.resource == resource && word.place == place && word.field == field;
        &self.words.iter().find(is_it).unwrap().text
    }

    /// The words that stand in a text. There are a thousand, and hundreds of thousands of texts: each is gone through once.
    pub fn words_in<'w>(&'w self, text: &'w str) -> impl Iterator<Item = &'w Word> {
        let digits = text.split(|character: char| !character.is_ascii_hexdigit()).filter(|part| part.len() >= WORD);
        let parts = digits.flat_map(|part| (0..=part.len() - WORD).map(move |start| &part[start..start + WORD]));
        parts.filter_map(|part| self.by_text.get(part)).map(|index| &self.words[*index])
    }

    pub fn share_of(&self, place: Place) -> Option<&str> {
        self.shares.iter().find(|(of, _)| *of == place).map(|(_, share)| share.as_str())
    }

    /// Calls an operation as the caller.
    pub fn call(&self, operation: &Operation, id: &str, body: Option<Value>) -> Answer {
        let unique = Uuid::now_v7().simple().to_string();
        let query = match operation.id() {
            "explain_access" => format!("?resource=contacts&record={id}&user={id}"),
            _ => String::new(),
        };
        let path = operation.path_with(id) + &query;
        let body = body.or_else(|| operation.body().map(|schema| samples::body(schema, &unique)));
        let bytes = body.map(|body| body.to_string().into_bytes());
        self.caller.send(&operation.method, &path, &[("Content-Type", "application/json")], bytes)
    }

    /// Takes a record away that a test has created.
    pub fn forget(&self, resource: &str, answer: &Answer) {
        if answer.status == 201 {
            self.admin.delete(&format!("/v1/{resource}/{}", answer.body["id"].as_str().unwrap())).expect(204);
        }
    }

    /// Waits until every change so far has its place in the feed.
    pub fn wait_for_positions(&self) {
        wait_for_positions(&self.admin);
    }

    /// Gives a field the value back that it had.
    pub fn put_back(&self, resource: &str, place: Place, field: &str, value: &Value) {
        let path = format!("/v1/{resource}/{}", self.id(resource, place));
        self.admin.patch(&path, &json!({field: value})).expect(200);
    }
}

impl Owners {
    /// A team with one below it, another beside it, and somebody in each.
    fn new(here: &Workspace, admin: &Caller) -> Self {
        let team = |name: &str, parent: Option<&str>| {
            let new = json!({"name": name, "parent_id": parent});
            admin.create("/v1/teams", &new)["id"].as_str().unwrap().to_owned()
        };
        let user = |name: &str, team: Option<&str>| {
            let id = here.user(&format!("{name}@example.com"), StandardRole::ReadOnly, SECRET);
            let teams: Vec<&str> = team.into_iter().collect();
            admin.patch(&format!("/v1/users/{id}"), &json!({"team_ids": teams})).expect(200);
            id
        };
        let (mine, other) = (team("Mine", None), team("Other", None));
        let below = team("Below", Some(&mine));
        Self {
            caller: user("caller", Some(&mine)),
            colleague: user("colleague", Some(&mine)),
            of_below: user("below", Some(&below)),
            of_other: user("other", Some(&other)),
            team: mine,
            below,
            other,
        }
    }
}
