//! Importing CSV files.
//!
//! One thread reads the file and judges its rows while two others write the chunks before to the database, so that memory
//! stays the same however long the file is. Each chunk is one transaction, which also notes how far the run has come:
//! an import that was killed goes on where it stopped when it is started again.

mod drive;
mod error;
mod errors_file;
mod kind;
mod relay;
mod rows;
mod source;
mod terminal;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use rapport_domain::{
    people::PeopleResource,
    people::{duplicate::OnDuplicate, import::Mapping},
    problem::FieldProblem,
    record::Source as Origin,
    workspace::custom_field::CustomFields,
};
pub use rapport_persistence::import::{MatchBy, Tally};
use rapport_persistence::{
    Db, Scope, StoreError,
    workspace::{custom_fields, workspaces::Workspace},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::{
    drive::{Job, drive},
    kind::{Companies, Contacts, Judge},
    rows::Rows,
    source::Source,
};
pub use self::{error::ImportError, terminal::Terminal};

/// Judges a row by the published schema of the new record; empty when nothing is wrong. Writes numbers as the schema means
/// them.
pub type Check = Arc<dyn Fn(&mut Value) -> Vec<FieldProblem> + Send + Sync>;

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the rows are.
    pub kind: PeopleResource,
    /// The CSV file. It is read twice, so it can't be a pipe.
    pub file: PathBuf,
    /// Pairs of heading and field that go before what is recognised: `("Firma", "name")`.
    pub map: Vec<(String, String)>,
    /// By what rows are recognised as records that are known; without it every row is a new record.
    pub match_by: Option<MatchBy>,
    /// Whether a new record may have the mailbox or line of another.
    pub on_duplicate: OnDuplicate,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Import a file a second time, without matching.
    pub again: bool,
    /// Where the problems go, as CSV; nowhere without it.
    pub errors: Option<PathBuf>,
    /// Rows of a transaction; [`CHUNK_ROWS`] unless there is a reason.
    pub chunk_rows: usize,
}

/// Rows of a transaction.
pub const CHUNK_ROWS: usize = 1_000;

impl Options {
    /// A plain import of a file: no matching, duplicates refused, no errors file.
    pub fn new(kind: PeopleResource, file: impl Into<PathBuf>) -> Self {
        Self {
            kind,
            file: file.into(),
            map: Vec::new(),
            match_by: None,
            on_duplicate: OnDuplicate::Refuse,
            dry_run: false,
            again: false,
            errors: None,
            chunk_rows: CHUNK_ROWS,
        }
    }
}

/// Hears how an import goes. Called from the threads of the import.
pub trait Progress: Send + Sync {
    /// The file has so many bytes.
    fn start(&self, bytes: u64);
    /// A sentence for the person who waits.
    fn note(&self, text: &str);
    /// A row was refused; a row with several problems is told several times.
    fn problem(&self, problem: &Problem);
    /// A chunk is written. False stops the import; started again it goes on from there.
    fn advance(&self, step: &Step) -> bool;
    /// No more will be heard.
    fn end(&self);
}

/// How far an import has come.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Bytes that were read of the file; reading is ahead of writing.
    pub bytes: u64,
    /// Rows that this process has done.
    pub rows_now: u64,
    /// Of all rows done, those of an interrupted import before this one too.
    pub tally: Tally,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the file on which the row starts; the first is 1.
    pub line: u64,
    /// Heading of the column; empty when it is about the row as a whole.
    pub column: String,
    /// Stable code for programs.
    pub code: String,
    /// What is wrong and what to do about it.
    pub reason: String,
    /// The cell, shortened.
    pub value: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, reason, value, .. } = self;
        match column.as_str() {
            "" => write!(formatter, "line {line}: {reason}"),
            column => write!(formatter, "line {line}, {column} {value:?}: {reason}"),
        }
    }
}

/// What came of an import.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of all rows done, those of an interrupted import before this one too.
    pub tally: Tally,
    /// Rows that an interrupted import had done.
    pub resumed_at: u64,
    /// Headings of the columns that were not imported.
    pub unmapped: Vec<String>,
    /// The progress sink asked to stop before the end.
    pub stopped: bool,
    pub dry_run: bool,
    /// From the first look at the file to the last commit.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { rows, created, updated, unchanged, failed, .. } = self.tally;
        let (would, state) = match (self.dry_run, self.stopped) {
            (true, _) => ("would be ", ""),
            (false, true) => ("", " so far"),
            (false, false) => ("", ""),
        };
        write!(
            formatter,
            "{rows} rows{state}: {would}{created} created, {updated} updated, {unchanged} unchanged, {failed} failed"
        )?;
        let rate = (rows - self.resumed_at) as f64 / self.took.as_secs_f64().max(0.001);
        write!(formatter, " ({:.1} s, {rate:.0} rows/s)", self.took.as_secs_f64())
    }
}

/// Imports a file into a workspace. Good rows go in, bad ones are told to `progress` and the errors file.
pub async fn import(
    db: &Db,
    workspace: &Workspace,
    options: Options,
    check: Check,
    progress: Arc<dyn Progress>,
) -> Result<Report, ImportError> {
    let (from, listener) = (Instant::now(), Arc::clone(&progress));
    let (dry_run, clock, country) = (options.dry_run, db.clock().clone(), workspace.country.clone());
    let (scope, kind) = (Scope::of_system(workspace.id, Origin::Import, workspace.country.clone()), options.kind);
    let fields = db.read(&scope, move |reader| custom_fields::of(reader, kind.resource())).await?;
    let prepared = tokio::task::spawn_blocking(move || {
        let source = Source::survey(&options.file)?;
        progress.start(source.length);
        let passed = Arc::new(AtomicU64::new(0));
        let (mapping, rows) = columns(&source, &options, &fields, &passed, &*progress)?;
        let judge = Judge { check, country, matches: options.match_by.is_some() };
        let fingerprint = fingerprint(&source, &options, &mapping);
        Ok(Job { options, fingerprint, mapping, rows, judge, clock, passed, progress })
    });
    let job: Result<Job, ImportError> = prepared.await.map_err(lost)?;
    let job = job.inspect_err(|_| listener.end())?;
    let unmapped = job.mapping.unmapped().to_vec();
    let ended = db
        .write(&scope, move |writer| {
            Ok(match job.options.kind {
                PeopleResource::Contacts => drive::<Contacts>(writer, job),
                PeopleResource::Companies => drive::<Companies>(writer, job),
            })
        })
        .await;
    listener.end();
    let ended = ended??;
    Ok(Report {
        tally: ended.tally,
        resumed_at: ended.resumed_at,
        unmapped,
        stopped: ended.stopped,
        dry_run,
        took: from.elapsed(),
    })
}

/// Reads the first line, and says what it does not understand of it.
fn columns(
    source: &Source,
    options: &Options,
    fields: &CustomFields,
    passed: &Arc<AtomicU64>,
    progress: &dyn Progress,
) -> Result<(Mapping, Rows), ImportError> {
    let delimiter = source::delimiter(source)?;
    let mut rows = Rows::open(source, delimiter, Arc::clone(passed))?;
    if rows.next()?.is_none() {
        let detail = "the file is empty. Its first line has to name the columns".to_owned();
        return Err(ImportError::Columns(detail));
    }
    let headings: Vec<&str> = rows.cells().iter().map(str::trim).collect();
    let fields: Vec<_> = fields.live().cloned().collect();
    let mapping = Mapping::read(options.kind, &headings, &options.map, &fields).map_err(ImportError::Columns)?;
    let needed = match options.match_by {
        Some(MatchBy::Email) => Some("emails.address"),
        Some(MatchBy::ExternalId) => Some("external_id"),
        None => None,
    };
    if let Some(field) = needed.filter(|field| !mapping.has(field)) {
        let detail =
            format!("rows can't be matched: no column goes to {field}. Say which one does with --map COLUMN={field}");
        return Err(ImportError::Columns(detail));
    }
    if !mapping.unmapped().is_empty() {
        progress.note(&format!("Not imported: {}.", mapping.unmapped().join(", ")));
    }
    if source.encoding != encoding_rs::UTF_8 {
        progress.note(&format!("The file is not UTF-8 and is read as {}.", source.encoding.name()));
    }
    Ok((mapping, rows))
}

/// Equal for files that would do the same.
fn fingerprint(source: &Source, options: &Options, mapping: &Mapping) -> [u8; 32] {
    let how = format!("{:?} {:?} {:?}\n", options.kind, options.match_by, options.on_duplicate);
    Sha256::new().chain_update(source.digest).chain_update(how).chain_update(mapping.describe()).finalize().into()
}

fn lost(error: tokio::task::JoinError) -> ImportError {
    ImportError::Store(StoreError::Internal(format!("the file was not looked at: {error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#[path = "import/tests.rs"]
mod tests;
