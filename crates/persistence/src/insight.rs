//! What the records tell when they are put together.

mod among;
pub mod forecasts;
mod names;
pub mod pipeline_reports;
pub mod score_definitions;
pub mod score_quality;
pub mod scores;
pub mod scoring;
mod statement;
