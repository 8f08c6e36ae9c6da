//! Filters by themselves.

use actix_web::{post, web};
use rapport_domain::filter::{FilterExplanation, FilterInquiry};
use rapport_persistence::{Db, filter};

use crate::{
    auth::{Auth, SignedIn},
    body::Json,
    problem::ApiResult,
    routes::Routes,
};

pub(crate) fn configure(routes: &mut impl Routes) {
    routes.service(explain_filter);
}

/// Explain filter
///
/// Says what is wrong with a filter, how an index helps with each of its conditions, and how the database would find the
/// first page. Needs the permission to read the records that the filter is about.
#[utoipa::path(
    tag = "Filters", operation_id = "explain_filter", request_body = FilterInquiry,
    responses(
        (status = 200, description = "What becomes of the filter", body = FilterExplanation),
        (status = 403, response = crate::openapi::responses::Forbidden)
    ),
    security(("bearer" = []))
)]
#[post("/filters/explain")]
pub(crate) async fn explain_filter(
    auth: Auth<SignedIn>,
    body: Json<FilterInquiry>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<FilterExplanation>> {
    let inquiry = body.0;

    let explanation = db.read(&auth.scope(), move |reader| filter::explain(reader, &inquiry)).await?;

    Ok(web::Json(explanation))
}
