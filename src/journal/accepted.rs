//! Exceptions: recorded, ended and counted. They change nothing about what is sent or deleted, only what is reported:
//! an entry that is accepted is still not in sync.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::audit::{ExceptionLine, Line};
use crate::error::{FailureCode, Result};
use crate::event::FilePaths;
use crate::journal::handle::Journal;
use crate::journal::overview::{AcceptedEnd, accepted, errors};
use crate::journal::row::file::FileKey;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::cause_columns::Code;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, now_ns, path, subtree};
use crate::side::Side;
use crate::verify_result::VerifyClass;

/// An exception to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct NewException {
    pub(crate) path: RelPath,
    pub(crate) paths: FilePaths,
    pub(crate) reason: String,
    pub(crate) user: String,
    /// Why the entry is not in sync.
    pub(crate) code: Option<FailureCode>,
}

/// What is not in sync at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenErrors {
    /// Entries that exceptions cover.
    pub(crate) accepted: u64,
    /// All others.
    pub(crate) open: u64,
}

impl Journal {
    /// Records exceptions, in place of earlier ones for the same paths.
    pub(crate) async fn accept(&self, exceptions: Vec<NewException>) -> Result<()> {
        self.commit(move |db| exceptions.iter().try_for_each(|exception| db.accept(exception))).await
    }

    /// Ends the exceptions for these paths; returns for which there was one.
    pub(crate) async fn remove_accepted(&self, paths: Vec<(RelPath, FilePaths)>, by: String) -> Result<Vec<RelPath>> {
        self.commit(move |db| {
            let mut removed = Vec::new();
            for (path, paths) in paths {
                if db.end_accepted(&path, paths, AcceptedEnd::Removed, Some(&by))? {
                    removed.push(path);
                }
            }
            Ok(removed)
        })
        .await
    }

    /// Counts what is not in sync; `None`: there are no exceptions. `at_sink`: also what could not be read at the sink.
    pub(crate) async fn open_errors(&self, at_sink: bool) -> Result<Option<OpenErrors>> {
        self.call_long(move |db| db.open_errors(at_sink)).await
    }
}

impl Db {
    fn accept(&mut self, new: &NewException) -> Result<()> {
        self.execute(
            "INSERT INTO accepted(path, reason, accepted_at, user, code) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(path) WHERE ended IS NULL DO UPDATE SET reason = excluded.reason,
                 accepted_at = excluded.accepted_at, user = excluded.user, code = excluded.code",
            params![Name::of(&new.path), new.reason, now_ns(), new.user, new.code.map(Code)],
        )?;
        let exception = ExceptionLine { reason: new.reason.clone(), user: new.user.clone() };
        let error = new.code.map(|code| code.name().to_owned());
        self.add_lines([&Line { error, exception: Some(exception), ..Line::now("accepted", new.paths.clone()) }]);
        Ok(())
    }

    /// Whether any exception is in force.
    pub(in crate::journal) fn has_accepted(&self) -> Result<bool> {
        self.exists("SELECT 1 FROM accepted WHERE ended IS NULL LIMIT 1", [])
    }

    /// Ends the exception of a file that is in sync now, or gone from the source.
    pub(in crate::journal) fn settle_accepted_file(&mut self, key: &FileKey, paths: FilePaths) -> Result<()> {
        let path = self.entry_path(key.dir, &key.name)?;
        self.end_accepted(&path, paths, AcceptedEnd::Settled, None).map(drop)
    }

    /// Ends the exceptions that cover nothing any more.
    pub(in crate::journal) fn settle_accepted(&mut self) -> Result<()> {
        let accepted = self.rows("SELECT path FROM accepted WHERE ended IS NULL", [], |row| path(row, "path"))?;
        if accepted.is_empty() {
            return Ok(());
        }
        let roots = self.rows("SELECT root FROM tree ORDER BY side", [], |row| bytes(row, "root"))?;
        let [source, sink] = &roots[..] else { return Ok(()) };
        for path in accepted {
            if !self.is_out_of_sync(&path)? {
                let paths = FilePaths { source: path.under(source), dest: path.under(sink) };
                self.end_accepted(&path, paths, AcceptedEnd::Settled, None)?;
            }
        }
        Ok(())
    }

    /// Ends an exception; returns whether there was one.
    fn end_accepted(&mut self, path: &RelPath, paths: FilePaths, end: AcceptedEnd, by: Option<&str>) -> Result<bool> {
        let sql = "UPDATE accepted SET ended = ?2, end_reason = ?3 WHERE path = ?1 AND ended IS NULL
             RETURNING reason, user";
        let values = params![Name::of(path), now_ns(), end.name()];
        let ended =
            self.row(sql, values, |row| Ok((row.get::<_, String>("reason")?, row.get::<_, String>("user")?)))?;
        let Some((reason, user)) = ended else { return Ok(false) };
        let exception = ExceptionLine { reason, user: by.map_or(user, str::to_owned) };
        let line = Line::now("exception-ended", paths);
        self.add_lines([&Line { error: Some(end.name().to_owned()), exception: Some(exception), ..line }]);
        Ok(true)
    }

    /// Whether an entry, or anything below it, is not in sync.
    fn is_out_of_sync(&self, path: &RelPath) -> Result<bool> {
        let (parent, name) = Name::split(path);
        let (first, end) = subtree(path);
        let below = "(path = ?1 OR (path >= ?2 AND path < ?3)
             OR (path >= CAST(?2 AS BLOB) AND path < CAST(?3 AS BLOB)))";
        let own = "SELECT 1 FROM file WHERE dir = (SELECT id FROM dir WHERE path = ?1) AND name = ?2
             AND (status = 0 OR verify_class >= ?3)";
        if self.exists(own, params![parent, name, VerifyClass::Differs])? {
            return Ok(true);
        }
        let sql = format!("SELECT 1 FROM unreadable WHERE {below} AND side <> ?4 LIMIT 1");
        if self.exists(&sql, params![Name::of(path), Name(&first), Name(&end), Unknown::AmbiguousName])? {
            return Ok(true);
        }
        for sql in [
            format!("SELECT 1 FROM incomplete WHERE {below} LIMIT 1"),
            format!("SELECT 1 FROM dir WHERE {below} AND (missing <> 0 OR settle <> 0 OR problem IS NOT NULL) LIMIT 1"),
            format!("SELECT 1 FROM file WHERE dir IN (SELECT id FROM dir WHERE {below}) AND status = 0 LIMIT 1"),
        ] {
            if self.exists(&sql, params![Name::of(path), Name(&first), Name(&end)])? {
                return Ok(true);
            }
        }
        let sql = format!(
            "SELECT 1 FROM file WHERE verify_class >= 2 AND verify_class >= ?4
                 AND dir IN (SELECT id FROM dir WHERE {below}) LIMIT 1"
        );
        self.exists(&sql, params![Name::of(path), Name(&first), Name(&end), VerifyClass::Differs])
    }

    fn open_errors(&self, at_sink: bool) -> Result<Option<OpenErrors>> {
        if !self.has_accepted()? {
            return Ok(None);
        }
        let mut errors = OpenErrors { accepted: 0, open: 0 };
        let mut count = || {
            let accepted = accepted::in_force(&self.connection)?;
            errors::for_each(&self.connection, |_, error| {
                let is_unread_at_sink = error.is_unreadable() && error.side == Some(Side::Sink);
                match accepted.covering(&error.path) {
                    _ if is_unread_at_sink && !at_sink => {}
                    // A verification reports these, and no run.
                    _ if FailureCode::OF_COPIES.contains(&error.code) => {}
                    Some(_) => errors.accepted += 1,
                    None => errors.open += 1,
                }
                Ok(())
            })
        };
        count().map_err(|error| self.error(error))?;
        Ok(Some(errors))
    }
}
