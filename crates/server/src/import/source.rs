//! The file: its fingerprint, its encoding, and its text as UTF-8 with plain line ends.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, WINDOWS_1252};
use sha2::{Digest, Sha256};

use super::ImportError;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Said by [`Text`] when a row does not end.
pub(super) const TOO_LONG: &str = "the row does not end";

/// A file as the first look at it found it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) encoding: &'static Encoding,
    /// Bytes of the file.
    pub(super) length: u64,
    pub(super) digest: [u8; 32],
}

impl Source {
    /// Reads the file once, from end to end. What is not valid UTF-8 is taken for Windows-1252, which Latin-1 is part of;
    /// a byte order mark is believed.
    pub(super) fn survey(path: &Path) -> Result<Self, ImportError> {
        let read = |path: &Path| -> io::Result<Self> {
            let mut file = File::open(path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is not a file; it has to be read twice, so it can't be a pipe"));
            }
            let (mut hash, mut utf8, mut length, mut marked) = (Sha256::new(), Utf8::default(), 0, None);
            let mut piece = vec![0; PIECE];
            loop {
                let read = match file.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                if length == 0 {
                    marked = Encoding::for_bom(&piece[..read]).map(|(encoding, _)| encoding);
                }
                hash.update(&piece[..read]);
                utf8.take(&piece[..read]);
                length += read as u64;
            }
            let encoding = marked.filter(|marked| *marked != UTF_8);
            let encoding = encoding.unwrap_or(if utf8.is_valid() { UTF_8 } else { WINDOWS_1252 });
            Ok(Self { path: path.to_path_buf(), encoding, length, digest: hash.finalize().into() })
        };
        read(path).map_err(ImportError::file("read", path))
    }

    /// The text of the file. `passed` counts the bytes that were read of it.
    pub(super) fn open(&self, passed: Arc<AtomicU64>) -> Result<Text, ImportError> {
        let file = File::open(&self.path).map_err(ImportError::file("read", &self.path))?;
        Ok(Text {
            file,
            decoder: self.encoding.new_decoder_with_bom_removal(),
            raw: vec![0; PIECE],
            ready: Vec::new(),
            given: 0,
            last: b'\n',
            ended: false,
            allowance: u64::MAX,
            passed,
        })
    }
}

/// Whether bytes are UTF-8, piece by piece.
#[derive(Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose end is in the next piece.
    rest: Vec<u8>,
}

impl Utf8 {
    fn take(&mut self, piece: &[u8]) {
        if self.broken {
            return;
        }
        let mut joined = std::mem::take(&mut self.rest);
        joined.extend_from_slice(piece);
        if let Err(error) = std::str::from_utf8(&joined) {
            self.broken = error.error_len().is_some();
            self.rest = joined.split_off(error.valid_up_to());
        }
    }

    fn is_valid(&self) -> bool {
        !self.broken && self.rest.is_empty()
    }
}

/// The text of a file in UTF-8. Every line ends with a line feed alone, the last one too, so that lines can be counted.
pub(super) struct Text {
    file: File,
    decoder: Decoder,
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    /// The byte before those that are yet to be decoded.
    last: u8,
    ended: bool,
    /// How many more bytes may be asked for.
    allowance: u64,
    passed: Arc<AtomicU64>,
}

impl Text {
    /// Allows so many more bytes; whoever reads on after them gets an error.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.allowance = bytes;
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        while self.ready.is_empty() && !self.ended {
            let read = self.file.read(&mut self.raw)?;
            self.passed.fetch_add(read as u64, Ordering::Relaxed);
            self.ended = read == 0;
            self.decode(read)?;
        }
        if self.ended && !matches!(self.last, b'\n' | b'\r') {
            self.ready.push(b'\n');
        }
        Ok(())
    }

    fn decode(&mut self, read: usize) -> io::Result<()> {
        let most = self.decoder.max_utf8_buffer_length(read).unwrap_or(PIECE * 3);
        let mut text = vec![0; most];
        let (result, _, written, _) = self.decoder.decode_to_utf8(&self.raw[..read], &mut text, self.ended);
        if result == CoderResult::OutputFull {
            return Err(io::Error::other("its text can't be decoded"));
        }
        for &byte in &text[..written] {
            match byte {
                b'\n' if self.last == b'\r' => {}
                b'\r' => self.ready.push(b'\n'),
                other => self.ready.push(other),
            }
            self.last = byte;
        }
        Ok(())
    }
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready.len() && !self.ended {
            self.refill()?;
        }
        let given = into.len().min(self.ready.len() - self.given);
        if given as u64 > self.allowance {
            return Err(io::Error::other(TOO_LONG));
        }
        self.allowance -= given as u64;
        into[..given].copy_from_slice(&self.ready[self.given..self.given + given]);
        self.given += given;
        Ok(given)
    }
}

/// What separates the cells: whichever of comma, semicolon and tab the first line has most of outside quotation marks.
pub(super) fn delimiter(source: &Source) -> Result<u8, ImportError> {
    let mut beginning = Vec::new();
    let text = source.open(Arc::default())?;
    text.take(PIECE as u64).read_to_end(&mut beginning).map_err(ImportError::file("read", &source.path))?;
    let (mut quoted, mut counts) = (false, [(b',', 0), (b';', 0), (b'\t', 0)]);
    for byte in beginning {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            other if !quoted => counts.iter_mut().filter(|(one, _)| *one == other).for_each(|(_, count)| *count += 1),
            _ => {}
        }
    }
    let mut best = counts[0];
    for count in counts {
        if count.1 > best.1 {
            best = count;
        }
    }
    Ok(best.0)
}
