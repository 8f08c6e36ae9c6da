use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use tokio::{spawn, task::JoinHandle};

use super::*;

const PATIENT: Duration = Duration::from_secs(60);

fn queue(threads: usize, reads: usize) -> Arc<Queue> {
    Queue::new(threads, reads)
}

async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENT;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to be so");
        tokio::task::yield_now().await;
    }
}

/// Work that has begun, and comes to its end once it is let go.
struct Held {
    let_go: mpsc::Sender<()>,
    done: JoinHandle<Result<(), StoreError>>,
}

impl Held {
    async fn begun(queue: &Arc<Queue>, work: Work) -> Self {
        let (begun, begins) = oneshot::channel();
        let (let_go, goes) = mpsc::channel();
        let queue = Arc::clone(queue);
        let job = move || {
            begun.send(()).unwrap();
            goes.recv().unwrap();
        };
        let done = spawn(async move { queue.run(work, PATIENT, job).await });
        begins.await.unwrap();
        Self { let_go, done }
    }

    async fn end(self) {
        self.let_go.send(()).unwrap();
        self.done.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_and_never_more_at_once_than_there_are_threads() {
    let (queue, at_once, most) = (queue(3, 2), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all = (0..500).map(|number| {
        let (queue, at_once, most) = (Arc::clone(&queue), Arc::clone(&at_once), Arc::clone(&most));
        let work = if number % 2 == 0 { Work::Read } else { Work::Other };
        spawn(async move {
            let job = move || {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
                number
            };
            queue.run(work, PATIENT, job).await.unwrap()
        })
    });

    let mut sum = 0_i32;
    for done in all.collect::<Vec<_>>() {
        sum += done.await.unwrap();
    }

    assert_eq!(sum, (0..500).sum::<i32>());
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_rest_once_all_is_done_even_for_callers_who_have_gone() {
    let queue = queue(2, 2);
    queue.at_rest().await;
    let held = Held::begun(&queue, Work::Other).await;
    held.done.abort();
    until(|| held.done.is_finished()).await;

    let mut rest = std::pin::pin!(queue.at_rest());
    assert!(timeout(SHORT, &mut rest).await.is_err(), "somebody is still at work");
    held.let_go.send(()).unwrap();
    rest.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_reads_wait_for_short_reads_but_nobody_else_does() {
    let queue = queue(4, 2);
    let reads = [Held::begun(&queue, Work::Read).await, Held::begun(&queue, Work::Read).await];

    let waiting = queue.line().enqueue(Work::Read, Box::new(|| ()));
    queue.wake_threads();
    let are_short = queue.line().short_reads() == 2;
    queue.run(Work::Other, PATIENT, || ()).await.unwrap();

    assert!(!waiting.is_taken() || !are_short || queue.line().short_reads() < 2);
    for read in reads {
        read.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_take_long_hold_up_no_others() {
    let queue = queue(3, 2);
    let reads = [Held::begun(&queue, Work::Read).await, Held::begun(&queue, Work::Read).await];

    for _ in 0..3 {
        queue.run(Work::Read, PATIENT, || ()).await.unwrap();
    }

    for read in reads {
        read.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_is_told_however_long_it_takes() {
    for (patience, work) in [(SHORT / 5, Work::Other), (SHORT * 2, Work::Read)] {
        let (queue, (begun, begins), (let_go, goes)) = (queue(1, 1), oneshot::channel(), mpsc::channel::<()>());
        let job = move || {
            begun.send(()).unwrap();
            goes.recv().unwrap();
            7
        };
        let told = spawn({
            let queue = Arc::clone(&queue);
            async move { queue.run(work, patience, job).await }
        });
        if begins.await.is_err() {
            continue; // this machine took longer than the caller was patient
        }
        tokio::time::sleep(patience * 3).await; // so that the caller's patience has come to its end
        let_go.send(()).unwrap();

        assert_eq!(told.await.unwrap().unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_caller_gave_up_is_never_begun() {
    let queue = queue(1, 1);
    let busy = Held::begun(&queue, Work::Other).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let job = || {
        let begun = Arc::clone(&begun);
        move || {
            begun.fetch_add(1, Ordering::SeqCst);
        }
    };

    for patience in [SHORT / 10, SHORT * 2] {
        assert!(matches!(queue.run(Work::Other, patience, job()).await, Err(StoreError::Busy)));
    }
    let gone = spawn({
        let (queue, job) = (Arc::clone(&queue), job());
        async move { queue.run(Work::Read, PATIENT, job).await }
    });
    until(|| !queue.line().reads.is_empty()).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    busy.end().await;
    queue.run(Work::Other, PATIENT, || ()).await.unwrap();

    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_panics_fails_alone() {
    let queue = queue(1, 1);

    let failed = queue.run(Work::Read, PATIENT, || panic!("of a test")).await;

    assert!(matches!(failed, Err(StoreError::Internal(_))), "{failed:?}");
    until(|| queue.line().at_work == 0).await;
    assert!(queue.line().reading.is_empty());
    queue.run(Work::Read, PATIENT, || ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_outside_the_threads_counts_among_them() {
    let queue = queue(1, 1);
    let entered = queue.try_enter().unwrap();
    assert!(queue.try_enter().is_none());

    // Nobody waits for it who would look again after a while.
    let waiting = queue.line().enqueue(Work::Other, Box::new(|| ()));
    queue.wake_threads();
    assert!(!waiting.is_taken());
    drop(entered);

    until(|| waiting.is_taken()).await;
}
