//! Keyset paging: a page starts right behind the last record of the page before, by an index, however deep.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rapport_domain::{
    access::Resource,
    page::{COUNT_CEILING, DEFAULT_LIMIT, MAX_LIMIT, SortKey, Total, TotalRelation},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Reader, StoreError, cursor::Position, search::Likeness};

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// Leads to the next page; none when this is the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, where that was asked for.
    pub total: Option<Total>,
}

impl Page<Uuid> {
    /// A page of the records of these ids, in their order. Those that are not there any more are left out.
    pub(crate) fn with_records<R, T>(
        self,
        rows: Vec<R>,
        id: impl Fn(&R) -> Uuid,
        convert: impl Fn(R) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let mut rows: HashMap<Uuid, R> = rows.into_iter().map(|row| (id(&row), row)).collect();
        let found = self.data.iter().filter_map(|id| rows.remove(id));
        let data = found.map(convert).collect::<Result<_, _>>()?;
        Ok(Page { data, next_cursor: self.next_cursor, total: self.total })
    }
}

/// Which part of a list is wanted.
#[derive(Clone)]
pub(crate) struct PageRequest {
    limit: i64,
    binding: String,
    after: Option<(Value, Uuid)>,
    /// How alike words have to be, where a search goes on or is tried.
    likeness: Option<Likeness>,
}

impl PageRequest {
    /// Reads limit and cursor. The cursor has to come from the same operation with the same filter and order.
    pub(crate) fn read(
        reader: &Reader<'_>,
        operation: &str,
        filter: &impl Serialize,
        limit: Option<i64>,
        cursor: Option<&str>,
    ) -> Result<Self, StoreError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let detail = format!("A page holds 1 to {MAX_LIMIT} records.");
            return Err(StoreError::parameter("limit", "out_of_range", detail));
        }
        let binding = fingerprint(operation, filter)?;
        let (after, likeness) = match cursor {
            None => (None, None),
            Some(cursor) => {
                let position = reader.sealer().open(reader.workspace_id(), cursor)?;
                if position.binding != binding {
                    let detail = "The cursor belongs to another list, filter or order. Keep them while paging, or start \
                                  again without a cursor.";
                    return Err(StoreError::parameter("cursor", "cursor_mismatch", detail));
                }
                (Some((position.key, position.id)), position.likeness)
            }
        };
        Ok(Self { limit, binding, after, likeness })
    }

    /// The same page of searches that forgive more and more. Only the first page may begin anew: later ones go on as it ended.
    pub(crate) fn tries(self) -> impl Iterator<Item = (Likeness, Self)> {
        Likeness::ALL.iter().filter_map(move |likeness| {
            let is_to_be_tried = self.after.is_none() || self.likeness.unwrap_or(Likeness::Part) == *likeness;
            is_to_be_tried.then(|| (*likeness, Self { likeness: Some(*likeness), ..self.clone() }))
        })
    }

    /// Whether an index has found all that is to be sorted. To walk the order instead never ends where few are found.
    pub(crate) fn sorts_what_is_found(&self) -> bool {
        self.likeness == Some(Likeness::Beginning)
    }

    /// How many records the page holds at most.
    pub(crate) fn limit(&self) -> i64 {
        self.limit
    }

    /// How many rows to ask the database for: one more than the page holds tells whether there is a next one.
    pub(crate) fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Key and id of the last record of the page before.
    pub(crate) fn after<K: DeserializeOwned>(&self) -> Result<Option<(K, Uuid)>, StoreError> {
        let Some((key, id)) = &self.after else { return Ok(None) };
        let key = K::deserialize(key).map_err(|error| StoreError::Internal(format!("a sealed cursor: {error}")))?;
        Ok(Some((key, *id)))
    }

    /// Makes a page of what was fetched.
    pub(crate) fn page<R, T, K: Serialize>(
        &self,
        reader: &Reader<'_>,
        mut rows: Vec<R>,
        place: impl Fn(&R) -> (K, Uuid),
        convert: impl Fn(R) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let more = rows.len() as i64 > self.limit;
        rows.truncate(self.limit as usize);
        let next_cursor = match rows.last() {
            Some(last) if more => Some(self.cursor_after(reader, place(last))?),
            _ => None,
        };
        let data = rows.into_iter().map(convert).collect::<Result<_, _>>()?;
        Ok(Page { data, next_cursor, total: None })
    }

    /// Leads on from the record with this key and id.
    pub(crate) fn cursor_after<K: Serialize>(
        &self,
        reader: &Reader<'_>,
        (key, id): (K, Uuid),
    ) -> Result<String, StoreError> {
        let key = serde_json::to_value(key).map_err(|error| StoreError::Internal(error.to_string()))?;
        let position = Position { binding: self.binding.clone(), key, id, likeness: self.likeness };
        reader.sealer().seal(reader.workspace_id(), &position)
    }
}

/// What may differ from one page of a list to the next.
const FREE: &[&str] = &["limit", "cursor", "count", "fields", "expand"];

fn fingerprint(operation: &str, filter: &impl Serialize) -> Result<String, StoreError> {
    let mut filter = serde_json::to_value(filter).map_err(|error| StoreError::Internal(error.to_string()))?;
    if let Value::Object(parameters) = &mut filter {
        parameters.retain(|name, _| !FREE.contains(&name.as_str()));
    }
    let hash = Sha256::new().chain_update(operation).chain_update([0]).chain_update(filter.to_string()).finalize();
    Ok(URL_SAFE_NO_PAD.encode(&hash[..12]))
}

/// The order of a list by a column, with the id for those that are alike.
macro_rules! order {
    ($key:expr, $id:expr, $direction:expr) => {
        match $direction {
            rapport_domain::page::Direction::Ascending => concat!($key, ", ", $id),
            rapport_domain::page::Direction::Descending => concat!($key, " DESC, ", $id, " DESC"),
        }
    };
}
pub(crate) use order;

/// Moves a boxed query past the page before and sorts it, by one row comparison that the index answers as a range.
///
/// Takes the query, its sort column as text and as type, the column of the id as text, the direction and the position.
macro_rules! seek {
    ($query:expr, $key:expr, $type:ty, $id:expr, $direction:expr, $after:expr) => {{
        use rapport_domain::page::Direction;
        let comparison = match $direction {
            Direction::Ascending => concat!("(", $key, ", ", $id, ") > ("),
            Direction::Descending => concat!("(", $key, ", ", $id, ") < ("),
        };
        let mut query = $query;
        if let Some((key, id)) = $after {
            query = query.filter(crate::page::Behind::<$type, _>::new(comparison, key, id));
        }
        query.order(crate::page::Order(crate::page::order!($key, $id, $direction)))
    }};
}
pub(crate) use seek;

/// Reads the rows of a page of records with an owner, in the lanes of what the caller may see.
///
/// Takes reader, page request and lanes, then the query of a lane, the table, its sort column as text, as type of the
/// database and of ours, and the direction.
macro_rules! rows {
    ($reader:expr, $request:expr, $lanes:expr, $query:expr, $table:literal, $key:literal, $type:ty, $rust:ty, $direction:expr) => {{
        let after = $request.after::<$rust>()?;
        let mut lanes = Vec::new();
        for lane in $lanes {
            let query = $query(lane)?;
            let query = crate::page::seek!(
                query,
                concat!($table, ".", $key),
                $type,
                concat!($table, ".id"),
                $direction,
                after.clone()
            );
            lanes.push(query);
        }
        let order = crate::page::order!(concat!($table, ".", $key), concat!($table, ".id"), $direction);
        crate::visibility::Merged::of($reader, $request, lanes, $table, order, $request.fetch())?.load($reader.pg())
    }};
}
pub(crate) use rows;

/// The part of a boxed query that has something in a column, behind a place and sorted by it; or the part that has nothing there,
/// sorted by the ids. Each is a range of the index of that order.
///
/// Takes the query, table and column as words of the schema, the column's type, whether something is there, the direction, and the
/// place, in either part.
macro_rules! part {
    ($query:expr, $table:ident, $key:ident, $type:ty, $is_there:expr, $direction:expr, $after:expr) => {{
        use rapport_domain::page::Direction;
        let (query, after) = ($query, $after);
        if $is_there {
            crate::page::seek!(
                query.filter($table::$key.is_not_null()),
                concat!(stringify!($table), ".", stringify!($key)),
                $type,
                concat!(stringify!($table), ".id"),
                $direction,
                after.and_then(|(key, id)| key.map(|key| (key, id)))
            )
        } else {
            let query = query.filter($table::$key.is_null());
            let query = match (after.filter(|(key, _)| key.is_none()), $direction) {
                (Some((_, id)), Direction::Ascending) => query.filter($table::id.gt(id)),
                (Some((_, id)), Direction::Descending) => query.filter($table::id.lt(id)),
                (None, _) => query,
            };
            query.order(crate::page::Order(crate::page::order!(
                concat!(stringify!($table), ".", stringify!($key)),
                concat!(stringify!($table), ".id"),
                $direction
            )))
        }
    }};
}
pub(crate) use part;

/// The same as `rows!` by a column in which some records have nothing. Those come last, whichever way the list goes, so it is read
/// in two parts, one after the other.
///
/// Table and column are words of the schema, and the query of a lane is a closure written out here.
macro_rules! rows_with_missing_last {
    ($reader:expr, $request:expr, $lanes:expr, $query:expr, $table:ident, $key:ident, $type:ty, $rust:ty, $direction:expr) => {{
        let after = $request.after::<Option<$rust>>()?;
        let is_in_last = after.is_some_and(|(key, _)| key.is_none());
        let order = crate::page::order!(
            concat!(stringify!($table), ".", stringify!($key)),
            concat!(stringify!($table), ".id"),
            $direction
        );
        let mut found = Vec::new();
        for is_there in [true, false] {
            let left = $request.fetch() - found.len() as i64;
            if left == 0 || (is_there && is_in_last) {
                continue;
            }
            let mut lanes = Vec::new();
            for lane in $lanes.iter().cloned() {
                lanes.push(crate::page::part!(($query)(lane)?, $table, $key, $type, is_there, $direction, after));
            }
            let merged = crate::visibility::Merged::of($reader, $request, lanes, stringify!($table), order, left)?;
            found.extend(merged.load::<Row>($reader.pg())?);
        }
        Ok::<_, StoreError>(found)
    }};
}
pub(crate) use rows_with_missing_last;

/// Refuses an order by what records of a resource don't have.
pub(crate) fn not_sorted_by(resource: Resource, key: &SortKey) -> StoreError {
    let detail = format!("The {} have no {} to be sorted by. Choose another order.", resource.as_str(), key.field());
    StoreError::parameter("sort", "unknown_sort", detail)
}

/// A total in the words of the API, from a count that stopped one past the ceiling.
pub(crate) fn counted(value: i64) -> Total {
    match value > COUNT_CEILING {
        true => Total { value: COUNT_CEILING, relation: TotalRelation::AtLeast },
        false => Total { value, relation: TotalRelation::Exact },
    }
}

/// Counts what a query selects, as it was asked for. The query has to be unsorted and to select one small column.
macro_rules! total {
    ($reader:expr, $query:expr, $count:expr) => {{
        match $count {
            None => None,
            Some(rapport_domain::page::Count::Exact) => {
                let bounded = $query.limit(rapport_domain::page::COUNT_CEILING + 1);
                let rows = crate::page::Counted(bounded).get_result::<i64>($reader.pg())?;
                Some(crate::page::counted(rows))
            }
            Some(rapport_domain::page::Count::Estimate) => {
                let plan = crate::page::Explained($query).get_result::<serde_json::Value>($reader.pg())?;
                Some(crate::page::estimated(&plan))
            }
        }
    }};
}
pub(crate) use total;

/// A total as the planner expects it.
pub(crate) fn estimated(plan: &Value) -> Total {
    let rows = plan.pointer("/0/Plan/Plan Rows").and_then(Value::as_f64).unwrap_or_default();
    Total { value: rows as i64, relation: TotalRelation::Estimate }
}

pub(crate) use fragments::{Behind, Order};
pub(crate) use wrappers::{Counted, Explained};

/// Parts of sorted statements. Unlike `sql` of diesel, they leave a statement fit to be kept, for there are few of them.
mod fragments {
    use std::marker::PhantomData;

    use diesel::{
        QueryResult,
        expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate},
        pg::Pg,
        query_builder::{AstPass, QueryFragment, QueryId},
        serialize::ToSql,
        sql_types::{Bool, HasSqlType, Text},
    };
    use uuid::Uuid;

    use crate::expression::expression;

    /// What a list is sorted by.
    pub(crate) struct Order(pub(crate) &'static str);

    impl QueryFragment<Pg> for Order {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            out.push_sql(self.0);
            Ok(())
        }
    }

    expression!(Order, Text);

    /// That a record stands behind a place in a list. The planner does not learn which place: the plan is the same for all of them, and
    /// where there are many records it would take it for cheaper each time.
    pub(crate) struct Behind<T, K> {
        /// As far as the values of the place.
        comparison: &'static str,
        key: K,
        id: Uuid,
        of: PhantomData<T>,
    }

    impl<T, K> Behind<T, K> {
        pub(crate) fn new(comparison: &'static str, key: K, id: Uuid) -> Self {
            Self { comparison, key, id, of: PhantomData }
        }
    }

    impl<T, K: ToSql<T, Pg>> QueryFragment<Pg> for Behind<T, K>
    where
        Pg: HasSqlType<T>,
    {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            out.push_sql(self.comparison);
            out.push_sql("(SELECT ");
            out.push_bind_param::<T, _>(&self.key)?;
            out.push_sql("), (SELECT ");
            out.push_bind_param::<diesel::sql_types::Uuid, _>(&self.id)?;
            out.push_sql("))");
            Ok(())
        }
    }

    impl<T, K> Expression for Behind<T, K> {
        type SqlType = Bool;
    }
    impl<T, K, Source> AppearsOnTable<Source> for Behind<T, K> {}
    impl<T, K, Source> SelectableExpression<Source> for Behind<T, K> {}
    impl<T, K> ValidGrouping<()> for Behind<T, K> {
        type IsAggregate = is_aggregate::No;
    }
    impl<T, K> QueryId for Behind<T, K> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }
}

/// Statements around statements.
mod wrappers {
    use diesel::{
        QueryResult, RunQueryDsl,
        pg::{Pg, PgConnection},
        query_builder::{AstPass, Query, QueryFragment, QueryId},
        sql_types::{BigInt, Json},
    };

    /// `SELECT count(*)` over the rows of a query.
    pub(crate) struct Counted<S>(pub(crate) S);

    /// The plan of a query.
    pub(crate) struct Explained<S>(pub(crate) S);

    impl<S> Query for Counted<S> {
        type SqlType = BigInt;
    }
    impl<S> Query for Explained<S> {
        type SqlType = Json;
    }
    impl<S> QueryId for Counted<S> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }
    impl<S> QueryId for Explained<S> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }
    impl<S> RunQueryDsl<PgConnection> for Counted<S> {}
    impl<S> RunQueryDsl<PgConnection> for Explained<S> {}

    impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Counted<S> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            out.push_sql("SELECT count(*) FROM (");
            self.0.walk_ast(out.reborrow())?;
            out.push_sql(") AS counted");
            Ok(())
        }
    }

    impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Explained<S> {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            // The values are what the planner has to know, so the plan is made anew each time.
            out.unsafe_to_cache_prepared();
            out.push_sql("EXPLAIN (FORMAT JSON) ");
            self.0.walk_ast(out.reborrow())
        }
    }
}
