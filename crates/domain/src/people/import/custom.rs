//! Columns that go to custom fields.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{CellProblem, cell, column_of, heading::normal, mapped_twice};
use crate::workspace::custom_field::{CustomField, CustomFieldOption, CustomFieldType as Type};

/// What the names of custom fields begin with, where a column is mapped to one.
pub(super) const PREFIX: &str = "custom.";

/// A column and the custom field that it goes to.
#[derive(Clone, Debug)]
pub(super) struct CustomColumn {
    /// Place in the row.
    pub(super) index: usize,
    pub(super) field: CustomField,
}

/// The field that a heading names, by key or label.
pub(super) fn recognise<'f>(fields: &'f [CustomField], heading: &str) -> Option<&'f CustomField> {
    let name = normal(heading);
    let is_key = |field: &&CustomField| normal(&field.key) == name;
    let is_label = |field: &&CustomField| normal(&field.label) == name;
    fields.iter().find(is_key).or_else(|| fields.iter().find(is_label)).filter(|_| !name.is_empty())
}

/// The field whose name a heading is, as in `custom.tier`.
pub(super) fn named<'f>(fields: &'f [CustomField], heading: &str) -> Option<&'f CustomField> {
    let key = heading.strip_prefix(PREFIX)?;
    fields.iter().find(|field| field.key == key)
}

/// Custom fields that are asked for by name, as `custom.tier`.
pub(super) fn explicit(
    headings: &[&str],
    wishes: &[(String, String)],
    fields: &[CustomField],
) -> Result<Vec<CustomColumn>, String> {
    let mut columns: Vec<CustomColumn> = Vec::new();
    for (heading, name) in wishes {
        let index = column_of(headings, heading)?;
        let field = fields.iter().find(|field| name.strip_prefix(PREFIX) == Some(&field.key)).ok_or_else(|| {
            let known = fields.iter().map(|field| field.key.as_str()).collect::<Vec<_>>().join(", ");
            format!("There is no custom field {name:?}. The custom fields are: {known}.")
        })?;
        if columns.iter().any(|other| other.index == index || other.field.id == field.id) {
            return Err(mapped_twice(heading));
        }
        columns.push(CustomColumn { index, field: field.clone() });
    }
    Ok(columns)
}

/// Reads a cell that is not empty, in the words of the API. Whether the field takes the value is for its own rules to say.
pub(super) fn read(field: &CustomField, text: &str) -> Result<Value, CellProblem> {
    let unreadable = |code: &str, detail: &str| CellProblem::new(code, detail);
    match field.kind {
        Type::Text | Type::Url | Type::Reference | Type::Instant => Ok(json!(text)),
        Type::Number => number(text).map(Value::from).ok_or_else(|| {
            unreadable(
                "unparsable_number",
                "This is not a number that can be read in one way. Write it like 1250000.5.",
            )
        }),
        Type::Money => money(text).ok_or_else(|| {
            unreadable("unparsable_number", "This is not an amount with its currency. Write it like 1250.50 EUR.")
        }),
        Type::Bool => cell::flag(text).map(Value::from).ok_or_else(|| {
            unreadable("invalid_choice", "This says neither yes nor no. Write yes or no, true or false, 1 or 0.")
        }),
        // Of the year 812, too.
        Type::Date if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|day| day.to_string() == text) => {
            Ok(json!(text))
        }
        Type::Date => cell::date(text).map(|day| json!(day)).map_err(|why| unreadable("unparsable_date", why)),
        Type::Choice => Ok(json!(option(field, text))),
        Type::MultiChoice => {
            let parts = text.split([';', ',']).map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(|part| option(field, part)).collect())
        }
    }
}

/// The key of an option that is named by key or label; otherwise what is there, which is then refused.
fn option(field: &CustomField, text: &str) -> String {
    let name = normal(text);
    let find = |is: &dyn Fn(&CustomFieldOption) -> bool| field.options.iter().find(|option| is(option));
    let found = find(&|option| option.key == text)
        .or_else(|| find(&|option| option.label == text))
        .or_else(|| find(&|option| normal(&option.key) == name))
        .or_else(|| find(&|option| normal(&option.label) == name));
    found.map_or(text, |option| &option.key).to_owned()
}

/// A number in the form of the API. A point that may part thousands is not guessed at.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_clear = whole == "0" || whole.len() > 3 || part.len() != 3;
    let is_plain = is_digits(whole) && is_digits(part) && is_clear;
    let read = if is_plain { Some(digits.to_owned()) } else { cell::amount(digits).map(|number| number.to_string()) };
    read.map(|digits| format!("{sign}{digits}"))
}

/// `1250.50 EUR` or `EUR 1250.50`.
fn money(text: &str) -> Option<Value> {
    let (first, last) = (text.split_whitespace().next()?, text.split_whitespace().next_back()?);
    let is_code = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let (amount, currency) = match (is_code(first), is_code(last)) {
        (false, true) => (text.strip_suffix(last)?, last),
        (true, false) => (text.strip_prefix(first)?, first),
        _ => return None,
    };
    Some(json!({"amount": number(amount.trim())?, "currency": currency.to_uppercase()}))
}
