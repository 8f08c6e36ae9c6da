//! Leads.

pub(crate) mod conversion;

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    id::LeadId,
    people::duplicate::{DuplicateCandidate, OnDuplicate},
    record::{ExternalId, WriteResult},
    sales::lead::{Lead, LeadMove, LeadPatch, LeadQuery, LeadRelation, LeadSearch, LeadStatusChange, NewLead},
};
use rapport_persistence::{
    Db,
    people::Deleted,
    sales::leads::{self, duplicates},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, LeadsCreate, LeadsDelete, LeadsRead, LeadsWrite, SignedIn},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertOrRefuseQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of leads, under a name of its own in the document.
pub(crate) type LeadPage = ListPage<Lead>;

/// A batch of leads, under a name of its own in the document.
pub(crate) type LeadBatch = Batch<Lead>;

/// List leads
///
/// The newest first, unless `sort` or `q` say otherwise. Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Leads", operation_id = "list_leads", params(LeadQuery),
    responses((status = 200, description = "A page of leads", body = LeadPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads")]
pub(crate) async fn list_leads(
    auth: Auth<LeadsRead>,
    query: Query<LeadQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| leads::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search leads
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, related records,
/// places on the map. Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Leads", operation_id = "search_leads", request_body = LeadSearch,
    responses((status = 200, description = "A page of leads", body = LeadPage)),
    security(("bearer" = ["leads:read"]))
)]
#[post("/leads/search")]
pub(crate) async fn search_leads(
    auth: Auth<LeadsRead>,
    body: Json<LeadSearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| leads::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// How a lead is created.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CreateLeadQuery {
    /// What to do when somebody with the same e-mail address or telephone number is known; `refuse` unless said
    /// otherwise.
    #[param(inline = false)]
    on_duplicate: OnDuplicate,
}

/// Create lead
///
/// When a lead or a contact with the same e-mail address or telephone number is known, the answer is 409 with the candidates,
/// unless `on_duplicate=allow`. Without a `status`, the lead begins with the first open one.
#[utoipa::path(
    tag = "Leads", operation_id = "create_lead", params(CreateLeadQuery), request_body = NewLead,
    responses(
        (status = 201, description = "The lead, as it was created", body = Lead,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["leads:create"]))
)]
#[post("/leads")]
pub(crate) async fn create_lead(
    auth: Auth<LeadsCreate>,
    query: Query<CreateLeadQuery>,
    body: Json<NewLead>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (new, on_duplicate) = (body.0, query.0.on_duplicate);

    auth.write(&db, move |writer| {
        let lead = leads::create(writer, new, on_duplicate)?;
        answer::created(writer, &lead, format!("/v1/leads/{}", lead.id))
    })
    .await
}

/// What to show of a lead.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetLeadQuery {
    /// `include` shows a lead that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<LeadRelation>,
}

/// Get lead
#[utoipa::path(
    tag = "Leads", operation_id = "get_lead",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the lead has not changed.",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), GetLeadQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The lead", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The lead has not changed")
    ),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}")]
pub(crate) async fn get_lead(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<GetLeadQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetLeadQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (LeadId::from_uuid(id.into_inner()), !expand.is_empty());

    let lead = db.read(&auth.scope(), move |reader| leads::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &lead, &fields, embeds, &known)
}

/// Get lead by external id
#[utoipa::path(
    tag = "Leads", operation_id = "get_lead_by_external_id",
    description = "The lead that an outside system knows under an id, as `get_lead` shows it.",
    params(
        ExternalIdPath,
        GetLeadQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The lead", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The lead has not changed")
    ),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_lead_by_external_id(
    auth: Auth<LeadsRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetLeadQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetLeadQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let lead = db
        .read(&auth.scope(), move |reader| leads::get_by_external_id(reader, &id, Deleted::from(deleted), &expand))
        .await?;

    render::read(&auth, &lead, &fields, embeds, &known)
}

/// Update lead
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A patch that changes nothing
/// leaves the version as it is. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen. The
/// status has moves of its own. A lead that was converted doesn't change any more: the answer is 409.
#[utoipa::path(
    tag = "Leads", operation_id = "update_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    request_body = LeadPatch,
    responses(
        (status = 200, description = "The lead as it is now", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[patch("/leads/{lead_id}")]
pub(crate) async fn update_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<LeadPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (LeadId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let lead = leads::update(writer, id, expected, &patch)?;
        answer::record(writer, &lead)
    })
    .await
}

/// Delete lead
///
/// The lead can be brought back with `POST /v1/leads/{lead_id}/restore`; until then it is 404. One that was converted can't be
/// deleted: the answer is 409.
#[utoipa::path(
    tag = "Leads", operation_id = "delete_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    responses(
        (status = 204, description = "The lead is deleted"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:delete"]))
)]
#[delete("/leads/{lead_id}")]
pub(crate) async fn delete_lead(
    auth: Auth<LeadsDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LeadId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        leads::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Move lead
///
/// Gives the lead another status. Where it can go follows from the class of its status; what is not allowed is answered with 409
/// `invalid_transition`, which names where it can go. A lead is lost for a reason, unless it is junk.
#[utoipa::path(
    tag = "Leads", operation_id = "move_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    request_body = LeadMove,
    responses(
        (status = 200, description = "The lead as it is now", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[post("/leads/{lead_id}/move")]
pub(crate) async fn move_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<LeadMove>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, to) = (LeadId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let lead = leads::move_to(writer, id, expected, &to)?;
        answer::record(writer, &lead)
    })
    .await
}

/// Recycle lead
///
/// Begins anew with a lead that was lost: it gets the first open status, `recycled_count` grows, and why it was lost is
/// forgotten. The answer is 409 where the lead is not lost.
#[utoipa::path(
    tag = "Leads", operation_id = "recycle_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    responses(
        (status = 200, description = "The lead as it is now", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[post("/leads/{lead_id}/recycle")]
pub(crate) async fn recycle_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LeadId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let lead = leads::recycle(writer, id, expected)?;
        answer::record(writer, &lead)
    })
    .await
}

/// Restore lead
///
/// Brings a deleted lead back. One that lives stays as it is. The answer is 409 when another one has a value by now that is
/// unique.
#[utoipa::path(
    tag = "Leads", operation_id = "restore_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    responses(
        (status = 200, description = "The lead as it is now", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[post("/leads/{lead_id}/restore")]
pub(crate) async fn restore_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LeadId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let lead = leads::restore(writer, id, expected)?;
        answer::record(writer, &lead)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct LeadUpserted {
    /// What became of the lead: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The lead as it is now.
    pub record: Lead,
}

/// Upsert lead
///
/// Creates or changes the lead that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new lead where not, which needs `leads:create`, too. However many send the same id at once, there is
/// one lead. What changes nothing leaves no trace.
/// With `record_id`, the lead that is there already gets the id.
#[utoipa::path(
    tag = "Leads", operation_id = "upsert_lead",
    params(
        ExternalIdPath,
        UpsertOrRefuseQuery,
        IfMatchHeader
    ),
    request_body = LeadPatch,
    responses(
        (status = 200, description = "What became of the lead, which was there", body = LeadUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The lead, which is new", body = LeadUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[put("/leads/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertOrRefuseQuery>,
    expected: ExpectedVersion,
    body: Json<LeadPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = leads::upsert(writer, upsert)?;
        let address = format!("/v1/leads/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of leads
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Leads", operation_id = "batch_leads", request_body = LeadBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/leads/batch")]
pub(crate) async fn batch_leads(auth: Auth<SignedIn>, body: LeadBatch, db: web::Data<Db>) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, leads::batch).await
}

/// List lead history
///
/// Every change of the lead, the newest first: what changed, when, and by whom. A deleted lead has its history,
/// too.
#[utoipa::path(
    tag = "Leads", operation_id = "list_lead_history",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}/history")]
pub(crate) async fn list_lead_history(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (LeadId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| leads::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// A page of the statuses that a lead has had.
pub(crate) type LeadStatusChangePage = ListPage<LeadStatusChange>;

/// List lead status history
///
/// Which statuses the lead has had and for how long, the first one first. Together the times are the age of the lead. A deleted
/// lead has its history, too.
#[utoipa::path(
    tag = "Leads", operation_id = "list_lead_status_changes",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), HistoryQuery),
    responses((status = 200, description = "A page of statuses", body = LeadStatusChangePage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}/status_history")]
pub(crate) async fn list_lead_status_changes(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (LeadId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| leads::status_history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// Leads and contacts that may be the same person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeadDuplicateList {
    /// The likeliest first, 20 at most.
    pub data: Vec<DuplicateCandidate>,
}

/// List lead duplicates
///
/// Leads and contacts that may be the same person: with the same e-mail address or telephone number, or with a similar name; the
/// same birthday or postal code makes it likelier.
#[utoipa::path(
    tag = "Leads", operation_id = "list_lead_duplicates",
    params(("lead_id" = Uuid, Path, description = "Id of the lead")),
    responses((status = 200, description = "The likeliest candidates", body = LeadDuplicateList)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}/duplicates")]
pub(crate) async fn list_lead_duplicates(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<LeadDuplicateList>> {
    let id = LeadId::from_uuid(id.into_inner());

    let data = db.read(&auth.scope(), move |reader| duplicates::list(reader, id)).await?;

    Ok(web::Json(LeadDuplicateList { data }))
}
