//! Whoever else may do what: somebody has to be left who may change it.

use diesel::{prelude::*, sql_types};

use crate::{StoreError, Writer};

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = sql_types::Bool)]
    answer: bool,
}

/// Whether there is an active user with a role that may do everything. The rows found are locked, so that of two
/// administrators who take the role from each other one has to wait and is refused.
const IS_THERE: &str = "
SELECT EXISTS (
    SELECT users.id
      FROM users
      JOIN user_roles ON user_roles.workspace_id = users.workspace_id AND user_roles.user_id = users.id
      JOIN roles ON roles.workspace_id = user_roles.workspace_id AND roles.id = user_roles.role_id
     WHERE users.workspace_id = $1 AND users.state = 'active' AND roles.is_admin
       FOR UPDATE OF users) AS answer";

/// Makes a change to users or roles, unless it takes the last administrator. Needs a transaction around it.
pub(super) fn keep_one<T>(
    writer: &mut Writer<'_>,
    change: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let was_there = is_there(writer)?;
    let done = change(writer)?;
    if was_there && !is_there(writer)? {
        let detail = "Nobody would be left who may do everything. Give another active user such a role first.";
        return Err(StoreError::Conflict { code: "last_administrator", detail: detail.to_owned() });
    }
    Ok(done)
}

fn is_there(writer: &mut Writer<'_>) -> Result<bool, StoreError> {
    let workspace = writer.workspace();
    let found: Answer = diesel::sql_query(IS_THERE).bind::<sql_types::Uuid, _>(workspace).get_result(writer.pg())?;
    Ok(found.answer)
}
