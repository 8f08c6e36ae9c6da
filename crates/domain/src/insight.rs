//! What the records tell when they are put together: reports and forecasts.

pub mod activity;
pub mod forecast;
pub mod funnel;
pub mod pipeline_report;
pub mod report;
pub mod score;
pub mod score_definition;
pub mod score_quality;
mod statistics;
mod survival;
pub mod win_rate;
