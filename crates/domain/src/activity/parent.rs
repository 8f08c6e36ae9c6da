//! The record that a task or a note is about.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{access::Resource, record::RecordKind};

/// The record that another one is about. When it is deleted, whatever is about it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "contact", "id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5c"}))]
pub struct Parent {
    /// What kind of record it is.
    pub kind: ParentKind,
    /// Its id.
    pub id: Uuid,
}

/// The kinds of records that tasks and notes can be about. More values will follow: treat an unknown one as one you do not
/// handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParentKind {
    Contact,
    Company,
    Lead,
    Opportunity,
    Product,
}

impl ParentKind {
    /// What such a record is.
    pub fn kind(self) -> RecordKind {
        match self {
            Self::Contact => RecordKind::Contact,
            Self::Company => RecordKind::Company,
            Self::Lead => RecordKind::Lead,
            Self::Opportunity => RecordKind::Opportunity,
            Self::Product => RecordKind::Product,
        }
    }

    /// The resource that such a record belongs to.
    pub fn resource(self) -> Resource {
        match self {
            Self::Contact => Resource::Contacts,
            Self::Company => Resource::Companies,
            Self::Lead => Resource::Leads,
            Self::Opportunity => Resource::Opportunities,
            Self::Product => Resource::Products,
        }
    }
}
