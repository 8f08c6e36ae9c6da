//! Conditions on related records, as sets.

use rapport_domain::filter::{Aggregate, AggregateFunction, Condition, Latest, Numbers, Related, Relation, Span};
use rust_decimal::Decimal;

use super::{
    compile::{Compiler, currency, expression, table},
    statement::Piece,
};

impl Compiler<'_> {
    pub(super) fn related(&mut self, related: &Related) {
        self.one_of_those(related.relation, &related.condition, |compiler, there| {
            if related.count.least <= 1 && related.count.most.is_none() {
                return;
            }
            compiler.sql(format!(" GROUP BY {there} HAVING count(*) >= "));
            compiler.bind(Piece::Integer(related.count.least));
            if let Some(most) = related.count.most {
                compiler.sql(" AND count(*) <= ");
                compiler.bind(Piece::Integer(most));
            }
        });
    }

    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) {
        self.one_of_those(aggregate.relation, &aggregate.condition, |compiler, there| {
            compiler.sql(format!(" GROUP BY {there} HAVING "));
            compiler.verdict(aggregate);
        });
        if aggregate.verdict.holds_for_zero {
            self.sql(" OR (");
            self.one_of_those(aggregate.relation, &aggregate.condition, |_, _| {});
            self.sql(") IS NOT TRUE");
        }
    }

    /// First the latest of each is chosen by its id alone, so that what is sorted is narrow.
    pub(super) fn latest(&mut self, latest: &Latest) {
        let Relation { from, to, here, there, .. } = *latest.relation;
        let table_there = table(to);
        self.sql(format!("{}.{here} IN (SELECT {table_there}.{there} FROM {table_there} WHERE ", table(from)));
        self.sql(format!("{table_there}.workspace_id = "));
        self.bind(Piece::Uuid(self.reader.workspace()));
        self.sql(format!(" AND {table_there}.id IN (SELECT DISTINCT ON ({table_there}.{there}) {table_there}.id "));
        self.those(latest.relation, &latest.eligible);
        let value = expression(&latest.order_by);
        self.sql(format!(" ORDER BY {table_there}.{there}, {value} DESC NULLS LAST, {table_there}.id DESC) AND "));
        self.condition(&latest.then, true);
        self.sql(")");
    }

    /// The record is related to one of the records for which a condition holds, as far as `end` leaves any.
    fn one_of_those(&mut self, relation: &Relation, condition: &Condition, end: impl FnOnce(&mut Self, &str)) {
        let there = format!("{}.{}", table(relation.to), relation.there);
        self.sql(format!("{}.{} IN (SELECT {there} ", table(relation.from), relation.here));
        self.those(relation, condition);
        end(self, &there);
        self.sql(")");
    }

    /// Related records that live, that the caller may see, and for which a condition holds.
    fn those(&mut self, relation: &Relation, condition: &Condition) {
        let table = table(relation.to);
        self.sql(format!("FROM {table} WHERE {table}.workspace_id = "));
        self.bind(Piece::Uuid(self.reader.workspace()));
        self.sql(format!(" AND {table}.deleted_at IS NULL AND {table}.{} IS NOT NULL AND ", relation.there));
        self.visible(relation.to.resource());
        self.sql(" AND ");
        self.condition(condition, true);
    }

    fn verdict(&mut self, aggregate: &Aggregate) {
        let numbers = &aggregate.verdict.numbers;
        match aggregate.function {
            AggregateFunction::Sum => {
                self.numbers_of(numbers, |compiler| compiler.over("coalesce(sum(", aggregate, "), 0)"));
            }
            AggregateFunction::Min => self.numbers_of(numbers, |compiler| compiler.over("min(", aggregate, ")")),
            AggregateFunction::Max => self.numbers_of(numbers, |compiler| compiler.over("max(", aggregate, ")")),
            AggregateFunction::CountDistinct => {
                self.numbers_of(numbers, |compiler| compiler.over("count(DISTINCT ", aggregate, ")"));
            }
            AggregateFunction::Avg => self.average(aggregate),
        }
    }

    /// A function over the field, of amounts in the currency alone where it is money.
    fn over(&mut self, start: &'static str, aggregate: &Aggregate, end: &'static str) {
        let value = expression(&aggregate.field);
        self.sql(start);
        match (currency(&aggregate.field), &aggregate.currency) {
            (Some(of), Some(wanted)) => {
                self.sql(format!("CASE WHEN {of} = "));
                self.bind(Piece::Text(wanted.clone()));
                self.sql(format!(" THEN {value} END"));
            }
            _ => self.sql(value),
        }
        self.sql(end);
    }

    fn numbers_of(&mut self, numbers: &Numbers, value: impl Fn(&mut Self)) {
        self.compared(numbers, value, |compiler, number| compiler.bind(Piece::Decimal(number)));
    }

    /// An average is compared without dividing: the sum with the number times the count.
    fn average(&mut self, aggregate: &Aggregate) {
        self.compared(
            &aggregate.verdict.numbers,
            |compiler| compiler.over("sum(", aggregate, ")"),
            |compiler, number| {
                compiler.bind(Piece::Decimal(number));
                compiler.over(" * count(", aggregate, ")");
            },
        );
    }

    fn compared(&mut self, numbers: &Numbers, value: impl Fn(&mut Self), number: impl Fn(&mut Self, Decimal)) {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let end = |bound, included, excluded| match bound {
            Included(end) => Some((included, end)),
            Excluded(end) => Some((excluded, end)),
            Unbounded => None,
        };
        let (joins, comparisons): (_, Vec<(&'static str, Decimal)>) = match numbers {
            Numbers::OneOf(numbers) => (" OR ", numbers.iter().map(|number| (" = ", *number)).collect()),
            Numbers::Span(Span { from, until }) => {
                (" AND ", [end(*from, " >= ", " > "), end(*until, " <= ", " < ")].into_iter().flatten().collect())
            }
        };
        for (index, (compares, end)) in comparisons.into_iter().enumerate() {
            self.sql(if index == 0 { "(" } else { joins });
            value(self);
            self.sql(compares);
            number(self, end);
        }
        self.sql(")");
    }
}
