//! Sealing: what left the process, or lies in the database, and is to be read and changed by nobody else.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};

use crate::StoreError;

const NONCE: usize = 24;

/// Seals and opens with one key.
#[derive(Clone)]
pub(crate) struct Seal(XChaCha20Poly1305);

impl Seal {
    pub(crate) fn new(key: &[u8]) -> Result<Self, StoreError> {
        XChaCha20Poly1305::new_from_slice(key)
            .map(Self)
            .map_err(|_| StoreError::Internal("a key for sealing is not 32 bytes long".to_owned()))
    }

    /// Seals a text for a place: it opens nowhere else.
    pub(crate) fn close(&self, place: &[u8], text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| StoreError::Internal(error.to_string()))?;
        let sealed = self
            .0
            .encrypt(&nonce.into(), Payload { msg: text, aad: place })
            .map_err(|_| StoreError::Internal("something could not be sealed".to_owned()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed for this place; none when it was not, or was changed.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        self.0.decrypt(&nonce.into(), Payload { msg: sealed, aad: place }).ok()
    }
}
