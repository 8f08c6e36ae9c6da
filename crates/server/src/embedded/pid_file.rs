//! `postmaster.pid`, in which a server says who it is and how far it has come, and the question whether to believe it.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Pid;

use super::error::EmbeddedError;

const NAME: &str = "postmaster.pid";

/// The first lines of the file; later ones are not there yet while the server starts.
#[derive(Debug)]
pub(crate) struct PidFile {
    pub(crate) pid: Pid,
    pub(crate) cluster: PathBuf,
    pub(crate) port: Option<u16>,
    pub(crate) socket_directory: Option<PathBuf>,
    status: String,
}

impl PidFile {
    pub(crate) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(cluster.join(NAME)).ok()?)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim);
        Some(Self {
            // Negative for the single-user mode.
            pid: lines.next()?.parse::<i32>().ok().and_then(i32::checked_abs).and_then(Pid::from_raw)?,
            cluster: lines.next().map(PathBuf::from).unwrap_or_default(),
            port: lines.nth(1).and_then(|port| port.parse().ok()),
            socket_directory: lines.next().filter(|directory| !directory.is_empty()).map(PathBuf::from),
            status: lines.nth(2).unwrap_or_default().to_owned(),
        })
    }

    /// Whether the server accepts connections.
    pub(crate) fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

/// Makes a stale file harmless. If another program has the number by now, Postgres would believe that it is running
/// already; the number of its own parent, which is this process, it recognises as stale. The file is not removed,
/// because Postgres learns from it whether processes of the killed server are still at work.
///
/// Only for when no server is running on the cluster.
pub(crate) fn release(cluster: &Path) -> Result<(), EmbeddedError> {
    let path = cluster.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(EmbeddedError::io("read", &path)(cause)),
    };
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    fs::write(&path, format!("{}\n{rest}", std::process::id())).map_err(EmbeddedError::io("write", &path))
}

/// Whether a process exists and is the main process of a server on this cluster, by its command line. The number may
/// belong to any other program by now.
pub(crate) fn is_postmaster(pid: Pid, cluster: &Path) -> bool {
    if Path::new("/proc/self/cmdline").exists() {
        // Empty for a process that has ended and is not cleared away yet.
        let text = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
        let arguments: Vec<&OsStr> = text.split(|byte| *byte == 0).map(OsStr::from_bytes).collect();
        return is_server_on(&arguments, cluster);
    }
    let number = pid.as_raw_pid().to_string();
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &number]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.contains("postgres") && text.contains(&format!("-D {}", cluster.display()))
}

fn is_server_on(arguments: &[&OsStr], cluster: &Path) -> bool {
    let program = arguments.first().and_then(|program| Path::new(program).file_name());
    let mut rest = arguments.iter().skip_while(|argument| *argument != &"-D").skip(1);
    let named = rest.next().map(Path::new);
    ["postgres", "postmaster"].iter().any(|name| program == Some(OsStr::new(name)))
        && named.is_some_and(|named| named == cluster || named.canonicalize().is_ok_and(|named| named == cluster))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_understood_at_every_stage() {
        let text = "4711\n/data/postgres\n1700000000\n5432\n/tmp/rapport-1-ab\n\n  5432001    32768\nready   \n";
        let found = PidFile::parse(text).unwrap();
        assert_eq!((found.pid.as_raw_pid(), found.port, found.is_ready()), (4711, Some(5432), true));
        assert_eq!(found.socket_directory.as_deref(), Some(Path::new("/tmp/rapport-1-ab")));
        assert!(!PidFile::parse("4711\n/data/postgres\n").unwrap().is_ready());
        assert!(!PidFile::parse(&text.replace("ready", "starting")).unwrap().is_ready());
        assert!(PidFile::parse("").is_none());
    }

    #[test]
    fn a_server_is_told_by_its_command_line() {
        let server = ["/usr/lib/postgresql/15/bin/postgres", "-D", "/data/postgres", "-k", "/tmp"].map(OsStr::new);
        assert!(is_server_on(&server, Path::new("/data/postgres")));
        assert!(!is_server_on(&server, Path::new("/other/postgres")));
        assert!(!is_server_on(&["vi", "-D", "/data/postgres"].map(OsStr::new), Path::new("/data/postgres")));
        assert!(!is_server_on(&[OsStr::new("")], Path::new("/data/postgres")));
    }
}
