//! Where work waits for one of a few blocking threads.
//!
//! There are never more of them at work than there are connections, so none ever waits for one. A thread that has done
//! something goes on with what waits longest: to wake another thread for each request costs more than many a statement.
//!
//! Reads of a database on the same machine have only its cores to wait for, and get in each other's way when they are more than
//! those. So only a few are done at once, as long as none has to wait long. Whoever writes waits for the disk, best together.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot, time::timeout};

use crate::StoreError;

/// A read that has waited for so long is not held back any more: those before it are no short ones.
const LONG_ENOUGH: Duration = Duration::from_millis(30);

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Read,
    Other,
}

/// Some threads, and what waits for them.
pub(super) struct Queue {
    threads: usize,
    /// How many reads are done at once, unless they have waited for long.
    reads: usize,
    line: Mutex<Line>,
    /// The runtime whose threads these are.
    runtime: Arc<OnceLock<Handle>>,
}

#[derive(Default)]
struct Line {
    reads: VecDeque<Arc<Waiting>>,
    others: VecDeque<Arc<Waiting>>,
    reading: usize,
    at_work: usize,
}

impl Queue {
    /// The threads are those of a runtime that several queues may share: of the one that asked first, when none is known yet.
    /// Each thread of the server has a runtime with such threads of its own, and so many would keep more memory and find less
    /// in the caches.
    pub(super) fn new(threads: u32, reads: u32, runtime: Arc<OnceLock<Handle>>) -> Arc<Self> {
        Arc::new(Self { threads: threads as usize, reads: reads as usize, line: Mutex::default(), runtime })
    }

    /// A new queue of as many threads, which does only so many reads at once.
    pub(super) fn reading(&self, reads: u32) -> Arc<Self> {
        Arc::new(Self { threads: self.threads, reads: reads as usize, line: Mutex::default(), runtime: self.runtime() })
    }

    pub(super) fn runtime(&self) -> Arc<OnceLock<Handle>> {
        Arc::clone(&self.runtime)
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
        let place = Place(Waiting::new(work, move || {
            let _ = tell.send(job()); // nobody listens any more when the caller has gone
        }));
        self.line().enqueue(Arc::clone(&place.0));
        self.wake_thread();
        let mut done = timeout(patience.min(LONG_ENOUGH), &mut told).await;
        if done.is_err() && patience > LONG_ENOUGH {
            self.wake_thread();
            done = timeout(patience - LONG_ENOUGH, &mut told).await;
        }
        let done = match done {
            Ok(done) => done,
            Err(_) if place.0.take().is_some() => return Err(StoreError::Busy),
            Err(_) => told.await,
        };
        done.map_err(|_| StoreError::Internal("a database job did not end".to_owned()))
    }

    /// The right to work on a connection outside the threads; none when all are at work.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Entered> {
        let mut line = self.line();
        (line.at_work < self.threads).then(|| {
            line.at_work += 1;
            Entered { queue: Arc::clone(self) }
        })
    }

    /// Lets a thread begin with what waits longest, where one is free and something may begin.
    fn wake_thread(self: &Arc<Self>) {
        let mut line = self.line();
        if line.at_work == self.threads {
            return;
        }
        let Some(mut waiting) = line.next(self.reads) else { return };
        line.at_work += 1;
        drop(line);
        let entered = Entered { queue: Arc::clone(self) };
        self.runtime.get_or_init(Handle::current).spawn_blocking(move || {
            loop {
                waiting.run();
                match entered.next_after(&waiting) {
                    Some(next) => waiting = next,
                    None => break,
                }
            }
        });
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn enqueue(&mut self, waiting: Arc<Waiting>) {
        match waiting.work {
            Work::Read => self.reads.push_back(waiting),
            Work::Other => self.others.push_back(waiting),
        }
    }

    /// Takes out what is to be done next: of what may begin, what waits longest.
    fn next(&mut self, reads: usize) -> Option<Arc<Waiting>> {
        let may_begin = |read: &&Arc<Waiting>| self.reading < reads || read.since.elapsed() >= LONG_ENOUGH;
        let read = self.reads.front().filter(may_begin).map(|read| read.since);
        let other = self.others.front().map(|other| other.since);
        let is_read = match (read, other) {
            (Some(read), Some(other)) => read <= other,
            (read, _) => read.is_some(),
        };
        if !is_read {
            return self.others.pop_front();
        }
        self.reading += 1;
        self.reads.pop_front()
    }
}

/// The right of somebody to be at work, given back when it is dropped.
pub(super) struct Entered {
    queue: Arc<Queue>,
}

impl Entered {
    fn next_after(&self, done: &Waiting) -> Option<Arc<Waiting>> {
        let mut line = self.queue.line();
        if done.work == Work::Read {
            line.reading -= 1;
        }
        line.next(self.queue.reads)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.queue.line().at_work -= 1;
        self.queue.wake_thread(); // what has come in the meantime
    }
}

/// A job, until somebody takes it: a thread to do it, or its caller to give it up.
struct Waiting {
    work: Work,
    since: Instant,
    job: Mutex<Option<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Waiting {
    fn new(work: Work, job: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { work, since: Instant::now(), job: Mutex::new(Some(Box::new(job))) })
    }

    fn take(&self) -> Option<Job> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner).take()
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
