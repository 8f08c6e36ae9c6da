//! Statements of reports, put together of texts, values and conditions.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, PgConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use uuid::Uuid;

/// A statement on its way. Whoever loads it names a type that knows its columns.
#[derive(Default)]
pub(super) struct Statement<'q>(Vec<Piece<'q>>);

enum Piece<'q> {
    Text(Cow<'static, str>),
    Id(Uuid),
    Ids(&'q [Uuid]),
    Instant(DateTime<Utc>),
    Instants(Vec<DateTime<Utc>>),
    Day(NaiveDate),
    Days(Vec<NaiveDate>),
    Number(i64),
    Condition(&'q dyn QueryFragment<Pg>),
}

impl<'q> Statement<'q> {
    fn push(&mut self, piece: Piece<'q>) -> &mut Self {
        self.0.push(piece);
        self
    }

    /// Adds a text of ours: nothing that a caller sent.
    pub(super) fn text(&mut self, text: impl Into<Cow<'static, str>>) -> &mut Self {
        self.push(Piece::Text(text.into()))
    }

    pub(super) fn id(&mut self, id: Uuid) -> &mut Self {
        self.push(Piece::Id(id))
    }

    pub(super) fn ids(&mut self, ids: &'q [Uuid]) -> &mut Self {
        self.push(Piece::Ids(ids))
    }

    pub(super) fn instant(&mut self, at: DateTime<Utc>) -> &mut Self {
        self.push(Piece::Instant(at))
    }

    pub(super) fn instants(&mut self, instants: Vec<DateTime<Utc>>) -> &mut Self {
        self.push(Piece::Instants(instants))
    }

    pub(super) fn day(&mut self, day: NaiveDate) -> &mut Self {
        self.push(Piece::Day(day))
    }

    pub(super) fn days(&mut self, days: Vec<NaiveDate>) -> &mut Self {
        self.push(Piece::Days(days))
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.push(Piece::Number(number))
    }

    pub(super) fn condition(&mut self, condition: &'q dyn QueryFragment<Pg>) -> &mut Self {
        self.push(Piece::Condition(condition))
    }
}

impl Query for Statement<'_> {
    type SqlType = sql_types::Untyped;
}
impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl RunQueryDsl<PgConnection> for Statement<'_> {}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_sql(text),
                Piece::Id(id) => out.push_bind_param::<sql_types::Uuid, _>(id)?,
                Piece::Ids(ids) => out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(ids)?,
                Piece::Instant(at) => out.push_bind_param::<sql_types::Timestamptz, _>(at)?,
                Piece::Instants(instants) => {
                    out.push_bind_param::<sql_types::Array<sql_types::Timestamptz>, _>(instants)?;
                }
                Piece::Day(day) => out.push_bind_param::<sql_types::Date, _>(day)?,
                Piece::Days(days) => out.push_bind_param::<sql_types::Array<sql_types::Date>, _>(days)?,
                Piece::Number(number) => out.push_bind_param::<sql_types::BigInt, _>(number)?,
                Piece::Condition(condition) => condition.walk_ast(out.reborrow())?,
            }
        }
        Ok(())
    }
}
