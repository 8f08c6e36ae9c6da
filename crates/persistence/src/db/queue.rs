//! Where work waits for one of a few blocking threads.
//!
//! There are never more of them at work than there are connections, so none waits for one that another has. A thread that has done
//! something goes on with what waits longest: to wake another thread for each request costs more than many a statement. They
//! are threads of its own, since those of a runtime take turns at a lock that makes them give up their core.
//!
//! Reads of a database on the same machine have only its cores to wait for, and get in each other's way when they are more than
//! those. So only a few short ones are done at once. Whoever writes waits for the disk, best together.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use crate::StoreError;

/// A read that has taken so long is no short one, and does not count among those any more.
const SHORT: Duration = Duration::from_millis(10);

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// What a thread does.
pub(super) enum Work {
    Read,
    Other,
}

/// Some threads, and what waits for them.
pub(super) struct Queue {
    threads: usize,
    /// How many short reads are done at once.
    reads: usize,
    line: Mutex<Line>,
    /// Rings for a thread that has nothing to do.
    bell: Condvar,
    /// Rings when nothing is being done.
    rest: Notify,
}

#[derive(Default)]
struct Line {
    reads: VecDeque<Arc<Waiting>>,
    others: VecDeque<Arc<Waiting>>,
    /// When the reads that are being done began.
    reading: Vec<Instant>,
    at_work: usize,
    /// What threads are about to do.
    begun: VecDeque<Begun>,
    /// How many threads have nothing to do, less those that are about to do something.
    idle: isize,
    /// When it was last said that there is no thread to be had.
    complained: Option<Instant>,
}

/// What has left the line, and when it began if it is a short read.
type Begun = (Arc<Waiting>, Option<Instant>);

impl Queue {
    pub(super) fn new(threads: usize, reads: usize) -> Arc<Self> {
        Arc::new(Self { threads, reads, line: Mutex::default(), bell: Condvar::new(), rest: Notify::new() })
    }

    /// A new queue of as many threads, which does only so many short reads at once.
    pub(super) fn reading(&self, reads: usize) -> Arc<Self> {
        Self::new(self.threads, reads)
    }

    /// Does work on one of the threads. It is never begun when it would have to wait for longer, nor for a caller who has gone;
    /// what was begun comes to its end.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: Work,
        patience: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, mut told) = oneshot::channel();
        let job = Box::new(move || {
            let _ = tell.send(job()); // nobody listens any more when the caller has gone
        });
        let place = Place(self.line().enqueue(work, job));
        let mut left = patience;
        let done = loop {
            self.wake_threads();
            let step = left.min(SHORT); // by then what is being done may have turned out to take long
            match timeout(step, &mut told).await {
                Ok(done) => break done,
                Err(_) if place.0.is_taken() => break told.await,
                Err(_) => left -= step,
            }
            if left.is_zero() && place.0.take().is_some() {
                return Err(StoreError::Busy);
            }
        };
        done.map_err(|_| StoreError::Internal("a database job did not end".to_owned()))
    }

    /// The right to work on a connection outside the threads; none when all are at work.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Entered> {
        let mut line = self.line();
        (line.at_work < self.threads).then(|| {
            line.at_work += 1;
            Entered { queue: Arc::clone(self), reading: None }
        })
    }

    /// Waits until nothing is being done, even for callers who have gone.
    pub(super) async fn at_rest(&self) {
        loop {
            let rest = pin!(self.rest.notified());
            if self.line().at_work == 0 {
                return;
            }
            rest.await;
        }
    }

    /// Lets as many threads begin as are free and find something that may begin.
    fn wake_threads(self: &Arc<Self>) {
        loop {
            let mut line = self.line();
            if line.at_work == self.threads {
                return;
            }
            let Some(begun) = line.next(self.reads) else { return };
            if line.idle <= 0
                && let Err(error) = self.spawn_thread()
            {
                line.put_back(begun); // who waits for it tries again
                if line.complained.is_none_or(|last| last.elapsed() > IDLE) {
                    line.complained = Some(Instant::now());
                    drop(line);
                    tracing::error!(%error, "there is no thread for the database");
                }
                return;
            }
            line.at_work += 1;
            line.idle -= 1;
            line.begun.push_back(begun);
            drop(line);
            self.bell.notify_one();
        }
    }

    fn spawn_thread(self: &Arc<Self>) -> io::Result<()> {
        let queue = Arc::clone(self);
        thread::Builder::new().name("database".to_owned()).spawn(move || queue.work()).map(drop)
    }

    /// What a thread does, until there has been nothing to do for a while.
    fn work(self: Arc<Self>) {
        while let Some((mut waiting, reading)) = self.begun() {
            let mut entered = Entered { queue: Arc::clone(&self), reading };
            loop {
                waiting.run();
                match entered.next() {
                    Some(next) => waiting = next,
                    None => break,
                }
            }
        }
    }

    fn begun(&self) -> Option<Begun> {
        let mut line = self.line();
        line.idle += 1;
        loop {
            if let Some(begun) = line.begun.pop_front() {
                return Some(begun);
            }
            let (rung, waited) = self.bell.wait_timeout(line, IDLE).unwrap_or_else(PoisonError::into_inner);
            line = rung;
            if waited.timed_out() && line.begun.is_empty() {
                line.idle -= 1;
                return None;
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn enqueue(&mut self, work: Work, job: Job) -> Arc<Waiting> {
        let waiting = Arc::new(Waiting { since: Instant::now(), job: Mutex::new(Some(job)) });
        match work {
            Work::Read => self.reads.push_back(Arc::clone(&waiting)),
            Work::Other => self.others.push_back(Arc::clone(&waiting)),
        }
        waiting
    }

    /// Takes out what is to be done next: of what may begin, what waits longest. With the time at which it begins, if it is a read.
    fn next(&mut self, reads: usize) -> Option<Begun> {
        let may_read = self.reading.len() < reads || self.short_reads() < reads;
        let read = self.reads.front().filter(|_| may_read).map(|read| read.since);
        let other = self.others.front().map(|other| other.since);
        let is_read = match (read, other) {
            (Some(read), Some(other)) => read <= other,
            (read, _) => read.is_some(),
        };
        if !is_read {
            return Some((self.others.pop_front()?, None));
        }
        let (waiting, now) = (self.reads.pop_front()?, Instant::now());
        self.reading.push(now);
        Some((waiting, Some(now)))
    }

    /// Gives what was to be done next its place again.
    fn put_back(&mut self, (waiting, reading): Begun) {
        match reading {
            Some(_) => self.reads.push_front(waiting),
            None => self.others.push_front(waiting),
        }
        self.end(reading);
    }

    /// Notes the end of a read that began then.
    fn end(&mut self, reading: Option<Instant>) {
        if let Some(place) = reading.and_then(|begun| self.reading.iter().position(|other| *other == begun)) {
            self.reading.swap_remove(place);
        }
    }

    fn short_reads(&self) -> usize {
        self.reading.iter().filter(|begun| begun.elapsed() < SHORT).count()
    }
}

/// The right of somebody to be at work, given back when it is dropped.
pub(super) struct Entered {
    queue: Arc<Queue>,
    /// When the read began that is being done.
    reading: Option<Instant>,
}

impl Entered {
    /// What is to be done after what was done.
    fn next(&mut self) -> Option<Arc<Waiting>> {
        let mut line = self.queue.line();
        line.end(self.reading.take());
        let (waiting, reading) = line.next(self.queue.reads)?;
        self.reading = reading;
        Some(waiting)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        line.end(self.reading.take());
        line.at_work -= 1;
        let is_rest = line.at_work == 0;
        drop(line);
        if is_rest {
            self.queue.rest.notify_waiters();
        }
        self.queue.wake_threads(); // for what has come in the meantime
    }
}

/// A job, until somebody takes it: a thread to do it, or its caller to give it up.
struct Waiting {
    since: Instant,
    job: Mutex<Option<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Waiting {
    fn take(&self) -> Option<Job> {
        self.job().take()
    }

    fn is_taken(&self) -> bool {
        self.job().is_none()
    }

    fn job(&self) -> MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the job, unless it was given up.
    fn run(&self) {
        if let Some(job) = self.take() {
            // What panics drops its end of the channel, so that its caller hears of it; the panic itself is logged.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

/// A caller's place in the line, given up with them.
struct Place(Arc<Waiting>);

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
