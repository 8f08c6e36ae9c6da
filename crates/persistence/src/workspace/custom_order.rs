//! Lists in the order of a custom field, read from what `custom_field_values` keeps of fields that are sorted.
//!
//! First come the records with a value, along the index of the field, then those without one, by id. The same for every
//! resource: what is found are ids, and the resource reads its records.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid},
};
use rapport_domain::{access::Resource, page::Direction, people::contact::DeletedInList};
use serde_json::Value;
use uuid::Uuid;

use super::custom_fields;
use crate::{
    Page, Reader, StoreError,
    filter::Compiled,
    page::{Explained, PageRequest},
    search::Finds,
    visibility::Within,
};

/// The order of a list by a custom field.
pub(crate) struct CustomOrder {
    workspace: Uuid,
    table: &'static str,
    field: Uuid,
    direction: Direction,
}

/// Which living records are listed.
pub(crate) struct Among {
    pub(crate) within: Within,
    pub(crate) filter: Option<Compiled>,
    pub(crate) finds: Option<Finds>,
}

/// Where a record stands in the list.
type Position = (Option<String>, Uuid);

impl CustomOrder {
    /// The order by the field of this key, which has to be in use and sorted.
    pub(crate) fn of(
        reader: &mut Reader<'_>,
        resource: Resource,
        key: &str,
        direction: Direction,
        deleted: DeletedInList,
    ) -> Result<Self, StoreError> {
        if deleted == DeletedInList::Only {
            let detail = "Of deleted records no values are kept sorted. Choose another order for them.";
            return Err(StoreError::parameter("sort", "not_applicable", detail));
        }
        let fields = custom_fields::of(reader, resource)?;
        let detail = match fields.live().find(|field| field.key == key) {
            Some(field) if field.sorted => {
                let (workspace, table) = (reader.workspace(), resource.as_str());
                return Ok(Self { workspace, table, field: field.id.uuid(), direction });
            }
            Some(field) => format!("{} is not kept sorted. Set sorted on its custom field first.", field.label),
            None => format!("There is no custom field {key} in {}.", resource.as_str()),
        };
        Err(StoreError::parameter("sort", "unknown_sort", detail))
    }

    /// The ids of a page.
    pub(crate) fn page(
        &self,
        reader: &mut Reader<'_>,
        among: &Among,
        request: &PageRequest,
    ) -> Result<Page<Uuid>, StoreError> {
        let after: Option<Position> = request.after()?;
        let (mut found, mut blank) = (Vec::new(), after.clone());
        let is_fenced = request.sorts_what_is_found();
        if !matches!(after, Some((None, _))) {
            blank = None;
            let valued = Lane { order: self, among, part: Part::Valued, after, limit: request.fetch(), is_fenced };
            found = valued.load::<Position>(reader.pg())?;
        }
        let left = request.fetch() - found.len() as i64;
        if left > 0 {
            let blank = Lane { order: self, among, part: Part::Blank, after: blank, limit: left, is_fenced };
            found.extend(blank.load::<Position>(reader.pg())?);
        }
        request.page(reader, found, Clone::clone, |(_, id)| Ok(id))
    }

    /// How the database would find the first page.
    pub(crate) fn plan(&self, reader: &mut Reader<'_>, among: &Among, limit: i64) -> Result<Value, StoreError> {
        let lane = Lane { order: self, among, part: Part::Valued, after: None, limit, is_fenced: false };
        Ok(Explained(lane).get_result(reader.pg())?)
    }
}

/// The records with a value, or those without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Valued,
    Blank,
}

/// Finds the places of one part of the list behind another place.
struct Lane<'o> {
    order: &'o CustomOrder,
    among: &'o Among,
    part: Part,
    after: Option<Position>,
    limit: i64,
    /// Whether all of it is found before it is sorted and limited.
    is_fenced: bool,
}

impl Query for Lane<'_> {
    type SqlType = (Nullable<Text>, SqlUuid);
}
impl QueryId for Lane<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl RunQueryDsl<PgConnection> for Lane<'_> {}

impl QueryFragment<Pg> for Lane<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let CustomOrder { workspace, table, field, direction } = self.order;
        let (beyond, order) = match direction {
            Direction::Ascending => (">", ""),
            Direction::Descending => ("<", " DESC"),
        };
        if self.is_fenced {
            out.push_sql("SELECT * FROM (");
        }
        match self.part {
            Part::Valued => {
                out.push_sql("SELECT kept.sort_key, kept.record_id FROM custom_field_values AS kept INNER JOIN ");
                out.push_sql(table);
                out.push_sql(" ON ");
                out.push_sql(table);
                out.push_sql(".workspace_id = kept.workspace_id AND ");
                out.push_sql(table);
                out.push_sql(".id = kept.record_id WHERE kept.workspace_id = ");
                out.push_bind_param::<SqlUuid, _>(workspace)?;
                out.push_sql(" AND kept.field_id = ");
                out.push_bind_param::<SqlUuid, _>(field)?;
                out.push_sql(" AND kept.sort_key IS NOT NULL");
            }
            Part::Blank => {
                out.push_sql("SELECT NULL::text, ");
                out.push_sql(table);
                out.push_sql(".id AS record_id FROM ");
                out.push_sql(table);
                out.push_sql(" WHERE ");
                out.push_sql(table);
                out.push_sql(".workspace_id = ");
                out.push_bind_param::<SqlUuid, _>(workspace)?;
                out.push_sql(
                    " AND NOT EXISTS (SELECT FROM custom_field_values AS kept WHERE kept.sort_key IS NOT NULL \
                     AND kept.workspace_id = ",
                );
                out.push_bind_param::<SqlUuid, _>(workspace)?;
                out.push_sql(" AND kept.field_id = ");
                out.push_bind_param::<SqlUuid, _>(field)?;
                out.push_sql(" AND kept.record_id = ");
                out.push_sql(table);
                out.push_sql(".id)");
            }
        }
        self.push_among(out.reborrow())?;
        if let Some((key, id)) = &self.after {
            match key {
                Some(key) => {
                    out.push_sql(&format!(" AND (kept.sort_key, kept.record_id) {beyond} ("));
                    out.push_bind_param::<Text, _>(key)?;
                    out.push_sql(", ");
                    out.push_bind_param::<SqlUuid, _>(id)?;
                    out.push_sql(")");
                }
                None => {
                    out.push_sql(&format!(" AND {table}.id {beyond} "));
                    out.push_bind_param::<SqlUuid, _>(id)?;
                }
            }
        }
        if self.is_fenced {
            out.push_sql(" OFFSET 0) AS kept");
        }
        out.push_sql(&match self.part {
            Part::Valued => format!(" ORDER BY sort_key{order}, record_id{order} LIMIT "),
            Part::Blank => format!(" ORDER BY record_id{order} LIMIT "),
        });
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl Lane<'_> {
    fn push_among<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" AND ");
        out.push_sql(self.order.table);
        out.push_sql(".deleted_at IS NULL AND ");
        self.among.within.walk_ast(out.reborrow())?;
        if let Some(filter) = &self.among.filter {
            out.push_sql(" AND ");
            filter.walk_ast(out.reborrow())?;
        }
        if let Some(finds) = &self.among.finds {
            out.push_sql(" AND ");
            finds.walk_ast(out)?;
        }
        Ok(())
    }
}
