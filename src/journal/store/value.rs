//! The storage format of values.
//!
//! Names are TEXT where they are valid UTF-8, else BLOB. Times are INTEGER nanoseconds since 1970 where
//! they fit in 64 bits, else TEXT with the decimal digits: SQLite computes with both, beyond 64 bits
//! with floating-point precision.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, ToSql};
use towpath_backend::{Owner, RelPath, Timestamp};

use crate::event::Side;

/// Stores an enum as an INTEGER, with a number for each variant.
macro_rules! stored_as_integer {
    ($type:ty { $($value:path = $number:literal),+ $(,)? }) => {
        impl rusqlite::ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                let number: i64 = match self {
                    $($value => $number,)+
                };
                Ok(number.into())
            }
        }

        impl rusqlite::types::FromSql for $type {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                match value.as_i64()? {
                    $($number => Ok($value),)+
                    number => Err(rusqlite::types::FromSqlError::OutOfRange(number)),
                }
            }
        }
    };
}
pub(in crate::journal) use stored_as_integer;

stored_as_integer!(Side {
    Side::Source = 0,
    Side::Sink = 1,
});

/// A name or path as a statement parameter.
pub(in crate::journal) struct Name<'a>(pub(in crate::journal) &'a [u8]);

impl<'a> Name<'a> {
    /// A path.
    pub(in crate::journal) fn of(path: &'a RelPath) -> Self {
        Self(path.as_bytes())
    }

    /// The parent directory of `path`, and its last name. The root is its own parent and has no name.
    pub(in crate::journal) fn split(path: &'a RelPath) -> (Self, Self) {
        let bytes = path.as_bytes();
        let name = last_name(bytes);
        let dir = bytes[..bytes.len() - name.len()].strip_suffix(b"/").unwrap_or_default();
        (Self(dir), Self(name))
    }
}

impl ToSql for Name<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match std::str::from_utf8(self.0) {
            Ok(text) => ValueRef::Text(text.as_bytes()),
            Err(_) => ValueRef::Blob(self.0),
        }))
    }
}

/// The part of a path after its last slash.
pub(in crate::journal) fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// A name in a column: TEXT or BLOB.
struct NameBytes(Vec<u8>);

impl FromSql for NameBytes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_bytes().map(|bytes| Self(bytes.to_vec()))
    }
}

/// A path in a column.
struct Path(RelPath);

impl FromSql for Path {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        RelPath::new(value.as_bytes()?).map(Self).map_err(FromSqlError::other)
    }
}

/// The bytes of a name.
pub(in crate::journal) fn bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<u8>> {
    Ok(row.get::<_, NameBytes>(column)?.0)
}

/// A path.
pub(in crate::journal) fn path(row: &Row<'_>, column: &str) -> rusqlite::Result<RelPath> {
    Ok(row.get::<_, Path>(column)?.0)
}

/// A path, or `None` for NULL.
pub(in crate::journal) fn optional_path(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<RelPath>> {
    Ok(row.get::<_, Option<Path>>(column)?.map(|path| path.0))
}

/// The path of an entry, from the columns of its directory's path and of its name.
pub(in crate::journal) fn path_in(row: &Row<'_>, dir: &str, name: &str) -> rusqlite::Result<RelPath> {
    let index = row.as_ref().column_index(name)?;
    path(row, dir)?
        .join(&bytes(row, name)?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

/// Sizes and counts: SQLite has no unsigned 64-bit numbers.
pub(in crate::journal) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
pub(in crate::journal) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A limit on rows as a statement parameter.
pub(in crate::journal) fn limit(rows: usize) -> i64 {
    signed(rows as u64)
}

/// The signed number with the same bits: inode numbers use all 64.
pub(in crate::journal) fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// A size or count.
pub(in crate::journal) fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get(column).map(unsigned)
}

/// A size or count, or `None` for NULL.
pub(in crate::journal) fn optional_number(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(unsigned))
}

/// The owner, or `None` if either column is NULL.
pub(in crate::journal) fn owner(row: &Row<'_>, user: &str, group: &str) -> rusqlite::Result<Option<Owner>> {
    let (user, group): (Option<u32>, Option<u32>) = (row.get(user)?, row.get(group)?);
    Ok(user.zip(group).map(|(user, group)| Owner { user, group }))
}

/// A time as a statement parameter or a column.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Time(pub(in crate::journal) Timestamp);

impl ToSql for Time {
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

/// A time, or `None` for NULL.
pub(in crate::journal) fn optional_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Time>>(column)?.map(|time| time.0))
}

/// A time.
pub(in crate::journal) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    Ok(row.get::<_, Time>(column)?.0)
}

/// The difference in nanoseconds up to which two times are equal. `None`: the sink keeps no mtimes, so all
/// times are equal.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Tolerance(pub(in crate::journal) Option<u64>);

impl ToSql for Tolerance {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = self.0.map_or(Value::Real(f64::INFINITY), |ns| Value::Integer(signed(ns)));
        Ok(ToSqlOutput::Owned(value))
    }
}

/// The range of paths below `dir`: from `dir/` to `dir0`, the byte after `/`.
pub(in crate::journal) fn subtree(dir: &RelPath) -> (Vec<u8>, Vec<u8>) {
    if dir.is_root() {
        return (Vec::new(), vec![0xff]);
    }
    let bound = |byte: u8| [dir.as_bytes(), &[byte]].concat();
    (bound(b'/'), bound(b'0'))
}

/// The current time in nanoseconds since 1970.
pub(in crate::journal) fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_into_directory_and_name() {
        for (path, dir, name) in [("", "", ""), ("a", "", "a"), ("a/b", "a", "b"), ("a/b/c", "a/b", "c")] {
            let path = RelPath::new(path).unwrap();
            let (found_dir, found_name) = Name::split(&path);
            assert_eq!((found_dir.0, found_name.0), (dir.as_bytes(), name.as_bytes()), "{path}");
        }
    }
}
