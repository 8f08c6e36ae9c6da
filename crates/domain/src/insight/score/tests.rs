use chrono::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const DAY: i64 = 86_400;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).unwrap()
}

fn groups(groups: Value) -> Vec<ScoreGroup> {
    serde_json::from_value(groups).unwrap()
}

fn fit_rule(key: &str, points: i64) -> Value {
    let when = json!({"version": 1, "entity": "lead", "where": {"type": "present", "field": "email", "value": true}});
    json!({"key": key, "points": points, "when": when})
}

fn engagement_rule(key: &str, points: i64, more: Value) -> Value {
    let mut rule = json!({"key": key, "points": points, "relation": "tasks", "at": "completed_at"});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

fn one_rule(points: i64, more: Value) -> Vec<ScoreGroup> {
    groups(json!([{"kind": "engagement", "key": "g", "rules": [engagement_rule("r", points, more)]}]))
}

/// Events of these ages in seconds, for the first rule of the first group.
fn aged(ages: &[i64]) -> Findings {
    let event = |(index, age): (usize, &i64)| Event {
        id: Uuid::from_u128(index as u128 + 1),
        at: now() - Duration::seconds(*age),
    };
    let events = ages.iter().enumerate().map(event).collect();
    Findings { events: [((0, 0), events)].into(), ..Findings::default() }
}

fn hundredths(groups: &[ScoreGroup], findings: &Findings) -> i64 {
    Score::reckon(groups, findings, now()).total.hundredths()
}

#[test]
fn half_is_left_after_a_half_life_and_nothing_after_a_linear_end() {
    let half_life = one_rule(10, json!({"decay": {"kind": "half_life", "days": 14}}));
    for (days, left) in [(0, 1000), (14, 500), (28, 250), (140, 1)] {
        assert_eq!(hundredths(&half_life, &aged(&[days * DAY])), left, "{days}");
    }
    let linear = one_rule(10, json!({"decay": {"kind": "linear", "days_to_zero": 20}}));
    for (days, left) in [(0, 1000), (5, 750), (19, 50), (20, 0), (21, 0)] {
        assert_eq!(hundredths(&linear, &aged(&[days * DAY])), left, "{days}");
    }
    assert_eq!(hundredths(&one_rule(10, json!({})), &aged(&[3650 * DAY])), 1000);
}

#[test]
fn what_has_yet_to_happen_does_not_count() {
    assert_eq!(hundredths(&one_rule(10, json!({})), &aged(&[DAY, -1])), 1000);
    let nothing = Score::reckon(&one_rule(10, json!({})), &aged(&[-1]), now());
    assert_eq!((nothing.total, nothing.contributions.len()), (Points::ZERO, 0));
}

#[test]
fn a_rule_gives_no_more_than_its_cap_in_either_direction() {
    for (points, capped) in [(10, 25), (-10, -25)] {
        let score = Score::reckon(&one_rule(points, json!({"cap": 25})), &aged(&[1, 2, 3]), now());
        let contribution = &score.contributions[0];
        assert_eq!(contribution.raw, Points::whole(3 * points));
        assert_eq!(contribution.capped_to, Some(Points::whole(capped)));
        assert_eq!((contribution.points, score.total), (Points::whole(capped), Points::whole(capped)));
    }
    let score = Score::reckon(&one_rule(10, json!({"cap": 30})), &aged(&[1, 2, 3]), now());
    assert_eq!(score.contributions[0].capped_to, None);
}

#[test]
fn of_a_day_the_latest_event_counts_in_the_time_zone_of_the_filter() {
    // Half past eleven in the evening and half past midnight of UTC, which in Berlin are the same night.
    let findings = aged(&[12 * 3600 + 1800, 11 * 3600 + 1800, 11 * 3600]);
    let count = |more: Value| {
        let score = Score::reckon(&one_rule(10, more), &findings, now());
        (score.contributions[0].events, score.contributions[0].evidence_ids.clone())
    };
    let [eve, night, later] = [1, 2, 3].map(Uuid::from_u128);
    assert_eq!(count(json!({})), (3, vec![later, night, eve]));
    assert_eq!(count(json!({"per": "distinct_day"})), (2, vec![later, eve]));
    let berlin = json!({"version": 1, "entity": "task", "tz": "Europe/Berlin", "where": {"type": "all", "nodes": []}});
    assert_eq!(count(json!({"per": "distinct_day", "where": berlin})), (1, vec![later]));
}

#[test]
fn the_bounds_of_a_group_are_contributions() {
    let both =
        json!([{"kind": "fit", "key": "g", "min": -5, "max": 20, "rules": [fit_rule("a", 30), fit_rule("b", -50)]}]);
    let groups = groups(both);
    let of = |holding: &[RulePlace]| {
        let findings = Findings { holding: holding.iter().copied().collect(), ..Findings::default() };
        let score = Score::reckon(&groups, &findings, now());
        let last = score.contributions.last().map(|last| (last.kind, last.points));
        (score.total, last)
    };
    assert_eq!(of(&[]), (Points::ZERO, None));
    assert_eq!(of(&[(0, 0)]), (Points::whole(20), Some((ContributionKind::GroupMax, Points::whole(-10)))));
    assert_eq!(of(&[(0, 0), (0, 1)]), (Points::whole(-5), Some((ContributionKind::GroupMin, Points::whole(15)))));
}

#[test]
fn a_score_is_looked_at_again_before_it_has_changed_by_a_point() {
    let refresh = |points: i64, decay: Value, ages: &[i64]| {
        let score = Score::reckon(&one_rule(points, json!({"decay": decay})), &aged(ages), now());
        score.refresh_at(now()).map(|at| (at - now()).num_minutes())
    };
    assert_eq!(refresh(10, json!({"kind": "none"}), &[DAY]), None);
    assert_eq!(refresh(10, json!({"kind": "linear", "days_to_zero": 5}), &[6 * DAY]), None);
    assert_eq!(refresh(10, json!({"kind": "linear", "days_to_zero": 5}), &[DAY]), Some(12 * 60));
    assert_eq!(refresh(1000, json!({"kind": "half_life", "days": 1}), &[0]), Some(60));
    assert_eq!(refresh(1, json!({"kind": "half_life", "days": 100}), &[0]), Some(24 * 60));
}

/// A definition of two groups, and what was found of a record.
fn any_score() -> impl Strategy<Value = (Vec<ScoreGroup>, Findings)> {
    let bound = || prop::option::of(-50_i64..50);
    let decay = prop_oneof![
        Just(json!({"kind": "none"})),
        (1_i64..60).prop_map(|days| json!({"kind": "half_life", "days": days})),
        (1_i64..60).prop_map(|days| json!({"kind": "linear", "days_to_zero": days})),
    ];
    let per = prop_oneof![Just("occurrence"), Just("distinct_day")];
    let rule = (-50_i64..50, decay, per, prop::option::of(1_i64..200));
    let fits = prop::collection::vec((-50_i64..50, any::<bool>()), 0..6);
    let engagements = prop::collection::vec((rule, prop::collection::vec(-DAY..90 * DAY, 0..20)), 0..6);
    ((bound(), bound()), (bound(), bound()), fits, engagements).prop_map(
        |(of_fit, of_engagement, fits, engagements)| {
            let bounds = |(one, other): (Option<i64>, Option<i64>)| match (one, other) {
                (Some(one), Some(other)) => json!({"min": one.min(other), "max": one.max(other)}),
                (Some(min), None) => json!({"min": min}),
                (None, Some(max)) => json!({"max": max}),
                (None, None) => json!({}),
            };
            let with = |mut group: Value, bounds: Value| {
                group.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
                group
            };
            let rules = fits.iter().enumerate().map(|(index, (points, _))| fit_rule(&format!("f{index}"), *points));
            let fit = json!({"kind": "fit", "key": "fit", "rules": rules.collect::<Vec<_>>()});
            let rules = engagements.iter().enumerate().map(|(index, ((points, decay, per, cap), _))| {
                let mut more = json!({"decay": decay, "per": per});
                if let Some(cap) = cap {
                    more["cap"] = json!(cap);
                }
                engagement_rule(&format!("e{index}"), *points, more)
            });
            let engagement = json!({"kind": "engagement", "key": "engagement", "rules": rules.collect::<Vec<_>>()});
            let groups = groups(json!([with(fit, bounds(of_fit)), with(engagement, bounds(of_engagement))]));
            let holding = fits.iter().enumerate().filter(|(_, (_, holds))| *holds).map(|(index, _)| (0, index));
            let events = engagements.iter().enumerate().map(|(index, (_, ages))| {
                let of_rule = aged(ages).events.remove(&(0, 0)).unwrap_or_default();
                ((1, index), of_rule)
            });
            (groups, Findings { holding: holding.collect(), events: events.collect() })
        },
    )
}

fn sum(contributions: &[ScoreContribution]) -> Points {
    contributions.iter().map(|contribution| contribution.points).sum()
}

proptest! {
    #[test]
    fn contributions_are_exactly_the_total_and_keep_to_the_bounds((groups, findings) in any_score()) {
        let score = Score::reckon(&groups, &findings, now());
        prop_assert_eq!(sum(&score.contributions), score.total);
        for group in &groups {
            let own = score.contributions.iter().filter(|contribution| contribution.group == group.key());
            let own: Points = own.map(|contribution| contribution.points).sum();
            let (min, max) = group.bounds();
            prop_assert!(min.is_none_or(|min| own >= Points::whole(min)));
            prop_assert!(max.is_none_or(|max| own <= Points::whole(max)));
        }
        // As they are kept and shown.
        let text = serde_json::to_string(&score.contributions).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<ScoreContribution>>(&text).unwrap(), score.contributions);
    }

    #[test]
    fn the_order_of_events_is_no_matter((groups, findings) in any_score(), seed in any::<u64>()) {
        let mut shuffled = findings.clone();
        for events in shuffled.events.values_mut() {
            events.sort_by_key(|event| event.id.as_u128().wrapping_mul(u128::from(seed | 1)) % 1_000_003);
        }
        prop_assert_eq!(Score::reckon(&groups, &findings, now()), Score::reckon(&groups, &shuffled, now()));
    }

    #[test]
    fn differences_are_what_the_total_differs_by((groups, one) in any_score(), other in any_score()) {
        let before = Score::reckon(&groups, &one, now());
        let after = Score::reckon(&groups, &other.1, now() + Duration::days(3));
        let differences = differences(&before.contributions, &after.contributions);
        let moved: Points = differences.iter().map(|difference| difference.to - difference.from).sum();
        prop_assert_eq!(before.total + moved, after.total);
        prop_assert!(super::differences(&after.contributions, &after.contributions).is_empty());
    }

    /// What is left after two whiles is what is left of what was left after the first.
    #[test]
    fn a_half_life_has_no_memory(first in 0_i64..100 * DAY, second in 0_i64..100 * DAY, days in 1_i64..60) {
        let decay = ScoreDecay::HalfLife(super::super::score_definition::HalfLifeDecay { days });
        let left = |seconds: i64| share(decay, Duration::seconds(seconds)).0;
        prop_assert!((left(first + second) - left(first) * left(second)).abs() < 1e-12);
    }

    /// Until it is looked at again, no score has changed by more than a point, unless it fades faster than a point an hour.
    #[test]
    fn nothing_fades_by_more_than_a_point_unseen(ages in prop::collection::vec(0..90 * DAY, 1..20), days in 1_i64..60) {
        let rules = one_rule(1, json!({"decay": {"kind": "half_life", "days": days}}));
        let findings = aged(&ages);
        let score = Score::reckon(&rules, &findings, now());
        let again = Score::reckon(&rules, &findings, score.refresh_at(now()).unwrap());
        prop_assert!((score.total - again.total).hundredths() <= 101);
    }
}
