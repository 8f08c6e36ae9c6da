//! What the records tell when they are put together.

mod pipeline_report;
mod scores;
