//! Cases about removing and discarding.

use super::fixture::{Fixture, list, path, write};
use crate::{ErrorKind, RelPath};

/// Each by its own operation only.
pub async fn files_and_empty_directories_are_removed(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    write(fixture, &path("file"), b"x").await;
    sink.create_dir(&path("dir"), None).await.unwrap();
    assert!(sink.remove_dir(&path("file")).await.is_err());
    assert!(sink.remove_file(&path("dir")).await.is_err());
    sink.remove_file(&path("file")).await.unwrap();
    sink.remove_dir(&path("dir")).await.unwrap();
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
}

/// A directory with entries stays.
pub async fn a_directory_that_is_not_empty_is_not_removed(fixture: &dyn Fixture) {
    fixture.sink().create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("dir/file"), b"x").await;
    assert_eq!(fixture.sink().remove_dir(&path("dir")).await.unwrap_err().kind(), ErrorKind::NotEmpty);
    assert_eq!(list(fixture, &path("dir")).await.unwrap().len(), 1);
}

/// A link is removed like a file, without following it.
pub async fn removing_a_symlink_keeps_its_target(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    if !sink.capabilities().symlinks {
        return;
    }
    sink.create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("dir/file"), b"x").await;
    sink.create_symlink(&path("link"), b"dir").await.unwrap();
    assert!(sink.remove_dir(&path("link")).await.is_err());
    sink.remove_file(&path("link")).await.unwrap();
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap().len(), 1);
    assert_eq!(list(fixture, &path("dir")).await.unwrap().len(), 1);
}

/// The tree itself is never deleted.
pub async fn the_root_is_not_removed(fixture: &dyn Fixture) {
    let root = RelPath::root();
    let error = fixture.sink().remove_dir(&root).await.unwrap_err();
    assert!(!error.is_temporary(), "a retry would not help: {error}");
    assert!(fixture.sink().remove_file(&root).await.is_err());
    assert_eq!(list(fixture, &root).await.unwrap(), []);
}

/// A missing entry is reported, not ignored.
pub async fn removing_a_missing_entry_is_not_found(fixture: &dyn Fixture) {
    assert_eq!(fixture.sink().remove_file(&path("missing")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fixture.sink().remove_dir(&path("missing")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A discarded file is gone from the tree; without a trash, it stays.
pub async fn discarding_moves_the_file_away_or_is_unsupported(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    sink.create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("dir/file"), b"x").await;
    let left = match sink.discard(&path("dir/file")).await {
        Ok(()) => 0,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            1
        }
    };
    assert_eq!(list(fixture, &path("dir")).await.unwrap().len(), left);
}
