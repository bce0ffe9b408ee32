//! What types of file systems are known to keep, for trees in which nothing may be written to test it.

use rustix::fs::ioctl_getflags;
use towpath_backend::{ByteSet, Capabilities, NameRules};

use crate::filesystem::Names;
use crate::root::Root;

/// `FS_CASEFOLD_FL`: names fold in this directory, and in directories created below it.
const CASEFOLD: u32 = 0x4000_0000;

/// What the file system of `root` can keep, judging by its type.
pub(crate) fn capabilities(root: &Root) -> Capabilities {
    let filesystem = root.filesystem;
    let kind = filesystem.names();
    let is_plain = kind != Names::Fat;
    Capabilities {
        mtime_precision_ns: filesystem.mtime_precision_ns(),
        sets_mtime: true,
        // An SMB server supports them for some clients and not for others.
        symlinks: is_plain && kind != Names::Smb,
        hard_links: is_plain,
        renames: true,
        // Windows fills holes unless a file is marked as sparse.
        holes: is_plain && kind != Names::Smb,
        names: names(root, kind),
        probes: true,
        ..Capabilities::PLAIN
    }
}

fn names(root: &Root, kind: Names) -> NameRules {
    let windows = ByteSet::of(b":*?\"<>|\\").union(ByteSet::of(&CONTROLS));
    match kind {
        Names::Bytes => {
            // Only local file systems answer, and only those that can fold set the flag.
            let folds = ioctl_getflags(root.resolver.root()).is_ok_and(|flags| flags.bits() & CASEFOLD != 0);
            NameRules { folds_case: folds, folds_unicode: folds, ..NameRules::BYTES }
        }
        Names::Fat | Names::Ntfs => {
            NameRules { folds_case: true, trims_end: true, rejected: windows, ..NameRules::BYTES }
        }
        // The client replaces characters that Windows rejects, except for the backslash.
        Names::Smb => NameRules { folds_case: true, utf8_only: true, rejected: ByteSet::of(b"\\"), ..NameRules::BYTES },
        Names::Hfs => NameRules { folds_case: true, folds_unicode: true, utf8_only: true, ..NameRules::BYTES },
    }
}

/// Bytes below the space: file systems reject all of them or none.
pub(crate) const CONTROLS: [u8; 31] = {
    let (mut bytes, mut at) = ([0; 31], 0);
    while at < bytes.len() {
        at += 1;
        bytes[at - 1] = at as u8;
    }
    bytes
};
