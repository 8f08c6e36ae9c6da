use proptest::prelude::*;

use super::*;
use crate::record::Source;

fn rule(strategy: AssignmentStrategy, users: usize, max_open_leads: Option<i64>) -> AssignmentRule {
    let new = NewAssignmentRule {
        name: "Rule".to_owned(),
        position: None,
        active: None,
        filter: None,
        strategy,
        user_ids: (0..users).map(|_| UserId::mint()).collect(),
        team_id: None,
        max_open_leads,
    };
    let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
    AssignmentRule::create(new, AssignmentRuleId::mint(), stamp, 1).unwrap()
}

fn candidates(rule: &AssignmentRule, of: impl Fn(usize) -> (bool, i64)) -> Vec<Candidate> {
    let candidate = |(index, user_id): (usize, &UserId)| {
        let (is_active, open_leads) = of(index);
        Candidate { user_id: *user_id, is_active, open_leads }
    };
    rule.user_ids.iter().enumerate().map(candidate).collect()
}

#[test]
fn least_busy_gives_to_who_has_the_fewest_and_of_several_to_the_first() {
    let rule = rule(AssignmentStrategy::LeastBusy, 4, None);
    let open = [3, 1, 1, 0];
    let all = candidates(&rule, |index| (index != 3, open[index]));
    assert_eq!(rule.choose(&all, None), Some(rule.user_ids[1]));
}

#[test]
fn who_is_full_or_gone_is_passed_over_and_told() {
    let rule = rule(AssignmentStrategy::RoundRobin, 3, Some(5));
    let all = candidates(&rule, |index| (index != 0, if index == 1 { 5 } else { 4 }));
    assert_eq!(rule.choose(&all, None), Some(rule.user_ids[2]));
    let reasons: Vec<_> = rule.passed_over(&all).into_iter().map(|passed| (passed.user_id, passed.reason)).collect();
    let expected = [(rule.user_ids[0], PassedOverReason::NotActive), (rule.user_ids[1], PassedOverReason::Full)];
    assert_eq!(reasons, expected);
    assert_eq!(rule.choose(&candidates(&rule, |_| (true, 5)), None), None);
}

#[test]
fn direct_is_one_user_who_is_named_once() {
    let one = rule(AssignmentStrategy::Direct, 1, None);
    let user = one.user_ids[0];
    let problems = |user_ids: Vec<UserId>| {
        let patch = AssignmentRulePatch { user_ids: Some(user_ids), ..AssignmentRulePatch::default() };
        let problems = one.patch(patch).unwrap_err().into_problems();
        problems.into_iter().map(|problem| (problem.pointer.unwrap(), problem.code)).collect::<Vec<_>>()
    };
    let told = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(problems(vec![user, UserId::mint()]), [told("/user_ids", "more_than_one")]);
    assert_eq!(problems(vec![user, user]), [told("/user_ids", "more_than_one"), told("/user_ids/1", "repeated")]);
}

proptest! {
    #[test]
    fn in_turn_everybody_gets_as_many_as_the_others(users in 1_usize..12, leads in 0_usize..60) {
        let rule = rule(AssignmentStrategy::RoundRobin, users, None);
        let all = candidates(&rule, |_| (true, 0));
        let mut given = vec![0; users];
        let mut last = None;
        for _ in 0..leads {
            last = rule.choose(&all, last);
            given[rule.user_ids.iter().position(|user| Some(*user) == last).unwrap()] += 1;
        }
        prop_assert!(given.iter().max().unwrap() - given.iter().min().unwrap() <= 1, "{given:?}");
    }

    #[test]
    fn nobody_is_twice_in_a_row_while_others_wait(
        users in 1_usize..6, days in prop::collection::vec(any::<u8>(), 0..40), chosen_first in 0_usize..6
    ) {
        let rule = rule(AssignmentStrategy::RoundRobin, users, None);
        let mut last = rule.user_ids.get(chosen_first).copied();
        for day in days {
            let is_there = |index: usize| day & (1 << index) != 0;
            let all = candidates(&rule, |index| (is_there(index), 0));
            let there: Vec<UserId> = all.iter().filter(|one| one.is_active).map(|one| one.user_id).collect();
            let chosen = rule.choose(&all, last);
            prop_assert_eq!(chosen.is_none(), there.is_empty());
            prop_assert!(chosen.is_none_or(|chosen| there.contains(&chosen)));
            prop_assert!(chosen != last || there.len() < 2 || chosen.is_none());
            last = chosen.or(last);
        }
    }

    #[test]
    fn the_least_busy_has_no_more_than_anybody_who_is_free(open in prop::collection::vec(0_i64..9, 1..10), most in 1_i64..9) {
        let rule = rule(AssignmentStrategy::LeastBusy, open.len(), Some(most));
        let all = candidates(&rule, |index| (true, open[index]));
        let fewest = open.iter().copied().filter(|count| *count < most).min();
        let chosen = rule.choose(&all, None).and_then(|user| all.iter().find(|one| one.user_id == user));
        prop_assert_eq!(chosen.map(|one| one.open_leads), fewest);
    }
}
