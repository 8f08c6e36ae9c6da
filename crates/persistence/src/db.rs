//! The one way to the database.

mod queue;
mod session;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use diesel::{PgConnection, dsl::sql, pg::Pg, prelude::*, query_builder::QueryFragment, sql_types};
use r2d2::{Pool, PooledConnection};
use rapport_domain::{
    access::Grants,
    id::WorkspaceId,
    record::{Source, Stamp},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use tracing::Span;
use uuid::Uuid;

use self::{
    queue::{Entered, Queue, Work},
    session::{Link, Session, Sessions, Settings},
};
use crate::{
    Clock, Scope, StoreError,
    cursor::Sealer,
    idempotency::{self, Done, Once, Terms},
    memory::Memory,
    together::Gatherings,
    workspace::secrets,
};

/// How often a transaction is tried that others got in the way of.
const TRIES: u32 = 3;

/// Connections that are kept for background work, so that it goes on however many requests wait for one.
const BACKGROUND: u32 = 3;

/// A part of the connections, one of so many, may do long work at the same time. The others are for what is short, which would
/// wait for half a second behind sixteen batches.
const LONG_WORK: usize = 4;

/// How many times longer than others long work waits for its turn.
const LONG_PATIENCE: u32 = 5;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// Connections to hold. Few are best: about twice the cores.
    pub connections: u32,
    /// How long a request waits for a connection before it is turned away.
    pub patience: Duration,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self { connections: (cores() * 4).clamp(8, 32), patience: Duration::from_secs(2) }
    }
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(2, usize::from) as u32
}

/// Whether the database shares the cores of this machine: it is reached by a socket, or at the address from which it is called.
fn is_on_this_machine(pg: &mut PgConnection) -> Result<bool, StoreError> {
    let is_local = sql::<sql_types::Bool>("inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr()");
    Ok(diesel::select(is_local).get_result(pg)?)
}

/// The database. Cloning it is cheap, and all clones share their connections.
#[derive(Clone)]
pub struct Db {
    lender: Lender,
    /// As wide as there are connections.
    queue: Arc<Queue>,
    /// For work that takes long, before it joins the queue.
    long_turns: Arc<Semaphore>,
    is_long: bool,
    clock: Clock,
    sealer: Option<Sealer>,
    /// Rings after each write of this process.
    bell: Arc<Notify>,
    /// Counts the rounds in which this process gave positions in the change feed.
    positions: watch::Sender<u64>,
    memory: Arc<Memory>,
    gatherings: Arc<Gatherings>,
}

impl Db {
    /// Prepares connections without making one: whether the database is there shows on first use.
    pub fn open(url: &str, options: &DbOptions, clock: Clock) -> Self {
        let pool = Pool::builder()
            .max_size(options.connections + BACKGROUND)
            .min_idle(Some(1))
            .connection_timeout(options.patience)
            .test_on_check_out(false) // a ping is a round trip; lost connections are dropped by the lender
            .build_unchecked(Sessions::new(url));
        let connections = options.connections as usize;
        Self {
            lender: Lender { pool, since: Instant::now(), suspicious_until: Arc::default() },
            queue: Queue::new(connections, connections),
            long_turns: Arc::new(Semaphore::new((connections / LONG_WORK).max(1))),
            is_long: false,
            clock,
            sealer: None,
            bell: Arc::default(),
            positions: watch::Sender::default(),
            memory: Arc::default(),
            gatherings: Arc::new(Gatherings::new(connections)),
        }
    }

    /// The same database for background work, which waits for no request.
    #[must_use]
    pub fn in_background(&self) -> Self {
        let threads = BACKGROUND as usize;
        Self { queue: Queue::new(threads, threads), ..self.clone() }
    }

    /// The same database for work that takes long, such as batches and reports: only so many of them are done at the same time that
    /// most connections stay free for what is short.
    #[must_use]
    pub fn for_long_work(&self) -> Self {
        Self { is_long: true, ..self.clone() }
    }

    /// Learns the secrets of the installation, which it makes when it is the first, and where the database is. Needed once before
    /// anything else.
    pub async fn unlock(mut self) -> Result<Self, StoreError> {
        let key = self.secret("cursor_key").await?;
        self.sealer = Some(Sealer::new(&key)?);
        if self.directory(is_on_this_machine).await? {
            self.queue = self.queue.reading(cores() as usize + 1);
        }
        Ok(self)
    }

    /// Waits for what was begun for callers who have gone meanwhile. Says whether it came to its end in that time.
    pub async fn at_rest(&self, most: Duration) -> bool {
        timeout(most, self.queue.at_rest()).await.is_ok()
    }

    /// 32 random bytes that all servers of this installation share, by name.
    pub async fn secret(&self, name: &'static str) -> Result<Vec<u8>, StoreError> {
        self.directory(move |pg| secrets::get_or_make(pg, name)).await
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Reads. Every statement sees what is committed when it starts. Tried once more when a connection turns out lost.
    pub async fn read<T, F>(&self, scope: &Scope, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (scope, kernel) = (scope.clone(), self.kernel()?);
        self.blocking_twice(move |session| work(&mut Reader { link: session.link(), scope: &scope, kernel: &kernel }))
            .await
    }

    /// Writes. A write of one statement is its own transaction; scripts of several ask for one with
    /// [`Writer::transaction`].
    pub async fn write<T, F>(&self, scope: &Scope, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (scope, kernel) = (scope.clone(), self.kernel()?);
        let job = move |session: &mut Session| {
            let reader = Reader { link: session.link(), scope: &scope, kernel: &kernel };
            let done = work(&mut Writer { reader, is_rehearsal: false });
            if kernel.changes_settings.load(Ordering::Relaxed) {
                kernel.memory.settings_changed();
            }
            done
        };
        let done = self.blocking(job).await;
        self.bell.notify_one();
        done
    }

    /// Writes on terms: once for a key, or only as a rehearsal.
    pub async fn write_on<T, F>(&self, scope: &Scope, terms: Terms, work: F) -> Result<Done<T>, StoreError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        idempotency::write(self, scope, terms, Box::new(work)).await
    }

    /// Replaces the answer that is kept for a key.
    pub async fn amend<T>(&self, scope: &Scope, once: Once, answer: T) -> Result<T, StoreError>
    where
        T: Serialize + Send + 'static,
    {
        self.write(scope, move |writer| idempotency::amend(writer, &once, &answer).map(|()| answer)).await
    }

    /// Ends when this process has written something.
    pub async fn written(&self) {
        self.bell.notified().await;
    }

    /// Changes whenever this process has given positions in the change feed.
    pub fn positions(&self) -> watch::Receiver<u64> {
        self.positions.subscribe()
    }

    pub(crate) fn positions_given(&self) {
        self.positions.send_modify(|rounds| *rounds += 1);
    }

    /// Lets whatever was remembered of workspaces and callers be asked again. Writes of somebody do so by themselves, see
    /// [`Reader::changes_settings`].
    pub(crate) fn settings_changed(&self) {
        self.memory.settings_changed();
    }

    /// How often this process has changed who may do what, or how records of a workspace have to be.
    pub fn settings_changes(&self) -> u64 {
        self.memory.changes()
    }

    /// Work across workspaces: directories, signing in, the sequencer.
    pub(crate) async fn directory<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        self.blocking(move |session| work(session.link().pg())).await
    }

    fn kernel(&self) -> Result<Kernel, StoreError> {
        let sealer = self.sealer.clone().ok_or_else(|| StoreError::Internal("the database is locked".to_owned()))?;
        let (lender, queue) = (self.lender.clone(), Arc::clone(&self.queue));
        let (clock, memory, gatherings) = (self.clock.clone(), Arc::clone(&self.memory), Arc::clone(&self.gatherings));
        Ok(Kernel { clock, sealer, lender, queue, memory, gatherings, changes_settings: AtomicBool::new(false) })
    }

    async fn blocking_twice<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Session) -> Result<T, StoreError> + Send + 'static,
    {
        let lender = self.lender.clone();
        self.on_thread(Work::Read, move |deadline| match lender.lend(deadline, &work) {
            Err(StoreError::Lost(_)) => lender.lend(lender.deadline(), &work),
            done => done,
        })
        .await
    }

    async fn blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Session) -> Result<T, StoreError> + Send + 'static,
    {
        let lender = self.lender.clone();
        self.on_thread(Work::Other, move |deadline| lender.lend(deadline, work)).await
    }

    /// Runs work on a blocking thread once a connection is free for it, and tells it until when it may wait for that.
    async fn on_thread<T, F>(&self, work: Work, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Instant) -> Result<T, StoreError> + Send + 'static,
    {
        let (work, turn) = match self.is_long {
            true => (Work::Other, Some(self.long_turn().await?)),
            false => (work, None),
        };
        let (span, deadline) = (Span::current(), self.lender.deadline());
        let job = move || {
            let _turn = turn; // given back when the work ends, not when the client hangs up
            span.in_scope(|| job(deadline))
        };
        self.queue.run(work, self.lender.patience(), job).await?
    }

    async fn long_turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = timeout(self.lender.patience() * LONG_PATIENCE, Arc::clone(&self.long_turns).acquire_owned()).await;
        turn.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Busy)
    }
}

/// Lends connections. One that turns out lost is never lent again, and for a while after that the others are asked
/// whether they still live before they are lent: when one is lost, most often all are.
#[derive(Clone)]
struct Lender {
    pool: Pool<Sessions>,
    since: Instant,
    /// In seconds of this lender's life.
    suspicious_until: Arc<AtomicU64>,
}

/// For how many seconds after a loss connections are asked whether they live.
const SUSPICION: u64 = 60;

impl Lender {
    fn lend<T>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&mut Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut session = self.living(deadline)?;
        let done = work(&mut session);
        if matches!(done, Err(StoreError::Lost(_))) {
            self.suspicious_until.store(self.since.elapsed().as_secs() + SUSPICION, Ordering::Relaxed);
            session.discard();
        }
        done
    }

    /// How long somebody may wait for a connection, in line and in the pool together.
    fn patience(&self) -> Duration {
        self.pool.connection_timeout()
    }

    /// Until when whoever asks now may wait.
    fn deadline(&self) -> Instant {
        Instant::now() + self.patience()
    }

    fn living(&self, deadline: Instant) -> Result<Lent, StoreError> {
        let lent = || match deadline.checked_duration_since(Instant::now()) {
            Some(left) => Ok(self.pool.get_timeout(left)?),
            None => self.pool.try_get().ok_or(StoreError::Busy),
        };
        for _ in 0..self.pool.max_size() {
            let mut session = lent()?;
            let suspicious = self.since.elapsed().as_secs() < self.suspicious_until.load(Ordering::Relaxed);
            if !suspicious || session.is_alive() {
                return Ok(session);
            }
            session.discard();
        }
        lent()
    }
}

type Lent = PooledConnection<Sessions>;

struct Kernel {
    clock: Clock,
    sealer: Sealer,
    lender: Lender,
    queue: Arc<Queue>,
    memory: Arc<Memory>,
    gatherings: Arc<Gatherings>,
    /// Whether what is written changes who may do what, or how records have to be.
    changes_settings: AtomicBool,
}

/// A connection that reads on somebody's behalf.
pub struct Reader<'c> {
    link: Link<'c>,
    scope: &'c Scope,
    kernel: &'c Kernel,
}

impl Reader<'_> {
    /// Never `pub`: no other crate can hold the bare connection.
    pub(crate) fn pg(&mut self) -> &mut PgConnection {
        self.link.pg()
    }

    /// Whether a statement is to be kept prepared that is one of many.
    pub(crate) fn keeps(&self, statement: &impl QueryFragment<Pg>) -> Result<bool, StoreError> {
        Ok(self.link.keeps(statement)?)
    }

    /// Named by every statement.
    pub(crate) fn workspace(&self) -> Uuid {
        self.scope.workspace().uuid()
    }

    pub(crate) fn workspace_id(&self) -> WorkspaceId {
        self.scope.workspace()
    }

    /// What may be done on its behalf.
    pub fn grants(&self) -> &Grants {
        self.scope.grants()
    }

    pub(crate) fn scope(&self) -> &Scope {
        self.scope
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.kernel.clock.now()
    }

    /// To be said of each write that may change who may do what, or how records have to be: when it is done, this process
    /// forgets what it remembers of callers and workspaces. Whatever is audited says it.
    pub(crate) fn changes_settings(&self) {
        self.kernel.changes_settings.store(true, Ordering::Relaxed);
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.kernel.memory
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.kernel.sealer
    }

    /// Reads on behalf of Rapport itself what is the same whoever asks, such as a score. What of it the caller may see is to
    /// be asked of themselves.
    pub(crate) fn for_everybody<T>(
        &mut self,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let country = self.scope.country().map(ToOwned::to_owned);
        let scope = Scope::of_system(self.scope.workspace(), Source::Automation, country);
        work(&mut Reader { link: self.link.lend(), scope: &scope, kernel: self.kernel })
    }

    /// Reads everything as it is at one moment, however long that takes: another program may take the time it needs between
    /// two statements.
    pub fn snapshot<T>(
        &mut self,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (scope, kernel) = (self.scope, self.kernel);
        self.link.snapshot(|link| work(&mut Reader { link, scope, kernel }))
    }

    /// Runs a search by a filter: each statement is planned for its own values, has memory for what it groups, and is given
    /// up when it takes longer than a search may.
    pub(crate) fn within_budget<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(Settings::Search, work)
    }

    /// Runs the statements of a report within the time of a search, by two processes where that helps.
    pub(crate) fn reporting<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(Settings::Report, work)
    }

    /// Runs statements of which one plan serves all values.
    pub(crate) fn with_one_plan<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(Settings::OnePlan, work)
    }

    /// Runs a search by trigrams: words resemble each other from this likeness on, from 0 to 1.
    pub(crate) fn searching_trigrams<T>(
        &mut self,
        likeness: f32,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(Settings::Trigrams(likeness), work)
    }

    fn with<T>(
        &mut self,
        settings: Settings,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let before = self.link.want(settings);
        let done = work(self);
        self.link.want(before);
        done
    }
}

/// A [`Reader`] that may write; dereferences to one, so that reads work in both.
pub struct Writer<'c> {
    reader: Reader<'c>,
    /// Whether all of it is taken back.
    is_rehearsal: bool,
}

impl<'c> std::ops::Deref for Writer<'c> {
    type Target = Reader<'c>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl std::ops::DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.reader
    }
}

impl<'c> Writer<'c> {
    /// What is about to be written together.
    pub(crate) fn gatherings(&self) -> &'c Gatherings {
        &self.reader.kernel.gatherings
    }

    /// A second connection on the same behalf, for work at the same time. None when there is none to spare.
    pub fn beside(&self) -> Option<Beside<'c>> {
        let (scope, kernel) = (self.reader.scope, self.reader.kernel);
        let entered = kernel.queue.try_enter()?;
        let session = kernel.lender.living(kernel.lender.deadline()).ok()?;
        Some(Beside { session, _entered: entered, scope, kernel })
    }
}

/// A connection beside that of a [`Writer`], see [`Writer::beside`].
pub struct Beside<'c> {
    session: Lent,
    scope: &'c Scope,
    kernel: &'c Kernel,
    _entered: Entered,
}

impl Beside<'_> {
    /// Writes on this connection.
    pub fn write<T>(mut self, work: impl FnOnce(&mut Writer<'_>) -> T) -> T {
        let reader = Reader { link: self.session.link(), scope: self.scope, kernel: self.kernel };
        work(&mut Writer { reader, is_rehearsal: false })
    }
}

impl Writer<'_> {
    /// What a record written now takes over.
    pub(crate) fn stamp(&self) -> Stamp {
        self.scope.stamp(self.now())
    }

    /// Does something on the same behalf, of which the new records say that they came to be in this way.
    pub(crate) fn by_way_of<T>(
        &mut self,
        source: Source,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(&self.reader.scope.by_way_of(source), work)
    }

    /// Does something on the same behalf that came by a connection, as the journal will tell.
    pub(crate) fn brought_by<T>(
        &mut self,
        connection: Uuid,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(&self.reader.scope.brought_by(connection), work)
    }

    /// Does several things or none. Tried again when other transactions got in the way; a failed COMMIT never is, for it
    /// may have succeeded.
    pub fn transaction<T>(
        &mut self,
        mut work: impl FnMut(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tries = 1;
        loop {
            let mut worked = false;
            let done = self.single_transaction(|writer| {
                let value = work(writer)?;
                worked = true;
                Ok(value)
            });
            match done {
                Err(StoreError::Contention) if !worked && tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    /// Does several things or none, and tries once.
    pub(crate) fn single_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (scope, kernel, is_rehearsal) = (self.reader.scope, self.reader.kernel, self.is_rehearsal);
        self.reader.link.transaction(|link| work(&mut Writer { reader: Reader { link, scope, kernel }, is_rehearsal }))
    }

    /// Whether what is written now is a part of something larger.
    pub(crate) fn is_in_transaction(&mut self) -> bool {
        self.reader.link.is_in_transaction()
    }

    /// Does something that is one statement, or else asks for a transaction itself, so that it leaves nothing when it fails: also
    /// where it is a part of a transaction, which goes on.
    pub(crate) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.reader.link.is_in_transaction() {
            true => self.single_transaction(work),
            false => work(self),
        }
    }

    /// Does what a rule of the workspace demands, whatever the one may do on whose behalf it happens: it stays theirs.
    pub(crate) fn by_rule<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(&self.reader.scope.of_rule(), work)
    }

    fn within<T>(
        &mut self,
        scope: &Scope,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let reader = Reader { link: self.reader.link.lend(), scope, kernel: self.reader.kernel };
        work(&mut Writer { reader, is_rehearsal: self.is_rehearsal })
    }

    /// Whether what is written now is taken back, so that nothing may tell of it as if it were there.
    pub fn is_rehearsal(&self) -> bool {
        self.is_rehearsal
    }

    /// Does something and takes it back, whatever came of it: the answer is what would have happened.
    pub fn rehearse<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (scope, kernel) = (self.reader.scope, self.reader.kernel);
        let taken_back = self.reader.link.transaction(|link| -> Result<Infallible, Rehearsal<T>> {
            match work(&mut Writer { reader: Reader { link, scope, kernel }, is_rehearsal: true }) {
                Ok(value) => Err(Rehearsal::Done(value)),
                Err(error) => Err(Rehearsal::Failed(error)),
            }
        });
        match taken_back {
            Err(Rehearsal::Done(value)) => Ok(value),
            Err(Rehearsal::Failed(error)) => Err(error),
            Ok(never) => match never {},
        }
    }
}

/// How work ends that is taken back.
enum Rehearsal<T> {
    Done(T),
    Failed(StoreError),
}

impl<T> From<diesel::result::Error> for Rehearsal<T> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.into())
    }
}
