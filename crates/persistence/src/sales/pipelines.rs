//! Pipelines with their stages. A pipeline and its stages are one record: whoever changes a stage writes the row of its
//! pipeline, too, so that one version stands for both.

mod row;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{dsl::count_star, pg::Pg, pg::PgConnection, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::{PipelineId, StageId, WorkspaceId},
    journal::{Changes, JournalEntry},
    record::{ArchivedInList, RecordKind, Source, Stamp},
    sales::pipeline::{
        MOST_PIPELINES, NewPipeline, Pipeline, PipelinePatch, PipelineQuery, Pipelines, StageTransfer, StageTransferred,
    },
};
use uuid::Uuid;

use self::row::{Row, StageRow};
use super::opportunities;
use crate::{
    Page, Reader, StoreError, Writer,
    error::{in_use, unknown_reference},
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    quota::Quota,
    require_version,
    schema::{pipelines, stages},
    workspace::custom_fields,
};

const KIND: RecordKind = RecordKind::Pipeline;

const QUOTA: Quota = Quota { of: "pipelines", most: MOST_PIPELINES, advice: "Change one that is there." };

/// Pipelines of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> pipelines::BoxedQuery<'static, Pg> {
    pipelines::table.filter(pipelines::workspace_id.eq(reader.workspace())).into_boxed()
}

/// The stages of these pipelines, each in its order.
fn stages_of(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<StageRow>, StoreError> {
    Ok(stages::table
        .filter(stages::workspace_id.eq(reader.workspace()))
        .filter(stages::pipeline_id.eq_any(ids))
        .select(StageRow::as_select())
        .order((stages::pipeline_id, stages::position))
        .load(reader.pg())?)
}

/// One pipeline.
pub fn get(reader: &mut Reader<'_>, id: PipelineId) -> Result<Pipeline, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(pipelines::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    let row = row.ok_or(StoreError::Missing(KIND))?;
    row.into_pipeline(&stages_of(reader, vec![id.uuid()])?)
}

/// A page of the pipelines, by name.
pub fn list(reader: &mut Reader<'_>, query: &PipelineQuery) -> Result<Page<Pipeline>, StoreError> {
    let request = PageRequest::read(reader, "list_pipelines", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if query.archived == ArchivedInList::Exclude {
        select = select.filter(pipelines::archived.eq(false));
    }
    let after = request.after::<String>()?;
    let select = seek!(select, "pipelines.name", sql_types::Text, "pipelines.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    let stages = stages_of(reader, rows.iter().map(|row| row.id).collect())?;
    request.page(reader, rows, |row| (row.name.clone(), row.id), |row| row.into_pipeline(&stages))
}

/// Those of these pipelines that are there, for embedding.
pub(crate) fn by_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Pipeline>, StoreError> {
    let rows: Vec<Row> =
        visible(reader).filter(pipelines::id.eq_any(ids.to_vec())).select(Row::as_select()).load(reader.pg())?;
    with_stages(reader, rows)
}

fn with_stages(reader: &mut Reader<'_>, rows: Vec<Row>) -> Result<Vec<Pipeline>, StoreError> {
    let stages = stages_of(reader, rows.iter().map(|row| row.id).collect())?;
    rows.into_iter().map(|row| row.into_pipeline(&stages)).collect()
}

/// All pipelines.
pub(crate) fn all(reader: &mut Reader<'_>) -> Result<Vec<Pipeline>, StoreError> {
    let rows: Vec<Row> = visible(reader).select(Row::as_select()).order(pipelines::name).load(reader.pg())?;
    with_stages(reader, rows)
}

/// All pipelines, kept as they are until the end of the transaction: nobody takes a stage away while something goes there. What
/// stages require is what can have a value: not a custom field that was archived since.
pub(crate) fn held(writer: &mut Writer<'_>) -> Result<Pipelines, StoreError> {
    let rows: Vec<Row> = pipelines::table
        .filter(pipelines::workspace_id.eq(writer.workspace()))
        .select(Row::as_select())
        .order(pipelines::id)
        .for_share()
        .load(writer.pg())?;
    let all = Pipelines::of(with_stages(writer, rows)?);
    if !all.require_custom() {
        return Ok(all);
    }
    Ok(all.without_archived(&custom_fields::of(writer, Resource::Opportunities)?))
}

/// Creates a pipeline.
pub fn create(writer: &mut Writer<'_>, new: NewPipeline) -> Result<Pipeline, StoreError> {
    writer.transaction(|writer| {
        let pipeline = Pipeline::create(new.clone(), PipelineId::mint(), writer.stamp())?;
        QUOTA.require_in_workspace(writer, |writer| visible(writer).select(count_star()).first(writer.pg()))?;
        if pipeline.is_default {
            take_default(writer, pipeline.id)?;
        }
        let changes = Changes::of_new(&pipeline);
        let entry = Entry::new(writer, KIND, "created", pipeline.id.uuid(), changes, pipeline.created_at);
        let row = Row::of(writer.workspace(), &pipeline);
        let write = diesel::insert_into(pipelines::table).values(row).returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg())?;
        diesel::insert_into(stages::table).values(StageRow::all(writer.workspace(), &pipeline)).execute(writer.pg())?;
        Ok(pipeline)
    })
}

/// Changes a pipeline and its stages.
pub fn update(
    writer: &mut Writer<'_>,
    id: PipelineId,
    expected: Option<i64>,
    patch: &PipelinePatch,
) -> Result<Pipeline, StoreError> {
    writer.transaction(|writer| {
        let before = locked(writer, id)?;
        require_version(expected, before.version)?;
        let after = before.patch(patch.clone())?;
        if after == before {
            return Ok(before);
        }
        let kept: HashSet<StageId> = after.stages.iter().map(|stage| stage.id).collect();
        let gone = before.stages.iter().filter(|stage| !kept.contains(&stage.id));
        opportunities::require_empty(writer, gone)?;
        if after.is_default && !before.is_default {
            take_default(writer, id)?;
        }
        put(writer, &before, after)
    })
}

/// A pipeline that nobody else changes until the end of the transaction.
fn locked(writer: &mut Writer<'_>, id: PipelineId) -> Result<Pipeline, StoreError> {
    let row: Option<Row> = pipelines::table
        .filter(pipelines::workspace_id.eq(writer.workspace()))
        .filter(pipelines::id.eq(id.uuid()))
        .select(Row::as_select())
        .for_no_key_update()
        .first(writer.pg())
        .optional()?;
    let row = row.ok_or(StoreError::Missing(KIND))?;
    row.into_pipeline(&stages_of(writer, vec![id.uuid()])?)
}

/// Writes the next version of a pipeline that is locked, and its stages where they changed.
fn put(writer: &mut Writer<'_>, before: &Pipeline, mut after: Pipeline) -> Result<Pipeline, StoreError> {
    let changes = Changes::between(before, &after);
    after.advance(writer.stamp());
    let entry = Entry::new(writer, KIND, "updated", after.id.uuid(), changes, after.updated_at);
    let write = diesel::update(pipelines::table)
        .filter(pipelines::workspace_id.eq(writer.workspace()))
        .filter(pipelines::id.eq(after.id.uuid()))
        .filter(pipelines::version.eq(before.version))
        .set(Row::of(writer.workspace(), &after))
        .returning(Row::as_returning());
    if (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()?.is_none() {
        return Err(StoreError::Contention);
    }
    if (&before.stages, &before.archived_stages) != (&after.stages, &after.archived_stages) {
        let rows = StageRow::all(writer.workspace(), &after);
        diesel::insert_into(stages::table)
            .values(&rows)
            .on_conflict((stages::workspace_id, stages::id))
            .do_update()
            .set((
                stages::position.eq(diesel::upsert::excluded(stages::position)),
                stages::archived.eq(diesel::upsert::excluded(stages::archived)),
                stages::name.eq(diesel::upsert::excluded(stages::name)),
                stages::probability.eq(diesel::upsert::excluded(stages::probability)),
                stages::forecast_category.eq(diesel::upsert::excluded(stages::forecast_category)),
                stages::expected_days.eq(diesel::upsert::excluded(stages::expected_days)),
                stages::warning_days.eq(diesel::upsert::excluded(stages::warning_days)),
                stages::can_begin.eq(diesel::upsert::excluded(stages::can_begin)),
                stages::required_fields.eq(diesel::upsert::excluded(stages::required_fields)),
            ))
            .execute(writer.pg())?;
    }
    Ok(after)
}

/// Makes another pipeline none that is the default.
fn take_default(writer: &mut Writer<'_>, from_all_but: PipelineId) -> Result<(), StoreError> {
    let found: Option<Uuid> = visible(writer)
        .filter(pipelines::is_default.eq(true))
        .filter(pipelines::id.ne(from_all_but.uuid()))
        .select(pipelines::id)
        .first(writer.pg())
        .optional()?;
    let Some(id) = found else { return Ok(()) };
    let before = locked(writer, PipelineId::from_uuid(id))?;
    if before.is_default {
        put(writer, &before, before.no_default())?;
    }
    Ok(())
}

/// Deletes a pipeline for good. It may not be the default, and no opportunity may ever have been in it.
pub fn delete(writer: &mut Writer<'_>, id: PipelineId, expected: Option<i64>) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        let pipeline = locked(writer, id)?;
        require_version(expected, pipeline.version)?;
        if pipeline.is_default {
            let detail = "Opportunities begin in the default pipeline. Make another one the default first.";
            return Err(StoreError::Conflict { code: "in_use", detail: detail.to_owned() });
        }
        let refused = |error| {
            let detail =
                "There are opportunities in this pipeline, or there were. Archive it instead: it takes no more.";
            in_use(error, detail)
        };
        diesel::delete(stages::table)
            .filter(stages::workspace_id.eq(writer.workspace()))
            .filter(stages::pipeline_id.eq(id.uuid()))
            .execute(writer.pg())
            .map_err(refused)?;
        let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&pipeline), writer.now());
        let write = diesel::delete(pipelines::table)
            .filter(pipelines::workspace_id.eq(writer.workspace()))
            .filter(pipelines::id.eq(id.uuid()))
            .returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg()).map_err(refused)?;
        Ok(())
    })
}

/// Moves opportunities from one stage to another of the same class, as many as one call may.
pub fn transfer(
    writer: &mut Writer<'_>,
    id: PipelineId,
    transfer: &StageTransfer,
) -> Result<StageTransferred, StoreError> {
    writer.transaction(|writer| {
        let all = held(writer)?;
        let own = all.get(id).ok_or(StoreError::Missing(KIND))?;
        let from = own.any_stage(transfer.from_stage_id).ok_or_else(|| unknown_reference("/from_stage_id", "stage"))?;
        let to = all.stage(transfer.to_stage_id);
        let (pipeline, to) = to.ok_or_else(|| unknown_reference("/to_stage_id", "stage"))?;
        if from.class != to.class || from.id == to.id {
            let detail = format!("Name another stage of the class {}.", from.class.as_str());
            return Err(StoreError::field("/to_stage_id", "not_allowed", detail));
        }
        pipeline.require_takes_from(id, "/to_stage_id")?;
        opportunities::transfer(writer, from, pipeline, to)
    })
}

/// What happened to a pipeline, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: PipelineId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// The pipeline with which a workspace begins.
pub(crate) fn seed(pg: &mut PgConnection, workspace: WorkspaceId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let pipeline = Pipeline::seed(Stamp::new(at, None, Source::Api))?;
    diesel::insert_into(pipelines::table).values(Row::of(workspace.uuid(), &pipeline)).execute(pg)?;
    diesel::insert_into(stages::table).values(StageRow::all(workspace.uuid(), &pipeline)).execute(pg)?;
    Ok(())
}
