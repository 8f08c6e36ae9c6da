//! The workspace `demo`: sample data to look at and try things out on.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use rapport_domain::{
    access::StandardRole,
    activity::{
        note::NewNote,
        parent::{Parent, ParentKind},
        task::{NewTask, TaskAction},
    },
    commerce::{
        connection::{ConnectionKind, NewConnection},
        webhook::NewWebhook,
    },
    id::{CompanyId, ContactId, ProductId, TeamId},
    insight::score_definition::NewScoreDefinition,
    people::{company::NewCompany, contact::NewContact, duplicate::OnDuplicate},
    record::{RecordKind, Source},
    sales::{
        assignment_rule::NewAssignmentRule,
        capture_form::NewCaptureForm,
        exchange_rate::ExchangeRateList,
        lead::{ConvertLead, LeadMove, NewLead},
        lost_reason::LostReasonQuery,
        opportunity::{LoseOpportunity, MoveOpportunity, NewOpportunity, WinOpportunity},
        product::NewProduct,
    },
    workspace::{custom_field::NewCustomField, team::NewTeam, user::NewUser},
};
use rapport_http::auth::password;
use rapport_persistence::{
    Db, Scope,
    activity::{notes, tasks},
    commerce::{connections, webhooks},
    insight::score_definitions,
    people::{companies, contacts},
    sales::{assignment_rules, capture_forms, exchange_rates, leads, lost_reasons, opportunities, pipelines, products},
    workspace::{
        custom_fields, roles, teams, users,
        workspaces::{self, Workspace},
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{commands::admin, failure::Failure};

const WORKSPACE: &str = "demo";

/// The password of the sample users. They exist in the workspace `demo` alone.
const PASSWORD: &str = "rapport-demo-password";

/// Makes sure that the sample workspace is there, and gives an API key for it. The key is kept in the data folder, so
/// that it stays the same from one start to the next.
pub(crate) async fn prepare(db: &Db, data_dir: &Path, ephemeral: bool) -> Result<String, Failure> {
    let known = workspaces::find(db, WORKSPACE).await?;
    let is_new = known.is_none();
    if is_new {
        let workspace = workspaces::create(db, WORKSPACE, Some("DE")).await?;
        fill(db, &workspace).await?;
    }
    let file = data_dir.join("demo-api-key");
    if !is_new
        && !ephemeral
        && let Ok(key) = fs::read_to_string(&file)
    {
        return Ok(key.trim().to_owned());
    }
    let key = admin::create_api_key(db, WORKSPACE, "demo", &[]).await?;
    if !ephemeral {
        keep(&file, &key).map_err(|error| Failure::said(format!("{} can't be written: {error}", file.display())))?;
    }
    Ok(key)
}

/// For this user's eyes alone.
fn keep(file: &Path, key: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    writeln!(file, "{key}")
}

async fn fill(db: &Db, workspace: &Workspace) -> Result<(), Failure> {
    let password_hash = password::hash(PASSWORD).map_err(Failure::said)?;
    let scope = Scope::of_system(workspace.id, Source::Api, workspace.country.clone());
    let mut teams: Vec<TeamId> = Vec::new();
    for (name, description) in TEAMS {
        let description = Some((*description).to_owned());
        let new = NewTeam { name: (*name).into(), description, parent_id: teams.first().copied() };
        teams.push(db.write(&scope, move |writer| teams::create(writer, new)).await?.id);
    }
    let mut owners = Vec::new();
    for ((email, name, role), team) in USERS.iter().zip(&teams) {
        let (password_hash, team_ids) = (password_hash.clone(), vec![*team]);
        let mut new = NewUser { email: (*email).into(), name: (*name).into(), team_ids, ..NewUser::default() };
        let created = db.write(&scope, move |writer| {
            new.role_ids = roles::find(writer, role.as_str())?.map(|role| role.id).into_iter().collect();
            users::create_active(writer, new, password_hash)
        });
        owners.push(created.await?.id);
    }
    let shop = NewConnection {
        key: "shop".into(),
        name: "Web shop".into(),
        kind: ConnectionKind::Shop,
        ..NewConnection::default()
    };
    db.write(&scope, move |writer| connections::create(writer, shop)).await?;
    // Switched off, for nobody is at this address.
    let accounting = NewWebhook {
        name: "Accounting".into(),
        url: "https://accounting.example.com/rapport".into(),
        kinds: vec![RecordKind::Contact, RecordKind::Company],
        enabled: false,
        ..NewWebhook::default()
    };
    db.write(&scope, move |writer| webhooks::create(writer, accounting)).await?;
    for field in sample_fields() {
        let new: NewCustomField = read(field)?;
        db.write(&scope, move |writer| custom_fields::create(writer, &new)).await?;
    }
    let mut ids: Vec<CompanyId> = Vec::new();
    for (index, company) in sample_companies().into_iter().enumerate() {
        let mut new: NewCompany = read(company)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        // A company of the list belongs to the one before it where its name says so.
        new.parent_id = if new.name.ends_with("Logistics") { ids.last().copied() } else { None };
        ids.push(db.write(&scope, move |writer| companies::create(writer, new)).await?.id);
    }
    let mut people = Vec::new();
    for (index, (contact, company)) in sample_contacts().into_iter().enumerate() {
        let mut new: NewContact = read(contact)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        new.company_id = company.and_then(|company| ids.get(company).copied());
        people.push(db.write(&scope, move |writer| contacts::create(writer, new, OnDuplicate::Allow)).await?.id);
    }
    let mut sold = Vec::new();
    for (index, product) in sample_products().into_iter().enumerate() {
        let mut new: NewProduct = read(product)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        sold.push(db.write(&scope, move |writer| products::create(writer, new)).await?.id);
    }
    for (index, (opportunity, company, step)) in sample_opportunities(&sold).into_iter().enumerate() {
        let mut new: NewOpportunity = read(opportunity)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        new.company_id = ids.get(company).copied();
        let created = db.write(&scope, move |writer| opportunities::create(writer, new.clone())).await?;
        let id = created.id;
        match step {
            Step::Begun => {}
            Step::Proposed => {
                let pipeline = db.read(&scope, move |reader| pipelines::get(reader, created.pipeline_id)).await?;
                let Some(stage) = pipeline.stages.get(2) else { continue };
                let to = MoveOpportunity { stage_id: stage.id, lost_reason_id: None, lost_note: None };
                db.write(&scope, move |writer| opportunities::move_to(writer, id, None, &to)).await?;
            }
            Step::Won => {
                let win = WinOpportunity::default();
                db.write(&scope, move |writer| opportunities::win(writer, id, None, &win)).await?;
            }
            Step::Lost => {
                let reasons = LostReasonQuery { limit: Some(1), ..LostReasonQuery::default() };
                for mut rule in sample_rules() {
                    rule["user_ids"] = json!(owners);
                    let new: NewAssignmentRule = read(rule)?;
                    db.write(&scope, move |writer| assignment_rules::create(writer, new)).await?;
                }
                let form: NewCaptureForm = read(sample_form())?;
                db.write(&scope, move |writer| capture_forms::create(writer, form)).await?;
                let reasons = db.read(&scope, move |reader| lost_reasons::list(reader, &reasons)).await?.data;
                let Some(reason) = reasons.first() else { continue };
                let note = Some("The other offer came with an assembly crew.".to_owned());
                let lose = LoseOpportunity { lost_reason_id: reason.id, lost_note: note, stage_id: None };
                db.write(&scope, move |writer| opportunities::lose(writer, id, None, &lose)).await?;
            }
        }
    }
    for (index, (task, about)) in sample_tasks().into_iter().enumerate() {
        let mut new: NewTask = read(task)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        new.parent = about.parent(&ids, &people);
        db.write(&scope, move |writer| tasks::create(writer, new.clone())).await?;
    }
    for (index, (note, about)) in sample_notes().into_iter().enumerate() {
        let mut new: NewNote = read(note)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        new.mentions = owners.iter().copied().skip(index).take(1).collect();
        new.parent = about.parent(&ids, &people);
        db.write(&scope, move |writer| notes::create(writer, new.clone())).await?;
    }
    let reasons = db.read(&scope, |reader| lost_reasons::list(reader, &LostReasonQuery::default())).await?;
    for (index, (lead, status)) in sample_leads().into_iter().enumerate() {
        let mut new: NewLead = read(lead)?;
        new.owner_id = Some(Some(owners[index % owners.len()]));
        let converts = status == Some("qualified");
        let id = db.write(&scope, move |writer| leads::create(writer, new, OnDuplicate::Allow)).await?.id;
        if let Some(status) = status {
            let lost = status == "unqualified";
            let lost_reason_id = reasons.data.first().filter(|_| lost).map(|reason| reason.id);
            let to = LeadMove { status: status.to_owned(), lost_reason_id, lost_note: None };
            db.write(&scope, move |writer| leads::move_to(writer, id, None, &to)).await?;
        }
        if converts {
            let asked: ConvertLead = read(json!({"opportunity": {"values": {"close_date": "2027-03-31"}}}))?;
            db.write(&scope, move |writer| leads::conversion::convert(writer, id, None, &asked)).await?;
        }
        if index == 0 {
            let visit =
                json!({"name": "Visit to the bakery", "type": "visit", "parent": {"kind": "lead", "id": id.uuid()}});
            let visit: NewTask = read(visit)?;
            let visit = db.write(&scope, move |writer| tasks::create(writer, visit.clone())).await?.id;
            db.write(&scope, move |writer| tasks::act(writer, visit, None, TaskAction::Complete)).await?;
        }
    }
    let scores: NewScoreDefinition = read(sample_scores())?;
    let scores = db.write(&scope, move |writer| score_definitions::create(writer, scores)).await?;
    db.write(&scope, move |writer| score_definitions::publish(writer, scores.id, None)).await?;
    let rates: ExchangeRateList = read(sample_rates())?;
    db.write(&scope, move |writer| exchange_rates::load(writer, rates.clone())).await?;
    Ok(())
}

fn read<T: DeserializeOwned>(sample: Value) -> Result<T, Failure> {
    serde_json::from_value(sample).map_err(|error| Failure::said(format!("a sample does not fit: {error}")))
}

const USERS: &[(&str, &str, StandardRole)] = &[
    ("mara@demo.example", "Mara Weiss", StandardRole::Admin),
    ("tom@demo.example", "Tom Baker", StandardRole::Manager),
    ("aiko@demo.example", "Aiko Tanaka", StandardRole::Agent),
];

/// The first is above the others.
const TEAMS: &[(&str, &str)] = &[
    ("Berlin", "All of us"),
    ("Inside sales", "Whoever calls or writes"),
    ("Key accounts", "Those who buy every month"),
];

/// How far a sample has come.
enum Step {
    Begun,
    Proposed,
    Won,
    Lost,
}

/// What may be sold, to which company of the samples, and how far it has come.
fn sample_opportunities(products: &[ProductId]) -> Vec<(Value, usize, Step)> {
    vec![
        (
            json!({"name": "Packing line for the new hall", "type": "new_business", "lead_source": "trade_show",
                "close_date": "2027-02-26", "next_step": "Visit the hall with the engineer", "currency": "EUR", "lines": [
                {"sku": "PL-40", "description": "Packing line, 40 per minute", "quantity": "2", "unit": "piece",
                    "unit_price": "48500.00", "discount_type": "percent", "discount": "5", "tax_rate": "19"},
                {"description": "Assembly", "quantity": "12.5", "unit": "hour", "unit_price": "95.00"}]}),
            0,
            Step::Proposed,
        ),
        (
            json!({"name": "Boxes for Easter", "currency": "EUR", "type": "existing_business", "close_date": "2026-12-18",
                "tags": ["season"], "lines": products.iter().take(2).map(|id| json!({"product_id": id, "quantity": "600"}))
                    .collect::<Vec<_>>()}),
            1,
            Step::Begun,
        ),
        (
            json!({"name": "Wartung für drei Jahre", "amount": "16200.00", "currency": "CHF", "type": "renewal",
                "recurring": {"monthly": "450.00", "annual": "5400.00", "term_months": 36}, "lead_source": "existing_customer"}),
            2,
            Step::Won,
        ),
        (
            json!({"name": "Étiquettes en papier recyclé", "amount": "7400.00", "currency": "EUR", "lead_source": "website"}),
            0,
            Step::Lost,
        ),
    ]
}

fn sample_fields() -> Vec<Value> {
    vec![
        json!({"resource": "companies", "key": "customer_number", "label": "Customer number", "type": "text",
            "description": "As it stands on our invoices.", "unique": true, "max_length": 20}),
        json!({"resource": "companies", "key": "credit_limit", "label": "Credit limit", "type": "money", "min": "0"}),
        json!({"resource": "contacts", "key": "interests", "label": "Interests", "type": "multi_choice", "options": [
            {"key": "fairs", "label": "Trade fairs"}, {"key": "samples", "label": "Samples"},
            {"key": "news", "label": "Newsletter"}]}),
    ]
}

fn sample_companies() -> Vec<Value> {
    vec![
        json!({"name": "Lindt & Daughters", "legal_name": "Lindt & Daughters GmbH", "domain": "lindt-daughters.example",
            "website": "https://www.lindt-daughters.example/", "type": "customer", "industry": "Confectionery",
            "industry_code": "10.82", "employee_range": "51_200", "annual_revenue_amount": "12500000.00",
            "annual_revenue_currency": "EUR", "tax_id": "DE123456789", "territory": "DACH", "default_currency": "EUR",
            "lifecycle_stage": "customer", "tags": ["key account"], "source_channel": "web",
            "custom": {"customer_number": "K-10442", "credit_limit": {"amount": "25000", "currency": "EUR"}},
            "emails": [{"address": "office@lindt-daughters.example", "type": "work"}],
            "phones": [{"number": "+49 30 901820", "type": "work"}],
            "addresses": [{"type": "billing", "street": "Torstraße 1", "postal_code": "10119", "city": "Berlin",
                "country": "DE", "latitude": 52.529, "longitude": 13.401}],
            "social_profiles": [{"network": "linkedin", "profile": "lindt-daughters", "label": "press"}]}),
        json!({"name": "Lindt Logistics", "domain": "lindt-logistics.example", "type": "customer", "industry": "Logistics",
            "employee_range": "11_50", "lifecycle_stage": "customer", "custom": {"customer_number": "K-10443"},
            "addresses": [{"type": "visiting", "city": "Leipzig", "postal_code": "04109", "country": "DE"}]}),
        json!({"name": "Harbour Street Books", "domain": "harbourbooks.example", "type": "prospect", "industry": "Retail",
            "employee_range": "1_10", "lifecycle_stage": "prospect", "source_channel": "in_person",
            "addresses": [{"type": "visiting", "street": "12 Harbour Street", "postal_code": "CT5 1AQ", "city": "Whitstable",
                "country": "GB"}]}),
        json!({"name": "Kyoto Precision", "domain": "kyoto-precision.example", "type": "partner", "industry": "Machinery",
            "employee_range": "501_1000", "annual_revenue_amount": "8400000000", "annual_revenue_currency": "JPY",
            "lifecycle_stage": "customer", "addresses": [{"type": "billing", "city": "Kyoto", "country": "JP"}]}),
        json!({"name": "Atelier Moreau", "domain": "ateliermoreau.example", "type": "supplier", "industry": "Design",
            "employee_range": "1_10", "lifecycle_stage": "lead", "addresses": [{"type": "visiting", "city": "Lyon", "country": "FR"}]}),
    ]
}

/// What a task or a note is about: the place of a record in the lists of samples.
enum About {
    Nothing,
    Company(usize),
    Contact(usize),
}

impl About {
    fn parent(&self, companies: &[CompanyId], people: &[ContactId]) -> Option<Parent> {
        match self {
            Self::Nothing => None,
            Self::Company(place) => companies.get(*place).map(|id| Parent { kind: ParentKind::Company, id: id.uuid() }),
            Self::Contact(place) => people.get(*place).map(|id| Parent { kind: ParentKind::Contact, id: id.uuid() }),
        }
    }
}

/// Notes, each with what it is about.
fn sample_notes() -> Vec<(Value, About)> {
    vec![
        (
            json!({"body": "Prefers to be called before nine.\nThe budget for next year is decided in March.", "pinned": true,
                "tags": ["key account"]}),
            About::Contact(0),
        ),
        (
            json!({"body": "Visited the new plant in Łódź: two lines are running, a third is planned for autumn."}),
            About::Company(4),
        ),
        (json!({"body": "Invoices go to the accountant from now on.", "internal": false}), About::Company(0)),
    ]
}

/// Tasks, each with what it is about.
fn sample_tasks() -> Vec<(Value, About)> {
    vec![
        (
            json!({"name": "Offer for the spring catalogue", "type": "follow_up", "priority": "high", "status": "in_progress",
                "description": "They asked for gift boxes in three sizes.", "due_at": "2026-12-04T15:00:00Z",
                "reminders": [{"minutes_before_due": 1440}, {"minutes_before_due": 60}], "tags": ["key account"]}),
            About::Company(0),
        ),
        (
            json!({"name": "Quarterly call", "type": "call", "due_at": "2027-01-11T09:00:00Z", "time_zone": "Europe/Berlin",
                "recurrence": "FREQ=MONTHLY;INTERVAL=3;BYDAY=2MO"}),
            About::Contact(0),
        ),
        (json!({"name": "Café machine: ask for a visit", "type": "visit", "status": "deferred"}), About::Company(4)),
        (json!({"name": "Tidy up the list of suppliers", "priority": "low"}), About::Nothing),
    ]
}

/// Leads, each with the status that it has moved on to.
fn sample_form() -> Value {
    json!({
        "name": "Contact page", "allowed_origins": ["http://localhost:3000"], "honeypot_field": "website_2",
        "fields": [
            {"name": "first_name", "field": "first_name"}, {"name": "last_name", "field": "last_name", "required": true},
            {"name": "email", "field": "email", "required": true}, {"name": "company", "field": "company_name"},
            {"name": "message"}
        ],
        "on_duplicate": "add_to_lead",
        "consent": {"field": "news", "text": "Schickt mir Neuigkeiten, höchstens einmal im Monat.", "purpose": "newsletter",
            "channel": "email"},
        "defaults": {"lead_source": "website", "tags": ["Kontaktseite"]}
    })
}

/// Their users are those of the workspace.
fn sample_rules() -> Vec<Value> {
    let promising = json!({"type": "choice", "field": "rating", "op": "in", "values": ["hot"]});
    vec![
        json!({"name": "Hot leads to who has time", "strategy": "least_busy", "max_open_leads": 40,
            "filter": {"version": 1, "entity": "lead", "where": promising}}),
        json!({"name": "All others in turn", "strategy": "round_robin"}),
    ]
}

fn sample_leads() -> Vec<(Value, Option<&'static str>)> {
    vec![
        (
            json!({"first_name": "Márta", "last_name": "Kovács", "job_title": "Buyer", "company_name": "Duna Cukrászda",
            "emails": [{"address": "kovacs.marta@duna.example", "type": "work"}], "lead_source": "trade_show", "rating": "hot",
            "expected_amount": "18500.00", "currency": "EUR", "tags": ["fair 2026"],
            "addresses": [{"city": "Budapest", "country": "HU"}]}),
            Some("qualified"),
        ),
        (
            json!({"first_name": "Liam", "last_name": "Byrne", "emails": [{"address": "liam.byrne@example.org"}],
            "lead_source": "website", "rating": "warm", "source_channel": "web",
            "utm": {"source": "newsletter", "medium": "email", "campaign": "spring_2026"}}),
            Some("contacted"),
        ),
        (
            json!({"company_name": "Confiserie Dübendorf", "industry": "Confectionery", "employee_range": "11_50",
            "website": "https://www.confiserie.example/", "phones": [{"number": "+41 44 668 18 00", "type": "work"}],
            "lead_source": "cold_call", "addresses": [{"city": "Dübendorf", "postal_code": "8600", "country": "CH"}]}),
            None,
        ),
        (
            json!({"last_name": "Öztürk", "emails": [{"address": "ozturk@example.net"}], "lead_source": "referral",
            "rating": "cold"}),
            Some("unqualified"),
        ),
        (
            json!({"first_name": "Anna", "last_name": "Lindt", "emails": [{"address": "a.lindt@example.com"}],
            "source_channel": "in_person", "lead_source": "walk_in"}),
            None,
        ),
    ]
}

/// What makes leads promising.
fn sample_scores() -> Value {
    let lead = |condition: Value| json!({"version": 1, "entity": "lead", "where": condition});
    let chosen =
        |field: &str, values: Value| lead(json!({"type": "choice", "field": field, "op": "in", "values": values}));
    let talks = json!({"version": 1, "entity": "task", "tz": "Europe/Berlin", "where":
        {"type": "choice", "field": "type", "op": "in", "values": ["call", "meeting", "visit"]}});
    json!({"name": "Promising leads", "entity": "lead", "groups": [
        {"kind": "fit", "key": "origin", "name": "Where they come from", "max": 40, "rules": [
            {"key": "met", "name": "Met in person", "points": 25,
                "when": chosen("lead_source", json!(["trade_show", "referral", "walk_in"]))},
            {"key": "hot", "name": "Said to be hot", "points": 20, "when": chosen("rating", json!(["hot"]))},
            {"key": "no_mail", "name": "Without an e-mail address", "points": -10,
                "when": lead(json!({"type": "present", "field": "email", "value": false}))}
        ]},
        {"kind": "engagement", "key": "talks", "name": "Calls and visits", "max": 60, "rules": [
            {"key": "talked", "points": 15, "relation": "tasks", "at": "completed_at", "where": talks,
                "per": "distinct_day", "decay": {"kind": "half_life", "days": 30}}
        ]}
    ]})
}

fn sample_products() -> Vec<Value> {
    let prices = |prices: &[(&str, &str)]| {
        let price = |(currency, unit_price): &(&str, &str)| json!({"currency": currency, "unit_price": unit_price});
        prices.iter().map(price).collect::<Vec<_>>()
    };
    vec![
        json!({"code": "PRA-70-200", "name": "Dark chocolate 70 %, 200 g", "category": "Chocolate",
            "description": "A bar of beans from Ghana, without lecithin.", "tags": ["bestseller"],
            "prices": prices(&[("EUR", "4.95"), ("CHF", "5.20"), ("GBP", "4.25")]),
            "tax_category": "reduced", "tax_rate": "7", "stock_state": "in_stock"}),
        json!({"code": "PRA-MIX-24", "name": "Pralinés, box of 24", "category": "Chocolate", "unit": "box",
            "prices": prices(&[("EUR", "29.90")]), "tax_category": "reduced", "tax_rate": "7", "stock_state": "out_of_stock"}),
        json!({"code": "ABO-MONAT", "name": "Süßes Abonnement", "category": "Subscriptions", "unit": "delivery",
            "description": "Each month another kind, and a letter from whoever made it.",
            "prices": prices(&[("EUR", "19.00"), ("USD", "23.50")]), "recurring_interval": "month", "tax_rate": "7"}),
        json!({"code": "SRV-WORKSHOP", "name": "Tasting workshop", "category": "Services", "unit": "hour",
            "prices": prices(&[("EUR", "120"), ("JPY", "19500")]), "tax_category": "standard", "tax_rate": "19"}),
        json!({"code": "PRA-OSTERN-18", "name": "Easter egg, edition of 2018", "active": false,
            "stock_state": "discontinued"}),
    ]
}

fn sample_rates() -> Value {
    let rate = |to: &str, rate: &str, valid_from: &str| json!({"from_currency": "EUR", "to_currency": to, "rate": rate, "valid_from": valid_from});
    json!({"rates": [
        rate("USD", "1.0421", "2025-01-02"), rate("GBP", "0.8291", "2025-01-02"), rate("CHF", "0.9392", "2025-01-02"),
        rate("JPY", "163.12", "2025-01-02"), rate("USD", "1.1750", "2026-01-02"), rate("GBP", "0.8718", "2026-01-02"),
        rate("CHF", "0.9303", "2026-01-02"), rate("JPY", "184.09", "2026-01-02"),
    ]})
}

/// Contacts, each with the place of their company in the list above.
fn sample_contacts() -> Vec<(Value, Option<usize>)> {
    let person = |first: &str, last: &str, title: &str, more: Value| {
        let mut contact = json!({"first_name": first, "last_name": last, "job_title": title});
        if let (Some(contact), Value::Object(more)) = (contact.as_object_mut(), more) {
            contact.extend(more);
        }
        contact
    };
    vec![
        (
            person(
                "Anna",
                "Lindt",
                "Managing director",
                json!({"salutation": "Dr.", "birthday": "1979-04-11", "locale": "de-DE",
            "time_zone": "Europe/Berlin", "preferred_channel": "phone", "lifecycle_stage": "customer", "tags": ["vip", "newsletter"],
            "custom": {"interests": ["fairs", "samples"]},
            "source_channel": "web", "emails": [{"address": "anna@lindt-daughters.example", "type": "work"},
            {"address": "anna.lindt@example.org", "type": "home"}], "phones": [{"number": "+49 30 901821", "type": "work"},
            {"number": "+49 1512 3456789", "type": "mobile"}], "addresses": [{"type": "visiting", "street": "Torstraße 1",
            "postal_code": "10119", "city": "Berlin", "country": "DE", "latitude": 52.529, "longitude": 13.401}],
            "social_profiles": [{"network": "linkedin", "profile": "anna-lindt", "label": "work"}]}),
            ),
            Some(0),
        ),
        (
            person(
                "Berta",
                "Lindt",
                "Head of purchasing",
                json!({"lifecycle_stage": "customer",
            "emails": [{"address": "berta@lindt-daughters.example", "type": "work"}], "tags": ["newsletter"]}),
            ),
            Some(0),
        ),
        (
            person(
                "Jonas",
                "Müller",
                "Warehouse manager",
                json!({"lifecycle_stage": "customer", "locale": "de-DE",
            "emails": [{"address": "j.mueller@lindt-logistics.example", "type": "work"}],
            "phones": [{"number": "0341 1234567", "type": "work"}], "addresses": [{"city": "Leipzig", "country": "DE"}]}),
            ),
            Some(1),
        ),
        (
            person(
                "Jonas",
                "Mueller",
                "Warehouse manager",
                json!({"emails": [{"address": "jonas.mueller@example.net"}],
            "source_channel": "phone"}),
            ),
            None,
        ),
        (
            person(
                "Siobhán",
                "O'Connor",
                "Owner",
                json!({"lifecycle_stage": "prospect", "locale": "en-IE", "time_zone": "Europe/London",
            "source_channel": "in_person", "emails": [{"address": "siobhan@harbourbooks.example", "type": "work"}],
            "phones": [{"number": "+44 1227 770770", "type": "work"}], "addresses": [{"city": "Whitstable", "country": "GB"}]}),
            ),
            Some(2),
        ),
        (
            person(
                "Haruto",
                "Sato",
                "Chief engineer",
                json!({"lifecycle_stage": "customer", "locale": "ja-JP", "time_zone": "Asia/Tokyo",
            "preferred_channel": "email", "do_not_call": true, "emails": [{"address": "sato@kyoto-precision.example", "type": "work"}],
            "addresses": [{"city": "Kyoto", "country": "JP"}]}),
            ),
            Some(3),
        ),
        (
            person(
                "Camille",
                "Moreau",
                "Designer",
                json!({"lifecycle_stage": "lead", "locale": "fr-FR", "source_channel": "instagram",
            "emails": [{"address": "camille@ateliermoreau.example", "type": "work"}],
            "social_profiles": [{"network": "instagram", "profile": "atelier.moreau"}],
            "addresses": [{"city": "Lyon", "country": "FR"}]}),
            ),
            Some(4),
        ),
        (
            person(
                "Priya",
                "Nair",
                "Journalist",
                json!({"lifecycle_stage": "other", "tags": ["press"], "source_channel": "email",
            "emails": [{"address": "priya.nair@example.com"}], "addresses": [{"city": "Mumbai", "country": "IN"}]}),
            ),
            None,
        ),
    ]
}
