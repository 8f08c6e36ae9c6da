use proptest::prelude::*;
use serde_json::{Value, json};

use super::{submission::*, *};
use crate::{problem::FieldProblem, record::Source};

fn try_form(more: Value) -> Result<CaptureForm, Invalid> {
    let mut new = json!({"name": "Contact", "fields": [
        {"name": "mail", "field": "email", "required": true}, {"name": "town", "field": "city"},
        {"name": "tier", "field": "custom.tier"}, {"name": "message"}
    ]});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
    CaptureForm::create(serde_json::from_value(new).unwrap(), CaptureFormId::mint(), "lf_key".to_owned(), stamp)
}

fn form(more: Value) -> CaptureForm {
    try_form(more).unwrap()
}

fn submission(fields: Value) -> CaptureSubmission {
    serde_json::from_value(json!({"fields": fields})).unwrap()
}

fn told(problems: &[FieldProblem]) -> Vec<(&str, &str)> {
    problems.iter().map(|problem| (problem.pointer.as_deref().unwrap(), problem.code.as_str())).collect()
}

#[test]
fn a_form_that_can_not_work_is_refused() {
    for (more, pointer, code) in [
        (json!({"name": " "}), "/name", "required"),
        (json!({"fields": [{"name": "message"}]}), "/fields", "nothing_to_know_by"),
        (json!({"honeypot_field": "mail"}), "/honeypot_field", "repeated"),
        (
            json!({"consent": {"field": "town", "text": "Yes", "purpose": "news", "channel": "email"}}),
            "/consent/field",
            "repeated",
        ),
        (json!({"allowed_origins": ["https://example.com/"]}), "/allowed_origins/0", "invalid_origin"),
        (json!({"allowed_origins": ["https://Example.com"]}), "/allowed_origins/0", "invalid_origin"),
        (json!({"allowed_origins": ["null"]}), "/allowed_origins/0", "invalid_origin"),
        (
            json!({"fields": [{"name": "a", "field": "email"}, {"name": "b", "field": "status"}]}),
            "/fields/1/field",
            "unknown_field",
        ),
        (
            json!({"fields": [{"name": "a", "field": "email"}, {"name": "b", "field": "email"}]}),
            "/fields/1/field",
            "repeated",
        ),
    ] {
        let refused = try_form(more.clone()).unwrap_err();
        assert_eq!(told(refused.problems()), [(pointer, code)], "{more}");
    }
    form(json!({"allowed_origins": ["https://example.com", "http://localhost:3000"]}));
}

#[test]
fn what_was_filled_in_is_read_into_a_lead() {
    let form = form(json!({}));
    let filled = json!({"mail": " anna@example.com ", "town": "Wien", "tier": "gold", "message": "Hello"});
    let reading = form.read(&submission(filled)).unwrap();
    let lead = json!({
        "emails": [{"address": "anna@example.com"}], "addresses": [{"city": "Wien"}], "custom": {"tier": "gold"}
    });
    assert_eq!(reading.lead, lead);
    let names: Vec<&str> = reading.values.iter().map(|value| value.name.as_str()).collect();
    assert_eq!(names, ["mail", "town", "tier", "message"]);
    assert_eq!(reading.values[0].value, " anna@example.com ", "kept as it was sent");
    let problems = vec![
        FieldProblem::at("/emails/0/address", "invalid_email", "…"),
        FieldProblem::at("/custom/tier", "unknown_value", "…"),
        FieldProblem::at("/custom/other", "required", "…"),
        FieldProblem::at("/proof/challenge", "expired", "…"),
        FieldProblem::at("", "nothing_to_know_by", "…"),
    ];
    let places: Vec<String> = reading.told(problems).into_iter().filter_map(|problem| problem.pointer).collect();
    assert_eq!(places, ["/fields/mail", "/fields/tier", "/fields", "/proof/challenge", "/fields"]);
}

#[test]
fn what_is_missing_unknown_or_of_the_wrong_type_is_told_by_the_names_of_the_form() {
    let refused = form(json!({})).read(&submission(json!({"mail": "  ", "town": 1, "a/b": "x"}))).unwrap_err();
    let expected = [("/fields/a~1b", "unknown_field"), ("/fields/mail", "required"), ("/fields/town", "wrong_type")];
    assert_eq!(told(refused.problems()), expected);
}

#[test]
fn only_who_fills_in_what_is_hidden_is_trapped() {
    let form = form(json!({"honeypot_field": "trap"}));
    for (value, is_trapped) in
        [(json!("x"), true), (json!(1), true), (json!(""), false), (json!(null), false), (json!(false), false)]
    {
        assert_eq!(form.is_trapped(&submission(json!({"trap": value}))), is_trapped, "{value}");
    }
    assert!(!form.is_trapped(&submission(json!({"mail": "a@example.com"}))));
}

#[test]
fn a_consent_is_given_by_a_box_that_is_ticked_and_by_nothing_else() {
    let consent = json!({"field": "news", "text": "Yes, write to me.", "purpose": "news", "channel": "email"});
    let form = form(json!({"consent": consent}));
    for (value, given) in [
        (json!(true), true),
        (json!("on"), true),
        (json!("Yes"), true),
        (json!("no"), false),
        (json!(false), false),
        (json!(1), false),
        (json!(null), false),
    ] {
        let reading = form.read(&submission(json!({"mail": "a@example.com", "news": value}))).unwrap();
        let evidence = reading.consent.unwrap();
        assert_eq!(evidence.given, given, "{value}");
        assert_eq!(evidence.text, "Yes, write to me.");
        assert_eq!(evidence.text_hash.len(), 64);
    }
}

proptest! {
    /// However it is filled in, what is read is a lead and its problems are told of the form.
    #[test]
    fn reading_never_fails_by_itself(values in prop::collection::btree_map("[a-z/~]{1,7}", ".{0,20}", 0..6)) {
        let form = form(json!({}));
        match form.read(&submission(json!(values))) {
            Ok(reading) => prop_assert!(reading.lead.is_object()),
            Err(invalid) => prop_assert!(told(invalid.problems()).iter().all(|(place, _)| place.starts_with("/fields/"))),
        }
    }
}
