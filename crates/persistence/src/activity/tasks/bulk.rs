//! Many tasks at once: batches, and upserts by external id.

use diesel::{PgConnection, dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    activity::{
        parent::Parent,
        task::{NewTask, Task, TaskPatch},
    },
    id::{TaskId, TeamId, UserId},
    record::{ExternalId, Stamp},
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

use super::{
    RESOURCE, by_ids, related,
    row::{COLUMNS, Row},
    shown, within,
};
use crate::{
    Reader, StoreError, Writer,
    activity::parents::with_parent,
    batch::{self, Operation, Outcome, Results, Upsert},
    bulk::{Bulk, Locked, Pending, Place, Referenced, References},
    codes,
    insert::insert_all,
    people::Deleted,
    schema::tasks,
    visibility::{IsWithin, Policy},
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewTask, TaskPatch>],
    atomic: bool,
) -> Result<Results<Task>, StoreError> {
    batch::apply(writer, operations, atomic)
}

/// Creates or changes the task that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<TaskPatch>) -> Result<Outcome<Task>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

impl Bulk for Task {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "tasks";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewTask;
    type Patch = TaskPatch;
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

    fn involved(&self) -> &[UserId] {
        &self.collaborator_ids
    }

    fn custom(&self) -> &CustomValues {
        &self.custom
    }

    fn custom_mut(&mut self) -> &mut CustomValues {
        &mut self.custom
    }

    fn given(patch: &TaskPatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        related(self)
            .with("/owner_id", Referenced::User, self.owner_id)
            .with("/team_id", Referenced::Team, self.team_id)
            .with("/assignee_id", Referenced::User, self.assignee_id)
    }

    fn assignee(&self) -> Option<UserId> {
        self.assignee_id
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn context(
        _writer: &mut Writer<'_>,
        _operations: &[Operation<NewTask, TaskPatch>],
    ) -> Result<Self::Context, StoreError> {
        Ok(())
    }

    fn create(new: NewTask, stamp: Stamp, (): &Self::Context) -> Result<Self, StoreError> {
        Ok(Self::create(new, TaskId::mint(), stamp)?)
    }

    fn new_of(patch: TaskPatch) -> NewTask {
        patch.into()
    }

    fn place_of_new(new: &mut NewTask) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut TaskPatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: TaskPatch, _stamp: Stamp, (): &Self::Context) -> Result<Self, StoreError> {
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
        insert_all!(tasks::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &TaskPatch) -> References {
        let helpers = patch.collaborator_ids.iter().flatten().flatten().copied();
        with_parent(References::default(), patch.parent.flatten())
            .with("/owner_id", Referenced::User, patch.owner_id.flatten())
            .with("/team_id", Referenced::Team, patch.team_id.flatten())
            .with("/assignee_id", Referenced::User, patch.assignee_id.flatten())
            .with_list("/collaborator_ids", Referenced::User, helpers)
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        by_ids(reader, ids)
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, TaskId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &TaskPatch) -> Result<Self, StoreError> {
        super::update(writer, before.id, Some(before.version), patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("tasks.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(tasks::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_task()?, may_change))).collect()
    }
}

/// Lets the tasks about one record be about another, also those that the caller may not see, and names them: it is a change of
/// what they are about, not of single tasks.
pub(crate) fn bring_over(writer: &mut Writer<'_>, from: Parent, to: Parent) -> Result<Vec<Uuid>, StoreError> {
    let living = about(writer, from).filter(tasks::deleted_at.is_null());
    let living: Vec<Row> = Locked(living.order(tasks::id).select(Row::as_select())).load(writer.pg())?;
    let ids = living.iter().map(|row| row.id).collect();
    give_parent(writer, living, to)?;
    Ok(ids)
}

/// Lets those of these tasks that are still about the one record be about the other again, also what was deleted since.
pub(crate) fn bring_back(writer: &mut Writer<'_>, ids: &[Uuid], from: Parent, to: Parent) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let still = about(writer, from).filter(tasks::id.eq_any(ids.to_vec()));
    let still: Vec<Row> = Locked(still.order(tasks::id).select(Row::as_select())).load(writer.pg())?;
    give_parent(writer, still, to)
}

fn about(writer: &Writer<'_>, parent: Parent) -> tasks::BoxedQuery<'static, Pg> {
    tasks::table
        .filter(tasks::workspace_id.eq(writer.workspace()))
        .filter(tasks::parent_id.eq(parent.id))
        .filter(tasks::parent_kind.eq(codes::word(&parent.kind)))
        .into_boxed()
}

fn give_parent(writer: &mut Writer<'_>, rows: Vec<Row>, to: Parent) -> Result<(), StoreError> {
    let (stamp, mut pending) = (writer.stamp(), Pending::<Task>::new());
    for row in rows {
        let before = row.into_task()?;
        let mut after = Task { parent: Some(to), ..before.clone() };
        after.advance(stamp);
        pending.update(writer, "updated", (&before, &after), stamp, None);
    }
    pending.flush(writer)
}
