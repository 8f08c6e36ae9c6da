//! Companies: the organisations a business knows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{
    contact::{DeletedInList, list, tags, tags_or_null},
    contact_point::{self, EmailAddress, PhoneNumber, PostalAddress, SocialProfile},
};
use crate::{
    filter::{Filter, Node, Parameters},
    id::{CompanyId, TeamId, UserId},
    page::{Count, RecordSort},
    problem::{Fields, Invalid},
    record::{self, Channel, CountryCode, ExternalId, LifecycleStage, Source, Stamp, Tag},
    standards, text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema, values_schema_of_patch},
        user::UserSummary,
    },
};

/// An organisation the business knows.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
#[validate(schema(function = "revenue_with_currency"))]
pub struct Company {
    /// Identifies the company for ever.
    #[schema(value_type = Uuid, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5c")]
    pub id: CompanyId,
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
    /// When it was deleted; null while it lives.
    pub deleted_at: Option<DateTime<Utc>>,
    /// User who looks after this company.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this company belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Channel on which the company first came.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(example = json!(["supplier"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the company.
    pub external_ids: Vec<ExternalId>,
    /// Name in daily use.
    #[schema(example = "Lindt & Daughters")]
    pub name: String,
    /// Name in the commercial register.
    #[schema(example = "Lindt & Daughters GmbH")]
    pub legal_name: Option<String>,
    /// Internet domain, without `www.`.
    #[schema(example = "lindt.example")]
    pub domain: Option<String>,
    /// Address of the web site.
    #[validate(custom(function = "standards::web_address"))]
    #[schema(example = "https://www.lindt.example/")]
    pub website: Option<String>,
    /// E-mail addresses; the first is the primary one.
    #[validate(nested)]
    pub emails: Vec<EmailAddress>,
    /// Telephone numbers; the first is the primary one.
    pub phones: Vec<PhoneNumber>,
    /// Postal addresses; the first is the primary one.
    #[validate(nested)]
    pub addresses: Vec<PostalAddress>,
    /// Profiles in social networks.
    pub social_profiles: Vec<SocialProfile>,
    /// What the company is to the business.
    #[serde(rename = "type")]
    pub kind: Option<CompanyType>,
    /// Line of business, in words.
    #[schema(example = "Confectionery")]
    pub industry: Option<String>,
    /// Line of business, as a code of a classification such as NACE or NAICS.
    #[schema(example = "10.82")]
    pub industry_code: Option<String>,
    /// Number of employees.
    pub employee_range: Option<EmployeeRange>,
    /// Revenue of a year. Goes with `annual_revenue_currency`.
    #[schema(value_type = Option<String>, example = "1250000.00")]
    pub annual_revenue_amount: Option<Decimal>,
    /// ISO 4217 code of the revenue's currency.
    #[validate(custom(function = "standards::currency"))]
    #[schema(example = "EUR")]
    pub annual_revenue_currency: Option<String>,
    /// Number under which the tax office knows the company.
    #[schema(example = "DE123456789")]
    pub tax_id: Option<String>,
    /// Company that owns this one.
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<CompanyId>,
    /// Sales territory.
    #[schema(example = "DACH")]
    pub territory: Option<String>,
    /// ISO 4217 code of the currency for offers to this company.
    #[validate(custom(function = "standards::currency"))]
    #[schema(example = "EUR")]
    pub default_currency: Option<String>,
    /// Where the company stands between stranger and customer.
    pub lifecycle_stage: LifecycleStage,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, no_recursion)]
    pub expanded: Option<Box<CompanyExpanded>>,
}

/// Records that belong to a company. Null when there is none, when it was deleted, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct CompanyExpanded {
    #[schema(required, no_recursion)]
    pub parent: Option<Company>,
    #[schema(required)]
    pub owner: Option<UserSummary>,
}

/// A company to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "Lindt & Daughters", "domain": "lindt.example", "type": "customer", "industry": "Confectionery",
    "employee_range": "51_200", "annual_revenue_amount": "1250000.00", "annual_revenue_currency": "EUR",
    "addresses": [{"type": "billing", "street": "Torstraße 1", "postal_code": "10119", "city": "Berlin", "country": "DE"}]
}))]
pub struct NewCompany {
    /// Name in daily use.
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: String,
    /// Name in the commercial register.
    #[schema(min_length = 1, max_length = 255)]
    pub legal_name: Option<String>,
    /// Internet domain or any address under it: kept as host name without `www.`.
    #[schema(min_length = 1, max_length = 2048)]
    pub domain: Option<String>,
    /// Address of the web site.
    #[schema(format = "uri", max_length = 2048)]
    pub website: Option<String>,
    /// User who looks after this company: whoever creates it, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to: the owner's main team, unless said otherwise. Null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Channel on which the company first came.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(schema_with = tags)]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// E-mail addresses; the first is the primary one.
    #[schema(max_items = 20)]
    pub emails: Vec<EmailAddress>,
    /// Telephone numbers; the first is the primary one.
    #[schema(max_items = 20)]
    pub phones: Vec<PhoneNumber>,
    /// Postal addresses; the first is the primary one.
    #[schema(max_items = 10)]
    pub addresses: Vec<PostalAddress>,
    /// Profiles in social networks.
    #[schema(max_items = 20)]
    pub social_profiles: Vec<SocialProfile>,
    /// What the company is to the business.
    #[serde(rename = "type")]
    pub kind: Option<CompanyType>,
    /// Line of business, in words.
    #[schema(min_length = 1, max_length = 255)]
    pub industry: Option<String>,
    /// Line of business, as a code of a classification such as NACE or NAICS.
    #[schema(min_length = 1, max_length = 20)]
    pub industry_code: Option<String>,
    /// Number of employees.
    pub employee_range: Option<EmployeeRange>,
    /// Revenue of a year, with up to four decimals. Goes with `annual_revenue_currency`.
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "1250000.00")]
    pub annual_revenue_amount: Option<Decimal>,
    /// ISO 4217 code of the revenue's currency.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub annual_revenue_currency: Option<String>,
    /// Number under which the tax office knows the company.
    #[schema(min_length = 1, max_length = 50)]
    pub tax_id: Option<String>,
    /// Company that owns this one.
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<CompanyId>,
    /// Sales territory.
    #[schema(min_length = 1, max_length = 100)]
    pub territory: Option<String>,
    /// ISO 4217 code of the currency for offers to this company.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub default_currency: Option<String>,
    /// Where the company stands; `lead` unless said otherwise.
    #[schema(inline = false)]
    pub lifecycle_stage: LifecycleStage,
}

/// Changes to a company, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"lifecycle_stage": "customer", "territory": null}))]
pub struct CompanyPatch {
    /// Name in daily use.
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// Name in the commercial register.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 255)]
    pub legal_name: Option<Option<String>>,
    /// Internet domain or any address under it: kept as host name without `www.`.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 2048)]
    pub domain: Option<Option<String>>,
    /// Address of the web site.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "uri", max_length = 2048)]
    pub website: Option<Option<String>>,
    /// User who looks after this company.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to. A new owner brings their main team along, unless a team is named.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Channel on which the company first came.
    #[serde(with = "::serde_with::rust::double_option")]
    pub source_channel: Option<Option<Channel>>,
    /// Free tags. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = tags_or_null)]
    pub tags: Option<Option<Vec<String>>>,
    /// Values of the workspace's own fields, by key; null clears one.
    #[schema(schema_with = values_schema_of_patch)]
    pub custom: Option<CustomValues>,
    /// E-mail addresses; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub emails: Option<Option<Vec<EmailAddress>>>,
    /// Telephone numbers; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub phones: Option<Option<Vec<PhoneNumber>>>,
    /// Postal addresses; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 10)]
    pub addresses: Option<Option<Vec<PostalAddress>>>,
    /// Profiles in social networks. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub social_profiles: Option<Option<Vec<SocialProfile>>>,
    /// What the company is to the business.
    #[serde(rename = "type", with = "::serde_with::rust::double_option")]
    pub kind: Option<Option<CompanyType>>,
    /// Line of business, in words.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 255)]
    pub industry: Option<Option<String>>,
    /// Line of business, as a code of a classification such as NACE or NAICS.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 20)]
    pub industry_code: Option<Option<String>>,
    /// Number of employees.
    #[serde(with = "::serde_with::rust::double_option")]
    pub employee_range: Option<Option<EmployeeRange>>,
    /// Revenue of a year, with up to four decimals. Goes with `annual_revenue_currency`.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$")]
    pub annual_revenue_amount: Option<Option<Decimal>>,
    /// ISO 4217 code of the revenue's currency.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub annual_revenue_currency: Option<Option<String>>,
    /// Number under which the tax office knows the company.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 50)]
    pub tax_id: Option<Option<String>>,
    /// Company that owns this one.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<Option<CompanyId>>,
    /// Sales territory.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub territory: Option<Option<String>>,
    /// ISO 4217 code of the currency for offers to this company.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub default_currency: Option<Option<String>>,
    /// Where the company stands between stranger and customer.
    #[schema(nullable = false)]
    pub lifecycle_stage: Option<LifecycleStage>,
}

/// What a company is to the business. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompanyType {
    Prospect,
    Customer,
    Partner,
    Reseller,
    Supplier,
    Investor,
    Competitor,
    Press,
    Other,
}

/// How many people work for a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum EmployeeRange {
    #[serde(rename = "1_10")]
    UpTo10,
    #[serde(rename = "11_50")]
    UpTo50,
    #[serde(rename = "51_200")]
    UpTo200,
    #[serde(rename = "201_500")]
    UpTo500,
    #[serde(rename = "501_1000")]
    UpTo1000,
    #[serde(rename = "1001_plus")]
    Above1000,
}

/// What a patch of a company that is not there yet creates: null is absent there, but for owner and team.
impl From<CompanyPatch> for NewCompany {
    fn from(patch: CompanyPatch) -> Self {
        Self {
            name: patch.name.unwrap_or_default(),
            legal_name: patch.legal_name.flatten(),
            domain: patch.domain.flatten(),
            website: patch.website.flatten(),
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            source_channel: patch.source_channel.flatten(),
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
            emails: patch.emails.flatten().unwrap_or_default(),
            phones: patch.phones.flatten().unwrap_or_default(),
            addresses: patch.addresses.flatten().unwrap_or_default(),
            social_profiles: patch.social_profiles.flatten().unwrap_or_default(),
            kind: patch.kind.flatten(),
            industry: patch.industry.flatten(),
            industry_code: patch.industry_code.flatten(),
            employee_range: patch.employee_range.flatten(),
            annual_revenue_amount: patch.annual_revenue_amount.flatten(),
            annual_revenue_currency: patch.annual_revenue_currency.flatten(),
            tax_id: patch.tax_id.flatten(),
            parent_id: patch.parent_id.flatten(),
            territory: patch.territory.flatten(),
            default_currency: patch.default_currency.flatten(),
            lifecycle_stage: patch.lifecycle_stage.unwrap_or_default(),
        }
    }
}

impl Company {
    /// What companies are found by, as fields.
    pub const SEARCHED: &[&str] = &["name", "legal_name", "domain", "emails", "phones"];

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
        "legal_name",
        "domain",
        "website",
        "emails",
        "phones",
        "addresses",
        "social_profiles",
        "type",
        "industry",
        "industry_code",
        "employee_range",
        "annual_revenue_amount",
        "annual_revenue_currency",
        "tax_id",
        "parent_id",
        "territory",
        "default_currency",
        "lifecycle_stage",
    ];

    /// A new company. Numbers without country code are read as of its first address, else of `country`.
    pub fn create(new: NewCompany, id: CompanyId, stamp: Stamp, country: Option<&str>) -> Result<Self, Invalid> {
        let company = Self {
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
            name: new.name,
            legal_name: new.legal_name,
            domain: new.domain,
            website: new.website,
            emails: new.emails,
            phones: new.phones,
            addresses: new.addresses,
            social_profiles: new.social_profiles,
            kind: new.kind,
            industry: new.industry,
            industry_code: new.industry_code,
            employee_range: new.employee_range,
            annual_revenue_amount: new.annual_revenue_amount,
            annual_revenue_currency: new.annual_revenue_currency,
            tax_id: new.tax_id,
            parent_id: new.parent_id,
            territory: new.territory,
            default_currency: new.default_currency,
            lifecycle_stage: new.lifecycle_stage,
            expanded: None,
        };
        company.checked(country, true)
    }

    /// The company as it would be after a patch. Version and times stay: whether anything changed is yet to be seen.
    pub fn patch(&self, patch: CompanyPatch, country: Option<&str>) -> Result<Self, Invalid> {
        let phones_given = patch.phones.is_some();
        let company = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            source_channel: patch.source_channel.unwrap_or(self.source_channel),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            legal_name: patch.legal_name.unwrap_or_else(|| self.legal_name.clone()),
            domain: patch.domain.unwrap_or_else(|| self.domain.clone()),
            website: patch.website.unwrap_or_else(|| self.website.clone()),
            emails: list(patch.emails, &self.emails),
            phones: list(patch.phones, &self.phones),
            addresses: list(patch.addresses, &self.addresses),
            social_profiles: list(patch.social_profiles, &self.social_profiles),
            kind: patch.kind.unwrap_or(self.kind),
            industry: patch.industry.unwrap_or_else(|| self.industry.clone()),
            industry_code: patch.industry_code.unwrap_or_else(|| self.industry_code.clone()),
            employee_range: patch.employee_range.unwrap_or(self.employee_range),
            annual_revenue_amount: patch.annual_revenue_amount.unwrap_or(self.annual_revenue_amount),
            annual_revenue_currency: patch
                .annual_revenue_currency
                .unwrap_or_else(|| self.annual_revenue_currency.clone()),
            tax_id: patch.tax_id.unwrap_or_else(|| self.tax_id.clone()),
            parent_id: patch.parent_id.unwrap_or(self.parent_id),
            territory: patch.territory.unwrap_or_else(|| self.territory.clone()),
            default_currency: patch.default_currency.unwrap_or_else(|| self.default_currency.clone()),
            lifecycle_stage: patch.lifecycle_stage.unwrap_or(self.lifecycle_stage),
            external_ids: self.external_ids.clone(),
            expanded: None,
            ..*self
        };
        company.checked(country, phones_given)
    }

    /// The company after a change that gave it values which were judged elsewhere.
    pub(crate) fn amended(self) -> Result<Self, Invalid> {
        self.checked(None, false)
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// The keys by which this company is recognised.
    pub fn match_keys(&self) -> Vec<String> {
        contact_point::match_keys(&self.emails, &self.phones)
    }

    /// What the company is found by.
    pub fn search_text(&self) -> String {
        let names = [Some(&self.name), self.legal_name.as_ref(), self.domain.as_ref()].into_iter().flatten();
        let emails = self.emails.iter().map(|email| email.address.as_str());
        let phones = self.phones.iter().filter_map(|phone| phone.e164.as_deref()).map(|e164| &e164[1..]);
        text::search_text(names.map(String::as_str).chain(emails).chain(phones))
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let own = [
            ("name", Some(&self.name)),
            ("legal_name", self.legal_name.as_ref()),
            ("website", self.website.as_ref()),
            ("industry", self.industry.as_ref()),
            ("industry_code", self.industry_code.as_ref()),
            ("tax_id", self.tax_id.as_ref()),
            ("territory", self.territory.as_ref()),
        ];
        let mut folded = text::folded(own.into_iter().chain(contact_point::texts(&self.addresses)));
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// What the company is sorted by.
    pub fn sort_name(&self) -> String {
        text::sort_key([self.name.as_str()])
    }

    /// Tidies up and judges the whole record, whichever fields were given.
    fn checked(mut self, country: Option<&str>, phones_given: bool) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        record::tidy_tags(&mut self.tags);
        text::tidy(&mut self.name);
        contact_point::check_emails(&mut self.emails, &mut fields);
        if phones_given {
            let country =
                self.addresses.first().and_then(|address| address.country.clone()).or(country.map(Into::into));
            contact_point::check_phones(&mut self.phones, country.as_deref(), &mut fields);
        }
        if let Some(domain) = &self.domain {
            match standards::normalise_domain(domain) {
                Some(normal) => self.domain = Some(normal),
                None => fields.refuse("/domain", "invalid_domain", "This is not a domain. Write it like example.com."),
            }
        }
        self.annual_revenue_amount = self.annual_revenue_amount.map(|amount| amount.normalize());
        self.rules(&mut fields);
        fields.absorb(&self);
        fields.verdict().map(|()| self)
    }

    fn rules(&self, fields: &mut Fields) {
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A company needs a name.");
        }
        if self.parent_id == Some(self.id) {
            fields.refuse("/parent_id", "circular", "A company can't own itself. Name another company, or null.");
        }
    }
}

fn revenue_with_currency(company: &Company) -> Result<(), ValidationError> {
    if company.annual_revenue_amount.is_some() == company.annual_revenue_currency.is_some() {
        return Ok(());
    }
    let message = "Give annual_revenue_amount and annual_revenue_currency together, or neither.";
    Err(ValidationError::new("incomplete_money").with_message(message.into()))
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CompanyQuery {
    /// Finds companies by how words of name, domain and e-mail address begin, and by parts of telephone numbers. Where
    /// nothing is found so, parts of words count, and then words with typing errors. Every word has to be found.
    /// Without `sort`, the best match comes first.
    #[param(min_length = 1, max_length = 200, example = "lindt")]
    pub q: Option<String>,
    /// Only companies of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only companies of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only companies owned by one of these. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub parent_id: Vec<CompanyId>,
    /// Only companies in these stages. Repeat for several.
    #[param(max_items = 10)]
    pub lifecycle_stage: Vec<LifecycleStage>,
    /// Only companies of these types. Repeat for several.
    #[serde(rename = "type")]
    #[param(max_items = 10)]
    pub kind: Vec<CompanyType>,
    /// Only companies that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// Only who has this domain.
    #[param(max_length = 2048, example = "lindt-daughters.example")]
    pub domain: Option<String>,
    /// Only who has this e-mail address.
    #[param(max_length = 254)]
    pub email: Option<String>,
    /// Only companies whose first address is in one of these countries. Repeat for several.
    #[param(value_type = Vec<CountryCode>, max_items = 100)]
    pub country: Vec<String>,
    /// Only companies created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only companies created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only companies changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only companies changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted companies instead of the living.
    #[param(inline = false)]
    pub deleted: DeletedInList,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    pub count: Option<Count>,
    /// Only these fields of each record, and its id. Repeat for several.
    #[param(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    pub expand: Vec<CompanyRelation>,
}

impl CompanyQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.parent_id.is_empty(), "parent_id", "parent_id"),
            (!self.lifecycle_stage.is_empty(), "lifecycle_stage", "lifecycle_stage"),
            (!self.kind.is_empty(), "type", "type"),
            (!self.tag.is_empty(), "tag", "tags"),
            (self.domain.is_some(), "domain", "domain"),
            (self.email.is_some(), "email", "emails"),
            (!self.country.is_empty(), "country", "addresses"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref()))
            .chain(CompanyRelation::fields_used(&self.expand))
            .collect()
    }

    /// The parameters as nodes of a filter, each with its name. `q` looks after itself.
    pub fn filter_nodes(&self) -> Vec<(&'static str, Node)> {
        Parameters::default()
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_of("parent_id", &self.parent_id)
            .one_of("lifecycle_stage", &self.lifecycle_stage)
            .one_of("type", &self.kind)
            .one_among("tag", "tags", &self.tag)
            .text("domain", self.domain.as_ref())
            .text("email", self.email.as_ref())
            .one_of("country", &self.country)
            .after("created_after", "created_at", self.created_after)
            .before("created_before", "created_at", self.created_before)
            .after("updated_after", "updated_at", self.updated_after)
            .before("updated_before", "updated_at", self.updated_before)
            .into_nodes()
    }
}

/// What is searched for, and how the answer shall be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"version": 1, "entity": "company", "where":
        {"type": "tags", "field": "tags", "op": "has_any", "values": ["supplier"]}},
    "sort": "name", "limit": 20
}))]
pub struct CompanySearch {
    /// Which companies; all where there is no filter.
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    #[schema(nullable = false)]
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[schema(nullable = false, minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[schema(nullable = false, max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    #[schema(nullable = false)]
    pub count: Option<Count>,
    /// Only these fields of each record, and its id.
    #[schema(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`.
    #[schema(max_items = 5)]
    pub expand: Vec<CompanyRelation>,
    /// `only` finds the deleted companies instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl CompanySearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(CompanyRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompanyRelation {
    Parent,
    Owner,
}

impl CompanyRelation {
    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Parent => ("expand", "parent_id"),
            Self::Owner => ("expand", "owner_id"),
        };
        expand.iter().map(field).collect()
    }
}
