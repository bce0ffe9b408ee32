//! Second names for files, and new ones.

use std::io;

use rustix::fs::{AtFlags, linkat, renameat, statx, unlinkat};
use rustix::io::Errno;
use towpath_backend::{Kind, Metadata, RelPath};

use crate::root::Root;
use crate::stat::{NO_FOLLOW, STATX, metadata_of};
use crate::writer::name_refused;

/// Makes `path` another name of the file `existing`.
pub(crate) fn hard_link(root: &Root, existing: &RelPath, path: &RelPath) -> io::Result<()> {
    let (from, old_name) = root.resolver.parent(existing)?;
    let (to, new_name) = root.resolver.parent(path)?;
    // Without AT_SYMLINK_FOLLOW a link gets a second name itself.
    linkat(from, old_name, to, new_name, AtFlags::empty()).map_err(|error| match error {
        // EPERM: no hard links here, or none to files of others. EMLINK: no more names for
        // this one. EXDEV: another file system is mounted in between.
        Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::XDEV => cannot("link", error),
        _ => name_refused(error.into()),
    })
}

/// Gives the file or link `from` the name `to`, which loses what had it.
///
/// `names_fold`: two spellings of one name may appear as two names of one file.
pub(crate) fn rename(root: &Root, from: &RelPath, to: &RelPath, names_fold: bool) -> io::Result<()> {
    let (old_dir, old_name) = root.resolver.parent(from)?;
    let (new_dir, new_name) = root.resolver.parent(to)?;
    let stat = || statx(&old_dir, old_name, NO_FOLLOW, STATX).map(|stat| metadata_of(&stat));
    let before = stat()?;
    if before.kind == Kind::Dir {
        // It would take the place of an empty directory without a word.
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "only files and links are renamed"));
    }
    renameat(&old_dir, old_name, &new_dir, new_name).map_err(|error| match error {
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::XDEV => cannot("rename", error),
        _ => name_refused(error.into()),
    })?;
    // Between two names of one file renaming does nothing and says that it did. Where names
    // fold, the old one may be another spelling of the new one, and its removal the end of both.
    if before.names > 1 && from != to && !names_fold && stat().is_ok_and(|after| after.id == before.id) {
        unlinkat(&old_dir, old_name, AtFlags::empty())?;
    }
    Ok(())
}

/// Whether two spellings lead to one thing. FUSE gives each spelling an inode number of its own;
/// what is the same has the same times all the same. Two names of one file (hard links) are two
/// things where case counts.
fn is_one(old: &Metadata, new: &Metadata) -> bool {
    let seen = |metadata: &Metadata| (metadata.kind, metadata.size_bytes, metadata.modified, metadata.changed);
    seen(old) == seen(new) && (old.kind == Kind::Dir || (old.names == 1 && new.names == 1))
}

/// Spells the name `from` as `to`, in the same directory, if both are names of one thing.
pub(crate) fn respell(root: &Root, from: &RelPath, to: &RelPath) -> io::Result<()> {
    let (dir, old_name) = root.resolver.parent(from)?;
    let (_, new_name) = root.resolver.parent(to)?;
    let find = |name| statx(&dir, name, NO_FOLLOW, STATX).map(|stat| metadata_of(&stat));
    let (old, new) = (find(old_name)?, find(new_name)?);
    if from.parent() != to.parent() || !is_one(&old, &new) {
        return Err(Errno::EXIST.into());
    }
    renameat(&dir, old_name, &dir, new_name).map_err(|error| name_refused(error.into()))
}

/// The error of what a file system does not do.
fn cannot(verb: &str, error: Errno) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("the file system does not {verb} here: {error}"))
}
