//! Who may do what.

mod explanation;
mod fields;
mod grants;
mod resource;

pub use self::{
    explanation::{AccessExplanation, AccessReason, Part, RightExplanation, Standing, Subject},
    fields::{FieldMode, FieldRule},
    grants::{Grant, Grants, Reach},
    resource::{ALWAYS, Resource, Right},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What kind of somebody acts. More kinds will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    ApiKey,
    System,
    /// A form of a web page, which somebody unknown has sent.
    CaptureForm,
}

impl ActorKind {
    /// Its word in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::System => "system",
            Self::CaptureForm => "capture_form",
        }
    }
}

/// Who acts: a user, a program with an API key, a form of a web page, or Rapport on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: Option<Uuid>,
}

impl Actor {
    /// Rapport itself.
    pub const SYSTEM: Self = Self { kind: ActorKind::System, id: None };
}

/// Declares the permissions with their scopes, the names under which API keys and documents know them.
macro_rules! permissions {
    ($($(#[doc = $doc:literal])* $name:ident = $scope:literal;)+) => {
        /// Something that a caller may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission {
            $($(#[doc = $doc])* $name,)+
        }

        impl Permission {
            /// All there are, in the order of the document.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name as a scope: `contacts:read`.
            pub fn scope(self) -> &'static str {
                match self {
                    $(Self::$name => $scope,)+
                }
            }

            /// What it is for, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc,)*).trim_ascii(),)+
                }
            }
        }
    };
}

permissions! {
    /// See contacts and their history.
    ContactsRead = "contacts:read";
    /// Create contacts.
    ContactsCreate = "contacts:create";
    /// Change and restore contacts, and share them.
    ContactsWrite = "contacts:write";
    /// Delete contacts.
    ContactsDelete = "contacts:delete";
    /// See companies and their history.
    CompaniesRead = "companies:read";
    /// Create companies.
    CompaniesCreate = "companies:create";
    /// Change and restore companies, and share them.
    CompaniesWrite = "companies:write";
    /// Delete companies.
    CompaniesDelete = "companies:delete";
    /// See tasks and their history.
    TasksRead = "tasks:read";
    /// Create tasks.
    TasksCreate = "tasks:create";
    /// Change, complete, cancel, reopen and restore tasks, and share them.
    TasksWrite = "tasks:write";
    /// Delete tasks.
    TasksDelete = "tasks:delete";
    /// See opportunities and their history.
    OpportunitiesRead = "opportunities:read";
    /// Create opportunities.
    OpportunitiesCreate = "opportunities:create";
    /// Change, move, win, lose, reopen and restore opportunities, and share them.
    OpportunitiesWrite = "opportunities:write";
    /// Delete opportunities.
    OpportunitiesDelete = "opportunities:delete";
    /// See leads and their history.
    LeadsRead = "leads:read";
    /// Create leads.
    LeadsCreate = "leads:create";
    /// Change, move and restore leads, and share them.
    LeadsWrite = "leads:write";
    /// Delete leads.
    LeadsDelete = "leads:delete";
    /// See products and their history.
    ProductsRead = "products:read";
    /// Create products.
    ProductsCreate = "products:create";
    /// Change and restore products, and share them.
    ProductsWrite = "products:write";
    /// Delete products.
    ProductsDelete = "products:delete";
    /// See who works in the workspace.
    UsersRead = "users:read";
    /// Invite, change, activate and deactivate users, and hand over what they own.
    UsersWrite = "users:write";
    /// See the teams.
    TeamsRead = "teams:read";
    /// Create, change and delete teams.
    TeamsWrite = "teams:write";
    /// See the roles, and why somebody may see a record.
    RolesRead = "roles:read";
    /// Create, change and delete roles.
    RolesWrite = "roles:write";
    /// See the connections to outside systems.
    ConnectionsRead = "connections:read";
    /// Create, change and delete connections to outside systems.
    ConnectionsWrite = "connections:write";
    /// See the webhooks and what was sent to them.
    WebhooksRead = "webhooks:read";
    /// Create, change, test, replay and delete webhooks that tell of what one may read oneself.
    WebhooksWrite = "webhooks:write";
    /// Create, change and delete what sales choose from, such as pipelines and lost reasons.
    SalesSettingsWrite = "sales_settings:write";
    /// Change and delete the views of others.
    ViewsWrite = "views:write";
    /// See the custom fields.
    CustomFieldsRead = "custom_fields:read";
    /// Create, change, archive and restore custom fields.
    CustomFieldsWrite = "custom_fields:write";
    /// See the API keys.
    ApiKeysRead = "api_keys:read";
    /// Create, change and revoke API keys.
    ApiKeysWrite = "api_keys:write";
    /// See who signed in and who changed whose rights.
    AuditRead = "audit:read";
    /// See notes and their history.
    NotesRead = "notes:read";
    /// Create notes.
    NotesCreate = "notes:create";
    /// Change and restore notes, and share them.
    NotesWrite = "notes:write";
    /// Delete notes.
    NotesDelete = "notes:delete";
}

impl Permission {
    /// The permission with this scope.
    pub fn from_scope(scope: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.scope() == scope)
    }

    /// The resource whose records it is about, if it is about records.
    pub fn resource(self) -> Option<Resource> {
        self.scope().split_once(':').and_then(|(resource, _)| Resource::parse(resource))
    }

    fn bit(self) -> u64 {
        1 << (self as u32)
    }
}

/// The roles with which every workspace begins. It may change them and add others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardRole {
    /// May do everything.
    Admin,
    /// May do everything with records.
    Manager,
    /// May see, create and change records.
    Agent,
    /// May see records.
    ReadOnly,
}

impl StandardRole {
    pub const ALL: &'static [Self] = &[Self::Admin, Self::Manager, Self::Agent, Self::ReadOnly];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::ReadOnly => "read_only",
        }
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u64);

impl Permissions {
    /// Every permission there is.
    pub const ALL: Self = Self((1 << Permission::ALL.len()) - 1);

    /// Whether all of the others are among these.
    pub fn covers(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Those in one set or the other.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this one is among them.
    pub fn allow(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Those in both sets.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Their scopes, in the order of the document.
    pub fn scopes(self) -> Vec<&'static str> {
        Permission::ALL
            .iter()
            .filter(|permission| self.allow(**permission))
            .map(|permission| permission.scope())
            .collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_found_by_name() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_scope(permission.scope()), Some(*permission));
        }
        assert_eq!(Permission::from_scope("contacts:fly"), None);
    }

    #[test]
    fn a_set_covers_its_parts_alone() {
        let one: Permissions = [Permission::ContactsRead].into_iter().collect();
        assert!(Permissions::ALL.covers(one));
        assert!(!one.covers(Permissions::ALL));
        assert!(one.covers(Permissions::default()));
    }
}
