//! The keys with which the servers of an installation sign access tokens.

use chrono::{DateTime, Utc};
use diesel::{Connection, PgConnection, prelude::*, sql_types};
use rapport_domain::{
    access::Actor,
    id::{SigningKeyId, WorkspaceId},
    journal::{Changes, RecordReference},
    record::RecordKind,
    workspace::signing_key::Schedule,
};
use serde_json::json;
use uuid::Uuid;

use super::secrets;
use crate::{
    Db, StoreError,
    audit::{self, AuditEvent},
    schema::{signing_keys, workspaces},
    seal::Seal,
};

/// The secret with which private keys are sealed.
const SEAL: &str = "signing_key_seal";

/// Makes those who would change the keys at once take turns. Any number will do that nothing else locks.
const LOCK: i64 = 0x7261_7070_6b65_7973;

/// A pair of keys.
#[derive(Clone)]
pub struct KeyPair {
    pub public_key: Vec<u8>,
    pub private_key: Vec<u8>,
}

/// A pair of keys with its name, which tokens carry, and its time.
#[derive(Clone)]
pub struct SigningKey {
    pub id: SigningKeyId,
    pub pair: KeyPair,
    pub signs_from: DateTime<Utc>,
}

/// Makes a pair of keys. Fails only when the machine has no randomness.
pub type Make = fn() -> Result<KeyPair, String>;

/// What becomes of the old keys when there is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// They are kept until their last token has ended.
    Keep,
    /// They are gone at once, and their tokens with them.
    Forget,
}

/// All keys. Makes the next one when it is due, and forgets those whose last token has ended.
pub async fn current(db: &Db, make: Make) -> Result<Vec<SigningKey>, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        let keys = all(pg)?;
        let schedule = schedule(&keys);
        let nothing_to_do =
            schedule.due(now).is_none() && !keys.iter().any(|key| schedule.is_over(key.signs_from, now));
        if nothing_to_do { Ok(keys) } else { keep_up(pg, make, now) }
    })
    .await
}

/// Makes a new key that signs from then on; gives its name.
pub async fn rotate(db: &Db, make: Make, signs_from: DateTime<Utc>, old: Old) -> Result<SigningKeyId, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        pg.transaction(|pg| {
            take_turn(pg)?;
            if old == Old::Forget {
                diesel::delete(signing_keys::table).execute(pg)?;
            }
            insert(pg, make, signs_from, now)
        })
    })
    .await
}

fn keep_up(pg: &mut PgConnection, make: Make, now: DateTime<Utc>) -> Result<Vec<SigningKey>, StoreError> {
    pg.transaction(|pg| {
        take_turn(pg)?;
        // Another server may have been faster.
        let keys = all(pg)?;
        let schedule = schedule(&keys);
        for key in keys.iter().filter(|key| schedule.is_over(key.signs_from, now)) {
            diesel::delete(signing_keys::table.find(key.id.uuid())).execute(pg)?;
        }
        if let Some(signs_from) = schedule.due(now) {
            let id = insert(pg, make, signs_from, now)?;
            tracing::info!(key = %id, %signs_from, "a new key for access tokens is published");
        }
        all(pg)
    })
}

fn schedule(keys: &[SigningKey]) -> Schedule {
    Schedule::new(keys.iter().map(|key| key.signs_from))
}

fn take_turn(pg: &mut PgConnection) -> Result<(), StoreError> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<sql_types::BigInt, _>(LOCK).execute(pg)?;
    Ok(())
}

fn all(pg: &mut PgConnection) -> Result<Vec<SigningKey>, StoreError> {
    let rows = signing_keys::table
        .select((signing_keys::id, signing_keys::public_key, signing_keys::private_key, signing_keys::signs_from))
        .order(signing_keys::signs_from)
        .load::<(Uuid, Vec<u8>, Vec<u8>, DateTime<Utc>)>(pg)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let seal = Seal::new(&secrets::get_or_make(pg, SEAL)?)?;
    let opened = rows.into_iter().filter_map(|(id, public_key, sealed, signs_from)| {
        let Some(private_key) = seal.open(id.as_bytes(), &sealed) else {
            tracing::warn!(key = %id, "a key for access tokens can't be opened, so it counts for nothing");
            return None;
        };
        Some(SigningKey { id: SigningKeyId::from_uuid(id), pair: KeyPair { public_key, private_key }, signs_from })
    });
    Ok(opened.collect())
}

fn insert(
    pg: &mut PgConnection,
    make: Make,
    signs_from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<SigningKeyId, StoreError> {
    let (id, pair) = (SigningKeyId::mint(), make().map_err(StoreError::Internal)?);
    let seal = Seal::new(&secrets::get_or_make(pg, SEAL)?)?;
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::id.eq(id.uuid()),
            signing_keys::public_key.eq(&pair.public_key),
            signing_keys::private_key.eq(seal.close(id.uuid().as_bytes(), &pair.private_key)?),
            signing_keys::created_at.eq(now),
            signing_keys::signs_from.eq(signs_from),
        ))
        .execute(pg)?;
    note(pg, id, signs_from, now)?;
    Ok(id)
}

/// A key belongs to the installation, so every workspace learns in its audit that the tokens of its users are signed with
/// another one.
fn note(
    pg: &mut PgConnection,
    id: SigningKeyId,
    signs_from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let all: Vec<Uuid> = workspaces::table.select(workspaces::id).order(workspaces::id).load(pg)?;
    all.into_iter().try_for_each(|workspace| {
        let event = AuditEvent {
            workspace: WorkspaceId::from_uuid(workspace),
            actor: Actor::SYSTEM,
            event: "signing_key.rotated",
            record: RecordReference { kind: RecordKind::SigningKey, id: id.uuid() },
            changes: Changes::of_new(&json!({"signs_from": signs_from})),
            address: None,
            request_id: None,
        };
        audit::insert(pg, &event, now)
    })
}
