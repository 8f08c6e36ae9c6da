//! Roles.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::RoleId,
    workspace::role::{NewRole, Role, RolePatch, RoleQuery},
};
use rapport_persistence::{Db, workspace::roles};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, RolesRead, RolesWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of roles, under a name of its own in the document.
pub(crate) type RolePage = ListPage<Role>;

/// List roles
///
/// By name. Every workspace begins with `admin`, `manager`, `agent` and `read_only`, and may change them.
#[utoipa::path(
    tag = "Roles", operation_id = "list_roles", params(RoleQuery),
    responses((status = 200, description = "A page of roles", body = RolePage)),
    security(("bearer" = ["roles:read"]))
)]
#[get("/roles")]
pub(crate) async fn list_roles(
    auth: Auth<RolesRead>,
    query: Query<RoleQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| roles::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create role
///
/// Nobody can make a role that allows more than they may do themselves: that is 403.
#[utoipa::path(
    tag = "Roles", operation_id = "create_role", request_body = NewRole,
    responses(
        (status = 201, description = "The role, as it was created", body = Role,
            headers(("ETag" = String, description = "Version of the role"), ("Location" = String, description = "Address of the role"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["roles:write"]))
)]
#[post("/roles")]
pub(crate) async fn create_role(
    auth: Auth<RolesWrite>,
    body: Json<NewRole>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let role = roles::create(writer, new)?;
        answer::created(writer, &role, format!("/v1/roles/{}", role.id))
    })
    .await
}

/// Get role
#[utoipa::path(
    tag = "Roles", operation_id = "get_role",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the role has not changed.",
    params(("role_id" = Uuid, Path, description = "Id of the role"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The role", body = Role,
            headers(("ETag" = String, description = "Version of the role"))),
        (status = 304, description = "The role has not changed")
    ),
    security(("bearer" = ["roles:read"]))
)]
#[get("/roles/{role_id}")]
pub(crate) async fn get_role(
    auth: Auth<RolesRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = RoleId::from_uuid(id.into_inner());

    let role = db.read(&auth.scope(), move |reader| roles::get(reader, id)).await?;

    render::read(&auth, &role, &[], false, &known)
}

/// Update role
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. It holds for all who have the role from the next request on. Nobody can give a role more than they may do themselves, and an active user with a role that may do everything has to be left.
#[utoipa::path(
    tag = "Roles", operation_id = "update_role",
    params(("role_id" = Uuid, Path, description = "Id of the role"), IfMatchHeader),
    request_body = RolePatch,
    responses(
        (status = 200, description = "The role as it is now", body = Role,
            headers(("ETag" = String, description = "Version of the role"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["roles:write"]))
)]
#[patch("/roles/{role_id}")]
pub(crate) async fn update_role(
    auth: Auth<RolesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<RolePatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (RoleId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let role = roles::update(writer, id, expected, &patch)?;
        answer::record(writer, &role)
    })
    .await
}

/// Delete role
///
/// For good. A role that users have stays: the answer is 409.
#[utoipa::path(
    tag = "Roles", operation_id = "delete_role",
    params(("role_id" = Uuid, Path, description = "Id of the role"), IfMatchHeader),
    responses(
        (status = 204, description = "The role is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["roles:write"]))
)]
#[delete("/roles/{role_id}")]
pub(crate) async fn delete_role(
    auth: Auth<RolesWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (RoleId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        roles::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List role history
///
/// Every change of the role, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Roles", operation_id = "list_role_history",
    params(("role_id" = Uuid, Path, description = "Id of the role"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["roles:read"]))
)]
#[get("/roles/{role_id}/history")]
pub(crate) async fn list_role_history(
    auth: Auth<RolesRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (RoleId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| roles::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
