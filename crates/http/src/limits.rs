//! How many requests somebody may send: each API key or user, each workspace, each address that nobody has signed in from,
//! and everybody together for one capture form.
//!
//! Counted by each server for itself, by GCRA: one number for whoever is counted, which says when they would be back at a
//! full allowance. How many are counted at once is bounded; those who have been quiet longest are forgotten first, which
//! gives them a full allowance.

use std::{
    fmt::Write,
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::{address::ClientAddress, auth::Caller, problem::ApiError};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// What an allowance is for, in seconds.
const WINDOW: u64 = 60;

const MICROSECONDS: u64 = 1_000_000;

/// How many are counted at once, of each kind.
const COUNTED: usize = 50_000;

/// Operations that are not counted: probes come often, and a server that refuses them would be taken for dead.
pub(crate) const UNCOUNTED: &[&str] = &["get_liveness", "get_readiness"];

/// Requests a minute; 0 for as many as one likes.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Of one API key, or of one user who has signed in.
    pub key: u32,
    /// Of all callers of one workspace together.
    pub workspace: u32,
    /// Of one address, without credentials that are valid.
    pub address: u32,
    /// Of one capture form, whoever sends it.
    pub form: u32,
}

/// Counts requests.
pub(crate) struct Limiter {
    started: Instant,
    keys: Counters<Uuid>,
    workspaces: Counters<Uuid>,
    addresses: Counters<IpAddr>,
    forms: Counters<Uuid>,
}

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            started: Instant::now(),
            keys: Counters::new("key", limits.key),
            workspaces: Counters::new("workspace", limits.workspace),
            addresses: Counters::new("address", limits.address),
            forms: Counters::new("form", limits.form),
        }
    }

    /// Counts a request of somebody who has proved who they are.
    pub(crate) fn count_caller(&self, caller: &Caller) -> Standing {
        let now = self.now();
        let mut standing = Standing::default();
        standing.counts(self.keys.count(caller.id, now));
        if standing.refused.is_none() {
            standing.counts(self.workspaces.count(caller.workspace.id.uuid(), now));
        }
        standing
    }

    /// Counts a request of somebody unknown.
    pub(crate) fn count_address(&self, address: ClientAddress) -> Standing {
        let mut standing = Standing::default();
        standing.counts(self.addresses.count(address.neighbourhood(), self.now()));
        standing
    }

    /// Counts a request for a capture form, for whoever stands somewhere already.
    pub(crate) fn count_form(&self, form: Uuid, standing: &mut Standing) {
        standing.counts(self.forms.count(form, self.now()));
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Where a caller stands after a request: what the headers say, and whether it was one too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    counts: Vec<Count>,
    refused: Option<Count>,
}

impl Standing {
    fn counts(&mut self, count: Option<Count>) {
        let Some(count) = count else { return };
        self.counts.push(count);
        if count.wait > 0 {
            self.refused = Some(count);
        }
    }

    /// An error when the request was one too many.
    pub(crate) fn verdict(&self) -> Result<(), ApiError> {
        let Some(refused) = self.refused else { return Ok(()) };
        let whose = match refused.policy {
            "key" => "of one API key or user",
            "workspace" => "of one workspace",
            "form" => "for one form",
            _ => "of one address without valid credentials",
        };
        let detail = format!(
            "There may be {} requests {whose} in a minute. Wait for the seconds in Retry-After, and then send fewer.",
            refused.quota
        );
        Err(ApiError::new("rate_limited", detail).with_header(header::RETRY_AFTER, HeaderValue::from(refused.wait)))
    }

    /// Tells the caller, in the words of draft-ietf-httpapi-ratelimit-headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (mut policies, mut standings) = (String::new(), String::new());
        for Count { policy, quota, remaining, reset, .. } in &self.counts {
            let separator = if policies.is_empty() { "" } else { ", " };
            let _never_fails = write!(policies, "{separator}\"{policy}\";q={quota};w={WINDOW}");
            let _never_fails = write!(standings, "{separator}\"{policy}\";r={remaining};t={reset}");
        }
        for (name, text) in [(POLICY, policies), (STANDING, standings)] {
            if let Ok(value) = HeaderValue::from_str(&text)
                && !text.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

/// One request, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    policy: &'static str,
    quota: u32,
    remaining: u64,
    /// Seconds until the allowance is full again.
    reset: u64,
    /// Seconds until the next request is taken; 0 when this one was.
    wait: u64,
}

/// Requests of many, each by themselves.
struct Counters<K> {
    policy: &'static str,
    quota: u32,
    /// When each would be back at a full allowance, in microseconds.
    full_at: Cache<K, Arc<AtomicU64>>,
}

impl<K: Hash + Eq + Clone> Counters<K> {
    fn new(policy: &'static str, quota: u32) -> Self {
        Self { policy, quota, full_at: Cache::new(if quota == 0 { 0 } else { COUNTED }) }
    }

    /// Counts one request; none without a limit.
    fn count(&self, whose: K, now: u64) -> Option<Count> {
        if self.quota == 0 {
            return None;
        }
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(full_at) = self.full_at.get_or_insert_with(&whose, fresh);
        let window = WINDOW * MICROSECONDS;
        let each = (window / u64::from(self.quota)).max(1);
        let taken = full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
            let full = full.max(now) + each;
            (full <= now + window).then_some(full)
        });
        let (ahead, wait) = match taken {
            Ok(before) => (before.max(now) + each - now, 0),
            Err(full) => {
                let ahead = full.saturating_sub(now);
                (ahead, (ahead + each).saturating_sub(window).div_ceil(MICROSECONDS).max(1))
            }
        };
        Some(Count {
            policy: self.policy,
            quota: self.quota,
            remaining: window.saturating_sub(ahead) / each,
            reset: ahead.div_ceil(MICROSECONDS),
            wait,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = MICROSECONDS;

    #[test]
    fn an_allowance_is_used_up_and_comes_back_bit_by_bit() {
        let counters = Counters::new("key", 6);
        let count = |now| counters.count(1, now).unwrap();
        let remaining: Vec<u64> = (0..6).map(|_| count(0).remaining).collect();
        assert_eq!(remaining, [5, 4, 3, 2, 1, 0]);

        let refused = count(0);
        assert_eq!((refused.remaining, refused.wait, refused.reset), (0, 10, 60));
        assert_eq!(count(4 * SECOND).wait, 6);
        assert_eq!(count(10 * SECOND).wait, 0);
        assert_eq!(count(10 * SECOND).wait, 10);
        assert_eq!(count(200 * SECOND).remaining, 5);
    }

    #[test]
    fn each_is_counted_alone_and_zero_counts_nobody() {
        let counters = Counters::new("key", 1);
        assert_eq!(counters.count(1, 0).unwrap().wait, 0);
        assert_eq!(counters.count(2, 0).unwrap().wait, 0);
        assert!(counters.count(1, 0).unwrap().wait > 0);
        assert_eq!(Counters::new("key", 0).count(1, 0), None);
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_than_a_few() {
        let counters = Counters::new("address", 1);
        for address in 0..1_000_000_u32 {
            let _ = counters.count(address, 0);
        }
        assert!(counters.full_at.len() <= COUNTED);
    }

    #[test]
    fn the_headers_name_each_limit() {
        let mut standing = Standing::default();
        standing.counts(Counters::new("key", 600).count(1, 0));
        standing.counts(Counters::new("workspace", 60).count(1, 0));
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        assert_eq!(headers.get(POLICY).unwrap(), "\"key\";q=600;w=60, \"workspace\";q=60;w=60");
        assert_eq!(headers.get(STANDING).unwrap(), "\"key\";r=599;t=1, \"workspace\";r=59;t=1");
        assert!(standing.verdict().is_ok());
    }
}
