//! Teams: users who work together, as a tree.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Reach,
    id::TeamId,
    journal::{Changes, JournalEntry},
    record::RecordKind,
    workspace::{
        role::Role,
        team::{NewTeam, Team, TeamPatch, TeamQuery},
    },
};
use uuid::Uuid;

use super::{roles, users};
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    error::{in_use, unknown_reference},
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    require_version,
    schema::teams,
    turns,
};

const KIND: RecordKind = RecordKind::Team;

/// So many teams may stand above each other.
const DEEPEST: usize = 10;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = teams, primary_key(workspace_id, id), check_for_backend(Pg))]
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
    description: Option<String>,
    parent_id: Option<Uuid>,
}

impl Row {
    fn of(workspace: Uuid, team: &Team) -> Self {
        Self {
            workspace_id: workspace,
            id: team.id.uuid(),
            version: team.version,
            created_at: team.created_at,
            updated_at: team.updated_at,
            created_by: team.created_by,
            updated_by: team.updated_by,
            name: team.name.clone(),
            description: team.description.clone(),
            parent_id: team.parent_id.map(TeamId::uuid),
        }
    }

    fn into_team(self) -> Team {
        Team {
            id: TeamId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            description: self.description,
            parent_id: self.parent_id.map(TeamId::from_uuid),
        }
    }
}

/// Teams of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> teams::BoxedQuery<'static, Pg> {
    teams::table.filter(teams::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One team.
pub fn get(reader: &mut Reader<'_>, id: TeamId) -> Result<Team, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(teams::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    row.map(Row::into_team).ok_or(StoreError::Missing(KIND))
}

/// Those of these teams that are there.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    Ok(visible(reader).filter(teams::id.eq_any(ids)).select(teams::id).load(reader.pg())?)
}

/// The names of those of these teams that are there, by their ids.
pub(crate) fn names(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<(Uuid, String)>, StoreError> {
    Ok(visible(reader).filter(teams::id.eq_any(ids)).select((teams::id, teams::name)).load(reader.pg())?)
}

/// A page of the teams, by name.
pub fn list(reader: &mut Reader<'_>, query: &TeamQuery) -> Result<Page<Team>, StoreError> {
    let request = PageRequest::read(reader, "list_teams", query, query.limit, query.cursor.as_deref())?;
    let select = visible(reader).select(Row::as_select());
    let after = request.after::<String>()?;
    let select = seek!(select, "teams.name", sql_types::Text, "teams.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.name.clone(), row.id), |row| Ok(row.into_team()))
}

/// Creates a team.
pub fn create(writer: &mut Writer<'_>, new: NewTeam) -> Result<Team, StoreError> {
    let team = Team::create(new, TeamId::mint(), writer.stamp())?;
    let entry = Entry::new(writer, KIND, "created", team.id.uuid(), Changes::of_new(&team), team.created_at);
    let entry = entry.audited(writer);
    writer.transaction(|writer| {
        check_place(writer, &team)?;
        let write =
            diesel::insert_into(teams::table).values(Row::of(writer.workspace(), &team)).returning(Row::as_returning());
        Ok(Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?.into_team())
    })
}

/// Changes a team.
pub fn update(
    writer: &mut Writer<'_>,
    id: TeamId,
    expected: Option<i64>,
    patch: &TeamPatch,
) -> Result<Team, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = before.patch(patch.clone())?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, "updated", id.uuid(), changes, after.updated_at).audited(writer);
        let written = writer.transaction(|writer| {
            if after.parent_id != before.parent_id {
                // Whoever is in a team above sees what is below, if a role says so.
                let given: Vec<_> = roles::all(writer)?.iter().map(Role::grants).collect();
                users::require_teams(writer, &[id], &given, &[Reach::TeamTree])?;
                check_place(writer, &after)?;
            }
            let write = diesel::update(teams::table)
                .filter(teams::workspace_id.eq(writer.workspace()))
                .filter(teams::id.eq(id.uuid()))
                .filter(teams::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            Ok(Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?)
        })?;
        if let Some(row) = written {
            return Ok(row.into_team());
        }
    }
    Err(StoreError::Contention)
}

/// Deletes a team for good. It must have no members, no records and no teams below it.
pub fn delete(writer: &mut Writer<'_>, id: TeamId, expected: Option<i64>) -> Result<(), StoreError> {
    let team = get(writer, id)?;
    require_version(expected, team.version)?;
    let uses = uses(writer, id)?;
    if !uses.is_empty() {
        let detail = format!("The team still has {}. Give them to another team first.", uses.join(", "));
        return Err(StoreError::Conflict { code: "in_use", detail });
    }
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&team), writer.now());
    let entry = entry.audited(writer);
    let write = diesel::delete(teams::table)
        .filter(teams::workspace_id.eq(writer.workspace()))
        .filter(teams::id.eq(id.uuid()))
        .filter(teams::version.eq(team.version))
        .returning(Row::as_returning());
    let deleted = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional();
    // What it has got since it was looked at is known to the foreign keys alone.
    let detail = "The team got members or records a moment ago. Give them to another team first.";
    match deleted.map_err(|error| in_use(error, detail))? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// What happened to a team, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: TeamId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

#[derive(QueryableByName)]
struct Use {
    #[diesel(sql_type = sql_types::Text)]
    what: String,
}

/// What keeps a team from being deleted. A tree is small and members are few; of records it is enough to know that there
/// is one.
const USES: &str = "
SELECT 'members' AS what WHERE EXISTS (SELECT FROM team_members WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'teams below it' WHERE EXISTS (SELECT FROM teams WHERE workspace_id = $1 AND parent_id = $2)
UNION ALL SELECT 'contacts' WHERE EXISTS (SELECT FROM contacts WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'companies' WHERE EXISTS (SELECT FROM companies WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'tasks' WHERE EXISTS (SELECT FROM tasks WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'notes' WHERE EXISTS (SELECT FROM notes WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'opportunities' WHERE EXISTS (SELECT FROM opportunities WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'leads' WHERE EXISTS (SELECT FROM leads WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'assignment rules' WHERE EXISTS (SELECT FROM assignment_rules WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'capture forms' WHERE EXISTS (SELECT FROM capture_forms WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'products' WHERE EXISTS (SELECT FROM products WHERE workspace_id = $1 AND team_id = $2)
UNION ALL SELECT 'shared records' WHERE EXISTS (SELECT FROM record_shares WHERE workspace_id = $1 AND team_id = $2)";

fn uses(reader: &mut Reader<'_>, id: TeamId) -> Result<Vec<String>, StoreError> {
    let workspace = reader.workspace();
    let uses: Vec<Use> = diesel::sql_query(USES)
        .bind::<sql_types::Uuid, _>(workspace)
        .bind::<sql_types::Uuid, _>(id.uuid())
        .load(reader.pg())?;
    Ok(uses.into_iter().map(|found| found.what).collect())
}

/// The team above has to be there, not below this one, and not too deep. All who move teams of a workspace take turns, so
/// that two moves can't close a circle together.
fn check_place(writer: &mut Writer<'_>, team: &Team) -> Result<(), StoreError> {
    let workspace = writer.workspace();
    turns::take(writer, &format!("teams of {workspace}"))?;
    let parents: Vec<(Uuid, Option<Uuid>)> = visible(writer).select((teams::id, teams::parent_id)).load(writer.pg())?;
    let mut above = team.parent_id.map(TeamId::uuid);
    let mut depth = 1;
    while let Some(id) = above {
        if id == team.id.uuid() {
            let detail = "This team is below the one that would be above it. Choose another.";
            return Err(StoreError::field("/parent_id", "circle", detail));
        }
        depth += 1;
        if depth > DEEPEST {
            let detail = format!("At most {DEEPEST} teams stand above each other. Choose a team higher up.");
            return Err(StoreError::field("/parent_id", "too_deep", detail));
        }
        above = match parents.iter().find(|(known, _)| *known == id) {
            Some((_, parent)) => *parent,
            None => return Err(unknown_reference("/parent_id", "team")),
        };
    }
    Ok(())
}
