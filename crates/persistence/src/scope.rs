//! On whose behalf the database is used.

use std::sync::Arc;

use rapport_domain::{
    access::{Actor, ActorKind, Grants, Permission},
    id::{CaptureFormId, WorkspaceId},
    record::{Source, Stamp},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Whose data, on whose behalf, for which request. Made by signing in, by the worker and by the command line; a function
/// that is handed none can't reach a record.
#[derive(Clone, Debug)]
pub struct Scope {
    workspace: WorkspaceId,
    actor: Actor,
    /// What the actor may do.
    grants: Arc<Grants>,
    source: Source,
    /// The connection by which it comes; none where somebody calls for themselves.
    origin: Option<Uuid>,
    request_id: Option<String>,
    /// Network address from which the request came.
    address: Option<String>,
    /// Country in which telephone numbers without country code are dialled.
    country: Option<String>,
}

impl Scope {
    /// For a caller who has proved who they are.
    pub fn of_caller(workspace: WorkspaceId, actor: Actor, grants: Arc<Grants>, country: Option<String>) -> Self {
        Self { workspace, actor, grants, source: Source::Api, origin: None, request_id: None, address: None, country }
    }

    /// The same for one request, and where it comes from.
    #[must_use]
    pub fn for_request(self, request_id: String, address: Option<String>) -> Self {
        Self { request_id: Some(request_id), address, ..self }
    }

    /// For work that Rapport does on its own or that is asked for on the command line.
    pub fn of_system(workspace: WorkspaceId, source: Source, country: Option<String>) -> Self {
        let grants = Arc::new(Grants::everything());
        Self { workspace, actor: Actor::SYSTEM, grants, source, origin: None, request_id: None, address: None, country }
    }

    /// The same on behalf of the same caller, where what is written comes to be in another way.
    pub(crate) fn by_way_of(&self, source: Source) -> Self {
        Self { source, ..self.clone() }
    }

    /// The same on behalf of the same caller, for what came by a connection.
    pub(crate) fn brought_by(&self, connection: Uuid) -> Self {
        Self { origin: Some(connection), ..self.clone() }
    }

    /// For a form of a web page, which strangers send: with the right to create leads and to nothing else.
    pub fn of_form(workspace: WorkspaceId, form: CaptureFormId, country: Option<String>) -> Self {
        let actor = Actor { kind: ActorKind::CaptureForm, id: Some(form.uuid()) };
        let grants = Grants::everything().narrowed([Permission::LeadsCreate].into_iter().collect());
        Self { source: Source::Form, ..Self::of_caller(workspace, actor, Arc::new(grants), country) }
    }

    /// The same for what a rule of the workspace does in the course of it: the rule may do everything, and whoever set it off
    /// has done it.
    pub(crate) fn of_rule(&self) -> Self {
        Self { grants: Arc::new(Grants::everything()), ..self.clone() }
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub(crate) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What may be done on its behalf.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(crate) fn actor(&self) -> Actor {
        self.actor
    }

    pub(crate) fn origin(&self) -> Option<Uuid> {
        self.origin
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
