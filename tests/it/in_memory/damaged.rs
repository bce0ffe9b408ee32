//! Entries that a damaged file system lists but cannot stat.

use tokio_stream::StreamExt as _;
use towpath::{CancellationToken, MaxDelete, Mirror};
use towpath_backend::layer::Operation;
use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, FileReader, Identity, Kind, Metadata, ReadOptions, RelPath, Result,
    Source, Timestamp, Tree, async_trait,
};
use towpath_memory::MemoryTree;

use super::bench::*;

/// A tree in which the inodes of these names are damaged.
struct Damaged {
    tree: MemoryTree,
    names: &'static [&'static str],
}

impl Damaged {
    fn check(&self, operation: &'static str, path: &RelPath) -> Result<()> {
        match self.names.iter().any(|name| path.name() == Some(name.as_bytes())) {
            true => Err(Error::new(ErrorKind::Other, operation, path, "Input/output error")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Tree for Damaged {
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
        let mut pages = self.tree.read_dir(dir, options).await?;
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            all.extend(page?);
        }
        for entry in &mut all {
            if self.check("stat", &dir.join(&entry.name).unwrap()).is_err() {
                entry.metadata = Metadata::new(Kind::Other, 0, Timestamp::default());
            }
        }
        Ok(Box::pin(tokio_stream::iter([Ok(all)])))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.check("stat", path)?;
        self.tree.metadata(path).await
    }
}

#[async_trait]
impl Source for Damaged {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        self.check("open", path)?;
        self.tree.open(path, options).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_cannot_be_statted_hides_no_others_and_causes_no_deletion() {
    let mut bench = Bench::new();
    bench.options.mirror = Some(Mirror::default().max_delete(MaxDelete::Files(100)));
    for at in ["bad file", "good", "bad dir/a", "dir/good"] {
        write(&bench.source, at, b"content").await;
    }
    assert!(bench.run().await.report.all_in_sync());
    write(&bench.source, "new", b"content").await;
    write(&bench.source, "dir/new", b"content").await;
    write(&bench.sink, "extra", b"content").await;

    let damaged = Damaged { tree: bench.source.clone(), names: &["bad file", "bad dir"] };
    let ran = bench.run_between(damaged, bench.sink.clone()).await;
    assert_eq!(ran.report.unreadable_dirs, 2, "{:?}", ran.events);
    assert!(!ran.report.all_in_sync() && ran.mentions("stat bad file: Input/output error"), "{:?}", ran.events);
    let mut unreadable = bench.logged("unreadable");
    unreadable.sort();
    assert_eq!(unreadable, ["bad dir", "bad file"]);
    let expected = ["bad dir", "bad dir/a", "bad file", "dir", "dir/good", "dir/new", "good", "new"];
    assert_eq!(names(&bench.sink, "").await, expected);

    // After the repair everything is in sync again, with the recorded checksums.
    let repaired = bench.run().await;
    assert!(repaired.report.all_in_sync(), "{:?}", repaired.events);
    assert_eq!(repaired.report.synced.files, 0, "{:?}", repaired.events);
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    let without_hash: i64 =
        database.query_row("SELECT count(*) FROM files WHERE hash IS NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(without_hash, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_panics_in_a_listing_ends_the_run_with_an_error() {
    let bench = Bench::new();
    write(&bench.source, "dir/file", b"content").await;
    write(&bench.source, "other/file", b"content").await;
    let panics = before(bench.source.clone(), Operation::ReadDir, "dir", 1, || Box::pin(async { panic!("a bug") }));
    let error = bench.try_run_between(panics, bench.sink.clone(), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
}
