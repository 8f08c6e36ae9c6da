//! Our own fragments of SQL as expressions of diesel.

/// Makes a fragment usable as an expression of this type over any table.
macro_rules! expression {
    ($name:ident, $type:ty) => {
        impl diesel::expression::Expression for $name {
            type SqlType = $type;
        }
        impl<Source> diesel::expression::AppearsOnTable<Source> for $name {}
        impl<Source> diesel::expression::SelectableExpression<Source> for $name {}
        impl diesel::expression::ValidGrouping<()> for $name {
            type IsAggregate = diesel::expression::is_aggregate::No;
        }
        impl diesel::query_builder::QueryId for $name {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    };
}
pub(crate) use expression;
