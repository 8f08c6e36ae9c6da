//! Lead statuses: how far a lead can have come.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    id::LeadStatusId,
    problem::{Fields, Invalid},
    record::{ArchivedInList, Stamp},
    text,
};

/// Keys, names and classes of the statuses with which every workspace begins, in their order.
const SEEDS: &[(&str, &str, LeadStatusClass)] = &[
    ("new", "New", LeadStatusClass::Open),
    ("contacted", "Contacted", LeadStatusClass::Ongoing),
    ("nurturing", "Nurturing", LeadStatusClass::OnHold),
    ("qualified", "Qualified", LeadStatusClass::Ongoing),
    ("unqualified", "Unqualified", LeadStatusClass::Lost),
    ("junk", "Junk", LeadStatusClass::Lost),
    ("converted", "Converted", LeadStatusClass::Won),
];

/// How far a lead can have come. The list is the workspace's own; what a status means is said by its class.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadStatus {
    /// Identifies the status for ever.
    #[schema(value_type = Uuid)]
    pub id: LeadStatusId,
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
    /// Its name for programs, which never changes: the `status` of a lead.
    #[schema(example = "contacted")]
    pub key: String,
    /// Its name for people, which no other status has.
    #[schema(example = "Contacted")]
    pub name: String,
    /// Its place in the list.
    #[schema(example = 2)]
    pub position: i64,
    /// What it means. Where a lead can go from here follows from it.
    pub class: LeadStatusClass,
    /// Can't be chosen any more. Leads that have it keep it.
    #[schema(example = false)]
    pub archived: bool,
}

/// What a status of leads means: nobody has begun (`open`), somebody is at it (`ongoing`), it waits (`on_hold`), it became a
/// customer (`won`), or it came to nothing (`lost`). These are all there will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadStatusClass {
    Open,
    Ongoing,
    OnHold,
    Won,
    Lost,
}

impl LeadStatusClass {
    /// Classes of which every workspace needs a status that can be chosen: leads begin, go on, and end.
    pub const NEEDED: &'static [Self] = &[Self::Open, Self::Ongoing, Self::Won, Self::Lost];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ongoing => "ongoing",
            Self::OnHold => "on_hold",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// A lead status to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "meeting_arranged", "name": "Meeting arranged", "class": "ongoing"}))]
pub struct NewLeadStatus {
    /// Its name for programs, which no other status has: small letters, digits and underscores. It never changes.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "meeting_arranged")]
    pub key: String,
    /// Its name for people, which no other status has.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Its place in the list: the last, unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
    /// What it means.
    pub class: LeadStatusClass,
    /// Can't be chosen.
    #[serde(default)]
    #[schema(default = false)]
    pub archived: bool,
}

/// Changes to a lead status, as JSON Merge Patch: absent fields stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "First call", "position": 2}))]
pub struct LeadStatusPatch {
    /// Its name for people, which no other status has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Its place in the list.
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
    /// What it means. It can't change once leads have the status.
    #[schema(nullable = false)]
    pub class: Option<LeadStatusClass>,
    /// Can't be chosen any more. Leads that have it keep it.
    #[schema(nullable = false)]
    pub archived: Option<bool>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeadStatusQuery {
    /// `include` lists archived statuses, too.
    #[param(inline = false, default = "exclude")]
    pub archived: ArchivedInList,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl LeadStatus {
    /// A new status; `last` is the place behind all others.
    pub fn create(new: NewLeadStatus, id: LeadStatusId, stamp: Stamp, last: i64) -> Result<Self, Invalid> {
        let status = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            key: new.key,
            name: new.name,
            position: new.position.unwrap_or(last),
            class: new.class,
            archived: new.archived,
        };
        status.checked()
    }

    /// The statuses with which a workspace begins.
    pub fn seeds(stamp: Stamp) -> impl Iterator<Item = Self> {
        SEEDS.iter().zip(1..).map(move |((key, name, class), position)| Self {
            id: LeadStatusId::mint(),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            key: (*key).to_owned(),
            name: (*name).to_owned(),
            position,
            class: *class,
            archived: false,
        })
    }

    /// The status as it would be after a patch.
    pub fn patch(&self, patch: LeadStatusPatch) -> Result<Self, Invalid> {
        let status = Self {
            key: self.key.clone(),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            position: patch.position.unwrap_or(self.position),
            class: patch.class.unwrap_or(self.class),
            archived: patch.archived.unwrap_or(self.archived),
            ..*self
        };
        status.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A lead status needs a name.");
        }
        fields.verdict().map(|()| self)
    }
}

/// The lead statuses of a workspace, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadStatuses(Vec<LeadStatus>);

impl LeadStatuses {
    pub fn new(mut statuses: Vec<LeadStatus>) -> Self {
        statuses.sort_by_key(|status| (status.position, status.id));
        Self(statuses)
    }

    /// The status of this key, archived or not.
    pub fn find(&self, key: &str) -> Option<&LeadStatus> {
        self.0.iter().find(|status| status.key == key)
    }

    /// Those that can be chosen.
    pub fn living(&self) -> impl Iterator<Item = &LeadStatus> {
        self.0.iter().filter(|status| !status.archived)
    }

    /// The status with which leads begin.
    pub fn first_open(&self) -> Option<&LeadStatus> {
        self.living().find(|status| status.class == LeadStatusClass::Open)
    }

    /// A class of which there is no status to choose, though every workspace needs one.
    pub fn lacks(&self) -> Option<LeadStatusClass> {
        let is_lacking = |class: &LeadStatusClass| !self.living().any(|status| status.class == *class);
        LeadStatusClass::NEEDED.iter().copied().find(is_lacking)
    }

    /// The same with this status as it would be, or without the one of this id.
    #[must_use]
    pub fn replaced(&self, id: LeadStatusId, after: Option<LeadStatus>) -> Self {
        let others = self.0.iter().filter(|status| status.id != id).cloned();
        Self::new(others.chain(after).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    fn seeds() -> LeadStatuses {
        LeadStatuses::new(LeadStatus::seeds(Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api)).collect())
    }

    #[test]
    fn seeds_obey_the_rules_and_lack_nothing() {
        let seeds = seeds();
        for seed in seeds.living() {
            assert_eq!(seed.clone().checked().unwrap(), *seed);
            assert!(text::is_key(&seed.key), "{}", seed.key);
        }
        assert_eq!(seeds.lacks(), None);
        assert_eq!(seeds.first_open().unwrap().key, "new");
    }

    #[test]
    fn a_class_is_lacking_when_its_last_status_is_archived_or_gone() {
        let seeds = seeds();
        for (key, class) in [("new", Some(LeadStatusClass::Open)), ("nurturing", None), ("contacted", None)] {
            let status = seeds.find(key).unwrap();
            assert_eq!(seeds.replaced(status.id, None).lacks(), class, "{key}");
            let archived = LeadStatus { archived: true, ..status.clone() };
            assert_eq!(seeds.replaced(status.id, Some(archived)).lacks(), class, "{key}");
        }
    }

    #[test]
    fn the_first_open_status_is_the_first_by_position() {
        let seeds = seeds();
        let early = LeadStatus {
            id: LeadStatusId::mint(),
            key: "early".to_owned(),
            position: 0,
            ..seeds.find("new").unwrap().clone()
        };
        assert_eq!(seeds.replaced(early.id, Some(early.clone())).first_open().unwrap().key, "early");
    }
}
