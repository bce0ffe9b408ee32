//! What the sink has and the source does not, and what must not be touched of it.

use rusqlite::params;
use towpath_backend::{Kind, Metadata, RelPath, Timestamp};

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::scan::listing::{FILE, bits};
use crate::journal::scan::mounts::foreign_device;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, optional_path, optional_time, path, signed, time, unsigned};

/// Something at the sink that the source does not have, as the scan saw it.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    pub(crate) path: RelPath,
    /// As the sink showed it to the scan; of a directory only the kind counts.
    pub(crate) metadata: Metadata,
}

/// Extra files of some directories.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) extras: Vec<Extra>,
    /// Those that lie where nothing may be deleted.
    pub(crate) protected: u64,
    /// Where the next ones begin; `None`: there are no more.
    pub(crate) next: Option<ExtraKey>,
}

/// Where a page of extra files ends.
#[derive(Clone, Debug)]
pub(crate) struct ExtraKey {
    dir: i64,
    name: Vec<u8>,
}

impl ExtraKey {
    /// Before all of them.
    pub(crate) fn first() -> Self {
        Self { dir: -1, name: Vec::new() }
    }
}

/// How many extra files and directories there are, apart from protected ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtraCounts {
    pub(crate) files: u64,
    pub(crate) dirs: u64,
}

/// Why nothing is deleted below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// An option says so: no word of it is needed.
    Asked,
    /// To be safe: the source could not be read nearby, or another file system is mounted there.
    Precaution,
}

/// A directory of the source as the scan saw it.
#[derive(Clone, Debug)]
pub(crate) struct SeenDir {
    /// Where the source has it: elsewhere, if a link leads there.
    pub(crate) read_path: RelPath,
    pub(crate) path: RelPath,
    inode: Option<i64>,
    foreign_device: Option<i64>,
    born: Option<Timestamp>,
}

impl SeenDir {
    /// Whether it lay on another mount than the root of its tree.
    pub(crate) fn is_on_other_mount(&self) -> bool {
        self.foreign_device.is_some_and(|device| device != 0)
    }

    /// Whether a directory that is there now, in a tree with this root, is this one. Roots of file systems have the same numbers
    /// everywhere, and devices get theirs again: when it came into being tells more.
    pub(crate) fn is(&self, now: &Metadata, root: &Metadata) -> bool {
        let born = now.created;
        // Numbers of mounts and of their devices change; that there is one does not.
        let is_foreign = foreign_device(now, Some(root)).map(|device| device != 0);
        now.id.map(|id| bits(id.inode)) == self.inode
            && is_foreign == self.foreign_device.map(|device| device != 0)
            && (self.born.is_none() || born == self.born)
    }
}

/// A file at the sink that has no row, no name that is left out, and no
/// directory of the source under its name.
const EXTRA_FILES: &str = "
    FROM sink_entry AS entry JOIN dir ON dir.id = entry.dir
    WHERE entry.kind IN (0, 1)
        AND NOT EXISTS (SELECT 1 FROM file WHERE file.dir = entry.dir AND file.name = entry.name)
        AND NOT EXISTS (SELECT 1 FROM source_other AS other WHERE other.dir = entry.dir AND other.name = entry.name)
        AND NOT EXISTS (
            SELECT 1 FROM dir AS twin
            WHERE twin.source_scan = (SELECT max(id) FROM scan)
                AND twin.path = CASE
                    WHEN dir.path = '' THEN entry.name
                    WHEN typeof(dir.path) = 'blob' OR typeof(entry.name) = 'blob'
                        THEN CAST(dir.path || '/' || entry.name AS BLOB)
                    ELSE dir.path || '/' || entry.name END)";

const EXTRA_DIRS: &str = "
    FROM dir
    WHERE sink_scan = (SELECT max(id) FROM scan) AND source_scan IS NOT (SELECT max(id) FROM scan) AND path <> ''";

/// Rows looked at in one step.
const PAGE: usize = 1000;

impl Journal {
    /// Begins to look for extras: what lies below a directory of the source that
    /// could not be read, or beside a file that could not, is protected. So is what
    /// lies below one of another file system, if such were not entered, and at the
    /// sink unless extras are deleted from `other_file_systems` too.
    pub(crate) async fn begin_extras(&self, one_file_system: bool, other_file_systems: bool) -> Result<()> {
        self.commit_long(move |db| {
            db.execute("DELETE FROM protected", [])?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, 1 FROM dir
                 WHERE ?1 AND foreign_device <> 0 AND source_scan = (SELECT max(id) FROM scan)",
                [one_file_system],
            )?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, ?1 FROM dir
                 WHERE (?1 OR NOT ?2) AND sink_foreign_device <> 0 AND sink_scan = (SELECT max(id) FROM scan)",
                [one_file_system, other_file_systems],
            )?;
            db.execute("INSERT OR IGNORE INTO protected SELECT path, 0 FROM unreadable WHERE side IN (0, 2, 3)", [])?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, 0 FROM dir
                 WHERE id IN (SELECT dir FROM file WHERE failed = 0)",
                [],
            )
            .map(drop)
        })
        .await
    }

    /// Protects everything below `dir` from now on.
    pub(crate) async fn protect(&self, dir: RelPath) -> Result<()> {
        self.call(move |db| {
            db.execute("INSERT OR IGNORE INTO protected VALUES (?1, 0)", [Name(dir.as_bytes())]).map(drop)
        })
        .await
    }

    /// Whether nothing below `dir` may be deleted, and why.
    pub(crate) async fn protection(&self, dir: RelPath) -> Result<Option<Protection>> {
        self.call(move |db| db.protection(&dir)).await
    }

    /// Counts the extra files and links that lie on other file systems mounted inside the sink.
    pub(crate) async fn count_foreign_extras(&self) -> Result<u64> {
        self.call_long(|db| {
            let sql = format!("SELECT count(*) {EXTRA_FILES} AND dir.sink_foreign_device <> 0");
            db.row(&sql, [], |row| row.get(0).map(unsigned)).map(Option::unwrap_or_default)
        })
        .await
    }

    /// Counts the extras that are not protected.
    pub(crate) async fn count_extras(&self) -> Result<ExtraCounts> {
        let mut counts = ExtraCounts::default();
        let mut next = Some(ExtraKey::first());
        while let Some(after) = next {
            let page = self.extra_files(after, PAGE).await?;
            counts.files += page.extras.len() as u64;
            next = page.next;
        }
        let mut before = None;
        loop {
            let page = self.extra_dirs(before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(counts) };
            before = Some(last.clone());
            for dir in page {
                counts.dirs += u64::from(self.protection(dir).await?.is_none());
            }
        }
    }

    /// A page of extra files and links behind `after`, apart from protected ones.
    pub(crate) async fn extra_files(&self, after: ExtraKey, limit: usize) -> Result<Extras> {
        self.call(move |db| db.extra_files(&after, limit)).await
    }

    /// A page of extra directories before `before`, each before the one that it is in.
    pub(crate) async fn extra_dirs(&self, before: Option<RelPath>, limit: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            let limit = signed(limit as u64);
            match before {
                None => db.rows(&format!("SELECT path {EXTRA_DIRS} ORDER BY path DESC LIMIT ?1"), [limit], |row| {
                    path(row, 0)
                }),
                Some(before) => db.rows(
                    &format!("SELECT path {EXTRA_DIRS} AND path < ?1 ORDER BY path DESC LIMIT ?2"),
                    params![Name(before.as_bytes()), limit],
                    |row| path(row, 0),
                ),
            }
        })
        .await
    }

    /// The directory of the source, as the scan saw it, that holds `path` or the nearest above it.
    pub(crate) async fn nearest_seen_dir(&self, at: RelPath) -> Result<Option<SeenDir>> {
        self.call(move |db| {
            let mut dir = at.parent();
            while let Some(at) = dir {
                let seen = db.row(
                    "SELECT real, inode, foreign_device, born FROM dir
                     WHERE path = ?1 AND source_scan = (SELECT max(id) FROM scan)",
                    [Name(at.as_bytes())],
                    |row| Ok((optional_path(row, 0)?, row.get(1)?, row.get(2)?, optional_time(row, 3)?)),
                )?;
                if let Some((real, inode, foreign_device, born)) = seen {
                    let read_path = real.unwrap_or_else(|| at.clone());
                    return Ok(Some(SeenDir { read_path, path: at, inode, foreign_device, born }));
                }
                dir = at.parent();
            }
            Ok(None)
        })
        .await
    }

    /// Up to `limit` unfinished files of an earlier run; forgets them.
    pub(crate) async fn take_leftovers(&self, limit: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            let paths = db.rows("SELECT path FROM leftover LIMIT ?1", [signed(limit as u64)], |row| path(row, 0))?;
            for path in &paths {
                db.execute("DELETE FROM leftover WHERE path = ?1", [Name(path.as_bytes())])?;
            }
            Ok(paths)
        })
        .await
    }
}

impl Db {
    /// Whether `dir` or a directory above it is protected.
    fn protection(&self, dir: &RelPath) -> Result<Option<Protection>> {
        let mut at = Some(dir.clone());
        while let Some(dir) = at {
            let protection =
                self.row("SELECT asked FROM protected WHERE path = ?1", [Name(dir.as_bytes())], |row| {
                    Ok(if row.get(0)? { Protection::Asked } else { Protection::Precaution })
                })?;
            if protection.is_some() {
                return Ok(protection);
            }
            at = dir.parent();
        }
        Ok(None)
    }

    fn extra_files(&self, after: &ExtraKey, limit: usize) -> Result<Extras> {
        let rows = self.rows(
            &format!(
                "SELECT entry.dir, entry.name, dir.path, entry.kind, entry.size, entry.modified {EXTRA_FILES}
                 AND (entry.dir, entry.name) > (?1, ?2) ORDER BY entry.dir, entry.name LIMIT ?3"
            ),
            params![after.dir, Name(&after.name), signed(limit as u64)],
            |row| {
                let key = ExtraKey { dir: row.get(0)?, name: bytes(row, 1)? };
                let kind = if row.get::<_, i64>(3)? == FILE { Kind::File } else { Kind::Symlink };
                let metadata = Metadata::new(kind, unsigned(row.get(4)?), time(row, 5)?);
                Ok((key, path(row, 2)?, metadata))
            },
        )?;
        let mut page = Extras { next: rows.last().map(|(key, ..)| key.clone()), ..Extras::default() };
        let mut last: Option<(i64, Option<Protection>)> = None;
        for (key, dir, metadata) in rows {
            let protection = match last {
                Some((id, protection)) if id == key.dir => protection,
                _ => self.protection(&dir)?,
            };
            last = Some((key.dir, protection));
            if let Some(protection) = protection {
                page.protected += u64::from(protection == Protection::Precaution);
            } else if let Ok(path) = dir.join(&key.name) {
                page.extras.push(Extra { path, metadata });
            }
        }
        Ok(page)
    }
}
