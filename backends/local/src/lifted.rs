//! Permissions that are lifted for one operation and restored after it.
//!
//! Concurrent operations in one directory share the lifted permissions: the last one restores them and drops the entry,
//! so that there are never more entries than operations in flight times the depth of their paths.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, chmod};
use rustix::process::{getegid, geteuid, getgroups};
use towpath_backend::{FileId, Kind, Metadata, Owner};

use crate::proc_fd::{proc_path, through_proc};
use crate::stat::metadata_of_open;

/// The bits that the owner gets on a directory, and on a file.
const DIR_BITS: u32 = 0o700;
pub(crate) const FILE_BITS: u32 = 0o200;
const SETGID: u32 = 0o2000;
/// Separate locks, so that operations in other directories do not wait while a server responds about this one.
const SHARDS: usize = 64;

/// The permissions that are currently lifted.
#[derive(Debug)]
pub(crate) struct WriteAccess {
    shards: [Mutex<HashMap<FileId, Lifted>>; SHARDS],
}

#[derive(Debug)]
struct Lifted {
    holders: usize,
    /// The permissions to restore.
    permissions: u32,
    /// The bits added for the owner.
    added: u32,
}

impl Default for WriteAccess {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

/// Keeps the permissions of one file or directory lifted. The last hold restores them.
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
        // Not released, because the work panicked: best effort.
        let _best_effort = self.put_back();
    }
}

impl WriteAccess {
    fn shard(&self, id: FileId) -> MutexGuard<'_, HashMap<FileId, Lifted>> {
        let shard = usize::try_from(id.inode % SHARDS as u64).unwrap_or(0);
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the owner write to the file or directory of `handle`. `None` if that would not help: it belongs to another
    /// user, is a link, or its owner already has the bits of `needs`.
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

    /// Sets permissions. If they are currently lifted, these are the ones that are restored later.
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

    /// Whether a file currently shows lifted permissions.
    pub(crate) fn is_lifted(&self, id: Option<FileId>) -> bool {
        id.is_some_and(|id| self.shard(id).contains_key(&id))
    }
}

#[cfg(test)]
impl WriteAccess {
    /// The number of files and directories with lifted permissions.
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

fn change_mode(handle: &OwnedFd, permissions: u32) -> io::Result<()> {
    chmod(proc_path(handle), Mode::from_raw_mode(permissions)).map_err(through_proc)
}

/// Whether this process can restore the permissions: it is the owner, and the kernel lets it keep setgid.
fn may_restore(owner: Option<Owner>, permissions: u32) -> bool {
    let Some(owner) = owner else { return false };
    let is_own_group = || {
        owner.group == getegid().as_raw()
            || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == owner.group))
    };
    owner.user == geteuid().as_raw() && (permissions & SETGID == 0 || geteuid().is_root() || is_own_group())
}
