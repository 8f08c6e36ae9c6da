//! The directory of the Unix socket, which is the only way into the cluster. Its path has to be short, since the
//! system allows about a hundred bytes, and nobody else may be let in, since the cluster asks for no password.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::EmbeddedError;

/// Part of the name of the socket, never of an address: the cluster does not listen on the network.
pub(crate) const PORT: u16 = 5432;

const PREFIX: &str = "rapport-";

/// Room for the directory, the name of the socket and an end mark in the hundred bytes.
const LONGEST_BASE: usize = 50;

/// A short name that belongs to one directory: the beginning of the hash of its path.
pub(crate) fn short_name(directory: &Path) -> String {
    let mut name = hex::encode(Sha256::digest(directory.as_os_str().as_bytes()));
    name.truncate(12);
    name
}

/// The path of the lock file that Postgres puts beside its socket.
pub(crate) fn lock_file(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}.lock"))
}

/// The path of the socket directory of a data directory, whose path must be canonical.
pub(crate) fn directory_of(data_dir: &Path, account: Account) -> PathBuf {
    let base = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|base| is_suitable(base, account));
    let base = base.unwrap_or_else(|| PathBuf::from("/tmp"));
    base.join(format!("{PREFIX}{}-{}", account.user, short_name(data_dir)))
}

/// Creates the socket directory, or makes sure that the one that is there is private to the account.
pub(crate) fn create(directory: &Path, account: Account) -> Result<(), EmbeddedError> {
    let refused = |reason: String| EmbeddedError::SocketDirectory { path: directory.to_path_buf(), reason };
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {
            // The umask may have taken something away.
            fs::set_permissions(directory, Permissions::from_mode(0o700))
                .map_err(EmbeddedError::io("protect the socket directory", directory))?;
            return account.give(directory);
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
        Err(cause) => return Err(EmbeddedError::io("create the socket directory", directory)(cause)),
    }
    // Of the path itself: a link to somewhere else is not what was asked for.
    let found = fs::symlink_metadata(directory).map_err(EmbeddedError::io("read", directory))?;
    if !found.is_dir() {
        return Err(refused("is not a directory".to_owned()));
    }
    if found.mode() & 0o777 != 0o700 {
        return Err(refused(format!("is open to other users (mode {:o})", found.mode() & 0o777)));
    }
    if found.uid() == rustix::process::geteuid().as_raw() {
        // Perhaps left behind between being created and being handed over.
        return account.give(directory);
    }
    if found.uid() != account.user {
        return Err(refused(format!("belongs to another user (number {})", found.uid())));
    }
    Ok(())
}

/// Removes what a server that was killed has left, and the directory itself. Whatever else is in there stays, and so
/// does a directory that was not created here.
pub(crate) fn remove(directory: &Path) {
    if !directory.file_name().is_some_and(|name| name.as_bytes().starts_with(PREFIX.as_bytes())) {
        return;
    }
    clear(directory);
    if let Err(cause) = fs::remove_dir(directory)
        && cause.kind() != ErrorKind::NotFound
    {
        tracing::warn!("could not remove the socket directory {}: {cause}", directory.display());
    }
}

/// Removes the socket and its lock file. Only for when no server is using them.
pub(crate) fn clear(directory: &Path) {
    // Files that are not there or cannot be removed: Postgres says so better than we could.
    let _ = fs::remove_file(directory.join(format!(".s.PGSQL.{PORT}")));
    let _ = fs::remove_file(lock_file(directory));
}

/// The libpq URL of the cluster whose socket is in a directory.
pub(crate) fn url(directory: &Path, port: u16) -> String {
    let mut host = String::new();
    for byte in directory.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => host.push(char::from(*byte)),
            _ => host.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("postgresql:///rapport?host={host}&port={port}&user=rapport")
}

/// The runtime directory of the session is the better place, if it is the account's own. Postgres reads a comma as the
/// end of a path.
fn is_suitable(base: &Path, account: Account) -> bool {
    let name = base.as_os_str().as_bytes();
    base.is_absolute()
        && name.len() <= LONGEST_BASE
        && !name.iter().any(|byte| b",\"".contains(byte))
        && fs::metadata(base).is_ok_and(|found| found.is_dir() && found.uid() == account.user)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_encoded() {
        let plain = "postgresql:///rapport?host=/tmp/rapport-1-ab&port=5432&user=rapport";
        assert_eq!(url(Path::new("/tmp/rapport-1-ab"), PORT), plain);
        let odd = "postgresql:///rapport?host=/a%20%26b&port=5432&user=rapport";
        assert_eq!(url(Path::new("/a &b"), PORT), odd);
    }

    #[test]
    fn a_directory_that_others_prepared_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let account = Account::for_new_cluster().unwrap();
        let directory = parent.path().join("rapport-1-ab");
        create(&directory, account).unwrap();
        create(&directory, account).unwrap();

        fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        let error = create(&directory, account).unwrap_err().to_string();
        assert!(error.contains("is open to other users (mode 777)"), "{error}");

        let link = parent.path().join("rapport-1-cd");
        std::os::unix::fs::symlink(parent.path(), &link).unwrap();
        let error = create(&link, account).unwrap_err().to_string();
        assert!(error.contains("is not a directory"), "{error}");

        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&directory, Some(54_321), None).unwrap();
            let error = create(&directory, account).unwrap_err().to_string();
            assert!(error.contains("belongs to another user (number 54321)"), "{error}");
        }
        remove(&directory);
        assert!(!directory.exists());
    }
}
