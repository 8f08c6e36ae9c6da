//! Errors as callers see them: RFC 9457 problem documents.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use rapport_domain::{
    people::duplicate::DuplicateCandidate,
    problem::{FieldProblem, INVALID_TRANSITION},
};
use rapport_persistence::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{envelope, problems};

/// The most problems that one answer lists.
const MOST_PROBLEMS: usize = 100;

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
    /// Records that may be the one in question, where a duplicate was refused or several fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub candidates: Option<Vec<DuplicateCandidate>>,
    /// The code once more, under the name that RFC 6749 gives it; in answers of `/oauth/token` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "invalid_client")]
    pub error: Option<String>,
    /// The detail once more, under the name that RFC 6749 gives it; in answers of `/oauth/token` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_description: Option<String>,
}

/// An error on its way to becoming a problem document.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: &'static str,
    detail: String,
    more: Box<More>,
}

/// What few errors have.
#[derive(Debug, Default)]
struct More {
    errors: Vec<FieldProblem>,
    current_version: Option<i64>,
    candidates: Option<Vec<DuplicateCandidate>>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// Whether it is told in the words of OAuth, too.
    in_oauth: bool,
}

/// What handlers answer.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error of this code of the catalogue.
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), more: Box::default() }
    }

    /// An error of this code of the catalogue, which is one of RFC 6749 and is told in its words, too.
    pub(crate) fn oauth(code: &'static str, detail: impl Into<String>) -> Self {
        let mut error = Self::new(code, detail);
        error.more.in_oauth = true;
        error
    }

    /// Fields of the body that are wrong.
    pub(crate) fn fields(errors: Vec<FieldProblem>) -> Self {
        Self::new("validation_failed", String::new())
            .with_errors(errors)
            .count("field of the body needs", "fields of the body need")
    }

    /// Parameters that are wrong.
    pub(crate) fn parameters(errors: Vec<FieldProblem>) -> Self {
        Self::new("invalid_query", String::new())
            .with_errors(errors)
            .count("query parameter needs", "query parameters need")
    }

    /// Fields that the caller may not read or write.
    pub(crate) fn closed(errors: Vec<FieldProblem>) -> Self {
        let names = errors.iter().filter_map(|error| error.pointer.as_deref().or(error.parameter.as_deref()));
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        // What no place of the body names says itself what is closed.
        let detail = match names.is_empty() {
            true => errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join(" "),
            false => format!("Your role keeps this from you: {}. See errors.", names.join(", ")),
        };
        Self::new("forbidden", detail).with_errors(errors)
    }

    /// The same with its problems at places below another one.
    pub(crate) fn below(mut self, place: &str) -> Self {
        for pointer in self.more.errors.iter_mut().filter_map(|problem| problem.pointer.as_mut()) {
            pointer.insert_str(0, place);
        }
        self
    }

    /// Operations of a batch that failed, so that none was done: each problem at its place in the body.
    pub(crate) fn batch(failed: impl Iterator<Item = (usize, Self)>) -> Self {
        let mut errors = Vec::new();
        for (index, error) in failed {
            let place = format!("/operations/{index}");
            if error.more.errors.iter().all(|problem| problem.pointer.is_none()) {
                errors.push(FieldProblem::at(&place, error.code, error.detail));
                continue;
            }
            errors.extend(error.more.errors.into_iter().map(|problem| {
                let pointer = problem.pointer.unwrap_or_default();
                FieldProblem { pointer: Some(format!("{place}{pointer}")), ..problem }
            }));
        }
        errors.truncate(MOST_PROBLEMS);
        let detail = "Nothing was written, because some operations failed; see errors.";
        Self::new("batch_refused", detail).with_errors(errors)
    }

    /// A header that is wrong.
    pub(crate) fn header(problem: FieldProblem) -> Self {
        Self::new("invalid_header", String::new()).with_errors(vec![problem]).count("header needs", "headers need")
    }

    pub(crate) fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.more.errors = errors;
        self
    }

    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.more.headers.push((name, value));
        self
    }

    pub(crate) fn counted_parameters(self) -> Self {
        self.count("parameter of the form needs", "parameters of the form need")
    }

    fn count(mut self, one: &str, many: &str) -> Self {
        self.detail = match self.more.errors.len() {
            1 => format!("One {one} attention; see errors."),
            count => format!("{count} {many} attention; see errors."),
        };
        self
    }

    pub(crate) fn retry_after(self, seconds: u16) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn problem(&self) -> Problem {
        let entry = problems::find(self.code);
        Problem {
            kind: format!("/problems/{}", entry.code),
            title: entry.title.to_owned(),
            status: i32::from(entry.status),
            detail: self.detail.clone(),
            code: entry.code.to_owned(),
            request_id: envelope::current_request_id(),
            errors: self.more.errors.clone(),
            current_version: self.more.current_version,
            candidates: self.more.candidates.clone(),
            error: self.more.in_oauth.then(|| entry.code.to_owned()),
            error_description: self.more.in_oauth.then(|| self.detail.clone()),
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
        for (name, value) in &self.more.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            let scheme = if self.more.in_oauth { "Basic" } else { "Bearer" };
            response.insert_header((header::WWW_AUTHENTICATE, format!("{scheme} realm=\"rapport\"")));
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
            StoreError::Stale { current } => {
                let detail = format!(
                    "The record is at version {current} by now. Read it again and repeat the change on top of it."
                );
                let mut error = Self::new("precondition_failed", detail);
                error.more.current_version = Some(current);
                error
            }
            StoreError::NothingToMatch => {
                let detail = "There is no record under this external id yet. Leave If-Match out to create it.";
                Self::new("precondition_failed", detail)
            }
            StoreError::Forbidden(detail) => Self::new("forbidden", detail),
            StoreError::ClosedFields(problems) => Self::closed(problems),
            StoreError::Invalid(invalid) if invalid.is_transition() => {
                let errors = invalid.into_problems();
                let detail = errors.iter().map(|problem| problem.detail.as_str()).collect::<Vec<_>>().join(" ");
                Self::new(INVALID_TRANSITION, detail).with_errors(errors)
            }
            StoreError::Invalid(invalid) => Self::fields(invalid.into_problems()),
            StoreError::Parameter(problem) if problem.code == "cursor_mismatch" => {
                Self::new("cursor_mismatch", problem.detail.clone()).with_errors(vec![*problem])
            }
            StoreError::Parameter(problem) => Self::parameters(vec![*problem]),
            StoreError::Duplicates(candidates) => {
                let mut error = Self::new(
                    "duplicate",
                    "Somebody with this e-mail address or telephone number is known; see candidates. Change that \
                     record, or send on_duplicate=allow to create a second one.",
                );
                error.more.candidates = Some(candidates);
                error
            }
            StoreError::Ambiguous { what, candidates } => {
                let detail = format!(
                    "A {what} that is known may be meant, but it is not certain; see candidates. Name it in {what}.id, or \
                     send {what}.mode=new to create another one."
                );
                let mut error = Self::new("ambiguous_match", detail);
                error.more.candidates = Some(candidates);
                error
            }
            StoreError::InTheWay(problems) => {
                let detail = "Something was built on what would be taken back; see errors.";
                Self::new("conflict", detail).with_errors(problems)
            }
            StoreError::Conflict { code, detail } => {
                Self::new("conflict", detail.clone()).with_errors(vec![FieldProblem::at("", code, detail)])
            }
            StoreError::BatchRefused(failed) => {
                Self::batch(failed.into_iter().map(|(index, error)| (index, Self::from(error).below("/data"))))
            }
            StoreError::KeyReused => {
                let detail = "This idempotency key came with another request before. Send each new request with a key of its own.";
                Self::new("idempotency_key_reused", detail)
            }
            StoreError::KeyInUse => {
                let detail = "A request with this idempotency key has not come to its end. Send it again in a moment.";
                Self::new("idempotency_key_in_use", detail).retry_after(1)
            }
            StoreError::ResyncRequired(why) => {
                let detail = format!(
                    "This cursor is not good any more: {why}. Begin anew: take a cursor with from=head, list what you keep, \
                     and go on from that cursor."
                );
                Self::new("resync_required", detail)
            }
            StoreError::Busy => {
                Self::new("busy", "Too many requests wait for the database. Try again in a moment.").retry_after(1)
            }
            StoreError::Contention => {
                Self::new("busy", "Others are changing the same record. Try again in a moment.").retry_after(1)
            }
            StoreError::TooSlow => {
                Self::new("too_slow", "The database took too long. Ask for less, or try again later.").retry_after(5)
            }
            StoreError::TooCostly(detail) => Self::new("filter_too_costly", detail),
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
