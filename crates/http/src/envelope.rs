//! What every request gets, whatever becomes of it: an id, a measurement, and errors in one shape.

use std::{panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::{
    address::ClientAddress,
    feed,
    metrics::Metrics,
    problem::{ApiError, PROBLEM_JSON},
    problems,
};

/// The header that names a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT_REQUEST_ID: String;
}

/// The id of the request that is being answered, taken from the caller or made here.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// The id of an operation, left by the gate for whoever measures.
#[derive(Clone, Debug)]
pub(crate) struct OperationId(pub(crate) String);

/// The id of the request that this task answers.
pub(crate) fn current_request_id() -> String {
    CURRENT_REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// The outermost middleware.
pub(crate) async fn wrap(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let address = ClientAddress::find(&request);
    request.extensions_mut().insert(address);
    let is_head = request.method() == Method::HEAD;
    if is_head {
        // The server leaves out the body of the answer to a HEAD by itself, once it has come to its end.
        request.head_mut().method = Method::GET;
    }
    let metrics = request.app_data::<Data<Metrics>>().cloned();
    let answered = CURRENT_REQUEST_ID.scope(id.clone(), async {
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(response)) if is_head && feed::is_stream(response.headers()) => {
                Ok(response.map_body(|_, _| BoxBody::new(())))
            }
            Ok(Ok(response)) => Ok(in_shape(response)),
            Ok(Err(error)) => Err(shaped(&error)),
            Err(_) => Err(ApiError::internal("a handler panicked").error_response()),
        }
    });
    // The request is gone with what failed: such an answer travels on as an error that holds it.
    let mut answer = answered.await;
    let (status, headers) = match &mut answer {
        Ok(response) => (response.status(), response.headers_mut()),
        Err(response) => (response.status(), response.headers_mut()),
    };
    mark(headers, &id);
    if let Some(metrics) = metrics {
        let operation = answer.as_ref().ok().and_then(|response| operation_of(response.request()));
        metrics.request(operation.as_deref().unwrap_or("none"), status.as_u16(), started.elapsed());
    }
    answer.map_err(|response| InternalError::from_response("the request failed", response).into())
}

fn mark(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        // The mark by which small answers were kept from being compressed.
        headers.remove(header::CONTENT_ENCODING);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The id of the operation that a request is for, once the gate knows.
pub(crate) fn operation_of(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<OperationId>().map(|operation| operation.0.clone())
}

/// A caller may name a request; a name that does not fit is replaced.
fn request_id(request: &ServiceRequest) -> String {
    let fits = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(fits);
    given.map_or_else(|| Uuid::now_v7().simple().to_string(), ToOwned::to_owned)
}

/// Errors that the framework made wear our shape too.
fn in_shape(response: ServiceResponse<impl MessageBody + 'static>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON);
    if !is_error || is_problem {
        return response.map_into_boxed_body();
    }
    let (request, _) = response.into_parts();
    let reason = status.canonical_reason().unwrap_or("The request failed");
    let error = ApiError::new(problems::code_of_status(status.as_u16()), format!("{reason}."));
    ServiceResponse::new(request, error.error_response())
}

fn shaped(error: &Error) -> HttpResponse {
    let response = error.error_response();
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    ApiError::new(problems::code_of_status(response.status().as_u16()), format!("{error}.")).error_response()
}
