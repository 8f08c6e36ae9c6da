//! The pipeline as a report, now and then.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::DateTime;
use rapport_domain::{
    id::{OpportunityId, StageId},
    insight::pipeline_report::{PipelineReport, PipelineReportQuery},
    sales::opportunity::{MoveOpportunity, NewOpportunity, OpportunityPatch, WinOpportunity},
};
use rapport_persistence::{
    Clock, Db, Scope,
    insight::pipeline_reports,
    sales::{exchange_rates, opportunities},
};
use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Caller, Chance, Workspace, in_database_at, workspace},
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

async fn asked(db: &Db, scope: &Scope, query: &Value) -> PipelineReport {
    let query: PipelineReportQuery = serde_json::from_value(query.clone()).unwrap();
    db.read(scope, move |reader| pipeline_reports::report(reader, &query)).await.unwrap()
}

/// Days pass, and everything changes; what was answered on each of them is answered again.
#[test]
fn the_past_is_told_as_it_was() {
    let workspace = Workspace::new();
    let stages: Vec<StageId> = default_pipeline(&workspace.admin())["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| StageId::from_uuid(stage["id"].as_str().unwrap().parse().unwrap()))
        .collect();
    let scope = workspace.scope();
    let now = Arc::new(AtomicI64::new(1_780_000_000));
    let told = Arc::clone(&now);
    let clock = Clock::of(move || DateTime::from_timestamp(told.load(Ordering::Relaxed), 0).unwrap());
    in_database_at(clock, async |db| {
        let mut chance = Chance::new(11);
        let (mut ids, mut answered): (Vec<OpportunityId>, Vec<(Value, PipelineReport)>) = (Vec::new(), Vec::new());
        for _day in 0..12 {
            for _ in 0..6 {
                now.fetch_add(3_600, Ordering::Relaxed);
                change(db, &scope, &mut chance, &stages, &mut ids).await;
            }
            now.fetch_add(60, Ordering::Relaxed);
            let at = DateTime::from_timestamp(now.load(Ordering::Relaxed), 0).unwrap();
            for group_by in ["stage", "owner", "source", "close_month", "forecast_category"] {
                let query = json!({"group_by": group_by, "currency": "EUR", "time_zone": "Europe/Berlin"});
                let report = asked(db, &scope, &query).await;
                let mut again = query.clone();
                again["as_of"] = json!(at);
                answered.push((again, report));
            }
            now.fetch_add(60, Ordering::Relaxed);
        }
        assert!(answered.iter().any(|(_, report)| report.groups.len() > 3));
        for (query, report) in answered {
            assert_eq!(asked(db, &scope, &query).await, report, "{query}");
        }
    });
}

async fn change(db: &Db, scope: &Scope, chance: &mut Chance, stages: &[StageId], ids: &mut Vec<OpportunityId>) {
    let amount = json!((chance.below(1_000_000) as f64 / 100.0).to_string());
    if ids.len() < 5 || chance.one_in(3) {
        let new: NewOpportunity = serde_json::from_value(json!({
            "name": "x", "amount": amount, "currency": *chance.of(&["EUR", "USD", "CHF"]),
            "stage_id": chance.of(&stages[..4]), "lead_source": *chance.of(&["referral", "website"]),
            "close_date": *chance.of(&["2026-06-30", "2026-07-31", "2027-01-15"]),
        }))
        .unwrap();
        ids.push(db.write(scope, move |writer| opportunities::create(writer, new.clone())).await.unwrap().id);
        return;
    }
    let id = *chance.of(ids);
    match chance.below(6) {
        0 => {
            let to = MoveOpportunity { stage_id: *chance.of(&stages[..4]), lost_reason_id: None, lost_note: None };
            let _closed_ones_stay = db.write(scope, move |writer| opportunities::move_to(writer, id, None, &to)).await;
        }
        1 => {
            let _gone =
                db.write(scope, move |writer| opportunities::win(writer, id, None, &WinOpportunity::default())).await;
        }
        2 => {
            let _gone = db.write(scope, move |writer| opportunities::delete(writer, id, None)).await;
        }
        3 => {
            db.write(scope, move |writer| opportunities::restore(writer, id, None)).await.unwrap();
        }
        4 => {
            let rate = json!({"from_currency": *chance.of(&["USD", "CHF"]), "to_currency": "EUR",
                "rate": format!("0.{}", 1 + chance.below(9)), "valid_from": "2026-01-01"});
            let rate = serde_json::from_value(rate).unwrap();
            db.write(scope, move |writer| exchange_rates::create(writer, rate)).await.unwrap();
        }
        _ => {
            let patch: OpportunityPatch =
                serde_json::from_value(json!({"amount": amount, "probability": chance.below(101)})).unwrap();
            let _closed_ones_stay =
                db.write(scope, move |writer| opportunities::update(writer, id, None, &patch)).await;
        }
    }
}
