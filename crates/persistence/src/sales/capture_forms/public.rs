//! Finds the form that a stranger's key stands for.

use diesel::prelude::*;
use rapport_domain::{id::WorkspaceId, sales::capture_form::CaptureForm};

use super::{row::Row, workspace_of};
use crate::{
    Db, StoreError,
    schema::{capture_forms, workspaces},
};

/// A form that takes submissions, and whose it is.
#[derive(Clone, Debug)]
pub struct PublicForm {
    pub workspace: WorkspaceId,
    /// Country in which telephone numbers without country code are dialled.
    pub country: Option<String>,
    pub form: CaptureForm,
}

/// The active form with this key.
pub async fn find(db: &Db, key: &str) -> Result<Option<PublicForm>, StoreError> {
    let Some(workspace) = workspace_of(key) else { return Ok(None) };
    let key = key.to_owned();
    db.directory(move |pg| {
        let found: Option<(Row, Option<String>)> = capture_forms::table
            .inner_join(workspaces::table.on(workspaces::id.eq(capture_forms::workspace_id)))
            .filter(capture_forms::workspace_id.eq(workspace))
            .filter(capture_forms::key.eq(key))
            .filter(capture_forms::active)
            .select((Row::as_select(), workspaces::country))
            .first(pg)
            .optional()?;
        let public = |(row, country): (Row, Option<String>)| {
            Ok(PublicForm { workspace: WorkspaceId::from_uuid(workspace), country, form: row.into_form()? })
        };
        found.map(public).transpose()
    })
    .await
}
