//! The parameters of lists as nodes of a filter: both ways of asking are one.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::nodes::{
    BoolNode, ChoiceNode, ChoiceOperator, DateNode, DateOperator, InstantNode, InstantOperator, Node, TagsNode,
    TagsOperator, TextNode, TextOperator,
};

/// The first and the last of the days that can be compared.
const FIRST_DAY: Option<NaiveDate> = NaiveDate::from_ymd_opt(1, 1, 1);
const LAST_DAY: Option<NaiveDate> = NaiveDate::from_ymd_opt(9999, 12, 31);

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
        self.days(parameter, field, day.map(|day| (Some(day), LAST_DAY)))
    }

    /// On this day or earlier.
    pub(crate) fn to(self, parameter: &'static str, field: &str, day: Option<NaiveDate>) -> Self {
        self.days(parameter, field, day.map(|day| (FIRST_DAY, Some(day))))
    }

    /// From one day to another, with both. Later than the day before, or earlier than the day after, would not do: the
    /// first has no day before, and the last none after.
    fn days(
        mut self,
        parameter: &'static str,
        field: &str,
        ends: Option<(Option<NaiveDate>, Option<NaiveDate>)>,
    ) -> Self {
        if let Some((from, to)) = ends {
            let node = DateNode { field: field.to_owned(), op: DateOperator::Between, on: None, from, to };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{AllNode, Catalogue, Condition, Entity, Filter, Predicate, Span, Surroundings, check},
        *,
    };
    use crate::access::Grants;

    /// The days that parameters ask for; all of them have to hold.
    fn asked(parameters: Parameters) -> Vec<Span<NaiveDate>> {
        let nodes = parameters.into_nodes().into_iter().map(|(_, node)| node).collect();
        let filter = Filter::new(Entity::Opportunity, Node::All(AllNode { nodes }));
        let (catalogue, grants) = (Catalogue::standard(), Grants::everything());
        let surroundings = Surroundings { catalogue, grants: &grants, as_of: DateTime::UNIX_EPOCH, country: None };
        let Condition::All(conditions) = check(&filter, "", &surroundings).unwrap().condition else {
            panic!("all have to hold")
        };
        let span = |condition: Condition| match condition {
            Condition::Field(_, Predicate::Date(span)) => span,
            other => panic!("{other:?}"),
        };
        conditions.into_iter().map(span).collect()
    }

    /// Days that can be compared, the first and the last of them often.
    fn days() -> impl Strategy<Value = NaiveDate> {
        let number = prop_oneof![Just(1_i32), Just(3_652_059_i32), 1..=3_652_059_i32];
        number.prop_map(|number| NaiveDate::from_num_days_from_ce_opt(number).unwrap())
    }

    proptest! {
        #[test]
        fn the_days_from_one_to_another_are_asked_for_with_both(day in days(), from in days(), to in days()) {
            let holds = |parameters: Parameters| asked(parameters).iter().all(|span| span.holds(&day));
            let since = |parameters: Parameters| parameters.from("close_date_from", "close_date", Some(from));
            let until = |parameters: Parameters| parameters.to("close_date_to", "close_date", Some(to));
            prop_assert_eq!(holds(since(Parameters::default())), from <= day);
            prop_assert_eq!(holds(until(Parameters::default())), day <= to);
            prop_assert_eq!(holds(until(since(Parameters::default()))), from <= day && day <= to);
        }
    }

    #[test]
    fn what_is_not_given_is_not_asked() {
        let none = Parameters::default().from("close_date_from", "close_date", None);
        assert!(asked(none.to("close_date_to", "close_date", None)).is_empty());
    }
}
