//! Tasks: what somebody is to do, until when, and about whom.

mod transitions;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

pub use self::transitions::{TaskAction, TaskStatus, TaskStatusClass};
use super::{
    parent::{Parent, ParentKind},
    recurrence::{self, Occurrence, Recurrence},
};
use crate::{
    filter::{AllNode, ChoiceNode, ChoiceOperator, Filter, InstantNode, InstantOperator, Node, NotNode, Parameters},
    id::{TaskId, TeamId, UserId},
    page::{Count, RecordSort},
    people::{
        company::Company,
        contact::{Contact, DeletedInList, list, tags, tags_or_null},
    },
    problem::{Fields, Invalid},
    record::{self, ExternalId, Source, Stamp, Tag},
    sales::{lead::Lead, opportunity::Opportunity, product::Product},
    standards, text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema, values_schema_of_patch},
        user::UserSummary,
    },
};

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
pub struct Task {
    /// Identifies the task for ever.
    #[schema(value_type = Uuid, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5f")]
    pub id: TaskId,
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
    /// User who answers for this task.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this task belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Free tags.
    #[schema(example = json!(["renewal"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the task.
    pub external_ids: Vec<ExternalId>,
    /// What is to be done, in a few words.
    #[schema(example = "Call back about the renewal")]
    pub name: String,
    /// What else there is to say about it.
    pub description: Option<String>,
    /// What kind of work it is.
    #[serde(rename = "type")]
    pub kind: TaskType,
    /// How far it has come.
    pub status: TaskStatus,
    /// What the status means: still to be done, put off, done, or given up.
    pub status_class: TaskStatusClass,
    /// How much it matters.
    pub priority: Priority,
    /// The record that it is about. It stays when that record is deleted.
    pub parent: Option<Parent>,
    /// User who is to do it. They see the task and may change it, whoever owns it.
    #[schema(value_type = Option<Uuid>)]
    pub assignee_id: Option<UserId>,
    /// Users who help. They see the task, whoever owns it.
    #[schema(value_type = Vec<Uuid>)]
    pub collaborator_ids: Vec<UserId>,
    /// When work on it is to begin.
    pub start_at: Option<DateTime<Utc>>,
    /// When it is to be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was done; null until then.
    pub completed_at: Option<DateTime<Utc>>,
    /// When to remind of it.
    pub reminders: Vec<Reminder>,
    /// How it comes back once it is done: a recurrence rule of iCalendar (RFC 5545).
    #[schema(example = "FREQ=WEEKLY;BYDAY=MO")]
    pub recurrence: Option<String>,
    /// IANA time zone in whose days and hours it comes back; null is UTC.
    #[validate(custom(function = "standards::time_zone"))]
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// The first task of the series that this one belongs to; null when it never came back.
    #[schema(value_type = Option<Uuid>)]
    pub series_id: Option<TaskId>,
    /// Which task of its series it is, counted from 1.
    #[schema(minimum = 1, example = 1)]
    pub series_position: i64,
    /// The task that came after it in the series, once it was done.
    #[schema(value_type = Option<Uuid>)]
    pub successor_id: Option<TaskId>,
    /// What clocks were meant to show when it is due, where they skipped that hour.
    #[serde(skip)]
    #[schema(ignore)]
    pub due_on_wall: Option<NaiveDateTime>,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expanded: Option<Box<TaskExpanded>>,
}

/// Records that belong to a task. Null when there is none, when it was deleted, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct TaskExpanded {
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
    #[schema(required)]
    pub assignee: Option<UserSummary>,
}

/// What kind of work a task is. More values will follow: treat an unknown one as `todo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    #[default]
    Todo,
    Call,
    Email,
    Meeting,
    FollowUp,
    Demo,
    Visit,
    ThankYou,
}

/// How much something matters. More values may follow: treat an unknown one as `normal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

/// When to remind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reminder {
    /// So many minutes before it is due; 0 is at that time.
    #[schema(minimum = 0, maximum = 525600, example = 30)]
    pub minutes_before_due: i64,
}

/// A task to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "Call back about the renewal", "type": "call", "priority": "high", "due_at": "2026-12-07T09:00:00Z",
    "reminders": [{"minutes_before_due": 30}], "recurrence": "FREQ=WEEKLY;BYDAY=MO;COUNT=4", "time_zone": "Europe/Berlin"
}))]
pub struct NewTask {
    /// What is to be done, in a few words.
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: String,
    /// What else there is to say about it.
    #[schema(min_length = 1, max_length = 10000)]
    pub description: Option<String>,
    /// What kind of work it is; `todo` unless said otherwise.
    #[serde(rename = "type")]
    #[schema(inline = false)]
    pub kind: TaskType,
    /// How far it has come: `not_started` unless said otherwise, or `in_progress` or `deferred`.
    #[schema(inline = false)]
    pub status: TaskStatus,
    /// How much it matters; `normal` unless said otherwise.
    #[schema(inline = false)]
    pub priority: Priority,
    /// The record that it is about.
    pub parent: Option<Parent>,
    /// User who answers for this task: whoever creates it, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to: the owner's main team, unless said otherwise. Null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// User who is to do it: the owner, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub assignee_id: Option<Option<UserId>>,
    /// Users who help.
    #[schema(value_type = Vec<Uuid>, max_items = 20)]
    pub collaborator_ids: Vec<UserId>,
    /// When work on it is to begin.
    pub start_at: Option<DateTime<Utc>>,
    /// When it is to be done.
    pub due_at: Option<DateTime<Utc>>,
    /// When to remind of it. Reminders need `due_at`.
    #[schema(max_items = 10)]
    pub reminders: Vec<Reminder>,
    /// How it comes back once it is done: a recurrence rule of iCalendar (RFC 5545) by days, weeks, months or years. Needs
    /// `due_at`.
    #[schema(max_length = 500, pattern = "^[A-Za-z0-9=;,+-]+$")]
    pub recurrence: Option<String>,
    /// IANA time zone in whose days and hours it comes back; UTC unless said otherwise.
    #[schema(format = "time-zone", max_length = 64)]
    pub time_zone: Option<String>,
    /// Free tags.
    #[schema(schema_with = tags)]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
}

/// Changes to a task, as JSON Merge Patch: absent fields stay, null clears, lists are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"status": "in_progress", "due_at": "2026-12-14T09:00:00Z"}))]
pub struct TaskPatch {
    /// What is to be done, in a few words.
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// What else there is to say about it.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 10000)]
    pub description: Option<Option<String>>,
    /// What kind of work it is.
    #[serde(rename = "type")]
    #[schema(nullable = false)]
    pub kind: Option<TaskType>,
    /// How far it has come: `not_started`, `in_progress` or `deferred`. The others have addresses of their own: `complete`,
    /// `cancel`, and `reopen` to come back.
    #[schema(nullable = false)]
    pub status: Option<TaskStatus>,
    /// How much it matters.
    #[schema(nullable = false)]
    pub priority: Option<Priority>,
    /// The record that it is about.
    #[serde(with = "::serde_with::rust::double_option")]
    pub parent: Option<Option<Parent>>,
    /// User who answers for this task.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to. A new owner brings their main team along, unless a team is named.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// User who is to do it.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub assignee_id: Option<Option<UserId>>,
    /// Users who help. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 20)]
    pub collaborator_ids: Option<Option<Vec<UserId>>>,
    /// When work on it is to begin.
    #[serde(with = "::serde_with::rust::double_option")]
    pub start_at: Option<Option<DateTime<Utc>>>,
    /// When it is to be done.
    #[serde(with = "::serde_with::rust::double_option")]
    pub due_at: Option<Option<DateTime<Utc>>>,
    /// When to remind of it. Reminders need `due_at`. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 10)]
    pub reminders: Option<Option<Vec<Reminder>>>,
    /// How it comes back once it is done: a recurrence rule of iCalendar (RFC 5545) by days, weeks, months or years. Needs
    /// `due_at`.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_length = 500, pattern = "^[A-Za-z0-9=;,+-]+$")]
    pub recurrence: Option<Option<String>>,
    /// IANA time zone in whose days and hours it comes back; null is UTC.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "time-zone", max_length = 64)]
    pub time_zone: Option<Option<String>>,
    /// Free tags. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = tags_or_null)]
    pub tags: Option<Option<Vec<String>>>,
    /// Values of the workspace's own fields, by key; null clears one.
    #[schema(schema_with = values_schema_of_patch)]
    pub custom: Option<CustomValues>,
}

/// What a patch of a task that is not there yet creates: null is absent there, but for owner, team and assignee.
impl From<TaskPatch> for NewTask {
    fn from(patch: TaskPatch) -> Self {
        Self {
            name: patch.name.unwrap_or_default(),
            description: patch.description.flatten(),
            kind: patch.kind.unwrap_or_default(),
            status: patch.status.unwrap_or_default(),
            priority: patch.priority.unwrap_or_default(),
            parent: patch.parent.flatten(),
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            assignee_id: patch.assignee_id,
            collaborator_ids: patch.collaborator_ids.flatten().unwrap_or_default(),
            start_at: patch.start_at.flatten(),
            due_at: patch.due_at.flatten(),
            reminders: patch.reminders.flatten().unwrap_or_default(),
            recurrence: patch.recurrence.flatten(),
            time_zone: patch.time_zone.flatten(),
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
        }
    }
}

impl Task {
    /// What tasks are found by, as fields.
    pub const SEARCHED: &[&str] = &["name", "description"];

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
        "name",
        "description",
        "type",
        "status",
        "status_class",
        "priority",
        "parent",
        "assignee_id",
        "collaborator_ids",
        "start_at",
        "due_at",
        "completed_at",
        "reminders",
        "recurrence",
        "time_zone",
        "series_id",
        "series_position",
        "successor_id",
    ];

    /// A new task. Whoever owns it is to do it, unless somebody else is named.
    pub fn create(new: NewTask, id: TaskId, stamp: Stamp) -> Result<Self, Invalid> {
        let owner_id = new.owner_id.flatten();
        let task = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            deleted_at: None,
            owner_id,
            team_id: new.team_id.flatten(),
            source: stamp.source,
            tags: new.tags,
            custom: merged(&CustomValues::new(), new.custom),
            external_ids: Vec::new(),
            name: new.name,
            description: new.description,
            kind: new.kind,
            status: new.status,
            status_class: new.status.class(),
            priority: new.priority,
            parent: new.parent,
            assignee_id: new.assignee_id.unwrap_or(owner_id),
            collaborator_ids: new.collaborator_ids,
            start_at: new.start_at,
            due_at: new.due_at,
            completed_at: None,
            reminders: new.reminders,
            recurrence: new.recurrence,
            time_zone: new.time_zone,
            series_id: None,
            series_position: 1,
            successor_id: None,
            due_on_wall: None,
            expanded: None,
        };
        let mut fields = Fields::default();
        if !new.status.is_unfinished() {
            let detail =
                "A new task is not_started, in_progress or deferred. Create it, and complete or cancel it then.";
            fields.refuse("/status", "not_allowed", detail);
        }
        task.checked(fields)
    }

    /// The task as it would be after a patch. Version and times stay: whether anything changed is yet to be seen.
    pub fn patch(&self, patch: TaskPatch) -> Result<Self, Invalid> {
        let status = match patch.status {
            Some(status) => self.status.patched(status)?,
            None => self.status,
        };
        let due_at = patch.due_at.unwrap_or(self.due_at);
        let time_zone = patch.time_zone.unwrap_or_else(|| self.time_zone.clone());
        let stays_due = due_at == self.due_at && time_zone == self.time_zone;
        let task = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            external_ids: self.external_ids.clone(),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            kind: patch.kind.unwrap_or(self.kind),
            status,
            status_class: status.class(),
            priority: patch.priority.unwrap_or(self.priority),
            parent: patch.parent.unwrap_or(self.parent),
            assignee_id: patch.assignee_id.unwrap_or(self.assignee_id),
            collaborator_ids: list(patch.collaborator_ids, &self.collaborator_ids),
            start_at: patch.start_at.unwrap_or(self.start_at),
            due_at,
            reminders: list(patch.reminders, &self.reminders),
            recurrence: patch.recurrence.unwrap_or_else(|| self.recurrence.clone()),
            time_zone,
            due_on_wall: self.due_on_wall.filter(|_| stays_due),
            expanded: None,
            ..*self
        };
        task.checked(Fields::default())
    }

    /// The task after something that was done with it. One that is already so stays as it is.
    pub fn act(&self, action: TaskAction, at: DateTime<Utc>) -> Result<Self, Invalid> {
        let status = self.status.after(action)?;
        let completed_at = match status {
            TaskStatus::Completed => self.completed_at.or(Some(at)),
            _ => None,
        };
        Ok(Self { status, status_class: status.class(), completed_at, ..self.clone() })
    }

    /// The task that comes after this one, which was done: none when it does not come back, when the series has come to its
    /// end, or when there is one already. What is to be done, by whom and how is the same; it begins anew.
    pub fn successor(&self, id: TaskId, stamp: Stamp) -> Option<Self> {
        if self.successor_id.is_some() {
            return None;
        }
        let (due_at, zone) = (self.due_at?, self.zone());
        let rule: Recurrence = self.recurrence.as_ref()?.parse().ok()?;
        let wall = self.due_on_wall.unwrap_or_else(|| due_at.with_timezone(&zone).naive_local());
        let next = rule.after(Occurrence { due: due_at, wall }, zone, self.series_position)?;
        let shown = next.due.with_timezone(&zone).naive_local();
        Some(Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            deleted_at: None,
            source: Source::Automation,
            external_ids: Vec::new(),
            status: TaskStatus::default(),
            status_class: TaskStatus::default().class(),
            start_at: self.start_at.and_then(|start| start.checked_add_signed(next.due - due_at)),
            due_at: Some(next.due),
            completed_at: None,
            series_id: Some(self.series_id.unwrap_or(self.id)),
            series_position: self.series_position.saturating_add(1),
            successor_id: None,
            due_on_wall: Some(next.wall).filter(|wall| *wall != shown),
            expanded: None,
            ..self.clone()
        })
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// The time zone in which it comes back.
    pub fn zone(&self) -> Tz {
        self.time_zone.as_ref().and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC)
    }

    /// What the task is found by.
    pub fn search_text(&self) -> String {
        let texts = [Some(&self.name), self.description.as_ref()].into_iter().flatten();
        text::search_text(texts.map(String::as_str))
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let mut folded = text::folded([("name", Some(&self.name)), ("description", self.description.as_ref())]);
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// What the task is sorted by.
    pub fn sort_name(&self) -> String {
        text::sort_key([self.name.as_str()])
    }

    /// Tidies up and judges the whole record, whichever fields were given.
    fn checked(mut self, mut fields: Fields) -> Result<Self, Invalid> {
        record::tidy_tags(&mut self.tags);
        text::tidy(&mut self.name);
        if let Some(description) = &mut self.description {
            text::tidy(description);
        }
        self.description.take_if(|description| description.is_empty());
        record::check_instant(&mut self.start_at, "/start_at", &mut fields);
        record::check_instant(&mut self.due_at, "/due_at", &mut fields);
        record::keep_each_once(&mut self.collaborator_ids);
        self.reminders.sort_by_key(|reminder| std::cmp::Reverse(reminder.minutes_before_due));
        self.reminders.dedup();
        self.check_recurrence(&mut fields);
        self.rules(&mut fields);
        fields.absorb(&self);
        // Whoever has a rule begins a series, until there is a task after it.
        match (&self.recurrence, self.series_id) {
            (Some(_), None) => self.series_id = Some(self.id),
            (None, Some(first)) if first == self.id && self.successor_id.is_none() => self.series_id = None,
            _ => {}
        }
        fields.verdict().map(|()| self)
    }

    fn check_recurrence(&mut self, fields: &mut Fields) {
        let Some(rule) = &mut self.recurrence else { return };
        match rule.parse::<Recurrence>() {
            Ok(read) => *rule = read.to_string(),
            Err(detail) => fields.refuse("/recurrence", "invalid_recurrence", detail),
        }
    }

    fn rules(&self, fields: &mut Fields) {
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A task needs a name.");
        }
        if self.start_at.zip(self.due_at).is_some_and(|(start, due)| start > due) {
            fields.refuse("/start_at", "out_of_range", "Work begins before the task is due. Take an earlier time.");
        }
        if self.due_at.is_none() && !self.reminders.is_empty() {
            fields.refuse("/reminders", "needs_due_at", "Reminders count from due_at. Give it, too.");
        }
        if self.due_at.is_none() && self.recurrence.is_some() {
            fields.refuse("/recurrence", "needs_due_at", "A task comes back some time after due_at. Give it, too.");
        }
    }
}

/// The most characters of a recurrence rule, as the schemas say.
const _: () = assert!(recurrence::LONGEST == 500);

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TaskQuery {
    /// Finds tasks by how words of name and description begin. Where nothing is found so, parts of words count, and
    /// then words with typing errors. Every word has to be found. Without `sort`, the best match comes first.
    #[param(min_length = 1, max_length = 200, example = "quarterly call")]
    pub q: Option<String>,
    /// Only tasks of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only tasks of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only tasks that these users are to do. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub assignee_id: Vec<UserId>,
    /// Only tasks in one of these statuses. Repeat for several.
    #[param(max_items = 10)]
    pub status: Vec<TaskStatus>,
    /// Only tasks whose status means one of these. Repeat for several.
    #[param(max_items = 10)]
    pub status_class: Vec<TaskStatusClass>,
    /// Only tasks that matter as much. Repeat for several.
    #[param(max_items = 10)]
    pub priority: Vec<Priority>,
    /// Only tasks of these types. Repeat for several.
    #[serde(rename = "type")]
    #[param(max_items = 10)]
    pub kind: Vec<TaskType>,
    /// Only tasks about a record of this kind. Goes with `parent_id`.
    pub parent_kind: Option<ParentKind>,
    /// Only tasks about this record. Goes with `parent_kind`.
    pub parent_id: Option<Uuid>,
    /// Only tasks that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// `true` lists the tasks that are neither done nor given up although they were due, `false` the others.
    pub overdue: Option<bool>,
    /// Only tasks due at this time or later.
    pub due_after: Option<DateTime<Utc>>,
    /// Only tasks due before this time.
    pub due_before: Option<DateTime<Utc>>,
    /// Only tasks created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only tasks created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only tasks changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only tasks changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted tasks instead of the living.
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
    pub expand: Vec<TaskRelation>,
}

impl TaskQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.assignee_id.is_empty(), "assignee_id", "assignee_id"),
            (!self.status.is_empty(), "status", "status"),
            (!self.status_class.is_empty(), "status_class", "status_class"),
            (!self.priority.is_empty(), "priority", "priority"),
            (!self.kind.is_empty(), "type", "type"),
            (self.parent_kind.is_some(), "parent_kind", "parent"),
            (self.parent_id.is_some(), "parent_id", "parent"),
            (!self.tag.is_empty(), "tag", "tags"),
            (self.overdue.is_some(), "overdue", "due_at"),
            (self.overdue.is_some(), "overdue", "status_class"),
            (self.due_after.is_some(), "due_after", "due_at"),
            (self.due_before.is_some(), "due_before", "due_at"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref())).chain(TaskRelation::fields_used(&self.expand)).collect()
    }

    /// The parameters as nodes of a filter, each with its name; `now` is when they are asked. `q` looks after itself.
    pub fn filter_nodes(&self, now: DateTime<Utc>) -> Vec<(&'static str, Node)> {
        let parent_kind: Vec<ParentKind> = self.parent_kind.into_iter().collect();
        let parent_id: Vec<Uuid> = self.parent_id.into_iter().collect();
        Parameters::default()
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_of("assignee_id", &self.assignee_id)
            .one_of("status", &self.status)
            .one_of("status_class", &self.status_class)
            .one_of("priority", &self.priority)
            .one_of("type", &self.kind)
            .one_of("parent_kind", &parent_kind)
            .one_of("parent_id", &parent_id)
            .one_among("tag", "tags", &self.tag)
            .node("overdue", self.overdue.map(|is_overdue| overdue(is_overdue, now)))
            .after("due_after", "due_at", self.due_after)
            .before("due_before", "due_at", self.due_before)
            .after("created_after", "created_at", self.created_after)
            .before("created_before", "created_at", self.created_before)
            .after("updated_after", "updated_at", self.updated_after)
            .before("updated_before", "updated_at", self.updated_before)
            .into_nodes()
    }
}

/// Tasks that are neither done nor given up although they were due, or the others.
fn overdue(is_overdue: bool, now: DateTime<Utc>) -> Node {
    let due =
        InstantNode { field: "due_at".to_owned(), op: InstantOperator::Before, at: Some(now), from: None, to: None };
    let values = ["open", "on_hold"].map(ToOwned::to_owned).to_vec();
    let unfinished = ChoiceNode { field: "status_class".to_owned(), op: ChoiceOperator::In, values };
    let all = Node::All(AllNode { nodes: vec![Node::Instant(due), Node::Choice(unfinished)] });
    if is_overdue { all } else { Node::Not(NotNode { node: Box::new(all) }) }
}

/// Which of the caller's tasks to list.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MyTasksQuery {
    /// What the caller has to do with the task: `assignee` unless said otherwise. Repeat for both.
    #[param(max_items = 10)]
    pub involved_as: Vec<TaskInvolvement>,
    /// Only tasks whose status means one of these. Repeat for several.
    #[param(max_items = 10)]
    pub status_class: Vec<TaskStatusClass>,
    /// `true` lists the tasks that are neither done nor given up although they were due, `false` the others.
    pub overdue: Option<bool>,
    /// Only tasks due at this time or later.
    pub due_after: Option<DateTime<Utc>>,
    /// Only tasks due before this time.
    pub due_before: Option<DateTime<Utc>>,
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
    pub expand: Vec<TaskRelation>,
}

/// What a user has to do with a task: they are to do it, or they help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskInvolvement {
    Assignee,
    Collaborator,
}

impl MyTasksQuery {
    /// The fields by which these tasks are found and sorted whatever is asked: who may not read them has no such list.
    pub const ALWAYS_USED: &[&str] = &["assignee_id", "status", "status_class", "due_at"];

    /// Whether tasks are listed in which the caller is involved in this way.
    pub fn asks_for(&self, involvement: TaskInvolvement) -> bool {
        match self.involved_as.is_empty() {
            true => involvement == TaskInvolvement::Assignee,
            false => self.involved_as.contains(&involvement),
        }
    }

    /// The fields that parameters tell of, each with the parameter.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let helps = self.asks_for(TaskInvolvement::Collaborator).then_some(("involved_as", "collaborator_ids"));
        helps.into_iter().chain(TaskRelation::fields_used(&self.expand)).collect()
    }

    /// The parameters as nodes of a filter, each with its name; `now` is when they are asked.
    pub fn filter_nodes(&self, now: DateTime<Utc>) -> Vec<(&'static str, Node)> {
        Parameters::default()
            .one_of("status_class", &self.status_class)
            .node("overdue", self.overdue.map(|is_overdue| overdue(is_overdue, now)))
            .after("due_after", "due_at", self.due_after)
            .before("due_before", "due_at", self.due_before)
            .into_nodes()
    }
}

/// What is searched for, and how the answer shall be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"version": 1, "entity": "task", "where": {"type": "all", "nodes": [
        {"type": "choice", "field": "status_class", "op": "in", "values": ["open"]},
        {"type": "rolling", "field": "due_at", "op": "in_next", "amount": 7, "unit": "day"}
    ]}},
    "sort": "due_at", "limit": 20
}))]
pub struct TaskSearch {
    /// Which tasks; all where there is no filter.
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
    pub expand: Vec<TaskRelation>,
    /// `only` finds the deleted tasks instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl TaskSearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(TaskRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskRelation {
    Contact,
    Company,
    Lead,
    Opportunity,
    Product,
    Owner,
    Assignee,
}

impl TaskRelation {
    /// The kind of the parents that it embeds; none where it embeds somebody else.
    pub fn of_parents(self) -> Option<ParentKind> {
        match self {
            Self::Contact => Some(ParentKind::Contact),
            Self::Company => Some(ParentKind::Company),
            Self::Lead => Some(ParentKind::Lead),
            Self::Opportunity => Some(ParentKind::Opportunity),
            Self::Product => Some(ParentKind::Product),
            Self::Owner | Self::Assignee => None,
        }
    }

    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Owner => ("expand", "owner_id"),
            Self::Assignee => ("expand", "assignee_id"),
            Self::Contact | Self::Company | Self::Lead | Self::Opportunity | Self::Product => ("expand", "parent"),
        };
        expand.iter().map(field).collect()
    }
}

#[cfg(test)]
mod tests;
