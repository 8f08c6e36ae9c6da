//! Reports: as JSON, and as CSV for spreadsheets.

use actix_web::{HttpResponse, post, web};
use rapport_domain::insight::{
    forecast::{Forecast, ForecastQuery},
    pipeline_report::{PipelineReport, PipelineReportQuery},
};
use rapport_persistence::{
    Db,
    insight::{forecasts, pipeline_reports},
};
use utoipa::ToSchema;

use crate::{
    auth::{Auth, OpportunitiesRead},
    body::Json,
    problem::{ApiError, ApiResult},
};

/// A report as a table: comma-separated values (RFC 4180), headings first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the type only describes the body")]
pub(crate) struct ReportTable(String);

/// Report pipeline
///
/// The open opportunities of an instant, put together by stage, owner, team, source, forecast category or month of the close
/// date: how many, how much, weighted by their probabilities, and for how many days they have been in their stage. `as_of`
/// asks for any instant of the past. `definition` says what the figures mean. It counts what the caller may see.
#[utoipa::path(
    tag = "Reports", operation_id = "report_pipeline", request_body = PipelineReportQuery,
    responses((status = 200, description = "The pipeline of that instant", body = PipelineReport)),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/pipeline")]
pub(crate) async fn report_pipeline(
    auth: Auth<OpportunitiesRead>,
    body: Json<PipelineReportQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<PipelineReport>> {
    let query = body.0;

    let report = db.read(&auth.scope(), move |reader| pipeline_reports::report(reader, &query)).await?;

    Ok(web::Json(report))
}

/// Report pipeline as CSV
///
/// The same as a table for spreadsheets, one row for each group: `key`, `name`, `count`, `count_without_amount`, `amount`,
/// `weighted_amount`, `currency`, `median_days_in_stage`, `p90_days_in_stage`. The last row is the total.
#[utoipa::path(
    tag = "Reports", operation_id = "report_pipeline_as_csv", request_body = PipelineReportQuery,
    responses((status = 200, description = "The pipeline of that instant", body = ReportTable, content_type = "text/csv")),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/pipeline.csv")]
pub(crate) async fn report_pipeline_as_csv(
    auth: Auth<OpportunitiesRead>,
    body: Json<PipelineReportQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = body.0;

    let report = db.read(&auth.scope(), move |reader| pipeline_reports::report(reader, &query)).await?;

    csv(&report.table())
}

/// Report forecast
///
/// Month by month: what was won, what is open by category and weighted, and what it may bring: the amounts that one of ten,
/// half, and nine of ten futures bring at most, drawn by chance from how often and how fast opportunities were won. `as_of` makes
/// the forecast of any instant of the past again. `definition` says what the figures mean. It counts what the caller may see.
#[utoipa::path(
    tag = "Reports", operation_id = "report_forecast", request_body = ForecastQuery,
    responses((status = 200, description = "The forecast of that instant", body = Forecast)),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/forecast")]
pub(crate) async fn report_forecast(
    auth: Auth<OpportunitiesRead>,
    body: Json<ForecastQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<Forecast>> {
    let query = body.0;

    let report = db.read(&auth.scope(), move |reader| forecasts::report(reader, &query)).await?;

    Ok(web::Json(report))
}

/// Report forecast as CSV
///
/// The same as a table for spreadsheets, one row for each month: `month`, the figures, `currency`. The last row is the total.
#[utoipa::path(
    tag = "Reports", operation_id = "report_forecast_as_csv", request_body = ForecastQuery,
    responses((status = 200, description = "The forecast of that instant", body = ReportTable, content_type = "text/csv")),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/forecast.csv")]
pub(crate) async fn report_forecast_as_csv(
    auth: Auth<OpportunitiesRead>,
    body: Json<ForecastQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    let query = body.0;

    let report = db.read(&auth.scope(), move |reader| forecasts::report(reader, &query)).await?;

    csv(&report.table())
}

/// 200 with a table.
fn csv(rows: &[Vec<String>]) -> ApiResult<HttpResponse> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let written = rows.iter().try_for_each(|row| out.write_record(row));
    let text =
        written.map_err(|error| error.to_string()).and_then(|()| out.into_inner().map_err(|error| error.to_string()));
    let text = text.map_err(|error| ApiError::internal(&format!("a report can't be written: {error}")))?;
    Ok(HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(text))
}
