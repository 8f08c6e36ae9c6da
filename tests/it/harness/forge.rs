//! Access tokens made by hand: right ones, and wrong ones that differ from a right one in one thing.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::{
    ecdsa::{Signature, SigningKey, signature::Signer},
    pkcs8::DecodePrivateKey,
};
use rapport_http::auth::signing;
use rapport_persistence::workspace::signing_keys;
use serde_json::{Value, json};

use super::in_database;

/// A token before it is signed, and the key to sign it with.
#[derive(Clone)]
pub struct Forged {
    pub header: Value,
    pub claims: Value,
    key: SigningKey,
    /// The key's other half, as it is published.
    pub public_key: Vec<u8>,
}

impl Forged {
    /// The twin of a token that the server has signed, with the same claims and the same key.
    pub fn twin(token: &str) -> Self {
        let (header, claims) = read(token);
        let keys = in_database(async |db| signing_keys::current(db, signing::make).await.unwrap());
        let key = keys.into_iter().find(|key| json!(key.id.to_string()) == header["kid"]).unwrap();
        Self {
            header,
            claims,
            key: SigningKey::from_pkcs8_der(&key.pair.private_key).unwrap(),
            public_key: key.pair.public_key,
        }
    }

    /// One whose key nobody else has.
    pub fn with_key(bytes: &[u8; 32], header: Value, claims: Value) -> Self {
        let key = SigningKey::from_slice(bytes).unwrap();
        let public_key = key.verifying_key().to_encoded_point(false).as_bytes().to_vec();
        Self { header, claims, key, public_key }
    }

    /// The same with another claim; null takes it away.
    pub fn claim(&self, name: &str, value: Value) -> Self {
        let mut changed = self.clone();
        set(&mut changed.claims, name, value);
        changed
    }

    /// The same with another header; null takes it away.
    pub fn head(&self, name: &str, value: Value) -> Self {
        let mut changed = self.clone();
        set(&mut changed.header, name, value);
        changed
    }

    /// What is signed.
    pub fn message(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    /// Signed with ES256, whatever the header says.
    pub fn sign(&self) -> String {
        let message = self.message();
        let signature: Signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// The key as a provider publishes it.
    pub fn jwk(&self, id: &str) -> Value {
        let (x, y) = (&self.public_key[1..33], &self.public_key[33..]);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256", "x": text(x), "y": text(y)})
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if value.is_null() {
        object.as_object_mut().unwrap().shift_remove(name);
    } else {
        object[name] = value;
    }
}

/// Header and claims of a token.
pub fn read(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}
