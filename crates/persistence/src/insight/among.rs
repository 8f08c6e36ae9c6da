//! Which opportunities reports count, and the states in which they were at an instant.

use chrono::{DateTime, SubsecRound, Utc};
use rapport_domain::{
    access::Resource,
    filter::{Checked, Entity, Filter},
    id::PipelineId,
    insight::report::{self, AsOf, Exchange},
    people::contact::DeletedInList,
};
use uuid::Uuid;

use super::statement::Statement;
use crate::{
    Reader, StoreError,
    filter::{self, Compiled},
    sales::exchange_rates,
    visibility::{Policy, Within},
};

/// What all reports on opportunities are asked.
pub(super) struct Asked<'q> {
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) time_zone: Option<&'q str>,
    pub(super) currency: &'q str,
    pub(super) pipeline_ids: &'q [PipelineId],
    pub(super) filter: Option<&'q Filter>,
}

/// Which opportunities count, at which instant, and how their amounts are brought to one currency.
pub(super) struct Among {
    workspace: Uuid,
    pub(super) as_of: AsOf,
    pub(super) exchange: Exchange,
    pipelines: Vec<Uuid>,
    within: Within,
    checked: Option<Checked>,
    filter: Option<Compiled>,
}

/// A part of the states of an instant: what still holds, or what has ended since.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Current,
    Ended,
}

/// States under the name of opportunities, so that conditions on these fit them.
const STATES: &str = "(SELECT *, opportunity_id AS id FROM opportunity_states) AS opportunities";

/// Conditions of states, as the indexes have them.
pub(super) const OPEN: &str = " AND stage_class = 'open' AND NOT deleted";
pub(super) const CLOSED: &str = " AND stage_class <> 'open' AND NOT deleted";

/// Refuses a report that would tell of fields which the caller may not read.
pub(super) fn require_fields(reader: &Reader<'_>, fields: &[&str]) -> Result<(), StoreError> {
    let grants = reader.scope().grants();
    let closed = fields.iter().copied().filter(|field| !grants.may_read(Resource::Opportunities, field));
    match closed.collect::<Vec<_>>().as_slice() {
        [] => Ok(()),
        closed => {
            let detail = format!("This report tells of fields that your role keeps from you: {}.", closed.join(", "));
            Err(StoreError::Forbidden(detail))
        }
    }
}

impl Among {
    pub(super) fn of(reader: &mut Reader<'_>, asked: &Asked<'_>) -> Result<Self, StoreError> {
        let as_of = as_of(reader, asked.as_of)?;
        let on = report::day(as_of.at, asked.time_zone);
        let checked = filter::of_search(reader, asked.filter, Entity::Opportunity)?;
        let compiled = |checked: &Checked| Compiled::of_tree(reader, &checked.condition, DeletedInList::Only);
        let filter = checked.as_ref().map(compiled).transpose()?;
        let rates = exchange_rates::known(reader, on, as_of.at)?;
        Ok(Self {
            workspace: reader.workspace(),
            as_of,
            exchange: Exchange {
                rates,
                currency: asked.currency.to_owned(),
                on,
                time_zone: asked.time_zone.map(ToOwned::to_owned),
            },
            pipelines: asked.pipeline_ids.iter().map(|id| id.uuid()).collect(),
            within: Policy::reading(reader, Resource::Opportunities).whole_of_many(),
            checked,
            filter,
        })
    }

    /// Runs the statements of a report within the time of a search.
    pub(super) fn within_budget<T>(
        &self,
        reader: &mut Reader<'_>,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        reader.reporting(work).map_err(|error| filter::too_costly(error, self.checked.as_ref()))
    }

    /// The parts of which the states of the instant consist. Each is put together by itself, because that is cheaper than
    /// to bring them together first.
    pub(super) fn parts(&self) -> &'static [Part] {
        if self.as_of.is_now { &[Part::Current] } else { &[Part::Current, Part::Ended] }
    }

    /// `FROM … WHERE …`: the states of one part that count. Further conditions may follow; those of the class and of what
    /// is deleted have to, for an index to help.
    pub(super) fn push<'q>(&'q self, part: Part, statement: &mut Statement<'q>) {
        self.push_since(part, self.as_of.at, statement);
    }

    /// The same of all states that held at some time from this instant on, until that of the report.
    pub(super) fn push_since<'q>(&'q self, part: Part, since: DateTime<Utc>, statement: &mut Statement<'q>) {
        statement.text(" FROM ").text(STATES).text(" WHERE opportunities.workspace_id = ").id(self.workspace);
        match part {
            Part::Current => statement.text(" AND opportunities.valid_to IS NULL"),
            Part::Ended => statement.text(" AND opportunities.valid_to > ").instant(since),
        };
        if matches!(part, Part::Ended) || !self.as_of.is_now {
            statement.text(" AND opportunities.valid_from <= ").instant(self.as_of.at);
        }
        if !self.pipelines.is_empty() {
            statement.text(" AND opportunities.pipeline_id = ANY(").ids(&self.pipelines).text(")");
        }
        // Who owns an opportunity now stands in its state of now; for earlier ones the opportunity itself is asked.
        let is_asked = matches!(part, Part::Ended) && !self.within.is_everything();
        if !self.within.is_everything() && !is_asked {
            statement.text(" AND ").condition(&self.within);
        }
        if !is_asked && self.filter.is_none() {
            return;
        }
        statement.text(
            " AND opportunities.id IN (SELECT opportunities.id FROM opportunities WHERE opportunities.workspace_id = ",
        );
        statement.id(self.workspace);
        if is_asked {
            statement.text(" AND ").condition(&self.within);
        }
        if let Some(filter) = &self.filter {
            statement.text(" AND ").condition(filter);
        }
        statement.text(")");
    }
}

/// The instant that a report is about, no finer than the database keeps it.
fn as_of(reader: &Reader<'_>, asked: Option<DateTime<Utc>>) -> Result<AsOf, StoreError> {
    let now = reader.now();
    match asked.map(|at| at.trunc_subsecs(6)) {
        Some(at) if at > now => {
            let detail = "Nobody knows the future. Name an instant that has passed, or leave it out for now.";
            Err(StoreError::field("/as_of", "in_the_future", detail))
        }
        Some(at) => Ok(AsOf { at, is_now: false }),
        None => Ok(AsOf { at: now, is_now: true }),
    }
}
