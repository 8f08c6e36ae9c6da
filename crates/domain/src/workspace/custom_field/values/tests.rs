use chrono::{DateTime, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::{
    id::CustomFieldId,
    record::{Source, Stamp},
};

fn field(kind: &str, more: Value) -> CustomField {
    let mut new = json!({"resource": "contacts", "key": "x", "label": "X", "type": kind});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
    CustomField::create(serde_json::from_value(new).unwrap(), CustomFieldId::mint(), stamp, 0).unwrap()
}

fn problems(kind: &str, more: Value) -> Vec<(String, String)> {
    let mut new = json!({"resource": "contacts", "key": "x", "label": "X", "type": kind});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let stamp = Stamp::new(DateTime::UNIX_EPOCH, None, Source::Api);
    let made = CustomField::create(serde_json::from_value(new).unwrap(), CustomFieldId::mint(), stamp, 0);
    made.map_or_else(codes, |_| Vec::new())
}

fn codes(invalid: Invalid) -> Vec<(String, String)> {
    invalid.into_problems().into_iter().map(|problem| (problem.pointer.unwrap(), problem.code)).collect()
}

fn kept(field: &CustomField, value: Value) -> Result<Value, &'static str> {
    field.canonical(&value).map_err(|(_, code, _)| code)
}

fn options() -> Value {
    json!({"options": [
        {"key": "gold", "label": "Gold"}, {"key": "silver", "label": "Silver"},
        {"key": "tin", "label": "Tin", "archived": true},
    ]})
}

#[test]
fn every_type_has_one_form() {
    let forms = [
        (field("text", json!({})), json!("  a b "), json!("a b")),
        (field("number", json!({})), json!("-0012.500"), json!("-12.5")),
        (field("number", json!({})), json!("-0.0"), json!("0")),
        (field("number", json!({})), json!("123456789012345678.0123456789"), json!("123456789012345678.0123456789")),
        (
            field("money", json!({})),
            json!({"currency": "EUR", "amount": "012.50"}),
            json!({"amount": "12.5", "currency": "EUR"}),
        ),
        (field("bool", json!({})), json!(false), json!(false)),
        (field("date", json!({})), json!("2024-02-29"), json!("2024-02-29")),
        (field("instant", json!({})), json!("2026-01-31T10:30:00.1234567+02:00"), json!("2026-01-31T08:30:00.123456Z")),
        (field("choice", options()), json!("silver"), json!("silver")),
        (field("multi_choice", options()), json!(["silver", "gold", "silver"]), json!(["gold", "silver"])),
        (field("multi_choice", options()), json!([]), Value::Null),
        (field("url", json!({})), json!(" HTTP://Example.COM/ü "), json!("http://example.com/%C3%BC")),
        (
            field("reference", json!({"referenced_resource": "users"})),
            json!("0197A1B2-3C4D-7E5F-8A9B-0C1D2E3F4A5B"),
            json!("0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b"),
        ),
    ];
    for (field, given, expected) in forms {
        assert_eq!(kept(&field, given), Ok(expected), "{:?}", field.kind);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = [
        (field("text", json!({"min_length": 2, "max_length": 3})), json!("abcd"), "too_long"),
        (field("text", json!({"min_length": 2})), json!("a"), "too_short"),
        (field("text", json!({})), json!("  "), "empty"),
        (field("text", json!({})), json!(1), "wrong_type"),
        (field("text", json!({"unique": true})), json!("x".repeat(256)), "too_long"),
        (field("number", json!({})), json!(12.5), "wrong_type"),
        (field("number", json!({})), json!("1e3"), "wrong_form"),
        (field("number", json!({})), json!("1.00000000001"), "out_of_range"),
        (field("number", json!({"min": "-5", "max": "5"})), json!("-5.1"), "out_of_range"),
        (field("number", json!({"min": "-5", "max": "5"})), json!("10"), "out_of_range"),
        (field("money", json!({})), json!({"amount": "1", "currency": "XXQ"}), "invalid_currency_code"),
        (field("money", json!({})), json!({"amount": 1, "currency": "EUR"}), "wrong_type"),
        (field("money", json!({"min": "0"})), json!({"amount": "-0.01", "currency": "EUR"}), "out_of_range"),
        (field("bool", json!({})), json!("yes"), "wrong_type"),
        (field("date", json!({})), json!("2023-02-29"), "invalid_date"),
        (field("date", json!({"max": "2020-01-01"})), json!("2020-01-02"), "out_of_range"),
        (field("instant", json!({})), json!("2026-01-31"), "invalid_date_time"),
        (field("choice", options()), json!("bronze"), "unknown_value"),
        (field("choice", options()), json!("tin"), "archived_option"),
        (field("multi_choice", options()), json!("gold"), "wrong_type"),
        (field("url", json!({})), json!("javascript:alert(1)"), "invalid_uri"),
        (field("reference", json!({"referenced_resource": "users"})), json!("Anna"), "invalid_uuid"),
    ];
    for (field, given, code) in refused {
        assert_eq!(kept(&field, given.clone()), Err(code), "{:?} {given}", field.kind);
    }
}

#[test]
fn a_field_that_contradicts_itself_is_refused() {
    let refused = |pointer: &str, code: &str| vec![(pointer.to_owned(), code.to_owned())];
    assert_eq!(problems("text", json!({"key": "first_name"})), refused("/key", "reserved"));
    assert_eq!(problems("text", json!({"min": "1"})), refused("/min", "not_applicable"));
    assert_eq!(problems("bool", json!({"unique": true})), refused("/unique", "not_applicable"));
    assert_eq!(problems("choice", json!({})), refused("/options", "required"));
    assert_eq!(problems("reference", json!({})), refused("/referenced_resource", "required"));
    assert_eq!(problems("number", json!({"min": "10", "max": "9"})), refused("/max", "below_min"));
    assert_eq!(problems("date", json!({"min": "10"})), refused("/min", "invalid_date"));
    assert_eq!(problems("text", json!({"unique": true, "max_length": 256})), refused("/max_length", "out_of_range"));
}

#[test]
fn all_problems_come_at_once_and_what_is_there_is_not_judged_anew() {
    let mut archived = field("text", json!({"key": "old"}));
    archived.archived_at = Some(DateTime::UNIX_EPOCH);
    let size = field("number", json!({"key": "size", "required": true, "max": "5"}));
    let fields = CustomFields::new(vec![archived, size, field("bool", json!({"key": "agreed"}))]);
    let values = |given: Value| serde_json::from_value::<CustomValues>(given).unwrap();
    let wrong = fields.judge_new(&values(json!({"old": "x", "agreed": "x", "shoe": 1})));
    let expected = [
        ("/custom/agreed", "wrong_type"),
        ("/custom/old", "archived_field"),
        ("/custom/shoe", "unknown_field"),
        ("/custom/size", "required"),
    ];
    assert_eq!(codes(wrong.unwrap_err()), expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    // The record has more than is allowed now.
    let current = values(json!({"size": "9"}));
    assert!(fields.judge_changes(&values(json!({"size": "9", "agreed": true})), &current).is_ok());
    let cleared = fields.judge_changes(&values(json!({"size": null})), &current);
    assert_eq!(codes(cleared.unwrap_err()), [("/custom/size".to_owned(), "required".to_owned())]);
    assert!(fields.judge_changes(&values(json!({"agreed": null})), &CustomValues::new()).is_ok());
    assert_eq!(merged(&current, values(json!({"size": null, "agreed": true}))), values(json!({"agreed": true})));
}

fn numbers() -> impl Strategy<Value = String> {
    "-?[0-9]{1,18}(\\.[0-9]{1,10})?"
}

proptest! {
    #[test]
    fn the_form_of_a_number_is_fixed_exact_and_sorted(one in numbers(), other in numbers()) {
        let field = field("number", json!({"sorted": true}));
        let [one, other] = [one, other].map(|text| {
            let form = kept(&field, json!(text)).unwrap();
            prop_assert_eq!(kept(&field, form.clone()), Ok(form.clone()));
            let value: Decimal = text.parse().unwrap();
            prop_assert_eq!(form.as_str().unwrap().parse::<Decimal>().unwrap(), value);
            Ok((value, form.clone(), field.sort_key(&form).unwrap()))
        });
        let (one, other) = (one?, other?);
        prop_assert_eq!(one.0 == other.0, one.1 == other.1);
        prop_assert_eq!(one.0.cmp(&other.0), one.2.as_bytes().cmp(other.2.as_bytes()));
    }

    #[test]
    fn the_form_of_an_instant_is_fixed_and_sorted(one in any::<i32>(), other in any::<i32>(), offset in -14..14_i32, part in 0..2_u32) {
        let field = field("instant", json!({"sorted": true}));
        let form = |seconds: i32| {
            let at = DateTime::<Utc>::from_timestamp(i64::from(seconds), part * 999_999_000).unwrap();
            let there = at.with_timezone(&chrono::FixedOffset::east_opt(offset * 3600).unwrap());
            (at, kept(&field, json!(there.to_rfc3339())).unwrap(), kept(&field, json!(at.to_rfc3339())).unwrap())
        };
        let (one, other) = (form(one), form(other));
        prop_assert_eq!(&one.1, &one.2);
        prop_assert_eq!(kept(&field, one.1.clone()), Ok(one.1.clone()));
        prop_assert_eq!(one.0.cmp(&other.0), field.sort_key(&one.1).cmp(&field.sort_key(&other.1)));
    }

    #[test]
    fn every_form_is_a_fixed_point(text in "\\PC{0,40}|https?://[a-zäö.]{1,20}/\\PC{0,20}|[0-9-]{10}") {
        for kind in ["text", "number", "date", "instant", "url"] {
            let field = field(kind, json!({}));
            if let Ok(form) = kept(&field, json!(text)) {
                prop_assert_eq!(kept(&field, form.clone()), Ok(form), "{}", kind);
            }
        }
    }
}
