//! What the rules of a score find of leads: for which of them conditions hold, and what happened to which of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    pg::{Pg, PgConnection},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{
    filter::{Catalogue, Entity, Filter, Relation},
    insight::{
        score::{Event, Findings, MOST_EVENTS, RulePlace},
        score_definition::{EngagementRule, ScoreGroup},
    },
    people::contact::DeletedInList,
};
use uuid::Uuid;

use crate::{
    Reader, StoreError,
    filter::{self, Compiled},
};

/// As many rules are asked in one statement: each compares with 3,000 values at most, and a statement has 65,535.
const RULES_AT_ONCE: usize = 16;

/// Rules, ready to be asked of the database.
pub(super) struct Rules {
    rules: Vec<Rule>,
    /// Those whose filters do not fit any more, because a field was archived.
    pub(super) skipped: Vec<RulePlace>,
}

struct Rule {
    place: RulePlace,
    looks: Looks,
    condition: Option<Compiled>,
}

/// What a rule looks at.
enum Looks {
    AtRecord,
    /// At related records, with the instant that each stands for.
    Along(&'static Relation, String),
}

impl Rules {
    /// Those of a definition, at an instant.
    pub(super) fn of(reader: &mut Reader<'_>, groups: &[ScoreGroup], as_of: DateTime<Utc>) -> Result<Self, StoreError> {
        let mut rules = Self { rules: Vec::new(), skipped: Vec::new() };
        for (place, group) in groups.iter().enumerate() {
            match group {
                ScoreGroup::Fit(group) => {
                    for (index, rule) in group.rules.iter().enumerate() {
                        rules.add(reader, (place, index), Looks::AtRecord, Some(&rule.when), as_of)?;
                    }
                }
                ScoreGroup::Engagement(group) => {
                    for (index, rule) in group.rules.iter().enumerate() {
                        match along(rule) {
                            Some(looks) => {
                                rules.add(reader, (place, index), looks, rule.condition.as_ref(), as_of)?;
                            }
                            None => rules.skipped.push((place, index)),
                        }
                    }
                }
            }
        }
        Ok(rules)
    }

    fn add(
        &mut self,
        reader: &mut Reader<'_>,
        place: RulePlace,
        looks: Looks,
        filter: Option<&Filter>,
        as_of: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let condition = match filter {
            None => None,
            Some(filter) => match filter::checked_at(reader, filter, "", as_of)? {
                Ok(checked) => Some(Compiled::of_tree(reader, &checked.condition, DeletedInList::Exclude)?),
                Err(_) => {
                    self.skipped.push(place);
                    return Ok(());
                }
            },
        };
        self.rules.push(Rule { place, looks, condition });
        Ok(())
    }

    /// What they find of these leads, up to an instant.
    pub(super) fn find(
        &self,
        reader: &mut Reader<'_>,
        ids: &[Uuid],
        as_of: DateTime<Utc>,
    ) -> Result<HashMap<Uuid, Findings>, StoreError> {
        let mut found: HashMap<Uuid, Findings> = HashMap::new();
        for rules in self.rules.chunks(RULES_AT_ONCE) {
            let question = Question { rules, workspace: reader.workspace(), ids, as_of };
            let rows: Vec<Line> = question.load(reader.pg())?;
            for (index, lead, event, at) in rows {
                let Some(rule) = rules.get(index as usize) else { continue };
                let of_lead = found.entry(lead).or_default();
                match (event, at) {
                    (Some(id), Some(at)) => of_lead.events.entry(rule.place).or_default().push(Event { id, at }),
                    _ => {
                        of_lead.holding.insert(rule.place);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The relation that a rule looks along, and the instant of each record there.
fn along(rule: &EngagementRule) -> Option<Looks> {
    let relation = Catalogue::standard().relation(Entity::Lead, &rule.relation)?;
    let field = Catalogue::standard().field(relation.to, &rule.at)?;
    Some(Looks::Along(relation, filter::value(field)))
}

/// The rule, the lead, and of an event its id and its time.
type Line = (i32, Uuid, Option<Uuid>, Option<DateTime<Utc>>);

/// Asks rules of leads: a row for each that holds, and one for each event.
struct Question<'q> {
    rules: &'q [Rule],
    workspace: Uuid,
    ids: &'q [Uuid],
    as_of: DateTime<Utc>,
}

impl Query for Question<'_> {
    type SqlType = (
        sql_types::Integer,
        sql_types::Uuid,
        sql_types::Nullable<sql_types::Uuid>,
        sql_types::Nullable<sql_types::Timestamptz>,
    );
}

impl QueryId for Question<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<PgConnection> for Question<'_> {}

impl QueryFragment<Pg> for Question<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        for (index, rule) in self.rules.iter().enumerate() {
            if index > 0 {
                out.push_sql(" UNION ALL ");
            }
            match &rule.looks {
                Looks::AtRecord => {
                    out.push_sql(&format!("SELECT {index}, leads.id, NULL::uuid, NULL::timestamptz FROM leads"));
                    self.among(out.reborrow())?;
                    if let Some(condition) = &rule.condition {
                        out.push_sql(" AND ");
                        condition.walk_ast(out.reborrow())?;
                    }
                }
                Looks::Along(relation, at) => {
                    out.push_sql(&format!(
                        "SELECT {index}, leads.id, event.id, event.at FROM leads CROSS JOIN LATERAL ("
                    ));
                    self.events(relation, at, rule.condition.as_ref(), out.reborrow())?;
                    out.push_sql(") AS event");
                    self.among(out.reborrow())?;
                }
            }
        }
        Ok(())
    }
}

impl Question<'_> {
    /// The leads that are asked of.
    fn among<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" WHERE leads.workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND leads.id = ANY(");
        out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(&self.ids)?;
        out.push_sql(")");
        Ok(())
    }

    /// The latest records that are related to a lead and for which a condition holds.
    fn events<'b>(
        &'b self,
        relation: &Relation,
        at: &str,
        condition: Option<&'b Compiled>,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        let table = filter::table(relation.to);
        out.push_sql(&format!("SELECT {table}.id, {at} AS at FROM {table} WHERE {table}.workspace_id = "));
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        let (here, there) = (relation.here, relation.there);
        out.push_sql(&format!(" AND {table}.{there} = leads.{here} AND {table}.deleted_at IS NULL AND {at} <= "));
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.as_of)?;
        if let Some(condition) = condition {
            out.push_sql(" AND ");
            condition.walk_ast(out.reborrow())?;
        }
        out.push_sql(&format!(" ORDER BY {at} DESC, {table}.id LIMIT {MOST_EVENTS}"));
        Ok(())
    }
}
