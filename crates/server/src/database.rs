//! Finds the database that a command is to use, and makes sure that its schema fits.

use rapport_persistence::{Clock, Db, DbOptions, migrations};

use crate::{
    cli::DatabaseOptions,
    embedded::{self, Embedded, Joined},
    failure::Failure,
};

/// A database for the time of a command.
pub(crate) enum Database {
    /// Somebody else's.
    Given { url: String },
    /// The private one of a running server, or started for the command.
    Joined(Joined),
    /// The private one of this server.
    Own(Embedded),
}

impl Database {
    /// For a server: it owns its private database.
    pub(crate) fn for_server(options: &DatabaseOptions, ephemeral: bool) -> Result<Self, Failure> {
        match options.url() {
            _ if ephemeral => Ok(Self::Own(Embedded::ephemeral()?)),
            Some(url) => Ok(Self::Given { url }),
            None => Ok(Self::Own(Embedded::start(&options.data_dir, embedded::Options::default())?)),
        }
    }

    /// For a command, which works beside a server as well as without one.
    pub(crate) fn for_command(options: &DatabaseOptions) -> Result<Self, Failure> {
        match options.url() {
            Some(url) => Ok(Self::Given { url }),
            None => Ok(Self::Joined(embedded::join(&options.data_dir)?)),
        }
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Given { url } => url,
            Self::Joined(joined) => joined.url(),
            Self::Own(embedded) => embedded.url(),
        }
    }

    /// Migrates a private database; refuses one of somebody else that is behind, with the command to run.
    pub(crate) fn make_current(&self) -> Result<(), Failure> {
        if !matches!(self, Self::Given { .. }) {
            for migration in migrations::run(self.url())? {
                tracing::debug!(migration, "migrated");
            }
            return Ok(());
        }
        let status = migrations::status(self.url())?;
        match status.pending.len() {
            0 => Ok(()),
            count => Err(Failure::said(format!(
                "the database is {count} migrations behind this version of Rapport: run `rapport migrate` with the same \
                 --database-url first"
            ))),
        }
    }

    /// Opens a database whose schema fits.
    pub(crate) async fn open(&self, connections: Option<u32>) -> Result<Db, Failure> {
        let mut options = DbOptions::default();
        if let Some(connections) = connections {
            options.connections = connections;
        }
        Ok(Db::open(self.url(), &options, Clock::system()).unlock().await?)
    }

    /// Stops the database if it was started for this.
    pub(crate) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Own(embedded) | Self::Joined(Joined::Started(embedded)) => Ok(embedded.stop()?),
            Self::Given { .. } | Self::Joined(Joined::Running { .. }) => Ok(()),
        }
    }
}
