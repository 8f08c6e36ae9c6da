//! What happens on its own: the sequencer, which gives journal entries their places in the change feed and lets old ones leave
//! it, forgetting and the upkeep of the search indexes, the scores of leads, and what is sent to webhooks.

mod webhooks;

use std::time::Duration;

use rapport_persistence::{
    Db, StoreError, commerce::webhooks as sent, idempotency, insight::scoring, sales::capture_forms, sequencer,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// How long after the last entry the search indexes are tidied up.
const QUIET: Duration = Duration::from_secs(5);

/// How long to leave the database alone after it failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// How often what is old is forgotten.
const BETWEEN_FORGETTING: Duration = Duration::from_secs(3600);

/// How often to look for leads whose scores are due. Those of which this process has told the feed are noticed at once.
const SCORING: Duration = Duration::from_secs(1);

/// How often to look for entries that are to leave the change feed.
const RETIRING: Duration = Duration::from_secs(60);

/// After how many numbered entries what they left of themselves where they waited is cleared away: looking there costs more for
/// each, and the database by itself comes by once a minute.
const SWEPT_AT: usize = 20_000;

/// How long to gather entries before the next are numbered: a round costs the database as much as it does to write several
/// records. Whoever writes after a pause is numbered at once.
const GATHERING: Duration = Duration::from_millis(25);

/// How to work.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    pub beside: Beside,
    /// How long entries stay in the change feed.
    pub feed_retention: Duration,
    /// Whether webhooks may be on this machine, too. For tests and for trying out.
    pub webhooks_on_loopback: bool,
}

/// How often to look for entries that other processes wrote. Those of this process are noticed at once.
#[derive(Clone, Copy, Debug)]
pub enum Beside {
    /// A server in this process writes most of them.
    Server,
    /// All of them come from elsewhere.
    Nobody,
}

impl Beside {
    fn interval(self) -> Duration {
        match self {
            Self::Server => Duration::from_millis(500),
            Self::Nobody => Duration::from_millis(100),
        }
    }
}

/// Works until `stop` turns true. Any number of workers may run: they take turns.
pub async fn run(db: Db, options: WorkerOptions, stop: watch::Receiver<bool>) {
    tokio::join!(
        feed(&db, options, stop.clone()),
        keep_up(&db, stop.clone()),
        score(&db, stop.clone()),
        webhooks::send(&db, options.webhooks_on_loopback, stop)
    );
}

/// Keeps the scores of leads up to date, beside the feed: nobody waits for a place in it because leads are scored.
async fn score(db: &Db, mut stop: watch::Receiver<bool>) {
    let mut positions = db.positions();
    while !*stop.borrow() {
        positions.mark_unchanged();
        let pause = match scoring::advance(db).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => SCORING,
            Err(error) => {
                tracing::warn!(%error, "leads are not scored");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            _ = positions.changed(), if pause == SCORING => {}
            _ = stop.changed() => {}
        }
    }
}

/// Gives entries their places in the feed, and lets old ones leave it.
async fn feed(db: &Db, options: WorkerOptions, mut stop: watch::Receiver<bool>) {
    let mut since_sweeping = 0;
    let mut retire_at = Instant::now();
    while !*stop.borrow() {
        if retire_at <= Instant::now() {
            retire_at = retire(db, options.feed_retention).await;
        }
        let numbered = sequencer::number(db).await;
        if let Ok(Some(numbered)) = numbered {
            since_sweeping += numbered;
        }
        if since_sweeping >= SWEPT_AT {
            since_sweeping = 0;
            sweep(db).await;
        }
        let pause = match numbered {
            Ok(Some(numbered)) if sequencer::was_full(numbered) => Duration::ZERO,
            Ok(numbered) => {
                if numbered.unwrap_or_default() > 0 {
                    sleep(GATHERING).await;
                }
                options.beside.interval()
            }
            Err(error) => {
                tracing::warn!(%error, "the change feed stands still");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = db.written(), if pause > Duration::ZERO => {}
            _ = stop.changed() => {}
        }
    }
}

/// Forgets what is old, and tidies the search indexes up once nothing has been written for a while. Both can take long, so they
/// are done beside the feed.
async fn keep_up(db: &Db, mut stop: watch::Receiver<bool>) {
    let mut positions = db.positions();
    let mut forget_at = Instant::now();
    let mut tidy_at: Option<Instant> = None;
    while !*stop.borrow() {
        tokio::select! {
            () = sleep_until(forget_at) => {
                forget_at = Instant::now() + BETWEEN_FORGETTING;
                forget(db, &stop).await;
            }
            Ok(()) = positions.changed() => tidy_at = Some(Instant::now() + QUIET),
            () = sleep_until(tidy_at.unwrap_or(forget_at)), if tidy_at.is_some() => {
                tidy_at = None;
                tidy(db).await;
            }
            _ = stop.changed() => {}
        }
    }
}

/// Forgets what is kept for some days only.
async fn forget(db: &Db, stop: &watch::Receiver<bool>) {
    forget_all("old idempotency keys", stop, || idempotency::forget(db)).await;
    forget_all("old challenges", stop, || capture_forms::forget(db)).await;
    forget_all("old attempts to reach webhooks", stop, || sent::forget(db)).await;
}

/// Forgets step by step until there is nothing more; each step says whether there is.
async fn forget_all<F: Future<Output = Result<bool, StoreError>>>(
    what: &str,
    stop: &watch::Receiver<bool>,
    step: impl Fn() -> F,
) {
    while !*stop.borrow() {
        match step().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "{what} were not forgotten"),
        }
    }
}

/// Lets a part of the old entries leave the feed, and says when to do so again.
async fn retire(db: &Db, retention: Duration) -> Instant {
    match sequencer::retire(db, db.clock().now() - retention).await {
        Ok(Some(true)) => Instant::now(),
        Ok(Some(false)) => Instant::now() + RETIRING,
        Ok(None) => Instant::now() + AFTER_FAILURE,
        Err(error) => {
            tracing::warn!(%error, "nothing leaves the change feed");
            Instant::now() + RETIRING
        }
    }
}

async fn sweep(db: &Db) {
    if let Err(error) = sequencer::sweep(db).await {
        tracing::warn!(%error, "what numbered entries left was not cleared away");
    }
}

async fn tidy(db: &Db) {
    if let Err(error) = sequencer::tidy_search_indexes(db).await {
        tracing::warn!(%error, "the search indexes were not tidied up");
    }
}
