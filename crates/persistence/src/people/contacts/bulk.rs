//! Many contacts at once: batches, upserts by external id, imports.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{ContactId, TeamId, UserId},
    people::{
        contact::{Contact, ContactPatch, NewContact},
        duplicate::DuplicateCandidate,
    },
    record::{ExternalId, Stamp},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    Deleted, RESOURCE,
    row::{COLUMNS, NewRow, Row},
    shown, visible, within,
};
use crate::{
    Reader, StoreError, Writer,
    batch::{self, Operation, Outcome, Results, Upsert},
    bulk::{Bulk, Locked, Place, Referenced, References},
    insert::insert_all,
    people::duplicates,
    schema::contacts,
    visibility::{IsWithin, Policy},
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewContact, ContactPatch>],
    atomic: bool,
) -> Result<Results<Contact>, StoreError> {
    batch::apply(writer, operations, atomic)
}

/// Creates or changes the contact that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<ContactPatch>) -> Result<Outcome<Contact>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

impl Bulk for Contact {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "contacts";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewContact;
    type Patch = ContactPatch;
    type Row = NewRow;
    /// Country in which telephone numbers without country code are dialled.
    type Context = Option<String>;

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

    fn given(patch: &ContactPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        References::default()
            .with("/owner_id", Referenced::User, self.owner_id)
            .with("/team_id", Referenced::Team, self.team_id)
            .with("/company_id", Referenced::Company, self.company_id)
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn context(
        writer: &mut Writer<'_>,
        _operations: &[Operation<NewContact, ContactPatch>],
    ) -> Result<Self::Context, StoreError> {
        Ok(writer.scope().country().map(ToOwned::to_owned))
    }

    fn create(new: NewContact, stamp: Stamp, country: &Self::Context) -> Result<Self, StoreError> {
        Ok(Self::create(new, ContactId::mint(), stamp, country.as_deref())?)
    }

    fn new_of(patch: ContactPatch) -> NewContact {
        patch.into()
    }

    fn place_of_new(new: &mut NewContact) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut ContactPatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: ContactPatch, stamp: Stamp, country: &Self::Context) -> Result<Self, StoreError> {
        Ok(self.patch(patch, stamp, country.as_deref())?)
    }

    fn deleted(&self, stamp: Stamp) -> Self {
        Self { deleted_at: Some(stamp.at), ..self.clone() }
    }

    fn advance(&mut self, stamp: Stamp) {
        self.advance(stamp);
    }

    fn row(&self, workspace: Uuid) -> NewRow {
        NewRow::of(workspace, self)
    }

    fn insert(pg: &mut PgConnection, rows: Vec<NewRow>) -> Result<(), StoreError> {
        insert_all!(contacts::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &ContactPatch) -> References {
        References::default()
            .with("/owner_id", Referenced::User, patch.owner_id.flatten())
            .with("/team_id", Referenced::Team, patch.team_id.flatten())
            .with("/company_id", Referenced::Company, patch.company_id.flatten())
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<Row> = visible(reader, Deleted::Exclude)
            .filter(
                sql::<sql_types::Bool>("contacts.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .select(Row::as_select())
            .load(reader.pg())?;
        rows.into_iter().map(Row::into_contact).collect()
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, ContactId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &ContactPatch) -> Result<Self, StoreError> {
        super::update(writer, before.id, Some(before.version), patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("contacts.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(contacts::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_contact()?, may_change))).collect()
    }

    fn holders(reader: &mut Reader<'_>, keys: &[String]) -> Result<Vec<(Vec<String>, DuplicateCandidate)>, StoreError> {
        duplicates::holders(reader, keys)
    }

    fn candidate(&self, keys: &[String]) -> Option<DuplicateCandidate> {
        Some(duplicates::candidate(Self::kind(), self.id.uuid(), self.name.clone(), &self.match_keys(), keys))
    }
}
