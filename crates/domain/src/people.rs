//! People and organisations.

pub mod company;
pub mod contact;
pub mod contact_point;
pub mod duplicate;
pub mod export;
pub mod import;
