//! From the first sign of interest to the deal.

pub mod lost_reasons;
pub mod opportunities;
pub mod pipelines;
