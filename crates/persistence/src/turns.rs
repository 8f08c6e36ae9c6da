//! Turns: locks by name, which hold until the end of the transaction. All who want the same name come one after the other.

use diesel::{RunQueryDsl, dsl::sql, sql_types};

use crate::{StoreError, Writer, prepared::Prepared};

/// Waits until nobody else has this turn.
pub(crate) fn take(writer: &mut Writer<'_>, name: &str) -> Result<(), StoreError> {
    wait(writer, "pg_advisory_xact_lock", name)
}

/// Waits until nobody has taken this turn; others may share it.
pub(crate) fn share(writer: &mut Writer<'_>, name: &str) -> Result<(), StoreError> {
    wait(writer, "pg_advisory_xact_lock_shared", name)
}

fn wait(writer: &mut Writer<'_>, function: &str, name: &str) -> Result<(), StoreError> {
    let lock = sql::<sql_types::Text>(&format!("SELECT {function}(hashtextextended("))
        .bind::<sql_types::Text, _>(name)
        .sql(", 0))::text");
    Prepared(lock).get_result::<String>(writer.pg())?;
    Ok(())
}
