//! When which key signs access tokens.

use chrono::{DateTime, Duration, Utc};

/// How long a key signs.
const SIGNS_FOR: Duration = Duration::days(30);

/// How long before it signs a key is published, so that whoever checks tokens has it by then.
const PUBLISHED_BEFORE: Duration = Duration::days(1);

/// How long a key is kept once another one signs: longer than any token that it has signed, and than it takes servers to
/// learn of the other one.
const KEPT_AFTER: Duration = Duration::hours(1);

/// The times from which the keys of an installation sign, in their order.
#[derive(Clone, Debug)]
pub struct Schedule(Vec<DateTime<Utc>>);

impl Schedule {
    pub fn new(starts: impl IntoIterator<Item = DateTime<Utc>>) -> Self {
        let mut starts: Vec<_> = starts.into_iter().collect();
        starts.sort_unstable();
        Self(starts)
    }

    /// Whether the key that starts then is the one that signs now. Before any has started, it is the first.
    pub fn signs(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let latest = self.0.iter().rev().find(|other| **other <= now);
        latest.or(self.0.first()).is_some_and(|signing| *signing == start)
    }

    /// When a key that has to be made now is to sign from; none while nothing is due.
    pub fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Some(last) = self.0.last() else { return Some(now) };
        let ends = *last + SIGNS_FOR;
        (now >= ends - PUBLISHED_BEFORE).then(|| ends.max(now + PUBLISHED_BEFORE))
    }

    /// Whether every token that the key could have signed has ended.
    pub fn is_over(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let successor = self.0.iter().find(|other| **other > start);
        successor.is_some_and(|successor| *successor + KEPT_AFTER <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(days)
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(Schedule::new([]).due(day(0)), Some(day(0)));
        assert!(Schedule::new([day(1)]).signs(day(1), day(0)));
    }

    #[test]
    fn the_next_key_is_published_a_day_before_it_signs() {
        let schedule = Schedule::new([day(0)]);
        assert_eq!(schedule.due(day(28)), None);
        assert_eq!(schedule.due(day(29)), Some(day(30)));
        assert_eq!(schedule.due(day(50)), Some(day(51)), "also after a long sleep");

        let both = Schedule::new([day(30), day(0)]);
        assert_eq!(both.due(day(29)), None);
        assert!(both.signs(day(0), day(29)) && !both.signs(day(30), day(29)));
        assert!(both.signs(day(30), day(30)) && !both.signs(day(0), day(30)));
    }

    #[test]
    fn an_old_key_is_kept_until_its_last_token_has_ended() {
        let both = Schedule::new([day(0), day(30)]);
        assert!(!both.is_over(day(0), day(30)));
        assert!(both.is_over(day(0), day(30) + KEPT_AFTER));
        assert!(!both.is_over(day(30), day(1000)), "the last one is never over");
    }
}
