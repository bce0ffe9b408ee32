//! The names that failed, whether they are accepted, and lists of exceptions.

use rusqlite::{Connection, Row, params};

use super::classes::{Amount, NameClass};
use super::model::{Exception, ExceptionList};
use super::sums::Sums;
use crate::event::Side;
use crate::journal::overview::accepted::AcceptedEntries;
use crate::journal::row::not_copied::NotCopied;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::name_kind::NameKind;
use crate::journal::store::value::{bytes, limit, optional_number};

/// The column `listed_kind` of a file, or `kind` of another name, that the scan did not list.
pub(super) const NOT_LISTED: i64 = -1;

/// What became of a file: its last attempt failed.
pub(super) const HAS_FAILED: &str =
    "(status = 0 AND (coalesce(file.error, file.problem) IS NOT NULL OR failed IS NOT NULL OR work = 3))";

/// The state of a directory of the source; NULL: in sync.
pub(super) const DIR_STATE: &str = "CASE
    WHEN EXISTS (SELECT 1 FROM unreadable WHERE side = 0 AND unreadable.path = dir.path) THEN 'unreadable-directory'
    WHEN EXISTS (SELECT 1 FROM unreadable WHERE side = 3 AND unreadable.path = dir.path) THEN 'lost-mount'
    WHEN problem IS NOT NULL THEN 'name-not-possible'
    WHEN missing = 2 THEN 'not-created'
    WHEN settle = 2 THEN 'attributes-not-applied'
    WHEN missing = 1 OR settle = 1 THEN 'pending' END";

pub(super) fn size_of(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
}

fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

/// What is accepted, and how many exceptions are listed.
pub(super) struct Covered {
    pub(super) accepted: AcceptedEntries,
    pub(super) most: usize,
}

impl Covered {
    /// Counts and lists what failed: files, directories, and names that could not be read; first what is not accepted,
    /// then what is.
    pub(super) fn failed(
        &self,
        connection: &Connection,
        scan: i64,
        sums: &mut Sums,
    ) -> rusqlite::Result<(ExceptionList, ExceptionList)> {
        let (mut failed, mut accepted) = (ExceptionList::default(), ExceptionList::default());
        let mut take = |mut found: Exception, amount: Amount| {
            found.accepted = self.accepted.covering(&found.path).cloned();
            let (class, list) = match found.accepted {
                None => (NameClass::Failed, &mut failed),
                Some(_) => (NameClass::Accepted, &mut accepted),
            };
            sums.add_reason(class, &found.reason, found.kind.unwrap_or(NameKind::Other), amount);
            list.count += 1;
            list.open += u64::from(class == NameClass::Failed);
            if list.first.len() < self.most {
                list.first.push(found);
            }
        };
        each_failed_file(connection, &mut take)?;
        each_failed_dir(connection, scan, &mut take)?;
        each_other(connection, NameClass::Failed, usize::MAX, |found| {
            let bytes = found.size_bytes.unwrap_or(0);
            take(found, Amount::new(1, bytes.into()));
        })?;
        Ok((sorted(failed), sorted(accepted)))
    }

    pub(super) fn skipped(&self, connection: &Connection) -> rusqlite::Result<ExceptionList> {
        let mut first = Vec::new();
        each_other(connection, NameClass::Skipped, self.most, |found| first.push(found))?;
        let sql = format!(
            "SELECT count(*) FROM source_other WHERE reason IN ({}) AND kind IS NOT -1",
            numbers(NameClass::Skipped)
        );
        let count = connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        Ok(sorted(ExceptionList { first, count, open: count }))
    }

    pub(super) fn unreadable(&self, connection: &Connection) -> rusqlite::Result<ExceptionList> {
        let mut query = connection.prepare("SELECT side, path, cause, error FROM unreadable ORDER BY path")?;
        let mut rows = query.query([])?;
        let mut list = ExceptionList::default();
        while let Some(row) = rows.next()? {
            let path = bytes(row, "path")?;
            let accepted = self.accepted.covering(&path).cloned();
            list.count += 1;
            list.open += u64::from(accepted.is_none());
            if list.first.len() < self.most {
                list.first.push(unreadable(row, path)?);
                list.first.last_mut().into_iter().for_each(|last| last.accepted.clone_from(&accepted));
            }
        }
        Ok(list)
    }
}

fn sorted(mut list: ExceptionList) -> ExceptionList {
    list.first.sort_by(|a, b| a.path.cmp(&b.path));
    list
}

fn each_failed_file(connection: &Connection, take: &mut impl FnMut(Exception, Amount)) -> rusqlite::Result<()> {
    let mut query = connection.prepare(&format!(
        "SELECT dir.path AS dir, file.name AS name, kind, size, listed_kind, listed_size,
             coalesce(file.error_side, failed) AS side, coalesce(file.error_code, 'failed') AS code,
             coalesce(file.problem, file.error) AS text
         FROM file JOIN dir ON dir.id = file.dir WHERE {HAS_FAILED} AND listed_kind IS NOT -1"
    ))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let listed = row.get::<_, Option<NameKind>>("listed_kind")?;
        let size = optional_number(row, if listed.is_some() { "listed_size" } else { "size" })?.unwrap_or(0);
        let found = Exception {
            path: joined(&bytes(row, "dir")?, &bytes(row, "name")?),
            kind: Some(listed.map_or_else(|| row.get("kind"), Ok)?),
            size_bytes: Some(size),
            side: side(row, "side")?,
            reason: row.get("code")?,
            error: row.get("text")?,
            accepted: None,
        };
        take(found, Amount::new(1, size.into()));
    }
    Ok(())
}

fn each_failed_dir(
    connection: &Connection,
    scan: i64,
    take: &mut impl FnMut(Exception, Amount),
) -> rusqlite::Result<()> {
    let mut query = connection.prepare(&format!(
        "SELECT path, {DIR_STATE} AS state, coalesce(problem, error) AS text, error_code, error_side FROM dir
         WHERE source_scan = ?1 AND path <> '' AND state IS NOT NULL AND state <> 'pending'"
    ))?;
    let mut rows = query.query(params![scan])?;
    while let Some(row) = rows.next()? {
        let state: String = row.get("state")?;
        let is_unknown = matches!(state.as_str(), "unreadable-directory" | "lost-mount");
        let found = Exception {
            path: bytes(row, "path")?,
            kind: Some(NameKind::Dir),
            size_bytes: None,
            side: if is_unknown { Some(Side::Source) } else { side(row, "error_side")? },
            reason: state,
            error: row.get("text")?,
            accepted: None,
        };
        take(found, Amount::new(1, 0));
    }
    Ok(())
}

/// A side; `None`: neither, or not recorded.
fn side(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Side>> {
    Ok(match row.get::<_, Option<i64>>(column)? {
        Some(0) => Some(Side::Source),
        Some(1) => Some(Side::Sink),
        _ => None,
    })
}

/// The first names of a class that are neither files nor directories to be copied.
fn each_other(
    connection: &Connection,
    class: NameClass,
    most: usize,
    mut take: impl FnMut(Exception),
) -> rusqlite::Result<()> {
    let mut query = connection.prepare(&format!(
        "SELECT dir.path AS dir, name, kind, size, reason FROM source_other JOIN dir ON dir.id = source_other.dir
         WHERE reason IN ({}) AND kind IS NOT -1 LIMIT ?1",
        numbers(class)
    ))?;
    let mut rows = query.query([limit(most)])?;
    while let Some(row) = rows.next()? {
        let reason: NotCopied = row.get("reason")?;
        take(Exception {
            path: joined(&bytes(row, "dir")?, &bytes(row, "name")?),
            kind: row.get("kind")?,
            size_bytes: optional_number(row, "size")?,
            side: Some(Side::Source),
            reason: reason.code().to_owned(),
            error: None,
            accepted: None,
        });
    }
    Ok(())
}

/// The numbers of the reasons of a class, for a list in SQL.
fn numbers(class: NameClass) -> String {
    let of_class = NotCopied::ALL.into_iter().filter(|reason| reason.class() == Some(class));
    of_class.map(|reason| reason.number().to_string()).collect::<Vec<_>>().join(", ")
}

fn unreadable(row: &Row<'_>, path: Vec<u8>) -> rusqlite::Result<Exception> {
    let (side, reason) = match row.get("side")? {
        Unknown::UnreadableSource => (Side::Source, "unreadable"),
        Unknown::UnreadableSink => (Side::Sink, "unreadable"),
        Unknown::AmbiguousName => (Side::Sink, "name-collision"),
        Unknown::LostSourceMount => (Side::Source, "lost-mount"),
        Unknown::LostSinkMount => (Side::Sink, "lost-mount"),
    };
    let cause: Option<String> = row.get("cause")?;
    let reason = cause.filter(|_| reason == "unreadable").unwrap_or_else(|| reason.to_owned());
    Ok(Exception {
        path,
        kind: None,
        size_bytes: None,
        side: Some(side),
        reason,
        error: row.get("error")?,
        accepted: None,
    })
}
