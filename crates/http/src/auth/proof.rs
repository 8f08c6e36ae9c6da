//! Who calls, found out once more: for answers that go on for longer than a credential is trusted.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::HeaderMap, web::Data};

use super::{Authenticator, Caller, ON_BEHALF_OF, named_user};
use crate::{
    address::ClientAddress,
    envelope::RequestId,
    problem::{ApiError, ApiResult},
};

/// What proved who calls.
pub(crate) struct Proof {
    authenticator: Data<Authenticator>,
    headers: HeaderMap,
    request_id: String,
    address: ClientAddress,
}

impl Proof {
    /// The caller with the rights that they have by now; an error when the credential is not valid any more.
    pub(crate) async fn again(&self) -> ApiResult<Caller> {
        let caller = self.authenticator.authenticate(&self.headers, self.request_id.clone(), self.address).await?;
        match self.headers.get(ON_BEHALF_OF).and_then(named_user) {
            Some(user) => self.authenticator.with_rights_of(caller, user).await,
            None => Ok(caller),
        }
    }
}

impl FromRequest for Proof {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let authenticator = request.app_data::<Data<Authenticator>>().cloned();
        ready(authenticator.ok_or_else(|| ApiError::internal("the server is not wired up")).map(|authenticator| Self {
            authenticator,
            headers: request.headers().clone(),
            request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            address: ClientAddress::of(request),
        }))
    }
}
