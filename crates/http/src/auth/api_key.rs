//! API keys: `rk_<id>_<secret>_<checksum>`, all in hexadecimal. The checksum tells a mistyped key without a query.

use rapport_domain::id::ApiKeyId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A new key, shown once.
pub struct Minted {
    pub id: ApiKeyId,
    /// What its owner keeps.
    pub key: String,
    /// What the database keeps: SHA-256 of the secret, which is random enough to need no salt.
    pub secret_hash: Vec<u8>,
}

/// Makes a key. Fails only when the machine has no randomness.
pub fn mint() -> Result<Minted, String> {
    mint_for(ApiKeyId::mint())
}

/// Makes a new secret for a key.
pub(crate) fn mint_for(id: ApiKeyId) -> Result<Minted, String> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    let body = format!("rk_{}_{}", id.uuid().simple(), hex::encode(secret));
    let key = format!("{body}_{}", checksum(&body));
    Ok(Minted { id, key, secret_hash: Sha256::digest(secret).to_vec() })
}

/// Text that nobody guesses, for a first password.
pub fn random_text() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(hex::encode(bytes))
}

/// The id in a whole key, or the id itself, as people type it on the command line.
pub fn id_in(text: &str) -> Option<ApiKeyId> {
    let id = text.strip_prefix("rk_").map_or(Some(text), |rest| rest.split('_').next())?;
    Uuid::try_parse(id).ok().map(ApiKeyId::from_uuid)
}

/// A key that a caller presents, well-formed but not yet proven.
pub(crate) struct Presented {
    pub(crate) id: ApiKeyId,
    secret_hash: [u8; 32],
}

impl Presented {
    /// Reads a credential; none when it is not a key.
    pub(crate) fn parse(credential: &str) -> Option<Self> {
        let (body, given) = credential.rsplit_once('_')?;
        let mut parts = body.strip_prefix("rk_")?.split('_');
        let (id, secret, end) = (parts.next()?, parts.next()?, parts.next());
        if end.is_some() || given != checksum(body) {
            return None;
        }
        let secret = hex::decode(secret).ok().filter(|secret| secret.len() == 32)?;
        Some(Self { id: ApiKeyId::from_uuid(Uuid::try_parse(id).ok()?), secret_hash: Sha256::digest(secret).into() })
    }

    /// Compares in a time that tells nothing about where the difference is.
    pub(crate) fn is_secret_of(&self, hash: &[u8]) -> bool {
        let difference =
            self.secret_hash.iter().zip(hash).fold(0, |difference, (one, other)| difference | (one ^ other));
        hash.len() == self.secret_hash.len() && difference == 0
    }
}

fn checksum(body: &str) -> String {
    hex::encode(&Sha256::digest(body)[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_is_read_back_and_a_mistyped_one_is_not() {
        let minted = mint().unwrap();
        let presented = Presented::parse(&minted.key).unwrap();
        assert_eq!(presented.id, minted.id);
        assert!(presented.is_secret_of(&minted.secret_hash));
        assert!(!presented.is_secret_of(&[0; 32]));

        let mut mistyped = minted.key.clone();
        mistyped.replace_range(40..41, if &minted.key[40..41] == "a" { "b" } else { "a" });
        for wrong in [mistyped.as_str(), "", "rk_", "rk_1_2_3", &minted.key[..minted.key.len() - 1]] {
            assert!(Presented::parse(wrong).is_none(), "{wrong}");
        }
    }
}
