//! Exchange rates.

use chrono::{DateTime, NaiveDate, Utc};
use rapport_domain::{access::StandardRole, money::Rates};
use rapport_persistence::sales::exchange_rates;
use serde_json::{Value, json};

use crate::harness::{Caller, Workspace, in_database, workspace};

fn rate(from: &str, to: &str, rate: &str, valid_from: &str) -> Value {
    json!({"from_currency": from, "to_currency": to, "rate": rate, "valid_from": valid_from})
}

fn create(admin: &Caller, from: &str, to: &str, value: &str, valid_from: &str) -> Value {
    admin.create("/v1/exchange_rates", &rate(from, to, value, valid_from))
}

/// Each as pair, rate and day.
fn listed(admin: &Caller, query: &str) -> Vec<String> {
    let rates = admin.all(&format!("/v1/exchange_rates{query}"));
    let text = |rate: &Value, field: &str| rate[field].as_str().unwrap().to_owned();
    let one = |rate: &Value| {
        format!(
            "{}{} {} {}",
            text(rate, "from_currency"),
            text(rate, "to_currency"),
            text(rate, "rate"),
            text(rate, "valid_from")
        )
    };
    rates.iter().map(one).collect()
}

fn known(workspace: &Workspace, on: &str, as_of: DateTime<Utc>) -> Rates {
    let (scope, on): (_, NaiveDate) = (workspace.scope(), on.parse().unwrap());
    in_database(async |db| db.read(&scope, move |reader| exchange_rates::known(reader, on, as_of)).await.unwrap())
}

fn convert(rates: &Rates, amount: &str, from: &str, to: &str, on: NaiveDate) -> Option<String> {
    rates.convert(amount.parse().unwrap(), from, to, on).map(|amount| amount.normalize().to_string())
}

#[test]
fn a_rate_is_created_once_and_read_for_ever() {
    let (_, admin) = workspace();
    let answer = admin.post("/v1/exchange_rates", &rate("EUR", "USD", "1.08420000", "2026-11-20"));
    answer.expect(201);
    assert_eq!(answer.header("etag"), "\"1\"");
    let created = answer.body.clone();
    assert_eq!((&created["rate"], &created["version"]), (&json!("1.0842"), &json!(1)));
    let path = format!("/v1/exchange_rates/{}", created["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), path);
    assert_eq!(admin.get(&path).body, created);
    admin.get_with(&path, ("If-None-Match", "\"1\"")).expect(304);
    admin.patch(&path, &json!({"rate": "2"})).expect_problem(405, "method_not_allowed");
    admin.delete(&path).expect_problem(405, "method_not_allowed");
}

#[test]
fn the_newest_day_comes_first_page_by_page() {
    let (_, admin) = workspace();
    create(&admin, "EUR", "USD", "1.1", "2026-01-02");
    create(&admin, "EUR", "CHF", "0.9", "2026-01-03");
    create(&admin, "USD", "EUR", "0.8", "2026-01-01");
    let all = ["EURCHF 0.9 2026-01-03", "EURUSD 1.1 2026-01-02", "USDEUR 0.8 2026-01-01"];
    assert_eq!(listed(&admin, ""), all);
    assert_eq!(listed(&admin, "?limit=1"), all);
    assert_eq!(listed(&admin, "?from_currency=EUR"), all[..2]);
    assert_eq!(listed(&admin, "?to_currency=EUR"), all[2..]);
    assert_eq!(listed(&admin, "?from_currency=EUR&to_currency=USD&limit=1"), all[1..2]);
    admin.get("/v1/exchange_rates?from_currency=eur").expect_problem(400, "invalid_query");
}

#[test]
fn on_a_day_the_newest_rate_of_each_pair_is_valid() {
    let (_, admin) = workspace();
    for (from, to, value, day) in [
        ("EUR", "USD", "1.1", "2026-01-01"),
        ("EUR", "USD", "1.2", "2026-01-05"),
        ("EUR", "CHF", "0.9", "2026-01-03"),
        ("USD", "EUR", "0.8", "2026-02-01"),
    ] {
        create(&admin, from, to, value, day);
    }
    assert!(listed(&admin, "?on=2025-12-31").is_empty());
    assert_eq!(listed(&admin, "?on=2026-01-01"), ["EURUSD 1.1 2026-01-01"]);
    assert_eq!(listed(&admin, "?on=2026-01-04"), ["EURCHF 0.9 2026-01-03", "EURUSD 1.1 2026-01-01"]);
    let later = ["USDEUR 0.8 2026-02-01", "EURUSD 1.2 2026-01-05", "EURCHF 0.9 2026-01-03"];
    assert_eq!(listed(&admin, "?on=2026-12-31&limit=1"), later);
    assert_eq!(listed(&admin, "?on=2026-12-31&from_currency=EUR&to_currency=USD"), later[1..2]);
}

#[test]
fn a_later_rate_replaces_an_earlier_from_the_moment_of_its_creation() {
    let (workspace, admin) = workspace();
    let wrong = create(&admin, "EUR", "USD", "11", "2026-01-01");
    let right = create(&admin, "EUR", "USD", "1.1", "2026-01-01");
    assert_eq!(listed(&admin, "?on=2026-01-01"), ["EURUSD 1.1 2026-01-01"]);
    assert_eq!(listed(&admin, "").len(), 2, "both are kept");
    let created = |rate: &Value| rate["created_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let on: NaiveDate = "2026-01-31".parse().unwrap();
    let converted = |as_of: DateTime<Utc>, from: &str, to: &str| {
        convert(&known(&workspace, "2026-01-31", as_of), "110", from, to, on)
    };
    let before = created(&right) - chrono::Duration::microseconds(1);
    assert_eq!(converted(created(&right), "EUR", "USD"), Some("121".to_owned()));
    assert_eq!(converted(created(&right), "USD", "EUR"), Some("100".to_owned()));
    assert_eq!(converted(before, "EUR", "USD"), Some("1210".to_owned()), "a look back sees what was known then");
    assert_eq!(converted(created(&wrong) - chrono::Duration::microseconds(1), "EUR", "USD"), None);
}

#[test]
fn amounts_are_converted_through_a_common_currency() {
    let (workspace, admin) = workspace();
    create(&admin, "EUR", "USD", "1.25", "2026-01-01");
    create(&admin, "EUR", "JPY", "160", "2026-01-02");
    let on: NaiveDate = "2026-01-02".parse().unwrap();
    let rates = known(&workspace, "2026-01-02", DateTime::<Utc>::MAX_UTC);
    assert_eq!(convert(&rates, "10", "USD", "JPY", on), Some("1280".to_owned()));
    assert_eq!(convert(&rates, "10", "USD", "CHF", on), None);
}

#[test]
fn a_list_is_loaded_whole_or_not_at_all() {
    let (_, admin) = workspace();
    let path = "/v1/exchange_rates/load";
    let rates = [rate("EUR", "USD", "1.1", "2026-01-01"), rate("EUR", "CHF", "0.9", "2026-01-01")];
    let loaded = admin.post(path, &json!({"rates": rates}));
    loaded.expect(201);
    let answered = loaded.body["rates"].as_array().unwrap();
    assert_eq!((&answered[0]["to_currency"], &answered[1]["to_currency"]), (&json!("USD"), &json!("CHF")));
    assert_eq!(admin.get(&format!("/v1/exchange_rates/{}", answered[1]["id"].as_str().unwrap())).body, answered[1]);

    let wrong = [
        rate("EUR", "GBP", "0.85", "2026-01-02"),
        rate("EUR", "EUR", "1", "2026-01-02"),
        rate("EUR", "USD", "0.0", "2026-01-02"),
        rate("EUR", "GBP", "0.86", "2026-01-02"),
    ];
    admin.post(path, &json!({"rates": wrong})).expect_errors(&[
        ("/rates/1/to_currency", "same_currency"),
        ("/rates/2/rate", "not_positive"),
        ("/rates/3", "repeated"),
    ]);
    admin.post(path, &json!({"rates": []})).expect_problem(422, "validation_failed");
    admin.post(path, &json!({"rates": vec![&rates[0]; 1001]})).expect_problem(422, "validation_failed");
    assert_eq!(listed(&admin, "").len(), 2);

    let most: Vec<Value> = (0..1000)
        .map(|day| {
            let day = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(day);
            rate("GBP", "USD", "1.3", &day.to_string())
        })
        .collect();
    admin.post(path, &json!({"rates": most})).expect(201);
    assert_eq!(listed(&admin, "?from_currency=GBP&limit=200").len(), 1000);
    assert_eq!(listed(&admin, "?on=2021-01-01"), ["GBPUSD 1.3 2021-01-01"]);
}

#[test]
fn what_is_no_rate_is_refused() {
    let (_, admin) = workspace();
    let refused = |new: Value, errors: &[(&str, &str)]| {
        let answer = admin.post("/v1/exchange_rates", &new);
        answer.expect_problem(422, "validation_failed");
        answer.expect_errors(errors);
    };
    refused(rate("EUR", "EUR", "1", "2026-01-01"), &[("/to_currency", "same_currency")]);
    refused(rate("EUR", "USD", "0", "2026-01-01"), &[("/rate", "not_positive")]);
    refused(rate("EUR", "USD", "-1", "2026-01-01"), &[("/rate", "wrong_form")]);
    refused(rate("EUR", "USD", "1.12345678901", "2026-01-01"), &[("/rate", "wrong_form")]);
    refused(rate("EUR", "ABC", "1", "2026-01-01"), &[("/to_currency", "invalid_currency_code")]);
    refused(rate("EUR", "USD", "1", "2026-02-30"), &[("/valid_from", "invalid_date")]);
    let mut dateless = rate("EUR", "USD", "1", "2026-01-01");
    dateless.as_object_mut().unwrap().remove("valid_from");
    refused(dateless, &[("/valid_from", "required")]);
    create(&admin, "EUR", "USD", "9999999999.9999999999", "2026-01-01");
    create(&admin, "EUR", "USD", "0.0000000001", "9999-12-31");
    assert_eq!(listed(&admin, "?on=9999-12-31"), ["EURUSD 0.0000000001 9999-12-31"]);
}

#[test]
fn everybody_reads_them_and_managers_create_them() {
    let (workspace, admin) = workspace();
    create(&admin, "EUR", "USD", "1.1", "2026-01-01");
    for role in [StandardRole::ReadOnly, StandardRole::Agent] {
        let caller = workspace.signed_in(role);
        assert_eq!(listed(&caller, "").len(), 1);
        caller.post("/v1/exchange_rates", &rate("EUR", "USD", "1", "2026-01-01")).expect_problem(403, "forbidden");
    }
    create(&workspace.signed_in(StandardRole::Manager), "EUR", "USD", "1.2", "2026-01-02");
}

#[test]
fn a_list_can_be_rehearsed_and_sent_twice() {
    let (_, admin) = workspace();
    let body = json!({"rates": [rate("EUR", "USD", "1.1", "2026-01-01")]});
    let rehearsed = admin.post("/v1/exchange_rates/load?dry_run=true", &body);
    rehearsed.expect(201);
    assert_eq!(rehearsed.body["rates"][0]["id"], "00000000-0000-0000-0000-000000000000");
    assert!(listed(&admin, "").is_empty());
}
