//! Who may be the same person.

use diesel::{dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::ContactId,
    people::{
        contact::Contact,
        duplicate::{DuplicateCandidate, DuplicateReason},
    },
    text,
};
use sha2::{Digest, Sha256};

use super::{
    Deleted,
    contacts::{self, Row},
    with_match_keys,
};
use crate::{Reader, StoreError, Writer, schema};

/// The most candidates that are named.
const MOST: i64 = 20;

/// From this likeness on two names are taken to be of one person who was spelt differently.
const ALIKE: f32 = 0.45;

/// Contacts that may be the same person as this one, the likeliest first: those who share a mailbox or a line, and those
/// whose name resembles this one.
pub fn list(reader: &mut Reader<'_>, id: ContactId) -> Result<Vec<DuplicateCandidate>, StoreError> {
    let contact = contacts::get(reader, id, Deleted::Exclude, &[])?;
    let keys: Vec<String> = contact.match_keys().into_iter().filter(|key| may_read_key(reader, key)).collect();
    let mut candidates = with_keys(reader, &keys)?;
    for candidate in resembling(reader, &contact)? {
        match candidates.iter_mut().find(|known| known.id == candidate.id) {
            Some(known) => known.reasons.extend(candidate.reasons),
            None => candidates.push(candidate),
        }
    }
    candidates.retain(|candidate| candidate.id != id);
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
    candidates.truncate(MOST as usize);
    Ok(candidates)
}

/// Contacts with one of these match keys.
pub(crate) fn with_keys(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<DuplicateCandidate>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = contacts::visible(reader, Deleted::Exclude)
        .filter(with_match_keys("contacts", reader.workspace(), keys.to_vec()))
        .order(schema::contacts::id)
        .limit(MOST)
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(|row| shares_keys(reader, row, keys)).collect()
}

/// Contacts with one of these match keys, each with all keys that it has.
pub(crate) fn holders(
    reader: &mut Reader<'_>,
    keys: &[String],
) -> Result<Vec<(Vec<String>, DuplicateCandidate)>, StoreError> {
    let rows: Vec<Row> = contacts::visible(reader, Deleted::Exclude)
        .filter(with_match_keys("contacts", reader.workspace(), keys.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(|row| Ok((row.match_keys.clone(), shares_keys(reader, row, keys)?))).collect()
}

/// Somebody who has some of these keys, as a candidate.
pub(crate) fn candidate(id: ContactId, name: String, own: &[String], keys: &[String]) -> DuplicateCandidate {
    let shares = |prefix: &str| own.iter().any(|key| key.starts_with(prefix) && keys.contains(key));
    let reasons = [("email:", DuplicateReason::SameEmail), ("phone:", DuplicateReason::SamePhone)];
    let reasons = reasons.into_iter().filter(|(prefix, _)| shares(prefix)).map(|(_, reason)| reason).collect();
    DuplicateCandidate { id, name, reasons, score: 1.0 }
}

/// Whether the caller may see what a key was made of.
fn may_read_key(reader: &Reader<'_>, key: &str) -> bool {
    may_read(reader, if key.starts_with("email:") { "emails" } else { "phones" })
}

fn may_read(reader: &Reader<'_>, field: &str) -> bool {
    reader.scope().grants().may_read(Resource::Contacts, field)
}

/// The name of a candidate, made of what the caller may see of it.
fn name_shown(reader: &Reader<'_>, contact: &Contact) -> String {
    let readable = &reader.scope().grants().on(Resource::Contacts).readable;
    if readable.allows("name") { contact.named_by(readable).name } else { String::new() }
}

fn shares_keys(reader: &Reader<'_>, row: Row, keys: &[String]) -> Result<DuplicateCandidate, StoreError> {
    let own = row.match_keys.clone();
    let contact = row.into_contact()?;
    Ok(candidate(contact.id, name_shown(reader, &contact), &own, keys))
}

/// Contacts whose name resembles that of this one. A birthday or postal code in common counts for them.
fn resembling(reader: &mut Reader<'_>, contact: &Contact) -> Result<Vec<DuplicateCandidate>, StoreError> {
    if !["first_name", "middle_name", "last_name"].into_iter().all(|field| may_read(reader, field)) {
        return Ok(Vec::new());
    }
    let names = [&contact.first_name, &contact.last_name].into_iter().flatten().map(String::as_str);
    let name = text::fold(&names.collect::<Vec<_>>().join(" "));
    if name.chars().count() < 4 {
        return Ok(Vec::new());
    }
    // What people are found by holds their addresses and numbers, too.
    let by_name_alone = !Contact::SEARCHED.iter().all(|field| may_read(reader, field));
    let (looked_at, named) = match by_name_alone {
        true => ("contacts.sort_name", "coalesce(contacts.first_name, contacts.last_name) IS NOT NULL"),
        false => ("contacts.search", "TRUE"),
    };
    let likeness = || {
        let likeness = sql::<sql_types::Float>("word_similarity(").bind::<sql_types::Text, _>(name.clone());
        likeness.sql(", ").sql(looked_at).sql(")")
    };
    let rows: Vec<(Row, f32)> = reader.searching(ALIKE, |reader| {
        Ok(contacts::visible(reader, Deleted::Exclude)
            .filter(sql::<sql_types::Bool>("").bind::<sql_types::Text, _>(name.clone()).sql(" <% contacts.search"))
            .filter(
                sql::<sql_types::Bool>(named)
                    .sql(" AND ")
                    .bind::<sql_types::Text, _>(name.clone())
                    .sql(" <% ")
                    .sql(looked_at),
            )
            .order(likeness().desc())
            .limit(MOST * 5)
            .select((Row::as_select(), likeness()))
            .load(reader.pg())?)
    })?;
    rows.into_iter().map(|(row, likeness)| weigh(reader, row, f64::from(likeness), contact)).collect()
}

/// Half of the score is the name; birthday and postal code give a quarter each, where both sides have one.
fn weigh(reader: &Reader<'_>, row: Row, likeness: f64, contact: &Contact) -> Result<DuplicateCandidate, StoreError> {
    let other = row.into_contact()?;
    let postal_code = |contact: &Contact| contact.addresses.iter().find_map(|address| address.postal_code.clone());
    let mut reasons = vec![DuplicateReason::SimilarName];
    let mut score = likeness / 2.0;
    if may_read(reader, "birthday") && contact.birthday.is_some() && contact.birthday == other.birthday {
        reasons.push(DuplicateReason::SameBirthday);
        score += 0.25;
    }
    if may_read(reader, "addresses") && postal_code(contact).is_some() && postal_code(contact) == postal_code(&other) {
        reasons.push(DuplicateReason::SamePostalCode);
        score += 0.25;
    }
    Ok(DuplicateCandidate {
        id: other.id,
        name: name_shown(reader, &other),
        reasons,
        score: (score * 100.0).round() / 100.0,
    })
}

/// Holds these keys until the end of the transaction, so that of two creates with one key the second sees the first.
pub(crate) fn lock_keys(writer: &mut Writer<'_>, keys: &[String]) -> Result<(), StoreError> {
    let workspace = writer.workspace();
    let mut numbers: Vec<i64> = keys.iter().map(|key| lock_number(workspace.as_bytes(), key)).collect();
    numbers.sort_unstable(); // always in one order, so that two creates never wait for each other
    diesel::sql_query("SELECT pg_advisory_xact_lock(key) FROM unnest($1) AS key")
        .bind::<sql_types::Array<sql_types::BigInt>, _>(numbers)
        .execute(writer.pg())?;
    Ok(())
}

fn lock_number(workspace: &[u8], key: &str) -> i64 {
    let hash = Sha256::new().chain_update(workspace).chain_update(key).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}
