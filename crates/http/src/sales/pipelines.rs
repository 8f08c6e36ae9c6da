//! Pipelines: the stages through which opportunities go.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::PipelineId,
    sales::pipeline::{NewPipeline, Pipeline, PipelinePatch, PipelineQuery, StageTransfer, StageTransferred},
};
use rapport_persistence::{Db, sales::pipelines};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, SalesSettingsWrite, SignedIn},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of pipelines, under a name of its own in the document.
pub(crate) type PipelinePage = ListPage<Pipeline>;

/// List pipelines
///
/// By name, with their stages, without archived ones unless asked for. Everybody who is signed in may read them.
#[utoipa::path(
    tag = "Pipelines", operation_id = "list_pipelines", params(PipelineQuery),
    responses((status = 200, description = "A page of pipelines", body = PipelinePage)),
    security(("bearer" = []))
)]
#[get("/pipelines")]
pub(crate) async fn list_pipelines(
    auth: Auth<SignedIn>,
    query: Query<PipelineQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| pipelines::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create pipeline
///
/// With its stages, or with the usual ones. Where it is to be the default, the default until now is none any more.
#[utoipa::path(
    tag = "Pipelines", operation_id = "create_pipeline", request_body = NewPipeline,
    responses(
        (status = 201, description = "The pipeline, as it was created", body = Pipeline,
            headers(("ETag" = String, description = "Version of the pipeline"), ("Location" = String, description = "Address of the pipeline"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/pipelines")]
pub(crate) async fn create_pipeline(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewPipeline>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let pipeline = pipelines::create(writer, new)?;
        answer::created(writer, &pipeline, format!("/v1/pipelines/{}", pipeline.id))
    })
    .await
}

/// Get pipeline
#[utoipa::path(
    tag = "Pipelines", operation_id = "get_pipeline",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the pipeline has not changed.",
    params(("pipeline_id" = Uuid, Path, description = "Id of the pipeline"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The pipeline", body = Pipeline,
            headers(("ETag" = String, description = "Version of the pipeline"))),
        (status = 304, description = "The pipeline has not changed")
    ),
    security(("bearer" = []))
)]
#[get("/pipelines/{pipeline_id}")]
pub(crate) async fn get_pipeline(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = PipelineId::from_uuid(id.into_inner());

    let pipeline = db.read(&auth.scope(), move |reader| pipelines::get(reader, id)).await?;

    render::read(&auth, &pipeline, &[], false, &known)
}

/// Update pipeline
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, the list of stages is replaced. Stages with an `id` are kept and changed,
/// those without are new, those that are missing are taken away: where there are opportunities in one, the answer is 409
/// `in_use` until they are moved with `POST /v1/pipelines/{pipeline_id}/transfer`.
#[utoipa::path(
    tag = "Pipelines", operation_id = "update_pipeline",
    params(("pipeline_id" = Uuid, Path, description = "Id of the pipeline"), IfMatchHeader),
    request_body = PipelinePatch,
    responses(
        (status = 200, description = "The pipeline as it is now", body = Pipeline,
            headers(("ETag" = String, description = "Version of the pipeline"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[patch("/pipelines/{pipeline_id}")]
pub(crate) async fn update_pipeline(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<PipelinePatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (PipelineId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let pipeline = pipelines::update(writer, id, expected, &patch)?;
        answer::record(writer, &pipeline)
    })
    .await
}

/// Delete pipeline
///
/// For good. The default one stays, and so does one in which there are opportunities or were: the answer is 409. Archive it
/// instead.
#[utoipa::path(
    tag = "Pipelines", operation_id = "delete_pipeline",
    params(("pipeline_id" = Uuid, Path, description = "Id of the pipeline"), IfMatchHeader),
    responses(
        (status = 204, description = "The pipeline is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[delete("/pipelines/{pipeline_id}")]
pub(crate) async fn delete_pipeline(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (PipelineId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        pipelines::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List pipeline history
///
/// Every change of the pipeline and its stages, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Pipelines", operation_id = "list_pipeline_history",
    params(("pipeline_id" = Uuid, Path, description = "Id of the pipeline"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = []))
)]
#[get("/pipelines/{pipeline_id}/history")]
pub(crate) async fn list_pipeline_history(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (PipelineId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| pipelines::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// Transfer stage
///
/// Brings all opportunities of a stage to another of the same class, so that the stage can be taken away. Up to 1,000 in one
/// call: repeat it until none remain. Each of them tells of it in its history. Deleted ones stay where they were.
#[utoipa::path(
    tag = "Pipelines", operation_id = "transfer_stage",
    params(("pipeline_id" = Uuid, Path, description = "Id of the pipeline that the opportunities leave")),
    request_body = StageTransfer,
    responses(
        (status = 200, description = "How many were moved, and how many remain", body = StageTransferred),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/pipelines/{pipeline_id}/transfer")]
pub(crate) async fn transfer_stage(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    body: Json<StageTransfer>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, transfer) = (PipelineId::from_uuid(id.into_inner()), body.0);

    auth.write(&db, move |writer| {
        let transferred = pipelines::transfer(writer, id, &transfer)?;
        answer::json(&transferred)
    })
    .await
}
