//! Who may do what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What kind of somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    ApiKey,
    System,
}

impl ActorKind {
    /// Its word in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::System => "system",
        }
    }
}

/// Who acts: a user, a program with an API key, or Rapport on its own.
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
    /// Create, change and restore contacts.
    ContactsWrite = "contacts:write";
    /// Delete contacts.
    ContactsDelete = "contacts:delete";
    /// See companies and their history.
    CompaniesRead = "companies:read";
    /// Create, change and restore companies.
    CompaniesWrite = "companies:write";
    /// Delete companies.
    CompaniesDelete = "companies:delete";
}

impl Permission {
    /// The permission with this scope.
    pub fn from_scope(scope: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.scope() == scope)
    }

    fn bit(self) -> u64 {
        1 << (self as u32)
    }
}

/// What somebody is in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    Admin,
    /// May do everything with records.
    Manager,
    /// May see, create and change records.
    Agent,
    /// May see records.
    ReadOnly,
}

impl Role {
    pub const ALL: &'static [Self] = &[Self::Admin, Self::Manager, Self::Agent, Self::ReadOnly];

    /// Its word in the API, on the command line and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::ReadOnly => "read_only",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }

    /// The fixed table of what a role may do.
    pub fn permissions(self) -> Permissions {
        let allowed = |permission: &Permission| match self {
            Self::Admin | Self::Manager => true,
            Self::Agent => !permission.scope().ends_with(":delete"),
            Self::ReadOnly => permission.scope().ends_with(":read"),
        };
        Permission::ALL.iter().copied().filter(allowed).collect()
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u64);

impl Permissions {
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
    fn each_role_may_no_less_than_the_one_below() {
        for pair in Role::ALL.windows(2) {
            let (above, below) = (pair[0].permissions(), pair[1].permissions());
            assert_eq!(above.and(below), below);
        }
    }

    #[test]
    fn a_reader_reads_and_an_agent_does_not_delete() {
        assert!(Role::ReadOnly.permissions().scopes().iter().all(|scope| scope.ends_with(":read")));
        assert!(!Role::Agent.permissions().allow(Permission::ContactsDelete));
        assert!(Role::Agent.permissions().allow(Permission::ContactsWrite));
    }

    #[test]
    fn scopes_are_found_by_name() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_scope(permission.scope()), Some(*permission));
        }
        assert_eq!(Permission::from_scope("contacts:fly"), None);
    }
}
