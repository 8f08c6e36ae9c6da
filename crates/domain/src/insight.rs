//! What the records tell when they are put together: reports and forecasts.

pub mod forecast;
pub mod pipeline_report;
pub mod report;
pub mod statistics;
