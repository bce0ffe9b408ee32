//! What a transaction appends to the log: lines, linked, after a rotation if the log is full. Stored with the transaction,
//! so that they are completed if appending them is interrupted.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Row, params};

use crate::audit::{Batch, Chain, NamingLines, Rotation, closed_path, free_number};
use crate::error::Result;
use crate::event::{FilePaths, Side};
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, now_ns, number, optional_number, signed};
use crate::options::Options;

/// The part of a log that the lines of one transaction may fill: they are in one file, so a log is closed when the next
/// transaction does not fit.
const MAX_SHARE: u64 = 4;
/// Lines that are never many.
const SMALL_LINES_BYTES: usize = (Options::MIN_LOG_BYTES / MAX_SHARE) as usize;
/// Bytes of lines after which a transaction is committed even if jobs wait.
const MAX_LINES_BYTES: usize = 1 << 20;
/// What a link adds to a line: `,"previous":` and a hash in quotes.
const LINK_BYTES: u64 = 80;

/// Logs that were closed because they were full.
#[derive(Debug)]
pub(crate) struct ClosedLogs {
    pub(crate) paths: Vec<PathBuf>,
    /// The canonical path of the log.
    pub(crate) log: PathBuf,
    /// The lowest number that it can get.
    pub(crate) next_number: u64,
}

impl Journal {
    /// The hash of the last line of the log, if its lines are linked.
    pub(crate) async fn audit_chain_end(&self) -> Result<Option<String>> {
        self.call(|db| Ok(db.chain()?.and_then(|chain| chain.last().map(str::to_owned)))).await
    }

    /// The logs that runs have closed.
    pub(crate) async fn closed_logs(&self) -> Result<ClosedLogs> {
        self.call(|db| db.closed_logs()).await
    }
}

impl Db {
    /// Sets the size at which this and later writers rotate the log.
    pub(in crate::journal) fn set_max_log_bytes(&mut self, run: i64, max_log_bytes: Option<u64>) -> Result<()> {
        let sql = "UPDATE run SET max_log_bytes = ?2 WHERE id = ?1";
        self.execute(sql, params![run, max_log_bytes.map(signed)]).map(drop)
    }

    /// The size at which the log is rotated.
    fn max_log_bytes(&self) -> Result<Option<u64>> {
        let sql = "SELECT max_log_bytes FROM run ORDER BY id DESC LIMIT 1";
        self.row(sql, [], |row| optional_number(row, "max_log_bytes")).map(Option::flatten)
    }

    /// Whether the open transaction has so many lines that it is committed even if jobs wait.
    pub(in crate::journal) fn has_many_lines(&self) -> Result<bool> {
        let bytes = self.lines.len();
        if bytes <= SMALL_LINES_BYTES || bytes > MAX_LINES_BYTES {
            return Ok(bytes > MAX_LINES_BYTES);
        }
        Ok(self.max_log_bytes()?.is_some_and(|max_bytes| bytes as u64 > max_bytes / MAX_SHARE))
    }

    /// What the open transaction appends to the log, which has `length` bytes now. Records the end of the chain.
    pub(super) fn next_batch(&mut self, length: u64) -> Result<Batch> {
        let chain = self.chain()?;
        let (lines, end) = link(chain.as_ref(), &self.lines);
        let roots = FilePaths { source: self.root(Side::Source)?, dest: self.root(Side::Sink)? };
        let log = self.log.real_path().to_owned();
        let naming = NamingLines { roots: &roots, log: &log };
        let full_bytes = length + lines.len() as u64 + naming.closing_bytes() + LINK_BYTES;
        let is_full = self.max_log_bytes()?.is_some_and(|max_bytes| full_bytes > max_bytes);
        let (batch, end) = if is_full && length > 0 && self.log.can_rotate() {
            let number = self.close_log(&log)?;
            let (closing, end) = link(chain.as_ref(), &naming.closing(number));
            let (lines, end) = link(end.as_ref(), &[naming.first(number), std::mem::take(&mut self.lines)].concat());
            (Batch { length, lines, rotation: Some(Rotation { closed: closed_name(&log, number), closing }) }, end)
        } else {
            (Batch { length, lines, rotation: None }, end)
        };
        if let Some(end) = end {
            self.execute("UPDATE chain SET last = ?1", [end.last()])?;
        }
        Ok(batch)
    }

    /// Records that the log is closed; returns its number.
    fn close_log(&self, log: &Path) -> Result<u64> {
        let name = Name(log.as_os_str().as_bytes());
        let sql = "SELECT max(number) AS number FROM closed_log WHERE log = ?1";
        let last = self.row(sql, params![name], |row| optional_number(row, "number"))?.flatten();
        let number = free_number(log, last.unwrap_or(0) + 1);
        self.execute("INSERT INTO closed_log VALUES (?1, ?2, ?3)", params![name, signed(number), now_ns()])?;
        Ok(number)
    }

    /// The logs that were closed, with their numbers.
    pub(in crate::journal) fn closed_logs(&self) -> Result<ClosedLogs> {
        let sql = "SELECT log, number FROM closed_log LIMIT 1000000";
        let read = |row: &Row<'_>| Ok((path(&bytes(row, "log")?), number(row, "number")?));
        let closed = self.rows(sql, [], read)?;
        let log = self.log.real_path().to_owned();
        let last = closed.iter().filter(|(closed, _)| *closed == log).map(|(_, number)| *number).max();
        let next_number = free_number(&log, last.unwrap_or(0) + 1);
        Ok(ClosedLogs {
            paths: closed.iter().map(|(log, number)| closed_path(log, *number)).collect(),
            log,
            next_number,
        })
    }

    fn root(&self, side: Side) -> Result<Vec<u8>> {
        let root = self.row("SELECT root FROM tree WHERE side = ?1", [side], |row| bytes(row, "root"))?;
        Ok(root.unwrap_or_default())
    }

    /// Stores what the open transaction appends.
    pub(super) fn set_outbox(&self, batch: &Batch) -> Result<()> {
        let sql =
            "INSERT OR REPLACE INTO outbox(id, log_length, lines, closed_log, closing) VALUES (1, ?1, ?2, ?3, ?4)";
        let rotation = batch.rotation.as_ref();
        let closed = rotation.map(|rotation| Name(rotation.closed.as_bytes()));
        let closing = rotation.map(|rotation| &rotation.closing);
        self.execute(sql, params![signed(batch.length), batch.lines, closed, closing]).map(drop)
    }

    /// What the last transaction with lines appends.
    pub(super) fn outbox(&self) -> Result<Option<Batch>> {
        let read = |row: &Row<'_>| {
            let rotation = match row.get("closing")? {
                Some(closing) => Some(Rotation { closed: OsString::from_vec(bytes(row, "closed_log")?), closing }),
                None => None,
            };
            Ok(Batch { length: number(row, "log_length")?, lines: row.get("lines")?, rotation })
        };
        self.row("SELECT log_length, lines, closed_log, closing FROM outbox WHERE id = 1", [], read)
    }

    /// Prepares the log for this writer. The lines of a run that was interrupted while it appended them are completed;
    /// `is_run_active`: it still appends its lines itself.
    pub(in crate::journal) fn prepare_log(&mut self, is_run_active: bool) -> Result<()> {
        self.wait_for_writers()?;
        let prepared = match is_run_active {
            true => self.see_outbox(),
            false => self.complete_log(),
        };
        self.writer.release();
        prepared
    }

    /// Completes the lines of the outbox; then clears it.
    fn complete_log(&mut self) -> Result<()> {
        self.see_outbox()?;
        if let Some(batch) = self.outbox()? {
            self.log.complete_batch(&batch)?;
        }
        self.log.end_line()?;
        self.clear_outbox()
    }

    /// Empties the outbox, after making its lines durable in the log.
    pub(in crate::journal) fn clear_outbox(&mut self) -> Result<()> {
        self.complete_lines_of_others()?;
        self.log.complete_and_sync()?;
        // This need not be durable: if a power cut undoes it, the next run finds the lines in the log.
        self.execute("DELETE FROM outbox", []).map(drop)
    }

    /// Completes the lines of another writer that has committed since this one last saw the outbox: it may have ended
    /// before it appended them. It has completed those of this writer.
    pub(super) fn complete_lines_of_others(&mut self) -> Result<()> {
        let version = self.data_version()?;
        if self.outbox_seen != version {
            if let Some(batch) = self.outbox()? {
                self.log.complete_of_another(&batch)?;
            }
            self.log.forget_unfinished();
            self.outbox_seen = version;
        }
        Ok(())
    }

    fn see_outbox(&mut self) -> Result<()> {
        self.outbox_seen = self.data_version()?;
        Ok(())
    }

    /// What SQLite changes with each commit of another connection.
    fn data_version(&self) -> Result<Option<i64>> {
        self.row("PRAGMA data_version", [], |row| row.get(0))
    }
}

fn closed_name(log: &Path, number: u64) -> OsString {
    closed_path(log, number).file_name().unwrap_or_default().to_owned()
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Links whole lines, if there is a chain.
fn link(chain: Option<&Chain>, lines: &[u8]) -> (Vec<u8>, Option<Chain>) {
    let Some(chain) = chain else { return (lines.to_vec(), None) };
    let (linked, end) = chain.link(lines);
    (linked, Some(end))
}
