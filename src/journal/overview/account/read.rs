//! Reading the account: each row is counted once, in one transaction.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row};
use towpath_backend::Timestamp;

use super::classes::{Amount, NameClass};
use super::exceptions::{Covered, DIR_STATE, HAS_FAILED, NOT_LISTED, size_of};
use super::model::{Account, ExceptionList, SlowestFile};
use super::sums::Sums;
use crate::error::Result;
use crate::journal::overview::accepted::{history, in_force};
use crate::journal::overview::{connection, queries, verification};
use crate::journal::rates;
use crate::journal::row::not_copied::NotCopied;
use crate::journal::store::lock_holder::lock_holder;
use crate::journal::store::name_kind::NameKind;
use crate::journal::store::value::{bytes, number};

/// The most passes of verifications of an account.
const MAX_VERIFICATIONS: usize = 20;
/// The most runs of an account.
const MAX_RUNS: usize = 10_000;
/// The first version of the schema that has all columns of an account.
const WITH_REASONS: i32 = 7;
impl Account {
    /// Reads the database of a migration, with at most `exceptions` exceptions of each sort. `None`: there is no database
    /// yet. What is true of [`crate::Overview::read`] is true here, except that it takes longer. A database that was
    /// last used by an earlier version of Towpath has no account until the next run opens it. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>, exceptions: usize) -> Result<Option<Self>> {
        let read = connection::read(database.as_ref(), |connection| account(connection, exceptions))?;
        Ok(read.map(|(mut account, file)| {
            let recorded = account.overview.runs.first().and_then(|run| run.pid);
            account.overview.process = lock_holder(&file, recorded);
            account
        }))
    }
}

fn account(connection: &Connection, most: usize) -> rusqlite::Result<Account> {
    let schema: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let scan = connection
        .query_row("SELECT id, started, finished FROM scan ORDER BY id DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>("id")?, row.get("started")?, row.get::<_, Option<i64>>("finished")?))
        })
        .optional()?;
    let complete = scan.filter(|(.., finished)| finished.is_some() && schema >= WITH_REASONS);
    let mut account = Account {
        overview: queries::overview(connection, MAX_RUNS)?,
        samples: rates::samples(connection)?,
        names: None,
        failed: ExceptionList::default(),
        accepted: ExceptionList::default(),
        acceptances: history(connection)?,
        skipped: ExceptionList::default(),
        unreadable: ExceptionList::default(),
        verification: verification::overview(connection, MAX_VERIFICATIONS, most)?,
        verified: BTreeMap::new(),
        sizes: Vec::new(),
        slowest: if schema < WITH_REASONS { Vec::new() } else { slowest(connection)? },
    };
    let Some((scan, started, _)) = complete else { return Ok(account) };
    let exceptions = Covered { accepted: in_force(connection)?, most };
    let mut sums = Sums::default();
    sums.count_files(connection)?;
    sums.count_dirs(connection, scan)?;
    sums.count_others(connection)?;
    sums.count_scan(connection, scan)?;
    let (failed, accepted) = exceptions.failed(connection, scan, &mut sums)?;
    (account.failed, account.accepted) = (failed, accepted);
    account.skipped = exceptions.skipped(connection)?;
    account.unreadable = exceptions.unreadable(connection)?;
    account.verified = std::mem::take(&mut sums.verified);
    account.sizes = std::mem::take(&mut sums.sizes).ranges();
    account.names = Some(sums.reconciliation(Timestamp::from_ns(started)));
    Ok(account)
}

impl Sums {
    fn count_files(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT kind, size, status, listed_kind, listed_size, hash IS NOT NULL AS is_hashed, {HAS_FAILED} AS has_failed,
                 verify_class
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
                self.verified.entry(row.get(7)?).or_default().add(amount);
                if row.get(5)? {
                    self.names.with_checksum.add(amount);
                }
            } else if !row.get::<_, bool>(6)? {
                // What failed is counted with its path: it may be accepted.
                self.add_reason(NameClass::Pending, "pending", listed_kind, amount);
            }
        }
        Ok(())
    }

    fn count_dirs(&mut self, connection: &Connection, scan: i64) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT state, count(*) FROM (SELECT {DIR_STATE} AS state FROM dir WHERE source_scan = ?1 AND path <> '')
             WHERE state IS NULL OR state = 'pending' GROUP BY state"
        );
        let mut query = connection.prepare(&sql)?;
        let mut rows = query.query([scan])?;
        while let Some(row) = rows.next()? {
            let dirs = Amount::new(row.get::<_, i64>(1)?.unsigned_abs(), 0);
            match row.get::<_, Option<String>>(0)? {
                None => self.add(NameClass::Synced, NameKind::Dir, dirs),
                Some(_) => self.add_reason(NameClass::Pending, "pending", NameKind::Dir, dirs),
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
            let class = reason.class().filter(|class| kind != Some(NOT_LISTED) && *class != NameClass::Failed);
            if let Some(class) = class {
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
}

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
