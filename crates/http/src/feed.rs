//! The change feed: in pages, and as a stream of server-sent events.

mod places;
mod stream;

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    get,
    http::header::{self, HeaderMap, HeaderName},
    web,
};
use rapport_domain::feed::{ChangePage, ChangeQuery, ChangeStreamQuery};
use rapport_persistence::{Db, feed};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

pub(crate) use self::places::Places;
use self::stream::Follower;
use crate::{
    auth::{Auth, Proof, SignedIn},
    problem::{ApiError, ApiResult},
    query::Query,
    routes::Routes,
};

/// The media type of streams, which middlewares have to let pass as they are.
const EVENT_STREAM: &str = "text/event-stream";

/// Whether an answer is a stream of events.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == EVENT_STREAM)
}

/// Where a client that was cut off says how far it had come.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx not to hold a stream back.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A server-sent event of the stream of changes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type only describes the events; the stream writes them as text")]
pub(crate) struct StreamedEvent {
    /// The cursor to go on from.
    #[schema(max_length = 2048, example = "z9XWUoGieYeR35AdZD0PQWVC")]
    id: String,
    /// What it tells of.
    event: StreamedEventName,
    /// JSON: of `change` a `JournalEntry`, of `head` an object like `{"head": 84}`.
    #[schema(example = "{\"head\":84}")]
    data: String,
}

/// What an event of the stream of changes tells of.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the type only describes the events")]
pub(crate) enum StreamedEventName {
    /// Something has happened to a record.
    Change,
    /// Nothing more has happened so far.
    Head,
}

pub(crate) fn configure(routes: &mut impl Routes) {
    routes.service(list_changes).service(stream_changes);
}

/// List changes
///
/// What happened to records that have owners, the oldest first, in the order of feed positions: each change once, and the
/// changes of a record in the order of its versions. Shown is what you may read at this moment, also of records that were
/// deleted. `next_cursor` always leads on: at the end of what has happened so far it leads to what happens next. What
/// happened more than 90 days ago leaves the feed, unless the server was told otherwise; a cursor from before that is
/// answered 410 `resync_required`.
#[utoipa::path(
    tag = "Changes", operation_id = "list_changes", params(ChangeQuery),
    responses(
        (status = 200, description = "A part of the feed", body = ChangePage),
        (status = 410, response = crate::openapi::responses::Gone)
    ),
    security(("bearer" = []))
)]
#[get("/changes")]
pub(crate) async fn list_changes(
    auth: Auth<SignedIn>,
    query: Query<ChangeQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<ChangePage>> {
    let query = query.0;

    let page = db.read(&auth.scope(), move |reader| feed::list(reader, &query)).await?;

    Ok(web::Json(page))
}

/// Stream changes
///
/// The same as server-sent events, for as long as you listen. Each event `change` has the change as its data and the cursor
/// to go on from as its `id`; an event `head`, with an `id` and `{"head": …}` as its data, says that nothing more has
/// happened so far. Comments keep the connection alive. The stream ends when your credential does, and when the server
/// stops: connect again with the header `Last-Event-ID`, as clients for server-sent events do by themselves.
#[utoipa::path(
    tag = "Changes", operation_id = "stream_changes", params(ChangeStreamQuery, LastEventIdHeader),
    responses(
        (status = 200, description = "Events, one after the other", body = StreamedEvent, content_type = "text/event-stream"),
        (status = 410, response = crate::openapi::responses::Gone)
    ),
    security(("bearer" = []))
)]
#[get("/changes/stream")]
pub(crate) async fn stream_changes(
    auth: Auth<SignedIn>,
    mut query: Query<ChangeStreamQuery>,
    last_event: LastEventId,
    proof: Proof,
    places: web::Data<Places>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    query.0.cursor = last_event.0.or(query.0.cursor);
    let place = places.into_inner().take(auth.caller())?;

    let follower = Follower::begin(Db::clone(&db), proof, place, query.0).await?;

    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, EVENT_STREAM)).insert_header((BUFFERING, "no"));
    Ok(response.streaming(follower.events()))
}

/// The `Last-Event-ID` header in the document.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the struct only describes the header; LastEventId reads it")]
pub(crate) struct LastEventIdHeader {
    /// The `id` of the last event that you have: the stream goes on behind it. An empty one is none.
    #[param(rename = "Last-Event-ID", nullable = false, required = false, max_length = 2000, pattern = "^[!-~]*$")]
    last_event_id: String,
}

/// The last event that a client has; none when it has none.
pub(crate) struct LastEventId(Option<String>);

impl FromRequest for LastEventId {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    /// What can't be read is the id of no event, and refused as such a cursor.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let given = request.headers().get(LAST_EVENT_ID).filter(|id| !id.is_empty());
        ready(Ok(Self(given.map(|id| id.to_str().unwrap_or_default().to_owned()))))
    }
}
