//! Values as SQLite stores them. Names are TEXT where they are valid UTF-8, else BLOB. Times are
//! INTEGER nanoseconds since 1970 where 64 bits hold these, else TEXT with the same in decimal digits:
//! SQLite computes with both, with the precision of floating point beyond 64 bits.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use towpath_backend::{RelPath, Timestamp};

/// Bytes of a name or path, as a parameter of a statement.
pub(in crate::journal) struct Name<'a>(pub(in crate::journal) &'a [u8]);

impl rusqlite::ToSql for Name<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match std::str::from_utf8(self.0) {
            Ok(text) => ValueRef::Text(text.as_bytes()),
            Err(_) => ValueRef::Blob(self.0),
        }))
    }
}

/// The bytes of column `index`, whichever way they are kept.
pub(in crate::journal) fn bytes(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<u8>> {
    match row.get_ref(index)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(bytes.to_vec()),
        other => Err(rusqlite::Error::InvalidColumnType(index, "name".to_owned(), other.data_type())),
    }
}

/// The path in column `index`.
pub(in crate::journal) fn path(row: &Row<'_>, index: usize) -> rusqlite::Result<RelPath> {
    RelPath::new(bytes(row, index)?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

/// The path in column `index`, if there is one.
pub(in crate::journal) fn optional_path(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<RelPath>> {
    if row.get_ref(index)? == ValueRef::Null { Ok(None) } else { path(row, index).map(Some) }
}

/// Sizes and counts: SQLite has no unsigned 64 bit numbers.
pub(in crate::journal) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way back of [`signed`].
pub(in crate::journal) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A time, as a parameter of a statement or as a column.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Time(pub(in crate::journal) Timestamp);

impl rusqlite::ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let ns = self.0.total_ns();
        let value = i64::try_from(ns).map_or_else(|_| Value::Text(ns.to_string()), Value::Integer);
        Ok(ToSqlOutput::Owned(value))
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ns = match value {
            ValueRef::Integer(ns) => i128::from(ns),
            _ => value.as_str()?.parse().map_err(FromSqlError::other)?,
        };
        Timestamp::from_total_ns(ns).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// The time in column `index`, if there is one.
pub(in crate::journal) fn optional_time(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Time>>(index)?.map(|time| time.0))
}

/// The time in column `index`.
pub(in crate::journal) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    Ok(row.get::<_, Time>(index)?.0)
}
