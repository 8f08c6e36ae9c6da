//! Access tokens: JWTs, signed and checked with one key and one algorithm.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rapport_domain::id::{UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a token is valid, in seconds.
pub(crate) const LIFETIME: i64 = 15 * 60;

/// How far the clocks of two servers may differ, in seconds.
const LEEWAY: i64 = 30;

const ISSUER: &str = "rapport";
const AUDIENCE: &str = "rapport-api";

/// Signs and checks tokens with the key of the installation.
#[derive(Clone)]
pub(crate) struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

/// What a valid token says.
pub(crate) struct Claims {
    pub(crate) user: Uuid,
    pub(crate) workspace: Uuid,
    pub(crate) ends: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: Uuid,
    workspace: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

impl Tokens {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
        // Times are checked below, by the injected clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { signing: EncodingKey::from_secret(key), checking: DecodingKey::from_secret(key), validation }
    }

    /// A token for a user who has just proved who they are.
    pub(crate) fn sign(&self, workspace: WorkspaceId, user: UserId, now: DateTime<Utc>) -> Result<String, String> {
        let payload = Payload {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.uuid(),
            workspace: workspace.uuid(),
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: now.timestamp() + LIFETIME,
            jti: Uuid::now_v7(),
        };
        encode(&Header::new(Algorithm::HS256), &payload, &self.signing).map_err(|error| error.to_string())
    }

    /// What a token says, if it is one of ours and valid now.
    pub(crate) fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let payload = decode::<Payload>(token, &self.checking, &self.validation).ok()?.claims;
        let (from, until) = (payload.nbf.checked_sub(LEEWAY)?, payload.exp.checked_add(LEEWAY)?);
        if !(from..=until).contains(&now.timestamp()) {
            return None;
        }
        let ends = DateTime::from_timestamp(payload.exp, 0)? + Duration::seconds(LEEWAY);
        Some(Claims { user: payload.sub, workspace: payload.workspace, ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_its_time_and_with_its_key_alone() {
        let tokens = Tokens::new(&[1; 32]);
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (workspace, user) = (WorkspaceId::mint(), UserId::mint());
        let token = tokens.sign(workspace, user, now).unwrap();
        let at = |seconds| now + Duration::seconds(seconds);

        assert_eq!(tokens.verify(&token, now).unwrap().user, user.uuid());
        assert!(tokens.verify(&token, at(LIFETIME + LEEWAY)).is_some());
        assert!(tokens.verify(&token, at(LIFETIME + LEEWAY + 1)).is_none());
        assert!(tokens.verify(&token, at(-LEEWAY - 1)).is_none());
        assert!(Tokens::new(&[2; 32]).verify(&token, now).is_none());
    }

    #[test]
    fn a_token_without_signature_or_with_another_algorithm_is_refused() {
        let tokens = Tokens::new(&[1; 32]);
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let token = tokens.sign(WorkspaceId::mint(), UserId::mint(), now).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert!(tokens.verify(&unsigned, now).is_none());

        let stronger = Header::new(Algorithm::HS512);
        let claims: Payload = decode(&token, &tokens.checking, &tokens.validation).unwrap().claims;
        assert!(tokens.verify(&encode(&stronger, &claims, &tokens.signing).unwrap(), now).is_none());
    }
}
