//! Lines of opportunities, and what they come to.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check_digits;
use crate::{money, problem::Fields, text};

/// The first amount that is too large to be kept.
const TOO_LARGE: Decimal = Decimal::from_parts(0xA4C6_8000, 0x0003_8D7E, 0, false, 0); // 10^15

/// Where an amount comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AmountSource {
    /// Somebody has said it.
    Manual,
    /// It is the sum of the lines.
    Lines,
}

impl AmountSource {
    /// Where it comes from unless somebody says otherwise.
    pub(super) fn of(has_lines: bool) -> Self {
        if has_lines { Self::Lines } else { Self::Manual }
    }
}

/// What a discount is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscountType {
    /// Hundredths of quantity times price.
    Percent,
    /// An amount off the whole line.
    Amount,
}

/// Something to be sold, of which there is some number. Its net amount is quantity times unit price, less the discount,
/// rounded half away from zero to the digits of the currency: so lines add up to their sum exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "sku": "PL-40", "description": "Packing line, 40 per minute", "quantity": "2", "unit": "piece",
    "unit_price": "6900.00", "discount_type": "percent", "discount": "10", "tax_rate": "19"
}))]
pub struct Line {
    /// Code of the article.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "PL-40")]
    pub sku: Option<String>,
    /// What it is.
    #[schema(min_length = 1, max_length = 1000, example = "Packing line, 40 per minute")]
    pub description: String,
    /// How many; with up to six decimals.
    #[serde(default = "one")]
    #[schema(value_type = String, pattern = r"^[0-9]{1,12}(\.[0-9]{1,6})?$", example = "2")]
    pub quantity: Decimal,
    /// What is counted.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 50, example = "piece")]
    pub unit: Option<String>,
    /// Price of one, without tax; with up to four decimals.
    #[schema(value_type = String, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "6900.00")]
    pub unit_price: Decimal,
    /// What the discount is measured in. Goes with `discount`.
    #[serde(default)]
    pub discount_type: Option<DiscountType>,
    /// What is taken off: at most 100 percent, or at most quantity times price.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "10")]
    pub discount: Option<Decimal>,
    /// Tax in percent, which the amounts are without.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,2}(\.[0-9]{1,4})?$|^100$", example = "19")]
    pub tax_rate: Option<Decimal>,
    /// Quantity times price, less the discount. Worked out: what is sent is not looked at.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "12420.00")]
    pub net_amount: Option<Decimal>,
}

fn one() -> Decimal {
    Decimal::ONE
}

/// Judges lines and works out their amounts.
pub(super) fn check(lines: &mut [Line], currency: Option<&str>, fields: &mut Fields) {
    for (index, line) in lines.iter_mut().enumerate() {
        let place = format!("/lines/{index}");
        line.net_amount = None;
        text::tidy(&mut line.description);
        line.quantity = line.quantity.normalize();
        line.unit_price = line.unit_price.normalize();
        line.discount = line.discount.map(|discount| discount.normalize());
        line.tax_rate = line.tax_rate.map(|rate| rate.normalize());
        if line.description.is_empty() {
            fields.refuse(format!("{place}/description"), "required", "A line needs a description.");
        }
        if line.discount.is_some() != line.discount_type.is_some() {
            let detail = "Give discount and discount_type together, or neither.";
            fields.refuse(format!("{place}/discount_type"), "incomplete_discount", detail);
            continue;
        }
        let Some(currency) = currency else { continue };
        if let (Some(DiscountType::Amount), Some(discount)) = (line.discount_type, line.discount) {
            check_digits(&format!("{place}/discount"), discount, currency, fields);
        }
        match line.net(currency) {
            Some(net) if net.is_sign_negative() && !net.is_zero() => {
                let detail = "The discount is more than the line comes to. Make it smaller.";
                fields.refuse(format!("{place}/discount"), "out_of_range", detail);
            }
            Some(net) if net < TOO_LARGE => line.net_amount = Some(net),
            _ => {
                let detail = "The line comes to more than can be kept. Make quantity or price smaller.";
                fields.refuse(format!("{place}/unit_price"), "out_of_range", detail);
            }
        }
    }
    if currency.is_none() && !lines.is_empty() {
        fields.refuse("/currency", "required", "Lines need a currency.");
    }
    if lines.iter().all(|line| line.net_amount.is_some()) && sum(lines).is_some_and(|sum| sum >= TOO_LARGE) {
        fields.refuse("/lines", "out_of_range", "The lines come to more than can be kept. Leave some out.");
    }
}

/// What lines come to; none where there are none, or where not all of them come to something.
pub(super) fn sum(lines: &[Line]) -> Option<Decimal> {
    let mut sum = None;
    for line in lines {
        let so_far: Decimal = sum.unwrap_or_default();
        sum = Some(so_far.checked_add(line.net_amount?)?);
    }
    sum
}

impl Line {
    /// Quantity times price, less the discount, in the digits of the currency. None where it can't be told.
    fn net(&self, currency: &str) -> Option<Decimal> {
        let gross = self.quantity.checked_mul(self.unit_price)?;
        let net = match (self.discount_type, self.discount) {
            (Some(DiscountType::Percent), Some(percent)) => {
                let left = Decimal::ONE_HUNDRED.checked_sub(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
                gross.checked_mul(left)?
            }
            (Some(DiscountType::Amount), Some(amount)) => money::round(gross, currency).checked_sub(amount)?,
            _ => gross,
        };
        Some(money::round(net, currency))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(quantity: Decimal, price: Decimal, discount: Option<(DiscountType, Decimal)>) -> Line {
        Line {
            sku: None,
            description: "Something".to_owned(),
            quantity,
            unit: None,
            unit_price: price,
            discount_type: discount.map(|(kind, _)| kind),
            discount: discount.map(|(_, discount)| discount),
            tax_rate: None,
            net_amount: None,
        }
    }

    fn judged(mut lines: Vec<Line>, currency: &str) -> Result<Vec<Line>, Vec<String>> {
        let mut fields = Fields::default();
        check(&mut lines, Some(currency), &mut fields);
        let pointers = |invalid: crate::problem::Invalid| {
            invalid.into_problems().into_iter().filter_map(|problem| problem.pointer).collect()
        };
        fields.verdict().map_err(pointers).map(|()| lines)
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_half_is_rounded_away_from_zero_in_the_digits_of_the_currency() {
        let net = |quantity: &str, price: &str, currency: &str| {
            judged(vec![line(decimal(quantity), decimal(price), None)], currency).unwrap()[0].net_amount.unwrap()
        };
        assert_eq!(net("1", "0.125", "EUR"), decimal("0.13"));
        assert_eq!(net("3", "33.335", "EUR"), decimal("100.01"));
        assert_eq!(net("1", "0.5", "JPY"), decimal("1"));
        assert_eq!(net("1", "1.0005", "KWD"), decimal("1.001"));
    }

    #[test]
    fn a_discount_takes_off_at_most_all() {
        let off = |kind, off: &str| judged(vec![line(decimal("2"), decimal("50"), Some((kind, decimal(off))))], "EUR");
        assert_eq!(off(DiscountType::Percent, "12.5").unwrap()[0].net_amount, Some(decimal("87.50")));
        assert_eq!(off(DiscountType::Percent, "100").unwrap()[0].net_amount, Some(Decimal::ZERO));
        assert_eq!(off(DiscountType::Percent, "100.01").unwrap_err(), ["/lines/0/discount"]);
        assert_eq!(off(DiscountType::Amount, "100").unwrap()[0].net_amount, Some(Decimal::ZERO));
        assert_eq!(off(DiscountType::Amount, "100.01").unwrap_err(), ["/lines/0/discount"]);
        assert_eq!(off(DiscountType::Amount, "0.001").unwrap_err(), ["/lines/0/discount"]);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let most = decimal("999999999999999.9999");
        assert_eq!(
            judged(vec![line(decimal("999999999999.999999"), most, None)], "EUR").unwrap_err(),
            ["/lines/0/unit_price"]
        );
        assert_eq!(TOO_LARGE, decimal("1000000000000000"));
        let half = line(Decimal::ONE, decimal("500000000000000"), None);
        assert_eq!(judged(vec![half.clone(), half], "EUR").unwrap_err(), ["/lines"]);
    }

    proptest! {
        /// Against whole numbers: a naive sum in the smallest unit.
        #[test]
        fn amounts_of_lines_always_add_up(
            given in proptest::collection::vec((1_u64..1_000_000, 0_u64..100_000_000, 0_u64..=10_000), 1..50),
        ) {
            let lines: Vec<Line> = given
                .iter()
                .map(|(quantity, price, percent)| {
                    let quantity = Decimal::new(i64::try_from(*quantity).unwrap(), 3);
                    let price = Decimal::new(i64::try_from(*price).unwrap(), 4);
                    let discount = Decimal::new(i64::try_from(*percent).unwrap(), 2);
                    line(quantity, price, Some((DiscountType::Percent, discount)))
                })
                .collect();
            let lines = judged(lines, "EUR").unwrap();
            let mut cents = 0_u128;
            for ((quantity, price, percent), line) in given.iter().zip(&lines) {
                // Thousandths times ten-thousandths times hundredths of a percent: 10^-11, in cents 10^-9.
                let exact = u128::from(*quantity) * u128::from(*price) * (10_000 - u128::from(*percent));
                let rounded = (exact + 500_000_000) / 1_000_000_000;
                prop_assert_eq!(line.net_amount.unwrap(), Decimal::new(i64::try_from(rounded).unwrap(), 2));
                cents += rounded;
            }
            prop_assert_eq!(sum(&lines).unwrap(), Decimal::new(i64::try_from(cents).unwrap(), 2));
        }
    }
}
