//! Reading the account: each row is counted once, in one transaction.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use towpath_backend::Timestamp;

use super::classes::{Amount, ByKind, NameClass};
use super::model::{Account, Exception, ExceptionList, ReasonCount, Reconciliation, SlowestFile};
use super::sizes::Sizes;
use crate::error::Result;
use crate::event::Side;
use crate::journal::overview::connection;
use crate::journal::row::not_copied::NotCopied;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::name_kind::NameKind;
use crate::journal::store::value::{bytes, limit, number, optional_number};

/// The first version of the schema that has all columns of an account.
const WITH_REASONS: i32 = 7;
/// The column `listed_kind` of a file that the scan did not list.
const NOT_LISTED: i64 = -1;

impl Account {
    /// Reads the database of a migration, with at most `exceptions` exceptions of each sort. `None`: there is no database
    /// yet. What is true of [`crate::Overview::read`] is true here, except that it takes longer. A database that was
    /// last used by an earlier version of Towpath has no account until the next run opens it. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>, exceptions: usize) -> Result<Option<Self>> {
        let read = connection::read(database.as_ref(), |connection| account(connection, exceptions))?;
        Ok(read.map(|(account, _)| account))
    }
}

fn account(connection: &Connection, exceptions: usize) -> rusqlite::Result<Account> {
    let schema: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let scan = connection
        .query_row("SELECT id, started, finished FROM scan ORDER BY id DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>("id")?, row.get("started")?, row.get::<_, Option<i64>>("finished")?))
        })
        .optional()?;
    let complete = scan.filter(|(.., finished)| finished.is_some() && schema >= WITH_REASONS);
    let mut account = Account {
        names: None,
        failed: ExceptionList::default(),
        skipped: ExceptionList::default(),
        unreadable: ExceptionList::default(),
        sizes: Vec::new(),
        slowest: if schema < WITH_REASONS { Vec::new() } else { slowest(connection)? },
    };
    let Some((scan, started, _)) = complete else { return Ok(account) };
    let mut sums = Sums::default();
    sums.count_files(connection)?;
    sums.count_dirs(connection, scan)?;
    sums.count_others(connection)?;
    sums.count_scan(connection, scan)?;
    account.failed = failed(connection, scan, exceptions)?;
    account.skipped = skipped(connection, exceptions)?;
    account.unreadable = unreadable(connection, exceptions)?;
    account.sizes = std::mem::take(&mut sums.sizes).ranges();
    account.names = Some(sums.reconciliation(Timestamp::from_ns(started)));
    Ok(account)
}

/// The sums of an account while its rows are read.
#[derive(Default)]
struct Sums {
    names: Reconciliation,
    reasons: BTreeMap<(NameClass, String, String), (ByKind, Option<Vec<u8>>)>,
    sizes: Sizes,
}

/// What became of a file: its last attempt failed.
const HAS_FAILED: &str = "(status = 0 AND (coalesce(error, problem) IS NOT NULL OR failed IS NOT NULL OR work = 3))";

impl Sums {
    fn add(&mut self, class: NameClass, kind: NameKind, amount: Amount) {
        self.names.classes.entry(class).or_default().add(kind, amount);
    }

    fn add_reason(&mut self, class: NameClass, reason: &str, kind: NameKind, amount: Amount) {
        self.add(class, kind, amount);
        let (sum, _) = self.reasons.entry((class, reason.to_owned(), String::new())).or_default();
        sum.add(kind, amount);
    }

    fn count_files(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT kind, size, status, listed_kind, listed_size, hash IS NOT NULL AS is_hashed, {HAS_FAILED} AS has_failed
             FROM file"
        );
        let mut query = connection.prepare(&sql)?;
        let mut rows = query.query([])?;
        // Columns by index: there may be 100 million rows.
        while let Some(row) = rows.next()? {
            let (kind, size): (NameKind, u64) = (row.get(0)?, size_of(row, 1)?);
            let is_synced = row.get::<_, i64>(2)? == 1;
            let listed: Option<i64> = row.get(3)?;
            if listed == Some(NOT_LISTED) {
                self.names.unlisted.add(Amount::new(1, size.into()));
                continue;
            }
            let (listed_kind, listed_size) = match listed {
                Some(_) => (row.get(3)?, size_of(row, 4)?),
                None => (kind, size),
            };
            let amount = Amount::new(1, listed_size.into());
            if listed.is_some() {
                self.names.resized.0.add(amount);
                self.names.resized.1.add(Amount::new(1, size.into()));
            }
            self.sizes.add(size, is_synced);
            if is_synced {
                self.add(NameClass::Synced, listed_kind, amount);
                if row.get(5)? {
                    self.names.with_checksum.add(amount);
                }
            } else if row.get(6)? {
                self.add_reason(NameClass::Failed, "failed", listed_kind, amount);
            } else {
                self.add_reason(NameClass::Pending, "pending", listed_kind, amount);
            }
        }
        Ok(())
    }

    fn count_dirs(&mut self, connection: &Connection, scan: i64) -> rusqlite::Result<()> {
        let sql = format!("SELECT {DIR_STATE} AS state FROM dir WHERE source_scan = ?1 AND path <> ''");
        let mut query = connection.prepare(&sql)?;
        let mut rows = query.query([scan])?;
        while let Some(row) = rows.next()? {
            let one = Amount::new(1, 0);
            match row.get::<_, Option<String>>(0)?.as_deref() {
                None => self.add(NameClass::Synced, NameKind::Dir, one),
                Some("pending") => self.add_reason(NameClass::Pending, "pending", NameKind::Dir, one),
                Some(reason) => self.add_reason(NameClass::Failed, reason, NameKind::Dir, one),
            }
        }
        Ok(())
    }

    fn count_others(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut query = connection.prepare("SELECT kind, size, reason FROM source_other")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let reason = row.get::<_, Option<NotCopied>>(2)?.unwrap_or(NotCopied::Unknown);
            let kind = row.get::<_, Option<i64>>(0)?;
            if let Some(class) = reason.class().filter(|_| kind != Some(NOT_LISTED)) {
                let kind = row.get::<_, Option<NameKind>>(0)?.unwrap_or(NameKind::Other);
                self.add_reason(class, reason.code(), kind, Amount::new(1, size_of(row, 1)?.into()));
            }
        }
        Ok(())
    }

    /// Adds what the walkers counted.
    fn count_scan(&mut self, connection: &Connection, scan: i64) -> rusqlite::Result<()> {
        let sql = "SELECT what, detail, kind, names, bytes, example FROM scan_count WHERE scan = ?1";
        let mut query = connection.prepare(sql)?;
        let mut rows = query.query([scan])?;
        while let Some(row) = rows.next()? {
            let (what, detail): (String, String) = (row.get("what")?, row.get("detail")?);
            let kind: NameKind = row.get("kind")?;
            let bytes_text: String = row.get("bytes")?;
            let amount = Amount::new(number(row, "names")?, bytes_text.parse().unwrap_or_default());
            match what.as_str() {
                "listed" => self.names.listed.get_or_insert_default().add(kind, amount),
                "listed-twice" => self.names.listed_twice.add(kind, amount),
                "resolved" => self.names.resolved.add(kind, amount),
                "resolved-to" => self.names.resolved_to.add(kind, amount),
                "not-entered" => self.names.not_entered += amount.names,
                code => {
                    let Some(class) = NotCopied::of_code(code).and_then(NotCopied::class) else { continue };
                    self.add(class, kind, amount);
                    let example =
                        row.get_ref("example")?.as_bytes_or_null().map_err(rusqlite::Error::from)?.map(<[u8]>::to_vec);
                    let (sum, first) = self.reasons.entry((class, code.to_owned(), detail)).or_default();
                    sum.add(kind, amount);
                    *first = first.take().or(example);
                }
            }
        }
        Ok(())
    }

    fn reconciliation(self, scanned_at: Timestamp) -> Reconciliation {
        let reasons = self.reasons.into_iter().map(|((class, reason, detail), (amount, example))| ReasonCount {
            class,
            reason,
            detail,
            amount,
            example,
        });
        Reconciliation { scanned_at, reasons: reasons.collect(), ..self.names }
    }
}

/// The state of a directory of the source; NULL: in sync.
const DIR_STATE: &str = "CASE
    WHEN EXISTS (SELECT 1 FROM unreadable WHERE side = 0 AND unreadable.path = dir.path) THEN 'unreadable-directory'
    WHEN EXISTS (SELECT 1 FROM unreadable WHERE side = 3 AND unreadable.path = dir.path) THEN 'lost-mount'
    WHEN problem IS NOT NULL THEN 'name-not-possible'
    WHEN missing = 2 THEN 'not-created'
    WHEN settle = 2 THEN 'attributes-not-applied'
    WHEN missing = 1 OR settle = 1 THEN 'pending' END";

fn slowest(connection: &Connection) -> rusqlite::Result<Vec<SlowestFile>> {
    let sql = "SELECT run, path, size, duration_ms FROM slow_file ORDER BY duration_ms DESC, path LIMIT 50";
    let read = |row: &Row<'_>| {
        Ok(SlowestFile {
            run: row.get("run")?,
            path: bytes(row, "path")?,
            size_bytes: number(row, "size")?,
            took: Duration::from_millis(number(row, "duration_ms")?),
        })
    };
    connection.prepare(sql)?.query_map([], read)?.collect()
}

fn size_of(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
}

fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

/// What failed: files, directories, and names that could not be read.
fn failed(connection: &Connection, scan: i64, most: usize) -> rusqlite::Result<ExceptionList> {
    let files = format!(
        "SELECT dir.path AS dir, file.name AS name, kind, size, failed, coalesce(file.problem, error) AS error
         FROM file JOIN dir ON dir.id = file.dir WHERE {} AND listed_kind IS NOT -1 LIMIT ?1",
        HAS_FAILED.replace("problem", "file.problem")
    );
    let mut first = Vec::new();
    let mut query = connection.prepare(&files)?;
    let mut rows = query.query([limit(most)])?;
    while let Some(row) = rows.next()? {
        first.push(Exception {
            path: joined(&bytes(row, "dir")?, &bytes(row, "name")?),
            kind: Some(row.get("kind")?),
            size_bytes: optional_number(row, "size")?,
            side: row.get("failed")?,
            reason: "failed".to_owned(),
            error: row.get("error")?,
        });
    }
    let dirs = format!(
        "SELECT path, {DIR_STATE} AS state, problem FROM dir
         WHERE source_scan = ?1 AND path <> '' AND state IS NOT NULL AND state <> 'pending' LIMIT ?2"
    );
    let mut query = connection.prepare(&dirs)?;
    let mut rows = query.query(params![scan, limit(most)])?;
    while let Some(row) = rows.next()? {
        let reason: String = row.get("state")?;
        first.push(Exception {
            path: bytes(row, "path")?,
            kind: Some(NameKind::Dir),
            size_bytes: None,
            side: matches!(reason.as_str(), "unreadable-directory" | "lost-mount").then_some(Side::Source),
            reason,
            error: row.get("problem")?,
        });
    }
    first.extend(others(connection, NameClass::Failed, most)?);
    let count = "SELECT (SELECT count(*) FROM file WHERE {FILE} AND listed_kind IS NOT -1)
        + (SELECT count(*) FROM (SELECT {DIR} AS state FROM dir WHERE source_scan = ?1 AND path <> '')
            WHERE state <> 'pending') + (SELECT count(*) FROM source_other WHERE reason = ?2)";
    let count = count.replace("{FILE}", HAS_FAILED).replace("{DIR}", DIR_STATE);
    let count = connection.query_row(&count, params![scan, NotCopied::Unreadable], |row| row.get::<_, i64>(0))?;
    Ok(list(first, count, most))
}

fn list(mut first: Vec<Exception>, count: i64, most: usize) -> ExceptionList {
    first.sort_by(|a, b| a.path.cmp(&b.path));
    first.truncate(most);
    ExceptionList { first, count: u64::try_from(count).unwrap_or(0) }
}

/// Names of a class that are neither files nor directories to be copied.
fn others(connection: &Connection, class: NameClass, most: usize) -> rusqlite::Result<Vec<Exception>> {
    let mut query = connection.prepare(&format!(
        "SELECT dir.path AS dir, name, kind, size, reason FROM source_other JOIN dir ON dir.id = source_other.dir
         WHERE reason IN ({}) AND kind IS NOT -1 LIMIT ?1",
        numbers(class)
    ))?;
    let mut rows = query.query([limit(most)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let reason: NotCopied = row.get("reason")?;
        found.push(Exception {
            path: joined(&bytes(row, "dir")?, &bytes(row, "name")?),
            kind: row.get("kind")?,
            size_bytes: optional_number(row, "size")?,
            side: Some(Side::Source),
            reason: reason.code().to_owned(),
            error: None,
        });
    }
    Ok(found)
}

/// The numbers of the reasons of a class, for a list in SQL.
fn numbers(class: NameClass) -> String {
    let of_class = NotCopied::ALL.into_iter().filter(|reason| reason.class() == Some(class));
    of_class.map(|reason| reason.number().to_string()).collect::<Vec<_>>().join(", ")
}

fn skipped(connection: &Connection, most: usize) -> rusqlite::Result<ExceptionList> {
    let first = others(connection, NameClass::Skipped, most)?;
    let sql = format!(
        "SELECT count(*) FROM source_other WHERE reason IN ({}) AND kind IS NOT -1",
        numbers(NameClass::Skipped)
    );
    let count = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(list(first, count, most))
}

fn unreadable(connection: &Connection, most: usize) -> rusqlite::Result<ExceptionList> {
    let mut query = connection.prepare("SELECT side, path FROM unreadable ORDER BY path LIMIT ?1")?;
    let mut rows = query.query([limit(most)])?;
    let mut first = Vec::new();
    while let Some(row) = rows.next()? {
        let (side, reason) = match row.get("side")? {
            Unknown::UnreadableSource => (Side::Source, "unreadable"),
            Unknown::UnreadableSink => (Side::Sink, "unreadable"),
            Unknown::AmbiguousName => (Side::Sink, "name-collision"),
            Unknown::LostSourceMount => (Side::Source, "lost-mount"),
            Unknown::LostSinkMount => (Side::Sink, "lost-mount"),
        };
        first.push(Exception {
            path: bytes(row, "path")?,
            kind: None,
            size_bytes: None,
            side: Some(side),
            reason: reason.to_owned(),
            error: None,
        });
    }
    let count = connection.query_row("SELECT count(*) FROM unreadable", [], |row| row.get(0))?;
    Ok(list(first, count, most))
}
