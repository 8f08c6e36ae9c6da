//! What all reports have in common: what they are about, and how they say what they mean.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::money::{self, Rates};

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

/// A sum in the currency of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sum(Decimal);

/// The day of an instant in a time zone, whose name was checked; in UTC without one.
pub fn day(at: DateTime<Utc>, time_zone: Option<&str>) -> NaiveDate {
    let zone = time_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    at.with_timezone(&zone).date_naive()
}

/// What amounts are brought to one currency with.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub rates: Rates,
    /// The currency of the report.
    pub currency: String,
    /// The day whose rates count.
    pub on: NaiveDate,
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

    pub(crate) fn rounded(&self, currency: &str) -> Decimal {
        money::round(self.0, currency)
    }
}
