//! Random trees, whose values are mostly those of the records, and a note of what was tried.

use std::collections::BTreeSet;

use rapport_domain::filter::{Entity, Field, Folding, Kind, Options, Value as Known};
use serde_json::{Value, json};

use super::world::World;
use crate::harness::Chance;

const TEXT: &[&str] = &["eq", "ne", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"];
const NUMBER: &[&str] = &["eq", "ne", "lt", "lte", "gt", "gte", "between", "not_between", "in"];
const COMPARE: &[&str] = &["eq", "ne", "lt", "lte", "gt", "gte"];
const COUNT: &[&str] = &["at_least", "at_most", "exactly", "between", "none"];
const TAGS: &[&str] = &["has_any", "has_all", "has_none", "count"];
const DATE: &[&str] = &["on", "before", "after", "between"];
const INSTANT: &[&str] = &["before", "after", "between"];
const ROLLING: &[&str] = &["in_last", "not_in_last", "in_next", "more_than_ago"];
const UNITS: &[&str] = &["minute", "hour", "day", "week", "month", "year"];
const PERIODS: &[&str] = &["day", "week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year"];
const FUNCTIONS: &[&str] = &["sum", "avg", "min", "max", "count_distinct"];
const ZONES: &[&str] = &["Europe/Berlin", "America/New_York", "Pacific/Apia", "UTC", "Asia/Kathmandu"];
/// Who has many fields and relations is asked more often.
const ENTITIES: [Entity; 9] = [
    Entity::Contact,
    Entity::Contact,
    Entity::Company,
    Entity::Company,
    Entity::Opportunity,
    Entity::Task,
    Entity::Product,
    Entity::Lead,
    Entity::Note,
];

/// Makes trees over a world.
pub struct Trees<'w> {
    chance: Chance,
    world: &'w World,
    tried: BTreeSet<String>,
}

impl<'w> Trees<'w> {
    pub fn new(seed: u64, world: &'w World) -> Self {
        Self { chance: Chance::new(seed), world, tried: BTreeSet::new() }
    }

    /// A whole filter. Each third is one leaf, so that a mistake has little to hide behind.
    pub fn filter(&mut self, case: usize) -> Value {
        let entity = *self.chance.of(&ENTITIES);
        let node = loop {
            let node = if case.is_multiple_of(3) { self.leaf(entity, 2) } else { self.node(entity, 4, 3) };
            // One less than the most, so that it can be negated.
            if depth(&node) < 8 {
                break node;
            }
        };
        let mut filter = json!({"version": 1, "entity": entity, "where": node});
        if !self.chance.one_in(4) {
            filter["tz"] = json!(self.chance.of(ZONES));
        }
        filter
    }

    /// What there is and was never tried.
    pub fn missing(&self) -> Vec<String> {
        let mut all: Vec<String> = [
            "all",
            "any",
            "not",
            "sample",
            "match",
            "match/fields",
            "latest",
            "geo_within/center",
            "geo_within/bbox",
            "geo_within/countries",
        ]
        .map(ToOwned::to_owned)
        .into();
        let mut add = |node: &str, words: &[&str]| all.extend(words.iter().map(|word| format!("{node}/{word}")));
        add("text", TEXT);
        add("texts", TEXT);
        add("number", NUMBER);
        add("float", NUMBER);
        add("money", NUMBER);
        add("aggregate", NUMBER);
        add("aggregate", FUNCTIONS);
        add("choice", &["in", "not_in"]);
        add("bool", &["true", "false"]);
        add("tags", TAGS);
        add("count", COUNT);
        add("date", DATE);
        add("instant", INSTANT);
        add("rolling", ROLLING);
        add("rolling", UNITS);
        add("rolling of a date", ROLLING);
        add("calendar", PERIODS);
        add("calendar of a date", PERIODS);
        add("anniversary", &["next/feb28", "next/mar1", "last/feb28", "last/mar1"]);
        add("compare", COMPARE);
        add("related", COUNT);
        for entity in ENTITIES.iter().copied() {
            let fields = self.world.catalogue.fields(entity);
            all.extend(fields.map(|field| format!("present/{}/{}", entity.as_str(), field.name)));
            let relations = self.world.catalogue.relations(entity);
            all.extend(relations.map(|relation| format!("related/{}/{}", entity.as_str(), relation.name)));
        }
        all.into_iter().filter(|one| !self.tried.contains(one)).collect()
    }

    fn tried(&mut self, what: impl Into<String>) {
        self.tried.insert(what.into());
    }

    fn node(&mut self, entity: Entity, depth: usize, relations: usize) -> Value {
        if depth == 0 {
            return self.leaf(entity, relations);
        }
        match self.chance.below(8) {
            0 | 1 => self.group("all", entity, depth, relations),
            2 | 3 => self.group("any", entity, depth, relations),
            4 => {
                self.tried("not");
                json!({"type": "not", "node": self.node(entity, depth - 1, relations)})
            }
            _ => self.leaf(entity, relations),
        }
    }

    fn group(&mut self, kind: &str, entity: Entity, depth: usize, relations: usize) -> Value {
        self.tried(kind);
        let nodes: Vec<Value> = (0..self.chance.below(4)).map(|_| self.node(entity, depth - 1, relations)).collect();
        json!({"type": kind, "nodes": nodes})
    }

    fn leaf(&mut self, entity: Entity, relations: usize) -> Value {
        // What is related to nothing is asked nothing of it.
        let relations = if self.world.catalogue.relations(entity).next().is_some() { relations } else { 0 };
        match self.chance.below(20) {
            0 | 1 if relations > 0 => self.related(entity, relations),
            2 | 3 if relations > 0 => self.aggregate(entity, relations),
            4 if relations > 0 => self.latest(entity, relations),
            5 => self.compare(entity),
            6 if entity.has_place() => self.place(),
            7 => {
                self.tried("sample");
                json!({"type": "sample", "percent": self.chance.below(101), "salt": self.chance.of(&["a", "b", "ü"])})
            }
            8 => {
                self.tried("match");
                let words = ["anna", "müller anna", "li", "example.com", "030 90182", "'b", "an na"];
                let mut node = json!({"type": "match", "query": self.chance.of(&words)});
                if self.chance.one_in(2) {
                    self.tried("match/fields");
                    let is_text = |field: &Field| {
                        matches!(field.kind, Kind::Text | Kind::Texts) && field.folding != Folding::Exact
                    };
                    let fields: Vec<_> =
                        (0..=self.chance.below(3)).map(|_| self.field(entity, is_text).name.clone()).collect();
                    node["fields"] = json!(fields);
                }
                node
            }
            9 | 10 => {
                // Those that were never tried first: there are many fields.
                let name = |field: &Field| format!("present/{}/{}", entity.as_str(), field.name);
                let fields = self.world.catalogue.fields(entity).map(|field| &**field);
                let untried: Vec<&Field> = fields.filter(|field| !self.tried.contains(&name(field))).collect();
                let field = match untried.is_empty() {
                    true => self.field(entity, |_| true),
                    false => self.chance.of(&untried),
                };
                self.tried(name(field));
                json!({"type": "present", "field": field.name, "value": self.chance.one_in(2)})
            }
            _ => self.comparison(entity),
        }
    }

    fn field(&mut self, entity: Entity, fits: impl Fn(&Field) -> bool) -> &'w Field {
        let fields: Vec<&'w Field> =
            self.world.catalogue.fields(entity).map(|field| &**field).filter(|field| fits(field)).collect();
        fields[self.chance.below(fields.len())]
    }

    /// A value of the field that some record has.
    fn known(&mut self, field: &Field) -> Option<Known> {
        let records = self.world.records(field.entity);
        (0..12).map(|_| self.chance.of(&records).value(field)).find(|value| *value != Known::Missing)
    }

    fn comparison(&mut self, entity: Entity) -> Value {
        let kinds = self.chance.below(10);
        let field = self.field(entity, |field| match kinds {
            0 => matches!(field.kind, Kind::Money | Kind::Bool),
            1 => matches!(field.kind, Kind::Date) || field.name == "created_at",
            2 => matches!(field.kind, Kind::Texts | Kind::Tags(_)),
            3 => matches!(field.kind, Kind::Number | Kind::Float),
            4 => matches!(field.kind, Kind::Instant),
            _ => true,
        });
        match &field.kind {
            Kind::Text | Kind::Texts => self.text(field),
            Kind::Number | Kind::Float => self.number(field),
            Kind::Money => self.money(field),
            Kind::Bool => {
                let value = self.chance.one_in(2);
                self.tried(format!("bool/{value}"));
                json!({"type": "bool", "field": field.name, "value": value})
            }
            Kind::Choice(options) => self.choice(field, options),
            Kind::Tags(_) => self.tags(field),
            Kind::Date | Kind::Instant => self.time(field),
        }
    }

    fn text(&mut self, field: &Field) -> Value {
        let op = *self.chance.of(TEXT);
        self.tried(format!("{}/{op}", if field.kind == Kind::Texts { "texts" } else { "text" }));
        if op.ends_with("in") {
            let values: Vec<String> = (0..1 + self.chance.below(12)).map(|_| self.written(field)).collect();
            return json!({"type": "text", "field": field.name, "op": op, "values": values});
        }
        let whole = self.written(field);
        let letters: Vec<char> = whole.chars().collect();
        let value: String = match op {
            "eq" | "ne" => whole.clone(),
            _ => {
                let length = 3 + self.chance.below(4);
                let start = match op {
                    "starts_with" => 0,
                    "ends_with" => letters.len().saturating_sub(length),
                    _ => self.chance.below(letters.len()),
                };
                letters[start..].iter().take(length).collect()
            }
        };
        // Too little is left of a short text, or of one that is hardly more than accents.
        let value = if rapport_domain::text::fold(&value).chars().count() < 3 && op.contains("contains") {
            "anna".to_owned()
        } else {
            value
        };
        json!({"type": "text", "field": field.name, "op": op, "value": value})
    }

    /// A text as a record has it, in other letters at times, or one that none has.
    fn written(&mut self, field: &Field) -> String {
        let text = match self.known(field) {
            Some(Known::Texts(texts)) => self.chance.of(&texts).clone(),
            _ => "nobody has this".to_owned(),
        };
        match self.chance.below(5) {
            0 => text.to_uppercase(),
            1 => text.to_lowercase(),
            2 if self.chance.one_in(4) => format!("{text}x"),
            _ => text,
        }
    }

    fn number(&mut self, field: &Field) -> Value {
        let op = *self.chance.of(NUMBER);
        self.tried(format!("{}/{op}", if field.kind == Kind::Float { "float" } else { "number" }));
        let mut node = json!({"type": "number", "field": field.name, "op": op});
        let one = |trees: &mut Self| match trees.known(field) {
            Some(Known::Float(number)) => number,
            Some(Known::Number(number)) => number.to_string().parse().unwrap(),
            _ => [0.0, 1.5, 2.0][trees.chance.below(3)],
        };
        self.operands(&mut node, op, |trees| json!(one(trees)));
        node
    }

    fn money(&mut self, field: &Field) -> Value {
        let op = *self.chance.of(NUMBER);
        self.tried(format!("money/{op}"));
        let currency = *self.chance.of(&["EUR", "USD", "CHF"]);
        let mut node = json!({"type": "money", "field": field.name, "op": op, "currency": currency});
        self.operands(&mut node, op, |trees| match trees.known(field) {
            Some(Known::Money(amount, _)) => json!(amount.to_string()),
            _ => json!("1000.5"),
        });
        node
    }

    /// What an operator compares with, in the parts of the node that it needs.
    fn operands(&mut self, node: &mut Value, op: &str, mut one: impl FnMut(&mut Self) -> Value) {
        match op {
            "between" | "not_between" => {
                let (low, high) = (one(self), one(self));
                let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap();
                let in_order = number(&low) <= number(&high);
                (node["low"], node["high"]) = if in_order { (low, high) } else { (high, low) };
            }
            "in" => node["values"] = (0..3).map(|_| one(self)).collect(),
            _ => node["value"] = one(self),
        }
    }

    fn choice(&mut self, field: &Field, options: &Options) -> Value {
        let op = *self.chance.of(&["in", "not_in"]);
        self.tried(format!("choice/{op}"));
        let mut values: Vec<String> = (0..1 + self.chance.below(3))
            .filter_map(|_| match self.known(field) {
                Some(Known::Word(word)) => Some(word),
                _ => None,
            })
            .collect();
        if values.is_empty() {
            values.push(match options {
                Options::Words(words) => (*self.chance.of(words)).to_owned(),
                Options::Ids => "0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b".to_owned(),
                Options::Listed(keys) => self.chance.of(keys).clone(),
                Options::Open => "XX".to_owned(),
            });
        }
        json!({"type": "choice", "field": field.name, "op": op, "values": values})
    }

    fn tags(&mut self, field: &Field) -> Value {
        let op = *self.chance.of(TAGS);
        self.tried(format!("tags/{op}"));
        if op == "count" {
            return json!({"type": "tags", "field": field.name, "op": op, "count": self.count(4)});
        }
        let words: Vec<String> = match (&field.kind, self.known(field)) {
            (Kind::Tags(Options::Listed(keys)), _) => keys.clone(),
            (Kind::Tags(Options::Ids), Some(Known::Words(ids))) => ids,
            (Kind::Tags(Options::Ids), _) => vec!["0197a1b2-3c4d-7e5f-8a9b-0c1d2e3f4a5b".to_owned()],
            _ => ["vip", "VIP", "ä", "x", "none"].map(ToOwned::to_owned).into(),
        };
        let values: Vec<&String> = (0..1 + self.chance.below(2)).map(|_| self.chance.of(&words)).collect();
        json!({"type": "tags", "field": field.name, "op": op, "values": values})
    }

    fn count(&mut self, most: usize) -> Value {
        let op = *self.chance.of(COUNT);
        self.tried(format!("count/{op}"));
        let n = self.chance.below(most);
        match op {
            "none" => json!({"op": op}),
            "between" => json!({"op": op, "low": n, "high": n + self.chance.below(3)}),
            _ => json!({"op": op, "n": n}),
        }
    }

    fn time(&mut self, field: &Field) -> Value {
        let is_date = field.kind == Kind::Date;
        let of = if is_date { " of a date" } else { "" };
        match self.chance.below(if is_date { 4 } else { 3 }) {
            0 => self.absolute(field, is_date),
            1 => {
                let op = *self.chance.of(ROLLING);
                let unit = *self.chance.of(if is_date { &UNITS[2..] } else { UNITS });
                self.tried(format!("rolling{of}/{op}"));
                self.tried(format!("rolling/{unit}"));
                let amount = 1 + self.chance.below(if is_date && unit == "year" { 60 } else { 40 });
                json!({"type": "rolling", "field": field.name, "op": op, "amount": amount, "unit": unit})
            }
            2 => {
                let period = *self.chance.of(PERIODS);
                self.tried(format!("calendar{of}/{period}"));
                let offset = -(self.chance.below(if is_date { 60 } else { 4 }) as i64);
                let count = 1 + self.chance.below(3);
                let mut node = json!({"type": "calendar", "field": field.name, "period": period, "offset": offset, "count": count});
                if period.starts_with("fiscal") {
                    node["fiscal_year_start"] = json!(1 + self.chance.below(12));
                }
                node
            }
            _ => {
                let (direction, feb29) = (*self.chance.of(&["next", "last"]), *self.chance.of(&["feb28", "mar1"]));
                self.tried(format!("anniversary/{direction}/{feb29}"));
                let within_days = *self.chance.of(&[0, 1, 2, 7, 31, 200, 365, 366]);
                json!({"type": "anniversary", "field": field.name, "within_days": within_days, "direction": direction, "feb29": feb29})
            }
        }
    }

    fn absolute(&mut self, field: &Field, is_date: bool) -> Value {
        let one = |trees: &mut Self| match trees.known(field) {
            Some(Known::Date(date)) => date.to_string(),
            Some(Known::Instant(moment)) => moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            _ => {
                if is_date {
                    "1984-02-29".to_owned()
                } else {
                    "2026-01-01T00:00:00Z".to_owned()
                }
            }
        };
        let op = *self.chance.of(if is_date { DATE } else { INSTANT });
        let node = if is_date { "date" } else { "instant" };
        let mut ends = [one(self), one(self)];
        ends.sort();
        self.tried(format!("{node}/{op}"));
        let [first, last] = ends;
        match (op, is_date) {
            ("between", _) => json!({"type": node, "field": field.name, "op": op, "from": first, "to": last}),
            (_, true) => json!({"type": node, "field": field.name, "op": op, "on": first}),
            (_, false) => json!({"type": node, "field": field.name, "op": op, "at": first}),
        }
    }

    fn compare(&mut self, entity: Entity) -> Value {
        let left = self.field(entity, |field| !matches!(field.kind, Kind::Texts | Kind::Tags(_) | Kind::Bool));
        let is_id = |kind: &Kind| *kind == Kind::Choice(Options::Ids);
        let right = self.field(entity, |field| match (&left.kind, &field.kind) {
            (Kind::Choice(_), Kind::Choice(_)) => is_id(&left.kind) == is_id(&field.kind),
            (one, other) => one == other,
        });
        let has_order = !matches!(left.kind, Kind::Text | Kind::Choice(_));
        let op = *self.chance.of(if has_order { COMPARE } else { &COMPARE[..2] });
        self.tried(format!("compare/{op}"));
        json!({"type": "compare", "left": left.name, "op": op, "right": right.name})
    }

    fn place(&mut self) -> Value {
        let corner = |trees: &mut Self| {
            *trees.chance.of(&[(52.5, 13.4), (-17.8, 179.9), (89.0, 5.0), (0.0, -180.0), (48.1, 11.5)])
        };
        match self.chance.below(3) {
            0 => {
                self.tried("geo_within/center");
                let (lat, lon) = corner(self);
                let radius = *self.chance.of(&[0.0, 5_000.0, 50_000.0, 600_000.0, 10_000_000.0, 20_100_000.0]);
                json!({"type": "geo_within", "center": {"lat": lat, "lon": lon}, "radius_m": radius})
            }
            1 => {
                self.tried("geo_within/bbox");
                let ((south, west), (north, east)) = (corner(self), corner(self));
                json!({"type": "geo_within", "bbox": {"south": south, "west": west, "north": north, "east": east}})
            }
            _ => {
                self.tried("geo_within/countries");
                json!({"type": "geo_within", "countries": [self.chance.of(&["DE", "FR", "NZ", "IT"])]})
            }
        }
    }

    fn relation(&mut self, entity: Entity) -> (&'static str, Entity) {
        let relations: Vec<_> = self.world.catalogue.relations(entity).collect();
        let relation = self.chance.of(&relations);
        self.tried(format!("related/{}/{}", entity.as_str(), relation.name));
        (relation.name, relation.to)
    }

    /// A condition on related records, which are few: one that is not too narrow, or none.
    fn inner(&mut self, to: Entity, relations: usize) -> Option<Value> {
        match self.chance.below(3) {
            0 => None,
            1 => Some(self.leaf(to, relations - 1)),
            _ => Some(self.node(to, 1, relations - 1)),
        }
    }

    fn related(&mut self, entity: Entity, relations: usize) -> Value {
        let (name, to) = self.relation(entity);
        let count = self.count(5);
        self.tried(format!("related/{}", count["op"].as_str().unwrap()));
        let mut node = json!({"type": "related", "relation": name, "count": count});
        if let Some(inner) = self.inner(to, relations) {
            node["where"] = inner;
        }
        node
    }

    fn aggregate(&mut self, entity: Entity, relations: usize) -> Value {
        let (name, to) = self.relation(entity);
        let (function, op) = (*self.chance.of(FUNCTIONS), *self.chance.of(NUMBER));
        self.tried(format!("aggregate/{function}"));
        self.tried(format!("aggregate/{op}"));
        let field = self.field(to, |field| match function {
            "count_distinct" => !matches!(field.kind, Kind::Texts | Kind::Tags(_)),
            _ => matches!(field.kind, Kind::Number | Kind::Money),
        });
        let mut node = json!({"type": "aggregate", "relation": name, "fn": function, "field": field.name, "op": op});
        if field.kind == Kind::Money {
            node["currency"] = json!(self.chance.of(&["EUR", "USD"]));
        }
        let values: &[&str] = if field.kind == Kind::Money && function != "count_distinct" {
            &["0", "0.0001", "1000", "1000.50", "2001.0001", "33.3333"]
        } else {
            &["0", "1", "2", "3", "1.5"]
        };
        self.operands(&mut node, op, |trees| json!(trees.chance.of(values)));
        if let Some(inner) = self.inner(to, relations) {
            node["where"] = inner;
        }
        node
    }

    fn latest(&mut self, entity: Entity, relations: usize) -> Value {
        self.tried("latest");
        let (name, to) = self.relation(entity);
        let order_by =
            self.field(to, |field| matches!(field.kind, Kind::Number | Kind::Float | Kind::Date | Kind::Instant));
        let then = self.leaf(to, relations - 1);
        let mut node = json!({"type": "latest", "relation": name, "order_by": order_by.name, "then": then});
        if let Some(eligible) = self.inner(to, relations) {
            node["eligible"] = eligible;
        }
        node
    }
}

/// How deep nodes stand within each other.
fn depth(tree: &Value) -> usize {
    let below = match tree {
        Value::Object(fields) => fields.values().map(depth).max(),
        Value::Array(items) => items.iter().map(depth).max(),
        _ => None,
    };
    below.unwrap_or(0) + usize::from(tree.get("type").is_some())
}
