//! Connections: the outside systems whose ids records have.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Type,
        schema::{Object, ObjectBuilder, SchemaType},
    },
};
use uuid::Uuid;

use crate::{
    id::ConnectionId,
    problem::{Fields, Invalid},
    record::Stamp,
    text,
};

/// The connection of imported files. It is always there, and nobody makes or changes it.
pub const IMPORT: &str = "import";

/// An outside system, such as an accounting program or a shop, that knows records under ids of its own.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Connection {
    /// Identifies the connection for ever; the `origin` of what it writes in the change feed.
    #[schema(value_type = Uuid)]
    pub id: ConnectionId,
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
    /// Its name in addresses and beside external ids, which never changes.
    #[schema(example = "shop")]
    pub key: String,
    /// Its name for people.
    #[schema(example = "Web shop Europe")]
    pub name: String,
    /// What kind of system it is.
    pub kind: ConnectionKind,
    /// Which way records travel, as seen from Rapport.
    pub direction: Direction,
    /// Whether it may write.
    pub status: ConnectionStatus,
    /// What the program that keeps both in step wants to remember. Not for secrets: whoever sees the connection sees it.
    #[schema(example = json!({"shop_id": "4711", "currency": "EUR"}))]
    pub settings: BTreeMap<String, String>,
}

/// What kind of system it is. More values will follow: treat an unknown one as `custom`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    Accounting,
    Shop,
    Email,
    Telephony,
    Calendar,
    Marketing,
    #[default]
    Custom,
}

/// Which way records travel: `read` brings them to Rapport, `write` takes them from Rapport, `both` does either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConnectionDirection)]
pub enum Direction {
    Read,
    Write,
    #[default]
    Both,
}

/// Whether a connection may write. More values will follow: treat an unknown one as `paused`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    #[default]
    Active,
    /// What comes by it is refused.
    Paused,
}

/// A connection to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"key": "shop", "name": "Web shop Europe", "kind": "shop", "direction": "read"}))]
pub struct NewConnection {
    /// Its name in addresses and beside external ids: small letters, digits, hyphens and underscores. It never changes.
    #[schema(required, min_length = 1, max_length = 63, pattern = "^[a-z][a-z0-9_-]{0,62}$", example = "shop")]
    pub key: String,
    /// Its name for people.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// What kind of system it is; `custom` unless said otherwise.
    #[schema(inline = false)]
    pub kind: ConnectionKind,
    /// Which way records travel, as seen from Rapport; `both` unless said otherwise.
    #[schema(inline = false)]
    pub direction: Direction,
    /// Whether it may write; `active` unless said otherwise.
    #[schema(inline = false)]
    pub status: ConnectionStatus,
    /// What the program that keeps both in step wants to remember. Not for secrets.
    #[schema(schema_with = settings)]
    pub settings: BTreeMap<String, String>,
}

/// Changes to a connection, as JSON Merge Patch: absent fields stay. `settings` is replaced as a whole.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"status": "paused"}))]
pub struct ConnectionPatch {
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What kind of system it is.
    #[schema(nullable = false)]
    pub kind: Option<ConnectionKind>,
    /// Which way records travel, as seen from Rapport.
    #[schema(nullable = false)]
    pub direction: Option<Direction>,
    /// Whether it may write.
    #[schema(nullable = false)]
    pub status: Option<ConnectionStatus>,
    /// What the program that keeps both in step wants to remember; null for nothing. Not for secrets.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = settings_or_null)]
    pub settings: Option<Option<BTreeMap<String, String>>>,
}

fn settings() -> Object {
    settings_of(Type::Object.into())
}

fn settings_or_null() -> Object {
    settings_of(SchemaType::from_iter([Type::Object, Type::Null]))
}

fn settings_of(kind: SchemaType) -> Object {
    let value = ObjectBuilder::new().schema_type(Type::String).max_length(Some(1000));
    ObjectBuilder::new()
        .schema_type(kind)
        .description(Some("Up to 50 settings with texts as values."))
        .additional_properties(Some(value))
        .max_properties(Some(50))
        .build()
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl Connection {
    /// A new connection.
    pub fn create(new: NewConnection, id: ConnectionId, stamp: Stamp) -> Result<Self, Invalid> {
        let connection = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            key: new.key,
            name: new.name,
            kind: new.kind,
            direction: new.direction,
            status: new.status,
            settings: new.settings,
        };
        connection.checked()
    }

    /// The connection as it would be after a patch.
    pub fn patch(&self, patch: ConnectionPatch) -> Result<Self, Invalid> {
        let connection = Self {
            key: self.key.clone(),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            kind: patch.kind.unwrap_or(self.kind),
            direction: patch.direction.unwrap_or(self.direction),
            status: patch.status.unwrap_or(self.status),
            settings: patch.settings.map_or_else(|| self.settings.clone(), Option::unwrap_or_default),
            ..*self
        };
        connection.checked()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A connection needs a name.");
        }
        if self.key == IMPORT {
            fields.refuse("/key", "reserved", "This key is that of imported files. Choose another.");
        }
        fields.verdict().map(|()| self)
    }
}
