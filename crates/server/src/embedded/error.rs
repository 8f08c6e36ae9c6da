//! What can go wrong with the embedded cluster, each in one sentence that also says what to do about it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use super::lock::{Occupant, Role};

/// Why the embedded cluster could not be started, joined or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL server was found on this machine; {hint}, or name a database of your own with --database-url"
    )]
    NoBinaries { hint: String },

    #[error(
        "Rapport needs PostgreSQL 15 to 18, but only {found} was found on this machine; {hint}, name the directory of \
         other programs in PG_BIN, or name a database of your own with --database-url"
    )]
    UnsupportedVersion { found: String, hint: String },

    #[error(
        "the data in {} was made by PostgreSQL {major}, but {found} was found on this machine; install PostgreSQL \
         {major}, name the directory of its programs in PG_BIN, or choose another --data-dir",
        cluster.display()
    )]
    OtherVersion { cluster: PathBuf, major: u32, found: String },

    #[error("{occupant} already uses {}; {}", data_dir.display(), occupant.way_out())]
    Busy { occupant: Holder, data_dir: PathBuf },

    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody to run it as; \
         create one of them, or start Rapport as an ordinary user"
    )]
    NoAccount,

    #[error(
        "the database files in {} belong to another user (number {owner}); start Rapport as that user or as root, or \
         choose another --data-dir",
        cluster.display()
    )]
    OtherOwner { cluster: PathBuf, owner: u32 },

    #[error(
        "{} is in the way, because it is not a PostgreSQL database; move it elsewhere, or choose another --data-dir",
        path.display()
    )]
    NotACluster { path: PathBuf },

    #[error(
        "the database that {} refers to is not at {} any more; bring it back there, or remove the link to begin with \
         an empty one",
        link.display(),
        target.display()
    )]
    LostCluster { link: PathBuf, target: PathBuf },

    #[error(
        "the socket directory {} cannot be trusted, because it {reason}; remove it, and find out who created it",
        path.display()
    )]
    SocketDirectory { path: PathBuf, reason: String },

    #[error(
        "the database could not be created in {}: {detail}; nothing was left behind, so try again when this is solved",
        cluster.display()
    )]
    NotCreated { cluster: PathBuf, detail: String },

    #[error("PostgreSQL did not start: {detail}; its log is {}", log.display())]
    NotStarted { detail: String, log: PathBuf },

    #[error("PostgreSQL (process {pid}) did not stop when it was asked to; look into its log, and end it by hand")]
    NotStopped { pid: u32 },

    #[error(
        "could not {doing} {} ({cause}); check that this user may do so and that the disk is not full",
        path.display()
    )]
    Io { doing: &'static str, path: PathBuf, cause: std::io::Error },
}

impl EmbeddedError {
    /// For `map_err`: what was being done with which file when the system refused.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| Self::Io { doing, path, cause }
    }

    pub(crate) fn busy(data_dir: &Path) -> Self {
        Self::Busy { occupant: Holder(Occupant::read(data_dir)), data_dir: data_dir.to_path_buf() }
    }
}

/// Who holds the lock of a data directory, as far as it has said so.
#[derive(Debug)]
pub struct Holder(Option<Occupant>);

impl Holder {
    fn way_out(&self) -> &'static str {
        match &self.0 {
            Some(Occupant { role: Role::Command, .. }) => "wait until it is done, or choose another --data-dir",
            _ => "stop it or choose another --data-dir",
        }
    }
}

impl Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => write!(formatter, "another Rapport server"),
            Some(Occupant { role: Role::Command, pid, .. }) => write!(formatter, "a Rapport command (process {pid})"),
            Some(Occupant { pid, api: None, .. }) => write!(formatter, "another Rapport server (process {pid})"),
            Some(Occupant { pid, api: Some(api), .. }) => {
                write!(formatter, "another Rapport server (process {pid}, at {api})")
            }
        }
    }
}
