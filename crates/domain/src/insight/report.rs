//! What all reports have in common: what they are about, and how they say what they mean.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    filter::time::resolved,
    money::{self, Rates},
    problem::{Fields, Invalid},
};

/// What a figure means, so that two who read it mean the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportDefinition {
    /// Name of the report.
    #[schema(example = "pipeline")]
    pub id: String,
    /// Counts the changes of its meaning.
    #[schema(example = 1)]
    pub version: i32,
    /// How its figures are made, and what they do not mean.
    #[schema(example = "Open opportunities, as they were at as_of.")]
    pub text: String,
}

impl ReportDefinition {
    pub(crate) fn new(id: &str, version: i32, text: &str) -> Self {
        Self { id: id.to_owned(), version, text: text.to_owned() }
    }
}

/// Amounts in a currency for which there is no rate.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UnconvertedAmount {
    /// ISO 4217 code of the currency.
    #[schema(example = "CHF")]
    pub currency: String,
    /// Of how many opportunities.
    #[schema(minimum = 0, example = 3)]
    pub count: i64,
    /// Their sum in that currency.
    #[schema(value_type = String, example = "9800.00")]
    pub amount: Decimal,
}

/// The instant that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    pub at: DateTime<Utc>,
    /// Whether it is the present, which needs no history.
    pub is_now: bool,
}

/// A name as the cell of a table: a program for tables takes what begins with such a sign for a formula, and calculates.
pub(crate) fn cell(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{name}") } else { name.to_owned() }
}

/// Amounts without a rate, on their way.
#[derive(Default)]
pub(crate) struct Unconverted(BTreeMap<String, UnconvertedAmount>);

impl Unconverted {
    /// Adds the sum of so many amounts in a currency. Of none nothing is told.
    pub(crate) fn add(&mut self, currency: &str, count: i64, amount: Decimal) {
        if count == 0 {
            return;
        }
        let none = || UnconvertedAmount { currency: currency.to_owned(), count: 0, amount: Decimal::ZERO };
        let sum = self.0.entry(currency.to_owned()).or_insert_with(none);
        sum.count += count;
        sum.amount = money::round(sum.amount.saturating_add(amount), currency);
    }

    pub(crate) fn told(self) -> Vec<UnconvertedAmount> {
        self.0.into_values().collect()
    }
}

/// How the keys of groups are called, and in which order they come.
pub(crate) struct Names<'n>(HashMap<&'n str, (usize, &'n str)>);

impl<'n> Names<'n> {
    pub(crate) fn of(names: &'n [(String, String)]) -> Self {
        Self(names.iter().enumerate().map(|(place, (key, name))| (key.as_str(), (place, name.as_str()))).collect())
    }

    /// What groups are sorted by, once they are by their keys: those without a name come after the others, and those
    /// without a key last.
    pub(crate) fn place(&self, key: Option<&str>) -> (usize, bool) {
        let named = key.and_then(|key| self.0.get(key));
        (named.map_or(usize::MAX, |(place, _)| *place), key.is_none())
    }

    pub(crate) fn name(&self, key: Option<&str>) -> Option<String> {
        self.0.get(key?).map(|(_, name)| (*name).to_owned())
    }
}

/// A sum in the currency of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sum(Decimal);

/// A figure as the cell of a table; nothing where it is not known.
pub(crate) fn known(figure: Option<impl ToString>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

/// The days of a report: from one on, until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// The most days of a period: ten years.
const MOST_DAYS: i64 = 3_653;

impl Period {
    /// Refuses what is no period, or too long a one.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut fields = Fields::default();
        let days = (self.to - self.from).num_days();
        if days < 1 {
            fields.refuse("/to", "before_start", "A period ends after it begins. Name a day after `from`.");
        }
        if days > MOST_DAYS {
            fields.refuse("/to", "out_of_range", "A period has at most ten years. Name an earlier day.");
        }
        fields.verdict()
    }

    /// The instants at which it begins and ends in a time zone.
    pub fn span(&self, time_zone: Option<&str>) -> (DateTime<Utc>, DateTime<Utc>) {
        (start(self.from, time_zone), start(self.to, time_zone))
    }

    /// The first days of the months that it touches.
    pub fn months(&self) -> Vec<NaiveDate> {
        (0..).map(|later| month(self.from, later)).take_while(|month| *month < self.to).collect()
    }
}

/// A time zone whose name was checked; UTC without one.
fn zone(time_zone: Option<&str>) -> Tz {
    time_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

/// The day of an instant in a time zone, whose name was checked; in UTC without one.
pub fn day(at: DateTime<Utc>, time_zone: Option<&str>) -> NaiveDate {
    at.with_timezone(&zone(time_zone)).date_naive()
}

/// The instant at which a day begins in a time zone, whose name was checked; in UTC without one.
pub fn start(day: NaiveDate, time_zone: Option<&str>) -> DateTime<Utc> {
    resolved(day.and_time(NaiveTime::MIN), zone(time_zone))
}

/// The first day of the month so many months after that of a day, or before it.
pub(crate) fn month(day: NaiveDate, later: i32) -> NaiveDate {
    let first = day.with_day(1).unwrap_or(day);
    let by = Months::new(later.unsigned_abs());
    let moved = if later < 0 { first.checked_sub_months(by) } else { first.checked_add_months(by) };
    moved.unwrap_or(first)
}

/// A month as it is told: `2026-12`.
pub fn month_key(month: NaiveDate) -> String {
    month.format("%Y-%m").to_string()
}

/// What amounts are brought to one currency with.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub rates: Rates,
    /// The currency of the report.
    pub currency: String,
    /// The day whose rates count.
    pub on: NaiveDate,
    /// IANA time zone in which days begin; UTC without one.
    pub time_zone: Option<String>,
}

impl Exchange {
    /// An amount in the currency of the report, not rounded. None without a rate.
    pub(crate) fn convert(&self, amount: Decimal, from: &str) -> Option<Decimal> {
        self.rates.convert(amount, from, &self.currency, self.on)
    }
}

impl Sum {
    pub(crate) fn add(&mut self, amount: Decimal) {
        self.0 = self.0.saturating_add(amount);
    }

    pub(crate) fn exact(&self) -> Decimal {
        self.0
    }

    pub(crate) fn rounded(&self, currency: &str) -> Decimal {
        money::round(self.0, currency)
    }
}
