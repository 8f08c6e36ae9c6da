//! One server per data directory: the lock, and the note that says who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::error::EmbeddedError;

const LOCK_FILE: &str = "lock";
const NOTE_FILE: &str = "server.json";

/// The exclusive right to a data directory. The operating system takes it back when the process ends in whatever way,
/// so a lock file that was left behind never blocks anybody.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    directory: PathBuf,
    file: File,
}

impl DirectoryLock {
    /// `None` if another process has it. Fails if the lock file cannot be created or the file system has no locks.
    pub(crate) fn try_take(directory: &Path) -> Result<Option<Self>, EmbeddedError> {
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(EmbeddedError::io("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { directory: directory.to_path_buf(), file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(EmbeddedError::io("lock", &path)(cause)),
        }
    }

    /// Tells the others who is here. The file is replaced as a whole, so that nobody reads half of it.
    pub(crate) fn note(&self, occupant: &Occupant) -> Result<(), EmbeddedError> {
        let path = self.directory.join(NOTE_FILE);
        let unfinished = self.directory.join("server.json.new");
        let text = serde_json::to_vec(occupant).map_err(|cause| EmbeddedError::io("write", &path)(cause.into()))?;
        fs::write(&unfinished, text).map_err(EmbeddedError::io("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(EmbeddedError::io("write", &path))
    }

    /// Takes the note away, so that nobody joins a cluster that is about to stop.
    pub(crate) fn withdraw_note(&self) {
        // A note that stays is harmless: it names a process that is gone.
        let _ = fs::remove_file(self.directory.join(NOTE_FILE));
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        self.withdraw_note();
        // Explicitly: closing alone would leave the lock to a process that was just being forked off.
        let _ = self.file.unlock();
    }
}

/// What the holder of the lock says about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Occupant {
    pub(crate) pid: u32,
    pub(crate) role: Role,
    /// Where the API listens, once it does.
    pub(crate) api: Option<String>,
    /// Where the database is, once it runs.
    pub(crate) url: Option<String>,
}

/// Whether others may count on the cluster to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// A server, which stays until somebody stops it.
    Server,
    /// A command such as `import`, which stops the cluster when it is done.
    Command,
}

impl Occupant {
    pub(crate) fn myself(role: Role) -> Self {
        Self { pid: std::process::id(), role, api: None, url: None }
    }

    /// The note in a data directory, unless its author is gone.
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        let text = fs::read(directory.join(NOTE_FILE)).ok()?;
        serde_json::from_slice::<Self>(&text).ok().filter(|occupant| is_alive(occupant.pid))
    }
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Every other refusal, such as a missing permission, means that there is somebody to refuse.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_exclusive_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::try_take(directory.path()).unwrap().unwrap();
        assert!(DirectoryLock::try_take(directory.path()).unwrap().is_none());
        drop(lock);
        assert!(DirectoryLock::try_take(directory.path()).unwrap().is_some());
    }

    #[test]
    fn the_note_of_a_process_that_is_gone_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = std::process::Command::new("true").spawn().unwrap();
        process.wait().unwrap();
        let lock = DirectoryLock::try_take(directory.path()).unwrap().unwrap();
        lock.note(&Occupant { pid: process.id(), ..Occupant::myself(Role::Server) }).unwrap();
        assert!(Occupant::read(directory.path()).is_none());
        lock.note(&Occupant::myself(Role::Server)).unwrap();
        assert_eq!(Occupant::read(directory.path()).unwrap().pid, std::process::id());
        drop(lock);
        assert!(Occupant::read(directory.path()).is_none());
    }
}
