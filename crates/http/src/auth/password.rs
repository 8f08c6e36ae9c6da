//! Passwords, by argon2id.

use std::sync::{Arc, OnceLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Hashes a password for keeping.
pub fn hash(password: &str) -> Result<String, String> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Checks passwords, a few at a time: each check costs 19 MiB and some 20 ms, so that guessing is dear, and without a
/// bound a flood of sign-ins would take the machine from everybody else.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Semaphore>);

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self(Arc::new(Semaphore::new((cores / 2).max(1))))
    }

    /// Whether this is the password. Without a hash to compare with, the same work is done for nothing, so that nobody
    /// can tell who has an account.
    pub(crate) async fn is_right(&self, password: String, hash: Option<String>) -> Result<bool, String> {
        let _turn = self.0.acquire().await.map_err(|error| error.to_string())?;
        spawn_blocking(move || {
            let known = hash.is_some();
            let hash = hash.or_else(|| nobodys_hash().clone()).ok_or("no password can be hashed")?;
            let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known)
        })
        .await
        .map_err(|error| error.to_string())?
    }
}

fn nobodys_hash() -> &'static Option<String> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| hash("nobody's password").ok())
}
