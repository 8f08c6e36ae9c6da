//! The win rate: of what was closed in a period, how much was won.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    report::{self, AsOf, Exchange, Names, Period, ReportDefinition, Sum, Unconverted, UnconvertedAmount},
    statistics::{FEWEST_CASES, Share, rounded},
};
use crate::{filter::Filter, id::PipelineId};

/// What the report is about, and how it shall be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-07-01", "to": "2026-10-01", "group_by": "owner", "currency": "EUR"}))]
pub struct WinRateQuery {
    /// The first day on which opportunities were closed.
    #[schema(example = "2026-07-01")]
    pub from: NaiveDate,
    /// The day after the last one. At most ten years after `from`.
    #[schema(example = "2026-10-01")]
    pub to: NaiveDate,
    /// What the opportunities are put together by.
    pub group_by: WinRateGrouping,
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
    /// Only what was in these pipelines then; all unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 100)]
    pub pipeline_ids: Vec<PipelineId>,
    /// Only opportunities for which this holds, as they are now: a filter of the entity `opportunity`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
}

/// What closed opportunities are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WinRateGrouping {
    /// Who looked after them: `key` is the id of the user.
    Owner,
    /// The team that they belonged to: `key` is its id.
    Team,
    /// How the business came to know of them: `key` is the lead source.
    Source,
    /// Why they were lost: `key` is the id of the reason. Only lost ones are in groups, which have no rate.
    LostReason,
    /// The month in which they were closed: `key` is like `2026-12`.
    Month,
}

impl WinRateGrouping {
    /// The field of opportunities that it tells of.
    pub fn field(self) -> &'static str {
        match self {
            Self::Owner => "owner_id",
            Self::Team => "team_id",
            Self::Source => "lead_source",
            Self::LostReason => "lost_reason_id",
            Self::Month => "closed_at",
        }
    }
}

/// What was won and lost in a period.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WinRateReport {
    /// What its figures mean.
    pub definition: ReportDefinition,
    /// The instant at which it was known.
    pub as_of: DateTime<Utc>,
    /// The first day.
    #[schema(example = "2026-07-01")]
    pub from: NaiveDate,
    /// The day after the last one.
    #[schema(example = "2026-10-01")]
    pub to: NaiveDate,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "EUR")]
    pub currency: String,
    /// IANA time zone in which days begin.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// What the opportunities are put together by.
    pub group_by: WinRateGrouping,
    /// One entry for each value that some have: by name, where it has one, else by key.
    pub groups: Vec<WinRateGroup>,
    /// All of them together.
    pub total: WinRateFigures,
    /// Amounts for which there is no rate: they are counted, but not part of any sum.
    pub unconverted: Vec<UnconvertedAmount>,
}

/// Closed opportunities that have something in common.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WinRateGroup {
    /// What they have in common; null for those that have no value there.
    #[schema(required, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d")]
    pub key: Option<String>,
    /// Its name for people, where it has one.
    #[schema(required, example = "Ada Lovelace")]
    pub name: Option<String>,
    pub figures: WinRateFigures,
}

/// Figures of closed opportunities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WinRateFigures {
    /// How many were won.
    #[schema(minimum = 0, example = 46)]
    pub won_count: i64,
    /// How many were lost.
    #[schema(minimum = 0, example = 4)]
    pub lost_count: i64,
    /// The sum of the amounts of those that were won.
    #[schema(value_type = String, example = "480000.00")]
    pub won_amount: Decimal,
    /// The sum of the amounts of those that were lost.
    #[schema(value_type = String, example = "61000.00")]
    pub lost_amount: Decimal,
    /// The share that was won, from 0 to 1. Null for fewer than 5.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.92)]
    pub win_rate: Option<f64>,
    /// Where the interval of 95 percent of the share begins (Wilson).
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.8116)]
    pub win_rate_low: Option<f64>,
    /// Where it ends.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.9685)]
    pub win_rate_high: Option<f64>,
    /// The share of the amounts that was won, from 0 to 1. Null for fewer than 5.
    #[schema(required, minimum = 0.0, maximum = 1.0, example = 0.8872)]
    pub value_win_rate: Option<f64>,
}

/// Closed opportunities that are alike in everything that the report looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct WinRateCell {
    pub key: Option<String>,
    pub won: bool,
    pub currency: Option<String>,
    pub count: i64,
    pub count_with_amount: i64,
    pub amount: Decimal,
}

const DEFINITION: &str = "Opportunities that were closed from the day from until before the day to, in time_zone, and were not \
    deleted, as known at as_of: owner, team, source, reason and amount of that instant. One that was reopened is not closed. \
    win_rate is won divided by won and lost, with the interval of 95 percent of Wilson (z = 1.96); value_win_rate is the same of \
    amounts. Both are left out for fewer than 5 opportunities, and for reasons, which only lost ones have. Amounts in other \
    currencies are converted by the rates that were known at as_of and valid on its day; sums are rounded once, half away from \
    zero. Open opportunities are not in it: of a young period, what takes long is still missing.";

#[derive(Default)]
struct Gathered {
    won_count: i64,
    lost_count: i64,
    won: Sum,
    lost: Sum,
}

impl Gathered {
    fn add(&mut self, cell: &WinRateCell, amount: Option<Decimal>) {
        let (count, sum) =
            if cell.won { (&mut self.won_count, &mut self.won) } else { (&mut self.lost_count, &mut self.lost) };
        *count += cell.count;
        sum.add(amount.unwrap_or_default());
    }

    fn figures(&self, currency: &str, has_rate: bool) -> WinRateFigures {
        let all = self.won_count + self.lost_count;
        let share = Share::of(self.won_count, all).filter(|_| has_rate);
        let value = || {
            let (won, lost) = (self.won.exact().to_f64()?, self.lost.exact().to_f64()?);
            let is_told = has_rate && all >= FEWEST_CASES && won + lost > 0.0;
            is_told.then(|| rounded(won / (won + lost)))
        };
        WinRateFigures {
            won_count: self.won_count,
            lost_count: self.lost_count,
            won_amount: self.won.rounded(currency),
            lost_amount: self.lost.rounded(currency),
            win_rate: share.map(|share| share.value),
            win_rate_low: share.map(|share| share.low),
            win_rate_high: share.map(|share| share.high),
            value_win_rate: value(),
        }
    }
}

impl WinRateQuery {
    pub fn period(&self) -> Period {
        Period { from: self.from, to: self.to }
    }
}

impl WinRateReport {
    /// Puts cells together. `names` says how keys are called and in which order they come; keys without a name come last.
    pub fn of(
        query: &WinRateQuery,
        as_of: AsOf,
        cells: &[WinRateCell],
        exchange: &Exchange,
        names: &[(String, String)],
    ) -> Self {
        let (mut groups, mut total) = (BTreeMap::<Option<&str>, Gathered>::new(), Gathered::default());
        let mut unconverted = Unconverted::default();
        let of_reasons = query.group_by == WinRateGrouping::LostReason;
        for cell in cells {
            let currency = cell.currency.as_deref();
            let amount = currency.and_then(|currency| exchange.convert(cell.amount, currency));
            total.add(cell, amount);
            if !(of_reasons && cell.won) {
                groups.entry(cell.key.as_deref()).or_default().add(cell, amount);
            }
            if let Some(currency) = currency.filter(|_| amount.is_none()) {
                unconverted.add(currency, cell.count_with_amount, cell.amount);
            }
        }
        let names = Names::of(names);
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(key, _)| names.place(*key));
        let group = |(key, gathered): (Option<&str>, Gathered)| WinRateGroup {
            key: key.map(ToOwned::to_owned),
            name: names.name(key),
            figures: gathered.figures(&exchange.currency, !of_reasons),
        };
        Self {
            definition: ReportDefinition::new("win_rate", 1, DEFINITION),
            as_of: as_of.at,
            from: query.from,
            to: query.to,
            currency: exchange.currency.clone(),
            time_zone: query.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            group_by: query.group_by,
            groups: groups.into_iter().map(group).collect(),
            total: total.figures(&exchange.currency, true),
            unconverted: unconverted.told(),
        }
    }

    /// The report as a table: headings, a row for each group, the total.
    pub fn table(&self) -> Vec<Vec<String>> {
        const HEADINGS: [&str; 11] = [
            "key",
            "name",
            "won_count",
            "lost_count",
            "won_amount",
            "lost_amount",
            "currency",
            "win_rate",
            "win_rate_low",
            "win_rate_high",
            "value_win_rate",
        ];
        let row = |key: &str, name: &str, figures: &WinRateFigures| {
            vec![
                key.to_owned(),
                report::cell(name),
                figures.won_count.to_string(),
                figures.lost_count.to_string(),
                figures.won_amount.to_string(),
                figures.lost_amount.to_string(),
                self.currency.clone(),
                report::known(figures.win_rate),
                report::known(figures.win_rate_low),
                report::known(figures.win_rate_high),
                report::known(figures.value_win_rate),
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
    use super::*;
    use crate::money::Rates;

    fn report(group_by: WinRateGrouping, cells: &[(&str, bool, i64, i64)]) -> WinRateReport {
        let query: WinRateQuery = serde_json::from_value(serde_json::json!({
            "from": "2026-07-01", "to": "2026-10-01", "group_by": group_by, "currency": "EUR",
        }))
        .unwrap();
        let cell = |&(key, won, count, amount): &(&str, bool, i64, i64)| WinRateCell {
            key: Some(key.to_owned()),
            won,
            currency: Some("EUR".to_owned()),
            count,
            count_with_amount: count,
            amount: Decimal::from(amount),
        };
        let cells: Vec<WinRateCell> = cells.iter().map(cell).collect();
        let exchange =
            Exchange { rates: Rates::default(), currency: "EUR".to_owned(), on: query.from, time_zone: None };
        let as_of = AsOf { at: DateTime::UNIX_EPOCH, is_now: true };
        WinRateReport::of(&query, as_of, &cells, &exchange, &[])
    }

    #[test]
    fn rates_are_told_with_their_interval() {
        let report = report(WinRateGrouping::Source, &[("referral", true, 46, 900), ("referral", false, 4, 100)]);
        let figures = &report.groups[0].figures;
        assert_eq!((figures.win_rate, figures.value_win_rate), (Some(0.92), Some(0.9)));
        let (low, high) = (figures.win_rate_low.unwrap(), figures.win_rate_high.unwrap());
        assert!((low - 0.8116).abs() < 5e-5 && (high - 0.9685).abs() < 5e-5);
        assert_eq!(*figures, report.total);
    }

    #[test]
    fn of_few_no_rate_is_told() {
        let report = report(WinRateGrouping::Source, &[("referral", true, 3, 900), ("website", false, 1, 100)]);
        assert_eq!(report.total.won_count + report.total.lost_count, 4);
        assert_eq!((report.total.win_rate, report.total.value_win_rate), (None, None));
    }

    #[test]
    fn reasons_count_what_was_lost() {
        let report = report(WinRateGrouping::LostReason, &[("price", false, 9, 900), ("none", true, 6, 100)]);
        assert_eq!(report.groups.len(), 1);
        assert_eq!((report.groups[0].figures.lost_count, report.groups[0].figures.win_rate), (9, None));
        assert_eq!(report.total.win_rate, Some(0.4));
    }
}
