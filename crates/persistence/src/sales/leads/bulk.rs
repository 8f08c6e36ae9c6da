//! Many leads at once: batches, upserts by external id, and another status for all that have one.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{LeadId, TeamId, UserId},
    people::duplicate::DuplicateCandidate,
    record::{ExternalId, Stamp},
    sales::{
        lead::{Lead, LeadPatch, NewLead},
        lead_status::{LeadStatus, LeadStatuses},
    },
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    RESOURCE,
    assign::{self, Named},
    duplicates, history, require_changeable,
    row::{COLUMNS, Row},
    shown, visible, within,
};
use crate::{
    Reader, StoreError, Writer,
    batch::{self, Operation, Outcome, Results, Upsert},
    bulk::{Bulk, Locked, Pending, Place, Referenced, References},
    insert::insert_all,
    page::Counted,
    people::{Deleted, duplicates::candidate},
    sales::lead_statuses,
    schema::leads,
    visibility::{IsWithin, Policy},
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewLead, LeadPatch>],
    atomic: bool,
) -> Result<Results<Lead>, StoreError> {
    if !assign::are_for_rules(writer)? {
        return batch::apply(writer, operations, atomic);
    }
    let named = |operation: &Operation<NewLead, LeadPatch>| match operation {
        Operation::Create { new, .. } => Named::of(new),
        Operation::Update { patch, .. } | Operation::Upsert(Upsert { patch, .. }) => {
            Named::by(patch.owner_id, patch.team_id)
        }
        Operation::Delete { .. } => Named::by(None, None),
    };
    writer.transaction(|writer| {
        let mut results = batch::apply(writer, operations, atomic)?;
        assign::settle_batch(writer, operations.iter().map(named), &mut results)?;
        Ok(results)
    })
}

/// Creates or changes the lead that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<LeadPatch>) -> Result<Outcome<Lead>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

/// So many leads get another status at once at most: it is one transaction.
const MOST_MOVED: i64 = 10_000;

/// Leads get another status so many at a time, to bound the memory.
const CHUNK: i64 = 1_000;

/// Gives all leads of one status another of the same class, also those that the caller may not see and those that were
/// deleted, and says how many there were.
pub(crate) fn replace_status(writer: &mut Writer<'_>, from: &LeadStatus, to: &LeadStatus) -> Result<(), StoreError> {
    let count = having(writer, from, MOST_MOVED + 1)?;
    if count > MOST_MOVED {
        let detail = format!("More than {MOST_MOVED} leads have this status. Move some of them first.");
        return Err(StoreError::Conflict { code: "too_many_leads", detail });
    }
    let (workspace, stamp) = (writer.workspace(), writer.stamp());
    loop {
        // In the order of their ids, so that two who change many records at once do not wait for each other.
        let rows: Vec<Row> = leads::table
            .filter(leads::workspace_id.eq(workspace))
            .filter(leads::status.eq(&from.key))
            .order(leads::id)
            .limit(CHUNK)
            .select(Row::as_select())
            .for_update()
            .load(writer.pg())?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut pending = Pending::<Lead>::new();
        let mut moved: Vec<Uuid> = Vec::with_capacity(rows.len());
        for row in rows {
            let before = row.into_lead()?;
            let mut after = before.replace_status(to, stamp)?;
            after.advance(stamp);
            moved.push(after.id.uuid());
            pending.update(writer, "status_changed", (&before, &after), stamp, None);
        }
        pending.flush(writer)?;
        history::go_on(writer, &moved, &from.key)?;
    }
}

/// How many leads have a status, deleted ones included; counted no further than to `most`.
pub(crate) fn having(reader: &mut Reader<'_>, status: &LeadStatus, most: i64) -> Result<i64, StoreError> {
    let having = leads::table
        .filter(leads::workspace_id.eq(reader.workspace()))
        .filter(leads::status.eq(status.key.clone()))
        .select(leads::id)
        .limit(most);
    Ok(Counted(having).get_result(reader.pg())?)
}

/// What has to be known to judge leads.
pub(crate) struct Context {
    /// Country in which telephone numbers without country code are dialled.
    country: Option<String>,
    statuses: LeadStatuses,
}

impl Bulk for Lead {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "leads";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewLead;
    type Patch = LeadPatch;
    type Row = Row;
    type Context = Context;

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn match_keys(&self) -> Vec<String> {
        self.match_keys()
    }

    fn external_ids(&mut self) -> &mut Vec<ExternalId> {
        &mut self.external_ids
    }

    fn owner_and_team(&self) -> (Option<UserId>, Option<TeamId>) {
        (self.owner_id, self.team_id)
    }

    fn give_to_team(&mut self, team: Option<TeamId>) {
        self.team_id = team;
    }

    fn custom(&self) -> &CustomValues {
        &self.custom
    }

    fn custom_mut(&mut self) -> &mut CustomValues {
        &mut self.custom
    }

    fn given(patch: &LeadPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        References::default()
            .with("/owner_id", Referenced::User, self.owner_id)
            .with("/team_id", Referenced::Team, self.team_id)
            .with("/lost_reason_id", Referenced::LostReason, self.lost_reason_id)
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn context(
        writer: &mut Writer<'_>,
        _operations: &[Operation<NewLead, LeadPatch>],
    ) -> Result<Self::Context, StoreError> {
        let country = writer.scope().country().map(ToOwned::to_owned);
        Ok(Context { country, statuses: lead_statuses::of(writer)? })
    }

    fn create(new: NewLead, stamp: Stamp, context: &Context) -> Result<Self, StoreError> {
        Ok(Self::create(new, &context.statuses, LeadId::mint(), stamp, context.country.as_deref())?)
    }

    fn new_of(patch: LeadPatch) -> NewLead {
        patch.into()
    }

    fn place_of_new(new: &mut NewLead) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut LeadPatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: LeadPatch, _stamp: Stamp, context: &Context) -> Result<Self, StoreError> {
        require_changeable(self)?;
        Ok(self.patch(patch, context.country.as_deref())?)
    }

    fn require_deletable(&self) -> Result<(), StoreError> {
        require_changeable(self)
    }

    fn deleted(&self, stamp: Stamp) -> Self {
        Self { deleted_at: Some(stamp.at), ..self.clone() }
    }

    fn advance(&mut self, stamp: Stamp) {
        self.advance(stamp);
    }

    fn row(&self, workspace: Uuid) -> Row {
        Row::of(workspace, self)
    }

    fn insert(pg: &mut PgConnection, rows: Vec<Row>) -> Result<(), StoreError> {
        insert_all!(leads::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &LeadPatch) -> References {
        References::default()
            .with("/owner_id", Referenced::User, patch.owner_id.flatten())
            .with("/team_id", Referenced::Team, patch.team_id.flatten())
            .with("/lost_reason_id", Referenced::LostReason, patch.lost_reason_id.flatten())
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<Row> = visible(reader, Deleted::Exclude)
            .filter(
                sql::<sql_types::Bool>("leads.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .select(Row::as_select())
            .load(reader.pg())?;
        rows.into_iter().map(Row::into_lead).collect()
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, LeadId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &LeadPatch) -> Result<Self, StoreError> {
        super::update(writer, before.id, Some(before.version), patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("leads.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(leads::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_lead()?, may_change))).collect()
    }

    fn follow(writer: &mut Writer<'_>, written: &[Uuid]) -> Result<(), StoreError> {
        history::begin(writer, written)
    }

    fn holders(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<(Vec<String>, DuplicateCandidate)>, StoreError> {
        duplicates::holders(reader, keys)
    }

    fn candidate(&self, keys: &[String]) -> Option<DuplicateCandidate> {
        Some(candidate(Self::kind(), self.id.uuid(), self.name.clone(), &self.match_keys(), keys))
    }
}
