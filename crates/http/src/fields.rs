//! What fields records have: those of every workspace as the published document describes them, and those that a
//! workspace has added.

use std::{collections::BTreeMap, sync::Arc};

use rapport_domain::{
    access::{Grants, Resource},
    filter::{Catalogue, Definition, Entity, Field, Kind},
    page::RecordSort,
    workspace::custom_field::{CustomField, CustomFieldType, MOST_TEXT, ReferencedResource},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A field of a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldDescription {
    /// Its name; that of a custom field begins with `custom.`.
    #[schema(example = "custom.tier")]
    pub(crate) name: String,
    /// Its name for people, where the workspace has given it one.
    #[schema(example = "Tier")]
    pub(crate) label: Option<String>,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// What its values are.
    #[serde(rename = "type")]
    pub(crate) kind: FieldType,
    /// Whether it was added by the workspace.
    #[schema(example = true)]
    pub(crate) is_custom: bool,
    /// Whether a record can be without a value.
    #[schema(example = true)]
    pub(crate) nullable: bool,
    /// Whether a new record needs a value.
    #[schema(example = false)]
    pub(crate) required: bool,
    /// Whether the caller may read it.
    #[schema(example = true)]
    pub(crate) readable: bool,
    /// Whether the caller may write it.
    #[schema(example = true)]
    pub(crate) writable: bool,
    /// Whether lists can be sorted by it.
    #[schema(example = false)]
    pub(crate) sortable: bool,
    /// What filters can ask of it.
    pub(crate) filters: Vec<FieldFilter>,
    /// The values that it can have, where they are listed.
    pub(crate) options: Vec<FieldOption>,
    /// Fewest characters of a text.
    pub(crate) min_length: Option<i64>,
    /// Most characters of a text.
    #[schema(example = 255)]
    pub(crate) max_length: Option<i64>,
    /// Least value, in the form of the values.
    pub(crate) min: Option<String>,
    /// Greatest value, in the form of the values.
    pub(crate) max: Option<String>,
    /// Most entries of a list.
    pub(crate) max_items: Option<i64>,
    /// The records that a reference names, where the workspace has said it.
    pub(crate) referenced_resource: Option<ReferencedResource>,
}

/// A kind of condition that a filter can put to a field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldFilter {
    /// How filters call the field: the record's `emails` are `email` there, its `addresses` are `city` and others.
    #[schema(example = "custom.tier")]
    field: String,
    /// The `type` of the node.
    #[serde(rename = "type")]
    #[schema(example = "choice")]
    node: &'static str,
    /// The values that its `op` can have; none where it has no `op`.
    #[schema(example = json!(["in", "not_in"]))]
    operators: Vec<String>,
}

/// What the values of a field are. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FieldType {
    Text,
    Number,
    Money,
    Bool,
    Date,
    Instant,
    Choice,
    MultiChoice,
    Url,
    Reference,
    /// Several values or objects.
    List,
    /// Fields of its own.
    Object,
}

/// A value that a field can have.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldOption {
    /// As records say it.
    #[schema(example = "gold")]
    value: String,
    /// For people, where the workspace has named it.
    #[schema(example = "Gold")]
    label: Option<String>,
    /// It stays where it was chosen and can't be chosen anew.
    #[schema(example = false)]
    archived: bool,
}

/// What the published document says of fields.
pub(crate) struct DocumentedFields {
    /// Those that the records of each resource have in every workspace.
    built_in: BTreeMap<Resource, Vec<FieldDescription>>,
    operators: Operators,
}

impl DocumentedFields {
    pub(crate) fn of(document: &Value) -> Self {
        let operators = Operators::of(document);
        let records = [
            (Resource::Contacts, "Contact"),
            (Resource::Companies, "Company"),
            (Resource::Opportunities, "Opportunity"),
            (Resource::Products, "Product"),
            (Resource::Tasks, "Task"),
            (Resource::Notes, "Note"),
            (Resource::Leads, "Lead"),
        ];
        let built_in = records.into_iter().map(|(resource, name)| {
            let mut fields = built_in(document, name);
            for field in &mut fields {
                field.filters = operators.of_built_in(resource, &field.name);
            }
            (resource, fields)
        });
        Self { built_in: built_in.collect(), operators }
    }

    /// All fields of a resource: those of every workspace, and those that this one has added.
    pub(crate) fn all<'f>(
        &'f self,
        resource: Resource,
        custom: impl Iterator<Item = &'f CustomField>,
    ) -> impl Iterator<Item = FieldDescription> {
        let built_in = self.built_in.get(&resource).into_iter().flatten().cloned();
        built_in.chain(custom.map(|field| {
            let definition = Definition::from(field);
            let description = FieldDescription::of_custom(field);
            FieldDescription { filters: self.operators.of_field(&description.name, &definition.kind), ..description }
        }))
    }
}

/// The operators of the nodes of filters, by their type.
struct Operators(BTreeMap<&'static str, Vec<String>>);

/// The nodes that compare a field, with the names of their schemas.
const NODES: &[(&str, &str)] = &[
    ("text", "TextNode"),
    ("number", "NumberNode"),
    ("money", "MoneyNode"),
    ("bool", "BoolNode"),
    ("choice", "ChoiceNode"),
    ("tags", "TagsNode"),
    ("date", "DateNode"),
    ("instant", "InstantNode"),
    ("rolling", "RollingNode"),
    ("calendar", "CalendarNode"),
    ("anniversary", "AnniversaryNode"),
    ("present", "PresentNode"),
];

impl Operators {
    fn of(document: &Value) -> Self {
        let words = |schema: &str| {
            let place = format!("/components/schemas/{schema}/properties/op/$ref");
            let reference = document.pointer(&place).and_then(Value::as_str).unwrap_or_default();
            let words = document.pointer(&format!("{}/enum", reference.trim_start_matches('#')));
            let words = words.and_then(Value::as_array).into_iter().flatten();
            words.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
        };
        Self(NODES.iter().map(|(node, schema)| (*node, words(schema))).collect())
    }

    /// A field of every workspace: by its own name, or by the names of what filters know of it.
    fn of_built_in(&self, resource: Resource, name: &str) -> Vec<FieldFilter> {
        let catalogue = Catalogue::standard();
        let entity = Entity::from(resource);
        let own = catalogue.field(entity, name).map(|field| vec![field]);
        // A part of the record's field, or an amount with its currency.
        let is_part =
            |field: &&Arc<Field>| field.access.len() <= 2 && field.access.first().is_some_and(|of| of == name);
        let parts = || catalogue.fields(entity).filter(is_part).collect();
        let known: Vec<_> = own.unwrap_or_else(parts);
        known.into_iter().flat_map(|field| self.of_field(&field.name, &field.kind)).collect()
    }

    fn of_field(&self, name: &str, kind: &Kind) -> Vec<FieldFilter> {
        let nodes: &[&str] = match kind {
            Kind::Text | Kind::Texts => &["text"],
            Kind::Number | Kind::Float => &["number"],
            Kind::Money => &["money"],
            Kind::Bool => &["bool"],
            Kind::Choice(_) => &["choice"],
            Kind::Tags(_) => &["tags"],
            Kind::Date => &["date", "rolling", "calendar", "anniversary"],
            Kind::Instant => &["instant", "rolling", "calendar"],
        };
        let of_node = |(node, operators): (&&'static str, &Vec<String>)| {
            (nodes.contains(node) || *node == "present").then(|| FieldFilter {
                field: name.to_owned(),
                node,
                operators: operators.clone(),
            })
        };
        self.0.iter().filter_map(of_node).collect()
    }
}

fn built_in(document: &Value, name: &str) -> Vec<FieldDescription> {
    let schemas = &document["components"]["schemas"];
    let (record, new) = (&schemas[name], &schemas[&format!("New{name}")]);
    let shown = record["properties"].as_object().into_iter().flatten();
    // Custom fields are described one by one, and what is embedded is asked for.
    let shown = shown.filter(|(field, _)| !["custom", "expanded"].contains(&field.as_str()));
    shown
        .map(|(field, property)| {
            let given = new["properties"].get(field);
            let required = new["required"].as_array().is_some_and(|required| required.iter().any(|name| name == field));
            FieldDescription {
                required,
                writable: given.is_some(),
                sortable: RecordSort::FIELDS.contains(&field.as_str()),
                ..described(document, field, property, given.unwrap_or(property))
            }
        })
        .collect()
}

/// A field as its schemas describe it: that of the record says what it is, that of the input which values it takes.
fn described(document: &Value, field: &str, property: &Value, given: &Value) -> FieldDescription {
    let forms = property["oneOf"].as_array();
    let is_null = |kind: &Value| kind == "null";
    let nullable = property["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null))
        || forms.is_some_and(|forms| forms.iter().any(|form| is_null(&form["type"])));
    let value = forms.and_then(|forms| forms.iter().find(|form| form["type"] != "null")).unwrap_or(property);
    let value = match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap_or(value),
        None => value,
    };
    let words = value["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let options = words.map(|word| FieldOption { value: word.to_owned(), label: None, archived: false }).collect();
    let number = |keyword: &str| given[keyword].as_i64();
    let bound = |keyword: &str| given.get(keyword).filter(|bound| bound.is_number()).map(ToString::to_string);
    FieldDescription {
        name: field.to_owned(),
        label: None,
        description: property["description"].as_str().map(ToOwned::to_owned),
        kind: FieldType::of_schema(value, given),
        is_custom: false,
        nullable,
        required: false,
        readable: true,
        writable: false,
        sortable: false,
        filters: Vec::new(),
        options,
        min_length: number("minLength"),
        max_length: number("maxLength"),
        min: bound("minimum"),
        max: bound("maximum"),
        max_items: number("maxItems"),
        referenced_resource: None,
    }
}

impl FieldType {
    fn of_schema(value: &Value, given: &Value) -> Self {
        let kind = value["type"].as_str().or_else(|| value["type"][0].as_str()).unwrap_or_default();
        let has_digits = given["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^[0-9]"));
        match (kind, value["format"].as_str().or(given["format"].as_str())) {
            _ if value["enum"].is_array() => Self::Choice,
            ("array", _) => Self::List,
            ("object", _) => Self::Object,
            ("boolean", _) => Self::Bool,
            ("integer" | "number", _) => Self::Number,
            ("string", Some("uuid")) => Self::Reference,
            ("string", Some("date")) => Self::Date,
            ("string", Some("date-time")) => Self::Instant,
            ("string", Some("uri")) => Self::Url,
            ("string", _) if has_digits => Self::Number,
            _ => Self::Text,
        }
    }
}

impl FieldDescription {
    /// A field that the workspace has added.
    fn of_custom(field: &CustomField) -> Self {
        let option = |option: &rapport_domain::workspace::custom_field::CustomFieldOption| FieldOption {
            value: option.key.clone(),
            label: Some(option.label.clone()),
            archived: option.archived,
        };
        let is_text = field.kind == CustomFieldType::Text;
        Self {
            name: format!("custom.{}", field.key),
            label: Some(field.label.clone()),
            description: field.description.clone(),
            kind: FieldType::from(field.kind),
            is_custom: true,
            nullable: true, // records from before a field was required may lack it
            required: field.required,
            readable: true,
            writable: true,
            sortable: field.sorted,
            filters: Vec::new(),
            options: field.options.iter().map(option).collect(),
            min_length: field.min_length,
            max_length: field.max_length.or(is_text.then_some(MOST_TEXT)),
            min: field.min.clone(),
            max: field.max.clone(),
            max_items: None,
            referenced_resource: field.referenced_resource,
        }
    }

    /// The same for a caller: what they may not read or write is neither for them.
    pub(crate) fn for_caller(self, grants: &Grants, resource: Resource) -> Self {
        let name = self.name.split('.').next().unwrap_or_default();
        let (readable, writable) = (grants.may_read(resource, name), grants.may_write(resource, name));
        Self { readable: self.readable && readable, writable: self.writable && writable, ..self }
    }
}

impl From<CustomFieldType> for FieldType {
    fn from(kind: CustomFieldType) -> Self {
        match kind {
            CustomFieldType::Text => Self::Text,
            CustomFieldType::Number => Self::Number,
            CustomFieldType::Money => Self::Money,
            CustomFieldType::Bool => Self::Bool,
            CustomFieldType::Date => Self::Date,
            CustomFieldType::Instant => Self::Instant,
            CustomFieldType::Choice => Self::Choice,
            CustomFieldType::MultiChoice => Self::MultiChoice,
            CustomFieldType::Url => Self::Url,
            CustomFieldType::Reference => Self::Reference,
        }
    }
}
