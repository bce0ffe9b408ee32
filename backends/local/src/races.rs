//! Runs all operations below directories and files that are swapped for links to the outside as fast as possible:
//! nothing outside is read or changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{CWD, RenameFlags, XattrFlags, lsetxattr, renameat_with};
use tokio_stream::StreamExt as _;
use towpath_backend::{
    Attributes, Bytes, Kind, Metadata, Owner, ReadOptions, RelPath, Result, Sink, Source, Timestamp, Tree as _,
    WriteOptions, Xattr,
};

use crate::resolve::{Resolver, Strategy};
use crate::root::Root;
use crate::{LocalSink, LocalSource};

const ROUNDS: u64 = 500;
const SECRET: &[u8] = b"secret";

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Everything in a folder, with the ctime, which any change would change.
fn snapshot(folder: &Path) -> BTreeMap<String, (i64, i64, u64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        let metadata = fs::symlink_metadata(&at).unwrap();
        let content = if metadata.is_file() { fs::read(&at).unwrap() } else { Vec::new() };
        let shown = (metadata.ctime(), metadata.ctime_nsec(), metadata.nlink(), content);
        all.insert(at.display().to_string(), shown);
        if metadata.is_dir() {
            folders.extend(fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all
}

/// The same names as inside, so that an operation that leaves the tree finds something to change.
fn furnish(dir: &Path, content: &[u8]) {
    fs::create_dir_all(dir.join("sub")).unwrap();
    for name in ["file", "gone", "from", "discarded"] {
        fs::write(dir.join(name), content).unwrap();
    }
    symlink(std::str::from_utf8(content).unwrap(), dir.join("link")).unwrap();
    // Not every file system supports them.
    let _may_fail = lsetxattr(dir.join("file"), "user.mark", content, XattrFlags::empty());
}

/// Swaps each pair of names until it is stopped.
fn swap(pairs: &[[std::path::PathBuf; 2]], stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        for [one, other] in pairs {
            // A swapped name may be missing for a moment.
            let _may_fail = renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
        }
    }
}

async fn race(strategy: Strategy) {
    let folder = tempfile::tempdir().unwrap();
    let [root, outside, trash] = ["root", "outside", "trash"].map(|name| folder.path().join(name));
    furnish(&outside, SECRET);
    fs::write(outside.join("only-outside"), SECRET).unwrap();
    furnish(&root.join("top/dir"), b"inside");
    fs::create_dir_all(trash.join("top/dir")).unwrap();
    fs::write(root.join("swapped"), "inside").unwrap();
    symlink(outside.join("file"), root.join("swapped-link")).unwrap();
    for dir in [root.join("top"), trash.join("top")] {
        symlink(&outside, dir.join("aside")).unwrap();
    }
    let open = || Root::with(&root, |fd| Resolver::with(fd, strategy)).unwrap();
    let source = LocalSource::of(open());
    let sink = LocalSink::of(open()).unwrap().with_trash(&trash).unwrap();
    let before = snapshot(&outside);

    let pairs = [
        [root.join("top/dir"), root.join("top/aside")],
        [root.join("swapped"), root.join("swapped-link")],
        [trash.join("top/dir"), trash.join("top/aside")],
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || swap(&pairs, &stop))
    };
    let (mut inside, mut failed) = (0, 0);
    for n in 0..ROUNDS {
        for done in read_all(&source).await.into_iter().chain(write_all(&sink, &root, n).await) {
            if done { inside += 1 } else { failed += 1 }
        }
    }
    stop.store(true, Relaxed);
    swapper.join().unwrap();
    assert!(inside > 0 && failed > 0, "the race never happened: {inside} succeeded, {failed} failed");
    assert_eq!(snapshot(&outside), before);
}

/// Reads with every operation; none may show the outside.
async fn read_all(source: &LocalSource) -> Vec<bool> {
    let mut done = Vec::new();
    for at in ["top/dir/file", "swapped"].map(path) {
        let whole = source.read_whole(&at, 100, Vec::new(), &ReadOptions::default()).await;
        assert!(!whole.as_ref().is_ok_and(|whole| whole.data == SECRET), "read_whole {at:?}");
        done.push(whole.is_ok());
        if let Ok(mut reader) = source.open(&at, &ReadOptions::default()).await {
            assert_ne!(reader.read_at(0, 100, Vec::new()).await.unwrap(), SECRET, "open {at:?}");
        }
        let xattrs = source.xattrs(&at).await;
        assert!(!xattrs.as_ref().is_ok_and(|xattrs| xattrs.iter().any(|xattr| xattr.value == SECRET)), "{at:?}");
        done.push(xattrs.is_ok());
    }
    let link = source.read_link(&path("top/dir/link")).await;
    assert!(!link.as_ref().is_ok_and(|target| target == SECRET));
    if let Ok(mut pages) = source.read_dir(&path("top/dir"), &ReadOptions::default()).await {
        while let Some(Ok(page)) = pages.next().await {
            assert!(page.iter().all(|entry| entry.name != b"only-outside"));
        }
    }
    done.push(link.is_ok());
    done
}

/// Changes with every operation; changes outside of the tree show in the snapshot.
async fn write_all(sink: &LocalSink, root: &Path, n: u64) -> Vec<bool> {
    let times = Metadata::new(Kind::File, 3, Timestamp::from_ns(1_600_000_000_000_000_000));
    let at = |name: &str| path(format!("top/dir/{name}"));
    let attributes = Attributes {
        permissions: Some(0o600 + u32::try_from(n % 64).unwrap()),
        owner: Some(Owner { user: 1000 + u32::try_from(n % 2).unwrap(), group: 1000 }),
        xattrs: vec![Xattr { name: b"user.new".to_vec(), value: n.to_string().into_bytes() }],
        ..Attributes::default()
    };
    // Recreates what was removed, renamed and discarded, under both names that its directory can have.
    for dir in ["top/dir", "top/aside"] {
        if fs::symlink_metadata(root.join(dir)).is_ok_and(|metadata| metadata.is_dir()) {
            for name in ["gone", "from", "discarded"] {
                let _may_be_swapped = sink
                    .write_whole(&path(format!("{dir}/{name}")), Bytes::new(), &times, &WriteOptions::default())
                    .await;
            }
        }
    }
    let stepwise = async |name: RelPath| -> Result<Metadata> {
        let mut writer = sink.create(&name, &times, &WriteOptions::default()).await?;
        writer.write_at(0, Bytes::from_static(b"new")).await?;
        writer.finish(3, &times.times()).await
    };
    let new_name = format!("new{}", n % 10);
    let mut done = vec![
        sink.write_whole(&at("file"), Bytes::from_static(b"inside"), &times, &WriteOptions::default()).await.is_ok(),
        sink.write_whole(&at(&new_name), Bytes::from_static(b"new"), &times, &WriteOptions::default()).await.is_ok(),
        stepwise(at("file")).await.is_ok(),
        stepwise(path("swapped")).await.is_ok(),
        sink.create_dir(&at("new-dir"), None).await.is_ok(),
        sink.remove_dir(&at("new-dir")).await.is_ok(),
        sink.remove_dir(&at("sub")).await.is_ok(),
        sink.create_symlink(&at("new-link"), b"file").await.is_ok(),
        sink.create_hard_link(&at("file"), &path("second-name")).await.is_ok(),
        sink.create_hard_link(&path("second-name"), &at("third-name")).await.is_ok(),
        sink.rename(&at("from"), &at("to")).await.is_ok(),
        sink.rename(&at("link"), &path("link")).await.is_ok(),
        sink.set_times(&at("file"), &times.times()).await.is_ok(),
        sink.set_times(&path("top/dir"), &times.times()).await.is_ok(),
        sink.discard(&at("discarded")).await.is_ok(),
        sink.remove_file(&at("gone")).await.is_ok(),
        sink.metadata(&at("file")).await.is_ok(),
    ];
    for name in [at("file"), path("top/dir"), path("swapped")] {
        done.push(sink.set_attributes(&name, &attributes).await.is_ok());
    }
    for name in [path("second-name"), at("third-name"), at("new-link"), at("to")] {
        done.push(sink.remove_file(&name).await.is_ok());
    }
    done
}

#[tokio::test]
async fn with_openat2_swapped_links_never_lead_outside() {
    race(Strategy::Openat2).await;
}

#[tokio::test]
async fn by_components_swapped_links_never_lead_outside() {
    race(Strategy::ByComponents).await;
}
