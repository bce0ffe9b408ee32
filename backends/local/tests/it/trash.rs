//! The trash, and a destination that is only inspected.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use towpath_backend::{ErrorKind, NameRules, RelPath, Sink, Tree};
use towpath_local::LocalSink;

use crate::root::Mount;
use crate::skip::skip;

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

/// A folder with a tree, and the path for its trash.
fn tree() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (root, trash) = (folder.path().join("root"), folder.path().join("trash"));
    fs::create_dir(&root).unwrap();
    (folder, root, trash)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn discarded_files_keep_their_path_and_replace_nothing() {
    let (_folder, root, trash) = tree();
    let sink = LocalSink::open(&root).unwrap().with_trash(&trash).unwrap();
    for n in 0..3 {
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), format!("{n}")).unwrap();
        sink.discard(&path("a/b/file")).await.unwrap();
        assert!(!root.join("a/b/file").exists());
    }
    assert_eq!(names(&trash.join("a/b")), ["file", "file~1", "file~2"]);
    for (n, name) in ["file", "file~1", "file~2"].iter().enumerate() {
        assert_eq!(fs::read_to_string(trash.join("a/b").join(name)).unwrap(), n.to_string());
    }
    assert_eq!(fs::metadata(&trash).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(trash.join("a")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(sink.trash_inside(), None);
}

#[tokio::test]
async fn links_are_discarded_themselves_and_not_followed_in_the_trash() {
    let (folder, root, trash) = tree();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let sink = LocalSink::open(&root).unwrap().with_trash(&trash).unwrap();
    symlink(&outside, root.join("name")).unwrap();
    sink.discard(&path("name")).await.unwrap();
    assert_eq!(fs::read_link(trash.join("name")).unwrap(), outside);
    // Then a file in a directory of that name, and a file with the name of the directory.
    fs::create_dir(root.join("name")).unwrap();
    fs::write(root.join("name/file"), "inside").unwrap();
    sink.discard(&path("name/file")).await.unwrap();
    fs::remove_dir(root.join("name")).unwrap();
    fs::write(root.join("name"), "file").unwrap();
    sink.discard(&path("name")).await.unwrap();
    assert_eq!(names(&trash), ["name", "name~1", "name~2"]);
    assert_eq!(fs::read(trash.join("name~1/file")).unwrap(), b"inside");
    assert_eq!(names(&outside), [""; 0]);
}

#[tokio::test]
async fn directories_and_missing_files_are_not_discarded() {
    let (_folder, root, trash) = tree();
    let sink = LocalSink::open(&root).unwrap();
    fs::write(root.join("file"), "").unwrap();
    assert_eq!(sink.discard(&path("file")).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let sink = sink.with_trash(&trash).unwrap();
    fs::create_dir(root.join("dir")).unwrap();
    assert_eq!(sink.discard(&path("dir")).await.unwrap_err().kind(), ErrorKind::IsADirectory);
    assert_eq!(sink.discard(&path("missing")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(sink.discard(&path("no/file")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(sink.discard(&RelPath::root()).await.is_err());
    assert_eq!((names(&root), names(&trash)), (vec!["dir".to_owned(), "file".to_owned()], vec![]));
}

#[tokio::test]
async fn a_trash_inside_the_tree_is_reported_and_never_discarded() {
    let (_folder, root, _) = tree();
    let sink = LocalSink::open(&root).unwrap().with_trash(&root.join(".trash")).unwrap();
    assert_eq!(sink.trash_inside(), Some(path(".trash")));
    fs::write(root.join("file"), "").unwrap();
    sink.discard(&path("file")).await.unwrap();
    assert_eq!(sink.discard(&path(".trash/file")).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(root.join(".trash/file").exists());
}

#[test]
fn a_trash_on_another_file_system_or_above_the_tree_is_an_error() {
    let (folder, root, _) = tree();
    let error = |dir: &Path| LocalSink::open(&root).unwrap().with_trash(dir).unwrap_err().to_string();
    assert!(error(&root).ends_with("is the destination itself"));
    assert!(error(folder.path()).ends_with("holds the destination"));
    assert!(error(&folder.path().join("a/b")).ends_with("does not exist"));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(error(&folder.path().join("file")).ends_with("is not a directory"));
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        skip("needs a writable /dev/shm: another file system");
        return;
    };
    let dir = other.path().join("trash");
    assert!(error(&dir).contains("not on the file system"));
    assert!(!dir.exists(), "a directory that is not used is removed");
    assert!(error(other.path()).contains("not on the file system"));
}

#[test]
fn a_trash_on_another_mount_of_the_same_disk_is_an_error() {
    let (folder, root, trash) = tree();
    fs::create_dir(&trash).unwrap();
    let bound = folder.path().join("bound");
    let Some(_mount) = Mount::bind(&trash, &bound) else { return };
    let opened = LocalSink::open(&root).unwrap().with_trash(&bound);
    assert!(opened.unwrap_err().to_string().contains("not on the file system"));
}

#[test]
fn a_tree_that_is_inspected_is_not_touched() {
    let (_folder, root, trash) = tree();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    fs::File::open(&root).unwrap().set_modified(long_ago).unwrap();
    let inspect = || LocalSink::inspect(&root).unwrap().unwrap();
    let inspected = inspect().capabilities();
    assert_eq!(inspected.names, NameRules::BYTES);
    assert_eq!(inspect().with_trash(&root.join("trash")).unwrap().trash_inside(), Some(path("trash")));
    assert_eq!(inspect().with_trash(&trash).unwrap().trash_inside(), None);
    assert!(inspect().with_trash(&root).is_err());
    assert!(!trash.exists() && names(&root).is_empty());
    let modified = || fs::metadata(&root).unwrap().modified().unwrap();
    assert_eq!(modified(), long_ago);
    let probed = LocalSink::open(&root).unwrap().capabilities();
    assert_eq!(inspected, probed, "the known capabilities of disks are those that the probe finds");
    assert_ne!(modified(), long_ago, "a probe changes the mtime");
}

#[test]
fn a_missing_tree_is_none_if_it_could_be_created() {
    let (folder, root, _) = tree();
    assert!(LocalSink::inspect(&root.join("new")).unwrap().is_none());
    assert!(LocalSink::inspect(&root.join("new/deep")).unwrap_err().to_string().contains("above it"));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(LocalSink::inspect(&folder.path().join("file")).unwrap_err().to_string().ends_with("is not a directory"));
    assert!(names(&root).is_empty());
}

#[tokio::test]
async fn the_trash_is_an_option_of_the_backend() {
    use towpath_backend::registry::{ConfigSources, Location, OpenError, Registry};
    let folder = tempfile::tempdir().unwrap();
    let (root, trash) = (folder.path().join("new"), folder.path().join("new/trash"));
    let mut registry = Registry::new();
    registry.register(towpath_local::Local).unwrap();
    let (location, around) = (Location::parse(root.as_os_str()).unwrap(), ConfigSources::none());
    let found = || registry.find(&location, &around).unwrap();
    let sink = found().with_root_permissions(Some(0o700)).sink().await.unwrap();
    assert!(!sink.can_discard() && sink.reserved_paths().is_empty());
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    let sink = found().with_path("trash", &trash).unwrap().sink().await.unwrap();
    assert!(sink.can_discard());
    assert_eq!(sink.reserved_paths(), [RelPath::new("trash").unwrap()]);
    assert!(matches!(found().with_path("rubbish", &trash), Err(OpenError::Usage(_))));
}
