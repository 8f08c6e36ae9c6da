//! What a lead can give a contact, a company and an opportunity. New records get all of it; those that are there get what
//! they lack, and lose exactly that when the conversion is taken back.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{CarriedCustom, Carrying, NotCarriedReason};
use crate::{
    access::{Grants, Resource},
    id::{CompanyId, ContactId},
    money,
    people::{
        company::{Company, CompanyPatch, EmployeeRange},
        contact::{Contact, ContactPatch},
        contact_point::{EmailAddress, PhoneNumber, PostalAddress, email_key},
    },
    problem::Invalid,
    record::{Channel, LifecycleStage, Stamp},
    sales::{
        lead::Lead,
        opportunity::{NewOpportunity, OpportunityContact, OpportunityPatch},
    },
    standards, text,
    workspace::custom_field::CustomValues,
};

/// The most e-mail addresses and telephone numbers of a contact.
const MOST_POINTS: usize = 20;

/// The most characters of the name of an opportunity.
const MOST_OF_NAME: usize = 255;

/// What a lead gives a contact.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactPart {
    pub source_channel: Option<Channel>,
    pub salutation: Option<String>,
    pub first_name: Option<String>,
    pub middle_name: Option<String>,
    pub last_name: Option<String>,
    pub job_title: Option<String>,
    pub company_id: Option<CompanyId>,
    pub tags: Vec<String>,
    pub emails: Vec<EmailAddress>,
    pub phones: Vec<PhoneNumber>,
    pub addresses: Vec<PostalAddress>,
    pub custom: CustomValues,
}

/// What a lead gives a company.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompanyPart {
    pub source_channel: Option<Channel>,
    pub name: Option<String>,
    pub domain: Option<String>,
    pub website: Option<String>,
    pub industry: Option<String>,
    pub employee_range: Option<EmployeeRange>,
    pub addresses: Vec<PostalAddress>,
    pub custom: CustomValues,
}

/// A value that can be missing.
trait Emptiable {
    fn is_empty(&self) -> bool;
    fn clear(&mut self);
}

impl<T> Emptiable for Option<T> {
    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn clear(&mut self) {
        *self = None;
    }
}

impl<T> Emptiable for Vec<T> {
    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// A field of the record there, the lead's field that it comes from, and its value.
type PartField<'p> = (&'static str, &'static str, &'p mut dyn Emptiable);

/// Takes out what the caller may not read of the lead, of which nothing is said, and what they may not write there.
fn keep_open(fields: &mut [PartField<'_>], grants: &Grants, resource: Resource, carrying: &mut Carrying) {
    for (field, from, value) in fields.iter_mut().filter(|(.., value)| !value.is_empty()) {
        if !grants.may_read(Resource::Leads, from) {
            value.clear();
        } else if !grants.may_write(resource, field) {
            value.clear();
            carrying.refuse(*from, NotCarriedReason::Closed);
        }
    }
}

/// The same for the values of custom fields, which are open or closed together.
fn keep_open_custom(
    custom: &CarriedCustom,
    grants: &Grants,
    resource: Resource,
    carrying: &mut Carrying,
) -> CustomValues {
    if !grants.may_read(Resource::Leads, "custom") {
        return CustomValues::new();
    }
    if !grants.may_write(resource, "custom") {
        custom.from.values().for_each(|from| carrying.refuse(custom_name(from), NotCarriedReason::Closed));
        return CustomValues::new();
    }
    custom.values.clone()
}

fn custom_name(key: &str) -> String {
    format!("custom.{key}")
}

/// Notes of each field whether the record has taken it: it has the value now, or had it.
struct Told<'t> {
    carrying: &'t mut Carrying,
}

impl Told<'_> {
    /// Leaves out of `mine` what is there already.
    fn value<T: PartialEq>(&mut self, from: &str, mine: &mut Option<T>, there: &Option<T>) {
        if mine.is_none() {
            return;
        }
        match there {
            Some(there) if mine.as_ref() != Some(there) => self.carrying.refuse(from, NotCarriedReason::HasValue),
            _ => self.carrying.carry(from),
        }
        mine.take_if(|_| there.is_some());
    }

    /// Leaves a list out where there is one already.
    fn list<T: PartialEq>(&mut self, from: &str, mine: &mut Vec<T>, there: &[T]) {
        if mine.is_empty() {
            return;
        }
        match mine.iter().all(|item| there.contains(item)) || there.is_empty() {
            true => self.carrying.carry(from),
            false => self.carrying.refuse(from, NotCarriedReason::HasValue),
        }
        if !there.is_empty() {
            mine.clear();
        }
    }

    /// Leaves out of a list what is there already, and what there is no room for.
    fn further<T>(&mut self, from: &str, mine: &mut Vec<T>, there: &[T], is_same: impl Fn(&T, &T) -> bool) {
        if mine.is_empty() {
            return;
        }
        mine.retain(|item| !there.iter().any(|known| is_same(known, item)));
        let room = MOST_POINTS.saturating_sub(there.len());
        match mine.len() <= room {
            true => self.carrying.carry(from),
            false => self.carrying.refuse(from, NotCarriedReason::Full),
        }
        mine.truncate(room);
    }

    /// Leaves out of the values of custom fields what is there already.
    fn custom(&mut self, from: &CarriedCustom, mine: &mut CustomValues, there: &CustomValues) {
        for (key, value) in mine.iter() {
            let from = custom_name(from.from.get(key).unwrap_or(key));
            match there.get(key).is_none_or(|known| known == value) {
                true => self.carrying.carry(from),
                false => self.carrying.refuse(from, NotCarriedReason::HasValue),
            }
        }
        mine.retain(|key, _| !there.contains_key(key));
    }
}

fn is_same_mailbox(one: &EmailAddress, other: &EmailAddress) -> bool {
    email_key(&one.address) == email_key(&other.address)
}

fn is_same_line(one: &PhoneNumber, other: &PhoneNumber) -> bool {
    match (&one.e164, &other.e164) {
        (Some(one), Some(other)) => one == other,
        _ => one.number == other.number,
    }
}

/// Clears a value that is still the one that was given.
fn take_back<T: PartialEq>(value: &mut Option<T>, given: &Option<T>) {
    if given.is_some() && value == given {
        *value = None;
    }
}

fn take_back_custom(custom: &mut CustomValues, given: &CustomValues) {
    custom.retain(|key, value| given.get(key) != Some(value));
}

fn give<T: Clone>(value: &mut Option<T>, given: &Option<T>) {
    if let Some(given) = given {
        *value = Some(given.clone());
    }
}

impl ContactPart {
    /// What a lead gives a contact of this company, as far as the caller may read and write it.
    pub fn of(
        lead: &Lead,
        company: Option<CompanyId>,
        custom: &CarriedCustom,
        grants: &Grants,
        carrying: &mut Carrying,
    ) -> Self {
        let mut part = Self {
            source_channel: lead.source_channel,
            salutation: lead.salutation.clone(),
            first_name: lead.first_name.clone(),
            middle_name: lead.middle_name.clone(),
            last_name: lead.last_name.clone(),
            job_title: lead.job_title.clone(),
            company_id: company,
            tags: lead.tags.clone(),
            emails: lead.emails.clone(),
            phones: lead.phones.clone(),
            addresses: lead.addresses.clone(),
            custom: keep_open_custom(custom, grants, Resource::Contacts, carrying),
        };
        keep_open(&mut part.fields(), grants, Resource::Contacts, carrying);
        part
    }

    fn fields(&mut self) -> Vec<PartField<'_>> {
        vec![
            ("source_channel", "source_channel", &mut self.source_channel),
            ("salutation", "salutation", &mut self.salutation),
            ("first_name", "first_name", &mut self.first_name),
            ("middle_name", "middle_name", &mut self.middle_name),
            ("last_name", "last_name", &mut self.last_name),
            ("job_title", "job_title", &mut self.job_title),
            // Of the conversion itself, not of a field of the lead.
            ("company_id", "id", &mut self.company_id),
            ("tags", "tags", &mut self.tags),
            ("emails", "emails", &mut self.emails),
            ("phones", "phones", &mut self.phones),
            ("addresses", "addresses", &mut self.addresses),
        ]
    }

    /// The names of the fields that it has a value for.
    pub fn names(&self) -> Vec<String> {
        let mut part = self.clone();
        let own: Vec<_> = part.fields().into_iter().filter(|(.., value)| !value.is_empty()).collect();
        let own = own.into_iter().map(|(field, ..)| field.to_owned());
        own.chain(self.custom.keys().map(|key| custom_name(key))).collect()
    }

    /// What a new contact is made of: what was asked for, and for the rest what the lead says.
    pub fn into_values(self, values: ContactPatch, custom: &CarriedCustom, carrying: &mut Carrying) -> ContactPatch {
        for (field, from, value) in self.clone().fields() {
            if !value.is_empty() && field != "company_id" {
                carrying.carry(from);
            }
        }
        self.custom.keys().filter_map(|key| custom.from.get(key)).for_each(|from| carrying.carry(custom_name(from)));
        ContactPatch {
            source_channel: values.source_channel.or(Some(self.source_channel)),
            tags: values.tags.or(Some(Some(self.tags))),
            custom: Some(over(values.custom, self.custom)),
            salutation: values.salutation.or(Some(self.salutation)),
            first_name: values.first_name.or(Some(self.first_name)),
            middle_name: values.middle_name.or(Some(self.middle_name)),
            last_name: values.last_name.or(Some(self.last_name)),
            job_title: values.job_title.or(Some(self.job_title)),
            company_id: Some(self.company_id),
            emails: values.emails.or(Some(Some(self.emails))),
            phones: values.phones.or(Some(Some(self.phones))),
            addresses: values.addresses.or(Some(Some(self.addresses))),
            lifecycle_stage: values.lifecycle_stage.or(Some(LifecycleStage::Prospect)),
            ..values
        }
    }

    /// What of it a contact lacks. Names are added to names only where those that are there agree.
    #[must_use]
    pub fn lacking(mut self, contact: &Contact, custom: &CarriedCustom, carrying: &mut Carrying) -> Self {
        let mut told = Told { carrying };
        let names = [
            (&self.first_name, &contact.first_name),
            (&self.middle_name, &contact.middle_name),
            (&self.last_name, &contact.last_name),
        ];
        let folded = |name: &Option<String>| name.as_deref().map(text::fold);
        let agree =
            names.iter().all(|(mine, there)| mine.is_none() || there.is_none() || folded(mine) == folded(there));
        if !agree {
            for (from, name) in [
                ("first_name", &mut self.first_name),
                ("middle_name", &mut self.middle_name),
                ("last_name", &mut self.last_name),
                ("salutation", &mut self.salutation),
            ] {
                if name.take().is_some() {
                    told.carrying.refuse(from, NotCarriedReason::HasValue);
                }
            }
        }
        told.value("source_channel", &mut self.source_channel, &contact.source_channel);
        told.value("salutation", &mut self.salutation, &contact.salutation);
        told.value("first_name", &mut self.first_name, &contact.first_name);
        told.value("middle_name", &mut self.middle_name, &contact.middle_name);
        told.value("last_name", &mut self.last_name, &contact.last_name);
        told.value("job_title", &mut self.job_title, &contact.job_title);
        self.company_id.take_if(|_| contact.company_id.is_some());
        told.list("tags", &mut self.tags, &contact.tags);
        told.further("emails", &mut self.emails, &contact.emails, is_same_mailbox);
        told.further("phones", &mut self.phones, &contact.phones, is_same_line);
        told.list("addresses", &mut self.addresses, &contact.addresses);
        told.custom(custom, &mut self.custom, &contact.custom);
        self
    }

    /// The contact with what it was found to lack.
    pub fn give(&self, contact: &Contact, stamp: Stamp) -> Result<Contact, Invalid> {
        let mut after = contact.clone();
        give(&mut after.source_channel, &self.source_channel);
        give(&mut after.salutation, &self.salutation);
        give(&mut after.first_name, &self.first_name);
        give(&mut after.middle_name, &self.middle_name);
        give(&mut after.last_name, &self.last_name);
        give(&mut after.job_title, &self.job_title);
        give(&mut after.company_id, &self.company_id);
        after.tags.extend(self.tags.iter().cloned());
        after.emails.extend(self.emails.iter().cloned());
        after.phones.extend(self.phones.iter().cloned());
        after.addresses.extend(self.addresses.iter().cloned());
        after.custom.extend(self.custom.clone());
        after.amended(stamp)
    }

    /// The contact without what it was given, as far as it still has it.
    pub fn take_back(&self, contact: &Contact, stamp: Stamp) -> Result<Contact, Invalid> {
        let mut after = contact.clone();
        take_back(&mut after.source_channel, &self.source_channel);
        take_back(&mut after.salutation, &self.salutation);
        take_back(&mut after.first_name, &self.first_name);
        take_back(&mut after.middle_name, &self.middle_name);
        take_back(&mut after.last_name, &self.last_name);
        take_back(&mut after.job_title, &self.job_title);
        take_back(&mut after.company_id, &self.company_id);
        after.tags.retain(|tag| !self.tags.contains(tag));
        after.emails.retain(|email| !self.emails.contains(email));
        after.phones.retain(|phone| !self.phones.contains(phone));
        after.addresses.retain(|address| !self.addresses.contains(address));
        take_back_custom(&mut after.custom, &self.custom);
        after.amended(stamp)
    }
}

impl CompanyPart {
    /// What a lead gives a company, as far as the caller may read and write it.
    pub fn of(lead: &Lead, custom: &CarriedCustom, grants: &Grants, carrying: &mut Carrying) -> Self {
        let mut part = Self {
            source_channel: lead.source_channel,
            name: lead.company_name.clone(),
            domain: lead.domain(),
            website: lead.website.clone(),
            industry: lead.industry.clone(),
            employee_range: lead.employee_range,
            addresses: lead.addresses.clone(),
            custom: keep_open_custom(custom, grants, Resource::Companies, carrying),
        };
        keep_open(&mut part.fields(), grants, Resource::Companies, carrying);
        part
    }

    fn fields(&mut self) -> Vec<PartField<'_>> {
        vec![
            ("source_channel", "source_channel", &mut self.source_channel),
            ("name", "company_name", &mut self.name),
            ("domain", "website", &mut self.domain),
            ("website", "website", &mut self.website),
            ("industry", "industry", &mut self.industry),
            ("employee_range", "employee_range", &mut self.employee_range),
            ("addresses", "addresses", &mut self.addresses),
        ]
    }

    /// The names of the fields that it has a value for.
    pub fn names(&self) -> Vec<String> {
        let mut part = self.clone();
        let own: Vec<_> = part.fields().into_iter().filter(|(.., value)| !value.is_empty()).collect();
        let own = own.into_iter().map(|(field, ..)| field.to_owned());
        own.chain(self.custom.keys().map(|key| custom_name(key))).collect()
    }

    /// What a new company is made of: what was asked for, and for the rest what the lead says.
    pub fn into_values(self, values: CompanyPatch, custom: &CarriedCustom, carrying: &mut Carrying) -> CompanyPatch {
        for (_, from, value) in self.clone().fields() {
            if !value.is_empty() {
                carrying.carry(from);
            }
        }
        self.custom.keys().filter_map(|key| custom.from.get(key)).for_each(|from| carrying.carry(custom_name(from)));
        CompanyPatch {
            source_channel: values.source_channel.or(Some(self.source_channel)),
            name: values.name.or(self.name),
            domain: values.domain.or(Some(self.domain)),
            website: values.website.or(Some(self.website)),
            industry: values.industry.or(Some(self.industry)),
            employee_range: values.employee_range.or(Some(self.employee_range)),
            addresses: values.addresses.or(Some(Some(self.addresses))),
            custom: Some(over(values.custom, self.custom)),
            lifecycle_stage: values.lifecycle_stage.or(Some(LifecycleStage::Prospect)),
            ..values
        }
    }

    /// What of it a company lacks.
    #[must_use]
    pub fn lacking(mut self, company: &Company, custom: &CarriedCustom, carrying: &mut Carrying) -> Self {
        let mut told = Told { carrying };
        told.value("source_channel", &mut self.source_channel, &company.source_channel);
        // Whatever its spelling, it is the company that was meant.
        if self.name.take().is_some() {
            told.carrying.carry("company_name");
        }
        self.domain.take_if(|_| company.domain.is_some());
        told.value("website", &mut self.website, &company.website);
        told.value("industry", &mut self.industry, &company.industry);
        told.value("employee_range", &mut self.employee_range, &company.employee_range);
        told.list("addresses", &mut self.addresses, &company.addresses);
        told.custom(custom, &mut self.custom, &company.custom);
        self
    }

    /// The company with what it was found to lack.
    pub fn give(&self, company: &Company) -> Result<Company, Invalid> {
        let mut after = company.clone();
        give(&mut after.source_channel, &self.source_channel);
        give(&mut after.domain, &self.domain);
        give(&mut after.website, &self.website);
        give(&mut after.industry, &self.industry);
        give(&mut after.employee_range, &self.employee_range);
        after.addresses.extend(self.addresses.iter().cloned());
        after.custom.extend(self.custom.clone());
        after.amended()
    }

    /// The company without what it was given, as far as it still has it.
    pub fn take_back(&self, company: &Company) -> Result<Company, Invalid> {
        let mut after = company.clone();
        take_back(&mut after.source_channel, &self.source_channel);
        take_back(&mut after.domain, &self.domain);
        take_back(&mut after.website, &self.website);
        take_back(&mut after.industry, &self.industry);
        take_back(&mut after.employee_range, &self.employee_range);
        after.addresses.retain(|address| !self.addresses.contains(address));
        take_back_custom(&mut after.custom, &self.custom);
        after.amended()
    }
}

/// The opportunity that a lead becomes, of this contact and company: what was asked for, and for the rest what the lead says.
/// The pipeline is yet to be named.
pub fn opportunity_of(
    lead: &Lead,
    (contact, company): (ContactId, Option<CompanyId>),
    values: OpportunityPatch,
    custom: &CarriedCustom,
    grants: &Grants,
    carrying: &mut Carrying,
) -> NewOpportunity {
    const RESOURCE: Resource = Resource::Opportunities;
    let may_read = |field: &str| grants.may_read(Resource::Leads, field);
    let may_write = |field: &str| grants.may_write(RESOURCE, field);
    let custom_values = keep_open_custom(custom, grants, RESOURCE, carrying);
    custom_values.keys().filter_map(|key| custom.from.get(key)).for_each(|from| carrying.carry(custom_name(from)));
    let is_priced =
        values.amount.is_some() || values.currency.is_some() || values.lines.as_ref().is_some_and(Option::is_some);
    let money = lead.expected_amount.zip(lead.currency.as_ref());
    let mut amount = money.map(|(amount, currency)| money::round(amount, currency));
    let mut currency = lead.currency.clone();
    let (mut source, mut tags) = (lead.lead_source, lead.tags.clone());
    let mut fields: Vec<PartField<'_>> = vec![
        ("amount", "expected_amount", &mut amount),
        ("currency", "currency", &mut currency),
        ("lead_source", "lead_source", &mut source),
        ("tags", "tags", &mut tags),
    ];
    keep_open(&mut fields, grants, RESOURCE, carrying);
    let taken = fields.iter().filter(|(.., value)| !value.is_empty()).map(|(_, from, _)| *from);
    taken.filter(|from| *from != "expected_amount" || !is_priced).for_each(|from| carrying.carry(from));
    // Neither is worth anything without the other.
    amount.take_if(|_| is_priced || currency.is_none());
    let named = may_read("company_name").then(|| lead.company_name.clone()).flatten();
    let named = named.unwrap_or_else(|| lead.named_by(&grants.on(Resource::Leads).readable).name);
    let named = Some(named.chars().take(MOST_OF_NAME).collect::<String>()).filter(|name| !name.is_empty());
    let mut people = values.contacts.flatten().unwrap_or_default();
    if may_write("contacts") && !people.iter().any(|known| known.contact_id == contact) {
        people.insert(0, OpportunityContact { contact_id: contact, role: None, primary: false });
    }
    NewOpportunity::from(OpportunityPatch {
        name: values.name.or(named.filter(|_| may_write("name"))),
        company_id: Some(company.filter(|_| may_write("company_id"))),
        contacts: Some(Some(people)),
        amount: values.amount.or(Some(amount)),
        currency: values.currency.or(Some(currency)),
        lead_source: values.lead_source.or(Some(source)),
        tags: values.tags.or(Some(Some(tags))),
        custom: Some(over(values.custom, custom_values)),
        ..values
    })
}

/// The values that were asked for, over those of the lead. Null leaves a field empty.
fn over(asked: Option<CustomValues>, mut carried: CustomValues) -> CustomValues {
    carried.extend(asked.unwrap_or_default());
    carried.retain(|_, value| !value.is_null());
    carried
}

impl Lead {
    /// The internet domain of the company, as its web site says it.
    pub fn domain(&self) -> Option<String> {
        standards::normalise_domain(self.website.as_deref()?)
    }
}
