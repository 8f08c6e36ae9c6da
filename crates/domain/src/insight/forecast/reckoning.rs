//! How a forecast is made of what is open, what was closed, and what that teaches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    ClosedOnes, Forecast, ForecastFigures, ForecastGap, ForecastIntervals, ForecastMonth, ForecastQuery,
    ForecastSimulation, ForecastSpan, StageRate, UndatedOpportunities,
    history::{self, Lessons},
    simulation::{self, Deal, Group, Outlook, Prospects, RUNS},
};
use crate::{
    insight::{
        report::{self, Exchange, Names, ReportDefinition, Sum, Unconverted},
        statistics::{Posterior, rounded},
    },
    money,
    sales::pipeline::ForecastCategory,
};

/// So many opportunities are looked at one by one at most; of months that have more, all of a stage are taken together.
const MOST_ONE_BY_ONE: i64 = 1_000;

/// Open opportunities that are alike in everything that the forecast looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenCell {
    /// The first day of the month of their close date.
    pub close_month: Option<NaiveDate>,
    pub stage: String,
    pub category: ForecastCategory,
    pub currency: Option<String>,
    /// Days in their stage, in full thirties.
    pub age: i64,
    pub count: i64,
    pub count_with_amount: i64,
    pub amount: Decimal,
    /// Sum of amount times probability in percent.
    pub weighted: Decimal,
    /// How much their amounts differ: the mean square of the distance from their mean.
    pub variance: f64,
}

/// Opportunities that were closed in a month.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedCell {
    /// Its first day.
    pub month: NaiveDate,
    pub won: bool,
    pub currency: Option<String>,
    pub count: i64,
    pub count_with_amount: i64,
    pub amount: Decimal,
}

/// Amounts of open opportunities one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct LooseDeals {
    pub close_month: NaiveDate,
    pub stage: String,
    pub currency: String,
    pub age: i64,
    pub amounts: Vec<Decimal>,
}

impl LooseDeals {
    fn sorted(
        ((close_month, stage, currency, age), mut amounts): ((NaiveDate, String, String, i64), Vec<Decimal>),
    ) -> Self {
        amounts.sort_unstable();
        Self { close_month, stage, currency, age, amounts }
    }
}

/// What a forecast is made of.
#[derive(Clone, Debug)]
pub struct ForecastInput<'i> {
    pub at: DateTime<Utc>,
    pub span: ForecastSpan,
    pub open: Vec<OpenCell>,
    pub closed: Vec<ClosedCell>,
    pub teachers: ClosedOnes,
    /// Of the months for which [`one_by_one`] asks.
    pub deals: Vec<LooseDeals>,
    pub exchange: &'i Exchange,
    /// Of the stages, in their order.
    pub names: &'i [(String, String)],
    pub seed: i64,
}

const DEFINITION: &str = "won: opportunities that were won in the month, in time_zone, as known at as_of. open: those open at \
    as_of, in the month of their close date; those whose month has passed count for the month of as_of, as overdue. Amounts in \
    other currencies are converted by the rates that were known at as_of and valid on its day; sums are rounded once, half away \
    from zero. commit, best_case and pipeline each contain what is won and the categories before them; open ones of the category \
    omitted are in open alone. weighted is amount times the probability of the opportunity. What follows is learned from at most \
    2000 opportunities, the newest closed in the 12 months before the month of as_of and since. rate of a stage: of those that \
    were in it, the share that was won, as the mean of a Beta distribution whose prior is the share of all, weighing as 10 \
    opportunities. In time: of the won ones that took at least as long from this stage on as the opportunity has been in it \
    (counted in full thirty days), the share that was won until the end of its month; of the stage where 10 were won, else of all stages, \
    else certain. empirical_weighted is amount times rate times in time. p10, p50, p90 and mean are of won plus what open ones \
    bring in 2000 futures: in each the rates are drawn from their distributions and moved together by one common shock, and each \
    opportunity is won or not. The shock is normal on the logit, with the standard deviation by which win rates of the 12 months \
    differed beyond chance; with fewer than 6 months of 10 closed ones, opportunities are assumed independent and intervals are too \
    narrow. Months are looked at opportunity by opportunity, the smallest first, up to 1000 in all; in the others the sum is drawn \
    from the normal distribution of its mean and variance given the rates. With fewer than 30 closed ones there is not enough \
    history. Chance comes from ChaCha8, begun with seed. Nothing new is foreseen: opportunities that will be created are not in it.";

/// The months to be looked at opportunity by opportunity: the smallest, as far as they are few together.
pub fn one_by_one(span: &ForecastSpan, open: &[OpenCell]) -> BTreeSet<NaiveDate> {
    let mut counts: BTreeMap<NaiveDate, i64> = span.months().into_iter().map(|month| (month, 0)).collect();
    for cell in open {
        let month = cell.close_month.map(|month| span.month_of(month));
        if let Some(count) = month.and_then(|month| counts.get_mut(&month)) {
            *count += cell.count_with_amount;
        }
    }
    let counted = counts.into_iter().filter(|(_, count)| *count > 0);
    let mut months: Vec<(i64, NaiveDate)> = counted.map(|(month, count)| (count, month)).collect();
    months.sort_unstable();
    let mut together = 0;
    let few = months.into_iter().take_while(|(count, _)| {
        together += count;
        together <= MOST_ONE_BY_ONE
    });
    few.map(|(_, month)| month).collect()
}

/// Figures of a month on their way.
#[derive(Default)]
struct Gathered {
    figures: ForecastFigures,
    won: Sum,
    open: Sum,
    commit: Sum,
    best_case: Sum,
    pipeline: Sum,
    weighted: Sum,
    empirical: f64,
    prospects: Prospects,
}

impl Gathered {
    fn add_won(&mut self, cell: &ClosedCell, amount: Option<Decimal>) {
        self.figures.won_count += cell.count;
        if let Some(amount) = amount {
            self.won.add(amount);
        }
    }

    fn add_open(&mut self, cell: &OpenCell, is_overdue: bool, converted: Option<(Decimal, Decimal)>) {
        self.figures.open_count += cell.count;
        self.figures.open_count_without_amount += cell.count - cell.count_with_amount;
        self.figures.overdue_count += if is_overdue { cell.count } else { 0 };
        let Some((amount, weighted)) = converted else { return };
        self.open.add(amount);
        match cell.category {
            ForecastCategory::Omitted => return,
            ForecastCategory::Commit | ForecastCategory::Closed => self.commit.add(amount),
            ForecastCategory::BestCase => self.best_case.add(amount),
            ForecastCategory::Pipeline => self.pipeline.add(amount),
        }
        self.weighted.add(weighted);
    }

    /// Adds what another month has gathered.
    fn add(&mut self, other: &Self) {
        self.figures.won_count += other.figures.won_count;
        self.figures.open_count += other.figures.open_count;
        self.figures.open_count_without_amount += other.figures.open_count_without_amount;
        self.figures.overdue_count += other.figures.overdue_count;
        for (sum, more) in [
            (&mut self.won, &other.won),
            (&mut self.open, &other.open),
            (&mut self.commit, &other.commit),
            (&mut self.best_case, &other.best_case),
            (&mut self.pipeline, &other.pipeline),
            (&mut self.weighted, &other.weighted),
        ] {
            sum.add(more.exact());
        }
        self.empirical += other.empirical;
    }

    fn told(&self, currency: &str, outlook: Option<&Outlook>) -> ForecastFigures {
        let (mut commit, mut best_case, mut pipeline) = (self.won.clone(), self.won.clone(), self.won.clone());
        commit.add(self.commit.exact());
        [&self.commit, &self.best_case].iter().for_each(|sum| best_case.add(sum.exact()));
        [&self.commit, &self.best_case, &self.pipeline].iter().for_each(|sum| pipeline.add(sum.exact()));
        let about = |amount: f64| money::round(Decimal::try_from(amount).unwrap_or_default(), currency);
        ForecastFigures {
            won_amount: self.won.rounded(currency),
            open_amount: self.open.rounded(currency),
            commit_amount: commit.rounded(currency),
            best_case_amount: best_case.rounded(currency),
            pipeline_amount: pipeline.rounded(currency),
            weighted_amount: self.weighted.rounded(currency),
            empirical_weighted_amount: outlook.map(|_| about(self.empirical)),
            p10_amount: outlook.map(|outlook| about(outlook.p10)),
            p50_amount: outlook.map(|outlook| about(outlook.p50)),
            p90_amount: outlook.map(|outlook| about(outlook.p90)),
            mean_amount: outlook.map(|outlook| about(outlook.mean)),
            ..self.figures.clone()
        }
    }
}

/// What is needed to put prospects together.
struct Reckoning<'i> {
    input: &'i ForecastInput<'i>,
    lessons: Lessons,
    /// The stages that open opportunities are in, by their place among the rates.
    places: HashMap<&'i str, usize>,
    rates: Vec<Posterior>,
    months: BTreeMap<NaiveDate, Gathered>,
    undated: (i64, Sum),
    unconverted: Unconverted,
}

impl<'i> Reckoning<'i> {
    fn of(input: &'i ForecastInput<'i>) -> Self {
        let lessons = Lessons::of(&input.teachers);
        let stages: BTreeSet<&str> = input.open.iter().map(|cell| cell.stage.as_str()).collect();
        let rates = stages.iter().map(|stage| lessons.rate(stage)).collect();
        let months = input.span.months().into_iter().map(|month| (month, Gathered::default())).collect();
        Self {
            input,
            places: stages.into_iter().enumerate().map(|(place, stage)| (stage, place)).collect(),
            lessons,
            rates,
            months,
            undated: (0, Sum::default()),
            unconverted: Unconverted::default(),
        }
    }

    fn add_closed(&mut self) {
        for cell in self.input.closed.iter().filter(|cell| cell.won) {
            let Some(month) = self.months.get_mut(&cell.month) else { continue };
            let currency = cell.currency.as_deref();
            let amount = currency.and_then(|currency| self.input.exchange.convert(cell.amount, currency));
            month.add_won(cell, amount);
            if let Some(currency) = currency.filter(|_| amount.is_none()) {
                self.unconverted.add(currency, cell.count_with_amount, cell.amount);
            }
        }
    }

    fn add_open(&mut self, one_by_one: &BTreeSet<NaiveDate>) {
        let exchange = self.input.exchange;
        for cell in &self.input.open {
            let currency = cell.currency.as_deref();
            let converted = currency.and_then(|currency| {
                let weighted = exchange.convert(cell.weighted, currency)? / Decimal::ONE_HUNDRED;
                Some((exchange.convert(cell.amount, currency)?, weighted))
            });
            let month = cell.close_month.map(|month| self.input.span.month_of(month));
            if month.is_some_and(|month| !self.months.contains_key(&month)) {
                continue;
            }
            if let Some(currency) = currency.filter(|_| converted.is_none()) {
                self.unconverted.add(currency, cell.count_with_amount, cell.amount);
            }
            let Some(month) = month else {
                self.undated.0 += cell.count;
                self.undated.1.add(converted.map_or(Decimal::ZERO, |(amount, _)| amount));
                continue;
            };
            let in_time = self.in_time(&cell.stage, cell.age, month);
            let stage = self.places.get(cell.stage.as_str()).copied().unwrap_or_default();
            let is_overdue = cell.close_month.is_some_and(|expected| expected < month);
            let Some(gathered) = self.months.get_mut(&month) else { continue };
            gathered.add_open(cell, is_overdue, converted);
            let Some((amount, _)) = converted.filter(|_| cell.category != ForecastCategory::Omitted) else { continue };
            let sum = amount.to_f64().unwrap_or_default();
            gathered.empirical += self.rates[stage].mean() * in_time * sum;
            if !one_by_one.contains(&month) {
                gathered.prospects.add(stage, in_time, sum, squares(cell, amount));
            }
        }
    }

    fn add_deals(&mut self) {
        for deals in &self.input.deals {
            let month = self.input.span.month_of(deals.close_month);
            let in_time = self.in_time(&deals.stage, deals.age, month);
            let (Some(stage), Some(gathered)) = (self.places.get(deals.stage.as_str()), self.months.get_mut(&month))
            else {
                continue;
            };
            let convert = |amount: &Decimal| self.input.exchange.convert(*amount, &deals.currency)?.to_f64();
            let deal = |amount: f64| Deal { stage: *stage, in_time, amount };
            gathered.prospects.deals.extend(deals.amounts.iter().filter_map(convert).map(deal));
        }
    }

    /// The chance that an opportunity closes by the end of the month for which it counts.
    fn in_time(&self, stage: &str, age: i64, month: NaiveDate) -> f64 {
        let end = report::start(report::month(month, 1), self.input.exchange.time_zone.as_deref());
        self.lessons.in_time(stage, age, (end - self.input.at).num_days() + 1)
    }
}

/// The sum of the squares of converted amounts, from their sum and how much they differ.
fn squares(cell: &OpenCell, converted: Decimal) -> f64 {
    let count = cell.count_with_amount.max(1) as f64;
    let (own, sum) = (cell.amount.to_f64().unwrap_or_default(), converted.to_f64().unwrap_or_default());
    let rate = if own == 0.0 { 1.0 } else { sum / own };
    count * (cell.variance * rate * rate + (sum / count).powi(2))
}

impl Prospects {
    /// Adds many opportunities of a stage.
    fn add(&mut self, stage: usize, in_time: f64, sum: f64, squares: f64) {
        let place = self.groups.iter().position(|group| group.stage == stage).unwrap_or_else(|| {
            self.groups.push(Group { stage, ..Group::default() });
            self.groups.len() - 1
        });
        let group = &mut self.groups[place];
        group.amount += sum;
        group.timely += in_time * sum;
        group.squares += in_time * squares;
        group.timely_squares += in_time * in_time * squares;
    }
}

impl Forecast {
    /// Puts a forecast together. The order of what comes in does not matter.
    pub fn of(query: &ForecastQuery, mut input: ForecastInput<'_>) -> Self {
        // Sums of floating point and draws by chance depend on the order.
        let key =
            |cell: &OpenCell| (cell.close_month, cell.stage.clone(), cell.age, cell.currency.clone(), cell.amount);
        input.open.sort_by_cached_key(key);
        let mut deals = BTreeMap::<_, Vec<Decimal>>::new();
        for of in std::mem::take(&mut input.deals) {
            deals.entry((of.close_month, of.stage, of.currency, of.age)).or_default().extend(of.amounts);
        }
        input.deals = deals.into_iter().map(LooseDeals::sorted).collect();
        let one_by_one = one_by_one(&input.span, &input.open);
        let mut reckoning = Reckoning::of(&input);
        reckoning.add_closed();
        reckoning.add_open(&one_by_one);
        reckoning.add_deals();
        reckoning.told(query)
    }
}

impl Reckoning<'_> {
    fn told(mut self, query: &ForecastQuery) -> Forecast {
        let (input, currency) = (self.input, self.input.exchange.currency.as_str());
        let shock = history::shock(&self.months_of_history());
        let outlooks = self.lessons.are_enough().then(|| {
            let prospects: Vec<Prospects> = self.months.values_mut().map(Gathered::take_prospects).collect();
            let seed = input.seed.unsigned_abs();
            simulation::simulate(&prospects, &self.rates, shock.map_or(0.0, |shock| shock.0), seed)
        });
        let mut total = Gathered::default();
        self.months.values().for_each(|month| total.add(month));
        let month = |(place, (month, gathered)): (usize, (&NaiveDate, &Gathered))| ForecastMonth {
            month: report::month_key(*month),
            figures: gathered.told(currency, outlooks.as_ref().map(|outlooks| &outlooks.0[place])),
        };
        Forecast {
            definition: ReportDefinition::new("forecast", 1, DEFINITION),
            as_of: input.at,
            currency: currency.to_owned(),
            time_zone: query.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            months: self.months.iter().enumerate().map(month).collect(),
            total: total.told(currency, outlooks.as_ref().map(|outlooks| &outlooks.1)),
            undated: UndatedOpportunities { count: self.undated.0, amount: self.undated.1.rounded(currency) },
            stages: self.stages(),
            simulation: ForecastSimulation {
                seed: input.seed,
                runs: if outlooks.is_some() { i32::try_from(RUNS).unwrap_or(i32::MAX) } else { 0 },
                closed_count: self.lessons.closed,
                won_count: self.lessons.won,
                unavailable: outlooks.is_none().then_some(ForecastGap::NotEnoughHistory),
                intervals: match shock {
                    Some(_) => ForecastIntervals::CommonShock,
                    None => ForecastIntervals::DealsAssumedIndependent,
                },
                shock: shock.map(|shock| rounded(shock.0)),
                shock_months: shock.map_or(0, |shock| i32::try_from(shock.1).unwrap_or(i32::MAX)),
            },
            unconverted: self.unconverted.told(),
        }
    }

    /// Won and lost in each whole month that teaches.
    fn months_of_history(&self) -> Vec<(i64, i64)> {
        let span = &self.input.span;
        let mut months = BTreeMap::<NaiveDate, (i64, i64)>::new();
        for cell in self.input.closed.iter().filter(|cell| (span.history..span.this).contains(&cell.month)) {
            let month = months.entry(cell.month).or_default();
            *(if cell.won { &mut month.0 } else { &mut month.1 }) += cell.count;
        }
        months.into_values().collect()
    }

    fn stages(&self) -> Vec<StageRate> {
        let taught = self.input.teachers.passed.iter().map(|passed| passed.stage.as_str());
        let stages: BTreeSet<&str> = self.places.keys().copied().chain(taught).collect();
        let names = Names::of(self.input.names);
        let mut stages: Vec<&str> = stages.into_iter().collect();
        stages.sort_by_key(|stage| names.place(Some(stage)));
        let rate = |stage: &str| {
            let ((won_count, closed_count), rate) = (self.lessons.passed(stage), self.lessons.rate(stage));
            let known = |rate: f64| self.lessons.are_enough().then(|| rounded(rate));
            StageRate {
                key: stage.to_owned(),
                name: names.name(Some(stage)),
                closed_count,
                won_count,
                rate: known(rate.mean()),
                rate_p5: known(rate.quantile(0.05)),
                rate_p95: known(rate.quantile(0.95)),
            }
        };
        stages.into_iter().map(rate).collect()
    }
}

impl Gathered {
    /// What may yet be won, once all of it is there.
    fn take_prospects(&mut self) -> Prospects {
        Prospects { won: self.won.exact().to_f64().unwrap_or_default(), ..std::mem::take(&mut self.prospects) }
    }
}
