//! A contact as its table holds it: columns for what is searched, sorted or joined, one document for the rest.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{CompanyId, ContactId, TeamId, UserId},
    people::{
        contact::Contact,
        contact_point::{EmailAddress, PhoneNumber, PostalAddress, SocialProfile},
    },
    record::{Channel, ExternalId},
    workspace::custom_field::CustomValues,
};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::contacts};

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
    "first_name",
    "last_name",
    "job_title",
    "company_id",
    "birthday",
    "locale",
    "do_not_call",
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

/// What is read of a contact: not those columns by which contacts are only found.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = contacts, check_for_backend(diesel::pg::Pg))]
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
    first_name: Option<String>,
    last_name: Option<String>,
    job_title: Option<String>,
    company_id: Option<Uuid>,
    birthday: Option<NaiveDate>,
    locale: Option<String>,
    do_not_call: bool,
    lifecycle_stage: String,
    details: Json<Details>,
    pub(crate) match_keys: Vec<String>,
    pub(crate) sort_name: String,
    team_id: Option<Uuid>,
    custom: Json<CustomValues>,
}

/// All columns of a contact, as they are written.
#[derive(Debug, Clone, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = contacts, primary_key(workspace_id, id))]
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
    first_name: Option<String>,
    last_name: Option<String>,
    job_title: Option<String>,
    company_id: Option<Uuid>,
    birthday: Option<NaiveDate>,
    locale: Option<String>,
    do_not_call: bool,
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
    name: String,
    salutation: Option<String>,
    middle_name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emails: Vec<EmailAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phones: Vec<PhoneNumber>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<PostalAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    social_profiles: Vec<SocialProfile>,
    time_zone: Option<String>,
    preferred_channel: Option<Channel>,
}

impl NewRow {
    /// Whether it names a company.
    pub(super) fn names_company(&self) -> bool {
        self.company_id.is_some()
    }

    /// The row of a contact.
    pub(crate) fn of(workspace: Uuid, contact: &Contact) -> Self {
        let place = contact.addresses.first();
        Self {
            workspace_id: workspace,
            id: contact.id.uuid(),
            version: contact.version,
            created_at: contact.created_at,
            updated_at: contact.updated_at,
            created_by: contact.created_by,
            updated_by: contact.updated_by,
            deleted_at: contact.deleted_at,
            owner_id: contact.owner_id.map(UserId::uuid),
            source: codes::word(&contact.source),
            source_channel: contact.source_channel.as_ref().map(codes::word),
            tags: contact.tags.clone(),
            external_ids: Json(contact.external_ids.clone()),
            first_name: contact.first_name.clone(),
            last_name: contact.last_name.clone(),
            job_title: contact.job_title.clone(),
            company_id: contact.company_id.map(CompanyId::uuid),
            birthday: contact.birthday,
            locale: contact.locale.clone(),
            do_not_call: contact.do_not_call,
            lifecycle_stage: codes::word(&contact.lifecycle_stage),
            match_keys: contact.match_keys(),
            search: contact.search_text(),
            sort_name: contact.sort_name(),
            country: place.and_then(|place| place.country.clone()),
            latitude: place.and_then(|place| place.latitude),
            longitude: place.and_then(|place| place.longitude),
            team_id: contact.team_id.map(TeamId::uuid),
            custom: Json(contact.custom.clone()),
            folded: Json(contact.folded()),
            details: Json(Details {
                name: contact.name.clone(),
                salutation: contact.salutation.clone(),
                middle_name: contact.middle_name.clone(),
                emails: contact.emails.clone(),
                phones: contact.phones.clone(),
                addresses: contact.addresses.clone(),
                social_profiles: contact.social_profiles.clone(),
                time_zone: contact.time_zone.clone(),
                preferred_channel: contact.preferred_channel,
            }),
        }
    }
}

impl Row {
    /// The contact of a row.
    pub(crate) fn into_contact(self) -> Result<Contact, StoreError> {
        let Json(details) = self.details;
        Ok(Contact {
            id: ContactId::from_uuid(self.id),
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
            name: details.name,
            salutation: details.salutation,
            first_name: self.first_name,
            middle_name: details.middle_name,
            last_name: self.last_name,
            job_title: self.job_title,
            company_id: self.company_id.map(CompanyId::from_uuid),
            emails: details.emails,
            phones: details.phones,
            addresses: details.addresses,
            social_profiles: details.social_profiles,
            birthday: self.birthday,
            locale: self.locale,
            time_zone: details.time_zone,
            preferred_channel: details.preferred_channel,
            do_not_call: self.do_not_call,
            lifecycle_stage: codes::value(&self.lifecycle_stage)?,
            expanded: None,
        })
    }
}
