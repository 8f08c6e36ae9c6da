//! What the records tell when they are put together.

pub mod activities;
mod among;
pub mod forecasts;
pub mod funnels;
mod names;
pub mod pipeline_reports;
pub mod score_definitions;
pub mod score_quality;
pub mod scores;
pub mod scoring;
mod statement;
pub mod win_rates;
