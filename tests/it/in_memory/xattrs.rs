//! Extended attributes are compared with `--xattrs`, and what differs is applied without the content.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::prelude::*;
use towpath::{Event, PlanReason};
use towpath_backend::layer::{Call, Fault, Faults, Hook, Hooked, Operation, Rule};
use towpath_backend::{Attributes, ErrorKind, Hints, Sink as _, Times, Timestamp, Tree as _, Xattr, async_trait};
use towpath_memory::{Keeps, MemoryTree};

use super::bench::*;

fn xattr(name: &str, value: &str) -> Xattr {
    Xattr { name: name.into(), value: value.into() }
}

/// Replaces the extended attributes of an entry.
async fn set(tree: &MemoryTree, at: &str, xattrs: &[Xattr]) {
    let attributes = Attributes { xattrs: xattrs.to_vec(), removes_others: true, ..Attributes::default() };
    assert!(tree.set_attributes(&path(at), &attributes).await.unwrap().is_empty());
}

fn with_xattrs(bench: Bench) -> Bench {
    let options = bench.options.clone().keep_xattrs(true);
    Bench { options, ..bench }
}

fn that_keeps(keeps: Keeps) -> Bench {
    let capabilities = MemoryTree::new("all").capabilities();
    with_xattrs(Bench { sink: MemoryTree::that_keeps("new", capabilities, keeps), ..Bench::new() })
}

/// The names whose attributes alone were applied.
fn applied(ran: &Ran) -> Vec<String> {
    let name = |event: &Event| match event {
        Event::AttributesApplied { paths } => Some(String::from_utf8_lossy(&paths.dest[10..]).into_owned()),
        _ => None,
    };
    let mut names: Vec<_> = ran.events.iter().filter_map(name).collect();
    names.sort();
    names
}

/// A file, a directory and a link with attributes.
async fn make_all_kinds(tree: &MemoryTree) {
    write(tree, "dir/file", b"content").await;
    write(tree, "plain", b"content").await;
    tree.create_symlink(&path("link"), b"nowhere").await.unwrap();
    for of in ["dir/file", "dir", "link", ""] {
        set(tree, of, &[xattr("user.a", "1"), xattr("user.b", "2")]).await;
        let times = Times { modified: Timestamp::from_parts(1_700_000_000, 0), accessed: None };
        tree.set_times(&path(of), &times).await.unwrap();
    }
}

const KINDS: [&str; 4] = ["dir/file", "dir", "link", ""];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_is_applied_without_the_content() {
    let bench = with_xattrs(Bench::new());
    make_all_kinds(&bench.source).await;
    let first = bench.run().await;
    assert!(first.report.all_in_sync() && first.report.synced.files == 3, "{:?}", first.events);
    for of in KINDS {
        assert_eq!(bench.sink.xattrs(&path(of)).await.unwrap().len(), 2, "{of}");
    }
    let again = bench.run().await;
    assert!(again.report.scanned && again.report.synced.files == 0 && applied(&again).is_empty());

    // A value, a name, and one more; at the source, and at the sink.
    let others = [[xattr("user.a", "1"), xattr("user.b", "3")], [xattr("user.a", "1"), xattr("user.c", "2")]];
    for (xattrs, tree) in others.iter().zip([&bench.source, &bench.sink]) {
        for of in KINDS {
            set(tree, of, xattrs).await;
        }
        let planned = bench.dry_run().await;
        let is_why = |event: &&Event| matches!(event, Event::Planned { reason: PlanReason::XattrsDiffer, .. });
        assert_eq!(planned.events.iter().filter(is_why).count(), 2, "{:?}", planned.events);
        let ran = bench.run().await;
        assert_eq!((applied(&ran), ran.report.synced.files), (vec!["dir/file".to_owned(), "link".to_owned()], 0));
        for of in KINDS {
            let (mut source, mut sink) =
                (bench.source.xattrs(&path(of)).await.unwrap(), bench.sink.xattrs(&path(of)).await.unwrap());
            source.sort_by(|a, b| a.name.cmp(&b.name));
            sink.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(source, sink, "{of}");
        }
        assert!(applied(&bench.run().await).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_sink_does_not_keep_or_adds_is_not_applied_again() {
    let adds = Keeps { own_xattr: Some(xattr("security.label", "new")), ..Keeps::default() };
    let drops = Keeps { xattrs: false, ..Keeps::default() };
    for (keeps, not_accepted) in [(adds, 0), (drops, 8)] {
        let bench = that_keeps(keeps);
        make_all_kinds(&bench.source).await;
        let first = bench.run().await;
        assert!(first.report.all_in_sync(), "{:?}", first.events);
        assert_eq!(first.report.attributes_not_accepted, not_accepted, "{:?}", first.events);
        for _ in 0..2 {
            let again = bench.run().await;
            assert!(again.report.scanned && again.report.all_in_sync() && applied(&again).is_empty());
            assert_eq!((again.report.synced.files, again.report.attributes_not_accepted), (0, 0), "{:?}", again.events);
        }
        // Without the option in between, what is known stays known.
        let without = Bench { options: bench.options.clone().keep_xattrs(false), ..bench.clone() };
        assert!(without.run().await.report.all_in_sync());
        assert!(applied(&bench.run().await).is_empty());
        // A change at the source is applied again.
        set(&bench.source, "dir/file", &[xattr("user.a", "changed")]).await;
        assert_eq!(applied(&bench.run().await), ["dir/file"]);
        assert!(applied(&bench.run().await).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_that_cannot_be_read_are_never_in_sync() {
    let bench = with_xattrs(Bench::new());
    make_all_kinds(&bench.source).await;
    assert!(bench.run().await.report.all_in_sync());
    let failing = || Faults::new(1).with(Rule::new(ErrorKind::Other).on(Operation::Xattrs).temporary(false));

    let ran = bench.run_between(Fault::new(bench.source.clone(), failing()), bench.sink.clone()).await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files), (5, 0), "{:?}", ran.events);
    assert!(ran.mentions("read attributes dir/file") && ran.mentions("read attributes dir:"), "{:?}", ran.events);
    assert!(bench.run().await.report.all_in_sync());

    // They are applied, and each run reports that nobody knows what the destination has.
    for _ in 0..2 {
        let ran = bench.run_between(bench.source.clone(), Fault::new(bench.sink.clone(), failing())).await;
        assert_eq!((applied(&ran).len(), ran.report.synced.files), (3, 0), "{:?}", ran.events);
        assert_eq!(ran.report.attributes_not_accepted, 5, "{:?}", ran.events);
    }
    bench.run().await;
    assert!(applied(&bench.run().await).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_without_extended_attributes_is_not_compared() {
    let without = |tree: &MemoryTree| {
        let none = Faults::new(1).with(Rule::new(ErrorKind::Unsupported).on(Operation::Xattrs));
        Fault::new(tree.clone(), none)
    };
    let bench = with_xattrs(Bench::new());
    make_all_kinds(&bench.source).await;
    assert!(bench.run_between(bench.source.clone(), without(&bench.sink)).await.report.all_in_sync());
    let again = bench.run_between(bench.source.clone(), without(&bench.sink)).await;
    assert!(again.report.scanned && again.report.all_in_sync() && applied(&again).is_empty(), "{:?}", again.events);

    // A source without any: those of the sink are removed.
    let ran = bench.run_between(without(&bench.source), bench.sink.clone()).await;
    assert_eq!((applied(&ran).len(), ran.report.failed_files), (2, 0), "{:?}", ran.events);
    assert!(bench.sink.xattrs(&path("dir/file")).await.unwrap().is_empty());
}

/// Counts requests for targets and attributes.
#[derive(Default)]
struct Counted {
    targets: AtomicUsize,
    xattrs: AtomicUsize,
}

#[async_trait]
impl Hook for Counted {
    async fn wait(&self, call: &Call<'_>) {
        match call.operation {
            Operation::ReadLink => self.targets.fetch_add(1, SeqCst),
            Operation::Xattrs => self.xattrs.fetch_add(1, SeqCst),
            _ => 0,
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rescan_asks_for_nothing_that_it_does_not_compare() {
    let plain = Bench::new();
    make_all_kinds(&plain.source).await;
    for (bench, targets, xattrs) in [(plain.clone(), 1, 0), (with_xattrs(plain), 1, 5)] {
        bench.run().await;
        let counted = [Arc::new(Counted::default()), Arc::new(Counted::default())];
        let far = Hints { over_network: true, ..Hints::DEFAULT };
        let source = Hooked::around(bench.source.clone().with_hints(far), Arc::clone(&counted[0]));
        let sink = Hooked::around(bench.sink.clone().with_hints(far), Arc::clone(&counted[1]));
        let ran = bench.run_between(source, sink).await;
        assert!(ran.report.scanned && ran.report.synced.files == 0 && applied(&ran).is_empty());
        for counted in counted {
            assert_eq!((counted.targets.load(SeqCst), counted.xattrs.load(SeqCst)), (targets, xattrs));
        }
    }
}

/// The names and values of an entry, sorted.
async fn sorted(tree: &MemoryTree, at: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut xattrs: Vec<_> =
        tree.xattrs(&path(at)).await.unwrap().into_iter().map(|xattr| (xattr.name, xattr.value)).collect();
    xattrs.sort();
    xattrs
}

/// Attributes of one or two names, so that they often are the same.
fn some() -> impl Strategy<Value = Vec<Xattr>> {
    let chosen = proptest::collection::btree_map(0..2_u8, 0..2_u8, 0..3);
    chosen.prop_map(|map| map.iter().map(|(name, value)| xattr(&format!("user.{name}"), &value.to_string())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// The model: what the sink has is compared with what it had after the last time that these attributes were
    /// applied, else with those of the source.
    #[test]
    fn a_run_applies_the_attributes_that_the_model_applies(
        rounds in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec((any::<bool>(), 0..4_usize, some()), 0..5)), 1..6),
        which in 0..3,
    ) {
        const PLACES: [&str; 4] = ["dir/file", "dir/link", "other", "dir"];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = that_keeps(match which {
                0 => Keeps::default(),
                1 => Keeps { own_xattr: Some(xattr("security.label", "new")), ..Keeps::default() },
                _ => Keeps { xattrs: false, ..Keeps::default() },
            });
            write(&bench.source, "dir/file", b"content").await;
            write(&bench.source, "other", b"content").await;
            bench.source.create_symlink(&path("dir/link"), b"nowhere").await.unwrap();
            assert!(bench.run().await.report.all_in_sync());
            let mut known = BTreeMap::new();
            for place in PLACES {
                known.insert(place, (sorted(&bench.source, place).await, sorted(&bench.sink, place).await));
            }
            for (compares, changes) in rounds {
                for (at_source, place, xattrs) in &changes {
                    set(if *at_source { &bench.source } else { &bench.sink }, PLACES[*place], xattrs).await;
                }
                let mut expected = Vec::new();
                for place in PLACES {
                    let (source, sink) = (sorted(&bench.source, place).await, sorted(&bench.sink, place).await);
                    let (of_source, kept) = &known[place];
                    let wanted = if *of_source == source { kept } else { &source };
                    if compares && sink != *wanted {
                        expected.push(place);
                    }
                }
                let options = bench.options.clone().keep_xattrs(compares);
                let round = Bench { options, ..bench.clone() };
                let files: Vec<_> = expected.iter().filter(|place| **place != "dir").map(|place| (*place).to_owned()).collect();
                let planned = round.dry_run().await;
                let is_why = |event: &&Event| matches!(event, Event::Planned { reason: PlanReason::XattrsDiffer, .. });
                assert_eq!(planned.events.iter().filter(is_why).count(), files.len(), "{changes:?}");
                let before = sorted(&bench.sink, "dir").await;
                let ran = round.run().await;
                assert!(ran.report.all_in_sync() && ran.report.synced.files == 0, "{:?}", ran.events);
                assert_eq!(applied(&ran), files, "{changes:?}");
                assert!(expected.contains(&"dir") || sorted(&bench.sink, "dir").await == before);
                for place in PLACES {
                    let now = (sorted(&bench.source, place).await, sorted(&bench.sink, place).await);
                    if expected.contains(&place) {
                        let of_users = |xattrs: &[(Vec<u8>, Vec<u8>)]| {
                            xattrs.iter().filter(|(name, _)| name.starts_with(b"user.")).cloned().collect::<Vec<_>>()
                        };
                        assert!(which == 2 || of_users(&now.1) == now.0, "{place}");
                        known.insert(place, now);
                    } else if compares && known[place].0 != now.0 {
                        // They are the same by themselves.
                        known.insert(place, (now.0.clone(), now.0));
                    }
                }
            }
        });
    }
}
