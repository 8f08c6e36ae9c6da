//! Lead statuses: how far a lead can have come.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::LeadStatusId,
    sales::lead_status::{LeadStatus, LeadStatusPatch, LeadStatusQuery, NewLeadStatus},
};
use rapport_persistence::{Db, sales::lead_statuses};
use serde::Deserialize;
use utoipa::IntoParams;
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

/// A page of lead statuses, under a name of its own in the document.
pub(crate) type LeadStatusPage = ListPage<LeadStatus>;

/// List lead statuses
///
/// By position, without archived ones unless asked for. Everybody who is signed in may read them.
#[utoipa::path(
    tag = "Lead statuses", operation_id = "list_lead_statuses", params(LeadStatusQuery),
    responses((status = 200, description = "A page of lead statuses", body = LeadStatusPage)),
    security(("bearer" = []))
)]
#[get("/lead_statuses")]
pub(crate) async fn list_lead_statuses(
    auth: Auth<SignedIn>,
    query: Query<LeadStatusQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| lead_statuses::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create lead status
///
/// Adds a status to the list. Where leads can go from it follows from its class. Its key never changes, so that programs
/// can rely on it.
#[utoipa::path(
    tag = "Lead statuses", operation_id = "create_lead_status", request_body = NewLeadStatus,
    responses(
        (status = 201, description = "The status, as it was created", body = LeadStatus,
            headers(("ETag" = String, description = "Version of the status"), ("Location" = String, description = "Address of the status"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/lead_statuses")]
pub(crate) async fn create_lead_status(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewLeadStatus>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let status = lead_statuses::create(writer, new)?;
        answer::created(writer, &status, format!("/v1/lead_statuses/{}", status.id))
    })
    .await
}

/// Get lead status
#[utoipa::path(
    tag = "Lead statuses", operation_id = "get_lead_status",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the status has not changed.",
    params(("lead_status_id" = Uuid, Path, description = "Id of the status"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The status", body = LeadStatus,
            headers(("ETag" = String, description = "Version of the status"))),
        (status = 304, description = "The status has not changed")
    ),
    security(("bearer" = []))
)]
#[get("/lead_statuses/{lead_status_id}")]
pub(crate) async fn get_lead_status(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = LeadStatusId::from_uuid(id.into_inner());

    let status = db.read(&auth.scope(), move |reader| lead_statuses::get(reader, id)).await?;

    render::read(&auth, &status, &[], false, &known)
}

/// Update lead status
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. An archived
/// status can't be chosen any more; leads that have it keep it. The answer is 409 when the class would change though leads
/// have the status, or when no other status of a class that leads need could be chosen.
#[utoipa::path(
    tag = "Lead statuses", operation_id = "update_lead_status",
    params(("lead_status_id" = Uuid, Path, description = "Id of the status"), IfMatchHeader),
    request_body = LeadStatusPatch,
    responses(
        (status = 200, description = "The status as it is now", body = LeadStatus,
            headers(("ETag" = String, description = "Version of the status"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[patch("/lead_statuses/{lead_status_id}")]
pub(crate) async fn update_lead_status(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<LeadStatusPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (LeadStatusId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let status = lead_statuses::update(writer, id, expected, &patch)?;
        answer::record(writer, &status)
    })
    .await
}

/// How a lead status is deleted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteLeadStatusQuery {
    /// Key of another status of the same class, which leads get instead. 10,000 leads at most.
    #[param(min_length = 1, max_length = 63, pattern = "^[a-z][a-z0-9_]{0,62}$", example = "contacted")]
    move_to: Option<String>,
}

/// Delete lead status
///
/// For good. Leads that have it, also deleted ones, get the one that `move_to` names; without it the answer is 409, which says
/// how many they are. The last of a class that leads need stays: 409.
#[utoipa::path(
    tag = "Lead statuses", operation_id = "delete_lead_status",
    params(("lead_status_id" = Uuid, Path, description = "Id of the status"), DeleteLeadStatusQuery, IfMatchHeader),
    responses(
        (status = 204, description = "The status is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[delete("/lead_statuses/{lead_status_id}")]
pub(crate) async fn delete_lead_status(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    query: Query<DeleteLeadStatusQuery>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LeadStatusId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        lead_statuses::delete(writer, id, expected, query.0.move_to.as_deref())?;
        Ok(answer::nothing())
    })
    .await
}

/// List lead status history
///
/// Every change of the status, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Lead statuses", operation_id = "list_lead_status_history",
    params(("lead_status_id" = Uuid, Path, description = "Id of the status"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = []))
)]
#[get("/lead_statuses/{lead_status_id}/history")]
pub(crate) async fn list_lead_status_history(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (LeadStatusId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| lead_statuses::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
