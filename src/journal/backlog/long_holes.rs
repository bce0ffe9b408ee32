//! Files with long holes: a lane that finds one sets it aside; they are taken one at a time.

use rusqlite::params;

use crate::error::Result;
use crate::journal::backlog::pending::{MetadataOf, Pending, pending, select};
use crate::journal::handle::Journal;
use crate::journal::row::file::Attempt;
use crate::journal::store::db::Db;
use crate::journal::store::value::signed;

impl Journal {
    /// Takes the smallest file that was set aside and has at most `max_bytes`.
    pub(crate) async fn take_long_holes(&self, max_bytes: u64) -> Result<Option<Pending>> {
        self.call_long(move |db| db.take_long_holes(max_bytes)).await
    }

    /// Whether any file is set aside.
    pub(crate) async fn has_long_holes(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM file WHERE status = 0 AND work = 0 AND turn = ?1 LIMIT 1";
        self.call(move |db| db.exists(sql, [Attempt::SetAside])).await
    }

    /// Moves all names that wait for their file back to the first attempt.
    pub(crate) async fn restart_names(&self) -> Result<()> {
        let sql = "UPDATE file SET turn = 0 WHERE status = 0 AND work = 1 AND turn < ?1";
        self.call_long(move |db| db.execute(sql, [Attempt::Taken]).map(drop)).await
    }
}

impl Db {
    fn take_long_holes(&self, max_bytes: u64) -> Result<Option<Pending>> {
        // The inner query reads only the index of pending files.
        let smallest = self.row(
            &format!(
                "{} WHERE (file.dir, file.name) = (
                     SELECT dir, name FROM file
                     WHERE status = 0 AND work = 0 AND turn = ?1 AND size <= ?2
                     ORDER BY size, dir, name LIMIT 1)",
                select(MetadataOf::Row)
            ),
            params![Attempt::SetAside, signed(max_bytes)],
            pending,
        )?;
        if let Some(pending) = &smallest {
            self.set_attempt(&pending.key, Attempt::Taken, None)?;
        }
        Ok(smallest)
    }
}
