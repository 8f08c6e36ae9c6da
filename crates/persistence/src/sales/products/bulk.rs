//! Many products at once: batches and upserts by external id.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{ProductId, TeamId, UserId},
    record::{ExternalId, Stamp},
    sales::product::{NewProduct, Product, ProductPatch},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    RESOURCE, priced,
    row::{COLUMNS, Row},
    shown, within,
};
use crate::{
    Reader, StoreError, Writer,
    batch::{self, Operation, Outcome, Results, Upsert},
    bulk::{Bulk, Locked, Place, Referenced, References},
    error::taken,
    insert::insert_all,
    people::Deleted,
    schema::products,
    visibility::{IsWithin, Policy},
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewProduct, ProductPatch>],
    atomic: bool,
) -> Result<Results<Product>, StoreError> {
    batch::apply(writer, operations, atomic)
}

/// Creates or changes the product that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<ProductPatch>) -> Result<Outcome<Product>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

impl Bulk for Product {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "products";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewProduct;
    type Patch = ProductPatch;
    type Row = Row;
    type Context = ();

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn match_keys(&self) -> Vec<String> {
        Vec::new()
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

    fn given(patch: &ProductPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        References::default().with("/owner_id", Referenced::User, self.owner_id).with(
            "/team_id",
            Referenced::Team,
            self.team_id,
        )
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn context(
        _writer: &mut Writer<'_>,
        _operations: &[Operation<NewProduct, ProductPatch>],
    ) -> Result<Self::Context, StoreError> {
        Ok(())
    }

    fn create(new: NewProduct, stamp: Stamp, _context: &Self::Context) -> Result<Self, StoreError> {
        Ok(Self::create(new, ProductId::mint(), stamp)?)
    }

    fn new_of(patch: ProductPatch) -> NewProduct {
        patch.into()
    }

    fn place_of_new(new: &mut NewProduct) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut ProductPatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: ProductPatch, _stamp: Stamp, _context: &Self::Context) -> Result<Self, StoreError> {
        Ok(self.patch(patch)?)
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
        insert_all!(products::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &ProductPatch) -> References {
        References::default().with("/owner_id", Referenced::User, patch.owner_id.flatten()).with(
            "/team_id",
            Referenced::Team,
            patch.team_id.flatten(),
        )
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        priced(reader, ids)
    }

    fn code(&self) -> Option<&str> {
        Some(&self.code)
    }

    fn code_given(patch: &ProductPatch) -> Option<&str> {
        patch.code.as_deref().map(str::trim)
    }

    fn code_holders(reader: &mut Reader<'_>, codes: Vec<String>) -> Result<Vec<(String, Uuid)>, StoreError> {
        // Also those that the caller may not see: a code is taken, whoever has it.
        let found = products::table
            .filter(products::workspace_id.eq(reader.workspace()))
            .filter(products::deleted_at.is_null())
            .filter(products::code.eq_any(codes))
            .select((products::code, products::id));
        Ok(found.load(reader.pg())?)
    }

    fn code_taken() -> StoreError {
        taken("products_code_unique")
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, ProductId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &ProductPatch) -> Result<Self, StoreError> {
        super::update(writer, before.id, Some(before.version), patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("products.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(products::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_product()?, may_change))).collect()
    }
}
