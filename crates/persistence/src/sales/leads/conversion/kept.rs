//! What is kept of conversions, in the table `lead_conversions`.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*};
use rapport_domain::{
    id::LeadId,
    sales::lead::{CompanyPart, ContactPart, ConversionTarget, ConvertedRecord, Lead, NotCarried, StatusBefore},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Reader, StoreError, Writer, json::Json, schema::lead_conversions};

/// What is kept of a conversion.
pub(super) struct Kept {
    status: String,
    status_entered_at: DateTime<Utc>,
    details: Details,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Details {
    records: Vec<ConvertedRecord>,
    /// What a contact was given that was there.
    contact: ContactPart,
    /// What a company was given that was there.
    company: CompanyPart,
    not_carried: Vec<NotCarried>,
    /// Tasks that were about the lead.
    #[serde(default)]
    moved_tasks: Vec<Uuid>,
    /// Notes that were about the lead.
    #[serde(default)]
    moved_notes: Vec<Uuid>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = lead_conversions, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    lead_id: Uuid,
    version: i64,
    converted_at: DateTime<Utc>,
    reverted_at: Option<DateTime<Utc>>,
    status: String,
    status_entered_at: DateTime<Utc>,
    details: Json<Details>,
}

impl Kept {
    /// Of a lead that is about to be converted.
    pub(super) fn new(lead: &Lead) -> Self {
        Self { status: lead.status.clone(), status_entered_at: lead.status_entered_at, details: Details::default() }
    }

    pub(super) fn became(&mut self, record: ConvertedRecord) {
        self.details.records.push(record);
    }

    pub(super) fn gave_contact(&mut self, given: ContactPart) {
        self.details.contact = given;
    }

    pub(super) fn gave_company(&mut self, given: CompanyPart) {
        self.details.company = given;
    }

    pub(super) fn not_carried(&mut self, fields: Vec<NotCarried>) {
        self.details.not_carried = fields;
    }

    /// The record of this kind that the lead became.
    pub(super) fn record(&self, kind: ConversionTarget) -> Option<&ConvertedRecord> {
        self.records().iter().find(|record| record.kind == kind)
    }

    pub(super) fn records(&self) -> &[ConvertedRecord] {
        &self.details.records
    }

    pub(super) fn moved(&mut self, tasks: Vec<Uuid>, notes: Vec<Uuid>) {
        self.details.moved_tasks = tasks;
        self.details.moved_notes = notes;
    }

    pub(super) fn moved_tasks(&self) -> &[Uuid] {
        &self.details.moved_tasks
    }

    pub(super) fn moved_notes(&self) -> &[Uuid] {
        &self.details.moved_notes
    }

    pub(super) fn given_to_contact(&self) -> &ContactPart {
        &self.details.contact
    }

    pub(super) fn given_to_company(&self) -> &CompanyPart {
        &self.details.company
    }

    pub(super) fn status_before(&self) -> StatusBefore {
        StatusBefore { key: self.status.clone(), entered_at: self.status_entered_at }
    }

    pub(super) fn into_told(self) -> (Vec<ConvertedRecord>, Vec<NotCarried>) {
        (self.details.records, self.details.not_carried)
    }
}

/// The conversion of a lead that holds.
pub(super) fn living(reader: &mut Reader<'_>, lead: LeadId) -> Result<Kept, StoreError> {
    let row: Option<Row> = lead_conversions::table
        .filter(lead_conversions::workspace_id.eq(reader.workspace()))
        .filter(lead_conversions::lead_id.eq(lead.uuid()))
        .filter(lead_conversions::reverted_at.is_null())
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    let row = row.ok_or_else(|| StoreError::Internal(format!("nothing is kept of the conversion of lead {lead}")))?;
    Ok(Kept { status: row.status, status_entered_at: row.status_entered_at, details: row.details.0 })
}

/// Keeps a conversion of the lead, as it is since then.
pub(super) fn begin(writer: &mut Writer<'_>, lead: &Lead, kept: &Kept) -> Result<(), StoreError> {
    let row = Row {
        workspace_id: writer.workspace(),
        lead_id: lead.id.uuid(),
        version: lead.version,
        converted_at: lead.converted_at.unwrap_or(lead.updated_at),
        reverted_at: None,
        status: kept.status.clone(),
        status_entered_at: kept.status_entered_at,
        details: Json(kept.details.clone()),
    };
    diesel::insert_into(lead_conversions::table).values(row).execute(writer.pg())?;
    Ok(())
}

/// Notes that the conversion of a lead was taken back.
pub(super) fn end(writer: &mut Writer<'_>, lead: LeadId) -> Result<(), StoreError> {
    let now = writer.now();
    diesel::update(lead_conversions::table)
        .filter(lead_conversions::workspace_id.eq(writer.workspace()))
        .filter(lead_conversions::lead_id.eq(lead.uuid()))
        .filter(lead_conversions::reverted_at.is_null())
        .set(lead_conversions::reverted_at.eq(now))
        .execute(writer.pg())?;
    Ok(())
}
