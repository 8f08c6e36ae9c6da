//! Opportunities: what may be sold, to whom, for how much and when.

mod bulk;
mod row;
mod states;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{dsl::count_star, dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    filter::Entity,
    id::{CompanyId, ContactId, LeadId, OpportunityId},
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, RecordSort, SortKey},
    people::contact::DeletedInList,
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    sales::{
        opportunity::{
            Closing, LineProducts, LoseOpportunity, MoveOpportunity, NewLine, NewOpportunity, Opportunity,
            OpportunityExpanded, OpportunityPatch, OpportunityQuery, OpportunityRelation, OpportunitySearch,
            ReopenOpportunity, WinOpportunity,
        },
        pipeline::{Pipeline, Pipelines, Stage, StageTransferred},
    },
    workspace::custom_field::CustomValues,
};
use serde_json::Value;
use uuid::Uuid;

use self::row::Row;
pub(crate) use self::states::follow;
pub use self::{
    bulk::{batch, upsert},
    states::{close_date_history, stage_history},
};
use super::{lost_reasons, pipelines, products};
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    bulk::{Pending, Referenced, References},
    commerce::connections,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    one::{one, one_to_change},
    page::{Explained, PageRequest, not_sorted_by, order, rows, rows_with_missing_last, total},
    people::{Deleted, companies},
    require_version,
    schema::opportunities,
    search::{self, Finds, Search},
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable},
    workspace::{
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

/// How many opportunities one call moves out of a stage.
const MOST_TRANSFERRED: i64 = 1_000;

/// What the history calls it to lose an opportunity.
const LOST: &str = "lost";

const KIND: RecordKind = RecordKind::Opportunity;
const RESOURCE: Resource = Resource::Opportunities;

/// Opportunities that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> opportunities::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> opportunities::BoxedQuery<'static, Pg> {
    let mut all = opportunities::table.filter(opportunities::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(opportunities::deleted_at.is_null()),
        Deleted::Only => all.filter(opportunities::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One opportunity.
pub fn get(
    reader: &mut Reader<'_>,
    id: OpportunityId,
    deleted: Deleted,
    expand: &[OpportunityRelation],
) -> Result<Opportunity, StoreError> {
    require_readable(reader, RESOURCE, &OpportunityRelation::fields_used(expand))?;
    let row = one!(reader, opportunities, Row, RESOURCE, deleted, id.uuid())?;
    let mut opportunity = [row.into_opportunity()?];
    custom_values::hide_archived(reader, RESOURCE, opportunity.iter_mut().map(|opportunity| &mut opportunity.custom))?;
    embed(reader, &mut opportunity, expand)?;
    let [opportunity] = opportunity;
    Ok(opportunity)
}

/// The opportunity that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[OpportunityRelation],
) -> Result<Opportunity, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, OpportunityId::from_uuid(id), deleted, expand)
}

/// A page of the opportunities that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &OpportunityQuery) -> Result<Page<Opportunity>, StoreError> {
    let request = PageRequest::read(reader, "list_opportunities", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Opportunity, query.filter_nodes())?,
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

/// A page of the opportunities that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &OpportunitySearch) -> Result<Page<Opportunity>, StoreError> {
    let request = PageRequest::read(reader, "search_opportunities", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Opportunity)?;
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
        SortKey::CreatedAt => order!("opportunities.created_at", "opportunities.id", sort.direction),
        SortKey::UpdatedAt => order!("opportunities.updated_at", "opportunities.id", sort.direction),
        SortKey::Name => order!("opportunities.sort_name", "opportunities.id", sort.direction),
        SortKey::CloseDate => order!("opportunities.close_date", "opportunities.id", sort.direction),
        SortKey::DueAt | SortKey::Pinned | SortKey::Score => return Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, sort.direction, wanted.deleted)?;
            let among = Among { within: everything, filter: wanted.filter, finds: None };
            return order.plan(reader, &among, DEFAULT_LIMIT + 1);
        }
    };
    let page = filtered(reader, &wanted, None, everything)?
        .select(opportunities::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates an opportunity.
pub fn create(writer: &mut Writer<'_>, new: NewOpportunity) -> Result<Opportunity, StoreError> {
    create_from(writer, new, None, &References::default())
}

/// Creates the opportunity that a lead becomes. The contact and the company that the lead becomes are there, whether the caller
/// may see them or not.
pub(crate) fn create_of_lead(
    writer: &mut Writer<'_>,
    new: NewOpportunity,
    lead: LeadId,
    (contact, company): (ContactId, Option<CompanyId>),
) -> Result<Opportunity, StoreError> {
    let known = References::default().with("/company_id", Referenced::Company, company);
    create_from(writer, new, Some(lead), &known.with("/contacts", Referenced::Contact, Some(contact)))
}

fn create_from(
    writer: &mut Writer<'_>,
    mut new: NewOpportunity,
    originating_lead_id: Option<LeadId>,
    known: &References,
) -> Result<Opportunity, StoreError> {
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    writer.transaction(|writer| {
        let pipelines = pipelines::held(writer)?;
        let products = products_of(writer, new.lines.iter())?;
        custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
            let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
            let (id, stamp) = (OpportunityId::mint(), writer.stamp());
            let mut new = new.clone();
            // A stage may require one, and what is given may come to none, such as a choice of no options.
            if let Ok(kept) = &custom {
                new.custom.clone_from(kept);
            }
            let opportunity = Opportunity::create(new, id, stamp, &pipelines, &products);
            let (opportunity, custom) = Invalid::or_both(opportunity, custom)?;
            let opportunity = Opportunity { custom, originating_lead_id, ..opportunity };
            parties(&opportunity).require(writer, known)?;
            insert(writer, &opportunity)
        })
    })
}

/// Changes an opportunity; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    expected: Option<i64>,
    patch: &OpportunityPatch,
) -> Result<Opportunity, StoreError> {
    // What the stage says at this moment: the opportunity keeps it, whatever becomes of the stage.
    let pipelines = Pipelines::of(if patch.takes_from_stage() { pipelines::all(writer)? } else { Vec::new() });
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| {
        change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, _| {
            let mut patch = patch.clone();
            place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
            let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
            let products = products_of(writer, patch.lines.iter().flatten().flatten())?;
            let (after, custom) = Invalid::or_both(before.patch(patch, &pipelines, &products), custom)?;
            let after = Opportunity { custom, ..after };
            parties(&after).require(writer, &parties(before))?;
            require_held(writer, before, &after)?;
            Ok(after)
        })
    })
}

/// Moves an opportunity to another stage.
pub fn move_to(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    expected: Option<i64>,
    to: &MoveOpportunity,
) -> Result<Opportunity, StoreError> {
    let closing = Closing { lost_reason_id: to.lost_reason_id, lost_note: to.lost_note.clone() };
    step(writer, id, expected, "stage_changed", |_, before, pipelines, stamp| {
        Ok(before.moved(to.stage_id, &closing, pipelines, stamp)?)
    })
}

/// Wins an opportunity.
pub fn win(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    expected: Option<i64>,
    win: &WinOpportunity,
) -> Result<Opportunity, StoreError> {
    step(writer, id, expected, "won", |_, before, pipelines, stamp| Ok(before.won(win, pipelines, stamp)?))
}

/// Loses an opportunity, or says anew why it was lost.
pub fn lose(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    expected: Option<i64>,
    lose: &LoseOpportunity,
) -> Result<Opportunity, StoreError> {
    step(writer, id, expected, LOST, |_, before, pipelines, stamp| Ok(before.lost(lose, pipelines, stamp)?))
}

/// Opens an opportunity again that is won or lost.
pub fn reopen(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    expected: Option<i64>,
    reopen: &ReopenOpportunity,
) -> Result<Opportunity, StoreError> {
    step(writer, id, expected, "reopened", |writer, before, pipelines, stamp| {
        let last = states::last_open_stage(writer, before.id)?;
        Ok(before.reopened(reopen.stage_id, last, pipelines, stamp)?)
    })
}

/// A step from stage to stage, judged by pipelines that stay as they are meanwhile.
fn step(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    expected: Option<i64>,
    verb: &str,
    take: impl Fn(&mut Writer<'_>, &Opportunity, &Pipelines, Stamp) -> Result<Opportunity, StoreError>,
) -> Result<Opportunity, StoreError> {
    if !writer.grants().may_write(RESOURCE, "stage_id") {
        let detail = "Your role does not let you write stage_id, and so not bring opportunities to other stages.";
        return Err(StoreError::Forbidden(detail.to_owned()));
    }
    writer.transaction(|writer| {
        let pipelines = pipelines::held(writer)?;
        change(writer, id, Deleted::Exclude, expected, verb, |writer, before, stamp| {
            let after = take(writer, before, &pipelines, stamp)?;
            if let Some(reason) = after.lost_reason_id.filter(|reason| Some(*reason) != before.lost_reason_id) {
                lost_reasons::require(writer, reason, "/lost_reason_id")?;
            }
            Ok(after)
        })
    })
}

/// Refuses to take stages away in which there are opportunities.
pub(super) fn require_empty<'s>(
    reader: &mut Reader<'_>,
    stages: impl Iterator<Item = &'s Stage>,
) -> Result<(), StoreError> {
    let stages: HashMap<Uuid, &str> = stages.map(|stage| (stage.id.uuid(), stage.name.as_str())).collect();
    if stages.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = stages.keys().copied().collect();
    let used: Vec<(Uuid, i64)> = opportunities::table
        .filter(opportunities::workspace_id.eq(reader.workspace()))
        .filter(opportunities::deleted_at.is_null())
        .filter(opportunities::stage_id.eq_any(ids))
        .group_by(opportunities::stage_id)
        .select((opportunities::stage_id, count_star()))
        .load(reader.pg())?;
    let Some((stage, count)) = used.first() else { return Ok(()) };
    let detail = format!(
        "There are {count} opportunities in the stage {}. Move them first, with POST \
         /v1/pipelines/{{pipeline_id}}/transfer.",
        stages.get(stage).copied().unwrap_or_default()
    );
    Err(StoreError::Conflict { code: "in_use", detail })
}

/// Moves opportunities from one stage to another of its class, the oldest first, as many as one call may. It is a change
/// of the pipeline, not of single records: whoever may change pipelines may do it, and each opportunity tells of it.
pub(super) fn transfer(
    writer: &mut Writer<'_>,
    from: &Stage,
    pipeline: &Pipeline,
    to: &Stage,
) -> Result<StageTransferred, StoreError> {
    let there = || {
        opportunities::table
            .filter(opportunities::deleted_at.is_null())
            .filter(opportunities::stage_id.eq(from.id.uuid()))
    };
    let rows: Vec<Row> = there()
        .filter(opportunities::workspace_id.eq(writer.workspace()))
        .order(opportunities::id)
        .limit(MOST_TRANSFERRED)
        .select(Row::as_select())
        .for_update()
        .load(writer.pg())?;
    let (stamp, moved) = (writer.stamp(), rows.len());
    let mut pending = Pending::<Opportunity>::new();
    for row in rows {
        let before = row.into_opportunity()?;
        let mut after = before.transferred(pipeline, to, stamp);
        after.advance(stamp);
        pending.update(writer, "stage_changed", (&before, &after), stamp, None);
    }
    pending.flush(writer)?;
    let workspace = writer.workspace();
    let remaining: i64 =
        there().filter(opportunities::workspace_id.eq(workspace)).select(count_star()).first(writer.pg())?;
    Ok(StageTransferred { moved: i64::try_from(moved).unwrap_or(i64::MAX), remaining })
}

/// Marks an opportunity as deleted.
pub fn delete(writer: &mut Writer<'_>, id: OpportunityId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        Ok(Opportunity { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted opportunity back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: OpportunityId, expected: Option<i64>) -> Result<Opportunity, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Opportunity { deleted_at: None, ..before.clone() })
    })
}

/// What happened to an opportunity, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: OpportunityId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

fn insert(writer: &mut Writer<'_>, opportunity: &Opportunity) -> Result<Opportunity, StoreError> {
    let entry = Entry::new(
        writer,
        KIND,
        "created",
        opportunity.id.uuid(),
        Changes::of_new(opportunity),
        opportunity.created_at,
    );
    let entry = entry.along_with(states::FOLLOWING);
    let kept = Kept::new(opportunity.id.uuid(), None, Some(&opportunity.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        let write = diesel::insert_into(opportunities::table)
            .values(Row::of(writer.workspace(), opportunity))
            .returning(Row::as_returning());
        let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        Ok(Some(row.into_opportunity()?))
    })?
    .ok_or(StoreError::Contention)
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(opportunity: &Opportunity) -> Option<&CustomValues> {
    opportunity.deleted_at.is_none().then_some(&opportunity.custom)
}

/// A opportunity without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut opportunity: Opportunity) -> Result<Opportunity, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut opportunity.custom])?;
    Ok(opportunity)
}

/// Those of these opportunities that the caller may see.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let found = visible(reader, Deleted::Exclude).filter(opportunities::id.eq_any(ids)).select(opportunities::id);
    Ok(found.load(reader.pg())?)
}

/// One opportunity that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: OpportunityId, deleted: Deleted) -> Result<Opportunity, StoreError> {
    one_to_change!(reader, opportunities, Row, RESOURCE, deleted, id.uuid())?.into_opportunity()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: OpportunityId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Opportunity, Stamp) -> Result<Opportunity, StoreError>,
) -> Result<Opportunity, StoreError> {
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
        let entry = Entry::new(writer, KIND, told(verb, &before, &after), id.uuid(), changes, after.updated_at);
        let entry = entry.along_with(states::FOLLOWING);
        let kept = Kept::new(id.uuid(), living(&before), living(&after));
        let written = custom_values::written_with(writer, RESOURCE, &kept, |writer| {
            let write = diesel::update(opportunities::table)
                .filter(opportunities::workspace_id.eq(writer.workspace()))
                .filter(opportunities::id.eq(id.uuid()))
                .filter(opportunities::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            row.map(Row::into_opportunity).transpose()
        })?;
        if let Some(opportunity) = written {
            return shown(writer, opportunity);
        }
    }
    Err(StoreError::Contention)
}

/// What the history calls a change. Whoever says anew why something was lost does not lose it once more.
fn told<'v>(verb: &'v str, before: &Opportunity, after: &Opportunity) -> &'v str {
    match verb {
        LOST if before.stage_id == after.stage_id => "updated",
        _ => verb,
    }
}

/// What a list or a search asks for.
struct Wanted<'w> {
    filter: Option<Compiled>,
    deleted: DeletedInList,
    sort: Option<&'w RecordSort>,
    count: Option<Count>,
    expand: &'w [OpportunityRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Opportunity>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(opportunities::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|opportunity| &mut opportunity.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Opportunity>, StoreError> {
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
                "opportunities",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_opportunity)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "opportunities",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_opportunity)
        }
        SortKey::Name => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "opportunities", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_opportunity)
        }
        SortKey::CloseDate => {
            let rows: Vec<Row> = rows_with_missing_last!(
                reader,
                request,
                lanes,
                |within| Ok::<_, StoreError>(filtered(reader, wanted, search, within)?.select(Row::as_select())),
                opportunities,
                close_date,
                sql_types::Date,
                NaiveDate,
                direction
            )?;
            request.page(reader, rows, |row| (row.close_date, row.id), Row::into_opportunity)
        }
        SortKey::DueAt | SortKey::Pinned | SortKey::Score => Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(opportunities::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_opportunity)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Opportunity>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("opportunities").by_name_alone(),
        false => search.score("opportunities"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(opportunities::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), opportunities::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_opportunity())
}

/// The opportunities that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<opportunities::BoxedQuery<'static, Pg>, StoreError> {
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

/// The condition of a search, as far as the caller may see what opportunities are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    let finds = search.finds("opportunities");
    Ok(if by_name_alone(reader)? { finds.by_name_alone("TRUE") } else { finds })
}

/// Whether opportunities are found by their names alone, because the caller may not see what else they are found by.
fn by_name_alone(reader: &Reader<'_>) -> Result<bool, StoreError> {
    require_readable(reader, RESOURCE, &[("q", "name")])?;
    Ok(!Opportunity::SEARCHED.iter().all(|field| reader.scope().grants().may_read(RESOURCE, field)))
}

/// Embeds related records: one query for each relation, however many opportunities there are.
fn embed(
    reader: &mut Reader<'_>,
    opportunities: &mut [Opportunity],
    expand: &[OpportunityRelation],
) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let mut companies = HashMap::new();
    if expand.contains(&OpportunityRelation::Company) {
        let ids: Vec<Uuid> =
            opportunities.iter().filter_map(|opportunity| opportunity.company_id).map(Uuid::from).collect();
        companies = companies::embeddable(reader, &ids)?.into_iter().map(|company| (company.id, company)).collect();
    }
    let mut owners = HashMap::new();
    if expand.contains(&OpportunityRelation::Owner) {
        let ids: Vec<Uuid> =
            opportunities.iter().filter_map(|opportunity| opportunity.owner_id).map(Uuid::from).collect();
        owners = users::summaries(reader, &ids)?.into_iter().map(|user| (user.id, user)).collect();
    }
    let mut own_pipelines = HashMap::new();
    if expand.contains(&OpportunityRelation::Pipeline) {
        let ids: Vec<Uuid> = opportunities.iter().map(|opportunity| opportunity.pipeline_id.uuid()).collect();
        own_pipelines = pipelines::by_ids(reader, &ids)?.into_iter().map(|pipeline| (pipeline.id, pipeline)).collect();
    }
    for opportunity in opportunities {
        opportunity.expanded = Some(Box::new(OpportunityExpanded {
            company: opportunity.company_id.and_then(|id| companies.get(&id).cloned()),
            owner: opportunity.owner_id.and_then(|id| owners.get(&id).cloned()),
            pipeline: own_pipelines.get(&opportunity.pipeline_id).cloned(),
        }));
    }
    Ok(())
}

/// The opportunities of these ids that the caller may see.
pub(crate) fn by_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Opportunity>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(opportunities::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(Row::into_opportunity).collect()
}

/// Opportunities as they are embedded in others.
pub(crate) fn embeddable(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Opportunity>, StoreError> {
    let mut found = by_ids(reader, ids)?;
    custom_values::hide_archived(reader, RESOURCE, found.iter_mut().map(|opportunity| &mut opportunity.custom))?;
    Ok(found)
}

/// The products that lines name, as far as the caller may see them.
fn products_of<'l>(
    reader: &mut Reader<'_>,
    lines: impl Iterator<Item = &'l NewLine>,
) -> Result<LineProducts, StoreError> {
    let ids: Vec<Uuid> = lines.filter_map(|line| line.product_id).map(Uuid::from).collect();
    products::for_lines(reader, &ids)
}

/// The company and the contacts. Owner and team are held by foreign keys.
fn parties(opportunity: &Opportunity) -> References {
    References::default().with("/company_id", Referenced::Company, opportunity.company_id).with_each(
        "/contacts",
        "contact_id",
        Referenced::Contact,
        opportunity.contact_ids(),
    )
}
