//! Companies.

use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use rapport_domain::{
    id::CompanyId,
    people::company::{Company, CompanyPatch, CompanyQuery, CompanyRelation, CompanySearch, NewCompany},
    record::{ExternalId, WriteResult},
};
use rapport_persistence::{
    Db,
    people::{Deleted, companies},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, CompaniesCreate, CompaniesDelete, CompaniesRead, CompaniesWrite, SignedIn},
    batch::{Batch, BatchResults, ExternalIdPath, UpsertQuery},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{DeletedInRead, HistoryQuery, JournalEntryPage},
};

/// A page of companies, under a name of its own in the document.
pub(crate) type CompanyPage = ListPage<Company>;

/// A batch of companies, under a name of its own in the document.
pub(crate) type CompanyBatch = Batch<Company>;

/// List companies
///
/// The newest first, unless `sort` or `q` say otherwise. Follow `next_cursor` to its end for all of them.
#[utoipa::path(
    tag = "Companies", operation_id = "list_companies", params(CompanyQuery),
    responses((status = 200, description = "A page of companies", body = CompanyPage)),
    security(("bearer" = ["companies:read"]))
)]
#[get("/companies")]
pub(crate) async fn list_companies(
    auth: Auth<CompaniesRead>,
    query: Query<CompanyQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (query, fields) = (query.0.clone(), query.0.fields);

    let page = db.read(&auth.scope(), move |reader| companies::list(reader, &query)).await?;

    render::page(&auth, page, &fields)
}

/// Search companies
///
/// A read by a filter tree, which says more than the parameters of the list can: any and not, ranges, related records,
/// places on the map. Paged like a list. A search that takes longer than two seconds is given up with 422
/// `filter_too_costly`.
#[utoipa::path(
    tag = "Companies", operation_id = "search_companies", request_body = CompanySearch,
    responses((status = 200, description = "A page of companies", body = CompanyPage)),
    security(("bearer" = ["companies:read"]))
)]
#[post("/companies/search")]
pub(crate) async fn search_companies(
    auth: Auth<CompaniesRead>,
    body: Json<CompanySearch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (search, fields) = (body.0.clone(), body.0.fields);

    let page = db.read(&auth.scope(), move |reader| companies::search(reader, &search)).await?;

    render::page(&auth, page, &fields)
}

/// Create company
///
/// Several companies may have the same name or domain: ask with `q` or `domain` first when in doubt.
#[utoipa::path(
    tag = "Companies", operation_id = "create_company", request_body = NewCompany,
    responses(
        (status = 201, description = "The company, as it was created", body = Company,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["companies:create"]))
)]
#[post("/companies")]
pub(crate) async fn create_company(
    auth: Auth<CompaniesCreate>,
    body: Json<NewCompany>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let company = companies::create(writer, new)?;
        answer::created(writer, &company, format!("/v1/companies/{}", company.id))
    })
    .await
}

/// What to show of a company.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetCompanyQuery {
    /// `include` shows a company that was deleted, too.
    #[param(inline = false)]
    deleted: DeletedInRead,
    /// Only these fields, and what identifies the record. Repeat for several.
    #[param(max_items = 50)]
    fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    expand: Vec<CompanyRelation>,
}

/// Get company
#[utoipa::path(
    tag = "Companies", operation_id = "get_company",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the company has not changed.",
    params(("company_id" = Uuid, Path, description = "Id of the company"), GetCompanyQuery, IfNoneMatchHeader),
    responses(
        (status = 200, description = "The company", body = Company,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The company has not changed")
    ),
    security(("bearer" = ["companies:read"]))
)]
#[get("/companies/{company_id}")]
pub(crate) async fn get_company(
    auth: Auth<CompaniesRead>,
    id: web::Path<Uuid>,
    query: Query<GetCompanyQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetCompanyQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (CompanyId::from_uuid(id.into_inner()), !expand.is_empty());

    let company =
        db.read(&auth.scope(), move |reader| companies::get(reader, id, Deleted::from(deleted), &expand)).await?;

    render::read(&auth, &company, &fields, embeds, &known)
}

/// Get company by external id
#[utoipa::path(
    tag = "Companies", operation_id = "get_company_by_external_id",
    description = "The company that an outside system knows under an id, as `get_company` shows it.",
    params(
        ExternalIdPath,
        GetCompanyQuery,
        IfNoneMatchHeader
    ),
    responses(
        (status = 200, description = "The company", body = Company,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The company has not changed")
    ),
    security(("bearer" = ["companies:read"]))
)]
#[get("/companies/by-external-id/{connection}/{external_id}")]
pub(crate) async fn get_company_by_external_id(
    auth: Auth<CompaniesRead>,
    id: web::Path<ExternalIdPath>,
    query: Query<GetCompanyQuery>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let GetCompanyQuery { deleted, fields, expand } = query.0;
    let (id, embeds) = (ExternalId::from(id.into_inner()), !expand.is_empty());

    let company = db
        .read(&auth.scope(), move |reader| companies::get_by_external_id(reader, &id, Deleted::from(deleted), &expand))
        .await?;

    render::read(&auth, &company, &fields, embeds, &known)
}

/// Update company
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A patch that changes nothing
/// leaves the version as it is. Send the ETag you know as `If-Match`, so that nobody's change is overwritten unseen.
#[utoipa::path(
    tag = "Companies", operation_id = "update_company",
    params(("company_id" = Uuid, Path, description = "Id of the company"), IfMatchHeader),
    request_body = CompanyPatch,
    responses(
        (status = 200, description = "The company as it is now", body = Company,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["companies:write"]))
)]
#[patch("/companies/{company_id}")]
pub(crate) async fn update_company(
    auth: Auth<CompaniesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<CompanyPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (CompanyId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let company = companies::update(writer, id, expected, &patch)?;
        answer::record(writer, &company)
    })
    .await
}

/// Delete company
///
/// The company can be brought back with `POST /v1/companies/{company_id}/restore`; until then it is 404.
#[utoipa::path(
    tag = "Companies", operation_id = "delete_company",
    params(("company_id" = Uuid, Path, description = "Id of the company"), IfMatchHeader),
    responses(
        (status = 204, description = "The company is deleted"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["companies:delete"]))
)]
#[delete("/companies/{company_id}")]
pub(crate) async fn delete_company(
    auth: Auth<CompaniesDelete>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (CompanyId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        companies::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Restore company
///
/// Brings a deleted company back. One that lives stays as it is. The answer is 409 when another one has a value by now that is
/// unique.
#[utoipa::path(
    tag = "Companies", operation_id = "restore_company",
    params(("company_id" = Uuid, Path, description = "Id of the company"), IfMatchHeader),
    responses(
        (status = 200, description = "The company as it is now", body = Company,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["companies:write"]))
)]
#[post("/companies/{company_id}/restore")]
pub(crate) async fn restore_company(
    auth: Auth<CompaniesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (CompanyId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let company = companies::restore(writer, id, expected)?;
        answer::record(writer, &company)
    })
    .await
}

/// What came of an upsert.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the struct only describes the body; answer::upserted writes it")]
pub(crate) struct CompanyUpserted {
    /// What became of the company: `created`, `updated` or `unchanged`.
    pub result: WriteResult,
    /// Whether it came with an older `source_version` than one before it, so that nothing was written.
    pub is_late: bool,
    /// The company as it is now.
    pub record: Company,
}

/// Upsert company
///
/// Creates or changes the company that an outside system knows under an id: a JSON Merge Patch (RFC 7396) where it is
/// there, a new company where not, which needs `companies:create`, too. However many send the same id at once, there is
/// one company. What changes nothing leaves no trace.
/// With `record_id`, the company that is there already gets the id.
#[utoipa::path(
    tag = "Companies", operation_id = "upsert_company",
    params(
        ExternalIdPath,
        UpsertQuery,
        IfMatchHeader
    ),
    request_body = CompanyPatch,
    responses(
        (status = 200, description = "What became of the company, which was there", body = CompanyUpserted,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 201, description = "The company, which is new", body = CompanyUpserted,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["companies:write"]))
)]
#[put("/companies/by-external-id/{connection}/{external_id}")]
pub(crate) async fn upsert_company(
    auth: Auth<CompaniesWrite>,
    id: web::Path<ExternalIdPath>,
    query: Query<UpsertQuery>,
    expected: ExpectedVersion,
    body: Json<CompanyPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let upsert = query.0.into_upsert(id.into_inner(), &expected, body.0);

    auth.write(&db, move |writer| {
        let outcome = companies::upsert(writer, upsert)?;
        let address = format!("/v1/companies/{}", outcome.record.id);
        answer::upserted(writer, &outcome, address)
    })
    .await
}

/// Batch of companies
///
/// Up to 1,000 operations in one call: `create`, `update`, `upsert` and `delete`, in their order. Each is done or refused
/// by itself, and `results` says which and why; with `atomic` all of them are done, or none. What each operation needs is
/// asked of the caller for each.
#[utoipa::path(
    tag = "Companies", operation_id = "batch_companies", request_body = CompanyBatch,
    responses(
        (status = 200, description = "All operations were done (`atomic`)", body = BatchResults),
        (status = 207, description = "What came of each operation", body = BatchResults),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/companies/batch")]
pub(crate) async fn batch_companies(
    auth: Auth<SignedIn>,
    body: CompanyBatch,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    body.apply(&auth, &db, companies::batch).await
}

/// List company history
///
/// Every change of the company, the newest first: what changed, when, and by whom. A deleted company has its history,
/// too.
#[utoipa::path(
    tag = "Companies", operation_id = "list_company_history",
    params(("company_id" = Uuid, Path, description = "Id of the company"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["companies:read"]))
)]
#[get("/companies/{company_id}/history")]
pub(crate) async fn list_company_history(
    auth: Auth<CompaniesRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (CompanyId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| companies::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
