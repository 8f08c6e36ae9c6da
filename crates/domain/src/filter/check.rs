//! Judges a filter: against the catalogue, against its limits, and against what the caller may read. Everything that is
//! wrong is told at once, each with its place.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use chrono_tz::Tz;

use super::{
    Filter,
    catalogue::{Catalogue, Entity, Field, IndexClass, Relation},
    condition::{Condition, Latest, Related},
    leaves,
    nodes::{CountCondition, CountOperator, LatestNode, Node, RelatedNode},
    sort_keys::SortKeys,
    time::Now,
};
use crate::{
    access::{Grants, Reach, Resource},
    problem::FieldProblem,
};

/// How deep nodes may stand within each other.
const DEEPEST: usize = 8;

/// How many nodes there may be.
const MOST_NODES: usize = 200;

/// How deep relations may stand within each other.
const MOST_RELATIONS: usize = 3;

/// By whom and when a filter is asked.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'s> {
    pub catalogue: &'s Catalogue,
    pub grants: &'s Grants,
    /// The one moment that is now for the whole filter.
    pub as_of: DateTime<Utc>,
    /// Country in which telephone numbers without country code are dialled.
    pub country: Option<&'s str>,
}

/// A filter that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    pub entity: Entity,
    pub condition: Condition,
    /// What finds records, in the order of the tree.
    pub leaves: Vec<Leaf>,
}

/// A node that compares something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its place, as a JSON Pointer.
    pub pointer: String,
    /// How an index helps.
    pub index: IndexClass,
}

/// Why a filter was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What does not fit.
    pub invalid: Vec<FieldProblem>,
    /// What the caller may not read.
    pub closed: Vec<FieldProblem>,
}

/// Judges a filter that stands at a place of a request, such as `/filter`.
pub fn check(filter: &Filter, place: &str, surroundings: &Surroundings<'_>) -> Result<Checked, Refused> {
    let zone = filter.tz.as_deref().map_or(Ok(Tz::UTC), str::parse::<Tz>);
    let now = Now { at: surroundings.as_of.trunc_subsecs(6), zone: zone.unwrap_or(Tz::UTC) };
    let mut checker = Checker {
        surroundings,
        now,
        refused: Refused { invalid: Vec::new(), closed: Vec::new() },
        leaves: Vec::new(),
        nodes: 0,
    };
    if zone.is_err() {
        checker.refuse(&format!("{place}/tz"), "invalid_time_zone", "This is not a time zone. Write its IANA name.");
    }
    let spot = Spot { pointer: format!("{place}/where"), entity: filter.entity, depth: 1, relations: 0, narrows: true };
    let condition = checker.node(&filter.condition, &spot);
    if checker.nodes > MOST_NODES {
        let detail = format!("A filter has at most {MOST_NODES} nodes. Lists of values take the place of many nodes.");
        checker.refuse(place, "too_many_nodes", detail);
    }
    match condition {
        Some(condition) if checker.refused.is_empty() => {
            Ok(Checked { entity: filter.entity, condition, leaves: checker.leaves })
        }
        _ => Err(checker.refused),
    }
}

impl Refused {
    fn is_empty(&self) -> bool {
        self.invalid.is_empty() && self.closed.is_empty()
    }
}

/// Where in the tree a node stands.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) pointer: String,
    pub(super) entity: Entity,
    depth: usize,
    relations: usize,
    /// Whether what a condition here does not find is not wanted, so that it can be looked up first.
    narrows: bool,
}

impl Spot {
    fn below(&self, name: &str) -> Self {
        Self { pointer: format!("{}/{name}", self.pointer), depth: self.depth + 1, ..self.clone() }
    }

    fn across(&self, name: &str, relation: &Relation) -> Self {
        Self { entity: relation.to, relations: self.relations + 1, narrows: true, ..self.below(name) }
    }

    /// The same node, with the pointer at a part of it.
    pub(super) fn part(&self, name: &str) -> Self {
        Self { pointer: self.at(name), ..self.clone() }
    }

    /// The same place, where records of another entity are named.
    pub(super) fn of(self, entity: Entity) -> Self {
        Self { entity, ..self }
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }
}

/// Walks a tree and gathers what is wrong. What gives nothing has said why.
pub(super) struct Checker<'s> {
    pub(super) surroundings: &'s Surroundings<'s>,
    pub(super) now: Now,
    refused: Refused,
    leaves: Vec<Leaf>,
    nodes: usize,
}

impl Checker<'_> {
    pub(super) fn refuse(&mut self, pointer: &str, code: &str, detail: impl Into<String>) {
        self.refused.invalid.push(FieldProblem::at(pointer, code, detail));
    }

    fn close(&mut self, pointer: &str, detail: impl Into<String>) {
        self.refused.closed.push(FieldProblem::at(pointer, "closed_field", detail));
    }

    pub(super) fn note_leaf(&mut self, spot: &Spot, index: IndexClass) {
        self.leaves.push(Leaf { pointer: spot.pointer.clone(), index });
    }

    /// An index helps with the last leaf otherwise than its field says.
    pub(super) fn helped(&mut self, index: IndexClass) {
        if let Some(leaf) = self.leaves.last_mut() {
            leaf.index = index;
        }
    }

    fn node(&mut self, node: &Node, spot: &Spot) -> Option<Condition> {
        self.nodes += 1;
        if spot.depth > DEEPEST {
            self.refuse(&spot.pointer, "too_deep", format!("Nodes stand within each other at most {DEEPEST} deep."));
            return None;
        }
        match node {
            Node::All(all) => self.nodes(&all.nodes, spot).map(Condition::All),
            Node::Any(any) => {
                let spot = Spot { narrows: spot.narrows && any.nodes.len() == 1, ..spot.clone() };
                self.nodes(&any.nodes, &spot).map(Condition::Any)
            }
            Node::Not(not) => {
                let below = Spot { narrows: false, ..spot.below("node") };
                self.node(&not.node, &below).map(Condition::negated)
            }
            Node::Related(related) => self.related(related, spot),
            Node::Aggregate(aggregate) => {
                let (relation, inner) = self.across(&aggregate.relation, spot)?;
                let condition = self.optional(aggregate.condition.as_deref(), &inner("where"));
                leaves::aggregate(self, aggregate, relation, condition?, spot)
            }
            Node::Latest(latest) => self.latest(latest, spot),
            leaf => leaves::leaf(self, leaf, spot).map(|condition| self.keyed(condition, spot)),
        }
    }

    /// Adds the sort keys by which an index finds what a condition holds for, where that narrows the search.
    fn keyed(&mut self, condition: Condition, spot: &Spot) -> Condition {
        match condition {
            Condition::Field(field, predicate) if spot.narrows => match SortKeys::of(&field, &predicate) {
                Some(keys) => {
                    self.helped(IndexClass::Btree);
                    Condition::Keyed(field, predicate, keys)
                }
                None => Condition::Field(field, predicate),
            },
            other => other,
        }
    }

    /// The nodes of a list, each judged even where another does not fit.
    fn nodes(&mut self, nodes: &[Node], spot: &Spot) -> Option<Vec<Condition>> {
        let judged: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| self.node(node, &spot.below(&format!("nodes/{index}"))))
            .collect();
        judged.into_iter().collect()
    }

    fn optional(&mut self, node: Option<&Node>, spot: &Spot) -> Option<Condition> {
        node.map_or(Some(Condition::EVERYTHING), |node| self.node(node, spot))
    }

    fn related(&mut self, node: &RelatedNode, spot: &Spot) -> Option<Condition> {
        let (relation, inner) = self.across(&node.relation, spot)?;
        let count = self.count(&node.count, &spot.at("count"));
        let condition = self.optional(node.condition.as_deref(), &inner("where"));
        let (count, condition) = (count?, condition?);
        let at_least = |least: i64, most: Option<i64>, condition: Condition| {
            let count = super::Bounds { least, most };
            Condition::Related(Box::new(Related { relation, count, condition }))
        };
        // Whoever may have none is meant by what the others have too many of.
        Some(match (count.least, count.most) {
            (0, None) => Condition::EVERYTHING,
            (0, Some(most)) => at_least(most + 1, None, condition).negated(),
            (least, most) => at_least(least, most, condition),
        })
    }

    fn latest(&mut self, node: &LatestNode, spot: &Spot) -> Option<Condition> {
        let (relation, inner) = self.across(&node.relation, spot)?;
        let order_by = self.field(&node.order_by, &Spot { pointer: spot.at("order_by"), ..inner("") });
        let eligible = self.optional(node.eligible.as_deref(), &inner("eligible"));
        let then = self.node(&node.then, &inner("then"));
        let order_by = order_by?;
        if !leaves::has_order(&order_by.kind) {
            let detail = "Records are put in order by a time, a date or a number.";
            self.refuse(&spot.at("order_by"), "wrong_field_type", detail);
            return None;
        }
        Some(Condition::Latest(Box::new(Latest { relation, eligible: eligible?, order_by, then: then? })))
    }

    /// How many there have to be.
    pub(super) fn count(&mut self, count: &CountCondition, pointer: &str) -> Option<super::Bounds> {
        let n = |checker: &mut Self| checker.needed(count.n, pointer, "n");
        let bounds = match count.op {
            CountOperator::AtLeast => super::Bounds { least: n(self)?, most: None },
            CountOperator::AtMost => super::Bounds { least: 0, most: Some(n(self)?) },
            CountOperator::Exactly => n(self).map(|n| super::Bounds { least: n, most: Some(n) })?,
            CountOperator::None => super::Bounds { least: 0, most: Some(0) },
            CountOperator::Between => {
                let (low, high) = (self.needed(count.low, pointer, "low"), self.needed(count.high, pointer, "high"));
                super::Bounds { least: low?, most: Some(high?) }
            }
        };
        Some(bounds)
    }

    /// A part of a node that its operator needs.
    pub(super) fn needed<T>(&mut self, value: Option<T>, pointer: &str, name: &str) -> Option<T> {
        if value.is_none() {
            let detail = format!("This operator needs {name}. Add it.");
            self.refuse(&format!("{pointer}/{name}"), "required", detail);
        }
        value
    }

    /// The field of a name that stands at the spot's own pointer.
    pub(super) fn field(&mut self, name: &str, spot: &Spot) -> Option<Arc<Field>> {
        let catalogue = self.surroundings.catalogue;
        let Some(field) = catalogue.field(spot.entity, name) else {
            let known = catalogue.fields(spot.entity).map(|field| field.name.as_ref());
            self.unknown(name, spot, "field", &known.collect::<Vec<_>>());
            return None;
        };
        let resource = spot.entity.resource();
        let is_closed = |access: &&std::borrow::Cow<'_, str>| !self.surroundings.grants.may_read(resource, access);
        if let Some(closed) = field.access.iter().find(is_closed) {
            let detail = format!("Your role keeps the field {closed} from you. Leave this condition out.");
            self.close(&spot.pointer, detail);
            return None;
        }
        Some(Arc::clone(field))
    }

    /// Refuses fields that are used without being named.
    pub(super) fn require_open(&mut self, fields: &[&str], spot: &Spot) -> Option<()> {
        let resource = spot.entity.resource();
        let closed = fields.iter().find(|field| !self.surroundings.grants.may_read(resource, field));
        if let Some(closed) = closed {
            let detail = format!("Your role keeps the field {closed} from you. Leave this condition out.");
            self.close(&spot.pointer, detail);
        }
        closed.is_none().then_some(())
    }

    /// A relation, and where its nodes stand.
    fn across<'p>(
        &mut self,
        name: &str,
        spot: &'p Spot,
    ) -> Option<(&'static Relation, impl Fn(&str) -> Spot + use<'p>)> {
        let at_name = spot.part("relation");
        let Some(relation) = self.surroundings.catalogue.relation(spot.entity, name) else {
            let known = self.surroundings.catalogue.relations(spot.entity).map(|relation| relation.name);
            self.unknown(name, &at_name, "relation", &known.collect::<Vec<_>>());
            return None;
        };
        if spot.relations >= MOST_RELATIONS {
            let detail = format!("Relations stand within each other at most {MOST_RELATIONS} deep.");
            self.refuse(&spot.pointer, "too_many_relations", detail);
            return None;
        }
        let (resource, field) = relation.access;
        let is_open = self.may_see(relation.to.resource()) && self.surroundings.grants.may_read(resource, field);
        if !is_open {
            self.close(&at_name.pointer, format!("Your role keeps the relation {name} from you. Leave this out."));
            return None;
        }
        self.note_leaf(spot, IndexClass::Btree);
        Some((relation, move |name: &str| spot.across(name, relation)))
    }

    fn may_see(&self, resource: Resource) -> bool {
        self.surroundings.grants.on(resource).read != Reach::None
    }

    fn unknown(&mut self, name: &str, spot: &Spot, what: &str, known: &[&str]) {
        let near: Vec<&str> = known.iter().copied().filter(|known| is_near(name, known)).collect();
        let entity = spot.entity.as_str();
        let detail = match near.as_slice() {
            [] => format!("A {entity} has no {what} of this name. There are: {}.", known.join(", ")),
            near => format!("A {entity} has no {what} of this name. Did you mean {}?", near.join(" or ")),
        };
        self.refuse(&spot.pointer, &format!("unknown_{what}"), detail);
    }
}

/// Whether somebody who wrote one name may have meant the other: one holds the other, or both begin alike.
fn is_near(written: &str, known: &str) -> bool {
    let written = written.to_lowercase();
    let alike = written.chars().zip(known.chars()).take_while(|(one, other)| one == other).count();
    written.len() >= 3 && (known.contains(&written) || written.contains(known) || alike >= 4)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(condition: Value) -> Result<Checked, Refused> {
        judged_with(Catalogue::standard(), condition)
    }

    fn judged_with(catalogue: &Catalogue, condition: Value) -> Result<Checked, Refused> {
        let filter = json!({"version": 1, "entity": "contact", "tz": "Europe/Berlin", "where": condition});
        let filter: Filter = serde_json::from_value(filter).unwrap();
        let grants = Grants::everything();
        let surroundings =
            Surroundings { catalogue, grants: &grants, as_of: DateTime::UNIX_EPOCH, country: Some("DE") };
        check(&filter, "/filter", &surroundings)
    }

    fn problems(condition: Value) -> Vec<(String, String)> {
        let refused = judged(condition).unwrap_err();
        refused.invalid.into_iter().map(|problem| (problem.pointer.unwrap(), problem.code)).collect()
    }

    #[test]
    fn everything_wrong_is_told_at_once_with_its_place() {
        let tree = json!({"type": "all", "nodes": [
            {"type": "text", "field": "lastname", "op": "eq", "value": "x"},
            {"type": "not", "node": {"type": "number", "field": "country", "op": "between", "low": 1}},
            {"type": "related", "relation": "orders", "count": {"op": "none"}},
            {"type": "text", "field": "first_name", "op": "contains", "value": "an"},
            {"type": "choice", "field": "source", "op": "in", "values": ["api", "fax"]},
            {"type": "geo_within"}
        ]});
        let expected = [
            ("/filter/where/nodes/0/field", "unknown_field"),
            ("/filter/where/nodes/1/node/field", "wrong_field_type"),
            ("/filter/where/nodes/1/node/high", "required"),
            ("/filter/where/nodes/2/relation", "unknown_relation"),
            ("/filter/where/nodes/3/value", "too_short"),
            ("/filter/where/nodes/4/values/1", "unknown_value"),
            ("/filter/where/nodes/5", "one_of"),
        ];
        assert_eq!(problems(tree), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    }

    #[test]
    fn a_name_that_is_nearly_right_is_suggested() {
        let refused = judged(json!({"type": "present", "field": "birth", "value": true})).unwrap_err();
        assert!(refused.invalid[0].detail.contains("Did you mean birthday?"), "{refused:?}");
    }

    #[test]
    fn trees_have_limits() {
        let leaf = json!({"type": "present", "field": "name", "value": true});
        let within = |depth: usize| (1..depth).fold(leaf.clone(), |node, _| json!({"type": "not", "node": node}));
        assert!(judged(within(DEEPEST)).is_ok());
        assert_eq!(judged(within(DEEPEST + 1)).unwrap_err().invalid[0].code, "too_deep");
        let many = |count: usize| json!({"type": "any", "nodes": vec![leaf.clone(); count]});
        assert!(judged(many(MOST_NODES - 1)).is_ok());
        assert_eq!(judged(many(MOST_NODES)).unwrap_err().invalid[0].code, "too_many_nodes");
        let across = |relation: &str, inner: Value| json!({"type": "related", "relation": relation, "count": {"op": "at_least", "n": 1}, "where": inner});
        let three = |inner: Value| across("company", across("parent", across("children", inner)));
        assert!(judged(three(leaf.clone())).is_ok());
        assert_eq!(judged(three(across("contacts", leaf.clone()))).unwrap_err().invalid[0].code, "too_many_relations");
    }

    #[test]
    fn what_the_caller_may_not_read_is_closed() {
        let filter = json!({"version": 1, "entity": "contact", "where": {"type": "all", "nodes": [
            {"type": "present", "field": "birthday", "value": true},
            {"type": "related", "relation": "company", "count": {"op": "none"}}
        ]}});
        let filter: Filter = serde_json::from_value(filter).unwrap();
        let readable =
            crate::access::FieldRule { mode: crate::access::FieldMode::AllBut, fields: ["birthday".to_owned()].into() };
        let contacts = crate::access::Grant { read: Reach::All, readable, ..crate::access::Grant::NONE };
        let grants = Grants::on_one(Resource::Contacts, contacts);
        let catalogue = Catalogue::standard();
        let surroundings = Surroundings { catalogue, grants: &grants, as_of: DateTime::UNIX_EPOCH, country: None };
        let refused = check(&filter, "/filter", &surroundings).unwrap_err();
        let places: Vec<_> = refused.closed.iter().map(|problem| problem.pointer.as_deref().unwrap()).collect();
        assert_eq!(places, ["/filter/where/nodes/0/field", "/filter/where/nodes/1/relation"]);
    }

    #[test]
    fn custom_fields_are_judged_by_their_definitions() {
        use super::super::catalogue::{Definition, Kind, Options};
        let define = |key: &str, kind| Definition { entity: Entity::Contact, key: key.to_owned(), kind, sorted: None };
        let catalogue = Catalogue::standard().with(&[
            define("size", Kind::Number),
            define("colour", Kind::Choice(Options::Listed(vec!["red".to_owned(), "blue".to_owned()]))),
        ]);
        let judged = |condition| judged_with(&catalogue, condition);
        assert!(judged(json!({"type": "number", "field": "custom.size", "op": "gt", "value": 41.5})).is_ok());
        assert!(judged(json!({"type": "choice", "field": "custom.colour", "op": "in", "values": ["red"]})).is_ok());
        let refused = judged(json!({"type": "choice", "field": "custom.colour", "op": "in", "values": ["green"]}));
        assert_eq!(refused.unwrap_err().invalid[0].code, "unknown_value");
    }

    #[test]
    fn words_are_looked_for_in_text_fields_and_fiscal_periods_need_their_month() {
        let tree = json!({"type": "all", "nodes": [
            {"type": "match", "query": "anna", "fields": ["first_name", "birthday", "nickname"]},
            {"type": "calendar", "field": "birthday", "period": "fiscal_year"},
            {"type": "calendar", "field": "birthday", "period": "year"},
        ]});
        let expected = [
            ("/filter/where/nodes/0/fields/1", "wrong_field_type"),
            ("/filter/where/nodes/0/fields/2", "unknown_field"),
            ("/filter/where/nodes/1/fiscal_year_start", "required"),
        ];
        assert_eq!(problems(tree), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
        let leaf = judged(json!({"type": "match", "query": "anna", "fields": ["first_name", "job_title"]})).unwrap();
        assert_eq!(leaf.leaves[0].index, IndexClass::None); // no index knows job titles
    }
}
