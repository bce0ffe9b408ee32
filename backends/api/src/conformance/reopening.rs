//! Cases about a tree that is reopened, as after a restart. They need [`Fixture::reopen`].

use super::fixture::{Fixture, MTIME, assert_same, content, list, metadata, names, path, read, write};
use crate::{Bytes, RelPath, WriteOptions};

/// The database stores the tree's identity: if it changed with each open, every second run would be refused.
pub async fn a_reopened_tree_has_the_same_identity(fixture: &dyn Fixture) {
    let before = fixture.source().identity().await.unwrap();
    write(fixture, &path("file"), b"x").await;
    for _ in 0..2 {
        let Some(again) = fixture.reopen().await else { return };
        assert_eq!(again.source().identity().await.unwrap(), before);
        assert_eq!(again.sink().identity().await.unwrap(), before);
        assert_eq!(again.source().root(), fixture.source().root());
    }
}

/// Files that the database records as done are not sent again.
pub async fn flushed_files_survive_reopening(fixture: &dyn Fixture) {
    let (sink, large) = (fixture.sink(), content(200_000));
    sink.create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("dir/small"), b"content").await;
    let mut writer = sink.create(&path("large"), &metadata(large.len()), &WriteOptions::default()).await.unwrap();
    for (i, block) in large.chunks(70_000).enumerate() {
        writer.write_at(i as u64 * 70_000, Bytes::copy_from_slice(block)).await.unwrap();
    }
    writer.finish(large.len() as u64, &metadata(large.len()).times()).await.unwrap();
    sink.flush().await.unwrap();
    let Some(again) = fixture.reopen().await else { return };
    assert_eq!(names(&*again, &RelPath::root()).await, [&b"dir"[..], b"large"]);
    assert_eq!(read(&*again, &path("dir/small")).await.unwrap(), b"content");
    assert!(read(&*again, &path("large")).await.unwrap() == large);
    for at in ["dir/small", "large"].map(path) {
        let (before, after) = (fixture.source().metadata(&at).await, again.source().metadata(&at).await);
        assert_same(&before.unwrap(), &after.unwrap(), &at);
    }
    let capabilities = fixture.sink().capabilities();
    if capabilities.sets_mtime {
        let shown = again.source().metadata(&path("large")).await.unwrap().modified;
        assert!(shown.distance_ns(MTIME) < capabilities.mtime_precision_ns, "{shown:?}");
    }
}

/// Files that the database records as deleted must not come back.
pub async fn removed_files_stay_removed_after_reopening(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    for name in ["kept", "removed"] {
        write(fixture, &path(name), b"x").await;
    }
    sink.flush().await.unwrap();
    sink.remove_file(&path("removed")).await.unwrap();
    sink.flush().await.unwrap();
    let Some(again) = fixture.reopen().await else { return };
    let listed = list(&*again, &RelPath::root()).await.unwrap();
    assert_eq!(listed.iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), [b"kept"]);
}
