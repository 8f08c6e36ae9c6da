//! Refresh tokens: `rt_` and then, in base64url, workspace, session and a secret. Clients need not know that.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rapport_domain::id::{SessionId, WorkspaceId};
use rapport_persistence::workspace::sessions::Token;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const PREFIX: &str = "rt_";

/// A new refresh token.
pub(crate) struct Minted {
    /// What the client keeps.
    pub(crate) token: String,
    /// What the database keeps.
    pub(crate) known: Token,
}

/// Makes a refresh token of a session. Fails only when the machine has no randomness.
pub(crate) fn mint(workspace: WorkspaceId, session: SessionId) -> Result<Minted, String> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    let bytes = [workspace.uuid().as_bytes().as_slice(), session.uuid().as_bytes(), &secret].concat();
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    Ok(Minted { token, known: Token { workspace, session, hash: Sha256::digest(secret).into() } })
}

/// Reads a refresh token; none when it is not one.
pub(crate) fn parse(token: &str) -> Option<Token> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
    let (workspace, rest) = bytes.split_at_checked(16)?;
    let (session, secret) = rest.split_at_checked(16)?;
    let secret: [u8; 32] = secret.try_into().ok()?;
    Some(Token {
        workspace: WorkspaceId::from_uuid(Uuid::from_slice(workspace).ok()?),
        session: SessionId::from_uuid(Uuid::from_slice(session).ok()?),
        hash: Sha256::digest(secret).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_is_read_back_and_nothing_else_is_one() {
        let (workspace, session) = (WorkspaceId::mint(), SessionId::mint());
        let minted = mint(workspace, session).unwrap();
        let read = parse(&minted.token).unwrap();
        assert_eq!((read.workspace, read.session, read.hash), (workspace, session, minted.known.hash));
        for wrong in ["", "rt_", "rk_", &minted.token[..minted.token.len() - 4], &format!("{}AAAA", minted.token)] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
