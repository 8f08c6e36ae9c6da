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
/// The planner takes keys for much commoner than they are, and would rather walk a sorted list to its end than look them
/// up: at a million records that is 900 ms. A subquery of its own, without order or limit, is left with the index.
pub(crate) fn with_match_keys<T>(
    table: &str,
    workspace: Uuid,
    keys: Vec<String>,
) -> Box<dyn BoxableExpression<T, Pg, SqlType = sql_types::Bool>> {
    let subquery = format!(
        "{table}.id = ANY(ARRAY(SELECT same.id FROM {table} AS same WHERE same.match_keys <> '{{}}' AND same.workspace_id = "
    );
    Box::new(
        sql::<sql_types::Bool>(&subquery)
            .bind::<sql_types::Uuid, _>(workspace)
            .sql(" AND same.match_keys && ")
            .bind::<sql_types::Array<sql_types::Text>, _>(keys)
            .sql("))"),
    )
}
