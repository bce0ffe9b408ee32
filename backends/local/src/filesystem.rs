//! Which file system something lies on, and what that means here.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxFlags, fstatfs, fstatvfs, statx};

use crate::mounts::Mount;

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
const KAFS: u32 = 0x6b41_4653;
const V9FS: u32 = 0x0102_1997;
const LUSTRE: u32 = 0x0bd0_0bd0;
const GPFS: u32 = 0x4750_4653;
const BEEGFS: u32 = 0x1983_0326;
const PANFS: u32 = 0xaad7_aaea;
const VBOXSF: u32 = 0x786f_4256;
const MSDOS: u32 = 0x4d44;
const EXFAT: u32 = 0x2011_bab0;
const NTFS: u32 = 0x5346_544e;
const NTFS3: u32 = 0x7366_746e;
const HFS_PLUS: u32 = 0x482b;
const OVERLAY: u32 = 0x794c_7630;
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;

/// Which names file systems are known to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Any bytes, as most do.
    Bytes,
    /// FAT and exFAT, which have neither links nor holes.
    Fat,
    Ntfs,
    Smb,
    Hfs,
}

impl FileSystem {
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        let magic = fstatfs(file)?.f_type as u64 & 0xffff_ffff;
        Ok(Self { magic: u32::try_from(magic).unwrap_or(0) })
    }

    /// Whether writes end up on another machine, so that only a flush shows
    /// their errors, and only after a flush the times stay as they are set.
    pub(crate) fn is_remote(self) -> bool {
        matches!(
            self.magic,
            NFS | SMB | CIFS | SMB2 | FUSE | CEPH | AFS | KAFS | V9FS | LUSTRE | GPFS | BEEGFS | PANFS | VBOXSF
        )
    }

    /// Whether it may show files of another file system of this machine.
    pub(crate) fn shows_others(self) -> bool {
        self.is_fuse() || self.magic == OVERLAY
    }

    /// Whether a program answers for it.
    pub(crate) fn is_fuse(self) -> bool {
        self.magic == FUSE
    }

    /// Whether what is read may pass the page cache by, so that what a client was asked to fetch ahead into it comes
    /// once more: SMB's where the server lets it cache nothing (`oplocks = no`, someone else writes, `cache=none`),
    /// FUSE's with `direct_io`. NFS's client always caches what it reads.
    pub(crate) fn may_pass_cache(self) -> bool {
        self.is_remote() && self.magic != NFS
    }

    /// Whether an mtime that was set through the handle that wrote the data is
    /// shown as the time of the close for a second or so. The server has the
    /// right one; who looks meanwhile sees a file that seems to have changed.
    pub(crate) fn shows_the_close_as_mtime(self) -> bool {
        matches!(self.magic, SMB | CIFS | SMB2)
    }

    /// Whether files live in the page cache alone: there is nothing to write back.
    pub(crate) fn is_memory(self) -> bool {
        matches!(self.magic, TMPFS | RAMFS)
    }

    /// What it is known to do with names.
    pub(crate) fn names(self) -> Names {
        match self.magic {
            MSDOS | EXFAT => Names::Fat,
            NTFS | NTFS3 => Names::Ntfs,
            SMB | CIFS | SMB2 => Names::Smb,
            HFS_PLUS => Names::Hfs,
            _ => Names::Bytes,
        }
    }

    /// The step of mtimes that the file system is known for. A client's cache
    /// may show finer ones than its server keeps.
    pub(crate) fn mtime_precision_ns(self) -> u64 {
        match self.magic {
            MSDOS => 2_000_000_000,
            EXFAT => 10_000_000,
            SMB | CIFS | SMB2 | NTFS | NTFS3 => 100,
            HFS_PLUS => 1_000_000_000,
            _ => 1,
        }
    }
}

/// A text that stays the same over remounts and restarts, and differs between
/// trees: of a share, what it is mounted from; of a disk, its number.
pub(crate) fn identity(root: impl AsFd) -> io::Result<String> {
    let root = root.as_fd();
    let stat = statx(root, "", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME)?;
    let inode = stat.stx_ino;
    let filesystem = FileSystem::of(root)?;
    if filesystem.is_remote()
        && let Some(mount) = Mount::of(root)?
    {
        return Ok(format!("{} inode {inode}", mount.name()));
    }
    let id = fstatvfs(root)?.f_fsid;
    // A directory that is removed and made anew often gets the same inode.
    let born = if stat.stx_mask & StatxFlags::BTIME.bits() == 0 {
        String::new()
    } else {
        format!(" born {}.{:09}", stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec)
    };
    Ok(format!("{:x} {id:x} inode {inode}{born}", filesystem.magic))
}

#[cfg(test)]
mod tests {
    use super::*;

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
