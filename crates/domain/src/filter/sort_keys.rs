//! By which sort keys of a custom field an index finds the records of a condition.
//!
//! They narrow the search down and never leave out what the condition holds for; the condition itself is asked as well.

use std::ops::Bound;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{
    catalogue::{Field, Kind},
    condition::{Numbers, Predicate, Span},
};
use crate::{text, workspace::custom_field::sort_key_of_number};

/// The sort keys that records can have for whom a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortKeys {
    OneOf(Vec<String>),
    /// From one key to another, both included; an end that is missing is open.
    Between(Option<String>, Option<String>),
    StartsWith(String),
}

impl SortKeys {
    /// Those of a predicate; none where the keys of the field tell nothing of it.
    pub fn of(field: &Field, predicate: &Predicate) -> Option<Self> {
        field.sorted?;
        match (&field.kind, predicate) {
            (Kind::Text, Predicate::OneOfTexts(texts)) => {
                Some(Self::OneOf(texts.iter().map(|text| text::shortened(text)).collect()))
            }
            (Kind::Text, Predicate::StartsWith(start)) => Some(Self::StartsWith(text::shortened(start))),
            (Kind::Number, Predicate::Number(Numbers::Span(span))) => {
                span_of(span, |number| sort_key_of_number(*number))
            }
            (Kind::Number, Predicate::Number(Numbers::OneOf(numbers))) => {
                // What is too large for a key is no value of the field either.
                Some(Self::OneOf(numbers.iter().filter_map(|number| sort_key_of_number(*number)).collect()))
            }
            (Kind::Money, Predicate::Money(currency, Numbers::OneOf(numbers))) => {
                let key = |number: &Decimal| sort_key_of_number(*number).map(|key| format!("{key} {currency}"));
                Some(Self::OneOf(numbers.iter().filter_map(key).collect()))
            }
            (Kind::Money, Predicate::Money(_, Numbers::Span(span))) => {
                // The currency stands behind the amount, and letters before a tilde.
                let Self::Between(from, until) = span_of(span, |number| sort_key_of_number(*number))? else {
                    return None;
                };
                Some(Self::Between(from, until.map(|key| key + " ~")))
            }
            (Kind::Bool, Predicate::Is(is)) => Some(Self::OneOf(vec![u8::from(*is).to_string()])),
            (Kind::Choice(_), Predicate::OneOf(words)) => Some(Self::OneOf(words.clone())),
            (Kind::Date, Predicate::Date(span)) => span_of(span, key_of_date),
            (Kind::Instant, Predicate::Instant(span)) => span_of(span, key_of_instant),
            _ => None,
        }
    }
}

/// The keys of a span; an end without a key stays open.
fn span_of<T>(span: &Span<T>, key: impl Fn(&T) -> Option<String>) -> Option<SortKeys> {
    let end = |bound: &Bound<T>| match bound {
        Bound::Included(end) | Bound::Excluded(end) => key(end),
        Bound::Unbounded => None,
    };
    let (from, until) = (end(&span.from), end(&span.until));
    (from.is_some() || until.is_some()).then_some(SortKeys::Between(from, until))
}

fn key_of_date(day: &NaiveDate) -> Option<String> {
    (1..=9999).contains(&day.year()).then(|| day.to_string())
}

fn key_of_instant(at: &DateTime<Utc>) -> Option<String> {
    (1..=9999).contains(&at.year()).then(|| at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        filter::{Catalogue, Definition, Entity},
        id::CustomFieldId,
    };

    fn field(kind: Kind) -> Field {
        let definition =
            |sorted| Definition { entity: Entity::Contact, key: "x".to_owned(), kind: kind.clone(), sorted };
        let catalogue = Catalogue::standard().with(&[definition(Some(CustomFieldId::mint()))]);
        catalogue.field(Entity::Contact, "custom.x").unwrap().as_ref().clone()
    }

    fn holds(keys: &SortKeys, key: &String) -> bool {
        match keys {
            SortKeys::OneOf(keys) => keys.contains(key),
            SortKeys::Between(from, until) => {
                from.as_ref().is_none_or(|from| key >= from) && until.as_ref().is_none_or(|until| key <= until)
            }
            SortKeys::StartsWith(start) => key.starts_with(start),
        }
    }

    fn bound<T>(kind: u8, end: T) -> Bound<T> {
        match kind {
            0 => Bound::Included(end),
            1 => Bound::Excluded(end),
            _ => Bound::Unbounded,
        }
    }

    /// A number as a value has it: 10 digits after the point at most.
    fn number() -> impl Strategy<Value = Decimal> {
        (-5_000_i64..5_000, 0..11_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale))
    }

    /// A number as a filter may have it.
    fn wanted() -> impl Strategy<Value = Decimal> {
        let anything = (any::<i64>(), 0..28_u32, prop::bool::ANY).prop_map(|(digits, scale, is_large)| {
            let number = Decimal::new(digits, scale);
            if is_large && scale == 0 { number * Decimal::new(1_000_000, 0) } else { number }
        });
        prop_oneof![number(), anything]
    }

    proptest! {
        #[test]
        fn no_number_is_left_out(value in number(), from in wanted(), until in wanted(), kinds in (0..3_u8, 0..3_u8)) {
            let span = Span { from: bound(kinds.0, from), until: bound(kinds.1, until) };
            let key = sort_key_of_number(value).unwrap();
            for numbers in [Numbers::Span(span), Numbers::OneOf(vec![from, value, until])] {
                let holds_for_value = numbers.holds(value);
                let keys = SortKeys::of(&field(Kind::Number), &Predicate::Number(numbers.clone()));
                prop_assert!(!holds_for_value || keys.is_none_or(|keys| holds(&keys, &key)), "{:?}", numbers);
                let keys = SortKeys::of(&field(Kind::Money), &Predicate::Money("EUR".to_owned(), numbers.clone()));
                let key = format!("{key} EUR");
                prop_assert!(!holds_for_value || keys.is_none_or(|keys| holds(&keys, &key)), "{:?}", numbers);
            }
        }

        #[test]
        fn no_instant_is_left_out(value in any::<i32>(), from in any::<i64>(), until in any::<i32>(), kinds in (0..3_u8, 0..3_u8)) {
            let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MIN_UTC);
            let (value, from, until) = (at(i64::from(value)), at(from % 900_000_000_000), at(i64::from(until)));
            let span = Span { from: bound(kinds.0, from), until: bound(kinds.1, until) };
            let keys = SortKeys::of(&field(Kind::Instant), &Predicate::Instant(span));
            let key = key_of_instant(&value).unwrap();
            prop_assert!(!span.holds(&value) || keys.is_none_or(|keys| holds(&keys, &key)));
        }
    }

    #[test]
    fn a_field_that_is_not_sorted_and_a_part_of_a_text_have_none() {
        let plain = Field { sorted: None, ..field(Kind::Bool) };
        assert_eq!(SortKeys::of(&plain, &Predicate::Is(true)), None);
        assert_eq!(SortKeys::of(&field(Kind::Text), &Predicate::Contains("an".to_owned())), None);
        let long = SortKeys::of(&field(Kind::Text), &Predicate::OneOfTexts(vec!["x".repeat(200)]));
        assert_eq!(long, Some(SortKeys::OneOf(vec!["x".repeat(120)])));
    }
}
