//! What the records tell when they are put together.

mod among;
mod names;
pub mod pipeline_reports;
mod statement;
