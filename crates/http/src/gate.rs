//! Where requests are let in: the operation exists, the caller is known and may call it, the parameters fit.

use std::rc::Rc;

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use rapport_domain::{
    access::{Permission, Resource, Right},
    problem::FieldProblem,
};

use crate::{
    address::ClientAddress,
    auth::{self, Authenticator, Caller, ON_BEHALF_OF},
    contract::{Access, Contract, Found},
    envelope::{OperationId, RequestId},
    limits::{self, Limiter, Standing},
    problem::ApiError,
    terms::Asked,
};

/// Addresses that are for people and stand in no contract.
fn is_page(path: &str) -> bool {
    ["/openapi.json", "/openapi-3.0.json", "/docs"].contains(&path) || path.starts_with("/docs/")
}

/// The resource whose records an operation is about, left by the gate for whoever reads the body.
pub(crate) struct RecordsOf(pub(crate) Resource);

/// The middleware around all routes.
pub(crate) async fn wrap(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if is_page(request.path()) {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    match admit(&request).await {
        Ok(()) => Ok(finished(next.call(request).await?.map_into_boxed_body())),
        Err(Refusal::Options(allow)) => {
            let response = HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish();
            Ok(finished(request.into_response(response)))
        }
        Err(Refusal::Error(error)) => Ok(finished(request.into_response(error.error_response()))),
    }
}

enum Refusal {
    /// Not a refusal but the answer to OPTIONS.
    Options(String),
    Error(ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

async fn admit(request: &ServiceRequest) -> Result<(), Refusal> {
    let contract = data::<Contract>(request)?;
    let operation = match contract.find(request.method(), request.path()) {
        Found::Operation(operation) => operation,
        Found::OtherMethods(allow) if request.method() == Method::OPTIONS => {
            return Err(Refusal::Options(allow.to_owned()));
        }
        Found::OtherMethods(allow) => {
            count_stranger(request)?;
            return Err(other_method(request.method(), allow).into());
        }
        Found::Nothing => {
            count_stranger(request)?;
            return Err(nothing_here(request.path()).into());
        }
    };
    request.extensions_mut().insert(OperationId(operation.id.clone()));

    if operation.access == Access::Public {
        if !limits::UNCOUNTED.contains(&operation.id.as_str()) {
            count_stranger(request)?;
        }
    } else {
        let caller = match authenticate(request).await {
            Ok(caller) => caller,
            Err(error) => {
                count_stranger(request)?;
                return Err(error.into());
            }
        };
        note(request, data::<Limiter>(request)?.count_caller(&caller))?;
        let caller = on_behalf(request, caller, &operation.id).await?;
        if let Access::Permitted(permission) = operation.access {
            require(&caller, permission)?;
            // What is sent to read, such as a filter, is no record.
            if let Some(resource) = permission.resource()
                && permission != resource.permission(Right::Read)
            {
                request.extensions_mut().insert(RecordsOf(resource));
            }
        }
        request.extensions_mut().insert(Rc::new(caller));
    }
    operation.check_query(request.query_string())?;
    if operation.has_terms {
        Asked::read(request)?;
    }
    Ok(())
}

async fn authenticate(request: &ServiceRequest) -> Result<Caller, ApiError> {
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let address = ClientAddress::of(request.request());
    data::<Authenticator>(request)?.authenticate(request.headers(), request_id, address).await
}

/// The caller, or the caller with the rights of the user on whose behalf they read.
async fn on_behalf(request: &ServiceRequest, caller: Caller, operation: &str) -> Result<Caller, ApiError> {
    let Some(value) = request.headers().get(ON_BEHALF_OF) else { return Ok(caller) };
    let refused = |code, detail| Err(ApiError::header(FieldProblem::header(ON_BEHALF_OF.as_str(), code, detail)));
    if request.method() != Method::GET {
        return refused("only_to_read", "On somebody's behalf you can only read. Leave the header out to write.");
    }
    match auth::named_user(value) {
        Some(user) => data::<Authenticator>(request)?.on_behalf_of(caller, user, operation).await,
        None => refused("invalid", "This is not the id of a user, which is a UUID."),
    }
}

/// Counts a request of somebody who has not proved who they are.
fn count_stranger(request: &ServiceRequest) -> Result<(), ApiError> {
    let address = ClientAddress::of(request.request());
    note(request, data::<Limiter>(request)?.count_address(address))
}

/// Leaves for the answer where the caller stands, and refuses the request when it is one too many.
fn note(request: &ServiceRequest, standing: Standing) -> Result<(), ApiError> {
    let verdict = standing.verdict();
    request.extensions_mut().insert(standing);
    verdict
}

/// Refuses a caller who lacks a permission, and names it.
pub(crate) fn require(caller: &Caller, permission: Permission) -> Result<(), ApiError> {
    if caller.grants.allow(permission) {
        return Ok(());
    }
    Err(ApiError::new("forbidden", format!("This needs the permission {}, which you don't have.", permission.scope())))
}

fn data<T: 'static>(request: &ServiceRequest) -> Result<Data<T>, ApiError> {
    request.app_data::<Data<T>>().cloned().ok_or_else(|| ApiError::internal("the server is not wired up"))
}

fn other_method(method: &Method, allow: &str) -> ApiError {
    let error = ApiError::new("method_not_allowed", format!("{method} is not possible here. Possible: {allow}."));
    match HeaderValue::from_str(allow) {
        Ok(value) => error.with_header(header::ALLOW, value),
        Err(_) => error,
    }
}

fn nothing_here(path: &str) -> ApiError {
    let detail = match path.starts_with("/v1/") {
        true => "Nothing is at this address. Check the path and the id: an id is a UUID.",
        false => "Nothing is at this address. The API begins at /v1, its reference is at /docs.",
    };
    ApiError::new("not_found", detail)
}

/// What every answer says: for whom it is and how long it may be kept, and how many requests are left. Answers are for the
/// caller alone, and to be asked for again each time; those that hold secrets are kept nowhere, and the public keys may be
/// kept by everybody, for less time than a new key is published before it signs.
fn finished(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let path = response.request().path();
    let holds_secrets =
        ["/v1/auth/", "/v1/api_keys", "/v1/calendar_feeds", "/oauth/"].iter().any(|start| path.starts_with(start));
    let is_for_all = path.starts_with("/.well-known/") && response.status().is_success();
    let value = match (holds_secrets, is_for_all) {
        (true, _) => "no-store",
        (_, true) => "public, max-age=300",
        _ => "private, no-cache",
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    let standing = response.request().extensions().get::<Standing>().cloned();
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    response
}
