//! Importing companies.

use diesel::prelude::*;
use rapport_domain::{
    access::Resource,
    id::{TeamId, UserId},
    people::{
        company::{Company, CompanyPatch},
        import,
    },
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    KIND, RESOURCE, by_ids, lock_parents, refuse_circle,
    row::{COLUMNS, Row},
};
use crate::{
    Reader, StoreError, Writer,
    import::{Draft, Imported, References, Rules, Verdict, apply},
    schema::companies,
};

/// Keeps others from giving anybody the mailboxes and lines of a chunk. Goes into the transaction that writes it.
pub fn reserve(
    writer: &mut Writer<'_>,
    drafts: &[Draft<Company, CompanyPatch>],
    rules: &Rules,
) -> Result<(), StoreError> {
    crate::import::reserve(writer, drafts, rules)
}

/// Writes a chunk of rows, and says in their order what came of each. Goes into a transaction with the step of the run.
pub fn import(
    writer: &mut Writer<'_>,
    drafts: &[Draft<Company, CompanyPatch>],
    rules: &Rules,
) -> Result<Vec<Verdict>, StoreError> {
    apply(writer, drafts, rules)
}

impl Imported for Company {
    const KIND: RecordKind = KIND;
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "companies";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type Patch = CompanyPatch;
    type Row = Row;

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

    fn owner_and_team(&mut self) -> (Option<UserId>, &mut Option<TeamId>) {
        (self.owner_id, &mut self.team_id)
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
        References {
            users: self.owner_id.map(|id| ("/owner_id", id.uuid())).into_iter().collect(),
            companies: self.parent_id.map(|id| ("/parent_id", id.uuid())).into_iter().collect(),
        }
    }

    fn patched(&self, patch: &CompanyPatch, _stamp: Stamp, country: Option<&str>) -> Result<Self, Invalid> {
        let mut after = self.patch(patch.clone(), country)?;
        import::keep_emails(&mut after.emails, &self.emails);
        import::keep_phones(&mut after.phones, &self.phones);
        import::keep_addresses(&mut after.addresses, &self.addresses);
        import::keep_profiles(&mut after.social_profiles, &self.social_profiles);
        Ok(after)
    }

    fn advance(&mut self, stamp: Stamp) {
        self.advance(stamp);
    }

    fn row(&self, workspace: Uuid) -> Row {
        Row::of(workspace, self)
    }

    fn insert(pg: &mut PgConnection, rows: Vec<Row>) -> Result<(), StoreError> {
        Ok(diesel::copy_from(companies::table).from_insertable(rows).execute(pg).map(drop)?)
    }

    fn named(patch: &CompanyPatch) -> References {
        References {
            users: patch.owner_id.flatten().map(|id| ("/owner_id", id.uuid())).into_iter().collect(),
            companies: patch.parent_id.flatten().map(|id| ("/parent_id", id.uuid())).into_iter().collect(),
        }
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
}
