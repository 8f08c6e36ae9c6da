//! Activity: what each user has done in a period.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::report::{self, AsOf, Exchange, Names, Period, ReportDefinition, Sum, Unconverted, UnconvertedAmount};
use crate::{filter::Filter, id::PipelineId};

/// What the report is about.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-11-01", "to": "2026-12-01", "currency": "EUR", "time_zone": "Europe/Berlin"}))]
pub struct ActivityQuery {
    /// The first day.
    #[schema(example = "2026-11-01")]
    pub from: NaiveDate,
    /// The day after the last one. At most ten years after `from`.
    #[schema(example = "2026-12-01")]
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
    /// Of opportunities only those that were in these pipelines; all unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 100)]
    pub pipeline_ids: Vec<PipelineId>,
    /// Of opportunities only those for which this holds, as they are now: a filter of the entity `opportunity`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
}

/// What users have done in a period.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ActivityReport {
    /// What its figures mean.
    pub definition: ReportDefinition,
    /// The instant at which it was known.
    pub as_of: DateTime<Utc>,
    /// The first day.
    #[schema(example = "2026-11-01")]
    pub from: NaiveDate,
    /// The day after the last one.
    #[schema(example = "2026-12-01")]
    pub to: NaiveDate,
    /// ISO 4217 code of the currency of all amounts.
    #[schema(example = "EUR")]
    pub currency: String,
    /// IANA time zone in which days begin.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// One entry for each user who has done something, by name.
    pub users: Vec<UserActivity>,
    /// All of them together.
    pub total: ActivityFigures,
    /// Amounts for which there is no rate: they are counted, but not part of any sum.
    pub unconverted: Vec<UnconvertedAmount>,
}

/// What a user has done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UserActivity {
    /// The id of the user.
    #[schema(example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5d")]
    pub key: String,
    /// Their name.
    #[schema(required, example = "Ada Lovelace")]
    pub name: Option<String>,
    pub figures: ActivityFigures,
}

/// Figures of what was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ActivityFigures {
    /// Opportunities that were created.
    #[schema(minimum = 0, example = 9)]
    pub opportunities_created: i64,
    /// How often opportunities were moved to another open stage.
    #[schema(minimum = 0, example = 31)]
    pub opportunities_moved: i64,
    /// How often opportunities were won.
    #[schema(minimum = 0, example = 4)]
    pub opportunities_won: i64,
    /// The sum of the amounts that they had when they were won.
    #[schema(value_type = String, example = "48000.00")]
    pub won_amount: Decimal,
    /// How often opportunities were lost.
    #[schema(minimum = 0, example = 6)]
    pub opportunities_lost: i64,
    /// Leads that were created. Null for those who may not see statuses of leads.
    #[schema(required, minimum = 0, example = 20)]
    pub leads_created: Option<i64>,
    /// How often leads got another status, but for one of the class `won`.
    #[schema(required, minimum = 0, example = 14)]
    pub leads_moved: Option<i64>,
    /// How often leads got a status of the class `won`.
    #[schema(required, minimum = 0, example = 3)]
    pub leads_converted: Option<i64>,
    /// How often tasks were completed. Null for those who may not see statuses of tasks.
    #[schema(required, minimum = 0, example = 42)]
    pub tasks_completed: Option<i64>,
}

/// Something that users do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    OpportunityCreated,
    OpportunityMoved,
    OpportunityWon,
    OpportunityLost,
    LeadCreated,
    LeadMoved,
    LeadConverted,
    TaskCompleted,
}

/// What a user has done so many times.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityCell {
    pub user: String,
    pub deed: Deed,
    pub currency: Option<String>,
    pub count: i64,
    pub count_with_amount: i64,
    pub amount: Decimal,
}

/// What the caller may see beside opportunities.
#[derive(Clone, Copy, Debug)]
pub struct ActivityScope {
    pub leads: bool,
    pub tasks: bool,
}

const DEFINITION: &str = "What users have done from the day from until before the day to, in time_zone, as known at as_of, each \
    time that they did it, and whoever owns the record: what programs did with their own keys is not in it. Opportunities from the \
    history of their states: created, come to another open stage (also by being reopened), won, lost; won_amount is the sum of \
    the amounts at that moment. Leads from the history of their statuses: created, come to a status of the class won (converted), \
    come to another (moved). Tasks from the journal: completed. Records count that the caller may see now. Amounts in other \
    currencies are converted by the rates that were known at as_of and valid on its day. It says how much was done, not how well.";

#[derive(Default)]
struct Gathered {
    counts: BTreeMap<u8, i64>,
    won: Sum,
}

impl Gathered {
    fn figures(&self, currency: &str, scope: ActivityScope) -> ActivityFigures {
        let count = |deed: Deed| self.counts.get(&(deed as u8)).copied().unwrap_or_default();
        ActivityFigures {
            opportunities_created: count(Deed::OpportunityCreated),
            opportunities_moved: count(Deed::OpportunityMoved),
            opportunities_won: count(Deed::OpportunityWon),
            won_amount: self.won.rounded(currency),
            opportunities_lost: count(Deed::OpportunityLost),
            leads_created: scope.leads.then(|| count(Deed::LeadCreated)),
            leads_moved: scope.leads.then(|| count(Deed::LeadMoved)),
            leads_converted: scope.leads.then(|| count(Deed::LeadConverted)),
            tasks_completed: scope.tasks.then(|| count(Deed::TaskCompleted)),
        }
    }

    fn add(&mut self, cell: &ActivityCell, amount: Option<Decimal>) {
        *self.counts.entry(cell.deed as u8).or_default() += cell.count;
        if let Some(amount) = amount.filter(|_| cell.deed == Deed::OpportunityWon) {
            self.won.add(amount);
        }
    }
}

impl ActivityQuery {
    pub fn period(&self) -> Period {
        Period { from: self.from, to: self.to }
    }
}

impl ActivityReport {
    /// Puts cells together. `names` says how users are called and in which order they come.
    pub fn of(
        query: &ActivityQuery,
        as_of: AsOf,
        cells: &[ActivityCell],
        scope: ActivityScope,
        exchange: &Exchange,
        names: &[(String, String)],
    ) -> Self {
        let (mut users, mut total) = (BTreeMap::<&str, Gathered>::new(), Gathered::default());
        let mut unconverted = Unconverted::default();
        for cell in cells {
            let currency = cell.currency.as_deref().filter(|_| cell.deed == Deed::OpportunityWon);
            let amount = currency.and_then(|currency| exchange.convert(cell.amount, currency));
            users.entry(&cell.user).or_default().add(cell, amount);
            total.add(cell, amount);
            if let Some(currency) = currency.filter(|_| amount.is_none()) {
                unconverted.add(currency, cell.count_with_amount, cell.amount);
            }
        }
        let names = Names::of(names);
        let mut users: Vec<_> = users.into_iter().collect();
        users.sort_by_key(|(user, _)| names.place(Some(user)));
        let user = |(key, gathered): (&str, Gathered)| UserActivity {
            key: key.to_owned(),
            name: names.name(Some(key)),
            figures: gathered.figures(&exchange.currency, scope),
        };
        Self {
            definition: ReportDefinition::new("activity", 1, DEFINITION),
            as_of: as_of.at,
            from: query.from,
            to: query.to,
            currency: exchange.currency.clone(),
            time_zone: query.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            users: users.into_iter().map(user).collect(),
            total: total.figures(&exchange.currency, scope),
            unconverted: unconverted.told(),
        }
    }

    /// The report as a table: headings, a row for each user, the total.
    pub fn table(&self) -> Vec<Vec<String>> {
        const HEADINGS: [&str; 12] = [
            "key",
            "name",
            "opportunities_created",
            "opportunities_moved",
            "opportunities_won",
            "won_amount",
            "currency",
            "opportunities_lost",
            "leads_created",
            "leads_moved",
            "leads_converted",
            "tasks_completed",
        ];
        let row = |key: &str, name: &str, figures: &ActivityFigures| {
            vec![
                key.to_owned(),
                report::cell(name),
                figures.opportunities_created.to_string(),
                figures.opportunities_moved.to_string(),
                figures.opportunities_won.to_string(),
                figures.won_amount.to_string(),
                self.currency.clone(),
                figures.opportunities_lost.to_string(),
                report::known(figures.leads_created),
                report::known(figures.leads_moved),
                report::known(figures.leads_converted),
                report::known(figures.tasks_completed),
            ]
        };
        let mut table = vec![HEADINGS.map(ToOwned::to_owned).to_vec()];
        for user in &self.users {
            table.push(row(&user.key, user.name.as_deref().unwrap_or_default(), &user.figures));
        }
        table.push(row("", "Total", &self.total));
        table
    }
}
