//! Values of filters, as the document describes them: schemas alone.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, Type, schema::ObjectBuilder},
};

/// A text of a filter.
pub(super) struct FilterText;

impl PartialSchema for FilterText {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("A text to compare with."));
        text.min_length(Some(1)).max_length(Some(1024)).into()
    }
}

impl ToSchema for FilterText {}

/// A decimal number of a filter, as text, so that no digit is lost.
pub(super) struct FilterDecimal;

impl PartialSchema for FilterDecimal {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("A decimal number as text."));
        text.pattern(Some(r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$")).into()
    }
}

impl ToSchema for FilterDecimal {}

/// As far as numbers of custom fields go, which have 18 digits before the point.
const LARGEST: i64 = 1_000_000_000_000_000_000;

/// A number of a filter.
pub(super) struct FilterNumber;

impl PartialSchema for FilterNumber {
    fn schema() -> RefOr<Schema> {
        let description = "A number to compare with. Whole numbers are compared exactly, others to 15 digits.";
        let number = ObjectBuilder::new().schema_type(Type::Number).description(Some(description));
        number.minimum(Some(-LARGEST)).maximum(Some(LARGEST)).into()
    }
}

impl ToSchema for FilterNumber {}
