//! On whose behalf the database is used.

use rapport_domain::{
    access::Actor,
    id::WorkspaceId,
    record::{Source, Stamp},
};

use chrono::{DateTime, Utc};

/// Whose data, on whose behalf, for which request. Made by signing in, by the worker and by the command line; a function
/// that is handed none can't reach a record.
#[derive(Clone, Debug)]
pub struct Scope {
    workspace: WorkspaceId,
    actor: Actor,
    source: Source,
    request_id: Option<String>,
    /// Country in which telephone numbers without country code are dialled.
    country: Option<String>,
}

impl Scope {
    /// For a caller who has proved who they are.
    pub fn of_caller(workspace: WorkspaceId, actor: Actor, country: Option<String>, request_id: String) -> Self {
        Self { workspace, actor, source: Source::Api, request_id: Some(request_id), country }
    }

    /// For work that Rapport does on its own or that is asked for on the command line.
    pub fn of_system(workspace: WorkspaceId, source: Source, country: Option<String>) -> Self {
        Self { workspace, actor: Actor::SYSTEM, source, request_id: None, country }
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub(crate) fn actor(&self) -> Actor {
        self.actor
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub(crate) fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// What a record written now takes over.
    pub(crate) fn stamp(&self, at: DateTime<Utc>) -> Stamp {
        Stamp::new(at, self.actor.id, self.source)
    }
}
