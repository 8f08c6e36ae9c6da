//! The funnel: how far opportunities come that entered a stage in a period, how often, and how fast.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    report::{self, AsOf, Exchange, Period, ReportDefinition, Sum, Unconverted, UnconvertedAmount},
    statistics::{FEWEST_CASES, Share},
    survival::{self, Followed, Incidence},
};
use crate::{
    filter::Filter,
    id::PipelineId,
    money,
    sales::pipeline::{Pipeline, Stage, StageClass},
};

/// What the report is about.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "pipeline_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d", "from": "2026-01-01", "to": "2026-07-01", "currency": "EUR"
}))]
pub struct FunnelQuery {
    /// The pipeline whose stages it tells of.
    #[schema(value_type = Uuid)]
    pub pipeline_id: PipelineId,
    /// The first day on which opportunities came to a stage.
    #[schema(example = "2026-01-01")]
    pub from: NaiveDate,
    /// The day after the last one. At most ten years after `from`.
    #[schema(example = "2026-07-01")]
    pub to: NaiveDate,
    /// ISO 4217 code of the currency of all amounts. Those in others are converted by the rates of the day of `as_of`.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// IANA time zone in which days begin; `UTC` unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, format = "time-zone", max_length = 64, example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// What was known at this instant; now, unless said otherwise. Not in the future.
    #[serde(default)]
    #[schema(nullable = false)]
    pub as_of: Option<DateTime<Utc>>,
    /// Only opportunities for which this holds, as they are now: a filter of the entity `opportunity`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
}

/// How far opportunities came.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Funnel {
    /// What its figures mean.
    pub definition: ReportDefinition,
    /// The instant at which it was known.
    pub as_of: DateTime<Utc>,
    /// The pipeline whose stages it tells of.
    #[schema(value_type = Uuid)]
    pub pipeline_id: PipelineId,
    /// The first day.
    #[schema(example = "2026-01-01")]
    pub from: NaiveDate,
    /// The day after the last one.
    #[schema(example = "2026-07-01")]
    pub to: NaiveDate,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "EUR")]
    pub currency: String,
    /// IANA time zone in which days begin.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// The open stages of the pipeline, in their order.
    pub stages: Vec<FunnelStage>,
    /// How much the pipeline brings in a day.
    pub velocity: PipelineVelocity,
    /// Amounts for which there is no rate: they are counted, but not part of any sum.
    pub unconverted: Vec<UnconvertedAmount>,
}

/// What came of the opportunities that entered a stage.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FunnelStage {
    /// The id of the stage.
    #[schema(example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d")]
    pub key: String,
    /// Its name for people.
    #[schema(example = "Proposal")]
    pub name: String,
    /// How many entered it in the period.
    #[schema(minimum = 0, example = 60)]
    pub entered_count: i64,
    /// How many of them are still in it.
    #[schema(minimum = 0, example = 7)]
    pub still_in_stage_count: i64,
    /// Whole days by which half of them have left it. Null where fewer have.
    #[schema(required, minimum = 0, example = 9)]
    pub median_days_in_stage: Option<i64>,
    /// Whole days by which nine of ten have left it.
    #[schema(required, minimum = 0, example = 41)]
    pub p90_days_in_stage: Option<i64>,
    /// How far they came: to each later stage, and to being won.
    pub conversions: Vec<FunnelConversion>,
}

/// How many came to a later stage.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FunnelConversion {
    /// The id of the later stage; null for being won.
    #[schema(required, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5e")]
    pub key: Option<String>,
    /// Its name for people; null for being won.
    #[schema(required, example = "Negotiation")]
    pub name: Option<String>,
    /// How many came there, or farther.
    #[schema(minimum = 0, example = 30)]
    pub reached_count: i64,
    /// How many were lost before.
    #[schema(minimum = 0, example = 22)]
    pub lost_count: i64,
    /// Of how many it is not known yet.
    #[schema(minimum = 0, example = 8)]
    pub open_count: i64,
    /// The share that came there, with those that are open counted for as long as they are known. Null for fewer than 5.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.56)]
    pub reached: Option<f64>,
    /// The share that was lost before.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.41)]
    pub lost: Option<f64>,
    /// The share of which neither had come by the last day on which one did. The three add up to one.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.03)]
    pub open: Option<f64>,
    /// How many were still followed on that day: of few, the end of the shares is uncertain.
    #[schema(minimum = 0, example = 3)]
    pub at_risk_count: i64,
}

/// How much a pipeline brings in a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PipelineVelocity {
    /// How many are open in it at `as_of`.
    #[schema(minimum = 0, example = 80)]
    pub open_count: i64,
    /// How many were won in the period.
    #[schema(minimum = 0, example = 30)]
    pub won_count: i64,
    /// How many were lost in the period.
    #[schema(minimum = 0, example = 70)]
    pub lost_count: i64,
    /// The share that was won. Null for fewer than 5.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.3)]
    pub win_rate: Option<f64>,
    /// The mean amount of those that were won and have one.
    #[schema(required, value_type = Option<String>, example = "12000.00")]
    pub mean_won_amount: Option<Decimal>,
    /// The mean number of days from when those that were won were created until they were won.
    #[schema(required, minimum = 0.0, example = 48.5)]
    pub mean_cycle_days: Option<f64>,
    /// Opportunities times win rate times mean amount, divided by mean days. Null where one of them is not known.
    #[schema(required, value_type = Option<String>, example = "5938.14")]
    pub amount_per_day: Option<Decimal>,
}

/// An opportunity that came somewhere: a step of its way, from one instant on.
#[derive(Clone, Debug, PartialEq)]
pub struct FunnelStep {
    pub opportunity: Uuid,
    pub at: DateTime<Utc>,
    /// None where it was deleted, or in another pipeline.
    pub place: Option<(Uuid, StageClass)>,
}

/// What was closed in the period.
#[derive(Clone, Debug, PartialEq)]
pub struct FunnelClosed {
    pub won: bool,
    pub currency: Option<String>,
    pub count: i64,
    pub count_with_amount: i64,
    pub amount: Decimal,
    /// Sum of the days from creation until closing.
    pub days: f64,
}

const DEFINITION: &str = "Opportunities that came to a stage of the pipeline from the day from until before the day to, in \
    time_zone, as known at as_of; each counts once for a stage, from its first coming in the period. They are followed until \
    as_of. A later stage is reached by whoever comes to it, to one behind it, or is won; to go back is neither reached nor lost. \
    What is deleted or goes to another pipeline is followed until then. reached, lost and open are cumulative incidences of \
    Aalen-Johansen, by whole days, at the last day on which one was reached or lost, with open ones censored: the three add up to \
    one. They are left out for fewer than 5. Days in a stage are those of Kaplan-Meier: the first by which half, or nine of ten, \
    have left it, with those that are still in it censored. velocity is the number of open opportunities of the pipeline at as_of \
    times the win rate of the period (won divided by won and lost, by the day of closing), times the mean amount of what was won, \
    divided by the mean days from creation to winning. Amounts in other currencies are converted by the rates that were known at \
    as_of and valid on its day. A young period tells of the fast ones first.";

/// What may come of one that wants to reach a stage.
const REACHED: usize = 0;
const LOST: usize = 1;

/// The open stages of a pipeline by their order, and when the period is.
struct Course<'f> {
    places: BTreeMap<Uuid, usize>,
    span: (DateTime<Utc>, DateTime<Utc>),
    at: DateTime<Utc>,
    /// The ways of opportunities, each in the order of time.
    ways: Vec<&'f [FunnelStep]>,
}

impl Course<'_> {
    /// The ways from where they come to a stage for the first time in the period.
    fn entered(&self, stage: Uuid) -> Vec<&[FunnelStep]> {
        let enters = |step: &FunnelStep| {
            step.place == Some((stage, StageClass::Open)) && (self.span.0..self.span.1).contains(&step.at)
        };
        let from = |way: &&'_ [FunnelStep]| way.iter().position(enters);
        self.ways.iter().filter_map(|way| from(way).map(|place| &way[place..])).collect()
    }

    /// What came of one that is to reach a place: the first thing that decides it.
    fn toward(&self, way: &[FunnelStep], target: usize) -> Followed {
        for step in way.iter().skip(1) {
            let outcome = match step.place {
                None => None,
                Some((_, StageClass::Won)) => Some(REACHED),
                Some((_, StageClass::Lost)) => Some(LOST),
                Some((stage, StageClass::Open)) if self.places.get(&stage).is_some_and(|place| *place >= target) => {
                    Some(REACHED)
                }
                Some((_, StageClass::Open)) => continue,
            };
            return Followed { days: whole_days(way, step.at), outcome };
        }
        Followed { days: whole_days(way, self.at), outcome: None }
    }

    /// How long one stays where it is. What is deleted has not left.
    fn stay(&self, way: &[FunnelStep]) -> Followed {
        let next = way.iter().skip(1).find(|step| step.place != way[0].place);
        let outcome = next.and_then(|step| step.place).map(|_| REACHED);
        Followed { days: whole_days(way, next.map_or(self.at, |step| step.at)), outcome }
    }
}

/// Whether one is still where it was: it has gone to no other stage, and is neither deleted nor in another pipeline.
fn is_still_there(way: &[FunnelStep]) -> bool {
    let here = way.first().and_then(|first| first.place);
    let went_elsewhere = way.iter().any(|step| step.place.is_some() && step.place != here);
    !went_elsewhere && way.last().is_some_and(|last| last.place == here)
}

fn whole_days(way: &[FunnelStep], until: DateTime<Utc>) -> i64 {
    way.first().map_or(0, |first| (until - first.at).num_days())
}

fn counted(followed: &[Followed], outcome: Option<usize>) -> i64 {
    i64::try_from(followed.iter().filter(|one| one.outcome == outcome).count()).unwrap_or(i64::MAX)
}

impl FunnelQuery {
    pub fn period(&self) -> Period {
        Period { from: self.from, to: self.to }
    }
}

impl Funnel {
    /// Puts a funnel together. The steps of an opportunity stand together, in the order of time.
    pub fn of(
        query: &FunnelQuery,
        as_of: AsOf,
        pipeline: &Pipeline,
        steps: &[FunnelStep],
        velocity: (i64, &[FunnelClosed]),
        exchange: &Exchange,
    ) -> Self {
        let stages: Vec<_> = pipeline.stages.iter().filter(|stage| stage.class == StageClass::Open).collect();
        let course = Course {
            places: stages.iter().enumerate().map(|(place, stage)| (stage.id.uuid(), place)).collect(),
            span: query.period().span(query.time_zone.as_deref()),
            at: as_of.at,
            ways: steps.chunk_by(|one, next| one.opportunity == next.opportunity).collect(),
        };
        let told = |(place, stage): (usize, &&Stage)| {
            let ways = course.entered(stage.id.uuid());
            let stays: Vec<Followed> = ways.iter().map(|way| course.stay(way)).collect();
            let still_there = ways.iter().filter(|way| is_still_there(way)).count();
            let later = stages.iter().enumerate().skip(place + 1).map(|(target, stage)| (target, Some(*stage)));
            let conversion = |(target, stage): (usize, Option<&Stage>)| {
                let followed: Vec<Followed> = ways.iter().map(|way| course.toward(way, target)).collect();
                let of = stage.map(|stage| (stage.id.to_string(), stage.name.clone()));
                FunnelConversion::of(of, &followed)
            };
            FunnelStage {
                key: stage.id.to_string(),
                name: stage.name.clone(),
                entered_count: i64::try_from(ways.len()).unwrap_or(i64::MAX),
                still_in_stage_count: i64::try_from(still_there).unwrap_or(i64::MAX),
                median_days_in_stage: survival::ended_by(&stays, 50),
                p90_days_in_stage: survival::ended_by(&stays, 90),
                conversions: later.chain([(stages.len(), None)]).map(conversion).collect(),
            }
        };
        let mut unconverted = Unconverted::default();
        Self {
            definition: ReportDefinition::new("funnel", 1, DEFINITION),
            as_of: as_of.at,
            pipeline_id: query.pipeline_id,
            from: query.from,
            to: query.to,
            currency: exchange.currency.clone(),
            time_zone: query.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            stages: stages.iter().enumerate().map(told).collect(),
            velocity: PipelineVelocity::of(velocity.0, velocity.1, exchange, &mut unconverted),
            unconverted: unconverted.told(),
        }
    }

    /// The funnel as a table: headings, and a row for each stage and each later one.
    pub fn table(&self) -> Vec<Vec<String>> {
        const HEADINGS: [&str; 14] = [
            "from_key",
            "from_name",
            "to_key",
            "to_name",
            "entered_count",
            "reached_count",
            "lost_count",
            "open_count",
            "reached",
            "lost",
            "open",
            "at_risk_count",
            "median_days_in_stage",
            "p90_days_in_stage",
        ];
        let mut table = vec![HEADINGS.map(ToOwned::to_owned).to_vec()];
        for stage in &self.stages {
            table.extend(stage.conversions.iter().map(|conversion| {
                vec![
                    stage.key.clone(),
                    report::cell(&stage.name),
                    report::known(conversion.key.as_ref()),
                    report::cell(conversion.name.as_deref().unwrap_or("Won")),
                    stage.entered_count.to_string(),
                    conversion.reached_count.to_string(),
                    conversion.lost_count.to_string(),
                    conversion.open_count.to_string(),
                    report::known(conversion.reached),
                    report::known(conversion.lost),
                    report::known(conversion.open),
                    conversion.at_risk_count.to_string(),
                    report::known(stage.median_days_in_stage),
                    report::known(stage.p90_days_in_stage),
                ]
            }));
        }
        table
    }
}

impl FunnelConversion {
    fn of(stage: Option<(String, String)>, followed: &[Followed]) -> Self {
        let Incidence { shares, open, at_risk } = survival::incidence(followed, 2);
        let is_told = i64::try_from(followed.len()).is_ok_and(|count| count >= FEWEST_CASES);
        let (key, name) = stage.unzip();
        Self {
            key,
            name,
            reached_count: counted(followed, Some(REACHED)),
            lost_count: counted(followed, Some(LOST)),
            open_count: counted(followed, None),
            reached: is_told.then_some(shares[REACHED]),
            lost: is_told.then_some(shares[LOST]),
            open: is_told.then_some(open),
            at_risk_count: at_risk,
        }
    }
}

impl PipelineVelocity {
    fn of(open_count: i64, closed: &[FunnelClosed], exchange: &Exchange, unconverted: &mut Unconverted) -> Self {
        let count = |won: bool| closed.iter().filter(|cell| cell.won == won).map(|cell| cell.count).sum::<i64>();
        let (won_count, lost_count) = (count(true), count(false));
        let (mut amount, mut with_amount, mut days) = (Sum::default(), 0, 0.0);
        for cell in closed.iter().filter(|cell| cell.won) {
            days += cell.days;
            let Some(currency) = cell.currency.as_deref() else { continue };
            match exchange.convert(cell.amount, currency) {
                Some(converted) => {
                    amount.add(converted);
                    with_amount += cell.count_with_amount;
                }
                None => unconverted.add(currency, cell.count_with_amount, cell.amount),
            }
        }
        let share = Share::of(won_count, won_count + lost_count).map(|share| share.value);
        let mean = (with_amount > 0).then(|| amount.exact() / Decimal::from(with_amount));
        let cycle = (won_count > 0).then(|| (days / won_count as f64 * 100.0).round() / 100.0);
        let per_day = || {
            let brought = open_count as f64 * share? * mean?.to_f64()?;
            let days = cycle.filter(|days| *days > 0.0)?;
            Decimal::try_from(brought / days).ok().map(|amount| money::round(amount, &exchange.currency))
        };
        Self {
            open_count,
            won_count,
            lost_count,
            win_rate: share,
            mean_won_amount: mean.map(|mean| money::round(mean, &exchange.currency)),
            mean_cycle_days: cycle,
            amount_per_day: per_day(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_is_deleted_or_in_another_pipeline_has_not_left_and_is_not_there() {
        let day = |day: i64| DateTime::UNIX_EPOCH + TimeDelta::days(day);
        let course = Course { places: BTreeMap::new(), span: (day(0), day(9)), at: day(9), ways: Vec::new() };
        let here = Some((Uuid::from_u128(1), StageClass::Open));
        let there = Some((Uuid::from_u128(2), StageClass::Open));
        let won = Some((Uuid::from_u128(3), StageClass::Won));
        for (places, expected) in [
            (vec![here], (true, 9, None)),
            (vec![here, None], (false, 1, None)),
            (vec![here, None, here], (true, 1, None)),
            (vec![here, there], (false, 1, Some(REACHED))),
            (vec![here, there, here], (false, 1, Some(REACHED))),
            (vec![here, None, there], (false, 1, None)),
            (vec![here, won], (false, 1, Some(REACHED))),
        ] {
            let step = |(number, place)| FunnelStep { opportunity: Uuid::nil(), at: day(number), place };
            let way: Vec<FunnelStep> = (0..).zip(places.iter().copied()).map(step).collect();
            let Followed { days, outcome } = course.stay(&way);
            assert_eq!((is_still_there(&way), days, outcome), expected, "{places:?}");
        }
    }
}
