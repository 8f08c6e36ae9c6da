//! The table of permissions, read as naively as can be.

use serde_json::{Value, json};

/// Where a record stands as seen from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Own,
    Team,
    Below,
    Other,
    /// Of nobody, and of no team.
    Nobodys,
    SharedToRead,
    SharedToWrite,
    SharedWithTeam,
    ShareEnded,
    /// Of somebody else, but the caller is to do it; of resources without such people, of somebody else.
    Assigned,
    /// Of somebody else, but the caller helps, or is mentioned; of resources without such people, of somebody else.
    Collaborating,
    Elsewhere,
}

impl Place {
    pub const ALL: &'static [Self] = &[
        Self::Own,
        Self::Team,
        Self::Below,
        Self::Other,
        Self::Nobodys,
        Self::SharedToRead,
        Self::SharedToWrite,
        Self::SharedWithTeam,
        Self::ShareEnded,
        Self::Assigned,
        Self::Collaborating,
        Self::Elsewhere,
    ];

    /// Whether it is in the caller's workspace.
    pub fn is_here(self) -> bool {
        self != Self::Elsewhere
    }
}

/// What a role says of the records of a resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub read: &'static str,
    pub write: &'static str,
    pub create: bool,
    pub delete: bool,
    /// Whether it counts who is to do something.
    pub counts_assignees: bool,
    /// Whether it counts who helps or is mentioned.
    pub counts_involved: bool,
}

const fn rule(read: &'static str, write: &'static str, create: bool, delete: bool) -> Rule {
    Rule { read, write, create, delete, counts_assignees: false, counts_involved: false }
}

pub const RULES: &[Rule] = &[
    rule("none", "none", false, false),
    rule("none", "none", true, false),
    rule("own", "none", false, false),
    rule("own", "own", true, true),
    rule("team", "own", true, false),
    rule("team", "team", false, true),
    rule("team_tree", "team", true, true),
    rule("team_tree", "team_tree", true, true),
    rule("all", "none", false, true),
    rule("all", "own", true, true),
    rule("all", "team_tree", true, false),
    rule("all", "all", true, true),
];

fn reaches(reach: &str, place: Place) -> bool {
    match reach {
        "own" => place == Place::Own,
        "team" => matches!(place, Place::Own | Place::Team),
        "team_tree" => matches!(place, Place::Own | Place::Team | Place::Below),
        "all" => place.is_here(),
        _ => false,
    }
}

impl Rule {
    pub fn json(&self, resource: &str, mask: Mask) -> Value {
        json!({
            "resource": resource, "read": self.read, "write": self.write, "create": self.create, "delete": self.delete,
            "readable_fields": mask.readable(resource), "writable_fields": mask.writable(resource),
        })
    }

    pub fn sees_none(&self) -> bool {
        self.read == "none"
    }

    pub fn writes_any(&self) -> bool {
        self.write != "none"
    }

    pub fn sees(&self, place: Place) -> bool {
        let is_shared = matches!(place, Place::SharedToRead | Place::SharedToWrite | Place::SharedWithTeam);
        let is_involved =
            self.counts_assignees && place == Place::Assigned || self.counts_involved && place == Place::Collaborating;
        reaches(self.read, place) || ((is_shared || is_involved) && !self.sees_none())
    }

    pub fn changes(&self, place: Place) -> bool {
        let is_assigned = self.counts_assignees && place == Place::Assigned;
        reaches(self.write, place) || ((place == Place::SharedToWrite || is_assigned) && self.writes_any())
    }

    /// Whether it may be changed without a share, and so be shared.
    pub fn reaches_to_write(&self, place: Place) -> bool {
        reaches(self.write, place)
    }

    /// The status of reading.
    pub fn to_read(self, place: Place) -> u16 {
        match () {
            () if self.sees_none() => 403,
            () if self.sees(place) => 200,
            () => 404,
        }
    }

    /// The status of changing.
    pub fn to_write(self, place: Place) -> u16 {
        match () {
            () if !self.writes_any() => 403,
            () if self.changes(place) => 200,
            () if self.sees(place) => 403,
            () => 404,
        }
    }

    /// The status of deleting.
    pub fn to_delete(self, place: Place) -> u16 {
        match self.to_write(place) {
            _ if !self.delete => 403,
            200 => 204,
            status => status,
        }
    }
}

/// Which fields a role closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    Nothing,
    /// What people are found by beside their names.
    Addresses,
    /// What names are made of.
    Names,
    /// All but a few.
    Most,
    /// To writing alone.
    ToWrite,
}

pub const MASKS: &[Mask] = &[Mask::Nothing, Mask::Addresses, Mask::Names, Mask::Most, Mask::ToWrite];

const ALWAYS: &[&str] = &["id", "version", "created_at", "updated_at", "deleted_at", "expanded"];

impl Mask {
    fn readable(self, resource: &str) -> Value {
        let (mode, fields) = self.listed(resource);
        json!({"mode": mode, "fields": fields})
    }

    fn listed(self, resource: &str) -> (&'static str, &'static [&'static str]) {
        match (self, resource) {
            (Self::Nothing | Self::ToWrite, _) => ("all_but", &[]),
            (Self::Addresses, "contacts" | "leads") => ("all_but", &["emails", "tags", "custom"]),
            (Self::Addresses, "opportunities") => ("all_but", &["next_step", "close_date", "amount"]),
            (Self::Addresses, "tasks") => ("all_but", &["description", "assignee_id"]),
            (Self::Addresses, "notes") => ("all_but", &["mentions", "pinned"]),
            (Self::Names, "notes") => ("all_but", &["body", "custom"]),
            (Self::Most, "notes") => ("only", &["body", "tags"]),
            (Self::Addresses, "products") => ("all_but", &["code", "custom"]),
            (Self::Addresses, _) => ("all_but", &["emails", "tax_id"]),
            (Self::Names, "contacts" | "leads") => ("all_but", &["last_name", "addresses"]),
            (Self::Names, "products") => ("all_but", &["name", "category"]),
            (Self::Names, _) => ("all_but", &["name", "custom"]),
            (Self::Most, "contacts" | "leads") => ("only", &["first_name", "name", "owner_id"]),
            (Self::Most, _) => ("only", &["name", "tags"]),
        }
    }

    fn writable(self, resource: &str) -> Value {
        match self {
            Self::ToWrite => json!({"mode": "all_but", "fields": [self.closed_to_write(resource)]}),
            _ => json!({"mode": "all_but", "fields": []}),
        }
    }

    /// A field that some masks close to writing.
    pub fn closed_to_write(self, resource: &str) -> &'static str {
        match resource {
            "contacts" | "leads" => "job_title",
            "tasks" => "description",
            "notes" => "body",
            "opportunities" => "next_step",
            "products" => "category",
            _ => "industry",
        }
    }

    /// Whether a field is shown.
    pub fn shows(self, resource: &str, field: &str) -> bool {
        let (mode, fields) = self.listed(resource);
        ALWAYS.contains(&field) || fields.contains(&field) == (mode == "only")
    }

    /// Whether a field may be written.
    pub fn writes(self, resource: &str, field: &str) -> bool {
        let is_closed = self == Self::ToWrite && field == self.closed_to_write(resource);
        fn listed(mask: Mask, resource: &str, field: &str) -> bool {
            let (mode, fields) = mask.listed(resource);
            fields.contains(&field) == (mode == "only")
        }
        !is_closed && listed(self, resource, field)
    }

    /// Whether the name, and all that it is made of, is open.
    pub fn names(self, resource: &str) -> bool {
        let fields: &[&str] = match resource {
            "contacts" => &["name", "first_name", "middle_name", "last_name", "emails", "phones"],
            "leads" => &["name", "first_name", "middle_name", "last_name", "company_name", "emails", "phones"],
            _ => &["name"],
        };
        fields.iter().all(|field| self.shows(resource, field))
    }

    /// Whether `q` can be used: it needs names.
    pub fn searches(self, resource: &str) -> bool {
        let fields: &[&str] = match resource {
            "contacts" => &["first_name", "middle_name", "last_name"],
            "leads" => &["first_name", "middle_name", "last_name", "company_name"],
            "notes" => &["body"],
            _ => &["name"],
        };
        fields.iter().all(|field| self.shows(resource, field))
    }

    /// Whether `q` can look at all that records are found by.
    pub fn searches_all(self, resource: &str) -> bool {
        let fields: &[&str] = match resource {
            "contacts" => &["first_name", "middle_name", "last_name", "emails", "phones"],
            "opportunities" => &["name", "next_step"],
            "tasks" => &["name", "description"],
            "notes" => &["body"],
            "leads" => &["first_name", "middle_name", "last_name", "company_name", "emails", "phones"],
            "products" => &["name", "code", "category"],
            _ => &["name", "legal_name", "domain", "emails", "phones"],
        };
        fields.iter().all(|field| self.shows(resource, field))
    }

    /// Some fields that have to be there.
    pub fn open_among(self, resource: &str) -> Vec<&'static str> {
        let fields: &[&str] = match resource {
            "contacts" | "leads" => &["first_name", "last_name", "job_title", "emails", "tags", "addresses", "custom"],
            "opportunities" => {
                &["name", "next_step", "amount", "close_date", "stage_id", "company_id", "tags", "custom"]
            }
            "notes" => &["parent", "body", "pinned", "internal", "mentions", "tags", "custom"],
            "tasks" => &["name", "description", "parent", "assignee_id", "collaborator_ids", "tags", "custom"],
            "products" => &["code", "name", "category", "unit", "prices", "tax_category", "tags", "custom"],
            _ => &["name", "legal_name", "industry", "tax_id", "emails", "tags", "custom"],
        };
        fields.iter().copied().filter(|field| self.shows(resource, field)).collect()
    }
}
