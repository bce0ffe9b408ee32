//! The entries that are not in sync, and why, in pages.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use super::accepted::{AcceptedEntries, in_force};
use super::connection;
use crate::error::{ErrorFilter, FailureCode, FileError, Result, UnreadableError};
use crate::journal::row::file::{EntryKind, FileKey};
use crate::journal::row::unknown::Unknown;
use crate::journal::store::cause_columns::ErrorSide;
use crate::journal::store::value::{Name, bytes, limit, number, optional_number};
use crate::side::Side;
use crate::verify_result::VerifyClass;

/// The first versions of the schema that have errors of files, and codes.
const WITH_ERRORS: i32 = 3;
const WITH_CODES: i32 = 7;

/// What an entry is that is not in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A directory. What is below one that cannot be read is unknown.
    Directory,
    /// A name that cannot be read: it may be a directory.
    Unreadable,
}

/// An entry that is not in sync, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedError {
    /// The path below the roots of both trees, as raw bytes.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: FailedKind,
    /// Why it is not in sync.
    pub code: FailureCode,
    /// Of a path that could not be read: the code of the error that prevented it.
    pub cause: Option<FailureCode>,
    /// The tree that failed, if one did.
    pub side: Option<Side>,
    /// The size of a file at the source.
    pub size_bytes: Option<u64>,
    /// The error, for people; empty unless [`RecordedErrors::with_texts`] asked for it.
    pub text: String,
    /// The reason of the exception that covers it.
    pub accepted: Option<String>,
}

/// Reads what is not in sync, and why, in pages: files by code, side and directory, then directories, then what could
/// not be read.
///
/// Each page is read in a transaction of its own, as those of [`crate::RecordedFiles`].
///
/// ```no_run
/// # fn example() -> towpath::Result<()> {
/// let mut errors = towpath::RecordedErrors::of("backlog.db").with_texts();
/// while let Some(page) = errors.next_page()? {
///     for error in page.iter().filter(|error| error.accepted.is_none()) {
///         println!("{} {}: {}", error.code.name(), String::from_utf8_lossy(&error.path), error.text);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RecordedErrors {
    database: PathBuf,
    filter: ErrorFilter,
    with_texts: bool,
    at: Option<Position>,
    exceptions: Option<AcceptedEntries>,
}

impl RecordedError {
    /// Whether it is selected.
    pub(in crate::journal) fn matches(&self, filter: &ErrorFilter) -> bool {
        (filter.has_code(self.code) || self.cause.is_some_and(|cause| filter.has_code(cause)))
            && filter.is_below(&self.path)
    }

    /// Whether it could not be read by the scan.
    pub(in crate::journal) fn is_unreadable(&self) -> bool {
        use FailureCode::{LostMount, UnreadableDirectory, UnreadableEntry};
        matches!(self.code, LostMount | UnreadableDirectory | UnreadableEntry)
    }
}

/// Passes each error to `visit`, without its text.
pub(in crate::journal) fn for_each(
    connection: &Connection,
    mut visit: impl FnMut(&Position, &RecordedError) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut next = Some(Position::first());
    while let Some(at) = next {
        let found = rows_after(connection, &at, false, RecordedErrors::PAGE)?;
        found.iter().try_for_each(|(position, error)| visit(position, error))?;
        next = match found.last() {
            Some((last, _)) if found.len() >= RecordedErrors::PAGE => Some(last.clone()),
            _ => at.next_table(),
        };
    }
    Ok(())
}

/// The last row of a page.
#[derive(Clone, Debug)]
pub(in crate::journal) enum Position {
    File {
        code: String,
        side: i64,
        key: FileKey,
    },
    Dir(i64),
    Unreadable {
        side: i64,
        path: Vec<u8>,
    },
    Incomplete(Vec<u8>),
    /// A file in sync whose copy is bad.
    Copy(FileKey),
}

impl Position {
    fn first() -> Self {
        Self::File { code: String::new(), side: -1, key: FileKey::first() }
    }

    /// The start of the next table.
    fn next_table(&self) -> Option<Self> {
        match self {
            Self::File { .. } => Some(Self::Dir(0)),
            Self::Dir(_) => Some(Self::Unreadable { side: -1, path: Vec::new() }),
            Self::Unreadable { .. } => Some(Self::Incomplete(Vec::new())),
            Self::Incomplete(_) => Some(Self::Copy(FileKey::first())),
            Self::Copy(_) => None,
        }
    }
}

type Found = Vec<(Position, RecordedError)>;

impl RecordedErrors {
    /// The most rows of a page.
    const PAGE: usize = 10_000;

    /// The errors in this database, from the first.
    pub fn of(database: impl AsRef<Path>) -> Self {
        Self {
            database: database.as_ref().to_owned(),
            filter: ErrorFilter::default(),
            with_texts: false,
            at: Some(Position::first()),
            exceptions: None,
        }
    }

    /// Only those that match.
    #[must_use]
    pub fn matching(mut self, filter: ErrorFilter) -> Self {
        self.filter = filter;
        self
    }

    /// With their texts, which takes longer.
    #[must_use]
    pub fn with_texts(mut self) -> Self {
        self.with_texts = true;
        self
    }

    /// The next errors; `None` after the last, and if there is no database. A page may be empty. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn next_page(&mut self) -> Result<Option<Vec<RecordedError>>> {
        let Some(at) = self.at.take() else { return Ok(None) };
        let known = self.exceptions.take();
        let read = connection::read(&self.database, |connection| {
            let exceptions = known.as_ref().map_or_else(|| in_force(connection), |known| Ok(known.clone()))?;
            Ok((rows_after(connection, &at, self.with_texts, Self::PAGE)?, exceptions))
        })?;
        let Some(((found, exceptions), _)) = read else { return Ok(None) };
        let is_full = found.len() >= Self::PAGE;
        self.at = match found.last() {
            Some((last, _)) if is_full => Some(last.clone()),
            _ => at.next_table(),
        };
        let errors = found.into_iter().map(|(_, error)| error).filter(|error| error.matches(&self.filter));
        let page = errors.map(|error| {
            let accepted = exceptions.covering(&error.path).map(|exception| exception.reason.clone());
            RecordedError { accepted, ..error }
        });
        let page = page.collect();
        self.exceptions = Some(exceptions);
        Ok(Some(page))
    }
}

/// At most `rows` rows of the table of a position, after it.
fn rows_after(connection: &Connection, at: &Position, with_texts: bool, rows: usize) -> rusqlite::Result<Found> {
    let schema: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if schema < WITH_ERRORS {
        return Ok(Vec::new());
    }
    let is_coded = schema >= WITH_CODES;
    match at {
        Position::File { code, side, key } => files(
            connection,
            &file_sql(is_coded, with_texts),
            named_params! {
                ":code": code, ":side": side, ":dir": key.dir, ":name": Name(&key.name), ":rows": limit(rows),
            },
        ),
        Position::Dir(id) => dirs(connection, &dir_sql(is_coded), *id, rows),
        Position::Unreadable { side, path } => unreadable(connection, is_coded, (*side, path), rows),
        Position::Incomplete(path) => incomplete(connection, path, rows),
        Position::Copy(_) if !is_coded => Ok(Vec::new()),
        Position::Copy(key) => copies(connection, key, rows),
    }
}

/// Files after one. Without texts, the index alone is read.
fn file_sql(is_coded: bool, with_texts: bool) -> String {
    if !is_coded {
        return "SELECT 'unknown' AS code, coalesce(failed, 2) AS side, dir, name, size, kind,
                coalesce(problem, error) AS text FROM file
             WHERE status = 0 AND coalesce(problem, error) IS NOT NULL AND (dir, name) > (:dir, :name)
                 AND :code IS NOT NULL AND :side IS NOT NULL
             ORDER BY dir, name LIMIT :rows"
            .to_owned();
    }
    let more = if with_texts { "kind, coalesce(problem, error) AS text" } else { "0 AS kind, NULL AS text" };
    format!(
        "SELECT error_code AS code, error_side AS side, dir, name, size, {more} FROM file
         WHERE status = 0 AND error_code IS NOT NULL
             AND (error_code, error_side, dir, name) > (:code, :side, :dir, :name)
         ORDER BY error_code, error_side, dir, name LIMIT :rows"
    )
}

fn files(connection: &Connection, sql: &str, values: &[(&str, &dyn rusqlite::ToSql)]) -> rusqlite::Result<Found> {
    let mut found = Vec::new();
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query(values)?;
    let mut last: Option<(i64, Option<Vec<u8>>)> = None;
    while let Some(row) = rows.next()? {
        let (dir, name): (i64, _) = (row.get("dir")?, bytes(row, "name")?);
        let path = match last.take() {
            Some((id, path)) if id == dir => path,
            _ => dir_path(connection, dir)?,
        };
        if let Some(path) = &path {
            found.push(file(row, dir, path, &name)?);
        }
        last = Some((dir, path));
    }
    Ok(found)
}

fn file(row: &Row<'_>, dir: i64, path: &[u8], name: &[u8]) -> rusqlite::Result<(Position, RecordedError)> {
    let (code, side): (String, ErrorSide) = (row.get("code")?, row.get("side")?);
    let error = RecordedError {
        path: if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() },
        kind: match row.get("kind")? {
            EntryKind::Symlink => FailedKind::Symlink,
            EntryKind::File | EntryKind::Other => FailedKind::File,
        },
        code: code.parse().unwrap_or(FailureCode::Unknown),
        cause: None,
        side: side.0,
        size_bytes: Some(number(row, "size")?),
        text: row.get::<_, Option<String>>("text")?.unwrap_or_default(),
        accepted: None,
    };
    let key = FileKey { dir, name: name.to_vec() };
    Ok((Position::File { code, side: side.number(), key }, error))
}

fn dir_path(connection: &Connection, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT path FROM dir WHERE id = ?1";
    connection.prepare_cached(sql)?.query_row([id], |row| bytes(row, "path")).optional()
}

fn dir_sql(is_coded: bool) -> String {
    let columns = if is_coded {
        (
            "error_code",
            "coalesce(error_side, 1)",
            "coalesce(problem, error)",
            "error_code IS NOT NULL AND (missing <> 0 OR settle <> 0 OR problem IS NOT NULL)",
        )
    } else {
        ("'unknown'", "1", "problem", "(missing = 2 OR settle = 2 OR problem IS NOT NULL)")
    };
    let (code, side, text, failed) = columns;
    format!(
        "SELECT id, path, {code} AS code, {side} AS side, {text} AS text FROM dir
         WHERE {failed} AND id > ?1 ORDER BY id LIMIT ?2"
    )
}

fn dirs(connection: &Connection, sql: &str, after: i64, rows: usize) -> rusqlite::Result<Found> {
    let read = |row: &Row<'_>| {
        let error = RecordedError {
            path: bytes(row, "path")?,
            kind: FailedKind::Directory,
            code: row.get::<_, String>("code")?.parse().unwrap_or(FailureCode::Unknown),
            cause: None,
            side: row.get::<_, ErrorSide>("side")?.0,
            size_bytes: None,
            text: row.get::<_, Option<String>>("text")?.unwrap_or_default(),
            accepted: None,
        };
        Ok((Position::Dir(row.get("id")?), error))
    };
    connection.prepare(sql)?.query_map([after, limit(rows)], read)?.collect()
}

fn unreadable(
    connection: &Connection,
    is_coded: bool,
    (side, path): (i64, &[u8]),
    rows: usize,
) -> rusqlite::Result<Found> {
    let columns = if is_coded { "is_entry, cause, error" } else { "0 AS is_entry, NULL AS cause, NULL AS error" };
    let sql = format!(
        "SELECT side, path, {columns} FROM unreadable WHERE side <> ?1 AND (side, path) > (?2, ?3)
         ORDER BY side, path LIMIT ?4"
    );
    let read = |row: &Row<'_>| {
        let (why, path): (Unknown, _) = (row.get("side")?, bytes(row, "path")?);
        let is_entry = row.get("is_entry")?;
        let is_lost = matches!(why, Unknown::LostSourceMount | Unknown::LostSinkMount);
        let text = row.get::<_, Option<String>>("error")?;
        let error = RecordedError {
            kind: if is_entry { FailedKind::Unreadable } else { FailedKind::Directory },
            code: match (is_lost, is_entry) {
                (true, _) => FailureCode::LostMount,
                (false, true) => FailureCode::UnreadableEntry,
                (false, false) => FailureCode::UnreadableDirectory,
            },
            cause: row.get::<_, Option<String>>("cause")?.and_then(|code| code.parse().ok()),
            side: Some(match why {
                Unknown::UnreadableSink | Unknown::LostSinkMount => Side::Sink,
                _ => Side::Source,
            }),
            size_bytes: None,
            text: text.unwrap_or_else(|| {
                if is_lost { UnreadableError::LostMount } else { UnreadableError::InEarlierScan }.to_string()
            }),
            accepted: None,
            path: path.clone(),
        };
        Ok((Position::Unreadable { side: row.get("side")?, path }, error))
    };
    let values = rusqlite::params![Unknown::AmbiguousName, side, Name(path), limit(rows)];
    connection.prepare(&sql)?.query_map(values, read)?.collect()
}

/// Files in sync whose copies a verification found to be bad.
fn copies(connection: &Connection, after: &FileKey, rows: usize) -> rusqlite::Result<Found> {
    let read = |row: &Row<'_>| {
        let (path, name) = (bytes(row, "path")?, bytes(row, "name")?);
        let class: VerifyClass = row.get("verify_class")?;
        let error = RecordedError {
            path: if path.is_empty() { name.clone() } else { [&path[..], b"/", &name].concat() },
            kind: match row.get("kind")? {
                EntryKind::Symlink => FailedKind::Symlink,
                EntryKind::File | EntryKind::Other => FailedKind::File,
            },
            code: match class {
                VerifyClass::Missing => FailureCode::MissingCopy,
                VerifyClass::Unreadable => FailureCode::UnreadableCopy,
                _ => FailureCode::Differs,
            },
            cause: None,
            side: Some(Side::Sink),
            size_bytes: Some(number(row, "size")?),
            text: row.get::<_, Option<String>>("verify_detail")?.unwrap_or_else(|| class.name().to_owned()),
            accepted: None,
        };
        Ok((Position::Copy(FileKey { dir: row.get("dir")?, name }), error))
    };
    let sql = "SELECT dir, path, name, kind, size, verify_class, verify_detail FROM file JOIN dir ON dir.id = file.dir
         WHERE verify_class >= 2 AND verify_class >= ?1 AND status = 1 AND (file.dir, name) > (?2, ?3)
         ORDER BY file.dir, name LIMIT ?4";
    let values = rusqlite::params![VerifyClass::Differs, after.dir, Name(&after.name), limit(rows)];
    connection.prepare(sql)?.query_map(values, read)?.collect()
}

/// Files that vanished from the source while they were replaced.
fn incomplete(connection: &Connection, after: &[u8], rows: usize) -> rusqlite::Result<Found> {
    let error = FileError::LostWhileReplaced;
    let read = |row: &Row<'_>| {
        let path = bytes(row, "path")?;
        let failed = RecordedError {
            path: path.clone(),
            kind: FailedKind::File,
            code: error.code(),
            cause: None,
            side: None,
            size_bytes: optional_number(row, "size")?,
            text: error.to_string(),
            accepted: None,
        };
        Ok((Position::Incomplete(path), failed))
    };
    let sql = "SELECT path, size FROM incomplete WHERE path > ?1 ORDER BY path LIMIT ?2";
    connection.prepare(sql)?.query_map(rusqlite::params![Name(after), limit(rows)], read)?.collect()
}
