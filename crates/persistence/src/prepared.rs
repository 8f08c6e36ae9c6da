//! Statements that diesel would prepare anew each time.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

/// A statement that is kept prepared on its connection. diesel can't know how many texts a `sql_query` or an `UPDATE` will have
/// and keeps none of them, which is a round trip and a parse more each time. To be used where there are few, and where a plan
/// that was made while a table was small serves it for good.
pub(crate) struct Prepared<S>(pub(crate) S);

impl<S: Query> Query for Prepared<S> {
    type SqlType = S::SqlType;
}

impl<S> QueryId for Prepared<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S> RunQueryDsl<PgConnection> for Prepared<S> {}

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}
