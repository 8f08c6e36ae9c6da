//! Request bodies: JSON, and one form, checked against the published schema before they are read into types.

use std::{collections::BTreeSet, future::Future, pin::Pin, rc::Rc, time::Duration};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use rapport_domain::{access::Resource, problem::FieldProblem};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    auth::Caller,
    contract::Contract,
    gate::RecordsOf,
    problem::{ApiError, ApiResult},
    terms::Asked,
};

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// The most repeated fields of a form that an answer lists.
const MOST_PROBLEMS: usize = 100;

/// A JSON body in the shape of `T`'s schema. Named `Json` so that utoipa documents it.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (value, contract) = (json(request, payload), contract(request));
        let written = Written::of(request);
        Box::pin(async move {
            let (mut value, contract) = (value.await?, contract?);
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

/// A JSON body as it comes, of which nothing is known but that it is JSON.
pub(crate) fn json(request: &HttpRequest, payload: &mut Payload) -> impl Future<Output = ApiResult<Value>> + use<> {
    let text = json_text(request, payload);
    async move { read_json(&text.await?) }
}

/// The text of a JSON body, not read yet.
pub(crate) fn json_text(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = ApiResult<web::Bytes>> + use<> {
    let (readable, bytes, asked) = (require_json(request), arrival(request, payload), Asked::of(request));
    async move {
        readable?;
        let bytes = bytes.await?;
        Asked::note_body(asked, &bytes);
        Ok(bytes)
    }
}

/// The same of at most so many bytes. The body is read when this is called: who comes before it may refuse the request.
pub(crate) async fn small_json(request: &HttpRequest, mut payload: Payload, most: usize) -> ApiResult<Value> {
    require_json(request)?;
    let payload = web::Payload::from_request(request, &mut payload).await.map_err(|error| unreadable(&error))?;
    let arrived = timeout(ARRIVAL, payload.to_bytes_limited(most))
        .await
        .map_err(|_| ApiError::new("request_timeout", "The body did not arrive within 30 seconds."))?;
    let bytes = arrived.map_err(|_| larger_than(most))?.map_err(|error| unreadable(&error))?;
    read_json(&bytes)
}

/// Refuses a body that says that it is larger than this.
pub(crate) fn require_length(request: &HttpRequest, most: usize) -> ApiResult<()> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > most) { Err(larger_than(most)) } else { Ok(()) }
}

fn larger_than(most: usize) -> ApiError {
    ApiError::new("payload_too_large", format!("The body is larger than {} KiB. Send less.", most / 1024))
}

pub(crate) fn read_json(bytes: &[u8]) -> ApiResult<Value> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::new("malformed_request", format!("The body is not JSON in UTF-8: {error}.")))
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
        match &self.0 {
            Some((caller, resource)) => check_written(caller, *resource, body),
            None => Ok(()),
        }
    }
}

/// Refuses fields that the caller may not write.
pub(crate) fn check_written(caller: &Caller, resource: Resource, record: &Value) -> ApiResult<()> {
    let fields = record.as_object().into_iter().flat_map(Map::keys);
    let closed = fields.filter(|field| !caller.grants.may_write(resource, field));
    let problems: Vec<FieldProblem> = closed
        .map(|field| {
            let detail = format!("Your role does not let you write {field}. Leave it out.");
            FieldProblem::at(format!("/{field}"), "closed_field", detail)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(ApiError::closed(problems)) }
}

/// A form of OAuth in the shape of `T`'s schema, every field of which is a text. What is wrong with it is told in the words
/// of RFC 6749. Named `Form` so that utoipa documents it.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Form<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let readable = require_form(request);
        let (bytes, contract) = (arrival(request, payload), contract(request));
        Box::pin(async move {
            readable?;
            let (bytes, contract) = (bytes.await?, contract?);
            let mut value = Value::Object(fields_of_form(&bytes)?);
            let problems = contract.schemas.check(&T::name(), &mut value);
            if !problems.is_empty() {
                return Err(ApiError::oauth("invalid_request", "").with_errors(problems).counted_parameters());
            }
            serde_json::from_value(value)
                .map(Form)
                .map_err(|error| ApiError::oauth("invalid_request", format!("The form does not fit: {error}.")))
        })
    }
}

/// The fields of a form. RFC 6749 demands that none is repeated, and that one without a value counts as left out.
fn fields_of_form(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let pairs: Vec<(String, String)> = serde_html_form::from_bytes(bytes)
        .map_err(|error| ApiError::oauth("invalid_request", format!("The form can't be read: {error}.")))?;
    let mut seen = BTreeSet::new();
    let repeated: Vec<_> = pairs.iter().map(|(name, _)| name).filter(|name| !seen.insert(*name)).cloned().collect();
    if !repeated.is_empty() {
        let problem = |name: &String| FieldProblem::at(format!("/{name}"), "repeated", "This can be given once only.");
        let problems = repeated.iter().take(MOST_PROBLEMS).map(problem).collect();
        return Err(ApiError::oauth("invalid_request", "").with_errors(problems).counted_parameters());
    }
    Ok(pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.into())).collect())
}

pub(crate) fn contract(request: &HttpRequest) -> Result<web::Data<Contract>, ApiError> {
    request.app_data::<web::Data<Contract>>().cloned().ok_or_else(|| ApiError::internal("no contract"))
}

/// The bytes of a body, once they are there.
fn arrival(request: &HttpRequest, payload: &mut Payload) -> impl Future<Output = Result<web::Bytes, ApiError>> + use<> {
    let bytes = web::Bytes::from_request(request, payload);
    async move {
        timeout(ARRIVAL, bytes)
            .await
            .map_err(|_| ApiError::new("request_timeout", "The body did not arrive within 30 seconds."))?
            .map_err(|error| unreadable(&error))
    }
}

fn require_form(request: &HttpRequest) -> Result<(), ApiError> {
    require_plain(request)?;
    let mime = request.mime_type().ok().flatten();
    let fits = mime.as_ref().is_some_and(|mime| {
        mime.essence_str() == "application/x-www-form-urlencoded"
            && mime.get_param("charset").is_none_or(|charset| charset == "utf-8")
    });
    if fits {
        return Ok(());
    }
    let detail = "Send the body as a form in UTF-8, with Content-Type: application/x-www-form-urlencoded.";
    Err(ApiError::new("unsupported_media_type", detail))
}

fn require_plain(request: &HttpRequest) -> Result<(), ApiError> {
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::new("unsupported_media_type", "Send the body without Content-Encoding."));
    }
    Ok(())
}

fn require_json(request: &HttpRequest) -> Result<(), ApiError> {
    require_plain(request)?;
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
