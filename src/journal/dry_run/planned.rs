//! What a run would do, and why: read from the rows after a scan, for a dry run.

use rusqlite::params;
use towpath_backend::{NameRules, RelPath};

use crate::error::Result;
use crate::journal::backlog::pending::{FileKey, join};
use crate::journal::handle::Journal;
use crate::journal::scan::finish::tolerance;
use crate::journal::scan::listing::OTHER;
use crate::journal::scan::names::IMPOSSIBLE;
use crate::journal::store::value::{Name, bytes, path, signed, unsigned};

/// A file that would be worked on.
#[derive(Debug)]
pub(crate) struct PlannedFile {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    pub(crate) size_bytes: u64,
    pub(crate) what: PlannedWork,
    pub(crate) reason: String,
    /// What goes to make room for it.
    pub(crate) conflict: Option<ConflictingEntry>,
}

/// What is in the place of a file at the sink, and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictingEntry {
    /// A file of this size, or a link.
    File(u64),
    /// A directory: empty, or emptied before.
    Dir,
}

/// What would be done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedWork {
    Send,
    Link,
    Attributes,
    /// Nothing: it would fail.
    Fail,
}

impl Journal {
    /// How many pending files differ from the sink's by less than a second in their mtime alone; 0 if others
    /// that it has differ in another way.
    pub(crate) async fn files_with_whole_seconds(&self) -> Result<u64> {
        self.call_long(|db| {
            if db.row("SELECT 1 FROM sink_entry LIMIT 1", [], |_| Ok(()))?.is_none() {
                return Ok(0);
            }
            let counts = db.row(
                "SELECT count(*), count(*) FILTER (WHERE there.kind = file.kind
                     AND there.size = coalesce(kept_size, file.size)
                     AND there.modified - file.modified BETWEEN -999999999 AND 999999999
                     AND there.modified % 1000000000 = 0)
                 FROM file CROSS JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name
                 WHERE status = 0 AND work = 0 AND suspect = 0",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )?;
            Ok(counts.filter(|(all, near)| all == near).map_or(0, |(_, near)| unsigned(near)))
        })
        .await
    }

    /// The size of the file or link of the sink in whose place a directory is to be.
    pub(crate) async fn file_in_place_of(&self, dir: RelPath) -> Result<Option<u64>> {
        self.call(move |db| {
            let parent = dir.parent().unwrap_or_else(RelPath::root);
            let name = Name(dir.name().unwrap_or_default());
            let sql = "SELECT size FROM sink_entry WHERE dir = (SELECT id FROM dir WHERE path = ?1) AND name = ?2
                 AND kind IN (0, 1)";
            db.row(sql, params![Name(parent.as_bytes()), name], |row| row.get(0).map(unsigned))
        })
        .await
    }

    /// Up to `limit` pending files behind `after`, with the reason for each. A full
    /// directory in a file's place goes with a `mirror` only.
    pub(crate) async fn planned_files(
        &self,
        after: FileKey,
        limit: usize,
        mirror: bool,
        tolerance_ns: Option<u64>,
        names: NameRules,
    ) -> Result<Vec<PlannedFile>> {
        self.call(move |db| {
            db.know_names(names)?;
            db.rows(
                &format!(
                    "SELECT file.dir, file.name, dir.path, file.size, file.work,
                     CASE
                         WHEN file.work = 3 THEN file.problem
                         WHEN file.work = 2 THEN 'permissions or owner differ'
                         WHEN file.work = 1 THEN 'another name of a file'
                         WHEN there.kind IS NULL THEN 'missing'
                         WHEN there.kind <> file.kind THEN 'of another kind'
                         WHEN there.size <> coalesce(file.kept_size, file.size) THEN 'size differs'
                         WHEN there.modified - file.modified BETWEEN -999999999 AND 999999999
                             AND there.modified - file.modified NOT BETWEEN -?4 AND ?4
                             THEN 'mtime differs by a fraction of a second'
                         WHEN there.modified - coalesce(file.kept_modified, file.modified) NOT BETWEEN -?4 AND ?4
                             THEN 'mtime differs'
                         ELSE 'under way when a run was cut off'
                     END,
                     (SELECT EXISTS (SELECT 1 FROM sink_entry AS inner WHERE inner.dir = twin.id)
                             OR EXISTS (SELECT 1 FROM dir AS below WHERE below.parent = twin.id AND below.sink_scan = twin.sink_scan)
                      FROM dir AS twin WHERE twin.sink_scan = (SELECT max(id) FROM scan) AND {}),
                     CASE WHEN there.kind IN (0, 1) AND there.kind <> file.kind THEN there.size END,
                     there.kind IS ?5
                 FROM file JOIN dir ON dir.id = file.dir
                 LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name
                 WHERE status = 0 AND (file.dir, file.name) > (?1, ?2)
                 ORDER BY file.dir, file.name LIMIT ?3",
                    same_name(names)
                ),
                params![after.dir, Name(&after.name), signed(limit as u64), tolerance(tolerance_ns.map(signed)), OTHER],
                |row| {
                    let key = FileKey { dir: row.get(0)?, name: bytes(row, 1)? };
                    let what = match row.get::<_, i64>(4)? {
                        0 => PlannedWork::Send,
                        1 => PlannedWork::Link,
                        IMPOSSIBLE => PlannedWork::Fail,
                        _ => PlannedWork::Attributes,
                    };
                    // NULL: no directory is in its place; otherwise whether it is full.
                    let dir_there = row.get::<_, Option<bool>>(6)?;
                    let is_special_there = row.get::<_, bool>(8)?;
                    let (what, reason) = match dir_there {
                        _ if is_special_there => {
                            (PlannedWork::Fail, "a special file (FIFO, socket or device) is in its place: remove it".to_owned())
                        }
                        Some(true) if !mirror => {
                            (PlannedWork::Fail, "a directory with content is in its place".to_owned())
                        }
                        Some(_) if what != PlannedWork::Fail => (what, "a directory is in its place".to_owned()),
                        _ => (what, row.get::<_, Option<String>>(5)?.unwrap_or_default()),
                    };
                    let file_there = row.get::<_, Option<i64>>(7)?.map(|size| ConflictingEntry::File(unsigned(size)));
                    let conflict = file_there.or(dir_there.map(|_| ConflictingEntry::Dir));
                    let conflict = conflict.filter(|_| what != PlannedWork::Fail);
                    let path = join(&path(row, 2)?, &key.name)?;
                    Ok(PlannedFile { path, key, size_bytes: unsigned(row.get(3)?), what, reason, conflict })
                },
            )
        })
        .await
    }
}

/// The condition on the directory `twin` of the sink that has a file's name.
fn same_name(names: NameRules) -> &'static str {
    match names.folds() {
        true => "twin.parent = file.dir AND name_key(twin.path) = name_key(file.name)",
        false => {
            "twin.path = CASE
                 WHEN dir.path = '' THEN file.name
                 WHEN typeof(dir.path) = 'blob' OR typeof(file.name) = 'blob'
                     THEN CAST(dir.path || '/' || file.name AS BLOB)
                 ELSE dir.path || '/' || file.name END"
        }
    }
}
