//! The funnel of a pipeline, from the ways of the opportunities that entered its stages.

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, prelude::*, sql_types};
use rapport_domain::{
    insight::funnel::{Funnel, FunnelClosed, FunnelQuery, FunnelStep},
    sales::pipeline::StageClass,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    among::{Among, Asked, CLOSED, OPEN, Part, require_fields},
    statement::Statement,
};
use crate::{Reader, StoreError, codes, error::unknown_reference, sales::pipelines};

/// The fields that the funnel tells of.
const FIELDS: &[&str] =
    &["pipeline_id", "stage_id", "stage_class", "stage_entered_at", "closed_at", "amount", "currency"];

/// How far opportunities came that entered the stages of a pipeline in a period.
pub fn report(reader: &mut Reader<'_>, query: &FunnelQuery) -> Result<Funnel, StoreError> {
    require_fields(reader, FIELDS)?;
    query.period().check()?;
    let pipelines = pipelines::all(reader)?;
    let pipeline = pipelines.iter().find(|pipeline| pipeline.id == query.pipeline_id);
    let pipeline = pipeline.ok_or_else(|| unknown_reference("/pipeline_id", "pipeline"))?;
    let asked = Asked {
        as_of: query.as_of,
        time_zone: query.time_zone.as_deref(),
        currency: &query.currency,
        pipeline_ids: &[query.pipeline_id],
        filter: query.filter.as_ref(),
    };
    let among = Among::of(reader, &asked)?;
    let span = query.period().span(query.time_zone.as_deref());
    let (steps, open, closed) = among.within_budget(reader, |reader| {
        let steps = steps(reader, query.pipeline_id.uuid(), &among, span)?;
        Ok((steps, open(reader, &among)?, closed(reader, &among, span)?))
    })?;
    Ok(Funnel::of(query, among.as_of, pipeline, &steps, (open, &closed), &among.exchange))
}

#[derive(QueryableByName)]
struct StepRow {
    #[diesel(sql_type = sql_types::Uuid)]
    opportunity_id: Uuid,
    #[diesel(sql_type = sql_types::Timestamptz)]
    valid_from: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Uuid)]
    stage_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    stage_class: String,
    #[diesel(sql_type = sql_types::Bool)]
    is_here: bool,
}

/// The ways of the opportunities that entered an open stage in the period. What they were in then has ended since, or they
/// are still in it: both are found by an index.
fn steps(
    reader: &mut Reader<'_>,
    pipeline: Uuid,
    among: &Among,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<FunnelStep>, StoreError> {
    let mut statement = Statement::default();
    statement.text("WITH entered AS MATERIALIZED (");
    for (index, part) in [Part::Current, Part::Ended].into_iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION " }).text("SELECT opportunities.id");
        among.push_since(part, span.0, &mut statement);
        statement.text(OPEN).text(" AND stage_entered_at >= ").instant(span.0);
        statement.text(" AND stage_entered_at < ").instant(span.1);
    }
    statement.text(
        ") SELECT state.opportunity_id, state.valid_from, state.stage_id, state.stage_class, \
                  NOT state.deleted AND state.pipeline_id = ",
    );
    statement.id(pipeline).text(
        " AS is_here FROM entered JOIN opportunity_states AS state ON state.opportunity_id = entered.id \
           AND state.workspace_id = ",
    );
    statement.id(reader.workspace()).text(" WHERE state.valid_from <= ").instant(among.as_of.at);
    statement.text(" ORDER BY state.opportunity_id, state.version");
    let rows: Vec<StepRow> = statement.load(reader.pg())?;
    let mut steps = Vec::<FunnelStep>::with_capacity(rows.len());
    for row in rows {
        let class: StageClass = codes::value(&row.stage_class)?;
        let place = row.is_here.then_some((row.stage_id, class));
        // A state in which only something else changed is no step.
        let stays = |step: &FunnelStep| step.opportunity == row.opportunity_id && step.place == place;
        if !steps.last().is_some_and(stays) {
            steps.push(FunnelStep { opportunity: row.opportunity_id, at: row.valid_from, place });
        }
    }
    Ok(steps)
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

fn open(reader: &mut Reader<'_>, among: &Among) -> Result<i64, StoreError> {
    let mut statement = Statement::default();
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " }).text("SELECT count(*) AS count");
        among.push(*part, &mut statement);
        statement.text(OPEN);
    }
    let rows: Vec<CountRow> = statement.load(reader.pg())?;
    Ok(rows.iter().map(|row| row.count).sum())
}

#[derive(QueryableByName)]
struct ClosedRow {
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
    #[diesel(sql_type = sql_types::Double)]
    days: f64,
}

fn closed(
    reader: &mut Reader<'_>,
    among: &Among,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<FunnelClosed>, StoreError> {
    let workspace = reader.workspace();
    let mut statement = Statement::default();
    for (index, part) in among.parts().iter().enumerate() {
        statement.text(if index == 0 { "" } else { " UNION ALL " }).text(
            "SELECT won, currency, count(*) AS count, count(amount) AS count_with_amount, \
                    coalesce(sum(amount), 0) AS amount, \
                    sum(extract(epoch FROM closed_at - created.valid_from) / 86400)::float8 AS days \
               FROM (SELECT opportunities.id, stage_class = 'won' AS won, currency, amount, closed_at",
        );
        among.push(*part, &mut statement);
        statement.text(CLOSED).text(" AND closed_at >= ").instant(span.0).text(" AND closed_at < ").instant(span.1);
        statement.text(
            ") AS closed CROSS JOIN LATERAL (SELECT first.valid_from FROM opportunity_states AS first \
               WHERE first.opportunity_id = closed.id AND first.workspace_id = ",
        );
        statement.id(workspace).text(" ORDER BY first.version LIMIT 1) AS created GROUP BY 1, 2");
    }
    let rows: Vec<ClosedRow> = statement.load(reader.pg())?;
    let cell = |row: ClosedRow| FunnelClosed {
        won: row.won,
        currency: row.currency,
        count: row.count,
        count_with_amount: row.count_with_amount,
        amount: row.amount,
        days: row.days,
    };
    Ok(rows.into_iter().map(cell).collect())
}
