//! Opportunities: what may be sold, to whom, for how much and when.

mod line;
mod moves;
mod query;
mod recurring;
mod spell;

pub use self::{
    line::{AmountSource, DiscountType, Line, LineProduct, LineProducts, NewLine},
    moves::{Closing, LoseOpportunity, MoveOpportunity, ReopenOpportunity, WinOpportunity},
    query::{OpportunityQuery, OpportunityRelation, OpportunitySearch},
    recurring::{RecurringRevenue, RecurringRevenueChanges},
    spell::{CloseDateChange, StageSpell},
};

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{
    lead::LeadSource,
    pipeline::{ForecastCategory, Pipeline, Pipelines, Stage, StageClass},
};
use crate::{
    id::{CompanyId, ContactId, LeadId, LostReasonId, OpportunityId, PipelineId, StageId, TeamId, UserId},
    money,
    people::{
        company::Company,
        contact::{list, tags, tags_or_null},
    },
    problem::{Fields, Invalid},
    record::{self, ExternalId, Source, Stamp},
    standards, text,
    workspace::{
        custom_field::{CustomValues, folded_values, merged, values_schema, values_schema_of_patch},
        user::UserSummary,
    },
};

/// Fields that a stage can require.
pub const REQUIRABLE: &[&str] = &[
    "owner_id",
    "team_id",
    "tags",
    "description",
    "company_id",
    "contacts",
    "amount",
    "lines",
    "recurring",
    "type",
    "lead_source",
    "close_date",
    "next_step",
];

/// What may be sold: to whom, for how much and when.
#[derive(Clone, Debug, PartialEq, Serialize, Validate, ToSchema)]
pub struct Opportunity {
    /// Identifies the opportunity for ever.
    #[schema(value_type = Uuid, example = "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5e")]
    pub id: OpportunityId,
    /// Counts the changes; also the ETag.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// User or API key that created it; null when Rapport did.
    pub created_by: Option<Uuid>,
    /// User or API key that last changed it; null when Rapport did.
    pub updated_by: Option<Uuid>,
    /// When it was deleted; null while it lives.
    pub deleted_at: Option<DateTime<Utc>>,
    /// User who looks after this opportunity.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// Team that this opportunity belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<TeamId>,
    /// How the record came to be.
    pub source: Source,
    /// Free tags.
    #[schema(example = json!(["fair 2026"]))]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Ids under which outside systems know the opportunity.
    pub external_ids: Vec<ExternalId>,
    /// What it is called.
    #[schema(example = "Packing line for Lindt & Daughters")]
    pub name: String,
    /// What there is to know about it.
    pub description: Option<String>,
    /// Company that may buy.
    #[schema(value_type = Option<Uuid>)]
    pub company_id: Option<CompanyId>,
    /// People who have to do with it.
    pub contacts: Vec<OpportunityContact>,
    /// Pipeline that it goes through.
    #[schema(value_type = Uuid)]
    pub pipeline_id: PipelineId,
    /// Stage that it is in.
    #[schema(value_type = Uuid)]
    pub stage_id: StageId,
    /// What it means that it is in this stage.
    pub stage_class: StageClass,
    /// When it came to this stage.
    pub stage_entered_at: DateTime<Utc>,
    /// How likely it is won, in percent: that of the stage when it came there, unless somebody knew better.
    #[schema(minimum = 0, maximum = 100, example = 50)]
    pub probability: i16,
    /// What a forecast counts it as: that of the stage when it came there, unless somebody knew better.
    pub forecast_category: ForecastCategory,
    /// What it is worth, in `currency`.
    #[schema(value_type = Option<String>, example = "12500.00")]
    pub amount: Option<Decimal>,
    /// ISO 4217 code of the currency of all its amounts.
    #[validate(custom(function = "standards::currency"))]
    #[schema(example = "EUR")]
    pub currency: Option<String>,
    /// Where the amount comes from.
    pub amount_source: AmountSource,
    /// Amount times probability, rounded half away from zero to the digits of the currency.
    #[schema(value_type = Option<String>, example = "6250.00")]
    pub expected_amount: Option<Decimal>,
    /// What comes again and again, if it does.
    pub recurring: Option<RecurringRevenue>,
    /// What shall be sold, line by line.
    pub lines: Vec<Line>,
    /// What kind of business it is.
    #[serde(rename = "type")]
    pub kind: Option<OpportunityType>,
    /// How the business came to know of it.
    pub lead_source: Option<LeadSource>,
    /// Lead that was converted to it.
    #[schema(value_type = Option<Uuid>)]
    pub originating_lead_id: Option<LeadId>,
    /// When it is expected to be won.
    pub close_date: Option<NaiveDate>,
    /// What is to be done next, in words.
    #[schema(example = "Send the second offer")]
    pub next_step: Option<String>,
    /// When it was won; null where it was not.
    pub won_at: Option<DateTime<Utc>>,
    /// When it was lost; null where it was not.
    pub lost_at: Option<DateTime<Utc>>,
    /// When it was won or lost; null while it is open.
    pub closed_at: Option<DateTime<Utc>>,
    /// Why it was lost.
    #[schema(value_type = Option<Uuid>)]
    pub lost_reason_id: Option<LostReasonId>,
    /// Why it was lost, in words.
    #[schema(example = "The other offer came with an assembly crew.")]
    pub lost_note: Option<String>,
    /// Related records, where `expand` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expanded: Option<Box<OpportunityExpanded>>,
}

/// Records that belong to an opportunity. Null when there is none, when it was deleted, or when `expand` did not name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct OpportunityExpanded {
    #[schema(required)]
    pub company: Option<Company>,
    #[schema(required)]
    pub owner: Option<UserSummary>,
    #[schema(required)]
    pub pipeline: Option<Pipeline>,
}

/// Somebody who has to do with an opportunity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpportunityContact {
    /// Who it is. Each contact once.
    #[schema(value_type = Uuid)]
    pub contact_id: ContactId,
    /// What they have to say.
    #[serde(default)]
    pub role: Option<ContactRole>,
    /// Whom to talk to first. The first of the list, unless another one is.
    #[serde(default)]
    #[schema(default = false)]
    pub primary: bool,
}

/// What somebody has to say about an opportunity. More values will follow: treat an unknown one as `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactRole {
    DecisionMaker,
    Evaluator,
    Influencer,
    ExecutiveSponsor,
    TechnicalEvaluator,
    User,
    Other,
}

/// What kind of business an opportunity is. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpportunityType {
    NewBusiness,
    ExistingBusiness,
    Renewal,
    Upsell,
    CrossSell,
}

/// An opportunity to be created. It begins in an open stage; to be won or lost comes after.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "name": "Packing line for Lindt & Daughters", "amount": "12500.00", "currency": "EUR", "close_date": "2026-12-15",
    "type": "new_business", "lead_source": "trade_show"
}))]
pub struct NewOpportunity {
    /// What it is called.
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: String,
    /// What there is to know about it.
    #[schema(min_length = 1, max_length = 20_000)]
    pub description: Option<String>,
    /// User who looks after this opportunity: whoever creates it, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to: the owner's main team, unless said otherwise. Null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Free tags.
    #[schema(schema_with = tags)]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Company that may buy.
    #[schema(value_type = Option<Uuid>)]
    pub company_id: Option<CompanyId>,
    /// People who have to do with it.
    #[schema(max_items = 100)]
    pub contacts: Vec<OpportunityContact>,
    /// Pipeline that it goes through: that of the stage, else the default one.
    #[schema(value_type = Option<Uuid>)]
    pub pipeline_id: Option<PipelineId>,
    /// Stage that it begins in: the first in which opportunities may, unless said otherwise.
    #[schema(value_type = Option<Uuid>)]
    pub stage_id: Option<StageId>,
    /// How likely it is won, in percent; that of the stage unless said otherwise.
    #[schema(minimum = 0, maximum = 100)]
    pub probability: Option<i16>,
    /// What a forecast counts it as; that of the stage unless said otherwise.
    pub forecast_category: Option<ForecastCategory>,
    /// What it is worth, in `currency`, with the decimals that the currency has. Where there are lines it is their sum.
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$", example = "12500.00")]
    pub amount: Option<Decimal>,
    /// ISO 4217 code of the currency of all its amounts.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub currency: Option<String>,
    /// Where the amount comes from: `lines` where there are some, else `manual`, unless said otherwise.
    pub amount_source: Option<AmountSource>,
    /// What comes again and again, if it does.
    pub recurring: Option<RecurringRevenue>,
    /// What shall be sold, line by line.
    #[schema(max_items = 500)]
    pub lines: Vec<NewLine>,
    /// What kind of business it is.
    #[serde(rename = "type")]
    pub kind: Option<OpportunityType>,
    /// How the business came to know of it.
    pub lead_source: Option<LeadSource>,
    /// When it is expected to be won.
    pub close_date: Option<NaiveDate>,
    /// What is to be done next, in words.
    #[schema(min_length = 1, max_length = 500)]
    pub next_step: Option<String>,
}

/// Changes to an opportunity, as JSON Merge Patch: absent fields stay, null clears, lists are replaced. To move it to
/// another stage, to win or lose it are actions of their own.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"amount": "11800.00", "close_date": "2027-01-31", "next_step": null}))]
pub struct OpportunityPatch {
    /// What it is called.
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// What there is to know about it.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 20_000)]
    pub description: Option<Option<String>>,
    /// User who looks after this opportunity.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to. A new owner brings their main team along, unless a team is named.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Free tags. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = tags_or_null)]
    pub tags: Option<Option<Vec<String>>>,
    /// Values of the workspace's own fields, by key; null clears one.
    #[schema(schema_with = values_schema_of_patch)]
    pub custom: Option<CustomValues>,
    /// Company that may buy.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub company_id: Option<Option<CompanyId>>,
    /// People who have to do with it. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 100)]
    pub contacts: Option<Option<Vec<OpportunityContact>>>,
    /// How likely it is won, in percent; null for what the stage says. Only while it is open.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(minimum = 0, maximum = 100)]
    pub probability: Option<Option<i16>>,
    /// What a forecast counts it as; null for what the stage says. Only while it is open.
    #[serde(with = "::serde_with::rust::double_option")]
    pub forecast_category: Option<Option<ForecastCategory>>,
    /// What it is worth, in `currency`, with the decimals that the currency has. Not where it comes from the lines.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$")]
    pub amount: Option<Option<Decimal>>,
    /// ISO 4217 code of the currency of all its amounts.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub currency: Option<Option<String>>,
    /// Where the amount comes from. Where lines are given it is `lines`, unless said otherwise.
    #[schema(nullable = false)]
    pub amount_source: Option<AmountSource>,
    /// What comes again and again, if it does. What is absent in it stays; null for nothing.
    #[serde(with = "::serde_with::rust::double_option")]
    pub recurring: Option<Option<RecurringRevenueChanges>>,
    /// What shall be sold, line by line. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 500)]
    pub lines: Option<Option<Vec<NewLine>>>,
    /// What kind of business it is.
    #[serde(rename = "type", with = "::serde_with::rust::double_option")]
    pub kind: Option<Option<OpportunityType>>,
    /// How the business came to know of it.
    #[serde(with = "::serde_with::rust::double_option")]
    pub lead_source: Option<Option<LeadSource>>,
    /// When it is expected to be won.
    #[serde(with = "::serde_with::rust::double_option")]
    pub close_date: Option<Option<NaiveDate>>,
    /// What is to be done next, in words.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 500)]
    pub next_step: Option<Option<String>>,
}

impl OpportunityPatch {
    /// Whether it gives something back to the stage, for which the pipelines have to be known.
    pub fn takes_from_stage(&self) -> bool {
        self.probability == Some(None) || self.forecast_category == Some(None)
    }
}

/// What a patch of an opportunity that is not there yet creates: null is absent there, but for owner and team.
impl From<OpportunityPatch> for NewOpportunity {
    fn from(patch: OpportunityPatch) -> Self {
        Self {
            name: patch.name.unwrap_or_default(),
            description: patch.description.flatten(),
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
            company_id: patch.company_id.flatten(),
            contacts: patch.contacts.flatten().unwrap_or_default(),
            pipeline_id: None,
            stage_id: None,
            probability: patch.probability.flatten(),
            forecast_category: patch.forecast_category.flatten(),
            amount: patch.amount.flatten(),
            currency: patch.currency.flatten(),
            amount_source: patch.amount_source,
            recurring: patch.recurring.flatten().map(|changes| changes.applied_to(None)),
            lines: patch.lines.flatten().unwrap_or_default(),
            kind: patch.kind.flatten(),
            lead_source: patch.lead_source.flatten(),
            close_date: patch.close_date.flatten(),
            next_step: patch.next_step.flatten(),
        }
    }
}

impl Opportunity {
    /// What opportunities are found by, as fields.
    pub const SEARCHED: &[&str] = &["name", "next_step"];

    /// The fields that a role may close, in their order. A test compares them with the document.
    pub const FIELDS: &[&str] = &[
        "created_by",
        "updated_by",
        "owner_id",
        "team_id",
        "source",
        "tags",
        "custom",
        "external_ids",
        "name",
        "description",
        "company_id",
        "contacts",
        "pipeline_id",
        "stage_id",
        "stage_class",
        "stage_entered_at",
        "probability",
        "forecast_category",
        "amount",
        "currency",
        "amount_source",
        "expected_amount",
        "recurring",
        "lines",
        "type",
        "lead_source",
        "originating_lead_id",
        "close_date",
        "next_step",
        "won_at",
        "lost_at",
        "closed_at",
        "lost_reason_id",
        "lost_note",
    ];

    /// A new opportunity, in an open stage. Custom values are in the form in which they are kept, where nothing is wrong with
    /// them: a stage may require some. `products` are those that its lines name, as far as they are there.
    pub fn create(
        new: NewOpportunity,
        id: OpportunityId,
        stamp: Stamp,
        pipelines: &Pipelines,
        products: &LineProducts,
    ) -> Result<Self, Invalid> {
        let begins = beginning(&new, pipelines);
        // What else is wrong is told along with a stage that is not one.
        let (pipeline_id, stage_id, probability, forecast_category) = match &begins {
            Ok((pipeline, stage)) => (pipeline.id, stage.id, stage.probability, stage.forecast_category),
            Err(_) => {
                let (pipeline, stage) = (PipelineId::from_uuid(Uuid::nil()), StageId::from_uuid(Uuid::nil()));
                (pipeline, stage, 0, ForecastCategory::default())
            }
        };
        let mut fields = Fields::default();
        let lines = line::settle(new.lines, &[], products, new.currency.as_deref(), &mut fields);
        let opportunity = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            deleted_at: None,
            owner_id: new.owner_id.flatten(),
            team_id: new.team_id.flatten(),
            source: stamp.source,
            tags: new.tags,
            custom: merged(&CustomValues::new(), new.custom),
            external_ids: Vec::new(),
            name: new.name,
            description: new.description,
            company_id: new.company_id,
            contacts: new.contacts,
            pipeline_id,
            stage_id,
            stage_class: StageClass::Open,
            stage_entered_at: stamp.at,
            probability: new.probability.unwrap_or(probability),
            forecast_category: new.forecast_category.unwrap_or(forecast_category),
            amount: new.amount,
            currency: new.currency,
            amount_source: new.amount_source.unwrap_or(AmountSource::of(!lines.is_empty())),
            expected_amount: None,
            recurring: new.recurring,
            lines,
            kind: new.kind,
            lead_source: new.lead_source,
            originating_lead_id: None,
            close_date: new.close_date,
            next_step: new.next_step,
            won_at: None,
            lost_at: None,
            closed_at: None,
            lost_reason_id: None,
            lost_note: None,
            expanded: None,
        };
        let given = opportunity.amount;
        let checked = opportunity.checked(given, fields).and_then(|opportunity| match &begins {
            Ok((_, stage)) => opportunity.with_required(stage),
            Err(_) => Ok(opportunity),
        });
        Invalid::or_both(checked, begins).map(|(opportunity, _)| opportunity)
    }

    /// The opportunity as it would be after a patch. Version and times stay: whether anything changed is yet to be seen.
    /// `pipelines` are looked at where the patch takes something from the stage; `products` are those that its lines name, as
    /// far as they are there.
    pub fn patch(
        &self,
        patch: OpportunityPatch,
        pipelines: &Pipelines,
        products: &LineProducts,
    ) -> Result<Self, Invalid> {
        let gives_lines = patch.lines.as_ref().is_some_and(|lines| lines.as_ref().is_some_and(|some| !some.is_empty()));
        let source = if gives_lines { AmountSource::Lines } else { self.amount_source };
        let given = patch.amount.flatten();
        if self.stage_class != StageClass::Open {
            self.refuse_of_closed(&patch)?;
        }
        let currency = patch.currency.unwrap_or_else(|| self.currency.clone());
        let mut fields = Fields::default();
        let lines = match patch.lines {
            Some(given) => {
                let given = given.unwrap_or_default();
                line::settle(given, &self.lines, products, currency.as_deref(), &mut fields)
            }
            None => self.lines.clone(),
        };
        let recurring = match patch.recurring {
            Some(given) => given.map(|changes| changes.applied_to(self.recurring.as_ref())),
            None => self.recurring.clone(),
        };
        // What was deleted while it was in a stage may be in one that was taken away since.
        let stage = pipelines.get(self.pipeline_id).and_then(|pipeline| pipeline.any_stage(self.stage_id));
        let of_stage = stage.map(|stage| (stage.probability, stage.forecast_category)).unzip();
        let opportunity = Self {
            owner_id: patch.owner_id.unwrap_or(self.owner_id),
            team_id: patch.team_id.unwrap_or(self.team_id),
            tags: list(patch.tags, &self.tags),
            custom: merged(&self.custom, patch.custom.unwrap_or_default()),
            external_ids: self.external_ids.clone(),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            company_id: patch.company_id.unwrap_or(self.company_id),
            contacts: list(patch.contacts, &self.contacts),
            probability: or_given_back(patch.probability, of_stage.0, self.probability),
            forecast_category: or_given_back(patch.forecast_category, of_stage.1, self.forecast_category),
            amount: patch.amount.unwrap_or(self.amount),
            currency,
            amount_source: patch.amount_source.unwrap_or(source),
            recurring,
            lines,
            kind: patch.kind.unwrap_or(self.kind),
            lead_source: patch.lead_source.unwrap_or(self.lead_source),
            close_date: patch.close_date.unwrap_or(self.close_date),
            next_step: patch.next_step.unwrap_or_else(|| self.next_step.clone()),
            lost_note: self.lost_note.clone(),
            expanded: None,
            ..*self
        };
        opportunity.checked(given, fields)
    }

    fn refuse_of_closed(&self, patch: &OpportunityPatch) -> Result<(), Invalid> {
        let mut fields = Fields::default();
        let detail = "The opportunity is closed. Reopen it first.";
        // Null asks for what the stage says, which is what it has.
        if patch.probability.flatten().is_some_and(|probability| probability != self.probability) {
            fields.refuse("/probability", "not_allowed", detail);
        }
        if patch.forecast_category.flatten().is_some_and(|category| category != self.forecast_category) {
            fields.refuse("/forecast_category", "not_allowed", detail);
        }
        fields.verdict()
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    /// The contacts that have to do with it.
    pub fn contact_ids(&self) -> impl Iterator<Item = ContactId> {
        self.contacts.iter().map(|contact| contact.contact_id)
    }

    /// What the opportunity is found by.
    pub fn search_text(&self) -> String {
        text::search_text([Some(&self.name), self.next_step.as_ref()].into_iter().flatten().map(String::as_str))
    }

    /// Its texts as filters compare them, by field.
    pub fn folded(&self) -> BTreeMap<String, String> {
        let own = [
            ("name", Some(&self.name)),
            ("next_step", self.next_step.as_ref()),
            ("lost_note", self.lost_note.as_ref()),
        ];
        let mut folded = text::folded(own);
        folded.extend(folded_values(&self.custom));
        folded
    }

    /// What the opportunity is sorted by.
    pub fn sort_name(&self) -> String {
        text::sort_key([self.name.as_str()])
    }

    /// Tidies up and judges the whole record, whichever fields were given. `given` is an amount that was sent.
    fn checked(mut self, given: Option<Decimal>, mut fields: Fields) -> Result<Self, Invalid> {
        record::tidy_tags(&mut self.tags);
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "An opportunity needs a name.");
        }
        if self.stage_class == StageClass::Open && self.forecast_category == ForecastCategory::Closed {
            fields.refuse("/forecast_category", "not_allowed", "Only what is won is closed. Choose another category.");
        }
        self.check_contacts(&mut fields);
        let currency = self.currency.clone().filter(|currency| standards::is_currency(currency));
        line::check(&mut self.lines, currency.as_deref(), &mut fields);
        self.settle_amount(given, currency.as_deref(), &mut fields);
        self.check_recurring(currency.as_deref(), &mut fields);
        self.expected_amount = self.expected(currency.as_deref());
        fields.absorb(&self);
        fields.verdict().map(|()| self)
    }

    fn check_contacts(&mut self, fields: &mut Fields) {
        let mut known = HashSet::new();
        for (index, contact) in self.contacts.iter().enumerate() {
            if !known.insert(contact.contact_id) {
                fields.refuse(
                    format!("/contacts/{index}/contact_id"),
                    "duplicate",
                    "This contact is in the list twice.",
                );
            }
        }
        let primary = self.contacts.iter().filter(|contact| contact.primary).count();
        if primary > 1 {
            fields.refuse("/contacts", "not_allowed", "One contact alone can be the primary one.");
        }
        if let (0, Some(first)) = (primary, self.contacts.first_mut()) {
            first.primary = true;
        }
    }

    /// The amount is the sum of the lines, or as it was given.
    fn settle_amount(&mut self, given: Option<Decimal>, currency: Option<&str>, fields: &mut Fields) {
        if self.amount_source == AmountSource::Lines {
            let sum = line::sum(&self.lines);
            if sum.is_none() && !self.lines.is_empty() {
                return; // what is wrong with the lines is told already
            }
            self.amount = sum;
            if given.is_some_and(|given| Some(given) != sum) {
                let detail =
                    "The amount is the sum of the lines. Set amount_source to manual, or leave the amount out.";
                fields.refuse("/amount", "not_allowed", detail);
            }
        }
        match (self.amount, currency) {
            (Some(_), None) if self.currency.is_none() => {
                fields.refuse("/currency", "required", "An amount needs a currency.");
            }
            (Some(amount), Some(currency)) => {
                check_digits("/amount", amount, currency, fields);
                self.amount = Some(money::round(amount, currency));
            }
            _ => {}
        }
    }

    fn check_recurring(&mut self, currency: Option<&str>, fields: &mut Fields) {
        let Some(recurring) = &mut self.recurring else { return };
        let amounts = [
            ("monthly", &mut recurring.monthly),
            ("annual", &mut recurring.annual),
            ("annual_contract_value", &mut recurring.annual_contract_value),
        ];
        for (name, amount) in amounts.into_iter().filter_map(|(name, amount)| amount.as_mut().map(|some| (name, some)))
        {
            match currency {
                Some(currency) => {
                    check_digits(&format!("/recurring/{name}"), *amount, currency, fields);
                    *amount = money::round(*amount, currency);
                }
                None if self.currency.is_none() => {
                    fields.refuse("/currency", "required", "An amount needs a currency.");
                }
                None => {}
            }
        }
    }

    fn expected(&self, currency: Option<&str>) -> Option<Decimal> {
        let weighted = self.amount?.checked_mul(Decimal::from(self.probability))?.checked_div(Decimal::ONE_HUNDRED)?;
        Some(money::round(weighted, currency?))
    }

    /// The same, unless a field is empty that a stage requires.
    fn with_required(self, stage: &Stage) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        for field in stage.required_fields.iter().filter(|field| self.lacks(field)) {
            let detail = format!("The stage {} needs it. Give it a value first.", stage.name);
            fields.refuse(format!("/{}", field.replace('.', "/")), "required_in_stage", detail);
        }
        fields.verdict().map(|()| self)
    }

    fn lacks(&self, field: &str) -> bool {
        match field {
            "owner_id" => self.owner_id.is_none(),
            "team_id" => self.team_id.is_none(),
            "tags" => self.tags.is_empty(),
            "description" => self.description.is_none(),
            "company_id" => self.company_id.is_none(),
            "contacts" => self.contacts.is_empty(),
            "amount" => self.amount.is_none(),
            "lines" => self.lines.is_empty(),
            "recurring" => self.recurring.is_none(),
            "type" => self.kind.is_none(),
            "lead_source" => self.lead_source.is_none(),
            "close_date" => self.close_date.is_none(),
            "next_step" => self.next_step.is_none(),
            other => other.strip_prefix("custom.").is_some_and(|key| !self.custom.contains_key(key)),
        }
    }
}

/// What a patch makes of a value that the stage has, too: null gives it back to the stage.
fn or_given_back<T>(patch: Option<Option<T>>, of_stage: Option<T>, own: T) -> T {
    match patch {
        Some(given) => given.or(of_stage).unwrap_or(own),
        None => own,
    }
}

/// The pipeline and stage in which a new opportunity begins.
fn beginning<'p>(new: &NewOpportunity, pipelines: &'p Pipelines) -> Result<(&'p Pipeline, &'p Stage), Invalid> {
    let unknown = "There is no such stage. Name one of a pipeline, or leave it out.";
    let named = match new.stage_id {
        Some(id) => Some(pipelines.stage(id).ok_or_else(|| Invalid::at("/stage_id", "unknown_reference", unknown))?),
        None => None,
    };
    let pipeline = match (new.pipeline_id, named) {
        (Some(id), _) => pipelines.get(id).ok_or_else(|| {
            Invalid::at(
                "/pipeline_id",
                "unknown_reference",
                "There is no such pipeline. Name another, or leave it out.",
            )
        })?,
        (None, Some((pipeline, _))) => pipeline,
        (None, None) => pipelines.default().ok_or_else(|| {
            Invalid::at("/pipeline_id", "required", "The workspace has no default pipeline. Name one.")
        })?,
    };
    if pipeline.archived {
        return Err(Invalid::at("/pipeline_id", "archived", "The pipeline is archived. Name another."));
    }
    let stage = match named {
        Some((of, _)) if of.id != pipeline.id => {
            return Err(Invalid::at("/stage_id", "not_allowed", "The stage belongs to another pipeline."));
        }
        Some((_, stage)) if !stage.can_begin => {
            let detail = "Opportunities don't begin in this stage. Create it in another, and move it.";
            return Err(Invalid::at("/stage_id", "not_allowed", detail));
        }
        Some((_, stage)) => Some(stage),
        None => pipeline.beginning(),
    };
    let stage = stage.ok_or_else(|| Invalid::at("/stage_id", "required", "The pipeline has no stage to begin in."))?;
    Ok((pipeline, stage))
}

/// Refuses an amount with more decimals than its currency has.
fn check_digits(pointer: &str, amount: Decimal, currency: &str, fields: &mut Fields) {
    let digits = money::digits(currency);
    if amount.normalize().scale() > digits {
        let detail = format!("Amounts in {currency} have at most {digits} decimals.");
        fields.refuse(pointer, "too_many_decimals", detail);
    }
}
