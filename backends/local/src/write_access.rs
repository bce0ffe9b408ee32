//! Write access that the owner's permissions do not grant, for the time of one operation.
//!
//! A run that keeps permissions leaves directories that are not writable (0555) and files that are not (0444). The next
//! run, unless it is root's, could then change nothing there. Where an operation is denied, the permissions of what
//! this process owns are lifted (owner `rwx` of a directory, owner `w` of a file), the operation runs again, and the
//! permissions are restored, also if it fails. Group and others gain nothing.

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

/// What a change in a directory needs, and what passing through one needs.
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
        // What cannot be lifted leaves the operation's own error.
        let holds: Vec<_> = paths.iter().filter_map(|path| self.hold_dirs_above(path).ok()).flatten().collect();
        if holds.is_empty() {
            return Err(self.explain_denied(paths, denied));
        }
        restored(holds, work())
    }

    /// Lifts the permissions of the directories above `path`, from the root down, where an operation there needs it.
    pub(crate) fn hold_dirs_above(&self, path: &RelPath) -> io::Result<Vec<Hold<'_>>> {
        let mut holds = Vec::new();
        for dir in dirs_above(path) {
            let needs = if path.parent().as_ref() == Some(&dir) { CHANGE } else { PASS };
            holds.extend(self.write_access.lift(&self.resolver.pin(&dir)?, needs)?);
        }
        Ok(holds)
    }

    /// Opens the file at `path` for writing by `open`. If that is denied, once more while its owner may write to it.
    pub(crate) fn open_with_write_access<T>(&self, path: &RelPath, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let denied = match open() {
            Err(error) if is_denied(&error) => error,
            done => return done,
        };
        // If there is none, or it cannot be reached, the directory is at fault.
        let Ok(handle) = self.resolver.pin(path) else { return Err(denied) };
        match self.write_access.lift(&handle, FILE_BITS) {
            // What is open stays open for writing.
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
                if let Some(owner) = stranger(&handle)
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

/// The directories that hold `path`, the root first.
fn dirs_above(path: &RelPath) -> impl Iterator<Item = RelPath> + use<> {
    let mut dirs: Vec<_> = std::iter::successors(path.parent(), RelPath::parent).collect();
    dirs.reverse();
    dirs.into_iter()
}

/// The error with its cause and remedy, if the file belongs to another user.
fn explain_denied_file(handle: &OwnedFd, denied: io::Error) -> io::Error {
    match stranger(handle) {
        Some(owner) => not_ours("the file", owner, ", or let it be replaced (--write-mode atomic)", &denied),
        None => denied,
    }
}

/// The owner, if that is another user than this process's.
fn stranger(handle: &OwnedFd) -> Option<Owner> {
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

/// The result of what was done while permissions were lifted, once they are restored, the deepest first.
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
