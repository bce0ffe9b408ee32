//! The type of a file system, and what it implies.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::fstatfs;

/// A file system, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    magic: u32,
}

// Magic numbers from statfs(2) and linux/magic.h.
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
const EXT: u32 = 0xef53;
const XFS: u32 = 0x5846_5342;
const BTRFS: u32 = 0x9123_683e;
const ZFS: u32 = 0x2fc1_2fc1;
const BCACHEFS: u32 = 0xca45_1a4e;
const F2FS: u32 = 0xf2f5_2010;

/// The names that file systems are known to accept.
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

/// What is known of reads with `O_DIRECT`: on some file systems they silently go through the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirectReads {
    /// They are requests to the server, of any offset and length.
    OfAnyBytes,
    /// They bypass the page cache.
    OfBlocks,
    /// They do if statx reports their alignment for the file: not if it is encrypted, compressed or journaled, for example.
    IfReported,
    Unknown,
}

/// What the number of a file system in statvfs is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdSource {
    /// Its UUID: it is permanent.
    Uuid,
    /// Its device number, or unknown: it may change with the next mount.
    Device,
    /// The same, and the creation time of its root is missing or that of the mount.
    DeviceAndNoTimes,
}

impl FileSystem {
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        let magic = fstatfs(file)?.f_type as u64 & 0xffff_ffff;
        Ok(Self { magic: u32::try_from(magic).unwrap_or(0) })
    }

    /// Whether writes go to another machine, so that errors show only in a flush, and times stay as set only after a
    /// flush.
    pub(crate) fn is_remote(self) -> bool {
        matches!(
            self.magic,
            NFS | SMB | CIFS | SMB2 | FUSE | CEPH | AFS | KAFS | V9FS | LUSTRE | GPFS | BEEGFS | PANFS | VBOXSF
        )
    }

    /// Whether it may show files of another local file system.
    pub(crate) fn shows_others(self) -> bool {
        self.is_fuse() || self.magic == OVERLAY
    }

    #[cfg(test)]
    pub(crate) fn with_magic(magic: u32) -> Self {
        Self { magic }
    }

    /// The magic number of its type, as statfs reports it.
    pub(crate) fn magic(self) -> u32 {
        self.magic
    }

    /// The name of its type; its number if it has no name here.
    pub(crate) fn name(self) -> String {
        let name = match self.magic {
            EXT => "ext",
            XFS => "xfs",
            BTRFS => "btrfs",
            ZFS => "zfs",
            BCACHEFS => "bcachefs",
            F2FS => "f2fs",
            TMPFS => "tmpfs",
            OVERLAY => "overlay",
            MSDOS => "fat",
            EXFAT => "exfat",
            NTFS | NTFS3 => "ntfs",
            HFS_PLUS => "hfsplus",
            other => return format!("type {other:x}"),
        };
        name.to_owned()
    }

    pub(crate) fn id_source(self) -> IdSource {
        match self.magic {
            EXT | BTRFS | ZFS | BCACHEFS | TMPFS => IdSource::Uuid,
            MSDOS | EXFAT => IdSource::DeviceAndNoTimes,
            _ => IdSource::Device,
        }
    }

    pub(crate) fn is_smb(self) -> bool {
        matches!(self.magic, SMB | CIFS | SMB2)
    }

    /// Whether a user-space program serves it.
    pub(crate) fn is_fuse(self) -> bool {
        self.magic == FUSE
    }

    /// Whether reads may bypass the page cache, so that data prefetched into it would be sent twice: with SMB if the
    /// server does not let the client cache (`oplocks = no`, another writer, `cache=none`), with FUSE and `direct_io`.
    /// The NFS client always caches what it reads.
    pub(crate) fn may_pass_cache(self) -> bool {
        self.is_remote() && self.magic != NFS
    }

    pub(crate) fn direct_reads(self) -> DirectReads {
        match self.magic {
            NFS | SMB | CIFS | SMB2 => DirectReads::OfAnyBytes,
            CEPH | XFS => DirectReads::OfBlocks,
            EXT | F2FS => DirectReads::IfReported,
            // btrfs reads compressed data through the page cache, and overlayfs may lie above anything.
            _ => DirectReads::Unknown,
        }
    }

    /// Whether it keeps content in a cache that is neither the page cache nor bypassed by direct reads: in memory, or
    /// on a disk of the client.
    pub(crate) fn has_own_cache(self) -> bool {
        matches!(self.magic, ZFS | GPFS | AFS | KAFS)
    }

    /// Whether an mtime set through the handle that wrote the data shows as the time of the close for about a second.
    /// The server has the right one, but a stat in between shows a file that seems to have changed.
    pub(crate) fn shows_the_close_as_mtime(self) -> bool {
        self.is_smb()
    }

    /// Whether files exist only in the page cache, so that there is nothing to write back.
    pub(crate) fn is_memory(self) -> bool {
        matches!(self.magic, TMPFS | RAMFS)
    }

    /// Its known rules for names.
    pub(crate) fn names(self) -> Names {
        match self.magic {
            MSDOS | EXFAT => Names::Fat,
            NTFS | NTFS3 => Names::Ntfs,
            SMB | CIFS | SMB2 => Names::Smb,
            HFS_PLUS => Names::Hfs,
            _ => Names::Bytes,
        }
    }

    /// The known resolution of its mtimes. A client's cache may show finer ones than its server keeps.
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
