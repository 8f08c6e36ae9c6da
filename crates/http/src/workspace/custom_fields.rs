//! Custom fields.

use actix_web::{HttpResponse, get, patch, post, web};
use rapport_domain::{
    id::CustomFieldId,
    workspace::custom_field::{CustomField, CustomFieldPatch, CustomFieldQuery, NewCustomField},
};
use rapport_persistence::{Db, workspace::custom_fields};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, CustomFieldsRead, CustomFieldsWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of custom fields, under a name of its own in the document.
pub(crate) type CustomFieldPage = ListPage<CustomField>;

/// List custom fields
///
/// By position. `GET /v1/schema/{thing}` shows those of a resource beside the fields that it has anyway.
#[utoipa::path(
    tag = "Custom fields", operation_id = "list_custom_fields", params(CustomFieldQuery),
    responses((status = 200, description = "A page of custom fields", body = CustomFieldPage)),
    security(("bearer" = ["custom_fields:read"]))
)]
#[get("/custom_fields")]
pub(crate) async fn list_custom_fields(
    auth: Auth<CustomFieldsRead>,
    query: Query<CustomFieldQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| custom_fields::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create custom field
///
/// From then on, records of the resource take a value under its key in `custom`. A resource has at most 200 fields that
/// are not archived.
#[utoipa::path(
    tag = "Custom fields", operation_id = "create_custom_field", request_body = NewCustomField,
    responses(
        (status = 201, description = "The custom field, as it was created", body = CustomField,
            headers(("ETag" = String, description = "Version of the custom field"), ("Location" = String, description = "Address of the custom field"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["custom_fields:write"]))
)]
#[post("/custom_fields")]
pub(crate) async fn create_custom_field(
    auth: Auth<CustomFieldsWrite>,
    body: Json<NewCustomField>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let field = custom_fields::create(writer, &new)?;
        answer::created(writer, &field, format!("/v1/custom_fields/{}", field.id))
    })
    .await
}

/// Get custom field
#[utoipa::path(
    tag = "Custom fields", operation_id = "get_custom_field",
    description = "Also one that is archived. With `If-None-Match`, the answer is 304 without a body as long as the custom field has not changed.",
    params(("custom_field_id" = Uuid, Path, description = "Id of the custom field"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The custom field", body = CustomField,
            headers(("ETag" = String, description = "Version of the custom field"))),
        (status = 304, description = "The custom field has not changed")
    ),
    security(("bearer" = ["custom_fields:read"]))
)]
#[get("/custom_fields/{custom_field_id}")]
pub(crate) async fn get_custom_field(
    auth: Auth<CustomFieldsRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = CustomFieldId::from_uuid(id.into_inner());

    let field = db.read(&auth.scope(), move |reader| custom_fields::get(reader, id)).await?;

    render::read(&auth, &field, &[], false, &known)
}

/// Update custom field
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. Rules apply to what is written from
/// then on; values that are there already stay. The answer is 409 for `unique` while records have the same value, and for
/// an option that a record has and that is left out.
#[utoipa::path(
    tag = "Custom fields", operation_id = "update_custom_field",
    params(("custom_field_id" = Uuid, Path, description = "Id of the custom field"), IfMatchHeader),
    request_body = CustomFieldPatch,
    responses(
        (status = 200, description = "The custom field as it is now", body = CustomField,
            headers(("ETag" = String, description = "Version of the custom field"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["custom_fields:write"]))
)]
#[patch("/custom_fields/{custom_field_id}")]
pub(crate) async fn update_custom_field(
    auth: Auth<CustomFieldsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<CustomFieldPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (CustomFieldId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let field = custom_fields::update(writer, id, expected, &patch)?;
        answer::record(writer, &field)
    })
    .await
}

/// Archive custom field
///
/// Takes the field out of use: its values are neither shown nor written any more, stay in histories, and come back when it
/// is restored. Its key stays taken. One that is archived stays as it is.
#[utoipa::path(
    tag = "Custom fields", operation_id = "archive_custom_field",
    params(("custom_field_id" = Uuid, Path, description = "Id of the custom field"), IfMatchHeader),
    responses(
        (status = 200, description = "The custom field as it is now", body = CustomField,
            headers(("ETag" = String, description = "Version of the custom field"))),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["custom_fields:write"]))
)]
#[post("/custom_fields/{custom_field_id}/archive")]
pub(crate) async fn archive_custom_field(
    auth: Auth<CustomFieldsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (CustomFieldId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let field = custom_fields::archive(writer, id, expected)?;
        answer::record(writer, &field)
    })
    .await
}

/// Restore custom field
///
/// Brings an archived field back, with the values that records had in it. The answer is 409 where it is unique and records
/// have the same value, or where there are 200 other fields. One that is in use stays as it is.
#[utoipa::path(
    tag = "Custom fields", operation_id = "restore_custom_field",
    params(("custom_field_id" = Uuid, Path, description = "Id of the custom field"), IfMatchHeader),
    responses(
        (status = 200, description = "The custom field as it is now", body = CustomField,
            headers(("ETag" = String, description = "Version of the custom field"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["custom_fields:write"]))
)]
#[post("/custom_fields/{custom_field_id}/restore")]
pub(crate) async fn restore_custom_field(
    auth: Auth<CustomFieldsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (CustomFieldId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let field = custom_fields::restore(writer, id, expected)?;
        answer::record(writer, &field)
    })
    .await
}

/// List custom field history
///
/// Every change of the custom field, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Custom fields", operation_id = "list_custom_field_history",
    params(("custom_field_id" = Uuid, Path, description = "Id of the custom field"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["custom_fields:read"]))
)]
#[get("/custom_fields/{custom_field_id}/history")]
pub(crate) async fn list_custom_field_history(
    auth: Auth<CustomFieldsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (CustomFieldId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| custom_fields::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
