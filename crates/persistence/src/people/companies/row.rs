//! A company as its table holds it: columns for what is searched, sorted or joined, one document for the rest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{CompanyId, TeamId, UserId},
    people::{
        company::Company,
        contact_point::{EmailAddress, PhoneNumber, PostalAddress, SocialProfile},
    },
    record::ExternalId,
    workspace::custom_field::CustomValues,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::companies};

/// The columns that are written, in their order.
pub(crate) const COLUMNS: &[&str] = &[
    "workspace_id",
    "id",
    "version",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "deleted_at",
    "owner_id",
    "source",
    "source_channel",
    "tags",
    "external_ids",
    "name",
    "domain",
    "kind",
    "industry",
    "employee_range",
    "annual_revenue_amount",
    "annual_revenue_currency",
    "parent_id",
    "lifecycle_stage",
    "details",
    "match_keys",
    "search",
    "sort_name",
    "country",
    "latitude",
    "longitude",
    "team_id",
    "custom",
    "folded",
];

/// What is read of a company: not those columns by which companies are only found.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = companies, check_for_backend(diesel::pg::Pg))]
pub(crate) struct Row {
    pub(crate) workspace_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    deleted_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    source: String,
    source_channel: Option<String>,
    tags: Vec<String>,
    external_ids: Json<Vec<ExternalId>>,
    name: String,
    domain: Option<String>,
    kind: Option<String>,
    industry: Option<String>,
    employee_range: Option<String>,
    annual_revenue_amount: Option<Decimal>,
    annual_revenue_currency: Option<String>,
    parent_id: Option<Uuid>,
    lifecycle_stage: String,
    details: Json<Details>,
    pub(crate) sort_name: String,
    team_id: Option<Uuid>,
    custom: Json<CustomValues>,
}

/// All columns of a company, as they are written.
#[derive(Debug, Clone, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = companies, primary_key(workspace_id, id))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct NewRow {
    workspace_id: Uuid,
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    deleted_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    source: String,
    source_channel: Option<String>,
    tags: Vec<String>,
    external_ids: Json<Vec<ExternalId>>,
    name: String,
    domain: Option<String>,
    kind: Option<String>,
    industry: Option<String>,
    employee_range: Option<String>,
    annual_revenue_amount: Option<Decimal>,
    annual_revenue_currency: Option<String>,
    parent_id: Option<Uuid>,
    lifecycle_stage: String,
    details: Json<Details>,
    match_keys: Vec<String>,
    search: String,
    sort_name: String,
    country: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    team_id: Option<Uuid>,
    custom: Json<CustomValues>,
    folded: Json<BTreeMap<String, String>>,
}

/// What is only shown. What is missing or empty is left out: less for the database to read and to keep.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Details {
    legal_name: Option<String>,
    website: Option<String>,
    industry_code: Option<String>,
    tax_id: Option<String>,
    territory: Option<String>,
    default_currency: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emails: Vec<EmailAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phones: Vec<PhoneNumber>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<PostalAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    social_profiles: Vec<SocialProfile>,
}

impl NewRow {
    /// Whether it names a parent.
    pub(super) fn names_parent(&self) -> bool {
        self.parent_id.is_some()
    }

    /// The row of a company.
    pub(crate) fn of(workspace: Uuid, company: &Company) -> Self {
        let place = company.addresses.first();
        Self {
            workspace_id: workspace,
            id: company.id.uuid(),
            version: company.version,
            created_at: company.created_at,
            updated_at: company.updated_at,
            created_by: company.created_by,
            updated_by: company.updated_by,
            deleted_at: company.deleted_at,
            owner_id: company.owner_id.map(UserId::uuid),
            source: codes::word(&company.source),
            source_channel: company.source_channel.as_ref().map(codes::word),
            tags: company.tags.clone(),
            external_ids: Json(company.external_ids.clone()),
            name: company.name.clone(),
            domain: company.domain.clone(),
            kind: company.kind.as_ref().map(codes::word),
            industry: company.industry.clone(),
            employee_range: company.employee_range.as_ref().map(codes::word),
            annual_revenue_amount: company.annual_revenue_amount,
            annual_revenue_currency: company.annual_revenue_currency.clone(),
            parent_id: company.parent_id.map(CompanyId::uuid),
            lifecycle_stage: codes::word(&company.lifecycle_stage),
            match_keys: company.match_keys(),
            search: company.search_text(),
            sort_name: company.sort_name(),
            country: place.and_then(|place| place.country.clone()),
            latitude: place.and_then(|place| place.latitude),
            longitude: place.and_then(|place| place.longitude),
            team_id: company.team_id.map(TeamId::uuid),
            custom: Json(company.custom.clone()),
            folded: Json(company.folded()),
            details: Json(Details {
                legal_name: company.legal_name.clone(),
                website: company.website.clone(),
                industry_code: company.industry_code.clone(),
                tax_id: company.tax_id.clone(),
                territory: company.territory.clone(),
                default_currency: company.default_currency.clone(),
                emails: company.emails.clone(),
                phones: company.phones.clone(),
                addresses: company.addresses.clone(),
                social_profiles: company.social_profiles.clone(),
            }),
        }
    }
}

impl Row {
    /// The company of a row.
    pub(crate) fn into_company(self) -> Result<Company, StoreError> {
        let Json(details) = self.details;
        Ok(Company {
            id: CompanyId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            deleted_at: self.deleted_at,
            owner_id: self.owner_id.map(UserId::from_uuid),
            team_id: self.team_id.map(TeamId::from_uuid),
            source: codes::value(&self.source)?,
            source_channel: codes::optional(self.source_channel.as_deref())?,
            tags: self.tags,
            custom: self.custom.0,
            external_ids: self.external_ids.0,
            name: self.name,
            legal_name: details.legal_name,
            domain: self.domain,
            website: details.website,
            emails: details.emails,
            phones: details.phones,
            addresses: details.addresses,
            social_profiles: details.social_profiles,
            kind: codes::optional(self.kind.as_deref())?,
            industry: self.industry,
            industry_code: details.industry_code,
            employee_range: codes::optional(self.employee_range.as_deref())?,
            annual_revenue_amount: self.annual_revenue_amount.map(|amount| amount.normalize()),
            annual_revenue_currency: self.annual_revenue_currency,
            tax_id: details.tax_id,
            parent_id: self.parent_id.map(CompanyId::from_uuid),
            territory: details.territory,
            default_currency: details.default_currency,
            lifecycle_stage: codes::value(&self.lifecycle_stage)?,
            expanded: None,
        })
    }
}
