//! Tests with a few files what a tree keeps: times, links, holes and names.

mod names;

use std::ffi::{OsStr, OsString};
use std::io;

use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, ftruncate, futimens, linkat, openat, renameat, statx, symlinkat,
    unlinkat,
};
use rustix::io::Errno;
use towpath_backend::{Capabilities, Timestamp};

use crate::holes::may_have_holes;
use crate::named::Named as _;
use crate::root::Root;
use crate::stat::{NO_FOLLOW, STATX, metadata_of};

/// The mtime resolutions of file systems, the coarsest first.
const STEPS_NS: [u64; 7] = [2_000_000_000, 1_000_000_000, 10_000_000, 1_000_000, 1_000, 100, 1];

/// An mtime that is a multiple of no resolution but the last: an odd second and odd digits.
const ODD: Timespec = Timespec { tv_sec: 1_000_000_001, tv_nsec: 123_456_789 };
const ODD_NS: Timestamp = Timestamp::from_ns(1_000_000_001_123_456_789);

/// A hole larger than the blocks that file systems allocate.
const HOLE_BYTES: u64 = 1 << 20;

/// What the file system of `root` can keep.
///
/// One file serves for all tests but those of links and names, so that a distant server gets few requests.
///
/// # Errors
/// If no file can be created there.
pub(crate) fn capabilities(root: &Root) -> io::Result<Capabilities> {
    let scratch = &mut Scratch::new(root);
    let file = scratch.name("file");
    let Findings { kept, holes } = read_back(scratch, &file)?;
    let hard_links = takes_second_name(scratch, &file)?;
    let link = scratch.name("link");
    let symlinks = holds_links(scratch, &link)?;
    let renames = renames(scratch, &file, &link)?;
    scratch.clean()?;
    let folder = scratch.name("names");
    let names = names::rules(root, &folder).named("try names in", &folder)?;
    let step = kept.and_then(step_of);
    Ok(Capabilities {
        mtime_precision_ns: step.unwrap_or(1).max(root.filesystem.mtime_precision_ns()),
        sets_mtime: step.is_some(),
        symlinks,
        hard_links,
        renames,
        holes,
        names,
        probes: true,
        ..Capabilities::PLAIN
    })
}

/// Probe files in the root, which are removed in any case.
struct Scratch<'a> {
    root: &'a Root,
    stem: String,
    created: Vec<OsString>,
}

impl<'a> Scratch<'a> {
    fn new(root: &'a Root) -> Self {
        Self { root, stem: towpath_backend::probe::name(""), created: Vec::new() }
    }

    /// A unique hidden name.
    fn name(&self, of: &str) -> OsString {
        format!("{}{of}", self.stem).into()
    }

    fn created(&mut self, name: &OsStr) {
        self.created.push(name.to_owned());
    }

    /// Removes everything that was created, even if some of it fails; returns the first error.
    fn clean(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for name in self.created.drain(..) {
            match unlinkat(self.root.resolver.root(), &name, AtFlags::empty()) {
                // Renamed to another.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => result = result.and(Err(error).named("remove", &name)),
            }
        }
        result
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let _best_effort = self.clean();
    }
}

/// The results from one file.
struct Findings {
    /// The mtime that was kept of an odd one; `None` if it cannot be set.
    kept: Option<Timestamp>,
    /// Whether the file takes less space than its size.
    holes: bool,
}

/// Creates a file that is one hole, with an odd mtime, and reads back what was kept.
fn read_back(scratch: &mut Scratch<'_>, name: &OsStr) -> io::Result<Findings> {
    let dir = scratch.root.resolver.root();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(dir, name, flags, Mode::from_raw_mode(0o600)).named("create", name)?;
    scratch.created(name);
    // Without support for holes, this may fail or fill the disk.
    let grown = ftruncate(&file, HOLE_BYTES).is_ok();
    let set = futimens(&file, &Timestamps { last_access: ODD, last_modification: ODD });
    // After the close, the times are more likely to be the server's.
    drop(file);
    let stat = statx(dir, name, NO_FOLLOW, STATX);
    let kept = match set {
        Err(error) if is_inability(error) => None,
        set => {
            set.named("set times of", name)?;
            Some(metadata_of(stat.as_ref().map_err(|error| *error).named("stat", name)?).modified)
        }
    };
    Ok(Findings { kept, holes: grown && stat.is_ok_and(|stat| may_have_holes(&stat)) })
}

/// The coarsest resolution of the mtime that was kept; `None` if it is a different time.
fn step_of(kept: Timestamp) -> Option<u64> {
    let divides = |step: &u64| kept.total_ns() % i128::from(*step) == 0;
    let is_near = kept.distance_ns(ODD_NS) < STEPS_NS[0];
    STEPS_NS.into_iter().find(divides).filter(|_| is_near)
}

fn takes_second_name(scratch: &mut Scratch<'_>, file: &OsStr) -> io::Result<bool> {
    let (dir, second) = (scratch.root.resolver.root(), scratch.name("name"));
    match linkat(dir, file, dir, &second, AtFlags::empty()) {
        // It must be removed before the file is renamed.
        Ok(()) => unlinkat(dir, &second, AtFlags::empty()).named("remove", &second)?,
        Err(error) if is_inability(error) => return Ok(false),
        error => error.named("link", &second)?,
    }
    Ok(true)
}

fn holds_links(scratch: &mut Scratch<'_>, link: &OsStr) -> io::Result<bool> {
    match symlinkat("nowhere", scratch.root.resolver.root(), link) {
        Ok(()) => scratch.created(link),
        Err(error) if is_inability(error) => return Ok(false),
        error => error.named("create link", link)?,
    }
    Ok(true)
}

/// Whether renaming the file to the name of the link works, and replaces the link.
fn renames(scratch: &mut Scratch<'_>, file: &OsStr, link: &OsStr) -> io::Result<bool> {
    let dir = scratch.root.resolver.root();
    match renameat(dir, file, dir, link) {
        Ok(()) => {
            scratch.created = vec![link.to_owned()];
            Ok(true)
        }
        Err(error) if is_inability(error) || error == Errno::EXIST => Ok(false),
        Err(error) => Err(error).named("rename", file),
    }
}

/// Whether a file system on which files can be created reports that it does not support this.
fn is_inability(error: Errno) -> bool {
    matches!(
        error,
        Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::MLINK | Errno::XDEV
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolution_is_derived_from_the_mtime_that_was_kept() {
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
            assert_eq!(step_of(Timestamp::from_ns(kept)), Some(step), "{kept}");
        }
        assert_eq!(
            step_of(Timestamp::from_ns(1_700_000_000_123_456_789)),
            None,
            "the time of writing, not the one set"
        );
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let found = capabilities(&Root::open(folder.path()).unwrap()).unwrap();
        assert!(STEPS_NS.contains(&found.mtime_precision_ns) && found.sets_mtime && found.symlinks, "{found:?}");
        assert!(found.hard_links && found.renames && found.holes, "{found:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
