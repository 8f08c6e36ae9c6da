//! Finding the programs of a Postgres server on this machine, or saying how to get them.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::EmbeddedError;

const SUPPORTED: RangeInclusive<u32> = 15..=18;

/// The programs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
    pub(crate) major: u32,
}

impl Binaries {
    /// The first usable installation. A cluster that exists can be run only by its own major version, which is given
    /// along with its path. Fails if there is none, with the way to get one.
    pub(crate) fn find(existing: Option<(&Path, u32)>) -> Result<Self, EmbeddedError> {
        if let Some(named) = env::var_os("PG_BIN").map(PathBuf::from)
            && Self::at(&named).is_none()
        {
            tracing::warn!("PG_BIN names {}, which has no working initdb and postgres; looking on", named.display());
        }
        Self::choose(candidates().iter().filter_map(|directory| Self::at(directory)), existing)
    }

    fn choose(
        installations: impl Iterator<Item = Self>,
        existing: Option<(&Path, u32)>,
    ) -> Result<Self, EmbeddedError> {
        let mut found = BTreeSet::new();
        for binaries in installations {
            if existing.map_or(SUPPORTED.contains(&binaries.major), |(_, major)| binaries.major == major) {
                return Ok(binaries);
            }
            found.insert(binaries.major);
        }
        let versions = found.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ");
        match existing {
            Some((cluster, major)) => Err(EmbeddedError::OtherVersion {
                cluster: cluster.to_path_buf(),
                major,
                found: if found.is_empty() { "no version".to_owned() } else { format!("only version {versions}") },
            }),
            None if found.is_empty() => Err(EmbeddedError::NoBinaries { hint: hint_for_this_machine() }),
            None => Err(EmbeddedError::UnsupportedVersion {
                found: format!("version {versions}"),
                hint: hint_for_this_machine(),
            }),
        }
    }

    /// The installation in a directory. Links are followed, because the programs look for each other next to
    /// themselves.
    fn at(directory: &Path) -> Option<Self> {
        let initdb = directory.join("initdb").canonicalize().ok()?;
        let postgres = directory.join("postgres").canonicalize().ok()?;
        let answer = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Self { initdb, postgres, major })
    }
}

/// Where installations may be, the preferred first.
fn candidates() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = env::var_os("PG_BIN").map(PathBuf::from).into_iter().collect();
    if let Some(path) = env::var_os("PATH") {
        directories.extend(env::split_paths(&path).filter(|directory| directory.is_absolute()));
    }
    directories.extend(versions_in(Path::new("/usr/lib/postgresql"), ""));
    directories.extend(versions_in(Path::new("/usr"), "pgsql-"));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt"] {
        directories.extend(versions_in(Path::new(homebrew), "postgresql@"));
        directories.push(Path::new(homebrew).join("postgresql/bin"));
    }
    directories
}

/// The `bin` directories of the installations that are called like their version, the highest first.
fn versions_in(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, directory)| directory).collect()
}

/// 15 from `postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`, 18 from `postgres (PostgreSQL) 18beta1`.
fn major_version(answer: &str) -> Option<u32> {
    let version = answer.split_once("(PostgreSQL)")?.1.trim_start();
    let end = version.find(|character: char| !character.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

fn hint_for_this_machine() -> String {
    let system = if cfg!(target_os = "macos") {
        "ID=macos".to_owned()
    } else {
        fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release")).unwrap_or_default()
    };
    install_hint(&system, rustix::process::geteuid().is_root())
}

/// How to install Postgres on the system that `/etc/os-release` describes.
fn install_hint(system: &str, root: bool) -> String {
    let names =
        ["ID=", "ID_LIKE="].into_iter().filter_map(|key| system.lines().find_map(|line| line.strip_prefix(key)));
    let command =
        names.flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace()).find_map(|name| match name {
            "debian" | "ubuntu" => Some("apt-get install postgresql"),
            "fedora" | "rhel" | "centos" | "rocky" | "almalinux" => {
                Some("dnf install postgresql-server postgresql-contrib")
            }
            "alpine" => Some("apk add postgresql postgresql-contrib"),
            "arch" => Some("pacman -S postgresql"),
            "macos" => Some("brew install postgresql@17"),
            name if name.contains("suse") => Some("zypper install postgresql-server postgresql-contrib"),
            _ => None,
        });
    match command {
        Some(command) if root || command.starts_with("brew") => format!("install it with `{command}`"),
        Some(command) => format!("install it with `sudo {command}`"),
        None => "install version 15 to 18 of it, with its contrib extensions".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn installation(major: u32) -> Binaries {
        let directory = Path::new("/usr/lib/postgresql").join(major.to_string()).join("bin");
        Binaries { initdb: directory.join("initdb"), postgres: directory.join("postgres"), major }
    }

    #[test]
    fn versions_are_understood() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn the_first_supported_installation_is_taken_or_the_one_of_the_cluster() {
        let all = || [13, 16, 17].into_iter().map(installation);
        assert_eq!(Binaries::choose(all(), None).unwrap().major, 16);
        let cluster = Path::new("/data/postgres");
        assert_eq!(Binaries::choose(all(), Some((cluster, 17))).unwrap().major, 17);

        let error = Binaries::choose(all(), Some((cluster, 18))).unwrap_err().to_string();
        assert!(error.contains("/data/postgres was made by PostgreSQL 18"), "{error}");
        assert!(error.contains("only version 13 and 16 and 17 was found"), "{error}");
        let error = Binaries::choose(all().take(1), None).unwrap_err().to_string();
        assert!(error.contains("only version 13 was found"), "{error}");
    }

    #[test]
    fn without_an_installation_the_message_says_how_to_get_one() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(Binaries::at(empty.path()), None);
        let error = Binaries::choose(std::iter::empty(), None).unwrap_err().to_string();
        assert!(error.starts_with("no PostgreSQL server was found on this machine; install"), "{error}");
        assert!(error.ends_with("--database-url"), "{error}");
    }

    #[test]
    fn the_install_command_fits_the_system() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n";
        assert_eq!(install_hint(debian, true), "install it with `apt-get install postgresql`");
        assert_eq!(install_hint(debian, false), "install it with `sudo apt-get install postgresql`");
        assert!(install_hint("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", false).contains("sudo apt-get"));
        assert!(install_hint("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", true).contains("`dnf install"));
        assert!(install_hint("ID=alpine\n", true).contains("apk add postgresql postgresql-contrib"));
        assert!(install_hint("ID=opensuse-leap\n", true).contains("zypper"));
        assert!(install_hint("ID=macos", false).contains("`brew install postgresql@17`"));
        assert!(install_hint("", false).contains("version 15 to 18"));
    }

    #[test]
    fn the_highest_version_comes_first() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["pgsql-9", "pgsql-17", "pgsql-15", "pgsql-x", "other"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let found = versions_in(parent.path(), "pgsql-");
        assert_eq!(found, ["pgsql-17/bin", "pgsql-15/bin", "pgsql-9/bin"].map(|name| parent.path().join(name)));
    }
}
