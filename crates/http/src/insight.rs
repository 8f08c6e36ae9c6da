//! What the records tell when they are put together.

mod reports;
mod score_definitions;
mod scores;

use crate::routes::Routes;

/// The routes of this room.
pub(crate) fn configure(routes: &mut impl Routes) {
    routes
        .service(reports::report_pipeline)
        .service(reports::report_pipeline_as_csv)
        .service(reports::report_forecast)
        .service(reports::report_forecast_as_csv)
        .service(reports::report_win_rate)
        .service(reports::report_win_rate_as_csv)
        .service(reports::report_funnel)
        .service(reports::report_funnel_as_csv)
        .service(reports::report_activity)
        .service(reports::report_activity_as_csv)
        .service(scores::get_lead_score)
        .service(scores::list_lead_score_changes)
        .service(score_definitions::list_score_definitions)
        .service(score_definitions::create_score_definition)
        .service(score_definitions::get_score_definition)
        .service(score_definitions::update_score_definition)
        .service(score_definitions::delete_score_definition)
        .service(score_definitions::publish_score_definition)
        .service(score_definitions::archive_score_definition)
        .service(score_definitions::get_score_definition_quality)
        .service(score_definitions::list_score_definition_history)
        .service(score_definitions::list_score_definition_versions);
}
