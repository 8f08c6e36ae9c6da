//! Asks the rules, one after the other, who is to get a lead.

use std::collections::HashMap;

use diesel::{connection::SimpleConnection, dsl::exists, prelude::*, select, sql_query, sql_types};
use rapport_domain::{
    filter::Entity,
    id::{LeadId, UserId},
    people::contact::DeletedInList,
    sales::assignment_rule::{AssignmentFinding, AssignmentRule, AssignmentStrategy, AssignmentVerdict, Candidate},
    workspace::user::UserState,
};
use uuid::Uuid;

use crate::{
    Reader, StoreError, Writer,
    filter::{self, Compiled},
    schema::{assignment_turns, leads},
    workspace::users,
};

/// Said before a filter is tried, and what takes it back: each is planned for its own values, and given up when it takes
/// longer than a search may.
const TRIAL: &str = "SET LOCAL statement_timeout = '2s'; SET LOCAL plan_cache_mode = force_custom_plan";
const AFTER_TRIAL: &str = "SET LOCAL statement_timeout = '15s'; SET LOCAL plan_cache_mode = auto";

/// What the rules said of a lead.
pub(crate) struct Decision {
    /// The rule that decided, and who gets the lead.
    pub(crate) chosen: Option<(AssignmentRule, UserId)>,
    /// Every rule in its turn.
    pub(crate) findings: Vec<AssignmentFinding>,
}

/// Asks the rules for a lead that is written already, in the transaction in which it gets its owner. The first rule that
/// fits and has somebody to give decides.
pub(crate) fn decide(writer: &mut Writer<'_>, lead: LeadId) -> Result<Decision, StoreError> {
    let mut decision = Decision { chosen: None, findings: Vec::new() };
    for rule in super::all(writer)? {
        let mut finding = rule.finding(match &decision.chosen {
            Some(_) => AssignmentVerdict::NotReached,
            None if rule.active => try_filter(writer, &rule, lead)?,
            None => AssignmentVerdict::Inactive,
        });
        if finding.verdict == AssignmentVerdict::Assigned {
            finding.user_id = choose(writer, &rule, lead, &mut finding)?;
            match finding.user_id {
                Some(user) => decision.chosen = Some((rule, user)),
                None => finding.verdict = AssignmentVerdict::NobodyFree,
            }
        }
        decision.findings.push(finding);
    }
    Ok(decision)
}

/// Whether a rule fits a lead: `assigned` when it does.
fn try_filter(writer: &mut Writer<'_>, rule: &AssignmentRule, lead: LeadId) -> Result<AssignmentVerdict, StoreError> {
    let checked = match filter::of_search(writer, rule.filter.as_ref(), Entity::Lead) {
        Ok(Some(checked)) => checked,
        Ok(None) => return Ok(AssignmentVerdict::Assigned),
        Err(StoreError::Invalid(_)) => return Ok(AssignmentVerdict::FilterNotValid),
        Err(error) => return Err(error),
    };
    let Ok(compiled) = Compiled::of_tree(writer, &checked.condition, DeletedInList::Exclude) else {
        return Ok(AssignmentVerdict::FilterNotValid);
    };
    // In a transaction of its own within the other, which goes on if this one is given up.
    let tried = writer.single_transaction(|writer| {
        writer.pg().batch_execute(TRIAL)?;
        let this = leads::table.filter(leads::workspace_id.eq(writer.workspace())).filter(leads::id.eq(lead.uuid()));
        let holds: bool = select(exists(this.filter(compiled))).get_result(writer.pg())?;
        writer.pg().batch_execute(AFTER_TRIAL)?;
        Ok(holds)
    });
    match tried {
        Ok(true) => Ok(AssignmentVerdict::Assigned),
        Ok(false) => Ok(AssignmentVerdict::DoesNotMatch),
        Err(StoreError::TooSlow) => Ok(AssignmentVerdict::FilterTooCostly),
        Err(error) => Err(error),
    }
}

/// Who of the users of a rule gets a lead. Two who ask the same rule at once are answered one after the other.
fn choose(
    writer: &mut Writer<'_>,
    rule: &AssignmentRule,
    lead: LeadId,
    finding: &mut AssignmentFinding,
) -> Result<Option<UserId>, StoreError> {
    let turn = assignment_turns::table.find((writer.workspace(), rule.id.uuid()));
    let is_counted = rule.counts_leads() || rule.strategy == AssignmentStrategy::RoundRobin;
    let last: Option<Uuid> = match is_counted {
        // Whoever finds no row asks a rule that was deleted a moment ago: those who look again see the rules of now.
        true => turn.select(assignment_turns::last_user_id).for_update().first(writer.pg()).optional()?,
        false => Some(None),
    }
    .ok_or(StoreError::Contention)?;
    let candidates = candidates(writer, rule, lead)?;
    let chosen = rule.choose(&candidates, last.map(UserId::from_uuid));
    finding.passed_over = rule.passed_over(&candidates);
    if let (Some(user), AssignmentStrategy::RoundRobin) = (chosen, rule.strategy) {
        diesel::update(turn).set(assignment_turns::last_user_id.eq(user.uuid())).execute(writer.pg())?;
    }
    Ok(chosen)
}

/// The users of a rule, as it looks at them.
fn candidates(reader: &mut Reader<'_>, rule: &AssignmentRule, lead: LeadId) -> Result<Vec<Candidate>, StoreError> {
    let ids: Vec<Uuid> = rule.user_ids.iter().map(|user| user.uuid()).collect();
    let states = users::states(reader, &ids)?;
    let open = if rule.counts_leads() { open_leads(reader, &ids, lead)? } else { HashMap::new() };
    let candidate = |id: &Uuid| Candidate {
        user_id: UserId::from_uuid(*id),
        is_active: states.get(id) == Some(&UserState::Active),
        open_leads: open.get(id).copied().unwrap_or_default(),
    };
    Ok(ids.iter().map(candidate).collect())
}

#[derive(QueryableByName)]
struct Open {
    #[diesel(sql_type = sql_types::Uuid)]
    owner_id: Uuid,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

/// Its conditions are those of an index.
const OPEN: &str = "SELECT owner_id, count(*) AS count FROM leads \
                     WHERE workspace_id = $1 AND owner_id = ANY($2) AND id <> $3 \
                       AND deleted_at IS NULL AND status_class IN ('open', 'ongoing', 'on_hold') GROUP BY owner_id";

/// How many open leads these users have, without the one that is given.
fn open_leads(reader: &mut Reader<'_>, users: &[Uuid], lead: LeadId) -> Result<HashMap<Uuid, i64>, StoreError> {
    let open: Vec<Open> = sql_query(OPEN)
        .bind::<sql_types::Uuid, _>(reader.workspace())
        .bind::<sql_types::Array<sql_types::Uuid>, _>(users)
        .bind::<sql_types::Uuid, _>(lead.uuid())
        .load(reader.pg())?;
    Ok(open.into_iter().map(|open| (open.owner_id, open.count)).collect())
}
