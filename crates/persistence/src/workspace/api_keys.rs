//! API keys: with what programs sign in.

mod row;
mod sign_in;

use chrono::{DateTime, Duration, Utc};
use diesel::{pg::Pg, prelude::*, sql_types};
use rapport_domain::{
    access::Grants,
    id::ApiKeyId,
    journal::{Changes, JournalEntry},
    record::{RecordKind, Stamp},
    workspace::api_key::{ApiKey, ApiKeyPatch, ApiKeyQuery, ApiKeyRotation, ApiKeySecret, NewApiKey, RevokedInList},
};
use uuid::Uuid;

use self::row::{Changed, Row, SecretRow};
pub use self::sign_in::{Presented, SignIn, find, note_use, workspace_of};
use super::accounts;
use crate::{
    Page, Reader, StoreError, TRIES, Writer,
    error::unknown_reference,
    journal::{self, Entry, Journalled},
    page::{PageRequest, seek},
    require_version,
    schema::{api_key_secrets, api_keys},
};

const KIND: RecordKind = RecordKind::ApiKey;

/// Keys of the workspace: every read in this file starts here.
fn visible(reader: &Reader<'_>, revoked: RevokedInList) -> api_keys::BoxedQuery<'static, Pg> {
    let all = api_keys::table.filter(api_keys::workspace_id.eq(reader.workspace())).into_boxed();
    match revoked {
        RevokedInList::Exclude => all.filter(api_keys::revoked_at.is_null()),
        RevokedInList::Only => all.filter(api_keys::revoked_at.is_not_null()),
        RevokedInList::Include => all,
    }
}

/// One key; also one that was revoked.
pub fn get(reader: &mut Reader<'_>, id: ApiKeyId) -> Result<ApiKey, StoreError> {
    let row: Row = visible(reader, RevokedInList::Include)
        .filter(api_keys::id.eq(id.uuid()))
        .select(Row::as_select())
        .first(reader.pg())
        .optional()?
        .ok_or(StoreError::Missing(KIND))?;
    let secrets = secrets(reader, &[row.id])?;
    Ok(with_secrets(row, &secrets))
}

/// A page of the keys, the newest first.
pub fn list(reader: &mut Reader<'_>, query: &ApiKeyQuery) -> Result<Page<ApiKey>, StoreError> {
    let request = PageRequest::read(reader, "list_api_keys", query, query.limit, query.cursor.as_deref())?;
    let mut select = visible(reader, query.revoked).select(Row::as_select());
    if !query.user_id.is_empty() {
        let users = query.user_id.iter().map(|id| id.uuid()).collect::<Vec<_>>();
        select = select.filter(api_keys::user_id.eq_any(users));
    }
    let after = request.after::<DateTime<Utc>>()?;
    let select =
        seek!(select, "api_keys.created_at", sql_types::Timestamptz, "api_keys.id", Direction::Descending, after);
    let rows: Vec<Row> = select.limit(request.fetch()).load(reader.pg())?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let secrets = secrets(reader, &ids)?;
    request.page(reader, rows, |row| (row.created_at, row.id), |row| Ok(with_secrets(row, &secrets)))
}

/// Keeps a new key. Its secret is never stored, only the hash of it.
pub fn create(
    writer: &mut Writer<'_>,
    new: NewApiKey,
    id: ApiKeyId,
    secret_hash: Vec<u8>,
) -> Result<ApiKey, StoreError> {
    let key = ApiKey::create(new, id, writer.stamp())?;
    require_user(writer, &key)?;
    require_cover(writer, &key)?;
    let entry = Entry::new(writer, KIND, "created", id.uuid(), Changes::of_new(&key), key.created_at).audited(writer);
    writer.transaction(|writer| {
        let nowhere_yet = api_keys::known_addresses.eq(Vec::<String>::new());
        let write = diesel::insert_into(api_keys::table)
            .values((Row::of(writer.workspace(), &key), nowhere_yet))
            .returning(Row::as_returning());
        Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg())?;
        insert_secret(writer, id, &secret_hash, key.created_at)
    })?;
    Ok(key)
}

/// Changes a key. Nobody can give it more, or change one that has more, than they may do themselves.
pub fn update(
    writer: &mut Writer<'_>,
    id: ApiKeyId,
    expected: Option<i64>,
    patch: &ApiKeyPatch,
) -> Result<ApiKey, StoreError> {
    let apply = |writer: &mut Writer<'_>, before: &ApiKey, _| {
        require_cover(writer, before)?;
        require_own(writer, before)?;
        let after = before.patch(patch.clone())?;
        if after.user_id != before.user_id {
            require_user(writer, &after)?;
        }
        require_cover(writer, &after)?;
        Ok(after)
    };
    change(writer, id, expected, "updated", apply, |_, _| Ok(()))
}

/// Ends a key for good. One that was revoked stays as it is.
pub fn revoke(writer: &mut Writer<'_>, id: ApiKeyId, expected: Option<i64>) -> Result<ApiKey, StoreError> {
    let apply = |_: &mut Writer<'_>, before: &ApiKey, stamp: Stamp| {
        Ok(ApiKey { revoked_at: before.revoked_at.or(Some(stamp.at)), secrets: Vec::new(), ..before.clone() })
    };
    change(writer, id, expected, "revoked", apply, |writer, key| {
        diesel::delete(api_key_secrets::table)
            .filter(api_key_secrets::workspace_id.eq(writer.workspace()))
            .filter(api_key_secrets::api_key_id.eq(key.id.uuid()))
            .execute(writer.pg())?;
        Ok(())
    })
}

/// Gives a key a new secret. The one until now stays for a while, any older one ends.
pub fn rotate(
    writer: &mut Writer<'_>,
    id: ApiKeyId,
    rotation: ApiKeyRotation,
    secret_hash: &[u8],
) -> Result<ApiKey, StoreError> {
    let apply = |writer: &mut Writer<'_>, before: &ApiKey, stamp: Stamp| {
        require_cover(writer, before)?;
        require_own(writer, before)?;
        Ok(ApiKey { secrets: rotated(&before.secrets, rotation, stamp.at), ..before.clone() })
    };
    change(writer, id, None, "rotated", apply, |writer, key| {
        let old = key.secrets.get(1).copied();
        let of_key = api_key_secrets::table
            .filter(api_key_secrets::workspace_id.eq(writer.workspace()))
            .filter(api_key_secrets::api_key_id.eq(id.uuid()));
        let kept: Vec<_> = old.iter().map(|old| old.created_at).collect();
        diesel::delete(of_key.filter(api_key_secrets::created_at.ne_all(kept))).execute(writer.pg())?;
        if let Some(old) = old {
            diesel::update(of_key).set(api_key_secrets::expires_at.eq(old.expires_at)).execute(writer.pg())?;
        }
        key.secrets.first().map_or(Ok(()), |new| insert_secret(writer, id, secret_hash, new.created_at))
    })
}

/// What happened to a key, newest first.
pub fn history(
    reader: &mut Reader<'_>,
    id: ApiKeyId,
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Page<JournalEntry>, StoreError> {
    get(reader, id)?;
    journal::list(reader, KIND, id.uuid(), limit, cursor)
}

/// Reads, changes and writes back; `also` happens in the transaction of the write.
fn change(
    writer: &mut Writer<'_>,
    id: ApiKeyId,
    expected: Option<i64>,
    verb: &str,
    apply: impl Fn(&mut Writer<'_>, &ApiKey, Stamp) -> Result<ApiKey, StoreError>,
    also: impl Fn(&mut Writer<'_>, &ApiKey) -> Result<(), StoreError>,
) -> Result<ApiKey, StoreError> {
    for _ in 0..TRIES {
        let before = get(writer, id)?;
        require_version(expected, before.version)?;
        let stamp = writer.stamp();
        let mut after = apply(writer, &before, stamp)?;
        let changes = Changes::between(&before, &after);
        if changes.is_empty() {
            return Ok(before);
        }
        if before.revoked_at.is_some() {
            let detail = "This key was revoked, for good. Create another one.";
            return Err(StoreError::Conflict { code: "revoked", detail: detail.to_owned() });
        }
        after.advance(stamp);
        let entry = Entry::new(writer, KIND, verb, id.uuid(), changes, after.updated_at).audited(writer);
        let is_written = writer.transaction(|writer| {
            let write = diesel::update(api_keys::table)
                .filter(api_keys::workspace_id.eq(writer.workspace()))
                .filter(api_keys::id.eq(id.uuid()))
                .filter(api_keys::version.eq(before.version))
                .set(Changed::of(&after))
                .returning(Row::as_returning());
            let row = Journalled { write, entry: entry.clone() }.get_result::<Row>(writer.pg()).optional()?;
            if row.is_some() {
                also(writer, &after)?;
            }
            Ok(row.is_some())
        })?;
        if is_written {
            return Ok(after);
        }
    }
    Err(StoreError::Contention)
}

/// The secrets after a rotation: the new one, and that until now for as long as it may stay.
fn rotated(before: &[ApiKeySecret], rotation: ApiKeyRotation, at: DateTime<Utc>) -> Vec<ApiKeySecret> {
    let newest = before.first();
    // Secrets of a key are told apart by their time.
    let at = newest.map_or(at, |newest| at.max(newest.created_at + Duration::microseconds(1)));
    let until = at + Duration::hours(rotation.overlap_hours);
    let old = newest.filter(|_| rotation.overlap_hours > 0).map(|newest| ApiKeySecret {
        expires_at: Some(newest.expires_at.map_or(until, |ends| ends.min(until))),
        ..*newest
    });
    [ApiKeySecret { created_at: at, expires_at: None }].into_iter().chain(old).collect()
}

fn insert_secret(writer: &mut Writer<'_>, id: ApiKeyId, hash: &[u8], at: DateTime<Utc>) -> Result<(), StoreError> {
    diesel::insert_into(api_key_secrets::table)
        .values((
            api_key_secrets::workspace_id.eq(writer.workspace()),
            api_key_secrets::api_key_id.eq(id.uuid()),
            api_key_secrets::secret_hash.eq(hash),
            api_key_secrets::created_at.eq(at),
        ))
        .execute(writer.pg())?;
    Ok(())
}

/// The secrets of these keys that are valid now, the newest first.
fn secrets(reader: &mut Reader<'_>, ids: &[Uuid]) -> Result<Vec<SecretRow>, StoreError> {
    let now = reader.now();
    let is_valid = api_key_secrets::expires_at.is_null().or(api_key_secrets::expires_at.gt(now));
    Ok(api_key_secrets::table
        .filter(api_key_secrets::workspace_id.eq(reader.workspace()))
        .filter(api_key_secrets::api_key_id.eq_any(ids.to_vec()))
        .filter(is_valid)
        .order(api_key_secrets::created_at.desc())
        .select(SecretRow::as_select())
        .load(reader.pg())?)
}

fn with_secrets(row: Row, secrets: &[SecretRow]) -> ApiKey {
    let own = secrets.iter().filter(|secret| secret.api_key_id == row.id).cloned().map(SecretRow::into_secret);
    let own = own.collect();
    row.into_key(own)
}

/// A key acts for whoever makes it, or for nobody; an administrator makes keys for others, too. Its user has to be able
/// to sign in.
fn require_user(writer: &mut Writer<'_>, key: &ApiKey) -> Result<(), StoreError> {
    let Some(user) = key.user_id else { return Ok(()) };
    match accounts::standing(writer, user) {
        Ok(standing) if standing.is_active => {}
        Ok(_) | Err(StoreError::Missing(_)) => return Err(unknown_reference("/user_id", "active user")),
        Err(error) => return Err(error),
    }
    require_own(writer, key)
}

/// A key that acts for a user is theirs alone: whoever holds its secret acts as them.
fn require_own(reader: &Reader<'_>, key: &ApiKey) -> Result<(), StoreError> {
    let grants = reader.scope().grants();
    if key.user_id.is_none_or(|user| grants.is_admin || grants.user == Some(user.uuid())) {
        return Ok(());
    }
    let detail = "A key acts for you or for nobody: only an administrator has to do with keys of others.";
    Err(StoreError::Forbidden(detail.to_owned()))
}

/// Nobody makes or changes a key that may do more than they do.
fn require_cover(writer: &mut Writer<'_>, key: &ApiKey) -> Result<(), StoreError> {
    let everything = match key.user_id {
        None => Grants::everything(),
        // Also of one who can't sign in: they may be able to again.
        Some(user) => accounts::standing(writer, user)?.grants(),
    };
    if writer.scope().grants().cover(&everything.narrowed(key.permissions())) {
        return Ok(());
    }
    let detail = "This key may do more than you. Name scopes that you have yourself, or ask somebody who has them.";
    Err(StoreError::Forbidden(detail.to_owned()))
}
