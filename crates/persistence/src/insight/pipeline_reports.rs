//! The pipeline, as it is and as it was, from the states of opportunities.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryableByName, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    insight::pipeline_report::{PipelineCell, PipelineCells, PipelineGrouping, PipelineReport, PipelineReportQuery},
};
use rust_decimal::Decimal;

use super::{
    among::{Among, Asked, OPEN},
    names,
    statement::Statement,
};
use crate::{Reader, StoreError, visibility::require_readable};

/// The fields that every figure of the report tells of.
const FIELDS: &[&str] = &["stage_class", "stage_entered_at", "amount", "currency", "probability"];

/// The pipeline of an instant.
pub fn report(reader: &mut Reader<'_>, query: &PipelineReportQuery) -> Result<PipelineReport, StoreError> {
    let used = FIELDS.iter().copied().chain([query.group_by.field()]).map(|field| ("group_by", field));
    require_readable(reader, Resource::Opportunities, &used.collect::<Vec<_>>())?;
    let asked = Asked {
        as_of: query.as_of,
        time_zone: query.time_zone.as_deref(),
        currency: &query.currency,
        pipeline_ids: &query.pipeline_ids,
        filter: query.filter.as_ref(),
    };
    let among = Among::of(reader, &asked)?;
    let cells = among.within_budget(reader, |reader| cells(reader, query.group_by, &among))?;
    let keys = cells.money.iter().map(|cell| cell.key.as_deref());
    let names = match query.group_by {
        PipelineGrouping::Stage => names::stages(reader)?,
        PipelineGrouping::Owner => names::users(reader, keys)?,
        PipelineGrouping::Team => names::teams(reader, keys)?,
        _ => Vec::new(),
    };
    Ok(PipelineReport::of(query, among.as_of, &cells, &among.exchange, &names))
}

/// Opportunities with something in common: either in amounts and probability, or in how long they have been in their stage.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    key: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    /// The ends of the days in which they came to their stage, counted back from the instant; none where amounts are told.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Array<sql_types::Timestamptz>>)]
    days: Option<Vec<DateTime<Utc>>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Array<sql_types::BigInt>>)]
    counts: Option<Vec<i64>>,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count_with_amount: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    amount: Decimal,
    #[diesel(sql_type = sql_types::Numeric)]
    weighted: Decimal,
}

/// What a row of the table costs is what the report costs: so amounts and days are put together in one pass, but apart from
/// each other, which makes few groups; and ids become texts, and sums are weighed, once for each group.
fn push_cells<'q>(among: &'q Among, group_by: PipelineGrouping, origin: DateTime<Utc>, statement: &mut Statement<'q>) {
    let key = match group_by {
        PipelineGrouping::Stage => "stage_id",
        PipelineGrouping::Owner => "owner_id",
        PipelineGrouping::Team => "team_id",
        PipelineGrouping::Source => "lead_source",
        PipelineGrouping::ForecastCategory => "forecast_category",
        PipelineGrouping::CloseMonth => "date_trunc('month', close_date::timestamp)",
    };
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " }).text(
            "SELECT key::text AS key, currency, array_agg(day) FILTER (WHERE of_days) AS days, \
                    array_agg(count) FILTER (WHERE of_days) AS counts, sum(count)::bigint AS count, \
                    sum(count_with_amount)::bigint AS count_with_amount, coalesce(sum(amount), 0) AS amount, \
                    coalesce(sum(amount) * probability, 0) AS weighted \
               FROM (SELECT ",
        );
        statement
            .text(key)
            .text(" AS key, currency, probability, date_bin('1 day', stage_entered_at, ")
            .instant(origin);
        statement.text(
            ") AS day, grouping(currency) = 1 AS of_days, count(*) AS count, count(amount) AS count_with_amount, \
             sum(amount) AS amount",
        );
        among.push(*part, statement);
        statement.text(OPEN).text(
            " GROUP BY GROUPING SETS ((1, 2, 3), (1, 4))) AS cell \
             GROUP BY key, currency, probability, of_days",
        );
    }
}

fn cells(reader: &mut Reader<'_>, group_by: PipelineGrouping, among: &Among) -> Result<PipelineCells, StoreError> {
    // Days are bins that begin a moment later, so that a bin holds what is exactly so many days old, too.
    let origin = among.as_of.at + TimeDelta::microseconds(1);
    let mut statement = Statement::default();
    push_cells(among, group_by, origin, &mut statement);
    let rows: Vec<Row> = statement.load(reader.pg())?;
    let mut cells = PipelineCells::default();
    for row in rows {
        // A month is the moment at which it begins, `2026-12-01 00:00:00`.
        let of_month = |key: String| key.chars().take(7).collect();
        let key = if group_by == PipelineGrouping::CloseMonth { row.key.map(of_month) } else { row.key };
        if let (Some(days), Some(counts)) = (row.days, row.counts) {
            let days = days.into_iter().map(|day| (origin - day).num_days() - 1);
            cells.days.push((key, days.zip(counts).collect()));
            continue;
        }
        cells.money.push(PipelineCell {
            key,
            currency: row.currency,
            count: row.count,
            count_with_amount: row.count_with_amount,
            amount: row.amount,
            weighted: row.weighted,
        });
    }
    Ok(cells)
}
