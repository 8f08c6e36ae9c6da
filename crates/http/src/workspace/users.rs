//! Users.

use actix_web::{HttpResponse, get, patch, post, web};
use rapport_domain::{
    id::UserId,
    workspace::user::{NewUser, Transfer, Transferred, User, UserPatch, UserQuery},
};
use rapport_persistence::{
    Db, Writer,
    workspace::{transfer, users},
};
use uuid::Uuid;

use super::invites;
use crate::{
    answer,
    auth::{Auth, UsersRead, UsersWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    mail::Post,
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// Says whether an invitation was handed over for delivery.
const INVITATION: &str = "invitation";

/// A page of users, under a name of its own in the document.
pub(crate) type UserPage = ListPage<User>;

/// List users
///
/// The newest first. Who has left is `deactivated`.
#[utoipa::path(
    tag = "Users", operation_id = "list_users", params(UserQuery),
    responses((status = 200, description = "A page of users", body = UserPage)),
    security(("bearer" = ["users:read"]))
)]
#[get("/users")]
pub(crate) async fn list_users(
    auth: Auth<UsersRead>,
    query: Query<UserQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| users::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create user
///
/// Creates a user in the state `invited` and mails them an invitation: they can sign in once they have chosen a password. Nobody can give a role that allows more than they may do themselves: that is 403.
#[utoipa::path(
    tag = "Users", operation_id = "create_user", request_body = NewUser,
    responses(
        (status = 201, description = "The user, as it was created", body = User,
            headers(("ETag" = String, description = "Version of the user"), ("Location" = String, description = "Address of the user"),
                ("Invitation" = String, description = "`sent`, or `not_sent`: `POST /v1/users/{user_id}/invite` says why, and tries again"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["users:write"]))
)]
#[post("/users")]
pub(crate) async fn create_user(
    auth: Auth<UsersWrite>,
    body: Json<NewUser>,
    db: web::Data<Db>,
    post: web::Data<Post>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    let create = move |writer: &mut Writer<'_>| {
        let (user, issued) = users::invite(writer, new)?;
        Ok((answer::created(writer, &user, format!("/v1/users/{}", user.id))?, issued))
    };
    auth.write_then(&db, create, async move |created, issued| {
        let sent = invites::send(&post, &issued).await;
        Ok(created.with_header(INVITATION, if sent.delivered { "sent" } else { "not_sent" }))
    })
    .await
}

/// Get user
#[utoipa::path(
    tag = "Users", operation_id = "get_user",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the user has not changed.",
    params(("user_id" = Uuid, Path, description = "Id of the user"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The user", body = User,
            headers(("ETag" = String, description = "Version of the user"))),
        (status = 304, description = "The user has not changed")
    ),
    security(("bearer" = ["users:read"]))
)]
#[get("/users/{user_id}")]
pub(crate) async fn get_user(
    auth: Auth<UsersRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = UserId::from_uuid(id.into_inner());

    let user = db.read(&auth.scope(), move |reader| users::get(reader, id)).await?;

    render::read(&auth, &user, &[], false, &known)
}

/// Update user
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. Roles and teams hold from the user's next request on. An active user with a role that may do everything has to be left.
#[utoipa::path(
    tag = "Users", operation_id = "update_user",
    params(("user_id" = Uuid, Path, description = "Id of the user"), IfMatchHeader),
    request_body = UserPatch,
    responses(
        (status = 200, description = "The user as it is now", body = User,
            headers(("ETag" = String, description = "Version of the user"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["users:write"]))
)]
#[patch("/users/{user_id}")]
pub(crate) async fn update_user(
    auth: Auth<UsersWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<UserPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (UserId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let user = users::update(writer, id, expected, &patch)?;
        answer::record(writer, &user)
    })
    .await
}

/// Activate user
///
/// Lets a user sign in again, or for the first time without an invitation.
#[utoipa::path(
    tag = "Users", operation_id = "activate_user",
    params(("user_id" = Uuid, Path, description = "Id of the user"), IfMatchHeader),
    responses(
        (status = 200, description = "The user as it is now", body = User,
            headers(("ETag" = String, description = "Version of the user"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["users:write"]))
)]
#[post("/users/{user_id}/activate")]
pub(crate) async fn activate_user(
    auth: Auth<UsersWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (UserId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let user = users::activate(writer, id, expected)?;
        answer::record(writer, &user)
    })
    .await
}

/// Deactivate user
///
/// The user can't sign in any more, from the next request on. What they own stays theirs: hand it over with `POST /v1/users/{user_id}/transfer`.
#[utoipa::path(
    tag = "Users", operation_id = "deactivate_user",
    params(("user_id" = Uuid, Path, description = "Id of the user"), IfMatchHeader),
    responses(
        (status = 200, description = "The user as it is now", body = User,
            headers(("ETag" = String, description = "Version of the user"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["users:write"]))
)]
#[post("/users/{user_id}/deactivate")]
pub(crate) async fn deactivate_user(
    auth: Auth<UsersWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (UserId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let user = users::deactivate(writer, id, expected)?;
        answer::record(writer, &user)
    })
    .await
}

/// Transfer records of user
///
/// Hands everything that the user owns to others, in one step: records that live and those that were deleted. Several
/// receivers take turns. Each record goes to its receiver's main team, where they have one.
#[utoipa::path(
    tag = "Users", operation_id = "transfer_user",
    params(("user_id" = Uuid, Path, description = "Id of the user")),
    request_body = Transfer,
    responses((status = 200, description = "What was handed over", body = Transferred)),
    security(("bearer" = ["users:write"]))
)]
#[post("/users/{user_id}/transfer")]
pub(crate) async fn transfer_user(
    auth: Auth<UsersWrite>,
    id: web::Path<Uuid>,
    body: Json<Transfer>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (from, transfer) = (UserId::from_uuid(id.into_inner()), body.0);

    auth.write(&db, move |writer| answer::json(&transfer::all(writer, from, &transfer)?)).await
}

/// List user history
///
/// Every change of the user, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Users", operation_id = "list_user_history",
    params(("user_id" = Uuid, Path, description = "Id of the user"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["users:read"]))
)]
#[get("/users/{user_id}/history")]
pub(crate) async fn list_user_history(
    auth: Auth<UsersRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (UserId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| users::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
