//! Decides in memory whether a condition holds for a record. Written without a look at the SQL that says the same.

use std::{cmp::Ordering, collections::BTreeSet};

use chrono::{Datelike, Days, NaiveDate};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    area::Area,
    catalogue::{Field, Folding, Relation},
    condition::{Aggregate, Anniversary, Bounds, Condition, Latest, Numbers, Predicate},
    nodes::{AggregateFunction, AnniversaryDirection, CompareOperator, LeapDay},
    record::{Record, Value},
};
use crate::text;

/// Knows the records that are related to others: those that are not deleted and that the caller may see.
pub trait Surrounds<'r> {
    fn related(&self, record: Record<'r>, relation: &Relation) -> Vec<Record<'r>>;
}

/// Whether a condition holds for a record.
pub fn holds<'r>(condition: &Condition, record: Record<'r>, others: &dyn Surrounds<'r>) -> bool {
    match condition {
        Condition::All(conditions) => conditions.iter().all(|condition| holds(condition, record, others)),
        Condition::Any(conditions) => conditions.iter().any(|condition| holds(condition, record, others)),
        Condition::Not(condition) => !holds(condition, record, others),
        Condition::Field(field, predicate) | Condition::Keyed(field, predicate, _) => {
            is(predicate, &record.value(field), field.folding)
        }
        Condition::Compare(left, operator, right) => compares(record, left, *operator, right),
        Condition::Related(related) => {
            related.count.holds(eligible(record, related.relation, &related.condition, others).len() as i64)
        }
        Condition::Aggregate(aggregate) => aggregates(aggregate, record, others),
        Condition::Latest(latest) => {
            latest_of(latest, record, others).is_some_and(|record| holds(&latest.then, record, others))
        }
        Condition::Within(_, area) => is_within(area, record),
        Condition::Sample(_, bucket) => bucket.holds(record.id()),
        Condition::Match(_, parts) => {
            let text = record.search_text();
            parts.iter().all(|part| text.contains(part.as_str()))
        }
    }
}

/// Whether a value is as it shall be. Nothing holds of a missing one.
fn is(predicate: &Predicate, value: &Value, folding: Folding) -> bool {
    match (predicate, value) {
        // Of words that are missing there are none.
        (Predicate::Count(bounds), value) => counts(*bounds, value),
        (_, Value::Missing) => false,
        (Predicate::Present, _) => true,
        (predicate, Value::Texts(texts)) => texts.iter().any(|text| reads(predicate, &folded(text, folding))),
        (Predicate::Number(numbers), Value::Number(number)) => numbers.holds(*number),
        (Predicate::Number(numbers), Value::Float(number)) => floats(numbers, *number),
        (Predicate::Money(currency, numbers), Value::Money(amount, of)) => currency == of && numbers.holds(*amount),
        (Predicate::Is(expected), Value::Bool(is)) => expected == is,
        (Predicate::OneOf(words), Value::Word(word)) => words.contains(word),
        (Predicate::HasAny(wanted), Value::Words(words)) => wanted.iter().any(|word| words.contains(word)),
        (Predicate::HasAll(wanted), Value::Words(words)) => wanted.iter().all(|word| words.contains(word)),
        (Predicate::Date(span), Value::Date(date)) => span.holds(date),
        (Predicate::Instant(span), Value::Instant(moment)) => span.holds(moment),
        (Predicate::Anniversary(anniversary), Value::Date(date)) => comes_round(anniversary, *date),
        _ => false,
    }
}

fn counts(bounds: Bounds, value: &Value) -> bool {
    match value {
        Value::Words(words) => bounds.holds(words.len() as i64),
        Value::Missing => bounds.holds(0),
        _ => false,
    }
}

fn reads(predicate: &Predicate, text: &str) -> bool {
    match predicate {
        Predicate::OneOfTexts(texts) => texts.iter().any(|other| other == text),
        Predicate::Contains(part) => text.contains(part.as_str()),
        Predicate::StartsWith(start) => text.starts_with(start.as_str()),
        Predicate::EndsWith(end) => text.ends_with(end.as_str()),
        _ => false,
    }
}

fn folded(text: &str, folding: Folding) -> String {
    match folding {
        Folding::Folded => text::fold(text),
        Folding::Email => text.trim().to_lowercase(),
        // Numbers and host names are kept as they are compared.
        Folding::Exact | Folding::Phone | Folding::Domain => text.to_owned(),
    }
}

fn floats(numbers: &Numbers, number: f64) -> bool {
    let float = |decimal: &Decimal| decimal.to_string().parse::<f64>().unwrap_or(f64::NAN);
    match numbers {
        Numbers::OneOf(numbers) => numbers.iter().any(|other| float(other) == number),
        Numbers::Span(span) => {
            let span = super::Span { from: span.from.as_ref().map(float), until: span.until.as_ref().map(float) };
            span.holds(&number)
        }
    }
}

/// Whether the day of a date is kept within the days around today.
fn comes_round(anniversary: &Anniversary, date: NaiveDate) -> bool {
    let today = anniversary.today;
    let days = Days::new(anniversary.within_days.unsigned_abs());
    let (from, until) = match anniversary.direction {
        AnniversaryDirection::Next => (Some(today), today.checked_add_days(days)),
        AnniversaryDirection::Last => (today.checked_sub_days(days), Some(today)),
    };
    let (Some(from), Some(until)) = (from, until) else { return false };
    (from.year()..=until.year()).any(|year| {
        let in_short_year = || match anniversary.leap_day {
            LeapDay::Feb28 => NaiveDate::from_ymd_opt(year, 2, 28),
            LeapDay::Mar1 => NaiveDate::from_ymd_opt(year, 3, 1),
        };
        let kept = NaiveDate::from_ymd_opt(year, date.month(), date.day()).or_else(in_short_year);
        kept.is_some_and(|kept| from <= kept && kept <= until)
    })
}

fn compares(record: Record<'_>, left: &Field, operator: CompareOperator, right: &Field) -> bool {
    let texts = |texts: &[String], folding| texts.first().map(|text| folded(text, folding));
    let ordering = match (record.value(left), record.value(right)) {
        (Value::Number(one), Value::Number(other)) => Some(one.cmp(&other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(&other),
        (Value::Money(one, of), Value::Money(other, of_other)) => (of == of_other).then(|| one.cmp(&other)),
        (Value::Date(one), Value::Date(other)) => Some(one.cmp(&other)),
        (Value::Instant(one), Value::Instant(other)) => Some(one.cmp(&other)),
        (Value::Word(one), Value::Word(other)) => Some(one.cmp(&other)),
        (Value::Texts(one), Value::Texts(other)) => Some(texts(&one, left.folding).cmp(&texts(&other, right.folding))),
        _ => None,
    };
    ordering.is_some_and(|ordering| match operator {
        CompareOperator::Eq => ordering == Ordering::Equal,
        CompareOperator::Ne => ordering != Ordering::Equal,
        CompareOperator::Lt => ordering == Ordering::Less,
        CompareOperator::Lte => ordering != Ordering::Greater,
        CompareOperator::Gt => ordering == Ordering::Greater,
        CompareOperator::Gte => ordering != Ordering::Less,
    })
}

fn eligible<'r>(
    record: Record<'r>,
    relation: &Relation,
    condition: &Condition,
    others: &dyn Surrounds<'r>,
) -> Vec<Record<'r>> {
    let mut related = others.related(record, relation);
    related.retain(|record| holds(condition, *record, others));
    related
}

fn aggregates<'r>(aggregate: &Aggregate, record: Record<'r>, others: &dyn Surrounds<'r>) -> bool {
    let values: Vec<Value> = eligible(record, aggregate.relation, &aggregate.condition, others)
        .into_iter()
        .map(|record| record.value(&aggregate.field))
        .filter(|value| *value != Value::Missing)
        .filter(|value| match (value, &aggregate.currency) {
            (Value::Money(_, of), Some(currency)) => of == currency,
            _ => true,
        })
        .collect();
    let numbers = &aggregate.verdict.numbers;
    if aggregate.function == AggregateFunction::CountDistinct {
        let folding = aggregate.field.folding;
        let distinct: BTreeSet<String> = values.iter().map(|value| distinguished(value, folding)).collect();
        return numbers.holds(distinct.len().into());
    }
    let amounts: Vec<Decimal> = values
        .iter()
        .filter_map(|value| match value {
            Value::Number(amount) | Value::Money(amount, _) => Some(*amount),
            _ => None,
        })
        .collect();
    let sum: Decimal = amounts.iter().sum();
    match aggregate.function {
        AggregateFunction::Sum | AggregateFunction::CountDistinct => numbers.holds(sum),
        AggregateFunction::Min => amounts.iter().min().is_some_and(|least| numbers.holds(*least)),
        AggregateFunction::Max => amounts.iter().max().is_some_and(|most| numbers.holds(*most)),
        // An average may have no end of digits: what it is compared with is multiplied instead.
        AggregateFunction::Avg => {
            let count = Decimal::from(amounts.len());
            let times = |number: &Decimal| *number * count;
            let multiplied = match numbers {
                Numbers::OneOf(numbers) => Numbers::OneOf(numbers.iter().map(times).collect()),
                Numbers::Span(span) => Numbers::Span(super::Span {
                    from: span.from.as_ref().map(times),
                    until: span.until.as_ref().map(times),
                }),
            };
            !amounts.is_empty() && multiplied.holds(sum)
        }
    }
}

/// A value as a text that differs where values differ.
fn distinguished(value: &Value, folding: Folding) -> String {
    match value {
        Value::Texts(texts) => texts.first().map(|text| folded(text, folding)).unwrap_or_default(),
        Value::Number(number) | Value::Money(number, _) => number.normalize().to_string(),
        Value::Word(word) => word.clone(),
        other => format!("{other:?}"),
    }
}

/// The related record that is eligible and comes last; one without a value comes first, and of equals the one with the
/// lower id.
fn latest_of<'r>(latest: &Latest, record: Record<'r>, others: &dyn Surrounds<'r>) -> Option<Record<'r>> {
    let rank = |record: &Record<'r>| match record.value(&latest.order_by) {
        Value::Number(number) => number.to_f64().map(|number| (number, 0)),
        Value::Float(number) => Some((number, 0)),
        Value::Date(date) => Some((f64::from(date.num_days_from_ce()), 0)),
        Value::Instant(moment) => Some((moment.timestamp() as f64, moment.timestamp_subsec_micros())),
        _ => None,
    };
    let order = |one: &Record<'r>, other: &Record<'r>| {
        let by_value = rank(one).partial_cmp(&rank(other)).unwrap_or(Ordering::Equal);
        by_value.then_with(|| one.id().cmp(&other.id()))
    };
    eligible(record, latest.relation, &latest.eligible, others).into_iter().max_by(order)
}

fn is_within(area: &Area, record: Record<'_>) -> bool {
    if let Area::Countries(countries) = area {
        let country = record.address().and_then(|address| address.country.as_ref());
        return country.is_some_and(|country| countries.contains(country));
    }
    record.place().is_some_and(|(lat, lon)| match area {
        Area::Circle(circle) => circle.holds(lat, lon),
        Area::Box(area) => area.holds(lat, lon),
        Area::Countries(_) => false,
    })
}
