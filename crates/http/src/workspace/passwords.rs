//! New passwords: for those who forgot theirs, and for those who want another one.

use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, post, rt, web};
use rapport_domain::{
    access::{Actor, ActorKind, Grants, Permissions},
    id::UserId,
    problem::{FieldProblem, Fields},
    record::Source,
    workspace::{
        invite::{MailPromise, PasswordChange, PasswordReset, PasswordResetConfirmation, TokenPurpose},
        password,
    },
};
use rapport_persistence::{
    Db, Scope, StoreError,
    workspace::{
        accounts,
        invites::{self, Holder},
        passwords as store, workspaces,
    },
};
use tokio::sync::Semaphore;

use crate::{
    address::ClientAddress,
    auth::{
        Auth, SignedIn,
        password::Passwords,
        throttle::{Account, Resets, SignIns},
    },
    body::Json,
    envelope::RequestId,
    mail::Post,
    problem::{ApiError, ApiResult},
};

/// How many resets may be under way behind the answers.
const UNDER_WAY: usize = 64;

/// Room for the work that goes on after a reset was answered.
pub(crate) struct ResetRoom(Arc<Semaphore>);

impl ResetRoom {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UNDER_WAY)))
    }
}

/// Ask for a new password
///
/// Sends a mail to the user, if there is one with this e-mail address: its token works once, within an hour. The answer
/// is the same for everybody and says nothing about who has an account.
#[utoipa::path(
    tag = "Authentication", operation_id = "request_password_reset", request_body = PasswordReset,
    responses((status = 202, description = "If there is such a user, a mail is on its way", body = MailPromise)),
    security()
)]
#[post("/auth/password-reset")]
pub(crate) async fn request_password_reset(
    body: Json<PasswordReset>,
    db: web::Data<Db>,
    post: web::Data<Post>,
    resets: web::Data<Resets>,
    room: web::Data<ResetRoom>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let account = Account::new(&body.0.workspace, &body.0.email);
    resets.try_once(account, ClientAddress::of(&request))?.failed(); // each request counts, whoever asks

    let place = Arc::clone(&room.0).try_acquire_owned().map_err(|_| StoreError::Busy)?;
    let circumstances = Circumstances::of(&request);
    // Behind the answer, so that its time doesn't tell whether there was something to do.
    rt::spawn(async move {
        let _place = place;
        if let Err(error) = send_reset(&db, &post, &body.0, circumstances).await {
            tracing::error!(error = error.to_string(), "no mail for a new password was made");
        }
    });
    let detail = "If there is such a user, a mail is on its way to them.".to_owned();
    Ok(HttpResponse::Accepted().json(MailPromise { detail }))
}

async fn send_reset(
    db: &Db,
    post: &Post,
    reset: &PasswordReset,
    circumstances: Circumstances,
) -> Result<(), StoreError> {
    let Some(workspace) = workspaces::find(db, &reset.workspace).await? else { return Ok(()) };
    let (scope, email) = (Scope::of_system(workspace.id, Source::Api, None), reset.email.clone());
    let issued = db.write(&circumstances.of_scope(scope), move |writer| invites::issue_reset(writer, &email)).await?;
    if let Some(issued) = issued {
        let mail = post.reset(&issued.email, &issued.name, &issued.workspace, &issued.token);
        let _logged_where_it_failed = post.send(mail).await;
    }
    Ok(())
}

/// Confirm new password
///
/// Takes the token from the mail and the new password. The token works once; all other tokens and all sessions of the
/// user end. Sign in with the new password afterwards.
#[utoipa::path(
    tag = "Authentication", operation_id = "confirm_password_reset", request_body = PasswordResetConfirmation,
    responses((status = 204, description = "The password is changed")),
    security()
)]
#[post("/auth/password-reset/confirm")]
pub(crate) async fn confirm_password_reset(
    body: Json<PasswordResetConfirmation>,
    db: web::Data<Db>,
    passwords: web::Data<Passwords>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let PasswordResetConfirmation { token, password } = body.0;
    let holder = invites::find(&db, &token, TokenPurpose::Reset).await?.ok_or_else(invites::invalid_token)?;
    let hash = hashed(&passwords, password, &holder.email, "/password").await?;

    let (user, scope) = (holder.user, scope_of(&holder, &request));
    db.write(&scope, move |writer| store::reset(writer, user, &token, &hash)).await?;

    Ok(HttpResponse::NoContent().finish())
}

/// Change own password
///
/// Takes the password until now and a new one. All sessions of the user end: sign in with the new password afterwards.
#[utoipa::path(
    tag = "Authentication", operation_id = "change_password", request_body = PasswordChange,
    responses(
        (status = 204, description = "The password is changed"),
        (status = 403, response = crate::openapi::responses::Forbidden)
    ),
    security(("bearer" = []))
)]
#[post("/auth/password")]
pub(crate) async fn change_password(
    auth: Auth<SignedIn>,
    body: Json<PasswordChange>,
    db: web::Data<Db>,
    passwords: web::Data<Passwords>,
    sign_ins: web::Data<SignIns>,
    request: HttpRequest,
) -> ApiResult<HttpResponse> {
    let PasswordChange { current_password, new_password } = body.0;
    let (user, email) = own_account(&auth)?;
    let workspace = &auth.caller().workspace;
    let attempt = sign_ins.try_once(Account::new(&workspace.name, &email), ClientAddress::of(&request))?;
    let turn = passwords.turn().await?;
    let known = accounts::get(&db, workspace.id, user).await?.and_then(|account| account.password_hash);
    if !turn.verify(current_password, known).await? {
        attempt.failed();
        let detail = "This is not your password. Without it, ask for a new one with POST /v1/auth/password-reset.";
        return Err(ApiError::fields(vec![FieldProblem::at("/current_password", "wrong_password", detail)]));
    }
    attempt.succeeded();
    let hash = hashed(&passwords, new_password, &email, "/new_password").await?;

    db.write(&auth.scope(), move |writer| store::change(writer, user, &hash)).await?;

    Ok(HttpResponse::NoContent().finish())
}

/// The user who calls; a program has no password.
fn own_account(auth: &Auth<SignedIn>) -> ApiResult<(UserId, String)> {
    let caller = auth.caller();
    match (&caller.kind, &caller.email) {
        (ActorKind::User, Some(email)) => Ok((UserId::from_uuid(caller.id), email.clone())),
        _ => Err(ApiError::new("forbidden", "API keys have no password. Sign in as a user.")),
    }
}

/// The hash of a new password that is fit to be one.
pub(super) async fn hashed(passwords: &Passwords, password: String, email: &str, pointer: &str) -> ApiResult<String> {
    let mut fields = Fields::default();
    password::check(&password, email, pointer, &mut fields);
    fields.verdict().map_err(StoreError::from)?;
    passwords.turn().await?.hash(password).await
}

/// On behalf of somebody who has proved nothing but to hold a token: with the right to nothing.
pub(super) fn scope_of(holder: &Holder, request: &HttpRequest) -> Scope {
    let actor = Actor { kind: ActorKind::User, id: Some(holder.user.uuid()) };
    let nothing = Arc::new(Grants::everything().narrowed(Permissions::default()));
    Circumstances::of(request).of_scope(Scope::of_caller(holder.workspace, actor, nothing, None))
}

/// Which request it is, and from where.
struct Circumstances {
    request_id: String,
    address: String,
}

impl Circumstances {
    fn of(request: &HttpRequest) -> Self {
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Self { request_id, address: ClientAddress::of(request).0.to_string() }
    }

    fn of_scope(self, scope: Scope) -> Scope {
        scope.for_request(self.request_id, Some(self.address))
    }
}
