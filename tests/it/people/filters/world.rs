//! Records of every kind of difficulty, written through the store at chosen times, and read back for the evaluator.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, Duration, Utc};
use rapport_domain::{
    access::{Resource, StandardRole},
    activity::{
        note::{NewNote, Note, NoteQuery},
        task::{NewTask, Task, TaskAction, TaskQuery},
    },
    filter::{Catalogue, Definition, Entity, Record, Relation, Surrounds},
    id::{CompanyId, ContactId},
    people::{
        company::{Company, CompanyQuery, NewCompany},
        contact::{Contact, ContactPatch, ContactQuery, NewContact},
        duplicate::OnDuplicate,
    },
    sales::{
        lead::{Lead, LeadMove, LeadQuery, NewLead},
        lost_reason::{LostReason, LostReasonQuery},
        opportunity::{NewOpportunity, Opportunity, OpportunityQuery, WinOpportunity},
        product::{NewProduct, Product, ProductQuery},
    },
};
use rapport_persistence::{
    Clock, Scope,
    activity::{notes, tasks},
    people::{companies, contacts},
    sales::{leads, lost_reasons, opportunities, products},
    workspace::custom_fields,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Caller, Chance, Workspace, change_database, in_database_at};

pub struct World {
    workspace: Workspace,
    pub contacts: Vec<Contact>,
    pub companies: Vec<Company>,
    pub tasks: Vec<Task>,
    pub notes: Vec<Note>,
    pub opportunities: Vec<Opportunity>,
    pub leads: Vec<Lead>,
    pub products: Vec<Product>,
    at: HashMap<Uuid, usize>,
    people_of: HashMap<CompanyId, Vec<usize>>,
    children_of: HashMap<CompanyId, Vec<usize>>,
    tasks_about: HashMap<Uuid, Vec<usize>>,
    notes_about: HashMap<Uuid, Vec<usize>>,
    opportunities_of: HashMap<CompanyId, Vec<usize>>,
    person_at: HashMap<Uuid, usize>,
    /// The fields that every workspace has, and one of each type of this one.
    pub catalogue: Catalogue,
}

const COMPANIES: usize = 70;
const CONTACTS: usize = 190;
const TASKS: usize = 150;
const NOTES: usize = 120;
const OPPORTUNITIES: usize = 150;
const LEADS: usize = 150;
const PRODUCTS: usize = 90;

/// Distances from a moment at which records are written.
const MINUTES: &[i64] = &[
    0,
    1,
    30,
    60,
    90,
    1_380,
    1_440,
    1_441,
    1_500,
    7 * 1_440,
    10_080 + 60,
    28 * 1_440,
    30 * 1_440,
    31 * 1_440,
    90 * 1_440,
    366 * 1_440,
];

/// The records of a world, once they are made.
struct Made {
    contacts: Vec<Contact>,
    companies: Vec<Company>,
    tasks: Vec<Task>,
    notes: Vec<Note>,
    opportunities: Vec<Opportunity>,
    leads: Vec<Lead>,
    products: Vec<Product>,
    catalogue: Catalogue,
}

impl World {
    pub fn new(moments: &[DateTime<Utc>]) -> Self {
        let workspace = Workspace::new();
        let users: Vec<String> = (0..3)
            .map(|number| {
                workspace.user(&format!("{number}@example.com"), StandardRole::Agent, "a long enough password")
            })
            .collect();
        let admin = workspace.admin();
        let team = admin.create("/v1/teams", &json!({"name": "North"}))["id"].clone();
        add_custom_fields(&admin);
        let now = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&now);
        let clock = Clock::of(move || DateTime::from_timestamp_micros(told.load(Ordering::Relaxed)).unwrap());
        let mut chance = Chance::new(7);
        let scope = workspace.scope();
        let made = in_database_at(clock, async |db| {
            let mut made: Vec<CompanyId> = Vec::new();
            let move_clock = |chance: &mut Chance| {
                let moment = *chance.of(moments) - Duration::minutes(*chance.of(MINUTES));
                let shift = *chance.of(&[0, 0, -1, 1, 500_000]);
                now.store(moment.timestamp_micros() + shift, Ordering::Relaxed);
            };
            for number in 0..COMPANIES {
                move_clock(&mut chance);
                let new: NewCompany =
                    serde_json::from_value(company(&mut chance, number, &made, &users, &team)).unwrap();
                let company = db.write(&scope, move |writer| companies::create(writer, new.clone())).await.unwrap();
                made.push(company.id);
            }
            let mut people: Vec<ContactId> = Vec::new();
            for _ in 0..CONTACTS {
                move_clock(&mut chance);
                let new: NewContact = serde_json::from_value(contact(&mut chance, &made, &users, &team)).unwrap();
                let created = db.write(&scope, move |writer| contacts::create(writer, new.clone(), OnDuplicate::Allow));
                people.push(created.await.unwrap().id);
            }
            let mut parents: Vec<Value> = people.iter().map(|id| json!({"kind": "contact", "id": id.uuid()})).collect();
            parents.extend(made.iter().map(|id| json!({"kind": "company", "id": id.uuid()})));
            for _ in 0..OPPORTUNITIES {
                move_clock(&mut chance);
                let new: NewOpportunity =
                    serde_json::from_value(opportunity(&mut chance, (&people, &made), moments, &users, &team)).unwrap();
                let created = db.write(&scope, move |writer| opportunities::create(writer, new.clone())).await.unwrap();
                parents.push(json!({"kind": "opportunity", "id": created.id.uuid()}));
                if chance.one_in(4) {
                    let win = WinOpportunity::default();
                    db.write(&scope, move |writer| opportunities::win(writer, created.id, None, &win)).await.unwrap();
                }
            }
            let reasons =
                db.read(&scope, |reader| lost_reasons::list(reader, &LostReasonQuery::default())).await.unwrap();
            for _ in 0..LEADS {
                move_clock(&mut chance);
                let new: NewLead = serde_json::from_value(lead(&mut chance, &reasons.data, &users, &team)).unwrap();
                let created = db.write(&scope, move |writer| leads::create(writer, new.clone(), OnDuplicate::Allow));
                let id = created.await.unwrap().id;
                if chance.one_in(10) {
                    db.write(&scope, move |writer| leads::delete(writer, id, None)).await.unwrap();
                    continue;
                }
                parents.push(json!({"kind": "lead", "id": id.uuid()}));
                if chance.one_in(3) {
                    let to = LeadMove { status: "junk".to_owned(), lost_reason_id: None, lost_note: None };
                    // Those that can't go there stay.
                    if db.write(&scope, move |writer| leads::move_to(writer, id, None, &to)).await.is_ok()
                        && chance.one_in(2)
                    {
                        db.write(&scope, move |writer| leads::recycle(writer, id, None)).await.unwrap();
                    }
                }
            }
            for number in 0..PRODUCTS {
                move_clock(&mut chance);
                let new: NewProduct = serde_json::from_value(product(&mut chance, number, &users, &team)).unwrap();
                let id = db.write(&scope, move |writer| products::create(writer, new.clone())).await.unwrap().id;
                if chance.one_in(12) {
                    db.write(&scope, move |writer| products::delete(writer, id, None)).await.unwrap();
                } else {
                    parents.push(json!({"kind": "product", "id": id.uuid()}));
                }
            }
            for _ in 0..TASKS {
                move_clock(&mut chance);
                let new: NewTask = serde_json::from_value(task(&mut chance, &parents, moments, &users, &team)).unwrap();
                let created = db.write(&scope, move |writer| tasks::create(writer, new.clone())).await.unwrap();
                if chance.one_in(4) {
                    let action = *chance.of(&[TaskAction::Complete, TaskAction::Cancel]);
                    db.write(&scope, move |writer| tasks::act(writer, created.id, None, action)).await.unwrap();
                }
            }
            for _ in 0..NOTES {
                move_clock(&mut chance);
                let new: NewNote = serde_json::from_value(note(&mut chance, &parents, &users, &team)).unwrap();
                let id = db.write(&scope, move |writer| notes::create(writer, new.clone())).await.unwrap().id;
                if chance.one_in(10) {
                    db.write(&scope, move |writer| notes::delete(writer, id, None)).await.unwrap();
                }
            }
            for id in people.iter().copied() {
                if chance.one_in(4) {
                    let patch = ContactPatch { job_title: Some(Some("Changed".to_owned())), ..ContactPatch::default() };
                    db.write(&scope, move |writer| contacts::update(writer, id, None, &patch)).await.unwrap();
                }
                if chance.one_in(12) {
                    db.write(&scope, move |writer| contacts::delete(writer, id, None)).await.unwrap();
                }
            }
            for id in made.iter().copied().filter(|_| chance.one_in(10)).collect::<Vec<_>>() {
                db.write(&scope, move |writer| companies::delete(writer, id, None)).await.unwrap();
            }
            let of_contacts = ContactQuery { limit: Some(200), ..ContactQuery::default() };
            let contacts = db.read(&scope, move |reader| contacts::list(reader, &of_contacts)).await.unwrap();
            let of_companies = CompanyQuery { limit: Some(200), ..CompanyQuery::default() };
            let companies = db.read(&scope, move |reader| companies::list(reader, &of_companies)).await.unwrap();
            let of_products = ProductQuery { limit: Some(200), ..ProductQuery::default() };
            let products = db.read(&scope, move |reader| products::list(reader, &of_products)).await.unwrap();
            let of_tasks = TaskQuery { limit: Some(200), ..TaskQuery::default() };
            let tasks = db.read(&scope, move |reader| tasks::list(reader, &of_tasks)).await.unwrap();
            let of_notes = NoteQuery { limit: Some(200), ..NoteQuery::default() };
            let notes = db.read(&scope, move |reader| notes::list(reader, &of_notes)).await.unwrap();
            let of_opportunities = OpportunityQuery { limit: Some(200), ..OpportunityQuery::default() };
            let opportunities =
                db.read(&scope, move |reader| opportunities::list(reader, &of_opportunities)).await.unwrap();
            assert!(opportunities.next_cursor.is_none());
            assert!(contacts.next_cursor.is_none() && companies.next_cursor.is_none() && tasks.next_cursor.is_none());
            change_database(&format!(
                "UPDATE leads SET score = length(details ->> 'name') - 8 WHERE rating IS NOT NULL AND workspace_id = '{}'",
                scope.workspace()
            ));
            let of_leads = LeadQuery { limit: Some(200), ..LeadQuery::default() };
            let leads = db.read(&scope, move |reader| leads::list(reader, &of_leads)).await.unwrap();
            assert!(leads.next_cursor.is_none());
            let mut definitions: Vec<Definition> = Vec::new();
            for resource in Resource::ALL {
                let fields = db.read(&scope, move |reader| custom_fields::of(reader, *resource)).await.unwrap();
                definitions.extend(fields.live().map(Definition::from));
            }
            let catalogue = Catalogue::standard().with(&definitions);
            Made {
                contacts: contacts.data,
                companies: companies.data,
                tasks: tasks.data,
                notes: notes.data,
                opportunities: opportunities.data,
                leads: leads.data,
                products: products.data,
                catalogue,
            }
        });
        Self::of(workspace, made)
    }

    fn of(workspace: Workspace, made: Made) -> Self {
        let Made { contacts, companies, tasks, notes, opportunities, leads, products, catalogue } = made;
        let person_at = contacts.iter().enumerate().map(|(index, contact)| (contact.id.uuid(), index)).collect();
        let mut tasks_about = HashMap::<_, Vec<_>>::new();
        for (index, task) in tasks.iter().enumerate() {
            task.parent.into_iter().for_each(|parent| tasks_about.entry(parent.id).or_default().push(index));
        }
        let mut notes_about = HashMap::<_, Vec<_>>::new();
        for (index, note) in notes.iter().enumerate() {
            notes_about.entry(note.parent.id).or_default().push(index);
        }
        let at = companies.iter().enumerate().map(|(index, company)| (company.id.uuid(), index)).collect();
        let (mut people_of, mut children_of) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (index, contact) in contacts.iter().enumerate() {
            contact.company_id.into_iter().for_each(|id| people_of.entry(id).or_default().push(index));
        }
        let mut opportunities_of = HashMap::<_, Vec<_>>::new();
        for (index, opportunity) in opportunities.iter().enumerate() {
            opportunity.company_id.into_iter().for_each(|id| opportunities_of.entry(id).or_default().push(index));
        }
        for (index, company) in companies.iter().enumerate() {
            company.parent_id.into_iter().for_each(|id| children_of.entry(id).or_default().push(index));
        }
        Self {
            workspace,
            contacts,
            companies,
            tasks,
            notes,
            opportunities,
            leads,
            products,
            at,
            people_of,
            children_of,
            tasks_about,
            notes_about,
            opportunities_of,
            person_at,
            catalogue,
        }
    }

    pub fn scope(&self) -> Scope {
        self.workspace.scope()
    }

    pub fn records(&self, entity: Entity) -> Vec<Record<'_>> {
        match entity {
            Entity::Contact => self.contacts.iter().map(Record::Contact).collect(),
            Entity::Company => self.companies.iter().map(Record::Company).collect(),
            Entity::Opportunity => self.opportunities.iter().map(Record::Opportunity).collect(),
            Entity::Task => self.tasks.iter().map(Record::Task).collect(),
            Entity::Note => self.notes.iter().map(Record::Note).collect(),
            Entity::Lead => self.leads.iter().map(Record::Lead).collect(),
            Entity::Product => self.products.iter().map(Record::Product).collect(),
        }
    }

    pub fn ids(&self, entity: Entity) -> BTreeSet<Uuid> {
        self.records(entity).into_iter().map(|record| record.id()).collect()
    }
}

impl<'w> Surrounds<'w> for &'w World {
    fn related(&self, record: Record<'w>, relation: &Relation) -> Vec<Record<'w>> {
        let company = |id: Option<CompanyId>| {
            let index = id.and_then(|id| self.at.get(&id.uuid()));
            index.map(|index| Record::Company(&self.companies[*index])).into_iter().collect()
        };
        let tasks = |id: Uuid| {
            let about = self.tasks_about.get(&id).into_iter().flatten();
            about.map(|index| Record::Task(&self.tasks[*index])).collect()
        };
        let notes = |id: Uuid| {
            let about = self.notes_about.get(&id).into_iter().flatten();
            about.map(|index| Record::Note(&self.notes[*index])).collect()
        };
        let parent = match record {
            Record::Task(task) => task.parent.map(|parent| parent.id),
            Record::Note(note) => Some(note.parent.id),
            _ => None,
        };
        match (record, relation.name) {
            (record, "tasks") => tasks(record.id()),
            (record, "notes") => notes(record.id()),
            (Record::Task(_) | Record::Note(_), "company") => company(parent.map(CompanyId::from_uuid)),
            (Record::Task(_) | Record::Note(_), "contact") => {
                let index = parent.and_then(|id| self.person_at.get(&id));
                index.map(|index| Record::Contact(&self.contacts[*index])).into_iter().collect()
            }
            (Record::Task(_) | Record::Note(_), "lead") => {
                let found = self.leads.iter().find(|lead| parent == Some(lead.id.uuid()));
                found.map(Record::Lead).into_iter().collect()
            }
            (Record::Task(_) | Record::Note(_), "opportunity") => {
                let found = self.opportunities.iter().find(|opportunity| parent == Some(opportunity.id.uuid()));
                found.map(Record::Opportunity).into_iter().collect()
            }
            (Record::Task(_) | Record::Note(_), "product") => {
                let found = self.products.iter().find(|product| parent == Some(product.id.uuid()));
                found.map(Record::Product).into_iter().collect()
            }
            (Record::Opportunity(opportunity), "company") => company(opportunity.company_id),
            (Record::Company(company), "opportunities") => {
                let own = self.opportunities_of.get(&company.id).into_iter().flatten();
                own.map(|index| Record::Opportunity(&self.opportunities[*index])).collect()
            }
            (Record::Contact(contact), "company") => company(contact.company_id),
            (Record::Company(child), "parent") => company(child.parent_id),
            (Record::Company(company), "contacts") => {
                let people = self.people_of.get(&company.id).into_iter().flatten();
                people.map(|index| Record::Contact(&self.contacts[*index])).collect()
            }
            (Record::Company(company), "children") => {
                let children = self.children_of.get(&company.id).into_iter().flatten();
                children.map(|index| Record::Company(&self.companies[*index])).collect()
            }
            (_, other) => panic!("{other} is a new relation: add it here"),
        }
    }
}

const WORDS: &[&str] = &[
    "Anna",
    "ÄNNA",
    "Groß",
    "Gross",
    "Łódź",
    "O'Brien",
    "50%_",
    "Müller-Lüdenscheid",
    "李明",
    "Anna Maria",
    "Éa",
    "back\\slash",
];
const CITIES: &[&str] = &["Berlin", "BERLIN", "Åbo", "São Paulo", "Zürich"];
const PLACES: &[(f64, f64)] = &[
    (52.52, 13.405),
    (52.5, 13.4),
    (-17.8, 179.95),
    (-17.8, -179.95),
    (89.9, 10.0),
    (89.9, -170.0),
    (-90.0, 0.0),
    (0.0, 180.0),
    (0.0, -180.0),
    (48.137154, 11.576124),
];
const TAGS: &[&str] = &["vip", "VIP", "news letter", "ä", "x"];
const DOMAINS: &[&str] = &["example.com", "bücher.example", "shop.example"];

/// A field of each type for each resource.
fn add_custom_fields(admin: &Caller) {
    let types = ["text", "number", "money", "bool", "date", "instant", "choice", "multi_choice", "url", "reference"];
    for resource in Resource::ALL.iter().map(|resource| resource.as_str()) {
        for kind in types {
            let mut new = json!({"resource": resource, "key": format!("a_{kind}"), "label": kind, "type": kind});
            // Those of contacts are found by an index, where there is one for their type.
            new["sorted"] = json!(resource == "contacts" && kind != "multi_choice");
            if kind.ends_with("choice") {
                new["options"] = ["one", "two", "three"].map(|key| json!({"key": key, "label": key})).into();
            }
            if kind == "reference" {
                new["referenced_resource"] = json!("users");
            }
            admin.create("/v1/custom_fields", &new);
        }
    }
}

fn custom(chance: &mut Chance, users: &[String]) -> Value {
    let mut values = json!({});
    let money = |amount: &str, currency: &str| json!({"amount": amount, "currency": currency});
    for (key, value) in [
        ("a_text", json!(chance.of(WORDS))),
        ("a_number", json!(chance.of(&["0", "-1.5", "2", "12.5", "999999999999999999.9999999999"]))),
        ("a_money", money(chance.of::<&str>(&["0", "1000", "1000.50", "33.3333"]), chance.of::<&str>(&["EUR", "USD"]))),
        ("a_bool", json!(chance.one_in(2))),
        ("a_date", json!(chance.of(&["2024-02-29", "2025-12-31", "2026-01-01", "1984-02-29"]))),
        (
            "a_instant",
            json!(chance.of(&["2026-03-29T01:00:00Z", "2026-03-28T23:59:59.999999Z", "2024-02-29T10:59:00Z"])),
        ),
        ("a_choice", json!(chance.of(&["one", "two"]))),
        ("a_multi_choice", json!(chance.of(&[&["one"][..], &["one", "three"], &["two", "three"]]))),
        ("a_url", json!(chance.of(&["https://example.com/Ä", "http://example.com/b"]))),
        ("a_reference", json!(chance.of(users))),
    ] {
        if !chance.one_in(3) {
            values[key] = value;
        }
    }
    values
}

fn maybe<T: Into<Value>>(chance: &mut Chance, value: T) -> Value {
    if chance.one_in(3) { Value::Null } else { value.into() }
}

fn lead(chance: &mut Chance, reasons: &[LostReason], users: &[String], team: &Value) -> Value {
    let mut new = shared(chance, users, team);
    new.as_object_mut().unwrap().remove("lifecycle_stage");
    for (field, values) in [
        ("first_name", WORDS),
        ("middle_name", WORDS),
        ("last_name", WORDS),
        ("salutation", &["Dr.", "DR."]),
        ("job_title", &["Einkäufer", "Head of purchasing"]),
        ("website", &["https://Example.com/Ä", "https://example.com/b"]),
        ("lead_source", &["website", "trade_show"]),
        ("rating", &["hot", "cold"]),
        ("industry", &["Süßwaren", "Sweets"]),
        ("employee_range", &["1_10", "51_200"]),
    ] {
        let value = *chance.of(values);
        new[field] = maybe(chance, value);
    }
    new["company_name"] = json!(*chance.of(WORDS));
    if chance.one_in(2) {
        new["expected_amount"] = json!(*chance.of(&["0", "0.0001", "1000", "1000.50", "33.3333"]));
        new["currency"] = json!(*chance.of(&["EUR", "EUR", "USD"]));
    }
    if chance.one_in(2) {
        let mut utm = json!({});
        for (part, values) in [
            ("source", &["Newsletter", "news"][..]),
            ("medium", &["email", "E-Mail"]),
            ("campaign", &["Frühling", "fruhling"]),
            ("term", &["chocolate"]),
            ("content", &["top", "Bottom"]),
        ] {
            let value = *chance.of(values);
            utm[part] = maybe(chance, value);
        }
        new["utm"] = utm;
    }
    new["status"] = json!(*chance.of(&["new", "contacted", "nurturing", "qualified", "unqualified"]));
    if new["status"] == "unqualified" {
        new["lost_reason_id"] = json!(chance.of(reasons).id.uuid());
        let note = *chance.of(&["Zu klein", "too small"]);
        new["lost_note"] = maybe(chance, note);
    }
    new
}

fn shared(chance: &mut Chance, users: &[String], team: &Value) -> Value {
    let owner = chance.of(users).clone();
    let mut tags: Vec<&str> = TAGS.iter().copied().filter(|_| chance.one_in(3)).collect();
    tags.dedup();
    let channel = *chance.of(&["email", "web", "phone"]);
    let mut new = json!({
        "owner_id": maybe(chance, owner), "team_id": maybe(chance, team.clone()), "tags": tags,
        "source_channel": maybe(chance, channel),
        "lifecycle_stage": *chance.of(&["lead", "customer", "prospect"]),
        "custom": custom(chance, users),
    });
    if !chance.one_in(3) {
        let (latitude, longitude) = *chance.of(PLACES);
        let has_place = !chance.one_in(4);
        let (city, street) = (*chance.of(CITIES), format!("{} {}", chance.of(WORDS), chance.below(9)));
        let country = *chance.of(&["DE", "FR", "NZ"]);
        new["addresses"] = json!([{
            "street": maybe(chance, street), "city": maybe(chance, city), "region": maybe(chance, "Ostfriesland"),
            "postal_code": maybe(chance, "10119"), "country": maybe(chance, country),
            "latitude": has_place.then_some(latitude), "longitude": has_place.then_some(longitude),
        }, {"country": "IT", "city": "Roma"}]);
    }
    if chance.one_in(2) {
        let local = *chance.of(&["Anna", "anna.m", "o'brien", "x+y"]);
        let domain = *chance.of(&["Example.com", "example.org"]);
        new["emails"] = json!([{"address": format!("{local}@{domain}")}, {"address": format!("second{}@example.net", chance.below(5))}]);
    }
    if chance.one_in(2) {
        new["phones"] = json!([{"number": format!("+49 30 90182{}", chance.below(5))}, {"number": "+1 212 555 0100"}]);
    }
    new
}

fn opportunity(
    chance: &mut Chance,
    (people, companies): (&[ContactId], &[CompanyId]),
    moments: &[DateTime<Utc>],
    users: &[String],
    team: &Value,
) -> Value {
    let owner = chance.of(users).clone();
    let tags: Vec<&str> = TAGS.iter().copied().filter(|_| chance.one_in(3)).collect();
    let (next_step, company) = (*chance.of(WORDS), chance.of(companies).uuid());
    let (kind, source) = (*chance.of(&["renewal", "upsell"]), *chance.of(&["referral", "other"]));
    let mut new = json!({
        "owner_id": maybe(chance, owner), "team_id": maybe(chance, team.clone()), "tags": tags,
        "custom": custom(chance, users), "name": *chance.of(WORDS), "next_step": maybe(chance, next_step),
        "company_id": maybe(chance, json!(company)), "type": maybe(chance, kind), "lead_source": maybe(chance, source),
        "probability": chance.below(101),
    });
    let count = chance.below(3);
    let first = chance.below(people.len() - 3);
    new["contacts"] = (first..first + count).map(|index| json!({"contact_id": people[index]})).collect();
    if !chance.one_in(4) {
        new["amount"] = json!(*chance.of(&["0", "100", "100.5", "1000", "12345.67"]));
        new["currency"] = json!(*chance.of(&["EUR", "USD"]));
    }
    if !chance.one_in(4) {
        let moment = *chance.of(moments) - Duration::days(*chance.of(&[-40, -7, -1, 0, 1, 30, 365]));
        new["close_date"] = json!(moment.date_naive());
    }
    new
}

fn task(chance: &mut Chance, parents: &[Value], moments: &[DateTime<Utc>], users: &[String], team: &Value) -> Value {
    let (owner, assignee) = (chance.of(users).clone(), chance.of(users).clone());
    let tags: Vec<&str> = TAGS.iter().copied().filter(|_| chance.one_in(3)).collect();
    let helpers: Vec<&String> = users.iter().filter(|_| chance.one_in(3)).collect();
    let mut new = json!({
        "owner_id": maybe(chance, owner), "team_id": maybe(chance, team.clone()), "tags": tags,
        "custom": custom(chance, users), "name": format!("{} {}", chance.of(WORDS), chance.below(5)),
        "assignee_id": maybe(chance, assignee), "collaborator_ids": helpers,
        "type": *chance.of(&["call", "todo"]), "priority": *chance.of(&["low", "normal", "urgent"]),
        "status": *chance.of(&["not_started", "in_progress", "deferred"]),
    });
    let description = *chance.of(WORDS);
    new["description"] = maybe(chance, description);
    let parent = chance.of(parents).clone();
    new["parent"] = maybe(chance, parent);
    if !chance.one_in(3) {
        let due = *chance.of(moments) - Duration::minutes(*chance.of(MINUTES));
        let start = due - Duration::minutes(*chance.of(MINUTES));
        new["due_at"] = json!(due);
        new["start_at"] = maybe(chance, json!(start));
        let (rule, zone) = (*chance.of(&["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO"]), *chance.of(&["Europe/Berlin", "UTC"]));
        new["recurrence"] = maybe(chance, rule);
        new["time_zone"] = maybe(chance, zone);
    }
    new
}

fn note(chance: &mut Chance, parents: &[Value], users: &[String], team: &Value) -> Value {
    let owner = chance.of(users).clone();
    let tags: Vec<&str> = TAGS.iter().copied().filter(|_| chance.one_in(3)).collect();
    let mentions: Vec<&String> = users.iter().filter(|_| chance.one_in(3)).collect();
    json!({
        "owner_id": maybe(chance, owner), "team_id": maybe(chance, team.clone()), "tags": tags, "mentions": mentions,
        "custom": custom(chance, users), "body": format!("{}\n{}", chance.of(WORDS), chance.of(WORDS)),
        "parent": chance.of(parents), "pinned": chance.one_in(4), "internal": chance.one_in(2),
    })
}

fn company(chance: &mut Chance, number: usize, made: &[CompanyId], users: &[String], team: &Value) -> Value {
    let mut new = shared(chance, users, team);
    new["name"] = json!(if number.is_multiple_of(3) {
        (*chance.of(WORDS)).to_owned()
    } else {
        format!("{} {}", chance.of(WORDS), chance.below(5))
    });
    let parents = &made[..made.len().min(12)];
    if !parents.is_empty() && !chance.one_in(3) {
        new["parent_id"] = json!(chance.of(parents).uuid());
    }
    if !chance.one_in(4) {
        new["annual_revenue_amount"] =
            json!(*chance.of(&["0", "0.0001", "1000", "1000.50", "999999999999999.9999", "33.3333"]));
        new["annual_revenue_currency"] = json!(*chance.of(&["EUR", "EUR", "USD"]));
    }
    for (field, values) in [
        ("legal_name", WORDS),
        ("domain", DOMAINS),
        ("website", &["https://Example.com/Ä", "https://example.com/b"]),
        ("type", &["customer", "partner"]),
        ("industry", &["Süßwaren", "Sweets"]),
        ("industry_code", &["10.82", "62.01"]),
        ("employee_range", &["1_10", "51_200"]),
        ("tax_id", &["DE123456789", "de987"]),
        ("territory", &["DACH", "Nordics"]),
        ("default_currency", &["EUR", "USD"]),
    ] {
        let value = *chance.of(values);
        new[field] = maybe(chance, value);
    }
    new
}

fn product(chance: &mut Chance, number: usize, users: &[String], team: &Value) -> Value {
    let mut new = shared(chance, users, team);
    for of_parties in ["source_channel", "lifecycle_stage", "addresses", "emails", "phones"] {
        new.as_object_mut().unwrap().remove(of_parties);
    }
    new["code"] = json!(format!("{}-{number}", chance.of(&["A", "a", "Ä 7"])));
    new["name"] = json!(format!("{} {}", chance.of(WORDS), chance.below(5)));
    let currencies = ["EUR", "USD", "JPY"].into_iter().filter(|_| chance.one_in(2)).collect::<Vec<_>>();
    new["prices"] = currencies.iter().map(|currency| json!({"currency": currency, "unit_price": "12.5"})).collect();
    new["active"] = json!(chance.one_in(2));
    if !chance.one_in(4) {
        new["unit"] = json!(*chance.of(&["hour", "Stück", "STÜCK"]));
    }
    for (field, values) in [
        ("category", &["Süßes", "süsses", "Tools"][..]),
        ("tax_category", &["Standard", "reduced"]),
        ("tax_rate", &["0", "7", "19.0001", "100"]),
        ("recurring_interval", &["month", "year"]),
        ("stock_state", &["in_stock", "discontinued"]),
    ] {
        let value = *chance.of(values);
        new[field] = maybe(chance, value);
    }
    new
}

fn contact(chance: &mut Chance, made: &[CompanyId], users: &[String], team: &Value) -> Value {
    let mut new = shared(chance, users, team);
    for (field, values) in [
        ("first_name", WORDS),
        ("middle_name", WORDS),
        ("last_name", WORDS),
        ("salutation", &["Dr.", "DR."]),
        ("job_title", &["Einkäufer", "Head of purchasing"]),
        (
            "birthday",
            &[
                "1984-02-29",
                "1972-02-29",
                "1990-02-28",
                "1990-03-01",
                "1985-12-31",
                "1985-01-01",
                "1979-10-25",
                "1979-03-29",
            ],
        ),
        ("locale", &["de-DE", "de-de", "en"]),
        ("time_zone", &["Europe/Berlin", "America/New_York"]),
        ("preferred_channel", &["email", "phone"]),
    ] {
        let value = *chance.of(values);
        new[field] = maybe(chance, value);
    }
    if new["first_name"].is_null() && new["last_name"].is_null() && new.get("phones").is_none() {
        new["phones"] = json!([{"number": "+49 (30) 9018-27"}]);
    }
    if !chance.one_in(3) {
        new["company_id"] = json!(chance.of(made).uuid());
    }
    new["do_not_call"] = json!(chance.one_in(3));
    new
}
