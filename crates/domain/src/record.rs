//! What all records have in common.

use chrono::{DateTime, Datelike, SubsecRound, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema, SchemaFormat, Type,
        schema::{ArrayBuilder, ObjectBuilder},
    },
};
use uuid::Uuid;

use crate::problem::Fields;

/// What a record is. More kinds will follow: treat an unknown one as one you do not handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    Contact,
    Company,
    Task,
    Opportunity,
    Pipeline,
    CalendarFeed,
    User,
    Team,
    Role,
    ApiKey,
    Session,
    SigningKey,
    Share,
    Connection,
    Lead,
    LeadStatus,
    LostReason,
    Product,
    ExchangeRate,
    View,
    CustomField,
    AssignmentRule,
    CaptureForm,
    Note,
    ScoreDefinition,
    Webhook,
}

impl RecordKind {
    /// Its word in events, in the journal and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Task => "task",
            Self::Opportunity => "opportunity",
            Self::Pipeline => "pipeline",
            Self::CalendarFeed => "calendar_feed",
            Self::User => "user",
            Self::Team => "team",
            Self::Role => "role",
            Self::ApiKey => "api_key",
            Self::Session => "session",
            Self::SigningKey => "signing_key",
            Self::Share => "share",
            Self::Connection => "connection",
            Self::Lead => "lead",
            Self::LeadStatus => "lead_status",
            Self::LostReason => "lost_reason",
            Self::Product => "product",
            Self::ExchangeRate => "exchange_rate",
            Self::View => "view",
            Self::CustomField => "custom_field",
            Self::AssignmentRule => "assignment_rule",
            Self::CaptureForm => "capture_form",
            Self::Note => "note",
            Self::ScoreDefinition => "score_definition",
            Self::Webhook => "webhook",
        }
    }
}

/// How a record came to be. More values will follow: treat an unknown one as `api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Api,
    Import,
    Form,
    Email,
    Sync,
    Merge,
    Automation,
    Conversion,
}

/// A way on which people and business meet. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email,
    Phone,
    Web,
    Chat,
    Sms,
    Whatsapp,
    Telegram,
    Facebook,
    Instagram,
    X,
    Line,
    SocialOther,
    Postal,
    InPerson,
    Api,
}

/// Where somebody stands between stranger and customer. More values will follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleStage {
    Subscriber,
    #[default]
    Lead,
    Prospect,
    Customer,
    FormerCustomer,
    Other,
}

/// The id under which an outside system knows a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct ExternalId {
    /// Name of the outside system; `import` for files that were imported.
    #[schema(min_length = 1, max_length = 100, example = "import")]
    pub connection: String,
    /// The id there.
    #[schema(min_length = 1, max_length = 255, example = "K-10442")]
    pub external_id: String,
}

/// What a write did to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteResult {
    Created,
    Updated,
    /// It was as it should be already: neither version nor feed tell of it.
    Unchanged,
    Deleted,
}

/// Whether a list shows what was archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArchivedInList {
    #[default]
    Exclude,
    Include,
}

/// A tag, as a filter takes it: the schema alone.
pub struct Tag;

impl PartialSchema for Tag {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("A tag."));
        text.min_length(Some(1)).max_length(Some(64)).into()
    }
}

impl ToSchema for Tag {}

/// The code of a country, as a filter takes it: the schema alone.
pub struct CountryCode;

impl PartialSchema for CountryCode {
    fn schema() -> RefOr<Schema> {
        let text =
            ObjectBuilder::new().schema_type(Type::String).description(Some("ISO 3166-1 alpha-2 code of a country."));
        text.format(Some(SchemaFormat::Custom("country-code".to_owned()))).pattern(Some("^[A-Z]{2}$")).into()
    }
}

impl ToSchema for CountryCode {}

/// The code of a currency, as a filter takes it: the schema alone.
pub struct CurrencyCode;

impl PartialSchema for CurrencyCode {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("ISO 4217 code of a currency."));
        text.format(Some(SchemaFormat::Custom("currency-code".to_owned()))).pattern(Some("^[A-Z]{3}$")).into()
    }
}

impl ToSchema for CurrencyCode {}

/// A list that is left out is none, and so is an empty one: some clients send that for every list that was left out.
pub(crate) fn none_if_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.filter(|items| !items.is_empty()))
}

/// A list of at most so many names of fields: the schema alone.
pub(crate) fn names_of_fields(most: usize, description: &str) -> ArrayBuilder {
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(100));
    ArrayBuilder::new().items(name).max_items(Some(most)).description(Some(description))
}

/// Who writes, when and by which way: what a new version of a record takes over from its circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The moment of writing, in microseconds: the database keeps no finer time.
    pub at: DateTime<Utc>,
    /// User or API key; none when Rapport acts on its own.
    pub by: Option<Uuid>,
    pub source: Source,
}

impl Stamp {
    pub fn new(at: DateTime<Utc>, by: Option<Uuid>, source: Source) -> Self {
        Self { at: at.trunc_subsecs(6), by, source }
    }

    /// Makes a record its next version. Its time never goes back, even where the clocks of two servers differ.
    pub(crate) fn advance(self, version: &mut i64, at: &mut DateTime<Utc>, by: &mut Option<Uuid>) {
        *version += 1;
        *at = self.at.max(*at);
        *by = self.by;
    }
}

/// Cuts a time to whole microseconds, for the database keeps no finer one, and refuses what RFC 3339 can't write.
pub(crate) fn check_instant(at: &mut Option<DateTime<Utc>>, pointer: &str, fields: &mut Fields) {
    *at = at.map(|at| at.trunc_subsecs(6));
    let is_told = |at: &DateTime<Utc>| (1..=9999).contains(&at.year()) && at.nanosecond() < 1_000_000_000;
    if at.as_ref().is_some_and(|at| !is_told(at)) {
        fields.refuse(pointer, "out_of_range", "This is no time of the years 1 to 9999. Name another, or null.");
    }
}

/// Each value once, in the order given.
pub(crate) fn keep_each_once<T: Copy + PartialEq>(values: &mut Vec<T>) {
    let mut seen: Vec<T> = Vec::with_capacity(values.len());
    for value in values.drain(..) {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    *values = seen;
}

/// Tags without space at their ends, each once, in the order given.
pub(crate) fn tidy_tags(tags: &mut Vec<String>) {
    let mut seen: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags.drain(..) {
        let tag = tag.trim();
        if !tag.is_empty() && !seen.iter().any(|known| known == tag) {
            seen.push(tag.to_owned());
        }
    }
    *tags = seen;
}
