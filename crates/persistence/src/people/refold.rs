//! Folds the texts of records that were written by a version which did not. Only tables that are older than filters have such.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use serde::Serialize;

use super::{companies, contacts};
use crate::{StoreError, bulk, schema};

/// How many records are folded in one statement.
const BATCH: i64 = 1_000;

/// Folds what is not folded yet, in all workspaces. What others change meanwhile they fold themselves.
pub(crate) fn run(pg: &mut PgConnection) -> Result<(), StoreError> {
    refold(pg, "contacts", |pg| {
        let unfolded = schema::contacts::table.filter(sql::<sql_types::Bool>("contacts.folded = '{}'")).limit(BATCH);
        let rows: Vec<contacts::Row> = unfolded.select(contacts::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(contacts::NewRow::of(row.workspace_id, &row.into_contact()?))).collect()
    })?;
    refold(pg, "companies", |pg| {
        let unfolded = schema::companies::table.filter(sql::<sql_types::Bool>("companies.folded = '{}'")).limit(BATCH);
        let rows: Vec<companies::Row> = unfolded.select(companies::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(companies::NewRow::of(row.workspace_id, &row.into_company()?))).collect()
    })
}

fn refold<R: Serialize>(
    pg: &mut PgConnection,
    table: &str,
    batch: impl Fn(&mut PgConnection) -> Result<Vec<R>, StoreError>,
) -> Result<(), StoreError> {
    loop {
        let rows = batch(pg)?;
        if rows.is_empty() || bulk::derive(pg, table, &["folded", "search"], &rows)? == 0 {
            return Ok(());
        }
    }
}
