//! Gives committed journal entries their places in the feeds of their workspaces.
//!
//! The order in which transactions commit is neither that of ids nor of times: whoever pages by either misses entries
//! that commit late. So entries are numbered afterwards, by one sequencer at a time. Entries of open transactions are not
//! seen yet: they hold nobody up and leave no gap.

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types};

use crate::{Db, StoreError};

/// How many entries are numbered in one short transaction.
const BATCH: i32 = 2_000;

/// Whoever numbers holds the lock of this number, for the time of a batch.
const LOCK: i64 = 0x7261_7070_6f72_7402;

/// The order within a batch is that of time, but never against the versions of a record: clocks of several servers may
/// differ, so an entry counts as late as the latest one of the same record before it.
const NUMBER: &str = "
WITH fresh AS (
    SELECT workspace_id, id, record_kind, record_id, version, at FROM journal WHERE position IS NULL ORDER BY id LIMIT $1
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

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = sql_types::Bool)]
    locked: bool,
}

/// Numbers up to one batch of entries and says how many there were. None when another sequencer is at work.
pub async fn number(db: &Db) -> Result<Option<usize>, StoreError> {
    db.directory(|pg| pg.transaction(number_batch)).await
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
    let lock: Locked = sql_query("SELECT pg_try_advisory_xact_lock($1) AS locked")
        .bind::<sql_types::BigInt, _>(LOCK)
        .get_result(pg)?;
    if !lock.locked {
        return Ok(None);
    }
    Ok(Some(sql_query(NUMBER).bind::<sql_types::Integer, _>(BATCH).execute(pg)?))
}
