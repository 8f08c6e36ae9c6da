//! What becomes of a lead: the contact, the company and the opportunity that it is converted to, and the way back.

mod carrying;
mod inputs;
mod parts;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::{
    carrying::{CarriedCustom, Carrying, carried_custom},
    inputs::{
        CompanyChoice, ContactChoice, ConvertLead, ConvertToCompany, ConvertToContact, ConvertToOpportunity,
        FieldMapping,
    },
    parts::{CompanyPart, ContactPart, opportunity_of},
};
use super::{
    super::lead_status::{LeadStatus, LeadStatusClass, LeadStatuses},
    Lead, status,
};
use crate::{
    access::Resource,
    id::{CompanyId, ContactId, OpportunityId},
    problem::{FieldProblem, Invalid},
    record::{RecordKind, Stamp},
    text,
};

/// What became of a lead.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadConversion {
    /// The lead as it is now.
    pub lead: Lead,
    /// Contact that it became.
    #[schema(required, value_type = Option<Uuid>)]
    pub contact_id: Option<ContactId>,
    /// Company that it became; null for none.
    #[schema(required, value_type = Option<Uuid>)]
    pub company_id: Option<CompanyId>,
    /// Opportunity that it became; null for none.
    #[schema(required, value_type = Option<Uuid>)]
    pub opportunity_id: Option<OpportunityId>,
    /// How each of these records came to be the one, and what it was given.
    pub records: Vec<ConvertedRecord>,
    /// Fields of the lead that have a value which none of these records took over. The lead keeps them.
    pub not_carried: Vec<NotCarried>,
}

impl LeadConversion {
    /// Of records that are not there, since nothing was written, nobody is to keep the ids.
    pub fn forget_created(&mut self) {
        let nobody = Uuid::nil();
        for record in self.records.iter_mut().filter(|record| record.result == ConversionResult::Created) {
            record.id = nobody;
            match record.kind {
                ConversionTarget::Contact => {
                    self.contact_id = Some(ContactId::from_uuid(nobody));
                    self.lead.converted_contact_id = self.contact_id;
                }
                ConversionTarget::Company => {
                    self.company_id = Some(CompanyId::from_uuid(nobody));
                    self.lead.converted_company_id = self.company_id;
                }
                ConversionTarget::Opportunity => {
                    self.opportunity_id = Some(OpportunityId::from_uuid(nobody));
                    self.lead.converted_opportunity_id = self.opportunity_id;
                }
            }
        }
    }
}

/// A record that a lead became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConvertedRecord {
    /// What it is.
    pub kind: ConversionTarget,
    /// Its id.
    pub id: Uuid,
    /// How it came to be the one.
    pub result: ConversionResult,
    /// Fields that it lacked and was given; none of a record that was created.
    #[schema(example = json!(["job_title", "phones"]))]
    pub filled: Vec<String>,
}

/// What leads are converted to. These are all there will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversionTarget {
    Contact,
    Company,
    Opportunity,
}

impl ConversionTarget {
    /// The resource that it belongs to.
    pub fn resource(self) -> Resource {
        match self {
            Self::Contact => Resource::Contacts,
            Self::Company => Resource::Companies,
            Self::Opportunity => Resource::Opportunities,
        }
    }

    /// What such a record is.
    pub fn kind(self) -> RecordKind {
        self.resource().kind()
    }
}

/// How a record came to be the one that a lead became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversionResult {
    /// The conversion made it.
    Created,
    /// It was there, and recognised.
    Matched,
    /// It was there, and the caller named it.
    Named,
}

/// A field of a lead that was not carried over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct NotCarried {
    /// Name of the field; that of a custom field begins with `custom.`.
    #[schema(example = "rating")]
    pub field: String,
    /// Why it was not.
    pub reason: NotCarriedReason,
}

/// Why a field of a lead was not carried over. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotCarriedReason {
    /// None of the records has such a field, or has it at all.
    NoPlace,
    /// The record had another value, which it keeps.
    HasValue,
    /// The list there is full.
    Full,
    /// The custom field there does not take the value.
    Unsuitable,
    /// The caller may not write the field there.
    Closed,
}

/// The records that a lead became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Became {
    pub contact: ContactId,
    pub company: Option<CompanyId>,
    pub opportunity: Option<OpportunityId>,
}

/// The status that a lead had before it was converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusBefore {
    pub key: String,
    pub entered_at: DateTime<Utc>,
}

/// Something that was built on a conversion, so that it can't be taken back as if nothing had been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A record was changed since the conversion created it.
    Changed { what: ConversionTarget, id: Uuid },
    /// A record that the lead became was deleted since.
    Deleted { what: ConversionTarget, id: Uuid },
    /// Others refer to a record that the conversion created: these, as far as the caller may see them.
    Referred { what: ConversionTarget, id: Uuid, by: &'static str, seen: Vec<Uuid> },
}

impl Obstacle {
    /// What stands in the way, and what to do about it.
    pub fn problem(&self) -> FieldProblem {
        match self {
            Self::Changed { what, id } => {
                let what = what.kind().as_str();
                let detail = format!("The {what} {id} was changed since the conversion created it, and would be lost.");
                FieldProblem::at("", "changed_since", detail)
            }
            Self::Deleted { what, id } => {
                let what = what.kind().as_str();
                FieldProblem::at("", "deleted_since", format!("The {what} {id} was deleted since. Restore it first."))
            }
            Self::Referred { what, id, by, seen } => {
                let what = what.kind().as_str();
                let which = match seen.as_slice() {
                    [] => String::new(),
                    seen => format!(": {}", seen.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")),
                };
                let detail = format!("Of the {what} {id}, which the conversion created, there are {by} by now{which}.");
                FieldProblem::at("", "referred_to", detail)
            }
        }
    }
}

impl LeadStatusClass {
    /// Whether leads of this class can be converted. Those that were lost begin anew first.
    fn converts(self) -> bool {
        matches!(self, Self::Open | Self::Ongoing | Self::OnHold)
    }
}

impl Lead {
    /// Whether it was converted: then it stays as it is until that is taken back.
    pub fn is_converted(&self) -> bool {
        self.converted_at.is_some()
    }

    /// The status that the lead would have once it is converted, if it can be: the one named, or that with the key
    /// `converted`, or the first of its class.
    pub fn converts_to<'s>(&self, named: Option<&str>, statuses: &'s LeadStatuses) -> Result<&'s LeadStatus, Invalid> {
        if !self.status_class.converts() {
            let detail = "A lost lead can't be converted. Recycle it first: POST /v1/leads/{lead_id}/recycle.";
            return Err(self.stays(detail, statuses));
        }
        let won = |status: &&LeadStatus| status.class == LeadStatusClass::Won;
        let Some(key) = named else {
            let usual = statuses.living().filter(won).find(|status| status.key == status::CONVERTED);
            let found = usual.or_else(|| statuses.living().find(won));
            let detail = "There is no status of the class won to choose. Add one first.";
            return found.ok_or_else(|| Invalid::one(FieldProblem::at("/status", "required", detail)));
        };
        statuses.living().filter(won).find(|status| status.key == key).ok_or_else(|| {
            let known = statuses.living().filter(won).map(|status| status.key.as_str()).collect::<Vec<_>>().join(", ");
            let detail = format!("A converted lead has a status of the class won. There are: {known}.");
            Invalid::one(FieldProblem::at("/status", "unknown_status", detail))
        })
    }

    /// The lead once it has become these records.
    pub fn converted(&self, status: &LeadStatus, became: Became, stamp: Stamp) -> Result<Self, Invalid> {
        let after = Self {
            converted_at: Some(stamp.at.max(self.updated_at)),
            converted_contact_id: Some(became.contact),
            converted_company_id: became.company,
            converted_opportunity_id: became.opportunity,
            ..self.clone()
        };
        self.with_status(status, stamp, after)
    }

    /// The lead as it was before, with the status that it had. Where that is gone by now, or means something else, it begins
    /// anew.
    pub fn unconverted(&self, before: &StatusBefore, statuses: &LeadStatuses, stamp: Stamp) -> Result<Self, Invalid> {
        let after = Self {
            converted_at: None,
            converted_contact_id: None,
            converted_company_id: None,
            converted_opportunity_id: None,
            ..self.clone()
        };
        match statuses.find(&before.key).filter(|status| status.class.converts()) {
            Some(status) => {
                let after = self.with_status(status, stamp, after)?;
                Ok(Self { status_entered_at: before.entered_at, ..after })
            }
            None => self.with_status(status::of_new(None, statuses)?, stamp, after),
        }
    }

    /// Whether a contact of this name can be the person, as far as the names say.
    pub fn may_be_named(&self, name: &str) -> bool {
        let names = [&self.first_name, &self.middle_name, &self.last_name];
        let own = names.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        own.is_empty() || text::fold(&own) == text::fold(name)
    }
}
