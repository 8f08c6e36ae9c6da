use serde_json::{Value, json};

use super::*;
use crate::record::Source;

fn stamp() -> Stamp {
    Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api)
}

fn rule(key: &str) -> Value {
    let when = json!({"version": 1, "entity": "lead", "where": {"type": "present", "field": "email", "value": true}});
    json!({"key": key, "points": 5, "when": when})
}

fn create(groups: Value) -> Result<ScoreDefinition, Invalid> {
    let new = json!({"name": " Promising ", "entity": "lead", "groups": groups});
    ScoreDefinition::create(serde_json::from_value(new).unwrap(), ScoreDefinitionId::mint(), stamp())
}

fn problems(groups: Value) -> Vec<(String, String)> {
    let problems = create(groups).unwrap_err().into_problems();
    problems.into_iter().map(|problem| (problem.pointer.unwrap(), problem.code)).collect()
}

fn patch(patch: Value) -> ScoreDefinitionPatch {
    serde_json::from_value(patch).unwrap()
}

#[test]
fn what_does_not_fit_together_is_told_at_once() {
    let other = json!({"version": 1, "entity": "contact", "where": {"type": "all", "nodes": []}});
    let groups = json!([
        {"kind": "fit", "key": "a", "min": 5, "max": 4, "rules": [rule("r"), rule("r")]},
        {"kind": "fit", "key": "a", "rules": [{"key": "r", "points": 1, "when": other}]},
        {"kind": "engagement", "key": "b", "rules": [
            {"key": "r", "points": 1, "relation": "friends", "at": "completed_at"}
        ]}
    ]);
    let expected = [
        ("/groups/0/rules/1/key", "duplicate"),
        ("/groups/0/min", "out_of_range"),
        ("/groups/1/key", "duplicate"),
        ("/groups/1/rules/0/when/entity", "wrong_entity"),
        ("/groups/2/rules/0/relation", "unknown_relation"),
    ];
    assert_eq!(problems(groups), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    let many: Vec<Value> = (0..3)
        .map(|group| {
            let rules: Vec<Value> = (0..40).map(|index| rule(&format!("r{index}"))).collect();
            json!({"kind": "fit", "key": format!("g{group}"), "rules": rules})
        })
        .collect();
    assert_eq!(problems(json!(many)), [("/groups".to_owned(), "too_many_rules".to_owned())]);
}

#[test]
fn a_score_does_not_depend_on_a_score() {
    let when = json!({"version": 1, "entity": "lead", "where":
        {"type": "number", "field": "score", "op": "gte", "value": 10}});
    let groups = json!([{"kind": "fit", "key": "a", "rules": [{"key": "r", "points": 1, "when": when}]}]);
    assert_eq!(problems(groups), [("/groups/0/rules/0/when/where".to_owned(), "not_allowed".to_owned())]);
}

#[test]
fn rules_count_once_they_are_published_and_versions_are_numbered() {
    let draft = create(json!([{"kind": "fit", "key": "a", "name": " ", "rules": [rule("r")]}])).unwrap();
    assert_eq!((draft.name.as_str(), draft.state), ("Promising", ScoreDefinitionState::Draft));
    let first = draft.publish(DateTime::UNIX_EPOCH).unwrap();
    assert_eq!((first.published_version, first.has_changes), (Some(1), false));
    assert_eq!(first.publish(DateTime::UNIX_EPOCH).unwrap(), first);

    let renamed = first.patch(patch(json!({"name": "Others"})), Some(&first.groups)).unwrap();
    assert!(!renamed.has_changes);
    let groups = json!([{"kind": "fit", "key": "a", "rules": [rule("r"), rule("s")]}]);
    let changed = first.patch(patch(json!({"groups": groups})), Some(&first.groups)).unwrap();
    assert!(changed.has_changes);
    let back = changed.patch(patch(json!({"groups": first.groups})), Some(&first.groups)).unwrap();
    assert!(!back.has_changes);
    assert_eq!(changed.publish(DateTime::UNIX_EPOCH).unwrap().published_version, Some(2));

    let archived = changed.archive();
    assert_eq!((archived.state, archived.scored), (ScoreDefinitionState::Archived, None));
    assert_eq!(archived.archive(), archived);
    assert_eq!(draft.archive(), draft);
}

#[test]
fn a_definition_without_rules_is_not_published() {
    let problem = create(json!([])).unwrap().publish(DateTime::UNIX_EPOCH).unwrap_err().into_problems().remove(0);
    assert_eq!((problem.pointer.as_deref(), problem.code.as_str()), (Some("/groups"), "required"));
}
