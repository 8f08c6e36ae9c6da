//! The honesty of a score: whether leads with more points really were converted more often afterwards.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{report::ReportDefinition, score::Points};
use crate::id::ScoreDefinitionId;

/// Shares of fewer leads are not told: they say nothing.
const FEWEST: i64 = 5;

/// The quantile of the normal distribution for an interval of 95 percent.
const Z: f64 = 1.96;

const TEXT: &str = "Leads that had a score by this version at scored_at and were not converted then. A lead counts as converted if it \
                    was between scored_at and as_of. Leads that are still open count as not converted, although they may be \
                    later. Tenths are cut by value, so leads of the same score stand in the same one, and tenths differ in \
                    size. Rates come with the Wilson interval of 95 percent, and are left out under 5 leads. auc is the chance that \
                    of two leads, one converted and one not, the converted one had more points; 0.5 is chance. A score that goes \
                    along with conversions need not cause them, and whom the score made people look after was converted more \
                    often for that reason alone.";

/// Which version, and how long ago its scores are looked at.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScoreQualityQuery {
    /// Number of a version that was published; the last one unless said otherwise.
    #[param(minimum = 1)]
    pub version: Option<i64>,
    /// The scores of so many days ago, and what came of them since; 90 unless said otherwise.
    #[param(minimum = 1, maximum = 730, default = 90)]
    pub days: Option<i64>,
}

/// Whether leads with more points were converted more often.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScoreQuality {
    /// What the figures mean, and what not.
    pub definition: ReportDefinition,
    /// The score definition.
    #[schema(value_type = Uuid)]
    pub definition_id: ScoreDefinitionId,
    /// The version whose scores are looked at; null where none was published.
    #[schema(minimum = 1, example = 1)]
    pub definition_version: Option<i64>,
    /// When the leads had these scores.
    pub scored_at: DateTime<Utc>,
    /// Until when conversions count.
    pub as_of: DateTime<Utc>,
    /// How many leads there are.
    #[schema(minimum = 0, example = 1200)]
    pub count: i64,
    /// How many of them were converted.
    #[schema(minimum = 0, example = 84)]
    pub converted: i64,
    /// The share of them, from 0 to 1; null under 5 leads.
    #[schema(example = 0.07)]
    pub rate: Option<f64>,
    /// The chance that a converted lead had more points than one that was not; null where there are only leads of one kind.
    #[schema(example = 0.71)]
    pub auc: Option<f64>,
    /// How many times as often leads of the first tenth were converted as leads of all; null without conversions, and where
    /// the first tenth has no rate.
    #[schema(example = 2.4)]
    pub top_decile_lift: Option<f64>,
    /// The leads by tenths, those with the most points first. A tenth without leads is left out.
    pub deciles: Vec<ScoreDecile>,
}

/// Leads of one tenth.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScoreDecile {
    /// Which tenth: 1 has the most points.
    #[schema(minimum = 1, maximum = 10, example = 1)]
    pub decile: i64,
    /// The least score in it.
    pub min: Points,
    /// The greatest score in it.
    pub max: Points,
    /// How many leads.
    #[schema(minimum = 1, example = 120)]
    pub count: i64,
    /// How many of them were converted.
    #[schema(minimum = 0, example = 20)]
    pub converted: i64,
    /// The share of them, from 0 to 1; null under 5 leads.
    #[schema(example = 0.17)]
    pub rate: Option<f64>,
    /// The least that the share may be, by the Wilson interval.
    #[schema(example = 0.11)]
    pub rate_low: Option<f64>,
    /// The most that the share may be.
    #[schema(example = 0.24)]
    pub rate_high: Option<f64>,
}

/// Leads of the same score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored {
    pub total: Points,
    pub count: i64,
    pub converted: i64,
}

/// Whose scores are looked at, and when.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    pub definition_id: ScoreDefinitionId,
    pub definition_version: Option<i64>,
    pub scored_at: DateTime<Utc>,
    pub as_of: DateTime<Utc>,
}

impl ScoreQuality {
    /// Reckons how well scores told conversions.
    pub fn of(looked: Looked, mut scored: Vec<Scored>) -> Self {
        scored.sort_by_key(|scored| std::cmp::Reverse(scored.total));
        let count: i64 = scored.iter().map(|scored| scored.count).sum();
        let converted: i64 = scored.iter().map(|scored| scored.converted).sum();
        let rate = rate(converted, count);
        let deciles = deciles(&scored, count);
        let first = deciles.iter().find(|decile| decile.decile == 1).and_then(|decile| decile.rate);
        let lift = first.zip(rate).filter(|(_, rate)| *rate > 0.0).map(|(first, rate)| first / rate);
        Self {
            definition: ReportDefinition::new("score_quality", 1, TEXT),
            definition_id: looked.definition_id,
            definition_version: looked.definition_version,
            scored_at: looked.scored_at,
            as_of: looked.as_of,
            count,
            converted,
            rate,
            auc: auc(&scored),
            top_decile_lift: lift,
            deciles,
        }
    }
}

fn rate(converted: i64, count: i64) -> Option<f64> {
    (count >= FEWEST).then(|| converted as f64 / count as f64)
}

/// The tenths of leads that come with the most points first. Where several have the same score, the one in their middle
/// says which tenth they belong to.
fn deciles(scored: &[Scored], count: i64) -> Vec<ScoreDecile> {
    let mut deciles: Vec<ScoreDecile> = Vec::new();
    let mut before = 0;
    for of_score in scored.iter().filter(|scored| scored.count > 0) {
        let decile = (2 * before + of_score.count) * 5 / count + 1;
        before += of_score.count;
        match deciles.last_mut().filter(|last| last.decile == decile) {
            Some(last) => {
                last.min = of_score.total;
                last.count += of_score.count;
                last.converted += of_score.converted;
            }
            None => deciles.push(ScoreDecile {
                decile,
                min: of_score.total,
                max: of_score.total,
                count: of_score.count,
                converted: of_score.converted,
                rate: None,
                rate_low: None,
                rate_high: None,
            }),
        }
    }
    for decile in &mut deciles {
        decile.rate = rate(decile.converted, decile.count);
        let interval = decile.rate.map(|_| wilson(decile.converted, decile.count));
        (decile.rate_low, decile.rate_high) = interval.unzip();
    }
    deciles
}

/// The share of pairs of a converted lead and another in which the converted one has more points; the same score counts half.
fn auc(scored: &[Scored]) -> Option<f64> {
    let (mut won, mut others_above) = (0.0, 0_i64);
    let converted: i64 = scored.iter().map(|scored| scored.converted).sum();
    let others: i64 = scored.iter().map(|scored| scored.count - scored.converted).sum();
    for of_score in scored {
        let same = of_score.count - of_score.converted;
        won += of_score.converted as f64 * ((others - others_above - same) as f64 + same as f64 / 2.0);
        others_above += same;
    }
    (converted > 0 && others > 0).then(|| won / (converted as f64 * others as f64))
}

/// Between which shares the true one is likely to lie.
fn wilson(hits: i64, count: i64) -> (f64, f64) {
    let (k, n, z2) = (hits as f64, count as f64, Z * Z);
    let centre = (k + z2 / 2.0) / (n + z2);
    let half = Z * (k * (n - k) / n + z2 / 4.0).sqrt() / (n + z2);
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quality(scored: &[(i64, i64, i64)]) -> ScoreQuality {
        let looked = Looked {
            definition_id: ScoreDefinitionId::mint(),
            definition_version: Some(1),
            scored_at: DateTime::UNIX_EPOCH,
            as_of: DateTime::UNIX_EPOCH,
        };
        let scored = scored.iter().map(|(total, count, converted)| Scored {
            total: Points::whole(*total),
            count: *count,
            converted: *converted,
        });
        ScoreQuality::of(looked, scored.collect())
    }

    #[test]
    fn the_wilson_interval_is_that_of_the_books() {
        let (low, high) = wilson(46, 50);
        assert_eq!(((low * 1e4).round(), (high * 1e4).round()), (8116.0, 9685.0));
        assert_eq!(wilson(0, 5).0, 0.0);
        assert_eq!(wilson(5, 5).1, 1.0);
    }

    #[test]
    fn a_score_that_tells_all_has_an_auc_of_one_and_one_that_tells_nothing_a_half() {
        assert_eq!(quality(&[(10, 20, 20), (0, 80, 0)]).auc, Some(1.0));
        assert_eq!(quality(&[(0, 20, 20), (10, 80, 0)]).auc, Some(0.0));
        assert_eq!(quality(&[(5, 100, 20)]).auc, Some(0.5));
        assert_eq!((quality(&[(5, 100, 0)]).auc, quality(&[]).auc), (None, None));
    }

    #[test]
    fn tenths_are_cut_by_value_and_small_ones_have_no_rate() {
        let each: Vec<(i64, i64, i64)> = (0..10).map(|score| (score, 10, score)).collect();
        let quality = quality(&each);
        let told: Vec<(i64, i64)> = quality.deciles.iter().map(|decile| (decile.decile, decile.converted)).collect();
        assert_eq!(told, (1..=10).map(|decile| (decile, 10 - decile)).collect::<Vec<_>>());
        assert_eq!(quality.top_decile_lift, Some(2.0));

        let few = super::tests::quality(&[(9, 3, 1), (8, 97, 2)]);
        assert_eq!(few.deciles.iter().map(|decile| decile.decile).collect::<Vec<_>>(), [1, 6]);
        assert_eq!((few.deciles[0].rate, few.top_decile_lift), (None, None));
    }

    proptest! {
        #[test]
        fn tenths_are_all_leads_in_their_order(scored in prop::collection::vec((0_i64..50, 1_i64..30), 0..40)) {
            let scored: Vec<(i64, i64, i64)> = scored.iter().map(|(total, count)| (*total, *count, count / 3)).collect();
            let quality = quality(&scored);
            prop_assert_eq!(quality.deciles.iter().map(|decile| decile.count).sum::<i64>(), quality.count);
            prop_assert_eq!(quality.deciles.iter().map(|decile| decile.converted).sum::<i64>(), quality.converted);
            prop_assert!(quality.deciles.iter().all(|decile| (1..=10).contains(&decile.decile)));
            prop_assert!(quality.deciles.is_sorted_by(|one, other| one.decile < other.decile && one.min >= other.max));
            for decile in &quality.deciles {
                if let (Some(rate), Some(low), Some(high)) = (decile.rate, decile.rate_low, decile.rate_high) {
                    prop_assert!(low <= rate && rate <= high);
                }
            }
        }
    }
}
