//! The one form in which a value is kept, and its rank.

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Timelike, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CustomField, CustomFieldType as Type};
use crate::{standards, text};

/// Digits before and after the point.
const NUMBER_DIGITS: (usize, usize) = (18, 10);

/// Those of an amount, which `numeric(19, 4)` holds.
const AMOUNT_DIGITS: (usize, usize) = (15, 4);

/// The most characters of a web address.
const MOST_URL: usize = 2048;

/// What is wrong with a value: code, and what to do about it.
type Wrong = (&'static str, String);

/// The same, and where in the value.
type WrongAt = (&'static str, &'static str, String);

impl CustomField {
    /// A value in the form in which it is kept; null where nothing is left of it.
    pub(super) fn canonical(&self, value: &Value) -> Result<Value, WrongAt> {
        let here = |(code, detail): Wrong| ("", code, detail);
        let kept = match self.kind {
            Type::Money => money(value)?,
            Type::Bool if value.is_boolean() => value.clone(),
            Type::Bool => return Err(here(wrong_type("true or false"))),
            Type::MultiChoice => self.choices(value).map_err(here)?,
            _ => {
                let text = value.as_str().ok_or_else(|| here(wrong_type(form(self.kind))))?;
                json!(self.canonical_text(text.trim()).map_err(here)?)
            }
        };
        self.within_bounds(&kept).map_err(here)?;
        Ok(kept)
    }

    fn canonical_text(&self, text: &str) -> Result<String, Wrong> {
        match self.kind {
            Type::Text => self.text(text),
            Type::Number => decimal(text, NUMBER_DIGITS),
            Type::Date => date(text),
            Type::Instant => instant(text),
            Type::Url => web_address(text),
            Type::Reference => Uuid::try_parse(text).map(|id| id.to_string()).map_err(|_| by_format("uuid")),
            Type::Choice => self.choice(text).map(|_| text.to_owned()),
            Type::Money | Type::Bool | Type::MultiChoice => Err(wrong_type(form(self.kind))),
        }
    }

    fn text(&self, text: &str) -> Result<String, Wrong> {
        let (length, most) = (text.chars().count() as i64, self.most_characters());
        match self.min_length {
            _ if length == 0 => Err(("empty", "This can't be empty. Send null to clear it.".to_owned())),
            _ if length > most => Err(("too_long", format!("At most {most} characters are allowed."))),
            Some(least) if length < least => Err(("too_short", format!("At least {least} characters are needed."))),
            _ => Ok(text.to_owned()),
        }
    }

    /// The place of an option that can be chosen.
    fn choice(&self, key: &str) -> Result<usize, Wrong> {
        match self.options.iter().position(|option| option.key == key) {
            Some(place) if !self.options[place].archived => Ok(place),
            Some(_) => Err(("archived_option", "This option is archived. Choose another.".to_owned())),
            None => {
                let live = self.options.iter().filter(|option| !option.archived);
                let known = live.map(|option| option.key.as_str()).collect::<Vec<_>>().join(", ");
                Err(("unknown_value", format!("This has to be one of {known}.")))
            }
        }
    }

    /// Options in their order, each once. To choose none is to have no value.
    fn choices(&self, value: &Value) -> Result<Value, Wrong> {
        let chosen = value.as_array().and_then(|chosen| chosen.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let chosen = chosen.ok_or_else(|| wrong_type(form(Type::MultiChoice)))?;
        let mut places = chosen.into_iter().map(|key| self.choice(key)).collect::<Result<Vec<_>, _>>()?;
        places.sort_unstable();
        places.dedup();
        let keys: Vec<&str> = places.into_iter().map(|place| self.options[place].key.as_str()).collect();
        Ok(if keys.is_empty() { Value::Null } else { json!(keys) })
    }

    fn within_bounds(&self, kept: &Value) -> Result<(), Wrong> {
        let rank = match self.kind {
            Type::Money => kept["amount"].as_str().and_then(|amount| rank_of_bound(Type::Money, amount)),
            _ => kept.as_str().and_then(|text| rank_of_bound(self.kind, text)),
        };
        let Some(rank) = rank else { return Ok(()) };
        let of = |bound: &Option<String>| bound.as_deref().and_then(|bound| rank_of_bound(self.kind, bound));
        let refused = |bound: &Option<String>, most: &str| {
            let detail = format!("{} is the {most} that is allowed.", bound.as_deref().unwrap_or_default());
            Err(("out_of_range", detail))
        };
        if of(&self.min).is_some_and(|least| rank < least) {
            return refused(&self.min, "least");
        }
        if of(&self.max).is_some_and(|most| rank > most) {
            return refused(&self.max, "most");
        }
        Ok(())
    }

    /// What a value is compared by, as bytes. It fits an index: of a text, it is the beginning.
    pub(super) fn rank(&self, kept: &Value) -> Option<String> {
        match self.kind {
            Type::Text => kept.as_str().map(|text| text::sort_key([text])),
            Type::Money => {
                let amount = rank_of_bound(Type::Money, kept["amount"].as_str()?)?;
                Some(format!("{amount} {}", kept["currency"].as_str()?))
            }
            Type::Bool => kept.as_bool().map(|flag| u8::from(flag).to_string()),
            Type::MultiChoice => None,
            Type::Url => kept.as_str().map(text::shortened),
            Type::Choice | Type::Reference => kept.as_str().map(ToOwned::to_owned),
            kind => rank_of_bound(kind, kept.as_str()?),
        }
    }
}

/// A bound in the form of the values.
pub(in super::super) fn bound(kind: Type, text: &str) -> Result<String, Wrong> {
    match kind {
        Type::Number => decimal(text, NUMBER_DIGITS),
        Type::Money => decimal(text, AMOUNT_DIGITS),
        Type::Date => date(text),
        Type::Instant => instant(text),
        _ => Err(("not_applicable", "Values of this type have no bounds.".to_owned())),
    }
}

/// What a bound in the form of the values is compared by.
pub(in super::super) fn rank_of_bound(kind: Type, kept: &str) -> Option<String> {
    match kind {
        Type::Number | Type::Money => kept.parse().ok().and_then(sort_key_of_number),
        Type::Date | Type::Instant => Some(kept.to_owned()),
        _ => None,
    }
}

/// As many digits before and after the point for every number. Those of numbers below zero are turned round, so that the
/// greater of two is the one closer to zero. None where the number has more digits before the point than any value.
pub fn sort_key_of_number(number: Decimal) -> Option<String> {
    let (before, after) = NUMBER_DIGITS;
    // Asked first, for a number of more digits can't be written with as many after the point.
    if number.trunc().abs().to_string().len() > before {
        return None;
    }
    let digits = format!("{:0>width$.after$}", number.abs(), width = before + after + 1);
    Some(match number.is_sign_negative() && !number.is_zero() {
        false => format!("1{digits}"),
        true => {
            let turned = digits.chars().map(|digit| match digit.to_digit(10) {
                Some(value) => char::from_digit(9 - value, 10).unwrap_or(digit),
                None => digit,
            });
            format!("0{}", turned.collect::<String>())
        }
    })
}

/// A decimal number without superfluous zeros.
fn decimal(text: &str, (most_before, most_after): (usize, usize)) -> Result<String, Wrong> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (before, after) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(before) || !is_digits(after) {
        return Err(("wrong_form", "This is not a decimal number. Write it as text, like \"12.5\".".to_owned()));
    }
    let (before, after) = (before.trim_start_matches('0'), after.trim_end_matches('0'));
    if before.len() > most_before || after.len() > most_after {
        let detail = format!("At most {most_before} digits before the point and {most_after} after it are allowed.");
        return Err(("out_of_range", detail));
    }
    let whole = if before.is_empty() { "0" } else { before };
    let point = if after.is_empty() { "" } else { "." };
    let sign = if text.starts_with('-') && !(before.is_empty() && after.is_empty()) { "-" } else { "" };
    Ok(format!("{sign}{whole}{point}{after}"))
}

fn money(value: &Value) -> Result<Value, WrongAt> {
    let of_type = || ("", "wrong_type", format!("This has to be {}.", form(Type::Money)));
    let fields = value.as_object().ok_or_else(of_type)?;
    if fields.keys().any(|name| name != "amount" && name != "currency") {
        return Err(of_type());
    }
    let part = |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).ok_or_else(of_type);
    let (amount, currency) = (part("amount")?, part("currency")?);
    let amount = decimal(amount, AMOUNT_DIGITS).map_err(|(code, detail)| ("/amount", code, detail))?;
    if !standards::is_currency(currency) {
        let (code, detail) = by_format("currency-code");
        return Err(("/currency", code, detail));
    }
    Ok(json!({"amount": amount, "currency": currency}))
}

fn date(text: &str) -> Result<String, Wrong> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| (1..=9999).contains(&day.year()));
    // What is read forgivingly, such as 2026-1-1, is not written like this.
    day.map(|day| day.to_string()).filter(|day| day == text).ok_or_else(|| by_format("date"))
}

fn instant(text: &str) -> Result<String, Wrong> {
    let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc).trunc_subsecs(6));
    let at = at.filter(|at| (1..=9999).contains(&at.year()) && at.nanosecond() < 1_000_000_000);
    at.map(|at| at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()).ok_or_else(|| by_format("date-time"))
}

fn web_address(text: &str) -> Result<String, Wrong> {
    if !standards::is_web_address(text) {
        return Err(by_format("uri"));
    }
    let address = url::Url::parse(text).map_err(|_| by_format("uri"))?.to_string();
    match address.len() {
        length if length > MOST_URL => Err(("too_long", format!("At most {MOST_URL} characters are allowed."))),
        _ => Ok(address),
    }
}

fn by_format(format: &'static str) -> Wrong {
    let code = match format {
        "currency-code" => "invalid_currency_code",
        "date" => "invalid_date",
        "date-time" => "invalid_date_time",
        "uri" => "invalid_uri",
        _ => "invalid_uuid",
    };
    (code, standards::remedy(format).unwrap_or("The form is wrong.").to_owned())
}

fn wrong_type(form: &str) -> Wrong {
    ("wrong_type", format!("This has to be {form}."))
}

/// What values of a type look like in JSON.
fn form(kind: Type) -> &'static str {
    match kind {
        Type::Text => "a text",
        Type::Number => "a decimal number written as text, like \"12.5\"",
        Type::Money => "an amount with its currency, like {\"amount\": \"12.5\", \"currency\": \"EUR\"}",
        Type::Bool => "true or false",
        Type::Date => "a date written as text, like \"2026-01-31\"",
        Type::Instant => "a time written as text, like \"2026-01-31T08:30:00Z\"",
        Type::Choice => "the key of an option",
        Type::MultiChoice => "a list of keys of options",
        Type::Url => "a web address, like \"https://example.com/about\"",
        Type::Reference => "an id",
    }
}
