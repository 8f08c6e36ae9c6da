//! What the records tell when they are put together: reports and forecasts.

pub mod forecast;
pub mod pipeline_report;
pub mod report;
pub mod score;
pub mod score_definition;
pub mod score_quality;
pub mod statistics;
