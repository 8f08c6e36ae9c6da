use super::*;
use crate::{
    id::CustomFieldId,
    people::{company::NewCompany, contact::NewContact},
    record::{Source, Stamp},
};
use proptest::prelude::*;

fn mapping(headings: &[&str], wishes: &[(&str, &str)]) -> Result<Mapping, String> {
    let wishes: Vec<_> = wishes.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect();
    Mapping::read(PeopleResource::Contacts, headings, &wishes, &[])
}

fn row(mapping: &Mapping, cells: &[&str]) -> Result<Row, Vec<CellProblem>> {
    mapping.row(|index| cells[index])
}

#[test]
fn a_row_of_an_address_book_becomes_a_contact() {
    let mapping = mapping(
        &[
            "rec_id",
            "First Name",
            "Surname",
            "street_number",
            "address_1",
            "address_2",
            "suburb",
            "dob",
            "E-mail",
            "Mobile",
            "E-Mail 2",
            "note",
        ],
        &[],
    )
    .unwrap();
    assert_eq!(mapping.unmapped(), ["note"]);
    let row = row(
        &mapping,
        &[
            "r-1",
            "Anna",
            "",
            "6",
            "High Street",
            "Flat 2",
            "Perth",
            "19840517",
            "",
            "+49 30 901820",
            "a@example.com",
            "x",
        ],
    )
    .unwrap();
    assert_eq!(row.external_id.as_deref(), Some("r-1"));
    assert_eq!(
        row.value,
        json!({
            "first_name": "Anna",
            "birthday": "1984-05-17",
            "addresses": [{"city": "Perth", "street": "6 High Street\nFlat 2"}],
            "emails": [{"address": "a@example.com"}],
            "phones": [{"number": "+49 30 901820", "type": "mobile"}],
        })
    );
    assert!(serde_json::from_value::<NewContact>(row.value).is_ok());
}

#[test]
fn a_problem_is_found_in_its_column() {
    let headings = ["first", "E-mail", "E-mail 2", "City", "dob"];
    let mapping = mapping(&headings, &[("first", "first_name")]).unwrap();
    let cells = ["Anna", "", "nobody", "Perth", ""];
    let column = |pointer: &str| mapping.locate(FieldProblem::at(pointer, "too_long", ""), |index| cells[index]).column;
    assert_eq!(column("/emails/0/address"), Some(2));
    assert_eq!(column("/addresses/0/__all__"), Some(3));
    assert_eq!(column("/first_name"), Some(0));
    assert_eq!(column(""), None);
    assert_eq!(column("/owner_id"), None);
    let problems = row(&mapping, &["Anna", "", "", "", "19450931"]).unwrap_err();
    assert_eq!((problems[0].column, problems[0].code.as_str()), (Some(4), "unparsable_date"));
}

#[test]
fn what_is_asked_for_goes_before_what_is_recognised() {
    let mapping =
        mapping(&["Name", "First Name", "Mail"], &[("name", "first_name"), ("MAIL", "emails.1.address")]).unwrap();
    assert_eq!(mapping.unmapped(), ["First Name"]);
    assert_eq!(row(&mapping, &["Anna", "x", "a@b.example"]).unwrap().value["first_name"], "Anna");
}

#[test]
fn what_cannot_be_mapped_is_said_in_a_sentence() {
    let error = mapping(&["a"], &[("a", "shoe_size")]).unwrap_err();
    assert!(error.contains("shoe_size") && error.contains("emails.address"), "{error}");
    assert!(mapping(&["a"], &[("b", "first_name")]).unwrap_err().contains("no column"));
    assert!(mapping(&["a", "b"], &[("a", "first_name"), ("b", "first_name")]).unwrap_err().contains("both"));
    assert!(mapping(&["a"], &[]).unwrap_err().starts_with("No column is recognised"));
    assert!(mapping(&["Mail"], &[("Mail", "ignore")]).is_err());
}

#[test]
fn a_currency_without_revenue_is_none() {
    let mapping = Mapping::read(PeopleResource::Companies, &["Company", "Revenue", "Currency"], &[], &[]).unwrap();
    let with = row(&mapping, &["Lindt", "1000", "eur"]).unwrap().value;
    assert_eq!(with, json!({"name": "Lindt", "annual_revenue_amount": "1000", "annual_revenue_currency": "EUR"}));
    assert_eq!(row(&mapping, &["Lindt", "", "eur"]).unwrap().value, json!({"name": "Lindt"}));
    assert!(serde_json::from_value::<NewCompany>(with).is_ok());
}

#[test]
fn every_field_can_be_reached() {
    for kind in [PeopleResource::Contacts, PeopleResource::Companies] {
        for target in target::all(kind) {
            let wishes = [("a".to_owned(), target.name.to_owned())];
            let mapping = Mapping::read(kind, &["a"], &wishes, &[]).unwrap();
            assert!(mapping.has(target.name));
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_cells_say_the_row_has_the_shape_of_a_record(cells in proptest::collection::vec("\\PC{0,12}|[0-9]{8}|", 12)) {
        let headings = ["first name", "last name", "e-mail", "phone", "mobile", "street", "city", "country", "lat", "lon", "tags", "dob"];
        let mapping = mapping(&headings, &[]).unwrap();
        match mapping.row(|index| cells[index].trim()) {
            Ok(row) => prop_assert!(serde_json::from_value::<NewContact>(row.value).is_ok()),
            Err(problems) => prop_assert!(problems.iter().all(|problem| problem.column.is_some())),
        }
    }
}

fn custom_field(key: &str, kind: &str, more: Value) -> CustomField {
    let mut new = json!({"resource": "contacts", "key": key, "label": format!("The {key}"), "type": kind});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let stamp = Stamp::new(chrono::DateTime::UNIX_EPOCH, None, Source::Api);
    CustomField::create(serde_json::from_value(new).unwrap(), CustomFieldId::mint(), stamp, 0).unwrap()
}

#[test]
fn columns_go_to_custom_fields_by_key_label_or_wish() {
    let options = json!({"options": [{"key": "gold", "label": "Very good"}, {"key": "tin", "label": "Poor"}]});
    let fields = [
        custom_field("size", "number", json!({})),
        custom_field("budget", "money", json!({})),
        custom_field("tier", "choice", options.clone()),
        custom_field("interests", "multi_choice", options),
        custom_field("since", "date", json!({})),
        custom_field("agreed", "bool", json!({})),
    ];
    let headings = ["first name", "SIZE", "the budget", "x", "interests", "since", "agreed"];
    let mapping =
        Mapping::read(PeopleResource::Contacts, &headings, &[("x".into(), "custom.tier".into())], &fields).unwrap();
    assert!(mapping.unmapped().is_empty() && mapping.has_custom());
    let cells = ["Anna", "-1,250.50", "EUR 12.50", "very good", "Poor; gold", "31.12.1990", "ja"];
    assert_eq!(
        row(&mapping, &cells).unwrap().value["custom"],
        json!({
            "size": "-1250.50", "budget": {"amount": "12.50", "currency": "EUR"}, "tier": "gold",
            "interests": ["tin", "gold"], "since": "1990-12-31", "agreed": true,
        })
    );
    let problems = row(&mapping, &["Anna", "many", "12", "", "", "1.2", "perhaps"]).unwrap_err();
    let columns: Vec<_> = problems.iter().map(|problem| problem.column.unwrap()).collect();
    assert_eq!(columns.len(), 4);
    assert!([1, 2, 5, 6].iter().all(|column| columns.contains(column)), "{columns:?}");
    let at = mapping.locate(FieldProblem::at("/custom/tier", "unknown_value", ""), |index| cells[index]);
    assert_eq!(at.column, Some(3));
    let wishes = [("x".to_owned(), "custom.nothing".to_owned())];
    assert!(Mapping::read(PeopleResource::Contacts, &["x"], &wishes, &fields).unwrap_err().contains("budget"));
}
