use chrono::TimeDelta;
use proptest::prelude::*;

use super::{super::lead_status::LeadStatus, *};
use crate::{id::LeadStatusId, sales::lead_status::LeadStatusClass as Class};

fn stamp(seconds: i64) -> Stamp {
    Stamp::new(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds), None, Source::Api)
}

fn statuses() -> LeadStatuses {
    LeadStatuses::new(LeadStatus::seeds(stamp(0)).collect())
}

/// The default statuses and one more of each class.
fn more_statuses() -> LeadStatuses {
    let added = [Class::Open, Class::Ongoing, Class::OnHold, Class::Won, Class::Lost].into_iter().zip(50..);
    let seeds: Vec<LeadStatus> = LeadStatus::seeds(stamp(0)).collect();
    let first = seeds[0].clone();
    let added = added.map(|(class, position)| LeadStatus {
        id: LeadStatusId::mint(),
        key: format!("added_{}", class.as_str()),
        name: class.as_str().to_owned(),
        position,
        class,
        ..first.clone()
    });
    LeadStatuses::new(seeds.iter().cloned().chain(added).collect())
}

fn new(status: &str) -> NewLead {
    let lost_reason_id = (status == "unqualified").then(LostReasonId::mint);
    NewLead {
        last_name: Some("Lindt".to_owned()),
        status: Some(status.to_owned()),
        lost_reason_id,
        ..NewLead::default()
    }
}

fn lead(status: &str) -> Lead {
    Lead::create(new(status), &more_statuses(), LeadId::mint(), stamp(0), None).unwrap()
}

fn to(status: &str) -> LeadMove {
    LeadMove { status: status.to_owned(), lost_reason_id: None, lost_note: None }
}

fn codes(invalid: &Invalid) -> Vec<(&str, &str)> {
    invalid.problems().iter().map(|problem| (problem.pointer.as_deref().unwrap(), problem.code.as_str())).collect()
}

#[test]
fn the_default_statuses_go_where_the_table_says() {
    let table: &[(&str, &[&str])] = &[
        ("new", &["contacted", "nurturing", "qualified", "unqualified", "junk"]),
        ("contacted", &["nurturing", "qualified", "unqualified", "junk"]),
        ("nurturing", &["contacted", "qualified", "unqualified", "junk"]),
        ("qualified", &["contacted", "nurturing", "unqualified"]),
        ("unqualified", &[]),
        ("junk", &[]),
    ];
    for (status, targets) in table {
        let of_default = statuses();
        let found: Vec<&str> = lead(status).targets(&of_default).iter().map(|status| status.key.as_str()).collect();
        assert_eq!(found, *targets, "{status}");
    }
    let won = Lead { status: "converted".to_owned(), status_class: Class::Won, ..lead("new") };
    assert!(won.targets(&statuses()).is_empty());
}

#[test]
fn an_added_status_inherits_the_moves_of_its_class() {
    let statuses = more_statuses();
    let targets = |status: &str| -> Vec<Class> {
        let (lead, all) = (lead(status), [Class::Open, Class::Ongoing, Class::OnHold, Class::Won, Class::Lost]);
        let targets = lead.targets(&statuses);
        all.into_iter().filter(|class| targets.iter().any(|target| target.class == *class)).collect()
    };
    assert_eq!(targets("added_open"), targets("new"));
    assert_eq!(targets("added_ongoing"), targets("contacted"));
    assert_eq!(targets("added_on_hold"), targets("nurturing"));
}

#[test]
fn a_new_lead_begins_with_the_first_open_status() {
    let lead = Lead::create(
        NewLead { company_name: Some("Lindt".to_owned()), ..NewLead::default() },
        &statuses(),
        LeadId::mint(),
        stamp(7),
        None,
    )
    .unwrap();
    assert_eq!((lead.status.as_str(), lead.status_class, lead.name.as_str()), ("new", Class::Open, "Lindt"));
    assert_eq!(lead.status_entered_at, lead.created_at);
}

#[test]
fn everything_that_is_wrong_with_a_new_lead_is_told_at_once() {
    let new = NewLead {
        status: Some("nonsense".to_owned()),
        currency: Some("EUR".to_owned()),
        lost_note: Some("Why?".to_owned()),
        ..NewLead::default()
    };
    let invalid = Lead::create(new, &statuses(), LeadId::mint(), stamp(0), None).unwrap_err();
    let expected = [
        ("", "nothing_to_know_by"),
        ("/lost_note", "not_lost"),
        ("/__all__", "incomplete_money"),
        ("/status", "unknown_status"),
    ];
    assert_eq!(codes(&invalid), expected);
    let won = Lead::create(self::new("converted"), &statuses(), LeadId::mint(), stamp(0), None).unwrap_err();
    assert_eq!(codes(&won), [("/status", "not_allowed")]);
}

#[test]
fn a_lead_is_lost_for_a_reason_unless_it_is_junk() {
    let refused = lead("new").move_to(to("unqualified"), &statuses(), stamp(1)).unwrap_err();
    assert_eq!(codes(&refused), [("/lost_reason_id", "required")]);
    let reason = LostReasonId::mint();
    let with_reason = LeadMove { lost_reason_id: Some(reason), ..to("unqualified") };
    let lost = lead("new").move_to(with_reason, &statuses(), stamp(1)).unwrap();
    assert_eq!((lost.status_class, lost.lost_reason_id), (Class::Lost, Some(reason)));
    assert!(lead("new").move_to(to("junk"), &statuses(), stamp(1)).is_ok());
    let early = LeadMove { lost_reason_id: Some(reason), ..to("contacted") };
    let refused = lead("new").move_to(early, &statuses(), stamp(1)).unwrap_err();
    assert_eq!(codes(&refused), [("/lost_reason_id", "not_lost")]);
    let cleared = lost.patch(LeadPatch { lost_reason_id: Some(None), ..LeadPatch::default() }, None).unwrap_err();
    assert_eq!(codes(&cleared), [("/lost_reason_id", "required")]);
}

#[test]
fn a_move_that_is_not_allowed_names_those_that_are() {
    let refused = lead("qualified").move_to(to("junk"), &statuses(), stamp(1)).unwrap_err();
    assert!(refused.is_transition());
    assert!(refused.problems()[0].detail.contains("contacted, nurturing, unqualified"), "{refused:?}");
    assert!(lead("new").recycle(&statuses(), stamp(1)).unwrap_err().is_transition());
}

#[test]
fn a_recycled_lead_begins_anew() {
    let lost = Lead { lost_note: Some("Too small.".to_owned()), ..lead("unqualified") };
    let again = lost.recycle(&statuses(), stamp(5)).unwrap();
    assert_eq!((again.status.as_str(), again.recycled_count), ("new", 1));
    assert_eq!((again.lost_reason_id, again.lost_note), (None, None));
}

#[derive(Clone, Debug)]
enum Step {
    Move(&'static str, bool),
    Recycle,
    Patch(bool),
}

const KEYS: &[&str] = &[
    "new",
    "contacted",
    "nurturing",
    "qualified",
    "unqualified",
    "junk",
    "converted",
    "added_open",
    "added_ongoing",
    "added_on_hold",
    "added_won",
    "added_lost",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (proptest::sample::select(KEYS), any::<bool>()).prop_map(|(key, reason)| Step::Move(key, reason)),
        1 => Just(Step::Recycle),
        1 => any::<bool>().prop_map(Step::Patch),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    /// Whatever is tried in whatever order, a lead is always in a state that the rules know.
    #[test]
    fn no_sequence_of_moves_breaks_the_state_machine(steps in steps()) {
        let statuses = more_statuses();
        let mut lead = lead("new");
        let mut entered = vec![lead.status_entered_at];
        for (step, seconds) in steps.into_iter().zip(1..) {
            let stamp = stamp(seconds);
            let after = match step {
                Step::Move(key, reason) => {
                    lead.move_to(LeadMove { lost_reason_id: reason.then(LostReasonId::mint), ..to(key) }, &statuses, stamp)
                }
                Step::Recycle => lead.recycle(&statuses, stamp),
                Step::Patch(reason) => lead.patch(
                    LeadPatch { lost_reason_id: Some(reason.then(LostReasonId::mint)), ..LeadPatch::default() }, None,
                ),
            };
            let Ok(mut after) = after else { continue };
            after.advance(stamp);
            let status = statuses.find(&after.status).unwrap();
            prop_assert_eq!(after.status_class, status.class, "the class is that of the status");
            prop_assert!(after.status_class != Class::Won, "nobody is won but by converting");
            let is_lost = after.status_class == Class::Lost;
            prop_assert!(is_lost || (after.lost_reason_id.is_none() && after.lost_note.is_none()));
            prop_assert!(!is_lost || after.status == "junk" || after.lost_reason_id.is_some());
            if after.status == lead.status {
                prop_assert_eq!(after.status_entered_at, lead.status_entered_at);
            } else {
                prop_assert_eq!(after.status_entered_at, after.updated_at);
                entered.push(after.status_entered_at);
                if lead.status_class == Class::Lost {
                    prop_assert_eq!(after.recycled_count, lead.recycled_count + 1);
                    prop_assert_eq!(after.status_class, Class::Open);
                } else {
                    prop_assert!(lead.targets(&statuses).contains(&status));
                    prop_assert_eq!(after.recycled_count, lead.recycled_count);
                }
            }
            lead = after;
        }
        // The times between the moves are the age of the lead.
        let now = lead.updated_at + TimeDelta::seconds(1);
        let times: TimeDelta = entered.iter().zip(entered.iter().skip(1).chain([&now])).map(|(from, to)| *to - *from).sum();
        prop_assert_eq!(times, now - lead.created_at);
    }
}
