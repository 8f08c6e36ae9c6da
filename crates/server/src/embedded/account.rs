//! The user as whom Postgres runs. It refuses to run as root, so a server that was started by root has to find it an
//! ordinary user and hand the files over to that user.

use std::env;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{AtFlags, CWD, Gid, Uid};

use super::error::EmbeddedError;

/// Tried in this order. macOS puts an underscore before the names of its service users.
const UNPRIVILEGED: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// The user who owns the cluster and runs its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    group: u32,
    /// Another user than the one of this process, which is root then.
    other: bool,
}

impl Account {
    /// For a cluster that is yet to be created. Fails if this is root and the machine has no user for the purpose.
    pub(crate) fn for_new_cluster() -> Result<Self, EmbeddedError> {
        let own = Self::own();
        if own.user != 0 {
            return Ok(own);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        UNPRIVILEGED.iter().find_map(|name| Self::listed(&users, name)).ok_or(EmbeddedError::NoAccount)
    }

    /// For a cluster that exists: its owner, since Postgres insists on that. Files that root has put there, say from a
    /// backup, are handed over. Fails if the cluster belongs to somebody whom this user cannot act for.
    pub(crate) fn of_cluster(cluster: &Path) -> Result<Self, EmbeddedError> {
        let owner = fs::metadata(cluster).map_err(EmbeddedError::io("read", cluster))?;
        let own = Self::own();
        if own.user == 0 && owner.uid() == 0 {
            let account = Self::for_new_cluster()?;
            account.give_tree(cluster)?;
            Ok(account)
        } else if own.user == 0 {
            Ok(Self { user: owner.uid(), group: owner.gid(), other: true })
        } else if owner.uid() == own.user {
            Ok(own)
        } else {
            Err(EmbeddedError::OtherOwner { cluster: cluster.to_path_buf(), owner: owner.uid() })
        }
    }

    /// A command that runs as this user. The environment keeps nothing that would change how Postgres behaves or in
    /// which language it speaks; the working directory is one that every user may be in.
    ///
    /// When root changes the user of a command, the standard library also drops the supplementary groups of root.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C").env_remove("LANGUAGE");
        for (name, _) in env::vars_os() {
            // PGDATA, PGPORT and the like, but not PG_OOM_ADJUST_FILE.
            if name.as_bytes().starts_with(b"PG") && !name.as_bytes().starts_with(b"PG_") {
                command.env_remove(name);
            }
        }
        if self.other {
            command.gid(self.group).uid(self.user);
        }
        command
    }

    /// Whether this user can reach the contents of a directory, by the permissions of it and of all above it. Access
    /// lists are not looked at.
    pub(crate) fn can_enter(&self, directory: &Path) -> bool {
        !self.other || directory.ancestors().all(|part| fs::metadata(part).is_ok_and(|found| self.may_search(&found)))
    }

    /// Makes this user the owner of a file or directory, if it is not the user of this process anyway.
    pub(crate) fn give(&self, path: &Path) -> Result<(), EmbeddedError> {
        if !self.other {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        rustix::fs::chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|cause| EmbeddedError::io("change the owner of", path)(cause.into()))
    }

    fn give_tree(&self, path: &Path) -> Result<(), EmbeddedError> {
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            for entry in fs::read_dir(path).map_err(EmbeddedError::io("read", path))? {
                self.give_tree(&entry.map_err(EmbeddedError::io("read", path))?.path())?;
            }
        }
        // The directory comes last, so that an interruption leaves it with root, and the next start goes on.
        self.give(path)
    }

    fn may_search(&self, directory: &Metadata) -> bool {
        let bit = if directory.uid() == self.user {
            0o100
        } else if directory.gid() == self.group {
            0o010
        } else {
            0o001
        };
        directory.mode() & bit != 0
    }

    fn own() -> Self {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { user, group, other: false }
    }

    /// The user of this name in the text of `/etc/passwd`.
    fn listed(users: &str, name: &str) -> Option<Self> {
        let mut fields = users.lines().map(|line| line.split(':')).find_map(|mut fields| {
            let found = fields.next()? == name;
            found.then_some(fields)
        })?;
        let user = number(fields.nth(1)?)?;
        let group = number(fields.next()?)?;
        (user != 0).then_some(Self { user, group, other: true })
    }
}

/// A user or group number; macOS writes that of `nobody` as -2.
fn number(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned)).filter(|id| *id != u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const USERS: &str = "# comment\nroot:x:0:0:root:/root:/bin/sh\nnobody:*:-2:-2::/:/bin/false\n\
                         postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\npostgres2:x:7:7:::\n";

    #[test]
    fn users_are_read_from_the_list() {
        assert_eq!(Account::listed(USERS, "postgres"), Some(Account { user: 101, group: 104, other: true }));
        assert_eq!(Account::listed(USERS, "nobody").unwrap().user, u32::MAX - 1);
        assert_eq!(Account::listed(USERS, "root"), None);
        assert_eq!(Account::listed(USERS, "post"), None);
    }

    #[test]
    fn a_private_parent_keeps_other_users_out() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let stranger = Account { user: 54_321, group: 54_321, other: true };
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.can_enter(&inner));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert!(stranger.can_enter(&inner));
    }
}
