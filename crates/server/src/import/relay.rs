//! Who writes what: two lanes take chunks in the order of the file and write them side by side, each in a transaction of
//! its own. A pass goes from chunk to chunk, and only who holds it commits, so that chunks are committed in their order.

use std::{
    collections::HashSet,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use rapport_persistence::{StoreError, import::Run};

use super::{ImportError, errors_file::ErrorsFile, kind::Kind, rows::Chunk};

/// Allows to commit a chunk: how far the run has come with the chunk before.
pub(super) struct Pass {
    /// As the database knows it.
    pub(super) run: Run,
    pub(super) errors: Option<ErrorsFile>,
}

/// The chunks that are to be written.
pub(super) struct Queue<K: Kind> {
    chunks: Receiver<Result<Chunk<K>, ImportError>>,
    /// Gets the pass when all chunks are committed that were taken.
    pass: Receiver<Pass>,
    /// The marks of the chunk that was taken last.
    marks: HashSet<String>,
}

/// A chunk, and its place in the order.
pub(super) struct Turn<K: Kind> {
    pub(super) chunk: Result<Chunk<K>, ImportError>,
    /// Whether it can be written while the chunk before is not committed yet.
    pub(super) apart: bool,
    pub(super) baton: Baton,
    /// Takes the pass to the next chunk.
    pub(super) next: SyncSender<Pass>,
}

/// The pass, once it has come.
pub(super) struct Baton {
    pass: Option<Pass>,
    coming: Receiver<Pass>,
}

impl<K: Kind> Queue<K> {
    pub(super) fn new(chunks: Receiver<Result<Chunk<K>, ImportError>>, pass: Pass) -> Self {
        let (first, coming) = sync_channel(1);
        let _has_room = first.send(pass);
        Self { chunks, pass: coming, marks: HashSet::new() }
    }

    /// The next chunk. None when the last one was taken.
    pub(super) fn take(&mut self) -> Option<Turn<K>> {
        let mut chunk = self.chunks.recv().ok()?;
        let (next, coming) = sync_channel(1);
        let coming = std::mem::replace(&mut self.pass, coming);
        let marks = chunk.as_mut().map(|chunk| std::mem::take(&mut chunk.marks)).unwrap_or_default();
        let apart = marks.is_disjoint(&self.marks);
        self.marks = marks;
        Some(Turn { chunk, apart, baton: Baton { pass: None, coming }, next })
    }
}

impl Baton {
    /// Waits until the chunk before is committed. Fails when it never will be.
    pub(super) fn hold(&mut self) -> Result<&mut Pass, StoreError> {
        let pass = match self.pass.take() {
            Some(pass) => pass,
            None => self.coming.recv().map_err(|_| StoreError::Busy)?,
        };
        Ok(self.pass.insert(pass))
    }

    /// Gives the pass away, if it has come.
    pub(super) fn give(self) -> Option<Pass> {
        self.pass
    }
}
