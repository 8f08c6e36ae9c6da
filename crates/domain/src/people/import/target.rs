//! The fields that a column can go to.

use serde::de::{DeserializeOwned, IntoDeserializer, value::Error as WordError};

use crate::{
    people::PeopleResource,
    people::{
        company::CompanyType,
        contact_point::{AddressType, ContactPointType},
    },
    record::{Channel, LifecycleStage},
};

/// A field that a column can go to: `first_name`, or `emails.address` within a list.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) reading: Reading,
}

/// How the cells of a column are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Text,
    /// One line of a street; several columns make several lines.
    Street,
    /// The number of a house, which goes before the street.
    StreetNumber,
    /// The id under which the system that wrote the file knows the record.
    ExternalId,
    /// The id of a record or user here.
    Id,
    Tags,
    Date,
    Flag,
    Degrees,
    Amount,
    Country,
    Currency,
    Language,
    Employees,
    /// One of a list of words; the function knows them.
    Choice(fn(&str) -> bool),
}

impl Target {
    /// The list that the field is in, if it is in one.
    pub(super) fn list(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(list, _)| list)
    }

    /// Its name within the record or within an item of the list.
    pub(super) fn leaf(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, leaf)| leaf)
    }
}

/// The fields of a kind of record.
pub(super) fn all(kind: PeopleResource) -> impl Iterator<Item = &'static Target> {
    let own = match kind {
        PeopleResource::Contacts => OF_CONTACTS,
        PeopleResource::Companies => OF_COMPANIES,
    };
    own.iter().chain(OF_BOTH)
}

/// The field of this name.
pub(super) fn find(kind: PeopleResource, name: &str) -> Option<&'static Target> {
    all(kind).find(|target| target.name == name)
}

const OF_CONTACTS: &[Target] = &[
    target("salutation", Reading::Text),
    target("first_name", Reading::Text),
    target("middle_name", Reading::Text),
    target("last_name", Reading::Text),
    target("job_title", Reading::Text),
    target("company_id", Reading::Id),
    target("birthday", Reading::Date),
    target("locale", Reading::Language),
    target("time_zone", Reading::Text),
    target("preferred_channel", Reading::Choice(is::<Channel>)),
    target("do_not_call", Reading::Flag),
];

const OF_COMPANIES: &[Target] = &[
    target("name", Reading::Text),
    target("legal_name", Reading::Text),
    target("domain", Reading::Text),
    target("website", Reading::Text),
    target("type", Reading::Choice(is::<CompanyType>)),
    target("industry", Reading::Text),
    target("industry_code", Reading::Text),
    target("employee_range", Reading::Employees),
    target("annual_revenue_amount", Reading::Amount),
    target("annual_revenue_currency", Reading::Currency),
    target("tax_id", Reading::Text),
    target("parent_id", Reading::Id),
    target("territory", Reading::Text),
    target("default_currency", Reading::Currency),
];

const OF_BOTH: &[Target] = &[
    target("external_id", Reading::ExternalId),
    target("owner_id", Reading::Id),
    target("source_channel", Reading::Choice(is::<Channel>)),
    target("lifecycle_stage", Reading::Choice(is::<LifecycleStage>)),
    target("tags", Reading::Tags),
    target("emails.address", Reading::Text),
    target("emails.type", Reading::Choice(is::<ContactPointType>)),
    target("emails.invalid", Reading::Flag),
    target("emails.opted_out", Reading::Flag),
    target("phones.number", Reading::Text),
    target("phones.type", Reading::Choice(is::<ContactPointType>)),
    target("phones.invalid", Reading::Flag),
    target("phones.opted_out", Reading::Flag),
    target("addresses.type", Reading::Choice(is::<AddressType>)),
    target("addresses.street_number", Reading::StreetNumber),
    target("addresses.street", Reading::Street),
    target("addresses.city", Reading::Text),
    target("addresses.region", Reading::Text),
    target("addresses.postal_code", Reading::Text),
    target("addresses.country", Reading::Country),
    target("addresses.latitude", Reading::Degrees),
    target("addresses.longitude", Reading::Degrees),
    target("social_profiles.network", Reading::Text),
    target("social_profiles.profile", Reading::Text),
    target("social_profiles.label", Reading::Text),
];

const fn target(name: &'static str, reading: Reading) -> Target {
    Target { name, reading }
}

/// Whether a word is one of an enum's.
fn is<T: DeserializeOwned>(word: &str) -> bool {
    T::deserialize(IntoDeserializer::<WordError>::into_deserializer(word)).is_ok()
}
