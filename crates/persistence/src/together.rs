//! New records of several callers, written in one statement where they come at the same time.
//!
//! Most of what it costs to write one record is not its row: it is the statement, the commit and the flush of the log. So only a few
//! write new records of a kind at a time, and whoever begins takes along those that have come meanwhile. Nobody waits for others to
//! come: a record that comes alone is written at once. All that are written together are there before anybody is answered. Where
//! something is wrong with one of them, each is written alone, and told what is wrong with it.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use diesel::{QueryResult, pg::PgConnection};

use crate::{
    StoreError, Writer,
    journal::{BulkEntry, Entry},
    people::{companies, contacts},
};

/// So many records are written together: few numbers, because each has a statement that every connection keeps.
const SIZES: [usize; 4] = [8, 4, 2, 1];

/// The version of a record that is new.
const FIRST_VERSION: i64 = 1;

/// What is about to be written, by kind of record.
pub(crate) struct Gatherings {
    pub(crate) contacts: Gathering<New<contacts::NewRow>>,
    pub(crate) companies: Gathering<New<companies::NewRow>>,
}

impl Gatherings {
    /// `writers` say how many write records of a kind at the same time.
    pub(crate) fn new(writers: usize) -> Self {
        Self { contacts: Gathering::new(writers), companies: Gathering::new(writers) }
    }
}

/// A row that is new, with its entry.
pub(crate) type New<R> = (R, Entry);

/// How rows of a table are inserted with their entries.
pub(crate) struct Insertion<R> {
    pub(crate) gathering: fn(&Gatherings) -> &Gathering<New<R>>,
    pub(crate) one: fn(&mut PgConnection, R, Entry) -> QueryResult<()>,
    pub(crate) several: fn(&mut PgConnection, Vec<R>, Vec<BulkEntry>) -> QueryResult<()>,
}

/// Inserts a row with its entry: alone where it is a part of something larger, and else together with those of others.
pub(crate) fn insert<R: Clone>(
    writer: &mut Writer<'_>,
    insertion: &Insertion<R>,
    row: R,
    entry: Entry,
) -> Result<(), StoreError> {
    if writer.is_in_transaction() {
        return Ok((insertion.one)(writer.pg(), row, entry)?);
    }
    let gatherings = Arc::clone(writer.gatherings());
    (insertion.gathering)(&gatherings).write((row, entry), |mut all| {
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
    fn new(writers: usize) -> Self {
        Self { writers, line: Mutex::new(Line { waiting: VecDeque::new(), at_work: 0 }) }
    }

    /// Writes this with `write`, maybe together with what others bring; or they write it. `write` does all of what it is given,
    /// or nothing.
    fn write(&self, item: T, mut write: impl FnMut(Vec<T>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match self.turn(item) {
            Told::Done(done) => done,
            Told::Alone(item) => write(vec![item]),
            Told::Begin(item) => {
                let mut turn = Turn { gathering: self, others: self.others() };
                let mut all = vec![item.clone()];
                all.extend(turn.others.iter().map(|other| other.item.clone()));
                match write(all) {
                    Err(error) if !turn.others.is_empty() => {
                        turn.tell(|other| match fate(&error) {
                            Some(error) => Told::Done(Err(error)),
                            None => Told::Alone(other),
                        });
                        drop(turn);
                        fate(&error).map_or_else(|| write(vec![item]), Err)
                    }
                    done => {
                        turn.tell(|_| Told::Done(Ok(())));
                        done
                    }
                }
            }
        }
    }

    /// Waits until it is somebody's turn, or until others have written what they brought.
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
        let told = place.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = place.bell.wait_while(told, |told| told.is_none()).unwrap_or_else(PoisonError::into_inner);
        told.take().unwrap_or_else(|| Told::Done(Err(forgotten())))
    }

    /// Takes out as many of those that wait as are written together with one.
    fn others(&self) -> Vec<Waiting<T>> {
        let mut line = self.line();
        let size = SIZES.into_iter().find(|size| *size <= line.waiting.len() + 1).unwrap_or(1);
        line.waiting.drain(..size - 1).collect()
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut line = self.gathering.line.lock().unwrap_or_else(PoisonError::into_inner);
        match line.waiting.pop_front() {
            Some(next) => next.place.tell(Told::Begin(next.item)),
            None => line.at_work -= 1,
        }
    }
}

impl<T> Place<T> {
    fn tell(&self, told: Told<T>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        self.bell.notify_one();
    }
}

/// What all are told whose records may be written or not, or would fare no better alone; none where each is to be tried alone.
fn fate(error: &StoreError) -> Option<StoreError> {
    match error {
        StoreError::Lost(why) => Some(StoreError::Lost(why.clone())),
        StoreError::TooSlow => Some(StoreError::TooSlow),
        _ => None,
    }
}

fn forgotten() -> StoreError {
    StoreError::Internal("what was written together did not come to its end".to_owned())
}
