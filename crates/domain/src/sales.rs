//! From the first sign of interest to the deal.

pub mod assignment_rule;
pub mod capture_form;
pub mod exchange_rate;
pub mod lead;
pub mod lead_status;
pub mod lost_reason;
pub mod opportunity;
pub mod pipeline;
pub mod product;
