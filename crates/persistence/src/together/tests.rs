use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use super::*;

/// Nobody waits for so long here.
const LONG: Duration = Duration::from_secs(60);

/// Items that were written, each group by itself.
type Written = Mutex<Vec<Vec<usize>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets somebody write item 0 until `count` others wait, and gives what came of each of these, by number, beginning with 1.
fn with_waiting(
    gathering: &Gathering<usize>,
    count: usize,
    write: &(impl Fn(&[usize]) -> Result<(), StoreError> + Sync),
) -> Vec<thread::Result<Result<(), StoreError>>> {
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            gathering.write(0, |all| {
                assert_eq!(all, [0]);
                while gathering.line().waiting.len() < count {
                    thread::yield_now();
                }
                Ok(())
            })
        });
        while gathering.line().at_work == 0 {
            thread::yield_now();
        }
        // The last of them lets the first come to its end.
        let join = |number: usize| {
            let thread = scope.spawn(move || gathering.write(number, |all| write(&all)));
            while number < count && gathering.line().waiting.len() < number {
                thread::yield_now();
            }
            thread
        };
        let others: Vec<_> = (1..=count).map(join).collect();
        assert!(first.join().unwrap().is_ok());
        others.into_iter().map(|other| other.join()).collect()
    })
}

#[test]
fn what_comes_alone_is_written_at_once() {
    let gathering = Gathering::new(1, LONG);
    for item in 0..3 {
        let mut written = Vec::new();
        let done = gathering.write(item, |all| {
            written = all;
            Ok(())
        });
        assert!(done.is_ok());
        assert_eq!(written, [item]);
    }
}

#[test]
fn what_comes_meanwhile_is_written_together_in_its_order() {
    let gathering = Gathering::new(1, LONG);
    let written = Written::default();
    let done = with_waiting(&gathering, 13, &|all| {
        lock(&written).push(all.to_vec());
        Ok(())
    });
    assert!(done.into_iter().all(|done| done.unwrap().is_ok()));
    let written = lock(&written);
    assert_eq!(*written, [vec![1, 2, 3, 4, 5, 6, 7, 8], vec![9, 10, 11, 12], vec![13]]);
    assert_eq!(gathering.line().at_work, 0);
}

#[test]
fn where_something_is_wrong_each_is_written_alone_and_told_its_own() {
    let gathering = Gathering::new(1, LONG);
    let written = Written::default();
    let done = with_waiting(&gathering, 8, &|all| {
        if all.contains(&5) {
            return Err(StoreError::Conflict { code: "taken", detail: String::new() });
        }
        lock(&written).push(all.to_vec());
        Ok(())
    });
    let refused: Vec<usize> =
        done.into_iter().zip(1..).filter(|(done, _)| done.as_ref().unwrap().is_err()).map(|(_, item)| item).collect();
    assert_eq!(refused, [5]);
    let mut written = lock(&written).concat();
    written.sort_unstable();
    assert_eq!(written, [1, 2, 3, 4, 6, 7, 8]);
}

#[test]
fn what_may_have_been_written_is_not_written_again() {
    let gathering = Gathering::new(1, LONG);
    let tries = Written::default();
    let done = with_waiting(&gathering, 4, &|all| {
        lock(&tries).push(all.to_vec());
        Err(StoreError::Lost("gone".to_owned()))
    });
    let [Ok(Err(StoreError::Lost(_))), others @ ..] = done.as_slice() else { panic!("{done:?}") };
    assert!(others.iter().all(|done| matches!(done, Ok(Err(StoreError::Unreachable(_))))), "{done:?}");
    assert_eq!(*lock(&tries), [[1, 2, 3, 4]]);
    assert!(gathering.write(9, |_| Ok(())).is_ok(), "and it goes on");
}

#[test]
fn who_breaks_off_keeps_nobody_waiting() {
    let gathering = Gathering::new(1, LONG);
    let done = catch_unwind(AssertUnwindSafe(|| {
        with_waiting(&gathering, 5, &|all| if all.contains(&1) { panic!("broken off") } else { Ok(()) })
    }))
    .unwrap();
    let told: Vec<&str> = done
        .iter()
        .map(|done| match done {
            Err(_) => "panicked",
            Ok(Err(StoreError::Internal(_))) => "not known",
            Ok(Ok(())) => "written",
            Ok(Err(_)) => "refused",
        })
        .collect();
    assert_eq!(told, ["panicked", "not known", "not known", "not known", "written"]);
    assert_eq!(gathering.line().at_work, 0);
}

#[test]
fn nothing_is_lost_or_written_twice_however_many_come() {
    const EACH: usize = 200;
    let gathering = Gathering::new(2, LONG);
    let written = Written::default();
    thread::scope(|scope| {
        for client in 0..8 {
            let (gathering, written) = (&gathering, &written);
            scope.spawn(move || {
                for number in 0..EACH {
                    let done = gathering.write(client * EACH + number, |all| {
                        assert!(SIZES.contains(&all.len()));
                        lock(written).push(all);
                        Ok(())
                    });
                    assert!(done.is_ok());
                }
            });
        }
    });
    let mut written = lock(&written).concat();
    written.sort_unstable();
    assert!(written.into_iter().eq(0..8 * EACH));
    let line = gathering.line();
    assert_eq!((line.at_work, line.waiting.len()), (0, 0));
}

#[test]
fn who_waits_for_long_writes_alone() {
    let gathering = Gathering::new(1, Duration::ZERO);
    let done_beside = std::sync::Barrier::new(2);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            gathering.write(0, |_| {
                // Held up until another is done.
                done_beside.wait();
                Ok(())
            })
        });
        while gathering.line().at_work == 0 {
            thread::yield_now();
        }
        let done = gathering.write(1, |all| {
            assert_eq!(all, [1]);
            Ok(())
        });
        assert!(done.is_ok());
        done_beside.wait();
        assert!(first.join().unwrap().is_ok());
    });
    let line = gathering.line();
    assert_eq!((line.at_work, line.waiting.len()), (0, 0));
}
