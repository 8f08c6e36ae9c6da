//! Assignment rules: who gets which new leads.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    filter::Filter,
    id::{AssignmentRuleId, TeamId, UserId},
    problem::{Fields, Invalid},
    record::Stamp,
    sales::lead::Lead,
    text,
};

/// A workspace has no more: each may be asked for each new lead.
pub const MOST_RULES: i64 = 100;

/// Who gets which new leads. The first active rule whose filter holds and that has somebody to give decides.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AssignmentRule {
    /// Identifies the rule for ever.
    #[schema(value_type = Uuid)]
    pub id: AssignmentRuleId,
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
    /// Its name for people, which no other rule has.
    #[schema(example = "Big companies")]
    pub name: String,
    /// Its place in the list. Of those at the same place, the older one is asked first.
    #[schema(example = 1)]
    pub position: i64,
    /// Whether it is asked at all.
    #[schema(example = true)]
    pub active: bool,
    /// For which leads; null for all.
    #[schema(required)]
    pub filter: Option<Filter>,
    /// How one of the users is chosen.
    pub strategy: AssignmentStrategy,
    /// Users among whom it chooses, in their order. Whoever can't sign in is passed over.
    #[schema(value_type = Vec<Uuid>)]
    pub user_ids: Vec<UserId>,
    /// Team that the lead belongs to then; null for the main team of the user.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// Who has so many open leads is passed over; null when nobody is.
    #[schema(example = 50)]
    pub max_open_leads: Option<i64>,
}

/// How a rule chooses. More values will follow: treat an unknown one as `round_robin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentStrategy {
    /// Always the one user.
    Direct,
    /// Each in turn.
    RoundRobin,
    /// Who has the fewest open leads; of several, the first in the list.
    LeastBusy,
}

/// An assignment rule to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Everybody in turn", "strategy": "round_robin",
    "user_ids": ["0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b", "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5c"]
}))]
pub struct NewAssignmentRule {
    /// Its name for people, which no other rule has.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Its place in the list: the last, unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
    /// Whether it is asked at all; it is, unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// For which leads: a filter tree of the entity `lead`; all of them, unless said otherwise.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// How one of the users is chosen.
    pub strategy: AssignmentStrategy,
    /// Users among whom it chooses, in their order; with `direct` one alone.
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 100)]
    pub user_ids: Vec<UserId>,
    /// Team that the lead belongs to then; the main team of the user, unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// Who has so many open leads is passed over; nobody is, unless said otherwise.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_open_leads: Option<i64>,
}

/// Changes to an assignment rule, as JSON Merge Patch: absent fields stay, null clears, lists and the filter are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"position": 1, "max_open_leads": 30}))]
pub struct AssignmentRulePatch {
    /// Its name for people, which no other rule has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Its place in the list.
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    pub position: Option<i64>,
    /// Whether it is asked at all.
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// For which leads; null for all.
    #[serde(with = "::serde_with::rust::double_option")]
    pub filter: Option<Option<Filter>>,
    /// How one of the users is chosen.
    #[schema(nullable = false)]
    pub strategy: Option<AssignmentStrategy>,
    /// Users among whom it chooses, in their order; with `direct` one alone.
    #[serde(deserialize_with = "crate::record::none_if_empty")]
    #[schema(value_type = Vec<Uuid>, nullable = false, max_items = 100)]
    pub user_ids: Option<Vec<UserId>>,
    /// Team that the lead belongs to then; null for the main team of the user.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Who has so many open leads is passed over; null when nobody is.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_open_leads: Option<Option<i64>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AssignmentRuleQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// A lead after the rules were asked for it, and what each of them said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeadAssignment {
    /// The lead as it is now.
    pub lead: Lead,
    /// The rule that decided; null when none did, so that the lead stays as it was.
    #[schema(value_type = Option<Uuid>, required)]
    pub decided_by: Option<AssignmentRuleId>,
    /// Every rule in its turn, with its verdict.
    pub rules: Vec<AssignmentFinding>,
}

/// What a rule said of a lead.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AssignmentFinding {
    /// The rule.
    #[schema(value_type = Uuid)]
    pub rule_id: AssignmentRuleId,
    /// Its name.
    #[schema(example = "Big companies")]
    pub name: String,
    /// What it said.
    pub verdict: AssignmentVerdict,
    /// The user whom it chose; null when it chose nobody.
    #[schema(value_type = Option<Uuid>, required)]
    pub user_id: Option<UserId>,
    /// Users whom it could not choose.
    pub passed_over: Vec<PassedOver>,
}

/// What a rule says of a lead. More values will follow: treat an unknown one as `does_not_match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentVerdict {
    /// It fits, and its user got the lead.
    Assigned,
    /// Its filter does not hold for the lead.
    DoesNotMatch,
    /// It fits, but has nobody to give.
    NobodyFree,
    /// It is not asked.
    Inactive,
    /// One before it decided.
    NotReached,
    /// Its filter does not fit any more, for instance since a custom field was archived. Mend it.
    FilterNotValid,
    /// Its filter takes longer than two seconds. Narrow it.
    FilterTooCostly,
}

/// A user whom a rule could not choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PassedOver {
    /// The user.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// Why not.
    pub reason: PassedOverReason,
}

/// Why a rule could not choose somebody. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PassedOverReason {
    /// Can't sign in: was deactivated, or has yet to accept the invitation.
    NotActive,
    /// Has as many open leads as the rule allows.
    Full,
}

/// A user as a rule looks at them.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub user_id: UserId,
    /// Whether they can sign in.
    pub is_active: bool,
    /// How many open leads they have, without the one that is given.
    pub open_leads: i64,
}

impl AssignmentRule {
    /// A new rule; `last` is the place behind all others.
    pub fn create(new: NewAssignmentRule, id: AssignmentRuleId, stamp: Stamp, last: i64) -> Result<Self, Invalid> {
        let rule = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            position: new.position.unwrap_or(last),
            active: new.active.unwrap_or(true),
            filter: new.filter,
            strategy: new.strategy,
            user_ids: new.user_ids,
            team_id: new.team_id,
            max_open_leads: new.max_open_leads,
        };
        rule.checked()
    }

    /// The rule as it would be after a patch.
    pub fn patch(&self, patch: AssignmentRulePatch) -> Result<Self, Invalid> {
        let rule = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            position: patch.position.unwrap_or(self.position),
            active: patch.active.unwrap_or(self.active),
            filter: patch.filter.unwrap_or_else(|| self.filter.clone()),
            strategy: patch.strategy.unwrap_or(self.strategy),
            user_ids: patch.user_ids.unwrap_or_else(|| self.user_ids.clone()),
            team_id: patch.team_id.unwrap_or(self.team_id),
            max_open_leads: patch.max_open_leads.unwrap_or(self.max_open_leads),
            ..*self
        };
        rule.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// Whether it has to be known how many open leads its users have.
    pub fn counts_leads(&self) -> bool {
        self.strategy == AssignmentStrategy::LeastBusy || self.max_open_leads.is_some()
    }

    /// Whom of the candidates the rule can't choose, and why.
    pub fn passed_over(&self, candidates: &[Candidate]) -> Vec<PassedOver> {
        let reason = |candidate: &Candidate| match self.max_open_leads {
            _ if !candidate.is_active => Some(PassedOverReason::NotActive),
            Some(most) if candidate.open_leads >= most => Some(PassedOverReason::Full),
            _ => None,
        };
        let passed =
            |candidate: &Candidate| reason(candidate).map(|reason| PassedOver { user_id: candidate.user_id, reason });
        candidates.iter().filter_map(passed).collect()
    }

    /// Who gets the next lead, of the rule's users in their order; `last` got the one before.
    pub fn choose(&self, candidates: &[Candidate], last: Option<UserId>) -> Option<UserId> {
        let passed = self.passed_over(candidates);
        let is_free = |candidate: &&Candidate| passed.iter().all(|passed| passed.user_id != candidate.user_id);
        let chosen = match self.strategy {
            AssignmentStrategy::Direct => candidates.iter().find(is_free),
            AssignmentStrategy::LeastBusy => {
                candidates.iter().filter(is_free).min_by_key(|candidate| candidate.open_leads)
            }
            AssignmentStrategy::RoundRobin => {
                let next =
                    candidates.iter().position(|candidate| Some(candidate.user_id) == last).map_or(0, |at| at + 1);
                let (before, after) = candidates.split_at(next);
                after.iter().chain(before).find(is_free)
            }
        };
        chosen.map(|candidate| candidate.user_id)
    }

    /// What it said of a lead.
    pub fn finding(&self, verdict: AssignmentVerdict) -> AssignmentFinding {
        AssignmentFinding { rule_id: self.id, name: self.name.clone(), verdict, user_id: None, passed_over: Vec::new() }
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "An assignment rule needs a name.");
        }
        if self.strategy == AssignmentStrategy::Direct && self.user_ids.len() > 1 {
            let detail = "With the strategy direct one user gets every lead. Name one alone, or choose round_robin.";
            fields.refuse("/user_ids", "more_than_one", detail);
        }
        for (index, user) in self.user_ids.iter().enumerate() {
            if self.user_ids[..index].contains(user) {
                let detail = "This user is in the list already. Leave them out here.";
                fields.refuse(format!("/user_ids/{index}"), "repeated", detail);
            }
        }
        fields.verdict().map(|()| self)
    }
}
