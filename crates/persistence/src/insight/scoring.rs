//! Keeps the scores of leads up to date: after a definition was published, after a lead or a related record was written, and as
//! time goes by.
//!
//! One row for each workspace says how far that has come, and whoever scores holds it. What was done and how far that is are
//! one transaction: who comes after a crash goes on where it ended, and nothing is done twice. A lead that changes while it
//! is scored has an entry in the feed that is yet to be taken in, so it is scored again.

mod sources;
mod write;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, prelude::*, sql_query, sql_types};
use rapport_domain::{
    id::WorkspaceId,
    insight::{score::ScoreCause, score_definition::ScoredEntity},
    record::Source,
};
use uuid::Uuid;

use super::score_definitions::{self, Counting};
use crate::{Db, Scope, StoreError, Writer, codes, schema::scorings};

/// How many leads are scored in one transaction, and how many where that took too long.
const CHUNK: i64 = 500;
const SMALL_CHUNK: i64 = 20;

/// How many positions of the feed are taken in at once.
const STEP: i64 = 1_000;

/// Workspaces with something to be done, over all of them, in another order each time, so that none waits for ever.
const WAITING: &str = "
SELECT scorings.workspace_id, workspaces.country
  FROM scorings JOIN workspaces ON workspaces.id = scorings.workspace_id
 WHERE scorings.is_walking
    OR (scorings.definition_id IS NOT NULL
        AND (EXISTS (SELECT FROM feed_heads AS head
                      WHERE head.workspace_id = scorings.workspace_id AND head.position > scorings.position)
             OR EXISTS (SELECT FROM lead_scores AS due
                         WHERE due.workspace_id = scorings.workspace_id AND due.due_at <= $1)))
 ORDER BY random() LIMIT 100";

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = sql_types::Uuid)]
    workspace_id: Uuid,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    country: Option<String>,
}

/// Does a step in each workspace where there is something to be done, and says whether there may be more.
pub async fn advance(db: &Db) -> Result<bool, StoreError> {
    let now = db.clock().now();
    let waiting: Vec<Waiting> =
        db.directory(move |pg| Ok(sql_query(WAITING).bind::<sql_types::Timestamptz, _>(now).load(pg)?)).await?;
    let mut is_more = false;
    for Waiting { workspace_id, country } in waiting {
        let scope = Scope::of_system(WorkspaceId::from_uuid(workspace_id), Source::Automation, country);
        let mut done = db.write(&scope, |writer| step(writer, CHUNK)).await;
        if matches!(done, Err(StoreError::TooSlow)) {
            done = db.write(&scope, |writer| step(writer, SMALL_CHUNK)).await;
        }
        match done {
            Ok(more) => is_more |= more,
            // The others shall not wait for this one.
            Err(error) => tracing::warn!(%error, workspace = %workspace_id, "leads were not scored"),
        }
    }
    Ok(is_more)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = scorings, check_for_backend(diesel::pg::Pg))]
struct Scoring {
    definition_id: Option<Uuid>,
    number: Option<i64>,
    position: i64,
    after_id: Option<Uuid>,
    is_walking: bool,
}

/// Scores up to so many leads of a workspace, and says whether there may be more. Nothing where somebody else is at it.
fn step(writer: &mut Writer<'_>, chunk: i64) -> Result<bool, StoreError> {
    writer.transaction(|writer| {
        let scoring: Option<Scoring> = scorings::table
            .filter(scorings::workspace_id.eq(writer.workspace()))
            .filter(scorings::entity.eq(codes::word(&ScoredEntity::Lead)))
            .select(Scoring::as_select())
            .for_update()
            .skip_locked()
            .first(writer.pg())
            .optional()?;
        let Some(scoring) = scoring else { return Ok(false) };
        let counting = match (scoring.definition_id, scoring.number) {
            (Some(id), Some(number)) => Some(score_definitions::version(writer, id, number)?),
            _ => None,
        };
        if scoring.is_walking {
            return walk(writer, counting.as_ref(), scoring.after_id, chunk);
        }
        let Some(counting) = counting else { return Ok(false) };
        let is_behind = take_in(writer, &counting, scoring.position)?;
        Ok(score_due(writer, &counting, chunk)? || is_behind)
    })
}

/// The next leads, by their ids: those that live, or all.
const NEXT: &str = "
SELECT id FROM leads WHERE workspace_id = $1 AND ($2 IS NULL OR id > $2) AND ($4 OR deleted_at IS NULL)
 ORDER BY id LIMIT $3";

/// How far the walk has come.
const WALKED: &str = "
UPDATE scorings SET after_id = coalesce($3, after_id), scored = scored + $4, is_walking = $5
 WHERE workspace_id = $1 AND entity = $2";

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
}

/// Scores the next leads of all that there are, because another version counts, or none. Where one counts, leads that were
/// deleted are scored when they come back; where none does, nobody would, so the walk takes their scores, too.
fn walk(
    writer: &mut Writer<'_>,
    counting: Option<&Counting>,
    after: Option<Uuid>,
    chunk: i64,
) -> Result<bool, StoreError> {
    let next: Vec<Id> = sql_query(NEXT)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(after)
        .bind::<sql_types::BigInt, _>(chunk)
        .bind::<sql_types::Bool, _>(counting.is_none())
        .load(writer.pg())?;
    let cause = match counting {
        Some(_) => ScoreCause::DefinitionPublished,
        None => ScoreCause::DefinitionArchived,
    };
    let causes: HashMap<Uuid, ScoreCause> = next.iter().map(|next| (next.id, cause)).collect();
    write::scores(writer, counting, &causes)?;
    let is_more = next.len() as i64 == chunk;
    sql_query(WALKED)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Text, _>(codes::word(&ScoredEntity::Lead))
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(next.last().map(|last| last.id))
        .bind::<sql_types::BigInt, _>(next.len() as i64)
        .bind::<sql_types::Bool, _>(is_more)
        .execute(writer.pg())?;
    // What was written during the walk is yet to be taken in.
    Ok(is_more || counting.is_some())
}

/// Notes which leads are to be scored anew by what happened, and says whether there is more in the feed.
fn take_in(writer: &mut Writer<'_>, counting: &Counting, position: i64) -> Result<bool, StoreError> {
    let head = sources::head(writer)?;
    if head <= position {
        return Ok(false);
    }
    let until = head.min(position + STEP);
    sources::mark(writer, counting, position, until)?;
    diesel::update(scorings::table)
        .filter(scorings::workspace_id.eq(writer.workspace()))
        .filter(scorings::entity.eq(codes::word(&ScoredEntity::Lead)))
        .set(scorings::position.eq(until))
        .execute(writer.pg())?;
    Ok(until < head)
}

/// Leads that are due, those first that have been for longest.
const DUE: &str = "
SELECT lead_id AS id, due_cause AS cause FROM lead_scores WHERE workspace_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3";

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = sql_types::Uuid)]
    id: Uuid,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    cause: Option<String>,
}

fn score_due(writer: &mut Writer<'_>, counting: &Counting, chunk: i64) -> Result<bool, StoreError> {
    let now: DateTime<Utc> = writer.now();
    let due: Vec<Due> = sql_query(DUE)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Timestamptz, _>(now)
        .bind::<sql_types::BigInt, _>(chunk)
        .load(writer.pg())?;
    let cause = |due: &Due| Ok((due.id, codes::optional(due.cause.as_deref())?.unwrap_or(ScoreCause::Time)));
    let causes = due.iter().map(cause).collect::<Result<HashMap<Uuid, ScoreCause>, StoreError>>()?;
    write::scores(writer, Some(counting), &causes)?;
    Ok(due.len() as i64 == chunk)
}
