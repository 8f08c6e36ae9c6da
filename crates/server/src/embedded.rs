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
    role: Role,
    url: String,
    lock: DirectoryLock,
    /// Of an ephemeral one.
    temporary: Option<TempDir>,
}

/// How to run a cluster.
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
    /// Blocks until the cluster accepts connections, a second or two if it has to be created first.
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
        embedded.temporary = Some(temporary);
        Ok(embedded)
    }

    /// Where the database is, as libpq wants it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Notes where the API listens, so that a second server on the same folder can say so.
    pub fn announce(&self, api: &str) -> Result<(), EmbeddedError> {
        let occupant = Occupant::myself(self.role);
        self.lock.note(&Occupant { api: Some(api.to_owned()), url: Some(self.url.clone()), ..occupant })
    }

    /// Disconnects everybody, and waits until the cluster has shut down. Dropping the value does the same, and logs the
    /// error. Fails if the server survives even being killed.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.shut_down()
    }

    fn run(data_dir: &Path, lock: DirectoryLock, options: Options, role: Role) -> Result<Self, EmbeddedError> {
        lock.note(&Occupant::myself(role))?;
        let cluster = Cluster::locate(data_dir)?;
        let postmaster = match Postmaster::adopt(&cluster) {
            Some(running) => running,
            None => launch(data_dir, &cluster, options)?,
        };
        let url = postmaster.url.clone();
        let embedded = Self { postmaster: Some(postmaster), role, url, lock, temporary: None };
        embedded.lock.note(&Occupant { url: Some(embedded.url.clone()), ..Occupant::myself(role) })?;
        Ok(embedded)
    }

    fn shut_down(&mut self) -> Result<(), EmbeddedError> {
        self.lock.withdraw_note();
        self.postmaster.take().map_or(Ok(()), Postmaster::stop)?;
        let Some(temporary) = self.temporary.take() else { return Ok(()) };
        let path = temporary.path().to_path_buf();
        temporary.close().map_err(EmbeddedError::io("remove", &path))
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
    cluster.discard_unfinished();
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use std::process::{Child, Command, Stdio};

    use rustix::process::Signal;

    use super::pid_file::PidFile;
    use super::*;

    /// Tells the test below in which directory to run a server until it is killed.
    const VICTIM: &str = "RAPPORT_TEST_VICTIM";

    #[test]
    fn data_survives_a_restart_and_nothing_else_does() {
        let folder = Folder::new();
        let first = Embedded::start(folder.path(), Options::default()).unwrap();
        query(first.url(), "create table note (text text); insert into note values ('kept')");
        assert_eq!(query(first.url(), "select 'Ж' ~ '[[:alpha:]]'"), "t");
        assert_eq!(query(first.url(), "show fsync"), "on");
        let socket_directory = folder.pid_file().unwrap().socket_directory.unwrap();
        first.stop().unwrap();

        assert!(folder.pid_file().is_none());
        assert!(!socket_directory.exists());
        assert_eq!(folder.entries(), ["lock", "postgres", "postgres.log"]);
        let second = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        assert_eq!(query(second.url(), "select text from note"), "kept");
        assert_eq!(query(second.url(), "show fsync"), "off");
    }

    #[test]
    fn a_second_server_is_refused_and_a_command_joins() {
        let folder = Folder::new();
        let server = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        server.announce("http://127.0.0.1:8080").unwrap();
        let error = Embedded::start(folder.path(), Options::default()).unwrap_err().to_string();
        let pid = std::process::id();
        let (start, end) = (format!("another Rapport server (process {pid}, at http://127.0.0.1:8080)"), "--data-dir");
        assert!(error.starts_with(&start) && error.ends_with(end), "{error}");
        let joined = join(folder.path()).unwrap();
        assert!(matches!(joined, Joined::Running { .. }));
        assert_eq!(joined.url(), server.url());
        drop(joined);
        assert_eq!(query(server.url(), "select 1"), "1");
    }

    #[test]
    fn a_command_runs_the_cluster_itself_if_no_server_does() {
        let folder = Folder::new();
        let joined = join(folder.path()).unwrap();
        assert!(matches!(joined, Joined::Started(_)));
        assert_eq!(query(joined.url(), "select 1"), "1");
        let error = Embedded::start(folder.path(), Options::default()).unwrap_err().to_string();
        assert!(error.starts_with("a Rapport command (process "), "{error}");
        drop(joined);
        assert!(folder.pid_file().is_none());
    }

    #[test]
    fn a_postgres_that_was_killed_is_started_again() {
        let folder = Folder::new();
        let first = Embedded::start(folder.path(), Options::default()).unwrap();
        query(first.url(), "create table note (text text); insert into note values ('kept')");
        rustix::process::kill_process(folder.pid_file().unwrap().pid, Signal::KILL).unwrap();
        first.stop().unwrap();
        assert!(folder.pid_file().is_some());
        let second = Embedded::start(folder.path(), Options::default()).unwrap();
        assert_eq!(query(second.url(), "select text from note"), "kept");
    }

    #[test]
    fn a_stale_pid_file_with_the_number_of_another_program_is_no_obstacle() {
        let folder = Folder::new();
        let first = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        let pid_file = folder.path().join("postgres/postmaster.pid");
        let text = fs::read_to_string(&pid_file).unwrap();
        let PidFile { socket_directory, pid, .. } = PidFile::parse(&text).unwrap();
        first.stop().unwrap();

        // Of the same user, since Postgres does not mind the numbers of others.
        let account = Account::of_cluster(&folder.path().join("postgres")).unwrap();
        let other = Victim(account.command(Path::new("/bin/sleep")).arg("60").spawn().unwrap());
        let text = text.replacen(&pid.as_raw_pid().to_string(), &other.0.id().to_string(), 1);
        let socket_directory = socket_directory.unwrap();
        socket::create(&socket_directory, account).unwrap();
        for path in [pid_file, socket::lock_file(&socket_directory)] {
            fs::write(&path, &text).unwrap();
            account.give(&path).unwrap();
        }
        let second = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        assert_eq!(query(second.url(), "select 1"), "1");
        assert_ne!(folder.pid_file().unwrap().pid.as_raw_pid().unsigned_abs(), other.0.id());
    }

    #[test]
    fn the_cluster_of_a_killed_server_is_adopted() {
        let folder = Folder::new();
        let orphan = orphan(&folder);
        let server = Embedded::start(folder.path(), Options::default()).unwrap();
        assert_eq!(folder.pid_file().unwrap().pid, orphan.pid);
        assert_eq!(query(server.url(), "select 1"), "1");
        server.stop().unwrap();
        assert!(!pid_file::is_postmaster(orphan.pid, &orphan.cluster));
        assert!(!orphan.socket_directory.unwrap().exists());
    }

    #[test]
    fn a_data_directory_that_was_deleted_begins_anew_even_if_its_server_still_runs() {
        let folder = Folder::new();
        let orphan = orphan(&folder);
        fs::remove_dir_all(folder.path()).unwrap();
        let server = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        assert_eq!(query(server.url(), "select 1"), "1");
        assert_ne!(folder.pid_file().unwrap().pid, orphan.pid);
        assert!(!pid_file::is_postmaster(orphan.pid, &orphan.cluster));
    }

    #[test]
    #[ignore = "started and killed by the tests of orphans"]
    fn a_server_to_be_killed() {
        let Some(directory) = std::env::var_os(VICTIM) else { return };
        let _server = Embedded::start(Path::new(&directory), Options { durable: false }).unwrap();
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn an_ephemeral_cluster_leaves_nothing() {
        let embedded = Embedded::ephemeral().unwrap();
        assert_eq!(query(embedded.url(), "show fsync"), "off");
        let folder = embedded.temporary.as_ref().unwrap().path().to_path_buf();
        let PidFile { pid, cluster, socket_directory, .. } = PidFile::read(&folder.join("postgres")).unwrap();
        drop(embedded);
        assert!(!folder.exists());
        assert!(!socket_directory.unwrap().exists());
        assert!(!pid_file::is_postmaster(pid, &cluster));
    }

    #[test]
    fn leftovers_of_an_interrupted_creation_are_removed_and_foreign_files_are_not() {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join("postgres.new-a1b2/base")).unwrap();
        fs::create_dir(folder.path().join("postgres")).unwrap();
        let foreign = folder.path().join("postgres/diary.txt");
        fs::write(&foreign, "dear diary").unwrap();
        let error = Embedded::start(folder.path(), Options { durable: false }).unwrap_err().to_string();
        assert!(error.contains("is in the way"), "{error}");
        fs::remove_file(&foreign).unwrap();
        let server = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        assert_eq!(folder.entries(), ["lock", "postgres", "postgres.log", "server.json"]);
        drop(server);
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let folder = Folder::new();
        Embedded::start(folder.path(), Options { durable: false }).unwrap().stop().unwrap();
        fs::write(folder.path().join("postgres/postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
        let error = Embedded::start(folder.path(), Options { durable: false }).unwrap_err().to_string();
        assert!(error.contains("no_such_setting") && error.contains("postgres.log"), "{error}");
        assert_eq!(folder.entries(), ["lock", "postgres", "postgres.log"]);
    }

    /// Only root has another user run Postgres.
    #[test]
    fn a_data_directory_that_postgres_cannot_enter_has_its_cluster_elsewhere() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = Folder::new();
        fs::set_permissions(folder.0.path(), Permissions::from_mode(0o700)).unwrap();
        let server = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        let elsewhere = fs::read_link(folder.path().join("postgres")).unwrap();
        query(server.url(), "create table note (text text); insert into note values ('kept')");
        server.stop().unwrap();
        let server = Embedded::start(folder.path(), Options { durable: false }).unwrap();
        assert_eq!(query(server.url(), "select text from note"), "kept");
        server.stop().unwrap();

        fs::remove_dir_all(&elsewhere).unwrap();
        let error = Embedded::start(folder.path(), Options { durable: false }).unwrap_err().to_string();
        assert!(error.contains("bring it back there"), "{error}");
        // Unless it was there before and has other clusters in it.
        let _ = fs::remove_dir(elsewhere.parent().unwrap());
    }

    /// A data directory that is removed in the end, along with a server that is still running in it.
    struct Folder(TempDir, PathBuf);

    impl Folder {
        fn new() -> Self {
            let temporary = temporary_directory().unwrap();
            let data_dir = temporary.path().join("data");
            Self(temporary, data_dir)
        }

        fn path(&self) -> &Path {
            &self.1
        }

        fn pid_file(&self) -> Option<PidFile> {
            PidFile::read(&self.1.join("postgres"))
        }

        fn entries(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.1).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = entries.collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if let Some(PidFile { pid, cluster, .. }) = self.pid_file()
                && pid_file::is_postmaster(pid, &cluster)
            {
                let _ = rustix::process::kill_process(pid, Signal::QUIT);
            }
        }
    }

    struct Victim(Child);

    impl Drop for Victim {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    /// The Postgres that is left when the process that started it is killed.
    fn orphan(folder: &Folder) -> PidFile {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", &format!("{}::a_server_to_be_killed", module_path())]);
        let victim = Victim(command.env(VICTIM, folder.path()).stdout(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while Occupant::read(folder.path()).is_none_or(|occupant| occupant.url.is_none()) {
            assert!(Instant::now() < deadline, "the server did not start");
            sleep(POLL);
        }
        drop(victim);
        folder.pid_file().unwrap()
    }

    /// As the test runner calls it: without the name of the crate.
    fn module_path() -> &'static str {
        std::module_path!().split_once("::").unwrap().1
    }

    /// With the `psql` of the installation that runs the cluster.
    fn query(url: &str, statement: &str) -> String {
        let psql = Binaries::find(None).unwrap().postgres.with_file_name("psql");
        let output = Command::new(psql).args(["-XAtqc", statement, url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
