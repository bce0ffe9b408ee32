//! Whether two trees overlap: such a migration would never end.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::mounts::Mount;
use crate::named::Named as _;
use crate::views;

/// How two trees overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// They are the same directory.
    Same,
    /// The destination shows the files of the source, through a file system that shows those of others.
    Shown,
    /// The destination lies inside the source.
    SinkInSource,
    /// The source lies inside the destination.
    SourceInSink,
}

/// How `source` and `sink` overlap, if they do. The sink may be missing, but not its parent.
///
/// Compares the directories themselves (device and inode), their places in the file system or on the server, and what
/// bindfs, mergerfs and overlayfs show, so that links, bind mounts and several mounts of one share are recognized.
///
/// # Errors
/// If one of them cannot be read.
pub fn overlap(source: &Path, sink: &Path) -> io::Result<Option<Overlap>> {
    let (source, sink) = (source.canonicalize().named("resolve", source)?, canonical(sink).named("resolve", sink)?);
    if let Some(found) = of_dirs(&source, &sink)? {
        return Ok(Some(found));
    }
    let (sources, sinks) = (with_shown(source)?, with_shown(sink)?);
    for source in &sources {
        for sink in &sinks {
            match of_dirs(source, sink)? {
                Some(Overlap::Same) => return Ok(Some(Overlap::Shown)),
                None => {}
                found => return Ok(found),
            }
        }
    }
    Ok(views::shows_the_same(&sources[0], &sinks[0])?.then_some(Overlap::Shown))
}

/// How two directories at canonical paths overlap. The sink may be missing.
fn of_dirs(source: &Path, sink: &Path) -> io::Result<Option<Overlap>> {
    let chains = (chain(source)?, chain(sink)?);
    Ok(match (chains.0.first(), chains.1.first()) {
        (Some(source), Some(sink)) if source.is_some() && source == sink => Some(Overlap::Same),
        (Some(source), _) if source.is_some() && chains.1.contains(source) => Some(Overlap::SinkInSource),
        (_, Some(sink)) if sink.is_some() && chains.0.contains(sink) => Some(Overlap::SourceInSink),
        _ => of_places(place(source)?, place(sink)?),
    })
}

/// A directory, and the directories that it shows.
fn with_shown(path: PathBuf) -> io::Result<Vec<PathBuf>> {
    let shown = mount(&path)?.map(|mount| views::shown_by(&mount, &path)).unwrap_or_default();
    // Directories that are missing or not accessible show nothing.
    let shown = shown.iter().filter_map(|shown| canonical(shown).ok());
    Ok(std::iter::once(path.clone()).chain(shown).collect())
}

/// The place of a directory: the name of its file system, and the path in it.
type Place = (String, PathBuf);

fn of_places(source: Option<Place>, sink: Option<Place>) -> Option<Overlap> {
    let ((source_on, source), (sink_on, sink)) = (source?, sink?);
    match () {
        () if source_on != sink_on => None,
        () if source == sink => Some(Overlap::Same),
        () if sink.starts_with(&source) => Some(Overlap::SinkInSource),
        () if source.starts_with(&sink) => Some(Overlap::SourceInSink),
        () => None,
    }
}

/// The place of the directory at a canonical path; `None` if it is unknown. A missing directory will lie in its parent.
fn place(path: &Path) -> io::Result<Option<Place>> {
    Ok(mount(path)?.and_then(|mount| mount.place(path).map(|(on, inside)| (on.to_owned(), inside))))
}

/// The mount that a directory lies on, or will lie on.
fn mount(path: &Path) -> io::Result<Option<Mount>> {
    let open_dir = |path| open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let dir = match open_dir(path) {
        Err(Errno::NOENT) => {
            let above = path.parent().unwrap_or(path);
            open_dir(above).named("open", above)?
        }
        result => result.named("open", path)?,
    };
    Mount::of(dir).named("find the mount of", path)
}

/// The canonical path of a directory whose last component may be missing.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let absolute = std::path::absolute(path)?;
            match (absolute.parent(), absolute.file_name()) {
                (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
                _ => Err(error),
            }
        }
        result => result,
    }
}

/// Device and inode of a directory and its ancestors; `None` for a missing one.
fn chain(path: &Path) -> io::Result<Vec<Option<(u64, u64)>>> {
    path.ancestors()
        .map(|dir| match dir.metadata() {
            Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).named("stat", dir),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_trees_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (a, inner, b) = (folder.path().join("a"), folder.path().join("a/inner"), folder.path().join("b"));
        std::fs::create_dir_all(&inner).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&a, &link).unwrap();
        let check = |source: &Path, sink: &Path| overlap(source, sink).unwrap();
        assert_eq!(check(&a, &a), Some(Overlap::Same));
        assert_eq!(check(&a, &link), Some(Overlap::Same));
        assert_eq!(check(&a, &inner), Some(Overlap::SinkInSource));
        assert_eq!(check(&a, &a.join("missing")), Some(Overlap::SinkInSource));
        assert_eq!(check(&inner, &link), Some(Overlap::SourceInSink));
        assert_eq!(check(&a, &b), None);
    }

    #[test]
    fn a_name_with_a_common_prefix_is_another_tree() {
        let folder = tempfile::tempdir().unwrap();
        let (old, older) = (folder.path().join("old"), folder.path().join("older"));
        std::fs::create_dir_all(&old).unwrap();
        assert_eq!(overlap(&old, &older).unwrap(), None);
    }
}
