//! Who may be the same person as a lead: other leads, and contacts.

use diesel::prelude::*;
use rapport_domain::{id::LeadId, people::duplicate::DuplicateCandidate, record::RecordKind, sales::lead::Lead};

use super::{HAS_NAME, RESOURCE, Row};
use crate::{
    Reader, StoreError,
    people::{
        Deleted,
        duplicates::{
            self, ALIKE, MOST, MOST_RESEMBLING, Person, Resemblance, may_read, may_read_names, readable_keys,
        },
        with_match_keys,
    },
    prepared::Prepared,
    schema,
};

/// Leads and contacts that may be the same person as this lead, the likeliest first: those who share a mailbox or a line, and
/// those whose name resembles this one.
pub fn list(reader: &mut Reader<'_>, id: LeadId) -> Result<Vec<DuplicateCandidate>, StoreError> {
    let lead = super::get(reader, id, Deleted::Exclude, &[])?;
    let keys = readable_keys(reader, RESOURCE, lead.match_keys());
    let mut candidates = leads_with_keys(reader, &keys)?;
    candidates.extend(duplicates::with_keys(reader, &keys)?);
    let addresses = if may_read(reader, RESOURCE, "addresses") { lead.addresses.as_slice() } else { &[] };
    if may_read_names(reader, RESOURCE)
        && let Some(person) = Person::of(&lead.first_name, &lead.last_name, None, addresses)
    {
        duplicates::add(&mut candidates, resembling(reader, &person)?);
        duplicates::add(&mut candidates, duplicates::resembling(reader, &person)?);
    }
    Ok(duplicates::likeliest(candidates, id.uuid()))
}

/// Leads and contacts with one of these match keys.
pub(super) fn with_keys(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<DuplicateCandidate>, StoreError> {
    let mut candidates = leads_with_keys(reader, keys)?;
    candidates.extend(duplicates::with_keys(reader, keys)?);
    Ok(candidates)
}

fn leads_with_keys(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<DuplicateCandidate>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = super::visible(reader, Deleted::Exclude)
        .filter(with_match_keys("leads", reader.workspace(), keys.to_vec()))
        .order(schema::leads::id)
        .limit(MOST)
        .select(Row::as_select());
    let rows: Vec<Row> = Prepared(found).load(reader.pg())?;
    rows.into_iter().map(|row| shares_keys(reader, row, keys)).collect()
}

/// Leads and contacts with one of these match keys, each with all keys that it has.
pub(super) fn holders(
    reader: &mut Reader<'_>,
    keys: &[String],
) -> Result<Vec<(Vec<String>, DuplicateCandidate)>, StoreError> {
    let found = super::visible(reader, Deleted::Exclude)
        .filter(with_match_keys("leads", reader.workspace(), keys.to_vec()))
        .select(Row::as_select());
    let rows: Vec<Row> = Prepared(found).load(reader.pg())?;
    let leads = rows.into_iter().map(|row| Ok((row.match_keys.clone(), shares_keys(reader, row, keys)?)));
    let mut holders = leads.collect::<Result<Vec<_>, StoreError>>()?;
    holders.extend(duplicates::holders(reader, keys)?);
    Ok(holders)
}

fn shares_keys(reader: &Reader<'_>, row: Row, keys: &[String]) -> Result<DuplicateCandidate, StoreError> {
    let own = row.match_keys.clone();
    let lead = row.into_lead()?;
    Ok(duplicates::candidate(RecordKind::Lead, lead.id.uuid(), name_shown(reader, &lead), &own, keys))
}

/// The name of a candidate, made of what the caller may see of it.
fn name_shown(reader: &Reader<'_>, lead: &Lead) -> String {
    let readable = &reader.scope().grants().on(RESOURCE).readable;
    if readable.allows("name") { lead.named_by(readable).name } else { String::new() }
}

/// Leads whose name resembles that of somebody.
fn resembling(reader: &mut Reader<'_>, person: &Person) -> Result<Vec<DuplicateCandidate>, StoreError> {
    // What leads are sorted by may be the name of a company.
    if !may_read(reader, RESOURCE, "company_name") {
        return Ok(Vec::new());
    }
    let sees_all = Lead::SEARCHED.iter().all(|field| may_read(reader, RESOURCE, field));
    let has_name = (!sees_all).then_some(HAS_NAME);
    let resemblance = Resemblance::of(person, ("leads.search", "leads.sort_name"), has_name);
    let rows: Vec<(Row, f32)> = reader.searching_trigrams(ALIKE, |reader| {
        Ok(super::visible(reader, Deleted::Exclude)
            .filter(resemblance.condition())
            .order(resemblance.likeness().desc())
            .limit(MOST_RESEMBLING)
            .select((Row::as_select(), resemblance.likeness()))
            .load(reader.pg())?)
    })?;
    let sees_addresses = may_read(reader, RESOURCE, "addresses");
    let candidate = |(row, likeness): (Row, f32)| {
        let other = row.into_lead()?;
        let addresses = if sees_addresses { other.addresses.as_slice() } else { &[] };
        let (reasons, score) = person.weigh(f64::from(likeness), None, addresses);
        let (id, name) = (other.id.uuid(), name_shown(reader, &other));
        Ok(DuplicateCandidate { kind: RecordKind::Lead, id, name, reasons, score })
    };
    rows.into_iter().map(candidate).collect()
}
