//! What of a lead was carried over, and what was not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ConversionTarget, FieldMapping, NotCarried, NotCarriedReason};
use crate::{
    access::{Grants, Resource},
    problem::{Fields, Invalid},
    sales::lead::{Lead, Utm},
    workspace::custom_field::{CustomFields, CustomValues},
};

/// Notes which fields of a lead find a place, and why others do not.
#[derive(Debug, Default)]
pub struct Carrying {
    carried: BTreeSet<String>,
    refused: BTreeMap<String, NotCarriedReason>,
}

impl Carrying {
    /// The field has a place.
    pub fn carry(&mut self, field: impl Into<String>) {
        self.carried.insert(field.into());
    }

    /// The field has no place here; the first reason is told, if it has none elsewhere.
    pub fn refuse(&mut self, field: impl Into<String>, reason: NotCarriedReason) {
        self.refused.entry(field.into()).or_insert(reason);
    }

    /// The fields that have a value, which the caller may read, and that have no place.
    pub fn not_carried(&self, lead: &Lead, readable: &Grants) -> Vec<NotCarried> {
        let may_read = |field: &str| readable.may_read(Resource::Leads, field);
        let own = with_value(lead).into_iter().map(ToOwned::to_owned);
        let custom = lead.custom.keys().map(|key| format!("custom.{key}"));
        let left = own.chain(custom).filter(|field| may_read(field) && !self.carried.contains(field));
        left.map(|field| {
            let reason = self.refused.get(&field).copied().unwrap_or(NotCarriedReason::NoPlace);
            NotCarried { field, reason }
        })
        .collect()
    }
}

/// The fields of a lead that say something of whom it is about and have a value.
fn with_value(lead: &Lead) -> Vec<&'static str> {
    let has = [
        ("owner_id", lead.owner_id.is_some()),
        ("team_id", lead.team_id.is_some()),
        ("source_channel", lead.source_channel.is_some()),
        ("tags", !lead.tags.is_empty()),
        ("external_ids", !lead.external_ids.is_empty()),
        ("salutation", lead.salutation.is_some()),
        ("first_name", lead.first_name.is_some()),
        ("middle_name", lead.middle_name.is_some()),
        ("last_name", lead.last_name.is_some()),
        ("job_title", lead.job_title.is_some()),
        ("company_name", lead.company_name.is_some()),
        ("emails", !lead.emails.is_empty()),
        ("phones", !lead.phones.is_empty()),
        ("addresses", !lead.addresses.is_empty()),
        ("website", lead.website.is_some()),
        ("lead_source", lead.lead_source.is_some()),
        ("rating", lead.rating.is_some()),
        ("industry", lead.industry.is_some()),
        ("employee_range", lead.employee_range.is_some()),
        ("expected_amount", lead.expected_amount.is_some()),
        ("currency", lead.currency.is_some()),
        ("utm", lead.utm.as_ref().is_some_and(|utm| *utm != Utm::default())),
    ];
    has.into_iter().filter(|(_, has)| *has).map(|(field, _)| field).collect()
}

/// Values of custom fields on their way to a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CarriedCustom {
    /// By the keys of the fields there, in the form in which they are kept.
    pub values: CustomValues,
    /// For each key there, the key of the lead's field.
    pub from: BTreeMap<String, String>,
}

/// The custom values of a lead that a record of this kind can take: to the field of the same key, unless the map says
/// another one. `judge` says whether a value suits a field, and in which form it is kept.
pub fn carried_custom<E>(
    lead: &CustomValues,
    map: &[FieldMapping],
    target: ConversionTarget,
    fields: &CustomFields,
    mut judge: impl FnMut(&str, &Value) -> Result<Option<Value>, E>,
    carrying: &mut Carrying,
) -> Result<CarriedCustom, E> {
    let mut carried = CarriedCustom::default();
    for (key, value) in lead {
        let mapped: Vec<&str> = map
            .iter()
            .filter(|mapping| mapping.kind == target && mapping.from == *key)
            .map(|mapping| mapping.to.as_str())
            .collect();
        let is_there = |key: &&str| fields.live().any(|field| field.key == **key);
        let to = if mapped.is_empty() { vec![key.as_str()] } else { mapped };
        for to in to.into_iter().filter(is_there) {
            // What the map names comes before a field that merely has the same key.
            let is_taken =
                to == key && map.iter().any(|other| other.kind == target && other.to == to && other.from != *key);
            match judge(to, value)?.filter(|_| !is_taken) {
                Some(value) => {
                    carried.values.insert(to.to_owned(), value);
                    carried.from.insert(to.to_owned(), key.clone());
                }
                None => carrying.refuse(format!("custom.{key}"), NotCarriedReason::Unsuitable),
            }
        }
    }
    Ok(carried)
}

impl FieldMapping {
    /// Refuses mappings of fields that are not there, or of two fields to one.
    pub fn check(
        map: &[Self],
        of_leads: &CustomFields,
        of_targets: &BTreeMap<ConversionTarget, CustomFields>,
    ) -> Result<(), Invalid> {
        let mut problems = Fields::default();
        let mut seen = BTreeSet::new();
        let is_live = |fields: &CustomFields, key: &str| fields.live().any(|field| field.key == key);
        for (index, mapping) in map.iter().enumerate() {
            let place = format!("/field_map/{index}");
            if !is_live(of_leads, &mapping.from) {
                let detail = format!("Leads have no custom field {}. See GET /v1/schema/leads.", mapping.from);
                problems.refuse(format!("{place}/from"), "unknown_field", detail);
            }
            if !of_targets.get(&mapping.kind).is_some_and(|fields| is_live(fields, &mapping.to)) {
                let there = mapping.kind.resource().as_str();
                let detail = format!("There is no custom field {} of {there}. See GET /v1/schema/{there}.", mapping.to);
                problems.refuse(format!("{place}/to"), "unknown_field", detail);
            }
            if !seen.insert((mapping.kind, mapping.to.as_str())) {
                let detail = "Another field goes there already. Leave one of them out.";
                problems.refuse(format!("{place}/to"), "repeated", detail);
            }
        }
        problems.verdict()
    }
}
