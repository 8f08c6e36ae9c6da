//! Importing contacts.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{TeamId, UserId},
    people::{
        contact::{Contact, ContactPatch},
        import,
    },
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    Deleted, KIND, RESOURCE,
    row::{COLUMNS, Row},
    visible,
};
use crate::{
    Reader, StoreError, Writer,
    import::{Draft, Imported, References, Rules, Verdict, apply},
    schema::contacts,
};

/// Keeps others from giving anybody the mailboxes and lines of a chunk. Goes into the transaction that writes it.
pub fn reserve(
    writer: &mut Writer<'_>,
    drafts: &[Draft<Contact, ContactPatch>],
    rules: &Rules,
) -> Result<(), StoreError> {
    crate::import::reserve(writer, drafts, rules)
}

/// Writes a chunk of rows, and says in their order what came of each. Goes into a transaction with the step of the run.
pub fn import(
    writer: &mut Writer<'_>,
    drafts: &[Draft<Contact, ContactPatch>],
    rules: &Rules,
) -> Result<Vec<Verdict>, StoreError> {
    apply(writer, drafts, rules)
}

impl Imported for Contact {
    const KIND: RecordKind = KIND;
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "contacts";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type Patch = ContactPatch;
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

    fn given(patch: &ContactPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        References {
            users: self.owner_id.map(|id| ("/owner_id", id.uuid())).into_iter().collect(),
            companies: self.company_id.map(|id| ("/company_id", id.uuid())).into_iter().collect(),
        }
    }

    fn patched(&self, patch: &ContactPatch, stamp: Stamp, country: Option<&str>) -> Result<Self, Invalid> {
        let mut after = self.patch(patch.clone(), stamp, country)?;
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
        Ok(diesel::copy_from(contacts::table).from_insertable(rows).execute(pg).map(drop)?)
    }

    fn named(patch: &ContactPatch) -> References {
        References {
            users: patch.owner_id.flatten().map(|id| ("/owner_id", id.uuid())).into_iter().collect(),
            companies: patch.company_id.flatten().map(|id| ("/company_id", id.uuid())).into_iter().collect(),
        }
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
}
