//! The values of the columns `error_code` and `error_side`.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

use crate::error::FailureCode;
use crate::side::Side;

/// The column `error_side`: 0 source, 1 sink, 2 neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct ErrorSide(pub(in crate::journal) Option<Side>);

impl ErrorSide {
    pub(in crate::journal) fn number(self) -> i64 {
        match self.0 {
            Some(Side::Source) => 0,
            Some(Side::Sink) => 1,
            None => 2,
        }
    }

    pub(in crate::journal) fn of_number(number: i64) -> Self {
        Self(match number {
            0 => Some(Side::Source),
            1 => Some(Side::Sink),
            _ => None,
        })
    }
}

impl ToSql for ErrorSide {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.number().into())
    }
}

impl FromSql for ErrorSide {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::of_number)
    }
}

/// A code as a statement parameter.
pub(in crate::journal) struct Code(pub(in crate::journal) FailureCode);

impl ToSql for Code {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.name().into())
    }
}
