//! Capture forms: what web pages send, and what leads are made of it.

mod inputs;
pub mod proof;
pub mod submission;
mod target;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::inputs::{CaptureFormPatch, CaptureFormQuery, NewCaptureForm};
use self::target::Target;
use super::lead::LeadSource;
use crate::{
    id::{CaptureFormId, TeamId, UserId},
    people::contact::tags,
    problem::{Fields, Invalid},
    record::{self, Channel, Stamp},
    text,
};

/// A workspace has no more.
pub const MOST_FORMS: i64 = 200;

/// A form of a web page whose submissions become leads.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CaptureForm {
    /// Identifies the form for ever.
    #[schema(value_type = Uuid)]
    pub id: CaptureFormId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// Its name for people, which no other form has.
    #[schema(example = "Contact us")]
    pub name: String,
    /// What the web page sends to: `POST /v1/capture/{form_key}`. Everybody who sees the page knows it.
    #[schema(example = "lf_AZeh0jTNfl-KmwwdLj9KW2qBvJ0fUeE3mD7xkP4yZ1w")]
    pub key: String,
    /// Whether it takes submissions.
    #[schema(example = true)]
    pub active: bool,
    /// Origins of the web pages that may send it from browsers; where there are none, only programs may.
    #[schema(example = json!(["https://www.example.com"]))]
    pub allowed_origins: Vec<String>,
    /// What it asks.
    pub fields: Vec<CaptureField>,
    /// What its leads have that it does not ask.
    pub defaults: CaptureDefaults,
    /// What becomes of a submission of somebody who is an open lead already.
    pub on_duplicate: OnKnownPerson,
    /// A field that people do not see: who fills it in is a program, and what it sends is not kept. Null for none.
    #[schema(example = "website_2")]
    pub honeypot_field: Option<String>,
    /// How many bits of work a submission has to prove; 0 for none. Each bit doubles the work.
    #[schema(minimum = 0, maximum = 24, example = 0)]
    pub proof_of_work_bits: i64,
    /// A consent that it asks for; null for none.
    #[schema(required)]
    pub consent: Option<CaptureConsent>,
    /// Where the page leads to afterwards; null for nowhere.
    #[schema(example = "https://www.example.com/thanks")]
    pub redirect_url: Option<String>,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureField {
    /// Its name in the form.
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,62}$", example = "your_email")]
    pub name: String,
    /// What it is of a lead: `salutation`, `first_name`, `middle_name`, `last_name`, `job_title`, `company_name`, `email`, `phone`,
    /// `street`, `city`, `region`, `postal_code`, `country`, `website`, `industry`, `employee_range`, or a custom field like
    /// `custom.tier`. Null for what is only kept with the submission, such as a message.
    #[serde(default)]
    #[schema(pattern = r"^(custom\.)?[a-z][a-z0-9_]{0,62}$", example = "email")]
    pub field: Option<String>,
    /// Whether a submission needs it.
    #[serde(default)]
    #[schema(default = false)]
    pub required: bool,
}

/// What the leads of a form have that it does not ask.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureDefaults {
    /// What made the lead known to the business.
    pub lead_source: Option<LeadSource>,
    /// Channel on which the lead first came; `web` where there is none.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(nullable = false, schema_with = tags)]
    pub tags: Vec<String>,
    /// User who looks after the lead; where there is none, the assignment rules decide.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that it belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// Its status, of the class `open`, `ongoing` or `on_hold`; the first open one where there is none, or where it can't be
    /// chosen any more.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "new")]
    pub status: Option<String>,
}

/// What becomes of a submission of somebody whose e-mail address or telephone number an open lead has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnKnownPerson {
    /// Another lead.
    #[default]
    CreateLead,
    /// It is added to the newest of these leads, which stays as it is.
    AddToLead,
}

/// A consent that a form asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureConsent {
    /// Name of its field in the form. Given is `true`, and what browsers send of a box that is ticked.
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,62}$", example = "newsletter")]
    pub field: String,
    /// What the page says, word for word.
    #[schema(min_length = 1, max_length = 5000, example = "Send me news by e-mail. I can end this at any time.")]
    pub text: String,
    /// What it is for, as a name for programs.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "newsletter")]
    pub purpose: String,
    /// On which channel.
    pub channel: Channel,
}

impl CaptureForm {
    /// A new form with this key.
    pub fn create(new: NewCaptureForm, id: CaptureFormId, key: String, stamp: Stamp) -> Result<Self, Invalid> {
        let form = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            key,
            active: new.active.unwrap_or(true),
            allowed_origins: new.allowed_origins,
            fields: new.fields,
            defaults: new.defaults,
            on_duplicate: new.on_duplicate,
            honeypot_field: new.honeypot_field,
            proof_of_work_bits: new.proof_of_work_bits.unwrap_or_default(),
            consent: new.consent,
            redirect_url: new.redirect_url,
        };
        form.checked()
    }

    /// The form as it would be after a patch.
    pub fn patch(&self, patch: CaptureFormPatch) -> Result<Self, Invalid> {
        let form = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            key: self.key.clone(),
            active: patch.active.unwrap_or(self.active),
            allowed_origins: patch
                .allowed_origins
                .map_or_else(|| self.allowed_origins.clone(), Option::unwrap_or_default),
            fields: patch.fields.unwrap_or_else(|| self.fields.clone()),
            defaults: patch.defaults.unwrap_or_else(|| self.defaults.clone()),
            on_duplicate: patch.on_duplicate.unwrap_or(self.on_duplicate),
            honeypot_field: patch.honeypot_field.unwrap_or_else(|| self.honeypot_field.clone()),
            proof_of_work_bits: patch.proof_of_work_bits.unwrap_or(self.proof_of_work_bits),
            consent: patch.consent.unwrap_or_else(|| self.consent.clone()),
            redirect_url: patch.redirect_url.unwrap_or_else(|| self.redirect_url.clone()),
            ..*self
        };
        form.checked()
    }

    /// The same form under another key.
    #[must_use]
    pub fn with_key(&self, key: String) -> Self {
        Self { key, ..self.clone() }
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// Whether web pages of this origin may send it.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == origin)
    }

    /// The keys of the custom fields that it names, each with its place.
    pub fn custom_keys(&self) -> impl Iterator<Item = (usize, &str)> {
        self.fields.iter().enumerate().filter_map(|(index, field)| match field.field.as_deref().and_then(Target::of) {
            Some(Target::Custom(key)) => Some((index, key)),
            _ => None,
        })
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        record::tidy_tags(&mut self.defaults.tags);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A capture form needs a name.");
        }
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            if !is_origin(origin) {
                let detail = "This is not an origin. Write it as browsers send it, like https://www.example.com, without a path.";
                fields.refuse(format!("/allowed_origins/{index}"), "invalid_origin", detail);
            }
        }
        self.check_names(&mut fields);
        self.check_targets(&mut fields);
        fields.verdict().map(|()| self)
    }

    /// A name stands for one field alone.
    fn check_names(&self, fields: &mut Fields) {
        let mut seen: Vec<&str> = Vec::new();
        let own = self.fields.iter().enumerate().map(|(index, field)| (format!("/fields/{index}/name"), &field.name));
        let trap = self.honeypot_field.iter().map(|name| ("/honeypot_field".to_owned(), name));
        let consent = self.consent.iter().map(|consent| ("/consent/field".to_owned(), &consent.field));
        for (pointer, name) in own.chain(trap).chain(consent) {
            if seen.contains(&name.as_str()) {
                fields.refuse(pointer, "repeated", "Another field of the form has this name. Choose another.");
            }
            seen.push(name);
        }
    }

    /// Each field of a lead is asked once, and of one by which a lead is known there is at least one.
    fn check_targets(&self, fields: &mut Fields) {
        let mut seen: Vec<&str> = Vec::new();
        let mut is_known_by_something = false;
        for (index, target) in self.fields.iter().enumerate() {
            let (pointer, Some(name)) = (format!("/fields/{index}/field"), target.field.as_deref()) else { continue };
            match Target::of(name) {
                None => {
                    let detail = format!("A form can't ask for {name}. It asks for {}, or custom.….", Target::names());
                    fields.refuse(pointer, "unknown_field", detail);
                }
                Some(_) if seen.contains(&name) => {
                    fields.refuse(pointer, "repeated", "Another field of the form is this one of the lead already.");
                }
                Some(target) => is_known_by_something |= target.names_somebody(),
            }
            seen.push(name);
        }
        if !is_known_by_something {
            let detail = "A lead is known by a name, a company, an e-mail address or a telephone number. Ask for at least one: \
                          first_name, last_name, company_name, email or phone.";
            fields.refuse("/fields", "nothing_to_know_by", detail);
        }
    }
}

/// Whether browsers send an origin like this: scheme, host, and a port where it is not the usual one.
fn is_origin(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text)
}
