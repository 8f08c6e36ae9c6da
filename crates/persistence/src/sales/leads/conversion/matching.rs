//! Which contact and which company a lead means.

use diesel::prelude::*;
use rapport_domain::{
    access::Resource,
    people::{
        company::Company,
        duplicate::{DuplicateCandidate, DuplicateReason},
    },
    record::RecordKind,
    sales::lead::Lead,
    text,
};
use uuid::Uuid;

use crate::{
    Reader, StoreError,
    people::{
        Deleted, companies,
        duplicates::{MOST, may_read, readable_keys, with_keys},
    },
    schema,
};

/// Records that a lead may mean.
pub(super) struct Candidates {
    list: Vec<DuplicateCandidate>,
    /// Whether one alone is certain to be it.
    is_certain: bool,
}

impl Candidates {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The one that is meant without a doubt.
    pub(super) fn only(&self) -> Option<Uuid> {
        match self.list.as_slice() {
            [one] if self.is_certain => Some(one.id),
            _ => None,
        }
    }

    pub(super) fn into_list(self) -> Vec<DuplicateCandidate> {
        self.list
    }
}

/// The keys that nobody else may give to a new record while the lead is converted.
pub(super) fn keys(lead: &Lead) -> Vec<String> {
    let mut keys = lead.match_keys();
    keys.extend(lead.company_name.as_deref().map(|name| format!("company:{}", text::sort_key([name]))));
    keys.extend(lead.domain().map(|domain| format!("domain:{domain}")));
    keys
}

/// Contacts that the lead may mean: those with one of its e-mail addresses, or else with one of its telephone numbers. A number
/// may be that of a whole office: it alone is certain only where the name is the same.
pub(super) fn contacts(reader: &mut Reader<'_>, lead: &Lead) -> Result<Candidates, StoreError> {
    let keys = readable_keys(reader, Resource::Leads, lead.match_keys());
    let known = with_keys(reader, &keys)?;
    let has_mailbox = |candidate: &DuplicateCandidate| candidate.reasons.contains(&DuplicateReason::SameEmail);
    let (by_email, by_phone): (Vec<_>, Vec<_>) = known.into_iter().partition(has_mailbox);
    if !by_email.is_empty() {
        return Ok(Candidates { list: by_email, is_certain: true });
    }
    let is_certain = by_phone.iter().all(|candidate| lead.may_be_named(&candidate.name));
    Ok(Candidates { list: by_phone, is_certain })
}

/// Companies that the lead may mean: those with the domain of its web site, or else those of its name that have no other
/// domain.
pub(super) fn companies(reader: &mut Reader<'_>, lead: &Lead, name: Option<&str>) -> Result<Candidates, StoreError> {
    let domain = lead.domain().filter(|_| may_read(reader, Resource::Leads, "website"));
    let domain = domain.filter(|_| may_read(reader, Resource::Companies, "domain"));
    if let Some(domain) = &domain {
        let rows = companies::visible(reader, Deleted::Exclude)
            .filter(schema::companies::domain.eq(domain.clone()))
            .order(schema::companies::id)
            .limit(MOST)
            .select(companies::Row::as_select())
            .load(reader.pg())?;
        let list = candidates(rows, DuplicateReason::SameDomain, |_| true)?;
        if !list.is_empty() {
            return Ok(Candidates { list, is_certain: true });
        }
    }
    let of_lead = lead.company_name.as_deref().filter(|_| may_read(reader, Resource::Leads, "company_name"));
    let Some(name) = name.or(of_lead).filter(|_| may_read(reader, Resource::Companies, "name")) else {
        return Ok(Candidates { list: Vec::new(), is_certain: true });
    };
    let rows = companies::visible(reader, Deleted::Exclude)
        .filter(schema::companies::sort_name.eq(text::sort_key([name])))
        .order(schema::companies::id)
        .limit(MOST)
        .select(companies::Row::as_select())
        .load(reader.pg())?;
    // Two of one name at two addresses are two.
    let list = candidates(rows, DuplicateReason::SameName, |company| {
        text::fold(&company.name) == text::fold(name) && (domain.is_none() || company.domain.is_none())
    })?;
    Ok(Candidates { list, is_certain: true })
}

fn candidates(
    rows: Vec<companies::Row>,
    reason: DuplicateReason,
    fits: impl Fn(&Company) -> bool,
) -> Result<Vec<DuplicateCandidate>, StoreError> {
    let all = rows.into_iter().map(companies::Row::into_company).collect::<Result<Vec<_>, _>>()?;
    let candidate = |company: Company| DuplicateCandidate {
        kind: RecordKind::Company,
        id: company.id.uuid(),
        name: company.name,
        reasons: vec![reason],
        score: 1.0,
    };
    Ok(all.into_iter().filter(fits).map(candidate).collect())
}
