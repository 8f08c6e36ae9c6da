//! The catalogue of problems: each code with its status, its title and what to do.

use actix_web::{get, web};
use rapport_domain::problem::FieldProblem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{ApiError, ApiResult};

/// A kind of problem.
pub(crate) struct Kind {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
}

const fn kind(code: &'static str, status: u16, title: &'static str, explanation: &'static str) -> Kind {
    Kind { code, status, title, explanation }
}

/// All kinds of problems there are.
pub(crate) const CATALOGUE: &[Kind] = &[
    kind(
        "malformed_request",
        400,
        "The request can't be read",
        "The request line, its headers or its body are not what HTTP or JSON allow. The detail says where reading stopped.",
    ),
    kind(
        "invalid_query",
        400,
        "A query parameter does not fit",
        "A parameter is unknown, is given too often or has a value that is not allowed. Each is listed in errors with its name. Several values are sent by repeating the parameter: status=a&status=b.",
    ),
    kind(
        "invalid_header",
        400,
        "A header does not fit",
        "A header has a value that is not allowed. It is listed in errors with its name.",
    ),
    kind(
        "cursor_mismatch",
        400,
        "The cursor belongs to another list",
        "A cursor goes on with the list it came from: keep workspace, filter and order while paging, or start again without a cursor.",
    ),
    kind(
        "unauthorized",
        401,
        "Not signed in",
        "Send Authorization: Bearer followed by an access token from POST /v1/auth/login or by an API key. An access token ends after 15 minutes: get the next one from POST /v1/auth/refresh, or sign in again.",
    ),
    kind(
        "invalid_refresh_token",
        401,
        "The session has ended",
        "The refresh token is not valid, or not any more: it was used already, its session was ended or rested for too long, or its user can't sign in any more. Sign in again with POST /v1/auth/login.",
    ),
    kind(
        "invalid_login",
        401,
        "The sign-in failed",
        "Workspace, e-mail address and password do not go together. Check all three: for your safety the answer is the same whichever is wrong.",
    ),
    kind(
        "invalid_request",
        400,
        "The token request does not fit",
        "POST /oauth/token takes a form with grant_type, and client_id and client_secret there or as HTTP Basic, each of them once. What is wrong is listed in errors.",
    ),
    kind(
        "unsupported_grant_type",
        400,
        "This grant is not offered",
        "POST /oauth/token knows grant_type=client_credentials alone. Users sign in with POST /v1/auth/login.",
    ),
    kind(
        "invalid_scope",
        400,
        "The scope is more than the key has",
        "Each word of scope has to be a scope of the API key. Leave scope out to get all of them.",
    ),
    kind(
        "invalid_client",
        401,
        "The client is not known",
        "client_id is the id of an API key and client_secret the whole key. They do not go together, or the key is not valid any more.",
    ),
    kind(
        "forbidden",
        403,
        "Not allowed",
        "You are signed in, but your role or the scopes of your API key do not include what this operation needs. The detail names it. Ask an administrator of your workspace.",
    ),
    kind(
        "not_found",
        404,
        "Not found",
        "Nothing is at this address, or it is not for you to see. Check the path and the id. Deleted records are shown with deleted=include.",
    ),
    kind(
        "method_not_allowed",
        405,
        "Method not allowed",
        "This address does not take this method. The header Allow lists those it takes.",
    ),
    kind(
        "not_acceptable",
        406,
        "Not acceptable",
        "The answer can't be encoded as your Accept-Encoding header allows. Allow identity, br, gzip or zstd, or leave the header out.",
    ),
    kind(
        "request_timeout",
        408,
        "The request took too long",
        "The body did not arrive in time. Send it again without pauses.",
    ),
    kind("conflict", 409, "Conflict", "What you ask for contradicts what is there. The detail says what."),
    kind(
        "invalid_transition",
        409,
        "It does not go there from here",
        "The record is in a state from which the wanted one can't be reached. The detail says which can, and by which operation.",
    ),
    kind(
        "idempotency_key_in_use",
        409,
        "The same request is under way",
        "Another request with this Idempotency-Key has not come to its end yet. Send yours again after the seconds in Retry-After, with the same key: you get the answer of the first.",
    ),
    kind(
        "idempotency_key_reused",
        422,
        "The key stands for another request",
        "This Idempotency-Key came with another method, address or body before. A key stands for one request, for 7 days: send each new request with a new one, such as a UUID. Nothing was written.",
    ),
    kind(
        "duplicate",
        409,
        "Somebody like this is known",
        "A contact, or where a lead is created a lead or a contact, with one of these e-mail addresses or telephone numbers exists; candidates names them. Change that record, or send on_duplicate=allow to create a second one.",
    ),
    kind(
        "ambiguous_match",
        409,
        "It is not certain which record is meant",
        "A lead that is converted becomes a contact and a company that are known already, where that is certain. Here several may be meant, or one of which it is not certain, or one although values were sent for a new one; candidates names them. Name the one that is meant by its id, or send mode=new to create another one. Nothing was written.",
    ),
    kind(
        "resync_required",
        410,
        "The cursor is too old",
        "Changes after this cursor have left the change feed, or the database was restored from a backup that is older than it. Following on from it would leave changes out. Begin anew: take a cursor with GET /v1/changes?from=head, then list all records that you keep, and then follow from that cursor.",
    ),
    kind(
        "precondition_failed",
        412,
        "The record has changed",
        "The record is no longer at the version in your If-Match header. Read it again (its version is in current_version), repeat your change on top of it, and send the new ETag.",
    ),
    kind(
        "payload_too_large",
        413,
        "The body is too large",
        "Split the request into smaller ones. The detail names the limit.",
    ),
    kind(
        "unsupported_media_type",
        415,
        "Unsupported media type",
        "Send JSON in UTF-8: Content-Type: application/json, without Content-Encoding.",
    ),
    kind(
        "validation_failed",
        422,
        "The request does not fit",
        "The body is readable JSON, but some fields break a rule. All of them are listed in errors, each with a JSON Pointer, a code and what to do. Nothing was written.",
    ),
    kind(
        "batch_refused",
        422,
        "The batch does not fit",
        "The batch was to be done as a whole (atomic), and some of its operations failed. They are listed in errors, each with a JSON Pointer that begins with the place of the operation. Nothing was written.",
    ),
    kind(
        "filter_too_costly",
        422,
        "The search takes too long",
        "A search is given up after two seconds. The detail names the conditions that no index helps with. Narrow the search with a condition that has one; POST /v1/filters/explain tells which have.",
    ),
    kind(
        "too_many_attempts",
        429,
        "Too many failed tries",
        "This account or this address has failed too often. Wait for the seconds in Retry-After. Each further failure makes the wait longer, up to a quarter of an hour; signing in makes it forgotten.",
    ),
    kind(
        "rate_limited",
        429,
        "Too many requests",
        "More requests came than are allowed in a minute. Wait for the seconds in Retry-After. The headers RateLimit-Policy and RateLimit of every answer tell how many there may be and how many are left.",
    ),
    kind(
        "too_many_streams",
        429,
        "Too many streams",
        "One API key or user can have 10 streams of changes open at once on a server, all callers of a workspace together 100. End one, or share one among the parts of your program, and try again after the seconds in Retry-After.",
    ),
    kind(
        "internal",
        500,
        "Something went wrong on our side",
        "A defect. Nothing was half written. Quote the request_id when you report it.",
    ),
    kind(
        "busy",
        503,
        "Too busy",
        "All hands are full for the moment. Wait for the seconds in Retry-After and try again.",
    ),
    kind(
        "too_slow",
        503,
        "The database took too long",
        "The work was given up. Ask for less at a time, or try again after the seconds in Retry-After.",
    ),
    kind("unavailable", 503, "The database can't be reached", "Try again after the seconds in Retry-After."),
];

/// The entry of a code. Codes are constants of ours; one that is missing shows as a defect.
pub(crate) fn find(code: &str) -> &'static Kind {
    let unknown = || CATALOGUE.iter().find(|kind| kind.code == "internal");
    CATALOGUE.iter().find(|kind| kind.code == code).or_else(unknown).unwrap_or(&CATALOGUE[0])
}

/// The code for an error that the framework made.
pub(crate) fn code_of_status(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        406 => "not_acceptable",
        408 => "request_timeout",
        413 => "payload_too_large",
        415 => "unsupported_media_type",
        429 => "rate_limited",
        400..=499 => "malformed_request",
        503 => "unavailable",
        _ => "internal",
    }
}

/// What a kind of problem means and what to do about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemExplanation {
    /// Stable code.
    #[schema(example = "precondition_failed")]
    pub code: String,
    /// Status of the answers that carry it.
    #[schema(minimum = 400, maximum = 599, example = 412)]
    pub status: i32,
    /// The kind of problem in a few words.
    #[schema(example = "The record has changed")]
    pub title: String,
    /// What it means and what to do.
    #[schema(example = "The record is no longer at the version in your If-Match header.")]
    pub explanation: String,
}

/// Explain a problem
///
/// Every problem document has a `code` and, as its `type`, the address of its explanation here.
#[utoipa::path(
    tag = "Service", operation_id = "get_problem", path = "/problems/{code}",
    params(("code" = String, Path, description = "Code of the problem", example = "precondition_failed",
        min_length = 1, max_length = 64)),
    responses((status = 200, description = "What the problem means and what to do about it", body = ProblemExplanation)),
    security()
)]
#[get("/problems/{code}")]
pub(crate) async fn get_problem(code: web::Path<String>) -> ApiResult<web::Json<ProblemExplanation>> {
    let code = code.into_inner();
    let kind = CATALOGUE.iter().find(|kind| kind.code == code).ok_or_else(|| {
        let known = CATALOGUE.iter().map(|kind| kind.code).collect::<Vec<_>>().join(", ");
        ApiError::new("not_found", format!("There is no such problem. There are: {known}."))
    })?;
    Ok(web::Json(ProblemExplanation {
        code: kind.code.to_owned(),
        status: i32::from(kind.status),
        title: kind.title.to_owned(),
        explanation: kind.explanation.to_owned(),
    }))
}

/// A parameter that no operation of this address knows.
pub(crate) fn unknown_parameter(name: &str, known: &[&str]) -> FieldProblem {
    let detail = match known {
        [] => "This operation takes no query parameters.".to_owned(),
        known => format!("There is no such parameter here. There are: {}.", known.join(", ")),
    };
    FieldProblem::parameter(name, "unknown_parameter", detail)
}
