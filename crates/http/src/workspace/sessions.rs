//! Signing in, and who one is then.

use actix_web::{HttpRequest, get, post, web};
use rapport_domain::workspace::session::{AccessToken, Login, Me, WorkspaceSummary};
use rapport_persistence::{Db, workspace::accounts};

use crate::{
    address::ClientAddress,
    auth::{
        Auth, LIFETIME, SignedIn, Tokens,
        password::Passwords,
        throttle::{self, SignIns},
    },
    body::Json,
    problem::{ApiError, ApiResult},
};

/// Sign in
///
/// Takes workspace, e-mail address and password, and gives an access token for 15 minutes.
#[utoipa::path(
    tag = "Authentication", operation_id = "login", request_body = Login,
    responses(
        (status = 200, description = "Signed in", body = AccessToken),
        (status = 401, response = crate::openapi::responses::Unauthorized)
    ),
    security()
)]
#[post("/auth/login")]
pub(crate) async fn login(
    body: Json<Login>,
    db: web::Data<Db>,
    tokens: web::Data<Tokens>,
    passwords: web::Data<Passwords>,
    sign_ins: web::Data<SignIns>,
    request: HttpRequest,
) -> ApiResult<web::Json<AccessToken>> {
    let login = body.0;
    let account = throttle::Account::new(&login.workspace, &login.email);
    let attempt = sign_ins.try_once(account, ClientAddress::of(&request))?;
    let turn = passwords.turn().await?;
    let account = accounts::find(&db, &login.workspace, &login.email).await?;

    let hash = account.as_ref().and_then(|account| account.password_hash.clone());
    let is_right = turn.check(login.password, hash).await?;
    let Some(account) = account.filter(|_| is_right) else {
        attempt.failed();
        let detail = "Workspace, e-mail address and password do not go together. Check all three.";
        return Err(ApiError::new("invalid_login", detail));
    };
    attempt.succeeded();

    let access_token = tokens
        .sign(account.workspace.id, account.user.id, db.clock().now())
        .map_err(|error| ApiError::internal(&error))?;

    Ok(web::Json(AccessToken { access_token, token_type: "Bearer".to_owned(), expires_in: LIFETIME }))
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
