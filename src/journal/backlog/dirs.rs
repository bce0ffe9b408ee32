//! Directories that wait to be made, or to get their times.

use towpath_backend::{Attributes, RelPath, Times};

use crate::error::Result;
use crate::journal::backlog::pending::owner;
use crate::journal::handle::Journal;
use crate::journal::row::kept::Kept;
use crate::journal::store::value::{Name, optional_path, optional_time, path, signed};

/// A directory that the sink lacks, or whose times it is to get.
#[derive(Clone, Debug)]
pub(crate) struct PendingDir {
    pub(crate) id: i64,
    pub(crate) path: RelPath,
    /// Where the source has it: elsewhere, if a link leads there.
    pub(crate) read_path: RelPath,
    /// The source's; `None` if they are not known.
    pub(crate) times: Option<Times>,
    /// Permissions and owner, as the source has them.
    pub(crate) attributes: Attributes,
    /// What the sink has instead of these, as far as it did not keep them before.
    pub(crate) kept: Kept,
}

/// What a directory waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DirWork {
    /// To be made.
    Create,
    /// To get its times, once its content is there.
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
    /// Up to `limit` directories that wait for `work`, behind the one with id `after`.
    pub(crate) async fn pending_dirs(&self, work: DirWork, after: i64, limit: usize) -> Result<Vec<PendingDir>> {
        let column = work.column();
        self.call(move |db| {
            db.rows(
                &format!(
                    "SELECT id, path, modified, accessed, real, permissions, user, grp,
                         kept_modified, kept_permissions, kept_user, kept_grp FROM dir
                     WHERE {column} = 1 AND id > ?1 ORDER BY id LIMIT ?2"
                ),
                [after, signed(limit as u64)],
                |row| {
                    let modified = optional_time(row, 2)?;
                    let accessed = optional_time(row, 3)?;
                    let path = path(row, 1)?;
                    Ok(PendingDir {
                        id: row.get(0)?,
                        read_path: optional_path(row, 4)?.unwrap_or_else(|| path.clone()),
                        path,
                        times: modified.map(|modified| Times { modified, accessed }),
                        attributes: Attributes {
                            permissions: row.get(5)?,
                            owner: owner(row.get(6)?, row.get(7)?),
                            ..Attributes::default()
                        },
                        kept: Kept::from_row(row, 8)?,
                    })
                },
            )
        })
        .await
    }

    /// The permissions of a directory in the source; `None` where that does not tell any. Of one
    /// that is not known, only its owner has any.
    pub(crate) async fn dir_permissions(&self, dir: RelPath) -> Result<Option<u32>> {
        self.call(move |db| {
            let sql = "SELECT permissions FROM dir WHERE path = ?1 AND modified IS NOT NULL";
            Ok(db.row(sql, [Name(dir.as_bytes())], |row| row.get(0))?.unwrap_or(Some(0o700)))
        })
        .await
    }

    /// Records directories for which `work` is done, with what the sink kept of them, and those
    /// for which it failed.
    pub(crate) async fn dirs_done(&self, work: DirWork, done: Vec<(i64, Kept)>, failed: Vec<i64>) -> Result<()> {
        let sql = format!("UPDATE dir SET {} = ?2 WHERE id = ?1", work.column());
        self.commit(move |db| {
            for (id, kept) in done {
                db.execute(&sql, [id, 0])?;
                if matches!(work, DirWork::Finalize) {
                    db.set_kept_of_dir(id, kept)?;
                }
            }
            for id in failed {
                db.execute(&sql, [id, 2])?;
            }
            Ok(())
        })
        .await
    }
}
