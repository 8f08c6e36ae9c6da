//! The catalogue: which fields and relations a filter may name, and where their values stand. What is not listed is closed.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields;
use crate::{
    access::Resource,
    id::CustomFieldId,
    text,
    workspace::custom_field::{CustomField, CustomFieldType},
};

/// What kind of record a filter is about. More values will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    Contact,
    Company,
    Opportunity,
    Task,
    Lead,
    Product,
    Note,
}

impl From<Resource> for Entity {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Contacts => Self::Contact,
            Resource::Companies => Self::Company,
            Resource::Opportunities => Self::Opportunity,
            Resource::Tasks => Self::Task,
            Resource::Notes => Self::Note,
            Resource::Leads => Self::Lead,
            Resource::Products => Self::Product,
        }
    }
}

impl Entity {
    /// All there are.
    pub const ALL: &'static [Self] =
        &[Self::Contact, Self::Company, Self::Opportunity, Self::Product, Self::Task, Self::Lead, Self::Note];

    /// Its word in messages.
    pub fn as_str(self) -> &'static str {
        self.resource().kind().as_str()
    }

    /// The resource that its records belong to.
    pub const fn resource(self) -> Resource {
        match self {
            Self::Contact => Resource::Contacts,
            Self::Company => Resource::Companies,
            Self::Task => Resource::Tasks,
            Self::Note => Resource::Notes,
            Self::Opportunity => Resource::Opportunities,
            Self::Lead => Resource::Leads,
            Self::Product => Resource::Products,
        }
    }

    /// What its records are found by, as fields that `match` tells of.
    pub fn searched(self) -> &'static [&'static str] {
        match self {
            Self::Contact => crate::people::contact::Contact::SEARCHED,
            Self::Company => crate::people::company::Company::SEARCHED,
            Self::Opportunity => crate::sales::opportunity::Opportunity::SEARCHED,
            Self::Product => crate::sales::product::Product::SEARCHED,
            Self::Task => crate::activity::task::Task::SEARCHED,
            Self::Note => crate::activity::note::Note::SEARCHED,
            Self::Lead => crate::sales::lead::Lead::SEARCHED,
        }
    }

    /// Whether its records are somewhere on the map.
    pub fn has_place(self) -> bool {
        match self {
            Self::Contact | Self::Company | Self::Lead => true,
            Self::Opportunity | Self::Product | Self::Task | Self::Note => false,
        }
    }
}

/// What can be asked of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Several texts, of which one is enough.
    Texts,
    /// An exact number.
    Number,
    /// A number in floating point, such as a degree.
    Float,
    Money,
    Bool,
    Choice(Options),
    Tags(Options),
    Date,
    Instant,
}

/// The values that a choice or a list of words can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// Those of an enumeration.
    Words(&'static [&'static str]),
    /// Those that a definition lists.
    Listed(Vec<String>),
    /// Ids of records.
    Ids,
    /// Any.
    Open,
}

/// Where the value of a field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A column of this name.
    Column(&'static str),
    /// A value of this key in a document.
    Document(&'static str, Cow<'static, str>),
    /// Those of the match keys that begin like this.
    MatchKeys(&'static str),
    /// Two columns, of amount and currency.
    Money(&'static str, &'static str),
}

/// How texts of a field are folded before they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// Not at all.
    Exact,
    /// Without case and accents.
    Folded,
    /// As mailboxes are.
    Email,
    /// As telephone numbers are, in E.164.
    Phone,
    /// As host names are.
    Domain,
}

/// How an index helps to find records by a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexClass {
    /// Not at all: every record that other conditions leave is looked at.
    None,
    /// By parts of words.
    Trgm,
    /// By single words of a list.
    Gin,
    /// By value and range.
    Btree,
}

/// A field that a filter may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub entity: Entity,
    pub name: Cow<'static, str>,
    pub kind: Kind,
    pub place: Place,
    pub folding: Folding,
    pub index: IndexClass,
    /// The custom field whose sort keys are kept in an index.
    pub sorted: Option<CustomFieldId>,
    /// The fields of the record that it tells of, all of which the caller has to be allowed to read.
    pub access: Vec<Cow<'static, str>>,
}

/// A relation that a filter may name: the records of `to` whose `there` is `here` of the record of `from`.
#[derive(Debug, PartialEq, Eq)]
pub struct Relation {
    pub name: &'static str,
    pub from: Entity,
    pub to: Entity,
    pub here: &'static str,
    pub there: &'static str,
    /// The field that holds the reference, and the resource that it belongs to.
    pub access: (Resource, &'static str),
}

/// A custom field of a workspace, as far as filters go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub entity: Entity,
    /// Its key: small letters, digits and underscores.
    pub key: String,
    pub kind: Kind,
    /// The field whose sort keys an index keeps, in the form in which filters compare them.
    pub sorted: Option<CustomFieldId>,
}

impl From<&CustomField> for Definition {
    fn from(field: &CustomField) -> Self {
        let options = || Options::Listed(field.options.iter().map(|option| option.key.clone()).collect());
        let kind = match field.kind {
            CustomFieldType::Text | CustomFieldType::Url => Kind::Text,
            CustomFieldType::Number => Kind::Number,
            CustomFieldType::Money => Kind::Money,
            CustomFieldType::Bool => Kind::Bool,
            CustomFieldType::Date => Kind::Date,
            CustomFieldType::Instant => Kind::Instant,
            CustomFieldType::Choice => Kind::Choice(options()),
            CustomFieldType::MultiChoice => Kind::Tags(options()),
            CustomFieldType::Reference => Kind::Choice(Options::Ids),
        };
        // Addresses are sorted as they are, and compared without case.
        let sorted = (field.sorted && field.kind != CustomFieldType::Url).then_some(field.id);
        Self { entity: field.resource.into(), key: field.key.clone(), kind, sorted }
    }
}

/// All fields and relations.
#[derive(Clone, Debug)]
pub struct Catalogue {
    fields: Vec<Arc<Field>>,
}

static STANDARD: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue { fields: fields::all().into_iter().map(Arc::new).collect() });

impl Catalogue {
    /// The fields that every workspace has.
    pub fn standard() -> &'static Self {
        &STANDARD
    }

    /// The same with custom fields, which are called `custom.<key>`. A key that could not be one is left out.
    ///
    /// Values stand in the document `custom`, and texts folded in `folded` under the name of the field.
    #[must_use]
    pub fn with(&self, definitions: &[Definition]) -> Self {
        let custom = definitions.iter().filter(|definition| text::is_key(&definition.key)).map(|definition| {
            let name = format!("custom.{}", definition.key);
            let (place, folding) = match definition.kind {
                Kind::Text | Kind::Texts => (Place::Document("folded", name.clone().into()), Folding::Folded),
                _ => (Place::Document("custom", definition.key.clone().into()), Folding::Exact),
            };
            Arc::new(Field {
                entity: definition.entity,
                name: name.into(),
                kind: definition.kind.clone(),
                place,
                folding,
                index: IndexClass::None,
                sorted: definition.sorted,
                access: vec!["custom".into()],
            })
        });
        Self { fields: self.fields.iter().cloned().chain(custom).collect() }
    }

    /// The field of this name.
    pub fn field(&self, entity: Entity, name: &str) -> Option<&Arc<Field>> {
        self.fields.iter().find(|field| field.entity == entity && field.name == name)
    }

    /// The fields of an entity.
    pub fn fields(&self, entity: Entity) -> impl Iterator<Item = &Arc<Field>> {
        self.fields.iter().filter(move |field| field.entity == entity)
    }

    /// The relation of this name.
    pub fn relation(&self, entity: Entity, name: &str) -> Option<&'static Relation> {
        self.relations(entity).find(|relation| relation.name == name)
    }

    /// The relations of an entity.
    pub fn relations(&self, entity: Entity) -> impl Iterator<Item = &'static Relation> {
        fields::RELATIONS.iter().filter(move |relation| relation.from == entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        activity::{
            parent::ParentKind,
            task::{Priority, TaskStatus, TaskStatusClass, TaskType},
        },
        people::company::{CompanyType, EmployeeRange},
        record::{Channel, LifecycleStage, Source},
        sales::{
            lead::{LeadRating, LeadSource},
            lead_status::LeadStatusClass,
            opportunity::OpportunityType,
            pipeline::{ForecastCategory, StageClass},
            product::{RecurringInterval, StockState},
        },
    };

    #[test]
    fn every_field_is_there_once_and_tells_of_fields_that_can_be_closed() {
        for entity in Entity::ALL.iter().copied() {
            for field in Catalogue::standard().fields(entity) {
                let same = Catalogue::standard().fields(entity).filter(|other| other.name == field.name).count();
                assert_eq!(same, 1, "{}", field.name);
                for access in &field.access {
                    let is_known = entity.resource().fields().contains(&access.as_ref());
                    assert!(is_known || crate::access::ALWAYS.contains(&access.as_ref()), "{} {access}", field.name);
                }
            }
        }
    }

    #[test]
    fn choices_are_the_words_of_their_enumerations() {
        fn are<T: serde::de::DeserializeOwned>(entity: Entity, name: &str) {
            let field = Catalogue::standard().field(entity, name).unwrap();
            let Kind::Choice(Options::Words(words)) = &field.kind else { panic!("{name}") };
            for word in *words {
                assert!(serde_json::from_value::<T>((*word).into()).is_ok(), "{name}: {word}");
            }
        }
        for entity in Entity::ALL.iter().copied() {
            are::<Source>(entity, "source");
        }
        are::<TaskType>(Entity::Task, "type");
        are::<TaskStatus>(Entity::Task, "status");
        are::<TaskStatusClass>(Entity::Task, "status_class");
        are::<Priority>(Entity::Task, "priority");
        are::<ParentKind>(Entity::Task, "parent_kind");
        are::<ParentKind>(Entity::Note, "parent_kind");
        for entity in [Entity::Contact, Entity::Company] {
            are::<Channel>(entity, "source_channel");
        }
        are::<LeadStatusClass>(Entity::Lead, "status_class");
        are::<LeadSource>(Entity::Lead, "lead_source");
        are::<LeadRating>(Entity::Lead, "rating");
        are::<EmployeeRange>(Entity::Lead, "employee_range");
        for entity in [Entity::Contact, Entity::Company] {
            are::<LifecycleStage>(entity, "lifecycle_stage");
        }
        are::<Channel>(Entity::Contact, "preferred_channel");
        are::<CompanyType>(Entity::Company, "type");
        are::<EmployeeRange>(Entity::Company, "employee_range");
        are::<Source>(Entity::Opportunity, "source");
        are::<StageClass>(Entity::Opportunity, "stage_class");
        are::<ForecastCategory>(Entity::Opportunity, "forecast_category");
        are::<OpportunityType>(Entity::Opportunity, "type");
        are::<LeadSource>(Entity::Opportunity, "lead_source");
        are::<RecurringInterval>(Entity::Product, "recurring_interval");
        are::<StockState>(Entity::Product, "stock_state");
    }

    #[test]
    fn custom_fields_join_and_keys_that_are_none_do_not() {
        let definition =
            |key: &str, kind: Kind| Definition { entity: Entity::Contact, key: key.to_owned(), kind, sorted: None };
        let definitions = [definition("shoe_size", Kind::Number), definition("x' OR ''='", Kind::Text)];
        let catalogue = Catalogue::standard().with(&definitions);
        let field = catalogue.field(Entity::Contact, "custom.shoe_size").unwrap();
        assert_eq!(field.place, Place::Document("custom", "shoe_size".into()));
        let before = Catalogue::standard().fields(Entity::Contact).count();
        assert_eq!(catalogue.fields(Entity::Contact).count(), before + 1);
    }
}
