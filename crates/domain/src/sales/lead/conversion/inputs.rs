//! What callers say of a conversion.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ConversionTarget;
use crate::{
    id::{CompanyId, ContactId, PipelineId, StageId},
    people::{company::CompanyPatch, contact::ContactPatch},
    problem::{Fields, Invalid},
    sales::opportunity::OpportunityPatch,
};

/// How a lead shall be converted. All of it can be left out: then contact and company are found by what the lead says, or
/// else created, and there is no opportunity.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "contact": {"values": {"job_title": "Director"}}, "company": {"mode": "new"},
    "opportunity": {"values": {"name": "Packing line", "close_date": "2026-12-15"}},
    "field_map": [{"from": "interest", "kind": "opportunity", "to": "product_line"}]
}))]
pub struct ConvertLead {
    /// Status of the class `won` that the lead gets, as its key: `converted`, unless said otherwise.
    #[serde(default)]
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "converted")]
    pub status: Option<String>,
    /// The person.
    #[serde(default)]
    #[schema(inline = false)]
    pub contact: ConvertToContact,
    /// The company that the person works for.
    #[serde(default)]
    #[schema(inline = false)]
    pub company: ConvertToCompany,
    /// What may be sold; none where it is left out or null.
    #[serde(default)]
    pub opportunity: Option<ConvertToOpportunity>,
    /// Custom fields that go to others of another key. Those of the same key need not be listed.
    #[serde(default)]
    #[schema(max_items = 600)]
    pub field_map: Vec<FieldMapping>,
}

/// The contact that a lead shall become: the one named, or one that is found or created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertToContact {
    /// A contact that is there. It is given what it lacks, and keeps what it has.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub id: Option<ContactId>,
    /// Where none is named: whether one that is known is looked for.
    #[serde(default)]
    #[schema(inline = false)]
    pub mode: ContactChoice,
    /// What a new contact shall have instead of what the lead says; null leaves a field empty. Not its `company_id`, which is
    /// that of `company`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub values: Option<ContactPatch>,
}

/// The company that a lead shall become: the one named, or one that is found or created, or none.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertToCompany {
    /// A company that is there. It is given what it lacks, and keeps what it has.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub id: Option<CompanyId>,
    /// Where none is named: whether one that is known is looked for, and whether there shall be one at all.
    #[serde(default)]
    #[schema(inline = false)]
    pub mode: CompanyChoice,
    /// What a new company shall have instead of what the lead says; null leaves a field empty.
    #[serde(default)]
    #[schema(nullable = false)]
    pub values: Option<CompanyPatch>,
}

/// The opportunity that a lead shall become.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertToOpportunity {
    /// Pipeline that it goes through: that of the stage, else the default one.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub pipeline_id: Option<PipelineId>,
    /// Stage that it begins in: the first in which opportunities may, unless said otherwise.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub stage_id: Option<StageId>,
    /// What it shall have instead of what the lead says; null leaves a field empty. Not its `company_id`, which is that of
    /// `company`. `contacts` are further ones, unless the contact that the lead becomes is among them.
    #[serde(default)]
    #[schema(nullable = false)]
    pub values: Option<OpportunityPatch>,
}

/// Where the contact that a lead becomes comes from, unless it is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactChoice {
    /// The one that is recognised, or else a new one. The answer is 409 where several may be meant.
    #[default]
    Match,
    /// A new one, whoever is known.
    New,
}

/// Where the company that a lead becomes comes from, unless it is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompanyChoice {
    /// The one that is recognised, or else a new one; none where the lead names none. The answer is 409 where several may be
    /// meant.
    #[default]
    Match,
    /// A new one, whichever is known.
    New,
    /// None.
    None,
}

/// Where the value of a custom field goes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldMapping {
    /// Key of the custom field of leads.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "interest")]
    pub from: String,
    /// What the other field belongs to.
    pub kind: ConversionTarget,
    /// Key of the custom field there.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,62}$", example = "product_line")]
    pub to: String,
}

impl ConvertLead {
    /// Refuses what contradicts itself.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut fields = Fields::default();
        let mut refuse = |pointer: &str, detail: &str| fields.refuse(pointer, "contradiction", detail);
        let (contact, company) = (&self.contact, &self.company);
        let once_named = "One that is there is named. Leave this out, or the id.";
        if contact.id.is_some() && contact.mode == ContactChoice::New {
            refuse("/contact/mode", once_named);
        }
        if company.id.is_some() && company.mode != CompanyChoice::Match {
            refuse("/company/mode", once_named);
        }
        let of_new = "One that is there keeps what it has. Leave the values out, or the id.";
        if contact.id.is_some() && contact.values.is_some() {
            refuse("/contact/values", of_new);
        }
        if company.id.is_some() && company.values.is_some() {
            refuse("/company/values", of_new);
        }
        if company.mode == CompanyChoice::None && company.values.is_some() {
            refuse("/company/values", "There shall be no company. Leave the values out, or choose another mode.");
        }
        let its_company = "Which company it is says company.id. Leave this out.";
        if contact.values.as_ref().is_some_and(|values| values.company_id.is_some()) {
            refuse("/contact/values/company_id", its_company);
        }
        let of_opportunity = self.opportunity.as_ref().and_then(|opportunity| opportunity.values.as_ref());
        if of_opportunity.is_some_and(|values| values.company_id.is_some()) {
            refuse("/opportunity/values/company_id", its_company);
        }
        fields.verdict()
    }
}
