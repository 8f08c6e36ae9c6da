//! The parameters of lists as nodes of a filter: both ways of asking are one.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::nodes::{
    BoolNode, ChoiceNode, ChoiceOperator, DateNode, DateOperator, InstantNode, InstantOperator, Node, TagsNode,
    TagsOperator, TextNode, TextOperator,
};

/// The nodes of the parameters that were given, each with the parameter's name. All of them have to hold.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(&'static str, Node)>);

impl Parameters {
    pub(crate) fn into_nodes(self) -> Vec<(&'static str, Node)> {
        self.0
    }

    /// One of these ids or words.
    pub(crate) fn one_of<T: Serialize>(mut self, parameter: &'static str, values: &[T]) -> Self {
        if !values.is_empty() {
            let values = values.iter().filter_map(word).collect();
            let node = ChoiceNode { field: parameter.to_owned(), op: ChoiceOperator::In, values };
            self.0.push((parameter, Node::Choice(node)));
        }
        self
    }

    /// One of these words or ids among those of a list.
    pub(crate) fn one_among<T: Serialize>(mut self, parameter: &'static str, field: &str, values: &[T]) -> Self {
        if !values.is_empty() {
            let values = Some(values.iter().filter_map(word).collect());
            let node = TagsNode { field: field.to_owned(), op: TagsOperator::HasAny, values, count: None };
            self.0.push((parameter, Node::Tags(node)));
        }
        self
    }

    /// On this day or later.
    pub(crate) fn from(self, parameter: &'static str, field: &str, day: Option<NaiveDate>) -> Self {
        self.day(parameter, field, DateOperator::After, day.and_then(|day| day.pred_opt()))
    }

    /// On this day or earlier.
    pub(crate) fn to(self, parameter: &'static str, field: &str, day: Option<NaiveDate>) -> Self {
        self.day(parameter, field, DateOperator::Before, day.and_then(|day| day.succ_opt()))
    }

    fn day(mut self, parameter: &'static str, field: &str, op: DateOperator, on: Option<NaiveDate>) -> Self {
        if on.is_some() {
            let node = DateNode { field: field.to_owned(), op, on, from: None, to: None };
            self.0.push((parameter, Node::Date(node)));
        }
        self
    }

    /// This text.
    pub(crate) fn text(mut self, parameter: &'static str, text: Option<&String>) -> Self {
        if let Some(text) = text {
            let (field, value) = (parameter.to_owned(), Some(text.clone()));
            let node = TextNode { field, op: TextOperator::Eq, value, values: None };
            self.0.push((parameter, Node::Text(node)));
        }
        self
    }

    /// A condition of its own, where it was asked for.
    pub(crate) fn node(mut self, parameter: &'static str, node: Option<Node>) -> Self {
        self.0.extend(node.map(|node| (parameter, node)));
        self
    }

    /// Whether it is so.
    pub(crate) fn is(mut self, parameter: &'static str, value: Option<bool>) -> Self {
        if let Some(value) = value {
            self.0.push((parameter, Node::Bool(BoolNode { field: parameter.to_owned(), value })));
        }
        self
    }

    /// At this time or later.
    pub(crate) fn after(self, parameter: &'static str, field: &str, at: Option<DateTime<Utc>>) -> Self {
        self.at(parameter, field, InstantOperator::After, at)
    }

    /// Before this time.
    pub(crate) fn before(self, parameter: &'static str, field: &str, at: Option<DateTime<Utc>>) -> Self {
        self.at(parameter, field, InstantOperator::Before, at)
    }

    fn at(mut self, parameter: &'static str, field: &str, op: InstantOperator, at: Option<DateTime<Utc>>) -> Self {
        if at.is_some() {
            let node = InstantNode { field: field.to_owned(), op, at, from: None, to: None };
            self.0.push((parameter, Node::Instant(node)));
        }
        self
    }
}

/// The word of an id or of a value of an enumeration, as the API writes it.
fn word<T: Serialize>(value: &T) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}
