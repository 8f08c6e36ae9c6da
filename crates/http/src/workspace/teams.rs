//! Teams.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::TeamId,
    workspace::team::{NewTeam, Team, TeamPatch, TeamQuery},
};
use rapport_persistence::{Db, workspace::teams};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, TeamsRead, TeamsWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of teams, under a name of its own in the document.
pub(crate) type TeamPage = ListPage<Team>;

/// List teams
///
/// By name. Teams are few: a tree is built from `parent_id`.
#[utoipa::path(
    tag = "Teams", operation_id = "list_teams", params(TeamQuery),
    responses((status = 200, description = "A page of teams", body = TeamPage)),
    security(("bearer" = ["teams:read"]))
)]
#[get("/teams")]
pub(crate) async fn list_teams(
    auth: Auth<TeamsRead>,
    query: Query<TeamQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| teams::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create team
///
/// Teams form a tree: name the team above in `parent_id`. Who is in a team stands with the user, in `team_ids`.
#[utoipa::path(
    tag = "Teams", operation_id = "create_team", request_body = NewTeam,
    responses(
        (status = 201, description = "The team, as it was created", body = Team,
            headers(("ETag" = String, description = "Version of the team"), ("Location" = String, description = "Address of the team"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["teams:write"]))
)]
#[post("/teams")]
pub(crate) async fn create_team(
    auth: Auth<TeamsWrite>,
    body: Json<NewTeam>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let team = teams::create(writer, new)?;
        answer::created(writer, &team, format!("/v1/teams/{}", team.id))
    })
    .await
}

/// Get team
#[utoipa::path(
    tag = "Teams", operation_id = "get_team",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the team has not changed.",
    params(("team_id" = Uuid, Path, description = "Id of the team"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The team", body = Team,
            headers(("ETag" = String, description = "Version of the team"))),
        (status = 304, description = "The team has not changed")
    ),
    security(("bearer" = ["teams:read"]))
)]
#[get("/teams/{team_id}")]
pub(crate) async fn get_team(
    auth: Auth<TeamsRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = TeamId::from_uuid(id.into_inner());

    let team = db.read(&auth.scope(), move |reader| teams::get(reader, id)).await?;

    render::read(&auth, &team, &[], false, &known)
}

/// Update team
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A team can be moved below another one, with all that is below it.
#[utoipa::path(
    tag = "Teams", operation_id = "update_team",
    params(("team_id" = Uuid, Path, description = "Id of the team"), IfMatchHeader),
    request_body = TeamPatch,
    responses(
        (status = 200, description = "The team as it is now", body = Team,
            headers(("ETag" = String, description = "Version of the team"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["teams:write"]))
)]
#[patch("/teams/{team_id}")]
pub(crate) async fn update_team(
    auth: Auth<TeamsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<TeamPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (TeamId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let team = teams::update(writer, id, expected, &patch)?;
        answer::record(writer, &team)
    })
    .await
}

/// Delete team
///
/// For good. A team that has members, records or teams below it stays: the answer is 409 and says what it has.
#[utoipa::path(
    tag = "Teams", operation_id = "delete_team",
    params(("team_id" = Uuid, Path, description = "Id of the team"), IfMatchHeader),
    responses(
        (status = 204, description = "The team is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["teams:write"]))
)]
#[delete("/teams/{team_id}")]
pub(crate) async fn delete_team(
    auth: Auth<TeamsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (TeamId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        teams::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List team history
///
/// Every change of the team, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Teams", operation_id = "list_team_history",
    params(("team_id" = Uuid, Path, description = "Id of the team"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["teams:read"]))
)]
#[get("/teams/{team_id}/history")]
pub(crate) async fn list_team_history(
    auth: Auth<TeamsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (TeamId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| teams::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
