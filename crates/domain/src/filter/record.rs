//! Records as the evaluator reads them: the values of their fields, as they are in the record itself.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::catalogue::{Entity, Field, Kind};
use crate::sales::opportunity::Opportunity;
use crate::{
    activity::{note::Note, task::Task},
    people::{
        company::Company,
        contact::Contact,
        contact_point::{EmailAddress, PhoneNumber, PostalAddress},
    },
    sales::{
        lead::{Lead, Utm},
        product::Product,
    },
};

/// A record of whatever kind.
#[derive(Clone, Copy, Debug)]
pub enum Record<'r> {
    Contact(&'r Contact),
    Company(&'r Company),
    Task(&'r Task),
    Note(&'r Note),
    Opportunity(&'r Opportunity),
    Lead(&'r Lead),
    Product(&'r Product),
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Missing,
    /// Texts as they were written; never empty.
    Texts(Vec<String>),
    Number(Decimal),
    Float(f64),
    Money(Decimal, String),
    Bool(bool),
    /// A word of an enumeration, or an id.
    Word(String),
    /// Words of a list; never empty.
    Words(Vec<String>),
    Date(NaiveDate),
    Instant(DateTime<Utc>),
}

impl<'r> Record<'r> {
    pub fn entity(self) -> Entity {
        match self {
            Self::Contact(_) => Entity::Contact,
            Self::Company(_) => Entity::Company,
            Self::Task(_) => Entity::Task,
            Self::Note(_) => Entity::Note,
            Self::Opportunity(_) => Entity::Opportunity,
            Self::Lead(_) => Entity::Lead,
            Self::Product(_) => Entity::Product,
        }
    }

    pub fn id(self) -> Uuid {
        match self {
            Self::Contact(contact) => contact.id.uuid(),
            Self::Company(company) => company.id.uuid(),
            Self::Product(product) => product.id.uuid(),
            Self::Task(task) => task.id.uuid(),
            Self::Note(note) => note.id.uuid(),
            Self::Opportunity(opportunity) => opportunity.id.uuid(),
            Self::Lead(lead) => lead.id.uuid(),
        }
    }

    /// What the record is found by.
    pub(super) fn search_text(self) -> String {
        match self {
            Self::Contact(contact) => contact.search_text(),
            Self::Company(company) => company.search_text(),
            Self::Opportunity(opportunity) => opportunity.search_text(),
            Self::Product(product) => product.search_text(),
            Self::Task(task) => task.search_text(),
            Self::Note(note) => note.search_text(),
            Self::Lead(lead) => lead.search_text(),
        }
    }

    /// The first address, of what has addresses.
    pub(super) fn address(self) -> Option<&'r PostalAddress> {
        match self {
            Self::Contact(contact) => contact.addresses.first(),
            Self::Company(company) => company.addresses.first(),
            Self::Opportunity(_) | Self::Product(_) | Self::Task(_) | Self::Note(_) => None,
            Self::Lead(lead) => lead.addresses.first(),
        }
    }

    pub(super) fn place(self) -> Option<(f64, f64)> {
        self.address().and_then(|address| address.latitude.zip(address.longitude))
    }

    /// The value of a field of the catalogue. A field that the record does not know is missing.
    pub fn value(self, field: &Field) -> Value {
        let custom = match self {
            Self::Contact(contact) => &contact.custom,
            Self::Company(company) => &company.custom,
            Self::Task(task) => &task.custom,
            Self::Note(note) => &note.custom,
            Self::Opportunity(opportunity) => &opportunity.custom,
            Self::Lead(lead) => &lead.custom,
            Self::Product(product) => &product.custom,
        };
        match (field.name.strip_prefix("custom."), self) {
            (Some(key), _) => custom.get(key).map_or(Value::Missing, |value| of_custom(&field.kind, value)),
            (None, Self::Contact(contact)) => of_contact(contact, &field.name),
            (None, Self::Company(company)) => of_company(company, &field.name),
            (None, Self::Task(task)) => of_task(task, &field.name),
            (None, Self::Note(note)) => of_note(note, &field.name),
            (None, Self::Opportunity(opportunity)) => of_opportunity(opportunity, &field.name),
            (None, Self::Lead(lead)) => of_lead(lead, &field.name),
            (None, Self::Product(product)) => of_product(product, &field.name),
        }
    }
}

/// The value of a custom field, which is kept as JSON in one form for each type.
fn of_custom(kind: &Kind, value: &serde_json::Value) -> Value {
    let (own, amount) = (value.as_str(), value["amount"].as_str());
    let found = match kind {
        Kind::Text | Kind::Texts => own.map(|text| Value::Texts(vec![text.to_owned()])),
        Kind::Number | Kind::Float => own.and_then(|text| text.parse().ok()).map(Value::Number),
        Kind::Money => amount
            .and_then(|amount| amount.parse().ok())
            .zip(value["currency"].as_str())
            .map(|(amount, currency)| Value::Money(amount, currency.to_owned())),
        Kind::Bool => value.as_bool().map(Value::Bool),
        Kind::Choice(_) => own.map(|word| Value::Word(word.to_owned())),
        Kind::Tags(_) => serde_json::from_value(value.clone()).ok().map(Value::Words),
        Kind::Date => own.and_then(|text| text.parse().ok()).map(Value::Date),
        Kind::Instant => own.and_then(|text| text.parse().ok()).map(Value::Instant),
    };
    found.unwrap_or(Value::Missing)
}

fn of_contact(contact: &Contact, field: &str) -> Value {
    match field {
        "id" => id(Some(contact.id.uuid())),
        "version" => Value::Number(contact.version.into()),
        "created_at" => Value::Instant(contact.created_at),
        "updated_at" => Value::Instant(contact.updated_at),
        "created_by" => id(contact.created_by),
        "updated_by" => id(contact.updated_by),
        "owner_id" => id(contact.owner_id.map(|id| id.uuid())),
        "team_id" => id(contact.team_id.map(|id| id.uuid())),
        "source" => word(Some(&contact.source)),
        "source_channel" => word(contact.source_channel.as_ref()),
        "tags" => words(&contact.tags),
        "lifecycle_stage" => word(Some(&contact.lifecycle_stage)),
        "email" => emails(&contact.emails),
        "phone" => phones(&contact.phones),
        "name" => text(Some(&contact.name)),
        "first_name" => text(contact.first_name.as_ref()),
        "middle_name" => text(contact.middle_name.as_ref()),
        "last_name" => text(contact.last_name.as_ref()),
        "salutation" => text(contact.salutation.as_ref()),
        "job_title" => text(contact.job_title.as_ref()),
        "company_id" => id(contact.company_id.map(|id| id.uuid())),
        "birthday" => contact.birthday.map_or(Value::Missing, Value::Date),
        "locale" => text(contact.locale.as_ref()),
        "time_zone" => text(contact.time_zone.as_ref()),
        "preferred_channel" => word(contact.preferred_channel.as_ref()),
        "do_not_call" => Value::Bool(contact.do_not_call),
        _ => of_place(contact.addresses.first(), field),
    }
}

fn of_company(company: &Company, field: &str) -> Value {
    match field {
        "id" => id(Some(company.id.uuid())),
        "version" => Value::Number(company.version.into()),
        "created_at" => Value::Instant(company.created_at),
        "updated_at" => Value::Instant(company.updated_at),
        "created_by" => id(company.created_by),
        "updated_by" => id(company.updated_by),
        "owner_id" => id(company.owner_id.map(|id| id.uuid())),
        "team_id" => id(company.team_id.map(|id| id.uuid())),
        "source" => word(Some(&company.source)),
        "source_channel" => word(company.source_channel.as_ref()),
        "tags" => words(&company.tags),
        "lifecycle_stage" => word(Some(&company.lifecycle_stage)),
        "email" => emails(&company.emails),
        "phone" => phones(&company.phones),
        "name" => text(Some(&company.name)),
        "legal_name" => text(company.legal_name.as_ref()),
        "domain" => text(company.domain.as_ref()),
        "website" => text(company.website.as_ref()),
        "type" => word(company.kind.as_ref()),
        "industry" => text(company.industry.as_ref()),
        "industry_code" => text(company.industry_code.as_ref()),
        "employee_range" => word(company.employee_range.as_ref()),
        "annual_revenue" => match (company.annual_revenue_amount, &company.annual_revenue_currency) {
            (Some(amount), Some(currency)) => Value::Money(amount, currency.clone()),
            _ => Value::Missing,
        },
        "annual_revenue_currency" => word(company.annual_revenue_currency.as_ref()),
        "tax_id" => text(company.tax_id.as_ref()),
        "parent_id" => id(company.parent_id.map(|id| id.uuid())),
        "territory" => text(company.territory.as_ref()),
        "default_currency" => word(company.default_currency.as_ref()),
        _ => of_place(company.addresses.first(), field),
    }
}

fn of_task(task: &Task, field: &str) -> Value {
    let instant = |at: Option<DateTime<Utc>>| at.map_or(Value::Missing, Value::Instant);
    match field {
        "id" => id(Some(task.id.uuid())),
        "version" => Value::Number(task.version.into()),
        "created_at" => Value::Instant(task.created_at),
        "updated_at" => Value::Instant(task.updated_at),
        "created_by" => id(task.created_by),
        "updated_by" => id(task.updated_by),
        "owner_id" => id(task.owner_id.map(|id| id.uuid())),
        "team_id" => id(task.team_id.map(|id| id.uuid())),
        "source" => word(Some(&task.source)),
        "tags" => words(&task.tags),
        "name" => text(Some(&task.name)),
        "description" => text(task.description.as_ref()),
        "type" => word(Some(&task.kind)),
        "status" => word(Some(&task.status)),
        "status_class" => word(Some(&task.status_class)),
        "priority" => word(Some(&task.priority)),
        "parent_kind" => word(task.parent.as_ref().map(|parent| &parent.kind)),
        "parent_id" => id(task.parent.map(|parent| parent.id)),
        "assignee_id" => id(task.assignee_id.map(|id| id.uuid())),
        "collaborator_ids" => words(&task.collaborator_ids.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "start_at" => instant(task.start_at),
        "due_at" => instant(task.due_at),
        "completed_at" => instant(task.completed_at),
        "recurrence" => text(task.recurrence.as_ref()),
        "time_zone" => text(task.time_zone.as_ref()),
        "series_id" => id(task.series_id.map(|id| id.uuid())),
        _ => Value::Missing,
    }
}

fn of_note(note: &Note, field: &str) -> Value {
    match field {
        "id" => id(Some(note.id.uuid())),
        "version" => Value::Number(note.version.into()),
        "created_at" => Value::Instant(note.created_at),
        "updated_at" => Value::Instant(note.updated_at),
        "created_by" => id(note.created_by),
        "updated_by" => id(note.updated_by),
        "owner_id" => id(note.owner_id.map(|id| id.uuid())),
        "team_id" => id(note.team_id.map(|id| id.uuid())),
        "source" => word(Some(&note.source)),
        "tags" => words(&note.tags),
        "parent_kind" => word(Some(&note.parent.kind)),
        "parent_id" => id(Some(note.parent.id)),
        "body" => text(Some(&note.body)),
        "pinned" => Value::Bool(note.pinned),
        "internal" => Value::Bool(note.internal),
        "mentions" => words(&note.mentions.iter().map(ToString::to_string).collect::<Vec<_>>()),
        _ => Value::Missing,
    }
}

fn of_opportunity(opportunity: &Opportunity, field: &str) -> Value {
    match field {
        "id" => id(Some(opportunity.id.uuid())),
        "version" => Value::Number(opportunity.version.into()),
        "created_at" => Value::Instant(opportunity.created_at),
        "updated_at" => Value::Instant(opportunity.updated_at),
        "created_by" => id(opportunity.created_by),
        "updated_by" => id(opportunity.updated_by),
        "owner_id" => id(opportunity.owner_id.map(|id| id.uuid())),
        "team_id" => id(opportunity.team_id.map(|id| id.uuid())),
        "source" => word(Some(&opportunity.source)),
        "tags" => words(&opportunity.tags),
        "name" => text(Some(&opportunity.name)),
        "next_step" => text(opportunity.next_step.as_ref()),
        "lost_note" => text(opportunity.lost_note.as_ref()),
        "company_id" => id(opportunity.company_id.map(|id| id.uuid())),
        "contact_ids" => words(&opportunity.contact_ids().map(|id| id.to_string()).collect::<Vec<_>>()),
        "pipeline_id" => id(Some(opportunity.pipeline_id.uuid())),
        "stage_id" => id(Some(opportunity.stage_id.uuid())),
        "stage_class" => word(Some(&opportunity.stage_class)),
        "stage_entered_at" => Value::Instant(opportunity.stage_entered_at),
        "probability" => Value::Number(opportunity.probability.into()),
        "forecast_category" => word(Some(&opportunity.forecast_category)),
        "amount" => match (opportunity.amount, &opportunity.currency) {
            (Some(amount), Some(currency)) => Value::Money(amount, currency.clone()),
            _ => Value::Missing,
        },
        "currency" => word(opportunity.currency.as_ref()),
        "type" => word(opportunity.kind.as_ref()),
        "lead_source" => word(opportunity.lead_source.as_ref()),
        "close_date" => opportunity.close_date.map_or(Value::Missing, Value::Date),
        "closed_at" => opportunity.closed_at.map_or(Value::Missing, Value::Instant),
        "lost_reason_id" => id(opportunity.lost_reason_id.map(|id| id.uuid())),
        _ => Value::Missing,
    }
}

fn of_lead(lead: &Lead, field: &str) -> Value {
    let utm = |part: fn(&Utm) -> &Option<String>| text(lead.utm.as_ref().and_then(|utm| part(utm).as_ref()));
    match field {
        "id" => id(Some(lead.id.uuid())),
        "version" => Value::Number(lead.version.into()),
        "created_at" => Value::Instant(lead.created_at),
        "updated_at" => Value::Instant(lead.updated_at),
        "created_by" => id(lead.created_by),
        "updated_by" => id(lead.updated_by),
        "owner_id" => id(lead.owner_id.map(|id| id.uuid())),
        "team_id" => id(lead.team_id.map(|id| id.uuid())),
        "source" => word(Some(&lead.source)),
        "source_channel" => word(lead.source_channel.as_ref()),
        "tags" => words(&lead.tags),
        "email" => emails(&lead.emails),
        "phone" => phones(&lead.phones),
        "name" => text(Some(&lead.name)),
        "first_name" => text(lead.first_name.as_ref()),
        "middle_name" => text(lead.middle_name.as_ref()),
        "last_name" => text(lead.last_name.as_ref()),
        "company_name" => text(lead.company_name.as_ref()),
        "salutation" => text(lead.salutation.as_ref()),
        "job_title" => text(lead.job_title.as_ref()),
        "website" => text(lead.website.as_ref()),
        "status" => word(Some(&lead.status)),
        "status_class" => word(Some(&lead.status_class)),
        "status_entered_at" => Value::Instant(lead.status_entered_at),
        "lead_source" => word(lead.lead_source.as_ref()),
        "rating" => word(lead.rating.as_ref()),
        "score" => lead.score.map_or(Value::Missing, |score| Value::Number(score.into())),
        "industry" => text(lead.industry.as_ref()),
        "employee_range" => word(lead.employee_range.as_ref()),
        "expected_amount" => match (lead.expected_amount, &lead.currency) {
            (Some(amount), Some(currency)) => Value::Money(amount, currency.clone()),
            _ => Value::Missing,
        },
        "currency" => word(lead.currency.as_ref()),
        "utm_source" => utm(|utm| &utm.source),
        "utm_medium" => utm(|utm| &utm.medium),
        "utm_campaign" => utm(|utm| &utm.campaign),
        "utm_term" => utm(|utm| &utm.term),
        "utm_content" => utm(|utm| &utm.content),
        "lost_reason_id" => id(lead.lost_reason_id.map(|id| id.uuid())),
        "lost_note" => text(lead.lost_note.as_ref()),
        "recycled_count" => Value::Number(lead.recycled_count.into()),
        "converted_at" => lead.converted_at.map_or(Value::Missing, Value::Instant),
        "converted_contact_id" => id(lead.converted_contact_id.map(|id| id.uuid())),
        "converted_company_id" => id(lead.converted_company_id.map(|id| id.uuid())),
        "converted_opportunity_id" => id(lead.converted_opportunity_id.map(|id| id.uuid())),
        _ => of_place(lead.addresses.first(), field),
    }
}

fn of_product(product: &Product, field: &str) -> Value {
    match field {
        "id" => id(Some(product.id.uuid())),
        "version" => Value::Number(product.version.into()),
        "created_at" => Value::Instant(product.created_at),
        "updated_at" => Value::Instant(product.updated_at),
        "created_by" => id(product.created_by),
        "updated_by" => id(product.updated_by),
        "owner_id" => id(product.owner_id.map(|id| id.uuid())),
        "team_id" => id(product.team_id.map(|id| id.uuid())),
        "source" => word(Some(&product.source)),
        "tags" => words(&product.tags),
        "code" => text(Some(&product.code)),
        "name" => text(Some(&product.name)),
        "category" => text(product.category.as_ref()),
        "unit" => text(Some(&product.unit)),
        "price_currency" => words(&product.currencies()),
        "tax_category" => text(product.tax_category.as_ref()),
        "tax_rate" => product.tax_rate.map_or(Value::Missing, Value::Number),
        "recurring_interval" => word(product.recurring_interval.as_ref()),
        "active" => Value::Bool(product.active),
        "stock_state" => word(product.stock_state.as_ref()),
        _ => Value::Missing,
    }
}

fn of_place(address: Option<&PostalAddress>, field: &str) -> Value {
    let Some(address) = address else { return Value::Missing };
    match field {
        "country" => word(address.country.as_ref()),
        "latitude" => address.latitude.map_or(Value::Missing, Value::Float),
        "longitude" => address.longitude.map_or(Value::Missing, Value::Float),
        "street" => text(address.street.as_ref()),
        "city" => text(address.city.as_ref()),
        "region" => text(address.region.as_ref()),
        "postal_code" => text(address.postal_code.as_ref()),
        _ => Value::Missing,
    }
}

fn id(id: Option<Uuid>) -> Value {
    id.map_or(Value::Missing, |id| Value::Word(id.to_string()))
}

fn text(text: Option<&String>) -> Value {
    text.map_or(Value::Missing, |text| Value::Texts(vec![text.clone()]))
}

fn texts(texts: Vec<String>) -> Value {
    if texts.is_empty() { Value::Missing } else { Value::Texts(texts) }
}

fn words(words: &[String]) -> Value {
    if words.is_empty() { Value::Missing } else { Value::Words(words.to_vec()) }
}

fn emails(emails: &[EmailAddress]) -> Value {
    texts(emails.iter().map(|email| email.address.clone()).collect())
}

fn phones(phones: &[PhoneNumber]) -> Value {
    texts(phones.iter().filter_map(|phone| phone.e164.clone()).collect())
}

/// The word of an enumeration, as the API writes it.
fn word<T: Serialize>(value: Option<&T>) -> Value {
    match value.map(serde_json::to_value) {
        Some(Ok(serde_json::Value::String(word))) => Value::Word(word),
        _ => Value::Missing,
    }
}
