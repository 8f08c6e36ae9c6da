//! Batches: many operations on records of one kind. What they concern is asked at once and locked in one order, each
//! operation is judged in memory, and all that they change is written in a few statements. An upsert is a batch of one, unless
//! its record is there.

mod alone;
mod codes;
mod names;
mod step;

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use diesel::connection::SimpleConnection;
use rapport_domain::{
    access::Right,
    id::{TeamId, UserId},
    people::duplicate::{DuplicateCandidate, OnDuplicate},
    record::{ExternalId, RecordKind, Stamp, WriteResult},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use self::{
    codes::Codes,
    names::Named,
    step::{Fresh, Step},
};
use crate::{
    Reader, StoreError, Writer,
    bulk::{Bulk, Known, Pending, References, external_key},
    commerce::connections,
    people::duplicates,
    require_version, visibility,
};

/// So many records are written at once: as rows, all of a batch would take more memory than as records.
const MOST_PENDING: usize = 250;

/// Each key is a lock, and the locks of all who write share one table of the database.
const MOST_KEYS: usize = 5_000;

/// How many external ids a record has when it gets no further one.
const MOST_EXTERNAL_IDS: usize = 50;

/// One operation of a batch.
#[derive(Clone, Debug)]
pub enum Operation<New, Patch> {
    Create { new: New, on_duplicate: OnDuplicate },
    Update { id: Uuid, version: Option<i64>, patch: Patch },
    Upsert(Upsert<Patch>),
    Delete { id: Uuid, version: Option<i64> },
}

/// What an outside system says of the record that it knows under an id.
#[derive(Clone, Debug)]
pub struct Upsert<Patch> {
    /// How the system calls it.
    pub external: ExternalId,
    /// The record that it is, where the system tells so: one that is there gets the id, if it does not have it yet.
    pub record: Option<Uuid>,
    /// The version at which the record has to be, if it matters.
    pub version: Option<i64>,
    /// Whether a record has to be there.
    pub must_exist: bool,
    /// Which version of its record the system speaks of: what is older than what it said before is late.
    pub source_version: Option<i64>,
    pub patch: Patch,
    /// Whether a record that is created may have the mailbox or line of another.
    pub on_duplicate: OnDuplicate,
}

impl<Patch> Upsert<Patch> {
    /// Whether it speaks of an older version than the one that was told of last.
    fn is_late(&self, told: Option<i64>) -> bool {
        matches!((told, self.source_version), (Some(told), Some(version)) if version < told)
    }

    /// Whether it speaks of another version than that, which is then to be kept.
    fn tells_version(&self, told: Option<i64>) -> bool {
        self.source_version.is_some() && self.source_version != told
    }
}

/// What an operation did.
#[derive(Clone, Debug)]
pub struct Outcome<R> {
    pub result: WriteResult,
    /// Whether it came late, so that nothing was written.
    pub is_late: bool,
    /// The record as it is now.
    pub record: R,
}

/// What came of each operation, in their order. Records are shared: most of the memory of a batch is theirs.
pub type Results<R> = Vec<Judged<R>>;

/// What came of one operation.
type Judged<R> = Result<Outcome<Rc<R>>, StoreError>;

/// Does the operations in one transaction; with `atomic`, all of them or none.
pub(crate) fn apply<R: Bulk>(
    writer: &mut Writer<'_>,
    operations: &[Operation<R::New, R::Patch>],
    atomic: bool,
) -> Result<Results<R>, StoreError> {
    writer.transaction(|writer| {
        let mut batch = Batch::<R>::prepare(writer, operations)?;
        let steps = std::mem::take(&mut batch.steps);
        let results = steps.into_iter().map(|step| batch.step(writer, step)).collect::<Result<Vec<_>, _>>()?;
        if atomic && results.iter().any(Result::is_err) {
            let failed = results.into_iter().enumerate().filter_map(|(index, result)| Some((index, result.err()?)));
            return Err(StoreError::BatchRefused(failed.collect()));
        }
        batch.finish(writer)?;
        Ok(results)
    })
}

/// Creates or changes the record that an outside system knows under an id; `batch` does what can't be done without one.
pub(crate) fn upsert<R: Bulk>(
    writer: &mut Writer<'_>,
    upsert: Upsert<R::Patch>,
    batch: impl FnOnce(&mut Writer<'_>, &[Operation<R::New, R::Patch>]) -> Result<Results<R>, StoreError>,
) -> Result<Outcome<R>, StoreError> {
    if let Some(outcome) = alone::upsert(writer, &upsert)? {
        return Ok(outcome);
    }
    let mut results = batch(writer, &[Operation::Upsert(upsert)])?;
    let outcome = results.pop().unwrap_or_else(|| Err(StoreError::Internal("a batch without results".to_owned())))?;
    let Outcome { result, is_late, record } = outcome;
    Ok(Outcome { result, is_late, record: Rc::unwrap_or_clone(record) })
}

struct Batch<'o, R: Bulk> {
    steps: Vec<Step<'o, R>>,
    stamp: Stamp,
    context: R::Context,
    /// The records that are meant, as the operations so far have left them, and whether they may be changed.
    records: HashMap<Uuid, (Rc<R>, bool)>,
    /// What external ids stand for.
    named: HashMap<ExternalId, Named>,
    /// Who has a match key, of those that new records ask for.
    holders: HashMap<String, Vec<DuplicateCandidate>>,
    codes: Codes,
    known: Known,
    pending: Pending<R>,
    /// Versions that external ids are at by now.
    versions: Vec<(ExternalId, i64)>,
}

impl<'o, R: Bulk> Batch<'o, R> {
    fn prepare(writer: &mut Writer<'_>, operations: &'o [Operation<R::New, R::Patch>]) -> Result<Self, StoreError> {
        if operations.len() > 1 {
            // A plan made while a table was empty would read all of it for each operation by the time it is full.
            writer.pg().batch_execute("SET LOCAL plan_cache_mode = force_custom_plan")?;
        }
        let (stamp, context) = (writer.stamp(), R::context(writer, operations)?);
        let steps: Vec<Step<'o, R>> =
            operations.iter().map(|operation| Step::of(writer, operation, stamp, &context)).collect();
        let mut batch = Self {
            stamp,
            context,
            records: HashMap::with_capacity(operations.len()),
            named: HashMap::new(),
            holders: HashMap::new(),
            codes: Codes::default(),
            known: Known::default(),
            pending: Pending::new(),
            versions: Vec::new(),
            steps,
        };
        batch.lock(writer)?;
        batch.ask(writer)?;
        Ok(batch)
    }

    /// Keeps others from giving anybody the same mailboxes, lines, codes and external ids until the end of the transaction.
    fn lock(&self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let mut keys = self.keys();
        keys.extend(self.external_ids().map(|id| external_key::<R>(&id.connection, &id.external_id)));
        keys.extend(self.steps.iter().filter_map(Step::code).map(|code| format!("code:{}:{code}", R::TABLE)));
        keys.sort_unstable();
        keys.dedup();
        match keys.len() {
            0 => Ok(()),
            1..=MOST_KEYS => duplicates::lock_keys(writer, &keys),
            _ => {
                let detail = format!(
                    "A batch names at most {MOST_KEYS} e-mail addresses, telephone numbers and external ids. Send several."
                );
                Err(StoreError::field("/operations", "too_many_keys", detail))
            }
        }
    }

    /// Asks for everything that the operations are about: one statement for each kind of question.
    fn ask(&mut self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let asked: Vec<&ExternalId> = self.external_ids().collect();
        if !asked.is_empty() {
            self.named = names::ask::<R>(writer, asked)?;
        }
        let ids: Vec<Uuid> =
            self.steps.iter().filter_map(Step::id).chain(self.named.values().filter_map(|n| n.record)).collect();
        if !ids.is_empty() {
            let found = R::to_change(writer, &ids)?;
            self.records.extend(found.into_iter().map(|(record, may)| (record.id(), (Rc::new(record), may))));
        }
        let mut named = References::default();
        for of_step in self.steps.iter().map(Step::references) {
            named.extend(of_step);
        }
        self.known = Known::find(writer, &named)?;
        self.codes = Codes::ask(writer, &self.steps)?;
        let given: Vec<&CustomValues> =
            self.steps.iter().flat_map(Step::given).filter(|given| !given.is_empty()).collect();
        let deletes = self.steps.iter().any(|step| matches!(step, Step::Delete { .. }));
        self.pending.ask_custom(writer, &given, deletes)?;
        let keys = self.keys();
        if !keys.is_empty() {
            self.holders = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
            for (own, candidate) in R::holders(writer, &keys)? {
                self.holds(own, &candidate);
            }
        }
        Ok(())
    }

    /// The keys that nobody else may have.
    fn keys(&self) -> Vec<String> {
        let is_new = |step: &&Step<'_, R>| match step {
            Step::Upsert { upsert, .. } => {
                upsert.record.is_none() && self.named.get(&upsert.external).is_none_or(|named| named.record.is_none())
            }
            _ => true,
        };
        let fresh = self.steps.iter().filter(is_new).filter_map(Step::fresh);
        let fresh = fresh.filter(|fresh| fresh.on_duplicate == OnDuplicate::Refuse);
        fresh.filter_map(|fresh| fresh.record.as_ref().ok()).flat_map(R::match_keys).collect()
    }

    fn external_ids(&self) -> impl Iterator<Item = &'o ExternalId> {
        self.steps.iter().filter_map(|step| match step {
            Step::Upsert { upsert, .. } => Some(&upsert.external),
            _ => None,
        })
    }

    /// Judges an operation and notes what it writes. The inner error is its own, the outer one that of the whole batch.
    fn step(&mut self, writer: &mut Writer<'_>, step: Step<'_, R>) -> Result<Judged<R>, StoreError> {
        if self.pending.count() >= MOST_PENDING {
            self.pending.flush(writer)?;
        }
        match step {
            Step::Create(fresh) => {
                self.make_way(writer, fresh.record.as_ref().ok())?;
                Ok(self.create(writer, fresh, None))
            }
            Step::Update { id, version, patch } => self.update(writer, id, version, patch, None, None),
            Step::Upsert { upsert, fresh } => self.upsert(writer, upsert, fresh),
            Step::Delete { id, version } => self.delete(writer, id, version),
        }
    }

    fn create(
        &mut self,
        writer: &Writer<'_>,
        fresh: Fresh<R>,
        name: Option<(&Upsert<R::Patch>, Option<Uuid>)>,
    ) -> Judged<R> {
        visibility::require_right(writer, R::RESOURCE, Right::Create)?;
        let mut record = fresh.record?;
        self.pending.judge_new(&mut record)?;
        self.require_known(&record, None)?;
        self.codes.require_free(&record)?;
        let keys = record.match_keys();
        if fresh.on_duplicate == OnDuplicate::Refuse {
            let mut candidates: Vec<DuplicateCandidate> =
                keys.iter().filter_map(|key| self.holders.get(key)).flatten().cloned().collect();
            let mut seen = HashSet::new();
            candidates.retain(|candidate| seen.insert(candidate.id));
            if !candidates.is_empty() {
                return Err(StoreError::Duplicates(candidates));
            }
        }
        if !fresh.names_team {
            let (owner, _) = record.owner_and_team();
            record.give_to_team(owner.and_then(|owner| self.main_team(writer, owner)));
        }
        let mut origin = None;
        if let Some((upsert, connection)) = name {
            origin = connection;
            self.pending.name(writer, &mut record, upsert.external.clone(), upsert.source_version);
        }
        self.pending.create(writer, &record, self.stamp, origin);
        self.codes.note(None, &record);
        if let Some(candidate) = record.candidate(&keys) {
            self.holds(keys, &candidate);
        }
        let record = Rc::new(record);
        self.records.insert(record.id(), (Rc::clone(&record), true));
        Ok(Outcome { result: WriteResult::Created, is_late: false, record })
    }

    fn update(
        &mut self,
        writer: &mut Writer<'_>,
        id: Uuid,
        version: Option<i64>,
        patch: &R::Patch,
        origin: Option<Uuid>,
        name: Option<&Upsert<R::Patch>>,
    ) -> Result<Judged<R>, StoreError> {
        let (before, mut after) = match self.patched(writer, id, version, patch, name.is_some()) {
            Ok(Some(changed)) => changed,
            Ok(None) => return Ok(self.unchanged(id, false)),
            Err(error) => return Ok(Err(error)),
        };
        if R::needs_verifying(&before, &after) {
            self.pending.flush(writer)?;
            match R::verify(writer, &before, &after) {
                Err(error @ StoreError::Invalid(_)) => return Ok(Err(error)),
                verified => verified?,
            }
        }
        if let Some(upsert) = name {
            self.pending.name(writer, &mut after, upsert.external.clone(), upsert.source_version);
        }
        self.note(writer, "updated", &before, after, origin).map(Ok)
    }

    /// A record before and after a patch; none when it stays as it is, and gets no external id either.
    fn patched(
        &self,
        writer: &Writer<'_>,
        id: Uuid,
        version: Option<i64>,
        patch: &R::Patch,
        is_named: bool,
    ) -> Result<Option<(Rc<R>, R)>, StoreError> {
        visibility::require_right(writer, R::RESOURCE, Right::Write)?;
        let before = self.to_change(id, version)?;
        let mut after = before.patched(patch.clone(), self.stamp, &self.context)?;
        self.pending.judge_changes(patch, before, &mut after)?;
        self.require_known(&after, Some(before))?;
        if after.code() != before.code() {
            self.codes.require_free(&after)?;
        }
        let mut patch = patch.clone();
        let (names_owner, names_team) = named(R::place_of_patch(&mut patch));
        let ((owner_before, _), (owner, _)) = (before.owner_and_team(), after.owner_and_team());
        if names_owner
            && !names_team
            && owner != owner_before
            && let Some(main) = owner.and_then(|owner| self.main_team(writer, owner))
        {
            after.give_to_team(Some(main));
        }
        visibility::require_held(writer, &**before, &after)?;
        if is_named {
            require_nameable(&mut after)?;
        }
        Ok((is_named || after != **before).then(|| (Rc::clone(before), after)))
    }

    fn delete(&mut self, writer: &mut Writer<'_>, id: Uuid, version: Option<i64>) -> Result<Judged<R>, StoreError> {
        let before = match visibility::require_right(writer, R::RESOURCE, Right::Delete)
            .and_then(|()| self.to_change(id, version))
        {
            Ok(before) => Rc::clone(before),
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = before.require_deletable() {
            return Ok(Err(error));
        }
        let after = before.deleted(self.stamp);
        let outcome = self.note(writer, "deleted", &before, after, None)?;
        self.known.forget(id);
        Ok(Ok(Outcome { result: WriteResult::Deleted, ..outcome }))
    }

    fn upsert(
        &mut self,
        writer: &mut Writer<'_>,
        upsert: &Upsert<R::Patch>,
        fresh: Fresh<R>,
    ) -> Result<Judged<R>, StoreError> {
        let key = &upsert.external;
        let Some(named) = self.named.get_mut(key) else { return Ok(Err(StoreError::Missing(RecordKind::Connection))) };
        if let Some(refusal) = named.refusal {
            return Ok(Err(refusal.into()));
        }
        let (origin, record, known) = (named.connection, named.record, named.source_version);
        if let Some(meant) = upsert.record {
            if let Err(error) = self.require_linkable(writer, meant) {
                return Ok(Err(error));
            }
            match record {
                None => return self.link(writer, upsert, meant, origin),
                Some(other) if other != meant => {
                    let detail = format!("This external id stands for another {}.", R::kind().as_str());
                    return Ok(Err(StoreError::Conflict { code: "external_id_taken", detail }));
                }
                Some(_) => {}
            }
        }
        let Some(id) = record else {
            if upsert.must_exist {
                return Ok(Err(StoreError::NothingToMatch));
            }
            self.make_way(writer, fresh.record.as_ref().ok())?;
            let created = self.create(writer, fresh, Some((upsert, origin)));
            if let (Ok(outcome), Some(named)) = (&created, self.named.get_mut(key)) {
                (named.record, named.source_version) = (Some(outcome.record.id()), upsert.source_version);
            }
            return Ok(created);
        };
        if let Err(error) = visibility::require_right(writer, R::RESOURCE, Right::Write)
            .and_then(|()| self.to_upsert(id, upsert.version))
        {
            return Ok(Err(error));
        }
        if upsert.is_late(known) {
            return Ok(self.unchanged(id, true));
        }
        let updated = self.update(writer, id, None, &upsert.patch, origin, None)?;
        // Also where the version is told again, if it brought something: a newer one may have come meanwhile.
        if let (Ok(outcome), Some(version), Some(named)) = (&updated, upsert.source_version, self.named.get_mut(key))
            && (upsert.tells_version(known) || outcome.result == WriteResult::Updated)
        {
            named.source_version = Some(version);
            self.versions.push((key.clone(), version));
        }
        Ok(updated)
    }

    /// Refuses to say which record an external id is, to who may not change that record or not write its external ids: they would
    /// learn whose it is.
    fn require_linkable(&self, writer: &Writer<'_>, id: Uuid) -> Result<(), StoreError> {
        visibility::require_right(writer, R::RESOURCE, Right::Write)?;
        if !may_link::<R>(writer) {
            let detail = "Your role does not let you write external_ids, so leave record_id out.";
            return Err(StoreError::Forbidden(detail.to_owned()));
        }
        self.to_change(id, None).map(|_| ())
    }

    /// Gives a record that is there an external id that stands for nothing yet, and changes it.
    fn link(
        &mut self,
        writer: &mut Writer<'_>,
        upsert: &Upsert<R::Patch>,
        id: Uuid,
        origin: Option<Uuid>,
    ) -> Result<Judged<R>, StoreError> {
        let updated = self.update(writer, id, upsert.version, &upsert.patch, origin, Some(upsert))?;
        if let (Ok(_), Some(named)) = (&updated, self.named.get_mut(&upsert.external)) {
            (named.record, named.source_version) = (Some(id), upsert.source_version);
        }
        Ok(updated)
    }

    /// A record that an operation names by its id.
    fn to_change(&self, id: Uuid, version: Option<i64>) -> Result<&Rc<R>, StoreError> {
        match self.records.get(&id) {
            Some((record, _)) if record.is_deleted() => Err(StoreError::Missing(R::kind())),
            Some((record, true)) => require_version(version, record.version()).map(|()| record),
            Some((_, false)) => Err(StoreError::may_not_change(R::kind())),
            None => Err(StoreError::Missing(R::kind())),
        }
    }

    /// Refuses a record that an external id stands for and that is not to be changed.
    fn to_upsert(&self, id: Uuid, version: Option<i64>) -> Result<(), StoreError> {
        match self.records.get(&id) {
            Some((record, true)) if record.is_deleted() => {
                let detail = format!(
                    "The {} with this external id was deleted. Restore it first: POST /v1/{}/{id}/restore.",
                    R::kind().as_str(),
                    R::TABLE
                );
                Err(StoreError::Conflict { code: "record_deleted", detail })
            }
            Some((record, true)) => require_version(version, record.version()),
            _ => {
                let detail = "This external id stands for a record that you may not change.";
                Err(StoreError::Forbidden(detail.to_owned()))
            }
        }
    }

    fn unchanged(&self, id: Uuid, is_late: bool) -> Judged<R> {
        let (record, _) = self.records.get(&id).ok_or(StoreError::Missing(R::kind()))?;
        Ok(Outcome { result: WriteResult::Unchanged, is_late, record: Rc::clone(record) })
    }

    /// Makes a record its next version.
    fn note(
        &mut self,
        writer: &mut Writer<'_>,
        verb: &str,
        before: &R,
        mut after: R,
        origin: Option<Uuid>,
    ) -> Result<Outcome<Rc<R>>, StoreError> {
        if self.pending.holds(before.id()) {
            self.pending.flush(writer)?;
        }
        self.make_way(writer, Some(&after))?;
        self.codes.note(Some(before), &after);
        self.follow_keys(before, &after);
        after.advance(self.stamp);
        self.pending.update(writer, verb, (before, &after), self.stamp, origin);
        let changes_hands = before.owner_and_team() != after.owner_and_team();
        let after = Rc::new(after);
        self.records.insert(after.id(), (Rc::clone(&after), true));
        if changes_hands || before.assignee() != after.assignee() {
            // Who gave it away may not change it any more.
            self.pending.flush(writer)?;
            self.records.remove(&after.id());
            let found = R::to_change(writer, &[after.id()])?;
            self.records.extend(found.into_iter().map(|(record, may)| (record.id(), (Rc::new(record), may))));
        }
        Ok(Outcome { result: WriteResult::Updated, is_late: false, record: after })
    }

    /// Notes that somebody has these keys, as far as new records ask for them.
    fn holds(&mut self, keys: Vec<String>, candidate: &DuplicateCandidate) {
        for key in keys {
            if let Some(holders) = self.holders.get_mut(&key) {
                holders.push(candidate.clone());
            }
        }
    }

    /// Follows whose mailboxes and lines are changed or given free, where new records ask for any.
    fn follow_keys(&mut self, before: &R, after: &R) {
        if self.holders.is_empty() {
            return;
        }
        for key in before.match_keys() {
            if let Some(holders) = self.holders.get_mut(&key) {
                holders.retain(|holder| holder.id != before.id());
            }
        }
        let keys = if after.is_deleted() { Vec::new() } else { after.match_keys() };
        if let Some(candidate) = after.candidate(&keys) {
            self.holds(keys, &candidate);
        }
    }

    /// Writes what is pending before a record gets a code that was given free: the database compares row by row.
    fn make_way(&mut self, writer: &mut Writer<'_>, record: Option<&R>) -> Result<(), StoreError> {
        match record.is_some_and(|record| self.codes.follows_another(record)) {
            true => self.pending.flush(writer),
            false => Ok(()),
        }
    }

    fn require_known(&self, record: &R, before: Option<&R>) -> Result<(), StoreError> {
        self.known.require(&record.references(), &before.map(R::references).unwrap_or_default())
    }

    /// Lets nobody delete the connections by which something came, until the end of the transaction.
    fn keep_connections(&self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        let mut ids: Vec<Uuid> = self.named.values().filter_map(|named| named.connection).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() || connections::keep(writer, &ids)? == ids.len() {
            return Ok(());
        }
        Err(StoreError::Contention) // one was deleted meanwhile; who looks again sees that it is gone
    }

    fn main_team(&self, reader: &Reader<'_>, owner: UserId) -> Option<TeamId> {
        visibility::callers_team(reader, owner).unwrap_or_else(|| self.known.main_team(owner))
    }

    fn finish(mut self, writer: &mut Writer<'_>) -> Result<(), StoreError> {
        self.pending.flush(writer)?;
        self.keep_connections(writer)?;
        names::keep_versions::<R>(writer, self.versions)
    }
}

fn named((owner, team): crate::bulk::Place<'_>) -> (bool, bool) {
    (owner.is_some(), team.is_some())
}

/// Whether the caller may say which record an external id is.
fn may_link<R: Bulk>(writer: &Writer<'_>) -> bool {
    writer.grants().may_write(R::RESOURCE, "external_ids")
}

/// Refuses a further external id to a record that has many.
fn require_nameable<R: Bulk>(record: &mut R) -> Result<(), StoreError> {
    if record.external_ids().len() < MOST_EXTERNAL_IDS {
        return Ok(());
    }
    let detail = format!("A {} that has {MOST_EXTERNAL_IDS} external ids gets no further one.", R::kind().as_str());
    Err(StoreError::Conflict { code: "too_many", detail })
}
