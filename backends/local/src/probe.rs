//! What a tree keeps of times and links: found out with a file and a link, not guessed.

use std::ffi::OsString;
use std::io;

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, futimens, openat, statx, symlinkat, unlinkat};
use rustix::io::Errno;
use towpath_backend::{Capabilities, Timestamp};

use crate::root::{NO_FOLLOW, Root, STATX, metadata_of};

/// The steps that file systems have, the coarsest first.
const STEPS_NS: [u64; 7] = [2_000_000_000, 1_000_000_000, 10_000_000, 1_000_000, 1_000, 100, 1];

/// An mtime that no step but the last divides: an odd second and odd digits.
const ODD: Timespec = Timespec { tv_sec: 1_000_000_001, tv_nsec: 123_456_789 };
const ODD_NS: Timestamp = Timestamp(1_000_000_001_123_456_789);

/// What can be kept beneath `root`.
///
/// # Errors
/// If no file can be made there.
pub(crate) fn capabilities(root: &Root) -> io::Result<Capabilities> {
    let kept = kept_mtime(root)?;
    let known_ns = root.filesystem.mtime_precision_ns();
    Ok(Capabilities {
        mtime_precision_ns: kept.and_then(step_of).unwrap_or(1).max(known_ns),
        sets_mtime: kept.and_then(step_of).is_some(),
        symlinks: holds_links(root)?,
        ..Capabilities::PLAIN
    })
}

/// What becomes of an odd mtime; `None` if it cannot be set.
fn kept_mtime(root: &Root) -> io::Result<Option<Timestamp>> {
    let (dir, name) = (root.resolver.root(), probe_name("file"));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(dir, &name, flags, Mode::from_raw_mode(0o600))?;
    let set = futimens(&file, &Timestamps { last_access: ODD, last_modification: ODD });
    // A closed file's times are more likely to be the server's.
    drop(file);
    let kept = statx(dir, &name, NO_FOLLOW, STATX);
    unlinkat(dir, &name, AtFlags::empty())?;
    match set {
        Err(error) if is_inability(error) => Ok(None),
        set => {
            set?;
            Ok(Some(metadata_of(&kept?).modified))
        }
    }
}

/// The coarsest step of what came back; `None` if it is another time altogether.
fn step_of(kept: Timestamp) -> Option<u64> {
    let divides = |step: &u64| i64::try_from(*step).is_ok_and(|step| kept.0 % step == 0);
    let is_near = kept.distance_ns(ODD_NS) < STEPS_NS[0];
    STEPS_NS.into_iter().find(divides).filter(|_| is_near)
}

fn holds_links(root: &Root) -> io::Result<bool> {
    let (dir, name) = (root.resolver.root(), probe_name("link"));
    match symlinkat("nowhere", dir, &name) {
        Ok(()) => unlinkat(dir, &name, AtFlags::empty())?,
        Err(error) if is_inability(error) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

/// Whether a file system that lets files be made says that it cannot do this.
fn is_inability(error: Errno) -> bool {
    matches!(error, Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL)
}

/// A hidden name that nobody else has.
fn probe_name(of: &str) -> OsString {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!(".towpath-probe-{}-{}-{of}", std::process::id(), now.as_nanos()).into()
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
            assert_eq!(step_of(Timestamp(kept)), Some(step), "{kept}");
        }
        assert_eq!(step_of(Timestamp(1_700_000_000_123_456_789)), None, "the time of writing, not the one set");
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let found = capabilities(&Root::open(folder.path()).unwrap()).unwrap();
        assert!(STEPS_NS.contains(&found.mtime_precision_ns) && found.sets_mtime && found.symlinks, "{found:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
