//! Request bodies: JSON, checked against the published schema before it is read into types.

use std::{future::Future, pin::Pin, rc::Rc, time::Duration};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use rapport_domain::{access::Resource, problem::FieldProblem};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{auth::Caller, contract::Contract, gate::RecordsOf, problem::ApiError};

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// A JSON body in the shape of `T`'s schema. Named `Json` so that utoipa documents it.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let readable = require_json(request);
        let bytes = web::Bytes::from_request(request, payload);
        let contract = request.app_data::<web::Data<Contract>>().cloned();
        let written = Written::of(request);
        Box::pin(async move {
            readable?;
            let contract = contract.ok_or_else(|| ApiError::internal("no contract"))?;
            let bytes = timeout(ARRIVAL, bytes)
                .await
                .map_err(|_| ApiError::new("request_timeout", "The body did not arrive within 30 seconds."))?
                .map_err(|error| unreadable(&error))?;
            let mut value: Value = serde_json::from_slice(&bytes).map_err(|error| {
                ApiError::new("malformed_request", format!("The body is not JSON in UTF-8: {error}."))
            })?;
            let problems = contract.schemas.check(&T::name(), &mut value);
            if !problems.is_empty() {
                return Err(ApiError::fields(problems));
            }
            written.check(&value)?;
            serde_json::from_value(value)
                .map(Json)
                .map_err(|error| ApiError::new("validation_failed", format!("The body does not fit: {error}.")))
        })
    }
}

/// Who writes the records of which resource.
struct Written(Option<(Rc<Caller>, Resource)>);

impl Written {
    /// The gate has found out both; a body that is no record of a resource has no fields to close.
    fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        let resource = extensions.get::<RecordsOf>().map(|records| records.0);
        Self(extensions.get::<Rc<Caller>>().cloned().zip(resource))
    }

    /// Refuses fields that the caller may not write.
    fn check(&self, body: &Value) -> Result<(), ApiError> {
        let (Some((caller, resource)), Some(fields)) = (&self.0, body.as_object()) else { return Ok(()) };
        let closed = fields.keys().filter(|field| !caller.grants.may_write(*resource, field));
        let problems: Vec<FieldProblem> = closed
            .map(|field| {
                let detail = format!("Your role does not let you write {field}. Leave it out.");
                FieldProblem::at(format!("/{field}"), "closed_field", detail)
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ApiError::closed(problems)) }
    }
}

fn require_json(request: &HttpRequest) -> Result<(), ApiError> {
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::new("unsupported_media_type", "Send the body without Content-Encoding."));
    }
    let is_json = |kind: &str, suffix: Option<&str>| kind == "json" || suffix == Some("json");
    let mime = request.mime_type().ok().flatten();
    let fits = mime.as_ref().is_some_and(|mime| {
        mime.type_() == "application"
            && is_json(mime.subtype().as_str(), mime.suffix().map(|suffix| suffix.as_str()))
            && mime.get_param("charset").is_none_or(|charset| charset == "utf-8")
    });
    if fits {
        return Ok(());
    }
    Err(ApiError::new("unsupported_media_type", "Send the body as JSON in UTF-8, with Content-Type: application/json."))
}

fn unreadable(error: &actix_web::Error) -> ApiError {
    match error.as_response_error().status_code().as_u16() {
        413 => {
            ApiError::new("payload_too_large", "The body is larger than 2 MiB. Split the request into smaller ones.")
        }
        _ => ApiError::new("malformed_request", "The body did not arrive whole. Send it again."),
    }
}
