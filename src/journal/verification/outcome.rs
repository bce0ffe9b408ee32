//! The results of checked files, recorded together with the log's lines.

use rusqlite::{named_params, params};
use towpath_backend::Kind;

use crate::audit::Line;
use crate::checksum::Checksum;
use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::file::EntryKind;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, now_ns, signed};
use crate::journal::verification::window::Verifiable;
use crate::verify_result::VerifyClass;

/// The result of a file.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The row that it was compared with.
    pub(crate) row: Verifiable,
    pub(crate) class: VerifyClass,
    pub(crate) detail: Option<String>,
    /// The checksum that both copies have, if none was recorded.
    pub(crate) new_checksum: Option<Checksum>,
    /// The copy may have been read from a cache of this machine.
    pub(crate) is_cached: bool,
    pub(crate) line: Option<Line>,
}

impl Journal {
    /// Records results of a pass and their lines. Returns for each whether it was recorded: a row that has changed since
    /// it was read, as its file was sent again, has no result.
    pub(crate) async fn record_verified(&self, pass: i64, checked: Vec<Checked>, read_bytes: u64) -> Result<Vec<bool>> {
        self.commit(move |db| {
            let (mut recorded, mut cached_files) = (Vec::with_capacity(checked.len()), 0);
            for checked in checked {
                let is_current = db.record_verified(pass, &checked)?;
                if is_current {
                    db.add_lines(&checked.line);
                    cached_files += i64::from(checked.is_cached);
                }
                recorded.push(is_current);
                if db.has_many_lines()? {
                    let sql = "UPDATE verify_pass SET cached_files = cached_files + ?2 WHERE id = ?1";
                    db.execute(sql, params![pass, std::mem::take(&mut cached_files)])?;
                    db.commit_and_begin()?;
                }
            }
            let sql = "UPDATE verify_pass SET updated = ?2, read_bytes = read_bytes + ?3,
                 cached_files = cached_files + ?4 WHERE id = ?1";
            db.execute(sql, params![pass, now_ns(), signed(read_bytes), cached_files])?;
            Ok(recorded)
        })
        .await
    }
}

impl Db {
    fn record_verified(&self, pass: i64, checked: &Checked) -> Result<bool> {
        let Checked { row, class, detail, new_checksum, .. } = checked;
        let kind = if row.kind == Kind::Symlink { EntryKind::Symlink } else { EntryKind::File };
        let hash = |checksum: &Option<Checksum>| checksum.as_ref().map(|checksum| checksum.hash.as_str().to_owned());
        let new_algorithm = new_checksum.as_ref().map(|checksum| checksum.algorithm.name());
        let updated = self.execute(
            "UPDATE file SET verify_pass = :pass, verify_class = :class, verified = :now, verify_detail = :detail,
                 hash = coalesce(hash, :new_hash), algorithm = coalesce(algorithm, :new_algorithm)
             WHERE dir = :dir AND name = :name AND status = 1 AND kind = :kind AND size = :size
                 AND modified = :modified AND kept_size IS :kept_size AND kept_modified IS :kept_modified
                 AND hash IS :hash AND coalesce(kept_target, target) IS :target AND synced_run IS :synced_run",
            named_params! {
                ":pass": pass, ":class": class, ":now": now_ns(), ":detail": detail, ":new_hash": hash(new_checksum),
                ":new_algorithm": new_algorithm, ":dir": row.key.dir, ":name": Name(&row.key.name), ":kind": kind,
                ":size": signed(row.size_bytes), ":modified": Time(row.modified),
                ":kept_size": row.kept_size_bytes.map(signed), ":kept_modified": row.kept_modified.map(Time),
                ":hash": hash(&row.checksum), ":target": row.copy_target.as_deref().map(Name), ":synced_run": row.synced_run,
            },
        )?;
        if updated == 0 {
            return Ok(false);
        }
        self.execute(
            "INSERT INTO verify_count(pass, class, files, bytes) VALUES (?1, ?2, 1, ?3)
             ON CONFLICT(pass, class) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes",
            params![pass, class, signed(row.copy_bytes())],
        )?;
        Ok(true)
    }
}
