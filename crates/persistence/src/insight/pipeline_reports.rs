//! The pipeline, as it is and as it was, from the states of opportunities.

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    insight::pipeline_report::{PipelineCell, PipelineGrouping, PipelineReport, PipelineReportQuery},
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
    let keys = cells.iter().map(|cell| cell.key.as_deref());
    let names = match query.group_by {
        PipelineGrouping::Stage => names::stages(reader)?,
        PipelineGrouping::Owner => names::users(reader, keys)?,
        PipelineGrouping::Team => names::teams(reader, keys)?,
        _ => Vec::new(),
    };
    Ok(PipelineReport::of(query, among.as_of, &cells, &among.exchange, &names))
}

/// Opportunities with a key, a currency and a probability in common.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    key: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    /// When each of them came to its stage.
    #[diesel(sql_type = sql_types::Array<sql_types::Timestamptz>)]
    entered: Vec<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count_with_amount: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    amount: Decimal,
    #[diesel(sql_type = sql_types::Numeric)]
    weighted: Decimal,
}

/// What a row of the table costs is what the report costs: so there is one pass and one way to put rows together, and
/// nothing is reckoned row by row. Months are made of days, and days in a stage of moments, when all have been read.
fn push_cells<'q>(among: &'q Among, group_by: PipelineGrouping, statement: &mut Statement<'q>) {
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "SELECT " } else { " UNION ALL SELECT " }).text(group_by.field()).text(
            "::text AS key, currency, array_agg(stage_entered_at) AS entered, count(*) AS count, \
             count(amount) AS count_with_amount, coalesce(sum(amount), 0) AS amount, \
             coalesce(sum(amount) * probability, 0) AS weighted",
        );
        among.push(*part, statement);
        statement.text(OPEN).text(" GROUP BY ").text(group_by.field()).text(", currency, probability");
    }
}

fn cells(reader: &mut Reader<'_>, group_by: PipelineGrouping, among: &Among) -> Result<Vec<PipelineCell>, StoreError> {
    let mut statement = Statement::default();
    push_cells(among, group_by, &mut statement);
    let rows: Vec<Row> = statement.load(reader.pg())?;
    let cell = |row: Row| {
        // A day is `2026-12-24`.
        let of_month = |day: String| day.chars().take(7).collect();
        PipelineCell {
            key: if group_by == PipelineGrouping::CloseMonth { row.key.map(of_month) } else { row.key },
            currency: row.currency,
            count: row.count,
            count_with_amount: row.count_with_amount,
            amount: row.amount,
            weighted: row.weighted,
            days: row.entered.iter().map(|entered| (among.as_of.at - entered).num_days()).collect(),
        }
    };
    Ok(rows.into_iter().map(cell).collect())
}
