//! Views: filters, orders and columns that are saved under a name.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Type, schema::SchemaType},
};
use uuid::Uuid;

use crate::{
    access::Resource,
    filter::{Entity, Filter},
    id::{UserId, ViewId},
    page::RecordSort,
    problem::{Fields, Invalid},
    record::{self, Stamp},
    text,
};

/// A filter, an order and columns, saved under a name: send them to `POST /v1/{resource}/search`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct View {
    /// Identifies the view for ever.
    #[schema(value_type = Uuid)]
    pub id: ViewId,
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
    /// User whose view it is; null where a program made it.
    #[schema(value_type = Option<Uuid>)]
    pub owner_id: Option<UserId>,
    /// The records that it shows.
    pub resource: Resource,
    /// Its name for people.
    #[schema(example = "Customers in Austria")]
    pub name: String,
    /// What it is good for.
    #[schema(example = "For the newsletter of the Vienna office")]
    pub description: Option<String>,
    /// Which records it shows; null for all.
    #[schema(required)]
    pub filter: Option<Filter>,
    /// In which order; null for the newest first.
    #[schema(required)]
    pub sort: Option<RecordSort>,
    /// Which fields, in their order from left to right; all where there are none.
    #[schema(example = json!(["name", "emails", "owner_id"]))]
    pub fields: Vec<String>,
    /// Who sees it.
    pub visibility: ViewVisibility,
}

/// Who sees a view. More values will follow: treat an unknown one as `private`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewVisibility {
    /// Its owner alone.
    #[default]
    Private,
    /// All who may see such records. Only its owner, and whoever manages views, changes it.
    Everyone,
}

/// A view to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "resource": "contacts", "name": "Customers in Austria", "sort": "name", "fields": ["name", "emails"],
    "filter": {"version": 1, "entity": "contact", "where":
        {"type": "choice", "field": "country", "op": "in", "values": ["AT"]}}
}))]
pub struct NewView {
    /// The records that it shows.
    pub resource: Resource,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it is good for.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<String>,
    /// Which records it shows; all unless said otherwise.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// In which order; the newest first unless said otherwise.
    #[serde(default)]
    pub sort: Option<RecordSort>,
    /// Which fields, in their order from left to right; all unless said otherwise.
    #[serde(default)]
    #[schema(max_items = 100, schema_with = columns)]
    pub fields: Vec<String>,
    /// Who sees it; `private` unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub visibility: ViewVisibility,
}

/// Changes to a view, as JSON Merge Patch: absent fields stay, null clears, lists and the filter are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Customers in Austria and Germany", "visibility": "everyone"}))]
pub struct ViewPatch {
    /// Its name for people.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it is good for.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(min_length = 1, max_length = 1000)]
    pub description: Option<Option<String>>,
    /// Which records it shows; null for all.
    #[serde(with = "::serde_with::rust::double_option")]
    pub filter: Option<Option<Filter>>,
    /// In which order; null for the newest first.
    #[serde(with = "::serde_with::rust::double_option")]
    pub sort: Option<Option<RecordSort>>,
    /// Which fields, in their order from left to right; none for all.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = columns_or_null)]
    pub fields: Option<Option<Vec<String>>>,
    /// Who sees it.
    #[schema(nullable = false)]
    pub visibility: Option<ViewVisibility>,
}

fn columns() -> utoipa::openapi::schema::Array {
    record::names_of_fields(100, "Names of fields.").build()
}

fn columns_or_null() -> utoipa::openapi::schema::Array {
    let or_null = SchemaType::from_iter([Type::Array, Type::Null]);
    record::names_of_fields(100, "Names of fields.").schema_type(or_null).build()
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ViewQuery {
    /// Only views of these records.
    #[param(inline = false)]
    pub resource: Option<Resource>,
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

impl View {
    /// A new view.
    pub fn create(new: NewView, id: ViewId, owner_id: Option<UserId>, stamp: Stamp) -> Result<Self, Invalid> {
        let view = Self {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            created_by: stamp.by,
            updated_by: stamp.by,
            owner_id,
            resource: new.resource,
            name: new.name,
            description: new.description,
            filter: new.filter,
            sort: new.sort,
            fields: new.fields,
            visibility: new.visibility,
        };
        view.checked()
    }

    /// The view as it would be after a patch.
    pub fn patch(&self, patch: ViewPatch) -> Result<Self, Invalid> {
        let view = Self {
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            filter: patch.filter.unwrap_or_else(|| self.filter.clone()),
            sort: patch.sort.unwrap_or_else(|| self.sort.clone()),
            fields: patch.fields.map_or_else(|| self.fields.clone(), Option::unwrap_or_default),
            visibility: patch.visibility.unwrap_or(self.visibility),
            ..*self
        };
        view.checked()
    }

    /// What its filter has to be about.
    pub fn entity(&self) -> Entity {
        Entity::from(self.resource)
    }

    /// Becomes the next version.
    pub fn advance(&mut self, stamp: Stamp) {
        stamp.advance(&mut self.version, &mut self.updated_at, &mut self.updated_by);
    }

    fn checked(mut self) -> Result<Self, Invalid> {
        let mut fields = Fields::default();
        text::tidy(&mut self.name);
        if self.name.is_empty() {
            fields.refuse("/name", "required", "A view needs a name.");
        }
        if self.owner_id.is_none() && self.visibility == ViewVisibility::Private {
            let detail = "Nobody would see it: a program has no views of its own. Let everyone see it.";
            fields.refuse("/visibility", "not_allowed", detail);
        }
        for (index, field) in self.fields.iter().enumerate() {
            let is_known =
                self.resource.fields().contains(&field.as_str()) || crate::access::ALWAYS.contains(&field.as_str());
            if !is_known && !field.starts_with("custom.") {
                let detail = format!("There is no field {field} in {}. Leave it out.", self.resource.as_str());
                fields.refuse(format!("/fields/{index}"), "unknown_field", detail);
            }
        }
        fields.verdict().map(|()| self)
    }
}
