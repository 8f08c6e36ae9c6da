//! From the first sign of interest to the deal.

mod lost_reasons;
mod opportunities;
mod pipelines;
