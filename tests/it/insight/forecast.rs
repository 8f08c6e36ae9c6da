//! The forecast, against lists and against what a seed promises.

use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Caller, Chance, workspace},
};

const REPORT: &str = "/v1/reports/forecast";

fn forecast(caller: &Caller, more: Value) -> Value {
    let mut query = json!({"currency": "EUR"});
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = caller.post(REPORT, &query);
    answer.expect(200);
    answer.body
}

fn cents(amount: &Value) -> i64 {
    let amount: f64 = amount.as_str().unwrap_or("0").parse().unwrap();
    (amount * 100.0).round() as i64
}

/// Opportunities of all kinds, of which enough are closed.
fn many(admin: &Caller) {
    let pipeline = default_pipeline(admin);
    let reason = admin.get("/v1/lost_reasons").body["data"][0]["id"].clone();
    let mut chance = Chance::new(5);
    for number in 0..90 {
        let new = json!({
            "name": "x", "stage_id": pipeline["stages"][chance.below(4)]["id"],
            "amount": if chance.one_in(8) { Value::Null } else { json!(format!("{}.50", chance.below(9_000))) },
            "currency": "EUR",
            "close_date": *chance.of(&[json!("2020-05-31"), json!("2098-10-15"), json!("2098-12-01"), Value::Null]),
            "forecast_category": *chance.of(&["omitted", "pipeline", "best_case", "commit"]),
            "probability": chance.below(101),
        });
        let id = admin.create("/v1/opportunities", &new)["id"].as_str().unwrap().to_owned();
        match number % 3 {
            0 if number % 2 == 0 => admin.post(&format!("/v1/opportunities/{id}/win"), &json!({})).expect(200),
            0 | 1 if number < 60 => {
                admin.post(&format!("/v1/opportunities/{id}/lose"), &json!({"lost_reason_id": reason})).expect(200);
            }
            _ => {}
        }
    }
}

#[test]
fn sums_are_those_of_the_lists() {
    let (_, admin) = workspace();
    many(&admin);
    let all = admin.all("/v1/opportunities?limit=200");
    let this_month = forecast(&admin, json!({"months": 1}));
    let later = forecast(&admin, json!({"from_month": "2098-10", "months": 3}));
    let of = |wanted: &dyn Fn(&Value) -> bool| -> Vec<&Value> { all.iter().filter(|one| wanted(one)).collect() };
    let sum = |of: &[&Value]| of.iter().map(|one| cents(&one["amount"])).sum::<i64>();
    let is_open = |one: &Value| one["stage_class"] == "open";
    let is_for =
        |one: &Value, date: &str| is_open(one) && one["close_date"].as_str().is_some_and(|day| day.starts_with(date));

    let won = of(&|one| one["stage_class"] == "won");
    let months = [
        (&this_month["months"][0], "2020-05", won),
        (&later["months"][0], "2098-10", vec![]),
        (&later["months"][2], "2098-12", vec![]),
    ];
    for (month, date, won) in months {
        let figures = &month["figures"];
        let open = of(&|one| is_for(one, date));
        assert_eq!((&figures["won_count"], cents(&figures["won_amount"])), (&json!(won.len()), sum(&won)), "{month}");
        assert_eq!(
            (&figures["open_count"], cents(&figures["open_amount"])),
            (&json!(open.len()), sum(&open)),
            "{month}"
        );
        let is_overdue = date == "2020-05";
        assert_eq!(figures["overdue_count"], json!(if is_overdue { open.len() } else { 0 }));
        let without = open.iter().filter(|one| one["amount"].is_null()).count();
        assert_eq!(figures["open_count_without_amount"], json!(without));
        let mut together = sum(&won);
        for (category, field) in
            [("commit", "commit_amount"), ("best_case", "best_case_amount"), ("pipeline", "pipeline_amount")]
        {
            together += sum(&of(&|one| is_for(one, date) && one["forecast_category"] == category));
            assert_eq!(cents(&figures[field]), together, "{field}: {month}");
        }
        let counted = of(&|one| is_for(one, date) && one["forecast_category"] != "omitted");
        let weighted: i64 =
            counted.iter().map(|one| cents(&one["amount"]) * one["probability"].as_i64().unwrap()).sum();
        // Half a cent away from zero.
        assert_eq!(cents(&figures["weighted_amount"]), (weighted + 50) / 100, "{month}");
    }
    let undated = of(&|one| is_open(one) && one["close_date"].is_null());
    assert_eq!(later["undated"]["count"], json!(undated.len()));
    assert_eq!(cents(&later["undated"]["amount"]), sum(&undated));

    let table =
        admin.post("/v1/reports/forecast.csv", &json!({"currency": "EUR", "from_month": "2098-10", "months": 3}));
    table.expect(200);
    let lines: Vec<&str> = table.text.trim_end().lines().collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[1].starts_with("2098-10,0,0.00,") && lines[4].starts_with("Total,"), "{}", table.text);
}

#[test]
fn futures_are_the_same_for_the_same_seed() {
    let (_, admin) = workspace();
    many(&admin);
    let ask = |seed: Value| forecast(&admin, json!({"from_month": "2098-10", "months": 3, "seed": seed}));
    let (one, again, other) = (ask(json!(7)), ask(json!(7)), ask(json!(8)));
    assert_eq!(one["months"], again["months"]);
    assert_ne!(one["total"]["mean_amount"], other["total"]["mean_amount"]);
    let usual = forecast(&admin, json!({"from_month": "2098-10", "months": 3}));
    assert_eq!(ask(usual["simulation"]["seed"].clone())["months"], usual["months"]);

    let simulation = &one["simulation"];
    assert_eq!((&simulation["runs"], &simulation["unavailable"]), (&json!(2000), &Value::Null));
    assert_eq!((&simulation["intervals"], &simulation["shock"]), (&json!("deals_assumed_independent"), &Value::Null));
    let total = &one["total"];
    let amounts =
        ["won_amount", "p10_amount", "p50_amount", "p90_amount", "open_amount"].map(|field| cents(&total[field]));
    assert!(amounts.is_sorted(), "{total}");
    // With few ways to be wrong, the mean is near what the rates promise.
    let (mean, empirical) = (cents(&total["mean_amount"]), cents(&total["empirical_weighted_amount"]));
    assert!((mean - empirical).abs() * 20 < empirical, "{total}");
    let stages = one["stages"].as_array().unwrap();
    assert_eq!(stages[0]["name"], "Prospecting");
    for stage in stages {
        let rates = ["rate_p5", "rate", "rate_p95"].map(|rate| stage[rate].as_f64().unwrap());
        assert!(rates.is_sorted() && rates[0] > 0.0 && rates[2] < 1.0, "{stage}");
    }
}

#[test]
fn little_history_promises_nothing() {
    let (_, admin) = workspace();
    let new =
        json!({"name": "x", "amount": "100.00", "currency": "EUR", "close_date": "2098-10-15", "probability": 40});
    admin.create("/v1/opportunities", &new);
    let answer = forecast(&admin, json!({"from_month": "2098-10", "months": 1}));
    let figures = &answer["months"][0]["figures"];
    assert_eq!(answer["months"][0]["month"], "2098-10");
    assert_eq!((&figures["open_amount"], &figures["weighted_amount"]), (&json!("100.00"), &json!("40.00")));
    for field in ["p10_amount", "p50_amount", "p90_amount", "mean_amount", "empirical_weighted_amount"] {
        assert_eq!(figures[field], Value::Null, "{field}");
    }
    let simulation = &answer["simulation"];
    assert_eq!((&simulation["unavailable"], &simulation["runs"]), (&json!("not_enough_history"), &json!(0)));
    assert_eq!(answer["stages"][0]["rate"], Value::Null);

    let wrong = |more: Value| {
        let mut query = json!({"currency": "EUR"});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post(REPORT, &query)
    };
    wrong(json!({"as_of": "2999-01-01T00:00:00Z"})).expect_errors(&[("/as_of", "in_the_future")]);
    wrong(json!({"from_month": "2026-13"})).expect(422);
    wrong(json!({"months": 25})).expect(422);
    wrong(json!({"seed": -1})).expect(422);
}
