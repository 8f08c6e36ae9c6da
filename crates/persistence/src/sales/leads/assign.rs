//! Leads get their owners by the rules of the workspace.

use std::rc::Rc;

use rapport_domain::{
    id::{LeadId, TeamId, UserId},
    record::WriteResult,
    sales::{
        assignment_rule::{AssignmentRule, LeadAssignment},
        lead::{Lead, NewLead},
    },
};

use super::{RESOURCE, change, get_to_change, require_changeable};
use crate::{
    Reader, StoreError, Writer,
    batch::Results,
    people::Deleted,
    require_version,
    sales::assignment_rules::{self, Decision},
    visibility::{place_changed, require_writable},
};

/// What is said of a new lead that matters for who gets it.
#[derive(Clone, Copy)]
pub(super) struct Named {
    owner: bool,
    team: bool,
}

impl Named {
    pub(super) fn of(new: &NewLead) -> Self {
        Self { owner: new.owner_id.is_some(), team: new.team_id.is_some() }
    }

    pub(super) fn by(owner: Option<Option<UserId>>, team: Option<Option<TeamId>>) -> Self {
        Self { owner: owner.is_some(), team: team.is_some() }
    }
}

/// Whether the rules decide who gets new leads without a word of whose they are: those that a user creates are that user's.
pub(super) fn are_for_rules(reader: &mut Reader<'_>) -> Result<bool, StoreError> {
    Ok(reader.grants().user.is_none() && assignment_rules::any_active(reader)?)
}

/// Asks the rules who gets a lead that is there, and gives it to them.
pub fn assign(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>) -> Result<LeadAssignment, StoreError> {
    // No body names what is written.
    require_writable(writer, RESOURCE, &["owner_id", "team_id"], "assign leads")?;
    writer.transaction(|writer| {
        let lead = get_to_change(writer, id, Deleted::Exclude)?;
        require_version(expected, lead.version)?;
        require_changeable(&lead)?;
        let (after, decision) = by_rules(writer, &lead, false)?;
        let decided_by = decision.chosen.map(|(rule, _)| rule.id);
        Ok(LeadAssignment { lead: after.unwrap_or(lead), decided_by, rules: decision.findings })
    })
}

/// Lets the rules say who gets a lead that was written a moment ago and is nobody's. Gives it as it is now, unless it stays.
pub(super) fn settle(writer: &mut Writer<'_>, lead: &Lead, named: Named) -> Result<Option<Lead>, StoreError> {
    if named.owner || lead.is_closed() {
        return Ok(None);
    }
    Ok(by_rules(writer, lead, named.team)?.0)
}

/// The same for what a batch created.
pub(super) fn settle_batch(
    writer: &mut Writer<'_>,
    named: impl Iterator<Item = Named>,
    results: &mut Results<Lead>,
) -> Result<(), StoreError> {
    let created: Vec<(LeadId, Named)> = named
        .zip(results.iter())
        .filter_map(|(named, result)| Some((named, result.as_ref().ok()?)))
        .filter(|(_, outcome)| outcome.result == WriteResult::Created)
        .map(|(named, outcome)| (outcome.record.id, named))
        .collect();
    for (id, named) in created {
        // As the last operation of the batch that was about it has left it.
        let last = results.iter_mut().flatten().filter(|outcome| outcome.record.id == id).last();
        if let Some(outcome) = last.filter(|outcome| outcome.record.deleted_at.is_none())
            && outcome.record.owner_id.is_none()
            && let Some(lead) = settle(writer, &outcome.record, named)?
        {
            outcome.record = Rc::new(lead);
        }
    }
    Ok(())
}

/// The rules look at leads and users as the workspace does, whatever the caller may see.
fn by_rules(writer: &mut Writer<'_>, lead: &Lead, keeps_team: bool) -> Result<(Option<Lead>, Decision), StoreError> {
    writer.by_rule(|writer| {
        let decision = assignment_rules::decide(writer, lead.id)?;
        let Some((rule, user)) = &decision.chosen else { return Ok((None, decision)) };
        let given = give(writer, lead, rule, *user, keeps_team)?;
        Ok((Some(given), decision))
    })
}

fn give(
    writer: &mut Writer<'_>,
    lead: &Lead,
    rule: &AssignmentRule,
    user: UserId,
    keeps_team: bool,
) -> Result<Lead, StoreError> {
    let given = change(writer, lead.id, Deleted::Exclude, Some(lead.version), "assigned", |writer, before, _| {
        let kept = keeps_team.then_some(before.team_id);
        let mut team = rule.team_id.map(Some).or(kept);
        place_changed(writer, before.owner_id, Some(Some(user)), &mut team)?;
        Ok(Lead { owner_id: Some(user), team_id: team.unwrap_or(before.team_id), ..before.clone() })
    });
    match given {
        // Somebody has changed it since the rules looked at it: they look again.
        Err(StoreError::Stale { .. }) => Err(StoreError::Contention),
        given => given,
    }
}
