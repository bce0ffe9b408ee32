//! Metadata from statx.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, statx};
use towpath_backend::{FileId, Kind, Metadata, Owner, Timestamp};

/// The requested fields of statx.
pub(crate) const STATX: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);
/// Stats links themselves, and triggers no automount.
pub(crate) const NO_FOLLOW: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);

/// The result of statx for an open file.
pub(crate) fn stat_open(file: impl AsFd) -> io::Result<Statx> {
    Ok(statx(file, "", AtFlags::EMPTY_PATH, STATX)?)
}

/// The same, with how it can be read directly.
pub(crate) fn stat_to_read_directly(file: impl AsFd) -> io::Result<Statx> {
    Ok(statx(file, "", AtFlags::EMPTY_PATH, STATX | StatxFlags::DIOALIGN)?)
}

/// The same, but the attributes of a network mount come from the server, not from the client's cache: one request.
pub(crate) fn stat_storage(file: impl AsFd) -> io::Result<Statx> {
    Ok(statx(file, "", AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC, STATX)?)
}

/// The metadata of an open file.
pub(crate) fn metadata_of_open(file: impl AsFd) -> io::Result<Metadata> {
    stat_open(file).map(|stat| metadata_of(&stat))
}

/// The unit of `stx_blocks`, whatever the block size of the file system.
const BLOCK_BYTES: u64 = 512;

pub(crate) fn metadata_of(stat: &Statx) -> Metadata {
    let time = |time: &StatxTimestamp| Timestamp::from_parts(time.tv_sec, time.tv_nsec);
    let mode = u32::from(stat.stx_mode);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Metadata {
        accessed: Some(time(&stat.stx_atime)),
        changed: Some(time(&stat.stx_ctime)),
        // If the file system has no creation time, the kernel leaves the bit unset.
        created: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(&stat.stx_btime)),
        permissions: Some(mode & 0o7777),
        owner: Some(Owner { user: stat.stx_uid, group: stat.stx_gid }),
        id: Some(FileId { device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), inode: stat.stx_ino }),
        names: u64::from(stat.stx_nlink),
        mount: (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id),
        allocated_bytes: (stat.stx_mask & StatxFlags::BLOCKS.bits() != 0)
            .then(|| stat.stx_blocks.saturating_mul(BLOCK_BYTES)),
        ..Metadata::new(kind, stat.stx_size, time(&stat.stx_mtime))
    }
}
