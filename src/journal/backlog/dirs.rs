//! Directories that are pending: to be created or finalized.

use rusqlite::params;
use towpath_backend::{Attributes, RelPath, Times};

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::cause::Cause;
use crate::journal::row::detail::Sent;
use crate::journal::row::dir::DirState;
use crate::journal::row::kept::{Kept, KeptColumns, SET_KEPT_ATTRIBUTES};
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, limit, optional_path, optional_time, owner, path};

/// A directory that is pending: to be created at the sink, or to be finalized.
#[derive(Clone, Debug)]
pub(crate) struct PendingDir {
    pub(crate) id: i64,
    pub(crate) path: RelPath,
    /// Where it is read: another path of the source if it is reached through a symlink.
    pub(crate) read_path: RelPath,
    /// The source's times; `None` if they are unknown.
    pub(crate) times: Option<Times>,
    /// Permissions and owner, as the source has them.
    pub(crate) attributes: Attributes,
    /// The values that the sink had instead of these when they were last applied.
    pub(crate) kept: Kept,
}

/// The work of a pending directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirWork {
    /// Create it.
    Create,
    /// Apply its times and attributes, after its content is complete.
    Finalize,
}

impl DirWork {
    fn column(self) -> &'static str {
        match self {
            Self::Create => "missing",
            Self::Finalize => "settle",
        }
    }
}

impl Journal {
    /// Up to `rows` directories with pending `work`, after the one with the id `after`.
    pub(crate) async fn pending_dirs(&self, work: DirWork, after: i64, rows: usize) -> Result<Vec<PendingDir>> {
        let column = work.column();
        self.call(move |db| {
            db.rows(
                &format!(
                    "SELECT id, path, modified, accessed, real, permissions, user, grp,
                         kept_modified, kept_permissions, kept_user, kept_grp, kept_xattrs, NULL AS kept_target FROM dir
                     WHERE {column} = 1 AND id > ?1 ORDER BY id LIMIT ?2"
                ),
                [after, limit(rows)],
                |row| {
                    let (path, accessed) = (path(row, "path")?, optional_time(row, "accessed")?);
                    Ok(PendingDir {
                        id: row.get("id")?,
                        read_path: optional_path(row, "real")?.unwrap_or_else(|| path.clone()),
                        path,
                        times: optional_time(row, "modified")?.map(|modified| Times { modified, accessed }),
                        attributes: Attributes {
                            permissions: row.get("permissions")?,
                            owner: owner(row, "user", "grp")?,
                            ..Attributes::default()
                        },
                        kept: Kept::from_row(row)?,
                    })
                },
            )
        })
        .await
    }

    /// The permissions of a directory in the source; `None` where that reports none. A directory
    /// that is not recorded is assumed to be private.
    pub(crate) async fn dir_permissions(&self, dir: RelPath) -> Result<Option<u32>> {
        self.call(move |db| {
            let sql = "SELECT permissions FROM dir WHERE path = ?1 AND modified IS NOT NULL";
            Ok(db.row(sql, [Name::of(&dir)], |row| row.get("permissions"))?.unwrap_or(Some(0o700)))
        })
        .await
    }

    /// Records the directories for which `work` is done, with what was sent and what the sink kept, and the directories
    /// for which it failed, with the causes.
    pub(crate) async fn dirs_done(
        &self,
        work: DirWork,
        done: Vec<(i64, Sent, Kept)>,
        failed: Vec<(i64, Cause)>,
    ) -> Result<()> {
        let sql = format!("UPDATE dir SET {} = ?2 WHERE id = ?1", work.column());
        self.commit(move |db| {
            for (id, sent, kept) in done {
                db.execute(&sql, params![id, DirState::Done])?;
                let sql = "UPDATE dir SET error = NULL, error_code = NULL, error_side = NULL
                     WHERE id = ?1 AND error_code IS NOT NULL AND missing = ?2 AND settle = ?2 AND problem IS NULL";
                db.execute(sql, params![id, DirState::Done])?;
                if work == DirWork::Finalize {
                    db.set_kept_of_dir(id, &sent, &kept)?;
                }
            }
            for (id, cause) in failed {
                db.execute(&sql, params![id, DirState::Failed])?;
                db.set_cause_of_dir(id, &cause)?;
            }
            Ok(())
        })
        .await
    }
}

impl Db {
    /// Makes directories pending again whose creation or finalization failed in the last run.
    pub(in crate::journal) fn retry_dirs(&self) -> Result<()> {
        self.execute("UPDATE dir SET missing = 1 WHERE missing = 2", [])?;
        self.execute("UPDATE dir SET settle = 1 WHERE settle = 2", []).map(drop)
    }

    /// Makes `dir` pending to be finalized: a change inside it changed its mtime at the sink.
    pub(in crate::journal) fn finalize_again(&self, dir: Name<'_>) -> Result<()> {
        self.execute("UPDATE dir SET settle = 1 WHERE path = ?1 AND modified IS NOT NULL", [dir]).map(drop)
    }

    /// Records which attributes of a directory the sink did not keep.
    fn set_kept_of_dir(&self, id: i64, sent: &Sent, kept: &Kept) -> Result<()> {
        let columns = KeptColumns::of(kept);
        let values =
            [&columns.attributes()[..], &[columns.modified(), (":id", &id), (":xattrs", &sent.xattrs)]].concat();
        let sql = format!(
            "UPDATE dir SET kept_modified = :kept_modified, {SET_KEPT_ATTRIBUTES}, xattrs = coalesce(:xattrs, xattrs)
             WHERE id = :id"
        );
        self.execute(&sql, &values[..]).map(drop)
    }
}
