//! Gives committed journal entries their places in the feeds of their workspaces.
//!
//! The order in which transactions commit is neither that of ids nor of times: whoever pages by either misses entries
//! that commit late. So entries are numbered afterwards, by one sequencer at a time. Entries of open transactions are not
//! seen yet: they hold nobody up and leave no gap.
//!
//! What waits is a table of its own, from which it goes when it gets its place: the journal itself is only ever added to.

mod order;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types,
};
use uuid::Uuid;

use self::order::Waiting;
use crate::{Db, StoreError, prepared::Prepared};

/// How many entries are numbered in one short transaction.
const BATCH: i32 = 2_000;

/// Whoever numbers holds the lock of this number, for the time of a batch.
const LOCK: i64 = 0x7261_7070_6f72_7402;

/// What is to be numbered next. Ids tell what time it was for the servers that minted them.
const CHOOSE: &str = "
SELECT workspace_id, entry_id, record_kind, record_id, version, at FROM feed_waiting ORDER BY entry_id LIMIT $1";

/// The versions of records below these that wait, as far down as there are any: what has a position is always a record's first
/// versions. `OFFSET 0` makes the database ask of each whether it waits; else it takes what waits for little, as it mostly is,
/// and reads all of it for each.
const EARLIER: &str = "
WITH RECURSIVE earlier AS (
    SELECT top.workspace_id, NULL::uuid AS entry_id, top.record_kind, top.record_id, top.version, NULL::timestamptz AS at
      FROM unnest($1, $2, $3, $4) AS top (workspace_id, record_kind, record_id, version)
    UNION
    SELECT earlier.workspace_id, below.id, earlier.record_kind, earlier.record_id, below.version, below.at
      FROM earlier CROSS JOIN LATERAL (
           SELECT entry.id, entry.version, entry.at FROM journal AS entry
            WHERE entry.workspace_id = earlier.workspace_id AND entry.record_kind = earlier.record_kind
              AND entry.record_id = earlier.record_id AND entry.version < earlier.version
            ORDER BY entry.version DESC LIMIT 1) AS below
     WHERE EXISTS (SELECT FROM feed_waiting AS waiting
                    WHERE waiting.workspace_id = earlier.workspace_id AND waiting.entry_id = below.id OFFSET 0)
)
SELECT workspace_id, entry_id, record_kind, record_id, version, at FROM earlier WHERE entry_id IS NOT NULL";

/// Moves the heads of feeds on by so many positions.
const ADVANCE: &str = "
INSERT INTO feed_heads AS head (workspace_id, position) SELECT workspace_id, steps FROM unnest($1, $2) AS new (workspace_id, steps)
    ON CONFLICT (workspace_id) DO UPDATE SET position = head.position + excluded.position
RETURNING workspace_id, position";

const NUMBER: &str = "
WITH given AS (SELECT * FROM unnest($1, $2, $3) AS given (workspace_id, entry_id, position)), gone AS (
    DELETE FROM feed_waiting AS waiting USING given
     WHERE waiting.workspace_id = given.workspace_id AND waiting.entry_id = given.entry_id)
INSERT INTO feed_positions (workspace_id, entry_id, position) SELECT workspace_id, entry_id, position FROM given";

/// How many positions of a workspace leave the feed at once.
const STEP: i64 = 10_000;

/// Moves the tail of each feed to the first entry that is young enough, a step at most. Where the entry at the tail is,
/// that is one look into an index.
const RETIRE: &str = "
UPDATE feed_heads SET tail = moved.tail
  FROM (SELECT head.workspace_id, head.tail AS tail_before, coalesce(
               (SELECT place.position FROM feed_positions AS place
                  JOIN journal AS entry ON entry.workspace_id = place.workspace_id AND entry.id = place.entry_id
                 WHERE place.workspace_id = head.workspace_id AND place.position >= head.tail
                   AND place.position < head.tail + $2 AND entry.at >= $1
                 ORDER BY place.position LIMIT 1),
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

/// Clears away what numbered entries have left where they waited, unless somebody else is about it. Nobody is kept waiting: the
/// table keeps its length.
pub async fn sweep(db: &Db) -> Result<(), StoreError> {
    db.directory(|pg| Ok(pg.batch_execute("VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) feed_waiting")?)).await
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
    let mut batch: Vec<Waiting> = Prepared(sql_query(CHOOSE).bind::<sql_types::Integer, _>(BATCH)).load(pg)?;
    if was_full(batch.len()) {
        take_along(pg, &mut batch)?;
    }
    if batch.is_empty() {
        return Ok(Some(0));
    }
    let batch = order::in_order(batch);
    let first = advance(pg, &batch)?;
    let (mut workspaces, mut ids, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for entries in batch.chunk_by(Waiting::is_of_workspace_of) {
        let first = entries.first().and_then(|entry| first.get(&entry.workspace_id)).copied().unwrap_or_default();
        for (entry, position) in entries.iter().zip(first..) {
            workspaces.push(entry.workspace_id);
            ids.push(entry.entry_id);
            positions.push(position);
        }
    }
    // Planned each time: a plan made while little waits may read all that does, and would be kept until the next ANALYZE.
    let number = sql_query(NUMBER)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(workspaces)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(positions);
    Ok(Some(number.execute(pg)?))
}

/// Takes earlier versions of the records in a full batch along, which clocks of servers that are apart may have given later
/// ids. Looked for is right below those versions whose predecessor is not in the batch.
fn take_along(pg: &mut PgConnection, batch: &mut Vec<Waiting>) -> Result<(), StoreError> {
    let tops = order::without_predecessor(batch);
    if tops.is_empty() {
        return Ok(());
    }
    let earlier: Vec<Waiting> = sql_query(EARLIER)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(tops.iter().map(|top| top.workspace_id).collect::<Vec<_>>())
        .bind::<sql_types::Array<sql_types::Text>, _>(tops.iter().map(|top| &top.record_kind).collect::<Vec<_>>())
        .bind::<sql_types::Array<sql_types::Uuid>, _>(tops.iter().map(|top| top.record_id).collect::<Vec<_>>())
        .bind::<sql_types::Array<sql_types::BigInt>, _>(tops.iter().map(|top| top.version).collect::<Vec<_>>())
        .load(pg)?;
    let known: HashSet<Uuid> = batch.iter().map(|entry| entry.entry_id).collect();
    batch.extend(earlier.into_iter().filter(|entry| !known.contains(&entry.entry_id)));
    Ok(())
}

/// Moves the feeds of a batch on, and gives the first of the new positions of each workspace.
fn advance(pg: &mut PgConnection, batch: &[Waiting]) -> Result<HashMap<Uuid, i64>, StoreError> {
    let of_workspaces = batch.chunk_by(Waiting::is_of_workspace_of).filter_map(|entries| {
        let first = entries.first()?;
        Some((first.workspace_id, entries.len() as i64))
    });
    let (workspaces, steps): (Vec<Uuid>, Vec<i64>) = of_workspaces.unzip();
    let advance = sql_query(ADVANCE)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(&workspaces)
        .bind::<sql_types::Array<sql_types::BigInt>, _>(&steps);
    let heads: Vec<Head> = Prepared(advance).load(pg)?;
    let steps: HashMap<Uuid, i64> = workspaces.into_iter().zip(steps).collect();
    let first = |head: Head| Some((head.workspace_id, head.position - steps.get(&head.workspace_id)? + 1));
    Ok(heads.into_iter().filter_map(first).collect())
}

/// The last position of a feed.
#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = sql_types::Uuid)]
    workspace_id: Uuid,
    #[diesel(sql_type = sql_types::BigInt)]
    position: i64,
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
    let lock = sql_query("SELECT pg_try_advisory_xact_lock($1) AS locked").bind::<sql_types::BigInt, _>(LOCK);
    Ok(Prepared(lock).get_result::<Locked>(pg)?.locked)
}
