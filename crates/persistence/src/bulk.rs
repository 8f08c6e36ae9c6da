//! Changes of many rows in one statement. Rows travel as one JSON document, whose fields are the columns of the table: one
//! bind for any number of rows, and the database reads each value as the type of its column. New rows go by `COPY`
//! instead, at half the cost.

use diesel::{PgConnection, RunQueryDsl, sql_query, sql_types};
use serde::Serialize;

use crate::StoreError;

/// Replaces the columns of records that are still one version behind their row; returns how many were.
pub(crate) fn update<R: Serialize>(
    pg: &mut PgConnection,
    table: &str,
    columns: &[&str],
    rows: &[R],
) -> Result<usize, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let names = columns.join(", ");
    let values = columns.iter().map(|column| format!("new.{column}")).collect::<Vec<_>>().join(", ");
    let statement = format!(
        "UPDATE {table} AS old SET ({names}) = ROW({values}) FROM json_populate_recordset(NULL::{table}, $1::json) AS new \
         WHERE old.workspace_id = new.workspace_id AND old.id = new.id AND old.version = new.version - 1"
    );
    Ok(sql_query(statement).bind::<sql_types::Text, _>(document(rows)?).execute(pg)?)
}

/// Written as text at once: a tree of values in between would cost as much again.
pub(crate) fn document<R: Serialize>(rows: &[R]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Internal(error.to_string()))
}
