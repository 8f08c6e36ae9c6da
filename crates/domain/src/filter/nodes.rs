//! The nodes of a filter, as callers write them.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use super::operands::{FilterDecimal, FilterNumber, FilterText};
use crate::record::{self, CountryCode};

/// A condition. `type` says which; more types will follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Node {
    All(AllNode),
    Any(AnyNode),
    Not(NotNode),
    Text(TextNode),
    Number(NumberNode),
    Money(MoneyNode),
    Bool(BoolNode),
    Choice(ChoiceNode),
    Tags(TagsNode),
    Present(PresentNode),
    Date(DateNode),
    Instant(InstantNode),
    Rolling(RollingNode),
    Calendar(CalendarNode),
    Anniversary(AnniversaryNode),
    Compare(CompareNode),
    Related(RelatedNode),
    Aggregate(AggregateNode),
    Latest(LatestNode),
    GeoWithin(GeoWithinNode),
    Sample(SampleNode),
    Match(MatchNode),
}

/// Every one of the nodes holds; of none, this is true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "all", "nodes": [{"type": "present", "field": "email", "value": true}]}))]
pub struct AllNode {
    /// The conditions.
    #[schema(no_recursion, max_items = 200)]
    pub nodes: Vec<Node>,
}

/// At least one of the nodes holds; of none, this is false.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "any", "nodes": [{"type": "present", "field": "email", "value": true}]}))]
pub struct AnyNode {
    /// The conditions.
    #[schema(no_recursion, max_items = 200)]
    pub nodes: Vec<Node>,
}

/// The node does not hold: exactly the other records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "not", "node": {"type": "present", "field": "email", "value": true}}))]
pub struct NotNode {
    /// The condition.
    #[schema(no_recursion)]
    pub node: Box<Node>,
}

/// Compares a text. Case and accents do not matter where the catalogue says so.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "text", "field": "last_name", "op": "starts_with", "value": "Müll"}))]
pub struct TextNode {
    /// Name of a text field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: TextOperator,
    /// What to compare with; for all but `in` and `not_in`.
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    pub value: Option<String>,
    /// The texts of `in` and `not_in`.
    #[serde(default, deserialize_with = "record::none_if_empty")]
    #[schema(nullable = false, value_type = Option<Vec<FilterText>>, max_items = 1000)]
    pub values: Option<Vec<String>>,
}

/// How texts are compared. `ne`, `not_in` and `not_contains` also find records without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextOperator {
    Eq,
    Ne,
    In,
    NotIn,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
}

/// Compares a number, exactly.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "number", "field": "version", "op": "gte", "value": 2}))]
pub struct NumberNode {
    /// Name of a number field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: NumberOperator,
    /// What to compare with; for all but `between`, `not_between` and `in`.
    #[serde(default, with = "plain_number")]
    #[schema(nullable = false, value_type = Option<FilterNumber>)]
    pub value: Option<Decimal>,
    /// The least number of a range, which belongs to it.
    #[serde(default, with = "plain_number")]
    #[schema(nullable = false, value_type = Option<FilterNumber>)]
    pub low: Option<Decimal>,
    /// The greatest number of a range, which belongs to it.
    #[serde(default, with = "plain_number")]
    #[schema(nullable = false, value_type = Option<FilterNumber>)]
    pub high: Option<Decimal>,
    /// The numbers of `in`.
    #[serde(default, with = "plain_numbers")]
    #[schema(nullable = false, value_type = Option<Vec<FilterNumber>>, max_items = 1000)]
    pub values: Option<Vec<Decimal>>,
}

/// How numbers are compared. `ne` and `not_between` also find records without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberOperator {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    NotBetween,
    In,
}

/// Compares an amount of money. An amount in another currency counts as missing.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "money", "field": "annual_revenue", "op": "gte", "value": "1000000.00", "currency": "EUR"
}))]
pub struct MoneyNode {
    /// Name of a money field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: NumberOperator,
    /// What to compare with; for all but `between`, `not_between` and `in`.
    #[schema(nullable = false, value_type = Option<FilterDecimal>)]
    pub value: Option<Decimal>,
    /// The least amount of a range, which belongs to it.
    #[schema(nullable = false, value_type = Option<FilterDecimal>)]
    pub low: Option<Decimal>,
    /// The greatest amount of a range, which belongs to it.
    #[schema(nullable = false, value_type = Option<FilterDecimal>)]
    pub high: Option<Decimal>,
    /// The amounts of `in`.
    #[serde(default, deserialize_with = "record::none_if_empty")]
    #[schema(nullable = false, value_type = Option<Vec<FilterDecimal>>, max_items = 1000)]
    pub values: Option<Vec<Decimal>>,
    /// ISO 4217 code of the currency.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// In which currency amounts are compared; `record` unless said otherwise.
    #[schema(nullable = false)]
    pub basis: Option<MoneyBasis>,
}

/// In which currency amounts are compared: `record`, each in its own. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MoneyBasis {
    Record,
}

/// Compares a yes or no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "bool", "field": "do_not_call", "value": false}))]
pub struct BoolNode {
    /// Name of a field that is true or false.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// What it has to be.
    pub value: bool,
}

/// Compares a value of a fixed set, or a reference, with a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "choice", "field": "lifecycle_stage", "op": "in", "values": ["lead", "prospect"]}))]
pub struct ChoiceNode {
    /// Name of a field with a fixed set of values, or of a reference.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: ChoiceOperator,
    /// The values; ids for a reference.
    #[schema(value_type = Vec<FilterText>, min_items = 1, max_items = 1000)]
    pub values: Vec<String>,
}

/// Whether a value is one of those listed. `not_in` also finds records without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceOperator {
    In,
    NotIn,
}

/// Compares a list of words, such as tags.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "tags", "field": "tags", "op": "has_any", "values": ["vip", "newsletter"]}))]
pub struct TagsNode {
    /// Name of a field with a list of words.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: TagsOperator,
    /// The words, exactly as they were written; for all but `count`.
    #[serde(default, deserialize_with = "record::none_if_empty")]
    #[schema(nullable = false, value_type = Option<Vec<FilterText>>, max_items = 1000)]
    pub values: Option<Vec<String>>,
    /// How many words there have to be, for `count`.
    #[schema(nullable = false)]
    pub count: Option<CountCondition>,
}

/// How lists of words are compared. `has_none` also finds records without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TagsOperator {
    HasAny,
    HasAll,
    HasNone,
    Count,
}

/// How many there have to be.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"op": "at_least", "n": 2}))]
pub struct CountCondition {
    /// How to compare.
    pub op: CountOperator,
    /// The number; for `at_least`, `at_most` and `exactly`.
    #[schema(nullable = false, minimum = 0, maximum = 1000000)]
    pub n: Option<i64>,
    /// The least number; for `between`.
    #[schema(nullable = false, minimum = 0, maximum = 1000000)]
    pub low: Option<i64>,
    /// The greatest number; for `between`.
    #[schema(nullable = false, minimum = 0, maximum = 1000000)]
    pub high: Option<i64>,
}

/// How a number of things is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountOperator {
    AtLeast,
    AtMost,
    Exactly,
    Between,
    None,
}

/// Whether a field has a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "present", "field": "birthday", "value": false}))]
pub struct PresentNode {
    /// Name of any field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// True: it has a value. False: it has none.
    pub value: bool,
}

/// Compares a calendar date.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "date", "field": "birthday", "op": "between", "from": "1980-01-01", "to": "1989-12-31"}))]
pub struct DateNode {
    /// Name of a date field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: DateOperator,
    /// The date; for `on`, `before` and `after`.
    #[schema(nullable = false)]
    pub on: Option<NaiveDate>,
    /// The first date of `between`.
    #[schema(nullable = false)]
    pub from: Option<NaiveDate>,
    /// The last date of `between`.
    #[schema(nullable = false)]
    pub to: Option<NaiveDate>,
}

/// How dates are compared. `before` and `after` leave out the date itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOperator {
    On,
    Before,
    After,
    Between,
}

/// Compares a moment with others. The beginning of a range belongs to it, its end does not.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "instant", "field": "created_at", "op": "after", "at": "2026-01-01T00:00:00Z"}))]
pub struct InstantNode {
    /// Name of a time field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: InstantOperator,
    /// The moment; for `before` and `after`.
    #[schema(nullable = false)]
    pub at: Option<DateTime<Utc>>,
    /// The beginning of `between`.
    #[schema(nullable = false)]
    pub from: Option<DateTime<Utc>>,
    /// The end of `between`.
    #[schema(nullable = false)]
    pub to: Option<DateTime<Utc>>,
}

/// How moments are compared: earlier than, at that time or later, or in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstantOperator {
    Before,
    After,
    Between,
}

/// Compares a time or date with now. Minutes, hours, days and weeks of a time are exact durations; months and years are
/// those of the calendar in `tz`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "rolling", "field": "created_at", "op": "in_last", "amount": 30, "unit": "day"}))]
pub struct RollingNode {
    /// Name of a time or date field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How to compare.
    pub op: RollingOperator,
    /// How many units.
    #[schema(minimum = 1, maximum = 1000000)]
    pub amount: i64,
    /// The unit.
    pub unit: RollingUnit,
}

/// How a time stands to now. `not_in_last` also finds records without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollingOperator {
    InLast,
    NotInLast,
    InNext,
    MoreThanAgo,
}

/// A unit of time. Dates know no minutes and hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollingUnit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A time or date within periods of the calendar, such as this month or last year, in `tz`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "calendar", "field": "created_at", "period": "quarter", "offset": -1, "count": 1}))]
pub struct CalendarNode {
    /// Name of a time or date field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// The period. Weeks begin on Monday.
    pub period: CalendarPeriod,
    /// The first period: 0 is the current one, -1 the one before.
    #[serde(default)]
    #[schema(minimum = -10000, maximum = 10000, default = 0)]
    pub offset: i64,
    /// How many periods in a row.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 10000, default = 1)]
    pub count: i64,
    /// The month in which a fiscal year begins, 1 for January; needed for fiscal periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 12, example = 4)]
    pub fiscal_year_start: Option<u32>,
}

/// A period of the calendar. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalendarPeriod {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    FiscalQuarter,
    FiscalYear,
}

/// A date whose day comes round within some days, such as a birthday, counted in `tz`. Today is within 0 days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "anniversary", "field": "birthday", "within_days": 7, "direction": "next", "feb29": "feb28"
}))]
pub struct AnniversaryNode {
    /// Name of a date field.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// How many days.
    #[schema(minimum = 0, maximum = 366)]
    pub within_days: i64,
    /// Whether it is to come or was.
    pub direction: AnniversaryDirection,
    /// On which day 29 February is kept in other years.
    pub feb29: LeapDay,
}

/// Whether an anniversary is to come or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnniversaryDirection {
    Next,
    Last,
}

/// The day on which 29 February is kept in a year that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeapDay {
    Feb28,
    Mar1,
}

/// Compares two fields of one type. Where one of them has no value, only `ne` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "compare", "left": "updated_at", "op": "gt", "right": "created_at"}))]
pub struct CompareNode {
    /// Name of a field.
    #[schema(min_length = 1, max_length = 100)]
    pub left: String,
    /// How to compare. Texts and choices can only be equal or not.
    pub op: CompareOperator,
    /// Name of another field of the same type.
    #[schema(min_length = 1, max_length = 100)]
    pub right: String,
}

/// How two fields are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompareOperator {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
}

/// How many related records there are for which a condition holds. Deleted records, and those that the caller may not see,
/// do not count.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "related", "relation": "contacts", "count": {"op": "at_least", "n": 2},
    "where": {"type": "choice", "field": "lifecycle_stage", "op": "in", "values": ["customer"]}
}))]
pub struct RelatedNode {
    /// Name of a relation.
    #[schema(min_length = 1, max_length = 100)]
    pub relation: String,
    /// How many.
    pub count: CountCondition,
    /// The condition on the related records; all count where there is none.
    #[serde(rename = "where")]
    #[schema(nullable = false, no_recursion)]
    pub condition: Option<Box<Node>>,
}

/// Compares what is worked out over related records. Over no value, `sum` and `count_distinct` are 0, and the others are
/// missing.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "aggregate", "relation": "children", "fn": "sum", "field": "annual_revenue", "currency": "EUR",
    "op": "gte", "value": "500000"
}))]
pub struct AggregateNode {
    /// Name of a relation.
    #[schema(min_length = 1, max_length = 100)]
    pub relation: String,
    /// The condition on the related records; all count where there is none.
    #[serde(rename = "where")]
    #[schema(nullable = false, no_recursion)]
    pub condition: Option<Box<Node>>,
    /// What is worked out.
    #[serde(rename = "fn")]
    pub function: AggregateFunction,
    /// Name of a field of the related records.
    #[schema(min_length = 1, max_length = 100)]
    pub field: String,
    /// ISO 4217 code, where the field is money: amounts in other currencies count as missing.
    #[schema(nullable = false, format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub currency: Option<String>,
    /// How to compare.
    pub op: NumberOperator,
    /// What to compare with; for all but `between`, `not_between` and `in`.
    #[schema(nullable = false, value_type = Option<FilterDecimal>)]
    pub value: Option<Decimal>,
    /// The least value of a range, which belongs to it.
    #[schema(nullable = false, value_type = Option<FilterDecimal>)]
    pub low: Option<Decimal>,
    /// The greatest value of a range, which belongs to it.
    #[schema(nullable = false, value_type = Option<FilterDecimal>)]
    pub high: Option<Decimal>,
    /// The values of `in`.
    #[serde(default, deserialize_with = "record::none_if_empty")]
    #[schema(nullable = false, value_type = Option<Vec<FilterDecimal>>, max_items = 1000)]
    pub values: Option<Vec<Decimal>>,
}

/// What is worked out over related records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AggregateFunction {
    Sum,
    Avg,
    Min,
    Max,
    CountDistinct,
}

/// The condition `then` holds for the latest of the related records that are eligible. Without an eligible one, this is
/// false.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "type": "latest", "relation": "contacts", "order_by": "created_at",
    "then": {"type": "choice", "field": "source", "op": "in", "values": ["import"]}
}))]
pub struct LatestNode {
    /// Name of a relation.
    #[schema(min_length = 1, max_length = 100)]
    pub relation: String,
    /// Which of the related records take part; all where there is no condition.
    #[schema(nullable = false, no_recursion)]
    pub eligible: Option<Box<Node>>,
    /// Name of the time, date or number field whose greatest value is the latest; records without a value come last.
    #[schema(min_length = 1, max_length = 100)]
    pub order_by: String,
    /// The condition on the latest record.
    #[schema(no_recursion)]
    pub then: Box<Node>,
}

/// Where the record is: in a circle, in a box, or in countries. Exactly one of the three is given.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "geo_within", "center": {"lat": 52.52, "lon": 13.405}, "radius_m": 50000}))]
pub struct GeoWithinNode {
    /// Middle of a circle.
    #[schema(nullable = false)]
    pub center: Option<GeoPoint>,
    /// Radius of the circle in metres.
    #[schema(nullable = false, minimum = 0, maximum = 20100000)]
    pub radius_m: Option<f64>,
    /// A box.
    #[schema(nullable = false)]
    pub bbox: Option<GeoBox>,
    /// ISO 3166-1 alpha-2 codes.
    #[serde(default, deserialize_with = "record::none_if_empty")]
    #[schema(nullable = false, value_type = Option<Vec<CountryCode>>, max_items = 300)]
    pub countries: Option<Vec<String>>,
}

/// A place on the map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"lat": 52.52, "lon": 13.405}))]
pub struct GeoPoint {
    /// Degrees north.
    #[schema(minimum = -90, maximum = 90)]
    pub lat: f64,
    /// Degrees east.
    #[schema(minimum = -180, maximum = 180)]
    pub lon: f64,
}

/// A box on the map. Where `west` is greater than `east`, it goes over the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"south": 47.2, "west": 5.8, "north": 55.1, "east": 15.1}))]
pub struct GeoBox {
    /// Degrees north of its lower side.
    #[schema(minimum = -90, maximum = 90)]
    pub south: f64,
    /// Degrees east of its left side.
    #[schema(minimum = -180, maximum = 180)]
    pub west: f64,
    /// Degrees north of its upper side.
    #[schema(minimum = -90, maximum = 90)]
    pub north: f64,
    /// Degrees east of its right side.
    #[schema(minimum = -180, maximum = 180)]
    pub east: f64,
}

/// A part of all records, always the same ones for the same salt: for control groups and gradual roll-outs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "sample", "percent": 10, "salt": "spring-campaign"}))]
pub struct SampleNode {
    /// How many of a hundred, to a hundredth.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: f64,
    /// Another salt gives another part.
    #[schema(min_length = 1, max_length = 100)]
    pub salt: String,
}

/// Every word of a query is found in the record, literally: a part of a word of what records are found by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "match", "query": "anna lindt", "fields": ["name"]}))]
pub struct MatchNode {
    /// The words.
    #[schema(min_length = 1, max_length = 200)]
    pub query: String,
    /// Text fields, in one of which each word has to be; all that records are found by unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "record::none_if_empty")]
    #[schema(nullable = false, schema_with = searched_fields)]
    pub fields: Option<Vec<String>>,
}

fn searched_fields() -> utoipa::openapi::schema::Array {
    let description =
        "Text fields, in one of which each word has to be; all that records are found by unless said otherwise.";
    record::names_of_fields(20, description).build()
}

fn one() -> i64 {
    1
}

/// Numbers of JSON, read as the decimals that they are written as.
mod plain_number {
    use rust_decimal::{Decimal, prelude::ToPrimitive};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Number;

    pub(super) fn serialize<S: Serializer>(number: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        number.as_ref().and_then(plain).serialize(serializer)
    }

    /// A number of JSON. Whole ones are written as such, for floats don't keep all of them.
    pub(super) fn plain(number: &Decimal) -> Option<Number> {
        let whole = number.to_i64().filter(|_| number.is_integer()).map(Number::from);
        whole.or_else(|| number.to_f64().and_then(Number::from_f64))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        Option::deserialize(deserializer)
    }
}

/// Lists of numbers of JSON.
mod plain_numbers {
    use rust_decimal::Decimal;
    use serde::{Deserializer, Serialize, Serializer};

    use super::plain_number::plain;

    pub(super) fn serialize<S: Serializer>(numbers: &Option<Vec<Decimal>>, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = numbers.as_ref().map(|numbers| numbers.iter().filter_map(plain).collect::<Vec<_>>());
        plain.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Decimal>>, D::Error> {
        crate::record::none_if_empty(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn whole_numbers_are_read_and_kept_exactly(
            large in -1_000_000_000_000_000_000_i64..=1_000_000_000_000_000_000, small in any::<i32>(),
        ) {
            let (field, values) = ("version", [large, i64::from(small)]);
            let node = json!({"type": "number", "field": field, "op": "in", "value": large, "values": values});
            let read: Node = serde_json::from_value(node).unwrap();
            let Node::Number(number) = &read else { panic!("{read:?}") };
            prop_assert_eq!(number.value, Some(Decimal::from(large)));
            prop_assert_eq!(&number.values, &Some(values.map(Decimal::from).to_vec()));
            let kept = serde_json::to_string(&read).unwrap();
            prop_assert_eq!(serde_json::from_str::<Node>(&kept).unwrap(), read);
        }
    }

    #[test]
    fn fractions_are_kept_as_they_were_written() {
        for text in ["0.1", "-41.5", "99999.9999999999", "123456789012.345"] {
            let written = format!(r#"{{"type":"number","field":"version","op":"eq","value":{text}}}"#);
            let read: Node = serde_json::from_str(&written).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), written);
        }
    }
}
