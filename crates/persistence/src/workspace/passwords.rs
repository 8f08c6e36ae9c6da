//! Passwords, as far as they are kept: how one takes the place of another.

use diesel::prelude::*;
use rapport_domain::{
    id::UserId,
    journal::Changes,
    record::RecordKind,
    workspace::{
        invite::TokenPurpose,
        user::{User, UserPatch, UserState},
    },
};

use super::{invites, sessions, users};
use crate::{
    StoreError, Writer, codes,
    journal::{Entry, Journalled},
    schema::users as table,
};

/// Lets an invited user in, with a first password.
pub fn accept_invite(
    writer: &mut Writer<'_>,
    user: UserId,
    token: &str,
    name: Option<String>,
    password_hash: &str,
) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        if !invites::use_up(writer, token, TokenPurpose::Invite)? {
            return Err(invites::invalid_token());
        }
        let before = users::get(writer, user)?;
        if before.state != UserState::Invited {
            return Err(invites::invalid_token());
        }
        let named = before.patch(UserPatch { name: name.clone(), ..UserPatch::default() })?;
        activate(writer, &before, User { state: UserState::Active, ..named }, password_hash)?;
        invites::end_tokens(writer, user)
    })
}

/// Gives the holder of a token a new password.
pub fn reset(writer: &mut Writer<'_>, user: UserId, token: &str, password_hash: &str) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        if !invites::use_up(writer, token, TokenPurpose::Reset)? || !set(writer, user, password_hash)? {
            return Err(invites::invalid_token());
        }
        invites::note(writer, user, "user.password_reset")
    })
}

/// Gives a user who is signed in and knows the old password a new one.
pub fn change(writer: &mut Writer<'_>, user: UserId, password_hash: &str) -> Result<(), StoreError> {
    writer.transaction(|writer| {
        if !set(writer, user, password_hash)? {
            return Err(StoreError::Missing(RecordKind::User));
        }
        invites::note(writer, user, "user.password_changed")
    })
}

/// Whoever knew the old password, or holds a token, is out. False when the user can't sign in.
fn set(writer: &mut Writer<'_>, user: UserId, password_hash: &str) -> Result<bool, StoreError> {
    let set = diesel::update(table::table)
        .filter(table::workspace_id.eq(writer.workspace()))
        .filter(table::id.eq(user.uuid()))
        .filter(table::state.eq("active"))
        .set(table::password_hash.eq(password_hash))
        .execute(writer.pg())?;
    invites::end_tokens(writer, user)?;
    sessions::end_all(writer, user)?;
    Ok(set == 1)
}

fn activate(writer: &mut Writer<'_>, before: &User, mut after: User, password_hash: &str) -> Result<(), StoreError> {
    let changes = Changes::between(before, &after);
    after.advance(writer.stamp());
    let entry = Entry::new(writer, RecordKind::User, "invite_accepted", after.id.uuid(), changes, after.updated_at);
    let write = diesel::update(table::table)
        .filter(table::workspace_id.eq(writer.workspace()))
        .filter(table::id.eq(after.id.uuid()))
        .filter(table::version.eq(before.version))
        .set((
            table::name.eq(&after.name),
            table::state.eq(codes::word(&after.state)),
            table::password_hash.eq(password_hash),
            table::version.eq(after.version),
            table::updated_at.eq(after.updated_at),
            table::updated_by.eq(after.updated_by),
        ))
        .returning(table::version);
    let entry = entry.audited(writer);
    let written = Journalled { write, entry }.get_result::<i64>(writer.pg()).optional()?;
    written.map(drop).ok_or(StoreError::Contention)
}
