//! Scores: what the rules of a definition give a record, and how the total comes about.
//!
//! All of it is reckoned in hundredths of a point. Each contribution is rounded once, and the total is their sum: whoever
//! adds them up has it exactly.

mod points;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use self::points::Points;
use super::score_definition::{EngagementRule, ScoreCounting, ScoreDecay, ScoreGroup};
use crate::id::{LeadId, ScoreDefinitionId};

/// As many events of one rule and record count, the latest.
pub const MOST_EVENTS: i64 = 1_000;

/// As many events are named of each contribution.
const MOST_EVIDENCE: usize = 100;

/// How often a score that fades is looked at again, at most and at least.
const SOONEST_REFRESH: Duration = Duration::hours(1);
const LATEST_REFRESH: Duration = Duration::days(1);

/// The score of a lead, as it is at one instant, and how it comes about.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadScore {
    /// The lead.
    #[schema(value_type = Uuid)]
    pub lead_id: LeadId,
    /// The instant.
    pub as_of: DateTime<Utc>,
    /// The total in whole points, as it stands in `score` of the lead once it has come there; null where no definition was
    /// published.
    #[schema(example = 42)]
    pub score: Option<i64>,
    /// The sum of the contributions, to the hundredth of a point; null where no definition was published.
    pub total: Option<Points>,
    /// The definition by which it was reckoned.
    #[schema(value_type = Option<Uuid>)]
    pub definition_id: Option<ScoreDefinitionId>,
    /// The number of its version.
    #[schema(minimum = 1, example = 1)]
    pub definition_version: Option<i64>,
    /// What each rule gives that gives something, in the order of the definition.
    pub contributions: Vec<ScoreContribution>,
    /// Rules that give nothing because a field that they name is not there any more, as `group.rule`.
    pub skipped_rules: Vec<String>,
}

/// What one rule of a score gives, or a group takes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScoreContribution {
    /// What it is.
    pub kind: ContributionKind,
    /// Key of the group.
    #[schema(example = "meetings")]
    pub group: String,
    /// Key of the rule; null for the bounds of a group.
    #[schema(required, example = "visited")]
    pub rule: Option<String>,
    /// The related records that count, the latest first, 100 at most, as far as you may see them.
    pub evidence_ids: Vec<Uuid>,
    /// How many events counted; 0 where it is about none.
    #[schema(minimum = 0, example = 3)]
    pub events: i64,
    /// The points of the rule, before anything fades.
    pub raw: Points,
    /// What is left of them.
    pub decayed: Points,
    /// The cap of the rule, where more was left than that.
    #[schema(required)]
    pub capped_to: Option<Points>,
    /// What it adds to the total.
    pub points: Points,
}

/// What a contribution is. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContributionKind {
    /// A rule about what the record is.
    Fit,
    /// A rule about what happened.
    Engagement,
    /// What lifts a group to its least.
    GroupMin,
    /// What keeps a group to its most.
    GroupMax,
}

/// A change of a score.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScoreChange {
    /// Counts the changes of this score: the first is 1.
    #[schema(minimum = 1, example = 7)]
    pub number: i64,
    /// When it was reckoned.
    pub at: DateTime<Utc>,
    /// What changed it.
    pub cause: ScoreCause,
    /// The total before; null where there was none.
    pub from: Option<Points>,
    /// The total since then; null where there is none any more.
    pub to: Option<Points>,
    /// The definition by which it was reckoned; null where there is none any more.
    #[schema(value_type = Option<Uuid>)]
    pub definition_id: Option<ScoreDefinitionId>,
    /// The number of its version.
    #[schema(minimum = 1, example = 1)]
    pub definition_version: Option<i64>,
    /// The contributions that differ: together they are what the total differs by.
    pub differences: Vec<ScoreDifference>,
}

/// What changes a score. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreCause {
    /// The record itself was written.
    RecordChanged,
    /// A related record was written, such as a task.
    Event,
    /// Time went by: points faded, or a condition compares with the present.
    Time,
    /// A definition was published.
    DefinitionPublished,
    /// The definition that counted was archived.
    DefinitionArchived,
}

/// What a contribution was and is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScoreDifference {
    /// What it is.
    pub kind: ContributionKind,
    /// Key of the group.
    #[schema(example = "meetings")]
    pub group: String,
    /// Key of the rule; null for the bounds of a group.
    #[schema(required, example = "visited")]
    pub rule: Option<String>,
    /// What it added before.
    pub from: Points,
    /// What it adds since then.
    pub to: Points,
}

/// Which score is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeadScoreQuery {
    /// An instant that has passed; now unless said otherwise. The definition that counted then, and what had happened by then;
    /// the lead itself as it is now.
    pub as_of: Option<DateTime<Utc>>,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: Uuid,
    pub at: DateTime<Utc>,
}

/// Which rule it is: the group and the rule within it, by their places.
pub type RulePlace = (usize, usize);

/// What was found of a record: the fit rules that hold, and the events of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub holding: std::collections::BTreeSet<RulePlace>,
    pub events: BTreeMap<RulePlace, Vec<Event>>,
}

/// What the rules of a definition give a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    pub total: Points,
    pub contributions: Vec<ScoreContribution>,
    /// How many points go in a day at most, from now on.
    fading: f64,
}

impl Score {
    /// Reckons the score of a record at an instant. Events after it do not count.
    pub fn reckon(groups: &[ScoreGroup], findings: &Findings, as_of: DateTime<Utc>) -> Self {
        let mut score = Self::default();
        for (place, group) in groups.iter().enumerate() {
            let mut sum = Points::ZERO;
            for contribution in score.rules_of(place, group, findings, as_of) {
                sum = sum + contribution.points;
                score.contributions.push(contribution);
            }
            score.contributions.extend(bound(group, sum));
        }
        score.total = score.contributions.iter().map(|contribution| contribution.points).sum();
        score
    }

    fn rules_of(
        &mut self,
        place: usize,
        group: &ScoreGroup,
        findings: &Findings,
        as_of: DateTime<Utc>,
    ) -> Vec<ScoreContribution> {
        match group {
            ScoreGroup::Fit(group) => {
                let holds = |index: &usize| findings.holding.contains(&(place, *index));
                let rules = (0..group.rules.len()).filter(holds).map(|index| &group.rules[index]);
                rules.map(|rule| fit(&group.key, &rule.key, Points::whole(rule.points))).collect()
            }
            ScoreGroup::Engagement(group) => {
                let rules = group.rules.iter().enumerate();
                let given = rules.filter_map(|(index, rule)| {
                    let events = findings.events.get(&(place, index))?;
                    let (contribution, fading) = engagement(&group.key, rule, events, as_of)?;
                    self.fading += fading;
                    Some(contribution)
                });
                given.collect()
            }
        }
    }

    /// When it will have changed by a whole point at the earliest, though not sooner than in an hour nor later than in a day.
    /// None where nothing fades.
    pub fn refresh_at(&self, as_of: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.fading <= 0.0 {
            return None;
        }
        let seconds = (86_400.0 / self.fading).min(LATEST_REFRESH.as_seconds_f64());
        let pause = Duration::seconds(seconds as i64).clamp(SOONEST_REFRESH, LATEST_REFRESH);
        Some(as_of + pause)
    }

    /// When a score is to be looked at again that may change by itself.
    pub fn latest_refresh(as_of: DateTime<Utc>) -> DateTime<Utc> {
        as_of + LATEST_REFRESH
    }
}

/// What makes one list of contributions of another.
pub fn differences(before: &[ScoreContribution], after: &[ScoreContribution]) -> Vec<ScoreDifference> {
    let same = |one: &ScoreContribution, other: &ScoreContribution| {
        one.kind == other.kind && one.group == other.group && one.rule == other.rule
    };
    let difference = |of: &ScoreContribution, from: Points, to: Points| ScoreDifference {
        kind: of.kind,
        group: of.group.clone(),
        rule: of.rule.clone(),
        from,
        to,
    };
    let known = |list: &[ScoreContribution], of: &ScoreContribution| {
        list.iter().find(|other| same(of, other)).map(|other| other.points)
    };
    let gone = before.iter().filter(|one| known(after, one).is_none());
    let gone = gone.map(|one| difference(one, one.points, Points::ZERO));
    let changed = after.iter().map(|one| difference(one, known(before, one).unwrap_or_default(), one.points));
    gone.chain(changed).filter(|difference| difference.from != difference.to).collect()
}

fn fit(group: &str, rule: &str, points: Points) -> ScoreContribution {
    ScoreContribution {
        kind: ContributionKind::Fit,
        group: group.to_owned(),
        rule: Some(rule.to_owned()),
        evidence_ids: Vec::new(),
        events: 0,
        raw: points,
        decayed: points,
        capped_to: None,
        points,
    }
}

/// What a group takes back of what its rules give together, or adds to it.
fn bound(group: &ScoreGroup, sum: Points) -> Option<ScoreContribution> {
    let (min, max) = group.bounds();
    let (min, max) = (min.map(Points::whole), max.map(Points::whole));
    let (kind, to) = match (min, max) {
        (_, Some(max)) if sum > max => (ContributionKind::GroupMax, max),
        (Some(min), _) if sum < min => (ContributionKind::GroupMin, min),
        _ => return None,
    };
    let points = to - sum;
    Some(ScoreContribution {
        kind,
        group: group.key().to_owned(),
        rule: None,
        evidence_ids: Vec::new(),
        events: 0,
        raw: points,
        decayed: points,
        capped_to: None,
        points,
    })
}

/// What a rule gives for events, and how many points of that go in a day at most. None without an event that counts.
fn engagement(
    group: &str,
    rule: &EngagementRule,
    events: &[Event],
    as_of: DateTime<Utc>,
) -> Option<(ScoreContribution, f64)> {
    let counted = counted(rule, events, as_of);
    if counted.is_empty() {
        return None;
    }
    let each = rule.points as f64;
    let shares: Vec<(f64, f64)> = counted.iter().map(|event| share(rule.decay, as_of - event.at)).collect();
    let decayed = Points::rounded(shares.iter().map(|(left, _)| each * left).sum());
    let fading: f64 = shares.iter().map(|(_, fading)| each.abs() * fading).sum();
    let cap = rule.cap.map(Points::whole).filter(|cap| decayed.abs() > *cap);
    let capped_to = cap.map(|cap| if decayed < Points::ZERO { -cap } else { cap });
    let contribution = ScoreContribution {
        kind: ContributionKind::Engagement,
        group: group.to_owned(),
        rule: Some(rule.key.clone()),
        evidence_ids: counted.iter().take(MOST_EVIDENCE).map(|event| event.id).collect(),
        events: counted.len() as i64,
        raw: Points::whole(rule.points * counted.len() as i64),
        decayed,
        capped_to,
        points: capped_to.unwrap_or(decayed),
    };
    Some((contribution, fading))
}

/// The events that count, the latest first, whatever order they come in.
fn counted(rule: &EngagementRule, events: &[Event], as_of: DateTime<Utc>) -> Vec<Event> {
    let mut counted: Vec<Event> = events.iter().copied().filter(|event| event.at <= as_of).collect();
    counted.sort_by_key(|event| (std::cmp::Reverse(event.at), event.id));
    if rule.per == ScoreCounting::DistinctDay {
        let zone = rule.condition.as_ref().and_then(|filter| filter.tz.as_deref()?.parse().ok()).unwrap_or(Tz::UTC);
        let day = |event: &mut Event| -> NaiveDate { event.at.with_timezone(&zone).date_naive() };
        counted.dedup_by_key(day);
    }
    counted
}

/// What share of its points an event of this age has left, and what share goes in the next day at most.
fn share(decay: ScoreDecay, age: Duration) -> (f64, f64) {
    let days = age.as_seconds_f64() / 86_400.0;
    match decay {
        ScoreDecay::None(_) => (1.0, 0.0),
        ScoreDecay::HalfLife(decay) => {
            let half_life = decay.days.max(1) as f64;
            let left = (-days / half_life).exp2();
            (left, left * std::f64::consts::LN_2 / half_life)
        }
        ScoreDecay::Linear(decay) => {
            let whole = decay.days_to_zero.max(1) as f64;
            let left = (1.0 - days / whole).max(0.0);
            (left, if left > 0.0 { 1.0 / whole } else { 0.0 })
        }
    }
}
