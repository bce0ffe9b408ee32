//! Link targets and extended attributes: what a scan compares beside the metadata of a listing.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, ToSql};

use crate::journal::store::value::bytes;
use crate::xattrs::XattrDigest;

/// A detail of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail<T> {
    /// It is not compared, or the storage does not have it.
    #[default]
    None,
    Read(T),
    /// It could not be read. It counts as different: nothing is in sync by an error.
    Unreadable,
}

/// The details of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    /// The target of a symlink.
    pub(crate) target: Detail<Vec<u8>>,
    pub(crate) xattrs: Detail<XattrDigest>,
}

/// What was sent of a file or directory beside content and metadata. Later scans compare with it. `None`: not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The target of a symlink.
    pub(crate) target: Option<Vec<u8>>,
    pub(crate) xattrs: Option<XattrDigest>,
}

impl Sent {
    /// Fills what is not set from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { target: self.target.or(other.target), xattrs: self.xattrs.or(other.xattrs) }
    }
}

/// A detail of the source as a statement parameter: NULL, which equals nothing, if it could not be read.
pub(in crate::journal) struct OfSource<'a, T>(pub(in crate::journal) &'a Detail<T>);

/// A detail of the sink as a statement parameter: NULL if it is not compared, and 0, which equals no detail of the
/// source, if it could not be read.
pub(in crate::journal) struct OfSink<'a, T>(pub(in crate::journal) &'a Detail<T>);

/// How a detail is stored that was read.
pub(in crate::journal) trait Stored {
    fn stored(&self) -> rusqlite::Result<ToSqlOutput<'_>>;
}

impl Stored for Vec<u8> {
    fn stored(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // The output borrows from the bytes, not from the name.
        Ok(ToSqlOutput::Borrowed(match std::str::from_utf8(self) {
            Ok(text) => ValueRef::Text(text.as_bytes()),
            Err(_) => ValueRef::Blob(self),
        }))
    }
}

impl Stored for XattrDigest {
    fn stored(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sql()
    }
}

impl<T: Stored> ToSql for OfSource<'_, T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self.0 {
            Detail::Read(value) => value.stored(),
            Detail::None | Detail::Unreadable => Ok(ToSqlOutput::Owned(Value::Null)),
        }
    }
}

impl<T: Stored> ToSql for OfSink<'_, T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self.0 {
            Detail::Read(value) => value.stored(),
            Detail::None => Ok(ToSqlOutput::Owned(Value::Null)),
            Detail::Unreadable => Ok(ToSqlOutput::Owned(Value::Integer(0))),
        }
    }
}

/// As a BLOB, empty if there are no attributes.
impl ToSql for XattrDigest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

impl FromSql for XattrDigest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_bytes(value.as_blob()?).ok_or(FromSqlError::InvalidType)
    }
}

/// The bytes of a name or target, or `None` for NULL.
pub(in crate::journal) fn optional_bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => bytes(row, column).map(Some),
    }
}
