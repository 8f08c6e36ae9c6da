//! How often a task comes back: recurrence rules of iCalendar (RFC 5545), as far as days go.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc, offset::LocalResult};
use chrono_tz::Tz;
use rrule::{RRule, RRuleSet, Unvalidated};

/// The most characters that a rule has.
pub const LONGEST: usize = 500;

/// The longest step from one task to the next, in days, weeks, months or years.
const MOST_INTERVAL: u32 = 1_000;

/// The most tasks that a rule asks for by `COUNT`.
const MOST_COUNT: u32 = 10_000;

/// So many days of a rule are looked at for one that comes later: clocks that skip a whole day make two of them one.
const MOST_TRIES: usize = 4;

/// The parts that a rule may have beside how often and how long. They choose days; the time of day is that of the task.
const PARTS_OF_DAYS: &[&str] = &["BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "WKST"];

/// A rule by which a task comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    /// As it is written.
    text: String,
    /// How often, without an end.
    rule: RRule<Unvalidated>,
    /// How many tasks there are in all.
    count: Option<u32>,
    /// When the last may be due.
    until: Option<DateTime<Utc>>,
}

/// When a task comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// When it is due.
    pub due: DateTime<Utc>,
    /// What clocks on the wall are meant to show then. It differs from what they show where they skip that hour.
    pub wall: NaiveDateTime,
}

impl FromStr for Recurrence {
    /// What is wrong, and what to do about it.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_ascii_uppercase();
        if text.len() > LONGEST {
            return Err(format!("A rule has at most {LONGEST} characters. Write a shorter one."));
        }
        let (mut of_days, mut seen) = (Vec::new(), Vec::new());
        let (mut count, mut until) = (None, None);
        for part in text.split(';') {
            let Some((name, value)) = part.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                return Err(malformed(part));
            };
            if seen.contains(&name) {
                return Err(format!("{name} stands there twice. Leave one out."));
            }
            seen.push(name);
            match name {
                "FREQ" if ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"].contains(&value) => of_days.push(part),
                "FREQ" => return Err("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY: tasks come back on days.".to_owned()),
                "INTERVAL" => {
                    number(name, value, MOST_INTERVAL)?;
                    of_days.push(part);
                }
                "COUNT" => count = Some(number(name, value, MOST_COUNT)?),
                "UNTIL" => until = Some(end(value)?),
                "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                    return Err(format!("A task comes back at the time of day at which it is due. Leave out {name}."));
                }
                _ if PARTS_OF_DAYS.contains(&name) => of_days.push(part),
                _ => return Err(malformed(part)),
            }
        }
        if !seen.contains(&"FREQ") {
            return Err("A rule needs FREQ. Write it like FREQ=WEEKLY;BYDAY=MO.".to_owned());
        }
        if count.is_some() && until.is_some() {
            return Err("A rule ends by COUNT or by UNTIL. Leave one of them out.".to_owned());
        }
        let rule: RRule<Unvalidated> = of_days.join(";").parse().map_err(|error| unreadable(&error))?;
        let rule = Self { text, rule, count, until };
        rule.days_from(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default())?;
        Ok(rule)
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Recurrence {
    /// When the task after this one is due: the first day of the rule that makes it later, at the same time on the wall. None
    /// when the series has come to its end. `position` counts the tasks so far, with this one.
    pub fn after(&self, this: Occurrence, zone: Tz, position: i64) -> Option<Occurrence> {
        if self.count.is_some_and(|count| position >= i64::from(count)) {
            return None;
        }
        let days = self.days_from(this.wall.date()).ok()?;
        let later = days.into_iter().map(|day| day.naive_utc().date()).filter(|day| *day > this.wall.date());
        let moments = later.take(MOST_TRIES).map(|day| {
            let wall = day.and_time(this.wall.time());
            Occurrence { due: moment(wall, zone), wall }
        });
        let next = moments.into_iter().find(|next| next.due > this.due)?;
        let is_told = next.due.year() <= 9999 && self.until.is_none_or(|until| next.due <= until);
        is_told.then_some(next)
    }

    /// The rule as it goes on behind the tasks so far, for calendars that count anew from each task.
    #[must_use]
    pub fn rest(&self, position: i64) -> String {
        match self.count {
            Some(count) => {
                let left = (i64::from(count) - (position - 1)).max(1);
                let parts = self.text.split(';').map(|part| match part.starts_with("COUNT=") {
                    true => format!("COUNT={left}"),
                    false => part.to_owned(),
                });
                parts.collect::<Vec<_>>().join(";")
            }
            None => self.text.clone(),
        }
    }

    /// The days of the rule from one of them on. Days of UTC have no clocks that change: what is on the wall comes later.
    fn days_from(&self, day: NaiveDate) -> Result<RRuleSet, String> {
        let start = rrule::Tz::UTC.from_utc_datetime(&day.and_time(NaiveTime::MIN));
        Ok(self.rule.clone().build(start).map_err(|error| unreadable(&error))?.limit())
    }
}

/// The moment at which clocks show a time: the first of two, and where they skip it, as if they had not been changed yet.
fn moment(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => moment.to_utc(),
        LocalResult::None => {
            // A day earlier the clocks were not changed: what lies between is a day by the same clock.
            let before =
                wall.checked_sub_days(Days::new(1)).and_then(|wall| zone.from_local_datetime(&wall).earliest());
            before.and_then(|moment| moment.to_utc().checked_add_days(Days::new(1))).unwrap_or_else(|| wall.and_utc())
        }
    }
}

fn number(name: &str, value: &str, most: u32) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{name} is a number from 1 to {most}."))
}

fn end(value: &str) -> Result<DateTime<Utc>, String> {
    let end = NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%SZ").ok().filter(|_| value.len() == 16);
    end.map(|end| end.and_utc()).ok_or_else(|| "Write UNTIL as a time of UTC, like UNTIL=20271231T225959Z.".to_owned())
}

fn malformed(part: &str) -> String {
    let part: String = part.chars().take(40).collect();
    format!("{part} is no part of a rule. Write rules like FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=15;COUNT=6.")
}

fn unreadable(error: &rrule::RRuleError) -> String {
    format!("This rule can't be read: {error}. Write it by RFC 5545, like FREQ=WEEKLY;BYDAY=MO.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str, zone: Tz) -> Occurrence {
        let due: DateTime<Utc> = text.parse().unwrap();
        Occurrence { due, wall: due.with_timezone(&zone).naive_local() }
    }

    fn series(rule: &str, start: &str, zone: Tz) -> Vec<String> {
        let rule: Recurrence = rule.parse().unwrap();
        let (mut all, mut next, mut position) = (Vec::new(), Some(at(start, zone)), 0);
        while let Some(this) = next.filter(|_| all.len() < 5) {
            all.push(this.due.format("%Y-%m-%dT%H:%MZ").to_string());
            position += 1;
            next = rule.after(this, zone, position);
        }
        all
    }

    #[test]
    fn the_time_on_the_wall_stays_when_clocks_change() {
        let berlin = chrono_tz::Europe::Berlin;
        let expected =
            ["2026-03-16T08:00Z", "2026-03-23T08:00Z", "2026-03-30T07:00Z", "2026-04-06T07:00Z", "2026-04-13T07:00Z"];
        assert_eq!(series("FREQ=WEEKLY;BYDAY=MO", "2026-03-16T08:00:00Z", berlin), expected);
    }

    #[test]
    fn an_hour_that_clocks_skip_is_an_hour_later_once() {
        let expected =
            ["2026-03-28T01:30Z", "2026-03-29T01:30Z", "2026-03-30T00:30Z", "2026-03-31T00:30Z", "2026-04-01T00:30Z"];
        assert_eq!(series("FREQ=DAILY", "2026-03-28T01:30:00Z", chrono_tz::Europe::Berlin), expected);
    }

    #[test]
    fn a_day_that_a_country_skipped_is_not_due_twice() {
        let days = series("FREQ=DAILY", "2011-12-29T22:00:00Z", chrono_tz::Pacific::Apia);
        assert_eq!(days[..3], ["2011-12-29T22:00Z", "2011-12-30T22:00Z", "2011-12-31T22:00Z"]);
    }

    #[test]
    fn months_without_the_day_are_left_out_unless_the_last_day_is_meant() {
        let last =
            ["2026-01-31T09:00Z", "2026-02-28T09:00Z", "2026-03-31T09:00Z", "2026-04-30T09:00Z", "2026-05-31T09:00Z"];
        assert_eq!(series("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31T09:00:00Z", Tz::UTC), last);
        assert_eq!(
            series("FREQ=MONTHLY", "2026-01-31T09:00:00Z", Tz::UTC)[..2],
            ["2026-01-31T09:00Z", "2026-03-31T09:00Z"]
        );
    }

    #[test]
    fn a_series_ends_by_number_and_by_time() {
        let days = ["2026-01-01T09:00Z", "2026-01-03T09:00Z", "2026-01-05T09:00Z"];
        assert_eq!(series("FREQ=DAILY;INTERVAL=2;COUNT=3", "2026-01-01T09:00:00Z", Tz::UTC), days);
        assert_eq!(series("FREQ=DAILY;INTERVAL=2;UNTIL=20260105T090000Z", "2026-01-01T09:00:00Z", Tz::UTC), days);
        assert_eq!(series("FREQ=DAILY;INTERVAL=2;UNTIL=20260105T085959Z", "2026-01-01T09:00:00Z", Tz::UTC), days[..2]);
        assert_eq!(series("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01T09:00:00Z", Tz::UTC), days[..1]);
        assert_eq!("FREQ=DAILY;COUNT=10".parse::<Recurrence>().unwrap().rest(3), "FREQ=DAILY;COUNT=8");
    }

    #[test]
    fn what_is_no_rule_of_days_is_refused() {
        for (wrong, part) in [
            ("", "no part"),
            ("BYDAY=MO", "FREQ"),
            ("FREQ=HOURLY", "come back on days"),
            ("FREQ=SECONDLY;COUNT=2", "come back on days"),
            ("FREQ=DAILY;BYHOUR=9", "time of day"),
            ("FREQ=DAILY;FREQ=DAILY", "twice"),
            ("FREQ=DAILY;COUNT=0", "from 1 to"),
            ("FREQ=DAILY;INTERVAL=5000", "from 1 to"),
            ("FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z", "Leave one of them out"),
            ("FREQ=DAILY;UNTIL=20270101", "UNTIL=2027"),
            ("FREQ=WEEKLY;BYDAY=XX", "can't be read"),
            ("FREQ=WEEKLY;BYMONTHDAY=3", "can't be read"),
            ("RRULE:FREQ=WEEKLY", "no part"),
            ("FREQ=DAILY;DTSTART=20270101T000000Z", "no part"),
        ] {
            let refusal = wrong.parse::<Recurrence>().unwrap_err();
            assert!(refusal.contains(part), "{wrong}: {refusal}");
        }
        assert!(format!("FREQ=DAILY;BYMONTHDAY={}", "1,".repeat(300)).parse::<Recurrence>().is_err());
    }

    fn rules() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "FREQ=DAILY",
            "FREQ=WEEKLY",
            "FREQ=WEEKLY;BYDAY=MO,TH",
            "FREQ=WEEKLY;BYDAY=SU;WKST=SU",
            "FREQ=MONTHLY",
            "FREQ=MONTHLY;BYDAY=-1FR",
            "FREQ=MONTHLY;BYMONTHDAY=29,30,31;BYSETPOS=-1",
            "FREQ=YEARLY",
            "FREQ=YEARLY;BYYEARDAY=-1",
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=WE",
        ]);
        (parts, 1..5_u32).prop_map(|(parts, interval)| format!("{parts};INTERVAL={interval}"))
    }

    const ZONES: &[Tz] = &[
        Tz::UTC,
        chrono_tz::Europe::Berlin,
        chrono_tz::America::New_York,
        chrono_tz::Australia::Lord_Howe,
        chrono_tz::Pacific::Apia,
        chrono_tz::Asia::Kathmandu,
    ];

    proptest! {
        #[test]
        fn every_next_task_is_later_at_the_same_time_on_the_wall(
            rule in rules(), zone in prop::sample::select(ZONES), start in 946_684_800_i64..2_000_000_000,
        ) {
            let rule: Recurrence = rule.parse().unwrap();
            let due = DateTime::from_timestamp(start, 0).unwrap();
            let first = Occurrence { due, wall: due.with_timezone(&zone).naive_local() };
            let mut this = first;
            for position in 1..8 {
                let Some(next) = rule.after(this, zone, position) else { break };
                prop_assert!(next.due > this.due, "{} {:?} {:?}", rule, this, next);
                prop_assert_eq!(next.wall.time(), first.wall.time());
                let shown = next.due.with_timezone(&zone).naive_local();
                let is_skipped = zone.from_local_datetime(&next.wall).earliest().is_none();
                prop_assert!(is_skipped || shown == next.wall, "{} {} {}", rule, shown, next.wall);
                this = next;
            }
        }

        #[test]
        fn a_series_has_as_many_tasks_as_it_counts(rule in rules(), count in 1..12_u32, start in 946_684_800_i64..2_000_000_000) {
            let rule: Recurrence = format!("{rule};COUNT={count}").parse().unwrap();
            let due = DateTime::from_timestamp(start, 0).unwrap();
            let (mut this, mut position) = (Some(Occurrence { due, wall: due.naive_utc() }), 0);
            while let Some(task) = this {
                position += 1;
                this = rule.after(task, Tz::UTC, position);
            }
            prop_assert_eq!(position, i64::from(count));
        }

        #[test]
        fn whatever_is_written_is_judged(text in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY))?(;[A-Z]{2,10}=[-A-Z0-9,]{0,12}){0,4}") {
            let _ = text.parse::<Recurrence>();
        }
    }
}
