//! The win rate, of what was closed in a period.

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, prelude::*, sql_types};
use rapport_domain::insight::{
    report,
    win_rate::{WinRateCell, WinRateGrouping, WinRateQuery, WinRateReport},
};
use rust_decimal::Decimal;

use super::{
    among::{Among, Asked, CLOSED, require_fields},
    names,
    statement::Statement,
};
use crate::{Reader, StoreError};

/// What was won and lost in a period.
pub fn report(reader: &mut Reader<'_>, query: &WinRateQuery) -> Result<WinRateReport, StoreError> {
    require_fields(reader, &["stage_class", "closed_at", "amount", "currency", query.group_by.field()])?;
    query.period().check()?;
    let asked = Asked {
        as_of: query.as_of,
        time_zone: query.time_zone.as_deref(),
        currency: &query.currency,
        pipeline_ids: &query.pipeline_ids,
        filter: query.filter.as_ref(),
    };
    let among = Among::of(reader, &asked)?;
    let cells = among.within_budget(reader, |reader| cells(reader, query, &among))?;
    let keys = cells.iter().map(|cell| cell.key.as_deref());
    let names = match query.group_by {
        WinRateGrouping::Owner => names::users(reader, keys)?,
        WinRateGrouping::Team => names::teams(reader, keys)?,
        WinRateGrouping::LostReason => names::lost_reasons(reader, keys)?,
        WinRateGrouping::Source | WinRateGrouping::Month => Vec::new(),
    };
    Ok(WinRateReport::of(query, among.as_of, &cells, &among.exchange, &names))
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    key: Option<String>,
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

fn cells(reader: &mut Reader<'_>, query: &WinRateQuery, among: &Among) -> Result<Vec<WinRateCell>, StoreError> {
    let time_zone = query.time_zone.as_deref();
    let (months, (from, to)) = (query.period().months(), query.period().span(time_zone));
    let starts: Vec<DateTime<Utc>> = months.iter().map(|month| report::start(*month, time_zone)).collect();
    let mut statement = Statement::default();
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " });
        statement.text(
            "SELECT key::text AS key, won, currency, count, count_with_amount, coalesce(amount, 0) AS amount FROM (SELECT ",
        );
        match query.group_by {
            WinRateGrouping::Owner => statement.text("owner_id"),
            WinRateGrouping::Team => statement.text("team_id"),
            WinRateGrouping::Source => statement.text("lead_source"),
            WinRateGrouping::LostReason => statement.text("lost_reason_id"),
            WinRateGrouping::Month => statement.text("width_bucket(closed_at, ").instants(starts.clone()).text(")"),
        };
        statement.text(
            " AS key, stage_class = 'won' AS won, currency, count(*) AS count, count(amount) AS count_with_amount, \
             sum(amount) AS amount",
        );
        among.push(*part, &mut statement);
        statement.text(CLOSED).text(" AND closed_at >= ").instant(from).text(" AND closed_at < ").instant(to);
        statement.text(" GROUP BY 1, 2, 3) AS cell");
    }
    let rows: Vec<Row> = statement.load(reader.pg())?;
    // Of a month its place among those of the period is told, from one on.
    let month = |place: String| {
        let place = place.parse::<usize>().ok()?.checked_sub(1)?;
        months.get(place).map(|month| report::month_key(*month))
    };
    let of_months = query.group_by == WinRateGrouping::Month;
    let cell = |row: Row| WinRateCell {
        key: if of_months { row.key.and_then(month) } else { row.key },
        won: row.won,
        currency: row.currency,
        count: row.count,
        count_with_amount: row.count_with_amount,
        amount: row.amount,
    };
    Ok(rows.into_iter().map(cell).collect())
}
