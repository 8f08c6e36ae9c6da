//! Converting leads, and taking that back.

use std::{future::Future, pin::Pin, rc::Rc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, post, web};
use rapport_domain::{
    access::Resource,
    id::LeadId,
    sales::lead::{ConvertLead, Lead, LeadConversion},
};
use rapport_persistence::{Db, sales::leads::conversion};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer,
    auth::{Auth, Caller, LeadsWrite},
    body,
    conditional::{ExpectedVersion, IfMatchHeader},
    problem::{ApiError, ApiResult},
};

/// How a lead shall be converted. Its parts are of several resources, and each is asked for what the caller may write there.
pub(crate) struct Asked(ConvertLead);

/// Where the body names fields of a resource.
const PARTS: &[(&str, Resource)] = &[
    ("/contact/values", Resource::Contacts),
    ("/company/values", Resource::Companies),
    ("/opportunity/values", Resource::Opportunities),
];

impl FromRequest for Asked {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = ApiResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (value, contract) = (body::json(request, payload), body::contract(request));
        let caller = request.extensions().get::<Rc<Caller>>().cloned();
        Box::pin(async move {
            let (mut value, contract) = (value.await?, contract?);
            let caller = caller.ok_or_else(|| ApiError::internal("a conversion of nobody"))?;
            let problems = contract.schemas.check(&ConvertLead::name(), &mut value);
            if !problems.is_empty() {
                return Err(ApiError::fields(problems));
            }
            check_written(&caller, &value)?;
            serde_json::from_value(value)
                .map(Self)
                .map_err(|error| ApiError::new("validation_failed", format!("The body does not fit: {error}.")))
        })
    }
}

/// Refuses fields that the caller may not write.
fn check_written(caller: &Caller, asked: &Value) -> ApiResult<()> {
    for (place, resource) in PARTS {
        if let Some(values) = asked.pointer(place) {
            body::check_written(caller, *resource, values).map_err(|error| error.below(place))?;
        }
    }
    for field in ["pipeline_id", "stage_id"] {
        if let Some(value) = asked.pointer(&format!("/opportunity/{field}")) {
            body::check_written(caller, Resource::Opportunities, &json!({field: value}))
                .map_err(|error| error.below("/opportunity"))?;
        }
    }
    Ok(())
}

/// Convert lead
///
/// Makes a contact of the lead, and as far as asked for a company and an opportunity, all at once or not at all. Who is known
/// already is recognised and given what they lack; where several may be meant, the answer is 409 `ambiguous_match` with the
/// candidates. What is created or changed needs the permission for that, too. The lead keeps all that it says, gets a status of
/// the class `won`, and doesn't change any more. One that was converted already stays as it is, whatever the body says, and the
/// answer is the same again.
#[utoipa::path(
    tag = "Leads", operation_id = "convert_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    request_body = ConvertLead,
    responses(
        (status = 200, description = "What became of the lead", body = LeadConversion,
            headers(("ETag" = String, description = "Version of the lead"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[post("/leads/{lead_id}/convert")]
pub(crate) async fn convert_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    body: Asked,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected, asked) = (LeadId::from_uuid(id.into_inner()), expected.0, body.0);

    auth.write(&db, move |writer| {
        let conversion = conversion::convert(writer, id, expected, &asked)?;
        answer::done(writer, "lead", &conversion.lead, &conversion)
    })
    .await
}

/// Unconvert lead
///
/// Takes a conversion back while nothing was built on it: what it created is deleted, which needs the permission for that, too;
/// what was there gets back what it had; and the lead has its status again. Where a record was changed or deleted since, or
/// others refer to it, the answer is 409, and `errors` says what stands in the way.
#[utoipa::path(
    tag = "Leads", operation_id = "unconvert_lead",
    params(("lead_id" = Uuid, Path, description = "Id of the lead"), IfMatchHeader),
    responses(
        (status = 200, description = "The lead as it is now", body = Lead,
            headers(("ETag" = String, description = "Version of the record"))),
        (status = 409, response = crate::openapi::responses::Conflict),
        (status = 412, response = crate::openapi::responses::PreconditionFailed)
    ),
    security(("bearer" = ["leads:write"]))
)]
#[post("/leads/{lead_id}/unconvert")]
pub(crate) async fn unconvert_lead(
    auth: Auth<LeadsWrite>,
    id: web::Path<Uuid>,
    expected: ExpectedVersion,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let (id, expected) = (LeadId::from_uuid(id.into_inner()), expected.0);

    auth.write(&db, move |writer| {
        let lead = conversion::unconvert(writer, id, expected)?;
        answer::record(writer, &lead)
    })
    .await
}
