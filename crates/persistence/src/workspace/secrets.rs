//! Random keys that the servers of an installation share.

use diesel::{PgConnection, prelude::*};

use crate::{StoreError, schema::secrets};

/// The secret of this name: 32 random bytes, made by whoever asks first.
pub(crate) fn get_or_make(pg: &mut PgConnection, name: &str) -> Result<Vec<u8>, StoreError> {
    let known = |pg: &mut PgConnection| secrets::table.find(name).select(secrets::value).first(pg).optional();
    if let Some(value) = known(pg)? {
        return Ok(value);
    }
    let mut value = [0_u8; 32];
    getrandom::fill(&mut value).map_err(|error| StoreError::Internal(error.to_string()))?;
    diesel::insert_into(secrets::table)
        .values((secrets::name.eq(name), secrets::value.eq(value.as_slice())))
        .on_conflict_do_nothing()
        .execute(pg)?;
    known(pg)?.ok_or_else(|| StoreError::Internal(format!("the secret {name} was not kept")))
}
