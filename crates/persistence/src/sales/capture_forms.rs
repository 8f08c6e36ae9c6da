//! Capture forms: what web pages send, and what leads are made of it.

mod challenges;
mod public;
mod row;
pub mod submissions;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diesel::{dsl::count_star, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::CaptureFormId,
    journal::{Changes, JournalEntry},
    problem::{FieldProblem, Invalid},
    record::RecordKind,
    sales::{
        capture_form::{CaptureForm, CaptureFormPatch, CaptureFormQuery, MOST_FORMS, NewCaptureForm},
        lead_status::LeadStatusClass,
    },
};
use uuid::Uuid;

use self::row::Row;
pub use self::{
    challenges::{forget, issue},
    public::{PublicForm, find},
};
use super::lead_statuses;
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    bulk::{Known, Referenced, References},
    error::in_use,
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    quota::Quota,
    require_version,
    schema::capture_forms,
    workspace::custom_fields,
};

const KIND: RecordKind = RecordKind::CaptureForm;

const QUOTA: Quota = Quota { of: "capture forms", most: MOST_FORMS, advice: "Delete one that is not used." };

/// What keys begin with.
const PREFIX: &str = "lf_";

/// Capture forms of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> capture_forms::BoxedQuery<'static, Pg> {
    capture_forms::table.filter(capture_forms::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One capture form.
pub fn get(reader: &mut Reader<'_>, id: CaptureFormId) -> Result<CaptureForm, StoreError> {
    let row: Option<Row> = visible(reader)
        .filter(capture_forms::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_form()
}

/// A page of the capture forms, by name.
pub fn list(reader: &mut Reader<'_>, query: &CaptureFormQuery) -> Result<Page<CaptureForm>, StoreError> {
    let request = PageRequest::read(reader, "list_capture_forms", query, query.limit, query.cursor.as_deref())?;
    let select = visible(reader).select(Row::as_select());
    let after = request.after::<String>()?;
    let select = seek!(select, "capture_forms.name", sql_types::Text, "capture_forms.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.name.clone(), row.id), Row::into_form)
}

/// Creates a capture form, with a key that nobody guesses.
pub fn create(writer: &mut Writer<'_>, new: NewCaptureForm) -> Result<CaptureForm, StoreError> {
    let key = new_key(writer)?;
    writer.transaction(|writer| {
        QUOTA.require_in_workspace(writer, |writer| visible(writer).select(count_star()).first(writer.pg()))?;
        let form = CaptureForm::create(new.clone(), CaptureFormId::mint(), key.clone(), writer.stamp())?;
        check(writer, &form, None)?;
        let entry = Entry::new(writer, KIND, "created", form.id.uuid(), Changes::of_new(&form), form.created_at);
        let row = Row::of(writer.workspace(), &form);
        let write = diesel::insert_into(capture_forms::table).values(row).returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_form()
    })
}

/// Changes a capture form. What was sent before stays as it was.
pub fn update(
    writer: &mut Writer<'_>,
    id: CaptureFormId,
    expected: Option<i64>,
    patch: &CaptureFormPatch,
) -> Result<CaptureForm, StoreError> {
    change(writer, id, expected, "updated", |writer, before| {
        let after = before.patch(patch.clone())?;
        check(writer, &after, Some(before))?;
        Ok(after)
    })
}

/// Gives a capture form another key: the one before leads nowhere from now on.
pub fn rotate(writer: &mut Writer<'_>, id: CaptureFormId, expected: Option<i64>) -> Result<CaptureForm, StoreError> {
    let key = new_key(writer)?;
    change(writer, id, expected, "key_rotated", |_, before| Ok(before.with_key(key.clone())))
}

/// Deletes a capture form for good, unless something was ever sent with it: that is evidence.
pub fn delete(writer: &mut Writer<'_>, id: CaptureFormId, expected: Option<i64>) -> Result<(), StoreError> {
    let form = get(writer, id)?;
    require_version(expected, form.version)?;
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&form), writer.now());
    let write = diesel::delete(capture_forms::table)
        .filter(capture_forms::workspace_id.eq(writer.workspace()))
        .filter(capture_forms::id.eq(id.uuid()))
        .filter(capture_forms::version.eq(form.version))
        .returning(Row::as_returning());
    let deleted = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional();
    let detail = "Something was sent with this form, which stays as evidence. Make the form inactive instead.";
    match deleted.map_err(|error| in_use(error, detail))? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// What happened to a capture form, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: CaptureFormId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

fn change(
    writer: &mut Writer<'_>,
    id: CaptureFormId,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &CaptureForm) -> Result<CaptureForm, StoreError>,
) -> Result<CaptureForm, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = apply(writer, &before)?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, verb, id.uuid(), changes, after.updated_at);
        let write = diesel::update(capture_forms::table)
            .filter(capture_forms::workspace_id.eq(writer.workspace()))
            .filter(capture_forms::id.eq(id.uuid()))
            .filter(capture_forms::version.eq(before.version))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        if let Some(row) = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
            return row.into_form();
        }
    }
    Err(StoreError::Contention)
}

/// A new key: it says whose form it is, so that no directory is needed to find it, and 128 bits that nobody guesses.
fn new_key(reader: &Reader<'_>) -> Result<String, StoreError> {
    let mut secret = [0_u8; 16];
    getrandom::fill(&mut secret).map_err(|error| StoreError::Internal(error.to_string()))?;
    let bytes = [reader.workspace().as_bytes().as_slice(), &secret].concat();
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The workspace whose form has this key; none when it can be no key.
fn workspace_of(key: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(key.strip_prefix(PREFIX)?).ok()?;
    if bytes.len() == 32 { Uuid::from_slice(bytes.get(..16)?).ok() } else { None }
}

/// Refuses a form that names what is not there, or that could never make a lead.
fn check(reader: &mut Reader<'_>, form: &CaptureForm, before: Option<&CaptureForm>) -> Result<(), StoreError> {
    let named = references(form);
    Known::find(reader, &named)?.require(&named, &before.map(references).unwrap_or_default())?;
    let mut problems = check_custom(reader, form)?;
    problems.extend(check_status(reader, form, before)?);
    if problems.is_empty() { Ok(()) } else { Err(Invalid::of(problems).into()) }
}

fn references(form: &CaptureForm) -> References {
    References::default().with("/defaults/owner_id", Referenced::User, form.defaults.owner_id).with(
        "/defaults/team_id",
        Referenced::Team,
        form.defaults.team_id,
    )
}

/// A form asks for custom fields that are there. Whether somebody has a unique value already is nothing to tell strangers.
fn check_custom(reader: &mut Reader<'_>, form: &CaptureForm) -> Result<Vec<FieldProblem>, StoreError> {
    let asked: Vec<(usize, &str)> = form.custom_keys().collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let fields = custom_fields::of(reader, Resource::Leads)?;
    let problem = |(index, key): (usize, &str)| {
        let (code, detail) = match fields.live().find(|field| field.key == key) {
            Some(field) if field.unique => {
                ("not_allowed", format!("The values of {key} are unique, and strangers would learn which there are."))
            }
            Some(_) => return None,
            None => ("unknown_field", format!("Leads have no custom field {key} that can be written.")),
        };
        Some(FieldProblem::at(format!("/fields/{index}/field"), code, detail))
    };
    Ok(asked.into_iter().filter_map(problem).collect())
}

fn check_status(
    reader: &mut Reader<'_>,
    form: &CaptureForm,
    before: Option<&CaptureForm>,
) -> Result<Option<FieldProblem>, StoreError> {
    let Some(key) = &form.defaults.status else { return Ok(None) };
    if before.is_some_and(|before| before.defaults.status.as_ref() == Some(key)) {
        return Ok(None);
    }
    let statuses = lead_statuses::of(reader)?;
    let is_fit = statuses
        .living()
        .any(|status| status.key == *key && !matches!(status.class, LeadStatusClass::Won | LeadStatusClass::Lost));
    let detail = "Leads can't begin with this status. Name the key of one of the class open, ongoing or on_hold.";
    Ok((!is_fit).then(|| FieldProblem::at("/defaults/status", "unknown_status", detail)))
}
