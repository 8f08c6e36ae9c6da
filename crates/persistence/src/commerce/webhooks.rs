//! Webhooks: addresses of outside systems to which the change feed is sent. How it is sent is in `sending.rs`.

mod sending;
mod state;

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::{Grants, Reach},
    commerce::webhook::{
        MOST_WEBHOOKS, NewWebhook, Webhook, WebhookDelivery, WebhookPatch, WebhookQuery, WebhookReplay, WebhookStatus,
    },
    feed::ChangeQuery,
    id::{WebhookDeliveryId, WebhookId},
    journal::{Changes, JournalEntry},
    record::RecordKind,
};
use uuid::Uuid;

pub use self::sending::{Claim, Outgoing, claim, finish, forget, prepare, set_aside};
use crate::{
    Page, Reader, StoreError, TRIES, Writer, audit, codes, feed,
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    quota::Quota,
    require_version,
    schema::{webhook_deliveries, webhooks},
};

const KIND: RecordKind = RecordKind::Webhook;

const QUOTA: Quota = Quota { of: "webhooks", most: MOST_WEBHOOKS, advice: "Delete one first." };

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhooks, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    name: String,
    url: String,
    kinds: Vec<String>,
    events: Vec<String>,
    exclude_origins: Vec<Uuid>,
    enabled: bool,
}

impl Row {
    fn of(workspace: Uuid, webhook: &Webhook) -> Self {
        Self {
            workspace_id: workspace,
            id: webhook.id.uuid(),
            version: webhook.version,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            created_by: webhook.created_by,
            updated_by: webhook.updated_by,
            name: webhook.name.clone(),
            url: webhook.url.clone(),
            kinds: webhook.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
            events: webhook.events.clone(),
            exclude_origins: webhook.exclude_origins.clone(),
            enabled: webhook.enabled,
        }
    }

    fn into_webhook(self) -> Result<Webhook, StoreError> {
        Ok(Webhook {
            id: WebhookId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            url: self.url,
            kinds: self.kinds.iter().map(|kind| codes::value(kind)).collect::<Result<_, _>>()?,
            events: self.events,
            exclude_origins: self.exclude_origins,
            enabled: self.enabled,
        })
    }
}

/// Webhooks of the workspace: every read of them starts here.
fn visible(reader: &Reader<'_>) -> webhooks::BoxedQuery<'static, Pg> {
    webhooks::table.filter(webhooks::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One webhook.
pub fn get(reader: &mut Reader<'_>, id: WebhookId) -> Result<Webhook, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(webhooks::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_webhook()
}

/// A page of the webhooks, the newest first.
pub fn list(reader: &mut Reader<'_>, query: &WebhookQuery) -> Result<Page<Webhook>, StoreError> {
    let request = PageRequest::read(reader, "list_webhooks", query, query.limit, query.cursor.as_deref())?;
    let select = visible(reader).select(Row::as_select());
    let after = request.after::<DateTime<Utc>>()?;
    let select =
        seek!(select, "webhooks.created_at", sql_types::Timestamptz, "webhooks.id", Direction::Descending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.created_at, row.id), Row::into_webhook)
}

/// Creates a webhook, which is told of what happens from now on. Gives the secret with which its messages are signed.
pub fn create(writer: &mut Writer<'_>, new: NewWebhook) -> Result<(Webhook, String), StoreError> {
    let webhook = Webhook::create(new, WebhookId::mint(), writer.stamp())?;
    require_cover(writer.grants(), &webhook)?;
    writer.transaction(|writer| {
        QUOTA.require_in_workspace(writer, |writer| visible(writer).count().get_result(writer.pg()))?;
        let changes = Changes::of_new(&webhook);
        let entry = Entry::new(writer, KIND, "created", webhook.id.uuid(), changes, webhook.created_at).audited(writer);
        let row = Row::of(writer.workspace(), &webhook);
        let write = diesel::insert_into(webhooks::table).values(row).returning(Row::as_returning());
        Journalled { write, entry }.get_result::<Row>(writer.pg())?;
        let secret = state::create(writer, webhook.id)?;
        Ok((webhook.clone(), secret))
    })
}

/// Changes a webhook. What failed is tried at once.
pub fn update(
    writer: &mut Writer<'_>,
    id: WebhookId,
    expected: Option<i64>,
    patch: &WebhookPatch,
) -> Result<Webhook, StoreError> {
    let apply = |writer: &mut Writer<'_>, before: &Webhook| {
        let after = before.patch(patch.clone())?;
        if after.tells_more_than(before) {
            require_cover(writer.grants(), &after)?;
        }
        Ok(after)
    };
    change(writer, id, expected, "updated", apply, |writer, before, after| {
        if before.changes() != after.changes() {
            state::drop_message(writer, id)?;
        }
        state::try_at_once(writer, id)
    })
}

/// Gives messages a new secret. They are signed with the one until now, too, for a day.
pub fn rotate(writer: &mut Writer<'_>, id: WebhookId) -> Result<(Webhook, String), StoreError> {
    let webhook = get(writer, id)?;
    require_cover(writer.grants(), &webhook)?;
    writer.transaction(|writer| {
        let secret = state::rotate(writer, id)?;
        audit::insert_for(writer, "webhook.rotated", KIND, id.uuid(), Changes::between(&webhook, &webhook))?;
        Ok((webhook.clone(), secret))
    })
}

/// Deletes a webhook for good, and with it what was sent to it.
pub fn delete(writer: &mut Writer<'_>, id: WebhookId, expected: Option<i64>) -> Result<(), StoreError> {
    let webhook = get(writer, id)?;
    require_version(expected, webhook.version)?;
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&webhook), writer.now());
    let entry = entry.audited(writer);
    writer.transaction(|writer| {
        let write = diesel::delete(webhooks::table)
            .filter(webhooks::workspace_id.eq(writer.workspace()))
            .filter(webhooks::id.eq(id.uuid()))
            .filter(webhooks::version.eq(webhook.version))
            .returning(Row::as_returning());
        match (Journalled { write, entry: entry.clone() }).get_result::<Row>(writer.pg()).optional()? {
            Some(_) => Ok(()),
            None => Err(StoreError::Contention),
        }
    })
}

/// What happened to a webhook, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: WebhookId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// How far a webhook has come.
pub fn status(reader: &mut Reader<'_>, id: WebhookId) -> Result<WebhookStatus, StoreError> {
    let webhook = get(reader, id)?;
    state::status(reader, &webhook)
}

/// Has a message sent that tells of nothing, also where the webhook is switched off.
pub fn test(writer: &mut Writer<'_>, id: WebhookId) -> Result<WebhookStatus, StoreError> {
    let webhook = get(writer, id)?;
    writer.transaction(|writer| {
        state::ask_for_test(writer, id)?;
        state::status(writer, &webhook)
    })
}

/// Has changes sent again, or left out.
pub fn replay(writer: &mut Writer<'_>, id: WebhookId, replay: &WebhookReplay) -> Result<WebhookStatus, StoreError> {
    let webhook = get(writer, id)?;
    require_cover(writer.grants(), &webhook)?;
    let query = ChangeQuery { from: replay.from, cursor: replay.cursor.clone(), ..webhook.changes() };
    writer.transaction(|writer| {
        let position = feed::position(writer, &query).map_err(StoreError::in_body)?;
        state::go_on_from(writer, id, position)?;
        let changes = Changes::of_field("position", position);
        audit::insert_for(writer, "webhook.replayed", KIND, id.uuid(), changes)?;
        state::status(writer, &webhook)
    })
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_deliveries, check_for_backend(Pg), treat_none_as_default_value = false)]
struct DeliveryRow {
    workspace_id: Uuid,
    id: Uuid,
    webhook_id: Uuid,
    message_id: Uuid,
    kind: String,
    at: DateTime<Utc>,
    duration_ms: i64,
    changes: i64,
    position: Option<i64>,
    succeeded: bool,
    status: Option<i32>,
    error: Option<String>,
    response: Option<String>,
}

impl DeliveryRow {
    fn into_delivery(self) -> Result<WebhookDelivery, StoreError> {
        Ok(WebhookDelivery {
            id: WebhookDeliveryId::from_uuid(self.id),
            message_id: self.message_id,
            kind: codes::value(&self.kind)?,
            at: self.at,
            duration_ms: self.duration_ms,
            changes: self.changes,
            position: self.position,
            succeeded: self.succeeded,
            status: self.status,
            error: self.error,
            response: self.response,
        })
    }
}

/// A page of the attempts to send something, the newest first.
pub fn deliveries(
    reader: &mut Reader<'_>,
    id: WebhookId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<WebhookDelivery>, StoreError> {
    get(reader, id)?;
    let request = PageRequest::read(reader, "list_webhook_deliveries", &id, limit, cursor)?;
    let select = webhook_deliveries::table
        .filter(webhook_deliveries::workspace_id.eq(reader.workspace()))
        .filter(webhook_deliveries::webhook_id.eq(id.uuid()))
        .select(DeliveryRow::as_select())
        .into_boxed::<Pg>();
    let after = request.after::<DateTime<Utc>>()?;
    let select = seek!(
        select,
        "webhook_deliveries.at",
        sql_types::Timestamptz,
        "webhook_deliveries.id",
        Direction::Descending,
        after
    );
    let rows: Vec<DeliveryRow> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.at, row.id), DeliveryRow::into_delivery)
}

/// Refuses a webhook that would be told of more than its maker may read: it is told of every record and every field.
fn require_cover(grants: &Grants, webhook: &Webhook) -> Result<(), StoreError> {
    let reads_all = |resource| {
        let grant = grants.on(resource);
        grant.read == Reach::All && grant.readable.allows_all()
    };
    match webhook.resources().find(|resource| !reads_all(*resource)) {
        None => Ok(()),
        Some(resource) => Err(StoreError::Forbidden(format!(
            "A webhook is told of all {} with all their fields, and you may not read all of that. Leave them out of kinds, \
             or ask somebody who may.",
            resource.as_str()
        ))),
    }
}

/// Reads, changes and writes back; `also` happens in the transaction of the write.
fn change(
    writer: &mut Writer<'_>,
    id: WebhookId,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Webhook) -> Result<Webhook, StoreError>,
    also: impl Fn(&mut Writer<'_>, &Webhook, &Webhook) -> Result<(), StoreError>,
) -> Result<Webhook, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = apply(writer, &before)?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, verb, id.uuid(), changes, after.updated_at).audited(writer);
        let is_written = writer.transaction(|writer| {
            let write = diesel::update(webhooks::table)
                .filter(webhooks::workspace_id.eq(writer.workspace()))
                .filter(webhooks::id.eq(id.uuid()))
                .filter(webhooks::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            if row.is_some() {
                also(writer, &before, &after)?;
            }
            Ok(row.is_some())
        })?;
        if is_written {
            return Ok(after);
        }
    }
    Err(StoreError::Contention)
}
