//! What is special to mounted paths: links, FIFOs, long paths, full disks, other trees.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::time::timeout;
use towpath_backend::{Bytes, ErrorKind, Kind, Metadata, RelPath, Sink, Source, Timestamp, Tree};
use towpath_local::{LocalSink, LocalSource};

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

fn metadata(size_bytes: u64) -> Metadata {
    Metadata {
        kind: Kind::File,
        size_bytes,
        modified: Timestamp(1_600_000_000_000_000_000),
        accessed: None,
        changed: None,
        created: None,
        permissions: Some(0o400),
    }
}

async fn write(sink: &LocalSink, at: &RelPath, data: &'static [u8]) -> towpath_backend::Result<Metadata> {
    sink.write_whole(at, Bytes::from_static(data), &metadata(data.len() as u64)).await
}

#[tokio::test]
async fn fifos_block_nobody() {
    let folder = tempfile::tempdir().unwrap();
    mknodat(CWD, folder.path().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let fifo = path("fifo");
    let patience = Duration::from_secs(5);
    assert!(timeout(patience, source.open(&fifo)).await.unwrap().is_err());
    let whole = timeout(patience, source.read_whole(&fifo, 10, Vec::new())).await.unwrap();
    assert!(!whole.is_ok_and(|whole| whole.metadata.kind == Kind::File));
    assert!(timeout(patience, sink.create(&fifo, &metadata(1))).await.unwrap().is_err());
    let error = timeout(patience, write(&sink, &fifo, b"x")).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(source.metadata(&fifo).await.unwrap().kind, Kind::Other);
}

#[tokio::test]
async fn paths_longer_than_the_system_takes_work_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let mut dir = RelPath::root();
    for _ in 0..30 {
        dir = dir.join("d".repeat(200)).unwrap();
        sink.create_dir(&dir).await.unwrap();
    }
    assert!(dir.as_bytes().len() > 5000);
    let file = dir.join("file").unwrap();
    write(&sink, &file, b"far down").await.unwrap();
    assert_eq!(source.read_whole(&file, 100, Vec::new()).await.unwrap().data, b"far down");
    assert_eq!(source.metadata(&file).await.unwrap().size_bytes, 8);
    assert!(source.read_dir(&dir).await.is_ok());
    sink.remove_file(&file).await.unwrap();
    sink.remove_dir(&dir).await.unwrap();
}

#[tokio::test]
async fn sources_modes_are_not_applied_and_old_modes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    write(&sink, &path("file"), b"one").await.unwrap();
    let mode = || fs::metadata(folder.path().join("file")).unwrap().permissions().mode();
    assert_eq!(mode() & 0o200, 0o200, "still writable");
    fs::set_permissions(folder.path().join("file"), fs::Permissions::from_mode(0o640)).unwrap();
    write(&sink, &path("file"), b"two").await.unwrap();
    assert_eq!(mode() & 0o7777, 0o640);
}

#[tokio::test]
async fn another_directory_in_the_roots_place_is_another_tree() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let source = LocalSource::open(&root).unwrap();
    let before = source.identity().await.unwrap();
    fs::rename(&root, folder.path().join("moved")).unwrap();
    assert!(source.identity().await.is_err(), "no tree at all is no answer");
    fs::create_dir(&root).unwrap();
    assert_ne!(source.identity().await.unwrap(), before);
}

#[tokio::test]
async fn own_files_are_found_inside_the_tree_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    fs::create_dir_all(root.join("dir")).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(root.join("dir"), outside.join("link")).unwrap();
    let source = LocalSource::open(&root).unwrap();
    assert_eq!(source.locate(&root.join("dir/missing.db")), Some(path("dir/missing.db")));
    assert_eq!(source.locate(&outside.join("link/x.db")), Some(path("dir/x.db")));
    assert_eq!(source.locate(&outside.join("x.db")), None);
    assert_eq!(source.locate(&folder.path().join("root.db")), None);
}

#[test]
fn roots_that_cannot_be_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let told = |error: towpath_local::OpenError| error.to_string();
    assert!(told(LocalSource::open(&folder.path().join("missing")).unwrap_err()).ends_with("missing does not exist"));
    assert!(told(LocalSource::open(&file).unwrap_err()).ends_with("file is not a directory"));
    assert!(told(LocalSink::open(&file).unwrap_err()).ends_with("file is not a directory"));
    assert!(told(LocalSink::open(&folder.path().join("a/b")).unwrap_err()).contains("above it"));
    assert!(!folder.path().join("a").exists());
}

/// Swaps a directory for a link to the outside and back, as fast as it can.
fn race(root: &Path, outside: &Path, stop: &AtomicBool) {
    let (dir, aside) = (root.join("dir"), root.join("aside"));
    while !stop.load(Relaxed) {
        fs::rename(&dir, &aside).unwrap();
        symlink(outside, &dir).unwrap();
        fs::remove_file(&dir).unwrap();
        fs::rename(&aside, &dir).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_swapped_in_leads_nobody_outside() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    fs::create_dir_all(root.join("dir")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "secret").unwrap();
    fs::write(root.join("dir/file"), "inside").unwrap();
    let (source, sink) = (LocalSource::open(&root).unwrap(), LocalSink::open(&root).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let racer = {
        let (root, outside, stop) = (root.clone(), outside.clone(), Arc::clone(&stop));
        std::thread::spawn(move || race(&root, &outside, &stop))
    };
    let (mut inside, mut refused) = (0, 0);
    for n in 0..3000 {
        match source.read_whole(&path("dir/file"), 100, Vec::new()).await {
            Ok(whole) => {
                assert_eq!(whole.data, b"inside");
                inside += 1;
            }
            Err(_) => refused += 1,
        }
        let _may_fail = write(&sink, &path(format!("dir/new{}", n % 10)), b"x").await;
        let _may_fail = sink.remove_file(&path("dir/gone")).await;
        let _may_fail = sink.create_dir(&path("dir/made")).await;
    }
    stop.store(true, Relaxed);
    racer.join().unwrap();
    assert!(inside > 0 && refused > 0, "the race was never met: {inside} inside, {refused} refused");
    let names: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"secret");
}

/// A mount that goes away with the test; `None` where mounting is not allowed.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(at: &Path, arguments: &[&str]) -> Option<Self> {
        let mounted = Command::new("mount").args(arguments).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(folder.path(), &["-t", "tmpfs", "-o", "size=64k", "none"]) else {
        eprintln!("SKIPPED: a small tmpfs cannot be mounted here (needs root), so no disk can be filled");
        return;
    };
    let sink = LocalSink::open(folder.path()).unwrap();
    let data = Bytes::from(vec![1; 200_000]);
    let error = sink.write_whole(&path("file"), data.clone(), &metadata(200_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    let mut writer = sink.create(&path("file"), &metadata(200_000)).await.unwrap();
    assert_eq!(writer.write_at(0, data).await.unwrap_err().kind(), ErrorKind::NoSpace);
    assert!(writer.finish(&metadata(0).times()).await.is_err(), "a failed writer does not finish");
}

#[tokio::test]
async fn an_unmounted_tree_is_another_tree() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(folder.path(), &["-t", "tmpfs", "none"]) else {
        eprintln!("SKIPPED: nothing can be mounted here (needs root), so nothing can be unmounted");
        return;
    };
    let source = LocalSource::open(folder.path()).unwrap();
    let before = source.identity().await.unwrap();
    drop(mount);
    assert_ne!(source.identity().await.unwrap(), before);
}

#[test]
fn fat_keeps_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let made = Command::new("mkfs.vfat").arg("-C").arg(&image).arg("2048").output();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let mount = made
        .is_ok_and(|output| output.status.success())
        .then(|| Mount::new(&root, &["-o", "loop", image.to_str().unwrap()]))
        .flatten();
    let Some(_mount) = mount else {
        eprintln!("SKIPPED: no FAT image can be made or mounted here (needs root and mkfs.vfat)");
        return;
    };
    assert_eq!(LocalSink::open(&root).unwrap().capabilities().mtime_precision_ns, 2_000_000_000);
}
