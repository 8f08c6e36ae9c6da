//! Writes the chunks, one transaction each, while the next ones are read and judged.
//!
//! New records are written on two connections side by side: while the database writes one chunk, the next is prepared,
//! and while one commit waits for the disk, the other chunk is written.

use std::{
    panic::resume_unwind,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::sync_channel,
    },
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use rapport_domain::{
    people::PeopleResource,
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
    relay::{Baton, Pass, Queue, Turn},
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

/// Runs an import on a connection that holds the lock of the file, and on a second one if there is one to spare.
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
    let course = Course {
        resumed_at,
        kind: options.kind,
        rules: Rules { match_by: options.match_by, on_duplicate: options.on_duplicate, rehearsal: options.dry_run },
        mapping: &mapping,
        passed: &passed,
        progress: &*progress,
    };
    let (sender, receiver) = sync_channel::<Result<Chunk<K>, ImportError>>(WAITING);
    let queue = Arc::new(Mutex::new(Queue::new(receiver, course.first_pass(run, &options)?)));
    // Changes build on what the rows before have left, unique values of custom fields wait for each other in the database,
    // and a dry run leaves nothing that another connection could see.
    let beside =
        if options.match_by.is_none() && !options.dry_run && !mapping.has_custom() { writer.beside() } else { None };
    let (pass, stopped) = thread::scope(|scope| {
        let (course, mapping, judge, clock, size) = (&course, &mapping, &judge, &clock, options.chunk_rows.max(1));
        scope.spawn(move || match rows.skip(resumed_at) {
            Ok(()) => produce::<K>(rows, mapping, judge, clock, size, &sender),
            Err(error) => drop(sender.send(Err(error))),
        });
        let theirs = Arc::clone(&queue);
        let other = beside.map(|beside| scope.spawn(move || beside.write(|writer| course.lane(writer, theirs))));
        let ours = course.lane(writer, queue)?;
        let theirs = match other.map(ScopedJoinHandle::join) {
            None => None,
            Some(Ok(theirs)) => theirs?,
            Some(Err(panic)) => resume_unwind(panic),
        };
        let ended = ours.or(theirs);
        ended.ok_or_else(|| ImportError::from(StoreError::Internal("the file was not read to its end".to_owned())))
    })?;
    if !stopped {
        import::finish(writer, &pass.run)?;
    }
    Ok(Ended { tally: pass.run.tally, resumed_at, stopped })
}

/// What is the same for all chunks.
struct Course<'c> {
    /// Rows that an interrupted run had done.
    resumed_at: u64,
    kind: PeopleResource,
    rules: Rules,
    mapping: &'c Mapping,
    passed: &'c AtomicU64,
    progress: &'c dyn Progress,
}

impl Course<'_> {
    fn first_pass(&self, mut run: Run, options: &Options) -> Result<Pass, ImportError> {
        let Some(path) = &options.errors else { return Ok(Pass { run, errors: None }) };
        let (errors, length) = ErrorsFile::open(path, run.tally.errors_length)?;
        if length < run.tally.errors_length {
            self.progress
                .note("The problems of the rows that are done already are in the errors file of the earlier import.");
        }
        run.tally.errors_length = length;
        Ok(Pass { run, errors: Some(errors) })
    }

    /// Writes chunks until there are no more. The lane that comes to the end says how far the run has come, and whether
    /// the sink asked to stop there; the other one, and one that would have to go on from a chunk that failed, say nothing.
    fn lane<K: Kind>(
        &self,
        writer: &mut Writer<'_>,
        queue: Arc<Mutex<Queue<K>>>,
    ) -> Result<Option<(Pass, bool)>, ImportError> {
        loop {
            let mut gate = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(Turn { chunk, apart, mut baton, next }) = gate.take() else { return Ok(None) };
            let is_full = chunk.as_ref().is_ok_and(|chunk| !chunk.lines.is_empty());
            if !(apart && is_full) && baton.hold().is_err() {
                return Ok(None);
            }
            let chunk = chunk?;
            if !is_full {
                return Ok(baton.give().map(|pass| (pass, false)));
            }
            let done = self.settle::<K>(writer, &mut baton, &mut Some(gate), &chunk.lines, &chunk.drafts);
            let Ok(pass) = baton.hold() else { return Ok(None) };
            done?;
            if !self.tell(writer, &pass.run.tally, chunk.lines.len() as u64)? {
                return Ok(baton.give().map(|pass| (pass, true)));
            }
            baton.give().map(|pass| next.send(pass));
        }
    }

    /// Says how far the run has come. False when the sink asks to stop.
    fn tell(&self, writer: &mut Writer<'_>, tally: &Tally, rows: u64) -> Result<bool, ImportError> {
        let rows_now = tally.rows - self.resumed_at;
        if STATISTICS.iter().any(|rows_then| (rows_now - rows..rows_now).contains(rows_then)) {
            import::refresh_statistics(writer, self.kind)?;
        }
        let step = Step { bytes: self.passed.load(Ordering::Relaxed), rows_now, tally: *tally };
        Ok(self.progress.advance(&step))
    }

    /// Writes some rows. What the database refuses as a whole is halved until the row is found that is to blame. The gate
    /// opens for the next chunk when the keys of this one are reserved: so chunks wait for keys in their order, and none
    /// for one that waits for it.
    fn settle<K: Kind>(
        &self,
        writer: &mut Writer<'_>,
        baton: &mut Baton,
        gate: &mut Option<MutexGuard<'_, Queue<K>>>,
        lines: &[Line],
        drafts: &[Draft<K::Record, K::Patch>],
    ) -> Result<(), ImportError> {
        let write = |writer: &mut Writer<'_>| {
            K::reserve(writer, drafts, &self.rules)?;
            drop(gate.take());
            K::import(writer, drafts, &self.rules)
        };
        let error = match self.commit(writer, baton, lines, write) {
            Err(ImportError::Store(error)) if is_of_a_row(&error) => error,
            done => return done,
        };
        if let [_] = lines {
            let detail = format!("The database refused the row: {error}.");
            let refused = Verdict::Refused(vec![FieldProblem::at("", "unparsable_row", detail)]);
            return self.commit(writer, baton, lines, |_| Ok(vec![refused.clone()]));
        }
        let (first, second) = lines.split_at(lines.len() / 2);
        let with_draft = first.iter().filter(|line| line.problems.is_empty()).count();
        self.settle::<K>(writer, baton, gate, first, &drafts[..with_draft])?;
        self.settle::<K>(writer, baton, gate, second, &drafts[with_draft..])
    }

    /// Writes rows, their problems and the step of the run in one transaction.
    fn commit(
        &self,
        writer: &mut Writer<'_>,
        baton: &mut Baton,
        lines: &[Line],
        mut write: impl FnMut(&mut Writer<'_>) -> Result<Vec<Verdict>, StoreError>,
    ) -> Result<(), ImportError> {
        let mut unwritten = None;
        let done = writer.transaction(|writer| {
            let verdicts = write(writer)?;
            let pass = baton.hold()?;
            let (mut tally, problems) = self.judge(pass.run.tally, lines, verdicts);
            if let (Some(errors), false) = (&mut pass.errors, problems.is_empty()) {
                // Before the commit: if that fails, the next one who comes cuts it off.
                match errors.write(tally.errors_length, &problems) {
                    Ok(length) => tally.errors_length = length,
                    Err(error) => {
                        unwritten = Some(error);
                        return Err(StoreError::Busy);
                    }
                }
            }
            import::advance(writer, &pass.run, &tally)?;
            Ok((tally, problems))
        });
        if let Some(error) = unwritten {
            return Err(error);
        }
        let (tally, problems) = done?;
        baton.hold()?.run.tally = tally;
        problems.iter().for_each(|problem| self.progress.problem(problem));
        Ok(())
    }

    /// The tally after these rows, and their problems in the order of the file.
    fn judge(&self, mut tally: Tally, lines: &[Line], verdicts: Vec<Verdict>) -> (Tally, Vec<Problem>) {
        let mut problems = Vec::new();
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
