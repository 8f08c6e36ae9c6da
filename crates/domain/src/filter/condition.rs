//! A filter that was checked: fields are resolved, texts folded, times absolute, and what is not is said by `Not` alone.
//!
//! A leaf never holds for a missing value, and `Not` is the complement of what it contains. So `ne` is `Not` of `eq` and
//! finds records without a value.

use std::{
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{
    area::Area,
    catalogue::{Entity, Field, Relation},
    nodes::{AggregateFunction, AnniversaryDirection, CompareOperator, LeapDay},
    sample::Bucket,
    sort_keys::SortKeys,
};

/// Which records are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The field has a value of which this holds.
    Field(Arc<Field>, Predicate),
    /// The same where what it does not find is not wanted, so that records can be looked up by these keys first.
    Keyed(Arc<Field>, Predicate, SortKeys),
    /// Both fields have a value, and they stand like this to each other. Never `ne`, which is `Not` of `eq`.
    Compare(Arc<Field>, CompareOperator, Arc<Field>),
    Related(Box<Related>),
    Aggregate(Box<Aggregate>),
    Latest(Box<Latest>),
    Within(Entity, Area),
    Sample(Entity, Bucket),
    /// Each of these stands in what the record is found by.
    Match(Entity, Vec<String>),
}

/// What holds of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Nothing more than that there is one.
    Present,
    OneOfTexts(Vec<String>),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Number(Numbers),
    /// In this currency.
    Money(String, Numbers),
    Is(bool),
    OneOf(Vec<String>),
    HasAny(Vec<String>),
    HasAll(Vec<String>),
    /// As many words.
    Count(Bounds),
    Date(Span<NaiveDate>),
    Instant(Span<DateTime<Utc>>),
    Anniversary(Anniversary),
}

/// A number of things: at least so many, and at most so many if there is a most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub least: i64,
    pub most: Option<i64>,
}

impl Bounds {
    pub fn holds(self, count: i64) -> bool {
        count >= self.least && self.most.is_none_or(|most| count <= most)
    }
}

/// Which numbers are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    Span(Span<Decimal>),
    OneOf(Vec<Decimal>),
}

impl Numbers {
    pub fn holds(&self, number: Decimal) -> bool {
        match self {
            Self::Span(span) => span.holds(&number),
            Self::OneOf(numbers) => numbers.contains(&number),
        }
    }
}

/// What lies between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<T> {
    pub from: Bound<T>,
    pub until: Bound<T>,
}

impl<T: PartialOrd> Span<T> {
    pub fn holds(&self, value: &T) -> bool {
        (self.from.as_ref(), self.until.as_ref()).contains(value)
    }
}

/// The day of a date comes round within some days of today.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anniversary {
    pub today: NaiveDate,
    pub within_days: i64,
    pub direction: AnniversaryDirection,
    pub leap_day: LeapDay,
}

/// At least this many related records, and at most so many, are such that a condition holds. The least is one or more.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    pub relation: &'static Relation,
    pub count: Bounds,
    pub condition: Condition,
}

/// What is worked out over related records is such a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub relation: &'static Relation,
    pub condition: Condition,
    pub function: AggregateFunction,
    pub field: Arc<Field>,
    /// Where the field is money.
    pub currency: Option<String>,
    pub verdict: Verdict,
}

/// What a number that was worked out has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub numbers: Numbers,
    /// Whether records without any related one are meant, too, because of them the number is 0.
    pub holds_for_zero: bool,
}

/// A condition holds for the latest related record that is eligible.
#[derive(Clone, Debug, PartialEq)]
pub struct Latest {
    pub relation: &'static Relation,
    pub eligible: Condition,
    pub order_by: Arc<Field>,
    pub then: Condition,
}

impl Condition {
    /// What holds for every record.
    pub const EVERYTHING: Self = Self::All(Vec::new());

    /// The complement.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// The complement where `is` says so.
    #[must_use]
    pub(super) fn negated_if(self, is: bool) -> Self {
        if is { self.negated() } else { self }
    }
}
