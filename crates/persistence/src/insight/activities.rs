//! Activity, from the histories of opportunities and leads, and from the journal of tasks.

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, prelude::*, sql_types};
use rapport_domain::{
    access::{Resource, Right},
    insight::activity::{ActivityCell, ActivityQuery, ActivityReport, ActivityScope},
};
use rust_decimal::Decimal;

use super::{
    among::{Among, Asked, CLOSED, OPEN, Part, require_fields},
    names,
    statement::Statement,
};
use crate::{Reader, StoreError, codes, visibility::Policy};

/// The fields of opportunities that the report tells of.
const FIELDS: &[&str] =
    &["stage_id", "stage_class", "stage_entered_at", "closed_at", "amount", "currency", "updated_by"];

/// What users have done in a period.
pub fn report(reader: &mut Reader<'_>, query: &ActivityQuery) -> Result<ActivityReport, StoreError> {
    require_fields(reader, FIELDS)?;
    query.period().check()?;
    let asked = Asked {
        as_of: query.as_of,
        time_zone: query.time_zone.as_deref(),
        currency: &query.currency,
        pipeline_ids: &query.pipeline_ids,
        filter: query.filter.as_ref(),
    };
    let among = Among::of(reader, &asked)?;
    let span = query.period().span(query.time_zone.as_deref());
    let scope = ActivityScope { leads: may_see(reader, Resource::Leads), tasks: may_see(reader, Resource::Tasks) };
    let cells = among.within_budget(reader, |reader| {
        let mut cells = of_opportunities(reader, &among, span)?;
        if scope.leads {
            cells.extend(of_leads(reader, &among, span)?);
        }
        if scope.tasks {
            cells.extend(of_tasks(reader, &among, span)?);
        }
        Ok(cells)
    })?;
    let names = names::users(reader, cells.iter().map(|cell| Some(cell.user.as_str())))?;
    Ok(ActivityReport::of(query, among.as_of, &cells, scope, &among.exchange, &names))
}

/// Whether the caller may see records of a resource, and who changed their status.
fn may_see(reader: &Reader<'_>, resource: Resource) -> bool {
    let grants = reader.scope().grants();
    let may_read = |field: &&str| grants.may_read(resource, field);
    grants.allow(resource.permission(Right::Read)) && ["status", "updated_by"].iter().all(may_read)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    user_id: String,
    #[diesel(sql_type = sql_types::Text)]
    deed: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count_with_amount: i64,
    #[diesel(sql_type = sql_types::Numeric)]
    amount: Decimal,
}

fn cells(reader: &mut Reader<'_>, statement: Statement<'_>) -> Result<Vec<ActivityCell>, StoreError> {
    let rows: Vec<Row> = statement.load(reader.pg())?;
    let cell = |row: Row| {
        Ok(ActivityCell {
            user: row.user_id,
            deed: codes::value(&row.deed)?,
            currency: row.currency,
            count: row.count,
            count_with_amount: row.count_with_amount,
            amount: row.amount,
        })
    };
    rows.into_iter().map(cell).collect()
}

/// With the first state of each time in a stage, somebody created, moved, won or lost the opportunity.
fn of_opportunities(
    reader: &mut Reader<'_>,
    among: &Among,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<ActivityCell>, StoreError> {
    let mut statement = Statement::default();
    statement.text(
        "SELECT users.id::text AS user_id, CASE WHEN came.version = 1 THEN 'opportunity_created' \
                WHEN came.stage_class = 'won' THEN 'opportunity_won' WHEN came.stage_class = 'lost' THEN 'opportunity_lost' \
                ELSE 'opportunity_moved' END AS deed, came.currency, count(*) AS count, count(came.amount) AS count_with_amount, \
                coalesce(sum(came.amount), 0) AS amount \
           FROM (SELECT DISTINCT ON (id, stage_entered_at) * FROM (",
    );
    // What came to a stage in the period is still there, open or closed, or has ended since: each has its index. What
    // came to its stage after it was closed was brought there when stages changed: nobody has won or lost it once more.
    let parts = [
        (Part::Current, OPEN, "stage_entered_at"),
        (Part::Current, CLOSED, "closed_at"),
        (Part::Ended, " AND NOT deleted", "stage_entered_at"),
    ];
    for (index, (part, condition, came)) in parts.into_iter().enumerate() {
        statement
            .text(if index == 0 { "" } else { " UNION ALL " })
            .text("SELECT opportunities.id, version, stage_entered_at, stage_class, currency, amount, actor_id");
        among.push_since(part, span.0, &mut statement);
        statement.text(condition).text(" AND ").text(came).text(" >= ").instant(span.0);
        statement.text(" AND ").text(came).text(" < ").instant(span.1);
        statement.text(" AND (stage_class = 'open' OR closed_at = stage_entered_at)");
    }
    statement.text(
        ") AS state ORDER BY id, stage_entered_at, version) AS came \
           JOIN users ON users.id = came.actor_id AND users.workspace_id = ",
    );
    statement.id(reader.workspace()).text(" GROUP BY 1, 2, 3");
    cells(reader, statement)
}

fn of_leads(
    reader: &mut Reader<'_>,
    among: &Among,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<ActivityCell>, StoreError> {
    let (workspace, within) = (reader.workspace(), Policy::reading(reader, Resource::Leads).whole_of_many());
    let mut statement = Statement::default();
    statement.text(
        "SELECT users.id::text AS user_id, CASE WHEN from_status IS NULL THEN 'lead_created' \
                WHEN to_status_class = 'won' THEN 'lead_converted' ELSE 'lead_moved' END AS deed, NULL::text AS currency, \
                count(*) AS count, 0::bigint AS count_with_amount, 0::numeric AS amount \
           FROM lead_status_history AS history \
           JOIN users ON users.workspace_id = history.workspace_id AND users.id = history.actor_id \
          WHERE history.actor_kind = 'user' AND history.workspace_id = ",
    );
    statement.id(workspace);
    push_time("history.entered_at", among, span, &mut statement);
    if !within.is_everything() {
        statement.text(" AND history.lead_id IN (SELECT leads.id FROM leads WHERE leads.workspace_id = ").id(workspace);
        statement.text(" AND ").condition(&within).text(")");
    }
    statement.text(" GROUP BY 1, 2");
    cells(reader, statement)
}

fn of_tasks(
    reader: &mut Reader<'_>,
    among: &Among,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<ActivityCell>, StoreError> {
    let (workspace, within) = (reader.workspace(), Policy::reading(reader, Resource::Tasks).whole_of_many());
    let mut statement = Statement::default();
    statement.text(
        "SELECT users.id::text AS user_id, 'task_completed' AS deed, NULL::text AS currency, count(*) AS count, \
                0::bigint AS count_with_amount, 0::numeric AS amount \
           FROM journal JOIN users ON users.workspace_id = journal.workspace_id AND users.id = journal.actor_id \
          WHERE journal.event = 'task.completed' AND journal.actor_kind = 'user' AND journal.workspace_id = ",
    );
    statement.id(workspace);
    push_time("journal.at", among, span, &mut statement);
    if !within.is_everything() {
        statement
            .text(" AND journal.record_id IN (SELECT tasks.id FROM tasks WHERE tasks.workspace_id = ")
            .id(workspace);
        statement.text(" AND ").condition(&within).text(")");
    }
    statement.text(" GROUP BY 1");
    cells(reader, statement)
}

/// That something happened in the period, and was known at the instant.
fn push_time(column: &'static str, among: &Among, span: (DateTime<Utc>, DateTime<Utc>), statement: &mut Statement<'_>) {
    statement.text(" AND ").text(column).text(" >= ").instant(span.0);
    statement.text(" AND ").text(column).text(" < ").instant(span.1);
    statement.text(" AND ").text(column).text(" <= ").instant(among.as_of.at);
}
