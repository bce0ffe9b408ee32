//! Links and special files on real servers: nothing leads out of a tree, neither reading, writing nor deleting.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use towpath::{MaxDelete, Migration, Mirror, Options, Report};
use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Sink, Source, Times, Timestamp, WriteOptions,
};
use towpath_local::{LocalSink, LocalSource};

use crate::servers::{self, Server, or_skip};

const PRECIOUS: &str = "precious";

/// What lies beside the trees, and that no run may touch.
fn victim(server: &Server) {
    fs::create_dir_all(server.files().join("victim/sub")).unwrap();
    for name in ["f1", "f2", "sub/f3"] {
        fs::write(server.files().join("victim").join(name), PRECIOUS).unwrap();
    }
}

fn assert_untouched(server: &Server) {
    let at = |name: &str| server.files().join("victim").join(name);
    for name in ["f1", "f2", "sub/f3"] {
        assert_eq!(fs::read_to_string(at(name)).ok().as_deref(), Some(PRECIOUS), "{name}");
    }
    assert_eq!((fs::read_dir(at("")).unwrap().count(), fs::read_dir(at("sub")).unwrap().count()), (3, 1));
}

async fn run(source: impl Source + 'static, sink: impl Sink + 'static, deletes: bool) -> (Report, String) {
    let state = tempfile::tempdir().unwrap();
    let mirror = deletes.then_some(Mirror::default().max_delete(MaxDelete::Percent(100)));
    let builder = Migration::builder()
        .source(source)
        .sink(sink)
        .database(state.path().join("db"))
        .audit_log(state.path().join("log"))
        .options(Options::default().mirror(mirror));
    let report = builder.build().unwrap().0.run().await.unwrap();
    (report, fs::read_to_string(state.path().join("log")).unwrap())
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_to_an_ssh_server_deletes_links_and_nothing_behind_them() {
    let Some(server) = or_skip(servers::sftp()) else { return };
    victim(&server);
    let (sink, local) = (server.sink("tree").await, tempfile::tempdir().unwrap());
    let tree = server.files().join("tree");
    fs::write(local.path().join("kept"), "kept").unwrap();
    fs::create_dir(tree.join("dir")).unwrap();
    for link in ["to-dir", "dir/deeper"] {
        symlink(server.files().join("victim"), tree.join(link)).unwrap();
    }
    symlink("../victim/f1", tree.join("to-file")).unwrap();
    let (report, log) = run(LocalSource::open(local.path()).unwrap(), sink, true).await;
    assert_untouched(&server);
    assert!(report.all_in_sync() && report.deleted_files == 3 && report.deleted_dirs == 1, "{report:?}\n{log}");
    assert!(!is_link(&tree.join("to-dir")) && !is_link(&tree.join("to-file")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link_on_an_ssh_server() {
    let Some(server) = or_skip(servers::sftp()) else { return };
    victim(&server);
    let (sink, local) = (server.sink("tree").await, tempfile::tempdir().unwrap());
    let (tree, old) = (server.files().join("tree"), local.path());
    fs::create_dir_all(old.join("dir/sub")).unwrap();
    for name in ["dir/f1", "dir/sub/f3", "f2", "new"] {
        fs::write(old.join(name), "other").unwrap();
    }
    symlink("../victim", tree.join("dir")).unwrap();
    symlink("../victim/f2", tree.join("f2")).unwrap();
    symlink("../victim/created", tree.join("new")).unwrap();
    let (report, log) = run(LocalSource::open(old).unwrap(), sink, false).await;
    assert_untouched(&server);
    assert!(report.all_in_sync(), "{report:?}\n{log}");
    for name in ["dir/f1", "dir/sub/f3", "f2", "new"] {
        assert_eq!(fs::read_to_string(tree.join(name)).unwrap(), "other", "{name}");
    }
    assert!(["dir", "f2", "new"].iter().all(|name| !is_link(&tree.join(name))));
}

/// As when someone puts the link there after the scan.
#[tokio::test(flavor = "multi_thread")]
async fn each_operation_checks_for_links_first() {
    let Some(server) = or_skip(servers::sftp()) else { return };
    victim(&server);
    let (source, sink) = server.trees("tree").await;
    let tree = server.files().join("tree");
    symlink("../victim", tree.join("link")).unwrap();
    fs::write(tree.join("file"), "content").unwrap();
    let given = Metadata::new(Kind::File, 1, Timestamp::from_ns(1_000_000_000_000_000_000));
    let times = Times { modified: Timestamp::from_ns(0), accessed: None };
    let before = fs::metadata(server.files().join("victim/f1")).unwrap().modified().unwrap();
    for at in ["link/f1", "link/sub/f3", "link/new"].map(path) {
        let errors = [
            source.metadata(&at).await.map(drop),
            source.open(&at, &ReadOptions::default()).await.map(drop),
            source.read_whole(&at, 10, Vec::new(), &ReadOptions::default()).await.map(drop),
            source.read_link(&at).await.map(drop),
            source.read_dir(&at, &ReadOptions::default()).await.map(drop),
            sink.create(&at, &given, &WriteOptions::default()).await.map(drop),
            sink.write_whole(&at, Bytes::from_static(b"x"), &given, &WriteOptions::default()).await.map(drop),
            sink.create_dir(&at, None).await,
            sink.rename(&at, &path("away")).await,
            sink.rename(&path("file"), &at).await,
            sink.set_times(&at, &times).await,
            sink.remove_file(&at).await,
            sink.remove_dir(&at).await,
        ];
        for (number, result) in errors.into_iter().enumerate() {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Escapes, "{at}, operation {number}");
        }
    }
    assert_eq!(
        source.read_dir(&path("link"), &ReadOptions::default()).await.map(drop).unwrap_err().kind(),
        ErrorKind::Escapes
    );
    assert_eq!(sink.remove_dir(&path("link")).await.unwrap_err().kind(), ErrorKind::NotADirectory);
    sink.set_times(&path("link"), &times).await.unwrap();
    assert_untouched(&server);
    assert_eq!(fs::metadata(server.files().join("victim/f1")).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read_to_string(tree.join("file")).unwrap(), "content");
}

/// A link out of the tree, a loop, a link to nowhere and a FIFO.
fn tree_with_links(server: &Server) {
    victim(server);
    let tree = server.files().join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("sub/file"), "content").unwrap();
    symlink("../victim", tree.join("out")).unwrap();
    symlink("..", tree.join("sub/loop")).unwrap();
    symlink("nowhere", tree.join("dangling")).unwrap();
    assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_special_files_of_an_ssh_server_are_reported_and_left_out() {
    let Some(server) = or_skip(servers::sftp()) else { return };
    tree_with_links(&server);
    let new = tempfile::tempdir().unwrap();
    let (report, log) = run(server.source("tree").await, LocalSink::open(new.path()).unwrap(), false).await;
    assert!(
        (report.failed_files, report.synced.files, report.skipped_files, report.special_files) == (0, 1, 3, 1),
        "{report:?}\n{log}"
    );
    for name in ["tree/out", "tree/sub/loop", "tree/dangling", "tree/pipe"] {
        let line = log.lines().find(|line| line.contains(&format!("{name}\""))).unwrap();
        assert!(line.contains("skipped") && line.contains("is not copied"), "{line}");
    }
    assert_eq!(fs::read_to_string(new.path().join("sub/file")).unwrap(), "content");
    assert_eq!(
        (fs::read_dir(new.path()).unwrap().count(), fs::read_dir(new.path().join("sub")).unwrap().count()),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_an_ssh_server_are_copied_as_links_if_an_option_says_so() {
    let Some(server) = or_skip(servers::sftp_with_links()) else { return };
    tree_with_links(&server);
    let new = tempfile::tempdir().unwrap();
    let (report, log) = run(server.source("tree").await, LocalSink::open(new.path()).unwrap(), false).await;
    assert!(
        (report.failed_files, report.synced.files, report.skipped_files, report.special_files) == (0, 4, 0, 1),
        "the FIFO alone is left out: {report:?}\n{log}"
    );
    let target = |root: &Path, name: &str| fs::read_link(root.join(name)).unwrap();
    for name in ["out", "sub/loop", "dangling"] {
        assert_eq!(target(new.path(), name), target(&server.files().join("tree"), name), "{name}");
    }
    // And back again.
    let sink = server.sink("back").await;
    let (report, log) = run(LocalSource::open(new.path()).unwrap(), sink, false).await;
    assert!(report.all_in_sync(), "{report:?}\n{log}");
    for name in ["out", "sub/loop", "dangling"] {
        assert_eq!(target(&server.files().join("back"), name), target(new.path(), name), "{name}");
    }
}

/// Replaces a link by one with another target, and the same mtime.
fn retarget(link: &Path, target: &str) {
    use std::os::unix::fs::MetadataExt as _;
    let before = fs::symlink_metadata(link).unwrap();
    fs::remove_file(link).unwrap();
    symlink(target, link).unwrap();
    let time = format!("@{}.{:09}", before.mtime(), before.mtime_nsec());
    assert!(Command::new("touch").args(["-h", "-d", &time]).arg(link).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_of_links_on_an_ssh_server_are_compared() {
    let Some(server) = or_skip(servers::sftp_with_links()) else { return };
    let (local, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for number in 0..100 {
        symlink(format!("target {number:02}"), local.path().join(number.to_string())).unwrap();
    }
    let there = |name: &str| server.files().join("targets").join(name);
    let sent = async || {
        let builder = Migration::builder()
            .source(LocalSource::open(local.path()).unwrap())
            .sink(server.sink("targets").await)
            .database(state.path().join("db"))
            .audit_log(state.path().join("log"));
        let report = builder.build().unwrap().0.run().await.unwrap();
        assert!(report.all_in_sync(), "{report:?}");
        report.synced.files
    };
    assert_eq!(sent().await, 100);
    assert_eq!(sent().await, 0);
    retarget(&there("7"), "target 77");
    retarget(&local.path().join("8"), "target 88");
    assert_eq!(sent().await, 2);
    for (name, target) in [("7", "target 07"), ("8", "target 88")] {
        assert_eq!(fs::read_link(there(name)).unwrap(), Path::new(target));
    }
    assert_eq!(sent().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_files_are_private_on_an_ssh_server() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let Some(server) = or_skip(servers::sftp()) else { return };
    let local = tempfile::tempdir().unwrap();
    let set =
        |name: &str, mode| fs::set_permissions(local.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir(local.path().join("home")).unwrap();
    fs::write(local.path().join("home/key"), "secret").unwrap();
    fs::write(local.path().join("home/large"), vec![7; 1 << 20]).unwrap();
    fs::write(local.path().join("open"), "to all").unwrap();
    for (name, mode) in [("home/key", 0o600), ("home/large", 0o600), ("home", 0o700), ("open", 0o644)] {
        set(name, mode);
    }
    let sink = server.sink("private").await;
    run(LocalSource::open(local.path()).unwrap(), sink, false).await;
    for (name, mode) in [("home", 0o700), ("home/key", 0o600), ("home/large", 0o600), ("open", 0o644)] {
        let found = fs::metadata(server.files().join("private").join(name)).unwrap().mode() & 0o777;
        assert_eq!(found & !mode, 0, "{name}: {found:o}");
    }
}
