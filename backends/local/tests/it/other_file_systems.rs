//! Tests on special file systems: full disks, other resolutions, mounts inside and next to a tree. Skipped where
//! mounting is not allowed.

use std::fs;
use std::path::Path;
use std::process::Command;

use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Sink, Source, Timestamp, Tree, WriteOptions,
};
use towpath_local::{LocalSink, LocalSource, Overlap, overlap};

use crate::root::Mount;
use crate::skip::skip;

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

fn metadata(size_bytes: u64) -> Metadata {
    let modified = Timestamp::from_ns(1_600_000_000_000_000_000);
    Metadata { permissions: Some(0o400), ..Metadata::new(Kind::File, size_bytes, modified) }
}

#[tokio::test]
async fn a_full_disk_is_reported_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::small_tmpfs(folder.path(), "64k") else { return };
    let sink = LocalSink::open(folder.path()).unwrap();
    let data = Bytes::from(vec![1; 200_000]);
    let error =
        sink.write_whole(&path("file"), data.clone(), &metadata(200_000), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert!(!folder.path().join("file").exists(), "an incomplete new file is removed");
    let mut writer = sink.create(&path("file"), &metadata(200_000), &WriteOptions::default()).await.unwrap();
    assert_eq!(writer.write_at(0, data).await.unwrap_err().kind(), ErrorKind::NoSpace);
    assert!(writer.finish(200_000, &metadata(0).times()).await.is_err(), "a failed writer does not finish");
}

#[tokio::test]
async fn an_unmounted_tree_is_another_tree() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path()) else { return };
    let source = LocalSource::open(folder.path()).unwrap();
    let before = source.identity().await.unwrap();
    drop(mount);
    assert_ne!(source.identity().await.unwrap(), before);
}

#[test]
fn fat_has_a_resolution_of_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let created = Command::new("mkfs.vfat").arg("-C").arg(&image).arg("2048").output();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    if !created.is_ok_and(|output| output.status.success()) {
        return skip("needs mkfs.vfat: a file system with coarse times");
    }
    let Some(_mount) = Mount::new(&root, &["-o", "loop", image.to_str().unwrap()]) else { return };
    assert_eq!(LocalSink::open(&root).unwrap().capabilities().mtime_precision_ns, 2_000_000_000);
}

#[tokio::test]
async fn files_on_a_mount_inside_the_tree_are_kept_with_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let Some(_mount) = Mount::tmpfs(&inner) else { return };
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let kept = sink
        .write_whole(&path("inner/file"), Bytes::from_static(b"abc"), &metadata(3), &WriteOptions::default())
        .await
        .unwrap();
    assert_eq!((kept.size_bytes, kept.modified), (3, metadata(3).modified));
    assert_eq!(
        source.read_whole(&path("inner/file"), 3, Vec::new(), &ReadOptions::default()).await.unwrap().data,
        b"abc"
    );
}

#[test]
fn bind_mounts_hide_no_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let [tree, inner, other, bound] = ["tree", "tree/inner", "other", "bound"].map(|name| folder.path().join(name));
    for dir in [&tree, &inner, &other, &bound] {
        fs::create_dir(dir).unwrap();
    }
    let bind = |dir: &Path| Mount::bind(dir, &bound);
    let Some(whole) = bind(&tree) else { return };
    let check = |source: &Path, sink: &Path| overlap(source, sink).unwrap();
    assert_eq!(check(&tree, &bound), Some(Overlap::Same));
    assert_eq!(check(&tree, &bound.join("missing")), Some(Overlap::SinkInSource));
    assert_eq!(check(&bound.join("inner"), &tree), Some(Overlap::SourceInSink));
    drop(whole);
    let _inner = bind(&inner).unwrap();
    assert_eq!(check(&tree, &bound), Some(Overlap::SinkInSource));
    assert_eq!(check(&tree, &bound.join("missing")), Some(Overlap::SinkInSource));
    assert_eq!(check(&bound, &tree), Some(Overlap::SourceInSink));
    assert_eq!(check(&other, &bound), None);
}

/// An image attached to a loop device.
struct Disk(String);

impl Disk {
    /// `None` if there are no loop devices.
    fn attach(image: &Path) -> Option<Self> {
        let attached = Command::new("losetup").args(["--find", "--show"]).arg(image).output().ok()?;
        let device = String::from_utf8(attached.stdout).ok()?.trim().to_owned();
        (attached.status.success() && !device.is_empty()).then_some(Self(device))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _best_effort = Command::new("losetup").arg("--detach").arg(&self.0).output();
    }
}

/// A disk that gets another device number, as after a reboot, and is mounted elsewhere.
async fn stays_the_same_tree(name: &str, mkfs: &[&str], megabytes: u64) {
    let folder = tempfile::tempdir().unwrap();
    let [image, other, here, there] = ["image", "other", "here", "there"].map(|name| folder.path().join(name));
    fs::create_dir(&here).unwrap();
    fs::create_dir(&there).unwrap();
    for file in [&image, &other] {
        fs::File::create(file).unwrap().set_len(megabytes << 20).unwrap();
    }
    let formatted =
        Command::new(mkfs[0]).args(&mkfs[1..]).arg(&image).output().is_ok_and(|formatted| formatted.status.success());
    let mounted = formatted.then(|| Disk::attach(&image)).flatten().and_then(|disk| {
        let mount = Mount::new(&here, &[&disk.0])?;
        Some((mount, disk))
    });
    let Some((mount, disk)) = mounted else {
        skip(format_args!("needs root, loop devices and {}: {name}", mkfs[0]));
        return;
    };
    let first = LocalSource::open(&here).unwrap().identity().await.unwrap();
    let device = disk.0.clone();
    drop(mount);
    drop(disk);
    // The kernel frees the number with a delay, so either disk may get it: attach the image until it gets another one.
    let taken = Disk::attach(&other).unwrap();
    let mut attached = vec![Disk::attach(&image).unwrap()];
    if attached[0].0 == device {
        attached.push(Disk::attach(&image).unwrap());
    }
    let disk = attached.last().unwrap();
    assert_ne!(disk.0, device);
    let again = Mount::new(&there, &[&disk.0]).unwrap();
    assert_eq!(LocalSource::open(&there).unwrap().identity().await.unwrap(), first);
    drop((again, attached));

    // A reformatted disk is another tree.
    assert!(Command::new(mkfs[0]).args(&mkfs[1..]).arg(&other).output().unwrap().status.success());
    let _mount = Mount::new(&here, &[&taken.0]).unwrap();
    assert_ne!(LocalSource::open(&here).unwrap().identity().await.unwrap(), first);
}

#[tokio::test]
async fn a_disk_with_ext4_is_the_same_tree_on_another_device() {
    stays_the_same_tree("ext4", &["mkfs.ext4", "-q"], 8).await;
}

#[tokio::test]
async fn a_disk_with_xfs_is_the_same_tree_on_another_device() {
    stays_the_same_tree("xfs", &["mkfs.xfs", "-q"], 320).await;
}

#[tokio::test]
async fn a_disk_with_btrfs_is_the_same_tree_on_another_device() {
    stays_the_same_tree("btrfs", &["mkfs.btrfs", "-q"], 160).await;
}

#[tokio::test]
async fn a_tmpfs_that_is_mounted_again_is_another_tree() {
    let folder = tempfile::tempdir().unwrap();
    let mount = || Mount::tmpfs(folder.path());
    let Some(first) = mount() else { return };
    let source = LocalSource::open(folder.path()).unwrap();
    let before = source.identity().await.unwrap();
    drop(first);
    let _second = mount().unwrap();
    assert_ne!(source.identity().await.unwrap(), before);
}
