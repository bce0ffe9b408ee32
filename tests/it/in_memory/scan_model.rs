//! Compares the files that a scan sends with a small model, which decides from both listings and the state
//! recorded by earlier runs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use towpath::{Action, Event};
use towpath_backend::{Bytes, Hints, Kind, Metadata, Sink as _, Times, Timestamp, Tree as _, WriteOptions};
use towpath_memory::{Keeps, MemoryTree};

use super::bench::*;

const START_NS: i128 = 1_700_000_000_000_000_000;
const SECOND_NS: i128 = 1_000_000_000;
const PLACES: [&str; 5] = ["a", "b", "d/a", "d/b", "e/a"];

/// A file or symlink in a listing.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    kind: Kind,
    size_bytes: u64,
    modified_ns: i128,
    /// Of a symlink.
    target: Option<Vec<u8>>,
}

impl Seen {
    /// The target of a symlink, the size of a file.
    fn content(&self) -> (Option<&[u8]>, u64) {
        (self.target.as_deref(), if self.target.is_some() { 0 } else { self.size_bytes })
    }
}

/// The recorded state of a file that was in sync.
#[derive(Clone, Debug)]
struct Recorded {
    source: Seen,
    /// The mtime that the sink kept instead of the source's.
    kept_ns: Option<i128>,
    /// The target that the sink kept instead of the source's.
    kept_target: Option<Vec<u8>>,
    /// The last scan did not find it in the source.
    is_gone: bool,
}

/// The precision of a sink's mtimes in nanoseconds; `None`: it keeps none.
type Tolerance = Option<i128>;

fn is_sent(source: &Seen, sink: Option<&Seen>, recorded: Option<&Recorded>, tolerance: Tolerance) -> bool {
    let Some(sink) = sink.filter(|sink| sink.kind == source.kind) else { return true };
    // The row of a removed file is kept only if the sink keeps no mtimes.
    let recorded = recorded.filter(|recorded| tolerance.is_none() || !recorded.is_gone);
    let has_changed = recorded.is_some_and(|recorded| recorded.source.modified_ns != source.modified_ns);
    let same = recorded.filter(|recorded| recorded.source == *source);
    let kept_ns = same.and_then(|recorded| recorded.kept_ns);
    let kept_target = same.and_then(|recorded| recorded.kept_target.clone());
    let expected = Seen { target: kept_target.or_else(|| source.target.clone()), ..source.clone() };
    if sink.content() != expected.content() {
        return true;
    }
    match tolerance {
        // The sink has no mtimes, so the recorded mtime of the source decides.
        None => has_changed || recorded.is_some_and(|recorded| recorded.is_gone),
        Some(_) if has_changed && recorded.is_some_and(|recorded| recorded.kept_ns.is_some()) => true,
        Some(tolerance) => (sink.modified_ns - kept_ns.unwrap_or(source.modified_ns)).abs() > tolerance,
    }
}

async fn listing(tree: &MemoryTree) -> BTreeMap<&'static str, Seen> {
    let mut listing = BTreeMap::new();
    for place in PLACES {
        if let Ok(Metadata { kind, size_bytes, modified, .. }) = tree.metadata(&path(place)).await {
            let target = tree.read_link(&path(place)).await.ok();
            listing.insert(place, Seen { kind, size_bytes, modified_ns: modified.total_ns(), target });
        }
    }
    listing
}

/// Some of the same length.
const TARGETS: [&str; 4] = ["a/b", "a/c", "abc", "farther"];

#[derive(Clone, Debug)]
enum Change {
    Write { size: usize, quarter_seconds: i128 },
    Link { target: &'static str, quarter_seconds: i128 },
    Remove,
}

fn change() -> impl Strategy<Value = (bool, usize, Change)> {
    let change = prop_oneof![
        6 => (0..3_usize, -5..6_i128).prop_map(|(size, quarter_seconds)| Change::Write { size, quarter_seconds }),
        3 => (0..TARGETS.len(), -2..3_i128)
            .prop_map(|(target, quarter_seconds)| Change::Link { target: TARGETS[target], quarter_seconds }),
        1 => Just(Change::Remove),
    ];
    (any::<bool>(), 0..PLACES.len(), change)
}

/// So many quarters of a second after the start.
fn quarters(of_a_second: i128) -> Timestamp {
    Timestamp::from_ns(i64::try_from(START_NS + of_a_second * SECOND_NS / 4).unwrap())
}

async fn apply(tree: &MemoryTree, at: &str, change: &Change) {
    let at = path(at);
    if let Some(dir) = at.parent().filter(|dir| !dir.is_root()) {
        let _may_exist = tree.create_dir(&dir, None).await;
    }
    if !matches!(change, Change::Write { .. }) || tree.metadata(&at).await.is_ok_and(|found| found.kind != Kind::File) {
        let _may_be_missing = tree.remove_file(&at).await;
    }
    match change {
        Change::Write { size, quarter_seconds } => {
            let metadata = Metadata::new(Kind::File, *size as u64, quarters(*quarter_seconds));
            let data = Bytes::from(noise(*size));
            tree.write_whole(&at, data, &metadata, &WriteOptions::default()).await.unwrap();
        }
        Change::Link { target, quarter_seconds } => {
            tree.create_symlink(&at, target.as_bytes()).await.unwrap();
            let times = Times { modified: quarters(*quarter_seconds), accessed: None };
            let _may_have_no_times = tree.set_times(&at, &times).await;
        }
        Change::Remove => {}
    }
}

/// A sink that keeps mtimes exactly, to the second, within two seconds, or not at all, and targets as they are or not.
/// One whose listings have no targets is asked for each.
fn sink(which: usize, slashes_in_targets: bool, over_network: bool) -> (MemoryTree, Tolerance) {
    let (mut capabilities, mut keeps) =
        (MemoryTree::new("all").capabilities(), Keeps { slashes_in_targets, ..Keeps::default() });
    let tolerance = match which {
        0 => Some(0),
        1 => {
            capabilities.mtime_precision_ns = SECOND_NS as u64;
            Some(SECOND_NS - 1)
        }
        2 => {
            let at = |ns: i128| Timestamp::from_ns(i64::try_from(ns).unwrap());
            keeps.mtimes = at(START_NS)..=at(START_NS + SECOND_NS);
            Some(0)
        }
        _ => {
            capabilities.sets_mtime = false;
            None
        }
    };
    let hints = Hints { over_network, ..Hints::DEFAULT };
    (MemoryTree::that_keeps("new", capabilities, keeps).with_hints(hints), tolerance)
}

fn sent(events: &[Event]) -> BTreeSet<String> {
    let name = |event: &Event| match event {
        Event::Planned { action: Action::Send, paths, .. } => {
            Some(String::from_utf8_lossy(&paths.dest).strip_prefix("mem://new/").unwrap().to_owned())
        }
        _ => None,
    };
    events.iter().filter_map(name).collect()
}

/// Few cases, unless `PROPTEST_CASES` is set.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_scan_sends_the_files_that_the_model_sends(
        runs in proptest::collection::vec(proptest::collection::vec(change(), 0..8), 1..5),
        which in 0..4_usize,
        slashes_in_targets in any::<bool>(),
        over_network in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (sink, tolerance) = sink(which, slashes_in_targets, over_network);
            let bench = Bench { sink, ..Bench::new() };
            let mut recorded = BTreeMap::<&str, Recorded>::new();
            for changes in runs {
                for (is_source, at, change) in &changes {
                    apply(if *is_source { &bench.source } else { &bench.sink }, PLACES[*at], change).await;
                }
                let (at_source, at_sink) = (listing(&bench.source).await, listing(&bench.sink).await);
                let is_sent = |place: &str, seen: &Seen| is_sent(seen, at_sink.get(place), recorded.get(place), tolerance);
                let expected: BTreeSet<_> =
                    at_source.iter().filter(|(place, seen)| is_sent(place, seen)).map(|(place, _)| (*place).to_owned()).collect();
                let context = format!("{changes:?}\nsource {at_source:?}\nsink {at_sink:?}\nrecorded {recorded:?}");
                assert_eq!(sent(&bench.dry_run().await.events), expected, "{context}");

                assert!(bench.run().await.report.all_in_sync(), "{context}");
                let arrived = listing(&bench.sink).await;
                for (place, record) in &mut recorded {
                    record.is_gone |= !at_source.contains_key(place);
                }
                for (place, source) in at_source {
                    let before = recorded.get(place).filter(|before| before.source == source && !before.is_gone);
                    let differs = |kept_ns: i128| tolerance.is_some_and(|most| (kept_ns - source.modified_ns).abs() > most);
                    let (kept_ns, kept_target) = match expected.contains(place) {
                        true => (
                            Some(arrived[place].modified_ns).filter(|kept_ns| differs(*kept_ns)),
                            arrived[place].target.clone().filter(|kept| source.target.as_ref() != Some(kept)),
                        ),
                        false => (
                            before.and_then(|before| before.kept_ns),
                            before.and_then(|before| before.kept_target.clone()),
                        ),
                    };
                    recorded.insert(place, Recorded { source, kept_ns, kept_target, is_gone: false });
                }
            }
        });
    }
}
