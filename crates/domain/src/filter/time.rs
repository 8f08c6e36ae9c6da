//! Spans of time that a filter names: from now, and by the calendar of a time zone.

use std::ops::Bound;

use chrono::{
    DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, TimeZone, Utc, offset::LocalResult,
};
use chrono_tz::Tz;

use super::{
    condition::Span,
    nodes::{CalendarPeriod, RollingOperator, RollingUnit},
};

/// When a filter is asked, and where days begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at: DateTime<Utc>,
    pub(super) zone: Tz,
}

/// What can be ranges of time: moments and dates.
pub(super) trait Moment: Sized {
    /// Now, moved by this many units; none beyond what can be told.
    fn moved(now: Now, amount: i64, unit: RollingUnit) -> Option<Self>;
    /// The first of a day.
    fn first_of(day: NaiveDate, now: Now) -> Self;
}

impl Moment for DateTime<Utc> {
    fn moved(now: Now, amount: i64, unit: RollingUnit) -> Option<Self> {
        let exact = match unit {
            RollingUnit::Minute => Duration::try_minutes(amount)?,
            RollingUnit::Hour => Duration::try_hours(amount)?,
            RollingUnit::Day => Duration::try_days(amount)?,
            RollingUnit::Week => Duration::try_weeks(amount)?,
            RollingUnit::Month | RollingUnit::Year => {
                let local = now.at.with_timezone(&now.zone).naive_local();
                let date = months_from(local.date(), amount, unit)?;
                return Some(resolved(date.and_time(local.time()), now.zone));
            }
        };
        now.at.checked_add_signed(exact).filter(|moment| (1..=9999).contains(&moment.year()))
    }

    fn first_of(day: NaiveDate, now: Now) -> Self {
        resolved(NaiveDateTime::from(day), now.zone)
    }
}

impl Moment for NaiveDate {
    fn moved(now: Now, amount: i64, unit: RollingUnit) -> Option<Self> {
        let today = now.today();
        match unit {
            RollingUnit::Day => moved_days(today, amount),
            RollingUnit::Week => moved_days(today, amount.checked_mul(7)?),
            RollingUnit::Month | RollingUnit::Year => months_from(today, amount, unit),
            RollingUnit::Minute | RollingUnit::Hour => None,
        }
    }

    fn first_of(day: NaiveDate, _: Now) -> Self {
        day
    }
}

impl Now {
    /// The date of the time zone.
    pub(super) fn today(self) -> NaiveDate {
        self.at.with_timezone(&self.zone).date_naive()
    }
}

/// The span of a condition that is about now. None when it reaches beyond what can be told. `not_in_last` is that of
/// `in_last`.
pub(super) fn rolling<T: Moment>(
    now: Now,
    operator: RollingOperator,
    amount: i64,
    unit: RollingUnit,
) -> Option<Span<T>> {
    let here = || T::moved(now, 0, RollingUnit::Day);
    let at = |amount: i64| T::moved(now, amount, unit);
    Some(match operator {
        RollingOperator::InLast | RollingOperator::NotInLast => {
            Span { from: Bound::Included(at(-amount)?), until: Bound::Included(here()?) }
        }
        RollingOperator::InNext => Span { from: Bound::Included(here()?), until: Bound::Included(at(amount)?) },
        RollingOperator::MoreThanAgo => Span { from: Bound::Unbounded, until: Bound::Excluded(at(-amount)?) },
    })
}

/// The span of periods of the calendar: `count` of them from `offset` on, of which 0 is the current one.
///
/// A fiscal year begins in the month `fiscal_start`.
pub(super) fn calendar<T: Moment>(
    now: Now,
    period: CalendarPeriod,
    fiscal_start: u32,
    offset: i64,
    count: i64,
) -> Option<Span<T>> {
    let start = |offset: i64| first_day(now.today(), period, fiscal_start, offset).map(|day| T::first_of(day, now));
    Some(Span { from: Bound::Included(start(offset)?), until: Bound::Excluded(start(offset.checked_add(count)?)?) })
}

fn first_day(today: NaiveDate, period: CalendarPeriod, fiscal_start: u32, offset: i64) -> Option<NaiveDate> {
    let month = |month: u32| NaiveDate::from_ymd_opt(today.year(), month, 1);
    // Months of the fiscal year that are over.
    let over = i64::from((today.month() + 12 - fiscal_start) % 12);
    match period {
        CalendarPeriod::Day => moved_days(today, offset),
        CalendarPeriod::Week => {
            let monday = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?;
            moved_days(monday, offset.checked_mul(7)?)
        }
        CalendarPeriod::Month => months_from(month(today.month())?, offset, RollingUnit::Month),
        CalendarPeriod::Quarter => {
            months_from(month((today.month() - 1) / 3 * 3 + 1)?, offset.checked_mul(3)?, RollingUnit::Month)
        }
        CalendarPeriod::Year => months_from(month(1)?, offset, RollingUnit::Year),
        CalendarPeriod::FiscalQuarter => {
            months_from(month(today.month())?, offset.checked_mul(3)?.checked_sub(over % 3)?, RollingUnit::Month)
        }
        CalendarPeriod::FiscalYear => {
            months_from(month(today.month())?, offset.checked_mul(12)?.checked_sub(over)?, RollingUnit::Month)
        }
    }
}

fn moved_days(day: NaiveDate, days: i64) -> Option<NaiveDate> {
    told(day.checked_add_signed(Duration::try_days(days)?)?)
}

/// A date some months or years on; of a month that is too short, its last day.
fn months_from(day: NaiveDate, amount: i64, unit: RollingUnit) -> Option<NaiveDate> {
    let months = if unit == RollingUnit::Year { amount.checked_mul(12)? } else { amount };
    let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    told(if months < 0 { day.checked_sub_months(by)? } else { day.checked_add_months(by)? })
}

/// Only dates that can be written with four digits.
fn told(day: NaiveDate) -> Option<NaiveDate> {
    (1..=9999).contains(&day.year()).then_some(day)
}

/// The moment of a local time: the first of two, and where clocks skip it, the first one after.
pub(crate) fn resolved(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    for quarter in 0..200 {
        match zone.from_local_datetime(&(local + Duration::minutes(15 * quarter))) {
            LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => return moment.with_timezone(&Utc),
            LocalResult::None => {}
        }
    }
    local.and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(at: &str, zone: Tz) -> Now {
        Now { at: at.parse().unwrap(), zone }
    }

    fn moment(text: &str) -> Bound<DateTime<Utc>> {
        Bound::Included(text.parse().unwrap())
    }

    #[test]
    fn a_day_begins_where_people_are() {
        let span: Span<DateTime<Utc>> =
            calendar(now("2026-03-29T22:30:00Z", chrono_tz::Europe::Berlin), CalendarPeriod::Day, 1, -1, 1).unwrap();
        // The day on which clocks go forward has 23 hours.
        assert_eq!(span.from, moment("2026-03-28T23:00:00Z"));
        assert_eq!(span.until, Bound::Excluded("2026-03-29T22:00:00Z".parse().unwrap()));
    }

    #[test]
    fn weeks_begin_on_monday_and_quarters_in_their_month() {
        let now = now("2026-08-16T12:00:00Z", chrono_tz::UTC);
        let from = |period, offset| calendar::<NaiveDate>(now, period, 1, offset, 1).unwrap().from;
        let day = |text: &str| Bound::Included(text.parse::<NaiveDate>().unwrap());
        assert_eq!(from(CalendarPeriod::Week, 0), day("2026-08-10"));
        assert_eq!(from(CalendarPeriod::Quarter, 0), day("2026-07-01"));
        assert_eq!(from(CalendarPeriod::Quarter, -3), day("2025-10-01"));
        assert_eq!(from(CalendarPeriod::Month, 5), day("2027-01-01"));
        assert_eq!(from(CalendarPeriod::Year, -2), day("2024-01-01"));
    }

    #[test]
    fn fiscal_years_begin_in_their_month() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (today, start, year, quarter) in [
            ("2026-03-31", 4, "2025-04-01", "2026-01-01"),
            ("2026-04-01", 4, "2026-04-01", "2026-04-01"),
            ("2026-01-15", 1, "2026-01-01", "2026-01-01"),
            ("2026-01-15", 12, "2025-12-01", "2025-12-01"),
            ("2024-02-29", 3, "2023-03-01", "2023-12-01"),
            ("2026-11-22", 2, "2026-02-01", "2026-11-01"),
        ] {
            let now = now(&format!("{today}T12:00:00Z"), Tz::UTC);
            let from = |period, offset| calendar::<NaiveDate>(now, period, start, offset, 1).unwrap().from;
            assert_eq!(from(CalendarPeriod::FiscalYear, 0), Bound::Included(day(year)), "{today} {start}");
            assert_eq!(from(CalendarPeriod::FiscalQuarter, 0), Bound::Included(day(quarter)), "{today} {start}");
            let before = months_from(day(year), -1, RollingUnit::Year).unwrap();
            assert_eq!(from(CalendarPeriod::FiscalYear, -1), Bound::Included(before));
        }
    }

    #[test]
    fn a_month_ago_is_the_same_day_or_the_last_of_a_shorter_month() {
        let now = now("2024-03-31T10:00:00Z", chrono_tz::UTC);
        let span: Span<DateTime<Utc>> = rolling(now, RollingOperator::InLast, 1, RollingUnit::Month).unwrap();
        assert_eq!(span.from, moment("2024-02-29T10:00:00Z"));
        assert!(rolling::<NaiveDate>(now, RollingOperator::InLast, 1, RollingUnit::Hour).is_none());
        assert!(rolling::<NaiveDate>(now, RollingOperator::InNext, 1_000_000, RollingUnit::Year).is_none());
    }

    #[test]
    fn a_time_that_clocks_skip_is_the_first_after() {
        let now = now("2026-04-29T00:30:00Z", chrono_tz::Europe::Berlin);
        let span: Span<DateTime<Utc>> = rolling(now, RollingOperator::InLast, 1, RollingUnit::Month).unwrap();
        assert_eq!(span.from, moment("2026-03-29T01:00:00Z"));
    }
}
