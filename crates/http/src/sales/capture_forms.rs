//! Capture forms: what web pages send, and what leads are made of it.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::{CaptureFormId, LeadId},
    sales::capture_form::{
        CaptureForm, CaptureFormPatch, CaptureFormQuery, NewCaptureForm,
        submission::{FormSubmission, SubmissionQuery},
    },
};
use rapport_persistence::{
    Db,
    sales::capture_forms::{self, submissions},
};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, LeadsRead, SalesSettingsWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of capture forms, under a name of its own in the document.
pub(crate) type CaptureFormPage = ListPage<CaptureForm>;

/// A page of submissions, under a name of its own in the document.
pub(crate) type FormSubmissionPage = ListPage<FormSubmission>;

/// List capture forms
///
/// By name, also those that are not active.
#[utoipa::path(
    tag = "Capture forms", operation_id = "list_capture_forms", params(CaptureFormQuery),
    responses((status = 200, description = "A page of capture forms", body = CaptureFormPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/capture_forms")]
pub(crate) async fn list_capture_forms(
    auth: Auth<LeadsRead>,
    query: Query<CaptureFormQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| capture_forms::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create capture form
///
/// The server makes its `key`. A web page sends to `POST /v1/capture/{form_key}` what people fill in, and it becomes leads. Which
/// origins may do so stands in `allowed_origins`.
#[utoipa::path(
    tag = "Capture forms", operation_id = "create_capture_form", request_body = NewCaptureForm,
    responses(
        (status = 201, description = "The form, as it was created", body = CaptureForm,
            headers(("ETag" = String, description = "Version of the form"), ("Location" = String, description = "Address of the form"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/capture_forms")]
pub(crate) async fn create_capture_form(
    auth: Auth<SalesSettingsWrite>,
    body: Json<NewCaptureForm>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let form = capture_forms::create(writer, new)?;
        answer::created(writer, &form, format!("/v1/capture_forms/{}", form.id))
    })
    .await
}

/// Get capture form
#[utoipa::path(
    tag = "Capture forms", operation_id = "get_capture_form",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the form has not changed.",
    params(("capture_form_id" = Uuid, Path, description = "Id of the form"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The form", body = CaptureForm,
            headers(("ETag" = String, description = "Version of the form"))),
        (status = 304, description = "The form has not changed")
    ),
    security(("bearer" = ["leads:read"]))
)]
#[get("/capture_forms/{capture_form_id}")]
pub(crate) async fn get_capture_form(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = CaptureFormId::from_uuid(id.into_inner());

    let form = db.read(&auth.scope(), move |reader| capture_forms::get(reader, id)).await?;

    render::read(&auth, &form, &[], false, &known)
}

/// Update capture form
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists, `defaults` and `consent` are replaced. What was sent
/// before is kept as it was, with the version of then. A form that is not active is 404 for web pages.
#[utoipa::path(
    tag = "Capture forms", operation_id = "update_capture_form",
    params(("capture_form_id" = Uuid, Path, description = "Id of the form"), IfMatchHeader),
    request_body = CaptureFormPatch,
    responses(
        (status = 200, description = "The form as it is now", body = CaptureForm,
            headers(("ETag" = String, description = "Version of the form"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[patch("/capture_forms/{capture_form_id}")]
pub(crate) async fn update_capture_form(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<CaptureFormPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (CaptureFormId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let form = capture_forms::update(writer, id, expected, &patch)?;
        answer::record(writer, &form)
    })
    .await
}

/// Delete capture form
///
/// For good, as long as nothing was sent with it. After that it is evidence and stays: 409. Make it inactive instead.
#[utoipa::path(
    tag = "Capture forms", operation_id = "delete_capture_form",
    params(("capture_form_id" = Uuid, Path, description = "Id of the form"), IfMatchHeader),
    responses(
        (status = 204, description = "The form is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[delete("/capture_forms/{capture_form_id}")]
pub(crate) async fn delete_capture_form(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (CaptureFormId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        capture_forms::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List capture form history
///
/// Every change of the form, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Capture forms", operation_id = "list_capture_form_history",
    params(("capture_form_id" = Uuid, Path, description = "Id of the form"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/capture_forms/{capture_form_id}/history")]
pub(crate) async fn list_capture_form_history(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (CaptureFormId::from_uuid(id.into_inner()), query.0);

    let page =
        db.read(&auth.scope(), move |reader| capture_forms::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// Rotate capture form key
///
/// Gives the form another key. Pages that send to the one before are answered 404 from now on.
#[utoipa::path(
    tag = "Capture forms", operation_id = "rotate_capture_form",
    params(("capture_form_id" = Uuid, Path, description = "Id of the form"), IfMatchHeader),
    responses(
        (status = 200, description = "The form as it is now", body = CaptureForm,
            headers(("ETag" = String, description = "Version of the form"))),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["sales_settings:write"]))
)]
#[post("/capture_forms/{capture_form_id}/rotate")]
pub(crate) async fn rotate_capture_form(
    auth: Auth<SalesSettingsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (CaptureFormId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let form = capture_forms::rotate(writer, id, expected)?;
        answer::record(writer, &form)
    })
    .await
}

/// List capture form submissions
///
/// What was sent with the form, the newest first: of the leads that the caller may see. Values of fields that the caller's role
/// closes are left out.
#[utoipa::path(
    tag = "Capture forms", operation_id = "list_capture_form_submissions",
    params(("capture_form_id" = Uuid, Path, description = "Id of the form"), SubmissionQuery),
    responses((status = 200, description = "A page of submissions", body = FormSubmissionPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/capture_forms/{capture_form_id}/submissions")]
pub(crate) async fn list_capture_form_submissions(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<SubmissionQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, query) = (CaptureFormId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| submissions::of_form(reader, id, &query)).await?;

    Ok(render::list(page))
}

/// List lead submissions
///
/// What was sent with capture forms for this lead, the newest first, with the consents that were given. Values of fields that the
/// caller's role closes are left out.
#[utoipa::path(
    tag = "Leads", operation_id = "list_lead_submissions",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), SubmissionQuery),
    responses((status = 200, description = "A page of submissions", body = FormSubmissionPage)),
    security(("bearer" = ["leads:read"]))
)]
#[get("/leads/{lead_id}/submissions")]
pub(crate) async fn list_lead_submissions(
    auth: Auth<LeadsRead>,
    id: web::Path<Uuid>,
    query: Query<SubmissionQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, query) = (LeadId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| submissions::of_lead(reader, id, &query)).await?;

    Ok(render::list(page))
}
