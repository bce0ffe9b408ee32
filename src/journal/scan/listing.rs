//! Records pages of both listings, and decides which files are pending.
//!
//! A source file is `synced` if the sink has a file of the same name, size and time, else `pending`; of a symbolic
//! link, the target counts instead of the size. The listing that reaches a name second
//! decides, so that the count of pending files is exact while the scan is running.

use rusqlite::{named_params, params};
use towpath_backend::{Kind, Metadata, RelPath};

use crate::error::{Error, Result};
use crate::event::{Side, Totals};
use crate::journal::handle::Journal;
use crate::journal::row::detail::{Details, OfSink, OfSource};
use crate::journal::row::dir::foreign_device;
use crate::journal::row::file::{CopyMark, EntryKind, SourceColumns, several_names};
use crate::journal::row::not_copied::NotCopied;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::db::Db;
use crate::journal::store::name_kind::{NameKind, counted_bytes};
use crate::journal::store::value::{Name, Time, bits, signed};

/// An entry that a walker found.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) metadata: Metadata,
    pub(crate) role: Role,
    pub(crate) details: Details,
}

impl Listed {
    /// Without details.
    pub(crate) fn new(name: Vec<u8>, metadata: Metadata, role: Role) -> Self {
        Self { name, metadata, role, details: Details::default() }
    }
}

/// How an entry is handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is migrated.
    Migrated,
    /// It is migrated, and read at another path of the source: it is reached through a symlink.
    ReadAt(RelPath),
    /// It is in the source and not copied, for this reason.
    NotCopied(NotCopied),
    /// It is a partial file that an earlier run left at the sink.
    Leftover,
}

impl Journal {
    /// Records a root, which is in no listing.
    pub(crate) async fn add_root(&self, side: Side, metadata: Metadata, details: Details) -> Result<()> {
        self.call(move |db| {
            db.scan_mut()?.roots[side] = Some(metadata);
            match side {
                Side::Source => db.add_source_dir(None, &RelPath::root(), None, &metadata, &details).map(drop),
                Side::Sink => db.add_sink_dir(None, &RelPath::root(), &metadata, &details),
            }
        })
        .await
    }

    /// Records a page of a directory's listing; returns the pending files counted so far.
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
            Ok(db.scan()?.pending)
        })
        .await
    }
}

impl Db {
    fn dir_id(&self, dir: &RelPath) -> Result<i64> {
        let found = self.row("SELECT id FROM dir WHERE path = ?1", [Name::of(dir)], |row| row.get("id"))?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.execute("INSERT INTO dir(path) VALUES (?1)", [Name::of(dir)])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn add_to_source(&mut self, dir_id: i64, dir: &RelPath, listed: &Listed) -> Result<()> {
        let real = match &listed.role {
            Role::NotCopied(reason) => return self.add_not_copied(dir_id, listed, *reason),
            Role::ReadAt(real) => Some(real),
            Role::Migrated => None,
            Role::Leftover => return Err(unexpected(dir, listed)),
        };
        match listed.metadata.kind {
            Kind::Dir => {
                let path = dir.join(&listed.name).map_err(|_| unexpected(dir, listed))?;
                let is_new = self.add_source_dir(Some(dir_id), &path, real, &listed.metadata, &listed.details)?;
                self.count_twice(is_new, listed)
            }
            Kind::File | Kind::Symlink => self.add_source_file(dir_id, listed, real),
            Kind::Other => Err(unexpected(dir, listed)),
        }
    }

    fn add_to_sink(&mut self, dir_id: i64, dir: &RelPath, listed: &Listed) -> Result<()> {
        let path = dir.join(&listed.name).map_err(|_| unexpected(dir, listed))?;
        match (&listed.role, listed.metadata.kind) {
            (Role::Leftover, _) => {
                self.execute("INSERT OR IGNORE INTO leftover(path) VALUES (?1)", [Name::of(&path)]).map(drop)
            }
            (Role::Migrated, Kind::Dir) => self.add_sink_dir(Some(dir_id), &path, &listed.metadata, &listed.details),
            (Role::Migrated, _) => self.add_sink_entry(dir_id, listed),
            (Role::NotCopied(_) | Role::ReadAt(_), _) => Err(unexpected(dir, listed)),
        }
    }

    fn add_not_copied(&mut self, dir: i64, listed: &Listed, reason: NotCopied) -> Result<()> {
        let (kind, size) = (NameKind::from(listed.metadata.kind), signed(counted_bytes(&listed.metadata)));
        let sql = "INSERT OR IGNORE INTO source_other(dir, name, kind, size, reason) VALUES (?1, ?2, ?3, ?4, ?5)";
        let added = self.execute(sql, params![dir, Name(&listed.name), kind, size, reason])?;
        self.count_twice(added > 0, listed)
    }

    /// Counts a name that has its row already.
    fn count_twice(&mut self, is_new: bool, listed: &Listed) -> Result<()> {
        if !is_new {
            self.scan_mut()?.twice.add(&listed.metadata);
        }
        Ok(())
    }

    /// Records a directory; returns whether this scan had not recorded it yet.
    fn add_source_dir(
        &self,
        parent: Option<i64>,
        path: &RelPath,
        real: Option<&RelPath>,
        metadata: &Metadata,
        details: &Details,
    ) -> Result<bool> {
        let scan = self.scan()?;
        let foreign = foreign_device(metadata, scan.roots.source.as_ref());
        if self.is_another_file_system(path, metadata, foreign)? {
            // The recorded file system is no longer mounted there, so nothing follows about its files.
            // Their rows stay until a user accepts the change.
            self.add_unknown(Unknown::LostSourceMount, path)?;
            let seen = "UPDATE dir SET source_scan = ?2, missing = 0 WHERE path = ?1 AND source_scan IS NOT ?2";
            return self.execute(seen, params![Name::of(path), scan.id]).map(|updated| updated > 0);
        }
        self.execute(
            "INSERT INTO dir(path, source_scan, parent, real, inode, foreign_device, modified, accessed, permissions,
                 user, grp, born, xattrs, missing)
             VALUES (:path, :scan, :parent, :real, :inode, :foreign_device, :modified, :accessed, :permissions,
                 :user, :grp, :born, :xattrs, 1)
             ON CONFLICT(path) DO UPDATE
             SET source_scan = excluded.source_scan, parent = excluded.parent, real = excluded.real,
                 inode = excluded.inode, foreign_device = excluded.foreign_device, modified = excluded.modified,
                 accessed = excluded.accessed, permissions = excluded.permissions, user = excluded.user,
                 grp = excluded.grp, born = excluded.born,
                 kept_xattrs = CASE WHEN NOT :reads_xattrs OR xattrs = excluded.xattrs THEN kept_xattrs END,
                 xattrs = CASE WHEN :reads_xattrs THEN excluded.xattrs ELSE xattrs END,
                 kept_modified = CASE WHEN modified = excluded.modified THEN kept_modified END,
                 kept_permissions = CASE WHEN (permissions, user, grp) IS (excluded.permissions, excluded.user, excluded.grp)
                     THEN kept_permissions END,
                 kept_user = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_user END,
                 kept_grp = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_grp END,
                 error_code = CASE WHEN problem IS NULL THEN error_code END,
                 error_side = CASE WHEN problem IS NULL THEN error_side END,
                 problem = NULL, missing = sink_scan IS NOT excluded.source_scan
             WHERE source_scan IS NOT excluded.source_scan OR path = ''",
            named_params! {
                ":path": Name::of(path), ":scan": scan.id, ":parent": parent, ":real": real.map(Name::of),
                ":inode": metadata.id.map(|id| bits(id.inode)), ":foreign_device": foreign,
                ":modified": Time(metadata.modified), ":accessed": metadata.accessed.map(Time),
                ":permissions": metadata.permissions, ":user": metadata.owner.map(|owner| owner.user),
                ":grp": metadata.owner.map(|owner| owner.group), ":born": metadata.created.map(Time),
                ":xattrs": OfSource(&details.xattrs), ":reads_xattrs": scan.compares.xattrs,
            },
        )
        .map(|recorded| recorded > 0)
    }

    fn add_sink_dir(&self, parent: Option<i64>, path: &RelPath, metadata: &Metadata, details: &Details) -> Result<()> {
        let scan = self.scan()?;
        let foreign = foreign_device(metadata, scan.roots.sink.as_ref());
        let is_lost = foreign == Some(0) && self.was_mount_point_of_sink(path)?;
        if is_lost {
            self.add_unknown(Unknown::LostSinkMount, path)?;
        }
        self.execute(
            "INSERT INTO dir(path, sink_scan, parent, sink_modified, sink_permissions, sink_user, sink_grp,
                 sink_xattrs, sink_foreign_device)
             VALUES (:path, :scan, :parent, :modified, :permissions, :user, :grp, :xattrs, :foreign_device)
             ON CONFLICT(path) DO UPDATE
             SET sink_scan = excluded.sink_scan, parent = excluded.parent, sink_modified = excluded.sink_modified,
                 sink_permissions = excluded.sink_permissions, sink_user = excluded.sink_user,
                 sink_grp = excluded.sink_grp, sink_xattrs = excluded.sink_xattrs, missing = 0,
                 sink_foreign_device = CASE WHEN :is_lost THEN sink_foreign_device
                     ELSE excluded.sink_foreign_device END",
            named_params! {
                ":path": Name::of(path), ":scan": scan.id, ":parent": parent, ":modified": Time(metadata.modified),
                ":permissions": metadata.permissions, ":user": metadata.owner.map(|owner| owner.user),
                ":grp": metadata.owner.map(|owner| owner.group), ":foreign_device": foreign, ":is_lost": is_lost,
                ":xattrs": OfSink(&details.xattrs),
            },
        )
        .map(drop)
    }

    fn add_source_file(&mut self, dir: i64, listed: &Listed, real: Option<&RelPath>) -> Result<()> {
        let scan = self.scan()?;
        let (columns, real) = (SourceColumns::of(&listed.metadata), real.map(Name::of));
        let own = named_params! {
            ":dir": dir, ":name": Name(&listed.name), ":scan": scan.id, ":real": real,
            ":tolerance": scan.tolerance, ":unverified_scan": scan.unverified_scan,
            ":no_mtime": scan.sink_keeps_no_mtime(), ":before_scan": CopyMark::BeforeScan,
            ":target": OfSource(&listed.details.target), ":xattrs": OfSource(&listed.details.xattrs),
            ":reads_xattrs": scan.compares.xattrs,
        };
        let is_pending = self
            .row(ADD_SOURCE_FILE, &[&columns.named()[..], own].concat()[..], |row| row.get::<_, bool>("is_pending"))?;
        self.count_twice(is_pending.is_some(), listed)?;
        if is_pending == Some(true) {
            let pending = &mut self.scan_mut()?.pending;
            pending.files += 1;
            pending.bytes += u128::from(listed.metadata.size_bytes);
        }
        Ok(())
    }

    fn add_sink_entry(&mut self, dir: i64, listed: &Listed) -> Result<()> {
        let Listed { name, metadata, details, .. } = listed;
        let kind = match metadata.kind {
            Kind::File => EntryKind::File,
            Kind::Symlink => EntryKind::Symlink,
            Kind::Dir | Kind::Other => EntryKind::Other,
        };
        let (size, modified, id) = (signed(metadata.size_bytes), Time(metadata.modified), several_names(metadata));
        self.execute(
            "INSERT OR REPLACE INTO sink_entry(dir, name, kind, size, modified, permissions, user, grp, device, inode,
                 target, xattrs)
             VALUES (:dir, :name, :kind, :size, :modified, :permissions, :user, :grp, :device, :inode,
                 :target, :xattrs)",
            named_params! {
                ":dir": dir, ":name": Name(name), ":kind": kind, ":size": size, ":modified": modified,
                ":permissions": metadata.permissions, ":user": metadata.owner.map(|owner| owner.user),
                ":grp": metadata.owner.map(|owner| owner.group),
                ":device": id.map(|id| bits(id.device)), ":inode": id.map(|id| bits(id.inode)),
                ":target": OfSink(&details.target), ":xattrs": OfSink(&details.xattrs),
            },
        )?;
        if kind == EntryKind::Other {
            return Ok(());
        }
        let scan = self.scan()?;
        let matched = self.execute(
            "UPDATE file SET status = 1, error = NULL, error_code = NULL, error_side = NULL
             WHERE dir = :dir AND name = :name AND scan = :scan AND status = 0 AND suspect = 0 AND kind = :kind
                 AND CASE
                     WHEN kind = 1 AND target IS NULL THEN 0
                     WHEN kind = 1 AND :target IS NOT NULL THEN coalesce(kept_target, target) = :target
                     ELSE coalesce(kept_size, size) = :size END
                 AND coalesce(kept_modified, modified) - :modified BETWEEN -:tolerance AND :tolerance",
            named_params! {
                ":dir": dir, ":name": Name(name), ":scan": scan.id, ":kind": kind, ":size": size,
                ":modified": modified, ":tolerance": scan.tolerance, ":target": OfSink(&details.target),
            },
        )?;
        if matched > 0 {
            let pending = &mut self.scan_mut()?.pending;
            pending.files = pending.files.saturating_sub(1);
            pending.bytes = pending.bytes.saturating_sub(metadata.size_bytes.into());
        }
        Ok(())
    }
}

/// Records a source file, and decides whether it is pending according to the sink's listing so far.
///
/// A link is in sync only if its target could be read. If the sink does not show its targets, their lengths decide.
///
/// A row that this scan has already recorded is not changed: a directory that changes during its listing
/// may list a name twice.
const ADD_SOURCE_FILE: &str = "
    INSERT INTO file(dir, name, size, modified, accessed, changed, created, permissions, scan, kind, real, user, grp,
        device, inode, target, xattrs, status)
    VALUES (:dir, :name, :size, :modified, :accessed, :changed, :created, :permissions, :scan, :kind, :real, :user,
        :grp, :device, :inode, :target, :xattrs, EXISTS (
            SELECT 1 FROM sink_entry AS there
            WHERE there.dir = :dir AND there.name = :name AND there.kind = :kind
                AND CASE
                    WHEN :kind = 1 AND :target IS NULL THEN 0
                    WHEN :kind = 1 AND there.target IS NOT NULL THEN there.target = :target
                    ELSE there.size = :size END
                AND there.modified - :modified BETWEEN -:tolerance AND :tolerance))
    ON CONFLICT(dir, name) DO UPDATE SET
        hash = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified) THEN hash END,
        algorithm = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
            THEN algorithm END,
        verify_class = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
            AND target IS excluded.target THEN verify_class END,
        suspect = suspect OR (status = 0 AND scan IS :unverified_scan)
            OR ((:no_mtime OR kept_modified IS NOT NULL) AND modified <> excluded.modified),
        status = CASE
            WHEN suspect OR (status = 0 AND scan IS :unverified_scan)
                OR ((:no_mtime OR kept_modified IS NOT NULL) AND modified <> excluded.modified) THEN 0
            WHEN coalesce(kept_size, kept_modified, kept_target) IS NOT NULL
                AND (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                THEN EXISTS (SELECT 1 FROM sink_entry AS there
                    WHERE there.dir = :dir AND there.name = :name AND there.kind = :kind
                        AND CASE
                            WHEN :kind = 1 AND :target IS NULL THEN 0
                            WHEN :kind = 1 AND there.target IS NOT NULL THEN there.target
                                = CASE WHEN file.target = :target THEN coalesce(kept_target, :target) ELSE :target END
                            ELSE there.size = coalesce(kept_size, :size) END
                        AND there.modified - coalesce(kept_modified, :modified) BETWEEN -:tolerance AND :tolerance)
            ELSE excluded.status END,
        begun = CASE WHEN begun <> 0 OR suspect OR (status = 0 AND scan IS :unverified_scan)
            THEN :before_scan ELSE 0 END,
        kept_size = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
            THEN kept_size END,
        kept_modified = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
            THEN kept_modified END,
        kept_permissions = CASE WHEN (permissions, user, grp) IS (excluded.permissions, excluded.user, excluded.grp)
            THEN kept_permissions END,
        kept_user = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_user END,
        kept_grp = CASE WHEN (user, grp) IS (excluded.user, excluded.grp) THEN kept_grp END,
        kept_target = CASE WHEN (kind, size, modified, target) = (excluded.kind, excluded.size, excluded.modified,
            excluded.target) THEN kept_target END,
        kept_xattrs = CASE WHEN NOT :reads_xattrs OR xattrs = excluded.xattrs THEN kept_xattrs END,
        xattrs = CASE WHEN :reads_xattrs THEN excluded.xattrs ELSE xattrs END,
        size = excluded.size, modified = excluded.modified, accessed = excluded.accessed,
        changed = excluded.changed, created = excluded.created, permissions = excluded.permissions,
        kind = excluded.kind, real = excluded.real, user = excluded.user, grp = excluded.grp,
        device = excluded.device, inode = excluded.inode, target = excluded.target,
        work = 0, turn = 0, failed = NULL, problem = NULL, scan = excluded.scan, listed_kind = NULL, listed_size = NULL,
        error_code = CASE WHEN excluded.status = 0 AND problem IS NULL THEN error_code END,
        error_side = CASE WHEN excluded.status = 0 AND problem IS NULL THEN error_side END,
        error = CASE WHEN excluded.status = 0 AND problem IS NULL THEN error END
    WHERE scan <> excluded.scan
    RETURNING status = 0 AS is_pending";

/// The error for an entry that no walker sends.
fn unexpected(dir: &RelPath, listed: &Listed) -> Error {
    let (name, kind) = (listed.name.escape_ascii(), listed.metadata.kind);
    Error::Internal(format!("a {kind} that is {:?} was listed in directory {dir}: {name}", listed.role))
}
