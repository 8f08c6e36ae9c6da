//! Submissions of capture forms: as they come, what is read from them, and what is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        RefOr, Schema, Type,
        schema::{AdditionalProperties, ObjectBuilder, SchemaType},
    },
};
use uuid::Uuid;

use super::{CaptureForm, Target};
use crate::{
    access::{Grants, Resource},
    id::{CaptureFormId, CaptureSubmissionId, LeadId},
    problem::{FieldProblem, Fields, Invalid},
    record::Channel,
    sales::lead::Utm,
};

/// The longest text of a field, in characters.
const LONGEST: usize = 5_000;

/// What a web page sends of a form.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "fields": {"name": "Lindt", "email": "anna.lindt@example.com", "message": "Please call me."},
    "utm": {"source": "newsletter"}, "page_url": "https://www.example.com/contact",
    "submission_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"
}))]
pub struct CaptureSubmission {
    /// What was filled in, by the names of the form's fields. A text that is empty counts as left out.
    #[schema(schema_with = filled_in)]
    pub fields: BTreeMap<String, Value>,
    /// How the page was found, as its address said it.
    #[serde(default)]
    pub utm: Option<Utm>,
    /// Address of the page.
    #[serde(default)]
    #[schema(format = "uri", max_length = 2048)]
    pub page_url: Option<String>,
    /// The work that the form asks for.
    #[serde(default)]
    pub proof: Option<ProofOfWork>,
    /// An id that the page makes for what it sends: however often it comes with the same one, it counts once, for 7 days.
    #[serde(default)]
    pub submission_id: Option<Uuid>,
}

/// A challenge of `GET /v1/capture/{form_key}`, and what solves it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofOfWork {
    /// The challenge as it was got.
    #[schema(min_length = 1, max_length = 300)]
    pub challenge: String,
    /// Any text with which SHA-256 of `challenge:solution` begins with as many zero bits as the form asks for.
    #[schema(min_length = 1, max_length = 100)]
    pub solution: String,
}

/// What a web page has to know of a form.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PublicCaptureForm {
    /// What it asks.
    pub fields: Vec<PublicCaptureField>,
    /// The consent that it asks for; null for none.
    #[schema(required)]
    pub consent: Option<PublicConsent>,
    /// Work that a submission has to prove; null for none.
    #[schema(required)]
    pub challenge: Option<Challenge>,
}

/// A field of a form, as a web page has to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublicCaptureField {
    /// Its name.
    #[schema(example = "your_email")]
    pub name: String,
    /// Whether a submission needs it.
    #[schema(example = true)]
    pub required: bool,
}

/// A consent, as a web page has to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublicConsent {
    /// Name of its field.
    #[schema(example = "newsletter")]
    pub field: String,
    /// What the page has to say, word for word.
    #[schema(example = "Send me news by e-mail. I can end this at any time.")]
    pub text: String,
}

/// Work to be proved: it can be solved once, and not for ever.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Challenge {
    /// What to solve.
    pub challenge: String,
    /// How many bits have to be zero.
    #[schema(example = 18)]
    pub bits: i64,
    /// Until when it can be solved.
    pub expires_at: DateTime<Utc>,
}

/// The same for every submission that could be read, whoever sent it and whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaptureReceipt {
    /// It was taken.
    #[schema(example = true)]
    pub accepted: bool,
    /// Where the page leads to now; null for nowhere.
    #[schema(required, example = "https://www.example.com/thanks")]
    pub redirect_url: Option<String>,
}

/// What was sent with a form, and when and how: kept as it was, as evidence.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FormSubmission {
    /// Identifies the submission for ever.
    #[schema(value_type = Uuid)]
    pub id: CaptureSubmissionId,
    /// The form.
    #[schema(value_type = Uuid)]
    pub form_id: CaptureFormId,
    /// Its version at that moment.
    #[schema(minimum = 1, example = 1)]
    pub form_version: i64,
    /// The lead that it became, or that it was added to.
    #[schema(value_type = Uuid)]
    pub lead_id: LeadId,
    /// What became of it.
    pub result: SubmissionResult,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// What was filled in, in the order of the form. Values of fields that the caller's role closes are left out.
    pub values: Vec<SubmittedValue>,
    /// How the page was found.
    #[schema(required)]
    pub utm: Option<Utm>,
    /// Address of the page.
    #[schema(required, example = "https://www.example.com/contact")]
    pub page_url: Option<String>,
    /// The consent that the form asked for; null for none.
    #[schema(required)]
    pub consent: Option<ConsentEvidence>,
    /// Network address from which it came.
    #[schema(required, example = "203.0.113.7")]
    pub address: Option<String>,
    /// The program that sent it, as it named itself.
    #[schema(required)]
    pub user_agent: Option<String>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubmissionResult {
    LeadCreated,
    AddedToLead,
}

/// A value that was filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubmittedValue {
    /// Name of the form's field.
    #[schema(example = "your_email")]
    pub name: String,
    /// What it was of the lead; null for what is only kept here.
    #[schema(required, example = "email")]
    pub field: Option<String>,
    /// The value, as it was sent.
    #[schema(example = json!("anna.lindt@example.com"))]
    pub value: Value,
}

/// What a consent was asked for, and whether it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentEvidence {
    /// Whether it was given.
    pub given: bool,
    /// What the page said, word for word.
    pub text: String,
    /// SHA-256 of the text, in hexadecimal digits.
    pub text_hash: String,
    /// What it is for.
    #[schema(example = "newsletter")]
    pub purpose: String,
    /// On which channel.
    pub channel: Channel,
}

/// Which part of a list of submissions is wanted.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubmissionQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// What was read from a submission.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The lead, as a body of a new one, yet to be checked as such.
    pub lead: Value,
    /// What was filled in, in the order of the form.
    pub values: Vec<SubmittedValue>,
    pub consent: Option<ConsentEvidence>,
    /// Places of the lead, each with the name of the form's field that it comes from.
    places: Vec<(String, String)>,
}

impl CaptureForm {
    /// What a web page has to know of it.
    pub fn public(&self, challenge: Option<Challenge>) -> PublicCaptureForm {
        let field =
            |field: &super::CaptureField| PublicCaptureField { name: field.name.clone(), required: field.required };
        let consent = self.consent.as_ref();
        PublicCaptureForm {
            fields: self.fields.iter().map(field).collect(),
            consent: consent.map(|consent| PublicConsent { field: consent.field.clone(), text: consent.text.clone() }),
            challenge,
        }
    }

    /// The answer to every submission.
    pub fn receipt(&self) -> CaptureReceipt {
        CaptureReceipt { accepted: true, redirect_url: self.redirect_url.clone() }
    }

    /// Whether a program has filled in what people do not see.
    pub fn is_trapped(&self, submission: &CaptureSubmission) -> bool {
        let filled = self.honeypot_field.as_ref().and_then(|name| submission.fields.get(name));
        filled.is_some_and(|value| !is_empty(value) && *value != Value::Bool(false))
    }

    /// Reads what was filled in. What is wrong is told by the names of the form.
    pub fn read(&self, submission: &CaptureSubmission) -> Result<Reading, Invalid> {
        let mut fields = Fields::default();
        self.check_known(submission, &mut fields);
        let mut reading =
            Reading { lead: json!({}), values: Vec::new(), consent: self.evidence(submission), places: Vec::new() };
        for field in &self.fields {
            let pointer = format!("/fields/{}", field.name);
            let Some(value) = submission.fields.get(&field.name).filter(|value| !is_empty(value)) else {
                if field.required {
                    fields.refuse(pointer, "required", "This field is required.");
                }
                continue;
            };
            let target = field.field.as_deref().and_then(Target::of);
            if matches!(target, Some(Target::Own(..))) && !value.is_string() {
                fields.refuse(pointer, "wrong_type", "This has to be a text.");
                continue;
            }
            reading.take(&field.name, target, value);
            reading.values.push(SubmittedValue {
                name: field.name.clone(),
                field: field.field.clone(),
                value: value.clone(),
            });
        }
        if let Some(utm) = &submission.utm {
            reading.lead["utm"] = serde_json::to_value(utm).unwrap_or_default();
        }
        fields.verdict().map(|()| reading)
    }

    fn check_known(&self, submission: &CaptureSubmission, fields: &mut Fields) {
        let consent = self.consent.as_ref().map(|consent| &consent.field);
        let known = self.fields.iter().map(|field| &field.name).chain(&self.honeypot_field).chain(consent);
        let known: Vec<&String> = known.collect();
        for name in submission.fields.keys().filter(|name| !known.contains(name)) {
            let pointer = format!("/fields/{}", name.replace('~', "~0").replace('/', "~1"));
            fields.refuse(pointer, "unknown_field", "The form has no such field. Leave it out.");
        }
    }

    fn evidence(&self, submission: &CaptureSubmission) -> Option<ConsentEvidence> {
        let consent = self.consent.as_ref()?;
        Some(ConsentEvidence {
            given: submission.fields.get(&consent.field).is_some_and(is_ticked),
            text: consent.text.clone(),
            text_hash: hash_of(&consent.text),
            purpose: consent.purpose.clone(),
            channel: consent.channel,
        })
    }
}

impl Reading {
    fn take(&mut self, name: &str, target: Option<Target<'_>>, value: &Value) {
        let Some(target) = target else { return };
        let place = target.place();
        let value = match value {
            Value::String(text) => json!(text.trim()),
            other => other.clone(),
        };
        let parts: Vec<&str> = place[1..].split('/').collect();
        match parts.as_slice() {
            [list, _, part] => {
                if self.lead[list].is_null() {
                    self.lead[list] = json!([{}]);
                }
                self.lead[list][0][part] = value;
            }
            [object, part] => self.lead[object][part] = value,
            _ => self.lead[&place[1..]] = value,
        }
        self.places.push((place, name.to_owned()));
    }

    /// What is wrong with the lead, told of the fields of the form that it comes from.
    pub fn told(&self, problems: Vec<FieldProblem>) -> Vec<FieldProblem> {
        let retold = |problem: FieldProblem| {
            let pointer = problem.pointer.clone().unwrap_or_default();
            let from =
                self.places.iter().find(|(place, _)| pointer == *place || pointer.starts_with(&format!("{place}/")));
            let pointer = match from {
                Some((_, name)) => format!("/fields/{name}"),
                None if pointer.starts_with("/proof") || pointer.starts_with("/utm") => pointer,
                None => "/fields".to_owned(),
            };
            FieldProblem { pointer: Some(pointer), ..problem }
        };
        problems.into_iter().map(retold).collect()
    }
}

impl FormSubmission {
    /// Takes out what a caller may not read of the lead.
    pub fn close(&mut self, grants: &Grants) {
        let may_read = |field: &str| grants.may_read(Resource::Leads, field);
        self.values.retain(|value| {
            let target = value.field.as_deref().and_then(Target::of);
            target.is_none_or(|target| may_read(target.record_field()))
        });
        self.utm.take_if(|_| !may_read("utm"));
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// What JSON says of a box that is ticked, and what browsers do.
fn is_ticked(value: &Value) -> bool {
    let is_word = |text: &str| ["true", "on", "yes", "1"].contains(&text.trim().to_lowercase().as_str());
    value == &Value::Bool(true) || value.as_str().is_some_and(is_word)
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn filled_in() -> RefOr<Schema> {
    let kinds = [Type::String, Type::Number, Type::Boolean, Type::Null];
    let value = ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds)).max_length(Some(LONGEST));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "What was filled in, by the names of the form's fields. A text that is empty counts as left out.",
        ))
        .additional_properties(Some(AdditionalProperties::RefOr(value.into())))
        .max_properties(Some(100))
        .into()
}
