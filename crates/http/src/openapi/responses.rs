//! The problems that operations have in common, as components of the document.

use utoipa::ToResponse;

use crate::problem::Problem;

macro_rules! problem_responses {
    ($($name:ident $description:literal)+) => {$(
        #[derive(ToResponse)]
        #[response(description = $description, content_type = "application/problem+json")]
        #[expect(dead_code, reason = "the type stands for its entry in the document")]
        pub(crate) struct $name(Problem);
    )+};
}

problem_responses! {
    BadRequest "The request can't be read, or a parameter does not fit"
    Unauthorized "Nobody is signed in, or not any more"
    Forbidden "The caller lacks the permission"
    NotFound "Nothing is there, or it is not for the caller to see"
    RequestTimeout "The body did not arrive in time"
    Conflict "What was asked for contradicts what is there"
    Gone "The cursor is too old to go on from"
    PreconditionFailed "The record has moved on from the version in If-Match"
    PayloadTooLarge "The body is too large"
    UnsupportedMediaType "The body is not JSON in UTF-8"
    ValidationFailed "Fields of the body break a rule; all of them are listed"
    TooManyRequests "Too many requests, or too many failed tries: try again after Retry-After"
    InternalError "Something went wrong on our side"
    Unavailable "Too busy, or the database can't be reached: try again after Retry-After"
}
