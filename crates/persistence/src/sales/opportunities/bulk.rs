//! Many opportunities at once: batches, upserts by external id.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{OpportunityId, TeamId, UserId},
    record::{ExternalId, Stamp},
    sales::{
        opportunity::{LineProducts, NewLine, NewOpportunity, Opportunity, OpportunityPatch},
        pipeline::Pipelines,
    },
    workspace::custom_field::{CustomFields, CustomValues},
};
use uuid::Uuid;

use super::{
    Deleted, RESOURCE, by_ids, parties, products_of,
    row::{COLUMNS, Row},
    shown, states, within,
};
use crate::{
    Reader, StoreError, Writer,
    batch::{self, Operation, Outcome, Results, Upsert},
    bulk::{Bulk, Locked, Place, Referenced, References},
    insert::insert_all,
    sales::pipelines,
    schema::opportunities,
    visibility::{IsWithin, Policy},
    workspace::custom_fields,
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewOpportunity, OpportunityPatch>],
    atomic: bool,
) -> Result<Results<Opportunity>, StoreError> {
    batch::apply(writer, operations, atomic)
}

/// Creates or changes the opportunity that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<OpportunityPatch>) -> Result<Outcome<Opportunity>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

/// By what opportunities of a batch are judged.
pub(crate) struct Context {
    /// They stay as they are until all is written. None where no operation creates anything or gives something back to its
    /// stage.
    pipelines: Pipelines,
    /// Where a stage requires some: by them values take the form in which they are kept.
    custom: Option<CustomFields>,
    /// Those that lines name.
    products: LineProducts,
}

fn lines_of(patch: &OpportunityPatch) -> &[NewLine] {
    patch.lines.as_ref().and_then(Option::as_deref).unwrap_or_default()
}

impl Bulk for Opportunity {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "opportunities";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewOpportunity;
    type Patch = OpportunityPatch;
    type Row = Row;
    type Context = Context;

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

    fn given(patch: &OpportunityPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        parties(self).with("/owner_id", Referenced::User, self.owner_id).with(
            "/team_id",
            Referenced::Team,
            self.team_id,
        )
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn context(
        writer: &mut Writer<'_>,
        operations: &[Operation<NewOpportunity, OpportunityPatch>],
    ) -> Result<Self::Context, StoreError> {
        let looks_at_stages = |operation: &Operation<NewOpportunity, OpportunityPatch>| match operation {
            Operation::Create { .. } | Operation::Upsert(_) => true,
            Operation::Update { patch, .. } => patch.takes_from_stage(),
            Operation::Delete { .. } => false,
        };
        let pipelines = match operations.iter().any(looks_at_stages) {
            true => pipelines::held(writer)?,
            false => Pipelines::of(Vec::new()),
        };
        let custom = match pipelines.require_custom() {
            true => Some(custom_fields::of(writer, RESOURCE)?),
            false => None,
        };
        let lines = operations.iter().flat_map(|operation| match operation {
            Operation::Create { new, .. } => new.lines.as_slice(),
            Operation::Update { patch, .. } => lines_of(patch),
            Operation::Upsert(upsert) => lines_of(&upsert.patch),
            Operation::Delete { .. } => &[],
        });
        Ok(Context { pipelines, custom, products: products_of(writer, lines)? })
    }

    fn create(mut new: NewOpportunity, stamp: Stamp, known: &Self::Context) -> Result<Self, StoreError> {
        // What is given may come to no value, such as a choice of no options. What is wrong with it is told later.
        if let Some(Ok(kept)) = known.custom.as_ref().map(|fields| fields.judge_new(&new.custom)) {
            new.custom = kept;
        }
        Ok(Self::create(new, OpportunityId::mint(), stamp, &known.pipelines, &known.products)?)
    }

    fn new_of(patch: OpportunityPatch) -> NewOpportunity {
        patch.into()
    }

    fn place_of_new(new: &mut NewOpportunity) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut OpportunityPatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: OpportunityPatch, _stamp: Stamp, known: &Self::Context) -> Result<Self, StoreError> {
        Ok(self.patch(patch, &known.pipelines, &known.products)?)
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
        insert_all!(opportunities::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &OpportunityPatch) -> References {
        let contacts = patch.contacts.iter().flatten().flatten();
        References::default()
            .with("/owner_id", Referenced::User, patch.owner_id.flatten())
            .with("/team_id", Referenced::Team, patch.team_id.flatten())
            .with("/company_id", Referenced::Company, patch.company_id.flatten())
            .with_each("/contacts", "contact_id", Referenced::Contact, contacts.map(|contact| contact.contact_id))
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        by_ids(reader, ids)
    }

    fn follow(writer: &mut Writer<'_>, written: &[Uuid]) -> Result<(), StoreError> {
        states::follow(writer, written)
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, OpportunityId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &OpportunityPatch) -> Result<Self, StoreError> {
        super::update(writer, before.id, Some(before.version), patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("opportunities.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(opportunities::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_opportunity()?, may_change))).collect()
    }
}
