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

const ROUTINE: [&str; 3] = ["LOG:  starting PostgreSQL", "LOG:  listening on", "LOG:  database system is shut down"];

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

    /// What has been written since the log was that long, as far as it can be read.
    pub(crate) fn since(&self, length: u64) -> String {
        let mut bytes = Vec::new();
        // A log that cannot be read says nothing.
        let _ = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(length))?;
            file.read_to_end(&mut bytes)
        });
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines since the log was that long, on one line, without the times and without what every start says.
    pub(crate) fn complaint(&self, length: u64) -> String {
        let text = self.since(length);
        let lines = text.lines().map(|line| line.split_once("] ").map_or(line, |(_, message)| message).trim());
        let lines: Vec<&str> =
            lines.filter(|line| !line.is_empty() && !ROUTINE.iter().any(|part| line.contains(part))).collect();
        let quoted = lines.get(lines.len().saturating_sub(QUOTED)..).unwrap_or_default();
        if quoted.is_empty() { "it gave no reason".to_owned() } else { quoted.join(" ") }
    }
}
