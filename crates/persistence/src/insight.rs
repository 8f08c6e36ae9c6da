//! What the records tell when they are put together.

pub mod pipeline_reports;
