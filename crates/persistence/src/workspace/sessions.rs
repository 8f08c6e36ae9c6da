//! Sessions: who is signed in, and the refresh tokens that prolong it.

use chrono::{DateTime, Utc};
use diesel::{Connection, PgConnection, dsl::{self, exists}, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    id::{SessionId, UserId, WorkspaceId},
    page::Direction,
    record::RecordKind,
    workspace::session::{self, Session, SessionQuery},
};
use uuid::Uuid;

use super::users;
use crate::{
    Db, Page, Reader, StoreError, Writer,
    page::{PageRequest, seek},
    schema::{refresh_tokens, sessions},
};

/// The most sessions of a user: whoever signs in once more ends the one that was used longest ago.
const MOST: i64 = 100;

/// A refresh token by what the database knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub workspace: WorkspaceId,
    pub session: SessionId,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
}

/// From where and with what a session is used, and by which request.
#[derive(Clone, Debug, Default)]
pub struct Use {
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
}

/// A session that goes on.
#[derive(Clone, Copy, Debug)]
pub struct GoesOn {
    pub user: UserId,
    pub expires_at: DateTime<Utc>,
}

/// Whose sessions are meant, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The sessions of this user alone; none for those of everybody.
    pub of: Option<UserId>,
    /// The session that asks.
    pub from: Option<SessionId>,
}

/// Begins a session with its first refresh token, and gives the time at which it ends. Sessions of the user that have
/// ended are removed.
pub async fn start(db: &Db, user: UserId, token: Token, used: Use) -> Result<DateTime<Utc>, StoreError> {
    let now = db.clock().now();
    db.directory(move |pg| {
        pg.transaction(|pg| {
            remove_ended(pg, token.workspace, user, now)?;
            let expires_at = session::ends(now, now);
            diesel::insert_into(sessions::table)
                .values((
                    sessions::workspace_id.eq(token.workspace.uuid()),
                    sessions::id.eq(token.session.uuid()),
                    sessions::user_id.eq(user.uuid()),
                    sessions::version.eq(1),
                    sessions::created_at.eq(now),
                    sessions::last_used_at.eq(now),
                    sessions::expires_at.eq(expires_at),
                    sessions::address.eq(&used.address),
                    sessions::user_agent.eq(&used.user_agent),
                ))
                .execute(pg)?;
            keep(pg, token, now)?;
            Ok(expires_at)
        })
    })
    .await
}

fn remove_ended(
    pg: &mut PgConnection,
    workspace: WorkspaceId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let own = || {
        sessions::table.filter(sessions::workspace_id.eq(workspace.uuid())).filter(sessions::user_id.eq(user.uuid()))
    };
    diesel::delete(own().filter(sessions::expires_at.le(now))).execute(pg)?;
    let too_many: Vec<Uuid> =
        own().select(sessions::id).order((sessions::last_used_at.desc(), sessions::id)).offset(MOST - 1).load(pg)?;
    if !too_many.is_empty() {
        diesel::delete(own().filter(sessions::id.eq_any(too_many))).execute(pg)?;
    }
    Ok(())
}

fn keep(pg: &mut PgConnection, token: Token, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::workspace_id.eq(token.workspace.uuid()),
            refresh_tokens::session_id.eq(token.session.uuid()),
            refresh_tokens::hash.eq(token.hash.as_slice()),
            refresh_tokens::created_at.eq(now),
        ))
        .execute(pg)?;
    Ok(())
}

/// Prolongs a session: the token ends, and `next` takes its place. None when the token is not valid.
///
/// A token that was used before is one that two tabs share, or one that was stolen. Which of the two it is, the time
/// tells; in the second case the session ends, because nobody knows who of the two is the thief.
pub async fn go_on(db: &Db, token: Token, next: [u8; 32], used: Use) -> Result<Option<GoesOn>, StoreError> {
    let now = db.clock().now();
    let next = Token { hash: next, ..token };
    let outcome = db.directory(move |pg| pg.transaction(|pg| rotate(pg, token, next, &used, now))).await?;
    match outcome {
        Outcome::GoesOn(goes_on) => Ok(Some(goes_on)),
        Outcome::Refused => Ok(None),
        Outcome::Ended => Ok(None),
    }
}

enum Outcome {
    GoesOn(GoesOn),
    Refused,
    /// Somebody used an old token, so nobody goes on.
    Ended,
}

fn rotate(
    pg: &mut PgConnection,
    token: Token,
    next: Token,
    used: &Use,
    now: DateTime<Utc>,
) -> Result<Outcome, StoreError> {
    // Whoever else uses a token of this session waits here, so each sees what the one before has done.
    let row: Option<(Uuid, DateTime<Utc>)> = session(token)
        .filter(sessions::expires_at.gt(now))
        .select((sessions::user_id, sessions::created_at))
        .for_update()
        .first(pg)
        .optional()?;
    let Some((user, began)) = row else { return Ok(Outcome::Refused) };
    let user = UserId::from_uuid(user);
    let known: Option<Option<DateTime<Utc>>> =
        refresh_token(token).select(refresh_tokens::used_at).first(pg).optional()?;
    let Some(used_before) = known else { return Ok(Outcome::Refused) };
    if !users::is_active(pg, token.workspace, user)? {
        return Ok(Outcome::Refused);
    }
    match used_before {
        None => {
            diesel::update(refresh_token(token)).set(refresh_tokens::used_at.eq(now)).execute(pg)?;
        }
        Some(at) if session::is_shared(at, now) => {}
        Some(_) => {
            diesel::delete(session(token)).execute(pg)?;
            return Ok(Outcome::Ended);
        }
    }
    keep(pg, next, now)?;
    forget_old(pg, token, now)?;
    let expires_at = session::ends(began, now);
    diesel::update(session(token))
        .set((
            sessions::version.eq(sessions::version + 1),
            sessions::last_used_at.eq(now),
            sessions::expires_at.eq(expires_at),
            sessions::address.eq(&used.address),
            sessions::user_agent.eq(&used.user_agent),
        ))
        .execute(pg)?;
    Ok(Outcome::GoesOn(GoesOn { user, expires_at }))
}

fn forget_old(pg: &mut PgConnection, token: Token, now: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::delete(refresh_tokens::table)
        .filter(refresh_tokens::workspace_id.eq(token.workspace.uuid()))
        .filter(refresh_tokens::session_id.eq(token.session.uuid()))
        .filter(refresh_tokens::created_at.lt(session::forgotten_before(now)))
        .execute(pg)?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn session(token: Token) -> _ {
    let (workspace, id): (Uuid, Uuid) = (token.workspace.uuid(), token.session.uuid());
    sessions::table.find((workspace, id))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn refresh_token(token: Token) -> _ {
    let (workspace, session): (Uuid, Uuid) = (token.workspace.uuid(), token.session.uuid());
    let hash: Vec<u8> = token.hash.to_vec();
    refresh_tokens::table.find((workspace, session, hash))
}

/// Whether this is a session of the user that has not ended.
pub(super) fn lasts(
    workspace: WorkspaceId,
    session: SessionId,
    user: UserId,
    now: DateTime<Utc>,
) -> exists<dsl::Filter<dsl::Filter<dsl::Find<sessions::table, (Uuid, Uuid)>, dsl::Eq<sessions::user_id, Uuid>>, dsl::Gt<sessions::expires_at, DateTime<Utc>>>> {
    exists(
        sessions::table
            .find((workspace.uuid(), session.uuid()))
            .filter(sessions::user_id.eq(user.uuid()))
            .filter(sessions::expires_at.gt(now)),
    )
}

/// Sessions that have not ended, as far as the caller may know of them: every question of callers starts here.
fn visible(reader: &Reader<'_>, asking: Asking) -> sessions::BoxedQuery<'static, Pg> {
    let living = sessions::table
        .filter(sessions::workspace_id.eq(reader.workspace()))
        .filter(sessions::expires_at.gt(reader.now()))
        .into_boxed();
    match asking.of {
        Some(user) => living.filter(sessions::user_id.eq(user.uuid())),
        None => living,
    }
}

/// A page of a user's sessions, the newest first.
pub fn list(
    reader: &mut Reader<'_>,
    user: UserId,
    query: &SessionQuery,
    from: Option<SessionId>,
) -> Result<Page<Session>, StoreError> {
    let request = PageRequest::read(reader, "list_sessions", &user, query.limit, query.cursor.as_deref())?;
    let asked = visible(reader, Asking { of: Some(user), from }).select(Row::as_select());
    let after = request.after::<DateTime<Utc>>()?;
    let direction = Direction::Descending;
    let sorted = seek!(asked, "sessions.created_at", sql_types::Timestamptz, "sessions.id", direction, after);
    let rows = sorted.limit(request.fetch()).load::<Row>(reader.pg())?;
    request.page(reader, rows, |row| (row.created_at, row.id), |row| Ok(row.into_session(from)))
}

/// One session.
pub fn get(reader: &mut Reader<'_>, id: SessionId, asking: Asking) -> Result<Session, StoreError> {
    let row = visible(reader, asking)
        .filter(sessions::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?
        .ok_or(StoreError::Missing(RecordKind::Contact))?;
    Ok(row.into_session(asking.from))
}

/// Ends a session; `expected` is the version that the caller knows. Its tokens are invalid from now on.
pub fn end(
    writer: &mut Writer<'_>,
    id: SessionId,
    expected: Option<i64>,
    asking: Asking,
) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        let session = get(writer, id, asking)?;
        if expected.is_some_and(|expected| expected != session.version) {
            return Err(StoreError::Stale { current: session.version });
        }
        remove(writer, &session)
    })
}

/// Ends all sessions of a user.
pub fn end_all(writer: &mut Writer<'_>, user: UserId) -> Result<(), StoreError> {
    let workspace = writer.workspace();
    diesel::delete(sessions::table)
        .filter(sessions::workspace_id.eq(workspace))
        .filter(sessions::user_id.eq(user.uuid()))
        .execute(writer.pg())?;
    Ok(())
}

fn remove(writer: &mut Writer<'_>, session: &Session) -> Result<(), StoreError> {
    let key = (writer.workspace(), session.id.uuid());
    diesel::delete(sessions::table.find(key)).execute(writer.pg())?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    user_id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    address: Option<String>,
    user_agent: Option<String>,
}

impl Row {
    fn into_session(self, from: Option<SessionId>) -> Session {
        let id = SessionId::from_uuid(self.id);
        Session {
            id,
            version: self.version,
            user_id: UserId::from_uuid(self.user_id),
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            address: self.address,
            user_agent: self.user_agent,
            current: from == Some(id),
        }
    }
}
