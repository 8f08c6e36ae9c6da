//! A lead as its table holds it: columns for what is searched, sorted or joined, one document for the rest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{CompanyId, ContactId, LeadId, LostReasonId, OpportunityId, TeamId, UserId},
    people::{
        company::EmployeeRange,
        contact_point::{EmailAddress, PhoneNumber, PostalAddress},
    },
    record::{Channel, ExternalId, Source},
    sales::lead::{Lead, Utm},
    workspace::custom_field::CustomValues,
};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::leads};

/// The columns, in their order.
pub(crate) const COLUMNS: &[&str] = &[
    "workspace_id",
    "id",
    "version",
    "created_at",
    "updated_at",
    "updated_by",
    "deleted_at",
    "owner_id",
    "team_id",
    "tags",
    "external_ids",
    "status",
    "status_class",
    "status_entered_at",
    "lead_source",
    "rating",
    "expected_amount",
    "currency",
    "lost_reason_id",
    "converted_contact_id",
    "converted_company_id",
    "converted_opportunity_id",
    "custom",
    "details",
    "match_keys",
    "search",
    "sort_name",
    "country",
    "latitude",
    "longitude",
    "folded",
];

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = leads, primary_key(workspace_id, id), check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Row {
    pub(crate) workspace_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    deleted_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    team_id: Option<Uuid>,
    tags: Vec<String>,
    external_ids: Json<Vec<ExternalId>>,
    status: String,
    status_class: String,
    status_entered_at: DateTime<Utc>,
    lead_source: Option<String>,
    rating: Option<String>,
    expected_amount: Option<Decimal>,
    currency: Option<String>,
    lost_reason_id: Option<Uuid>,
    converted_contact_id: Option<Uuid>,
    converted_company_id: Option<Uuid>,
    converted_opportunity_id: Option<Uuid>,
    custom: Json<CustomValues>,
    details: Json<Details>,
    pub(crate) match_keys: Vec<String>,
    search: String,
    pub(crate) sort_name: String,
    country: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    folded: Json<BTreeMap<String, String>>,
    /// Written by whoever scores leads, and by nobody else: a write that was read before must not bring an old one back.
    #[diesel(skip_insertion, skip_update)]
    #[serde(skip)]
    pub(super) score: Option<Decimal>,
}

/// What is only shown. What is missing or empty is left out: less for the database to read and to keep.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Details {
    created_by: Option<Uuid>,
    source: Source,
    source_channel: Option<Channel>,
    name: String,
    salutation: Option<String>,
    first_name: Option<String>,
    middle_name: Option<String>,
    last_name: Option<String>,
    job_title: Option<String>,
    company_name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emails: Vec<EmailAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phones: Vec<PhoneNumber>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<PostalAddress>,
    website: Option<String>,
    industry: Option<String>,
    employee_range: Option<EmployeeRange>,
    utm: Option<Utm>,
    lost_note: Option<String>,
    recycled_count: i64,
    converted_at: Option<DateTime<Utc>>,
}

impl Row {
    /// The row of a lead.
    pub(crate) fn of(workspace: Uuid, lead: &Lead) -> Self {
        let place = lead.addresses.first();
        Self {
            workspace_id: workspace,
            id: lead.id.uuid(),
            version: lead.version,
            created_at: lead.created_at,
            updated_at: lead.updated_at,
            updated_by: lead.updated_by,
            deleted_at: lead.deleted_at,
            owner_id: lead.owner_id.map(UserId::uuid),
            team_id: lead.team_id.map(TeamId::uuid),
            tags: lead.tags.clone(),
            external_ids: Json(lead.external_ids.clone()),
            status: lead.status.clone(),
            status_class: codes::word(&lead.status_class),
            status_entered_at: lead.status_entered_at,
            lead_source: lead.lead_source.as_ref().map(codes::word),
            rating: lead.rating.as_ref().map(codes::word),
            expected_amount: lead.expected_amount,
            currency: lead.currency.clone(),
            lost_reason_id: lead.lost_reason_id.map(LostReasonId::uuid),
            converted_contact_id: lead.converted_contact_id.map(ContactId::uuid),
            converted_company_id: lead.converted_company_id.map(CompanyId::uuid),
            converted_opportunity_id: lead.converted_opportunity_id.map(OpportunityId::uuid),
            custom: Json(lead.custom.clone()),
            match_keys: lead.match_keys(),
            search: lead.search_text(),
            sort_name: lead.sort_name(),
            country: place.and_then(|place| place.country.clone()),
            latitude: place.and_then(|place| place.latitude),
            longitude: place.and_then(|place| place.longitude),
            folded: Json(lead.folded()),
            score: lead.score.map(Decimal::from),
            details: Json(Details {
                created_by: lead.created_by,
                source: lead.source,
                source_channel: lead.source_channel,
                name: lead.name.clone(),
                salutation: lead.salutation.clone(),
                first_name: lead.first_name.clone(),
                middle_name: lead.middle_name.clone(),
                last_name: lead.last_name.clone(),
                job_title: lead.job_title.clone(),
                company_name: lead.company_name.clone(),
                emails: lead.emails.clone(),
                phones: lead.phones.clone(),
                addresses: lead.addresses.clone(),
                website: lead.website.clone(),
                industry: lead.industry.clone(),
                employee_range: lead.employee_range,
                utm: lead.utm.clone(),
                lost_note: lead.lost_note.clone(),
                recycled_count: lead.recycled_count,
                converted_at: lead.converted_at,
            }),
        }
    }

    /// The lead of a row.
    pub(crate) fn into_lead(self) -> Result<Lead, StoreError> {
        let Json(details) = self.details;
        Ok(Lead {
            id: LeadId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: details.created_by,
            updated_by: self.updated_by,
            deleted_at: self.deleted_at,
            owner_id: self.owner_id.map(UserId::from_uuid),
            team_id: self.team_id.map(TeamId::from_uuid),
            source: details.source,
            source_channel: details.source_channel,
            tags: self.tags,
            custom: self.custom.0,
            external_ids: self.external_ids.0,
            name: details.name,
            salutation: details.salutation,
            first_name: details.first_name,
            middle_name: details.middle_name,
            last_name: details.last_name,
            job_title: details.job_title,
            company_name: details.company_name,
            emails: details.emails,
            phones: details.phones,
            addresses: details.addresses,
            website: details.website,
            status: self.status,
            status_class: codes::value(&self.status_class)?,
            status_entered_at: self.status_entered_at,
            lead_source: codes::optional(self.lead_source.as_deref())?,
            rating: codes::optional(self.rating.as_deref())?,
            score: self.score.and_then(|score| score.to_i64()),
            industry: details.industry,
            employee_range: details.employee_range,
            expected_amount: self.expected_amount.map(|amount| amount.normalize()),
            currency: self.currency,
            utm: details.utm,
            lost_reason_id: self.lost_reason_id.map(LostReasonId::from_uuid),
            lost_note: details.lost_note,
            recycled_count: details.recycled_count,
            converted_at: details.converted_at,
            converted_contact_id: self.converted_contact_id.map(ContactId::from_uuid),
            converted_company_id: self.converted_company_id.map(CompanyId::from_uuid),
            converted_opportunity_id: self.converted_opportunity_id.map(OpportunityId::from_uuid),
            expanded: None,
        })
    }
}
