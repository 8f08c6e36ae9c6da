//! Statements that diesel would prepare anew each time.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection, PgQueryBuilder},
    query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId},
    sql_types,
};

/// A statement that is kept prepared on its connection. diesel can't know how many texts a `sql_query` or an `UPDATE` will have
/// and keeps none of them, which is a round trip and a parse more each time. To be used where there are few, and where one
/// plan serves all values. One that was made while a table was small goes when Postgres analyses the table, once it has grown.
pub(crate) struct Prepared<S>(pub(crate) S);

impl<S: QueryFragment<Pg>> Prepared<S> {
    /// Writes, and says how many rows. To be used for writes that return nothing: diesel asks a reference to what is executed
    /// whether it may be kept, which forgets the answer, but what is loaded it asks itself.
    pub(crate) fn execute(self, pg: &mut PgConnection) -> QueryResult<usize> {
        let rows: Vec<i32> = Prepared(Telling(self.0)).load(pg)?;
        Ok(rows.len())
    }
}

/// A write that returns a row for each that it writes.
struct Telling<S>(S);

impl<S> Query for Telling<S> {
    type SqlType = sql_types::Integer;
}

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Telling<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" RETURNING 1");
        Ok(())
    }
}

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

/// So many statements of many are kept prepared on a connection at most, of some 50 kB each.
const MOST_KEPT: usize = 100;

/// So many texts are remembered at a time in order to know one again.
const MOST_SEEN: usize = 1_000;

/// The texts of which there may be any number, such as those of filters: what a connection has seen of them. One that is asked
/// again is worth being kept prepared, as long as there are few.
#[derive(Default)]
pub(crate) struct Texts {
    hasher: RandomState,
    seen: HashSet<u64>,
    kept: HashSet<u64>,
}

impl Texts {
    /// Whether a statement that is about to be asked is to be kept, or is kept already.
    pub(crate) fn keep(&mut self, statement: &impl QueryFragment<Pg>) -> QueryResult<bool> {
        let mut text = PgQueryBuilder::default();
        statement.to_sql(&mut text, &Pg)?;
        let text = self.hasher.hash_one(text.finish());
        if self.kept.contains(&text) {
            return Ok(true);
        }
        if self.kept.len() >= MOST_KEPT {
            return Ok(false);
        }
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        let is_known = !self.seen.insert(text);
        if is_known {
            self.kept.insert(text);
        }
        Ok(is_known)
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_query;

    use super::*;

    #[test]
    fn what_is_asked_again_is_kept_and_only_so_much() {
        let mut texts = Texts::default();
        let mut asked = |number: usize| texts.keep(&sql_query(format!("SELECT {number}"))).unwrap();
        assert!(!asked(0));
        assert!(asked(0));
        for number in 1..MOST_KEPT {
            assert_eq!((asked(number), asked(number)), (false, true));
        }
        assert!(!asked(MOST_KEPT) && !asked(MOST_KEPT), "there are enough");
        assert!(asked(0), "what is kept stays");
    }

    #[test]
    fn what_is_asked_once_is_forgotten_in_time() {
        let mut texts = Texts::default();
        for number in 0..10 * MOST_SEEN {
            assert!(!texts.keep(&sql_query(format!("SELECT {number}"))).unwrap());
        }
        assert!(texts.seen.len() <= MOST_SEEN && texts.kept.is_empty());
    }
}
