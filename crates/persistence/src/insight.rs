//! What the records tell when they are put together.

pub mod pipeline_reports;
pub mod score_definitions;
pub mod score_quality;
pub mod scores;
pub mod scoring;
