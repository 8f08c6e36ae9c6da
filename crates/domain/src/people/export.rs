//! Writing records as tables: one row each, under headings that an import understands without being told.
//!
//! A heading names a field as `--map` does: `last_name`, `emails.0.address` (the first e-mail address), `custom.tier`. What
//! no import takes, such as `version`, has a column as well: whoever reads the file misses nothing.

use serde_json::Value;

use super::import::target_names;
use crate::{
    commerce::connection::IMPORT,
    people::PeopleResource,
    workspace::custom_field::{CustomField, CustomFieldType},
};

/// What Rapport says of every record, and no import takes.
const OF_RECORDS: &[&str] =
    &["id", "version", "created_at", "updated_at", "created_by", "updated_by", "team_id", "source"];

/// The lists of a record, each item of which has columns of its own.
pub const LISTS: &[&str] = &["emails", "phones", "addresses", "social_profiles"];

/// What is only for reading within a list.
const OF_ITEMS: &[(&str, &str)] = &[("phones", "e164")];

/// Of a file that has all that Rapport says of every record, and so was exported: the columns that no import takes, whatever
/// fields of the same label there are.
pub(super) fn own_headings(kind: PeopleResource, headings: &[&str]) -> Vec<usize> {
    if !OF_RECORDS.iter().all(|name| headings.contains(name)) {
        return Vec::new();
    }
    let is_own = |heading: &str| {
        OF_RECORDS.contains(&heading) || heading == OTHER_IDS || (kind == PeopleResource::Contacts && heading == "name")
    };
    headings.iter().enumerate().filter(|(_, heading)| is_own(heading)).map(|(index, _)| index).collect()
}

/// The column of the ids under which outside systems know a record.
const OTHER_IDS: &str = "external_ids";

/// The columns of a table.
#[derive(Debug)]
pub struct Table(Vec<Column>);

#[derive(Debug)]
enum Column {
    Field(&'static str),
    /// The id under which the system that files come from knows the record.
    ExternalId,
    /// The ids under which all others know it.
    OtherIds,
    Item {
        list: &'static str,
        position: usize,
        leaf: &'static str,
    },
    Custom(String, CustomFieldType),
}

impl Table {
    /// The columns for records of which none has longer lists than these, in the order of [`LISTS`].
    pub fn new(kind: PeopleResource, lengths: &[usize], fields: &[CustomField]) -> Self {
        let mut columns: Vec<Column> = OF_RECORDS.iter().map(|name| Column::Field(name)).collect();
        if kind == PeopleResource::Contacts {
            columns.push(Column::Field("name"));
        }
        for name in target_names(kind).filter(|name| !name.contains('.')) {
            columns.push(if name == "external_id" { Column::ExternalId } else { Column::Field(name) });
        }
        columns.push(Column::OtherIds);
        for (list, length) in LISTS.iter().zip(lengths) {
            let leaves = target_names(kind).filter_map(|name| name.strip_prefix(list)?.strip_prefix('.'));
            let shown = OF_ITEMS.iter().filter(|(of, _)| of == list).map(|(_, leaf)| *leaf);
            let leaves: Vec<&str> = leaves.filter(|leaf| *leaf != "street_number").chain(shown).collect();
            for position in 0..*length {
                columns.extend(leaves.iter().map(|leaf| Column::Item { list, position, leaf }));
            }
        }
        columns.extend(fields.iter().map(|field| Column::Custom(field.key.clone(), field.kind)));
        Self(columns)
    }

    /// The first row.
    pub fn headings(&self) -> Vec<String> {
        let heading = |column: &Column| match column {
            Column::Field(name) => (*name).to_owned(),
            Column::ExternalId => "external_id".to_owned(),
            Column::OtherIds => OTHER_IDS.to_owned(),
            Column::Item { list, position, leaf } => format!("{list}.{position}.{leaf}"),
            Column::Custom(key, _) => format!("custom.{key}"),
        };
        self.0.iter().map(heading).collect()
    }

    /// The row of a record, which is given as the API shows it.
    pub fn row(&self, record: &Value) -> Vec<String> {
        let cell = |column: &Column| match column {
            Column::Field("annual_revenue_amount") => clear(text(&record["annual_revenue_amount"])),
            Column::Field(name) => text(&record[name]),
            Column::ExternalId => {
                ids(record).find(|(connection, _)| *connection == IMPORT).map_or("", |(_, id)| id).to_owned()
            }
            Column::OtherIds => {
                let others = ids(record).filter(|(connection, _)| *connection != IMPORT);
                others.map(|(connection, id)| format!("{connection}={id}")).collect::<Vec<_>>().join(";")
            }
            Column::Item { list, position, leaf } => text(&record[list][position][leaf]),
            Column::Custom(key, CustomFieldType::Number) => clear(text(&record["custom"][key])),
            Column::Custom(key, CustomFieldType::Money) if record["custom"][key].is_object() => {
                let money = &record["custom"][key];
                format!("{} {}", clear(text(&money["amount"])), text(&money["currency"]))
            }
            Column::Custom(key, _) => text(&record["custom"][key]),
        };
        self.0.iter().map(cell).collect()
    }
}

fn ids(record: &Value) -> impl Iterator<Item = (&str, &str)> {
    let ids = record["external_ids"].as_array().into_iter().flatten();
    ids.filter_map(|id| Some((id["connection"].as_str()?, id["external_id"].as_str()?)))
}

/// A number that no reader takes for thousands: 1.250 is written 1.2500.
fn clear(number: String) -> String {
    match number.split_once('.') {
        Some((_, part)) if part.len() == 3 => number + "0",
        _ => number,
    }
}

/// A value as an import reads it. Words of a list stand between semicolons.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(";"),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_what_an_import_reads() {
        let record = json!({
            "id": "1", "name": "Anna Lindt", "last_name": "Lindt", "do_not_call": false, "tags": ["a", "b"],
            "emails": [{"address": "anna@example.com", "opted_out": true}],
            "external_ids": [{"connection": "shop", "external_id": "9"}, {"connection": "import", "external_id": "K-1"}],
            "custom": {}
        });
        let table = Table::new(PeopleResource::Contacts, &[2, 0, 0, 0], &[]);
        let row: Vec<(String, String)> = table.headings().into_iter().zip(table.row(&record)).collect();
        let cell = |heading: &str| row.iter().find(|(name, _)| name == heading).map(|(_, cell)| cell.as_str());
        assert_eq!(
            (cell("name"), cell("last_name"), cell("do_not_call")),
            (Some("Anna Lindt"), Some("Lindt"), Some("false"))
        );
        assert_eq!(
            (cell("tags"), cell("external_id"), cell("external_ids")),
            (Some("a;b"), Some("K-1"), Some("shop=9"))
        );
        assert_eq!((cell("emails.0.address"), cell("emails.0.opted_out")), (Some("anna@example.com"), Some("true")));
        assert_eq!((cell("emails.1.address"), cell("phones.0.number")), (Some(""), None));
        assert_eq!(
            ["1.25", "1.250", "-0.125", "12"].map(|number| clear(number.to_owned())),
            ["1.25", "1.2500", "-0.1250", "12"]
        );
    }

    #[test]
    fn every_field_of_a_record_has_a_column() {
        for kind in [PeopleResource::Contacts, PeopleResource::Companies] {
            let headings = Table::new(kind, &[1; 4], &[]).headings();
            for field in kind.resource().fields().iter().filter(|field| **field != "custom") {
                let is_shown = headings.iter().any(|name| name == field || name.starts_with(&format!("{field}.")));
                assert!(is_shown, "{field}");
            }
        }
    }
}
