//! Products.

mod bulk;
mod row;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Resource,
    filter::Entity,
    id::ProductId,
    journal::{Changes, JournalEntry},
    page::{Count, DEFAULT_LIMIT, RecordSort, SortKey},
    people::contact::DeletedInList,
    problem::Invalid,
    record::{ExternalId, RecordKind, Stamp},
    sales::{
        opportunity::{LineProduct, LineProducts},
        product::{NewProduct, Product, ProductExpanded, ProductPatch, ProductQuery, ProductRelation, ProductSearch},
    },
    workspace::custom_field::CustomValues,
};
use serde_json::Value;
use uuid::Uuid;

pub use self::bulk::{batch, upsert};
use self::row::Row;
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    commerce::connections,
    filter::{self, Compiled},
    journal::{self, Entry, Journalled},
    one::{one, one_to_change},
    page::{Explained, PageRequest, not_sorted_by, order, rows, total},
    people::Deleted,
    require_version,
    schema::products,
    search::{self, Finds, Search},
    visibility::{Policy, Within, place_changed, place_new, require_held, require_readable},
    workspace::{
        custom_order::{Among, CustomOrder},
        custom_values::{self, Kept},
        users,
    },
};

const KIND: RecordKind = RecordKind::Product;
const RESOURCE: Resource = Resource::Products;

/// Products that the caller may see: every read in this file starts here.
pub(crate) fn visible(reader: &Reader<'_>, deleted: Deleted) -> products::BoxedQuery<'static, Pg> {
    within(reader, deleted, Policy::reading(reader, RESOURCE).whole())
}

fn within(reader: &Reader<'_>, deleted: Deleted, condition: Within) -> products::BoxedQuery<'static, Pg> {
    let mut all = products::table.filter(products::workspace_id.eq(reader.workspace())).into_boxed();
    if !condition.is_everything() {
        all = all.filter(condition);
    }
    match deleted {
        Deleted::Exclude => all.filter(products::deleted_at.is_null()),
        Deleted::Only => all.filter(products::deleted_at.is_not_null()),
        Deleted::Include => all,
    }
}

/// One product.
pub fn get(
    reader: &mut Reader<'_>,
    id: ProductId,
    deleted: Deleted,
    expand: &[ProductRelation],
) -> Result<Product, StoreError> {
    require_readable(reader, RESOURCE, &ProductRelation::fields_used(expand))?;
    let row = one!(reader, products, Row, RESOURCE, deleted, id.uuid())?;
    let mut product = [row.into_product()?];
    custom_values::hide_archived(reader, RESOURCE, product.iter_mut().map(|product| &mut product.custom))?;
    embed(reader, &mut product, expand)?;
    let [product] = product;
    Ok(product)
}

/// The product that an outside system knows under an id.
pub fn get_by_external_id(
    reader: &mut Reader<'_>,
    external: &ExternalId,
    deleted: Deleted,
    expand: &[ProductRelation],
) -> Result<Product, StoreError> {
    let id = connections::record_of(reader, RESOURCE, external)?;
    get(reader, ProductId::from_uuid(id), deleted, expand)
}

/// A page of the products that a query asks for.
pub fn list(reader: &mut Reader<'_>, query: &ProductQuery) -> Result<Page<Product>, StoreError> {
    let request = PageRequest::read(reader, "list_products", query, query.limit, query.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &query.fields_used())?;
    let wanted = Wanted {
        filter: filter::of_parameters(reader, Entity::Product, query.filter_nodes())?,
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

/// A page of the products that a filter describes. Given up when it takes longer than a search may.
pub fn search(reader: &mut Reader<'_>, search: &ProductSearch) -> Result<Page<Product>, StoreError> {
    let request = PageRequest::read(reader, "search_products", search, search.limit, search.cursor.as_deref())?;
    require_readable(reader, RESOURCE, &search.fields_used())?;
    let checked = filter::of_search(reader, search.filter.as_ref(), Entity::Product)?;
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
        SortKey::CreatedAt => order!("products.created_at", "products.id", sort.direction),
        SortKey::UpdatedAt => order!("products.updated_at", "products.id", sort.direction),
        SortKey::Name => order!("products.sort_name", "products.id", sort.direction),
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
        .select(products::id)
        .order(sql::<sql_types::Text>(order))
        .limit(DEFAULT_LIMIT + 1);
    Ok(Explained(page).get_result(reader.pg())?)
}

/// Creates a product.
pub fn create(writer: &mut Writer<'_>, mut new: NewProduct) -> Result<Product, StoreError> {
    place_new(writer, &mut new.owner_id, &mut new.team_id)?;
    custom_values::in_turn(writer, !new.custom.is_empty(), |writer| {
        let custom = custom_values::judge_new(writer, RESOURCE, &new.custom)?;
        let product = Product::create(new.clone(), ProductId::mint(), writer.stamp());
        let (product, custom) = Invalid::or_both(product, custom)?;
        insert(writer, &Product { custom, ..product })
    })
}

/// Changes a product; `expected` is the version that the caller knows. What changes nothing leaves no trace.
pub fn update(
    writer: &mut Writer<'_>,
    id: ProductId,
    expected: Option<i64>,
    patch: &ProductPatch,
) -> Result<Product, StoreError> {
    custom_values::in_turn(writer, patch.custom.is_some(), |writer| {
        change(writer, id, Deleted::Exclude, expected, "updated", |writer, before, _| {
            let mut patch = patch.clone();
            place_changed(writer, before.owner_id, patch.owner_id, &mut patch.team_id)?;
            let custom = custom_values::judge_changes(writer, RESOURCE, patch.custom.take(), &before.custom)?;
            let (after, custom) = Invalid::or_both(before.patch(patch), custom)?;
            let after = Product { custom, ..after };
            require_held(writer, before, &after)?;
            Ok(after)
        })
    })
}

/// Marks a product as deleted.
pub fn delete(writer: &mut Writer<'_>, id: ProductId, expected: Option<i64>) -> Result<(), StoreError> {
    change(writer, id, Deleted::Exclude, expected, "deleted", |_, before, stamp| {
        Ok(Product { deleted_at: Some(stamp.at), ..before.clone() })
    })
    .map(drop)
}

/// Brings a deleted product back; one that lives stays as it is.
pub fn restore(writer: &mut Writer<'_>, id: ProductId, expected: Option<i64>) -> Result<Product, StoreError> {
    change(writer, id, Deleted::Include, expected, "restored", |_, before, _| {
        Ok(Product { deleted_at: None, ..before.clone() })
    })
}

/// What happened to a product, newest first; also of one that was deleted.
pub fn history(
    reader: &mut Reader<'_>,
    id: ProductId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id, Deleted::Include, &[])?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

fn insert(writer: &mut Writer<'_>, product: &Product) -> Result<Product, StoreError> {
    let entry = Entry::new(writer, KIND, "created", product.id.uuid(), Changes::of_new(product), product.created_at);
    let kept = Kept::new(product.id.uuid(), None, Some(&product.custom));
    custom_values::written_with(writer, RESOURCE, &kept, |writer| {
        let write = diesel::insert_into(products::table)
            .values(Row::of(writer.workspace(), product))
            .returning(Row::as_returning());
        let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        Ok(Some(row.into_product()?))
    })?
    .ok_or(StoreError::Contention)
}

/// The custom values that have to be kept apart from those of others: what was deleted gives its own free.
fn living(product: &Product) -> Option<&CustomValues> {
    product.deleted_at.is_none().then_some(&product.custom)
}

/// A product without what is in archived fields.
fn shown(reader: &mut Reader<'_>, mut product: Product) -> Result<Product, StoreError> {
    custom_values::hide_archived(reader, RESOURCE, [&mut product.custom])?;
    Ok(product)
}

/// Those of these products that the caller may see.
pub(crate) fn known(reader: &mut Reader<'_>, ids: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let found = visible(reader, Deleted::Exclude).filter(products::id.eq_any(ids)).select(products::id);
    Ok(found.load(reader.pg())?)
}

/// One product that the caller may change.
fn get_to_change(reader: &mut Reader<'_>, id: ProductId, deleted: Deleted) -> Result<Product, StoreError> {
    one_to_change!(reader, products, Row, RESOURCE, deleted, id.uuid())?.into_product()
}

/// Reads, changes and writes back, without holding anything in between: a write finds the version that was read or it
/// is tried again from the start.
fn change(
    writer: &mut Writer<'_>,
    id: ProductId,
    deleted: Deleted,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &Product, Stamp) -> Result<Product, StoreError>,
) -> Result<Product, StoreError> {
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
            let write = diesel::update(products::table)
                .filter(products::workspace_id.eq(writer.workspace()))
                .filter(products::id.eq(id.uuid()))
                .filter(products::version.eq(before.version))
                .set(Row::of(writer.workspace(), &after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            row.map(Row::into_product).transpose()
        })?;
        if let Some(product) = written {
            return shown(writer, product);
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
    expand: &'w [ProductRelation],
}

fn whole_page(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Page<Product>, StoreError> {
    let mut page = match (search, wanted.sort) {
        (Some(search), None) => by_relevance(reader, wanted, search, request)?,
        (_, sort) => sorted(reader, wanted, search, sort.unwrap_or(&RecordSort::NEWEST), request)?,
    };
    page.total = total!(
        reader,
        filtered(reader, wanted, search, Policy::reading(reader, RESOURCE).whole())?.select(products::id),
        wanted.count
    );
    custom_values::hide_archived(reader, RESOURCE, page.data.iter_mut().map(|product| &mut product.custom))?;
    embed(reader, &mut page.data, wanted.expand)?;
    Ok(page)
}

fn sorted(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    sort: &RecordSort,
    request: &PageRequest,
) -> Result<Page<Product>, StoreError> {
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
                "products",
                "created_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.created_at, row.id), Row::into_product)
        }
        SortKey::UpdatedAt => {
            let rows: Vec<Row> = rows!(
                reader,
                request,
                lanes,
                lane,
                "products",
                "updated_at",
                sql_types::Timestamptz,
                DateTime<Utc>,
                direction
            )?;
            request.page(reader, rows, |row| (row.updated_at, row.id), Row::into_product)
        }
        SortKey::Name => {
            let rows: Vec<Row> =
                rows!(reader, request, lanes, lane, "products", "sort_name", sql_types::Text, String, direction)?;
            request.page(reader, rows, |row| (row.sort_name.clone(), row.id), Row::into_product)
        }
        SortKey::CloseDate | SortKey::DueAt | SortKey::Pinned | SortKey::Score => {
            Err(not_sorted_by(RESOURCE, &sort.key))
        }
        SortKey::Custom(key) => {
            let order = CustomOrder::of(reader, RESOURCE, key, direction, wanted.deleted)?;
            let finds = search.map(|search| finds(reader, search)).transpose()?;
            let among = Among { within: policy.whole(), filter: wanted.filter.clone(), finds };
            let ids = order.page(reader, &among, request)?;
            let select = visible(reader, Deleted::Exclude).filter(products::id.eq_any(ids.data.clone()));
            let rows: Vec<Row> = select.select(Row::as_select()).load(reader.pg())?;
            ids.with_records(rows, |row| row.id, Row::into_product)
        }
    }
}

/// The best match first; the newest of those that fit equally well.
fn by_relevance(
    reader: &mut Reader<'_>,
    wanted: &Wanted<'_>,
    search: &Search,
    request: &PageRequest,
) -> Result<Page<Product>, StoreError> {
    let score = match by_name_alone(reader)? {
        true => search.score("products").by_name_alone(),
        false => search.score("products"),
    };
    let everything = Policy::reading(reader, RESOURCE).whole();
    let mut select = filtered(reader, wanted, Some(search), everything)?.select((Row::as_select(), score.clone()));
    if let Some((points, id)) = request.after::<f32>()? {
        let worse = score.clone().lt(points);
        select = select.filter(worse.or(score.clone().eq(points).and(products::id.lt(id))));
    }
    let rows: Vec<(Row, f32)> =
        select.order((score.desc(), products::id.desc())).limit(request.fetch()).load(reader.pg())?;
    request.page(reader, rows, |(row, points)| (*points, row.id), |(row, _)| row.into_product())
}

/// The products that are wanted, unsorted, of those within a condition.
fn filtered(
    reader: &Reader<'_>,
    wanted: &Wanted<'_>,
    search: Option<&Search>,
    condition: Within,
) -> Result<products::BoxedQuery<'static, Pg>, StoreError> {
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

/// The condition of a search, as far as the caller may see what products are found by.
fn finds(reader: &Reader<'_>, search: &Search) -> Result<Finds, StoreError> {
    let finds = search.finds("products");
    Ok(if by_name_alone(reader)? { finds.by_name_alone("TRUE") } else { finds })
}

/// Whether products are found by their names alone, because the caller may not see what else they are found by.
fn by_name_alone(reader: &Reader<'_>) -> Result<bool, StoreError> {
    require_readable(reader, RESOURCE, &[("q", "name")])?;
    Ok(!Product::SEARCHED.iter().all(|field| reader.scope().grants().may_read(RESOURCE, field)))
}

/// Embeds related records: one query for each relation, however many products there are.
fn embed(reader: &mut Reader<'_>, products: &mut [Product], expand: &[ProductRelation]) -> Result<(), StoreError> {
    if expand.is_empty() {
        return Ok(());
    }
    let mut owners = HashMap::new();
    if expand.contains(&ProductRelation::Owner) {
        let ids: Vec<Uuid> = products.iter().filter_map(|product| product.owner_id).map(|id| id.uuid()).collect();
        owners = users::summaries(reader, &ids)?.into_iter().map(|user| (user.id, user)).collect();
    }
    for product in products {
        product.expanded = Some(ProductExpanded { owner: product.owner_id.and_then(|id| owners.get(&id).cloned()) });
    }
    Ok(())
}

/// The living products of these ids that the caller may see, with their prices.
pub(crate) fn priced(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Product>, StoreError> {
    let rows: Vec<Row> = visible(reader, Deleted::Exclude)
        .filter(products::id.eq_any(ids.to_vec()))
        .select(Row::as_select())
        .load(reader.pg())?;
    rows.into_iter().map(Row::into_product).collect()
}

/// Products as they are embedded in others.
pub(crate) fn embeddable(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<Product>, StoreError> {
    let mut products = priced(reader, ids)?;
    custom_values::hide_archived(reader, RESOURCE, products.iter_mut().map(|product| &mut product.custom))?;
    Ok(products)
}

/// What lines take from the living products of these ids that the caller may see.
pub(crate) fn for_lines(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<LineProducts, StoreError> {
    if ids.is_empty() {
        return Ok(LineProducts::new());
    }
    let products = priced(reader, ids)?;
    let may_read = |field: &str| reader.grants().may_read(RESOURCE, field);
    Ok(products.iter().map(|product| (product.id, LineProduct::of(product, may_read))).collect())
}
