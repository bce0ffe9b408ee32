//! Write access that the owner's permissions do not grant, for one operation.
//!
//! A run that keeps permissions leaves directories (0555) and files (0444) that are not writable. The next run, unless
//! it runs as root, could then change nothing there. If an operation is denied, the permissions of entries that this
//! process owns are lifted (owner `rwx` of a directory, owner `w` of a file), the operation runs again, and the
//! permissions are restored, also if it fails. Group and others get no additional access.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Access, AtFlags, accessat};
use rustix::io::Errno;
use rustix::process::geteuid;
use towpath_backend::{Owner, RelPath};

use crate::lifted::{FILE_BITS, Hold};
use crate::named;
use crate::root::Root;
use crate::stat::metadata_of_open;

/// The owner's bits that a change in a directory needs, and that passing through one needs.
const CHANGE: u32 = 0o300;
const PASS: u32 = 0o100;

pub(crate) fn is_denied(error: &io::Error) -> bool {
    named::raw_os_error(error) == Some(Errno::ACCESS.raw_os_error())
}

impl Root {
    /// Runs `work`, which changes the entries at `paths`. If it is denied, it runs once more while the owner may write
    /// to the directories that hold them.
    pub(crate) fn with_write_access<T>(&self, paths: &[&RelPath], work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let denied = match work() {
            Err(error) if is_denied(&error) => error,
            done => return done,
        };
        // If nothing can be lifted, the operation's own error is returned.
        let holds: Vec<_> = paths.iter().filter_map(|path| self.hold_dirs_above(path).ok()).flatten().collect();
        if holds.is_empty() {
            return Err(self.explain_denied(paths, denied));
        }
        restored(holds, work())
    }

    /// Lifts the permissions of the ancestors of `path`, from the root down, where an operation needs it.
    pub(crate) fn hold_dirs_above(&self, path: &RelPath) -> io::Result<Vec<Hold<'_>>> {
        let mut holds = Vec::new();
        for dir in dirs_above(path) {
            let needs = if path.parent().as_ref() == Some(&dir) { CHANGE } else { PASS };
            holds.extend(self.write_access.lift(&self.resolver.pin(&dir)?, needs)?);
        }
        Ok(holds)
    }

    /// Opens the file at `path` for writing with `open`. If that is denied, tries again while its owner may write to
    /// it.
    pub(crate) fn open_with_write_access<T>(&self, path: &RelPath, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let denied = match open() {
            Err(error) if is_denied(&error) => error,
            done => return done,
        };
        // If it is missing or cannot be opened, the directory is the cause.
        let Ok(handle) = self.resolver.pin(path) else { return Err(denied) };
        match self.write_access.lift(&handle, FILE_BITS) {
            // The file stays open for writing.
            Ok(Some(hold)) => restored(vec![hold], open()),
            Ok(None) => Err(explain_denied_file(&handle, denied)),
            Err(_) => Err(denied),
        }
    }

    /// The error with its cause and remedy, if a directory of another user is the cause.
    fn explain_denied(&self, paths: &[&RelPath], denied: io::Error) -> io::Error {
        for path in paths {
            for dir in dirs_above(path) {
                let Ok(handle) = self.resolver.pin(&dir) else { break };
                let needs = if path.parent().as_ref() == Some(&dir) { Access::WRITE_OK } else { Access::EXEC_OK };
                if let Some(owner) = other_owner(&handle)
                    && accessat(&handle, ".", needs | Access::EXEC_OK, AtFlags::EACCESS).is_err()
                {
                    let what = if dir.is_root() { "the root directory".to_owned() } else { format!("directory {dir}") };
                    return not_ours(&what, owner, "", &denied);
                }
            }
        }
        denied
    }
}

/// The ancestors of `path`, from the root down.
fn dirs_above(path: &RelPath) -> impl Iterator<Item = RelPath> + use<> {
    let mut dirs: Vec<_> = std::iter::successors(path.parent(), RelPath::parent).collect();
    dirs.reverse();
    dirs.into_iter()
}

/// The error with its cause and remedy, if the file belongs to another user.
fn explain_denied_file(handle: &OwnedFd, denied: io::Error) -> io::Error {
    match other_owner(handle) {
        Some(owner) => not_ours("the file", owner, ", or let it be replaced (--write-mode atomic)", &denied),
        None => denied,
    }
}

/// The owner, if it is another user than that of this process.
fn other_owner(handle: &OwnedFd) -> Option<Owner> {
    metadata_of_open(handle).ok()?.owner.filter(|owner| owner.user != geteuid().as_raw())
}

fn not_ours(what: &str, owner: Owner, or: &str, denied: &io::Error) -> io::Error {
    let (user, euid) = (owner.user, geteuid().as_raw());
    let text = format!(
        "{denied}: {what} belongs to user {user} and user {euid} may not write there; run as its owner or as root, or \
         grant write access{or}"
    );
    io::Error::new(denied.kind(), text)
}

/// Restores lifted permissions, the deepest first; returns the result of the operation, or else the error of restoring.
fn restored<T>(holds: Vec<Hold<'_>>, result: io::Result<T>) -> io::Result<T> {
    let mut restored = Ok(());
    for hold in holds.into_iter().rev() {
        restored = restored.and(hold.release());
    }
    let done = result?;
    restored.map(|()| done)
}

#[cfg(test)]
mod tests;
