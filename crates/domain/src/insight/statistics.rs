//! Shares and what is known of them: intervals of shares, and rates that few cases can't carry away.

use rand_chacha::rand_core::Rng;
use rand_distr::{Beta, Distribution};
use statrs::function::beta::inv_beta_reg;

/// How many standard deviations an interval of 95 percent reaches to each side.
const Z: f64 = 1.96;
/// Shares of fewer cases than this are not told: they would say more of chance, or of single people, than of anything else.
pub(crate) const FEWEST_CASES: i64 = 5;
/// How many cases the rate that holds for all weighs as, when the rate of a part is judged.
const PRIOR_CASES: f64 = 10.0;

/// A share with the interval in which the true one lies, in 19 of 20 cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    /// From 0 to 1.
    pub(crate) value: f64,
    /// Where the interval of 95 percent begins (Wilson).
    pub(crate) low: f64,
    /// Where it ends.
    pub(crate) high: f64,
}

impl Share {
    /// So many of all. None of fewer than [`FEWEST_CASES`].
    pub(crate) fn of(some: i64, all: i64) -> Option<Self> {
        if all < FEWEST_CASES {
            return None;
        }
        let (k, n) = (some as f64, all as f64);
        let centre = (k + Z * Z / 2.0) / (n + Z * Z);
        let half = Z * (k * (n - k) / n + Z * Z / 4.0).sqrt() / (n + Z * Z);
        Some(Self {
            value: rounded(k / n),
            low: rounded((centre - half).max(0.0)),
            high: rounded((centre + half).min(1.0)),
        })
    }
}

/// Six decimals: more would be noise, and would differ from machine to machine.
pub(crate) fn rounded(share: f64) -> f64 {
    (share * 1_000_000.0).round() / 1_000_000.0
}

/// What is known of a rate after so many cases: a Beta distribution that begins at the rate of all cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Posterior {
    alpha: f64,
    beta: f64,
}

impl Posterior {
    /// Of `all` cases, `some` had it; of all cases there are, the share `overall`.
    pub(crate) fn of(some: i64, all: i64, overall: f64) -> Self {
        // Where nobody ever won or lost, the prior keeps a little doubt.
        let overall = overall.clamp(0.001, 0.999);
        Self {
            alpha: PRIOR_CASES * overall + some as f64,
            beta: PRIOR_CASES * (1.0 - overall) + (all - some).max(0) as f64,
        }
    }

    pub(crate) fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// The rate that the true one is below of with this probability.
    pub(crate) fn quantile(&self, probability: f64) -> f64 {
        inv_beta_reg(self.alpha, self.beta, probability)
    }

    /// A rate by chance, as likely as it is.
    pub(crate) fn draw(&self, chance: &mut impl Rng) -> f64 {
        Beta::new(self.alpha, self.beta).map_or(self.mean(), |beta| beta.sample(chance))
    }
}

pub(crate) fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(1e-9, 1.0 - 1e-9);
    (probability / (1.0 - probability)).ln()
}

pub(crate) fn expit(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The smallest of sorted values that at least so many percent of them do not pass.
pub(crate) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let place = (sorted.len() * percent).div_ceil(100);
    sorted.get(place.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    fn near(one: f64, other: f64, distance: f64) -> bool {
        (one - other).abs() <= distance
    }

    #[test]
    fn a_share_has_the_interval_of_wilson() {
        let share = Share::of(46, 50).unwrap();
        assert_eq!(share.value, 0.92);
        assert!(near(share.low, 0.8116, 5e-5) && near(share.high, 0.9685, 5e-5), "{share:?}");
        assert_eq!(Share::of(4, 4), None);
    }

    #[test]
    fn rates_of_few_cases_stay_near_that_of_all() {
        let vectors = [
            (18, 60, 0.288_571, 0.203_627, 0.380_432),
            (0, 5, 0.146_667, 0.032_223, 0.315_348),
            (3, 3, 0.4, 0.193_413, 0.624_734),
        ];
        for (some, all, mean, low, high) in vectors {
            let posterior = Posterior::of(some, all, 0.22);
            let told = [posterior.mean(), posterior.quantile(0.05), posterior.quantile(0.95)];
            let expected = [mean, low, high];
            assert!(told.iter().zip(expected).all(|(one, other)| near(*one, other, 1e-6)), "{told:?} {expected:?}");
        }
    }

    #[test]
    fn drawn_rates_have_the_mean_of_what_is_known() {
        let (posterior, mut chance) = (Posterior::of(18, 60, 0.22), ChaCha8Rng::seed_from_u64(1));
        let drawn: f64 = (0..20_000).map(|_| posterior.draw(&mut chance)).sum();
        assert!(near(drawn / 20_000.0, posterior.mean(), 0.002));
    }

    proptest! {
        #[test]
        fn a_share_lies_in_its_interval(all in 5_i64..100_000, some in 0.0..=1.0) {
            let some = (some * all as f64) as i64;
            let share = Share::of(some, all).unwrap();
            prop_assert!(0.0 <= share.low && share.low <= share.value && share.value <= share.high && share.high <= 1.0);
            // What is counted the other way around lies as far from the other end.
            let rest = Share::of(all - some, all).unwrap();
            prop_assert!(near(rest.low, 1.0 - share.high, 2e-6));
        }

        #[test]
        fn logits_lead_there_and_back(probability in 0.001..0.999) {
            prop_assert!(near(expit(logit(probability)), probability, 1e-9));
        }
    }
}
