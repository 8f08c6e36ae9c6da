//! Lines of opportunities, and what they come to.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check_digits;
use crate::{
    id::ProductId,
    money,
    problem::Fields,
    sales::product::{Price, Product},
    text,
};

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

/// A line as it is given. What it leaves out is taken from the product that it names, and stays so when that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "product_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a61", "quantity": "2", "discount_type": "percent", "discount": "10"
}))]
pub struct NewLine {
    /// Product that is to be sold.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub product_id: Option<ProductId>,
    /// Code of the article: that of the product, unless said otherwise. Null for none.
    #[serde(default, with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100, example = "PL-40")]
    pub sku: Option<Option<String>>,
    /// What it is: the name of the product, unless said otherwise. Needed where there is no product.
    #[serde(default)]
    #[schema(nullable = false, min_length = 1, max_length = 1000, example = "Packing line, 40 per minute")]
    pub description: Option<String>,
    /// How many; with up to six decimals.
    #[serde(default = "one")]
    #[schema(value_type = String, pattern = r"^[0-9]{1,12}(\.[0-9]{1,6})?$", example = "2")]
    pub quantity: Decimal,
    /// What is counted: the unit of the product, unless said otherwise. Null for none.
    #[serde(default, with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 50, example = "piece")]
    pub unit: Option<Option<String>>,
    /// Price of one, without tax; with up to four decimals. That of the product in the currency of the opportunity, unless
    /// said otherwise; needed where there is none.
    #[serde(default)]
    #[schema(nullable = false, value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "6900.00")]
    pub unit_price: Option<Decimal>,
    /// What the discount is measured in. Goes with `discount`.
    #[serde(default)]
    pub discount_type: Option<DiscountType>,
    /// What is taken off: at most 100 percent, or at most quantity times price.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "10")]
    pub discount: Option<Decimal>,
    /// Tax in percent, which the amounts are without: that of the product, unless said otherwise. Null for none.
    #[serde(default, with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,2}(\.[0-9]{1,4})?$|^100$", example = "19")]
    pub tax_rate: Option<Option<Decimal>>,
    /// Worked out: what is sent is not looked at.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "12420.00")]
    pub net_amount: Option<Decimal>,
}

/// What lines take from a product. What the caller may not read of it is missing.
#[derive(Clone, Debug)]
pub struct LineProduct {
    code: Option<String>,
    name: Option<String>,
    unit: Option<String>,
    /// Missing altogether where they are closed: then nothing is told of them.
    prices: Option<Vec<Price>>,
    tax_rate: Option<Decimal>,
}

/// The products that lines name and that are there, by their ids.
pub type LineProducts = HashMap<ProductId, LineProduct>;

impl LineProduct {
    /// Of a product of which some fields may be read.
    pub fn of(product: &Product, may_read: impl Fn(&str) -> bool) -> Self {
        Self {
            code: may_read("code").then(|| product.code.clone()),
            name: may_read("name").then(|| product.name.clone()),
            unit: may_read("unit").then(|| product.unit.clone()),
            prices: may_read("prices").then(|| product.prices.clone()),
            tax_rate: product.tax_rate.filter(|_| may_read("tax_rate")),
        }
    }

    fn price(&self, currency: &str) -> Option<Decimal> {
        self.prices.iter().flatten().find(|price| price.currency == currency).map(|price| price.unit_price)
    }
}

/// Something to be sold, of which there is some number. Its net amount is quantity times unit price, less the discount,
/// rounded half away from zero to the digits of the currency: so lines add up to their sum exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "product_id": null, "sku": "PL-40", "description": "Packing line, 40 per minute", "quantity": "2", "unit": "piece",
    "unit_price": "6900.00", "discount_type": "percent", "discount": "10", "tax_rate": "19", "net_amount": "12420.00"
}))]
pub struct Line {
    /// Product that is to be sold. It stays when that product is deleted.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub product_id: Option<ProductId>,
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
    /// Quantity times price, less the discount.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "12420.00")]
    pub net_amount: Option<Decimal>,
}

fn one() -> Decimal {
    Decimal::ONE
}

/// Lines as they are given, with what their products add. A product that is not there is refused, unless a line named it
/// before.
pub(super) fn settle(
    given: Vec<NewLine>,
    before: &[Line],
    products: &LineProducts,
    currency: Option<&str>,
    fields: &mut Fields,
) -> Vec<Line> {
    let was_named = |id: ProductId| before.iter().any(|line| line.product_id == Some(id));
    let lines = given.into_iter().enumerate().map(|(index, line)| {
        let place = format!("/lines/{index}");
        let product = line.product_id.and_then(|id| products.get(&id));
        match line.product_id.filter(|id| product.is_none() && !was_named(*id)) {
            Some(_) => {
                let detail = "There is no product with this id. Name another, or null.";
                fields.refuse(format!("{place}/product_id"), "unknown_reference", detail);
                line.refused()
            }
            None => line.settled(product, &place, currency, fields),
        }
    });
    lines.collect()
}

impl NewLine {
    /// What it leaves out is the product's.
    fn settled(self, product: Option<&LineProduct>, place: &str, currency: Option<&str>, fields: &mut Fields) -> Line {
        let price = match (self.unit_price, currency) {
            (Some(price), _) => Some(price),
            (None, Some(currency)) => self.price_of(product, currency, place, fields),
            // That there is no currency is told for all lines together.
            (None, None) => None,
        };
        let Some(unit_price) = price else { return self.refused() };
        Line {
            product_id: self.product_id,
            sku: self.sku.unwrap_or_else(|| product.and_then(|product| product.code.clone())),
            description: self
                .description
                .or_else(|| product.and_then(|product| product.name.clone()))
                .unwrap_or_default(),
            quantity: self.quantity,
            unit: self.unit.unwrap_or_else(|| product.and_then(|product| product.unit.clone())),
            unit_price,
            discount_type: self.discount_type,
            discount: self.discount,
            tax_rate: self.tax_rate.unwrap_or_else(|| product.and_then(|product| product.tax_rate)),
            net_amount: None,
        }
    }

    fn price_of(
        &self,
        product: Option<&LineProduct>,
        currency: &str,
        place: &str,
        fields: &mut Fields,
    ) -> Option<Decimal> {
        let price = product.and_then(|product| product.price(currency));
        if price.is_none() {
            let (code, detail) = match product.and_then(|product| product.prices.as_ref()) {
                Some(_) => {
                    let detail =
                        format!("The product has no price in {currency}. Give the unit_price, or add the price.");
                    ("no_price", detail)
                }
                None => ("required", "A line needs a unit_price, or a product that has one.".to_owned()),
            };
            fields.refuse(format!("{place}/unit_price"), code, detail);
        }
        price
    }

    /// A line of which it was told what is wrong, such that nothing else is: it is never kept.
    fn refused(self) -> Line {
        Line {
            product_id: self.product_id,
            sku: None,
            description: "-".to_owned(),
            quantity: Decimal::ONE,
            unit: None,
            unit_price: Decimal::ZERO,
            discount_type: None,
            discount: None,
            tax_rate: None,
            net_amount: None,
        }
    }
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
            fields.refuse(
                format!("{place}/description"),
                "required",
                "A line needs a description, or a product whose name it takes.",
            );
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
    use uuid::Uuid;

    use super::*;

    fn line(quantity: Decimal, price: Decimal, discount: Option<(DiscountType, Decimal)>) -> Line {
        Line {
            product_id: None,
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

    fn given(line: serde_json::Value) -> NewLine {
        serde_json::from_value(line).unwrap()
    }

    fn settled(line: serde_json::Value, product: Option<LineProduct>, before: &[Line]) -> Result<Line, Vec<String>> {
        let products: LineProducts = product.into_iter().map(|product| (product_id(), product)).collect();
        let mut fields = Fields::default();
        let mut lines = settle(vec![given(line)], before, &products, Some("EUR"), &mut fields);
        check(&mut lines, Some("EUR"), &mut fields);
        let pointers = |invalid: crate::problem::Invalid| {
            invalid.into_problems().into_iter().filter_map(|problem| problem.pointer).collect()
        };
        fields.verdict().map_err(pointers).map(|()| lines.remove(0))
    }

    fn product_id() -> ProductId {
        ProductId::from_uuid(Uuid::from_u128(7))
    }

    fn chocolate(currency: &str) -> LineProduct {
        LineProduct {
            code: Some("PRA-70".to_owned()),
            name: Some("Dark chocolate".to_owned()),
            unit: Some("bar".to_owned()),
            prices: Some(vec![Price { currency: currency.to_owned(), unit_price: decimal("4.95") }]),
            tax_rate: Some(decimal("7")),
        }
    }

    #[test]
    fn a_line_takes_what_it_leaves_out_from_its_product() {
        let bare = serde_json::json!({"product_id": product_id(), "quantity": "3"});
        let line = settled(bare, Some(chocolate("EUR")), &[]).unwrap();
        assert_eq!((line.sku.as_deref(), line.description.as_str()), (Some("PRA-70"), "Dark chocolate"));
        assert_eq!(
            (line.unit.as_deref(), line.unit_price, line.tax_rate),
            (Some("bar"), decimal("4.95"), Some(decimal("7")))
        );
        assert_eq!(line.net_amount, Some(decimal("14.85")));

        let own = serde_json::json!({
            "product_id": product_id(), "sku": null, "description": "A bar", "unit": null, "unit_price": "5", "tax_rate": null
        });
        let line = settled(own, Some(chocolate("CHF")), &[]).unwrap();
        assert_eq!((line.sku, line.description.as_str(), line.unit), (None, "A bar", None));
        assert_eq!((line.unit_price, line.tax_rate), (decimal("5"), None));
    }

    #[test]
    fn a_product_without_a_price_or_out_of_sight_is_refused_in_its_place_alone() {
        let bare = serde_json::json!({"product_id": product_id(), "discount_type": "amount", "discount": "1"});
        assert_eq!(settled(bare.clone(), Some(chocolate("CHF")), &[]).unwrap_err(), ["/lines/0/unit_price"]);
        assert_eq!(settled(bare, None, &[]).unwrap_err(), ["/lines/0/product_id"]);
        let closed = LineProduct { prices: None, ..chocolate("EUR") };
        let bare = serde_json::json!({"product_id": product_id()});
        assert_eq!(settled(bare.clone(), Some(closed), &[]).unwrap_err(), ["/lines/0/unit_price"]);
        assert_eq!(settled(serde_json::json!({"unit_price": "1"}), None, &[]).unwrap_err(), ["/lines/0/description"]);

        let before = Line { product_id: Some(product_id()), ..line(Decimal::ONE, Decimal::ONE, None) };
        let kept = serde_json::json!({"product_id": product_id(), "description": "A bar", "unit_price": "5"});
        assert!(settled(kept, None, std::slice::from_ref(&before)).is_ok(), "it was named before");
        assert_eq!(settled(bare, None, &[before]).unwrap_err(), ["/lines/0/unit_price"]);
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
        /// What was read can be sent back, whatever the product is by now.
        #[test]
        fn a_line_that_is_sent_back_stays_as_it_is(
            sku in proptest::option::of("[A-Z]{1,9}"), unit in proptest::option::of("[a-z]{1,9}"),
            price in 0_i64..1_000_000, tax in proptest::option::of(0_i64..100), has_product: bool, is_there: bool,
        ) {
            let own = Line {
                product_id: has_product.then_some(product_id()),
                sku,
                unit,
                tax_rate: tax.map(Decimal::from),
                ..line(Decimal::TWO, Decimal::new(price, 2).normalize(), None)
            };
            let own = judged(vec![own], "EUR").unwrap().remove(0);
            let sent = serde_json::to_value(&own).unwrap();
            let again = settled(sent, is_there.then(|| chocolate("EUR")), std::slice::from_ref(&own));
            prop_assert_eq!(again.unwrap(), own);
        }

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
