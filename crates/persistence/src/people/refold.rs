//! Folds the texts of records that were written by a version which did not.

use diesel::{PgConnection, dsl::sql, prelude::*, sql_types};
use serde::Serialize;

use super::{companies, contacts};
use crate::{
    StoreError,
    activity::tasks,
    bulk,
    sales::{leads, products},
    schema,
};

/// How many records are folded in one statement.
const BATCH: i64 = 1_000;

/// Folds what is not folded yet, in all workspaces. What others change meanwhile they fold themselves.
pub(crate) fn run(pg: &mut PgConnection) -> Result<(), StoreError> {
    refold(pg, "contacts", |pg| {
        let unfolded = schema::contacts::table.filter(sql::<sql_types::Bool>("contacts.folded = '{}'")).limit(BATCH);
        let rows: Vec<contacts::Row> = unfolded.select(contacts::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(contacts::Row::of(row.workspace_id, &row.into_contact()?))).collect()
    })?;
    refold(pg, "companies", |pg| {
        let unfolded = schema::companies::table.filter(sql::<sql_types::Bool>("companies.folded = '{}'")).limit(BATCH);
        let rows: Vec<companies::Row> = unfolded.select(companies::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(companies::Row::of(row.workspace_id, &row.into_company()?))).collect()
    })?;
    refold(pg, "tasks", |pg| {
        let unfolded = schema::tasks::table.filter(sql::<sql_types::Bool>("tasks.folded = '{}'")).limit(BATCH);
        let rows: Vec<tasks::Row> = unfolded.select(tasks::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(tasks::Row::of(row.workspace_id, &row.into_task()?))).collect()
    })?;
    refold(pg, "leads", |pg| {
        let unfolded = schema::leads::table.filter(sql::<sql_types::Bool>("leads.folded = '{}'")).limit(BATCH);
        let rows: Vec<leads::Row> = unfolded.select(leads::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(leads::Row::of(row.workspace_id, &row.into_lead()?))).collect()
    })?;
    refold(pg, "products", |pg| {
        let unfolded = schema::products::table.filter(sql::<sql_types::Bool>("products.folded = '{}'")).limit(BATCH);
        let rows: Vec<products::Row> = unfolded.select(products::Row::as_select()).load(pg)?;
        rows.into_iter().map(|row| Ok(products::Row::of(row.workspace_id, &row.into_product()?))).collect()
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
