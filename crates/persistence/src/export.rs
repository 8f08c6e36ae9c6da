//! Exporting records.

use diesel::{prelude::*, sql_query, sql_types};
use rapport_domain::{access::Resource, people::export::LISTS};

use crate::{Reader, StoreError};

#[derive(QueryableByName)]
struct Extent {
    #[diesel(sql_type = sql_types::BigInt)]
    records: i64,
    #[diesel(sql_type = sql_types::Array<sql_types::Integer>)]
    lengths: Vec<i32>,
}

/// How many living records a resource has, and how long the longest of their lists are, in the order of [`LISTS`].
pub fn extent(reader: &mut Reader<'_>, resource: Resource) -> Result<(u64, Vec<usize>), StoreError> {
    let longest = |list: &&str| format!("coalesce(max(jsonb_array_length(details -> '{list}')), 0)");
    let statement = format!(
        "SELECT count(*) AS records, ARRAY[{}] AS lengths FROM {} WHERE workspace_id = $1 AND deleted_at IS NULL",
        LISTS.iter().map(longest).collect::<Vec<_>>().join(", "),
        resource.as_str()
    );
    let workspace = reader.workspace();
    let extent: Extent = sql_query(statement).bind::<sql_types::Uuid, _>(workspace).get_result(reader.pg())?;
    let lengths = extent.lengths.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect();
    Ok((extent.records.unsigned_abs(), lengths))
}
