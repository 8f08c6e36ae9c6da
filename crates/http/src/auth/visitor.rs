//! Visitors: strangers who send a form of a web page. They prove nothing, and may do what the form does and nothing else.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderValue},
    web::Data,
};
use rapport_domain::sales::capture_form::CaptureForm;
use rapport_persistence::{
    Db, Scope,
    sales::capture_forms::{self, PublicForm},
};

use crate::{
    address::ClientAddress,
    envelope,
    limits::{Limiter, Standing},
    problem::{ApiError, ApiResult},
};

/// Somebody at an open form.
pub(crate) struct Visitor {
    pub(crate) form: CaptureForm,
    scope: Scope,
}

/// The origin of a page that may send the form, left for the answer.
#[derive(Clone)]
pub(crate) struct AllowedOrigin(pub(crate) HeaderValue);

impl Visitor {
    /// On behalf of the form.
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Finds the form that an address names, asks whether this page may send it, and counts the request.
    pub(crate) async fn find(request: &HttpRequest) -> ApiResult<Self> {
        let db = request.app_data::<Data<Db>>().ok_or_else(|| ApiError::internal("no database"))?;
        let key = request.match_info().get("form_key").unwrap_or_default();
        let PublicForm { workspace, country, form } = capture_forms::find(db, key).await?.ok_or_else(unknown)?;
        if let Some(origin) = request.headers().get(header::ORIGIN) {
            if !origin.to_str().is_ok_and(|origin| form.allows_origin(origin)) {
                let detail = "This form takes nothing from pages of this origin. Its owner can allow the origin.";
                return Err(ApiError::new("forbidden", detail));
            }
            request.extensions_mut().insert(AllowedOrigin(origin.clone()));
        }
        count(request, &form)?;
        let address = ClientAddress::of(request).0.to_string();
        let scope =
            Scope::of_form(workspace, form.id, country).for_request(envelope::current_request_id(), Some(address));
        Ok(Self { form, scope })
    }
}

/// Counts a request for the form, beside the one of its address that the gate has counted.
fn count(request: &HttpRequest, form: &CaptureForm) -> ApiResult<()> {
    let limiter = request.app_data::<Data<Limiter>>().ok_or_else(|| ApiError::internal("no limits"))?;
    let mut standing = request.extensions_mut().remove::<Standing>().unwrap_or_default();
    limiter.count_form(form.id.uuid(), &mut standing);
    let verdict = standing.verdict();
    request.extensions_mut().insert(standing);
    verdict
}

impl FromRequest for Visitor {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::find(&request).await })
    }
}

/// The same for whatever is no key of a form that takes submissions.
pub(crate) fn unknown() -> ApiError {
    ApiError::new("not_found", "There is no form at this address that takes anything. Ask whoever made the page.")
}
