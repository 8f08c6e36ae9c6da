//! The custom fields of many records: judged one by one by what is asked once, and kept with the records.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use diesel::{prelude::*, sql_query, sql_types};
use rapport_domain::{
    access::Resource,
    problem::{FieldProblem, Invalid},
    workspace::custom_field::{CustomField, CustomFields, CustomValues, merged},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    StoreError, Writer,
    workspace::{
        custom_fields,
        custom_values::{self, Line},
    },
};

/// What values are judged by, and what is yet to be written.
#[derive(Default)]
pub(crate) struct Custom {
    fields: Arc<CustomFields>,
    /// Records that values name and that are there.
    known: HashSet<Uuid>,
    /// Who has which value in which unique field.
    holders: HashMap<(Uuid, String), Uuid>,
    gone: Vec<(Uuid, Uuid)>,
    lines: Vec<Line>,
}

#[derive(QueryableByName)]
struct Holder {
    #[diesel(sql_type = sql_types::Uuid)]
    field_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    unique_value: String,
    #[diesel(sql_type = sql_types::Uuid)]
    record_id: Uuid,
}

impl Custom {
    /// Asks what has to be known of the values that the rows give.
    pub(crate) fn prepare(
        writer: &mut Writer<'_>,
        resource: Resource,
        given: &[&CustomValues],
        deletes: bool,
    ) -> Result<Self, StoreError> {
        if given.is_empty() && !deletes {
            return Ok(Self { fields: custom_fields::required(writer, resource)?, ..Self::default() });
        }
        // What is deleted gives its values free, which whoever makes a field unique has to see.
        custom_values::wait(writer)?;
        let fields = Arc::new(custom_fields::of(writer, resource)?);
        let nothing = CustomValues::new();
        // One by one: a value that a record has already may break a rule that became stricter, and stay.
        let alone = |(key, value): (&String, &Value)| CustomValues::from([(key.clone(), value.clone())]);
        let fitting = |given: &&CustomValues| -> CustomValues {
            let each = given.iter().map(alone).filter_map(|given| fields.judge_changes(&given, &nothing).ok());
            each.flatten().collect()
        };
        let values: Vec<CustomValues> = given.iter().map(fitting).collect();
        let known = custom_values::known_references(writer, &fields, &values)?;
        let uniques: Vec<(Uuid, String)> = values.iter().flat_map(|values| uniques(&fields, values)).collect();
        let holders = holders(writer, uniques)?;
        Ok(Self { fields, known, holders, ..Self::default() })
    }

    /// The values of a new record as they are kept.
    pub(crate) fn judge_new(&self, record: Uuid, given: &CustomValues) -> Result<CustomValues, Invalid> {
        let values = self.fields.judge_new(given)?;
        self.judge_with_others(record, values, &CustomValues::new())
    }

    /// The values of a record after a change.
    pub(crate) fn judge_changes(
        &self,
        record: Uuid,
        given: &CustomValues,
        before: &CustomValues,
    ) -> Result<CustomValues, Invalid> {
        let changes = self.fields.judge_changes(given, before)?;
        self.judge_with_others(record, merged(before, changes), before)
    }

    fn judge_with_others(
        &self,
        record: Uuid,
        values: CustomValues,
        before: &CustomValues,
    ) -> Result<CustomValues, Invalid> {
        let values = custom_values::with_references(&self.fields, values, before, &self.known)?;
        let is_taken = |field: &&CustomField| {
            let unique = values.get(&field.key).and_then(|value| field.unique_value(value));
            let holder = unique.and_then(|value| self.holders.get(&(field.id.uuid(), value)));
            holder.is_some_and(|holder| *holder != record)
        };
        let problems: Vec<FieldProblem> = self
            .fields
            .live()
            .filter(is_taken)
            .map(|field| {
                let detail = format!("Another record, or a row further up, has this value in {}.", field.label);
                FieldProblem::at(format!("/custom/{}", field.key), "duplicate_unique_value", detail)
            })
            .collect();
        if problems.is_empty() { Ok(values) } else { Err(Invalid::of(problems)) }
    }

    /// Notes what is to be kept of a record that is written.
    pub(crate) fn keep(&mut self, workspace: Uuid, record: Uuid, before: &CustomValues, after: &CustomValues) {
        let changed = |field: &&CustomField| before.get(&field.key) != after.get(&field.key);
        for field in self.fields.live().filter(|field| field.is_promoted()).filter(changed) {
            let id = field.id.uuid();
            if let Some(value) = before.get(&field.key) {
                self.gone.push((record, id));
                field.unique_value(value).and_then(|value| self.holders.remove(&(id, value)));
            }
            if let Some(value) = after.get(&field.key) {
                field.unique_value(value).and_then(|value| self.holders.insert((id, value), record));
                self.lines.extend(Line::of(workspace, record, field, value));
            }
        }
    }

    /// Writes what is pending.
    pub(crate) fn flush(&mut self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        custom_values::forget(writer, &std::mem::take(&mut self.gone))?;
        match custom_values::insert(writer, &std::mem::take(&mut self.lines))?.first() {
            None => Ok(()),
            Some(_) => Err(StoreError::Contention), // somebody was faster; who looks again sees the value
        }
    }
}

fn uniques(fields: &CustomFields, values: &CustomValues) -> Vec<(Uuid, String)> {
    let unique = |field: &CustomField| Some((field.id.uuid(), field.unique_value(values.get(&field.key)?)?));
    fields.live().filter_map(unique).collect()
}

fn holders(writer: &mut Writer<'_>, uniques: Vec<(Uuid, String)>) -> Result<HashMap<(Uuid, String), Uuid>, StoreError> {
    if uniques.is_empty() {
        return Ok(HashMap::new());
    }
    let (fields, values): (Vec<Uuid>, Vec<String>) = uniques.into_iter().unzip();
    let statement = "SELECT field_id, unique_value, record_id FROM custom_field_values WHERE workspace_id = $1 \
                     AND (field_id, unique_value) IN (SELECT * FROM unnest($2, $3))";
    let workspace = writer.workspace();
    let found: Vec<Holder> = sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(fields)
        .bind::<sql_types::Array<sql_types::Text>, _>(values)
        .load(writer.pg())?;
    Ok(found.into_iter().map(|found| ((found.field_id, found.unique_value), found.record_id)).collect())
}
