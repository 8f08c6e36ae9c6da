//! What the records tell when they are put together.

mod reports;

use utoipa_actix_web::service_config::ServiceConfig;

/// The routes of this room.
pub(crate) fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(reports::report_pipeline)
        .service(reports::report_pipeline_as_csv)
        .service(reports::report_forecast)
        .service(reports::report_forecast_as_csv);
}
