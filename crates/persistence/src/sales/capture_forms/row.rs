//! A capture form as its table holds it.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*};
use rapport_domain::{
    id::{CaptureFormId, TeamId, UserId},
    sales::capture_form::{CaptureConsent, CaptureDefaults, CaptureField, CaptureForm},
};
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::capture_forms};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = capture_forms, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct Row {
    workspace_id: Uuid,
    pub(super) id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    pub(super) name: String,
    key: String,
    active: bool,
    allowed_origins: Vec<String>,
    fields: Json<Vec<CaptureField>>,
    /// Without owner and team, which have columns of their own.
    defaults: Json<CaptureDefaults>,
    owner_id: Option<Uuid>,
    team_id: Option<Uuid>,
    on_duplicate: String,
    honeypot_field: Option<String>,
    proof_of_work_bits: i64,
    consent: Option<Json<CaptureConsent>>,
    redirect_url: Option<String>,
}

impl Row {
    pub(super) fn of(workspace: Uuid, form: &CaptureForm) -> Self {
        Self {
            workspace_id: workspace,
            id: form.id.uuid(),
            version: form.version,
            created_at: form.created_at,
            updated_at: form.updated_at,
            created_by: form.created_by,
            updated_by: form.updated_by,
            name: form.name.clone(),
            key: form.key.clone(),
            active: form.active,
            allowed_origins: form.allowed_origins.clone(),
            fields: Json(form.fields.clone()),
            defaults: Json(CaptureDefaults { owner_id: None, team_id: None, ..form.defaults.clone() }),
            owner_id: form.defaults.owner_id.map(UserId::uuid),
            team_id: form.defaults.team_id.map(TeamId::uuid),
            on_duplicate: codes::word(&form.on_duplicate),
            honeypot_field: form.honeypot_field.clone(),
            proof_of_work_bits: form.proof_of_work_bits,
            consent: form.consent.clone().map(Json),
            redirect_url: form.redirect_url.clone(),
        }
    }

    pub(super) fn into_form(self) -> Result<CaptureForm, StoreError> {
        Ok(CaptureForm {
            id: CaptureFormId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            key: self.key,
            active: self.active,
            allowed_origins: self.allowed_origins,
            fields: self.fields.0,
            defaults: CaptureDefaults {
                owner_id: self.owner_id.map(UserId::from_uuid),
                team_id: self.team_id.map(TeamId::from_uuid),
                ..self.defaults.0
            },
            on_duplicate: codes::value(&self.on_duplicate)?,
            honeypot_field: self.honeypot_field,
            proof_of_work_bits: self.proof_of_work_bits,
            consent: self.consent.map(|Json(consent)| consent),
            redirect_url: self.redirect_url,
        })
    }
}
