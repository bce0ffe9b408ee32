//! How finely a tree keeps mtimes: found out with a file, not guessed.

use std::ffi::OsString;
use std::io;

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, futimens, openat, statx, unlinkat};

use crate::root::{NO_FOLLOW, Root, STATX, metadata_of};

/// The steps that file systems have, the finest first.
const STEPS_NS: [u64; 8] = [1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000, 3_600_000_000_000];

/// An mtime that no step but the first divides: an odd second and odd digits.
const ODD: Timespec = Timespec { tv_sec: 1_000_000_001, tv_nsec: 123_456_789 };

/// The step of the mtimes that `root` keeps, in nanoseconds.
///
/// # Errors
/// If no file can be made there.
pub(crate) fn probe(root: &Root) -> io::Result<u64> {
    let dir = root.resolver.root();
    let name = probe_name();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(dir, &name, flags, Mode::from_raw_mode(0o600))?;
    let kept = futimens(&file, &Timestamps { last_access: ODD, last_modification: ODD }).and_then(|()| {
        // A closed file's times are more likely to be the server's.
        drop(file);
        statx(dir, &name, NO_FOLLOW, STATX)
    });
    unlinkat(dir, &name, AtFlags::empty())?;
    let kept = metadata_of(&kept?).modified.0;
    Ok(step_of(kept).max(root.filesystem.mtime_precision_ns()))
}

/// The coarsest step of what came back. A file system that kept it whole has a step of 1 ns.
fn step_of(kept_ns: i64) -> u64 {
    let divides = |step: &&u64| i64::try_from(**step).is_ok_and(|step| kept_ns % step == 0);
    STEPS_NS.iter().rev().find(divides).copied().unwrap_or(1)
}

/// A hidden name that nobody else has.
fn probe_name() -> OsString {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!(".towpath-probe-{}-{}", std::process::id(), now.as_nanos()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_what_came_back() {
        for (kept, step) in [
            (1_000_000_001_123_456_789, 1),
            (1_000_000_001_123_456_700, 100),
            (1_000_000_001_123_456_000, 1_000),
            (1_000_000_001_123_000_000, 1_000_000),
            (1_000_000_001_120_000_000, 10_000_000),
            (1_000_000_001_000_000_000, 1_000_000_000),
            (1_000_000_000_000_000_000, 2_000_000_000),
            (1_000_000_002_000_000_000, 2_000_000_000),
        ] {
            assert_eq!(step_of(kept), step, "{kept}");
        }
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let step = probe(&Root::open(folder.path()).unwrap()).unwrap();
        assert!(STEPS_NS.contains(&step));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
