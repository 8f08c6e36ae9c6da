//! Which opportunities are asked for, and how.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::OpportunityType;
use crate::{
    filter::{Filter, Node, Parameters},
    id::{CompanyId, ContactId, PipelineId, StageId, TeamId, UserId},
    page::{Count, RecordSort},
    people::contact::DeletedInList,
    record::Tag,
    sales::{
        lead::LeadSource,
        pipeline::{ForecastCategory, StageClass},
    },
};

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OpportunityQuery {
    /// Finds opportunities by how words of name and next step begin. Where nothing is found so, parts of words count,
    /// and then words with typing errors. Every word has to be found. Without `sort`, the best match comes first.
    #[param(min_length = 1, max_length = 200, example = "packing line")]
    pub q: Option<String>,
    /// Only opportunities of these users. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub owner_id: Vec<UserId>,
    /// Only opportunities of these teams. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub team_id: Vec<TeamId>,
    /// Only opportunities with these companies. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub company_id: Vec<CompanyId>,
    /// Only opportunities that one of these contacts has to do with. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub contact_id: Vec<ContactId>,
    /// Only opportunities in these pipelines. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub pipeline_id: Vec<PipelineId>,
    /// Only opportunities in these stages. Repeat for several.
    #[param(value_type = Vec<Uuid>, max_items = 100)]
    pub stage_id: Vec<StageId>,
    /// Only opportunities in stages of these classes. Repeat for several.
    #[param(max_items = 10)]
    pub stage_class: Vec<StageClass>,
    /// Only opportunities that a forecast counts as one of these. Repeat for several.
    #[param(max_items = 10)]
    pub forecast_category: Vec<ForecastCategory>,
    /// Only opportunities of these types. Repeat for several.
    #[serde(rename = "type")]
    #[param(max_items = 10)]
    pub kind: Vec<OpportunityType>,
    /// Only opportunities that came in one of these ways. Repeat for several.
    #[param(max_items = 20)]
    pub lead_source: Vec<LeadSource>,
    /// Only opportunities that have one of these tags. Repeat for several.
    #[param(value_type = Vec<Tag>, max_items = 100)]
    pub tag: Vec<String>,
    /// Only opportunities that are expected to be won on this day or later.
    pub close_date_from: Option<NaiveDate>,
    /// Only opportunities that are expected to be won on this day or earlier.
    pub close_date_to: Option<NaiveDate>,
    /// Only opportunities created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Only opportunities created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only opportunities changed at this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Only opportunities changed before this time.
    pub updated_before: Option<DateTime<Utc>>,
    /// `only` lists the deleted opportunities instead of the living.
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
    pub expand: Vec<OpportunityRelation>,
}

impl OpportunityQuery {
    /// The fields that parameters tell of, each with the parameter. `q` looks after itself.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let used = [
            (!self.owner_id.is_empty(), "owner_id", "owner_id"),
            (!self.team_id.is_empty(), "team_id", "team_id"),
            (!self.company_id.is_empty(), "company_id", "company_id"),
            (!self.contact_id.is_empty(), "contact_id", "contacts"),
            (!self.pipeline_id.is_empty(), "pipeline_id", "pipeline_id"),
            (!self.stage_id.is_empty(), "stage_id", "stage_id"),
            (!self.stage_class.is_empty(), "stage_class", "stage_class"),
            (!self.forecast_category.is_empty(), "forecast_category", "forecast_category"),
            (!self.kind.is_empty(), "type", "type"),
            (!self.lead_source.is_empty(), "lead_source", "lead_source"),
            (!self.tag.is_empty(), "tag", "tags"),
            (self.close_date_from.is_some(), "close_date_from", "close_date"),
            (self.close_date_to.is_some(), "close_date_to", "close_date"),
        ];
        let own = used.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, parameter, field)| (parameter, field));
        own.chain(RecordSort::fields_used(self.sort.as_ref()))
            .chain(OpportunityRelation::fields_used(&self.expand))
            .collect()
    }

    /// The parameters as nodes of a filter, each with its name. `q` looks after itself.
    pub fn filter_nodes(&self) -> Vec<(&'static str, Node)> {
        Parameters::default()
            .one_of("owner_id", &self.owner_id)
            .one_of("team_id", &self.team_id)
            .one_of("company_id", &self.company_id)
            .one_among("contact_id", "contact_ids", &self.contact_id)
            .one_of("pipeline_id", &self.pipeline_id)
            .one_of("stage_id", &self.stage_id)
            .one_of("stage_class", &self.stage_class)
            .one_of("forecast_category", &self.forecast_category)
            .one_of("type", &self.kind)
            .one_of("lead_source", &self.lead_source)
            .one_among("tag", "tags", &self.tag)
            .from("close_date_from", "close_date", self.close_date_from)
            .to("close_date_to", "close_date", self.close_date_to)
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
    "filter": {"version": 1, "entity": "opportunity", "where":
        {"type": "money", "field": "amount", "op": "gte", "value": "10000", "currency": "EUR"}},
    "sort": "name", "limit": 20
}))]
pub struct OpportunitySearch {
    /// Which opportunities; all where there is no filter.
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
    pub expand: Vec<OpportunityRelation>,
    /// `only` finds the deleted opportunities instead of the living.
    #[schema(inline = false)]
    pub deleted: DeletedInList,
}

impl OpportunitySearch {
    /// The fields that its parts tell of beside the filter, each with its part.
    pub fn fields_used(&self) -> Vec<(&'static str, &'static str)> {
        let sort = RecordSort::fields_used(self.sort.as_ref());
        sort.into_iter().chain(OpportunityRelation::fields_used(&self.expand)).collect()
    }
}

/// Records that can be embedded in an opportunity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpportunityRelation {
    Company,
    Owner,
    Pipeline,
}

impl OpportunityRelation {
    /// The fields that name these records.
    pub fn fields_used(expand: &[Self]) -> Vec<(&'static str, &'static str)> {
        let field = |relation: &Self| match relation {
            Self::Company => ("expand", "company_id"),
            Self::Owner => ("expand", "owner_id"),
            Self::Pipeline => ("expand", "pipeline_id"),
        };
        expand.iter().map(field).collect()
    }
}
