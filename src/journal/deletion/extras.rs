//! Extras: entries that the sink has and the source does not.

use rusqlite::{named_params, params};
use towpath_backend::{Metadata, RelPath};

use crate::error::Result;
use crate::journal::deletion::protection::Protection;
use crate::journal::handle::Journal;
use crate::journal::row::file::{EntryKind, FileKey};
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, limit, number, path, path_in, time};

/// An entry of the sink that the source does not have, as the scan saw it.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    pub(crate) path: RelPath,
    /// Its metadata at the scan; of a directory only the kind is used.
    pub(crate) metadata: Metadata,
}

/// A page of extra files.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) extras: Vec<Extra>,
    /// The number of further extras, which are protected as a precaution.
    pub(crate) protected: u64,
    /// Where the next page begins; `None`: this is the last page.
    pub(crate) next: Option<ExtraKey>,
}

/// The position of an extra file.
#[derive(Clone, Debug)]
pub(crate) struct ExtraKey(FileKey);

impl ExtraKey {
    /// A position before the first extra.
    pub(crate) fn first() -> Self {
        Self(FileKey::first())
    }
}

/// The number of extra files and directories, except protected ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtraCounts {
    pub(crate) files: u64,
    pub(crate) dirs: u64,
}

/// Files of the sink whose name is neither a row, nor a name that is not copied, nor a
/// directory of the source.
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

/// Rows per page.
const PAGE: usize = 1000;

impl Journal {
    /// Counts the extra files and symlinks on other file systems mounted inside the sink.
    pub(crate) async fn count_foreign_extras(&self) -> Result<u64> {
        self.call_long(|db| {
            let sql = format!("SELECT count(*) AS files {EXTRA_FILES} AND dir.sink_foreign_device <> 0");
            db.row(&sql, [], |row| number(row, "files")).map(Option::unwrap_or_default)
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

    /// A page of up to `rows` extra files and symlinks after `after`, except protected ones.
    pub(crate) async fn extra_files(&self, after: ExtraKey, rows: usize) -> Result<Extras> {
        self.call(move |db| db.extra_files(&after.0, rows)).await
    }

    /// A page of extra directories before `before`, each before its parent directory.
    pub(crate) async fn extra_dirs(&self, before: Option<RelPath>, dirs: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            let (before, rows) = (before.as_ref().map(Name::of), limit(dirs));
            match before {
                None => {
                    let sql = format!("SELECT path {EXTRA_DIRS} ORDER BY path DESC LIMIT ?1");
                    db.rows(&sql, [rows], |row| path(row, "path"))
                }
                Some(before) => {
                    let sql = format!("SELECT path {EXTRA_DIRS} AND path < ?1 ORDER BY path DESC LIMIT ?2");
                    db.rows(&sql, params![before, rows], |row| path(row, "path"))
                }
            }
        })
        .await
    }

    /// Takes up to `files` partial files of earlier runs from the list.
    pub(crate) async fn take_leftovers(&self, files: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            let paths = db.rows("SELECT path FROM leftover LIMIT ?1", [limit(files)], |row| path(row, "path"))?;
            for path in &paths {
                db.execute("DELETE FROM leftover WHERE path = ?1", [Name::of(path)])?;
            }
            Ok(paths)
        })
        .await
    }
}

impl Db {
    fn extra_files(&self, after: &FileKey, rows: usize) -> Result<Extras> {
        let found = self.rows(
            &format!(
                "SELECT entry.dir AS dir, entry.name AS name, dir.path AS dir_path, entry.kind AS kind,
                     entry.size AS size, entry.modified AS modified {EXTRA_FILES}
                 AND (entry.dir, entry.name) > (:dir, :name) ORDER BY entry.dir, entry.name LIMIT :limit"
            ),
            named_params! { ":dir": after.dir, ":name": Name(&after.name), ":limit": limit(rows) },
            |row| {
                let key = FileKey { dir: row.get("dir")?, name: bytes(row, "name")? };
                let kind = row.get::<_, EntryKind>("kind")?.into();
                let metadata = Metadata::new(kind, number(row, "size")?, time(row, "modified")?);
                let extra = Extra { path: path_in(row, "dir_path", "name")?, metadata };
                Ok((key, path(row, "dir_path")?, extra))
            },
        )?;
        let mut page = Extras { next: found.last().map(|(key, ..)| ExtraKey(key.clone())), ..Extras::default() };
        let mut last: Option<(i64, Option<Protection>)> = None;
        for (key, dir, extra) in found {
            let protection = match last {
                Some((id, protection)) if id == key.dir => protection,
                _ => self.protection(&dir)?,
            };
            last = Some((key.dir, protection));
            match protection {
                Some(protection) => page.protected += u64::from(protection == Protection::Precaution),
                None => page.extras.push(extra),
            }
        }
        Ok(page)
    }
}
