//! Scores of leads: what the rules of a definition find in the database, the score at an instant, and how it has changed.

mod findings;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{
    access::Resource,
    filter::{Catalogue, Entity},
    id::{LeadId, ScoreDefinitionId},
    insight::{
        score::{
            ContributionKind, Findings, LeadScore, LeadScoreQuery, Points, RulePlace, Score, ScoreChange,
            ScoreContribution, ScoreDifference,
        },
        score_definition::{ScoreGroup, ScoredEntity},
    },
};
use uuid::Uuid;

use self::findings::Rules;
use super::score_definitions::{self, Counting};
use crate::{
    Page, Reader, StoreError, codes, filter,
    json::Json,
    page::{PageRequest, seek},
    people::Deleted,
    sales::leads,
    schema::lead_score_changes,
    visibility::{Policy, Within, require_readable},
};

const RESOURCE: Resource = Resource::Leads;

/// The score of a lead, reckoned afresh: what the lead shows follows it a moment later.
pub fn of_lead(reader: &mut Reader<'_>, id: LeadId, query: LeadScoreQuery) -> Result<LeadScore, StoreError> {
    leads::get(reader, id, Deleted::Exclude, &[])?;
    require_readable(reader, RESOURCE, &[("lead_id", "score")])?;
    let as_of = as_of(reader, query.as_of)?;
    let score = reader.for_everybody(|reader| {
        let Some(counting) = score_definitions::counting(reader, ScoredEntity::Lead, as_of)? else {
            return Ok(None);
        };
        let Reckoned { mut scores, skipped } = reckon(reader, &counting, &[id.uuid()], as_of)?;
        Ok(scores.remove(&id.uuid()).map(|score| (counting, score, skipped)))
    })?;
    let Some((counting, mut score, skipped)) = score else {
        return Ok(none(id, as_of));
    };
    keep_visible(reader, &counting.groups, &mut score.contributions)?;
    Ok(LeadScore {
        lead_id: id,
        as_of,
        score: Some(score.total.to_whole()),
        total: Some(score.total),
        definition_id: Some(counting.definition_id),
        definition_version: Some(counting.number),
        contributions: score.contributions,
        skipped_rules: skipped.into_iter().filter_map(|place| name(&counting.groups, place)).collect(),
    })
}

/// The instant that a score is asked of.
fn as_of(reader: &Reader<'_>, asked: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, StoreError> {
    let now = reader.now();
    match asked {
        Some(at) if at > now => {
            let detail = "Nobody knows the future. Name an instant that has passed, or leave it out for now.";
            Err(StoreError::parameter("as_of", "in_the_future", detail))
        }
        asked => Ok(asked.unwrap_or(now)),
    }
}

/// What is answered where no definition counts.
fn none(lead_id: LeadId, as_of: DateTime<Utc>) -> LeadScore {
    LeadScore {
        lead_id,
        as_of,
        score: None,
        total: None,
        definition_id: None,
        definition_version: None,
        contributions: Vec::new(),
        skipped_rules: Vec::new(),
    }
}

/// A rule as `group.rule`.
fn name(groups: &[ScoreGroup], (group, rule): RulePlace) -> Option<String> {
    let group = groups.get(group)?;
    let key = match group {
        ScoreGroup::Fit(group) => &group.rules.get(rule)?.key,
        ScoreGroup::Engagement(group) => &group.rules.get(rule)?.key,
    };
    Some(format!("{}.{key}", group.key()))
}

/// Scores of leads.
pub(super) struct Reckoned {
    pub(super) scores: HashMap<Uuid, Score>,
    /// Rules whose filters do not fit any more.
    skipped: Vec<RulePlace>,
}

/// Reckons the scores of leads at an instant, on behalf of Rapport itself.
pub(super) fn reckon(
    reader: &mut Reader<'_>,
    counting: &Counting,
    ids: &[Uuid],
    as_of: DateTime<Utc>,
) -> Result<Reckoned, StoreError> {
    let rules = Rules::of(reader, &counting.groups, as_of)?;
    let found = rules.find(reader, ids, as_of)?;
    let nothing = Findings::default();
    let score = |id: &Uuid| (*id, Score::reckon(&counting.groups, found.get(id).unwrap_or(&nothing), as_of));
    Ok(Reckoned { scores: ids.iter().map(score).collect(), skipped: rules.skipped })
}

/// Takes out the related records that the caller may not see, or may not see to be related.
fn keep_visible(
    reader: &mut Reader<'_>,
    groups: &[ScoreGroup],
    contributions: &mut [ScoreContribution],
) -> Result<(), StoreError> {
    for contribution in contributions.iter_mut().filter(|of| of.kind == ContributionKind::Engagement) {
        let mut rules = groups.iter().filter(|group| group.key() == contribution.group).flat_map(|group| match group {
            ScoreGroup::Engagement(group) => group.rules.as_slice(),
            ScoreGroup::Fit(_) => &[],
        });
        let rule = rules.find(|rule| Some(&rule.key) == contribution.rule.as_ref());
        let relation = rule.and_then(|rule| Catalogue::standard().relation(Entity::Lead, &rule.relation));
        let is_open = |(resource, field): (Resource, &str)| reader.grants().may_read(resource, field);
        let seen: HashSet<Uuid> = match relation.filter(|relation| is_open(relation.access)) {
            Some(relation) => Visible::of(reader, relation.to, &contribution.evidence_ids).load(reader.pg())?,
            None => Vec::new(),
        }
        .into_iter()
        .collect();
        contribution.evidence_ids.retain(|id| seen.contains(id));
    }
    Ok(())
}

/// Those of some records that live and that the caller may see.
struct Visible {
    table: &'static str,
    workspace: Uuid,
    ids: Vec<Uuid>,
    within: Within,
}

impl Visible {
    fn of(reader: &Reader<'_>, entity: Entity, ids: &[Uuid]) -> Self {
        let within = Policy::reading(reader, entity.resource()).whole();
        Self { table: filter::table(entity), workspace: reader.workspace(), ids: ids.to_vec(), within }
    }
}

impl Query for Visible {
    type SqlType = sql_types::Uuid;
}

impl QueryId for Visible {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for Visible {}

impl QueryFragment<Pg> for Visible {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let table = self.table;
        out.push_sql(&format!("SELECT {table}.id FROM {table} WHERE {table}.workspace_id = "));
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(&format!(" AND {table}.deleted_at IS NULL AND {table}.id = ANY("));
        out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(&self.ids)?;
        out.push_sql(")");
        if !self.within.is_everything() {
            out.push_sql(" AND ");
            self.within.walk_ast(out)?;
        }
        Ok(())
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = lead_score_changes, check_for_backend(Pg))]
struct ChangeRow {
    change: i64,
    at: DateTime<Utc>,
    cause: String,
    from_total: Option<i64>,
    to_total: Option<i64>,
    definition_id: Option<Uuid>,
    number: Option<i64>,
    differences: Json<Vec<ScoreDifference>>,
}

impl ChangeRow {
    fn into_change(self) -> Result<ScoreChange, StoreError> {
        Ok(ScoreChange {
            number: self.change,
            at: self.at,
            cause: codes::value(&self.cause)?,
            from: self.from_total.map(Points::from_hundredths),
            to: self.to_total.map(Points::from_hundredths),
            definition_id: self.definition_id.map(ScoreDefinitionId::from_uuid),
            definition_version: self.number,
            differences: self.differences.0,
        })
    }
}

/// How the score of a lead has changed, the latest change first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: LeadId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<ScoreChange>, StoreError> {
    leads::get(reader, id, Deleted::Include, &[])?;
    require_readable(reader, RESOURCE, &[("lead_id", "score")])?;
    let request = PageRequest::read(reader, "list_lead_score_changes", &id, limit, cursor)?;
    let select = lead_score_changes::table
        .filter(lead_score_changes::workspace_id.eq(reader.workspace()))
        .filter(lead_score_changes::lead_id.eq(id.uuid()))
        .select(ChangeRow::as_select())
        .into_boxed();
    let after = request.after::<i64>()?;
    let select = seek!(
        select,
        "lead_score_changes.change",
        sql_types::BigInt,
        "lead_score_changes.lead_id",
        Direction::Descending,
        after
    );
    let rows: Vec<ChangeRow> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.change, id.uuid()), ChangeRow::into_change)
}
