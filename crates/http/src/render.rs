//! Records as their callers see them: alone with their ETag, in pages, with the fields that were asked for.

use std::borrow::Cow;

use actix_web::{HttpResponse, HttpResponseBuilder, http::header};
use rapport_domain::{
    access::{ALWAYS, FieldRule, Grants, Resource},
    activity::{calendar_feed::IssuedCalendarFeed, note::Note, task::Task},
    commerce::{
        connection::Connection,
        webhook::{IssuedWebhook, Webhook},
    },
    insight::score_definition::ScoreDefinition,
    page::Total,
    people::{company::Company, contact::Contact},
    sales::{
        assignment_rule::AssignmentRule, capture_form::CaptureForm, exchange_rate::ExchangeRate, lead::Lead,
        lead_status::LeadStatus, lost_reason::LostReason, opportunity::Opportunity, pipeline::Pipeline,
        product::Product,
    },
    workspace::{
        api_key::{ApiKey, IssuedApiKey},
        custom_field::CustomField,
        role::Role,
        session::Session,
        share::Share,
        team::Team,
        user::User,
        view::View,
    },
};
use rapport_persistence::{Page, StoreError};
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
    auth::Auth,
    conditional::{KnownVersion, etag},
    problem::ApiResult,
};

/// A record as callers see it.
pub(crate) trait Shown: Serialize {
    /// The resource that it belongs to; none where everybody who sees a record sees all of it.
    const RESOURCE: Option<Resource> = None;
    /// What can be embedded, by name, and the resource that it belongs to.
    const RELATIONS: &[(&str, Option<Resource>)] = &[];

    fn version(&self) -> i64;

    /// The record with what is derived from other fields made only of those that may be read.
    fn derived_from(&self, _readable: &FieldRule) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

impl Shown for Contact {
    const RESOURCE: Option<Resource> = Some(Resource::Contacts);
    const RELATIONS: &[(&str, Option<Resource>)] = &[("company", Some(Resource::Companies)), ("owner", None)];

    fn version(&self) -> i64 {
        self.version
    }

    fn derived_from(&self, readable: &FieldRule) -> Option<Self> {
        Some(self.named_by(readable))
    }
}

impl Shown for Company {
    const RESOURCE: Option<Resource> = Some(Resource::Companies);
    const RELATIONS: &[(&str, Option<Resource>)] = &[("parent", Some(Resource::Companies)), ("owner", None)];

    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Task {
    const RESOURCE: Option<Resource> = Some(Resource::Tasks);
    const RELATIONS: &[(&str, Option<Resource>)] = &[
        ("contact", Some(Resource::Contacts)),
        ("company", Some(Resource::Companies)),
        ("lead", Some(Resource::Leads)),
        ("opportunity", Some(Resource::Opportunities)),
        ("product", Some(Resource::Products)),
        ("owner", None),
        ("assignee", None),
    ];

    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Note {
    const RESOURCE: Option<Resource> = Some(Resource::Notes);
    const RELATIONS: &[(&str, Option<Resource>)] = &[
        ("contact", Some(Resource::Contacts)),
        ("company", Some(Resource::Companies)),
        ("lead", Some(Resource::Leads)),
        ("opportunity", Some(Resource::Opportunities)),
        ("product", Some(Resource::Products)),
        ("owner", None),
    ];

    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Opportunity {
    const RESOURCE: Option<Resource> = Some(Resource::Opportunities);
    const RELATIONS: &[(&str, Option<Resource>)] =
        &[("company", Some(Resource::Companies)), ("owner", None), ("pipeline", None)];

    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Product {
    const RESOURCE: Option<Resource> = Some(Resource::Products);
    const RELATIONS: &[(&str, Option<Resource>)] = &[("owner", None)];

    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Pipeline {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for ScoreDefinition {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for IssuedCalendarFeed {
    fn version(&self) -> i64 {
        1 // it is never changed
    }
}

impl Shown for User {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Team {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for CustomField {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Role {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Webhook {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for IssuedWebhook {
    fn version(&self) -> i64 {
        self.webhook.version
    }
}

impl Shown for Connection {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Lead {
    const RESOURCE: Option<Resource> = Some(Resource::Leads);
    const RELATIONS: &[(&str, Option<Resource>)] = &[("owner", None)];

    fn version(&self) -> i64 {
        self.version
    }

    fn derived_from(&self, readable: &FieldRule) -> Option<Self> {
        Some(self.named_by(readable))
    }
}

impl Shown for LeadStatus {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for AssignmentRule {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for CaptureForm {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for LostReason {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for ExchangeRate {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for View {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for Share {
    fn version(&self) -> i64 {
        1 // it is never changed
    }
}

impl Shown for Session {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for ApiKey {
    fn version(&self) -> i64 {
        self.version
    }
}

impl Shown for IssuedApiKey {
    fn version(&self) -> i64 {
        self.api_key.version
    }
}

/// 200 with the record as far as it was asked for, or 304 when the caller has this version. A record with others embedded
/// has no ETag, for those may change without it.
pub(crate) fn read<T: Shown, P>(
    auth: &Auth<P>,
    record: &T,
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
    body(response, auth.grants(), record, fields)
}

/// 200 with a page of records as far as they were asked for.
pub(crate) fn page<T: Shown, P>(auth: &Auth<P>, page: Page<T>, fields: &[String]) -> ApiResult<HttpResponse> {
    if fields.is_empty() && sees_everything::<T>(auth.grants()) {
        return Ok(list(page));
    }
    let shown = page.data.iter().map(|record| shown(auth.grants(), record, fields));
    let data = shown.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(HttpResponse::Ok().json(ListPage { data, next_cursor: page.next_cursor, total: page.total }))
}

/// 200 with a page of what is no record, and was made for this caller as it is.
pub(crate) fn list<T: Serialize>(page: Page<T>) -> HttpResponse {
    HttpResponse::Ok().json(ListPage::from(page))
}

fn body<T: Shown>(
    mut response: HttpResponseBuilder,
    grants: &Grants,
    record: &T,
    fields: &[String],
) -> ApiResult<HttpResponse> {
    if fields.is_empty() && sees_everything::<T>(grants) {
        return Ok(response.json(record));
    }
    Ok(response.json(shown(grants, record, fields)?))
}

/// The record as its caller sees it, written out.
pub(crate) fn text<T: Shown>(grants: &Grants, record: &T) -> Result<String, StoreError> {
    let written = match sees_everything::<T>(grants) {
        true => serde_json::to_string(record),
        false => serde_json::to_string(&shown(grants, record, &[])?),
    };
    written.map_err(|error| StoreError::Internal(error.to_string()))
}

/// Whether no field of the record, or of what is embedded in it, is closed to the caller.
fn sees_everything<T: Shown>(grants: &Grants) -> bool {
    let embedded = T::RELATIONS.iter().filter_map(|(_, resource)| *resource);
    T::RESOURCE.into_iter().chain(embedded).all(|resource| grants.on(resource).readable.allows_all())
}

/// The fields that were asked for and that the caller may read, and those that tell which record this is.
pub(crate) fn shown<T: Shown>(grants: &Grants, record: &T, fields: &[String]) -> Result<Value, StoreError> {
    let closes = T::RESOURCE.map(|resource| &grants.on(resource).readable).filter(|rule| !rule.allows_all());
    let derived = closes.and_then(|rule| record.derived_from(rule));
    let value = serde_json::to_value(derived.as_ref().unwrap_or(record));
    let mut value = value.map_err(|error| StoreError::Internal(error.to_string()))?;
    if let Value::Object(all) = &mut value {
        let asked = |name: &str| fields.is_empty() || fields.iter().any(|field| field == name);
        let open = |name: &str| T::RESOURCE.is_none_or(|resource| grants.shows(resource, name));
        all.retain(|name, _| ALWAYS.contains(&name.as_str()) || (asked(name) && open(name)));
    }
    for (relation, resource) in T::RELATIONS {
        if let (Some(resource), Some(Value::Object(embedded))) =
            (resource, value.get_mut("expanded").and_then(|expanded| expanded.get_mut(relation)))
        {
            embedded.retain(|name, _| grants.shows(*resource, name));
        }
    }
    Ok(value)
}

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
