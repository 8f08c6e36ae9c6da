//! New records of several callers, written in one statement where they come at the same time.
//!
//! Most of what it costs to write one record is not its row: it is the statement, the commit and the flush of the log. So only a few
//! write new records of a kind at a time, and whoever begins takes along those that have come meanwhile. Nobody waits for others to
//! come: a record that comes alone is written at once. All that are written together are there before anybody is answered. Where
//! something is wrong with one of them, each is written alone, and told what is wrong with it.
//!
//! What names a record that others may hold for long, such as a company that a batch changes, is written alone: it would keep those
//! waiting that are written with it.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    iter::once,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use diesel::{QueryResult, pg::PgConnection};

use crate::{
    StoreError, Writer,
    journal::{BulkEntry, Entry},
    people::{companies, contacts},
};

/// So many records are written together: few numbers, because each has a statement that every connection keeps.
const SIZES: [usize; 4] = [8, 4, 2, 1];

/// How long a record waits for its turn before it is written alone: whoever writes now is held up by something.
const PATIENCE: Duration = Duration::from_millis(50);

/// The version of a record that is new.
const FIRST_VERSION: i64 = 1;

/// What is about to be written, by kind of record.
pub(crate) struct Gatherings {
    pub(crate) contacts: Gathering<New<contacts::NewRow>>,
    pub(crate) companies: Gathering<New<companies::NewRow>>,
}

impl Gatherings {
    /// For so many connections: a quarter of them write records of a kind at the same time.
    pub(crate) fn new(connections: usize) -> Self {
        let writers = (connections / 4).max(1);
        Self { contacts: Gathering::new(writers, PATIENCE), companies: Gathering::new(writers, PATIENCE) }
    }
}

/// A row that is new, with its entry.
pub(crate) type New<R> = (R, Entry);

/// How rows of a table are inserted with their entries.
pub(crate) struct Insertion<R> {
    pub(crate) gathering: fn(&Gatherings) -> &Gathering<New<R>>,
    /// Whether a row names a record that others may hold for long.
    pub(crate) may_wait: fn(&R) -> bool,
    pub(crate) one: fn(&mut PgConnection, R, Entry) -> QueryResult<()>,
    pub(crate) several: fn(&mut PgConnection, Vec<R>, Vec<BulkEntry>) -> QueryResult<()>,
}

/// Inserts a row with its entry: alone where it is a part of something larger or may have to wait, and else together with those
/// of others.
pub(crate) fn insert<R: Clone>(
    writer: &mut Writer<'_>,
    insertion: &Insertion<R>,
    row: R,
    entry: Entry,
) -> Result<(), StoreError> {
    if writer.is_in_transaction() || (insertion.may_wait)(&row) {
        return Ok((insertion.one)(writer.pg(), row, entry)?);
    }
    (insertion.gathering)(writer.gatherings()).write((row, entry), |mut all| {
        let pg = writer.pg();
        if all.len() > 1 {
            let (rows, entries) =
                all.into_iter().map(|(row, entry)| (row, BulkEntry::new(entry, FIRST_VERSION))).unzip();
            return Ok((insertion.several)(pg, rows, entries)?);
        }
        match all.pop() {
            Some((row, entry)) => Ok((insertion.one)(pg, row, entry)?),
            None => Ok(()),
        }
    })
}

/// What is written by a few at a time, who take along what others have brought meanwhile.
pub(crate) struct Gathering<T> {
    writers: usize,
    /// How long somebody waits for others to begin.
    patience: Duration,
    line: Mutex<Line<T>>,
}

struct Line<T> {
    waiting: VecDeque<Waiting<T>>,
    at_work: usize,
}

/// What somebody waits for to be written, and where they are told of it.
struct Waiting<T> {
    item: T,
    place: Arc<Place<T>>,
}

/// Where somebody who waits is told how it goes on.
struct Place<T> {
    told: Mutex<Option<Told<T>>>,
    bell: Condvar,
}

/// What somebody who waits is told.
enum Told<T> {
    /// It is their turn to write, and to take along what waits.
    Begin(T),
    /// Something was wrong with what was written together: they are to write their own alone.
    Alone(T),
    /// What came of it.
    Done(Result<(), StoreError>),
}

impl<T: Clone> Gathering<T> {
    fn new(writers: usize, patience: Duration) -> Self {
        Self { writers, patience, line: Mutex::new(Line { waiting: VecDeque::new(), at_work: 0 }) }
    }

    /// Writes this with `write`, maybe together with what others bring; or they write it. `write` does all of what it is given,
    /// or nothing.
    fn write(&self, item: T, mut write: impl FnMut(Vec<T>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match self.turn(item) {
            Told::Done(done) => done,
            Told::Alone(item) => write(vec![item]),
            Told::Begin(item) => {
                let mut turn = Turn { gathering: self, others: self.others() };
                if turn.others.is_empty() {
                    return write(vec![item]);
                }
                let others = turn.others.iter().map(|other| other.item.clone());
                let Err(error) = write(once(item.clone()).chain(others).collect()) else {
                    turn.tell(|_| Told::Done(Ok(())));
                    return Ok(());
                };
                turn.tell(|other| match fate(&error) {
                    Some(error) => Told::Done(Err(error)),
                    None => Told::Alone(other),
                });
                drop(turn);
                if fate(&error).is_some() { Err(error) } else { write(vec![item]) }
            }
        }
    }

    /// Waits until it is somebody's turn, or until others have written what they brought; but not for long until they begin.
    fn turn(&self, item: T) -> Told<T> {
        let place = {
            let mut line = self.line();
            if line.at_work < self.writers {
                line.at_work += 1;
                return Told::Begin(item);
            }
            let place = Arc::new(Place { told: Mutex::new(None), bell: Condvar::new() });
            line.waiting.push_back(Waiting { item, place: Arc::clone(&place) });
            place
        };
        if let Some(told) = place.wait(Some(self.patience)) {
            return told;
        }
        let left = self.line().leave(&place);
        left.map(Told::Alone).or_else(|| place.wait(None)).unwrap_or_else(|| Told::Done(Err(forgotten())))
    }

    /// Takes out as many of those that wait as are written together with one.
    fn others(&self) -> Vec<Waiting<T>> {
        let mut line = self.line();
        let size = SIZES.into_iter().find(|size| *size <= line.waiting.len() + 1).unwrap_or(1);
        line.waiting.drain(..size - 1).collect()
    }
}

impl<T> Gathering<T> {
    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Line<T> {
    /// Takes out who still waits there, with what they brought.
    fn leave(&mut self, place: &Arc<Place<T>>) -> Option<T> {
        let index = self.waiting.iter().position(|waiting| Arc::ptr_eq(&waiting.place, place))?;
        self.waiting.remove(index).map(|waiting| waiting.item)
    }
}

/// The turn of somebody to write. When it ends, however it does, those whom they took along know, and the next begins.
struct Turn<'g, T> {
    gathering: &'g Gathering<T>,
    others: Vec<Waiting<T>>,
}

impl<T> Turn<'_, T> {
    fn tell(&mut self, how: impl Fn(T) -> Told<T>) {
        for Waiting { item, place } in mem::take(&mut self.others) {
            place.tell(how(item));
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        // Only where the writing itself broke off: nobody knows whether it is done.
        self.tell(|_| Told::Done(Err(forgotten())));
        let mut line = self.gathering.line();
        match line.waiting.pop_front() {
            Some(next) => next.place.tell(Told::Begin(next.item)),
            None => line.at_work -= 1,
        }
    }
}

impl<T> Place<T> {
    /// What somebody is told, if they are within this time.
    fn wait(&self, most: Option<Duration>) -> Option<Told<T>> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = match most {
            Some(most) => {
                let waited = self.bell.wait_timeout_while(told, most, |told| told.is_none());
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.bell.wait_while(told, |told| told.is_none()).unwrap_or_else(PoisonError::into_inner),
        };
        told.take()
    }

    fn tell(&self, told: Told<T>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        self.bell.notify_one();
    }
}

/// What others are told whose records may have been written or not; none where nothing was, and each is to be tried alone. It is
/// not their connection that was lost.
fn fate(error: &StoreError) -> Option<StoreError> {
    match error {
        StoreError::Lost(why) => Some(StoreError::Unreachable(why.clone())),
        _ => None,
    }
}

fn forgotten() -> StoreError {
    StoreError::Internal("what was written together did not come to its end".to_owned())
}
