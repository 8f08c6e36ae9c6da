//! Leads.

mod assign;
mod bulk;
mod captured;
pub mod conversion;
pub mod duplicates;
mod history;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    filter::Entity,
    id::LeadId,
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, RecordSort, SortKey},
    people::{contact::DeletedInList, duplicate::OnDuplicate},
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    sales::lead::{
        Lead, LeadExpanded, LeadMove, LeadPatch, LeadQuery, LeadRelation, LeadSearch, LeadStatusChange, NewLead,
    },
    workspace::custom_field::CustomValues,
};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use self::row::Row;
pub use self::{
    assign::assign,
    bulk::{batch, upsert},
};
pub(crate) use self::{
    bulk::{having, replace_status},
    captured::{newest_open_with, note_submission},
};
use super::{lead_statuses, lost_reasons};
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    commerce::connections,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    one::{one, one_to_change},
    page::{Explained, PageRequest, not_sorted_by, order, rows, rows_with_missing_last, total},
    people::{Deleted, duplicates::lock_keys},
    require_version,
    schema::leads,
    search::{self, Finds, Search},
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable, require_writable},
    workspace::{
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

const KIND: RecordKind = RecordKind::Lead;
const RESOURCE: Resource = Resource::Leads;

/// Whether a lead is sorted by the name of a person or company.
const HAS_NAME: &str = "coalesce(leads.folded ->> 'first_name', leads.folded ->> 'last_name', \
                        leads.folded ->> 'company_name') IS NOT NULL";

/// Leads that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> leads::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> leads::BoxedQuery<'static, Pg> {
    let mut all = leads::table.filter(leads::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(leads::deleted_at.is_null()),
        Deleted::Only => all.filter(leads::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One lead.
pub fn get(reader: &mut Reader<'_>, id: LeadId, deleted: Deleted, expand: &[LeadRelation]) -> Result<Lead, StoreError> {
    require_readable(reader, RESOURCE, &LeadRelation::fields_used(expand))?;
    let row = one!(reader, leads, Row, RESOURCE, deleted, id.uuid())?;
    let mut lead = [row.into_lead()?];
    custom_values::hide_archived(reader, RESOURCE, lead.iter_mut().map(|lead| &mut lead.custom))?;
    embed(reader, &mut lead, expand)?;
    let [lead] = lead;
    Ok(lead)
}

/// The lead that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[LeadRelation],
) -> Result<Lead, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, LeadId::from_uuid(id), deleted, expand)
}

/// A page of the leads that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &LeadQuery) -> Result<Page<Lead>, StoreError> {
    let request = PageRequest::read(reader, "list_leads", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Lead, query.filter_nodes())?,
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

/// A page of the leads that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &LeadSearch) -> Result<Page<Lead>, StoreError> {
    let request = PageRequest::read(reader, "search_leads", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Lead)?;
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
        SortKey::CreatedAt => order!("leads.created_at", "leads.id", sort.direction),
        SortKey::UpdatedAt => order!("leads.updated_at", "leads.id", sort.direction),
        SortKey::Name => order!("leads.sort_name", "leads.id", sort.direction),
        SortKey::Score => order!("leads.score", "leads.id", sort.direction),
        SortKey::CloseDate | SortKey::DueAt | SortKey::Pinned => return Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, sort.direction, wanted.deleted)?;
            let among = Among { within: everything, filter: wanted.filter, finds: None };
            return order.plan(reader, &among, DEFAULT_LIMIT + 1);
        }
    };
    let page = filtered(reader, &wanted, None, everything)?
        .select(leads::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates a lead, unless somebody with the same mailbox or line is known and `on_duplicate` minds. One that would be nobody's
/// goes to whom the rules of the workspace name.
pub fn create(writer: &mut Writer<'_>, mut new: NewLead, on_duplicate: OnDuplicate) -> Result<Lead, StoreError> {
    let (named, is_for_rules) = (assign::Named::of(&new), new.owner_id.is_none() && assign::are_for_rules(writer)?);
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    let create = |writer: &mut Writer<'_>| {
        custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
            create_in_turn(writer, new.clone(), on_duplicate)
        })
    };
    if !is_for_rules {
        return create(writer);
    }
    writer.transaction(|writer| {
        let lead = create(writer)?;
        Ok(assign::settle(writer, &lead, named)?.unwrap_or(lead))
    })
}

fn create_in_turn(writer: &mut Writer<'_>, new: NewLead, on_duplicate: OnDuplicate) -> Result<Lead, StoreError> {
    let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
    let statuses = lead_statuses::of(writer)?;
    let lead = Lead::create(new, &statuses, LeadId::mint(), writer.stamp(), writer.scope().country());
    let (lead, custom) = Invalid::or_both(lead, custom)?;
    let lead = Lead { custom, ..lead };
    require_reason(writer, None, &lead)?;
    let keys = lead.match_keys();
    if on_duplicate == OnDuplicate::Allow || keys.is_empty() {
        return insert(writer, &lead);
    }
    writer.transaction(|writer| {
        lock_keys(writer, &keys)?;
        match duplicates::with_keys(writer, &keys)? {
            known if known.is_empty() => insert(writer, &lead),
            known => Err(StoreError::Duplicates(known)),
        }
    })
}

/// Changes a lead; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: LeadId,
    expected: Option<i64>,
    patch: &LeadPatch,
) -> Result<Lead, StoreError> {
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| update_in_turn(writer, id, expected, patch))
}

fn update_in_turn(
    writer: &mut Writer<'_>,
    id: LeadId,
    expected: Option<i64>,
    patch: &LeadPatch,
) -> Result<Lead, StoreError> {
    change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, _| {
        require_changeable(before)?;
        let mut patch = patch.clone();
        place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
        let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
        let (after, custom) = Invalid::or_both(before.patch(patch, writer.scope().country()), custom)?;
        let after = Lead { custom, ..after };
        require_reason(writer, Some(before), &after)?;
        require_held(writer, before, &after)?;
        Ok(after)
    })
}

/// Moves a lead to another status, as far as the rules let it go there.
pub fn move_to(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>, to: &LeadMove) -> Result<Lead, StoreError> {
    change(writer, id, Deleted::Exclude, expected, "status_changed", |writer, before, stamp| {
        require_changeable(before)?;
        let after = before.move_to(to.clone(), &lead_statuses::of(writer)?, stamp)?;
        require_reason(writer, Some(before), &after)?;
        Ok(after)
    })
}

/// Begins anew with a lead that was lost.
pub fn recycle(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>) -> Result<Lead, StoreError> {
    require_writable(writer, RESOURCE, &["status"], "recycle leads")?;
    change(writer, id, Deleted::Exclude, expected, "recycled", |writer, before, stamp| {
        require_changeable(before)?;
        Ok(before.recycle(&lead_statuses::of(writer)?, stamp)?)
    })
}

/// A lead that was converted is kept as it was then.
fn require_changeable(lead: &Lead) -> Result<(), StoreError> {
    if !lead.is_converted() {
        return Ok(());
    }
    let detail =
        "The lead was converted and stays as it is. Change what it became, or take the conversion back first: POST \
                  /v1/leads/{lead_id}/unconvert."
            .to_owned();
    Err(StoreError::Conflict { code: "converted", detail })
}

/// A lost reason has to be one that can be chosen, unless the lead has it already.
fn require_reason(writer: &mut Writer<'_>, before: Option<&Lead>, after: &Lead) -> Result<(), StoreError> {
    match after.lost_reason_id.filter(|id| before.and_then(|before| before.lost_reason_id) != Some(*id)) {
        Some(id) => lost_reasons::require(writer, id, "/lost_reason_id"),
        None => Ok(()),
    }
}

/// Marks a lead as deleted.
pub fn delete(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        require_changeable(before)?;
        Ok(Lead { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted lead back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>) -> Result<Lead, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Lead { deleted_at: None, ..before.clone() })
    })
}

/// What happened to a lead, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: LeadId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// Which statuses a lead has had, the first one first; also of one that was deleted.
pub fn status_history(
    reader: &mut Reader<'_>,
    id: LeadId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<LeadStatusChange>, StoreError> {
    require_readable(reader, RESOURCE, &[("lead_id", "status"), ("lead_id", "status_class")])?;
    get(reader, id, Deleted::Include, &[])?;
    history::list(reader, id, limit, cursor)
}

fn insert(writer: &mut Writer<'_>, lead: &Lead) -> Result<Lead, StoreError> {
    let entry = Entry::new(writer, KIND, "created", lead.id.uuid(), Changes::of_new(lead), lead.created_at);
    let kept = Kept::new(lead.id.uuid(), None, Some(&lead.custom));
    writer.transaction(|writer| {
        let written = custom_values::written_with(writer, RESOURCE, &kept, |writer| {
            let write = diesel::insert_into(leads::table)
                .values(Row::of(writer.workspace(), lead))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
            Ok(Some(row.into_lead()?))
        })?;
        history::begin(writer, &[lead.id.uuid()])?;
        written.ok_or(StoreError::Contention)
    })
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(lead: &Lead) -> Option<&CustomValues> {
    lead.deleted_at.is_none().then_some(&lead.custom)
}

/// A lead without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut lead: Lead) -> Result<Lead, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut lead.custom])?;
    Ok(lead)
}

/// Those of these leads that the caller may see.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let found = visible(reader, Deleted::Exclude).filter(leads::id.eq_any(ids)).select(leads::id);
    Ok(found.load(reader.pg())?)
}

/// One lead that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: LeadId, deleted: Deleted) -> Result<Lead, StoreError> {
    one_to_change!(reader, leads, Row, RESOURCE, deleted, id.uuid())?.into_lead()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: LeadId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Lead, Stamp) -> Result<Lead, StoreError>,
) -> Result<Lead, StoreError> {
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
        let write = |writer: &mut Writer<'_>| {
            let write = diesel::update(leads::table)
                .filter(leads::workspace_id.eq(writer.workspace()))
                .filter(leads::id.eq(id.uuid()))
                .filter(leads::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            row.map(Row::into_lead).transpose()
        };
        let written = match before.status == after.status {
            true => custom_values::written_with(writer, RESOURCE, &kept, write)?,
            false => writer.transaction(|writer| {
                let written = write(writer)?;
                if written.is_some() {
                    history::go_on(writer, &[id.uuid()], &before.status)?;
                }
                Ok(written)
            })?,
        };
        if let Some(lead) = written {
            return shown(writer, lead);
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
    expand: &'w [LeadRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Lead>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(leads::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|lead| &mut lead.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Lead>, StoreError> {
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
                "leads",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_lead)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "leads",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_lead)
        }
        SortKey::Name => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "leads", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_lead)
        }
        SortKey::Score => {
            let rows: Vec<Row> = rows_with_missing_last!(
                reader,
                request,
                lanes,
                |within| Ok::<_, StoreError>(filtered(reader, wanted, search, within)?.select(Row::as_select())),
                leads,
                score,
                sql_types::Numeric,
                Decimal,
                direction
            )?;
            request.page(reader, rows, |row| (row.score, row.id), Row::into_lead)
        }
        SortKey::CloseDate | SortKey::DueAt | SortKey::Pinned => Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(leads::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_lead)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Lead>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("leads").by_name_alone(),
        false => search.score("leads"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(leads::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), leads::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_lead())
}

/// The leads that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<leads::BoxedQuery<'static, Pg>, StoreError> {
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

/// The condition of a search, as far as the caller may see what leads are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    let finds = search.finds("leads");
    // Whoever has no name is sorted by an address or number.
    Ok(if by_name_alone(reader)? { finds.by_name_alone(HAS_NAME) } else { finds })
}

/// Whether leads are found by their names alone, because the caller may not see their addresses or numbers.
fn by_name_alone(reader: &Reader<'_>) -> Result<bool, StoreError> {
    let names = [("q", "first_name"), ("q", "middle_name"), ("q", "last_name"), ("q", "company_name")];
    require_readable(reader, RESOURCE, &names)?;
    Ok(!Lead::SEARCHED.iter().all(|field| reader.scope().grants().may_read(RESOURCE, field)))
}

/// Embeds related records: one query for each relation, however many leads there are.
fn embed(reader: &mut Reader<'_>, leads: &mut [Lead], expand: &[LeadRelation]) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let mut owners = HashMap::new();
    if expand.contains(&LeadRelation::Owner) {
        let ids: Vec<Uuid> = leads.iter().filter_map(|lead| lead.owner_id).map(|id| id.uuid()).collect();
        owners = users::summaries(reader, &ids)?.into_iter().map(|user| (user.id, user)).collect();
    }
    for lead in leads {
        lead.expanded = Some(Box::new(LeadExpanded { owner: lead.owner_id.and_then(|id| owners.get(&id).cloned()) }));
    }
    Ok(())
}

/// Leads as they are embedded in others. Their names are made of what the caller may read.
pub(crate) fn embeddable(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Lead>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(leads::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    let mut leads = rows.into_iter().map(Row::into_lead).collect::<Result<Vec<_>, _>>()?;
    custom_values::hide_archived(reader, RESOURCE, leads.iter_mut().map(|lead| &mut lead.custom))?;
    let readable = &reader.grants().on(RESOURCE).readable;
    if readable.allows_all() {
        return Ok(leads);
    }
    Ok(leads.iter().map(|lead| lead.named_by(readable)).collect())
}
