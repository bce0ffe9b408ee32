//! Whether the device below a file system has a cache of this machine.

use std::fs;
use std::path::Path;

use rustix::fs::Statx;

/// How many devices can lie one above the other: a partition, encryption, a volume, a RAID.
const MAX_DEPTH: u8 = 8;

/// Whether a loop device is below it that reads its file through the page cache: what was dropped above it may still be
/// cached there. (`losetup --direct-io=on` ends that.) File systems without a device of their own are not examined.
pub(crate) fn has_cache(stat: &Statx) -> bool {
    let device = format!("/sys/dev/block/{}:{}", stat.stx_dev_major, stat.stx_dev_minor);
    is_buffered(Path::new(&device), 0)
}

fn is_buffered(device: &Path, depth: u8) -> bool {
    let Ok(device) = device.canonicalize() else { return false };
    // A partition is a folder in that of its disk.
    let loops = [device.join("loop/dio"), device.join("../loop/dio")];
    if loops.iter().any(|file| fs::read(file).is_ok_and(|dio| dio.starts_with(b"0"))) {
        return true;
    }
    let Ok(below) = fs::read_dir(device.join("slaves")) else { return false };
    depth < MAX_DEPTH && below.flatten().any(|device| is_buffered(&device.path(), depth + 1))
}
