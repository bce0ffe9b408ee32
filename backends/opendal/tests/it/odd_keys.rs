//! Keys that are no paths, and single entries that a server cannot describe: reported one by one, and all else is
//! migrated.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use towpath::{Event, Migration, Mirror, Options, Report, UnreadableError};
use towpath_local::{LocalSink, LocalSource};

use crate::fake::{Markers, Server};

struct Bench {
    folder: tempfile::TempDir,
    server: Server,
}

/// How a run ended, and the errors of entries that it could not read.
struct Ended {
    report: Report,
    unreadable: Vec<String>,
}

impl Ended {
    fn reports(&self, text: &str) -> bool {
        self.unreadable.iter().any(|error| error.contains(text))
    }
}

impl Bench {
    fn new(keys: &[&str]) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), server: Server::start(Markers::Kept) };
        keys.iter().for_each(|key| bench.server.put(key, key));
        bench
    }

    fn local(&self) -> std::path::PathBuf {
        self.folder.path().join("local")
    }

    fn write(&self, path: &str) {
        let path = self.local().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "local").unwrap();
    }

    /// Migrates the bucket to the local tree.
    async fn download(&self, options: Options) -> Ended {
        let builder = Migration::builder();
        self.run(builder.source(self.server.tree(&[])).sink(LocalSink::open(&self.local()).unwrap()), options).await
    }

    /// Migrates the local tree to the bucket.
    async fn upload(&self) -> Ended {
        let builder = Migration::builder();
        let source = LocalSource::open(&self.local()).unwrap();
        self.run(builder.source(source).sink(self.server.tree(&[])), Options::default()).await
    }

    async fn run(&self, builder: towpath::Builder, options: Options) -> Ended {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let (migration, mut events) = builder
            .database(folder.path().join("db"))
            .audit_log(folder.path().join("log"))
            .options(options)
            .build()
            .unwrap();
        let run = tokio::spawn(migration.run());
        let mut unreadable = Vec::new();
        while let Some(event) = events.next().await {
            if let Event::Unreadable { error: UnreadableError::Tree(error), path, .. } = event {
                unreadable.push(format!("{}: {error}", String::from_utf8_lossy(&path)));
            }
        }
        Ended { report: run.await.unwrap().unwrap(), unreadable }
    }
}

fn files(root: &Path) -> BTreeMap<String, String> {
    fn add(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    add(root, root, &mut files);
    files
}

fn is_path(key: &str) -> bool {
    key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The shortest object whose key with a slash the key begins with.
fn pair_of<'a>(key: &'a str, keys: &BTreeSet<String>) -> Option<&'a str> {
    let is_pair = |name: &str| keys.contains(name) && keys.iter().any(|other| other.starts_with(&format!("{name}/")));
    let ends = key.match_indices('/').map(|(at, _)| at).chain([key.len()]);
    ends.map(|end| &key[..end]).find(|name| is_path(name) && is_pair(name))
}

fn conserve(keys: &BTreeSet<String>) {
    let bench = Bench::new(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(bench.download(Options::default()));
    let arrived = files(&bench.local());
    for key in keys {
        if let Some(pair) = pair_of(key, keys) {
            assert!(ended.reports(&format!("s3://bucket/{pair}: ")), "{key}: {:?}", ended.unreadable);
        } else if is_path(key) {
            assert_eq!(arrived.get(key), Some(key), "{:?}", ended.unreadable);
        } else {
            assert!(ended.reports(&format!("the key {key:?} ")), "{key}: {:?}", ended.unreadable);
        }
    }
    assert_eq!(ended.report.all_in_sync(), ended.unreadable.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_key_arrives_or_is_reported(
        keys in prop::collection::btree_set("[ab.!]{0,2}(/[ab.]{0,2}){0,3}", 1..12)
    ) {
        let keys: BTreeSet<_> = keys.into_iter().filter(|key| !key.is_empty()).collect();
        conserve(&keys);
    }
}

#[test]
fn keys_with_parts_that_no_path_has_are_reported_by_key() {
    let keys = ["a//b", "a///c", "/lead", "//two", "./dot", "x/./y", "../up", "x/../z", "ok", "a/ok", "x/ok", "dir/"];
    conserve(&keys.map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_stand_for_a_reported_key_is_not_deleted() {
    let bench = Bench::new(&["keep", "a//b", "./dot", "../up"]);
    for path in ["keep", "a/b", "dot", "up", "extra", "a/extra"] {
        bench.write(path);
    }
    bench.download(Options::default().mirror(Mirror::default())).await;
    let left: Vec<_> = files(&bench.local()).into_keys().collect();
    assert_eq!(left, ["a/b", "dot", "keep", "up"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_and_objects_below_it_are_reported_and_all_else_is_migrated() {
    let bench = Bench::new(&["h", "h-other", "h/x", "o/y", "z"]);
    let ended = bench.download(Options::default()).await;
    assert_eq!(files(&bench.local()).into_keys().collect::<Vec<_>>(), ["h-other", "o/y", "z"]);
    assert!(ended.reports("s3://bucket/h: ") && ended.unreadable.len() == 1, "{:?}", ended.unreadable);

    let bench = Bench::new(&["h", "h/x"]);
    bench.write("h");
    bench.write("new");
    let ended = bench.upload().await;
    assert_eq!((ended.report.synced.files, ended.report.failed_files), (1, 1));
    assert_eq!(bench.server.keys(), ["h", "h/x", "new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_not_written_beside_objects_that_make_its_name_a_directory() {
    let bench = Bench::new(&["a/b", "keep"]);
    bench.write("a");
    bench.write("new");
    for _ in 0..2 {
        let ended = bench.upload().await;
        assert_eq!(ended.report.failed_files, 1);
        assert_eq!(bench.server.keys(), ["a/b", "keep", "new"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stubs_of_directories_are_directories() {
    let bench = Bench::new(&["dir/x", "other/y", "z"]);
    bench.server.put_folder("dir");
    bench.server.put_folder("void");
    bench.server.put("other_$folder$", "");
    bench.server.put("empty_$folder$", "");
    let ended = bench.download(Options::default()).await;
    assert!(ended.report.all_in_sync(), "{:?}", ended.unreadable);
    assert_eq!(files(&bench.local()).into_keys().collect::<Vec<_>>(), ["dir/x", "other/y", "z"]);
    assert!(bench.local().join("void").is_dir() && bench.local().join("empty").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_possible_stub_whose_metadata_the_server_denies_is_reported_alone() {
    let bench = Bench::new(&["dir/x", "z"]);
    bench.server.put("dir", "");
    bench.server.deny_head("dir");
    let ended = bench.download(Options::default()).await;
    assert!(ended.reports("s3://bucket/dir: ") && ended.unreadable.len() == 1, "{:?}", ended.unreadable);
    assert_eq!(files(&bench.local()).into_keys().collect::<Vec<_>>(), ["z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_metadata_the_server_denies_is_reported_alone() {
    let names: Vec<_> = (0..50).map(|n| format!("f{n:02}")).collect();
    let bench = Bench::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    bench.server.deny_head("f20");
    let ended = bench.download(Options::default()).await;
    assert_eq!((ended.report.synced.files, ended.report.unreadable_dirs), (49, 1));
    assert!(ended.reports("s3://bucket/f20: "), "{:?}", ended.unreadable);

    // At the destination it counts as unknown: it is neither replaced nor deleted.
    fs::remove_file(bench.local().join("f21")).unwrap();
    let ended = bench.run(
        Migration::builder().source(LocalSource::open(&bench.local()).unwrap()).sink(bench.server.tree(&[])),
        Options::default().mirror(Mirror::default()),
    );
    let ended = ended.await;
    assert!(ended.reports("s3://bucket/f20: "), "{:?}", ended.unreadable);
    assert!(bench.server.keys().contains(&"f20".to_owned()) && !bench.server.keys().contains(&"f21".to_owned()));
}
