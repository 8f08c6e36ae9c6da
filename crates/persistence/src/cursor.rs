//! What is sealed with the key of the installation: above all cursors, which say where a page ended, so that only the same
//! list of the same workspace can go on from there.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rapport_domain::id::WorkspaceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{StoreError, seal::Seal, search::Likeness};

/// Seals and opens with the key of the installation.
#[derive(Clone)]
pub(crate) struct Sealer(Seal);

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
    /// How alike words had to be for a search, as the first page decided.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(crate) likeness: Option<Likeness>,
}

impl Sealer {
    pub(crate) fn new(key: &[u8]) -> Result<Self, StoreError> {
        Seal::new(key).map(Self)
    }

    pub(crate) fn seal(&self, workspace: WorkspaceId, position: &Position) -> Result<String, StoreError> {
        let text = serde_json::to_vec(position).map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(self.0.close(workspace.uuid().as_bytes(), &text)?))
    }

    /// Opens a cursor of this workspace. Whatever is not one is refused in one way.
    pub(crate) fn open(&self, workspace: WorkspaceId, cursor: &str) -> Result<Position, StoreError> {
        self.unseal(workspace, cursor).ok_or_else(|| {
            let detail = "This is not a cursor of this list. Take next_cursor of the page before, or leave it out.";
            StoreError::parameter("cursor", "invalid_cursor", detail)
        })
    }

    /// Seals what is kept in the database for one place, where alone it opens.
    pub(crate) fn seal_text(&self, place: &[u8], text: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.close(place, text)
    }

    /// What was sealed for this place.
    pub(crate) fn open_text(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open(place, sealed)
    }

    fn unseal(&self, workspace: WorkspaceId, cursor: &str) -> Option<Position> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let text = self.0.open(workspace.uuid().as_bytes(), &sealed)?;
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
        let position =
            Position { binding: "b".into(), key: "Ada".into(), id: Uuid::now_v7(), likeness: Some(Likeness::Close) };
        let cursor = sealer.seal(here, &position).unwrap();

        assert_eq!(sealer.open(here, &cursor).unwrap(), position);
        assert!(sealer.open(there, &cursor).is_err());
        assert!(sealer.open(here, &cursor[1..]).is_err());
        assert!(sealer.open(here, "").is_err());
        assert!(Sealer::new(&[8; 32]).unwrap().open(here, &cursor).is_err());
    }
}
