//! Leads: people and organisations who may become customers.

mod conversion;
mod inputs;
mod query;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError};

pub use self::{
    conversion::{
        Became, CarriedCustom, Carrying, CompanyChoice, CompanyPart, ContactChoice, ContactPart, ConversionResult,
        ConversionTarget, ConvertLead, ConvertToCompany, ConvertToContact, ConvertToOpportunity, ConvertedRecord,
        FieldMapping, LeadConversion, NotCarried, NotCarriedReason, Obstacle, StatusBefore, carried_custom,
        opportunity_of,
    },
    inputs::{LeadMove, LeadPatch, NewLead},
    query::{LeadQuery, LeadRelation, LeadSearch, LeadStatusKey},
    status::LeadStatusChange,
};
use super::lead_status::{LeadStatusClass, LeadStatuses};
use crate::{
    access::FieldRule,
    id::{CompanyId, ContactId, LeadId, LostReasonId, OpportunityId, TeamId, UserId},
    people::{
        company::EmployeeRange,
        contact::list,
        contact_point::{self, EmailAddress, PhoneNumber, PostalAddress},
    },
    problem::{Fields, Invalid},
    record::{self, Channel, ExternalId, Source, Stamp},
    standards, text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema},
        user::UserSummary,
    },
};

/// Somebody who may become a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
#[validate(schema(function = "amount_with_currency"))]
pub struct Lead {
    /// Identifies the lead for ever.
    #[schema(value_type = Uuid, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b")]
    pub id: LeadId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User, API key or capture form that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User, API key or capture form that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// When it was deleted; null while it lives.
    pub deleted_at: Option<DateTime<Utc>>,
    /// User who looks after this lead.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this lead belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Channel on which the lead first came.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(example = json!(["fair 2026"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the lead.
    pub external_ids: Vec<ExternalId>,
    /// The name to show: made of first, middle and last name, else the company's name, the first e-mail address or telephone
    /// number.
    #[schema(example = "Anna Lindt")]
    pub name: String,
    /// Form of address.
    #[schema(example = "Dr.")]
    pub salutation: Option<String>,
    /// Given name.
    #[schema(example = "Anna")]
    pub first_name: Option<String>,
    /// Middle names.
    pub middle_name: Option<String>,
    /// Family name.
    #[schema(example = "Lindt")]
    pub last_name: Option<String>,
    /// What the person does at the company.
    #[schema(example = "Head of purchasing")]
    pub job_title: Option<String>,
    /// Name of the company, which need not be known to Rapport.
    #[schema(example = "Lindt & Daughters")]
    pub company_name: Option<String>,
    /// E-mail addresses; the first is the primary one.
    #[validate(nested)]
    pub emails: Vec<EmailAddress>,
    /// Telephone numbers; the first is the primary one.
    pub phones: Vec<PhoneNumber>,
    /// Postal addresses; the first is the primary one.
    #[validate(nested)]
    pub addresses: Vec<PostalAddress>,
    /// Address of the web site.
    #[validate(custom(function = "standards::web_address"))]
    #[schema(example = "https://www.lindt.example/")]
    pub website: Option<String>,
    /// How far the lead has come: the key of a lead status.
    #[schema(example = "contacted")]
    pub status: String,
    /// What the status means.
    pub status_class: LeadStatusClass,
    /// Since when the lead has this status.
    pub status_entered_at: DateTime<Utc>,
    /// What made the lead known to the business.
    pub lead_source: Option<LeadSource>,
    /// How promising the lead is.
    pub rating: Option<LeadRating>,
    /// How many points the rules of the published score definition give it; null where there is none, and until the lead is
    /// scored, a moment after it was written. A score that changes makes no new version.
    #[schema(example = 42)]
    pub score: Option<i64>,
    /// Line of business, in words.
    #[schema(example = "Confectionery")]
    pub industry: Option<String>,
    /// Number of employees.
    pub employee_range: Option<EmployeeRange>,
    /// What might be sold. Goes with `currency`.
    #[schema(value_type = Option<String>, example = "12500.00")]
    pub expected_amount: Option<Decimal>,
    /// ISO 4217 code of the currency of `expected_amount`.
    #[validate(custom(function = "standards::currency"))]
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    /// How the lead found the web site, as the address said it.
    pub utm: Option<Utm>,
    /// Why the lead was lost.
    #[schema(value_type = Option<Uuid>)]
    pub lost_reason_id: Option<LostReasonId>,
    /// The same in words.
    #[schema(example = "They buy from their cousin.")]
    pub lost_note: Option<String>,
    /// How often the lead was lost and begun anew.
    #[schema(minimum = 0, example = 0)]
    pub recycled_count: i64,
    /// When it became a contact, a company or an opportunity; null before.
    pub converted_at: Option<DateTime<Utc>>,
    /// Contact that it became.
    #[schema(value_type = Option<Uuid>)]
    pub converted_contact_id: Option<ContactId>,
    /// Company that it became.
    #[schema(value_type = Option<Uuid>)]
    pub converted_company_id: Option<CompanyId>,
    /// Opportunity that it became.
    #[schema(value_type = Option<Uuid>)]
    pub converted_opportunity_id: Option<OpportunityId>,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expanded: Option<Box<LeadExpanded>>,
}

/// Records that belong to a lead. Null when there is none, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct LeadExpanded {
    #[schema(required)]
    pub owner: Option<UserSummary>,
}

/// What makes leads known to a business. More values will follow: treat an unknown one as `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadSource {
    Call,
    Email,
    ExistingCustomer,
    Partner,
    PublicRelations,
    Website,
    Campaign,
    Advertisement,
    Referral,
    TradeShow,
    Social,
    ColdCall,
    WalkIn,
    Other,
}

/// How promising a lead is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadRating {
    Hot,
    Warm,
    Cold,
}

/// How somebody found a web site: the parameters `utm_…` of the address that they came by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Utm {
    /// Where the link stood.
    #[schema(min_length = 1, max_length = 255, example = "newsletter")]
    pub source: Option<String>,
    /// What kind of place that is.
    #[schema(min_length = 1, max_length = 255, example = "email")]
    pub medium: Option<String>,
    /// The campaign that it belongs to.
    #[schema(min_length = 1, max_length = 255, example = "spring_2026")]
    pub campaign: Option<String>,
    /// The words that were searched for.
    #[schema(min_length = 1, max_length = 255)]
    pub term: Option<String>,
    /// Which of several links it was.
    #[schema(min_length = 1, max_length = 255)]
    pub content: Option<String>,
}

impl Lead {
    /// The fields that a role may close, in their order. A test compares them with the document.
    pub const FIELDS: &[&str] = &[
        "created_by",
        "updated_by",
        "owner_id",
        "team_id",
        "source",
        "source_channel",
        "tags",
        "custom",
        "external_ids",
        "name",
        "salutation",
        "first_name",
        "middle_name",
        "last_name",
        "job_title",
        "company_name",
        "emails",
        "phones",
        "addresses",
        "website",
        "status",
        "status_class",
        "status_entered_at",
        "lead_source",
        "rating",
        "score",
        "industry",
        "employee_range",
        "expected_amount",
        "currency",
        "utm",
        "lost_reason_id",
        "lost_note",
        "recycled_count",
        "converted_at",
        "converted_contact_id",
        "converted_company_id",
        "converted_opportunity_id",
    ];

    /// What the name to show is made of.
    pub(crate) const NAME_SOURCES: &[&str] =
        &["first_name", "middle_name", "last_name", "company_name", "emails", "phones"];

    /// What leads are found by, as fields.
    pub const SEARCHED: &[&str] = Self::NAME_SOURCES;

    /// The lead with a name made only of what may be read.
    #[must_use]
    pub fn named_by(&self, readable: &FieldRule) -> Self {
        let mut lead = self.clone();
        let Self { first_name, middle_name, last_name, company_name, emails, phones, .. } = &mut lead;
        for (field, name) in [
            ("first_name", first_name),
            ("middle_name", middle_name),
            ("last_name", last_name),
            ("company_name", company_name),
        ] {
            name.take_if(|_| !readable.allows(field));
        }
        if !readable.allows("emails") {
            emails.clear();
        }
        if !readable.allows("phones") {
            phones.clear();
        }
        lead.name = lead.display_name();
        lead
    }

    /// A new lead, with the first open status unless another is named. Numbers without country code are read as of its first
    /// address, else of `country`.
    pub fn create(
        new: NewLead,
        statuses: &LeadStatuses,
        id: LeadId,
        stamp: Stamp,
        country: Option<&str>,
    ) -> Result<Self, Invalid> {
        // What is wrong with the rest is told along with a status that can't be chosen.
        let (status, refused) = match status::of_new(new.status.as_deref(), statuses) {
            Ok(status) => (Some(status), Ok(())),
            Err(invalid) => (None, Err(invalid)),
        };
        let status_class = status.map_or(LeadStatusClass::Open, |status| status.class);
        let lead = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            deleted_at: None,
            owner_id: new.owner_id.flatten(),
            team_id: new.team_id.flatten(),
            source: stamp.source,
            source_channel: new.source_channel,
            tags: new.tags,
            custom: merged(&CustomValues::new(), new.custom),
            external_ids: Vec::new(),
            name: String::new(),
            salutation: new.salutation,
            first_name: new.first_name,
            middle_name: new.middle_name,
            last_name: new.last_name,
            job_title: new.job_title,
            company_name: new.company_name,
            emails: new.emails,
            phones: new.phones,
            addresses: new.addresses,
            website: new.website,
            status: status.map(|status| status.key.clone()).unwrap_or_default(),
            status_class,
            status_entered_at: stamp.at,
            lead_source: new.lead_source,
            rating: new.rating,
            score: None,
            industry: new.industry,
            employee_range: new.employee_range,
            expected_amount: new.expected_amount,
            currency: new.currency,
            utm: new.utm,
            lost_reason_id: new.lost_reason_id,
            lost_note: new.lost_note,
            recycled_count: 0,
            converted_at: None,
            converted_contact_id: None,
            converted_company_id: None,
            converted_opportunity_id: None,
            expanded: None,
        };
        Invalid::or_both(lead.checked(country, true), refused).map(|(lead, ())| lead)
    }

    /// The lead as it would be after a patch. Its status stays: it has moves of its own.
    pub fn patch(&self, patch: LeadPatch, country: Option<&str>) -> Result<Self, Invalid> {
        let phones_given = patch.phones.is_some();
        let lead = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            source_channel: patch.source_channel.unwrap_or(self.source_channel),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            salutation: patch.salutation.unwrap_or_else(|| self.salutation.clone()),
            first_name: patch.first_name.unwrap_or_else(|| self.first_name.clone()),
            middle_name: patch.middle_name.unwrap_or_else(|| self.middle_name.clone()),
            last_name: patch.last_name.unwrap_or_else(|| self.last_name.clone()),
            job_title: patch.job_title.unwrap_or_else(|| self.job_title.clone()),
            company_name: patch.company_name.unwrap_or_else(|| self.company_name.clone()),
            emails: list(patch.emails, &self.emails),
            phones: list(patch.phones, &self.phones),
            addresses: list(patch.addresses, &self.addresses),
            website: patch.website.unwrap_or_else(|| self.website.clone()),
            lead_source: patch.lead_source.unwrap_or(self.lead_source),
            rating: patch.rating.unwrap_or(self.rating),
            industry: patch.industry.unwrap_or_else(|| self.industry.clone()),
            employee_range: patch.employee_range.unwrap_or(self.employee_range),
            expected_amount: patch.expected_amount.unwrap_or(self.expected_amount),
            currency: patch.currency.unwrap_or_else(|| self.currency.clone()),
            utm: patch.utm.unwrap_or_else(|| self.utm.clone()),
            lost_reason_id: patch.lost_reason_id.unwrap_or(self.lost_reason_id),
            lost_note: patch.lost_note.unwrap_or_else(|| self.lost_note.clone()),
            status: self.status.clone(),
            external_ids: self.external_ids.clone(),
            name: String::new(),
            expanded: None,
            ..*self
        };
        lead.checked(country, phones_given)
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// Whether it has become a customer: then it is kept as it was.
    pub fn is_won(&self) -> bool {
        self.status_class == LeadStatusClass::Won
    }

    /// Whether it has become a customer or came to nothing.
    pub fn is_closed(&self) -> bool {
        matches!(self.status_class, LeadStatusClass::Won | LeadStatusClass::Lost)
    }

    /// The keys by which this lead is recognised.
    pub fn match_keys(&self) -> Vec<String> {
        contact_point::match_keys(&self.emails, &self.phones)
    }

    /// What the lead is found by.
    pub fn search_text(&self) -> String {
        let names = [&self.first_name, &self.middle_name, &self.last_name, &self.company_name];
        let names = names.into_iter().flatten().map(String::as_str);
        let emails = self.emails.iter().map(|email| email.address.as_str());
        let phones = self.phones.iter().filter_map(|phone| phone.e164.as_deref()).map(|e164| &e164[1..]);
        // The name is made of these, or a number as it was written.
        text::search_text(names.chain(emails).chain(phones).chain([self.name.as_str()]))
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let utm = |part: fn(&Utm) -> &Option<String>| self.utm.as_ref().and_then(|utm| part(utm).as_ref());
        let own = [
            ("name", Some(&self.name)),
            ("salutation", self.salutation.as_ref()),
            ("first_name", self.first_name.as_ref()),
            ("middle_name", self.middle_name.as_ref()),
            ("last_name", self.last_name.as_ref()),
            ("job_title", self.job_title.as_ref()),
            ("company_name", self.company_name.as_ref()),
            ("website", self.website.as_ref()),
            ("industry", self.industry.as_ref()),
            ("lost_note", self.lost_note.as_ref()),
            ("utm_source", utm(|utm| &utm.source)),
            ("utm_medium", utm(|utm| &utm.medium)),
            ("utm_campaign", utm(|utm| &utm.campaign)),
            ("utm_term", utm(|utm| &utm.term)),
            ("utm_content", utm(|utm| &utm.content)),
        ];
        let mut folded = text::folded(own.into_iter().chain(contact_point::texts(&self.addresses)));
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// What the lead is sorted by: the person with the last name first, as in a telephone book, else the company.
    pub fn sort_name(&self) -> String {
        let names = [&self.last_name, &self.first_name, &self.middle_name].map(|name| name.as_deref().unwrap_or(""));
        let key = text::sort_key(names);
        if key.is_empty() { text::sort_key([self.name.as_str()]) } else { key }
    }

    /// Tidies up and judges the whole record, whichever fields were given.
    fn checked(mut self, country: Option<&str>, phones_given: bool) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        record::tidy_tags(&mut self.tags);
        let names = [&mut self.first_name, &mut self.middle_name, &mut self.last_name, &mut self.company_name];
        for name in names.into_iter().flatten() {
            text::tidy(name);
        }
        contact_point::check_emails(&mut self.emails, &mut fields);
        if phones_given {
            let country =
                self.addresses.first().and_then(|address| address.country.clone()).or(country.map(Into::into));
            contact_point::check_phones(&mut self.phones, country.as_deref(), &mut fields);
        }
        self.expected_amount = self.expected_amount.map(|amount| amount.normalize());
        self.utm.take_if(|utm| *utm == Utm::default());
        self.name = self.display_name();
        self.rules(&mut fields);
        fields.absorb(&self);
        fields.verdict().map(|()| self)
    }

    fn rules(&self, fields: &mut Fields) {
        if self.name.is_empty() {
            let detail = "A lead needs at least a first or last name, the name of a company, an e-mail address or a \
                          telephone number.";
            fields.refuse("", "nothing_to_know_by", detail);
        }
        self.check_lost(fields);
    }

    fn display_name(&self) -> String {
        let names = [&self.first_name, &self.middle_name, &self.last_name];
        let name = names.into_iter().flatten().map(String::as_str).filter(|name| !name.is_empty());
        let name = name.collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            return name;
        }
        let company = self.company_name.clone().filter(|name| !name.is_empty());
        let email = || self.emails.first().map(|email| email.address.clone());
        let phone = || self.phones.first().map(|phone| phone.number.clone());
        company.or_else(email).or_else(phone).unwrap_or_default()
    }
}

fn amount_with_currency(lead: &Lead) -> Result<(), ValidationError> {
    if lead.expected_amount.is_some() == lead.currency.is_some() {
        return Ok(());
    }
    let message = "Give expected_amount and currency together, or neither.";
    Err(ValidationError::new("incomplete_money").with_message(message.into()))
}
