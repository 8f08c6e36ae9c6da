//! The one way to the database.

use std::{
    convert::Infallible,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use diesel::{
    Connection, PgConnection, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    r2d2::{ConnectionManager, CustomizeConnection, Pool, PooledConnection},
};
use rapport_domain::{
    access::Grants,
    id::WorkspaceId,
    record::{Source, Stamp},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use tracing::Span;
use uuid::Uuid;

use crate::{
    Clock, Scope, StoreError,
    cursor::Sealer,
    idempotency::{self, Done, Once, Terms},
    workspace::secrets,
};

/// How often a transaction is tried that others got in the way of.
const TRIES: u32 = 3;

/// Said once for each connection, so that no request pays for it.
const SESSION: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '30s'; SET timezone = 'UTC'; SET jit = off; \
                       SET application_name = 'rapport'";

/// Said at the beginning of a snapshot.
const PATIENCE: &str = "SET LOCAL statement_timeout = '10min'; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Said before a search by a filter, and what takes it back.
const SEARCH: &str = "SET statement_timeout = '2s'; SET plan_cache_mode = force_custom_plan; SET work_mem = '128MB'";
const AFTER_SEARCH: &str = "SET statement_timeout = '15s'; RESET plan_cache_mode; RESET work_mem";
/// The same of a report. The planner takes months and days, which are no columns, for far more groups than there are, and would
/// not let a second process help to put rows together: 171 instead of 132 ms for a forecast of 200,000 opportunities.
const REPORT: &str = "SET statement_timeout = '2s'; SET plan_cache_mode = force_custom_plan; SET work_mem = '128MB'; \
                      SET max_parallel_workers_per_gather = 1; SET parallel_setup_cost = 100; \
                      SET parallel_tuple_cost = 0.0001";
const AFTER_REPORT: &str = "SET statement_timeout = '15s'; RESET plan_cache_mode; RESET work_mem; \
                            RESET max_parallel_workers_per_gather; RESET parallel_setup_cost; RESET parallel_tuple_cost";

/// Connections that are kept for background work, so that it goes on however many requests wait for one.
const BACKGROUND: u32 = 2;

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
        let cores = std::thread::available_parallelism().map_or(2, usize::from) as u32;
        Self { connections: (cores * 4).clamp(8, 32), patience: Duration::from_secs(2) }
    }
}

/// The database. Cloning it is cheap, and all clones share their connections.
#[derive(Clone)]
pub struct Db {
    lender: Lender,
    /// Never more than there are connections, so that no blocking thread ever waits for one.
    slots: Arc<Semaphore>,
    /// The runtime that asked first: its blocking threads do all work. Each thread of the server has a runtime with such
    /// threads of its own, and so many would keep more memory and find less in the caches.
    runtime: Arc<OnceLock<Handle>>,
    patience: Duration,
    clock: Clock,
    sealer: Option<Sealer>,
    /// Rings after each write of this process.
    bell: Arc<Notify>,
    /// Counts the rounds in which this process gave positions in the change feed.
    positions: watch::Sender<u64>,
    /// Counts the changes of this process to who may do what.
    access_changes: Arc<AtomicU64>,
}

impl Db {
    /// Prepares connections without making one: whether the database is there shows on first use.
    pub fn open(url: &str, options: &DbOptions, clock: Clock) -> Self {
        let pool = Pool::builder()
            .max_size(options.connections + BACKGROUND)
            .min_idle(Some(1))
            .connection_timeout(options.patience)
            .test_on_check_out(false) // a ping is a round trip; lost connections are dropped by the lender
            .connection_customizer(Box::new(Session))
            .build_unchecked(ConnectionManager::new(url));
        let slots = Arc::new(Semaphore::new(options.connections as usize));
        Self {
            lender: Lender { pool, since: Instant::now(), suspicious_until: Arc::default() },
            slots,
            runtime: Arc::default(),
            patience: options.patience,
            clock,
            sealer: None,
            bell: Arc::default(),
            positions: watch::Sender::default(),
            access_changes: Arc::default(),
        }
    }

    /// The same database for background work, which waits for no request.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { slots: Arc::new(Semaphore::new(BACKGROUND as usize)), ..self.clone() }
    }

    /// Learns the secrets of the installation; makes them when it is the first. Needed once before anything else.
    pub async fn unlock(mut self) -> Result<Self, StoreError> {
        let key = self.secret("cursor_key").await?;
        self.sealer = Some(Sealer::new(&key)?);
        Ok(self)
    }

    /// 32 random bytes that all servers of this installation share, by name.
    pub async fn secret(&self, name: &'static str) -> Result<Vec<u8>, StoreError> {
        self.blocking(move |pg| secrets::get_or_make(pg, name)).await
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
        self.blocking_twice(move |pg| work(&mut Reader { pg, scope: &scope, kernel: &kernel })).await
    }

    /// Writes. A write of one statement is its own transaction; scripts of several ask for one with
    /// [`Writer::transaction`].
    pub async fn write<T, F>(&self, scope: &Scope, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (scope, kernel) = (scope.clone(), self.kernel()?);
        let access_changes = Arc::clone(&self.access_changes);
        let job = move |pg: &mut PgConnection| {
            let reader = Reader { pg, scope: &scope, kernel: &kernel };
            let done = work(&mut Writer { reader, is_rehearsal: false });
            if kernel.changes_access.load(Ordering::Relaxed) {
                access_changes.fetch_add(1, Ordering::Release);
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
        idempotency::write(self, scope, terms, work).await
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

    /// Lets whatever was remembered of callers be asked again. Writes of somebody do so by themselves, see
    /// [`Reader::changes_access`].
    pub(crate) fn access_changed(&self) {
        self.access_changes.fetch_add(1, Ordering::Release);
    }

    /// How often this process has changed who may do what.
    pub fn access_changes(&self) -> u64 {
        self.access_changes.load(Ordering::Acquire)
    }

    /// Work across workspaces: directories, signing in, the sequencer.
    pub(crate) async fn directory<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        self.blocking(work).await
    }

    fn kernel(&self) -> Result<Kernel, StoreError> {
        let sealer = self.sealer.clone().ok_or_else(|| StoreError::Internal("the database is locked".to_owned()))?;
        let (lender, slots) = (self.lender.clone(), Arc::clone(&self.slots));
        Ok(Kernel { clock: self.clock.clone(), sealer, lender, slots, changes_access: AtomicBool::new(false) })
    }

    async fn blocking_twice<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let lender = self.lender.clone();
        self.on_thread(move || match lender.lend(&work) {
            Err(StoreError::Lost(_)) => lender.lend(&work),
            done => done,
        })
        .await
    }

    async fn blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let lender = self.lender.clone();
        self.on_thread(move || lender.lend(work)).await
    }

    /// Runs work on a blocking thread once a connection is free for it.
    async fn on_thread<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, StoreError> + Send + 'static,
    {
        let slot = timeout(self.patience, Arc::clone(&self.slots).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Busy)?;
        let span = Span::current();
        let job = move || {
            let _slot = slot; // given back when the work ends, not when the client hangs up
            span.in_scope(work)
        };
        let done = self.runtime.get_or_init(Handle::current).spawn_blocking(job).await;
        done.map_err(|error| StoreError::Internal(format!("a database job did not end: {error}")))?
    }
}

/// Lends connections. One that turns out lost is never lent again, and for a while after that the others are asked
/// whether they still live before they are lent: when one is lost, most often all are.
#[derive(Clone)]
struct Lender {
    pool: Pool<ConnectionManager<PgConnection>>,
    since: Instant,
    /// In seconds of this lender's life.
    suspicious_until: Arc<AtomicU64>,
}

/// For how many seconds after a loss connections are asked whether they live.
const SUSPICION: u64 = 60;

impl Lender {
    fn lend<T>(&self, work: impl FnOnce(&mut PgConnection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut pg = self.living()?;
        let done = work(&mut pg);
        if matches!(done, Err(StoreError::Lost(_))) {
            self.suspicious_until.store(self.since.elapsed().as_secs() + SUSPICION, Ordering::Relaxed);
            discard(&mut pg);
        }
        done
    }

    fn living(&self) -> Result<Lent, StoreError> {
        for _ in 0..self.pool.max_size() {
            let mut pg = self.pool.get()?;
            let suspicious = self.since.elapsed().as_secs() < self.suspicious_until.load(Ordering::Relaxed);
            if !suspicious || diesel::sql_query("SELECT 1").execute(&mut pg).is_ok() {
                return Ok(pg);
            }
            discard(&mut pg);
        }
        Ok(self.pool.get()?)
    }
}

type Lent = PooledConnection<ConnectionManager<PgConnection>>;

/// Broken from now on: the pool drops the connection on return instead of lending it again.
fn discard(pg: &mut Lent) {
    AnsiTransactionManager::transaction_manager_status_mut(&mut **pg).set_in_error();
}

/// Sets up each new connection.
#[derive(Debug)]
struct Session;

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for Session {
    fn on_acquire(&self, pg: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        pg.batch_execute(SESSION).map_err(diesel::r2d2::Error::QueryError)
    }
}

struct Kernel {
    clock: Clock,
    sealer: Sealer,
    lender: Lender,
    slots: Arc<Semaphore>,
    /// Whether what is written changes who may do what.
    changes_access: AtomicBool,
}

/// A connection that reads on somebody's behalf.
pub struct Reader<'c> {
    pg: &'c mut PgConnection,
    scope: &'c Scope,
    kernel: &'c Kernel,
}

impl Reader<'_> {
    /// Never `pub`: no other crate can hold the bare connection.
    pub(crate) fn pg(&mut self) -> &mut PgConnection {
        self.pg
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

    /// To be said of each write that may change who may do what: when it is done, this process forgets what it remembers
    /// of callers. Whatever is audited says it.
    pub(crate) fn changes_access(&self) {
        self.kernel.changes_access.store(true, Ordering::Relaxed);
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
        work(&mut Reader { pg: self.pg, scope: &scope, kernel: self.kernel })
    }

    /// Reads everything as it is at one moment, however long that takes: another program may take the time it needs between
    /// two statements.
    pub fn snapshot<T>(
        &mut self,
        work: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (scope, kernel) = (self.scope, self.kernel);
        self.pg.build_transaction().repeatable_read().read_only().run(|pg| {
            pg.batch_execute(PATIENCE)?;
            work(&mut Reader { pg, scope, kernel })
        })
    }

    /// Runs a search by a filter: each statement is planned for its own values, has memory for what it groups, and is given
    /// up when it takes longer than a search may.
    pub(crate) fn within_budget<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_settings(SEARCH, AFTER_SEARCH, work)
    }

    /// Runs the statements of a report within the time of a search, by two processes where that helps.
    pub(crate) fn reporting<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with_settings(REPORT, AFTER_REPORT, work)
    }

    fn with_settings<T>(
        &mut self,
        before: &str,
        after: &str,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pg.batch_execute(before)?;
        let done = work(self);
        self.pg.batch_execute(after)?;
        done
    }

    /// Runs a search by words: each statement is planned for its own words (a cached plan can be 20 times slower), and
    /// words resemble each other from this likeness on, from 0 to 1.
    pub(crate) fn searching<T>(
        &mut self,
        likeness: f32,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pg.batch_execute(&format!(
            "SET plan_cache_mode = force_custom_plan; SET pg_trgm.word_similarity_threshold = {likeness}"
        ))?;
        let done = work(self);
        self.pg.batch_execute("RESET plan_cache_mode; RESET pg_trgm.word_similarity_threshold")?;
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
    /// A second connection on the same behalf, for work at the same time. None when there is none to spare.
    pub fn beside(&self) -> Option<Beside<'c>> {
        let (scope, kernel) = (self.reader.scope, self.reader.kernel);
        let slot = Arc::clone(&kernel.slots).try_acquire_owned().ok()?;
        let pg = kernel.lender.living().ok()?;
        Some(Beside { pg, _slot: slot, scope, kernel })
    }
}

/// A connection beside that of a [`Writer`], see [`Writer::beside`].
pub struct Beside<'c> {
    pg: Lent,
    scope: &'c Scope,
    kernel: &'c Kernel,
    _slot: OwnedSemaphorePermit,
}

impl Beside<'_> {
    /// Writes on this connection.
    pub fn write<T>(mut self, work: impl FnOnce(&mut Writer<'_>) -> T) -> T {
        let reader = Reader { pg: &mut self.pg, scope: self.scope, kernel: self.kernel };
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
        let scope = self.reader.scope.by_way_of(source);
        let reader = Reader { pg: &mut *self.reader.pg, scope: &scope, kernel: self.reader.kernel };
        work(&mut Writer { reader, is_rehearsal: self.is_rehearsal })
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
        self.reader.pg.transaction(|pg| work(&mut Writer { reader: Reader { pg, scope, kernel }, is_rehearsal }))
    }

    /// Does what a rule of the workspace demands, whatever the one may do on whose behalf it happens: it stays theirs.
    pub(crate) fn by_rule<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (scope, kernel, is_rehearsal) = (self.reader.scope.of_rule(), self.reader.kernel, self.is_rehearsal);
        work(&mut Writer { reader: Reader { pg: self.reader.pg, scope: &scope, kernel }, is_rehearsal })
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
        let taken_back = self.reader.pg.transaction(|pg| -> Result<Infallible, Rehearsal<T>> {
            match work(&mut Writer { reader: Reader { pg, scope, kernel }, is_rehearsal: true }) {
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
