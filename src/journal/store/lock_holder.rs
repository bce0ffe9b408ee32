//! Which process holds the lock of a database. Trying the lock could make a run fail that starts at that moment.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{major, minor};

/// The process that has locked a file, as Linux lists its locks. `recorded` is the process of the newest run.
pub(in crate::journal) fn lock_holder(file: &Metadata, recorded: Option<u32>) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    holder(&locks, (major(file.dev()), minor(file.dev())), file.ino(), recorded)
}

/// Finds the lock in the text of `/proc/locks`. Some file systems, such as Btrfs, have another device there than in
/// the metadata of their files: then the process must be the recorded one.
fn holder(locks: &str, device: (u32, u32), inode: u64, recorded: Option<u32>) -> Option<u32> {
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 708 fe:00:4096 0 EOF`; a line with `->` waits for the lock.
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (kind, _, access) = (fields.next()?, fields.next()?, fields.next()?);
        let pid = fields.next()?.parse().ok()?;
        let mut file = fields.next()?.split(':');
        let mut hex = || u32::from_str_radix(file.next()?, 16).ok();
        let locked_device = (hex()?, hex()?);
        let locked_inode: u64 = file.next()?.parse().ok()?;
        let is_same = locked_inode == inode && (locked_device == device || recorded == Some(pid));
        (kind == "FLOCK" && access == "WRITE" && is_same).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_the_lock_is_found() {
        let locks = "\
            1: POSIX  ADVISORY  WRITE 11 fe:01:77 128 128\n\
            2: FLOCK  ADVISORY  READ  12 fe:01:77 0 EOF\n\
            2: -> FLOCK  ADVISORY  WRITE 13 fe:01:77 0 EOF\n\
            3: FLOCK  ADVISORY  WRITE 14 fe:01:78 0 EOF\n\
            4: FLOCK  ADVISORY  WRITE 15 00:2a:77 0 EOF\n\
            5: FLOCK  ADVISORY  WRITE 16 fe:01:77 0 EOF\n\
            garbage\n";
        assert_eq!(holder(locks, (0xfe, 1), 77, None), Some(16));
        assert_eq!(holder(locks, (0xfe, 1), 77, Some(15)), Some(15), "another device, but the recorded process");
        assert_eq!(holder(locks, (0xfe, 1), 79, None), None);
        assert_eq!(holder(locks, (0xfe, 2), 78, Some(1)), None);
    }
}
