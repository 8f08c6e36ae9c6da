//! The rules of a score, as callers write them. Whether their filters fit is for whoever knows the fields of the workspace.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::{
    filter::{Catalogue, Entity, Filter, Kind},
    problem::Fields,
    text,
};

/// The field that scores are written to.
const SCORE: &str = "score";

/// Rules that belong together. `kind` says what they look at; more kinds will follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScoreGroup {
    Fit(FitGroup),
    Engagement(EngagementGroup),
}

/// Rules about what the record is.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FitGroup {
    /// Its name for programs, which no other group of the definition has: small letters, digits and underscores.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "company")]
    pub key: String,
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100, example = "What company it is")]
    pub name: Option<String>,
    /// The least that its rules give together.
    #[schema(nullable = false, minimum = -100_000, maximum = 100_000)]
    pub min: Option<i64>,
    /// The most that its rules give together.
    #[schema(nullable = false, minimum = -100_000, maximum = 100_000, example = 40)]
    pub max: Option<i64>,
    /// The rules.
    #[schema(max_items = 50)]
    pub rules: Vec<FitRule>,
}

/// Gives points where a condition holds for the record.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FitRule {
    /// Its name for programs, which no other rule of the group has: small letters, digits and underscores.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "trade_show")]
    pub key: String,
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100, example = "Met at a trade show")]
    pub name: Option<String>,
    /// The condition, of the entity of the definition.
    pub when: Filter,
    /// What it gives; less than 0 takes away.
    #[schema(minimum = -1000, maximum = 1000, example = 15)]
    pub points: i64,
}

/// Rules about what happened.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EngagementGroup {
    /// Its name for programs, which no other group of the definition has: small letters, digits and underscores.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "meetings")]
    pub key: String,
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100, example = "Talks and visits")]
    pub name: Option<String>,
    /// The least that its rules give together.
    #[schema(nullable = false, minimum = -100_000, maximum = 100_000)]
    pub min: Option<i64>,
    /// The most that its rules give together.
    #[schema(nullable = false, minimum = -100_000, maximum = 100_000, example = 60)]
    pub max: Option<i64>,
    /// The rules.
    #[schema(max_items = 50)]
    pub rules: Vec<EngagementRule>,
}

/// Gives points for each related record that an event stands for, such as a task that was completed. Of more than 1,000 of one
/// record the latest 1,000 count.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EngagementRule {
    /// Its name for programs, which no other rule of the group has: small letters, digits and underscores.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "visited")]
    pub key: String,
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100, example = "Visits")]
    pub name: Option<String>,
    /// Name of a relation of the entity, as filters know it.
    #[schema(min_length = 1, max_length = 100, example = "tasks")]
    pub relation: String,
    /// Field of the related record that says when the event was. Records without a value there are no events.
    #[schema(min_length = 1, max_length = 100, example = "completed_at")]
    pub at: String,
    /// Which related records count; all unless said otherwise.
    #[serde(rename = "where")]
    #[schema(nullable = false)]
    pub condition: Option<Filter>,
    /// What each event gives; less than 0 takes away.
    #[schema(minimum = -1000, maximum = 1000, example = 10)]
    pub points: i64,
    /// What counts as one event; `occurrence` unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub per: ScoreCounting,
    /// The most that it gives or takes away in all.
    #[schema(nullable = false, minimum = 1, maximum = 100_000, example = 30)]
    pub cap: Option<i64>,
    /// How the points of an event fade; not at all unless said otherwise.
    #[serde(default)]
    pub decay: ScoreDecay,
}

/// What counts as one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreCounting {
    /// Each related record.
    #[default]
    Occurrence,
    /// The latest of each day, in the time zone of `where`, else in UTC.
    DistinctDay,
}

/// How the points of an event fade. `kind` says which way; more will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScoreDecay {
    None(NoDecay),
    HalfLife(HalfLifeDecay),
    Linear(LinearDecay),
}

impl Default for ScoreDecay {
    fn default() -> Self {
        Self::None(NoDecay {})
    }
}

/// Points stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoDecay {}

/// Half of the points are left after some days, a quarter after twice as many, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HalfLifeDecay {
    /// After so many days half is left.
    #[schema(minimum = 1, maximum = 3650, example = 14)]
    pub days: i64,
}

/// Points go in equal steps until none are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearDecay {
    /// After so many days none are left.
    #[schema(minimum = 1, maximum = 3650, example = 90)]
    pub days_to_zero: i64,
}

impl ScoreGroup {
    /// Its name for programs.
    pub fn key(&self) -> &str {
        match self {
            Self::Fit(group) => &group.key,
            Self::Engagement(group) => &group.key,
        }
    }

    /// The least and the most that its rules give together.
    pub fn bounds(&self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Fit(group) => (group.min, group.max),
            Self::Engagement(group) => (group.min, group.max),
        }
    }

    /// How many rules it has.
    pub fn rules(&self) -> usize {
        match self {
            Self::Fit(group) => group.rules.len(),
            Self::Engagement(group) => group.rules.len(),
        }
    }

    fn rule_keys(&self) -> Vec<&str> {
        match self {
            Self::Fit(group) => group.rules.iter().map(|rule| rule.key.as_str()).collect(),
            Self::Engagement(group) => group.rules.iter().map(|rule| rule.key.as_str()).collect(),
        }
    }

    fn names(&mut self) -> Vec<&mut Option<String>> {
        match self {
            Self::Fit(group) => {
                std::iter::once(&mut group.name).chain(group.rules.iter_mut().map(|rule| &mut rule.name)).collect()
            }
            Self::Engagement(group) => {
                std::iter::once(&mut group.name).chain(group.rules.iter_mut().map(|rule| &mut rule.name)).collect()
            }
        }
    }
}

/// Tidies groups up and refuses what does not fit together.
pub(super) fn check(groups: &mut [ScoreGroup], entity: Entity, fields: &mut Fields) {
    for name in groups.iter_mut().flat_map(ScoreGroup::names) {
        name.iter_mut().for_each(text::tidy);
        name.take_if(|name| name.is_empty());
    }
    let mut keys = HashSet::new();
    for (index, group) in groups.iter().enumerate() {
        let place = format!("/groups/{index}");
        if !keys.insert(group.key()) {
            fields.refuse(format!("{place}/key"), "duplicate", "Another group has this key. Choose one of its own.");
        }
        let mut rules = HashSet::new();
        for (rule, key) in group.rule_keys().into_iter().enumerate() {
            if !rules.insert(key) {
                let detail = "Another rule of the group has this key. Choose one of its own.";
                fields.refuse(format!("{place}/rules/{rule}/key"), "duplicate", detail);
            }
        }
        if let (Some(min), Some(max)) = group.bounds()
            && min > max
        {
            fields.refuse(format!("{place}/min"), "out_of_range", "The least is not more than max.");
        }
        check_rules(group, entity, &place, fields);
    }
}

fn check_rules(group: &ScoreGroup, entity: Entity, place: &str, fields: &mut Fields) {
    match group {
        ScoreGroup::Fit(group) => {
            for (index, rule) in group.rules.iter().enumerate() {
                check_filter(&rule.when, entity, &format!("{place}/rules/{index}/when"), fields);
            }
        }
        ScoreGroup::Engagement(group) => {
            for (index, rule) in group.rules.iter().enumerate() {
                check_engagement(rule, entity, &format!("{place}/rules/{index}"), fields);
            }
        }
    }
}

fn check_engagement(rule: &EngagementRule, entity: Entity, place: &str, fields: &mut Fields) {
    let catalogue = Catalogue::standard();
    let Some(relation) = catalogue.relation(entity, &rule.relation) else {
        let known: Vec<&str> = catalogue.relations(entity).map(|relation| relation.name).collect();
        let there_are = match known.as_slice() {
            [] => "There are none.".to_owned(),
            known => format!("There are: {}.", known.join(", ")),
        };
        let detail = format!("A {} has no relation of this name. {there_are}", entity.as_str());
        return fields.refuse(format!("{place}/relation"), "unknown_relation", detail);
    };
    let instants = || catalogue.fields(relation.to).filter(|field| field.kind == Kind::Instant);
    if !instants().any(|field| field.name == rule.at) {
        let known: Vec<&str> = instants().map(|field| field.name.as_ref()).collect();
        let detail = format!("Name the field that says when the event was: one of {}.", known.join(", "));
        fields.refuse(format!("{place}/at"), "unknown_field", detail);
    }
    if let Some(filter) = &rule.condition {
        check_filter(filter, relation.to, &format!("{place}/where"), fields);
    }
}

fn check_filter(filter: &Filter, entity: Entity, place: &str, fields: &mut Fields) {
    if filter.entity != entity {
        let detail = format!("This is about records of the entity {}.", entity.as_str());
        fields.refuse(format!("{place}/entity"), "wrong_entity", detail);
    }
    if filter.names(SCORE) {
        let detail = "A score can't depend on a score: it would never come to rest. Leave this condition out.";
        fields.refuse(format!("{place}/where"), "not_allowed", detail);
    }
}
