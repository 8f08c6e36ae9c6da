//! Roles: what users may do.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::{FieldRule, Grant, Grants, Permission, Permissions, Reach, Resource, StandardRole},
    id::RoleId,
    problem::{Fields, Invalid},
    record::Stamp,
    text,
};

/// What users may do. Several roles of one user add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Role {
    /// Identifies the role for ever.
    #[schema(value_type = Uuid)]
    pub id: RoleId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// Its name, which no other role has.
    #[schema(example = "Inside sales")]
    pub name: String,
    /// What the role is for.
    #[schema(example = "Sees the records of the own team, changes their own.")]
    pub description: Option<String>,
    /// May do everything, also what later versions of Rapport add. Rules and permissions don't count then.
    #[schema(example = false)]
    pub is_admin: bool,
    /// What it may do with the records of each resource. A resource that is not listed is closed, unless `others` is.
    pub rules: Vec<AccessRule>,
    /// What it may do beyond records.
    #[schema(example = json!(["users:read", "teams:read"]))]
    pub permissions: Vec<String>,
}

/// A role, as its users see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoleSummary {
    /// Identifies the role.
    #[schema(value_type = Uuid)]
    pub id: RoleId,
    /// Its name.
    #[schema(example = "agent")]
    pub name: String,
}

/// What a role may do with the records of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"resource": "contacts", "read": "team", "write": "own", "create": true}))]
pub struct AccessRule {
    /// The records meant.
    pub resource: RuleResource,
    /// Which of them may be seen; none unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub read: Reach,
    /// Which of them may be changed, at most as many as may be seen; none unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub write: Reach,
    /// Whether records may be created.
    #[serde(default)]
    #[schema(default = false)]
    pub create: bool,
    /// Whether records that may be changed may be deleted, too.
    #[serde(default)]
    #[schema(default = false)]
    pub delete: bool,
    /// Fields that may be read; all unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub readable_fields: FieldRule,
    /// Fields that may be written, of those that may be read; all unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub writable_fields: FieldRule,
}

/// The records that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleResource {
    Contacts,
    Companies,
    Tasks,
    Notes,
    Opportunities,
    Leads,
    Products,
    /// All resources without a rule of their own, also those that later versions of Rapport add.
    Others,
}

/// A role to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "Inside sales",
    "description": "Sees the records of the own team, changes their own.",
    "rules": [
        {"resource": "contacts", "read": "team", "write": "own", "create": true},
        {"resource": "companies", "read": "all", "readable_fields": {"mode": "all_but", "fields": ["tax_id"]}}
    ],
    "permissions": ["users:read", "teams:read"]
}))]
pub struct NewRole {
    /// Its name, which no other role has.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// What the role is for.
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
    /// May do everything, also what later versions of Rapport add.
    #[schema(default = false)]
    pub is_admin: bool,
    /// What it may do with the records of each resource.
    #[schema(max_items = 50)]
    pub rules: Vec<AccessRule>,
    /// What it may do beyond records.
    #[schema(value_type = Vec<PermissionName>, max_items = 100)]
    pub permissions: Vec<String>,
}

/// Changes to a role, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"description": "Also sees the teams below.", "rules": [{"resource": "contacts", "read": "team_tree"}]}))]
pub struct RolePatch {
    /// Its name, which no other role has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What the role is for.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<Option<String>>,
    /// May do everything, also what later versions of Rapport add.
    #[schema(nullable = false)]
    pub is_admin: Option<bool>,
    /// What it may do with the records of each resource. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 50)]
    pub rules: Option<Option<Vec<AccessRule>>>,
    /// What it may do beyond records. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<PermissionName>>, max_items = 100)]
    pub permissions: Option<Option<Vec<String>>>,
}

/// The name of a permission: the schema alone.
pub(crate) struct PermissionName;

impl utoipa::PartialSchema for PermissionName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let text = utoipa::openapi::schema::ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
        let text = text.description(Some("Name of a permission, such as `users:read`."));
        text.min_length(Some(1)).max_length(Some(100)).into()
    }
}

impl ToSchema for PermissionName {}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RoleQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl Role {
    /// A new role.
    pub fn create(new: NewRole, id: RoleId, stamp: Stamp) -> Result<Self, Invalid> {
        let role = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            description: new.description,
            is_admin: new.is_admin,
            rules: new.rules,
            permissions: new.permissions,
        };
        role.checked()
    }

    /// One of the roles with which a workspace begins.
    pub fn standard(role: StandardRole, id: RoleId, stamp: Stamp) -> Self {
        let (description, permissions): (_, &[&str]) = match role {
            StandardRole::Admin => ("Does everything.", &[]),
            StandardRole::Manager => (
                "Does everything with records, and sees who works with them.",
                &["custom_fields:read", "roles:read", "sales_settings:write", "teams:read", "users:read"],
            ),
            StandardRole::Agent => {
                ("Sees, creates and changes records.", &["custom_fields:read", "teams:read", "users:read"])
            }
            StandardRole::ReadOnly => ("Sees records.", &["custom_fields:read", "teams:read", "users:read"]),
        };
        let records = match role {
            StandardRole::Admin => None,
            StandardRole::Manager => Some(Grant::ALL),
            StandardRole::Agent => Some(Grant { delete: false, ..Grant::ALL }),
            StandardRole::ReadOnly => Some(Grant { write: Reach::None, create: false, delete: false, ..Grant::ALL }),
        };
        Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: role.as_str().to_owned(),
            description: Some(description.to_owned()),
            is_admin: role == StandardRole::Admin,
            rules: records.map(|grant| AccessRule::new(RuleResource::Others, grant)).into_iter().collect(),
            permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// The role as it would be after a patch.
    pub fn patch(&self, patch: RolePatch) -> Result<Self, Invalid> {
        let role = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            is_admin: patch.is_admin.unwrap_or(self.is_admin),
            rules: patch.rules.map_or_else(|| self.rules.clone(), Option::unwrap_or_default),
            permissions: patch.permissions.map_or_else(|| self.permissions.clone(), Option::unwrap_or_default),
            ..*self
        };
        role.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// What somebody with this role alone may do.
    pub fn grants(&self) -> Grants {
        merged([self])
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A role needs a name.");
        }
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(&format!("/rules/{index}"), &mut fields);
            if self.rules[..index].iter().any(|other| other.resource == rule.resource) {
                let detail = "There is a rule for this resource already. Make one of both.";
                fields.refuse(format!("/rules/{index}/resource"), "repeated", detail);
            }
        }
        self.permissions.sort();
        self.permissions.dedup();
        for (index, name) in self.permissions.iter().enumerate() {
            if !grantable().any(|permission| permission.scope() == name) {
                let known = grantable().map(Permission::scope).collect::<Vec<_>>().join(", ");
                let detail =
                    format!("There is no such permission here. There are: {known}. Records have rules instead.");
                fields.refuse(format!("/permissions/{index}"), "unknown_permission", detail);
            }
        }
        fields.verdict().map(|()| self)
    }
}

/// Permissions that a role names: those on records follow from its rules.
fn grantable() -> impl Iterator<Item = Permission> {
    Permission::ALL.iter().copied().filter(|permission| permission.resource().is_none())
}

/// What several roles allow together: of each right, the widest.
pub fn merged<'r>(roles: impl IntoIterator<Item = &'r Role>) -> Grants {
    let mut grants = vec![Grant::NONE; Resource::ALL.len()];
    let mut permissions = Permissions::default();
    for role in roles {
        if role.is_admin {
            return Grants::everything();
        }
        for (resource, grant) in Resource::ALL.iter().zip(&mut grants) {
            *grant = grant.or(&role.grant(*resource));
        }
        let named = role.permissions.iter().filter_map(|name| Permission::from_scope(name));
        permissions = permissions.or(named.collect());
    }
    Grants::new(grants, permissions)
}

impl Role {
    fn grant(&self, resource: Resource) -> Grant {
        let of = |wanted: RuleResource| self.rules.iter().find(|rule| rule.resource == wanted);
        let rule = of(RuleResource::from(resource)).or_else(|| of(RuleResource::Others));
        rule.map_or(Grant::NONE, AccessRule::grant)
    }
}

impl From<Resource> for RuleResource {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Contacts => Self::Contacts,
            Resource::Companies => Self::Companies,
            Resource::Tasks => Self::Tasks,
            Resource::Notes => Self::Notes,
            Resource::Opportunities => Self::Opportunities,
            Resource::Leads => Self::Leads,
            Resource::Products => Self::Products,
        }
    }
}

impl AccessRule {
    fn new(resource: RuleResource, grant: Grant) -> Self {
        Self {
            resource,
            read: grant.read,
            write: grant.write,
            create: grant.create,
            delete: grant.delete,
            readable_fields: grant.readable,
            writable_fields: grant.writable,
        }
    }

    fn grant(&self) -> Grant {
        Grant {
            read: self.read,
            write: self.write,
            create: self.create,
            delete: self.delete,
            readable: self.readable_fields.clone(),
            // What is not seen is not written.
            writable: self.writable_fields.and(&self.readable_fields),
        }
    }

    fn check(&self, pointer: &str, fields: &mut Fields) {
        if self.write > self.read {
            let detail = "What may be changed has to be seen. Let `read` reach at least as far as `write`.";
            fields.refuse(format!("{pointer}/write"), "beyond_read", detail);
        }
        for (name, rule) in [("readable_fields", &self.readable_fields), ("writable_fields", &self.writable_fields)] {
            for (index, field) in rule.fields.iter().enumerate() {
                if !self.resource.fields().any(|known| known == field) {
                    let detail = format!("{field} is no field that can be closed. Check its name.");
                    fields.refuse(format!("{pointer}/{name}/fields/{index}"), "unknown_field", detail);
                }
            }
        }
    }
}

impl RuleResource {
    /// The fields that a rule can name.
    fn fields(self) -> impl Iterator<Item = &'static str> {
        let of = move |resource: &&Resource| self == Self::Others || Self::from(**resource) == self;
        Resource::ALL.iter().filter(of).flat_map(|resource| resource.fields()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    fn standard(role: StandardRole) -> Role {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Role::standard(role, RoleId::mint(), Stamp::new(at, None, Source::Api))
    }

    #[test]
    fn standard_roles_obey_the_rules_and_may_no_less_than_those_below() {
        for pair in StandardRole::ALL.windows(2) {
            let (above, below) = (standard(pair[0]), standard(pair[1]));
            assert!(above.grants().cover(&below.grants()), "{} {}", above.name, below.name);
            assert!(!below.grants().cover(&above.grants()), "{} {}", above.name, below.name);
            assert_eq!(above.clone().checked().unwrap(), above);
        }
    }

    #[test]
    fn a_reader_reads_and_an_agent_does_not_delete() {
        let reader = standard(StandardRole::ReadOnly).grants();
        assert!(reader.permissions().scopes().iter().all(|scope| scope.ends_with(":read")));
        let agent = standard(StandardRole::Agent).grants();
        assert!(!agent.allow(Permission::ContactsDelete) && agent.allow(Permission::ContactsWrite));
    }

    #[test]
    fn a_rule_of_its_own_replaces_the_one_for_others() {
        let mut role = standard(StandardRole::Manager);
        role.rules.push(AccessRule::new(RuleResource::Contacts, Grant::NONE));
        assert!(!role.grants().allow(Permission::ContactsRead) && role.grants().allow(Permission::CompaniesRead));
        let reader = standard(StandardRole::ReadOnly);
        assert!(merged([&role, &reader]).allow(Permission::ContactsRead), "several roles add up");
    }

    #[test]
    fn a_role_that_contradicts_itself_is_refused() {
        let new = NewRole {
            name: " ".to_owned(),
            rules: vec![
                AccessRule::new(RuleResource::Contacts, Grant { read: Reach::Own, ..Grant::ALL }),
                AccessRule::new(
                    RuleResource::Contacts,
                    Grant {
                        readable: FieldRule { fields: ["tax_id".to_owned()].into(), ..FieldRule::ALL },
                        ..Grant::ALL
                    },
                ),
            ],
            permissions: vec!["contacts:read".to_owned()],
            ..NewRole::default()
        };
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let invalid = Role::create(new, RoleId::mint(), Stamp::new(at, None, Source::Api)).unwrap_err();
        let found: Vec<_> =
            invalid.problems().iter().map(|problem| (problem.pointer.as_deref().unwrap(), &problem.code[..])).collect();
        let expected = [
            ("/name", "required"),
            ("/rules/0/write", "beyond_read"),
            ("/rules/1/readable_fields/fields/0", "unknown_field"),
            ("/rules/1/resource", "repeated"),
            ("/permissions/0", "unknown_permission"),
        ];
        assert_eq!(found, expected);
    }
}
