//! Where web pages send what people fill in: public, and the same answer for everybody.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, get, http::header, post, web};
use rapport_domain::{
    problem::Invalid,
    sales::{
        capture_form::{
            CaptureForm,
            submission::{CaptureReceipt, CaptureSubmission, PublicCaptureForm, Reading},
        },
        lead::NewLead,
    },
};
use rapport_persistence::{
    Db, StoreError,
    idempotency::{Once, Terms},
    sales::capture_forms::{
        self,
        submissions::{self, Submitted},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    auth::visitor::Visitor,
    body,
    contract::Contract,
    metrics::{Metrics, Submission},
    problem::{ApiError, ApiResult},
};

/// The largest body, in bytes.
const LARGEST_BODY: usize = 32 * 1024;

/// What a program may say of itself, in characters; the rest is not kept.
const LONGEST_AGENT: usize = 500;

/// Get public capture form
///
/// What a web page has to know of a form: its fields, the consent that it asks for, and the work that a submission has to prove,
/// with a challenge that can be solved once. Anybody who has the key may ask; a form that is not active is 404.
#[utoipa::path(
    tag = "Capture", operation_id = "get_public_capture_form",
    params(("form_key" = String, Path, description = "Key of the form", min_length = 1, max_length = 100)),
    responses(
        (status = 200, description = "The form", body = PublicCaptureForm),
        (status = 403, response = crate::openapi::responses::Forbidden)
    ),
    security()
)]
#[get("/capture/{form_key}")]
pub(crate) async fn get_public_capture_form(visitor: Visitor, db: web::Data<Db>) -> ApiResult<HttpResponse> {
    let form = visitor.form.clone();

    let challenge = db.read(visitor.scope(), move |reader| capture_forms::issue(reader, &form)).await?;

    Ok(HttpResponse::Ok().json(visitor.form.public(challenge)))
}

/// Submit capture form
///
/// Takes what somebody filled in, 32 KiB at most, and makes a lead of it. The answer is the same for everybody, known or not. What
/// is wrong is 422 and named by the form's fields. With a `submission_id`, it counts once, however often it is sent.
#[utoipa::path(
    tag = "Capture", operation_id = "submit_capture_form",
    params(("form_key" = String, Path, description = "Key of the form", min_length = 1, max_length = 100)),
    request_body = CaptureSubmission,
    responses(
        (status = 202, description = "It was taken", body = CaptureReceipt),
        (status = 403, response = crate::openapi::responses::Forbidden),
        (status = 409, response = crate::openapi::responses::Conflict)
    ),
    security()
)]
#[post("/capture/{form_key}")]
pub(crate) async fn submit_capture_form(
    filled: Filled,
    contract: web::Data<Contract>,
    metrics: web::Data<Metrics>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (form, scope) = (filled.visitor.form.clone(), filled.visitor.scope().clone());
    let receipt = HttpResponse::Accepted().json(form.receipt());
    if form.is_trapped(&filled.submission) {
        metrics.submission(Submission::Trapped);
        return Ok(receipt);
    }
    let (reading, submitted, terms) =
        filled.judged(&contract).inspect_err(|_| metrics.submission(Submission::Refused))?;

    let done = db.write_on(&scope, terms, move |writer| submissions::submit(writer, &form, &submitted)).await;

    metrics.submission(if done.is_ok() { Submission::Accepted } else { Submission::Refused });
    done.map_err(|error| told(&reading, error))?;
    Ok(receipt)
}

/// What is wrong with the lead is told of the form.
fn told(reading: &Reading, error: StoreError) -> StoreError {
    match error {
        StoreError::Invalid(invalid) => Invalid::of(reading.told(invalid.into_problems())).into(),
        other => other,
    }
}

/// A form that was filled in. The form is looked for before the body is read: at an address that leads nowhere nothing is.
pub(crate) struct Filled {
    visitor: Visitor,
    submission: CaptureSubmission,
    user_agent: Option<String>,
}

impl FromRequest for Filled {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            body::require_length(&request, LARGEST_BODY)?;
            let visitor = Visitor::find(&request).await?;
            let contract = body::contract(&request)?;
            let mut value = body::small_json(&request, payload, LARGEST_BODY).await?;
            let problems = contract.schemas.check(&CaptureSubmission::name(), &mut value);
            if !problems.is_empty() {
                return Err(ApiError::fields(problems));
            }
            let submission = fit(value)?;
            let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
            let user_agent = agent.map(|agent| agent.chars().take(LONGEST_AGENT).collect());
            Ok(Self { visitor, submission, user_agent })
        })
    }
}

impl Filled {
    /// What was read of it, and what is to be written on which terms.
    fn judged(self, contract: &Contract) -> ApiResult<(Reading, Submitted, Terms)> {
        let CaptureSubmission { page_url, proof, submission_id, .. } = self.submission.clone();
        let reading = self.visitor.form.read(&self.submission).map_err(StoreError::from)?;
        let lead = lead_of(contract, &reading)?;
        let (values, consent) = (reading.values.clone(), reading.consent.clone());
        let submitted = Submitted { lead, values, consent, page_url, proof, user_agent: self.user_agent };
        let once = submission_id.map(|id| once(&self.visitor.form, &id.to_string()));
        Ok((reading, submitted, Terms { once, rehearsal: false }))
    }
}

/// The lead of a submission, checked against the schema of a new one as at every other door.
fn lead_of(contract: &Contract, reading: &Reading) -> ApiResult<NewLead> {
    let mut lead = reading.lead.clone();
    let problems = contract.schemas.check(&NewLead::name(), &mut lead);
    if problems.is_empty() { fit(lead) } else { Err(ApiError::fields(reading.told(problems))) }
}

fn fit<T: serde::de::DeserializeOwned>(value: Value) -> ApiResult<T> {
    serde_json::from_value(value)
        .map_err(|error| ApiError::new("validation_failed", format!("The body does not fit: {error}.")))
}

/// Whatever comes with the same id is the same: a page may try again with what it has learned meanwhile.
fn once(form: &CaptureForm, submission_id: &str) -> Once {
    let fingerprint = Sha256::new().chain_update(form.id.uuid().as_bytes()).chain_update(submission_id).finalize();
    Once { key: format!("submission {submission_id}"), fingerprint: fingerprint.into() }
}
