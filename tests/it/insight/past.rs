//! Reports of the past tell what they told then.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::DateTime;
use rapport_domain::{
    id::{OpportunityId, StageId},
    sales::{
        lost_reason::LostReasonQuery,
        opportunity::{LoseOpportunity, MoveOpportunity, NewOpportunity, OpportunityPatch, WinOpportunity},
    },
};
use rapport_persistence::{
    Clock, Db, Scope,
    insight::{activities, forecasts, funnels, pipeline_reports, win_rates},
    sales::{exchange_rates, lost_reasons, opportunities},
};
use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Chance, Workspace, in_database_at},
};

/// What a report answers.
async fn asked(db: &Db, scope: &Scope, report: &str, query: &Value) -> Value {
    let (report, query) = (report.to_owned(), query.clone());
    db.read(scope, move |reader| {
        let query = query.clone();
        Ok(match report.as_str() {
            "pipeline" => json!(pipeline_reports::report(reader, &serde_json::from_value(query).unwrap())?),
            "forecast" => json!(forecasts::report(reader, &serde_json::from_value(query).unwrap())?),
            "win_rate" => json!(win_rates::report(reader, &serde_json::from_value(query).unwrap())?),
            "funnel" => json!(funnels::report(reader, &serde_json::from_value(query).unwrap())?),
            "activity" => json!(activities::report(reader, &serde_json::from_value(query).unwrap())?),
            other => panic!("there is no report {other}"),
        })
    })
    .await
    .unwrap()
}

/// Days pass, and everything changes; what was answered on each of them is answered again.
#[test]
fn the_past_is_told_as_it_was() {
    let workspace = Workspace::new();
    let pipeline = default_pipeline(&workspace.admin());
    let stages: Vec<StageId> = pipeline["stages"]
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
        let (mut ids, mut answered): (Vec<OpportunityId>, Vec<(&str, Value, Value)>) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            now.fetch_add(3_600, Ordering::Relaxed);
            close_one(db, &scope, &mut chance, &stages).await;
        }
        for _day in 0..12 {
            for _ in 0..6 {
                now.fetch_add(3_600, Ordering::Relaxed);
                change(db, &scope, &mut chance, &stages, &mut ids).await;
            }
            now.fetch_add(60, Ordering::Relaxed);
            let at = DateTime::from_timestamp(now.load(Ordering::Relaxed), 0).unwrap();
            for (report, more) in questions(&pipeline["id"]) {
                let mut query = json!({"currency": "EUR", "time_zone": "Europe/Berlin"});
                query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                let answer = asked(db, &scope, report, &query).await;
                query["as_of"] = json!(at);
                answered.push((report, query, answer));
            }
            now.fetch_add(60, Ordering::Relaxed);
        }
        assert!(
            answered.iter().any(|(_, _, answer)| answer["groups"].as_array().is_some_and(|groups| groups.len() > 3))
        );
        assert!(answered.iter().any(|(_, _, answer)| answer["total"]["p50_amount"].is_string()));
        for (report, query, answer) in answered {
            assert_eq!(asked(db, &scope, report, &query).await, answer, "{report}: {query}");
        }
    });
}

fn questions(pipeline: &Value) -> Vec<(&'static str, Value)> {
    let of = |more: Value| {
        let mut query = json!({"from": "2026-05-01", "to": "2026-08-01"});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };
    let win_rates = ["source", "month", "lost_reason"].iter().map(|by| ("win_rate", of(json!({"group_by": by}))));
    let groupings = ["stage", "owner", "source", "close_month", "forecast_category"];
    let pipelines = groupings.iter().map(|group_by| ("pipeline", json!({"group_by": group_by})));
    let others = [
        ("forecast", json!({"months": 9})),
        ("funnel", of(json!({"pipeline_id": pipeline}))),
        ("activity", of(json!({}))),
    ];
    pipelines.chain(win_rates).chain(others).collect()
}

/// One that was won or lost, so that there is history to learn from.
async fn close_one(db: &Db, scope: &Scope, chance: &mut Chance, stages: &[StageId]) {
    let new: NewOpportunity = serde_json::from_value(json!({
        "name": "x", "amount": "100.00", "currency": "EUR", "stage_id": chance.of(&stages[..4]),
    }))
    .unwrap();
    let id = db.write(scope, move |writer| opportunities::create(writer, new.clone())).await.unwrap().id;
    if chance.one_in(3) {
        db.write(scope, move |writer| opportunities::win(writer, id, None, &WinOpportunity::default())).await.unwrap();
        return;
    }
    let reasons = LostReasonQuery::default();
    db.write(scope, move |writer| {
        let lost_reason_id = lost_reasons::list(writer, &reasons)?.data[0].id;
        let lose = LoseOpportunity { lost_reason_id, lost_note: None, stage_id: None };
        opportunities::lose(writer, id, None, &lose)
    })
    .await
    .unwrap();
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
