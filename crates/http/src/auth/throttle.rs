//! Slows down whoever guesses: passwords when signing in, and accounts when asking for a new password.
//!
//! Failures are counted in three ways. Of one account from one address: few are allowed, and then each one doubles the
//! wait. Of one account from anywhere: many more, so that a thousand addresses can't share the guessing; an address from
//! which the account has signed in before is let through, so that strangers can't lock anybody out. Of one address: who
//! goes through many accounts.
//!
//! Counted by each server for itself, in bounded memory, and the same for accounts that do not exist.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::http::header::{self, HeaderValue};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::{
    address::ClientAddress,
    problem::{ApiError, ApiResult},
};

/// How long a failure counts.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How many of each kind are counted at once.
const COUNTED: usize = 50_000;

/// How many failures are for nothing.
#[derive(Clone, Copy)]
pub(crate) struct Allowance {
    /// Of an account from one address.
    pub(crate) pair: u32,
    /// Of an account from anywhere.
    pub(crate) account: u32,
    /// Of an address, whatever the account.
    pub(crate) address: u32,
}

impl Allowance {
    /// For signing in.
    pub(crate) const SIGN_IN: Self = Self { pair: 5, account: 100, address: 100 };
    /// For mails that somebody gets unasked.
    pub(crate) const RESET: Self = Self { pair: 5, account: 10, address: 50 };
}

/// An account as somebody names it, whether or not there is one: a fingerprint, so that long names take no memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Account([u8; 16]);

impl Account {
    pub(crate) fn new(workspace: &str, email: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(workspace.as_bytes());
        hash.update([0]);
        hash.update(email.trim().to_lowercase().as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }
}

/// Counts those who fail to sign in.
pub(crate) struct SignIns(Throttle);

impl SignIns {
    pub(crate) fn new() -> Self {
        Self(Throttle::new(Allowance::SIGN_IN))
    }
}

impl std::ops::Deref for SignIns {
    type Target = Throttle;

    fn deref(&self) -> &Throttle {
        &self.0
    }
}

/// Counts those who ask for new passwords.
pub(crate) struct Resets(Throttle);

impl Resets {
    pub(crate) fn new() -> Self {
        Self(Throttle::new(Allowance::RESET))
    }
}

impl std::ops::Deref for Resets {
    type Target = Throttle;

    fn deref(&self) -> &Throttle {
        &self.0
    }
}

/// Counts failures.
pub(crate) struct Throttle {
    allowance: Allowance,
    pairs: Counters<(Account, IpAddr)>,
    accounts: Counters<Account>,
    addresses: Counters<IpAddr>,
    /// From where accounts have signed in.
    at_home: Cache<(Account, IpAddr), ()>,
}

impl Throttle {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            pairs: Counters::new(),
            accounts: Counters::new(),
            addresses: Counters::new(),
            at_home: Cache::new(COUNTED),
        }
    }

    /// Lets somebody try, or says how long to wait. What is given has to be told how the try ended; it counts for nothing
    /// when it is dropped.
    pub(crate) fn try_once(&self, account: Account, address: ClientAddress) -> ApiResult<Attempt<'_>> {
        self.try_at(account, address.neighbourhood(), Instant::now())
            .map_err(|wait| too_many(wait.as_secs_f64().ceil().max(1.0) as u64))
    }

    fn try_at(&self, account: Account, address: IpAddr, now: Instant) -> Result<Attempt<'_>, Duration> {
        let pair = (account, address);
        let at_home = self.at_home.get(&pair).is_some();
        let mut tickets = Vec::with_capacity(3);
        tickets.push(Ticket::take(self.pairs.of(&pair), self.allowance.pair, now)?);
        tickets.push(Ticket::take(self.addresses.of(&address), self.allowance.address, now)?);
        if !at_home {
            tickets.push(Ticket::take(self.accounts.of(&account), self.allowance.account, now)?);
        }
        Ok(Attempt { throttle: self, account, address, now, tickets })
    }
}

fn too_many(seconds: u64) -> ApiError {
    let detail = "There were too many failed tries, or too many at once. Wait for the seconds in Retry-After; each further failure makes the wait longer.";
    ApiError::new("too_many_attempts", detail).with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}

/// A try that is under way.
#[must_use = "a try that is dropped counts for nothing"]
pub(crate) struct Attempt<'t> {
    throttle: &'t Throttle,
    account: Account,
    address: IpAddr,
    now: Instant,
    tickets: Vec<Ticket>,
}

impl Attempt<'_> {
    /// It was wrong.
    pub(crate) fn failed(self) {
        for ticket in &self.tickets {
            ticket.counter().fail(ticket.allowed, self.now);
        }
    }

    /// It was right: what went wrong for this account before is forgotten, here and in sum.
    pub(crate) fn succeeded(self) {
        let pair = (self.account, self.address);
        self.throttle.at_home.insert(pair, ());
        lock(&self.throttle.pairs.of(&pair)).forget();
        lock(&self.throttle.accounts.of(&self.account)).forget();
    }
}

/// A place among the tries that are under way, given back when it is dropped.
struct Ticket {
    counter: Arc<Mutex<Counter>>,
    allowed: u32,
}

impl Ticket {
    fn take(counter: Arc<Mutex<Counter>>, allowed: u32, now: Instant) -> Result<Self, Duration> {
        lock(&counter).begin(allowed, now)?;
        Ok(Self { counter, allowed })
    }

    fn counter(&self) -> MutexGuard<'_, Counter> {
        lock(&self.counter)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counter = self.counter();
        counter.under_way = counter.under_way.saturating_sub(1);
    }
}

fn lock(counter: &Mutex<Counter>) -> MutexGuard<'_, Counter> {
    counter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Failures of one account, address, or both.
#[derive(Default)]
struct Counter {
    failures: u32,
    under_way: u32,
    last: Option<Instant>,
    closed_until: Option<Instant>,
}

impl Counter {
    /// Takes a place for a try. Tries side by side never are more than failures are left, or guessing all at once would
    /// be for nothing.
    fn begin(&mut self, allowed: u32, now: Instant) -> Result<(), Duration> {
        if let Some(until) = self.closed_until.filter(|until| now < *until) {
            return Err(until - now);
        }
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= MEMORY) {
            self.forget();
        }
        if self.under_way >= allowed.saturating_sub(self.failures).max(1) {
            return Err(Duration::from_secs(1));
        }
        self.under_way += 1;
        Ok(())
    }

    fn fail(&mut self, allowed: u32, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        if let Some(excess) = self.failures.checked_sub(allowed) {
            let wait = FIRST_WAIT.saturating_mul(1 << excess.min(10)).min(LONGEST_WAIT);
            self.closed_until = Some(now + wait);
            self.last = self.closed_until; // the wait itself makes nothing forgotten
        }
    }

    fn forget(&mut self) {
        self.failures = 0;
        self.last = None;
        self.closed_until = None;
    }
}

struct Counters<K>(Cache<K, Arc<Mutex<Counter>>>);

impl<K: Hash + Eq + Clone> Counters<K> {
    fn new() -> Self {
        Self(Cache::new(COUNTED))
    }

    fn of(&self, key: &K) -> Arc<Mutex<Counter>> {
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(counter) = self.0.get_or_insert_with(key, fresh);
        counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(throttle: &Throttle, account: Account, from: &str, now: Instant) -> Option<u64> {
        match throttle.try_at(account, address(from), now) {
            Ok(attempt) => {
                attempt.failed();
                None
            }
            Err(wait) => Some(wait.as_secs()),
        }
    }

    #[test]
    fn after_five_failures_each_wait_is_twice_as_long_until_it_is_a_quarter_of_an_hour() {
        let throttle = Throttle::new(Allowance::SIGN_IN);
        let (account, mut now) = (Account::new("demo", "mara@example.com"), Instant::now());
        for _ in 0..5 {
            assert_eq!(fail(&throttle, account, "203.0.113.9", now), None);
        }
        for wait in [30, 60, 120, 240, 480, 900, 900] {
            assert_eq!(fail(&throttle, account, "203.0.113.9", now), Some(wait));
            now += Duration::from_secs(wait);
            assert_eq!(fail(&throttle, account, "203.0.113.9", now), None);
        }
    }

    #[test]
    fn a_quarter_of_an_hour_without_failure_and_a_success_forget() {
        let throttle = Throttle::new(Allowance::SIGN_IN);
        let (account, now) = (Account::new("demo", "mara@example.com"), Instant::now());
        (0..4).for_each(|_| assert_eq!(fail(&throttle, account, "203.0.113.9", now), None));
        throttle.try_at(account, address("203.0.113.9"), now).ok().unwrap().succeeded();
        (0..5).for_each(|_| assert_eq!(fail(&throttle, account, "203.0.113.9", now), None));
        assert_eq!(fail(&throttle, account, "203.0.113.9", now), Some(30));
        let later = now + FIRST_WAIT + MEMORY;
        (0..5).for_each(|_| assert_eq!(fail(&throttle, account, "203.0.113.9", later), None));
    }

    #[test]
    fn strangers_lock_nobody_out_who_has_signed_in_from_their_own_address_before() {
        let throttle = Throttle::new(Allowance::SIGN_IN);
        let (account, now) = (Account::new("demo", "mara@example.com"), Instant::now());
        throttle.try_at(account, address("203.0.113.9"), now).ok().unwrap().succeeded();
        for stranger in 0..200 {
            let _some_are_refused = fail(&throttle, account, &format!("198.51.100.{stranger}"), now);
        }
        assert!(fail(&throttle, account, "192.0.2.1", now).is_some());
        throttle.try_at(account, address("203.0.113.9"), now).ok().unwrap().succeeded();
    }

    #[test]
    fn who_goes_through_accounts_is_stopped_and_other_addresses_are_not() {
        let throttle = Throttle::new(Allowance::SIGN_IN);
        let now = Instant::now();
        let account = |number: u32| Account::new("demo", &format!("{number}@example.com"));
        (0..100).for_each(|number| assert_eq!(fail(&throttle, account(number), "203.0.113.9", now), None));
        assert_eq!(fail(&throttle, account(100), "203.0.113.9", now), Some(30));
        assert_eq!(fail(&throttle, account(100), "203.0.113.10", now), None);
    }

    #[test]
    fn tries_side_by_side_are_no_more_than_failures_are_left() {
        let throttle = Throttle::new(Allowance::SIGN_IN);
        let (account, now) = (Account::new("demo", "mara@example.com"), Instant::now());
        let try_once = || throttle.try_at(account, address("203.0.113.9"), now);
        let under_way: Vec<_> = (0..5).map(|_| try_once().ok().unwrap()).collect();
        assert!(try_once().is_err());
        drop(under_way);
        assert!(try_once().is_ok());
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_than_a_few() {
        let throttle = Throttle::new(Allowance::SIGN_IN);
        let now = Instant::now();
        for number in 0..200_000_u32 {
            let account = Account::new("demo", &number.to_string());
            assert!(throttle.try_at(account, IpAddr::V4(number.into()), now).map(Attempt::failed).is_ok());
        }
        assert!(throttle.pairs.0.len() <= COUNTED && throttle.addresses.0.len() <= COUNTED);
    }
}
