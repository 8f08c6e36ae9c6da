//! What callers say of leads: new ones, changes, and moves.

use rust_decimal::Decimal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{LeadRating, LeadSource, LeadStatusKey, Utm};
use crate::{
    id::{LostReasonId, TeamId, UserId},
    people::{
        company::EmployeeRange,
        contact::{tags, tags_or_null},
        contact_point::{EmailAddress, PhoneNumber, PostalAddress},
    },
    record::Channel,
    workspace::custom_field::{CustomValues, values_schema, values_schema_of_patch},
};

/// A lead to be created. A name, the name of a company, an e-mail address or a telephone number is needed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "first_name": "Anna", "last_name": "Lindt", "company_name": "Lindt & Daughters",
    "emails": [{"address": "anna.lindt@example.com", "type": "work"}],
    "lead_source": "trade_show", "rating": "warm", "expected_amount": "12500.00", "currency": "EUR"
}))]
pub struct NewLead {
    /// User who looks after this lead: whoever creates it, unless said otherwise. Null for nobody.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to: the owner's main team, unless said otherwise. Null for none.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Channel on which the lead first came.
    pub source_channel: Option<Channel>,
    /// Free tags.
    #[schema(nullable = false, max_items = 100, schema_with = tags)]
    pub tags: Vec<String>,
    /// Values of the workspace's own fields, by key.
    #[schema(schema_with = values_schema)]
    pub custom: CustomValues,
    /// Form of address.
    #[schema(min_length = 1, max_length = 50)]
    pub salutation: Option<String>,
    /// Given name.
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: Option<String>,
    /// Middle names.
    #[schema(min_length = 1, max_length = 100)]
    pub middle_name: Option<String>,
    /// Family name.
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: Option<String>,
    /// What the person does at the company.
    #[schema(min_length = 1, max_length = 255)]
    pub job_title: Option<String>,
    /// Name of the company, which need not be known to Rapport.
    #[schema(min_length = 1, max_length = 255)]
    pub company_name: Option<String>,
    /// E-mail addresses; the first is the primary one.
    #[schema(max_items = 20)]
    pub emails: Vec<EmailAddress>,
    /// Telephone numbers; the first is the primary one.
    #[schema(max_items = 20)]
    pub phones: Vec<PhoneNumber>,
    /// Postal addresses; the first is the primary one.
    #[schema(max_items = 10)]
    pub addresses: Vec<PostalAddress>,
    /// Address of the web site.
    #[schema(format = "uri", max_length = 2048)]
    pub website: Option<String>,
    /// How far the lead has come, as the key of a lead status: the first open one, unless said otherwise. From then on it has
    /// moves of its own.
    #[schema(value_type = Option<LeadStatusKey>)]
    pub status: Option<String>,
    /// What made the lead known to the business.
    pub lead_source: Option<LeadSource>,
    /// How promising the lead is.
    pub rating: Option<LeadRating>,
    /// Line of business, in words.
    #[schema(min_length = 1, max_length = 255)]
    pub industry: Option<String>,
    /// Number of employees.
    pub employee_range: Option<EmployeeRange>,
    /// What might be sold, with up to four decimals. Goes with `currency`.
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$")]
    pub expected_amount: Option<Decimal>,
    /// ISO 4217 code of the currency of `expected_amount`.
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub currency: Option<String>,
    /// How the lead found the web site, as the address said it.
    pub utm: Option<Utm>,
    /// Why the lead was lost: a lost reason that can be chosen. Every lost lead needs one, unless it is junk.
    #[schema(value_type = Option<Uuid>)]
    pub lost_reason_id: Option<LostReasonId>,
    /// The same in words.
    #[schema(min_length = 1, max_length = 2000)]
    pub lost_note: Option<String>,
}

/// Changes to a lead, as JSON Merge Patch: absent fields stay, null clears, lists and `utm` are replaced. The status has moves
/// of its own: `POST /v1/leads/{lead_id}/move` and `/recycle`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"rating": "hot", "expected_amount": "20000", "currency": "EUR", "middle_name": null}))]
pub struct LeadPatch {
    /// User who looks after this lead.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<Option<UserId>>,
    /// Team that it belongs to. A new owner brings their main team along, unless a team is named.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub team_id: Option<Option<TeamId>>,
    /// Channel on which the lead first came.
    #[serde(with = "::serde_with::rust::double_option")]
    pub source_channel: Option<Option<Channel>>,
    /// Free tags. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = tags_or_null)]
    pub tags: Option<Option<Vec<String>>>,
    /// Values of the workspace's own fields, by key; null clears one.
    #[schema(schema_with = values_schema_of_patch)]
    pub custom: Option<CustomValues>,
    /// Form of address.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 50)]
    pub salutation: Option<Option<String>>,
    /// Given name.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub first_name: Option<Option<String>>,
    /// Middle names.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub middle_name: Option<Option<String>>,
    /// Family name.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 100)]
    pub last_name: Option<Option<String>>,
    /// What the person does at the company.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 255)]
    pub job_title: Option<Option<String>>,
    /// Name of the company, which need not be known to Rapport.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 255)]
    pub company_name: Option<Option<String>>,
    /// E-mail addresses; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub emails: Option<Option<Vec<EmailAddress>>>,
    /// Telephone numbers; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 20)]
    pub phones: Option<Option<Vec<PhoneNumber>>>,
    /// Postal addresses; the first is the primary one. Null is an empty list.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(max_items = 10)]
    pub addresses: Option<Option<Vec<PostalAddress>>>,
    /// Address of the web site.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "uri", max_length = 2048)]
    pub website: Option<Option<String>>,
    /// What made the lead known to the business.
    #[serde(with = "::serde_with::rust::double_option")]
    pub lead_source: Option<Option<LeadSource>>,
    /// How promising the lead is.
    #[serde(with = "::serde_with::rust::double_option")]
    pub rating: Option<Option<LeadRating>>,
    /// Line of business, in words.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 255)]
    pub industry: Option<Option<String>>,
    /// Number of employees.
    #[serde(with = "::serde_with::rust::double_option")]
    pub employee_range: Option<Option<EmployeeRange>>,
    /// What might be sold, with up to four decimals. Goes with `currency`.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<String>, pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$")]
    pub expected_amount: Option<Option<Decimal>>,
    /// ISO 4217 code of the currency of `expected_amount`.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "currency-code", pattern = "^[A-Z]{3}$")]
    pub currency: Option<Option<String>>,
    /// How the lead found the web site, as the address said it. It is replaced as a whole.
    #[serde(with = "::serde_with::rust::double_option")]
    pub utm: Option<Option<Utm>>,
    /// Why the lead was lost: a lost reason that can be chosen. Every lost lead needs one, unless it is junk.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(value_type = Option<Uuid>)]
    pub lost_reason_id: Option<Option<LostReasonId>>,
    /// The same in words.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 2000)]
    pub lost_note: Option<Option<String>>,
}

/// What a patch of a lead that is not there yet creates: null is absent there, but for owner and team.
impl From<LeadPatch> for NewLead {
    fn from(patch: LeadPatch) -> Self {
        Self {
            owner_id: patch.owner_id,
            team_id: patch.team_id,
            source_channel: patch.source_channel.flatten(),
            tags: patch.tags.flatten().unwrap_or_default(),
            custom: patch.custom.unwrap_or_default(),
            salutation: patch.salutation.flatten(),
            first_name: patch.first_name.flatten(),
            middle_name: patch.middle_name.flatten(),
            last_name: patch.last_name.flatten(),
            job_title: patch.job_title.flatten(),
            company_name: patch.company_name.flatten(),
            emails: patch.emails.flatten().unwrap_or_default(),
            phones: patch.phones.flatten().unwrap_or_default(),
            addresses: patch.addresses.flatten().unwrap_or_default(),
            website: patch.website.flatten(),
            status: None,
            lead_source: patch.lead_source.flatten(),
            rating: patch.rating.flatten(),
            industry: patch.industry.flatten(),
            employee_range: patch.employee_range.flatten(),
            expected_amount: patch.expected_amount.flatten(),
            currency: patch.currency.flatten(),
            utm: patch.utm.flatten(),
            lost_reason_id: patch.lost_reason_id.flatten(),
            lost_note: patch.lost_note.flatten(),
        }
    }
}

/// A move of a lead to another status.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"status": "unqualified", "lost_reason_id": "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b", "lost_note": "Too small."}))]
pub struct LeadMove {
    /// Key of the status that the lead gets.
    #[schema(value_type = LeadStatusKey)]
    pub status: String,
    /// Why the lead is lost: a lost reason that can be chosen. Needed where the lead is lost, unless it is junk.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub lost_reason_id: Option<LostReasonId>,
    /// The same in words.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    pub lost_note: Option<String>,
}
