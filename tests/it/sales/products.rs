//! Products.

use std::thread;

use rapport_domain::access::StandardRole;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, workspace};

fn product(admin: &Caller, code: &str, more: &Value) -> Value {
    let mut new = json!({"code": code, "name": format!("Product {code}")});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin.create("/v1/products", &new)
}

fn path(product: &Value) -> String {
    format!("/v1/products/{}", product["id"].as_str().unwrap())
}

fn codes(admin: &Caller, query: &str) -> Vec<String> {
    let all = admin.all(&format!("/v1/products{query}"));
    all.iter().map(|product| product["code"].as_str().unwrap().to_owned()).collect()
}

fn found(admin: &Caller, condition: Value) -> Vec<String> {
    let answer = admin.post(
        "/v1/products/search",
        &json!({"filter": {"version": 1, "entity": "product", "where": condition}, "sort": "name"}),
    );
    answer.expect(200);
    answer.body["data"].as_array().unwrap().iter().map(|found| found["code"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn is_taken(answer: &Answer) {
    answer.expect_problem(409, "conflict");
    assert_eq!(answer.body["errors"][0]["code"], "code_taken", "{}", answer.text);
}

#[test]
fn a_product_has_prices_in_several_currencies() {
    let (_, admin) = workspace();
    let new = json!({
        "code": " PRA-70 ", "name": " Dark chocolate ", "category": "Chocolate", "tax_rate": "7.0000",
        "prices": [{"currency": "EUR", "unit_price": "4.9500"}, {"currency": "JPY", "unit_price": "800"}],
        "recurring_interval": "month", "stock_state": "in_stock",
    });
    let created = admin.create("/v1/products", &new);
    assert_eq!((&created["code"], &created["name"]), (&json!("PRA-70"), &json!("Dark chocolate")));
    assert_eq!((&created["unit"], &created["active"]), (&json!("piece"), &json!(true)));
    let prices = json!([{"currency": "EUR", "unit_price": "4.95"}, {"currency": "JPY", "unit_price": "800"}]);
    assert_eq!((&created["prices"], &created["tax_rate"]), (&prices, &json!("7")));
    assert_eq!(admin.get(&path(&created)).body, created);
    let patched = admin.patch(&path(&created), &json!({"prices": null, "unit": "bar", "description": "Bitter."}));
    assert_eq!((&patched.body["prices"], &patched.body["unit"]), (&json!([]), &json!("bar")));
}

#[test]
fn what_does_not_fit_is_named() {
    let (_, admin) = workspace();
    let price = |currency: &str, unit_price: &str| json!({"currency": currency, "unit_price": unit_price});
    let refused = |more: Value, errors: &[(&str, &str)]| {
        let mut new = json!({"code": "A", "name": "A"});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = admin.post("/v1/products", &new);
        answer.expect_problem(422, "validation_failed");
        answer.expect_errors(errors);
    };
    refused(json!({"prices": [price("EUR", "1"), price("EUR", "2")]}), &[("/prices/1/currency", "repeated")]);
    refused(json!({"prices": [price("EUR", "-1")]}), &[("/prices/0/unit_price", "wrong_form")]);
    refused(json!({"prices": [price("EUR", "1.00001")]}), &[("/prices/0/unit_price", "wrong_form")]);
    refused(json!({"prices": [price("ABC", "1")]}), &[("/prices/0/currency", "invalid_currency_code")]);
    refused(json!({"tax_rate": "100.1"}), &[("/tax_rate", "wrong_form")]);
    refused(json!({"unit": "  "}), &[("/unit", "required")]);
    refused(json!({"code": "  "}), &[("/code", "required")]);
    refused(json!({"prices": vec![price("EUR", "1"); 51]}), &[("/prices", "too_many")]);
    admin.post("/v1/products", &json!({"name": "A"})).expect_errors(&[("/code", "required")]);
    assert!(codes(&admin, "").is_empty());
}

#[test]
fn a_code_is_that_of_one_living_product() {
    let (_, admin) = workspace();
    let (_, elsewhere) = workspace();
    let first = product(&admin, "A-1", &json!({}));
    is_taken(&admin.post("/v1/products", &json!({"code": " A-1 ", "name": "Once more"})));
    product(&admin, "a-1", &json!({}));
    product(&elsewhere, "A-1", &json!({}));
    let second = product(&admin, "A-2", &json!({}));
    is_taken(&admin.patch(&path(&second), &json!({"code": "A-1"})));
    assert_eq!(admin.get(&path(&second)).body["version"], 1);

    admin.delete(&path(&first)).expect(204);
    admin.patch(&path(&second), &json!({"code": "A-1"})).expect(200);
    is_taken(&admin.send("POST", &format!("{}/restore", path(&first)), &[], None));
    assert_eq!(codes(&admin, "?deleted=only&code=A-1"), ["A-1"]);
    admin.patch(&path(&second), &json!({"code": "A-2"})).expect(200);
    let restored = admin.send("POST", &format!("{}/restore", path(&first)), &[], None);
    restored.expect(200);
    assert_eq!((&restored.body["code"], &restored.body["deleted_at"]), (&json!("A-1"), &Value::Null));
}

#[test]
fn an_upsert_refuses_the_code_of_another() {
    let (_, admin) = workspace();
    let upsert = |id: &str, body: Value| admin.put(&format!("/v1/products/by-external-id/import/{id}"), &body);
    upsert("1", json!({"code": "A", "name": "First"})).expect(201);
    let again = upsert("1", json!({"code": "A", "name": "First"}));
    assert_eq!(again.body["result"], "unchanged", "its own code is no other's");
    is_taken(&upsert("2", json!({"code": "A", "name": "Second"})));
    upsert("2", json!({"code": "B", "name": "Second"})).expect(201);
    is_taken(&upsert("2", json!({"code": " A "})));
    upsert("2", json!({"name": "Renamed"})).expect(200);
    upsert("3", json!({"name": "Nameless"})).expect_errors(&[("/code", "required")]);
}

fn statuses(answer: &Answer) -> Vec<u64> {
    answer.body["results"].as_array().unwrap().iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

#[test]
fn in_a_batch_who_takes_a_taken_code_fails_alone() {
    let (_, admin) = workspace();
    let (taken, other) = (product(&admin, "A", &json!({})), product(&admin, "B", &json!({})));
    let new = |code: &str| json!({"op": "create", "data": {"code": code, "name": code}});
    let operations = json!([
        new("A"),
        new("C"),
        new("C"),
        {"op": "update", "id": other["id"], "data": {"code": "A"}},
        {"op": "update", "id": other["id"], "data": {"code": " C "}},
        {"op": "upsert", "connection": "import", "external_id": "1", "data": {"code": "A", "name": "x"}},
        {"op": "update", "id": other["id"], "data": {"code": "B", "name": "Its own"}},
    ]);
    let answer = admin.post("/v1/products/batch", &json!({"operations": operations}));
    answer.expect(207);
    assert_eq!(statuses(&answer), [409, 201, 409, 409, 409, 409, 200], "{}", answer.text);
    assert_eq!(answer.body["results"][0]["error"]["errors"][0]["code"], "code_taken", "{}", answer.text);
    assert_eq!(codes(&admin, "?sort=created_at"), ["A", "B", "C"]);

    let all = admin.post("/v1/products/batch", &json!({"atomic": true, "operations": [new("D"), new("A")]}));
    all.expect(422);
    assert_eq!(codes(&admin, "?code=D"), Vec::<String>::new());
    assert_eq!(admin.get(&path(&taken)).body["version"], 1);
}

#[test]
fn in_a_batch_codes_change_hands() {
    let (_, admin) = workspace();
    let [a, b, c] = ["A", "B", "C"].map(|code| product(&admin, code, &json!({})));
    let to = |product: &Value, code: &str| json!({"op": "update", "id": product["id"], "data": {"code": code}});
    let operations = json!([
        to(&a, "X"),
        to(&b, "A"),
        to(&a, "B"),
        {"op": "delete", "id": c["id"]},
        {"op": "create", "data": {"code": "C", "name": "New"}},
        to(&b, "X"),
        {"op": "upsert", "connection": "import", "external_id": "1", "data": {"code": "A", "name": "Newer"}},
        to(&a, "X"),
    ]);
    let answer = admin.post("/v1/products/batch", &json!({"operations": operations}));
    answer.expect(207);
    assert_eq!(statuses(&answer), [200, 200, 200, 204, 201, 200, 201, 409], "{}", answer.text);
    let code_of = |product: &Value| admin.get(&path(product)).body["code"].as_str().unwrap().to_owned();
    assert_eq!([code_of(&a), code_of(&b)], ["B", "X"]);
    let mut all = codes(&admin, "");
    all.sort();
    assert_eq!(all, ["A", "B", "C", "X"]);
}

#[test]
fn of_many_who_want_a_code_at_once_one_gets_it() {
    let (_, admin) = workspace();
    let statuses = thread::scope(|scope| {
        let each: Vec<_> = (0..12)
            .map(|number| {
                let admin = &admin;
                scope.spawn(move || {
                    let new = |code: &str| json!({"code": code, "name": format!("{number}")});
                    if number % 2 == 0 {
                        return u64::from(admin.post("/v1/products", &new("A")).status);
                    }
                    // In both orders, so that batches would stand in each other's way.
                    let codes = if number % 4 == 1 { ["A", "B"] } else { ["B", "A"] };
                    let operations = codes.map(|code| json!({"op": "create", "data": new(code)}));
                    let answer = admin.post("/v1/products/batch", &json!({"operations": operations}));
                    answer.expect(207);
                    statuses(&answer)[usize::from(codes[0] != "A")]
                })
            })
            .collect();
        each.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(codes(&admin, "?sort=name").len(), 2);
}

#[test]
fn parameters_narrow_the_list() {
    let (_, admin) = workspace();
    let monthly = json!({"recurring_interval": "month", "category": "Software", "tags": ["cloud"]});
    product(&admin, "A", &monthly);
    product(&admin, "B", &json!({"recurring_interval": "year", "category": "software", "active": false}));
    product(&admin, "C", &json!({"category": "Süßes", "owner_id": null}));
    let listed = |query: &str| codes(&admin, &format!("?sort=created_at&{query}"));
    assert_eq!(listed("code=B"), ["B"]);
    assert!(listed("code=b").is_empty(), "codes are compared as they are written");
    assert_eq!(listed("category=Software"), ["A", "B"]);
    assert_eq!(listed("category=suSSes"), ["C"]);
    assert_eq!(listed("active=true"), ["A", "C"]);
    assert_eq!(listed("active=false"), ["B"]);
    assert_eq!(listed("recurring_interval=month&recurring_interval=quarter"), ["A"]);
    assert_eq!(listed("tag=cloud"), ["A"]);
    let second = admin.get("/v1/products?code=B").body["data"][0].clone();
    let at = second["created_at"].as_str().unwrap();
    assert_eq!(listed(&format!("created_after={at}")), ["B", "C"]);
    assert_eq!(listed(&format!("updated_before={at}")), ["A"]);
    let (workspace, _) = workspace();
    let user = workspace.user("owner@example.com", StandardRole::Agent, "a long enough password");
    assert!(listed(&format!("owner_id={user}")).is_empty());
}

#[test]
fn a_product_is_found_by_name_code_and_category() {
    let (_, admin) = workspace();
    product(&admin, "0040-638 1", &json!({"name": "Dark chocolate", "category": "Süßes"}));
    product(&admin, "SRV-9", &json!({"name": "Consulting", "category": "Services"}));
    for query in ["choco", "0040-638%201", "406381", "susses", "dark%20chocolat", "chocolatte"] {
        assert_eq!(codes(&admin, &format!("?q={query}")), ["0040-638 1"], "{query}");
    }
    assert_eq!(codes(&admin, "?q=srv-9"), ["SRV-9"]);
    assert!(codes(&admin, "?q=nothing").is_empty());
}

#[test]
fn every_order_goes_on_where_a_page_ends() {
    let (_, admin) = workspace();
    for (code, name) in [("1", "b"), ("2", "Ä"), ("3", "c"), ("4", "ä"), ("5", "a")] {
        admin.create("/v1/products", &json!({"code": code, "name": name}));
    }
    let third = admin.get("/v1/products?code=3").body["data"][0].clone();
    admin.patch(&path(&third), &json!({"category": "Last"})).expect(200);
    for (sort, expected) in [
        ("created_at", ["1", "2", "3", "4", "5"]),
        ("-updated_at", ["3", "5", "4", "2", "1"]),
        ("name", ["2", "4", "5", "1", "3"]),
        ("-name", ["3", "1", "5", "4", "2"]),
    ] {
        assert_eq!(codes(&admin, &format!("?sort={sort}&limit=2")), expected, "{sort}");
    }
}

#[test]
fn filters_ask_for_prices_and_rates() {
    let (_, admin) = workspace();
    let price = |currency: &str| json!({"currency": currency, "unit_price": "1"});
    product(&admin, "A", &json!({"prices": [price("EUR"), price("CHF")], "tax_rate": "19"}));
    product(&admin, "B", &json!({"prices": [price("EUR")], "tax_rate": "7", "stock_state": "out_of_stock"}));
    product(&admin, "C", &json!({"unit": "hour"}));
    let currencies = |op: &str, values: Value| {
        found(&admin, json!({"type": "tags", "field": "price_currency", "op": op, "values": values}))
    };
    assert_eq!(currencies("has_any", json!(["CHF"])), ["A"]);
    assert_eq!(currencies("has_none", json!(["CHF"])), ["B", "C"]);
    assert_eq!(currencies("has_all", json!(["EUR", "CHF"])), ["A"]);
    let high = json!({"type": "number", "field": "tax_rate", "op": "gt", "value": 7});
    assert_eq!(found(&admin, high), ["A"]);
    let sold_out = json!({"type": "choice", "field": "stock_state", "op": "in", "values": ["out_of_stock"]});
    assert_eq!(found(&admin, sold_out), ["B"]);
    assert_eq!(found(&admin, json!({"type": "text", "field": "unit", "op": "eq", "value": "HOUR"})), ["C"]);
    let nowhere = json!({"type": "geo_within", "countries": ["DE"]});
    let answer =
        admin.post("/v1/products/search", &json!({"filter": {"version": 1, "entity": "product", "where": nowhere}}));
    answer.expect_problem(422, "validation_failed");
    answer.expect_errors(&[("/filter/where", "not_applicable")]);
    let schema = admin.get("/v1/schema/products").body;
    let prices = schema["fields"].as_array().unwrap().iter().find(|field| field["name"] == "prices").unwrap();
    assert_eq!(prices["filters"][0]["field"], "price_currency", "{prices}");
}

#[test]
fn a_lost_update_is_noticed_and_what_was_deleted_comes_back() {
    let (_, admin) = workspace();
    let created = product(&admin, "A", &json!({}));
    admin.patch_if(&path(&created), "\"1\"", &json!({"category": "Mine"})).expect(200);
    admin.patch_if(&path(&created), "\"1\"", &json!({"category": "Theirs"})).expect_problem(412, "precondition_failed");
    admin.delete(&path(&created)).expect(204);
    admin.get(&path(&created)).expect_problem(404, "not_found");
    assert_eq!(admin.get(&format!("{}?deleted=include", path(&created))).body["version"], 3);
    admin.send("POST", &format!("{}/restore", path(&created)), &[], None).expect(200);
    let history = admin.all(&format!("{}/history", path(&created)));
    let events: Vec<&str> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["product.restored", "product.deleted", "product.updated", "product.created"]);
}

#[test]
fn products_have_custom_fields_views_and_owners() {
    let (workspace, admin) = workspace();
    let field = json!({"resource": "products", "key": "shelf", "label": "Shelf", "type": "text", "unique": true, "sorted": true});
    admin.create("/v1/custom_fields", &field);
    let first = product(&admin, "A", &json!({"custom": {"shelf": "2"}}));
    product(&admin, "B", &json!({"custom": {"shelf": "1"}}));
    assert_eq!(codes(&admin, "?sort=custom.shelf&limit=1"), ["B", "A"]);
    admin
        .post("/v1/products", &json!({"code": "C", "name": "C", "custom": {"shelf": "2"}}))
        .expect_problem(409, "conflict");
    let filter =
        json!({"version": 1, "entity": "product", "where": {"type": "bool", "field": "active", "value": true}});
    let view = json!({"resource": "products", "name": "On sale", "visibility": "everyone", "filter": filter, "fields": ["code"]});
    admin.create("/v1/views", &view);
    let team = admin.create("/v1/teams", &json!({"name": "Sellers"}));
    admin.patch(&path(&first), &json!({"team_id": team["id"]})).expect(200);
    let answer = admin.delete(&format!("/v1/teams/{}", team["id"].as_str().unwrap()));
    assert!(answer.status == 409 && answer.text.contains("products"), "{}", answer.text);
    let user = workspace.user("owner@example.com", StandardRole::Agent, "a long enough password");
    admin.patch(&path(&first), &json!({"owner_id": user})).expect(200);
    let read = admin.get(&format!("{}?expand=owner", path(&first)));
    assert_eq!(read.body["expanded"]["owner"]["id"], json!(user));
    assert_eq!(codes(&admin, &format!("?owner_id={user}&team_id={}", team["id"].as_str().unwrap())), ["A"]);
}
