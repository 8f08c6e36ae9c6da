//! The states of opportunities, from which their past is told: see the table `opportunity_states`.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{QueryableByName, prelude::*, sql_query, sql_types};
use rapport_domain::{
    id::{OpportunityId, PipelineId, StageId, UserId},
    money,
    sales::{
        opportunity::{CloseDateChange, StageSpell},
        pipeline::StageClass,
    },
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Deleted, RESOURCE, get};
use crate::{Page, Reader, StoreError, Writer, page::PageRequest};

/// Statements that go along with a write of opportunities, whose rows they find in `changed`: where something changed that
/// reports look at, the state until now ends, and another begins.
pub(super) const FOLLOWING: &str = ", stale AS (
    SELECT changed.*, changed.deleted_at IS NOT NULL AS deleted, changed.details ->> 'lead_source' AS lead_source
      FROM changed
      LEFT JOIN opportunity_states AS state
        ON state.workspace_id = changed.workspace_id AND state.opportunity_id = changed.id AND state.valid_to IS NULL
     WHERE state.opportunity_id IS NULL
        OR (state.deleted, state.pipeline_id, state.stage_id, state.stage_class, state.stage_entered_at,
            state.probability, state.forecast_category, state.amount, state.currency, state.close_date,
            state.closed_at, state.owner_id, state.team_id, state.lead_source, state.lost_reason_id)
           IS DISTINCT FROM
           (changed.deleted_at IS NOT NULL, changed.pipeline_id, changed.stage_id, changed.stage_class,
            changed.stage_entered_at, changed.probability, changed.forecast_category, changed.amount, changed.currency,
            changed.close_date, changed.closed_at, changed.owner_id, changed.team_id,
            changed.details ->> 'lead_source', changed.lost_reason_id)
), ended AS (
    UPDATE opportunity_states AS state SET valid_to = stale.updated_at FROM stale
     WHERE state.workspace_id = stale.workspace_id AND state.opportunity_id = stale.id AND state.valid_to IS NULL
), begun AS (
    INSERT INTO opportunity_states (workspace_id, opportunity_id, version, valid_from, deleted, pipeline_id, stage_id,
           stage_class, stage_entered_at, probability, forecast_category, amount, currency, close_date, closed_at, owner_id,
           team_id, lead_source, lost_reason_id, actor_id)
    SELECT workspace_id, id, version, updated_at, deleted, pipeline_id, stage_id, stage_class, stage_entered_at,
           probability, forecast_category, amount, currency, close_date, closed_at, owner_id, team_id, lead_source,
           lost_reason_id, updated_by
      FROM stale
)";

/// Lets the states of opportunities follow that were written a moment ago.
pub(crate) fn follow(writer: &mut Writer<'_>, written: &[Uuid]) -> Result<(), StoreError> {
    let statement = format!(
        "WITH changed AS (SELECT * FROM opportunities WHERE workspace_id = $1 AND id = ANY($2)){FOLLOWING} SELECT 1"
    );
    let workspace = writer.workspace();
    sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(written)
        .execute(writer.pg())?;
    Ok(())
}

#[derive(QueryableByName)]
struct LastStage {
    #[diesel(sql_type = sql_types::Uuid)]
    stage_id: Uuid,
}

/// The open stage that an opportunity was in last.
pub(super) fn last_open_stage(reader: &mut Reader<'_>, id: OpportunityId) -> Result<Option<StageId>, StoreError> {
    let statement = "SELECT stage_id FROM opportunity_states WHERE workspace_id = $1 AND opportunity_id = $2 \
                     AND stage_class = 'open' ORDER BY version DESC LIMIT 1";
    let workspace = reader.workspace();
    let found: Option<LastStage> = sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(id.uuid())
        .get_result(reader.pg())
        .optional()?;
    Ok(found.map(|found| StageId::from_uuid(found.stage_id)))
}

#[derive(QueryableByName)]
struct SpellRow {
    #[diesel(sql_type = sql_types::BigInt)]
    version: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    from_stage_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Uuid)]
    stage_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    stage_class: String,
    #[diesel(sql_type = sql_types::Uuid)]
    pipeline_id: Uuid,
    #[diesel(sql_type = sql_types::Timestamptz)]
    entered_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    left_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Numeric>)]
    amount: Option<Decimal>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    currency: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Date>)]
    close_date: Option<NaiveDate>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    owner_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    actor_id: Option<Uuid>,
}

const SPELLS: &str = "
SELECT * FROM (
    SELECT version, from_stage_id, stage_id, stage_class, pipeline_id, valid_from AS entered_at,
           lead(valid_from) OVER (ORDER BY version) AS left_at, amount, currency, close_date, owner_id, actor_id
      FROM (SELECT *, lag(stage_id) OVER (ORDER BY version) AS from_stage_id
              FROM opportunity_states WHERE workspace_id = $1 AND opportunity_id = $2) AS state
     WHERE from_stage_id IS DISTINCT FROM stage_id
) AS spell
 WHERE version > $3 ORDER BY version LIMIT $4";

/// The stages that an opportunity was in, one after the other, and for how long.
pub fn stage_history(
    reader: &mut Reader<'_>,
    id: OpportunityId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<StageSpell>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    let may_read = |field: &str| reader.scope().grants().may_read(RESOURCE, field);
    if !["pipeline_id", "stage_id", "stage_class", "stage_entered_at"].into_iter().all(may_read) {
        return Err(StoreError::Forbidden("You may not see the stages of opportunities.".to_owned()));
    }
    let shown = Shown {
        amount: may_read("amount") && may_read("currency"),
        close_date: may_read("close_date"),
        owner: may_read("owner_id"),
        actor: may_read("updated_by"),
    };
    let request = PageRequest::read(reader, "list_opportunity_stage_history", &id, limit, cursor)?;
    let after = request.after::<i64>()?.map_or(0, |(version, _)| version);
    let (workspace, now) = (reader.workspace(), reader.now());
    let rows: Vec<SpellRow> = sql_query(SPELLS)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(id.uuid())
        .bind::<sql_types::BigInt, _>(after)
        .bind::<sql_types::BigInt, _>(request.fetch())
        .load(reader.pg())?;
    request.page(reader, rows, |row| (row.version, id.uuid()), |row| row.into_spell(now, &shown))
}

/// Which fields of opportunities the caller may read.
struct Shown {
    amount: bool,
    close_date: bool,
    owner: bool,
    actor: bool,
}

impl SpellRow {
    fn into_spell(self, now: DateTime<Utc>, shown: &Shown) -> Result<StageSpell, StoreError> {
        let class: StageClass = crate::codes::value(&self.stage_class)?;
        let until = self.left_at.or_else(|| (class == StageClass::Open).then_some(now.max(self.entered_at)));
        let seconds = |until: DateTime<Utc>| {
            let spent = until - self.entered_at;
            spent.num_microseconds().map_or(f64::INFINITY, |microseconds| microseconds as f64 / 1_000_000.0)
        };
        let amount = self.amount.zip(self.currency.as_ref()).map(|(amount, currency)| money::round(amount, currency));
        Ok(StageSpell {
            from_stage_id: self.from_stage_id.map(StageId::from_uuid),
            stage_id: StageId::from_uuid(self.stage_id),
            pipeline_id: PipelineId::from_uuid(self.pipeline_id),
            entered_at: self.entered_at,
            left_at: self.left_at,
            duration_seconds: until.map(seconds),
            amount: amount.filter(|_| shown.amount),
            currency: self.currency.filter(|_| shown.amount),
            close_date: self.close_date.filter(|_| shown.close_date),
            owner_id: self.owner_id.map(UserId::from_uuid).filter(|_| shown.owner),
            actor_id: self.actor_id.filter(|_| shown.actor),
        })
    }
}

#[derive(QueryableByName)]
struct CloseDateRow {
    #[diesel(sql_type = sql_types::BigInt)]
    version: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Date>)]
    from_date: Option<NaiveDate>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Date>)]
    close_date: Option<NaiveDate>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    actor_id: Option<Uuid>,
}

const CLOSE_DATES: &str = "
SELECT version, from_date, close_date, valid_from AS at, actor_id
  FROM (SELECT *, lag(close_date) OVER (ORDER BY version) AS from_date
          FROM opportunity_states WHERE workspace_id = $1 AND opportunity_id = $2) AS state
 WHERE from_date IS DISTINCT FROM close_date AND version > $3 ORDER BY version LIMIT $4";

/// How the date on which an opportunity is expected to be won was put off and brought forward.
pub fn close_date_history(
    reader: &mut Reader<'_>,
    id: OpportunityId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<CloseDateChange>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    let may_read = |field: &str| reader.scope().grants().may_read(RESOURCE, field);
    if !may_read("close_date") {
        return Err(StoreError::Forbidden("You may not see when opportunities are expected to be won.".to_owned()));
    }
    let shows_actor = may_read("updated_by");
    let request = PageRequest::read(reader, "list_opportunity_close_date_history", &id, limit, cursor)?;
    let after = request.after::<i64>()?.map_or(0, |(version, _)| version);
    let workspace = reader.workspace();
    let rows: Vec<CloseDateRow> = sql_query(CLOSE_DATES)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(id.uuid())
        .bind::<sql_types::BigInt, _>(after)
        .bind::<sql_types::BigInt, _>(request.fetch())
        .load(reader.pg())?;
    let change = |row: CloseDateRow| {
        Ok(CloseDateChange {
            from: row.from_date,
            to: row.close_date,
            days_pushed: row.from_date.zip(row.close_date).map(|(from, to)| (to - from).num_days()),
            at: row.at,
            actor_id: row.actor_id.filter(|_| shows_actor),
        })
    };
    request.page(reader, rows, |row| (row.version, id.uuid()), change)
}
