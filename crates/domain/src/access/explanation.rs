//! Why somebody may, or may not, do something with a record.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Grants, Reach, Resource, Right};
use crate::{
    id::{RoleId, ShareId, UserId},
    workspace::{
        role::{self, Role},
        share::{Share, ShareAccess},
    },
};

/// What a user may do with a record, and which rules let or stop them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AccessExplanation {
    /// The resource that the record belongs to.
    pub resource: Resource,
    /// The record.
    pub record_id: Uuid,
    /// The user.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// Seeing, changing and deleting, each with the rules that decide it.
    pub rights: Vec<RightExplanation>,
    /// Fields that the user may not read.
    #[schema(example = json!(["birthday"]))]
    pub closed_fields: Vec<String>,
    /// Fields that the user may read and not write.
    #[schema(example = json!(["owner_id"]))]
    pub read_only_fields: Vec<String>,
}

/// Whether a user may do one thing with a record, and why.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RightExplanation {
    /// What is to be done.
    pub right: Right,
    /// Whether the user may.
    pub allowed: bool,
    /// What lets them or stops them. One that lets is enough, unless the user can't sign in.
    pub reasons: Vec<AccessReason>,
}

/// A rule and what comes of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AccessReason {
    /// Whether it lets the user.
    pub lets: bool,
    /// The role whose rule it is; null for what is no rule of a role.
    #[schema(required, value_type = Option<Uuid>)]
    pub role_id: Option<RoleId>,
    /// The share; null for what is no share.
    #[schema(required, value_type = Option<Uuid>)]
    pub share_id: Option<ShareId>,
    /// The same in words.
    #[schema(example = "The role agent lets them see the records of their teams, and this is one of them.")]
    pub detail: String,
}

/// A record, as far as rights on it go.
#[derive(Clone, Debug)]
pub struct Subject {
    pub resource: Resource,
    pub id: Uuid,
    pub owner: Option<Uuid>,
    pub team: Option<Uuid>,
    /// Shares of the record with the user or their teams that have not ended.
    pub shares: Vec<Share>,
    /// What part the user has in it, whoever owns it.
    pub part: Option<Part>,
}

/// What part somebody has in a record that they don't own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// They are to do the task.
    Assignee,
    /// They help with the task.
    Collaborator,
    /// The note mentions them.
    Mentioned,
}

/// A user, as far as rights go.
#[derive(Clone, Debug)]
pub struct Standing {
    pub user: UserId,
    /// Whether they can sign in.
    pub is_active: bool,
    pub roles: Vec<Role>,
    pub teams: Vec<Uuid>,
    pub team_tree: Vec<Uuid>,
}

impl Standing {
    /// What the roles allow together.
    pub fn grants(&self) -> Grants {
        role::merged(&self.roles).of_user(self.user.uuid(), self.teams.clone(), self.team_tree.clone())
    }

    /// Why the user may, or may not, see, change and delete a record.
    pub fn explain(&self, subject: &Subject) -> AccessExplanation {
        let grants = self.grants();
        let may_read = |field: &&&str| grants.may_read(subject.resource, field);
        let may_write = |field: &&&str| grants.may_write(subject.resource, field);
        let named = |fields: Vec<&&str>| fields.into_iter().map(|field| (*field).to_owned()).collect();
        let fields = subject.resource.fields();
        AccessExplanation {
            resource: subject.resource,
            record_id: subject.id,
            user_id: self.user,
            rights: [Right::Read, Right::Write, Right::Delete]
                .into_iter()
                .map(|right| self.explain_right(subject, right, &grants))
                .collect(),
            closed_fields: named(fields.iter().filter(|field| !may_read(field)).collect()),
            read_only_fields: named(fields.iter().filter(|field| may_read(field) && !may_write(field)).collect()),
        }
    }

    fn explain_right(&self, subject: &Subject, right: Right, grants: &Grants) -> RightExplanation {
        let mut reasons: Vec<AccessReason> =
            self.roles.iter().map(|role| self.reason_of_role(role, subject, right)).collect();
        let has_reach = match right {
            Right::Read | Right::Create => grants.on(subject.resource).read != Reach::None,
            Right::Write | Right::Delete => grants.on(subject.resource).write != Reach::None,
        };
        reasons.extend(subject.shares.iter().map(|share| reason_of_share(share, right, has_reach)));
        reasons.extend(subject.part.map(|part| reason_of_part(part, right, has_reach)));
        let mut allowed = reasons.iter().any(|reason| reason.lets);
        if right == Right::Delete && !grants.on(subject.resource).delete {
            let detail = "No role lets them delete such records.".to_owned();
            reasons.push(AccessReason { lets: false, role_id: None, share_id: None, detail });
            allowed = false;
        }
        if !self.is_active {
            let detail = "The user can't sign in.".to_owned();
            reasons.insert(0, AccessReason { lets: false, role_id: None, share_id: None, detail });
            allowed = false;
        }
        if reasons.is_empty() {
            let detail = "The user has no role.".to_owned();
            reasons.push(AccessReason { lets: false, role_id: None, share_id: None, detail });
        }
        RightExplanation { right, allowed, reasons }
    }

    fn reason_of_role(&self, role: &Role, subject: &Subject, right: Right) -> AccessReason {
        let grant = role.grants().on(subject.resource).clone();
        let reach = if right == Right::Read { grant.read } else { grant.write };
        let (is_own, is_of) = (subject.owner == Some(self.user.uuid()), |teams: &[Uuid]| {
            subject.team.is_some_and(|team| teams.contains(&team))
        });
        let (meant, lets) = match reach {
            Reach::None => ("no record", false),
            Reach::Own => ("the records they own", is_own),
            Reach::Team => ("their own records and those of their teams", is_own || is_of(&self.teams)),
            Reach::TeamTree => {
                ("their own records and those of their teams and the teams below", is_own || is_of(&self.team_tree))
            }
            Reach::All => ("all records", true),
        };
        let verb = if right == Right::Read { "see" } else { "change" };
        let verdict = match (reach, lets) {
            (Reach::None, _) => "",
            (_, true) => ", and this is one of them",
            (_, false) => ", and this is none of them",
        };
        let detail = format!("The role {} lets them {verb} {meant}{verdict}.", role.name);
        AccessReason { lets, role_id: Some(role.id), share_id: None, detail }
    }
}

fn reason_of_part(part: Part, right: Right, has_reach: bool) -> AccessReason {
    let (what, is_enough) = match part {
        Part::Assignee => ("The task is assigned to them", true),
        Part::Collaborator => ("They collaborate on the task", right == Right::Read),
        Part::Mentioned => ("The note mentions them", right == Right::Read),
    };
    let (lets, detail) = match (is_enough, has_reach) {
        (false, _) => (false, format!("{what}, which lets them see it, not change it.")),
        (true, false) => (false, format!("{what}, but no role lets them do this with any.")),
        (true, true) => (true, format!("{what}.")),
    };
    AccessReason { lets, role_id: None, share_id: None, detail }
}

fn reason_of_share(share: &Share, right: Right, has_reach: bool) -> AccessReason {
    let with = if share.user_id.is_some() { "them" } else { "a team of theirs" };
    let is_enough = right == Right::Read || share.access == ShareAccess::Write;
    let (lets, detail) = match (is_enough, has_reach) {
        (false, _) => (false, format!("The record is shared with {with} to be seen, not to be changed.")),
        (true, false) => (false, format!("The record is shared with {with}, but no role lets them do this with any.")),
        (true, true) => (true, format!("The record is shared with {with}.")),
    };
    AccessReason { lets, role_id: None, share_id: Some(share.id), detail }
}
