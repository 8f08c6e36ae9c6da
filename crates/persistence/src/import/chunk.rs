//! Writing a chunk of rows: what is known is asked once, judged in memory row by row, and written in a few statements.

use std::collections::{HashMap, HashSet};

use diesel::{connection::SimpleConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    people::duplicate::OnDuplicate,
    problem::FieldProblem,
    record::{ExternalId, Stamp},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{CONNECTION, Draft, Imported, MatchBy, Rules, Verdict};
use crate::{
    Reader, StoreError, Writer,
    bulk::{Known, Pending, References, external_key},
    people::duplicates,
    schema::external_ids,
};

/// Keeps others from giving anybody the mailboxes, lines and external ids of a chunk until the end of the transaction.
pub(crate) fn reserve<R: Imported>(
    writer: &mut Writer<'_>,
    drafts: &[Draft<R, R::Patch>],
    rules: &Rules,
) -> Result<(), StoreError> {
    let mut keys = keys(drafts, rules);
    let external_ids = drafts.iter().filter_map(|draft| draft.external_id.as_deref());
    keys.extend(external_ids.map(|id| external_key::<R>(CONNECTION, id)));
    if rules.rehearsal || keys.is_empty() {
        return Ok(());
    }
    duplicates::lock_keys(writer, &keys)
}

/// Writes a chunk of rows, and says in their order what came of each. Needs a transaction around it, and its keys
/// reserved.
pub(crate) fn apply<R: Imported>(
    writer: &mut Writer<'_>,
    drafts: &[Draft<R, R::Patch>],
    rules: &Rules,
) -> Result<Vec<Verdict>, StoreError> {
    // A plan made while the table was empty would read all of it by the time it is full.
    writer.pg().batch_execute("SET LOCAL plan_cache_mode = force_custom_plan")?;
    let mut chunk = Chunk::prepare(writer, drafts, rules)?;
    let verdicts = drafts.iter().map(|draft| chunk.row(writer, draft)).collect::<Result<_, _>>()?;
    chunk.pending.flush(writer)?;
    Ok(verdicts)
}

struct Chunk<R: Imported> {
    rules: Rules,
    stamp: Stamp,
    country: Option<String>,
    /// The records that rows may mean, as the rows so far have left them.
    records: Vec<R>,
    by_id: HashMap<Uuid, usize>,
    by_key: HashMap<String, Vec<usize>>,
    /// Keys that somebody has, where rows are not matched.
    taken: HashSet<String>,
    /// Which record has which external id; the record may be deleted.
    by_external_id: HashMap<String, Uuid>,
    /// Users and companies that exist.
    known: Known,
    pending: Pending<R>,
}

impl<R: Imported> Chunk<R> {
    fn prepare(writer: &mut Writer<'_>, drafts: &[Draft<R, R::Patch>], rules: &Rules) -> Result<Self, StoreError> {
        let mut chunk = Self {
            rules: *rules,
            stamp: writer.stamp(),
            country: writer.scope().country().map(ToOwned::to_owned),
            records: Vec::new(),
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            taken: HashSet::new(),
            by_external_id: HashMap::new(),
            known: Known::default(),
            pending: Pending::new(),
        };
        chunk.pending.ask_custom(writer, &given(drafts), false)?;
        let mut named = References::default();
        for draft in drafts {
            let of_draft = draft.fresh.as_ref().map_or_else(|_| R::named(&draft.patch), R::references);
            named.extend(of_draft);
        }
        chunk.known = Known::find(writer, &named)?;
        let keys = keys(drafts, rules);
        if !keys.is_empty() {
            let holders = with_keys::<R>(writer, &keys)?;
            match rules.match_by {
                None => chunk.taken = holders.iter().flat_map(R::match_keys).collect(),
                Some(_) => holders.into_iter().for_each(|record| chunk.add(record)),
            }
        }
        chunk.ask_external_ids(writer, drafts)?;
        Ok(chunk)
    }

    fn ask_external_ids(&mut self, writer: &mut Writer<'_>, drafts: &[Draft<R, R::Patch>]) -> Result<(), StoreError> {
        let asked: Vec<String> = drafts.iter().filter_map(|draft| draft.external_id.clone()).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let found: Vec<(String, Uuid)> = external_ids::table
            .filter(external_ids::workspace_id.eq(writer.workspace()))
            .filter(external_ids::connection.eq(CONNECTION))
            .filter(external_ids::record_kind.eq(R::kind().as_str()))
            .filter(
                sql::<sql_types::Bool>("external_ids.external_id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Text>, _>(asked)
                    .sql(")))"),
            )
            .select((external_ids::external_id, external_ids::record_id))
            .load(writer.pg())?;
        self.by_external_id = found.into_iter().collect();
        if self.rules.match_by == Some(MatchBy::ExternalId) {
            let ids: HashSet<Uuid> = self.by_external_id.values().copied().collect();
            for record in R::with_ids(writer, &ids.into_iter().collect::<Vec<_>>())? {
                self.add(record);
            }
        }
        Ok(())
    }

    fn row(&mut self, writer: &mut Writer<'_>, draft: &Draft<R, R::Patch>) -> Result<Verdict, StoreError> {
        match self.meant(draft) {
            Ok(Some(slot)) => self.update(writer, slot, draft),
            Ok(None) => self.create(writer, draft),
            Err(problem) => Ok(Verdict::Refused(vec![problem])),
        }
    }

    /// The record that a row means.
    fn meant(&self, draft: &Draft<R, R::Patch>) -> Result<Option<usize>, FieldProblem> {
        let Some(match_by) = self.rules.match_by else { return Ok(None) };
        match match_by {
            MatchBy::Email => {
                let pointer = "/emails/0/address";
                let missing = "Rows are matched by e-mail address, and this one has none. Add one, or match otherwise.";
                let key =
                    draft.email_key.as_ref().ok_or_else(|| FieldProblem::at(pointer, "missing_required", missing))?;
                match self.by_key.get(key).map_or(&[][..], Vec::as_slice) {
                    [] => Ok(None),
                    [slot] => Ok(Some(*slot)),
                    several => {
                        let detail = format!("{} records have this e-mail address. Merge them first.", several.len());
                        Err(FieldProblem::at(pointer, "ambiguous_reference", detail))
                    }
                }
            }
            MatchBy::ExternalId => {
                let missing = "Rows are matched by external id, and this one has none. Add one, or match otherwise.";
                let id = draft.external_id.as_ref();
                let id = id.ok_or_else(|| FieldProblem::at("/external_id", "missing_required", missing))?;
                let Some(record) = self.by_external_id.get(id) else { return Ok(None) };
                let deleted = "The record with this external id was deleted. Restore it first.";
                let slot = self.by_id.get(record).copied();
                slot.map(Some).ok_or_else(|| FieldProblem::at("/external_id", "reference_not_found", deleted))
            }
        }
    }

    fn create(&mut self, writer: &mut Writer<'_>, draft: &Draft<R, R::Patch>) -> Result<Verdict, StoreError> {
        let mut record = match &draft.fresh {
            Ok(record) => record.clone(),
            Err(invalid) => return Ok(Verdict::Refused(invalid.problems().to_vec())),
        };
        let mut problems = self.unknown(&record, None);
        if let Err(invalid) = self.pending.judge_new(&mut record) {
            problems.extend(invalid.into_problems());
        }
        if let Some(id) = &draft.external_id
            && self.by_external_id.contains_key(id)
        {
            problems.push(taken_external_id());
        }
        let keys = record.match_keys();
        if self.rules.match_by.is_none() && self.rules.on_duplicate == OnDuplicate::Refuse {
            let taken = keys.iter().filter(|key| self.taken.contains(*key));
            problems.extend(taken.map(|key| duplicate(&keys, key)));
        }
        if !problems.is_empty() {
            return Ok(Verdict::Refused(problems));
        }
        self.place(&mut record);
        self.give_external_id(writer, draft, &mut record);
        self.pending.create(writer, &record, self.stamp, None);
        match self.rules.match_by {
            None => self.taken.extend(keys),
            Some(_) => self.add(record),
        }
        Ok(Verdict::Created)
    }

    fn update(
        &mut self,
        writer: &mut Writer<'_>,
        slot: usize,
        draft: &Draft<R, R::Patch>,
    ) -> Result<Verdict, StoreError> {
        let before = self.records[slot].clone();
        let imported = before.imported(&draft.patch, self.stamp, self.country.as_deref(), self.rules.match_by);
        let mut after = match imported {
            Ok(after) => after,
            Err(invalid) => return Ok(Verdict::Refused(invalid.into_problems())),
        };
        if before.owner_and_team().0 != after.owner_and_team().0 {
            self.place(&mut after);
        }
        let mut problems = self.unknown(&after, Some(&before));
        if let Err(invalid) = self.pending.judge_changes(&draft.patch, &before, &mut after) {
            problems.extend(invalid.into_problems());
        }
        let owner = draft.external_id.as_ref().and_then(|id| self.by_external_id.get(id));
        if owner.is_some_and(|owner| *owner != before.id()) {
            problems.push(taken_external_id());
        }
        if !problems.is_empty() {
            return Ok(Verdict::Refused(problems));
        }
        let gains_id = draft.external_id.is_some() && owner.is_none();
        if !gains_id && after == before {
            return Ok(Verdict::Unchanged);
        }
        let needs_verifying = R::needs_verifying(&before, &after);
        if needs_verifying || self.pending.holds(before.id()) {
            self.pending.flush(writer)?;
        }
        if needs_verifying {
            match R::verify(writer, &before, &after) {
                Err(StoreError::Invalid(invalid)) => return Ok(Verdict::Refused(invalid.into_problems())),
                done => done?,
            }
        }
        self.give_external_id(writer, draft, &mut after);
        after.advance(self.stamp);
        self.pending.update(writer, "updated", (&before, &after), self.stamp, None);
        self.replace(slot, after);
        Ok(Verdict::Updated)
    }

    /// Problems with users and companies that a record names and did not name before.
    fn unknown(&self, record: &R, before: Option<&R>) -> Vec<FieldProblem> {
        let before = before.map(R::references).unwrap_or_default();
        let missing = self.known.missing(&record.references(), &before).into_iter();
        missing
            .map(|(pointer, what)| {
                let detail = format!("There is no {what} with this id. Name another, or leave the cell empty.");
                FieldProblem::at(pointer, "unknown_reference", detail)
            })
            .collect()
    }

    /// A record with a new owner goes to the owner's main team, if they have one.
    fn place(&self, record: &mut R) {
        let (owner, _) = record.owner_and_team();
        if let Some(main) = owner.and_then(|owner| self.known.main_team(owner)) {
            record.give_to_team(Some(main));
        }
    }

    fn give_external_id(&mut self, writer: &Writer<'_>, draft: &Draft<R, R::Patch>, record: &mut R) {
        let Some(id) = draft.external_id.as_ref().filter(|id| !self.by_external_id.contains_key(*id)) else { return };
        self.by_external_id.insert(id.clone(), record.id());
        let id = ExternalId { connection: CONNECTION.to_owned(), external_id: id.clone() };
        self.pending.name(writer, record, id, None);
    }

    fn add(&mut self, record: R) {
        let slot = self.records.len();
        self.by_id.insert(record.id(), slot);
        for key in record.match_keys() {
            self.by_key.entry(key).or_default().push(slot);
        }
        self.records.push(record);
    }

    fn replace(&mut self, slot: usize, record: R) {
        for key in self.records[slot].match_keys() {
            if let Some(holders) = self.by_key.get_mut(&key) {
                holders.retain(|holder| *holder != slot);
            }
        }
        for key in record.match_keys() {
            self.by_key.entry(key).or_default().push(slot);
        }
        self.records[slot] = record;
    }
}

/// The values of custom fields that rows give.
fn given<R: Imported>(drafts: &[Draft<R, R::Patch>]) -> Vec<&CustomValues> {
    drafts
        .iter()
        .flat_map(|draft| draft.fresh.as_ref().ok().map(R::custom).into_iter().chain(R::given(&draft.patch)))
        .filter(|values| !values.is_empty())
        .collect()
}

/// The keys that decide what becomes of the rows.
fn keys<R: Imported>(drafts: &[Draft<R, R::Patch>], rules: &Rules) -> Vec<String> {
    let mut keys: Vec<String> = match (rules.match_by, rules.on_duplicate) {
        (Some(MatchBy::Email), _) => drafts.iter().filter_map(|draft| draft.email_key.clone()).collect(),
        (None, OnDuplicate::Refuse) => {
            drafts.iter().filter_map(|draft| draft.fresh.as_ref().ok()).flat_map(R::match_keys).collect()
        }
        (Some(MatchBy::ExternalId), _) | (None, OnDuplicate::Allow) => Vec::new(),
    };
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
}

/// The living with one of these match keys, see `with_match_keys`.
fn with_keys<R: Imported>(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<R>, StoreError> {
    let statement = format!(
        "SELECT id FROM {} WHERE workspace_id IS NOT DISTINCT FROM $1 AND match_keys <> '{{}}' \
         AND match_keys && ARRAY(SELECT unnest($2))",
        R::TABLE
    );
    let workspace = reader.workspace();
    let found: Vec<Found> = diesel::sql_query(statement)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Text>, _>(keys)
        .load(reader.pg())?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    R::with_ids(reader, &found.iter().map(|found| found.id).collect::<Vec<_>>())
}

fn taken_external_id() -> FieldProblem {
    let detail = "Another record has this external id. Use --match external_id to update it.";
    FieldProblem::at("/external_id", "duplicate_unique_value", detail)
}

/// Match keys are those of the e-mail addresses and then those of the telephone numbers.
fn duplicate(keys: &[String], key: &str) -> FieldProblem {
    let kind = key.split(':').next().unwrap_or_default();
    let position = keys.iter().filter(|other| other.starts_with(kind)).position(|other| other == key).unwrap_or(0);
    let (pointer, what) = match kind {
        "email" => (format!("/emails/{position}/address"), "e-mail address"),
        _ => (format!("/phones/{position}/number"), "telephone number"),
    };
    let detail = format!(
        "Somebody with this {what} is known, or stands further up in the file. Use --match to update them, or \
         --on-duplicate allow."
    );
    FieldProblem::at(pointer, "duplicate_row", detail)
}
