//! Companies, as callers use them. What all resources share is in the conformance tests.

use serde_json::{Value, json};

use crate::harness::{Caller, workspace};

fn path(company: &Value) -> String {
    format!("/v1/companies/{}", company["id"].as_str().unwrap())
}

fn company(admin: &Caller, name: &str, parent: Option<&Value>) -> Value {
    admin.create("/v1/companies", &json!({"name": name, "parent_id": parent.map(|parent| &parent["id"])}))
}

#[test]
fn a_company_keeps_everything_it_was_given() {
    let (_, admin) = workspace();
    let parent = company(&admin, "Holding", None);
    let given = json!({
        "name": "Engines", "legal_name": "Engines Ltd", "website": "https://engines.example/", "type": "partner",
        "industry": "Machinery", "industry_code": "28.99", "employee_range": "1001_plus",
        "annual_revenue_amount": "1234567.8901", "annual_revenue_currency": "GBP", "tax_id": "GB123",
        "parent_id": parent["id"], "territory": "UK", "default_currency": "GBP", "lifecycle_stage": "customer",
        "source_channel": "web", "tags": ["machines"],
        "emails": [{"address": "office@engines.example", "type": "work", "invalid": false, "opted_out": false}],
        "addresses": [{"type": "billing", "street": "1 Dorset Street", "city": "London", "region": null,
                       "postal_code": "W1U", "country": "GB", "latitude": null, "longitude": null}],
        "social_profiles": [{"network": "linkedin", "profile": "engines", "label": null}],
    });
    let created = admin.post("/v1/companies", &given);
    created.expect(201);
    for (field, value) in given.as_object().unwrap() {
        assert_eq!(created.body[field], *value, "{field}");
    }
    assert_eq!(admin.get(&path(&created.body)).body, created.body);
}

#[test]
fn a_domain_is_kept_as_host_name() {
    let (_, admin) = workspace();
    let created =
        admin.create("/v1/companies", &json!({"name": "Engines", "domain": "https://WWW.Engines.example/about"}));
    assert_eq!(created["domain"], "engines.example");
    assert_eq!(admin.all("/v1/companies?domain=www.engines.example"), [created]);
    assert!(admin.all("/v1/companies?domain=nonsense").is_empty());
    admin
        .post("/v1/companies", &json!({"name": "x", "domain": "no domain"}))
        .expect_errors(&[("/domain", "invalid_domain")]);
}

#[test]
fn money_is_exact_and_has_a_currency() {
    let (_, admin) = workspace();
    let create = |amount: &str| {
        admin.post(
            "/v1/companies",
            &json!({"name": "x", "annual_revenue_amount": amount, "annual_revenue_currency": "EUR"}),
        )
    };
    for amount in ["0", "0.1", "999999999999999.9999", "12.5"] {
        assert_eq!(create(amount).body["annual_revenue_amount"], amount);
    }
    for wrong in ["-1", "1e3", "1.00001", "NaN", "1,5", ""] {
        create(wrong).expect_errors(&[("/annual_revenue_amount", "wrong_form")]);
    }
    admin
        .post("/v1/companies", &json!({"name": "x", "annual_revenue_amount": 1.5, "annual_revenue_currency": "EUR"}))
        .expect_errors(&[("/annual_revenue_amount", "wrong_type")]);
    admin
        .post("/v1/companies", &json!({"name": "x", "annual_revenue_amount": "1"}))
        .expect_errors(&[("/__all__", "incomplete_money")]);
}

#[test]
fn a_company_never_owns_itself_however_far_round() {
    let (_, admin) = workspace();
    let top = company(&admin, "Top", None);
    let middle = company(&admin, "Middle", Some(&top));
    let bottom = company(&admin, "Bottom", Some(&middle));
    for below in [&top, &middle, &bottom] {
        admin.patch(&path(&top), &json!({"parent_id": below["id"]})).expect_errors(&[("/parent_id", "circular")]);
    }
    admin.patch(&path(&bottom), &json!({"parent_id": top["id"]})).expect(200);
    let listed = admin.get(&format!("/v1/companies?parent_id={}&expand=parent", top["id"].as_str().unwrap()));
    assert_eq!(listed.names(), ["Bottom", "Middle"]);
    assert_eq!(listed.body["data"][0]["expanded"]["parent"]["name"], "Top");
}

#[test]
fn two_changes_do_not_close_a_circle_together() {
    for _ in 0..5 {
        let (_, admin) = workspace();
        let (one, other) = (company(&admin, "One", None), company(&admin, "Other", None));
        let own = |owned: &Value, owner: &Value| {
            let (admin, path, patch) = (admin.clone(), path(owned), json!({"parent_id": owner["id"]}));
            move || admin.patch(&path, &patch).status
        };
        let (first, second) = (own(&one, &other), own(&other, &one));
        let statuses = std::thread::scope(|scope| {
            let tasks = [scope.spawn(first), scope.spawn(second)];
            tasks.map(|task| task.join().unwrap())
        });
        assert!(statuses == [200, 422] || statuses == [422, 200], "{statuses:?}");
    }
}

#[test]
fn a_deleted_company_can_t_be_referred_to() {
    let (_, admin) = workspace();
    let gone = company(&admin, "Gone", None);
    let contact = admin.create("/v1/contacts", &json!({"first_name": "Ada", "company_id": gone["id"]}));
    admin.delete(&path(&gone)).expect(204);
    admin
        .post("/v1/contacts", &json!({"first_name": "Bob", "company_id": gone["id"]}))
        .expect_errors(&[("/company_id", "unknown_reference")]);
    // Who worked there keeps the reference, so that restoring the company restores everything.
    let contact_path = format!("/v1/contacts/{}?expand=company", contact["id"].as_str().unwrap());
    assert_eq!(admin.get(&contact_path).body["expanded"]["company"], json!(null));
    admin.post(&format!("{}/restore", path(&gone)), &json!(null)).expect(200);
    assert_eq!(admin.get(&contact_path).body["expanded"]["company"]["name"], "Gone");
}
