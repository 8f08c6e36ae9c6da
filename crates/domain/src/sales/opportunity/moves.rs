//! How opportunities go from stage to stage. What is not allowed here is never written.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Opportunity, Pipeline, Pipelines, Stage, StageClass};
use crate::{
    id::{LostReasonId, StageId},
    problem::Invalid,
    record::Stamp,
};

/// Where an opportunity shall go.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"stage_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d"}))]
pub struct MoveOpportunity {
    /// The stage that it goes to, of its own pipeline or of another.
    #[schema(value_type = Uuid)]
    pub stage_id: StageId,
    /// Why it is lost. Needed where the stage is of the class `lost`.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub lost_reason_id: Option<LostReasonId>,
    /// Why it is lost, in words.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    pub lost_note: Option<String>,
}

/// How an opportunity is won.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct WinOpportunity {
    /// The stage that it goes to: the first of its pipeline that is of the class `won`, unless said otherwise.
    #[schema(value_type = Option<Uuid>)]
    pub stage_id: Option<StageId>,
}

/// How and why an opportunity is lost.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "lost_reason_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b", "lost_note": "The other offer came with an assembly crew."
}))]
pub struct LoseOpportunity {
    /// Why it is lost.
    #[schema(value_type = Uuid)]
    pub lost_reason_id: LostReasonId,
    /// Why it is lost, in words.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    pub lost_note: Option<String>,
    /// The stage that it goes to: the first of its pipeline that is of the class `lost`, unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub stage_id: Option<StageId>,
}

/// Where a closed opportunity goes on.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ReopenOpportunity {
    /// The open stage that it goes to, of its own pipeline or of another that is not archived: the one it was in last, unless
    /// said otherwise.
    #[schema(value_type = Option<Uuid>)]
    pub stage_id: Option<StageId>,
}

/// Why something was lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closing {
    pub lost_reason_id: Option<LostReasonId>,
    pub lost_note: Option<String>,
}

impl Opportunity {
    /// The opportunity in another stage, which may be one that closes it. In the stage that it is in already, it stays as
    /// it is.
    pub fn moved(&self, to: StageId, closing: &Closing, pipelines: &Pipelines, stamp: Stamp) -> Result<Self, Invalid> {
        let (pipeline, stage) = pipelines.stage(to).ok_or_else(unknown_stage)?;
        if stage.id == self.stage_id {
            return Ok(self.clone());
        }
        if self.stage_class != StageClass::Open {
            return Err(Invalid::transition("/stage_id", "The opportunity is closed. Reopen it first."));
        }
        pipeline.require_takes_from(self.pipeline_id, "/stage_id")?;
        if pipeline.id == self.pipeline_id && stage.class == StageClass::Open {
            self.require_step(pipeline, stage)?;
        }
        self.in_stage(pipeline, stage, closing, stamp)
    }

    /// The opportunity won.
    pub fn won(&self, win: &WinOpportunity, pipelines: &Pipelines, stamp: Stamp) -> Result<Self, Invalid> {
        let to = self.closing_stage(win.stage_id, StageClass::Won, pipelines)?;
        self.moved(to, &Closing::default(), pipelines, stamp)
    }

    /// The opportunity lost. What is lost in this stage already stays there as it is, but for reason and note.
    pub fn lost(&self, lose: &LoseOpportunity, pipelines: &Pipelines, stamp: Stamp) -> Result<Self, Invalid> {
        let to = self.closing_stage(lose.stage_id, StageClass::Lost, pipelines)?;
        let closing = Closing { lost_reason_id: Some(lose.lost_reason_id), lost_note: lose.lost_note.clone() };
        if to == self.stage_id {
            let Closing { lost_reason_id, lost_note } = closing;
            return Ok(Self { lost_reason_id, lost_note, expanded: None, ..self.clone() });
        }
        self.moved(to, &closing, pipelines, stamp)
    }

    /// The opportunity open again: as it is where it is open, else in a stage that is named, or in the one that it was in last,
    /// or in the first of its pipeline.
    pub fn reopened(
        &self,
        named: Option<StageId>,
        last_open: Option<StageId>,
        pipelines: &Pipelines,
        stamp: Stamp,
    ) -> Result<Self, Invalid> {
        if self.stage_class == StageClass::Open {
            return match named {
                None => Ok(self.clone()),
                Some(id) if id == self.stage_id => Ok(self.clone()),
                Some(_) => Err(Invalid::transition("/stage_id", "The opportunity is open. Move it instead.")),
            };
        }
        let own = pipelines.get(self.pipeline_id);
        let first = || own.and_then(|pipeline| pipeline.first(StageClass::Open)).map(|stage| stage.id);
        // To one that was taken away, or whose pipeline takes no opportunities any more, it can't go back.
        let last = last_open
            .filter(|id| pipelines.stage(*id).is_some_and(|(pipeline, _)| pipeline.takes_from(self.pipeline_id)));
        let id = named.or(last).or_else(first).ok_or_else(unknown_stage)?;
        let (pipeline, stage) = pipelines.stage(id).ok_or_else(unknown_stage)?;
        if stage.class != StageClass::Open {
            let detail = "What is reopened goes to an open stage. Name one, or leave it out.";
            return Err(Invalid::at("/stage_id", "not_allowed", detail));
        }
        pipeline.require_takes_from(self.pipeline_id, "/stage_id")?;
        self.in_stage(pipeline, stage, &Closing::default(), stamp)
    }

    /// The opportunity in a stage that takes the place of its own, of the same class: nothing else about it changes.
    pub fn transferred(&self, pipeline: &Pipeline, stage: &Stage, stamp: Stamp) -> Self {
        Self {
            pipeline_id: pipeline.id,
            stage_id: stage.id,
            stage_entered_at: stamp.at.max(self.updated_at),
            expanded: None,
            ..self.clone()
        }
    }

    fn closing_stage(
        &self,
        named: Option<StageId>,
        class: StageClass,
        pipelines: &Pipelines,
    ) -> Result<StageId, Invalid> {
        let stage = match named {
            Some(id) => pipelines.stage(id).map(|(_, stage)| stage),
            None => pipelines.get(self.pipeline_id).and_then(|pipeline| pipeline.first(class)),
        };
        let stage = stage.ok_or_else(unknown_stage)?;
        if stage.class != class {
            let detail = format!(
                "This stage is of the class {}. Name one of the class {}.",
                stage.class.as_str(),
                class.as_str()
            );
            return Err(Invalid::at("/stage_id", "not_allowed", detail));
        }
        if self.stage_class == class && named.is_none() {
            return Ok(self.stage_id);
        }
        Ok(stage.id)
    }

    /// Refuses a step to another open stage that the rules of the pipeline do not allow.
    fn require_step(&self, pipeline: &Pipeline, stage: &Stage) -> Result<(), Invalid> {
        let open: Vec<&Stage> = pipeline.stages.iter().filter(|stage| stage.class == StageClass::Open).collect();
        let place = |id: StageId| open.iter().position(|stage| stage.id == id);
        // A stage that was taken away has no place: from there everything is allowed.
        let (Some(from), Some(to)) = (place(self.stage_id), place(stage.id)) else { return Ok(()) };
        let is_allowed = |to: usize| match to < from {
            true => pipeline.allow_backward,
            false => pipeline.allow_skip || to == from + 1,
        };
        if is_allowed(to) {
            return Ok(());
        }
        let reachable = open.iter().enumerate().filter(|(place, _)| *place != from && is_allowed(*place));
        let mut allowed: Vec<&str> = reachable.map(|(_, stage)| stage.key.as_str()).collect();
        let closing = pipeline.stages.iter().filter(|stage| stage.class != StageClass::Open);
        allowed.extend(closing.map(|stage| stage.key.as_str()));
        let detail = format!(
            "The pipeline does not let an opportunity go from {} to {}. From here it can go to {}.",
            open[from].key,
            stage.key,
            allowed.join(", ")
        );
        Err(Invalid::transition("/stage_id", detail))
    }

    fn in_stage(&self, pipeline: &Pipeline, stage: &Stage, closing: &Closing, stamp: Stamp) -> Result<Self, Invalid> {
        let is_lost = stage.class == StageClass::Lost;
        if is_lost && closing.lost_reason_id.is_none() {
            let detail = "Say why it is lost. GET /v1/lost_reasons lists what there is to choose from.";
            return Err(Invalid::at("/lost_reason_id", "required", detail));
        }
        if !is_lost && closing.lost_reason_id.is_some() {
            let detail = "Only what is lost has a reason. Leave it out, or name a stage of the class lost.";
            return Err(Invalid::at("/lost_reason_id", "not_allowed", detail));
        }
        // The clock of this server may be behind that of the one that wrote before.
        let at = stamp.at.max(self.updated_at);
        let closed_at = (stage.class != StageClass::Open).then_some(at);
        let mut moved = Self {
            pipeline_id: pipeline.id,
            stage_id: stage.id,
            stage_class: stage.class,
            stage_entered_at: at,
            probability: stage.probability,
            forecast_category: stage.forecast_category,
            closed_at,
            won_at: closed_at.filter(|_| stage.class == StageClass::Won),
            lost_at: closed_at.filter(|_| is_lost),
            lost_reason_id: closing.lost_reason_id,
            lost_note: closing.lost_note.clone().filter(|_| is_lost),
            expanded: None,
            ..self.clone()
        };
        moved.expected_amount = moved.expected(moved.currency.as_deref());
        moved.with_required(stage)
    }
}

fn unknown_stage() -> Invalid {
    Invalid::at("/stage_id", "unknown_reference", "There is no such stage. Name one of a pipeline.")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use uuid::Uuid;

    use super::{
        super::{LineProducts, NewOpportunity, OpportunityPatch},
        *,
    };
    use crate::{
        id::{OpportunityId, PipelineId},
        money,
        record::Source,
        sales::pipeline::{ForecastCategory, NewPipeline, PipelinePatch},
    };

    fn stamp(second: i64) -> Stamp {
        let at: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        Stamp::new(at, None, Source::Api)
    }

    /// The pipelines of a workspace, and the one that is not the default.
    fn two_pipelines(allow_backward: bool, allow_skip: bool) -> (Pipelines, Pipeline) {
        let rules = PipelinePatch {
            allow_backward: Some(allow_backward),
            allow_skip: Some(allow_skip),
            ..PipelinePatch::default()
        };
        let first = Pipeline::seed(stamp(0)).unwrap().patch(rules).unwrap();
        let new = NewPipeline { name: "Renewals".to_owned(), ..NewPipeline::default() };
        let away = Pipeline::create(new, PipelineId::mint(), stamp(0)).unwrap();
        (Pipelines::of(vec![first, away.clone()]), away)
    }

    fn pipelines(allow_backward: bool, allow_skip: bool) -> Pipelines {
        two_pipelines(allow_backward, allow_skip).0
    }

    fn opportunity(pipelines: &Pipelines) -> Opportunity {
        let new = NewOpportunity {
            name: "Packing line".to_owned(),
            amount: Some(Decimal::new(1_250_055, 2)),
            currency: Some("EUR".to_owned()),
            ..NewOpportunity::default()
        };
        Opportunity::create(new, OpportunityId::mint(), stamp(0), pipelines, &LineProducts::new()).unwrap()
    }

    fn stage(pipelines: &Pipelines, number: usize) -> StageId {
        let own = pipelines.default().unwrap();
        own.stages[number].id
    }

    fn lost() -> LoseOpportunity {
        LoseOpportunity { lost_reason_id: LostReasonId::mint(), lost_note: Some("Too late".to_owned()), stage_id: None }
    }

    #[test]
    fn what_the_pipeline_forbids_is_refused_with_what_it_allows() {
        let pipelines = pipelines(false, false);
        let new = opportunity(&pipelines);
        let skips = new.moved(stage(&pipelines, 2), &Closing::default(), &pipelines, stamp(1)).unwrap_err();
        assert!(skips.is_transition());
        let detail = &skips.problems()[0].detail;
        assert!(detail.ends_with("it can go to qualification, won, lost."), "{detail}");
        let second = new.moved(stage(&pipelines, 1), &Closing::default(), &pipelines, stamp(1)).unwrap();
        let back = second.moved(stage(&pipelines, 0), &Closing::default(), &pipelines, stamp(2));
        assert!(back.unwrap_err().is_transition());
        assert!(second.won(&WinOpportunity::default(), &pipelines, stamp(2)).is_ok(), "won from every stage");
    }

    #[test]
    fn a_loss_needs_a_reason_and_nothing_else_has_one() {
        let pipelines = pipelines(true, true);
        let new = opportunity(&pipelines);
        let without = new.moved(stage(&pipelines, 5), &Closing::default(), &pipelines, stamp(1));
        let invalid = without.unwrap_err();
        assert!(!invalid.is_transition());
        assert_eq!(invalid.problems()[0].pointer.as_deref(), Some("/lost_reason_id"));
        let reason = Closing { lost_reason_id: Some(LostReasonId::mint()), lost_note: None };
        let won = new.moved(stage(&pipelines, 4), &reason, &pipelines, stamp(1)).unwrap_err();
        assert_eq!(won.problems()[0].code, "not_allowed");
    }

    #[test]
    fn a_stage_lets_in_what_has_its_fields() {
        let own = Pipeline::seed(stamp(0)).unwrap();
        let mut sent = serde_json::to_value(&own.stages).unwrap();
        sent[1]["required_fields"] = serde_json::json!(["close_date", "custom.budget"]);
        let stages = serde_json::from_value(sent).unwrap();
        let own = own.patch(PipelinePatch { stages: Some(stages), ..PipelinePatch::default() }).unwrap();
        let pipelines = Pipelines::of(vec![own]);
        let new = opportunity(&pipelines);
        let invalid = new.moved(stage(&pipelines, 1), &Closing::default(), &pipelines, stamp(1)).unwrap_err();
        let pointers: Vec<&str> = invalid.problems().iter().filter_map(|problem| problem.pointer.as_deref()).collect();
        assert_eq!(pointers, ["/close_date", "/custom/budget"]);
    }

    #[test]
    fn what_is_reopened_goes_to_no_archived_pipeline_but_its_own() {
        let (before, away) = two_pipelines(true, true);
        let there = away.stages[1].id;
        let gone = opportunity(&before).moved(there, &Closing::default(), &before, stamp(1)).unwrap();
        let archived = away.patch(PipelinePatch { archived: Some(true), ..PipelinePatch::default() }).unwrap();
        let after = Pipelines::of(vec![before.default().unwrap().clone(), archived]);
        let back = gone.moved(stage(&before, 4), &Closing::default(), &before, stamp(2)).unwrap();
        let named = back.reopened(Some(there), Some(there), &after, stamp(3)).unwrap_err();
        assert_eq!((named.problems()[0].code.as_str(), named.is_transition()), ("archived", false));
        let reopened = back.reopened(None, Some(there), &after, stamp(3)).unwrap();
        assert_eq!(reopened.stage_id, stage(&after, 0), "the first of the pipeline that it is in");
        let won = gone.won(&WinOpportunity::default(), &before, stamp(2)).unwrap();
        let reopened = won.reopened(None, Some(there), &after, stamp(3)).unwrap();
        assert_eq!(reopened.stage_id, there, "it is in this pipeline already");
    }

    #[test]
    fn what_is_lost_gets_another_reason_and_stays_as_it_is_for_the_rest() {
        let pipelines = pipelines(true, true);
        let first = lost();
        let before = opportunity(&pipelines).lost(&first, &pipelines, stamp(1)).unwrap();
        assert_eq!(before.lost(&first, &pipelines, stamp(2)), Ok(before.clone()));
        let other = LoseOpportunity { lost_note: Some("Too dear".to_owned()), ..lost() };
        let after = before.lost(&other, &pipelines, stamp(2)).unwrap();
        let LoseOpportunity { lost_reason_id, lost_note, .. } = other;
        assert_eq!(after, Opportunity { lost_reason_id: Some(lost_reason_id), lost_note, ..before });
        let won = opportunity(&pipelines).won(&WinOpportunity::default(), &pipelines, stamp(1)).unwrap();
        assert!(won.lost(&first, &pipelines, stamp(2)).unwrap_err().is_transition());
    }

    #[test]
    fn what_somebody_knew_better_is_given_back_to_the_stage() {
        let pipelines = pipelines(true, true);
        let new = opportunity(&pipelines);
        let patched = |before: &Opportunity, sent: serde_json::Value| {
            before.patch(serde_json::from_value(sent).unwrap(), &pipelines, &LineProducts::new())
        };
        let better = patched(&new, serde_json::json!({"probability": 70, "forecast_category": "commit"})).unwrap();
        assert_eq!(better.expected_amount, Some(Decimal::new(875_039, 2)));
        let nothing = serde_json::json!({"probability": null, "forecast_category": null});
        assert_eq!(patched(&better, nothing.clone()), Ok(new));
        let won = better.won(&WinOpportunity::default(), &pipelines, stamp(1)).unwrap();
        assert_eq!(patched(&won, nothing), Ok(won.clone()), "what is closed has it");
    }

    /// Something that somebody tries to do with an opportunity.
    #[derive(Clone, Debug)]
    enum Try {
        Move(usize),
        MoveAway(usize),
        MoveNowhere,
        Win,
        Lose,
        Reopen,
        Weigh(i16),
        Reckon(i64),
        Categorise(ForecastCategory),
        GiveBack,
    }

    fn tries() -> impl Strategy<Value = Try> {
        prop_oneof![
            4 => (0_usize..6).prop_map(Try::Move),
            1 => (0_usize..6).prop_map(Try::MoveAway),
            1 => Just(Try::MoveNowhere),
            1 => Just(Try::Win),
            1 => Just(Try::Lose),
            2 => Just(Try::Reopen),
            1 => (0_i16..=100).prop_map(Try::Weigh),
            1 => (0_i64..10_000_000).prop_map(Try::Reckon),
            1 => Just(Try::Categorise(ForecastCategory::Commit)),
            1 => Just(Try::GiveBack),
        ]
    }

    fn tried(
        before: &Opportunity,
        what: &Try,
        (pipelines, away): (&Pipelines, &Pipeline),
        last: StageId,
        at: Stamp,
    ) -> Option<Opportunity> {
        let closing = Closing { lost_reason_id: Some(LostReasonId::mint()), lost_note: None };
        let to = |id: StageId| match pipelines.stage(id) {
            Some((_, stage)) if stage.class == StageClass::Lost => before.moved(id, &closing, pipelines, at),
            _ => before.moved(id, &Closing::default(), pipelines, at),
        };
        let patched = |patch: OpportunityPatch| before.patch(patch, pipelines, &LineProducts::new());
        let after = match what {
            Try::Move(number) => to(stage(pipelines, *number)),
            Try::MoveAway(number) => to(away.stages[*number].id),
            Try::MoveNowhere => to(StageId::from_uuid(Uuid::nil())),
            Try::Win => before.won(&WinOpportunity::default(), pipelines, at),
            Try::Lose => before.lost(&lost(), pipelines, at),
            Try::Reopen => before.reopened(None, Some(last), pipelines, at),
            Try::Weigh(percent) => {
                patched(OpportunityPatch { probability: Some(Some(*percent)), ..Default::default() })
            }
            Try::Reckon(cents) => {
                patched(OpportunityPatch { amount: Some(Some(Decimal::new(*cents, 2))), ..Default::default() })
            }
            Try::Categorise(category) => {
                patched(OpportunityPatch { forecast_category: Some(Some(*category)), ..Default::default() })
            }
            Try::GiveBack => patched(OpportunityPatch {
                probability: Some(None),
                forecast_category: Some(None),
                ..Default::default()
            }),
        };
        after.ok()
    }

    /// What has to be true of every opportunity, whatever was done with it.
    fn is_sound(opportunity: &Opportunity, pipelines: &Pipelines) -> Result<(), TestCaseError> {
        let (pipeline, stage) = pipelines.stage(opportunity.stage_id).unwrap();
        prop_assert_eq!(pipeline.id, opportunity.pipeline_id);
        prop_assert_eq!(stage.class, opportunity.stage_class);
        prop_assert_eq!(opportunity.closed_at.is_some(), stage.class != StageClass::Open);
        prop_assert_eq!(opportunity.won_at, opportunity.closed_at.filter(|_| stage.class == StageClass::Won));
        prop_assert_eq!(opportunity.lost_at, opportunity.closed_at.filter(|_| stage.class == StageClass::Lost));
        prop_assert_eq!(opportunity.lost_reason_id.is_some(), stage.class == StageClass::Lost);
        prop_assert!(stage.class == StageClass::Lost || opportunity.lost_note.is_none());
        match stage.class {
            StageClass::Open => prop_assert!(opportunity.forecast_category != ForecastCategory::Closed),
            StageClass::Won => prop_assert_eq!(opportunity.probability, 100),
            StageClass::Lost => prop_assert_eq!(opportunity.probability, 0),
        }
        let weighted = opportunity.amount.unwrap() * Decimal::from(opportunity.probability) / Decimal::ONE_HUNDRED;
        prop_assert_eq!(opportunity.expected_amount, Some(money::round(weighted, "EUR")));
        Ok(())
    }

    proptest! {
        #[test]
        fn no_sequence_breaks_the_state_machine(
            backward in any::<bool>(), skip in any::<bool>(), all in proptest::collection::vec(tries(), 1..60),
        ) {
            let (pipelines, away) = two_pipelines(backward, skip);
            let own = pipelines.default().unwrap();
            let mut now = opportunity(&pipelines);
            let mut last_open = now.stage_id;
            for (second, what) in (1..).zip(&all) {
                let before = now.clone();
                let Some(after) = tried(&before, what, (&pipelines, &away), last_open, stamp(second)) else { continue };
                is_sound(&after, &pipelines)?;
                let (was_open, is_open) = (before.stage_class == StageClass::Open, after.stage_class == StageClass::Open);
                if before.stage_id != after.stage_id {
                    prop_assert!(was_open || matches!(what, Try::Reopen), "{what:?} moved what was closed");
                    prop_assert_eq!(after.stage_entered_at, stamp(second).at);
                }
                if was_open && is_open && before.pipeline_id == own.id && after.pipeline_id == own.id {
                    let place = |id| own.stages.iter().position(|stage| stage.id == id).unwrap();
                    let (from, to) = (place(before.stage_id), place(after.stage_id));
                    prop_assert!(backward || to >= from);
                    prop_assert!(skip || to <= from + 1);
                }
                if is_open {
                    last_open = after.stage_id;
                }
                now = after;
            }
        }
    }
}
