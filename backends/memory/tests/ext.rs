//! The extension traits, on a tree in memory.

#![allow(clippy::unwrap_used, missing_docs)]

use tokio_stream::StreamExt as _;
use towpath_backend::ext::{SinkExt as _, SourceExt as _, TreeExt as _};
use towpath_backend::layer::{Fault, Faults, Operation, Rule};
use towpath_backend::{ErrorKind, Kind, RelPath, Sink as _, Source, Timestamp, Tree as _};
use towpath_memory::MemoryTree;

const TIME: Timestamp = Timestamp::from_ns(1_700_000_000_123_456_789);

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

async fn tree() -> MemoryTree {
    let tree = MemoryTree::new("tree");
    tree.create_dir_all(&path("a/b/c")).await.unwrap();
    tree.create_dir_all(&path("d")).await.unwrap();
    for file in ["a/1", "a/b/2", "a/b/c/3", "d/4", "5"] {
        tree.write(&path(file), file.as_bytes(), TIME).await.unwrap();
    }
    tree.create_symlink(&path("link"), b"a").await.unwrap();
    tree
}

#[tokio::test]
async fn a_walk_finds_everything_below_a_directory_and_follows_no_link() {
    let tree = tree().await;
    let source: &dyn Source = &tree;
    let found: Vec<_> = source.walk(&RelPath::root()).map(|found| found.unwrap()).collect().await;
    let paths: Vec<_> = found.iter().map(|found| found.path.to_string()).collect();
    assert_eq!(paths, ["5", "a", "a/1", "a/b", "a/b/2", "a/b/c", "a/b/c/3", "d", "d/4", "link"]);
    assert_eq!(found[9].metadata.kind, Kind::Symlink);
    assert_eq!(found[4].metadata.size_bytes, 5);
    let below: Vec<_> = tree.walk(&path("a/b")).map(|found| found.unwrap().path.to_string()).collect().await;
    assert_eq!(below, ["a/b/2", "a/b/c", "a/b/c/3"]);
}

#[tokio::test]
async fn a_walk_reports_what_it_could_not_list_and_continues() {
    let tree = tree().await;
    let rule = Rule::new(ErrorKind::PermissionDenied).on(Operation::ReadDir).at(|dir| dir.name() == Some(b"b"));
    let failing = Fault::new(tree.clone(), Faults::new(1).with(rule));
    let found: Vec<_> = failing.walk(&RelPath::root()).collect().await;
    let errors: Vec<_> = found.iter().filter_map(|found| found.as_ref().err()).collect();
    assert_eq!((errors.len(), errors[0].path()), (1, &path("a/b")));
    assert_eq!(found.len(), 8, "with the error, without what lies below it");
    let shallow: Vec<_> = tree.walk(&RelPath::root()).max_depth(2).collect().await;
    let errors: Vec<_> = shallow.iter().filter_map(|found| found.as_ref().err()).collect();
    assert_eq!((errors.len(), errors[0].path(), errors[0].kind()), (1, &path("a/b"), ErrorKind::TooLarge));
    let missing: Vec<_> = tree.walk(&path("missing")).collect().await;
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_large_directory_is_walked_and_a_walk_can_be_dropped() {
    let tree = MemoryTree::new("tree");
    for number in 0..3000 {
        tree.write(&path(&format!("{number:04}")), b"", TIME).await.unwrap();
    }
    let count = tree.walk(&RelPath::root()).fold(0, |count, found| count + usize::from(found.is_ok())).await;
    assert_eq!(count, 3000);
    let first = tree.walk(&RelPath::root()).next().await.unwrap().unwrap();
    assert_eq!(first.path, path("0000"));
}

#[tokio::test]
async fn files_are_written_and_read_in_one_call() {
    let tree = tree().await;
    assert_eq!(tree.read_to_vec(&path("a/b/2"), 5).await.unwrap(), b"a/b/2");
    let error = tree.read_to_vec(&path("a/b/2"), 4).await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::TooLarge, &path("a/b/2")));
    assert_eq!(tree.read_to_vec(&path("missing"), 4).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(tree.metadata(&path("a/b/2")).await.unwrap().modified, TIME);
}

#[tokio::test]
async fn a_name_exists_or_not_or_an_error_is_returned() {
    let tree = tree().await;
    assert!(tree.exists(&path("a/b")).await.unwrap());
    assert!(tree.exists(&path("link")).await.unwrap());
    assert!(!tree.exists(&path("a/x")).await.unwrap());
    let failing = Fault::new(tree, Faults::new(1).with(Rule::new(ErrorKind::PermissionDenied)));
    assert!(failing.exists(&path("a/b")).await.is_err());
}

#[tokio::test]
async fn directories_are_created_with_their_parents_unless_they_exist() {
    let tree = tree().await;
    for dir in ["", "a", "a/b/c", "a/x/y/z", "new/one", "a/x/y/z"] {
        tree.create_dir_all(&path(dir)).await.unwrap();
        assert_eq!(tree.metadata(&path(dir)).await.unwrap().kind, Kind::Dir);
    }
    for (dir, at) in [("5", "5"), ("5/x", "5/x"), ("a/1/x/y", "a/1/x/y")] {
        let error = tree.create_dir_all(&path(dir)).await.unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::NotADirectory, &path(at)));
    }
    assert!(tree.create_dir_all(&path("link/x")).await.is_err(), "links are not followed");
}
