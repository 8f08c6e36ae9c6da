use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn stamp() -> Stamp {
    Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api)
}

fn made(new: Value) -> Result<Task, Invalid> {
    Task::create(serde_json::from_value(new).unwrap(), TaskId::mint(), stamp())
}

fn task(new: Value) -> Task {
    made(new).unwrap()
}

fn patched(task: &Task, patch: Value) -> Result<Task, Invalid> {
    task.patch(serde_json::from_value(patch).unwrap())
}

fn problems(outcome: Result<Task, Invalid>) -> Vec<(String, String)> {
    let problems = outcome.unwrap_err().into_problems().into_iter();
    problems.map(|problem| (problem.pointer.unwrap(), problem.code)).collect()
}

fn places(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(place, code)| ((*place).to_owned(), (*code).to_owned())).collect()
}

#[test]
fn whoever_owns_a_task_is_to_do_it_unless_others_are_named() {
    let (owner, other) = (Uuid::now_v7(), Uuid::now_v7());
    let assignee = |new: Value| task(new).assignee_id.map(UserId::uuid);
    assert_eq!(assignee(json!({"name": "x", "owner_id": owner})), Some(owner));
    assert_eq!(assignee(json!({"name": "x", "owner_id": owner, "assignee_id": other})), Some(other));
    assert_eq!(assignee(json!({"name": "x", "owner_id": owner, "assignee_id": null})), None);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let outcome = made(json!({
        "name": " ", "status": "completed", "start_at": "2026-01-02T00:00:00Z", "recurrence": "FREQ=HOURLY",
        "reminders": [{"minutes_before_due": 5}], "time_zone": "Mars/Base"
    }));
    let expected = [
        ("/status", "not_allowed"),
        ("/recurrence", "invalid_recurrence"),
        ("/name", "required"),
        ("/reminders", "needs_due_at"),
        ("/recurrence", "needs_due_at"),
        ("/time_zone", "invalid_time_zone"),
    ];
    assert_eq!(problems(outcome), places(&expected));
    let early = json!({"name": "x", "start_at": "2026-01-02T00:00:01Z", "due_at": "2026-01-02T00:00:00Z"});
    assert_eq!(problems(made(early)), places(&[("/start_at", "out_of_range")]));
}

#[test]
fn lists_are_tidy() {
    let user = Uuid::now_v7();
    let reminders = json!([{"minutes_before_due": 5}, {"minutes_before_due": 60}, {"minutes_before_due": 5}]);
    let task = task(json!({
        "name": " Call ", "description": "  ", "collaborator_ids": [user, user], "reminders": reminders,
        "due_at": "2026-01-02T00:00:00.123456789Z", "recurrence": " freq=daily "
    }));
    assert_eq!((task.name.as_str(), task.description.as_ref()), ("Call", None));
    assert_eq!(task.collaborator_ids.len(), 1);
    assert_eq!(task.reminders.iter().map(|reminder| reminder.minutes_before_due).collect::<Vec<_>>(), [60, 5]);
    assert_eq!(task.due_at.unwrap().timestamp_subsec_nanos(), 123_456_000);
    assert_eq!(task.recurrence.as_deref(), Some("FREQ=DAILY"));
    assert_eq!(patched(&task, json!({"recurrence": "freq=daily"})).unwrap(), task);
}

#[test]
fn a_finished_task_goes_nowhere_by_a_patch() {
    let open = task(json!({"name": "x"}));
    for status in ["completed", "cancelled"] {
        let refused = patched(&open, json!({"status": status})).unwrap_err();
        assert!(refused.is_transition());
        assert!(refused.problems()[0].detail.ends_with("in_progress, deferred, completed, cancelled."));
    }
    let done = open.act(TaskAction::Complete, DateTime::UNIX_EPOCH).unwrap();
    assert_eq!(done.completed_at, Some(DateTime::UNIX_EPOCH));
    for status in ["not_started", "in_progress", "deferred", "cancelled"] {
        let refused = patched(&done, json!({"status": status})).unwrap_err();
        assert!(refused.problems()[0].detail.ends_with("it goes to: not_started."), "{refused:?}");
    }
    assert_eq!(patched(&done, json!({"status": "completed"})).unwrap(), done);
    assert!(done.act(TaskAction::Cancel, DateTime::UNIX_EPOCH).unwrap_err().is_transition());
    let again = done.act(TaskAction::Reopen, DateTime::UNIX_EPOCH).unwrap();
    assert_eq!((again.status, again.completed_at), (TaskStatus::NotStarted, None));
}

#[test]
fn a_successor_begins_anew_and_keeps_its_distances() {
    let helper = Uuid::now_v7();
    let first = task(json!({
        "name": "Water the plants", "start_at": "2026-03-27T08:00:00Z", "due_at": "2026-03-28T08:00:00Z",
        "recurrence": "FREQ=DAILY;COUNT=3", "time_zone": "Europe/Berlin", "collaborator_ids": [helper], "tags": ["office"],
        "reminders": [{"minutes_before_due": 10}], "status": "in_progress", "custom": {"room": "12"}
    }));
    assert_eq!((first.series_id, first.series_position), (Some(first.id), 1));
    let second = first.successor(TaskId::mint(), stamp()).unwrap();
    assert_eq!(second.due_at, Some("2026-03-29T07:00:00Z".parse().unwrap()));
    assert_eq!(second.start_at, Some("2026-03-28T07:00:00Z".parse().unwrap()));
    assert_eq!((second.series_id, second.series_position, second.version), (Some(first.id), 2, 1));
    assert_eq!((second.status, second.source), (TaskStatus::NotStarted, Source::Automation));
    assert_eq!((&second.tags, &second.reminders, &second.custom), (&first.tags, &first.reminders, &first.custom));
    assert_eq!(second.collaborator_ids, first.collaborator_ids);
    let third = second.successor(TaskId::mint(), stamp()).unwrap();
    assert_eq!((third.series_id, third.series_position), (Some(first.id), 3));
    assert_eq!(third.successor(TaskId::mint(), stamp()), None, "three are all");
    let followed = Task { successor_id: Some(second.id), ..first.clone() };
    assert_eq!(followed.successor(TaskId::mint(), stamp()), None, "there is one already");
}

#[test]
fn a_series_begins_with_its_rule_and_ends_with_it_while_it_is_alone() {
    let plain = task(json!({"name": "x", "due_at": "2026-03-28T08:00:00Z"}));
    assert_eq!(plain.series_id, None);
    let first = patched(&plain, json!({"recurrence": "FREQ=DAILY"})).unwrap();
    assert_eq!(first.series_id, Some(first.id));
    assert_eq!(patched(&first, json!({"recurrence": null})).unwrap(), plain);
    let second = first.successor(TaskId::mint(), stamp()).unwrap();
    assert_eq!(patched(&second, json!({"recurrence": null})).unwrap().series_id, Some(first.id));
}

#[test]
fn the_hour_that_clocks_skipped_comes_back_the_day_after() {
    let first = task(json!({
        "name": "x", "due_at": "2026-03-28T01:30:00Z", "recurrence": "FREQ=DAILY", "time_zone": "Europe/Berlin"
    }));
    let skipped = first.successor(TaskId::mint(), stamp()).unwrap();
    assert_eq!(skipped.due_at, Some("2026-03-29T01:30:00Z".parse().unwrap()));
    assert!(skipped.due_on_wall.is_some());
    let third = skipped.successor(TaskId::mint(), stamp()).unwrap();
    assert_eq!((third.due_at, third.due_on_wall), (Some("2026-03-30T00:30:00Z".parse().unwrap()), None));
    let moved = patched(&skipped, json!({"due_at": "2026-03-29T10:00:00Z"})).unwrap();
    assert_eq!(moved.due_on_wall, None);
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Patch(TaskStatus),
    Act(TaskAction),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    use TaskStatus::{Cancelled, Completed, Deferred, InProgress, NotStarted};
    let patch =
        prop::sample::select(vec![NotStarted, InProgress, Deferred, Completed, Cancelled]).prop_map(Move::Patch);
    let act =
        prop::sample::select(vec![TaskAction::Complete, TaskAction::Cancel, TaskAction::Reopen]).prop_map(Move::Act);
    prop::collection::vec(prop_oneof![patch, act], 1..20)
}

proptest! {
    #[test]
    fn no_sequence_leaves_the_table_of_transitions(moves in moves()) {
        let mut task = task(json!({"name": "x"}));
        for (step, each) in moves.into_iter().enumerate() {
            let at = DateTime::from_timestamp(step as i64, 0).unwrap();
            let outcome = match each {
                Move::Patch(status) => task.patch(TaskPatch { status: Some(status), ..TaskPatch::default() }),
                Move::Act(action) => task.act(action, at),
            };
            match outcome {
                Ok(after) => {
                    let is_allowed = after.status == task.status || task.status.targets().contains(&after.status);
                    prop_assert!(is_allowed, "{:?} from {:?} to {:?}", each, task.status, after.status);
                    prop_assert_eq!(after.completed_at.is_some(), after.status == TaskStatus::Completed);
                    prop_assert_eq!(after.status_class, after.status.class());
                    if after.status == task.status {
                        prop_assert_eq!(&after, &task);
                    }
                    task = after;
                }
                Err(refused) => {
                    prop_assert!(refused.is_transition());
                    for target in task.status.targets() {
                        prop_assert!(refused.problems()[0].detail.contains(target.as_str()));
                    }
                }
            }
        }
    }
}
