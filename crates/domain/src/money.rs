//! Amounts of money: how many digits they have, and what they are worth in another currency.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use iso_currency::Currency;
use rust_decimal::{Decimal, RoundingStrategy};

/// Decimals that an amount is kept with. What has no small change of its own, such as gold, has as many.
pub const KEPT_DIGITS: u32 = 4;

/// How many decimals a currency is paid with: two for EUR, none for JPY.
pub fn digits(currency: &str) -> u32 {
    Currency::from_code(currency).and_then(Currency::exponent).map_or(KEPT_DIGITS, u32::from)
}

/// An amount as it can be paid: with the decimals of its currency, half of the last one away from zero.
pub fn round(amount: Decimal, currency: &str) -> Decimal {
    let mut rounded = amount.round_dp_with_strategy(digits(currency), RoundingStrategy::MidpointAwayFromZero);
    // All of them are written, so that one amount has one text.
    rounded.rescale(digits(currency));
    // What is next to nothing has no sign: nobody wants to read -0.00.
    if rounded.is_zero() { rounded.abs() } else { rounded }
}

/// What currencies are worth in others, by the day from which it holds.
///
/// Those who gather the rates see to it that of several for a pair and a day the one that counts is added last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// By the currency to convert from, then by the one to convert to. Each rate stands here for both ways.
    pairs: BTreeMap<String, BTreeMap<String, Pair>>,
}

/// What is known of two currencies, for one way from one to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pair {
    /// Rates that were given for this way.
    direct: BTreeMap<NaiveDate, Decimal>,
    /// Rates that were given for the way back.
    reverse: BTreeMap<NaiveDate, Decimal>,
}

/// A rate as a fraction, so that the inverse of a rate is as exact as the rate.
#[derive(Clone, Copy, Debug)]
struct Fraction {
    numerator: Decimal,
    denominator: Decimal,
    valid_from: NaiveDate,
}

impl Rates {
    /// Adds what one unit of `from` is worth in `to` from a day on. It replaces what was added for the same pair and day
    /// before. A rate that is not above zero says nothing and is left out.
    pub fn add(&mut self, from: &str, to: &str, valid_from: NaiveDate, rate: Decimal) {
        if rate <= Decimal::ZERO || from == to {
            return;
        }
        self.pair(from, to).direct.insert(valid_from, rate);
        self.pair(to, from).reverse.insert(valid_from, rate);
    }

    fn pair(&mut self, from: &str, to: &str) -> &mut Pair {
        self.pairs.entry(from.to_owned()).or_default().entry(to.to_owned()).or_default()
    }

    /// An amount in another currency, by the rates that are valid on a day. None when they do not lead there, or when the
    /// result is too large for any amount.
    ///
    /// The newest rate of the pair counts; without one, the newest of the way back; without that, the way through one
    /// further currency: the one whose older rate is the newest. The result is not rounded, so that sums can be exact:
    /// [`round`] it when it is shown.
    pub fn convert(&self, amount: Decimal, from: &str, to: &str, on: NaiveDate) -> Option<Decimal> {
        if from == to {
            return Some(amount);
        }
        match self.rate(from, to, on) {
            Some(rate) => scaled(amount, rate.numerator, rate.denominator),
            None => {
                let (first, second) = self.through(from, to, on)?;
                let numerator = first.numerator.checked_mul(second.numerator)?;
                let denominator = first.denominator.checked_mul(second.denominator)?;
                scaled(amount, numerator, denominator)
            }
        }
    }

    /// The rate of two currencies on a day, without the help of a third one.
    fn rate(&self, from: &str, to: &str, on: NaiveDate) -> Option<Fraction> {
        let pair = self.pairs.get(from)?.get(to)?;
        let newest = |rates: &BTreeMap<NaiveDate, Decimal>| {
            rates.range(..=on).next_back().map(|(valid_from, rate)| (*valid_from, *rate))
        };
        let direct = newest(&pair.direct).map(|(valid_from, rate)| Fraction {
            numerator: rate,
            denominator: Decimal::ONE,
            valid_from,
        });
        direct.or_else(|| {
            let (valid_from, rate) = newest(&pair.reverse)?;
            Some(Fraction { numerator: Decimal::ONE, denominator: rate, valid_from })
        })
    }

    /// The two rates of the best way through a third currency. Of ways that are alike, the alphabet decides.
    fn through(&self, from: &str, to: &str, on: NaiveDate) -> Option<(Fraction, Fraction)> {
        let ways = self.pairs.get(from)?.keys().filter_map(|third| {
            let first = self.rate(from, third, on)?;
            let second = self.rate(third, to, on)?;
            Some((first, second))
        });
        let age = |(first, second): &(Fraction, Fraction)| {
            (first.valid_from.min(second.valid_from), first.valid_from.max(second.valid_from))
        };
        ways.reduce(|best, way| if age(&way) > age(&best) { way } else { best })
    }
}

/// An amount times a fraction. To multiply first keeps what a division would round; only when that is too large, it comes
/// second.
fn scaled(amount: Decimal, numerator: Decimal, denominator: Decimal) -> Option<Decimal> {
    amount
        .checked_mul(numerator)
        .and_then(|product| product.checked_div(denominator))
        .or_else(|| amount.checked_div(denominator)?.checked_mul(numerator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CURRENCIES: [&str; 5] = ["CHF", "EUR", "GBP", "JPY", "USD"];

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn rates(given: &[(&str, &str, u32, &str)]) -> Rates {
        let mut rates = Rates::default();
        for (from, to, valid_from, rate) in given {
            rates.add(from, to, day(*valid_from), decimal(rate));
        }
        rates
    }

    #[test]
    fn currencies_have_the_digits_they_are_paid_with() {
        assert_eq!(digits("EUR"), 2);
        assert_eq!(digits("JPY"), 0);
        assert_eq!(digits("KWD"), 3);
        assert_eq!(digits("CLF"), 4);
        assert_eq!(digits("XAU"), KEPT_DIGITS);
        assert_eq!(digits("?"), KEPT_DIGITS);
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(round(decimal("1.005"), "EUR"), decimal("1.01"));
        assert_eq!(round(decimal("-1.005"), "EUR"), decimal("-1.01"));
        assert_eq!(round(decimal("2.5"), "JPY"), decimal("3"));
        assert_eq!(round(decimal("1.0049999"), "EUR"), decimal("1.00"));
        assert_eq!(round(decimal("-0.001"), "EUR").to_string(), "0.00");
    }

    #[test]
    fn the_newest_rate_that_is_valid_already_counts() {
        let rates = rates(&[("EUR", "USD", 5, "1.10"), ("EUR", "USD", 9, "1.20"), ("EUR", "USD", 5, "1.15")]);
        let on = |on| rates.convert(decimal("100"), "EUR", "USD", day(on));
        assert_eq!(on(4), None);
        assert_eq!(on(5), Some(decimal("115")));
        assert_eq!(on(8), Some(decimal("115")));
        assert_eq!(on(31), Some(decimal("120")));
    }

    #[test]
    fn a_rate_of_the_pair_goes_before_a_newer_one_of_the_way_back() {
        let rates = rates(&[("EUR", "USD", 1, "1.25"), ("USD", "EUR", 9, "0.5")]);
        assert_eq!(rates.convert(decimal("100"), "EUR", "USD", day(9)), Some(decimal("125")));
        assert_eq!(rates.convert(decimal("100"), "USD", "EUR", day(9)), Some(decimal("50")));
        assert_eq!(rates.convert(decimal("100"), "USD", "EUR", day(8)), Some(decimal("80")));
    }

    #[test]
    fn the_way_through_another_currency_is_the_one_that_is_the_most_up_to_date() {
        let rates = rates(&[
            ("CHF", "EUR", 1, "2"),
            ("EUR", "GBP", 9, "3"),
            ("CHF", "JPY", 2, "5"),
            ("JPY", "GBP", 3, "7"),
            ("CHF", "USD", 2, "11"),
            ("GBP", "USD", 3, "0.5"),
        ]);
        // Through EUR one rate is older; JPY and USD are alike, and J comes before U.
        assert_eq!(rates.convert(decimal("1"), "CHF", "GBP", day(9)), Some(decimal("35")));
        assert_eq!(rates.convert(decimal("1"), "CHF", "GBP", day(2)), None);
        assert_eq!(rates.convert(decimal("35"), "GBP", "CHF", day(9)), Some(decimal("1")));
    }

    #[test]
    fn what_is_too_large_is_no_amount() {
        let rates = rates(&[("EUR", "USD", 1, "9999999999"), ("USD", "JPY", 1, "9999999999")]);
        let largest = Decimal::MAX;
        assert_eq!(rates.convert(largest, "EUR", "USD", day(1)), None);
        assert_eq!(rates.convert(largest, "EUR", "JPY", day(1)), None);
        assert_eq!(rates.convert(largest, "EUR", "EUR", day(1)), Some(largest));
    }

    #[test]
    fn a_rate_of_nothing_is_no_rate() {
        let rates = rates(&[("EUR", "USD", 1, "0"), ("EUR", "GBP", 1, "-2"), ("EUR", "EUR", 1, "2")]);
        assert_eq!(rates, Rates::default());
    }

    fn currency() -> impl Strategy<Value = &'static str> {
        prop::sample::select(&CURRENCIES[..])
    }

    /// Any rate that can be kept, with its pair and day.
    fn rate() -> impl Strategy<Value = (&'static str, &'static str, u32, Decimal)> {
        let rate = (1..=i128::from(u64::MAX), 0_u32..=10)
            .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale));
        (currency(), currency(), 1_u32..=28, rate)
    }

    fn amount() -> impl Strategy<Value = Decimal> {
        (any::<i64>(), 0_u32..=4).prop_map(|(digits, scale)| Decimal::new(digits, scale))
    }

    proptest! {
        #[test]
        fn what_is_rounded_is_near_and_stays(amount in amount(), currency in currency()) {
            let rounded = round(amount, currency);
            prop_assert!(rounded.scale() <= digits(currency));
            prop_assert!((rounded - amount).abs() <= Decimal::new(5, digits(currency) + 1));
            prop_assert!(rounded.abs() >= amount.abs().trunc_with_scale(digits(currency)));
            prop_assert_eq!(round(rounded, currency), rounded);
            prop_assert_eq!(round(-amount, currency), -rounded);
        }

        /// Whatever the rates are, nothing panics, and days before the first rate know nothing.
        #[test]
        fn any_rates_convert_or_do_not(
            given in prop::collection::vec(rate(), 0..20), amount in amount(), from in currency(), to in currency(),
            on in 1_u32..=31,
        ) {
            let mut rates = Rates::default();
            for (from, to, valid_from, rate) in &given {
                rates.add(from, to, day(*valid_from), *rate);
            }
            let converted = rates.convert(amount, from, to, day(on));
            let known = given.iter().any(|(_, _, valid_from, _)| *valid_from <= on);
            prop_assert!(from == to || known || converted.is_none());
            if let Some(converted) = converted {
                prop_assert!(converted.is_zero() || converted.is_sign_negative() == amount.is_sign_negative());
            }
        }

        /// A rate is taken as it was given, wherever it stands among others.
        #[test]
        fn the_last_rate_of_a_pair_and_day_counts(
            given in prop::collection::vec(rate(), 1..20), amount in -1_000_000_000_i64..1_000_000_000,
        ) {
            let mut rates = Rates::default();
            for (from, to, valid_from, rate) in &given {
                rates.add(from, to, day(*valid_from), *rate);
            }
            for (from, to, valid_from, _) in given.iter().filter(|(from, to, ..)| from != to) {
                let last = given.iter().rev().find(|(f, t, on, _)| (f, t, on) == (from, to, valid_from)).unwrap();
                let amount = Decimal::from(amount);
                prop_assert_eq!(rates.convert(amount, from, to, day(*valid_from)), amount.checked_mul(last.3));
            }
        }

        /// There and back again is where it began, but for the last digits that a division can't keep.
        #[test]
        fn the_way_back_is_the_inverse(
            amount in 1_i64..1_000_000_000, digits in 1_i64..1_000_000_000, scale in 0_u32..=6, third in any::<bool>(),
        ) {
            let mut rates = Rates::default();
            let rate = Decimal::new(digits, scale);
            if third {
                rates.add("EUR", "JPY", day(1), rate);
                rates.add("EUR", "USD", day(2), Decimal::new(108, 2));
            } else {
                rates.add("USD", "JPY", day(1), rate);
            }
            let amount = Decimal::new(amount, 4);
            let there = rates.convert(amount, "JPY", "USD", day(3)).unwrap();
            let back = rates.convert(there, "USD", "JPY", day(3)).unwrap();
            prop_assert!((back - amount).abs() < Decimal::new(1, 8), "{} {}", amount, back);
        }
    }
}
