//! Files with long holes: set aside when a lane finds one, and taken one at a time.

use rusqlite::params;

use crate::error::Result;
use crate::journal::backlog::pending::{BLOCKED, Pending, columns, pending};
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::value::signed;

/// The turn of a file that was set aside: in no pass, but it still carries the content of its other names.
pub(in crate::journal) const SET_ASIDE: u32 = BLOCKED - 1;
/// The turn of one that was taken, until its row is recorded.
const TAKEN: u32 = BLOCKED - 2;

impl Journal {
    /// Takes the smallest file that was set aside, of up to `max_bytes`.
    pub(crate) async fn take_long_holes(&self, max_bytes: u64) -> Result<Option<Pending>> {
        self.call_long(move |db| db.take_long_holes(max_bytes)).await
    }

    /// Whether any file is set aside.
    pub(crate) async fn has_long_holes(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM file WHERE status = 0 AND work = 0 AND turn = ?1 LIMIT 1";
        self.call(move |db| Ok(db.row(sql, [SET_ASIDE], |_| Ok(()))?.is_some())).await
    }

    /// Gives all names that wait for their file their turn in the first pass again.
    pub(crate) async fn restart_names(&self) -> Result<()> {
        let sql = "UPDATE file SET turn = 0 WHERE status = 0 AND work = 1 AND turn < ?1";
        self.call_long(move |db| db.execute(sql, [TAKEN]).map(drop)).await
    }
}

impl Db {
    fn take_long_holes(&self, max_bytes: u64) -> Result<Option<Pending>> {
        // The inner query reads nothing but the index of what is pending.
        let smallest = self.row(
            &format!(
                "SELECT {} FROM file JOIN dir ON dir.id = file.dir
                 WHERE (file.dir, file.name) = (
                     SELECT dir, name FROM file
                     WHERE status = 0 AND work = 0 AND turn = ?1 AND size <= ?2
                     ORDER BY size, dir, name LIMIT 1)",
                columns("file")
            ),
            params![SET_ASIDE, signed(max_bytes)],
            pending,
        )?;
        if let Some(pending) = &smallest {
            self.set_turn(&pending.key, TAKEN, None)?;
        }
        Ok(smallest)
    }
}
