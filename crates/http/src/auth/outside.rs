//! Tokens of an outside identity provider: checked with the keys that it publishes, and taken for the user whose e-mail
//! address it has verified.

mod fetch;
mod provider_keys;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Validation, decode, decode_header};
use rapport_persistence::Clock;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use self::{
    fetch::Fetcher,
    provider_keys::{ProviderKey, ProviderKeys},
};
use super::token::{ISSUER, brings_nothing, still_valid};

/// How long keys are used without looking whether there are others.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// How long keys are used while the provider can't be asked for others.
const KEPT: TimeDelta = TimeDelta::hours(1);

/// What access tokens and id tokens say that they are. Other kinds, such as logout tokens, are no proof of who calls.
const KINDS: &[&str] = &["jwt", "at+jwt", "application/at+jwt"];

/// An identity provider whose tokens are taken.
#[derive(Clone, Debug)]
pub struct OutsideOptions {
    /// What its tokens name as their issuer.
    pub issuer: String,
    /// What its tokens for us name as their audience.
    pub audience: String,
    /// Where it publishes its keys.
    pub jwks_url: String,
    /// The claim that holds the name of the workspace.
    pub workspace_claim: String,
    /// How long nobody asks it again, whatever keys tokens name.
    pub refetch_after: Duration,
    /// Takes a provider on this machine, without TLS. For tests.
    pub insecure_loopback: bool,
}

/// Somebody whom the provider vouches for.
pub(crate) struct Vouched {
    /// Name of the workspace.
    pub(crate) workspace: String,
    pub(crate) email: String,
    pub(crate) ends: DateTime<Utc>,
}

/// Checks the tokens of a provider.
pub(crate) struct Outside {
    options: OutsideOptions,
    refetch_after: TimeDelta,
    clock: Clock,
    fetcher: Arc<Fetcher>,
    held: RwLock<Arc<Held>>,
    /// Held by the one who asks the provider.
    asking: Mutex<()>,
}

/// What the provider has published.
#[derive(Default)]
struct Held {
    keys: ProviderKeys,
    fetched_at: Option<DateTime<Utc>>,
    asked_at: Option<DateTime<Utc>>,
}

impl Held {
    fn is_younger(&self, than: TimeDelta, now: DateTime<Utc>) -> bool {
        self.fetched_at.is_some_and(|at| now - at < than)
    }
}

impl Outside {
    /// Fails when the options can't be meant.
    pub(crate) fn new(options: OutsideOptions, clock: Clock) -> Result<Self, String> {
        if options.issuer == ISSUER {
            return Err(format!("the issuer {ISSUER} is Rapport itself: name the one of your identity provider"));
        }
        let fetcher = Arc::new(Fetcher::new(&options.jwks_url, options.insecure_loopback)?);
        let refetch_after = TimeDelta::from_std(options.refetch_after).map_err(|error| error.to_string())?;
        Ok(Self { options, refetch_after, clock, fetcher, held: RwLock::default(), asking: Mutex::default() })
    }

    /// Whether a token says that it comes from the provider. Nothing is proven by that.
    pub(crate) fn is_named_by(&self, token: &str) -> bool {
        #[derive(Deserialize)]
        struct Named {
            iss: String,
        }
        let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
        let named = payload.and_then(|payload| serde_json::from_slice::<Named>(&payload).ok());
        named.is_some_and(|named| named.iss == self.options.issuer)
    }

    /// For whom a token vouches, if it is one of the provider and valid now.
    pub(crate) async fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Vouched> {
        let header = decode_header(token).ok()?;
        let kind = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        if !brings_nothing(&header) || !KINDS.contains(&kind.as_str()) {
            return None;
        }
        let id = header.kid?;
        let held = self.held_with(&id).await;
        let key = held.keys.find(&id).filter(|key| key.algorithm == header.alg)?;
        self.read(&decoded(token, key, &self.options)?, now)
    }

    fn read(&self, claims: &Map<String, Value>, now: DateTime<Utc>) -> Option<Vouched> {
        let time = |claim: &Value| claim.as_i64().or_else(|| claim.as_f64().map(|seconds| seconds as i64));
        let nbf = match claims.get("nbf") {
            Some(nbf) => Some(time(nbf)?),
            None => None,
        };
        let ends = still_valid(nbf, time(claims.get("exp")?)?, now)?;
        let is_verified = claims.get("email_verified").and_then(Value::as_bool) == Some(true);
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let (email, workspace) = (text("email")?, text(&self.options.workspace_claim)?);
        is_verified.then_some(Vouched { workspace, email, ends })
    }

    /// The provider's keys, asked for again when they are old or this one is not among them.
    async fn held_with(&self, id: &str) -> Arc<Held> {
        let suits = |held: &Held, now| held.is_younger(FRESH, now) && held.keys.find(id).is_some();
        let held = self.held();
        if suits(&held, self.clock.now()) {
            return held;
        }
        let _turn = self.asking.lock().await;
        let (held, now) = (self.held(), self.clock.now());
        let asked_lately = held.asked_at.is_some_and(|at| now - at < self.refetch_after);
        let held = if suits(&held, now) || asked_lately { held } else { self.ask(&held, now).await };
        if held.is_younger(KEPT, now) { held } else { Arc::default() }
    }

    async fn ask(&self, before: &Held, now: DateTime<Utc>) -> Arc<Held> {
        let fetcher = Arc::clone(&self.fetcher);
        let fetched = tokio::task::spawn_blocking(move || fetcher.fetch()).await;
        let keys = fetched.map_err(|error| error.to_string()).and_then(|bytes| ProviderKeys::read(&bytes?));
        let held = match keys {
            Ok(keys) => Held { keys, fetched_at: Some(now), asked_at: Some(now) },
            Err(error) => {
                tracing::warn!(error, "the keys of the identity provider can't be read");
                Held { keys: before.keys.clone(), fetched_at: before.fetched_at, asked_at: Some(now) }
            }
        };
        let held = Arc::new(held);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&held);
        held
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn decoded(token: &str, key: &ProviderKey, options: &OutsideOptions) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(key.algorithm);
    validation.set_issuer(&[&options.issuer]);
    validation.set_audience(&[&options.audience]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // Times are checked by the injected clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    decode(token, &key.checking, &validation).ok().map(|token| token.claims)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made with openssl: keys of a provider, and a token signed with each.
    const MODULUS: &str = "r09ke1AL5ELmIZ_wzzAo3wSEXQfC60L1Kj6Qq0d3uj4IUsa81G2Ey5hUVmANGsN00SR28DjLxEZqa8KT7qfXLiWIAofN-_Cj\
        EEul5TIuFrXkqcqcF9Acwvuv5pwugdtP1tjPwJmb4icPlBwxNwYI1ruTptf9ApP77P6E1qkBho6Gv-051UXPOBYwkq04kgTe\
        wg3QzUT-FpnZBG01t4PfIUofVP9oTjwmnC2ElwxB4CIlyLQYzrOqGSTxa7vixBjShqJg3g_Hi3hchxsCrPgDoesJgRRsMNsU\
        CIEAOrsEsM2JDUmo_dMXg802hjt9iRcWIR4eHadNW15bajJKN0rj6w";
    const BY_RSA: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoicmF\
        wcG9ydCIsInN1YiI6IjQ3MTEiLCJleHAiOjQxMDI0NDQ4MDB9.kQTNtuHs3K13-93-gLk4K0XuBm0zoy1cc8H6vl5rZ_RegR\
        S_AKuPrd0qLfObqsTr4TqMh5BtbzaGQtntsTJKd5vOhf5moZ_OkA2mHQ9vqYoFj6Gn7t4kkXe9Emedt2iwHtbKx66ACpdG3W\
        Ey3h6dK-2vk01oHQZelS_XewGKqWHnCPZZM4TE7hiAFIUtkib2uSvV8k1rwfpgRx-QR8T-eI34vt_1Udu4ECIN3j1s7tI-6D\
        wmG5ReraW-gKjG_RO3k7NcuioEnH6RAr4con4fQaOyj9NrbD3OfLnsJauCaFA_XxsqAFVMaIj1GIO6AvDlLrFweL3LdZPTUW\
        HheCaZLA";
    const POINT: &str = "YfyYac-JVFLLySHXgfW0zI3pNrD-FlneaoRVMLt-pn4";
    const BY_ED25519: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoicmFw\
        cG9ydCIsInN1YiI6IjQ3MTEiLCJleHAiOjQxMDI0NDQ4MDB9.oqtPZYf-He0rKOqMnfR68E4DtpeB9R5zDf8_pknl94cSpzQ\
        neyMd3sbjowgBVIsKXmUk7I8eeYn3bbYQmdOtBw";

    #[test]
    fn tokens_are_checked_with_the_algorithm_of_their_key_alone() {
        let options = OutsideOptions {
            issuer: "https://login.example.com".to_owned(),
            audience: "rapport".to_owned(),
            jwks_url: String::new(),
            workspace_claim: "workspace".to_owned(),
            refetch_after: Duration::ZERO,
            insecure_loopback: false,
        };
        let keys = json!({"keys": [
            {"kty": "RSA", "kid": "rsa", "n": MODULUS, "e": "AQAB"},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": POINT},
        ]});
        let keys = ProviderKeys::read(keys.to_string().as_bytes()).unwrap();
        let (rsa, ed) = (keys.find("rsa").unwrap(), keys.find("ed").unwrap());
        assert_eq!(decoded(BY_RSA, rsa, &options).unwrap()["sub"], "4711");
        assert_eq!(decoded(BY_ED25519, ed, &options).unwrap()["sub"], "4711");
        assert!(decoded(BY_RSA, ed, &options).is_none());
        assert!(decoded(BY_ED25519, rsa, &options).is_none());
        assert!(decoded(BY_RSA, rsa, &OutsideOptions { audience: "other".to_owned(), ..options }).is_none());
    }
}
