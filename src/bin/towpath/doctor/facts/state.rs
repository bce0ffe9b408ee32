//! The database of the migration, and other migrations of this user.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use towpath::{Overview, canonical_path, database_files};

use super::place::{is_writable, place, space};
use crate::doctor::model::{Coming, DatabaseFacts, OtherMigration, Recorded};
use crate::format;

/// More databases in one folder are not read.
const MAX_DATABASES: usize = 500;

/// What is known of the database that a run would use. Blocks.
///
/// `trees` are the roots of a migration between two paths.
pub(crate) fn database(path: &Path, trees: Option<[&Path; 2]>) -> DatabaseFacts {
    let path = canonical_path(path);
    let exists = path.symlink_metadata().is_ok();
    let above = path.ancestors().skip(1).find(|above| above.is_dir());
    let folder = above.unwrap_or(Path::new("/")).to_owned();
    let needed = if exists { &path } else { &folder };
    let can_write = accessat(CWD, needed, Access::WRITE_OK, AtFlags::EACCESS).is_ok() && is_writable(&folder);
    let sizes = database_files(&path).into_iter().filter_map(|file| Some(fs::metadata(file).ok()?.len()));
    let place = place(&path, Some(path.clone()));
    let recorded = Overview::read(&path, 1).map_err(|error| error.to_string());
    DatabaseFacts {
        size_bytes: exists.then(|| sizes.sum()),
        is_writable: can_write,
        space: space(&folder, place.mount.as_ref()).ok(),
        recorded: recorded.map(|read| read.map(|overview| recorded_of(&overview, trees))),
        place,
        folder,
    }
}

fn recorded_of(overview: &Overview, trees: Option<[&Path; 2]>) -> Recorded {
    let roots = [&overview.source[..], &overview.sink];
    let is_same = trees.is_none_or(|trees| trees.map(|path| path.as_os_str().as_bytes()) == roots);
    let backlog = overview.backlog.as_ref();
    Recorded {
        process: overview.process,
        other_trees: (!is_same).then(|| roots.map(format::escape).join(" -> ")),
        files: backlog.map(|backlog| backlog.source.files),
        coming: backlog.map(|backlog| Coming {
            files: backlog.pending.files,
            dirs: backlog.source.dirs.saturating_sub(backlog.sink.dirs),
            bytes: backlog.pending.bytes,
        }),
    }
}

/// Other migrations to the destination with this root, in the folder of the databases that are not given. Blocks.
pub(crate) fn other_migrations(folder: &Path, own: &Path, dest: &Path) -> Vec<OtherMigration> {
    let own = canonical_path(own);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("db")) && canonical_path(path) != own);
    paths.sort();
    let found = paths.into_iter().take(MAX_DATABASES).filter_map(|database| {
        let overview = Overview::read(&database, 1).ok().flatten()?;
        let source = format::escape(&overview.source);
        (overview.sink == dest.as_os_str().as_bytes()).then_some(OtherMigration {
            database,
            source,
            process: overview.process,
        })
    });
    found.collect()
}
