//! Pipelines: the stages through which opportunities go, in their order.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::opportunity::REQUIRABLE;
use crate::{
    id::{PipelineId, StageId},
    problem::{Fields, Invalid},
    record::{ArchivedInList, Stamp},
    text,
    workspace::custom_field::{CustomField, CustomFields},
};

/// The most pipelines of a workspace.
pub const MOST_PIPELINES: i64 = 100;

/// How the name of a required field begins that is one of the workspace's own.
const CUSTOM: &str = "custom.";

/// Stages through which opportunities go, from the first talk to won or lost.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Pipeline {
    /// Identifies the pipeline for ever.
    #[schema(value_type = Uuid)]
    pub id: PipelineId,
    /// Counts the changes, also those of its stages; also the ETag.
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
    /// Its name for people.
    #[schema(example = "New business")]
    pub name: String,
    /// Opportunities begin here unless another pipeline is named. One pipeline of a workspace is the default.
    #[schema(example = true)]
    pub is_default: bool,
    /// Takes no opportunities any more. Those that are in it stay.
    #[schema(example = false)]
    pub archived: bool,
    /// Whether opportunities may go back to an earlier stage.
    #[schema(example = true)]
    pub allow_backward: bool,
    /// Whether opportunities may leave out stages. They can be won or lost from every stage.
    #[schema(example = true)]
    pub allow_skip: bool,
    /// Its stages, in their order.
    pub stages: Vec<Stage>,
    /// Stages that were taken away. What is told of the past may name them.
    pub archived_stages: Vec<Stage>,
}

/// A step of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Stage {
    /// Identifies the stage for ever.
    #[schema(value_type = Uuid)]
    pub id: StageId,
    /// Its name for programs, which never changes.
    #[schema(example = "proposal")]
    pub key: String,
    /// Its name for people.
    #[schema(example = "Proposal")]
    pub name: String,
    /// What it means that an opportunity is here. It never changes.
    pub class: StageClass,
    /// How likely an opportunity that comes here is won, in percent.
    #[schema(example = 50)]
    pub probability: i16,
    /// What a forecast counts an opportunity as that comes here.
    pub forecast_category: ForecastCategory,
    /// For how many days opportunities usually stay.
    #[schema(example = 14)]
    pub expected_days: Option<i32>,
    /// After how many days one should be looked after.
    #[schema(example = 30)]
    pub warning_days: Option<i32>,
    /// Whether opportunities may be created here.
    #[schema(example = true)]
    pub can_begin: bool,
    /// Fields that have to have a value before an opportunity comes here. A custom one that is archived is not asked for.
    #[schema(example = json!(["amount"]))]
    pub required_fields: Vec<String>,
}

/// A stage as it shall be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "key": "proposal", "name": "Proposal", "class": "open", "probability": 50, "forecast_category": "best_case",
    "expected_days": 14, "warning_days": 30, "required_fields": ["amount"]
}))]
pub struct StageInput {
    /// Which stage it is; left out for a new one.
    #[schema(value_type = Option<Uuid>, nullable = false)]
    pub id: Option<StageId>,
    /// Its name for programs, which no other stage of the pipeline has: small letters, digits and underscores. It never
    /// changes.
    #[schema(required, pattern = "^[a-z][a-z0-9_]{0,62}$", example = "proposal")]
    pub key: String,
    /// Its name for people.
    #[schema(required, min_length = 1, max_length = 100, example = "Proposal")]
    pub name: String,
    /// What it means that an opportunity is here. It never changes.
    #[schema(required, inline = false)]
    pub class: StageClass,
    /// How likely an opportunity that comes here is won, in percent. It is 100 where it is won, and 0 where it is lost.
    #[schema(minimum = 0, maximum = 100, example = 50)]
    pub probability: i16,
    /// What a forecast counts an opportunity as that comes here; `pipeline` unless said otherwise. It is `closed` where it
    /// is won, and `omitted` where it is lost.
    #[schema(inline = false)]
    pub forecast_category: ForecastCategory,
    /// For how many days opportunities usually stay.
    #[schema(minimum = 1, maximum = 3650, example = 14)]
    pub expected_days: Option<i32>,
    /// After how many days one should be looked after.
    #[schema(minimum = 1, maximum = 3650, example = 30)]
    pub warning_days: Option<i32>,
    /// Whether opportunities may be created here; true for open stages unless said otherwise, and false for others.
    #[schema(nullable = false, example = true)]
    pub can_begin: Option<bool>,
    /// Fields that have to have a value before an opportunity comes here; custom ones as `custom.` and their key.
    #[schema(max_items = 50, schema_with = required_fields, example = json!(["amount"]))]
    pub required_fields: Vec<String>,
}

/// What it means that an opportunity is in a stage. Logic, reports and filters go by it, whatever stages are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageClass {
    #[default]
    Open,
    Won,
    Lost,
}

/// What a forecast counts an opportunity as. More values will follow: treat an unknown one as `pipeline`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastCategory {
    Omitted,
    #[default]
    Pipeline,
    BestCase,
    Commit,
    Closed,
}

fn required_fields() -> utoipa::openapi::schema::Array {
    crate::record::names_of_fields(50, "Names of fields.").build()
}

/// A pipeline to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "Renewals", "allow_backward": false, "stages": [
        {"key": "due", "name": "Due", "class": "open", "probability": 70, "forecast_category": "best_case"},
        {"key": "offered", "name": "Offered", "class": "open", "probability": 90, "forecast_category": "commit"},
        {"key": "won", "name": "Renewed", "class": "won"},
        {"key": "lost", "name": "Cancelled", "class": "lost"}
    ]
}))]
pub struct NewPipeline {
    /// Its name for people, which no other pipeline has.
    #[schema(required, min_length = 1, max_length = 100)]
    pub name: String,
    /// Opportunities begin here unless another pipeline is named: the default until now is none any more.
    #[schema(default = false)]
    pub is_default: bool,
    /// Takes no opportunities yet.
    #[schema(default = false)]
    pub archived: bool,
    /// Whether opportunities may go back to an earlier stage; true unless said otherwise.
    #[schema(nullable = false)]
    pub allow_backward: Option<bool>,
    /// Whether opportunities may leave out stages; true unless said otherwise.
    #[schema(nullable = false)]
    pub allow_skip: Option<bool>,
    /// Its stages, in their order: at least one of each class. The usual ones unless said otherwise.
    #[serde(deserialize_with = "crate::record::none_if_empty")]
    #[schema(nullable = false, max_items = 50)]
    pub stages: Option<Vec<StageInput>>,
}

/// Changes to a pipeline, as JSON Merge Patch: absent fields stay, the list of stages is replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"allow_backward": false}))]
pub struct PipelinePatch {
    /// Its name for people, which no other pipeline has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// True makes it the default instead of the one until now. To make it none, make another the default.
    #[schema(nullable = false)]
    pub is_default: Option<bool>,
    /// Takes no opportunities any more. Those that are in it stay.
    #[schema(nullable = false)]
    pub archived: Option<bool>,
    /// Whether opportunities may go back to an earlier stage.
    #[schema(nullable = false)]
    pub allow_backward: Option<bool>,
    /// Whether opportunities may leave out stages. They can be won or lost from every stage.
    #[schema(nullable = false)]
    pub allow_skip: Option<bool>,
    /// All stages that there shall be, in their order: those with an `id` are kept and changed, those without are new,
    /// those that are missing are taken away. One in which there are opportunities stays until they are moved.
    #[serde(deserialize_with = "crate::record::none_if_empty")]
    #[schema(nullable = false, max_items = 50)]
    pub stages: Option<Vec<StageInput>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PipelineQuery {
    /// `include` lists archived pipelines, too.
    #[param(inline = false, default = "exclude")]
    pub archived: ArchivedInList,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

/// From which stage to which opportunities are to be moved.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StageTransfer {
    /// The stage that they leave.
    #[schema(value_type = Uuid)]
    pub from_stage_id: StageId,
    /// The stage that they go to: one of the same class, of this pipeline or of another that is not archived.
    #[schema(value_type = Uuid)]
    pub to_stage_id: StageId,
}

/// What came of moving the opportunities of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StageTransferred {
    /// How many were moved.
    #[schema(minimum = 0, example = 1000)]
    pub moved: i64,
    /// How many are still there: call again until there are none.
    #[schema(minimum = 0, example = 234)]
    pub remaining: i64,
}

/// The stages with which a workspace begins.
const SEEDS: &[(&str, &str, StageClass, i16, ForecastCategory)] = &[
    ("prospecting", "Prospecting", StageClass::Open, 10, ForecastCategory::Pipeline),
    ("qualification", "Qualification", StageClass::Open, 20, ForecastCategory::Pipeline),
    ("proposal", "Proposal", StageClass::Open, 50, ForecastCategory::BestCase),
    ("negotiation", "Negotiation", StageClass::Open, 80, ForecastCategory::Commit),
    ("won", "Won", StageClass::Won, 100, ForecastCategory::Closed),
    ("lost", "Lost", StageClass::Lost, 0, ForecastCategory::Omitted),
];

fn usual_stages() -> Vec<StageInput> {
    let stage =
        |(key, name, class, probability, category): &(&str, &str, StageClass, i16, ForecastCategory)| StageInput {
            key: (*key).to_owned(),
            name: (*name).to_owned(),
            class: *class,
            probability: *probability,
            forecast_category: *category,
            ..StageInput::default()
        };
    SEEDS.iter().map(stage).collect()
}

impl Pipeline {
    /// A new pipeline.
    pub fn create(new: NewPipeline, id: PipelineId, stamp: Stamp) -> Result<Self, Invalid> {
        let given = new.stages.unwrap_or_else(usual_stages);
        let mut fields = Fields::default();
        for (index, _) in given.iter().enumerate().filter(|(_, stage)| stage.id.is_some()) {
            let detail = "A new pipeline has new stages. Leave the id out.";
            fields.refuse(format!("/stages/{index}/id"), "not_allowed", detail);
        }
        fields.verdict()?;
        let pipeline = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            name: new.name,
            is_default: new.is_default,
            archived: new.archived,
            allow_backward: new.allow_backward.unwrap_or(true),
            allow_skip: new.allow_skip.unwrap_or(true),
            stages: given.into_iter().map(StageInput::settled).collect(),
            archived_stages: Vec::new(),
        };
        pipeline.checked()
    }

    /// The pipeline with which a workspace begins.
    pub fn seed(stamp: Stamp) -> Result<Self, Invalid> {
        let new = NewPipeline { name: "Sales".to_owned(), is_default: true, ..NewPipeline::default() };
        Self::create(new, PipelineId::mint(), stamp)
    }

    /// The pipeline as it would be after a patch. Stages that are missing in it are archived.
    pub fn patch(&self, patch: PipelinePatch) -> Result<Self, Invalid> {
        let (stages, archived_stages) = match patch.stages {
            Some(given) => self.with_stages(given)?,
            None => (self.stages.clone(), self.archived_stages.clone()),
        };
        let pipeline = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            is_default: patch.is_default.unwrap_or(self.is_default),
            archived: patch.archived.unwrap_or(self.archived),
            allow_backward: patch.allow_backward.unwrap_or(self.allow_backward),
            allow_skip: patch.allow_skip.unwrap_or(self.allow_skip),
            stages,
            archived_stages,
            ..*self
        };
        if self.is_default && !pipeline.is_default {
            let detail = "A workspace needs a default pipeline. Make another one the default instead.";
            return Err(Invalid::at("/is_default", "required", detail));
        }
        pipeline.checked()
    }

    /// Its stages after a change, and those that are archived then.
    fn with_stages(&self, given: Vec<StageInput>) -> Result<(Vec<Stage>, Vec<Stage>), Invalid> {
        let mut fields = Fields::default();
        let mut kept = HashSet::new();
        for (index, stage) in given.iter().enumerate() {
            let Some(id) = stage.id else { continue };
            if !kept.insert(id) {
                fields.refuse(format!("/stages/{index}/id"), "duplicate", "This stage is in the list twice.");
            }
            let Some(before) = self.stage(id) else {
                let detail = "The pipeline has no such stage. Name one of its own, or leave the id out for a new one.";
                fields.refuse(format!("/stages/{index}/id"), "unknown_reference", detail);
                continue;
            };
            if before.key != stage.key {
                let detail = format!("The key of a stage never changes: this one is {}.", before.key);
                fields.refuse(format!("/stages/{index}/key"), "never_changes", detail);
            }
            if before.class != stage.class {
                let detail = "A stage keeps its class. Add another stage, and take this one away.";
                fields.refuse(format!("/stages/{index}/class"), "never_changes", detail);
            }
        }
        fields.verdict()?;
        let gone = self.stages.iter().filter(|stage| !kept.contains(&stage.id)).cloned();
        let archived = self.archived_stages.iter().cloned().chain(gone).collect();
        Ok((given.into_iter().map(StageInput::settled).collect(), archived))
    }

    /// The same without being the default.
    #[must_use]
    pub fn no_default(&self) -> Self {
        Self { is_default: false, ..self.clone() }
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// Its stage of this id, unless it was taken away.
    pub fn stage(&self, id: StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == id)
    }

    /// Its stage of this id, also one that was taken away.
    pub fn any_stage(&self, id: StageId) -> Option<&Stage> {
        self.stages.iter().chain(&self.archived_stages).find(|stage| stage.id == id)
    }

    /// Its first stage of a class.
    pub fn first(&self, class: StageClass) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.class == class)
    }

    /// Where opportunities begin unless a stage is named.
    pub fn beginning(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.can_begin)
    }

    /// Whether an opportunity may come here that is in this pipeline or another: to one that is archived come none.
    pub fn takes_from(&self, pipeline: PipelineId) -> bool {
        !self.archived || self.id == pipeline
    }

    /// Refuses an opportunity that comes from a pipeline; `pointer` is where a stage of this one was named.
    pub fn require_takes_from(&self, pipeline: PipelineId, pointer: &str) -> Result<(), Invalid> {
        if self.takes_from(pipeline) {
            return Ok(());
        }
        let detail = "The pipeline of this stage is archived. Name a stage of another.";
        Err(Invalid::at(pointer, "archived", detail))
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A pipeline needs a name.");
        }
        if self.is_default && self.archived {
            let detail = "Opportunities begin in the default pipeline. Make another one the default first.";
            fields.refuse("/archived", "not_allowed", detail);
        }
        for class in [StageClass::Open, StageClass::Won, StageClass::Lost] {
            if self.first(class).is_none() {
                let detail = format!("A pipeline needs a stage of the class {}.", class.as_str());
                fields.refuse("/stages", "required", detail);
            }
        }
        if self.beginning().is_none() {
            let detail = "Let opportunities begin in one of the open stages: set its can_begin to true.";
            fields.refuse("/stages", "required", detail);
        }
        let (mut keys, mut names) = (HashSet::new(), HashSet::new());
        for (index, stage) in self.stages.iter_mut().enumerate() {
            stage.check(&format!("/stages/{index}"), &mut fields);
            if !keys.insert(stage.key.clone()) {
                fields.refuse(format!("/stages/{index}/key"), "duplicate", "Another stage has this key.");
            }
            if !names.insert(text::fold(&stage.name)) {
                fields.refuse(format!("/stages/{index}/name"), "duplicate", "Another stage has this name.");
            }
        }
        fields.verdict().map(|()| self)
    }
}

impl StageClass {
    /// Its word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

impl StageInput {
    /// The stage with what its class alone allows, and with an id.
    fn settled(self) -> Stage {
        let (probability, forecast_category) = match self.class {
            StageClass::Open => (self.probability, self.forecast_category),
            StageClass::Won => (100, ForecastCategory::Closed),
            StageClass::Lost => (0, ForecastCategory::Omitted),
        };
        Stage {
            id: self.id.unwrap_or_else(StageId::mint),
            key: self.key,
            name: self.name,
            class: self.class,
            probability,
            forecast_category,
            expected_days: self.expected_days,
            warning_days: self.warning_days,
            can_begin: self.can_begin.unwrap_or(self.class == StageClass::Open),
            required_fields: self.required_fields,
        }
    }
}

impl Stage {
    fn check(&mut self, place: &str, fields: &mut Fields) {
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse(format!("{place}/name"), "required", "A stage needs a name.");
        }
        if self.class != StageClass::Open && self.can_begin {
            let detail = "Opportunities begin in open stages. Set it to false.";
            fields.refuse(format!("{place}/can_begin"), "not_allowed", detail);
        }
        if self.class == StageClass::Open && self.forecast_category == ForecastCategory::Closed {
            let detail = "Only what is won is closed. Choose another category.";
            fields.refuse(format!("{place}/forecast_category"), "not_allowed", detail);
        }
        for (index, field) in self.required_fields.iter().enumerate() {
            let is_custom = field.strip_prefix(CUSTOM).is_some_and(text::is_key);
            if !is_custom && !REQUIRABLE.contains(&field.as_str()) {
                let detail = format!("A stage can require {}, or custom. and a key.", REQUIRABLE.join(", "));
                fields.refuse(format!("{place}/required_fields/{index}"), "unknown_field", detail);
            }
        }
    }
}

/// The pipelines of a workspace: by what opportunities are judged.
#[derive(Clone, Debug, Default)]
pub struct Pipelines(Vec<Pipeline>);

impl Pipelines {
    pub fn of(pipelines: Vec<Pipeline>) -> Self {
        Self(pipelines)
    }

    pub fn get(&self, id: PipelineId) -> Option<&Pipeline> {
        self.0.iter().find(|pipeline| pipeline.id == id)
    }

    /// The pipeline in which opportunities begin.
    pub fn default(&self) -> Option<&Pipeline> {
        self.0.iter().find(|pipeline| pipeline.is_default)
    }

    /// A stage and its pipeline, unless it was taken away.
    pub fn stage(&self, id: StageId) -> Option<(&Pipeline, &Stage)> {
        self.0.iter().find_map(|pipeline| pipeline.stage(id).map(|stage| (pipeline, stage)))
    }

    /// Whether a stage requires a field of the workspace's own.
    pub fn require_custom(&self) -> bool {
        let mut stages = self.0.iter().flat_map(|pipeline| &pipeline.stages);
        stages.any(|stage| stage.required_fields.iter().any(|field| field.starts_with(CUSTOM)))
    }

    /// The same without the requirements that nobody can meet: fields that were archived since take no value.
    #[must_use]
    pub fn without_archived(mut self, fields: &CustomFields) -> Self {
        let is_archived = |field: &str| {
            let own = field.strip_prefix(CUSTOM).and_then(|key| fields.find(key));
            own.is_some_and(CustomField::is_archived)
        };
        for stage in self.0.iter_mut().flat_map(|pipeline| pipeline.stages.iter_mut()) {
            stage.required_fields.retain(|field| !is_archived(field));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{id::CustomFieldId, record::Source, workspace::custom_field::NewCustomField};

    fn stamp() -> Stamp {
        Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api)
    }

    /// Stages as a caller sends them back.
    fn sent(pipeline: &Pipeline) -> Vec<StageInput> {
        let stages = pipeline.stages.iter().map(|stage| serde_json::to_value(stage).unwrap());
        stages.map(|stage| serde_json::from_value(stage).unwrap()).collect()
    }

    fn pointers(result: Result<Pipeline, Invalid>) -> Vec<String> {
        let problems = result.err().map(Invalid::into_problems).unwrap_or_default();
        problems.into_iter().filter_map(|problem| problem.pointer).collect()
    }

    #[test]
    fn a_workspace_begins_with_the_usual_stages() {
        let seed = Pipeline::seed(stamp()).unwrap();
        assert!(seed.is_default && !seed.archived);
        assert_eq!(seed.stages.len(), 6);
        assert_eq!(seed.beginning().unwrap().key, "prospecting");
    }

    #[test]
    fn each_class_has_a_stage_and_no_name_stands_twice() {
        let seed = Pipeline::seed(stamp()).unwrap();
        let without_lost = sent(&seed).into_iter().filter(|stage| stage.class != StageClass::Lost).collect();
        let patch = PipelinePatch { stages: Some(without_lost), ..PipelinePatch::default() };
        assert_eq!(pointers(seed.patch(patch)), ["/stages"]);
        let mut twice = sent(&seed);
        twice[1].name = "PROSPECTING ".to_owned();
        let patch = PipelinePatch { stages: Some(twice), ..PipelinePatch::default() };
        assert_eq!(pointers(seed.patch(patch)), ["/stages/1/name"]);
    }

    #[test]
    fn a_stage_keeps_its_key_and_class_and_is_archived_when_it_is_left_out() {
        let seed = Pipeline::seed(stamp()).unwrap();
        let mut stages = sent(&seed);
        stages[2].class = StageClass::Won;
        stages[3].key = "haggling".to_owned();
        let patch = PipelinePatch { stages: Some(stages), ..PipelinePatch::default() };
        assert_eq!(pointers(seed.patch(patch)), ["/stages/2/class", "/stages/3/key"]);
        let mut stages = sent(&seed);
        stages.remove(1);
        let patch = PipelinePatch { stages: Some(stages), ..PipelinePatch::default() };
        let after = seed.patch(patch).unwrap();
        assert_eq!(after.archived_stages, [seed.stages[1].clone()]);
        assert_eq!(
            seed.patch(PipelinePatch { stages: Some(sent(&seed)), ..PipelinePatch::default() }),
            Ok(seed.clone())
        );
        assert_eq!(after.stages.len(), 5);
    }

    #[test]
    fn the_default_pipeline_is_neither_archived_nor_given_up() {
        let seed = Pipeline::seed(stamp()).unwrap();
        let archive = PipelinePatch { archived: Some(true), ..PipelinePatch::default() };
        assert_eq!(pointers(seed.patch(archive)), ["/archived"]);
        let give_up = PipelinePatch { is_default: Some(false), ..PipelinePatch::default() };
        assert_eq!(pointers(seed.patch(give_up)), ["/is_default"]);
    }

    #[test]
    fn an_archived_pipeline_takes_nothing_but_what_is_in_it() {
        let seed = Pipeline::seed(stamp()).unwrap();
        let archived = Pipeline { archived: true, ..seed.no_default() };
        let elsewhere = PipelineId::mint();
        assert!(seed.takes_from(elsewhere) && archived.takes_from(archived.id));
        let invalid = archived.require_takes_from(elsewhere, "/to_stage_id").unwrap_err();
        let problem = &invalid.problems()[0];
        assert_eq!((problem.pointer.as_deref(), problem.code.as_str()), (Some("/to_stage_id"), "archived"));
    }

    #[test]
    fn what_was_archived_is_not_required_any_more() {
        let field = |key: &str| {
            let new = json!({"resource": "opportunities", "key": key, "label": key, "type": "text"});
            let new: NewCustomField = serde_json::from_value(new).unwrap();
            CustomField::create(new, CustomFieldId::mint(), stamp(), 1).unwrap()
        };
        let archived = CustomField { archived_at: Some(stamp().at), ..field("budget") };
        let fields = CustomFields::new(vec![archived, field("region")]);
        let seed = Pipeline::seed(stamp()).unwrap();
        let mut stages = sent(&seed);
        stages[1].required_fields = ["amount", "custom.budget", "custom.region"].map(ToOwned::to_owned).to_vec();
        stages[2].required_fields = vec!["custom.budget".to_owned()];
        let patch = PipelinePatch { stages: Some(stages), ..PipelinePatch::default() };
        let left = Pipelines::of(vec![seed.patch(patch).unwrap()]).without_archived(&fields);
        let own = left.default().unwrap();
        assert_eq!(own.stages[1].required_fields, ["amount", "custom.region"]);
        assert!(own.stages[2].required_fields.is_empty());
        assert!(left.require_custom() && !Pipelines::of(vec![seed]).require_custom());
    }
}
