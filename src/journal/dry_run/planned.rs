//! What a run would do and why, read from the rows after a scan, for a dry run.

use rusqlite::{Row, named_params, params};
use towpath_backend::{NameRules, RelPath};

use crate::error::Result;
use crate::event::PlanReason;
use crate::journal::dry_run::reason;
use crate::journal::handle::Journal;
use crate::journal::row::file::{EntryKind, FileKey, StoredWork};
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, limit, number, optional_number, path_in};

/// A file that a run would work on.
#[derive(Debug)]
pub(crate) struct PlannedFile {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    pub(crate) size_bytes: u64,
    pub(crate) what: PlannedWork,
    pub(crate) reason: PlanReason,
    /// The entry that is removed before it is written.
    pub(crate) conflict: Option<ConflictingEntry>,
}

/// An entry of the sink that conflicts with a file and is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictingEntry {
    /// A file of this size, or a symlink.
    File(u64),
    /// A directory that is empty or is emptied first.
    Dir,
}

/// What a run would do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedWork {
    Send,
    Link,
    Attributes,
    /// Nothing: it would fail.
    Fail,
}

impl Journal {
    /// The number of pending files that differ from the sink's only in a fraction of a second of their mtime; 0 if
    /// any other pending file exists at the sink.
    pub(crate) async fn files_with_whole_seconds(&self) -> Result<u64> {
        self.call_long(|db| {
            if !db.exists("SELECT 1 FROM sink_entry LIMIT 1", [])? {
                return Ok(0);
            }
            let counts = db.row(
                "SELECT count(*) AS pending, count(*) FILTER (WHERE there.kind = file.kind
                     AND there.size = coalesce(kept_size, file.size)
                     AND (file.kind = 0 OR coalesce(there.target = coalesce(kept_target, file.target), 1))
                     AND there.modified - file.modified BETWEEN -999999999 AND 999999999
                     AND there.modified % 1000000000 = 0) AS near
                 FROM file CROSS JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name
                 WHERE status = 0 AND work = 0 AND suspect = 0",
                [],
                |row| Ok((number(row, "pending")?, number(row, "near")?)),
            )?;
            Ok(counts.filter(|(pending, near)| pending == near).map_or(0, |(_, near)| near))
        })
        .await
    }

    /// The size of the file or symlink of the sink that conflicts with a directory.
    pub(crate) async fn file_in_place_of(&self, dir: RelPath) -> Result<Option<u64>> {
        self.call(move |db| {
            let (parent, name) = Name::split(&dir);
            let sql = "SELECT size FROM sink_entry WHERE dir = (SELECT id FROM dir WHERE path = ?1) AND name = ?2
                 AND kind IN (0, 1)";
            db.row(sql, params![parent, name], |row| number(row, "size"))
        })
        .await
    }

    /// Up to `files` pending files after `after`, with the reason for each. A conflicting directory with
    /// content is removed only if `mirror` is set.
    pub(crate) async fn planned_files(
        &self,
        after: FileKey,
        files: usize,
        mirror: bool,
        tolerance_ns: Option<u64>,
        names: NameRules,
    ) -> Result<Vec<PlannedFile>> {
        self.call(move |db| {
            db.create_name_functions(names)?;
            db.planned_files(&after, files, mirror, tolerance_ns, names)
        })
        .await
    }
}

impl Db {
    fn planned_files(
        &self,
        after: &FileKey,
        files: usize,
        mirror: bool,
        tolerance_ns: Option<u64>,
        names: NameRules,
    ) -> Result<Vec<PlannedFile>> {
        self.rows(
            &format!(
                "SELECT file.dir AS dir, file.name AS name, dir.path AS dir_path, {},
                 (SELECT EXISTS (SELECT 1 FROM sink_entry AS inner WHERE inner.dir = twin.id)
                         OR EXISTS (SELECT 1 FROM dir AS below
                             WHERE below.parent = twin.id AND below.sink_scan = twin.sink_scan)
                  FROM dir AS twin WHERE twin.sink_scan = (SELECT max(id) FROM scan) AND {}) AS full_dir
                 FROM file JOIN dir ON dir.id = file.dir
                 LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name
                 WHERE status = 0 AND (file.dir, file.name) > (:dir, :name)
                 ORDER BY file.dir, file.name LIMIT :limit",
                reason::COLUMNS,
                same_name(names)
            ),
            named_params! { ":dir": after.dir, ":name": Name(&after.name), ":limit": limit(files) },
            |row| planned(row, mirror, tolerance_ns),
        )
    }
}

fn planned(row: &Row<'_>, mirror: bool, tolerance_ns: Option<u64>) -> rusqlite::Result<PlannedFile> {
    let what = match row.get("work")? {
        StoredWork::Content => PlannedWork::Send,
        StoredWork::Name => PlannedWork::Link,
        StoredWork::Attributes => PlannedWork::Attributes,
        StoredWork::Impossible => PlannedWork::Fail,
    };
    // `None`: the sink has no directory of its name; otherwise whether that has content.
    let full_dir = row.get::<_, Option<bool>>("full_dir")?;
    let sink_kind = row.get::<_, Option<EntryKind>>("sink_kind")?;
    let (what, reason) = match full_dir {
        _ if sink_kind == Some(EntryKind::Other) => (PlannedWork::Fail, PlanReason::SpecialFileConflicts),
        Some(true) if !mirror => (PlannedWork::Fail, PlanReason::FullDirConflicts),
        Some(_) if what != PlannedWork::Fail => (what, PlanReason::DirConflicts),
        _ => (what, reason::of_row(row, tolerance_ns)?),
    };
    let has_other_kind = sink_kind.is_some_and(|there| there != EntryKind::Other)
        && sink_kind != row.get::<_, Option<EntryKind>>("kind")?;
    let conflicting_file = if has_other_kind { optional_number(row, "sink_size")? } else { None };
    let conflict = conflicting_file.map(ConflictingEntry::File).or(full_dir.map(|_| ConflictingEntry::Dir));
    Ok(PlannedFile {
        key: FileKey { dir: row.get("dir")?, name: bytes(row, "name")? },
        path: path_in(row, "dir_path", "name")?,
        size_bytes: number(row, "size")?,
        conflict: conflict.filter(|_| what != PlannedWork::Fail),
        what,
        reason,
    })
}

/// The condition that the directory `twin` of the sink has the name of a file.
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
