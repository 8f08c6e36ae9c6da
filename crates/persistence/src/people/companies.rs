//! Companies.

mod import;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    id::CompanyId,
    journal::{Changes, JournalEntry},
    people::{
        company::{Company, CompanyExpanded, CompanyPatch, CompanyQuery, CompanyRelation, CompanySort, NewCompany},
        contact::DeletedInList,
        contact_point,
    },
    problem::Invalid,
    record::{RecordKind, Stamp},
    standards,
    workspace::custom_field::CustomValues,
};
use uuid::Uuid;

pub use self::import::{import, reserve};
pub(crate) use self::row::Row;
use super::{Deleted, with_match_keys};
use crate::{
    Page, Reader, StoreError, TRIES, Writer, codes,
    error::unknown_reference,
    journal::{self, Entry, Journalled},
    page::{PageRequest, rows, total},
    schema::companies,
    search::{self, Search},
    visibility::{IsWithin, Policy, Within, place_changed, place_new, require_readable},
    workspace::{
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
    let row = visible(reader, deleted)
        .filter(companies::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?
        .ok_or(StoreError::Missing(KIND))?;
    let mut company = [row.into_company()?];
    custom_values::hide_archived(reader, RESOURCE, company.iter_mut().map(|company| &mut company.custom))?;
    embed(reader, &mut company, expand)?;
    let [company] = company;
    Ok(company)
}

/// A page of the companies that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &CompanyQuery) -> Result<Page<Company>, StoreError> {
    let request = PageRequest::read(reader, "list_companies", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    let Some(words) = &query.q else {
        return whole_page(reader, query, None, &request);
    };
    search::until_found(reader, words, request, |reader, search, request| {
        whole_page(reader, query, Some(search), request)
    })
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
        Ok(after)
    })
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

fn insert(writer: &mut Writer<'_>, company: &Company) -> Result<Company, StoreError> {
    let entry = Entry::new(writer, KIND, "created", company.id.uuid(), Changes::of_new(company), company.created_at);
    let kept = Kept::new(company.id.uuid(), None, Some(&company.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        let write = diesel::insert_into(companies::table)
            .values(Row::of(writer.workspace(), company))
            .returning(Row::as_returning());
        let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        Ok(Some(row.into_company()?))
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
    let found: Option<(Row, bool)> = within(reader, deleted, Policy::finding(reader, RESOURCE).whole())
        .filter(companies::id.eq(id.uuid()))
        .select((Row::as_select(), IsWithin(Policy::writing(reader, RESOURCE).whole())))
        .first(reader.pg())
        .optional()?;
    match found {
        Some((row, true)) => row.into_company(),
        Some((_, false)) => Err(StoreError::Forbidden("You may see this company, but not change it.".to_owned())),
        None => Err(StoreError::Missing(KIND)),
    }
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
        if expected.is_some_and(|version| version != before.version) {
            return Err(StoreError::Stale { current: before.version });
        }
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
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            row.map(Row::into_company).transpose()
        })?;
        if let Some(company) = written {
            return shown(writer, company);
        }
    }
    Err(StoreError::Contention)
}

fn whole_page(
    reader: &mut Reader<'_>,
    query: &CompanyQuery,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Company>, StoreError> {
    let mut page = match (search, query.sort) {
        (Some(search), None) => by_relevance(reader, query, search, request)?,
        (_, sort) => sorted(reader, query, search, sort.unwrap_or(CompanySort::CreatedAtDescending), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, query, search, Policy::reading(reader, RESOURCE).whole())?.select(companies::id),
        query.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|company| &mut company.custom))?;
    embed(reader, &mut page.data, &query.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    query: &CompanyQuery,
    search: Option<&Search>,
    sort: CompanySort,
    request: &PageRequest,
) -> Result<Page<Company>, StoreError> {
    let policy = Policy::reading(reader, RESOURCE);
    // What an index of words has found is few: it is filtered as a whole.
    let lanes = if search.is_some() { vec![policy.whole()] } else { policy.lanes() };
    let lane = |within| Ok::<_, StoreError>(filtered(reader, query, search, within)?.select(Row::as_select()));
    let direction = sort.direction();
    match sort {
        CompanySort::CreatedAt | CompanySort::CreatedAtDescending => {
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
        CompanySort::UpdatedAt | CompanySort::UpdatedAtDescending => {
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
        CompanySort::Name | CompanySort::NameDescending => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "companies", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_company)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    query: &CompanyQuery,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Company>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("companies").by_name_alone(),
        false => search.score("companies"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, query, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(companies::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), companies::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_company())
}

/// The companies that a query asks for, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    query: &CompanyQuery,
    search: Option<&Search>,
    condition: Within,
) -> Result<companies::BoxedQuery<'static, Pg>, StoreError> {
    let mut select = match query.deleted {
        DeletedInList::Exclude => within(reader, Deleted::Exclude, condition),
        DeletedInList::Only => within(reader, Deleted::Only, condition),
    };
    if !query.team_id.is_empty() {
        select = select.filter(companies::team_id.eq_any(query.team_id.iter().map(|id| id.uuid()).collect::<Vec<_>>()));
    }
    if !query.owner_id.is_empty() {
        select =
            select.filter(companies::owner_id.eq_any(query.owner_id.iter().map(|id| id.uuid()).collect::<Vec<_>>()));
    }
    if !query.parent_id.is_empty() {
        let parents = query.parent_id.iter().map(|id| id.uuid()).collect::<Vec<_>>();
        select = select.filter(companies::parent_id.eq_any(parents));
    }
    if !query.kind.is_empty() {
        select = select.filter(companies::kind.eq_any(query.kind.iter().map(codes::word).collect::<Vec<_>>()));
    }
    if let Some(domain) = &query.domain {
        // What is no domain is nobody's.
        let domain = standards::normalise_domain(domain).unwrap_or_default();
        select = select.filter(companies::domain.eq(domain));
    }
    if !query.lifecycle_stage.is_empty() {
        let stages = query.lifecycle_stage.iter().map(codes::word).collect::<Vec<_>>();
        select = select.filter(companies::lifecycle_stage.eq_any(stages));
    }
    if !query.country.is_empty() {
        select = select.filter(companies::country.eq_any(query.country.clone()));
    }
    if !query.tag.is_empty() {
        // The second condition is that of the index, without which it would not be used.
        select = select
            .filter(companies::tags.overlaps_with(query.tag.clone()))
            .filter(sql::<sql_types::Bool>("companies.tags <> '{}'"));
    }
    if let Some(email) = &query.email {
        let key = contact_point::email_key(email);
        select = select.filter(with_match_keys("companies", reader.workspace(), vec![key]));
    }
    if let Some(from) = query.created_after {
        select = select.filter(companies::created_at.ge(from));
    }
    if let Some(until) = query.created_before {
        select = select.filter(companies::created_at.lt(until));
    }
    if let Some(from) = query.updated_after {
        select = select.filter(companies::updated_at.ge(from));
    }
    if let Some(until) = query.updated_before {
        select = select.filter(companies::updated_at.lt(until));
    }
    Ok(match search {
        Some(search) if by_name_alone(reader)? => select.filter(search.finds("companies").by_name_alone("TRUE")),
        Some(search) => select.filter(search.finds("companies")),
        None => select,
    })
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
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind::<sql_types::Text, _>(name)
        .execute(writer.pg())?;
    Ok(())
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
