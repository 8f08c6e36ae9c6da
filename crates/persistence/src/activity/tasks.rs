//! Tasks.

mod bulk;
mod by_due;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Days, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::{Part, Resource},
    activity::{
        parent::ParentKind,
        task::{
            MyTasksQuery, NewTask, Priority, Task, TaskAction, TaskExpanded, TaskInvolvement, TaskPatch, TaskQuery,
            TaskRelation, TaskSearch,
        },
    },
    filter::Entity,
    id::{TaskId, UserId},
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, Direction, RecordSort, SortKey},
    people::contact::DeletedInList,
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    workspace::custom_field::CustomValues,
};
use serde_json::Value;
use uuid::Uuid;

pub use self::bulk::{batch, upsert};
pub(crate) use self::bulk::{bring_back, bring_over};
use self::row::Row;
use super::parents::{Parents, require_whole_parent, with_parent};
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    bulk::{Referenced, References},
    commerce::connections,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    one::{one, one_to_change},
    page::{Explained, PageRequest, not_sorted_by, order, rows, total},
    people::Deleted,
    require_version,
    schema::tasks,
    search::{self, Finds, Search},
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable, require_writable},
    workspace::{
        custom_fields,
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

const KIND: RecordKind = RecordKind::Task;
const RESOURCE: Resource = Resource::Tasks;

/// Tasks that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> tasks::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> tasks::BoxedQuery<'static, Pg> {
    let mut all = tasks::table.filter(tasks::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(tasks::deleted_at.is_null()),
        Deleted::Only => all.filter(tasks::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One task.
pub fn get(reader: &mut Reader<'_>, id: TaskId, deleted: Deleted, expand: &[TaskRelation]) -> Result<Task, StoreError> {
    require_readable(reader, RESOURCE, &TaskRelation::fields_used(expand))?;
    let row = one!(reader, tasks, Row, RESOURCE, deleted, id.uuid())?;
    let mut task = [row.into_task()?];
    custom_values::hide_archived(reader, RESOURCE, task.iter_mut().map(|task| &mut task.custom))?;
    embed(reader, &mut task, expand)?;
    let [task] = task;
    Ok(task)
}

/// The task that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[TaskRelation],
) -> Result<Task, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, TaskId::from_uuid(id), deleted, expand)
}

/// A page of the tasks that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
    let request = PageRequest::read(reader, "list_tasks", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    require_whole_parent(query.parent_kind, query.parent_id)?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Task, query.filter_nodes(reader.now()))?,
        deleted: query.deleted,
        sort: query.sort.as_ref(),
        count: search::count(query.q.as_deref(), query.count),
        expand: &query.expand,
    };
    let Some(words) = &query.q else {
        return whole_page(reader, &wanted, None, &request);
    };
    search::until_found(reader, words, wanted.filter.as_ref(), request, |reader, search, request| {
        whole_page(reader, &wanted, Some(search), request)
    })
}

/// A page of the tasks in which the caller is involved: first what is left to be done, by the time at which it is due.
pub fn list_mine(reader: &mut Reader<'_>, query: &MyTasksQuery) -> Result<Page<Task>, StoreError> {
    let request = PageRequest::read(reader, "list_my_tasks", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    if let Some(field) = MyTasksQuery::ALWAYS_USED.iter().find(|field| !reader.grants().may_read(RESOURCE, field)) {
        let detail = format!("This list goes by {field}, which your role keeps from you. Use GET /v1/tasks.");
        return Err(StoreError::Forbidden(detail));
    }
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Task, query.filter_nodes(reader.now()))?,
        deleted: DeletedInList::Exclude,
        sort: None,
        count: query.count,
        expand: &query.expand,
    };
    // A program that acts for nobody is nobody: no user has this id.
    let user = reader.grants().user.unwrap_or(Uuid::nil());
    let lanes = Involved::lanes(user, query);
    let everything = Policy::reading(reader, RESOURCE).whole();
    let lane = |reader: &Reader<'_>, involved: Involved| {
        Ok(involved.among(filtered(reader, &wanted, None, everything.clone())?))
    };
    let mut page = by_due::page(reader, &request, by_due::UNFINISHED_FIRST, Direction::Ascending, &lanes, lane)?;
    page.total = total!(
        reader,
        Involved::of(user, query).among(filtered(reader, &wanted, None, everything.clone())?).select(tasks::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|task| &mut task.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

/// So many tasks that are left to be done stand in a calendar, and so many that were done in the last days.
const MOST_IN_CALENDAR: i64 = 1_000;
const DAYS_IN_CALENDAR: u64 = 30;

/// The tasks for the calendar of the user who reads: what they are to do and have done lately, as far as it is due some day
/// and they may see it. Fields that are closed to them are empty.
pub fn in_calendar(reader: &mut Reader<'_>) -> Result<Vec<Task>, StoreError> {
    let grants = reader.grants().clone();
    let may_see = |field: &str| grants.may_read(RESOURCE, field);
    let Some(user) =
        grants.user.filter(|_| ["name"].iter().chain(MyTasksQuery::ALWAYS_USED).all(|field| may_see(field)))
    else {
        return Ok(Vec::new());
    };
    let mine = |reader: &Reader<'_>| {
        visible(reader, Deleted::Exclude).filter(tasks::assignee_id.eq(user)).filter(tasks::due_at.is_not_null())
    };
    // As the index of what is left to be done says it.
    let unfinished = mine(reader).filter(sql::<sql_types::Bool>("tasks.status_class IN ('open', 'on_hold')"));
    let unfinished = unfinished.order((tasks::due_at, tasks::id)).limit(MOST_IN_CALENDAR).select(Row::as_select());
    let mut rows: Vec<Row> = unfinished.load(reader.pg())?;
    let lately = reader.now().checked_sub_days(Days::new(DAYS_IN_CALENDAR)).unwrap_or(DateTime::UNIX_EPOCH);
    let done = mine(reader).filter(tasks::status.eq("completed")).filter(tasks::completed_at.ge(lately));
    // It was last changed when it was done, or later: the index of changes finds it.
    let done = done.filter(tasks::updated_at.ge(lately)).order((tasks::updated_at.desc(), tasks::id.desc()));
    rows.extend(done.limit(MOST_IN_CALENDAR).select(Row::as_select()).load::<Row>(reader.pg())?);
    let mut found = rows.into_iter().map(Row::into_task).collect::<Result<Vec<_>, _>>()?;
    for task in &mut found {
        task.description.take_if(|_| !may_see("description"));
        task.start_at.take_if(|_| !may_see("start_at"));
        task.recurrence.take_if(|_| !may_see("recurrence"));
        task.completed_at.take_if(|_| !may_see("completed_at"));
        if !may_see("reminders") {
            task.reminders.clear();
        }
        if !may_see("priority") {
            task.priority = Priority::default();
        }
    }
    Ok(found)
}

/// A page of the tasks that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &TaskSearch) -> Result<Page<Task>, StoreError> {
    let request = PageRequest::read(reader, "search_tasks", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Task)?;
    let wanted = Wanted {
        filter: checked
            .as_ref()
            .map(|checked| Compiled::of_tree(reader, &checked.condition, search.deleted))
            .transpose()?,
        deleted: search.deleted,
        sort: search.sort.as_ref(),
        count: search.count,
        expand: &search.expand,
    };
    reader
        .within_budget(|reader| whole_page(reader, &wanted, None, &request))
        .map_err(|error| filter::too_costly(error.in_body(), checked.as_ref()))
}

/// How the database would find the first page of those for whom a filter holds.
pub(crate) fn plan(reader: &mut Reader<'_>, filter: Compiled, sort: &RecordSort) -> Result<Value, StoreError> {
    let wanted = Wanted { filter: Some(filter), deleted: DeletedInList::Exclude, sort: None, count: None, expand: &[] };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let order = match &sort.key {
        SortKey::CreatedAt => order!("tasks.created_at", "tasks.id", sort.direction),
        SortKey::UpdatedAt => order!("tasks.updated_at", "tasks.id", sort.direction),
        SortKey::Name => order!("tasks.sort_name", "tasks.id", sort.direction),
        SortKey::CloseDate | SortKey::Pinned | SortKey::Score => return Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::DueAt => order!("tasks.due_at", "tasks.id", sort.direction),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, sort.direction, wanted.deleted)?;
            let among = Among { within: everything, filter: wanted.filter, finds: None };
            return order.plan(reader, &among, DEFAULT_LIMIT + 1);
        }
    };
    let page = filtered(reader, &wanted, None, everything)?
        .select(tasks::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates a task.
pub fn create(writer: &mut Writer<'_>, mut new: NewTask) -> Result<Task, StoreError> {
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
        let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
        let task = Task::create(new.clone(), TaskId::mint(), writer.stamp());
        let (task, custom) = Invalid::or_both(task, custom)?;
        let task = Task { custom, ..task };
        related(&task).require(writer, &References::default())?;
        insert(writer, &task)
    })
}

/// Changes a task; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: TaskId,
    expected: Option<i64>,
    patch: &TaskPatch,
) -> Result<Task, StoreError> {
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| {
        change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, _| {
            let mut patch = patch.clone();
            place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
            let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
            let (after, custom) = Invalid::or_both(before.patch(patch), custom)?;
            let after = Task { custom, ..after };
            related(&after).require(writer, &related(before))?;
            require_held(writer, before, &after)?;
            Ok(after)
        })
    })
}

/// Completes, cancels or reopens a task; one that is already so stays as it is. A task that comes back is followed by its
/// successor, in the same transaction.
pub fn act(writer: &mut Writer<'_>, id: TaskId, expected: Option<i64>, action: TaskAction) -> Result<Task, StoreError> {
    require_writable(writer, RESOURCE, &["status"], "complete, cancel or reopen tasks")?;
    writer.transaction(|writer| {
        let mut successor = None;
        let mut task = change(writer, id, Deleted::Exclude, expected, action.event(), |_, before, stamp| {
            let after = before.act(action, stamp.at)?;
            let is_done = action == TaskAction::Complete && after.status != before.status;
            successor = if is_done { after.successor(TaskId::mint(), stamp) } else { None };
            Ok(Task { successor_id: successor.as_ref().map(|task| task.id).or(after.successor_id), ..after })
        })?;
        if let Some(successor) = successor {
            follow(writer, successor)?;
            if writer.is_rehearsal() {
                task.successor_id = None; // it will not be there
            }
        }
        Ok(task)
    })
}

/// Creates the task that comes after another. What has to be unique stays with that one.
fn follow(writer: &mut Writer<'_>, mut successor: Task) -> Result<(), StoreError> {
    custom_values::in_turn(writer, !successor.custom.is_empty(), |writer| {
        if !successor.custom.is_empty() {
            let fields = custom_fields::of(writer, RESOURCE)?;
            successor.custom.retain(|key, _| fields.live().any(|field| field.key == *key && !field.unique));
        }
        insert(writer, &successor).map(drop)
    })
}

/// Marks a task as deleted.
pub fn delete(writer: &mut Writer<'_>, id: TaskId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        Ok(Task { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted task back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: TaskId, expected: Option<i64>) -> Result<Task, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Task { deleted_at: None, ..before.clone() })
    })
}

/// What happened to a task, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: TaskId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

fn insert(writer: &mut Writer<'_>, task: &Task) -> Result<Task, StoreError> {
    let entry = Entry::new(writer, KIND, "created", task.id.uuid(), Changes::of_new(task), task.created_at);
    let kept = Kept::new(task.id.uuid(), None, Some(&task.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        let write =
            diesel::insert_into(tasks::table).values(Row::of(writer.workspace(), task)).returning(Row::as_returning());
        let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        Ok(Some(row.into_task()?))
    })?
    .ok_or(StoreError::Contention)
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(task: &Task) -> Option<&CustomValues> {
    task.deleted_at.is_none().then_some(&task.custom)
}

/// A task without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut task: Task) -> Result<Task, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut task.custom])?;
    Ok(task)
}

/// One task that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: TaskId, deleted: Deleted) -> Result<Task, StoreError> {
    one_to_change!(reader, tasks, Row, RESOURCE, deleted, id.uuid())?.into_task()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: TaskId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    mut apply: impl FnMut(&mut Writer<'_>, &Task, Stamp) -> Result<Task, StoreError>,
) -> Result<Task, StoreError> {
    for _ in 0..TRIES {
        let before = get_to_change(writer, id, deleted)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = apply(writer, &before, stamp)?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return shown(writer, before);
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, verb, id.uuid(), changes, after.updated_at);
        let kept = Kept::new(id.uuid(), living(&before), living(&after));
        let written = custom_values::written_with(writer, RESOURCE, &kept, |writer| {
            let write = diesel::update(tasks::table)
                .filter(tasks::workspace_id.eq(writer.workspace()))
                .filter(tasks::id.eq(id.uuid()))
                .filter(tasks::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            row.map(Row::into_task).transpose()
        })?;
        if let Some(task) = written {
            return shown(writer, task);
        }
    }
    Err(StoreError::Contention)
}

/// What a list or a search asks for.
struct Wanted<'w> {
    filter: Option<Compiled>,
    deleted: DeletedInList,
    sort: Option<&'w RecordSort>,
    count: Option<Count>,
    expand: &'w [TaskRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Task>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(tasks::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|task| &mut task.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Task>, StoreError> {
    let policy = Policy::reading(reader, RESOURCE);
    // What is searched for is found by an index of its own, and filtered as a whole.
    let lanes = if search.is_some() { vec![policy.whole()] } else { policy.lanes() };
    let lane = |within| Ok::<_, StoreError>(filtered(reader, wanted, search, within)?.select(Row::as_select()));
    let direction = sort.direction;
    match &sort.key {
        SortKey::CreatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "tasks",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_task)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "tasks",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_task)
        }
        SortKey::Name => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "tasks", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_task)
        }
        SortKey::CloseDate | SortKey::Pinned | SortKey::Score => Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::DueAt => by_due::page(reader, request, by_due::SECTIONS, direction, &lanes, |reader, within| {
            filtered(reader, wanted, search, within)
        }),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(tasks::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_task)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Task>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("tasks").by_name_alone(),
        false => search.score("tasks"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(tasks::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), tasks::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_task())
}

/// The tasks that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<tasks::BoxedQuery<'static, Pg>, StoreError> {
    let mut select = match wanted.deleted {
        DeletedInList::Exclude => within(reader, Deleted::Exclude, condition),
        DeletedInList::Only => within(reader, Deleted::Only, condition),
    };
    if let Some(filter) = &wanted.filter {
        select = select.filter(filter.clone());
    }
    Ok(match search {
        Some(search) => select.filter(finds(reader, search)?),
        None => select,
    })
}

/// The condition of a search, as far as the caller may see what tasks are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    let finds = search.finds("tasks");
    Ok(if by_name_alone(reader)? { finds.by_name_alone("TRUE") } else { finds })
}

/// Whether tasks are found by their names alone, because the caller may not see what else they are found by.
fn by_name_alone(reader: &Reader<'_>) -> Result<bool, StoreError> {
    require_readable(reader, RESOURCE, &[("q", "name")])?;
    Ok(!Task::SEARCHED.iter().all(|field| reader.scope().grants().may_read(RESOURCE, field)))
}

/// Embeds related records: one query for each relation, however many tasks there are.
fn embed(reader: &mut Reader<'_>, tasks: &mut [Task], expand: &[TaskRelation]) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let kinds: Vec<ParentKind> = expand.iter().filter_map(|relation| relation.of_parents()).collect();
    let parents = Parents::find(reader, tasks.iter().filter_map(|task| task.parent), &kinds)?;
    let user_of = |task: &Task, relation: TaskRelation| match relation {
        _ if !expand.contains(&relation) => None,
        TaskRelation::Owner => task.owner_id,
        TaskRelation::Assignee => task.assignee_id,
        _ => None,
    };
    let users_of = |task: &Task| [TaskRelation::Owner, TaskRelation::Assignee].map(|relation| user_of(task, relation));
    let ids: Vec<Uuid> = tasks.iter().flat_map(users_of).flatten().map(UserId::uuid).collect();
    let users: HashMap<_, _> = match ids.as_slice() {
        [] => HashMap::new(),
        ids => users::summaries(reader, ids)?.into_iter().map(|user| (user.id, user)).collect(),
    };
    for task in tasks {
        let about = parents.of(task.parent);
        let user = |relation: TaskRelation| user_of(task, relation).and_then(|id| users.get(&id).cloned());
        task.expanded = Some(Box::new(TaskExpanded {
            contact: about.contact,
            company: about.company,
            lead: about.lead,
            opportunity: about.opportunity,
            product: about.product,
            owner: user(TaskRelation::Owner),
            assignee: user(TaskRelation::Assignee),
        }));
    }
    Ok(())
}

/// The tasks of these ids that the caller may see.
fn by_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Task>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(tasks::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(Row::into_task).collect()
}

/// What part a user has in a task, whoever may see it.
pub(crate) fn part(reader: &mut Reader<'_>, id: Uuid, user: UserId) -> Result<Option<Part>, StoreError> {
    let found: Option<(Option<Uuid>, Vec<Uuid>)> = tasks::table
        .filter(tasks::workspace_id.eq(reader.workspace()))
        .filter(tasks::id.eq(id))
        .select((tasks::assignee_id, tasks::collaborator_ids))
        .first(reader.pg())
        .optional()?;
    Ok(found.and_then(|(assignee, collaborators)| match user.uuid() {
        user if assignee == Some(user) => Some(Part::Assignee),
        user if collaborators.contains(&user) => Some(Part::Collaborator),
        _ => None,
    }))
}

/// The parent and the collaborators. Owner, team and assignee are held by foreign keys.
fn related(task: &Task) -> References {
    let helpers = task.collaborator_ids.iter().copied();
    with_parent(References::default(), task.parent).with_list("/collaborator_ids", Referenced::User, helpers)
}

/// What a user has to do with the tasks of a list.
#[derive(Clone, Copy)]
enum Involved {
    /// They are to do them.
    ToDo(Uuid),
    /// They help.
    Helping(Uuid),
    /// They help, and are not to do them.
    HelpingAlone(Uuid),
    /// Either.
    Both(Uuid),
}

impl Involved {
    /// The lists that make up what was asked for: no task is in two.
    fn lanes(user: Uuid, query: &MyTasksQuery) -> Vec<Self> {
        match Self::of(user, query) {
            Self::Both(_) => vec![Self::ToDo(user), Self::HelpingAlone(user)],
            one => vec![one],
        }
    }

    fn of(user: Uuid, query: &MyTasksQuery) -> Self {
        match [TaskInvolvement::Assignee, TaskInvolvement::Collaborator].map(|involved| query.asks_for(involved)) {
            [true, true] => Self::Both(user),
            [false, true] => Self::Helping(user),
            [_, false] => Self::ToDo(user),
        }
    }

    /// Those of the tasks in which the user is involved.
    fn among(self, tasks: tasks::BoxedQuery<'static, Pg>) -> tasks::BoxedQuery<'static, Pg> {
        // The second condition is that of the index, without which it would not be used.
        let helps = |user: Uuid| {
            tasks::collaborator_ids.contains(vec![user]).and(tasks::collaborator_ids.ne(Vec::<Uuid>::new()))
        };
        match self {
            Self::ToDo(user) => tasks.filter(tasks::assignee_id.eq(user)),
            Self::Helping(user) => tasks.filter(helps(user)),
            Self::HelpingAlone(user) => tasks.filter(helps(user)).filter(tasks::assignee_id.is_distinct_from(user)),
            Self::Both(user) => tasks.filter(tasks::assignee_id.is_not_distinct_from(user).or(helps(user))),
        }
    }
}
