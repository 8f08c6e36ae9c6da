//! Shares: single records that somebody else may see or change, too.

use actix_web::{HttpResponse, delete, get, post, web};
use rapport_domain::{
    id::ShareId,
    workspace::share::{NewShare, Share, ShareQuery},
};
use rapport_persistence::{Db, workspace::shares};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, SignedIn},
    body::Json,
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
};

/// A page of shares, under a name of its own in the document.
pub(crate) type SharePage = ListPage<Share>;

/// List shares
///
/// With whom a record is shared, the newest first. It needs the permission to see the record; one that you can't see is
/// 404.
#[utoipa::path(
    tag = "Shares", operation_id = "list_shares", params(ShareQuery),
    responses(
        (status = 200, description = "A page of shares", body = SharePage),
        (status = 404, response = crate::openapi::responses::NotFound)
    ),
    security(("bearer" = []))
)]
#[get("/shares")]
pub(crate) async fn list_shares(
    auth: Auth<SignedIn>,
    query: Query<ShareQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| shares::list(reader, &query)).await?;

    Ok(render::list(page))
}

/// Share record
///
/// Lets a user or a team see a record, or change it, too. It needs the permission to change the record by one's role:
/// nobody passes on what was shared with them. What they may do
/// with it is bounded by their roles: who may not see contacts at all does not see a shared one.
#[utoipa::path(
    tag = "Shares", operation_id = "create_share", request_body = NewShare,
    responses(
        (status = 201, description = "The share", body = Share,
            headers(("Location" = String, description = "Address of the share"))),
        (status = 403, response = crate::openapi::responses::Forbidden),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = []))
)]
#[post("/shares")]
pub(crate) async fn create_share(
    auth: Auth<SignedIn>,
    body: Json<NewShare>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let share = shares::create(writer, new)?;
        answer::created(writer, &share, format!("/v1/shares/{}", share.id))
    })
    .await
}

/// Get share
///
/// It needs the permission to see the record.
#[utoipa::path(
    tag = "Shares", operation_id = "get_share",
    params(("share_id" = Uuid, Path, description = "Id of the share")),
    responses((status = 200, description = "The share", body = Share)),
    security(("bearer" = []))
)]
#[get("/shares/{share_id}")]
pub(crate) async fn get_share(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<Share>> {
    let id = ShareId::from_uuid(id.into_inner());

    let share = db.read(&auth.scope(), move |reader| shares::get(reader, id)).await?;

    Ok(web::Json(share))
}

/// End share
///
/// It needs the permission to change the record.
#[utoipa::path(
    tag = "Shares", operation_id = "delete_share",
    params(("share_id" = Uuid, Path, description = "Id of the share")),
    responses(
        (status = 204, description = "The share has ended"),
        (status = 403, response = crate::openapi::responses::Forbidden)
    ),
    security(("bearer" = []))
)]
#[delete("/shares/{share_id}")]
pub(crate) async fn delete_share(
    auth: Auth<SignedIn>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = ShareId::from_uuid(id.into_inner());

    auth.write(&db, move |writer| {
        shares::delete(writer, id)?;
        Ok(answer::nothing())
    })
    .await
}
