//! Errors as callers see them: RFC 9457 problem documents.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use rapport_domain::{people::duplicate::DuplicateCandidate, problem::FieldProblem};
use rapport_persistence::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{envelope, problems};

/// The media type of problem documents.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, and what to do about it (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Address of a page that explains this kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation_failed")]
    pub kind: String,
    /// This kind of problem in a few words.
    #[schema(example = "The request does not fit")]
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    pub status: i32,
    /// What is wrong in this case, and what to do.
    #[schema(example = "One field needs attention; see errors.")]
    pub detail: String,
    /// Stable code of this kind of problem, for programs.
    #[schema(example = "validation_failed")]
    pub code: String,
    /// Names this request in the logs: quote it when you ask for help.
    #[schema(example = "7f3d0c6e1b2a4d58")]
    pub request_id: String,
    /// Everything that is wrong with the request, by place.
    pub errors: Vec<FieldProblem>,
    /// Version of the record by now, where the request was about an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub current_version: Option<i64>,
    /// Contacts who may be the person in question, where a duplicate was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub candidates: Option<Vec<DuplicateCandidate>>,
}

/// An error on its way to becoming a problem document.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: &'static str,
    detail: String,
    errors: Vec<FieldProblem>,
    current_version: Option<i64>,
    candidates: Option<Vec<DuplicateCandidate>>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

/// What handlers answer.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error of this code of the catalogue.
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { code, detail, errors: Vec::new(), current_version: None, candidates: None, headers: Vec::new() }
    }

    /// Fields of the body that are wrong.
    pub(crate) fn fields(errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..Self::new("validation_failed", String::new()) }
            .count("field of the body needs", "fields of the body need")
    }

    /// Parameters that are wrong.
    pub(crate) fn parameters(errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..Self::new("invalid_query", String::new()) }
            .count("query parameter needs", "query parameters need")
    }

    /// A header that is wrong.
    pub(crate) fn header(problem: FieldProblem) -> Self {
        Self { errors: vec![problem], ..Self::new("invalid_header", String::new()) }
            .count("header needs", "headers need")
    }

    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn count(mut self, one: &str, many: &str) -> Self {
        self.detail = match self.errors.len() {
            1 => format!("One {one} attention; see errors."),
            count => format!("{count} {many} attention; see errors."),
        };
        self
    }

    fn retry_after(self, seconds: u16) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    fn problem(&self) -> Problem {
        let entry = problems::find(self.code);
        Problem {
            kind: format!("/problems/{}", entry.code),
            title: entry.title.to_owned(),
            status: i32::from(entry.status),
            detail: self.detail.clone(),
            code: entry.code.to_owned(),
            request_id: envelope::current_request_id(),
            errors: self.errors.clone(),
            current_version: self.current_version,
            candidates: self.candidates.clone(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(problems::find(self.code).status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"rapport\""));
        }
        response.content_type(PROBLEM_JSON).body(serde_json::to_vec(&self.problem()).unwrap_or_default())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(kind) => {
                let kind = kind.as_str();
                Self::new("not_found", format!("There is no {kind} with this id, or you may not see it."))
            }
            StoreError::Stale { current } => Self {
                current_version: Some(current),
                ..Self::new(
                    "precondition_failed",
                    format!(
                        "The record is at version {current} by now. Read it again and repeat the change on top of it."
                    ),
                )
            },
            StoreError::Invalid(invalid) => Self::fields(invalid.into_problems()),
            StoreError::Parameter(problem) if problem.code == "cursor_mismatch" => {
                Self { errors: vec![(*problem).clone()], ..Self::new("cursor_mismatch", problem.detail) }
            }
            StoreError::Parameter(problem) => Self::parameters(vec![*problem]),
            StoreError::Duplicates(candidates) => Self {
                candidates: Some(candidates),
                ..Self::new(
                    "duplicate",
                    "Somebody with this e-mail address or telephone number is known; see candidates. Change that \
                     contact, or send on_duplicate=allow to create a second one.",
                )
            },
            StoreError::Conflict { code: _, detail } => Self::new("conflict", detail),
            StoreError::Busy => {
                Self::new("busy", "All database connections are in use. Try again in a moment.").retry_after(1)
            }
            StoreError::Contention => {
                Self::new("busy", "Others are changing the same record. Try again in a moment.").retry_after(1)
            }
            StoreError::TooSlow => {
                Self::new("too_slow", "The database took too long. Ask for less, or try again later.").retry_after(5)
            }
            StoreError::Unreachable(context) | StoreError::Lost(context) => {
                tracing::error!(error = context, "the database cannot be reached");
                Self::new("unavailable", "The database cannot be reached right now. Try again in a moment.")
                    .retry_after(2)
            }
            StoreError::Internal(context) => Self::internal(&context),
        }
    }
}

impl ApiError {
    /// A mistake of ours: logged here, once, and not told to the caller.
    pub(crate) fn internal(context: &str) -> Self {
        tracing::error!(error = context, "a request failed");
        Self::new("internal", "Something went wrong on our side. It is in our logs under this request id.")
    }
}
