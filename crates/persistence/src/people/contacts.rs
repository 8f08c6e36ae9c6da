//! Contacts.

mod bulk;
mod import;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    filter::Entity,
    id::{CompanyId, ContactId},
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, RecordSort, SortKey},
    people::{
        company::Company,
        contact::{
            Contact, ContactExpanded, ContactPatch, ContactQuery, ContactRelation, ContactSearch, DeletedInList,
            NewContact,
        },
        duplicate::OnDuplicate,
    },
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    standards,
    workspace::custom_field::CustomValues,
};
use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::row::{NewRow, Row};
pub use self::{
    bulk::{batch, upsert},
    import::{import, reserve},
};
use super::{Deleted, companies, duplicates};
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    commerce::connections,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    one::{one, one_to_change},
    page::{Explained, PageRequest, not_sorted_by, order, rows, total},
    require_version,
    schema::contacts,
    search::{self, Finds, Search},
    together::{self, Insertion},
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable},
    workspace::{
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

const KIND: RecordKind = RecordKind::Contact;
const RESOURCE: Resource = Resource::Contacts;

/// Contacts that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> contacts::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> contacts::BoxedQuery<'static, Pg> {
    let mut all = contacts::table.filter(contacts::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(contacts::deleted_at.is_null()),
        Deleted::Only => all.filter(contacts::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One contact.
pub fn get(
    reader: &mut Reader<'_>,
    id: ContactId,
    deleted: Deleted,
    expand: &[ContactRelation],
) -> Result<Contact, StoreError> {
    require_readable(reader, RESOURCE, &ContactRelation::fields_used(expand))?;
    let row = one!(reader, contacts, Row, RESOURCE, deleted, id.uuid())?;
    let mut contact = [row.into_contact()?];
    custom_values::hide_archived(reader, RESOURCE, contact.iter_mut().map(|contact| &mut contact.custom))?;
    embed(reader, &mut contact, expand)?;
    let [contact] = contact;
    Ok(contact)
}

/// The contact that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[ContactRelation],
) -> Result<Contact, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, ContactId::from_uuid(id), deleted, expand)
}

/// A page of the contacts that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &ContactQuery) -> Result<Page<Contact>, StoreError> {
    let request = PageRequest::read(reader, "list_contacts", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    require_phone(reader, query)?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Contact, query.filter_nodes())?,
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

/// A page of the contacts that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &ContactSearch) -> Result<Page<Contact>, StoreError> {
    let request = PageRequest::read(reader, "search_contacts", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Contact)?;
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
        SortKey::CreatedAt => order!("contacts.created_at", "contacts.id", sort.direction),
        SortKey::UpdatedAt => order!("contacts.updated_at", "contacts.id", sort.direction),
        SortKey::Name => order!("contacts.sort_name", "contacts.id", sort.direction),
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
        .select(contacts::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates a contact, unless somebody with the same mailbox or line is known and `on_duplicate` minds.
pub fn create(writer: &mut Writer<'_>, new: NewContact, on_duplicate: OnDuplicate) -> Result<Contact, StoreError> {
    create_with(writer, new, on_duplicate, None)
}

/// Creates the contact that a lead becomes, whoever else is known. The company that the lead becomes is there, whether the
/// caller may see it or not.
pub(crate) fn create_of_lead(
    writer: &mut Writer<'_>,
    new: NewContact,
    company: Option<CompanyId>,
) -> Result<Contact, StoreError> {
    create_with(writer, new, OnDuplicate::Allow, company)
}

fn create_with(
    writer: &mut Writer<'_>,
    mut new: NewContact,
    on_duplicate: OnDuplicate,
    known: Option<CompanyId>,
) -> Result<Contact, StoreError> {
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
        create_in_turn(writer, new.clone(), on_duplicate, known)
    })
}

fn create_in_turn(
    writer: &mut Writer<'_>,
    new: NewContact,
    on_duplicate: OnDuplicate,
    known: Option<CompanyId>,
) -> Result<Contact, StoreError> {
    let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
    let contact = Contact::create(new, ContactId::mint(), writer.stamp(), writer.scope().country());
    let (contact, custom) = Invalid::or_both(contact, custom)?;
    let contact = Contact { custom, ..contact };
    if contact.company_id != known {
        companies::require(writer, contact.company_id, "/company_id")?;
    }
    let keys = contact.match_keys();
    if on_duplicate == OnDuplicate::Allow || keys.is_empty() {
        return insert(writer, &contact);
    }
    writer.transaction(|writer| {
        duplicates::lock_keys(writer, &keys)?;
        match duplicates::with_keys(writer, &keys)? {
            known if known.is_empty() => insert(writer, &contact),
            known => Err(StoreError::Duplicates(known)),
        }
    })
}

/// Changes a contact; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: ContactId,
    expected: Option<i64>,
    patch: &ContactPatch,
) -> Result<Contact, StoreError> {
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| update_in_turn(writer, id, expected, patch))
}

fn update_in_turn(
    writer: &mut Writer<'_>,
    id: ContactId,
    expected: Option<i64>,
    patch: &ContactPatch,
) -> Result<Contact, StoreError> {
    change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, stamp| {
        let mut patch = patch.clone();
        place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
        let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
        let (after, custom) = Invalid::or_both(before.patch(patch, stamp, writer.scope().country()), custom)?;
        let after = Contact { custom, ..after };
        if after.company_id != before.company_id {
            companies::require(writer, after.company_id, "/company_id")?;
        }
        require_held(writer, before, &after)?;
        Ok(after)
    })
}

/// Changes a contact by a rule, such as when a lead becomes this person. Whoever asks holds the record.
pub(crate) fn amend(
    writer: &mut Writer<'_>,
    id: ContactId,
    rule: impl Fn(&Contact, Stamp) -> Result<Contact, Invalid>,
) -> Result<Contact, StoreError> {
    change(writer, id, Deleted::Exclude, None, "updated", |_, before, stamp| Ok(rule(before, stamp)?))
}

/// Marks a contact as deleted.
pub fn delete(writer: &mut Writer<'_>, id: ContactId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        Ok(Contact { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted contact back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: ContactId, expected: Option<i64>) -> Result<Contact, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Contact { deleted_at: None, ..before.clone() })
    })
}

/// What happened to a contact and to the leads that became it, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: ContactId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::of_contact::list(reader, id, limit, cursor)
}

/// How new contacts are inserted.
const INSERTION: Insertion<NewRow> = Insertion {
    gathering: |gatherings| &gatherings.contacts,
    may_wait: NewRow::names_company,
    one: |pg, row, entry| {
        let write = diesel::insert_into(contacts::table).values(row).returning(contacts::version);
        Journalled { write, entry }.get_result::<i64>(pg).map(drop)
    },
    several: |pg, rows, entries| journal::insert_with(pg, diesel::insert_into(contacts::table).values(rows), entries),
};

fn insert(writer: &mut Writer<'_>, contact: &Contact) -> Result<Contact, StoreError> {
    let entry = Entry::new(writer, KIND, "created", contact.id.uuid(), Changes::of_new(contact), contact.created_at);
    let kept = Kept::new(contact.id.uuid(), None, Some(&contact.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        together::insert(writer, &INSERTION, NewRow::of(writer.workspace(), contact), entry.clone())?;
        Ok(Some(contact.clone()))
    })?
    .ok_or(StoreError::Contention)
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(contact: &Contact) -> Option<&CustomValues> {
    contact.deleted_at.is_none().then_some(&contact.custom)
}

/// A contact without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut contact: Contact) -> Result<Contact, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut contact.custom])?;
    Ok(contact)
}

/// Contacts as they are embedded in others, as far as the caller may see what their names are made of.
pub(crate) fn embeddable(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Contact>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(contacts::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    let mut contacts = rows.into_iter().map(Row::into_contact).collect::<Result<Vec<_>, _>>()?;
    custom_values::hide_archived(reader, RESOURCE, contacts.iter_mut().map(|contact| &mut contact.custom))?;
    let readable = &reader.grants().on(RESOURCE).readable;
    if readable.allows_all() {
        return Ok(contacts);
    }
    Ok(contacts.iter().map(|contact| contact.named_by(readable)).collect())
}

/// Those of these contacts that the caller may see.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let found = visible(reader, Deleted::Exclude).filter(contacts::id.eq_any(ids)).select(contacts::id);
    Ok(found.load(reader.pg())?)
}

/// One contact that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: ContactId, deleted: Deleted) -> Result<Contact, StoreError> {
    one_to_change!(reader, contacts, Row, RESOURCE, deleted, id.uuid())?.into_contact()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: ContactId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Contact, Stamp) -> Result<Contact, StoreError>,
) -> Result<Contact, StoreError> {
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
            let write = diesel::update(contacts::table)
                .filter(contacts::workspace_id.eq(writer.workspace()))
                .filter(contacts::id.eq(id.uuid()))
                .filter(contacts::version.eq(before.version))
                .set(NewRow::of(writer.workspace(), &after))
                .returning(contacts::version);
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
    expand: &'w [ContactRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Contact>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(contacts::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|contact| &mut contact.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Contact>, StoreError> {
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
                "contacts",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_contact)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "contacts",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_contact)
        }
        SortKey::Name => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "contacts", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_contact)
        }
        SortKey::CloseDate | SortKey::DueAt | SortKey::Pinned | SortKey::Score => {
            Err(not_sorted_by(RESOURCE, &sort.key))
        }
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(contacts::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_contact)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Contact>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("contacts").by_name_alone(),
        false => search.score("contacts"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(contacts::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), contacts::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_contact())
}

/// The contacts that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<contacts::BoxedQuery<'static, Pg>, StoreError> {
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

/// The condition of a search, as far as the caller may see what people and companies are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    let mut finds = search.finds("contacts");
    if by_name_alone(reader)? {
        // Whoever has no name is sorted by an address or number.
        finds = finds.by_name_alone("coalesce(contacts.first_name, contacts.last_name) IS NOT NULL");
    }
    let grants = reader.scope().grants();
    if grants.may_read(RESOURCE, "company_id")
        && Company::SEARCHED.iter().all(|field| grants.may_read(Resource::Companies, field))
    {
        finds = finds.through_company(reader.workspace(), Policy::reading(reader, Resource::Companies).whole());
    }
    Ok(finds)
}

/// Whether people are found by their names alone, because the caller may not see their addresses or numbers.
fn by_name_alone(reader: &Reader<'_>) -> Result<bool, StoreError> {
    let names = [("q", "first_name"), ("q", "middle_name"), ("q", "last_name")];
    require_readable(reader, RESOURCE, &names)?;
    Ok(!Contact::SEARCHED.iter().all(|field| reader.scope().grants().may_read(RESOURCE, field)))
}

/// Refuses a telephone number that can't be one, rather than to find nobody by it.
fn require_phone(reader: &Reader<'_>, query: &ContactQuery) -> Result<(), StoreError> {
    let Some(phone) = &query.phone else { return Ok(()) };
    standards::normalise_phone(phone, reader.scope().country()).map(drop).ok_or_else(|| {
        let detail = "No such telephone number exists. Write it with its country code, like %2B49 30 901820.";
        StoreError::parameter("phone", "invalid_phone", detail)
    })
}

/// Embeds related records: one query for each relation, however many contacts there are.
fn embed(reader: &mut Reader<'_>, contacts: &mut [Contact], expand: &[ContactRelation]) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let mut companies = HashMap::new();
    if expand.contains(&ContactRelation::Company) {
        let ids: Vec<Uuid> = contacts.iter().filter_map(|contact| contact.company_id).map(|id| id.uuid()).collect();
        companies = companies::embeddable(reader, &ids)?.into_iter().map(|company| (company.id, company)).collect();
    }
    let mut owners = HashMap::new();
    if expand.contains(&ContactRelation::Owner) {
        let ids: Vec<Uuid> = contacts.iter().filter_map(|contact| contact.owner_id).map(|id| id.uuid()).collect();
        owners = users::summaries(reader, &ids)?.into_iter().map(|user| (user.id, user)).collect();
    }
    for contact in contacts {
        contact.expanded = Some(Box::new(ContactExpanded {
            company: contact.company_id.and_then(|id| companies.get(&id).cloned()),
            owner: contact.owner_id.and_then(|id| owners.get(&id).cloned()),
        }));
    }
    Ok(())
}
