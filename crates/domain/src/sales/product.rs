//! Products: what a business sells.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    filter::{Filter, Node, Parameters},
    id::{ProductId, TeamId, UserId},
    page::{Count, RecordSort},
    people::contact::{DeletedInList, list, tags, tags_or_null},
    problem::{Fields, Invalid},
    record::{self, ExternalId, Source, Stamp, Tag},
    standards, text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema, values_schema_of_patch},
        user::UserSummary,
    },
};

/// What products are counted in, unless said otherwise.
const UNIT: &str = "piece";

/// Something that the business sells.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
pub struct Product {
    /// Identifies the product for ever.
    #[schema(value_type = Uuid)]
    pub id: ProductId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// When it was deleted; null while it lives.
    pub deleted_at: Option<DateTime<Utc>>,
    /// User who looks after this product.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this product belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Free tags.
    #[schema(example = json!(["bestseller"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the product.
    pub external_ids: Vec<ExternalId>,
    /// The business's own number or short name for it. No two living products have the same.
    #[schema(example = "PRA-70-200")]
    pub code: String,
    /// Name in daily use.
    #[schema(example = "Dark chocolate 70 %, 200 g")]
    pub name: String,
    /// What it is, in sentences.
    pub description: Option<String>,
    /// What it is sorted under.
    #[schema(example = "Chocolate")]
    pub category: Option<String>,
    /// What it is counted in.
    #[schema(example = "piece")]
    pub unit: String,
    /// What one unit costs, in each currency in which it is sold.
    #[validate(nested)]
    pub prices: Vec<Price>,
    /// What kind of tax applies, in the words of the accounting.
    #[schema(example = "reduced")]
    pub tax_category: Option<String>,
    /// Tax on the price, in percent.
    #[schema(value_type = Option<String>, example = "7")]
    pub tax_rate: Option<Decimal>,
    /// How often the price is due; null when once.
    pub recurring_interval: Option<RecurringInterval>,
    /// Is sold at present.
    #[schema(example = true)]
    pub active: bool,
    /// Whether it can be delivered.
    pub stock_state: Option<StockState>,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expanded: Option<ProductExpanded>,
}

/// Records that belong to a product. Null when there is none, when it was deleted, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ProductExpanded {
    #[schema(required)]
    pub owner: Option<UserSummary>,
}

/// What one unit of a product costs in a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// ISO 4217 code of the currency.
    #[validate(custom(function = "standards::currency"))]
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// What one unit costs, with up to four decimals.
    #[schema(value_type = String, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "4.95")]
    pub unit_price: Decimal,
}

/// A product to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "code": "PRA-70-200", "name": "Dark chocolate 70 %, 200 g", "category": "Chocolate",
    "prices": [{"currency": "EUR", "unit_price": "4.95"}, {"currency": "CHF", "unit_price": "5.20"}],
    "tax_category": "reduced", "tax_rate": "7"
}))]
pub struct NewProduct {
    /// The business's own number or short name for it, which no other living product has. Compared as it is written.
    #[schema(required, min_length = 1, max_length = 100)]
    pub code: String,
    /// Name in daily use.
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: String,
    /// What it is, in sentences.
    #[schema(min_length = 1, max_length = 4000)]
    pub description: Option<String>,
    /// What it is sorted under.
    #[schema(min_length = 1, max_length = 100)]
    pub category: Option<String>,
    /// What it is counted in; `piece` unless said otherwise.
    #[schema(nullable = false, min_length = 1, max_length = 50)]
    pub unit: Option<String>,
    /// What one unit costs: each currency once.
    #[schema(max_items = 50)]
    pub prices: Vec<Price>,
    /// What kind of tax applies, in the words of the accounting.
    #[schema(min_length = 1, max_length = 50)]
    pub tax_category: Option<String>,
    /// Tax on the price in percent, from 0 to 100, with up to four decimals.
    #[schema(value_type = Option<String>, pattern = r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$", example = "7")]
    pub tax_rate: Option<Decimal>,
    /// How often the price is due; null when once.
    pub recurring_interval: Option<RecurringInterval>,
    /// Is sold at present; true unless said otherwise.
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// Whether it can be delivered.
    pub stock_state: Option<StockState>,
    /// User who looks after this product: whoever creates it, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to: the owner's main team, unless said otherwise. Null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Free tags.
    #[schema(schema_with = tags)]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
}

/// Changes to a product, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"stock_state": "out_of_stock", "description": null}))]
pub struct ProductPatch {
    /// The business's own number or short name for it, which no other living product has. Compared as it is written.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub code: Option<String>,
    /// Name in daily use.
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// What it is, in sentences.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 4000)]
    pub description: Option<Option<String>>,
    /// What it is sorted under.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub category: Option<Option<String>>,
    /// What it is counted in.
    #[schema(nullable = false, min_length = 1, max_length = 50)]
    pub unit: Option<String>,
    /// What one unit costs: each currency once. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 50)]
    pub prices: Option<Option<Vec<Price>>>,
    /// What kind of tax applies, in the words of the accounting.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 50)]
    pub tax_category: Option<Option<String>>,
    /// Tax on the price in percent, from 0 to 100, with up to four decimals.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$")]
    pub tax_rate: Option<Option<Decimal>>,
    /// How often the price is due; null when once.
    #[serde(with = "::serde_with::rust::double_option")]
    pub recurring_interval: Option<Option<RecurringInterval>>,
    /// Is sold at present.
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// Whether it can be delivered.
    #[serde(with = "::serde_with::rust::double_option")]
    pub stock_state: Option<Option<StockState>>,
    /// User who looks after this product.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to. A new owner brings their main team along, unless a team is named.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Free tags. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = tags_or_null)]
    pub tags: Option<Option<Vec<String>>>,
    /// Values of the workspace's own fields, by key; null clears one.
    #[schema(schema_with = values_schema_of_patch)]
    pub custom: Option<CustomValues>,
}

/// How often a price is due. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecurringInterval {
    Month,
    Quarter,
    Year,
}

/// Whether a product can be delivered. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StockState {
    InStock,
    OutOfStock,
    Discontinued,
}

/// What a patch of a product that is not there yet creates: null is absent there, but for owner and team.
impl From<ProductPatch> for NewProduct {
    fn from(patch: ProductPatch) -> Self {
        Self {
            code: patch.code.unwrap_or_default(),
            name: patch.name.unwrap_or_default(),
            description: patch.description.flatten(),
            category: patch.category.flatten(),
            unit: patch.unit,
            prices: patch.prices.flatten().unwrap_or_default(),
            tax_category: patch.tax_category.flatten(),
            tax_rate: patch.tax_rate.flatten(),
            recurring_interval: patch.recurring_interval.flatten(),
            active: patch.active,
            stock_state: patch.stock_state.flatten(),
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
        }
    }
}

impl Product {
    /// What products are found by, as fields.
    pub const SEARCHED: &[&str] = &["name", "code", "category"];

    /// The fields that a role may close, in their order. A test compares them with the document.
    pub const FIELDS: &[&str] = &[
        "created_by",
        "updated_by",
        "owner_id",
        "team_id",
        "source",
        "tags",
        "custom",
        "external_ids",
        "code",
        "name",
        "description",
        "category",
        "unit",
        "prices",
        "tax_category",
        "tax_rate",
        "recurring_interval",
        "active",
        "stock_state",
    ];

    /// A new product.
    pub fn create(new: NewProduct, id: ProductId, stamp: Stamp) -> Result<Self, Invalid> {
        let product = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            deleted_at: None,
            owner_id: new.owner_id.flatten(),
            team_id: new.team_id.flatten(),
            source: stamp.source,
            tags: new.tags,
            custom: merged(&CustomValues::new(), new.custom),
            external_ids: Vec::new(),
            code: new.code,
            name: new.name,
            description: new.description,
            category: new.category,
            unit: new.unit.unwrap_or_else(|| UNIT.to_owned()),
            prices: new.prices,
            tax_category: new.tax_category,
            tax_rate: new.tax_rate,
            recurring_interval: new.recurring_interval,
            active: new.active.unwrap_or(true),
            stock_state: new.stock_state,
            expanded: None,
        };
        product.checked()
    }

    /// The product as it would be after a patch. Version and times stay: whether anything changed is yet to be seen.
    pub fn patch(&self, patch: ProductPatch) -> Result<Self, Invalid> {
        let product = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            code: patch.code.unwrap_or_else(|| self.code.clone()),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            category: patch.category.unwrap_or_else(|| self.category.clone()),
            unit: patch.unit.unwrap_or_else(|| self.unit.clone()),
            prices: list(patch.prices, &self.prices),
            tax_category: patch.tax_category.unwrap_or_else(|| self.tax_category.clone()),
            tax_rate: patch.tax_rate.unwrap_or(self.tax_rate),
            recurring_interval: patch.recurring_interval.unwrap_or(self.recurring_interval),
            active: patch.active.unwrap_or(self.active),
            stock_state: patch.stock_state.unwrap_or(self.stock_state),
            external_ids: self.external_ids.clone(),
            expanded: None,
            ..*self
        };
        product.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// What one unit costs in a currency; none where it is not sold in it.
    pub fn price_in(&self, currency: &str) -> Option<Decimal> {
        self.prices.iter().find(|price| price.currency == currency).map(|price| price.unit_price)
    }

    /// The currencies in which it is sold.
    pub fn currencies(&self) -> Vec<String> {
        self.prices.iter().map(|price| price.currency.clone()).collect()
    }

    /// What the product is found by.
    pub fn search_text(&self) -> String {
        // A code of digits alone is looked for like a telephone number: without what stands between them.
        let code = text::search_words(&self.code);
        let texts = [Some(&self.name), Some(&self.code), self.category.as_ref()].into_iter().flatten();
        text::search_text(texts.chain(&code).map(String::as_str))
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let mut folded = text::folded([
            ("name", Some(&self.name)),
            ("category", self.category.as_ref()),
            ("unit", Some(&self.unit)),
            ("tax_category", self.tax_category.as_ref()),
        ]);
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// What the product is sorted by.
    pub fn sort_name(&self) -> String {
        text::sort_key([self.name.as_str()])
    }

    /// Tidies up and judges the whole record, whichever fields were given.
    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        record::tidy_tags(&mut self.tags);
        for text in [&mut self.code, &mut self.name, &mut self.unit] {
            text::tidy(text);
        }
        self.tax_rate = self.tax_rate.map(|rate| rate.normalize());
        for price in &mut self.prices {
            price.unit_price = price.unit_price.normalize();
        }
        self.rules(&mut fields);
        fields.absorb(&self);
        fields.verdict().map(|()| self)
    }

    fn rules(&self, fields: &mut Fields) {
        let needed = [
            ("/code", &self.code, "A product needs a code."),
            ("/name", &self.name, "A product needs a name."),
            ("/unit", &self.unit, "A product needs a unit, such as piece."),
        ];
        for (pointer, text, detail) in needed {
            if text.is_empty() {
                fields.refuse(pointer, "required", detail);
            }
        }
        for (index, price) in self.prices.iter().enumerate() {
            if self.prices[..index].iter().any(|other| other.currency == price.currency) {
                let detail = format!("There is a price in {} already. Give one for each currency.", price.currency);
                fields.refuse(format!("/prices/{index}/currency"), "repeated", detail);
            }
        }
    }
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProductQuery {
    /// Finds products by how words of name, code and category begin, and by parts of numbers. Where nothing is found
    /// so, parts of words count, and then words with typing errors. Every word has to be found. Without `sort`, the
    /// best match comes first.
    #[param(min_length = 1, max_length = 200, example = "dark chocolate")]
    pub q: Option<String>,
    /// Only products of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only products of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only products that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// Only the product of this code, compared as it is written.
    #[param(min_length = 1, max_length = 100, example = "PRA-70-200")]
    pub code: Option<String>,
    /// Only products of this category.
    #[param(min_length = 1, max_length = 100, example = "Chocolate")]
    pub category: Option<String>,
    /// Only products that are sold at present, or only those that are not.
    pub active: Option<bool>,
    /// Only products whose price is due this often. Repeat for several.
    #[param(max_items = 10)]
    pub recurring_interval: Vec<RecurringInterval>,
    /// Only products created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only products created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only products changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only products changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted products instead of the living.
    #[param(inline = false)]
    pub deleted: DeletedInList,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    pub count: Option<Count>,
    /// Only these fields of each record, and its id. Repeat for several.
    #[param(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    pub expand: Vec<ProductRelation>,
}

impl ProductQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.tag.is_empty(), "tag", "tags"),
            (self.code.is_some(), "code", "code"),
            (self.category.is_some(), "category", "category"),
            (self.active.is_some(), "active", "active"),
            (!self.recurring_interval.is_empty(), "recurring_interval", "recurring_interval"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref()))
            .chain(ProductRelation::fields_used(&self.expand))
            .collect()
    }

    /// The parameters as nodes of a filter, each with its name. `q` looks after itself.
    pub fn filter_nodes(&self) -> Vec<(&'static str, Node)> {
        Parameters::default()
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_among("tag", "tags", &self.tag)
            .text("code", self.code.as_ref())
            .text("category", self.category.as_ref())
            .is("active", self.active)
            .one_of("recurring_interval", &self.recurring_interval)
            .after("created_after", "created_at", self.created_after)
            .before("created_before", "created_at", self.created_before)
            .after("updated_after", "updated_at", self.updated_after)
            .before("updated_before", "updated_at", self.updated_before)
            .into_nodes()
    }
}

/// What is searched for, and how the answer shall be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"version": 1, "entity": "product", "where":
        {"type": "tags", "field": "price_currency", "op": "has_none", "values": ["CHF"]}},
    "sort": "name", "limit": 20
}))]
pub struct ProductSearch {
    /// Which products; all where there is no filter.
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    #[schema(nullable = false)]
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[schema(nullable = false, minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[schema(nullable = false, max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    #[schema(nullable = false)]
    pub count: Option<Count>,
    /// Only these fields of each record, and its id.
    #[schema(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`.
    #[schema(max_items = 5)]
    pub expand: Vec<ProductRelation>,
    /// `only` finds the deleted products instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl ProductSearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(ProductRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductRelation {
    Owner,
}

impl ProductRelation {
    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Owner => ("expand", "owner_id"),
        };
        expand.iter().map(field).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api)
    }

    fn new(more: serde_json::Value) -> NewProduct {
        let mut new = serde_json::json!({"code": " C-1 ", "name": " Dark chocolate "});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(new).unwrap()
    }

    fn created(more: serde_json::Value) -> Product {
        Product::create(new(more), ProductId::mint(), stamp()).unwrap()
    }

    fn pointers(invalid: &Invalid) -> Vec<&str> {
        invalid.problems().iter().map(|problem| problem.pointer.as_deref().unwrap()).collect()
    }

    #[test]
    fn a_product_is_sold_by_the_piece_unless_said_otherwise() {
        let product = created(serde_json::json!({}));
        assert_eq!((product.code.as_str(), product.name.as_str()), ("C-1", "Dark chocolate"));
        assert_eq!((product.unit.as_str(), product.active), ("piece", true));
        let hours = created(serde_json::json!({"unit": "hour", "active": false}));
        assert_eq!((hours.unit.as_str(), hours.active), ("hour", false));
    }

    #[test]
    fn code_name_and_unit_are_needed() {
        let new = NewProduct { unit: Some(" ".to_owned()), ..NewProduct::default() };
        let invalid = Product::create(new, ProductId::mint(), stamp()).unwrap_err();
        assert_eq!(pointers(&invalid), ["/code", "/name", "/unit"]);
    }

    #[test]
    fn each_currency_has_one_price() {
        let price =
            |currency: &str, unit_price: &str| serde_json::json!({"currency": currency, "unit_price": unit_price});
        let product = created(serde_json::json!({"prices": [price("EUR", "4.9500"), price("JPY", "800")]}));
        assert_eq!(product.price_in("EUR"), Some("4.95".parse().unwrap()));
        assert_eq!(product.price_in("USD"), None);
        assert_eq!(product.currencies(), ["EUR", "JPY"]);
        let twice = serde_json::json!({"prices": [price("EUR", "1"), price("ABC", "1"), price("EUR", "2")]});
        let invalid = Product::create(new(twice), ProductId::mint(), stamp()).unwrap_err();
        assert_eq!(pointers(&invalid), ["/prices/2/currency", "/prices/1/currency"]);
    }

    #[test]
    fn a_patch_keeps_what_it_does_not_name() {
        let product = created(serde_json::json!({"category": "Chocolate", "tax_rate": "7.00"}));
        let patch = serde_json::from_value(serde_json::json!({"category": null, "code": "C-2"})).unwrap();
        let patched = product.patch(patch).unwrap();
        assert_eq!(patched, Product { category: None, code: "C-2".to_owned(), ..product.clone() });
        assert_eq!(patched.tax_rate.map(|rate| rate.to_string()).as_deref(), Some("7"));
    }

    #[test]
    fn a_code_of_digits_is_found_as_it_is_written_and_without_what_stands_between() {
        let product = created(serde_json::json!({"code": "0040-638 1", "category": "Süßes"}));
        for query in ["0040-638 1", "406381", "sußes", "chocolate"] {
            for part in text::sought_parts(query) {
                assert!(product.search_text().contains(&part), "{query}: {}", product.search_text());
            }
        }
    }
}
