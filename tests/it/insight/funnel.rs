//! The funnel of a pipeline.

use serde_json::{Value, json};

use crate::{
    conformance::samples::{NOBODY, default_pipeline},
    harness::workspace,
};

#[test]
fn each_stage_tells_how_far_opportunities_came() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    let stage = |place: usize| pipeline["stages"][place]["id"].clone();
    let reason = admin.get("/v1/lost_reasons").body["data"][0]["id"].clone();
    let begin = |amount: &str| {
        let new = json!({"name": "x", "stage_id": stage(0), "amount": amount, "currency": "EUR"});
        admin.create("/v1/opportunities", &new)["id"].as_str().unwrap().to_owned()
    };
    let act =
        |id: &str, deed: &str, how: Value| admin.post(&format!("/v1/opportunities/{id}/{deed}"), &how).expect(200);
    // Four are won from the second stage, two are lost in the first, one goes on to the third and back, one stays.
    for _ in 0..4 {
        let id = begin("500.00");
        act(&id, "move", json!({"stage_id": stage(1)}));
        act(&id, "win", json!({}));
    }
    for _ in 0..2 {
        act(&begin("900.00"), "lose", json!({"lost_reason_id": reason}));
    }
    let back = begin("100.00");
    act(&back, "move", json!({"stage_id": stage(2)}));
    act(&back, "move", json!({"stage_id": stage(0)}));
    begin("100.00");
    let gone = begin("100.00");
    admin.delete(&format!("/v1/opportunities/{gone}")).expect(204);

    let query = json!({"pipeline_id": pipeline["id"], "from": "2020-01-01", "to": "2029-01-01", "currency": "EUR"});
    let answer = admin.post("/v1/reports/funnel", &query);
    answer.expect(200);
    let stages = answer.body["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 4);
    let told = |stage: usize, to: usize| {
        let conversion = &stages[stage]["conversions"][to];
        json!([conversion["name"], conversion["reached_count"], conversion["lost_count"], conversion["open_count"]])
    };
    // Nine came to the first; the last conversion of a stage is to being won.
    assert_eq!((&stages[0]["entered_count"], &stages[1]["entered_count"]), (&json!(9), &json!(4)));
    assert_eq!(told(0, 0), json!(["Qualification", 5, 2, 2]));
    assert_eq!(told(0, 1), json!(["Proposal", 5, 2, 2]));
    assert_eq!(told(0, 3), json!([null, 4, 2, 3]));
    assert_eq!(told(1, 2), json!([null, 4, 0, 0]));
    assert_eq!(told(2, 1), json!([null, 0, 0, 1]));
    assert_eq!((&stages[3]["entered_count"], stages[3]["conversions"].as_array().unwrap().len()), (&json!(0), 1));
    // All within a day: of nine that were followed, five and two; of few no share is told.
    let first = &stages[0]["conversions"][0];
    assert_eq!(
        (&first["reached"], &first["lost"], &first["open"]),
        (&json!(0.555556), &json!(0.222222), &json!(0.222222))
    );
    assert_eq!((&first["at_risk_count"], &stages[0]["median_days_in_stage"]), (&json!(9), &json!(0)));
    assert_eq!(
        (&stages[0]["p90_days_in_stage"], &stages[1]["conversions"][2]["reached"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(stages[0]["still_in_stage_count"], 1);

    let velocity = &answer.body["velocity"];
    assert_eq!(
        (&velocity["open_count"], &velocity["won_count"], &velocity["lost_count"]),
        (&json!(2), &json!(4), &json!(2))
    );
    assert_eq!((&velocity["win_rate"], &velocity["mean_won_amount"]), (&json!(0.666667), &json!("500.00")));

    let table = admin.post("/v1/reports/funnel.csv", &query);
    table.expect(200);
    assert_eq!(table.text.trim_end().lines().count(), 1 + 4 + 3 + 2 + 1);

    let mut unknown = query.clone();
    unknown["pipeline_id"] = json!(NOBODY);
    admin.post("/v1/reports/funnel", &unknown).expect_errors(&[("/pipeline_id", "unknown_reference")]);
}

#[test]
fn what_is_deleted_or_in_another_pipeline_is_in_no_stage_any_more() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    let other = admin.create("/v1/pipelines", &json!({"name": "Renewals"}));
    let begin = || admin.create("/v1/opportunities", &json!({"name": "x"}))["id"].as_str().unwrap().to_owned();
    let [_stays, gone, away, back] = [begin(), begin(), begin(), begin()];
    admin.delete(&format!("/v1/opportunities/{gone}")).expect(204);
    let there = json!({"stage_id": other["stages"][0]["id"]});
    admin.post(&format!("/v1/opportunities/{away}/move"), &there).expect(200);
    admin.delete(&format!("/v1/opportunities/{back}")).expect(204);
    admin.send("POST", &format!("/v1/opportunities/{back}/restore"), &[], None).expect(200);

    let query = json!({"pipeline_id": pipeline["id"], "from": "2020-01-01", "to": "2029-01-01", "currency": "EUR"});
    let answer = admin.post("/v1/reports/funnel", &query);
    answer.expect(200);
    let first = &answer.body["stages"][0];
    assert_eq!((&first["entered_count"], &first["still_in_stage_count"]), (&json!(4), &json!(2)));
    // They are followed until then: none of them has left it for another stage.
    assert_eq!((&first["median_days_in_stage"], &first["conversions"][0]["open_count"]), (&Value::Null, &json!(4)));
}
