//! Positions in an organisation's log.

use std::fmt;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::BigInt;
use serde::{Deserialize, Serialize};

/// A place in an organisation's log: 1, 2, 3 … without holes, in commit order. 0 stands before the first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    FromSqlRow,
    AsExpression,
    utoipa::ToSchema,
)]
#[diesel(sql_type = BigInt)]
#[serde(transparent)]
#[schema(value_type = i64, minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
pub struct Seq(i64);

impl Seq {
    /// Before the first activity.
    pub const ZERO: Self = Self(0);

    /// The position `value`; below 0 there is none.
    pub const fn new(value: i64) -> Option<Self> {
        if value < 0 { None } else { Some(Self(value)) }
    }

    /// The number itself, never below 0.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The next position. The last one of all is its own successor: a log cannot grow that far.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The position before; 0 is its own.
    #[must_use]
    pub const fn previous(self) -> Self {
        if self.0 == 0 { self } else { Self(self.0 - 1) }
    }

    /// The position `count` further on.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many positions lie from `earlier` (excluded) to this one; negative where it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<DB> ToSql<BigInt, DB> for Seq
where
    DB: Backend,
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB> FromSql<BigInt, DB> for Seq
where
    DB: Backend,
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let value = i64::from_sql(value)?;
        Self::new(value).ok_or_else(|| format!("a seq is never negative, found {value}").into())
    }
}
