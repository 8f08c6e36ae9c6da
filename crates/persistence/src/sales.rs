//! From the first sign of interest to the deal.

pub mod assignment_rules;
pub mod capture_forms;
pub mod exchange_rates;
pub mod lead_statuses;
pub mod leads;
pub mod lost_reasons;
pub mod opportunities;
pub mod pipelines;
pub mod products;
