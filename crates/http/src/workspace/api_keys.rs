//! API keys.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use rapport_domain::{
    id::ApiKeyId,
    workspace::api_key::{ApiKey, ApiKeyPatch, ApiKeyQuery, ApiKeyRotation, IssuedApiKey, NewApiKey},
};
use rapport_persistence::{Db, Writer, workspace::api_keys};
use uuid::Uuid;

use crate::{
    answer,
    auth::{ApiKeysRead, ApiKeysWrite, Auth, api_key},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::{ApiError, ApiResult},
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of API keys, under a name of its own in the document.
pub(crate) type ApiKeyPage = ListPage<ApiKey>;

/// List API keys
///
/// The newest first, without those that were revoked unless `revoked` says otherwise. The keys themselves are shown to
/// nobody.
#[utoipa::path(
    tag = "API keys", operation_id = "list_api_keys", params(ApiKeyQuery),
    responses((status = 200, description = "A page of API keys", body = ApiKeyPage)),
    security(("bearer" = ["api_keys:read"]))
)]
#[get("/api_keys")]
pub(crate) async fn list_api_keys(
    auth: Auth<ApiKeysRead>,
    query: Query<ApiKeyQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| api_keys::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create API key
///
/// The answer holds the key, which is never shown again. A key may do no more than whoever makes it. With `user_id` it
/// acts with that user's rights, as far as its scopes go, and stops when the user is deactivated.
#[utoipa::path(
    tag = "API keys", operation_id = "create_api_key", request_body = NewApiKey,
    responses(
        (status = 201, description = "The key, the only time that it is shown", body = IssuedApiKey,
            headers(("ETag" = String, description = "Version of the record"), ("Location" = String, description = "Address of the record")))
    ),
    security(("bearer" = ["api_keys:write"]))
)]
#[post("/api_keys")]
pub(crate) async fn create_api_key(
    auth: Auth<ApiKeysWrite>,
    body: Json<NewApiKey>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;
    let api_key::Minted { id, key, secret_hash } = api_key::mint().map_err(|error| ApiError::internal(&error))?;

    auth.write(&db, move |writer| {
        let api_key = api_keys::create(writer, new, id, secret_hash)?;
        let address = format!("/v1/api_keys/{}", api_key.id);
        answer::created(writer, &IssuedApiKey { api_key, key: shown_key(writer, key) }, address)
    })
    .await
}

/// Get API key
#[utoipa::path(
    tag = "API keys", operation_id = "get_api_key",
    description = "Also one that was revoked. With `If-None-Match`, the answer is 304 without a body as long as the key has not changed; being used is no change.",
    params(("api_key_id" = Uuid, Path, description = "Id of the API key"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The API key", body = ApiKey,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 304, description = "The API key has not changed")
    ),
    security(("bearer" = ["api_keys:read"]))
)]
#[get("/api_keys/{api_key_id}")]
pub(crate) async fn get_api_key(
    auth: Auth<ApiKeysRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = ApiKeyId::from_uuid(id.into_inner());

    let key = db.read(&auth.scope(), move |reader| api_keys::get(reader, id)).await?;

    render::read(&auth, &key, &[], false, &known)
}

/// Update API key
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. It counts at once. Nobody can give
/// a key more, or change one that may do more, than they may do themselves.
#[utoipa::path(
    tag = "API keys", operation_id = "update_api_key",
    params(("api_key_id" = Uuid, Path, description = "Id of the API key"), IfMatchHeader),
    request_body = ApiKeyPatch,
    responses(
        (status = 200, description = "The API key as it is now", body = ApiKey,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["api_keys:write"]))
)]
#[patch("/api_keys/{api_key_id}")]
pub(crate) async fn update_api_key(
    auth: Auth<ApiKeysWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<ApiKeyPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (ApiKeyId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let key = api_keys::update(writer, id, expected, &patch)?;
        answer::record(writer, &key)
    })
    .await
}

/// Revoke API key
///
/// Ends the key for good: at once on this server, within five seconds on others. It stays to be seen with
/// `revoked=include`. A key that was revoked before stays as it is.
#[utoipa::path(
    tag = "API keys", operation_id = "delete_api_key",
    params(("api_key_id" = Uuid, Path, description = "Id of the API key"), IfMatchHeader),
    responses(
        (status = 204, description = "The API key is revoked"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["api_keys:write"]))
)]
#[delete("/api_keys/{api_key_id}")]
pub(crate) async fn delete_api_key(
    auth: Auth<ApiKeysWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (ApiKeyId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        api_keys::revoke(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Rotate API key
///
/// Gives the key a new secret, which is shown this once. The secret until now works beside it for `overlap_hours`, and
/// an older one ends at once: no more than two are valid at a time.
#[utoipa::path(
    tag = "API keys", operation_id = "rotate_api_key",
    params(("api_key_id" = Uuid, Path, description = "Id of the API key")),
    request_body = ApiKeyRotation,
    responses(
        (status = 200, description = "The key with its new secret, the only time that it is shown", body = IssuedApiKey,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["api_keys:write"]))
)]
#[post("/api_keys/{api_key_id}/rotate")]
pub(crate) async fn rotate_api_key(
    auth: Auth<ApiKeysWrite>,
    id: web::Path<Uuid>,
    body: Json<ApiKeyRotation>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, rotation) = (ApiKeyId::from_uuid(id.into_inner()), body.0);
    let api_key::Minted { key, secret_hash, .. } = api_key::mint_for(id).map_err(|error| ApiError::internal(&error))?;

    auth.write(&db, move |writer| {
        let api_key = api_keys::rotate(writer, id, rotation, &secret_hash)?;
        answer::record(writer, &IssuedApiKey { api_key, key: shown_key(writer, key) })
    })
    .await
}

/// The key as it is shown: one that is only rehearsed will never be valid, so nobody is to take it for one.
fn shown_key(writer: &Writer<'_>, key: String) -> String {
    if writer.is_rehearsal() { "not issued: this was a dry run".to_owned() } else { key }
}

/// List API key history
///
/// Every change of the key, the newest first: what changed, when, and by whom; and its first use from each address.
#[utoipa::path(
    tag = "API keys", operation_id = "list_api_key_history",
    params(("api_key_id" = Uuid, Path, description = "Id of the API key"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["api_keys:read"]))
)]
#[get("/api_keys/{api_key_id}/history")]
pub(crate) async fn list_api_key_history(
    auth: Auth<ApiKeysRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (ApiKeyId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| api_keys::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}
