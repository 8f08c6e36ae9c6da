//! Access tokens: JWTs (RFC 9068), signed and checked with one algorithm and the keys of the installation.

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use rapport_domain::{
    access::{Permission, Permissions},
    id::{ApiKeyId, SessionId, UserId, WorkspaceId},
    workspace::token::JsonWebKeySet,
};
use rapport_persistence::{Db, StoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::signing::{Key, Keys};

/// How long a token is valid, in seconds.
pub(crate) const LIFETIME: i64 = 15 * 60;

/// How far the clocks of two servers may differ, in seconds.
pub(crate) const LEEWAY: i64 = 30;

/// Who issues our tokens.
pub(crate) const ISSUER: &str = "rapport";

const AUDIENCE: &str = "rapport-api";

/// What a token says that it is: an access token, so that no other kind of JWT passes for one.
const KIND: &str = "at+jwt";

const ALGORITHM: Algorithm = Algorithm::ES256;

/// Signs and checks tokens.
pub(crate) struct Tokens {
    keys: Keys,
    validation: Validation,
}

/// Who has a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// A user, for as long as the session lasts.
    User { user: UserId, session: SessionId },
    /// A program with an API key, for some of what the key may do.
    Program { key: ApiKeyId, permissions: Permissions },
}

/// What a valid token says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claims {
    pub(crate) workspace: WorkspaceId,
    pub(crate) bearer: Bearer,
    pub(crate) ends: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: Uuid,
    client_id: String,
    workspace: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

impl Tokens {
    /// Learns the keys of the installation.
    pub(crate) async fn open(db: Db) -> Result<Self, StoreError> {
        Ok(Self { keys: Keys::open(db).await?, validation: validation() })
    }

    /// The keys with which anybody can check a token.
    pub(crate) async fn public_keys(&self) -> JsonWebKeySet {
        self.keys.ring().await.public()
    }

    /// A token for somebody who has just proved who they are.
    pub(crate) async fn sign(
        &self,
        workspace: WorkspaceId,
        bearer: Bearer,
        now: DateTime<Utc>,
    ) -> Result<String, String> {
        let ring = self.keys.ring().await;
        let key = ring.signing(now).ok_or("there is no key for access tokens")?;
        sign(key, &payload(workspace, bearer, now))
    }

    /// What a token says, if it is one of ours and valid now.
    pub(crate) async fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let id = key_of(token)?;
        let ring = self.keys.ring_with(&id).await;
        verify(ring.find(&id)?, &self.validation, token, now)
    }
}

fn validation() -> Validation {
    let mut validation = Validation::new(ALGORITHM);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
    // Times are checked below, by the injected clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

/// The name of the key that a token wants to be checked with. None for a token that is not of our kind, or that brings
/// its own key or conditions.
fn key_of(token: &str) -> Option<String> {
    let header = decode_header(token).ok()?;
    let is_plain = brings_nothing(&header);
    let is_ours = header.alg == ALGORITHM && header.typ.as_deref() == Some(KIND);
    if is_plain && is_ours { header.kid } else { None }
}

/// Whether a header leaves it to us where the key comes from, and demands nothing that we don't know of.
pub(crate) fn brings_nothing(header: &Header) -> bool {
    header.jku.is_none()
        && header.jwk.is_none()
        && header.x5u.is_none()
        && header.x5c.is_none()
        && header.crit.is_none()
        && header.zip.is_none()
}

fn sign(key: &Key, payload: &Payload) -> Result<String, String> {
    let mut header = Header::new(ALGORITHM);
    header.typ = Some(KIND.to_owned());
    header.kid = Some(key.id.clone());
    encode(&header, payload, &key.signing).map_err(|error| error.to_string())
}

fn payload(workspace: WorkspaceId, bearer: Bearer, now: DateTime<Utc>) -> Payload {
    let (sub, client_id, sid, scope) = match bearer {
        Bearer::User { user, session } => (user.uuid(), ISSUER.to_owned(), Some(session.uuid()), None),
        Bearer::Program { key, permissions } => {
            (key.uuid(), key.to_string(), None, Some(permissions.scopes().join(" ")))
        }
    };
    Payload {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub,
        client_id,
        workspace: workspace.uuid(),
        sid,
        scope,
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: now.timestamp() + LIFETIME,
        jti: Uuid::now_v7(),
    }
}

fn verify(key: &Key, validation: &Validation, token: &str, now: DateTime<Utc>) -> Option<Claims> {
    let payload = decode::<Payload>(token, &key.checking, validation).ok()?.claims;
    let ends = still_valid(Some(payload.nbf), payload.exp, now)?;
    let bearer = match (payload.sid, payload.scope) {
        (Some(session), None) => {
            Bearer::User { user: UserId::from_uuid(payload.sub), session: SessionId::from_uuid(session) }
        }
        (None, Some(scope)) => {
            let permissions = scope.split(' ').filter_map(Permission::from_scope).collect();
            Bearer::Program { key: ApiKeyId::from_uuid(payload.sub), permissions }
        }
        _ => return None,
    };
    Some(Claims { workspace: WorkspaceId::from_uuid(payload.workspace), bearer, ends })
}

/// Until when a token is valid; none when it is not valid now.
pub(crate) fn still_valid(nbf: Option<i64>, exp: i64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let from = nbf.unwrap_or(i64::MIN).saturating_sub(LEEWAY);
    if now.timestamp() < from || now.timestamp() > exp.saturating_add(LEEWAY) {
        return None;
    }
    DateTime::from_timestamp(exp, 0)?.checked_add_signed(Duration::seconds(LEEWAY))
}

#[cfg(test)]
mod tests {
    use rapport_domain::id::SigningKeyId;
    use rapport_persistence::workspace::signing_keys::SigningKey;

    use super::*;
    use crate::auth::signing;

    fn key() -> Key {
        let signs_from = DateTime::UNIX_EPOCH;
        Key::new(SigningKey { id: SigningKeyId::mint(), pair: signing::make().unwrap(), signs_from }).unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn somebody() -> Bearer {
        Bearer::User { user: UserId::mint(), session: SessionId::mint() }
    }

    #[test]
    fn a_token_is_valid_for_its_time_and_with_its_key_alone() {
        let (key, bearer) = (key(), somebody());
        let token = sign(&key, &payload(WorkspaceId::mint(), bearer, now())).unwrap();
        let at = |seconds| verify(&key, &validation(), &token, now() + Duration::seconds(seconds));

        assert_eq!(key_of(&token).as_ref(), Some(&key.id));
        assert_eq!(at(0).unwrap().bearer, bearer);
        assert!(at(LIFETIME + LEEWAY).is_some());
        assert!(at(LIFETIME + LEEWAY + 1).is_none());
        assert!(at(-LEEWAY).is_some());
        assert!(at(-LEEWAY - 1).is_none());
        assert!(verify(&self::key(), &validation(), &token, now()).is_none());
    }

    #[test]
    fn a_program_keeps_its_scopes() {
        let permissions: Permissions = [Permission::ContactsRead, Permission::CompaniesWrite].into_iter().collect();
        let (key, bearer) = (key(), Bearer::Program { key: ApiKeyId::mint(), permissions });
        let token = sign(&key, &payload(WorkspaceId::mint(), bearer, now())).unwrap();
        assert_eq!(verify(&key, &validation(), &token, now()).unwrap().bearer, bearer);
    }
}
