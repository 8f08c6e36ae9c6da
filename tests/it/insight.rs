//! What the records tell when they are put together.

mod activity;
mod forecast;
mod funnel;
mod past;
mod pipeline_report;
mod scores;
mod win_rate;
