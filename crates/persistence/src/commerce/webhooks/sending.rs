//! Sending: whose turn it is, what is to be sent, and what came of it.
//!
//! Each webhook is sent one message at a time, so that the changes of a record arrive in their order, and the same message
//! until it has arrived. Whoever sends has a lease: what somebody finds out whose lease has run out counts for nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryableByName, prelude::*, sql_query, sql_types};
use rapport_domain::{
    commerce::webhook::{
        Attempt, LARGEST_MESSAGE, MOST_CHANGES, PATIENCE, Webhook, WebhookMessage, WebhookMessageType, wait_after,
    },
    id::{WebhookDeliveryId, WebhookId, WorkspaceId},
    journal::JournalEntry,
    record::Source,
};
use uuid::Uuid;

use super::{DeliveryRow, change, get, state};
use crate::{
    Db, Reader, Scope, StoreError, Writer, codes,
    feed::{self, Parcel},
    forgetting,
    prepared::Prepared,
    schema::{webhook_deliveries, webhook_states},
};

/// How long a lease lasts: longer than an attempt takes.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// For how long attempts are kept, and how many are forgotten at once.
const KEPT: TimeDelta = TimeDelta::days(30);
const FORGOTTEN_AT_ONCE: i32 = 1_000;

/// The most of an answer that is kept, in characters.
const BEGINNING: usize = 1_000;

/// How many webhooks of one workspace are sent something at the same time, so that none keeps others waiting.
const AT_ONCE: i64 = 4;

/// Takes webhooks to which something is to be sent: tests first, then those that have waited longest.
const CLAIM: &str = "
WITH waiting AS (
    SELECT state.workspace_id, state.webhook_id, state.test_id IS NULL AS is_no_test, state.due_at,
           row_number() OVER (PARTITION BY state.workspace_id ORDER BY state.test_id IS NULL, state.due_at)
           + (SELECT count(*) FROM webhook_states AS busy
               WHERE busy.workspace_id = state.workspace_id AND busy.leased_until > $1) AS place
      FROM webhook_states AS state
      JOIN webhooks ON webhooks.workspace_id = state.workspace_id AND webhooks.id = state.webhook_id
      LEFT JOIN feed_heads AS head ON head.workspace_id = state.workspace_id
     WHERE (state.leased_until IS NULL OR state.leased_until <= $1)
       AND (state.test_id IS NOT NULL OR (webhooks.enabled AND state.due_at <= $1 AND head.position > state.position))),
due AS (
    SELECT state.workspace_id, state.webhook_id
      FROM webhook_states AS state JOIN waiting USING (workspace_id, webhook_id)
     WHERE waiting.place <= $4 AND (state.leased_until IS NULL OR state.leased_until <= $1)
     ORDER BY waiting.is_no_test, waiting.due_at LIMIT $2 FOR UPDATE OF state SKIP LOCKED)
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
#[derive(Clone)]
pub struct Outgoing {
    pub url: String,
    /// Identifies the message.
    pub id: Uuid,
    /// The message, as JSON.
    pub body: String,
    /// What it is signed with: one key, or two after a rotation.
    pub keys: Vec<Vec<u8>>,
    /// When it is sent.
    pub at: DateTime<Utc>,
    kind: WebhookMessageType,
    /// How many changes it has.
    changes: i64,
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
            .bind::<sql_types::Timestamptz, _>(now + LEASE)
            .bind::<sql_types::BigInt, _>(AT_ONCE);
        Ok(Prepared(claim).load(pg)?)
    })
    .await
}

/// What is to be sent; nothing where no change behind the position is for this webhook.
pub async fn prepare(db: &Db, claim: Claim) -> Result<Option<Outgoing>, StoreError> {
    db.write(&claim.scope(), move |writer| writer.transaction(|writer| prepared(writer, claim))).await
}

fn prepared(writer: &mut Writer<'_>, claim: Claim) -> Result<Option<Outgoing>, StoreError> {
    let Some(mut state) = leased(writer, claim)? else { return Ok(None) };
    let webhook = get(writer, claim.webhook())?;
    let keys = state::keys(writer, webhook.id, &state)?;
    let (message, through) = match state.test_id {
        Some(id) => (test(writer, &webhook, id, state.position)?, state.position),
        None => {
            begin_behind_what_left(writer, claim, &mut state)?;
            match next_changes(writer, claim, &webhook, &state)? {
                Some(next) => next,
                None => return Ok(None),
            }
        }
    };
    let body = serde_json::to_string(&message).map_err(|error| StoreError::Internal(error.to_string()))?;
    let (kind, changes) = (message.kind, message.data.len() as i64);
    Ok(Some(Outgoing { url: webhook.url, id: message.id, body, keys, at: writer.now(), kind, changes, through }))
}

/// A message that tells only where the webhook is.
fn test(reader: &mut Reader<'_>, webhook: &Webhook, id: Uuid, position: i64) -> Result<WebhookMessage, StoreError> {
    let next_cursor = feed::cursor_at(reader, &webhook.changes(), position)?;
    let kind = WebhookMessageType::Test;
    Ok(WebhookMessage { id, kind, webhook_id: webhook.id, data: Vec::new(), next_cursor, resync_required: false })
}

/// Goes on at the first change that the feed still has, where those behind the position have left it. The next message says
/// so: it is another one than whatever was on its way before.
fn begin_behind_what_left(writer: &mut Writer<'_>, claim: Claim, state: &mut state::State) -> Result<(), StoreError> {
    let oldest = feed::tail(writer)? - 1;
    if state.position >= oldest {
        return Ok(());
    }
    (state.position, state.message_id, state.message_until, state.resync_required) = (oldest, None, None, true);
    diesel::update(leased_row(claim))
        .set((
            webhook_states::position.eq(oldest),
            webhook_states::message_id.eq(None::<Uuid>),
            webhook_states::message_until.eq(None::<i64>),
            webhook_states::resync_required.eq(true),
        ))
        .execute(writer.pg())?;
    Ok(())
}

/// The message that is to arrive next, and where it ends; none where nothing behind the position is for this webhook.
fn next_changes(
    writer: &mut Writer<'_>,
    claim: Claim,
    webhook: &Webhook,
    state: &state::State,
) -> Result<Option<(WebhookMessage, i64)>, StoreError> {
    let query = webhook.changes();
    let parcel = feed::parcel(writer, &query, state.position, state.message_until, MOST_CHANGES)?;
    if parcel.entries.is_empty() && !state.resync_required {
        let now = writer.now();
        diesel::update(leased_row(claim))
            .set((
                webhook_states::position.eq(parcel.through),
                webhook_states::message_id.eq(None::<Uuid>),
                webhook_states::message_until.eq(None::<i64>),
                webhook_states::due_at.eq(now), // whoever has waited longer comes before the rest of it
                webhook_states::leased_until.eq(None::<DateTime<Utc>>),
            ))
            .execute(writer.pg())?;
        return Ok(None);
    }
    let (data, through) = within_size(parcel)?;
    let id = state.message_id.unwrap_or_else(Uuid::now_v7);
    diesel::update(leased_row(claim))
        .set((webhook_states::message_id.eq(id), webhook_states::message_until.eq(through)))
        .execute(writer.pg())?;
    let next_cursor = feed::cursor_at(writer, &query, through)?;
    let (kind, resync_required) = (WebhookMessageType::Changes, state.resync_required);
    Ok(Some((WebhookMessage { id, kind, webhook_id: webhook.id, data, next_cursor, resync_required }, through)))
}

/// As many of the changes as make up a message of moderate size, one at least, and where they end.
fn within_size(parcel: Parcel) -> Result<(Vec<JournalEntry>, i64), StoreError> {
    let Parcel { mut entries, mut through } = parcel;
    let mut size = 0;
    for (index, entry) in entries.iter().enumerate() {
        size += serde_json::to_vec(entry).map_err(|error| StoreError::Internal(error.to_string()))?.len();
        if index > 0 && size > LARGEST_MESSAGE {
            through = entries[index - 1].position.unwrap_or(through);
            entries.truncate(index);
            break;
        }
    }
    Ok((entries, through))
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
            match (outgoing.kind, attempt.succeeded()) {
                (WebhookMessageType::Test, arrived) => tested(writer, claim, arrived)?,
                // Somebody has changed meanwhile what is to be sent: what was sent counts for nothing.
                _ if state.message_id != Some(outgoing.id) => {}
                (WebhookMessageType::Changes, true) => arrived(writer, claim, outgoing.through)?,
                (WebhookMessageType::Changes, false) => failed(writer, claim, &state, attempt.is_unwanted())?,
            }
            end_lease(writer, claim)
        })
    })
    .await
}

/// Tries a webhook later for which no message could be put together.
pub async fn set_aside(db: &Db, claim: Claim) -> Result<(), StoreError> {
    db.write(&claim.scope(), move |writer| {
        writer.transaction(|writer| {
            let Some(state) = leased(writer, claim)? else { return Ok(()) };
            // A test that can't be put together is not tried for ever.
            diesel::update(leased_row(claim)).set(webhook_states::test_id.eq(None::<Uuid>)).execute(writer.pg())?;
            failed(writer, claim, &state, false)?;
            end_lease(writer, claim)
        })
    })
    .await
}

fn end_lease(writer: &mut Writer<'_>, claim: Claim) -> Result<(), StoreError> {
    let nobody = (webhook_states::lease.eq(None::<Uuid>), webhook_states::leased_until.eq(None::<DateTime<Utc>>));
    diesel::update(leased_row(claim)).set(nobody).execute(writer.pg())?;
    Ok(())
}

fn delivery(reader: &Reader<'_>, claim: Claim, outgoing: &Outgoing, attempt: &Attempt, took: Duration) -> DeliveryRow {
    let cut = |text: &str| text.chars().filter(|character| *character != '\0').take(BEGINNING).collect::<String>();
    let (status, error, response) = match attempt {
        Attempt::Answered { status, .. } if attempt.succeeded() => (Some(i32::from(*status)), None, None),
        Attempt::Answered { status, beginning } => (Some(i32::from(*status)), None, Some(cut(beginning))),
        Attempt::Unanswered { error } => (None, Some(cut(error)), None),
    };
    DeliveryRow {
        workspace_id: reader.workspace(),
        id: WebhookDeliveryId::mint().uuid(),
        webhook_id: claim.webhook_id,
        message_id: outgoing.id,
        kind: codes::word(&outgoing.kind),
        at: outgoing.at,
        duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        changes: outgoing.changes,
        position: (outgoing.kind == WebhookMessageType::Changes).then_some(outgoing.through),
        succeeded: attempt.succeeded(),
        status,
        error,
        response,
    }
}

/// A test is sent once. Where it arrives, whatever was wrong is right again: what waits need not wait any longer.
fn tested(writer: &mut Writer<'_>, claim: Claim, arrived: bool) -> Result<(), StoreError> {
    diesel::update(leased_row(claim)).set(webhook_states::test_id.eq(None::<Uuid>)).execute(writer.pg())?;
    if arrived { succeeded(writer, claim) } else { Ok(()) }
}

fn arrived(writer: &mut Writer<'_>, claim: Claim, through: i64) -> Result<(), StoreError> {
    diesel::update(leased_row(claim))
        .set((
            webhook_states::position.eq(through),
            webhook_states::message_id.eq(None::<Uuid>),
            webhook_states::message_until.eq(None::<i64>),
            webhook_states::resync_required.eq(false),
        ))
        .execute(writer.pg())?;
    succeeded(writer, claim)
}

fn succeeded(writer: &mut Writer<'_>, claim: Claim) -> Result<(), StoreError> {
    let now = writer.now();
    diesel::update(leased_row(claim))
        .set((
            webhook_states::failures.eq(0),
            webhook_states::failing_since.eq(None::<DateTime<Utc>>),
            webhook_states::last_success_at.eq(now),
            webhook_states::due_at.eq(now),
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
        ))
        .execute(writer.pg())?;
    if !is_unwanted && now - since < PATIENCE {
        return Ok(());
    }
    tracing::warn!(webhook = %claim.webhook_id, workspace = %claim.workspace_id, "a webhook is switched off");
    let switched_off = |_: &mut Writer<'_>, before: &Webhook| Ok(Webhook { enabled: false, ..before.clone() });
    change(writer, claim.webhook(), None, "disabled", switched_off, |_, _, _| Ok(())).map(|_| ())
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
    forgetting::forget(db, "webhook_deliveries", "at", before, FORGOTTEN_AT_ONCE).await
}
