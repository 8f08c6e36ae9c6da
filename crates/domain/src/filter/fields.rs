//! The fields and relations that every workspace has, in one table.

use super::catalogue::{Entity, Field, Folding, IndexClass, Kind, Options, Place, Relation};
use crate::access::Resource;

const SOURCES: &[&str] = &["api", "import", "form", "email", "sync", "merge", "automation", "conversion"];

const CHANNELS: &[&str] = &[
    "email",
    "phone",
    "web",
    "chat",
    "sms",
    "whatsapp",
    "telegram",
    "facebook",
    "instagram",
    "x",
    "line",
    "social_other",
    "postal",
    "in_person",
    "api",
];

const STAGES: &[&str] = &["subscriber", "lead", "prospect", "customer", "former_customer", "other"];

const COMPANY_TYPES: &[&str] =
    &["prospect", "customer", "partner", "reseller", "supplier", "investor", "competitor", "press", "other"];

const STAGE_CLASSES: &[&str] = &["open", "won", "lost"];

const FORECAST_CATEGORIES: &[&str] = &["omitted", "pipeline", "best_case", "commit", "closed"];

const OPPORTUNITY_TYPES: &[&str] = &["new_business", "existing_business", "renewal", "upsell", "cross_sell"];

const LEAD_SOURCES: &[&str] = &[
    "call",
    "email",
    "existing_customer",
    "partner",
    "public_relations",
    "website",
    "campaign",
    "advertisement",
    "referral",
    "trade_show",
    "social",
    "cold_call",
    "walk_in",
    "other",
];

const EMPLOYEE_RANGES: &[&str] = &["1_10", "11_50", "51_200", "201_500", "501_1000", "1001_plus"];

const TASK_TYPES: &[&str] = &["todo", "call", "email", "meeting", "follow_up", "demo", "visit", "thank_you"];

const TASK_STATUSES: &[&str] = &["not_started", "in_progress", "deferred", "completed", "cancelled"];

const TASK_STATUS_CLASSES: &[&str] = &["open", "on_hold", "done", "cancelled"];

const PRIORITIES: &[&str] = &["low", "normal", "high", "urgent"];

const PARENT_KINDS: &[&str] = &["contact", "company", "lead", "opportunity", "product"];

const INTERVALS: &[&str] = &["month", "quarter", "year"];

const STOCK_STATES: &[&str] = &["in_stock", "out_of_stock", "discontinued"];

const LEAD_STATUS_CLASSES: &[&str] = &["open", "ongoing", "on_hold", "won", "lost"];

const LEAD_RATINGS: &[&str] = &["hot", "warm", "cold"];

/// The relations that a filter may name.
pub(super) const RELATIONS: &[Relation] = &[
    Relation {
        name: "company",
        from: Entity::Contact,
        to: Entity::Company,
        here: "company_id",
        there: "id",
        access: (Resource::Contacts, "company_id"),
    },
    Relation {
        name: "contacts",
        from: Entity::Company,
        to: Entity::Contact,
        here: "id",
        there: "company_id",
        access: (Resource::Contacts, "company_id"),
    },
    Relation {
        name: "parent",
        from: Entity::Company,
        to: Entity::Company,
        here: "parent_id",
        there: "id",
        access: (Resource::Companies, "parent_id"),
    },
    Relation {
        name: "children",
        from: Entity::Company,
        to: Entity::Company,
        here: "id",
        there: "parent_id",
        access: (Resource::Companies, "parent_id"),
    },
    parent("contact", Entity::Task, Entity::Contact),
    parent("company", Entity::Task, Entity::Company),
    parent("lead", Entity::Task, Entity::Lead),
    parent("opportunity", Entity::Task, Entity::Opportunity),
    parent("product", Entity::Task, Entity::Product),
    those_about("tasks", Entity::Contact, Entity::Task),
    those_about("tasks", Entity::Company, Entity::Task),
    those_about("tasks", Entity::Lead, Entity::Task),
    those_about("tasks", Entity::Opportunity, Entity::Task),
    those_about("tasks", Entity::Product, Entity::Task),
    parent("contact", Entity::Note, Entity::Contact),
    parent("company", Entity::Note, Entity::Company),
    parent("lead", Entity::Note, Entity::Lead),
    parent("opportunity", Entity::Note, Entity::Opportunity),
    parent("product", Entity::Note, Entity::Product),
    those_about("notes", Entity::Contact, Entity::Note),
    those_about("notes", Entity::Company, Entity::Note),
    those_about("notes", Entity::Lead, Entity::Note),
    those_about("notes", Entity::Opportunity, Entity::Note),
    those_about("notes", Entity::Product, Entity::Note),
    Relation {
        name: "company",
        from: Entity::Opportunity,
        to: Entity::Company,
        here: "company_id",
        there: "id",
        access: (Resource::Opportunities, "company_id"),
    },
    Relation {
        name: "opportunities",
        from: Entity::Company,
        to: Entity::Opportunity,
        here: "id",
        there: "company_id",
        access: (Resource::Opportunities, "company_id"),
    },
];

/// The record of this kind that another one is about. No two records have the same id, whatever their kinds are: the id of
/// the parent alone tells which it is.
const fn parent(name: &'static str, from: Entity, to: Entity) -> Relation {
    Relation { name, from, to, here: "parent_id", there: "id", access: (from.resource(), "parent") }
}

/// The records of a kind that are about this one.
const fn those_about(name: &'static str, from: Entity, to: Entity) -> Relation {
    Relation { name, from, to, here: "id", there: "parent_id", access: (to.resource(), "parent") }
}

/// All fields, in the order in which they are listed to callers.
pub(super) fn all() -> Vec<Field> {
    let mut fields = Vec::new();
    for entity in Entity::ALL.iter().copied() {
        fields.extend(of_every_record(entity));
        match entity {
            Entity::Contact => fields.extend(of_parties(entity).into_iter().chain(of_contacts())),
            Entity::Company => fields.extend(of_parties(entity).into_iter().chain(of_companies())),
            Entity::Opportunity => fields.extend(of_opportunities()),
            Entity::Product => fields.extend(of_products()),
            Entity::Task => fields.extend(of_tasks()),
            Entity::Note => fields.extend(of_notes()),
            Entity::Lead => fields.extend(of_reachable(entity).into_iter().chain(of_leads())),
        }
        if entity.has_place() {
            fields.extend(of_places(entity));
        }
    }
    fields
}

/// A field in a column of the same name, which tells of the field of the same name.
fn column(entity: Entity, name: &'static str, kind: Kind, index: IndexClass) -> Field {
    let place = Place::Column(name);
    Field {
        entity,
        name: name.into(),
        kind,
        place,
        folding: Folding::Exact,
        index,
        sorted: None,
        access: vec![name.into()],
    }
}

/// A text that is compared without case and accents.
fn folded(entity: Entity, name: &'static str, index: IndexClass) -> Field {
    let place = Place::Document("folded", name.into());
    Field { place, folding: Folding::Folded, ..column(entity, name, Kind::Text, index) }
}

/// A value among those that are only shown.
fn detail(entity: Entity, name: &'static str, kind: Kind) -> Field {
    Field { place: Place::Document("details", name.into()), ..column(entity, name, kind, IndexClass::None) }
}

fn of_every_record(entity: Entity) -> Vec<Field> {
    let field = |name, kind, index| column(entity, name, kind, index);
    vec![
        field("id", Kind::Choice(Options::Ids), IndexClass::Btree),
        field("version", Kind::Number, IndexClass::None),
        field("created_at", Kind::Instant, IndexClass::Btree),
        field("updated_at", Kind::Instant, IndexClass::Btree),
        match entity {
            // Leads have so many columns that these stand among what is only shown.
            Entity::Lead => detail(entity, "created_by", Kind::Choice(Options::Ids)),
            _ => field("created_by", Kind::Choice(Options::Ids), IndexClass::None),
        },
        field("updated_by", Kind::Choice(Options::Ids), IndexClass::None),
        field("owner_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        field("team_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        match entity {
            Entity::Lead => detail(entity, "source", Kind::Choice(Options::Words(SOURCES))),
            _ => field("source", Kind::Choice(Options::Words(SOURCES)), IndexClass::None),
        },
        field("tags", Kind::Tags(Options::Open), IndexClass::Gin),
    ]
}

/// What people and organisations have in common.
fn of_parties(entity: Entity) -> Vec<Field> {
    let field = |name, kind, index| column(entity, name, kind, index);
    let mut fields = vec![
        field("source_channel", Kind::Choice(Options::Words(CHANNELS)), IndexClass::None),
        field("lifecycle_stage", Kind::Choice(Options::Words(STAGES)), IndexClass::Btree),
    ];
    fields.extend(of_reachable(entity));
    fields
}

/// How somebody can be reached.
fn of_reachable(entity: Entity) -> [Field; 2] {
    let field = |name| column(entity, name, Kind::Texts, IndexClass::Gin);
    [
        Field {
            place: Place::MatchKeys("email:"),
            folding: Folding::Email,
            access: vec!["emails".into()],
            ..field("email")
        },
        Field {
            place: Place::MatchKeys("phone:"),
            folding: Folding::Phone,
            access: vec!["phones".into()],
            ..field("phone")
        },
    ]
}

fn of_contacts() -> Vec<Field> {
    let entity = Entity::Contact;
    vec![
        folded(entity, "name", IndexClass::Trgm),
        folded(entity, "first_name", IndexClass::Trgm),
        folded(entity, "middle_name", IndexClass::Trgm),
        folded(entity, "last_name", IndexClass::Trgm),
        folded(entity, "salutation", IndexClass::None),
        folded(entity, "job_title", IndexClass::None),
        column(entity, "company_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        column(entity, "birthday", Kind::Date, IndexClass::None),
        column(entity, "locale", Kind::Text, IndexClass::None),
        detail(entity, "time_zone", Kind::Text),
        detail(entity, "preferred_channel", Kind::Choice(Options::Words(CHANNELS))),
        column(entity, "do_not_call", Kind::Bool, IndexClass::None),
    ]
}

fn of_companies() -> Vec<Field> {
    let entity = Entity::Company;
    vec![
        folded(entity, "name", IndexClass::Trgm),
        folded(entity, "legal_name", IndexClass::Trgm),
        Field { folding: Folding::Domain, ..column(entity, "domain", Kind::Text, IndexClass::Btree) },
        folded(entity, "website", IndexClass::None),
        Field {
            place: Place::Column("kind"),
            ..column(entity, "type", Kind::Choice(Options::Words(COMPANY_TYPES)), IndexClass::Btree)
        },
        folded(entity, "industry", IndexClass::None),
        folded(entity, "industry_code", IndexClass::None),
        column(entity, "employee_range", Kind::Choice(Options::Words(EMPLOYEE_RANGES)), IndexClass::None),
        Field {
            place: Place::Money("annual_revenue_amount", "annual_revenue_currency"),
            access: vec!["annual_revenue_amount".into(), "annual_revenue_currency".into()],
            ..column(entity, "annual_revenue", Kind::Money, IndexClass::None)
        },
        column(entity, "annual_revenue_currency", Kind::Choice(Options::Open), IndexClass::None),
        folded(entity, "tax_id", IndexClass::None),
        column(entity, "parent_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        folded(entity, "territory", IndexClass::None),
        detail(entity, "default_currency", Kind::Choice(Options::Open)),
    ]
}

fn of_opportunities() -> Vec<Field> {
    let entity = Entity::Opportunity;
    let choice = |name, words, index| column(entity, name, Kind::Choice(Options::Words(words)), index);
    let id = |name, index| column(entity, name, Kind::Choice(Options::Ids), index);
    vec![
        folded(entity, "name", IndexClass::Trgm),
        folded(entity, "next_step", IndexClass::Trgm),
        folded(entity, "lost_note", IndexClass::None),
        id("company_id", IndexClass::Btree),
        Field {
            access: vec!["contacts".into()],
            ..column(entity, "contact_ids", Kind::Tags(Options::Ids), IndexClass::Gin)
        },
        id("pipeline_id", IndexClass::Btree),
        id("stage_id", IndexClass::Btree),
        choice("stage_class", STAGE_CLASSES, IndexClass::Btree),
        column(entity, "stage_entered_at", Kind::Instant, IndexClass::None),
        column(entity, "probability", Kind::Number, IndexClass::None),
        choice("forecast_category", FORECAST_CATEGORIES, IndexClass::None),
        Field {
            place: Place::Money("amount", "currency"),
            access: vec!["amount".into(), "currency".into()],
            ..column(entity, "amount", Kind::Money, IndexClass::None)
        },
        column(entity, "currency", Kind::Choice(Options::Open), IndexClass::None),
        detail(entity, "type", Kind::Choice(Options::Words(OPPORTUNITY_TYPES))),
        detail(entity, "lead_source", Kind::Choice(Options::Words(LEAD_SOURCES))),
        column(entity, "close_date", Kind::Date, IndexClass::Btree),
        column(entity, "closed_at", Kind::Instant, IndexClass::Btree),
        id("lost_reason_id", IndexClass::Btree),
    ]
}

fn of_tasks() -> Vec<Field> {
    let entity = Entity::Task;
    vec![
        folded(entity, "name", IndexClass::Trgm),
        folded(entity, "description", IndexClass::Trgm),
        Field {
            place: Place::Column("kind"),
            ..column(entity, "type", Kind::Choice(Options::Words(TASK_TYPES)), IndexClass::Btree)
        },
        column(entity, "status", Kind::Choice(Options::Words(TASK_STATUSES)), IndexClass::Btree),
        column(entity, "status_class", Kind::Choice(Options::Words(TASK_STATUS_CLASSES)), IndexClass::Btree),
        column(entity, "priority", Kind::Choice(Options::Words(PRIORITIES)), IndexClass::Btree),
        of_parent(entity, "parent_kind", Kind::Choice(Options::Words(PARENT_KINDS))),
        of_parent(entity, "parent_id", Kind::Choice(Options::Ids)),
        column(entity, "assignee_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        column(entity, "collaborator_ids", Kind::Tags(Options::Ids), IndexClass::Gin),
        column(entity, "start_at", Kind::Instant, IndexClass::None),
        column(entity, "due_at", Kind::Instant, IndexClass::Btree),
        column(entity, "completed_at", Kind::Instant, IndexClass::None),
        detail(entity, "recurrence", Kind::Text),
        detail(entity, "time_zone", Kind::Text),
        column(entity, "series_id", Kind::Choice(Options::Ids), IndexClass::Btree),
    ]
}

/// What is known of the record that another one is about.
fn of_parent(entity: Entity, name: &'static str, kind: Kind) -> Field {
    Field { access: vec!["parent".into()], ..column(entity, name, kind, IndexClass::Btree) }
}

fn of_notes() -> Vec<Field> {
    let entity = Entity::Note;
    vec![
        of_parent(entity, "parent_kind", Kind::Choice(Options::Words(PARENT_KINDS))),
        of_parent(entity, "parent_id", Kind::Choice(Options::Ids)),
        folded(entity, "body", IndexClass::Trgm),
        column(entity, "pinned", Kind::Bool, IndexClass::Btree),
        column(entity, "internal", Kind::Bool, IndexClass::None),
        column(entity, "mentions", Kind::Tags(Options::Ids), IndexClass::Gin),
    ]
}

fn of_leads() -> Vec<Field> {
    let entity = Entity::Lead;
    let utm = |name| Field { access: vec!["utm".into()], ..folded(entity, name, IndexClass::None) };
    vec![
        detail(entity, "source_channel", Kind::Choice(Options::Words(CHANNELS))),
        folded(entity, "name", IndexClass::Trgm),
        folded(entity, "first_name", IndexClass::Trgm),
        folded(entity, "middle_name", IndexClass::Trgm),
        folded(entity, "last_name", IndexClass::Trgm),
        folded(entity, "company_name", IndexClass::Trgm),
        folded(entity, "salutation", IndexClass::None),
        folded(entity, "job_title", IndexClass::None),
        folded(entity, "website", IndexClass::None),
        column(entity, "status", Kind::Choice(Options::Open), IndexClass::Btree),
        column(entity, "status_class", Kind::Choice(Options::Words(LEAD_STATUS_CLASSES)), IndexClass::Btree),
        column(entity, "status_entered_at", Kind::Instant, IndexClass::None),
        column(entity, "lead_source", Kind::Choice(Options::Words(LEAD_SOURCES)), IndexClass::Btree),
        column(entity, "rating", Kind::Choice(Options::Words(LEAD_RATINGS)), IndexClass::Btree),
        column(entity, "score", Kind::Number, IndexClass::Btree),
        folded(entity, "industry", IndexClass::None),
        detail(entity, "employee_range", Kind::Choice(Options::Words(EMPLOYEE_RANGES))),
        Field {
            place: Place::Money("expected_amount", "currency"),
            access: vec!["expected_amount".into(), "currency".into()],
            ..column(entity, "expected_amount", Kind::Money, IndexClass::None)
        },
        column(entity, "currency", Kind::Choice(Options::Open), IndexClass::None),
        utm("utm_source"),
        utm("utm_medium"),
        utm("utm_campaign"),
        utm("utm_term"),
        utm("utm_content"),
        column(entity, "lost_reason_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        folded(entity, "lost_note", IndexClass::None),
        detail(entity, "recycled_count", Kind::Number),
        detail(entity, "converted_at", Kind::Instant),
        column(entity, "converted_contact_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        column(entity, "converted_company_id", Kind::Choice(Options::Ids), IndexClass::Btree),
        column(entity, "converted_opportunity_id", Kind::Choice(Options::Ids), IndexClass::Btree),
    ]
}

fn of_products() -> Vec<Field> {
    let entity = Entity::Product;
    vec![
        column(entity, "code", Kind::Text, IndexClass::Btree),
        folded(entity, "name", IndexClass::Trgm),
        folded(entity, "category", IndexClass::Trgm),
        folded(entity, "unit", IndexClass::None),
        Field {
            place: Place::Column("currencies"),
            access: vec!["prices".into()],
            ..column(entity, "price_currency", Kind::Tags(Options::Open), IndexClass::Gin)
        },
        folded(entity, "tax_category", IndexClass::None),
        column(entity, "tax_rate", Kind::Number, IndexClass::None),
        column(entity, "recurring_interval", Kind::Choice(Options::Words(INTERVALS)), IndexClass::Btree),
        column(entity, "active", Kind::Bool, IndexClass::Btree),
        column(entity, "stock_state", Kind::Choice(Options::Words(STOCK_STATES)), IndexClass::None),
    ]
}

/// What is known of the first address.
fn of_places(entity: Entity) -> Vec<Field> {
    let mut fields = vec![
        column(entity, "country", Kind::Choice(Options::Open), IndexClass::Btree),
        column(entity, "latitude", Kind::Float, IndexClass::None),
        column(entity, "longitude", Kind::Float, IndexClass::None),
        folded(entity, "street", IndexClass::None),
        folded(entity, "city", IndexClass::None),
        folded(entity, "region", IndexClass::None),
        folded(entity, "postal_code", IndexClass::None),
    ];
    for field in &mut fields {
        field.access = vec!["addresses".into()];
    }
    fields
}
