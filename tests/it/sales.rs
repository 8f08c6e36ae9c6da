//! From the first sign of interest to the deal.

mod assignment_rules;
mod capture_forms;
mod conversions;
mod exchange_rates;
mod lead_statuses;
mod leads;
mod lost_reasons;
mod opportunities;
mod pipelines;
mod products;
