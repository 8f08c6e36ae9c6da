//! Pages of lists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many records a page holds unless the caller says otherwise.
pub const DEFAULT_LIMIT: i64 = 50;

/// The most records that a page may hold.
pub const MAX_LIMIT: i64 = 200;

/// Up to here an exact count counts; beyond it says `at_least`.
pub const COUNT_CEILING: i64 = 10_000;

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// How a list shall be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// What the database believes, without counting.
    Estimate,
    /// Counted, up to 10,000.
    Exact,
}

/// How many records a list has in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// Number of records.
    #[schema(minimum = 0, example = 1234)]
    pub value: i64,
    /// How the number is to be read.
    pub relation: TotalRelation,
}

/// How a total is to be read: `exact`; `at_least`, when there are more; `estimate`, when nothing was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TotalRelation {
    Exact,
    AtLeast,
    Estimate,
}
