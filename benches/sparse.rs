//! Throughput of the whole engine with a sparse file of 256 MiB, a tenth of it data, between mocked trees: without a
//! checksum, which skips holes, and with each of the four, which hash the zeros of holes.

// criterion_group! generates a function without documentation.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::Range;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use towpath::{Algorithm, Migration, Options};
use towpath_backend::mock::{MockFileWriter, MockSink, MockSource};
use towpath_backend::{
    Capabilities, Entry, EntryStream, FileReader, Identity, Kind, Metadata, Result, Timestamp, async_trait,
};

const SIZE_BYTES: u64 = 256 << 20;
/// A range of data and the hole after it.
const PERIOD_BYTES: u64 = 10 << 20;
const DATA_BYTES: u64 = 1 << 20;
const DIR: Metadata = Metadata::new(Kind::Dir, 0, Timestamp::from_ns(1));
const FILE: Metadata = Metadata::new(Kind::File, SIZE_BYTES, Timestamp::from_ns(1));
const CAPABILITIES: Capabilities = Capabilities { holes: true, ..Capabilities::PLAIN };

fn page(entries: Vec<Entry>) -> EntryStream {
    Box::pin(tokio_stream::iter([Ok(entries)]))
}

struct Sparse;

#[async_trait]
impl FileReader for Sparse {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(FILE)
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let left = usize::try_from(SIZE_BYTES.saturating_sub(offset)).unwrap();
        buffer.resize(buffer.len() + length_bytes.min(left), 7);
        Ok(buffer)
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        let stretch = offset - offset % PERIOD_BYTES;
        let start = if offset < stretch + DATA_BYTES { offset } else { stretch + PERIOD_BYTES };
        let data = start..start - start % PERIOD_BYTES + DATA_BYTES;
        Ok(Some(data).filter(|data| data.start < SIZE_BYTES))
    }
}

fn source() -> MockSource {
    let mut source = MockSource::new();
    source.expect_root().return_const(b"/source".to_vec());
    source.expect_capabilities().return_const(CAPABILITIES);
    source.expect_locate().return_const(None);
    source.expect_identity().returning(|| Ok(Identity::new("source")));
    source.expect_metadata().returning(|_| Ok(DIR));
    source.expect_read_dir().returning(|_, _| Ok(page(vec![Entry::new(b"sparse".to_vec(), FILE)])));
    source.expect_open().returning(|_, _| Ok(Box::new(Sparse)));
    source
}

fn sink() -> MockSink {
    let mut sink = MockSink::new();
    sink.expect_root().return_const(b"/sink".to_vec());
    sink.expect_capabilities().return_const(CAPABILITIES);
    sink.expect_locate().return_const(None);
    sink.expect_identity().returning(|| Ok(Identity::new("sink")));
    sink.expect_set_times().returning(|_, _| Ok(()));
    sink.expect_metadata().returning(|_| Ok(DIR));
    sink.expect_read_dir().returning(|_, _| Ok(page(Vec::new())));
    sink.expect_flush().returning(|| Ok(()));
    sink.expect_create().returning(|_, _, _| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(|_, _| Ok(FILE));
        Ok(Box::new(writer))
    });
    sink
}

fn migrate(runtime: &Runtime, checksum: Option<Algorithm>) {
    let folder = tempfile::tempdir().unwrap();
    let (migration, _) = Migration::builder()
        .source(source())
        .sink(sink())
        .database(folder.path().join("backlog.db"))
        .audit_log(folder.path().join("audit.jsonl"))
        .options(Options::default().checksum(checksum))
        .build()
        .unwrap();
    let report = runtime.block_on(migration.run()).unwrap();
    assert!(report.all_in_sync() && report.written_bytes < SIZE_BYTES / 9);
}

fn sparse(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("sparse file");
    group.sample_size(10).throughput(Throughput::Bytes(SIZE_BYTES));
    for checksum in [None].into_iter().chain(Algorithm::ALL.map(Some)) {
        let id = BenchmarkId::from_parameter(checksum.map_or("no checksum", Algorithm::name));
        group.bench_function(id, |bencher| bencher.iter(|| migrate(&runtime, checksum)));
    }
    group.finish();
}

criterion_group!(benches, sparse);
criterion_main!(benches);
