//! Versions as ETags: `If-Match` guards a write, `If-None-Match` spares a read.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};
use rapport_domain::problem::FieldProblem;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::ApiError;

/// The `If-Match` header in the document.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the struct only describes the header; ExpectedVersion reads it")]
pub(crate) struct IfMatchHeader {
    /// ETag of the version that you know. When the record has moved on, nothing is written and the answer is 412.
    #[param(
        rename = "If-Match",
        nullable = false,
        required = false,
        max_length = 64,
        pattern = "^(\\*|\"[0-9]{1,18}\")$",
        example = "\"3\""
    )]
    if_match: String,
}

/// The `If-None-Match` header in the document.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the struct only describes the header; KnownVersion reads it")]
pub(crate) struct IfNoneMatchHeader {
    /// ETag of the version that you have. When the record is still at it, the answer is 304 without a body.
    #[param(
        rename = "If-None-Match",
        nullable = false,
        required = false,
        max_length = 256,
        pattern = "^[!-~ \\t]*$",
        example = "\"3\""
    )]
    if_none_match: String,
}

/// The version that a write expects, none when it takes any; and whether it expects something to be there at all.
pub(crate) struct ExpectedVersion(pub(crate) Option<i64>, bool);

impl ExpectedVersion {
    /// Whether the caller sent `If-Match`: then there has to be a record.
    pub(crate) fn is_given(&self) -> bool {
        self.1
    }
}

impl FromRequest for ExpectedVersion {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.headers().get(header::IF_MATCH) {
            None => Ok(Self(None, false)),
            Some(value) if value == "*" => Ok(Self(None, true)),
            Some(value) => {
                version(value.to_str().unwrap_or_default()).map(|version| Self(Some(version), true)).ok_or_else(|| {
                    let detail =
                        "Send the ETag of the record as you got it, like \"3\" with its quotation marks, or *.";
                    ApiError::header(FieldProblem::header("If-Match", "not_an_etag", detail))
                })
            }
        })
    }
}

/// The version that a reader has; none when it has none.
pub(crate) struct KnownVersion(Vec<i64>);

impl KnownVersion {
    /// Whether the reader has this version already.
    pub(crate) fn is(&self, version: i64) -> bool {
        self.0.contains(&version)
    }
}

impl FromRequest for KnownVersion {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    /// What is not an ETag of ours is the ETag of nothing we have.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(header) = request.headers().get(header::IF_NONE_MATCH) else { return ready(Ok(Self(Vec::new()))) };
        ready(match header.to_str() {
            Ok(tags) if tags.len() <= LONGEST_LIST => {
                Ok(Self(tags.split(',').filter_map(|tag| version(tag.trim().trim_start_matches("W/"))).collect()))
            }
            _ => {
                let detail = "Send the ETag that you got, like \"3\": at most 256 characters of ASCII.";
                Err(ApiError::header(FieldProblem::header("If-None-Match", "not_an_etag", detail)))
            }
        })
    }
}

/// How long a list of ETags may be, as the document says.
const LONGEST_LIST: usize = 256;

/// The ETag of a version.
pub(crate) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn version(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
