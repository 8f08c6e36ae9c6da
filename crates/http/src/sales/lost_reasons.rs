//! Lost reasons: why something was not sold.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::LostReasonId,
    sales::lost_reason::{LostReason, LostReasonPatch, LostReasonQuery, NewLostReason},
};
use rapport_persistence::{Db, sales::lost_reasons};
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

/// A page of lost reasons, under a name of its own in the document.
pub(crate) type LostReasonPage = ListPage<LostReason>;

/// List lost reasons
///
/// By position, without archived ones unless asked for. Everybody who is signed in may read them.
#[utoipa::path(
    tag = "Lost reasons", operation_id = "list_lost_reasons", params(LostReasonQuery),
    responses((status = 200, description = "A page of lost reasons", body = LostReasonPage)),
    security(("bearer" = []))
)]
#[get("/lost_reasons")]
pub(crate) async fn list_lost_reasons(
    auth: Auth<SignedIn>,
    query: Query<LostReasonQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| lost_reasons::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create lost reason
///
/// Adds a reason to the list. Its key never changes, so that programs can rely on it.
#[utoipa::path(
    tag = "Lost reasons", operation_id = "create_lost_reason", request_body = NewLostReason,
    responses(
        (status = 201, description = "The reason, as it was created", body = LostReason,
            headers(("ETag" = String, description = "Version of the reason"), ("Location" = String, description = "Address of the reason"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/lost_reasons")]
pub(crate) async fn create_lost_reason(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewLostReason>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let reason = lost_reasons::create(writer, new)?;
        answer::created(writer, &reason, format!("/v1/lost_reasons/{}", reason.id))
    })
    .await
}

/// Get lost reason
#[utoipa::path(
    tag = "Lost reasons", operation_id = "get_lost_reason",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the reason has not changed.",
    params(("lost_reason_id" = Uuid, Path, description = "Id of the reason"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The reason", body = LostReason,
            headers(("ETag" = String, description = "Version of the reason"))),
        (status = 304, description = "The reason has not changed")
    ),
    security(("bearer" = []))
)]
#[get("/lost_reasons/{lost_reason_id}")]
pub(crate) async fn get_lost_reason(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = LostReasonId::from_uuid(id.into_inner());

    let reason = db.read(&auth.scope(), move |reader| lost_reasons::get(reader, id)).await?;

    render::read(&auth, &reason, &[], false, &known)
}

/// Update lost reason
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. An archived
/// reason can't be chosen any more; records that have it keep it.
#[utoipa::path(
    tag = "Lost reasons", operation_id = "update_lost_reason",
    params(("lost_reason_id" = Uuid, Path, description = "Id of the reason"), IfMatchHeader),
    request_body = LostReasonPatch,
    responses(
        (status = 200, description = "The reason as it is now", body = LostReason,
            headers(("ETag" = String, description = "Version of the reason"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[patch("/lost_reasons/{lost_reason_id}")]
pub(crate) async fn update_lost_reason(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<LostReasonPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (LostReasonId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let reason = lost_reasons::update(writer, id, expected, &patch)?;
        answer::record(writer, &reason)
    })
    .await
}

/// Delete lost reason
///
/// For good. A reason that records have stays, also where these were deleted: the answer is 409. Archive it instead.
#[utoipa::path(
    tag = "Lost reasons", operation_id = "delete_lost_reason",
    params(("lost_reason_id" = Uuid, Path, description = "Id of the reason"), IfMatchHeader),
    responses(
        (status = 204, description = "The reason is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[delete("/lost_reasons/{lost_reason_id}")]
pub(crate) async fn delete_lost_reason(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LostReasonId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        lost_reasons::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List lost reason history
///
/// Every change of the reason, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Lost reasons", operation_id = "list_lost_reason_history",
    params(("lost_reason_id" = Uuid, Path, description = "Id of the reason"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = []))
)]
#[get("/lost_reasons/{lost_reason_id}/history")]
pub(crate) async fn list_lost_reason_history(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (LostReasonId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| lost_reasons::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
