//! From the first sign of interest to the deal.

mod lead_statuses;
mod lost_reasons;
mod opportunities;
mod pipelines;
