//! A private Postgres for those who have none: a cluster in the data directory, run with the server programs that are
//! found on the machine, for as long as Rapport runs.
//!
//! In the data directory are `postgres` (the cluster, or a link to it), `postgres.log`, `lock` (held by the process
//! that runs the cluster) and `server.json` (what that process says about itself). The socket, which is the only way
//! into the cluster, is in a directory of its own under a short path.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

mod account;
mod binaries;
mod cluster;
mod error;
mod lock;
mod log;
mod pid_file;
mod postmaster;
mod socket;

use account::Account;
use binaries::Binaries;
use cluster::Cluster;
pub use error::EmbeddedError;
use lock::{DirectoryLock, Occupant, Role};
use postmaster::Postmaster;

/// How long a command waits for the process that holds the data directory to have its cluster running, or, if that is
/// a command too, to be done.
const OTHERS: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(50);

/// The cluster of a data directory, running for as long as this value lives.
#[derive(Debug)]
pub struct Embedded {
    /// Gone once it has been stopped.
    postmaster: Option<Postmaster>,
    occupant: Occupant,
    url: String,
    lock: DirectoryLock,
    /// After the lock, which is in it.
    _temporary: Option<TempDir>,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Without it, commits do not wait for the disk and a power cut may destroy the cluster: for throw-away ones.
    pub durable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true }
    }
}

impl Embedded {
    /// Locks the data directory, creates the cluster if there is none, and starts it, or adopts one that a crashed
    /// server left running. The directory is created if it is not there.
    ///
    /// Fails if another process has the directory, if no fitting Postgres is installed, or if it does not start.
    pub fn start(data_dir: &Path, options: Options) -> Result<Self, EmbeddedError> {
        let data_dir = prepare(data_dir)?;
        let lock = DirectoryLock::try_take(&data_dir)?.ok_or_else(|| EmbeddedError::busy(&data_dir))?;
        Self::run(&data_dir, lock, options, Role::Server)
    }

    /// A cluster in a temporary folder which is deleted when the value is dropped; not durable.
    pub fn ephemeral() -> Result<Self, EmbeddedError> {
        let temporary = temporary_directory()?;
        let mut embedded = Self::start(temporary.path(), Options { durable: false })?;
        embedded._temporary = Some(temporary);
        Ok(embedded)
    }

    /// Where the database is, as libpq wants it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Notes where the API listens, so that a second server on the same folder can say so.
    pub fn announce(&self, api: &str) -> Result<(), EmbeddedError> {
        self.lock.note(&Occupant { api: Some(api.to_owned()), ..self.occupant.clone() })
    }

    /// Disconnects everybody, and waits until the cluster has shut down. Dropping the value does the same, and logs the
    /// error. Fails if the server survives even being killed.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.shut_down()
    }

    fn run(data_dir: &Path, lock: DirectoryLock, options: Options, role: Role) -> Result<Self, EmbeddedError> {
        let mut occupant = Occupant::myself(role);
        lock.note(&occupant)?;
        let cluster = Cluster::locate(data_dir)?;
        let postmaster = match Postmaster::adopt(&cluster) {
            Some(running) => running,
            None => launch(data_dir, &cluster, options)?,
        };
        let url = postmaster.url.clone();
        occupant.url = Some(url.clone());
        let embedded = Self { postmaster: Some(postmaster), occupant, url, lock, _temporary: None };
        embedded.lock.note(&embedded.occupant)?;
        Ok(embedded)
    }

    fn shut_down(&mut self) -> Result<(), EmbeddedError> {
        self.lock.withdraw_note();
        self.postmaster.take().map_or(Ok(()), Postmaster::stop)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!("{error}");
        }
    }
}

/// The cluster of a data directory, for a command that needs it for a while.
#[derive(Debug)]
pub enum Joined {
    /// It belongs to a server that is running.
    Running { url: String },
    /// It was started for the command.
    Started(Embedded),
}

impl Joined {
    pub fn url(&self) -> &str {
        match self {
            Self::Running { url } => url,
            Self::Started(embedded) => embedded.url(),
        }
    }
}

/// For commands such as `import`: uses the cluster of a running server, or starts one for the time of the command.
///
/// Waits for a server that is still starting and for another command to be done, and fails if either takes too long.
pub fn join(data_dir: &Path) -> Result<Joined, EmbeddedError> {
    let data_dir = prepare(data_dir)?;
    let deadline = Instant::now() + OTHERS;
    loop {
        if let Some(lock) = DirectoryLock::try_take(&data_dir)? {
            return Embedded::run(&data_dir, lock, Options::default(), Role::Command).map(Joined::Started);
        }
        if let Some(Occupant { role: Role::Server, url: Some(url), .. }) = Occupant::read(&data_dir) {
            return Ok(Joined::Running { url });
        }
        if Instant::now() > deadline {
            return Err(EmbeddedError::busy(&data_dir));
        }
        sleep(POLL);
    }
}

fn launch(data_dir: &Path, cluster: &Cluster, options: Options) -> Result<Postmaster, EmbeddedError> {
    let major = cluster.major()?;
    let binaries = Binaries::find(major.map(|major| (cluster.path.as_path(), major)))?;
    if major.is_none() {
        tracing::info!("creating a database in {} with PostgreSQL {}", cluster.path.display(), binaries.major);
        cluster.create(&binaries, options.durable)?;
    }
    let postmaster = Postmaster::launch(cluster, &binaries, data_dir, options.durable)?;
    tracing::info!("PostgreSQL {} is running (process {})", binaries.major, postmaster.pid().as_raw_pid());
    Ok(postmaster)
}

/// Creates the data directory if necessary, private to this user; for root, the user who runs Postgres may pass
/// through. Returns its real path.
fn prepare(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(data_dir)
        .and_then(|()| data_dir.canonicalize())
        .map_err(EmbeddedError::io("create the data directory", data_dir))
}

/// Where the user who runs Postgres can enter, so that nothing has to be placed elsewhere.
fn temporary_directory() -> Result<TempDir, EmbeddedError> {
    let account = Account::for_new_cluster()?;
    let usual = std::env::temp_dir();
    let enterable = usual.canonicalize().is_ok_and(|real| account.can_enter(&real));
    let parent = if enterable { usual } else { PathBuf::from("/tmp") };
    let temporary = tempfile::Builder::new()
        .prefix("rapport-")
        .tempdir_in(&parent)
        .map_err(EmbeddedError::io("create a directory in", &parent))?;
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    fs::set_permissions(temporary.path(), Permissions::from_mode(mode))
        .map_err(EmbeddedError::io("set the permissions of", temporary.path()))?;
    Ok(temporary)
}
