//! Files with more content than their stated size.

use std::ops::Range;

use towpath::Algorithm;
use towpath_backend::{
    Capabilities, Entry, EntryStream, FileReader, Identity, Kind, Metadata, ReadOptions, RelPath, Result, Source,
    Timestamp, Tree, async_trait,
};

use super::bench::*;

const MTIME: Timestamp = Timestamp::from_ns(1_700_000_000_000_000_000);

/// A source with one file whose stated size is wrong.
#[derive(Clone)]
struct WrongSize {
    stated_bytes: u64,
    content: Vec<u8>,
    /// The size grows with each stat.
    grows: bool,
    stats: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl WrongSize {
    fn new(stated_bytes: u64, content: Vec<u8>) -> Self {
        Self { stated_bytes, content, grows: false, stats: std::sync::Arc::default() }
    }

    fn stated(&self) -> Metadata {
        let stats = self.stats.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let size_bytes = if self.grows { self.stated_bytes + stats } else { self.stated_bytes };
        Metadata::new(Kind::File, size_bytes, MTIME)
    }
}

#[async_trait]
impl Tree for WrongSize {
    fn root(&self) -> &[u8] {
        b"mem://old"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { holes: true, ..Capabilities::PLAIN }
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new("wrong size"))
    }

    async fn read_dir(&self, _: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        let entries = vec![Entry::new(b"file".to_vec(), self.stated())];
        Ok(Box::pin(tokio_stream::iter([Ok(entries)])))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        Ok(if path.is_root() { Metadata::new(Kind::Dir, 0, MTIME) } else { self.stated() })
    }
}

#[async_trait]
impl Source for WrongSize {
    async fn open(&self, _: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl FileReader for WrongSize {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(self.stated())
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let from = self.content.len().min(offset as usize);
        let to = self.content.len().min(from + length_bytes);
        buffer.extend_from_slice(&self.content[from..to]);
        Ok(buffer)
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        Ok(Some(offset..u64::MAX))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_beyond_the_stated_size_arrives_and_stays_in_sync() {
    // Stated sizes of zero, a few bytes and a whole block; content of a few bytes and of several blocks beyond them.
    for (stated, real) in [(0, 1), (0, 9_000_000), (5, 12), (300_000, 300_001), (2 << 20, 9_000_000), (7, 7)] {
        let bench = Bench::new();
        let source = WrongSize::new(stated, noise(real));
        let ran = bench.run_between(source.clone(), bench.sink.clone()).await;
        assert!(ran.report.all_in_sync(), "{stated} {real}: {:?}", ran.events);
        assert_eq!(read(&bench.sink, "file").await.unwrap(), source.content, "{stated} {real}");
        let row = rusqlite::Connection::open(bench.database())
            .unwrap()
            .query_row("SELECT size, hash FROM files", [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
            .unwrap();
        let hash = towpath::Hasher::hash(Algorithm::Sha256, &source.content).to_string();
        assert_eq!(row, (real as i64, hash));

        let ran = bench.run_between(source, bench.sink.clone()).await;
        assert_eq!((ran.report.synced.files, ran.report.all_in_sync()), (0, true), "{stated} {real}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_truncated_to_the_stated_size_is_not_in_sync() {
    let bench = Bench::new();
    let source = WrongSize::new(3, noise(12));
    assert!(bench.run_between(source.clone(), bench.sink.clone()).await.report.all_in_sync());
    write_at(&bench.sink, "file", b"cut", 1_700_000_000).await;
    assert_eq!(bench.run_between(source, bench.sink.clone()).await.report.synced.files, 1);
    assert_eq!(read(&bench.sink, "file").await.unwrap().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_grows_during_the_transfer_is_a_change() {
    for stated in [5, 300_000] {
        let bench = Bench::new();
        let source = WrongSize { grows: true, ..WrongSize::new(stated, noise(400_000)) };
        let ran = bench.run_between(source, bench.sink.clone()).await;
        assert_eq!((ran.report.failed_files, ran.report.synced.files), (1, 0));
        assert!(ran.mentions("it changed while it was being sent"), "{:?}", ran.events);
    }
}
