//! Lost reasons: why something was not sold.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    id::LostReasonId,
    problem::{Fields, Invalid},
    record::{ArchivedInList, Stamp},
    text,
};

/// The keys and names of the reasons with which every workspace begins, in their order.
const SEEDS: &[(&str, &str)] = &[
    ("price", "Price"),
    ("competition", "Competition"),
    ("budget", "No budget"),
    ("missing_feature", "Missing feature"),
    ("long_sales_cycle", "Took too long"),
    ("no_decision_maker", "No decision maker"),
    ("unresponsive", "No answer"),
    ("poor_fit", "Poor fit"),
    ("other", "Other"),
];

/// Why something was not sold. The list is the workspace's own.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LostReason {
    /// Identifies the reason for ever.
    #[schema(value_type = Uuid)]
    pub id: LostReasonId,
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
    /// Its name for programs, which never changes.
    #[schema(example = "price")]
    pub key: String,
    /// Its name for people.
    #[schema(example = "Too expensive")]
    pub name: String,
    /// When to choose it.
    #[schema(example = "They said that another offer is cheaper.")]
    pub description: Option<String>,
    /// Its place in the list.
    #[schema(example = 1)]
    pub position: i64,
    /// Can't be chosen any more. Records that have it keep it.
    #[schema(example = false)]
    pub archived: bool,
}

/// A lost reason to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"key": "delivery_time", "name": "We deliver too late"}))]
pub struct NewLostReason {
    /// Its name for programs, which no other reason has: small letters, digits and underscores. It never changes.
    #[schema(required, pattern = "^[a-z][a-z0-9_]{0,62}$", example = "delivery_time")]
    pub key: String,
    /// Its name for people.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// When to choose it.
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
    /// Its place in the list: the last, unless said otherwise.
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
    /// Can't be chosen.
    #[schema(default = false)]
    pub archived: bool,
}

/// Changes to a lost reason, as JSON Merge Patch: absent fields stay, null clears.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"archived": true}))]
pub struct LostReasonPatch {
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// When to choose it.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<Option<String>>,
    /// Its place in the list.
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
    /// Can't be chosen any more. Records that have it keep it.
    #[schema(nullable = false)]
    pub archived: Option<bool>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LostReasonQuery {
    /// `include` lists archived reasons, too.
    #[param(inline = false, default = "exclude")]
    pub archived: ArchivedInList,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl LostReason {
    /// A new reason; `last` is the place behind all others.
    pub fn create(new: NewLostReason, id: LostReasonId, stamp: Stamp, last: i64) -> Result<Self, Invalid> {
        let reason = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            key: new.key,
            name: new.name,
            description: new.description,
            position: new.position.unwrap_or(last),
            archived: new.archived,
        };
        reason.checked()
    }

    /// The reasons with which a workspace begins.
    pub fn seeds(stamp: Stamp) -> impl Iterator<Item = Self> {
        SEEDS.iter().zip(1..).map(move |((key, name), position)| Self {
            id: LostReasonId::mint(),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            key: (*key).to_owned(),
            name: (*name).to_owned(),
            description: None,
            position,
            archived: false,
        })
    }

    /// The reason as it would be after a patch.
    pub fn patch(&self, patch: LostReasonPatch) -> Result<Self, Invalid> {
        let reason = Self {
            key: self.key.clone(),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            position: patch.position.unwrap_or(self.position),
            archived: patch.archived.unwrap_or(self.archived),
            ..*self
        };
        reason.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A lost reason needs a name.");
        }
        fields.verdict().map(|()| self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    #[test]
    fn seeds_obey_the_rules_and_come_in_their_order() {
        let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
        let seeds: Vec<LostReason> = LostReason::seeds(stamp).collect();
        for (seed, position) in seeds.iter().zip(1..) {
            assert_eq!(seed.clone().checked().unwrap(), *seed);
            assert!(text::is_key(&seed.key), "{}", seed.key);
            assert_eq!(seed.position, position);
        }
        assert_eq!(seeds.len(), 9);
    }

    #[test]
    fn a_reason_without_a_name_is_refused() {
        let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
        let new = NewLostReason { key: "late".to_owned(), name: " ".to_owned(), ..NewLostReason::default() };
        let invalid = LostReason::create(new, LostReasonId::mint(), stamp, 1).unwrap_err();
        assert_eq!(invalid.problems()[0].pointer.as_deref(), Some("/name"));
    }
}
