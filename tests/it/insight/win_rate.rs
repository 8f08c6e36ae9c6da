//! The win rate of a period.

use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Caller, workspace},
};

const REPORT: &str = "/v1/reports/win_rate";

fn ask(caller: &Caller, more: Value) -> Value {
    let mut query = json!({"from": "2020-01-01", "to": "2029-01-01", "group_by": "source", "currency": "EUR"});
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = caller.post(REPORT, &query);
    answer.expect(200);
    answer.body
}

/// So many won and lost ones of a source.
fn close(admin: &Caller, source: &str, amount: &str, won: usize, lost: usize) {
    let stage = default_pipeline(admin)["stages"][1]["id"].clone();
    let reason = admin.get("/v1/lost_reasons").body["data"][0]["id"].clone();
    for number in 0..won + lost {
        let new = json!({"name": "x", "stage_id": stage, "amount": amount, "currency": "EUR", "lead_source": source});
        let id = admin.create("/v1/opportunities", &new)["id"].as_str().unwrap().to_owned();
        let (deed, how) = if number < won { ("win", json!({})) } else { ("lose", json!({"lost_reason_id": reason})) };
        admin.post(&format!("/v1/opportunities/{id}/{deed}"), &how).expect(200);
    }
}

#[test]
fn what_was_won_is_a_share_of_what_was_closed() {
    let (_, admin) = workspace();
    close(&admin, "referral", "300.00", 3, 1);
    close(&admin, "website", "100.00", 1, 5);
    admin.create("/v1/opportunities", &json!({"name": "open", "amount": "9.00", "currency": "EUR"}));

    let report = ask(&admin, json!({}));
    let told: Vec<Value> = report["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let figures = &group["figures"];
            json!([
                group["key"],
                figures["won_count"],
                figures["lost_count"],
                figures["win_rate"],
                figures["value_win_rate"]
            ])
        })
        .collect();
    // Of four nothing is told.
    assert_eq!(json!(told), json!([["referral", 3, 1, null, null], ["website", 1, 5, 0.166667, 0.166667]]));
    let total = &report["total"];
    assert_eq!((&total["won_amount"], &total["lost_amount"]), (&json!("1000.00"), &json!("800.00")));
    assert_eq!((&total["win_rate"], &total["value_win_rate"]), (&json!(0.4), &json!(0.555556)));
    assert!(total["win_rate_low"].as_f64().unwrap() < 0.4 && total["win_rate_high"].as_f64().unwrap() > 0.4);

    let reasons = ask(&admin, json!({"group_by": "lost_reason"}));
    assert_eq!(reasons["groups"].as_array().unwrap().len(), 1);
    let figures = &reasons["groups"][0]["figures"];
    assert!(reasons["groups"][0]["name"].is_string());
    assert_eq!((&figures["lost_count"], &figures["win_rate"]), (&json!(6), &Value::Null));
    let month = admin.get("/v1/opportunities?limit=1").body["data"][0]["created_at"].as_str().unwrap()[..7].to_owned();
    assert_eq!(ask(&admin, json!({"group_by": "month"}))["groups"][0]["key"], json!(month));
    assert_eq!(ask(&admin, json!({"to": "2020-02-01"}))["total"]["won_count"], 0);

    let table = admin.post(
        "/v1/reports/win_rate.csv",
        &json!({"from": "2020-01-01", "to": "2029-01-01", "group_by": "owner", "currency": "EUR"}),
    );
    table.expect(200);
    let last = table.text.trim_end().lines().last().unwrap();
    assert!(last.starts_with(",Total,4,6,1000.00,800.00,EUR,0.4,"), "{last}");
}

#[test]
fn what_is_no_period_is_refused() {
    let (_, admin) = workspace();
    for report in ["win_rate", "funnel", "activity"] {
        let ask = |from: &str, to: &str| {
            let mut query = json!({"from": from, "to": to, "currency": "EUR"});
            match report {
                "win_rate" => query["group_by"] = json!("team"),
                "funnel" => query["pipeline_id"] = default_pipeline(&admin)["id"].clone(),
                _ => {}
            }
            admin.post(&format!("/v1/reports/{report}"), &query)
        };
        ask("2026-01-01", "2026-01-01").expect_errors(&[("/to", "before_start")]);
        ask("2006-01-01", "2026-01-02").expect_errors(&[("/to", "out_of_range")]);
        ask("2026-01-01", "2026-02-01").expect(200);
    }
}
