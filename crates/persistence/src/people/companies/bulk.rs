//! Many companies at once: batches, upserts by external id, imports.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{CompanyId, TeamId, UserId},
    people::company::{Company, CompanyPatch, NewCompany},
    record::{ExternalId, Stamp},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    Deleted, RESOURCE, by_ids, lock_parents, refuse_circle,
    row::{COLUMNS, NewRow, Row},
    shown, within,
};
use crate::{
    Reader, StoreError, Writer,
    batch::{self, Operation, Outcome, Results, Upsert},
    bulk::{Bulk, Locked, Place, Referenced, References},
    insert::insert_all,
    schema::companies,
    visibility::{IsWithin, Policy},
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewCompany, CompanyPatch>],
    atomic: bool,
) -> Result<Results<Company>, StoreError> {
    batch::apply(writer, operations, atomic)
}

/// Creates or changes the company that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<CompanyPatch>) -> Result<Outcome<Company>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

impl Bulk for Company {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "companies";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewCompany;
    type Patch = CompanyPatch;
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

    fn given(patch: &CompanyPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        References::default()
            .with("/owner_id", Referenced::User, self.owner_id)
            .with("/team_id", Referenced::Team, self.team_id)
            .with("/parent_id", Referenced::Company, self.parent_id)
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn context(
        writer: &mut Writer<'_>,
        _operations: &[Operation<NewCompany, CompanyPatch>],
    ) -> Result<Self::Context, StoreError> {
        Ok(writer.scope().country().map(ToOwned::to_owned))
    }

    fn create(new: NewCompany, stamp: Stamp, country: &Self::Context) -> Result<Self, StoreError> {
        Ok(Self::create(new, CompanyId::mint(), stamp, country.as_deref())?)
    }

    fn new_of(patch: CompanyPatch) -> NewCompany {
        patch.into()
    }

    fn place_of_new(new: &mut NewCompany) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut CompanyPatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: CompanyPatch, _stamp: Stamp, country: &Self::Context) -> Result<Self, StoreError> {
        Ok(self.patch(patch, country.as_deref())?)
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
        insert_all!(companies::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &CompanyPatch) -> References {
        References::default()
            .with("/owner_id", Referenced::User, patch.owner_id.flatten())
            .with("/team_id", Referenced::Team, patch.team_id.flatten())
            .with("/parent_id", Referenced::Company, patch.parent_id.flatten())
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        by_ids(reader, ids)
    }

    fn needs_verifying(before: &Self, after: &Self) -> bool {
        after.parent_id.is_some() && after.parent_id != before.parent_id
    }

    fn verify(writer: &mut Writer<'_>, _before: &Self, after: &Self) -> Result<(), StoreError> {
        lock_parents(writer)?;
        refuse_circle(writer, after.id, after.parent_id)
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, CompanyId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &CompanyPatch) -> Result<Self, StoreError> {
        let mut patch = patch.clone();
        // A parent that stays needs nobody to wait who gives other companies theirs.
        patch.parent_id = patch.parent_id.filter(|parent| *parent != before.parent_id);
        super::update(writer, before.id, Some(before.version), &patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("companies.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(companies::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_company()?, may_change))).collect()
    }
}
