//! What happens to opportunities: from stage to stage, won and lost, and how it was.

use actix_web::{HttpResponse, get, post, web};
use rapport_domain::{
    id::OpportunityId,
    sales::opportunity::{
        CloseDateChange, LoseOpportunity, MoveOpportunity, Opportunity, ReopenOpportunity, StageSpell, WinOpportunity,
    },
};
use rapport_persistence::{Db, sales::opportunities};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, OpportunitiesRead, OpportunitiesWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::HistoryQuery,
};

/// A page of stages that an opportunity was in, under a name of its own in the document.
pub(crate) type StageSpellPage = ListPage<StageSpell>;

/// A page of changes of the close date, under a name of its own in the document.
pub(crate) type CloseDateChangePage = ListPage<CloseDateChange>;

/// Move opportunity
///
/// Brings it to another stage, of its own pipeline or of another. To a stage of the class `lost` only with a reason; from a
/// closed stage only by `reopen`. What the pipeline does not allow is answered 409 `invalid_transition` with the stages
/// that it can go to; fields that the stage requires are named in 422. In the stage that it is in already, it stays as it
/// is.
#[utoipa::path(
    tag = "Opportunities", operation_id = "move_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    request_body = MoveOpportunity,
    responses(
        (status = 200, description = "The opportunity as it is now", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[post("/opportunities/{opportunity_id}/move")]
pub(crate) async fn move_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<MoveOpportunity>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, to) = (OpportunityId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let opportunity = opportunities::move_to(writer, id, expected, &to)?;
        answer::record(writer, &opportunity)
    })
    .await
}

/// Win opportunity
///
/// Brings it to the stage of its pipeline that is of the class `won`. What is won already stays as it is.
#[utoipa::path(
    tag = "Opportunities", operation_id = "win_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    request_body = WinOpportunity,
    responses(
        (status = 200, description = "The opportunity as it is now", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[post("/opportunities/{opportunity_id}/win")]
pub(crate) async fn win_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<WinOpportunity>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, win) = (OpportunityId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let opportunity = opportunities::win(writer, id, expected, &win)?;
        answer::record(writer, &opportunity)
    })
    .await
}

/// Lose opportunity
///
/// Brings it to the stage of its pipeline that is of the class `lost`, with the reason. What is lost already stays as it
/// is, but for reason and note: they become those that are given, and without a note there is none. Its history calls that
/// `opportunity.updated`.
#[utoipa::path(
    tag = "Opportunities", operation_id = "lose_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    request_body = LoseOpportunity,
    responses(
        (status = 200, description = "The opportunity as it is now", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[post("/opportunities/{opportunity_id}/lose")]
pub(crate) async fn lose_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<LoseOpportunity>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, lose) = (OpportunityId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let opportunity = opportunities::lose(writer, id, expected, &lose)?;
        answer::record(writer, &opportunity)
    })
    .await
}

/// Reopen opportunity
///
/// Opens what was won or lost again, in the open stage that it was in last. When it was closed and why stays in its
/// history. What is open already stays as it is.
#[utoipa::path(
    tag = "Opportunities", operation_id = "reopen_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    request_body = ReopenOpportunity,
    responses(
        (status = 200, description = "The opportunity as it is now", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[post("/opportunities/{opportunity_id}/reopen")]
pub(crate) async fn reopen_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ReopenOpportunity>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, reopen) = (OpportunityId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let opportunity = opportunities::reopen(writer, id, expected, &reopen)?;
        answer::record(writer, &opportunity)
    })
    .await
}

/// List opportunity stage history
///
/// The stages that it was in, the first one first, and for how long: together, its age.
#[utoipa::path(
    tag = "Opportunities", operation_id = "list_opportunity_stage_history",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), HistoryQuery),
    responses((status = 200, description = "A page of stages", body = StageSpellPage)),
    security(("bearer" = ["opportunities:read"]))
)]
#[get("/opportunities/{opportunity_id}/stage_history")]
pub(crate) async fn list_opportunity_stage_history(
    auth: Auth<OpportunitiesRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (OpportunityId::from_uuid(id.into_inner()), query.0);

    let page = db
        .read(&auth.scope(), move |reader| opportunities::stage_history(reader, id, limit, cursor.as_deref()))
        .await?;

    Ok(render::list(page))
}

/// List opportunity close date history
///
/// How the date on which it is expected to be won was put off and brought forward, the first change first.
#[utoipa::path(
    tag = "Opportunities", operation_id = "list_opportunity_close_date_history",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = CloseDateChangePage)),
    security(("bearer" = ["opportunities:read"]))
)]
#[get("/opportunities/{opportunity_id}/close_date_history")]
pub(crate) async fn list_opportunity_close_date_history(
    auth: Auth<OpportunitiesRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (OpportunityId::from_uuid(id.into_inner()), query.0);

    let page = db
        .read(&auth.scope(), move |reader| opportunities::close_date_history(reader, id, limit, cursor.as_deref()))
        .await?;

    Ok(render::list(page))
}
