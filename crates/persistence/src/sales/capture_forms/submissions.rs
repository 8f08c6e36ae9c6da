//! What is sent with capture forms: it becomes a lead, and is kept as it was. Lines are only ever added.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{CaptureFormId, CaptureSubmissionId, LeadId},
    people::duplicate::OnDuplicate,
    problem::Invalid,
    record::Channel,
    sales::{
        capture_form::{
            CaptureForm, OnKnownPerson,
            submission::{
                ConsentEvidence, FormSubmission, ProofOfWork, SubmissionQuery, SubmissionResult, SubmittedValue,
            },
        },
        lead::{Lead, NewLead, Utm},
        lead_status::{LeadStatusClass, LeadStatuses},
    },
    workspace::user::UserState,
};
use uuid::Uuid;

use super::challenges;
use crate::{
    Page, Reader, StoreError, Writer, codes,
    json::Json,
    page::{PageRequest, seek},
    people::{Deleted, duplicates::lock_keys},
    sales::{lead_statuses, leads},
    schema::{self, capture_submissions},
    workspace::{custom_fields, custom_values, users},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = capture_submissions, check_for_backend(Pg), treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    form_id: Uuid,
    form_version: i64,
    lead_id: Uuid,
    result: String,
    received_at: DateTime<Utc>,
    values: Json<Vec<SubmittedValue>>,
    utm: Option<Json<Utm>>,
    page_url: Option<String>,
    consent: Option<Json<ConsentEvidence>>,
    address: Option<String>,
    user_agent: Option<String>,
}

impl Row {
    fn into_submission(self) -> Result<FormSubmission, StoreError> {
        Ok(FormSubmission {
            id: CaptureSubmissionId::from_uuid(self.id),
            form_id: CaptureFormId::from_uuid(self.form_id),
            form_version: self.form_version,
            lead_id: LeadId::from_uuid(self.lead_id),
            result: codes::value(&self.result)?,
            received_at: self.received_at,
            values: self.values.0,
            utm: self.utm.map(|Json(utm)| utm),
            page_url: self.page_url,
            consent: self.consent.map(|Json(consent)| consent),
            address: self.address,
            user_agent: self.user_agent,
        })
    }
}

/// A submission that was read and whose lead fits the schema of one.
#[derive(Clone, Debug)]
pub struct Submitted {
    pub lead: NewLead,
    pub values: Vec<SubmittedValue>,
    pub consent: Option<ConsentEvidence>,
    pub page_url: Option<String>,
    pub proof: Option<ProofOfWork>,
    pub user_agent: Option<String>,
}

/// Takes a submission: it becomes a lead, or is added to one, and is kept. Whoever sent it learns the same either way, and what
/// is wrong with it is wrong whoever they are.
pub fn submit(writer: &mut Writer<'_>, form: &CaptureForm, submitted: &Submitted) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        challenges::spend(writer, form, submitted.proof.as_ref())?;
        let utm = submitted.lead.utm.clone();
        let new = with_defaults(writer, form, submitted.lead.clone())?;
        let keys = judge(writer, &new)?.match_keys();
        let known = match form.on_duplicate {
            OnKnownPerson::AddToLead if !keys.is_empty() => {
                lock_keys(writer, &keys)?;
                writer.by_rule(|writer| leads::newest_open_with(writer, &keys))?
            }
            OnKnownPerson::AddToLead | OnKnownPerson::CreateLead => None,
        };
        let id = CaptureSubmissionId::mint();
        let (lead, result) = match known {
            Some(lead) => {
                leads::note_submission(writer, lead, id)?;
                (lead, SubmissionResult::AddedToLead)
            }
            None => (leads::create(writer, new, OnDuplicate::Allow)?.id, SubmissionResult::LeadCreated),
        };
        let row = Row {
            workspace_id: writer.workspace(),
            id: id.uuid(),
            form_id: form.id.uuid(),
            form_version: form.version,
            lead_id: lead.uuid(),
            result: codes::word(&result),
            received_at: writer.stamp().at,
            values: Json(submitted.values.clone()),
            utm: utm.map(Json),
            page_url: submitted.page_url.clone(),
            consent: submitted.consent.clone().map(Json),
            address: writer.scope().address().map(ToOwned::to_owned),
            user_agent: submitted.user_agent.clone(),
        };
        diesel::insert_into(capture_submissions::table).values(row).execute(writer.pg())?;
        Ok(())
    })
}

/// The lead with what the form does not ask. What has become unfit since the form was made is left out: no stranger can mend
/// it.
fn with_defaults(writer: &mut Writer<'_>, form: &CaptureForm, mut new: NewLead) -> Result<NewLead, StoreError> {
    let defaults = &form.defaults;
    let owner = match defaults.owner_id {
        Some(owner) => {
            let states = users::states(writer, &[owner.uuid()])?;
            Some(owner).filter(|owner| states.get(&owner.uuid()) == Some(&UserState::Active))
        }
        None => None,
    };
    new.owner_id = owner.map(Some);
    new.team_id = defaults.team_id.map(Some);
    new.tags.clone_from(&defaults.tags);
    new.lead_source = defaults.lead_source;
    new.source_channel = Some(defaults.source_channel.unwrap_or(Channel::Web));
    if let Some(key) = &defaults.status {
        let statuses = lead_statuses::of(writer)?;
        new.status = Some(key.clone()).filter(|key| can_begin_with(&statuses, key));
    }
    if !new.custom.is_empty() {
        let fields = custom_fields::of(writer, Resource::Leads)?;
        // By now archived, or unique, so that strangers would learn which values there are.
        new.custom.retain(|key, _| fields.live().any(|field| field.key == *key && !field.unique));
    }
    Ok(new)
}

fn can_begin_with(statuses: &LeadStatuses, key: &str) -> bool {
    let is_open = |class| !matches!(class, LeadStatusClass::Won | LeadStatusClass::Lost);
    statuses.living().any(|status| status.key == key && is_open(status.class))
}

/// The lead as it would be, or everything that is wrong with it.
fn judge(writer: &mut Writer<'_>, new: &NewLead) -> Result<Lead, StoreError> {
    let custom = custom_values::judge_new(writer, Resource::Leads, &new.custom)?;
    let statuses = lead_statuses::of(writer)?;
    let lead = Lead::create(new.clone(), &statuses, LeadId::mint(), writer.stamp(), writer.scope().country());
    Ok(Invalid::or_both(lead, custom)?.0)
}

/// A page of what was sent with a form, the newest first: of those leads that the caller may see.
pub fn of_form(
    reader: &mut Reader<'_>,
    form: CaptureFormId,
    query: &SubmissionQuery,
) -> Result<Page<FormSubmission>, StoreError> {
    super::get(reader, form)?;
    let seen = leads::visible(reader, Deleted::Include).select(schema::leads::id);
    let of_form = capture_submissions::table
        .filter(capture_submissions::workspace_id.eq(reader.workspace()))
        .filter(capture_submissions::form_id.eq(form.uuid()))
        .filter(capture_submissions::lead_id.eq_any(seen))
        .select(Row::as_select())
        .into_boxed();
    page(reader, "list_capture_form_submissions", form.uuid(), of_form, query)
}

/// A page of what was sent with forms for a lead, the newest first; also of one that was deleted.
pub fn of_lead(
    reader: &mut Reader<'_>,
    lead: LeadId,
    query: &SubmissionQuery,
) -> Result<Page<FormSubmission>, StoreError> {
    leads::get(reader, lead, Deleted::Include, &[])?;
    let of_lead = capture_submissions::table
        .filter(capture_submissions::workspace_id.eq(reader.workspace()))
        .filter(capture_submissions::lead_id.eq(lead.uuid()))
        .select(Row::as_select())
        .into_boxed();
    page(reader, "list_lead_submissions", lead.uuid(), of_lead, query)
}

type Selected<'q> =
    diesel::dsl::IntoBoxed<'q, diesel::dsl::Select<capture_submissions::table, diesel::dsl::AsSelect<Row, Pg>>, Pg>;

fn page(
    reader: &mut Reader<'_>,
    operation: &'static str,
    of: Uuid,
    select: Selected<'_>,
    query: &SubmissionQuery,
) -> Result<Page<FormSubmission>, StoreError> {
    let request = PageRequest::read(reader, operation, &of, query.limit, query.cursor.as_deref())?;
    let after = request.after::<DateTime<Utc>>()?;
    let select = seek!(
        select,
        "capture_submissions.received_at",
        sql_types::Timestamptz,
        "capture_submissions.id",
        Direction::Descending,
        after
    );
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    let mut page = request.page(reader, rows, |row| (row.received_at, row.id), Row::into_submission)?;
    page.data.iter_mut().for_each(|submission| submission.close(reader.grants()));
    Ok(page)
}
