//! Pieces of SQL and values between them.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    sql_types,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::visibility::Within;

/// A piece of a statement: text of ours, or a value that is bound.
pub(super) enum Piece {
    Sql(Cow<'static, str>),
    Text(String),
    Texts(Vec<String>),
    Uuid(Uuid),
    Uuids(Vec<Uuid>),
    Decimal(Decimal),
    Decimals(Vec<Decimal>),
    Double(f64),
    Doubles(Vec<f64>),
    Integer(i64),
    Integers(Vec<i32>),
    Bool(bool),
    Date(NaiveDate),
    Instant(DateTime<Utc>),
    Within(Within),
}

impl Piece {
    /// Whether it is bound; what a caller may see has a few values of its own.
    pub(super) fn is_value(&self) -> bool {
        !matches!(self, Self::Sql(_))
    }

    pub(super) fn push<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Sql(sql) => out.push_sql(sql),
            Self::Text(value) => out.push_bind_param::<sql_types::Text, _>(value)?,
            Self::Texts(values) => out.push_bind_param::<sql_types::Array<sql_types::Text>, _>(values)?,
            Self::Uuid(value) => out.push_bind_param::<sql_types::Uuid, _>(value)?,
            Self::Uuids(values) => out.push_bind_param::<sql_types::Array<sql_types::Uuid>, _>(values)?,
            Self::Decimal(value) => out.push_bind_param::<sql_types::Numeric, _>(value)?,
            Self::Decimals(values) => out.push_bind_param::<sql_types::Array<sql_types::Numeric>, _>(values)?,
            Self::Double(value) => out.push_bind_param::<sql_types::Double, _>(value)?,
            Self::Doubles(values) => out.push_bind_param::<sql_types::Array<sql_types::Double>, _>(values)?,
            Self::Integer(value) => out.push_bind_param::<sql_types::BigInt, _>(value)?,
            Self::Integers(values) => out.push_bind_param::<sql_types::Array<sql_types::Integer>, _>(values)?,
            Self::Bool(value) => out.push_bind_param::<sql_types::Bool, _>(value)?,
            Self::Date(value) => out.push_bind_param::<sql_types::Date, _>(value)?,
            Self::Instant(value) => out.push_bind_param::<sql_types::Timestamptz, _>(value)?,
            Self::Within(within) => within.walk_ast(out)?,
        }
        Ok(())
    }
}

/// Values that conditions compare with, bound one by one.
pub(super) trait Bindable: Copy {
    fn piece(self) -> Piece;
}

/// Declares which piece binds which type.
macro_rules! bindable {
    ($($type:ty => $piece:ident;)+) => {$(
        impl Bindable for $type {
            fn piece(self) -> Piece {
                Piece::$piece(self)
            }
        }
    )+};
}

bindable! {
    Decimal => Decimal;
    f64 => Double;
    i64 => Integer;
    NaiveDate => Date;
    DateTime<Utc> => Instant;
}
