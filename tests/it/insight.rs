//! What the records tell when they are put together.

mod forecast;
mod past;
mod pipeline_report;
mod scores;
