//! Why an import did not go through, in a sentence each.

use std::{io, path::Path};

use chrono::{DateTime, Utc};
use rapport_persistence::StoreError;

/// Why an import did not start, or stopped. What it had done by then is kept.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file to import, or the errors file, can't be used.
    #[error("can't {what} {path}: {source}")]
    File { what: &'static str, path: String, source: io::Error },
    /// The columns can't be told.
    #[error("{0}")]
    Columns(String),
    /// A quotation mark may be open to the end of the file.
    #[error(
        "the row that starts in line {line} is longer than {} MB: is a quotation mark not closed there? The rows before it \
         are imported",
        most >> 20
    )]
    RowTooLong { line: u64, most: u64 },
    /// The same file was imported in the same way before.
    #[error(
        "this file was imported on {}; importing it again would create everybody twice. Use --match email or --match \
         external_id to update them, or --again to import it a second time",
        .0.format("%Y-%m-%d at %H:%M UTC")
    )]
    DoneBefore(DateTime<Utc>),
    /// Another process is at it.
    #[error("another import of the same file is running. Wait until it is done")]
    Running,
    /// The database failed.
    #[error("the import stopped: {0}. Start it again with the same options, and it goes on where it stopped")]
    Store(StoreError),
}

impl ImportError {
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { what, path, source }
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { code: "import_running", .. } => Self::Running,
            other => Self::Store(other),
        }
    }
}
