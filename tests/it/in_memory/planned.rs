//! A dry run plans exactly the steps that the run takes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use towpath::{Action, Event, MaxDelete, Migration, Mirror};
use towpath_backend::{Attributes, Bytes, Kind, Metadata, Sink, Source, Timestamp, Tree as _, WriteOptions};
use towpath_memory::{Keeps, MemoryTree};

use super::bench::*;

/// A path in a small tree, chosen so that files, symlinks and directories replace each other.
fn place() -> impl Strategy<Value = String> {
    (0..3usize, 0..4usize).prop_map(|(dir, name)| match dir {
        0 => ["a", "B", "b", "c"][name].to_owned(),
        dir => format!("{}/{}", ["c", "d"][dir - 1], ["a", "B", "b", "e"][name]),
    })
}

/// A change of one of the trees.
#[derive(Clone, Debug)]
enum Change {
    Write { at: String, size: usize, half_seconds: i64 },
    Link { at: String },
    HardLink { of: String, at: String },
    Mode { at: String, mode: u32 },
    Remove { at: String },
    MakeDir { at: String },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (place(), 0..3usize, -3..4i64).prop_map(|(at, size, half_seconds)| Change::Write { at, size, half_seconds }),
        1 => place().prop_map(|at| Change::Link { at }),
        1 => (place(), place()).prop_map(|(of, at)| Change::HardLink { of, at }),
        1 => (place(), 0..3u32).prop_map(|(at, mode)| Change::Mode { at, mode: [0o644, 0o600, 0o755][mode as usize] }),
        1 => place().prop_map(|at| Change::Remove { at }),
        1 => place().prop_map(|at| Change::MakeDir { at }),
    ]
}

/// Applies a change as far as possible.
async fn apply(tree: &MemoryTree, change: &Change) {
    let at = match change {
        Change::Write { at, .. } | Change::Link { at } | Change::HardLink { at, .. } => at,
        Change::Mode { at, .. } | Change::Remove { at } | Change::MakeDir { at } => at,
    };
    if let Some(dir) = path(at).parent().filter(|dir| !dir.is_root()) {
        let _may_be_taken = tree.create_dir(&dir, None).await;
    }
    let _as_far_as_possible = match change {
        Change::Write { size, half_seconds, .. } => {
            let modified = Timestamp::from_ns(1_700_000_000_000_000_000 + half_seconds * 500_000_000);
            let metadata = Metadata::new(Kind::File, *size as u64, modified);
            tree.write_whole(&path(at), Bytes::from(noise(*size)), &metadata, &WriteOptions::default()).await.map(drop)
        }
        Change::Link { .. } => tree.create_symlink(&path(at), b"target").await,
        Change::HardLink { of, .. } => match tree.metadata(&path(of)).await {
            Ok(found) if found.kind == Kind::File => tree.create_hard_link(&path(of), &path(at)).await,
            _ => Ok(()),
        },
        Change::Mode { mode, .. } => {
            let attributes = Attributes { permissions: Some(*mode), ..Attributes::default() };
            tree.set_attributes(&path(at), &attributes).await.map(drop)
        }
        Change::Remove { .. } => match tree.metadata(&path(at)).await {
            Ok(found) if found.kind == Kind::Dir => tree.remove_dir(&path(at)).await,
            _ => tree.remove_file(&path(at)).await,
        },
        Change::MakeDir { .. } => tree.create_dir(&path(at), None).await,
    };
}

/// Sinks with different capabilities.
fn sink(which: usize) -> MemoryTree {
    let all = MemoryTree::new("all").capabilities();
    let (mut capabilities, mut keeps) = (all, Keeps::default());
    match which {
        0 => {}
        1 => capabilities.mtime_precision_ns = 1_000_000_000,
        2 => capabilities.names.folds_case = true,
        3 => capabilities.hard_links = false,
        4 => capabilities.symlinks = false,
        5 => keeps.attributes = false,
        6 => keeps.mtimes = Timestamp::from_parts(1_700_000_000, 0)..=Timestamp::from_parts(1_700_000_001, 0),
        _ => capabilities.sets_mtime = false,
    }
    MemoryTree::that_keeps("new", capabilities, keeps)
}

/// Steps as (action, path), without created directories.
type Steps = BTreeSet<(&'static str, String)>;

fn name_of(paths: &towpath::FilePaths) -> String {
    String::from_utf8_lossy(&paths.dest).strip_prefix("mem://new").unwrap().to_owned()
}

fn planned(events: &[Event]) -> Steps {
    let step = |event: &Event| {
        let Event::Planned { action, paths, .. } = event else { return None };
        let what = match action {
            Action::Send => "send",
            Action::Link => "link",
            Action::SetAttributes => "attributes",
            Action::Fail => "fail",
            Action::Delete | Action::DeleteDir => "delete",
            Action::Rename => "rename",
            Action::MakeDir => return None,
            other => panic!("{other:?}"),
        };
        Some((what, name_of(paths)))
    };
    events.iter().filter_map(step).collect()
}

fn done(events: &[Event]) -> Steps {
    let step = |event: &Event| match event {
        Event::Synced { paths, hard_link_to: None, .. } => Some(("send", name_of(paths))),
        Event::Synced { paths, .. } => Some(("link", name_of(paths))),
        Event::AttributesApplied { paths } => Some(("attributes", name_of(paths))),
        Event::Failed { paths, .. } => Some(("fail", name_of(paths))),
        Event::Deleted { paths, .. } => Some(("delete", name_of(paths))),
        Event::Renamed { paths, .. } => Some(("rename", name_of(paths))),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

impl Bench {
    /// A dry run on a copy of the database, as the program does it.
    pub async fn dry_run(&self) -> Ran {
        self.dry_run_between(self.source.clone(), self.sink.clone()).await
    }

    pub async fn dry_run_between(&self, source: impl Source + 'static, sink: impl Sink + 'static) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("backlog.db");
        Migration::copy_database(&self.database(), &copy, self.source.root(), self.sink.root()).await.unwrap();
        let bench = Self { folder: std::sync::Arc::new(folder), ..self.clone() };
        let options = self.options.clone().dry_run(true);
        Self { options, ..bench }.run_between(source, sink).await
    }
}

fn reason(event: &Event) -> Option<String> {
    match event {
        Event::Planned { paths, reason, .. } => Some(format!("planned {}: {reason}", name_of(paths))),
        Event::Failed { paths, error } => Some(format!("failed {}: {error}", name_of(paths))),
        Event::Protected { paths, reason } => Some(format!("protected {}: {reason}", name_of(paths))),
        _ => None,
    }
}

async fn assert_run_follows_plan(bench: &Bench, when: &str) {
    let before = (names(&bench.source, "").await, names(&bench.sink, "").await);
    let dry = bench.dry_run().await;
    assert_eq!(before, (names(&bench.source, "").await, names(&bench.sink, "").await), "a dry run changes nothing");
    let real = bench.run().await;
    // A sink that folds case deletes both spellings as one name.
    let folds = bench.sink.capabilities().names.folds_case;
    let spelled = |(what, name): (&'static str, String)| match what {
        "delete" if folds => (what, name.to_ascii_lowercase()),
        _ => (what, name),
    };
    let [planned, done]: [Steps; 2] =
        [planned(&dry.events), done(&real.events)].map(|steps| steps.into_iter().map(spelled).collect());
    let reasons: Vec<_> = dry.events.iter().chain(&real.events).filter_map(reason).collect();
    assert_eq!(planned, done, "{when}: {reasons:#?}");
}

/// The same trees each time, unless `PROPTEST_RNG_SEED` is set.
fn config() -> ProptestConfig {
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        seed => seed,
    };
    ProptestConfig { rng_seed, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_dry_run_plans_what_the_run_does(
        at_source in proptest::collection::vec(change(), 0..12),
        at_sink in proptest::collection::vec(change(), 0..6),
        later in proptest::collection::vec((any::<bool>(), change()), 0..6),
        which in 0..8usize,
        keeps_permissions in any::<bool>(),
        mirrors in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench { sink: sink(which), ..Bench::new() };
            bench.options.keep_permissions = keeps_permissions;
            let all = Mirror::default().max_delete(MaxDelete::Files(u64::MAX));
            bench.options.mirror = mirrors.then_some(all);
            write(&bench.source, "stays", b"an empty source is not mirrored").await;
            for change in &at_source {
                apply(&bench.source, change).await;
            }
            for change in &at_sink {
                apply(&bench.sink, change).await;
            }
            assert_run_follows_plan(&bench, "first run").await;
            for (is_source, change) in &later {
                apply(if *is_source { &bench.source } else { &bench.sink }, change).await;
            }
            assert_run_follows_plan(&bench, "second run").await;
            assert_run_follows_plan(&bench, "third run").await;
        });
    }
}
