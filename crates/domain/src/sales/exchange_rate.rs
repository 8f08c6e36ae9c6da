//! Exchange rates: what a currency is worth in another, from a day on.

use std::collections::HashSet;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    id::ExchangeRateId,
    problem::{FieldProblem, Fields, Invalid},
    record::{CurrencyCode, Stamp},
    standards,
};

/// What a currency is worth in another, from a day on until a later rate. It is never changed: a later one for the same
/// pair and day replaces it from the moment at which that was created.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
pub struct ExchangeRate {
    /// Identifies the rate for ever.
    #[schema(value_type = Uuid)]
    pub id: ExchangeRateId,
    /// Always 1; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// ISO 4217 code of the currency that is converted.
    #[validate(custom(function = "standards::currency"))]
    #[schema(example = "EUR")]
    pub from_currency: String,
    /// ISO 4217 code of the currency that it becomes.
    #[validate(custom(function = "standards::currency"))]
    #[schema(example = "USD")]
    pub to_currency: String,
    /// How many units of `to_currency` one unit of `from_currency` is worth.
    #[schema(value_type = String, example = "1.0842")]
    pub rate: Decimal,
    /// The day from which it holds.
    #[schema(example = "2026-11-20")]
    pub valid_from: NaiveDate,
}

/// An exchange rate to be created.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"from_currency": "EUR", "to_currency": "USD", "rate": "1.0842", "valid_from": "2026-11-20"}))]
pub struct NewExchangeRate {
    /// ISO 4217 code of the currency that is converted.
    #[schema(required, format = "currency-code", pattern = "^[A-Z]{3}$", example = "EUR")]
    pub from_currency: String,
    /// ISO 4217 code of the currency that it becomes: another one.
    #[schema(required, format = "currency-code", pattern = "^[A-Z]{3}$", example = "USD")]
    pub to_currency: String,
    /// How many units of `to_currency` one unit of `from_currency` is worth: above zero, with up to ten decimals.
    #[schema(required, value_type = String, pattern = r"^[0-9]{1,10}(\.[0-9]{1,10})?$", example = "1.0842")]
    pub rate: Option<Decimal>,
    /// The day from which it holds.
    #[schema(required, value_type = NaiveDate, nullable = false, example = "2026-11-20")]
    pub valid_from: Option<NaiveDate>,
}

/// Several exchange rates to be created: all of them or none.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"rates": [
    {"from_currency": "EUR", "to_currency": "USD", "rate": "1.0842", "valid_from": "2026-11-20"},
    {"from_currency": "EUR", "to_currency": "CHF", "rate": "0.9315", "valid_from": "2026-11-20"}
]}))]
pub struct ExchangeRateList {
    /// The rates: one for each pair and day.
    #[schema(required, min_items = 1, max_items = 1000)]
    pub rates: Vec<NewExchangeRate>,
}

/// The exchange rates that were created.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExchangeRatesLoaded {
    /// The rates, in the order in which they were sent.
    pub rates: Vec<ExchangeRate>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExchangeRateQuery {
    /// Only rates that convert from this currency.
    #[param(value_type = Option<CurrencyCode>)]
    pub from_currency: Option<String>,
    /// Only rates that convert to this currency.
    #[param(value_type = Option<CurrencyCode>)]
    pub to_currency: Option<String>,
    /// Only the rates that are valid on this day: of each pair the newest from this day or earlier, as it is known now.
    pub on: Option<NaiveDate>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl ExchangeRate {
    /// A new rate.
    pub fn create(new: NewExchangeRate, id: ExchangeRateId, stamp: Stamp) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        // Beyond four digits a year is written otherwise, and nobody could read it back.
        let valid_from = new.valid_from.filter(|day| (1..=9999).contains(&day.year()));
        if valid_from.is_none() {
            fields.refuse("/valid_from", "required", "A rate needs the day from which it holds, like 2026-11-20.");
        }
        let rate = Self {
            id,
            version: 1,
            created_at: stamp.at,
            created_by: stamp.by,
            from_currency: new.from_currency,
            to_currency: new.to_currency,
            rate: new.rate.unwrap_or_default().normalize(),
            valid_from: valid_from.unwrap_or_default(),
        };
        if rate.from_currency == rate.to_currency {
            fields.refuse("/to_currency", "same_currency", "A currency is worth itself. Name another one.");
        }
        if rate.rate <= Decimal::ZERO {
            let detail = "A rate is above zero: how many units of to_currency one of from_currency is worth.";
            fields.refuse("/rate", "not_positive", detail);
        }
        fields.absorb(&rate);
        fields.verdict().map(|()| rate)
    }

    /// New rates, or everything that is wrong with any of them. They are created at the same moment, so that neither of two
    /// for the same pair and day would replace the other.
    pub fn create_all(list: ExchangeRateList, stamp: Stamp) -> Result<Vec<Self>, Invalid> {
        let mut rates: Vec<Self> = Vec::with_capacity(list.rates.len());
        let mut seen = HashSet::new();
        let mut problems = Vec::new();
        for (index, new) in list.rates.into_iter().enumerate() {
            match Self::create(new, ExchangeRateId::mint(), stamp) {
                Ok(rate) if seen.insert((rate.from_currency.clone(), rate.to_currency.clone(), rate.valid_from)) => {
                    rates.push(rate);
                }
                Ok(rate) => {
                    let detail = format!(
                        "There is a rate from {} to {} for {} further up. Give one for each pair and day.",
                        rate.from_currency, rate.to_currency, rate.valid_from
                    );
                    problems.push(FieldProblem::at(format!("/rates/{index}"), "repeated", detail));
                }
                Err(invalid) => problems.extend(invalid.into_problems().into_iter().map(|problem| FieldProblem {
                    pointer: problem.pointer.map(|pointer| format!("/rates/{index}{pointer}")),
                    ..problem
                })),
            }
        }
        if problems.is_empty() { Ok(rates) } else { Err(Invalid::of(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Source;

    fn stamp() -> Stamp {
        Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api)
    }

    fn rate(from: &str, to: &str, rate: &str) -> NewExchangeRate {
        NewExchangeRate {
            from_currency: from.to_owned(),
            to_currency: to.to_owned(),
            rate: rate.parse().ok(),
            valid_from: NaiveDate::from_ymd_opt(2026, 11, 20),
        }
    }

    fn problems(rates: Vec<NewExchangeRate>) -> Vec<(String, String)> {
        let invalid = ExchangeRate::create_all(ExchangeRateList { rates }, stamp()).unwrap_err();
        let problems = invalid.into_problems().into_iter();
        problems.map(|problem| (problem.pointer.unwrap(), problem.code)).collect()
    }

    #[test]
    fn a_rate_is_between_two_currencies_and_above_zero() {
        let wrong = vec![
            rate("EUR", "EUR", "1"),
            rate("EUR", "USD", "0"),
            rate("ABC", "USD", "1"),
            NewExchangeRate { valid_from: None, ..rate("EUR", "USD", "1") },
        ];
        let expected = [
            ("/rates/0/to_currency", "same_currency"),
            ("/rates/1/rate", "not_positive"),
            ("/rates/2/from_currency", "invalid_currency_code"),
            ("/rates/3/valid_from", "required"),
        ];
        assert_eq!(problems(wrong), expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    }

    #[test]
    fn of_a_pair_and_day_a_list_has_one_rate() {
        let list = vec![rate("EUR", "USD", "1.1"), rate("USD", "EUR", "0.9"), rate("EUR", "USD", "1.2")];
        assert_eq!(problems(list), [("/rates/2".to_owned(), "repeated".to_owned())]);
    }

    #[test]
    fn rates_are_created_in_their_order() {
        let rates = vec![rate("EUR", "USD", "1.100"), rate("EUR", "CHF", "0.9315")];
        let rates = ExchangeRate::create_all(ExchangeRateList { rates }, stamp()).unwrap();
        let written: Vec<_> = rates.iter().map(|rate| (rate.to_currency.as_str(), rate.rate.to_string())).collect();
        assert_eq!(written, [("USD", "1.1".to_owned()), ("CHF", "0.9315".to_owned())]);
    }
}
