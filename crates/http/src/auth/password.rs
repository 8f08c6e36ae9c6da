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
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

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
pub(crate) struct Passwords {
    jobs: SyncSender<Job>,
    line: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// Somebody's turn. Whatever has to be looked up for a password is looked up by whoever has one, so that a flood does not
/// reach the database either.
#[must_use = "a turn that is not used keeps others waiting"]
pub(crate) struct Turn {
    jobs: SyncSender<Job>,
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

struct Job {
    work: Work,
    done: oneshot::Sender<Result<Done, String>>,
    /// Ends with the work, not when somebody hangs up.
    turn: Turn,
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
        let threads = (cores / 2).max(1);
        let (passwords, waiting) = Self::of(threads, LINE);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            let run = move || work_last(&waiting);
            thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(run)
                .map_err(|error| format!("no thread for passwords can be started: {error}"))?;
        }
        Ok(passwords)
    }

    fn of(threads: usize, line: usize) -> (Self, Receiver<Job>) {
        // A job has a turn, so there are never more of them.
        let (jobs, waiting) = sync_channel(threads);
        let semaphore = |places| Arc::new(Semaphore::new(places));
        (Self { jobs, line: semaphore(threads + line), turns: semaphore(threads) }, waiting)
    }

    /// Waits for a turn; not for long, and not at all behind a line that is full.
    pub(crate) async fn turn(&self) -> ApiResult<Turn> {
        let place = Arc::clone(&self.line).try_acquire_owned().map_err(|_| busy())?;
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| busy())?.map_err(|error| ApiError::internal(&error.to_string()))?;
        Ok(Turn { jobs: self.jobs.clone(), _place: place, _turn: turn })
    }
}

impl Turn {
    /// Hashes a password for keeping.
    pub(crate) async fn hash(self, password: String) -> ApiResult<String> {
        match self.ask(Work::Hash(password)).await? {
            Done::Hashed(hash) => Ok(hash),
            Done::Checked(_) => Err(ApiError::internal("a password was checked instead of hashed")),
        }
    }

    /// Whether this is the password. Without a hash to compare with, the same work is done for nothing, so that nobody
    /// can tell who has an account.
    pub(crate) async fn check(self, password: String, hash: Option<String>) -> ApiResult<bool> {
        match self.ask(Work::Check(password, hash)).await? {
            Done::Checked(is_right) => Ok(is_right),
            Done::Hashed(_) => Err(ApiError::internal("a password was hashed instead of checked")),
        }
    }

    async fn ask(self, work: Work) -> ApiResult<Done> {
        let (done, answer) = oneshot::channel();
        let jobs = self.jobs.clone();
        jobs.try_send(Job { work, done, turn: self }).map_err(|_| busy())?;
        answer
            .await
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
        let Ok(Job { work, done, turn }) = next else { return };
        // Whoever has given up gets no work done: it would make the others wait.
        if !done.is_closed() {
            let _given_up_by_now = done.send(perform(work));
        }
        drop(turn);
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
            let hash = passwords.turn().await.unwrap().hash("correct horse".to_owned()).await.unwrap();
            assert!(hash.starts_with("$argon2id$"), "{hash}");
            for (password, hash, expected) in [
                ("correct horse", Some(hash.clone()), true),
                ("wrong horse", Some(hash), false),
                ("nobody's password", None, false),
            ] {
                let turn = passwords.turn().await.unwrap();
                assert_eq!(turn.check(password.to_owned(), hash).await.unwrap(), expected, "{password}");
            }
        });
    }

    #[test]
    fn who_finds_the_line_full_is_turned_away_at_once_and_the_next_is_served() {
        run(async {
            let (passwords, _never_served) = Passwords::of(1, 1);
            let first = passwords.turn().await.unwrap();
            let waiting = tokio::join!(timeout(Duration::from_millis(1), passwords.turn()), passwords.turn());
            assert!(waiting.0.is_err(), "there is one turn");
            assert!(waiting.1.is_err_and(|error| error.to_string().starts_with("busy")), "and one place in line");
            drop(first);
            assert!(passwords.turn().await.is_ok());
        });
    }
}
