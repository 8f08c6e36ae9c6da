//! What a cell says, in the words of the API.

use std::{collections::HashMap, sync::OnceLock};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CellProblem, heading, target::Reading};
use crate::text;

/// Reads a cell that is not empty.
pub(super) fn read(reading: Reading, cell: &str) -> Result<Value, CellProblem> {
    match reading {
        Reading::Text | Reading::Street | Reading::StreetNumber => Ok(json!(cell)),
        Reading::ExternalId if cell.chars().count() > 255 => {
            Err(CellProblem::new("limit_exceeded", "At most 255 characters are allowed."))
        }
        Reading::ExternalId => Ok(json!(cell)),
        Reading::Tags => Ok(cell.split([';', ',']).map(str::trim).filter(|tag| !tag.is_empty()).collect()),
        Reading::Id => Uuid::try_parse(cell).map(|id| json!(id)).map_err(|_| {
            let detail = "This is not an id. Ids are UUIDs, like 0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b.";
            CellProblem::new("reference_not_found", detail)
        }),
        Reading::Date => date(cell).map(|day| json!(day)).map_err(|why| CellProblem::new("unparsable_date", why)),
        Reading::Flag => flag(cell).map(Value::from).ok_or_else(|| {
            CellProblem::new("invalid_choice", "This says neither yes nor no. Write yes or no, true or false, 1 or 0.")
        }),
        Reading::Degrees => degrees(cell).map(Value::from).ok_or_else(|| {
            CellProblem::new("unparsable_number", "This is not a number of degrees. Write it like 52.529.")
        }),
        Reading::Amount => amount(cell).map(|amount| json!(amount)).ok_or_else(|| {
            CellProblem::new(
                "unparsable_number",
                "This is not an amount that can be read in one way. Write it like 1250000.00.",
            )
        }),
        Reading::Country => country(cell).map(Value::from).ok_or_else(|| {
            CellProblem::new(
                "invalid_choice",
                "This is not a country. Write its ISO 3166-1 code, like DE, or its English name.",
            )
        }),
        Reading::Currency => Ok(json!(cell.to_uppercase())),
        Reading::Language => Ok(json!(cell.replace('_', "-"))),
        Reading::Employees => employees(cell).map(Value::from).ok_or_else(|| {
            CellProblem::new(
                "unparsable_number",
                "This is not a number of employees. Write a number, or a range like 51-200.",
            )
        }),
        Reading::Choice(is) => {
            let word = text::fold(cell).replace([' ', '-'], "_");
            let refused =
                || CellProblem::new("invalid_choice", "This is not one of the values that the field can have.");
            if is(&word) { Ok(json!(word)) } else { Err(refused()) }
        }
    }
}

/// A calendar date: `1990-12-31`, `1990/12/31`, `19901231`, `31.12.1990`, and `12/31/1990` or `31/12/1990` where it can
/// be read in one way only. A time of day after the date is passed over. Otherwise why it is none.
pub(super) fn date(cell: &str) -> Result<NaiveDate, &'static str> {
    const FORM: &str = "This is not a date. Write it as year-month-day, like 1990-12-31.";
    const ABSENT: &str = "There is no such day in the calendar. Write it as year-month-day, like 1990-12-31.";
    const EITHER: &str = "Day and month could be either way round. Write the date as year-month-day, like 1990-12-31.";
    let day = cell.split(['T', ' ']).next().unwrap_or(cell);
    let of = |year: u32, month: u32, day: u32| {
        let year = i32::try_from(year).ok().filter(|year| (1000..=9999).contains(year));
        year.and_then(|year| NaiveDate::from_ymd_opt(year, month, day)).ok_or(ABSENT)
    };
    if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u32 = day.parse().map_err(|_| FORM)?;
        return of(number / 10_000, number / 100 % 100, number % 100);
    }
    let separator = ['-', '/', '.'].into_iter().find(|separator| day.contains(*separator)).ok_or(FORM)?;
    let parts = day.split(separator).map(digits).collect::<Option<Vec<_>>>().ok_or(FORM)?;
    match (parts.as_slice(), separator) {
        ([(year, 4), (month, 1..=2), (day, 1..=2)], '-' | '/') => of(*year, *month, *day),
        ([(day, 1..=2), (month, 1..=2), (year, 4)], '.') => of(*year, *month, *day),
        ([(first, 1..=2), (second, 1..=2), (year, 4)], '/') => match (*first, *second) {
            (month, day) if day > 12 || day == month => of(*year, month, day),
            (day, month) if day > 12 => of(*year, month, day),
            _ => Err(EITHER),
        },
        _ => Err(FORM),
    }
}

/// A number and how many digits it is written with.
fn digits(part: &str) -> Option<(u32, usize)> {
    let plain = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| part.parse().ok()).flatten().map(|number| (number, part.len()))
}

pub(super) fn flag(cell: &str) -> Option<bool> {
    match text::fold(cell).as_str() {
        "yes" | "y" | "true" | "t" | "1" | "x" | "ja" | "j" | "wahr" | "oui" | "si" => Some(true),
        "no" | "n" | "false" | "f" | "0" | "-" | "nein" | "falsch" | "non" => Some(false),
        _ => None,
    }
}

fn degrees(cell: &str) -> Option<f64> {
    cell.replace(',', ".").parse::<f64>().ok().filter(|degrees| degrees.is_finite())
}

/// A decimal number. A comma or full stop that may part thousands or decimals is not guessed at.
pub(super) fn amount(cell: &str) -> Option<Decimal> {
    let plain = cell.replace([' ', '\u{a0}', '\u{202f}', '\''], "");
    let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let is_clear = match rest.as_slice() {
        // 1.250 is a thousand to some and a little more than one to others, and so is 1,250.
        [] => first.len() > 3 || part.len() != 3,
        [group] => group.len() == 3 && !part.is_empty(),
        groups => groups.iter().all(|group| group.len() == 3),
    };
    let is_number = first.len() <= 15 && plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    let is_clear = is_clear && (rest.is_empty() || (1..=3).contains(&first.len())) && !part.contains(',');
    (is_clear && is_number).then(|| plain.replace(',', "").parse().ok()).flatten()
}

/// The range that a number of employees is in; a range stays as it is.
fn employees(cell: &str) -> Option<&'static str> {
    const RANGES: &[(u64, &str)] =
        &[(10, "1_10"), (50, "11_50"), (200, "51_200"), (500, "201_500"), (1000, "501_1000"), (u64::MAX, "1001_plus")];
    let plain: String = cell.chars().filter(|character| !matches!(character, ' ' | ',' | '.' | '\'')).collect();
    if let Ok(number) = plain.parse::<u64>() {
        return RANGES.iter().find(|(most, _)| (1..=*most).contains(&number)).map(|(_, range)| *range);
    }
    if let Some(least) = plain.strip_suffix('+') {
        return least.parse::<u64>().ok().filter(|least| *least >= 1000).map(|_| "1001_plus");
    }
    let range = plain.replace(['-', '–'], "_").to_lowercase();
    RANGES.iter().map(|(_, known)| *known).find(|known| *known == range)
}

/// The ISO 3166-1 alpha-2 code of a country, from either code or a name.
fn country(cell: &str) -> Option<&'static str> {
    static COUNTRIES: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    COUNTRIES.get_or_init(countries).get(&heading::normal(cell)).copied()
}

fn countries() -> HashMap<String, &'static str> {
    let mut countries = HashMap::new();
    for country in rust_iso3166::ALL {
        let short = country.name.split(['(', ',']).next().unwrap_or(country.name);
        countries.entry(heading::normal(short)).or_insert(country.alpha2);
    }
    for shared_by_two in ["korea", "congo", "virginislands"] {
        countries.remove(shared_by_two);
    }
    countries.extend(NAMES.iter().map(|(name, code)| ((*name).to_owned(), *code)));
    for country in rust_iso3166::ALL {
        countries.insert(heading::normal(country.name), country.alpha2);
        countries.insert(heading::normal(country.alpha3), country.alpha2);
        countries.insert(heading::normal(country.alpha2), country.alpha2);
    }
    countries
}

/// Names in daily use that the standard words differently.
const NAMES: &[(&str, &str)] = &[
    ("usa", "US"),
    ("unitedstates", "US"),
    ("unitedstatesofamerica", "US"),
    ("america", "US"),
    ("uk", "GB"),
    ("unitedkingdom", "GB"),
    ("greatbritain", "GB"),
    ("england", "GB"),
    ("scotland", "GB"),
    ("wales", "GB"),
    ("northernireland", "GB"),
    ("southkorea", "KR"),
    ("northkorea", "KP"),
    ("russia", "RU"),
    ("vietnam", "VN"),
    ("turkey", "TR"),
    ("czechrepublic", "CZ"),
    ("netherlands", "NL"),
    ("holland", "NL"),
    ("taiwan", "TW"),
    ("ivorycoast", "CI"),
    ("macedonia", "MK"),
    ("deutschland", "DE"),
    ("osterreich", "AT"),
    ("schweiz", "CH"),
    ("frankreich", "FR"),
    ("italien", "IT"),
    ("spanien", "ES"),
    ("niederlande", "NL"),
    ("belgien", "BE"),
    ("polen", "PL"),
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for written in ["1990-12-31", "19901231", "31.12.1990", "12/31/1990", "31/12/1990", "1990-12-31T00:00:00Z"] {
            assert_eq!(date(written), Ok(NaiveDate::from_ymd_opt(1990, 12, 31).unwrap()), "{written}");
        }
        assert_eq!(date("1.2.1990"), date("1990-02-01"));
        assert_eq!(date("02/02/1990"), date("1990-02-02"));
        for wrong in ["19450931", "1990-02-30", "31.12.90", "01/02/1990", "90-12-31", "yesterday", "1990-12", "0", "--"]
        {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn countries_are_known_by_code_and_name() {
        for (written, code) in [
            ("de", "DE"),
            ("DEU", "DE"),
            ("Germany", "DE"),
            ("Deutschland", "DE"),
            ("United States", "US"),
            ("usa", "US"),
            ("United Kingdom", "GB"),
            ("South Korea", "KR"),
            ("Österreich", "AT"),
            ("Bolivia", "BO"),
        ] {
            assert_eq!(country(written), Some(code), "{written}");
        }
        assert_eq!(country("Atlantis"), None);
        assert_eq!(country("Korea"), None);
    }

    #[test]
    fn amounts_are_not_guessed_at() {
        let read = |cell| amount(cell).map(|amount| amount.to_string());
        assert_eq!(read("1250000.00").as_deref(), Some("1250000.00"));
        assert_eq!(read("1,250,000").as_deref(), Some("1250000"));
        assert_eq!(read("1,250.50").as_deref(), Some("1250.50"));
        assert_eq!(read("1 250 000").as_deref(), Some("1250000"));
        for wrong in ["1,250", "1.250", "1.250,00", "12,50", "-5", "1e9", "a lot", "", "."] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn employees_are_counted_or_given_as_a_range() {
        for (written, range) in [("1", "1_10"), ("51 - 200", "51_200"), ("1,001", "1001_plus"), ("1001+", "1001_plus")]
        {
            assert_eq!(employees(written), Some(range), "{written}");
        }
        assert_eq!(employees("0"), None);
        assert_eq!(employees("many"), None);
    }

    proptest! {
        #[test]
        fn every_day_is_read_back(days in 0..400_000_i32) {
            let day = NaiveDate::from_num_days_from_ce_opt(400_000 + days).unwrap();
            for form in ["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%Y/%m/%d"] {
                prop_assert_eq!(date(&day.format(form).to_string()), Ok(day));
            }
        }

        #[test]
        fn month_and_day_with_slashes_are_read_right_or_not_at_all(days in 0..36_500_i32) {
            let day = NaiveDate::from_num_days_from_ce_opt(700_000 + days).unwrap();
            for form in ["%m/%d/%Y", "%d/%m/%Y"] {
                let read = date(&day.format(form).to_string());
                prop_assert!(read.is_err() || read == Ok(day));
            }
        }

        #[test]
        fn no_cell_is_too_odd(cell in "\\PC{0,20}") {
            let _ = (date(&cell), flag(&cell), degrees(&cell), amount(&cell), employees(&cell), country(&cell));
        }
    }
}
