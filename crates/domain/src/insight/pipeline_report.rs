//! The pipeline: what is open, how much it is worth, and for how long it has been where it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::report::{self, AsOf, Exchange, Names, ReportDefinition, Sum, Unconverted, UnconvertedAmount};
use crate::{filter::Filter, id::PipelineId};

/// What the report is about, and how it shall be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"group_by": "stage", "currency": "EUR", "time_zone": "Europe/Berlin"}))]
pub struct PipelineReportQuery {
    /// What the opportunities are put together by.
    pub group_by: PipelineGrouping,
    /// ISO 4217 code of the currency of all amounts. Those in others are converted by the rates of the day.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// IANA time zone in which the day of the rates begins; `UTC` unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, format = "time-zone", max_length = 64, example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// The instant that it is about; now, unless said otherwise. Not in the future.
    #[serde(default)]
    #[schema(nullable = false)]
    pub as_of: Option<DateTime<Utc>>,
    /// Only what was in these pipelines then; all unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 100)]
    pub pipeline_ids: Vec<PipelineId>,
    /// Only opportunities for which this holds, as they are now: a filter of the entity `opportunity`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
}

/// What open opportunities are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PipelineGrouping {
    /// The stage that they are in: `key` is its id.
    Stage,
    /// Who looks after them: `key` is the id of the user.
    Owner,
    /// The team that they belong to: `key` is its id.
    Team,
    /// How the business came to know of them: `key` is the lead source.
    Source,
    /// What a forecast counts them as: `key` is the category.
    ForecastCategory,
    /// The month in which they are expected to be won: `key` is like `2026-12`.
    CloseMonth,
}

impl PipelineGrouping {
    /// The field of opportunities that it tells of.
    pub fn field(self) -> &'static str {
        match self {
            Self::Stage => "stage_id",
            Self::Owner => "owner_id",
            Self::Team => "team_id",
            Self::Source => "lead_source",
            Self::ForecastCategory => "forecast_category",
            Self::CloseMonth => "close_date",
        }
    }
}

/// The open opportunities of an instant.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PipelineReport {
    /// What its figures mean.
    pub definition: ReportDefinition,
    /// The instant that it is about.
    pub as_of: DateTime<Utc>,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "EUR")]
    pub currency: String,
    /// IANA time zone in which the day of the rates begins.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// What the opportunities are put together by.
    pub group_by: PipelineGrouping,
    /// One entry for each value that some have: stages in the order of their pipelines, the others by their key.
    pub groups: Vec<PipelineGroup>,
    /// All of them together.
    pub total: PipelineFigures,
    /// Amounts for which there is no rate: they are counted, but not part of any sum.
    pub unconverted: Vec<UnconvertedAmount>,
}

/// Open opportunities that have something in common.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PipelineGroup {
    /// What they have in common; null for those that have no value there.
    #[schema(required, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d")]
    pub key: Option<String>,
    /// Its name for people, where it has one.
    #[schema(required, example = "Proposal")]
    pub name: Option<String>,
    pub figures: PipelineFigures,
}

/// Figures of open opportunities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PipelineFigures {
    /// How many there are.
    #[schema(minimum = 0, example = 12)]
    pub count: i64,
    /// How many of them have no amount.
    #[schema(minimum = 0, example = 1)]
    pub count_without_amount: i64,
    /// The sum of their amounts.
    #[schema(value_type = String, example = "150000.00")]
    pub amount: Decimal,
    /// The sum of their amounts, each times its probability.
    #[schema(value_type = String, example = "61000.00")]
    pub weighted_amount: Decimal,
    /// Whole days in their stage that half of them have been there at most. Null where there are none.
    #[schema(minimum = 0, example = 9)]
    pub median_days_in_stage: Option<i64>,
    /// Whole days in their stage that nine of ten have been there at most.
    #[schema(minimum = 0, example = 41)]
    pub p90_days_in_stage: Option<i64>,
}

/// Open opportunities with a key, a currency and a probability in common.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineCell {
    pub key: Option<String>,
    pub currency: Option<String>,
    pub count: i64,
    pub count_with_amount: i64,
    pub amount: Decimal,
    /// Sum of amount times probability in percent.
    pub weighted: Decimal,
    /// For how many whole days each of them has been in its stage.
    pub days: Vec<i64>,
}

const DEFINITION: &str = "Open opportunities that were not deleted, as they were at as_of, taken from their history: stage, \
    owner, team, source, category, close date, amount and probability of that instant. A filter is asked of the opportunities \
    as they are now, and so is what the caller may see. amount is the sum of amounts, weighted_amount the sum of amount times \
    probability, both rounded once, half away from zero. Amounts in other currencies are converted by the rates that were known \
    at as_of and valid on its day. Days in stage are whole days from the last change of the stage to as_of; the p-th percentile \
    is the smallest number of days that at least p percent of the opportunities have not passed. It says what is there, not what \
    will be won.";

/// Figures on their way.
#[derive(Default)]
struct Gathered {
    count: i64,
    count_with_amount: i64,
    amount: Sum,
    weighted: Sum,
    days: Vec<i64>,
}

/// The amounts of a cell in the currency of the report.
#[derive(Clone, Copy)]
struct Converted {
    amount: Decimal,
    weighted: Decimal,
}

impl Gathered {
    fn add(&mut self, cell: &PipelineCell, converted: Option<Converted>) {
        self.count += cell.count;
        self.count_with_amount += cell.count_with_amount;
        self.days.extend(&cell.days);
        if let Some(converted) = converted {
            self.amount.add(converted.amount);
            self.weighted.add(converted.weighted);
        }
    }

    fn figures(mut self, currency: &str) -> PipelineFigures {
        PipelineFigures {
            count: self.count,
            count_without_amount: self.count - self.count_with_amount,
            amount: self.amount.rounded(currency),
            weighted_amount: self.weighted.rounded(currency),
            median_days_in_stage: self.percentile(50),
            p90_days_in_stage: self.percentile(90),
        }
    }

    /// The smallest number of days that at least so many percent have not passed.
    fn percentile(&mut self, percent: usize) -> Option<i64> {
        let place = (self.days.len() * percent).div_ceil(100).checked_sub(1)?;
        Some(*self.days.select_nth_unstable(place).1)
    }
}

impl PipelineCell {
    /// None without a rate.
    fn converted(&self, exchange: &Exchange) -> Option<Converted> {
        let currency = self.currency.as_deref()?;
        let amount = exchange.convert(self.amount, currency)?;
        let weighted = exchange.convert(self.weighted, currency)? / Decimal::ONE_HUNDRED;
        Some(Converted { amount, weighted })
    }
}

impl PipelineReport {
    /// Puts cells together. `names` says how keys are called and in which order they come; keys without a name come last.
    pub fn of(
        query: &PipelineReportQuery,
        as_of: AsOf,
        cells: &[PipelineCell],
        exchange: &Exchange,
        names: &[(String, String)],
    ) -> Self {
        let (mut groups, mut total) = (BTreeMap::<Option<&str>, Gathered>::new(), Gathered::default());
        let mut unconverted = Unconverted::default();
        for cell in cells {
            let converted = cell.converted(exchange);
            groups.entry(cell.key.as_deref()).or_default().add(cell, converted);
            total.add(cell, converted);
            if let Some(currency) = cell.currency.as_deref().filter(|_| converted.is_none()) {
                unconverted.add(currency, cell.count_with_amount, cell.amount);
            }
        }
        let names = Names::of(names);
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(key, _)| names.place(*key));
        let group = |(key, gathered): (Option<&str>, Gathered)| PipelineGroup {
            key: key.map(ToOwned::to_owned),
            name: names.name(key),
            figures: gathered.figures(&exchange.currency),
        };
        Self {
            definition: ReportDefinition::new("pipeline", 1, DEFINITION),
            as_of: as_of.at,
            currency: exchange.currency.clone(),
            time_zone: query.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            group_by: query.group_by,
            groups: groups.into_iter().map(group).collect(),
            total: total.figures(&exchange.currency),
            unconverted: unconverted.told(),
        }
    }

    /// The report as a table: headings, a row for each group, the total.
    pub fn table(&self) -> Vec<Vec<String>> {
        const HEADINGS: [&str; 9] = [
            "key",
            "name",
            "count",
            "count_without_amount",
            "amount",
            "weighted_amount",
            "currency",
            "median_days_in_stage",
            "p90_days_in_stage",
        ];
        let row = |key: &str, name: &str, figures: &PipelineFigures| {
            let days = |days: Option<i64>| days.map(|days| days.to_string()).unwrap_or_default();
            vec![
                key.to_owned(),
                report::cell(name),
                figures.count.to_string(),
                figures.count_without_amount.to_string(),
                figures.amount.to_string(),
                figures.weighted_amount.to_string(),
                self.currency.clone(),
                days(figures.median_days_in_stage),
                days(figures.p90_days_in_stage),
            ]
        };
        let mut table = vec![HEADINGS.map(ToOwned::to_owned).to_vec()];
        for group in &self.groups {
            let (key, name) = (group.key.as_deref().unwrap_or_default(), group.name.as_deref().unwrap_or_default());
            table.push(row(key, name, &group.figures));
        }
        table.push(row("", "Total", &self.total));
        table
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::{self, Rates};

    fn query() -> PipelineReportQuery {
        serde_json::from_value(serde_json::json!({"group_by": "source", "currency": "EUR"})).unwrap()
    }

    fn exchange() -> Exchange {
        let day = DateTime::UNIX_EPOCH.date_naive();
        let mut rates = Rates::default();
        rates.add("USD", "EUR", day, Decimal::new(9, 1));
        Exchange { rates, currency: "EUR".to_owned(), on: day, time_zone: None }
    }

    fn report(cells: &[PipelineCell]) -> PipelineReport {
        let as_of = AsOf { at: DateTime::UNIX_EPOCH, is_now: true };
        PipelineReport::of(&query(), as_of, cells, &exchange(), &[])
    }

    proptest! {
        /// Against one opportunity after the other, in whole cents.
        #[test]
        fn figures_are_those_of_a_naive_sum(
            all in proptest::collection::vec((0_usize..3, 0_usize..3, 0_i64..40, 0_i64..1_000_000, 0_i64..=100), 1..60),
        ) {
            let key = |key: usize| [Some("referral"), Some("other"), None][key].map(ToOwned::to_owned);
            let cell = |&(of, currency, days, cents, percent): &(usize, usize, i64, i64, i64)| PipelineCell {
                key: key(of),
                currency: Some(["EUR", "USD", "CHF"][currency].to_owned()),
                count: 1,
                count_with_amount: 1,
                amount: Decimal::new(cents, 2),
                weighted: Decimal::new(cents, 2) * Decimal::from(percent),
                days: vec![days],
            };
            let report = report(&all.iter().map(cell).collect::<Vec<_>>());
            let rate = |currency: usize| [Decimal::ONE, Decimal::new(9, 1), Decimal::ZERO][currency];
            let sum = |weigh: &dyn Fn(i64) -> Decimal| {
                let each = all.iter().map(|(_, currency, _, cents, percent)| {
                    Decimal::new(*cents, 2) * weigh(*percent) * rate(*currency)
                });
                money::round(each.sum(), "EUR")
            };
            prop_assert_eq!(report.total.amount, sum(&|_| Decimal::ONE));
            prop_assert_eq!(report.total.weighted_amount, sum(&|percent| Decimal::new(percent, 2)));
            prop_assert_eq!(report.total.count, i64::try_from(all.len()).unwrap());
            prop_assert_eq!(report.groups.iter().map(|group| group.figures.count).sum::<i64>(), report.total.count);
            let mut days: Vec<i64> = all.iter().map(|(_, _, days, ..)| *days).collect();
            days.sort_unstable();
            let nth = |percent: usize| days[(days.len() * percent).div_ceil(100) - 1];
            prop_assert_eq!(report.total.median_days_in_stage, Some(nth(50)));
            prop_assert_eq!(report.total.p90_days_in_stage, Some(nth(90)));
            let francs = all.iter().filter(|(_, currency, ..)| *currency == 2).count();
            prop_assert_eq!(report.unconverted.iter().map(|sum| sum.count).sum::<i64>(), i64::try_from(francs).unwrap());
        }
    }
}
