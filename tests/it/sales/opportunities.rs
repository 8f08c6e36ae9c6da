//! Opportunities, as sales teams and their programs use them. What all resources share is in the conformance tests.

use std::thread;

use chrono::{DateTime, Utc};
use rapport_domain::access::StandardRole;
use rapport_persistence::Clock;
use serde_json::{Value, json};

use crate::{
    conformance::samples::default_pipeline,
    harness::{Answer, Caller, Chance, JSON, workspace},
};

fn path(opportunity: &Value) -> String {
    format!("/v1/opportunities/{}", opportunity["id"].as_str().unwrap())
}

fn act(caller: &Caller, opportunity: &Value, action: &str, body: &Value) -> Answer {
    caller.post(&format!("{}/{action}", path(opportunity)), body)
}

fn stage(admin: &Caller, key: &str) -> Value {
    let pipeline = default_pipeline(admin);
    let stages = pipeline["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["key"] == key).unwrap()["id"].clone()
}

fn reason(admin: &Caller, key: &str) -> Value {
    admin.all("/v1/lost_reasons").into_iter().find(|reason| reason["key"] == key).unwrap()["id"].clone()
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["data"].as_array().unwrap().iter().map(|record| record["name"].as_str().unwrap()).collect()
}

fn packing_line(admin: &Caller) -> Value {
    let new = json!({"name": "Packing line", "amount": "12500.00", "currency": "EUR", "close_date": "2026-12-15"});
    admin.create("/v1/opportunities", &new)
}

#[test]
fn an_opportunity_keeps_everything_it_was_given() {
    let (_, admin) = workspace();
    let company = admin.create("/v1/companies", &json!({"name": "Lindt & Daughters"}));
    let anna = admin.create("/v1/contacts", &json!({"first_name": "Anna"}));
    let emil = admin.create("/v1/contacts", &json!({"first_name": "Émile"}));
    let given = json!({
        "name": "Packing line", "description": "Two lines,\nfor the new hall.", "company_id": company["id"],
        "contacts": [
            {"contact_id": anna["id"], "role": "decision_maker", "primary": false},
            {"contact_id": emil["id"], "role": null, "primary": true},
        ],
        "probability": 35, "forecast_category": "best_case", "amount": "12500.00", "currency": "EUR",
        "amount_source": "manual", "type": "new_business", "lead_source": "trade_show", "close_date": "2026-12-15",
        "next_step": "Send the offer", "tags": ["fair"],
        "recurring": {"monthly": "450.00", "annual": "5400.00", "annual_contract_value": null, "term_months": 24},
    });
    let created = admin.post("/v1/opportunities", &given);
    created.expect(201);
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(created.body[field], *value, "{field}");
    }
    assert_eq!(created.body["expected_amount"], "4375.00");
    assert_eq!((&created.body["stage_class"], &created.body["closed_at"]), (&json!("open"), &Value::Null));
    assert_eq!(admin.get(&path(&created.body)).body, created.body);

    let expanded = admin.get(&format!("{}?expand=company&expand=owner&expand=pipeline", path(&created.body))).body;
    assert_eq!(expanded["expanded"]["company"]["name"], "Lindt & Daughters");
    assert_eq!(expanded["expanded"]["pipeline"]["name"], "Sales");
}

#[test]
fn recurring_revenue_is_changed_amount_by_amount() {
    let (_, admin) = workspace();
    let recurring = json!({"monthly": "450.00", "annual": "5400.00", "term_months": 24});
    let new = admin.create("/v1/opportunities", &json!({"name": "Service", "currency": "EUR", "recurring": recurring}));
    let changed = admin.patch(&path(&new), &json!({"recurring": {"monthly": "500", "annual": null}}));
    changed.expect(200);
    let after = json!({"monthly": "500.00", "annual": null, "annual_contract_value": null, "term_months": 24});
    assert_eq!(changed.body["recurring"], after);
    let same = admin.patch(&path(&new), &json!({"recurring": {"monthly": "500.00"}}));
    assert_eq!(same.body, changed.body, "what changes nothing leaves the version as it is");
    admin
        .patch(&path(&new), &json!({"recurring": {"term_months": 0, "yearly": "1"}}))
        .expect_errors(&[("/recurring/term_months", "out_of_range"), ("/recurring/yearly", "unknown_field")]);
    admin
        .patch(&path(&new), &json!({"recurring": {"annual": "1.005"}}))
        .expect_errors(&[("/recurring/annual", "too_many_decimals")]);

    let update = json!({"op": "update", "id": new["id"], "data": {"recurring": {"term_months": 12}}});
    admin.post("/v1/opportunities/batch", &json!({"operations": [update]})).expect(207);
    let after = json!({"monthly": "500.00", "annual": null, "annual_contract_value": null, "term_months": 12});
    assert_eq!(admin.get(&path(&new)).body["recurring"], after);
    assert_eq!(admin.patch(&path(&new), &json!({"recurring": null})).body["recurring"], Value::Null);
    let anew = json!({"monthly": null, "annual": null, "annual_contract_value": null, "term_months": 6});
    let given = json!({"recurring": {"monthly": null, "term_months": 6}});
    assert_eq!(admin.patch(&path(&new), &given).body["recurring"], anew);
    let address = "/v1/opportunities/by-external-id/import/O-1";
    let upserted = admin.put(address, &json!({"name": "Service", "recurring": {"term_months": 6}}));
    upserted.expect(201);
    assert_eq!(upserted.body["record"]["recurring"], anew);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let (_, admin) = workspace();
    let anna = admin.create("/v1/contacts", &json!({"first_name": "Anna"}));
    let twice = json!([{"contact_id": anna["id"]}, {"contact_id": anna["id"]}]);
    let new =
        json!({"name": " ", "amount": "1.005", "currency": "EUR", "contacts": twice, "stage_id": stage(&admin, "won")});
    admin.post("/v1/opportunities", &new).expect_errors(&[
        ("/name", "required"),
        ("/contacts/1/contact_id", "duplicate"),
        ("/amount", "too_many_decimals"),
        ("/stage_id", "not_allowed"),
    ]);
    let without = json!({"name": "x", "amount": "1"});
    admin.post("/v1/opportunities", &without).expect_errors(&[("/currency", "required")]);
    let gone = json!({"name": "x", "contacts": [{"contact_id": anna["id"]}]});
    admin.delete(&format!("/v1/contacts/{}", anna["id"].as_str().unwrap())).expect(204);
    admin.post("/v1/opportunities", &gone).expect_errors(&[("/contacts/0/contact_id", "unknown_reference")]);
    let batch = json!({"operations": [{"op": "create", "data": gone}, {"op": "create", "data": {"name": "Fits"}}]});
    let results = admin.post("/v1/opportunities/batch", &batch);
    results.expect(207);
    assert_eq!(results.body["results"][0]["error"]["errors"][0]["pointer"], "/data/contacts/0/contact_id");
    assert_eq!(results.body["results"][1]["status"], 201);
}

#[test]
fn lines_make_the_amount() {
    let (_, admin) = workspace();
    let lines = json!([
        {"description": "Packing line", "quantity": "3", "unit_price": "33.335"},
        {"description": "Service", "quantity": "1.5", "unit_price": "80", "discount_type": "percent", "discount": "12.5"},
        {"description": "Freight", "unit_price": "40", "discount_type": "amount", "discount": "15.50"},
    ]);
    let new = json!({"name": "Packing line", "currency": "EUR", "lines": lines});
    let created = admin.create("/v1/opportunities", &new);
    let nets: Vec<&str> =
        created["lines"].as_array().unwrap().iter().map(|line| line["net_amount"].as_str().unwrap()).collect();
    assert_eq!(nets, ["100.01", "105.00", "24.50"]);
    assert_eq!((&created["amount"], &created["amount_source"]), (&json!("229.51"), &json!("lines")));

    admin.patch(&path(&created), &json!({"amount": "200"})).expect_errors(&[("/amount", "not_allowed")]);
    let manual = admin.patch(&path(&created), &json!({"amount": "200", "amount_source": "manual"}));
    manual.expect(200);
    assert_eq!((&manual.body["amount"], manual.body["lines"].as_array().unwrap().len()), (&json!("200.00"), 3));
    // Yen have no decimals: what comes from the lines is rounded, what was said is refused.
    let yen = json!({"currency": "JPY", "amount_source": "lines"});
    let yen = admin.patch(&path(&created), &yen);
    yen.expect_errors(&[("/lines/2/discount", "too_many_decimals")]);
    let wrong = json!({"lines": [
        {"description": "x", "unit_price": "1", "discount": "5"},
        {"description": "x", "unit_price": "1", "discount": "5", "discount_type": "amount"},
    ]});
    admin
        .patch(&path(&created), &wrong)
        .expect_errors(&[("/lines/0/discount_type", "incomplete_discount"), ("/lines/1/discount", "out_of_range")]);
}

/// A product to be sold in euros and francs.
fn chocolate(admin: &Caller) -> Value {
    admin.create(
        "/v1/products",
        &json!({"code": "PRA-70", "name": "Dark chocolate", "unit": "bar", "tax_rate": "7", "prices": [
            {"currency": "EUR", "unit_price": "4.95"}, {"currency": "CHF", "unit_price": "5.20"}]}),
    )
}

#[test]
fn a_line_takes_what_it_leaves_out_from_its_product_and_keeps_it() {
    let (_, admin) = workspace();
    let product = chocolate(&admin);
    let bare = json!({"product_id": product["id"], "quantity": "40"});
    let created = admin.create("/v1/opportunities", &json!({"name": "Easter", "currency": "EUR", "lines": [bare]}));
    let line = json!({
        "product_id": product["id"], "sku": "PRA-70", "description": "Dark chocolate", "quantity": "40", "unit": "bar",
        "unit_price": "4.95", "discount_type": null, "discount": null, "tax_rate": "7", "net_amount": "198.00",
    });
    assert_eq!((&created["lines"][0], &created["amount"]), (&line, &json!("198.00")));

    let product_path = format!("/v1/products/{}", product["id"].as_str().unwrap());
    let dearer = json!({"name": "Dark chocolate, 200 g", "prices": [{"currency": "EUR", "unit_price": "5.95"}]});
    admin.patch(&product_path, &dearer).expect(200);
    let same = admin.patch(&path(&created), &json!({"lines": created["lines"]}));
    assert_eq!((&same.body["lines"][0], &same.body["version"]), (&line, &json!(1)), "what was read can be sent back");
    let more = json!({"lines": [line, {"product_id": product["id"], "sku": null, "description": "A bar"}]});
    let more = admin.patch(&path(&created), &more);
    more.expect(200);
    assert_eq!(more.body["lines"][0], line);
    let second = &more.body["lines"][1];
    assert_eq!(
        [&second["sku"], &second["description"], &second["unit_price"]],
        [&Value::Null, &json!("A bar"), &json!("5.95")]
    );

    admin.delete(&product_path).expect(204);
    let kept = admin.patch(&path(&created), &json!({"name": "Easter 2027", "lines": more.body["lines"]}));
    kept.expect(200);
    assert_eq!(kept.body["lines"], more.body["lines"], "it stays when the product is gone");
    let anew = json!({"name": "x", "currency": "EUR", "lines": [{"product_id": product["id"]}]});
    admin.post("/v1/opportunities", &anew).expect_errors(&[("/lines/0/product_id", "unknown_reference")]);
}

#[test]
fn a_line_without_a_price_says_where_it_is_missing() {
    let (workspace, admin) = workspace();
    let product = chocolate(&admin);
    let lines =
        json!([{"description": "Freight", "unit_price": "1"}, {"product_id": product["id"]}, {"quantity": "2"}]);
    let new = json!({"name": "x", "currency": "GBP", "lines": lines});
    let refused = admin.post("/v1/opportunities", &new);
    refused.expect_errors(&[("/lines/1/unit_price", "no_price"), ("/lines/2/unit_price", "required")]);
    assert!(refused.text.contains("no price in GBP"), "{}", refused.text);
    let given = json!({"name": "x", "currency": "GBP", "lines": [{"product_id": product["id"], "unit_price": "4.25"}]});
    assert_eq!(admin.create("/v1/opportunities", &given)["amount"], "4.25");
    let bare = json!({"name": "x", "lines": [{"product_id": product["id"]}]});
    admin.post("/v1/opportunities", &bare).expect_errors(&[("/currency", "required")]);

    // Whose role closes prices is told none by a line.
    let rules = json!([
        {"resource": "opportunities", "read": "all", "write": "all", "create": true},
        {"resource": "products", "read": "all", "readable_fields": {"mode": "all_but", "fields": ["prices"]}},
    ]);
    let role = admin.create("/v1/roles", &json!({"name": "Without prices", "rules": rules}));
    let id = workspace.user("anna@example.com", StandardRole::ReadOnly, "a long enough password");
    admin.patch(&format!("/v1/users/{id}"), &json!({"role_ids": [role["id"]]})).expect(200);
    let anna = workspace.sign_in("anna@example.com", "a long enough password");
    let new = json!({"name": "x", "currency": "EUR", "lines": [{"product_id": product["id"]}]});
    anna.post("/v1/opportunities", &new).expect_errors(&[("/lines/0/unit_price", "required")]);
}

#[test]
fn batches_and_upserts_take_from_products_too() {
    let (_, admin) = workspace();
    let product = chocolate(&admin);
    let lines = json!([{"product_id": product["id"]}]);
    let first = admin.create("/v1/opportunities", &json!({"name": "First", "currency": "CHF"}));
    let nobody = json!([{"product_id": first["id"]}]);
    let operations = json!({"operations": [
        {"op": "create", "data": {"name": "Second", "currency": "EUR", "lines": lines}},
        {"op": "update", "id": first["id"], "data": {"lines": lines}},
        {"op": "update", "id": first["id"], "data": {"lines": nobody}},
        {"op": "upsert", "connection": "import", "external_id": "O-1", "data": {"name": "x", "currency": "GBP", "lines": lines}},
    ]});
    let answer = admin.post("/v1/opportunities/batch", &operations);
    let results = answer.body["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 200, 422, 422], "{}", answer.text);
    assert_eq!(results[2]["error"]["errors"][0]["pointer"], "/data/lines/0/product_id");
    assert_eq!(results[3]["error"]["errors"][0]["pointer"], "/data/lines/0/unit_price");
    assert_eq!(admin.get(&path(&first)).body["amount"], "5.20");
    let only_changes = json!({"operations": [
        {"op": "update", "id": first["id"], "data": {"name": "Renamed"}}, {"op": "delete", "id": results[0]["id"]},
    ]});
    let answer = admin.post("/v1/opportunities/batch", &only_changes);
    assert!(answer.body["results"].as_array().unwrap().iter().all(|result| result["status"].as_u64() < Some(300)));

    let address = "/v1/opportunities/by-external-id/import/O-2";
    let upserted = admin.put(address, &json!({"name": "x", "currency": "EUR", "lines": lines}));
    assert_eq!(upserted.body["record"]["lines"][0]["unit_price"], "4.95");
}

#[test]
fn it_goes_through_its_stages_to_won() {
    let (_, admin) = workspace();
    let new = packing_line(&admin);
    let moved = act(&admin, &new, "move", &json!({"stage_id": stage(&admin, "proposal")}));
    moved.expect(200);
    let told = ["stage_class", "probability", "forecast_category", "expected_amount", "version"];
    assert_eq!(
        told.map(|field| moved.body[field].clone()),
        [json!("open"), json!(50), json!("best_case"), json!("6250.00"), json!(2)]
    );
    let won = act(&admin, &new, "win", &json!({}));
    won.expect(200);
    assert_eq!(
        told.map(|field| won.body[field].clone()),
        [json!("won"), json!(100), json!("closed"), json!("12500.00"), json!(3)]
    );
    assert!(won.body["won_at"].is_string() && won.body["won_at"] == won.body["closed_at"]);
    assert_eq!(act(&admin, &new, "win", &json!({})).body, won.body, "what is won stays as it is");

    let refused = act(&admin, &new, "move", &json!({"stage_id": stage(&admin, "proposal")}));
    refused.expect_problem(409, "invalid_transition");
    refused.expect_errors(&[("/stage_id", "invalid_transition")]);
    let lost = act(&admin, &new, "lose", &json!({"lost_reason_id": reason(&admin, "price")}));
    lost.expect_problem(409, "invalid_transition");
    let closed = admin.patch(&path(&new), &json!({"probability": 20, "forecast_category": "commit"}));
    closed.expect_errors(&[("/probability", "not_allowed"), ("/forecast_category", "not_allowed")]);

    let reopened = act(&admin, &new, "reopen", &json!({}));
    reopened.expect(200);
    assert_eq!(reopened.body["stage_id"], stage(&admin, "proposal"), "where it was last");
    assert_eq!((&reopened.body["won_at"], &reopened.body["closed_at"]), (&Value::Null, &Value::Null));
    let events: Vec<Value> =
        admin.all(&format!("{}/history", path(&new))).iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(events, ["opportunity.reopened", "opportunity.won", "opportunity.stage_changed", "opportunity.created"]);
}

#[test]
fn a_loss_has_a_reason() {
    let (_, admin) = workspace();
    let new = packing_line(&admin);
    act(&admin, &new, "move", &json!({"stage_id": stage(&admin, "lost")}))
        .expect_errors(&[("/lost_reason_id", "required")]);
    let archived = reason(&admin, "other");
    admin.patch(&format!("/v1/lost_reasons/{}", archived.as_str().unwrap()), &json!({"archived": true})).expect(200);
    act(&admin, &new, "lose", &json!({"lost_reason_id": archived})).expect_errors(&[("/lost_reason_id", "archived")]);
    let price = reason(&admin, "price");
    let lost = act(&admin, &new, "lose", &json!({"lost_reason_id": price, "lost_note": "Too dear"}));
    lost.expect(200);
    assert_eq!((&lost.body["lost_reason_id"], &lost.body["lost_note"]), (&price, &json!("Too dear")));
    assert!(lost.body["lost_at"].is_string() && lost.body["won_at"].is_null());
    let taken = admin.delete(&format!("/v1/lost_reasons/{}", price.as_str().unwrap()));
    taken.expect_problem(409, "conflict");
    let reopened = act(&admin, &new, "reopen", &json!({"stage_id": stage(&admin, "negotiation")}));
    reopened.expect(200);
    assert_eq!((&reopened.body["lost_reason_id"], &reopened.body["lost_note"]), (&Value::Null, &Value::Null));
}

/// Whoever finds out more says so: nothing else about what is lost changes.
#[test]
fn why_it_was_lost_can_be_said_anew() {
    let (_, admin) = workspace();
    let new = packing_line(&admin);
    let [price, competition] = ["price", "competition"].map(|key| reason(&admin, key));
    let lost = act(&admin, &new, "lose", &json!({"lost_reason_id": price, "lost_note": "Too dear"}));
    lost.expect(200);
    let spells = admin.all(&format!("{}/stage_history", path(&new)));

    let other = json!({"lost_reason_id": competition, "lost_note": "The other one came with a crew."});
    let told = act(&admin, &new, "lose", &other);
    told.expect(200);
    assert_eq!((&told.body["lost_reason_id"], &told.body["version"]), (&competition, &json!(3)));
    assert_eq!(told.body["lost_note"], other["lost_note"]);
    for field in ["stage_id", "stage_entered_at", "lost_at", "closed_at", "probability", "forecast_category"] {
        assert_eq!(told.body[field], lost.body[field], "{field}");
    }
    assert_eq!(admin.all(&format!("{}/stage_history", path(&new))), spells);
    let history = admin.all(&format!("{}/history", path(&new)));
    assert_eq!(history[0]["event"], "opportunity.updated");
    let changes = history[0]["changes"].as_array().unwrap();
    let mut changed: Vec<&str> = changes.iter().map(|change| change["field"].as_str().unwrap()).collect();
    changed.sort_unstable();
    assert_eq!(changed, ["lost_note", "lost_reason_id"]);
    assert_eq!(act(&admin, &new, "lose", &other).body, told.body, "the same again changes nothing");

    let unknown = json!({"lost_reason_id": new["id"]});
    act(&admin, &new, "lose", &unknown).expect_errors(&[("/lost_reason_id", "unknown_reference")]);
    for archived in [&price, &competition] {
        let address = format!("/v1/lost_reasons/{}", archived.as_str().unwrap());
        admin.patch(&address, &json!({"archived": true})).expect(200);
    }
    act(&admin, &new, "lose", &json!({"lost_reason_id": price})).expect_errors(&[("/lost_reason_id", "archived")]);
    let kept = act(&admin, &new, "lose", &json!({"lost_reason_id": competition}));
    kept.expect(200);
    assert_eq!((&kept.body["lost_reason_id"], &kept.body["lost_note"]), (&competition, &Value::Null));
}

#[test]
fn null_gives_probability_and_category_back_to_the_stage() {
    let (_, admin) = workspace();
    let new = packing_line(&admin);
    let better = json!({"probability": 70, "forecast_category": "commit"});
    let nothing = json!({"probability": null, "forecast_category": null});
    let told = |record: &Value| {
        ["probability", "forecast_category", "expected_amount", "version"].map(|field| record[field].clone())
    };
    admin.patch(&path(&new), &better).expect(200);
    let back = admin.patch(&path(&new), &nothing);
    back.expect(200);
    assert_eq!(told(&back.body), [json!(10), json!("pipeline"), json!("1250.00"), json!(3)]);
    assert_eq!(admin.patch(&path(&new), &nothing).body, back.body, "it is the stage's already");

    // What a stage says changes nothing in it by itself.
    let pipeline = default_pipeline(&admin);
    let mut stages = pipeline["stages"].clone();
    stages[0]["probability"] = json!(15);
    admin.patch(&format!("/v1/pipelines/{}", pipeline["id"].as_str().unwrap()), &json!({"stages": stages})).expect(200);
    assert_eq!(admin.get(&path(&new)).body["probability"], 10);
    let update = |data: &Value| json!({"op": "update", "id": new["id"], "data": data});
    for operations in [vec![update(&better)], vec![update(&json!({"probability": null}))]] {
        let answer = admin.post("/v1/opportunities/batch", &json!({"operations": operations}));
        assert_eq!(answer.body["results"][0]["status"], 200, "{}", answer.text);
    }
    let now = admin.get(&path(&new)).body;
    assert_eq!(told(&now), [json!(15), json!("commit"), json!("1875.00"), json!(5)]);

    let address = "/v1/opportunities/by-external-id/import/O-1";
    let created = admin.put(address, &json!({"name": "Service", "probability": null, "forecast_category": null}));
    created.expect(201);
    assert_eq!(created.body["record"]["probability"], 15);
    admin.put(address, &better).expect(200);
    assert_eq!(admin.put(address, &nothing).body["record"]["forecast_category"], "pipeline");
    assert_eq!(admin.put(address, &nothing).body["result"], "unchanged");

    let won = act(&admin, &new, "win", &json!({}));
    assert_eq!(admin.patch(&path(&new), &nothing).body, won.body, "what is won has what its stage says");
}

/// A field of the workspace's own that the first stage requires, and its address.
fn required_channels(admin: &Caller) -> String {
    let options = json!([{"key": "fair", "label": "Fair"}, {"key": "web", "label": "Web"}]);
    let new = json!({
        "resource": "opportunities", "key": "channels", "label": "Channels", "type": "multi_choice", "options": options
    });
    let field = admin.create("/v1/custom_fields", &new);
    let pipeline = default_pipeline(admin);
    let mut stages = pipeline["stages"].clone();
    for number in [0_usize, 1] {
        stages[number]["required_fields"] = json!(["custom.channels"]);
    }
    admin.patch(&format!("/v1/pipelines/{}", pipeline["id"].as_str().unwrap()), &json!({"stages": stages})).expect(200);
    format!("/v1/custom_fields/{}", field["id"].as_str().unwrap())
}

#[test]
fn a_choice_of_no_options_is_no_value_for_a_stage() {
    let (_, admin) = workspace();
    required_channels(&admin);
    let given = |channels: Value| json!({"name": "Line", "custom": {"channels": channels}});
    let expected = ("/custom/channels", "required_in_stage");
    for channels in [json!([]), Value::Null] {
        admin.post("/v1/opportunities", &given(channels)).expect_errors(&[expected]);
    }
    admin.post("/v1/opportunities", &json!({"name": "Line"})).expect_errors(&[expected]);
    // What is wrong with a value is told instead of that it is missing.
    let wrong = [("/custom/channels", "unknown_value")];
    admin.post("/v1/opportunities", &given(json!(["radio"]))).expect_errors(&wrong);
    let operations = json!({"operations": [
        {"op": "create", "data": given(json!([]))},
        {"op": "upsert", "connection": "import", "external_id": "O-1", "data": given(json!([]))},
        {"op": "create", "data": given(json!(["radio"]))},
        {"op": "create", "data": given(json!(["web", "fair", "web"]))},
    ]});
    let answer = admin.post("/v1/opportunities/batch", &operations);
    let results = answer.body["results"].as_array().unwrap();
    let codes: Vec<&Value> = results.iter().map(|result| &result["error"]["errors"][0]["code"]).collect();
    assert_eq!(json!(codes), json!(["required_in_stage", "required_in_stage", "unknown_value", null]));
    let created = admin.get(&format!("/v1/opportunities/{}", results[3]["id"].as_str().unwrap())).body;
    assert_eq!(created["custom"], json!({"channels": ["fair", "web"]}));
    let address = "/v1/opportunities/by-external-id/import/O-2";
    admin.put(address, &given(json!([]))).expect_errors(&[expected]);
    admin.put(address, &given(json!(["fair"]))).expect(201);
}

#[test]
fn no_stage_requires_a_field_that_was_archived() {
    let (_, admin) = workspace();
    let field = required_channels(&admin);
    let given = json!({"name": "Line", "custom": {"channels": ["fair"]}});
    let with_value = admin.create("/v1/opportunities", &given);
    let other = admin.create("/v1/pipelines", &json!({"name": "Renewals"}));
    let bare = admin.create("/v1/opportunities", &json!({"name": "Line", "stage_id": other["stages"][0]["id"]}));
    let to = json!({"stage_id": stage(&admin, "qualification")});
    act(&admin, &bare, "move", &to).expect_errors(&[("/custom/channels", "required_in_stage")]);

    admin.send("POST", &format!("{field}/archive"), &[], None).expect(200);
    admin.post("/v1/opportunities", &given).expect_errors(&[("/custom/channels", "archived_field")]);
    for opportunity in [&with_value, &bare] {
        act(&admin, opportunity, "move", &to).expect(200);
    }
    admin.create("/v1/opportunities", &json!({"name": "Line"}));
    let batch = json!({"operations": [{"op": "create", "data": {"name": "Line"}}]});
    assert_eq!(admin.post("/v1/opportunities/batch", &batch).body["results"][0]["status"], 201);

    admin.send("POST", &format!("{field}/restore"), &[], None).expect(200);
    let without = admin.post("/v1/opportunities", &json!({"name": "Line"}));
    without.expect_errors(&[("/custom/channels", "required_in_stage")]);
}

#[test]
fn a_pipeline_has_its_rules() {
    let (_, admin) = workspace();
    let pipeline = default_pipeline(&admin);
    let mut stages = pipeline["stages"].clone();
    stages[1]["required_fields"] = json!(["close_date", "company_id"]);
    let rules = json!({"allow_backward": false, "allow_skip": false, "stages": stages});
    admin.patch(&format!("/v1/pipelines/{}", pipeline["id"].as_str().unwrap()), &rules).expect(200);
    let new = packing_line(&admin);
    let skips = act(&admin, &new, "move", &json!({"stage_id": stages[3]["id"]}));
    skips.expect_problem(409, "invalid_transition");
    assert!(skips.body["detail"].as_str().unwrap().contains("qualification, won, lost"), "{}", skips.text);
    act(&admin, &new, "move", &json!({"stage_id": stages[1]["id"]}))
        .expect_errors(&[("/company_id", "required_in_stage")]);
    let company = admin.create("/v1/companies", &json!({"name": "Lindt"}));
    admin.patch(&path(&new), &json!({"company_id": company["id"]})).expect(200);
    act(&admin, &new, "move", &json!({"stage_id": stages[1]["id"]})).expect(200);
    act(&admin, &new, "move", &json!({"stage_id": stages[0]["id"]})).expect_problem(409, "invalid_transition");
    // To another pipeline it goes to whatever stage is named.
    let other = admin.create("/v1/pipelines", &json!({"name": "Renewals"}));
    let away = act(&admin, &new, "move", &json!({"stage_id": other["stages"][3]["id"]}));
    away.expect(200);
    assert_eq!(away.body["pipeline_id"], other["id"]);
}

#[test]
fn of_two_who_move_it_at_once_one_is_told_the_current_version() {
    let (_, admin) = workspace();
    for _ in 0..10 {
        let new = packing_line(&admin);
        let targets = [stage(&admin, "qualification"), stage(&admin, "negotiation")];
        let answers: Vec<Answer> = thread::scope(|scope| {
            let moves = |target: &Value| {
                let body = json!({"stage_id": target}).to_string().into_bytes();
                admin.send("POST", &format!("{}/move", path(&new)), &[JSON, ("If-Match", "\"1\"")], Some(body))
            };
            let threads: Vec<_> = targets.iter().map(|target| scope.spawn(move || moves(target))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        let stale = answers.iter().find(|answer| answer.status == 412).unwrap();
        assert_eq!(stale.body["current_version"], 2);
    }
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// Whatever happens to an opportunity, its spells follow one another from its creation without a gap.
#[test]
fn stage_spells_sum_to_its_age() {
    let (_, admin) = workspace();
    let stages: Vec<Value> = default_pipeline(&admin)["stages"].as_array().unwrap().clone();
    let price = reason(&admin, "price");
    let mut chance = Chance::new(7);
    for _ in 0..6 {
        let new = packing_line(&admin);
        for _ in 0..5 + chance.below(20) {
            let answer = match chance.below(8) {
                0..4 => act(&admin, &new, "move", &json!({"stage_id": stages[chance.below(5)]["id"]})),
                4 => act(&admin, &new, "lose", &json!({"lost_reason_id": price})),
                5 => act(&admin, &new, "reopen", &json!({})),
                6 => admin.patch(&path(&new), &json!({"amount": chance.below(1_000_000).to_string()})),
                _ => admin.patch(&path(&new), &json!({"close_date": format!("2027-01-{:02}", 1 + chance.below(28))})),
            };
            assert!([200, 409].contains(&answer.status), "{}", answer.text);
        }
        let now = admin.get(&path(&new)).body;
        let spells = admin.all(&format!("{}/stage_history?limit=3", path(&new)));
        assert_eq!((&spells[0]["from_stage_id"], &spells[0]["entered_at"]), (&Value::Null, &new["created_at"]));
        assert_eq!(spells.last().unwrap()["stage_id"], now["stage_id"]);
        assert_eq!(spells.last().unwrap()["entered_at"], now["stage_entered_at"]);
        for (before, after) in spells.iter().zip(&spells[1..]) {
            assert_eq!((&after["from_stage_id"], &after["entered_at"]), (&before["stage_id"], &before["left_at"]));
        }
        let closed = now["closed_at"].is_string();
        assert_eq!(spells.last().unwrap()["duration_seconds"].is_null(), closed);
        let seconds: f64 = spells.iter().filter_map(|spell| spell["duration_seconds"].as_f64()).sum();
        let age = |until: DateTime<Utc>| (until - instant(&new["created_at"])).as_seconds_f64();
        match closed {
            true => assert!((seconds - age(instant(&now["closed_at"]))).abs() < 1e-5, "{seconds}"),
            false => assert!(
                seconds >= age(instant(&now["updated_at"])) && seconds <= age(Clock::system().now()),
                "{seconds}"
            ),
        }
    }
}

#[test]
fn a_close_date_that_was_put_off_is_remembered() {
    let (_, admin) = workspace();
    let new = packing_line(&admin);
    for date in [json!("2027-01-15"), json!("2027-01-10"), Value::Null] {
        admin.patch(&path(&new), &json!({"close_date": date})).expect(200);
    }
    admin.patch(&path(&new), &json!({"amount": "1"})).expect(200);
    let changes = admin.all(&format!("{}/close_date_history?limit=2", path(&new)));
    let told: Vec<Value> =
        changes.iter().map(|change| json!([change["from"], change["to"], change["days_pushed"]])).collect();
    assert_eq!(
        json!(told),
        json!([
            [null, "2026-12-15", null],
            ["2026-12-15", "2027-01-15", 31],
            ["2027-01-15", "2027-01-10", -5],
            ["2027-01-10", null, null]
        ])
    );
}

#[test]
fn lists_find_what_they_are_asked_for() {
    let (_, admin) = workspace();
    let company = admin.create("/v1/companies", &json!({"name": "Lindt"}));
    let anna = admin.create("/v1/contacts", &json!({"first_name": "Anna"}));
    let fixed = json!({
        "name": "Line", "company_id": company["id"], "contacts": [{"contact_id": anna["id"]}], "type": "renewal",
        "lead_source": "referral", "close_date": "2026-12-31", "tags": ["fair"], "next_step": "Café in Zürich",
    });
    admin.create("/v1/opportunities", &fixed);
    let won = admin.create("/v1/opportunities", &json!({"name": "Service", "close_date": "2027-01-01"}));
    act(&admin, &won, "win", &json!({})).expect(200);
    let (company, anna) = (company["id"].as_str().unwrap(), anna["id"].as_str().unwrap());
    let first = stage(&admin, "prospecting");
    for (query, expected) in [
        (format!("company_id={company}"), vec!["Line"]),
        (format!("contact_id={anna}"), vec!["Line"]),
        (format!("stage_id={}", first.as_str().unwrap()), vec!["Line"]),
        ("stage_class=won".to_owned(), vec!["Service"]),
        ("stage_class=won&stage_class=open&sort=name".to_owned(), vec!["Line", "Service"]),
        ("forecast_category=closed".to_owned(), vec!["Service"]),
        ("type=renewal".to_owned(), vec!["Line"]),
        ("lead_source=referral".to_owned(), vec!["Line"]),
        ("close_date_from=2027-01-01".to_owned(), vec!["Service"]),
        ("close_date_to=2026-12-31".to_owned(), vec!["Line"]),
        ("close_date_from=2026-12-31&close_date_to=2027-01-01&sort=-name".to_owned(), vec!["Service", "Line"]),
        ("tag=fair".to_owned(), vec!["Line"]),
        ("q=cafe%20zurich".to_owned(), vec!["Line"]),
        ("q=servise".to_owned(), vec!["Service"]),
    ] {
        let answer = admin.get(&format!("/v1/opportunities?{query}"));
        answer.expect(200);
        assert_eq!(names(&answer), expected, "{query}");
    }
    let filter = |condition: Value| json!({"filter": {"version": 1, "entity": "opportunity", "where": condition}});
    let of_lindt = json!({"type": "text", "field": "name", "op": "eq", "value": "Lindt"});
    for condition in [
        json!({"type": "related", "relation": "company", "count": {"op": "at_least", "n": 1}, "where": of_lindt}),
        json!({"type": "tags", "field": "contact_ids", "op": "has_any", "values": [anna]}),
        json!({"type": "date", "field": "close_date", "op": "before", "on": "2027-01-01"}),
        json!({"type": "choice", "field": "type", "op": "in", "values": ["renewal"]}),
    ] {
        let answer = admin.post("/v1/opportunities/search", &filter(condition));
        answer.expect(200);
        assert_eq!(names(&answer), ["Line"]);
    }
    let nowhere = json!({"type": "geo_within", "countries": ["DE"]});
    admin.post("/v1/opportunities/search", &filter(nowhere)).expect_errors(&[("/filter/where", "not_applicable")]);
    let due = admin.get("/v1/opportunities?sort=due_at");
    due.expect_problem(400, "invalid_query");
}

/// What is handed over changes its state for reports, too.
#[test]
fn handing_over_keeps_the_history_whole() {
    let (workspace, admin) = workspace();
    let secret = "a long enough password";
    let [anna, ben] = ["anna@example.com", "ben@example.com"]
        .map(|email| workspace.user(email, rapport_domain::access::StandardRole::Agent, secret));
    let new = admin.create("/v1/opportunities", &json!({"name": "Line", "owner_id": anna}));
    admin.post(&format!("/v1/users/{anna}/transfer"), &json!({"to": [ben]})).expect(200);
    act(&admin, &new, "move", &json!({"stage_id": stage(&admin, "proposal")})).expect(200);
    let spells = admin.all(&format!("{}/stage_history", path(&new)));
    assert_eq!((&spells[0]["owner_id"], &spells[1]["owner_id"]), (&json!(anna), &json!(ben)));
    assert_eq!(spells[0]["left_at"], spells[1]["entered_at"]);
}

#[test]
fn upserts_by_external_id_create_and_change_it() {
    let (_, admin) = workspace();
    admin.create("/v1/connections", &json!({"key": "shop", "name": "Shop", "kind": "shop"}));
    let address = "/v1/opportunities/by-external-id/shop/A-1";
    let created = admin.put(address, &json!({"name": "Line", "amount": "10", "currency": "EUR"}));
    created.expect(201);
    let changed = admin.put(address, &json!({"amount": "12"}));
    changed.expect(200);
    assert_eq!((&changed.body["result"], &changed.body["record"]["amount"]), (&json!("updated"), &json!("12.00")));
    assert_eq!(admin.put(address, &json!({"amount": "12.00"})).body["result"], "unchanged");
    let spells = admin.all(&format!("{}/stage_history", path(&changed.body["record"])));
    assert_eq!(spells.len(), 1);
}

#[test]
fn opportunities_are_listed_by_their_close_date_across_pages() {
    let (workspace, admin) = workspace();
    let dates = [None, Some("2027-03-01"), Some("2026-12-24"), None, Some("2027-03-01"), Some("9999-12-31")];
    for (number, date) in dates.iter().enumerate() {
        admin.create("/v1/opportunities", &json!({"name": format!("O{number}"), "close_date": date}));
    }
    let names = |caller: &Caller, query: &str| -> Vec<String> {
        let found = caller.all(&format!("/v1/opportunities?limit=2&{query}"));
        found.iter().map(|found| found["name"].as_str().unwrap().to_owned()).collect()
    };
    // Equal dates, and those that have none, by their ids; what has none is last either way.
    assert_eq!(names(&admin, "sort=close_date"), ["O2", "O1", "O4", "O5", "O0", "O3"]);
    assert_eq!(names(&admin, "sort=-close_date"), ["O5", "O4", "O1", "O2", "O3", "O0"]);
    assert_eq!(names(&admin, "sort=close_date&close_date_from=2027-01-01"), ["O1", "O4", "O5"]);
    assert_eq!(names(&admin, "sort=-close_date&q=o"), ["O5", "O4", "O1", "O2", "O3", "O0"]);

    // Who sees their own and their team's reads the same in lanes.
    let team = admin.create("/v1/teams", &json!({"name": "North"}))["id"].clone();
    let secret = "a long enough password";
    let anna_id = workspace.user("anna@example.com", StandardRole::Agent, secret);
    admin.patch(&format!("/v1/users/{anna_id}"), &json!({"team_ids": [team]})).expect(200);
    let role = admin.create(
        "/v1/roles",
        &json!({"name": "Own", "rules": [{"resource": "opportunities", "read": "team", "write": "team", "create": true}]}),
    );
    admin.patch(&format!("/v1/users/{anna_id}"), &json!({"role_ids": [role["id"]]})).expect(200);
    let anna = workspace.sign_in("anna@example.com", secret);
    for (name, owner, of_team, date) in [
        ("A0", json!(anna_id), Value::Null, Value::Null),
        ("A1", Value::Null, team.clone(), json!("2027-01-02")),
        ("A2", json!(anna_id), team.clone(), json!("2027-01-01")),
        ("A3", Value::Null, team.clone(), Value::Null),
    ] {
        let new = json!({"name": name, "owner_id": owner, "team_id": of_team, "close_date": date});
        admin.create("/v1/opportunities", &new);
    }
    assert_eq!(names(&anna, "sort=close_date"), ["A2", "A1", "A0", "A3"]);
    assert_eq!(names(&anna, "sort=-close_date"), ["A1", "A2", "A3", "A0"]);

    let search = |sort: &str| {
        let found = admin.post("/v1/opportunities/search", &json!({"sort": sort, "limit": 3}));
        found.expect(200);
        found.names().into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(search("close_date"), ["O2", "A2", "A1"]);
    admin.get("/v1/contacts?sort=close_date").expect_problem(400, "invalid_query");
    let closed = admin.get("/v1/opportunities?sort=close_date&deleted=only");
    assert_eq!(closed.names(), Vec::<&str>::new());
}
