//! The pipeline as a report, now and then.

use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Caller, workspace},
};

const REPORT: &str = "/v1/reports/pipeline";

fn report(admin: &Caller, more: Value) -> Value {
    let mut query = json!({"group_by": "stage", "currency": "EUR"});
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = admin.post(REPORT, &query);
    answer.expect(200);
    answer.body
}

#[test]
fn open_opportunities_are_put_together() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    let rate = json!({"from_currency": "USD", "to_currency": "EUR", "rate": "0.9", "valid_from": "2020-01-01"});
    admin.create("/v1/exchange_rates", &rate);
    let add = |stage: usize, amount: Value, currency: Value| {
        let new = json!({"name": "x", "stage_id": pipeline["stages"][stage]["id"], "amount": amount, "currency": currency,
            "lead_source": "referral", "close_date": "2026-12-15"});
        admin.create("/v1/opportunities", &new)
    };
    add(0, json!("100.00"), json!("EUR"));
    add(0, json!("0.05"), json!("EUR"));
    add(0, Value::Null, Value::Null);
    add(2, json!("1000"), json!("USD"));
    add(2, json!("50"), json!("CHF"));
    let won = add(0, json!("5000"), json!("EUR"));
    admin.post(&format!("/v1/opportunities/{}/win", won["id"].as_str().unwrap()), &json!({})).expect(200);
    let gone = add(0, json!("7000"), json!("EUR"));
    admin.delete(&format!("/v1/opportunities/{}", gone["id"].as_str().unwrap())).expect(204);

    let by_stage = report(&admin, json!({}));
    let told: Vec<Value> = by_stage["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let figures = &group["figures"];
            json!([
                group["name"],
                figures["count"],
                figures["count_without_amount"],
                figures["amount"],
                figures["weighted_amount"]
            ])
        })
        .collect();
    // 10 % of 100.05 is 10.005, rounded once.
    assert_eq!(json!(told), json!([["Prospecting", 3, 1, "100.05", "10.01"], ["Proposal", 2, 0, "900.00", "450.00"]]));
    assert_eq!((&by_stage["total"]["count"], &by_stage["total"]["amount"]), (&json!(5), &json!("1000.05")));
    assert_eq!(by_stage["unconverted"], json!([{"currency": "CHF", "count": 1, "amount": "50.00"}]));
    assert_eq!(by_stage["total"]["median_days_in_stage"], 0);

    assert_eq!(report(&admin, json!({"group_by": "close_month"}))["groups"][0]["key"], "2026-12");
    assert_eq!(report(&admin, json!({"group_by": "source"}))["groups"][0]["key"], "referral");
    assert_eq!(report(&admin, json!({"group_by": "owner"}))["groups"][0]["key"], Value::Null);
    let other = admin.create("/v1/pipelines", &json!({"name": "Renewals"}));
    assert_eq!(report(&admin, json!({"pipeline_ids": [other["id"]]}))["total"]["count"], 0);
    let large = json!({"type": "money", "field": "amount", "op": "gte", "value": "100", "currency": "EUR"});
    let filtered = report(&admin, json!({"filter": {"version": 1, "entity": "opportunity", "where": large}}));
    assert_eq!((&filtered["total"]["count"], &filtered["total"]["amount"]), (&json!(1), &json!("100.00")));

    let table = admin.post("/v1/reports/pipeline.csv", &json!({"group_by": "stage", "currency": "EUR"}));
    table.expect(200);
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let last = table.text.trim_end().lines().last().unwrap();
    assert_eq!(last, ",Total,5,1,1000.05,460.01,EUR,0,0");
}

#[test]
fn what_is_wrong_with_a_question_is_told() {
    let (_, admin) = workspace();
    let ask = |more: Value| {
        let mut query = json!({"group_by": "stage", "currency": "EUR"});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post(REPORT, &query)
    };
    ask(json!({"as_of": "2999-01-01T00:00:00Z"})).expect_errors(&[("/as_of", "in_the_future")]);
    ask(json!({"currency": "ABC"})).expect_errors(&[("/currency", "invalid_currency_code")]);
    ask(json!({"time_zone": "Berlin"})).expect_errors(&[("/time_zone", "invalid_time_zone")]);
    let contacts =
        json!({"version": 1, "entity": "contact", "where": {"type": "bool", "field": "do_not_call", "value": true}});
    ask(json!({"filter": contacts})).expect_errors(&[("/filter/entity", "wrong_entity")]);
}

/// The parameters of a list and the filter of a report are one language.
#[test]
fn opportunities_are_found_at_the_ends_of_what_can_be_compared() {
    let (_, admin) = workspace();
    let field = json!({"resource": "opportunities", "key": "serial", "label": "Serial", "type": "number"});
    admin.create("/v1/custom_fields", &field);
    for (name, close_date, serial) in [
        ("First", json!("0001-01-01"), "1234567890123456"),
        ("Last", json!("9999-12-31"), "999999999999999999"),
        ("Never", Value::Null, "-999999999999999999"),
    ] {
        let new = json!({"name": name, "close_date": close_date, "custom": {"serial": serial}});
        admin.create("/v1/opportunities", &new);
    }
    for (query, expected) in [
        ("close_date_from=0001-01-01", vec!["First", "Last"]),
        ("close_date_to=9999-12-31", vec!["First", "Last"]),
        ("close_date_from=0001-01-01&close_date_to=9999-12-31", vec!["First", "Last"]),
        ("close_date_from=9999-12-31", vec!["Last"]),
        ("close_date_to=0001-01-01", vec!["First"]),
    ] {
        let found = admin.get(&format!("/v1/opportunities?{query}&sort=name"));
        found.expect(200);
        assert_eq!(found.names(), expected, "{query}");
    }

    let serial = |op: &str, value: i64| {
        let condition = json!({"type": "number", "field": "custom.serial", "op": op, "value": value});
        json!({"filter": {"version": 1, "entity": "opportunity", "where": condition}})
    };
    // As floats, many of them would be one and the same.
    for (op, value, count) in [
        ("eq", 1_234_567_890_123_456, 1),
        ("eq", 999_999_999_999_999_999, 1),
        ("eq", 999_999_999_999_999_998, 0),
        ("gt", -999_999_999_999_999_999, 2),
        ("gte", -999_999_999_999_999_999, 3),
        ("lt", 1_000_000_000_000_000_000, 3),
    ] {
        assert_eq!(report(&admin, serial(op, value))["total"]["count"], count, "{op} {value}");
    }
    let beyond = admin.post("/v1/opportunities/search", &serial("eq", 1_000_000_000_000_000_001));
    beyond.expect_errors(&[("/filter/where/value", "out_of_range")]);
}
