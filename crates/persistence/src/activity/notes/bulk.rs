//! Many notes at once: batches, and upserts by external id.

use diesel::{PgConnection, dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    activity::{
        note::{NewNote, Note, NotePatch},
        parent::Parent,
    },
    id::{NoteId, TeamId, UserId},
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
    schema::notes,
    visibility::{IsWithin, Policy},
};

/// Does many operations in one transaction, and says in their order what came of each. With `atomic`, all of them or none.
pub fn batch(
    writer: &mut Writer<'_>,
    operations: &[Operation<NewNote, NotePatch>],
    atomic: bool,
) -> Result<Results<Note>, StoreError> {
    batch::apply(writer, operations, atomic)
}

/// Creates or changes the note that an outside system knows under an id.
pub fn upsert(writer: &mut Writer<'_>, upsert: Upsert<NotePatch>) -> Result<Outcome<Note>, StoreError> {
    let outcome = batch::upsert(writer, upsert, |writer, operations| batch(writer, operations, false))?;
    Ok(Outcome { record: shown(writer, outcome.record)?, ..outcome })
}

impl Bulk for Note {
    const RESOURCE: Resource = RESOURCE;
    const TABLE: &'static str = "notes";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    type New = NewNote;
    type Patch = NotePatch;
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
        &self.mentions
    }

    fn custom(&self) -> &CustomValues {
        &self.custom
    }

    fn custom_mut(&mut self) -> &mut CustomValues {
        &mut self.custom
    }

    fn given(patch: &NotePatch) -> Option<&CustomValues> {
        patch.custom.as_ref()
    }

    fn references(&self) -> References {
        related(self).with("/owner_id", Referenced::User, self.owner_id).with(
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
        _operations: &[Operation<NewNote, NotePatch>],
    ) -> Result<Self::Context, StoreError> {
        Ok(())
    }

    fn create(new: NewNote, stamp: Stamp, (): &Self::Context) -> Result<Self, StoreError> {
        Ok(Self::create(new, NoteId::mint(), stamp)?)
    }

    fn new_of(patch: NotePatch) -> NewNote {
        patch.into()
    }

    fn place_of_new(new: &mut NewNote) -> Place<'_> {
        (&mut new.owner_id, &mut new.team_id)
    }

    fn place_of_patch(patch: &mut NotePatch) -> Place<'_> {
        (&mut patch.owner_id, &mut patch.team_id)
    }

    fn patched(&self, patch: NotePatch, _stamp: Stamp, (): &Self::Context) -> Result<Self, StoreError> {
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
        insert_all!(notes::table, pg, rows)?;
        Ok(())
    }

    fn named(patch: &NotePatch) -> References {
        let mentions = patch.mentions.iter().flatten().flatten().copied();
        with_parent(References::default(), patch.parent)
            .with("/owner_id", Referenced::User, patch.owner_id.flatten())
            .with("/team_id", Referenced::Team, patch.team_id.flatten())
            .with_list("/mentions", Referenced::User, mentions)
    }

    fn with_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Self>, StoreError> {
        by_ids(reader, ids)
    }

    fn get_to_change(writer: &mut Writer<'_>, id: Uuid) -> Result<Self, StoreError> {
        super::get_to_change(writer, NoteId::from_uuid(id), Deleted::Exclude)
    }

    fn update(writer: &mut Writer<'_>, before: &Self, patch: &NotePatch) -> Result<Self, StoreError> {
        super::update(writer, before.id, Some(before.version), patch)
    }

    fn to_change(writer: &mut Writer<'_>, ids: &[Uuid]) -> Result<Vec<(Self, bool)>, StoreError> {
        let found = within(writer, Deleted::Include, Policy::finding(writer, RESOURCE).whole())
            .filter(
                sql::<sql_types::Bool>("notes.id = ANY(ARRAY(SELECT unnest(")
                    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids.to_vec())
                    .sql(")))"),
            )
            .order(notes::id)
            .select((Row::as_select(), IsWithin(Policy::writing(writer, RESOURCE).whole())));
        let rows: Vec<(Row, bool)> = Locked(found).load(writer.pg())?;
        rows.into_iter().map(|(row, may_change)| Ok((row.into_note()?, may_change))).collect()
    }
}

/// Lets the notes about one record be about another, also those that the caller may not see, and names them: it is a change of
/// what they are about, not of single notes.
pub(crate) fn bring_over(writer: &mut Writer<'_>, from: Parent, to: Parent) -> Result<Vec<Uuid>, StoreError> {
    let living = about(writer, from).filter(notes::deleted_at.is_null());
    let living: Vec<Row> = Locked(living.order(notes::id).select(Row::as_select())).load(writer.pg())?;
    let ids = living.iter().map(|row| row.id).collect();
    give_parent(writer, living, to)?;
    Ok(ids)
}

/// Lets those of these notes that are still about the one record be about the other again, also what was deleted since.
pub(crate) fn bring_back(writer: &mut Writer<'_>, ids: &[Uuid], from: Parent, to: Parent) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let still = about(writer, from).filter(notes::id.eq_any(ids.to_vec()));
    let still: Vec<Row> = Locked(still.order(notes::id).select(Row::as_select())).load(writer.pg())?;
    give_parent(writer, still, to)
}

fn about(writer: &Writer<'_>, parent: Parent) -> notes::BoxedQuery<'static, Pg> {
    notes::table
        .filter(notes::workspace_id.eq(writer.workspace()))
        .filter(notes::parent_id.eq(parent.id))
        .filter(notes::parent_kind.eq(codes::word(&parent.kind)))
        .into_boxed()
}

fn give_parent(writer: &mut Writer<'_>, rows: Vec<Row>, to: Parent) -> Result<(), StoreError> {
    let (stamp, mut pending) = (writer.stamp(), Pending::<Note>::new());
    for row in rows {
        let before = row.into_note()?;
        let mut after = Note { parent: to, ..before.clone() };
        after.advance(stamp);
        pending.update(writer, "updated", (&before, &after), stamp, None);
    }
    pending.flush(writer)
}
