//! Exports on the command line, and that an import reads them.

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};

use crate::harness::{Caller, Workspace, database_url, rapport, workspace};

fn run(command: &str, kind: &str, file: &Path, workspace: &Workspace) -> Output {
    let (file, url) = (file.to_str().unwrap(), database_url());
    rapport(&[command, kind, file, "--workspace", &workspace.name, "--database-url", &url])
}

/// Custom fields of all types, some of which are called what a column of an export is.
fn add_fields(admin: &Caller, resource: &str) {
    for (key, label, kind) in [
        ("nick", "Source", "text"),
        ("note", "Name", "text"),
        ("size", "Version", "number"),
        ("large", "Large", "number"),
        ("budget", "Team ID", "money"),
        ("agreed", "The agreed", "bool"),
        ("many", "ID", "multi_choice"),
        ("one", "One of them", "choice"),
        ("day", "Day", "date"),
        ("at", "At", "instant"),
        ("link", "External IDs", "url"),
    ] {
        let mut new = json!({"resource": resource, "key": key, "label": label, "type": kind});
        if kind.ends_with("choice") {
            // A label may be what another key is.
            let option = |key: &str, label: &str| json!({"key": key, "label": label});
            new["options"] = json!([option("cpp", "C++"), option("c", "cpp"), option("a1_5", "x"), option("a15", "y")]);
        }
        admin.create("/v1/custom_fields", &new);
    }
}

/// The records of a workspace without what is its own, by name.
fn records(admin: &Caller, kind: &str) -> Vec<Value> {
    let mut records = admin.all(&format!("/v1/{kind}?sort=name"));
    for record in &mut records {
        for own in
            ["id", "version", "created_at", "updated_at", "created_by", "updated_by", "source", "owner_id", "team_id"]
        {
            record.as_object_mut().unwrap().remove(own);
        }
    }
    records
}

fn sample(kind: &str, number: usize) -> Value {
    let mut record = json!({
        "lifecycle_stage": "customer", "source_channel": "phone", "tags": ["vip", "news letter"],
        "emails": [{"address": format!("a{number}@example.com"), "type": "work", "opted_out": true},
                   {"address": format!("b{number}@example.com"), "type": "home", "invalid": true}],
        "phones": [{"number": "+49 30 901820", "type": "mobile"}],
        "addresses": [{"type": "billing", "street": "Torstraße 1\nHof 2", "postal_code": "01097", "city": "Köln, \"Süd\"",
                       "region": "NRW", "country": "DE", "latitude": 52.529, "longitude": -13.4},
                      {"type": "shipping", "city": "Wien", "country": "AT"}],
        "social_profiles": [{"network": "linkedin", "profile": "anna", "label": "private"}],
        "custom": {"nick": "1.250", "note": "=1+1", "size": "-12.125", "large": "123456789012345678.125",
                   "budget": {"amount": "99.125", "currency": "EUR"}, "agreed": false, "many": ["c", "a15"], "one": "c",
                   "day": "0999-12-31", "at": "2026-01-31T08:30:00.000001Z", "link": "https://example.com/?a=1,2;3"}
    });
    let own = match kind {
        "contacts" => json!({
            "salutation": "Dr.", "first_name": format!("Anna {number}"), "middle_name": "M.", "last_name": "Lindt",
            "job_title": "Buyer; \"Head\"", "birthday": "1984-02-29", "locale": "de-CH", "time_zone": "Europe/Berlin",
            "preferred_channel": "phone", "do_not_call": true
        }),
        _ => json!({
            "name": format!("Lindt {number}"), "legal_name": "Lindt & Söhne AG", "domain": format!("lindt{number}.example"),
            "website": "https://www.lindt.example/a?b=1,2", "type": "partner", "industry": "Confectionery", "industry_code": "10.82",
            "employee_range": "51_200", "annual_revenue_amount": "999.125", "annual_revenue_currency": "CHF", "tax_id": "DE 1",
            "territory": "South", "default_currency": "EUR"
        }),
    };
    record.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    record
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["contacts", "companies"] {
        let ((one, admin), (other, there)) = (workspace(), workspace());
        add_fields(&admin, kind);
        add_fields(&there, kind);
        let post = |record: &Value| admin.post(&format!("/v1/{kind}?on_duplicate=allow"), record);
        let post_plain = |record: &Value| admin.post(&format!("/v1/{kind}"), record);
        let create = |record: &Value| if kind == "contacts" { post(record) } else { post_plain(record) };
        // More than a page; most of them with little.
        for number in 0..203 {
            let mut record = sample(kind, number);
            if number > 1 {
                record = match kind {
                    "contacts" => json!({"last_name": format!("Plain {number:03}")}),
                    _ => json!({"name": format!("Plain {number:03}")}),
                };
            } else if number == 1 {
                record.as_object_mut().unwrap().shift_remove("phones");
            }
            create(&record).expect(201);
        }
        let gone = create(&sample(kind, 300)).body["id"].as_str().map(ToOwned::to_owned).unwrap();
        admin.send("DELETE", &format!("/v1/{kind}/{gone}"), &[], None).expect(204);

        let file = folder.path().join(format!("{kind}.csv"));
        let exported = run("export", kind, &file, &one);
        assert!(exported.status.success(), "{exported:?}");
        assert_eq!(String::from_utf8_lossy(&exported.stderr), format!("203 {kind} exported\n"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("id,version,created_at,") && !text.contains("a300@"), "{text}");

        let imported = run("import", kind, &file, &other);
        assert!(imported.status.success(), "{imported:?}");
        let said = String::from_utf8_lossy(&imported.stdout);
        assert!(said.starts_with("203 rows: 203 created, 0 updated, 0 unchanged, 0 failed"), "{said} {imported:?}");
        assert_eq!(records(&there, kind), records(&admin, kind));
        // Without a file name, the rows go to standard output.
        let printed = rapport(&["export", kind, "--workspace", &one.name, "--database-url", &database_url()]);
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), text);
    }
}

#[test]
fn what_other_systems_call_a_record_is_exported_and_what_is_changed_in_the_file_is_imported() {
    let (workspace, admin) = workspace();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    fs::write(&file, "external_id,last_name,job_title\nK-1,Lindt,Buyer\nK-2,Holm,Clerk\n").unwrap();
    assert!(run("import", "contacts", &file, &workspace).status.success());
    admin.create("/v1/connections", &json!({"key": "shop", "name": "Shop", "kind": "shop", "direction": "both"}));
    let company = admin.create("/v1/companies", &json!({"name": "Lindt AG"}))["id"].clone();
    let lindt = admin.all("/v1/contacts?sort=-name").remove(0);
    admin
        .patch(&format!("/v1/contacts/{}", lindt["id"].as_str().unwrap()), &json!({"company_id": company}))
        .expect(200);
    admin.put("/v1/contacts/by-external-id/shop/9", &json!({"last_name": "Neu"})).expect(201);

    assert!(run("export", "contacts", &file, &workspace).status.success());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("shop=9"), "{text}");
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("shop=9")).collect();
    fs::write(&file, kept.join("\n").replace("Buyer", "Head of purchasing")).unwrap();
    let (path, url) = (file.to_str().unwrap(), database_url());
    let import = ["import", "contacts", path, "--workspace", &workspace.name, "--database-url", &url];
    let changed = rapport(&[&import[..], &["--match", "external_id"]].concat());
    let said = String::from_utf8_lossy(&changed.stdout);
    assert!(said.starts_with("2 rows: 0 created, 1 updated, 1 unchanged, 0 failed"), "{said} {changed:?}");
    let after = admin.all("/v1/contacts?sort=-name").remove(1);
    assert_eq!((&after["job_title"], &after["company_id"]), (&json!("Head of purchasing"), &company));
}

#[test]
fn an_export_that_can_not_be_written_says_so() {
    let (workspace, _) = workspace();
    let refused = run("export", "contacts", Path::new("/nowhere/people.csv"), &workspace);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("can't write /nowhere/people.csv"), "{refused:?}");
    let empty = tempfile::tempdir().unwrap();
    let file = empty.path().join("people.csv");
    assert!(run("export", "contacts", &file, &workspace).status.success());
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1);
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 1);
}
