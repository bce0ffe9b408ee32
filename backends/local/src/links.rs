//! Hard links and renames.

use std::io;

use rustix::fs::{AtFlags, linkat, renameat, statx, unlinkat};
use rustix::io::Errno;
use towpath_backend::{Kind, Metadata, RelPath};

use crate::root::Root;
use crate::stat::{NO_FOLLOW, STATX, metadata_of};
use crate::writer::invalid_name;

/// Creates `path` as another name of the file `existing`.
pub(crate) fn hard_link(root: &Root, existing: &RelPath, path: &RelPath) -> io::Result<()> {
    let (from, old_name) = root.resolver.parent(existing)?;
    let (to, new_name) = root.resolver.parent(path)?;
    // Without AT_SYMLINK_FOLLOW, a symbolic link itself gets a second name.
    linkat(from, old_name, to, new_name, AtFlags::empty()).map_err(|error| match error {
        // EPERM: no hard links here, or not to files of other users. EMLINK: too many names. EXDEV: another file system
        // is mounted in between.
        Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK | Errno::XDEV => cannot("link", error),
        _ => invalid_name(error.into()),
    })
}

/// Renames the file or link `from` to `to`, and replaces an entry there.
///
/// `names_fold`: two spellings of one name may appear as two names of one file.
pub(crate) fn rename(root: &Root, from: &RelPath, to: &RelPath, names_fold: bool) -> io::Result<()> {
    let (old_dir, old_name) = root.resolver.parent(from)?;
    let (new_dir, new_name) = root.resolver.parent(to)?;
    let stat = || statx(&old_dir, old_name, NO_FOLLOW, STATX).map(|stat| metadata_of(&stat));
    let before = stat()?;
    if before.kind == Kind::Dir {
        // It would silently replace an empty directory.
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "only files and links are renamed"));
    }
    renameat(&old_dir, old_name, &new_dir, new_name).map_err(|error| match error {
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::XDEV => cannot("rename", error),
        _ => invalid_name(error.into()),
    })?;
    // Renaming one name of a file to another one does nothing and reports success. Where names fold, the old name may
    // be another spelling of the new one, and removing it would remove the file.
    if before.names > 1 && from != to && !names_fold && stat().is_ok_and(|after| after.id == before.id) {
        unlinkat(&old_dir, old_name, AtFlags::empty())?;
    }
    Ok(())
}

/// Whether two spellings name one entry. FUSE gives each spelling its own inode number, but the same times. Two names
/// of one file (hard links) are two entries where case matters.
fn is_one(old: &Metadata, new: &Metadata) -> bool {
    let seen = |metadata: &Metadata| (metadata.kind, metadata.size_bytes, metadata.modified, metadata.changed);
    seen(old) == seen(new) && (old.kind == Kind::Dir || (old.names == 1 && new.names == 1))
}

/// Changes the spelling of `from` to `to`, in the same directory, if both name the same entry.
pub(crate) fn respell(root: &Root, from: &RelPath, to: &RelPath) -> io::Result<()> {
    let (dir, old_name) = root.resolver.parent(from)?;
    let (_, new_name) = root.resolver.parent(to)?;
    let find = |name| statx(&dir, name, NO_FOLLOW, STATX).map(|stat| metadata_of(&stat));
    let (old, new) = (find(old_name)?, find(new_name)?);
    if from.parent() != to.parent() || !is_one(&old, &new) {
        return Err(Errno::EXIST.into());
    }
    renameat(&dir, old_name, &dir, new_name).map_err(|error| invalid_name(error.into()))
}

/// The error of an operation that the file system does not support.
fn cannot(verb: &str, error: Errno) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("the file system cannot {verb} here: {error}"))
}
