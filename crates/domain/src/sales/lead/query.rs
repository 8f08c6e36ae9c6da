//! What to list or search for, and how.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::{LeadRating, LeadSource};
use crate::{
    filter::{Filter, Node, Parameters},
    id::{TeamId, UserId},
    page::{Count, RecordSort},
    people::contact::DeletedInList,
    record::{CountryCode, Tag},
    sales::lead_status::LeadStatusClass,
};

/// The key of a lead status, as parameters and bodies take it: the schema alone.
pub struct LeadStatusKey;

impl PartialSchema for LeadStatusKey {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("Key of a lead status."));
        text.pattern(Some("^[a-z][a-z0-9_]{0,62}$")).examples(["contacted"]).into()
    }
}

impl ToSchema for LeadStatusKey {}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeadQuery {
    /// Finds leads by how words of name, company's name and e-mail address begin, and by parts of telephone numbers.
    /// Where nothing is found so, parts of words count, and then words with typing errors. Every word has to be found.
    /// Without `sort`, the best match comes first.
    #[param(min_length = 1, max_length = 200, example = "anna lindt")]
    pub q: Option<String>,
    /// Only leads of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only leads of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only leads of these statuses. Repeat for several.
    #[param(value_type = Vec<LeadStatusKey>, max_items = 100)]
    pub status: Vec<String>,
    /// Only leads whose status means this. Repeat for several.
    #[param(max_items = 10)]
    pub status_class: Vec<LeadStatusClass>,
    /// Only leads that became known by this. Repeat for several.
    #[param(max_items = 20)]
    pub lead_source: Vec<LeadSource>,
    /// Only leads that are this promising. Repeat for several.
    #[param(max_items = 10)]
    pub rating: Vec<LeadRating>,
    /// Only leads that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// Only who has this e-mail address.
    #[param(max_length = 254, example = "a.lindt@example.com")]
    pub email: Option<String>,
    /// Only leads whose first address is in one of these countries. Repeat for several.
    #[param(value_type = Vec<CountryCode>, max_items = 100)]
    pub country: Vec<String>,
    /// Only leads created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only leads created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only leads changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only leads changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted leads instead of the living.
    #[param(inline = false)]
    pub deleted: DeletedInList,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    pub count: Option<Count>,
    /// Only these fields of each record, and its id. Repeat for several.
    #[param(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`. Repeat for several.
    #[param(max_items = 5)]
    pub expand: Vec<LeadRelation>,
}

impl LeadQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.status.is_empty(), "status", "status"),
            (!self.status_class.is_empty(), "status_class", "status_class"),
            (!self.lead_source.is_empty(), "lead_source", "lead_source"),
            (!self.rating.is_empty(), "rating", "rating"),
            (!self.tag.is_empty(), "tag", "tags"),
            (self.email.is_some(), "email", "emails"),
            (!self.country.is_empty(), "country", "addresses"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref())).chain(LeadRelation::fields_used(&self.expand)).collect()
    }

    /// The parameters as nodes of a filter, each with its name. `q` looks after itself.
    pub fn filter_nodes(&self) -> Vec<(&'static str, Node)> {
        Parameters::default()
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_of("status", &self.status)
            .one_of("status_class", &self.status_class)
            .one_of("lead_source", &self.lead_source)
            .one_of("rating", &self.rating)
            .one_among("tag", "tags", &self.tag)
            .text("email", self.email.as_ref())
            .one_of("country", &self.country)
            .after("created_after", "created_at", self.created_after)
            .before("created_before", "created_at", self.created_before)
            .after("updated_after", "updated_at", self.updated_after)
            .before("updated_before", "updated_at", self.updated_before)
            .into_nodes()
    }
}

/// What is searched for, and how the answer shall be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({
    "filter": {"version": 1, "entity": "lead", "where":
        {"type": "choice", "field": "status_class", "op": "in", "values": ["open", "ongoing"]}},
    "sort": "name", "limit": 20
}))]
pub struct LeadSearch {
    /// Which leads; all where there is no filter.
    #[schema(nullable = false)]
    pub filter: Option<Filter>,
    /// Order of the list; ties are broken by id. `-created_at` unless said otherwise.
    #[schema(nullable = false)]
    pub sort: Option<RecordSort>,
    /// Most records of a page.
    #[schema(nullable = false, minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[schema(nullable = false, max_length = 2000)]
    pub cursor: Option<String>,
    /// Asks for a total. Exact counts stop at 10,000.
    #[schema(nullable = false)]
    pub count: Option<Count>,
    /// Only these fields of each record, and its id.
    #[schema(max_items = 50)]
    pub fields: Vec<String>,
    /// Embeds related records under `expanded`.
    #[schema(max_items = 5)]
    pub expand: Vec<LeadRelation>,
    /// `only` finds the deleted leads instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl LeadSearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(LeadRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadRelation {
    Owner,
}

impl LeadRelation {
    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Owner => ("expand", "owner_id"),
        };
        expand.iter().map(field).collect()
    }
}
