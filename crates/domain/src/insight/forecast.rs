//! The forecast: what was won and what may yet be, month by month.

mod history;
mod reckoning;
mod simulation;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::{
    history::{ClosedOnes, Passed},
    reckoning::{ClosedCell, ForecastInput, LooseDeals, OpenCell, one_by_one},
};
use super::report::{self, ReportDefinition, UnconvertedAmount};
use crate::{filter::Filter, id::PipelineId};

/// How many months a forecast tells of unless it is asked otherwise.
const USUAL_MONTHS: i32 = 6;
/// Of how many months before this one closed opportunities teach about open ones.
const MONTHS_OF_HISTORY: i32 = 12;
/// How many closed opportunities teach at most: the newest.
pub const MOST_TEACHERS: i64 = 2_000;

/// What the forecast is about.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"currency": "EUR", "time_zone": "Europe/Berlin", "months": 3}))]
pub struct ForecastQuery {
    /// ISO 4217 code of the currency of all amounts. Those in others are converted by the rates of the day.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// IANA time zone in which days and months begin; `UTC` unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, format = "time-zone", max_length = 64, example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// The instant at which the forecast is made; now, unless said otherwise. Not in the future.
    #[serde(default)]
    #[schema(nullable = false)]
    pub as_of: Option<DateTime<Utc>>,
    /// The first month; that of `as_of` unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, pattern = "^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-12")]
    pub from_month: Option<String>,
    /// How many months; 6 unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, minimum = 1, maximum = 24, example = 3)]
    pub months: Option<i32>,
    /// Only what was in these pipelines then; all unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 100)]
    pub pipeline_ids: Vec<PipelineId>,
    /// Only opportunities for which this holds, as they are now: a filter of the entity `opportunity`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
    /// What chance begins with: the same seed gives the same answer. Made of the workspace and the day of `as_of` unless said
    /// otherwise.
    #[serde(default)]
    #[schema(nullable = false, minimum = 0, maximum = 9007199254740991_i64, example = 42)]
    pub seed: Option<i64>,
}

/// What was won, and what open opportunities may bring, month by month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Forecast {
    /// What its figures mean.
    pub definition: ReportDefinition,
    /// The instant at which the forecast was made.
    pub as_of: DateTime<Utc>,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "EUR")]
    pub currency: String,
    /// IANA time zone in which days and months begin.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// One entry for each month, the first one first.
    pub months: Vec<ForecastMonth>,
    /// All months together.
    pub total: ForecastFigures,
    /// Open opportunities without a close date, which are in no month.
    pub undated: UndatedOpportunities,
    /// What closed opportunities teach about the stages, in the order of the stages.
    pub stages: Vec<StageRate>,
    /// How chance was used.
    pub simulation: ForecastSimulation,
    /// Amounts for which there is no rate: they are counted, but not part of any sum.
    pub unconverted: Vec<UnconvertedAmount>,
}

/// A month of a forecast.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ForecastMonth {
    /// Which month it is.
    #[schema(example = "2026-12")]
    pub month: String,
    pub figures: ForecastFigures,
}

/// Figures of a forecast.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ForecastFigures {
    /// How many were won in it by then.
    #[schema(minimum = 0, example = 4)]
    pub won_count: i64,
    /// The sum of their amounts.
    #[schema(value_type = String, example = "48000.00")]
    pub won_amount: Decimal,
    /// How many are open and expected to be won in it.
    #[schema(minimum = 0, example = 12)]
    pub open_count: i64,
    /// How many of these were expected in a month that had passed.
    #[schema(minimum = 0, example = 2)]
    pub overdue_count: i64,
    /// How many of the open ones have no amount.
    #[schema(minimum = 0, example = 1)]
    pub open_count_without_amount: i64,
    /// The sum of the amounts of the open ones.
    #[schema(value_type = String, example = "150000.00")]
    pub open_amount: Decimal,
    /// What was won, and open ones of the category `commit`.
    #[schema(value_type = String, example = "78000.00")]
    pub commit_amount: Decimal,
    /// That, and open ones of the category `best_case`.
    #[schema(value_type = String, example = "120000.00")]
    pub best_case_amount: Decimal,
    /// That, and open ones of the category `pipeline`.
    #[schema(value_type = String, example = "190000.00")]
    pub pipeline_amount: Decimal,
    /// The sum of the amounts of the open ones, each times its own probability.
    #[schema(value_type = String, example = "61000.00")]
    pub weighted_amount: Decimal,
    /// The sum of the amounts of the open ones, each times the rate of its stage and the chance that it closes in time.
    #[schema(required, value_type = Option<String>, example = "43000.00")]
    pub empirical_weighted_amount: Option<Decimal>,
    /// What is brought at most in one of ten futures, with what was won. Null while there is not enough history.
    #[schema(required, value_type = Option<String>, example = "61000.00")]
    pub p10_amount: Option<Decimal>,
    /// What is brought at most in half of the futures.
    #[schema(required, value_type = Option<String>, example = "90000.00")]
    pub p50_amount: Option<Decimal>,
    /// What is brought at most in nine of ten futures.
    #[schema(required, value_type = Option<String>, example = "124000.00")]
    pub p90_amount: Option<Decimal>,
    /// What the futures bring on average.
    #[schema(required, value_type = Option<String>, example = "91000.00")]
    pub mean_amount: Option<Decimal>,
}

/// Open opportunities without a close date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct UndatedOpportunities {
    /// How many there are.
    #[schema(minimum = 0, example = 3)]
    pub count: i64,
    /// The sum of their amounts.
    #[schema(value_type = String, example = "9000.00")]
    pub amount: Decimal,
}

/// How often opportunities are won that were in a stage.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StageRate {
    /// The id of the stage.
    #[schema(example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d")]
    pub key: String,
    /// Its name for people.
    #[schema(required, example = "Proposal")]
    pub name: Option<String>,
    /// How many closed opportunities were in it.
    #[schema(minimum = 0, example = 60)]
    pub closed_count: i64,
    /// How many of them were won.
    #[schema(minimum = 0, example = 18)]
    pub won_count: i64,
    /// The rate that is reckoned with, from 0 to 1. Null while there is not enough history.
    #[schema(required, example = 0.288571)]
    pub rate: Option<f64>,
    /// The true rate is below with a probability of 5 percent.
    #[schema(required, example = 0.203627)]
    pub rate_p5: Option<f64>,
    /// The true rate is below with a probability of 95 percent.
    #[schema(required, example = 0.380432)]
    pub rate_p95: Option<f64>,
}

/// How chance was used.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ForecastSimulation {
    /// What chance began with. Send it to get the same answer again.
    #[schema(minimum = 0, example = 42)]
    pub seed: i64,
    /// How many futures were looked at; 0 while there is not enough history.
    #[schema(minimum = 0, example = 2000)]
    pub runs: i32,
    /// How many closed opportunities taught.
    #[schema(minimum = 0, example = 412)]
    pub closed_count: i64,
    /// How many of them were won.
    #[schema(minimum = 0, example = 101)]
    pub won_count: i64,
    /// Why there are no futures; null where there are.
    #[schema(required)]
    pub unavailable: Option<ForecastGap>,
    /// What the intervals take into account.
    pub intervals: ForecastIntervals,
    /// By how much all rates move together from one future to the next: the standard deviation of their logit. Null where it
    /// is not known.
    #[schema(required, example = 0.27)]
    pub shock: Option<f64>,
    /// Of how many months the shock was learned.
    #[schema(minimum = 0, example = 11)]
    pub shock_months: i32,
}

/// Why a forecast tells of no futures. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastGap {
    /// Fewer than 30 opportunities were closed in the year before.
    NotEnoughHistory,
}

/// What the intervals of a forecast take into account. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastIntervals {
    /// Good and bad months hit all opportunities at once, as much as they did before.
    CommonShock,
    /// Too few months are known: opportunities count as independent, which makes intervals too narrow.
    DealsAssumedIndependent,
}

/// The months of a forecast, and those that teach.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecastSpan {
    /// The month of the instant.
    pub this: NaiveDate,
    /// The first month.
    pub first: NaiveDate,
    /// The month after the last one.
    pub end: NaiveDate,
    /// The first month that teaches.
    pub history: NaiveDate,
}

/// What chance begins with for a workspace on a day, unless somebody says.
pub fn usual_seed(workspace: Uuid, day: NaiveDate) -> i64 {
    let digest = Sha256::new().chain_update(workspace).chain_update(day.to_string()).finalize();
    // Whole numbers up to 2^53 are the same to every client.
    digest.iter().take(6).fold(0, |seed, byte| seed << 8 | i64::from(*byte))
}

impl ForecastQuery {
    /// The months that are asked for at an instant.
    pub fn span(&self, at: DateTime<Utc>) -> ForecastSpan {
        let this = report::month(report::day(at, self.time_zone.as_deref()), 0);
        let named = self.from_month.as_ref().and_then(|month| format!("{month}-01").parse().ok());
        let first = named.unwrap_or(this);
        let end = report::month(first, self.months.unwrap_or(USUAL_MONTHS));
        ForecastSpan { this, first, end, history: report::month(this, -MONTHS_OF_HISTORY) }
    }
}

impl ForecastSpan {
    /// The first days of the months that are told of.
    pub fn months(&self) -> Vec<NaiveDate> {
        (0..).map(|later| report::month(self.first, later)).take_while(|month| *month < self.end).collect()
    }

    /// The first days of all months in which it matters what was closed, and of those after them, in their order.
    pub fn boundaries(&self) -> Vec<NaiveDate> {
        let history = (0..=MONTHS_OF_HISTORY + 1).map(|later| report::month(self.history, later));
        let mut days: Vec<NaiveDate> = self.months().into_iter().chain([self.end]).chain(history).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// The month for which an open opportunity counts: that of its close date, or, once that has passed, the present one.
    pub fn month_of(&self, close_month: NaiveDate) -> NaiveDate {
        close_month.max(self.this)
    }
}

impl Forecast {
    /// The forecast as a table: headings, a row for each month, the total.
    pub fn table(&self) -> Vec<Vec<String>> {
        const HEADINGS: [&str; 17] = [
            "month",
            "won_count",
            "won_amount",
            "open_count",
            "overdue_count",
            "open_count_without_amount",
            "open_amount",
            "commit_amount",
            "best_case_amount",
            "pipeline_amount",
            "weighted_amount",
            "empirical_weighted_amount",
            "p10_amount",
            "p50_amount",
            "p90_amount",
            "mean_amount",
            "currency",
        ];
        let row = |month: &str, figures: &ForecastFigures| {
            vec![
                month.to_owned(),
                figures.won_count.to_string(),
                figures.won_amount.to_string(),
                figures.open_count.to_string(),
                figures.overdue_count.to_string(),
                figures.open_count_without_amount.to_string(),
                figures.open_amount.to_string(),
                figures.commit_amount.to_string(),
                figures.best_case_amount.to_string(),
                figures.pipeline_amount.to_string(),
                figures.weighted_amount.to_string(),
                report::known(figures.empirical_weighted_amount),
                report::known(figures.p10_amount),
                report::known(figures.p50_amount),
                report::known(figures.p90_amount),
                report::known(figures.mean_amount),
                self.currency.clone(),
            ]
        };
        let mut table = vec![HEADINGS.map(ToOwned::to_owned).to_vec()];
        table.extend(self.months.iter().map(|month| row(&month.month, &month.figures)));
        table.push(row("Total", &self.total));
        table
    }
}
