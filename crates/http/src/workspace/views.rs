//! Views: filters, orders and columns that are saved under a name.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::ViewId,
    workspace::view::{NewView, View, ViewPatch, ViewQuery},
};
use rapport_persistence::{Db, workspace::views};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, SignedIn},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of views, under a name of its own in the document.
pub(crate) type ViewPage = ListPage<View>;

/// List views
///
/// By name: one's own, and those for everyone, of records that the caller may see.
#[utoipa::path(
    tag = "Views", operation_id = "list_views", params(ViewQuery),
    responses((status = 200, description = "A page of views", body = ViewPage)),
    security(("bearer" = []))
)]
#[get("/views")]
pub(crate) async fn list_views(
    auth: Auth<SignedIn>,
    query: Query<ViewQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| views::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create view
///
/// Saves a filter, an order and columns under a name. It belongs to the user who calls. The filter is judged as in a search.
/// A program that acts for no user has no views of its own: with `views:write` it makes views for everyone. One that acts for a user
/// makes that user's views where it may create or write such records, or has `views:write`.
#[utoipa::path(
    tag = "Views", operation_id = "create_view", request_body = NewView,
    responses(
        (status = 201, description = "The view, as it was created", body = View,
            headers(("ETag" = String, description = "Version of the view"), ("Location" = String, description = "Address of the view"))),
        (status = 403, response = crate::openapi::responses::Forbidden),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/views")]
pub(crate) async fn create_view(
    auth: Auth<SignedIn>,
    body: Json<NewView>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let view = views::create(writer, new)?;
        answer::created(writer, &view, format!("/v1/views/{}", view.id))
    })
    .await
}

/// Get view
#[utoipa::path(
    tag = "Views", operation_id = "get_view",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the view has not changed.",
    params(("view_id" = Uuid, Path, description = "Id of the view"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The view", body = View,
            headers(("ETag" = String, description = "Version of the view"))),
        (status = 304, description = "The view has not changed")
    ),
    security(("bearer" = []))
)]
#[get("/views/{view_id}")]
pub(crate) async fn get_view(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = ViewId::from_uuid(id.into_inner());

    let view = db.read(&auth.scope(), move |reader| views::get(reader, id)).await?;

    render::read(&auth, &view, &[], false, &known)
}

/// Update view
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. Views of others are changed with `views:write`.
#[utoipa::path(
    tag = "Views", operation_id = "update_view",
    params(("view_id" = Uuid, Path, description = "Id of the view"), IfMatchHeader),
    request_body = ViewPatch,
    responses(
        (status = 200, description = "The view as it is now", body = View,
            headers(("ETag" = String, description = "Version of the view"))),
        (status = 403, response = crate::openapi::responses::Forbidden),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = []))
)]
#[patch("/views/{view_id}")]
pub(crate) async fn update_view(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ViewPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (ViewId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let view = views::update(writer, id, expected, &patch)?;
        answer::record(writer, &view)
    })
    .await
}

/// Delete view
///
/// For good. Views of others are deleted with `views:write`.
#[utoipa::path(
    tag = "Views", operation_id = "delete_view",
    params(("view_id" = Uuid, Path, description = "Id of the view"), IfMatchHeader),
    responses(
        (status = 204, description = "The view is gone"),
        (status = 403, response = crate::openapi::responses::Forbidden),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = []))
)]
#[delete("/views/{view_id}")]
pub(crate) async fn delete_view(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ViewId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        views::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List view history
///
/// Every change of the view, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Views", operation_id = "list_view_history",
    params(("view_id" = Uuid, Path, description = "Id of the view"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = []))
)]
#[get("/views/{view_id}/history")]
pub(crate) async fn list_view_history(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ViewId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| views::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
