//! Converting leads, and taking that back: scripts over several records, each in one transaction in which the lead is held, so
//! that two who convert one lead take turns.

mod kept;
mod matching;
mod obstacles;

use std::collections::BTreeMap;

use rapport_domain::{
    access::{Grants, Resource, Right},
    activity::parent::{Parent, ParentKind},
    id::{CompanyId, ContactId, LeadId, OpportunityId, TeamId, UserId},
    people::{
        company::{Company, NewCompany},
        contact::{Contact, NewContact},
    },
    problem::{FieldProblem, Invalid},
    record::Source,
    sales::{
        lead::{
            Became, CarriedCustom, Carrying, CompanyChoice, CompanyPart, ContactChoice, ContactPart, ConversionResult,
            ConversionTarget, ConvertLead, ConvertedRecord, FieldMapping, Lead, LeadConversion, NotCarriedReason,
            carried_custom, opportunity_of,
        },
        opportunity::Opportunity,
    },
    workspace::custom_field::{CustomFields, CustomValues},
};
use serde_json::Value;
use uuid::Uuid;

use self::kept::Kept;
use super::{change, get_to_change, shown};
use crate::{
    StoreError, Writer,
    activity::{notes, tasks},
    bulk::Bulk,
    error::unknown_reference,
    people::{Deleted, companies, contacts, duplicates::lock_keys},
    sales::{lead_statuses, opportunities},
    visibility::{require_right, require_writable},
    workspace::{custom_fields, custom_values},
};

/// Converts a lead to a contact, a company and an opportunity, all in one transaction. One that was converted already stays as
/// it is, whatever is asked.
pub fn convert(
    writer: &mut Writer<'_>,
    id: LeadId,
    expected: Option<i64>,
    asked: &ConvertLead,
) -> Result<LeadConversion, StoreError> {
    asked.check()?;
    require_writable(writer, Resource::Leads, &["status"], "convert leads")?;
    writer.by_way_of(Source::Conversion, |writer| {
        writer.transaction(|writer| {
            let lead = hold(writer, id, expected)?;
            if !lead.is_converted() {
                return Conversion::prepare(writer, &lead, asked)?.run(writer, asked);
            }
            let kept = kept::living(writer, id)?;
            let lead = shown(writer, lead)?;
            Ok(told(writer, lead, kept))
        })
    })
}

/// Takes a conversion back, while nothing was built on it: what it created is deleted, what was there gets back what it had,
/// and the lead goes on with the status that it had.
pub fn unconvert(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>) -> Result<Lead, StoreError> {
    require_writable(writer, Resource::Leads, &["status"], "unconvert leads")?;
    writer.transaction(|writer| {
        let lead = hold(writer, id, expected)?;
        if !lead.is_converted() {
            let detail = "The lead was not converted, so there is nothing to take back.".to_owned();
            return Err(StoreError::Conflict { code: "not_converted", detail });
        }
        let kept = kept::living(writer, id)?;
        require_rights(writer, &kept)?;
        let obstacles = obstacles::of(writer, id, &kept)?;
        if !obstacles.is_empty() {
            return Err(StoreError::InTheWay(obstacles.iter().map(|obstacle| obstacle.problem()).collect()));
        }
        take_back(writer, id, &kept)?;
        let before = kept.status_before();
        let after = change(writer, id, Deleted::Exclude, None, "unconverted", |writer, lead, stamp| {
            Ok(lead.unconverted(&before, &lead_statuses::of(writer)?, stamp)?)
        })?;
        kept::end(writer, id)?;
        Ok(after)
    })
}

/// The lead, which nobody else changes until the end of the transaction. Nor does anybody create whoever it may match.
fn hold(writer: &mut Writer<'_>, id: LeadId, expected: Option<i64>) -> Result<Lead, StoreError> {
    // In the order in which other writes take these locks.
    custom_values::wait(writer)?;
    let keys = matching::keys(&get_to_change(writer, id, Deleted::Exclude)?);
    lock_keys(writer, &keys)?;
    let held = Lead::to_change(writer, &[id.uuid()])?.into_iter().next();
    let Some((lead, true)) = held else { return Err(StoreError::Contention) };
    if lead.deleted_at.is_some() || matching::keys(&lead) != keys {
        return Err(StoreError::Contention); // it was changed since it was read: once more, from the start
    }
    match expected {
        Some(version) if version != lead.version => Err(StoreError::Stale { current: lead.version }),
        _ => Ok(lead),
    }
}

fn lead_as_parent(lead: LeadId) -> Parent {
    Parent { kind: ParentKind::Lead, id: lead.uuid() }
}

fn contact_as_parent(contact: ContactId) -> Parent {
    Parent { kind: ParentKind::Contact, id: contact.uuid() }
}

/// Whoever takes a conversion back may do so with each record that it touched.
fn require_rights(writer: &Writer<'_>, kept: &Kept) -> Result<(), StoreError> {
    for target in [ConversionTarget::Opportunity, ConversionTarget::Contact, ConversionTarget::Company] {
        let Some(record) = kept.record(target) else { continue };
        if record.result == ConversionResult::Created {
            require_right(writer, target.resource(), Right::Delete)?;
        } else if !record.filled.is_empty() {
            require_right(writer, target.resource(), Right::Write)?;
        }
    }
    Ok(())
}

/// Deletes what a conversion created, and takes from the others what it gave them.
fn take_back(writer: &mut Writer<'_>, lead: LeadId, kept: &Kept) -> Result<(), StoreError> {
    if let Some(record) = kept.record(ConversionTarget::Contact) {
        let contact = contact_as_parent(ContactId::from_uuid(record.id));
        tasks::bring_back(writer, kept.moved_tasks(), contact, lead_as_parent(lead))?;
        notes::bring_back(writer, kept.moved_notes(), contact, lead_as_parent(lead))?;
    }
    // In the order in which they refer to each other.
    for target in [ConversionTarget::Opportunity, ConversionTarget::Contact, ConversionTarget::Company] {
        let Some(record) = kept.record(target) else { continue };
        if record.result == ConversionResult::Created {
            match target {
                ConversionTarget::Opportunity => {
                    opportunities::delete(writer, OpportunityId::from_uuid(record.id), None)?;
                }
                ConversionTarget::Contact => contacts::delete(writer, ContactId::from_uuid(record.id), None)?,
                ConversionTarget::Company => companies::delete(writer, CompanyId::from_uuid(record.id), None)?,
            }
            continue;
        }
        if record.filled.is_empty() {
            continue;
        }
        match target {
            ConversionTarget::Contact => {
                drop(contacts::amend(writer, ContactId::from_uuid(record.id), |contact, stamp| {
                    kept.given_to_contact().take_back(contact, stamp)
                })?);
            }
            ConversionTarget::Company => drop(companies::amend(writer, CompanyId::from_uuid(record.id), |company| {
                kept.given_to_company().take_back(company)
            })?),
            ConversionTarget::Opportunity => {}
        }
    }
    Ok(())
}

/// What became of a lead, as far as the caller may see it.
fn told(writer: &Writer<'_>, lead: Lead, kept: Kept) -> LeadConversion {
    let may_read = |field: &str| writer.grants().may_read(Resource::Leads, field);
    let (records, not_carried) = kept.into_told();
    let is_open = |target: ConversionTarget| match target {
        ConversionTarget::Contact => may_read("converted_contact_id"),
        ConversionTarget::Company => may_read("converted_company_id"),
        ConversionTarget::Opportunity => may_read("converted_opportunity_id"),
    };
    LeadConversion {
        contact_id: lead.converted_contact_id.filter(|_| is_open(ConversionTarget::Contact)),
        company_id: lead.converted_company_id.filter(|_| is_open(ConversionTarget::Company)),
        opportunity_id: lead.converted_opportunity_id.filter(|_| is_open(ConversionTarget::Opportunity)),
        records: records.into_iter().filter(|record| is_open(record.kind)).collect(),
        not_carried: not_carried.into_iter().filter(|left| may_read(&left.field)).collect(),
        lead,
    }
}

/// The record that a lead becomes.
enum Meant<R> {
    /// One that is there, and is held; and whether the caller may change it.
    There {
        record: R,
        result: ConversionResult,
        may_change: bool,
    },
    New,
    None,
}

/// A conversion under way.
struct Conversion {
    /// As the caller sees it: without what is in archived fields.
    lead: Lead,
    grants: Grants,
    contact: Meant<Contact>,
    company: Meant<Company>,
    custom: BTreeMap<ConversionTarget, CarriedCustom>,
    carrying: Carrying,
    kept: Kept,
}

impl Conversion {
    /// Finds out which records are meant, and what they can take.
    fn prepare(writer: &mut Writer<'_>, lead: &Lead, asked: &ConvertLead) -> Result<Self, StoreError> {
        lead.converts_to(asked.status.as_deref(), &lead_statuses::of(writer)?)?;
        let kept = Kept::new(lead);
        let lead = shown(writer, lead.clone())?;
        let company = company_meant(writer, &lead, asked)?;
        let contact = contact_meant(writer, &lead, asked)?;
        let mut carrying = Carrying::default();
        let mut targets = vec![ConversionTarget::Contact];
        targets.extend((!matches!(company, Meant::None)).then_some(ConversionTarget::Company));
        targets.extend(asked.opportunity.is_some().then_some(ConversionTarget::Opportunity));
        let custom = custom_of(writer, &lead, &asked.field_map, &targets, &mut carrying)?;
        let grants = writer.grants().clone();
        Ok(Self { lead, grants, contact, company, custom, carrying, kept })
    }

    fn run(mut self, writer: &mut Writer<'_>, asked: &ConvertLead) -> Result<LeadConversion, StoreError> {
        let company = self.company(writer, asked)?;
        let (contact, works_for) = self.contact(writer, asked, company)?;
        let opportunity = self.opportunity(writer, asked, contact, company.or(works_for))?;
        let became = Became { contact, company, opportunity };
        let (from, to) = (lead_as_parent(self.lead.id), contact_as_parent(contact));
        self.kept.moved(tasks::bring_over(writer, from, to)?, notes::bring_over(writer, from, to)?);
        self.kept.not_carried(self.carrying.not_carried(&self.lead, &self.grants));
        let status = asked.status.as_deref();
        let lead = change(writer, self.lead.id, Deleted::Exclude, None, "converted", |writer, lead, stamp| {
            let statuses = lead_statuses::of(writer)?;
            Ok(lead.converted(lead.converts_to(status, &statuses)?, became, stamp)?)
        })?;
        kept::begin(writer, &lead, &self.kept)?;
        let mut told = told(writer, lead, self.kept);
        if writer.is_rehearsal() {
            told.forget_created();
        }
        Ok(told)
    }

    /// The company, created or given what it lacks.
    fn company(&mut self, writer: &mut Writer<'_>, asked: &ConvertLead) -> Result<Option<CompanyId>, StoreError> {
        let custom = self.custom.remove(&ConversionTarget::Company).unwrap_or_default();
        let part =
            |grants: &Grants, lead: &Lead, carrying: &mut Carrying| CompanyPart::of(lead, &custom, grants, carrying);
        match std::mem::replace(&mut self.company, Meant::None) {
            Meant::None => Ok(None),
            Meant::New => {
                require_right(writer, Resource::Companies, Right::Create)?;
                let values = asked.company.values.clone().unwrap_or_default();
                let part = part(&self.grants, &self.lead, &mut self.carrying);
                let mut new = NewCompany::from(part.into_values(values, &custom, &mut self.carrying));
                (new.owner_id, new.team_id) = self.place(Resource::Companies, new.owner_id, new.team_id);
                let company = companies::create(writer, new).map_err(|error| error.below("/company/values"))?;
                self.became(ConversionTarget::Company, company.id.uuid(), ConversionResult::Created, Vec::new());
                Ok(Some(company.id))
            }
            Meant::There { record, result, may_change } => {
                self.stays_with_its_owner();
                let part = part(&self.grants, &self.lead, &mut self.carrying);
                let given = part.lacking(&record, &custom, &mut self.carrying);
                let filled = given.names();
                if !filled.is_empty() {
                    require_change(writer, ConversionTarget::Company, may_change)?;
                    companies::amend(writer, record.id, |company| given.give(company))?;
                    self.kept.gave_company(given);
                }
                self.became(ConversionTarget::Company, record.id.uuid(), result, filled);
                Ok(Some(record.id))
            }
        }
    }

    /// The contact, created or given what it lacks, and the company that it is with.
    fn contact(
        &mut self,
        writer: &mut Writer<'_>,
        asked: &ConvertLead,
        company: Option<CompanyId>,
    ) -> Result<(ContactId, Option<CompanyId>), StoreError> {
        let custom = self.custom.remove(&ConversionTarget::Contact).unwrap_or_default();
        let part = ContactPart::of(&self.lead, company, &custom, &self.grants, &mut self.carrying);
        match std::mem::replace(&mut self.contact, Meant::None) {
            Meant::There { record, result, may_change } => {
                self.stays_with_its_owner();
                let given = part.lacking(&record, &custom, &mut self.carrying);
                let filled = given.names();
                if !filled.is_empty() {
                    require_change(writer, ConversionTarget::Contact, may_change)?;
                    contacts::amend(writer, record.id, |contact, stamp| given.give(contact, stamp))?;
                    self.kept.gave_contact(given);
                }
                self.became(ConversionTarget::Contact, record.id.uuid(), result, filled);
                let may_read = self.grants.may_read(Resource::Contacts, "company_id");
                let with = record.company_id.filter(|_| may_read).map(|id| companies::known(writer, vec![id.uuid()]));
                let with = with.transpose()?.and_then(|known| known.first().copied()).map(CompanyId::from_uuid);
                Ok((record.id, with))
            }
            Meant::New | Meant::None => {
                require_right(writer, Resource::Contacts, Right::Create)?;
                let values = asked.contact.values.clone().unwrap_or_default();
                let mut new = NewContact::from(part.into_values(values, &custom, &mut self.carrying));
                (new.owner_id, new.team_id) = self.place(Resource::Contacts, new.owner_id, new.team_id);
                let created = contacts::create_of_lead(writer, new, company);
                let contact = created.map_err(|error| error.below("/contact/values"))?;
                self.became(ConversionTarget::Contact, contact.id.uuid(), ConversionResult::Created, Vec::new());
                Ok((contact.id, None))
            }
        }
    }

    fn opportunity(
        &mut self,
        writer: &mut Writer<'_>,
        asked: &ConvertLead,
        contact: ContactId,
        company: Option<CompanyId>,
    ) -> Result<Option<OpportunityId>, StoreError> {
        let Some(asked) = &asked.opportunity else { return Ok(None) };
        require_right(writer, Resource::Opportunities, Right::Create)?;
        let custom = self.custom.remove(&ConversionTarget::Opportunity).unwrap_or_default();
        let values = asked.values.clone().unwrap_or_default();
        let (parties, carrying) = ((contact, company), &mut self.carrying);
        let mut new = opportunity_of(&self.lead, parties, values, &custom, &self.grants, carrying);
        (new.pipeline_id, new.stage_id) = (asked.pipeline_id, asked.stage_id);
        (new.owner_id, new.team_id) = self.place(Resource::Opportunities, new.owner_id, new.team_id);
        let created = opportunities::create_of_lead(writer, new, self.lead.id, parties);
        let opportunity: Opportunity = created.map_err(|error| match &error {
            StoreError::Invalid(invalid) if invalid.is_about(&["/pipeline_id", "/stage_id"]) => {
                error.below("/opportunity")
            }
            _ => error.below("/opportunity/values"),
        })?;
        self.became(ConversionTarget::Opportunity, opportunity.id.uuid(), ConversionResult::Created, Vec::new());
        Ok(Some(opportunity.id))
    }

    /// Owner and team of a new record: those of the lead, unless others are named. An owner who is named brings their main
    /// team along.
    fn place(
        &mut self,
        resource: Resource,
        owner: Option<Option<UserId>>,
        team: Option<Option<TeamId>>,
    ) -> (Option<Option<UserId>>, Option<Option<TeamId>>) {
        let mut of_lead = |field: &'static str| {
            let may = self.grants.may_read(Resource::Leads, field) && self.grants.may_write(resource, field);
            match may {
                true => self.carrying.carry(field),
                false => self.carrying.refuse(field, NotCarriedReason::Closed),
            }
            may
        };
        let leads_owner = owner.is_none() && of_lead("owner_id");
        let leads_team = team.is_none() && leads_owner && of_lead("team_id");
        (owner.or(leads_owner.then_some(self.lead.owner_id)), team.or(leads_team.then_some(self.lead.team_id)))
    }

    /// Whose a record is that was there does not change.
    fn stays_with_its_owner(&mut self) {
        self.carrying.refuse("owner_id", NotCarriedReason::HasValue);
        self.carrying.refuse("team_id", NotCarriedReason::HasValue);
    }

    fn became(&mut self, kind: ConversionTarget, id: Uuid, result: ConversionResult, filled: Vec<String>) {
        self.kept.became(ConvertedRecord { kind, id, result, filled });
    }
}

fn require_change(writer: &Writer<'_>, target: ConversionTarget, may_change: bool) -> Result<(), StoreError> {
    require_right(writer, target.resource(), Right::Write)?;
    let what = target.kind().as_str();
    match may_change {
        true => Ok(()),
        false => Err(StoreError::Forbidden(format!("You may see this {what}, but not give it what it lacks."))),
    }
}

fn contact_meant(writer: &mut Writer<'_>, lead: &Lead, asked: &ConvertLead) -> Result<Meant<Contact>, StoreError> {
    let asked = &asked.contact;
    if let Some(id) = asked.id {
        return named(writer, id.uuid(), "/contact/id");
    }
    match asked.mode {
        ContactChoice::New => Ok(Meant::New),
        ContactChoice::Match => {
            let candidates = matching::contacts(writer, lead)?;
            matched(writer, candidates, asked.values.is_some(), "contact")
        }
    }
}

fn company_meant(writer: &mut Writer<'_>, lead: &Lead, asked: &ConvertLead) -> Result<Meant<Company>, StoreError> {
    let asked = &asked.company;
    if let Some(id) = asked.id {
        return named(writer, id.uuid(), "/company/id");
    }
    let is_named = asked.values.as_ref().is_some_and(|values| values.name.is_some());
    match asked.mode {
        CompanyChoice::New => Ok(Meant::New),
        CompanyChoice::None => Ok(Meant::None),
        CompanyChoice::Match if !is_named && !says_company(writer, lead) => Ok(Meant::None),
        CompanyChoice::Match => {
            let name = asked.values.as_ref().and_then(|values| values.name.as_deref());
            let candidates = matching::companies(writer, lead, name)?;
            matched(writer, candidates, asked.values.is_some(), "company")
        }
    }
}

/// Whether the lead names a company, as far as the caller may know.
fn says_company(writer: &Writer<'_>, lead: &Lead) -> bool {
    lead.company_name.is_some() && writer.grants().may_read(Resource::Leads, "company_name")
}

/// The record that the caller has named.
fn named<R: Bulk>(writer: &mut Writer<'_>, id: Uuid, pointer: &str) -> Result<Meant<R>, StoreError> {
    let may_read = writer.grants().allow(R::RESOURCE.permission(Right::Read));
    there(writer, id, ConversionResult::Named)?
        .filter(|_| may_read)
        .ok_or_else(|| unknown_reference(pointer, R::kind().as_str()))
}

/// The record that was recognised, if it is only one and nothing else was asked of a new one.
fn matched<R: Bulk>(
    writer: &mut Writer<'_>,
    candidates: matching::Candidates,
    has_values: bool,
    what: &'static str,
) -> Result<Meant<R>, StoreError> {
    match candidates.only() {
        _ if candidates.is_empty() => Ok(Meant::New),
        Some(id) if !has_values => {
            there(writer, id, ConversionResult::Matched)?.ok_or(StoreError::Contention) // it is gone again
        }
        _ => Err(StoreError::Ambiguous { what, candidates: candidates.into_list() }),
    }
}

fn there<R: Bulk>(writer: &mut Writer<'_>, id: Uuid, result: ConversionResult) -> Result<Option<Meant<R>>, StoreError> {
    let held = R::to_change(writer, &[id])?.into_iter().next();
    let living = held.filter(|(record, _)| !record.is_deleted());
    Ok(living.map(|(record, may_change)| Meant::There { record, result, may_change }))
}

/// The values of the lead's custom fields that these records can take.
fn custom_of(
    writer: &mut Writer<'_>,
    lead: &Lead,
    map: &[FieldMapping],
    targets: &[ConversionTarget],
    carrying: &mut Carrying,
) -> Result<BTreeMap<ConversionTarget, CarriedCustom>, StoreError> {
    let mut fields = BTreeMap::new();
    if lead.custom.is_empty() && map.is_empty() {
        return Ok(BTreeMap::new());
    }
    for target in [ConversionTarget::Contact, ConversionTarget::Company, ConversionTarget::Opportunity] {
        fields.insert(target, custom_fields::of(writer, target.resource())?);
    }
    FieldMapping::check(map, &custom_fields::of(writer, Resource::Leads)?, &fields)?;
    let mut custom = BTreeMap::new();
    for (target, fields) in fields.iter().filter(|(target, _)| targets.contains(target)) {
        let judge = |key: &str, value: &Value| suits(writer, fields, key, value);
        custom.insert(*target, carried_custom(&lead.custom, map, *target, fields, judge, carrying)?);
    }
    Ok(custom)
}

/// A value in the form in which a field keeps it, if it suits the field.
fn suits(
    writer: &mut Writer<'_>,
    fields: &CustomFields,
    key: &str,
    value: &Value,
) -> Result<Option<Value>, StoreError> {
    let none = CustomValues::new();
    let given = CustomValues::from([(key.to_owned(), value.clone())]);
    let Ok(values) = fields.judge_changes(&given, &none) else { return Ok(None) };
    let known = custom_values::known_references(writer, fields, [&values])?;
    let values: Result<CustomValues, Invalid> = custom_values::with_references(fields, values, &none, &known);
    Ok(values.ok().and_then(|mut values| values.remove(key)))
}

impl StoreError {
    /// The same, where what it is about stands below another place of the body.
    fn below(self, place: &str) -> Self {
        let Self::Invalid(invalid) = self else { return self };
        let moved = invalid.into_problems().into_iter().map(|problem| FieldProblem {
            pointer: problem.pointer.map(|pointer| format!("{place}{pointer}")),
            ..problem
        });
        Self::fields(moved.collect())
    }
}
