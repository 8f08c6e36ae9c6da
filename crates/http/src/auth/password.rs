//! Passwords, by argon2id, on threads of their own.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use actix_web::http::header::{self, HeaderValue};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::oneshot, time::timeout};

use crate::problem::{ApiError, ApiResult};

/// How many may wait for a thread. More are turned away at once.
const LINE: usize = 64;

/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hashes a password for keeping. For the command line; the server takes its turns in [`Passwords`].
pub fn hash(password: &str) -> Result<String, String> {
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Hashes and checks passwords, a few at a time and only with the time that nobody else wants.
///
/// Each password costs 19 MiB and some 20 ms, so that guessing is dear. Half of the cores at most are spent on that, by
/// threads that the system runs last; who finds the line full, or waits for long, is told to come back. So a flood of
/// sign-ins slows down sign-ins and nothing else.
#[derive(Clone)]
pub(crate) struct Passwords(SyncSender<Job>);

struct Job {
    work: Work,
    done: oneshot::Sender<Result<Done, String>>,
}

enum Work {
    Hash(String),
    /// Without a hash to compare with, the same work is done for nothing.
    Check(String, Option<String>),
}

enum Done {
    Hashed(String),
    Checked(bool),
}

impl Passwords {
    /// Starts the threads. They end when the last clone of this is gone.
    pub(crate) fn start() -> Result<Self, String> {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let (jobs, waiting) = sync_channel(LINE);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..(cores / 2).max(1) {
            let waiting = Arc::clone(&waiting);
            let run = move || work_last(&waiting);
            thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(run)
                .map_err(|error| format!("no thread for passwords can be started: {error}"))?;
        }
        Ok(Self(jobs))
    }

    /// Hashes a password for keeping.
    pub(crate) async fn hash(&self, password: String) -> ApiResult<String> {
        match self.ask(Work::Hash(password)).await? {
            Done::Hashed(hash) => Ok(hash),
            Done::Checked(_) => Err(ApiError::internal("a password was checked instead of hashed")),
        }
    }

    /// Whether this is the password. Without a hash to compare with, the same work is done for nothing, so that nobody
    /// can tell who has an account.
    pub(crate) async fn is_right(&self, password: String, hash: Option<String>) -> ApiResult<bool> {
        match self.ask(Work::Check(password, hash)).await? {
            Done::Checked(is_right) => Ok(is_right),
            Done::Hashed(_) => Err(ApiError::internal("a password was hashed instead of checked")),
        }
    }

    async fn ask(&self, work: Work) -> ApiResult<Done> {
        let (done, answer) = oneshot::channel();
        self.0.try_send(Job { work, done }).map_err(|_| busy())?;
        timeout(PATIENCE, answer)
            .await
            .map_err(|_| busy())?
            .map_err(|_| ApiError::internal("the threads for passwords are gone"))?
            .map_err(|error| ApiError::internal(&error))
    }
}

fn busy() -> ApiError {
    let detail = "Many are signing in at this moment. Try again in a few seconds.";
    ApiError::new("busy", detail).with_header(header::RETRY_AFTER, HeaderValue::from(PATIENCE.as_secs()))
}

/// Does one job after the other, until nobody is left who could ask.
fn work_last(waiting: &Mutex<Receiver<Job>>) {
    give_way();
    nobodys_hash();
    loop {
        let next = match waiting.lock() {
            Ok(waiting) => waiting.recv(),
            Err(_) => return,
        };
        let Ok(Job { work, done }) = next else { return };
        if done.is_closed() {
            continue; // whoever asked has given up: working for them would make the others wait
        }
        let _given_up_by_now = done.send(perform(work));
    }
}

/// Lets every other thread of the machine go first. Where a single thread can't be given a priority, it keeps its own.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "threads for passwords have the usual priority");
    }
}

fn perform(work: Work) -> Result<Done, String> {
    match work {
        Work::Hash(password) => hash(&password).map(Done::Hashed),
        Work::Check(password, hash) => {
            let known = hash.is_some();
            let hash = hash.or_else(|| nobodys_hash().clone()).ok_or("no password can be hashed")?;
            let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
            let fits = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
            Ok(Done::Checked(fits && known))
        }
    }
}

fn nobodys_hash() -> &'static Option<String> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| hash("nobody's password").ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn a_password_fits_its_hash_alone_and_nobodys_fits_nothing() {
        run(async {
            let passwords = Passwords::start().unwrap();
            let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
            assert!(hash.starts_with("$argon2id$"), "{hash}");
            assert!(passwords.is_right("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
            assert!(!passwords.is_right("wrong horse".to_owned(), Some(hash)).await.unwrap());
            assert!(!passwords.is_right("nobody's password".to_owned(), None).await.unwrap());
        });
    }

    #[test]
    fn who_finds_the_line_full_is_turned_away_at_once() {
        run(async {
            let (jobs, _never_served) = sync_channel(2);
            let passwords = Passwords(jobs);
            let ask = || passwords.is_right("x".to_owned(), None);
            let (one, two, three) =
                tokio::join!(timeout(Duration::from_millis(1), ask()), timeout(Duration::from_millis(1), ask()), ask());
            assert!(one.is_err() && two.is_err());
            assert!(three.unwrap_err().to_string().starts_with("busy"));
        });
    }
}
