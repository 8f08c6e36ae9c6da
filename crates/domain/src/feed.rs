//! The change feed: what happened to the records of a workspace, in one order, for programs that keep up with it.

use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{RefOr, Schema, Type, schema::ObjectBuilder},
};
use uuid::Uuid;

use crate::{
    access::Resource,
    journal::{EventName, JournalEntry},
    record::RecordKind,
};

/// Which changes are wanted, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// Only changes of records of this kind. Repeat for several.
    #[param(value_type = Vec<FeedKind>, max_items = 50, example = json!(["contact"]))]
    pub kind: Vec<RecordKind>,
    /// Only these events. Repeat for several.
    #[param(value_type = Vec<EventName>, max_items = 50, example = json!(["contact.updated"]))]
    pub event: Vec<String>,
    /// No changes that came through this connection: whoever writes through it knows them already. Repeat for several.
    #[param(max_items = 50)]
    pub exclude_origin: Vec<Uuid>,
    /// Where to begin without a cursor: at the `oldest` change that is still kept, unless said otherwise, or at the `head`,
    /// which leaves out everything that has happened so far. A cursor goes before it.
    #[param(inline = false)]
    pub from: FeedStart,
    /// Most changes of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before, or the `id` of an event of the stream.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// Which changes are to be streamed, and from where on.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeStreamQuery {
    /// Only changes of records of this kind. Repeat for several.
    #[param(value_type = Vec<FeedKind>, max_items = 50, example = json!(["contact"]))]
    pub kind: Vec<RecordKind>,
    /// Only these events. Repeat for several.
    #[param(value_type = Vec<EventName>, max_items = 50, example = json!(["contact.updated"]))]
    pub event: Vec<String>,
    /// No changes that came through this connection: whoever writes through it knows them already. Repeat for several.
    #[param(max_items = 50)]
    pub exclude_origin: Vec<Uuid>,
    /// Where to begin without a cursor: at the `oldest` change that is still kept, unless said otherwise, or at the `head`,
    /// which leaves out everything that has happened so far. A cursor goes before it.
    #[param(inline = false)]
    pub from: FeedStart,
    /// `head` ends the stream when nothing more has happened so far. Without it the stream goes on with what happens next.
    #[param(value_type = Option<StreamEnd>, inline = false, nullable = false)]
    pub until: Option<StreamEnd>,
    /// The `id` of the last event that you have, or `next_cursor` of a page. The header `Last-Event-ID` goes before it.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl ChangeStreamQuery {
    /// The same changes as pages of this many.
    pub fn into_pages(self, limit: i64) -> ChangeQuery {
        let Self { kind, event, exclude_origin, from, until: _, cursor } = self;
        ChangeQuery { kind, event, exclude_origin, from, limit: Some(limit), cursor }
    }
}

/// Where a reader without a cursor begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedStart {
    #[default]
    Oldest,
    Head,
}

/// Where a stream ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    Head,
}

/// A part of the change feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangePage {
    /// The changes, in the order in which they happened to each record.
    pub data: Vec<JournalEntry>,
    /// Leads on from here. Never null: at the head of the feed it leads to what happens next.
    pub next_cursor: String,
    /// Whether there is more to read at once. A page may hold few changes, or none, although there is more: it looks at a
    /// bounded part of the feed, of which not everything is for you.
    pub has_more: bool,
    /// The last position that was given in the workspace, 0 before the first.
    #[schema(minimum = 0, example = 4711)]
    pub head: i64,
    /// How long the oldest change that has no position yet has been waiting for one, in milliseconds; 0 when none is.
    #[schema(minimum = 0, example = 0)]
    pub lag_ms: i64,
}

/// What the records of the feed are, as a filter takes it: the schema alone.
pub struct FeedKind;

impl PartialSchema for FeedKind {
    fn schema() -> RefOr<Schema> {
        let kinds = Resource::ALL.iter().map(|resource| resource.kind().as_str());
        let description = "What a record of the change feed is. More kinds will follow.";
        ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some(kinds)).into()
    }
}

impl ToSchema for FeedKind {}
