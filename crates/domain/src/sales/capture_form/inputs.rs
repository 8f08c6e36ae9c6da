//! What callers say of capture forms.

use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type, schema::SchemaType},
};

use super::{CaptureConsent, CaptureDefaults, CaptureField, OnKnownPerson};

/// A capture form to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Contact us", "allowed_origins": ["https://www.example.com"], "honeypot_field": "website_2",
    "fields": [
        {"name": "name", "field": "last_name", "required": true},
        {"name": "email", "field": "email", "required": true},
        {"name": "message"}
    ],
    "defaults": {"lead_source": "website"}
}))]
pub struct NewCaptureForm {
    /// Its name for people, which no other form has.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Whether it takes submissions; it does, unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// Origins of the web pages that may send it from browsers; where there are none, only programs may.
    #[serde(default)]
    #[schema(nullable = false, max_items = 50, schema_with = origins)]
    pub allowed_origins: Vec<String>,
    /// What it asks.
    #[schema(min_items = 1, max_items = 50)]
    pub fields: Vec<CaptureField>,
    /// What its leads have that it does not ask.
    #[serde(default)]
    #[schema(inline = false)]
    pub defaults: CaptureDefaults,
    /// What becomes of a submission of somebody who is an open lead already; `create_lead` unless said otherwise.
    #[serde(default)]
    #[schema(inline = false)]
    pub on_duplicate: OnKnownPerson,
    /// A field that people do not see: who fills it in is a program, and what it sends is not kept.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]
    pub honeypot_field: Option<String>,
    /// How many bits of work a submission has to prove; none, unless said otherwise.
    #[serde(default)]
    #[schema(nullable = false, minimum = 0, maximum = 24)]
    pub proof_of_work_bits: Option<i64>,
    /// A consent that it asks for.
    #[serde(default)]
    pub consent: Option<CaptureConsent>,
    /// Where the page leads to afterwards.
    #[serde(default)]
    #[schema(format = "uri", max_length = 2048)]
    pub redirect_url: Option<String>,
}

/// Changes to a capture form, as JSON Merge Patch: absent fields stay, null clears, lists, `defaults` and `consent` are replaced.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"active": false}))]
pub struct CaptureFormPatch {
    /// Its name for people, which no other form has.
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Whether it takes submissions.
    #[schema(nullable = false)]
    pub active: Option<bool>,
    /// Origins of the web pages that may send it from browsers; where there are none, only programs may.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(schema_with = origins_or_null)]
    pub allowed_origins: Option<Option<Vec<String>>>,
    /// What it asks.
    #[serde(deserialize_with = "crate::record::none_if_empty")]
    #[schema(nullable = false, max_items = 50)]
    pub fields: Option<Vec<CaptureField>>,
    /// What its leads have that it does not ask.
    #[schema(nullable = false)]
    pub defaults: Option<CaptureDefaults>,
    /// What becomes of a submission of somebody who is an open lead already.
    #[schema(nullable = false)]
    pub on_duplicate: Option<OnKnownPerson>,
    /// A field that people do not see: who fills it in is a program, and what it sends is not kept.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]
    pub honeypot_field: Option<Option<String>>,
    /// How many bits of work a submission has to prove; 0 for none.
    #[schema(nullable = false, minimum = 0, maximum = 24)]
    pub proof_of_work_bits: Option<i64>,
    /// A consent that it asks for.
    #[serde(with = "::serde_with::rust::double_option")]
    pub consent: Option<Option<CaptureConsent>>,
    /// Where the page leads to afterwards.
    #[serde(with = "::serde_with::rust::double_option")]
    #[schema(format = "uri", max_length = 2048)]
    pub redirect_url: Option<Option<String>>,
}

/// What to list, and how.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CaptureFormQuery {
    /// Most records of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[param(max_length = 2000)]
    pub cursor: Option<String>,
}

fn origins() -> RefOr<Schema> {
    origins_of(Type::Array.into())
}

fn origins_or_null() -> RefOr<Schema> {
    origins_of(SchemaType::from_iter([Type::Array, Type::Null]))
}

fn origins_of(kind: SchemaType) -> RefOr<Schema> {
    let origin = ObjectBuilder::new().schema_type(Type::String).min_length(Some(8)).max_length(Some(260));
    ArrayBuilder::new()
        .schema_type(kind)
        .items(origin)
        .max_items(Some(50))
        .description(Some(
            "Origins of the web pages that may send it from browsers, like `https://www.example.com`; where there are none, only \
             programs may.",
        ))
        .into()
}
