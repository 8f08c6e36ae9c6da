//! The forecast, of what is open and what was closed at an instant.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::{QueryableByName, prelude::*, sql_types};
use rapport_domain::insight::{
    forecast::{
        self, ClosedCell, ClosedOnes, Forecast, ForecastInput, ForecastQuery, ForecastSpan, LooseDeals, MOST_TEACHERS,
        OpenCell, Passed,
    },
    report,
};
use rust_decimal::Decimal;

use super::{
    among::{Among, Asked, CLOSED, OPEN, require_fields},
    names,
    statement::Statement,
};
use crate::{Reader, StoreError, codes};

/// The fields that the forecast tells of.
const FIELDS: &[&str] = &[
    "stage_id",
    "stage_class",
    "stage_entered_at",
    "amount",
    "currency",
    "probability",
    "forecast_category",
    "close_date",
    "closed_at",
];

/// The forecast that is or was made at an instant.
pub fn report(reader: &mut Reader<'_>, query: &ForecastQuery) -> Result<Forecast, StoreError> {
    require_fields(reader, FIELDS)?;
    let asked = Asked {
        as_of: query.as_of,
        time_zone: query.time_zone.as_deref(),
        currency: &query.currency,
        pipeline_ids: &query.pipeline_ids,
        filter: query.filter.as_ref(),
    };
    let among = Among::of(reader, &asked)?;
    let span = query.span(among.as_of.at);
    let names = names::stages(reader)?;
    let input = among.within_budget(reader, |reader| {
        let open = open(reader, &among, &span)?;
        Ok(ForecastInput {
            at: among.as_of.at,
            closed: closed(reader, &among, &span)?,
            teachers: teachers(reader, &among, &span)?,
            deals: deals(reader, &among, &span, &forecast::one_by_one(&span, &open))?,
            open,
            exchange: &among.exchange,
            names: &names,
            seed: query.seed.unwrap_or_else(|| forecast::usual_seed(reader.workspace(), among.exchange.on)),
            span,
        })
    })?;
    Ok(Forecast::of(query, input))
}

/// Where days in a stage are counted from: a moment later, so that a bin holds what is exactly so many days old, too.
fn origin(among: &Among) -> DateTime<Utc> {
    among.as_of.at + TimeDelta::microseconds(1)
}

/// The days in their stage of what is in a bin of thirty days, in full thirties.
fn age(among: &Among, bin: DateTime<Utc>) -> i64 {
    (origin(among) - bin).num_days() - 30
}

#[derive(QueryableByName)]
struct OpenRow {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Date>)]
    close_month: Option<NaiveDate>,
    #[diesel(sql_type = sql_types::Text)]
    stage: String,
    #[diesel(sql_type = sql_types::Text)]
    category: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    bin: DateTime<Utc>,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count_with_amount: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    amount: Decimal,
    #[diesel(sql_type = sql_types::Numeric)]
    weighted: Decimal,
    #[diesel(sql_type = sql_types::Double)]
    variance: f64,
}

fn open(reader: &mut Reader<'_>, among: &Among, span: &ForecastSpan) -> Result<Vec<OpenCell>, StoreError> {
    let mut statement = Statement::default();
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " }).text(
            "SELECT close_month::date AS close_month, stage::text AS stage, category, currency, bin, count, \
                    count_with_amount, coalesce(amount, 0) AS amount, coalesce(amount * probability, 0) AS weighted, \
                    coalesce(variance, 0)::float8 AS variance \
               FROM (SELECT date_trunc('month', close_date::timestamp) AS close_month, stage_id AS stage, \
                            forecast_category AS category, currency, probability, date_bin('30 days', stage_entered_at, ",
        );
        statement.instant(origin(among)).text(
            ") AS bin, count(*) AS count, count(amount) AS count_with_amount, sum(amount) AS amount, \
             var_pop(amount) AS variance",
        );
        among.push(*part, &mut statement);
        statement.text(OPEN).text(" AND (close_date IS NULL OR close_date < ").day(span.end);
        statement.text(") GROUP BY 1, 2, 3, 4, 5, 6) AS cell");
    }
    let rows: Vec<OpenRow> = statement.load(reader.pg())?;
    let cell = |row: OpenRow| {
        Ok(OpenCell {
            close_month: row.close_month,
            stage: row.stage,
            category: codes::value(&row.category)?,
            currency: row.currency,
            age: age(among, row.bin),
            count: row.count,
            count_with_amount: row.count_with_amount,
            amount: row.amount,
            weighted: row.weighted,
            variance: row.variance,
        })
    };
    rows.into_iter().map(cell).collect()
}

#[derive(QueryableByName)]
struct ClosedRow {
    /// Place of the month among the boundaries, from one on.
    #[diesel(sql_type = sql_types::Integer)]
    month: i32,
    #[diesel(sql_type = sql_types::Bool)]
    won: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count_with_amount: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    amount: Decimal,
}

fn closed(reader: &mut Reader<'_>, among: &Among, span: &ForecastSpan) -> Result<Vec<ClosedCell>, StoreError> {
    let months = span.boundaries();
    let starts: Vec<DateTime<Utc>> =
        months.iter().map(|month| report::start(*month, among.exchange.time_zone.as_deref())).collect();
    let (Some(first), Some(last)) = (starts.first().copied(), starts.last().copied()) else { return Ok(Vec::new()) };
    let mut statement = Statement::default();
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " }).text("SELECT width_bucket(closed_at, ");
        statement.instants(starts.clone()).text(
            ") AS month, stage_class = 'won' AS won, currency, count(*) AS count, count(amount) AS count_with_amount, \
             coalesce(sum(amount), 0) AS amount",
        );
        among.push(*part, &mut statement);
        statement.text(CLOSED).text(" AND closed_at >= ").instant(first).text(" AND closed_at < ").instant(last);
        statement.text(" GROUP BY 1, 2, 3");
    }
    let rows: Vec<ClosedRow> = statement.load(reader.pg())?;
    let cell = |row: ClosedRow| {
        let place = usize::try_from(row.month).ok()?.checked_sub(1)?;
        Some(ClosedCell {
            month: *months.get(place)?,
            won: row.won,
            currency: row.currency,
            count: row.count,
            count_with_amount: row.count_with_amount,
            amount: row.amount,
        })
    };
    Ok(rows.into_iter().filter_map(cell).collect())
}

#[derive(QueryableByName)]
struct TeacherRow {
    /// The stage that they were in; none for all of them.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    stage: Option<String>,
    #[diesel(sql_type = sql_types::Bool)]
    won: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Array<sql_types::BigInt>>)]
    days: Option<Vec<i64>>,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

/// The newest closed opportunities, and the stages that they were in.
fn teachers(reader: &mut Reader<'_>, among: &Among, span: &ForecastSpan) -> Result<ClosedOnes, StoreError> {
    let since = report::start(span.history, among.exchange.time_zone.as_deref());
    let mut statement = Statement::default();
    statement.text("WITH closed AS MATERIALIZED (SELECT id, won, closed_at FROM (");
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "(" } else { ") UNION ALL (" });
        statement.text("SELECT opportunities.id, stage_class = 'won' AS won, closed_at");
        among.push(*part, &mut statement);
        statement.text(CLOSED).text(" AND closed_at >= ").instant(since);
        statement.text(" ORDER BY closed_at DESC, opportunities.id LIMIT ").number(MOST_TEACHERS);
    }
    statement.text(")) AS newest ORDER BY closed_at DESC, id LIMIT ").number(MOST_TEACHERS).text(
        "), passed AS (SELECT closed.id, closed.won, state.stage_id, \
                floor(extract(epoch FROM closed.closed_at - max(state.stage_entered_at)) / 86400)::bigint AS days \
           FROM closed \
           JOIN opportunity_states AS state ON state.opportunity_id = closed.id AND state.workspace_id = ",
    );
    statement.id(reader.workspace()).text(" AND state.stage_class = 'open' AND state.valid_from <= ");
    statement.instant(among.as_of.at).text(
        " AND state.stage_entered_at <= closed.closed_at \
         GROUP BY closed.id, closed.won, closed.closed_at, state.stage_id) \
         SELECT stage_id::text AS stage, won, array_agg(days) FILTER (WHERE won) AS days, count(*) AS count \
           FROM passed GROUP BY 1, 2 \
         UNION ALL SELECT NULL, won, NULL, count(*) FROM closed GROUP BY won",
    );
    let rows: Vec<TeacherRow> = statement.load(reader.pg())?;
    let mut teachers = ClosedOnes::default();
    for row in rows {
        match (row.stage, row.won) {
            (None, true) => teachers.won = row.count,
            (None, false) => teachers.lost = row.count,
            (Some(stage), won) => {
                let lost = if won { 0 } else { row.count };
                teachers.passed.push(Passed { stage, won_days: row.days.unwrap_or_default(), lost });
            }
        }
    }
    Ok(teachers)
}

#[derive(QueryableByName)]
struct DealsRow {
    #[diesel(sql_type = sql_types::Date)]
    close_month: NaiveDate,
    #[diesel(sql_type = sql_types::Text)]
    stage: String,
    #[diesel(sql_type = sql_types::Text)]
    currency: String,
    #[diesel(sql_type = sql_types::Timestamptz)]
    bin: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Array<sql_types::Numeric>)]
    amounts: Vec<Decimal>,
}

/// The amounts of the months that are looked at opportunity by opportunity.
fn deals(
    reader: &mut Reader<'_>,
    among: &Among,
    span: &ForecastSpan,
    months: &BTreeSet<NaiveDate>,
) -> Result<Vec<LooseDeals>, StoreError> {
    if months.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::default();
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " }).text(
            "SELECT date_trunc('month', close_date::timestamp)::date AS close_month, stage_id::text AS stage, currency, \
                    date_bin('30 days', stage_entered_at, ",
        );
        statement.instant(origin(among)).text(") AS bin, array_agg(amount) AS amounts");
        among.push(*part, &mut statement);
        statement.text(OPEN).text(" AND forecast_category <> 'omitted' AND amount IS NOT NULL AND close_date < ");
        statement.day(span.end).text(" AND date_trunc('month', greatest(close_date, ").day(span.this);
        statement.text(")::timestamp)::date = ANY(").days(months.iter().copied().collect());
        statement.text(") GROUP BY 1, 2, 3, 4");
    }
    let rows: Vec<DealsRow> = statement.load(reader.pg())?;
    let deals = |row: DealsRow| LooseDeals {
        close_month: row.close_month,
        stage: row.stage,
        currency: row.currency,
        age: age(among, row.bin),
        amounts: row.amounts,
    };
    Ok(rows.into_iter().map(deals).collect())
}
