//! Companies.

mod bulk;
mod import;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    filter::Entity,
    id::CompanyId,
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, RecordSort, SortKey},
    people::{
        company::{Company, CompanyExpanded, CompanyPatch, CompanyQuery, CompanyRelation, CompanySearch, NewCompany},
        contact::DeletedInList,
    },
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    workspace::custom_field::CustomValues,
};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::row::{NewRow, Row};
pub use self::{
    bulk::{batch, upsert},
    import::{import, reserve},
};
use super::Deleted;
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    commerce::connections,
    error::unknown_reference,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    one::{one, one_to_change},
    page::{Explained, PageRequest, not_sorted_by, order, rows, total},
    require_version,
    schema::companies,
    search::{self, Finds, Search},
    together::{self, Insertion},
    turns,
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable},
    workspace::{
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

const KIND: RecordKind = RecordKind::Company;
const RESOURCE: Resource = Resource::Companies;

/// Companies that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> companies::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> companies::BoxedQuery<'static, Pg> {
    let mut all = companies::table.filter(companies::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(companies::deleted_at.is_null()),
        Deleted::Only => all.filter(companies::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One company.
pub fn get(
    reader: &mut Reader<'_>,
    id: CompanyId,
    deleted: Deleted,
    expand: &[CompanyRelation],
) -> Result<Company, StoreError> {
    require_readable(reader, RESOURCE, &CompanyRelation::fields_used(expand))?;
    let row = one!(reader, companies, Row, RESOURCE, deleted, id.uuid())?;
    let mut company = [row.into_company()?];
    custom_values::hide_archived(reader, RESOURCE, company.iter_mut().map(|company| &mut company.custom))?;
    embed(reader, &mut company, expand)?;
    let [company] = company;
    Ok(company)
}

/// The company that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[CompanyRelation],
) -> Result<Company, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, CompanyId::from_uuid(id), deleted, expand)
}

/// A page of the companies that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &CompanyQuery) -> Result<Page<Company>, StoreError> {
    let request = PageRequest::read(reader, "list_companies", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Company, query.filter_nodes())?,
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

/// A page of the companies that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &CompanySearch) -> Result<Page<Company>, StoreError> {
    let request = PageRequest::read(reader, "search_companies", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Company)?;
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
        SortKey::CreatedAt => order!("companies.created_at", "companies.id", sort.direction),
        SortKey::UpdatedAt => order!("companies.updated_at", "companies.id", sort.direction),
        SortKey::Name => order!("companies.sort_name", "companies.id", sort.direction),
        SortKey::CloseDate | SortKey::DueAt | SortKey::Pinned | SortKey::Score => {
            return Err(not_sorted_by(RESOURCE, &sort.key));
        }
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, sort.direction, wanted.deleted)?;
            let among = Among { within: everything, filter: wanted.filter, finds: None };
            return order.plan(reader, &among, DEFAULT_LIMIT + 1);
        }
    };
    let page = filtered(reader, &wanted, None, everything)?
        .select(companies::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates a company.
pub fn create(writer: &mut Writer<'_>, mut new: NewCompany) -> Result<Company, StoreError> {
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
        let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
        let company = Company::create(new.clone(), CompanyId::mint(), writer.stamp(), writer.scope().country());
        let (company, custom) = Invalid::or_both(company, custom)?;
        let company = Company { custom, ..company };
        require(writer, company.parent_id, "/parent_id")?;
        insert(writer, &company)
    })
}

/// Changes a company; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: CompanyId,
    expected: Option<i64>,
    patch: &CompanyPatch,
) -> Result<Company, StoreError> {
    if matches!(patch.parent_id, Some(Some(_))) {
        // Two changes that would close a circle together must not pass each other.
        return writer.transaction(|writer| {
            lock_parents(writer)?;
            update_in_turn(writer, id, expected, patch)
        });
    }
    update_in_turn(writer, id, expected, patch)
}

fn update_in_turn(
    writer: &mut Writer<'_>,
    id: CompanyId,
    expected: Option<i64>,
    patch: &CompanyPatch,
) -> Result<Company, StoreError> {
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| update_fields(writer, id, expected, patch))
}

fn update_fields(
    writer: &mut Writer<'_>,
    id: CompanyId,
    expected: Option<i64>,
    patch: &CompanyPatch,
) -> Result<Company, StoreError> {
    change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, _| {
        let mut patch = patch.clone();
        place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
        let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
        let (after, custom) = Invalid::or_both(before.patch(patch, writer.scope().country()), custom)?;
        let after = Company { custom, ..after };
        if after.parent_id != before.parent_id {
            require(writer, after.parent_id, "/parent_id")?;
            refuse_circle(writer, id, after.parent_id)?;
        }
        require_held(writer, before, &after)?;
        Ok(after)
    })
}

/// Changes a company by a rule, such as when a lead becomes of it. Whoever asks holds the record.
pub(crate) fn amend(
    writer: &mut Writer<'_>,
    id: CompanyId,
    rule: impl Fn(&Company) -> Result<Company, Invalid>,
) -> Result<Company, StoreError> {
    change(writer, id, Deleted::Exclude, None, "updated", |_, before, _| Ok(rule(before)?))
}

/// Marks a company as deleted.
pub fn delete(writer: &mut Writer<'_>, id: CompanyId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        Ok(Company { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted company back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: CompanyId, expected: Option<i64>) -> Result<Company, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Company { deleted_at: None, ..before.clone() })
    })
}

/// What happened to a company, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: CompanyId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// How new companies are inserted.
const INSERTION: Insertion<NewRow> = Insertion {
    gathering: |gatherings| &gatherings.companies,
    may_wait: NewRow::names_parent,
    one: |pg, row, entry| {
        let write = diesel::insert_into(companies::table).values(row).returning(companies::version);
        Journalled { write, entry }.get_result::<i64>(pg).map(drop)
    },
    several: |pg, rows, entries| journal::insert_with(pg, diesel::insert_into(companies::table).values(rows), entries),
};

fn insert(writer: &mut Writer<'_>, company: &Company) -> Result<Company, StoreError> {
    let entry = Entry::new(writer, KIND, "created", company.id.uuid(), Changes::of_new(company), company.created_at);
    let kept = Kept::new(company.id.uuid(), None, Some(&company.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        together::insert(writer, &INSERTION, NewRow::of(writer.workspace(), company), entry.clone())?;
        Ok(Some(company.clone()))
    })?
    .ok_or(StoreError::Contention)
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(company: &Company) -> Option<&CustomValues> {
    company.deleted_at.is_none().then_some(&company.custom)
}

/// A company without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut company: Company) -> Result<Company, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut company.custom])?;
    Ok(company)
}

/// Those of these companies that the caller may see.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let found = visible(reader, Deleted::Exclude).filter(companies::id.eq_any(ids)).select(companies::id);
    Ok(found.load(reader.pg())?)
}

/// One company that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: CompanyId, deleted: Deleted) -> Result<Company, StoreError> {
    one_to_change!(reader, companies, Row, RESOURCE, deleted, id.uuid())?.into_company()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: CompanyId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Company, Stamp) -> Result<Company, StoreError>,
) -> Result<Company, StoreError> {
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
            let write = diesel::update(companies::table)
                .filter(companies::workspace_id.eq(writer.workspace()))
                .filter(companies::id.eq(id.uuid()))
                .filter(companies::version.eq(before.version))
                .set(NewRow::of(writer.workspace(), &after))
                .returning(companies::version);
            Ok(Journalled { write, entry: entry.clone() }.get_result::<i64>(writer.pg()).optional()?)
        })?;
        if written.is_some() {
            return shown(writer, after);
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
    expand: &'w [CompanyRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Company>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(companies::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|company| &mut company.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Company>, StoreError> {
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
                "companies",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_company)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "companies",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_company)
        }
        SortKey::Name => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "companies", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_company)
        }
        SortKey::CloseDate | SortKey::DueAt | SortKey::Pinned | SortKey::Score => {
            Err(not_sorted_by(RESOURCE, &sort.key))
        }
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(companies::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_company)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Company>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("companies").by_name_alone(),
        false => search.score("companies"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(companies::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), companies::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_company())
}

/// The companies that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<companies::BoxedQuery<'static, Pg>, StoreError> {
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

/// The condition of a search, as far as the caller may see what companies are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    let finds = search.finds("companies");
    Ok(if by_name_alone(reader)? { finds.by_name_alone("TRUE") } else { finds })
}

/// Whether companies are found by their names alone, because the caller may not see what else they are found by.
fn by_name_alone(reader: &Reader<'_>) -> Result<bool, StoreError> {
    require_readable(reader, RESOURCE, &[("q", "name")])?;
    Ok(!Company::SEARCHED.iter().all(|field| reader.scope().grants().may_read(RESOURCE, field)))
}

/// Embeds related records: one query for each relation, however many companies there are.
fn embed(reader: &mut Reader<'_>, companies: &mut [Company], expand: &[CompanyRelation]) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let mut parents = HashMap::new();
    if expand.contains(&CompanyRelation::Parent) {
        let ids: Vec<Uuid> = companies.iter().filter_map(|company| company.parent_id).map(|id| id.uuid()).collect();
        parents = embeddable(reader, &ids)?.into_iter().map(|company| (company.id, company)).collect();
    }
    let mut owners = HashMap::new();
    if expand.contains(&CompanyRelation::Owner) {
        let ids: Vec<Uuid> = companies.iter().filter_map(|company| company.owner_id).map(|id| id.uuid()).collect();
        owners = users::summaries(reader, &ids)?.into_iter().map(|user| (user.id, user)).collect();
    }
    for company in companies {
        company.expanded = Some(Box::new(CompanyExpanded {
            parent: company.parent_id.and_then(|id| parents.get(&id).cloned()),
            owner: company.owner_id.and_then(|id| owners.get(&id).cloned()),
        }));
    }
    Ok(())
}

/// The companies of these ids that the caller may see.
pub(crate) fn by_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Company>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(companies::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(Row::into_company).collect()
}

/// Companies as they are embedded in others.
pub(crate) fn embeddable(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Company>, StoreError> {
    let mut companies = by_ids(reader, ids)?;
    custom_values::hide_archived(reader, RESOURCE, companies.iter_mut().map(|company| &mut company.custom))?;
    Ok(companies)
}

/// Refuses a reference to a company that is not there, or not for this caller.
pub(crate) fn require(reader: &mut Reader<'_>, id: Option<CompanyId>, pointer: &str) -> Result<(), StoreError> {
    let Some(id) = id else { return Ok(()) };
    let found = visible(reader, Deleted::Exclude)
        .filter(companies::id.eq(id.uuid()))
        .select(companies::id)
        .first::<Uuid>(reader.pg())
        .optional()?;
    found.map(drop).ok_or_else(|| unknown_reference(pointer, "company"))
}

/// One change of parents at a time in a workspace.
fn lock_parents(writer: &mut Writer<'_>) -> Result<(), StoreError> {
    let name = format!("company parents of {}", writer.workspace());
    turns::take(writer, &name)
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = sql_types::Bool)]
    found: bool,
}

const IS_ABOVE: &str = "
WITH RECURSIVE above AS (
    SELECT parent_id FROM companies WHERE workspace_id = $1 AND id = $2
    UNION
    SELECT companies.parent_id FROM companies JOIN above ON companies.id = above.parent_id WHERE workspace_id = $1
)
SELECT EXISTS (SELECT FROM above WHERE parent_id = $3) AS found";

/// A company can't be owned by one that it owns itself, however many stand between.
fn refuse_circle(writer: &mut Writer<'_>, id: CompanyId, parent: Option<CompanyId>) -> Result<(), StoreError> {
    let Some(parent) = parent else { return Ok(()) };
    let above: Found = diesel::sql_query(IS_ABOVE)
        .bind::<sql_types::Uuid, _>(writer.workspace())
        .bind::<sql_types::Uuid, _>(parent.uuid())
        .bind::<sql_types::Uuid, _>(id.uuid())
        .get_result(writer.pg())?;
    if above.found {
        let detail = "This company belongs to the one you are changing. Name another one, or null.";
        return Err(StoreError::field("/parent_id", "circular", detail));
    }
    Ok(())
}
