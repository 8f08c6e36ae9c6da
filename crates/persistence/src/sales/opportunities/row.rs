//! An opportunity as its table holds it: columns for what is searched, sorted, joined or reckoned with, one document for
//! the rest.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{CompanyId, LeadId, LostReasonId, OpportunityId, PipelineId, StageId, TeamId, UserId},
    record::ExternalId,
    sales::{
        lead::LeadSource,
        opportunity::{AmountSource, Line, Opportunity, OpportunityContact, OpportunityType, RecurringRevenue},
        pipeline::StageClass,
    },
    workspace::custom_field::CustomValues,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::opportunities};

/// The columns, in their order.
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
    "team_id",
    "source",
    "tags",
    "external_ids",
    "custom",
    "name",
    "company_id",
    "contact_ids",
    "pipeline_id",
    "stage_id",
    "stage_class",
    "stage_entered_at",
    "probability",
    "forecast_category",
    "amount",
    "currency",
    "close_date",
    "closed_at",
    "lost_reason_id",
    "details",
    "search",
    "sort_name",
    "folded",
];

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = opportunities, primary_key(workspace_id, id), check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
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
    team_id: Option<Uuid>,
    source: String,
    tags: Vec<String>,
    external_ids: Json<Vec<ExternalId>>,
    custom: Json<CustomValues>,
    name: String,
    company_id: Option<Uuid>,
    contact_ids: Vec<Uuid>,
    pipeline_id: Uuid,
    stage_id: Uuid,
    stage_class: String,
    stage_entered_at: DateTime<Utc>,
    probability: i16,
    forecast_category: String,
    amount: Option<Decimal>,
    currency: Option<String>,
    pub(crate) close_date: Option<NaiveDate>,
    closed_at: Option<DateTime<Utc>>,
    lost_reason_id: Option<Uuid>,
    details: Json<Details>,
    search: String,
    pub(crate) sort_name: String,
    folded: Json<BTreeMap<String, String>>,
}

/// What is only shown. What is missing or empty is left out: less for the database to read and to keep.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Details {
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<OpportunityContact>,
    amount_source: AmountSource,
    expected_amount: Option<Decimal>,
    recurring: Option<RecurringRevenue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Line>,
    #[serde(rename = "type")]
    kind: Option<OpportunityType>,
    lead_source: Option<LeadSource>,
    originating_lead_id: Option<LeadId>,
    next_step: Option<String>,
    lost_note: Option<String>,
}

impl Row {
    /// The row of an opportunity.
    pub(crate) fn of(workspace: Uuid, opportunity: &Opportunity) -> Self {
        Self {
            workspace_id: workspace,
            id: opportunity.id.uuid(),
            version: opportunity.version,
            created_at: opportunity.created_at,
            updated_at: opportunity.updated_at,
            created_by: opportunity.created_by,
            updated_by: opportunity.updated_by,
            deleted_at: opportunity.deleted_at,
            owner_id: opportunity.owner_id.map(UserId::uuid),
            team_id: opportunity.team_id.map(TeamId::uuid),
            source: codes::word(&opportunity.source),
            tags: opportunity.tags.clone(),
            external_ids: Json(opportunity.external_ids.clone()),
            custom: Json(opportunity.custom.clone()),
            name: opportunity.name.clone(),
            company_id: opportunity.company_id.map(CompanyId::uuid),
            contact_ids: opportunity.contact_ids().map(Uuid::from).collect(),
            pipeline_id: opportunity.pipeline_id.uuid(),
            stage_id: opportunity.stage_id.uuid(),
            stage_class: codes::word(&opportunity.stage_class),
            stage_entered_at: opportunity.stage_entered_at,
            probability: opportunity.probability,
            forecast_category: codes::word(&opportunity.forecast_category),
            amount: opportunity.amount,
            currency: opportunity.currency.clone(),
            close_date: opportunity.close_date,
            closed_at: opportunity.closed_at,
            lost_reason_id: opportunity.lost_reason_id.map(LostReasonId::uuid),
            details: Json(Details {
                description: opportunity.description.clone(),
                contacts: opportunity.contacts.clone(),
                amount_source: opportunity.amount_source,
                expected_amount: opportunity.expected_amount,
                recurring: opportunity.recurring.clone(),
                lines: opportunity.lines.clone(),
                kind: opportunity.kind,
                lead_source: opportunity.lead_source,
                originating_lead_id: opportunity.originating_lead_id,
                next_step: opportunity.next_step.clone(),
                lost_note: opportunity.lost_note.clone(),
            }),
            search: opportunity.search_text(),
            sort_name: opportunity.sort_name(),
            folded: Json(opportunity.folded()),
        }
    }

    /// The opportunity of a row.
    pub(crate) fn into_opportunity(self) -> Result<Opportunity, StoreError> {
        let Json(details) = self.details;
        let stage_class: StageClass = codes::value(&self.stage_class)?;
        Ok(Opportunity {
            id: OpportunityId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            deleted_at: self.deleted_at,
            owner_id: self.owner_id.map(UserId::from_uuid),
            team_id: self.team_id.map(TeamId::from_uuid),
            source: codes::value(&self.source)?,
            tags: self.tags,
            custom: self.custom.0,
            external_ids: self.external_ids.0,
            name: self.name,
            description: details.description,
            company_id: self.company_id.map(CompanyId::from_uuid),
            contacts: details.contacts,
            pipeline_id: PipelineId::from_uuid(self.pipeline_id),
            stage_id: StageId::from_uuid(self.stage_id),
            stage_class,
            stage_entered_at: self.stage_entered_at,
            probability: self.probability,
            forecast_category: codes::value(&self.forecast_category)?,
            amount: in_digits(self.amount, self.currency.as_deref()),
            expected_amount: in_digits(details.expected_amount, self.currency.as_deref()),
            currency: self.currency,
            amount_source: details.amount_source,
            recurring: details.recurring,
            lines: details.lines,
            kind: details.kind,
            lead_source: details.lead_source,
            originating_lead_id: details.originating_lead_id,
            close_date: self.close_date,
            next_step: details.next_step,
            won_at: self.closed_at.filter(|_| stage_class == StageClass::Won),
            lost_at: self.closed_at.filter(|_| stage_class == StageClass::Lost),
            closed_at: self.closed_at,
            lost_reason_id: self.lost_reason_id.map(LostReasonId::from_uuid),
            lost_note: details.lost_note,
            expanded: None,
        })
    }
}

/// An amount as it was written: the database keeps four decimals, whatever the currency has.
fn in_digits(amount: Option<Decimal>, currency: Option<&str>) -> Option<Decimal> {
    amount.zip(currency).map(|(amount, currency)| rapport_domain::money::round(amount, currency))
}
