//! The keys of access tokens, as this server holds them: read from the database now and then, and whenever a token names
//! one that is not known.

use std::sync::{Arc, PoisonError, RwLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use p256::{SecretKey, elliptic_curve::sec1::ToEncodedPoint, pkcs8::EncodePrivateKey};
use rapport_domain::{
    id::SigningKeyId,
    workspace::{
        signing_key::Schedule,
        token::{JsonWebKey, JsonWebKeySet},
    },
};
use rapport_persistence::{
    Db, StoreError,
    workspace::signing_keys::{self, KeyPair, Old, SigningKey},
};
use tokio::sync::Mutex;

/// How long keys are used without looking whether there are others.
const FRESH: Duration = Duration::seconds(60);

/// How long nobody asks again, whatever tokens name: made up names must not become queries.
const PAUSE: Duration = Duration::seconds(5);

/// From when on a key signs that was made on command: every server has read it by then.
const HEAD_START: Duration = Duration::minutes(2);

/// Tries to make a key. One number in four billion is none.
const TRIES: usize = 8;

/// Makes a pair of keys for ES256: PKCS #8, and the uncompressed point.
pub fn make() -> Result<KeyPair, String> {
    for _ in 0..TRIES {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
        let Ok(secret) = SecretKey::from_slice(&bytes) else { continue };
        let public_key = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
        let private_key = secret.to_pkcs8_der().map_err(|error| error.to_string())?.as_bytes().to_vec();
        return Ok(KeyPair { public_key, private_key });
    }
    Err("no key for access tokens could be made".to_owned())
}

/// Makes a new key that signs as soon as every server knows it, or at once when the old ones are to be forgotten; gives
/// its name.
pub async fn rotate(db: &Db, old: Old) -> Result<SigningKeyId, StoreError> {
    let now = db.clock().now();
    let signs_from = if old == Old::Forget { now } else { now + HEAD_START };
    signing_keys::rotate(db, make, signs_from, old).await
}

/// The keys as they were read last.
pub(crate) struct Ring {
    keys: Vec<Key>,
    schedule: Schedule,
    read_at: DateTime<Utc>,
}

/// One of them.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) signing: EncodingKey,
    pub(crate) checking: DecodingKey,
    public: JsonWebKey,
    signs_from: DateTime<Utc>,
}

impl Ring {
    fn new(keys: Vec<SigningKey>, read_at: DateTime<Utc>) -> Self {
        let schedule = Schedule::new(keys.iter().map(|key| key.signs_from));
        Self { keys: keys.into_iter().filter_map(Key::new).collect(), schedule, read_at }
    }

    /// The key of this name.
    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key that signs now.
    pub(crate) fn signing(&self, now: DateTime<Utc>) -> Option<&Key> {
        self.keys.iter().find(|key| self.schedule.signs(key.signs_from, now))
    }

    /// What everybody may know of them.
    pub(crate) fn public(&self) -> JsonWebKeySet {
        JsonWebKeySet { keys: self.keys.iter().map(|key| key.public.clone()).collect() }
    }
}

impl Key {
    pub(crate) fn new(key: SigningKey) -> Option<Self> {
        let (id, KeyPair { public_key, private_key }) = (key.id.to_string(), key.pair);
        let (x, y) = public_key.strip_prefix(&[4])?.split_at_checked(32)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let checking = DecodingKey::from_ec_components(&x, &y).ok()?;
        let public = JsonWebKey {
            kty: "EC".to_owned(),
            usage: "sig".to_owned(),
            alg: "ES256".to_owned(),
            kid: id.clone(),
            crv: "P-256".to_owned(),
            x,
            y,
        };
        Some(Self { id, signing: EncodingKey::from_ec_der(&private_key), checking, public, signs_from: key.signs_from })
    }
}

/// Holds the keys, and asks for them again when it is time.
pub(crate) struct Keys {
    db: Db,
    ring: RwLock<Arc<Ring>>,
    /// Held by the one who asks the database; when somebody did last, whatever came of it.
    asked_at: Mutex<DateTime<Utc>>,
}

impl Keys {
    /// Reads the keys for the first time. The first server of an installation makes the first key.
    pub(crate) async fn open(db: Db) -> Result<Self, StoreError> {
        let now = db.clock().now();
        let ring = Ring::new(signing_keys::current(&db, make).await?, now);
        Ok(Self { db, ring: RwLock::new(Arc::new(ring)), asked_at: Mutex::new(now) })
    }

    /// The keys, at most a minute old.
    pub(crate) async fn ring(&self) -> Arc<Ring> {
        let ring = self.held();
        if self.now() - ring.read_at < FRESH {
            return ring;
        }
        match self.asked_at.try_lock() {
            Ok(mut asked_at) => self.ask(&mut asked_at).await,
            // Somebody asks already; what is there is good enough until they are done.
            Err(_) => ring,
        }
    }

    /// The keys, asked for again if this one is not among them.
    pub(crate) async fn ring_with(&self, id: &str) -> Arc<Ring> {
        let ring = self.ring().await;
        if ring.find(id).is_some() {
            return ring;
        }
        let mut asked_at = self.asked_at.lock().await;
        let ring = self.held();
        if ring.find(id).is_some() { ring } else { self.ask(&mut asked_at).await }
    }

    async fn ask(&self, asked_at: &mut DateTime<Utc>) -> Arc<Ring> {
        let now = self.now();
        if now - *asked_at < PAUSE {
            return self.held();
        }
        *asked_at = now;
        match signing_keys::current(&self.db, make).await {
            Ok(keys) => self.hold(Ring::new(keys, now)),
            Err(error) => {
                tracing::warn!(%error, "the keys of access tokens can't be read, so those known are used");
                self.held()
            }
        }
    }

    fn hold(&self, ring: Ring) -> Arc<Ring> {
        let ring = Arc::new(ring);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        ring
    }

    fn held(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> DateTime<Utc> {
        self.db.clock().now()
    }
}
