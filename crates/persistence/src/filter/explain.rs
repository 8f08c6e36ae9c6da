//! What becomes of a filter, told by the database's own plan for it.

use rapport_domain::{
    access::Right,
    filter::{Checked, Entity, FilterExplanation, FilterInquiry, FilterLeaf, FilterPlan, IndexClass, Refused},
    page::{RecordSort, SortKey},
    people::contact::DeletedInList,
    problem::FieldProblem,
};
use serde_json::Value;

use super::{Compiled, checked};
use crate::{
    Reader, StoreError,
    activity::{notes, tasks},
    people::{companies, contacts},
    sales::{leads, opportunities, products},
    visibility::require_right,
    workspace::custom_order::CustomOrder,
};

/// What the database may expect a search to cost, in its units, for it to be done in time. Measured: to try a condition
/// without an index on a million contacts is expected to cost 187,000, and took longer than a search may.
const AFFORDABLE: f64 = 100_000.0;

/// Explains a filter to somebody who may see such records. What is wrong with it is told as data.
pub fn explain(reader: &mut Reader<'_>, inquiry: &FilterInquiry) -> Result<FilterExplanation, StoreError> {
    let entity = inquiry.filter.entity;
    require_right(reader, entity.resource(), Right::Read)?;
    let mut judged = checked(reader, &inquiry.filter, "/filter")?;
    let closed = RecordSort::fields_used(inquiry.sort.as_ref())
        .filter(|(_, field)| !reader.scope().grants().may_read(entity.resource(), field));
    if let Some((_, field)) = closed {
        let detail = format!("Your role keeps the field {field} from you. Choose another order.");
        let problem = FieldProblem::at("/sort", "closed_field", detail);
        judged = Err(Refused { invalid: Vec::new(), closed: vec![problem] });
    }
    if let (Ok(_), Some(RecordSort { key: SortKey::Custom(key), direction })) = (&judged, &inquiry.sort) {
        let resource = entity.resource();
        let order = CustomOrder::of(reader, resource, key, *direction, DeletedInList::Exclude);
        match order.map_err(StoreError::in_body) {
            Ok(_) => {}
            Err(StoreError::Invalid(invalid)) => {
                judged = Err(Refused { invalid: invalid.into_problems(), closed: Vec::new() });
            }
            Err(error) => return Err(error),
        }
    }
    match judged {
        Ok(checked) => planned(reader, &checked, inquiry.sort.as_ref().unwrap_or(&RecordSort::NEWEST)),
        Err(Refused { invalid, closed }) => Ok(FilterExplanation {
            valid: false,
            errors: closed.into_iter().chain(invalid).collect(),
            leaves: Vec::new(),
            plan: None,
        }),
    }
}

fn planned(reader: &mut Reader<'_>, checked: &Checked, sort: &RecordSort) -> Result<FilterExplanation, StoreError> {
    let filter = Compiled::of_tree(reader, &checked.condition, DeletedInList::Exclude)?;
    let plan = reader.within_budget(|reader| match checked.entity {
        Entity::Contact => contacts::plan(reader, filter, sort),
        Entity::Company => companies::plan(reader, filter, sort),
        Entity::Task => tasks::plan(reader, filter, sort),
        Entity::Note => notes::plan(reader, filter, sort),
        Entity::Opportunity => opportunities::plan(reader, filter, sort),
        Entity::Lead => leads::plan(reader, filter, sort),
        Entity::Product => products::plan(reader, filter, sort),
    })?;
    let number = |place: &str| plan.pointer(place).and_then(Value::as_f64).unwrap_or_default();
    let mut indexes = Vec::new();
    collect_indexes(&plan, &mut indexes);
    let estimated_cost = number("/0/Plan/Total Cost");
    // How many records a condition without an index leaves, nobody knows: it may have to be tried on all of them.
    let is_known = checked.leaves.iter().all(|leaf| leaf.index != IndexClass::None);
    let reckoned = if is_known { estimated_cost } else { number("/0/Plan/Plans/0/Total Cost") };
    let leaves = checked.leaves.iter();
    Ok(FilterExplanation {
        valid: true,
        errors: Vec::new(),
        leaves: leaves.map(|leaf| FilterLeaf { pointer: leaf.pointer.clone(), index: leaf.index }).collect(),
        plan: Some(FilterPlan {
            indexes,
            estimated_cost,
            // Those that the page is taken from; the page itself is never expected to hold more than its limit.
            estimated_rows: number("/0/Plan/Plans/0/Plan Rows") as i64,
            runs_within_budget: reckoned <= AFFORDABLE,
        }),
    })
}

fn collect_indexes(plan: &Value, indexes: &mut Vec<String>) {
    match plan {
        Value::Object(fields) => {
            if let Some(name) = fields.get("Index Name").and_then(Value::as_str)
                && !indexes.iter().any(|known| known == name)
            {
                indexes.push(name.to_owned());
            }
            fields.values().for_each(|field| collect_indexes(field, indexes));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_indexes(item, indexes)),
        _ => {}
    }
}
