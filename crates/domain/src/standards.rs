//! Codes that the world has agreed on: countries, currencies, languages, time zones, addresses of mail and web. And one of
//! ours: orders of lists.
//!
//! Each check takes the text as it stands; nothing is guessed or corrected.

use chrono::{Datelike, NaiveDate};
use iso_currency::Currency;
use oxilangtag::LanguageTag;
use validator::{ValidateEmail, ValidationError};

use crate::page::RecordSort;

/// A format of the published schemas: its name, and the check behind it.
pub type Format = (&'static str, fn(&str) -> bool);

/// The formats that the published schemas name.
pub const FORMATS: &[Format] = &[
    ("country-code", is_country),
    ("currency-code", is_currency),
    ("language-tag", is_language),
    ("time-zone", is_time_zone),
    ("email", is_email),
    ("uri", is_web_address),
    ("date", is_date),
    ("sort-order", is_sort_order),
];

/// ISO 3166-1 alpha-2, in capitals: `DE`.
pub fn is_country(text: &str) -> bool {
    rust_iso3166::from_alpha2(text).is_some()
}

/// ISO 4217, in capitals: `EUR`.
pub fn is_currency(text: &str) -> bool {
    Currency::from_code(text).is_some()
}

/// BCP 47: `de-CH`.
pub fn is_language(text: &str) -> bool {
    // The grammar alone allows any word of up to eight letters; languages have two or three.
    LanguageTag::parse(text).is_ok_and(|tag| (2..=3).contains(&tag.primary_language().len()))
}

/// IANA time zone: `Europe/Berlin`.
pub fn is_time_zone(text: &str) -> bool {
    text.parse::<chrono_tz::Tz>().is_ok()
}

/// A mail address with a local part and a domain.
pub fn is_email(text: &str) -> bool {
    text.len() <= 254 && text.validate_email()
}

/// A day of the years 1 to 9999, which are those that every program can read: `1990-12-31`.
pub fn is_date(text: &str) -> bool {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| (1..=9999).contains(&day.year()));
    day.is_some_and(|day| day.to_string() == text)
}

/// An absolute `http` or `https` address.
pub fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// What a list can be sorted by: `-created_at`.
pub fn is_sort_order(text: &str) -> bool {
    text.parse::<RecordSort>().is_ok()
}

/// The host name of a business: `example.com`, without scheme, `www.` or path. `None` when it is not one.
pub fn normalise_domain(text: &str) -> Option<String> {
    let text = text.trim();
    let host = match text.split_once("://") {
        Some(_) => url::Url::parse(text).ok()?.host_str()?.to_owned(),
        None => url::Url::parse(&format!("https://{text}")).ok()?.host_str()?.to_owned(),
    };
    let host = host.strip_prefix("www.").unwrap_or(&host).trim_end_matches('.').to_ascii_lowercase();
    let is_name = host.len() <= 253
        && host.contains('.')
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
        && !host.split('.').next_back().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    is_name.then_some(host)
}

/// A number in E.164 (`+493012345`), read as it is dialled in `country` unless it names its own. `None` when no such
/// number can exist.
pub fn normalise_phone(text: &str, country: Option<&str>) -> Option<String> {
    let country = country.and_then(|code| code.parse().ok());
    let number = phonenumber::parse(country, text).ok()?;
    number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// The remedy that goes with a format of [`FORMATS`].
pub fn remedy(format: &str) -> Option<&'static str> {
    Some(match format {
        "country-code" => "This is not a country. Write its ISO 3166-1 code in capitals, like DE.",
        "currency-code" => "This is not a currency. Write its ISO 4217 code in capitals, like EUR.",
        "language-tag" => "This is not a language. Write a BCP 47 tag, like de or pt-BR.",
        "time-zone" => "This is not a time zone. Write its IANA name, like Europe/Berlin.",
        "email" => "This is not an e-mail address. Write it like anna@example.com.",
        "uri" => "This is not a web address. Write it in full, like https://example.com/about.",
        "date" => "This is not a calendar date. Write it as year-month-day, like 1990-12-31.",
        "date-time" => "This is not a time. Write it as in RFC 3339, like 2026-01-31T08:30:00Z.",
        "sort-order" => {
            "Lists are sorted by created_at, updated_at, name, due_at of tasks, close_date of opportunities, pinned of \
             notes, score of leads, or custom. and the key of a sorted custom field; with a minus sign before it for \
             descending."
        }
        "uuid" => "This is not an id. Ids are UUIDs, like 0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b.",
        _ => return None,
    })
}

/// The code that goes with a format: `invalid_country_code` for `country-code`.
pub fn code(format: &str) -> String {
    format!("invalid_{}", format.replace('-', "_"))
}

/// Declares checks in the form that `validator` takes.
macro_rules! checks {
    ($($name:ident = $format:literal, $is:ident;)+) => {$(
        pub(crate) fn $name(text: &str) -> Result<(), ValidationError> {
            if $is(text) { Ok(()) } else { Err(refusal($format)) }
        }
    )+};
}

checks! {
    country = "country-code", is_country;
    currency = "currency-code", is_currency;
    language = "language-tag", is_language;
    time_zone = "time-zone", is_time_zone;
    email = "email", is_email;
    web_address = "uri", is_web_address;
}

fn refusal(format: &'static str) -> ValidationError {
    let mut error = ValidationError::new("invalid").with_message(remedy(format).unwrap_or("This is not valid.").into());
    error.code = code(format).into();
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_of_an_order_names_all_there_are() {
        let remedy = remedy("sort-order").unwrap();
        for field in crate::page::RecordSort::FIELDS {
            assert!(remedy.contains(&format!(" {field}")), "{field}");
        }
    }

    #[test]
    fn codes_are_those_of_the_standards() {
        assert!(is_country("DE") && !is_country("de") && !is_country("XX"));
        assert!(is_currency("EUR") && !is_currency("ABC"));
        assert!(is_language("pt-BR") && is_language("de") && !is_language("german"));
        assert!(is_time_zone("Europe/Berlin") && !is_time_zone("Berlin"));
        assert!(is_web_address("https://example.com/a") && !is_web_address("javascript:alert(1)"));
    }

    #[test]
    fn a_domain_is_found_in_whatever_people_paste() {
        for pasted in ["example.com", "WWW.Example.com", "https://www.example.com/about?x=1", " example.com. "] {
            assert_eq!(normalise_domain(pasted).as_deref(), Some("example.com"), "{pasted}");
        }
        for wrong in ["example", "exa mple.com", "10.0.0.1", "", "-a.com", "https://"] {
            assert_eq!(normalise_domain(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_telephone_number_needs_a_country_of_its_own_or_a_given_one() {
        assert_eq!(normalise_phone("+49 30 901820", None).as_deref(), Some("+4930901820"));
        assert_eq!(normalise_phone("030 901820", Some("DE")).as_deref(), Some("+4930901820"));
        assert_eq!(normalise_phone("030 901820", None), None);
        assert_eq!(normalise_phone("+49 1", None), None);
        assert_eq!(normalise_phone("call me", Some("DE")), None);
    }
}
