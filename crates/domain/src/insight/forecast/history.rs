//! What closed opportunities teach about open ones: how often they are won, how long that takes, and how much good and bad
//! times differ.

use std::collections::HashMap;

use crate::insight::statistics::{Posterior, logit};

/// Fewer closed opportunities than these teach nothing.
pub(super) const FEWEST_CLOSED: i64 = 30;
/// Fewer won ones than these don't say how long it takes to win one of a stage.
const FEWEST_WON: usize = 10;
/// A month counts for the common shock with so many closed ones, and so many such months are needed.
const FEWEST_OF_MONTH: i64 = 10;
const FEWEST_MONTHS: usize = 6;

/// Closed opportunities that were in a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    pub stage: String,
    /// Of each won one, the whole days from when it last came to the stage until it was won.
    pub won_days: Vec<i64>,
    pub lost: i64,
}

/// The newest closed opportunities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClosedOnes {
    pub won: i64,
    pub lost: i64,
    pub passed: Vec<Passed>,
}

/// What can be learned from them.
pub(super) struct Lessons {
    pub(super) won: i64,
    pub(super) closed: i64,
    stages: HashMap<String, Lesson>,
    all_days: Vec<i64>,
}

#[derive(Default)]
struct Lesson {
    won_days: Vec<i64>,
    lost: i64,
}

impl Lessons {
    pub(super) fn of(closed: &ClosedOnes) -> Self {
        let mut stages = HashMap::<String, Lesson>::new();
        for passed in &closed.passed {
            let lesson = stages.entry(passed.stage.clone()).or_default();
            lesson.won_days.extend(&passed.won_days);
            lesson.lost += passed.lost;
        }
        let mut all_days: Vec<i64> = stages.values().flat_map(|lesson| &lesson.won_days).copied().collect();
        all_days.sort_unstable();
        stages.values_mut().for_each(|lesson| lesson.won_days.sort_unstable());
        Self { won: closed.won, closed: closed.won + closed.lost, stages, all_days }
    }

    pub(super) fn are_enough(&self) -> bool {
        self.closed >= FEWEST_CLOSED
    }

    fn overall(&self) -> f64 {
        self.won as f64 / self.closed.max(1) as f64
    }

    /// How many that passed a stage were won, and how many there were.
    pub(super) fn passed(&self, stage: &str) -> (i64, i64) {
        let lesson = self.stages.get(stage);
        lesson.map_or((0, 0), |lesson| {
            let won = i64::try_from(lesson.won_days.len()).unwrap_or(i64::MAX);
            (won, won + lesson.lost)
        })
    }

    pub(super) fn rate(&self, stage: &str) -> Posterior {
        let (won, all) = self.passed(stage);
        Posterior::of(won, all, self.overall())
    }

    /// Of those that were won after so many days or later, the share that was within `left` more days: (F(age + left) −
    /// F(age)) / (1 − F(age)). Nothing where all of them were faster, and 1 where too few are known.
    pub(super) fn in_time(&self, stage: &str, age: i64, left: i64) -> f64 {
        let of_stage = self.stages.get(stage).map(|lesson| &lesson.won_days);
        let days = of_stage.filter(|days| days.len() >= FEWEST_WON).unwrap_or(&self.all_days);
        if days.len() < FEWEST_WON {
            return 1.0;
        }
        let passed = days.partition_point(|days| *days < age);
        let timely = days.partition_point(|days| *days <= age.saturating_add(left));
        match days.len() - passed {
            0 => 0.0,
            later => (timely - passed) as f64 / later as f64,
        }
    }
}

/// How much the win rate differs from month to month beyond chance: the standard deviation of its logit, and of how many
/// months it was learned. Months are pairs of won and lost. None where too few months have enough.
pub(super) fn shock(months: &[(i64, i64)]) -> Option<(f64, usize)> {
    let months: Vec<_> = months.iter().filter(|(won, lost)| won + lost >= FEWEST_OF_MONTH).collect();
    if months.len() < FEWEST_MONTHS {
        return None;
    }
    let count = months.len() as f64;
    let (won, lost) = months.iter().fold((0, 0), |sum, month| (sum.0 + month.0, sum.1 + month.1));
    let overall = ((won as f64 + 0.5) / ((won + lost) as f64 + 1.0)).clamp(0.01, 0.99);
    let rate = |(won, lost): &(i64, i64)| logit((*won as f64 + 0.5) / ((won + lost) as f64 + 1.0));
    let mean = months.iter().map(|month| rate(month)).sum::<f64>() / count;
    let spread = months.iter().map(|month| (rate(month) - mean).powi(2)).sum::<f64>() / (count - 1.0);
    // What chance alone makes of months of this size.
    let by_chance = |(won, lost): &(i64, i64)| 1.0 / ((won + lost) as f64 * overall * (1.0 - overall));
    let expected = months.iter().map(|month| by_chance(month)).sum::<f64>() / count;
    Some(((spread - expected).max(0.0).sqrt(), months.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lessons(won_days: Vec<i64>, lost: i64) -> Lessons {
        let won = i64::try_from(won_days.len()).unwrap();
        Lessons::of(&ClosedOnes { won, lost, passed: vec![Passed { stage: "a".to_owned(), won_days, lost }] })
    }

    #[test]
    fn timing_asks_those_that_took_longer_already() {
        let lessons = lessons((1..=20).collect(), 20);
        assert_eq!(lessons.in_time("a", 0, 5), 0.25);
        assert_eq!(lessons.in_time("a", 11, 5), 0.6);
        assert_eq!(lessons.in_time("a", 11, 90), 1.0);
        assert_eq!(lessons.in_time("a", 21, 90), 0.0);
        // Of a stage that nobody knows, all days are asked.
        assert_eq!(lessons.in_time("b", 11, 5), 0.6);
    }

    #[test]
    fn of_few_nothing_is_learned() {
        let few = lessons(vec![3; 9], 20);
        assert_eq!(few.in_time("a", 100, 1), 1.0);
        assert!(!few.are_enough());
        assert_eq!(few.passed("a"), (9, 29));
        assert_eq!(shock(&[(5, 5); 5]), None);
        assert_eq!(shock(&[(1, 5); 50]), None);
    }

    #[test]
    fn months_that_differ_by_chance_alone_show_no_shock() {
        assert_eq!(shock(&[(50, 50); 8]), Some((0.0, 8)));
        let (sd, months) = shock(&[(20, 80), (80, 20), (20, 80), (80, 20), (20, 80), (80, 20)]).unwrap();
        // The logits are ±1.386.
        assert!((1.2..1.6).contains(&sd), "{sd}");
        assert_eq!(months, 6);
    }
}
