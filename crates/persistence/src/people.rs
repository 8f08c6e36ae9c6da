//! People and organisations.

use diesel::{BoxableExpression, dsl::sql, pg::Pg, sql_types};
use uuid::Uuid;

pub mod companies;
pub mod contacts;
pub mod duplicates;
pub(crate) mod refold;

/// Which records a read may return, as far as deletion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The living alone.
    Exclude,
    /// The living and the deleted.
    Include,
    /// The deleted alone.
    Only,
}

/// Records of a table with one of these match keys.
///
/// The index is that of the keys, whatever the planner knows. It takes keys for much commoner than they are, and would rather
/// walk a sorted list to its end than look them up: 900 ms at a million records; so this is a subquery of its own, without order
/// or limit. Of an array that it can look into it expects that every record is found, and of a new table that few records are
/// of this workspace: either way it would read them all, 6 s instead of 7 ms for 1,000 keys among 150,000 contacts. So the array
/// comes out of a subquery, and the comparison of workspaces is one that no index serves.
pub(crate) fn with_match_keys<T>(
    table: &str,
    workspace: Uuid,
    keys: Vec<String>,
) -> Box<dyn BoxableExpression<T, Pg, SqlType = sql_types::Bool>> {
    let subquery = format!(
        "{table}.id = ANY(ARRAY(SELECT same.id FROM {table} AS same WHERE same.match_keys <> '{{}}' \
         AND same.workspace_id IS NOT DISTINCT FROM "
    );
    Box::new(
        sql::<sql_types::Bool>(&subquery)
            .bind::<sql_types::Uuid, _>(workspace)
            .sql(" AND same.match_keys && ARRAY(SELECT unnest(")
            .bind::<sql_types::Array<sql_types::Text>, _>(keys)
            .sql("))))"),
    )
}
