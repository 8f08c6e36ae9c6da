//! Webhooks: addresses of outside systems to which the change feed is sent.

use actix_web::{HttpResponse, delete, get, http::StatusCode, patch, post, web};
use rapport_domain::{
    commerce::webhook::{
        IssuedWebhook, NewWebhook, Webhook, WebhookDelivery, WebhookMessage, WebhookPatch, WebhookQuery, WebhookReplay,
        WebhookStatus,
    },
    id::WebhookId,
};
use rapport_persistence::{Db, Writer, commerce::webhooks};
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, WebhooksRead, WebhooksWrite},
    body::Json,
    conditional::{ExpectedVersion, IfMatchHeader, IfNoneMatchHeader, KnownVersion},
    problem::ApiResult,
    query::Query,
    render::{self, ListPage},
    routes::{HistoryQuery, JournalEntryPage},
};

/// A page of webhooks, under a name of its own in the document.
pub(crate) type WebhookPage = ListPage<Webhook>;

/// A page of attempts, under a name of its own in the document.
pub(crate) type WebhookDeliveryPage = ListPage<WebhookDelivery>;

/// What a secret is in a rehearsal, which signs nothing.
const NO_SECRET: &str = "whsec_";

/// List webhooks
///
/// The newest first. Secrets are not shown.
#[utoipa::path(
    tag = "Webhooks", operation_id = "list_webhooks", params(WebhookQuery),
    responses((status = 200, description = "A page of webhooks", body = WebhookPage)),
    security(("bearer" = ["webhooks:read"]))
)]
#[get("/webhooks")]
pub(crate) async fn list_webhooks(
    auth: Auth<WebhooksRead>,
    query: Query<WebhookQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| webhooks::list(reader, &query)).await?;

    render::page(&auth, page, &[])
}

/// Create webhook
///
/// Has what happens from now on sent to an address: the change feed, a hundred changes a message at most, in order, and each
/// message again until it is answered with 2xx. Messages are described among the webhooks of this document. They are signed
/// as Standard Webhooks has it, with the secret that is shown this once: the header `Webhook-Signature` is `v1,` and the
/// Base64 of the HMAC-SHA256 of `Webhook-Id`, `Webhook-Timestamp` and the body with dots between them, under the key that
/// follows `whsec_` in Base64. A webhook is told of all records of its kinds with all their fields, so nobody can make one
/// who may not read those.
#[utoipa::path(
    tag = "Webhooks", operation_id = "create_webhook", request_body = NewWebhook,
    responses(
        (status = 201, description = "The webhook, with its secret", body = IssuedWebhook,
            headers(("ETag" = String, description = "Version of the webhook"), ("Location" = String, description = "Address of the webhook"))),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security(("bearer" = ["webhooks:write"]))
)]
#[post("/webhooks")]
pub(crate) async fn create_webhook(
    auth: Auth<WebhooksWrite>,
    body: Json<NewWebhook>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let new = body.0;

    auth.write(&db, move |writer| {
        let (webhook, secret) = webhooks::create(writer, new)?;
        let address = format!("/v1/webhooks/{}", webhook.id);
        answer::created(writer, &IssuedWebhook { webhook, secret: shown_secret(writer, secret) }, address)
    })
    .await
}

/// Get webhook
#[utoipa::path(
    tag = "Webhooks", operation_id = "get_webhook",
    description = "With `If-None-Match`, the answer is 304 without a body as long as the webhook has not changed; that something was sent is no change. Its secret is not shown again.",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook"), IfNoneMatchHeader),
    responses(
        (status = 200, description = "The webhook", body = Webhook,
            headers(("ETag" = String, description = "Version of the webhook"))),
        (status = 304, description = "The webhook has not changed")
    ),
    security(("bearer" = ["webhooks:read"]))
)]
#[get("/webhooks/{webhook_id}")]
pub(crate) async fn get_webhook(
    auth: Auth<WebhooksRead>,
    id: web::Path<Uuid>,
    known: KnownVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = WebhookId::from_uuid(id.into_inner());

    let webhook = db.read(&auth.scope(), move |reader| webhooks::get(reader, id)).await?;

    render::read(&auth, &webhook, &[], false, &known)
}

/// Update webhook
///
/// A JSON Merge Patch (RFC 7396): absent fields stay, null clears, lists are replaced. A message that could not be sent is
/// tried at once; with other filters it is another message. What happens while a webhook is switched off is sent when it is switched on again, as
/// long as the change feed keeps it.
#[utoipa::path(
    tag = "Webhooks", operation_id = "update_webhook",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook"), IfMatchHeader),
    request_body = WebhookPatch,
    responses(
        (status = 200, description = "The webhook as it is now", body = Webhook,
            headers(("ETag" = String, description = "Version of the webhook"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["webhooks:write"]))
)]
#[patch("/webhooks/{webhook_id}")]
pub(crate) async fn update_webhook(
    auth: Auth<WebhooksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Json<WebhookPatch>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, patch) = (WebhookId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let webhook = webhooks::update(writer, id, expected, &patch)?;
        answer::record(writer, &webhook)
    })
    .await
}

/// Delete webhook
///
/// For good, and with it what is known of the messages that were sent to it.
#[utoipa::path(
    tag = "Webhooks", operation_id = "delete_webhook",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook"), IfMatchHeader),
    responses(
        (status = 204, description = "The webhook is gone"),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["webhooks:write"]))
)]
#[delete("/webhooks/{webhook_id}")]
pub(crate) async fn delete_webhook(
    auth: Auth<WebhooksWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (WebhookId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        webhooks::delete(writer, id, expected)?;
        Ok(answer::nothing())
    })
    .await
}

/// Rotate webhook secret
///
/// Gives the webhook a new secret, which is shown this once. For 24 hours messages have two signatures, with a space between
/// them: one with the new secret and one with the secret until now.
#[utoipa::path(
    tag = "Webhooks", operation_id = "rotate_webhook",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook")),
    responses((status = 200, description = "The webhook with its new secret, the only time that it is shown", body = IssuedWebhook,
        headers(("ETag" = String, description = "Version of the webhook")))),
    security(("bearer" = ["webhooks:write"]))
)]
#[post("/webhooks/{webhook_id}/rotate")]
pub(crate) async fn rotate_webhook(
    auth: Auth<WebhooksWrite>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = WebhookId::from_uuid(id.into_inner());

    auth.write(&db, move |writer| {
        let (webhook, secret) = webhooks::rotate(writer, id)?;
        answer::record(writer, &IssuedWebhook { webhook, secret: shown_secret(writer, secret) })
    })
    .await
}

/// Test webhook
///
/// Has a message of the type `test` sent, without changes, also where the webhook is switched off. It is sent once; what came
/// of it is listed among the deliveries.
#[utoipa::path(
    tag = "Webhooks", operation_id = "test_webhook",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook")),
    responses((status = 202, description = "The message is about to be sent", body = WebhookStatus)),
    security(("bearer" = ["webhooks:write"]))
)]
#[post("/webhooks/{webhook_id}/test")]
pub(crate) async fn test_webhook(
    auth: Auth<WebhooksWrite>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let id = WebhookId::from_uuid(id.into_inner());

    auth.write(&db, move |writer| answer::with_status(StatusCode::ACCEPTED, &webhooks::test(writer, id)?)).await
}

/// Replay webhook
///
/// Sends changes again from an earlier place of the change feed on, or goes on from a later one and leaves out what is
/// between. Changes that were sent before come in messages with other ids then. A cursor of other filters, or of filters in another
/// order, is refused.
#[utoipa::path(
    tag = "Webhooks", operation_id = "replay_webhook",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook")), request_body = WebhookReplay,
    responses(
        (status = 200, description = "How far the webhook has come now", body = WebhookStatus),
        (status = 410, response = crate::openapi::responses::Gone)
    ),
    security(("bearer" = ["webhooks:write"]))
)]
#[post("/webhooks/{webhook_id}/replay")]
pub(crate) async fn replay_webhook(
    auth: Auth<WebhooksWrite>,
    id: web::Path<Uuid>,
    body: Json<WebhookReplay>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, replay) = (WebhookId::from_uuid(id.into_inner()), body.0);

    auth.write(&db, move |writer| answer::json(&webhooks::replay(writer, id, &replay)?)).await
}

/// Get webhook status
///
/// How far the webhook has come, and whether attempts fail.
#[utoipa::path(
    tag = "Webhooks", operation_id = "get_webhook_status",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook")),
    responses((status = 200, description = "How far the webhook has come", body = WebhookStatus)),
    security(("bearer" = ["webhooks:read"]))
)]
#[get("/webhooks/{webhook_id}/status")]
pub(crate) async fn get_webhook_status(
    auth: Auth<WebhooksRead>,
    id: web::Path<Uuid>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<WebhookStatus>> {
    let id = WebhookId::from_uuid(id.into_inner());

    let status = db.read(&auth.scope(), move |reader| webhooks::status(reader, id)).await?;

    Ok(web::Json(status))
}

/// List webhook deliveries
///
/// The attempts of the last 30 days to send messages, the newest first, with how they were answered.
#[utoipa::path(
    tag = "Webhooks", operation_id = "list_webhook_deliveries",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook"), HistoryQuery),
    responses((status = 200, description = "A page of attempts", body = WebhookDeliveryPage)),
    security(("bearer" = ["webhooks:read"]))
)]
#[get("/webhooks/{webhook_id}/deliveries")]
pub(crate) async fn list_webhook_deliveries(
    auth: Auth<WebhooksRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (WebhookId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| webhooks::deliveries(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// List webhook history
///
/// Every change of the webhook, the newest first: what changed, when, and by whom.
#[utoipa::path(
    tag = "Webhooks", operation_id = "list_webhook_history",
    params(("webhook_id" = Uuid, Path, description = "Id of the webhook"), HistoryQuery),
    responses((status = 200, description = "A page of changes", body = JournalEntryPage)),
    security(("bearer" = ["webhooks:read"]))
)]
#[get("/webhooks/{webhook_id}/history")]
pub(crate) async fn list_webhook_history(
    auth: Auth<WebhooksRead>,
    id: web::Path<Uuid>,
    query: Query<HistoryQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, HistoryQuery { limit, cursor }) = (WebhookId::from_uuid(id.into_inner()), query.0);

    let page = db.read(&auth.scope(), move |reader| webhooks::history(reader, id, limit, cursor.as_deref())).await?;

    Ok(render::list(page))
}

/// Receive changes
///
/// What your address is sent. Answer with 2xx within 15 seconds when the message is safe with you: until then it is sent again,
/// after 1, 4, 16 and more seconds, then each hour; after three days the webhook is switched off. 410 switches it off at once,
/// unless it answers a test. Redirections are not followed. The same
/// message always has the same `id`, which is also the header `Webhook-Id`: keep it, so that what arrives twice counts once.
/// Check the signature before you believe anything, and refuse what has an old `Webhook-Timestamp`.
#[utoipa::path(
    post, path = "changes", tag = "Webhooks", operation_id = "receive_changes",
    params(
        ("Webhook-Id" = Uuid, Header, description = "Id of the message"),
        ("Webhook-Timestamp" = String, Header, description = "When this attempt was made, in seconds since 1970", example = "1614265330"),
        ("Webhook-Signature" = String, Header, description = "Signatures, with spaces between them: each `v1,` and the HMAC-SHA256 of id, timestamp and body with dots between them, in Base64", example = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    ),
    request_body = WebhookMessage,
    responses(
        (status = "2XX", description = "The message has arrived"),
        (status = 410, description = "No more messages are wanted")
    ),
    security()
)]
#[expect(dead_code, reason = "it describes what others answer")]
pub(crate) fn receive_changes() {}

/// The secret, but in a rehearsal, after which it signs nothing.
fn shown_secret(writer: &Writer<'_>, secret: String) -> String {
    if writer.is_rehearsal() { NO_SECRET.to_owned() } else { secret }
}
