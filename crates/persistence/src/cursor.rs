//! Sealed cursors: where a page ended, so that only the same list of the same workspace can go on from there.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use rapport_domain::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::StoreError;

const NONCE: usize = 24;

/// Seals and opens cursors with the key of the installation.
#[derive(Clone)]
pub(crate) struct Sealer(XChaCha20Poly1305);

/// The last record of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Fingerprint of operation, filter and order.
    #[serde(rename = "b")]
    pub(crate) binding: String,
    /// Its sort key.
    #[serde(rename = "k")]
    pub(crate) key: Value,
    /// Its id.
    #[serde(rename = "i")]
    pub(crate) id: Uuid,
    /// How alike words had to be for the search, as the first page decided.
    #[serde(rename = "l")]
    pub(crate) likeness: f32,
}

impl Sealer {
    pub(crate) fn new(key: &[u8]) -> Result<Self, StoreError> {
        XChaCha20Poly1305::new_from_slice(key)
            .map(Self)
            .map_err(|_| StoreError::Internal("the key of cursors is not 32 bytes long".to_owned()))
    }

    pub(crate) fn seal(&self, workspace: WorkspaceId, position: &Position) -> Result<String, StoreError> {
        let failed = |_| StoreError::Internal("a cursor could not be sealed".to_owned());
        let text = serde_json::to_vec(position).map_err(|error| StoreError::Internal(error.to_string()))?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| StoreError::Internal(error.to_string()))?;
        let workspace = workspace.uuid();
        let payload = Payload { msg: &text, aad: workspace.as_bytes() };
        let sealed = self.0.encrypt(&nonce.into(), payload).map_err(failed)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a cursor of this workspace. Whatever is not one is refused in one way.
    pub(crate) fn open(&self, workspace: WorkspaceId, cursor: &str) -> Result<Position, StoreError> {
        self.unseal(workspace, cursor).ok_or_else(|| {
            let detail = "This is not a cursor of this list. Take next_cursor of the page before, or leave it out.";
            StoreError::parameter("cursor", "invalid_cursor", detail)
        })
    }

    fn unseal(&self, workspace: WorkspaceId, cursor: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let workspace = workspace.uuid();
        let payload = Payload { msg: sealed, aad: workspace.as_bytes() };
        let text = self.0.decrypt(&nonce.into(), payload).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_in_its_workspace_and_nowhere_else() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let (here, there) = (WorkspaceId::mint(), WorkspaceId::mint());
        let position = Position { binding: "b".into(), key: "Ada".into(), id: Uuid::now_v7(), likeness: 0.5 };
        let cursor = sealer.seal(here, &position).unwrap();

        assert_eq!(sealer.open(here, &cursor).unwrap(), position);
        assert!(sealer.open(there, &cursor).is_err());
        assert!(sealer.open(here, &cursor[1..]).is_err());
        assert!(sealer.open(here, "").is_err());
        assert!(Sealer::new(&[8; 32]).unwrap().open(here, &cursor).is_err());
    }
}
