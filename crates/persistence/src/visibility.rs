//! Which records somebody may see or change, as conditions of SQL: the one policy that every read and write of records
//! with an owner starts from.
//!
//! A condition as a whole (`owner = me OR team = ANY (mine) OR shared`) finds single records and filters what another
//! index has found. For a sorted list it would have to be tried on record after record until a page is full, which takes
//! long for somebody who may see few; so lists are read in lanes instead: one for the owner, one for each team, one for
//! what is shared. Each lane is a range of an index in the order of the list, and the page is what comes first in all.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension, QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use rapport_domain::{
    access::{Reach, Resource, Right},
    id::{TeamId, UserId},
    page::{DEFAULT_LIMIT, MAX_LIMIT},
    problem::FieldProblem,
};
use uuid::Uuid;

use crate::{Reader, StoreError, bulk::Bulk, expression::expression, page::PageRequest, workspace::users};

/// More teams than this are read in one lane, which is sorted then: a lane for each would read too much.
const MOST_LANES: usize = 16;

/// Which shares count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shares {
    None,
    ToWrite,
    All,
}

/// Whose part in a record counts, whoever owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    /// Whether that of who is to do it does.
    assignee: bool,
    /// The column with those whose part is enough to see it: who help, or whom it mentions.
    involved: Option<&'static str>,
}

impl Parts {
    fn of(resource: Resource, shares: Shares) -> Self {
        let (assignee, involved) = match (resource, shares) {
            (Resource::Tasks, Shares::All) => (true, Some("collaborator_ids")),
            (Resource::Tasks, Shares::ToWrite) => (true, None),
            (Resource::Notes, Shares::All) => (false, Some("mentions")),
            (Resource::Tasks, Shares::None)
            | (Resource::Notes, Shares::ToWrite | Shares::None)
            | (
                Resource::Contacts
                | Resource::Companies
                | Resource::Opportunities
                | Resource::Products
                | Resource::Leads,
                _,
            ) => (false, None),
        };
        Self { assignee, involved }
    }
}

/// What a caller may see or change of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    table: &'static str,
    kind: &'static str,
    workspace: Uuid,
    user: Option<Uuid>,
    reach: Reach,
    /// The teams whose records are within reach.
    teams: Vec<Uuid>,
    /// The teams for which a share counts.
    shared_with: Vec<Uuid>,
    /// Which shares count.
    shares: Shares,
    /// Whose part counts.
    parts: Parts,
    now: DateTime<Utc>,
}

impl Policy {
    /// What may be seen.
    pub(crate) fn reading(reader: &Reader<'_>, resource: Resource) -> Self {
        Self::new(reader, resource, reader.scope().grants().on(resource).read, Shares::All)
    }

    /// What may be changed.
    pub(crate) fn writing(reader: &Reader<'_>, resource: Resource) -> Self {
        Self::new(reader, resource, reader.scope().grants().on(resource).write, Shares::ToWrite)
    }

    /// What may be shared: what may be changed without a share, for nobody passes on what was lent to them.
    pub(crate) fn sharing(reader: &Reader<'_>, resource: Resource) -> Self {
        Self::new(reader, resource, reader.scope().grants().on(resource).write, Shares::None)
    }

    /// What a change may find: what may be seen, or, for programs that may only write, what may be changed.
    pub(crate) fn finding(reader: &Reader<'_>, resource: Resource) -> Self {
        let reading = Self::reading(reader, resource);
        if reading.reach == Reach::None { Self::writing(reader, resource) } else { reading }
    }

    fn new(reader: &Reader<'_>, resource: Resource, reach: Reach, shares: Shares) -> Self {
        let grants = reader.scope().grants();
        let teams = match reach {
            Reach::None | Reach::Own | Reach::All => Vec::new(),
            Reach::Team => grants.teams.clone(),
            Reach::TeamTree => grants.team_tree.clone(),
        };
        let sees_below = grants.on(resource).read == Reach::TeamTree;
        let shared_with = if sees_below { &grants.team_tree } else { &grants.teams };
        Self {
            table: resource.as_str(),
            kind: resource.kind().as_str(),
            workspace: reader.workspace(),
            user: grants.user,
            reach,
            teams,
            shared_with: shared_with.clone(),
            shares,
            parts: Parts::of(resource, shares),
            now: reader.now(),
        }
    }

    /// The condition as a whole.
    pub(crate) fn whole(&self) -> Within {
        match (self.reach, self.user) {
            (Reach::All, _) => Within::Everything,
            (Reach::None, _) | (_, None) => Within::Nothing,
            (_, Some(user)) => Within::Whole(self.clone(), user),
        }
    }

    /// The same for looking at most records of a table: what is shared is read once, and not asked for with each record.
    pub(crate) fn whole_of_many(&self) -> Within {
        match self.whole() {
            Within::Whole(policy, user) => Within::OfMany(policy, user),
            simple => simple,
        }
    }

    /// Whether a record of this owner and team is within it, whatever was shared.
    pub(crate) fn holds(&self, owner: Option<UserId>, team: Option<TeamId>) -> bool {
        match self.whole() {
            Within::Everything => true,
            Within::Nothing => false,
            _ => {
                let is_own = owner.is_some() && owner.map(UserId::uuid) == self.user;
                is_own || team.is_some_and(|team| self.teams.contains(&team.uuid()))
            }
        }
    }

    /// The lanes in which a sorted list is read: together they are the whole, and no record is in two.
    pub(crate) fn lanes(&self) -> Vec<Within> {
        let Within::Whole(_, user) = self.whole() else { return vec![self.whole()] };
        let mut lanes = vec![Within::Own(self.clone(), user)];
        match self.teams.as_slice() {
            teams if teams.len() <= MOST_LANES => {
                lanes.extend(teams.iter().map(|team| Within::Team(self.clone(), user, *team)));
            }
            _ => lanes.push(Within::Teams(self.clone(), user)),
        }
        if self.parts.assignee {
            lanes.push(Within::Assigned(self.clone(), user));
        }
        lanes.push(Within::Shared(self.clone(), user));
        lanes
    }
}

/// A condition on the records of a table.
#[derive(Clone, Debug)]
pub(crate) enum Within {
    Everything,
    Nothing,
    /// Within reach of this user, in whatever way.
    Whole(Policy, Uuid),
    /// The same, for many records at once.
    OfMany(Policy, Uuid),
    /// The user's own.
    Own(Policy, Uuid),
    /// Of one team, and not the user's own.
    Team(Policy, Uuid, Uuid),
    /// Of any of the teams, and not the user's own.
    Teams(Policy, Uuid),
    /// Assigned to the user, and neither of a team nor their own.
    Assigned(Policy, Uuid),
    /// Shared, or such that the user is involved in it, and none of the others.
    Shared(Policy, Uuid),
}

impl Within {
    /// Whether it can be left out.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }
}

impl QueryFragment<Pg> for Within {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Everything => out.push_sql("TRUE"),
            Self::Nothing => out.push_sql("FALSE"),
            Self::Whole(policy, user) => {
                policy.push_whole(
                    " OR EXISTS (SELECT FROM record_shares AS share WHERE share.record_id = ",
                    ".id AND ",
                    user,
                    out,
                )?;
            }
            Self::OfMany(policy, user) => {
                policy.push_whole(
                    " OR ",
                    ".id IN (SELECT share.record_id FROM record_shares AS share WHERE ",
                    user,
                    out,
                )?;
            }
            Self::Own(policy, user) => policy.push_owner(" = ", user, out)?,
            Self::Team(policy, user, team) => {
                policy.push_owner(" IS DISTINCT FROM ", user, out.reborrow())?;
                out.push_sql(" AND ");
                out.push_sql(policy.table);
                out.push_sql(".team_id = ");
                out.push_bind_param::<sql_types::Uuid, _>(team)?;
            }
            Self::Teams(policy, user) => {
                policy.push_owner(" IS DISTINCT FROM ", user, out.reborrow())?;
                policy.push_teams(" AND ", " = ANY(", out)?;
            }
            Self::Assigned(policy, user) => {
                policy.push_out_of_reach(user, out.reborrow())?;
                policy.push_assignee(" AND ", " = ", user, out)?;
            }
            Self::Shared(policy, user) => policy.push_shared(user, out)?,
        }
        Ok(())
    }
}

impl Policy {
    fn push_owner<'b>(&'b self, compares: &str, user: &'b Uuid, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.table);
        out.push_sql(".owner_id");
        out.push_sql(compares);
        out.push_bind_param::<sql_types::Uuid, _>(user)
    }

    fn push_assignee<'b>(
        &'b self,
        joins: &str,
        compares: &str,
        user: &'b Uuid,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        out.push_sql(joins);
        out.push_sql(self.table);
        out.push_sql(".assignee_id");
        out.push_sql(compares);
        out.push_bind_param::<sql_types::Uuid, _>(user)
    }

    /// That a column of this table or alias names the user among those who are involved.
    fn push_involved<'b>(
        &'b self,
        table: &str,
        column: &str,
        user: &'b Uuid,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        out.push_sql(table);
        out.push_sql(".");
        out.push_sql(column);
        out.push_sql(" @> ARRAY[");
        out.push_bind_param::<sql_types::Uuid, _>(user)?;
        out.push_sql("]");
        Ok(())
    }

    fn push_teams<'b>(&'b self, joins: &str, compares: &str, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(joins);
        out.push_sql(self.table);
        out.push_sql(".team_id");
        out.push_sql(compares);
        out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(&self.teams)?;
        out.push_sql(")");
        Ok(())
    }

    /// `shared` and `with` are what stands before and after the name of the table where shares are looked for.
    fn push_whole<'b>(
        &'b self,
        shared: &str,
        with: &str,
        user: &'b Uuid,
        mut out: AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        out.push_sql("(");
        self.push_owner(" = ", user, out.reborrow())?;
        if !self.teams.is_empty() {
            self.push_teams(" OR ", " = ANY(", out.reborrow())?;
        }
        if self.shares != Shares::None {
            out.push_sql(shared);
            out.push_sql(self.table);
            out.push_sql(with);
            self.push_share(user, out.reborrow())?;
            out.push_sql(")");
        }
        if self.parts.assignee {
            self.push_assignee(" OR ", " = ", user, out.reborrow())?;
        }
        if let Some(column) = self.parts.involved {
            out.push_sql(" OR ");
            self.push_involved(self.table, column, user, out.reborrow())?;
        }
        out.push_sql(")");
        Ok(())
    }

    /// Neither of a team nor the user's own.
    fn push_out_of_reach<'b>(&'b self, user: &'b Uuid, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.push_owner(" IS DISTINCT FROM ", user, out.reborrow())?;
        if !self.teams.is_empty() {
            out.push_sql(" AND (");
            out.push_sql(self.table);
            out.push_sql(".team_id IS NULL");
            self.push_teams(" OR ", " <> ALL(", out.reborrow())?;
            out.push_sql(")");
        }
        Ok(())
    }

    fn push_shared<'b>(&'b self, user: &'b Uuid, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.push_out_of_reach(user, out.reborrow())?;
        if self.parts.assignee {
            self.push_assignee(" AND ", " IS DISTINCT FROM ", user, out.reborrow())?;
        }
        out.push_sql(" AND ");
        out.push_sql(self.table);
        out.push_sql(".id = ANY(ARRAY(SELECT share.record_id FROM record_shares AS share WHERE ");
        self.push_share(user, out.reborrow())?;
        if let Some(column) = self.parts.involved {
            out.push_sql(" UNION ALL SELECT involving.id FROM ");
            out.push_sql(self.table);
            out.push_sql(" AS involving WHERE involving.workspace_id = ");
            out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
            // This is the condition of the index, without which it would not be used.
            out.push_sql(" AND involving.");
            out.push_sql(column);
            out.push_sql(" <> '{}' AND ");
            self.push_involved("involving", column, user, out.reborrow())?;
        }
        out.push_sql("))");
        Ok(())
    }

    /// What makes a share count: it is with the user or one of their teams, and has not ended.
    fn push_share<'b>(&'b self, user: &'b Uuid, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("share.workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND share.record_kind = ");
        out.push_bind_param::<sql_types::Text, _>(self.kind)?;
        out.push_sql(" AND (share.user_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(user)?;
        if !self.shared_with.is_empty() {
            out.push_sql(" OR share.team_id = ANY(");
            out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(&self.shared_with)?;
            out.push_sql(")");
        }
        out.push_sql(") AND (share.expires_at IS NULL OR share.expires_at > ");
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.now)?;
        out.push_sql(")");
        if self.shares == Shares::ToWrite {
            out.push_sql(" AND share.access = 'write'");
        }
        Ok(())
    }
}

expression!(Within, sql_types::Bool);

/// Whether a record is within a condition, as a value: a record of nobody is not, where the condition alone says neither.
pub(crate) struct IsWithin(pub(crate) Within);

impl QueryFragment<Pg> for IsWithin {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("coalesce(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(", FALSE)");
        Ok(())
    }
}

expression!(IsWithin, sql_types::Bool);

/// What comes first in several queries that are sorted alike and not limited.
pub(crate) struct Merged<Q> {
    lanes: Vec<Q>,
    table: &'static str,
    order: &'static str,
    limit: i64,
    /// Whether each query is done to its end before it is sorted and limited.
    is_fenced: bool,
    /// Whether it is kept prepared, although there may be any number of texts.
    is_kept: bool,
}

impl<Q: Query> Query for Merged<Q> {
    type SqlType = Q::SqlType;
}
impl<Q> QueryId for Merged<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl<Q> RunQueryDsl<PgConnection> for Merged<Q> {}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Merged<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if let [only] = self.lanes.as_slice() {
            return self.push_lane(only, out);
        }
        out.push_sql("SELECT * FROM (");
        for (index, lane) in self.lanes.iter().enumerate() {
            out.push_sql(if index == 0 { "(" } else { ") UNION ALL (" });
            self.push_lane(lane, out.reborrow())?;
        }
        out.push_sql(")");
        self.push_order(out)
    }

    fn is_safe_to_cache_prepared(&self, backend: &Pg) -> QueryResult<bool> {
        Ok(self.is_kept || self.are_few(backend)?)
    }
}

impl<Q: QueryFragment<Pg>> Merged<Q> {
    /// Takes the request, one query for each lane, the table that they read, under whose name `order` knows the columns, that order, and how
    /// many rows are wanted.
    pub(crate) fn of(
        reader: &Reader<'_>,
        request: &PageRequest,
        lanes: Vec<Q>,
        table: &'static str,
        order: &'static str,
        limit: i64,
    ) -> Result<Self, StoreError> {
        let merged = Self { lanes, table, order, limit, is_fenced: request.sorts_what_is_found(), is_kept: false };
        Ok(Self { is_kept: !merged.are_few(&Pg)? && reader.keeps(&merged)?, ..merged })
    }

    fn push_lane<'b>(&'b self, lane: &'b Q, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.is_fenced {
            lane.walk_ast(out.reborrow())?;
            return self.push_limit(out);
        }
        out.push_sql("SELECT * FROM (");
        lane.walk_ast(out.reborrow())?;
        out.push_sql(" OFFSET 0"); // which the limit does not reach through
        self.push_order(out)
    }

    /// Whether diesel keeps the statement by itself.
    fn are_few(&self, backend: &Pg) -> QueryResult<bool> {
        for lane in &self.lanes {
            if !lane.is_safe_to_cache_prepared(backend)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<Q> Merged<Q> {
    /// Ends a query around another.
    fn push_order<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(") AS ");
        out.push_sql(self.table);
        out.push_sql(" ORDER BY ");
        out.push_sql(self.order);
        self.push_limit(out)
    }

    /// The limits of usual pages are a part of the text. Of one that it is not told, the planner thinks that it is a tenth of
    /// the table, and so it would plan the statement each time.
    fn push_limit<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" LIMIT ");
        if [DEFAULT_LIMIT, MAX_LIMIT].contains(&(self.limit - 1)) {
            out.push_sql(&self.limit.to_string());
            return Ok(());
        }
        out.push_bind_param::<sql_types::BigInt, _>(&self.limit)
    }
}

/// Refuses a caller who lacks a right on a resource, and names the permission.
pub(crate) fn require_right(reader: &Reader<'_>, resource: Resource, right: Right) -> Result<(), StoreError> {
    let permission = resource.permission(right);
    match reader.grants().allow(permission) {
        true => Ok(()),
        false => {
            let detail = format!("This needs the permission {}, which you don't have.", permission.scope());
            Err(StoreError::Forbidden(detail))
        }
    }
}

/// Refuses parameters that would tell of fields which the caller may not read.
pub(crate) fn require_readable(
    reader: &Reader<'_>,
    resource: Resource,
    used: &[(&'static str, &'static str)],
) -> Result<(), StoreError> {
    let grants = reader.scope().grants();
    let is_closed = |(_, field): &&(&str, &str)| !grants.may_read(resource, field);
    let problems: Vec<FieldProblem> = used
        .iter()
        .filter(is_closed)
        .map(|(parameter, field)| {
            let detail = format!("Your role keeps the field {field} from you. Leave this parameter out.");
            FieldProblem::parameter(*parameter, "closed_field", detail)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(StoreError::ClosedFields(problems)) }
}

/// Refuses what writes these fields without a body that names them, such as to `complete tasks`, to who may not write them all.
pub(crate) fn require_writable(
    reader: &Reader<'_>,
    resource: Resource,
    fields: &[&str],
    act: &str,
) -> Result<(), StoreError> {
    let is_closed = |field: &&&str| !reader.grants().may_write(resource, field);
    let problem = |field: &&str| {
        let detail = format!("Your role does not let you write {field}, so you can't {act}.");
        FieldProblem::at("", "closed_field", detail)
    };
    let problems: Vec<FieldProblem> = fields.iter().filter(is_closed).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(StoreError::ClosedFields(problems)) }
}

/// The owner and team of a new record: whoever creates it, and the owner's main team, unless others are named.
pub(crate) fn place_new(
    reader: &mut Reader<'_>,
    owner: &mut Option<Option<UserId>>,
    team: &mut Option<Option<TeamId>>,
) -> Result<(), StoreError> {
    let user = reader.scope().grants().user;
    let owner = *owner.get_or_insert(user.map(UserId::from_uuid));
    if team.is_none() {
        *team = Some(match owner {
            Some(owner) => main_team(reader, owner)?,
            None => None,
        });
    }
    Ok(())
}

/// Refuses to pass on what was lent to the caller: to take it from whoever owns it, or to show it to others. Who is to do
/// something may get help with it, and let somebody else do it.
pub(crate) fn require_held<R: Bulk>(reader: &Reader<'_>, before: &R, after: &R) -> Result<(), StoreError> {
    let (owner, team) = before.owner_and_team();
    let changes_hands = (owner, team) != after.owner_and_team();
    let names_others = before.assignee() != after.assignee() || before.involved() != after.involved();
    let user = reader.grants().user;
    let is_to_do_it = user.is_some() && user == before.assignee().map(UserId::uuid);
    let passes_on = changes_hands || (names_others && !is_to_do_it);
    if !passes_on || Policy::sharing(reader, R::RESOURCE).holds(owner, team) {
        return Ok(());
    }
    let detail = format!(
        "This {} is shared with you or assigned to you. Only those to whom it belongs give it to others or let others see it: \
         leave owner, team and the users it names as they are, or ask its owner.",
        R::kind().as_str()
    );
    Err(StoreError::Forbidden(detail))
}

/// The team of a record that gets another owner: the owner's main team, if they have one, unless a team is named.
pub(crate) fn place_changed(
    reader: &mut Reader<'_>,
    before: Option<UserId>,
    owner: Option<Option<UserId>>,
    team: &mut Option<Option<TeamId>>,
) -> Result<(), StoreError> {
    if let (Some(Some(owner)), None) = (owner, &team)
        && before != Some(owner)
        && let Some(main) = main_team(reader, owner)?
    {
        *team = Some(Some(main));
    }
    Ok(())
}

/// The main team of a user who is the caller, if they have one; none of somebody else, for whom the database is asked.
pub(crate) fn callers_team(reader: &Reader<'_>, user: UserId) -> Option<Option<TeamId>> {
    let grants = reader.grants();
    (grants.user == Some(user.uuid())).then(|| grants.teams.first().copied().map(TeamId::from_uuid))
}

fn main_team(reader: &mut Reader<'_>, user: UserId) -> Result<Option<TeamId>, StoreError> {
    if let Some(team) = callers_team(reader, user) {
        return Ok(team);
    }
    Ok(users::main_teams(reader, &[user.uuid()])?.first().map(|(_, team)| TeamId::from_uuid(*team)))
}

/// What a caller may do with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Not,
    ToRead,
    /// May be changed without a share, and so be shared.
    ToShare,
}

/// What the caller may do with the record of this id, also with one that was deleted.
pub(crate) fn seen(reader: &mut Reader<'_>, resource: Resource, id: Uuid) -> Result<Seen, StoreError> {
    let (finding, writing) = (Policy::finding(reader, resource), Policy::sharing(reader, resource));
    let (workspace, table) = (reader.workspace(), resource.as_str());
    let looked = Look { workspace, table, id, finding: finding.whole(), writing: IsWithin(writing.whole()) };
    let found = looked.get_result::<bool>(reader.pg()).optional()?;
    let may_write = reader.scope().grants().allow(resource.permission(Right::Write));
    Ok(match found {
        None => Seen::Not,
        Some(true) if may_write => Seen::ToShare,
        Some(_) => Seen::ToRead,
    })
}

/// Refuses a record that the caller may not see, as if it were not there.
pub(crate) fn require_seen(reader: &mut Reader<'_>, resource: Resource, id: Uuid) -> Result<(), StoreError> {
    let may_read = reader.scope().grants().allow(resource.permission(Right::Read));
    match may_read && seen(reader, resource, id)? != Seen::Not {
        true => Ok(()),
        false => Err(StoreError::Missing(resource.kind())),
    }
}

/// Which of these records the caller may see now, also of those that were deleted.
pub(crate) fn readable(
    reader: &mut Reader<'_>,
    resource: Resource,
    ids: Vec<Uuid>,
) -> Result<HashSet<Uuid>, StoreError> {
    let reading = Policy::reading(reader, resource).whole();
    if ids.is_empty() || reading.is_everything() {
        return Ok(ids.into_iter().collect());
    }
    let among = Among { workspace: reader.workspace(), table: resource.as_str(), ids, reading };
    Ok(among.load::<Uuid>(reader.pg())?.into_iter().collect())
}

/// Finds the records of these ids in whatever table that are within a condition.
struct Among {
    workspace: Uuid,
    table: &'static str,
    ids: Vec<Uuid>,
    reading: Within,
}

impl Query for Among {
    type SqlType = sql_types::Uuid;
}
impl QueryId for Among {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl RunQueryDsl<PgConnection> for Among {}

impl QueryFragment<Pg> for Among {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT id FROM ");
        out.push_sql(self.table);
        out.push_sql(" WHERE workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND id = ANY(");
        out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(&self.ids)?;
        out.push_sql(") AND ");
        self.reading.walk_ast(out)
    }
}

/// Looks for a record of whatever table, and whether it may be shared.
struct Look {
    workspace: Uuid,
    table: &'static str,
    id: Uuid,
    finding: Within,
    writing: IsWithin,
}

impl Query for Look {
    type SqlType = sql_types::Bool;
}
impl QueryId for Look {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl RunQueryDsl<PgConnection> for Look {}

impl QueryFragment<Pg> for Look {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.writing.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        out.push_sql(self.table);
        out.push_sql(" WHERE workspace_id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.workspace)?;
        out.push_sql(" AND id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.id)?;
        out.push_sql(" AND ");
        self.finding.walk_ast(out)
    }
}
