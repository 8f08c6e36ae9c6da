//! The records that tasks and notes are about: the one place that finds them by their kind.

use std::collections::HashMap;

use rapport_domain::{
    activity::parent::{Parent, ParentKind},
    people::{company::Company, contact::Contact},
    sales::{lead::Lead, opportunity::Opportunity, product::Product},
};
use uuid::Uuid;

use crate::{
    Reader, StoreError,
    bulk::{Referenced, References},
    people::{companies, contacts},
    sales::{leads, opportunities, products},
};

/// What a reference to a record of this kind leads to.
fn referenced(kind: ParentKind) -> Referenced {
    match kind {
        ParentKind::Contact => Referenced::Contact,
        ParentKind::Company => Referenced::Company,
        ParentKind::Lead => Referenced::Lead,
        ParentKind::Opportunity => Referenced::Opportunity,
        ParentKind::Product => Referenced::Product,
    }
}

/// These references, and the one to a parent.
pub(crate) fn with_parent(references: References, parent: Option<Parent>) -> References {
    match parent {
        Some(Parent { kind, id }) => references.with("/parent/id", referenced(kind), Some(id)),
        None => references,
    }
}

/// Kind and id of a parent that lists are filtered by go together.
pub(crate) fn require_whole_parent(kind: Option<ParentKind>, id: Option<Uuid>) -> Result<(), StoreError> {
    let (missing, given) = match (kind, id) {
        (Some(_), None) => ("parent_id", "parent_kind"),
        (None, Some(_)) => ("parent_kind", "parent_id"),
        _ => return Ok(()),
    };
    Err(StoreError::parameter(missing, "required", format!("This goes with {given}. Give both, or neither.")))
}

/// Parents as they are embedded in what is about them, by their ids.
#[derive(Default)]
pub(crate) struct Parents {
    contacts: HashMap<Uuid, Contact>,
    companies: HashMap<Uuid, Company>,
    leads: HashMap<Uuid, Lead>,
    opportunities: HashMap<Uuid, Opportunity>,
    products: HashMap<Uuid, Product>,
}

/// The parent of one record, at the place of its kind; empty when it is not there, or of a kind that was not asked for.
#[derive(Default)]
pub(crate) struct About {
    pub(crate) contact: Option<Contact>,
    pub(crate) company: Option<Company>,
    pub(crate) lead: Option<Lead>,
    pub(crate) opportunity: Option<Opportunity>,
    pub(crate) product: Option<Product>,
}

impl Parents {
    /// Those of some kinds: one statement for each.
    pub(crate) fn find(
        reader: &mut Reader<'_>,
        parents: impl Iterator<Item = Parent>,
        kinds: &[ParentKind],
    ) -> Result<Self, StoreError> {
        let mut ids: HashMap<ParentKind, Vec<Uuid>> = HashMap::new();
        for Parent { kind, id } in parents.filter(|parent| kinds.contains(&parent.kind)) {
            ids.entry(kind).or_default().push(id);
        }
        let mut found = Self::default();
        for (kind, ids) in ids {
            match kind {
                ParentKind::Contact => found.contacts = by_id(contacts::embeddable(reader, &ids)?, |it| it.id.uuid()),
                ParentKind::Company => found.companies = by_id(companies::embeddable(reader, &ids)?, |it| it.id.uuid()),
                ParentKind::Lead => found.leads = by_id(leads::embeddable(reader, &ids)?, |it| it.id.uuid()),
                ParentKind::Opportunity => {
                    found.opportunities = by_id(opportunities::embeddable(reader, &ids)?, |it| it.id.uuid());
                }
                ParentKind::Product => found.products = by_id(products::embeddable(reader, &ids)?, |it| it.id.uuid()),
            }
        }
        Ok(found)
    }

    /// The parent of one record.
    pub(crate) fn of(&self, parent: Option<Parent>) -> About {
        let Some(Parent { id, .. }) = parent else { return About::default() };
        // No two records have the same id, whatever their kinds are.
        About {
            contact: self.contacts.get(&id).cloned(),
            company: self.companies.get(&id).cloned(),
            lead: self.leads.get(&id).cloned(),
            opportunity: self.opportunities.get(&id).cloned(),
            product: self.products.get(&id).cloned(),
        }
    }
}

fn by_id<R>(records: Vec<R>, id: impl Fn(&R) -> Uuid) -> HashMap<Uuid, R> {
    records.into_iter().map(|record| (id(&record), record)).collect()
}
