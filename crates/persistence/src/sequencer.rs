//! Gives committed journal entries their places in the feeds of their workspaces.
//!
//! The order in which transactions commit is neither that of ids nor of times: whoever pages by either misses entries
//! that commit late. So entries are numbered afterwards, by one sequencer at a time. Entries of open transactions are not
//! seen yet: they hold nobody up and leave no gap.

use chrono::{DateTime, Utc};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types};

use crate::{Db, StoreError};

/// How many entries are numbered in one short transaction.
const BATCH: i32 = 2_000;

/// Whoever numbers holds the lock of this number, for the time of a batch.
const LOCK: i64 = 0x7261_7070_6f72_7402;

/// The order within a batch is that of time, but never against the versions of a record: clocks of several servers may
/// differ, so an entry counts as late as the latest one of the same record before it.
///
/// Ids tell when their servers believe they were made. So a full batch may hold a version of a record and leave an earlier
/// one for the next: those earlier ones are taken along. What is numbered is always a record's first versions, so it is
/// enough to look right below those versions whose predecessor is not in the batch itself, and on from there.
const NUMBER: &str = "
WITH RECURSIVE batch AS MATERIALIZED (
    SELECT workspace_id, id, record_kind, record_id, version, at FROM journal WHERE position IS NULL ORDER BY id LIMIT $1
), neighbours AS (
    SELECT workspace_id, record_kind, record_id, version,
           lag(version) OVER (PARTITION BY workspace_id, record_kind, record_id ORDER BY version) AS version_before
      FROM batch WHERE (SELECT count(*) FROM batch) >= $1
), earlier AS (
    SELECT below.* FROM neighbours CROSS JOIN LATERAL (
        SELECT entry.workspace_id, entry.id, entry.record_kind, entry.record_id, entry.version, entry.at, entry.position
          FROM journal AS entry
         WHERE entry.workspace_id = neighbours.workspace_id AND entry.record_kind = neighbours.record_kind
           AND entry.record_id = neighbours.record_id AND entry.version < neighbours.version
         ORDER BY entry.version DESC LIMIT 1) AS below
     WHERE neighbours.version > 1 AND neighbours.version_before IS DISTINCT FROM neighbours.version - 1
       AND below.position IS NULL
    UNION
    SELECT below.* FROM earlier CROSS JOIN LATERAL (
        SELECT entry.workspace_id, entry.id, entry.record_kind, entry.record_id, entry.version, entry.at, entry.position
          FROM journal AS entry
         WHERE entry.workspace_id = earlier.workspace_id AND entry.record_kind = earlier.record_kind
           AND entry.record_id = earlier.record_id AND entry.version < earlier.version
         ORDER BY entry.version DESC LIMIT 1) AS below
     WHERE earlier.version > 1 AND below.position IS NULL
), fresh AS (
    SELECT workspace_id, id, record_kind, record_id, version, at FROM batch
    UNION
    SELECT workspace_id, id, record_kind, record_id, version, at FROM earlier
), dated AS (
    SELECT workspace_id, id, record_id, version,
           max(at) OVER (PARTITION BY workspace_id, record_kind, record_id ORDER BY version, id) AS effective_at
      FROM fresh
), steps AS (
    SELECT workspace_id, id, row_number() OVER (PARTITION BY workspace_id ORDER BY effective_at, record_id, version, id) AS step
      FROM dated
), heads AS (
    INSERT INTO feed_heads AS head (workspace_id, position)
    SELECT workspace_id, max(step) FROM steps GROUP BY workspace_id
    ON CONFLICT (workspace_id) DO UPDATE SET position = head.position + excluded.position
    RETURNING workspace_id, position
), bases AS (
    SELECT heads.workspace_id, heads.position - max(steps.step) AS base
      FROM heads JOIN steps USING (workspace_id) GROUP BY heads.workspace_id, heads.position
)
UPDATE journal SET position = bases.base + steps.step
  FROM steps JOIN bases USING (workspace_id)
 WHERE journal.workspace_id = steps.workspace_id AND journal.id = steps.id";

/// How many positions of a workspace leave the feed at once.
const STEP: i64 = 10_000;

/// Moves the tail of each feed to the first entry that is young enough, a step at most. Where the entry at the tail is,
/// that is one look into an index.
const RETIRE: &str = "
UPDATE feed_heads SET tail = moved.tail
  FROM (SELECT head.workspace_id, head.tail AS tail_before, coalesce(
               (SELECT entry.position FROM journal AS entry
                 WHERE entry.workspace_id = head.workspace_id AND entry.position >= head.tail
                   AND entry.position < head.tail + $2 AND entry.at >= $1
                 ORDER BY entry.position LIMIT 1),
               least(head.tail + $2, head.position + 1)) AS tail
          FROM feed_heads AS head WHERE head.tail <= head.position) AS moved
 WHERE moved.workspace_id = feed_heads.workspace_id AND moved.tail > feed_heads.tail
RETURNING moved.tail - moved.tail_before AS steps";

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = sql_types::Bool)]
    locked: bool,
}

/// Numbers up to one batch of entries and says how many there were. None when another sequencer is at work.
pub async fn number(db: &Db) -> Result<Option<usize>, StoreError> {
    let numbered = db.directory(|pg| pg.transaction(number_batch)).await?;
    if numbered.is_some_and(|numbered| numbered > 0) {
        db.positions_given();
    }
    Ok(numbered)
}

/// Lets entries of the time before this leave the feed, though not the histories of their records, and says whether there
/// are more of them. None when a sequencer is at work, who writes the same rows.
pub async fn retire(db: &Db, before: DateTime<Utc>) -> Result<Option<bool>, StoreError> {
    db.directory(move |pg| pg.transaction(|pg| retire_step(pg, before))).await
}

/// Whether a full batch was numbered, so that more may be waiting.
pub fn was_full(numbered: usize) -> bool {
    numbered >= BATCH as usize
}

/// Merges the pending lists of the indexes that have one into them, so that searches need not read them.
pub async fn tidy_search_indexes(db: &Db) -> Result<(), StoreError> {
    db.directory(|pg| Ok(sql_query(TIDY).execute(pg).map(drop)?)).await
}

/// The indexes of words and of tags have a pending list, and nothing else has one.
const TIDY: &str = "
SELECT gin_clean_pending_list(indexes.oid) FROM pg_class AS indexes JOIN pg_am ON pg_am.oid = indexes.relam
 WHERE pg_am.amname = 'gin' AND indexes.relnamespace = current_schema()::regnamespace
   AND 'fastupdate=on' = ANY (indexes.reloptions)";

fn number_batch(pg: &mut PgConnection) -> Result<Option<usize>, StoreError> {
    if !try_lock(pg)? {
        return Ok(None);
    }
    Ok(Some(sql_query(NUMBER).bind::<sql_types::Integer, _>(BATCH).execute(pg)?))
}

#[derive(QueryableByName)]
struct Moved {
    #[diesel(sql_type = sql_types::BigInt)]
    steps: i64,
}

fn retire_step(pg: &mut PgConnection, before: DateTime<Utc>) -> Result<Option<bool>, StoreError> {
    if !try_lock(pg)? {
        return Ok(None);
    }
    let moved: Vec<Moved> =
        sql_query(RETIRE).bind::<sql_types::Timestamptz, _>(before).bind::<sql_types::BigInt, _>(STEP).load(pg)?;
    Ok(Some(moved.iter().any(|moved| moved.steps >= STEP)))
}

/// Takes the lock for the time of the transaction, unless somebody else has it.
fn try_lock(pg: &mut PgConnection) -> Result<bool, StoreError> {
    let lock: Locked = sql_query("SELECT pg_try_advisory_xact_lock($1) AS locked")
        .bind::<sql_types::BigInt, _>(LOCK)
        .get_result(pg)?;
    Ok(lock.locked)
}
