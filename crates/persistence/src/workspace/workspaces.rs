//! Workspaces: the directory of tenants.

use diesel::prelude::*;
use rapport_domain::id::WorkspaceId;
use uuid::Uuid;

use super::roles;
use crate::{
    Db, StoreError,
    sales::{lead_statuses, lost_reasons, pipelines},
    schema::workspaces,
};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    /// Country in which telephone numbers without country code are dialled.
    pub country: Option<String>,
}

/// Creates a workspace with the standard roles and lists. Its name has to be new.
pub async fn create(db: &Db, name: &str, country: Option<&str>) -> Result<Workspace, StoreError> {
    let workspace =
        Workspace { id: WorkspaceId::mint(), name: name.to_owned(), country: country.map(ToOwned::to_owned) };
    let (created, now) = (workspace.clone(), db.clock().now());
    db.directory(move |pg| {
        pg.transaction(|pg| {
            diesel::insert_into(workspaces::table)
                .values((
                    workspaces::id.eq(created.id.uuid()),
                    workspaces::name.eq(&created.name),
                    workspaces::country.eq(&created.country),
                    workspaces::created_at.eq(now),
                ))
                .execute(pg)?;
            roles::seed(pg, created.id, now)?;
            lead_statuses::seed(pg, created.id, now)?;
            lost_reasons::seed(pg, created.id, now)?;
            pipelines::seed(pg, created.id, now)
        })
    })
    .await?;
    Ok(workspace)
}

/// The workspace of this name.
pub async fn find(db: &Db, name: &str) -> Result<Option<Workspace>, StoreError> {
    let name = name.to_owned();
    db.directory(move |pg| {
        let found = workspaces::table
            .filter(workspaces::name.eq(name))
            .select((workspaces::id, workspaces::name, workspaces::country))
            .first::<(Uuid, String, Option<String>)>(pg)
            .optional()?;
        Ok(found.map(|(id, name, country)| Workspace { id: WorkspaceId::from_uuid(id), name, country }))
    })
    .await
}

/// The names of all workspaces, for messages on the command line.
pub async fn names(db: &Db) -> Result<Vec<String>, StoreError> {
    db.directory(|pg| Ok(workspaces::table.select(workspaces::name).order(workspaces::name).load(pg)?)).await
}
