//! The account of a migration: the names that the listings had, less those of all classes, is zero, whatever happens.

use std::sync::Arc;

use proptest::prelude::*;
use tokio_stream::StreamExt as _;
use towpath::{Account, Filter, Links, Mirror, NameClass, NameKind, Options, Reconciliation, Rule, Rules};
use towpath_backend::layer::{Fault, Faults, Operation, Rule as FaultRule};
use towpath_backend::{
    Capabilities, EntryStream, ErrorKind, FileReader, Identity, Kind, Metadata, NameRules, ReadOptions, RelPath,
    Result, Sink as _, Source, Tree, async_trait,
};
use towpath_memory::MemoryTree;

use super::bench::*;

/// The account in the database of a bench.
fn account(bench: &Bench) -> Account {
    Account::read(bench.database(), 100).unwrap().unwrap()
}

/// The names of a database whose last scan is complete; checks that they add up.
#[track_caller]
fn balanced(bench: &Bench) -> Reconciliation {
    let names = account(bench).names.expect("a complete scan");
    for kind in NameKind::ALL {
        assert_eq!(names.difference(kind), Some((0, 0)), "{kind:?}: {names:#?}");
    }
    assert!(names.is_balanced());
    names
}

/// How many names have this reason.
fn with_reason(names: &Reconciliation, reason: &str) -> u64 {
    names.reasons.iter().filter(|one| one.reason == reason).map(|one| one.amount.total().names).sum()
}

/// A source whose listings have each name twice.
struct Doubling(MemoryTree);

#[async_trait]
impl Tree for Doubling {
    fn root(&self) -> &[u8] {
        self.0.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn identity(&self) -> Result<Identity> {
        self.0.identity().await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        let mut pages = self.0.read_dir(dir, options).await?;
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?;
            all.extend(page.iter().cloned().map(|entry| Ok(vec![entry])));
            all.push(Ok(page));
        }
        Ok(Box::pin(tokio_stream::iter(all)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.0.metadata(path).await
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.0.read_link(path).await
    }
}

#[async_trait]
impl Source for Doubling {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        self.0.open(path, options).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_source_is_balanced() {
    let bench = Bench::new();
    bench.run().await;
    let names = balanced(&bench);
    assert_eq!(names.listed.unwrap().total().names, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_a_listing_has_twice_count_once() {
    let bench = Bench::new();
    for name in ["a", "d/b", "d/e/c", "x.tmp"] {
        write(&bench.source, name, b"four").await;
    }
    bench.source.create_symlink(&path("link"), b"a").await.unwrap();
    let rules = Rules::new([Rule::exclude("*.tmp").unwrap()]).unwrap();
    let options = bench.options.clone().filter(Filter::default().rules(rules));
    let bench = Bench { options, ..bench };
    bench.run_between(Doubling(bench.source.clone()), bench.sink.clone()).await;
    let names = balanced(&bench);
    let synced = names.class(NameClass::Synced);
    let counts = NameKind::ALL.map(|kind| synced.of(kind).names);
    assert_eq!(counts, [3, 2, 1, 0], "{names:#?}");
    assert!(names.listed_twice.total().names >= 6, "{names:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_fails_and_files_of_earlier_scans_below_it_are_counted_apart() {
    let bench = Bench::new();
    for name in ["a", "d/b", "d/e/c"] {
        write(&bench.source, name, b"four").await;
    }
    bench.run().await;
    let names = balanced(&bench);
    assert_eq!((names.class(NameClass::Synced).total().names, names.with_checksum.names), (5, 3));
    let rule = FaultRule::new(ErrorKind::PermissionDenied).on(Operation::ReadDir).at(|at| at.as_bytes() == b"d");
    let source = Fault::new(bench.source.clone(), Faults::new(1).with(rule));
    bench.run_between(source, bench.sink.clone()).await;
    let names = balanced(&bench);
    assert_eq!(names.unlisted.names, 2, "{names:#?}");
    assert_eq!(with_reason(&names, "unreadable-directory"), 1);
    assert_eq!(names.class(NameClass::Failed).total().names, 1);
    let unreadable = account(&bench).unreadable;
    assert_eq!((unreadable.count, &unreadable.first[0].path[..]), (1, &b"d"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_sink_does_not_distinguish_fails_with_all_below_it() {
    let bench = Bench::with_sink_that_folds_case();
    for name in ["File", "file", "Dir/a", "dir/b"] {
        write(&bench.source, name, b"four").await;
    }
    write(&bench.sink, "other", b"four").await;
    bench.run().await;
    let names = balanced(&bench);
    let failed = names.class(NameClass::Failed);
    assert_eq!((failed.of(NameKind::File).names, failed.of(NameKind::Dir).names), (2, 1), "{names:#?}");
    let listed = account(&bench).failed;
    let paths: Vec<_> = listed.first.iter().map(|one| String::from_utf8_lossy(&one.path).into_owned()).collect();
    assert_eq!((listed.count, paths), (3, ["dir", "dir/b", "file"].map(str::to_owned).to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_scan_has_no_account() {
    let bench = Bench::new();
    write(&bench.source, "d/a", b"four").await;
    bench.run().await;
    balanced(&bench);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute("UPDATE scan SET finished = NULL", []).unwrap();
    assert!(account(&bench).names.is_none());
    connection.execute("UPDATE scan SET finished = 1", []).unwrap();
    connection.execute("UPDATE scan_count SET names = names + 1 WHERE what = 'listed' AND kind = 0", []).unwrap();
    let names = account(&bench).names.unwrap();
    assert_eq!(names.difference(NameKind::File), Some((1, 0)), "a name without a class is noticed");
    assert!(!names.is_balanced());
    connection.execute("DELETE FROM scan_count", []).unwrap();
    assert!(!account(&bench).names.unwrap().is_balanced(), "a scan that counted nothing proves nothing");
}

const PLACES: [&str; 10] = ["a", "A", "b.tmp", "d/a", "d/B", "d/b", "d/x/y", "skip/z", "e/f", ".towpath-0000"];

#[derive(Clone, Debug)]
enum Change {
    Write(usize),
    Link(&'static str),
    Remove,
}

fn change() -> impl Strategy<Value = (usize, Change)> {
    let targets = prop_oneof![Just("a"), Just("d"), Just("nothing"), Just("../outside"), Just("."), Just("d/x")];
    let change = prop_oneof![
        6 => (0..3000_usize).prop_map(Change::Write),
        2 => targets.prop_map(Change::Link),
        2 => Just(Change::Remove),
    ];
    (0..PLACES.len(), change)
}

async fn apply(tree: &MemoryTree, at: &str, change: &Change) {
    let at = path(at);
    if tree.metadata(&at).await.is_ok_and(|found| found.kind != Kind::Dir) {
        tree.remove_file(&at).await.unwrap();
    }
    match change {
        Change::Write(size) => write(tree, &at.to_string(), &noise(*size)).await,
        Change::Link(target) => {
            if let Some(dir) = at.parent().filter(|dir| !dir.is_root()) {
                let _may_exist = tree.create_dir(&dir, None).await;
            }
            let _may_be_a_directory = tree.create_symlink(&at, target.as_bytes()).await;
        }
        Change::Remove => {}
    }
}

#[derive(Clone, Debug)]
struct Round {
    changes: Vec<(usize, Change)>,
    /// Where an operation of the source fails, and which.
    fault: Option<(usize, usize)>,
    rescan: bool,
    removes: Option<usize>,
    rewrites: Option<usize>,
}

fn round() -> impl Strategy<Value = Round> {
    let place = || proptest::option::of(0..PLACES.len());
    (
        proptest::collection::vec(change(), 0..10),
        proptest::option::of((0..PLACES.len(), 0..5_usize)),
        any::<bool>(),
        place(),
        place(),
    )
        .prop_map(|(changes, fault, rescan, removes, rewrites)| Round {
            changes,
            fault,
            rescan,
            removes,
            rewrites,
        })
}

fn options(links: usize, mirror: bool, hard: bool) -> Options {
    let rules = [Rule::exclude("*.tmp").unwrap(), Rule::exclude("/skip/").unwrap()];
    let filter = Filter::default().rules(Rules::new(rules).unwrap()).max_size_bytes(hard.then_some(2500));
    let links = [Links::Copy, Links::Skip, Links::Follow][links];
    Options::default().lanes(2).links(links).mirror(mirror.then(Mirror::default)).filter(filter)
}

/// Few cases, unless `PROPTEST_CASES` is set.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_name_is_in_one_class_whatever_happens(
        rounds in proptest::collection::vec(round(), 1..5),
        links in 0..3_usize,
        mirror in any::<bool>(),
        small in any::<bool>(),
        folds in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = if folds { Bench::with_sink_that_folds_case() } else { Bench::new() };
            assert_eq!(folds, bench.sink.capabilities().names != NameRules::BYTES);
            for round in rounds {
                for (at, change) in &round.changes {
                    apply(&bench.source, PLACES[*at], change).await;
                }
                let mut faults = Faults::new(7);
                if let Some((at, operation)) = round.fault {
                    let operation = [Operation::ReadDir, Operation::ReadWhole, Operation::Metadata, Operation::Open,
                        Operation::ReadLink][operation];
                    let of = path(PLACES[at]);
                    // A directory that fails is that of the place.
                    let of = if operation == Operation::ReadDir { of.parent().unwrap_or(of) } else { of };
                    let rule = FaultRule::new(ErrorKind::PermissionDenied).on(operation);
                    faults = faults.with(rule.at(move |at| *at == of && !at.is_root()));
                }
                let source = Fault::new(bench.source.clone(), faults);
                let (removed, rewritten) = (round.removes.map(|at| PLACES[at]), round.rewrites.map(|at| PLACES[at]));
                // After the scan, when the first file is read.
                let tree = bench.source.clone();
                let act = Arc::new(move || {
                    let tree = tree.clone();
                    async move {
                        if let Some(at) = removed {
                            apply(&tree, at, &Change::Remove).await;
                        }
                        if let Some(at) = rewritten {
                            apply(&tree, at, &Change::Write(77)).await;
                        }
                    }
                });
                let acts = move || -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> { Box::pin(act()) };
                let source = before(source, Operation::ReadWhole, removed.unwrap_or("a"), 1, acts);
                let run = Bench { options: options(links, mirror, small).rescan(round.rescan), ..bench.clone() };
                run.run_between(source, run.sink.clone()).await;
                balanced(&bench);
            }
        });
    }
}
