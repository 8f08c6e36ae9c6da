//! The filter tree: one typed way of saying which records are meant, for search, and for whatever asks the same question
//! later.
//!
//! What callers write is a [`Filter`]. [`check`] judges it against the [`Catalogue`] and what the caller may read, and
//! gives a [`Condition`] in which nothing is left to guess: fields are resolved, texts folded, times absolute. A
//! condition is compiled to SQL by the store, and decided in memory by [`holds`]; the two are written independently, and a
//! test holds them against each other.

mod area;
mod catalogue;
mod check;
mod condition;
mod dependence;
mod evaluate;
mod explanation;
mod fields;
mod leaves;
mod nodes;
mod operands;
mod parameters;
mod record;
mod sample;
mod sort_keys;
pub(crate) mod time;

pub(crate) use self::parameters::Parameters;
pub use self::{
    area::Area,
    catalogue::{Catalogue, Definition, Entity, Field, Folding, IndexClass, Kind, Options, Place, Relation},
    check::{Checked, Leaf, Refused, Surroundings, check},
    condition::{Aggregate, Anniversary, Bounds, Condition, Latest, Numbers, Predicate, Related, Span, Verdict},
    evaluate::{Surrounds, holds},
    explanation::{FilterExplanation, FilterInquiry, FilterLeaf, FilterPlan},
    nodes::*,
    record::{Record, Value},
    sample::Bucket,
    sort_keys::SortKeys,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which records are meant, as a tree of conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "version": 1, "entity": "contact", "tz": "Europe/Berlin", "where": {"type": "all", "nodes": [
        {"type": "choice", "field": "country", "op": "in", "values": ["DE", "AT"]},
        {"type": "rolling", "field": "created_at", "op": "in_last", "amount": 30, "unit": "day"}
    ]}
}))]
pub struct Filter {
    /// Version of the language: 1.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub version: i32,
    /// What kind of record is asked for.
    pub entity: Entity,
    /// IANA time zone in which days begin; UTC unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "time-zone", max_length = 64, example = "Europe/Berlin")]
    pub tz: Option<String>,
    /// The condition.
    #[serde(rename = "where")]
    pub condition: Node,
}

impl Filter {
    /// Whether it may name fields that a workspace has added. A value that looks like one counts, too.
    pub fn names_custom_fields(&self) -> bool {
        serde_json::to_string(&self.condition).is_ok_and(|text| text.contains("\"custom."))
    }

    /// A filter of this version, with days of UTC.
    pub fn new(entity: Entity, condition: Node) -> Self {
        Self { version: 1, entity, tz: None, condition }
    }
}
