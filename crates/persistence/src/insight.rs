//! What the records tell when they are put together.

mod among;
pub mod forecasts;
mod names;
pub mod pipeline_reports;
mod statement;
