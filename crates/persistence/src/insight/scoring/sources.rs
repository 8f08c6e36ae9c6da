//! Which leads are to be scored anew by what the feed tells.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{prelude::*, sql_query, sql_types};
use rapport_domain::{
    filter::{Catalogue, Entity, Filter, Relation},
    insight::{score::ScoreCause, score_definition::ScoreGroup},
    journal::Changes,
    record::RecordKind,
};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use super::Counting;
use crate::{
    Reader, StoreError, Writer, codes, filter,
    journal::in_feed,
    json::Json,
    schema::{feed_heads, feed_positions, journal},
};

/// The last position of the feed of a workspace.
pub(super) fn head(reader: &mut Reader<'_>) -> Result<i64, StoreError> {
    let head = feed_heads::table.find(reader.workspace()).select(feed_heads::position);
    Ok(head.first(reader.pg()).optional()?.unwrap_or_default())
}

/// The relations of leads that any rule looks along.
pub(super) fn relations(counting: &Counting) -> Vec<&'static Relation> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for group in &counting.groups {
        match group {
            ScoreGroup::Fit(group) => names.extend(group.rules.iter().flat_map(|rule| rule.when.relations())),
            ScoreGroup::Engagement(group) => names.extend(group.rules.iter().map(|rule| rule.relation.as_str())),
        }
    }
    names.into_iter().filter_map(|name| Catalogue::standard().relation(Entity::Lead, name)).collect()
}

/// Whether scores may change although nothing that the feed tells of does.
pub(super) fn change_by_themselves(counting: &Counting) -> bool {
    counting.groups.iter().any(|group| match group {
        ScoreGroup::Fit(group) => group.rules.iter().any(|rule| rule.when.changes_by_itself()),
        ScoreGroup::Engagement(group) => group.rules.iter().any(|rule| {
            let may_lie_ahead = !PAST.contains(&rule.at.as_str());
            may_lie_ahead || rule.condition.as_ref().is_some_and(changes_unseen)
        }),
    })
}

/// Times that are never ahead when they are written. An event at any other may begin to count when its time has come, of which
/// the feed does not tell.
const PAST: &[&str] =
    &["created_at", "updated_at", "completed_at", "closed_at", "converted_at", "stage_entered_at", "status_entered_at"];

/// Whether a condition on related records may change unseen. They stand along a relation already, so each further one leads away
/// from what is looked at.
fn changes_unseen(filter: &Filter) -> bool {
    filter.changes_by_itself() || !filter.relations().is_empty()
}

/// Marks the leads that entries of the feed are about, or that are or were related to what they are about.
pub(super) fn mark(writer: &mut Writer<'_>, counting: &Counting, after: i64, until: i64) -> Result<(), StoreError> {
    let relations = relations(counting);
    let mut kinds: BTreeSet<&str> = relations.iter().map(|relation| relation.to.resource().kind().as_str()).collect();
    kinds.insert(RecordKind::Lead.as_str());
    let entries: Vec<(String, Uuid, Json<Box<RawValue>>)> = in_feed()
        .filter(feed_positions::workspace_id.eq(writer.workspace()))
        .filter(feed_positions::position.gt(after))
        .filter(feed_positions::position.le(until))
        .filter(journal::record_kind.eq_any(kinds))
        .select((journal::record_kind, journal::record_id, journal::changes))
        .load(writer.pg())?;
    let mut records: BTreeMap<String, BTreeSet<Uuid>> = BTreeMap::new();
    for (kind, id, _) in &entries {
        records.entry(kind.clone()).or_default().insert(*id);
    }
    for relation in relations {
        let kind = relation.to.resource().kind().as_str();
        if let Some(ids) = records.get(kind) {
            mark_related(writer, relation, ids)?;
            mark_named(writer, relation, entries.iter().filter(|(of, ..)| of == kind))?;
        }
    }
    match records.get(RecordKind::Lead.as_str()) {
        Some(leads) => put(writer, "leads.id = ANY($4)", leads, ScoreCause::RecordChanged),
        None => Ok(()),
    }
}

/// Marks the leads to which these records are related now.
fn mark_related(writer: &mut Writer<'_>, relation: &Relation, ids: &BTreeSet<Uuid>) -> Result<(), StoreError> {
    let (table, here, there) = (filter::table(relation.to), relation.here, relation.there);
    let condition = format!(
        "leads.{here} IN (SELECT {table}.{there} FROM {table} WHERE {table}.workspace_id = $1 AND {table}.id = ANY($4))"
    );
    put(writer, &condition, ids, ScoreCause::Event)
}

/// Marks the leads that these entries say were or are named by the record.
fn mark_named<'e>(
    writer: &mut Writer<'_>,
    relation: &Relation,
    entries: impl Iterator<Item = &'e (String, Uuid, Json<Box<RawValue>>)>,
) -> Result<(), StoreError> {
    let (resource, field) = relation.access;
    if resource != relation.to.resource() {
        return Ok(()); // the lead names the record, and has an entry of its own
    }
    let mut named = BTreeSet::new();
    for (_, id, changes) in entries {
        let unreadable = |error| StoreError::Internal(format!("the journal of {id}: {error}"));
        let changes = Changes::read(&changes.0).map_err(unreadable)?;
        for change in changes.iter().filter(|change| change.field == field) {
            for value in [&change.from, &change.to] {
                ids_within(&serde_json::from_str(value.get()).map_err(unreadable)?, &mut named);
            }
        }
    }
    put(writer, &format!("leads.{} = ANY($4)", relation.here), &named, ScoreCause::Event)
}

/// The ids that stand in a value.
fn ids_within(value: &Value, found: &mut BTreeSet<Uuid>) {
    match value {
        Value::String(text) => found.extend(text.parse::<Uuid>()),
        Value::Array(items) => items.iter().for_each(|item| ids_within(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| ids_within(field, found)),
        _ => {}
    }
}

/// Marks the leads for which a condition holds, which names `$4`.
fn put(writer: &mut Writer<'_>, condition: &str, ids: &BTreeSet<Uuid>, cause: ScoreCause) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let statement = format!(
        "INSERT INTO lead_scores (workspace_id, lead_id, contributions, changes, due_at, due_cause) \
         SELECT leads.workspace_id, leads.id, '[]', 0, $2, $3 FROM leads \
          WHERE leads.workspace_id = $1 AND leads.deleted_at IS NULL AND {condition} \
         ON CONFLICT (workspace_id, lead_id) DO UPDATE SET due_at = excluded.due_at, due_cause = excluded.due_cause"
    );
    sql_query(statement)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Timestamptz, _>(writer.now())
        .bind::<sql_types::Text, _>(codes::word(&cause))
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .execute(writer.pg())?;
    Ok(())
}
