//! Score definitions.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::ScoreDefinitionId,
    insight::{
        score_definition::{
            NewScoreDefinition, ScoreDefinition, ScoreDefinitionPatch, ScoreDefinitionQuery, ScoreVersion,
        },
        score_quality::{ScoreQuality, ScoreQualityQuery},
    },
};
use rapport_persistence::{
    Db,
    insight::{score_definitions, score_quality},
};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, LeadsRead, SalesSettingsWrite, SignedIn},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of score definitions, under a name of its own in the document.
pub(crate) type ScoreDefinitionPage = ListPage<ScoreDefinition>;

/// A page of published versions, under a name of its own in the document.
pub(crate) type ScoreVersionPage = ListPage<ScoreVersion>;

/// List score definitions
///
/// By name. Everybody who is signed in may read them.
#[utoipa::path(
    tag = "Scores", operation_id = "list_score_definitions", params(ScoreDefinitionQuery),
    responses((status = 200, description = "A page of score definitions", body = ScoreDefinitionPage)),
    security(("bearer" = []))
)]
#[get("/score_definitions")]
pub(crate) async fn list_score_definitions(
    auth: Auth<SignedIn>,
    query: Query<ScoreDefinitionQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| score_definitions::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create score definition
///
/// As a draft: its rules count once they are published.
#[utoipa::path(
    tag = "Scores", operation_id = "create_score_definition", request_body = NewScoreDefinition,
    responses(
        (status = 201, description = "The score definition, as it was created", body = ScoreDefinition,
            headers(("ETag" = String, description = "Version of the score definition"), ("Location" = String, description = "Address of the score definition"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/score_definitions")]
pub(crate) async fn create_score_definition(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewScoreDefinition>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let definition = score_definitions::create(writer, new)?;
        answer::created(writer, &definition, format!("/v1/score_definitions/{}", definition.id))
    })
    .await
}

/// Get score definition
///
/// While records are being scored by what was published, the answer says how far that has come and has no ETag.
#[utoipa::path(
    tag = "Scores", operation_id = "get_score_definition",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The score definition", body = ScoreDefinition,
            headers(("ETag" = String, description = "Version of the score definition"))),
        (status = 304, description = "The score definition has not changed")
    ),
    security(("bearer" = []))
)]
#[get("/score_definitions/{score_definition_id}")]
pub(crate) async fn get_score_definition(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = ScoreDefinitionId::from_uuid(id.into_inner());

    let definition = db.read(&auth.scope(), move |reader| score_definitions::get(reader, id)).await?;

    render::read(&auth, &definition, &[], definition.is_being_scored(), &known)
}

/// Update score definition
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, the list of groups is replaced. What was published goes on to count
/// until the change is published, too.
#[utoipa::path(
    tag = "Scores", operation_id = "update_score_definition",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), IfMatchHeader),
    request_body = ScoreDefinitionPatch,
    responses(
        (status = 200, description = "The score definition as it is now", body = ScoreDefinition,
            headers(("ETag" = String, description = "Version of the score definition"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[patch("/score_definitions/{score_definition_id}")]
pub(crate) async fn update_score_definition(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ScoreDefinitionPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (ScoreDefinitionId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let definition = score_definitions::update(writer, id, expected, &patch)?;
        answer::record(writer, &definition)
    })
    .await
}

/// Delete score definition
///
/// For good, as long as it was never published. Afterwards the answer is 409: the history of scores tells of it. Archive it
/// instead.
#[utoipa::path(
    tag = "Scores", operation_id = "delete_score_definition",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), IfMatchHeader),
    responses(
        (status = 204, description = "The score definition is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[delete("/score_definitions/{score_definition_id}")]
pub(crate) async fn delete_score_definition(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ScoreDefinitionId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        score_definitions::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Publish score definition
///
/// Its rules count from now on, as a version that never changes; the definition that counted for the same records until now is
/// archived. All records are scored anew: `scored` of `to_score` says how far that has come. Where its rules count
/// already, nothing happens.
#[utoipa::path(
    tag = "Scores", operation_id = "publish_score_definition",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), IfMatchHeader),
    responses(
        (status = 200, description = "The score definition, which counts now", body = ScoreDefinition,
            headers(("ETag" = String, description = "Version of the score definition"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/score_definitions/{score_definition_id}/publish")]
pub(crate) async fn publish_score_definition(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ScoreDefinitionId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let definition = score_definitions::publish(writer, id, expected)?;
        answer::record(writer, &definition)
    })
    .await
}

/// Archive score definition
///
/// Its rules do not count any more, and nothing takes their place: scores become null. A draft stays one.
#[utoipa::path(
    tag = "Scores", operation_id = "archive_score_definition",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), IfMatchHeader),
    responses(
        (status = 200, description = "The score definition, which does not count any more", body = ScoreDefinition,
            headers(("ETag" = String, description = "Version of the score definition"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/score_definitions/{score_definition_id}/archive")]
pub(crate) async fn archive_score_definition(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ScoreDefinitionId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let definition = score_definitions::archive(writer, id, expected)?;
        answer::record(writer, &definition)
    })
    .await
}

/// Get score definition quality
///
/// Whether leads that had more points some time ago were converted more often since: by tenths, with intervals, and the chance
/// that a converted lead had more points than another. `definition` says what the figures mean, and what not. It
/// counts the leads that the caller may see.
#[utoipa::path(
    tag = "Scores", operation_id = "get_score_definition_quality",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), ScoreQualityQuery),
    responses((status = 200, description = "How well scores told conversions", body = ScoreQuality)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/score_definitions/{score_definition_id}/quality")]
pub(crate) async fn get_score_definition_quality(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<ScoreQualityQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<ScoreQuality>> {
    let (id, query) = (ScoreDefinitionId::from_uuid(id.into_inner()), query.0);

    let quality =
        db.for_long_work().read(&auth.scope(), move |reader| score_quality::report(reader, id, query)).await?;

    Ok(web::Json(quality))
}

/// List score definition history
///
/// Every change of the score definition, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Scores", operation_id = "list_score_definition_history",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = []))
)]
#[get("/score_definitions/{score_definition_id}/history")]
pub(crate) async fn list_score_definition_history(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ScoreDefinitionId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| score_definitions::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// List score definition versions
///
/// The versions that were published, the latest first, with the rules that each of them counted by.
#[utoipa::path(
    tag = "Scores", operation_id = "list_score_definition_versions",
    params(("score_definition_id" = Uuid, Path, description = "Id of the score definition"), HistoryQuery),
    responses((status = 200, description = "A page of versions", body = ScoreVersionPage)),
    security(("bearer" = []))
)]
#[get("/score_definitions/{score_definition_id}/versions")]
pub(crate) async fn list_score_definition_versions(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ScoreDefinitionId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| score_definitions::versions(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
