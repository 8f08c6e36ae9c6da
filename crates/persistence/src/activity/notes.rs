//! Notes.

mod bulk;
mod by_pinned;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    activity::{
        note::{NewNote, Note, NoteExpanded, NotePatch, NoteQuery, NoteRelation, NoteSearch},
        parent::ParentKind,
    },
    filter::Entity,
    id::{NoteId, UserId},
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, RecordSort, SortKey},
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
    schema::notes,
    search::{self, Finds, Search},
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable},
    workspace::{
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

const KIND: RecordKind = RecordKind::Note;
const RESOURCE: Resource = Resource::Notes;

/// Notes that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> notes::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> notes::BoxedQuery<'static, Pg> {
    let mut all = notes::table.filter(notes::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(notes::deleted_at.is_null()),
        Deleted::Only => all.filter(notes::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One note.
pub fn get(reader: &mut Reader<'_>, id: NoteId, deleted: Deleted, expand: &[NoteRelation]) -> Result<Note, StoreError> {
    require_readable(reader, RESOURCE, &NoteRelation::fields_used(expand))?;
    let row = one!(reader, notes, Row, RESOURCE, deleted, id.uuid())?;
    let mut note = [row.into_note()?];
    custom_values::hide_archived(reader, RESOURCE, note.iter_mut().map(|note| &mut note.custom))?;
    embed(reader, &mut note, expand)?;
    let [note] = note;
    Ok(note)
}

/// The note that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[NoteRelation],
) -> Result<Note, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, NoteId::from_uuid(id), deleted, expand)
}

/// A page of the notes that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &NoteQuery) -> Result<Page<Note>, StoreError> {
    let request = PageRequest::read(reader, "list_notes", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    require_whole_parent(query.parent_kind, query.parent_id)?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Note, query.filter_nodes())?,
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

/// A page of the notes that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &NoteSearch) -> Result<Page<Note>, StoreError> {
    let request = PageRequest::read(reader, "search_notes", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Note)?;
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
        SortKey::CreatedAt => order!("notes.created_at", "notes.id", sort.direction),
        SortKey::UpdatedAt => order!("notes.updated_at", "notes.id", sort.direction),
        SortKey::Pinned => by_pinned::order(sort.direction),
        SortKey::CloseDate | SortKey::Name | SortKey::DueAt | SortKey::Score => {
            return Err(not_sorted_by(RESOURCE, &sort.key));
        }
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, sort.direction, wanted.deleted)?;
            let among = Among { within: everything, filter: wanted.filter, finds: None };
            return order.plan(reader, &among, DEFAULT_LIMIT + 1);
        }
    };
    let page = filtered(reader, &wanted, None, everything)?
        .select(notes::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates a note.
pub fn create(writer: &mut Writer<'_>, mut new: NewNote) -> Result<Note, StoreError> {
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
        let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
        let note = Note::create(new.clone(), NoteId::mint(), writer.stamp());
        let (note, custom) = Invalid::or_both(note, custom)?;
        let note = Note { custom, ..note };
        related(&note).require(writer, &References::default())?;
        insert(writer, &note)
    })
}

/// Changes a note; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: NoteId,
    expected: Option<i64>,
    patch: &NotePatch,
) -> Result<Note, StoreError> {
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| {
        change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, _| {
            let mut patch = patch.clone();
            place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
            let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
            let (after, custom) = Invalid::or_both(before.patch(patch), custom)?;
            let after = Note { custom, ..after };
            related(&after).require(writer, &related(before))?;
            require_held(writer, before, &after)?;
            Ok(after)
        })
    })
}

/// Marks a note as deleted.
pub fn delete(writer: &mut Writer<'_>, id: NoteId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        Ok(Note { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted note back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: NoteId, expected: Option<i64>) -> Result<Note, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Note { deleted_at: None, ..before.clone() })
    })
}

/// What happened to a note, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: NoteId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

fn insert(writer: &mut Writer<'_>, note: &Note) -> Result<Note, StoreError> {
    let entry = Entry::new(writer, KIND, "created", note.id.uuid(), Changes::of_new(note), note.created_at);
    let kept = Kept::new(note.id.uuid(), None, Some(&note.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        let write =
            diesel::insert_into(notes::table).values(Row::of(writer.workspace(), note)).returning(Row::as_returning());
        let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        Ok(Some(row.into_note()?))
    })?
    .ok_or(StoreError::Contention)
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(note: &Note) -> Option<&CustomValues> {
    note.deleted_at.is_none().then_some(&note.custom)
}

/// A note without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut note: Note) -> Result<Note, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut note.custom])?;
    Ok(note)
}

/// One note that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: NoteId, deleted: Deleted) -> Result<Note, StoreError> {
    one_to_change!(reader, notes, Row, RESOURCE, deleted, id.uuid())?.into_note()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: NoteId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Note, Stamp) -> Result<Note, StoreError>,
) -> Result<Note, StoreError> {
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
            let write = diesel::update(notes::table)
                .filter(notes::workspace_id.eq(writer.workspace()))
                .filter(notes::id.eq(id.uuid()))
                .filter(notes::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            row.map(Row::into_note).transpose()
        })?;
        if let Some(note) = written {
            return shown(writer, note);
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
    expand: &'w [NoteRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Note>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(notes::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|note| &mut note.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Note>, StoreError> {
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
                "notes",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_note)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "notes",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_note)
        }
        SortKey::Pinned => by_pinned::page(reader, request, direction, &lanes, |reader, within| {
            filtered(reader, wanted, search, within)
        }),
        SortKey::CloseDate | SortKey::Name | SortKey::DueAt | SortKey::Score => Err(not_sorted_by(RESOURCE, &sort.key)),
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(notes::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_note)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Note>, StoreError> {
    let score = search.score("notes").without_names();
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(notes::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), notes::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_note())
}

/// The notes that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<notes::BoxedQuery<'static, Pg>, StoreError> {
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

/// The condition of a search, for callers who may see what notes are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    require_readable(reader, RESOURCE, &[("q", "body")])?;
    Ok(search.finds("notes"))
}

/// Embeds related records: one query for each relation, however many notes there are.
fn embed(reader: &mut Reader<'_>, notes: &mut [Note], expand: &[NoteRelation]) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let kinds: Vec<ParentKind> = expand.iter().filter_map(|relation| relation.of_parents()).collect();
    let parents = Parents::find(reader, notes.iter().map(|note| note.parent), &kinds)?;
    let owners: Vec<Uuid> = match expand.contains(&NoteRelation::Owner) {
        true => notes.iter().filter_map(|note| note.owner_id).map(UserId::uuid).collect(),
        false => Vec::new(),
    };
    let users: HashMap<_, _> = match owners.as_slice() {
        [] => HashMap::new(),
        owners => users::summaries(reader, owners)?.into_iter().map(|user| (user.id, user)).collect(),
    };
    for note in notes {
        let about = parents.of(Some(note.parent));
        note.expanded = Some(Box::new(NoteExpanded {
            contact: about.contact,
            company: about.company,
            lead: about.lead,
            opportunity: about.opportunity,
            product: about.product,
            owner: note.owner_id.and_then(|id| users.get(&id).cloned()),
        }));
    }
    Ok(())
}

/// The notes of these ids that the caller may see.
fn by_ids(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Note>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(notes::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(Row::into_note).collect()
}

/// Whether a note mentions a user, whoever may see it.
pub(crate) fn mentions(reader: &mut Reader<'_>, id: Uuid, user: UserId) -> Result<bool, StoreError> {
    let found: Option<Vec<Uuid>> = notes::table
        .filter(notes::workspace_id.eq(reader.workspace()))
        .filter(notes::id.eq(id))
        .select(notes::mentions)
        .first(reader.pg())
        .optional()?;
    Ok(found.is_some_and(|mentions| mentions.contains(&user.uuid())))
}

/// The parent and whom it mentions. Owner and team are held by foreign keys.
fn related(note: &Note) -> References {
    let users = note.mentions.iter().copied();
    with_parent(References::default(), Some(note.parent)).with_list("/mentions", Referenced::User, users)
}
