//! Pages of both listings on their way into the database, and the decision where they meet.
//!
//! A file of the source is `synced` if the sink has a file of its size and time
//! under its name, else `pending`. Whichever listing brings the name second
//! decides, so that the backlog is known exactly while the scan still runs.

use rusqlite::params;
use towpath_backend::{FileId, Kind, Metadata, RelPath};

use crate::error::Result;
use crate::event::{Side, Totals};
use crate::journal::backlog::partial::BEFORE_SCAN;
use crate::journal::handle::Journal;
use crate::journal::scan::mounts::foreign_device;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, signed};

/// How kinds are recorded.
pub(in crate::journal) const FILE: i64 = 0;
pub(in crate::journal) const LINK: i64 = 1;
pub(in crate::journal) const OTHER: i64 = 2;

/// A name that a walker found.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) metadata: Metadata,
    pub(crate) role: Role,
}

/// What becomes of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is part of the migration.
    Migrated,
    /// The same, but it is read elsewhere in the source: a link leads there.
    ReadAt(RelPath),
    /// It is in the source and is not copied.
    NotCopied,
    /// It is an unfinished file of an earlier run at the sink.
    Leftover,
}

impl Journal {
    /// Records the roots, which no listing brings.
    pub(crate) async fn add_root(&self, side: Side, metadata: Metadata) -> Result<()> {
        self.call(move |db| {
            db.scan.roots[side.index()] = Some(metadata);
            match side {
                Side::Source => db.add_source_dir(None, &RelPath::root(), None, &metadata),
                Side::Sink => db.add_sink_dir(None, &RelPath::root(), &metadata),
            }
        })
        .await
    }

    /// Records a page of a directory's listing; tells what is pending so far.
    pub(crate) async fn add_page(&self, side: Side, dir: RelPath, page: Vec<Listed>) -> Result<Totals> {
        self.call(move |db| {
            failpoint!("during-scan");
            let id = db.dir_id(&dir)?;
            for listed in &page {
                match side {
                    Side::Source => db.add_to_source(id, &dir, listed)?,
                    Side::Sink => db.add_to_sink(id, &dir, listed)?,
                }
            }
            Ok(db.scan.pending)
        })
        .await
    }
}

impl Db {
    fn dir_id(&self, dir: &RelPath) -> Result<i64> {
        let found = self.row("SELECT id FROM dir WHERE path = ?1", [Name(dir.as_bytes())], |row| row.get(0))?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.execute("INSERT INTO dir(path) VALUES (?1)", [Name(dir.as_bytes())])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn add_to_source(&mut self, dir_id: i64, dir: &RelPath, listed: &Listed) -> Result<()> {
        let real = match &listed.role {
            Role::NotCopied => {
                let values = params![dir_id, Name(&listed.name)];
                return self.execute("INSERT OR IGNORE INTO source_other VALUES (?1, ?2)", values).map(drop);
            }
            Role::ReadAt(real) => Some(real),
            Role::Migrated | Role::Leftover => None,
        };
        match listed.metadata.kind {
            Kind::Dir => {
                // Names come from a listing: one that is no name was refused by the walker.
                let Ok(path) = dir.join(&listed.name) else { return Ok(()) };
                self.add_source_dir(Some(dir_id), &path, real, &listed.metadata)
            }
            Kind::File => self.add_source_file(dir_id, FILE, listed, real),
            Kind::Symlink => self.add_source_file(dir_id, LINK, listed, real),
            Kind::Other => Ok(()),
        }
    }

    fn add_to_sink(&mut self, dir_id: i64, dir: &RelPath, listed: &Listed) -> Result<()> {
        let Ok(path) = dir.join(&listed.name) else { return Ok(()) };
        if listed.role == Role::Leftover {
            return self.execute("INSERT OR IGNORE INTO leftover VALUES (?1)", [Name(path.as_bytes())]).map(drop);
        }
        match listed.metadata.kind {
            Kind::Dir => self.add_sink_dir(Some(dir_id), &path, &listed.metadata),
            _ => self.add_sink_entry(dir_id, &listed.name, &listed.metadata),
        }
    }

    fn add_source_dir(
        &self,
        parent: Option<i64>,
        path: &RelPath,
        real: Option<&RelPath>,
        metadata: &Metadata,
    ) -> Result<()> {
        let foreign = foreign_device(metadata, self.scan.roots[Side::Source.index()].as_ref());
        if self.is_another_file_system(path, metadata, foreign)? {
            // The file system that was in its place is not there: of its files this says
            // nothing. What is recorded stays until somebody accepts what is there now.
            self.add_lost_mount(Side::Source, path)?;
            let seen = "UPDATE dir SET source_scan = ?2, missing = 0 WHERE path = ?1";
            return self.execute(seen, params![Name(path.as_bytes()), self.scan.id]).map(drop);
        }
        self.execute(
            "INSERT INTO dir(path, source_scan, parent, real, inode, foreign_device, modified, accessed, permissions,
                 user, grp, born, missing)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1)
             ON CONFLICT(path) DO UPDATE
             SET source_scan = excluded.source_scan, parent = excluded.parent, real = excluded.real,
                 inode = excluded.inode, foreign_device = excluded.foreign_device, modified = excluded.modified,
                 accessed = excluded.accessed, permissions = excluded.permissions, user = excluded.user,
                 grp = excluded.grp, born = excluded.born,
                 kept_modified = CASE WHEN modified = excluded.modified THEN kept_modified END,
                 kept_permissions = CASE WHEN (permissions, user, grp) IS (excluded.permissions, excluded.user, excluded.grp)
                     THEN kept_permissions END,
                 kept_user = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_user END,
                 kept_grp = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_grp END,
                 problem = NULL, missing = sink_scan IS NOT excluded.source_scan",
            params![
                Name(path.as_bytes()),
                self.scan.id,
                parent,
                real.map(|real| Name(real.as_bytes())),
                metadata.id.map(|id| bits(id.inode)),
                foreign,
                Time(metadata.modified),
                metadata.accessed.map(Time),
                metadata.permissions,
                metadata.owner.map(|owner| owner.user),
                metadata.owner.map(|owner| owner.group),
                metadata.created.map(Time),
            ],
        )
        .map(drop)
    }

    fn add_sink_dir(&self, parent: Option<i64>, path: &RelPath, metadata: &Metadata) -> Result<()> {
        let foreign = foreign_device(metadata, self.scan.roots[Side::Sink.index()].as_ref());
        let is_lost = foreign == Some(0) && self.was_mount_point_of_sink(path)?;
        if is_lost {
            self.add_lost_mount(Side::Sink, path)?;
        }
        self.execute(
            "INSERT INTO dir(path, sink_scan, parent, sink_modified, sink_permissions, sink_user, sink_grp,
                 sink_foreign_device)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT(path) DO UPDATE
             SET sink_scan = excluded.sink_scan, parent = excluded.parent, sink_modified = excluded.sink_modified,
                 sink_permissions = excluded.sink_permissions, sink_user = excluded.sink_user,
                 sink_grp = excluded.sink_grp, missing = 0,
                 sink_foreign_device = CASE WHEN ?9 THEN sink_foreign_device ELSE excluded.sink_foreign_device END",
            params![
                Name(path.as_bytes()),
                self.scan.id,
                parent,
                Time(metadata.modified),
                metadata.permissions,
                metadata.owner.map(|owner| owner.user),
                metadata.owner.map(|owner| owner.group),
                foreign,
                is_lost,
            ],
        )
        .map(drop)
    }

    fn add_source_file(&mut self, dir: i64, kind: i64, listed: &Listed, real: Option<&RelPath>) -> Result<()> {
        let (scan, metadata) = (self.scan, &listed.metadata);
        let id = several_names(metadata);
        // A row that this scan has already brought is left alone: a directory
        // that changes while it is read may list a name twice.
        let status = self.row(
            "INSERT INTO file(dir, name, size, modified, accessed, changed, created, permissions, scan, kind, real,
                 user, grp, device, inode, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?12, ?13, ?14, ?15, ?16, ?17, EXISTS (
                 SELECT 1 FROM sink_entry
                 WHERE dir = ?1 AND name = ?2 AND kind = ?12 AND size = ?3 AND modified - ?4 BETWEEN -?10 AND ?10))
             ON CONFLICT(dir, name) DO UPDATE SET
                 hash = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                     THEN hash END,
                 algorithm = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                     THEN algorithm END,
                 suspect = suspect OR (status = 0 AND scan = ?11)
                     OR ((?18 OR kept_modified IS NOT NULL) AND modified <> excluded.modified),
                 status = CASE
                     WHEN suspect OR (status = 0 AND scan = ?11)
                         OR ((?18 OR kept_modified IS NOT NULL) AND modified <> excluded.modified) THEN 0
                     WHEN coalesce(kept_size, kept_modified) IS NOT NULL
                         AND (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                         THEN EXISTS (SELECT 1 FROM sink_entry AS there
                             WHERE there.dir = ?1 AND there.name = ?2 AND there.kind = ?12
                                 AND there.size = coalesce(kept_size, ?3)
                                 AND there.modified - coalesce(kept_modified, ?4) BETWEEN -?10 AND ?10)
                     ELSE excluded.status END,
                 begun = CASE WHEN begun <> 0 OR suspect OR (status = 0 AND scan = ?11) THEN ?19 ELSE 0 END,
                 kept_size = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                     THEN kept_size END,
                 kept_modified = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                     THEN kept_modified END,
                 kept_permissions = CASE WHEN (permissions, user, grp) IS (excluded.permissions, excluded.user, excluded.grp)
                     THEN kept_permissions END,
                 kept_user = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_user END,
                 kept_grp = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_grp END,
                 size = excluded.size, modified = excluded.modified, accessed = excluded.accessed,
                 changed = excluded.changed, created = excluded.created, permissions = excluded.permissions,
                 kind = excluded.kind, real = excluded.real, user = excluded.user, grp = excluded.grp,
                 device = excluded.device, inode = excluded.inode,
                 work = 0, turn = 0, failed = NULL, problem = NULL, scan = excluded.scan,
                 error = CASE WHEN excluded.status = 0 THEN error END
             WHERE scan <> excluded.scan
             RETURNING status",
            params![
                dir,
                Name(&listed.name),
                signed(metadata.size_bytes),
                Time(metadata.modified),
                metadata.accessed.map(Time),
                metadata.changed.map(Time),
                metadata.created.map(Time),
                metadata.permissions,
                scan.id,
                scan.tolerance(),
                scan.distrusted_scan,
                kind,
                real.map(|real| Name(real.as_bytes())),
                metadata.owner.map(|owner| owner.user),
                metadata.owner.map(|owner| owner.group),
                id.map(|id| bits(id.device)),
                id.map(|id| bits(id.inode)),
                scan.sink_keeps_no_mtime(),
                BEFORE_SCAN,
            ],
            |row| row.get::<_, i64>(0),
        )?;
        if status == Some(0) {
            self.scan.pending.files += 1;
            self.scan.pending.bytes += u128::from(metadata.size_bytes);
        }
        Ok(())
    }

    fn add_sink_entry(&mut self, dir: i64, name: &[u8], metadata: &Metadata) -> Result<()> {
        let kind = match metadata.kind {
            Kind::File => FILE,
            Kind::Symlink => LINK,
            Kind::Dir | Kind::Other => OTHER,
        };
        let (size, modified, id) = (signed(metadata.size_bytes), Time(metadata.modified), several_names(metadata));
        self.execute(
            "INSERT OR REPLACE INTO sink_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                dir,
                Name(name),
                kind,
                size,
                modified,
                metadata.permissions,
                metadata.owner.map(|owner| owner.user),
                metadata.owner.map(|owner| owner.group),
                id.map(|id| bits(id.device)),
                id.map(|id| bits(id.inode)),
            ],
        )?;
        if kind == OTHER {
            return Ok(());
        }
        let matched = self.execute(
            "UPDATE file SET status = 1, error = NULL
             WHERE dir = ?1 AND name = ?2 AND scan = ?3 AND status = 0 AND suspect = 0
                 AND coalesce(kept_size, size) = ?4 AND coalesce(kept_modified, modified) - ?5 BETWEEN -?6 AND ?6
                 AND kind = ?7",
            params![dir, Name(name), self.scan.id, size, modified, self.scan.tolerance(), kind],
        )?;
        if matched > 0 {
            self.scan.pending.files = self.scan.pending.files.saturating_sub(1);
            self.scan.pending.bytes = self.scan.pending.bytes.saturating_sub(metadata.size_bytes.into());
        }
        Ok(())
    }
}

/// Which file it is, if it has several names: others need not be told apart.
pub(in crate::journal) fn several_names(metadata: &Metadata) -> Option<FileId> {
    metadata.id.filter(|_| metadata.kind == Kind::File && metadata.names > 1)
}

/// The number with the same bits: inodes use all 64, and SQLite has no unsigned numbers.
pub(in crate::journal) fn bits(number: u64) -> i64 {
    number.cast_signed()
}
