//! Writes scores: what they are made of, how they changed, and the whole points that leads show.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, prelude::*, sql_query, sql_types};
use rapport_domain::insight::score::{Points, Score, ScoreCause, ScoreContribution, ScoreDifference, differences};
use serde::Serialize;
use uuid::Uuid;

use super::{Counting, sources};
use crate::{StoreError, Writer, codes, insight::scores, json::Json};

/// Leads, those that live or all, with the scores that are kept of them.
const KEPT: &str = "
SELECT leads.id AS lead_id, leads.score::bigint AS score, kept.definition_id, kept.number, kept.total, kept.scored_at,
       coalesce(kept.contributions, '[]') AS contributions, coalesce(kept.changes, 0) AS changes
  FROM leads LEFT JOIN lead_scores AS kept ON kept.workspace_id = leads.workspace_id AND kept.lead_id = leads.id
 WHERE leads.workspace_id = $1 AND leads.id = ANY($2) AND ($3 OR leads.deleted_at IS NULL)";

/// A score as it is kept.
#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = sql_types::Uuid)]
    lead_id: Uuid,
    /// What the lead shows.
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    score: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    definition_id: Option<Uuid>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    number: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    total: Option<i64>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    scored_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Jsonb)]
    contributions: Json<Vec<ScoreContribution>>,
    #[diesel(sql_type = sql_types::BigInt)]
    changes: i64,
}

/// A row of `lead_scores`, in the words of the table.
#[derive(Debug, Serialize)]
struct ScoreRow {
    lead_id: Uuid,
    definition_id: Option<Uuid>,
    number: Option<i64>,
    total: Option<i64>,
    contributions: Vec<ScoreContribution>,
    scored_at: Option<DateTime<Utc>>,
    changes: i64,
    due_at: Option<DateTime<Utc>>,
    due_cause: Option<String>,
}

/// A row of `lead_score_changes`, in the words of the table.
#[derive(Debug, Serialize)]
struct ChangeRow {
    lead_id: Uuid,
    change: i64,
    cause: String,
    from_total: Option<i64>,
    to_total: Option<i64>,
    definition_id: Option<Uuid>,
    number: Option<i64>,
    differences: Vec<ScoreDifference>,
}

const PUT_SCORES: &str = "
INSERT INTO lead_scores (workspace_id, lead_id, definition_id, number, total, contributions, scored_at, changes, due_at, due_cause)
SELECT $1, lead_id, definition_id, number, total, contributions, scored_at, changes, due_at, due_cause
  FROM jsonb_to_recordset($2) AS new (lead_id uuid, definition_id uuid, number bigint, total bigint, contributions jsonb,
                                      scored_at timestamptz, changes bigint, due_at timestamptz, due_cause text)
    ON CONFLICT (workspace_id, lead_id) DO UPDATE SET definition_id = excluded.definition_id, number = excluded.number,
       total = excluded.total, contributions = excluded.contributions, scored_at = excluded.scored_at,
       changes = excluded.changes, due_at = excluded.due_at, due_cause = excluded.due_cause";

const PUT_CHANGES: &str = "
INSERT INTO lead_score_changes (workspace_id, lead_id, change, at, cause, from_total, to_total, definition_id, number, differences)
SELECT $1, lead_id, change, $3, cause, from_total, to_total, definition_id, number, differences
  FROM jsonb_to_recordset($2) AS new (lead_id uuid, change bigint, cause text, from_total bigint, to_total bigint,
                                      definition_id uuid, number bigint, differences jsonb)";

/// In the order of their ids, so that two who write many leads do not wait for each other in a circle.
const HOLD: &str = "SELECT id FROM leads WHERE workspace_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE";

/// Neither a new version nor another time of the last change: nobody has changed the lead.
const PUT_POINTS: &str = "
UPDATE leads SET score = new.score FROM unnest($2, $3) AS new (id, score) WHERE leads.workspace_id = $1 AND leads.id = new.id";

/// Leads that were deleted are not due any more; they are again when they come back.
const LET_GO: &str = "
UPDATE lead_scores SET due_at = NULL, due_cause = NULL WHERE workspace_id = $1 AND lead_id = ANY($2) AND due_at IS NOT NULL";

/// What becomes of a score.
struct Outcome {
    row: ScoreRow,
    change: Option<ChangeRow>,
    /// The whole points that the lead shall show, where it shows others.
    points: Option<Option<i64>>,
}

/// Scores leads that live by the version that counts, each because of something; without one, takes the scores of all back.
pub(super) fn scores(
    writer: &mut Writer<'_>,
    counting: Option<&Counting>,
    causes: &HashMap<Uuid, ScoreCause>,
) -> Result<(), StoreError> {
    if causes.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = causes.keys().copied().collect();
    let (workspace, now) = (writer.workspace(), writer.now());
    let kept: Vec<Kept> = sql_query(KEPT)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(&ids)
        .bind::<sql_types::Bool, _>(counting.is_none())
        .load(writer.pg())?;
    let found: Vec<Uuid> = kept.iter().map(|kept| kept.lead_id).collect();
    let mut scores = match counting {
        Some(counting) => scores::reckon(writer, counting, &found, now)?.scores,
        None => HashMap::new(),
    };
    let outcomes: Vec<Outcome> = kept
        .into_iter()
        .filter_map(|kept| {
            let cause = causes.get(&kept.lead_id).copied()?;
            match (counting, scores.remove(&kept.lead_id)) {
                (Some(counting), Some(score)) => Some(scored(kept, counting, score, cause, now)),
                _ => taken_back(kept, cause),
            }
        })
        .collect();
    sql_query(LET_GO)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(&ids)
        .execute(writer.pg())?;
    put(writer, outcomes, now)
}

/// The next state of a score.
fn scored(kept: Kept, counting: &Counting, score: Score, cause: ScoreCause, now: DateTime<Utc>) -> Outcome {
    let (id, number) = (Some(counting.definition_id.uuid()), Some(counting.number));
    let is_same_version = kept.definition_id == id && kept.number == number;
    let by_themselves = sources::change_by_themselves(counting).then(|| Score::latest_refresh(now));
    let due_at = score.refresh_at(now).into_iter().chain(by_themselves).min();
    let due_cause = due_at.map(|_| codes::word(&ScoreCause::Time));
    let points = score.total.to_whole();
    let differences = differences(&kept.contributions.0, &score.contributions);
    let same_points = kept.total.is_some_and(|total| Points::from_hundredths(total).to_whole() == points);
    // Points that fade are told of when a whole one is gone, and otherwise left as they are known.
    let is_told = match cause {
        ScoreCause::Time => !same_points,
        _ => kept.total.is_none() || !differences.is_empty(),
    };
    let stays = is_same_version && !is_told;
    let change = is_told.then(|| ChangeRow {
        lead_id: kept.lead_id,
        change: kept.changes + 1,
        cause: codes::word(&cause),
        from_total: kept.total,
        to_total: Some(score.total.hundredths()),
        definition_id: id,
        number,
        differences,
    });
    let row = ScoreRow {
        lead_id: kept.lead_id,
        definition_id: id,
        number,
        total: if stays { kept.total } else { Some(score.total.hundredths()) },
        contributions: if stays { kept.contributions.0 } else { score.contributions },
        scored_at: if stays { kept.scored_at } else { Some(now) },
        changes: kept.changes + i64::from(is_told),
        due_at,
        due_cause,
    };
    let shown = row.total.map(|total| Points::from_hundredths(total).to_whole());
    Outcome { points: (kept.score != shown).then_some(shown), row, change }
}

/// A score that is none any more. Nothing where there was none.
fn taken_back(kept: Kept, cause: ScoreCause) -> Option<Outcome> {
    kept.total?;
    let change = ChangeRow {
        lead_id: kept.lead_id,
        change: kept.changes + 1,
        cause: codes::word(&cause),
        from_total: kept.total,
        to_total: None,
        definition_id: None,
        number: None,
        differences: differences(&kept.contributions.0, &[]),
    };
    let row = ScoreRow {
        lead_id: kept.lead_id,
        definition_id: None,
        number: None,
        total: None,
        contributions: Vec::new(),
        scored_at: None,
        changes: kept.changes + 1,
        due_at: None,
        due_cause: None,
    };
    Some(Outcome { points: kept.score.map(|_| None), row, change: Some(change) })
}

fn put(writer: &mut Writer<'_>, outcomes: Vec<Outcome>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let workspace = writer.workspace();
    let (mut rows, mut changes, mut ids, mut points) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        if let Some(shown) = outcome.points {
            ids.push(outcome.row.lead_id);
            points.push(shown);
        }
        changes.extend(outcome.change);
        rows.push(outcome.row);
    }
    sql_query(PUT_SCORES)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Jsonb, _>(Json(rows))
        .execute(writer.pg())?;
    if !changes.is_empty() {
        sql_query(PUT_CHANGES)
            .bind::<sql_types::Uuid, _>(workspace)
            .bind::<sql_types::Jsonb, _>(Json(changes))
            .bind::<sql_types::Timestamptz, _>(now)
            .execute(writer.pg())?;
    }
    if ids.is_empty() {
        return Ok(());
    }
    sql_query(HOLD)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(&ids)
        .execute(writer.pg())?;
    sql_query(PUT_POINTS)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(&ids)
        .bind::<sql_types::Array<sql_types::Nullable<sql_types::BigInt>>, _>(&points)
        .execute(writer.pg())?;
    Ok(())
}
