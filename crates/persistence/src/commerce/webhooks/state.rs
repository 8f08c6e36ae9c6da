//! How far a webhook has come, and with what its messages are signed.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*};
use rapport_domain::{
    commerce::webhook::{OVERLAP, Webhook, WebhookStatus},
    feed::{ChangeQuery, FeedStart},
    id::WebhookId,
};
use uuid::Uuid;

use super::KIND;
use crate::{Reader, StoreError, Writer, feed, schema::webhook_states};

/// What a secret begins with, so that it is known where it turns up.
const PREFIX: &str = "whsec_";

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_states, check_for_backend(Pg))]
pub(super) struct State {
    pub(super) secret: Vec<u8>,
    pub(super) old_secret: Option<Vec<u8>>,
    pub(super) old_secret_until: Option<DateTime<Utc>>,
    pub(super) position: i64,
    pub(super) message_id: Option<Uuid>,
    pub(super) message_until: Option<i64>,
    pub(super) resync_required: bool,
    pub(super) test_id: Option<Uuid>,
    pub(super) failures: i64,
    pub(super) failing_since: Option<DateTime<Utc>>,
    pub(super) last_success_at: Option<DateTime<Utc>>,
    pub(super) due_at: DateTime<Utc>,
}

/// The state of a webhook.
pub(super) fn get(reader: &mut Reader<'_>, id: WebhookId) -> Result<State, StoreError> {
    let state: Option<State> = webhook_states::table
        .find((reader.workspace(), id.uuid()))
        .select(State::as_select())
        .first(reader.pg())
        .optional()?;
    state.ok_or(StoreError::Missing(KIND))
}

/// Begins at the head of the feed; gives the secret.
pub(super) fn create(writer: &mut Writer<'_>, id: WebhookId) -> Result<String, StoreError> {
    let (sealed, secret) = mint(writer, id)?;
    let position = feed::position(writer, &ChangeQuery { from: FeedStart::Head, ..ChangeQuery::default() })?;
    diesel::insert_into(webhook_states::table)
        .values((
            webhook_states::workspace_id.eq(writer.workspace()),
            webhook_states::webhook_id.eq(id.uuid()),
            webhook_states::secret.eq(sealed),
            webhook_states::position.eq(position),
            webhook_states::resync_required.eq(false),
            webhook_states::failures.eq(0),
            webhook_states::due_at.eq(writer.now()),
        ))
        .execute(writer.pg())?;
    Ok(secret)
}

/// Gives a new secret, beside which the one until now counts for a while.
pub(super) fn rotate(writer: &mut Writer<'_>, id: WebhookId) -> Result<String, StoreError> {
    let (sealed, secret) = mint(writer, id)?;
    let key = (writer.workspace(), id.uuid());
    let rotated = diesel::update(webhook_states::table.find(key))
        .set((
            webhook_states::old_secret.eq(webhook_states::secret.nullable()),
            webhook_states::old_secret_until.eq(writer.now() + OVERLAP),
            webhook_states::secret.eq(sealed),
        ))
        .execute(writer.pg())?;
    if rotated == 1 { Ok(secret) } else { Err(StoreError::Missing(KIND)) }
}

/// Forgets what failed, so that it is tried again at once.
pub(super) fn try_at_once(writer: &mut Writer<'_>, id: WebhookId) -> Result<(), StoreError> {
    let key = (writer.workspace(), id.uuid());
    diesel::update(webhook_states::table.find(key))
        .set((
            webhook_states::failures.eq(0),
            webhook_states::failing_since.eq(None::<DateTime<Utc>>),
            webhook_states::due_at.eq(writer.now()),
        ))
        .execute(writer.pg())?;
    Ok(())
}

/// Has the next message put together anew. One that is on its way at this moment is let go there, and counts for nothing.
pub(super) fn drop_message(writer: &mut Writer<'_>, id: WebhookId) -> Result<(), StoreError> {
    let key = (writer.workspace(), id.uuid());
    diesel::update(webhook_states::table.find(key))
        .set((webhook_states::message_id.eq(None::<Uuid>), webhook_states::message_until.eq(None::<i64>)))
        .execute(writer.pg())?;
    Ok(())
}

/// Goes on from behind a position.
pub(super) fn go_on_from(writer: &mut Writer<'_>, id: WebhookId, position: i64) -> Result<(), StoreError> {
    try_at_once(writer, id)?;
    drop_message(writer, id)?;
    let key = (writer.workspace(), id.uuid());
    diesel::update(webhook_states::table.find(key))
        .set((webhook_states::position.eq(position), webhook_states::resync_required.eq(false)))
        .execute(writer.pg())?;
    Ok(())
}

/// Has a test sent. One that waits already is the one that was asked for.
pub(super) fn ask_for_test(writer: &mut Writer<'_>, id: WebhookId) -> Result<(), StoreError> {
    let key = (writer.workspace(), id.uuid());
    diesel::update(webhook_states::table.find(key).filter(webhook_states::test_id.is_null()))
        .set(webhook_states::test_id.eq(Uuid::now_v7()))
        .execute(writer.pg())?;
    Ok(())
}

/// How far a webhook has come.
pub(super) fn status(reader: &mut Reader<'_>, webhook: &Webhook) -> Result<WebhookStatus, StoreError> {
    let state = get(reader, webhook.id)?;
    let head = feed::position(reader, &ChangeQuery { from: FeedStart::Head, ..ChangeQuery::default() })?;
    Ok(WebhookStatus {
        position: state.position,
        waiting: (head - state.position).max(0),
        test_waiting: state.test_id.is_some(),
        failures: state.failures,
        failing_since: state.failing_since,
        next_attempt_at: state.failing_since.filter(|_| webhook.enabled).map(|_| state.due_at),
        last_success_at: state.last_success_at,
    })
}

/// The keys with which a message is signed that is sent now: one, or two after a rotation.
pub(super) fn keys(reader: &Reader<'_>, id: WebhookId, state: &State) -> Result<Vec<Vec<u8>>, StoreError> {
    let old = state.old_secret.iter().filter(|_| state.old_secret_until.is_some_and(|until| reader.now() < until));
    let open = |sealed: &Vec<u8>| {
        let opened = reader.sealer().open_text(&place(reader, id), sealed);
        opened.ok_or_else(|| StoreError::Internal(format!("the secret of webhook {id} can't be opened")))
    };
    std::iter::once(&state.secret).chain(old).map(open).collect()
}

/// A new key, sealed and as text.
fn mint(reader: &Reader<'_>, id: WebhookId) -> Result<(Vec<u8>, String), StoreError> {
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).map_err(|error| StoreError::Internal(error.to_string()))?;
    let sealed = reader.sealer().seal_text(&place(reader, id), &key)?;
    Ok((sealed, format!("{PREFIX}{}", STANDARD.encode(key))))
}

/// Where a secret opens: for this webhook alone.
fn place(reader: &Reader<'_>, id: WebhookId) -> Vec<u8> {
    [b"webhook".as_slice(), reader.workspace().as_bytes(), id.uuid().as_bytes()].concat()
}
