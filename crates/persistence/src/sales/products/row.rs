//! A product as its table holds it: columns for what is searched, sorted or joined, one document for the rest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use rapport_domain::{
    id::{ProductId, TeamId, UserId},
    record::ExternalId,
    sales::product::{Price, Product},
    workspace::custom_field::CustomValues,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use crate::{StoreError, codes, json::Json, schema::products};

/// The columns, in their order.
pub(super) const COLUMNS: &[&str] = &[
    "workspace_id",
    "id",
    "version",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "deleted_at",
    "owner_id",
    "team_id",
    "source",
    "tags",
    "external_ids",
    "custom",
    "code",
    "name",
    "tax_rate",
    "recurring_interval",
    "active",
    "stock_state",
    "details",
    "currencies",
    "search",
    "sort_name",
    "folded",
];

#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset, Serialize)]
#[diesel(table_name = products, primary_key(workspace_id, id), check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct Row {
    pub(crate) workspace_id: Uuid,
    pub(crate) id: Uuid,
    version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_by: Option<Uuid>,
    deleted_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    team_id: Option<Uuid>,
    source: String,
    tags: Vec<String>,
    external_ids: Json<Vec<ExternalId>>,
    custom: Json<CustomValues>,
    code: String,
    name: String,
    tax_rate: Option<Decimal>,
    recurring_interval: Option<String>,
    active: bool,
    stock_state: Option<String>,
    details: Json<Details>,
    currencies: Vec<String>,
    search: String,
    pub(crate) sort_name: String,
    folded: Json<BTreeMap<String, String>>,
}

/// What is only shown. What is missing or empty is left out: less for the database to read and to keep.
#[skip_serializing_none]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Details {
    description: Option<String>,
    category: Option<String>,
    unit: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prices: Vec<Price>,
    tax_category: Option<String>,
}

impl Row {
    /// The row of a product.
    pub(crate) fn of(workspace: Uuid, product: &Product) -> Self {
        Self {
            workspace_id: workspace,
            id: product.id.uuid(),
            version: product.version,
            created_at: product.created_at,
            updated_at: product.updated_at,
            created_by: product.created_by,
            updated_by: product.updated_by,
            deleted_at: product.deleted_at,
            owner_id: product.owner_id.map(UserId::uuid),
            team_id: product.team_id.map(TeamId::uuid),
            source: codes::word(&product.source),
            tags: product.tags.clone(),
            external_ids: Json(product.external_ids.clone()),
            custom: Json(product.custom.clone()),
            code: product.code.clone(),
            name: product.name.clone(),
            tax_rate: product.tax_rate,
            recurring_interval: product.recurring_interval.as_ref().map(codes::word),
            active: product.active,
            stock_state: product.stock_state.as_ref().map(codes::word),
            details: Json(Details {
                description: product.description.clone(),
                category: product.category.clone(),
                unit: product.unit.clone(),
                prices: product.prices.clone(),
                tax_category: product.tax_category.clone(),
            }),
            currencies: product.currencies(),
            search: product.search_text(),
            sort_name: product.sort_name(),
            folded: Json(product.folded()),
        }
    }

    /// The product of a row.
    pub(crate) fn into_product(self) -> Result<Product, StoreError> {
        let Json(details) = self.details;
        Ok(Product {
            id: ProductId::from_uuid(self.id),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            created_by: self.created_by,
            updated_by: self.updated_by,
            deleted_at: self.deleted_at,
            owner_id: self.owner_id.map(UserId::from_uuid),
            team_id: self.team_id.map(TeamId::from_uuid),
            source: codes::value(&self.source)?,
            tags: self.tags,
            custom: self.custom.0,
            external_ids: self.external_ids.0,
            code: self.code,
            name: self.name,
            description: details.description,
            category: details.category,
            unit: details.unit,
            prices: details.prices,
            tax_category: details.tax_category,
            tax_rate: self.tax_rate.map(|rate| rate.normalize()),
            recurring_interval: codes::optional(self.recurring_interval.as_deref())?,
            active: self.active,
            stock_state: codes::optional(self.stock_state.as_deref())?,
            expanded: None,
        })
    }
}
