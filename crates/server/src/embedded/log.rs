//! The log of the Postgres server.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::EmbeddedError;

/// When the server starts, a log that has become longer than this is begun anew.
const LONGEST: u64 = 10 * 1024 * 1024;

/// How many lines an error message may quote.
const QUOTED: usize = 5;

#[derive(Debug)]
pub(crate) struct ServerLog {
    pub(crate) path: PathBuf,
    file: File,
}

impl ServerLog {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let path = data_dir.join("postgres.log");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(&path)
            .map_err(EmbeddedError::io("open the log", &path))?;
        let log = Self { path, file };
        if log.length() > LONGEST {
            log.file.set_len(0).map_err(EmbeddedError::io("shorten", &log.path))?;
        }
        Ok(log)
    }

    /// For the server to write to.
    pub(crate) fn writer(&self) -> Result<File, EmbeddedError> {
        self.file.try_clone().map_err(EmbeddedError::io("open the log", &self.path))
    }

    pub(crate) fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }

    /// The current end, to read on from later.
    pub(crate) fn mark(&self) -> u64 {
        self.length()
    }

    /// What has been written since a mark, as far as it can be read.
    pub(crate) fn since(&self, mark: u64) -> String {
        let mut bytes = Vec::new();
        // A log that cannot be read says nothing.
        let _ = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(mark))?;
            file.read_to_end(&mut bytes)
        });
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines since a mark on one line, or only those from the first fatal one on.
    pub(crate) fn complaint(&self, mark: u64) -> String {
        let text = self.since(mark);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let fatal = lines.iter().position(|line| line.contains("FATAL:") || line.contains("PANIC:"));
        let first = fatal.unwrap_or(lines.len().saturating_sub(QUOTED));
        let quoted: Vec<&str> = lines.into_iter().skip(first).take(QUOTED).collect();
        if quoted.is_empty() { "it gave no reason".to_owned() } else { quoted.join(" ") }
    }
}
