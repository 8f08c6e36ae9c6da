//! The errors file: a CSV file with every problem of the rows that are done, each once.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{ImportError, Problem};

const HEADINGS: [&str; 5] = ["line", "column", "code", "reason", "value"];

/// Written along with the chunks. What a run that was killed has written too much is cut off first.
pub(super) struct ErrorsFile {
    file: File,
    path: PathBuf,
}

impl ErrorsFile {
    /// Opens the file of a run that has written `length` bytes to it, and says how many of them are there. A file that is
    /// shorter is another one, and begins anew.
    pub(super) fn open(path: &Path, length: u64) -> Result<(Self, u64), ImportError> {
        let open = |path: &Path| -> io::Result<(File, u64)> {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let kept = if file.metadata()?.len() < length { 0 } else { length };
            file.set_len(kept)?;
            Ok((file, kept))
        };
        let (file, kept) = open(path).map_err(ImportError::file("write", path))?;
        let mut errors = Self { file, path: path.to_path_buf() };
        let length = if kept == 0 { errors.write(0, &[])? } else { kept };
        Ok((errors, length))
    }

    /// Writes problems after the first `length` bytes, in place of what is there; returns the new length.
    pub(super) fn write(&mut self, length: u64, problems: &[Problem]) -> Result<u64, ImportError> {
        let mut text = csv::Writer::from_writer(Vec::new());
        let written = (|| -> csv::Result<Vec<u8>> {
            if length == 0 {
                text.write_record(HEADINGS)?;
            }
            for problem in problems {
                let line = problem.line.to_string();
                text.write_record([&line, &problem.column, &problem.code, &problem.reason, &problem.value])?;
            }
            text.into_inner().map_err(|error| error.into_error().into())
        })();
        let write = || -> io::Result<u64> {
            let text = written.map_err(io::Error::from)?;
            self.file.set_len(length)?;
            self.file.seek(SeekFrom::Start(length))?;
            self.file.write_all(&text)?;
            Ok(length + text.len() as u64)
        };
        write().map_err(ImportError::file("write", &self.path))
    }
}
