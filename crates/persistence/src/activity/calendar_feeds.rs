//! Calendar feeds: who reads the tasks of whom at which secret address.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    activity::calendar_feed::{CalendarFeed, CalendarFeedQuery, MOST_FEEDS, NewCalendarFeed},
    id::{CalendarFeedId, UserId, WorkspaceId},
    journal::Changes,
    record::RecordKind,
};
use uuid::Uuid;

use crate::{
    Db, Page, Reader, StoreError, Writer, audit,
    page::{PageRequest, seek},
    quota::Quota,
    schema::calendar_feeds,
};

const KIND: RecordKind = RecordKind::CalendarFeed;

const QUOTA: Quota = Quota { of: "calendar feeds", most: MOST_FEEDS, advice: "Delete one first." };

/// A secret that is presented: of which feed it wants to be, and its SHA-256.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub workspace: WorkspaceId,
    pub feed: CalendarFeedId,
    pub hash: [u8; 32],
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = calendar_feeds, check_for_backend(Pg), treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    user_id: Uuid,
    name: String,
    hash: Vec<u8>,
}

impl Row {
    fn into_feed(self) -> CalendarFeed {
        CalendarFeed {
            id: CalendarFeedId::from_uuid(self.id),
            created_at: self.created_at,
            created_by: self.created_by,
            user_id: UserId::from_uuid(self.user_id),
            name: self.name,
        }
    }
}

/// The feeds of one user, or of all where none is named: every read in this file but that of a secret starts here.
fn visible(reader: &Reader<'_>, of: Option<UserId>) -> calendar_feeds::BoxedQuery<'static, Pg> {
    let all = calendar_feeds::table.filter(calendar_feeds::workspace_id.eq(reader.workspace())).into_boxed();
    match of {
        Some(user) => all.filter(calendar_feeds::user_id.eq(user.uuid())),
        None => all,
    }
}

/// A page of the feeds of a user, the newest first.
pub fn list(
    reader: &mut Reader<'_>,
    user: UserId,
    query: &CalendarFeedQuery,
) -> Result<Page<CalendarFeed>, StoreError> {
    let request = PageRequest::read(reader, "list_calendar_feeds", &user, query.limit, query.cursor.as_deref())?;
    let select = visible(reader, Some(user)).select(Row::as_select());
    let after = request.after::<DateTime<Utc>>()?;
    let select = seek!(
        select,
        "calendar_feeds.created_at",
        sql_types::Timestamptz,
        "calendar_feeds.id",
        Direction::Descending,
        after
    );
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.created_at, row.id), |row| Ok(row.into_feed()))
}

/// One feed, of this user or of anybody.
pub fn get(reader: &mut Reader<'_>, id: CalendarFeedId, of: Option<UserId>) -> Result<CalendarFeed, StoreError> {
    let found: Option<Row> = visible(reader, of)
        .filter(calendar_feeds::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    found.map(Row::into_feed).ok_or(StoreError::Missing(KIND))
}

/// Creates a feed of a user, who has so many at most.
pub fn create(
    writer: &mut Writer<'_>,
    new: NewCalendarFeed,
    user: UserId,
    token: Token,
) -> Result<CalendarFeed, StoreError> {
    let feed = CalendarFeed::create(new, user, token.feed, writer.stamp())?;
    writer.transaction(|writer| {
        QUOTA.require_of_user(writer, user, |writer| visible(writer, Some(user)).count().get_result(writer.pg()))?;
        let row = Row {
            workspace_id: writer.workspace(),
            id: feed.id.uuid(),
            created_at: feed.created_at,
            created_by: feed.created_by,
            user_id: user.uuid(),
            name: feed.name.clone(),
            hash: token.hash.to_vec(),
        };
        diesel::insert_into(calendar_feeds::table).values(row).execute(writer.pg())?;
        let changes = Changes::of_field("user_id", user);
        audit::insert_for(writer, "calendar_feed.created", KIND, feed.id.uuid(), changes)?;
        Ok(feed.clone())
    })
}

/// Revokes a feed, of this user or of anybody.
pub fn delete(writer: &mut Writer<'_>, id: CalendarFeedId, of: Option<UserId>) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        let feed = get(writer, id, of)?;
        let key = (writer.workspace(), id.uuid());
        diesel::delete(calendar_feeds::table.find(key)).execute(writer.pg())?;
        let changes = Changes::of_field("user_id", feed.user_id);
        audit::insert_for(writer, "calendar_feed.revoked", KIND, id.uuid(), changes)
    })
}

/// The user whose feed has this secret.
pub async fn owner(db: &Db, token: Token) -> Result<Option<UserId>, StoreError> {
    db.directory(move |pg| {
        let found: Option<Uuid> = calendar_feeds::table
            .find((token.workspace.uuid(), token.feed.uuid()))
            .filter(calendar_feeds::hash.eq(token.hash.as_slice()))
            .select(calendar_feeds::user_id)
            .first(pg)
            .optional()?;
        Ok(found.map(UserId::from_uuid))
    })
    .await
}
