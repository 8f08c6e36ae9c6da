//! People and organisations.

pub mod company;
pub mod contact;
pub mod contact_point;
pub mod duplicate;
pub mod export;
pub mod import;

use crate::access::Resource;

/// The records of this room, which tables of other systems hold, too: what can be imported and exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeopleResource {
    Contacts,
    Companies,
}

impl PeopleResource {
    pub fn resource(self) -> Resource {
        match self {
            Self::Contacts => Resource::Contacts,
            Self::Companies => Resource::Companies,
        }
    }
}
