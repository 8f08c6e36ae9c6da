//! One stream: reads the feed page by page, and waits for more without holding a connection to the database.

use std::{convert::Infallible, fmt::Write, mem, time::Duration};

use actix_web::web::Bytes;
use futures_util::{Stream, stream};
use rapport_domain::{
    feed::{ChangeQuery, ChangeStreamQuery},
    page::MAX_LIMIT,
};
use rapport_persistence::{
    Db, Scope, StoreError,
    feed::{self, Stretch},
};
use serde_json::json;
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until},
};

use super::places::Place;
use crate::{
    auth::Proof,
    problem::{ApiError, ApiResult},
};

/// How often to look for what other processes have given positions to. What this one does wakes the stream.
const LOOK: Duration = Duration::from_millis(250);

/// The feed is not read more often than this, however much is written.
const PACE: Duration = Duration::from_millis(50);

/// How often to ask whether the caller is still who they were.
const ASK: Duration = Duration::from_secs(1);

/// A connection on which nothing is said for longer than this would be taken for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// What a stream begins with: the milliseconds after which a client connects again.
const GREETING: &str = "retry: 1000\n\n";

/// Follows the feed on behalf of one caller.
pub(super) struct Follower {
    db: Db,
    proof: Proof,
    place: Place,
    scope: Scope,
    query: ChangeQuery,
    ends_at_head: bool,
    positions: watch::Receiver<u64>,
    asked: Instant,
    looked: Instant,
    spoke: Instant,
    /// What is to be said next.
    text: String,
    /// The position up to which the client knows that it has everything.
    told: Option<i64>,
    is_at_head: bool,
    is_over: bool,
}

impl Follower {
    /// Reads for the first time, so that what is wrong is still answered as a problem.
    pub(super) async fn begin(db: Db, proof: Proof, place: Place, query: ChangeStreamQuery) -> ApiResult<Self> {
        let (now, positions) = (Instant::now(), db.positions());
        let (scope, ends_at_head) = (proof.again().await?.scope(), query.until.is_some());
        let mut follower = Self {
            db,
            proof,
            place,
            scope,
            query: query.into_pages(MAX_LIMIT),
            ends_at_head,
            positions,
            asked: now,
            looked: now,
            spoke: now,
            text: GREETING.to_owned(),
            told: None,
            is_at_head: false,
            is_over: false,
        };
        follower.read().await?;
        Ok(follower)
    }

    /// The events, until the stream ends.
    pub(super) fn events(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let bytes = follower.next().await?;
            Some((Ok(bytes), follower))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        while self.text.is_empty() {
            if self.is_over || (self.is_at_head && !self.wait().await) {
                return None;
            }
            if let Err(error) = self.read().await {
                // The client connects again and is told then what is wrong.
                tracing::debug!(%error, "a stream of changes ends");
                return None;
            }
            if self.text.is_empty() && self.spoke.elapsed() >= SILENCE {
                self.text.push_str(": nothing new\n\n");
            }
        }
        self.spoke = Instant::now();
        Some(Bytes::from(mem::take(&mut self.text)))
    }

    /// Waits until there may be more; not when the server stops.
    async fn wait(&mut self) -> bool {
        let (earliest, latest) = (self.looked + PACE, self.looked + LOOK);
        let woken = async {
            let _the_sender_is_there = self.positions.changed().await;
            sleep_until(earliest).await;
        };
        select! {
            _ = self.place.stopping.wait_for(|stopping| *stopping) => false,
            () = woken => true,
            () = sleep_until(latest) => true,
        }
    }

    async fn read(&mut self) -> ApiResult<()> {
        self.looked = Instant::now();
        if self.asked + ASK <= self.looked {
            self.scope = self.proof.again().await?.scope();
            self.asked = self.looked;
        }
        self.positions.mark_unchanged();
        let query = self.query.clone();
        match self.db.read(&self.scope, move |reader| feed::follow(reader, &query)).await {
            Ok(stretch) => self.tell(stretch),
            // Whoever listens already can wait: the next look may find a connection.
            Err(StoreError::Busy) if self.query.cursor.is_some() => {
                self.is_at_head = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts what was read into words.
    fn tell(&mut self, stretch: Stretch) -> ApiResult<()> {
        for (cursor, entry) in &stretch.changes {
            let data = serde_json::to_string(entry).map_err(|error| ApiError::internal(&error.to_string()))?;
            self.event("change", cursor, &data);
        }
        self.is_at_head = !stretch.has_more;
        self.is_over = self.is_at_head && self.ends_at_head;
        if self.is_at_head && self.told != Some(stretch.through) {
            self.event("head", &stretch.next_cursor, &json!({"head": stretch.head}).to_string());
            self.told = Some(stretch.through);
        }
        self.query.cursor = Some(stretch.next_cursor);
        Ok(())
    }

    fn event(&mut self, name: &str, id: &str, data: &str) {
        let _never_fails = write!(self.text, "id: {id}\nevent: {name}\ndata: {data}\n\n");
    }
}
