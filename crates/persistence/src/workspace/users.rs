//! Users: the people who work with Rapport.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, expression::SqlLiteral, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::{Grants, Reach, Resource},
    id::{RoleId, TeamId, UserId},
    journal::{Changes, JournalEntry},
    problem::FieldProblem,
    record::RecordKind,
    workspace::{
        role::merged,
        user::{NewUser, User, UserPatch, UserQuery, UserState, UserSummary},
    },
};
use uuid::Uuid;

use super::{
    administrators,
    invites::{self, Issued},
    roles, sessions,
};
use crate::{
    Page, Reader, StoreError, TRIES, Writer, codes,
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    require_version,
    schema::{team_members, user_roles, users},
};

const KIND: RecordKind = RecordKind::User;

/// What the table of users itself holds of one.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    email: String,
    name: String,
    created_at: DateTime<Utc>,
    version: i64,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    state: String,
}

/// A user with the ids of roles and teams.
type Whole = (Row, Vec<Uuid>, Vec<Uuid>);

impl Row {
    fn of(workspace: Uuid, user: &User) -> Self {
        Self {
            workspace_id: workspace,
            id: user.id.uuid(),
            email: user.email.clone(),
            name: user.name.clone(),
            created_at: user.created_at,
            version: user.version,
            updated_at: user.updated_at,
            created_by: user.created_by,
            updated_by: user.updated_by,
            state: codes::word(&user.state),
        }
    }
}

fn into_user((row, roles, teams): Whole) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_uuid(row.id),
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        created_by: row.created_by,
        updated_by: row.updated_by,
        email: row.email,
        name: row.name,
        state: codes::value(&row.state)?,
        role_ids: roles.into_iter().map(RoleId::from_uuid).collect(),
        team_ids: teams.into_iter().map(TeamId::from_uuid).collect(),
    })
}

/// The roles of a user, as an expression beside the row.
const ROLES: &str = "ARRAY(SELECT role_id FROM user_roles WHERE user_roles.workspace_id = users.workspace_id \
                     AND user_roles.user_id = users.id ORDER BY role_id)";

/// The teams of a user, the main one first.
const TEAMS: &str = "ARRAY(SELECT team_id FROM team_members WHERE team_members.workspace_id = users.workspace_id \
                     AND team_members.user_id = users.id ORDER BY place)";

fn ids(query: &str) -> SqlLiteral<sql_types::Array<sql_types::Uuid>> {
    sql(query)
}

/// Users of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> users::BoxedQuery<'static, Pg> {
    users::table.filter(users::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One user.
pub fn get(reader: &mut Reader<'_>, id: UserId) -> Result<User, StoreError> {
    let found: Option<Whole> = visible(reader)
        .filter(users::id.eq(id.uuid()))
        .select((Row::as_select(), ids(ROLES), ids(TEAMS)))
        .first(reader.pg())
        .optional()?;
    found.map_or(Err(StoreError::Missing(KIND)), into_user)
}

/// A page of the users, the newest first.
pub fn list(reader: &mut Reader<'_>, query: &UserQuery) -> Result<Page<User>, StoreError> {
    let request = PageRequest::read(reader, "list_users", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select((Row::as_select(), ids(ROLES), ids(TEAMS)));
    if !query.state.is_empty() {
        select = select.filter(users::state.eq_any(query.state.iter().map(codes::word).collect::<Vec<_>>()));
    }
    if let Some(email) = &query.email {
        select = select.filter(users::email.eq(email.trim().to_lowercase()));
    }
    if !query.team_id.is_empty() {
        let members = team_members::table
            .filter(team_members::workspace_id.eq(reader.workspace()))
            .filter(team_members::team_id.eq_any(query.team_id.iter().map(|id| id.uuid()).collect::<Vec<_>>()));
        select = select.filter(users::id.eq_any(members.select(team_members::user_id)));
    }
    if !query.role_id.is_empty() {
        let holders = user_roles::table
            .filter(user_roles::workspace_id.eq(reader.workspace()))
            .filter(user_roles::role_id.eq_any(query.role_id.iter().map(|id| id.uuid()).collect::<Vec<_>>()));
        select = select.filter(users::id.eq_any(holders.select(user_roles::user_id)));
    }
    let after = request.after::<DateTime<Utc>>()?;
    let select = seek!(select, "users.created_at", sql_types::Timestamptz, "users.id", Direction::Descending, after);
    let rows: Vec<Whole> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, ..)| (row.created_at, row.id), into_user)
}

/// Creates a user who has yet to accept the invitation, and the invitation.
pub fn invite(writer: &mut Writer<'_>, new: NewUser) -> Result<(User, Issued), StoreError> {
    let user = User::create(new, UserId::mint(), writer.stamp())?;
    writer.transaction(|writer| {
        let user = insert(writer, &user, None)?;
        let issued = invites::issue(writer, user.id)?;
        Ok((user, issued))
    })
}

/// Creates a user who can sign in with this password at once.
pub fn create_active(writer: &mut Writer<'_>, new: NewUser, password_hash: String) -> Result<User, StoreError> {
    let user = User { state: UserState::Active, ..User::create(new, UserId::mint(), writer.stamp())? };
    insert(writer, &user, Some(&password_hash))
}

fn insert(writer: &mut Writer<'_>, user: &User, password_hash: Option<&str>) -> Result<User, StoreError> {
    let given = require_roles(writer, &user.role_ids)?;
    require_teams(writer, &user.team_ids, &[given], &[Reach::Team, Reach::TeamTree])?;
    let entry = Entry::new(writer, KIND, "created", user.id.uuid(), Changes::of_new(user), user.created_at);
    let entry = entry.audited(writer);
    writer.transaction(|writer| {
        let write = diesel::insert_into(users::table)
            .values((Row::of(writer.workspace(), user), users::password_hash.eq(password_hash)))
            .returning(Row::as_returning());
        Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        write_relations(writer, user)
    })?;
    Ok(user.clone())
}

/// Changes a user.
pub fn update(
    writer: &mut Writer<'_>,
    id: UserId,
    expected: Option<i64>,
    patch: &UserPatch,
) -> Result<User, StoreError> {
    change(writer, id, expected, "updated", |before| Ok(before.patch(patch.clone())?))
}

/// Lets a user sign in again, or for the first time without an invitation.
pub fn activate(writer: &mut Writer<'_>, id: UserId, expected: Option<i64>) -> Result<User, StoreError> {
    change(writer, id, expected, "activated", |before| Ok(User { state: UserState::Active, ..before.clone() }))
}

/// Keeps a user from signing in. Whatever they own stays theirs until it is transferred.
pub fn deactivate(writer: &mut Writer<'_>, id: UserId, expected: Option<i64>) -> Result<User, StoreError> {
    change(writer, id, expected, "deactivated", |before| Ok(User { state: UserState::Deactivated, ..before.clone() }))
}

/// What happened to a user, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: UserId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// The users of these ids, for records that name them.
pub(crate) fn summaries(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<UserSummary>, StoreError> {
    let rows = users::table
        .filter(users::workspace_id.eq(reader.workspace()))
        .filter(users::id.eq_any(ids))
        .select((users::id, users::name, users::email))
        .load::<(Uuid, String, String)>(reader.pg())?;
    Ok(rows.into_iter().map(|(id, name, email)| UserSummary { id: UserId::from_uuid(id), name, email }).collect())
}

/// Whether these users can sign in; of those that are there.
pub(crate) fn states(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, UserState>, StoreError> {
    let rows: Vec<(Uuid, String)> =
        visible(reader).filter(users::id.eq_any(ids.to_vec())).select((users::id, users::state)).load(reader.pg())?;
    rows.into_iter().map(|(id, state)| Ok((id, codes::value(&state)?))).collect()
}

/// The main teams of these users, of those who are in one.
pub(crate) fn main_teams(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let rows = team_members::table
        .filter(team_members::workspace_id.eq(reader.workspace()))
        .filter(team_members::user_id.eq_any(ids))
        .order((team_members::user_id, team_members::place))
        .distinct_on(team_members::user_id)
        .select((team_members::user_id, team_members::team_id))
        .load(reader.pg())?;
    Ok(rows)
}

fn change(
    writer: &mut Writer<'_>,
    id: UserId,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&User) -> Result<User, StoreError>,
) -> Result<User, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = apply(&before)?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        // Whoever may do less must not change the address by which somebody who may do more signs in.
        require_roles(writer, &before.role_ids)?;
        let given = require_roles(writer, &after.role_ids)?;
        if after.role_ids != before.role_ids || after.team_ids != before.team_ids {
            require_teams(writer, &after.team_ids, &[given], &[Reach::Team, Reach::TeamTree])?;
        }
        if after.email != before.email && !writer.scope().grants().is_admin {
            let detail = "Whoever has the address of a user can become them: only who may do everything changes it.";
            return Err(StoreError::Forbidden(detail.to_owned()));
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, verb, id.uuid(), changes, after.updated_at).audited(writer);
        let is_written = writer.transaction(|writer| {
            administrators::keep_one(writer, |writer| {
                let write = diesel::update(users::table)
                    .filter(users::workspace_id.eq(writer.workspace()))
                    .filter(users::id.eq(id.uuid()))
                    .filter(users::version.eq(before.version))
                    .set(Row::of(writer.workspace(), &after))
                    .returning(Row::as_returning());
                let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
                if row.is_none() {
                    return Ok(false);
                }
                if after.role_ids != before.role_ids || after.team_ids != before.team_ids {
                    write_relations(writer, &after)?;
                }
                let is_shut = before.state == UserState::Active && after.state != UserState::Active;
                if is_shut || after.email != before.email {
                    // Neither what was mailed nor who is signed in opens the account any more.
                    invites::end_tokens(writer, id)?;
                    sessions::end_all(writer, id)?;
                }
                Ok(true)
            })
        })?;
        if is_written {
            return Ok(after);
        }
    }
    Err(StoreError::Contention)
}

/// Nobody gives roles, or changes who has them, that allow more than they may do themselves. Tells what the roles allow
/// together.
fn require_roles(writer: &mut Writer<'_>, ids: &[RoleId]) -> Result<Grants, StoreError> {
    let known = roles::by_ids(writer, ids)?;
    let unknown = |(index, _): (usize, &RoleId)| {
        let detail = "There is no role with this id. Name another, or leave it out.";
        FieldProblem::at(format!("/role_ids/{index}"), "unknown_reference", detail)
    };
    let is_unknown = |id: &RoleId| !known.iter().any(|role| role.id == *id);
    let problems: Vec<_> = ids.iter().enumerate().filter(|(_, id)| is_unknown(id)).map(unknown).collect();
    if !problems.is_empty() {
        return Err(StoreError::fields(problems));
    }
    known.iter().try_for_each(|role| roles::require_cover(writer, role))?;
    Ok(merged(&known))
}

/// Nobody lets anybody see or change the records of teams who may not do so themselves: they might be the one who does
/// then. Takes what those may do who get these teams within a reach.
pub(super) fn require_teams(
    reader: &Reader<'_>,
    teams: &[TeamId],
    given: &[Grants],
    gaining: &[Reach],
) -> Result<(), StoreError> {
    let mine = reader.grants();
    let reaches = |mine_reaches, team: &TeamId| match mine_reaches {
        Reach::All => true,
        Reach::None | Reach::Own => false,
        Reach::Team => mine.teams.contains(&team.uuid()),
        Reach::TeamTree => mine.team_tree.contains(&team.uuid()),
    };
    let may_give = |mine: Reach, theirs: Reach| {
        !gaining.contains(&theirs) || (mine >= theirs && teams.iter().all(|team| reaches(mine, team)))
    };
    let may_give_all = given.iter().all(|theirs| {
        Resource::ALL
            .iter()
            .map(|resource| (mine.on(*resource), theirs.on(*resource)))
            .all(|(mine, theirs)| may_give(mine.read, theirs.read) && may_give(mine.write, theirs.write))
    });
    if may_give_all {
        return Ok(());
    }
    let detail = "You may not see or change all records of this team yourself, so you can't say who does. Ask somebody \
                  who may.";
    Err(StoreError::Forbidden(detail.to_owned()))
}

/// Writes which roles and teams a user has, in place of what is there.
fn write_relations(writer: &mut Writer<'_>, user: &User) -> Result<(), StoreError> {
    let (workspace, id) = (writer.workspace(), user.id.uuid());
    diesel::delete(user_roles::table)
        .filter(user_roles::workspace_id.eq(workspace))
        .filter(user_roles::user_id.eq(id))
        .execute(writer.pg())?;
    diesel::delete(team_members::table)
        .filter(team_members::workspace_id.eq(workspace))
        .filter(team_members::user_id.eq(id))
        .execute(writer.pg())?;
    let roles = user.role_ids.iter().map(|role| {
        (user_roles::workspace_id.eq(workspace), user_roles::user_id.eq(id), user_roles::role_id.eq(role.uuid()))
    });
    diesel::insert_into(user_roles::table).values(roles.collect::<Vec<_>>()).execute(writer.pg())?;
    let teams = user.team_ids.iter().zip(1_i64..).map(|(team, place)| {
        (
            team_members::workspace_id.eq(workspace),
            team_members::user_id.eq(id),
            team_members::team_id.eq(team.uuid()),
            team_members::place.eq(place),
        )
    });
    diesel::insert_into(team_members::table).values(teams.collect::<Vec<_>>()).execute(writer.pg())?;
    Ok(())
}
