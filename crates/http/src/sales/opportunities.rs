//! Opportunities: what may be sold.

pub(crate) mod moves;

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    id::OpportunityId,
    record::{ExternalId, WriteResult},
    sales::opportunity::{
        NewOpportunity, Opportunity, OpportunityPatch, OpportunityQuery, OpportunityRelation, OpportunitySearch,
    },
};
use rapport_persistence::{Db, people::Deleted, sales::opportunities};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, OpportunitiesCreate, OpportunitiesDelete, OpportunitiesRead, OpportunitiesWrite, SignedIn},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of opportunities, under a name of its own in the document.
pub(crate) type OpportunityPage = ListPage<Opportunity>;

/// A batch of opportunities, under a name of its own in the document.
pub(crate) type OpportunityBatch = Batch<Opportunity>;

/// List opportunities
///
/// The newest first, unless `sort` or `q` say otherwise. Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Opportunities", operation_id = "list_opportunities", params(OpportunityQuery),
    responses((status = 200, description = "A page of opportunities", body = OpportunityPage)),
    security(("bearer" = ["opportunities:read"]))
)]
#[get("/opportunities")]
pub(crate) async fn list_opportunities(
    auth: Auth<OpportunitiesRead>,
    query: Query<OpportunityQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| opportunities::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search opportunities
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, related records.
/// Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Opportunities", operation_id = "search_opportunities", request_body = OpportunitySearch,
    responses((status = 200, description = "A page of opportunities", body = OpportunityPage)),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/opportunities/search")]
pub(crate) async fn search_opportunities(
    auth: Auth<OpportunitiesRead>,
    body: Json<OpportunitySearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| opportunities::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// Create opportunity
///
/// It begins in the default pipeline, in its first stage, unless a pipeline or stage is named. To be won or lost comes after,
/// with `POST /v1/opportunities/{opportunity_id}/win` and `/lose`.
#[utoipa::path(
    tag = "Opportunities", operation_id = "create_opportunity", request_body = NewOpportunity,
    responses(
        (status = 201, description = "The opportunity, as it was created", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["opportunities:create"]))
)]
#[post("/opportunities")]
pub(crate) async fn create_opportunity(
    auth: Auth<OpportunitiesCreate>,
    body: Json<NewOpportunity>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let opportunity = opportunities::create(writer, new)?;
        answer::created(writer, &opportunity, format!("/v1/opportunities/{}", opportunity.id))
    })
    .await
}

/// What to show of an opportunity.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetOpportunityQuery {
    /// `include` shows an opportunity that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<OpportunityRelation>,
}

/// Get opportunity
#[utoipa::path(
    tag = "Opportunities", operation_id = "get_opportunity",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the opportunity has not changed.",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), GetOpportunityQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The opportunity", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The opportunity has not changed")
    ),
    security(("bearer" = ["opportunities:read"]))
)]
#[get("/opportunities/{opportunity_id}")]
pub(crate) async fn get_opportunity(
    auth: Auth<OpportunitiesRead>,
    id: web::Path<Uuid>,
    query: Query<GetOpportunityQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetOpportunityQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (OpportunityId::from_uuid(id.into_inner()), !expand.is_empty());

    let opportunity =
        db.read(&auth.scope(), move |reader| opportunities::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &opportunity, &fields, embeds, &known)
}

/// Get opportunity by external id
#[utoipa::path(
    tag = "Opportunities", operation_id = "get_opportunity_by_external_id",
    description = "The opportunity that an outside system knows under an id, as `get_opportunity` shows it.",
    params(
        ExternalIdPath,
        GetOpportunityQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The opportunity", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The opportunity has not changed")
    ),
    security(("bearer" = ["opportunities:read"]))
)]
#[get("/opportunities/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_opportunity_by_external_id(
    auth: Auth<OpportunitiesRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetOpportunityQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetOpportunityQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let opportunity = db
        .read(&auth.scope(), move |reader| {
            opportunities::get_by_external_id(reader, &id, Deleted::from(deleted), &expand)
        })
        .await?;

    render::read(&auth, &opportunity, &fields, embeds, &known)
}

/// Update opportunity
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. The stage is not changed here: to
/// move, win, lose and reopen are actions of their own. A patch that changes nothing leaves the version as it is. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen.
#[utoipa::path(
    tag = "Opportunities", operation_id = "update_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    request_body = OpportunityPatch,
    responses(
        (status = 200, description = "The opportunity as it is now", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[patch("/opportunities/{opportunity_id}")]
pub(crate) async fn update_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<OpportunityPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (OpportunityId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let opportunity = opportunities::update(writer, id, expected, &patch)?;
        answer::record(writer, &opportunity)
    })
    .await
}

/// Delete opportunity
///
/// The opportunity can be brought back with `POST /v1/opportunities/{opportunity_id}/restore`; until then it is 404.
#[utoipa::path(
    tag = "Opportunities", operation_id = "delete_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    responses(
        (status = 204, description = "The opportunity is deleted"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:delete"]))
)]
#[delete("/opportunities/{opportunity_id}")]
pub(crate) async fn delete_opportunity(
    auth: Auth<OpportunitiesDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (OpportunityId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        opportunities::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Restore opportunity
///
/// Brings a deleted opportunity back. One that lives stays as it is. The answer is 409 when another one has a value by now that is
/// unique.
#[utoipa::path(
    tag = "Opportunities", operation_id = "restore_opportunity",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), IfMatchHeader),
    responses(
        (status = 200, description = "The opportunity as it is now", body = Opportunity,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[post("/opportunities/{opportunity_id}/restore")]
pub(crate) async fn restore_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (OpportunityId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let opportunity = opportunities::restore(writer, id, expected)?;
        answer::record(writer, &opportunity)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct OpportunityUpserted {
    /// What became of the opportunity: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The opportunity as it is now.
    pub record: Opportunity,
}

/// Upsert opportunity
///
/// Creates or changes the opportunity that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new opportunity where not, which needs `opportunities:create`, too. However many send the same id at once, there is
/// one opportunity. What changes nothing leaves no trace.
/// With `record_id`, the opportunity that is there already gets the id.
#[utoipa::path(
    tag = "Opportunities", operation_id = "upsert_opportunity",
    params(
        ExternalIdPath,
        UpsertQuery,
        IfMatchHeader
    ),
    request_body = OpportunityPatch,
    responses(
        (status = 200, description = "What became of the opportunity, which was there", body = OpportunityUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The opportunity, which is new", body = OpportunityUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["opportunities:write"]))
)]
#[put("/opportunities/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_opportunity(
    auth: Auth<OpportunitiesWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertQuery>,
    expected: ExpectedVersion,
    body: Json<OpportunityPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = opportunities::upsert(writer, upsert)?;
        let address = format!("/v1/opportunities/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of opportunities
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Opportunities", operation_id = "batch_opportunities", request_body = OpportunityBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/opportunities/batch")]
pub(crate) async fn batch_opportunities(
    auth: Auth<SignedIn>,
    body: OpportunityBatch,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, opportunities::batch).await
}

/// List opportunity history
///
/// Every change of the opportunity, the newest first: what changed, when, and by whom. A deleted opportunity has its history,
/// too.
#[utoipa::path(
    tag = "Opportunities", operation_id = "list_opportunity_history",
    params(("opportunity_id" = Uuid, Path, description = "Id of the opportunity"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["opportunities:read"]))
)]
#[get("/opportunities/{opportunity_id}/history")]
pub(crate) async fn list_opportunity_history(
    auth: Auth<OpportunitiesRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (OpportunityId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| opportunities::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
