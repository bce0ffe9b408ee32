//! File systems that show directories of others: bindfs, mergerfs, overlayfs. With these, device and inode do not
//! reveal that two directories are the same.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::getxattr;

use crate::create_root::is_gone;
use crate::filesystem::FileSystem;
use crate::mounts::Mount;
use crate::named::Named as _;

/// The number of files of a source that are compared.
const SAMPLE_FILES: usize = 32;
/// The number of entries of a source that are searched for them.
const SAMPLE_ENTRIES: usize = 1000;
/// The buffer for the branches of a mergerfs.
const BRANCHES_BYTES: usize = 65_536;

/// The directories that the canonical `path` on `mount` shows, as far as the mount reveals them.
pub(crate) fn shown_by(mount: &Mount, path: &Path) -> Vec<PathBuf> {
    let Some(inside) = mount.inside(path) else { return Vec::new() };
    let roots = match mount.kind.as_str() {
        // Writes go there; the lower directories stay unchanged.
        "overlay" => mount.option("upperdir").into_iter().map(<[u8]>::to_vec).collect(),
        "fuse.mergerfs" => branches(&mount.point),
        kind if kind.starts_with("fuse") => vec![mount.source.as_bytes().to_vec()],
        _ => Vec::new(),
    };
    let roots = roots.iter().map(|root| Path::new(OsStr::from_bytes(root)));
    roots.filter(|root| root.is_absolute() && root.is_dir()).map(|root| root.join(&inside)).collect()
}

/// The directories that a mergerfs joins. Its mount source names them without their common prefix, and an attribute of
/// a special file names them in full: `/a/one=RW:/a/two=NC`.
fn branches(mount_point: &Path) -> Vec<Vec<u8>> {
    let mut value = Vec::with_capacity(BRANCHES_BYTES);
    if getxattr(mount_point.join(".mergerfs"), "user.mergerfs.branches", spare_capacity(&mut value)).is_err() {
        return Vec::new();
    }
    let path = |branch: &[u8]| branch.iter().rposition(|&b| b == b'=').map_or(branch, |end| &branch[..end]).to_vec();
    value.split(|&b| b == b':').map(path).collect()
}

/// Whether `sink` shows the files of `source`: most of a sample have the same size, mtime and ctime, to the nanosecond.
/// As a ctime cannot be set, no copy has that of its original.
///
/// Compares only if one of them lies on a file system that shows files of others.
pub(crate) fn shows_the_same(source: &Path, sink: &Path) -> io::Result<bool> {
    // A client may still show a directory that was just removed on the server.
    let opened = fs::metadata(sink).and_then(|found| Ok((FileSystem::of(fs::File::open(sink)?)?, found.dev())));
    let (there, device) = match opened {
        Err(error) if is_gone(&error) => return Ok(false),
        opened => opened.named("open", sink)?,
    };
    let here = fs::File::open(source).and_then(FileSystem::of).named("open", source)?;
    // Within one file system the inodes decide.
    if device == fs::metadata(source).named("stat", source)?.dev() || !(here.shows_others() || there.shows_others()) {
        return Ok(false);
    }
    // FUSE assigns its own inode numbers; an overlay shows the original ones.
    let has_same_inodes = !here.is_fuse() && !there.is_fuse();
    let (mut compared, mut same) = (0, 0);
    for (file, shown) in Sample::of(source, sink).take(SAMPLE_FILES) {
        compared += 1;
        let is_same = (file.len(), file.mtime(), file.mtime_nsec()) == (shown.len(), shown.mtime(), shown.mtime_nsec())
            && (file.ctime(), file.ctime_nsec()) == (shown.ctime(), shown.ctime_nsec())
            && (!has_same_inodes || file.ino() == shown.ino());
        same += usize::from(is_same);
    }
    Ok(same * 2 > compared)
}

/// Files with the same path in two trees, from the top down. Entries that cannot be read are skipped.
struct Sample<'a> {
    trees: [&'a Path; 2],
    dirs: VecDeque<PathBuf>,
    listing: Option<(PathBuf, fs::ReadDir)>,
    left_entries: usize,
}

impl<'a> Sample<'a> {
    fn of(source: &'a Path, sink: &'a Path) -> Self {
        let dirs = VecDeque::from([PathBuf::new()]);
        Self { trees: [source, sink], dirs, listing: None, left_entries: SAMPLE_ENTRIES }
    }
}

impl Iterator for Sample<'_> {
    type Item = (Metadata, Metadata);

    fn next(&mut self) -> Option<Self::Item> {
        let [source, sink] = self.trees;
        while self.left_entries > 0 {
            let Some((dir, listing)) = &mut self.listing else {
                let dir = self.dirs.pop_front()?;
                self.listing = fs::read_dir(source.join(&dir)).ok().map(|listing| (dir, listing));
                continue;
            };
            let Some(entry) = listing.next() else {
                self.listing = None;
                continue;
            };
            self.left_entries -= 1;
            let Ok(entry) = entry else { continue };
            let path = dir.join(entry.file_name());
            let (Ok(one), Ok(other)) = (entry.metadata(), fs::symlink_metadata(sink.join(&path))) else { continue };
            if one.is_dir() && other.is_dir() {
                self.dirs.push_back(path);
            // Two files may have the same time in whole seconds.
            } else if one.is_file() && other.is_file() && one.ctime_nsec() != 0 {
                return Some((one, other));
            }
        }
        None
    }
}
