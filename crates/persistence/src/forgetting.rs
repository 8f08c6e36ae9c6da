//! What is kept for a time only.

use chrono::{DateTime, Utc};
use diesel::{RunQueryDsl, sql_query, sql_types};

use crate::{Db, StoreError};

/// Deletes the oldest rows of a table of the time before this, `most` in one short transaction, and says whether there are more.
pub(crate) async fn forget(
    db: &Db,
    table: &'static str,
    column: &'static str,
    before: DateTime<Utc>,
    most: i32,
) -> Result<bool, StoreError> {
    let statement = format!(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {column} < $1 ORDER BY {column} LIMIT $2))"
    );
    let forgotten = db
        .directory(move |pg| {
            let delete = sql_query(statement).bind::<sql_types::Timestamptz, _>(before);
            Ok(delete.bind::<sql_types::Integer, _>(most).execute(pg)?)
        })
        .await?;
    Ok(forgotten >= most as usize)
}
