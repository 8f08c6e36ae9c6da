//! The files of the cluster: where they are, whose they are, and how they come into being.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use tempfile::TempDir;

use super::account::Account;
use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::socket;

/// Where the cluster goes if the user who runs it cannot enter the data directory.
const ELSEWHERE: &str = "/var/lib/rapport";

/// In these, the letters of all scripts are letters to the database. The last one is for systems that know neither.
const LOCALES: [&[&str]; 3] = [&["--locale=C.UTF-8"], &["--locale=en_US.UTF-8"], &["--no-locale"]];

/// A database cluster on disk, which may be yet to be created.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The real path, without links.
    pub(crate) path: PathBuf,
    pub(crate) account: Account,
    /// How the data directory refers to it: the same path, or a link to it.
    link: PathBuf,
    exists: bool,
}

impl Cluster {
    /// Where the cluster of a data directory is, or is to be. The path of the data directory must be canonical.
    pub(crate) fn locate(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let link = data_dir.join("postgres");
        if link.join("PG_VERSION").exists() {
            let path = link.canonicalize().map_err(EmbeddedError::io("read", &link))?;
            let account = Account::of_cluster(&path)?;
            return Ok(Self { path, account, link, exists: true });
        }
        if let Ok(target) = fs::read_link(&link)
            && !link.exists()
        {
            return Err(EmbeddedError::LostCluster { link, target });
        }
        if fs::read_dir(&link).map_or(link.is_file(), |mut entries| entries.next().is_some()) {
            return Err(EmbeddedError::NotACluster { path: link });
        }
        let account = Account::for_new_cluster()?;
        let path = if account.can_enter(data_dir) {
            link.clone()
        } else {
            Path::new(ELSEWHERE).join(socket::short_name(data_dir))
        };
        Ok(Self { path, account, link, exists: false })
    }

    /// The major version of Postgres that the cluster belongs to; `None` if it is yet to be created.
    pub(crate) fn major(&self) -> Result<Option<u32>, EmbeddedError> {
        if !self.exists {
            return Ok(None);
        }
        let path = self.path.join("PG_VERSION");
        let text = fs::read_to_string(&path).map_err(EmbeddedError::io("read", &path))?;
        let not_a_cluster = |_| EmbeddedError::NotACluster { path: self.path.clone() };
        text.trim().parse().map(Some).map_err(not_a_cluster)
    }

    /// Creates the cluster with an empty database `rapport` in it. It is made under another name and renamed when it is
    /// complete, so that no interruption leaves half of one.
    pub(crate) fn create(&self, binaries: &Binaries, durable: bool) -> Result<(), EmbeddedError> {
        let parent = self.prepare_parent()?;
        let unfinished = tempfile::Builder::new()
            .prefix(&self.unfinished_prefix())
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(EmbeddedError::io("create a directory in", parent))?;
        self.account.give(unfinished.path())?;
        self.initialise(binaries, &unfinished, durable)?;
        self.create_database(binaries, unfinished.path(), durable)?;
        fs::rename(unfinished.path(), &self.path).map_err(EmbeddedError::io("complete", &self.path))?;
        // It has its final name now, so there is nothing to clean up.
        let _ = unfinished.keep();
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(EmbeddedError::io("complete", parent))?;
        self.refer()
    }

    /// Removes what interrupted attempts to create the cluster have left. Every attempt has a name of its own, so what
    /// cannot be removed, say because its `initdb` is still writing, is no obstacle.
    pub(crate) fn discard_unfinished(&self) {
        let entries = self.path.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten();
        let prefix = self.unfinished_prefix();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
            if let Err(cause) = fs::remove_dir_all(entry.path()) {
                tracing::warn!("could not remove the unfinished database {}: {cause}", entry.path().display());
            }
        }
    }

    fn unfinished_prefix(&self) -> String {
        format!("{}.new-", self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Makes the directory above the cluster, which is the data directory itself unless the cluster goes elsewhere.
    fn prepare_parent(&self) -> Result<&Path, EmbeddedError> {
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        if self.path == self.link {
            return Ok(parent);
        }
        if !parent.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o711)
                .create(parent)
                .and_then(|()| fs::set_permissions(parent, Permissions::from_mode(0o711)))
                .map_err(EmbeddedError::io("create", parent))?;
        }
        // Left by a data directory of the same path that has been deleted: a new one begins empty.
        if self.path.exists() {
            let seconds = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
            let aside = self.path.with_extension(format!("old-{seconds}"));
            fs::rename(&self.path, &aside).map_err(EmbeddedError::io("move aside", &self.path))?;
            tracing::warn!("moved the database of a data directory that was deleted to {}", aside.display());
        }
        Ok(parent)
    }

    fn initialise(&self, binaries: &Binaries, target: &TempDir, durable: bool) -> Result<(), EmbeddedError> {
        let mut detail = String::new();
        for locale in LOCALES {
            let mut command = self.account.command(&binaries.initdb);
            command.arg("--pgdata").arg(target.path()).args(locale);
            command.args(["--encoding=UTF8", "--username=rapport", "--auth-local=trust", "--auth-host=reject"]);
            command.args(["--no-instructions"]).args((!durable).then_some("--no-sync"));
            let output = self.run(&mut command, "")?;
            if output.status.success() {
                return Ok(());
            }
            detail = complaint(&output);
            if !detail.contains("locale") {
                break;
            }
        }
        Err(self.not_created(&detail))
    }

    /// With the single-user mode of the server, so that no client program is needed.
    fn create_database(&self, binaries: &Binaries, target: &Path, durable: bool) -> Result<(), EmbeddedError> {
        let mut command = self.account.command(&binaries.postgres);
        command.args(["--single", "-D"]).arg(target).args((!durable).then_some("-F"));
        command.args(["-c", "log_destination=stderr", "-c", "logging_collector=off", "template1"]);
        let output = self.run(&mut command, "CREATE DATABASE rapport;\n")?;
        let detail = complaint(&output);
        // The single-user mode ends well even if the statement did not.
        if output.status.success() && !detail.contains("ERROR:") { Ok(()) } else { Err(self.not_created(&detail)) }
    }

    fn run(&self, command: &mut Command, input: &str) -> Result<Output, EmbeddedError> {
        let program = PathBuf::from(command.get_program());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(EmbeddedError::io("run", &program))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ended too early to read this says why on its error output.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(EmbeddedError::io("run", &program))
    }

    /// Makes the data directory refer to the cluster if that went elsewhere.
    fn refer(&self) -> Result<(), EmbeddedError> {
        if self.path == self.link {
            return Ok(());
        }
        if self.link.exists() {
            // An empty directory: nothing else was let through.
            fs::remove_dir(&self.link).map_err(EmbeddedError::io("replace", &self.link))?;
        }
        symlink(&self.path, &self.link).map_err(EmbeddedError::io("create the link", &self.link))?;
        tracing::info!(
            "the user who runs PostgreSQL cannot enter the data directory, so the database is in {}",
            self.path.display()
        );
        Ok(())
    }

    fn not_created(&self, detail: &str) -> EmbeddedError {
        EmbeddedError::NotCreated { cluster: self.path.clone(), detail: detail.to_owned() }
    }
}

/// The lines of a program's error output that matter, on one line.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked: Vec<&str> = lines()
        .filter(|line| ["error:", "ERROR:", "FATAL:", "PANIC:", "DETAIL:"].iter().any(|mark| line.contains(mark)))
        .collect();
    if marked.is_empty() { lines().next_back().unwrap_or("no reason was given").to_owned() } else { marked.join(" ") }
}
