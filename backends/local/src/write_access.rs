//! Write access that the owner's permissions do not grant, for the time of one operation.
//!
//! A run that keeps permissions leaves directories that are not writable (0555) and files that are not (0444). The next
//! run, unless it is root's, could then change nothing there. Where an operation is denied, the permissions of what
//! this process owns are lifted (owner `rwx` of a directory, owner `w` of a file), the operation runs again, and the
//! permissions are restored, also if it fails. Group and others gain nothing.
//!
//! Several operations in one directory share it: the last one restores. What is kept of a lifted directory is dropped
//! then, so that there are never more entries than operations in flight times the depth of their paths.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Access, AtFlags, Mode, accessat, chmod};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};
use towpath_backend::{FileId, Kind, Metadata, Owner, RelPath};

use crate::attributes::{proc_path, through_proc};
use crate::named;
use crate::root::{Root, metadata_of_open};

/// What the owner gets of a directory, and of a file.
const DIR_BITS: u32 = 0o700;
const FILE_BITS: u32 = 0o200;
/// What a change in a directory needs, and what passing through one needs.
const CHANGE: u32 = 0o300;
const PASS: u32 = 0o100;
const SETGID: u32 = 0o2000;
/// Independent locks, so that operations in other directories do not wait for a server's answer about this one.
const SHARDS: usize = 64;

/// The permissions that are lifted at the moment.
#[derive(Debug)]
pub(crate) struct WriteAccess {
    shards: [Mutex<HashMap<FileId, Lifted>>; SHARDS],
}

#[derive(Debug)]
struct Lifted {
    holders: usize,
    /// What is restored.
    permissions: u32,
    /// What the owner has beyond it meanwhile.
    added: u32,
}

impl Default for WriteAccess {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

/// Keeps the permissions of one file or directory lifted. The last one to go restores them.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    access: &'a WriteAccess,
    id: FileId,
    /// `None` once it is released.
    handle: Option<OwnedFd>,
}

impl Hold<'_> {
    /// Restores the permissions, unless others still need them lifted.
    ///
    /// # Errors
    /// If they cannot be restored.
    pub(crate) fn release(mut self) -> io::Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> io::Result<()> {
        let Some(handle) = self.handle.take() else { return Ok(()) };
        let mut shard = self.access.shard(self.id);
        let Some(lifted) = shard.get_mut(&self.id) else { return Ok(()) };
        lifted.holders -= 1;
        if lifted.holders > 0 {
            return Ok(());
        }
        let permissions = lifted.permissions;
        shard.remove(&self.id);
        change_mode(&handle, permissions).map_err(|error| {
            io::Error::new(error.kind(), format!("restore permissions {permissions:04o}: {error}; set them by hand"))
        })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // Not released: the work panicked, or the permissions are restored as well as can be.
        let _best_effort = self.put_back();
    }
}

impl WriteAccess {
    fn shard(&self, id: FileId) -> MutexGuard<'_, HashMap<FileId, Lifted>> {
        let shard = usize::try_from(id.inode % SHARDS as u64).unwrap_or(0);
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the owner write to the file or directory that `handle` names. `None` if nothing is gained by that: it
    /// belongs to another user, is a link, or its owner has the bits of `needs` already.
    pub(crate) fn lift(&self, handle: &OwnedFd, needs: u32) -> io::Result<Option<Hold<'_>>> {
        let Some(id) = metadata_of_open(handle)?.id else { return Ok(None) };
        let mut shard = self.shard(id);
        // Read under the lock: another operation may be about to lift or restore them.
        let now = metadata_of_open(handle)?;
        if let Some(lifted) = shard.get_mut(&id) {
            let handle = Some(handle.try_clone()?);
            lifted.holders += 1;
            return Ok(Some(Hold { access: self, id, handle }));
        }
        let added = match now.kind {
            Kind::Dir => DIR_BITS,
            Kind::File => FILE_BITS,
            Kind::Symlink | Kind::Other => return Ok(None),
        };
        let Some(permissions) = now.permissions.filter(|bits| bits & needs != needs) else { return Ok(None) };
        if !may_restore(now.owner, permissions) {
            return Ok(None);
        }
        let kept = handle.try_clone()?;
        change_mode(handle, permissions | added)?;
        shard.insert(id, Lifted { holders: 1, permissions, added });
        Ok(Some(Hold { access: self, id, handle: Some(kept) }))
    }

    /// Sets permissions. Where they are lifted now, they are those that are restored.
    pub(crate) fn set_permissions(&self, handle: &OwnedFd, now: &Metadata, permissions: u32) -> io::Result<()> {
        let permissions = permissions & 0o7777;
        let Some(id) = now.id else { return change_mode(handle, permissions) };
        let mut shard = self.shard(id);
        let added = shard.get_mut(&id).map_or(0, |lifted| {
            lifted.permissions = permissions;
            lifted.added
        });
        change_mode(handle, permissions | added)
    }

    /// Whether the permissions that a file shows are not its own.
    pub(crate) fn is_lifted(&self, id: Option<FileId>) -> bool {
        id.is_some_and(|id| self.shard(id).contains_key(&id))
    }
}

fn change_mode(handle: &OwnedFd, permissions: u32) -> io::Result<()> {
    chmod(proc_path(handle), Mode::from_raw_mode(permissions)).map_err(through_proc)
}

/// Whether this process may set the permissions again: it is the owner, and the kernel lets it keep setgid.
fn may_restore(owner: Option<Owner>, permissions: u32) -> bool {
    let Some(owner) = owner else { return false };
    let is_own_group = || {
        owner.group == getegid().as_raw()
            || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == owner.group))
    };
    owner.user == geteuid().as_raw() && (permissions & SETGID == 0 || geteuid().is_root() || is_own_group())
}

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
