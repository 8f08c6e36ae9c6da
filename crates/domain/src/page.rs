//! Pages of lists.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

use crate::{access::Resource, text};

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

/// What records of a list are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortKey {
    CreatedAt,
    UpdatedAt,
    Name,
    /// When it is to be done, of records that have such a time.
    DueAt,
    /// When it is expected to be closed, of opportunities.
    CloseDate,
    /// Whether it is pinned, and among each when it was created.
    Pinned,
    /// How many points it has, of records that are scored.
    Score,
    /// A custom field of this key, which has to be sorted.
    Custom(String),
}

impl SortKey {
    /// Whether records of this resource can be sorted by it.
    pub fn is_of(&self, resource: Resource) -> bool {
        match self {
            Self::DueAt => resource == Resource::Tasks,
            Self::CloseDate => resource == Resource::Opportunities,
            Self::Pinned => resource == Resource::Notes,
            Self::Name => resource != Resource::Notes,
            Self::Score => resource == Resource::Leads,
            Self::CreatedAt | Self::UpdatedAt | Self::Custom(_) => true,
        }
    }

    /// The field that it tells of.
    pub fn field(&self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Name => "name",
            Self::DueAt => "due_at",
            Self::CloseDate => "close_date",
            Self::Pinned => "pinned",
            Self::Score => "score",
            Self::Custom(_) => "custom",
        }
    }
}

/// The order of a list of records: a field, with a minus sign before it for descending.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub struct RecordSort {
    pub key: SortKey,
    pub direction: Direction,
}

impl RecordSort {
    /// The fields by which lists can be sorted, as far as their records have them.
    pub const FIELDS: [&str; 7] = ["created_at", "updated_at", "name", "due_at", "close_date", "pinned", "score"];

    /// The newest first.
    pub const NEWEST: Self = Self { key: SortKey::CreatedAt, direction: Direction::Descending };

    /// The oldest first: what is created meanwhile comes last.
    pub const OLDEST: Self = Self { key: SortKey::CreatedAt, direction: Direction::Ascending };

    /// The field that an order tells of, for who may not read it. When records were written is not kept from anybody who
    /// sees them.
    pub fn fields_used(sort: Option<&Self>) -> Option<(&'static str, &'static str)> {
        sort.filter(|sort| match sort.key {
            SortKey::CreatedAt | SortKey::UpdatedAt => false,
            SortKey::Name
            | SortKey::DueAt
            | SortKey::CloseDate
            | SortKey::Pinned
            | SortKey::Score
            | SortKey::Custom(_) => true,
        })
        .map(|sort| ("sort", sort.key.field()))
    }
}

impl fmt::Display for RecordSort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.direction == Direction::Descending { "-" } else { "" };
        match &self.key {
            SortKey::Custom(key) => write!(formatter, "{sign}custom.{key}"),
            key => write!(formatter, "{sign}{}", key.field()),
        }
    }
}

impl FromStr for RecordSort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (direction, field) = match text.strip_prefix('-') {
            Some(field) => (Direction::Descending, field),
            None => (Direction::Ascending, text),
        };
        let key = match (field, field.strip_prefix("custom.")) {
            ("created_at", _) => SortKey::CreatedAt,
            ("updated_at", _) => SortKey::UpdatedAt,
            ("name", _) => SortKey::Name,
            ("due_at", _) => SortKey::DueAt,
            ("close_date", _) => SortKey::CloseDate,
            ("pinned", _) => SortKey::Pinned,
            ("score", _) => SortKey::Score,
            (_, Some(key)) if text::is_key(key) => SortKey::Custom(key.to_owned()),
            _ => {
                return Err(
                    "lists are sorted by created_at, updated_at, name, due_at, close_date, pinned, score or a custom field",
                );
            }
        };
        Ok(Self { key, direction })
    }
}

impl PartialSchema for RecordSort {
    fn schema() -> RefOr<Schema> {
        let description = "Order of a list: `created_at`, `updated_at`, `name`, `due_at` of tasks, `close_date` of opportunities, `pinned` of notes, `score` of \
                           leads, or `custom.` and the key of a custom field that is `sorted`; with a minus sign before it for descending. Records without \
                           a value come last, and those that are alike by their ids.";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("sort-order".to_owned())))
            .description(Some(description))
            .pattern(Some(format!(r"^-?({}|custom\.[a-z][a-z0-9_]{{0,62}})$", Self::FIELDS.join("|"))))
            .examples(["-created_at"])
            .into()
    }
}

impl ToSchema for RecordSort {}

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
