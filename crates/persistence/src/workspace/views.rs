//! Views: filters, orders and columns that are saved under a name.

use chrono::{DateTime, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::{ActorKind, Permission, Resource, Right},
    filter::Filter,
    id::{UserId, ViewId},
    journal::{Changes, JournalEntry},
    page::{RecordSort, SortKey},
    people::contact::DeletedInList,
    record::RecordKind,
    workspace::view::{NewView, View, ViewPatch, ViewQuery, ViewVisibility},
};
use uuid::Uuid;

use crate::{
    Page, Reader, StoreError, TRIES, Writer, codes, filter,
    journal::{self, Entry, Journalled},
    json::Json,
    page::{PageRequest, not_sorted_by, seek},
    schema::views,
    visibility::require_right,
    workspace::custom_order::CustomOrder,
};

const KIND: RecordKind = RecordKind::View;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = views, primary_key(workspace_id, id), check_for_backend(Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    workspace_id: Uuid,
    id: Uuid,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    owner_id: Option<Uuid>,
    resource: String,
    name: String,
    description: Option<String>,
    filter: Option<Json<Filter>>,
    sort: Option<String>,
    fields: Vec<String>,
    visibility: String,
}

impl Row {
    fn of(workspace: Uuid, view: &View) -> Self {
        Self {
            workspace_id: workspace,
            id: view.id.uuid(),
            version: view.version,
            created_at: view.created_at,
            updated_at: view.updated_at,
            created_by: view.created_by,
            updated_by: view.updated_by,
            owner_id: view.owner_id.map(UserId::uuid),
            resource: view.resource.as_str().to_owned(),
            name: view.name.clone(),
            description: view.description.clone(),
            filter: view.filter.clone().map(Json),
            sort: view.sort.as_ref().map(codes::word),
            fields: view.fields.clone(),
            visibility: codes::word(&view.visibility),
        }
    }

    fn into_view(self) -> Result<View, StoreError> {
        Ok(View {
            id: ViewId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            owner_id: self.owner_id.map(UserId::from_uuid),
            resource: codes::value(&self.resource)?,
            name: self.name,
            description: self.description,
            filter: self.filter.map(|Json(filter)| filter),
            sort: codes::optional(self.sort.as_deref())?,
            fields: self.fields,
            visibility: codes::value(&self.visibility)?,
        })
    }
}

/// Views that the caller sees: their own and those for everyone, of records that they may see. Every read in this file
/// starts here.
fn visible(reader: &Reader<'_>) -> views::BoxedQuery<'static, Pg> {
    let may_see = |resource: &&Resource| reader.grants().allow(resource.permission(Right::Read));
    let resources: Vec<&str> = Resource::ALL.iter().filter(may_see).map(|resource| resource.as_str()).collect();
    let for_everyone = views::visibility.eq(codes::word(&ViewVisibility::Everyone));
    let own = views::owner_id.is_not_distinct_from(reader.grants().user);
    views::table
        .filter(views::workspace_id.eq(reader.workspace()))
        .filter(views::resource.eq_any(resources))
        .filter(for_everyone.or(own))
        .into_boxed()
}

/// One view.
pub fn get(reader: &mut Reader<'_>, id: ViewId) -> Result<View, StoreError> {
    let row: Option<Row> =
        visible(reader).filter(views::id.eq(id.uuid())).select(Row::as_select()).first(reader.pg()).optional()?;
    row.ok_or(StoreError::Missing(KIND))?.into_view()
}

/// A page of the views, by name.
pub fn list(reader: &mut Reader<'_>, query: &ViewQuery) -> Result<Page<View>, StoreError> {
    let request = PageRequest::read(reader, "list_views", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader).select(Row::as_select());
    if let Some(resource) = query.resource {
        select = select.filter(views::resource.eq(resource.as_str()));
    }
    let after = request.after::<String>()?;
    let select = seek!(select, "views.name", sql_types::Text, "views.id", Direction::Ascending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |row| (row.name.clone(), row.id), Row::into_view)
}

/// Creates a view.
pub fn create(writer: &mut Writer<'_>, new: NewView) -> Result<View, StoreError> {
    let owner = writer.grants().user.map(UserId::from_uuid);
    let view = View::create(new, ViewId::mint(), owner, writer.stamp())?;
    check(writer, &view)?;
    require_manager(writer, &view)?;
    let entry = Entry::new(writer, KIND, "created", view.id.uuid(), Changes::of_new(&view), view.created_at);
    let write =
        diesel::insert_into(views::table).values(Row::of(writer.workspace(), &view)).returning(Row::as_returning());
    Journalled { write, entry }.get_result::<Row>(writer.pg())?.into_view()
}

/// Changes a view of one's own, or of others for whoever manages views.
pub fn update(
    writer: &mut Writer<'_>,
    id: ViewId,
    expected: Option<i64>,
    patch: &ViewPatch,
) -> Result<View, StoreError> {
    for _ in 0..TRIES {
        let before = get_to_change(writer, id, expected)?;
        let stamp = writer.stamp();
        let mut after = before.patch(patch.clone())?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        check(writer, &after)?;
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, "updated", id.uuid(), changes, after.updated_at);
        let write = diesel::update(views::table)
            .filter(views::workspace_id.eq(writer.workspace()))
            .filter(views::id.eq(id.uuid()))
            .filter(views::version.eq(before.version))
            .set(Row::of(writer.workspace(), &after))
            .returning(Row::as_returning());
        if let Some(row) = (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
            return row.into_view();
        }
    }
    Err(StoreError::Contention)
}

/// Deletes a view for good.
pub fn delete(writer: &mut Writer<'_>, id: ViewId, expected: Option<i64>) -> Result<(), StoreError> {
    let view = get_to_change(writer, id, expected)?;
    let entry = Entry::new(writer, KIND, "deleted", id.uuid(), Changes::of_deleted(&view), writer.now());
    let write = diesel::delete(views::table)
        .filter(views::workspace_id.eq(writer.workspace()))
        .filter(views::id.eq(id.uuid()))
        .filter(views::version.eq(view.version))
        .returning(Row::as_returning());
    match (Journalled { write, entry }).get_result::<Row>(writer.pg()).optional()? {
        Some(_) => Ok(()),
        None => Err(StoreError::Contention),
    }
}

/// What happened to a view, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: ViewId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

fn get_to_change(reader: &mut Reader<'_>, id: ViewId, expected: Option<i64>) -> Result<View, StoreError> {
    let view = get(reader, id)?;
    require_manager(reader, &view)?;
    match expected {
        Some(version) if version != view.version => Err(StoreError::Stale { current: view.version }),
        _ => Ok(view),
    }
}

/// Refuses whoever neither owns a view nor manages those of others.
fn require_manager(reader: &Reader<'_>, view: &View) -> Result<(), StoreError> {
    let grants = reader.grants();
    if grants.allow(Permission::ViewsWrite) {
        return Ok(());
    }
    let is_own = grants.user.is_some() && view.owner_id.map(UserId::uuid) == grants.user;
    if !is_own {
        let detail = "This view is not your own. To change it needs the permission views:write, which you don't have.";
        return Err(StoreError::Forbidden(detail.to_owned()));
    }
    // No scope is about one's own views. A program that acts for their owner has to be let write such records.
    let rights = [Right::Create, Right::Write].map(|right| view.resource.permission(right));
    let is_program = reader.scope().actor().kind == ActorKind::ApiKey;
    if is_program && !rights.iter().any(|right| grants.allow(*right)) {
        let [create, write] = rights.map(Permission::scope);
        let detail = format!("To write views of these records, a program needs {create}, {write} or views:write.");
        return Err(StoreError::Forbidden(detail));
    }
    Ok(())
}

/// Refuses a view of what the caller may not see, or whose filter does not fit.
fn check(reader: &mut Reader<'_>, view: &View) -> Result<(), StoreError> {
    require_right(reader, view.resource, Right::Read)?;
    if let Some(sort) = view.sort.as_ref().filter(|sort| !sort.key.is_of(view.resource)) {
        return Err(not_sorted_by(view.resource, &sort.key).in_body());
    }
    if let Some(RecordSort { key: SortKey::Custom(key), direction }) = &view.sort {
        CustomOrder::of(reader, view.resource, key, *direction, DeletedInList::Exclude).map_err(StoreError::in_body)?;
    }
    filter::of_search(reader, view.filter.as_ref(), view.entity()).map(drop)
}
