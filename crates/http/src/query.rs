//! Query strings. The gate has checked them against the document by the time a handler reads them.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use rapport_domain::problem::FieldProblem;
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

/// The query string as `T`: repeated keys are lists.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            serde_html_form::from_str(request.query_string())
                .map(Query)
                .map_err(|error| ApiError::parameters(vec![FieldProblem::parameter("", "invalid", error.to_string())])),
        )
    }
}
