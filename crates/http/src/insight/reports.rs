//! Reports: as JSON, and as CSV for spreadsheets.

use actix_web::{HttpResponse, post, web};
use rapport_domain::insight::{
    activity::{ActivityQuery, ActivityReport},
    forecast::{Forecast, ForecastQuery},
    funnel::{Funnel, FunnelQuery},
    pipeline_report::{PipelineReport, PipelineReportQuery},
    win_rate::{WinRateQuery, WinRateReport},
};
use rapport_persistence::{
    Db, Reader, StoreError,
    insight::{activities, forecasts, funnels, pipeline_reports, win_rates},
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
    Ok(web::Json(asked(&auth, &db, body.0, pipeline_reports::report).await?))
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
    csv(&asked(&auth, &db, body.0, pipeline_reports::report).await?.table())
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
    Ok(web::Json(asked(&auth, &db, body.0, forecasts::report).await?))
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
    csv(&asked(&auth, &db, body.0, forecasts::report).await?.table())
}

/// Report win rate
///
/// Of what was closed in a period, how much was won, by number and by amount, with its interval, put together by owner, team,
/// source, reason or month. `definition` says what the figures mean. It counts what the caller may see.
#[utoipa::path(
    tag = "Reports", operation_id = "report_win_rate", request_body = WinRateQuery,
    responses((status = 200, description = "What was won and lost in the period", body = WinRateReport)),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/win_rate")]
pub(crate) async fn report_win_rate(
    auth: Auth<OpportunitiesRead>,
    body: Json<WinRateQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<WinRateReport>> {
    Ok(web::Json(asked(&auth, &db, body.0, win_rates::report).await?))
}

/// Report win rate as CSV
///
/// The same as a table for spreadsheets, one row for each group. The last row is the total.
#[utoipa::path(
    tag = "Reports", operation_id = "report_win_rate_as_csv", request_body = WinRateQuery,
    responses((status = 200, description = "What was won and lost in the period", body = ReportTable, content_type = "text/csv")),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/win_rate.csv")]
pub(crate) async fn report_win_rate_as_csv(
    auth: Auth<OpportunitiesRead>,
    body: Json<WinRateQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    csv(&asked(&auth, &db, body.0, win_rates::report).await?.table())
}

/// Report funnel
///
/// Of the opportunities that came to each stage of a pipeline in a period, the share that came to each later one, was won or
/// lost, with open ones counted for as long as they are known; how long they stay in a stage; and what the pipeline brings in a
/// day. `definition` says what the figures mean. It counts what the caller may see.
#[utoipa::path(
    tag = "Reports", operation_id = "report_funnel", request_body = FunnelQuery,
    responses((status = 200, description = "How far opportunities came", body = Funnel)),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/funnel")]
pub(crate) async fn report_funnel(
    auth: Auth<OpportunitiesRead>,
    body: Json<FunnelQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<Funnel>> {
    Ok(web::Json(asked(&auth, &db, body.0, funnels::report).await?))
}

/// Report funnel as CSV
///
/// The same as a table for spreadsheets, one row for each stage and each later one, without what the pipeline brings in a day.
#[utoipa::path(
    tag = "Reports", operation_id = "report_funnel_as_csv", request_body = FunnelQuery,
    responses((status = 200, description = "How far opportunities came", body = ReportTable, content_type = "text/csv")),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/funnel.csv")]
pub(crate) async fn report_funnel_as_csv(
    auth: Auth<OpportunitiesRead>,
    body: Json<FunnelQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    csv(&asked(&auth, &db, body.0, funnels::report).await?.table())
}

/// Report activity
///
/// What each user has done in a period: opportunities created, moved, won and lost, leads created, moved and converted, tasks
/// completed. `definition` says what the figures mean. It counts records that the caller may see.
#[utoipa::path(
    tag = "Reports", operation_id = "report_activity", request_body = ActivityQuery,
    responses((status = 200, description = "What was done in the period", body = ActivityReport)),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/activity")]
pub(crate) async fn report_activity(
    auth: Auth<OpportunitiesRead>,
    body: Json<ActivityQuery>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<ActivityReport>> {
    Ok(web::Json(asked(&auth, &db, body.0, activities::report).await?))
}

/// Report activity as CSV
///
/// The same as a table for spreadsheets, one row for each user. The last row is the total.
#[utoipa::path(
    tag = "Reports", operation_id = "report_activity_as_csv", request_body = ActivityQuery,
    responses((status = 200, description = "What was done in the period", body = ReportTable, content_type = "text/csv")),
    security(("bearer" = ["opportunities:read"]))
)]
#[post("/reports/activity.csv")]
pub(crate) async fn report_activity_as_csv(
    auth: Auth<OpportunitiesRead>,
    body: Json<ActivityQuery>,
    db: web::Data<Db>,
) -> ApiResult<HttpResponse> {
    csv(&asked(&auth, &db, body.0, activities::report).await?.table())
}

/// What a report tells, when it is its turn among others that take long.
async fn asked<Q, T>(
    auth: &Auth<OpportunitiesRead>,
    db: &Db,
    query: Q,
    report: fn(&mut Reader<'_>, &Q) -> Result<T, StoreError>,
) -> ApiResult<T>
where
    Q: Send + 'static,
    T: Send + 'static,
{
    Ok(db.for_long_work().read(&auth.scope(), move |reader| report(reader, &query)).await?)
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
