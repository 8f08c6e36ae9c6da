//! What was built on a conversion, and stands in the way of taking it back.

use diesel::{prelude::*, sql_query, sql_types};
use rapport_domain::{
    access::Resource,
    id::LeadId,
    sales::lead::{ConversionResult, ConversionTarget, ConvertedRecord, Obstacle},
};
use uuid::Uuid;

use super::Kept;
use crate::{Reader, StoreError, Writer, bulk::Bulk, visibility::readable};

/// So many that refer to a record are named.
const MOST_NAMED: i64 = 10;

/// The version of a record that nobody has changed.
const FIRST_VERSION: i64 = 1;

/// A way in which records refer to another: their resource, what they are to it, and the condition, in which `$2` is its id.
type Way = (Resource, &'static str, &'static str);

const TO_CONTACT: &[Way] = &[
    (Resource::Opportunities, "opportunities", "contact_ids <> '{}' AND contact_ids @> ARRAY[$2]"),
    (Resource::Tasks, "tasks", "parent_id = $2 AND parent_kind = 'contact'"),
    (Resource::Notes, "notes", "parent_id = $2 AND parent_kind = 'contact'"),
    (Resource::Leads, "other leads that became the same", "converted_contact_id = $2"),
];

const TO_COMPANY: &[Way] = &[
    (Resource::Contacts, "contacts", "company_id = $2"),
    (Resource::Companies, "companies that it owns", "parent_id = $2"),
    (Resource::Opportunities, "opportunities", "company_id = $2"),
    (Resource::Tasks, "tasks", "parent_id = $2 AND parent_kind = 'company'"),
    (Resource::Notes, "notes", "parent_id = $2 AND parent_kind = 'company'"),
    (Resource::Leads, "other leads that became the same", "converted_company_id = $2"),
];

const TO_OPPORTUNITY: &[Way] = &[
    (Resource::Tasks, "tasks", "parent_id = $2 AND parent_kind = 'opportunity'"),
    (Resource::Notes, "notes", "parent_id = $2 AND parent_kind = 'opportunity'"),
];

/// What stands in the way of taking a conversion back. The records that the lead became are held from now on.
pub(super) fn of(writer: &mut Writer<'_>, lead: LeadId, kept: &Kept) -> Result<Vec<Obstacle>, StoreError> {
    let mut obstacles = Vec::new();
    // In the order in which a conversion holds them.
    for target in [ConversionTarget::Company, ConversionTarget::Contact, ConversionTarget::Opportunity] {
        let Some(record) = kept.record(target) else { continue };
        let is_created = record.result == ConversionResult::Created;
        if !is_created && record.filled.is_empty() {
            continue; // it was only referred to
        }
        match held(writer, record)? {
            Some((version, false)) if is_created && version != FIRST_VERSION => {
                obstacles.push(Obstacle::Changed { what: target, id: record.id });
            }
            Some((_, false)) => {}
            Some((_, true)) => {
                obstacles.push(Obstacle::Deleted { what: target, id: record.id });
                continue;
            }
            None => {
                let what = target.kind().as_str();
                return Err(StoreError::Forbidden(format!("You may not change the {what} that the lead became.")));
            }
        }
        if is_created {
            obstacles.extend(references(writer, lead, kept, record)?);
        }
    }
    Ok(obstacles)
}

/// The version of a record, and whether it is deleted.
fn held(writer: &mut Writer<'_>, record: &ConvertedRecord) -> Result<Option<(i64, bool)>, StoreError> {
    use rapport_domain::{
        people::{company::Company, contact::Contact},
        sales::opportunity::Opportunity,
    };
    fn of<R: Bulk>(writer: &mut Writer<'_>, id: Uuid) -> Result<Option<(i64, bool)>, StoreError> {
        let held = R::to_change(writer, &[id])?.into_iter().next();
        Ok(held.map(|(record, _)| (record.version(), record.is_deleted())))
    }
    match record.kind {
        ConversionTarget::Contact => of::<Contact>(writer, record.id),
        ConversionTarget::Company => of::<Company>(writer, record.id),
        ConversionTarget::Opportunity => of::<Opportunity>(writer, record.id),
    }
}

/// Who refers to a record that the conversion created, but for what it created or gave itself.
fn references(
    reader: &mut Reader<'_>,
    lead: LeadId,
    kept: &Kept,
    record: &ConvertedRecord,
) -> Result<Vec<Obstacle>, StoreError> {
    let ways = match record.kind {
        ConversionTarget::Contact => TO_CONTACT,
        ConversionTarget::Company => TO_COMPANY,
        ConversionTarget::Opportunity => TO_OPPORTUNITY,
    };
    let mut own = vec![lead.uuid()];
    own.extend(kept.moved_tasks());
    own.extend(kept.moved_notes());
    own.extend(kept.records().iter().filter(|other| goes_along(kept, other)).map(|other| other.id));
    let mut obstacles = Vec::new();
    for (resource, by, condition) in ways {
        let ids = referring(reader, *resource, condition, record.id, &own)?;
        if !ids.is_empty() {
            let seen = readable(reader, *resource, ids.clone())?;
            let seen = ids.into_iter().filter(|id| seen.contains(id)).collect();
            obstacles.push(Obstacle::Referred { what: record.kind, id: record.id, by, seen });
        }
    }
    Ok(obstacles)
}

/// Whether a record ceases to refer to the others when the conversion is taken back.
fn goes_along(kept: &Kept, record: &ConvertedRecord) -> bool {
    record.result == ConversionResult::Created
        || (record.kind == ConversionTarget::Contact && kept.given_to_contact().company_id.is_some())
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
}

fn referring(
    reader: &mut Reader<'_>,
    resource: Resource,
    condition: &str,
    id: Uuid,
    own: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    let statement = format!(
        "SELECT id FROM {} WHERE workspace_id = $1 AND deleted_at IS NULL AND {condition} AND id <> ALL($3) \
         ORDER BY created_at, id LIMIT $4",
        resource.as_str()
    );
    let workspace = reader.workspace();
    let found: Vec<Found> = sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(id)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(own)
        .bind::<sql_types::BigInt, _>(MOST_NAMED)
        .load(reader.pg())?;
    Ok(found.into_iter().map(|found| found.id).collect())
}
