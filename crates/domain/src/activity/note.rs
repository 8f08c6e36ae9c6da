//! Notes: what somebody wrote down about a record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::parent::{Parent, ParentKind};
use crate::{
    filter::{Filter, Node, Parameters},
    id::{NoteId, TeamId, UserId},
    page::{Count, RecordSort},
    people::{
        company::Company,
        contact::{Contact, DeletedInList, list, tags, tags_or_null},
    },
    problem::{Fields, Invalid},
    record::{self, ExternalId, Source, Stamp, Tag},
    sales::{lead::Lead, opportunity::Opportunity, product::Product},
    text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema, values_schema_of_patch},
        user::UserSummary,
    },
};

/// Something that was written down about a record.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Note {
    /// Identifies the note for ever.
    #[schema(value_type = Uuid, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a60")]
    pub id: NoteId,
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
    /// User who answers for this note.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this note belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Free tags.
    #[schema(example = json!(["negotiation"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the note.
    pub external_ids: Vec<ExternalId>,
    /// The record that it is about. It stays when that record is deleted.
    pub parent: Parent,
    /// What was written: plain text, in as many lines as it takes.
    #[schema(example = "Prefers to be called before nine.\nThe budget is decided in March.")]
    pub body: String,
    /// Whether it shall stand above the others.
    #[schema(example = false)]
    pub pinned: bool,
    /// Whether it is for colleagues alone. Programs may show the others to whoever they are about.
    #[schema(example = true)]
    pub internal: bool,
    /// Users who are to know of it. They see the note, whoever owns it.
    #[schema(value_type = Vec<Uuid>)]
    pub mentions: Vec<UserId>,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expanded: Option<Box<NoteExpanded>>,
}

/// Records that belong to a note. Null when there is none, when it was deleted, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct NoteExpanded {
    #[schema(required)]
    pub contact: Option<Contact>,
    #[schema(required, no_recursion)]
    pub company: Option<Company>,
    #[schema(required)]
    pub lead: Option<Lead>,
    #[schema(required)]
    pub opportunity: Option<Opportunity>,
    #[schema(required)]
    pub product: Option<Product>,
    #[schema(required)]
    pub owner: Option<UserSummary>,
}

/// A note to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "parent": {"kind": "contact", "id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5c"},
    "body": "Prefers to be called before nine.\nThe budget is decided in March.", "pinned": true
}))]
pub struct NewNote {
    /// The record that it is about.
    #[schema(required, nullable = false)]
    pub parent: Option<Parent>,
    /// What is written: plain text, in as many lines as it takes.
    #[schema(required, min_length = 1, max_length = 65536)]
    pub body: String,
    /// Whether it shall stand above the others.
    #[schema(default = false)]
    pub pinned: bool,
    /// Whether it is for colleagues alone; so it is unless said otherwise.
    #[schema(nullable = false, default = true)]
    pub internal: Option<bool>,
    /// Users who are to know of it.
    #[schema(value_type = Vec<Uuid>, max_items = 50)]
    pub mentions: Vec<UserId>,
    /// User who answers for this note: whoever creates it, unless said otherwise. Null for nobody.
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

/// Changes to a note, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"pinned": true}))]
pub struct NotePatch {
    /// The record that it is about.
    #[schema(nullable = false)]
    pub parent: Option<Parent>,
    /// What is written: plain text, in as many lines as it takes.
    #[schema(nullable = false, min_length = 1, max_length = 65536)]
    pub body: Option<String>,
    /// Whether it shall stand above the others.
    #[schema(nullable = false)]
    pub pinned: Option<bool>,
    /// Whether it is for colleagues alone.
    #[schema(nullable = false)]
    pub internal: Option<bool>,
    /// Users who are to know of it. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 50)]
    pub mentions: Option<Option<Vec<UserId>>>,
    /// User who answers for this note.
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

/// What a patch of a note that is not there yet creates: null is absent there, but for owner and team.
impl From<NotePatch> for NewNote {
    fn from(patch: NotePatch) -> Self {
        Self {
            parent: patch.parent,
            body: patch.body.unwrap_or_default(),
            pinned: patch.pinned.unwrap_or_default(),
            internal: patch.internal,
            mentions: patch.mentions.flatten().unwrap_or_default(),
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
        }
    }
}

impl Note {
    /// What notes are found by, as fields.
    pub const SEARCHED: &[&str] = &["body"];

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
        "parent",
        "body",
        "pinned",
        "internal",
        "mentions",
    ];

    /// A new note.
    pub fn create(new: NewNote, id: NoteId, stamp: Stamp) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        if new.parent.is_none() {
            fields.refuse("/parent", "required", "A note is about a record. Name its kind and id.");
        }
        let note = Self {
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
            // Without one it is refused, together with what else is wrong.
            parent: new.parent.unwrap_or(Parent { kind: ParentKind::Contact, id: Uuid::nil() }),
            body: new.body,
            pinned: new.pinned,
            internal: new.internal.unwrap_or(true),
            mentions: new.mentions,
            expanded: None,
        };
        note.checked(fields)
    }

    /// The note as it would be after a patch. Version and times stay: whether anything changed is yet to be seen.
    pub fn patch(&self, patch: NotePatch) -> Result<Self, Invalid> {
        let note = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            external_ids: self.external_ids.clone(),
            parent: patch.parent.unwrap_or(self.parent),
            body: patch.body.unwrap_or_else(|| self.body.clone()),
            pinned: patch.pinned.unwrap_or(self.pinned),
            internal: patch.internal.unwrap_or(self.internal),
            mentions: list(patch.mentions, &self.mentions),
            expanded: None,
            ..*self
        };
        note.checked(Fields::default())
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// What the note is found by.
    pub fn search_text(&self) -> String {
        text::search_text([self.body.as_str()])
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let mut folded = text::folded([("body", Some(&self.body))]);
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// Tidies up and judges the whole record, whichever fields were given.
    fn checked(mut self, mut fields: Fields) -> Result<Self, Invalid> {
        record::tidy_tags(&mut self.tags);
        text::tidy(&mut self.body);
        record::keep_each_once(&mut self.mentions);
        if self.body.is_empty() {
            fields.refuse("/body", "required", "A note needs a text.");
        }
        fields.verdict().map(|()| self)
    }
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoteQuery {
    /// Finds notes by how words of their text begin. Where nothing is found so, parts of words count, and then words
    /// with typing errors. Every word has to be found. Without `sort`, the best match comes first.
    #[param(min_length = 1, max_length = 200, example = "budget")]
    pub q: Option<String>,
    /// Only notes about a record of this kind. Goes with `parent_id`.
    pub parent_kind: Option<ParentKind>,
    /// Only notes about this record. Goes with `parent_kind`.
    pub parent_id: Option<Uuid>,
    /// `true` lists the notes that are pinned, `false` the others.
    pub pinned: Option<bool>,
    /// `true` lists the notes that are for colleagues alone, `false` the others.
    pub internal: Option<bool>,
    /// Only notes that mention one of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub mention: Vec<UserId>,
    /// Only notes of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only notes of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only notes that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// Only notes created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only notes created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only notes changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only notes changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted notes instead of the living.
    #[param(inline = false)]
    pub deleted: DeletedInList,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise; `-pinned` puts those that are pinned
    /// before the others, the newest of each first. Notes have no name to be sorted by.
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
    pub expand: Vec<NoteRelation>,
}

impl NoteQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (self.parent_kind.is_some(), "parent_kind", "parent"),
            (self.parent_id.is_some(), "parent_id", "parent"),
            (self.pinned.is_some(), "pinned", "pinned"),
            (self.internal.is_some(), "internal", "internal"),
            (!self.mention.is_empty(), "mention", "mentions"),
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.tag.is_empty(), "tag", "tags"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref())).chain(NoteRelation::fields_used(&self.expand)).collect()
    }

    /// The parameters as nodes of a filter, each with its name. `q` looks after itself.
    pub fn filter_nodes(&self) -> Vec<(&'static str, Node)> {
        let parent_kind: Vec<ParentKind> = self.parent_kind.into_iter().collect();
        let parent_id: Vec<Uuid> = self.parent_id.into_iter().collect();
        Parameters::default()
            .one_of("parent_kind", &parent_kind)
            .one_of("parent_id", &parent_id)
            .is("pinned", self.pinned)
            .is("internal", self.internal)
            .one_among("mention", "mentions", &self.mention)
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_among("tag", "tags", &self.tag)
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
    "filter": {"version": 1, "entity": "note", "where": {"type": "all", "nodes": [
        {"type": "text", "field": "body", "op": "contains", "value": "budget"},
        {"type": "rolling", "field": "created_at", "op": "in_last", "amount": 30, "unit": "day"}
    ]}},
    "sort": "-pinned", "limit": 20
}))]
pub struct NoteSearch {
    /// Which notes; all where there is no filter.
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
    pub expand: Vec<NoteRelation>,
    /// `only` finds the deleted notes instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl NoteSearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(NoteRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteRelation {
    Contact,
    Company,
    Lead,
    Opportunity,
    Product,
    Owner,
}

impl NoteRelation {
    /// The kind of the parents that it embeds; none where it embeds somebody else.
    pub fn of_parents(self) -> Option<ParentKind> {
        match self {
            Self::Contact => Some(ParentKind::Contact),
            Self::Company => Some(ParentKind::Company),
            Self::Lead => Some(ParentKind::Lead),
            Self::Opportunity => Some(ParentKind::Opportunity),
            Self::Product => Some(ParentKind::Product),
            Self::Owner => None,
        }
    }

    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Owner => ("expand", "owner_id"),
            Self::Contact | Self::Company | Self::Lead | Self::Opportunity | Self::Product => ("expand", "parent"),
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

    fn new() -> NewNote {
        let parent = Some(Parent { kind: ParentKind::Lead, id: Uuid::nil() });
        NewNote { parent, body: "Something".to_owned(), ..NewNote::default() }
    }

    fn pointers(refused: Result<Note, Invalid>) -> Vec<String> {
        refused.unwrap_err().into_problems().into_iter().filter_map(|problem| problem.pointer).collect()
    }

    #[test]
    fn a_note_needs_a_parent_and_a_text_and_says_both_at_once() {
        let nothing = NewNote { body: " \n ".to_owned(), ..NewNote::default() };
        assert_eq!(pointers(Note::create(nothing, NoteId::mint(), stamp())), ["/parent", "/body"]);
    }

    #[test]
    fn a_note_is_for_colleagues_unless_somebody_says_otherwise() {
        assert!(Note::create(new(), NoteId::mint(), stamp()).unwrap().internal);
        let open = NewNote { internal: Some(false), ..new() };
        assert!(!Note::create(open, NoteId::mint(), stamp()).unwrap().internal);
    }

    #[test]
    fn lines_stay_as_they_are_and_everybody_is_mentioned_once() {
        let (anna, ben) = (UserId::mint(), UserId::mint());
        let body = "  First line\n\n  second  line\n".to_owned();
        let note = NewNote { body, mentions: vec![ben, anna, ben], ..new() };
        let note = Note::create(note, NoteId::mint(), stamp()).unwrap();
        assert_eq!(note.body, "First line\n\n  second  line");
        assert_eq!(note.mentions, [ben, anna]);
        assert_eq!(note.search_text(), " first line second");
    }

    #[test]
    fn a_patch_that_gives_nothing_changes_nothing() {
        let note = Note::create(NewNote { pinned: true, ..new() }, NoteId::mint(), stamp()).unwrap();
        assert_eq!(note.patch(NotePatch::default()).unwrap(), note);
        assert_eq!(pointers(note.patch(NotePatch { body: Some(String::new()), ..NotePatch::default() })), ["/body"]);
    }
}
