//! What open opportunities may bring: many futures by chance, the same ones for the same seed.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use crate::insight::statistics::{Posterior, expit, logit, percentile};

/// How many futures are looked at.
pub(super) const RUNS: usize = 2_000;

/// What is open in one month, by the place of its stage among the rates.
#[derive(Clone, Debug, Default)]
pub(super) struct Prospects {
    /// Opportunities one by one.
    pub(super) deals: Vec<Deal>,
    /// Many of a stage together.
    pub(super) groups: Vec<Group>,
    /// What was won already.
    pub(super) won: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Deal {
    pub(super) stage: usize,
    /// The chance that it closes in time, if it is won at all.
    pub(super) in_time: f64,
    pub(super) amount: f64,
}

/// Sums over the opportunities of a stage, each with an amount a and the chance q that it closes in time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) stage: usize,
    /// Of a.
    pub(super) amount: f64,
    /// Of q·a.
    pub(super) timely: f64,
    /// Of q·a².
    pub(super) squares: f64,
    /// Of q²·a².
    pub(super) timely_squares: f64,
}

/// What half of the futures bring at least, and what nine of ten do; and what they bring on average.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outlook {
    pub(super) p10: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) mean: f64,
}

/// Looks at all futures: that of each month, and that of all of them together. `rates` are those of the stages, and `shock` is by
/// how much all of them move together.
pub(super) fn simulate(months: &[Prospects], rates: &[Posterior], shock: f64, seed: u64) -> (Vec<Outlook>, Outlook) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut brought: Vec<Vec<f64>> = months.iter().map(|_| Vec::with_capacity(RUNS)).collect();
    let mut together = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let rates = drawn(rates, shock, &mut chance);
        let mut all = 0.0;
        for (prospects, brought) in months.iter().zip(&mut brought) {
            let amount = future(prospects, &rates, &mut chance);
            brought.push(amount);
            all += amount;
        }
        together.push(all);
    }
    (brought.into_iter().map(outlook).collect(), outlook(together))
}

/// The rates of one future: each as likely as it is, and all of them better or worse by one common shock.
fn drawn(rates: &[Posterior], shock: f64, chance: &mut ChaCha8Rng) -> Vec<f64> {
    let moved: f64 = StandardNormal.sample(chance);
    let shocked = |rate: f64| if shock == 0.0 { rate } else { expit(logit(rate) + shock * moved) };
    rates.iter().map(|rate| shocked(rate.draw(chance))).collect()
}

/// What one month brings in one future.
fn future(prospects: &Prospects, rates: &[f64], chance: &mut ChaCha8Rng) -> f64 {
    let mut amount = prospects.won;
    for deal in &prospects.deals {
        let drawn: f64 = StandardUniform.sample(chance);
        if drawn < rates[deal.stage] * deal.in_time {
            amount += deal.amount;
        }
    }
    if prospects.groups.is_empty() {
        return amount;
    }
    let (mut mean, mut variance, mut most) = (0.0, 0.0, 0.0);
    for group in &prospects.groups {
        let rate = rates[group.stage];
        mean += rate * group.timely;
        variance += rate * group.squares - rate * rate * group.timely_squares;
        most += group.amount;
    }
    let drawn: f64 = StandardNormal.sample(chance);
    amount + (mean + drawn * variance.max(0.0).sqrt()).clamp(0.0, f64::max(most, 0.0))
}

fn outlook(mut brought: Vec<f64>) -> Outlook {
    let mean = brought.iter().sum::<f64>() / brought.len() as f64;
    brought.sort_by(f64::total_cmp);
    let at = |percent| percentile(&brought, percent).unwrap_or(0.0);
    Outlook { p10: at(10), p50: at(50), p90: at(90), mean }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(all: &[(usize, f64, f64)]) -> Prospects {
        let deal = |&(stage, in_time, amount): &(usize, f64, f64)| Deal { stage, in_time, amount };
        Prospects { deals: all.iter().map(deal).collect(), ..Prospects::default() }
    }

    fn together(all: &[(usize, f64, f64)]) -> Prospects {
        let group = |&(stage, q, a): &(usize, f64, f64)| Group {
            stage,
            amount: a,
            timely: q * a,
            squares: q * a * a,
            timely_squares: q * q * a * a,
        };
        Prospects { groups: all.iter().map(group).collect(), ..Prospects::default() }
    }

    fn moments(prospects: &Prospects, rates: &[f64]) -> (f64, f64) {
        let mut chance = ChaCha8Rng::seed_from_u64(7);
        let brought: Vec<f64> = (0..20_000).map(|_| future(prospects, rates, &mut chance)).collect();
        let mean = brought.iter().sum::<f64>() / brought.len() as f64;
        let squares: f64 = brought.iter().map(|one| (one - mean) * (one - mean)).sum();
        (mean, squares / brought.len() as f64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// One by one or together: with fixed rates, the mean is Σpa and the variance Σp(1−p)a².
        #[test]
        fn futures_have_the_moments_of_the_opportunities(
            all in proptest::collection::vec((0_usize..3, 0.3_f64..=1.0, 100.0_f64..10_000.0), 40..120),
        ) {
            let rates = [0.3, 0.5, 0.7];
            let (mut mean, mut variance) = (0.0, 0.0);
            for (stage, in_time, amount) in &all {
                let rate = rates[*stage] * in_time;
                mean += rate * amount;
                variance += rate * (1.0 - rate) * amount * amount;
            }
            for prospects in [one_by_one(&all), together(&all)] {
                let told = moments(&prospects, &rates);
                // Five standard errors of each.
                prop_assert!((told.0 - mean).abs() < 5.0 * (variance / 20_000.0).sqrt(), "{told:?} {mean}");
                prop_assert!((told.1 / variance - 1.0).abs() < 0.08, "{told:?} {variance}");
            }
        }
    }

    #[test]
    fn a_seed_has_one_outcome() {
        let months = [one_by_one(&[(0, 1.0, 100.0), (0, 0.5, 900.0)]), together(&[(0, 1.0, 50.0), (0, 1.0, 70.0)])];
        let posteriors = [Posterior::of(3, 10, 0.4)];
        let once = simulate(&months, &posteriors, 0.3, 42);
        assert_eq!(simulate(&months, &posteriors, 0.3, 42), once);
        assert_ne!(simulate(&months, &posteriors, 0.3, 43), once);
        assert_eq!(once.0.len(), 2);
        assert!((once.0[0].mean + once.0[1].mean - once.1.mean).abs() < 1e-6);
    }

    #[test]
    fn a_common_shock_widens_what_is_uncertain() {
        let months = [together(&[(0, 1.0, 100.0); 200])];
        let posteriors = [Posterior::of(3_000, 10_000, 0.3)];
        let spread = |shock| {
            let (_, all) = simulate(&months, &posteriors, shock, 1);
            all.p90 - all.p10
        };
        assert!(spread(0.6) > 1.5 * spread(0.0));
    }

    #[test]
    fn what_is_sure_comes() {
        let mut sure = one_by_one(&[(0, 1.0, 100.0), (0, 1.0, 23.0)]);
        sure.won = 1_000.0;
        assert_eq!(future(&sure, &[1.0], &mut ChaCha8Rng::seed_from_u64(9)), 1_123.0);
        assert_eq!(outlook(vec![4.0, 2.0, 9.0, 1.0]), Outlook { p10: 1.0, p50: 2.0, p90: 9.0, mean: 4.0 });
    }
}
