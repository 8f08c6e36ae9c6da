//! Custom fields: what a workspace adds to the fields of contacts and companies.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::CustomFieldId,
    journal::{Changes, JournalEntry},
    record::{ArchivedInList, RecordKind, Stamp},
    workspace::custom_field::{
        CustomField, CustomFieldOption, CustomFieldPatch, CustomFieldQuery, CustomFields, MOST_FIELDS, NewCustomField,
        ReferencedResource,
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::custom_values;
use crate::{
    Page, Reader, StoreError, Writer, codes,
    journal::{self, Entry, Journalled},
    json::Json,
    memory::Memory,
    page::{PageRequest, seek},
    require_version,
    schema::custom_fields,
};

const KIND: RecordKind = RecordKind::CustomField;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = custom_fields, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    archived_at: Option<DateTime<Utc>>,
    resource: String,
    key: String,
    label: String,
    description: Option<String>,
    kind: String,
    is_required: bool,
    is_unique: bool,
    is_sorted: bool,
    rules: Json<Rules>,
    position: i64,
}

/// What only values are judged by.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rules {
    min_length: Option<i64>,
    max_length: Option<i64>,
    min: Option<String>,
    max: Option<String>,
    options: Vec<CustomFieldOption>,
    referenced_resource: Option<ReferencedResource>,
}

impl Row {
    fn of(workspace: Uuid, field: &CustomField) -> Self {
        Self {
            workspace_id: workspace,
            id: field.id.uuid(),
            version: field.version,
            created_at: field.created_at,
            updated_at: field.updated_at,
            created_by: field.created_by,
            updated_by: field.updated_by,
            archived_at: field.archived_at,
            resource: field.resource.as_str().to_owned(),
            key: field.key.clone(),
            label: field.label.clone(),
            description: field.description.clone(),
            kind: codes::word(&field.kind),
            is_required: field.required,
            is_unique: field.unique,
            is_sorted: field.sorted,
            rules: Json(Rules {
                min_length: field.min_length,
                max_length: field.max_length,
                min: field.min.clone(),
                max: field.max.clone(),
                options: field.options.clone(),
                referenced_resource: field.referenced_resource,
            }),
            position: field.position,
        }
    }

    fn into_field(self) -> Result<CustomField, StoreError> {
        let Json(rules) = self.rules;
        Ok(CustomField {
            id: CustomFieldId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            archived_at: self.archived_at,
            resource: codes::value(&self.resource)?,
            key: self.key,
            label: self.label,
            description: self.description,
            kind: codes::value(&self.kind)?,
            required: self.is_required,
            unique: self.is_unique,
            sorted: self.is_sorted,
            min_length: rules.min_length,
            max_length: rules.max_length,
            min: rules.min,
            max: rules.max,
            options: rules.options,
            referenced_resource: rules.referenced_resource,
            position: self.position,
        })
    }
}

/// Custom fields of the workspace: every read of definitions starts here.
pub(super) fn visible(reader: &Reader<'_>) -> custom_fields::BoxedQuery<'static, Pg> {
    custom_fields::table.filter(custom_fields::workspace_id.eq(reader.workspace())).into_boxed()
}

/// The custom fields of a resource, archived ones included.
pub fn of(reader: &mut Reader<'_>, resource: Resource) -> Result<CustomFields, StoreError> {
    let select = visible(reader).filter(custom_fields::resource.eq(resource.as_str()));
    load(reader, select)
}

/// The custom fields that every new record of a resource needs.
pub(crate) fn required(reader: &mut Reader<'_>, resource: Resource) -> Result<Arc<CustomFields>, StoreError> {
    Memory::required_fields(reader, resource, |reader| {
        let select = visible(reader).filter(custom_fields::resource.eq(resource.as_str()));
        let select = select.filter(custom_fields::is_required).filter(custom_fields::archived_at.is_null());
        load(reader, select)
    })
}

fn load(reader: &mut Reader<'_>, select: custom_fields::BoxedQuery<'static, Pg>) -> Result<CustomFields, StoreError> {
    let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
    Ok(CustomFields::new(rows.into_iter().map(Row::into_field).collect::<Result<_, _>>()?))
}

/// One custom field, archived or not.
pub fn get(reader: &mut Reader<'_>, id: CustomFieldId) -> Result<CustomField, StoreError> {
    let select = visible(reader).filter(custom_fields::id.eq(id.uuid())).select(Row::as_select());
    let row: Option<Row> = select.first(reader.pg()).optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_field()
}

/// A page of the custom fields, by position.
pub fn list(reader: &mut Reader<'_>, query: &CustomFieldQuery) -> Result<Page<CustomField>, StoreError> {
    let request = PageRequest::read(reader, "list_custom_fields", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if let Some(resource) = query.resource {
        select = select.filter(custom_fields::resource.eq(resource.as_str()));
    }
    if query.archived == ArchivedInList::Exclude {
        select = select.filter(custom_fields::archived_at.is_null());
    }
    let after = request.after::<i64>()?;
    let select =
        seek!(select, "custom_fields.position", sql_types::BigInt, "custom_fields.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.position, row.id), Row::into_field)
}

/// Creates a custom field.
pub fn create(writer: &mut Writer<'_>, new: &NewCustomField) -> Result<CustomField, StoreError> {
    let id = CustomFieldId::mint();
    writer.transaction(|writer| {
        custom_values::wait_alone(writer)?;
        writer.changes_settings();
        let known = of(writer, new.resource)?;
        require_room(&known)?;
        let last = known.live().map(|field| field.position + 1).max().unwrap_or(1);
        let field = CustomField::create(new.clone(), id, writer.stamp(), last)?;
        let changes = Changes::of_new(&field);
        let entry = Entry::new(writer, KIND, "created", id.uuid(), changes, field.created_at);
        let write = diesel::insert_into(custom_fields::table)
            .values(Row::of(writer.workspace(), &field))
            .returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_field()
    })
}

fn require_room(known: &CustomFields) -> Result<(), StoreError> {
    if known.live().count() < MOST_FIELDS {
        return Ok(());
    }
    let detail =
        format!("A resource has at most {MOST_FIELDS} custom fields. Archive one that is not needed any more.");
    Err(StoreError::Conflict { code: "too_many_fields", detail })
}

/// Changes a custom field; `expected` is the version that the caller knows.
pub fn update(
    writer: &mut Writer<'_>,
    id: CustomFieldId,
    expected: Option<i64>,
    patch: &CustomFieldPatch,
) -> Result<CustomField, StoreError> {
    change(writer, id, expected, "updated", |writer, before, _| {
        let after = before.patch(patch.clone())?;
        let is_gone = |option: &&CustomFieldOption| !after.options.iter().any(|other| other.key == option.key);
        for option in before.options.iter().filter(is_gone) {
            if custom_values::is_chosen(writer, before, &option.key)? {
                let detail = format!("Records have the option {}. Archive it instead of leaving it out.", option.key);
                return Err(StoreError::Conflict { code: "in_use", detail });
            }
        }
        Ok(after)
    })
}

/// Takes a field out of use. What records have in it is kept, and neither shown nor written.
pub fn archive(writer: &mut Writer<'_>, id: CustomFieldId, expected: Option<i64>) -> Result<CustomField, StoreError> {
    change(writer, id, expected, "archived", |_, before, stamp| {
        Ok(CustomField { archived_at: before.archived_at.or(Some(stamp.at)), ..before.clone() })
    })
}

/// Brings an archived field back, with what records had in it.
pub fn restore(writer: &mut Writer<'_>, id: CustomFieldId, expected: Option<i64>) -> Result<CustomField, StoreError> {
    change(writer, id, expected, "restored", |writer, before, _| {
        if before.is_archived() {
            require_room(&of(writer, before.resource)?)?;
        }
        Ok(CustomField { archived_at: None, ..before.clone() })
    })
}

/// What happened to a custom field, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: CustomFieldId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// Reads, changes and writes back while nobody writes values. What changes nothing leaves no trace.
fn change(
    writer: &mut Writer<'_>,
    id: CustomFieldId,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &CustomField, Stamp) -> Result<CustomField, StoreError>,
) -> Result<CustomField, StoreError> {
    writer.transaction(|writer| {
        custom_values::wait_alone(writer)?;
        writer.changes_settings();
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = apply(writer, &before, stamp)?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, verb, id.uuid(), changes, after.updated_at);
        let write = diesel::update(custom_fields::table)
            .filter(custom_fields::workspace_id.eq(writer.workspace()))
            .filter(custom_fields::id.eq(id.uuid()))
            .filter(custom_fields::version.eq(before.version))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        let row = Journalled { write, entry }.get_result::<Row>(writer.pg()).optional()?;
        let field = row.ok_or(StoreError::Contention)?.into_field()?;
        let promotion = |field: &CustomField| (field.is_promoted(), field.unique, field.sorted);
        if promotion(&before) != promotion(&field) {
            custom_values::keep_anew(writer, &field)?;
        }
        Ok(field)
    })
}
