//! The running server of the cluster: starting it, finding one that is already there, and stopping it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::binaries::Binaries;
use super::cluster::Cluster;
use super::error::EmbeddedError;
use super::log::ServerLog;
use super::pid_file::{self, PidFile};
use super::socket;

/// How long a server may say nothing while it starts. It logs its progress every ten seconds, so that even a long
/// recovery after a crash is not given up.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the remaining processes of a server that was killed may take to notice.
const LEFTOVERS: Duration = Duration::from_secs(20);

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

const FAST_SHUTDOWN: Duration = Duration::from_secs(30);
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

const SETTINGS: [&str; 13] = [
    // No network: a socket in a private directory is the only way in, and no taken port can be in the way.
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "log_destination=stderr",
    "logging_collector=off",
    "log_startup_progress_interval=10s",
    // As any other Postgres takes: a program may come along with connections of its own.
    "max_connections=100",
    // Batches lock thousands of keys, and all locks share one table.
    "max_locks_per_transaction=256",
    "work_mem=16MB",
    "maintenance_work_mem=128MB",
    "max_wal_size=2GB",
    "checkpoint_timeout=10min",
    "random_page_cost=1.1",
    "jit=off",
];

/// An eighth of the memory there is, from 128 MB to 4 GB: pages that don't fit are fetched from the system and written back one
/// by one, which with 512 MB makes a patch among a million contacts an eighth dearer. It is taken as it is used.
fn shared_buffers() -> String {
    let megabytes = megabytes_of_memory().map_or(128, |memory| (memory / 8).clamp(128, 4096));
    format!("shared_buffers={megabytes}MB")
}

/// The memory of the machine, or of the container where that has less.
#[cfg(target_os = "linux")]
fn megabytes_of_memory() -> Option<u64> {
    let memory = rustix::system::sysinfo();
    let machine = u64::from(memory.mem_unit).checked_mul(memory.totalram)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = memory_limit(Path::new("/sys/fs/cgroup"), &groups);
    Some(limit.map_or(machine, |limit| limit.min(machine)) / (1024 * 1024))
}

#[cfg(not(target_os = "linux"))]
fn megabytes_of_memory() -> Option<u64> {
    None
}

/// How many bytes the control group of a process may take at most, and those that it is part of. `groups` is what the system
/// says of them, in `/proc/self/cgroup`.
#[cfg(target_os = "linux")]
fn memory_limit(root: &Path, groups: &str) -> Option<u64> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = root.join(group);
    let parts = folder.ancestors().take_while(|part| part.starts_with(root));
    // Where there is no limit, the file says `max`.
    parts.filter_map(|part| fs::read_to_string(part.join("memory.max")).ok()?.trim().parse().ok()).min()
}

/// A power cut may cost everything, which does not matter to data that is thrown away anyway.
const NOT_DURABLE: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// A server that accepts connections. It runs until it is stopped, also if this value is just dropped.
#[derive(Debug)]
pub(crate) struct Postmaster {
    process: Process,
    cluster: PathBuf,
    socket_directory: PathBuf,
    pub(crate) url: String,
}

#[derive(Debug)]
enum Process {
    Child(Child),
    /// Started by another process, which is gone.
    Adopted(Pid),
}

impl Postmaster {
    /// The server that a killed process left running, if there is one. Only for the holder of the lock.
    pub(crate) fn adopt(cluster: &Cluster) -> Option<Self> {
        let deadline = Instant::now() + SILENCE;
        while let Some(found) = PidFile::read(&cluster.path)
            && pid_file::is_postmaster(found.pid, &cluster.path)
            && Instant::now() < deadline
        {
            if found.is_ready()
                && let (Some(port), Some(socket_directory)) = (found.port, found.socket_directory)
            {
                let url = socket::url(&socket_directory, port);
                tracing::info!(
                    "PostgreSQL is still running (process {}), and is used as it is",
                    found.pid.as_raw_pid()
                );
                let process = Process::Adopted(found.pid);
                return Some(Self { process, cluster: cluster.path.clone(), socket_directory, url });
            }
            // It is starting or stopping.
            sleep(POLL);
        }
        None
    }

    /// Starts the server and waits until it accepts connections. Fails with the end of its log if it ends before.
    pub(crate) fn launch(
        cluster: &Cluster,
        binaries: &Binaries,
        data_dir: &Path,
        durable: bool,
    ) -> Result<Self, EmbeddedError> {
        let log = ServerLog::open(data_dir)?;
        let socket_directory = socket::directory_of(data_dir, cluster.account);
        socket::create(&socket_directory, cluster.account)?;
        end_abandoned(&socket_directory);
        let deadline = Instant::now() + LEFTOVERS;
        loop {
            socket::clear(&socket_directory);
            pid_file::release(&cluster.path)?;
            let before = log.length();
            let child = command(cluster, binaries, &socket_directory, durable, &log)?
                .spawn()
                .map_err(EmbeddedError::io("run", &binaries.postgres))?;
            let mut postmaster = Self {
                process: Process::Child(child),
                cluster: cluster.path.clone(),
                socket_directory: socket_directory.clone(),
                url: socket::url(&socket_directory, socket::PORT),
            };
            if postmaster.becomes_ready(&log) {
                return Ok(postmaster);
            }
            postmaster.end()?;
            let leftovers = log.since(before).contains("pre-existing shared memory block");
            if !leftovers || Instant::now() > deadline {
                socket::remove(&socket_directory);
                return Err(EmbeddedError::NotStarted { detail: log.complaint(before), log: log.path });
            }
            sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Disconnects everybody, and waits until the server has ended. Fails if it survives even being killed.
    pub(crate) fn stop(mut self) -> Result<(), EmbeddedError> {
        self.end()?;
        socket::remove(&self.socket_directory);
        Ok(())
    }

    /// `false` if the server ended, or went silent, before it was ready.
    fn becomes_ready(&mut self, log: &ServerLog) -> bool {
        let (mut length, mut last_sign) = (log.length(), Instant::now());
        while last_sign.elapsed() < SILENCE {
            if PidFile::read(&self.cluster).is_some_and(|found| found.pid == self.pid() && found.is_ready()) {
                return true;
            }
            if self.has_ended() {
                return false;
            }
            if log.length() != length {
                (length, last_sign) = (log.length(), Instant::now());
            }
            sleep(POLL);
        }
        false
    }

    fn end(&mut self) -> Result<(), EmbeddedError> {
        let steps = [
            (Signal::INT, FAST_SHUTDOWN),
            (Signal::QUIT, IMMEDIATE_SHUTDOWN),
            // Its other processes notice and end by themselves.
            (Signal::KILL, IMMEDIATE_SHUTDOWN),
        ];
        for (signal, patience) in steps {
            if self.has_ended() {
                return Ok(());
            }
            if signal != Signal::INT {
                tracing::warn!("PostgreSQL (process {}) is slow to stop; insisting", self.pid().as_raw_pid());
            }
            // The process may end at any moment, so a refusal says nothing that the next look would not say.
            let _ = rustix::process::kill_process(self.pid(), signal);
            if self.ends_within(patience) {
                return Ok(());
            }
        }
        Err(EmbeddedError::NotStopped { pid: self.pid().as_raw_pid().unsigned_abs() })
    }

    fn ends_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.has_ended() {
            if Instant::now() > deadline {
                return false;
            }
            sleep(POLL);
        }
        true
    }

    /// Also takes note of the end of a child, so that no zombie stays.
    fn has_ended(&mut self) -> bool {
        match &mut self.process {
            Process::Child(child) => !matches!(child.try_wait(), Ok(None)),
            Process::Adopted(pid) => !pid_file::is_postmaster(*pid, &self.cluster),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        match &self.process {
            Process::Child(child) => Pid::from_child(child),
            Process::Adopted(pid) => *pid,
        }
    }
}

/// In a process group of its own, so that an interrupt from the terminal reaches Rapport alone, which then stops it.
fn command(
    cluster: &Cluster,
    binaries: &Binaries,
    socket_directory: &Path,
    durable: bool,
    log: &ServerLog,
) -> Result<Command, EmbeddedError> {
    let mut command = cluster.account.command(&binaries.postgres);
    command.arg("-D").arg(&cluster.path).arg("-k").arg(socket_directory).arg("-p").arg(socket::PORT.to_string());
    let memory = shared_buffers();
    let settings = SETTINGS.iter().chain(NOT_DURABLE.iter().filter(|_| !durable)).copied();
    for setting in settings.chain([memory.as_str()]) {
        command.args(["-c", setting]);
    }
    command.process_group(0).stdin(Stdio::null()).stdout(log.writer()?).stderr(log.writer()?);
    Ok(command)
}

/// A server that was killed together with its data directory does not know yet, and still holds the socket. It would
/// find out and end within a minute.
fn end_abandoned(socket_directory: &Path) {
    let Some(left) = PidFile::parse(&fs::read_to_string(socket::lock_file(socket_directory)).unwrap_or_default())
    else {
        return;
    };
    let deadline = Instant::now() + IMMEDIATE_SHUTDOWN;
    while pid_file::is_postmaster(left.pid, &left.cluster) && Instant::now() < deadline {
        // The caller has made sure that no server runs on the cluster itself.
        let _ = rustix::process::kill_process(left.pid, Signal::QUIT);
        sleep(POLL);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_the_limits_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("pod/container");
        fs::create_dir_all(&inner).unwrap();
        let groups = "1:name=systemd:/elsewhere\n0::/pod/container\n";
        assert_eq!(memory_limit(root.path(), groups), None);
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(memory_limit(root.path(), groups), None);
        fs::write(root.path().join("pod/memory.max"), "2147483648\n").unwrap();
        assert_eq!(memory_limit(root.path(), groups), Some(2 << 30));
        fs::write(inner.join("memory.max"), "1073741824\n").unwrap();
        assert_eq!(memory_limit(root.path(), groups), Some(1 << 30));
        assert_eq!(memory_limit(root.path(), "0::/\n"), None);
        assert_eq!(memory_limit(root.path(), ""), None);
    }
}
