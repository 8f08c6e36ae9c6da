//! Who may be the same person.

use chrono::NaiveDate;
use diesel::{BoxableExpression, dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::ContactId,
    people::{
        contact::Contact,
        contact_point::PostalAddress,
        duplicate::{DuplicateCandidate, DuplicateReason},
    },
    record::RecordKind,
    text,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Deleted,
    contacts::{self, Row},
    with_match_keys,
};
use crate::{Reader, StoreError, Writer, prepared::Prepared, schema};

const RESOURCE: Resource = Resource::Contacts;

/// The most candidates that are named.
pub(crate) const MOST: i64 = 20;

/// As many who resemble somebody are weighed.
pub(crate) const MOST_RESEMBLING: i64 = MOST * 5;

/// From this likeness on two names are taken to be of one person who was spelt differently.
pub(crate) const ALIKE: f32 = 0.45;

/// Contacts that may be the same person as this one, the likeliest first: those who share a mailbox or a line, and those
/// whose name resembles this one.
pub fn list(reader: &mut Reader<'_>, id: ContactId) -> Result<Vec<DuplicateCandidate>, StoreError> {
    let contact = contacts::get(reader, id, Deleted::Exclude, &[])?;
    let mut candidates = with_keys(reader, &contact.match_keys())?;
    if may_read_names(reader, RESOURCE)
        && let Some(person) = Person::of(&contact.first_name, &contact.last_name, contact.birthday, &contact.addresses)
    {
        add(&mut candidates, resembling(reader, &person)?);
    }
    Ok(likeliest(candidates, id.uuid()))
}

/// Adds candidates, whose reasons join those of the same record.
pub(crate) fn add(candidates: &mut Vec<DuplicateCandidate>, others: Vec<DuplicateCandidate>) {
    for candidate in others {
        match candidates.iter_mut().find(|known| known.id == candidate.id) {
            Some(known) => known.reasons.extend(candidate.reasons),
            None => candidates.push(candidate),
        }
    }
}

/// The likeliest candidates for a record, which is none itself.
pub(crate) fn likeliest(mut candidates: Vec<DuplicateCandidate>, id: Uuid) -> Vec<DuplicateCandidate> {
    candidates.retain(|candidate| candidate.id != id);
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
    candidates.truncate(MOST as usize);
    candidates
}

/// Contacts with one of these match keys, as far as the caller may see what those are made of.
pub(crate) fn with_keys(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<DuplicateCandidate>, StoreError> {
    let keys = &readable_keys(reader, RESOURCE, keys.to_vec());
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = contacts::visible(reader, Deleted::Exclude)
        .filter(with_match_keys("contacts", reader.workspace(), keys.to_vec()))
        .order(schema::contacts::id)
        .limit(MOST)
        .select(Row::as_select());
    let rows: Vec<Row> = Prepared(found).load(reader.pg())?;
    rows.into_iter().map(|row| shares_keys(reader, row, keys)).collect()
}

/// The same, each with all keys that it has.
pub(crate) fn holders(
    reader: &mut Reader<'_>,
    keys: &[String],
) -> Result<Vec<(Vec<String>, DuplicateCandidate)>, StoreError> {
    let keys = &readable_keys(reader, RESOURCE, keys.to_vec());
    let found = contacts::visible(reader, Deleted::Exclude)
        .filter(with_match_keys("contacts", reader.workspace(), keys.to_vec()))
        .select(Row::as_select());
    let rows: Vec<Row> = Prepared(found).load(reader.pg())?;
    rows.into_iter().map(|row| Ok((row.match_keys.clone(), shares_keys(reader, row, keys)?))).collect()
}

/// Somebody who has some of these keys, as a candidate.
pub(crate) fn candidate(
    kind: RecordKind,
    id: Uuid,
    name: String,
    own: &[String],
    keys: &[String],
) -> DuplicateCandidate {
    let shares = |prefix: &str| own.iter().any(|key| key.starts_with(prefix) && keys.contains(key));
    let reasons = [("email:", DuplicateReason::SameEmail), ("phone:", DuplicateReason::SamePhone)];
    let reasons = reasons.into_iter().filter(|(prefix, _)| shares(prefix)).map(|(_, reason)| reason).collect();
    DuplicateCandidate { kind, id, name, reasons, score: 1.0 }
}

/// Those keys of which the caller may see what they were made of.
pub(crate) fn readable_keys(reader: &Reader<'_>, resource: Resource, keys: Vec<String>) -> Vec<String> {
    let field = |key: &str| if key.starts_with("email:") { "emails" } else { "phones" };
    keys.into_iter().filter(|key| may_read(reader, resource, field(key))).collect()
}

pub(crate) fn may_read(reader: &Reader<'_>, resource: Resource, field: &str) -> bool {
    reader.scope().grants().may_read(resource, field)
}

/// Whether the caller may see the names of people.
pub(crate) fn may_read_names(reader: &Reader<'_>, resource: Resource) -> bool {
    ["first_name", "middle_name", "last_name"].into_iter().all(|field| may_read(reader, resource, field))
}

/// The name of a candidate, made of what the caller may see of it.
fn name_shown(reader: &Reader<'_>, contact: &Contact) -> String {
    let readable = &reader.scope().grants().on(RESOURCE).readable;
    if readable.allows("name") { contact.named_by(readable).name } else { String::new() }
}

fn shares_keys(reader: &Reader<'_>, row: Row, keys: &[String]) -> Result<DuplicateCandidate, StoreError> {
    let own = row.match_keys.clone();
    let contact = row.into_contact()?;
    Ok(candidate(RecordKind::Contact, contact.id.uuid(), name_shown(reader, &contact), &own, keys))
}

/// What others are compared with: a name, and what makes it likelier that two of the same name are one.
pub(crate) struct Person {
    name: String,
    birthday: Option<NaiveDate>,
    postal_code: Option<String>,
}

impl Person {
    /// None where the name is too short for a resemblance to say anything.
    pub(crate) fn of(
        first_name: &Option<String>,
        last_name: &Option<String>,
        birthday: Option<NaiveDate>,
        addresses: &[PostalAddress],
    ) -> Option<Self> {
        let names = [first_name, last_name].into_iter().flatten().map(String::as_str);
        let name = text::fold(&names.collect::<Vec<_>>().join(" "));
        (name.chars().count() >= 4).then(|| Self { name, birthday, postal_code: postal_code(addresses) })
    }

    /// Half of the score is the name; birthday and postal code give a quarter each, where both sides have one and the caller
    /// may see it.
    pub(crate) fn weigh(
        &self,
        likeness: f64,
        birthday: Option<NaiveDate>,
        addresses: &[PostalAddress],
    ) -> (Vec<DuplicateReason>, f64) {
        let mut reasons = vec![DuplicateReason::SimilarName];
        let mut score = likeness / 2.0;
        if birthday.is_some() && self.birthday == birthday {
            reasons.push(DuplicateReason::SameBirthday);
            score += 0.25;
        }
        if self.postal_code.is_some() && self.postal_code == postal_code(addresses) {
            reasons.push(DuplicateReason::SamePostalCode);
            score += 0.25;
        }
        (reasons, (score * 100.0).round() / 100.0)
    }
}

fn postal_code(addresses: &[PostalAddress]) -> Option<String> {
    addresses.iter().find_map(|address| address.postal_code.clone())
}

/// Records of a table whose name resembles that of a person. What records are found by holds addresses and numbers, too:
/// for who may not see them, only the name counts, of those that have one.
pub(crate) struct Resemblance {
    name: String,
    search: &'static str,
    looked_at: &'static str,
    named: &'static str,
}

impl Resemblance {
    pub(crate) fn of(
        person: &Person,
        (search, sort_name): (&'static str, &'static str),
        has_name: Option<&'static str>,
    ) -> Self {
        let looked_at = if has_name.is_some() { sort_name } else { search };
        Self { name: person.name.clone(), search, looked_at, named: has_name.unwrap_or("TRUE") }
    }

    pub(crate) fn condition<T>(&self) -> Box<dyn BoxableExpression<T, Pg, SqlType = sql_types::Bool>> {
        let in_all = sql::<sql_types::Bool>("").bind::<sql_types::Text, _>(self.name.clone()).sql(" <% ");
        let in_name = in_all.sql(self.search).sql(" AND ").sql(self.named).sql(" AND ");
        Box::new(in_name.bind::<sql_types::Text, _>(self.name.clone()).sql(" <% ").sql(self.looked_at))
    }

    pub(crate) fn likeness<T>(&self) -> Box<dyn BoxableExpression<T, Pg, SqlType = sql_types::Float>> {
        let likeness = sql::<sql_types::Float>("word_similarity(").bind::<sql_types::Text, _>(self.name.clone());
        Box::new(likeness.sql(", ").sql(self.looked_at).sql(")"))
    }
}

/// Contacts whose name resembles that of somebody.
pub(crate) fn resembling(reader: &mut Reader<'_>, person: &Person) -> Result<Vec<DuplicateCandidate>, StoreError> {
    if !may_read_names(reader, RESOURCE) {
        return Ok(Vec::new());
    }
    let sees_all = Contact::SEARCHED.iter().all(|field| may_read(reader, RESOURCE, field));
    let has_name = (!sees_all).then_some("coalesce(contacts.first_name, contacts.last_name) IS NOT NULL");
    let resemblance = Resemblance::of(person, ("contacts.search", "contacts.sort_name"), has_name);
    let rows: Vec<(Row, f32)> = reader.searching_trigrams(ALIKE, |reader| {
        Ok(contacts::visible(reader, Deleted::Exclude)
            .filter(resemblance.condition())
            .order(resemblance.likeness().desc())
            .limit(MOST_RESEMBLING)
            .select((Row::as_select(), resemblance.likeness()))
            .load(reader.pg())?)
    })?;
    let (sees_birthday, sees_addresses) =
        (may_read(reader, RESOURCE, "birthday"), may_read(reader, RESOURCE, "addresses"));
    let candidate = |(row, likeness): (Row, f32)| {
        let other = row.into_contact()?;
        let addresses = if sees_addresses { other.addresses.as_slice() } else { &[] };
        let (reasons, score) = person.weigh(f64::from(likeness), other.birthday.filter(|_| sees_birthday), addresses);
        let (id, name) = (other.id.uuid(), name_shown(reader, &other));
        Ok(DuplicateCandidate { kind: RecordKind::Contact, id, name, reasons, score })
    };
    rows.into_iter().map(candidate).collect()
}

/// Holds these keys until the end of the transaction, so that of two creates with one key the second sees the first.
pub(crate) fn lock_keys(writer: &mut Writer<'_>, keys: &[String]) -> Result<(), StoreError> {
    let workspace = writer.workspace();
    let mut numbers: Vec<i64> = keys.iter().map(|key| lock_number(workspace.as_bytes(), key)).collect();
    numbers.sort_unstable(); // always in one order, so that two creates never wait for each other
    let lock = sql::<sql_types::Text>("SELECT pg_advisory_xact_lock(key)::text FROM unnest(")
        .bind::<sql_types::Array<sql_types::BigInt>, _>(numbers)
        .sql(") AS key");
    Prepared(lock).load::<String>(writer.pg())?;
    Ok(())
}

fn lock_number(workspace: &[u8], key: &str) -> i64 {
    let hash = Sha256::new().chain_update(workspace).chain_update(key).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}
