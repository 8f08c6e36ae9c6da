//! What a kind of record has to tell so that rows can become records of it.

use diesel::PgConnection;
use rapport_domain::{
    access::Resource,
    id::{TeamId, UserId},
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    workspace::custom_field::CustomValues,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{Reader, StoreError, Writer};

/// Records that a file can bring.
pub(crate) trait Imported: Clone + PartialEq + Serialize {
    const KIND: RecordKind;
    const RESOURCE: Resource;
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];
    type Patch;
    type Row: Serialize;

    fn id(&self) -> Uuid;
    fn version(&self) -> i64;
    fn match_keys(&self) -> Vec<String>;
    fn external_ids(&mut self) -> &mut Vec<ExternalId>;
    /// The users and companies that it names.
    fn references(&self) -> References;
    /// Who owns it, and the team that it belongs to.
    fn owner_and_team(&mut self) -> (Option<UserId>, &mut Option<TeamId>);
    /// The values of custom fields. Those of a row are not judged yet.
    fn custom(&self) -> &CustomValues;
    fn custom_mut(&mut self) -> &mut CustomValues;
    /// The values of custom fields that a row gives a known record.
    fn given(patch: &Self::Patch) -> Option<&CustomValues>;
    /// As a row of a file would change it.
    fn patched(&self, patch: &Self::Patch, stamp: Stamp, country: Option<&str>) -> Result<Self, Invalid>;
    /// Becomes the next version.
    fn advance(&mut self, stamp: Stamp);
    fn row(&self, workspace: Uuid) -> Self::Row;

    /// Writes new records.
    fn insert(pg: &mut PgConnection, rows: Vec<Self::Row>) -> Result<(), StoreError>;
    /// The users and companies that a row names.
    fn named(patch: &Self::Patch) -> References;
    /// The living with one of these ids.
    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError>;
    /// What only the database can tell of a changed relation. All earlier rows are written when it is asked.
    fn verify(_writer: &mut Writer<'_>, _before: &Self, _after: &Self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Whether a change has to be verified.
    fn needs_verifying(_before: &Self, _after: &Self) -> bool {
        false
    }
}

/// Users and companies by the pointer of the field that names them.
#[derive(Debug, Default)]
pub(crate) struct References {
    pub(crate) users: Vec<(&'static str, Uuid)>,
    pub(crate) companies: Vec<(&'static str, Uuid)>,
}
