//! What one caller may do, compiled from all of their roles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{FieldRule, Permission, Permissions, Resource, Right, resource::is_open};

/// How far a right reaches. Whatever is shared with somebody is within every reach but `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// No record.
    #[default]
    None,
    /// Records that one owns.
    Own,
    /// And those of the teams one is in.
    Team,
    /// And those of the teams below.
    TeamTree,
    /// All records.
    All,
}

/// What may be done with the records of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    pub read: Reach,
    pub write: Reach,
    pub create: bool,
    /// May delete what it may write.
    pub delete: bool,
    pub readable: FieldRule,
    pub writable: FieldRule,
}

impl Grant {
    /// Everything.
    pub const ALL: Self = Self {
        read: Reach::All,
        write: Reach::All,
        create: true,
        delete: true,
        readable: FieldRule::ALL,
        writable: FieldRule::ALL,
    };

    /// Nothing.
    pub const NONE: Self = Self {
        read: Reach::None,
        write: Reach::None,
        create: false,
        delete: false,
        readable: FieldRule::NONE,
        writable: FieldRule::NONE,
    };

    /// What two roles allow together: of each right, the wider one. Fields count where the role gives the right at all.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            read: self.read.max(other.read),
            write: self.write.max(other.write),
            create: self.create || other.create,
            delete: self.delete || other.delete,
            readable: self.fields_read().or(&other.fields_read()),
            writable: self.fields_written().or(&other.fields_written()),
        }
    }

    /// Whether this allows all that the other does.
    pub fn covers(&self, other: &Self) -> bool {
        self.read >= other.read
            && self.write >= other.write
            && self.create >= other.create
            && self.delete >= other.delete
            && self.fields_read().covers(&other.fields_read())
            && self.fields_written().covers(&other.fields_written())
    }

    fn fields_read(&self) -> FieldRule {
        if self.read == Reach::None { FieldRule::NONE } else { self.readable.clone() }
    }

    fn fields_written(&self) -> FieldRule {
        if self.write == Reach::None && !self.create { FieldRule::NONE } else { self.writable.clone() }
    }

    fn has(&self, right: Right) -> bool {
        match right {
            Right::Read => self.read != Reach::None,
            Right::Create => self.create,
            Right::Write => self.write != Reach::None,
            Right::Delete => self.delete && self.write != Reach::None,
        }
    }

    fn without(&mut self, right: Right) {
        match right {
            Right::Read => {
                self.read = Reach::None;
                self.readable = FieldRule::NONE;
            }
            Right::Create => self.create = false,
            // What may be deleted is what may be written: the reach stays while one of both is allowed.
            Right::Write | Right::Delete => {}
        }
    }
}

/// What a caller may do: who they are for the rights on records, what their roles say of each resource, and the
/// permissions that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The user whose records are the caller's own; none for programs of the workspace and for Rapport itself.
    pub user: Option<Uuid>,
    /// The teams that the user is in, the main one first.
    pub teams: Vec<Uuid>,
    /// Those teams and all below them.
    pub team_tree: Vec<Uuid>,
    /// May do everything, also what later versions add.
    pub is_admin: bool,
    grants: Vec<Grant>,
    permissions: Permissions,
}

impl Grants {
    /// Everything: for Rapport itself and for programs of the workspace without scopes.
    pub fn everything() -> Self {
        Self {
            user: None,
            teams: Vec::new(),
            team_tree: Vec::new(),
            is_admin: true,
            grants: vec![Grant::ALL; Resource::ALL.len()],
            permissions: Permissions::ALL,
        }
    }

    /// What somebody may do: one grant for each resource in order, and what goes beyond records.
    pub fn new(mut grants: Vec<Grant>, permissions: Permissions) -> Self {
        debug_assert_eq!(grants.len(), Resource::ALL.len());
        // What one role lets create and another lets see: of what is seen, no field is written that is not read.
        for grant in grants.iter_mut().filter(|grant| grant.read != Reach::None) {
            grant.writable = grant.writable.and(&grant.readable);
        }
        let mut all = permissions;
        for (resource, grant) in Resource::ALL.iter().zip(&grants) {
            let rights = [Right::Read, Right::Create, Right::Write, Right::Delete];
            let given = rights.into_iter().filter(|right| grant.has(*right)).map(|right| resource.permission(right));
            all = all.or(given.collect());
        }
        Self { user: None, teams: Vec::new(), team_tree: Vec::new(), is_admin: false, grants, permissions: all }
    }

    /// What somebody may do who has rights on one resource alone.
    #[cfg(test)]
    pub(crate) fn on_one(resource: Resource, grant: Grant) -> Self {
        let of = |other: &Resource| if *other == resource { grant.clone() } else { Grant::NONE };
        Self::new(Resource::ALL.iter().map(of).collect(), Permissions::default())
    }

    /// The same for a user in teams.
    #[must_use]
    pub fn of_user(self, user: Uuid, teams: Vec<Uuid>, team_tree: Vec<Uuid>) -> Self {
        Self { user: Some(user), teams, team_tree, ..self }
    }

    /// What remains when only these permissions count, such as the scopes of an API key.
    #[must_use]
    pub fn narrowed(mut self, permissions: Permissions) -> Self {
        self.permissions = self.permissions.and(permissions);
        self.is_admin = self.is_admin && permissions.covers(Permissions::ALL);
        for (resource, grant) in Resource::ALL.iter().zip(&mut self.grants) {
            for right in [Right::Read, Right::Create] {
                if !self.permissions.allow(resource.permission(right)) {
                    grant.without(right);
                }
            }
            let may_write = [Right::Write, Right::Delete];
            if !may_write.into_iter().any(|right| self.permissions.allow(resource.permission(right))) {
                grant.write = Reach::None;
            }
        }
        self
    }

    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    pub fn allow(&self, permission: Permission) -> bool {
        self.permissions.allow(permission)
    }

    /// What may be done with the records of a resource.
    pub fn on(&self, resource: Resource) -> &Grant {
        // One for each resource in order: `new` and `everything` see to it.
        self.grants.get(resource as usize).unwrap_or(const { &Grant::NONE })
    }

    /// Whether a field may be read, and with it what it is made of.
    pub fn may_read(&self, resource: Resource, field: &str) -> bool {
        let readable = &self.on(resource).readable;
        let may = |field: &str| is_open(field) || readable.allows(field);
        // Custom fields are open or closed together: `custom.tier` is a part of `custom`.
        let field = field.split('.').next().unwrap_or(field);
        may(field) && resource.sources(field).iter().all(|source| may(source))
    }

    /// Whether a field is shown: as far as it is made of others, of those that may be read.
    pub fn shows(&self, resource: Resource, field: &str) -> bool {
        is_open(field) || self.on(resource).readable.allows(field)
    }

    /// Whether a field may be written.
    pub fn may_write(&self, resource: Resource, field: &str) -> bool {
        self.on(resource).writable.allows(field)
    }

    /// Whether whoever has these may give somebody those: nobody gives more than they have.
    pub fn cover(&self, others: &Self) -> bool {
        self.is_admin
            || (!others.is_admin
                && self.permissions.covers(others.permissions)
                && self.grants.iter().zip(&others.grants).all(|(mine, theirs)| mine.covers(theirs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team_readers() -> Grant {
        Grant { read: Reach::Team, ..Grant::NONE }
    }

    #[test]
    fn a_role_without_access_opens_no_field() {
        let nothing = Grant { readable: FieldRule::ALL, ..Grant::NONE };
        let names = FieldRule { mode: super::super::FieldMode::Only, fields: ["name".to_owned()].into() };
        let few = Grant { readable: names.clone(), ..team_readers() };
        assert_eq!(nothing.or(&few).readable, names);
    }

    #[test]
    fn scopes_narrow_reach() {
        let grants = Grants::everything().narrowed([Permission::ContactsWrite].into_iter().collect());
        assert_eq!(grants.on(Resource::Contacts).read, Reach::None);
        assert_eq!(grants.on(Resource::Contacts).write, Reach::All);
        assert!(!grants.on(Resource::Contacts).create);
        assert_eq!(grants.on(Resource::Companies).write, Reach::None);
        assert!(!grants.is_admin);
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        let mine = Grants::on_one(Resource::Contacts, team_readers());
        let more = Grants::on_one(Resource::Contacts, Grant { read: Reach::All, ..team_readers() });
        assert!(mine.cover(&mine) && more.cover(&mine) && !mine.cover(&more));
        assert!(Grants::everything().cover(&more) && !more.cover(&Grants::everything()));
    }
}
