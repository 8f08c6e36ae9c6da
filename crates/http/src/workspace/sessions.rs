//! Signing in and out, what prolongs it, and who one is then.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, HttpResponse, delete, dev::Payload, get, http::header, post, web};
use rapport_domain::{
    access::{ActorKind, Permission},
    id::{SessionId, UserId, WorkspaceId},
    workspace::session::{Login, Me, Refresh, Session, SessionQuery, SessionTokens, WorkspaceSummary},
};
use rapport_persistence::{
    Db,
    workspace::{
        accounts,
        sessions::{self, Asking, Use},
    },
};

use crate::{
    address::ClientAddress,
    answer,
    auth::{
        Auth, Bearer, Caller, LIFETIME, SignedIn, Tokens,
        password::Passwords,
        refresh_token::{self, Minted},
        throttle::{self, SignIns},
    },
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    envelope::current_request_id,
    gate,
    problem::{ApiError, ApiResult},
    query::Query,
    render::{self, ListPage},
};

/// With it, sessions of others are there, too.
const OTHERS: Permission = Permission::UsersWrite;

/// A page of sessions.
pub(crate) type SessionPage = ListPage<Session>;

/// Sign in
///
/// Takes workspace, e-mail address and password, and begins a session: an access token for 15 minutes, and a refresh
/// token for `POST /v1/auth/refresh`.
#[utoipa::path(
    tag = "Authentication", operation_id = "login", request_body = Login,
    responses(
        (status = 200, description = "Signed in", body = SessionTokens),
        (status = 401, response = crate::openapi::responses::Unauthorized)
    ),
    security()
)]
#[post("/auth/login")]
pub(crate) async fn login(
    body: Json<Login>,
    used: Used,
    db: web::Data<Db>,
    tokens: web::Data<Tokens>,
    passwords: web::Data<Passwords>,
    sign_ins: web::Data<SignIns>,
    request: HttpRequest,
) -> ApiResult<web::Json<SessionTokens>> {
    let login = body.0;
    let named = throttle::Account::new(&login.workspace, &login.email);
    let attempt = sign_ins.try_once(named, ClientAddress::of(&request))?;
    let turn = passwords.turn().await?;
    let account = accounts::find(&db, &login.workspace, &login.email).await?;

    let hash = account.as_ref().and_then(|account| account.password_hash.clone());
    let is_right = turn.verify(login.password, hash).await?;
    let Some(account) = account.filter(|_| is_right) else {
        attempt.failed();
        note_failure(&db, login.workspace, login.email, used.0);
        let detail = "Workspace, e-mail address and password do not go together. Check all three.";
        return Err(ApiError::new("invalid_login", detail));
    };
    attempt.succeeded();

    let minted = minted(account.workspace.id, SessionId::mint())?;
    let expires_at = sessions::start(&db, account.user.id, minted.known, used.0).await?;
    let goes_on = sessions::GoesOn { user: account.user.id, expires_at };
    session_tokens(&db, &tokens, minted, goes_on).await
}

/// Prolong a session
///
/// Takes the refresh token of the answer before, which ends, and gives the next one with a fresh access token. Two tabs that
/// use the same refresh token within ten seconds both go on. When one is used again later, somebody has copied it: then
/// the session ends for everybody. A session ends when it was not prolonged for 30 days, and after 90 days in any case.
#[utoipa::path(
    tag = "Authentication", operation_id = "refresh_session", request_body = Refresh,
    responses(
        (status = 200, description = "The session goes on", body = SessionTokens),
        (status = 401, response = crate::openapi::responses::Unauthorized)
    ),
    security()
)]
#[post("/auth/refresh")]
pub(crate) async fn refresh_session(
    body: Json<Refresh>,
    used: Used,
    db: web::Data<Db>,
    tokens: web::Data<Tokens>,
) -> ApiResult<web::Json<SessionTokens>> {
    let ended =
        || ApiError::new("invalid_refresh_token", "The refresh token is not valid, or not any more. Sign in again.");
    let token = refresh_token::parse(&body.0.refresh_token).ok_or_else(ended)?;
    let next = minted(token.workspace, token.session)?;
    let goes_on = sessions::go_on(&db, token, next.known.hash, used.0).await?.ok_or_else(ended)?;
    session_tokens(&db, &tokens, next, goes_on).await
}

/// Notes a sign-in that failed, after it was answered: the time of the answer must not tell whether there is an account, or
/// a workspace, to note it for.
fn note_failure(db: &Db, workspace: String, email: String, used: Use) {
    let db = db.clone();
    tokio::spawn(async move {
        if let Err(error) = sessions::note_failure(&db, &workspace, &email, used).await {
            tracing::warn!(%error, "a sign-in that failed is missing in the audit");
        }
    });
}

fn minted(workspace: WorkspaceId, session: SessionId) -> ApiResult<Minted> {
    refresh_token::mint(workspace, session).map_err(|error| ApiError::internal(&error))
}

async fn session_tokens(
    db: &Db,
    tokens: &Tokens,
    refresh: Minted,
    goes_on: sessions::GoesOn,
) -> ApiResult<web::Json<SessionTokens>> {
    let (workspace, session, now) = (refresh.known.workspace, refresh.known.session, db.clock().now());
    let bearer = Bearer::User { user: goes_on.user, session };
    let access_token = tokens.sign(workspace, bearer, now).await.map_err(|error| ApiError::internal(&error))?;
    Ok(web::Json(SessionTokens {
        access_token,
        token_type: "Bearer".to_owned(),
        expires_in: LIFETIME,
        refresh_token: refresh.token,
        refresh_expires_in: (goes_on.expires_at - now).num_seconds().max(1),
    }))
}

/// Sign out
///
/// Ends the session that the access token belongs to: neither this nor any other of its tokens is valid from then on.
#[utoipa::path(
    tag = "Authentication", operation_id = "logout",
    responses(
        (status = 204, description = "The session has ended"),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/auth/logout")]
pub(crate) async fn logout(auth: Auth<SignedIn>, db: web::Data<Db>) -> ApiResult<HttpResponse> {
    let session = auth.caller().session.ok_or_else(|| {
        ApiError::new("conflict", "You called without a session: an API key is revoked, and not signed out.")
    })?;
    let asking = asking(auth.caller());
    db.write(&auth.scope(), move |writer| sessions::end(writer, session, None, asking)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out everywhere
///
/// Ends all sessions of the user who calls, also the one that calls.
#[utoipa::path(
    tag = "Authentication", operation_id = "logout_everywhere",
    responses(
        (status = 204, description = "All sessions have ended"),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/auth/logout-everywhere")]
pub(crate) async fn logout_everywhere(auth: Auth<SignedIn>, db: web::Data<Db>) -> ApiResult<HttpResponse> {
    let user = user_of(auth.caller())
        .ok_or_else(|| ApiError::new("conflict", "An API key has no sessions. Sign in as the user whose you mean."))?;
    db.write(&auth.scope(), move |writer| sessions::end_all(writer, user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List sessions
///
/// The sessions of the caller that have not ended, the newest first. Whoever has the permission `users:write` can name
/// another user.
#[utoipa::path(
    tag = "Authentication", operation_id = "list_sessions", params(SessionQuery),
    responses(
        (status = 200, description = "A page of sessions", body = SessionPage),
        (status = 403, response = crate::openapi::responses::Forbidden)
    ),
    security(("bearer" = []))
)]
#[get("/sessions")]
pub(crate) async fn list_sessions(
    auth: Auth<SignedIn>,
    query: Query<SessionQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, from) = (query.0, auth.caller().session);
    let user = match query.user_id {
        Some(user) if user.uuid() != auth.caller().id => {
            gate::require(auth.caller(), OTHERS)?;
            user
        }
        _ => UserId::from_uuid(auth.caller().id),
    };
    let page = db.read(&auth.scope(), move |reader| sessions::list(reader, user, &query, from)).await?;
    render::page(&auth, page, &[])
}

/// Get a session
///
/// One of your own sessions, or with the permission `users:write` of anybody's in the workspace, while it has not ended.
#[utoipa::path(
    tag = "Authentication", operation_id = "get_session",
    params(("session_id" = Uuid, Path, description = "Id of the session"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The session", body = Session, headers(("ETag" = String, description = "Version of the session"))),
        (status = 304, description = "The session is still at the version in If-None-Match")
    ),
    security(("bearer" = []))
)]
#[get("/sessions/{session_id}")]
pub(crate) async fn get_session(
    auth: Auth<SignedIn>,
    id: web::Path<SessionId>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, asking) = (id.into_inner(), asking(auth.caller()));
    let session = db.read(&auth.scope(), move |reader| sessions::get(reader, id, asking)).await?;
    render::read(&auth, &session, &[], false, &known)
}

/// End a session
///
/// Signs out one of your own sessions, or with the permission `users:write` anybody's in the workspace.
#[utoipa::path(
    tag = "Authentication", operation_id = "delete_session",
    params(("session_id" = Uuid, Path, description = "Id of the session"), IfMatchHeader),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = []))
)]
#[delete("/sessions/{session_id}")]
pub(crate) async fn delete_session(
    auth: Auth<SignedIn>,
    id: web::Path<SessionId>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, asking) = (id.into_inner(), asking(auth.caller()));
    auth.write(&db, move |writer| {
        sessions::end(writer, id, expected.0, asking)?;
        Ok(answer::nothing())
    })
    .await
}

/// Sessions of others are there only for whoever manages users.
fn asking(caller: &Caller) -> Asking {
    let of_all = caller.grants.allow(OTHERS);
    Asking { of: (!of_all).then(|| UserId::from_uuid(caller.id)), from: caller.session }
}

fn user_of(caller: &Caller) -> Option<UserId> {
    (caller.kind == ActorKind::User).then(|| UserId::from_uuid(caller.id))
}

/// From where and with what a session is used.
pub(crate) struct Used(Use);

/// More of what a program says about itself is not kept.
const LONGEST_USER_AGENT: usize = 256;

impl FromRequest for Used {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        ready(Ok(Self(Use {
            address: Some(ClientAddress::of(request).0.to_string()),
            user_agent: user_agent.map(|text| text.chars().take(LONGEST_USER_AGENT).collect()),
            request_id: Some(current_request_id()),
        })))
    }
}

/// Get the caller
///
/// Who you are for Rapport, in which workspace, and what you may do there.
#[utoipa::path(
    tag = "Authentication", operation_id = "get_me",
    responses((status = 200, description = "The caller", body = Me)),
    security(("bearer" = []))
)]
#[get("/me")]
pub(crate) async fn get_me(auth: Auth<SignedIn>) -> web::Json<Me> {
    let caller = auth.caller();
    web::Json(Me {
        kind: caller.kind,
        id: caller.id,
        name: caller.name.clone(),
        email: caller.email.clone(),
        roles: caller.roles.clone(),
        scopes: caller.grants.permissions().scopes().into_iter().map(ToOwned::to_owned).collect(),
        workspace: WorkspaceSummary { id: caller.workspace.id, name: caller.workspace.name.clone() },
    })
}
