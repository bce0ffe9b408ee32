//! The permissions that are lifted for the time of one operation, and restored after it.
//!
//! Several operations in one directory share it: the last one restores. What is kept of a lifted directory is dropped
//! then, so that there are never more entries than operations in flight times the depth of their paths.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, chmod};
use rustix::process::{getegid, geteuid, getgroups};
use towpath_backend::{FileId, Kind, Metadata, Owner};

use crate::proc_fd::{proc_path, through_proc};
use crate::stat::metadata_of_open;

/// What the owner gets of a directory, and of a file.
const DIR_BITS: u32 = 0o700;
pub(crate) const FILE_BITS: u32 = 0o200;
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

#[cfg(test)]
impl WriteAccess {
    /// How many files and directories are lifted.
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
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
