//! Answers: records with their ETag, pages, and the fields that were asked for.

use std::borrow::Cow;

use actix_web::{HttpResponse, http::header};
use rapport_domain::{
    page::Total,
    people::{company::Company, contact::Contact},
    workspace::api_key::{ApiKey, IssuedApiKey},
};
use rapport_persistence::Page;
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type},
    },
};

use crate::{
    conditional::{KnownVersion, etag},
    problem::{ApiError, ApiResult},
};

/// A record with a version.
pub(crate) trait Versioned: Serialize {
    fn version(&self) -> i64;
}

impl Versioned for Contact {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for Company {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for ApiKey {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Versioned for IssuedApiKey {
    fn version(&self) -> i64 {
        self.api_key.version
    }
}

/// 200 with the record.
pub(crate) fn record(record: &impl Versioned) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag(record.version()))).json(record)
}

/// 201 with the record and its address.
pub(crate) fn created(record: &impl Versioned, address: String) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::ETAG, etag(record.version())))
        .insert_header((header::LOCATION, address))
        .json(record)
}

/// 200 with the record as far as it was asked for, or 304 when the caller has this version. A record with others embedded
/// has no ETag, for those may change without it.
pub(crate) fn read(
    record: &impl Versioned,
    fields: &[String],
    embeds: bool,
    known: &KnownVersion,
) -> ApiResult<HttpResponse> {
    let tag = (header::ETAG, etag(record.version()));
    if !embeds && fields.is_empty() && known.is(record.version()) {
        return Ok(HttpResponse::NotModified().insert_header(tag).finish());
    }
    let mut response = HttpResponse::Ok();
    if !embeds {
        response.insert_header(tag);
    }
    Ok(response.json(masked(record, fields)?))
}

/// 200 with a page of records as far as they were asked for.
pub(crate) fn page<T: Serialize>(page: Page<T>, fields: &[String]) -> ApiResult<HttpResponse> {
    if fields.is_empty() {
        return Ok(HttpResponse::Ok().json(ListPage::from(page)));
    }
    let data = page.data.iter().map(|record| masked(record, fields)).collect::<ApiResult<Vec<_>>>()?;
    Ok(HttpResponse::Ok().json(ListPage { data, next_cursor: page.next_cursor, total: page.total }))
}

/// The fields asked for, and those that tell which record this is.
fn masked(record: &impl Serialize, fields: &[String]) -> ApiResult<Value> {
    let mut value = serde_json::to_value(record).map_err(|error| ApiError::internal(&error.to_string()))?;
    if !fields.is_empty()
        && let Value::Object(all) = &mut value
    {
        all.retain(|name, _| ALWAYS.contains(&name.as_str()) || fields.iter().any(|field| field == name));
    }
    Ok(value)
}

/// Fields that are part of every record, whatever was asked for and whatever the caller may see.
pub(crate) const ALWAYS: &[&str] = &["id", "version", "created_at", "updated_at", "expanded"];

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct ListPage<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Total>,
}

impl<T> From<Page<T>> for ListPage<T> {
    fn from(page: Page<T>) -> Self {
        Self { data: page.data, next_cursor: page.next_cursor, total: page.total }
    }
}

/// Written by hand: the derived schema of a generic type spells its items out instead of naming them.
impl<T: ToSchema> PartialSchema for ListPage<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Leads to the next page. Null at the end of the list."));
        let data = ArrayBuilder::new()
            .items(Ref::from_schema_name(T::name()))
            .description(Some("The records of this page, in the order of the list."));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(format!("One page of a list; each entry is a {}.", T::name())))
            .property("data", data)
            .property("next_cursor", cursor)
            .property("total", Ref::from_schema_name(Total::name()))
            .required("data")
            .required("next_cursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for ListPage<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
        schemas.push((Total::name().into(), Total::schema()));
        Total::schemas(schemas);
    }
}
