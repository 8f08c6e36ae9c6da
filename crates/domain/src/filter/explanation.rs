//! What becomes of a filter, told before it is used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Filter, IndexClass};
use crate::{page::RecordSort, problem::FieldProblem};

/// A filter to be explained.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"version": 1, "entity": "contact", "where":
        {"type": "text", "field": "last_name", "op": "contains", "value": "lindt"}}
}))]
pub struct FilterInquiry {
    /// The filter.
    pub filter: Filter,
    /// The order in which a page is wanted; `-created_at` unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false)]
    pub sort: Option<RecordSort>,
}

/// What becomes of a filter.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FilterExplanation {
    /// Whether it can be used.
    pub valid: bool,
    /// Everything that is wrong with it, by place.
    pub errors: Vec<FieldProblem>,
    /// The nodes that compare something, in the order of the tree, and how an index helps with each.
    pub leaves: Vec<FilterLeaf>,
    /// How the first page would be found; null where the filter can't be used.
    #[schema(required)]
    pub plan: Option<FilterPlan>,
}

/// A node that compares something.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FilterLeaf {
    /// Its place, as a JSON Pointer.
    #[schema(example = "/filter/where/nodes/0")]
    pub pointer: String,
    /// How an index helps.
    pub index: IndexClass,
}

/// How the database would find the first page.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FilterPlan {
    /// The indexes that it would use.
    #[schema(example = json!(["contacts_search_index"]))]
    pub indexes: Vec<String>,
    /// What it expects the page to cost, in units of the database.
    #[schema(example = 1234.5)]
    pub estimated_cost: f64,
    /// How many records it expects the filter to find. Only an estimate, which can be far off.
    #[schema(minimum = 0, example = 2130)]
    pub estimated_rows: i64,
    /// Whether it expects the page to be found within the time that a search has.
    pub runs_within_budget: bool,
}
