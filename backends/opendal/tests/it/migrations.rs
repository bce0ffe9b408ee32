//! Whole migrations to real servers on loopback, and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use towpath::{Bandwidth, EventStream, MaxDelete, Migration, Mirror, Options, Report};
use towpath_backend::{Capabilities, Kind, ReadOptions, RelPath, Sink, Source};
use towpath_local::{LocalSink, LocalSource};
use towpath_opendal::OpendalTree;

use crate::servers::{self, Server, or_skip};

/// Files of which each kind causes trouble somewhere, with one of several multipart parts.
fn fill(root: &Path, special: &str) {
    let files = [
        ("plain", 5),
        ("empty", 0),
        ("dir/with space & more", 1000),
        (special, 300_000),
        ("dir/deep/er/file.tar.gz", 70_000),
        ("dir.txt", 1),
        ("parts", 20 << 20),
        ("-rf", 7),
    ];
    for (n, (name, size)) in files.into_iter().enumerate() {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let data: Vec<u8> = (0..size).map(|i| ((i * 31 + n) % 251) as u8).collect();
        fs::write(&path, data).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000 + n as u64 * 1000, 123_456_789);
        fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    fs::create_dir_all(root.join("hollow/er")).unwrap();
}

/// Each path below a root; a file's content and mtime.
fn seen(root: &Path) -> BTreeMap<PathBuf, Option<(Vec<u8>, SystemTime)>> {
    let (mut all, mut dirs) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            let file = metadata.is_file().then(|| (fs::read(&path).unwrap(), metadata.modified().unwrap()));
            all.insert(path.strip_prefix(root).unwrap().to_owned(), file);
            if metadata.is_dir() {
                dirs.push(path);
            }
        }
    }
    all
}

/// A migration with its state in `folder`, and its events.
fn migration(
    source: impl Source + 'static,
    sink: impl Sink + 'static,
    folder: &Path,
    options: Options,
) -> (Migration, EventStream) {
    fs::create_dir_all(folder).unwrap();
    Migration::builder()
        .source(source)
        .sink(sink)
        .database(folder.join("db"))
        .audit_log(folder.join("log"))
        .options(options)
        .build()
        .unwrap()
}

async fn run(source: impl Source + 'static, sink: impl Sink + 'static, folder: &Path, rescan: bool) -> Report {
    migration(source, sink, folder, Options::default().rescan(rescan)).0.run().await.unwrap()
}

async fn there_and_back(server: Option<Server>) {
    if let Some(server) = server {
        there_and_back_with(async || server.trees("tree").await, SPECIAL_NAME).await;
    }
}

/// A name with characters that are special in keys, URLs and headers.
const SPECIAL_NAME: &str = "dir/ümläut +%?#";

/// `open` gives the tree, from both sides.
async fn there_and_back_with<S: Source + 'static, T: Sink + 'static>(open: impl AsyncFn() -> (S, T), special: &str) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("old")).unwrap();
    fill(&at("old"), special);
    let source = || LocalSource::open(&at("old")).unwrap();
    let Capabilities { sets_mtime, mtime_precision_ns: step_ns, .. } = open().await.1.capabilities();
    let there = run(source(), open().await.1, &at("there"), false).await;
    assert!(there.all_in_sync() && there.synced.files == 8, "{there:?}");
    let again = run(source(), open().await.1, &at("there"), true).await;
    assert!(again.all_in_sync() && again.synced.files == 0, "a second run sends nothing: {again:?}");
    let back = run(open().await.0, LocalSink::open(&at("new")).unwrap(), &at("back"), false).await;
    let log = || fs::read_to_string(at("back/log")).unwrap();
    assert!(back.all_in_sync() && back.synced.files == 8, "{back:?}\n{}", log());
    let (mut old, mut new) = (seen(&at("old")), seen(&at("new")));
    // As far as the tree keeps them.
    let round = |file: &mut Option<(Vec<u8>, SystemTime)>| {
        if let Some((_, modified)) = file {
            let ns = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
            *modified = SystemTime::UNIX_EPOCH + Duration::from_nanos(if sets_mtime { ns - ns % step_ns } else { 0 });
        }
    };
    old.values_mut().for_each(round);
    new.values_mut().for_each(round);
    assert!(old == new, "{:?}\n{:?}", old.keys(), new.keys());
    // Of the same size, at another time.
    fs::write(at("old/plain"), "other").unwrap();
    let changed = run(source(), open().await.1, &at("there"), true).await;
    assert!(changed.all_in_sync() && changed.synced.files == 1, "what changed is sent: {changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_a_store_without_mtimes_and_back() {
    let operator = opendal::Operator::new(opendal::services::Memory::default()).unwrap();
    let tree = OpendalTree::new(operator, "memory:tree");
    there_and_back_with(async || (tree.clone(), tree.clone()), SPECIAL_NAME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_s3_and_back() {
    there_and_back(or_skip(servers::s3())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_azure_blob_storage_and_back() {
    there_and_back(or_skip(servers::azblob())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_google_cloud_storage_and_back() {
    there_and_back(or_skip(servers::gcs())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_webdav_and_back() {
    for server in [servers::webdav(), servers::webdav_with_mtimes(), servers::dufs(), servers::rclone()] {
        there_and_back(or_skip(server)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_sftp_and_back() {
    there_and_back(or_skip(servers::sftp())).await;
}

/// As in a dry run.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_on_an_ssh_server_that_is_inspected_is_empty_and_not_created() {
    let Some(server) = or_skip(servers::sftp()) else { return };
    let sink = server.inspected("not/there").await;
    sink.identity().await.unwrap();
    assert_eq!(sink.metadata(&RelPath::root()).await.unwrap().kind, Kind::Dir);
    assert!(
        tokio_stream::StreamExt::next(&mut sink.read_dir(&RelPath::root(), &ReadOptions::default()).await.unwrap())
            .await
            .is_none()
    );
    assert!(!server.files().join("not").exists());
    drop(server.sink("not/there").await);
    assert!(server.files().join("not/there").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_hdfs_and_back() {
    there_and_back(or_skip(servers::hdfs())).await;
}

/// Whether the test of this name runs in a process of its own. If not, it is started in one, and has to pass there.
fn is_own_process(name: &str) -> bool {
    const ENV: &str = "TOWPATH_TEST_ALONE";
    if std::env::var_os(ENV).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", name]).env(ENV, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}

/// What was sent is not kept in memory. The peak is that of the process, which other tests must not share.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_takes_no_more_memory_than_a_few_parts() {
    const MIB: u64 = 1 << 20;
    if !is_own_process("migrations::a_large_object_takes_no_more_memory_than_a_few_parts") {
        return;
    }
    let Some(server) = or_skip(servers::s3()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("old")).unwrap();
    fs::File::create(at("old/large")).unwrap().set_len(300 * MIB).unwrap();
    let source = LocalSource::open(&at("old")).unwrap();
    let sent = run(source, server.sink("tree").await, &at("state"), false).await;
    assert!(sent.all_in_sync() && sent.synced.bytes == u128::from(300 * MIB), "{sent:?}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 200 << 10, "{} MiB", peak_kib >> 10);
}

/// The server is lost during the run and comes back: the same migration completes.
async fn interrupted(server: Option<Server>) {
    interrupted_with(server, 160, 20_000).await;
}

async fn interrupted_with(server: Option<Server>, count: u64, bytes: usize) {
    let Some(mut server) = server.map(Server::behind_a_proxy) else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("old")).unwrap();
    for n in 0..count {
        fs::write(at("old").join(format!("{n:03}")), vec![n as u8; bytes]).unwrap();
    }
    let source = || LocalSource::open(&at("old")).unwrap();
    // Takes seconds, so that it cannot end before the server is lost.
    let limited = Options::default().bandwidth(Bandwidth::Limit(count * bytes as u64 / 4));
    let (first_run, mut events) = migration(source(), server.sink("tree").await, &at("state"), limited);
    let (progress, stop) = (first_run.progress(), first_run.cancellation());
    let first = tokio::spawn(first_run.run());
    while progress.snapshot().written_bytes < count * bytes as u64 / 8 && !first.is_finished() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let rejected = server.disconnect();
    // Until the run has noticed, or has ended by itself.
    tokio::select! {
        () = rejected.notified() => {}
        () = async { while events.next().await.is_some() {} } => {}
    }
    stop.cancel();
    let first = first.await.unwrap();
    server.reconnect();
    let sent = first.map_or(0, |report| report.synced.files);
    assert!(sent < count, "the run ended before the server was lost");
    let second = run(source(), server.sink("tree").await, &at("state"), false).await;
    assert!(second.all_in_sync(), "{second:?}");
    let back = run(server.source("tree").await, LocalSink::open(&at("new")).unwrap(), &at("back"), false).await;
    assert!(back.all_in_sync() && back.synced.files == count, "{back:?}");
    let content = |root: &Path| seen(root).into_iter().map(|(path, file)| (path, file.map(|(data, _)| data)));
    assert!(content(&at("old")).eq(content(&at("new"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_resumes_after_an_ssh_server_is_lost() {
    interrupted(or_skip(servers::sftp())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_resumes_after_a_webdav_server_is_lost() {
    interrupted(or_skip(servers::webdav())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_resume_after_a_webdav_server_is_lost() {
    interrupted_with(or_skip(servers::webdav()), 4, 12 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_resumes_after_an_s3_server_is_lost() {
    interrupted(or_skip(servers::s3())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_resume_after_an_s3_server_is_lost() {
    interrupted_with(or_skip(servers::s3()), 4, 12 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_resumes_after_an_azure_server_is_lost() {
    interrupted(or_skip(servers::azblob())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_resumes_after_a_google_server_is_lost() {
    interrupted(or_skip(servers::gcs())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_resume_after_a_google_server_is_lost() {
    interrupted_with(or_skip(servers::gcs()), 4, 12 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_resumes_after_a_hadoop_file_system_is_lost() {
    interrupted(or_skip(servers::hdfs())).await;
}

/// Extras are deleted, but none if the source is empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_a_store_deletes_extras_and_nothing_when_the_source_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let operator = opendal::Operator::new(opendal::services::Memory::default()).unwrap();
    for key in ["kept", "dir/kept", "dir/gone", "gone/too"] {
        operator.write(key, key).await.unwrap();
    }
    let run = async || {
        let mirror = Mirror::default().max_delete(MaxDelete::Percent(100));
        let options = Options::default().rescan(true).mirror(mirror);
        fs::create_dir_all(at("state")).unwrap();
        Migration::builder()
            .source(OpendalTree::new(operator.clone(), "memory:tree"))
            .sink(LocalSink::open(&at("new")).unwrap())
            .database(at("state/db"))
            .audit_log(at("state/log"))
            .options(options)
            .build()
            .unwrap()
            .0
            .run()
            .await
    };
    let names = || seen(&at("new")).into_keys().map(|path| path.display().to_string()).collect::<Vec<_>>();
    assert!(run().await.unwrap().all_in_sync());
    operator.delete("dir/gone").await.unwrap();
    operator.delete("gone/too").await.unwrap();
    let report = run().await.unwrap();
    assert_eq!((report.deleted_files, report.deleted_dirs), (2, 1), "{report:?}");
    assert_eq!(names(), ["dir", "dir/kept", "kept"]);
    operator.delete("dir/kept").await.unwrap();
    operator.delete("kept").await.unwrap();
    let is_stopped = match run().await {
        Ok(report) => report.refusal.is_some() && report.deleted_files == 0,
        Err(error) => error.is_refusal(),
    };
    assert!(is_stopped);
    assert_eq!(names(), ["dir", "dir/kept", "kept"]);
}
