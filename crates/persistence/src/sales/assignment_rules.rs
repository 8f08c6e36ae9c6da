//! Assignment rules: who gets which new leads.

mod decide;

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{count_star, exists, max},
    pg::Pg,
    prelude::*,
    select, sql_types,
};
use rapport_domain::{
    filter::{Entity, Filter},
    id::{AssignmentRuleId, TeamId, UserId},
    journal::{Changes, JournalEntry},
    record::RecordKind,
    sales::assignment_rule::{AssignmentRule, AssignmentRulePatch, AssignmentRuleQuery, MOST_RULES, NewAssignmentRule},
};
use uuid::Uuid;

pub(crate) use self::decide::{Decision, decide};
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    bulk::{Known, Referenced, References},
    codes, filter,
    journal::{self, Entry, Journalled},
    json::Json,
    page::{PageRequest, seek},
    quota::Quota,
    require_version,
    schema::{assignment_rules, assignment_turns},
};

const KIND: RecordKind = RecordKind::AssignmentRule;

const QUOTA: Quota = Quota { of: "assignment rules", most: MOST_RULES, advice: "Change one that is there." };

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = assignment_rules, primary_key(workspace_id, id), check_for_backend(Pg))]
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
    position: i64,
    active: bool,
    filter: Option<Json<Filter>>,
    strategy: String,
    user_ids: Vec<Uuid>,
    team_id: Option<Uuid>,
    max_open_leads: Option<i64>,
}

impl Row {
    fn of(workspace: Uuid, rule: &AssignmentRule) -> Self {
        Self {
            workspace_id: workspace,
            id: rule.id.uuid(),
            version: rule.version,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
            created_by: rule.created_by,
            updated_by: rule.updated_by,
            name: rule.name.clone(),
            position: rule.position,
            active: rule.active,
            filter: rule.filter.clone().map(Json),
            strategy: codes::word(&rule.strategy),
            user_ids: rule.user_ids.iter().map(|user| user.uuid()).collect(),
            team_id: rule.team_id.map(TeamId::uuid),
            max_open_leads: rule.max_open_leads,
        }
    }

    fn into_rule(self) -> Result<AssignmentRule, StoreError> {
        Ok(AssignmentRule {
            id: AssignmentRuleId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            name: self.name,
            position: self.position,
            active: self.active,
            filter: self.filter.map(|Json(filter)| filter),
            strategy: codes::value(&self.strategy)?,
            user_ids: self.user_ids.into_iter().map(UserId::from_uuid).collect(),
            team_id: self.team_id.map(TeamId::from_uuid),
            max_open_leads: self.max_open_leads,
        })
    }
}

/// Assignment rules of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>) -> assignment_rules::BoxedQuery<'static, Pg> {
    assignment_rules::table.filter(assignment_rules::workspace_id.eq(reader.workspace())).into_boxed()
}

/// One assignment rule.
pub fn get(reader: &mut Reader<'_>, id: AssignmentRuleId) -> Result<AssignmentRule, StoreError> {
    let row: Option<Row> = visible(reader)
        .filter(assignment_rules::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_rule()
}

/// A page of the assignment rules, in the order in which they are asked.
pub fn list(reader: &mut Reader<'_>, query: &AssignmentRuleQuery) -> Result<Page<AssignmentRule>, StoreError> {
    let request = PageRequest::read(reader, "list_assignment_rules", query, query.limit, query.cursor.as_deref())?;
    let select = visible(reader).select(Row::as_select());
    let after = request.after::<i64>()?;
    let select = seek!(
        select,
        "assignment_rules.position",
        sql_types::BigInt,
        "assignment_rules.id",
        Direction::Ascending,
        after
    );
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.position, row.id), Row::into_rule)
}

/// All assignment rules, in the order in which they are asked.
fn all(reader: &mut Reader<'_>) -> Result<Vec<AssignmentRule>, StoreError> {
    let rows: Vec<Row> = visible(reader)
        .order((assignment_rules::position, assignment_rules::id))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(Row::into_rule).collect()
}

/// Whether any rule is asked at all.
pub(crate) fn any_active(reader: &mut Reader<'_>) -> Result<bool, StoreError> {
    let active = visible(reader).filter(assignment_rules::active);
    Ok(select(exists(active)).get_result(reader.pg())?)
}

/// Creates an assignment rule.
pub fn create(writer: &mut Writer<'_>, new: NewAssignmentRule) -> Result<AssignmentRule, StoreError> {
    writer.transaction(|writer| {
        QUOTA.require_in_workspace(writer, |writer| visible(writer).select(count_star()).first(writer.pg()))?;
        let taken: Option<i64> = assignment_rules::table
            .filter(assignment_rules::workspace_id.eq(writer.workspace()))
            .select(max(assignment_rules::position))
            .first(writer.pg())?;
        let last = taken.unwrap_or_default() + 1;
        let rule = AssignmentRule::create(new.clone(), AssignmentRuleId::mint(), writer.stamp(), last)?;
        check(writer, &rule, None)?;
        let entry = Entry::new(writer, KIND, "created", rule.id.uuid(), Changes::of_new(&rule), rule.created_at);
        let row = Row::of(writer.workspace(), &rule);
        let write = diesel::insert_into(assignment_rules::table).values(row).returning(Row::as_returning());
        let row = (Journalled { write, entry }).get_result::<Row>(writer.pg())?;
        diesel::insert_into(assignment_turns::table)
            .values((
                assignment_turns::workspace_id.eq(writer.workspace()),
                assignment_turns::rule_id.eq(rule.id.uuid()),
            ))
            .execute(writer.pg())?;
        row.into_rule()
    })
}

/// Changes an assignment rule. Whose turn it is stays.
pub fn update(
    writer: &mut Writer<'_>,
    id: AssignmentRuleId,
    expected: Option<i64>,
    patch: &AssignmentRulePatch,
) -> Result<AssignmentRule, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = before.patch(patch.clone())?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        check(writer, &after, Some(&before))?;
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, "updated", id.uuid(), changes, after.updated_at);
        let write = diesel::update(assignment_rules::table)
            .filter(assignment_rules::workspace_id.eq(writer.workspace()))
            .filter(assignment_rules::id.eq(id.uuid()))
            .filter(assignment_rules::version.eq(before.version))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        if let Some(row) = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
            return row.into_rule();
        }
    }
    Err(StoreError::Contention)
}

/// Deletes an assignment rule for good. Leads keep whom it gave them to.
pub fn delete(writer: &mut Writer<'_>, id: AssignmentRuleId, expected: Option<i64>) -> Result<(), StoreError> {
    let rule = get(writer, id)?;
    require_version(expected, rule.version)?;
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&rule), writer.now());
    let write = diesel::delete(assignment_rules::table)
        .filter(assignment_rules::workspace_id.eq(writer.workspace()))
        .filter(assignment_rules::id.eq(id.uuid()))
        .filter(assignment_rules::version.eq(rule.version))
        .returning(Row::as_returning());
    match (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// What happened to an assignment rule, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: AssignmentRuleId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// Refuses a rule with users or a team that are not there, or a filter that does not fit.
fn check(reader: &mut Reader<'_>, rule: &AssignmentRule, before: Option<&AssignmentRule>) -> Result<(), StoreError> {
    let named = references(rule);
    Known::find(reader, &named)?.require(&named, &before.map(references).unwrap_or_default())?;
    filter::of_search(reader, rule.filter.as_ref(), Entity::Lead).map(drop)
}

fn references(rule: &AssignmentRule) -> References {
    let users = rule.user_ids.iter().enumerate();
    let users = users.fold(References::default(), |named, (index, user)| {
        named.with(format!("/user_ids/{index}"), Referenced::User, Some(*user))
    });
    users.with("/team_id", Referenced::Team, rule.team_id)
}
