//! The database records why each entry is not in sync, by stable codes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use rustix::io::Errno;
use towpath::{
    AcceptedEnd, AcceptedEntries, ErrorFilter, ErrorSummary, FailedKind, FailureCode, RecordedError, RecordedErrors,
    Side,
};
use towpath_backend::layer::{Call, Faults, Hook, Hooked, Operation, Rule};
use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, FileReader, Identity, Metadata, ReadOptions, RelPath, Result,
    Sink as _, Source, Tree, async_trait,
};
use towpath_memory::MemoryTree;

use super::bench::*;

/// A source that fails with errors of the system for these names.
#[derive(Clone)]
pub struct Failing {
    pub tree: MemoryTree,
    pub names: &'static [(&'static str, Errno)],
}

impl Failing {
    fn check(&self, operation: &'static str, path: &RelPath) -> Result<()> {
        let failure = self.names.iter().find(|(name, _)| path.name() == Some(name.as_bytes()));
        failure.map_or(Ok(()), |(_, errno)| Err(Error::from_io(operation, path, io::Error::from(*errno))))
    }
}

#[async_trait]
impl Tree for Failing {
    fn root(&self) -> &[u8] {
        self.tree.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.tree.capabilities()
    }

    async fn identity(&self) -> Result<Identity> {
        self.tree.identity().await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        self.check("list", dir)?;
        self.tree.read_dir(dir, options).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.tree.metadata(path).await
    }
}

#[async_trait]
impl Source for Failing {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        self.check("open", path)?;
        self.tree.open(path, options).await
    }
}

/// All recorded errors, with their texts.
pub fn recorded(bench: &Bench) -> Vec<RecordedError> {
    let mut errors = RecordedErrors::of(bench.database()).with_texts();
    std::iter::from_fn(|| errors.next_page().unwrap()).flatten().collect()
}

/// Code, side and path of all recorded errors, by path.
pub fn codes(bench: &Bench) -> Vec<(&'static str, Option<Side>, String)> {
    let mut codes: Vec<_> = recorded(bench)
        .into_iter()
        .map(|error| (error.code.name(), error.side, String::from_utf8(error.path).unwrap()))
        .collect();
    codes.sort_by(|a, b| a.2.cmp(&b.2));
    codes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_system_have_their_codes_until_the_entries_are_in_sync() {
    let bench = Bench::new();
    for name in ["good", "a/denied", "a/also", "b/broken", "closed/inside"] {
        write(&bench.source, name, b"content").await;
    }
    let names = &[("denied", Errno::ACCESS), ("also", Errno::ACCESS), ("broken", Errno::NODATA), ("closed", Errno::IO)];
    let failing = Failing { tree: bench.source.clone(), names };
    let source = Some(Side::Source);
    let expected = [
        ("EACCES", source, "a/also".to_owned()),
        ("EACCES", source, "a/denied".to_owned()),
        ("ENODATA", source, "b/broken".to_owned()),
        ("unreadable-directory", source, "closed".to_owned()),
    ];
    // A run that fails again records the same.
    for _ in 0..2 {
        assert!(!bench.run_between(failing.clone(), bench.sink.clone()).await.report.all_in_sync());
        assert_eq!(codes(&bench), expected);
    }
    let closed = recorded(&bench).pop().unwrap();
    assert_eq!((closed.kind, closed.cause), (FailedKind::Directory, Some(FailureCode::Eio)));
    assert!(closed.text.contains("list closed: "), "{}", closed.text);
    assert!(recorded(&bench)[0].text.contains("open a/"), "{}", recorded(&bench)[0].text);

    let summary = |codes: &[FailureCode], below: &[&str]| {
        let below = below.iter().map(|path| path.as_bytes().to_vec()).collect();
        let filter = ErrorFilter::new(codes.to_vec(), below);
        let summary = ErrorSummary::read(bench.database(), filter, 5).unwrap();
        summary.open.into_iter().map(|group| (group.code.name(), group.totals.files, group.totals.bytes)).collect()
    };
    let all: Vec<_> = summary(&[], &[]);
    assert_eq!(all, [("EACCES", 2, 14), ("ENODATA", 1, 7), ("unreadable-directory", 1, 0)]);
    assert_eq!(summary(&[FailureCode::Eio], &[]), [("unreadable-directory", 1, 0)], "by its cause");
    assert_eq!(summary(&[], &["a/also", "clo"]), [("EACCES", 1, 7)]);

    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(codes(&bench), []);
}

/// Rewrites a file each time that it is opened.
struct Rewrites {
    tree: MemoryTree,
    at: RelPath,
    seconds: AtomicI64,
}

#[async_trait]
impl Hook for Rewrites {
    async fn wait(&self, call: &Call<'_>) {
        if matches!(call.operation, Operation::Open | Operation::ReadWhole) && *call.path == self.at {
            write_at(&self.tree, &self.at.to_string(), b"other", self.seconds.fetch_add(10, SeqCst)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_keeps_changing_and_names_that_collide_have_words_for_codes() {
    let bench = Bench::with_sink_that_folds_case();
    for name in ["log", "README", "readme", "Dir/a", "dir/b"] {
        write(&bench.source, name, b"content").await;
    }
    let hook = Rewrites { tree: bench.source.clone(), at: path("log"), seconds: AtomicI64::new(1_700_000_010) };
    let ran = bench.run_between(Hooked::around(bench.source.clone(), Arc::new(hook)), bench.sink.clone()).await;
    assert!(!ran.report.all_in_sync(), "{:?}", ran.events);
    let sink = Some(Side::Sink);
    let expected = [
        ("name-collision", sink, "dir".to_owned()),
        ("name-collision", sink, "dir/b".to_owned()),
        ("changed", Some(Side::Source), "log".to_owned()),
        ("name-collision", sink, "readme".to_owned()),
    ];
    assert_eq!(codes(&bench), expected);
    assert!(recorded(&bench).iter().any(|error| error.text.contains("does not distinguish its name from README")));
    // What is renamed no longer collides.
    for name in ["readme", "dir/b"] {
        bench.source.remove_file(&path(name)).await.unwrap();
    }
    bench.source.remove_dir(&path("dir")).await.unwrap();
    write(&bench.source, "dir2/b", b"content").await;
    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(codes(&bench), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_destination_is_recorded_with_the_file_that_did_not_fit() {
    let bench = Bench::new();
    write(&bench.source, "file", b"content").await;
    let full = Faults::new(1).with(Rule::new(ErrorKind::NoSpace).on(Operation::WriteAt).on(Operation::WriteWhole));
    let error = bench.try_run_into(Hooked::around(bench.sink.clone(), Arc::new(full))).await.unwrap_err();
    assert!(error.to_string().contains("accepts no more data"), "{error}");
    assert_eq!(codes(&bench), [("no-space", Some(Side::Sink), "file".to_owned())]);
    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(codes(&bench), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_directory_covers_what_is_below_and_protects_nothing_less() {
    let bench = Bench::new();
    for name in ["good", "closed/inside", "closed/sub/file"] {
        write(&bench.source, name, b"content").await;
    }
    assert!(bench.run().await.report.all_in_sync());
    let failing = Failing { tree: bench.source.clone(), names: &[("closed", Errno::ACCESS)] };
    assert!(!bench.run_between(failing.clone(), bench.sink.clone()).await.report.all_in_sync_or_accepted());

    let paths = vec![b"closed".to_vec(), b"good".to_vec()];
    let requests = AcceptedEntries::accept(bench.database(), paths, "private", "root").await.unwrap();
    assert_eq!((requests[0].entries, requests[0].code), (1, Some(FailureCode::UnreadableDirectory)));
    assert_eq!((requests[1].entries, requests[1].code), (0, None));
    let accepted = AcceptedEntries::read(bench.database()).unwrap();
    assert_eq!((accepted.len(), accepted.covering(b"closed/inside").unwrap().reason.as_str()), (1, "private"));

    let ran = bench.run_between(failing.clone(), bench.sink.clone()).await;
    assert!(ran.report.all_in_sync_or_accepted() && !ran.report.all_in_sync(), "{:?}", ran.report);
    assert_eq!((ran.report.accepted, ran.report.not_accepted), (1, Some(0)));
    // A mirror does not take for deleted what cannot be read, and says what it kept.
    let mut mirror = bench.clone();
    mirror.options.mirror = Some(towpath::Mirror::default().max_delete(towpath::MaxDelete::Files(100)));
    let ran = mirror.run_between(failing.clone(), bench.sink.clone()).await;
    assert_eq!(
        (ran.report.deleted_files, ran.report.deleted_dirs, ran.report.protected),
        (0, 0, 1),
        "{:?}",
        ran.events
    );
    assert!(!ran.report.all_in_sync_or_accepted());
    assert!(names(&bench.sink, "").await.contains(&"closed/sub/file".to_owned()));

    // Readable again, it is in sync and has no exception.
    assert!(bench.run().await.report.all_in_sync());
    assert!(AcceptedEntries::read(bench.database()).unwrap().is_empty());
    let [ended] = &AcceptedEntries::history(bench.database()).unwrap()[..] else { panic!("one exception") };
    assert_eq!(ended.ended.unwrap().1, AcceptedEnd::Settled);
    assert_eq!(
        (bench.logged("accepted"), bench.logged("exception-ended")),
        (vec!["closed".into()], vec!["closed".into()])
    );
    // A new failure is not covered.
    assert!(!bench.run_between(failing, bench.sink.clone()).await.report.all_in_sync_or_accepted());
}
