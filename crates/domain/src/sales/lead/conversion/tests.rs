use chrono::DateTime;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    access::Grants,
    people::{
        company::{Company, NewCompany},
        contact::{Contact, NewContact},
    },
    record::Source,
    sales::lead::NewLead,
    workspace::custom_field::CustomValues,
};

fn stamp() -> Stamp {
    Stamp::new(DateTime::UNIX_EPOCH, None, Source::Conversion)
}

fn statuses() -> LeadStatuses {
    LeadStatuses::new(LeadStatus::seeds(stamp()).collect())
}

fn lead(new: serde_json::Value) -> Lead {
    let new: NewLead = serde_json::from_value(new).unwrap();
    Lead::create(new, &statuses(), crate::id::LeadId::mint(), stamp(), None).unwrap()
}

fn contact(new: serde_json::Value) -> Contact {
    let new: NewContact = serde_json::from_value(new).unwrap();
    Contact::create(new, ContactId::mint(), stamp(), None).unwrap()
}

fn company(new: serde_json::Value) -> Company {
    let new: NewCompany = serde_json::from_value(new).unwrap();
    Company::create(new, CompanyId::mint(), stamp(), None).unwrap()
}

fn part_of(lead: &Lead, carrying: &mut Carrying) -> ContactPart {
    ContactPart::of(lead, None, &CarriedCustom::default(), &Grants::everything(), carrying)
}

#[test]
fn a_lead_that_was_lost_is_not_converted() {
    let statuses = statuses();
    let open = lead(json!({"last_name": "Lindt"}));
    assert_eq!(open.converts_to(None, &statuses).unwrap().key, "converted");
    assert!(open.converts_to(Some("contacted"), &statuses).is_err());
    let junk = lead(json!({"last_name": "Lindt", "status": "junk"}));
    assert!(junk.converts_to(None, &statuses).unwrap_err().is_transition());
}

#[test]
fn the_way_back_leads_to_the_same_lead() {
    let statuses = statuses();
    let before = lead(json!({"last_name": "Lindt", "status": "qualified"}));
    let became = Became { contact: ContactId::mint(), company: None, opportunity: None };
    let converted = before.converted(before.converts_to(None, &statuses).unwrap(), became, stamp()).unwrap();
    assert!(converted.is_converted() && converted.status_class == LeadStatusClass::Won);
    let had = StatusBefore { key: before.status.clone(), entered_at: before.status_entered_at };
    assert_eq!(converted.unconverted(&had, &statuses, stamp()).unwrap(), before);
    let gone = StatusBefore { key: "gone".to_owned(), ..had };
    assert_eq!(converted.unconverted(&gone, &statuses, stamp()).unwrap().status, "new");
}

#[test]
fn names_are_only_added_to_names_that_agree() {
    let anna = lead(json!({"salutation": "Dr.", "first_name": "Anna", "last_name": "Lindt"}));
    for (there, filled) in [
        (json!({"last_name": "LINDT"}), vec!["salutation", "first_name"]),
        (json!({"last_name": "Meier"}), vec![]),
        (json!({"emails": [{"address": "a@example.com"}]}), vec!["salutation", "first_name", "last_name"]),
    ] {
        let mut carrying = Carrying::default();
        let part = part_of(&anna, &mut carrying).lacking(&contact(there), &CarriedCustom::default(), &mut carrying);
        assert_eq!(part.names(), filled);
    }
}

#[test]
fn a_full_list_takes_no_more_and_says_so() {
    let many: Vec<_> = (0..19).map(|number| json!({"address": format!("a{number}@example.com")})).collect();
    let two = lead(
        json!({"emails": [{"address": "A1@example.com"}, {"address": "b@example.com"}, {"address": "c@example.com"}]}),
    );
    let mut carrying = Carrying::default();
    let part = part_of(&two, &mut carrying);
    let part = part.lacking(&contact(json!({"emails": many})), &CarriedCustom::default(), &mut carrying);
    assert_eq!(part.emails.iter().map(|email| email.address.as_str()).collect::<Vec<_>>(), ["b@example.com"]);
    let left = carrying.not_carried(&two, &Grants::everything());
    assert_eq!(left, [NotCarried { field: "emails".to_owned(), reason: NotCarriedReason::Full }]);
}

#[test]
fn what_the_map_names_comes_before_what_has_the_same_key() {
    let field = |resource: &str, key: &str| {
        let new =
            serde_json::from_value(json!({"resource": resource, "key": key, "label": key, "type": "text"})).unwrap();
        crate::workspace::custom_field::CustomField::create(new, crate::id::CustomFieldId::mint(), stamp(), 1).unwrap()
    };
    let there = crate::workspace::custom_field::CustomFields::new(vec![field("contacts", "a"), field("contacts", "c")]);
    let values: CustomValues =
        [("a", "1"), ("b", "2"), ("c", "3")].map(|(key, value)| (key.to_owned(), json!(value))).into();
    let map = [FieldMapping { from: "b".to_owned(), kind: ConversionTarget::Contact, to: "a".to_owned() }];
    let mut carrying = Carrying::default();
    let carried = carried_custom(
        &values,
        &map,
        ConversionTarget::Contact,
        &there,
        |_, value| Ok::<_, ()>(Some(value.clone())),
        &mut carrying,
    )
    .unwrap();
    let expected: CustomValues = [("a", "2"), ("c", "3")].map(|(key, value)| (key.to_owned(), json!(value))).into();
    assert_eq!(carried.values, expected);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let (id, other) = (Uuid::nil(), Uuid::max());
    let what = ConversionTarget::Contact;
    for (obstacle, code) in [
        (Obstacle::Changed { what, id }, "changed_since"),
        (Obstacle::Deleted { what, id }, "deleted_since"),
        (Obstacle::Referred { what, id, by: "tasks", seen: vec![other] }, "referred_to"),
    ] {
        let problem = obstacle.problem();
        assert_eq!(problem.code, code);
        assert!(problem.detail.contains(&id.to_string()), "{}", problem.detail);
        assert_eq!(problem.detail.contains(&other.to_string()), code == "referred_to");
    }
}

/// An object with some of these fields.
fn some(fields: serde_json::Value, name: serde_json::Value) -> impl Strategy<Value = serde_json::Value> {
    let fields: Vec<(String, serde_json::Value)> = fields.as_object().unwrap().clone().into_iter().collect();
    let count = fields.len();
    (Just(fields), proptest::collection::vec(any::<bool>(), count)).prop_map(move |(fields, chosen)| {
        let mut object = name.clone();
        for ((field, value), _) in fields.into_iter().zip(chosen).filter(|(_, chosen)| *chosen) {
            object[field] = value;
        }
        object
    })
}

fn person(mailbox: &str, title: &str) -> impl Strategy<Value = serde_json::Value> {
    let fields = json!({
        "salutation": "Dr.", "first_name": "Anna", "middle_name": title, "job_title": title, "source_channel": "web",
        "tags": [title], "emails": [{"address": mailbox}, {"address": "shared@example.com"}],
        "phones": [{"number": "+49 30 901820"}], "addresses": [{"city": title}], "custom": {"tier": title, (title): "x"},
    });
    some(fields, json!({"last_name": "Lindt"}))
}

fn organisation(title: &str) -> impl Strategy<Value = serde_json::Value> {
    let fields = json!({
        "website": format!("https://{title}.example/"), "industry": title, "employee_range": "11_50",
        "source_channel": "web", "addresses": [{"city": title}], "custom": {"tier": title, (title): "x"},
    });
    some(fields, json!({}))
}

fn with(mut object: serde_json::Value, field: &str, value: &str) -> serde_json::Value {
    object[field] = json!(value);
    object
}

fn carried(lead: &Lead) -> CarriedCustom {
    let from = lead.custom.keys().map(|key| (key.clone(), key.clone())).collect();
    CarriedCustom { values: lead.custom.clone(), from }
}

proptest! {
    #[test]
    fn a_contact_keeps_what_it_has_and_gets_it_back(
        of_lead in person("lead@example.com", "one"),
        there in person("there@example.com", "two"),
    ) {
        let (lead, there) = (lead(of_lead), contact(there));
        let (mut carrying, custom) = (Carrying::default(), carried(&lead));
        let part = ContactPart::of(&lead, Some(CompanyId::mint()), &custom, &Grants::everything(), &mut carrying);
        let given = part.lacking(&there, &custom, &mut carrying);
        let after = given.give(&there, stamp()).unwrap();
        prop_assert!(after.emails.starts_with(&there.emails) && after.phones.starts_with(&there.phones));
        for (before, after) in [(&there.job_title, &after.job_title), (&there.first_name, &after.first_name)] {
            prop_assert!(before.is_none() || before == after);
        }
        prop_assert!(there.custom.iter().all(|(key, value)| after.custom.get(key) == Some(value)));
        prop_assert_eq!(given.names().is_empty(), after == there);
        prop_assert_eq!(given.take_back(&after, stamp()).unwrap(), there.clone());
        // Given once more, there is nothing left to give.
        let again = ContactPart::of(&lead, after.company_id, &custom, &Grants::everything(), &mut carrying);
        prop_assert_eq!(again.lacking(&after, &custom, &mut carrying), ContactPart::default());
        // What was carried is there, and of the rest it is said why not.
        for left in carrying.not_carried(&lead, &Grants::everything()) {
            prop_assert!(left.reason == NotCarriedReason::HasValue || left.reason == NotCarriedReason::NoPlace);
        }
        // What is kept of it can be read again.
        let kept: ContactPart = serde_json::from_value(serde_json::to_value(&given).unwrap()).unwrap();
        prop_assert_eq!(kept, given);
    }

    #[test]
    fn a_company_keeps_what_it_has_and_gets_it_back(of_lead in organisation("one"), there in organisation("two")) {
        let (lead, there) = (lead(with(of_lead, "company_name", "Lindt")), company(with(there, "name", "Lindt AG")));
        let (mut carrying, custom) = (Carrying::default(), carried(&lead));
        let part = CompanyPart::of(&lead, &custom, &Grants::everything(), &mut carrying);
        let given = part.lacking(&there, &custom, &mut carrying);
        let after = given.give(&there).unwrap();
        prop_assert_eq!(&after.name, &there.name);
        prop_assert!(there.website.is_none() || there.website == after.website);
        prop_assert_eq!(given.take_back(&after).unwrap(), there);
        let kept: CompanyPart = serde_json::from_value(serde_json::to_value(&given).unwrap()).unwrap();
        prop_assert_eq!(kept, given);
    }
}
