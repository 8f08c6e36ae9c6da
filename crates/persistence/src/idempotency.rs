//! Writes that happen once for each key that their caller chose, however often they are sent.
//!
//! The claim of a key, what the write does and its answer are one transaction: a crash leaves all or nothing. Whoever
//! comes with the same key in the meantime holds no connection while they wait.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;
use diesel::{prelude::*, sql_query, sql_types};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{Db, Reader, Scope, StoreError, Writer, forgetting, prepared::Prepared, schema::idempotency_keys};

/// How long the answer of a key is kept at least.
const KEPT: TimeDelta = TimeDelta::days(7);

/// How long whoever comes with a key waits for another who is at work with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often they look: seldom enough for a hundred of them to be no burden.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Rows that are forgotten in one short transaction.
const FORGOTTEN_AT_ONCE: i32 = 5_000;

/// How a write is to happen.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Once for this key; as often as it is sent without one.
    pub once: Option<Once>,
    /// What would happen is told and taken back. Such a write takes no key.
    pub rehearsal: bool,
}

/// A key, and what it stands for.
#[derive(Clone, Debug)]
pub struct Once {
    pub key: String,
    /// SHA-256 over everything that decides what the write does.
    pub fingerprint: [u8; 32],
}

/// What a write answered.
#[derive(Debug)]
pub struct Done<T> {
    pub answer: T,
    /// Whether it answered this before, and did nothing now.
    pub is_replay: bool,
}

enum Attempt<T> {
    Done(Done<T>),
    /// Somebody else is at work with the key.
    Running,
}

/// What a write does. Boxed, so that what surrounds it is compiled once and not for each operation.
pub(crate) type Work<T> = Box<dyn FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send>;

/// Does a write on its terms.
pub(crate) async fn write<T>(db: &Db, scope: &Scope, terms: Terms, work: Work<T>) -> Result<Done<T>, StoreError>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let once = match terms {
        Terms { rehearsal: true, .. } => {
            let answer = db.write(scope, |writer| writer.rehearse(work)).await?;
            return Ok(Done { answer, is_replay: false });
        }
        Terms { once: None, .. } => return Ok(Done { answer: db.write(scope, work).await?, is_replay: false }),
        Terms { once: Some(once), .. } => once,
    };
    let work = Arc::new(Mutex::new(Some(work)));
    let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let (once, work) = (once.clone(), Arc::clone(&work));
        match db.write(scope, move |writer| attempt(writer, &once, &work)).await? {
            Attempt::Done(done) => return Ok(done),
            Attempt::Running if begun.elapsed() > PATIENCE => return Err(StoreError::KeyInUse),
            Attempt::Running => sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Replaces the answer that is kept for a key, when more is known of it.
pub(crate) fn amend<T: Serialize>(writer: &mut Writer<'_>, once: &Once, answer: &T) -> Result<(), StoreError> {
    keep(writer, once, answer)
}

/// Forgets keys that are old enough, and says whether there are more.
pub async fn forget(db: &Db) -> Result<bool, StoreError> {
    let before = db.clock().now() - KEPT;
    forgetting::forget(db, "idempotency_keys", "created_at", before, FORGOTTEN_AT_ONCE).await
}

fn attempt<T>(writer: &mut Writer<'_>, once: &Once, work: &Mutex<Option<Work<T>>>) -> Result<Attempt<T>, StoreError>
where
    T: Serialize + DeserializeOwned,
{
    writer.single_transaction(|writer| {
        if !claim(writer, once)? {
            return kept(writer, once);
        }
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let work = work.ok_or_else(|| StoreError::Internal("a write with a key was tried twice".to_owned()))?;
        let answer = work(writer)?;
        keep(writer, once, &answer)?;
        Ok(Attempt::Done(Done { answer, is_replay: false }))
    })
}

/// Takes a key that nobody has. The lock tells at once whether somebody else is about to take it; the row alone would
/// make this transaction wait for theirs.
fn claim(writer: &mut Writer<'_>, once: &Once) -> Result<bool, StoreError> {
    let statement = "INSERT INTO idempotency_keys (workspace_id, actor_id, key, fingerprint, created_at) \
                     SELECT $1, $2, $3, $4, $5 WHERE pg_try_advisory_xact_lock($6) ON CONFLICT DO NOTHING";
    let claim = sql_query(statement)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Uuid, _>(actor(writer))
        .bind::<sql_types::Text, _>(&once.key)
        .bind::<sql_types::Binary, _>(once.fingerprint.as_slice())
        .bind::<sql_types::Timestamptz, _>(writer.now())
        .bind::<sql_types::BigInt, _>(lock(writer, once));
    Ok(Prepared(claim).execute(writer.pg())? == 1)
}

/// What a key answered before.
fn kept<T: DeserializeOwned>(reader: &mut Reader<'_>, once: &Once) -> Result<Attempt<T>, StoreError> {
    let found: Option<(Vec<u8>, Option<Vec<u8>>)> = idempotency_keys::table
        .find((reader.workspace(), actor(reader), &once.key))
        .select((idempotency_keys::fingerprint, idempotency_keys::answer))
        .first(reader.pg())
        .optional()?;
    match found {
        None | Some((_, None)) => Ok(Attempt::Running),
        Some((fingerprint, _)) if fingerprint != once.fingerprint => Err(StoreError::KeyReused),
        Some((_, Some(sealed))) => {
            let text = reader.sealer().open_text(&place(reader, once), &sealed);
            let text = text.ok_or_else(|| StoreError::Internal("a kept answer can't be opened".to_owned()))?;
            let answer = serde_json::from_slice(&text).map_err(|error| StoreError::Internal(error.to_string()))?;
            Ok(Attempt::Done(Done { answer, is_replay: true }))
        }
    }
}

fn keep<T: Serialize>(writer: &mut Writer<'_>, once: &Once, answer: &T) -> Result<(), StoreError> {
    let text = serde_json::to_vec(answer).map_err(|error| StoreError::Internal(error.to_string()))?;
    let sealed = writer.sealer().seal_text(&place(writer, once), &text)?;
    let row = idempotency_keys::table.find((writer.workspace(), actor(writer), &once.key));
    Prepared(diesel::update(row).set(idempotency_keys::answer.eq(sealed))).execute(writer.pg())?;
    Ok(())
}

fn actor(reader: &Reader<'_>) -> Uuid {
    reader.scope().actor().id.unwrap_or_default()
}

/// Where an answer opens: for this key of this caller alone.
fn place(reader: &Reader<'_>, once: &Once) -> Vec<u8> {
    [b"answer".as_slice(), reader.workspace().as_bytes(), actor(reader).as_bytes(), once.key.as_bytes()].concat()
}

fn lock(reader: &Reader<'_>, once: &Once) -> i64 {
    let hash: [u8; 32] = Sha256::digest(place(reader, once)).into();
    i64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}
