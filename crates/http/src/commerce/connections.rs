//! Connections: the outside systems whose ids records have.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    commerce::connection::{Connection, ConnectionPatch, ConnectionQuery, NewConnection},
    id::ConnectionId,
};
use rapport_persistence::{Db, commerce::connections};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, ConnectionsRead, ConnectionsWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of connections, under a name of its own in the document.
pub(crate) type ConnectionPage = ListPage<Connection>;

/// List connections
///
/// By key. The connection `import` of imported files is always there and not listed.
#[utoipa::path(
    tag = "Connections", operation_id = "list_connections", params(ConnectionQuery),
    responses((status = 200, description = "A page of connections", body = ConnectionPage)),
    security(("bearer" = ["connections:read"]))
)]
#[get("/connections")]
pub(crate) async fn list_connections(
    auth: Auth<ConnectionsRead>,
    query: Query<ConnectionQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| connections::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create connection
///
/// Names an outside system, so that records can have ids of it and be written by them, as with
/// `PUT /v1/contacts/by-external-id/{connection}/{external_id}`.
#[utoipa::path(
    tag = "Connections", operation_id = "create_connection", request_body = NewConnection,
    responses(
        (status = 201, description = "The connection, as it was created", body = Connection,
            headers(("ETag" = String, description = "Version of the connection"), ("Location" = String, description = "Address of the connection"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["connections:write"]))
)]
#[post("/connections")]
pub(crate) async fn create_connection(
    auth: Auth<ConnectionsWrite>,
    body: Json<NewConnection>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let connection = connections::create(writer, new)?;
        answer::created(writer, &connection, format!("/v1/connections/{}", connection.id))
    })
    .await
}

/// Get connection
#[utoipa::path(
    tag = "Connections", operation_id = "get_connection",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the connection has not changed.",
    params(("connection_id" = Uuid, Path, description = "Id of the connection"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The connection", body = Connection,
            headers(("ETag" = String, description = "Version of the connection"))),
        (status = 304, description = "The connection has not changed")
    ),
    security(("bearer" = ["connections:read"]))
)]
#[get("/connections/{connection_id}")]
pub(crate) async fn get_connection(
    auth: Auth<ConnectionsRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = ConnectionId::from_uuid(id.into_inner());

    let connection = db.read(&auth.scope(), move |reader| connections::get(reader, id)).await?;

    render::read(&auth, &connection, &[], false, &known)
}

/// Update connection
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. Paused, it refuses what comes by it.
#[utoipa::path(
    tag = "Connections", operation_id = "update_connection",
    params(("connection_id" = Uuid, Path, description = "Id of the connection"), IfMatchHeader),
    request_body = ConnectionPatch,
    responses(
        (status = 200, description = "The connection as it is now", body = Connection,
            headers(("ETag" = String, description = "Version of the connection"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["connections:write"]))
)]
#[patch("/connections/{connection_id}")]
pub(crate) async fn update_connection(
    auth: Auth<ConnectionsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ConnectionPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (ConnectionId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let connection = connections::update(writer, id, expected, &patch)?;
        answer::record(writer, &connection)
    })
    .await
}

/// Delete connection
///
/// For good. A connection of which records have ids stays: the answer is 409. Pause it instead.
#[utoipa::path(
    tag = "Connections", operation_id = "delete_connection",
    params(("connection_id" = Uuid, Path, description = "Id of the connection"), IfMatchHeader),
    responses(
        (status = 204, description = "The connection is gone"),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["connections:write"]))
)]
#[delete("/connections/{connection_id}")]
pub(crate) async fn delete_connection(
    auth: Auth<ConnectionsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ConnectionId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        connections::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// List connection history
///
/// Every change of the connection, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Connections", operation_id = "list_connection_history",
    params(("connection_id" = Uuid, Path, description = "Id of the connection"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["connections:read"]))
)]
#[get("/connections/{connection_id}/history")]
pub(crate) async fn list_connection_history(
    auth: Auth<ConnectionsRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ConnectionId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| connections::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
