//! Rows that are inserted together.

/// Inserts rows into a table. Many are copied, which costs least for each; for one alone that would be two round trips and a
/// statement that is parsed each time.
///
/// Takes the table, the connection and the rows.
macro_rules! insert_all {
    ($table:expr, $pg:expr, $rows:expr) => {{
        let mut rows = $rows;
        match rows.len() {
            0 => Ok(0),
            1 => diesel::insert_into($table).values(rows.swap_remove(0)).execute($pg),
            _ => diesel::copy_from($table).from_insertable(rows).execute($pg),
        }
    }};
}
pub(crate) use insert_all;
