//! Score definitions, the versions of them that were published, and which one counts.

mod row;

use diesel::{dsl::count_star, pg::Pg, prelude::*, sql_query, sql_types};
use rapport_domain::{
    filter::{Filter, Refused},
    id::ScoreDefinitionId,
    insight::score_definition::{
        MOST_DEFINITIONS, NewScoreDefinition, ScoreDefinition, ScoreDefinitionPatch, ScoreDefinitionQuery,
        ScoreDefinitionState, ScoreGroup, ScoreVersion, ScoredEntity,
    },
    journal::{Changes, JournalEntry},
    people::contact::DeletedInList,
    problem::FieldProblem,
    record::RecordKind,
};

use self::row::{Row, ScoringRow, VersionRow};
use crate::{
    Page, Reader, StoreError, Writer, codes,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    quota::Quota,
    schema::{score_definitions, score_versions, scorings},
};

const KIND: RecordKind = RecordKind::ScoreDefinition;

const QUOTA: Quota = Quota { of: "score definitions", most: MOST_DEFINITIONS, advice: "Change one of them." };

/// Definitions of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> score_definitions::BoxedQuery<'static, Pg> {
    score_definitions::table.filter(score_definitions::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One definition, and how far records are scored by it.
pub fn get(reader: &mut Reader<'_>, id: ScoreDefinitionId) -> Result<ScoreDefinition, StoreError> {
    let row: Option<Row> = visible(reader)
        .filter(score_definitions::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    let definition = row.ok_or(StoreError::Missing(KIND))?.into_definition()?;
    shown(reader, definition)
}

/// A page of the definitions, by name.
pub fn list(reader: &mut Reader<'_>, query: &ScoreDefinitionQuery) -> Result<Page<ScoreDefinition>, StoreError> {
    let request = PageRequest::read(reader, "list_score_definitions", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if !query.state.is_empty() {
        let states: Vec<String> = query.state.iter().map(codes::word).collect();
        select = select.filter(score_definitions::state.eq_any(states));
    }
    let after = request.after::<String>()?;
    let select =
        seek!(select, "score_definitions.name", sql_types::Text, "score_definitions.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    let scorings = scorings_of(reader)?;
    request.page(
        reader,
        rows,
        |row| (row.name.clone(), row.id),
        |row| Ok(with_progress(row.into_definition()?, &scorings)),
    )
}

/// A page of the versions that were published, the latest first.
pub fn versions(
    reader: &mut Reader<'_>,
    id: ScoreDefinitionId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<ScoreVersion>, StoreError> {
    get(reader, id)?;
    let request = PageRequest::read(reader, "list_score_versions", &id, limit, cursor)?;
    let select = score_versions::table
        .filter(score_versions::workspace_id.eq(reader.workspace()))
        .filter(score_versions::definition_id.eq(id.uuid()))
        .select(VersionRow::as_select())
        .into_boxed();
    let after = request.after::<i64>()?;
    let select = seek!(
        select,
        "score_versions.number",
        sql_types::BigInt,
        "score_versions.definition_id",
        Direction::Descending,
        after
    );
    let rows: Vec<VersionRow> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.number, row.definition_id), |row| Ok(row.into_version()))
}

/// Creates a definition, which does not count yet.
pub fn create(writer: &mut Writer<'_>, new: NewScoreDefinition) -> Result<ScoreDefinition, StoreError> {
    writer.transaction(|writer| {
        let definition = ScoreDefinition::create(new.clone(), ScoreDefinitionId::mint(), writer.stamp())?;
        check_filters(writer, &definition)?;
        QUOTA.require_in_workspace(writer, |writer| visible(writer).select(count_star()).first(writer.pg()))?;
        let changes = Changes::of_new(&definition);
        let entry = Entry::new(writer, KIND, "created", definition.id.uuid(), changes, definition.created_at);
        let write = diesel::insert_into(score_definitions::table)
            .values(Row::of(writer.workspace(), &definition))
            .returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_definition()
    })
}

/// Changes a definition. What was published stays as it is.
pub fn update(
    writer: &mut Writer<'_>,
    id: ScoreDefinitionId,
    expected: Option<i64>,
    patch: &ScoreDefinitionPatch,
) -> Result<ScoreDefinition, StoreError> {
    writer.transaction(|writer| {
        let before = locked(writer, id, expected)?;
        let published = before.published_version.map(|number| rules_of(writer, id, number)).transpose()?;
        let after = before.patch(patch.clone(), published.as_deref())?;
        if after.groups != before.groups {
            check_filters(writer, &after)?;
        }
        let after = put(writer, &before, after, "updated")?;
        shown(writer, after)
    })
}

/// Lets the rules count from now on, instead of those that counted until now.
pub fn publish(
    writer: &mut Writer<'_>,
    id: ScoreDefinitionId,
    expected: Option<i64>,
) -> Result<ScoreDefinition, StoreError> {
    writer.transaction(|writer| {
        let before = locked(writer, id, expected)?;
        let after = before.publish(writer.now())?;
        if after == before {
            return shown(writer, before);
        }
        check_filters(writer, &after)?;
        archive_others(writer, &after)?;
        let after = put(writer, &before, after, "published")?;
        end_versions(writer, after.entity)?;
        diesel::insert_into(score_versions::table)
            .values(VersionRow::of(writer.workspace(), &after, writer.scope().actor().id))
            .execute(writer.pg())?;
        begin_scoring(writer, after.entity, Some(&after))?;
        shown(writer, after)
    })
}

/// Ends that a definition counts: no record has a score then.
pub fn archive(
    writer: &mut Writer<'_>,
    id: ScoreDefinitionId,
    expected: Option<i64>,
) -> Result<ScoreDefinition, StoreError> {
    writer.transaction(|writer| {
        let before = locked(writer, id, expected)?;
        let after = before.archive();
        if after.state == before.state {
            return Ok(before);
        }
        let after = put(writer, &before, after, "archived")?;
        end_versions(writer, after.entity)?;
        begin_scoring(writer, after.entity, None)?;
        Ok(after)
    })
}

/// Deletes a definition for good. None that was published: scores of the past tell of it.
pub fn delete(writer: &mut Writer<'_>, id: ScoreDefinitionId, expected: Option<i64>) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        let definition = locked(writer, id, expected)?;
        if definition.state != ScoreDefinitionState::Draft {
            let detail = "This definition was published: the history of scores tells of it. Archive it instead.";
            return Err(StoreError::Conflict { code: "in_use", detail: detail.to_owned() });
        }
        let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&definition), writer.now());
        let write = diesel::delete(score_definitions::table)
            .filter(score_definitions::workspace_id.eq(writer.workspace()))
            .filter(score_definitions::id.eq(id.uuid()))
            .returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg())?;
        Ok(())
    })
}

/// What happened to a definition, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: ScoreDefinitionId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// A definition that nobody else changes until the end of the transaction.
fn locked(
    writer: &mut Writer<'_>,
    id: ScoreDefinitionId,
    expected: Option<i64>,
) -> Result<ScoreDefinition, StoreError> {
    let row: Option<Row> = score_definitions::table
        .filter(score_definitions::workspace_id.eq(writer.workspace()))
        .filter(score_definitions::id.eq(id.uuid()))
        .select(Row::as_select())
        .for_no_key_update()
        .first(writer.pg())
        .optional()?;
    let definition = row.ok_or(StoreError::Missing(KIND))?.into_definition()?;
    match expected {
        Some(version) if version != definition.version => Err(StoreError::Stale { current: definition.version }),
        _ => Ok(definition),
    }
}

/// Writes the next version of a definition that is locked; what changes nothing leaves no trace.
fn put(
    writer: &mut Writer<'_>,
    before: &ScoreDefinition,
    mut after: ScoreDefinition,
    verb: &str,
) -> Result<ScoreDefinition, StoreError> {
    let changes = Changes::between(before, &after);
    if changes.is_empty() {
        return Ok(after);
    }
    after.advance(writer.stamp());
    let entry = Entry::new(writer, KIND, verb, after.id.uuid(), changes, after.updated_at);
    let write = diesel::update(score_definitions::table)
        .filter(score_definitions::workspace_id.eq(writer.workspace()))
        .filter(score_definitions::id.eq(after.id.uuid()))
        .filter(score_definitions::version.eq(before.version))
        .set(Row::of(writer.workspace(), &after))
        .returning(Row::as_returning());
    match (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
        Some(_) => Ok(after),
        None => Err(StoreError::Contention),
    }
}

/// Archives the other definition that counts for the same records.
fn archive_others(writer: &mut Writer<'_>, definition: &ScoreDefinition) -> Result<(), StoreError> {
    let counting: Option<Row> = score_definitions::table
        .filter(score_definitions::workspace_id.eq(writer.workspace()))
        .filter(score_definitions::entity.eq(codes::word(&definition.entity)))
        .filter(score_definitions::state.eq(codes::word(&ScoreDefinitionState::Published)))
        .filter(score_definitions::id.ne(definition.id.uuid()))
        .select(Row::as_select())
        .for_no_key_update()
        .first(writer.pg())
        .optional()?;
    let Some(row) = counting else { return Ok(()) };
    let before = row.into_definition()?;
    let after = before.archive();
    put(writer, &before, after, "archived").map(drop)
}

fn end_versions(writer: &mut Writer<'_>, entity: ScoredEntity) -> Result<(), StoreError> {
    diesel::update(score_versions::table)
        .filter(score_versions::workspace_id.eq(writer.workspace()))
        .filter(score_versions::entity.eq(codes::word(&entity)))
        .filter(score_versions::ended_at.is_null())
        .set(score_versions::ended_at.eq(writer.now()))
        .execute(writer.pg())?;
    Ok(())
}

/// Lets all records be scored anew. What is written from now on comes after the head of the feed, or is found on the walk.
const BEGIN: &str = "
INSERT INTO scorings (workspace_id, entity, definition_id, number, position, is_walking, scored, to_score)
SELECT $1, $2, $3, $4, coalesce((SELECT position FROM feed_heads WHERE workspace_id = $1), 0), true, 0,
       (SELECT count(*) FROM leads WHERE workspace_id = $1 AND deleted_at IS NULL)
    ON CONFLICT (workspace_id, entity) DO UPDATE SET definition_id = excluded.definition_id, number = excluded.number,
       position = excluded.position, after_id = NULL, is_walking = true, scored = 0, to_score = excluded.to_score";

fn begin_scoring(
    writer: &mut Writer<'_>,
    entity: ScoredEntity,
    definition: Option<&ScoreDefinition>,
) -> Result<(), StoreError> {
    sql_query(BEGIN)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Text, _>(codes::word(&entity))
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(definition.map(|definition| definition.id.uuid()))
        .bind::<sql_types::Nullable<sql_types::BigInt>, _>(definition.and_then(|of| of.published_version))
        .execute(writer.pg())?;
    Ok(())
}

/// How far records are scored. There are as many rows as kinds of records that are.
fn scorings_of(reader: &mut Reader<'_>) -> Result<Vec<ScoringRow>, StoreError> {
    let own = scorings::table.filter(scorings::workspace_id.eq(reader.workspace()));
    Ok(own.select(ScoringRow::as_select()).load(reader.pg())?)
}

/// A definition, and how far records are scored by it.
fn shown(reader: &mut Reader<'_>, definition: ScoreDefinition) -> Result<ScoreDefinition, StoreError> {
    let scorings = scorings_of(reader)?;
    Ok(with_progress(definition, &scorings))
}

fn with_progress(definition: ScoreDefinition, scorings: &[ScoringRow]) -> ScoreDefinition {
    let own = scorings.iter().find(|scoring| scoring.definition_id == Some(definition.id.uuid()));
    let (scored, to_score) = own.map(ScoringRow::progress).unzip();
    ScoreDefinition { scored, to_score, ..definition }
}

/// The rules of a version that was published.
fn rules_of(reader: &mut Reader<'_>, id: ScoreDefinitionId, number: i64) -> Result<Vec<ScoreGroup>, StoreError> {
    let row: VersionRow = score_versions::table
        .find((reader.workspace(), id.uuid(), number))
        .select(VersionRow::as_select())
        .first(reader.pg())?;
    Ok(row.groups.0)
}

/// A version that counts.
pub(crate) struct Counting {
    pub(crate) definition_id: ScoreDefinitionId,
    pub(crate) number: i64,
    pub(crate) groups: Vec<ScoreGroup>,
}

impl From<VersionRow> for Counting {
    fn from(row: VersionRow) -> Self {
        let definition_id = ScoreDefinitionId::from_uuid(row.definition_id);
        Self { definition_id, number: row.number, groups: row.groups.0 }
    }
}

/// The version that counted at an instant.
pub(crate) fn counting(
    reader: &mut Reader<'_>,
    entity: ScoredEntity,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<Option<Counting>, StoreError> {
    let row: Option<VersionRow> = score_versions::table
        .filter(score_versions::workspace_id.eq(reader.workspace()))
        .filter(score_versions::entity.eq(codes::word(&entity)))
        .filter(score_versions::published_at.le(at))
        .order((score_versions::published_at.desc(), score_versions::number.desc()))
        .select(VersionRow::as_select())
        .first(reader.pg())
        .optional()?;
    Ok(row.filter(|row| row.ended_at.is_none_or(|ended_at| ended_at > at)).map(Counting::from))
}

/// A version by its number.
pub(crate) fn version(reader: &mut Reader<'_>, definition_id: uuid::Uuid, number: i64) -> Result<Counting, StoreError> {
    let id = ScoreDefinitionId::from_uuid(definition_id);
    Ok(Counting { definition_id: id, number, groups: rules_of(reader, id, number)? })
}

/// Refuses rules whose filters do not fit: everything that is wrong with any of them is told at once.
fn check_filters(reader: &mut Reader<'_>, definition: &ScoreDefinition) -> Result<(), StoreError> {
    let mut found = Refused { invalid: Vec::new(), closed: Vec::new() };
    for (place, filter) in filters(definition) {
        check_filter(reader, filter, &place, &mut found)?;
    }
    let is_fine = found.invalid.is_empty() && found.closed.is_empty();
    if is_fine { Ok(()) } else { Err(filter::refused(found)) }
}

fn check_filter(reader: &mut Reader<'_>, filter: &Filter, place: &str, found: &mut Refused) -> Result<(), StoreError> {
    match filter::checked(reader, filter, place)? {
        Err(refused) => {
            found.invalid.extend(refused.invalid);
            found.closed.extend(refused.closed);
        }
        Ok(checked) => {
            if Compiled::of_tree(reader, &checked.condition, DeletedInList::Exclude).is_err() {
                let detail = "The filter compares with too much. Leave conditions out, or put values into one list.";
                found.invalid.push(FieldProblem::at(format!("{place}/where"), "too_many_values", detail));
            }
        }
    }
    Ok(())
}

/// The filters of all rules, each with its place in the body.
fn filters(definition: &ScoreDefinition) -> Vec<(String, &Filter)> {
    let mut filters = Vec::new();
    for (group, of_group) in definition.groups.iter().enumerate() {
        let place = |rule: usize, part: &str| format!("/groups/{group}/rules/{rule}/{part}");
        match of_group {
            ScoreGroup::Fit(fit) => {
                filters.extend(fit.rules.iter().enumerate().map(|(rule, of)| (place(rule, "when"), &of.when)));
            }
            ScoreGroup::Engagement(engagement) => {
                let rules = engagement.rules.iter().enumerate();
                filters.extend(rules.filter_map(|(rule, of)| Some((place(rule, "where"), of.condition.as_ref()?))));
            }
        }
    }
    filters
}
