//! What there is to have rights on.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, Type, schema::ObjectBuilder},
};

use super::Permission;
use crate::{
    activity::{note::Note, task::Task},
    people::{company::Company, contact::Contact},
    record::RecordKind,
    sales::{lead::Lead, opportunity::Opportunity, product::Product},
};

/// Records that have an owner, so that rights on them differ from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Contacts,
    Companies,
    Opportunities,
    Products,
    Tasks,
    Leads,
    Notes,
}

/// What may be done with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    Read,
    Create,
    Write,
    Delete,
}

/// Fields that are part of every record, whatever was asked for and whatever the caller may see.
pub const ALWAYS: &[&str] = &["id", "version", "created_at", "updated_at", "expanded"];

/// Fields that no role closes.
pub(super) fn is_open(field: &str) -> bool {
    field == "deleted_at" || ALWAYS.contains(&field)
}

impl Resource {
    pub const ALL: &'static [Self] =
        &[Self::Contacts, Self::Companies, Self::Opportunities, Self::Products, Self::Tasks, Self::Leads, Self::Notes];

    /// Its name in addresses and scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Companies => "companies",
            Self::Tasks => "tasks",
            Self::Notes => "notes",
            Self::Opportunities => "opportunities",
            Self::Leads => "leads",
            Self::Products => "products",
        }
    }

    /// The resource of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource| resource.as_str() == name)
    }

    /// What one of its records is.
    pub fn kind(self) -> RecordKind {
        match self {
            Self::Contacts => RecordKind::Contact,
            Self::Companies => RecordKind::Company,
            Self::Tasks => RecordKind::Task,
            Self::Notes => RecordKind::Note,
            Self::Opportunities => RecordKind::Opportunity,
            Self::Leads => RecordKind::Lead,
            Self::Products => RecordKind::Product,
        }
    }

    /// The resource whose records are of this kind.
    pub fn of(kind: RecordKind) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource| resource.kind() == kind)
    }

    /// The permission that stands for a right on it.
    pub fn permission(self, right: Right) -> Permission {
        match (self, right) {
            (Self::Contacts, Right::Read) => Permission::ContactsRead,
            (Self::Contacts, Right::Create) => Permission::ContactsCreate,
            (Self::Contacts, Right::Write) => Permission::ContactsWrite,
            (Self::Contacts, Right::Delete) => Permission::ContactsDelete,
            (Self::Companies, Right::Read) => Permission::CompaniesRead,
            (Self::Companies, Right::Create) => Permission::CompaniesCreate,
            (Self::Companies, Right::Write) => Permission::CompaniesWrite,
            (Self::Companies, Right::Delete) => Permission::CompaniesDelete,
            (Self::Tasks, Right::Read) => Permission::TasksRead,
            (Self::Tasks, Right::Create) => Permission::TasksCreate,
            (Self::Tasks, Right::Write) => Permission::TasksWrite,
            (Self::Tasks, Right::Delete) => Permission::TasksDelete,
            (Self::Notes, Right::Read) => Permission::NotesRead,
            (Self::Notes, Right::Create) => Permission::NotesCreate,
            (Self::Notes, Right::Write) => Permission::NotesWrite,
            (Self::Notes, Right::Delete) => Permission::NotesDelete,
            (Self::Opportunities, Right::Read) => Permission::OpportunitiesRead,
            (Self::Opportunities, Right::Create) => Permission::OpportunitiesCreate,
            (Self::Opportunities, Right::Write) => Permission::OpportunitiesWrite,
            (Self::Opportunities, Right::Delete) => Permission::OpportunitiesDelete,
            (Self::Leads, Right::Read) => Permission::LeadsRead,
            (Self::Leads, Right::Create) => Permission::LeadsCreate,
            (Self::Leads, Right::Write) => Permission::LeadsWrite,
            (Self::Leads, Right::Delete) => Permission::LeadsDelete,
            (Self::Products, Right::Read) => Permission::ProductsRead,
            (Self::Products, Right::Create) => Permission::ProductsCreate,
            (Self::Products, Right::Write) => Permission::ProductsWrite,
            (Self::Products, Right::Delete) => Permission::ProductsDelete,
        }
    }

    /// The fields of its records that a role may close.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Contacts => Contact::FIELDS,
            Self::Companies => Company::FIELDS,
            Self::Tasks => Task::FIELDS,
            Self::Notes => Note::FIELDS,
            Self::Opportunities => Opportunity::FIELDS,
            Self::Leads => Lead::FIELDS,
            Self::Products => Product::FIELDS,
        }
    }
}

impl Resource {
    /// The fields that a field is made of.
    pub fn sources(self, field: &str) -> &'static [&'static str] {
        match (self, field) {
            (Self::Contacts, "name") => Contact::NAME_SOURCES,
            (Self::Leads, "name") => Lead::NAME_SOURCES,
            _ => &[],
        }
    }
}

/// The name of a field: the schema alone.
pub(crate) struct FieldName;

impl PartialSchema for FieldName {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("Name of a field."));
        text.min_length(Some(1)).max_length(Some(100)).into()
    }
}

impl ToSchema for FieldName {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grants are kept by the number of the resource.
    #[test]
    fn all_resources_are_listed_in_the_order_of_their_numbers() {
        let numbers: Vec<usize> = Resource::ALL.iter().map(|resource| *resource as usize).collect();
        assert_eq!(numbers, (0..Resource::ALL.len()).collect::<Vec<_>>());
    }
}
