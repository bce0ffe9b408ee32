//! Which file system something lies on, and what that means here.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxFlags, fstatfs, fstatvfs, statx};

/// What matters of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    magic: u32,
}

// The numbers of statfs(2) and linux/magic.h.
const NFS: u32 = 0x6969;
const SMB: u32 = 0x517b;
const CIFS: u32 = 0xff53_4d42;
const SMB2: u32 = 0xfe53_4d42;
const FUSE: u32 = 0x6573_5546;
const CEPH: u32 = 0x00c3_6400;
const AFS: u32 = 0x5346_414f;
const V9FS: u32 = 0x0102_1997;
const MSDOS: u32 = 0x4d44;
const EXFAT: u32 = 0x2011_bab0;
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;

impl FileSystem {
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        let magic = fstatfs(file)?.f_type as u64 & 0xffff_ffff;
        Ok(Self { magic: u32::try_from(magic).unwrap_or(0) })
    }

    /// Whether writes end up on another machine, so that only a flush shows
    /// their errors, and only after a flush the times stay as they are set.
    pub(crate) fn is_remote(self) -> bool {
        matches!(self.magic, NFS | SMB | CIFS | SMB2 | FUSE | CEPH | AFS | V9FS)
    }

    /// Whether files live in the page cache alone: there is nothing to write back.
    pub(crate) fn is_memory(self) -> bool {
        matches!(self.magic, TMPFS | RAMFS)
    }

    /// The step of mtimes that the file system is known for. A client's cache
    /// may show finer ones than its server keeps.
    pub(crate) fn mtime_precision_ns(self) -> u64 {
        match self.magic {
            MSDOS => 2_000_000_000,
            EXFAT => 10_000_000,
            SMB | CIFS | SMB2 => 100,
            _ => 1,
        }
    }
}

/// A text that stays the same over remounts and restarts, and differs between
/// trees: of a share, what it is mounted from; of a disk, its number.
pub(crate) fn identity(root: impl AsFd) -> io::Result<String> {
    let root = root.as_fd();
    let flags = StatxFlags::INO | StatxFlags::TYPE | StatxFlags::MNT_ID;
    let stat = statx(root, "", AtFlags::EMPTY_PATH, flags)?;
    let filesystem = FileSystem::of(root)?;
    if filesystem.is_remote()
        && stat.stx_mask & StatxFlags::MNT_ID.bits() != 0
        && let Some(mount) = mount_of(stat.stx_mnt_id)?
    {
        return Ok(format!("{mount} inode {}", stat.stx_ino));
    }
    let id = fstatvfs(root)?.f_fsid;
    Ok(format!("{:x} {id:x} inode {}", filesystem.magic, stat.stx_ino))
}

/// Type, source and root of a mount, as `/proc/self/mountinfo` has them.
fn mount_of(id: u64) -> io::Result<Option<String>> {
    let mounts = std::fs::read("/proc/self/mountinfo")?;
    let mounts = String::from_utf8_lossy(&mounts);
    Ok(mounts.lines().find_map(|line| parse_mount(line, id)))
}

/// Fields as in proc(5): `36 35 98:0 /root /mount/point rw … - type source options`.
fn parse_mount(line: &str, id: u64) -> Option<String> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    if before.next()?.parse() != Ok(id) {
        return None;
    }
    let root = before.nth(2)?;
    let mut after = after.split(' ');
    let (kind, source) = (after.next()?, after.next()?);
    Some(format!("{kind} {source} {root}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_known_by_its_type_source_and_root() {
        let line = "36 35 0:98 / /mnt/new rw,noatime shared:1 - nfs4 server:/export rw,vers=4.2";
        assert_eq!(parse_mount(line, 36).as_deref(), Some("nfs4 server:/export /"));
        assert_eq!(parse_mount(line, 35), None);
    }

    #[test]
    fn two_directories_are_two_trees_and_one_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &std::path::Path| std::fs::File::open(path).unwrap();
        let other = folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let first = identity(open(folder.path())).unwrap();
        assert_eq!(first, identity(open(folder.path())).unwrap());
        assert_ne!(first, identity(open(&other)).unwrap());
    }
}
