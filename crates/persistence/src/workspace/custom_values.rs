//! The values of custom fields: judged by the fields of the workspace, and kept in `custom_field_values` where a field is
//! unique or sorted.
//!
//! Who writes values shares a lock with others who do; who changes a field has it alone. So the fields that values were
//! judged by are those of the moment of writing, and what is kept beside the records is complete.

use std::collections::HashSet;

use diesel::{prelude::*, sql_query, sql_types};
use rapport_domain::{
    access::Resource,
    problem::{FieldProblem, Invalid},
    workspace::custom_field::{
        CustomField, CustomFields, CustomValues, MOST_INDEXED, ReferencedResource, merged, within_size,
    },
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{custom_fields, users};
use crate::{
    Reader, StoreError, Writer, bulk,
    people::{companies, contacts},
    schema, turns,
};

/// So many records are read at a time when the values of a field are kept anew.
const BATCH: i64 = 5_000;

/// Lets others write values, too, and nobody change a field, until the end of the transaction.
pub(crate) fn wait(writer: &mut Writer<'_>) -> Result<(), StoreError> {
    let name = turn(writer);
    turns::share(writer, &name)
}

/// Lets nobody write values or change a field until the end of the transaction.
pub(super) fn wait_alone(writer: &mut Writer<'_>) -> Result<(), StoreError> {
    let name = turn(writer);
    turns::take(writer, &name)
}

fn turn(reader: &Reader<'_>) -> String {
    format!("custom fields of {}", reader.workspace())
}

/// Does something in a transaction in which no field changes, if that is needed.
pub(crate) fn in_turn<T>(
    writer: &mut Writer<'_>,
    is_needed: bool,
    mut work: impl FnMut(&mut Writer<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if !is_needed {
        return work(writer);
    }
    writer.transaction(|writer| {
        wait(writer)?;
        work(writer)
    })
}

/// The values of a new record as they are kept, or what is wrong with them.
pub(crate) fn judge_new(
    reader: &mut Reader<'_>,
    resource: Resource,
    given: &CustomValues,
) -> Result<Result<CustomValues, Invalid>, StoreError> {
    if given.is_empty() {
        return Ok(custom_fields::required(reader, resource)?.judge_new(given));
    }
    let fields = custom_fields::of(reader, resource)?;
    let values = match fields.judge_new(given) {
        Ok(values) => values,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let known = known_references(reader, &fields, [&values])?;
    Ok(with_references(&fields, values, &CustomValues::new(), &known))
}

/// The values of a record after a change, or what is wrong with the change.
pub(crate) fn judge_changes(
    reader: &mut Reader<'_>,
    resource: Resource,
    given: Option<CustomValues>,
    current: &CustomValues,
) -> Result<Result<CustomValues, Invalid>, StoreError> {
    let Some(given) = given else { return Ok(Ok(current.clone())) };
    let fields = custom_fields::of(reader, resource)?;
    let changes = match fields.judge_changes(&given, current) {
        Ok(changes) => changes,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let known = known_references(reader, &fields, [&changes])?;
    Ok(with_references(&fields, merged(current, changes), current, &known))
}

/// The values, if the records that they name anew are known.
pub(crate) fn with_references(
    fields: &CustomFields,
    values: CustomValues,
    before: &CustomValues,
    known: &HashSet<Uuid>,
) -> Result<CustomValues, Invalid> {
    let named = references(fields, &values).filter(|(field, ..)| before.get(&field.key) != values.get(&field.key));
    let unknown = named.filter(|(.., id)| !known.contains(id));
    let problems: Vec<FieldProblem> = unknown
        .map(|(field, resource, _)| {
            let what = match resource {
                ReferencedResource::Contacts => "contact",
                ReferencedResource::Companies => "company",
                ReferencedResource::Users => "user",
            };
            let detail = format!("There is no {what} with this id. Name another, or null.");
            FieldProblem::at(format!("/custom/{}", field.key), "unknown_reference", detail)
        })
        .collect();
    within_size(&values)?;
    if problems.is_empty() { Ok(values) } else { Err(Invalid::of(problems)) }
}

/// Those of the records that values name which are there, and which the caller may see.
pub(crate) fn known_references<'v>(
    reader: &mut Reader<'_>,
    fields: &CustomFields,
    values: impl IntoIterator<Item = &'v CustomValues>,
) -> Result<HashSet<Uuid>, StoreError> {
    let named: Vec<_> = values
        .into_iter()
        .flat_map(|values| references(fields, values).map(|(_, resource, id)| (resource, id)).collect::<Vec<_>>())
        .collect();
    let mut known = HashSet::new();
    for resource in [ReferencedResource::Contacts, ReferencedResource::Companies, ReferencedResource::Users] {
        let ids: Vec<Uuid> = named.iter().filter(|(other, _)| *other == resource).map(|(_, id)| *id).collect();
        if ids.is_empty() {
            continue;
        }
        match resource {
            ReferencedResource::Contacts => known.extend(contacts::known(reader, ids)?),
            ReferencedResource::Companies => known.extend(companies::known(reader, ids)?),
            ReferencedResource::Users => {
                known.extend(users::summaries(reader, &ids)?.into_iter().map(|user| user.id.uuid()));
            }
        }
    }
    Ok(known)
}

fn references<'v>(
    fields: &'v CustomFields,
    values: &'v CustomValues,
) -> impl Iterator<Item = (&'v CustomField, ReferencedResource, Uuid)> {
    fields.live().filter_map(|field| {
        let id = values.get(&field.key)?.as_str()?.parse().ok()?;
        Some((field, field.referenced_resource?, id))
    })
}

/// Leaves out what is in archived fields.
pub(crate) fn hide_archived<'v>(
    reader: &mut Reader<'_>,
    resource: Resource,
    values: impl IntoIterator<Item = &'v mut CustomValues>,
) -> Result<(), StoreError> {
    let mut values: Vec<_> = values.into_iter().filter(|values| !values.is_empty()).collect();
    if values.is_empty() {
        return Ok(());
    }
    let archived: HashSet<String> = custom_fields::visible(reader)
        .filter(schema::custom_fields::resource.eq(resource.as_str()))
        .filter(schema::custom_fields::archived_at.is_not_null())
        .select(schema::custom_fields::key)
        .load(reader.pg())?
        .into_iter()
        .collect();
    values.iter_mut().for_each(|values| values.retain(|key, _| !archived.contains(key)));
    Ok(())
}

/// What a write changes of the values that are kept beside a record. A record that is deleted keeps none there.
pub(crate) struct Kept<'v> {
    record: Uuid,
    before: Option<&'v CustomValues>,
    after: Option<&'v CustomValues>,
}

impl<'v> Kept<'v> {
    pub(crate) fn new(record: Uuid, before: Option<&'v CustomValues>, after: Option<&'v CustomValues>) -> Self {
        Self { record, before, after }
    }

    /// Whether there is nothing to do beside the record.
    fn is_same(&self) -> bool {
        let none = CustomValues::new();
        self.before.unwrap_or(&none) == self.after.unwrap_or(&none)
    }

    fn changed(&self, field: &CustomField) -> bool {
        of_field(self.before, field) != of_field(self.after, field)
    }
}

fn of_field<'v>(values: Option<&'v CustomValues>, field: &CustomField) -> Option<&'v Value> {
    values.and_then(|values| values.get(&field.key))
}

/// Writes a record, and with it what is kept beside it. Whoever has the values of custom fields as they were pays nothing.
pub(crate) fn written_with<T>(
    writer: &mut Writer<'_>,
    resource: Resource,
    kept: &Kept<'_>,
    mut write: impl FnMut(&mut Writer<'_>) -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    if kept.is_same() {
        return write(writer);
    }
    in_turn(writer, true, |writer| {
        let written = write(writer)?;
        if written.is_some() {
            keep(writer, resource, kept)?;
        }
        Ok(written)
    })
}

fn keep(writer: &mut Writer<'_>, resource: Resource, kept: &Kept<'_>) -> Result<(), StoreError> {
    let fields = custom_fields::of(writer, resource)?;
    let changed: Vec<&CustomField> = fields.live().filter(|field| field.is_promoted() && kept.changed(field)).collect();
    let workspace = writer.workspace();
    let gone: Vec<(Uuid, Uuid)> = changed
        .iter()
        .filter(|field| of_field(kept.before, field).is_some())
        .map(|field| (kept.record, field.id.uuid()))
        .collect();
    let rows: Vec<Line> = changed
        .iter()
        .filter_map(|field| Line::of(workspace, kept.record, field, of_field(kept.after, field)?))
        .collect();
    forget(writer, &gone)?;
    match insert(writer, &rows)?.first() {
        None => Ok(()),
        Some(taken) => {
            let field = changed.iter().find(|field| field.id.uuid() == taken.field_id);
            let label = field.map_or("a field that is unique", |field| field.label.as_str());
            let detail = format!("Another record has this value in {label}. Choose another value.");
            Err(StoreError::Conflict { code: "value_taken", detail })
        }
    }
}

/// A row of `custom_field_values`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    workspace_id: Uuid,
    record_id: Uuid,
    field_id: Uuid,
    unique_value: Option<String>,
    sort_key: Option<String>,
}

impl Line {
    /// What is kept of a value; nothing where the field is neither unique nor sorted.
    pub(crate) fn of(workspace: Uuid, record: Uuid, field: &CustomField, value: &Value) -> Option<Self> {
        let (unique_value, sort_key) = (field.unique_value(value), field.sort_key(value));
        (unique_value.is_some() || sort_key.is_some()).then_some(Self {
            workspace_id: workspace,
            record_id: record,
            field_id: field.id.uuid(),
            unique_value,
            sort_key,
        })
    }
}

#[derive(QueryableByName, PartialEq, Eq, Hash)]
struct Inserted {
    #[diesel(sql_type = sql_types::Uuid)]
    record_id: Uuid,
    #[diesel(sql_type = sql_types::Uuid)]
    field_id: Uuid,
}

/// Keeps values, and gives back those that others have already. Waits for whoever is about to have one.
pub(crate) fn insert(writer: &mut Writer<'_>, lines: &[Line]) -> Result<Vec<Line>, StoreError> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let is_long =
        |line: &&Line| line.unique_value.as_ref().is_some_and(|value| value.chars().count() as i64 > MOST_INDEXED);
    if let Some(long) = lines.iter().find(is_long) {
        let detail = format!(
            "A value of a unique field has at most {MOST_INDEXED} characters, and that of record {} has more. Shorten it.",
            long.record_id
        );
        return Err(StoreError::Conflict { code: "value_too_long", detail });
    }
    let statement = "INSERT INTO custom_field_values \
                     SELECT * FROM json_populate_recordset(NULL::custom_field_values, $1::json) \
                     ON CONFLICT DO NOTHING RETURNING record_id, field_id";
    let inserted: HashSet<Inserted> = sql_query(statement)
        .bind::<sql_types::Text, _>(bulk::document(lines)?)
        .load(writer.pg())?
        .into_iter()
        .collect();
    let is_missing =
        |line: &&Line| !inserted.contains(&Inserted { record_id: line.record_id, field_id: line.field_id });
    Ok(lines.iter().filter(is_missing).cloned().collect())
}

/// Keeps no longer what records have in fields.
pub(crate) fn forget(writer: &mut Writer<'_>, gone: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let (records, fields): (Vec<Uuid>, Vec<Uuid>) = gone.iter().copied().unzip();
    let statement = "DELETE FROM custom_field_values AS kept USING unnest($2, $3) AS gone (record_id, field_id) \
                     WHERE kept.workspace_id = $1 AND kept.record_id = gone.record_id AND kept.field_id = gone.field_id";
    let workspace = writer.workspace();
    sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(records)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(fields)
        .execute(writer.pg())?;
    Ok(())
}

#[derive(QueryableByName)]
struct Valued {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = sql_types::Jsonb)]
    value: Value,
}

/// Keeps the values of a field as it is now: all of them or, when it is neither unique nor sorted, none.
pub(super) fn keep_anew(writer: &mut Writer<'_>, field: &CustomField) -> Result<(), StoreError> {
    let workspace = writer.workspace();
    diesel::delete(schema::custom_field_values::table)
        .filter(schema::custom_field_values::workspace_id.eq(workspace))
        .filter(schema::custom_field_values::field_id.eq(field.id.uuid()))
        .execute(writer.pg())?;
    let mut last = Some(Uuid::nil()).filter(|_| field.is_promoted());
    while let Some(after) = last {
        let records = with_value(writer, field, after)?;
        let lines: Vec<Line> =
            records.iter().filter_map(|record| Line::of(workspace, record.id, field, &record.value)).collect();
        if let Some(line) = insert(writer, &lines)?.first() {
            let value = line.unique_value.as_deref().unwrap_or_default();
            let detail = format!(
                "{} can't be unique: several records have {value:?}, {} among them. Change them first.",
                field.label, line.record_id
            );
            return Err(StoreError::Conflict { code: "duplicate_values", detail });
        }
        last = records.last().map(|record| record.id);
    }
    Ok(())
}

/// Living records with a value in a field, by id.
fn with_value(reader: &mut Reader<'_>, field: &CustomField, after: Uuid) -> Result<Vec<Valued>, StoreError> {
    let statement = format!(
        "SELECT id, custom -> $3 AS value FROM {} WHERE workspace_id = $1 AND id > $2 AND deleted_at IS NULL \
         AND custom ? $3 ORDER BY id LIMIT $4",
        field.resource.as_str()
    );
    let workspace = reader.workspace();
    Ok(sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(after)
        .bind::<sql_types::Text, _>(&field.key)
        .bind::<sql_types::BigInt, _>(BATCH)
        .load(reader.pg())?)
}

/// Whether a record has chosen an option, deleted records included: they can be restored.
pub(super) fn is_chosen(reader: &mut Reader<'_>, field: &CustomField, option: &str) -> Result<bool, StoreError> {
    let table = field.resource.as_str();
    let statement =
        format!("SELECT id, custom AS value FROM {table} WHERE workspace_id = $1 AND custom -> $2 ? $3 LIMIT 1");
    let workspace = reader.workspace();
    let found: Option<Valued> = sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Text, _>(&field.key)
        .bind::<sql_types::Text, _>(option)
        .get_result(reader.pg())
        .optional()?;
    Ok(found.is_some())
}
