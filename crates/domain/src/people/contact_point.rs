//! The ways on which somebody can be reached: mail addresses, telephone numbers, places, profiles.
//!
//! A record holds lists of them; the first of a list is the primary one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{problem::Fields, standards, text};

/// An e-mail address. The first of a list is the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailAddress {
    /// The address as it was given. Case does not matter when addresses are compared.
    #[validate(custom(function = "standards::email"))]
    #[schema(format = "email", min_length = 3, max_length = 254, example = "anna.lindt@example.com")]
    pub address: String,
    /// What it is for.
    #[serde(default, rename = "type")]
    #[schema(inline = false)]
    pub kind: ContactPointType,
    /// Mail to it came back: do not use it.
    #[serde(default)]
    #[schema(default = false)]
    pub invalid: bool,
    /// Its owner asked for no advertising to it.
    #[serde(default)]
    #[schema(default = false)]
    pub opted_out: bool,
}

/// A telephone number. The first of a list is the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneNumber {
    /// The number as it was given, best in international form. Without a country code it is read as a number of the
    /// country of the first address, else of the workspace.
    #[schema(min_length = 3, max_length = 50, example = "+49 30 901820")]
    pub number: String,
    /// The number in E.164. Worked out from `number`; a value that is sent along is not looked at, so that lists can
    /// be sent back as they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 16, example = "+4930901820")]
    pub e164: Option<String>,
    /// What it is for.
    #[serde(default, rename = "type")]
    #[schema(inline = false)]
    pub kind: ContactPointType,
    /// The number does not work: do not use it.
    #[serde(default)]
    #[schema(default = false)]
    pub invalid: bool,
    /// Its owner asked for no advertising on it.
    #[serde(default)]
    #[schema(default = false)]
    pub opted_out: bool,
}

/// A postal address and, where known, its place on the map. The first of a list is the primary one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "whole_position"))]
pub struct PostalAddress {
    /// What it is for.
    #[serde(default, rename = "type")]
    #[schema(inline = false)]
    pub kind: AddressType,
    /// Street and number, several lines if need be.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255, example = "Torstraße 1")]
    pub street: Option<String>,
    /// Town or city.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Berlin")]
    pub city: Option<String>,
    /// State, province or county.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Berlin")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 20, example = "10119")]
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2 code of the country.
    #[serde(default)]
    #[validate(custom(function = "standards::country"))]
    #[schema(format = "country-code", pattern = "^[A-Z]{2}$", example = "DE")]
    pub country: Option<String>,
    /// Degrees north. Goes with `longitude`.
    #[serde(default)]
    #[schema(minimum = -90, maximum = 90, example = 52.529)]
    pub latitude: Option<f64>,
    /// Degrees east. Goes with `latitude`.
    #[serde(default)]
    #[schema(minimum = -180, maximum = 180, example = 13.401)]
    pub longitude: Option<f64>,
}

/// A profile in a social network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SocialProfile {
    /// Name of the network, in small letters.
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9_.-]+$", example = "linkedin")]
    pub network: String,
    /// Name or address of the profile there.
    #[schema(min_length = 1, max_length = 255, example = "https://www.linkedin.com/in/anna-lindt")]
    pub profile: String,
    /// A word of your own, such as `private` or `press`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 50, example = "work")]
    pub label: Option<String>,
}

/// What a mail address or telephone number is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactPointType {
    Work,
    Home,
    Mobile,
    #[default]
    Other,
}

/// What a postal address is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressType {
    Billing,
    Shipping,
    Visiting,
    Home,
    #[default]
    Other,
}

fn whole_position(address: &PostalAddress) -> Result<(), ValidationError> {
    if address.latitude.is_some() == address.longitude.is_some() {
        return Ok(());
    }
    let message = "Give latitude and longitude together, or neither.";
    Err(ValidationError::new("incomplete_position").with_message(message.into()))
}

/// Trims the addresses and refuses one that is there twice.
pub(crate) fn check_emails(emails: &mut [EmailAddress], fields: &mut Fields) {
    for email in emails.iter_mut() {
        text::tidy(&mut email.address);
    }
    refuse_repeated(emails.iter().map(|email| email.address.to_lowercase()), "/emails", "address", fields);
}

/// Works out E.164 numbers, and refuses numbers that cannot exist or are there twice.
pub(crate) fn check_phones(phones: &mut [PhoneNumber], country: Option<&str>, fields: &mut Fields) {
    for (index, phone) in phones.iter_mut().enumerate() {
        text::tidy(&mut phone.number);
        phone.e164 = standards::normalise_phone(&phone.number, country);
        if phone.e164.is_none() {
            let detail = match country {
                Some(country) => format!(
                    "No such telephone number exists in {country}. Check it, or write it with its country code, like \
                     +49 30 901820."
                ),
                None => "This is not a telephone number that can exist. Write it with its country code, like +49 30 \
                         901820."
                    .to_owned(),
            };
            fields.refuse(format!("/phones/{index}/number"), "invalid_phone", detail);
        }
    }
    let numbers = phones.iter().map(|phone| phone.e164.clone().unwrap_or_else(|| phone.number.clone()));
    refuse_repeated(numbers, "/phones", "number", fields);
}

fn refuse_repeated(keys: impl Iterator<Item = String>, list: &str, field: &str, fields: &mut Fields) {
    let mut seen: Vec<String> = Vec::new();
    for (index, key) in keys.enumerate() {
        if seen.contains(&key) {
            let detail = "This is in the list already. Leave it out here.";
            fields.refuse(format!("{list}/{index}/{field}"), "repeated", detail);
        }
        seen.push(key);
    }
}

/// The keys by which somebody with these is recognised: equal keys mean the same mailbox or line.
pub fn match_keys(emails: &[EmailAddress], phones: &[PhoneNumber]) -> Vec<String> {
    let emails = emails.iter().map(|email| email_key(&email.address));
    let phones = phones.iter().filter_map(|phone| phone.e164.as_deref()).map(phone_key);
    emails.chain(phones).collect()
}

/// The texts of the primary address, by the names that filters have for them.
pub(crate) fn texts(addresses: &[PostalAddress]) -> [(&'static str, Option<&String>); 4] {
    let first = addresses.first();
    [
        ("street", first.and_then(|address| address.street.as_ref())),
        ("city", first.and_then(|address| address.city.as_ref())),
        ("region", first.and_then(|address| address.region.as_ref())),
        ("postal_code", first.and_then(|address| address.postal_code.as_ref())),
    ]
}

/// The key of a mailbox.
pub fn email_key(address: &str) -> String {
    format!("email:{}", address.trim().to_lowercase())
}

/// The key of a line, from its E.164 number.
pub fn phone_key(e164: &str) -> String {
    format!("phone:{e164}")
}
