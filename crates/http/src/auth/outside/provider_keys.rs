//! The keys of an identity provider (RFC 7517), as far as they are of a kind that is taken.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Shorter moduli can be broken, longer ones cost too much to check with, in bytes.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// By their names.
#[derive(Clone, Default)]
pub(super) struct ProviderKeys(HashMap<String, ProviderKey>);

/// A key, and the one algorithm that it is good for.
#[derive(Clone)]
pub(super) struct ProviderKey {
    pub(super) algorithm: Algorithm,
    pub(super) checking: DecodingKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl ProviderKeys {
    /// Reads a document. Keys of kinds that are not taken are left out.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let published: Published = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let entries = published.keys.into_iter().filter_map(|key| serde_json::from_value::<Entry>(key).ok());
        Ok(Self(entries.filter_map(|entry| Some((entry.kid.clone(), entry.key()?))).collect()))
    }

    pub(super) fn find(&self, id: &str) -> Option<&ProviderKey> {
        self.0.get(id)
    }
}

impl Entry {
    fn key(&self) -> Option<ProviderKey> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let (name, algorithm, checking) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => ("RS256", Algorithm::RS256, self.rsa()?),
            ("EC", Some("P-256")) => {
                let (x, y) = (coordinate(self.x.as_ref())?, coordinate(self.y.as_ref())?);
                ("ES256", Algorithm::ES256, DecodingKey::from_ec_components(x, y).ok()?)
            }
            ("OKP", Some("Ed25519")) => {
                ("EdDSA", Algorithm::EdDSA, DecodingKey::from_ed_components(coordinate(self.x.as_ref())?).ok()?)
            }
            _ => return None,
        };
        let fits = self.alg.as_deref().is_none_or(|alg| alg == name || (name == "EdDSA" && alg == "Ed25519"));
        fits.then_some(ProviderKey { algorithm, checking })
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
        let (modulus, exponent) = (bytes(&self.n)?, bytes(&self.e)?);
        let fits = MODULUS.contains(&modulus.len()) && (1..=4).contains(&exponent.len());
        fits.then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
    }
}

fn coordinate(text: Option<&String>) -> Option<&str> {
    let text = text?;
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_strong_keys_of_known_kinds_for_signatures_are_taken() {
        let text = |length: usize| URL_SAFE_NO_PAD.encode(vec![1; length]);
        let keys = json!({"keys": [
            {"kty": "RSA", "kid": "rsa", "n": text(256), "e": "AQAB"},
            {"kty": "RSA", "kid": "short", "n": text(128), "e": "AQAB"},
            {"kty": "RSA", "kid": "other", "n": text(256), "e": "AQAB", "alg": "RS512"},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": text(32), "y": text(32), "alg": "ES256", "use": "sig"},
            {"kty": "EC", "kid": "encrypts", "crv": "P-256", "x": text(32), "y": text(32), "use": "enc"},
            {"kty": "EC", "kid": "p384", "crv": "P-384", "x": text(48), "y": text(48)},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": text(32)},
            {"kty": "oct", "kid": "secret", "k": text(32)},
            {"kty": "EC"},
            7
        ]});
        let keys = ProviderKeys::read(keys.to_string().as_bytes()).unwrap();
        let mut names: Vec<&str> = keys.0.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["ec", "ed", "rsa"]);
        assert_eq!(keys.find("ed").unwrap().algorithm, Algorithm::EdDSA);
        assert!(ProviderKeys::read(b"{}").is_err());
    }
}
