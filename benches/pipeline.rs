//! Throughput of the whole engine between mocked trees, without a checksum and with each of the four:
//! the overhead of the engine itself.

// criterion_group! generates a function without documentation.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use towpath::{Algorithm, Migration, Options};
use towpath_backend::mock::{MockFileReader, MockFileWriter, MockSink, MockSource};
use towpath_backend::{Capabilities, Entry, EntryStream, Identity, Kind, Metadata, Timestamp};

const METADATA: Metadata = Metadata::new(Kind::File, 0, Timestamp::from_ns(1));
const CAPABILITIES: Capabilities = Capabilities::PLAIN;

fn page(entries: Vec<Entry>) -> EntryStream {
    Box::pin(tokio_stream::iter([Ok(entries)]))
}

fn source(files: usize, size_bytes: u64) -> MockSource {
    let metadata = Metadata { size_bytes, ..METADATA };
    let mut source = MockSource::new();
    source.expect_root().return_const(b"/source".to_vec());
    source.expect_capabilities().return_const(CAPABILITIES);
    source.expect_locate().return_const(None);
    source.expect_identity().returning(|| Ok(Identity::new("source")));
    source.expect_metadata().returning(|_| Ok(Metadata { kind: Kind::Dir, ..METADATA }));
    source.expect_read_dir().returning(move |_, _| {
        Ok(page((0..files).map(|n| Entry::new(n.to_string().into_bytes(), metadata)).collect()))
    });
    source.expect_open().returning(move |_, _| {
        let mut reader = MockFileReader::new();
        reader.expect_metadata().returning(move || Ok(metadata));
        reader.expect_read_at().returning(move |offset, length, mut buffer| {
            let length = length.min((size_bytes - offset) as usize);
            buffer.resize(buffer.len() + length, 7);
            Ok(buffer)
        });
        Ok(Box::new(reader))
    });
    source
}

fn sink(size_bytes: u64) -> MockSink {
    let mut sink = MockSink::new();
    sink.expect_root().return_const(b"/sink".to_vec());
    sink.expect_capabilities().return_const(CAPABILITIES);
    sink.expect_locate().return_const(None);
    sink.expect_identity().returning(|| Ok(Identity::new("sink")));
    sink.expect_set_times().returning(|_, _| Ok(()));
    sink.expect_metadata().returning(|_| Ok(Metadata { kind: Kind::Dir, ..METADATA }));
    sink.expect_read_dir().returning(|_, _| Ok(page(Vec::new())));
    sink.expect_flush().returning(|| Ok(()));
    sink.expect_create().returning(move |_, _, _| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(move |_, _| Ok(Metadata { size_bytes, ..METADATA }));
        Ok(Box::new(writer))
    });
    sink
}

fn migrate(runtime: &Runtime, files: usize, size_bytes: u64, checksum: Option<Algorithm>) {
    let folder = tempfile::tempdir().unwrap();
    let (migration, _) = Migration::builder()
        .source(source(files, size_bytes))
        .sink(sink(size_bytes))
        .database(folder.path().join("backlog.db"))
        .audit_log(folder.path().join("audit.jsonl"))
        .options(Options::default().checksum(checksum))
        .build()
        .unwrap();
    let report = runtime.block_on(migration.run()).unwrap();
    assert!(report.all_in_sync());
}

fn pipeline(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for (name, files, size_bytes) in [("large files", 4, 64 << 20), ("small files", 2000, 16 << 10)] {
        let mut group = criterion.benchmark_group(format!("pipeline, {name}"));
        group.sample_size(10).throughput(Throughput::Bytes(files as u64 * size_bytes));
        for checksum in [None].into_iter().chain(Algorithm::ALL.map(Some)) {
            let id = BenchmarkId::from_parameter(checksum.map_or("no checksum", Algorithm::name));
            group.bench_function(id, |bencher| bencher.iter(|| migrate(&runtime, files, size_bytes, checksum)));
        }
        group.finish();
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
