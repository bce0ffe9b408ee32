//! Targets of symlinks are compared: size and time of a link say nothing about where it leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Barrier;
use towpath::{Event, PlanReason};
use towpath_backend::layer::{Call, Fault, Faults, Hook, Hooked, Operation, Rule};
use towpath_backend::{ErrorKind, Hints, Sink as _, Times, Timestamp, Tree as _, async_trait};
use towpath_memory::{Keeps, MemoryTree};

use super::bench::*;

/// A link with a fixed mtime.
async fn link(tree: &MemoryTree, at: &str, target: &str) {
    let _may_be_missing = tree.remove_file(&path(at)).await;
    tree.create_symlink(&path(at), target.as_bytes()).await.unwrap();
    let times = Times { modified: Timestamp::from_parts(1_700_000_000, 0), accessed: None };
    tree.set_times(&path(at), &times).await.unwrap();
}

async fn target(tree: &MemoryTree, at: &str) -> String {
    String::from_utf8(tree.read_link(&path(at)).await.unwrap()).unwrap()
}

/// Listings without targets, so that each is read.
fn over_network(tree: MemoryTree) -> MemoryTree {
    tree.with_hints(Hints { over_network: true, ..Hints::DEFAULT })
}

fn benches() -> [Bench; 2] {
    let apart = Bench::new();
    let apart = Bench { source: over_network(apart.source), sink: over_network(apart.sink), ..apart };
    [Bench::new(), apart]
}

fn sent(ran: &Ran) -> Vec<String> {
    let name = |event: &Event| match event {
        Event::Synced { paths, .. } => Some(String::from_utf8_lossy(&paths.dest[10..]).into_owned()),
        _ => None,
    };
    ran.events.iter().filter_map(name).collect()
}

fn reasons(ran: &Ran) -> Vec<PlanReason> {
    let reason = |event: &Event| if let Event::Planned { reason, .. } = event { Some(reason.clone()) } else { None };
    ran.events.iter().filter_map(reason).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_with_another_target_of_the_same_length_and_time_is_sent() {
    for bench in benches() {
        link(&bench.source, "link", "one").await;
        link(&bench.source, "same", "one").await;
        link(&bench.sink, "same", "one").await;
        assert_eq!(sent(&bench.run().await), ["link"]);

        link(&bench.source, "link", "two").await;
        assert_eq!(reasons(&bench.dry_run().await), [PlanReason::TargetDiffers]);
        let changed = bench.run().await;
        assert_eq!((sent(&changed), target(&bench.sink, "link").await), (vec!["link".to_owned()], "two".to_owned()));

        // Somebody changed it at the destination.
        link(&bench.sink, "link", "six").await;
        link(&bench.sink, "same", "another one").await;
        let repaired = bench.run().await;
        assert_eq!(sent(&repaired).len(), 2, "{:?}", repaired.events);
        assert_eq!(
            (target(&bench.sink, "link").await, target(&bench.sink, "same").await),
            ("two".into(), "one".into())
        );
        assert_eq!(bench.run().await.report.synced.files, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_the_sink_rewrites_is_reported_once_and_not_sent_again() {
    let capabilities = MemoryTree::new("all").capabilities();
    let keeps = Keeps { slashes_in_targets: false, ..Keeps::default() };
    let bench = Bench { sink: MemoryTree::that_keeps("new", capabilities, keeps), ..Bench::new() };
    link(&bench.source, "link", "a/b").await;
    let first = bench.run().await;
    assert!(first.report.all_in_sync() && first.report.attributes_not_accepted == 1, "{:?}", first.events);
    assert!(first.mentions(r#"keeps the target "a\\b" instead of "a/b""#), "{:?}", first.events);
    for _ in 0..2 {
        let again = bench.run().await;
        assert!(again.report.scanned && again.report.all_in_sync());
        assert_eq!((again.report.synced.files, again.report.attributes_not_accepted), (0, 0), "{:?}", again.events);
    }

    // A change on either side is still found.
    link(&bench.source, "link", "a/c").await;
    assert_eq!(bench.run().await.report.synced.files, 1);
    link(&bench.sink, "link", "abc").await;
    assert_eq!(bench.run().await.report.synced.files, 1);
    assert_eq!(target(&bench.sink, "link").await, r"a\c");
    assert_eq!(bench.run().await.report.synced.files, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_cannot_be_read_is_never_in_sync() {
    let [_, bench] = benches();
    link(&bench.source, "link", "one").await;
    write(&bench.source, "file", b"content").await;
    assert!(bench.run().await.report.all_in_sync());
    let failing = |kind| Faults::new(1).with(Rule::new(kind).on(Operation::ReadLink).temporary(false));

    let at_source = Fault::new(bench.source.clone(), failing(ErrorKind::Other));
    let ran = bench.run_between(at_source, bench.sink.clone()).await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files), (1, 0), "{:?}", ran.events);
    assert!(ran.mentions("read link link"), "{:?}", ran.events);

    // Only the scan cannot read it.
    let once = Faults::new(1).with(Rule::new(ErrorKind::Other).on(Operation::ReadLink).first(1));
    let ran = bench.run_between(bench.source.clone(), Fault::new(bench.sink.clone(), once)).await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);

    let once = Faults::new(1).with(Rule::new(ErrorKind::Other).on(Operation::ReadLink).first(1));
    let planned = bench.dry_run_between(bench.source.clone(), Fault::new(bench.sink.clone(), once)).await;
    assert_eq!(reasons(&planned), [PlanReason::TargetUnknown]);

    let at_sink = Fault::new(bench.sink.clone(), failing(ErrorKind::Other));
    let ran = bench.run_between(bench.source.clone(), at_sink).await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files), (1, 0), "{:?}", ran.events);

    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(bench.run().await.report.synced.files, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_sink_does_not_show_targets_their_lengths_count() {
    let [_, bench] = benches();
    let sink = || {
        let none = Faults::new(1).with(Rule::new(ErrorKind::Unsupported).on(Operation::ReadLink));
        Fault::new(bench.sink.clone(), none)
    };
    link(&bench.source, "link", "one").await;
    assert_eq!(bench.run_between(bench.source.clone(), sink()).await.report.synced.files, 1);
    let again = bench.run_between(bench.source.clone(), sink()).await;
    assert!(again.report.scanned && again.report.synced.files == 0, "{:?}", again.events);
    link(&bench.source, "link", "three").await;
    assert_eq!(bench.run_between(bench.source.clone(), sink()).await.report.synced.files, 1);
    assert_eq!(target(&bench.sink, "link").await, "three");
}

/// Lets calls pass in groups of [`Self::GROUP`], each only when all of it are waiting.
struct InGroups {
    barrier: Barrier,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl InGroups {
    const GROUP: usize = 32;
}

#[async_trait]
impl Hook for InGroups {
    async fn wait(&self, call: &Call<'_>) {
        if call.operation == Operation::ReadLink {
            self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
            let passed = tokio::time::timeout(Duration::from_secs(60), self.barrier.wait()).await;
            assert!(passed.is_ok(), "targets are read one after the other");
            self.now.fetch_sub(1, SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_targets_of_a_large_directory_are_read_several_at_a_time() {
    let [_, mut bench] = benches();
    bench.options.walkers = 1;
    let links = InGroups::GROUP * 96;
    for number in 0..links {
        for tree in [&bench.source, &bench.sink] {
            link(tree, &format!("link {number}"), "target").await;
        }
    }
    let hook = || {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(InGroups { barrier: Barrier::new(InGroups::GROUP), now, most })
    };
    let (at_source, at_sink) = (hook(), hook());
    let source = Hooked::around(bench.source.clone(), Arc::clone(&at_source));
    let ran = bench.run_between(source, Hooked::around(bench.sink.clone(), Arc::clone(&at_sink))).await;
    assert!(ran.report.all_in_sync() && ran.report.synced.files == 0);
    assert_eq!([at_source, at_sink].map(|hook| hook.most.load(SeqCst)), [InGroups::GROUP; 2]);
}
