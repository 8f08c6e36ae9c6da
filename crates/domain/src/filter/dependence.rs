//! What the answer of a filter depends on, for those who keep it.

use serde_json::Value;

use super::{
    Filter,
    nodes::{AllNode, AnyNode, Node},
};

impl Filter {
    /// The relations of its entity that it looks along.
    pub fn relations(&self) -> Vec<&str> {
        let mut relations = Vec::new();
        visit(&self.condition, 0, &mut |node, depth| relations.extend(relation(node).filter(|_| depth == 0)));
        relations
    }

    /// Whether it compares a field of this name, of whatever entity.
    pub fn names(&self, field: &str) -> bool {
        serde_json::to_value(&self.condition).is_ok_and(|tree| names(&tree, field))
    }

    /// Whether its answer may change although neither the record nor one that is related to it does: it compares with the
    /// present, or looks along relations of related records.
    pub fn changes_by_itself(&self) -> bool {
        let mut changes = false;
        visit(&self.condition, 0, &mut |node, depth| {
            changes |= matches!(node, Node::Rolling(_) | Node::Calendar(_) | Node::Anniversary(_))
                || (depth > 0 && relation(node).is_some());
        });
        changes
    }
}

/// The parts of a node that name a field.
const NAMING: &[&str] = &["field", "left", "right", "order_by"];

fn names(tree: &Value, field: &str) -> bool {
    match tree {
        Value::Object(parts) => {
            parts.iter().any(|(part, value)| (NAMING.contains(&part.as_str()) && value == field) || names(value, field))
        }
        Value::Array(items) => items.iter().any(|item| names(item, field)),
        _ => false,
    }
}

fn relation(node: &Node) -> Option<&str> {
    match node {
        Node::Related(node) => Some(&node.relation),
        Node::Aggregate(node) => Some(&node.relation),
        Node::Latest(node) => Some(&node.relation),
        _ => None,
    }
}

/// Shows each node, and along how many relations it stands.
fn visit<'f>(node: &'f Node, depth: usize, show: &mut impl FnMut(&'f Node, usize)) {
    show(node, depth);
    match node {
        Node::All(AllNode { nodes }) | Node::Any(AnyNode { nodes }) => {
            nodes.iter().for_each(|node| visit(node, depth, show));
        }
        Node::Not(not) => visit(&not.node, depth, show),
        Node::Related(related) => related.condition.iter().for_each(|node| visit(node, depth + 1, show)),
        Node::Aggregate(aggregate) => aggregate.condition.iter().for_each(|node| visit(node, depth + 1, show)),
        Node::Latest(latest) => {
            latest.eligible.iter().for_each(|node| visit(node, depth + 1, show));
            visit(&latest.then, depth + 1, show);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(condition: Value) -> Filter {
        serde_json::from_value(json!({"version": 1, "entity": "contact", "where": condition})).unwrap()
    }

    #[test]
    fn relations_and_what_changes_by_itself_are_found_wherever_they_stand() {
        let plain = json!({"type": "present", "field": "email", "value": true});
        let rolling = json!({"type": "rolling", "field": "created_at", "op": "in_last", "amount": 30, "unit": "day"});
        let across = |relation: &str, inner: &Value| {
            json!({"type": "not", "node": {"type": "related", "relation": relation,
                "count": {"op": "at_least", "n": 1}, "where": inner}})
        };
        for (condition, relations, changes) in [
            (plain.clone(), vec![], false),
            (rolling.clone(), vec![], true),
            (across("company", &plain), vec!["company"], false),
            (across("company", &rolling), vec!["company"], true),
            (across("company", &across("parent", &plain)), vec!["company"], true),
            (json!({"type": "any", "nodes": [plain, across("tasks", &rolling)]}), vec!["tasks"], true),
        ] {
            let filter = filter(condition);
            assert_eq!((filter.relations(), filter.changes_by_itself()), (relations, changes), "{filter:?}");
        }
    }

    #[test]
    fn a_field_is_found_wherever_it_is_compared() {
        let compared = json!({"type": "compare", "left": "created_at", "op": "lt", "right": "updated_at"});
        let filter = filter(json!({"type": "not", "node": {"type": "related", "relation": "company",
            "count": {"op": "none"}, "where": compared}}));
        assert!(filter.names("updated_at") && !filter.names("company"));
    }
}
