//! Sessions: who is signed in, and the refresh tokens that prolong it.

use chrono::{DateTime, Utc};
use diesel::{Connection, PgConnection, dsl::exists, pg::Pg, prelude::*, select, sql_types};
use rapport_domain::{
    access::{Actor, ActorKind},
    id::{SessionId, UserId, WorkspaceId},
    journal::{Changes, RecordReference},
    page::Direction,
    record::RecordKind,
    workspace::session::{self, Session, SessionQuery},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Db, Page, Reader, StoreError, Writer,
    audit::{self, AuditEvent},
    page::{PageRequest, seek},
    schema::{refresh_tokens, sessions, users, workspaces},
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
            let by = Actor { kind: ActorKind::User, id: Some(user.uuid()) };
            let changes = Changes::of_new(&json!({"user_id": user, "user_agent": used.user_agent}));
            audit::insert(pg, &event(token, "session.started", by, changes, &used), now)?;
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
        Outcome::Ended => {
            db.settings_changed();
            Ok(None)
        }
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
    if !is_active(pg, token.workspace, user)? {
        return Ok(Outcome::Refused);
    }
    match used_before {
        None => {
            diesel::update(refresh_token(token)).set(refresh_tokens::used_at.eq(now)).execute(pg)?;
        }
        Some(at) if session::is_shared(at, now) => {}
        Some(_) => {
            diesel::delete(session(token)).execute(pg)?;
            let changes = Changes::of_new(&json!({"user_id": user, "user_agent": used.user_agent}));
            audit::insert(pg, &event(token, "session.refresh_reused", Actor::SYSTEM, changes, used), now)?;
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

fn event(token: Token, event: &'static str, actor: Actor, changes: Changes, used: &Use) -> AuditEvent {
    AuditEvent {
        workspace: token.workspace,
        actor,
        event,
        record: RecordReference { kind: RecordKind::Session, id: token.session.uuid() },
        changes,
        address: used.address.clone(),
        request_id: used.request_id.clone(),
    }
}

/// Notes that somebody tried to sign in and did not know the password, or was nobody. In a workspace that is not known
/// there is no audit to note it in. What was typed is not kept, for now and then it is a password in the wrong field: only
/// whose account it was, where there is one.
pub async fn note_failure(db: &Db, workspace: &str, email: &str, used: Use) -> Result<(), StoreError> {
    let (workspace, email, now) = (workspace.to_owned(), email.trim().to_lowercase(), db.clock().now());
    db.directory(move |pg| {
        let found: Option<(Uuid, Option<Uuid>)> = workspaces::table
            .left_join(users::table.on(users::workspace_id.eq(workspaces::id).and(users::email.eq(email))))
            .filter(workspaces::name.eq(workspace))
            .select((workspaces::id, users::id.nullable()))
            .first(pg)
            .optional()?;
        let Some((workspace, user)) = found else { return Ok(()) };
        let failed = AuditEvent {
            workspace: WorkspaceId::from_uuid(workspace),
            actor: Actor::SYSTEM,
            event: "session.failed",
            record: RecordReference { kind: RecordKind::User, id: user.unwrap_or(Uuid::nil()) },
            changes: Changes::of_new(&json!({"user_id": user, "user_agent": used.user_agent})),
            address: used.address,
            request_id: used.request_id,
        };
        audit::insert(pg, &failed, now)
    })
    .await
}

fn is_active(pg: &mut PgConnection, workspace: WorkspaceId, user: UserId) -> Result<bool, StoreError> {
    let active = users::table.find((workspace.uuid(), user.uuid())).filter(users::state.eq("active"));
    Ok(select(exists(active)).get_result(pg)?)
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
        .ok_or(StoreError::Missing(RecordKind::Session))?;
    Ok(row.into_session(asking.from))
}

/// Ends a session; `expected` is the version that the caller knows. Its tokens are invalid from now on.
pub fn end(writer: &mut Writer<'_>, id: SessionId, expected: Option<i64>, asking: Asking) -> Result<(), StoreError> {
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
    writer.transaction(|writer| {
        let workspace = writer.workspace();
        let of_user =
            sessions::table.filter(sessions::workspace_id.eq(workspace)).filter(sessions::user_id.eq(user.uuid()));
        let ended: Vec<Uuid> = diesel::delete(of_user).returning(sessions::id).get_results(writer.pg())?;
        ended.into_iter().try_for_each(|id| note_end(writer, SessionId::from_uuid(id), user))
    })
}

fn remove(writer: &mut Writer<'_>, session: &Session) -> Result<(), StoreError> {
    let key = (writer.workspace(), session.id.uuid());
    diesel::delete(sessions::table.find(key)).execute(writer.pg())?;
    note_end(writer, session.id, session.user_id)
}

fn note_end(writer: &mut Writer<'_>, id: SessionId, user: UserId) -> Result<(), StoreError> {
    let changes = Changes::of_field("user_id", user);
    audit::insert_for(writer, "session.ended", RecordKind::Session, id.uuid(), changes)
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
