//! The schema of a resource: its fields, and those that the workspace has added.

use actix_web::{get, web};
use rapport_domain::access::Resource;
use rapport_persistence::{Db, workspace::custom_fields};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::{Auth, SignedIn},
    contract::Contract,
    fields::FieldDescription,
    problem::ApiResult,
};

/// What the records of a resource hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourceSchema {
    /// The resource.
    resource: Resource,
    /// Its fields in their order, then those that the workspace has added in theirs.
    fields: Vec<FieldDescription>,
}

/// Get schema
///
/// The fields of a resource: what they hold, which rules they have, and what the caller may do with them. Custom fields
/// that are archived are left out.
#[utoipa::path(
    tag = "Custom fields", operation_id = "get_schema",
    params(("thing" = Resource, Path, description = "Name of the resource")),
    responses((status = 200, description = "The fields of the resource", body = ResourceSchema)),
    security(("bearer" = []))
)]
#[get("/schema/{thing}")]
pub(crate) async fn get_schema(
    auth: Auth<SignedIn>,
    thing: web::Path<Resource>,
    contract: web::Data<Contract>,
    db: web::Data<Db>,
) -> ApiResult<web::Json<ResourceSchema>> {
    let resource = thing.into_inner();

    let custom = db.read(&auth.scope(), move |reader| custom_fields::of(reader, resource)).await?;

    let fields = contract.fields().all(resource, custom.live());
    let fields = fields.map(|field| field.for_caller(auth.grants(), resource)).collect();
    Ok(web::Json(ResourceSchema { resource, fields }))
}
