//! Writes the chunks, one transaction each, while the next ones are read and judged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use rapport_domain::{
    access::Resource,
    people::import::{CellProblem, Mapping},
    problem::FieldProblem,
};
use rapport_persistence::{
    Clock, StoreError, Writer,
    import::{self, Begun, Draft, Fingerprint, Rules, Run, Tally, Verdict},
};

use super::{
    ImportError, Options, Problem, Progress, Step,
    errors_file::ErrorsFile,
    kind::{Judge, Kind},
    rows::{Chunk, Line, Rows, produce},
};

/// Chunks that may wait for the database.
const WAITING: usize = 2;

/// How long a database may take to notice that the process which held the lock is gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// After so many rows the database is told to look at its tables anew.
const STATISTICS: [u64; 4] = [500, 10_000, 100_000, 1_000_000];

/// The longest value that the errors file quotes, in characters.
const LONGEST_VALUE: usize = 80;

/// All that a run needs.
pub(super) struct Job {
    pub(super) options: Options,
    pub(super) fingerprint: Fingerprint,
    pub(super) mapping: Mapping,
    pub(super) rows: Rows,
    pub(super) judge: Judge,
    pub(super) clock: Clock,
    /// Bytes that were read of the file.
    pub(super) passed: Arc<AtomicU64>,
    pub(super) progress: Arc<dyn Progress>,
}

/// How a run ended.
pub(super) struct Ended {
    /// Of all rows, those of an interrupted run before this one too.
    pub(super) tally: Tally,
    /// Rows that an interrupted run had done.
    pub(super) resumed_at: u64,
    /// Whether the progress sink asked to stop.
    pub(super) stopped: bool,
}

/// Runs an import on one connection, which holds the lock of the file.
pub(super) fn drive<K: Kind>(writer: &mut Writer<'_>, job: Job) -> Result<Ended, ImportError> {
    let fingerprint = job.fingerprint;
    let deadline = Instant::now() + PATIENCE;
    while !import::lock(writer, &fingerprint)? {
        if Instant::now() > deadline {
            return Err(ImportError::Running);
        }
        thread::sleep(Duration::from_millis(100));
    }
    let done = if job.options.dry_run {
        writer.rehearse(|writer| Ok(run::<K>(writer, job))).map_err(ImportError::from).flatten()
    } else {
        run::<K>(writer, job)
    };
    // On a connection that was lost the lock is gone by itself.
    if let Err(error) = import::unlock(writer, &fingerprint) {
        tracing::debug!("the lock of the import was not given back: {error}");
    }
    done
}

fn run<K: Kind>(writer: &mut Writer<'_>, job: Job) -> Result<Ended, ImportError> {
    let Job { options, fingerprint, mapping, mut rows, judge, clock, passed, progress } = job;
    let repeat = options.again || options.match_by.is_some();
    let run = match import::begin(writer, options.kind, &fingerprint, repeat)? {
        Begun::DoneBefore(at) => return Err(ImportError::DoneBefore(at)),
        Begun::New(run) => run,
        Begun::Resumed(run) => {
            let rows = run.tally.rows;
            progress.note(&format!(
                "An earlier import of this file was interrupted after {rows} rows: going on from there."
            ));
            run
        }
    };
    let resumed_at = run.tally.rows;
    let mut pass = Pass {
        run,
        resumed_at,
        errors: None,
        kind: options.kind,
        rules: Rules { match_by: options.match_by, on_duplicate: options.on_duplicate, rehearsal: options.dry_run },
        mapping: &mapping,
        progress: &*progress,
    };
    pass.open_errors(&options)?;
    let (sender, receiver) = sync_channel::<Result<Chunk<K>, ImportError>>(WAITING);
    let stopped = thread::scope(|scope| {
        let (mapping, judge, clock, size) = (&mapping, &judge, &clock, options.chunk_rows.max(1));
        scope.spawn(move || match rows.skip(resumed_at) {
            Ok(()) => produce::<K>(rows, mapping, judge, clock, size, &sender),
            Err(error) => drop(sender.send(Err(error))),
        });
        pass.consume(writer, receiver, &passed)
    })?;
    if !stopped {
        import::finish(writer, &pass.run)?;
    }
    Ok(Ended { tally: pass.run.tally, resumed_at, stopped })
}

/// One pass over the file.
struct Pass<'p> {
    /// As the database knows it.
    run: Run,
    /// Rows that an interrupted run had done.
    resumed_at: u64,
    errors: Option<ErrorsFile>,
    kind: Resource,
    rules: Rules,
    mapping: &'p Mapping,
    progress: &'p dyn Progress,
}

impl Pass<'_> {
    fn open_errors(&mut self, options: &Options) -> Result<(), ImportError> {
        let Some(path) = &options.errors else { return Ok(()) };
        let (errors, length) = ErrorsFile::open(path, self.run.tally.errors_length)?;
        if length < self.run.tally.errors_length {
            self.progress
                .note("The problems of the rows that are done already are in the errors file of the earlier import.");
        }
        (self.errors, self.run.tally.errors_length) = (Some(errors), length);
        Ok(())
    }

    /// Writes chunks until there are no more. True when the sink asked to stop before.
    fn consume<K: Kind>(
        &mut self,
        writer: &mut Writer<'_>,
        chunks: Receiver<Result<Chunk<K>, ImportError>>,
        passed: &AtomicU64,
    ) -> Result<bool, ImportError> {
        for chunk in chunks {
            let chunk = chunk?;
            if chunk.lines.is_empty() {
                return Ok(false);
            }
            let before = self.run.tally.rows - self.resumed_at;
            self.settle::<K>(writer, &chunk.lines, &chunk.drafts)?;
            let rows_now = self.run.tally.rows - self.resumed_at;
            let step = Step { bytes: passed.load(Ordering::Relaxed), rows_now, tally: self.run.tally };
            if STATISTICS.iter().any(|rows| (before..rows_now).contains(rows)) {
                import::refresh_statistics(writer, self.kind)?;
            }
            if !self.progress.advance(&step) {
                return Ok(true);
            }
        }
        Err(ImportError::from(StoreError::Internal("the file was not read to its end".to_owned())))
    }

    /// Writes some rows. What the database refuses as a whole is halved until the row is found that is to blame.
    fn settle<K: Kind>(
        &mut self,
        writer: &mut Writer<'_>,
        lines: &[Line],
        drafts: &[Draft<K::Record, K::Patch>],
    ) -> Result<(), ImportError> {
        let error = match self.commit(writer, lines, |writer, rules| K::import(writer, drafts, rules)) {
            Err(ImportError::Store(error)) if is_of_a_row(&error) => error,
            done => return done,
        };
        if let [_] = lines {
            let detail = format!("The database refused the row: {error}.");
            let refused = Verdict::Refused(vec![FieldProblem::at("", "unparsable_row", detail)]);
            return self.commit(writer, lines, |_, _| Ok(vec![refused.clone()]));
        }
        let (first, second) = lines.split_at(lines.len() / 2);
        let with_draft = first.iter().filter(|line| line.problems.is_empty()).count();
        self.settle::<K>(writer, first, &drafts[..with_draft])?;
        self.settle::<K>(writer, second, &drafts[with_draft..])
    }

    /// Writes rows, their problems and the step of the run in one transaction.
    fn commit(
        &mut self,
        writer: &mut Writer<'_>,
        lines: &[Line],
        write: impl Fn(&mut Writer<'_>, &Rules) -> Result<Vec<Verdict>, StoreError>,
    ) -> Result<(), ImportError> {
        let mut unwritten = None;
        let done = writer.transaction(|writer| {
            let verdicts = write(writer, &self.rules)?;
            let (mut tally, problems) = self.judge(lines, verdicts);
            if let (Some(errors), false) = (&mut self.errors, problems.is_empty()) {
                // Before the commit: if that fails, the next one who comes cuts it off.
                match errors.write(tally.errors_length, &problems) {
                    Ok(length) => tally.errors_length = length,
                    Err(error) => {
                        unwritten = Some(error);
                        return Err(StoreError::Busy);
                    }
                }
            }
            import::advance(writer, &self.run, &tally)?;
            Ok((tally, problems))
        });
        if let Some(error) = unwritten {
            return Err(error);
        }
        let (tally, problems) = done?;
        self.run.tally = tally;
        problems.iter().for_each(|problem| self.progress.problem(problem));
        Ok(())
    }

    /// The tally after these rows, and their problems in the order of the file.
    fn judge(&self, lines: &[Line], verdicts: Vec<Verdict>) -> (Tally, Vec<Problem>) {
        let (mut tally, mut problems) = (self.run.tally, Vec::new());
        let mut verdicts = verdicts.into_iter();
        for line in lines {
            tally.rows += 1;
            let cell = |index: usize| line.cells.get(index).unwrap_or_default().trim();
            let found = match line.problems.as_slice() {
                [] => match verdicts.next() {
                    Some(Verdict::Created) => {
                        tally.created += 1;
                        continue;
                    }
                    Some(Verdict::Updated) => {
                        tally.updated += 1;
                        continue;
                    }
                    Some(Verdict::Unchanged) | None => {
                        tally.unchanged += 1;
                        continue;
                    }
                    Some(Verdict::Refused(found)) => {
                        found.into_iter().map(|problem| self.mapping.locate(problem, cell)).collect()
                    }
                },
                found => found.to_vec(),
            };
            tally.failed += 1;
            problems.extend(found.iter().map(|problem| self.problem(line, problem)));
        }
        (tally, problems)
    }

    fn problem(&self, line: &Line, problem: &CellProblem) -> Problem {
        let value = problem.column.and_then(|column| line.cells.get(column)).unwrap_or_default();
        let mut value: String = value.trim().replace('\0', "");
        if let Some((end, _)) = value.char_indices().nth(LONGEST_VALUE) {
            value.truncate(end);
            value.push('…');
        }
        Problem {
            line: line.number,
            column: problem.column.map_or_else(String::new, |column| self.mapping.heading(column).to_owned()),
            code: problem.code.clone(),
            reason: problem.detail.clone(),
            value,
        }
    }
}

/// Whether an error may be that of one row, and not of the database or the connection.
fn is_of_a_row(error: &StoreError) -> bool {
    matches!(error, StoreError::Internal(_) | StoreError::Invalid(_) | StoreError::Conflict { .. })
}
