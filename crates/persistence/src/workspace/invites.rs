//! Tokens with which users choose a password: those of invitations, and those of people who forgot theirs.
//!
//! Each works once. What is kept is a hash, so whoever reads the database can't use it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{UserId, WorkspaceId},
    journal::Changes,
    record::RecordKind,
    workspace::{
        invite::TokenPurpose,
        user::{User, UserState},
    },
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::users;
use crate::{
    Db, StoreError, Writer, audit,
    schema::{user_tokens, users as table, workspaces},
};

/// Random bytes of a token.
const RANDOM: usize = 32;

/// A token that was just made, and to whom it is to be sent.
pub struct Issued {
    pub user: UserId,
    pub email: String,
    pub name: String,
    /// Name of the workspace.
    pub workspace: String,
    /// Shown this once.
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

/// Whose token it is.
#[derive(Clone, Debug)]
pub struct Holder {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub email: String,
}

/// Makes a token for a user who has yet to accept the invitation; one from before ends.
pub fn issue(writer: &mut Writer<'_>, user: UserId) -> Result<Issued, StoreError> {
    let invited = users::get(writer, user)?;
    if invited.state != UserState::Invited {
        let detail = "This user has accepted the invitation, or does not need one. Ask for a new password instead.";
        return Err(StoreError::Conflict { code: "not_invited", detail: detail.to_owned() });
    }
    let workspace = workspace_name(writer)?;
    writer.transaction(|writer| {
        end_tokens(writer, user)?;
        let issued = insert(writer, &invited, &workspace, TokenPurpose::Invite)?;
        note(writer, user, "user.invitation_issued")?;
        Ok(issued)
    })
}

/// Makes a token for the active user with this e-mail address, who forgot the password; those from before stay, so that
/// nobody can make them void for somebody else.
pub fn issue_reset(writer: &mut Writer<'_>, email: &str) -> Result<Option<Issued>, StoreError> {
    let found: Option<Uuid> = table::table
        .filter(table::workspace_id.eq(writer.workspace()))
        .filter(table::email.eq(email.trim().to_lowercase()))
        .filter(table::state.eq("active"))
        .select(table::id)
        .first(writer.pg())
        .optional()?;
    let Some(id) = found.map(UserId::from_uuid) else { return Ok(None) };
    let (user, workspace) = (users::get(writer, id)?, workspace_name(writer)?);
    writer.transaction(|writer| {
        let now = writer.now();
        diesel::delete(user_tokens::table)
            .filter(user_tokens::workspace_id.eq(writer.workspace()))
            .filter(user_tokens::user_id.eq(id.uuid()))
            .filter(user_tokens::expires_at.le(now))
            .execute(writer.pg())?;
        let issued = insert(writer, &user, &workspace, TokenPurpose::Reset)?;
        note(writer, id, "user.password_reset_requested")?;
        Ok(Some(issued))
    })
}

/// Whose token this is, if it is one and valid now.
pub async fn find(db: &Db, token: &str, purpose: TokenPurpose) -> Result<Option<Holder>, StoreError> {
    let Some((workspace, hash)) = read(token) else { return Ok(None) };
    let now = db.clock().now();
    db.directory(move |pg| {
        let found = user_tokens::table
            .inner_join(
                table::table
                    .on(table::workspace_id.eq(user_tokens::workspace_id).and(table::id.eq(user_tokens::user_id))),
            )
            .filter(user_tokens::workspace_id.eq(workspace.uuid()))
            .filter(user_tokens::token_hash.eq(hash))
            .filter(user_tokens::purpose.eq(purpose.as_str()))
            .filter(user_tokens::expires_at.gt(now))
            .filter(table::state.ne("deactivated"))
            .select((table::id, table::email))
            .first::<(Uuid, String)>(pg)
            .optional()?;
        Ok(found.map(|(user, email)| Holder { workspace, user: UserId::from_uuid(user), email }))
    })
    .await
}

/// Uses a token up; false when somebody else was faster. Needs a transaction around it.
pub(super) fn use_up(writer: &mut Writer<'_>, token: &str, purpose: TokenPurpose) -> Result<bool, StoreError> {
    let Some((_, hash)) = read(token) else { return Ok(false) };
    let now = writer.now();
    let used = diesel::delete(user_tokens::table)
        .filter(user_tokens::workspace_id.eq(writer.workspace()))
        .filter(user_tokens::token_hash.eq(hash))
        .filter(user_tokens::purpose.eq(purpose.as_str()))
        .filter(user_tokens::expires_at.gt(now))
        .execute(writer.pg())?;
    Ok(used == 1)
}

/// Ends all tokens of a user.
pub(super) fn end_tokens(writer: &mut Writer<'_>, user: UserId) -> Result<(), StoreError> {
    diesel::delete(user_tokens::table)
        .filter(user_tokens::workspace_id.eq(writer.workspace()))
        .filter(user_tokens::user_id.eq(user.uuid()))
        .execute(writer.pg())?;
    Ok(())
}

/// Notes in the audit what happened to the ways into an account.
pub(super) fn note(writer: &mut Writer<'_>, user: UserId, event: &'static str) -> Result<(), StoreError> {
    audit::insert_for(writer, event, RecordKind::User, user.uuid(), Changes::of_new(&()))
}

/// What is said of a token that does not work, whyever that is.
pub fn invalid_token() -> StoreError {
    let detail =
        "This token does not work, or not any more: each works once and for a limited time. Ask for a new one.";
    StoreError::field("/token", "invalid_token", detail)
}

fn insert(writer: &mut Writer<'_>, user: &User, workspace: &str, purpose: TokenPurpose) -> Result<Issued, StoreError> {
    let now = writer.now();
    let (token, hash) = mint(writer.workspace_id())?;
    let expires_at = now + purpose.lifetime();
    diesel::insert_into(user_tokens::table)
        .values((
            user_tokens::workspace_id.eq(writer.workspace()),
            user_tokens::token_hash.eq(hash),
            user_tokens::user_id.eq(user.id.uuid()),
            user_tokens::purpose.eq(purpose.as_str()),
            user_tokens::created_at.eq(now),
            user_tokens::expires_at.eq(expires_at),
        ))
        .execute(writer.pg())?;
    Ok(Issued {
        user: user.id,
        email: user.email.clone(),
        name: user.name.clone(),
        workspace: workspace.to_owned(),
        token,
        expires_at,
    })
}

fn workspace_name(writer: &mut Writer<'_>) -> Result<String, StoreError> {
    let id = writer.workspace();
    Ok(workspaces::table.find(id).select(workspaces::name).first(writer.pg())?)
}

/// A token and its hash. It begins with the workspace, so that it can be looked up there.
fn mint(workspace: WorkspaceId) -> Result<(String, Vec<u8>), StoreError> {
    let mut random = [0_u8; RANDOM];
    getrandom::fill(&mut random).map_err(|error| StoreError::Internal(error.to_string()))?;
    let bytes = [workspace.uuid().as_bytes().as_slice(), &random].concat();
    Ok((URL_SAFE_NO_PAD.encode(&bytes), Sha256::digest(&bytes).to_vec()))
}

/// The workspace of a token and its hash; none when it can't be one.
fn read(token: &str) -> Option<(WorkspaceId, Vec<u8>)> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim()).ok()?;
    let (workspace, random) = bytes.split_at_checked(16)?;
    let workspace = Uuid::from_slice(workspace).ok()?;
    (random.len() == RANDOM).then(|| (WorkspaceId::from_uuid(workspace), Sha256::digest(&bytes).to_vec()))
}
