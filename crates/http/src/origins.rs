//! Web pages that send capture forms from browsers: each form says itself of which origins they are, whatever the server was
//! started with.

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use rapport_persistence::{Db, sales::capture_forms};

use crate::{
    address::ClientAddress,
    auth::visitor::AllowedOrigin,
    limits::Limiter,
    problem::{ApiError, ApiResult},
};

/// Where forms are sent to.
const FORMS: &str = "/v1/capture/";

/// The middleware around the one for pages that the server was started with.
pub(crate) async fn wrap(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asks = |request: &ServiceRequest| {
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    };
    if request.path().starts_with(FORMS) && asks(&request) {
        let response = preflight(&request).await.unwrap_or_else(|error| error.error_response());
        return Ok(request.into_response(response));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    let allowed = response.request().extensions().get::<AllowedOrigin>().cloned();
    if let Some(AllowedOrigin(origin)) = allowed {
        allow(response.headers_mut(), origin);
        let exposed = HeaderValue::from_static("ratelimit, ratelimit-policy, retry-after, x-request-id");
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(response)
}

/// What browsers ask before they send: may pages of this origin? It counts like any request of a stranger.
async fn preflight(request: &ServiceRequest) -> ApiResult<HttpResponse> {
    let limiter = request.app_data::<Data<Limiter>>().ok_or_else(|| ApiError::internal("no limits"))?;
    limiter.count_address(ClientAddress::of(request.request())).verdict()?;
    let db = request.app_data::<Data<Db>>().ok_or_else(|| ApiError::internal("no database"))?;
    let found = capture_forms::find(db, &request.path()[FORMS.len()..]).await?;
    let mut response = HttpResponse::NoContent().finish();
    let origin = request.headers().get(header::ORIGIN).cloned();
    if let (Some(origin), Some(found)) = (origin, found)
        && origin.to_str().is_ok_and(|origin| found.form.allows_origin(origin))
    {
        let headers = response.headers_mut();
        allow(headers, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, x-request-id"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
    Ok(response)
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}
