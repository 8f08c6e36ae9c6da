//! How long things take, and what comes of them, where some have not ended yet: those are followed for as long as they are
//! known, and neither left out nor counted as ended.

use std::collections::BTreeMap;

use super::statistics::rounded;

/// One that was followed: for so many whole days, until this came of it, or nothing did yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) days: i64,
    /// The place of what came of it among all that could.
    pub(crate) outcome: Option<usize>,
}

/// What had come of them by the last day on which anything did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Incidence {
    /// The share of each outcome, with those that are followed no more counted as if they went on like the others
    /// (Aalen–Johansen).
    pub(crate) shares: Vec<f64>,
    /// The share of which nothing had come. All shares add up to one.
    pub(crate) open: f64,
    /// How many were still followed on the last day on which anything came of any.
    pub(crate) at_risk: i64,
}

/// For each day on which something ended: how many were followed until then, and how many had each outcome.
fn days(followed: &[Followed], outcomes: usize) -> Vec<(i64, i64, Vec<i64>)> {
    let mut days = BTreeMap::<i64, (i64, Vec<i64>)>::new();
    for one in followed {
        let (left, ended) = days.entry(one.days).or_insert_with(|| (0, vec![0; outcomes]));
        *left += 1;
        if let Some(count) = one.outcome.and_then(|outcome| ended.get_mut(outcome)) {
            *count += 1;
        }
    }
    let mut at_risk: i64 = days.values().map(|(left, _)| left).sum();
    let mut told = Vec::new();
    for (day, (left, ended)) in days {
        told.push((day, at_risk, ended));
        at_risk -= left;
    }
    told
}

/// F_k(t) = Σ S(tᵢ₋)·d_{k,i}/nᵢ at the last day.
pub(crate) fn incidence(followed: &[Followed], outcomes: usize) -> Incidence {
    let mut told = Incidence { shares: vec![0.0; outcomes], open: 1.0, at_risk: 0 };
    for (_, at_risk, ended) in days(followed, outcomes) {
        let all: i64 = ended.iter().sum();
        if all == 0 {
            continue;
        }
        for (share, ended) in told.shares.iter_mut().zip(&ended) {
            *share += told.open * *ended as f64 / at_risk as f64;
        }
        told.open *= 1.0 - all as f64 / at_risk as f64;
        told.at_risk = at_risk;
    }
    told.shares.iter_mut().for_each(|share| *share = rounded(*share));
    told.open = rounded(told.open);
    told
}

/// The first day by which at least so many percent have ended, whatever came of them (Kaplan–Meier). None where fewer have.
pub(crate) fn ended_by(followed: &[Followed], percent: i64) -> Option<i64> {
    let left = 1.0 - percent as f64 / 100.0;
    let outcomes = followed.iter().filter_map(|one| one.outcome).max().map_or(0, |most| most + 1);
    let mut open = 1.0;
    days(followed, outcomes).into_iter().find_map(|(day, at_risk, ended)| {
        open *= 1.0 - ended.iter().sum::<i64>() as f64 / at_risk as f64;
        // What is one rounding away is there.
        (open <= left + 1e-9).then_some(day)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn followed(all: &[(i64, Option<usize>)]) -> Vec<Followed> {
        all.iter().map(|(days, outcome)| Followed { days: *days, outcome: *outcome }).collect()
    }

    #[test]
    fn without_open_ones_shares_are_counted() {
        let told = incidence(&followed(&[(1, Some(0)), (2, Some(0)), (3, Some(1)), (9, Some(0))]), 2);
        assert_eq!((told.shares, told.open, told.at_risk), (vec![0.75, 0.25], 0.0, 1));
    }

    #[test]
    fn open_ones_count_for_as_long_as_they_are_known() {
        // 1 of 4 on day 1; then one is followed no more; then 1 of 2.
        let told = incidence(&followed(&[(1, Some(0)), (2, None), (3, Some(1)), (5, None)]), 2);
        assert_eq!((told.shares, told.open, told.at_risk), (vec![0.25, 0.375], 0.375, 2));
    }

    #[test]
    fn a_median_waits_for_half_of_those_that_are_followed() {
        let all = followed(&[(1, Some(0)), (2, Some(0)), (3, None), (4, Some(0)), (9, None)]);
        assert_eq!(ended_by(&all, 50), Some(4));
        assert_eq!(ended_by(&all, 90), None);
        assert_eq!(ended_by(&followed(&[(3, None)]), 50), None);
        assert_eq!(ended_by(&followed(&[(2, Some(0)), (7, Some(1))]), 50), Some(2));
        assert_eq!(ended_by(&[], 50), None);
    }

    proptest! {
        /// ΣF_k + S = 1, and S is that of all outcomes taken as one.
        #[test]
        fn whatever_happens_adds_up_to_one(
            all in proptest::collection::vec((0_i64..60, proptest::option::of(0_usize..3)), 0..200),
        ) {
            let all = followed(&all);
            let told = incidence(&all, 3);
            prop_assert!((told.shares.iter().sum::<f64>() + told.open - 1.0).abs() < 5e-6, "{told:?}");
            let as_one: Vec<Followed> =
                all.iter().map(|one| Followed { outcome: one.outcome.map(|_| 0), ..*one }).collect();
            prop_assert!((incidence(&as_one, 1).open - told.open).abs() < 5e-6);
            prop_assert_eq!(ended_by(&as_one, 50), ended_by(&all, 50));
            let ended = all.iter().filter(|one| one.outcome.is_some()).count();
            if all.len() == ended && ended > 0 {
                prop_assert!(told.open < 1e-6);
                let mut days: Vec<i64> = all.iter().map(|one| one.days).collect();
                days.sort_unstable();
                prop_assert_eq!(ended_by(&all, 50), Some(days[days.len().div_ceil(2) - 1]));
            }
        }
    }
}
