//! Whether scores told what became of leads, from how they have changed.

use chrono::{DateTime, Duration, Utc};
use diesel::{
    QueryResult, QueryableByName,
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{
    access::Resource,
    id::ScoreDefinitionId,
    insight::{
        score::Points,
        score_quality::{Looked, ScoreQuality, ScoreQualityQuery, Scored},
    },
};
use uuid::Uuid;

use super::score_definitions::{self, Counting};
use crate::{
    Reader, StoreError, filter,
    visibility::{Policy, Within, require_readable},
};

const RESOURCE: Resource = Resource::Leads;

/// How many days ago scores are looked at unless somebody says otherwise, and the most.
const DAYS: i64 = 90;
const MOST_DAYS: i64 = 730;

/// How well the scores of a version told conversions, of the leads that the caller may see.
pub fn report(
    reader: &mut Reader<'_>,
    id: ScoreDefinitionId,
    query: ScoreQualityQuery,
) -> Result<ScoreQuality, StoreError> {
    let definition = score_definitions::get(reader, id)?;
    require_readable(reader, RESOURCE, &[("score_definition_id", "score"), ("score_definition_id", "converted_at")])?;
    let days = query.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        let detail = format!("Scores of 1 to {MOST_DAYS} days ago are looked at.");
        return Err(StoreError::parameter("days", "out_of_range", detail));
    }
    let last = definition.published_version;
    let number = query.version.or(last);
    if query.version.is_some_and(|version| !(1..=last.unwrap_or_default()).contains(&version)) {
        let detail = "There is no such version. See the versions of the definition for those that were published.";
        return Err(StoreError::parameter("version", "unknown_version", detail));
    }
    let as_of = reader.now();
    let scored_at = as_of - Duration::days(days);
    let looked = Looked { definition_id: id, definition_version: number, scored_at, as_of };
    // Which version leads were scored by stands with the versions: a lead whose points it left as they were has no
    // change by it.
    let is_asked = |counting: &Counting| counting.definition_id == id && Some(counting.number) == number;
    let counting = score_definitions::counting(reader, definition.entity, scored_at)?.filter(is_asked);
    let Some(counting) = counting else {
        return Ok(ScoreQuality::of(looked, Vec::new()));
    };
    let question = Question {
        workspace: reader.workspace(),
        definition: id.uuid(),
        number: counting.number,
        scored_at,
        as_of,
        within: Policy::reading(reader, RESOURCE).whole(),
    };
    let rows: Vec<Row> = reader
        .within_budget(|reader| Ok(question.load(reader.pg())?))
        .map_err(|error| filter::too_costly(error, None))?;
    Ok(ScoreQuality::of(looked, rows.into_iter().map(Scored::from).collect()))
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::BigInt)]
    total: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    converted: i64,
}

impl From<Row> for Scored {
    fn from(row: Row) -> Self {
        Self { total: Points::from_hundredths(row.total), count: row.count, converted: row.converted }
    }
}

/// Leads by the score that they had at an instant, by the version that counted then, and how many were converted since.
///
/// Those that were yet to be scored by it and got other points later are left out: what they had was of the version
/// before. Those whose points it left as they were count, whenever it came to them.
struct Question {
    workspace: Uuid,
    definition: Uuid,
    number: i64,
    scored_at: DateTime<Utc>,
    as_of: DateTime<Utc>,
    within: Within,
}

impl Query for Question {
    type SqlType = sql_types::Untyped;
}

impl QueryId for Question {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for Question {}

impl Question {
    fn push_version<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<sql_types::Uuid, _>(&self.definition)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::BigInt, _>(&self.number)
    }
}

impl QueryFragment<Pg> for Question {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(
            "SELECT had.to_total AS total, count(*) AS count, \
                    count(*) FILTER (WHERE (leads.details ->> 'converted_at')::timestamptz <= ",
        );
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.as_of)?;
        out.push_sql(
            ") AS converted FROM leads CROSS JOIN LATERAL (SELECT change.change, change.to_total, \
                    change.definition_id, change.number FROM lead_score_changes AS change \
              WHERE change.workspace_id = leads.workspace_id AND change.lead_id = leads.id AND change.at <= ",
        );
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.scored_at)?;
        out.push_sql(" ORDER BY change.change DESC LIMIT 1) AS had WHERE leads.workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND leads.deleted_at IS NULL AND leads.created_at <= ");
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.scored_at)?;
        out.push_sql(
            " AND (leads.details ->> 'converted_at' IS NULL OR (leads.details ->> 'converted_at')::timestamptz > ",
        );
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.scored_at)?;
        out.push_sql(") AND had.to_total IS NOT NULL AND ((had.definition_id, had.number) = (");
        self.push_version(&mut out)?;
        // The walk through all leads is the first that scores by a version: whom it gave other points changed by it.
        out.push_sql(
            ") OR NOT EXISTS (SELECT FROM lead_score_changes AS later \
              WHERE later.workspace_id = leads.workspace_id AND later.lead_id = leads.id \
                AND later.change = had.change + 1 AND later.cause = 'definition_published' \
                AND (later.definition_id, later.number) = (",
        );
        self.push_version(&mut out)?;
        out.push_sql(")))");
        if !self.within.is_everything() {
            out.push_sql(" AND ");
            self.within.walk_ast(out.reborrow())?;
        }
        out.push_sql(" GROUP BY had.to_total");
        Ok(())
    }
}
