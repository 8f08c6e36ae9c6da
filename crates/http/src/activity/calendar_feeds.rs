//! Calendar feeds: secret addresses at which programs for calendars read the tasks of a user.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, post, web};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rapport_domain::{
    access::{Actor, ActorKind, Permission},
    activity::{
        calendar,
        calendar_feed::{CalendarFeed, CalendarFeedQuery, IssuedCalendarFeed, NewCalendarFeed},
    },
    id::{CalendarFeedId, UserId, WorkspaceId},
    problem::FieldProblem,
};
use rapport_persistence::{
    Db, Scope,
    activity::{
        calendar_feeds::{self, Token},
        tasks,
    },
    workspace::accounts,
};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, Caller, SignedIn},
    body::Json,
    conditional::IfNoneMatchHeader,
    envelope, gate,
    problem::{ApiError, ApiResult},
    query::Query,
    render::{self, ListPage},
};

/// A page of feeds, under a name of its own in the document.
pub(crate) type CalendarFeedPage = ListPage<CalendarFeed>;

/// The permission with which one sees and ends the feeds of others.
const OTHERS: Permission = Permission::UsersWrite;

const PREFIX: &str = "cf_";

/// A calendar as text: iCalendar (RFC 5545).
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type only describes the body")]
pub(crate) struct Calendar(String);

/// List calendar feeds
///
/// The feeds of the caller, the newest first. Whoever has the permission `users:write` can name another user.
#[utoipa::path(
    tag = "Calendar feeds", operation_id = "list_calendar_feeds", params(CalendarFeedQuery),
    responses(
        (status = 200, description = "A page of feeds", body = CalendarFeedPage),
        (status = 403, response = crate::openapi::responses::Forbidden)
    ),
    security(("bearer" = []))
)]
#[get("/calendar_feeds")]
pub(crate) async fn list_calendar_feeds(
    auth: Auth<SignedIn>,
    query: Query<CalendarFeedQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, own) = (query.0, own(auth.caller()));
    let user = query.user_id.unwrap_or(own);
    if user != own {
        gate::require(auth.caller(), OTHERS)?;
    }

    let page = db.read(&auth.scope(), move |reader| calendar_feeds::list(reader, user, &query)).await?;

    Ok(render::list(page))
}

/// Create calendar feed
///
/// Makes a secret address at which programs for calendars read the tasks that the caller is to do. The answer shows it
/// this once. A user has ten feeds at most. It needs the permission `tasks:read`, and somebody who has signed in: of programs,
/// only those that may do everything make feeds, and one that acts for no user names one.
#[utoipa::path(
    tag = "Calendar feeds", operation_id = "create_calendar_feed", request_body = NewCalendarFeed,
    responses(
        (status = 201, description = "The feed, with its address", body = IssuedCalendarFeed,
            headers(("Location" = String, description = "Where the feed is managed"))),
        (status = 403, response = crate::openapi::responses::Forbidden),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/calendar_feeds")]
pub(crate) async fn create_calendar_feed(
    auth: Auth<SignedIn>,
    body: Json<NewCalendarFeed>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    require_maker(auth.caller())?;
    let (new, user) = (body.0.clone(), user_of(auth.caller(), body.0.user_id)?);
    let (secret, token) = mint(auth.caller().workspace.id).map_err(|error| ApiError::internal(&error))?;

    auth.write(&db, move |writer| {
        let feed = calendar_feeds::create(writer, new, user, token)?;
        let location = format!("/v1/calendar_feeds/{}", feed.id);
        let issued = IssuedCalendarFeed { feed, address: format!("/v1/calendars/{secret}") };
        answer::created(writer, &issued, location)
    })
    .await
}

/// Get calendar feed
///
/// One of your own feeds, or with the permission `users:write` of anybody's in the workspace. Its address is not shown again.
#[utoipa::path(
    tag = "Calendar feeds", operation_id = "get_calendar_feed",
    params(("calendar_feed_id" = Uuid, Path, description = "Id of the feed")),
    responses((status = 200, description = "The feed", body = CalendarFeed)),
    security(("bearer" = []))
)]
#[get("/calendar_feeds/{calendar_feed_id}")]
pub(crate) async fn get_calendar_feed(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<CalendarFeed>> {
    let (id, of) = (CalendarFeedId::from_uuid(id.into_inner()), seen_by(auth.caller()));

    let feed = db.read(&auth.scope(), move |reader| calendar_feeds::get(reader, id, of)).await?;

    Ok(web::Json(feed))
}

/// Revoke calendar feed
///
/// Its address is 404 from now on. One of your own feeds, or with the permission `users:write` one of anybody's.
#[utoipa::path(
    tag = "Calendar feeds", operation_id = "delete_calendar_feed",
    params(("calendar_feed_id" = Uuid, Path, description = "Id of the feed")),
    responses((status = 204, description = "The feed is revoked")),
    security(("bearer" = []))
)]
#[delete("/calendar_feeds/{calendar_feed_id}")]
pub(crate) async fn delete_calendar_feed(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, of) = (CalendarFeedId::from_uuid(id.into_inner()), seen_by(auth.caller()));

    auth.write(&db, move |writer| {
        calendar_feeds::delete(writer, id, of)?;
        Ok(answer::nothing())
    })
    .await
}

/// Get calendar
///
/// The tasks that a user is to do and has done in the last 30 days, as far as they are due some day, as iCalendar (RFC
/// 5545). The secret in the address stands for the user, who sees what they may see at that moment. An address that is
/// wrong, that was revoked, or whose user can't sign in any more is 404.
#[utoipa::path(
    tag = "Calendar feeds", operation_id = "get_calendar",
    params(("token" = String, Path, description = "The secret of a feed", min_length = 1, max_length = 200), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The calendar", body = Calendar, content_type = "text/calendar",
            headers(("ETag" = String, description = "Changes with the calendar"))),
        (status = 304, description = "The calendar has not changed")
    ),
    security()
)]
#[get("/calendars/{token}")]
pub(crate) async fn get_calendar(
    request: HttpRequest,
    token: web::Path<String>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let scope = scope_of(&db, &token).await?.ok_or_else(unknown)?;

    let tasks = db.read(&scope, tasks::in_calendar).await?;

    let text = calendar::of_tasks("Rapport", &tasks);
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..16]));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type("text/calendar; charset=utf-8").body(text))
}

/// On whose behalf a secret reads; none when it is not, or not any more, that of a feed.
async fn scope_of(db: &Db, secret: &str) -> ApiResult<Option<Scope>> {
    let Some(token) = parse(secret) else { return Ok(None) };
    let Some(user) = calendar_feeds::owner(db, token).await? else { return Ok(None) };
    let Some(account) = accounts::get(db, token.workspace, user).await? else { return Ok(None) };
    let actor = Actor { kind: ActorKind::User, id: Some(user.uuid()) };
    let scope = Scope::of_caller(account.workspace.id, actor, Arc::clone(&account.grants), account.workspace.country);
    Ok(Some(scope.for_request(envelope::current_request_id(), None)))
}

/// The same for whatever is no secret of a feed.
fn unknown() -> ApiError {
    ApiError::new("not_found", "There is no calendar at this address. Ask for a new one where you got it.")
}

/// Makes the secret of a new feed: what the program keeps, and what the database does.
fn mint(workspace: WorkspaceId) -> Result<(String, Token), String> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    let feed = CalendarFeedId::mint();
    let bytes = [workspace.uuid().as_bytes().as_slice(), feed.uuid().as_bytes(), &secret].concat();
    let token = Token { workspace, feed, hash: Sha256::digest(secret).into() };
    Ok((format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)), token))
}

/// Reads the secret of a feed; none when it is not one. Some programs want the address to end in `.ics`.
fn parse(secret: &str) -> Option<Token> {
    let secret = secret.strip_suffix(".ics").unwrap_or(secret);
    let bytes = URL_SAFE_NO_PAD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let (workspace, rest) = bytes.split_at_checked(16)?;
    let (feed, secret) = rest.split_at_checked(16)?;
    let secret: [u8; 32] = secret.try_into().ok()?;
    Some(Token {
        workspace: WorkspaceId::from_uuid(Uuid::from_slice(workspace).ok()?),
        feed: CalendarFeedId::from_uuid(Uuid::from_slice(feed).ok()?),
        hash: Sha256::digest(secret).into(),
    })
}

/// Refuses who would get more by a feed than they have: it shows tasks, it is read from everywhere, and it stays when the
/// credential with which it was made has ended.
fn require_maker(caller: &Caller) -> ApiResult<()> {
    gate::require(caller, Permission::TasksRead)?;
    // A program that may do everything gets no more by it: it could as well make itself a key without end.
    if caller.kind == ActorKind::User || caller.grants.is_admin {
        return Ok(());
    }
    let detail = "A calendar feed keeps to no scopes and outlasts your key. To make one, sign in as the user, or use a key \
                  that may do everything.";
    Err(ApiError::new("forbidden", detail))
}

/// For whom a new feed is: whoever has it reads with the rights of that user.
fn user_of(caller: &Caller, named: Option<UserId>) -> ApiResult<UserId> {
    let own = caller.grants.user.map(UserId::from_uuid);
    match named.or(own) {
        Some(user) if Some(user) == own || caller.grants.is_admin => Ok(user),
        Some(_) => {
            let detail = "Only who may do everything makes a calendar feed for somebody else. Leave user_id out.";
            Err(ApiError::new("forbidden", detail))
        }
        None => {
            let detail = "You act for no user. Name the one whose tasks the feed shows.";
            Err(ApiError::fields(vec![FieldProblem::at("/user_id", "required", detail)]))
        }
    }
}

/// Whose feeds the caller sees: those of others only as who manages users.
fn seen_by(caller: &Caller) -> Option<UserId> {
    (!caller.grants.allow(OTHERS)).then(|| own(caller))
}

/// The user who calls; an id that no user has for a program that acts for nobody.
fn own(caller: &Caller) -> UserId {
    UserId::from_uuid(caller.grants.user.unwrap_or(caller.id))
}
