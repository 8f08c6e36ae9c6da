//! Imports: rows of a file become records, chunk by chunk, and `imports` keeps how far each file has come.
//!
//! A chunk is one transaction: its records, their journal entries and the step of the run. So a run that was killed goes
//! on where it stopped, and nothing is lost or doubled. `contacts::import` and `companies::import` write a chunk.

mod chunk;
mod imported;

use chrono::{DateTime, Utc};
use diesel::{connection::SimpleConnection, prelude::*, sql_query, sql_types};
use rapport_domain::{
    id::ImportId,
    people::PeopleResource,
    people::duplicate::OnDuplicate,
    problem::{FieldProblem, Invalid},
};
use uuid::Uuid;

pub(crate) use self::{
    chunk::{apply, reserve},
    imported::Imported,
};
use crate::{StoreError, Writer, schema::imports};

/// The outside system under whose name the ids of imported files are kept.
pub(crate) const CONNECTION: &str = rapport_domain::commerce::connection::IMPORT;

/// SHA-256 over a file and all that decides how it is read.
pub type Fingerprint = [u8; 32];

/// What a row would become: a new record, or changes to one that is known.
#[derive(Debug)]
pub struct Draft<Record, Patch> {
    /// The record, or what is wrong with it as a new one.
    pub fresh: Result<Record, Invalid>,
    /// The same as changes: what the row says of a record that is known.
    pub patch: Patch,
    /// Match key of the first e-mail address.
    pub email_key: Option<String>,
    /// The id under which the system that wrote the file knows the record.
    pub external_id: Option<String>,
}

/// By what rows are recognised as records that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchBy {
    /// By their first e-mail address.
    Email,
    /// By their external id, as an earlier import left it.
    ExternalId,
}

/// How rows are treated.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Rows of known records change them. Without it every row is a new record.
    pub match_by: Option<MatchBy>,
    /// Whether a new record may have the mailbox or line of another. Only looked at where rows are not matched.
    pub on_duplicate: OnDuplicate,
    /// Nothing will be kept, so nobody needs to wait for it.
    pub rehearsal: bool,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Created,
    Updated,
    Unchanged,
    Refused(Vec<FieldProblem>),
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub failed: u64,
    /// Bytes of the errors file that go with these rows.
    pub errors_length: u64,
}

/// A run of an import.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub id: ImportId,
    pub tally: Tally,
}

/// What is known of a file when an import of it starts.
#[derive(Clone, Copy, Debug)]
pub enum Begun {
    /// It is imported from its first row on.
    New(Run),
    /// An earlier run was interrupted, and this one goes on.
    Resumed(Run),
    /// It was imported already, at this time.
    DoneBefore(DateTime<Utc>),
}

/// Keeps others from importing the same file until [`unlock`] or the end of the connection. False if others do.
pub fn lock(writer: &mut Writer<'_>, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
    advisory(writer, "pg_try_advisory_lock", fingerprint)
}

/// Lets others import the file again.
pub fn unlock(writer: &mut Writer<'_>, fingerprint: &Fingerprint) -> Result<(), StoreError> {
    advisory(writer, "pg_advisory_unlock", fingerprint).map(drop)
}

/// Goes on with the unfinished run of a file, or starts one; with `repeat` even of a file that was imported already.
pub fn begin(
    writer: &mut Writer<'_>,
    kind: PeopleResource,
    fingerprint: &Fingerprint,
    repeat: bool,
) -> Result<Begun, StoreError> {
    let runs = imports::table
        .filter(imports::workspace_id.eq(writer.workspace()))
        .filter(imports::fingerprint.eq(fingerprint.as_slice()))
        .order(imports::finished_at.desc().nulls_first())
        .select(Row::as_select());
    match runs.first(writer.pg()).optional()? {
        Some(Row { finished_at: Some(at), .. }) if !repeat => return Ok(Begun::DoneBefore(at)),
        Some(row @ Row { finished_at: None, .. }) => return Ok(Begun::Resumed(row.into_run())),
        _ => {}
    }
    let id = ImportId::mint();
    let start = (
        imports::workspace_id.eq(writer.workspace()),
        imports::id.eq(id.uuid()),
        imports::record_kind.eq(kind.resource().kind().as_str()),
        imports::fingerprint.eq(fingerprint.as_slice()),
        imports::started_at.eq(writer.now()),
    );
    let nothing = (
        imports::rows_done.eq(0),
        imports::created.eq(0),
        imports::updated.eq(0),
        imports::unchanged.eq(0),
        imports::failed.eq(0),
        imports::errors_length.eq(0),
    );
    diesel::insert_into(imports::table).values((start, nothing)).execute(writer.pg())?;
    Ok(Begun::New(Run { id, tally: Tally::default() }))
}

/// Notes how far a run has come, in the transaction that writes the rows. Fails if somebody else moved it on.
pub fn advance(writer: &mut Writer<'_>, run: &Run, tally: &Tally) -> Result<(), StoreError> {
    let moved = diesel::update(imports::table)
        .filter(imports::workspace_id.eq(writer.workspace()))
        .filter(imports::id.eq(run.id.uuid()))
        .filter(imports::rows_done.eq(signed(run.tally.rows)))
        .filter(imports::finished_at.is_null())
        .set((
            imports::rows_done.eq(signed(tally.rows)),
            imports::created.eq(signed(tally.created)),
            imports::updated.eq(signed(tally.updated)),
            imports::unchanged.eq(signed(tally.unchanged)),
            imports::failed.eq(signed(tally.failed)),
            imports::errors_length.eq(signed(tally.errors_length)),
        ))
        .execute(writer.pg())?;
    if moved == 1 { Ok(()) } else { Err(running_elsewhere()) }
}

/// Notes that a run is done.
pub fn finish(writer: &mut Writer<'_>, run: &Run) -> Result<(), StoreError> {
    let now = writer.now();
    let moved = diesel::update(imports::table)
        .filter(imports::workspace_id.eq(writer.workspace()))
        .filter(imports::id.eq(run.id.uuid()))
        .filter(imports::rows_done.eq(signed(run.tally.rows)))
        .filter(imports::finished_at.is_null())
        .set(imports::finished_at.eq(now))
        .execute(writer.pg())?;
    if moved == 1 { Ok(()) } else { Err(running_elsewhere()) }
}

/// Tells the planner what a table looks like that has just been filled. Until it knows, it expects that few records are of
/// one workspace, and looks through all of them where it should look for one.
pub fn refresh_statistics(writer: &mut Writer<'_>, kind: PeopleResource) -> Result<(), StoreError> {
    let table = match kind {
        PeopleResource::Contacts => "contacts (workspace_id, id, deleted_at)",
        PeopleResource::Companies => "companies (workspace_id, id, deleted_at)",
    };
    let ids = "external_ids (workspace_id, connection, record_kind, external_id)";
    Ok(writer.pg().batch_execute(&format!("ANALYZE {table}, {ids}"))?)
}

fn running_elsewhere() -> StoreError {
    let detail = "Another import of the same file is running. Wait until it is done.".to_owned();
    StoreError::Conflict { code: "import_running", detail }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = sql_types::Bool)]
    answer: bool,
}

/// Calls a function on the lock of a file. Locks belong to the connection, so they end with the process that holds them.
fn advisory(writer: &mut Writer<'_>, function: &str, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
    let name = format!("import of {} in {}", hex::encode(fingerprint), writer.workspace());
    let answer: Answer = sql_query(format!("SELECT {function}(hashtextextended($1, 0)) AS answer"))
        .bind::<sql_types::Text, _>(name)
        .get_result(writer.pg())?;
    Ok(answer.answer)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = imports, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    rows_done: i64,
    created: i64,
    updated: i64,
    unchanged: i64,
    failed: i64,
    errors_length: i64,
    finished_at: Option<DateTime<Utc>>,
}

impl Row {
    fn into_run(self) -> Run {
        let tally = Tally {
            rows: self.rows_done.unsigned_abs(),
            created: self.created.unsigned_abs(),
            updated: self.updated.unsigned_abs(),
            unchanged: self.unchanged.unsigned_abs(),
            failed: self.failed.unsigned_abs(),
            errors_length: self.errors_length.unsigned_abs(),
        };
        Run { id: ImportId::from_uuid(self.id), tally }
    }
}
