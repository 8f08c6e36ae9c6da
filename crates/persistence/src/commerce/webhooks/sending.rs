//! Sending: whose turn it is, what is to be sent, and what came of it.
//!
//! Each webhook is sent one message at a time, so that the changes of a record arrive in their order, and the same message
//! until it has arrived. Whoever sends has a lease: what somebody finds out whose lease has run out counts for nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryableByName, prelude::*, sql_query, sql_types};
use rapport_domain::{
    commerce::webhook::{Attempt, MOST_CHANGES, PATIENCE, Webhook, WebhookMessage, WebhookMessageType, wait_after},
    id::{WebhookDeliveryId, WebhookId, WorkspaceId},
    record::Source,
};
use uuid::Uuid;

use super::{DeliveryRow, change, get, state};
use crate::{
    Db, Reader, Scope, StoreError, Writer, codes, feed,
    schema::{webhook_deliveries, webhook_states},
};

/// How long a lease lasts: longer than an attempt takes.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// For how long attempts are kept, and how many are forgotten at once.
const KEPT: TimeDelta = TimeDelta::days(30);
const FORGOTTEN_AT_ONCE: i32 = 1_000;

/// The most of an answer that is kept, in characters.
const BEGINNING: usize = 1_000;

/// Takes webhooks to which something is to be sent, those that have waited longest first.
const CLAIM: &str = "
WITH due AS (
    SELECT state.workspace_id, state.webhook_id
      FROM webhook_states AS state
      JOIN webhooks ON webhooks.workspace_id = state.workspace_id AND webhooks.id = state.webhook_id
      LEFT JOIN feed_heads AS head ON head.workspace_id = state.workspace_id
     WHERE (state.leased_until IS NULL OR state.leased_until <= $1)
       AND (state.test_id IS NOT NULL
            OR (webhooks.enabled AND state.due_at <= $1 AND coalesce(head.position, 0) <> state.position))
     ORDER BY state.due_at LIMIT $2 FOR UPDATE OF state SKIP LOCKED)
UPDATE webhook_states AS state SET lease = gen_random_uuid(), leased_until = $3
  FROM due WHERE state.workspace_id = due.workspace_id AND state.webhook_id = due.webhook_id
RETURNING state.workspace_id, state.webhook_id, state.lease";

/// A webhook to which something is to be sent, and by whom.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Claim {
    #[diesel(sql_type = sql_types::Uuid)]
    workspace_id: Uuid,
    #[diesel(sql_type = sql_types::Uuid)]
    webhook_id: Uuid,
    #[diesel(sql_type = sql_types::Uuid)]
    lease: Uuid,
}

impl Claim {
    fn scope(self) -> Scope {
        Scope::of_system(WorkspaceId::from_uuid(self.workspace_id), Source::Automation, None)
    }

    fn webhook(self) -> WebhookId {
        WebhookId::from_uuid(self.webhook_id)
    }
}

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub url: String,
    pub message: WebhookMessage,
    /// What it is signed with: one key, or two after a rotation.
    pub keys: Vec<Vec<u8>>,
    /// When it is sent.
    pub at: DateTime<Utc>,
    /// Position of the feed at its end.
    through: i64,
}

/// Takes up to so many webhooks to which something is to be sent.
pub async fn claim(db: &Db, most: usize) -> Result<Vec<Claim>, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        let claim = sql_query(CLAIM)
            .bind::<sql_types::Timestamptz, _>(now)
            .bind::<sql_types::BigInt, _>(most as i64)
            .bind::<sql_types::Timestamptz, _>(now + LEASE);
        Ok(claim.load(pg)?)
    })
    .await
}

/// What is to be sent; nothing where no change behind the position is for this webhook.
pub async fn prepare(db: &Db, claim: Claim) -> Result<Option<Outgoing>, StoreError> {
    db.write(&claim.scope(), move |writer| writer.transaction(|writer| prepared(writer, claim))).await
}

fn prepared(writer: &mut Writer<'_>, claim: Claim) -> Result<Option<Outgoing>, StoreError> {
    let Some(state) = leased(writer, claim)? else { return Ok(None) };
    let webhook = get(writer, claim.webhook())?;
    let query = webhook.changes();
    let test = state.test_id.map(|id| (id, WebhookMessageType::Test));
    // A test tells of nothing that is behind the position, only where that is.
    let (until, most) = if test.is_some() { (Some(state.position), 1) } else { (state.message_until, MOST_CHANGES) };
    let parcel = feed::parcel(writer, &query, state.position, until, most)?;
    if parcel.entries.is_empty() && test.is_none() && !parcel.is_gap {
        diesel::update(leased_row(claim))
            .set((
                webhook_states::position.eq(parcel.through),
                webhook_states::message_id.eq(None::<Uuid>),
                webhook_states::message_until.eq(None::<i64>),
                webhook_states::leased_until.eq(None::<DateTime<Utc>>),
            ))
            .execute(writer.pg())?;
        return Ok(None);
    }
    let (id, kind) =
        test.unwrap_or_else(|| (state.message_id.unwrap_or_else(Uuid::now_v7), WebhookMessageType::Changes));
    if kind == WebhookMessageType::Changes {
        diesel::update(leased_row(claim))
            .set((webhook_states::message_id.eq(id), webhook_states::message_until.eq(parcel.through)))
            .execute(writer.pg())?;
    }
    let message = WebhookMessage {
        id,
        kind,
        webhook_id: webhook.id,
        data: parcel.entries,
        next_cursor: parcel.next_cursor,
        resync_required: parcel.is_gap && kind == WebhookMessageType::Changes,
    };
    let keys = state::keys(writer, webhook.id, &state)?;
    Ok(Some(Outgoing { url: webhook.url, message, keys, at: writer.now(), through: parcel.through }))
}

/// Notes what came of sending a message.
pub async fn finish(
    db: &Db,
    claim: Claim,
    outgoing: Outgoing,
    attempt: Attempt,
    took: Duration,
) -> Result<(), StoreError> {
    db.write(&claim.scope(), move |writer| {
        writer.transaction(|writer| {
            let Some(state) = leased(writer, claim)? else { return Ok(()) };
            diesel::insert_into(webhook_deliveries::table)
                .values(delivery(writer, claim, &outgoing, &attempt, took))
                .execute(writer.pg())?;
            match (outgoing.message.kind, attempt.succeeded()) {
                (WebhookMessageType::Test, _) => tested(writer, claim, attempt.succeeded()),
                (WebhookMessageType::Changes, true) => arrived(writer, claim, outgoing.through),
                (WebhookMessageType::Changes, false) => failed(writer, claim, &state, attempt.is_unwanted()),
            }
        })
    })
    .await
}

fn delivery(reader: &Reader<'_>, claim: Claim, outgoing: &Outgoing, attempt: &Attempt, took: Duration) -> DeliveryRow {
    let cut = |text: &str| text.chars().filter(|character| *character != '\0').take(BEGINNING).collect::<String>();
    let (status, error, response) = match attempt {
        Attempt::Answered { status, beginning } => (Some(i32::from(*status)), None, Some(cut(beginning))),
        Attempt::Unanswered { error } => (None, Some(cut(error)), None),
    };
    let message = &outgoing.message;
    DeliveryRow {
        workspace_id: reader.workspace(),
        id: WebhookDeliveryId::mint().uuid(),
        webhook_id: claim.webhook_id,
        message_id: message.id,
        kind: codes::word(&message.kind),
        at: outgoing.at,
        duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        changes: message.data.len() as i64,
        position: (message.kind == WebhookMessageType::Changes).then_some(outgoing.through),
        succeeded: attempt.succeeded(),
        status,
        error,
        response,
    }
}

fn tested(writer: &mut Writer<'_>, claim: Claim, succeeded: bool) -> Result<(), StoreError> {
    let now = writer.now();
    let without_test =
        (webhook_states::test_id.eq(None::<Uuid>), webhook_states::leased_until.eq(None::<DateTime<Utc>>));
    diesel::update(leased_row(claim)).set(without_test).execute(writer.pg())?;
    if succeeded {
        // Whatever was wrong is right again: what waits need not wait any longer.
        diesel::update(leased_row(claim))
            .set((webhook_states::last_success_at.eq(now), webhook_states::due_at.eq(now)))
            .execute(writer.pg())?;
    }
    Ok(())
}

fn arrived(writer: &mut Writer<'_>, claim: Claim, through: i64) -> Result<(), StoreError> {
    let now = writer.now();
    diesel::update(leased_row(claim))
        .set((
            webhook_states::position.eq(through),
            webhook_states::message_id.eq(None::<Uuid>),
            webhook_states::message_until.eq(None::<i64>),
            webhook_states::failures.eq(0),
            webhook_states::failing_since.eq(None::<DateTime<Utc>>),
            webhook_states::last_success_at.eq(now),
            webhook_states::due_at.eq(now),
            webhook_states::leased_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(writer.pg())?;
    Ok(())
}

/// Waits, or gives up where nobody has answered for too long, or wants no more.
fn failed(writer: &mut Writer<'_>, claim: Claim, state: &state::State, is_unwanted: bool) -> Result<(), StoreError> {
    let (now, failures) = (writer.now(), state.failures + 1);
    let since = state.failing_since.unwrap_or(now);
    diesel::update(leased_row(claim))
        .set((
            webhook_states::failures.eq(failures),
            webhook_states::failing_since.eq(since),
            webhook_states::due_at.eq(now + wait_after(failures)),
            webhook_states::leased_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(writer.pg())?;
    if !is_unwanted && now - since < PATIENCE {
        return Ok(());
    }
    tracing::warn!(webhook = %claim.webhook_id, workspace = %claim.workspace_id, "a webhook is switched off");
    let switched_off = |_: &mut Writer<'_>, before: &Webhook| Ok(Webhook { enabled: false, ..before.clone() });
    change(writer, claim.webhook(), None, "disabled", switched_off, |_, _| Ok(())).map(|_| ())
}

/// The state of a webhook as long as the lease lasts, which nobody else changes meanwhile.
fn leased(reader: &mut Reader<'_>, claim: Claim) -> Result<Option<state::State>, StoreError> {
    let state: Option<state::State> =
        leased_row(claim).select(state::State::as_select()).for_update().first(reader.pg()).optional()?;
    Ok(state)
}

/// The row of the state as long as the lease lasts.
#[diesel::dsl::auto_type]
fn leased_row(claim: Claim) -> _ {
    let workspace: Uuid = claim.workspace_id;
    let webhook: Uuid = claim.webhook_id;
    let lease: Uuid = claim.lease;
    webhook_states::table
        .filter(webhook_states::workspace_id.eq(workspace))
        .filter(webhook_states::webhook_id.eq(webhook))
        .filter(webhook_states::lease.eq(lease))
}

/// Forgets old attempts, and says whether there are more.
pub async fn forget(db: &Db) -> Result<bool, StoreError> {
    let before = db.clock().now() - KEPT;
    let forgotten = db
        .directory(move |pg| {
            let statement = "DELETE FROM webhook_deliveries WHERE ctid = ANY(ARRAY(\
                             SELECT ctid FROM webhook_deliveries WHERE at < $1 ORDER BY at LIMIT $2))";
            let statement = sql_query(statement).bind::<sql_types::Timestamptz, _>(before);
            Ok(statement.bind::<sql_types::Integer, _>(FORGOTTEN_AT_ONCE).execute(pg)?)
        })
        .await?;
    Ok(forgotten >= FORGOTTEN_AT_ONCE as usize)
}
