//! From text to rows that are judged, in chunks, on a thread of their own.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::AtomicU64, mpsc::SyncSender},
};

use csv::{Reader, ReaderBuilder, StringRecord};
use rapport_domain::{
    people::import::{CellProblem, Mapping},
    record::{Source as Origin, Stamp},
};
use rapport_persistence::{Clock, import::Draft};

use super::{
    ImportError,
    kind::{Judge, Kind},
    source::{Source, TOO_LONG, Text},
};

/// The longest row that is read, in bytes: a quotation mark that is never closed must not fill the memory.
const LONGEST_ROW: u64 = 4 << 20;

/// The most match keys of a chunk. Each is locked, two chunks are written at a time, and the database has room for some
/// thousands of locks.
const MOST_KEYS: usize = 1_000;

/// Rows in their order, and the drafts of those with nothing wrong so far.
pub(super) struct Chunk<K: Kind> {
    pub(super) lines: Vec<Line>,
    pub(super) drafts: Vec<Draft<K::Record, K::Patch>>,
    /// Match keys and external ids. Of two chunks with nothing in common neither can tell whether the other is written.
    pub(super) marks: HashSet<String>,
}

/// A row of the file.
pub(super) struct Line {
    /// Where it starts; the first line is 1.
    pub(super) number: u64,
    pub(super) cells: StringRecord,
    /// What is wrong with it. A row without problems has a draft.
    pub(super) problems: Vec<CellProblem>,
}

/// The rows of a file. Rows whose cells are all empty are passed over like empty lines.
pub(super) struct Rows {
    reader: Reader<Text>,
    cells: StringRecord,
}

impl Rows {
    pub(super) fn open(source: &Source, delimiter: u8, passed: Arc<AtomicU64>) -> Result<Self, ImportError> {
        let text = source.open(passed)?;
        let mut builder = ReaderBuilder::new();
        let reader = builder.delimiter(delimiter).has_headers(false).flexible(true).buffer_capacity(64 << 10);
        Ok(Self { reader: reader.from_reader(text), cells: StringRecord::new() })
    }

    /// The line on which the next row starts, and whether there is one; its cells are in `self.cells`.
    pub(super) fn next(&mut self) -> Result<Option<u64>, ImportError> {
        loop {
            let line = self.reader.position().line();
            self.reader.get_mut().allow(LONGEST_ROW);
            let found = self.reader.read_record(&mut self.cells).map_err(|error| failed(error, line))?;
            if !found {
                return Ok(None);
            }
            if self.cells.iter().any(|cell| !cell.trim().is_empty()) {
                // The reader stands behind the line feed of the row; empty lines before the row are behind it as well.
                let within: usize =
                    self.cells.iter().map(|cell| cell.bytes().filter(|byte| *byte == b'\n').count()).sum();
                return Ok(Some(self.reader.position().line().saturating_sub(within as u64 + 1)));
            }
        }
    }

    /// The cells of the row that was read last.
    pub(super) fn cells(&self) -> &StringRecord {
        &self.cells
    }

    /// Passes over rows that are done.
    pub(super) fn skip(&mut self, rows: u64) -> Result<(), ImportError> {
        for _ in 0..rows {
            if self.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

fn failed(error: csv::Error, line: u64) -> ImportError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.to_string() == TOO_LONG => {
            ImportError::RowTooLong { line, most: LONGEST_ROW }
        }
        csv::ErrorKind::Io(source) => ImportError::File { what: "read", path: format!("line {line}"), source },
        other => ImportError::Columns(format!("line {line} can't be read: {other:?}")),
    }
}

/// Reads and judges row by row and hands over chunks of `size` rows until the file ends or nobody wants more.
pub(super) fn produce<K: Kind>(
    mut rows: Rows,
    mapping: &Mapping,
    judge: &Judge,
    clock: &Clock,
    size: usize,
    out: &SyncSender<Result<Chunk<K>, ImportError>>,
) {
    loop {
        let chunk = read_chunk::<K>(&mut rows, mapping, judge, clock, size);
        let more = chunk.as_ref().is_ok_and(|chunk| !chunk.lines.is_empty());
        if out.send(chunk).is_err() || !more {
            return;
        }
    }
}

fn read_chunk<K: Kind>(
    rows: &mut Rows,
    mapping: &Mapping,
    judge: &Judge,
    clock: &Clock,
    size: usize,
) -> Result<Chunk<K>, ImportError> {
    let stamp = Stamp::new(clock.now(), None, Origin::Import);
    let mut chunk = Chunk { lines: Vec::with_capacity(size), drafts: Vec::with_capacity(size), marks: HashSet::new() };
    let mut keys = 0;
    while chunk.lines.len() < size && keys < MOST_KEYS {
        let Some(number) = rows.next()? else { break };
        let cells = rows.cells().clone();
        let problems = match draft::<K>(&cells, mapping, judge, stamp) {
            Ok(draft) => {
                let own = K::keys(&draft);
                keys += own.len();
                if !judge.matches {
                    // Only new records are written side by side, and have to know of each other.
                    chunk.marks.extend(own);
                    chunk.marks.extend(draft.external_id.as_ref().map(|id| format!("id:{id}")));
                }
                chunk.drafts.push(draft);
                Vec::new()
            }
            Err(problems) => problems,
        };
        chunk.lines.push(Line { number, cells, problems });
    }
    Ok(chunk)
}

fn draft<K: Kind>(
    cells: &StringRecord,
    mapping: &Mapping,
    judge: &Judge,
    stamp: Stamp,
) -> Result<Draft<K::Record, K::Patch>, Vec<CellProblem>> {
    if cells.len() != mapping.width() {
        let detail = format!("The row has {} cells, but there are {} columns.", cells.len(), mapping.width());
        return Err(vec![CellProblem::new("wrong_column_count", detail)]);
    }
    if let Some(column) = cells.iter().position(|cell| cell.contains('\0')) {
        let detail = "The cell has a NUL character, which no text may have. Take it out.";
        return Err(vec![CellProblem { column: Some(column), ..CellProblem::new("unparsable_row", detail) }]);
    }
    let cell = |index: usize| cells.get(index).unwrap_or_default().trim();
    let row = mapping.row(cell)?;
    K::draft(row, judge, stamp)
        .map_err(|problems| problems.into_iter().map(|problem| mapping.locate(problem, cell)).collect())
}
