//! The pipeline, as it is and as it was, from the states of opportunities.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{
    access::Resource,
    filter::{Checked, Entity},
    insight::{
        pipeline_report::{PipelineCell, PipelineGrouping, PipelineReport, PipelineReportQuery},
        report::{self, AsOf, Exchange},
    },
    people::contact::DeletedInList,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    Reader, StoreError,
    filter::{self, Compiled},
    sales::{exchange_rates, pipelines},
    visibility::{Policy, Within, require_readable},
    workspace::{teams, users},
};

const RESOURCE: Resource = Resource::Opportunities;

/// The fields that every figure of the report tells of.
const FIELDS: &[&str] = &["stage_class", "stage_entered_at", "amount", "currency", "probability"];

/// The pipeline of an instant.
pub fn report(reader: &mut Reader<'_>, query: &PipelineReportQuery) -> Result<PipelineReport, StoreError> {
    let used = FIELDS.iter().copied().chain([query.group_by.field()]).map(|field| ("group_by", field));
    require_readable(reader, RESOURCE, &used.collect::<Vec<_>>())?;
    let as_of = as_of(reader, query.as_of)?;
    let on = report::day(as_of.at, query.time_zone.as_deref());
    let checked = filter::of_search(reader, query.filter.as_ref(), Entity::Opportunity)?;
    let among = Among::of(reader, checked.as_ref())?;
    let exchange =
        Exchange { rates: exchange_rates::known(reader, on, as_of.at)?, currency: query.currency.clone(), on };
    let cells = reader
        .within_budget(|reader| cells(reader, query, as_of, &among))
        .map_err(|error| filter::too_costly(error, checked.as_ref()))?;
    let names = names(reader, query.group_by, &cells)?;
    Ok(PipelineReport::of(query, as_of, &cells, &exchange, &names))
}

/// The instant that a report is about.
fn as_of(reader: &Reader<'_>, asked: Option<DateTime<Utc>>) -> Result<AsOf, StoreError> {
    let now = reader.now();
    match asked {
        Some(at) if at > now => {
            let detail = "Nobody knows the future. Name an instant that has passed, or leave it out for now.";
            Err(StoreError::field("/as_of", "in_the_future", detail))
        }
        Some(at) => Ok(AsOf { at, is_now: false }),
        None => Ok(AsOf { at: now, is_now: true }),
    }
}

/// Which opportunities count, beside what the report itself is about.
struct Among {
    within: Within,
    filter: Option<Compiled>,
}

impl Among {
    fn of(reader: &Reader<'_>, checked: Option<&Checked>) -> Result<Self, StoreError> {
        let compiled = |checked: &Checked| Compiled::of_tree(reader, &checked.condition, DeletedInList::Only);
        let filter = checked.map(compiled).transpose()?;
        Ok(Self { within: Policy::reading(reader, RESOURCE).whole(), filter })
    }

    /// Whether all of the workspace count, so that nobody has to look at the opportunities themselves.
    fn is_everything(&self) -> bool {
        self.within.is_everything() && self.filter.is_none()
    }

    /// The condition on states, after others.
    fn push<'b>(&'b self, workspace: &'b Uuid, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if self.is_everything() {
            return Ok(());
        }
        out.push_sql(
            " AND state.opportunity_id IN (SELECT opportunities.id FROM opportunities WHERE opportunities.workspace_id = ",
        );
        out.push_bind_param::<sql_types::Uuid, _>(workspace)?;
        if !self.within.is_everything() {
            out.push_sql(" AND ");
            self.within.walk_ast(out.reborrow())?;
        }
        if let Some(filter) = &self.filter {
            out.push_sql(" AND ");
            filter.walk_ast(out.reborrow())?;
        }
        out.push_sql(")");
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    key: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    #[diesel(sql_type = sql_types::BigInt)]
    days: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count_with_amount: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    amount: Decimal,
    #[diesel(sql_type = sql_types::Numeric)]
    weighted: Decimal,
}

/// The states of an instant, put together by all that the report looks at.
struct Cells<'q> {
    workspace: Uuid,
    as_of: AsOf,
    key: &'static str,
    pipelines: Vec<Uuid>,
    among: &'q Among,
}

impl Query for Cells<'_> {
    type SqlType = sql_types::Untyped;
}
impl QueryId for Cells<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl RunQueryDsl<PgConnection> for Cells<'_> {}

impl QueryFragment<Pg> for Cells<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        // What is done for each row is what it costs: ids become texts, and amounts are weighed, once for each group.
        out.push_sql(
            "SELECT key::text AS key, currency, days, count, count_with_amount, amount, amount * probability AS weighted \
             FROM (SELECT ",
        );
        out.push_sql(self.key);
        out.push_sql(" AS key, currency, probability, floor(date_part('epoch', ");
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.as_of.at)?;
        out.push_sql(
            " - stage_entered_at) / 86400)::bigint AS days, count(*) AS count, count(amount) AS count_with_amount, \
             coalesce(sum(amount), 0) AS amount FROM opportunity_states AS state WHERE state.workspace_id = ",
        );
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        push_instant(&self.as_of, out.reborrow())?;
        out.push_sql(" AND state.stage_class = 'open' AND NOT state.deleted");
        if !self.pipelines.is_empty() {
            out.push_sql(" AND state.pipeline_id = ANY(");
            out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(&self.pipelines)?;
            out.push_sql(")");
        }
        self.among.push(&self.workspace, out.reborrow())?;
        out.push_sql(" GROUP BY 1, 2, 3, 4) AS cell");
        Ok(())
    }
}

/// The condition on states that they hold at an instant.
fn push_instant<'b>(as_of: &'b AsOf, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    if as_of.is_now {
        out.push_sql(" AND state.valid_to IS NULL");
        return Ok(());
    }
    out.push_sql(" AND state.valid_from <= ");
    out.push_bind_param::<sql_types::Timestamptz, _>(&as_of.at)?;
    out.push_sql(" AND (state.valid_to IS NULL OR state.valid_to > ");
    out.push_bind_param::<sql_types::Timestamptz, _>(&as_of.at)?;
    out.push_sql(")");
    Ok(())
}

fn cells(
    reader: &mut Reader<'_>,
    query: &PipelineReportQuery,
    as_of: AsOf,
    among: &Among,
) -> Result<Vec<PipelineCell>, StoreError> {
    let key = match query.group_by {
        PipelineGrouping::Stage => "state.stage_id",
        PipelineGrouping::Owner => "state.owner_id",
        PipelineGrouping::Team => "state.team_id",
        PipelineGrouping::Source => "state.lead_source",
        PipelineGrouping::ForecastCategory => "state.forecast_category",
        PipelineGrouping::CloseMonth => "date_trunc('month', state.close_date::timestamp)",
    };
    let pipelines = query.pipeline_ids.iter().map(|id| id.uuid()).collect();
    let of_months = query.group_by == PipelineGrouping::CloseMonth;
    let query = Cells { workspace: reader.workspace(), as_of, key, pipelines, among };
    let cells: Vec<Cell> = query.load(reader.pg())?;
    Ok(cells.into_iter().map(|cell| cell.into_cell(of_months)).collect())
}

impl Cell {
    fn into_cell(self, of_months: bool) -> PipelineCell {
        PipelineCell {
            // A month is the moment at which it begins, `2026-12-01 00:00:00`.
            key: self.key.map(|key| if of_months { key.chars().take(7).collect() } else { key }),
            currency: self.currency,
            days: self.days,
            count: self.count,
            count_with_amount: self.count_with_amount,
            amount: self.amount,
            weighted: self.weighted,
        }
    }
}

/// How the keys of cells are called, in the order in which they are told.
fn names(
    reader: &mut Reader<'_>,
    grouping: PipelineGrouping,
    cells: &[PipelineCell],
) -> Result<Vec<(String, String)>, StoreError> {
    let ids = || -> Vec<Uuid> {
        let mut ids: Vec<Uuid> = cells.iter().filter_map(|cell| cell.key.as_deref()?.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let mut names: Vec<(String, String)> = match grouping {
        PipelineGrouping::Stage => return stage_names(reader),
        PipelineGrouping::Owner => {
            let users = users::summaries(reader, &ids())?;
            users.into_iter().map(|user| (user.id.to_string(), user.name)).collect()
        }
        PipelineGrouping::Team => {
            let teams = teams::names(reader, ids())?;
            teams.into_iter().map(|(id, name)| (id.to_string(), name)).collect()
        }
        _ => return Ok(Vec::new()),
    };
    names.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(names)
}

/// The stages of all pipelines: the default one first, each in its order, then what was taken away.
fn stage_names(reader: &mut Reader<'_>) -> Result<Vec<(String, String)>, StoreError> {
    let mut pipelines = pipelines::all(reader)?;
    pipelines.sort_by_key(|pipeline| !pipeline.is_default);
    let stages = pipelines.iter().flat_map(|pipeline| pipeline.stages.iter().chain(&pipeline.archived_stages));
    Ok(stages.map(|stage| (stage.id.to_string(), stage.name.clone())).collect())
}
