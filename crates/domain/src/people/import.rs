//! Reading records from tables: which column is which field, and what the cells of a row say.
//!
//! A row becomes a JSON value in the shape of [`NewContact`](super::contact::NewContact) or
//! [`NewCompany`](super::company::NewCompany); empty cells become nothing. Lists are made of columns: the first e-mail
//! column is the first address, and so on; an item whose cells are all empty is left out. Several columns of a street
//! make several lines. What is wrong with the value is told by JSON Pointer; [`Mapping::locate`] finds the column.

mod cell;
mod custom;
mod heading;
mod marks;
mod target;

use serde_json::{Map, Value, json};

pub use self::marks::{keep_addresses, keep_emails, keep_phones, keep_profiles};
use self::{
    custom::CustomColumn,
    target::{Reading, Target},
};
use super::export;
use crate::{people::PeopleResource, problem::FieldProblem, workspace::custom_field::CustomField};

/// The field that a column is mapped to so that it is not imported.
const IGNORE: &str = "ignore";

/// Which column is which field.
#[derive(Debug)]
pub struct Mapping {
    headings: Vec<String>,
    /// Fields of the record itself.
    fields: Vec<Column>,
    /// Items of lists, in the order of list and position.
    items: Vec<Item>,
    /// Custom fields.
    custom: Vec<CustomColumn>,
    unmapped: Vec<String>,
}

#[derive(Clone, Debug)]
struct Column {
    /// Place in the row.
    index: usize,
    target: &'static Target,
}

#[derive(Debug)]
struct Item {
    list: &'static str,
    position: usize,
    columns: Vec<Column>,
    marks: Vec<(&'static str, &'static str)>,
}

/// The names of the fields that a column can go to; those of lists as `emails.address`.
pub fn target_names(kind: PeopleResource) -> impl Iterator<Item = &'static str> {
    target::all(kind).map(|target| target.name)
}

/// What a row says.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// In the shape of the new record.
    pub value: Value,
    /// The id under which the system that wrote the file knows the record.
    pub external_id: Option<String>,
}

/// What is wrong with a row, and in which column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellProblem {
    /// Place of the column in the row; none when it is about the row as a whole.
    pub column: Option<usize>,
    /// Stable code for programs.
    pub code: String,
    /// What is wrong and what to do about it, for people.
    pub detail: String,
}

impl CellProblem {
    /// A problem of the row as a whole.
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { column: None, code: code.to_owned(), detail: detail.into() }
    }
}

/// Where a column is to go: a target, and the position in the list if it is in one.
struct Wish {
    index: usize,
    target: &'static Target,
    position: Option<usize>,
    marks: &'static [(&'static str, &'static str)],
    /// Asked for by name, not recognised.
    explicit: bool,
    number: usize,
}

impl Mapping {
    /// Maps the columns with these headings. `wishes` are pairs of heading and field and go before what is recognised;
    /// the field `ignore` leaves a column out. The error is one sentence for the person who asked.
    pub fn read(
        kind: PeopleResource,
        headings: &[&str],
        wishes: &[(String, String)],
        fields: &[CustomField],
    ) -> Result<Self, String> {
        let (to_custom, wishes): (Vec<_>, Vec<_>) =
            wishes.iter().cloned().partition(|(_, field)| field.starts_with(custom::PREFIX));
        let mut custom = custom::explicit(headings, &to_custom, fields)?;
        let mut asked = explicit(kind, headings, &wishes)?;
        if let Some((index, _)) = asked.iter().find(|(index, _)| custom.iter().any(|column| column.index == *index)) {
            return Err(mapped_twice(headings[*index]));
        }
        let mut open = Vec::new();
        let is_asked = |index: usize| asked.iter().any(|(wished, _)| *wished == index);
        // A heading that is the very name of a field means nothing else, so these go first.
        let mut settled: Vec<usize> = export::own_headings(kind, headings);
        for (index, heading) in headings.iter().enumerate().filter(|(index, _)| !is_asked(*index)) {
            if let Some(field) = custom::named(fields, heading) {
                settled.push(index);
                if !custom.iter().any(|column| column.field.id == field.id) {
                    custom.push(CustomColumn { index, field: field.clone() });
                }
            } else if let Ok(wish) = wished(kind, index, heading) {
                settled.push(index);
                open.push(Wish { explicit: false, number: 0, ..wish });
            }
        }
        for (index, heading) in headings.iter().enumerate() {
            let is_custom = custom.iter().any(|column| column.index == index);
            if is_asked(index) || is_custom || settled.contains(&index) {
                continue;
            }
            // What the workspace has named itself goes before what others mean by such a heading.
            if let Some(field) = custom::recognise(fields, heading) {
                if !custom.iter().any(|column| column.field.id == field.id) {
                    custom.push(CustomColumn { index, field: field.clone() });
                }
                continue;
            }
            if let Some(found) = heading::recognise(kind, heading) {
                let (target, marks, number) = (found.target, found.marks, found.number);
                open.push(Wish { index, target, position: None, marks, explicit: false, number });
            }
        }
        let mut all: Vec<Wish> = asked.drain(..).filter_map(|(_, wish)| wish).collect();
        all.append(&mut open);
        let mut mapping = Self {
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            fields: Vec::new(),
            items: Vec::new(),
            custom,
            unmapped: Vec::new(),
        };
        mapping.place(all)?;
        mapping.settle_currency();
        mapping.finish()
    }

    /// The headings of the columns that are not imported.
    pub fn unmapped(&self) -> &[String] {
        &self.unmapped
    }

    /// Whether a column goes to this field, as in `emails.address`.
    pub fn has(&self, target: &str) -> bool {
        let inside = self.items.iter().flat_map(|item| &item.columns);
        self.fields.iter().chain(inside).any(|column| column.target.name == target)
    }

    /// Whether a column goes to a custom field.
    pub fn has_custom(&self) -> bool {
        !self.custom.is_empty()
    }

    /// The heading of a column.
    pub fn heading(&self, column: usize) -> &str {
        self.headings.get(column).map_or("", String::as_str)
    }

    /// How many cells a row has.
    pub fn width(&self) -> usize {
        self.headings.len()
    }

    /// The mapping in full, for comparing: equal texts mean that equal rows make equal records.
    pub fn describe(&self) -> String {
        let fields = self.fields.iter().map(|column| format!("{}={}\n", column.index, column.target.name));
        let items = self.items.iter().flat_map(|item| {
            let columns = item.columns.iter();
            columns
                .map(|column| format!("{}={}/{}/{:?}\n", column.index, column.target.name, item.position, item.marks))
        });
        let custom = self.custom.iter().map(|column| format!("{}=custom.{}\n", column.index, column.field.key));
        fields.chain(items).chain(custom).collect()
    }

    /// What a row says. `cell` gives the text of a column without space at its ends.
    pub fn row<'r>(&self, cell: impl Fn(usize) -> &'r str) -> Result<Row, Vec<CellProblem>> {
        let mut problems = Vec::new();
        let mut value = Map::new();
        let mut external_id = None;
        for column in &self.fields {
            let text = cell(column.index);
            match read(column, text) {
                Ok(None) => {}
                Ok(Some(_)) if matches!(column.target.reading, Reading::ExternalId) => {
                    external_id = Some(text.to_owned());
                }
                Ok(Some(read)) => drop(value.insert(column.target.name.to_owned(), read)),
                Err(problem) => problems.push(problem),
            }
        }
        // A file that names its currency in each row does so for rows without revenue too.
        if !value.contains_key("annual_revenue_amount") {
            value.shift_remove("annual_revenue_currency");
        }
        for item in self.items.iter().filter(|item| item.is_present(&cell)) {
            let read = item.read(&cell, &mut problems);
            if let Some(list) = value.entry(item.list).or_insert_with(|| json!([])).as_array_mut() {
                list.push(Value::Object(read));
            }
        }
        let custom = self.read_custom(&cell, &mut problems);
        if !custom.is_empty() {
            value.insert("custom".to_owned(), Value::Object(custom));
        }
        if problems.is_empty() { Ok(Row { value: Value::Object(value), external_id }) } else { Err(problems) }
    }

    fn read_custom<'r>(&self, cell: &impl Fn(usize) -> &'r str, problems: &mut Vec<CellProblem>) -> Map<String, Value> {
        let mut values = Map::new();
        for CustomColumn { index, field } in &self.custom {
            let text = cell(*index);
            match custom::read(field, text) {
                _ if text.is_empty() => {}
                Ok(value) => drop(values.insert(field.key.clone(), value)),
                Err(problem) => problems.push(CellProblem { column: Some(*index), ..problem }),
            }
        }
        values
    }

    /// Finds the column that a problem with a row's value is about.
    pub fn locate<'r>(&self, problem: FieldProblem, cell: impl Fn(usize) -> &'r str) -> CellProblem {
        let pointer = problem.pointer.as_deref().unwrap_or_default();
        let column = self.column(pointer, &cell);
        CellProblem { column, code: code(&problem.code).to_owned(), detail: problem.detail }
    }

    fn column<'r>(&self, pointer: &str, cell: &impl Fn(usize) -> &'r str) -> Option<usize> {
        let mut path = pointer.split('/').skip(1);
        let name = path.next()?;
        if let Some(column) = self.fields.iter().find(|column| column.target.name == name) {
            return Some(column.index);
        }
        if name == "custom" {
            let key = path.next()?;
            return self.custom.iter().find(|column| column.field.key == key).map(|column| column.index);
        }
        let mut present = self.items.iter().filter(|item| item.list == name && item.is_present(cell));
        let position: usize = path.next().and_then(|position| position.parse().ok()).unwrap_or(0);
        let item = present.nth(position).or_else(|| self.items.iter().find(|item| item.list == name))?;
        let leaf = path.next().unwrap_or_default();
        let column = item.columns.iter().find(|column| column.target.leaf() == leaf).or(item.columns.first())?;
        Some(column.index)
    }

    /// Gives every wish its place. Of two columns for one field the explicit one wins, then the first.
    fn place(&mut self, mut wishes: Vec<Wish>) -> Result<(), String> {
        wishes.sort_by_key(|wish| (!wish.explicit, wish.position.is_none(), wish.number, wish.index));
        for wish in wishes {
            let column = Column { index: wish.index, target: wish.target };
            let Some(list) = wish.target.list() else {
                match self.fields.iter().find(|other| other.target.name == wish.target.name) {
                    None => self.fields.push(column),
                    Some(_) if !wish.explicit => {}
                    Some(other) => return Err(self.taken(other.index, &wish)),
                }
                continue;
            };
            let position = wish.position.unwrap_or_else(|| match list {
                "addresses" => wish.number.saturating_sub(1),
                _ => (0..).find(|position| self.occupant(&wish, list, *position).is_none()).unwrap_or_default(),
            });
            match self.occupant(&wish, list, position) {
                Some(_) if !wish.explicit => continue,
                Some(other) => return Err(self.taken(other, &wish)),
                None => {}
            }
            let item = match self.items.iter_mut().find(|item| item.list == list && item.position == position) {
                Some(item) => item,
                None => self.items.push_mut(Item { list, position, columns: Vec::new(), marks: Vec::new() }),
            };
            item.columns.push(column);
            item.marks.extend(wish.marks);
        }
        Ok(())
    }

    /// The column that has this place already; lines of a street share theirs.
    fn occupant(&self, wish: &Wish, list: &str, position: usize) -> Option<usize> {
        if matches!(wish.target.reading, Reading::Street) {
            return None;
        }
        let item = self.items.iter().find(|item| item.list == list && item.position == position)?;
        item.columns.iter().find(|column| column.target.name == wish.target.name).map(|column| column.index)
    }

    fn taken(&self, other: usize, wish: &Wish) -> String {
        let (one, other) = (self.heading(other), self.heading(wish.index));
        format!("Columns {one:?} and {other:?} can't both go to {}. Map one of them elsewhere.", wish.target.name)
    }

    /// A file with a revenue and one currency means the currency of the revenue.
    fn settle_currency(&mut self) {
        let has = |name: &str| self.fields.iter().any(|column| column.target.name == name);
        if !has("annual_revenue_amount") || has("annual_revenue_currency") {
            return;
        }
        let revenue = target::find(PeopleResource::Companies, "annual_revenue_currency");
        let plain = self.fields.iter_mut().find(|column| column.target.name == "default_currency");
        if let (Some(revenue), Some(column)) = (revenue, plain) {
            column.target = revenue;
        }
    }

    fn finish(mut self) -> Result<Self, String> {
        self.fields.sort_by_key(|column| column.index);
        self.items.sort_by_key(|item| (item.list, item.position));
        for item in &mut self.items {
            item.columns.sort_by_key(|column| column.index);
        }
        let inside = self.items.iter().flat_map(|item| &item.columns);
        let custom = self.custom.iter().map(|column| column.index);
        let used: Vec<usize> = self.fields.iter().chain(inside).map(|column| column.index).chain(custom).collect();
        let unused = self.headings.iter().enumerate().filter(|(index, _)| !used.contains(index));
        self.unmapped = unused.map(|(_, heading)| heading.clone()).collect();
        if used.is_empty() {
            let headings = self.headings.iter().map(|heading| format!("{heading:?}")).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "No column is recognised: the first line has {headings}. It has to name the columns; say with --map \
                 COLUMN=field which field a column is."
            ));
        }
        Ok(self)
    }
}

impl Item {
    /// Whether a row has the item: its type or a mark alone is none.
    fn is_present<'r>(&self, cell: &impl Fn(usize) -> &'r str) -> bool {
        self.columns.iter().any(|column| {
            let counts = match self.list {
                "emails" => column.target.leaf() == "address",
                "phones" => column.target.leaf() == "number",
                "social_profiles" => column.target.leaf() == "profile",
                _ => column.target.leaf() != "type",
            };
            counts && !cell(column.index).is_empty()
        })
    }

    fn read<'r>(&self, cell: &impl Fn(usize) -> &'r str, problems: &mut Vec<CellProblem>) -> Map<String, Value> {
        let mut read_item = Map::new();
        let (mut number, mut lines) = (None, Vec::new());
        for column in &self.columns {
            let text = cell(column.index);
            match (read(column, text), column.target.reading) {
                (Ok(None), _) => {}
                (Ok(Some(_)), Reading::StreetNumber) => number = Some(text),
                (Ok(Some(_)), Reading::Street) => lines.push(text),
                (Ok(Some(read)), _) => drop(read_item.insert(column.target.leaf().to_owned(), read)),
                (Err(problem), _) => problems.push(problem),
            }
        }
        if number.is_some() || !lines.is_empty() {
            let lines = lines.join("\n");
            let street = number.into_iter().chain(Some(lines.as_str()).filter(|lines| !lines.is_empty()));
            read_item.insert("street".to_owned(), json!(street.collect::<Vec<_>>().join(" ")));
        }
        for (name, mark) in &self.marks {
            read_item.entry(*name).or_insert_with(|| json!(mark));
        }
        read_item
    }
}

/// What is asked for by name: for each column named, where it goes, or none for nowhere.
fn explicit(
    kind: PeopleResource,
    headings: &[&str],
    wishes: &[(String, String)],
) -> Result<Vec<(usize, Option<Wish>)>, String> {
    let mut asked: Vec<(usize, Option<Wish>)> = Vec::new();
    for (heading, field) in wishes {
        let index = column_of(headings, heading)?;
        if asked.iter().any(|(other, _)| *other == index) {
            return Err(mapped_twice(heading));
        }
        let wish = (field != IGNORE).then(|| wished(kind, index, field)).transpose()?;
        asked.push((index, wish));
    }
    Ok(asked)
}

/// The place of the column with this heading.
fn column_of(headings: &[&str], heading: &str) -> Result<usize, String> {
    let same = |other: &&str| heading::normal(other) == heading::normal(heading);
    let index = headings.iter().position(|other| *other == heading).or_else(|| headings.iter().position(same));
    index.ok_or_else(|| {
        let headings = headings.iter().map(|heading| format!("{heading:?}")).collect::<Vec<_>>().join(", ");
        format!("The file has no column {heading:?}. Its columns are {headings}.")
    })
}

fn mapped_twice(heading: &str) -> String {
    format!("Column {heading:?} or its field is mapped twice. Map each once.")
}

/// Reads `first_name`, `emails.address` or `emails.1.address`; positions count from 0.
fn wished(kind: PeopleResource, index: usize, field: &str) -> Result<Wish, String> {
    let parts: Vec<&str> = field.split('.').collect();
    let (name, position) = match parts.as_slice() {
        [list, position, leaf] => {
            (format!("{list}.{leaf}"), Some(position.parse().ok().filter(|position| *position < 20)))
        }
        _ => (field.to_owned(), None),
    };
    match (target::find(kind, &name), position) {
        (Some(target), None) => Ok(Wish { index, target, position: None, marks: &[], explicit: true, number: 1 }),
        (Some(target), Some(Some(position))) => {
            Ok(Wish { index, target, position: Some(position), marks: &[], explicit: true, number: 1 })
        }
        _ => {
            let known = target::all(kind).map(|target| target.name).collect::<Vec<_>>().join(", ");
            Err(format!(
                "There is no field {field:?}. The fields are {known}; emails.1.address is the second e-mail address, \
                 and {IGNORE} leaves a column out."
            ))
        }
    }
}

fn read(column: &Column, text: &str) -> Result<Option<Value>, CellProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    let in_column = |problem| CellProblem { column: Some(column.index), ..problem };
    cell::read(column.target.reading, text).map(Some).map_err(in_column)
}

/// The word of an import for a word of the API, where it has one of its own.
fn code(code: &str) -> &str {
    match code {
        "required" | "nothing_to_know_by" | "empty" => "missing_required",
        "unknown_value" | "not_allowed" | "invalid_country_code" => "invalid_choice",
        "invalid_date" => "unparsable_date",
        "wrong_type" => "unparsable_row",
        "unknown_reference" => "reference_not_found",
        "too_long" | "too_many" => "limit_exceeded",
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#[path = "import/tests.rs"]
mod tests;
