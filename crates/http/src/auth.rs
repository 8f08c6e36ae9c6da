//! Who calls: access tokens of users and programs, API keys, tokens of an outside identity provider.

pub mod api_key;
mod outside;
pub mod password;
mod proof;
pub(crate) mod refresh_token;
pub mod signing;
pub(crate) mod throttle;
mod token;
pub(crate) mod visitor;

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    web::Data,
};
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use rapport_domain::{
    access::{Actor, ActorKind, Grants, Permission, Permissions},
    id::{ApiKeyId, SessionId, UserId},
    journal::{Changes, RecordReference},
    problem::FieldProblem,
    record::RecordKind,
    workspace::{
        api_key::{permissions, read_network},
        role::RoleSummary,
    },
};
use rapport_persistence::{
    Db, Scope,
    audit::{self, AuditEvent},
    workspace::{
        accounts::{self, Account},
        api_keys,
        workspaces::Workspace,
    },
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::outside::OutsideOptions;
pub(crate) use self::{
    outside::Outside,
    proof::Proof,
    token::{Bearer, LIFETIME, Tokens},
};
use crate::{
    address::ClientAddress,
    gate,
    problem::{ApiError, ApiResult},
    terms::Asked,
};

/// How long a credential that was found valid is taken to be so without asking again.
const TRUST: Duration = Duration::from_secs(5);

/// The header with which an administrator reads as a user would.
pub(crate) const ON_BEHALF_OF: HeaderName = HeaderName::from_static("on-behalf-of");

/// The user whom the header names; none when it holds something else.
pub(crate) fn named_user(on_behalf_of: &HeaderValue) -> Option<UserId> {
    on_behalf_of.to_str().ok().and_then(|text| Uuid::try_parse(text).ok()).map(UserId::from_uuid)
}

/// How many credentials are remembered at once.
const REMEMBERED: usize = 10_000;

/// No credential is longer, in bytes. Nothing is read of one that is.
const LONGEST: usize = 8 * 1024;

/// Somebody who has proved who they are.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) workspace: Workspace,
    pub(crate) kind: ActorKind,
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) roles: Vec<RoleSummary>,
    pub(crate) grants: Arc<Grants>,
    /// The session that calls; none for programs, and for users of an outside identity provider.
    pub(crate) session: Option<SessionId>,
    pub(crate) request_id: String,
    /// Network address from which the request came.
    pub(crate) address: Option<String>,
}

impl Caller {
    pub(crate) fn scope(&self) -> Scope {
        let actor = Actor { kind: self.kind, id: Some(self.id) };
        Scope::of_caller(self.workspace.id, actor, Arc::clone(&self.grants), self.workspace.country.clone())
            .for_request(self.request_id.clone(), self.address.clone())
    }

    /// The same caller when only these permissions count.
    fn narrowed(self, permissions: Permissions) -> Self {
        let grants = Grants::clone(&self.grants).narrowed(permissions);
        Self { grants: Arc::new(grants), ..self }
    }
}

/// From where a request comes.
#[derive(Clone, Copy)]
pub(crate) struct Whence<'r> {
    pub(crate) address: ClientAddress,
    pub(crate) request_id: &'r str,
}

/// Finds out who calls.
pub(crate) struct Authenticator {
    db: Db,
    tokens: Data<Tokens>,
    outside: Option<Outside>,
    /// By the hash of the credential: neither a query nor a check of a signature for each request.
    known: Cache<[u8; 32], Known>,
}

#[derive(Clone)]
struct Known {
    caller: Caller,
    until: DateTime<Utc>,
    /// How often settings had changed in this process when it was remembered.
    settings_changes: u64,
}

impl Authenticator {
    pub(crate) fn new(db: Db, tokens: Data<Tokens>, outside: Option<Outside>) -> Self {
        Self { db, tokens, outside, known: Cache::new(REMEMBERED) }
    }

    /// The caller behind the credentials of a request. Every credential that is not valid is refused in one way.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        request_id: String,
        address: ClientAddress,
    ) -> ApiResult<Caller> {
        let credential = credential(headers).ok_or_else(|| {
            ApiError::new("unauthorized", "Send Authorization: Bearer followed by an access token or an API key.")
        })?;
        if credential.len() > LONGEST {
            return Err(refused());
        }
        // With the address: a key may be good at one and not at another, and is noted where it is used.
        let from = address.0.to_string();
        let hash: [u8; 32] =
            Sha256::new().chain_update(&from).chain_update([0]).chain_update(credential).finalize().into();
        let (now, settings_changes) = (self.db.clock().now(), self.db.settings_changes());
        let is_fresh = |known: &Known| now < known.until && known.settings_changes == settings_changes;
        if let Some(known) = self.known.get(&hash).filter(is_fresh) {
            return Ok(Caller { request_id, address: Some(from), ..known.caller });
        }
        let place = Whence { address, request_id: &request_id };
        let (caller, ends) = self.find(credential, place, now).await?.ok_or_else(refused)?;
        let trusted = now + TRUST;
        let until = ends.map_or(trusted, |ends| trusted.min(ends));
        self.known.insert(hash, Known { caller: caller.clone(), until, settings_changes });
        Ok(Caller { request_id, address: Some(from), ..caller })
    }

    /// The caller with the rights of a user, to see what they see. For administrators, and noted in the audit each time.
    pub(crate) async fn on_behalf_of(&self, caller: Caller, user: UserId, operation: &str) -> ApiResult<Caller> {
        let event = AuditEvent {
            workspace: caller.workspace.id,
            actor: Actor { kind: caller.kind, id: Some(caller.id) },
            event: "user.read_on_behalf",
            record: RecordReference { kind: RecordKind::User, id: user.uuid() },
            changes: Changes::of_field("operation", operation),
            address: caller.address.clone(),
            request_id: Some(caller.request_id.clone()),
        };
        let caller = self.with_rights_of(caller, user).await?;
        audit::note(&self.db, event).await?;
        Ok(caller)
    }

    /// The same without a note, for a request that was noted when it began.
    async fn with_rights_of(&self, caller: Caller, user: UserId) -> ApiResult<Caller> {
        if !caller.grants.is_admin {
            let detail = format!("Only who may do everything may read on somebody's behalf. Leave out {ON_BEHALF_OF}.");
            return Err(ApiError::new("forbidden", detail));
        }
        let account = accounts::get(&self.db, caller.workspace.id, user).await?.ok_or_else(|| {
            let detail = "There is no active user with this id. Name another, or leave the header out.";
            ApiError::header(FieldProblem::header(ON_BEHALF_OF.as_str(), "unknown_reference", detail))
        })?;
        Ok(Caller { grants: account.grants, roles: account.roles, ..caller })
    }

    /// Whose credential this is, and when it ends by itself.
    async fn find(
        &self,
        credential: &str,
        place: Whence<'_>,
        now: DateTime<Utc>,
    ) -> ApiResult<Option<(Caller, Option<DateTime<Utc>>)>> {
        if let Some(key) = api_key::Presented::parse(credential) {
            return self.program(&key, place).await;
        }
        if let Some(outside) = self.outside.as_ref().filter(|outside| outside.is_named_by(credential)) {
            let Some(vouched) = outside.verify(credential, now).await else { return Ok(None) };
            let account = accounts::find(&self.db, &vouched.workspace, &vouched.email).await?;
            return Ok(account.map(|account| (user(account, None), Some(vouched.ends))));
        }
        let Some(claims) = self.tokens.verify(credential, now).await else { return Ok(None) };
        Ok(match claims.bearer {
            Bearer::User { user: id, session } => {
                let account = accounts::in_session(&self.db, claims.workspace, id, session).await?;
                account.map(|account| (user(account, Some(session)), Some(claims.ends)))
            }
            Bearer::Program { key, permissions } => {
                let found = self.holder(key, place, |_| Some(None)).await?;
                let found = found.filter(|(program, _)| program.workspace.id == claims.workspace);
                found.map(|(program, ends)| {
                    let ends = ends.map_or(claims.ends, |ends| ends.min(claims.ends));
                    (program.narrowed(permissions), Some(ends))
                })
            }
        })
    }

    /// The program with this key; none when the key is not valid.
    pub(crate) async fn program(
        &self,
        key: &api_key::Presented,
        place: Whence<'_>,
    ) -> ApiResult<Option<(Caller, Option<DateTime<Utc>>)>> {
        let own = |found: &api_keys::SignIn| {
            found.secrets.iter().find(|(hash, _)| key.is_secret_of(hash)).map(|(_, ends)| *ends)
        };
        self.holder(key.id, place, own).await
    }

    /// The program that a key stands for, if what was presented proves it, and when that ends by itself.
    async fn holder(
        &self,
        id: ApiKeyId,
        place: Whence<'_>,
        proof_ends: impl Fn(&api_keys::SignIn) -> Option<Option<DateTime<Utc>>>,
    ) -> ApiResult<Option<(Caller, Option<DateTime<Utc>>)>> {
        let presented = api_keys::Presented {
            id,
            address: place.address.0.to_string(),
            neighbourhood: place.address.neighbourhood().to_string(),
            request_id: place.request_id.to_owned(),
        };
        let Some(found) = api_keys::find(&self.db, &presented).await? else { return Ok(None) };
        let Some(proof_ends) = proof_ends(&found) else { return Ok(None) };
        if !is_allowed(&found.allowed_addresses, place.address) {
            return Ok(None);
        }
        let all = match found.user {
            None => Grants::everything(),
            Some(user) => match accounts::get(&self.db, found.workspace.id, user).await? {
                Some(account) => Arc::unwrap_or_clone(account.grants),
                None => return Ok(None),
            },
        };
        api_keys::note_use(&self.db, &presented, &found).await?;
        let ends = [proof_ends, found.expires_at].into_iter().flatten().min();
        let caller = Caller {
            workspace: found.workspace,
            kind: ActorKind::ApiKey,
            id: id.uuid(),
            name: found.name,
            email: None,
            roles: Vec::new(),
            grants: Arc::new(all.narrowed(permissions(found.scopes.as_deref()))),
            session: None,
            request_id: String::new(),
            address: None,
        };
        Ok(Some((caller, ends)))
    }
}

fn user(account: Account, session: Option<SessionId>) -> Caller {
    Caller {
        workspace: account.workspace,
        kind: ActorKind::User,
        id: account.user.id.uuid(),
        name: account.user.name,
        email: Some(account.user.email),
        roles: account.roles,
        grants: account.grants,
        session,
        request_id: String::new(),
        address: None,
    }
}

fn refused() -> ApiError {
    ApiError::new("unauthorized", "The access token or API key is not valid, or not any more. Sign in again.")
}

/// Whether a key may be used from here. A network that can't be read allows nothing.
fn is_allowed(networks: &[String], address: ClientAddress) -> bool {
    let contains = |network: &String| read_network(network).is_some_and(|network| network.contains(&address.0));
    networks.is_empty() || networks.iter().any(contains)
}

/// A bearer credential, or a key in `X-Api-Key`. Of both, the bearer counts.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, credential) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
    });
    let key = || headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
    bearer.or_else(key).filter(|credential| !credential.is_empty())
}

/// A permission as a type, so that a handler's signature shows what it needs.
pub(crate) trait Requires {
    /// None where it is enough to be signed in.
    const PERMISSION: Option<Permission>;
}

macro_rules! requirements {
    ($($name:ident => $permission:expr;)+) => {$(
        pub(crate) struct $name;

        impl Requires for $name {
            const PERMISSION: Option<Permission> = $permission;
        }
    )+};
}

requirements! {
    SignedIn => None;
    ContactsRead => Some(Permission::ContactsRead);
    ContactsCreate => Some(Permission::ContactsCreate);
    ContactsWrite => Some(Permission::ContactsWrite);
    ContactsDelete => Some(Permission::ContactsDelete);
    CompaniesRead => Some(Permission::CompaniesRead);
    CompaniesCreate => Some(Permission::CompaniesCreate);
    CompaniesWrite => Some(Permission::CompaniesWrite);
    CompaniesDelete => Some(Permission::CompaniesDelete);
    TasksRead => Some(Permission::TasksRead);
    TasksCreate => Some(Permission::TasksCreate);
    TasksWrite => Some(Permission::TasksWrite);
    TasksDelete => Some(Permission::TasksDelete);
    NotesRead => Some(Permission::NotesRead);
    NotesCreate => Some(Permission::NotesCreate);
    NotesWrite => Some(Permission::NotesWrite);
    NotesDelete => Some(Permission::NotesDelete);
    LeadsRead => Some(Permission::LeadsRead);
    LeadsCreate => Some(Permission::LeadsCreate);
    LeadsWrite => Some(Permission::LeadsWrite);
    LeadsDelete => Some(Permission::LeadsDelete);
    ProductsRead => Some(Permission::ProductsRead);
    ProductsCreate => Some(Permission::ProductsCreate);
    ProductsWrite => Some(Permission::ProductsWrite);
    ProductsDelete => Some(Permission::ProductsDelete);
    UsersRead => Some(Permission::UsersRead);
    UsersWrite => Some(Permission::UsersWrite);
    CustomFieldsRead => Some(Permission::CustomFieldsRead);
    CustomFieldsWrite => Some(Permission::CustomFieldsWrite);
    TeamsRead => Some(Permission::TeamsRead);
    TeamsWrite => Some(Permission::TeamsWrite);
    RolesRead => Some(Permission::RolesRead);
    RolesWrite => Some(Permission::RolesWrite);
    ConnectionsRead => Some(Permission::ConnectionsRead);
    ConnectionsWrite => Some(Permission::ConnectionsWrite);
    WebhooksRead => Some(Permission::WebhooksRead);
    WebhooksWrite => Some(Permission::WebhooksWrite);
    OpportunitiesRead => Some(Permission::OpportunitiesRead);
    OpportunitiesCreate => Some(Permission::OpportunitiesCreate);
    OpportunitiesWrite => Some(Permission::OpportunitiesWrite);
    OpportunitiesDelete => Some(Permission::OpportunitiesDelete);
    SalesSettingsWrite => Some(Permission::SalesSettingsWrite);
    ApiKeysRead => Some(Permission::ApiKeysRead);
    ApiKeysWrite => Some(Permission::ApiKeysWrite);
    AuditRead => Some(Permission::AuditRead);
}

/// Proof that the caller may do what `P` names. The first argument of every handler that is not public; without it there
/// is no scope, and without a scope no data.
pub(crate) struct Auth<P> {
    caller: Rc<Caller>,
    /// On what terms they write; none where the operation only reads.
    asked: Option<Rc<Asked>>,
    proves: PhantomData<P>,
}

impl<P> Auth<P> {
    pub(crate) fn scope(&self) -> Scope {
        self.caller.scope()
    }

    /// What the caller may do.
    pub(crate) fn grants(&self) -> &Grants {
        &self.caller.grants
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) fn asked(&self) -> Option<&Asked> {
        self.asked.as_deref()
    }
}

impl<P: Requires> FromRequest for Auth<P> {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    /// The gate has found out who calls; a route that the document calls public has nobody.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Rc<Caller>>().cloned();
        ready(caller.ok_or_else(refused).and_then(|caller| {
            if let Some(permission) = P::PERMISSION {
                gate::require(&caller, permission)?;
            }
            Ok(Self { caller, asked: Asked::of(request), proves: PhantomData })
        }))
    }
}
