//! Reads of one record with an owner.
//!
//! Most callers see all records, and for them the statement is always the same: diesel knows it by its type, and need not
//! write its text anew to find what was prepared. For the others the conditions of their roles are part of it.

/// Reads the record with an id; it is missing for whoever may not see it.
///
/// Takes the reader, the module of the table, the type of its rows, the resource, which of the living and the deleted are
/// meant, and the id.
macro_rules! one {
    ($reader:expr, $table:ident, $row:ty, $resource:expr, $deleted:expr, $id:expr) => {{
        let condition = crate::visibility::Policy::reading($reader, $resource).whole();
        let one = $table::table.filter($table::workspace_id.eq($reader.workspace())).filter($table::id.eq($id));
        let found = match $deleted {
            crate::people::Deleted::Exclude if condition.is_everything() => {
                let one = one.filter($table::deleted_at.is_null());
                one.select(<$row>::as_select()).get_result($reader.pg())
            }
            deleted => {
                let one = within($reader, deleted, condition).filter($table::id.eq($id));
                one.select(<$row>::as_select()).get_result($reader.pg())
            }
        };
        found.optional()?.ok_or(crate::StoreError::Missing($resource.kind()))
    }};
}
pub(crate) use one;

/// Reads the record with an id in order to change it, unless the caller may not do so.
///
/// Takes what [`one`] takes.
macro_rules! one_to_change {
    ($reader:expr, $table:ident, $row:ty, $resource:expr, $deleted:expr, $id:expr) => {{
        let finding = crate::visibility::Policy::finding($reader, $resource).whole();
        let writing = crate::visibility::Policy::writing($reader, $resource).whole();
        let one = $table::table.filter($table::workspace_id.eq($reader.workspace())).filter($table::id.eq($id));
        let found = match $deleted {
            crate::people::Deleted::Exclude if finding.is_everything() && writing.is_everything() => {
                let one = one.filter($table::deleted_at.is_null());
                one.select(<$row>::as_select()).get_result($reader.pg()).map(|row| (row, true))
            }
            deleted => {
                let one = within($reader, deleted, finding).filter($table::id.eq($id));
                let select = (<$row>::as_select(), crate::visibility::IsWithin(writing));
                one.select(select).get_result($reader.pg())
            }
        };
        match found.optional()? {
            Some((row, true)) => Ok(row),
            Some((_, false)) => Err(crate::StoreError::may_not_change($resource.kind())),
            None => Err(crate::StoreError::Missing($resource.kind())),
        }
    }};
}
pub(crate) use one_to_change;
